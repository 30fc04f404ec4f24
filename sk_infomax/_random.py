"""Randomness of our own: no fit reads or moves numpy's or torch's global generators."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch

__all__ = ["new_generator", "private_rng"]

# torch.random.fork_rng saves and restores the generator of the whole process, so two threads
# inside it at once would restore each other's state.
_LOCK = threading.RLock()


def new_generator(seed: int, device: torch.device | str = "cpu") -> torch.Generator:
    """A generator on `device`, seeded."""
    return torch.Generator(device=device).manual_seed(seed)


@contextmanager
def private_rng(seed: int, device: torch.device) -> Iterator[None]:
    """Seed torch's global generator for a while, for one thread at a time, then restore it.

    Networks draw their first weights from the global generator, and a user's own network may
    draw from it in every step (dropout).
    """
    devices = [device] if device.type == "cuda" else []
    with _LOCK, torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        yield

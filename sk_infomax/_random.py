"""Randomness of our own: no fit reads or moves numpy's or torch's global generators."""

import math
import random
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from sklearn.utils import check_random_state
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

__all__ = ["draw_seed", "new_generator", "own_draws", "private_rng", "randomness", "stream"]

# torch.random.fork_rng saves and restores the generator of the whole process, so two threads
# inside it at once would restore each other's state.
_LOCK = threading.RLock()

_PYTHONS = 3  # version of what random.getstate gives
_N_STREAMS = 1000  # streams of one seed, the folds of cross-fitting among them
_STREAMS = {
    "weights": 0,  # first weights of networks
    "rows": 0,  # which rows are held out, which ones a fit looks at before training, folds
    "views": 1,  # views and draws of the prior in training
    "batches": 2,  # order of the batches
    "modules": 3,  # whatever a user's own module draws in training
    "preparation": 4,  # what is found before training
}


def draw_seed(random_state: Any) -> int:
    """One number from what scikit-learn takes for ``random_state``; `stream` makes more of it."""
    return int(check_random_state(random_state).randint(2**31 - _N_STREAMS))


def stream(seed: int, name: str, number: int = 0) -> int:
    """Seed of a named stream, or of the one of a numbered fold."""
    return seed + _STREAMS[name] + number


def new_generator(seed: int, device: torch.device | str = "cpu") -> torch.Generator:
    """A generator on `device`, seeded."""
    return torch.Generator(device=device).manual_seed(seed)


@contextmanager
def private_rng(
    seed: int, device: torch.device, known: Mapping[str, Tensor] | None = None
) -> Iterator[None]:
    """Seed the global generators for a while, for one thread at a time, then restore them.

    Networks draw their first weights from torch's, and a user's own part may draw from torch's,
    numpy's or Python's in every step (dropout). `known` is what `randomness` gave, to go on from.
    """
    devices = [device] if device.type == "cuda" else []
    with _LOCK, torch.random.fork_rng(devices=devices):
        state, pythons = np.random.get_state(), random.getstate()
        torch.manual_seed(seed)
        np.random.seed(seed)
        random.seed(seed)
        if known is not None:
            _go_on_from(known, device)
        try:
            yield
        finally:
            np.random.set_state(state)
            random.setstate(pythons)


@contextmanager
def own_draws(seed: int) -> Iterator[None]:
    """Let this thread's draws of torch that name no generator come from one of our own, seeded.

    The numbers are those that `private_rng` gives on a CPU, and the global generators are neither
    read nor moved, so that nothing waits and no other thread is disturbed. For parts of this
    package, which draw first weights from torch alone.
    """
    with _Draws(new_generator(seed)):
        yield


class _Draws(TorchDispatchMode):
    """Hands a generator to operations that draw."""

    def __init__(self, generator: torch.Generator):
        super().__init__()
        self.generator = generator

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if torch.Tag.nondeterministic_seeded in func.tags and kwargs.get("generator") is None:
            return _drawing(func)(*args, **kwargs, generator=self.generator)
        return func(*args, **kwargs)


def _drawing(func: Any) -> Any:
    """The overload of an operation that takes a generator."""
    if any(one.name == "generator" for one in func._schema.arguments):
        return func
    name = func._overloadname
    return getattr(func.overloadpacket, "generator" if name == "default" else f"{name}_generator")


def randomness(device: torch.device) -> dict[str, Tensor]:
    """States of the global generators: words, and what is kept besides (nan for nothing)."""
    _, words, *rest = np.random.get_state(legacy=True)
    _, pythons, gauss = random.getstate()
    numbers = [*rest, math.nan if gauss is None else gauss]
    found = {
        "torch": torch.get_rng_state(),
        "numpy": torch.from_numpy(np.asarray(words, dtype=np.int64)),
        "python": torch.tensor(pythons, dtype=torch.int64),
        "rest": torch.tensor([float(value) for value in numbers], dtype=torch.float64),
    }
    if device.type == "cuda":
        found["cuda"] = torch.cuda.get_rng_state(device)
    return found


def _go_on_from(known: Mapping[str, Tensor], device: torch.device) -> None:
    """Put states in place; those of a device that is not here are left out."""
    try:
        torch.set_rng_state(known["torch"])
        place, has_gauss, cached, gauss = known["rest"].tolist()
        words = known["numpy"].numpy().astype(np.uint32)
        np.random.set_state(("MT19937", words, int(place), int(has_gauss), cached))
        pythons = tuple(known["python"].tolist())
        random.setstate((_PYTHONS, pythons, None if math.isnan(gauss) else gauss))
        if device.type == "cuda" and "cuda" in known:
            torch.cuda.set_rng_state(known["cuda"], device)
    except (KeyError, OverflowError, RuntimeError, TypeError, ValueError) as error:
        raise ValueError("The file is damaged: its states of generators are none.") from error

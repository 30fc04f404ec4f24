"""What torch's modes are while this package computes, whatever they are around it."""

import math
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import wraps
from typing import ParamSpec, TypeVar

import torch
from torch import Tensor

__all__ = ["few_threads", "in_blocks", "in_own_modes", "is_traced", "own_modes"]

P = ParamSpec("P")
R = TypeVar("R")

_LOCK = threading.Lock()
_DEVICES = ("cpu", "cuda")  # that autocast is turned off for
# Floating-point operations of a step, 25 ms of a core, under which torch's threads wait for each
# other longer than they work where another process holds a core (`benchmarks/busy.py`).
_SMALL = 2**28
_SMALL_IN_ALL = 2**31  # of what is done once: 0.2 seconds of a core (a rule)


class _Float32:
    """float32 as the default type, which is that of the whole process, while anyone is inside."""

    inside = 0
    before = torch.float32

    @classmethod
    @contextmanager
    def held(cls) -> Iterator[None]:
        with _LOCK:
            if cls.inside == 0:
                cls.before = torch.get_default_dtype()
                torch.set_default_dtype(torch.float32)
            cls.inside += 1
        try:
            yield
        finally:
            with _LOCK:
                cls.inside -= 1
                if cls.inside == 0:
                    torch.set_default_dtype(cls.before)


@contextmanager
def own_modes() -> Iterator[None]:
    """Gradients, float32, the CPU where no device is named, and no autocast.

    A fit under ``torch.no_grad()``, ``torch.inference_mode()``, another default type or device, or
    autocast is so the same as without.
    """
    with ExitStack() as stack:
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.enable_grad())
        if _Float32.inside or torch.get_default_dtype() != torch.float32:
            stack.enter_context(_Float32.held())
        if torch.get_default_device().type != "cpu":
            stack.enter_context(torch.device("cpu"))
        for device in _DEVICES:
            if torch.is_autocast_enabled(device):
                stack.enter_context(torch.autocast(device, enabled=False))
        yield


def in_own_modes(function: Callable[P, R]) -> Callable[P, R]:
    """A function that runs in `own_modes`."""

    @wraps(function)
    def inner(*args: P.args, **kwargs: P.kwargs) -> R:
        with own_modes():
            return function(*args, **kwargs)

    return inner


@contextmanager
def few_threads(work: float, in_all: float = math.inf) -> Iterator[None]:
    """One thread of torch where there is little work, in floating-point operations.

    `work` is that of a step of many, `in_all` that of everything where it is known.

    How many threads there are is decided by the work alone, not by how busy the machine is: what
    is computed would otherwise differ in its last bits from one time to the next.
    """
    before = torch.get_num_threads()
    if before == 1 or (work > _SMALL and in_all > _SMALL_IN_ALL):
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def is_traced() -> bool:
    """Whether torch writes down what is computed, for other batches than the one that it sees."""
    return torch.compiler.is_compiling() or torch.jit.is_tracing()


def in_blocks(x: Tensor, size: int) -> tuple[Tensor, ...]:
    """A batch (n, ...) in blocks, or whole where it is traced: n is then any number."""
    return (x,) if is_traced() else x.split(size)

"""How peers keep within their seconds: they time a small piece of work before the large one."""

import time
from collections.abc import Callable

import numpy as np

from sk_infomax._layout import Layout, find_layout
from sk_infomax.encoders import ENCODERS

MARGIN = 0.9  # of what is left is planned for; the rest is for a machine that has other work


class DoesNotFit(ValueError):  # noqa: N818 (what it says is a finding, not a fault)
    """A method has no place in this comparison; the message is the reason."""


class Stopwatch:
    """Seconds of a budget that are left since it was made."""

    def __init__(self, budget: float):
        self.budget = budget
        self.start = time.perf_counter()

    def left(self) -> float:
        """Seconds left."""
        return self.budget - (time.perf_counter() - self.start)

    def allows(self, seconds: float) -> bool:
        """Whether work of so many seconds still fits, with the margin."""
        return seconds <= MARGIN * self.left()


def seconds_of(work: Callable[[], object]) -> float:
    """Time of a piece of work on its second run: the first one loads and allocates."""
    work()
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def trained_encoder(kind: str):
    """The encoder that all networks share; every layer of it is trained."""
    names = {"image": "strided", "series": "convolutions", "table": "perceptron"}
    return ENCODERS[names[kind]]()


def layout_of(X: np.ndarray) -> Layout:
    """What samples (n, ...) are: tables, series or images."""
    return find_layout(tuple(X.shape[1:]), None, "auto")

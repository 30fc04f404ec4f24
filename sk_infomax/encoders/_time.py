"""Time of series: lengths, the places that patterns look at, and parts to average over."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from .._modes import is_traced

__all__ = [
    "Level",
    "averages",
    "by_length",
    "lengths_of",
    "levels_of",
    "long_enough",
    "pyramid",
    "total",
]

_MOST_LEVELS = 14  # dilations 1, 2, 4, ... 8,192; enough for series of 100,000 values
_REACH = 0.9  # of the series that the widest pattern covers at most (rule of thumb)
_STEPS_EACH = 8  # places looked at in the time between two values of a pattern (rule of thumb)
_MOST_PLACES = 2048  # places of a level; longer series are looked at with strides (rule of thumb)


class Level(NamedTuple):
    """Where the patterns of a level look.

    Parameters
    ----------
    order : int
        0 for the values, 1 for their differences.
    dilation : int
        Steps of time between two values of a pattern.
    stride : int
        Steps of time between two places.
    places : int
        How many there are.
    """

    order: int
    dilation: int
    stride: int
    places: int


def levels_of(length: int, taps: int) -> list[Level]:
    """Dilations 1, 2, 4, ... of a series of `length` values and of its differences."""
    found = []
    for order in (0, 1):
        for dilation in (2**power for power in range(_MOST_LEVELS)):
            reach = (taps - 1) * dilation
            if dilation > 1 and reach + 1 > _REACH * (length - order):
                break
            room = length - order - reach
            stride = max(1, dilation // _STEPS_EACH, -(-room // _MOST_PLACES))
            found.append(Level(order, dilation, stride, (room - 1) // stride + 1))
    return found


def lengths_of(x: Tensor) -> Tensor:
    """Lengths (n,) of series (n, c, t) that are padded with NaN at their ends."""
    return (~x[:, 0].isnan()).sum(1)


def by_length(function: Callable[[Tensor], tuple[Tensor, ...]], x: Tensor) -> tuple[Tensor, ...]:
    """What a function says of series (n, c, t), those of one length at a time, in their order."""
    lengths = lengths_of(x)
    # A graph that is written down reads series of one length: it has no branch on values.
    if is_traced() or bool((lengths == x.shape[2]).all()):
        return function(x)
    order = lengths.argsort(stable=True)
    found, counts = lengths[order].unique_consecutive(return_counts=True)
    groups = order.split(counts.tolist())
    parts = [function(x[rows, :, :n]) for rows, n in zip(groups, found.tolist())]
    back = order.argsort()
    return tuple(torch.cat(part)[back] for part in zip(*parts))


def long_enough(signal: Tensor, length: int) -> Tensor:
    """A signal (n, s, t) with its mean after it, if it is shorter than a pattern."""
    short = length - signal.shape[2]
    if short <= 0:
        return signal
    mean = signal.mean(2, keepdim=True)
    return torch.cat([signal, mean.expand(*signal.shape[:2], short)], 2)


def total(parts: tuple[int, ...], cells: int) -> int:
    """How many parts there are in all, of those that so many cells can be cut into."""
    return sum(part for part in parts if part <= cells)


def averages(places: int, cells: int) -> Tensor:
    """Weights (places, cells) of the means that adaptive pooling takes."""
    cell, place = torch.arange(cells), torch.arange(places)[:, None]
    first, end = cell * places // cells, -(-(cell + 1) * places // cells)
    return ((place >= first) & (place < end)) / (end - first)


def pyramid(parts: tuple[int, ...], cells: int) -> Tensor:
    """Weights (cells, parts in all) of means over parts of time."""
    wanted = [part for part in parts if part <= cells]
    return torch.cat([averages(cells, part) for part in wanted], 1)

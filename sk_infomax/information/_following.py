"""Columns that follow from those of the other side without noise: the information is infinite.

Of one column and another, any smooth function is seen (`_neighbours.follows`). Of several, sums
and products are, such as a price with its tax, a duration between two dates, or sales as a price
times a quantity: a linear function of the columns of one side, or of their logarithms, that is
also one of the other side's.
"""

from __future__ import annotations

from itertools import product

import numpy as np

from .._columns._kinds import Column
from ._columns import Columns
from ._neighbours import Foreteller
from ._sides import Sides

__all__ = ["FOLLOWS", "one_follows", "share_a_line"]

FOLLOWS = (
    "One side follows from the other as far as so many pairs can tell: the information may be "
    "infinite, and the estimate only says that it is large."
)
_ROWS_FOR_FUNCTIONS = 500  # from which chance makes none of 400 pairs of columns a function (rule)
_MOST_FUNCTIONS = 400  # pairs of columns that are looked at, which takes half a second (rule)
_ROWS_FOR_LINES = 2  # for each column: with 1, any side is a line in the other; twice that (rule)
_MOST_COLUMNS = 512  # of both sides, of which lines are sought within a second or so (rule)
_ROWS_LOOKED_AT = 4  # rows for each column that are looked at, where there are more (rule)
_EXACT = 1e-6  # share of a variate that may be left: float32 has 6e-8, and noise so small 14 nats
_LEAST = 1e-6  # share of the largest spread from which a variate is not the others' rounding
_LEAST_OF_SOURCE = 1e-11  # the same where a variate is looked for: minutes between dates of years
_DIFFERENT = (
    0.9  # share of the values that must differ, or they are levels of finite entropy (rule)
)
_FARTHEST = 1e150  # sizes from the middle, beyond which squares are infinite
_STEP = 1e-9  # share of its spread to which a variate is rounded, where values are compared


def one_follows(columns: tuple[Columns, Columns], sides: Sides) -> bool:
    """Whether a column, or a line in several, follows from the other side."""
    alone = len(sides.x) + len(sides.y) == 2
    return _some_function(columns, sides) or (not alone and _some_line(columns, sides))


def _some_function(columns: tuple[Columns, Columns], sides: Sides) -> bool:
    """Whether some column of numbers is a function of one of the other side."""
    numbers = [
        [part.numbers(column)[:, 0] for part, column in _ordered(known, side)]
        for known, side in zip(columns, sides)
    ]
    n_pairs = len(numbers[0]) * len(numbers[1])
    enough = n_pairs == 1 or len(sides.x[0]) >= _ROWS_FOR_FUNCTIONS
    if not enough or n_pairs > _MOST_FUNCTIONS:
        return False
    x, y = ([(Foreteller(one), one) for one in side] for side in numbers)
    return any(a.foretells(other) or b.foretells(one) for (a, one), (b, other) in product(x, y))


def _ordered(known: Columns, side: list[Column]) -> list:
    """Columns that are read by their order, each after what is known of it."""
    return [pair for pair in zip(known.parts, side) if pair[0].order is not None]


def _some_line(columns: tuple[Columns, Columns], sides: Sides) -> bool:
    """Whether both sides share a line in their numbers, or in the logarithms of those above 0."""
    try:
        x, y = (
            np.array([column.values for _, column in _ordered(known, side)], dtype=float).T
            for known, side in zip(columns, sides)
        )
    except OverflowError:  # whole numbers beyond 1e308
        return False
    if not (x.size and y.size):
        return False
    if share_a_line(x, y):
        return True
    x, y = (side[:, (side > 0).all(0)] for side in (x, y))
    return bool(x.size and y.size) and share_a_line(np.log(x), np.log(y))


def share_a_line(x: np.ndarray, y: np.ndarray) -> bool:
    """Whether a linear function of x is one of y, to the last digits.

    Parameters
    ----------
    x, y : ndarray of shape (n, dx) and (n, dy)
        Numbers as they are, of any scale and offset.
    """
    n, d = len(x), x.shape[1] + y.shape[1]
    if d > _MOST_COLUMNS or n < _ROWS_FOR_LINES * (d + 1):
        return False
    rows = np.unique(np.linspace(0, n - 1, min(n, _ROWS_LOOKED_AT * (d + 25))).astype(int))
    x, y = _scaled(x[rows]), _scaled(y[rows])
    return _holds_a_line(x, y) or _holds_a_line(y, x)


def _scaled(side: np.ndarray) -> np.ndarray:
    """Columns (n, d) about 0 and of size 1 in the middle of their rows, whatever their tails."""
    side = side - np.median(side, axis=0)
    size = np.median(np.abs(side), axis=0)
    size = np.where(size > 0, size, np.abs(side).mean(0))
    with np.errstate(over="ignore"):
        return (side / np.where(size > 0, size, 1.0)).clip(-_FARTHEST, _FARTHEST)


def _holds_a_line(x: np.ndarray, y: np.ndarray) -> bool:
    """Whether some combination of columns y (n, dy) is one of x (n, dx)."""
    # Rows of one length, which leave each equation as it is: a heavy tail must not hide noise.
    weight = 1 / np.abs(np.hstack([x, y])).max(1, keepdims=True).clip(min=1.0)
    source = _basis(np.hstack([weight, weight * x]), _LEAST_OF_SOURCE)[0]
    offset = weight / np.linalg.norm(weight)
    variates, to_variates = _basis(weight * y - offset @ (offset.T @ (weight * y)), _LEAST)
    if not variates.shape[1]:
        return False
    _, left, turn = np.linalg.svd(variates - source @ (source.T @ variates), full_matrices=False)
    lines = y @ to_variates @ turn[left < _EXACT].T
    return any(_are_numbers(line) for line in lines.T)


def _basis(side: np.ndarray, least: float) -> tuple[np.ndarray, np.ndarray]:
    """Orthonormal variates (n, r) of columns (n, d) that have spread, and how they are made."""
    left, spread, axes = np.linalg.svd(side, full_matrices=False)
    kept = spread > least * max(spread.max(initial=0.0), 1e-300)
    return left[:, kept], axes[kept].T / spread[kept]


def _are_numbers(line: np.ndarray) -> bool:
    """Whether values (n,) differ as those of a continuous column do."""
    size = np.median(np.abs(line - np.median(line)))
    if size == 0:
        return False
    return len(np.unique(np.round(line / (_STEP * size)))) > _DIFFERENT * len(line)

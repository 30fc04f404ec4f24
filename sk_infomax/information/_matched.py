"""Columns of one side that go with columns of the other, one with one: their information added up.

Where the columns of a side are independent of each other, the chain rule says that the sides share
at least the sum of what its columns share with columns of the other side, each with a different
one::

    I(X; Y) >= I(x_1; y_1) + ... + I(x_k; y_k)    if x_1 ... x_d (or the y) are independent

Each term is one column against one, of which neighbours see waves, edges and strong dependence
that critics of all columns together miss. Which columns go together is told by tables of their
ranks, and so is whether the columns of a side are independent.
"""

from __future__ import annotations

import math
from itertools import combinations
from typing import NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.stats import chi2

from .._columns._kinds import Column
from ._columns import LearnedColumn, normal_scores
from ._curvature import curvature
from ._neighbours import missed_by, single_pair_information
from ._shifts import NOTHING, Shifted

__all__ = ["Matched", "told_of_matched"]

_MOST_ROWS = 20_000  # that are looked at: neighbours then know 0.005 nats, in 0.1 seconds; a rule
_FEWEST_ROWS = 200  # under which a table of ranks is chance; a rule
_MOST_COLUMNS = 32  # of a side, which are 1,500 tables and a second; what critics read as it is
_ROWS_OF_CELL = 5  # that a table has room for, the rule of chi-square tables
_MOST_CELLS = 24  # along each side, which see twelve waves; a rule
_FALSE = 1e-3  # chance that of all tables of independent columns any is taken for dependent; a rule
_NEGLIGIBLE = 0.01  # nats of dependence within a side that are taken for none; a rule
_RECOVERED = 0.25  # share of what neighbours may miss that they do (edges, waves, normal pairs)
_WORTH = 0.5  # share of what critics found from which tables, which see less, are looked into; rule

_Side = list[tuple[LearnedColumn, Column]]


class Matched(NamedTuple):
    """What columns that go together tell.

    Attributes
    ----------
    told : Shifted
        Their information added up.
    missed : float
        Nats by which it may lie too low.
    """

    told: Shifted
    missed: float


_NOTHING = Matched(NOTHING, 0.0)


def told_of_matched(x: _Side, y: _Side, found: float) -> Matched:
    """What columns that go together tell of two sides, each with an order; at least.

    Parameters
    ----------
    x, y : list of (LearnedColumn, Column)
        Two columns or more of each side.
    found : float
        What critics found, in nats: where tables see far less, nothing is told.
    """
    n = len(x[0][1])
    if n < _FEWEST_ROWS or max(len(x), len(y)) > _MOST_COLUMNS:
        return _NOTHING
    rows = np.random.RandomState(0).permutation(n)[:_MOST_ROWS]
    x, y = ([(known, column.take(rows)) for known, column in side] for side in (x, y))
    ranks = [_ranks(side) for side in (x, y)]
    tables = _Tables(len(rows), len(x) * len(y))
    told = tables.between(*ranks)
    first, second = linear_sum_assignment(-told)
    pairs = [(i, j) for i, j in zip(first, second) if told[i, j] > 0]
    if not pairs or sum(told[i, j] for i, j in pairs) < _WORTH * found:
        return _NOTHING
    if not any(_independent(side) for side in ranks):
        return _NOTHING
    each = [single_pair_information(*x[i][::-1], *y[j][::-1]) for i, j in pairs]
    missed = missed_by([(_scores(x[i]), _scores(y[j])) for i, j in pairs])
    value = sum(one.value for one in each) + _RECOVERED * missed
    error = math.hypot(_RECOVERED * missed, *(one.standard_error for one in each))
    return Matched(Shifted(value, error, (value / error) ** 2 / 2), missed)


def _scores(one: tuple[LearnedColumn, Column]) -> np.ndarray:
    """Normal scores (n,) of a column."""
    known, column = one
    return known.numbers(column)[:, 0]


def _ranks(side: _Side) -> np.ndarray:
    """Ranks (n, d) of columns, ties broken by chance."""
    scores = np.column_stack([_scores(one) for one in side])
    order = np.random.RandomState(1).permutation(len(scores))
    ranks = np.empty(scores.shape, dtype=np.int64)
    ranks[order] = scores[order].argsort(0, kind="stable").argsort(0)
    return ranks


class _Tables:
    """Tables of two columns by their ranks, as fine as the rows allow.

    Parameters
    ----------
    n : int
        Rows.
    count : int
        Tables that are looked at, all of which shall seldom show what is not there.
    """

    def __init__(self, n: int, count: int):
        self.n = n
        self.cells = int(min(_MOST_CELLS, math.sqrt(n / _ROWS_OF_CELL)))
        self.freedom = (self.cells - 1) ** 2
        self.limit = float(chi2.isf(_FALSE / count, self.freedom))

    def told(self, a: np.ndarray, b: np.ndarray) -> float:
        """Nats that ranks a and b (n,) share, without bias; 0 where that may be chance."""
        cells = self.cells
        codes = (a * cells // self.n) * cells + b * cells // self.n
        counts = np.bincount(codes, minlength=cells**2)
        expected = self.n / cells**2
        seen = counts[counts > 0]
        deviance = 2 * float((seen * np.log(seen / expected)).sum())
        return (deviance - self.freedom) / (2 * self.n) if deviance > self.limit else 0.0

    def between(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Nats (dx, dy) that columns (n, dx) and (n, dy) share."""
        return np.array([[self.told(a, b) for b in y.T] for a in x.T])


def _independent(ranks: np.ndarray) -> bool:
    """Whether columns (n, d) tell nothing of each other, two by two or by curves of several."""
    n, d = ranks.shape
    tables = _Tables(n, max(1, d * (d - 1) // 2))
    told = sum(tables.told(a, b) for a, b in combinations(ranks.T, 2))
    scores = normal_scores(ranks.astype(float))
    shared = -0.5 * float(np.linalg.slogdet(np.corrcoef(scores.T))[1]) - d * (d - 1) / 4 / n
    return max(told, shared, curvature(scores)) < _NEGLIGIBLE

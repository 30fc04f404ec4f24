"""Signs of dependence that few rows are enough for: correlations of waves and of levels.

Each column gives nested sets of features: its scores, waves along its ranks, indicators of its
levels. The sum of squared correlations of two sets is chi-square where columns are independent;
slow waves see weak trends, fast ones and indicators what has another shape.
"""

from __future__ import annotations

import math
from itertools import product
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse
from scipy.stats import norm

__all__ = ["Features", "signs", "tail_of_most"]

_FEWEST_DRAWS = 2  # permutations that have a spread
_WAVES = (1, 4, 12)  # features of an order: a line, a curve of three half waves, and a fine one
_ROWS_FOR_WAVE = 10  # rows for each feature at least: the rule of ten of regression
_ROWS_FOR_LEVEL = 5  # rows of a level at least, under which chance correlates far (chi-square rule)


class Features(NamedTuple):
    """Nested sets of features (n, p) of mean 0 that are orthonormal.

    Attributes
    ----------
    values : ndarray or sparse array of shape (n, p)
        The features.
    sizes : tuple of int
        How many of them, from the first on, make a set each.
    free : int
        How many of them are free; fewer by one where they are indicators.
    """

    values: Any
    sizes: tuple[int, ...]
    free: int

    @classmethod
    def of_order(cls, scores: np.ndarray) -> Features:
        """Of normal scores (n,): the scores and waves along the ranks."""
        n = len(scores)
        sizes = tuple(size for size in _WAVES if size == 1 or size * _ROWS_FOR_WAVE <= n)
        place = (np.argsort(np.argsort(scores, kind="stable")) + 0.5) / n
        waves = np.cos(math.pi * place[:, None] * np.arange(1, sizes[-1]))
        raw = np.column_stack([scores, waves])
        return cls(np.linalg.qr(raw - raw.mean(0))[0], sizes, sizes[-1])

    @classmethod
    def of_levels(cls, codes: np.ndarray) -> Features | None:
        """Of codes (n,): indicators of the frequent levels, scaled; None where there are none."""
        counts = np.bincount(codes)
        kept = np.flatnonzero(counts >= _ROWS_FOR_LEVEL)
        if not len(kept) or len(counts) < 2:
            return None
        place = np.full(len(counts), -1)
        place[kept] = np.arange(len(kept))
        rows = np.flatnonzero(place[codes] >= 0)
        weights = 1 / np.sqrt(counts[codes[rows]])
        shape = len(codes), len(kept)
        values = sparse.csr_array((weights, (rows, place[codes[rows]])), shape=shape)
        return cls(values, (len(kept),), min(len(kept), len(counts) - 1))


def signs(x: list[Features], y: list[Features], order: np.ndarray) -> np.ndarray:
    """For each pair of sets, about standard normal if x and y in that order are independent.

    Two sets of indicators are left to counts, for cells of few rows are far from normal.
    """
    pairs = [
        (a, b)
        for a, b in product(x, y)
        if not (sparse.issparse(a.values) and sparse.issparse(b.values))
    ]
    return np.array([sign for a, b in pairs for sign in _signs(a, b, order)])


def _signs(x: Features, y: Features, order: np.ndarray) -> list[float]:
    squares = x.values.shape[0] * np.asarray(x.values.T @ y.values[order]) ** 2
    found = []
    for p, q in product(x.sizes, y.sizes):
        freedom = min(p, x.free) * min(q, y.free)
        # The cube root of a chi-square variable is nearly normal (Wilson and Hilferty 1931).
        root = (float(squares[:p, :q].sum()) / freedom) ** (1 / 3)
        found.append((root - 1 + 2 / (9 * freedom)) / math.sqrt(2 / (9 * freedom)))
    return found


def tail_of_most(draws: np.ndarray) -> tuple[float, float]:
    """How likely independence gives as much as the first of draws (1 + m, s) of s statistics.

    Parameters
    ----------
    draws : ndarray of shape (1 + m, s)
        Of the pairs, and of m permutations.

    Returns
    -------
    beaten : float
        Share of draws, the first among them, whose largest statistic in units of its spread is as
        large: exact.
    tail : float
        By the normal tail of the most telling statistic, for as many as there are (Bonferroni).
    """
    spread = draws.std(0)
    telling = spread > 0
    if not telling.any():
        return 1.0, 1.0
    units = (draws[:, telling] - draws[:, telling].mean(0)) / spread[telling]
    most = units.max(1)
    beaten = float(np.mean(most >= most[0]))
    others = draws[1:, telling]
    if len(others) < _FEWEST_DRAWS:
        return beaten, 1.0
    distance = (draws[0, telling] - others.mean(0)) / np.maximum(others.std(0, ddof=1), 1e-300)
    return beaten, min(1.0, float(norm.sf(distance.max())) * int(telling.sum()))

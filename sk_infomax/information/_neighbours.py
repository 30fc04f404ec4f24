"""Information of one column and another, where few samples suffice: neighbours and counts."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy.spatial import cKDTree
from scipy.special import digamma, ndtri
from scipy.stats import norm
from sklearn.utils import check_random_state

from ._columns import LearnedColumn
from ._counts import (
    CountRatio,
    Estimate,
    codes_of_rows,
    corrected_entropy,
    entropy_ceiling,
    permutation_p_value,
)
from ._kinds import Column
from ._rows import Rows

__all__ = ["capped", "entropy_of", "follows", "single_pair_information", "single_pair_p_value"]

_NEIGHBOURS = 5  # of a pair; few have little bias, many little noise: a rule between 3 and 10
_SMOOTH = (
    0.35  # ratio of the two: 0.31 at most for functions, 0.42 at least for noise (1,200 drawn)
)
_FEWEST_FOR_FUNCTIONS = 200  # pairs, under which the ratio is chance (the same draws)
_POINT = 0.05  # share of rows with one value from which rounding does not explain it; a rule
_INSIDE = 1 - 1e-9  # of a radius, so that rounding counts no neighbour that lies on it
_BEYOND = 3  # permutations that may beat the pairs where a tail is fitted: a rule
_EDGES = 2.0  # nats times n that terms are wrong by at the ends of each level (800 drawn rows)
_INFLATION = 1.3  # of the spread of pointwise terms, which neighbours share (200 normal samples)


def single_pair_information(
    x: Column,
    of_x: LearnedColumn,
    y: Column,
    of_y: LearnedColumn,
    level: float = 0.95,
    block_length: int = 1,
) -> Estimate:
    """Information of two columns in nats, with its interval.

    By nearest neighbours on normal scores (Kraskov, Stögbauer and Grassberger 2004; Ross 2014
    where one column is read by its levels), by counts where both are. A column that is read by
    its order and by its levels is tried both ways; the levels have to say plainly more.

    Parameters
    ----------
    x, y : Column
        Without missing values.
    of_x, of_y : LearnedColumn
        What is known of each.
    level : float
        Of the interval.
    block_length : int
        Neighbouring rows that are not independent of each other.
    """
    readings = [
        _information_of(a, b, level, block_length)
        for a in _readings(x, of_x)
        for b in _readings(y, of_y)
    ]
    best = readings[0]
    for other in readings[1:]:
        if other.low > best.high:
            best = other
    return best


def single_pair_p_value(
    x: Column,
    of_x: LearnedColumn,
    y: Column,
    of_y: LearnedColumn,
    n_permutations: int,
    block_length: int = 1,
    random_state: Any = 0,
) -> float:
    """P-value of independence of two columns, from permutations of y.

    Where the pairs tell more than all of them, a normal distribution is fitted to the permutations
    and its tail is taken, so that many columns can be tested at once.
    """
    rng = check_random_state(random_state)
    a, b = _readings(x, of_x)[0], _readings(y, of_y)[0]
    if a[1] and b[1]:
        orders = Rows(block_length).orders(len(x), n_permutations, rng)
        return permutation_p_value(a[0], b[0], orders=orders)
    orders = Rows(block_length).orders(len(x), n_permutations, rng)
    draws = np.array([_raw(a, (b[0][order], b[1])) for order in orders])
    beaten = float(np.mean(draws >= draws[0]))
    if beaten > _BEYOND / (1 + n_permutations):
        return beaten
    spread = draws[1:].std(ddof=1)
    tail = float(norm.sf((draws[0] - draws[1:].mean()) / spread)) if spread > 0 else beaten
    return min(beaten, tail)


def _raw(x: tuple[np.ndarray, bool], y: tuple[np.ndarray, bool]) -> float:
    """Mean of pointwise terms, which may be below 0."""
    (a, of_levels_a), (b, of_levels_b) = x, y
    if not of_levels_a and not of_levels_b:
        return float(_of_numbers(a, b).mean())
    numbers, levels = (b, a) if of_levels_a else (a, b)
    terms, _ = _with_levels(numbers, levels)
    return float(terms.mean()) if len(terms) else 0.0


def follows(x: np.ndarray, y: np.ndarray) -> bool:
    """Whether scores y (n,) are a function of scores x (n,), as far as n pairs can tell.

    Between neighbours in x a function without noise changes by a quarter in the mean square where
    there are twice as many of them, and noise does not change (von Neumann 1941).
    """
    if len(x) < _FEWEST_FOR_FUNCTIONS or len(np.unique(x)) < len(x):
        return False
    ordered = y[np.argsort(x)]
    fine, coarse = (float(np.median(np.diff(ordered[::step]) ** 2)) for step in (1, 2))
    return fine < _SMOOTH * coarse


def entropy_of(column: Column, known: LearnedColumn) -> float:
    """Entropy in nats of a column that is read by its levels; infinite for one with an order."""
    if not known.is_discrete:
        return math.inf
    return corrected_entropy(np.bincount(known.levels.codes(column)))


def capped(estimate: Estimate, ceiling: float) -> Estimate:
    """The same, with nothing above what an entropy allows."""
    if estimate.high <= ceiling:
        return estimate
    value, low, high = (min(v, ceiling) for v in (estimate.value, estimate.low, estimate.high))
    return Estimate(value, low, high, estimate.standard_error, estimate.finding)


def _readings(column: Column, known: LearnedColumn) -> list[tuple[np.ndarray, bool]]:
    """Values (n,) and whether they are levels: by order first, where there is one."""
    found = [] if known.order is None else [(known.order.scores(column), False)]
    return found + ([(known.levels.codes(column), True)] if len(known.levels) else [])


def _information_of(x, y, level: float, block_length: int) -> Estimate:
    (a, of_levels_a), (b, of_levels_b) = x, y
    if of_levels_a and of_levels_b:
        return CountRatio(a, b).estimate(level)
    if of_levels_a or of_levels_b:
        numbers, levels = (b, a) if of_levels_a else (a, b)
        terms, n_used = _with_levels(numbers, levels)
        estimate = _from_terms(terms, n_used / len(a), level, block_length)
        return capped(estimate, entropy_ceiling(levels, level))
    return _from_terms(_of_numbers(a, b), 1.0, level, block_length)


def _from_terms(terms: np.ndarray, share: float, level: float, block_length: int) -> Estimate:
    """Mean of pointwise terms (k,), which stand for a share of all pairs, with its interval."""
    n = len(terms)
    if n < 2:
        return Estimate(0.0, 0.0, math.inf, math.inf)
    if block_length > 1:
        blocks = max(2, len(terms) // block_length)
        terms = np.array([part.mean() for part in np.array_split(terms, blocks)])
    chance = _INFLATION * float(terms.std(ddof=1)) / math.sqrt(len(terms))
    error = math.hypot(chance, _EDGES / n)
    half, value = float(norm.ppf(0.5 + level / 2)) * error, share * float(terms.mean())
    low, high = max(0.0, value - half), max(0.0, value + half)
    return Estimate(max(0.0, value), low, high if share > 0 else math.inf, error)


def _of_numbers(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Pointwise terms (n,) of columns with an order; ties count as mixtures (Gao et al. 2017)."""
    n, k = len(x), min(_NEIGHBOURS, len(x) - 1)
    if k < 1:
        return np.zeros(0)
    x, y = _untied(x, 0), _untied(y, 1)
    both = np.column_stack([x, y])
    tree = cKDTree(both)
    radius = tree.query(both, k + 1, p=np.inf)[0][:, -1]
    tied = radius == 0
    near = np.full(n, k)
    if tied.any():
        near[tied] = tree.query_ball_point(both[tied], 0.0, p=np.inf, return_length=True)
    inside = [_within(side, radius * _INSIDE) for side in (x, y)]
    return digamma(n) + digamma(near) - digamma(inside[0]) - digamma(inside[1])


def _with_levels(x: np.ndarray, levels: np.ndarray) -> tuple[np.ndarray, int]:
    """Pointwise terms (m,) of the rows whose level is seen twice or more, and their number m."""
    counts = np.bincount(levels)
    kept = counts[levels] > 1
    if not kept.any():
        return np.zeros(0), 0
    x, levels = _untied(x[kept], 0), codes_of_rows(levels[kept])
    counts = np.bincount(levels)
    radius, near = np.empty(len(x)), np.minimum(_NEIGHBOURS, counts - 1)[levels]
    order = np.argsort(levels, kind="stable")
    for rows in np.split(order, np.cumsum(counts)[:-1]):
        own = x[rows][:, None]
        k = min(_NEIGHBOURS, len(rows) - 1)
        radius[rows] = cKDTree(own).query(own, k + 1)[0][:, -1]
        tied = rows[radius[rows] == 0]
        near[tied] = _within(x[rows], np.zeros(len(rows)))[radius[rows] == 0]
    inside = _within(x, radius * _INSIDE)
    return digamma(len(x)) + digamma(near) - digamma(counts[levels]) - digamma(inside), len(x)


def _untied(scores: np.ndarray, seed: int) -> np.ndarray:
    """Normal scores (n,) whose ties are broken by chance, which tells nothing of anything.

    Numbers that were rounded lie on a lattice, where the rows at a neighbour's distance are many
    and counting some of them counts too few. A value that many rows hold stays: the distribution
    has a point there.
    """
    n = len(scores)
    _, value, counts = np.unique(scores, return_inverse=True, return_counts=True)
    often = counts > max(_POINT * n, math.sqrt(2 * (_NEIGHBOURS + 1) * n))
    ranks = np.empty(n)
    ranks[np.lexsort([np.random.RandomState(seed).permutation(n), value])] = np.arange(n)
    return np.where((often | (counts == 1))[value], scores, ndtri((ranks + 0.5) / n))


def _within(values: np.ndarray, reach: np.ndarray) -> np.ndarray:
    """How many values lie within reach of each, itself among them, (n,)."""
    ordered = np.sort(values)
    above = np.searchsorted(ordered, values + reach, side="right")
    return (above - np.searchsorted(ordered, values - reach, side="left")).clip(min=1)

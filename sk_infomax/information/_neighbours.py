"""Information of one column and another, where few samples suffice: neighbours and counts."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy.spatial import cKDTree
from scipy.special import digamma, ndtri
from scipy.stats import norm
from sklearn.utils import check_random_state

from .._columns._kinds import Column
from ._columns import LearnedColumn
from ._counts import (
    CountRatio,
    Estimate,
    codes_of_rows,
    corrected_entropy,
    entropy_ceiling,
    permutation_p_value,
)
from ._rows import Rows

__all__ = ["capped", "entropy_of", "follows", "single_pair_information", "single_pair_p_value"]

_NEIGHBOURS = 5  # of a pair; few have little bias, many little noise: a rule between 3 and 10
_SMOOTH = 0.35  # ratio of the two: 0.31 at most for functions, 0.42 at least for noise (drawn)
_FEWEST_FOR_FUNCTIONS = 200  # pairs, under which the ratio is chance (the same draws)
_POINT = 0.05  # share of rows with one value from which rounding does not explain it; a rule
_INSIDE = 1 - 1e-9  # of a radius, so that rounding counts no neighbour that lies on it
_BEYOND = 3  # permutations that may beat the pairs where a tail is fitted: a rule
_EDGES = 2.0  # nats times n that terms are wrong by at the ends of each level (800 drawn rows)
_MISSED = 2.0  # times what half of the rows miss, that all of them miss: a rule (dates, waves)
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
    best, quantile = readings[0], float(norm.ppf(0.5 + level / 2))
    for other in readings[1:]:
        # By chance alone: what a reading may miss besides is why others are tried. A thin table
        # proves nothing.
        if other.finding is None and other.low > best.value + quantile * best.standard_error:
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
    if not of_levels_a and not of_levels_b:
        coarse = _of_numbers(a[::2], b[::2])
        one = _from_terms(_of_numbers(a, b), coarse, level, block_length)
        return _within_bounds(one.value, one.low, one.high, one.standard_error, math.inf)
    numbers, levels = (b, a) if of_levels_a else (a, b)
    terms, kept = _with_levels(numbers, levels)
    coarse, _ = _with_levels(numbers[::2], levels[::2])
    units = np.where(np.bincount(levels)[levels] > 2 * _NEIGHBOURS, -1, levels)[kept]
    told = _from_terms(terms, coarse, level, block_length, units)
    return _with_untold(told, float(kept.mean()), entropy_ceiling(levels, level))


def _from_terms(
    terms: np.ndarray,
    coarse: np.ndarray,
    level: float,
    block_length: int,
    units: np.ndarray | None = None,
) -> Estimate:
    """Mean of pointwise terms (k,) with its interval.

    The upper end rises by what half of the rows (`coarse`) fall short by, since neighbours see
    less of a strong dependence the further away they are. Rows of one unit (k,), -1 for none, have
    their neighbours among each other.
    """
    n = len(terms)
    if n < 2:
        return Estimate(0.0, 0.0, math.inf, math.inf)
    if block_length > 1:
        blocks = max(2, len(terms) // block_length)
        terms = np.array([part.mean() for part in np.array_split(terms, blocks)])
        units = None
    chance = _INFLATION * _error_of_mean(terms, units)
    error, value = math.hypot(chance, _EDGES / n), float(terms.mean())
    half = float(norm.ppf(0.5 + level / 2)) * error
    missed = max(0.0, value - float(coarse.mean())) if len(coarse) > 1 else math.inf
    return Estimate(value, value - half, value + half + _MISSED * missed, error)


def _error_of_mean(terms: np.ndarray, units: np.ndarray | None) -> float:
    """Standard error of the mean of terms (k,) of which those of one unit go together."""
    if units is None:
        return float(terms.std(ddof=1)) / math.sqrt(len(terms))
    numbers = np.unique(np.where(units < 0, -1 - np.arange(len(units)), units), return_inverse=True)
    sums = np.bincount(numbers[1], terms - terms.mean())
    return math.sqrt(float((sums**2).sum())) / len(terms)


def _with_untold(told: Estimate, share: float, ceiling: float) -> Estimate:
    """Of all rows, of which a share is told: the others may tell nothing or all that they can."""
    value = told.value * (
        1 - (1 - share) ** 2
    )  # rows seen once are like the others, if these are many
    high = share * told.high + (1 - share) * ceiling if share > 0 else ceiling
    return _within_bounds(value, share * told.low, high, told.standard_error, ceiling)


def _within_bounds(value: float, low: float, high: float, error: float, most: float) -> Estimate:
    """An estimate within 0 and the most that is possible."""
    low, high = min(max(low, 0.0), most), min(max(high, 0.0), most)
    return Estimate(min(max(value, low, 0.0), high), low, high, error)


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


def _with_levels(x: np.ndarray, levels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pointwise terms (m,) of the rows whose level is seen twice or more, and their mask (n,)."""
    counts = np.bincount(levels)
    kept = counts[levels] > 1
    if not kept.any():
        return np.zeros(0), kept
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
    return digamma(len(x)) + digamma(near) - digamma(counts[levels]) - digamma(inside), kept


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

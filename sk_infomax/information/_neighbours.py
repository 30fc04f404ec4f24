"""Information of one column and another, where few samples suffice: neighbours and counts."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
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
    plug_in_of_orders,
)
from ._independence import Features, signs, tail_of_most
from ._rows import Rows
from ._shifts import NOTHING, Shifted, foretold_errors, shifted_by_curve, shifted_by_levels

__all__ = [
    "Foreteller",
    "entropy_of",
    "follows",
    "joined",
    "missed_by",
    "single_pair_information",
    "single_pair_p_value",
    "within_bounds",
    "without_ties",
]

_NEIGHBOURS = 5  # of a pair; few have little bias, many little noise: a rule between 3 and 10
_SMOOTH = 0.35  # ratio of the two: 0.31 at most for functions, 0.42 at least for noise (drawn)
_FEWEST_FOR_FUNCTIONS = 200  # pairs, under which the ratio is chance (the same draws)
_POINT = 0.05  # share of rows with one value from which rounding does not explain it; a rule
_INSIDE = 1 - 1e-9  # of a radius, so that rounding counts no neighbour that lies on it
_BEYOND = 3  # permutations that may beat the pairs where a tail is fitted: a rule
_EDGES = 2.0  # nats times n that terms are wrong by at the ends of each level (800 drawn rows)
_MISSED = 2.0  # times what twice the neighbours miss, that they miss: a rule (dates, waves)
_SAME = (
    0.5  # of an error, by which both differ by chance: they have half of the neighbours in common
)
_BLUR = 1.0  # nats times rows of a level that neighbours in it may be wrong by (2 to 20 drawn rows)
_SURELY = 2.0  # standard errors by which levels must foretell better than the order does: a rule
_FORETOLD = 20  # most frequent levels of the other side that are foretold: as many as indicators
_CHANCE = 2.0  # nats of evidence under which a thin column of levels tells nothing: as for counts
_INFLATION = 1.3  # of the spread of pointwise terms, which neighbours share (200 normal samples)

_Reading = tuple[np.ndarray, bool]  # values (n,), and whether they are levels


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
    where one column is read by its levels), joined with what a shift by a curve or by levels
    tells of a number; by counts where both are levels. A column that is read by its order and by
    its levels is read by those where they foretell the other column better on rows held out; if
    not, the levels have to say plainly more.

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
    ways_x, ways_y = _readings(x, of_x), _readings(y, of_y)
    ways_x = _foretelling(ways_x, ways_y[0])
    ways_y = _foretelling(ways_y, ways_x[0])
    readings = [_information_of(a, b, level, block_length) for a in ways_x for b in ways_y]
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
    exact: bool = False,
) -> float:
    """P-value of independence of two columns, from permutations of y.

    What neighbours or counts say and correlations of curves and of levels are compared with those
    of the permutations, each in units of its spread; the largest of them counts. Where the pairs
    tell more than all permutations, a normal distribution is fitted to these and its tail is
    taken, so that many columns can be tested at once; not where it has to be `exact`.
    """
    rng = check_random_state(random_state)
    ways_x, ways_y = _readings(x, of_x), _readings(y, of_y)
    told = _told_of_orders(ways_x[0], ways_y[0])
    features = _features_of(ways_x, 0), _features_of(ways_y, 1)
    orders = Rows(block_length).orders(len(x), n_permutations, rng)
    beaten, tail = tail_of_most(np.array([[told(o), *signs(*features, o)] for o in orders]))
    far = beaten <= _BEYOND / (1 + n_permutations)
    return min(beaten, tail) if far and not exact else beaten


def _features_of(readings: list[_Reading], seed: int) -> list[Features]:
    """Of each reading; none of levels that are too many."""
    found = [
        Features.of_levels(values) if of_levels else Features.of_order(without_ties(values, seed))
        for values, of_levels in readings
    ]
    return [features for features in found if features is not None]


def _told_of_orders(x: _Reading, y: _Reading) -> Callable[[np.ndarray], float]:
    """What neighbours or counts say of x and y in an order, on a scale where chance is normal."""
    (a, of_levels_a), (b, of_levels_b) = x, y
    if of_levels_a and of_levels_b:
        plug_in = plug_in_of_orders(a, b)  # a chi-square variable, nearly; its cube root is normal
        return lambda order: plug_in(order) ** (1 / 3)
    if not of_levels_a and not of_levels_b:
        return lambda order: _mean_of(_of_numbers(a, b[order], (_NEIGHBOURS,)))
    if of_levels_a:
        return lambda order: _mean_of(_with_levels(b[order], a, (_NEIGHBOURS,))[0])
    return lambda order: _mean_of(_with_levels(a, b[order], (_NEIGHBOURS,))[0])


def _mean_of(terms: list[np.ndarray]) -> float:
    """Mean of pointwise terms, which may be below 0; 0 of none."""
    return float(terms[0].mean()) if len(terms[0]) else 0.0


def follows(x: np.ndarray, y: np.ndarray) -> bool:
    """Whether scores y (n,) are a function of scores x (n,), as far as n pairs can tell.

    Between neighbours in x a function without noise changes by a quarter in the mean square where
    there are twice as many of them, and noise does not change (von Neumann 1941).
    """
    return Foreteller(x).foretells(y)


class Foreteller:
    """A column of scores (n,) by which others may be told; sorted once for all of these."""

    def __init__(self, scores: np.ndarray):
        self.order = np.argsort(scores)
        ordered = scores[self.order]
        enough = len(scores) >= _FEWEST_FOR_FUNCTIONS
        self.has_ties = not enough or bool((ordered[1:] == ordered[:-1]).any())

    def foretells(self, scores: np.ndarray) -> bool:
        """As `follows`, of another column (n,)."""
        if self.has_ties:
            return False
        ordered = scores[self.order]
        fine, coarse = (float(np.median(np.diff(ordered[::step]) ** 2)) for step in (1, 2))
        return fine < _SMOOTH * coarse


def entropy_of(column: Column, known: LearnedColumn) -> float:
    """Entropy in nats of a column that is read by its levels; infinite for one with an order."""
    if not known.is_discrete:
        return math.inf
    return corrected_entropy(np.bincount(known.levels.codes(column)))


def within_bounds(estimate: Estimate, most: float) -> Estimate:
    """The same within 0 and the most that an entropy allows."""
    low, high = (min(max(end, 0.0), most) for end in (estimate.low, estimate.high))
    return replace(estimate, value=min(max(estimate.value, low), high), low=low, high=high)


def _readings(column: Column, known: LearnedColumn) -> list[_Reading]:
    """By order first, where there is one; by levels, where there are any or values repeat."""
    found = [] if known.order is None else [(known.order.scores(column), False)]
    if len(known.levels):
        return [*found, (known.levels.codes(column), True)]
    return [*found, (codes_of_rows(column.values), True)] if known.repeats else found


_FEWEST_FORETOLD = 4  # rows: fewer, and no line goes through neighbours of a row that has two


def _foretelling(readings: list[_Reading], other: _Reading) -> list[_Reading]:
    """The levels alone where they foretell the other column better than the order does.

    Each row is foretold from the others: by a curve through its neighbours, or by the rows of its
    level. Whole numbers that are names of classes have no curve; amounts have one.
    """
    if len(readings) < 2:
        return readings
    (along, _), (levels, _) = readings
    if len(along) < _FEWEST_FORETOLD:
        return readings
    better = foretold_errors(_targets_of(other), without_ties(along, 0), levels)
    error = float(better.std()) / math.sqrt(len(better))
    return readings[1:] if float(better.mean()) > _SURELY * error else readings


def _targets_of(reading: _Reading) -> np.ndarray:
    """What is foretold of a column, (n, t) of mean 0: its scores, or indicators of levels."""
    values, of_levels = reading
    if not of_levels:
        return without_ties(values, 1)[:, None]
    frequent = np.bincount(values).argsort(kind="stable")[::-1][:_FORETOLD]
    hits = (values[:, None] == frequent).astype(float)
    return hits - hits.mean(0)


def _information_of(x: _Reading, y: _Reading, level: float, block_length: int) -> Estimate:
    (a, of_levels_a), (b, of_levels_b) = x, y
    if of_levels_a and of_levels_b:
        return CountRatio(a, b, block_length).estimate(level)
    if not of_levels_a and not of_levels_b:
        fine, coarse = _of_numbers(a, b)
        near = _from_terms(fine, coarse, level, block_length)
        # Rows that remember each other foretell each other without any curve.
        alone = block_length == 1
        shifted = shifted_by_curve(without_ties(a, 0), without_ties(b, 1)) if alone else NOTHING
        return within_bounds(joined(shifted, near, 0.0, level), math.inf)
    numbers, levels = (b, a) if of_levels_a else (a, b)
    (fine, coarse), kept = _with_levels(numbers, levels)
    units = np.where(np.bincount(levels)[levels] > 2 * _NEIGHBOURS, -1, levels)[kept]
    near = _from_terms(fine, coarse, level, block_length, units)
    shifted = shifted_by_levels(without_ties(numbers, 0), levels) if block_length == 1 else NOTHING
    blur = _BLUR * len(np.unique(levels[kept])) / max(1, int(kept.sum()))
    told = joined(shifted, near, blur, level)
    gain = max(shifted.gain, (max(near.value, 0.0) / near.standard_error) ** 2 / 2)
    return _with_untold(told, float(kept.mean()), gain, entropy_ceiling(levels, level))


def missed_by(pairs: list[tuple[np.ndarray, np.ndarray]]) -> float:
    """Nats that neighbours may miss of the sum of several pairs of scores (n,), beyond chance.

    Twice as many neighbours see less of a strong dependence the further away they are.
    """
    fine, coarse = (sum(terms) for terms in zip(*(_of_numbers(x, y) for x, y in pairs)))
    chance = _INFLATION * _error_of_mean(np.asarray(fine), None)
    return _MISSED * max(0.0, float(np.mean(fine - coarse)) - _SAME * chance)


def joined(
    shifted: Shifted, near: Estimate, blur: float, level: float, together: bool = False
) -> Estimate:
    """A model with little chance, and neighbours or critics, which see what it misses.

    Both fall short where they are wrong, and count by their variance: that of the lower one is
    what chance, and `blur` nats that few rows of a level cost neighbours, leave of their gap.
    Where they err `together`, by what the sample says in both, neither takes off from the error
    of the other.
    """
    if math.isinf(shifted.error) or math.isinf(near.standard_error):
        return near
    own, noise = shifted.error, math.hypot(near.standard_error, blur)
    gap = near.value - shifted.value
    if gap > 0:
        own = math.sqrt(max(own**2, gap**2 - noise**2))
    else:
        noise = math.sqrt(max(noise**2, gap**2 - own**2))
    weight = own**2 / (own**2 + noise**2)
    value, parts = shifted.value + weight * gap, (weight * noise, (1 - weight) * own)
    error = sum(parts) if together else math.hypot(*parts)
    half = float(norm.ppf(0.5 + level / 2)) * error
    return Estimate(value, value - half, max(value + half, near.high), error)


def _from_terms(
    terms: np.ndarray,
    coarse: np.ndarray,
    level: float,
    block_length: int,
    units: np.ndarray | None = None,
) -> Estimate:
    """Mean of pointwise terms (k,) with its interval.

    The upper end rises by what twice as many neighbours (`coarse`) fall short by beyond chance,
    since they see less of a strong dependence the further away they are. Rows of one unit (k,),
    -1 for none, have their neighbours among each other.
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
    missed = max(0.0, value - float(coarse.mean()) - _SAME * error)
    return Estimate(value, value - half, value + half + _MISSED * missed, error)


def _error_of_mean(terms: np.ndarray, units: np.ndarray | None) -> float:
    """Standard error of the mean of terms (k,) of which those of one unit go together."""
    if units is None:
        return float(terms.std(ddof=1)) / math.sqrt(len(terms))
    numbers = np.unique(np.where(units < 0, -1 - np.arange(len(units)), units), return_inverse=True)
    sums = np.bincount(numbers[1], terms - terms.mean())
    return math.sqrt(float((sums**2).sum())) / len(terms)


def _with_untold(told: Estimate, share: float, gain: float, ceiling: float) -> Estimate:
    """Of all rows, of which a share is told: the others may tell nothing or all that they can.

    Rows seen once are taken to be like the others as far as there is evidence (`gain`, in nats)
    that those tell anything.
    """
    certainty = 1 - (_CHANCE / gain) ** 2 if gain > _CHANCE else 0.0
    value = told.value * (1 - (1 - share) * (1 - max(share, certainty)))
    high = share * told.high + (1 - share) * ceiling if share > 0 else ceiling
    whole = replace(told, value=value, low=share * told.low, high=max(high, value))
    return within_bounds(whole, ceiling)


_FINE_AND_COARSE = (_NEIGHBOURS, 2 * _NEIGHBOURS)


def _of_numbers(
    x: np.ndarray, y: np.ndarray, neighbours: tuple[int, ...] = _FINE_AND_COARSE
) -> list[np.ndarray]:
    """Pointwise terms (n,) of columns with an order, for each number of neighbours.

    Ties count as mixtures (Gao et al. 2017).
    """
    n = len(x)
    if n < 2:
        return [np.zeros(0) for _ in neighbours]
    x, y = _untied(x, 0), _untied(y, 1)
    order = np.argsort(x)  # neighbours that are asked for one after the other are found sooner
    x, y = x[order], y[order]
    both = np.column_stack([x, y])
    tree, places = cKDTree(both), [_Places(x), _Places(y)]
    ranks, found = [min(k, n - 1) for k in neighbours], []
    log = digamma(np.arange(n + 1))
    radii = tree.query(both, [1 + rank for rank in ranks], p=np.inf)[0]
    for rank, radius in zip(ranks, radii.T):
        tied = radius == 0
        near = np.full(n, rank)
        if tied.any():
            near[tied] = tree.query_ball_point(both[tied], 0.0, p=np.inf, return_length=True)
        inside = [side.within(radius * _INSIDE) for side in places]
        terms = np.empty(n)
        terms[order] = log[n] + log[near] - log[inside[0]] - log[inside[1]]
        found.append(terms)
    return found


def _with_levels(
    x: np.ndarray, levels: np.ndarray, neighbours: tuple[int, ...] = _FINE_AND_COARSE
) -> tuple[list[np.ndarray], np.ndarray]:
    """Pointwise terms (m,) for each number of neighbours, and of which rows (n,) they are.

    Of those whose level is seen twice or more.
    """
    counts = np.bincount(levels)
    kept = counts[levels] > 1
    if not kept.any():
        return [np.zeros(0) for _ in neighbours], kept
    # Ties are broken before rows are left out, so that the others stand as they did.
    x, levels = _untied(x, 0)[kept], codes_of_rows(levels[kept])
    counts, places, found = np.bincount(levels), _Places(x), []
    log = digamma(np.arange(len(x) + 1))
    for most in neighbours:
        near = np.minimum(most, counts - 1)[levels]
        radius, alike = _to_neighbours(x, levels, near)
        near = np.where(radius == 0, alike, near)
        inside = places.within(radius * _INSIDE)
        found.append(log[len(x)] + log[near] - log[counts[levels]] - log[inside])
    return found, kept


def _to_neighbours(
    x: np.ndarray, levels: np.ndarray, near: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Distance (n,) to the neighbour of a rank (n,) in one's level, and how many are as oneself.

    Neighbours along a line stand next to each other: of each stretch of so many rows that holds
    a row, the further end counts, and of all of them the nearest one.
    """
    order = np.lexsort((x, levels))
    value, rank, row = x[order], near[order], np.arange(len(x))
    end = np.cumsum(np.bincount(levels))[levels[order]]
    start = end - np.bincount(levels)[levels[order]]
    reach = np.full(len(x), np.inf)
    for below in range(int(near.max()) + 1):
        first, last = row - below, row + rank - below
        inside = (below <= rank) & (first >= start) & (last < end)
        first, last = first.clip(min=0), last.clip(max=len(x) - 1)
        further = np.maximum(value - value[first], value[last] - value)
        reach = np.where(inside, np.minimum(reach, further), reach)
    new = np.r_[True, (np.diff(value) != 0) | (np.diff(levels[order]) != 0)]
    times = np.bincount(np.cumsum(new) - 1)[np.cumsum(new) - 1]
    radius, alike = np.empty(len(x)), np.empty(len(x), dtype=np.int64)
    radius[order], alike[order] = reach, times
    return radius, alike


def _untied(scores: np.ndarray, seed: int) -> np.ndarray:
    """Normal scores (n,) whose ties are broken by chance, which tells nothing of anything.

    Numbers that were rounded lie on a lattice, where the rows at a neighbour's distance are many
    and counting some of them counts too few. A value that many rows hold stays: the distribution
    has a point there.
    """
    n = len(scores)
    _, value, counts = np.unique(scores, return_inverse=True, return_counts=True)
    if len(counts) == n:
        return scores
    often = counts > max(_POINT * n, math.sqrt(2 * (_NEIGHBOURS + 1) * n))
    return np.where((often | (counts == 1))[value], scores, without_ties(value, seed))


def without_ties(values: np.ndarray, seed: int) -> np.ndarray:
    """Normal scores (n,) by rank, all ties broken by chance."""
    n = len(values)
    ranks = np.empty(n)
    ranks[np.lexsort([np.random.RandomState(seed).permutation(n), values])] = np.arange(n)
    return ndtri((ranks + 0.5) / n)


class _Places:
    """Where values (n,) stand among each other."""

    def __init__(self, values: np.ndarray):
        self.order = np.argsort(values)
        self.ordered = values[self.order]

    def within(self, reach: np.ndarray) -> np.ndarray:
        """How many values lie within reach (n,) of each, itself among them, (n,)."""
        near, found = reach[self.order], np.empty(len(reach), dtype=np.int64)
        # Searched for in their order, which takes a third of the time.
        above = np.searchsorted(self.ordered, self.ordered + near, side="right")
        below = np.searchsorted(self.ordered, self.ordered - near, side="left")
        found[self.order] = (above - below).clip(min=1)
        return found

"""Information of a number that something shifts: the levels of a column, or a smooth curve of it.

The number is taken to be the shift and normal noise, on the scale where that fits best: scores are
moved until their distribution is that of all shifts with the noise, which no increasing map of the
number changes. Of the noise only its variance is learned, from all rows together, so that a level
of two rows is enough; and since the normal distribution has the largest entropy of its variance,
what the model says is short of the truth where it is wrong.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from scipy.special import digamma, entr, ndtr
from scipy.stats import f as f_distribution
from scipy.stats import norm

__all__ = [
    "NOTHING",
    "Shifted",
    "foretold_errors",
    "shifted_by_curve",
    "shifted_by_levels",
    "shifted_by_parts",
]

_ROUNDS = 4  # of moving the scores; the fifth changed drawn cases by less than 0.002 nats
_REACH = 6.0  # standard deviations of all scores that densities are summed over
_STEP = 0.04  # of that sum, a third of the least noise
_LEAST_NOISE = 0.12  # standard deviation of the noise, so at most 2.1 nats: neighbours see more
_GRID = np.arange(-_REACH, _REACH + _STEP / 2, _STEP)
_WIDTHS = 4  # steps of the variance for each factor of e: coarser than chance in it, 50 rows
_SETTLED = 1e-3  # nats of a round after which no more are needed
_WINDOWS = (3, 5, 8, 13, 21, 34, 55, 89, 144, 233, 377)  # rows on each side that a curve is seen by
_WORSE = 3  # windows in a row that foretell worse after which no wider one is tried: a rule


class Shifted(NamedTuple):
    """What the model says.

    Attributes
    ----------
    value : float
        Information in nats; below 0 by chance.
    error : float
        Its standard error by chance; infinite where nothing can be known.
    gain : float
        Evidence against independence in nats, about half the square of a standard normal value.
    """

    value: float
    error: float
    gain: float


class _Fit(NamedTuple):
    """Shifts (m,) with weights (m,) that add up to 1 and variances (m,), and the noise alone."""

    centres: np.ndarray
    weights: np.ndarray
    variances: np.ndarray
    noise: float
    freedom: float  # rows beyond those that the shifts cost


NOTHING = Shifted(0.0, math.inf, 0.0)


def shifted_by_levels(scores: np.ndarray, levels: np.ndarray) -> Shifted:
    """Of a number and levels that shift it; levels seen once tell nothing of the noise.

    Parameters
    ----------
    scores : ndarray of shape (n,)
        Normal scores without ties.
    levels : ndarray of int of shape (n,)
        Codes from 0.
    """
    levels = np.unique(levels, return_inverse=True)[1]
    counts = np.bincount(levels).astype(float)
    if len(scores) - len(counts) < 1 or len(counts) < 2:
        return NOTHING

    def fit(z: np.ndarray) -> _Fit:
        return _fit_levels(z, levels, counts)

    return _information(scores, fit)._replace(gain=_gain_of_levels(scores, levels, counts))


def shifted_by_curve(x: np.ndarray, y: np.ndarray) -> Shifted:
    """Of two numbers, one of which follows a curve along the other, such as seasons of a date.

    The curve at a row is the line through its neighbours along the other number, without the row;
    how many neighbours, and which number follows, is what foretells rows best.

    Parameters
    ----------
    x, y : ndarray of shape (n,)
        Normal scores without ties.
    """
    if len(x) < 2 * _WINDOWS[0] + 2:
        return NOTHING
    ways = [(x, np.argsort(y)), (y, np.argsort(x))]
    windows = [_best_window(z[order]) for z, order in ways]
    (scores, order), (window, _) = min(zip(ways, windows), key=lambda way: way[1][1])
    return _information(scores[order], lambda z: _fit_curve(z, window))


Parts = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray, float, float]]


def shifted_by_parts(scores: np.ndarray, parts: Parts) -> Shifted:
    """Of a number and shifts that a model learns anew on each scale.

    Parameters
    ----------
    scores : ndarray of shape (n,)
        Normal scores without ties.
    parts : callable
        Gives, for values (n,) of mean 0 and spread 1, the shift (n,) of each row, its variance
        (n,) in units of that of the noise, the variance of the noise, and how many rows there are
        beyond those that the shifts cost.
    """

    def fit(z: np.ndarray) -> _Fit:
        centres, chance, noise, freedom = parts(z)
        noise = max(noise, _LEAST_NOISE**2)
        return _Fit(centres, np.full(len(z), 1 / len(z)), noise * (1 + chance), noise, freedom)

    return _information(scores, fit)


def foretold_errors(targets: np.ndarray, along: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """How much less than by the order a row is missed where its level foretells it.

    Parameters
    ----------
    targets : ndarray of shape (n, t)
        What is foretold, of mean 0.
    along : ndarray of shape (n,)
        A column read by its order.
    levels : ndarray of int of shape (n,)
        The same column read by its levels.

    Returns
    -------
    ndarray of shape (n,)
        Squared error by the order less that by the level, each without the row itself.
    """
    order, better = np.argsort(along, kind="stable"), np.zeros(len(targets))
    for target in targets.T:
        ordered = target[order]
        by_order = np.empty(len(target))
        by_order[order] = (ordered - _curve(ordered, _best_window(ordered)[0])[0]) ** 2
        better += by_order - (target - _means_of_others(target, levels)) ** 2
    return better


# The scale ---------------------------------------------------------------------------------


def _information(scores: np.ndarray, fit: Callable[[np.ndarray], _Fit]) -> Shifted:
    """Information on the scale where shifts and noise fit best."""
    n, z, below, value = len(scores), scores, ndtr(scores), math.inf
    for _ in range(_ROUNDS):
        z = (z - z.mean()) / z.std()
        found = fit(z)
        density, before = _density(found), value
        noise = 0.5 * math.log(2 * math.pi * math.e * found.noise)
        value = float(entr(density).sum() * _STEP) - noise
        if abs(value - before) < _SETTLED:
            break
        z = np.interp(below, (np.cumsum(density) - density / 2) * _STEP, _GRID)
    # A mean of squares is below its expectation in the logarithm (chi-square).
    value += 0.5 * (_log_bias(found.freedom) - _log_bias(n - 1))
    return Shifted(value, _error(value, n, found.freedom), 0.0)


def _error(value: float, n: int, freedom: float) -> float:
    """Standard error of a value in nats: that of a correlation, and of the shifts' own chance."""
    share, cost = -math.expm1(-2 * max(value, 0.0)), max(1.0, n - freedom)
    by_shifts = 0.5 * cost / n * math.sqrt(2 / cost + 2 / freedom)
    return math.hypot(math.sqrt(share / freedom), by_shifts)


def _log_bias(freedom: float) -> float:
    """Mean logarithm of a chi-square variable over its degrees of freedom."""
    return float(digamma(freedom / 2) - math.log(freedom / 2))


def _density(fit: _Fit) -> np.ndarray:
    """Density of the scores on the grid: normal ones around all shifts."""
    variances = fit.variances.clip(min=_LEAST_NOISE**2)
    width = np.rint(_WIDTHS * np.log(variances)).astype(np.int64)
    place = np.clip(np.rint((fit.centres + _REACH) / _STEP), 0, len(_GRID) - 1).astype(np.int64)
    density = np.zeros(len(_GRID))
    for number in np.unique(width):
        own = width == number
        share = np.bincount(place[own], fit.weights[own], minlength=len(_GRID))
        variance = float(variances[own] @ fit.weights[own] / fit.weights[own].sum())
        density += np.convolve(share, np.exp(-(_GRID**2) / (2 * variance)), "same") / math.sqrt(
            variance
        )
    return density / (density.sum() * _STEP)


# Levels ------------------------------------------------------------------------------------


def _fit_levels(z: np.ndarray, levels: np.ndarray, counts: np.ndarray) -> _Fit:
    """Shifts of levels as random effects: means, drawn to 0 by how little each is known."""
    n, k = len(z), len(counts)
    means = np.bincount(levels, z) / counts
    noise, between = _variances(z, levels, counts, means)
    shrunk = between / (between + noise / counts)
    left = noise + shrunk * noise / counts
    return _Fit(shrunk * means, counts / n, left, noise, float(n - k))


def _variances(z, levels, counts, means) -> tuple[float, float]:
    """Variance within levels and that between them, without the chance in the means."""
    n, k = len(z), len(counts)
    within = float(((z - means[levels]) ** 2).sum()) / max(n - k, 1)
    within = max(within, _LEAST_NOISE**2 * float(z.var()))
    effective = (n - float((counts**2).sum()) / n) / max(k - 1, 1)
    between = float((counts * (means - z.mean()) ** 2).sum()) / max(k - 1, 1)
    # Where all rows, or none but one, have one level, nothing is known of what is between them.
    return within, max(0.0, (between - within) / effective) if effective > 0 else 0.0


def _gain_of_levels(scores: np.ndarray, levels: np.ndarray, counts: np.ndarray) -> float:
    """Evidence in nats that levels differ in the mean: the F test of normal scores."""
    z = scores - scores.mean()
    between = float((np.bincount(levels, z) ** 2 / counts).sum())
    freedom = len(counts) - 1, len(z) - len(counts)
    within = float((z**2).sum()) - between
    ratio = (between / freedom[0]) / max(within / freedom[1], 1e-300)
    return max(0.0, float(norm.isf(f_distribution.sf(ratio, *freedom)))) ** 2 / 2


def _means_of_others(target: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Mean (n,) of the other rows of a level, drawn to 0 by how little is known."""
    levels = np.unique(levels, return_inverse=True)[1]
    counts = np.bincount(levels).astype(float)
    sums = np.bincount(levels, target)
    noise, between = _variances(target, levels, counts, sums / counts)
    others = counts[levels] - 1
    chance = noise / np.maximum(others, 1)
    shrunk = np.divide(between, between + chance, where=between + chance > 0, out=0 * chance)
    return np.where(others > 0, shrunk * (sums[levels] - target) / np.maximum(others, 1), 0.0)


# Curves ------------------------------------------------------------------------------------


def _fit_curve(z: np.ndarray, window: int) -> _Fit:
    """Shifts along a curve of scores that are in the order of the other column."""
    n = len(z)
    curve, chance = _curve(z, window)
    noise = max(float(((z - curve) ** 2 / (1 + chance)).mean()), _LEAST_NOISE**2)
    # What is seen of the curve has noise of its own, which is no part of the scores'.
    left = noise * (1 - chance).clip(min=0.0)
    freedom = max(1.0, float((1 / (1 + chance)).sum()))
    return _Fit(curve, np.full(n, 1 / n), left, noise, freedom)


def _best_window(z: np.ndarray) -> tuple[int, float]:
    """How many rows on each side foretell rows (n,) in order best, and the mean squared error."""
    best, least, worse = _WINDOWS[0], math.inf, 0
    for window in _WINDOWS:
        if worse == _WORSE or (window > _WINDOWS[0] and 2 * window > len(z)):
            break
        error = float(((z - _curve(z, window)[0]) ** 2).mean())
        best, least, worse = (window, error, 0) if error < least else (best, least, worse + 1)
    return best, least


def _curve(z: np.ndarray, window: int) -> tuple[np.ndarray, np.ndarray]:
    """Height (n,) at each row of the line through its neighbours, and its variance by chance.

    The variance (n,) is in units of that of the noise.
    """
    around = _around(len(z), window)
    row = np.arange(len(z), dtype=float)

    def without_row(values: np.ndarray) -> np.ndarray:
        sums = np.concatenate([[0.0], np.cumsum(values)])
        return sums[around.high] - sums[around.low] - values

    total = without_row(z)
    slope = (without_row(row * z) - (row + around.middle) * total) / around.square
    return total / around.size - slope * around.middle, around.chance


class _Around(NamedTuple):
    """Neighbours of each row (n,): the first, the one after the last, and moments of their places.

    Their number, their mean place seen from the row, the sum of squares around it, and the
    variance of the height of a line through them.
    """

    low: np.ndarray
    high: np.ndarray
    size: np.ndarray
    middle: np.ndarray
    square: np.ndarray
    chance: np.ndarray


@lru_cache(maxsize=2 * len(_WINDOWS))
def _around(n: int, window: int) -> _Around:
    row = np.arange(n)
    low, high = np.maximum(0, row - window), np.minimum(n, row + window + 1)
    size = (high - low - 1).astype(float)
    before, after = row - low, high - 1 - row
    middle = (after * (after + 1) - before * (before + 1)) / (2 * size)
    square = _squares(before) + _squares(after) - size * middle**2
    return _Around(low, high, size, middle, square, 1 / size + middle**2 / square)


def _squares(k: np.ndarray) -> np.ndarray:
    """Sum of the squares of 1 to k."""
    return k * (k + 1) * (2 * k + 1) / 6

"""What a log ratio is worth against pairs that were put together at random, where few are likely.

A log ratio T that was learned against a reference need not be one to the product of the marginals.
Donsker and Varadhan's bound is not above the information whatever T is::

    I(X; Y) >= E T(x, y) - log E exp T(x, y')

with y' of other pairs. Where information is high, the last mean rests on very few of these: here
they are sought out by the Gaussian ratio, tempered so that each x has some likely y', and weighted
back (importance sampling), half of them beside plain random ones so that no weight is large where
the Gaussian sees nothing. What T has beyond the Gaussian ratio counts no further than it goes for
the pairs themselves: a network that was never shown others may say anything of them, and one of
them would decide the mean.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.special import logsumexp

__all__ = ["MOST_ROWS", "Marginal", "against_others", "middle_of"]

MOST_ROWS = 2000  # pairs whose x and y are put together: 4 million others, in half a second
_DRAWS = 32  # others that are drawn for each x: as many again changed 3 tasks by less than chance
_LIKELY = 16.0  # others at least that the tempered ratio leaves likely for half of the x; a rule
_TEMPERS = (1.0, 0.99, 0.97, 0.95, 0.9, 0.85, 0.8, 0.7, 0.6, 0.5, 0.4, 0.2, 0.0)  # of correlations
_QUANTILES = (0.5, 0.8, 0.95, 1.0)  # of what pairs have beyond the Gaussian ratio: limits; a rule
_MARKOV = math.log(20)  # nats: a mean of 1 of what is never below 0 is 20 times that in 5 % at most
_ROWS_FOR_TEMPER = 200  # rows on which a temper is chosen; a rule

Scores = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Log ratio (m,) of x of some rows (m,) with y of other rows (m,)."""


class Marginal(NamedTuple):
    """What Donsker and Varadhan's bound reports, in nats.

    Attributes
    ----------
    value : float
        The bound; at most `most_shown`.
    error : float
        Half of what it may be too low by through chance in the others. It may be too high by
        any amount, where none of the likely ones is among them.
    most_shown : float
        Logarithm of how many pairs were put together: fewer cannot show more.
    """

    value: float
    error: float
    most_shown: float


def against_others(
    a: np.ndarray, b: np.ndarray, rho: np.ndarray, scores: Scores, rng: np.random.RandomState
) -> Marginal:
    """The bound for a log ratio, on pairs that it was not learned from.

    Parameters
    ----------
    a, b : ndarray of shape (n, r)
        Canonical variates of x and of y.
    rho : ndarray of shape (r,)
        Their correlations.
    scores : callable
        The log ratio.
    rng : RandomState
        Draws the others.
    """
    n = min(len(a), MOST_ROWS)
    a, b = a[:n], b[:n]
    weights, rows = _proposal(a, b, rho), np.arange(n)
    others = _drawn(weights, rng)
    chance = np.log(weights[rows[:, None], others] * (n - 1))
    gaussian = _gaussian(a, b, rho), _gaussian(a[:, None], b[others], rho)
    own = scores(rows, rows)
    told = scores(np.repeat(rows, _DRAWS), others.ravel()).reshape(others.shape)
    # Any ratio will do: the one is taken that is worth most, the Gaussian one among them.
    most = [-math.inf, *np.quantile(own - gaussian[0], _QUANTILES)]
    return max(
        _worth(gaussian[0] + beyond[0], gaussian[1] + beyond[1] - chance)
        for beyond in (_clipped(own - gaussian[0], told - gaussian[1], limit) for limit in most)
    )


def _clipped(own: np.ndarray, told: np.ndarray, most: float) -> tuple[np.ndarray, np.ndarray]:
    """What is beyond the Gaussian ratio, up to a limit; nothing where that is minus infinity."""
    if math.isinf(most):
        return np.zeros_like(own), np.zeros_like(told)
    return np.minimum(own, most), np.minimum(told, most)


def _worth(own: np.ndarray, told: np.ndarray) -> Marginal:
    """The bound, from log ratios of pairs (n,) and weighted ones of others (n, draws)."""
    n = len(own)
    of_x = logsumexp(told, axis=1) - math.log(told.shape[1])  # log mean exp T, by others of each x
    whole, most = logsumexp(of_x) - math.log(n), math.log(n * (n - 1))
    return Marginal(min(float(own.mean() - whole), most), _error(np.exp(of_x - whole)), most)


def _error(shares: np.ndarray) -> float:
    """Half of what the logarithm of a mean may be too high by, from terms (n,) of mean 1."""
    below = 1 - 2 * float(shares.std()) / math.sqrt(len(shares))
    return min(-math.log(below), _MARKOV) / 2 if below > 0 else _MARKOV / 2


def middle_of(folds: list[Marginal]) -> Marginal | None:
    """The median over folds, whose pairs are different ones; None of none.

    A critic of one fold may be worth little, as one pair of others can be all that decides.
    """
    if not folds:
        return None
    value, _, most = (float(np.median(part)) for part in zip(*folds))
    return Marginal(value, math.hypot(*(one.error for one in folds)) / len(folds), most)


def _proposal(a: np.ndarray, b: np.ndarray, rho: np.ndarray) -> np.ndarray:
    """How likely each x (n,) draws each y (n,): half by the tempered ratio, half at random."""
    some = slice(0, min(len(a), _ROWS_FOR_TEMPER))
    for temper in _TEMPERS:
        tilt = _tilt(a[some], b, temper * rho)
        if np.median(1 / (tilt**2).sum(1)) >= min(_LIKELY, len(a) / 4):
            break
    weights = (_tilt(a, b, temper * rho) + 1 / (len(a) - 1)) / 2
    np.fill_diagonal(weights, 0.0)
    return weights


def _gaussian(a: np.ndarray, b: np.ndarray, rho: np.ndarray) -> np.ndarray:
    """Gaussian log ratio (...) of variates (..., r) that are lined up."""
    terms = (a * b - rho * (a**2 + b**2) / 2) * rho / (1 - rho**2)
    return (terms - 0.5 * np.log1p(-(rho**2))).sum(-1)


def _tilt(a: np.ndarray, b: np.ndarray, rho: np.ndarray) -> np.ndarray:
    """Gaussian ratio (m, n) of each x with the y of others, as shares that add up to 1."""
    square, product = rho**2 / (2 * (1 - rho**2)), rho / (1 - rho**2)
    ratio = (a * product) @ b.T - b**2 @ square
    np.fill_diagonal(ratio, -np.inf)
    ratio = np.exp(ratio - ratio.max(1, keepdims=True))
    return ratio / ratio.sum(1, keepdims=True)


def _drawn(weights: np.ndarray, rng: np.random.RandomState) -> np.ndarray:
    """Others (n, draws) of each x, by their weights (n, n)."""
    bounds = np.cumsum(weights, axis=1)
    chance = rng.uniform(size=(len(weights), _DRAWS)) * bounds[:, -1:]
    found = [np.searchsorted(row, place) for row, place in zip(bounds, chance)]
    return np.array(found).clip(max=len(weights) - 1)

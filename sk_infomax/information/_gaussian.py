"""What correlations alone say: canonical directions, determinants, and the Gaussian ratio."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from scipy.special import digamma
from torch import Tensor, nn

__all__ = [
    "GaussianRatio",
    "SharedDirections",
    "calibrated_correlations",
    "canonical_directions",
    "gaussian_information",
    "log_determinant",
    "overclaims",
    "whitening",
]

_ROWS_AT_ONCE = 2**14  # rows that are copied at once: megabytes; a rule
_FOLDS = 5  # of pairs on which correlations are read that were found on the others; a rule
_RIDGES = (0.01, 0.1, 0.3, 1.0, 3.0)  # shares of the mean variance added to each; a rule
_MOST_COMPONENTS = 256  # of a side, so that seconds grow with the columns squared; a rule
_LEAST_SPREAD = 1e-6  # share of the largest variance under which a component only repeats others
_SHIFTS = 4  # others for each x where ratios are compared; a rule
_LIKELY = 5.0  # nats from which a pair is looked at: few at random reach it, and 20 of 300 rows' do
_SHIFTS_OF_CLAIMS = 64  # others for each x among which such pairs are counted; a rule
_OVERCLAIM = 1.2  # times what a ratio may have: 0.4 at most for lines, 1.8 or more for curves
_FEWEST_CLAIMS = 20  # pairs under which a count is chance; a rule
_SURE = 2.5  # standard errors above 0 of a held-out correlation that is believed; a rule


def canonical_directions(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Canonical directions of two sides and their correlations.

    Correlations below the edge that independent sides of this size would reach (Wachter's law
    for canonical correlations, in its Marchenko-Pastur limit) count as none.

    Parameters
    ----------
    x, y : ndarray of shape (n, dx) and (n, dy)
        Pairs, centred.

    Returns
    -------
    directions_x, directions_y : ndarray of shape (dx, dx) and (dy, dy)
        ``x @ directions_x`` has unit covariance.
    correlations : ndarray of shape (min(dx, dy),)
        Of the first columns of the one with those of the other.
    """
    return _directions_of(_products(x, y), len(x))


_Products = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Sums of products of centred pairs: x with x, x with y, y with y."""


def _products(x: np.ndarray, y: np.ndarray) -> _Products:
    return x.T @ x, x.T @ y, y.T @ y


def _directions_of(products: _Products, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """As `canonical_directions`, of n pairs whose products these are."""
    xx, xy, yy = (product / n for product in products)
    white_x, white_y = whitening(xx), whitening(yy)
    left, values, right = np.linalg.svd(white_x @ xy @ white_y)
    a, b = len(xx) / n, len(yy) / n
    edge = np.sqrt(a * (1 - min(b, 1))) + np.sqrt(b * (1 - min(a, 1)))
    correlations = values.clip(0, 1 - 1e-6)
    return white_x @ left, white_y @ right.T, np.where(correlations > edge, correlations, 0.0)


def calibrated_correlations(x: np.ndarray, y: np.ndarray, correlations: np.ndarray) -> np.ndarray:
    """What canonical correlations are on samples that their directions were not found on.

    Parameters
    ----------
    x, y : ndarray of shape (n, dx) and (n, dy)
        Pairs, centred, in random order.
    correlations : ndarray of shape (r,)
        Of directions that were found on all of them; those that are 0 stay so.

    Returns
    -------
    ndarray of shape (r,)
        Means over five folds, at least 0.
    """
    if len(x) < 2 * _FOLDS or not correlations.any():
        return correlations
    folds = np.array_split(np.arange(len(x)), _FOLDS)  # neighbours, so that nothing is copied
    rows = [slice(fold[0], fold[-1] + 1) for fold in folds]
    own = [_products(x[fold], y[fold]) for fold in rows]
    of_all = [sum(parts) for parts in zip(*own)]
    products = np.zeros((3, len(correlations)))
    for fold, of_fold in zip(folds, own):
        rest = tuple(whole - part for whole, part in zip(of_all, of_fold))
        to_x, to_y, _ = _directions_of(rest, len(x) - len(fold))
        a, b = to_x[:, : len(correlations)], to_y[:, : len(correlations)]
        sides = (a, b), (a, a), (b, b)
        xx, xy, yy = of_fold
        products += [((p @ v) * u).sum(0) for p, (u, v) in zip((xy, xx, yy), sides)]
    # Squares, which rounding may make negative where a column hardly varies.
    held_out = products[0] / np.sqrt((products[1] * products[2]).clip(min=1e-24))
    return np.where(correlations > 0, held_out.clip(0, 1 - 1e-6), 0.0)


@dataclass(frozen=True)
class SharedDirections:
    """Canonical directions of sides of many columns, as pairs that they were not found on see them.

    Each covariance is shrunk towards its mean variance (ridge), by as much as held-out pairs
    like best. Directions whose held-out correlation is not plainly above 0 are left out.

    Parameters
    ----------
    to_x, to_y : ndarray of shape (dx, k) and (dy, k)
        Directions; variates of pairs that they were not found on have variance 1.
    correlations : ndarray of shape (k,)
        Held-out, falling; 0 from where the Gaussian ratio is no better for them.
    own_x, own_y : ndarray of shape (n, k)
        Variates of the pairs themselves, each by directions of other folds.
    whole : bool
        Whether the Gaussian ratio is best with all of them, as where sides are normal.
    """

    to_x: np.ndarray
    to_y: np.ndarray
    correlations: np.ndarray
    own_x: np.ndarray
    own_y: np.ndarray
    whole: bool

    @classmethod
    def learn(cls, x: np.ndarray, y: np.ndarray, folds: list[np.ndarray]) -> SharedDirections:
        """From pairs (n, dx) and (n, dy), centred, and rows that are held out in turn."""
        rows = np.arange(len(x))
        rests = [np.setdiff1d(rows, fold) for fold in folds]
        found = [_ridge_directions(x[rest], y[rest]) for rest in rests]
        ridges = [list(of_ridge) for of_ridge in zip(*found)]
        scores = [_held_out(x, y, folds, of_ridge) for of_ridge in ridges]
        best = int(np.argmax([-np.log1p(-(rho**2)).sum() for rho in scores]))
        kept = scores[best].nonzero()[0]
        to_x, to_y = (to[:, kept] for to in _ridge_directions(x, y)[best])
        own = np.empty((2, len(x), len(kept)))
        for fold, others in zip(folds, ridges[best]):
            other_x, other_y = (to[:, kept] for to in others)
            turn = _turn((x @ other_x, y @ other_y), (x @ to_x, y @ to_y))
            own[:, fold] = x[fold] @ other_x @ turn, y[fold] @ other_y @ turn
        return cls._of_variates(to_x, to_y, own)

    def leading(self, count: int) -> SharedDirections:
        """The directions that the Gaussian ratio counts, and so many more."""
        k = int((self.correlations > 0).sum()) + count
        parts = (self.to_x, self.to_y, self.correlations[None], self.own_x, self.own_y)
        to_x, to_y, rho, own_x, own_y = (part[:, :k] for part in parts)
        return SharedDirections(to_x, to_y, rho[0], own_x, own_y, self.whole)

    @classmethod
    def _of_variates(cls, to_x: np.ndarray, to_y: np.ndarray, own: np.ndarray) -> SharedDirections:
        """Scaled by, and sorted by the correlations of, held-out variates (2, n, k)."""
        scale = np.sqrt((own**2).mean(1)).clip(min=1e-12)
        rho = ((own[0] * own[1]).mean(0) / scale.prod(0)).clip(0, 1 - 1e-6)
        order = np.argsort(-rho)
        (own_x, own_y), rho = (own / scale[:, None])[:, :, order], rho[order]
        to_x, to_y = (to_x / scale[0])[:, order], (to_y / scale[1])[:, order]
        k = _n_leading(own_x, own_y, rho)
        whole = 0 < k == len(rho)
        rho[k:] = 0
        return cls(to_x, to_y, rho, own_x, own_y, whole)


_Directions = tuple[np.ndarray, np.ndarray]


def _ridge_directions(x: np.ndarray, y: np.ndarray) -> list[_Directions]:
    """Canonical directions (dx, r) and (dy, r) for each ridge, from one decomposition a side."""
    (left_x, spread_x, axes_x), (left_y, spread_y, axes_y) = _decomposed(x), _decomposed(y)
    shared, found = left_x.T @ left_y, []
    for ridge in _RIDGES:
        shrunk = [
            np.sqrt(s**2 + ridge * float((s**2).mean() if s.size else 0.0))
            for s in (spread_x, spread_y)
        ]
        weights = spread_x / shrunk[0], spread_y / shrunk[1]
        turn_x, _, turn_y = np.linalg.svd(
            weights[0][:, None] * shared * weights[1], full_matrices=False
        )
        to_x, to_y = axes_x / shrunk[0] @ turn_x, axes_y / shrunk[1] @ turn_y.T
        found.append((to_x * math.sqrt(len(x)), to_y * math.sqrt(len(y))))
    return found


def _decomposed(z: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Left vectors (n, r), spreads (r,) and axes (d, r) of the components that have spread."""
    left, spread, axes = np.linalg.svd(z - z.mean(0), full_matrices=False)
    kept = (spread**2 > _LEAST_SPREAD * max(spread[0] ** 2, 1e-300)).nonzero()[0]
    kept = kept[:_MOST_COMPONENTS]
    return left[:, kept], spread[kept], axes[kept].T


def _held_out(x, y, folds: list[np.ndarray], found: list[_Directions]) -> np.ndarray:
    """Correlations (r,) of variates of each fold by directions of the others; 0 if not sure."""
    rank = min(to_x.shape[1] for to_x, _ in found)
    a, b = (
        np.vstack([z[fold] @ to[side][:, :rank] for fold, to in zip(folds, found)])
        for side, z in enumerate((x, y))
    )
    rho = (a * b).sum(0) / np.sqrt((a**2).sum(0) * (b**2).sum(0)).clip(min=1e-12)
    return np.where(rho > _SURE / math.sqrt(len(x)), rho.clip(max=1 - 1e-6), 0.0)


def _turn(others: _Directions, own: _Directions) -> np.ndarray:
    """Rotation (k, k) of variates (n, k) of both sides that brings them nearest to one's own."""
    left, _, right = np.linalg.svd(others[0].T @ own[0] + others[1].T @ own[1])
    return left @ right


def _n_leading(x: np.ndarray, y: np.ndarray, correlations: np.ndarray) -> int:
    """For how many variates (n, k) the Gaussian ratio tells pairs from others best; maybe none.

    By the Jensen-Shannon objective, a proper score. Variates that depend on each other, as those
    of curves in many columns, make a ratio that is worse the more of them it counts.
    """
    if len(x) < 2:
        return 0
    joint = _running_ratio(x, y, correlations)
    score = -np.logaddexp(0, -joint).mean(0)
    for shift in range(1, min(_SHIFTS, len(x) - 1) + 1):
        others = _running_ratio(x, np.roll(y, shift, axis=0), correlations)
        score -= np.logaddexp(0, others).mean(0) / min(_SHIFTS, len(x) - 1)
    return int(np.argmax(np.concatenate([[-2 * math.log(2)], score])))


def _running_ratio(x: np.ndarray, y: np.ndarray, rho: np.ndarray) -> np.ndarray:
    """Gaussian log ratio (n, k) of the first, the first two, ... of variates (n, k)."""
    value = x * y * rho - (x**2 + y**2) * rho**2 / 2
    return np.cumsum(value / (1 - rho**2) - 0.5 * np.log1p(-(rho**2)), axis=1)


def overclaims(x: np.ndarray, y: np.ndarray) -> bool:
    """Whether the Gaussian ratio calls more pairs likely than any density ratio can.

    For a density ratio r, pairs put together at random have log r above t at most exp(-t) times
    as often as the pairs themselves (Markov). Columns that are curves of few places, such as
    pixels of a shape that moves or harmonics of an angle, have Gaussian ratios of many correlated
    variates that count the same evidence again and again, and get there far more often. Heavy
    tails do not: their ratios say too little of most pairs.

    Parameters
    ----------
    x, y : ndarray of shape (n, dx) and (n, dy)
        Pairs of numbers.
    """
    order = np.random.RandomState(0).permutation(len(x))  # neighbouring rows may be alike
    folds = np.array_split(np.arange(len(x)), _FOLDS)
    a, b = (side[order] - side.mean(0) for side in (x, y))
    shared = SharedDirections.learn(a, b, folds)
    rho = (shared.own_x * shared.own_y).mean(0).clip(0, 1 - 1e-6)
    if not len(rho):
        return False
    shifts = range(min(_SHIFTS_OF_CLAIMS, len(x) - 1) + 1)  # by 0: the pairs themselves
    others = (np.roll(shared.own_y, shift, axis=0) for shift in shifts)
    ratios = (_running_ratio(shared.own_x, other, rho)[:, -1] for other in others)
    own, *at_random = (int((ratio > _LIKELY).sum()) for ratio in ratios)
    most = math.exp(-_LIKELY) * own * len(at_random)
    return sum(at_random) > max(_OVERCLAIM * most, _FEWEST_CLAIMS)


def gaussian_information(x: np.ndarray, y: np.ndarray) -> float:
    """Information in nats of jointly normal pairs, without bias; nan where samples are too few.

    Parameters
    ----------
    x, y : ndarray of shape (n, dx) and (n, dy)
        Pairs.
    """
    spread, d = covariance_of(x, y), x.shape[1]
    parts = (spread[:d, :d], spread[d:, d:], spread)
    one, other, both = (_log_determinant(part, len(x)) for part in parts)
    return 0.5 * (one + other - both)


def log_determinant(z: np.ndarray) -> float:
    """Log determinant of the covariance of normal rows (n, d), without bias; nan if n <= d + 2."""
    return _log_determinant(covariance_of(z), len(z))


def _log_determinant(covariance: np.ndarray, n: int) -> float:
    """As `log_determinant`, of n rows with this covariance (d, d)."""
    d = len(covariance)
    if n <= d + 2:
        return math.nan
    # E log det of a sample covariance (Wishart) exceeds that of the true one by digammas.
    excess = digamma((n - np.arange(1, d + 1)) / 2) - math.log((n - 1) / 2)
    return float(np.linalg.slogdet(covariance)[1] - excess.sum())


def covariance_of(*sides: np.ndarray) -> np.ndarray:
    """Covariance (d, d) of all columns of sides (n, ...), some rows at a time."""
    n, means = len(sides[0]), [side.mean(0) for side in sides]
    sums = 0.0
    for start in range(0, n, _ROWS_AT_ONCE):
        rows = slice(start, start + _ROWS_AT_ONCE)
        centred = np.hstack([side[rows] - mean for side, mean in zip(sides, means)])
        sums = sums + centred.T @ centred
    return sums / max(n - 1, 1)  # type: ignore[return-value]


def whitening(covariance: np.ndarray) -> np.ndarray:
    """Inverse root of a covariance; directions without spread are left as they are."""
    values, vectors = np.linalg.eigh(covariance)
    floor = 1e-6 * max(values.max(initial=0.0), 1e-12)
    return vectors / np.sqrt(values.clip(min=floor)) @ vectors.T


class GaussianRatio(nn.Module):
    """Log density ratio of jointly normal pairs, from their canonical correlations.

    Parameters
    ----------
    rank : int
        Number r of canonical correlations, none of which is known yet.
    """

    def __init__(self, rank: int):
        super().__init__()
        self.register_buffer("correlations", torch.zeros(rank, dtype=torch.float64))

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Log ratio of canonical variates (..., r) that are lined up: (...)."""
        rho = self.get_buffer("correlations")
        square, product = rho**2 / (2 * (1 - rho**2)), rho / (1 - rho**2)
        constant = -0.5 * torch.log1p(-(rho**2)).sum()
        value = (a * b * product.to(a.dtype) - (a**2 + b**2) * square.to(a.dtype)).sum(-1)
        return constant.to(a.dtype) + value

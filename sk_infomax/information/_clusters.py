"""The log ratio of a mixture of normal distributions, where pairs lie in clusters.

Critics start from the Gaussian ratio, which is that of one cluster; of several, each of which may
hold a dependence of its own, they find only part. A mixture of normal distributions of the pairs
(Dempster, Laird and Rubin 1977) has such mixtures as its marginals, so that the log ratio of
densities is known in closed form. It is learned on all folds but one and read on the pairs of that
one, as critics are.
"""

from __future__ import annotations

import math
import warnings

import numpy as np
import torch
from scipy.linalg import solve_triangular
from scipy.special import logsumexp

from ..bounds import DonskerVaradhan, JensenShannon
from ._models import even_shifts
from ._shifts import NOTHING, Shifted

__all__ = ["told_of_clusters"]

_SIZES = (4, 6, 9, 13)  # clusters that are tried, until more foretell other pairs no better; a rule
_ROWS_FOR_EACH = 4  # rows for each number that is learned of a mixture, at least; a rule
_MOST_ROWS = 10_000  # pairs that are looked at, in seconds; a rule
_MOST_COLUMNS = 40  # of both sides, whose covariances have 800 numbers a cluster; a rule
_RIDGE = 1e-3  # variance added to scores of variance 1, so that no cluster has none; a rule
_ROUNDS = 60  # of expectation and maximisation at most; more changed held-out pairs by 0.01; a rule
_STARTS = 3  # of each mixture, of which the likeliest is taken (three drawn mixtures)
_BETTER = 0.01  # nats of held-out pairs from which more clusters are worth it; a rule
_SHIFTS = 16  # others for each x where the ratio is read; a rule
_HIGHEST = (
    4.0  # nats from which pairs put together at random show too little of what is overclaimed
)
_MISSED = 0.05  # share of what is found that is missed, as of critics


def told_of_clusters(pairs: np.ndarray, size_x: int, folds: list[np.ndarray], seed: int) -> Shifted:
    """What a mixture tells of pairs (n, dx + dy), each read by that of the other folds.

    Parameters
    ----------
    pairs : ndarray of shape (n, dx + dy)
        Normal scores, x first.
    size_x : int
        Number dx.
    folds : list of ndarray
        Rows that are held out in turn.
    seed : int
        Where mixtures start.
    """
    d = pairs.shape[1]
    folds = [fold[: _MOST_ROWS // len(folds)] for fold in folds]
    n_clusters = _how_many(pairs, folds, seed) if d <= _MOST_COLUMNS else 0
    if not n_clusters:
        return NOTHING
    tables = []
    for number, fold in enumerate(folds):
        rest = np.concatenate([other for i, other in enumerate(folds) if i != number])
        mixture = _Mixture.learn(pairs[rest], n_clusters, seed)
        tables.append(mixture.ratios(pairs[fold], size_x))
    joint, marginal = (np.concatenate(part) for part in zip(*tables))
    return _read(joint, marginal)


def _read(joint: np.ndarray, marginal: np.ndarray) -> Shifted:
    """The lower of two bounds, from log ratios of pairs (n,) and of others (n, s)."""
    scores = torch.from_numpy(joint)[:, None], torch.from_numpy(marginal)[:, :, None]
    reported = [bound.nats(*scores).item() for bound in (JensenShannon(), DonskerVaradhan())]
    value = min(reported)
    if not 0 < value < _HIGHEST:
        return NOTHING
    chance = float(joint.std()) / math.sqrt(len(joint))
    error = math.hypot(chance, reported[0] - reported[1], _MISSED * value)
    return Shifted(value, error, (value / error) ** 2 / 2)


def _how_many(pairs: np.ndarray, folds: list[np.ndarray], seed: int) -> int:
    """Clusters that foretell the pairs of the first fold best; 0 where none do better than one."""
    held_out, rest = pairs[folds[0]], pairs[np.concatenate(folds[1:])]
    d, found = pairs.shape[1], 0
    best = float(_Mixture.learn(rest, 1, seed).log_density(held_out).mean())
    for count in _SIZES:
        if count * (d + 3) / 2 * _ROWS_FOR_EACH > len(rest):
            break
        score = float(_Mixture.learn(rest, count, seed).log_density(held_out).mean())
        if score < best + _BETTER:
            break
        best, found = score, count
    return found


class _Mixture:
    """Normal distributions (k of them) with weights."""

    def __init__(self, weights: np.ndarray, means: np.ndarray, covariances: np.ndarray):
        self.weights = weights
        self.means = means
        self.covariances = covariances

    @classmethod
    def learn(cls, rows: np.ndarray, count: int, seed: int) -> _Mixture:
        """From rows (n, d), by expectation and maximisation."""
        from sklearn.mixture import GaussianMixture  # half a second, which few estimates need

        settings = {"reg_covar": _RIDGE, "max_iter": _ROUNDS, "random_state": seed}
        model = GaussianMixture(count, n_init=_STARTS if count > 1 else 1, **settings)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # more rounds would foretell other pairs no better
            model.fit(rows)
        return cls(model.weights_, model.means_, model.covariances_)

    def of_columns(self, columns: slice) -> _Mixture:
        """Of some of the columns."""
        return _Mixture(self.weights, self.means[:, columns], self.covariances[:, columns, columns])

    def log_density(self, rows: np.ndarray) -> np.ndarray:
        """Logarithm of the density (n,) of rows (n, d)."""
        parts = [self._of_cluster(i, rows) for i in range(len(self.weights))]
        return logsumexp(np.array(parts), axis=0)

    def _of_cluster(self, number: int, rows: np.ndarray) -> np.ndarray:
        root = np.linalg.cholesky(self.covariances[number])
        white = solve_triangular(root, (rows - self.means[number]).T, lower=True)
        constant = math.log(self.weights[number]) - float(np.log(np.diag(root)).sum())
        return constant - 0.5 * (white**2).sum(0) - 0.5 * len(root) * math.log(2 * math.pi)

    def ratios(self, pairs: np.ndarray, size_x: int) -> tuple[np.ndarray, np.ndarray]:
        """Log ratios of pairs (n,), and of each x with the y of others (n, s)."""
        x, y = pairs[:, :size_x], pairs[:, size_x:]
        of_x = self.of_columns(slice(None, size_x)).log_density(x)
        of_y = self.of_columns(slice(size_x, None)).log_density(y)
        found = []
        for shift in (0, *even_shifts(len(pairs), _SHIFTS)):
            both = np.hstack([x, np.roll(y, -shift, axis=0)])
            found.append(self.log_density(both) - of_x - np.roll(of_y, -shift))
        return found[0], np.stack(found[1:], 1)

"""What correlations alone say: canonical directions, determinants, and the Gaussian ratio."""

from __future__ import annotations

import math

import numpy as np
import torch
from scipy.special import digamma
from torch import Tensor, nn

__all__ = [
    "GaussianRatio",
    "calibrated_correlations",
    "canonical_directions",
    "gaussian_information",
    "log_determinant",
    "whitening",
]

_FOLDS = 5  # of pairs on which correlations are read that were found on the others; a rule


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
    n, dx, dy = len(x), x.shape[1], y.shape[1]
    white_x, white_y = whitening(x.T @ x / n), whitening(y.T @ y / n)
    left, values, right = np.linalg.svd(white_x @ (x.T @ y / n) @ white_y)
    a, b = dx / n, dy / n
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
    products = np.zeros((3, len(correlations)))
    for fold in np.array_split(np.arange(len(x)), _FOLDS):
        rest = np.setdiff1d(np.arange(len(x)), fold)
        to_x, to_y, _ = canonical_directions(x[rest], y[rest])
        a, b = (x[fold] @ to_x)[:, : len(correlations)], (y[fold] @ to_y)[:, : len(correlations)]
        products += np.stack([(a * b).sum(0), (a * a).sum(0), (b * b).sum(0)])
    held_out = products[0] / np.sqrt(products[1] * products[2]).clip(min=1e-12)
    return np.where(correlations > 0, held_out.clip(0, 1 - 1e-6), 0.0)


def gaussian_information(x: np.ndarray, y: np.ndarray) -> float:
    """Information in nats of jointly normal pairs, without bias; nan where samples are too few.

    Parameters
    ----------
    x, y : ndarray of shape (n, dx) and (n, dy)
        Pairs.
    """
    both = np.hstack([x, y])
    return 0.5 * (log_determinant(x) + log_determinant(y) - log_determinant(both))


def log_determinant(z: np.ndarray) -> float:
    """Log determinant of the covariance of normal rows (n, d), without bias; nan if n <= d + 2."""
    n, d = z.shape
    if n <= d + 2:
        return math.nan
    # E log det of a sample covariance (Wishart) exceeds that of the true one by digammas.
    excess = digamma((n - np.arange(1, d + 1)) / 2) - math.log((n - 1) / 2)
    covariance = np.atleast_2d(np.cov(z, rowvar=False))
    return float(np.linalg.slogdet(covariance)[1] - excess.sum())


def whitening(covariance: np.ndarray) -> np.ndarray:
    """Inverse root of a covariance; directions without spread are left as they are."""
    values, vectors = np.linalg.eigh(covariance)
    floor = 1e-6 * max(values.max(), 1e-12)
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

"""Pairs of which one or both are classes or whole numbers, whose information is known."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy.integrate import quad
from scipy.special import logsumexp

from ._pairs import PairTask
from ._sizes import check_array_of, check_count

__all__ = ["class_means", "contingency", "uniform_mixture", "xor"]

_TAIL = 12  # standard deviations beyond which a normal density is below 1e-31


def class_means(means: ArrayLike = (0.0, 1.5, 4.0)) -> PairTask:
    """Classes that are equally likely, and a normal number around the mean of the class.

    Parameters
    ----------
    means : tuple of float, default=(0.0, 1.5, 4.0)
        Mean of each class; the standard deviation is 1.

    Returns
    -------
    PairTask
        X (n, 1) and classes Y (n,); the information by numerical integration.

    Examples
    --------
    >>> from sk_infomax.datasets import class_means
    >>> round(class_means((0, 100)).mutual_information, 3)
    0.693
    """
    centres = check_array_of("means", means, 1)

    def negative_log_density(x: float) -> float:
        logs = -0.5 * (x - centres) ** 2 - 0.5 * math.log(2 * math.pi) - math.log(len(centres))
        log_density = logsumexp(logs)
        return -log_density * math.exp(log_density)

    low, high = centres.min() - _TAIL, centres.max() + _TAIL
    entropy = quad(negative_log_density, low, high, limit=200, points=sorted(centres))[0]

    def draw(n, rng):
        y = rng.randint(len(centres), size=n)
        return (centres[y] + rng.standard_normal(n))[:, None], y

    return PairTask(entropy - 0.5 * math.log(2 * math.pi * math.e), draw)


def uniform_mixture(n_classes: int = 5) -> PairTask:
    """A whole number X, and Y uniform between X and X + 2.

    Parameters
    ----------
    n_classes : int, default=5
        X is 0 .. n_classes - 1.

    Returns
    -------
    PairTask
        The distribution.

    References
    ----------
    Gao, Kannan, Oh and Viswanath, Estimating mutual information for discrete-continuous
    mixtures, NeurIPS 2017.

    Examples
    --------
    >>> from sk_infomax.datasets import uniform_mixture
    >>> round(uniform_mixture(5).mutual_information, 3)
    1.055
    """
    check_count("n_classes", n_classes)

    def draw(n, rng):
        x = rng.randint(n_classes, size=n)
        return x[:, None].astype(float), (x + rng.uniform(0, 2, n))[:, None]

    information = math.log(n_classes) - (n_classes - 1) * math.log(2) / n_classes
    return PairTask(information, draw)


def xor(dim: int = 10) -> PairTask:
    """Fair bits X, and Y whether the first two differ: no column alone tells anything.

    Parameters
    ----------
    dim : int, default=10
        Number of bits, at least two.

    Returns
    -------
    PairTask
        X (n, dim) and classes Y (n,); log 2 nats.

    Examples
    --------
    >>> from sk_infomax.datasets import xor
    >>> round(xor().mutual_information, 3)
    0.693
    """
    check_count("dim", dim, 2)

    def draw(n, rng):
        x = rng.randint(2, size=(n, dim))
        return x.astype(float), x[:, 0] ^ x[:, 1]

    return PairTask(math.log(2), draw)


def contingency(
    table: ArrayLike = ((0.2, 0.05, 0.05), (0.05, 0.25, 0.05), (0.05, 0.05, 0.25)),
) -> PairTask:
    """Two classes with a given joint distribution.

    Parameters
    ----------
    table : array-like of shape (a, b)
        Probabilities of the pairs, or numbers proportional to them.

    Returns
    -------
    PairTask
        X (n, 1) and classes Y (n,).

    Examples
    --------
    >>> from sk_infomax.datasets import contingency
    >>> round(contingency([[0.5, 0], [0, 0.5]]).mutual_information, 3)
    0.693
    """
    joint = check_array_of("table", table, 2)
    if (joint < 0).any() or not joint.any():
        raise ValueError(f"table={table!r} must hold probabilities, of which one is above 0.")
    joint = joint / joint.sum()
    product = joint.sum(1, keepdims=True) * joint.sum(0, keepdims=True)
    filled = joint > 0
    information = float((joint[filled] * np.log(joint[filled] / product[filled])).sum())

    def draw(n, rng):
        cell = rng.choice(joint.size, size=n, p=joint.ravel())
        x, y = np.divmod(cell, joint.shape[1])
        return x[:, None].astype(float), y

    return PairTask(information, draw)

"""Pairs of arrays (X, Y) whose mutual information is known, to hold estimators to.

The distributions are those that the literature compares estimators on; a map that can be
inverted, applied to one side, leaves the information as it is.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import digamma, gammaln
from sklearn.utils import check_random_state

from ._sizes import check_count, check_number

__all__ = [
    "PairTask",
    "additive_uniform",
    "correlated_normal",
    "independent",
    "multinormal_dense",
    "multinormal_sparse",
    "student",
    "transformed",
]

_MOST_NATS = 15  # for each coordinate: beyond, their correlation is 1 in float64
_MOST_STRENGTH = 1e6  # of a hidden cause: beyond, correlations are 1 in float64

Draw = Callable[[int, np.random.RandomState], tuple[np.ndarray, np.ndarray]]
Map = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class PairTask:
    """A distribution of pairs with its mutual information.

    Parameters
    ----------
    mutual_information : float
        I(X; Y) in nats.
    draw : callable
        Called with a number of pairs and a `numpy.random.RandomState`; gives X (n, dx) and
        Y (n, dy) or (n,).

    Examples
    --------
    >>> from sk_infomax.datasets import xor
    >>> X, y = xor(3).sample(4, random_state=0)
    >>> X.shape, y.shape
    ((4, 3), (4,))
    """

    mutual_information: float
    draw: Draw

    def sample(
        self, n_samples: int, random_state: int | np.random.RandomState | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Draw independent pairs.

        Parameters
        ----------
        n_samples : int
            Number n of pairs.
        random_state : int, RandomState instance or None, default=None
            Seed.

        Returns
        -------
        X : ndarray of shape (n, dx)
            One side.
        Y : ndarray of shape (n, dy) or (n,)
            The other side; one-dimensional where it is a class.

        Raises
        ------
        ValueError
            If `n_samples` is below 1.
        """
        check_count("n_samples", n_samples)
        try:
            rng = check_random_state(random_state)
        except ValueError as error:
            raise ValueError(
                f"random_state={random_state!r} must be a whole number from 0 to 2**32 - 1, a "
                "RandomState or None."
            ) from error
        return self.draw(n_samples, rng)


def _check_sides(dim_x: object, dim_y: object) -> None:
    check_count("dim_x", dim_x)
    check_count("dim_y", dim_y)


# Normal distributions ------------------------------------------------------------------------


def _multinormal(covariance: np.ndarray, dim_x: int) -> PairTask:
    """Jointly normal pairs; the first `dim_x` coordinates are X."""
    blocks = covariance[:dim_x, :dim_x], covariance[dim_x:, dim_x:], covariance
    parts = [np.linalg.slogdet(block)[1] for block in blocks]
    factor = np.linalg.cholesky(covariance)

    def draw(n, rng):
        both = rng.standard_normal((n, len(covariance))) @ factor.T
        return both[:, :dim_x], both[:, dim_x:]

    return PairTask(0.5 * float(parts[0] + parts[1] - parts[2]), draw)


def correlated_normal(
    dim: int = 20, mutual_information: float = 2.0, cubic: bool = False
) -> PairTask:
    """Coordinates of X and Y that are correlated in pairs, all alike.

    With growing information this is the staircase on which bounds are compared.

    Parameters
    ----------
    dim : int, default=20
        Dimensions of X and of Y.
    mutual_information : float, default=2.0
        I(X; Y) in nats.
    cubic : bool, default=False
        Whether Y is cubed, which leaves the information as it is.

    Returns
    -------
    PairTask
        The distribution.

    References
    ----------
    Poole et al., On variational bounds of mutual information, ICML 2019; Song and Ermon 2020.

    Examples
    --------
    >>> from sk_infomax.datasets import correlated_normal
    >>> round(correlated_normal(20, 4.0).mutual_information, 3)
    4.0
    """
    check_count("dim", dim)
    if not isinstance(cubic, bool | np.bool_):
        raise TypeError(f"cubic={cubic!r} must be True or False.")
    most = _MOST_NATS * dim
    check_number("mutual_information", mutual_information, 0, most, or_low=True)
    correlation = math.sqrt(-math.expm1(-2 * mutual_information / dim))
    identity = np.eye(dim)
    covariance = np.block([[identity, correlation * identity], [correlation * identity, identity]])
    task = _multinormal(covariance, dim)
    return transformed(task, map_y=lambda y: y**3) if cubic else task


def multinormal_dense(dim_x: int = 5, dim_y: int = 5, correlation: float = 0.5) -> PairTask:
    """Normal pairs, every two of whose coordinates have the same correlation.

    Parameters
    ----------
    dim_x, dim_y : int, default=5
        Dimensions.
    correlation : float, default=0.5
        Between any two coordinates, of the same side or not.

    Returns
    -------
    PairTask
        The distribution.

    References
    ----------
    Czyż, Grabowski, Vogt, Beerenwinkel and Marx, Beyond normal: on the evaluation of mutual
    information estimators, NeurIPS 2023.

    Examples
    --------
    >>> from sk_infomax.datasets import multinormal_dense
    >>> round(multinormal_dense(2, 2, 0.5).mutual_information, 3)
    0.294
    """
    _check_sides(dim_x, dim_y)
    size = dim_x + dim_y
    # Less, and no normal distribution has these correlations.
    check_number("correlation", correlation, -1 / (size - 1), 1)
    covariance = np.full((size, size), float(correlation)) + (1 - correlation) * np.eye(size)
    return _multinormal(covariance, dim_x)


def multinormal_sparse(
    dim_x: int = 5, dim_y: int = 5, n_interacting: int = 2, strength: float = 2.0
) -> PairTask:
    """Normal pairs in which few coordinates share a hidden cause.

    Parameters
    ----------
    dim_x, dim_y : int, default=5
        Dimensions.
    n_interacting : int, default=2
        How many coordinates of X are correlated, each with one of Y.
    strength : float, default=2.0
        Weight s of the hidden cause beside noise of weight 1: the correlation is
        ``s**2 / (1 + s**2)``.

    Returns
    -------
    PairTask
        The distribution.

    Raises
    ------
    ValueError
        If there are fewer coordinates than interact.

    References
    ----------
    Czyż et al., NeurIPS 2023.

    Examples
    --------
    >>> from sk_infomax.datasets import multinormal_sparse
    >>> round(multinormal_sparse(5, 5).mutual_information, 3)
    1.022
    """
    _check_sides(dim_x, dim_y)
    check_count("n_interacting", n_interacting, 0)
    check_number("strength", strength, -_MOST_STRENGTH, _MOST_STRENGTH)
    if n_interacting > min(dim_x, dim_y):
        raise ValueError(
            f"n_interacting={n_interacting} needs as many coordinates on both sides; "
            f"dim_x={dim_x} and dim_y={dim_y}. Lower it, or raise these."
        )
    covariance = np.eye(dim_x + dim_y)
    for i in range(n_interacting):
        covariance[i, dim_x + i] = covariance[dim_x + i, i] = strength**2 / (1 + strength**2)
    return _multinormal(covariance, dim_x)


def independent(dim_x: int = 5, dim_y: int = 5, df: float | None = None) -> PairTask:
    """Sides that know nothing of each other.

    Parameters
    ----------
    dim_x, dim_y : int, default=5
        Dimensions.
    df : float or None, default=None
        Degrees of freedom of heavy-tailed coordinates; None for normal ones.

    Returns
    -------
    PairTask
        The distribution, of 0 nats.

    Examples
    --------
    >>> from sk_infomax.datasets import independent
    >>> independent(3, 2).mutual_information
    0.0
    """
    _check_sides(dim_x, dim_y)
    if df is not None:
        check_number("df", df, 0)

    def draw(n, rng):
        sizes = (n, dim_x), (n, dim_y)
        if df is None:
            return tuple(rng.standard_normal(size) for size in sizes)
        return tuple(rng.standard_t(df, size) for size in sizes)

    return PairTask(0.0, draw)


# Other continuous distributions --------------------------------------------------------------


def student(dim_x: int = 3, dim_y: int = 3, df: float = 2) -> PairTask:
    """Multivariate Student distribution: no correlation, yet the sides share their scale.

    Parameters
    ----------
    dim_x, dim_y : int, default=3
        Dimensions.
    df : float, default=2
        Degrees of freedom; the fewer, the heavier the tails and the more information.

    Returns
    -------
    PairTask
        The distribution.

    References
    ----------
    Czyż et al., NeurIPS 2023, appendix on Student distributions.

    Examples
    --------
    >>> from sk_infomax.datasets import student
    >>> round(student(1, 1, df=1).mutual_information, 3)
    0.224
    """
    _check_sides(dim_x, dim_y)
    check_number("df", df, 0)

    def entropy(dim: int) -> float:
        top, bottom = (df + dim) / 2, df / 2
        constant = gammaln(bottom) - gammaln(top) + 0.5 * dim * math.log(df * math.pi)
        return constant + top * (digamma(top) - digamma(bottom))

    def draw(n, rng):
        both = rng.standard_normal((n, dim_x + dim_y))
        both /= np.sqrt(rng.chisquare(df, (n, 1)) / df)
        return both[:, :dim_x], both[:, dim_x:]

    information = entropy(dim_x) + entropy(dim_y) - entropy(dim_x + dim_y)
    return PairTask(float(information), draw)


def additive_uniform(dim: int = 1, epsilon: float = 0.75) -> PairTask:
    """Y is X plus noise, both uniform, in each coordinate: sharp edges.

    Small noise gives much information: 8.5 nats for five coordinates and epsilon 0.1.

    Parameters
    ----------
    dim : int, default=1
        Dimensions of X and of Y.
    epsilon : float, default=0.75
        The noise lies in ``-epsilon .. epsilon``, X in ``0 .. 1``.

    Returns
    -------
    PairTask
        The distribution.

    References
    ----------
    Czyż et al., NeurIPS 2023.

    Examples
    --------
    >>> from sk_infomax.datasets import additive_uniform
    >>> round(additive_uniform(5, 0.1).mutual_information, 2)
    8.55
    """
    check_count("dim", dim)
    check_number("epsilon", epsilon, 0)
    each = 1 / (4 * epsilon) if epsilon > 0.5 else epsilon - math.log(2 * epsilon)

    def draw(n, rng):
        x = rng.uniform(size=(n, dim))
        return x, x + rng.uniform(-epsilon, epsilon, (n, dim))

    return PairTask(dim * each, draw)


def transformed(task: PairTask, map_x: Map | None = None, map_y: Map | None = None) -> PairTask:
    """The pairs of a task after maps that can be inverted; the information stays.

    Parameters
    ----------
    task : PairTask
        The distribution.
    map_x, map_y : callable or None, default=None
        From (n, d) to (n, d'), injective; None leaves the side as it is.

    Returns
    -------
    PairTask
        The distribution of the mapped pairs.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_infomax.datasets import correlated_normal, transformed
    >>> task = transformed(correlated_normal(3, 2.0), map_y=np.exp)
    >>> float(task.sample(9, random_state=0)[1].min()) > 0
    True
    """

    def draw(n, rng):
        x, y = task.draw(n, rng)
        return (map_x(x) if map_x else x), (map_y(y) if map_y else y)

    return PairTask(task.mutual_information, draw)

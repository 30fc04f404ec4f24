"""Pairs of arrays (X, Y) whose mutual information is known, to hold estimators to.

The distributions are those that the literature compares estimators on; a map that can be
inverted, applied to one side, leaves the information as it is.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy.integrate import quad
from scipy.special import digamma, gammaln, logsumexp, ndtr
from sklearn.utils import check_random_state

__all__ = [
    "TASKS",
    "PairTask",
    "additive_uniform",
    "class_means",
    "contingency",
    "correlated_normal",
    "independent",
    "multinormal_dense",
    "multinormal_sparse",
    "student",
    "transformed",
    "uniform_mixture",
    "xor",
]

Draw = Callable[[int, np.random.RandomState], tuple[np.ndarray, np.ndarray]]


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
    """

    mutual_information: float
    draw: Draw

    def sample(self, n_samples, random_state=None):
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
        if n_samples < 1:
            raise ValueError(f"n_samples={n_samples} must be at least 1.")
        return self.draw(n_samples, check_random_state(random_state))


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


def correlated_normal(dim=20, mutual_information=2.0, cubic=False):
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
    """
    correlation = math.sqrt(-math.expm1(-2 * mutual_information / dim))
    identity = np.eye(dim)
    covariance = np.block([[identity, correlation * identity], [correlation * identity, identity]])
    task = _multinormal(covariance, dim)
    return transformed(task, map_y=lambda y: y**3) if cubic else task


def multinormal_dense(dim_x=5, dim_y=5, correlation=0.5):
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
    """
    size = dim_x + dim_y
    covariance = np.full((size, size), float(correlation)) + (1 - correlation) * np.eye(size)
    return _multinormal(covariance, dim_x)


def multinormal_sparse(dim_x=5, dim_y=5, n_interacting=2, strength=2.0):
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
    """
    if n_interacting > min(dim_x, dim_y):
        raise ValueError(
            f"n_interacting={n_interacting} needs as many coordinates on both sides; "
            f"dim_x={dim_x} and dim_y={dim_y}."
        )
    covariance = np.eye(dim_x + dim_y)
    for i in range(n_interacting):
        covariance[i, dim_x + i] = covariance[dim_x + i, i] = strength**2 / (1 + strength**2)
    return _multinormal(covariance, dim_x)


def independent(dim_x=5, dim_y=5, df=None):
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
    """

    def draw(n, rng):
        sizes = (n, dim_x), (n, dim_y)
        if df is None:
            return tuple(rng.standard_normal(size) for size in sizes)
        return tuple(rng.standard_t(df, size) for size in sizes)

    return PairTask(0.0, draw)


# Other continuous distributions --------------------------------------------------------------


def student(dim_x=3, dim_y=3, df=2):
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
    """

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


def additive_uniform(dim=1, epsilon=0.75):
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
    """
    each = 1 / (4 * epsilon) if epsilon > 0.5 else epsilon - math.log(2 * epsilon)

    def draw(n, rng):
        x = rng.uniform(size=(n, dim))
        return x, x + rng.uniform(-epsilon, epsilon, (n, dim))

    return PairTask(dim * each, draw)


def transformed(task, map_x=None, map_y=None):
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
    """

    def draw(n, rng):
        x, y = task.draw(n, rng)
        return (map_x(x) if map_x else x), (map_y(y) if map_y else y)

    return PairTask(task.mutual_information, draw)


def half_cube(x: np.ndarray) -> np.ndarray:
    """Longer tails: ``sign(x) |x|**1.5``."""
    return np.sign(x) * np.abs(x) ** 1.5


def wiggly(x: np.ndarray) -> np.ndarray:
    """A line with waves on it, still increasing."""
    return x + 0.4 * np.sin(x) + 0.2 * np.sin(1.7 * x + 1) + 0.03 * np.sin(3.3 * x - 2.5)


def bimodal(x: np.ndarray) -> np.ndarray:
    """Two clusters: a steep step at 0 that pushes values apart."""
    return x + 4 * np.tanh(8 * x)


def spiral(x: np.ndarray, first: int = 0, speed: float | None = None) -> np.ndarray:
    """Turn two coordinates, `first` and the next, by an angle that grows with the length of x.

    The angle is `speed` times the squared length; the speed is 1 / d if it is None.
    """
    angle = (x**2).sum(axis=1) * (1 / x.shape[1] if speed is None else speed)
    cosine, sine = np.cos(angle), np.sin(angle)
    out = x.copy()
    out[:, first] = cosine * x[:, first] - sine * x[:, first + 1]
    out[:, first + 1] = sine * x[:, first] + cosine * x[:, first + 1]
    return out


def swiss_roll(x: np.ndarray) -> np.ndarray:
    """Roll a number in 0 .. 1 up in the plane: (n, 1) to (n, 2)."""
    angle = 1.5 * np.pi * (1 + 2 * x[:, 0])
    return np.stack([angle * np.cos(angle), angle * np.sin(angle)], axis=1) / 21


# Discrete and mixed distributions ------------------------------------------------------------


def class_means(means=(0.0, 1.5, 4.0)):
    """Classes that are equally likely, and a normal number around the mean of the class.

    Parameters
    ----------
    means : tuple of float, default=(0.0, 1.5, 4.0)
        Mean of each class; the standard deviation is 1.

    Returns
    -------
    PairTask
        X (n, 1) and classes Y (n,); the information by numerical integration.
    """
    centres = np.asarray(means, dtype=float)

    def negative_log_density(x: float) -> float:
        logs = -0.5 * (x - centres) ** 2 - 0.5 * math.log(2 * math.pi) - math.log(len(centres))
        log_density = logsumexp(logs)
        return -log_density * math.exp(log_density)

    low, high = centres.min() - 12, centres.max() + 12
    entropy = quad(negative_log_density, low, high, limit=200, points=sorted(centres))[0]

    def draw(n, rng):
        y = rng.randint(len(centres), size=n)
        return (centres[y] + rng.standard_normal(n))[:, None], y

    return PairTask(entropy - 0.5 * math.log(2 * math.pi * math.e), draw)


def uniform_mixture(n_classes=5):
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
    """

    def draw(n, rng):
        x = rng.randint(n_classes, size=n)
        return x[:, None].astype(float), (x + rng.uniform(0, 2, n))[:, None]

    information = math.log(n_classes) - (n_classes - 1) * math.log(2) / n_classes
    return PairTask(information, draw)


def xor(dim=10):
    """Fair bits X, and Y whether the first two differ: no column alone tells anything.

    Parameters
    ----------
    dim : int, default=10
        Number of bits, at least two.

    Returns
    -------
    PairTask
        X (n, dim) and classes Y (n,); log 2 nats.
    """

    def draw(n, rng):
        x = rng.randint(2, size=(n, dim))
        return x.astype(float), x[:, 0] ^ x[:, 1]

    return PairTask(math.log(2), draw)


def contingency(table=((0.2, 0.05, 0.05), (0.05, 0.25, 0.05), (0.05, 0.05, 0.25))):
    """Two classes with a given joint distribution.

    Parameters
    ----------
    table : array-like of shape (a, b)
        Probabilities of the pairs, or numbers proportional to them.

    Returns
    -------
    PairTask
        X (n, 1) and classes Y (n,).
    """
    joint = np.asarray(table, dtype=float)
    joint = joint / joint.sum()
    product = joint.sum(1, keepdims=True) * joint.sum(0, keepdims=True)
    filled = joint > 0
    information = float((joint[filled] * np.log(joint[filled] / product[filled])).sum())

    def draw(n, rng):
        cell = rng.choice(joint.size, size=n, p=joint.ravel())
        x, y = np.divmod(cell, joint.shape[1])
        return x[:, None].astype(float), y

    return PairTask(information, draw)


def _pair(correlation: float = 0.75) -> PairTask:
    return _multinormal(np.array([[1.0, correlation], [correlation, 1.0]]), 1)


def _tasks() -> dict[str, PairTask]:
    """Tasks of the literature under its names: map of X, distribution, dims, parameters."""
    both = {"map_x": ndtr, "map_y": ndtr}
    tasks = {
        "1v1-normal-0.75": _pair(),
        "normal_cdf-1v1-normal-0.75": transformed(_pair(), **both),
        "1v1-additive-0.75": additive_uniform(),
        "1v1-bimodal-0.75": transformed(_pair(), bimodal, bimodal),
        "wiggly-1v1-normal-0.75": transformed(_pair(), wiggly, wiggly),
        "half_cube-1v1-normal-0.75": transformed(_pair(), half_cube, half_cube),
        "swissroll_x-normal_cdf-1v1-normal-0.75": transformed(
            transformed(_pair(), **both), swiss_roll
        ),
        "xor-10": xor(),
        "uniform-mixture-5": uniform_mixture(),
        "class-means-3": class_means(),
        "contingency-3x3": contingency(),
        "additive-5-5-0.1": additive_uniform(5, 0.1),
    }
    for dim in (1, 5, 20):
        tasks[f"independent-{dim}-{dim}"] = independent(dim, dim)
        tasks[f"independent-student-{dim}-{dim}-1"] = independent(dim, dim, df=1)
    for dim in (2, 3, 5, 25):
        sparse = multinormal_sparse(dim, dim)
        cdf, name = transformed(sparse, **both), f"multinormal-sparse-{dim}-{dim}-2-2.0"
        tasks[f"multinormal-dense-{dim}-{dim}-0.5"] = multinormal_dense(dim, dim)
        tasks[name] = sparse
        tasks[f"normal_cdf-{name}"] = cdf
        tasks[f"half_cube-{name}"] = transformed(sparse, half_cube, half_cube)
        if dim > 2:
            second = partial(spiral, first=1)
            tasks[f"spiral-{name}"] = transformed(sparse, spiral, second)
            tasks[f"spiral-normal_cdf-{name}"] = transformed(cdf, spiral, second)
    for dim, df in ((1, 1), (2, 1), (2, 2), (3, 2), (3, 3), (5, 2), (5, 3)):
        task, name = student(dim, dim, df), f"student-identity-{dim}-{dim}-{df}"
        tasks[name] = task
        tasks[f"asinh-{name}"] = transformed(task, np.arcsinh, np.arcsinh)
    for nats in (2, 4, 6, 8, 10):
        tasks[f"normal-20-20-{nats}"] = correlated_normal(20, float(nats))
        tasks[f"cubic-20-20-{nats}"] = correlated_normal(20, float(nats), cubic=True)
    return tasks


TASKS: dict[str, PairTask] = _tasks()

"""What features tell about their samples and about labels, in nats."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike
from scipy.special import logsumexp
from sklearn.decomposition import PCA
from sklearn.utils import check_consistent_length

from .._checks import (
    AT_LEAST_TWO,
    POSITIVE,
    POSITIVE_INT,
    check_arguments,
    naming,
    resolve_device,
)
from .._parts import resolve_part
from .._random import draw_seed
from ..bounds import DonskerVaradhan
from ..critics import CRITICS, Critic
from ..information import MutualInfoEstimator
from ..information._columns import normal_scores
from ..information._cross_fitting import RatioTrainer
from ..information._reading import read
from ..priors import NoisePrior
from ._features import RandomState, Transformer, features_of

__all__ = ["InformationPlane", "information_plane", "mine"]

_CONSTRAINTS: dict[str, list[Any]] = {
    "n_components": [POSITIVE_INT, None],
    "max_steps": [POSITIVE_INT],
    "batch_size": [AT_LEAST_TWO],
    "device": [str, torch.device],
    "noise": [POSITIVE],
    "random_state": ["random_state"],
}
_FAR = 1e15  # values whose squares float32 can add up (3e38)
_FOLDS = 2  # halves: a critic of each is read on the other
_FEWEST = 20  # samples: below, each half leaves a critic fewer than ten (rule of thumb)
_SHIFTS = 16  # others that each sample is set against in a step; a batch has 255 (rule of thumb)
_PAIRS_AT_ONCE = 2**22  # pairs of samples in a block: 32 MB of float64


def mine(
    transformer: Transformer | None,
    X: ArrayLike,
    y: Any = None,
    *,
    critic: str | Critic | type[Critic] = "concat",
    n_components: int | None = 64,
    max_steps: int = 600,
    batch_size: int = 256,
    device: str | torch.device = "auto",
    random_state: RandomState = 0,
) -> float:
    """Information between samples and their features as a critic sees it, the paper's MINE.

    A critic is trained with the Donsker-Varadhan objective (moving average as in MINE) on half
    of the samples and read on the other half, in turn. Features are a function of the samples,
    so where they are continuous the true information is infinite: the value is what this critic
    attains on samples that it has not seen. Compare it only between representations of one data
    set, at the same number of samples and the same settings. Where it is above the logarithm of
    the number of pairs that it is read on, ``log(32 n)``, chance in them decides.

    Parameters
    ----------
    transformer : object with `transform`, or None
        Fitted; None takes the samples as features.
    X : array-like of shape (n, ...)
        Samples, at least 20.
    y : None
        Ignored.
    critic : str or Critic, default="concat"
        What scores pairs: "concat", "dot", "bilinear" or "gated".
    n_components : int or None, default=64
        Samples and features that are wider are projected on so many principal components each;
        None shows the critic all columns.
    max_steps : int, default=600
        Steps of training in each half.
    batch_size : int, default=256
        Smallest number of pairs in a step.
    device : str, default="auto"
        "cpu", "cuda", or "auto" for CUDA where there is one.
    random_state : int, RandomState instance or None, default=0
        Seed.

    Returns
    -------
    float
        Nats, at least 0; 0 for features that do not vary.

    Raises
    ------
    ValueError
        If there are fewer than 20 samples, the critic is unknown, or a setting is out of range.

    References
    ----------
    Belghazi et al., Mutual Information Neural Estimation, ICML 2018; Hjelm et al., ICLR 2019,
    section 4.1.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.preprocessing import FunctionTransformer
    >>> from sk_infomax.evaluation import mine
    >>> X = np.random.RandomState(0).normal(size=(100, 2))
    >>> mine(FunctionTransformer(np.zeros_like), X)
    0.0
    >>> bool(mine(None, X, max_steps=50) > 0.3)
    True
    """
    check_arguments(
        "mine",
        _CONSTRAINTS,
        n_components=n_components,
        max_steps=max_steps,
        batch_size=batch_size,
        device=device,
        random_state=random_state,
    )
    Z = features_of(transformer, X)
    if len(Z) < _FEWEST:
        raise ValueError(
            f"mine needs {_FEWEST} samples or more; got n_samples = {len(Z)}. Give more samples."
        )
    seed = draw_seed(random_state)
    sides = [_narrow(side, n_components, seed) for side in (features_of(None, X), Z)]
    if not all(side.shape[1] for side in sides):
        return 0.0
    trainer = RatioTrainer(
        resolve_part(critic, CRITICS, Critic, "critic"),
        DonskerVaradhan(),
        base=False,
        size_x=sides[0].shape[1],
        size_y=sides[1].shape[1],
        n_shifts=_SHIFTS,
        max_steps=max_steps,
        batch_size=batch_size,
        device=str(resolve_device(device)),
        seed=seed,
    )
    return max(0.0, read(trainer, np.hstack(sides), _FOLDS).mean("own"))


def _narrow(values: np.ndarray, n_components: int | None, seed: int) -> np.ndarray:
    """Normal scores (n, k) of the columns that vary, or of their principal components."""
    varying = values[:, np.ptp(values, axis=0) > 0]
    if n_components is not None and varying.shape[1] > n_components:
        size = min(n_components, len(varying))
        pca = PCA(size, svd_solver="randomized", random_state=seed)
        # Centred before, and drawn in: float32 has neither the digits nor the range of float64.
        varying = varying - varying.mean(0)
        varying = varying / max(1.0, np.abs(varying).max() / _FAR)
        varying = pca.fit_transform(varying.astype(np.float32))
    return normal_scores(varying) if varying.shape[1] else varying


class InformationPlane(NamedTuple):
    """Where a representation lies in the information plane, in nats.

    Parameters
    ----------
    x : float
        Information of samples and noisy features, I(X; Z + noise): the middle of its bounds.
    y : float
        Information of noisy features and labels, I(Z + noise; Y).
    x_bounds : tuple of float
        Lower and upper bound of I(X; Z + noise), each up to chance in the samples.
    y_interval : tuple of float
        Confidence interval of I(Z + noise; Y).
    capacity : float
        Most that the noise lets through whatever the features are; see `NoisePrior`.

    Examples
    --------
    >>> from sk_infomax.evaluation import InformationPlane
    >>> InformationPlane(1.2, 0.4, (1.1, 1.3), (0.3, 0.5), 1.4).x
    1.2
    """

    x: float
    y: float
    x_bounds: tuple[float, float]
    y_interval: tuple[float, float]
    capacity: float


def information_plane(
    transformer: Transformer | None,
    X: ArrayLike,
    y: ArrayLike,
    noise: float = 0.1,
    *,
    discrete_y: str | bool | Sequence[bool] = "auto",
    max_steps: int = 600,
    random_state: RandomState = 0,
) -> InformationPlane:
    """Information that noisy features hold of the samples and of the labels.

    Features Z are divided by their standard deviations, each column by its own, and normal noise
    is added: without noise I(X; Z) is infinite. So the density of noisy features given a sample
    is known, and I(X; Z + noise) lies between two averages of its log ratio to the mean density
    over samples: with the sample's own density among them (at most log n), and without it. The
    information of a normal distribution with the correlations of Z, ``1/2 log det(I + R /
    noise**2)``, is an upper bound too, itself at most `capacity`; the lower one of the two is
    taken. Where the bounds are far apart, `x` is known no better than they say: use more samples
    or more noise.

    Parameters
    ----------
    transformer : object with `transform`, or None
        Fitted; None takes the samples as features.
    X : array-like of shape (n, ...)
        Samples, best held-out ones.
    y : array-like of shape (n,) or (n, k)
        Labels, or targets of a regression.
    noise : float, default=0.1
        Standard deviation of the noise, where that of each feature is 1.
    discrete_y : "auto", bool or list of bool, default="auto"
        Which columns of y are labels; see `MutualInfoEstimator`. Say True for more than 20
        classes with numbers for names.
    max_steps : int, default=600
        Steps of training in each fold of the estimate of I(Z + noise; Y).
    random_state : int, RandomState instance or None, default=0
        Seed of noise, folds and weights.

    Returns
    -------
    InformationPlane
        Both coordinates in nats with bounds, and the capacity. Features that do not vary lie at
        the origin.

    Raises
    ------
    ValueError
        If the noise is not above 0, or lengths differ.

    See Also
    --------
    sk_infomax.priors.NoisePrior : Trains with this noise; ``prior="noise"`` with the same `noise`
        and ``distribution="normal"`` limits I(X; Z + noise) by the same capacity.

    References
    ----------
    Poole et al., On variational bounds of mutual information, ICML 2019, section 2.4 (bounds with
    a known conditional density); Tishby and Zaslavsky, Deep learning and the information
    bottleneck principle, 2015; Shannon 1948 (capacity).

    Examples
    --------
    >>> import numpy as np
    >>> from sk_infomax.evaluation import information_plane
    >>> X = np.random.RandomState(0).normal(size=(500, 1))
    >>> plane = information_plane(None, X, X[:, 0] > 0, noise=1.0, max_steps=30)
    >>> plane.y < plane.x < plane.capacity + 0.1
    True
    """
    settings = {"noise": noise, "max_steps": max_steps, "random_state": random_state}
    check_arguments("information_plane", _CONSTRAINTS, **settings)
    Z = features_of(transformer, X)
    with naming("y"):
        check_consistent_length(Z, y)
    Z = Z[:, np.ptp(Z, axis=0) > 0]
    if not Z.shape[1]:
        return InformationPlane(0.0, 0.0, (0.0, 0.0), (0.0, 0.0), 0.0)
    Z = (Z - Z.mean(0)) / Z.std(0)
    seed = draw_seed(random_state)
    # A generator of its own: samples drawn from the same seed must not come back as noise.
    noisy = Z + noise * np.random.RandomState(seed).normal(size=Z.shape)
    lower, upper = _channel_bounds(Z, noisy, noise)
    estimator = MutualInfoEstimator(
        discrete_y=discrete_y, max_steps=max_steps, random_state=seed
    ).fit(noisy, y)
    return InformationPlane(
        0.5 * (lower + upper),
        estimator.mutual_info_,
        (lower, upper),
        estimator.confidence_interval_,
        NoisePrior(noise=noise).capacity(Z.shape[1]),
    )


def _channel_bounds(Z: np.ndarray, noisy: np.ndarray, noise: float) -> tuple[float, float]:
    """Bounds of the information between Z (n, d), standardised, and Z with normal noise."""
    n, d = Z.shape
    squares, with_all, without = (Z**2).sum(1), np.empty(n), np.empty(n)
    for rows in np.array_split(np.arange(n), math.ceil(n * n / _PAIRS_AT_ONCE)):
        # Log density of each noisy row given each sample, less that given its own.
        distance = squares + (noisy[rows] ** 2).sum(1)[:, None] - 2 * noisy[rows] @ Z.T
        with_itself = np.arange(len(rows)), rows
        ratio = (distance[with_itself][:, None] - distance) / (2 * noise**2)
        with_all[rows] = math.log(n) - logsumexp(ratio, axis=1)
        ratio[with_itself] = -np.inf
        without[rows] = math.log(n - 1) - logsumexp(ratio, axis=1)
    correlations = Z.T @ Z / n
    normal = 0.5 * np.linalg.slogdet(np.eye(d) + correlations / noise**2)[1]
    lower = max(0.0, float(with_all.mean()))
    return lower, max(lower, min(float(without.mean()), float(normal)))

"""Criteria without labels: rank, evenness, agreement of views, and dependence among features."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial.distance import pdist

from .._checks import POSITIVE, POSITIVE_INT, check_arguments
from .._random import draw_seed
from ..bounds import JensenShannon
from ..critics import GatedCritic
from ..information._columns import normal_scores
from ..information._reading import read
from ..information._total_correlation import DependenceTrainer
from ._features import RandomState, Transformer, features_of

__all__ = ["alignment", "neural_dependency", "rank_me", "uniformity"]

_MOST_SAMPLES = 2000  # of them the pairs are taken: 2 million, 16 MB (rule of thumb)
_FEWEST = 2  # samples that make a pair
_FOLDS = 2  # halves: a critic of each is read on the other
_SHIFTS = 2  # independent copies of a batch in a step: one more steadies it (rule of thumb)
_BATCH_SIZE = 256  # samples in a step at least, as in `mine`
_CONSTRAINTS: dict[str, list[Any]] = {
    "t": [POSITIVE],
    "max_steps": [POSITIVE_INT],
    "random_state": ["random_state"],
}
_NOUGHT = 1e-12  # stands for no length and no share, so that nothing is divided by 0


def rank_me(transformer: Transformer | None, X: ArrayLike, y: Any = None) -> float:
    """Effective rank of the features: exponential of the entropy of their singular values.

    Parameters
    ----------
    transformer : object with `transform`, or None
        Fitted; None takes the samples as features.
    X : array-like of shape (n, ...)
        Samples.
    y : None
        Ignored.

    Returns
    -------
    float
        Between 1 and the number of features; larger means less collapse.

    References
    ----------
    Garrido, Balestriero, Najman and LeCun, RankMe, ICML 2023.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_infomax.evaluation import rank_me
    >>> round(rank_me(None, np.eye(8)), 3)
    8.0
    """
    values = np.linalg.svd(features_of(transformer, X), compute_uv=False)
    shares = values / max(values.sum(), _NOUGHT) + _NOUGHT
    return float(np.exp(-(shares * np.log(shares)).sum()))


def uniformity(
    transformer: Transformer | None, X: ArrayLike, y: Any = None, t: float = 2.0
) -> float:
    """How evenly the features lie on the sphere: minus the log of their mean Gaussian potential.

    Parameters
    ----------
    transformer : object with `transform`, or None
        Fitted; None takes the samples as features.
    X : array-like of shape (n, ...)
        Samples; at most 2,000 of them are used, evenly spread.
    y : None
        Ignored.
    t : float, default=2.0
        Sharpness of the potential ``exp(-t |u - v|**2)``.

    Returns
    -------
    float
        Larger is more even; 0 if all features point the same way. (The paper's measure is its
        negative.)

    References
    ----------
    Wang and Isola, Understanding contrastive representation learning through alignment and
    uniformity on the hypersphere, ICML 2020.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_infomax.evaluation import uniformity
    >>> uniformity(None, np.ones((5, 3))) < uniformity(None, np.eye(5))
    True
    """
    check_arguments("uniformity", _CONSTRAINTS, t=t)
    Z = _unit(features_of(transformer, X))
    if len(Z) < _FEWEST:
        raise ValueError(f"uniformity needs pairs: X has {len(Z)} sample. Give two or more.")
    rows = np.linspace(0, len(Z) - 1, min(len(Z), _MOST_SAMPLES)).astype(int)
    return float(-np.log(np.exp(-t * pdist(Z[rows], "sqeuclidean")).mean()))


def alignment(transformer: Transformer | None, X: ArrayLike, X_other: ArrayLike) -> float:
    """How near the features of two views of a sample lie: minus the mean squared distance.

    Parameters
    ----------
    transformer : object with `transform`, or None
        Fitted; None takes the samples as features.
    X, X_other : array-like of shape (n, ...)
        Two views of the same samples, row by row.

    Returns
    -------
    float
        Between -4 and 0, where 0 means that the views of a sample have the same direction. (The
        paper's measure is its negative.)

    References
    ----------
    Wang and Isola, ICML 2020.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_infomax.evaluation import alignment
    >>> alignment(None, np.eye(3), -np.eye(3))
    -4.0
    """
    first, second = (
        _unit(features_of(transformer, view, argument=name))
        for name, view in (("X", X), ("X_other", X_other))
    )
    if first.shape != second.shape:
        raise ValueError(
            f"X has features of shape {first.shape} and X_other of shape {second.shape}: give two "
            "views of the same samples, row by row."
        )
    return float(-((first - second) ** 2).sum(1).mean())


def neural_dependency(
    transformer: Transformer | None,
    X: ArrayLike,
    y: Any = None,
    max_steps: int = 400,
    random_state: RandomState = 0,
) -> float:
    """Dependence among the features: their total correlation, the paper's NDM.

    A critic learns the log ratio of the density of the features to that of independent ones, as
    `MutualInfoEstimator` does for two sides: cross-fitted, from the Gaussian ratio, on normal
    scores. Features that do not vary are left out.

    Parameters
    ----------
    transformer : object with `transform`, or None
        Fitted; None takes the samples as features.
    X : array-like of shape (n, ...)
        Samples.
    y : None
        Ignored.
    max_steps : int, default=400
        Steps of training in each of the two folds.
    random_state : int, RandomState instance or None, default=0
        Seed.

    Returns
    -------
    float
        Nats, at least 0; 0 if the features are independent or one only varies, larger if they
        repeat one another. Smaller is better: as ``scoring`` take
        ``lambda transformer, X, y=None: -neural_dependency(transformer, X)``.

    Raises
    ------
    ValueError
        If no feature varies.

    References
    ----------
    Hjelm et al., ICLR 2019, section 4.1 (neural dependency measure); Watanabe, Information
    theoretical analysis of multivariate correlation, 1960.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_infomax.evaluation import neural_dependency
    >>> Z = np.random.RandomState(0).normal(size=(200, 2))
    >>> alike = np.column_stack([Z[:, 0], Z[:, 0] + Z[:, 1]])
    >>> neural_dependency(None, alike, max_steps=5) > 0.2
    True
    """
    settings = {"max_steps": max_steps, "random_state": random_state}
    check_arguments("neural_dependency", _CONSTRAINTS, **settings)
    Z = features_of(transformer, X)
    if len(Z) < 2 * _FOLDS:
        raise ValueError(
            f"neural_dependency needs {2 * _FOLDS} samples or more; X has {len(Z)}. Give more."
        )
    varying = list(Z[:, np.ptp(Z, axis=0) > 0].T)
    if not varying:
        raise ValueError(
            f"None of the {Z.shape[1]} features varies over the {len(Z)} samples, so there is no "
            "dependence to measure: the representation has collapsed. Give more samples, or train "
            "with other settings."
        )
    if len(varying) == 1:
        return 0.0
    rows = normal_scores(np.column_stack(varying))
    trainer = DependenceTrainer(
        GatedCritic(),
        JensenShannon(),
        base=True,
        size_x=rows.shape[1],
        size_y=rows.shape[1],
        n_shifts=_SHIFTS,
        max_steps=max_steps,
        batch_size=_BATCH_SIZE,
        device="cpu",
        seed=draw_seed(random_state),
    )
    return max(0.0, read(trainer, rows, _FOLDS).estimate())


def _unit(Z: np.ndarray) -> np.ndarray:
    return Z / np.linalg.norm(Z, axis=1, keepdims=True).clip(min=_NOUGHT)

"""All measures of a representation in one call."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from numpy.typing import ArrayLike

from .._checks import closest_name
from ._criteria import neural_dependency, rank_me, uniformity
from ._features import RandomState, Remembered, Transformer
from ._information import mine
from ._probes import probe
from ._reconstruction import reconstruction

__all__ = ["MEASURES", "evaluate_representation"]


Measure = Callable[[Transformer, ArrayLike, ArrayLike, RandomState], float]
"""Called with a transformer, training samples, test samples and a seed."""


MEASURES: dict[str, Measure] = {
    "ms_ssim": lambda t, X_train, X_test, seed: (
        reconstruction(t, X_train, X_test, random_state=seed).ms_ssim
    ),
    "mine": lambda t, X_train, X_test, seed: mine(t, X_test, random_state=seed),
    "neural_dependency": lambda t, X_train, X_test, seed: neural_dependency(
        t, X_test, random_state=seed
    ),
    "rank_me": lambda t, X_train, X_test, seed: rank_me(t, X_test),
    "uniformity": lambda t, X_train, X_test, seed: uniformity(t, X_test),
}
"""Measures that need no labels, by name."""


def evaluate_representation(
    transformer: Transformer | None,
    X_train: ArrayLike,
    y_train: ArrayLike,
    X_test: ArrayLike,
    y_test: ArrayLike,
    *,
    probes: Sequence[str] = ("svm", "logistic", "knn", "mlp"),
    measures: Sequence[str] = ("mine", "neural_dependency", "rank_me", "uniformity"),
    n_seeds: int = 1,
    random_state: RandomState = 0,
) -> dict[str, float]:
    """All measures of a representation in one call, a row of the paper's table.

    Parameters
    ----------
    transformer : object with `transform`, or None
        Fitted; None takes the samples as features.
    X_train, y_train, X_test, y_test : array-like
        Samples (n, ...) with labels (n,), and those to test on.
    probes : sequence of str, default=("svm", "logistic", "knn", "mlp")
        Which classifiers to try; see `PROBES`.
    measures : sequence of str, default=("mine", "neural_dependency", "rank_me", "uniformity")
        What else to measure. "ms_ssim" is there for images too (`reconstruction`: it trains a
        decoder on the training samples).
    n_seeds : int, default=1
        How many times to repeat each probe.
    random_state : int, RandomState instance or None, default=0
        Seed.

    Returns
    -------
    dict of str to float
        Test accuracy for each probe (and its standard deviation as ``NAME_std``); and each
        measure, of the test samples, at the default settings of its function. "mine" and
        "neural_dependency" are in nats; of the latter, smaller is better.

    Raises
    ------
    ValueError
        If a probe or a measure is unknown, or one of them cannot be taken of these samples.

    References
    ----------
    Hjelm et al., ICLR 2019, section 4.1.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.decomposition import PCA
    >>> from sk_infomax.evaluation import evaluate_representation
    >>> X, y = load_digits(return_X_y=True)
    >>> pca = PCA(16, random_state=0).fit(X[:500])
    >>> row = evaluate_representation(
    ...     pca, X[:500], y[:500], X[500:], y[500:], probes=["knn"], measures=["rank_me"]
    ... )
    >>> list(row)
    ['knn', 'knn_std', 'rank_me']
    """
    for name in measures:
        if name not in MEASURES:
            raise ValueError(
                f"measures has {name!r}, which is unknown: {closest_name(name, MEASURES)}"
            )
    remembered = Remembered(transformer)
    row: dict[str, float] = {}
    for kind in probes:
        result = probe(
            remembered,
            X_train,
            y_train,
            X_test,
            y_test,
            kind,
            n_seeds=n_seeds,
            random_state=random_state,
        )
        row |= {kind: result.accuracy, f"{kind}_std": result.std}
    return row | {
        name: MEASURES[name](remembered, X_train, X_test, random_state) for name in measures
    }

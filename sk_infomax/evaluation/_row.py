"""All measures of a representation in one call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import clone
from sklearn.utils import check_random_state

from .._checks import closest_name
from ._criteria import neural_dependency, rank_me, uniformity
from ._features import RandomState, Remembered, Transformer
from ._information import mine
from ._probes import probe
from ._reconstruction import reconstruction

__all__ = ["MEASURES", "evaluate_representation"]

_SEEDS = 2**31 - 1  # seeds that there are to draw from: scikit-learn takes those below 2**32

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
    refit: bool = False,
    X_unlabelled: ArrayLike | None = None,
    random_state: RandomState = 0,
) -> dict[str, float]:
    """All measures of a representation in one call, a row of the paper's table.

    Parameters
    ----------
    transformer : object with `transform`, or None
        Fitted, unless `refit`; None takes the samples as features.
    X_train, y_train, X_test, y_test : array-like
        Samples (n, ...) with labels (n,), and those to test on.
    probes : sequence of str, default=("svm", "logistic", "knn", "mlp")
        Which classifiers to try; see `PROBES`.
    measures : sequence of str, default=("mine", "neural_dependency", "rank_me", "uniformity")
        What else to measure. "ms_ssim" is there for images too (`reconstruction`: it trains a
        decoder on the training samples).
    n_seeds : int, default=1
        How many times to repeat each probe; with `refit`, the training too.
    refit : bool, default=False
        Whether each repetition starts from a clone of the transformer, fitted with a seed of its
        own on the training samples; the paper has five such runs. Its parameters ``random_state``,
        nested ones among them, are set, and the transformer itself is left alone.
    X_unlabelled : array-like or None, default=None
        Samples to fit on in place of `X_train`, as where most have no labels; only with `refit`.
    random_state : int, RandomState instance or None, default=0
        Seed.

    Returns
    -------
    dict of str to float
        Test accuracy for each probe (and its standard deviation as ``NAME_std``); and each
        measure, of the test samples, at the default settings of its function. "mine" and
        "neural_dependency" are in nats; of the latter, smaller is better. With `refit` all of
        these are means over the trainings, and the standard deviation over them stands beside
        each, of measures too.

    Raises
    ------
    ValueError
        If a probe or a measure is unknown, or one of them cannot be taken of these samples; with
        `refit`, if there is nothing to fit or nothing that a seed would change.

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
    if refit:
        samples = X_train if X_unlabelled is None else X_unlabelled
        rows = [
            evaluate_representation(
                _fitted_with(transformer, seed, samples),
                X_train,
                y_train,
                X_test,
                y_test,
                probes=probes,
                measures=measures,
                random_state=seed,
            )
            for seed in check_random_state(random_state).randint(_SEEDS, size=n_seeds).tolist()
        ]
        return _over_trainings(rows, (*probes, *measures))
    if X_unlabelled is not None:
        raise ValueError(
            "X_unlabelled is what refit=True fits on; with refit=False nothing is fitted. Leave "
            "it out, or set refit=True."
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


def _fitted_with(transformer: Any, seed: int, samples: ArrayLike) -> Any:
    """A clone with this seed in every ``random_state``, fitted."""
    if not hasattr(transformer, "fit"):
        raise ValueError(
            f"refit=True trains the transformer anew, and {transformer!r} has no fit. Give an "
            "estimator, or set refit=False."
        )
    names = [n for n in transformer.get_params() if n.rpartition("__")[2] == "random_state"]
    if not names:
        raise ValueError(
            f"refit=True repeats the training with other seeds, and {type(transformer).__name__} "
            "has no random_state, so all trainings would be one. Set refit=False."
        )
    return clone(transformer).set_params(**dict.fromkeys(names, seed)).fit(samples)


def _over_trainings(rows: Sequence[dict[str, float]], names: Sequence[str]) -> dict[str, float]:
    """Mean and standard deviation of each column over the rows of several trainings."""
    found = {name: [row[name] for row in rows] for name in names}
    means = {name: float(np.mean(values)) for name, values in found.items()}
    return {
        key: value
        for name in names
        for key, value in ((name, means[name]), (f"{name}_std", float(np.std(found[name]))))
    }

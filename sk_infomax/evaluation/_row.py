"""All measures of a representation in one call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .._checks import closest_name
from ._criteria import neural_dependency, rank_me, uniformity
from ._features import features_of
from ._information import mine_of
from ._probes import probe
from ._reconstruction import reconstruction_of

__all__ = ["MEASURES", "evaluate_representation"]


class _Case(NamedTuple):
    """What measures see: the transformer, pairs of (training, test), and the seed."""

    transformer: Any
    samples: tuple[Any, Any]
    features: tuple[np.ndarray, np.ndarray]
    random_state: Any


def _ms_ssim(case: _Case) -> float:
    features = tuple(part.astype(np.float32) for part in case.features)
    return reconstruction_of(
        case.transformer, case.samples, features, random_state=case.random_state
    ).ms_ssim


MEASURES: dict[str, Callable[[_Case], float]] = {
    "ms_ssim": _ms_ssim,
    "mine": lambda case: mine_of(case.samples[1], case.features[1], random_state=case.random_state),
    "neural_dependency": lambda case: neural_dependency(
        None, case.features[1], random_state=case.random_state
    ),
    "rank_me": lambda case: rank_me(None, case.features[1]),
    "uniformity": lambda case: uniformity(None, case.features[1]),
}
"""Measures that need no labels, by name."""


def evaluate_representation(
    transformer,
    X_train,
    y_train,
    X_test,
    y_test,
    *,
    probes=("svm", "logistic", "knn", "mlp"),
    measures=("mine", "neural_dependency", "rank_me", "uniformity"),
    n_seeds=1,
    random_state=0,
):
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
        decoder on the training samples, and needs torchmetrics).
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
    """
    for name in measures:
        if name not in MEASURES:
            raise ValueError(
                f"measures has {name!r}, which is unknown: {closest_name(name, MEASURES)}"
            )
    features = features_of(transformer, X_train, None), features_of(transformer, X_test, None)
    row: dict[str, float] = {}
    for kind in probes:
        result = probe(
            None,
            features[0],
            y_train,
            features[1],
            y_test,
            kind,
            n_seeds=n_seeds,
            random_state=random_state,
        )
        row |= {kind: result.accuracy, f"{kind}_std": result.std}
    case = _Case(transformer, (X_train, X_test), features, random_state)
    return row | {name: MEASURES[name](case) for name in measures}

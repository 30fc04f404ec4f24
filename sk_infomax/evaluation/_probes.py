"""Probes: how well simple classifiers do on frozen features."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, train_test_split
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline
from sklearn.svm import LinearSVC
from sklearn.utils import check_random_state

from .._checks import (
    AT_LEAST_TWO,
    FRACTION,
    NON_NEGATIVE,
    POSITIVE_INT,
    check_arguments,
    check_choice,
    closest_name,
)
from .._fitted import OUTPUTS
from ._features import RandomState, Transformer, features_of, labels_of
from ._perceptron import PerceptronClassifier

__all__ = ["PROBES", "ProbeResult", "label_efficiency", "probe", "probe_layers", "probe_score"]


def _svm(setting: float, seed: int):
    return LinearSVC(C=setting, random_state=seed)


def _logistic(setting: float, seed: int):
    return LogisticRegression(C=setting, max_iter=1000, random_state=seed)


def _neighbours(setting: float, seed: int):
    return KNeighborsClassifier(n_neighbors=int(setting))


def _perceptron(setting: float, seed: int):
    return PerceptronClassifier(weight_decay=setting, random_state=seed)


PROBES: dict[str, tuple[Any, tuple[float, ...]]] = {
    "svm": (_svm, (0.001, 0.01, 0.1, 1.0)),
    "logistic": (_logistic, (0.01, 0.1, 1.0, 10.0)),
    "knn": (_neighbours, (1, 5, 20, 50)),
    "mlp": (_perceptron, (0.0,)),
}
"""Classifiers by name, each with the settings that a validation set chooses from.

C of "svm" and "logistic", the number of neighbours of "knn", the weight decay of "mlp".
"""
_WITH_FEW_LABELS = {"mlp": 0.0}  # settings of `label_efficiency`; 1 for others, as in scikit-learn
_CONSTRAINTS: dict[str, list[Any]] = {
    "settings": ["array-like", None],
    "setting": [NON_NEGATIVE, None],
    "validation_fraction": [FRACTION],
    "n_seeds": [POSITIVE_INT],
    "n_draws": [POSITIVE_INT],
    "cv": [AT_LEAST_TWO],
    "random_state": ["random_state"],
}
_FEWEST_CLASSES = 2  # that can be told apart


class ProbeResult(NamedTuple):
    """What a probe found.

    Parameters
    ----------
    accuracy : float
        Mean accuracy on the test samples over the seeds.
    std : float
        Its standard deviation over the seeds.
    settings : tuple of float
        What was chosen for each seed: C, the number of neighbours, or the weight decay.

    Examples
    --------
    >>> from sk_infomax.evaluation import ProbeResult
    >>> accuracy, std, settings = ProbeResult(0.9, 0.01, (1.0, 0.1))
    >>> accuracy
    0.9
    """

    accuracy: float
    std: float
    settings: tuple[float, ...]


def probe(
    transformer: Transformer | None,
    X_train: ArrayLike,
    y_train: ArrayLike,
    X_test: ArrayLike,
    y_test: ArrayLike,
    kind: str = "svm",
    *,
    settings: Sequence[float] | None = None,
    validation_fraction: float = 0.2,
    n_seeds: int = 1,
    random_state: RandomState = 0,
) -> ProbeResult:
    """Accuracy of a simple classifier on frozen features.

    Features are divided by one number, their standard deviation. For each seed, the setting that
    does best on held-out training samples is chosen, the classifier is fitted again on all of
    them, and the test samples are scored once.

    Parameters
    ----------
    transformer : object with `transform`, or None
        Fitted; None takes the samples as features.
    X_train, y_train, X_test, y_test : array-like
        Samples (n, ...) with labels (n,), and those to test on.
    kind : {"svm", "logistic", "knn", "mlp"}, default="svm"
        The classifier: linear SVM, logistic regression, nearest neighbours, or the paper's
        perceptron, one layer of 200 units with dropout (`PerceptronClassifier`).
    settings : sequence of float or None, default=None
        What to choose from; None takes those of `PROBES`. One alone needs no validation.
    validation_fraction : float, default=0.2
        Part of the training samples that chooses.
    n_seeds : int, default=1
        How many times to repeat, with other splits and first weights.
    random_state : int, RandomState instance or None, default=0
        Seed.

    Returns
    -------
    ProbeResult
        Accuracy, its spread over the seeds, and what was chosen.

    Raises
    ------
    ValueError
        If the kind is unknown or lengths differ.

    References
    ----------
    Hjelm et al., ICLR 2019, section 4.1.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.decomposition import PCA
    >>> from sk_infomax.evaluation import probe
    >>> X, y = load_digits(return_X_y=True)
    >>> pca = PCA(16, random_state=0).fit(X[:500])
    >>> probe(pca, X[:500], y[:500], X[500:], y[500:], "knn").accuracy > 0.9
    True
    """
    check_choice("kind", kind, PROBES)
    check_arguments(
        "probe",
        _CONSTRAINTS,
        settings=settings,
        validation_fraction=validation_fraction,
        n_seeds=n_seeds,
        random_state=random_state,
    )
    dtype = np.float32 if kind == "mlp" else float
    train, labels = _labelled(transformer, X_train, y_train, "_train", dtype)
    test, truth = _labelled(transformer, X_test, y_test, "_test", dtype)
    _refuse_other_width(train, test)
    _refuse_one_class(labels, "y_train")
    if (labels.dtype.kind in "UO") != (truth.dtype.kind in "UO"):
        raise ValueError(
            f"y_train holds {labels.dtype} and y_test {truth.dtype}. Give labels of one type."
        )
    scale = train.std() or 1.0
    train, test = train / scale, test / scale
    make, known = PROBES[kind]
    choices = tuple(known if settings is None else settings)
    if kind == "knn":
        choices = tuple(c for c in choices if c <= 0.5 * len(train)) or (max(1, len(train) // 2),)
    rng, found, chosen = check_random_state(random_state), [], []
    for seed in rng.randint(2**31 - 1, size=n_seeds):
        best = choices[0]
        if len(choices) > 1:
            best = _choose(make, choices, train, labels, validation_fraction, seed)
        model = make(best, seed).fit(train, labels)
        found.append(float(model.score(test, truth)))
        chosen.append(float(best))
    return ProbeResult(float(np.mean(found)), float(np.std(found)), tuple(chosen))


def _labelled(
    transformer: Transformer | None, X: Any, y: Any, part: str = "", dtype: Any = float
) -> tuple[np.ndarray, np.ndarray]:
    """Features (n, d) and labels (n,) of samples, or of a part such as "_train", checked."""
    Z, labels = features_of(transformer, X, dtype, f"X{part}"), labels_of(y, f"y{part}")
    if len(Z) != len(labels):
        raise ValueError(
            f"X{part} has {len(Z)} samples and y{part} {len(labels)} labels. Give one label for "
            "each sample."
        )
    return Z, labels


def _refuse_other_width(train: np.ndarray, test: np.ndarray) -> None:
    if train.shape[1] != test.shape[1]:
        raise ValueError(
            f"X_train has {train.shape[1]} features and X_test {test.shape[1]}. Give samples of "
            "one shape."
        )


def _refuse_one_class(labels: np.ndarray, argument: str) -> None:
    if len(np.unique(labels)) < _FEWEST_CLASSES:
        raise ValueError(
            f"{argument} has one class only, {labels[0]!r}: there is nothing to tell apart. Give "
            "samples of two classes or more."
        )


def _choose(make, choices, Z, y, validation_fraction: float, seed: int) -> float:
    """The setting that does best on held-out samples; the middle one of samples that are too few.

    That is where one class would be left to train on.
    """
    counts = np.unique(y, return_counts=True)[1]
    if len(y) - np.ceil(validation_fraction * len(y)) <= counts.max():
        return choices[len(choices) // 2]
    strata = y if counts.min() >= 2 and validation_fraction * len(y) >= len(counts) else None
    parts = train_test_split(
        Z, y, test_size=validation_fraction, random_state=seed, stratify=strata
    )
    scores = [make(c, seed).fit(parts[0], parts[2]).score(parts[1], parts[3]) for c in choices]
    return choices[int(np.argmax(scores))]


def probe_layers(
    transformer: Transformer,
    X_train: ArrayLike,
    y_train: ArrayLike,
    X_test: ArrayLike,
    y_test: ArrayLike,
    kind: str = "mlp",
    outputs: Sequence[str] = ("feature_map", "hidden", "embedding"),
    *,
    settings: Sequence[float] | None = None,
    validation_fraction: float = 0.2,
    n_seeds: int = 1,
    random_state: RandomState = 0,
) -> dict[str, ProbeResult]:
    """Probe several layers of an estimator, the paper's conv, fc and Y.

    The estimator's `output` is changed for each layer and is as it was afterwards, whatever
    happens.

    Parameters
    ----------
    transformer : DeepInfoMaxTransformer, or Pipeline that ends with one
        Fitted.
    X_train, y_train, X_test, y_test : array-like
        Samples (n, ...) with labels (n,), and those to test on.
    kind : {"svm", "logistic", "knn", "mlp"}, default="mlp"
        The classifier.
    outputs : sequence of str, default=("feature_map", "hidden", "embedding")
        Values of `output` to read.
    settings : sequence of float or None, default=None
        As in `probe`.
    validation_fraction : float, default=0.2
        As in `probe`.
    n_seeds : int, default=1
        As in `probe`.
    random_state : int, RandomState instance or None, default=0
        Seed; an int gives every layer the same splits.

    Returns
    -------
    dict of str to ProbeResult
        For each layer.

    Raises
    ------
    TypeError
        If the transformer has no parameter `output`.
    ValueError
        If a layer or the kind is unknown, or lengths differ.

    References
    ----------
    Hjelm et al., ICLR 2019, section 4.1.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_infomax import DeepInfoMaxTransformer
    >>> from sk_infomax.evaluation import probe_layers
    >>> X = np.random.RandomState(0).normal(size=(60, 8))
    >>> y = (X[:, 0] > 0).astype(int)
    >>> dim = DeepInfoMaxTransformer(4, max_epochs=1, random_state=0).fit(X)
    >>> results = probe_layers(dim, X[:40], y[:40], X[40:], y[40:], "knn")
    >>> list(results)
    ['feature_map', 'hidden', 'embedding']
    """
    owner = transformer[-1] if isinstance(transformer, Pipeline) else transformer
    if not hasattr(owner, "output"):
        raise TypeError(
            f"{type(owner).__name__} has no parameter output to choose a layer with. Give a "
            "DeepInfoMaxTransformer, or use probe."
        )
    for output in outputs:
        if output not in OUTPUTS:
            raise ValueError(f"outputs has {output!r}, no layer: {closest_name(output, OUTPUTS)}")
    results, before = {}, owner.output
    try:
        for output in outputs:
            owner.output = output
            results[output] = probe(
                transformer,
                X_train,
                y_train,
                X_test,
                y_test,
                kind,
                settings=settings,
                validation_fraction=validation_fraction,
                n_seeds=n_seeds,
                random_state=random_state,
            )
    finally:
        owner.output = before
    return results


def probe_score(
    transformer: Transformer | None,
    X: ArrayLike,
    y: ArrayLike,
    kind: str = "logistic",
    cv: int = 3,
) -> float:
    """Cross-validated accuracy of a probe on the features of X, for ``scoring``.

    Parameters
    ----------
    transformer : object with `transform`, or None
        Fitted; None takes the samples as features.
    X : array-like of shape (n, ...)
        Samples.
    y : array-like of shape (n,)
        Labels.
    kind : {"svm", "logistic", "knn", "mlp"}, default="logistic"
        The classifier, with the middle one of its settings.
    cv : int, default=3
        Number of folds.

    Returns
    -------
    float
        Mean accuracy over the folds.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.decomposition import PCA
    >>> from sklearn.model_selection import GridSearchCV
    >>> from sk_infomax.evaluation import probe_score
    >>> X, y = load_digits(return_X_y=True)
    >>> sizes = {"n_components": [2, 16]}
    >>> search = GridSearchCV(PCA(random_state=0), sizes, scoring=probe_score, cv=2)
    >>> search.fit(X[:200], y[:200]).best_params_
    {'n_components': 16}
    """
    check_choice("kind", kind, PROBES)
    check_arguments("probe_score", _CONSTRAINTS, cv=cv)
    Z, labels = _labelled(transformer, X, y)
    _refuse_one_class(labels, "y")
    largest = int(np.unique(labels, return_counts=True)[1].max())
    if cv > largest:
        raise ValueError(
            f"cv={cv} is more than the {largest} samples of the largest class of y. Lower cv."
        )
    setting = PROBES[kind][1][len(PROBES[kind][1]) // 2]
    folds = StratifiedKFold(cv, shuffle=True, random_state=0).split(Z, labels)
    return float(
        np.mean(
            [
                probe(None, Z[a], labels[a], Z[b], labels[b], kind, settings=[setting]).accuracy
                for a, b in folds
            ]
        )
    )


def label_efficiency(
    transformer: Transformer | None,
    X_train: ArrayLike,
    y_train: ArrayLike,
    X_test: ArrayLike,
    y_test: ArrayLike,
    n_labels: Iterable[int] = (5, 10, 50, 100),
    *,
    kind: str = "logistic",
    setting: float | None = None,
    n_draws: int = 5,
    random_state: RandomState = 0,
) -> dict[int, ProbeResult]:
    """Accuracy of a probe against the number of labels for each class.

    Parameters
    ----------
    transformer : object with `transform`, or None
        Fitted; None takes the samples as features.
    X_train, y_train, X_test, y_test : array-like
        Samples (n, ...) with labels (n,), and those to test on.
    n_labels : iterable of int, default=(5, 10, 50, 100)
        Labels for each class.
    kind : {"svm", "logistic", "knn", "mlp"}, default="logistic"
        The classifier.
    setting : float or None, default=None
        Its setting, chosen beforehand: so few labels leave none to choose by. None is C = 1, one
        neighbour, or no weight decay.
    n_draws : int, default=5
        How many random sets of labels; they are the same for every transformer.
    random_state : int, RandomState instance or None, default=0
        Seed of the draws.

    Returns
    -------
    dict of int to ProbeResult
        For each number of labels, mean and standard deviation over the draws.

    Raises
    ------
    ValueError
        If a class has fewer labels than asked for.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.decomposition import PCA
    >>> from sk_infomax.evaluation import label_efficiency
    >>> X, y = load_digits(return_X_y=True)
    >>> pca, parts = PCA(16).fit(X), (X[:500], y[:500], X[500:], y[500:])
    >>> curve = label_efficiency(pca, *parts, n_labels=(1, 20), n_draws=2)
    >>> curve[20].accuracy > curve[1].accuracy
    True
    """
    check_choice("kind", kind, PROBES)
    checked = {"setting": setting, "n_draws": n_draws, "random_state": random_state}
    check_arguments("label_efficiency", _CONSTRAINTS, **checked)
    n_labels = _counts_of(n_labels)
    if setting is None:
        setting = _WITH_FEW_LABELS.get(kind, 1.0)
    train, labels = _labelled(transformer, X_train, y_train, "_train")
    test, _ = _labelled(transformer, X_test, y_test, "_test")
    _refuse_other_width(train, test)
    _refuse_one_class(labels, "y_train")
    classes, counts = np.unique(labels, return_counts=True)
    rng, curve = check_random_state(random_state), {}
    for n in n_labels:
        if n > counts.min():
            raise ValueError(
                f"n_labels={n} is more than the {counts.min()} samples of class "
                f"{classes[counts.argmin()]!r}. Ask for fewer."
            )
        found = []
        for _ in range(n_draws):
            rows = np.concatenate(
                [rng.choice(np.flatnonzero(labels == c), n, replace=False) for c in classes]
            )
            result = probe(None, train[rows], labels[rows], test, y_test, kind, settings=[setting])
            found.append(result.accuracy)
        curve[n] = ProbeResult(float(np.mean(found)), float(np.std(found)), (setting,) * n_draws)
    return curve


def _counts_of(n_labels: Any) -> list[int]:
    """Numbers of labels, checked."""
    try:
        counts = list(n_labels)
    except TypeError as error:
        raise TypeError(
            f"n_labels={n_labels!r} must be a list of numbers of labels, for example (5, 10)."
        ) from error
    for n in counts:
        if isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 1:
            raise ValueError(f"n_labels has {n!r}: give integers of 1 or more.")
    return counts

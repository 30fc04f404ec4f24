"""Which features win on the user's own data: cross-validated, with errors of the differences."""

from __future__ import annotations

import html
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import ArrayLike
from scipy import sparse, stats
from sklearn.base import clone
from sklearn.linear_model import RidgeClassifierCV, RidgeCV
from sklearn.metrics import get_scorer
from sklearn.model_selection import KFold, StratifiedKFold, check_cv
from sklearn.utils import check_consistent_length, check_random_state
from sklearn.utils.multiclass import type_of_target

from .._checks import check_choice, take_samples
from .._shown import tell
from ..deep_infomax import DeepInfoMaxTransformer
from ._features import RandomState
from ._rivals import Values, cheap_rivals, layout_of

__all__ = ["Comparison", "compare"]

_OURS, _RAW, _BOTH = "DeepInfoMax", "raw", "raw + DeepInfoMax"
# Labels a class, or of all, that probes see, as in tables of the field; None for all of them.
_FEW = {"classification": (5, 10, None), "regression": (50, 100, None)}
_PENALTIES = np.logspace(-6, 1, 15)  # of the ridge probe, as parts of the variance of all columns
_MOST_CLASSES = 20  # different numbers up to which a target holds classes, not amounts (a rule)
_EACH = 10  # samples of each number above which many different ones are classes all the same
_CONFIDENCE = 0.95  # of the margin of a difference
_TINY = 1e-12  # least size of features to divide by


@dataclass(frozen=True)
class Comparison:
    """What `compare` found; prints as a table, in a terminal and in a notebook.

    Parameters
    ----------
    methods : tuple of str
        Names, in the order of the table.
    n_labels : tuple of int or None
        Labels for each class (of a regression target, labels in all) that the probe had; None for
        all of them.
    scores : ndarray of shape (n_methods, n_n_labels, n_folds)
        Of each fold, the mean over draws of few labels.
    seconds : ndarray of shape (n_methods, n_folds)
        Wall time of fit and transform.
    n_features : ndarray of shape (n_methods,)
        Columns that the probe got, of the first fold.
    test_share : float
        Test samples for each training sample, in the mean of the folds.
    scoring : str
        Name of the score, of which larger is better.
    task : {"classification", "regression"}
        What the target was taken for.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_infomax.evaluation import Comparison
    >>> scores = np.array([[[0.7, 0.8, 0.75]], [[0.9, 0.95, 0.9]]])
    >>> found = Comparison(
    ...     ("raw", "ours"), (None,), scores, np.ones((2, 3)), np.array([4, 9]), 0.5, "accuracy",
    ...     "classification"
    ... )
    >>> found.best()
    'ours'
    >>> print(found.verdict)
    With all labels ours leads (0.917). Next is raw, 0.167 ± 0.113 (95 %) behind: a clear lead.
    """

    methods: tuple[str, ...]
    n_labels: tuple[int | None, ...]
    scores: np.ndarray
    seconds: np.ndarray
    n_features: np.ndarray
    test_share: float
    scoring: str
    task: str

    def best(self, n_labels: int | None = None) -> str:
        """The method of the largest mean score.

        Parameters
        ----------
        n_labels : int or None, default=None
            With how many labels; None for all.

        Returns
        -------
        str
            Its name.
        """
        return self.methods[int(self._means()[:, self._place(n_labels)].argmax())]

    def rows(self) -> list[dict[str, Any]]:
        """The table as dictionaries, one for each method and number of labels.

        Returns
        -------
        list of dict
            With "method", "n_labels", "mean", "std" (over folds), "difference" to the best method
            of the same folds, its standard "error" and the "margin" of 95 % that follows from it by
            Student's t for so many folds, "beyond_margin" (None for the best
            itself), "n_features" and "seconds" for one fold.
        """
        found = []
        for place, labels in enumerate(self.n_labels):
            difference, error, margin = self._differences(place)
            for i, method in enumerate(self.methods):
                is_best = method == self.best(labels)
                found.append(
                    {
                        "method": method,
                        "n_labels": labels,
                        "mean": float(self.scores[i, place].mean()),
                        "std": float(self.scores[i, place].std(ddof=1)),
                        "difference": float(difference[i]),
                        "error": float(error[i]),
                        "margin": float(margin[i]),
                        "beyond_margin": None if is_best else bool(-difference[i] > margin[i]),
                        "n_features": int(self.n_features[i]),
                        "seconds": float(self.seconds[i].mean()),
                    }
                )
        return found

    def as_frame(self) -> Any:
        """The table of `rows` as a frame of pandas.

        Returns
        -------
        pandas.DataFrame
            One row for each method and number of labels.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        try:
            import pandas as pd
        except ImportError as error:
            raise ImportError(
                "as_frame needs pandas: pip install pandas. rows() gives the same without."
            ) from error
        return pd.DataFrame(self.rows())

    @property
    def verdict(self) -> str:
        """Which method leads, and whether by more than the margin of the difference."""
        return "\n".join(self._sentence(place) for place in range(len(self.n_labels)))

    def _sentence(self, place: int) -> str:
        means = self._means()[:, place]
        order = np.argsort(-means, kind="stable")
        best = self.methods[order[0]]
        said = f"With {self._label(place)} {best} leads ({means[order[0]]:.3f})."
        if len(order) == 1:
            return said
        difference, _, margin = self._differences(place)
        beyond = -difference > margin
        i = order[1]
        behind = f"{abs(difference[i]):.3f} ± {margin[i]:.3f} (95 %) behind: "
        said += f" Next is {self.methods[i]}, {behind}"
        said += "a clear lead." if beyond[i] else "no clear lead."
        level = [self.methods[j] for j in order[2:] if not beyond[j]]
        return said + (f" Not clearly behind: {', '.join(level)}." if level else "")

    def _means(self) -> np.ndarray:
        """Mean scores (methods, numbers of labels)."""
        return self.scores.mean(2)

    def _differences(self, place: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Differences to the best method, their standard errors, and margins of 95 %.

        Training sets of folds overlap, for which the variance is corrected (Nadeau and Bengio).
        """
        scores = self.scores[:, place]
        n_folds = scores.shape[1]
        paired = scores - scores[self._means()[:, place].argmax()]
        variance = paired.var(1, ddof=1) * (1 / n_folds + self.test_share)
        error, difference = np.sqrt(variance), paired.mean(1)
        return difference, error, stats.t.ppf((1 + _CONFIDENCE) / 2, n_folds - 1) * error

    def _place(self, n_labels: int | None) -> int:
        if n_labels not in self.n_labels:
            raise ValueError(f"n_labels={n_labels!r} was not compared: use one of {self.n_labels}.")
        return self.n_labels.index(n_labels)

    def _label(self, place: int) -> str:
        labels = self.n_labels[place]
        if labels is None:
            return "all labels"
        return f"{labels} a class" if self.task == "classification" else f"{labels} labels"

    def _cells(self) -> list[list[str]]:
        """The table as text: a head, and a line for each method."""
        places = range(len(self.n_labels))
        head = ["method", *(self._label(place) for place in places), "columns", "seconds"]
        lines = [head]
        best = [self.best(labels) for labels in self.n_labels]
        for i, method in enumerate(self.methods):
            values = []
            for place in places:
                score, mark = self.scores[i, place], "*" if best[place] == method else " "
                values.append(f"{score.mean():.3f} ± {score.std(ddof=1):.3f}{mark}")
            seconds = f"{self.seconds[i].mean():.1f}"
            lines.append([method, *values, str(self.n_features[i]), seconds])
        return lines

    def _caption(self) -> str:
        return (
            f"{self.scoring}: mean ± deviation over {self.scores.shape[2]} folds, * the best; "
            "seconds of fit and transform for a fold"
        )

    def __str__(self) -> str:
        cells = self._cells()
        widths = [max(len(line[i]) for line in cells) for i in range(len(cells[0]))]
        lines = ["  ".join(map(str.rjust, line, widths)) for line in cells]
        lines = [line[0].ljust(widths[0]) + text[widths[0] :] for line, text in zip(cells, lines)]
        return "\n".join([self._caption(), *lines, self.verdict])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        head, *lines = self._cells()
        rows = ["".join(f"<th>{html.escape(cell)}</th>" for cell in head)]
        rows += ["".join(f"<td>{html.escape(cell)}</td>" for cell in line) for line in lines]
        table = "".join(f"<tr>{row}</tr>" for row in rows)
        said = "<br>".join(map(html.escape, self.verdict.splitlines()))
        caption = html.escape(self._caption())
        return f"<table><caption>{caption}</caption>{table}</table><p>{said}</p>"


def compare(
    X: Any,
    y: ArrayLike,
    *,
    transformer: DeepInfoMaxTransformer | None = None,
    methods: Mapping[str, Any] | None = None,
    rivals: bool = True,
    probe: Any = None,
    task: str = "auto",
    n_labels: Sequence[int | None] | str = "auto",
    n_draws: int = 5,
    cv: Any = 5,
    groups: ArrayLike | None = None,
    scoring: str | Callable | None = None,
    n_jobs: int | None = None,
    random_state: RandomState = 0,
    verbose: int = 0,
) -> Comparison:
    """Compare features on data of your own, with all labels and with few.

    Raw values, the usual cheap features of the kind of data, `DeepInfoMaxTransformer`, and raw
    values beside it are cross-validated under one probe. Features are found on the training
    samples of a fold without their labels; the probe then gets all of these labels or a few, drawn
    several times and the same for all methods; test samples are only scored.

    Parameters
    ----------
    X : array-like
        Samples, as `DeepInfoMaxTransformer` takes them: tables (frames of mixed columns and sparse
        ones too), series or images.
    y : array-like of shape (n,)
        Classes, or numbers for regression.
    transformer : DeepInfoMaxTransformer or None, default=None
        Ours, not fitted; None is ``DeepInfoMaxTransformer()``. It also says what samples are, for
        instance by `sample_shape`.
    methods : dict of str to transformer, or None, default=None
        Further methods, not fitted: anything with `fit` and `transform`. One of the name of a
        default method takes its place.
    rivals : bool, default=True
        Whether cheap features are among the methods: principal components, and for tables
        Nystroem's kernel features, for series MiniRocket (if `aeon` is installed, else fixed
        kernels with thresholds), for images a dictionary of patches.
    probe : estimator or None, default=None
        What is trained on features with labels; they have a mean squared norm of 1. None is ridge
        regression, for classes `RidgeClassifierCV`, whose penalty is chosen by leaving one out.
    task : {"auto", "classification", "regression"}, default="auto"
        What the target is. "auto" takes numbers of more than 20 different values, of which there
        are fewer than 10 samples each in the mean, for regression.
    n_labels : sequence of int or None, or "auto", default="auto"
        How many labels of each class the probe gets; for regression, how many in all. None stands
        for all. "auto" is (5, 10, None), for regression (50, 100, None), without what is more than
        there is.
    n_draws : int, default=5
        How many times few labels are drawn in each fold.
    cv : int, splitter or iterable, default=5
        Number of folds, shuffled (and stratified for classes), or as in scikit-learn.
    groups : array-like of shape (n,) or None, default=None
        For splitters that keep groups together.
    scoring : str, callable or None, default=None
        A score by name, or ``scorer(probe, features, y)``. None is accuracy, for regression R2.
    n_jobs : int or None, default=None
        Folds at once, as in joblib.
    random_state : int, RandomState instance or None, default=0
        Seed of folds, draws and default methods.
    verbose : int, default=0
        1 logs each fold that is done, as "sk_infomax"; on stderr where logging is not set up.

    Returns
    -------
    Comparison
        Prints as a table that says which method leads, and whether by more than the margin of 95 %
        of the paired differences over folds, corrected for their overlap [1]_.

    Raises
    ------
    ValueError
        For data that ours does not take, targets that do not fit, more labels than there are, or
        fewer than two folds.

    References
    ----------
    .. [1] Nadeau and Bengio, Inference for the generalization error, Machine Learning 52, 2003.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sk_infomax.evaluation import compare
    >>> X, y = load_iris(return_X_y=True)
    >>> found = compare(X, y, cv=3, n_labels=[5, None], n_draws=2)
    >>> found.methods
    ('raw', 'PCA', 'Nystroem', 'DeepInfoMax', 'raw + DeepInfoMax')
    >>> found.scores.shape
    (5, 2, 3)
    """
    rng = check_random_state(random_state)
    check_consistent_length(X, y)
    reader = DeepInfoMaxTransformer() if transformer is None else transformer
    labels, task = _read_target(y, task)
    layout = layout_of(clone(reader), X)
    seed = int(rng.randint(2**31 - 1))
    folds = _folds(cv, X, labels, groups, task, seed)
    counts = _counts(n_labels, labels, folds, task)
    contestants = _contestants(reader, layout, methods, rivals, seed)
    scorer = get_scorer(scoring or ("accuracy" if task == "classification" else "r2"))
    judge = Judge(task, probe, scorer, counts, int(n_draws))
    jobs = (
        delayed(_run_fold)(contestants, judge, X, labels, fold, seed + i, verbose)
        for i, fold in enumerate(folds)
    )
    found = Parallel(n_jobs=n_jobs)(jobs)
    return Comparison(
        methods=tuple(found[0]),
        n_labels=counts,
        scores=np.array([[f[name].scores for f in found] for name in found[0]]).transpose(0, 2, 1),
        seconds=np.array([[f[name].seconds for f in found] for name in found[0]]),
        n_features=np.array([found[0][name].n_features for name in found[0]]),
        test_share=float(np.mean([len(test) / len(train) for train, test in folds])),
        scoring=_name_of(scoring, task),
        task=task,
    )


@dataclass(frozen=True)
class Judge:
    """The probe, and with how many labels it is trained.

    Parameters
    ----------
    task : {"classification", "regression"}
        What targets are.
    probe : estimator or None
        What is trained; None is ridge regression.
    scorer : callable
        Called with a probe, features and targets.
    n_labels : tuple of int or None
        For each class, or in all for regression.
    n_draws : int
        Of few labels.
    """

    task: str
    probe: Any
    scorer: Callable
    n_labels: tuple[int | None, ...]
    n_draws: int

    def scores(self, train: Any, test: Any, y_train: np.ndarray, y_test: np.ndarray, seed: int):
        """Score for each number of labels, of features of training and of test samples."""
        size = max(_TINY, _mean_square(train) ** 0.5)
        train, test, found = train / size, test / size, []
        for count in self.n_labels:
            draws = self._draws(y_train, count, seed)
            probes = (self._make(len(rows)).fit(train[rows], y_train[rows]) for rows in draws)
            found.append(float(np.mean([self.scorer(p, test, y_test) for p in probes])))
        return found

    def _draws(self, y: np.ndarray, count: int | None, seed: int) -> list[np.ndarray]:
        """Rows whose labels the probe gets, the same for each method."""
        if count is None:
            return [np.arange(len(y))]
        rng = np.random.RandomState(seed)
        if self.task == "regression":
            return [rng.permutation(len(y))[:count] for _ in range(self.n_draws)]
        return [
            np.concatenate([rng.permutation(np.flatnonzero(y == c))[:count] for c in np.unique(y)])
            for _ in range(self.n_draws)
        ]

    def _make(self, n: int) -> Any:
        """A probe for n samples."""
        if self.probe is not None:
            return clone(self.probe)
        ridge = RidgeClassifierCV if self.task == "classification" else RidgeCV
        return ridge(alphas=n * _PENALTIES)


@dataclass(frozen=True)
class Outcome:
    """What a method reached in a fold.

    Parameters
    ----------
    scores : list of float
        For each number of labels.
    seconds : float
        Of fit and transform.
    n_features : int
        Columns that the probe got.
    """

    scores: list[float]
    seconds: float
    n_features: int


def _run_fold(
    contestants: dict[str, Any], judge: Judge, X: Any, y: np.ndarray, fold: Any, seed: int, verbose
) -> dict[str, Outcome]:
    """Outcome of each method in a fold."""
    rows_train, rows_test = fold
    parts = take_samples(X, rows_train), take_samples(X, rows_test)
    targets = y[rows_train], y[rows_test]
    found: dict[str, Outcome] = {}
    kept: dict[str, tuple[Any, Any]] = {}
    for name, method in contestants.items():
        start = time.perf_counter()
        features = _beside(kept) if name == _BOTH else _features(name, method, *parts)
        seconds = time.perf_counter() - start
        if name == _BOTH:
            seconds += found[_RAW].seconds + found[_OURS].seconds
        if name in (_RAW, _OURS):
            kept[name] = features
        scores = judge.scores(*features, *targets, seed)
        found[name] = Outcome(scores, seconds, features[0].shape[1])
    if verbose:
        reached = ", ".join(f"{name} {outcome.scores[-1]:.3f}" for name, outcome in found.items())
        tell(f"fold of {len(rows_test)} test samples: {reached}")
    return found


def _features(name: str, method: Any, train: Any, test: Any) -> tuple[Any, Any]:
    """Features of training and of test samples, found without labels."""
    try:
        fitted = clone(method).fit(train)
        return _flat(fitted.transform(train)), _flat(fitted.transform(test))
    except Exception as error:
        error.add_note(f"This was the method {name!r} of the comparison.")
        raise


def _flat(features: Any) -> Any:
    """Features as a matrix (n, d), sparse ones as rows that can be indexed."""
    if sparse.issparse(features):
        return sparse.csr_matrix(features)
    features = np.asarray(features, dtype=np.float64)
    return features.reshape(len(features), -1)


def _beside(kept: dict[str, tuple[Any, Any]]) -> tuple[Any, Any]:
    """Raw values and ours side by side, each of one mean squared norm."""
    sizes = [max(_TINY, _mean_square(train) ** 0.5) for train, _ in kept.values()]
    both = []
    for part in (0, 1):
        sides = [pair[part] / size for pair, size in zip(kept.values(), sizes)]
        if any(map(sparse.issparse, sides)):
            both.append(sparse.hstack(sides, format="csr"))
        else:
            both.append(np.hstack(sides))
    return both[0], both[1]


def _mean_square(features: Any) -> float:
    """Mean squared distance from the mean; of sparse features, mean squared norm."""
    if sparse.issparse(features):
        return float(features.multiply(features).sum() / features.shape[0])
    return float(features.var(0).sum())


# What is compared, and with what --------------------------------------------------------------


def _contestants(reader, layout, methods, rivals: bool, seed: int) -> dict[str, Any]:
    """Methods by name, the default ones first, raw values beside ours last."""
    ours = clone(reader)
    if ours.random_state is None:
        ours.set_params(random_state=seed)
    found = {_RAW: Values(clone(reader))}
    found |= cheap_rivals(clone(reader), layout, seed) if rivals else {}
    found |= {_OURS: ours, **(methods or {})}
    for name, method in found.items():
        if not (hasattr(method, "fit") and hasattr(method, "transform")):
            raise TypeError(
                f"methods[{name!r}] is a {type(method).__name__}, which has no fit and transform."
            )
    return found | {_BOTH: found.pop(_BOTH, "both")}


def _read_target(y: ArrayLike, task: str) -> tuple[np.ndarray, str]:
    """The target as an array, and what it is."""
    check_choice("task", task, ("auto", *_FEW))
    labels = np.asarray(y)
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels.ravel()
    kind = type_of_target(labels, input_name="y")
    if kind not in ("binary", "multiclass", "continuous"):
        raise ValueError(
            f"y is a {kind} target of shape {labels.shape}. Give one column of classes or numbers."
        )
    if task == "auto":
        n_values = len(np.unique(labels))
        many = n_values > _MOST_CLASSES and len(labels) < _EACH * n_values
        is_number = labels.dtype.kind in "iuf"
        task = "regression" if kind == "continuous" or (is_number and many) else "classification"
    if task == "classification" and kind == "continuous":
        raise ValueError("y holds numbers that are no classes: task='regression' takes them.")
    if task == "regression" and labels.dtype.kind not in "iufb":
        raise ValueError("y holds no numbers: task='classification' takes labels.")
    return labels, task


def _folds(cv, X, y: np.ndarray, groups, task: str, seed: int) -> list[tuple[Any, Any]]:
    """Rows to train and to test on, at least twice."""
    if isinstance(cv, int | np.integer) and cv > 1:
        splitter = StratifiedKFold if task == "classification" else KFold
        cv = splitter(cv, shuffle=True, random_state=seed)
    rows = np.arange(len(y))
    folds = list(check_cv(cv, y, classifier=task == "classification").split(rows, y, groups))
    if len(folds) < 2:
        raise ValueError(f"cv={cv!r} gives {len(folds)} fold; errors need two or more.")
    return folds


def _counts(n_labels, y: np.ndarray, folds, task: str) -> tuple[int | None, ...]:
    """Numbers of labels to compare with, checked against what the folds have."""
    if task == "classification":
        smallest = [np.unique(y[train], return_counts=True)[1].min() for train, _ in folds]
        what = "samples of the smallest class"
    else:
        smallest, what = [len(train) for train, _ in folds], "samples"
    most = int(min(smallest))
    if isinstance(n_labels, str):
        check_choice("n_labels", n_labels, ("auto",))
        return tuple(n for n in _FEW[task] if n is None or n < most)
    found = tuple(dict.fromkeys(n_labels))
    for n in found:
        if n is not None and not (isinstance(n, int | np.integer) and 1 <= n <= most):
            raise ValueError(
                f"n_labels has {n!r}: each is None or a whole number from 1 to {most}, the "
                f"{what} that a training fold has."
            )
    if not found:
        raise ValueError("n_labels is empty: give numbers, or None for all labels.")
    return found


def _name_of(scoring: Any, task: str) -> str:
    if scoring is None:
        return "accuracy" if task == "classification" else "R2"
    return scoring if isinstance(scoring, str) else getattr(scoring, "__name__", str(scoring))

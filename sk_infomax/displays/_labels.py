"""How accuracy grows with the number of labels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..evaluation import Comparison, ProbeResult, label_efficiency
from ._axes import COLOURS, LINES, MARKERS, Display

__all__ = ["LabelEfficiencyDisplay"]


class LabelEfficiencyDisplay(Display):
    """Accuracy of a probe against the labels of each class, with a band of one deviation.

    Parameters
    ----------
    curves : dict of str to dict of int to ProbeResult
        For each method, what `sk_infomax.evaluation.label_efficiency` gives.
    scoring : str, default="accuracy"
        What the results are. Accuracy is drawn in per cent, anything else as it is.
    per_class : bool, default=True
        Whether labels are counted for each class or, of a regression, in all.

    Attributes
    ----------
    ax_, figure_ : matplotlib Axes and Figure
        Of the last drawing.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.decomposition import PCA
    >>> from sk_infomax.displays import LabelEfficiencyDisplay
    >>> X, y = load_digits(return_X_y=True)
    >>> parts = X[:900], y[:900], X[900:], y[900:]
    >>> methods = {"raw": None, "PCA": PCA(16).fit(X[:900])}
    >>> display = LabelEfficiencyDisplay.from_estimators(methods, *parts, n_labels=(2, 10))
    >>> sorted(display.curves)
    ['PCA', 'raw']
    """

    def __init__(
        self,
        curves: Mapping[str, Mapping[int, ProbeResult]],
        scoring: str = "accuracy",
        per_class: bool = True,
    ):
        self.curves = curves
        self.scoring = scoring
        self.per_class = per_class

    @classmethod
    def from_estimators(
        cls,
        estimators: Mapping[str, Any],
        X_train: ArrayLike,
        y_train: ArrayLike,
        X_test: ArrayLike,
        y_test: ArrayLike,
        *,
        n_labels: Iterable[int] = (5, 10, 50, 100),
        kind: str = "logistic",
        n_draws: int = 5,
        random_state: int | None = 0,
        ax: Any = None,
    ) -> LabelEfficiencyDisplay:
        """Judge fitted transformers with few labels, and draw the curves.

        Parameters
        ----------
        estimators : dict of str to object with `transform`, or None
            Fitted, by the name in the legend; None takes the samples themselves.
        X_train, y_train, X_test, y_test : array-like
            Samples (n, ...) with labels (n,), and those to test on.
        n_labels : iterable of int, default=(5, 10, 50, 100)
            Labels of each class.
        kind : {"svm", "logistic", "knn", "mlp"}, default="logistic"
            The probe.
        n_draws : int, default=5
            How many random sets of labels, the same for every transformer.
        random_state : int or None, default=0
            Seed of the draws.
        ax : matplotlib Axes or None, default=None
            None makes a figure.

        Returns
        -------
        LabelEfficiencyDisplay
            Drawn.

        Raises
        ------
        ValueError
            If no estimator is given, or a class has fewer labels than asked for.
        """
        if not estimators:
            raise ValueError("estimators is empty: give at least one, such as {'raw': None}.")
        counts, parts = tuple(n_labels), (X_train, y_train, X_test, y_test)
        curves = {
            name: label_efficiency(
                model, *parts, counts, kind=kind, n_draws=n_draws, random_state=random_state
            )
            for name, model in estimators.items()
        }
        return cls(curves).plot(ax=ax)

    @classmethod
    def from_comparison(cls, comparison: Comparison, *, ax: Any = None) -> LabelEfficiencyDisplay:
        """Draw what `sk_infomax.evaluation.compare` found with few labels.

        The band is one deviation over the folds. Scores with all labels, which are no number of
        labels of each class, stay in the table.

        Parameters
        ----------
        comparison : Comparison
            With at least one number of labels that is not None.
        ax : matplotlib Axes or None, default=None
            None makes a figure.

        Returns
        -------
        LabelEfficiencyDisplay
            Drawn.

        Raises
        ------
        ValueError
            If the comparison was made with all labels alone.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from sk_infomax.displays import LabelEfficiencyDisplay
        >>> from sk_infomax.evaluation import compare
        >>> X, y = load_iris(return_X_y=True)
        >>> found = compare(X, y, cv=3, n_labels=[3, 10], n_draws=2)
        >>> list(LabelEfficiencyDisplay.from_comparison(found).curves["raw"])
        [3, 10]
        """
        few = {i: n for i, n in enumerate(comparison.n_labels) if n is not None}
        if not few:
            raise ValueError(
                f"n_labels={comparison.n_labels} of the comparison has all labels alone, which "
                "make no curve: compare(X, y, n_labels=(5, 10, None))."
            )
        curves = {
            method: {n: _result_of(comparison.scores[row, i]) for i, n in few.items()}
            for row, method in enumerate(comparison.methods)
        }
        per_class = comparison.task == "classification"
        return cls(curves, comparison.scoring, per_class).plot(ax=ax)

    def _draw(self) -> None:
        counts: set[int] = set()
        factor = 100 if self.scoring == "accuracy" else 1
        for i, (name, curve) in enumerate(self.curves.items()):
            colour, x = COLOURS[i % len(COLOURS)], sorted(curve)
            means = factor * np.array([curve[count].accuracy for count in x])
            spread = factor * np.array([curve[count].std for count in x])
            style = MARKERS[i % len(MARKERS)] + LINES[i % len(LINES)]
            self.ax_.plot(x, means, style, color=colour, markersize=4, label=name)
            self.ax_.fill_between(
                x, means - spread, means + spread, color=colour, alpha=0.2, linewidth=0
            )
            counts |= set(x)
        said = "test accuracy (%)" if self.scoring == "accuracy" else f"test {self.scoring}"
        labels = "labels of each class" if self.per_class else "labels"
        self.ax_.set(xscale="log", xlabel=labels, ylabel=said)
        self.ax_.set_xticks(sorted(counts), [str(count) for count in sorted(counts)])
        self.ax_.minorticks_off()
        self.ax_.legend()


def _result_of(scores: np.ndarray) -> ProbeResult:
    """Mean and deviation over folds (n_folds,)."""
    return ProbeResult(float(scores.mean()), float(scores.std(ddof=1)), ())

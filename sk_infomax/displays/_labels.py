"""How accuracy grows with the number of labels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..evaluation import ProbeResult, label_efficiency
from ._axes import COLOURS, LINES, MARKERS, Display

__all__ = ["LabelEfficiencyDisplay"]


class LabelEfficiencyDisplay(Display):
    """Accuracy of a probe against the labels of each class, with a band of one deviation.

    Parameters
    ----------
    curves : dict of str to dict of int to ProbeResult
        For each method, what `sk_infomax.evaluation.label_efficiency` gives.

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

    def __init__(self, curves: Mapping[str, Mapping[int, ProbeResult]]):
        self.curves = curves

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

    def _draw(self) -> None:
        counts: set[int] = set()
        for i, (name, curve) in enumerate(self.curves.items()):
            colour, x = COLOURS[i % len(COLOURS)], list(curve)
            means = 100 * np.array([result.accuracy for result in curve.values()])
            spread = 100 * np.array([result.std for result in curve.values()])
            style = MARKERS[i % len(MARKERS)] + LINES[i % len(LINES)]
            self.ax_.plot(x, means, style, color=colour, markersize=4, label=name)
            self.ax_.fill_between(
                x, means - spread, means + spread, color=colour, alpha=0.2, linewidth=0
            )
            counts |= set(x)
        self.ax_.set(xscale="log", xlabel="labels of each class", ylabel="test accuracy (%)")
        self.ax_.set_xticks(sorted(counts), [str(count) for count in sorted(counts)])
        self.ax_.minorticks_off()
        self.ax_.legend()

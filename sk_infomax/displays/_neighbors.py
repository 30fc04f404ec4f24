"""Samples beside those whose features are most like theirs."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from sklearn.neighbors import NearestNeighbors
from sklearn.utils.validation import check_is_fitted

from ..deep_infomax import DeepInfoMaxTransformer
from ..evaluation._features import features_of
from ._axes import chosen_of, draw_sample, grid_for, samples_of

__all__ = ["NeighborsDisplay"]

_QUERIES = 5  # drawn, unless others are asked for (rule of thumb)


class NeighborsDisplay:
    """Each row is a sample, and the samples nearest to it in the space of features.

    Parameters
    ----------
    samples : ndarray of shape (q, 1 + k, c, h, w) or (q, 1 + k, c, t)
        What is drawn, row by row.
    queries : ndarray of shape (q,)
        Indices of the samples in the first column.
    neighbors : ndarray of shape (q, k)
        Indices of their neighbours, nearest first.

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes of shape (q, 1 + k)
        Of the last drawing.
    figure_ : matplotlib Figure
        Of the last drawing.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sk_infomax import DeepInfoMaxTransformer
    >>> from sk_infomax.displays import NeighborsDisplay
    >>> X = load_digits().images[:200]
    >>> model = DeepInfoMaxTransformer(encoder="strided", max_epochs=2, random_state=0).fit(X)
    >>> display = NeighborsDisplay.from_estimator(model, X, queries=[0, 1], n_neighbors=4)
    >>> display.neighbors.shape
    (2, 4)
    """

    def __init__(self, samples: np.ndarray, queries: np.ndarray, neighbors: np.ndarray):
        self.samples = samples
        self.queries = queries
        self.neighbors = neighbors

    @classmethod
    def from_estimator(
        cls,
        estimator: DeepInfoMaxTransformer,
        X: ArrayLike,
        *,
        queries: ArrayLike | None = None,
        n_neighbors: int = 8,
    ) -> NeighborsDisplay:
        """Transform samples, find the neighbours of some, and draw them.

        Parameters
        ----------
        estimator : DeepInfoMaxTransformer
            Fitted to images or series.
        X : array-like
            Samples.
        queries : array-like of int or None, default=None
            Indices of samples whose neighbours are drawn; None is five, evenly spread.
        n_neighbors : int, default=8
            Neighbours of each.

        Returns
        -------
        NeighborsDisplay
            Drawn.

        Raises
        ------
        ValueError
            If samples are rows of a table, if there are too few, or none of such an index.
        """
        check_is_fitted(estimator)
        if estimator.layout_.kind == "table":
            raise ValueError(
                "NeighborsDisplay draws images and series, and this transformer was fitted to a "
                "table. Use sklearn.neighbors.NearestNeighbors on its features."
            )
        features = features_of(estimator, X)
        n = len(features)
        if not 1 <= n_neighbors < n:
            raise ValueError(f"n_neighbors={n_neighbors} must be 1 to {n - 1} for {n} samples.")
        chosen = chosen_of(
            queries, np.linspace(0, n - 1, min(n, _QUERIES)).astype(int), n, "queries"
        )
        index = NearestNeighbors(n_neighbors=n_neighbors + 1).fit(features)
        near = index.kneighbors(features[chosen], return_distance=False)
        # Of equal samples another one may come first, so the sample itself is looked for.
        others = [[i for i in row if i != own][:n_neighbors] for row, own in zip(near, chosen)]
        drawn = np.column_stack([chosen, others])
        samples = samples_of(estimator, X, drawn.ravel())
        return cls(samples.reshape(*drawn.shape, *samples.shape[1:]), chosen, drawn[:, 1:]).plot()

    def plot(self) -> NeighborsDisplay:
        """Draw again, in a figure of its own.

        Returns
        -------
        NeighborsDisplay
            Itself.
        """
        self.axes_ = grid_for(len(self.queries), 1 + self.neighbors.shape[1])
        self.figure_ = self.axes_[0, 0].figure
        for row, samples, query in zip(self.axes_, self.samples, self.queries):
            for ax, sample in zip(row, samples):
                draw_sample(ax, sample, str(query) if ax is row[0] else "")
            row[0].spines[:].set_visible(True)
        return self

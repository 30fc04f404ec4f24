"""A map of features in two dimensions."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.decomposition import PCA
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import type_of_target

from ..evaluation._features import features_of
from ._axes import COLOURS, MARKERS, Display

__all__ = ["EmbeddingDisplay"]

_MOST_CLASSES = 20  # beyond that a legend of classes tells nothing (rule of thumb)
_PACKAGES = {"pca": "sklearn", "umap": "umap", "opentsne": "openTSNE"}
_INSTALL = {"umap": "umap-learn", "opentsne": "openTSNE"}
_SIZE = (5.0, 4.4)  # inches


class EmbeddingDisplay(Display):
    """Features as points in two dimensions, coloured by a label or a number.

    Parameters
    ----------
    points : ndarray of shape (n, 2)
        Places on the map.
    target : ndarray of shape (n,) or None, default=None
        Labels or numbers.
    method : str, default="pca"
        What made the map, for the names of the axes.

    Attributes
    ----------
    ax_, figure_ : matplotlib Axes and Figure
        Of the last drawing.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sk_infomax.displays import EmbeddingDisplay
    >>> X, y = load_iris(return_X_y=True)
    >>> EmbeddingDisplay.from_features(X, y).points.shape
    (150, 2)
    """

    def __init__(self, points: np.ndarray, target: np.ndarray | None = None, method: str = "pca"):
        self.points = points
        self.target = target
        self.method = method

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: ArrayLike,
        y: ArrayLike | None = None,
        *,
        method: str = "pca",
        random_state: int | None = 0,
        ax: Any = None,
    ) -> EmbeddingDisplay:
        """Transform samples and draw a map of their features.

        Parameters
        ----------
        estimator : object with `transform`
            Fitted.
        X : array-like
            Samples.
        y : array-like of shape (n,) or None, default=None
            Labels or numbers to colour by.
        method : {"pca", "umap", "opentsne"}, default="pca"
            The first two principal components; or UMAP or t-SNE, of the packages ``umap-learn``
            and ``openTSNE``.
        random_state : int or None, default=0
            Seed of the map.
        ax : matplotlib Axes or None, default=None
            None makes a figure.

        Returns
        -------
        EmbeddingDisplay
            Drawn.

        Raises
        ------
        ValueError
            For another method, fewer than three samples, or `y` of another length.
        ImportError
            If the package that makes the map is not installed.
        """
        features = features_of(estimator, X)
        return cls.from_features(features, y, method=method, random_state=random_state, ax=ax)

    @classmethod
    def from_features(
        cls,
        features: ArrayLike,
        y: ArrayLike | None = None,
        *,
        method: str = "pca",
        random_state: int | None = 0,
        ax: Any = None,
    ) -> EmbeddingDisplay:
        """Draw a map of features (n, d); everything else as in `from_estimator`.

        Parameters
        ----------
        features : array-like of shape (n, d)
            What is mapped.
        y : array-like of shape (n,) or None, default=None
            Labels or numbers to colour by.
        method : {"pca", "umap", "opentsne"}, default="pca"
            What makes the map.
        random_state : int or None, default=0
            Seed of the map.
        ax : matplotlib Axes or None, default=None
            None makes a figure.

        Returns
        -------
        EmbeddingDisplay
            Drawn.
        """
        features = features_of(None, features)
        target = None if y is None else column_or_1d(y)
        if len(features) < 3:
            raise ValueError(f"A map needs 3 samples or more and got {len(features)}.")
        if target is not None and len(target) != len(features):
            raise ValueError(f"y has {len(target)} values for {len(features)} samples.")
        return cls(_mapped(features, method, random_state), target, method).plot(ax=ax)

    def _size(self) -> tuple[float, float]:
        return _SIZE

    def _draw(self) -> None:
        first, second = self.points.T
        size = float(np.clip(4000 / len(first), 3, 25))
        if self.target is None:
            self.ax_.scatter(first, second, s=size, color=COLOURS[0], linewidths=0)
        elif _is_number(self.target):
            drawn = self.ax_.scatter(
                first, second, s=size, c=self.target.astype(float), cmap="viridis", linewidths=0
            )
            self.figure_.colorbar(drawn, ax=self.ax_)
        else:
            self._draw_classes(size)
        said = {"pca": "principal component", "umap": "UMAP", "opentsne": "t-SNE"}[self.method]
        self.ax_.set(xlabel=f"{said} 1", ylabel=f"{said} 2", xticks=[], yticks=[])

    def _draw_classes(self, size: float) -> None:
        """Points by class, each with a colour and a marker of its own."""
        assert self.target is not None
        names = np.unique(self.target.astype(str))
        for i, name in enumerate(names):
            first, second = self.points[self.target.astype(str) == name].T
            marker = MARKERS[i // len(COLOURS) % len(MARKERS)]
            colour = COLOURS[i % len(COLOURS)]
            self.ax_.scatter(
                first, second, s=size, marker=marker, color=colour, linewidths=0, label=name
            )
        if len(names) <= _MOST_CLASSES:
            self.ax_.legend(
                markerscale=2, fontsize="small", loc="center left", bbox_to_anchor=(1, 0.5)
            )


def _is_number(target: np.ndarray) -> bool:
    """Whether values are to be a scale of colours: numbers with more than a few levels."""
    if target.dtype.kind not in "iuf":
        return False
    return type_of_target(target) == "continuous" or len(np.unique(target)) > _MOST_CLASSES


def _mapped(features: np.ndarray, method: str, random_state: int | None) -> np.ndarray:
    """Places (n, 2) of features (n, d)."""
    if method not in _PACKAGES:
        raise ValueError(f"method={method!r} is none of {sorted(_PACKAGES)}.")
    if find_spec(_PACKAGES[method]) is None:
        raise ImportError(
            f'method="{method}" is made by another package: pip install {_INSTALL[method]}.'
        )
    if method == "umap":
        from umap import UMAP

        return UMAP(random_state=random_state).fit_transform(features)
    if method == "opentsne":
        from openTSNE import TSNE

        return np.asarray(TSNE(random_state=random_state).fit(features))
    if features.shape[1] == 1:
        features = np.hstack([features, np.zeros_like(features)])
    return PCA(2, random_state=random_state).fit_transform(features)

"""How much columns tell: bars with intervals, and a matrix."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..information import mutual_info_matrix, mutual_info_scores
from ._axes import COLOURS, Display

__all__ = ["InformationDisplay", "InformationMatrixDisplay"]

_BAR = 0.32  # inches of height for each bar
_CELL = 0.55  # inches for each cell of a matrix
_MARGIN = 1.3  # inches for names and numbers
_MOST_NUMBERS = 15  # columns of a matrix in whose cells numbers can be read (rule of thumb)
_DIGITS = 2  # decimals of numbers in cells


def _names_of(X: Any, n: int) -> list[str]:
    """Names of the columns, or x0, x1, ..."""
    names = getattr(X, "columns", None)
    return [f"x{i}" for i in range(n)] if names is None else [str(name) for name in names]


class InformationDisplay(Display):
    """What each column tells about a target, with intervals: bars, the largest above.

    Parameters
    ----------
    scores : ndarray of shape (p,)
        Nats.
    intervals : ndarray of shape (p, 2) or None, default=None
        Ends of their intervals.
    names : sequence of str or None, default=None
        Of the columns.

    Attributes
    ----------
    ax_, figure_ : matplotlib Axes and Figure
        Of the last drawing.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sk_infomax.displays import InformationDisplay
    >>> X, y = load_iris(return_X_y=True, as_frame=True)
    >>> display = InformationDisplay.from_columns(X, y)
    >>> display.names[display.scores.argmin()]
    'sepal width (cm)'
    """

    def __init__(
        self,
        scores: np.ndarray,
        intervals: np.ndarray | None = None,
        names: Sequence[str] | None = None,
    ):
        self.scores = scores
        self.intervals = intervals
        self.names = names

    @classmethod
    def from_columns(
        cls, X: ArrayLike, y: ArrayLike, *, ax: Any = None, **kwargs: Any
    ) -> InformationDisplay:
        """Estimate what each column of X tells about y, and draw it.

        Parameters
        ----------
        X : array-like or frame of shape (n, p)
            Columns of any kind.
        y : array-like of shape (n,)
            Target.
        ax : matplotlib Axes or None, default=None
            None makes a figure.
        **kwargs
            Of `sk_infomax.mutual_info_scores`, such as ``missing="drop"``.

        Returns
        -------
        InformationDisplay
            Drawn.
        """
        scores, ends = mutual_info_scores(X, y, **{**kwargs, "return_interval": True})
        scores, ends = np.asarray(scores, float).ravel(), np.asarray(ends, float)
        return cls(scores, ends, _names_of(X, len(scores))).plot(ax=ax)

    def _size(self) -> tuple[float, float]:
        return 5.0, _MARGIN + _BAR * len(self.scores)

    def _draw(self) -> None:
        n = len(self.scores)
        order, places = np.argsort(self.scores), np.arange(n)
        names = _names_of(None, n) if self.names is None else list(self.names)
        self.ax_.barh(places, self.scores[order], color=COLOURS[9], height=0.7)
        if self.intervals is not None:
            ends = np.asarray(self.intervals)[order]
            seen = np.where(np.isfinite(ends), ends, self.scores[order][:, None])
            reach = np.abs(seen - self.scores[order][:, None]).T
            self.ax_.errorbar(
                self.scores[order], places, xerr=reach, fmt="none", ecolor=COLOURS[2], capsize=3
            )
        self.ax_.set_yticks(places, [names[i] for i in order])
        self.ax_.set(xlabel="mutual information with the target (nats)", xlim=(0, None))


class InformationMatrixDisplay(Display):
    """What columns tell about each other: a matrix of cells.

    Parameters
    ----------
    matrix : ndarray of shape (p, p)
        Nats.
    names : sequence of str or None, default=None
        Of the columns.

    Attributes
    ----------
    ax_, figure_ : matplotlib Axes and Figure
        Of the last drawing.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sk_infomax.displays import InformationMatrixDisplay
    >>> X, _ = load_iris(return_X_y=True, as_frame=True)
    >>> InformationMatrixDisplay.from_columns(X).matrix.shape
    (4, 4)
    """

    def __init__(self, matrix: np.ndarray, names: Sequence[str] | None = None):
        self.matrix = matrix
        self.names = names

    @classmethod
    def from_columns(
        cls, X: ArrayLike, *, ax: Any = None, **kwargs: Any
    ) -> InformationMatrixDisplay:
        """Estimate what each two columns of X have in common, and draw it.

        Parameters
        ----------
        X : array-like or frame of shape (n, p)
            Columns of any kind.
        ax : matplotlib Axes or None, default=None
            None makes a figure.
        **kwargs
            Of `sk_infomax.mutual_info_matrix`, such as ``missing="drop"``.

        Returns
        -------
        InformationMatrixDisplay
            Drawn.
        """
        found = mutual_info_matrix(X, **{**kwargs, "return_interval": False})
        matrix = np.asarray(found, float)
        return cls(matrix, _names_of(X, len(matrix))).plot(ax=ax)

    def _size(self) -> tuple[float, float]:
        side = _MARGIN + _CELL * len(self.matrix)
        return side + 1, side

    def _draw(self) -> None:
        n = len(self.matrix)
        # A column tells its whole entropy about itself, without end for numbers, which would
        # hide all others.
        between = np.where(np.eye(n, dtype=bool) | ~np.isfinite(self.matrix), np.nan, self.matrix)
        drawn = self.ax_.imshow(between, cmap="viridis", vmin=0)
        if n <= _MOST_NUMBERS:
            for (i, j), value in np.ndenumerate(between):
                if np.isfinite(value):
                    bright = value > 0.6 * np.nanmax(between)
                    said = f"{value:.{_DIGITS}f}"
                    self.ax_.text(
                        j, i, said, ha="center", va="center", color="k" if bright else "w", size=8
                    )
        names = _names_of(None, n) if self.names is None else list(self.names)
        self.ax_.set_xticks(range(n), names, rotation=45, ha="right", rotation_mode="anchor")
        self.ax_.set_yticks(range(n), names)
        self.figure_.colorbar(drawn, ax=self.ax_, label="nats")

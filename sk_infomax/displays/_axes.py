"""What all displays share: axes, colours that can be told apart, and samples as small pictures."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from .._fitted import read_rows
from ..deep_infomax import DeepInfoMaxTransformer

__all__ = [
    "COLOURS",
    "LINES",
    "MARKERS",
    "Display",
    "chosen_of",
    "draw_sample",
    "grid_for",
    "new_figure",
    "samples_of",
]

# Of Petroff (2021, arXiv:2107.02270): ten colours that colour-blind eyes tell apart, on dark too.
COLOURS = (
    "#3f90da",
    "#ffa90e",
    "#bd1f01",
    "#94a4a2",
    "#832db6",
    "#a96b59",
    "#e76300",
    "#b9ac70",
    "#717581",
    "#92dadd",
)
MARKERS = "osD^vPX*<>"
LINES = ("-", "--", "-.", ":")
_SIZE = (5.0, 3.8)  # inches; labels of 10 points are legible at 400 pixels of width
_CELL = 1.1  # inches on each side of a small picture
_PERCENTILES = (1.0, 99.0)  # of pixel values, which black and white stand for


def _pyplot() -> Any:
    """Matplotlib's pyplot, or an error that says how to install it."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            'Displays are drawn by matplotlib: pip install "sk_infomax[plot]".'
        ) from error
    return plt


def new_figure(size: tuple[float, float]) -> Any:
    """An empty figure of a size in inches, whose parts don't overlap."""
    return _pyplot().figure(figsize=size, layout="constrained")


class Display(ABC):
    """What is drawn on one pair of axes."""

    ax_: Any
    figure_: Any

    def plot(self, *, ax: Any = None) -> Self:
        """Draw again.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            None makes a figure.

        Returns
        -------
        Display
            Itself.
        """
        self.ax_ = new_figure(self._size()).subplots() if ax is None else ax
        self.figure_ = self.ax_.figure
        self._draw()
        return self

    def _size(self) -> tuple[float, float]:
        """Of a figure that is made for it, in inches."""
        return _SIZE

    @abstractmethod
    def _draw(self) -> None:
        """Draw on `ax_`."""


def grid_for(rows: int, columns: int) -> Any:
    """Axes (rows, columns) of a new figure for small pictures, without frames."""
    figure = new_figure((_CELL * columns, _CELL * rows))
    axes = figure.subplots(rows, columns, squeeze=False)
    for ax in axes.flat:
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
    return axes


def chosen_of(indices: ArrayLike | None, default: np.ndarray, n: int, name: str) -> np.ndarray:
    """Indices 0 to n - 1 of the samples that are drawn, checked."""
    chosen = default if indices is None else np.atleast_1d(np.asarray(indices))
    if chosen.dtype.kind not in "iu" or not chosen.size or chosen.min() < -n or chosen.max() >= n:
        raise ValueError(f"{name}={indices!r} must be indices of the {n} samples of X.")
    return chosen % n


def samples_of(estimator: DeepInfoMaxTransformer, X: ArrayLike, chosen: np.ndarray) -> np.ndarray:
    """Some samples of X, (n, c, h, w) or (n, c, t), as the estimator reads them."""
    rows = read_rows(estimator, X, estimator._fitted).rows
    return estimator.layout_.arrange(rows[chosen])


def draw_sample(ax: Any, sample: np.ndarray, title: str = "") -> None:
    """One sample (c, h, w) as a picture, or (c, t) as lines."""
    if sample.ndim == 3:
        ax.imshow(_shown(sample), cmap="gray", interpolation="nearest")
    else:
        for i, channel in enumerate(sample):
            ax.plot(channel, color=COLOURS[i % len(COLOURS)], linewidth=1)
    if title:
        ax.set_title(title, fontsize="small")


def _shown(image: np.ndarray) -> np.ndarray:
    """An image (c, h, w) as grey (h, w) or colour (h, w, 3) between 0 and 1."""
    if image.shape[0] in (3, 4):
        image = np.moveaxis(image[:3], 0, 2)
    else:
        image = image.mean(0)
    if image.dtype == np.uint8:
        return image / 255
    low, high = np.percentile(image, _PERCENTILES)
    return np.clip((image - low) / (high - low or 1.0), 0, 1)

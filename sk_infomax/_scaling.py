"""Mean and scale of columns and channels, learned in pieces and applied to batches."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from ._layout import Layout

__all__ = ["Scaling", "learned_scaling", "refuse_extremes"]

_CHUNK_VALUES = 2**20  # values at once in float64: 8 MB
_FEW_ROWS = 0.1  # share of rows up to which values out of range are taken for mistakes (a rule)
_RANGE = {  # by bytes of a value: largest, and least largest, of a column whose squares are sound
    2: (6e4, 1e-7),
    4: (1e37, 1e-37),
    8: (1e150, 1e-150),
    16: (1e150, 1e-150),
}
_ROUNDING = 10  # rounding errors of the mean under which a column counts as constant; a rule


class Scaling:
    """Mean and scale of each column (tables) or channel (series, images), updatable.

    Images of uint8 are mapped from 0..255 to [-1, 1] whatever they hold.

    Parameters
    ----------
    layout : Layout
        What a sample is.

    Attributes
    ----------
    mean, scale : ndarray of shape (p,) for tables, (c, 1) for series, (c, 1, 1) for images
        What is subtracted, and what is divided by afterwards; float64.
    """

    ARRAYS = ("mean", "squares", "scale")

    def __init__(self, layout: Layout):
        self.layout = layout
        size = layout.network_shape[0]
        self.count = 0
        self.mean = np.zeros((size,) + (1,) * (len(layout.network_shape) - 1))
        self.squares = np.zeros_like(self.mean)
        self.scale = np.ones_like(self.mean)

    def arrays(self) -> dict[str, np.ndarray]:
        """Copies of all arrays, by name."""
        return {name: getattr(self, name).copy() for name in self.ARRAYS}

    def set(self, name: str, array: np.ndarray | None) -> None:
        """Take over an array that was saved, after checking it."""
        expected = getattr(self, name)
        fits = array is not None and array.shape == expected.shape
        if array is None or not fits or array.dtype != expected.dtype:
            raise ValueError(f"The file is damaged: its array scaling.{name} does not fit.")
        if not np.isfinite(array).all() or (name == "scale" and not (array > 0).all()):
            raise ValueError(f"The file is damaged: its array scaling.{name} is no {name}.")
        setattr(self, name, array)

    def update(self, rows: np.ndarray) -> "Scaling":
        """Take account of rows (n, ...), in chunks (Chan, Golub and LeVeque 1983)."""
        if rows.dtype == np.uint8 and self.layout.kind == "image":
            self.mean[...], self.scale[...] = 127.5, 127.5
            return self
        axes = (0, *range(2, 1 + len(self.layout.network_shape)))
        step = max(1, _CHUNK_VALUES // self.layout.n_features)
        for start in range(0, len(rows), step):
            chunk = self.layout.arrange(rows[start : start + step]).astype(np.float64)
            count = chunk.size // self.mean.size
            mean = chunk.mean(axis=axes).reshape(self.mean.shape)
            delta, total = mean - self.mean, self.count + count
            self.squares += ((chunk - mean) ** 2).sum(axis=axes).reshape(self.mean.shape)
            self.squares += delta**2 * (self.count * count / total)
            self.mean = self.mean + delta * (count / total)
            self.count = total
        deviation = np.sqrt(self.squares / self.count)
        # A constant column leaves rounding errors behind, not a spread to divide by.
        constant = deviation <= _ROUNDING * np.finfo(np.float64).eps * np.abs(self.mean)
        self.scale = np.where(constant, 1.0, deviation)
        return self

    def apply(self, rows: np.ndarray, dtype: Any = np.float32) -> Tensor:
        """Rows (n, ...) as a standardised tensor (n, *network_shape) of our own."""
        samples = self.layout.arrange(rows)
        if samples.dtype == np.float64 and dtype == np.float32:
            return torch.from_numpy(((samples - self.mean) / self.scale).astype(dtype))
        out = np.subtract(samples, self.mean.astype(dtype), dtype=dtype)
        out /= self.scale.astype(dtype)
        return torch.from_numpy(out)


def learned_scaling(layout: Layout, rows: np.ndarray, names: Any = None) -> Scaling:
    """Mean and scale of rows (n, ...) that arithmetic can scale; see `refuse_extremes`."""
    with np.errstate(over="ignore", invalid="ignore"):
        scaling = Scaling(layout).update(rows)
    refuse_extremes(scaling, rows, names)
    return scaling


def refuse_extremes(scaling: Scaling, rows: np.ndarray, names: Any = None) -> None:
    """Refuse columns of tables, and channels of series, that arithmetic can't scale.

    Parameters
    ----------
    scaling : Scaling
        Learned of the rows.
    rows : ndarray of shape (n, ...)
        What it was learned of.
    names : sequence of str or None
        Of the columns of a table.

    Raises
    ------
    ValueError
        If values are so large that their squares overflow, or so small that these vanish.
    """
    if scaling.layout.kind == "image" or rows.dtype.kind != "f":
        return
    largest, smallest = _RANGE[rows.dtype.itemsize]
    with np.errstate(all="ignore"):
        size = np.maximum(np.abs(scaling.mean), np.sqrt(scaling.squares / scaling.count)).ravel()
    for position in np.flatnonzero(~((size >= smallest) & (size <= largest))):
        values = scaling.layout.arrange(rows)[:, position].reshape(len(rows), -1)
        found = np.abs(values).max(1)
        row, peak = int(found.argmax()), float(found.max())
        if peak > largest or 0 < peak < smallest:
            what = "column" if scaling.layout.kind == "table" else "channel"
            name = position if names is None or len(names) != len(size) else repr(names[position])
            few = (found > largest).sum() < _FEW_ROWS * len(rows) and peak > largest
            remedy = f"Divide the {what} by {peak:.0e}."
            raise ValueError(
                f"X {what} {name} holds {peak:.3g} in row {row}, and values beyond {largest:g} or "
                f"all below {smallest:g} can't be scaled. "
                + ("Correct or leave out that row." if few else remedy)
            )

"""Mean and scale of columns and channels, learned in pieces and applied to batches."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from ._columns._sources import Source
from ._columns._sparse import Rows
from ._layout import Layout

__all__ = ["Scaling"]

_CHUNK_VALUES = 2**20  # values at once in float64: 8 MB
_WHITE = 255.0  # largest value of uint8
_LEAST_SQUARES = 1e-290  # sum of squares under which float64 has lost digits or all (1e-308)
_MOST_ROWS_OF_BYTES = 257  # whose sum uint16 holds: 257 * 255 = 2**16 - 1
_LEFT_BEHIND = 1e-6  # at most of a constant column, standardised: as float32 rounds (a rule)
_ROUNDING = 10  # rounding errors of the mean under which a column counts as constant; a rule


class Scaling:
    """Mean and scale of each column (tables) or channel (series, images), updatable.

    Images of uint8 are mapped from 0..255 to [-1, 1] whatever they hold.

    Parameters
    ----------
    layout : Layout
        What a sample is.
    fixed : tuple of two or None, default=None
        Mean and scale that are given, each a number or one for each column or channel; for images
        of uint8, those of values from 0 to 1. None learns them.

    Attributes
    ----------
    mean, scale : ndarray of shape (p,) for tables, (c, 1) for series, (c, 1, 1) for images
        What is subtracted, and what is divided by afterwards; float64.
    """

    ARRAYS = ("mean", "squares", "scale")

    def __init__(self, layout: Layout, fixed: Any = None):
        self.layout = layout
        self.fixed = fixed
        size = layout.network_shape[0]
        self.count = 0
        self.mean = np.zeros((size,) + (1,) * (len(layout.network_shape) - 1))
        self.squares = np.zeros_like(self.mean)
        self.scale = np.ones_like(self.mean)
        if fixed is not None:
            self.mean, self.scale = self._given(fixed)

    def _given(self, fixed: Any) -> list[np.ndarray]:
        """The mean and the scale that are given, each in its place and checked."""
        said = f"normalize={fixed!r}"
        if len(fixed) != 2:
            raise ValueError(f"{said} must be a pair: a mean and a standard deviation.")
        found = []
        for value in fixed:
            try:
                numbers = np.asarray(value, dtype=np.float64).ravel()
            except (TypeError, ValueError) as error:
                raise ValueError(f"{said} must hold numbers.") from error
            if numbers.size not in (1, len(self.mean)) or not np.isfinite(numbers).all():
                raise ValueError(
                    f"{said} must hold finite numbers, one for all or one for each of "
                    f"{len(self.mean)} columns or channels."
                )
            numbers = numbers.reshape(-1, *self.mean.shape[1:])
            found.append(np.broadcast_to(numbers, self.mean.shape).copy())
        if not (found[1] > 0).all():
            raise ValueError(f"{said} has a standard deviation that is not above 0.")
        return found

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

    def update(self, rows: Rows) -> "Scaling":
        """Take account of rows (n, ...), in chunks (Chan, Golub and LeVeque 1983)."""
        if self.fixed is not None:
            return self._started(rows)
        if rows.dtype == np.uint8 and self.layout.kind == "image":
            self.mean[...], self.scale[...] = 127.5, 127.5
            return self
        axes = (0, *range(2, 1 + len(self.layout.network_shape)))
        step = max(1, _CHUNK_VALUES // self.layout.n_features)
        for start in range(0, len(rows), step):
            chunk = self.layout.arrange(rows[start : start + step]).astype(np.float64)
            with np.errstate(over="ignore", invalid="ignore"):
                self._count(chunk, axes)
            self._refuse_extremes(chunk, axes)
        deviation = np.sqrt(self.squares / self.count)
        # A constant column leaves rounding errors behind, not a spread to divide by.
        constant = deviation <= _ROUNDING * np.finfo(np.float64).eps * np.abs(self.mean)
        # It is divided by enough for these to stay small where it lies far out.
        apart = np.maximum(1.0, np.finfo(np.float64).eps * np.abs(self.mean) / _LEFT_BEHIND)
        self.scale = np.where(constant, apart, deviation)
        return self

    def units(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and scale for the values of X; images of uint8 run from 0 to 1, and not to 255."""
        whole = 1.0 if self.count else _WHITE  # images of uint8 have nothing to count
        return self.mean / whole, self.scale / whole

    def _started(self, rows: Rows) -> "Scaling":
        """What is given, in the unit of the first rows that were seen."""
        mean, scale = self._given(self.fixed)
        if isinstance(rows, Source):
            rows.read_through()
        if rows.dtype == np.uint8 and self.layout.kind == "image" and not self.count:
            self.mean, self.scale = _WHITE * mean, _WHITE * scale
        elif np.array_equal(self.scale, scale):  # images of uint8 have nothing to count
            self.count += len(rows)
        return self

    def _count(self, chunk: np.ndarray, axes: tuple[int, ...]) -> None:
        """Take account of samples (n, *arranged_shape), float64."""
        count = chunk.size // self.mean.size
        mean = chunk.mean(axis=axes).reshape(self.mean.shape)
        delta, total = mean - self.mean, self.count + count
        self.squares += ((chunk - mean) ** 2).sum(axis=axes).reshape(self.mean.shape)
        self.squares += delta**2 * (self.count * count / total)
        self.mean = self.mean + delta * (count / total)
        self.count = total

    def _refuse_extremes(self, chunk: np.ndarray, axes: tuple[int, ...]) -> None:
        """Refuse what has no variance in float64: too large, or too small and not constant."""
        large = ~np.isfinite(self.squares).ravel()
        if large.any():
            peaks = np.abs(chunk).max(axis=axes)
            self._refuse(int(large.argmax()), peaks, "values up to", "Divide", "too large")
        small = (self.squares < _LEAST_SQUARES).ravel()
        if small.any():
            spans = np.ptp(chunk, axis=axes)
            mean = np.abs(self.mean).ravel()
            small &= spans > _ROUNDING * np.finfo(np.float64).eps * mean
            if small.any():
                self._refuse(int(small.argmax()), spans, "a range of", "Multiply", "too small")

    def _refuse(self, where: int, sizes: np.ndarray, what: str, remedy: str, why: str) -> None:
        raise ValueError(
            f"{self._named(where)} of X (counted from 0) has {what} {sizes[where]:.3g}, {why} for "
            f"a standard deviation in float64. {remedy} it by a constant, or clip its outliers."
        )

    def _named(self, where: int) -> str:
        """What a position along the first axis of a sample is called."""
        return f"{'Column' if self.layout.kind == 'table' else 'Channel'} {where}"

    def refuse_result(self, rows: Rows, start: int, features: Tensor) -> None:
        """Refuse rows (n, ...) if features (k, d) of those from `start` on are not finite."""
        bad = (~features.isfinite().all(1)).nonzero()[:, 0].tolist()
        if not bad:
            return
        row = start + bad[0]
        with np.errstate(over="ignore"):
            far = np.abs(self.layout.arrange(rows[row : row + 1])[0] - self.mean) / self.scale
        place = np.unravel_index(far.argmax(), far.shape)
        raise ValueError(
            f"Row {row} of X (counted from 0) has features that are not finite. Its farthest "
            f"value, in {self._named(int(place[0])).lower()}, lies {far[place]:.3g} standard "
            "deviations from the mean that fit has seen. Bring X to the scale of fit's, or clip "
            "its outliers."
        )

    def apply(
        self, rows: Rows, dtype: Any = np.float32, chosen: np.ndarray | None = None
    ) -> Tensor:
        """Rows (n, ...), or chosen ones (k,), as a standardised tensor of our own.

        It has the shape (n, *network_shape), images with channels last in memory; nothing else of
        the size of all rows is made.
        """
        n, shape = len(rows) if chosen is None else len(chosen), self.layout.network_shape
        order = torch.channels_last if len(shape) == 3 else torch.contiguous_format
        kind = torch.float64 if dtype == np.float64 else torch.float32
        out = torch.empty(n, *shape, dtype=kind, memory_format=order)
        step = max(1, _CHUNK_VALUES // self.layout.n_features)
        for start in range(0, n, step):
            piece = slice(start, start + step)
            out[piece] = self._standardised(rows[piece if chosen is None else chosen[piece]], dtype)
        return out

    def _standardised(self, rows: np.ndarray, dtype: Any) -> Tensor:
        """A few rows (n, ...) as (n, *network_shape)."""
        samples = self.layout.arrange(rows)
        if self.layout.coarse > 1:
            samples = _coarse(samples, self.layout.coarse, dtype)
        with np.errstate(over="ignore"):  # infinite features are refused with their row
            mean, scale = self.mean.astype(dtype), self.scale.astype(dtype)
            held = bool(scale.all() and np.isfinite(mean).all())
            if not held or (samples.dtype == np.float64 and dtype == np.float32):
                out = ((samples - self.mean) / self.scale).astype(dtype)
            else:
                out = np.subtract(samples, mean, dtype=dtype)
                out /= scale
        return torch.from_numpy(out)


def _coarse(images: np.ndarray, size: int, dtype: Any) -> np.ndarray:
    """Means over squares of pixels of images (n, c, h, w); bytes are summed as whole numbers."""
    n, channels, *sides = images.shape
    height, width = (side // size for side in sides)
    whole = images[:, :, : height * size, : width * size]
    squares = whole.reshape(n, channels, height, size, width, size)
    kind = np.dtype(np.uint32) if images.dtype == np.uint8 else images.dtype
    first = np.uint16 if kind == np.uint32 and size <= _MOST_ROWS_OF_BYTES else kind
    sums = squares.sum(3, dtype=first).sum(4, dtype=kind)
    return (sums / size**2).astype(kind if kind.kind == "f" else dtype)

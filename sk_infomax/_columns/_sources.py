"""Samples that stay where they are until they are read: a source gives some of them at a time.

One protocol for all that is too large to be taken whole: how many samples there are, of what shape,
and any of them by slice or position. Memory-mapped files, HDF5, Zarr, dask and xarray are such
sources by what they can do; none of them is imported.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import torch
from scipy import sparse

__all__ = ["ArraySource", "Source", "array_of", "is_sliceable", "source_of", "type_inside"]

_CHUNK_VALUES = 2**20  # values that are read at once in one pass over all: 8 MB
_INSIDE = (np.float64, np.float32, np.uint8)  # types of numbers that networks are fed from
_NUMBERS = "biuf"  # kinds of numpy's types that are real numbers


def array_of(tensor: torch.Tensor) -> np.ndarray:
    """The values of a tensor, from whatever device; what is in half precision in float32."""
    tensor = tensor.detach().cpu()
    halves = torch.float16, torch.bfloat16
    return (tensor.float() if tensor.dtype in halves else tensor).numpy()


def type_inside(dtype: Any) -> np.dtype | None:
    """What numbers of a type are read as: float64, float32, uint8; None of what is no number.

    float32 for all that it holds as they are, such as int16 and float16, and float64 for the rest.
    """
    try:
        dtype = np.dtype(dtype)
    except TypeError:
        return None
    if dtype.kind not in _NUMBERS:
        return None
    if dtype.newbyteorder("=") in _INSIDE:
        return dtype.newbyteorder("=")
    return np.dtype(np.float32 if np.can_cast(dtype, np.float32) else np.float64)


class Source(ABC):
    """Samples that are read when they are asked for: by slices and by positions, as of an array.

    Parameters
    ----------
    shape : tuple of int
        Of all samples: (n, ...).
    stored : dtype
        What numbers are stored as.

    Attributes
    ----------
    dtype : dtype
        Of the arrays that are given: float64, float32 or uint8.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_infomax._columns._sources import source_of
    >>> rows = source_of(np.arange(8, dtype=np.int16).reshape(4, 2))
    >>> rows[[2, 0]]
    array([[4., 5.],
           [0., 1.]], dtype=float32)
    """

    held: bool = True
    """Whether samples that fit into memory are kept there while a network trains."""

    def __init__(self, shape: tuple[int, ...], stored: np.dtype):
        dtype = type_inside(stored)
        if dtype is None:
            raise TypeError(f"X holds {stored}, which are no real numbers.")
        self.shape, self.stored, self.dtype = shape, stored, dtype

    @property
    def ndim(self) -> int:
        """Axes of all samples."""
        return len(self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Any) -> np.ndarray:
        """Samples (k, ...) of a slice, a list or an array of positions, checked."""
        if isinstance(rows, slice):
            places: Any = range(*rows.indices(len(self)))
        else:
            places = np.asarray(rows, dtype=np.intp)
            places = np.where(places < 0, places + len(self), places)
        return self._checked(self.read(places), places)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self[:], dtype=dtype)

    def outline(self) -> np.ndarray:
        """An array of the same shape and type that takes no memory: what checks of shapes ask."""
        return np.broadcast_to(np.zeros((), self.dtype), self.shape)

    def read_through(self) -> None:
        """Read all samples once, so that what is wrong with one of them is found."""
        if self.stored.kind == "f":
            step = max(1, _CHUNK_VALUES // max(1, math.prod(self.shape[1:])))
            for start in range(0, len(self), step):
                self[start : start + step]

    @abstractmethod
    def read(self, places: range | np.ndarray) -> np.ndarray:
        """Samples (k, ...) at these places, from 0 to n - 1, as they are stored."""

    def _checked(self, samples: np.ndarray, places: range | np.ndarray) -> np.ndarray:
        """Samples (k, ...) in the type of the source; refuse those that are not finite."""
        if isinstance(samples, np.ma.MaskedArray):
            if np.ma.is_masked(samples):
                hidden = np.ma.getmaskarray(samples).reshape(len(samples), -1).any(1)
                _refuse("a masked value", places[int(hidden.argmax())])
            samples = samples.data
        samples = samples.astype(self.dtype, copy=False)
        if self.stored.kind == "f" and not np.isfinite(samples).all():
            bad = ~np.isfinite(samples).reshape(len(samples), -1)
            row, value = int(bad.any(1).argmax()), samples.reshape(-1)[int(bad.argmax())]
            _refuse("NaN" if np.isnan(value) else "infinity", places[row])
        return samples


def _refuse(what: str, place: int) -> None:
    raise ValueError(
        f"Input X contains {what} in sample {int(place)} (counted from 0). Fill in what is "
        "missing, or leave such samples out."
    )


class ArraySource(Source):
    """Samples along the first axis of anything that slices.

    Where it is stored in chunks, it is read chunk by chunk, and the last one is kept: memory grows
    with the chunks, and each is read once by a pass in order.

    Parameters
    ----------
    array : object with shape, dtype and slices
        Such as a `numpy.memmap`, or a dataset of HDF5.
    """

    def __init__(self, array: Any):
        super().__init__(_shape_of(array), np.dtype(array.dtype))
        self.array = array
        self.edges = _edges_of(array)
        self._kept: tuple[int, np.ndarray] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"_kept": None}

    def read(self, places: range | np.ndarray) -> np.ndarray:
        """Samples (k, ...) as they are stored."""
        if isinstance(self.array, np.ndarray):
            return self._cut(_as_slice(places) if isinstance(places, range) else places)
        if self.edges is None and isinstance(places, range) and places.step == 1:
            return self._cut(_as_slice(places))
        return self._in_pieces(np.asarray(places, dtype=np.intp))

    def _cut(self, piece: Any) -> np.ndarray:
        """A piece of the array, as an array of numpy."""
        found = self.array[piece]
        return found if isinstance(found, np.ma.MaskedArray) else np.asarray(found)

    def _in_pieces(self, places: np.ndarray) -> np.ndarray:
        """Samples (k, ...) in any order, by slices alone: chunks, or runs of neighbours."""
        order = np.argsort(places, kind="stable")
        wanted = places[order]
        if self.edges is None:
            pieces, apart = wanted, np.diff(wanted) > 1
        else:
            pieces = np.searchsorted(self.edges, wanted, side="right") - 1
            apart = np.diff(pieces) > 0
        out = np.ma.empty((len(places), *self.shape[1:]), self.stored)
        cuts = [0, *(np.flatnonzero(apart) + 1), len(wanted)]
        for first, end in zip(cuts[:-1], cuts[1:] if len(wanted) else []):
            start, block = self._piece(int(pieces[first]), int(wanted[end - 1]) + 1)
            out[order[first:end]] = block[wanted[first:end] - start]
        return out

    def _piece(self, number: int, end: int) -> tuple[int, np.ndarray]:
        """Where a piece starts, and its samples: a whole chunk, or a run up to `end`."""
        if self.edges is None:
            return number, self._cut(slice(number, end))
        start = int(self.edges[number])
        if self._kept is None or self._kept[0] != start:
            self._kept = None  # the old chunk goes before the new one comes
            self._kept = start, self._cut(slice(start, int(self.edges[number + 1])))
        return self._kept


def _shape_of(array: Any) -> tuple[int, ...]:
    """Shape of an array; refuse one whose length nobody knows yet."""
    if any(side != side for side in array.shape):
        raise ValueError(
            f"X is a {type(array).__name__} of unknown shape {tuple(array.shape)}. Find it first: "
            "X.compute_chunk_sizes()."
        )
    return tuple(int(side) for side in array.shape)


def _edges_of(array: Any) -> np.ndarray | None:
    """Where chunks begin along the first axis, and the end of the last; None without chunks."""
    chunks = getattr(array, "chunks", None)
    if isinstance(array, np.ndarray) or not isinstance(chunks, tuple) or not chunks:
        return None
    if isinstance(chunks[0], tuple):
        return np.cumsum([0, *chunks[0]])
    if not isinstance(chunks[0], int | np.integer) or chunks[0] < 1:
        return None
    n = int(array.shape[0])
    return np.append(np.arange(0, n, int(chunks[0])), n)


def _as_slice(places: range) -> slice:
    """The slice that gives these places; a range that counts down may end at the first."""
    stop = places.stop if places.stop >= 0 else None
    return slice(places.start, stop, places.step)


def is_sliceable(X: Any) -> bool:
    """Whether this is an array of numbers of two axes or more, none of numpy's or torch's."""
    if isinstance(X, np.ndarray | torch.Tensor) or sparse.issparse(X) or hasattr(X, "iloc"):
        return False
    slices = hasattr(X, "shape") and hasattr(X, "dtype") and hasattr(X, "__getitem__")
    return slices and isinstance(X.shape, tuple) and _is_numeric(X)


def _is_numeric(X: Any) -> bool:
    return len(X.shape) > 1 and type_inside(X.dtype) is not None


def source_of(X: np.ndarray) -> ArraySource | None:
    """An array of numpy as a source, if it is in a file or would have to be converted whole."""
    if isinstance(X, np.ma.MaskedArray) or not _is_numeric(X):
        return None
    is_inside = X.dtype.isnative and X.dtype in _INSIDE
    return ArraySource(X) if isinstance(X, np.memmap) or not is_inside else None

"""Where rows that are made a block at a time go: a new array, or one that is given."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

__all__ = ["check_sink", "filled_with"]


def check_sink(out: Any, width: int, dtype: np.dtype | None = None, n: int | None = None) -> None:
    """Refuse what can't hold n rows (n, width) of a type; None is what nobody knows yet.

    Raises
    ------
    TypeError
        If it is no array that can be written to by slices.
    ValueError
        If its shape or its type does not fit.
    """
    written = hasattr(out, "shape") and hasattr(out, "dtype") and hasattr(out, "__setitem__")
    if not written or hasattr(out, "iloc"):
        raise TypeError(
            f"out is a {type(out).__name__}. Give an array that is written to by slices: numpy's, "
            "a numpy.memmap, or a dataset of h5py or zarr."
        )
    shape = tuple(out.shape)
    if len(shape) != 2 or shape[1] != width or (n is not None and shape[0] != n):
        wanted = f"({'n' if n is None else n}, {width})"
        raise ValueError(f"out has shape {shape}, and the features have {wanted}.")
    wanted_type = np.dtype(np.float32) if dtype is None else dtype
    if not np.can_cast(wanted_type, out.dtype, "same_kind"):
        raise ValueError(
            f"out holds {out.dtype}, and the features are {wanted_type}. Make it {wanted_type}."
        )
    if isinstance(out, np.ndarray) and not out.flags.writeable:
        raise ValueError("out can't be written to: open it for writing, as with mode='r+'.")


def filled_with(blocks: Iterator[np.ndarray], out: Any) -> Any:
    """An array (n, d) that has been given blocks (k, d), one after another from its first row on.

    Raises
    ------
    ValueError
        If there are more or fewer rows than it has.
    """
    start, n = 0, out.shape[0]
    for block in blocks:
        end = start + len(block)
        if end > n:
            raise ValueError(f"out has {n} rows, and X has more samples.")
        out[start:end] = block
        start = end
    if start < n:
        raise ValueError(f"out has {n} rows, and X has {start} samples.")
    return out

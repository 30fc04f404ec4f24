"""What holds series of several lengths, each as an array: lists, nested frames, padded arrays.

The containers of aeon and sktime are known by what they are made of; neither is imported.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import narwhals.stable.v2 as nw
import numpy as np
import torch

from .._columns._sources import array_of

__all__ = ["Held", "held_in", "unpacked"]

_CHUNK_VALUES = 2**20  # values looked through at once: 8 MB


class Held(NamedTuple):
    """Series as a container holds them.

    Parameters
    ----------
    items : sequence
        One for each series, (t,) or two-dimensional.
    time_first : bool or None
        Whether the first axis of those of two dimensions is time; None where nobody said.
    """

    items: Sequence[Any]
    time_first: bool | None


def unpacked(X: Any) -> Any:
    """A column of series as a frame, one of arrays of more axes as a list; else X as it is."""
    arrow = nw.dependencies.get_pyarrow()
    if arrow is not None and isinstance(X, arrow.Array):
        X = arrow.chunked_array([X])
    if not nw.dependencies.is_into_series(X):
        return X
    column = nw.from_native(X, series_only=True)
    objects = nw.dependencies.is_pandas_series(X) and X.dtype == object
    cells = column.to_list() if objects or column.dtype.is_nested() else []
    first = next((cell for cell in cells if cell is not None and np.ndim(cell)), None)
    if first is None:
        return X
    if _is_series(first):
        return column.to_frame().to_native()
    return [np.asarray([] if cell is None else cell) for cell in cells]


def held_in(X: Any, kind: str | None, length: int | None = None) -> Held | None:
    """The series that a container holds, if an array of numbers can't hold them.

    Parameters
    ----------
    X : object
        What the user gave.
    kind : {"table", "series", "image"} or None
        What the samples are; None where nobody said.
    length : int or None
        Of the series that a fit has seen; arrays of others are then held too.

    Returns
    -------
    Held or None
        None for what is read as an array: tables, images, complete series of one length.
    """
    pandas = nw.dependencies.get_pandas()
    if pandas is not None and isinstance(X, pandas.DataFrame):
        return _in_frame(X, kind, pandas)
    if nw.dependencies.is_into_dataframe(X):
        return _in_columns(X, kind)
    if isinstance(X, torch.Tensor):
        X = array_of(X)
    if isinstance(X, list | tuple) or (isinstance(X, np.ndarray) and _is_objects(X)):
        return _in_list(list(X), kind, length, pandas)
    if isinstance(X, np.ndarray):
        return _in_array(X, kind, length)
    return None


def _is_objects(X: np.ndarray) -> bool:
    return X.dtype == object and X.ndim == 1


def _in_frame(X: Any, kind: str | None, pandas: Any) -> Held | None:
    """Cells that are series, rows that are (series, time), or numbers of which some are missing."""
    if kind == "series" and isinstance(X.index, pandas.MultiIndex) and X.index.nlevels == 2:
        parts = [part for _, part in X.groupby(level=0, sort=False)]
        return Held([part.sort_index(level=1).to_numpy() for part in parts], True)
    nested = [_first_there(X.iloc[:, place]) for place in range(X.shape[1])]
    if any(map(_is_series, nested)):
        _refuse_series_as(kind)
        columns = [X.iloc[:, place].tolist() for place in range(X.shape[1])]
        return Held([_stacked(cells, row) for row, cells in enumerate(zip(*columns))], False)
    return _of_numbers(X, kind)


def _in_columns(X: Any, kind: str | None) -> Held | None:
    """The same of polars and Arrow, whose cells may be lists."""
    frame = nw.from_native(X, eager_only=True)
    if any(series.dtype.is_nested() for series in frame.iter_columns()):
        _refuse_series_as(kind)
        columns = [series.to_list() for series in frame.iter_columns()]
        return Held([_stacked(cells, row) for row, cells in enumerate(zip(*columns))], False)
    return _of_numbers(frame, kind)


def _refuse_series_as(kind: str | None) -> None:
    """Refuse cells that are series where the encoder reads something else."""
    if kind not in (None, "series"):
        raise ValueError(
            f"X has cells that hold series, but the encoder reads {kind} data. Use "
            "encoder='series', or give an array, such as numpy.stack(column)."
        )


def _of_numbers(X: Any, kind: str | None) -> Held | None:
    """Rows of a frame of numbers as series of one channel, where some values are missing."""
    if kind != "series":
        return None
    if nw.dependencies.is_pandas_dataframe(X) and not X.columns.is_unique:
        X = X.set_axis([str(place) for place in range(X.shape[1])], axis=1)
    frame = nw.from_native(X, eager_only=True)
    numeric = [series.dtype.is_numeric() for series in frame.iter_columns()]
    if not numeric or not all(numeric):
        return None
    rows = np.column_stack([s.cast(nw.Float64).to_numpy() for s in frame.iter_columns()])
    return Held(list(rows), False) if _misses(rows) else None


def _first_there(column: Any) -> Any:
    """The first cell of a column of objects that is more than a mark of what is missing."""
    if column.dtype != object:
        return None
    return next((cell for cell in column if cell is not None and np.ndim(cell)), None)


def _is_series(cell: Any) -> bool:
    return cell is not None and not isinstance(cell, str) and np.ndim(cell) == 1


def _stacked(cells: Sequence[Any], row: int) -> np.ndarray:
    """The channels of a series (c, t) from the cells of a row, the shorter ones padded with NaN."""
    arrays = [np.asarray([] if cell is None else cell).reshape(-1) for cell in cells]
    lengths = {len(array) for array in arrays}
    if len(lengths) > 1:
        raise ValueError(
            f"Sample {row} of X (counted from 0) has channels of {_listed(lengths)} values. Give "
            "each series channels of one length, with NaN where values are missing."
        )
    return np.stack(arrays)


def _in_list(items: list[Any], kind: str | None, length: int | None, pandas: Any) -> Held | None:
    """Arrays of several lengths, or frames with a column for each channel."""
    if pandas is not None and any(isinstance(item, pandas.DataFrame) for item in items):
        return Held([np.asarray(item) for item in items], True)
    shapes = {_shape_of(item) for item in items}
    if kind in ("table", "image") or not items or shapes == {()}:
        return None
    rows = [place for place, item in enumerate(items) if isinstance(item, list | tuple)]
    if kind is None and rows and len(shapes) > 1:
        _refuse_ragged_rows(items)
    if len(shapes) == 1:
        return _in_array(_as_numbers(items), kind, length)
    return Held(items, None)


def _as_numbers(items: list[Any]) -> np.ndarray:
    """Items of one shape as an array; of floats, where None marks what is missing."""
    array = np.asarray(items)
    if array.dtype != object:
        return array
    try:
        return array.astype(np.float64)
    except (TypeError, ValueError):
        return array


def _shape_of(item: Any) -> tuple[Any, ...]:
    """Shape of an item; of a ragged one, its length alone."""
    try:
        return tuple(np.shape(item))
    except ValueError:
        return (len(item), None)


def _refuse_ragged_rows(items: list[Any]) -> None:
    """Rows of a list that differ in length are a slip as often as they are series."""
    first = _shape_of(items[0])
    row = next(row for row, item in enumerate(items) if _shape_of(item) != first)
    raise ValueError(
        f"Row {row} of X (counted from 0) has shape {_shape_of(items[row])}, and row 0 has "
        f'{first}. Rows of a table have one length; of series that differ in length, say encoder="'
        'series", or give a list of arrays.'
    )


def _in_array(X: np.ndarray, kind: str | None, length: int | None) -> Held | None:
    """Samples of an array of numbers in which values are missing, or that are longer or shorter."""
    if X.dtype.kind not in "fiub" or X.ndim not in (2, 3) or kind not in (None, "series"):
        return None
    if kind is None and (X.ndim == 2 or X.shape[1] == X.shape[2]):
        return None
    other = length is not None and length not in X.shape[1:]
    filled = X
    if isinstance(X, np.ma.MaskedArray):
        filled = np.ma.filled(X.astype(np.float64), np.nan) if np.ma.is_masked(X) else X.data
    return Held(list(filled), None) if other or _misses(filled) else None


def _misses(values: np.ndarray) -> bool:
    """Whether any of the numbers is NaN, or a masked one is hidden."""
    if isinstance(values, np.ma.MaskedArray) and np.ma.is_masked(values):
        return True
    if values.dtype == object:
        return any(cell is None or cell != cell for cell in values.ravel().tolist())
    if values.dtype.kind != "f":
        return False
    step = max(1, _CHUNK_VALUES // max(1, values[:1].size))
    return any(np.isnan(values[at : at + step]).any() for at in range(0, len(values), step))


def _listed(numbers: set[int]) -> str:
    return " and ".join(map(str, sorted(numbers)))

"""Reading any container into named, typed columns, and the one rule for what is missing.

pandas, polars and Arrow are read through narwhals, as scikit-learn does: the values that are
there as a numpy array, and a mask of those that are not. Nothing that the user gave is aliased.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
import torch
from scipy import sparse

from ._kinds import Column, read_values
from ._sources import array_of

__all__ = ["MISSING", "complete_rows", "is_mixed", "read_columns", "take_rows"]

MISSING = ("error", "drop", "level")

_MOST_VALUES = 10**8  # of a sparse matrix that is spread out: 0.8 GB, what a laptop has to spare


def read_columns(values: Any, argument: str = "X") -> list[Column]:
    """A container as typed columns; a vector is one column, as is a matrix (n, 1).

    Parameters
    ----------
    values : array-like of shape (n,) or (n, d)
        A list, a list of rows, an array (masked, of objects, of text or dates as well), a torch
        tensor, a sparse matrix, or a series or frame of pandas, polars or pyarrow.
    argument : str
        What errors call it.

    Returns
    -------
    list of Column
        In their order; names may repeat.

    Raises
    ------
    TypeError
        For what is no table.
    ValueError
        For arrays of other shapes, empty ones, and cells that fit no column.
    """
    values = _as_table(values, argument)
    if nw.dependencies.is_into_series(values):
        series = nw.from_native(values, series_only=True)
        name = series.name or None
        columns = [_read_series(series, name, _called(argument, name))]
    elif nw.dependencies.is_into_dataframe(values):
        columns = [
            _read_series(nw.from_native(native, series_only=True), name, where)
            for native, name, where in _series_of(values, argument)
        ]
    else:
        columns = _read_array(_as_array(values, argument), argument)
    return _not_empty(columns, values, argument)


def is_mixed(values: Any) -> bool:
    """Whether this is a frame that is more than numbers and flags, or misses a value."""
    if sparse.issparse(values):
        return False
    frame = _as_table(values, "X")
    if nw.dependencies.is_into_series(frame) or not nw.dependencies.is_into_dataframe(frame):
        return False
    return not all(
        _is_plain(nw.from_native(native, series_only=True), where)
        for native, _, where in _series_of(frame, "X")
    )


def complete_rows(sides: Mapping[str, list[Column]], missing: str = "error") -> np.ndarray:
    """The rows to keep, by the one rule for missing values.

    Parameters
    ----------
    sides : dict of str to list of Column
        By what errors call them.
    missing : {"error", "drop", "level"}
        Refuse the first column with a missing value; keep the rows that miss nothing on any
        side; or keep all, for those who make a level of what is missing.

    Returns
    -------
    ndarray of bool of shape (n,)
        True for the rows to keep.

    Raises
    ------
    ValueError
        If lengths differ, a value is missing under "error", or no row is left.
    """
    lengths = {argument: len(columns[0]) for argument, columns in sides.items()}
    if len(set(lengths.values())) > 1:
        found = ", ".join(f"{argument} has {n}" for argument, n in lengths.items())
        raise ValueError(
            f"Found input variables with inconsistent numbers of samples: {found}. Each row of "
            "one side belongs to the same row of the other."
        )
    columns = [column for side in sides.values() for column in side]
    if missing == "error":
        for column in columns:
            _refuse_missing(column)
    keep = np.ones(len(columns[0]), dtype=bool)
    if missing == "drop":
        for column in columns:
            keep &= ~column.missing
        if not keep.any():
            worst = max(columns, key=lambda column: column.missing.sum())
            raise ValueError(
                f"missing='drop' leaves none of {len(keep)} rows: each misses a value, and "
                f"{worst.where} misses {worst.missing.sum()}. Leave that column out."
            )
    return keep


def take_rows(columns: list[Column], rows: np.ndarray) -> list[Column]:
    """These rows of each column: a mask (n,) or positions."""
    return [column.take(rows) for column in columns]


def _refuse_missing(column: Column) -> None:
    n_missing = int(column.missing.sum())
    if n_missing:
        level = "" if column.has_order else " or missing='level' to make a level of it"
        raise ValueError(
            f"{column.where} has {n_missing} missing values (NaN, None or NaT), the first in row "
            f"{int(np.argmax(column.missing))}. Fill them in, or set missing='drop' to use "
            f"complete pairs only{level}."
        )


# Containers -------------------------------------------------------------------------------


def _as_table(values: Any, argument: str) -> Any:
    """Containers that are nearly a frame, a series or an array as one of these."""
    if isinstance(values, torch.Tensor):
        return array_of(values)
    if sparse.issparse(values):
        return _spread(values, argument)
    pyarrow = nw.dependencies.get_pyarrow()
    if pyarrow and isinstance(values, pyarrow.Array):
        return pyarrow.chunked_array([values])
    if pyarrow and isinstance(values, pyarrow.RecordBatch):
        return pyarrow.Table.from_batches([values])
    pandas = nw.dependencies.get_pandas()
    if pandas and isinstance(values, pandas.Index | pandas.api.extensions.ExtensionArray):
        return pandas.Series(values)
    return values


def _spread(matrix: Any, argument: str) -> np.ndarray:
    """A sparse matrix as an array, if it is not too large."""
    if np.prod(matrix.shape, dtype=float) > _MOST_VALUES:
        raise ValueError(
            f"{argument} is a sparse matrix of shape {matrix.shape}: its columns are read one by "
            f"one, and more than {_MOST_VALUES} values do not fit in memory. Give fewer columns, "
            "for example through sklearn.decomposition.TruncatedSVD."
        )
    return matrix.toarray()


def _series_of(frame: Any, argument: str) -> Iterator[tuple[Any, Any, str]]:
    """Each column of a frame, its name, and what errors call it.

    By position, where names may repeat: narwhals refuses such frames.
    """
    if nw.dependencies.is_pandas_like_dataframe(frame):
        names = frame.columns.tolist()
        natives = (frame.iloc[:, position] for position in range(len(names)))
    elif nw.dependencies.is_pyarrow_table(frame):
        names, natives = frame.column_names, iter(frame.columns)
    else:
        whole = nw.from_native(frame, eager_only=True)
        names, natives = whole.columns, (series.to_native() for series in whole.iter_columns())
    for position, (name, native) in enumerate(zip(names, natives)):
        yield native, name, _called(argument, name, position)


def _is_plain(series: nw.Series, where: str) -> bool:
    """Whether a series holds numbers or flags, and one in each row; by its dtype if that says."""
    if series.dtype == nw.Boolean or series.dtype.is_numeric():
        if series.is_null().any():
            return False
        return not (series.dtype.is_float() and series.is_nan().any())
    column = _read_series(series, None, where)
    if series.dtype in (nw.Categorical, nw.Enum) or column.missing.any():
        return False
    # Objects of Python may be numbers and flags too.
    return column.kind == "number" or set(map(type, column.distinct[0])) == {bool}


def _read_series(series: nw.Series, name: Any, where: str) -> Column:
    """A series of any library, by what is there and a mask of what is not."""
    missing = series.is_null().to_numpy().astype(bool)
    present = series.drop_nulls()
    if present.dtype in (nw.Int128, nw.UInt128):  # numpy has none
        values = np.array(present.to_list(), dtype=object)
    else:
        values = present.to_numpy()
    if values.ndim > 1 or present.dtype.is_nested():  # lists and structures as cells
        cells = np.empty(len(present), dtype=object)
        cells[:] = present.to_list()
        values = cells
    as_label = present.dtype in (nw.Categorical, nw.Enum)
    return read_values(values, where, name, missing=missing, as_label=as_label)


def _as_array(values: Any, argument: str) -> np.ndarray:
    """Lists and arrays as an array (n,) or (n, d)."""
    if isinstance(values, list | tuple):
        # Objects, so that text beside a number does not make text of it; float64 would also
        # lose whole numbers beyond 2**53.
        array = np.array(values, dtype=object)
    elif isinstance(values, np.ma.MaskedArray):
        array = values
    elif hasattr(values, "__array__"):
        array = np.asarray(values)
    else:
        raise TypeError(
            f"{argument} is a {type(values).__name__}, which has no columns. Give a list, an "
            "array, or a series or frame (a dict as pandas.DataFrame(...), a lazy frame as "
            ".collect())."
        )
    if array.dtype.names:
        raise ValueError(
            f"{argument} is a structured array with the fields {', '.join(array.dtype.names)}. "
            "Give a frame: pandas.DataFrame(...)."
        )
    if array.ndim not in (1, 2):
        raise ValueError(
            f"{argument} has shape {array.shape}: give a vector (n,) or columns (n, d), for "
            "example through reshape."
        )
    return array


def _read_array(array: np.ndarray, argument: str) -> list[Column]:
    if array.ndim == 1 or array.shape[1] == 1:
        return [_read_vector(array.reshape(len(array)), argument)]
    return [
        _read_vector(array[:, position], f"{argument} column {position}")
        for position in range(array.shape[1])
    ]


def _read_vector(vector: np.ndarray, where: str) -> Column:
    """A vector (n,); what a masked array hides is missing."""
    if isinstance(vector, np.ma.MaskedArray):
        return read_values(vector.compressed(), where, missing=np.ma.getmaskarray(vector))
    return read_values(vector, where)


def _called(argument: str, name: Any, position: int | None = None) -> str:
    """What errors call a column of a frame, or a series."""
    if name is None:
        return argument if position is None else f"{argument} column {position}"
    place = "" if position is None else f" (position {position})"
    return f"{argument} column {name!r}{place}"


def _not_empty(columns: list[Column], values: Any, argument: str) -> list[Column]:
    """Refuse what has no columns or no rows, in the words of scikit-learn."""
    if not columns:
        raise ValueError(
            f"{argument} has 0 feature(s) (shape=({len(values)}, 0)) while a minimum of 1 is "
            "required. Give at least one column."
        )
    if len(columns[0]) == 0:
        raise ValueError(
            f"{argument} has 0 sample(s) (shape=(0, {len(columns)})) while a minimum of 1 is "
            "required. Give at least one row."
        )
    return columns

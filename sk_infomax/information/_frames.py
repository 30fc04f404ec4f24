"""Frames in, frames out: results with the names of the columns, by the library that gave them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np

__all__ = ["is_frame", "like_column", "like_columns", "like_table"]


def is_frame(values: Any) -> bool:
    """Whether values are a frame or a series of pandas, polars or Arrow."""
    return nw.dependencies.is_into_dataframe(values) or nw.dependencies.is_into_series(values)


def like_column(values: Sequence[float], rows: list[Any], name: str, like: Any) -> Any:
    """A number for each row: a series of pandas, a frame with the names in it, or an array (n,)."""
    if _is_pandas(like):
        import pandas as pd

        return pd.Series(values, index=rows, name=name)
    return (
        like_table(np.array(values)[:, None], rows, [name], like)
        if is_frame(like)
        else (np.array(values))
    )


def like_table(values: np.ndarray, rows: list[Any], columns: list[str], like: Any) -> Any:
    """Numbers (n, d) for rows that have names: the index in pandas, the first column elsewhere."""
    if not is_frame(like) or _is_pandas(like):
        return like_columns(values, columns, like, rows)
    named = {"column": [str(row) for row in rows]}
    return _frame_of(named | dict(zip(columns, values.T)), like)


def like_columns(
    values: np.ndarray, columns: list[Any], like: Any, rows: list[Any] | None = None
) -> Any:
    """Numbers (n, d) under the names of columns; of rows only where pandas has an index for them.

    An array where names repeat that a frame of the library cannot repeat.
    """
    if _is_pandas(like):
        import pandas as pd

        return pd.DataFrame(values, index=rows, columns=columns)
    names = [str(column) for column in columns]
    if not is_frame(like) or len(set(names)) < len(names):
        return values
    return _frame_of(dict(zip(names, values.T)), like)


def _frame_of(columns: dict[str, Any], like: Any) -> Any:
    backend = nw.from_native(like, allow_series=True).implementation
    columns = {name: np.ascontiguousarray(values) for name, values in columns.items()}
    return nw.from_dict(columns, backend=backend).to_native()


def _is_pandas(values: Any) -> bool:
    return is_frame(values) and type(values).__module__.partition(".")[0] == "pandas"

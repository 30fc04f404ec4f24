"""Tables of ``.csv``, ``.tsv`` and ``.parquet``: nothing is cut off, renamed or made up."""

from __future__ import annotations

import csv
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from ._asked import Asked
from ._samples import Samples, import_pandas, split
from ._voice import Failed

__all__ = ["MISSING", "read_parquet_table", "read_text", "read_text_table"]

MISSING = ("", "NA", "NaN", "nan", "NULL", "null")  # what stands for a missing value in a text
_COLUMNS = ("label", "id", "column", "drop")
_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*")
_DATE = r"\d{4}-\d\d-\d\d([ T]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?"  # of ISO 8601


def read_text_table(path: Path, asked: Asked) -> Samples:
    """Samples of a text with separators."""
    asked.only("a text", "separator", "no_header", *_COLUMNS)
    return split(Samples(str(path), read_text(path, asked)), asked)


def read_parquet_table(path: Path, asked: Asked) -> Samples:
    """Samples of a ``.parquet``."""
    asked.only("a .parquet", *_COLUMNS)
    pd = import_pandas()
    try:
        frame = pd.read_parquet(path)
    except ImportError as error:
        raise Failed(f'{path}: .parquet needs pyarrow: pip install "sk_infomax[cli]"') from error
    except (ValueError, OSError) as error:
        raise Failed(f"{path}: it is no .parquet, or damaged ({error}).") from error
    if any(name is not None for name in frame.index.names):
        frame = frame.reset_index()
    frame.columns = [str(name) for name in frame.columns]
    if not frame.columns.is_unique:
        twice = frame.columns[frame.columns.duplicated()][0]
        raise Failed(f"{path}: two columns are called {twice!r}. Give each a name of its own.")
    if frame.empty:
        raise Failed(f"{path}: it has no rows.")
    return split(Samples(str(path), frame), asked)


def read_text(path: Path, asked: Asked) -> Any:
    """A text as a frame of pandas; names of samples stay text, dates of ISO 8601 become dates."""
    separator = asked.separator or ("\t" if path.suffix == ".tsv" else ",")
    names = _checked_names(path, separator, asked.no_header)
    pd = import_pandas()
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)
        frame = pd.read_csv(
            path,
            sep=separator,
            header=None if asked.no_header else 0,
            names=names,
            index_col=False,
            dtype={asked.id: str} if asked.id in names else None,
            keep_default_na=False,
            na_values=list(MISSING),
            skip_blank_lines=True,
            encoding="utf-8-sig",
            low_memory=False,
        )
    for name in names:
        if _is_text(frame[name], pd) and name != asked.id:
            _take_dates(frame, name, pd)
    return frame


def _is_text(column: Any, pd: Any) -> bool:
    return pd.api.types.is_object_dtype(column) or pd.api.types.is_string_dtype(column)


def _take_dates(frame: Any, name: str, pd: Any) -> None:
    """Make dates of a column in which each cell is one."""
    cells = frame[name].dropna()
    if len(cells) and cells.astype(str).str.fullmatch(_DATE).all():
        moments = pd.to_datetime(frame[name], format="ISO8601", utc=True)
        frame[name] = moments.dt.tz_localize(None)


def _checked_names(path: Path, separator: str, no_header: bool) -> list[str]:
    """Names of the columns, after each line is seen to have as many cells."""
    if len(separator) != 1:
        raise click.UsageError(f"--separator {separator!r} must be one character.")
    lines = _lines(path, separator)
    first = next(lines, None)
    if first is None:
        raise Failed(f"{path}: it is empty.")
    names = [f"x{i}" for i in range(len(first[1]))] if no_header else first[1]
    _check_names(path, names, separator, first[1], no_header)
    n_rows, last = int(no_header), first[0]
    for number, cells in lines:
        n_rows += 1
        if len(names) == 1 and number > last + 1 + cells[0].count("\n"):
            raise Failed(f'{path}: line {last + 1} is empty. Write "" for a missing value.')
        last = number
        if len(cells) != len(names):
            raise Failed(
                f"{path}: line {number} has {len(cells)} cells, and the first line has "
                f"{len(names)}. Quote cells that hold {separator!r}, or say --separator."
            )
    if not n_rows:
        raise Failed(f"{path}: it has names of columns and no rows.")
    return names


def _check_names(
    path: Path, names: list[str], separator: str, first: list[str], no_header: bool
) -> None:
    other = next((one for one in ";\t|" if one in first[0] and one != separator), None)
    if len(first) == 1 and other is not None:
        raise Failed(f"{path}: it has one column and {other!r} in it. Say --separator {other!r}.")
    if no_header:
        return
    if all(_NUMBER.fullmatch(name) for name in names):
        raise Failed(
            f"{path}: its first line has numbers only, and should name the columns. Say "
            "--no-header if it is a row."
        )
    if len(set(names)) < len(names) or "" in names:
        twice = next((name for name in names if names.count(name) > 1), "")
        what = f"two columns are called {twice!r}" if twice else "a column has no name"
        raise Failed(f"{path}: {what}. Give each a name of its own in the first line.")


def _lines(path: Path, separator: str) -> Iterator[tuple[int, list[str]]]:
    """Cells of each line that has some, and its number."""
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, delimiter=separator)
            for cells in reader:
                if cells:
                    yield reader.line_num, cells
    except UnicodeDecodeError as error:
        raise Failed(f"{path}: it is no text in UTF-8 ({error}). Save it as such.") from error
    except csv.Error as error:
        raise Failed(f"{path}: {error}.") from error

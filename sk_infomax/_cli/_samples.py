"""Samples as a file gives them, with their names and labels apart; columns chosen by name."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np

from ._asked import Asked
from ._voice import Failed

__all__ = [
    "Samples",
    "as_frame",
    "column_names",
    "import_pandas",
    "labels_of",
    "named",
    "split",
    "table_of",
]

_SHOWN = 12  # names that an error lists (rule of thumb)


@dataclass(frozen=True)
class Samples:
    """What a file or folder holds.

    Parameters
    ----------
    source : str
        Its path, for errors.
    X : array, frame or list of arrays
        Samples.
    kind : {"table", "series", "image"} or None
        What they are, where the format says so.
    ids, labels : ndarray of shape (n,) or None
        Names of the samples, and their labels.
    id_name, label_name : str
        What these are called.
    """

    source: str
    X: Any
    kind: str | None = None
    ids: Any = None
    labels: Any = None
    id_name: str = "id"
    label_name: str = "label"

    def __len__(self) -> int:
        return len(self.X)


def import_pandas() -> Any:
    """pandas, or an error that says how to install it."""
    try:
        import pandas as pd
    except ImportError as error:
        raise Failed('Tables need pandas: pip install "sk_infomax[cli]"') from error
    return pd


def column_names(X: Any) -> list[str]:
    """Names of the columns of a frame."""
    return [str(name) for name in X.columns]


def as_frame(samples: Samples) -> Samples:
    """Rows of a two-dimensional array as a frame with the columns x0, x1, …"""
    X = samples.X
    if hasattr(X, "columns"):
        return samples
    if not isinstance(X, np.ndarray) or X.ndim != 2:
        shape = f"an array of shape {X.shape}" if isinstance(X, np.ndarray) else "series"
        raise Failed(
            f"{samples.source}: columns are asked for, but it holds {shape}. Give a table: .csv, "
            ".parquet, or an array of two dimensions, whose columns are called x0, x1, …"
        )
    names = [f"x{i}" for i in range(X.shape[1])]
    return replace(samples, X=import_pandas().DataFrame(np.asarray(X), columns=names))


def named(name: str, names: Iterable[str], source: str, what: str = "column") -> str:
    """A name that is there; an error with the nearest one, or all there are, if it is not."""
    names = list(names)
    if name in names:
        return name
    close = get_close_matches(name, names, n=1)
    shown = ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")
    hint = f"did you mean {close[0]!r}? " if close else ""
    raise Failed(f"{source}: there is no {what} {name!r}: {hint}It has {shown or 'none'}.")


def split(samples: Samples, asked: Asked) -> Samples:
    """Labels and names taken out of the columns of a table, and the columns that were asked for.

    A label that is no column but a file is read from there.
    """
    label_is_file = asked.label is not None and _is_file(asked.label, samples.X)
    apart = [name for name in (asked.id, None if label_is_file else asked.label) if name]
    if apart or asked.column or asked.drop:
        samples = as_frame(samples)
        samples = _without(samples, apart, asked)
    if asked.label is not None and label_is_file:
        labels = labels_of(Path(asked.label), len(samples), samples.source)
        return replace(samples, labels=labels, label_name=Path(asked.label).stem)
    return samples


def _without(samples: Samples, apart: list[str], asked: Asked) -> Samples:
    names, X = column_names(samples.X), samples.X
    for name in (*apart, *asked.column, *asked.drop):
        named(name, names, samples.source)
    taken = [name for name in asked.column or names if name not in (*apart, *asked.drop)]
    if not taken:
        raise Failed(f"{samples.source}: no column is left for samples. Take some out less.")
    ids, labels = (None if n is None or n not in apart else X[n] for n in (asked.id, asked.label))
    found = {"ids": samples.ids if ids is None else ids.to_numpy(), "X": X[taken]}
    found["labels"] = samples.labels if labels is None else labels.to_numpy()
    found["id_name"] = samples.id_name if ids is None else asked.id
    found["label_name"] = samples.label_name if labels is None else asked.label
    return replace(samples, **found)


def _is_file(label: str, X: Any) -> bool:
    """Whether a label is a file, and no column of that name."""
    if hasattr(X, "columns") and label in column_names(X):
        return False
    return Path(label).suffix in (".npy", ".csv")


def labels_of(path: Path, n: int, source: str) -> np.ndarray:
    """Labels (n,) of a file of their own."""
    if path.suffix == ".npy":
        from ._arrays import load_array

        labels = load_array(path)
    else:
        labels = _only_column(path)
    if labels.shape != (n,):
        raise Failed(
            f"{path}: it has the shape {labels.shape}, and {source} has {n} samples. Give one "
            "label for each."
        )
    return labels


def _only_column(path: Path) -> np.ndarray:
    """The values of a text of one column, below its name."""
    from ._tables import read_text

    frame = read_text(path, Asked())
    if frame.shape[1] != 1:
        raise Failed(f"{path}: a file of labels has one column, and this has {frame.shape[1]}.")
    return frame.iloc[:, 0].to_numpy()


def table_of(samples: Samples) -> Samples:
    """Samples as a frame with two columns or more."""
    if samples.kind is not None:
        raise Failed(
            f"{samples.source}: it holds {samples.kind} data, which have no columns. Transform "
            "it first, and give the features."
        )
    return as_frame(samples)

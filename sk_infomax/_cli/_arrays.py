"""Arrays of ``.npy`` and ``.npz``, read as data: what only a pickle could hold is refused."""

from __future__ import annotations

from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from ._asked import Asked
from ._samples import Samples, named, split
from ._voice import Failed

__all__ = ["load_array", "read_npy", "read_npz"]

_PICKLED = ("pickle", "Python objects")  # in what numpy says of an array that it does not read
_COLUMNS = ("label", "id", "column", "drop")  # what can be asked of two-dimensional arrays


def load_array(path: Path) -> np.ndarray:
    """The array of a ``.npy``, mapped into memory."""
    try:
        found = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise _refused(path, error) from error
    if not isinstance(found, np.ndarray):
        found.close()
        raise Failed(f"{path}: it is an .npz by content. Name it so.")
    return found


def read_npy(path: Path, asked: Asked) -> Samples:
    """Samples of a ``.npy``."""
    asked.only("a .npy", *_COLUMNS)
    return split(Samples(str(path), _as_samples(load_array(path), str(path))), asked)


def read_npz(path: Path, asked: Asked) -> Samples:
    """Samples of one array of an ``.npz``, names and labels of others."""
    asked.only("an .npz", "array", *_COLUMNS)
    try:
        with np.load(path, allow_pickle=False) as file:
            return _of_arrays(path, file, asked)
    except (ValueError, EOFError, BadZipFile) as error:
        raise _refused(path, error) from error


def _of_arrays(path: Path, file: np.lib.npyio.NpzFile, asked: Asked) -> Samples:
    source, names = str(path), list(file.files)
    apart = {name for name in (asked.id, asked.label) if name in names}
    chosen = _chosen(names, apart, asked.array, source)
    samples = Samples(source, _as_samples(file[chosen], f"{source}[{chosen}]"))
    found = {"source": source, "X": samples.X}
    for name, value, called in (
        ("ids", asked.id, "id_name"),
        ("labels", asked.label, "label_name"),
    ):
        if value in apart:
            found |= {name: _beside(file[value], len(samples), f"{source}[{value}]"), called: value}
    rest = {name: getattr(asked, name) for name in ("column", "drop")}
    rest |= {n: v for n in ("id", "label") if (v := getattr(asked, n)) not in apart}
    return split(Samples(**found), Asked(**rest))


def _chosen(names: list[str], apart: set[str], array: str | None, source: str) -> str:
    """The array that holds the samples: the only one, or the one that was asked for."""
    if array is not None:
        return named(array, names, source, "array")
    left = [name for name in names if name not in apart]
    if len(left) != 1:
        listing = ", ".join(left) or "none"
        raise Failed(
            f"{source}: it holds {len(left)} arrays that may be the samples ({listing}). Say "
            "which by --array NAME, and which are labels or names by --label and --id."
        )
    return left[0]


def _as_samples(array: np.ndarray, source: str) -> np.ndarray:
    """An array of numbers with one sample or more."""
    if array.dtype.kind not in "biuf":
        raise Failed(
            f"{source}: it holds values of the type {array.dtype}, and samples are numbers. Give "
            "text and dates as a table, .csv or .parquet."
        )
    if array.ndim < 2 or not array.size:
        raise Failed(
            f"{source}: it has the shape {array.shape}, and samples have (n, features), "
            "(n, channels, time), (n, height, width) or (n, height, width, channels)."
        )
    return array


def _beside(array: np.ndarray, n: int, source: str) -> np.ndarray:
    """Labels or names (n,) beside n samples."""
    if array.shape != (n,):
        raise Failed(f"{source}: it has the shape {array.shape}, and there are {n} samples.")
    return array


def _refused(path: Path, error: Exception) -> Failed:
    if any(word in str(error) for word in _PICKLED):
        return Failed(
            f"{path}: it holds Python objects, or is no file of numpy. Objects are not "
            "read, since a pickle may run code. Save numbers; of series of several lengths, a .ts."
        )
    return Failed(f"{path}: it is empty or damaged ({type(error).__name__}: {error}).")

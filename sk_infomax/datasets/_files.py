"""What readers of image sets share: OpenML, files that are missing or damaged, and the parts.

A reader is a file with one function of a folder (None fetches the set from OpenML), and a line in
`READERS`.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import NamedTuple

import numpy as np
from sklearn.datasets import fetch_openml

__all__ = ["Folder", "ImageSet", "check_counts", "fetch", "find_files", "read_bytes"]

Folder = str | PathLike[str] | None


class ImageSet(NamedTuple):
    """Images and labels, those to train on and those to test on.

    Parameters
    ----------
    X_train, X_test : ndarray of shape (n, h, w) or (n, h, w, 3)
        Grey levels, or red, green and blue; uint8.
    y_train, y_test : ndarray of shape (n,)
        Classes 0, 1, ...; int64.
    """

    X_train: np.ndarray
    y_train: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray


def fetch(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Pixels (n, p) as uint8 and labels (n,) as int64 of a set on OpenML.

    scikit-learn keeps what it has fetched in its own cache, see `sklearn.datasets.get_data_home`.
    """
    bunch = fetch_openml(name, version=1, as_frame=False)
    return np.asarray(bunch.data).astype(np.uint8), np.asarray(bunch.target).astype(np.int64)


def find_files(
    folder: str | PathLike[str], names: Sequence[str], endings: Sequence[str]
) -> dict[str, Path]:
    """The file of each name, with the first of the endings that there is."""
    found = {}
    for name in names:
        candidates = [Path(folder) / (name + ending) for ending in endings]
        present = [path for path in candidates if path.is_file()]
        if not present:
            listing = ", ".join(names)
            choice = " or ".join(repr(ending) for ending in endings if ending)
            raise FileNotFoundError(
                f"{str(folder)!r} holds no file {name!r} (it may end in {choice}). Expected in "
                f"this folder: {listing}. Leave folder out to fetch the set from OpenML."
            )
        found[name] = present[0]
    return found


def read_bytes(path: Path) -> bytes:
    """Content of a file, unpacked if it ends in ``.gz``."""
    if path.suffix != ".gz":
        return path.read_bytes()
    try:
        with gzip.open(path) as file:
            return file.read()
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(
            f"{path.name} cannot be unpacked ({error}): it is truncated or no gzip file. "
            "Download it again."
        ) from error


def check_counts(folder: str | PathLike[str], part: str, n_images: int, n_labels: int) -> None:
    """Refuse a part of a set that has more images than labels, or fewer."""
    if n_images != n_labels:
        raise ValueError(
            f"{str(folder)!r} holds {n_images} images and {n_labels} labels in its {part} part. "
            "The files do not belong together: download them again."
        )

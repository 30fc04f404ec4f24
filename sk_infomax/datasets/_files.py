"""What readers of image sets share: OpenML, files that are missing or damaged, and the parts.

A reader is a file with one function of a folder, and a line in `READERS`. The function gives what
loaders of scikit-learn give, a Bunch or ``(X, y)``; `READERS` has its parts as four arrays.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from sklearn.datasets import fetch_openml
from sklearn.utils import Bunch

__all__ = [
    "FROM_OPENML",
    "UNLABELLED",
    "Folder",
    "ImageSet",
    "Loaded",
    "as_loaded",
    "check_counts",
    "check_folder",
    "check_subset",
    "fetch",
    "find_files",
    "four_arrays",
    "join",
    "present",
    "read_bytes",
]

Folder: TypeAlias = str | PathLike[str] | None
Loaded: TypeAlias = Any  # an ImageSet, a Bunch, or (X, y), as the arguments ask
FROM_OPENML = "Leave folder out to fetch the set from OpenML."
UNLABELLED = -1  # the label of what has none, in scikit-learn's semi-supervised estimators
_ARCHIVES = ("*.tar.gz", "*.tgz", "*.zip")


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
    folder: str | PathLike[str],
    names: Sequence[str],
    endings: Sequence[str],
    remedy: str = FROM_OPENML,
) -> dict[str, Path]:
    """The file of each name, with the first of the endings that there is."""
    found = {}
    for name in names:
        candidates = [Path(folder) / (name + ending) for ending in endings]
        present = [path for path in candidates if path.is_file()]
        if not present:
            listing = ", ".join(names)
            choice = " or ".join(repr(ending) for ending in endings if ending)
            may = f" (it may end in {choice})" if choice else ""
            raise FileNotFoundError(
                f"{str(folder)!r} holds no file {name!r}{may}. Expected in this folder: {listing}. "
                f"{_unpack(Path(folder))}{remedy}"
            )
        found[name] = present[0]
    return found


def _unpack(folder: Path) -> str:
    """Advice on archives that lie in a folder."""
    packed = sorted(path.name for ending in _ARCHIVES for path in folder.glob(ending))
    return f"It holds {', '.join(packed)}: unpack that there. " if packed else ""


def check_folder(folder: Folder, unpacked: Sequence[str], remedy: str) -> Path:
    """The folder of a set, or the one inside that unpacking its archive makes.

    Raises
    ------
    ValueError
        If there is no folder: the set is not on OpenML.
    """
    if folder is None:
        raise ValueError(f"folder=None, but this set is read from files. {remedy}")
    inside = [Path(folder) / name for name in unpacked if (Path(folder) / name).is_dir()]
    return inside[0] if inside else Path(folder)


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


# What loaders give -------------------------------------------------------------------------------


def check_subset(subset: str, choices: Sequence[str]) -> None:
    """Refuse the name of a subset that a set does not have."""
    if subset not in choices:
        raise ValueError(f"subset={subset!r}. It must be one of {', '.join(choices)}.")


def as_loaded(
    images: np.ndarray,
    target: np.ndarray,
    target_names: Sequence[str],
    description: str,
    return_X_y: bool,
    **more: Any,
) -> Loaded:
    """Images and labels as loaders of scikit-learn give them: a Bunch, or ``(X, y)``."""
    if return_X_y:
        return images, target
    return Bunch(
        data=images,
        images=images,
        target=target,
        target_names=list(target_names),
        DESCR=description,
        **more,
    )


def join(parts: Sequence[tuple[np.ndarray, ...]]) -> tuple[np.ndarray, ...]:
    """Arrays of several parts, one after the other; those of a single part as they are."""
    return parts[0] if len(parts) == 1 else tuple(np.concatenate(arrays) for arrays in zip(*parts))


def present(
    read: Callable[[], ImageSet],
    subset: str | None,
    target_names: Sequence[str],
    description: str,
    return_X_y: bool,
) -> Loaded:
    """The four arrays if nothing else is asked for, else a subset as scikit-learn gives it."""
    check_subset(subset or "all", ("train", "test", "all"))
    parts = read()
    if subset is None and not return_X_y:
        return parts
    halves = {"train": [parts[:2]], "test": [parts[2:]]}
    images, target = join(halves.get(subset or "all", [parts[:2], parts[2:]]))
    return as_loaded(images, target, target_names, description, return_X_y)


def four_arrays(load: Callable[..., Loaded], **options: Any) -> Callable[[Folder], ImageSet]:
    """A reader of the parts to train and to test on, from a loader of subsets."""

    def read(folder: Folder) -> ImageSet:
        subsets = (load(folder, subset=s, return_X_y=True, **options) for s in ("train", "test"))
        return ImageSet(*(array for pair in subsets for array in pair))

    return read

"""STL-10, from its binary files; what is large stays on disk."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from ._files import (
    UNLABELLED,
    Folder,
    Loaded,
    as_loaded,
    check_counts,
    check_folder,
    check_subset,
    find_files,
    join,
)

__all__ = ["load_stl10"]

_SHAPE = (3, 96, 96)  # planes, columns, rows: an image is stored by column (Coates et al. 2011)
_SIZE = math.prod(_SHAPE)  # bytes of an image
_COUNTS = {"train": 5_000, "test": 8_000, "unlabeled": 100_000}  # images (Coates et al. 2011)
_N_CLASSES = 10  # labelled 1 to 10 in the files (Coates et al. 2011)
_N_FOLDS, _FOLD_SIZE = 10, 1_000  # predefined folds of the training part (Coates et al. 2011)
_SUBSETS = {"train": ("train",), "test": ("test",), "all": ("train", "test")}
_UNPACKED = ("stl10_binary",)  # what the archive unpacks to
_REMEDY = (
    "Download stl10_binary.tar.gz from https://cs.stanford.edu/~acoates/stl10, unpack it, and give "
    "its folder."
)
_DESCRIPTION = """STL-10: 5,000 images to train on in ten predefined folds of 1,000, 8,000 to test
on, and 100,000 without labels, in colour, 96x96, of ten classes of animals and vehicles, and of
others among those without labels (Coates, Lee and Ng 2011, https://cs.stanford.edu/~acoates/stl10).
"""


def load_stl10(folder: Folder, *, subset: str = "train", return_X_y: bool = False) -> Loaded:
    """Load STL-10: colour images of which most have no labels.

    Parameters
    ----------
    folder : str or path-like
        Folder with the binary files ``train_X.bin``, ``train_y.bin``, ``test_X.bin``,
        ``test_y.bin``, ``unlabeled_X.bin``, ``class_names.txt`` and ``fold_indices.txt``, of
        which those of the subset are read. The folder that holds the unpacked archive will do.
    subset : {"train", "test", "all", "unlabeled"}, default="train"
        Which images; ``"all"`` are those with labels.
    return_X_y : bool, default=False
        Give ``(images, target)`` instead of a Bunch.

    Returns
    -------
    bunch : `~sklearn.utils.Bunch`
        ``images`` of shape (n, 96, 96, 3), red, green and blue in uint8, also as ``data``: a
        read-only view of the file, but for ``"all"``, of which nothing is in memory until it is
        asked for; ``target`` of shape (n,), classes 0 to 9 in int64, -1 without labels;
        ``target_names``; for ``"train"`` also ``folds``, ten arrays of 1,000 row numbers, if
        ``fold_indices.txt`` is there; ``DESCR``.

    Raises
    ------
    FileNotFoundError
        If the folder or one of the files is missing.
    ValueError
        If a file is truncated or holds something else.

    References
    ----------
    Coates, Lee and Ng, An analysis of single-layer networks in unsupervised feature learning,
    AISTATS 2011.

    Examples
    --------
    >>> from sk_infomax.datasets import load_stl10
    >>> X, _ = load_stl10("stl10_binary", subset="unlabeled", return_X_y=True)  # doctest: +SKIP
    >>> X.shape  # doctest: +SKIP
    (100000, 96, 96, 3)
    """
    check_subset(subset, (*_SUBSETS, "unlabeled"))
    folder = check_folder(folder, _UNPACKED, _REMEDY)
    if subset == "unlabeled":
        images = _map_images(folder, "unlabeled")
        target = np.full(len(images), UNLABELLED, dtype=np.int64)
    else:
        images, target = join([_read(folder, part) for part in _SUBSETS[subset]])
    folds = {"folds": _read_folds(folder)} if subset == "train" else {}
    return as_loaded(images, target, _class_names(folder), _DESCRIPTION, return_X_y, **folds)


def _read(folder: Path, part: str) -> tuple[np.ndarray, np.ndarray]:
    """Images and labels of a part that has labels."""
    images = _map_images(folder, part)
    path = _find(folder, f"{part}_y.bin")
    labels = np.fromfile(path, np.uint8).astype(np.int64)
    check_counts(folder, part, len(images), len(labels))
    wrong = labels[(labels < 1) | (labels > _N_CLASSES)]
    if len(wrong):
        raise ValueError(
            f"{path.name} holds the label {wrong[0]}, but STL-10 has the classes 1 to "
            f"{_N_CLASSES}: it is damaged. {_REMEDY}"
        )
    return images, labels - 1


def _map_images(folder: Path, part: str) -> np.ndarray:
    """Images (n, 96, 96, 3) of a part, as a view of the file."""
    path = _find(folder, f"{part}_X.bin")
    size, count = path.stat().st_size, _COUNTS[part]
    if size != count * _SIZE:
        raise ValueError(
            f"{path.name} has {size} bytes, which is {size / _SIZE:.10g} images of 96x96, not "
            f"{count}: it is truncated or another file. {_REMEDY}"
        )
    columns = np.memmap(path, np.uint8, mode="r", shape=(count, *_SHAPE))
    return columns.transpose(0, 3, 2, 1)


def _read_folds(folder: Path) -> list[np.ndarray] | None:
    """Row numbers of each predefined fold; None without their file."""
    path = folder / "fold_indices.txt"
    if not path.is_file():
        return None
    try:
        folds = [np.array(line.split(), dtype=np.int64) for line in path.open() if line.strip()]
    except ValueError:
        folds = []
    rows: Any = np.concatenate(folds) if folds else np.array([-1])
    sizes = {len(fold) for fold in folds}
    if len(folds) != _N_FOLDS or sizes != {_FOLD_SIZE} or not _inside(rows):
        raise ValueError(
            f"{path.name} holds {len(folds)} folds of {sorted(sizes)} row numbers, not {_N_FOLDS} "
            f"of {_FOLD_SIZE} from 0 to {_COUNTS['train'] - 1}: it is truncated or damaged. "
            f"{_REMEDY}"
        )
    return folds


def _inside(rows: np.ndarray) -> bool:
    return rows.min() >= 0 and rows.max() < _COUNTS["train"]


def _class_names(folder: Path) -> list[str]:
    """Names of the classes, or without their file their numbers."""
    path = folder / "class_names.txt"
    if not path.is_file():
        return [str(number) for number in range(_N_CLASSES)]
    names = path.read_text(encoding="utf-8").split()
    if len(names) != _N_CLASSES:
        raise ValueError(f"{path.name} names {len(names)} classes of {_N_CLASSES}. {_REMEDY}")
    return names


def _find(folder: Path, name: str) -> Path:
    return find_files(folder, [name], ("",), _REMEDY)[name]

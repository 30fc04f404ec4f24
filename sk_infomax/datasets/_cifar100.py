"""CIFAR-100, from its binary or Python version."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ._cifar import read_batch
from ._files import Folder, Loaded, as_loaded, check_folder, check_subset, find_files, join
from ._pickles import read_pickle

__all__ = ["load_cifar100"]

_LABELS = {"coarse_labels": 20, "fine_labels": 100}  # classes, in the order of a record's bytes
_COUNTS = {"train": 50_000, "test": 10_000}  # images (Krizhevsky 2009)
_SUBSETS = {"train": ("train",), "test": ("test",), "all": ("train", "test")}
_UNPACKED = ("cifar-100-binary", "cifar-100-python")  # what the archives unpack to
_REMEDY = (
    "Download cifar-100-binary.tar.gz or cifar-100-python.tar.gz from "
    "https://www.cs.toronto.edu/~kriz/cifar.html, unpack it, and give its folder."
)
_DESCRIPTION = """CIFAR-100: 50,000 images to train on and 10,000 to test on, in colour, 32x32, in
100 fine classes, five to each of 20 coarse ones (Krizhevsky 2009,
https://www.cs.toronto.edu/~kriz/cifar.html)."""


def load_cifar100(
    folder: Folder, *, subset: str = "train", labels: str = "fine", return_X_y: bool = False
) -> Loaded:
    """Load CIFAR-100: colour images in a hundred classes, or in twenty.

    Parameters
    ----------
    folder : str or path-like
        Folder with the binary version, ``train.bin`` and ``test.bin``, or with the Python version,
        ``train`` and ``test``, of which no code is run. The folder that holds the unpacked archive
        will do. Classes are named by ``fine_label_names.txt`` and ``coarse_label_names.txt`` or
        by ``meta``; without them by their numbers.
    subset : {"train", "test", "all"}, default="train"
        Which images; only their files are read.
    labels : {"fine", "coarse"}, default="fine"
        Which classes are the target.
    return_X_y : bool, default=False
        Give ``(images, target)`` instead of a Bunch.

    Returns
    -------
    bunch : `~sklearn.utils.Bunch`
        ``images`` of shape (n, 32, 32, 3), red, green and blue in uint8, also as ``data``;
        ``target`` of shape (n,), int64; ``target_names``; ``fine_target`` and ``coarse_target`` of
        shape (n,); ``DESCR``.

    Raises
    ------
    FileNotFoundError
        If the folder or one of its files is missing.
    ValueError
        If a file is truncated or holds something else, or a pickle asks for more than arrays.

    References
    ----------
    Krizhevsky, Learning multiple layers of features from tiny images, 2009.

    Examples
    --------
    >>> from sk_infomax.datasets import load_cifar100
    >>> bunch = load_cifar100("cifar-100-python", labels="coarse")  # doctest: +SKIP
    >>> bunch.images.shape, len(bunch.target_names)  # doctest: +SKIP
    ((50000, 32, 32, 3), 20)
    """
    check_subset(subset, tuple(_SUBSETS))
    if f"{labels}_labels" not in _LABELS:
        raise ValueError(f"labels={labels!r}. It must be 'fine' or 'coarse'.")
    folder = check_folder(folder, _UNPACKED, _REMEDY)
    images, coarse, fine = join([_read(folder, part) for part in _SUBSETS[subset]])
    return as_loaded(
        images,
        fine if labels == "fine" else coarse,
        _class_names(folder, labels),
        _DESCRIPTION,
        return_X_y,
        fine_target=fine,
        coarse_target=coarse,
    )


def _read(folder: Path, part: str) -> tuple[np.ndarray, ...]:
    """Images, coarse and fine labels of a part."""
    path = find_files(folder, [part], (".bin", ""), _REMEDY)[part]
    arrays = read_batch(path, "CIFAR-100", _LABELS)
    if len(arrays[0]) != _COUNTS[part]:
        raise ValueError(
            f"{path.name} holds {len(arrays[0])} images of {_COUNTS[part]}: it is truncated. "
            f"{_REMEDY}"
        )
    return arrays


def _class_names(folder: Path, labels: str) -> list[str]:
    """Names of the classes, from the file that comes with either version, or their numbers."""
    text, pickled = folder / f"{labels}_label_names.txt", folder / "meta"
    count, names = _LABELS[f"{labels}_labels"], []
    if text.is_file():
        names = text.read_text(encoding="utf-8").split()
    elif pickled.is_file():
        found = read_pickle(pickled).get(f"{labels}_label_names", [])
        names = [name.decode() if isinstance(name, bytes) else str(name) for name in found]
    else:
        return [str(number) for number in range(count)]
    if len(names) != count:
        path = text if text.is_file() else pickled
        raise ValueError(f"{path.name} names {len(names)} classes of {count}. {_REMEDY}")
    return names

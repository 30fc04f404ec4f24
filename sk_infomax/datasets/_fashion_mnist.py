"""Fashion-MNIST, from idx files or from OpenML."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from ._files import Folder, ImageSet, Loaded, check_counts, fetch, find_files, present, read_bytes

__all__ = ["load_fashion_mnist"]

_SHAPE = (28, 28)  # pixels (Xiao, Rasul and Vollgraf 2017)
_N_TRAIN = 60_000  # images, the first of OpenML's 70,000 (Xiao, Rasul and Vollgraf 2017)
_UINT8 = 8  # code of unsigned bytes in the third byte of an idx file (its specification)
_CLASSES = (  # (Xiao, Rasul and Vollgraf 2017)
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
_DESCRIPTION = """Fashion-MNIST: 60,000 images to train on and 10,000 to test on, grey, 28x28, of
articles of Zalando in ten classes (Xiao, Rasul and Vollgraf 2017,
https://github.com/zalandoresearch/fashion-mnist)."""


def load_fashion_mnist(
    folder: Folder = None, *, subset: str | None = None, return_X_y: bool = False
) -> Loaded:
    """Load Fashion-MNIST: grey images of clothes in ten classes.

    Parameters
    ----------
    folder : str, path-like or None, default=None
        Folder with the four idx files ``train-images-idx3-ubyte``, ``train-labels-idx1-ubyte``,
        ``t10k-images-idx3-ubyte`` and ``t10k-labels-idx1-ubyte``, each as it is or with
        ``.gz``. None fetches the set from OpenML. The files of MNIST, EMNIST and KMNIST have
        the same format.
    subset : {"train", "test", "all"} or None, default=None
        What to give as a Bunch. None gives the four arrays below.
    return_X_y : bool, default=False
        Give ``(images, target)`` of the subset, of all images if that is None.

    Returns
    -------
    X_train : ndarray of shape (60000, 28, 28)
        Grey levels, uint8.
    y_train : ndarray of shape (60000,)
        Classes 0 to 9, int64.
    X_test : ndarray of shape (10000, 28, 28)
        Grey levels, uint8.
    y_test : ndarray of shape (10000,)
        Classes 0 to 9, int64.
    bunch : `~sklearn.utils.Bunch`
        In their place, if a subset is asked for: ``images`` (also as ``data``), ``target``,
        ``target_names`` and ``DESCR``.

    Raises
    ------
    FileNotFoundError
        If the folder or one of its files is missing.
    ValueError
        If a file is truncated or no idx file, or there is no such subset.

    References
    ----------
    Xiao, Rasul and Vollgraf, Fashion-MNIST: a novel image dataset for benchmarking machine
    learning algorithms, 2017.

    Examples
    --------
    >>> from sk_infomax.datasets import load_fashion_mnist
    >>> X_train, y_train, X_test, y_test = load_fashion_mnist("fashion")  # doctest: +SKIP
    >>> X_train.shape  # doctest: +SKIP
    (60000, 28, 28)
    """
    return present(lambda: _read(folder), subset, _CLASSES, _DESCRIPTION, return_X_y)


def _read(folder: Folder) -> ImageSet:
    """Both parts, from files or from OpenML."""
    if folder is None:
        pixels, labels = fetch("Fashion-MNIST")
        images = pixels.reshape(-1, *_SHAPE)
        parts = slice(None, _N_TRAIN), slice(_N_TRAIN, None)
        return ImageSet(*(array[part] for part in parts for array in (images, labels)))
    kinds = ("images-idx3-ubyte", "labels-idx1-ubyte")
    names = [f"{part}-{kind}" for part in ("train", "t10k") for kind in kinds]
    paths = find_files(folder, names, ("", ".gz"))
    arrays: list[np.ndarray] = []
    for part in ("train", "t10k"):
        images = _read_idx(paths[f"{part}-images-idx3-ubyte"], 3)
        labels = _read_idx(paths[f"{part}-labels-idx1-ubyte"], 1)
        check_counts(folder, part, len(images), len(labels))
        arrays += [images, labels.astype(np.int64)]
    return ImageSet(*arrays)


def _read_idx(path: Path, n_axes: int) -> np.ndarray:
    """Array of uint8 with this number of axes in an idx file, a copy of our own."""
    content = read_bytes(path)
    expected = bytes([0, 0, _UINT8, n_axes])
    if content[:4] != expected:
        raise ValueError(
            f"{path.name} begins with the magic number {int.from_bytes(content[:4], 'big')}, "
            f"not {int.from_bytes(expected, 'big')}: it is no idx file of {n_axes}-dimensional "
            "uint8. Download it again."
        )
    start = 4 + 4 * n_axes
    shape = tuple(int.from_bytes(content[at : at + 4], "big") for at in range(4, start, 4))
    n_values = len(content) - start
    if n_values != math.prod(shape):
        raise ValueError(
            f"{path.name} announces an array of shape {shape} and holds {max(0, n_values)} "
            "values: it is truncated or damaged. Download it again."
        )
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape).copy()

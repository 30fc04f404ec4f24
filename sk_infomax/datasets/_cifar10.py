"""CIFAR-10, from its binary version, from pictures of tiles, or from OpenML."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from ._files import Folder, ImageSet, check_counts, fetch, find_files

__all__ = ["load_cifar10"]

_EDGE = 32  # pixels (Krizhevsky 2009)
_CHANNELS = 3  # red, green, blue, a plane each (Krizhevsky 2009)
_N_CLASSES = 10  # (Krizhevsky 2009)
_N_TRAIN = 50_000  # images, the first of OpenML's 60,000 (Krizhevsky 2009)
_RECORD = 1 + math.prod((_CHANNELS, _EDGE, _EDGE))  # bytes: a label and its pixels (binary version)
_TRAIN_BATCHES = [f"data_batch_{number}" for number in range(1, 6)]
_PICTURES = (".webp", ".png")


def load_cifar10(folder: Folder = None) -> ImageSet:
    """Load CIFAR-10: colour images of animals and vehicles in ten classes.

    Parameters
    ----------
    folder : str, path-like or None, default=None
        Folder with the binary version, ``data_batch_1.bin`` to ``data_batch_5.bin`` and
        ``test_batch.bin``; or with the same batches as lossless pictures (``.webp`` or
        ``.png``) of 32x32 tiles, row by row, and ``labels.npz`` with the arrays ``train`` and
        ``test``. Pictures need Pillow. None fetches the set from OpenML.

    Returns
    -------
    X_train : ndarray of shape (50000, 32, 32, 3)
        Red, green and blue, uint8.
    y_train : ndarray of shape (50000,)
        Classes 0 to 9, int64.
    X_test : ndarray of shape (10000, 32, 32, 3)
        Red, green and blue, uint8.
    y_test : ndarray of shape (10000,)
        Classes 0 to 9, int64.

    Raises
    ------
    FileNotFoundError
        If the folder or one of its files is missing.
    ValueError
        If a file is truncated or holds something else.
    ImportError
        If there are pictures and Pillow is not installed.

    References
    ----------
    Krizhevsky, Learning multiple layers of features from tiny images, 2009.

    Examples
    --------
    >>> from sk_infomax.datasets import load_cifar10
    >>> X_train, y_train, X_test, y_test = load_cifar10("cifar10")  # doctest: +SKIP
    >>> X_train.shape  # doctest: +SKIP
    (50000, 32, 32, 3)
    """
    if folder is None:
        pixels, labels = fetch("CIFAR_10")
        images = _channels_last(pixels)
        parts = slice(None, _N_TRAIN), slice(_N_TRAIN, None)
        return ImageSet(*(array[part] for part in parts for array in (images, labels)))
    names = [*_TRAIN_BATCHES, "test_batch"]
    paths = find_files(folder, names, (".bin", *_PICTURES))
    if any(path.suffix in _PICTURES for path in paths.values()):
        return _load_pictures(Path(folder), paths)
    batches = [_read_records(paths[name]) for name in names]
    X_train, y_train = (np.concatenate(arrays) for arrays in zip(*batches[:-1]))
    return ImageSet(X_train, y_train, *batches[-1])


def _channels_last(pixels: np.ndarray) -> np.ndarray:
    """Rows (n, 3072) of three planes as images (n, 32, 32, 3)."""
    planes = pixels.reshape(-1, _CHANNELS, _EDGE, _EDGE)
    return np.ascontiguousarray(planes.transpose(0, 2, 3, 1))


def _read_records(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Images and labels in a file of the binary version."""
    content = np.fromfile(path, np.uint8)
    if content.size == 0 or content.size % _RECORD:
        raise ValueError(
            f"{path.name} has {content.size} bytes, no multiple of the {_RECORD} bytes of "
            "a record (a label and 3x32x32 pixels): it is truncated or another format. Take the "
            "binary version of the set."
        )
    records = content.reshape(-1, _RECORD)
    labels = records[:, 0].astype(np.int64)
    if labels.max() >= _N_CLASSES:
        raise ValueError(
            f"{path.name} holds the label {labels.max()}, but CIFAR-10 has the classes 0 to 9. "
            "Take the binary version of CIFAR-10."
        )
    return _channels_last(records[:, 1:]), labels


def _load_pictures(folder: Path, paths: dict[str, Path]) -> ImageSet:
    """The set from pictures of tiles and the labels beside them."""
    labels_path = folder / "labels.npz"
    if not labels_path.is_file():
        raise FileNotFoundError(
            f"{str(folder)!r} holds pictures but no 'labels.npz' with the arrays train and test."
        )
    with np.load(labels_path) as file:
        missing = {"train", "test"} - set(file.files)
        if missing:
            raise ValueError(
                f"labels.npz holds the arrays {sorted(file.files)}; {sorted(missing)} "
                "must be there too."
            )
        y_train, y_test = (file[part].astype(np.int64) for part in ("train", "test"))
    X_train = np.concatenate([_read_tiles(paths[name]) for name in _TRAIN_BATCHES])
    X_test = _read_tiles(paths["test_batch"])
    check_counts(folder, "train", len(X_train), len(y_train))
    check_counts(folder, "test", len(X_test), len(y_test))
    return ImageSet(X_train, y_train, X_test, y_test)


def _read_tiles(path: Path) -> np.ndarray:
    """Tiles (n, 32, 32, 3) of a picture, row by row."""
    try:
        from PIL import Image, UnidentifiedImageError
    except ImportError as error:
        raise ImportError(
            f"Reading {path.name} needs Pillow: pip install pillow. The binary version of "
            "CIFAR-10 needs nothing."
        ) from error
    try:
        with Image.open(path) as picture:
            pixels = np.asarray(picture.convert("RGB"))
    except (UnidentifiedImageError, OSError) as error:
        raise ValueError(
            f"{path.name} cannot be read as a picture ({error}): it is truncated or damaged. "
            "Copy it again."
        ) from error
    height, width = pixels.shape[:2]
    if height % _EDGE or width % _EDGE:
        raise ValueError(
            f"{path.name} has {width}x{height} pixels, which tiles of {_EDGE}x{_EDGE} do not fill. "
            "Its tiles must lie side by side without a margin."
        )
    tiles = pixels.reshape(height // _EDGE, _EDGE, width // _EDGE, _EDGE, _CHANNELS)
    return tiles.transpose(0, 2, 1, 3, 4).reshape(-1, _EDGE, _EDGE, _CHANNELS)

"""Image sets for examples and benchmarks, read from files or fetched from OpenML.

A folder holds the files as their authors distribute them. Without a folder scikit-learn fetches
the set from OpenML once and keeps it in its own cache (see `sklearn.datasets.get_data_home`).
"""

import gzip
import math
import zlib
from pathlib import Path

import numpy as np
from sklearn.datasets import fetch_openml

__all__ = ["load_cifar10", "load_fashion_mnist"]

_FASHION_TRAIN = 60_000
_CIFAR_TRAIN = 50_000
_CIFAR_SHAPE = (3, 32, 32)
_CIFAR_RECORD = 1 + math.prod(_CIFAR_SHAPE)
_TRAIN_BATCHES = [f"data_batch_{number}" for number in range(1, 6)]
_SPRITES = (".webp", ".png")


def load_fashion_mnist(folder=None):
    """Load Fashion-MNIST: grey images of clothes in ten classes.

    Parameters
    ----------
    folder : str, path-like or None, default=None
        Folder with the four idx files ``train-images-idx3-ubyte``, ``train-labels-idx1-ubyte``,
        ``t10k-images-idx3-ubyte`` and ``t10k-labels-idx1-ubyte``, each as it is or with
        ``.gz``. None fetches the set from OpenML. The files of MNIST, EMNIST and KMNIST have
        the same format.

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

    Raises
    ------
    FileNotFoundError
        If the folder or one of its files is missing.
    ValueError
        If a file is truncated or no idx file.

    References
    ----------
    Xiao, Rasul and Vollgraf, Fashion-MNIST: a novel image dataset for benchmarking machine
    learning algorithms, 2017.
    """
    if folder is None:
        pixels, labels = _fetch("Fashion-MNIST")
        images = pixels.reshape(-1, 28, 28)
        return _split(images, labels, _FASHION_TRAIN)
    kinds = ("images-idx3-ubyte", "labels-idx1-ubyte")
    names = [f"{part}-{kind}" for part in ("train", "t10k") for kind in kinds]
    paths = _find_all(folder, names, ("", ".gz"))
    arrays: list[np.ndarray] = []
    for part in ("train", "t10k"):
        images = _read_idx(paths[f"{part}-images-idx3-ubyte"], 3)
        labels = _read_idx(paths[f"{part}-labels-idx1-ubyte"], 1)
        _check_counts(folder, part, len(images), len(labels))
        arrays += [images, labels.astype(np.int64)]
    return tuple(arrays)


def load_cifar10(folder=None):
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
    """
    if folder is None:
        pixels, labels = _fetch("CIFAR_10")
        return _split(_channels_last(pixels), labels, _CIFAR_TRAIN)
    names = [*_TRAIN_BATCHES, "test_batch"]
    paths = _find_all(folder, names, (".bin", *_SPRITES))
    if any(path.suffix in _SPRITES for path in paths.values()):
        return _cifar_from_pictures(folder, paths)
    batches = {name: _read_records(paths[name]) for name in names}
    train = [batches[name] for name in _TRAIN_BATCHES]
    X_train = np.concatenate([images for images, _ in train])
    y_train = np.concatenate([labels for _, labels in train])
    return (X_train, y_train, *batches["test_batch"])


# OpenML --------------------------------------------------------------------------------------


def _fetch(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Pixels (n, p) as uint8 and labels (n,) as int64 of a set on OpenML."""
    bunch = fetch_openml(name, version=1, as_frame=False)
    return np.asarray(bunch.data).astype(np.uint8), np.asarray(bunch.target).astype(np.int64)


def _split(images: np.ndarray, labels: np.ndarray, n_train: int) -> tuple[np.ndarray, ...]:
    return images[:n_train], labels[:n_train], images[n_train:], labels[n_train:]


# Files ---------------------------------------------------------------------------------------


def _find_all(folder, names: list[str], endings: tuple[str, ...]) -> dict[str, Path]:
    """The file of each name, with the first of the endings that there is."""
    folder = Path(folder)
    found = {}
    for name in names:
        candidates = [folder / (name + ending) for ending in endings]
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


def _read_bytes(path: Path) -> bytes:
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


def _read_idx(path: Path, n_axes: int) -> np.ndarray:
    """Array of uint8 with this number of axes in an idx file, a copy of our own."""
    content = _read_bytes(path)
    expected = bytes([0, 0, 8, n_axes])
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


def _check_counts(folder, part: str, n_images: int, n_labels: int) -> None:
    if n_images != n_labels:
        raise ValueError(
            f"{str(folder)!r} holds {n_images} images and {n_labels} labels in its {part} part. "
            "The files do not belong together: download them again."
        )


def _channels_last(pixels: np.ndarray) -> np.ndarray:
    """Rows (n, 3072) of three planes as images (n, 32, 32, 3)."""
    planes = pixels.reshape(-1, *_CIFAR_SHAPE)
    return np.ascontiguousarray(planes.transpose(0, 2, 3, 1))


def _read_records(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Images and labels in a file of the binary version."""
    content = np.fromfile(path, np.uint8)
    if content.size == 0 or content.size % _CIFAR_RECORD:
        raise ValueError(
            f"{path.name} has {content.size} bytes, no multiple of the {_CIFAR_RECORD} bytes of "
            "a record (a label and 3x32x32 pixels): it is truncated or another format. Take the "
            "binary version of the set."
        )
    records = content.reshape(-1, _CIFAR_RECORD)
    labels = records[:, 0].astype(np.int64)
    if labels.max() > 9:
        raise ValueError(
            f"{path.name} holds the label {labels.max()}, but CIFAR-10 has the classes 0 to 9. "
            "Take the binary version of CIFAR-10."
        )
    return _channels_last(records[:, 1:]), labels


def _cifar_from_pictures(folder, paths: dict[str, Path]) -> tuple[np.ndarray, ...]:
    """The set from pictures of tiles and the labels beside them."""
    labels_path = Path(folder) / "labels.npz"
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
    _check_counts(folder, "train", len(X_train), len(y_train))
    _check_counts(folder, "test", len(X_test), len(y_test))
    return X_train, y_train, X_test, y_test


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
    if height % 32 or width % 32:
        raise ValueError(
            f"{path.name} has {width}x{height} pixels, which tiles of 32x32 do not fill. Its "
            "tiles must lie side by side without a margin."
        )
    tiles = pixels.reshape(height // 32, 32, width // 32, 32, 3).transpose(0, 2, 1, 3, 4)
    return tiles.reshape(-1, 32, 32, 3)

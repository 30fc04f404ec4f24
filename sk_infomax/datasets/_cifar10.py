"""CIFAR-10, from its binary or Python version, from pictures of tiles, or from OpenML."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ._cifar import CHANNELS, EDGE, channels_last, read_batch
from ._files import (
    FROM_OPENML,
    Folder,
    ImageSet,
    Loaded,
    check_counts,
    check_folder,
    fetch,
    find_files,
    present,
)
from ._pictures import import_pillow

__all__ = ["load_cifar10"]

_N_TRAIN = 50_000  # images, the first of OpenML's 60,000 (Krizhevsky 2009)
_TRAIN_BATCHES = [f"data_batch_{number}" for number in range(1, 6)]
_PICTURES = (".webp", ".png")
_UNPACKED = ("cifar-10-batches-bin", "cifar-10-batches-py")  # what the archives unpack to
_LABELS = {"labels": 10}  # classes (Krizhevsky 2009)
_CLASSES = (  # (Krizhevsky 2009)
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)
_DESCRIPTION = """CIFAR-10: 50,000 images to train on and 10,000 to test on, in colour, 32x32, of
animals and vehicles in ten classes (Krizhevsky 2009,
https://www.cs.toronto.edu/~kriz/cifar.html)."""


def load_cifar10(
    folder: Folder = None, *, subset: str | None = None, return_X_y: bool = False
) -> Loaded:
    """Load CIFAR-10: colour images of animals and vehicles in ten classes.

    Parameters
    ----------
    folder : str, path-like or None, default=None
        Folder with the binary version, ``data_batch_1.bin`` to ``data_batch_5.bin`` and
        ``test_batch.bin``; with the Python version, ``data_batch_1`` to ``data_batch_5`` and
        ``test_batch``, of which no code is run; or with the same batches as lossless pictures
        (``.webp`` or ``.png``) of 32x32 tiles, row by row, and ``labels.npz`` with the arrays
        ``train`` and ``test``. Pictures need Pillow. The folder that holds the unpacked archive
        will do. None fetches the set from OpenML.
    subset : {"train", "test", "all"} or None, default=None
        What to give as a Bunch. None gives the four arrays below.
    return_X_y : bool, default=False
        Give ``(images, target)`` of the subset, of all images if that is None.

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
    bunch : `~sklearn.utils.Bunch`
        In their place, if a subset is asked for: ``images`` (also as ``data``), ``target``,
        ``target_names`` and ``DESCR``.

    Raises
    ------
    FileNotFoundError
        If the folder or one of its files is missing.
    ValueError
        If a file is truncated or holds something else, a pickle asks for more than arrays, or
        there is no such subset.
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
    return present(lambda: _read(folder), subset, _CLASSES, _DESCRIPTION, return_X_y)


def _read(folder: Folder) -> ImageSet:
    """Both parts, from files or from OpenML."""
    if folder is None:
        pixels, labels = fetch("CIFAR_10")
        images = channels_last(pixels)
        parts = slice(None, _N_TRAIN), slice(_N_TRAIN, None)
        return ImageSet(*(array[part] for part in parts for array in (images, labels)))
    folder, names = check_folder(folder, _UNPACKED, FROM_OPENML), [*_TRAIN_BATCHES, "test_batch"]
    paths = find_files(folder, names, (".bin", *_PICTURES, ""))
    if any(path.suffix in _PICTURES for path in paths.values()):
        return _load_pictures(folder, paths)
    batches = [read_batch(paths[name], "CIFAR-10", _LABELS) for name in names]
    X_train, y_train = (np.concatenate(arrays) for arrays in zip(*batches[:-1]))
    return ImageSet(X_train, y_train, *batches[-1])


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
    pillow = import_pillow(path.name, "The binary version of CIFAR-10 needs nothing.")
    try:
        with pillow.Image.open(path) as picture:
            pixels = np.asarray(picture.convert("RGB"))
    except (pillow.UnidentifiedImageError, OSError) as error:
        raise ValueError(
            f"{path.name} cannot be read as a picture ({error}): it is truncated or damaged. "
            "Copy it again."
        ) from error
    height, width = pixels.shape[:2]
    if height % EDGE or width % EDGE:
        raise ValueError(
            f"{path.name} has {width}x{height} pixels, which tiles of {EDGE}x{EDGE} do not fill. "
            "Its tiles must lie side by side without a margin."
        )
    tiles = pixels.reshape(height // EDGE, EDGE, width // EDGE, EDGE, CHANNELS)
    return tiles.transpose(0, 2, 1, 3, 4).reshape(-1, EDGE, EDGE, CHANNELS)

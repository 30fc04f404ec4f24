"""The data sets of the benchmark, each with samples to train on and samples to test on."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from sk_infomax.datasets import READERS, load_image_folder, load_stl10

EDGE = 64  # pixels of the images of a folder, and of STL-10, as in the paper
_TEST_NAMES = ("test", "val", "validation")


@dataclass
class Split:
    """Samples and labels to train on and to test on, and samples without labels."""

    X_train: np.ndarray
    y_train: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray
    X_unlabelled: np.ndarray | None = None

    def __post_init__(self):
        classes, self.y_train = np.unique(self.y_train, return_inverse=True)
        unknown = np.setdiff1d(self.y_test, classes)
        if len(unknown):
            raise ValueError(f"The test part has the class {unknown[0]!r}, the other has not.")
        self.y_test = np.searchsorted(classes, self.y_test)


def load_split(data: str, folder: str | None, seed: int) -> Split:
    """The set of this name, of a file or a folder of pictures.

    Sets without a test part are split by the seed.
    """
    if data == "digits":
        digits = load_digits()
        return _stratified(digits.images.astype(np.float32), digits.target, seed)
    if data in READERS:
        return Split(*READERS[data](folder))
    if Path(data).is_dir():
        return _folder_split(Path(data), seed)
    with np.load(data) as file:
        if {"X_train", "y_train", "X_test", "y_test"} <= set(file.files):
            return Split(file["X_train"], file["y_train"], file["X_test"], file["y_test"])
        if {"X", "y"} <= set(file.files):
            return _stratified(file["X"], file["y"], seed)
        raise ValueError(
            f"{data} holds the arrays {file.files}. It must hold X_train, y_train, X_test and "
            "y_test, or X and y."
        )


def _stratified(X: np.ndarray, y: np.ndarray, seed: int) -> Split:
    X_train, X_test, y_train, y_test = train_test_split(
        X, y, test_size=0.3, stratify=y, random_state=seed
    )
    return Split(X_train, y_train, X_test, y_test)


def _folder_split(folder: Path, seed: int) -> Split:
    """Pictures of a folder with one of classes for training and for testing, or of classes."""
    test = [folder / name for name in _TEST_NAMES if (folder / name).is_dir()]
    if not test or not (folder / "train").is_dir():
        return _stratified(*_read_classes(folder), seed)
    return Split(*_read_classes(folder / "train"), *_read_classes(test[0]))


def _read_classes(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Images (n, 64, 64, 3) and the names of their classes."""
    bunch = load_image_folder(folder, EDGE, n_jobs=-1)
    if not bunch.target_names:
        raise ValueError(f"{folder} has no folders of classes, without which nothing is measured.")
    return bunch.images, np.array(bunch.target_names)[bunch.target]


def load_paper_split(data: str, folder: str | None, seed: int) -> Split:
    """The set as the paper trains on it: STL-10 by crops, most of them without labels."""
    if data != "stl10":
        return load_split(data, folder, seed)
    split = load_split(data, folder, seed)
    unlabelled = load_stl10(folder, subset="unlabeled").images
    return Split(
        _crop(split.X_train, _middle),
        split.y_train,
        _crop(split.X_test, _middle),
        split.y_test,
        np.concatenate([_crop(X, _anywhere(seed)) for X in (split.X_train, unlabelled)]),
    )


def _crop(images: np.ndarray, place: Callable) -> np.ndarray:
    """Crops (n, 64, 64, 3), read image by image from what may lie on disk."""
    crops = np.empty((len(images), EDGE, EDGE, images.shape[-1]), images.dtype)
    for crop, image in zip(crops, images):
        top, left, step = place(image.shape[0] - EDGE)
        crop[:] = image[top : top + EDGE, left : left + EDGE][:, ::step]
    return crops


def _middle(room: int) -> tuple[int, int, int]:
    return room // 2, room // 2, 1


def _anywhere(seed: int) -> Callable[[int], tuple[int, int, int]]:
    """Any place, mirrored or not: what the paper draws in each pass is drawn once here."""
    rng = np.random.RandomState(seed)
    return lambda room: (rng.randint(room + 1), rng.randint(room + 1), rng.choice((1, -1)))

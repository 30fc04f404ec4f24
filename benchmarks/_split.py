"""The data sets of the benchmark, each with samples to train on and samples to test on."""

from dataclasses import dataclass

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from sk_infomax.datasets import READERS


@dataclass
class Split:
    """Samples and labels to train on and to test on."""

    X_train: np.ndarray
    y_train: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray

    def __post_init__(self):
        classes, self.y_train = np.unique(self.y_train, return_inverse=True)
        self.y_test = np.searchsorted(classes, self.y_test)


def load_split(data: str, folder: str | None, seed: int) -> Split:
    """The set of this name, or of a file; sets without a test part are split by the seed."""
    if data == "digits":
        digits = load_digits()
        return _stratified(digits.images.astype(np.float32), digits.target, seed)
    if data in READERS:
        return Split(*READERS[data](folder))
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

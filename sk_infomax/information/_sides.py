"""Both sides of pairs, read and checked together."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .._columns._kinds import Column
from .._columns._reading import complete_rows, read_columns
from ._columns import Columns
from ._rows import Rows, alike_neighbours

__all__ = ["Sides", "alike", "read_sides", "refuse_vector", "varied_columns", "varied_sides"]


_ROWS_LOOKED_AT = 50_000  # for neighbours that are alike: correlations known to 0.005; a rule


class Sides(NamedTuple):
    """Columns of both sides, row by row the same pairs."""

    x: list[Column]
    y: list[Column]

    def take(self, rows: np.ndarray) -> Sides:
        """These pairs."""
        return Sides([c.take(rows) for c in self.x], [c.take(rows) for c in self.y])


def read_sides(
    estimator: Any, X: Any, y: Any, groups: Any = None
) -> tuple[Sides, Rows, np.ndarray]:
    """Columns of both sides without what is missing, which rows depend, and those kept (n,)."""
    if y is None:
        raise ValueError(
            f"{type(estimator).__name__} requires y to be passed, but the target y is None. Give "
            "the other side of the pairs."
        )
    sides = Sides(read_columns(X, "X"), read_columns(y, "y"))
    kept = complete_rows({"X": sides.x, "y": sides.y}, estimator.missing)
    rows = Rows(estimator.block_length, _group_numbers(groups, len(kept), estimator.block_length))
    if kept.all():
        return sides, rows, kept
    return sides.take(kept), rows.subset(kept), kept


def refuse_vector(X: Any) -> None:
    """Refuse an array of numbers (n,), in the words of scikit-learn."""
    if isinstance(X, np.ndarray) and X.ndim == 1 and X.dtype.kind in "fiu":
        raise ValueError(
            f"Expected 2D array, got 1D array instead: X has shape {X.shape}. Reshape your "
            "data with X.reshape(-1, 1) if it is one column."
        )


def varied_columns(columns: tuple[Columns, Columns]) -> tuple[Columns, Columns]:
    """What is known of the columns that hold more than one value: others are as if left out."""
    of_x, of_y = columns
    return of_x.only(of_x.varied), of_y.only(of_y.varied)


def varied_sides(columns: tuple[Columns, Columns], sides: Sides) -> Sides:
    """Those columns of pairs, or of the one side that is given."""
    return Sides(
        *([side[i] for i in known.varied] if side else [] for known, side in zip(columns, sides))
    )


def _group_numbers(groups: Any, n: int, block_length: int) -> np.ndarray | None:
    """Number (n,) of the group of each row."""
    if groups is None:
        return None
    columns: list[Column] = read_columns(groups, "groups")
    if len(columns) > 1 or len(columns[0]) != n:
        raise ValueError(
            f"groups must have one value for each of {n} rows; got {len(columns[0])} rows and "
            f"{len(columns)} columns."
        )
    if block_length > 1:
        raise ValueError(
            f"block_length={block_length} and groups both say which rows depend on each other. "
            "Give one of them."
        )
    complete_rows({"groups": columns}, "error")
    return Columns(columns, True, "groups").codes(columns, [0])[:, 0]


def alike(columns: tuple[Columns, Columns], sides: Sides, rows: Rows) -> list[str]:
    """What to say of neighbouring rows, unless it was said which depend."""
    if not rows.independent:
        return []
    first = sides.take(np.arange(min(len(sides.x[0]), _ROWS_LOOKED_AT)))
    numbers = [known.apply(side) for known, side in zip(columns, first)]
    found = alike_neighbours(*numbers)
    return [] if found is None else [found]

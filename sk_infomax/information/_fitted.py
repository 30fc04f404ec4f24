"""What a fit of `MutualInfoEstimator` gives, as one object that is remembered in arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from .._state import Fitted, Memory, Unsaved, arrays_under
from ._columns import Columns
from ._learned import Learned, recall

__all__ = ["FittedInformation"]


@dataclass
class FittedInformation(Fitted):
    """What is known of the columns of both sides, and of their dependence.

    Parameters
    ----------
    columns : tuple of Columns
        Of x and of y.
    learned : Learned
        The dependence.
    """

    columns: tuple[Columns, Columns]
    learned: Learned

    def remember(self) -> Memory:
        """Columns and dependence as arrays and plain values."""
        arrays, facts = self.learned.remember()
        found = {f"learned.{name}": np.asarray(array).copy() for name, array in arrays.items()}
        sides = {}
        for side, known in zip("xy", self.columns):
            of_side, sides[side] = known.remember()
            found |= {f"{side}.{name}": array for name, array in of_side.items()}
        parts = facts.pop("parts", {})
        return Memory(found, {"parts": parts, "learned": facts, "columns": sides})

    @classmethod
    def recall(cls, memory: Memory, estimator: Any) -> Self:
        """The same again; parts of a user's own class are those of the estimator."""
        arrays, facts = memory
        of_x, of_y = (
            Columns.recall(arrays_under(arrays, f"{side}."), facts["columns"][side])
            for side in "xy"
        )
        columns = of_x, of_y
        parts = {
            name: estimator._part(name) if isinstance(value, Unsaved) else value
            for name, value in facts["parts"].items()
        }
        learned = Memory(arrays_under(arrays, "learned."), facts["learned"] | {"parts": parts})
        return cls(columns, recall(learned, columns))

"""What a fit of `MutualInfoEstimator` gives, as one object that is remembered in arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from .._columns._kinds import Column
from .._parts import checked_part
from .._state import Fitted, Memory, arrays_under, fact, require
from ._columns import Columns
from ._learned import Learned
from ._recalling import recall
from ._sides import Sides, varied_columns, varied_sides
from ._trail import is_trail

__all__ = ["FittedInformation"]


@dataclass
class FittedInformation(Fitted):
    """What is known of the columns of both sides, and of their dependence.

    Parameters
    ----------
    columns : tuple of Columns
        Of x and of y.
    learned : Learned
        The dependence, of the columns that hold more than one value.
    """

    columns: tuple[Columns, Columns]
    learned: Learned

    def log_ratio(self, sides: Sides) -> np.ndarray:
        """Pointwise information (n,) of pairs, in nats."""
        return self.learned.log_ratio(varied_sides(self.columns, sides))

    def features_of_x(self, x: list[Column]) -> np.ndarray:
        """What is computed of x alone to tell about y, (n, d)."""
        return self.learned.features_of_x(varied_sides(self.columns, Sides(x, [])).x)

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
        if is_trail(facts):
            raise ValueError(
                "The file is a checkpoint of a fit that has not ended. Go on with it: "
                "MutualInfoEstimator.resume(path, X, y)."
            )
        sides = fact(facts, "columns", dict)
        of_x, of_y = (
            Columns.recall(arrays_under(arrays, f"{side}."), fact(sides, side, dict))
            for side in "xy"
        )
        columns = of_x, of_y
        n = estimator.n_features_in_
        require(len(of_x.parts) == n, f"it has {len(of_x.parts)} columns of {n}")
        parts = {
            name: checked_part(name, value, estimator)
            for name, value in fact(facts, "parts", dict).items()
        }
        known = fact(facts, "learned", dict) | {"parts": parts}
        learned = Memory(arrays_under(arrays, "learned."), known)
        return cls(columns, recall(learned, varied_columns(columns)))

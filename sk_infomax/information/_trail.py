"""The critics that a fit has trained so far, in a file that a fit goes on from which was killed.

All else that a fit computes is computed again, to the same bits: it takes little beside training.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from .._random import draw_seed
from .._state import (
    Memory,
    arrays_under,
    digest,
    fact,
    load_arrays,
    require,
    tensors_of,
    torch_arrays,
)
from .._training._callbacks import Checkpoint
from ._models import RatioModel
from ._rows import Rows

__all__ = ["Trail", "is_trail"]

_NAME = "trail"  # of the facts and arrays of such a file
_WEIGHTS = "weights."  # before the names of what a critic ended with
_TRIED = "tried."  # and of what it was at its best, where that was rejected


def is_trail(facts: dict[str, Any]) -> bool:
    """Whether a file holds a fit that has not ended."""
    return _NAME in facts


class Trail:
    """What a fit has trained, in its order.

    Parameters
    ----------
    random_state : object
        Where the seed comes from.
    checkpoint : Checkpoint or None
        Says when to write.

    Attributes
    ----------
    write : callable or None
        Writes a `Memory` to the file of the checkpoint.
    seed : int
        Of folds, weights and batches.
    """

    write: Callable[[Memory], None] | None = None

    def __init__(self, random_state: Any, checkpoint: Checkpoint | None = None):
        if checkpoint is not None:
            checkpoint.check()
        self.seed = draw_seed(random_state)
        self.checkpoint = checkpoint
        self.known: list[dict[str, np.ndarray]] = []
        self.done: list[dict[str, np.ndarray]] = []
        self.pairs: str | None = None
        self.last = time.monotonic()

    @classmethod
    def recall(cls, memory: Memory, checkpoint: Checkpoint | None) -> Trail:
        """Where another fit stood, of a file.

        Raises
        ------
        ValueError
            If the file is damaged.
        """
        said = fact(memory.facts, _NAME, dict)
        trail = cls(0, checkpoint)
        trail.seed, count = fact(said, "seed", int), fact(said, "count", int)
        require(trail.seed >= 0, "its seed is below 0")
        require(0 < count <= len(memory.arrays), "it counts critics that it does not have")
        trail.pairs = fact(said, "pairs", str)
        trail.known = [arrays_under(memory.arrays, f"{_NAME}.{number}.") for number in range(count)]
        return trail

    @staticmethod
    def every_of(facts: dict[str, Any]) -> float:
        """Seconds between two looks, of the fit that was killed."""
        every = float(fact(fact(facts, _NAME, dict), "every", float, int))
        require(every >= 0, "its seconds between two looks are below 0")
        return every

    def begin(self, pairs: np.ndarray, rows: Rows, cv: int) -> None:
        """Refuse pairs (n, ...), or folds of them, that are not those of the fit that was killed.

        Raises
        ------
        ValueError
            If they differ.
        """
        folds = np.concatenate(rows.folds(len(pairs), cv, self.seed))
        found = f"{digest(pairs)} {digest(folds)}"
        if self.pairs not in (None, found):
            raise ValueError(
                "X, y or groups are not those of the fit that was killed. Give the pairs of that "
                "fit, in their order."
            )
        self.pairs = found

    def trained(self, model: RatioModel, train: Callable[[], None]) -> None:
        """Train a model, or let it be as it was after training; write what there is if it is due.

        Raises
        ------
        ValueError
            If what is known belongs to another model.
        """
        number = len(self.done)
        if number < len(self.known):
            load_arrays(model, arrays_under(self.known[number], _WEIGHTS))
            model.tried = tensors_of(self.known[number], _TRIED) or None
        else:
            train()
        weights = torch_arrays(model.state_dict(), _WEIGHTS)
        self.done.append(weights | torch_arrays(model.tried or {}, _TRIED))
        if number >= len(self.known):
            self._write()

    def _write(self) -> None:
        one = self.checkpoint
        if one is None or self.write is None or time.monotonic() - self.last < one.every:
            return
        arrays = {
            f"{_NAME}.{number}.{name}": array
            for number, of_model in enumerate(self.done)
            for name, array in of_model.items()
        }
        said = {"seed": self.seed, "count": len(self.done), "pairs": self.pairs}
        self.write(Memory(arrays, {_NAME: said | {"every": float(one.every)}}))
        self.last = time.monotonic()

"""Models of few assumptions that are asked beside critics, each for what critics see badly.

One column against several is told by sums of curves and levels, and by products of columns; several
against several by columns that go together, one with one, and by clusters. Each falls short where
it is wrong, as critics do, so that the one that says more counts for more (`_neighbours.joined`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from .._columns._kinds import Column
from ._additive import Terms, told_of_classes, told_of_number
from ._clusters import told_of_clusters
from ._columns import Columns, LearnedColumn
from ._cross_fitting import RatioTrainer
from ._matched import told_of_matched
from ._neighbours import without_ties
from ._products import told_of_products
from ._shifts import Shifted
from ._sides import Sides

__all__ = ["Beside", "Told"]

_SIGNS = 0.2  # share of the estimate that critics may miss, from which a mixture is tried; a rule


class Told(NamedTuple):
    """What a model says.

    Attributes
    ----------
    name : str
        Of the model, among the read-outs.
    told : Shifted
        Value, error and evidence.
    missed : float
        Nats by which the value may lie too low.
    """

    name: str
    told: Shifted
    missed: float = 0.0


@dataclass(frozen=True)
class Beside:
    """Pairs of independent rows that models are asked about.

    Parameters
    ----------
    columns : tuple of Columns
        What is known of both sides.
    sides : Sides
        Their columns.
    pairs : ndarray of shape (n, dx + dy)
        The same as numbers.
    trainer : RatioTrainer
        What trains critics of them.
    cv : int
        Folds.
    missed : float
        Nats by which critics may have found too little.
    """

    columns: tuple[Columns, Columns]
    sides: Sides
    pairs: np.ndarray
    trainer: RatioTrainer
    cv: int
    missed: float

    def told(self, found: Callable[[], float]) -> Iterator[Told]:
        """What each model says; `found` gives the estimate so far, in nats."""
        sizes = len(self.sides.x), len(self.sides.y)
        if not self.trainer.rows.independent or max(sizes) == 1:
            return
        if min(sizes) == 1:
            yield from self._of_one(0 if sizes[0] == 1 else 1)
        elif self.trainer.base and not self.trainer.bound.capped:
            # Whoever leaves the base out, or asks how much a bound can see, asks for it alone.
            yield from self._of_matched(found())
            yield from self._of_clusters(found())

    def _of_one(self, one: int) -> Iterator[Told]:
        """Of one column and several: where these add up, and where some act together."""
        target, column = self.columns[one].parts[0], self.sides[one][0]
        many = self._telling(1 - one)
        terms = _terms_of(many)
        if terms is None or target.is_constant:
            return
        if target.order is None:
            yield Told("additive", told_of_classes(terms, target.levels.codes(column)))
        else:
            scores = without_ties(target.order.scores(column), 0)
            yield Told("additive", told_of_number(terms, scores))
        ordered = [part.order.scores(values) for part, values in many if part.order is not None]
        if len(ordered) > 1:
            yield Told("products", told_of_products(np.column_stack(ordered), column, target))

    def _of_matched(self, found: float) -> Iterator[Told]:
        """Of several columns on each side that go together."""
        x, y = self._telling(0), self._telling(1)
        if min(len(x), len(y)) > 1 and all(part.order is not None for part, _ in (*x, *y)):
            yield Told("matched columns", *told_of_matched(x, y, found))

    def _of_clusters(self, found: float) -> Iterator[Told]:
        """Of clusters, where there are signs that critics miss something."""
        trainer = self.trainer
        if type(trainer) is RatioTrainer and self.missed > _SIGNS * found:
            folds = trainer.rows.folds(len(self.pairs), self.cv, trainer.seed)
            told = told_of_clusters(self.pairs, trainer.size_x, folds, trainer.seed)
            yield Told("clusters", told)

    def _telling(self, side: int) -> list[tuple[LearnedColumn, Column]]:
        """Columns of a side that are not constant, each after what is known of it."""
        known = self.columns[side].parts
        return [(part, one) for part, one in zip(known, self.sides[side]) if not part.is_constant]


def _terms_of(parts: list[tuple[LearnedColumn, Column]]) -> Terms | None:
    """Curves and levels of the columns of a side; None where no column tells rows apart."""
    orders = [part.order.scores(column) for part, column in parts if part.order is not None]
    levels = [part.levels.codes(column) for part, column in parts if len(part.levels)]
    terms = Terms.of(orders, levels) if parts else None
    return terms if terms is not None and terms.n_sets else None

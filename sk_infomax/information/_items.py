"""Columns, or groups of columns that count as one: what two of them have in common."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from .._columns._kinds import Column
from .._columns._reading import complete_rows, read_columns
from ._columns import Columns
from ._counts import Estimate, codes_of_rows, corrected_entropy
from ._estimator import MutualInfoEstimator
from ._neighbours import entropy_of, single_pair_information, single_pair_p_value
from ._sides import Sides

__all__ = ["Item", "information_of", "items_of", "own_entropy", "p_value_of", "target_of"]


class Item(NamedTuple):
    """A column, or a group of columns that counts as one, with what is known of it."""

    name: Any
    columns: list[Column]
    known: Columns


def items_of(
    columns: list[Column], column_groups: Mapping[Any, Sequence[Any]] | None, missing: str
) -> list[Item]:
    """Columns of X, or groups of them, in the order of the columns."""
    if missing == "error":
        complete_rows({"X": columns}, missing)
    names = [i if c.name is None else c.name for i, c in enumerate(columns)]
    taken, groups = set(), []
    for name, members in (column_groups or {}).items():
        places = [_place(member, names) for member in members]
        taken |= set(places)
        groups.append((min(places), name, [columns[i] for i in places]))
    alone = [(i, names[i], [c]) for i, c in enumerate(columns) if i not in taken]
    return [
        Item(name, members, _known(members, missing))
        for _, name, members in sorted(groups + alone, key=lambda item: item[0])
    ]


def _place(member: Any, names: list[Any]) -> int:
    """Position of a column that a group names."""
    if member in names:
        return names.index(member)
    if isinstance(member, int) and 0 <= member < len(names):
        return member
    raise ValueError(f"column_groups has {member!r}, which is no column of X: {names}.")


def _known(columns: list[Column], missing: str) -> Columns:
    """What is known of columns, of the rows that are there."""
    if missing == "drop":
        return Columns([column.take(~column.missing) for column in columns])
    return Columns(columns)


def target_of(y: Any, missing: str) -> Item:
    columns = read_columns(y, "y")
    if missing == "error":
        complete_rows({"y": columns}, missing)
    return Item("y", columns, _known(columns, missing))


def information_of(a: Item, b: Item, options: dict[str, Any]) -> Estimate:
    """Information of two items, in nats."""
    sides, known = _complete(a, b, options["missing"])
    if len(sides.x) + len(sides.y) > 2:
        return MutualInfoEstimator(**options)._validated()._learn(sides)[1].estimate
    of_x, of_y = (columns.parts[0] for columns in known)
    level, block_length = options["confidence_level"], options["block_length"]
    return single_pair_information(sides.x[0], of_x, sides.y[0], of_y, level, block_length)


def _complete(a: Item, b: Item, missing: str) -> tuple[Sides, tuple[Columns, Columns]]:
    """Both items without the rows that miss a value, and what is known of them."""
    sides = Sides(a.columns, b.columns)
    kept = complete_rows({"X": sides.x, "y": sides.y}, missing)
    if kept.all():
        return sides, (a.known, b.known)
    sides = sides.take(kept)
    return sides, (Columns(sides.x), Columns(sides.y))


def p_value_of(item: Item, target: Item, options: dict[str, Any]) -> float:
    """P-value of independence of two items."""
    settings = dict(options)
    count, missing = settings.pop("n_permutations"), settings["missing"]
    sides, known = _complete(item, target, missing)
    if len(sides.x) + len(sides.y) > 2:
        estimator = MutualInfoEstimator(**settings)._validated()
        return estimator._test(sides, count)
    of_x, of_y = (columns.parts[0] for columns in known)
    rest = count, settings["block_length"], settings["random_state"]
    return single_pair_p_value(sides.x[0], of_x, sides.y[0], of_y, *rest)


def own_entropy(item: Item) -> float:
    """Information of an item with itself."""
    if len(item.columns) > 1:
        return math.inf if not all(item.known.is_discrete) else _joint_entropy(item)
    return entropy_of(item.columns[0], item.known.parts[0])


def _joint_entropy(item: Item) -> float:
    codes = codes_of_rows(item.known.codes(item.columns))
    return corrected_entropy(np.bincount(codes))

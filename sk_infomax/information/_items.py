"""Columns, or groups of columns that count as one: what two of them have in common."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from .._checks import say
from .._columns._kinds import Column, listed
from .._columns._reading import complete_rows, read_columns
from ..exceptions import EstimateWarning
from ._columns import Columns, findings_of
from ._counts import Estimate, codes_of_rows, corrected_entropy
from ._estimator import MutualInfoEstimator
from ._following import FOLLOWS, one_follows
from ._neighbours import entropy_of, single_pair_information, single_pair_p_value
from ._rows import alike_neighbours, lag_one
from ._sides import Sides

__all__ = [
    "Found",
    "Item",
    "alike_items",
    "information_of",
    "items_of",
    "merged",
    "own_entropy",
    "p_value_of",
    "say_of_items",
    "target_of",
]


class Item(NamedTuple):
    """A column, or a group of columns that counts as one, with what is known of it."""

    name: Any
    columns: list[Column]
    known: Columns

    @property
    def where(self) -> str:
        """What findings call it."""
        return self.columns[0].where if len(self.columns) == 1 else f"group {self.name!r}"


class Found(NamedTuple):
    """What two items have in common, and what should be said of that."""

    estimate: Estimate
    findings: list[str]


def items_of(
    columns: list[Column], column_groups: Mapping[Any, Sequence[Any]] | None, missing: str
) -> list[Item]:
    """Columns of X, or groups of them, in the order of the columns."""
    if missing == "error":
        complete_rows({"X": columns}, missing)
    names = [i if c.name is None else c.name for i, c in enumerate(columns)]
    _check_groups(column_groups)
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


def _check_groups(column_groups: Any) -> None:
    """Refuse what is no dictionary of lists of columns."""
    if column_groups is None:
        return
    if not isinstance(column_groups, Mapping):
        raise TypeError(
            f"column_groups={column_groups!r} must be a dict of names to lists of columns, for "
            "example {'address': ['street', 'town']}, or None."
        )
    for name, members in column_groups.items():
        if isinstance(members, str) or not isinstance(members, Iterable) or not list(members):
            raise ValueError(
                f"column_groups has {members!r} under {name!r}: give a list of at least one column."
            )


def _place(member: Any, names: list[Any]) -> int:
    """Position of a column that a group names."""
    if member in names:
        return names.index(member)
    if isinstance(member, int) and 0 <= member < len(names):
        return member
    raise ValueError(f"column_groups has {member!r}, which is no column of X. Choose from {names}.")


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


def information_of(a: Item, b: Item, options: dict[str, Any]) -> Found:
    """Information of two items, in nats."""
    sides, known = _complete(a, b, options["missing"])
    if len(sides.x) + len(sides.y) > 2:
        estimator = MutualInfoEstimator(**options)._validated()
        learned = estimator._learn(sides, for_reading=False)[1]
        return Found(learned.estimate, learned.findings)
    of_x, of_y = (columns.parts[0] for columns in known)
    level, block_length = options["confidence_level"], options["block_length"]
    one = single_pair_information(sides.x[0], of_x, sides.y[0], of_y, level, block_length)
    if one_follows(known, sides):
        return Found(replace(one, high=math.inf), [FOLLOWS])
    return Found(one, [] if one.finding is None else [one.finding])


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


# Findings ---------------------------------------------------------------------------------


def say_of_items(
    sides: list[list[Item]], of_rows: list[str], found: Iterable[tuple[str, Found]]
) -> None:
    """Say what there is of columns, of their rows, and of pairs of items by their names."""
    of_pairs = [(where, finding) for where, one in found for finding in one.findings]
    say(
        [*(f for items in sides for f in _of_columns(items)), *of_rows, *merged(of_pairs)],
        EstimateWarning,
    )


def _of_columns(items: list[Item]) -> list[str]:
    """What should be said of the columns of items, all that is alike in one finding."""
    columns = [column for item in items for column in item.columns]
    return findings_of(columns, [part for item in items for part in item.known.parts])


def alike_items(items: list[Item], target: Item | None = None) -> list[str]:
    """What to say of neighbouring rows: of items and a target, or of items among each other.

    Of those that miss nothing: between the rows of others there are gaps.
    """
    numbers = [_numbers(item) for item in items if not _misses(item)]
    if target is not None:
        of_target = [] if _misses(target) else [_numbers(target)]
    else:
        numbers.sort(key=lag_one)
        of_target, numbers = numbers[-1:], numbers[:-1]
    if not (numbers and of_target):
        return []
    found = alike_neighbours(np.hstack(numbers), of_target[0])
    return [] if found is None else [found]


def _numbers(item: Item) -> np.ndarray:
    return item.known.apply(item.columns)


def _misses(item: Item) -> bool:
    return any(column.missing.any() for column in item.columns)


def merged(found: Iterable[tuple[str, str]]) -> list[str]:
    """Findings after what they are of, those that differ by their numbers alone as one."""
    alike: dict[str, list[tuple[str, str]]] = {}
    for where, finding in found:
        alike.setdefault(re.sub(r"\d+(\.\d+)?", "#", finding), []).append((where, finding))
    said = []
    for (where, finding), *others in alike.values():
        names = list(dict.fromkeys(name for name, _ in others if name != where))
        also = f" The same holds for {listed(names)}." if names else ""
        said.append(f"{where}: {finding}{also}")
    return said

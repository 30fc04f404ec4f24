"""One side of a pair as a critic, neighbours and counts read it.

A column is read by its order, by its levels, or by both. The order is a normal score by rank,
which no increasing map of the column changes, at fit or at reading. Few levels are indicators;
many are a code for an embedding. Numbers of many values that repeat have both readings, for
whole numbers may be an amount or the names of classes. Levels are counted by their first row,
so that the same levels under other names, as text or as numbers, give the same answer.
"""

import difflib
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
from scipy.special import ndtri

from .._columns._kinds import Column, Kind, about_dates_as_text, listed, read_values
from .._state import arrays_under, fact, fitting_array, require

__all__ = [
    "Columns",
    "LearnedColumn",
    "discrete_flags",
    "findings_of",
    "normal_scores",
]

_NARROW = np.int32  # in which rows are counted, as long as sums of two counts fit
_MOST_NARROW = 2**30  # rows, half of what int32 counts to
_INDICATORS = 20  # levels with an indicator each, as many as `Column.is_few` has; more are embedded


@dataclass(frozen=True)
class _Order:
    """Distinct values (k,) in their order, and how many rows are below each (k + 1,)."""

    knots: np.ndarray
    below: np.ndarray

    @classmethod
    def learn(cls, column: Column) -> "_Order":
        knots, counts = column.distinct
        below = np.zeros(len(counts) + 1, dtype=_NARROW if len(column) < _MOST_NARROW else np.int64)
        np.cumsum(counts, dtype=below.dtype, out=below[1:])
        return cls(knots, below)

    @classmethod
    def recall(cls, knots: np.ndarray, below: np.ndarray) -> "_Order":
        """From arrays that a file had, checked."""
        numbers = knots.dtype.kind in "if" or not any(isinstance(k, str) for k in knots.tolist())
        require(knots.ndim == 1 and len(knots) and numbers, "a column's values are no numbers")
        require((knots[1:] > knots[:-1]).all(), "a column's values are not in their order")
        require(below[0] == 0 and (below[1:] > below[:-1]).all(), "a column's counts are odd")
        return cls(knots, below)

    def scores(self, column: Column) -> np.ndarray:
        """Normal score (n,) of the middle of the ranks a value has or would have.

        Beyond those seen, the score of the outermost.
        """
        knots, values = self.knots, column.values
        if knots.dtype != values.dtype:  # plain Python numbers are compared exactly
            knots, values = knots.astype(object), values.astype(object)
        place = np.searchsorted(knots, values)
        seen = (knots[np.minimum(place, len(knots) - 1)] == values).astype(np.int64)
        first, last = self.below[place], self.below[place + seen]
        n, half = self.below[-1], 0.5 * np.diff(self.below)
        return ndtri(np.clip((first + last) / 2, half[0], n - half[-1]) / n)


@dataclass(frozen=True)
class _Levels:
    """Distinct values (k,) by their first row, and how often each was seen (k,).

    Of length 0 where a column is read by its order alone.
    """

    values: np.ndarray
    counts: np.ndarray

    def __len__(self) -> int:
        return len(self.values)

    @classmethod
    def learn(cls, column: Column) -> "_Levels":
        return cls._of(Counter(column.scalars()))

    @classmethod
    def none(cls) -> "_Levels":
        return cls._of(Counter())

    @classmethod
    def _of(cls, seen: Counter) -> "_Levels":
        values = np.fromiter(seen, dtype=object, count=len(seen))
        return cls(values, np.array(list(seen.values()), dtype=np.int64))

    def codes(self, column: Column) -> np.ndarray:
        """Position (n,) of each value; the number of levels for one that was not seen."""
        place = {value: position for position, value in enumerate(self.values.tolist())}
        found = (place.get(value, len(place)) for value in column.scalars())
        return np.fromiter(found, dtype=np.int64, count=len(column))

    def indicators(self, column: Column) -> np.ndarray:
        """Indicators (n, k) of mean 0 and spread 1; 0, which tells nothing, if not seen."""
        shares = self.counts / self.counts.sum()
        codes = self.codes(column)[:, None]
        spread = np.sqrt(shares * (1 - shares))
        scaled = ((codes == np.arange(len(shares))) - shares) / np.where(spread > 0, spread, 1.0)
        return np.where(codes < len(shares), scaled, 0.0)


def _as_scalars(values: list[Any]) -> np.ndarray:
    """Plain values (k,) that a file had, as objects; each a text, a flag or a number."""
    plain = (str, bool, int, float, type(None))
    require(all(type(value) in plain for value in values), "a level is no text and no number")
    return np.fromiter(values, dtype=object, count=len(values))


@dataclass(frozen=True)
class LearnedColumn:
    """What is known of one column.

    Attributes
    ----------
    where : str
        What errors call it.
    name : object
        Its name; None without one.
    kind : {"number", "date", "duration", "label"}
        What it holds.
    order : _Order or None
        The reading by order; None where there is none.
    levels : _Levels
        The reading by levels; of length 0 where there is none.
    repeats : bool
        Whether values that are read by their order repeat, so that they may be names of classes.
    """

    where: str
    name: Any
    kind: Kind
    order: _Order | None
    levels: _Levels
    repeats: bool = False

    @classmethod
    def learn(cls, column: Column, discrete: bool | None) -> "LearnedColumn":
        """Learn the readings that were asked for; None leaves the choice to the values."""
        by_level = not column.has_order or (column.is_few if discrete is None else discrete)
        if not by_level:
            _refuse_missing_number(column)
        both = discrete is None and column.has_levels
        return cls(
            column.where,
            column.name,
            column.kind,
            order=None if by_level else _Order.learn(column),
            levels=_Levels.learn(column) if by_level or both else _Levels.none(),
            repeats=not by_level and discrete is None and column.repeats,
        )

    def remember(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """All that was learned, as arrays and plain values; labels and huge numbers as lists."""
        arrays = {"counts": self.levels.counts.copy()}
        facts = {
            "where": self.where,
            "name": self.name if isinstance(self.name, str | int | None) else str(self.name),
            "kind": self.kind,
            "levels": self.levels.values.tolist(),
            "knots": None,
        }
        if self.order is not None:
            arrays["below"] = self.order.below.copy()
            if self.order.knots.dtype == object:
                facts["knots"] = self.order.knots.tolist()
            else:
                arrays["knots"] = self.order.knots.copy()
        return arrays, facts

    @classmethod
    def recall(cls, arrays: dict[str, Any], facts: dict[str, Any]) -> "LearnedColumn":
        """What `remember` gave, as it was; checked, for it may come from a file."""
        where, kind = fact(facts, "where", str), fact(facts, "kind", str)
        require(kind in get_args(Kind), f"a column holds {kind!r}")
        levels = _as_scalars(fact(facts, "levels", list))
        counts = fitting_array(arrays, "counts", (len(levels),), "i")
        require((counts > 0).all(), "levels are counted as never seen")
        order = None
        if arrays.get("below") is not None:
            knots = arrays.get("knots")
            if knots is None:
                knots = _as_scalars(fact(facts, "knots", list))
            order = _Order.recall(knots, fitting_array(arrays, "below", (len(knots) + 1,), "i"))
        require(order is not None or len(levels), "a column has neither order nor levels")
        name = fact(facts, "name", str, int, type(None))
        return cls(where, name, kind, order, _Levels(levels, counts))

    @property
    def is_discrete(self) -> bool:
        """Whether it is read by its levels alone."""
        return self.order is None

    @property
    def is_embedded(self) -> bool:
        """Whether its levels are too many for indicators, or stand beside its order."""
        return len(self.levels) > 0 and not self._has_indicators

    @property
    def _has_indicators(self) -> bool:
        return self.is_discrete and len(self.levels) <= _INDICATORS

    @property
    def is_constant(self) -> bool:
        """Whether one value is all there was."""
        return len(self.levels if self.order is None else self.order.knots) == 1

    @property
    def width(self) -> int:
        """How many numbers it gives: a score, or an indicator for each of few levels."""
        if self._has_indicators:
            return len(self.levels)
        return 0 if self.order is None else 1

    def numbers(self, column: Column) -> np.ndarray:
        """Score or indicators (n, width)."""
        if self._has_indicators:
            return self.levels.indicators(column)
        if self.order is None:
            return np.empty((len(column), 0))
        return self.order.scores(column)[:, None]


class Columns:
    """What is known of the columns of one side.

    Parameters
    ----------
    columns : list of Column
        The sample to learn from.
    discrete : "auto", bool, list of bool, or list of names and positions
        Which columns are read by their levels alone. "auto" takes numbers of at most 20 values
        that are each seen five times on average. Labels always are.
    argument : str
        What errors call the side; `discrete` is called "discrete_" and that, in lower case.

    Attributes
    ----------
    parts : list of LearnedColumn
        What is known of each.
    findings : list of str
        What whoever gave the columns should be told, each once.
    """

    def __init__(self, columns: list[Column], discrete: Any = "auto", argument: str = "X"):
        flags = discrete_flags(columns, discrete, f"discrete_{argument.lower()}")
        self.argument = argument
        self.parts = [LearnedColumn.learn(column, flag) for column, flag in zip(columns, flags)]
        self.findings = findings_of(columns, self.parts)

    @property
    def width(self) -> int:
        """How many numbers `apply` gives for a sample."""
        return sum(part.width for part in self.parts)

    @property
    def is_discrete(self) -> list[bool]:
        """For each column, whether it is read by its levels alone."""
        return [part.is_discrete for part in self.parts]

    @property
    def varied(self) -> list[int]:
        """Positions of columns that hold more than one value; the first one if none does."""
        return [i for i, part in enumerate(self.parts) if not part.is_constant] or [0]

    def only(self, positions: list[int]) -> "Columns":
        """The same of some columns alone, without findings."""
        found = object.__new__(type(self))
        found.argument, found.findings = self.argument, []
        found.parts = [self.parts[i] for i in positions]
        return found

    @property
    def with_levels(self) -> list[int]:
        """Positions of the columns that have codes."""
        return [i for i, part in enumerate(self.parts) if len(part.levels)]

    @property
    def embedded(self) -> list[int]:
        """Positions of the columns whose codes need an embedding."""
        return [i for i, part in enumerate(self.parts) if part.is_embedded]

    def counts(self, position: int) -> np.ndarray:
        """How often each code of a column was seen, (k,)."""
        return self.parts[position].levels.counts

    def apply(self, columns: list[Column]) -> np.ndarray:
        """Scores and indicators (n, width) in float64; embedded levels are not among them."""
        found, start = np.empty((len(columns[0]), self.width)), 0
        for part, column in zip(self.parts, columns):
            found[:, start : start + part.width] = part.numbers(column)
            start += part.width
        return found

    def codes(self, columns: list[Column], positions: Sequence[int] | None = None) -> np.ndarray:
        """Codes of levels (n, d), from 0; the number of levels for one that was not seen.

        Parameters
        ----------
        columns : list of Column
            All columns of the side.
        positions : list of int, optional
            Those wanted; by default `with_levels`.
        """
        wanted = self.with_levels if positions is None else positions
        codes = np.empty((len(columns[0]), len(wanted)), dtype=np.int64)
        for place, position in enumerate(wanted):
            codes[:, place] = self.parts[position].levels.codes(columns[position])
        return codes

    def remember(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """All that was learned, as arrays and plain values."""
        arrays: dict[str, np.ndarray] = {}
        facts = []
        for number, part in enumerate(self.parts):
            kept, said = part.remember()
            arrays |= {f"{number}.{name}": array for name, array in kept.items()}
            facts.append(said)
        return arrays, {"argument": self.argument, "parts": facts}

    @classmethod
    def recall(cls, arrays: dict[str, np.ndarray], facts: dict[str, Any]) -> "Columns":
        """What `remember` gave, as it was."""
        columns = object.__new__(cls)
        columns.argument, columns.findings = fact(facts, "argument", str), []
        parts = fact(facts, "parts", list)
        require(parts and all(type(said) is dict for said in parts), "a side has no columns")
        columns.parts = [
            LearnedColumn.recall(arrays_under(arrays, f"{number}."), said)
            for number, said in enumerate(parts)
        ]
        return columns

    def check(self, columns: list[Column]) -> None:
        """Refuse columns that are not those of the fit.

        Raises
        ------
        ValueError
            If their number, names, order or kind differ, or a number is missing.
        """
        if len(columns) != len(self.parts):
            raise ValueError(
                f"{self.argument} has {len(columns)} features, but {len(self.parts)} were "
                "expected: those of the fit, in their order."
            )
        _check_names(self.argument, [part.name for part in self.parts], columns)
        for part, column in zip(self.parts, columns):
            if not column.missing.all():
                _check_kind(part, column)
            if not part.is_discrete:
                _refuse_missing_number(column)

    def unseen(self, columns: list[Column]) -> list[str]:
        """Findings about levels that were not seen at fit: the model takes them to tell nothing."""
        found = []
        for part, column in zip(self.parts, columns):
            if part.is_discrete:
                rows = np.flatnonzero(part.levels.codes(column) == len(part.levels))
                if len(rows):
                    row = int(rows[0])
                    found.append(
                        f"{part.where} holds {len(rows)} values that were not seen at fit, the "
                        f"first {column.scalars()[row]!r} in row {row}. They are taken to tell "
                        "nothing."
                    )
        return found


def discrete_flags(columns: list[Column], discrete: Any, parameter: str) -> list[bool | None]:
    """For each column whether it is discrete; None where its values decide.

    Parameters
    ----------
    columns : list of Column
        Of one side.
    discrete : "auto", bool, list of bool, or list of names and positions
        What the user said. Columns that a list of names and positions leaves out are not
        discrete, unless they hold labels.
    parameter : str
        What errors call it.

    Raises
    ------
    ValueError
        For a list of another length, names and positions that there are not, and labels that
        are said not to be discrete.
    """
    if isinstance(discrete, str):
        if discrete != "auto":
            raise ValueError(
                f'{parameter}={discrete!r} must be "auto", True, False or a list, for example '
                f"[{discrete!r}]."
            )
        return [None] * len(columns)
    if isinstance(discrete, bool | np.bool_):
        flags: list = [bool(discrete)] * len(columns)
    else:
        if np.ndim(discrete) != 1:
            raise TypeError(
                f'{parameter}={discrete!r} must be "auto", True, False or a list of columns.'
            )
        flags = [flag.item() if isinstance(flag, np.generic) else flag for flag in discrete]
        if not all(isinstance(flag, bool) for flag in flags):
            return _named_flags(columns, flags, parameter)
    if len(flags) != len(columns):
        raise ValueError(
            f"{parameter} has {len(flags)} flags for {len(columns)} columns. Say for each "
            'column whether it is discrete, list names or positions, or use "auto".'
        )
    for column, flag in zip(columns, flags):
        if not flag and not column.has_order:
            raise ValueError(
                f"{parameter} says that {column.where} is not discrete, but it holds labels "
                f"such as {column.values[np.argmin(column.missing)]!r}. Convert it to numbers, "
                'or use "auto".'
            )
    return flags


def _named_flags(columns: list[Column], items: list, parameter: str) -> list[bool | None]:
    """Flags from names and positions."""
    chosen = {_position(columns, item, parameter) for item in items}
    return [i in chosen or not column.has_order for i, column in enumerate(columns)]


def _position(columns: list[Column], item: Any, parameter: str) -> int:
    """Where the column of this name, else at this position, stands."""
    names = [column.name for column in columns]
    if item in names:
        if names.count(item) > 1:
            raise ValueError(
                f"{parameter}: {names.count(item)} columns are named {item!r}. Give positions."
            )
        return names.index(item)
    if type(item) is int and 0 <= item < len(columns):
        return item
    close = difflib.get_close_matches(str(item), [str(name) for name in names], n=1)
    hint = f"Did you mean {close[0]!r}?" if close else f"Choose from {names}."
    if all(name is None for name in names):
        hint = f"Give positions, from 0 to {len(columns) - 1}: the columns have no names."
    raise ValueError(f"{parameter}: there is no column {item!r}. {hint}")


# Findings and checks ----------------------------------------------------------------------


def findings_of(columns: list[Column], parts: list[LearnedColumn]) -> list[str]:
    """What is worth saying of a sample: constant columns, thin labels, what is text only."""
    pairs = list(zip(columns, parts))
    constant = [part.where for part in parts if part.is_constant]
    labels = [(c, p) for c, p in pairs if c.kind == "label" and not p.is_constant]
    thin = [f"{c.where} (coverage {c.coverage:.2f})" for c, _ in labels if not c.has_levels]
    text = [part.where for _, part in labels if part.is_embedded and _is_text_of_numbers(part)]
    findings = []
    if constant:
        findings.append(
            f"{listed(constant)}: one value only, which tells nothing. Leave out what is constant."
        )
    if thin:
        findings.append(
            f"{listed(thin)}: most rows hold a label that is seen fewer than five times, of "
            "which little can be learned. Join rare labels, or leave out what is an id."
        )
    findings += about_dates_as_text([column for column, _ in labels])
    if text:
        findings.append(
            f"{listed(text)}: numbers as text are read as labels, without order. Convert them "
            "to numbers if their order means something."
        )
    return findings


def _is_text_of_numbers(part: LearnedColumn) -> bool:
    """Whether each level is the text of a number."""
    levels = part.levels.values.tolist()
    if not all(isinstance(level, str) for level in levels):
        return False
    try:
        return all(math.isfinite(float(level)) for level in levels)
    except ValueError:
        return False


def _check_names(argument: str, names: list, columns: list[Column]) -> None:
    """Refuse other names, where both sides have some; text only, as scikit-learn does."""
    given = [column.name for column in columns]
    if not all(isinstance(name, str) for name in names + given) or names == given:
        return
    if sorted(names) == sorted(given):
        raise ValueError(
            f"{argument}: the columns must be in the same order as at fit, {names}; got {given}."
        )
    new = [name for name in given if name not in names]
    gone = [name for name in names if name not in given]
    raise ValueError(
        f"{argument}: the column names should match those of the fit. Unseen at fit: {new}; now "
        f"missing: {gone}."
    )


def _check_kind(part: LearnedColumn, column: Column) -> None:
    """Refuse another kind; values of a label column may do if some of them were seen."""
    if column.kind == part.kind:
        return
    n_known = np.count_nonzero(part.levels.codes(column) < len(part.levels))
    if part.kind != "label" or n_known == 0:
        raise ValueError(
            f"{column.where} holds {column.kind}s, but held {part.kind}s at fit. Give what the "
            "fit was given."
        )


def _refuse_missing_number(column: Column) -> None:
    """Only where missing="level" let them pass: there is no number for what is missing."""
    if column.missing.any():
        raise ValueError(
            f"{column.where} holds {column.kind}s, and {int(column.missing.sum())} are missing "
            f"(NaN, None or NaT), the first in row {int(np.argmax(column.missing))}: "
            "missing='level' is for labels. Fill them in, set missing='drop', or say that the "
            "column is discrete."
        )


def normal_scores(values: np.ndarray) -> np.ndarray:
    """Normal scores (n, d) by rank of columns of numbers (n, d)."""
    columns = [read_values(column, "values") for column in values.T]
    return np.column_stack([_Order.learn(column).scores(column) for column in columns])

"""Mixed columns as a matrix of numbers: what encoders of tables read.

Numbers stay themselves, for encoders standardise them and read their ranks; a date is a number
beside the cycles it goes through; a level is an indicator. Nothing here knows a target.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ._kinds import Column

__all__ = ["MatrixOfColumns"]

_INDICATORS = 20  # most frequent levels that have a column each, as in `information`
_DAY = 86_400.0  # seconds
_NANO = 1e-9  # seconds in a nanosecond
# Cycles of a date, by their length in days, that are read where dates span as much: time of day,
# day of the week, season. Their phase is that of 1970, which tells days of the week and seasons.
_CYCLES = {"day": 1.0, "week": 7.0, "year": 365.2425}
_TOLERANCE = 1e-6  # of a cycle; dates that differ by less are at one place of it
_LONG = 30  # characters from which half of the texts are prose, not identifiers: a rule of thumb
_WORDS = 4  # the same in words; names have up to three
_SHOWN = 40  # characters of an example in an error


@dataclass(frozen=True)
class MatrixOfColumns:
    """How columns became numbers, learned from some rows and applied to others.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_infomax._columns._numbers import MatrixOfColumns
    >>> from sk_infomax._columns._reading import read_columns
    >>> rows = [[1.0, "red"], [None, "blue"], [3.0, "red"], [2.0, "green"]]
    >>> columns = read_columns(rows * 5)
    >>> known = MatrixOfColumns.learn(columns)
    >>> known.names
    ['column 0', 'column 0 is missing', 'column 1 = red', 'column 1 = blue', 'column 1 = green']
    >>> known.apply(columns)[1]
    array([2., 1., 0., 1., 0.])
    """

    parts: tuple[_Number | _Date | _Levels, ...]

    @classmethod
    def learn(cls, columns: Sequence[Column]) -> MatrixOfColumns:
        """From columns of n rows each.

        Raises
        ------
        ValueError
            For columns of free text and identifiers, in which hardly anything repeats: all of
            them in one error.
        """
        _refuse_unlearnable(columns)
        learners: dict[str, Callable] = {
            "number": _Number.learn,
            "duration": _Number.learn,
            "date": _Date.learn,
            "label": _Levels.learn,
        }
        return cls(
            tuple(
                learners[column.kind](column, _called(column, position))
                for position, column in enumerate(columns)
            )
        )

    @property
    def names(self) -> list[str]:
        """Of each column of the matrix."""
        return [name for part in self.parts for name in part.names]

    def apply(self, columns: Sequence[Column]) -> np.ndarray:
        """Matrix (n, d), without missing values.

        Raises
        ------
        ValueError
            If the columns are others, or of another kind.
        """
        if len(columns) != len(self.parts):
            raise ValueError(f"X has {len(columns)} columns, but {len(self.parts)} were learned.")
        return np.hstack([part.apply(column) for part, column in zip(self.parts, columns)])

    def plain(self) -> list[dict[str, Any]]:
        """All that `from_plain` needs, as values of JSON."""
        return [part.plain() for part in self.parts]

    def arrays(self) -> dict[str, np.ndarray]:
        """What `plain` leaves out: nothing."""
        return {}

    @classmethod
    def from_plain(cls, rows: Any) -> MatrixOfColumns:
        """The same again from what `plain` gave.

        Raises
        ------
        ValueError
            If that is not what `plain` gives.
        """
        makers: dict[str, Callable] = {
            "number": _Number.from_plain,
            "date": _Date.from_plain,
            "levels": _Levels.from_plain,
        }
        try:
            return cls(tuple(makers[row["kind"]](row) for row in rows))
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(
                "The file is damaged: what it says of the columns does not fit."
            ) from error


@dataclass(frozen=True)
class _Number:
    """A number, or a duration in seconds; the mean where it is missing."""

    name: str
    mean: float
    is_duration: bool
    may_miss: bool

    @classmethod
    def learn(cls, column: Column, name: str) -> _Number:
        is_duration = column.kind == "duration"
        present = _floats(column)[~column.missing]
        scale = _NANO if is_duration else 1.0
        mean = float(present.mean()) * scale if len(present) else 0.0
        return cls(name, mean, is_duration, bool(column.missing.any()))

    @property
    def names(self) -> list[str]:
        return [self.name, *_missing_name(self.name, self.may_miss)]

    def apply(self, column: Column) -> np.ndarray:
        _check_kind(column, "duration" if self.is_duration else "number", self.name)
        values = _floats(column) * (_NANO if self.is_duration else 1.0)
        filled = np.where(column.missing, self.mean, values)
        return _with_missing(filled[:, None], column, self.may_miss)

    def plain(self) -> dict[str, Any]:
        return {"kind": "number", **vars(self)}

    @classmethod
    def from_plain(cls, row: Mapping[str, Any]) -> _Number:
        return cls(**_checked(row, name=str, mean=float, is_duration=bool, may_miss=bool))


@dataclass(frozen=True)
class _Date:
    """Days since 1970, and sine and cosine of the place in each cycle that dates differ by."""

    name: str
    mean: float
    cycles: tuple[str, ...]
    may_miss: bool

    @classmethod
    def learn(cls, column: Column, name: str) -> _Date:
        days = _days(column)[~column.missing]
        span = np.ptp(days) if len(days) else 0.0
        cycles = tuple(
            cycle
            for cycle, length in _CYCLES.items()
            if span >= length and np.ptp(days / length % 1) > _TOLERANCE
        )
        mean = float(days.mean()) if len(days) else 0.0
        return cls(name, mean, cycles, bool(column.missing.any()))

    @property
    def names(self) -> list[str]:
        turns = [f"{self.name}, {way} of {c}" for c in self.cycles for way in ("sine", "cosine")]
        return [self.name, *turns, *_missing_name(self.name, self.may_miss)]

    def apply(self, column: Column) -> np.ndarray:
        _check_kind(column, "date", self.name)
        days, gone = _days(column), column.missing
        found = [np.where(gone, self.mean, days)]
        for cycle in self.cycles:
            angle = 2 * np.pi * (days / _CYCLES[cycle] % 1)
            found += [np.where(gone, 0.0, turn(angle)) for turn in (np.sin, np.cos)]
        return _with_missing(np.stack(found, 1), column, self.may_miss)

    def plain(self) -> dict[str, Any]:
        return {"kind": "date", **vars(self), "cycles": list(self.cycles)}

    @classmethod
    def from_plain(cls, row: Mapping[str, Any]) -> _Date:
        found = _checked(row, name=str, mean=float, cycles=list, may_miss=bool)
        for cycle in found["cycles"]:
            _CYCLES[cycle]  # a KeyError for one that there is not
        return cls(**(found | {"cycles": tuple(found["cycles"])}))


@dataclass(frozen=True)
class _Levels:
    """An indicator of each frequent level; where there are more, how frequent a level is.

    A level that was not seen is none of them.
    """

    name: str
    levels: tuple[object, ...]
    log_shares: dict[object, float]
    may_miss: bool

    @classmethod
    def learn(cls, column: Column, name: str) -> _Levels:
        seen = Counter(column.values[~column.missing].tolist())
        frequent = [level for level, _ in seen.most_common(_INDICATORS)]
        # Two levels that are always there say the same twice.
        drop = len(seen) == 2 and not column.missing.any()
        total = max(1, sum(seen.values()))
        shares = {level: float(np.log(count / total)) for level, count in seen.items()}
        many = len(seen) > _INDICATORS
        levels = tuple(frequent[1:] if drop else frequent)
        return cls(name, levels, shares if many else {}, bool(column.missing.any()))

    @property
    def names(self) -> list[str]:
        found = [f"{self.name} = {level}" for level in self.levels]
        if self.log_shares:
            found.append(f"{self.name}, log of its share")
        return [*found, *_missing_name(self.name, self.may_miss)]

    def apply(self, column: Column) -> np.ndarray:
        if not self._may_be(column):
            _check_kind(column, "label", self.name)
        position = {level: place for place, level in enumerate(self.levels)}
        values, n = column.values.tolist(), len(column)
        found = np.zeros((n, len(self.levels)))
        places = np.array([position.get(value, -1) for value in values], dtype=np.int64)
        known = (places >= 0) & ~column.missing
        found[known, places[known]] = 1.0
        if self.log_shares:
            rarest = min(self.log_shares.values())
            shares = np.array([self.log_shares.get(value, rarest) for value in values])
            shares[column.missing] = np.mean(list(self.log_shares.values()))
            found = np.hstack([found, shares[:, None]])
        return _with_missing(found, column, self.may_miss)

    def _may_be(self, column: Column) -> bool:
        """Whether numbers are among the levels, as flags are, or no level is known at all."""
        if not self.levels:
            return True
        return column.kind == "number" and not all(isinstance(v, str) for v in self.levels)

    def plain(self) -> dict[str, Any]:
        shares = {"known": list(self.log_shares), "log_shares": list(self.log_shares.values())}
        return {"kind": "levels", **vars(self), "levels": list(self.levels), **shares}

    @classmethod
    def from_plain(cls, row: Mapping[str, Any]) -> _Levels:
        found = _checked(row, name=str, levels=list, known=list, log_shares=list, may_miss=bool)
        levels, known, shares = found["levels"], found["known"], found["log_shares"]
        if not all(isinstance(v, str | bool | int | float) for v in [*levels, *known]):
            raise TypeError("A level is text, a flag or a number.")
        if not all(isinstance(share, float) for share in shares):
            raise TypeError("A share is a number.")
        log_shares = dict(zip(known, shares, strict=True))
        return cls(found["name"], tuple(levels), log_shares, found["may_miss"])


# What nothing can be learned of -------------------------------------------------------------


def _refuse_unlearnable(columns: Sequence[Column]) -> None:
    """One error for all columns whose values hardly repeat and are no amounts."""
    found = [column for column in columns if _is_unlearnable(column)]
    if found:
        said = [
            f"{column.where} holds {_kind_of(column)}: {column.n_levels} different values in "
            f"{len(column)} rows, such as {_example(column)}."
            for column in found
        ]
        names = ", ".join(repr(column.name) for column in found if column.name is not None)
        raise ValueError(
            f"{' '.join(said)} Nothing can be learned of values that hardly repeat. Leave "
            f"{names or 'such columns'} out; convert numbers that are text; of free text, numbers "
            "can be made, for example by sklearn.feature_extraction.text.TfidfVectorizer."
        )


def _is_unlearnable(column: Column) -> bool:
    """Whether a column holds many labels, or numbers too large to be amounts, that are all new."""
    is_amount = column.has_order and (column.kind != "number" or column.values.dtype == np.float64)
    return not is_amount and column.n_levels > _INDICATORS and not column.repeats


def _kind_of(column: Column) -> str:
    """What to call labels that hardly repeat."""
    texts = [str(value) for value in column.distinct[0]]
    if column.kind == "label" and all(map(_is_number, texts)):
        return "numbers as text"
    length = np.median([len(text) for text in texts])
    words = np.median([len(text.split()) for text in texts])
    return "free text" if length >= _LONG or words >= _WORDS else "identifiers"


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _example(column: Column) -> str:
    value = repr(column.distinct[0].tolist()[0])
    return value if len(value) <= _SHOWN else value[: _SHOWN - 3] + "..."


# Shared -------------------------------------------------------------------------------------


def _called(column: Column, position: int) -> str:
    return f"column {position}" if column.name is None else str(column.name)


def _floats(column: Column) -> np.ndarray:
    """Values (n,) as the nearest float64; 0 where one is missing."""
    return column.values.astype(np.float64)


def _days(column: Column) -> np.ndarray:
    """Days (n,) since 1970."""
    return _floats(column) * (_NANO / _DAY)


def _missing_name(name: str, may_miss: bool) -> list[str]:
    return [f"{name} is missing"] if may_miss else []


def _with_missing(values: np.ndarray, column: Column, may_miss: bool) -> np.ndarray:
    """Values (n, d), and an indicator of what is missing where something was at fit."""
    if not may_miss:
        return values
    return np.hstack([values, column.missing[:, None].astype(np.float64)])


def _check_kind(column: Column, kind: str, name: str) -> None:
    """Refuse a column of another kind than at fit; one that is all missing fits any."""
    if column.kind != kind and not column.missing.all():
        raise ValueError(
            f"{column.where} holds a {column.kind}, but {name!r} held a {kind} at fit. Convert it."
        )


def _checked(row: Mapping[str, Any], **types: type) -> dict[str, Any]:
    """Entries of a row that was saved, each of the type that it must have, and finite."""
    found = {name: row[name] for name in types}
    for name, value in found.items():
        if type(value) is not types[name]:
            raise TypeError(f"{name} is a {type(value).__name__}.")
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"{name} is {value}.")
    return found

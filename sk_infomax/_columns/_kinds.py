"""What a column holds: numbers, dates, durations or labels, whatever the container said.

The values decide, not the dtype: an integer is the same number as int64, as float64 and in an
array of objects. Numbers are float64 where that is exact. Whole numbers for which it is not,
such as ids beyond 2**53, keep their identity as int64 or as integers of Python. Dates and
durations are whole nanoseconds. Labels are plain Python values. Imports nothing of the package.
"""

import math
import re
import sys
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from numbers import Complex, Real
from typing import Any, Literal, NoReturn

import numpy as np

__all__ = ["Column", "Kind", "about_dates_as_text", "listed", "read_values"]

Kind = Literal["number", "date", "duration", "label"]

_FEW = 20  # values up to which numbers are read as labels if they repeat; a rule of thumb
_REPEATS = 5  # rows from which a level can be learned: the rule of chi-square tables
_LEARNABLE = 0.5  # share of rows in such levels from which levels are worth a reading; a rule

_AGAIN = 0.1  # share of rows whose value is seen again from which it may be a name: a rule

_EXACT = 2**53  # whole numbers up to here are exact in float64, which has 53 binary digits
_LISTED = 5  # columns that one finding lists by name, at most
_DATE = re.compile(  # year first or last, perhaps with a time: as files have them
    r"(\d{4}([-/.])\d{1,2}\2\d{1,2}|\d{1,2}([-/.])\d{1,2}\3\d{4})([T ]\d{1,2}:\d{2}.*)?"
)
_EPOCH = datetime(1970, 1, 1)  # where numpy counts dates from
_DAY = 86_400 * 10**9  # nanoseconds
_NANOSECONDS: dict[str, int | Fraction] = {
    "W": 7 * _DAY,
    "D": _DAY,
    "h": 3_600 * 10**9,
    "m": 60 * 10**9,
    "s": 10**9,
    "ms": 10**6,
    "us": 10**3,
    "ns": 1,
    "ps": Fraction(1, 10**3),
    "fs": Fraction(1, 10**6),
    "as": Fraction(1, 10**9),
    "generic": 1,  # a duration that has no unit is a whole number
}


@dataclass(frozen=True)
class Column:
    """A named column of one kind.

    Attributes
    ----------
    where : str
        What errors call it, such as "X column 'age' (position 3)".
    name : object
        Its name in the frame; None without one.
    kind : {"number", "date", "duration", "label"}
        What it holds.
    values : ndarray of shape (n,)
        float64; int64 or objects (int, float) where float64 is not exact; objects (str, bool,
        int, float) for labels. 0 stands where a value is missing.
    missing : ndarray of bool of shape (n,)
        Where there is no value.
    """

    where: str
    name: Any
    kind: Kind
    values: np.ndarray
    missing: np.ndarray

    def __len__(self) -> int:
        return len(self.values)

    @property
    def has_order(self) -> bool:
        """Whether ranks mean something."""
        return self.kind != "label"

    @cached_property
    def distinct(self) -> tuple[np.ndarray, np.ndarray]:
        """Values that are there, each once, and how often; sorted if they have an order."""
        present = self.values[~self.missing]
        if self.has_order:
            values, counts = np.unique(present, return_counts=True)
            return values, counts.astype(np.min_scalar_type(int(counts.max(initial=0))))
        seen = Counter(present.tolist())
        return _objects(list(seen)), np.array(list(seen.values()), dtype=np.int64)

    @property
    def is_dates_as_text(self) -> bool:
        """Whether all labels are the text of a date, such as "2026-11-27 08:00" or "27.11.2026"."""
        levels = self.distinct[0].tolist() if self.kind == "label" else []
        return len(levels) > 0 and all(
            isinstance(level, str) and _DATE.fullmatch(level.strip()) for level in levels
        )

    @property
    def n_levels(self) -> int:
        """Number of distinct values."""
        return len(self.distinct[0])

    @property
    def coverage(self) -> float:
        """Chance that the next value is one that was seen (Good and Turing): 0 for ids."""
        counts = self.distinct[1]
        return 1.0 - int((counts == 1).sum()) / max(1, int(counts.sum()))

    @property
    def has_levels(self) -> bool:
        """Whether values repeat enough that something can be learned of each."""
        counts = self.distinct[1]
        return bool(counts[counts >= _REPEATS].sum() >= _LEARNABLE * counts.sum())

    @property
    def repeats(self) -> bool:
        """Whether some values are seen again, so that they may be names in place of amounts."""
        counts = self.distinct[1]
        return bool(counts[counts > 1].sum() >= _AGAIN * counts.sum())

    @property
    def is_few(self) -> bool:
        """Whether there are so few values that they are levels, ordered or not."""
        n_rows = int(self.distinct[1].sum())
        return self.n_levels <= _FEW and _REPEATS * self.n_levels <= n_rows

    def scalars(self) -> list:
        """Plain Python values, None where one is missing; equal ones are equal as keys."""
        values = self.values.tolist()
        if self.missing.any():
            return [None if gone else v for v, gone in zip(values, self.missing.tolist())]
        return values

    def take(self, rows: np.ndarray) -> "Column":
        """These rows: a mask (n,) or positions."""
        return replace(self, values=self.values[rows], missing=self.missing[rows])


def listed(names: list[str]) -> str:
    """Names with commas, the first few of many."""
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more


def about_dates_as_text(columns: Collection[Column]) -> list[str]:
    """What to say of columns whose labels are dates."""
    found = [column.where for column in columns if column.is_dates_as_text]
    if not found:
        return []
    return [
        f"{listed(found)}: dates as text are read as labels, without order. Convert them, for "
        "example by pandas.to_datetime."
    ]


def read_values(
    values: np.ndarray, where: str, name: Any = None, *, missing=None, as_label: bool = False
) -> Column:
    """Tell what an array holds.

    Parameters
    ----------
    values : ndarray of shape (m,)
        Of any dtype; the rows that are not `missing`.
    where : str
        What errors call the column.
    name : object
        Its name.
    missing : ndarray of bool of shape (n,), optional
        Rows the container says are missing. None, NaN and NaT in `values` join them.
    as_label : bool, default=False
        Labels whatever they look like: a categorical column.

    Raises
    ------
    ValueError
        For infinite and complex values, and for cells that hold more than one value.
    """
    if values.dtype.kind == "T":  # numpy's text of any length may hold missing values
        values = values.astype(object)
    missing = np.zeros(len(values), dtype=bool) if missing is None else missing.copy()
    gone = _are_missing(values)
    missing[~missing] = gone
    present = _Present(values[~gone], np.flatnonzero(~missing), where)
    kind, typed = _typed(present)
    _refuse_infinite(typed, present)
    # Where all is missing, the dtype is a matter of the container.
    if (as_label or len(typed) == 0) and kind != "label":
        kind, typed = "label", _objects(typed.tolist())
    full = np.zeros(len(missing), dtype=typed.dtype)
    full[~missing] = typed
    return Column(where, name, kind, full, missing)


@dataclass(frozen=True)
class _Present:
    """The values (m,) that are there, the rows they stand in, and how to refuse one."""

    values: np.ndarray
    rows: np.ndarray
    where: str

    def refuse(self, index: int, what: str, remedy: str) -> NoReturn:
        """Say which cell does not fit, and what to do."""
        raise ValueError(f"{self.where} holds {what} in row {self.rows[index]}. {remedy}")


def _typed(present: _Present) -> tuple[Kind, np.ndarray]:
    """Kind and plain values (m,)."""
    values = present.values
    match values.dtype.kind:
        case "f":
            return "number", _floats(values)
        case "i" | "u":
            return "number", _integers(values)
        case "M":
            return "date", _spans(values)
        case "m":
            return "duration", _spans(values)
        case "b" | "U":
            return "label", _objects(values.tolist())
        case "c" if len(values):
            _refuse_complex(present, 0)
    return _typed_objects(present)


def _typed_objects(present: _Present) -> tuple[Kind, np.ndarray]:
    """Kind and plain values of objects: what all of them are, else labels."""
    values = present.values.tolist()
    types = list(map(type, values))
    families = {kind: _family(kind) for kind in set(types)}
    for kind, refuse in (("complex", _refuse_complex), ("container", _refuse_container)):
        if kind in families.values():
            refuse(present, next(i for i, t in enumerate(types) if families[t] == kind))
    found, plain = set(families.values()), families.keys() <= {int, float, str}
    if found and found <= {"number", "bool"} and found != {"bool"}:
        return "number", _exact(values if plain else [_plain(v) for v in values])
    if found == {"date"}:
        return "date", _exact([_moment(v) for v in values])
    if found == {"duration"}:
        return "duration", _exact([_duration(v) for v in values])
    if plain:
        return "label", _objects(values)
    return "label", _objects([_label(v, present, i) for i, v in enumerate(values)])


def _family(kind: type) -> str:
    """What values of a type are; numpy's durations also count as integers, so they come first."""
    pandas = sys.modules.get("pandas")
    if issubclass(kind, timedelta | time | np.timedelta64):
        return "duration"
    if issubclass(kind, date | np.datetime64) or (pandas and issubclass(kind, pandas.Period)):
        return "date"
    if issubclass(kind, bool | np.bool_):
        return "bool"
    if issubclass(kind, Real | Decimal):
        return "number"
    if issubclass(kind, Complex):
        return "complex"
    if issubclass(kind, str | bytes):
        return "text"
    if issubclass(kind, Collection | np.void):
        return "container"
    return "other"


# Missing ----------------------------------------------------------------------------------


def _are_missing(values: np.ndarray) -> np.ndarray:
    """Where an array (m,) says itself that there is no value."""
    if values.dtype.kind == "f":
        return np.isnan(values)
    if values.dtype.kind in "mM":
        return np.isnat(values)
    if values.dtype.kind == "O":
        if set(map(type, values)) <= {int, float, bool, str}:
            return (values != values).astype(bool)  # NaN, in a hundredth of the time
        return np.fromiter(map(_is_missing, values.tolist()), dtype=bool, count=len(values))
    return np.zeros(len(values), dtype=bool)


def _is_missing(value: Any) -> bool:
    """None, NaN of any number, NaT, pandas.NA or numpy's masked."""
    if value is None or value is np.ma.masked:
        return True
    if isinstance(value, float | np.floating):
        return value != value
    if isinstance(value, Decimal):
        return value.is_nan()
    if isinstance(value, np.datetime64 | np.timedelta64):
        return bool(np.isnat(value))
    pandas = sys.modules.get("pandas")
    return pandas is not None and (value is pandas.NA or value is pandas.NaT)


# Numbers ----------------------------------------------------------------------------------


def _floats(values: np.ndarray) -> np.ndarray:
    """Floats of any width; long doubles that hold larger whole numbers stay exact.

    Those of double precision are taken as they are: nobody writes into a column.
    """
    if values.dtype == np.float64:
        return values
    with np.errstate(over="ignore"):
        doubles = values.astype(np.float64)
    if (doubles == values).all():
        return doubles
    return _exact([_plain(value) for value in values])


def _integers(values: np.ndarray) -> np.ndarray:
    """Integers as float64 where that is exact, else as they are."""
    if len(values) == 0 or (values.min() >= -_EXACT and values.max() <= _EXACT):
        return values.astype(np.float64)
    return _exact(values.tolist())


def _plain(number: Any) -> int | float:
    """A number as itself if it is whole, else as the nearest float; infinite beyond those."""
    if isinstance(number, int | np.integer | np.bool_):
        return int(number)
    if isinstance(number, float | np.floating) and float(number) == number:
        return float(number)
    try:
        whole = int(number)
        return whole if whole == number else float(number)
    except OverflowError:
        return math.copysign(math.inf, number)


def _exact(numbers: list) -> np.ndarray:
    """Plain numbers as float64, else int64, else objects: the first that loses nothing."""
    try:
        doubles = np.array(numbers, dtype=np.float64)
        if doubles.tolist() == numbers:
            return doubles
    except OverflowError:
        pass  # an integer beyond 1e308
    if all(map(_fits_int64, numbers)):
        return np.array(list(map(int, numbers)), dtype=np.int64)
    return _objects(numbers)


def _fits_int64(number: int | float) -> bool:
    return -(2**63) <= number < 2**63 and number == int(number)


def _objects(values: list) -> np.ndarray:
    """Plain values as an array (m,) of objects."""
    return np.fromiter(values, dtype=object, count=len(values))


# Dates and durations ----------------------------------------------------------------------


def _spans(values: np.ndarray) -> np.ndarray:
    """Dates or durations (m,) of numpy, of any unit as nanoseconds, exact beyond int64 as well."""
    unit, step = np.datetime_data(values.dtype)
    if unit in ("Y", "M"):  # of no fixed length: numpy knows the calendar
        values, unit, step = values.astype(f"{values.dtype.kind}8[s]"), "s", 1
    counts, factor = values.astype(np.int64), _NANOSECONDS[unit] * step
    if isinstance(factor, int):
        limit = (2**63 - 1) // factor
        if len(counts) == 0 or (counts.min() >= -limit and counts.max() <= limit):
            return _integers(counts * factor)
    return _exact([_plain(count * factor) for count in counts.tolist()])


def _moment(value: Any) -> int | float:
    """A date as nanoseconds since 1970; without a time zone it is taken as UTC."""
    pandas = sys.modules.get("pandas")
    if pandas and isinstance(value, pandas.Period):
        value = value.start_time
    if pandas and isinstance(value, pandas.Timestamp):
        value = value.to_datetime64()
    if isinstance(value, np.datetime64):
        return _spans(np.array([value])).tolist()[0]
    if not isinstance(value, datetime):
        value = datetime.combine(value, time())
    if value.tzinfo is not None:
        value = value.astimezone(UTC).replace(tzinfo=None)
    return _duration(value - _EPOCH)


def _duration(value: Any) -> int | float:
    """A duration, or a time of day since midnight, as nanoseconds."""
    pandas = sys.modules.get("pandas")
    if pandas and isinstance(value, pandas.Timedelta):
        value = value.to_timedelta64()
    if isinstance(value, np.timedelta64):
        return _spans(np.array([value])).tolist()[0]
    if isinstance(value, time):
        value = datetime.combine(_EPOCH, value.replace(tzinfo=None)) - _EPOCH
    return (value.days * 86_400 + value.seconds) * 10**9 + value.microseconds * 10**3


# Labels -----------------------------------------------------------------------------------


def _label(value: Any, present: _Present, index: int) -> str | bool | int | float:
    """What tells a label from others: text, a flag or a number; the text of anything else."""
    if isinstance(value, str):
        return str.__str__(value)  # the value of an enumeration, not its name
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")  # two different bytes stay different
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, Real | Decimal) and not isinstance(value, np.timedelta64):
        return _plain(value)
    kind = type(value)
    if kind.__str__ is object.__str__ and kind.__repr__ is object.__repr__:
        present.refuse(index, f"{value!r}, which has no text of its own,", "Give text or numbers.")
    return str(value)


# Refusals ---------------------------------------------------------------------------------


def _refuse_infinite(typed: np.ndarray, present: _Present) -> None:
    """Infinite values have no rank that means anything, and as labels they are a mistake."""
    if typed.dtype.kind == "f":
        bad = np.isinf(typed)
    elif typed.dtype.kind == "O":
        bad = np.array([isinstance(v, float) and math.isinf(v) for v in typed], dtype=bool)
    else:
        return
    if bad.any():
        first = int(np.argmax(bad))
        present.refuse(
            first,
            f"{typed[first]}, infinite or too large for float64,",
            "Replace infinite values, clip them, or mark them as missing (NaN).",
        )


def _refuse_complex(present: _Present, index: int) -> NoReturn:
    value = present.values.tolist()[index]
    raise ValueError(
        f"Complex data not supported: {present.where} holds {value!r} in row "
        f"{present.rows[index]}. Give the real and the imaginary part as two columns."
    )


def _refuse_container(present: _Present, index: int) -> NoReturn:
    value = present.values[index]
    text = " ".join(repr(value).split())
    shown = text if len(text) <= 40 else text[:37] + "..."
    present.refuse(
        index,
        f"a {type(value).__name__}, {shown},",
        "A cell must be one number, date or label: spread it over several columns, or give it "
        "as text.",
    )

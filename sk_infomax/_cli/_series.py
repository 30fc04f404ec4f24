"""Series of the UCR and UEA archives: the format ``.ts``, read strictly."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ._asked import Asked
from ._samples import Samples
from ._voice import Failed

__all__ = ["read_ts"]

_FLAGS = ("timestamps", "missing", "univariate", "equallength", "classlabel", "targetlabel")
_NUMBERS = ("dimension", "dimensions", "serieslength")
_IGNORED = ("problemname",)
_MISSING = ("?", "nan")  # how a value that is not there is written


@dataclass
class Head:
    """What the lines above ``@data`` say."""

    path: Path
    said: dict[str, Any] = field(default_factory=dict)
    classes: list[str] = field(default_factory=list)

    def take(self, number: int, line: str) -> None:
        """Take a line such as ``@univariate true``."""
        name, *values = line[1:].split()
        key = name.lower()
        if key in _FLAGS:
            if not values or values[0].lower() not in ("true", "false"):
                raise self.wrong(number, f"@{name} must be true or false")
            self.said[key] = values[0].lower() == "true"
            self.classes = values[1:] if key == "classlabel" else self.classes
        elif key in _NUMBERS:
            if len(values) != 1 or not values[0].isdigit() or int(values[0]) < 1:
                raise self.wrong(number, f"@{name} must be a number, 1 or more")
            self.said[key.removesuffix("s") if key == "dimensions" else key] = int(values[0])
        elif key not in _IGNORED:
            known = ", ".join((*_FLAGS, *_NUMBERS, *_IGNORED))
            raise self.wrong(number, f"@{name} is unknown; known are {known}")

    def wrong(self, number: int, what: str) -> Failed:
        """An error that names file and line."""
        return Failed(f"{self.path}: line {number}: {what}.")

    @property
    def labelled(self) -> bool:
        """Whether each series ends with a class or a number."""
        return bool(self.said.get("classlabel") or self.said.get("targetlabel"))

    @property
    def n_channels(self) -> int | None:
        """Of each series, where that is said."""
        return 1 if self.said.get("univariate") else self.said.get("dimension")

    @property
    def length(self) -> int | None:
        """Of each series, where that is said."""
        return self.said.get("serieslength") if self.said.get("equallength") else None


def read_ts(path: Path, asked: Asked) -> Samples:
    """Series with their classes, or the numbers they are told by.

    Returns
    -------
    Samples
        An array (n, channels, time) where all have one length, else a list of arrays.
    """
    asked.only("a .ts, whose labels stand at the ends of its lines")
    lines = _lines(path)
    head = _read_head(path, lines)
    series, labels = list[np.ndarray](), list[str]()
    for number, line in lines:
        channels, label = _parts(head, number, line)
        series.append(_as_series(head, number, channels))
        _check_like_first(head, number, series)
        labels.append(label)
    if not series:
        raise Failed(f"{path}: it has no series: nothing follows @data.")
    found: Any = series
    if len({one.shape for one in series}) == 1:
        found = np.stack(series)
    return Samples(str(path), found, "series", labels=_as_labels(head, labels), label_name="class")


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Lines that are neither empty nor comments, and their numbers."""
    try:
        with open(path, encoding="utf-8-sig") as file:
            for number, line in enumerate(file, 1):
                text = line.strip()
                if text and not text.startswith("#"):
                    yield number, text
    except UnicodeDecodeError as error:
        raise Failed(f"{path}: it is no text in UTF-8 ({error}).") from error


def _read_head(path: Path, lines: Iterator[tuple[int, str]]) -> Head:
    head = Head(path)
    for number, line in lines:
        if line.lower() == "@data":
            if head.said.get("timestamps"):
                raise head.wrong(number, "series with time stamps are not read. Give values alone")
            return head
        if not line.startswith("@"):
            raise head.wrong(number, "values stand above the line @data")
        head.take(number, line)
    raise Failed(f"{path}: it is empty or no .ts: it has no line @data.")


def _parts(head: Head, number: int, line: str) -> tuple[list[str], str]:
    """Channels of a line, as text, and the label at its end."""
    parts = [part.strip() for part in line.split(":")]
    label = parts.pop() if head.labelled else ""
    if head.labelled and not label:
        raise head.wrong(number, "no label stands at its end")
    if head.classes and label not in head.classes:
        raise head.wrong(
            number, f"{label!r} is none of the classes {', '.join(head.classes)} of @classLabel"
        )
    if not parts:
        raise head.wrong(number, "there is a label and no series")
    return parts, label


def _as_series(head: Head, number: int, channels: list[str]) -> np.ndarray:
    """Channels of a line as an array (c, t), the shorter ones filled up with NaN."""
    values = [
        [_number(head, number, i, cell) for cell in channel.split(",")]
        for i, channel in enumerate(channels)
    ]
    longest = max(map(len, values))
    if head.length not in (None, longest):
        raise head.wrong(number, f"{longest} values, and @seriesLength says {head.length}")
    return np.array([one + [np.nan] * (longest - len(one)) for one in values])


def _number(head: Head, number: int, channel: int, cell: str) -> float:
    text = cell.strip()
    if text.lower() in _MISSING:
        if head.said.get("missing") is False:
            raise head.wrong(number, f"{text!r} is a missing value, and @missing says false")
        return np.nan
    try:
        value = float(text)
    except ValueError:
        value = np.nan
    if not np.isfinite(value):
        raise head.wrong(number, f"{text!r} in channel {channel + 1} is no finite number")
    return value


def _check_like_first(head: Head, number: int, series: list[np.ndarray]) -> None:
    """Refuse a series of other channels than said, or than the first; of another length if said."""
    shape, first = series[-1].shape, series[0].shape
    expected = head.n_channels or first[0]
    if shape[0] != expected:
        raise head.wrong(number, f"{shape[0]} channels instead of {expected}")
    if head.said.get("equallength") and shape[1] != first[1]:
        raise head.wrong(
            number, f"{shape[1]} values instead of {first[1]}, and @equalLength is true"
        )


def _as_labels(head: Head, labels: list[str]) -> np.ndarray | None:
    """Classes as text, or numbers."""
    if not head.labelled:
        return None
    if head.said.get("targetlabel"):
        try:
            return np.array(labels, float)
        except ValueError as error:
            raise Failed(
                f"{head.path}: @targetLabel is true, but a label is none: {error}."
            ) from error
    return np.array(labels)

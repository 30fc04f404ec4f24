"""Series of several lengths as one array: what is missing filled in, what is shorter padded.

By one rule, at fit and afterwards. NaN after the last value of all channels is the end of a
series; other NaN are missing values. Nothing is stretched: what is shorter has NaN after its end,
which encoders that read lengths leave out and others see as the series' own mean.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from .._columns._sources import Source, array_of
from .._columns._sparse import Rows
from .._layout import OF_PICTURES, Layout
from ._containers import Held

__all__ = ["as_array", "filled", "longest", "read_each"]

_SHOWN = 20  # characters of a value in an error
_AXES_OF_COLOUR = 3  # of a picture: height, width, colour


def read_each(held: Held, channels: str, expected: int | None = None) -> list[np.ndarray]:
    """Each series as (c, t), complete, float32 if all are, else float64.

    Parameters
    ----------
    held : Held
        What a container holds.
    channels : {"auto", "first", "last"}
        Which axis the channels are, where the container does not say.
    expected : int or None
        Channels that a fit has seen.

    Raises
    ------
    ValueError
        With the number of the first sample that is no series of numbers, misses all values of a
        channel, is too short, infinite, or has other channels.
    """
    time_first = channels == "last" if held.time_first is None else held.time_first
    arrays = [_numbers(item, row) for row, item in enumerate(held.items)]
    single = all(array.dtype == np.float32 for array in arrays)
    found = [
        _as_channels(array, row, time_first, np.float32 if single else np.float64)
        for row, array in enumerate(arrays)
    ]
    _check_channels(found, expected, held, channels)
    return [_complete(series, row) for row, series in enumerate(found)]


def as_array(series: list[np.ndarray], length: int) -> np.ndarray:
    """Series (c, t) as (n, c, length), NaN after the end of each; longer ones are averaged down."""
    found = np.full((len(series), len(series[0]), length), np.nan, series[0].dtype)
    for row, one in enumerate(series):
        short = one if one.shape[1] <= length else _averaged(one, length)
        found[row, :, : short.shape[1]] = short
    return found


def longest(series: list[np.ndarray]) -> int:
    """Values of the longest series."""
    return max(one.shape[1] for one in series)


def filled(rows: Rows, layout: Layout) -> Rows:
    """Rows (n, ...) of series with the mean of each channel after its end; others as they are."""
    if isinstance(rows, Source):
        return rows
    if layout.kind != "series" or rows.dtype.kind != "f" or not np.isnan(rows).any():
        return rows
    rows = rows.copy(order="K")
    seen = layout.arrange(rows)  # a view
    np.copyto(seen, np.nanmean(seen, axis=2, keepdims=True), where=np.isnan(seen))
    return rows


# One series -----------------------------------------------------------------------------------


def _numbers(item: Any, row: int) -> np.ndarray:
    """A series as an array of floats, with NaN for what is missing."""
    if isinstance(item, torch.Tensor):
        item = array_of(item)
    try:
        array = np.ma.asarray(item) if isinstance(item, np.ma.MaskedArray) else np.asarray(item)
    except ValueError as error:
        raise ValueError(
            f"{_sample(row)} has channels of several lengths. Give each series channels of one "
            "length, with NaN where values are missing."
        ) from error
    if array.ndim not in (1, 2):
        raise ValueError(
            f"{_sample(row)} has shape {array.shape}. Give a series as (time,) or (channels, time)."
            + (OF_PICTURES if array.ndim == _AXES_OF_COLOUR or _is_picture(item) else "")
        )
    what = {"c": "complex numbers", "U": "text", "S": "text", "M": "dates", "m": "durations"}
    if array.dtype.kind in what:
        _refuse_value(row, what[array.dtype.kind], array.ravel()[:1].tolist())
    if array.dtype == object:
        wrong = [v for v in array.ravel().tolist() if isinstance(v, str | complex | bytes)]
        if wrong:
            _refuse_value(
                row, "complex numbers" if isinstance(wrong[0], complex) else "text", wrong
            )
    if array.dtype == np.float16:
        array = array.astype(np.float32)
    wide = array if array.dtype == np.float32 else _as_float64(array, row)
    return wide.filled(np.nan) if isinstance(wide, np.ma.MaskedArray) else wide


def _as_float64(array: np.ndarray, row: int) -> np.ndarray:
    try:
        return array.astype(np.float64)
    except (TypeError, ValueError):
        _refuse_value(row, "what is no number", array.ravel()[:1].tolist())
        raise


def _refuse_value(row: int, what: str, values: list[Any]) -> None:
    shown = f", such as {repr(values[0])[:_SHOWN]}" if values else ""
    raise ValueError(f"{_sample(row)} holds {what}{shown}. Give series of real numbers.")


def _as_channels(array: np.ndarray, row: int, time_first: bool, dtype: Any) -> np.ndarray:
    """A series as (c, t), without what is missing at its end."""
    array = array[None] if array.ndim == 1 else array.T if time_first else array
    if array.size == 0:
        raise ValueError(f"{_sample(row)} is empty: it has shape {array.shape}. Leave it out.")
    there = ~np.isnan(array).all(0)
    if not there.any():
        raise ValueError(f"{_sample(row)} has nothing but missing values (NaN). Leave it out of X.")
    return array[:, : len(there) - int(there[::-1].argmax())].astype(dtype, copy=False)


def _complete(series: np.ndarray, row: int) -> np.ndarray:
    """A series (c, t) with straight lines where values are missing; refuse what is none."""
    if series.shape[1] < 2:
        raise ValueError(
            f"{_sample(row)} has 1 value ({series.ravel()[0]}). A series needs 2 or more: leave it "
            "out of X."
        )
    if np.isinf(series).any():
        channel, time = (int(place[0]) for place in np.nonzero(np.isinf(series)))
        raise ValueError(
            f"{_sample(row)} is infinite ({series[channel, time]}) in channel {channel} at time "
            f"{time}. Replace it; with NaN it is interpolated."
        )
    missing = np.isnan(series)
    if not missing.any():
        return series
    if missing.all(1).any():
        raise ValueError(
            f"{_sample(row)} has nothing but missing values (NaN) in channel "
            f"{int(missing.all(1).argmax())}. Fill that channel, or leave the sample out of X."
        )
    series, times = series.copy(), np.arange(series.shape[1])
    for channel, gaps in zip(series, missing):
        channel[gaps] = np.interp(times[gaps], times[~gaps], channel[~gaps])
    return series


def _averaged(series: np.ndarray, length: int) -> np.ndarray:
    """Means (c, length) of a longer series (c, t) over equal stretches of its time."""
    times, edges = np.arange(series.shape[1] + 1), np.linspace(0, series.shape[1], length + 1)
    sums = np.concatenate([np.zeros((len(series), 1)), series.cumsum(1, dtype=np.float64)], 1)
    at_edges = np.stack([np.interp(edges, times, channel) for channel in sums])
    return (np.diff(at_edges) / np.diff(edges)).astype(series.dtype)


def _check_channels(
    series: list[np.ndarray], expected: int | None, held: Held, channels: str
) -> None:
    """Refuse series of other numbers of channels than the first, or than fit has seen."""
    wanted = len(series[0]) if expected is None else expected
    row = next((row for row, one in enumerate(series) if len(one) != wanted), None)
    if row is None:
        return
    other = "sample 0 has" if expected is None else "fit has seen"
    hint = ""
    if held.time_first is None and channels == "auto" and _has_time_first(held, wanted, expected):
        hint = ' If arrays are (time, channels), say channels="last".'
    if _is_picture(held.items[row]):
        hint = OF_PICTURES
    raise ValueError(
        f"{_sample(row)} has {len(series[row])} channels, and {other} {wanted}. Give all series "
        f"the same channels.{hint}"
    )


def _is_picture(item: Any) -> bool:
    """Whether a sample is an image of Pillow, or holds the bytes that pictures are made of."""
    return hasattr(item, "getbands") or getattr(item, "dtype", None) == np.uint8


def _has_time_first(held: Held, wanted: int, expected: int | None) -> bool:
    """Whether all items would have one number of channels if time came first."""
    last = {np.shape(item)[-1] for item in held.items if np.ndim(item) == 2}
    return len(last) == 1 and (expected is None or last == {wanted})


def _sample(row: int) -> str:
    return f"Sample {row} of X (counted from 0)"

"""Rows of an estimator from series of any length, at fit and afterwards."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from .._checks import check_shape, say
from .._columns._sparse import Rows, SparseRows
from .._layout import Layout
from ..exceptions import DataWarning
from ._containers import Held, held_in
from ._equal import as_array, longest, read_each

__all__ = ["SeriesRows", "doubts", "read_series"]

# Of the correlation of neighbours along one axis, under which those along the other are no pixels.
_UNLIKE = 0.25
_ALIKE = 0.3  # correlation of neighbours from which an axis passes for time (both rules of thumb)
# Times the longest series of fit; what is a little longer is met in every cross-validation.
_MUCH_LONGER = 1.5
_LOOKED_AT = 256  # samples in which neighbours are compared (rule of thumb)


class SeriesRows(NamedTuple):
    """Series of any length as rows.

    Parameters
    ----------
    rows : ndarray of shape (n, ...)
        In the layout's shape, NaN after the end of a series.
    layout : Layout
        Of a sample.
    said : bool
        Whether the container or the user said which axis is time.
    """

    rows: np.ndarray
    layout: Layout
    said: bool


def read_series(
    estimator: Any, X: Any, kind: str | None, known: Layout | None, min_samples: int
) -> SeriesRows | None:
    """Rows of series that no array of numbers holds, or None for what is read as an array.

    Parameters
    ----------
    estimator : DeepInfoMaxTransformer
        Has `channels` and `sample_shape`.
    X : object
        What the user gave.
    kind : {"table", "series", "image"} or None
        What the encoder reads.
    known : Layout or None
        Of the fit.
    min_samples : int
        Fewest series.

    Raises
    ------
    ValueError
        For samples that are no series of numbers, by number; and for such series where fit has seen
        something else.
    """
    if known is not None and known.kind != "series":
        _refuse_others(X, known)
        return None
    X = _in_shape(X, estimator, known)
    length = None if known is None or len(known.shape) == 1 else known.network_shape[1]
    held = held_in(X, kind, length)
    if held is None:
        _refuse_missing_square(X, kind)
        return None
    if known is None and estimator.sample_shape is not None and not isinstance(X, np.ndarray):
        raise ValueError(
            f"sample_shape={tuple(estimator.sample_shape)} says that all samples have one shape, "
            "but X holds series of several. Leave sample_shape out."
        )
    if len(held.items) < min_samples:
        raise ValueError(
            f"Found array with {len(held.items)} sample(s) while a minimum of {min_samples} is "
            f"required by {type(estimator).__name__}."
        )
    return _as_rows(estimator, held, known)


def _as_rows(estimator: Any, held: Held, known: Layout | None) -> SeriesRows:
    """Series that a container holds, in the shape that fit has seen."""
    channels = estimator.channels if known is None else _channels_of(known)
    expected = None if known is None else known.network_shape[0]
    series = read_each(held, channels, expected)
    said = held.time_first is not None or estimator.channels != "auto" or len(series[0]) == 1
    if known is None:
        length, n_channels = longest(series), len(series[0])
        last = channels == "last"
        shape = (length, n_channels) if last else (n_channels, length)
        known = Layout("series", shape, 1 if last else 0)
    length = known.network_shape[1]
    longer = sum(one.shape[1] > _MUCH_LONGER * length for one in series)
    if longer:
        say(
            [
                f"{longer} of {len(series)} series in X are much longer than the {length} values "
                "that fit has seen at most: they are averaged down to that length, at which they "
                "go faster. Fit on series as long as these, or cut them, if their pace matters."
            ],
            DataWarning,
        )
    rows = as_array(series, length)
    if known.channel_axis == 1:
        rows = np.moveaxis(rows, 1, 2)
    return SeriesRows(rows.reshape(len(rows), *known.shape), known, said)


def _channels_of(layout: Layout) -> str:
    return "last" if layout.channel_axis == 1 else "first"


def _in_shape(X: Any, estimator: Any, known: Layout | None) -> Any:
    """Flat rows of an array in the shape of their samples, where one is known."""
    shape = estimator.sample_shape if known is None else known.shape
    if known is None:
        check_shape(shape)
    if not isinstance(X, np.ndarray) or X.ndim != 2 or shape is None:
        return X
    if len(shape) == 1 or X.shape[1] != math.prod(shape):
        return X
    return X.reshape(len(X), *shape)


def _refuse_others(X: Any, known: Layout) -> None:
    """Refuse series of several lengths where fit has seen tables or images."""
    if not isinstance(X, list | tuple) and not (isinstance(X, np.ndarray) and X.dtype == object):
        return
    shapes = [_shape(item) for item in X]
    row = next((row for row, shape in enumerate(shapes) if shape != shapes[0]), None)
    if row is not None:
        what = "rows of a table" if known.kind == "table" else "images"
        raise ValueError(
            f"Sample {row} of X (counted from 0) has shape {shapes[row]}, and sample 0 has "
            f"{shapes[0]}, but fit has seen {what} of shape {known.shape}. Give all samples that "
            "shape, or fit anew on series."
        )


def _shape(item: Any) -> tuple[Any, ...]:
    try:
        return tuple(np.shape(item))
    except ValueError:
        return (len(item), "several lengths")


def _refuse_missing_square(X: Any, kind: str | None) -> None:
    """Say what a square sample is taken for, where missing values ask for series."""
    if kind is not None or not isinstance(X, np.ndarray) or X.ndim != 3:
        return
    if X.shape[1] == X.shape[2] and X.dtype.kind == "f" and np.isnan(X).any():
        sample = int(np.isnan(X).any((1, 2)).argmax())
        raise ValueError(
            f"Sample {sample} of X (counted from 0) has missing values (NaN), and samples of shape "
            f"{X.shape[1:]} are taken for images, which must be complete. Fill them in, or say "
            'encoder="series" if they are series.'
        )


# Doubts --------------------------------------------------------------------------------------


def doubts(layout: Layout, kind: str | None, channels: str, rows: Rows) -> list[str]:
    """What to warn of where the shape alone said what samples (n, ...) are, and may mislead."""
    if len(layout.shape) != 2 or layout.kind == "table" or isinstance(rows, SparseRows):
        return []
    first, second = layout.shape
    if layout.kind == "image":
        square = first == second and kind is None and rows.ndim == 3
        if not square or not _passes_for_series(rows):
            return []
        return [
            f"Samples of shape {layout.shape} are taken for images, but values side by side are "
            'alike along one axis only, as in series. Say encoder="series" with channels='
            '"first" or "last" if they are, or encoder="image".'
        ]
    if channels != "auto":
        return []
    of_bytes = ""
    if kind is None and rows.dtype == np.uint8:
        of_bytes = (
            ' If they are grey pictures, say encoder="image"; one in colour alone is X[None].'
        )
    if first < second and not of_bytes:
        return []
    return [
        f"Samples of shape {layout.shape} are taken for series of {first} channels and {second} "
        f'moments. Say channels="last" if they are (time, channels), or channels="first".{of_bytes}'
    ]


def _passes_for_series(rows: Rows) -> bool:
    """Whether neighbours in square samples (n, k, k) are alike along one axis and not the other."""
    some = rows[:_LOOKED_AT].astype(np.float64)
    if rows.dtype == np.uint8 or some.shape[1] < 3:
        return False
    with np.errstate(over="ignore", invalid="ignore"):  # what overflows here is refused later
        centred = some - some.mean(0)
        size = (centred**2).mean()
    if size == 0 or not np.isfinite(size):
        return False
    along = [
        float((centred[:, 1:] * centred[:, :-1]).mean() / size),
        float((centred[:, :, 1:] * centred[:, :, :-1]).mean() / size),
    ]
    return max(along) > _ALIKE and abs(min(along)) < _UNLIKE * max(along)

"""What CIFAR-10 and CIFAR-100 share: batches of their binary and of their Python version."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ._files import check_counts
from ._pickles import read_pickle

__all__ = ["CHANNELS", "EDGE", "channels_last", "read_batch"]

EDGE = 32  # pixels (Krizhevsky 2009)
CHANNELS = 3  # red, green, blue, a plane each (Krizhevsky 2009)
_N_VALUES = math.prod((CHANNELS, EDGE, EDGE))  # bytes of an image in both versions


def channels_last(pixels: np.ndarray) -> np.ndarray:
    """Rows (n, 3072) of three planes as images (n, 32, 32, 3)."""
    planes = pixels.reshape(-1, CHANNELS, EDGE, EDGE)
    return np.ascontiguousarray(planes.transpose(0, 2, 3, 1))


def read_batch(path: Path, title: str, n_classes: Mapping[str, int]) -> tuple[np.ndarray, ...]:
    """Images (n, 32, 32, 3), and labels (n,) of each kind, in a file of either version.

    Parameters
    ----------
    path : Path
        A file that ends in ``.bin``, or a pickle.
    title : str
        Name of the set.
    n_classes : mapping of str to int
        For each kind of labels, in the order of the bytes of a record, how many classes it has.
        The names are those of the Python version.
    """
    read = _read_records if path.suffix == ".bin" else _read_arrays
    pixels, *labels = read(path, title, tuple(n_classes))
    for values, count in zip(labels, n_classes.values()):
        wrong = values[(values < 0) | (values >= count)]
        if len(wrong):
            raise ValueError(
                f"{path.name} holds the label {wrong[0]}, but {title} has the classes 0 to "
                f"{count - 1}. Take the files of {title}."
            )
    return channels_last(pixels), *labels


def _read_records(path: Path, title: str, kinds: tuple[str, ...]) -> tuple[np.ndarray, ...]:
    """Pixels (n, 3072) and labels (n,) in a file of the binary version."""
    content, size = np.fromfile(path, np.uint8), len(kinds) + _N_VALUES
    if content.size == 0 or content.size % size:
        raise ValueError(
            f"{path.name} has {content.size} bytes, no multiple of the {size} bytes of a record "
            f"({len(kinds)} of labels and 3x32x32 pixels): it is truncated or another format. Take "
            f"the binary version of {title}."
        )
    records = content.reshape(-1, size)
    labels = (records[:, place].astype(np.int64) for place in range(len(kinds)))
    return records[:, len(kinds) :], *labels


def _read_arrays(path: Path, title: str, kinds: tuple[str, ...]) -> tuple[np.ndarray, ...]:
    """Pixels (n, 3072) and labels (n,) in a file of the Python version."""
    content = read_pickle(path)
    missing = {"data", *kinds} - set(content)
    if missing:
        raise ValueError(
            f"{path.name} holds the entries {sorted(content)} and lacks {sorted(missing)}: it is "
            f"no batch of {title}. Take the Python version of {title}."
        )
    pixels = np.asarray(content["data"])
    if pixels.dtype != np.uint8 or pixels.shape[1:] != (_N_VALUES,):
        raise ValueError(
            f"{path.name} holds {pixels.dtype} of shape {pixels.shape} as data, not uint8 of shape "
            f"(n, {_N_VALUES}): it is damaged or another set. Take the Python version of {title}."
        )
    labels = [_whole_numbers(path, kind, content[kind]) for kind in kinds]
    for values in labels:
        check_counts(path, "one", len(pixels), len(values))
    return pixels, *labels


def _whole_numbers(path: Path, kind: str, values: object) -> np.ndarray:
    """Labels (n,) as int64."""
    try:
        labels = np.asarray(values)
    except ValueError:  # lists of several lengths
        labels = np.asarray(values, dtype=object)
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise ValueError(
            f"{path.name} holds {kind} of type {labels.dtype} and shape {labels.shape}, not a list "
            "of whole numbers: it is damaged. Download it again."
        )
    return labels.astype(np.int64)

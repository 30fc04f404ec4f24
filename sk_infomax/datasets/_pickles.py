"""Pickles of arrays and builtin containers, read without running code that they name.

A pickle may call any function that it names. Here it finds stand-ins for the few that rebuild an
array of numpy, which only note what they are given; everything else is refused. The arrays are
made from the notes, of numbers alone.
"""

from __future__ import annotations

import math
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np

__all__ = ["read_pickle"]

_KINDS = "biuf"  # flags, whole numbers and floats: what bytes can hold without pointing anywhere
_ORDERS: dict[object, Literal["<", ">", "="]] = {"<": "<", ">": ">", "|": "=", "=": "="}  # of bytes
_AGAIN = "Download it again from where the set is published."


class _Type:
    """Notes on the type of an array: its code and its order of bytes."""

    def __init__(self, code: str = "", *_: Any):
        self.code, self.order = code, "="

    def __setstate__(self, state: tuple) -> None:
        self.order = state[1]

    def read(self) -> np.dtype:
        """The type, if it is one of numbers."""
        order = _ORDERS[_as_text(self.order)]
        dtype = np.dtype(str(_as_text(self.code))).newbyteorder(order)
        if dtype.kind not in _KINDS:
            raise pickle.UnpicklingError(f"an array of {dtype}")
        return dtype


class _Array:
    """Notes on an array: the arguments that numpy would rebuild it from."""

    def __init__(self, *_: Any):
        self.notes: tuple = ()

    def __setstate__(self, state: tuple) -> None:
        _, shape, dtype, by_column, content = state
        self.notes = content, dtype, shape, "F" if by_column else "C"

    def read(self) -> np.ndarray:
        """The array, a copy of our own."""
        content, kind, shape, order = self.notes
        dtype = kind.read()
        if len(content) != math.prod(shape) * dtype.itemsize:
            raise pickle.UnpicklingError(f"{len(content)} bytes for an array of shape {shape}")
        return np.frombuffer(content, dtype).reshape(shape, order=order).copy()


def _from_buffer(content: bytes, dtype: _Type, shape: tuple, order: str) -> _Array:
    """An array as protocol 5 writes it."""
    array = _Array()
    array.notes = content, dtype, shape, order
    return array


def _latin(text: str, encoding: str) -> bytes:
    """Bytes as Python 3 writes them for Python 2."""
    return text.encode("latin-1")


_STANDINS: dict[tuple[str, str], Callable] = {
    **{
        (f"numpy.{core}.{module}", name): standin
        for core in ("core", "_core")  # numpy 1 and 2
        for module, name, standin in (
            ("multiarray", "_reconstruct", _Array),
            ("numeric", "_frombuffer", _from_buffer),
        )
    },
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Type,
    ("_codecs", "encode"): _latin,
}


class _ArraysOnly(pickle.Unpickler):
    """An unpickler that finds nothing but the stand-ins."""

    refused: str | None = None

    def find_class(self, module: str, name: str) -> Callable:
        if (module, name) not in _STANDINS:
            self.refused = f"{module}.{name}"
            raise pickle.UnpicklingError(self.refused)
        standin = _STANDINS[module, name]
        return lambda *args: standin(*args)  # a pickle may write to what it finds: ours is a copy


def read_pickle(path: Path) -> dict[str, Any]:
    """The dictionary in a pickle of Python 2 or 3, its names and arrays made plain.

    Parameters
    ----------
    path : Path
        A file that holds one dictionary of arrays, lists, tuples, numbers and text.

    Returns
    -------
    content : dict of str to object
        Its entries; what was text of Python 2 is bytes.

    Raises
    ------
    ValueError
        If the file is truncated, holds something else, or names anything but arrays of numbers.

    Examples
    --------
    >>> from pathlib import Path
    >>> from sk_infomax.datasets._pickles import read_pickle
    >>> read_pickle(Path("data_batch_1"))["data"].shape  # doctest: +SKIP
    (10000, 3072)
    """
    with path.open("rb") as file:
        unpickler = _ArraysOnly(file, encoding="bytes")
        try:
            content = unpickler.load()
            if not isinstance(content, dict):
                raise pickle.UnpicklingError(f"a {type(content).__name__} and no dictionary")
            return {
                str(_as_text(name)): value.read() if isinstance(value, _Array) else value
                for name, value in content.items()
            }
        except Exception as error:  # damaged bytes make a pickle fail in any way
            if unpickler.refused:
                raise ValueError(
                    f"{path.name} asks for {unpickler.refused}, which an array has no use for and "
                    f"which could run code: it is not read. {_AGAIN}"
                ) from error
            raise ValueError(
                f"{path.name} cannot be read as a pickle of arrays ({error or 'it ends early'}): "
                f"it is truncated or another format. {_AGAIN}"
            ) from error


def _as_text(name: object) -> object:
    """Text of Python 2 as text."""
    return name.decode("latin-1") if isinstance(name, bytes) else name

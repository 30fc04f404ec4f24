"""Plain values of a file, each checked before it is used."""

from collections.abc import Mapping
from typing import Any

import numpy as np

__all__ = ["fact", "fitting_array", "require"]

_SHOWN = 60  # characters of a value that an error shows


def require(holds: Any, what: str) -> None:
    """Refuse a file by saying what is wrong with it.

    Raises
    ------
    ValueError
        Unless it holds.
    """
    if not holds:
        raise ValueError(f"The file is damaged: {what}.")


def fact(facts: Mapping[str, Any], name: str, *types: type) -> Any:
    """One of the facts, of one of the types exactly: True is no int.

    Raises
    ------
    ValueError
        If it is missing or of another type.
    """
    require(name in facts, f"it says nothing of {name}")
    value = facts[name]
    require(type(value) in types, f"its {name} is {str(value)[:_SHOWN]!r}")
    return value


def fitting_array(
    arrays: Mapping[str, Any], name: str, shape: tuple[int | None, ...], kinds: str = "f"
) -> np.ndarray:
    """One of the arrays, of a shape (None: any length) and of some kinds of dtype.

    Raises
    ------
    ValueError
        If it is missing or does not fit.
    """
    array = arrays.get(name)
    fits = array is not None and array.dtype.kind in kinds and array.ndim == len(shape)
    if array is None or not fits or any(n not in (None, m) for n, m in zip(shape, array.shape)):
        raise ValueError(f"The file is damaged: its array {name} does not fit.")
    return array

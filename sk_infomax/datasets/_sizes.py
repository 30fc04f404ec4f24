"""Checks of the numbers that a distribution is made of."""

import math
from numbers import Integral, Real
from typing import Any

import numpy as np

__all__ = ["check_array_of", "check_count", "check_number"]


def check_count(name: str, value: Any, least: int = 1) -> None:
    """Refuse what is no whole number, or too small a one.

    Raises
    ------
    TypeError
        If it is no whole number.
    ValueError
        If it is below the least.
    """
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(f"{name}={value!r} must be a whole number of {least} or more.")
    if value < least:
        raise ValueError(f"{name}={value!r} must be at least {least}.")


def check_number(
    name: str, value: Any, low: float, high: float = math.inf, or_low: bool = False
) -> None:
    """Refuse what is no number between two ends; it may be the lower one if that is said.

    Raises
    ------
    TypeError
        If it is no real number.
    ValueError
        If it does not lie between the ends.
    """
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name}={value!r} must be a number between {low} and {high}.")
    value = float(value)
    if not (low < value < high or (or_low and value == low)):
        lower = f"at least {low}" if or_low else f"above {low}"
        raise ValueError(f"{name}={value!r} must be {lower} and below {high}.")


def check_array_of(name: str, values: Any, ndim: int) -> np.ndarray:
    """Finite numbers as an array of so many dimensions, with at least one of them.

    Raises
    ------
    TypeError
        If these are no numbers.
    ValueError
        If they are of another shape, or not finite.
    """
    try:
        found = np.asarray(values, dtype=float)
    except (TypeError, ValueError) as error:
        raise TypeError(f"{name}={values!r} must be an array of numbers.") from error
    if found.ndim != ndim or not found.size or not np.isfinite(found).all():
        raise ValueError(
            f"{name}={values!r} must be an array of {ndim} dimension{'s' if ndim > 1 else ''} of "
            "finite numbers."
        )
    return found

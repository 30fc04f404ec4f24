"""What whoever asked for an estimate should be told of it: where it can't be trusted."""

from __future__ import annotations

import numpy as np

from ..bounds import SMILE, Bound
from ._reading import Reading

__all__ = [
    "ROWS_FOR_COLUMNS",
    "about_missed",
    "about_pairs",
    "about_read_outs",
    "about_reference",
    "about_size",
]

ROWS_FOR_COLUMNS = 2
"""Rows for each column under which anything may be hidden: a rule."""

_CLIP = SMILE().clip  # nats; above it the read-out of SMILE is clipped and says nothing
_GAP = 0.1  # nats, and share of the estimate, by which two read-outs may differ: a rule of thumb
_MISSED = 2.0  # times that, from which an interval that is wider above is worth a word: a rule
_NEAR = 1.0  # nats below the ceiling of a capped bound from which the truth may be any larger
_REPEATED = 0.01  # share of pairs that may be there twice before a fold knows another's: a rule


def about_pairs(pairs: np.ndarray) -> list[str]:
    """Where the estimate cannot be trusted whatever the critic learns."""
    n, width = pairs.shape
    findings = []
    if n < ROWS_FOR_COLUMNS * width:
        findings.append(
            f"There are {width} columns and {n} samples: the critic can learn little, and the "
            "information may be any larger. Give more samples or fewer columns."
        )
    n_different = len(np.unique(pairs, axis=0))
    # Where no column tells rows apart by itself, such as whole numbers, rows repeat by nature.
    n_values = max(len(np.unique(column)) for column in pairs.T)
    if n_different < (1 - _REPEATED) * n and n_values > (1 - _REPEATED) * n_different:
        findings.append(
            f"Only {n_different} of {n} pairs are different. A pair that is trained on and read "
            "again raises the estimate: drop rows that were entered twice, or say with groups "
            "which rows belong together."
        )
    return findings


def about_size(value: float, most_shown: float) -> list[str]:
    """Where more is reported than pairs put together at random can show."""
    if value <= most_shown:
        return []
    return [
        f"So many pairs show no more than {most_shown:.1f} nats; what the estimate of {value:.1f} "
        "has above that rests on the sides being as normal as they look. Give more samples."
    ]


def about_reference(reading: Reading, value: float, missed: float) -> list[str]:
    """Where what was learned against a reference does not hold against the pairs themselves."""
    if reading.marginal is None or missed < _GAP + _GAP * value:
        return []
    return [
        f"Two read-outs of the critics disagree: {reading.mean('own'):.2f} nats against a Gaussian "
        f"reference, {reading.marginal.value:.2f} against pairs put together at random, which the "
        "estimate follows. The truth may be as far above it. Give more samples."
    ]


def about_missed(reading: Reading, value: float, missed: float, n_columns: int) -> list[str]:
    """Where critics plainly see less than there is; of one column and another, others tell."""
    if reading.marginal is not None or n_columns == 2 or missed < _MISSED * (_GAP + _GAP * value):
        return []
    why = "know more of the pairs that they were trained on than of others"
    if reading.unseen() > reading.untaught():
        why = "make too little use of curves in which columns depend on each other"
    return [
        f"The critics {why}: there may be up to {missed:.2f} nats more than the estimate of "
        f"{max(value, 0.0):.2f}. More samples or effort='high' may find more."
    ]


def about_read_outs(means: dict[str, float], estimate: float, bound: Bound, n: int) -> list[str]:
    """Where the estimate is near a ceiling, or another read-out of the critics differs."""
    findings, ceiling = [], bound.ceiling(n)
    if estimate > ceiling - _NEAR:
        findings.append(
            f"{type(bound).__name__} cannot report more than the logarithm of the number of "
            f"candidates, log {n} = {ceiling:.2f} nats, and reports {estimate:.2f}: the truth may "
            "be any larger. Use bound='jsd'."
        )
    gap = abs(means["jsd"] - means["smile"])
    # A capped bound leaves a constant free for each x, so that no other read-out fits its critics.
    if gap > _GAP + _GAP * abs(means["jsd"]) and means["jsd"] < _CLIP and not bound.capped:
        findings.append(
            f"Two read-outs of the critics disagree: jsd {means['jsd']:.2f} and smile "
            f"{means['smile']:.2f} nats. The dependence is not learned well; give more samples "
            "or effort='high'."
        )
    return findings

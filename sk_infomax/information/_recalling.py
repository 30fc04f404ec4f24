"""What was learned of pairs, again, from arrays and plain values that may come from any file."""

import math
from dataclasses import fields
from typing import Any

import numpy as np

from .._state import Memory, arrays_under, fact, fitting_array, load_arrays, require
from ._columns import Columns
from ._counts import CountRatio, Estimate
from ._cross_fitting import RatioTrainer
from ._encoding import EncodedModel, recall_encoding
from ._learned import ByCounts, ByCritics, Learned, layout_of

__all__ = ["recall"]

_MOST_PAIRS = 2**53  # that can be counted exactly in float64


def recall(memory: Memory, columns: tuple[Columns, Columns]) -> Learned:
    """What `Learned.remember` gave, as it was."""
    facts, arrays = memory.facts, memory.arrays
    said = _recall_said(facts)
    kind = fact(facts, "kind", str)
    require(kind in ("counts", "critics"), f"what was learned is of the kind {kind!r}")
    if kind == "counts":
        return ByCounts(columns, _recall_counts(arrays, facts, columns), *said)
    layout, encoding = layout_of(columns), None
    sizes = layout.numbers_x + len(layout.levels_x), layout.numbers_y + len(layout.levels_y)
    of_encoding = arrays_under(arrays, "encoding.")
    if of_encoding:
        encoding = recall_encoding(layout, of_encoding)
        sizes = encoding.widths
    require(fact(facts, "sizes", list) == list(sizes), "its columns do not fit its critic")
    trainer = _recall_trainer(facts, *sizes)
    model: Any = trainer.build(0)
    load_arrays(model, arrays_under(arrays, "model."))
    model = model.eval()
    return ByCritics(
        columns, trainer, model if encoding is None else EncodedModel(encoding, model), *said
    )


def _recall_said(facts: dict[str, Any]) -> tuple[Estimate, dict[str, float], list[str]]:
    """Estimate, bounds and findings, as `_said` gives them, checked."""
    estimate, bounds = fact(facts, "estimate", list), fact(facts, "bounds", dict)
    findings = fact(facts, "findings", list)
    require(len(estimate) == len(fields(Estimate)), "its estimate is incomplete")
    *numbers, finding = estimate
    sound = all(type(number) is float and number >= 0 for number in numbers)
    require(sound and type(finding) in (str, type(None)), "its estimate is none")
    require(all(type(one) is float for one in bounds.values()), "a bound is no number")
    require(all(type(one) is str for one in findings), "a finding is no text")
    value, low, high, error = numbers
    return Estimate(value, low, high, error, finding), bounds, findings


def _recall_counts(
    arrays: dict[str, np.ndarray], facts: dict[str, Any], columns: tuple[Columns, Columns]
) -> CountRatio:
    """The joint table, whose codes are those of the columns."""
    times = fitting_array(arrays, "times", (None,), "i")
    require(len(times) and (times > 0).all(), "pairs are counted as never seen")
    require(times.sum(dtype=float) < _MOST_PAIRS, "it counts more pairs than there can be")
    for name, known in zip("xy", columns):
        require(all(known.is_discrete), "a column that has an order is counted")
        codes = fitting_array(arrays, name, (len(times), len(known.parts)), "i")
        most = [len(part.levels) for part in known.parts]
        require((codes >= 0).all() and (codes < most).all(), "a code is that of no level")
    # Older files have rows that are independent.
    rows_of_unit = fact({"rows_of_unit": 1.0} | facts, "rows_of_unit", float, int)
    require(0 < rows_of_unit < math.inf, "its rows_of_unit is not above 0")
    return CountRatio.of_joint_counts(arrays, rows_of_unit)


def _recall_trainer(facts: dict[str, Any], size_x: int, size_y: int) -> RatioTrainer:
    """What makes the model, not what trains it."""
    parts = fact(facts, "parts", dict)
    require(parts.keys() == {"critic", "bound"}, "it has no critic or no bound")
    n_shifts = fact(facts, "n_shifts", int)
    require(n_shifts > 0, "its n_shifts is below 1")
    return RatioTrainer(
        parts["critic"],
        parts["bound"],
        base=fact(facts, "base", bool),
        size_x=size_x,
        size_y=size_y,
        n_shifts=n_shifts,
        max_steps=0,
        batch_size=2,
        device="cpu",
        seed=fact(facts, "seed", int),
        referred=fact(facts, "referred", bool),
    )

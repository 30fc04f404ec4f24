"""Information of two sides given a third: folds and pairs shared by both terms."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from scipy.spatial import cKDTree
from scipy.stats import norm

from .._columns._kinds import Column
from ._columns import Columns
from ._counts import Estimate, conditional_information, permutation_p_value
from ._following import FOLLOWS, one_follows
from ._learned import Settings, pairs_of, trainer_for
from ._models import INFINITE
from ._reading import Reading, read
from ._rows import Rows
from ._sides import Sides

__all__ = ["conditional_estimate", "conditional_p_value"]

_NEAREST = 7  # neighbours in z among which y is permuted; Runge 2018 has 5 to 10


def conditional_estimate(estimator, given: dict[str, list[Column]]) -> tuple[Estimate, list[str]]:
    """Estimate in nats for columns "X", "y" and "z", and what should be said of it."""
    known = {name: Columns(columns, argument=name) for name, columns in given.items()}
    settings = estimator._settings(len(given["X"][0]), Rows(estimator.block_length))
    if all(all(columns.is_discrete) for columns in known.values()):
        x, y, z = (known[name].codes(given[name]) for name in ("X", "y", "z"))
        rows_of_unit = settings.rows.rows_of_unit
        estimate = conditional_information(x, y, z, settings.level, rows_of_unit)
        return estimate, [] if estimate.finding is None else [estimate.finding]
    whole, part = (_read(given, names, settings) for names in (("y", "z"), ("z",)))
    estimate, findings = _difference(whole, part, settings), [*whole.findings, *part.findings]
    if INFINITE in whole.findings and INFINITE not in part.findings:
        return replace(estimate, high=math.inf), findings
    if _follows_beyond(given):
        return replace(estimate, high=math.inf), [*findings, FOLLOWS]
    return estimate, findings


def _follows_beyond(given: dict[str, list[Column]]) -> bool:
    """Whether y and z fix a column of X that z alone does not fix, nor all of y."""

    def follows(one: str, *others: str) -> bool:
        sides = Sides(given[one], [column for name in others for column in given[name]])
        return one_follows((Columns(sides.x), Columns(sides.y)), sides)

    return follows("X", "y", "z") and not follows("X", "z") and not follows("y", "z")


def conditional_p_value(estimator, given: dict[str, list[Column]], n_permutations: int) -> float:
    """Share of local permutations of y that tell as much about X given z as y itself."""
    known = {name: Columns(columns, argument=name) for name, columns in given.items()}
    settings = estimator._settings(len(given["X"][0]), Rows(estimator.block_length))
    if all(all(columns.is_discrete) for columns in known.values()):
        codes = {name: known[name].codes(given[name]) for name in given}
        return permutation_p_value(
            codes["X"], codes["y"], codes["z"], n_permutations, settings.seed
        )
    rng = np.random.RandomState(settings.seed)
    columns = known["X"], Columns([*given["y"], *given["z"]])
    sides = Sides(given["X"], [*given["y"], *given["z"]])
    pairs = pairs_of(columns, sides)
    trainer = trainer_for(columns, pairs, settings)
    draws = np.zeros(1 + n_permutations)
    for fold, model in trainer.fitted_to(pairs).held_out(pairs, settings.cv):
        near = _nearest(_coordinates(known["z"], given["z"])[fold])
        of_fold = sides.take(fold)
        for number in range(1 + n_permutations):
            order = _local_order(near, rng) if number else np.arange(len(fold))
            moved = [c.take(order) for c in of_fold.y[: len(given["y"])]]
            mixed = Sides(of_fold.x, [*moved, *of_fold.y[len(given["y"]) :]])
            draws[number] += model.log_ratio(pairs_of(columns, mixed)).sum()
    return float(np.mean(draws >= draws[0]))


def _read(given: dict[str, list[Column]], names: tuple[str, ...], settings: Settings) -> Reading:
    """What X and the columns of these names have in common."""
    sides = Sides(given["X"], [column for name in names for column in given[name]])
    columns = Columns(sides.x, argument="X"), Columns(sides.y, argument="y and z")
    pairs = pairs_of(columns, sides)
    trainer = trainer_for(columns, pairs, settings).fitted_to(pairs)
    return read(trainer, pairs, settings.cv, settings.verbose)


def _difference(whole: Reading, part: Reading, settings: Settings) -> Estimate:
    """The difference of two estimates whose critics were read on the same pairs."""
    (more_told, _, more_missed), (less_told, _, less_missed) = whole.settled(), part.settled()
    above, below = more_missed - less_missed, less_missed - more_missed
    value = more_told - less_told
    pointwise = whole.pointwise - part.pointwise
    n, (_, more), (_, less) = len(pointwise), whole.n_columns, part.n_columns
    error = math.hypot(
        settings.rows.error_of_mean(pointwise),
        whole.model_error(),
        part.model_error(),
        whole.hidden(more - less, n),
    )
    half = float(norm.ppf(0.5 + settings.level / 2)) * error
    low = max(0.0, value - half - max(0.0, below))
    high = max(0.0, value + half + max(0.0, above))
    return Estimate(max(0.0, value), low, high, error)


def _coordinates(known: Columns, columns: list[Column]) -> np.ndarray:
    """Numbers (n, d) in which rows of z are near: scores, indicators, and codes far apart."""
    codes = known.codes(columns, known.embedded).astype(float)
    return np.hstack([known.apply(columns), 1e3 * codes])


def _nearest(values: np.ndarray) -> np.ndarray:
    """The nearest rows (n, k) of each, itself among them."""
    k = min(_NEAREST, len(values))
    return cKDTree(values).query(values, k)[1].reshape(len(values), k)


def _local_order(near: np.ndarray, rng: np.random.RandomState) -> np.ndarray:
    """A permutation (n,) that gives each row one of its nearest, each row once where it can."""
    n, k = near.shape
    order, used = np.empty(n, dtype=np.int64), np.zeros(n, dtype=bool)
    for row in rng.permutation(n):
        choices = near[row][rng.permutation(k)]
        free = choices[~used[choices]]
        order[row] = free[0] if len(free) else choices[0]
        used[order[row]] = True
    return order

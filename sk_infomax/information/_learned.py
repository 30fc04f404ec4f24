"""What is learned of pairs: by counts where both sides are discrete, by critics elsewhere.

`Learned` is the protocol that the estimator knows; `learn` chooses who fulfils it. Where both
sides are discrete and their joint table is thin, both are asked: counts say how much the
information may be, critics how much of it can be shown on pairs they have not seen.
"""

from __future__ import annotations

import hashlib
import math
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from scipy.stats import norm

from .._columns._kinds import Column
from .._state import Memory, arrays_of
from ..bounds import BOUNDS, Bound
from ..critics import Critic
from ._beside import Beside
from ._columns import Columns, LearnedColumn
from ._counts import CountRatio, Estimate, entropy_ceiling, permutation_p_value
from ._cross_fitting import RatioTrainer
from ._encoding import EncodedModel, EncodedTrainer, PairLayout, are_wide
from ._findings import (
    ROWS_FOR_COLUMNS,
    about_missed,
    about_pairs,
    about_read_outs,
    about_reference,
    about_size,
)
from ._following import FOLLOWS, one_follows
from ._gaussian import overclaims
from ._models import INFINITE
from ._neighbours import (
    joined,
    single_pair_information,
    single_pair_p_value,
    within_bounds,
)
from ._reading import Reading, read
from ._rows import Rows
from ._shifts import Shifted
from ._sides import Sides
from ._trail import Trail

__all__ = [
    "ByCounts",
    "ByCritics",
    "Learned",
    "OwnFolds",
    "Settings",
    "learn",
    "p_value",
]


@dataclass(frozen=True)
class Settings:
    """What an estimator's parameters ask for, settled.

    Parameters
    ----------
    critic, bound : Critic, Bound
        What scores pairs, and what training maximises.
    base : bool
        Whether critics start from the Gaussian ratio.
    cv : int
        Folds.
    n_shifts : int
        How many others each x is paired with in a step.
    max_steps, batch_size : int
        Of training.
    pair_steps : int or None
        Steps where one column faces one and nearest neighbours answer; None as elsewhere.
    device : str
        Where to train.
    seed : int
        Of folds, weights and batches.
    level : float
        Of the interval.
    rows : Rows
        Which rows are independent of each other.
    verbose : int
        1 shows a bar in a terminal.
    for_reading : bool
        Whether a model is trained on all pairs too, which reads others; no estimate needs it.
    trail : Trail or None
        Keeps what was trained, of a fit.
    """

    critic: Critic
    bound: Bound
    base: bool
    cv: int
    n_shifts: int
    max_steps: int
    batch_size: int
    pair_steps: int | None
    device: str
    seed: int
    level: float
    rows: Rows
    verbose: int = 0
    for_reading: bool = True
    trail: Trail | None = None


_MOST_OF_PAIR_TEST = 3000  # pairs where 999 permutations of neighbours take as long as critics

_OF_CRITICS = (
    "critic",
    "bound",
    "base",
    "cv",
    "n_shifts",
    "max_steps",
    "batch_size",
    "device",
    "seed",
)
"""Settings that critics and folds depend on, beside which rows go together."""


class Learned(ABC):
    """What is known of the dependence of two sides.

    Attributes
    ----------
    estimate : Estimate
        Information in nats with its interval.
    bounds : dict of str to float
        What other read-outs say, in nats.
    findings : list of str
        What whoever asked should be told, each once.
    """

    estimate: Estimate
    bounds: dict[str, float]
    findings: list[str]

    @abstractmethod
    def log_ratio(self, sides: Sides) -> np.ndarray:
        """Pointwise information (n,) of pairs, in nats."""

    @property
    @abstractmethod
    def n_features_of_x(self) -> int:
        """How many numbers `features_of_x` gives."""

    @abstractmethod
    def features_of_x(self, x: list[Column]) -> np.ndarray:
        """What is computed of x alone to tell about y, (n, d)."""

    @abstractmethod
    def remember(self) -> Memory:
        """All that `recall` needs besides the columns."""


@dataclass
class OwnFolds:
    """The folds of some pairs, each with the critic of the others.

    Not among what is saved, since it is no good for other pairs.

    Parameters
    ----------
    key : bytes
        Of the pairs and of all that critics and folds depend on.
    seed : int
        Of folds and critics.
    models : list
        Rows and critic of each fold.
    """

    key: bytes
    seed: int
    models: list[tuple[np.ndarray, Any]]

    @classmethod
    def none_yet(cls, pairs: np.ndarray, settings: Settings) -> OwnFolds:
        """Of pairs and settings, without critics."""
        return cls(_key_of(pairs, settings), settings.seed, [])

    def held_out_of(
        self, pairs: np.ndarray, settings: Settings
    ) -> list[tuple[np.ndarray, Any]] | None:
        """As `RatioTrainer.held_out`; None for other pairs or settings."""
        return self.models if self.key == _key_of(pairs, settings) else None


def _key_of(pairs: np.ndarray, settings: Settings) -> bytes:
    """A number that other pairs or settings do not have."""
    units = settings.rows.units(len(pairs))
    said = [repr(getattr(settings, name)) for name in _OF_CRITICS]
    found = hashlib.sha256(" ".join([str(pairs.shape), *said]).encode())
    for array in (pairs, units):
        found.update(np.ascontiguousarray(array).data)
    return found.digest()


@dataclass
class ByCounts(Learned):
    """From the joint table of two discrete sides."""

    columns: tuple[Columns, Columns]
    ratio: CountRatio
    estimate: Estimate
    bounds: dict[str, float]
    findings: list[str] = field(default_factory=list)

    @classmethod
    def learn(cls, columns: tuple[Columns, Columns], sides: Sides, settings: Settings) -> ByCounts:
        """Count the pairs."""
        x, y = (known.codes(side) for known, side in zip(columns, sides))
        ratio = CountRatio(x, y, settings.rows.rows_of_unit)
        estimate = ratio.estimate(settings.level)
        findings = [] if estimate.finding is None else [estimate.finding]
        return cls(columns, ratio, estimate, {"plug-in": ratio.table.plug_in()}, findings)

    def log_ratio(self, sides: Sides) -> np.ndarray:
        """Of the counts, shrunk by what they can know."""
        codes = (known.codes(side) for known, side in zip(self.columns, sides))
        return self.ratio.log_ratio(*codes)

    @property
    def n_features_of_x(self) -> int:
        """One for each of the most frequent rows of y."""
        return self.ratio.n_profiles

    def features_of_x(self, x: list[Column]) -> np.ndarray:
        """What each level of x makes more likely: the log ratio with each frequent row of y."""
        return self.ratio.profiles(self.columns[0].codes(x))

    def remember(self) -> Memory:
        """The joint table, each kind of pair once."""
        facts = {"kind": "counts", "rows_of_unit": self.ratio.rows_of_unit, **_said(self)}
        return Memory(self.ratio.joint_counts(), facts)


@dataclass
class ByCritics(Learned):
    """From critics that were trained on all folds but one and read on that one."""

    columns: tuple[Columns, Columns]
    trainer: RatioTrainer
    model: Any
    estimate: Estimate
    bounds: dict[str, float]
    findings: list[str] = field(default_factory=list)
    reading: Reading | None = None
    folds: OwnFolds | None = None

    @classmethod
    def learn(cls, columns: tuple[Columns, Columns], sides: Sides, settings: Settings) -> ByCritics:
        """Read each fold with the model of the others; then train on all."""
        pairs = pairs_of(columns, sides)
        if settings.trail is not None:
            settings.trail.begin(pairs, settings.rows, settings.cv)
        trainer = trainer_for(columns, pairs, settings).fitted_to(pairs)
        neighbours = _told_by_neighbours(columns, sides, settings)
        few = settings.pair_steps if neighbours is not None else None
        in_folds = trainer if few is None else replace(trainer, max_steps=few)
        folds = OwnFolds.none_yet(pairs, replace(settings, max_steps=in_folds.max_steps))
        reading = read(in_folds, pairs, settings.cv, settings.verbose, folds.models)
        means = {name: reading.mean(name) for name in ("plug-in", *BOUNDS)}
        value, error, missed = reading.settled()
        estimate = _interval(value, error, settings.level)
        estimate = replace(estimate, high=estimate.high + missed)
        if len(pairs) < ROWS_FOR_COLUMNS * sum(reading.n_columns) or INFINITE in reading.findings:
            estimate = replace(estimate, high=math.inf)
        if value > reading.most_shown:
            estimate = replace(estimate, low=min(estimate.low, reading.most_shown), high=math.inf)
        ceiling = _ceiling(columns, sides, settings.level)
        findings = [
            *about_pairs(pairs),
            *(one for one in reading.findings if one != INFINITE or math.isinf(ceiling)),
            *about_size(min(value, ceiling), reading.most_shown),
            *about_reference(reading, value, missed),
            *about_missed(reading, value, missed, len(sides.x) + len(sides.y)),
        ]
        if neighbours is None:  # else critics are not what the estimate rests on
            findings += about_read_outs(means, value, trainer.bound, reading.n_candidates)
        learned = cls(columns, trainer, None, estimate, means, findings, reading, folds)
        if neighbours is not None:
            learned._weigh_in(neighbours, reading, settings.level)
        learned._ask_beside(sides, pairs, settings)
        learned._look_for_functions(sides)
        learned.estimate = within_bounds(learned.estimate, ceiling)
        if settings.for_reading:
            learned.model = trainer.train(pairs, settings.cv)
        return learned

    def _weigh_in(self, neighbours: Estimate, reading: Reading, level: float) -> None:
        """Join what critics were read to say with what nearest neighbours say."""
        self.bounds["neighbours"] = neighbours.value
        told = _interval(*reading.joined_with(neighbours.value), level)
        self.estimate = replace(told, high=max(told.high, neighbours.high))

    def _ask_beside(self, sides: Sides, pairs: np.ndarray, settings: Settings) -> None:
        """Weigh in what models of few assumptions say."""
        missed = 0.0 if self.reading is None else self.reading.settled()[2]
        asked = Beside(self.columns, sides, pairs, self.trainer, settings.cv, missed)
        for name, told, missed in asked.told(lambda: self.estimate.value):
            self._join(name, told, settings.level)
            self.estimate = replace(self.estimate, high=self.estimate.high + missed)

    def _join(self, name: str, told: Shifted, level: float) -> None:
        """Weigh in what a model of few assumptions says, if it says anything."""
        if math.isfinite(told.error):
            self.bounds[name] = float(told.value)
            both = joined(told, self.estimate, 0.0, level, together=True)
            value, low, high = (max(0.0, v) for v in (both.value, both.low, both.high))
            self.estimate = replace(both, value=value, low=low, high=high)

    def _look_for_functions(self, sides: Sides) -> None:
        """Where a column follows from those of the other side, no interval ends."""
        if one_follows(self.columns, sides):
            self.findings = [FOLLOWS, *(one for one in self.findings if one != INFINITE)]
            self.estimate = replace(self.estimate, high=math.inf)

    def log_ratio(self, sides: Sides) -> np.ndarray:
        """As the model that was trained on all pairs has it."""
        return self.model.log_ratio(pairs_of(self.columns, sides))

    @property
    def n_features_of_x(self) -> int:
        """Canonical variates, and the width of the critic's side."""
        known = self.columns[0]
        sides = self.model.side_of_x(np.zeros((2, known.width + len(known.embedded))))
        return sum(side.shape[1] for side in sides)

    def features_of_x(self, x: list[Column]) -> np.ndarray:
        """Canonical variates of x with y, then the critic's side of x."""
        with torch.inference_mode():
            return torch.cat(
                self.model.side_of_x(_numbers_and_codes(self.columns[0], x)), 1
            ).numpy()

    def remember(self) -> Memory:
        """Weights and encoding; the settings that the networks are made of."""
        arrays: dict[str, np.ndarray] = {}
        sizes = self.trainer.size_x, self.trainer.size_y
        model = self.model
        if isinstance(model, EncodedModel):
            arrays |= {f"encoding.{name}": a for name, a in model.encoding.arrays().items()}
            sizes, model = model.encoding.widths, model.model
        arrays |= {f"model.{name}": array for name, array in arrays_of(model).items()}
        facts = {
            "kind": "critics",
            "parts": {"critic": self.trainer.critic, "bound": self.trainer.bound},
            "base": model.base is not None,
            "referred": self.trainer.referred,
            "n_shifts": self.trainer.n_shifts,
            "sizes": list(sizes),
            "seed": self.trainer.seed,
            **_said(self),
        }
        return Memory(arrays, facts)


def learn(columns: tuple[Columns, Columns], sides: Sides, settings: Settings) -> Learned:
    """Learn of pairs what there is to learn, by the means that fit the columns."""
    if any(part.is_constant for known in columns for part in known.parts):
        # A side of one value, since others are left out: critics have nothing to learn.
        settings = replace(settings, max_steps=0, pair_steps=0)
    if not _all_discrete(columns):
        return ByCritics.learn(columns, sides, settings)
    counted = ByCounts.learn(columns, sides, settings)
    if not counted.findings or len(sides.x) + len(sides.y) == 2:
        return counted
    # Two looks at the pairs: each has half of what may go wrong.
    narrow = replace(settings, level=0.5 + settings.level / 2)
    shown = ByCritics.learn(columns, sides, narrow)
    above = ByCounts.learn(columns, sides, narrow)
    shown.estimate = _both(shown.estimate, above.estimate)
    shown.findings = [*shown.findings, *above.findings]
    return shown


def _single_pair(
    columns: tuple[Columns, Columns], sides: Sides, rows: Rows
) -> tuple[Column, LearnedColumn, Column, LearnedColumn] | None:
    """Each column, and what is known of it, where one faces one, row by row on its own."""
    if len(sides.x) + len(sides.y) > 2 or not rows.independent:
        return None
    of_x, of_y = (known.parts[0] for known in columns)
    return sides.x[0], of_x, sides.y[0], of_y


def _told_by_neighbours(
    columns: tuple[Columns, Columns], sides: Sides, settings: Settings
) -> Estimate | None:
    """What nearest neighbours say where one column faces one; None where they can't tell."""
    pair = _single_pair(columns, sides, settings.rows)
    one = None if pair is None else single_pair_information(*pair, settings.level)
    return one if one is not None and math.isfinite(one.high) else None


def p_value(
    columns: tuple[Columns, Columns],
    sides: Sides,
    settings: Settings,
    n_permutations: int,
    known: OwnFolds | None = None,
) -> float:
    """Share of permutations whose information is as large as that of the pairs.

    Of one column and another, unless pairs are many, it is nearest neighbours that see it; else
    critics. The models of the folds are those `known`, if they are of the same pairs and settings.
    """
    rng = np.random.RandomState(settings.seed)
    if _all_discrete(columns) and not _thin(columns, sides, settings):
        x, y = (known.codes(side) for known, side in zip(columns, sides))
        orders = settings.rows.orders(len(x), n_permutations, rng)
        return permutation_p_value(x, y, orders=orders)
    pair = _single_pair(columns, sides, settings.rows)
    if pair is not None and len(sides.x[0]) <= _MOST_OF_PAIR_TEST:
        seed = settings.seed
        return single_pair_p_value(*pair, n_permutations, random_state=seed, exact=True)
    pairs = pairs_of(columns, sides)
    folds: Iterable[tuple[np.ndarray, Any]] | None = None
    if known is not None:
        folds = known.held_out_of(pairs, settings)
    if folds is None:
        trainer = trainer_for(columns, pairs, settings).fitted_to(pairs)
        folds = trainer.held_out(pairs, settings.cv)
    draws: np.ndarray = np.zeros(1 + n_permutations)
    for fold, model in folds:
        orders = settings.rows.orders(len(fold), n_permutations, rng)
        draws += model.untamed().permuted_sums(pairs[fold], orders)
    return float(np.mean(draws >= draws[0]))


def pairs_of(columns: tuple[Columns, Columns], sides: Sides) -> np.ndarray:
    """Numbers of both sides, each followed by its codes, (n, ...)."""
    sizes = [known.width + len(known.embedded) for known in columns]
    found = np.empty((len(sides.x[0]), sum(sizes)))
    for known, side, part in zip(columns, sides, np.split(found, sizes[:1], axis=1)):
        part[:, : known.width] = known.apply(side)
        part[:, known.width :] = known.codes(side, known.embedded)
    return found


def layout_of(columns: tuple[Columns, Columns]) -> PairLayout:
    """Where numbers and codes stand in `pairs_of`."""
    x, y = columns
    levels = [tuple(len(known.counts(i)) for i in known.embedded) for known in columns]
    return PairLayout(x.width, levels[0], y.width, levels[1])


def trainer_for(
    columns: tuple[Columns, Columns], pairs: np.ndarray, settings: Settings
) -> RatioTrainer:
    """What trains critics of such columns, for `pairs_of` them."""
    layout = layout_of(columns)
    numbers = layout.split(pairs)[::2]
    indicators = any(p.is_discrete and not p.is_embedded for known in columns for p in known.parts)
    plain = RatioTrainer(
        settings.critic,
        settings.bound,
        base=settings.base and not indicators,
        size_x=layout.numbers_x + len(layout.levels_x),
        size_y=layout.numbers_y + len(layout.levels_y),
        n_shifts=settings.n_shifts,
        max_steps=settings.max_steps,
        batch_size=settings.batch_size,
        device=settings.device,
        seed=settings.seed,
        rows=settings.rows,
        trail=settings.trail,
    )
    if layout.levels_x or layout.levels_y or are_wide(*numbers):
        return EncodedTrainer.around(plain, layout)
    curved = plain.fitted_to(pairs).referred and overclaims(*numbers)
    return EncodedTrainer.around(plain, layout, curved) if curved else plain


def _numbers_and_codes(known: Columns, side: list[Column]) -> np.ndarray:
    return np.hstack([known.apply(side), known.codes(side, known.embedded)])


def _all_discrete(columns: tuple[Columns, Columns]) -> bool:
    return all(all(known.is_discrete) for known in columns)


def _thin(columns: tuple[Columns, Columns], sides: Sides, settings: Settings) -> bool:
    """Whether the joint table of several discrete columns tells too little."""
    if len(sides.x) + len(sides.y) == 2:
        return False
    return bool(ByCounts.learn(columns, sides, settings).findings)


def _ceiling(columns: tuple[Columns, Columns], sides: Sides, level: float) -> float:
    """Most that the entropy of a discrete side allows, with its chance; infinite for others."""
    ends = [
        entropy_ceiling(known.codes(side), level)
        for known, side in zip(columns, sides)
        if all(known.is_discrete)
    ]
    return min(ends, default=math.inf)


def _interval(value: float, error: float, level: float) -> Estimate:
    """An estimate and its error, at least 0."""
    half = float(norm.ppf(0.5 + level / 2)) * error
    ends = (max(0.0, value - half), max(0.0, value + half))
    return Estimate(max(0.0, float(value)), *ends, float(error))


def _both(shown: Estimate, counted: Estimate) -> Estimate:
    """What critics can show from below, what counts can't exclude from above."""
    low = min(max(shown.low, counted.low), counted.high)
    high = max(counted.high, low)
    value = min(max(shown.value, low), high)
    return Estimate(value, low, high, counted.standard_error, counted.finding)


def _said(learned: Learned) -> dict[str, Any]:
    """Estimate, bounds and findings as plain values."""
    one = learned.estimate
    numbers = (one.value, one.low, one.high, one.standard_error)
    return {
        "estimate": [*map(float, numbers), one.finding],
        "bounds": {name: float(value) for name, value in learned.bounds.items()},
        "findings": list(learned.findings),
    }

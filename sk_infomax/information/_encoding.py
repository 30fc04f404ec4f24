"""What critics read of wide sides and of columns of many levels: few numbers.

Many or collinear columns are read by the canonical variates that hold on other pairs, and by their
leading principal components. A level is told by the
shrunk means of the other side's numbers over the rows that have it (empirical Bayes, as
scikit-learn's `TargetEncoder`), in the few directions in which levels differ most: the closed form
of an embedding. Rows that a critic is trained on are encoded by the means of other rows, so that
nothing is read back that was put in.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from torch import Tensor

from .._state import fitting_array, require
from ._cross_fitting import RatioTrainer
from ._gaussian import SharedDirections, gaussian_information
from ._models import HeldOut, RatioModel

__all__ = ["EncodedModel", "EncodedTrainer", "PairLayout", "are_wide", "recall_encoding"]

_FOLDS = 5  # of the rows that means are taken over, as in scikit-learn's TargetEncoder
_DIRECTIONS = 16  # of the means of a column of levels, at most: as wide as critics read well (rule)
_INDICATORS = 20  # most frequent levels that stand for a column where there are no numbers: a rule
_FEW_COLUMNS = 32  # columns of a side that critics read as they are (25 in the 33 tasks)
_VARIATES = 16  # canonical variates beside those of the Gaussian ratio that critics read; a rule
_PRINCIPAL = 32  # leading principal components of a side that critics read; a rule
_EASY_COLUMNS = 20  # of both sides, which any number of rows can bear; a rule
_ROWS_FOR_EACH_COMPONENT = 20  # that nothing is known of but its spread; a rule
_ROWS_FOR_EACH = 10  # rows for each column: 500 of 25 + 25, the hardest of which it was enough
_CONSTANT = 1e-12  # spread of normal scores that is rounding: other pairs may have another value
_LEAST_SPREAD = 1e-6  # share of the largest variance under which a component only repeats others
_LEAST_SHRINKAGE = 0.5  # rows that the common mean is worth at least: levels never differ for sure
_MOST_SHRINKAGE = 1e6  # and at most, where levels do not differ


@dataclass(frozen=True)
class PairLayout:
    """Where numbers and codes of both sides stand in an array of pairs.

    Parameters
    ----------
    numbers_x, numbers_y : int
        Numbers of a side.
    levels_x, levels_y : tuple of int
        For each column of codes of a side, how many levels it has.
    """

    numbers_x: int
    levels_x: tuple[int, ...]
    numbers_y: int
    levels_y: tuple[int, ...]

    def split(self, pairs: np.ndarray) -> tuple[np.ndarray, ...]:
        """Numbers and codes of x, numbers and codes of y: (n, ...) each."""
        widths = (self.numbers_x, len(self.levels_x), self.numbers_y, len(self.levels_y))
        numbers_x, codes_x, numbers_y, codes_y = np.split(pairs, np.cumsum(widths)[:-1], axis=1)
        return numbers_x, codes_x.astype(np.int64), numbers_y, codes_y.astype(np.int64)


@dataclass(frozen=True)
class _LevelMeans:
    """Shrunk means (levels + 1, r) of one column of codes; zeros for a level not seen."""

    means: np.ndarray
    turn: np.ndarray  # (targets, r) to the directions in which levels differ, each of spread 1

    @classmethod
    def learn(cls, codes: np.ndarray, targets: np.ndarray, n_levels: int) -> _LevelMeans:
        """From codes (n,) and targets (n, t) of mean 0."""
        sums, counts = _sums(codes, targets, n_levels)
        means = _shrunk(sums, counts, _shrinkage(codes, targets, sums, counts))
        _, spreads, axes = np.linalg.svd(means * np.sqrt(counts)[:, None], full_matrices=False)
        spreads = spreads / np.sqrt(max(counts.sum(), 1.0))
        kept = (spreads > 1e-9 * max(spreads.max(initial=0.0), 1e-9)).nonzero()[0][:_DIRECTIONS]
        turn = axes[kept].T / spreads[kept]
        return cls(means @ turn, turn)

    def of_other_rows(self, codes: np.ndarray, targets: np.ndarray, rng) -> np.ndarray:
        """Each row (n, r) by the means over the folds that it is not in."""
        n_levels = len(self.means) - 1
        fold, out = rng.permutation(len(codes)) % _FOLDS, np.empty((len(codes), self.turn.shape[1]))
        for number in range(_FOLDS):
            rest = fold != number
            sums, counts = _sums(codes[rest], targets[rest], n_levels)
            shrinkage = _shrinkage(codes[rest], targets[rest], sums, counts)
            means = _shrunk(sums, counts, shrinkage) @ self.turn
            out[~rest] = means[codes[~rest]]
        return out


def _sums(codes: np.ndarray, targets: np.ndarray, n_levels: int) -> tuple[np.ndarray, np.ndarray]:
    """Sums (levels + 1, t) and counts (levels + 1,); the last is for levels not seen."""
    sums = np.zeros((n_levels + 1, targets.shape[1]))
    np.add.at(sums, codes, targets)
    return sums, np.bincount(codes, minlength=n_levels + 1).astype(float)


def _shrinkage(codes, targets, sums, counts) -> np.ndarray:
    """Rows (t,) that the common mean is worth: variance within levels over that between them."""
    filled = counts > 0
    n, k = counts.sum(), filled.sum()
    means = sums[filled] / counts[filled, None]
    within = ((targets - (sums / counts.clip(min=1)[:, None])[codes]) ** 2).sum(0) / max(n - k, 1)
    effective = (n - (counts**2).sum() / max(n, 1)) / max(k - 1, 1)
    between = (counts[filled, None] * (means - targets.mean(0)) ** 2).sum(0) / max(k - 1, 1)
    between = (between - within) / max(effective, 1e-12)
    if n <= k:  # nothing repeats, so nothing is known
        return np.full(targets.shape[1], _MOST_SHRINKAGE)
    ratio = within / between.clip(min=1e-12)
    return np.where(between > 0, ratio, _MOST_SHRINKAGE).clip(_LEAST_SHRINKAGE, _MOST_SHRINKAGE)


def _shrunk(sums: np.ndarray, counts: np.ndarray, shrinkage: np.ndarray) -> np.ndarray:
    return sums / (counts[:, None] + shrinkage)


def _targets(numbers: np.ndarray, codes: np.ndarray, levels: tuple[int, ...]) -> np.ndarray:
    """What levels of the other side are told by: numbers and their squares (n, t), centred.

    Where a side has levels alone, indicators of the most frequent ones.
    """
    if numbers.shape[1]:
        values = np.hstack([numbers, numbers**2])
    else:
        hits = [
            column[:, None] == np.bincount(column, minlength=n).argsort()[::-1][:_INDICATORS]
            for column, n in zip(codes.T, levels)
        ]
        values = np.hstack(hits).astype(float)
    return values - values.mean(0)


@dataclass(frozen=True)
class _Components:
    """Directions of numbers (n, d) that critics read."""

    centre: np.ndarray  # (d,)
    axes: np.ndarray  # (d, r)

    @classmethod
    def principal(cls, numbers: np.ndarray, most: int) -> _Components:
        """Leading principal components that have spread; the columns as they are where all do."""
        d = numbers.shape[1]
        if d <= most and _rank(numbers) == d:
            return cls(np.zeros(d), np.eye(d))
        centre = numbers.mean(0)
        _, spreads, axes = np.linalg.svd(numbers - centre, full_matrices=False)
        kept = spreads**2 > _LEAST_SPREAD * max(spreads.max(initial=0.0) ** 2, 1e-300)
        return cls(centre, axes[kept][:most].T)

    @classmethod
    def beside(cls, numbers: np.ndarray, directions: np.ndarray) -> _Components:
        """Directions (d, k); and components of variance 1 where there is more than these tell."""
        centre = numbers.mean(0)
        if _rank(numbers) <= directions.shape[1]:
            return cls(centre, directions)
        axes = cls.principal(numbers, _PRINCIPAL).axes
        spread = ((numbers - centre) @ axes).std(0)
        spread[spread < _CONSTANT] = 1.0
        return cls(centre, np.hstack([directions, axes / spread]))

    def apply(self, numbers: np.ndarray) -> np.ndarray:
        """Components (n, r) of numbers (n, d)."""
        return (numbers - self.centre) @ self.axes


def are_wide(x: np.ndarray, y: np.ndarray) -> bool:
    """Whether columns (n, dx) and (n, dy) are many, or some of a side repeat others of it."""
    n, sizes = len(x), (x.shape[1], y.shape[1])
    if max(sizes) > _FEW_COLUMNS or sum(sizes) > max(_EASY_COLUMNS, n / _ROWS_FOR_EACH):
        return True
    return _rank(x) + _rank(y) < sum(sizes)


def _rank(numbers: np.ndarray) -> int:
    """Number of components of (n, d) that have spread."""
    n, d = numbers.shape
    if d < 2 or n < 2:
        return d
    values = np.linalg.eigvalsh(np.cov(numbers, rowvar=False))
    return int((values > _LEAST_SPREAD * values[-1]).sum())


@dataclass(frozen=True)
class _Encoding:
    """What is known of the columns of both sides that are not read as they are."""

    layout: PairLayout
    components: tuple[_Components, _Components]
    of_x: tuple[_LevelMeans, ...]
    of_y: tuple[_LevelMeans, ...]
    shared: SharedDirections | None = None

    @classmethod
    def learn(
        cls, layout: PairLayout, pairs: np.ndarray, folds: list[np.ndarray] | None = None
    ) -> _Encoding:
        """From pairs; with folds, sides are wide and told by what they share on other folds."""
        numbers_x, codes_x, numbers_y, codes_y = layout.split(pairs)
        sides = (
            (codes_x, layout.levels_x, _targets(numbers_y, codes_y, layout.levels_y)),
            (codes_y, layout.levels_y, _targets(numbers_x, codes_x, layout.levels_x)),
        )
        of_x, of_y = (
            tuple(_LevelMeans.learn(c, targets, n) for c, n in zip(codes.T, levels))
            for codes, levels, targets in sides
        )
        if folds is None:
            most = max(_FEW_COLUMNS, len(pairs) // _ROWS_FOR_EACH_COMPONENT)
            narrow = (_Components.principal(numbers, most) for numbers in (numbers_x, numbers_y))
            return cls(layout, tuple(narrow), of_x, of_y)  # type: ignore[arg-type]
        centred = numbers_x - numbers_x.mean(0), numbers_y - numbers_y.mean(0)
        shared = SharedDirections.learn(*centred, folds).leading(_VARIATES)
        components = (
            _Components.beside(numbers_x, shared.to_x),
            _Components.beside(numbers_y, shared.to_y),
        )
        return cls(layout, components, of_x, of_y, shared)

    @property
    def widths(self) -> tuple[int, int]:
        """How many numbers each side has, encoded."""
        x, y = (sum(m.turn.shape[1] for m in side) for side in (self.of_x, self.of_y))
        narrow_x, narrow_y = (components.axes.shape[1] for components in self.components)
        return narrow_x + x, narrow_y + y

    def apply(self, pairs: np.ndarray) -> np.ndarray:
        """Pairs that were not learned from, as numbers."""
        numbers_x, codes_x, numbers_y, codes_y = self.layout.split(pairs)
        x = [means.means[codes] for means, codes in zip(self.of_x, codes_x.T)]
        y = [means.means[codes] for means, codes in zip(self.of_y, codes_y.T)]
        narrow = self.components
        return np.hstack([narrow[0].apply(numbers_x), *x, narrow[1].apply(numbers_y), *y])

    def apply_to_x(self, x: np.ndarray) -> np.ndarray:
        """Numbers and codes of x alone, as numbers."""
        numbers, codes = np.split(x, [self.layout.numbers_x], axis=1)
        encoded = zip(self.of_x, codes.astype(np.int64).T)
        levels = (means.means[code] for means, code in encoded)
        return np.hstack([self.components[0].apply(numbers), *levels])

    def arrays(self) -> dict[str, np.ndarray]:
        """All that was learned, by name."""
        found: dict[str, np.ndarray] = {}
        for side, components in zip("xy", self.components):
            found |= {f"{side}.centre": components.centre, f"{side}.axes": components.axes}
        for side, of_side in (("x", self.of_x), ("y", self.of_y)):
            for number, known in enumerate(of_side):
                found[f"{side}.{number}.means"] = known.means
                found[f"{side}.{number}.turn"] = known.turn
        return found

    def apply_to_own(self, pairs: np.ndarray, seed: int) -> np.ndarray:
        """Pairs that were learned from, as numbers: each by the means of other rows."""
        rng = np.random.RandomState(seed)
        numbers_x, codes_x, numbers_y, codes_y = self.layout.split(pairs)
        targets_x = _targets(numbers_y, codes_y, self.layout.levels_y)
        targets_y = _targets(numbers_x, codes_x, self.layout.levels_x)
        x = [m.of_other_rows(codes, targets_x, rng) for m, codes in zip(self.of_x, codes_x.T)]
        y = [m.of_other_rows(codes, targets_y, rng) for m, codes in zip(self.of_y, codes_y.T)]
        narrow_x = self.components[0].apply(numbers_x)
        narrow_y = self.components[1].apply(numbers_y)
        if self.shared is not None:
            narrow_x[:, : len(self.shared.correlations)] = self.shared.own_x
            narrow_y[:, : len(self.shared.correlations)] = self.shared.own_y
        return np.hstack([narrow_x, *x, narrow_y, *y])


def recall_encoding(layout: PairLayout, arrays: dict[str, np.ndarray]) -> _Encoding:
    """The encoding whose `arrays` these are, checked."""
    sides = [
        tuple(
            _LevelMeans(
                fitting_array(arrays, f"{side}.{number}.means", (n + 1, None)),
                fitting_array(arrays, f"{side}.{number}.turn", (None, None)),
            )
            for number, n in enumerate(levels)
        )
        for side, levels in (("x", layout.levels_x), ("y", layout.levels_y))
    ]
    for known in (*sides[0], *sides[1]):
        require(known.means.shape[1] == known.turn.shape[1], "means of levels do not fit")
    components = (
        _Components(
            fitting_array(arrays, f"{side}.centre", (n,)),
            fitting_array(arrays, f"{side}.axes", (n, None)),
        )
        for side, n in (("x", layout.numbers_x), ("y", layout.numbers_y))
    )
    return _Encoding(layout, tuple(components), *sides)  # type: ignore[arg-type]


_NOTHING = PairLayout(0, (), 0, ())
_FIELDS = tuple(RatioTrainer.__dataclass_fields__)


class EncodedModel:
    """A model of the log ratio of encoded pairs, which encodes what it reads.

    Parameters
    ----------
    encoding : _Encoding
        Learned with the model.
    model : RatioModel
        Of numbers.
    """

    def __init__(self, encoding: _Encoding, model: RatioModel):
        self.encoding = encoding
        self.model = model

    def log_ratio(self, pairs: np.ndarray) -> np.ndarray:
        """Pointwise information (n,) of pairs, in nats."""
        return self.model.log_ratio(self.encoding.apply(pairs))

    def base_ratio(self, pairs: np.ndarray) -> np.ndarray:
        """What the Gaussian ratio alone says (n,) of pairs."""
        return self.model.base_ratio(self.encoding.apply(pairs))

    @property
    def base_is_whole(self) -> bool:
        """Whether the Gaussian ratio counts all variates that hold on other pairs."""
        return self.encoding.shared is not None and self.encoding.shared.whole

    @property
    def learned(self) -> float:
        """As in `RatioModel`."""
        return self.model.learned

    @property
    def findings(self) -> list[str]:
        """What training found that should be said."""
        return self.model.findings

    def read(self, pairs: np.ndarray) -> HeldOut:
        """As `RatioModel.read`."""
        return self.model.read(self.encoding.apply(pairs))

    def side_of_x(self, x: np.ndarray) -> tuple[Tensor, ...]:
        """As `RatioModel.side_of_x`, of numbers and codes (n, ...)."""
        return self.model.side_of_x(self.encoding.apply_to_x(x))

    def untamed(self) -> EncodedModel:
        """As `RatioModel.untamed`."""
        return EncodedModel(self.encoding, self.model.untamed())

    def permuted_sums(self, pairs: np.ndarray, orders) -> np.ndarray:
        """As `RatioModel.permuted_sums`."""
        return self.model.permuted_sums(self.encoding.apply(pairs), orders)


@dataclass(frozen=True)
class EncodedTrainer(RatioTrainer):
    """Trains models of pairs whose sides are wide or have columns of many levels.

    Parameters
    ----------
    layout : PairLayout
        Where the codes are; `size_x` and `size_y` count what is there before they are encoded.
    curved : bool
        Whether the Gaussian ratio of all columns overclaims, however few they are.
    """

    layout: PairLayout = _NOTHING
    curved: bool = False

    @classmethod
    def around(
        cls, trainer: RatioTrainer, layout: PairLayout, curved: bool = False
    ) -> EncodedTrainer:
        """One that encodes pairs of this layout and trains as another does."""
        settings = {name: getattr(trainer, name) for name in _FIELDS}
        return cls(**settings, layout=layout, curved=curved)

    def fitted_to(self, pairs: np.ndarray) -> EncodedTrainer:
        """The same: a reference would have to know all columns, not what critics read of them."""
        return self

    def gaussian(self, pairs: np.ndarray) -> float:
        """Gaussian information in nats; nan where it is none of the pairs' own.

        That is where there are levels or repeated columns, or where it overclaims.
        """
        numbers_x, codes_x, numbers_y, codes_y = self.layout.split(pairs)
        sizes = numbers_x.shape[1], numbers_y.shape[1]
        n_codes = codes_x.shape[1] + codes_y.shape[1]
        if self.curved or n_codes or self.n_columns(pairs) != sizes:
            return math.nan
        return gaussian_information(numbers_x, numbers_y)

    def curvature(self, pairs: np.ndarray) -> tuple[float, float]:
        """None that is known: what is read was chosen for what it tells of the other side."""
        return 0.0, 0.0

    def n_columns(self, pairs: np.ndarray) -> tuple[int, int]:
        """Columns of each side that do not repeat others; all, where there are indicators."""
        if not self.base:
            return self.size_x, self.size_y
        numbers_x, codes_x, numbers_y, codes_y = self.layout.split(pairs)
        return _rank(numbers_x) + codes_x.shape[1], _rank(numbers_y) + codes_y.shape[1]

    def train(self, pairs: np.ndarray, number: int) -> EncodedModel:  # type: ignore[override]
        """A model trained on pairs, and the encoding that it needs."""
        seed = self.seed + number
        encoding = _Encoding.learn(self.layout, pairs, self._folds(pairs, seed))
        size_x, size_y = encoding.widths
        plain = RatioTrainer(**{name: getattr(self, name) for name in _FIELDS})
        plain = replace(plain, size_x=size_x, size_y=size_y)
        if encoding.shared is not None:
            plain = replace(plain, correlations=tuple(encoding.shared.correlations))
        return EncodedModel(encoding, plain.train(encoding.apply_to_own(pairs, seed), number))

    def _folds(self, pairs: np.ndarray, seed: int) -> list[np.ndarray] | None:
        """Rows that are held out in turn where directions are sought: of wide sides of numbers."""
        numbers_x, _, numbers_y, _ = self.layout.split(pairs)
        has_both = min(numbers_x.shape[1], numbers_y.shape[1]) > 0
        if not (self.base and has_both and (self.curved or are_wide(numbers_x, numbers_y))):
            return None
        rows = np.arange(len(pairs))
        if self.rows.independent:
            rows = np.random.RandomState(seed).permutation(len(pairs))
        return np.array_split(rows, min(_FOLDS, len(rows)))

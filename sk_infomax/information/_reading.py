"""What held-out critics say of pairs: the read-outs, the estimate, and its error."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from .._shown import Progress
from ..bounds import BOUNDS, Bound
from ._columns import normal_scores
from ._cross_fitting import RatioTrainer
from ._marginals import Marginal, middle_of
from ._models import nats_of
from ._rows import INDEPENDENT, Rows

__all__ = ["Reading", "read"]

_MISSED = 0.05  # share of what critics found beyond the Gaussian ratio that they missed (33 tasks)
_UNTAUGHT = 3.0  # times what critics know by heart, that they missed: 1 to 4 (waves, parities)
_UNSEEN = 3.0  # times the curvature that is not used, that is missed: 1 to 6 (couplings, edges)
_ROWS_FOR_EXCHANGE = 10  # rows for each column: 500 of 25 + 25, the hardest that held 95 %
_HIDDEN = 3.0  # nats for each column and sample that few samples hide (33 tasks, n = 500 to 10,000)
_NOISE_OF_NEIGHBOURS = 0.7  # nats times the root of n, the spread of KSG at k = 5 (1 + 1 columns)


@dataclass(frozen=True)
class Reading:
    """What the critics of all folds say of the pairs that they have not seen, in nats.

    Parameters
    ----------
    pointwise : ndarray of shape (n,)
        Log ratio of each pair.
    folds : dict of str to ndarray of shape (cv,)
        What each bound reports on each fold; "plug-in" is the mean log ratio, "base" that of the
        Gaussian part alone, and "own" is the bound that was trained.
    n_candidates : int
        How many y each x was scored with.
    gaussian : float or None
        Gaussian information of all pairs without bias, where it can take the place of "base".
    n_columns : tuple of int
        Widths of x and of y.
    rows : Rows
        Which rows are independent of each other.
    findings : tuple of str
        What should be said.
    most_shown : float
        Nats that are told from pairs put together at random: the logarithm of how many there
        are. What a model says beyond that, the pairs don't confirm.
    blur : float
        Nats that "gaussian" has been raised by, for what ranks of so few rows blur.
    marginal : Marginal or None
        What log ratios that were learned against a reference are worth against pairs put
        together at random.
    learned : float or None
        What critics add to the Gaussian ratio, of the pairs that they were trained on.
    curvature : tuple of float
        Nats beyond lines and scale that columns have in common within sides, and between them.
    """

    pointwise: np.ndarray
    folds: dict[str, np.ndarray]
    n_candidates: int
    gaussian: float | None
    n_columns: tuple[int, int]
    rows: Rows = INDEPENDENT
    findings: tuple[str, ...] = ()
    most_shown: float = math.inf
    blur: float = 0.0
    marginal: Marginal | None = None
    learned: float | None = None
    curvature: tuple[float, float] = (0.0, 0.0)

    def mean(self, name: str) -> float:
        """Mean over the folds."""
        return float(self.folds[name].mean())

    def estimate(self) -> float:
        """The estimate: "own", its Gaussian part replaced by the one without bias.

        The mean of a Gaussian log ratio is the Gaussian information whatever the distribution
        is, so that the mean over held-out pairs of the one that was learned, which falls short
        by what its directions miss, can be exchanged for it.
        """
        own = self.mean("own")
        return own if self.gaussian is None else own - self.mean("base") + self.gaussian

    def error(self, model_error: float | None = None) -> float:
        """Standard error of the estimate, or of one with another error of the model.

        Its parts, taken as independent: chance in the pairs; `model_error`; chance in the Gaussian
        information of independent sides; what few samples for each column can hide; and `blur`,
        which is known no better than by its own size.
        """
        n, (dx, dy) = len(self.pointwise), self.n_columns
        parts = (
            self.rows.error_of_mean(self.pointwise),
            self.model_error() if model_error is None else model_error,
            0.0 if self.gaussian is None else math.sqrt(dx * dy / 2) / (n - dx - dy),
            self.hidden(dx + dy, n),
            self.blur,
        )
        return math.hypot(*parts)

    @staticmethod
    def hidden(n_columns: int, n: int) -> float:
        """What n samples of so many columns can hide from critics, in nats."""
        return _HIDDEN * n_columns / n

    def model_error(self) -> float:
        """What the critics add to the error.

        Chance in training, from the folds; what the constant that was added on held-out pairs
        moves the estimate by; and a twentieth of what the network found beyond the Gaussian ratio,
        as much as networks missed of dependences that are known.
        """
        beyond = self.folds["own"] - self.folds["base"]
        changing = self.folds["own"] if self.gaussian is None else beyond
        return math.hypot(
            changing.std(ddof=1) / math.sqrt(len(beyond)),
            self.mean("jsd") - self.mean("plug-in"),
            _MISSED * beyond.mean(),
        )

    def joined_with(self, neighbours: float) -> tuple[float, float]:
        """Estimate and error, with that of nearest neighbours weighted in by its variance.

        Where the two differ by more than chance in the neighbours, the critic is at fault.
        """
        noise = _NOISE_OF_NEIGHBOURS / math.sqrt(len(self.pointwise))
        return self._joined(neighbours - self.estimate(), noise)

    def settled(self) -> tuple[float, float, float]:
        """Estimate, error, and nats by which it may lie too low.

        A reference that is far off leaves a log ratio that is none to the product of the
        marginals, which shows where it is worth less against these.
        """
        if self.marginal is None:
            return self.estimate(), self.error(), self.untaught() + self.unseen()
        gap, noise = min(0.0, self.marginal.value - self.mean("own")), self.marginal.error
        # How far the other read-out is off beyond chance, and how much there was beyond the
        # reference, of which critics found about half where edges are sharp.
        missed = math.sqrt(max(0.0, gap**2 - noise**2)), self.beyond()
        return *self._joined(gap, noise), max(*missed, self.untaught())

    def beyond(self) -> float:
        """What the critics found beyond the Gaussian ratio, at least 0."""
        return max(0.0, self.mean("own") - self.mean("base"))

    def untaught(self) -> float:
        """Nats that more pairs may teach: what critics know of those they were trained on alone."""
        if self.learned is None:
            return 0.0
        chance = self.rows.error_of_mean(self.pointwise)
        gap = self.learned - (self.mean("plug-in") - self.mean("base"))
        return _UNTAUGHT * max(0.0, gap - chance)

    def unseen(self) -> float:
        """Nats that curves may hide, as far as the sides have anything in common.

        Between sides there is at least what cumulants see there. Sides that are curved in
        themselves hide what they share from critics that have not straightened them.
        """
        share = -math.expm1(-2 * max(0.0, self.mean("own")))
        unused = sum(max(0.0, nats - self.beyond()) for nats in self.curvature)
        return _UNSEEN * share * unused

    def _joined(self, gap: float, noise: float) -> tuple[float, float]:
        """Estimate and error, with what lies a gap above it weighted in by its variance."""
        own = math.sqrt(max(self.model_error() ** 2, gap**2 - noise**2))
        weight = own**2 / (own**2 + noise**2) if own > 0 else 0.0
        error = self.error(math.hypot(weight * noise, (1 - weight) * own))
        return self.estimate() + weight * gap, error


def read(
    trainer: RatioTrainer,
    pairs: np.ndarray,
    cv: int,
    verbose: int = 0,
    kept: list[tuple[np.ndarray, Any]] | None = None,
) -> Reading:
    """Read each fold of pairs (n, dx + dy) with a critic of the others.

    Folds and critics are put into a list, where one is given.
    """
    pointwise, found = np.empty(len(pairs)), list[_OfFold]()
    progress = Progress(cv, "fold", verbose)
    for fold, model in trainer.held_out(pairs, cv):
        pointwise[fold], of_fold = _read_fold(model, pairs[fold], trainer.bound)
        found.append(of_fold)
        if kept is not None:
            kept.append((fold, model))
        progress.update()
        progress.end_stage(f"fold {progress.done} of {cv}", {"nats": of_fold.row["own"]})
    progress.close()
    rows, whole = [one.row for one in found], all(one.whole for one in found)
    marginals = [one.marginal for one in found if one.marginal is not None]
    findings = dict.fromkeys(said for one in found for said in one.findings)
    most_shown = found[-1].most_shown
    folds = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    sizes = trainer.n_columns(pairs)
    gaussian, blur = _gaussian_of_all(trainer, pairs) if whole else None, 0.0
    if gaussian is not None and trainer.referred:
        blur = _blurred(trainer, pairs, gaussian)
        gaussian += blur
    marginal, said = middle_of(marginals), tuple(findings)
    most_shown = most_shown if marginal is None else marginal.most_shown
    facts = gaussian, sizes, trainer.rows, said, most_shown, blur, marginal
    learned = float(np.mean([one.learned for one in found]))
    signs = learned, trainer.curvature(pairs)
    return Reading(pointwise, folds, found[-1].n_candidates, *facts, *signs)


@dataclass(frozen=True)
class _OfFold:
    """What a critic says of the pairs of one fold, which it has not seen; see `Reading`."""

    row: dict[str, float]
    n_candidates: int
    marginal: Marginal | None
    most_shown: float
    whole: bool
    learned: float
    findings: list[str]


def _read_fold(model: Any, pairs: np.ndarray, bound: Bound) -> tuple[np.ndarray, _OfFold]:
    """Log ratio (n,) of pairs of one fold, and what is read of them."""
    pointwise, held_out = model.log_ratio(pairs), model.read(pairs)
    marginal, most_shown = held_out.marginal, math.inf
    if marginal is None and held_out.taken_off is None:
        most_shown = math.log(held_out.added[1].numel())
    row = {name: nats_of(kind(), held_out) for name, kind in BOUNDS.items()}
    row["own"] = nats_of(bound, held_out)
    row["plug-in"] = float(pointwise.mean())
    row["base"] = float(model.base_ratio(pairs).mean())
    n_candidates = 1 + held_out.added[1].shape[1]
    facts = marginal, most_shown, model.base_is_whole, model.learned, model.findings
    return pointwise, _OfFold(row, n_candidates, *facts)


def _blurred(trainer: RatioTrainer, pairs: np.ndarray, gaussian: float) -> float:
    """Nats of Gaussian information that scores by the ranks of so few rows hide.

    Between two ranks nothing is known, which hides what is finer: about half as much as in half
    of the rows. So as much is missing as halves have less; a row is in one of the two halves.
    """
    order = np.random.RandomState(trainer.seed).permutation(len(pairs))
    halves = [trainer.gaussian(normal_scores(pairs[part])) for part in np.array_split(order, 2)]
    blur = gaussian - float(np.mean(halves))
    return max(0.0, blur) if math.isfinite(blur) else 0.0


def _gaussian_of_all(trainer: RatioTrainer, pairs: np.ndarray) -> float | None:
    """Gaussian information of all pairs, if it can take the place of the one that was learned.

    Not where there are few rows for each column or rows depend, so that chance passes for
    information; nor for a bound that says how much it can see, of which it is no summand.
    """
    enough = len(pairs) >= _ROWS_FOR_EXCHANGE * (trainer.size_x + trainer.size_y)
    if not trainer.base or trainer.bound.capped or not trainer.rows.independent or not enough:
        return None
    gaussian = trainer.gaussian(pairs)
    return gaussian if math.isfinite(gaussian) else None

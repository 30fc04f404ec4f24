"""Training models of the log ratio of pairs, and reading each on pairs that it has not seen."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from ._batches import ResidentData
from ._net import HeldOutStopping, InfoMaxNet
from ._random import new_generator, private_rng
from ._ratio import RatioModel, gaussian_information, nats_of
from ._reference import ReferredModel
from .bounds import BOUNDS, Bound
from .critics import Critic

__all__ = ["RatioTrainer", "Reading", "read"]

_LR, _WEIGHT_DECAY, _AVERAGE = 5e-3, 0.3, 0.99
_PATIENCE, _VALID_EVERY = 150, 20
_MISSED, _HIDDEN = 0.05, 3.0
_NOISE_OF_NEIGHBOURS = 0.7
_HIGH = 3.0


@dataclass(frozen=True)
class RatioTrainer:
    """All that it takes to train models of the log ratio.

    Parameters
    ----------
    critic, bound : Critic, Bound
        Settings.
    base : bool
        Whether models start from the Gaussian ratio.
    size_x, size_y : int
        Widths of the sides.
    n_shifts : int
        How many others each x is paired with in a step.
    max_steps, batch_size : int
        Steps at most, and pairs in each at least.
    device : str
        Where to train.
    seed : int
        Of folds, weights and batches.
    referred : bool
        Whether models are told from a Gaussian reference.
    may_reject : bool
        Whether a model ends as it started where training does not help on held-out pairs.
    """

    critic: Critic
    bound: Bound
    base: bool
    size_x: int
    size_y: int
    n_shifts: int
    max_steps: int
    batch_size: int
    device: str
    seed: int
    referred: bool = False
    may_reject: bool = True

    def fitted_to(self, pairs: np.ndarray) -> RatioTrainer:
        """The same, with a reference if the Gaussian information of pairs (n, dx + dy) is high."""
        high = self.base and self.gaussian(pairs) > _HIGH
        return replace(self, referred=high)

    def gaussian(self, pairs: np.ndarray) -> float:
        """Gaussian information of pairs in nats."""
        return gaussian_information(pairs[:, : self.size_x], pairs[:, self.size_x :])

    def build(self, seed: int) -> RatioModel:
        """A model with first weights."""
        sizes = self.size_x, self.size_y
        with private_rng(seed, torch.device("cpu")):
            kind = ReferredModel if self.referred else RatioModel
            return kind(self.critic, self.bound, *sizes, self.base, self.n_shifts)

    def train(self, pairs: np.ndarray, number: int) -> RatioModel:
        """A model trained on pairs (n, dx + dy); some of them are held out to stop by."""
        seed = self.seed + number
        order = np.random.RandomState(seed).permutation(len(pairs))
        # A tenth, but 100 where a third is no fewer: below that chance picks the weights.
        n_valid = max(len(pairs) // 10, min(len(pairs) // 3, 100)) if len(pairs) >= 12 else 0
        model = self.build(seed)
        model.learn_coordinates(pairs)
        model.generator = new_generator(seed)
        inputs = model.inputs(pairs).to(self.device)
        train, valid = (ResidentData(inputs[part]) for part in (order[n_valid:], order[:n_valid]))
        steps_of_epoch = max(1, len(train) // self.batch_size)
        start = valid if self.may_reject else None
        valid_every = math.ceil(_VALID_EVERY / steps_of_epoch)
        patience = math.ceil(_PATIENCE / (steps_of_epoch * valid_every))
        net = InfoMaxNet(
            model,
            weights={"information": 1.0},
            shuffler=new_generator(seed),
            lr_schedule="cosine",
            average=_AVERAGE,
            valid_every=valid_every,
            optimizer=torch.optim.AdamW,
            optimizer__weight_decay=_WEIGHT_DECAY,
            optimizer__fused=True,
            lr=_LR,
            batch_size=self.batch_size,
            device=torch.device(self.device),
            callbacks=[HeldOutStopping(patience, 0.0, start)] if n_valid else [],
            verbose=0,
            train_split=None,
        ).initialize()
        if self.max_steps:
            epochs = max(1, self.max_steps // steps_of_epoch)
            net.train(train, valid if n_valid else None, epochs)
        return model.eval().cpu()

    def held_out(self, pairs: np.ndarray, cv: int) -> Iterator[tuple[np.ndarray, RatioModel]]:
        """Each fold of the rows, with a model that was trained on the others."""
        order = np.random.RandomState(self.seed).permutation(len(pairs))
        for number, fold in enumerate(np.array_split(order, cv)):
            yield fold, self.train(pairs[np.setdiff1d(order, fold)], number)


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
    """

    pointwise: np.ndarray
    folds: dict[str, np.ndarray]
    n_candidates: int
    gaussian: float | None
    n_columns: tuple[int, int]

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
        information of independent sides; and what few samples for each column can hide.
        """
        n, (dx, dy) = len(self.pointwise), self.n_columns
        parts = (
            self.pointwise.std() / math.sqrt(n),
            self.model_error() if model_error is None else model_error,
            0.0 if self.gaussian is None else math.sqrt(dx * dy / 2) / (n - dx - dy),
            _HIDDEN * (dx + dy) / n,
        )
        return math.hypot(*parts)

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
        gap = neighbours - self.estimate()
        own = math.sqrt(max(self.model_error() ** 2, gap**2 - noise**2))
        weight = own**2 / (own**2 + noise**2)
        error = self.error(math.hypot(weight * noise, (1 - weight) * own))
        return self.estimate() + weight * gap, error


def read(trainer: RatioTrainer, pairs: np.ndarray, cv: int, verbose: Any = 0) -> Reading:
    """Read each fold of pairs (n, dx + dy) with a critic of the others."""
    pointwise, rows, n_candidates = np.empty(len(pairs)), [], 2
    for fold, model in trainer.held_out(pairs, cv):
        pointwise[fold] = model.log_ratio(pairs[fold])
        known, tables = model.read(pairs[fold])
        n_candidates = 1 + tables[0][1].shape[1]
        row = {name: nats_of(bound(), known, tables) for name, bound in BOUNDS.items()}
        row["own"] = nats_of(trainer.bound, known, tables)
        row["plug-in"] = float(pointwise[fold].mean())
        row["base"] = float(model.base_ratio(pairs[fold]).mean())
        rows.append(row)
        if verbose:
            print(f"fold {len(rows)} of {cv}: {row['own']:.4f} nats")
    folds = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    gaussian = trainer.gaussian(pairs) if trainer.base else math.nan
    # InfoNCE says how much it can see, of which the Gaussian part is no separate summand.
    exchange = math.isfinite(gaussian) and math.isinf(trainer.bound.ceiling(2))
    sizes = trainer.size_x, trainer.size_y
    return Reading(pointwise, folds, n_candidates, gaussian if exchange else None, sizes)

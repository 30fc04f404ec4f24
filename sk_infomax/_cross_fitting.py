"""Training models of the log ratio of pairs, and reading each on pairs that it has not seen."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ._batches import ResidentData
from ._net import HeldOutStopping, InfoMaxNet
from ._random import new_generator, private_rng
from ._ratio import RatioModel, score_tables
from .bounds import BOUNDS, Bound
from .critics import Critic

__all__ = ["RatioTrainer", "Reading", "read"]

_LR, _WEIGHT_DECAY, _AVERAGE = 5e-3, 0.3, 0.99
_PATIENCE = 200
_MISSED = 0.05


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

    def build(self, seed: int) -> RatioModel:
        """A model with first weights."""
        sizes = self.size_x, self.size_y
        with private_rng(seed, torch.device("cpu")):
            return RatioModel(self.critic, self.bound, *sizes, self.base, self.n_shifts)

    def train(self, pairs: np.ndarray, number: int) -> RatioModel:
        """A model trained on pairs (n, dx + dy), with a tenth of them held out to stop by."""
        seed = self.seed + number
        order = np.random.RandomState(seed).permutation(len(pairs))
        n_valid = min(max(len(pairs) // 10, 2), len(pairs) - 2) if len(pairs) >= 20 else 0
        model = self.build(seed)
        model.learn_coordinates(pairs)
        model.generator = new_generator(seed)
        inputs = model.inputs(pairs).to(self.device)
        train, valid = (ResidentData(inputs[part]) for part in (order[n_valid:], order[:n_valid]))
        steps_of_epoch = max(1, len(train) // self.batch_size)
        patience = math.ceil(_PATIENCE / steps_of_epoch)
        net = InfoMaxNet(
            model,
            weights={"information": 1.0},
            shuffler=new_generator(seed),
            lr_schedule="cosine",
            average=_AVERAGE,
            optimizer=torch.optim.AdamW,
            optimizer__weight_decay=_WEIGHT_DECAY,
            optimizer__fused=True,
            lr=_LR,
            batch_size=self.batch_size,
            device=torch.device(self.device),
            callbacks=[HeldOutStopping(patience, 0.0, valid)] if n_valid else [],
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
    """

    pointwise: np.ndarray
    folds: dict[str, np.ndarray]
    n_candidates: int

    def mean(self, name: str) -> float:
        """Mean over the folds."""
        return float(self.folds[name].mean())

    def error(self) -> float:
        """Standard error of "own", without what is known of it from elsewhere.

        Four independent parts: chance in the pairs; chance in training, from the folds; what
        the constant that was added on held-out pairs moves the estimate by; and a twentieth of
        what the network found beyond the Gaussian ratio, as much as networks missed of
        dependences that are known.
        """
        n, cv = len(self.pointwise), len(self.folds["own"])
        parts = (
            self.pointwise.std() / math.sqrt(n),
            self.folds["own"].std(ddof=1) / math.sqrt(cv),
            self.mean("jsd") - self.mean("plug-in"),
            _MISSED * (self.mean("own") - self.mean("base")),
        )
        return math.hypot(*parts)


def read(trainer: RatioTrainer, pairs: np.ndarray, cv: int, verbose: Any = 0) -> Reading:
    """Read each fold of pairs (n, dx + dy) with a critic of the others."""
    pointwise, rows = np.empty(len(pairs)), []
    for fold, model in trainer.held_out(pairs, cv):
        joint, marginal = score_tables(model, pairs[fold])
        pointwise[fold] = joint[:, 0].numpy()
        row = {name: bound().nats(joint, marginal).item() for name, bound in BOUNDS.items()}
        row |= {"plug-in": joint.mean().item(), "base": float(model.base_ratio(pairs[fold]).mean())}
        row["own"] = trainer.bound.nats(joint, marginal).item()
        rows.append(row)
        if verbose:
            print(f"fold {len(rows)} of {cv}: {row['own']:.4f} nats")
    folds = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    return Reading(pointwise, folds, 1 + marginal.shape[1])

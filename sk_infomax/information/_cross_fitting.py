"""Training models of the log ratio of pairs on all folds but one."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace

import numpy as np
import torch

from .._modes import few_threads
from .._parts import no_larger_than_memory
from .._random import new_generator, own_draws, private_rng, stream
from .._training._batches import ResidentData
from .._training._callbacks import HeldOutStopping
from .._training._net import InfoMaxNet
from .._training._schedule import Plan
from ..bounds import Bound
from ..critics import Critic
from ._curvature import curvature
from ._gaussian import gaussian_information
from ._models import RatioModel
from ._reference import ReferredModel
from ._rows import INDEPENDENT, Rows
from ._trail import Trail

__all__ = ["RatioTrainer"]

_OPERATIONS = 6  # floating-point ones for a weight and a row: two forward, four back
_LR = 5e-3  # of AdamW; this and what follows: least error on tasks apart from the 33
_WEIGHT_DECAY = 0.3  # of AdamW
_AVERAGE = 0.99  # decay of the mean of the weights, so of about 100 steps
_PATIENCE = 150  # steps without improvement on held-out pairs
_VALID_EVERY = 20  # steps between two looks at them
_FEWEST = 12  # pairs from which some can be held out
_MOST_HELD_OUT = 4096  # pairs that training stops by: a loss of so many is known to 0.01; a rule
_HELD_OUT = 100  # pairs held out at least, where a third is no fewer: below, chance picks weights
_ROWS_FOR_LEARNED = 4000  # of those trained on, by which it is known how well they are; a rule
_HIGH = 3.0  # nats from which pairs put together at random are told at a glance


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
    rows : Rows
        Which rows are independent of each other.
    correlations : tuple of float or None
        Of the first columns of x with those of y, where columns come as canonical variates; or
        None where these are to be found.
    trail : Trail or None
        Keeps what was trained, and has what a fit that was killed had trained.
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
    rows: Rows = INDEPENDENT
    correlations: tuple[float, ...] | None = None
    trail: Trail | None = None

    def fitted_to(self, pairs: np.ndarray) -> RatioTrainer:
        """The same, with a reference if the Gaussian information of pairs (n, dx + dy) is high."""
        high = self.base and self.gaussian(pairs) > _HIGH
        return replace(self, referred=high)

    def gaussian(self, pairs: np.ndarray) -> float:
        """Gaussian information of pairs in nats."""
        return gaussian_information(*self._sides(pairs))

    def n_columns(self, pairs: np.ndarray) -> tuple[int, int]:
        """Columns of each side of pairs that may tell something of their own."""
        return self.size_x, self.size_y

    def curvature(self, pairs: np.ndarray) -> tuple[float, float]:
        """Nats beyond lines and scale that columns have in common: within sides, and between."""
        if self.referred or not self.base:
            return 0.0, 0.0
        within = sum(map(curvature, self._sides(pairs)))
        return within, max(0.0, curvature(pairs) - within)

    def _sides(self, pairs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return pairs[:, : self.size_x], pairs[:, self.size_x :]

    def build(self, seed: int) -> RatioModel:
        """A model with first weights."""
        sizes = self.size_x, self.size_y
        held = no_larger_than_memory({"critic": self.critic})
        own = self.critic.draws_from_torch
        with private_rng(seed, torch.device("cpu")) if own else own_draws(seed), held:
            kind = ReferredModel if self.referred else RatioModel
            return kind(self.critic, self.bound, *sizes, self.base, self.n_shifts)

    def train(self, pairs: np.ndarray, number: int) -> RatioModel:
        """A model trained on pairs (n, dx + dy); some of them are held out to stop by."""
        seed = self.seed + number
        order = np.random.RandomState(seed).permutation(len(pairs))
        n_valid = _n_held_out(len(pairs))
        order = order[: n_valid + max(self.max_steps, 1) * self.batch_size]
        model = self.build(seed)
        if self.correlations is None:
            model.learn_coordinates(pairs)
        else:
            model.take_correlations(np.array(self.correlations))
        model.generator = new_generator(seed)
        parts = pairs[order[n_valid:]], pairs[order[:n_valid]]
        train, valid = (ResidentData(model.inputs(part).to(self.device)) for part in parts)
        steps_of_epoch = max(1, len(train) // self.batch_size)
        valid_every = math.ceil(_VALID_EVERY / steps_of_epoch)
        patience = math.ceil(_PATIENCE / (steps_of_epoch * valid_every))
        stopping = HeldOutStopping(patience, 0.0, start=valid)
        net = InfoMaxNet(
            model,
            weights={"information": 1.0},
            shuffler=new_generator(seed),
            optimizer=torch.optim.AdamW,
            optimizer__weight_decay=_WEIGHT_DECAY,
            optimizer__fused=True,
            lr=_LR,
            device=torch.device(self.device),
            callbacks=[stopping] if n_valid else [],
            verbose=0,
            train_split=None,
        ).initialize()
        if self.max_steps:
            held_out = valid if n_valid else None
            epochs = max(1, self.max_steps // steps_of_epoch)
            plan = Plan(
                epochs, self.batch_size, "cosine", average=_AVERAGE, valid_every=valid_every
            )

            def run() -> None:
                self._run(net, train, held_out, plan, seed)
                model.tried = None if stopping.tried is None else _on_cpu(stopping.tried)

            (self.trail or Trail(seed)).trained(model, run)
        model = model.eval().cpu()
        own = pairs[order[n_valid:][:_ROWS_FOR_LEARNED]]
        model.learned = float((model.log_ratio(own) - model.base_ratio(own)).mean())
        return model

    def _run(
        self, net: InfoMaxNet, data: ResidentData, valid: ResidentData | None, plan: Plan, seed: int
    ) -> None:
        """Train a net; parts of a user's own draw from generators that are put back afterwards."""
        drawn: AbstractContextManager[None] = nullcontext()
        if self.critic.draws_from_torch or self.bound.draws_from_torch:
            drawn = private_rng(stream(seed, "modules"), torch.device(self.device))
        rows = self.batch_size * (1 + self.n_shifts)
        work = _OPERATIONS * rows * sum(weight.numel() for weight in net.module_.parameters())
        with drawn, few_threads(work):
            net.train(data, valid, plan)

    def held_out(self, pairs: np.ndarray, cv: int) -> Iterator[tuple[np.ndarray, RatioModel]]:
        """Each fold of the rows, with a model that was trained on the others."""
        for number, fold in enumerate(self.rows.folds(len(pairs), cv, self.seed)):
            rest = np.ones(len(pairs), dtype=bool)
            rest[fold] = False
            yield fold, self.train(pairs[rest], number)


def _n_held_out(n: int) -> int:
    """How many of n pairs are not trained on, so that training stops by them."""
    if n < _FEWEST:
        return 0
    return min(max(n // 10, min(n // 3, _HELD_OUT)), _MOST_HELD_OUT)


def _on_cpu(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: tensor.cpu() for name, tensor in weights.items()}

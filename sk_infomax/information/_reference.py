"""Model of the log ratio where information is high: pairs are told from a Gaussian's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import silu

from .._random import new_generator
from ._marginals import MOST_ROWS, Marginal, against_others
from ._models import (
    N_RADIAL,
    ROWS_AT_ONCE,
    HeldOut,
    RatioModel,
    Side,
    Tables,
    joined_tables,
    radial_features,
)

__all__ = ["ReferredModel"]

_WIDTH = 32  # of the hidden layers; wider ones were no better (additive noise)
_DRAWS_OF_READING = 16  # of the reference for each pair where a bound is read out; a rule


@dataclass(frozen=True)
class SideOfX(Side):
    """Of x: also the whitened mean (n, dy) of y given it, and how far out it lies (n, 4)."""

    mean: Tensor
    radial: Tensor


@dataclass(frozen=True)
class SideOfY(Side):
    """Of y: also y whitened (n, dy), and its own log ratio (n,) to the reference."""

    whitened: Tensor
    ratio: Tensor


class ColumnwiseCorrection(nn.Module):
    """Sum over the columns of y of what a shared perceptron says of mean and residual there.

    Where each column of y depends on x in its own way, as where noise is added to each, the log
    ratio is such a sum; and heavy tails show in how far out all residuals lie.

    Parameters
    ----------
    size : int
        Number d of columns.
    """

    def __init__(self, size: int):
        super().__init__()
        self.inner = nn.Linear(3 + N_RADIAL, _WIDTH)
        self.column = nn.Parameter(torch.zeros(size, _WIDTH))
        self.middle = nn.Linear(_WIDTH, _WIDTH)
        self.outer = nn.Linear(_WIDTH, 1, bias=False)
        nn.init.zeros_(self.outer.weight)

    def forward(self, mean: Tensor, y: Tensor, radial: Tensor) -> Tensor:
        """Scores (...) of whitened means and values (..., d), and `radial_features` of x."""
        residual = y - mean
        far = (residual.square().mean(-1, keepdim=True) + 1e-3).log()
        shared = torch.cat([far, radial.expand(*far.shape[:-1], -1)], -1)
        columns = torch.stack([mean.expand_as(residual), residual], -1)
        shared = shared[..., None, :].expand(*residual.shape, -1)
        hidden = silu(self.inner(torch.cat([columns, shared], -1)) + self.column)
        return self.outer(silu(self.middle(hidden))).sum((-2, -1))


class ReferredModel(RatioModel):
    """Log density ratio of pairs by way of a Gaussian reference.

    Pairs put together at random are told from joint ones at a glance where information is high,
    and little is learned from them. Here the others are drawn from the Gaussian conditional
    ``N(y | x)`` of the canonical correlations, and from the Gaussian ``N(y)`` for y alone::

        log p(y | x) / p(y) = log N(y | x) / N(y) + log p(y | x) / N(y | x) - log p(y) / N(y)

    The first ratio is the Gaussian one; the others are near 0 and are learned by two critics,
    each with the bound, so that every bound reports the first plus its value for the second less
    its value for the third. The parameters are those of `RatioModel`.
    """

    def __init__(self, critic, bound, size_x, size_y, base, n_shifts):
        super().__init__(critic, bound, size_x, size_y, base, n_shifts)
        self.correction = ColumnwiseCorrection(size_y)
        self.alone = critic.build(1, size_y + N_RADIAL)
        self.gate_alone = nn.Parameter(torch.zeros(()))
        self.objective_alone = bound.start()
        self.register_buffer("from_y", torch.eye(size_y))
        self.register_buffer("whitening", torch.eye(size_y))
        self.register_buffer("slopes", torch.zeros(self.rank))

    def learn_coordinates(self, pairs: np.ndarray) -> np.ndarray:
        """Take the Gaussian from pairs (n, dx + dy), and what whitens the residuals of y."""
        correlations = super().learn_coordinates(pairs)
        back = torch.linalg.pinv(self.get_buffer("to_y").double())
        rho = torch.from_numpy(correlations)
        left = torch.ones(self.size_y, dtype=torch.float64)
        left[: self.rank] -= rho**2
        values, vectors = torch.linalg.eigh(back.T * left @ back)
        whitening = back @ (vectors / values.clamp(min=1e-9).sqrt() @ vectors.T)
        for name, value in (("from_y", back), ("whitening", whitening), ("slopes", rho)):
            self.get_buffer(name).copy_(value)
        return correlations

    def sides(self, inputs: Tensor) -> tuple[SideOfX, SideOfY]:
        """As in `RatioModel`, and what the reference makes of each side."""
        x, y = self.split(inputs)
        left, right = self._sides_of(x, y[:, None])
        first = slice(None), 0
        return left.lined_up(first), right.lined_up(first)

    def _sides_of(self, x: Tensor, y: Tensor) -> tuple[SideOfX, SideOfY]:
        """Sides (n, 1, ...) of inputs x (n, ...), and (n, m, ...) of m inputs y for each."""
        left, right = self.network.sides(x[:, None], y)
        variates = x[:, None, : self.rank]
        mean = self.get_buffer("slopes") * variates @ self.get_buffer("whitening")[: self.rank]
        whitened = y[..., : self.size_y] @ self.get_buffer("whitening")
        ones = torch.ones(len(y), 1, 1, device=y.device)
        ratio = self.gate_alone * self.alone.combine(*self.alone.sides(ones, y))
        of_x = SideOfX(variates, left, mean, x[:, None, self.size_x :])
        return of_x, SideOfY(y[..., : self.rank], right, whitened, ratio)

    def combine(self, left: Any, right: Any) -> Tensor:
        """Log ratio (...) of a `SideOfX` and a `SideOfY` that are lined up."""
        correction = self.correction(left.mean, right.whitened, left.radial)
        return super().combine(left, right) + correction - right.ratio

    def _told(self, left: SideOfX, right: SideOfY) -> Tensor:
        """Log ratio (n, m) of pairs to those of the reference."""
        network = self.gate * self.network.combine(left.critic, right.critic)
        return network + self.correction(left.mean, right.whitened, left.radial)

    def _referred(
        self, inputs: Tensor, count: int, generator: torch.Generator
    ) -> tuple[Tables, Tables]:
        """Scores of joint and drawn pairs, by the critic of pairs and by that of y alone."""
        x, y = self.split(inputs)
        drawn = [self._draw(x[:, : self.rank], generator) for _ in range(count)]
        left, right = self._sides_of(x, torch.stack([y, *drawn], 1))
        told, alone = self._told(left, right), right.ratio  # (n, 1 + count)
        return (told[:, :1], told[:, 1:, None]), (alone[:, :1], alone[:, 1:, None])

    def _draw(self, variates: Tensor, generator: torch.Generator) -> Tensor:
        """Inputs of y from the Gaussian conditional of canonical variates (n, r) of x."""
        slopes = self.get_buffer("slopes")
        y = torch.randn(len(variates), self.size_y, generator=generator).to(variates.device)
        known = slopes * variates + (1 - slopes**2).sqrt() * y[:, : self.rank]
        y = torch.cat([known, y[:, self.rank :]], 1)
        raw = y @ self.get_buffer("from_y") + self.get_buffer("mean_y")
        return torch.cat([y, radial_features(raw)], 1)

    def forward(self, inputs: Tensor) -> dict[str, Tensor]:
        """The sum of the bounds of both critics on a batch."""
        generator = (self.generator if self.training else None) or new_generator(0)
        of_pairs, of_y = self._referred(inputs, self.n_shifts, generator)
        return {"information": self.objective(*of_pairs) + self.objective_alone(*of_y)}

    def read(self, pairs: np.ndarray) -> HeldOut:
        """What the Gaussian says of pairs, and scores to add to it and to take off."""
        generator = new_generator(0)
        with torch.inference_mode():
            blocks = self.inputs(pairs).split(ROWS_AT_ONCE)
            found = [self._referred(one, _DRAWS_OF_READING, generator) for one in blocks]
        added, alone = (joined_tables(tables) for tables in zip(*found))
        known = float(self.base_ratio(pairs).mean())
        return HeldOut(known, added, alone, self._against_others(pairs))

    def _against_others(self, pairs: np.ndarray) -> Marginal:
        """What the log ratio is worth against pairs put together at random."""
        with torch.inference_mode():
            both = self.sides(self.inputs(pairs[:MOST_ROWS]))

            def scores(rows: np.ndarray, others: np.ndarray) -> np.ndarray:
                x, y = (side.lined_up(torch.from_numpy(i)) for side, i in zip(both, (rows, others)))
                return self.combine(x, y).double().numpy()

            a, b = (side.variates.double().numpy() for side in both)
            rho = self.get_buffer("slopes").double().numpy()
            return against_others(a, b, rho, scores, np.random.RandomState(0))

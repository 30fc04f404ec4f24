"""Models of the log density ratio of pairs: a critic that corrects the Gaussian one."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor, nn

from .._random import new_generator
from ..bounds import Bound
from ..critics import Critic
from ._gaussian import GaussianRatio, calibrated_correlations, canonical_directions

__all__ = [
    "RatioModel",
    "Tables",
    "even_shifts",
    "nats_of",
    "radial_features",
]

Tables = tuple[Tensor, Tensor]
"""Joint scores (n, 1) and marginal ones (n, s, 1)."""

N_RADIAL = 4  # how many numbers `radial_features` gives
_INFINITE = (
    "A column of one side follows from the other side: the information is infinite, and the "
    "estimate only says that it is large."
)
_SHIFTS_OF_EVALUATION = 16  # others for each x where training looks at held-out pairs; a rule
_SHIFTS_OF_READING = 64  # others for each x where a bound is read out; a rule


class RatioModel(nn.Module):
    """Log density ratio of pairs, trained with a bound.

    A pair comes as one row, x first. Both sides are brought to canonical coordinates; the critic
    sees these and how far out each side lies (`radial_features`). Beside a Gaussian ratio its
    scores are weighted by a gate that starts at zero, so that training starts from that ratio.

    Parameters
    ----------
    critic : Critic
        Makes the network that scores pairs.
    bound : Bound
        What training maximises.
    size_x, size_y : int
        Widths dx and dy.
    base : bool
        Whether the Gaussian ratio is there.
    n_shifts : int
        How many others each x is paired with in a step.

    Attributes
    ----------
    generator : torch.Generator
        Where training draws the others from.
    """

    def __init__(
        self,
        critic: Critic,
        bound: Bound,
        size_x: int,
        size_y: int,
        base: bool,
        n_shifts: int,
    ):
        super().__init__()
        self.findings: list[str] = []
        self.objective = bound.start()
        self.n_shifts = n_shifts
        self.size_x, self.size_y = size_x, size_y
        self.rank = min(size_x, size_y)
        for side, size in (("x", size_x), ("y", size_y)):
            self.register_buffer(f"mean_{side}", torch.zeros(size))
            self.register_buffer(f"to_{side}", torch.eye(size))
        self.base = GaussianRatio(self.rank) if base else None
        self.network = critic.build(size_x + N_RADIAL, size_y + N_RADIAL)
        self.gate = nn.Parameter(torch.zeros(()) if base else torch.ones(()))
        self.generator: torch.Generator | None = None

    def learn_coordinates(self, pairs: np.ndarray) -> np.ndarray:
        """Take means and canonical directions from pairs (n, dx + dy); the correlations (r,)."""
        x, y = pairs[:, : self.size_x], pairs[:, self.size_x :]
        means = x.mean(0), y.mean(0)
        x, y = x - means[0], y - means[1]
        to_x, to_y, correlations = canonical_directions(x, y)
        if correlations.max() > 1 - 1e-5:
            self.findings.append(_INFINITE)
        correlations = calibrated_correlations(x, y, correlations)
        learned = {"mean_x": means[0], "mean_y": means[1], "to_x": to_x, "to_y": to_y}
        for name, value in learned.items():
            self.get_buffer(name).copy_(torch.from_numpy(value))
        if self.base is not None:
            self.base.get_buffer("correlations").copy_(torch.from_numpy(correlations))
        return correlations

    def inputs(self, pairs: np.ndarray) -> Tensor:
        """What the model reads of pairs (n, dx + dy): canonical coordinates and how far out."""
        parts = []
        for side, name in ((pairs[:, : self.size_x], "x"), (pairs[:, self.size_x :], "y")):
            values = torch.from_numpy(side).float()
            turned = (values - self.get_buffer(f"mean_{name}")) @ self.get_buffer(f"to_{name}")
            parts += [turned, radial_features(values)]
        return torch.cat(parts, 1)

    def split(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Inputs of x and of y."""
        return inputs[:, : self.size_x + N_RADIAL], inputs[:, self.size_x + N_RADIAL :]

    def sides(self, inputs: Tensor) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        """Of x alone and of y alone: canonical variates (n, r), and the critic's side (n, u)."""
        x, y = self.split(inputs)
        left, right = self.network.sides(x[:, None], y[:, None])
        return (x[:, : self.rank], left[:, 0]), (y[:, : self.rank], right[:, 0])

    def side_of_x(self, x: np.ndarray) -> tuple[Tensor, ...]:
        """Of samples (n, dx): canonical variates (n, r), and the critic's side (n, u)."""
        padded = np.zeros((len(x), self.size_y))
        return self.sides(self.inputs(np.hstack([x, padded])))[0][:2]

    def combine(self, left: tuple[Tensor, ...], right: tuple[Tensor, ...]) -> Tensor:
        """Log ratio (...) of sides that are lined up."""
        score = self.gate * self.network.combine(left[1], right[1])
        return score if self.base is None else score + self.base(left[0], right[0])

    def tables(self, inputs: Tensor, shifts: list[int]) -> Tables:
        """Scores of the pairs (n, 1), and of each x with the y of others (n, s, 1)."""
        left, right = self.sides(inputs)
        rows = torch.arange(len(inputs), device=inputs.device)[:, None]
        turned = (rows + torch.tensor([0, *shifts], device=inputs.device)) % len(inputs)
        lined_up = tuple(side[:, None] for side in left), tuple(side[turned] for side in right)
        scores = self.combine(*lined_up)  # (n, 1 + s)
        return scores[:, :1], scores[:, 1:, None]

    def forward(self, inputs: Tensor) -> dict[str, Tensor]:
        """The bound on the information of a batch, by its name."""
        return {"information": self.objective(*self.tables(inputs, self._shifts(inputs)))}

    def log_ratio(self, pairs: np.ndarray) -> np.ndarray:
        """Pointwise information (n,) of pairs (n, dx + dy), in nats."""
        with torch.inference_mode():
            return self.combine(*self.sides(self.inputs(pairs))).double().numpy()

    def permuted_sums(self, pairs: np.ndarray, orders: Iterable[np.ndarray]) -> np.ndarray:
        """Sum of the log ratios of pairs whose y come in each of some orders (n,)."""
        sums = []
        with torch.inference_mode():
            left, right = self.sides(self.inputs(pairs))
            for order in orders:
                turned = torch.from_numpy(order)
                ratio = self.combine(left, tuple(side[turned] for side in right))
                sums.append(ratio.double().sum().item())
        return np.array(sums)

    def base_ratio(self, pairs: np.ndarray) -> np.ndarray:
        """What the Gaussian ratio alone says (n,) of pairs; zeros where there is none."""
        if self.base is None:
            return np.zeros(len(pairs))
        x, y = self.split(self.inputs(pairs))
        return self.base(x[:, : self.rank], y[:, : self.rank]).double().numpy()

    def read(self, pairs: np.ndarray) -> tuple[float, list[Tables]]:
        """What is known without critics, in nats; and scores for a bound to add to it."""
        with torch.inference_mode():
            shifts = even_shifts(len(pairs), _SHIFTS_OF_READING)
            return 0.0, [self.tables(self.inputs(pairs), shifts)]

    def _shifts(self, inputs: Tensor) -> list[int]:
        """Some other rows at random in training, the same ones in evaluation."""
        n = len(inputs)
        if not self.training:
            return even_shifts(n, _SHIFTS_OF_EVALUATION)
        generator = self.generator or new_generator(0)
        return (1 + torch.randperm(n - 1, generator=generator)[: self.n_shifts]).tolist()


def even_shifts(n: int, count: int) -> list[int]:
    """At most `count` different shifts of n rows, spread evenly, without 0."""
    count = min(count, n - 1)
    return [1 + (i * (n - 1)) // count for i in range(count)]


def radial_features(x: Tensor) -> Tensor:
    """How far out samples (n, d) of normal scores lie: (n, 4).

    Mean square, its logarithm, and the same logarithm after the scores are taken to the
    quantiles of Student distributions of two degrees of freedom and of one, whose tails set the
    scale that heavy-tailed columns share.
    """
    mean_square = x.square().mean(1, keepdim=True)
    below = torch.special.ndtr(x).clamp(1e-6, 1 - 1e-6)
    two = (2 * below - 1) / (2 * below * (1 - below)).sqrt()
    one = torch.tan(math.pi * (below - 0.5))
    logs = [(t.square().mean(1, keepdim=True) + 1e-3).log() for t in (x, two, one)]
    return torch.cat([mean_square - 1, *logs], 1)


def nats_of(bound: Bound, known: float, tables: list[Tables]) -> float:
    """What a bound reports for a model that has been `read`: its first term less the others."""
    values = [bound.nats(joint.double(), marginal.double()).item() for joint, marginal in tables]
    return known + values[0] - sum(values[1:])

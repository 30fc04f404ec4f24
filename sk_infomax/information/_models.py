"""Models of the log density ratio of pairs: a critic that corrects the Gaussian one."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable
from dataclasses import dataclass, fields
from itertools import chain
from typing import Any, NamedTuple, Self

import numpy as np
import torch
from torch import Tensor, nn

from .._random import new_generator
from ..bounds import Bound
from ..critics import Critic
from ._gaussian import GaussianRatio, calibrated_correlations, canonical_directions
from ._marginals import Marginal

__all__ = [
    "INFINITE",
    "ROWS_AT_ONCE",
    "HeldOut",
    "RatioModel",
    "Side",
    "Tables",
    "even_shifts",
    "in_blocks",
    "joined_tables",
    "nats_of",
    "radial_features",
]

Tables = tuple[Tensor, Tensor]
"""Joint scores (n, 1) and marginal ones (n, s, 1)."""


@dataclass(frozen=True)
class Side:
    """What a model computes of one side of pairs alone.

    Parameters
    ----------
    variates : Tensor of shape (n, r)
        Canonical variates with the other side.
    critic : Tensor of shape (n, u)
        The critic's side.
    """

    variates: Tensor
    critic: Tensor

    def lined_up(self, rows: Any) -> Self:
        """All of it at some rows: an index of tensors (n, ...)."""
        return type(self)(*(getattr(self, field.name)[rows] for field in fields(self)))

    def with_room(self, n: int) -> Self:
        """The same kind of side for n samples, nothing of which is known yet."""
        parts = (getattr(self, field.name) for field in fields(self))
        return type(self)(*(part.new_empty(n, *part.shape[1:]) for part in parts))

    def put(self, start: int, part: Self) -> None:
        """Take in what is known of some samples."""
        for field in fields(self):
            values = getattr(part, field.name)
            getattr(self, field.name)[start : start + len(values)] = values


class HeldOut(NamedTuple):
    """What a model says of pairs that it has not seen.

    Parameters
    ----------
    known : float
        What is known without critics, in nats.
    added : Tables
        Scores of which a bound makes what comes to it.
    taken_off : Tables or None
        Scores of which it makes what goes off.
    marginal : Marginal or None
        What the log ratio is worth against pairs put together at random, where it was learned
        against others.
    """

    known: float
    added: Tables
    taken_off: Tables | None = None
    marginal: Marginal | None = None


N_RADIAL = 4  # how many numbers `radial_features` gives
INFINITE = (
    "A column of one side follows from the other side: the information is infinite, and the "
    "estimate only says that it is large."
)
_CERTAIN = 1 - 1e-5  # held-out correlation from which a column follows from others; a rule
_SHIFTS_OF_EVALUATION = 16  # others for each x where training looks at held-out pairs; a rule
_SHIFTS_OF_READING = 64  # others for each x where a bound is read out; a rule
_FEW_SHIFTS_OF_READING = 8  # the same where pairs are so many that they need fewer each; a rule
_SCORES_OF_READING = 2**18  # scores of others that a read-out rests on, if there are more; a rule
ROWS_AT_ONCE = 128  # pairs that are read at once with up to 64 others each: 2 MB a hidden layer
_ROWS_OF_SUMS = 1024  # pairs that are read at once by themselves: as much for all hidden layers
_ROWS_OF_OTHERS = 2**13  # pairs among which others are sought where there are more: few MB


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
    learned : float
        Mean of what the critic adds to the Gaussian ratio, of the pairs that it was trained on.
    tried : dict of str to Tensor, or None
        The best weights of training, where it ends as it started since none helped on held-out
        pairs.
    """

    base_is_whole = True  # it counts all canonical correlations

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
        self.learned = 0.0
        self.tried: dict[str, Tensor] | None = None
        self.objective = bound.start()
        self.capped = bound.capped
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
        correlations = calibrated_correlations(x, y, correlations)
        learned = {"mean_x": means[0], "mean_y": means[1], "to_x": to_x, "to_y": to_y}
        for name, value in learned.items():
            self.get_buffer(name).copy_(torch.from_numpy(value))
        self.take_correlations(correlations)
        return correlations

    def take_correlations(self, correlations: np.ndarray) -> None:
        """Held-out correlations (r,) of columns that are, or have been turned to, canonical."""
        if correlations.max(initial=0.0) > _CERTAIN:
            self.findings.append(INFINITE)
        if self.base is not None:
            known = self.base.get_buffer("correlations")
            known[: len(correlations)] = torch.from_numpy(correlations)

    def inputs(self, pairs: np.ndarray) -> Tensor:
        """What the model reads of pairs (n, dx + dy): canonical coordinates and how far out."""
        found = torch.empty(len(pairs), self.size_x + self.size_y + 2 * N_RADIAL)
        for rows, of_rows in zip(in_blocks(pairs), found.split(_ROWS_OF_SUMS)):
            x, y = self.split(of_rows)
            self._put_inputs(rows[:, : self.size_x], "x", x)
            self._put_inputs(rows[:, self.size_x :], "y", y)
        return found

    def _put_inputs(self, side: np.ndarray, name: str, found: Tensor) -> None:
        """Fill in what the model reads of one side (n, d): (n, d + 4)."""
        values = torch.from_numpy(side).float()
        turned = (values - self.get_buffer(f"mean_{name}")) @ self.get_buffer(f"to_{name}")
        torch.cat([turned, radial_features(values)], 1, out=found)

    def split(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Inputs of x and of y."""
        return inputs[:, : self.size_x + N_RADIAL], inputs[:, self.size_x + N_RADIAL :]

    def sides(self, inputs: Tensor) -> tuple[Side, Side]:
        """Of x alone and of y alone: canonical variates (n, r), and the critic's side (n, u)."""
        x, y = self.split(inputs)
        left, right = self.network.sides(x[:, None], y[:, None])
        return Side(x[:, : self.rank], left[:, 0]), Side(y[:, : self.rank], right[:, 0])

    def side_of_x(self, x: np.ndarray) -> tuple[Tensor, ...]:
        """Of samples (n, dx): canonical variates (n, r), and the critic's side (n, u)."""
        padded = np.zeros((len(x), self.size_y))
        left, _ = self.sides(self.inputs(np.hstack([x, padded])))
        return left.variates, left.critic

    def combine(self, left: Side, right: Side) -> Tensor:
        """Log ratio (...) of sides that are lined up."""
        score = self.gate * self.network.combine(left.critic, right.critic)
        return score if self.base is None else score + self.base(left.variates, right.variates)

    def tables(self, inputs: Tensor, shifts: list[int]) -> Tables:
        """Scores of the pairs (n, 1), and of each x with the y of others (n, s, 1)."""
        left, right = self.sides(inputs)
        every = torch.arange(len(inputs), device=inputs.device)
        scores = self._shifted_scores(left, right, every, shifts)
        return scores[:, :1], scores[:, 1:, None]

    def forward(self, inputs: Tensor) -> dict[str, Tensor]:
        """The bound on the information of a batch, by its name."""
        return {"information": self.objective(*self.tables(inputs, self._shifts(inputs)))}

    def log_ratio(self, pairs: np.ndarray) -> np.ndarray:
        """Pointwise information (n,) of pairs (n, dx + dy), in nats."""
        return np.concatenate([self._log_ratio(rows) for rows in in_blocks(pairs)])

    def _log_ratio(self, pairs: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return self.combine(*self.sides(self.inputs(pairs))).double().numpy()

    def untamed(self) -> Self:
        """The same as training had it at its best, helpful or not.

        A model that was rejected ties with all permutations: weak signs are better there.
        """
        if self.tried is None:
            return self
        model = copy.deepcopy(self)
        model.load_state_dict(self.tried)
        return model

    def permuted_sums(self, pairs: np.ndarray, orders: Iterable[np.ndarray]) -> np.ndarray:
        """Sum of the log ratios of pairs whose y come in each of some orders (n,)."""
        left, right = self._sides_in_blocks(pairs)
        return np.array([self._sum_of(left, right, torch.from_numpy(one)) for one in orders])

    def _sum_of(self, left: Side, right: Side, order: Tensor) -> float:
        """Sum of the log ratios of sides, the right one in an order (n,)."""
        places = torch.arange(len(order)).split(_ROWS_OF_SUMS)
        with torch.inference_mode():
            ratios = (self.combine(left.lined_up(i), right.lined_up(order[i])) for i in places)
            return sum(ratio.double().sum().item() for ratio in ratios)

    def _sides_in_blocks(self, pairs: np.ndarray) -> tuple[Side, Side]:
        """Both sides of pairs, read some at a time."""
        with torch.inference_mode():
            found = (self.sides(self.inputs(rows)) for rows in in_blocks(pairs))
            first = next(found)
            both = first[0].with_room(len(pairs)), first[1].with_room(len(pairs))
            start = 0
            for sides in chain([first], found):
                for whole, part in zip(both, sides):
                    whole.put(start, part)
                start += len(sides[0].variates)
        return both

    def base_ratio(self, pairs: np.ndarray) -> np.ndarray:
        """What the Gaussian ratio alone says (n,) of pairs; zeros where there is none."""
        if self.base is None:
            return np.zeros(len(pairs))
        return np.concatenate([self._base_ratio(rows) for rows in in_blocks(pairs)])

    def _base_ratio(self, pairs: np.ndarray) -> np.ndarray:
        x, y = self.split(self.inputs(pairs))
        variates = x[:, : self.rank], y[:, : self.rank]
        return self.base(*variates).double().numpy()  # type: ignore[misc]

    def read(self, pairs: np.ndarray) -> HeldOut:
        """What the model says of pairs that it has not seen.

        The others of many pairs are among each so many of them, apart from each other in case
        that neighbouring rows are alike.
        """
        n = len(pairs)
        shifts = even_shifts(min(n, _ROWS_OF_OTHERS), self._n_shifts_of_reading(n))
        scores, parts = torch.empty(n, 1 + len(shifts)), math.ceil(n / _ROWS_OF_OTHERS)
        for part in range(parts):
            scores[part::parts] = self._against_shifted(pairs[part::parts], shifts)
        return HeldOut(0.0, (scores[:, :1], scores[:, 1:, None]))

    def _against_shifted(self, pairs: np.ndarray, shifts: list[int]) -> Tensor:
        """Scores (n, 1 + s) of pairs, and of each x with the y of others."""
        (left, right), blocks = self._sides_in_blocks(pairs), torch.arange(len(pairs))
        with torch.inference_mode():
            found = [
                self._shifted_scores(left, right, rows, shifts)
                for rows in blocks.split(ROWS_AT_ONCE)
            ]
            return torch.cat(found)

    def _shifted_scores(self, left: Side, right: Side, rows: Tensor, shifts: list[int]) -> Tensor:
        """Scores (b, 1 + s) of x of some rows (b,) with their own y and with those of others."""
        steps = torch.tensor([0, *shifts], device=rows.device)
        turned = (rows[:, None] + steps) % len(left.variates)
        return self.combine(left.lined_up((rows, None)), right.lined_up(turned))

    def _n_shifts_of_reading(self, n: int) -> int:
        """Others for each of n x where a bound is read out.

        A bound that each x picks its own partner for is limited by how many these are.
        """
        if self.capped:
            return _SHIFTS_OF_READING
        enough = math.ceil(_SCORES_OF_READING / max(n, 1))
        return min(_SHIFTS_OF_READING, max(_FEW_SHIFTS_OF_READING, enough))

    def _shifts(self, inputs: Tensor) -> list[int]:
        """Some other rows at random in training, the same ones in evaluation."""
        n = len(inputs)
        if not self.training:
            return even_shifts(n, _SHIFTS_OF_EVALUATION)
        generator = self.generator or new_generator(0)
        return (1 + torch.randperm(n - 1, generator=generator)[: self.n_shifts]).tolist()


def in_blocks(pairs: np.ndarray) -> list[np.ndarray]:
    """Pairs (n, d), some at a time, so that hidden units of all are never held."""
    return [pairs[i : i + _ROWS_OF_SUMS] for i in range(0, max(len(pairs), 1), _ROWS_OF_SUMS)]


def even_shifts(n: int, count: int) -> list[int]:
    """At most `count` different shifts of n rows, spread evenly, without 0."""
    count = min(count, n - 1)
    return [1 + (i * (n - 1)) // count for i in range(count)]


def radial_features(x: Tensor) -> Tensor:
    """How far out samples (n, d) of normal scores lie: (n, 4).

    Mean square, its logarithm, and the same logarithm after the scores are taken to the
    quantiles of Student distributions of two degrees of freedom and of one, whose tails set the
    scale that heavy-tailed columns share. Zeros of no columns.
    """
    if not x.shape[1]:
        return x.new_zeros(len(x), N_RADIAL)
    mean_square = x.square().mean(1, keepdim=True)
    below = torch.special.ndtr(x).clamp(1e-6, 1 - 1e-6)
    two = (2 * below - 1) / (2 * below * (1 - below)).sqrt()
    one = torch.tan(math.pi * (below - 0.5))
    logs = [(t.square().mean(1, keepdim=True) + 1e-3).log() for t in (x, two, one)]
    return torch.cat([mean_square - 1, *logs], 1)


def joined_tables(tables: Iterable[Tables]) -> Tables:
    """Scores of some pairs, and after them those of others."""
    joint, marginal = zip(*tables)
    return torch.cat(joint), torch.cat(marginal)


def nats_of(bound: Bound, held_out: HeldOut) -> float:
    """What a bound reports for what a model says of pairs that it has not seen."""

    def of(tables: Tables) -> float:
        return bound.nats(tables[0].double(), tables[1].double()).item()

    value = held_out.known + of(held_out.added)
    return value if held_out.taken_off is None else value - of(held_out.taken_off)

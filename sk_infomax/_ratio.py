"""Models of the log density ratio of pairs: a Gaussian one, and a critic that corrects it."""

from __future__ import annotations

import math
import warnings

import numpy as np
import torch
from scipy.special import digamma
from torch import Tensor, nn

from ._random import new_generator
from .bounds import Bound
from .critics import Critic

__all__ = [
    "GaussianRatio",
    "RatioModel",
    "Tables",
    "calibrated_correlations",
    "canonical_directions",
    "even_shifts",
    "gaussian_information",
    "log_determinant",
    "nats_of",
    "permuted_sums",
    "radial_features",
    "whitening",
]

Tables = tuple[Tensor, Tensor]
"""Joint scores (n, 1) and marginal ones (n, s, 1)."""

N_RADIAL = 4
_FOLDS = 5
_SHIFTS_OF_EVALUATION = 16
_SHIFTS_OF_READING = 64


def canonical_directions(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Canonical directions of two sides and their correlations.

    Correlations below the edge that independent sides of this size would reach (Wachter's law
    for canonical correlations, in its Marchenko-Pastur limit) count as none.

    Parameters
    ----------
    x, y : ndarray of shape (n, dx) and (n, dy)
        Pairs, centred.

    Returns
    -------
    directions_x, directions_y : ndarray of shape (dx, dx) and (dy, dy)
        ``x @ directions_x`` has unit covariance.
    correlations : ndarray of shape (min(dx, dy),)
        Of the first columns of the one with those of the other.
    """
    n, dx, dy = len(x), x.shape[1], y.shape[1]
    white_x, white_y = whitening(x.T @ x / n), whitening(y.T @ y / n)
    left, values, right = np.linalg.svd(white_x @ (x.T @ y / n) @ white_y)
    a, b = dx / n, dy / n
    edge = np.sqrt(a * (1 - min(b, 1))) + np.sqrt(b * (1 - min(a, 1)))
    correlations = values.clip(0, 1 - 1e-6)
    return white_x @ left, white_y @ right.T, np.where(correlations > edge, correlations, 0.0)


def calibrated_correlations(x: np.ndarray, y: np.ndarray, correlations: np.ndarray) -> np.ndarray:
    """What canonical correlations are on samples that their directions were not found on.

    Parameters
    ----------
    x, y : ndarray of shape (n, dx) and (n, dy)
        Pairs, centred, in random order.
    correlations : ndarray of shape (r,)
        Of directions that were found on all of them; those that are 0 stay so.

    Returns
    -------
    ndarray of shape (r,)
        Means over five folds, at least 0.
    """
    if len(x) < 2 * _FOLDS or not correlations.any():
        return correlations
    products = np.zeros((3, len(correlations)))
    for fold in np.array_split(np.arange(len(x)), _FOLDS):
        rest = np.setdiff1d(np.arange(len(x)), fold)
        to_x, to_y, _ = canonical_directions(x[rest], y[rest])
        a, b = (x[fold] @ to_x)[:, : len(correlations)], (y[fold] @ to_y)[:, : len(correlations)]
        products += np.stack([(a * b).sum(0), (a * a).sum(0), (b * b).sum(0)])
    held_out = products[0] / np.sqrt(products[1] * products[2]).clip(min=1e-12)
    return np.where(correlations > 0, held_out.clip(0, 1 - 1e-6), 0.0)


def gaussian_information(x: np.ndarray, y: np.ndarray) -> float:
    """Information in nats of jointly normal pairs, without bias; nan where samples are too few.

    Parameters
    ----------
    x, y : ndarray of shape (n, dx) and (n, dy)
        Pairs.
    """
    both = np.hstack([x, y])
    return 0.5 * (log_determinant(x) + log_determinant(y) - log_determinant(both))


def log_determinant(z: np.ndarray) -> float:
    """Log determinant of the covariance of normal rows (n, d), without bias; nan if n <= d + 2."""
    n, d = z.shape
    if n <= d + 2:
        return math.nan
    # E log det of a sample covariance (Wishart) exceeds that of the true one by digammas.
    excess = digamma((n - np.arange(1, d + 1)) / 2) - math.log((n - 1) / 2)
    covariance = np.atleast_2d(np.cov(z, rowvar=False))
    return float(np.linalg.slogdet(covariance)[1] - excess.sum())


def whitening(covariance: np.ndarray) -> np.ndarray:
    """Inverse root of a covariance; directions without spread are left as they are."""
    values, vectors = np.linalg.eigh(covariance)
    floor = 1e-6 * max(values.max(), 1e-12)
    return vectors / np.sqrt(values.clip(min=floor)) @ vectors.T


class GaussianRatio(nn.Module):
    """Log density ratio of jointly normal pairs, from their canonical correlations.

    Parameters
    ----------
    rank : int
        Number r of canonical correlations, none of which is known yet.
    """

    def __init__(self, rank: int):
        super().__init__()
        self.register_buffer("correlations", torch.zeros(rank, dtype=torch.float64))

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Log ratio of canonical variates (..., r) that are lined up: (...)."""
        rho = self.get_buffer("correlations")
        square, product = rho**2 / (2 * (1 - rho**2)), rho / (1 - rho**2)
        constant = -0.5 * torch.log1p(-(rho**2)).sum()
        value = (a * b * product.to(a.dtype) - (a**2 + b**2) * square.to(a.dtype)).sum(-1)
        return constant.to(a.dtype) + value


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

    prior = None  # what the net asks for: there is no adversary

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
            warnings.warn(
                "A column of one side follows from the other side: the information is infinite, "
                "and the estimate only says that it is large.",
                stacklevel=2,
            )
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


def permuted_sums(model: RatioModel, pairs: np.ndarray, count: int, rng) -> np.ndarray:
    """Sum of the log ratios of the pairs, then of as many permutations of them."""
    sums = np.empty(1 + count)
    with torch.inference_mode():
        left, right = model.sides(model.inputs(pairs))
        for number in range(1 + count):
            order = rng.permutation(len(pairs)) if number else np.arange(len(pairs))
            turned = torch.from_numpy(order)
            ratio = model.combine(left, tuple(side[turned] for side in right))
            sums[number] = ratio.double().sum().item()
    return sums

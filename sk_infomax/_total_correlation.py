"""Dependence among the columns of one array: the log ratio to independent columns."""

from __future__ import annotations

import math

import numpy as np
import torch
from scipy.special import digamma
from torch import Tensor, nn

from ._cross_fitting import RatioTrainer
from ._random import new_generator, private_rng
from ._ratio import N_RADIAL, Tables, radial_features
from .bounds import Bound
from .critics import Critic

__all__ = ["DependenceModel", "DependenceTrainer", "gaussian_total_correlation"]

_SHIFTS = 16


def gaussian_total_correlation(z: np.ndarray) -> float:
    """Total correlation in nats of jointly normal columns (n, d), without bias; nan if n <= d."""
    n, d = z.shape
    if n <= d + 2:
        return math.nan
    excess = digamma((n - np.arange(1, d + 1)) / 2) - math.log((n - 1) / 2)
    logdet = np.linalg.slogdet(np.atleast_2d(np.corrcoef(z, rowvar=False)))[1]
    return float(-0.5 * (logdet - excess.sum() + d * excess[0]))


class DependenceModel(nn.Module):
    """Log ratio of the density of rows to that of independent columns.

    It starts from the Gaussian ratio of the correlations and is corrected by a critic that sees
    whitened rows, as `RatioModel` is. Rows of independent columns are made by shifting each
    column of a batch by a number of its own.

    Parameters
    ----------
    critic : Critic
        Makes the network; one of its sides reads nothing.
    bound : Bound
        What training maximises.
    size : int
        Number d of columns.
    n_shifts : int
        How many shifted batches there are in a step.
    """

    prior = None

    def __init__(self, critic: Critic, bound: Bound, size: int, n_shifts: int):
        super().__init__()
        self.bound = bound
        self.objective = bound.start()
        self.n_shifts = n_shifts
        self.size = size
        self.network = critic.build(1, size + N_RADIAL)
        self.gate = nn.Parameter(torch.zeros(()))
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("root", torch.eye(size))  # of the inverse covariance
        self.register_buffer("spread", torch.ones(size))  # variances
        self.register_buffer("constant", torch.zeros(()))
        self.generator: torch.Generator | None = None

    def learn_coordinates(self, rows: np.ndarray) -> None:
        """Take mean and correlations from rows (n, d)."""
        covariance = np.atleast_2d(np.cov(rows, rowvar=False))
        values, vectors = np.linalg.eigh(covariance)
        floor = 1e-6 * max(values.max(), 1e-12)
        root = vectors / np.sqrt(values.clip(min=floor)) @ vectors.T
        self.get_buffer("mean").copy_(torch.from_numpy(rows.mean(0)))
        self.get_buffer("root").copy_(torch.from_numpy(root))
        self.get_buffer("spread").copy_(torch.from_numpy(np.diag(covariance).copy()))
        self.get_buffer("constant").fill_(float(np.linalg.slogdet(root)[1]))

    def inputs(self, rows: np.ndarray) -> Tensor:
        """Rows (n, d) as a tensor."""
        return torch.from_numpy(rows).float()

    def scores(self, rows: Tensor) -> Tensor:
        """Log ratio (n,) of rows (n, d)."""
        white = (rows - self.get_buffer("mean")) @ self.get_buffer("root")
        seen = torch.cat([white, radial_features(rows)], 1)
        ones = torch.ones(len(rows), 1, 1, device=rows.device)
        left, right = self.network.sides(ones, seen[:, None])
        return self.gate * self.network.combine(left[:, 0], right[:, 0]) + self._gaussian(rows)

    def _gaussian(self, rows: Tensor) -> Tensor:
        """What the correlations alone say."""
        centred = rows - self.get_buffer("mean")
        white = centred @ self.get_buffer("root")
        spread = self.get_buffer("spread")
        alone = 0.5 * (centred.square() / spread + spread.log()).sum(1)
        return self.get_buffer("constant") + alone - 0.5 * white.square().sum(1)

    def tables(self, rows: Tensor, count: int, generator: torch.Generator) -> Tables:
        """Scores of rows (n, 1), and of as many shifted batches (n, count, 1)."""
        n = len(rows)
        places = torch.arange(n)[:, None]
        shifted = []
        for _ in range(count):
            shifts = torch.randint(1, max(n, 2), (1, self.size), generator=generator)
            turned = ((places + shifts) % n).to(rows.device)
            shifted.append(self.scores(rows.gather(0, turned)))
        return self.scores(rows)[:, None], torch.stack(shifted, 1)[..., None]

    def forward(self, rows: Tensor) -> dict[str, Tensor]:
        """The bound on a batch, by the name that `RatioTrainer` weights it by."""
        if self.training:
            tables = self.tables(rows, self.n_shifts, self.generator or new_generator(0))
            return {"information": self.objective(*tables)}
        return {"information": self.bound.objective(*self.tables(rows, _SHIFTS, new_generator(0)))}

    def log_ratio(self, rows: np.ndarray) -> np.ndarray:
        """Log ratio (n,) of rows (n, d), in nats."""
        with torch.inference_mode():
            return self.scores(self.inputs(rows)).double().numpy()

    def base_ratio(self, rows: np.ndarray) -> np.ndarray:
        """What the Gaussian ratio alone says (n,) of rows."""
        with torch.inference_mode():
            return self._gaussian(self.inputs(rows)).double().numpy()

    def read(self, rows: np.ndarray) -> tuple[float, list[Tables]]:
        """As `RatioModel.read`."""
        with torch.inference_mode():
            return 0.0, [self.tables(self.inputs(rows), _SHIFTS, new_generator(0))]


class DependenceTrainer(RatioTrainer):
    """Trains models of the dependence among columns; `size_x` is their number."""

    def build(self, seed: int) -> DependenceModel:  # type: ignore[override]
        """A model with first weights."""
        with private_rng(seed, torch.device("cpu")):
            return DependenceModel(self.critic, self.bound, self.size_x, self.n_shifts)

    def gaussian(self, pairs: np.ndarray) -> float:
        """Total correlation of jointly normal columns, in nats."""
        return gaussian_total_correlation(pairs)

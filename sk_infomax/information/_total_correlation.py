"""Dependence among the columns of one array: the log ratio to independent columns."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from .._random import new_generator, own_draws
from ..bounds import Bound
from ..critics import Critic
from ._cross_fitting import RatioTrainer
from ._gaussian import log_determinant, whitening
from ._models import N_RADIAL, HeldOut, Tables, radial_features

__all__ = ["DependenceModel", "DependenceTrainer", "gaussian_total_correlation"]

_SHIFTS = 16  # shifted copies of the rows where a bound is read out; a rule


def gaussian_total_correlation(z: np.ndarray) -> float:
    """Total correlation in nats of jointly normal columns (n, d), without bias."""
    return 0.5 * (sum(log_determinant(column[:, None]) for column in z.T) - log_determinant(z))


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

    def __init__(self, critic: Critic, bound: Bound, size: int, n_shifts: int):
        super().__init__()
        self.findings: list[str] = []
        self.learned = 0.0  # as in `RatioModel`
        self.tried: dict[str, Tensor] | None = None  # as in `RatioModel`
        self.base_is_whole = True  # all correlations are in the Gaussian ratio
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
        root = whitening(covariance)
        self.get_buffer("mean").copy_(torch.from_numpy(rows.mean(0)))
        self.get_buffer("root").copy_(torch.from_numpy(root))
        self.get_buffer("spread").copy_(torch.from_numpy(np.diag(covariance).copy()))
        self.get_buffer("constant").fill_(float(np.linalg.slogdet(root)[1]))

    def inputs(self, rows: np.ndarray) -> Tensor:
        """Rows (n, d) as a tensor."""
        return torch.from_numpy(rows).float()

    def scores(self, rows: Tensor) -> Tensor:
        """Log ratio (n,) of rows (n, d)."""
        gaussian, white = self._gaussian(rows)
        seen = torch.cat([white, radial_features(rows)], 1)
        ones = torch.ones(len(rows), 1, 1, device=rows.device)
        left, right = self.network.sides(ones, seen[:, None])
        return self.gate * self.network.combine(left[:, 0], right[:, 0]) + gaussian

    def _gaussian(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """What the correlations alone say (n,) of rows, and the rows whitened."""
        centred = rows - self.get_buffer("mean")
        white = centred @ self.get_buffer("root")
        spread = self.get_buffer("spread")
        alone = 0.5 * (centred.square() / spread + spread.log()).sum(1)
        return self.get_buffer("constant") + alone - 0.5 * white.square().sum(1), white

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
        count = self.n_shifts if self.training else _SHIFTS
        generator = (self.generator if self.training else None) or new_generator(0)
        return {"information": self.objective(*self.tables(rows, count, generator))}

    def log_ratio(self, rows: np.ndarray) -> np.ndarray:
        """Log ratio (n,) of rows (n, d), in nats."""
        with torch.inference_mode():
            return self.scores(self.inputs(rows)).double().numpy()

    def base_ratio(self, rows: np.ndarray) -> np.ndarray:
        """What the Gaussian ratio alone says (n,) of rows."""
        with torch.inference_mode():
            return self._gaussian(self.inputs(rows))[0].double().numpy()

    def read(self, rows: np.ndarray) -> HeldOut:
        """As `RatioModel.read`."""
        with torch.inference_mode():
            return HeldOut(0.0, self.tables(self.inputs(rows), _SHIFTS, new_generator(0)))


class DependenceTrainer(RatioTrainer):
    """Trains models of the dependence among columns; `size_x` is their number."""

    def build(self, seed: int) -> DependenceModel:  # type: ignore[override]
        """A model with first weights."""
        with own_draws(seed):
            return DependenceModel(self.critic, self.bound, self.size_x, self.n_shifts)

    def curvature(self, pairs: np.ndarray) -> tuple[float, float]:
        """None: there is one side, and its dependence is what is asked for."""
        return 0.0, 0.0

    def gaussian(self, pairs: np.ndarray) -> float:
        """Total correlation of jointly normal columns, in nats."""
        return gaussian_total_correlation(pairs)

"""Distributions for the embedding: how it is brought to their support, and how they are drawn.

A new one is a class here and a line in `DISTRIBUTIONS`; `MMDPrior` and `NoisePrior` then take
its name, and an `AdversarialPrior` that names it matches it by an adversary.
"""

import math
from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from .._checks import closest_name

__all__ = ["DISTRIBUTIONS", "Distribution", "find_distribution"]

_TINY = 1e-12  # least length to divide by; only guards against a division by 0


class Distribution(ABC):
    """A distribution of vectors that is easy to sample.

    Examples
    --------
    >>> import torch
    >>> from sk_infomax.priors import DISTRIBUTIONS
    >>> drawn = DISTRIBUTIONS["sphere"].sample(torch.zeros(5, 3), torch.Generator())
    >>> torch.allclose(drawn.norm(dim=1), torch.ones(5))
    True
    """

    @abstractmethod
    def squash(self, vectors: Tensor) -> Tensor:
        """Bring embeddings (n, d) to the support."""

    @abstractmethod
    def sample(self, like: Tensor, generator: torch.Generator) -> Tensor:
        """Draw as many vectors as there are rows in `like` (n, d)."""

    def limit(self, n_components: int) -> nn.Module | None:
        """Limit under which this distribution carries most information through `noise`.

        Parameters
        ----------
        n_components : int
            Width d of the embedding.

        Returns
        -------
        torch.nn.Module or None
            Maps embeddings (n, d) to limited ones; None where no limit makes this distribution
            the best one.
        """
        return None

    def noise(self, like: Tensor, generator: torch.Generator) -> Tensor:
        """Draw the noise of the channel at size 1, of the shape of `like`: standard normal."""
        return _normal(like, generator)

    def capacity(self, n_components: int, noise: float) -> float:
        """Most information in nats through noise of this size, for d components.

        That of normal noise under unit variance, ``d / 2 log(1 + 1 / noise**2)`` (Shannon).
        """
        return 0.5 * n_components * math.log1p(1 / noise**2)


def _normal(like: Tensor, generator: torch.Generator) -> Tensor:
    return torch.randn(like.shape, generator=generator, device=like.device, dtype=like.dtype)


def _uniform(like: Tensor, generator: torch.Generator) -> Tensor:
    return torch.rand(like.shape, generator=generator, device=like.device, dtype=like.dtype)


class _Uniform(Distribution):
    """Uniform on the unit cube, for the sigmoid of the embedding."""

    def squash(self, vectors: Tensor) -> Tensor:
        return vectors.sigmoid()

    def sample(self, like: Tensor, generator: torch.Generator) -> Tensor:
        return _uniform(like, generator)

    def limit(self, n_components: int) -> nn.Module:
        return nn.Sigmoid()

    def noise(self, like: Tensor, generator: torch.Generator) -> Tensor:
        """Uniform in -1 .. 1."""
        return 2 * _uniform(like, generator) - 1

    def capacity(self, n_components: int, noise: float) -> float:
        """``d log(1 + 1 / (2 noise))``, as the sum lies in a cube of that volume ratio."""
        return n_components * math.log1p(1 / (2 * noise))


class _Normal(Distribution):
    """Standard normal, for the embedding itself."""

    def squash(self, vectors: Tensor) -> Tensor:
        return vectors

    def sample(self, like: Tensor, generator: torch.Generator) -> Tensor:
        return _normal(like, generator)

    def limit(self, n_components: int) -> nn.Module:
        """Unit variance of each component over the batch."""
        return nn.BatchNorm1d(n_components, affine=False)


class _Sphere(Distribution):
    """Uniform on the unit sphere, for the direction of the embedding."""

    def squash(self, vectors: Tensor) -> Tensor:
        return normalize(vectors, dim=1)

    def sample(self, like: Tensor, generator: torch.Generator) -> Tensor:
        return normalize(_normal(like, generator), dim=1)

    def limit(self, n_components: int) -> nn.Module:
        return _RootLength()


class _RootLength(nn.Module):
    """Vectors (n, d) at the length sqrt(d), at which components have unit variance."""

    def forward(self, vectors: Tensor) -> Tensor:
        return normalize(vectors, dim=1) * vectors.shape[1] ** 0.5


class _Ball(Distribution):
    """Uniform in the unit ball, for the embedding with its length squashed by tanh."""

    def squash(self, vectors: Tensor) -> Tensor:
        """The embedding, its length r taken to tanh(r / sqrt(d)), which is below 1."""
        length = vectors.norm(dim=1, keepdim=True).clamp(min=_TINY)
        return vectors / length * torch.tanh(length / vectors.shape[1] ** 0.5)

    def sample(self, like: Tensor, generator: torch.Generator) -> Tensor:
        """Directions, at the d-th root of a uniform number from the centre."""
        radius = _uniform(like[:, :1], generator) ** (1 / like.shape[1])
        return normalize(_normal(like, generator), dim=1) * radius


DISTRIBUTIONS: dict[str, Distribution] = {
    "uniform": _Uniform(),
    "normal": _Normal(),
    "sphere": _Sphere(),
    "ball": _Ball(),
}


def find_distribution(name: str) -> Distribution:
    """The distribution of this name.

    Raises
    ------
    ValueError
        If there is none, with the nearest name.
    """
    if name not in DISTRIBUTIONS:
        raise ValueError(f"distribution={name!r} is unknown: {closest_name(name, DISTRIBUTIONS)}")
    return DISTRIBUTIONS[name]

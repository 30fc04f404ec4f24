"""Matching without an adversary: a limited embedding, read through noise."""

import torch
from torch import Tensor, nn

from .._checks import POSITIVE
from ._base import Match, Prior
from ._distributions import DISTRIBUTIONS, Distribution, find_distribution

__all__ = ["NoisePrior", "NoisyMatch"]


class NoisePrior(Prior):
    """Match without an adversary: limit the embedding, and add noise to what the critics see.

    Under a limit on the embedding, the distribution that gets most information through additive
    noise is known: for unit variance, the normal one; for the unit cube, nearly the uniform one;
    on the sphere, the uniform one. So maximising information is matching, as long as the critics
    can tell as much as the channel lets through (`capacity`). `prior_weight` has no effect.

    Parameters
    ----------
    distribution : str, default="normal"
        What is matched, a name in `DISTRIBUTIONS` of which a limit is known. "normal" standardises
        each component over the batch and adds normal noise; "uniform" takes the sigmoid and adds
        uniform noise; "sphere" takes the embedding to length ``sqrt(d)`` and adds normal noise.
        Not "ball": what carries most information from within a ball lies on spheres around its
        centre, so that maximising information would not match it.
    noise : float, default=0.1
        Standard deviation of normal noise, or half the range of uniform noise.

    References
    ----------
    Butakov et al., Efficient distribution matching of representations via noise-injected deep
    InfoMax, 2024, arXiv 2410.06993. Of the ball: Shamai and Bar-David, The capacity of average and
    peak-power-limited quadrature Gaussian channels, IEEE Transactions on Information Theory 1995.

    Examples
    --------
    >>> from sk_infomax.priors import NoisePrior
    >>> round(NoisePrior(noise=0.1).capacity(8), 1)
    18.5
    """

    _parameter_constraints: dict = {"distribution": [str], "noise": [POSITIVE]}

    def __init__(self, distribution: str = "normal", noise: float = 0.1):
        self.distribution = distribution
        self.noise = noise

    def build(self, n_components: int) -> "NoisyMatch":
        """Make the channel for embeddings of this width."""
        return NoisyMatch(*self._limited(n_components), self.noise)

    def capacity(self, n_components: int) -> float:
        """Most information in nats that the channel lets through, for d components.

        ``d / 2 log(1 + 1 / noise**2)`` under unit variance (Shannon), also a bound on the sphere;
        ``d log(1 + 1 / (2 noise))`` for the cube, as the sum lies in a cube of that volume ratio.
        """
        return self._limited(n_components)[0].capacity(n_components, self.noise)

    def _limited(self, n_components: int) -> tuple[Distribution, nn.Module]:
        """What is matched, and the limit under which noise matches it."""
        distribution = find_distribution(self.distribution)
        limit = distribution.limit(n_components)
        if limit is None:
            able = [repr(name) for name, d in DISTRIBUTIONS.items() if d.limit(1) is not None]
            raise ValueError(
                f"NoisePrior(distribution={self.distribution!r}) would not match it: under no "
                "known limit is it what carries most information through noise. Use one of "
                f"{', '.join(able)}, or MMDPrior({self.distribution!r})."
            )
        return distribution, limit


class NoisyMatch(Match):
    """The channel of a `NoisePrior`.

    Parameters
    ----------
    distribution : Distribution
        Draws the noise at size 1.
    limit : torch.nn.Module
        Limits the embedding.
    noise : float
        Size of the noise.

    Examples
    --------
    >>> import torch
    >>> from sk_infomax.priors import NoisePrior
    >>> channel = NoisePrior("uniform", noise=0.1).build(8)
    >>> channel.carry(torch.zeros(5, 8), torch.Generator()).shape
    torch.Size([5, 8])
    """

    def __init__(self, distribution: Distribution, limit: nn.Module, noise: float):
        super().__init__()
        self.distribution = distribution
        self.limit = limit
        self.noise = noise

    def carry(self, vectors: Tensor, generator: torch.Generator) -> Tensor:
        """Limited and with noise."""
        return self.limit(vectors) + self.noise * self.distribution.noise(vectors, generator)

"""Matching without an adversary: distances of a batch of embeddings to a batch of draws."""

import torch
from torch import Tensor

from ._base import Match, Prior
from ._distributions import Distribution, find_distribution

__all__ = ["DistanceMatch", "MMDPrior"]


class MMDPrior(Prior):
    """Match without an adversary: bring a batch of embeddings near a batch of draws.

    What is brought down is the maximum mean discrepancy of the two batches with the kernel
    ``-|u - v|``, which is their energy distance and has no width to choose. Divided by what chance
    makes of it, it is about 1 for embeddings that are draws, whatever their number. It has no
    parameters, so nothing has to keep up with the encoder: for short trainings, wide embeddings
    and large weights it matches where an adversary falls behind. It sees less of what only many
    components together show.

    Parameters
    ----------
    distribution : str, default="normal"
        What is matched, a name in `DISTRIBUTIONS`: "normal", "uniform", "sphere" or "ball"; see
        `NormalPrior`, `UniformPrior`, `SpherePrior` and `BallPrior`.

    References
    ----------
    Székely and Rizzo, Energy statistics, 2013; Gretton et al., A kernel two-sample test, 2012;
    Tolstikhin et al., Wasserstein auto-encoders, ICLR 2018, for a discrepancy in the place of an
    adversary.

    Examples
    --------
    >>> from sk_infomax import DeepInfoMaxTransformer
    >>> from sk_infomax.priors import MMDPrior
    >>> model = DeepInfoMaxTransformer(prior=MMDPrior("sphere"), prior_weight=1.0)
    """

    _parameter_constraints: dict = {"distribution": [str]}

    def __init__(self, distribution: str = "normal"):
        self.distribution = distribution

    def build(self, n_components: int) -> "DistanceMatch":
        """Make the match, which has no parameters."""
        return DistanceMatch(find_distribution(self.distribution))


def _distances(first: Tensor, second: Tensor) -> Tensor:
    """Distances (n, m) of vectors (n, d) and (m, d); that of equal ones has gradient 0."""
    # By matrix products it would be faster, and imprecise where distances are small.
    return torch.cdist(first, second, compute_mode="donot_use_mm_for_euclid_dist")


class DistanceMatch(Match):
    """The energy distance of embeddings and as many draws, in units of chance.

    Parameters
    ----------
    distribution : Distribution
        What is matched.

    Examples
    --------
    >>> from sk_infomax.priors import MMDPrior
    >>> list(MMDPrior().build(8).parameters())
    []
    """

    def __init__(self, distribution: Distribution):
        super().__init__()
        self.distribution = distribution

    def statistic(self, vectors: Tensor, generator: torch.Generator) -> Tensor:
        """Energy distance of embeddings (n, d) and draws, times ``n / 2`` over the mean distance.

        The mean distance is that of two draws, so the value of n draws is 1 in the mean.
        """
        ours = self.distribution.squash(vectors)
        drawn = self.distribution.sample(ours.detach(), generator)
        n, among = len(ours), _distances(drawn, drawn).mean()
        energy = 2 * _distances(ours, drawn).mean() - _distances(ours, ours).mean() - among
        return energy * (n - 1) / (2 * among)

    def objectives(self, vectors: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
        """Minus the statistic, for the encoder."""
        return {"prior": -self.statistic(vectors, generator)}

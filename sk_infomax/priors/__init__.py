"""Priors: matching the distribution of the embedding to one that is easy to sample.

Distributions times ways of matching. A `Distribution` says how embeddings are brought to its
support and how it is drawn from: "uniform", "normal", "sphere" and "ball" are in
`DISTRIBUTIONS`. A prior says how it is matched; its `build` gives a `Match`.

=======  ==============  ====================================================================
Name     Class           What is matched, and how
=======  ==============  ====================================================================
uniform  `UniformPrior`  uniform on the unit cube, by an adversary (Hjelm et al. 2019)
normal   `NormalPrior`   standard normal, by an adversary
sphere   `SpherePrior`   uniform on the unit sphere, by an adversary
ball     `BallPrior`     uniform in the unit ball, by an adversary
mmd      `MMDPrior`      any of these, by distances within a batch (no adversary)
noise    `NoisePrior`    the first three, by a noisy channel (no adversary)
=======  ==============  ====================================================================

An adversary, the discriminator of an `AdversarialMatch`, learns to tell embeddings from draws,
while the encoder learns to be taken for draws. The two pull against each other, so each has its
optimizer and neither sees the gradient of the other. A `DistanceMatch` compares the distances
within a batch of embeddings with those to draws. A `NoisyMatch` shows the critics the embedding
through a noisy channel, and what carries most information through it has the distribution.
"""

from ._adversary import (
    DISCRIMINATOR,
    AdversarialMatch,
    AdversarialPrior,
    BallPrior,
    NormalPrior,
    SpherePrior,
    UniformPrior,
)
from ._base import Match, Prior
from ._distance import DistanceMatch, MMDPrior
from ._distributions import DISTRIBUTIONS, Distribution
from ._noise import NoisePrior, NoisyMatch

__all__ = [
    "DISCRIMINATOR",
    "DISTRIBUTIONS",
    "PRIORS",
    "AdversarialMatch",
    "AdversarialPrior",
    "BallPrior",
    "DistanceMatch",
    "Distribution",
    "MMDPrior",
    "Match",
    "NoisePrior",
    "NoisyMatch",
    "NormalPrior",
    "Prior",
    "SpherePrior",
    "UniformPrior",
]

PRIORS: dict[str, type[Prior]] = {
    "uniform": UniformPrior,
    "normal": NormalPrior,
    "sphere": SpherePrior,
    "ball": BallPrior,
    "mmd": MMDPrior,
    "noise": NoisePrior,
}

"""Priors: matching the distribution of the embedding to one that is easy to sample.

A prior's `build` gives a `Match`. An `AdversarialMatch` has a discriminator that learns to tell
embeddings from draws of the prior, while the encoder learns to be taken for the prior. The two
pull against each other, so each has its own optimizer and neither sees the other's gradient. The
other two have no adversary. A `DistanceMatch` compares the distances within a batch of embeddings
with those to draws of the prior. A `NoisyMatch` shows the critics the embedding through a noisy
channel, and what carries most information through it has the distribution of the prior.
"""

import math

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import logsigmoid, normalize

from ._checks import NON_NEGATIVE, POSITIVE, one_of
from ._parts import Part

__all__ = [
    "DISCRIMINATOR",
    "PRIORS",
    "AdversarialMatch",
    "AdversarialPrior",
    "BallPrior",
    "DistanceMatch",
    "MMDPrior",
    "NoisePrior",
    "NoisyMatch",
    "NormalPrior",
    "Prior",
    "SpherePrior",
    "UniformPrior",
]

DISCRIMINATOR = "discriminator"
"""Name of the term that the adversary's own optimizer maximises."""


class Prior(Part):
    """A distribution for the embedding; `build` makes what matches it."""

    def build(self, n_components: int) -> "Match":
        """Make the match for embeddings of this width."""
        raise TypeError(f"{type(self).__name__} must define build(n_components).")


class AdversarialPrior(Prior):
    """A distribution that is matched by an adversary.

    Parameters
    ----------
    hidden : tuple of int, default=(1000, 200)
        Widths of the discriminator's hidden layers.
    gradient_penalty : float, default=0.0
        Weight of half the mean squared norm of the discriminator's gradient, over all draws and
        all embeddings of a batch; it keeps the discriminator smooth.

    References
    ----------
    Hjelm et al., ICLR 2019, equation 7 and appendix A.2; Mescheder, Geiger and Nowozin, Which
    training methods for GANs do actually converge?, ICML 2018.
    """

    _parameter_constraints: dict = {"hidden": [tuple, list], "gradient_penalty": [NON_NEGATIVE]}

    def __init__(self, hidden=(1000, 200), gradient_penalty=0.0):
        self.hidden = hidden
        self.gradient_penalty = gradient_penalty

    def build(self, n_components: int) -> "AdversarialMatch":
        """Make the adversary for embeddings of this width."""
        return AdversarialMatch(self, n_components)

    def squash(self, vectors: Tensor) -> Tensor:
        """Bring embeddings (n, d) to the support of the prior."""
        raise TypeError(f"{type(self).__name__} must define squash(vectors).")

    def sample(self, like: Tensor, generator: torch.Generator) -> Tensor:
        """Draw as many vectors of the prior as there are rows in `like` (n, d)."""
        raise TypeError(f"{type(self).__name__} must define sample(like, generator).")


def _normal(like: Tensor, generator: torch.Generator) -> Tensor:
    return torch.randn(like.shape, generator=generator, device=like.device, dtype=like.dtype)


def _uniform(like: Tensor, generator: torch.Generator) -> Tensor:
    return torch.rand(like.shape, generator=generator, device=like.device, dtype=like.dtype)


class UniformPrior(AdversarialPrior):
    """Uniform on the unit cube, for the sigmoid of the embedding: the paper's choice.

    Parameters
    ----------
    hidden : tuple of int, default=(1000, 200)
        Widths of the discriminator's hidden layers.
    gradient_penalty : float, default=0.0
        Weight of the penalty on the discriminator's gradient; see `AdversarialPrior`.
    """

    def squash(self, vectors: Tensor) -> Tensor:
        """Sigmoid of the embedding."""
        return vectors.sigmoid()

    def sample(self, like: Tensor, generator: torch.Generator) -> Tensor:
        """Uniform numbers in [0, 1), of the shape of `like`."""
        return _uniform(like, generator)


class NormalPrior(AdversarialPrior):
    """Standard normal, for the embedding itself.

    Parameters
    ----------
    hidden : tuple of int, default=(1000, 200)
        Widths of the discriminator's hidden layers.
    gradient_penalty : float, default=0.0
        Weight of the penalty on the discriminator's gradient; see `AdversarialPrior`.
    """

    def squash(self, vectors: Tensor) -> Tensor:
        """The embedding as it is."""
        return vectors

    def sample(self, like: Tensor, generator: torch.Generator) -> Tensor:
        """Standard normal numbers of the shape of `like`."""
        return _normal(like, generator)


class SpherePrior(AdversarialPrior):
    """Uniform on the unit sphere, for the direction of the embedding.

    Parameters
    ----------
    hidden : tuple of int, default=(1000, 200)
        Widths of the discriminator's hidden layers.
    gradient_penalty : float, default=0.0
        Weight of the penalty on the discriminator's gradient; see `AdversarialPrior`.
    """

    def squash(self, vectors: Tensor) -> Tensor:
        """The embedding at unit length."""
        return normalize(vectors, dim=1)

    def sample(self, like: Tensor, generator: torch.Generator) -> Tensor:
        """Directions of normal numbers."""
        return normalize(_normal(like, generator), dim=1)


class BallPrior(AdversarialPrior):
    """Uniform in the unit ball, for the embedding with its length squashed by tanh.

    Parameters
    ----------
    hidden : tuple of int, default=(1000, 200)
        Widths of the discriminator's hidden layers.
    gradient_penalty : float, default=0.0
        Weight of the penalty on the discriminator's gradient; see `AdversarialPrior`.
    """

    def squash(self, vectors: Tensor) -> Tensor:
        """The embedding, its length r taken to tanh(r / sqrt(d)), which is below 1."""
        length = vectors.norm(dim=1, keepdim=True).clamp(min=1e-12)
        return vectors / length * torch.tanh(length / vectors.shape[1] ** 0.5)

    def sample(self, like: Tensor, generator: torch.Generator) -> Tensor:
        """Directions, at the d-th root of a uniform number from the centre."""
        radius = _uniform(like[:, :1], generator) ** (1 / like.shape[1])
        return normalize(_normal(like, generator), dim=1) * radius


_MATCHED: dict[str, type[AdversarialPrior]] = {
    "uniform": UniformPrior,
    "normal": NormalPrior,
    "sphere": SpherePrior,
    "ball": BallPrior,
}


class MMDPrior(Prior):
    """Match without an adversary: bring a batch of embeddings near a batch of draws.

    What is brought down is the maximum mean discrepancy of the two batches with the kernel
    ``-|u - v|``, which is their energy distance and has no width to choose. Divided by what chance
    makes of it, it is about 1 for embeddings that are draws of the prior, whatever their number.
    It has no parameters, so nothing has to keep up with the encoder: for short trainings, wide
    embeddings and large weights it matches where an adversary falls behind. It sees less of what
    only many components together show.

    Parameters
    ----------
    distribution : {"normal", "uniform", "sphere", "ball"}, default="normal"
        What is matched; see `NormalPrior`, `UniformPrior`, `SpherePrior` and `BallPrior`.

    References
    ----------
    Székely and Rizzo, Energy statistics, 2013; Gretton et al., A kernel two-sample test, 2012;
    Tolstikhin et al., Wasserstein auto-encoders, ICLR 2018, for a discrepancy in the place of an
    adversary.
    """

    _parameter_constraints: dict = {"distribution": [one_of(set(_MATCHED))]}

    def __init__(self, distribution="normal"):
        self.distribution = distribution

    def build(self, n_components: int) -> "DistanceMatch":
        """Make the match, which has no parameters."""
        return DistanceMatch(_MATCHED[self.distribution]())


class NoisePrior(Prior):
    """Match without an adversary: limit the embedding, and add noise to what the critics see.

    Under a limit on the embedding, the distribution that gets most information through additive
    noise is known: for unit variance, the normal one; for the unit cube, nearly the uniform one;
    on the sphere, the uniform one. So maximising information is matching, as long as the critics
    can tell as much as the channel lets through (`capacity`). `prior_weight` has no effect.

    Parameters
    ----------
    distribution : {"normal", "uniform", "sphere"}, default="normal"
        What is matched. "normal" standardises each component over the batch and adds normal
        noise; "uniform" takes the sigmoid and adds uniform noise; "sphere" takes the embedding to
        length ``sqrt(d)`` and adds normal noise.
    noise : float, default=0.1
        Standard deviation of normal noise, or half the range of uniform noise.

    References
    ----------
    Butakov et al., Efficient distribution matching of representations via noise-injected deep
    InfoMax, 2024, arXiv 2410.06993.
    """

    _parameter_constraints: dict = {
        "distribution": [one_of({"normal", "uniform", "sphere"})],
        "noise": [POSITIVE],
    }

    def __init__(self, distribution="normal", noise=0.1):
        self.distribution = distribution
        self.noise = noise

    def build(self, n_components: int) -> "NoisyMatch":
        """Make the channel for embeddings of this width."""
        return NoisyMatch(self, n_components)

    def capacity(self, n_components: int) -> float:
        """Most information in nats that the channel lets through, for d components.

        ``d / 2 log(1 + 1 / noise**2)`` under unit variance (Shannon), also a bound on the sphere;
        ``d log(1 + 1 / (2 noise))`` for the cube, as the sum lies in a cube of that volume ratio.
        """
        if self.distribution == "uniform":
            return n_components * math.log1p(1 / (2 * self.noise))
        return 0.5 * n_components * math.log1p(1 / self.noise**2)


class Match(nn.Module):
    """What a prior adds to training."""

    adversary: str | None = None
    """Name of the term that its own parameters maximise; None where it has none."""

    def carry(self, vectors: Tensor, generator: torch.Generator) -> Tensor:
        """What the critics see of embeddings (n, d)."""
        return vectors

    def objectives(self, vectors: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
        """Terms to maximise, by name, for embeddings (n, d)."""
        return {}


def _distances(first: Tensor, second: Tensor) -> Tensor:
    """Distances (n, m) of vectors (n, d) and (m, d); that of equal ones has gradient 0."""
    return torch.cdist(first, second, compute_mode="donot_use_mm_for_euclid_dist")


class DistanceMatch(Match):
    """The energy distance of embeddings and as many draws, in units of chance.

    Parameters
    ----------
    prior : AdversarialPrior
        Gives the samples; its adversary is not made.
    """

    def __init__(self, prior: AdversarialPrior):
        super().__init__()
        self.prior = prior

    def statistic(self, vectors: Tensor, generator: torch.Generator) -> Tensor:
        """Energy distance of embeddings (n, d) and draws, times ``n / 2`` over the mean distance.

        The mean distance is that of two draws, so the value of n draws is 1 in the mean.
        """
        ours = self.prior.squash(vectors)
        drawn = self.prior.sample(ours.detach(), generator)
        n, among = len(ours), _distances(drawn, drawn).mean()
        energy = 2 * _distances(ours, drawn).mean() - _distances(ours, ours).mean() - among
        return energy * (n - 1) / (2 * among)

    def objectives(self, vectors: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
        """Minus the statistic, for the encoder."""
        return {"prior": -self.statistic(vectors, generator)}


class NoisyMatch(Match):
    """The channel of a `NoisePrior`.

    Parameters
    ----------
    prior : NoisePrior
        Says how the embedding is limited, and the noise.
    n_components : int
        Width of the embedding.
    """

    def __init__(self, prior: NoisePrior, n_components: int):
        super().__init__()
        self.prior = prior
        self.norm = nn.BatchNorm1d(n_components, affine=False)

    def carry(self, vectors: Tensor, generator: torch.Generator) -> Tensor:
        """Limited and with noise."""
        if self.prior.distribution == "uniform":
            noise = 2 * _uniform(vectors, generator) - 1
            return vectors.sigmoid() + self.prior.noise * noise
        if self.prior.distribution == "normal":
            limited = self.norm(vectors)
        else:
            limited = normalize(vectors, dim=1) * vectors.shape[1] ** 0.5
        return limited + self.prior.noise * _normal(vectors, generator)


class AdversarialMatch(Match):
    """The discriminator, and what each side maximises.

    Parameters
    ----------
    prior : AdversarialPrior
        Gives the samples.
    n_components : int
        Width of the embedding.
    """

    adversary = DISCRIMINATOR

    def __init__(self, prior: AdversarialPrior, n_components: int):
        super().__init__()
        self.prior = prior
        layers: list[nn.Module] = []
        size = n_components
        for width in prior.hidden:
            layers += [nn.Linear(size, width), nn.ReLU()]
            size = width
        self.discriminator = nn.Sequential(*layers, nn.Linear(size, 1))

    def encoder_objective(self, vectors: Tensor) -> Tensor:
        """What the encoder maximises: ``E[log D(embedding)]``, the non-saturating form.

        The discriminator's weights enter as constants.
        """
        frozen = {name: p.detach() for name, p in self.discriminator.named_parameters()}
        logits = functional_call(self.discriminator, frozen, (self.prior.squash(vectors),))
        return logsigmoid(logits).mean()

    def discriminator_objective(self, vectors: Tensor, generator: torch.Generator) -> Tensor:
        """What the discriminator maximises: ``E[log D(prior)] + E[log(1 - D(embedding))]``.

        The embeddings enter as constants. Where gradients are taken, the penalty is taken off.
        """
        fake = self.prior.squash(vectors.detach())
        real = self.prior.sample(fake, generator)
        both = torch.cat([real, fake])
        penalised = self.prior.gradient_penalty > 0 and torch.is_grad_enabled()
        logits = self.discriminator(both.requires_grad_(penalised))
        logits_real, logits_fake = logits.chunk(2)
        value = logsigmoid(logits_real).mean() + logsigmoid(-logits_fake).mean()
        if not penalised:
            return value
        (slopes,) = torch.autograd.grad(logits.sum(), both, create_graph=True)
        return value - 0.5 * self.prior.gradient_penalty * slopes.square().sum(1).mean()

    def objectives(self, vectors: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
        """Both sides, for the encoder's optimizer and for the adversary's own."""
        return {
            "prior": self.encoder_objective(vectors),
            DISCRIMINATOR: self.discriminator_objective(vectors, generator),
        }


PRIORS: dict[str, type[Prior]] = {
    "uniform": UniformPrior,
    "normal": NormalPrior,
    "sphere": SpherePrior,
    "ball": BallPrior,
    "mmd": MMDPrior,
    "noise": NoisePrior,
}

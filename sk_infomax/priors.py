"""Priors: matching the distribution of the embedding to one that is easy to sample.

A prior's `build` gives an `AdversarialMatch`: a discriminator that learns to tell embeddings
from draws of the prior, while the encoder learns to be taken for the prior. The two pull
against each other, so each has its own optimizer and neither sees the other's gradient.
"""

import torch
from sklearn.base import BaseEstimator
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import logsigmoid

__all__ = ["PRIORS", "AdversarialMatch", "NormalPrior", "Prior", "UniformPrior"]


class Prior(BaseEstimator):
    """A distribution for the embedding, matched by an adversary.

    Parameters
    ----------
    hidden : tuple of int, default=(1000, 200)
        Widths of the discriminator's hidden layers.

    References
    ----------
    Hjelm et al., ICLR 2019, equation 7 and appendix A.2.
    """

    _parameter_constraints: dict = {"hidden": [tuple, list]}

    def __init__(self, hidden=(1000, 200)):
        self.hidden = hidden

    def build(self, n_components: int) -> "AdversarialMatch":
        """Make the adversary for embeddings of this width."""
        return AdversarialMatch(self, n_components)

    def squash(self, vectors: Tensor) -> Tensor:
        """Bring embeddings (n, d) to the support of the prior."""
        raise TypeError(f"{type(self).__name__} must define squash(vectors).")

    def sample(self, like: Tensor, generator: torch.Generator) -> Tensor:
        """Draw as many vectors of the prior as there are rows in `like` (n, d)."""
        raise TypeError(f"{type(self).__name__} must define sample(like, generator).")


class UniformPrior(Prior):
    """Uniform on the unit cube, for the sigmoid of the embedding: the paper's choice.

    Parameters
    ----------
    hidden : tuple of int, default=(1000, 200)
        Widths of the discriminator's hidden layers.
    """

    def squash(self, vectors: Tensor) -> Tensor:
        """Sigmoid of the embedding."""
        return vectors.sigmoid()

    def sample(self, like: Tensor, generator: torch.Generator) -> Tensor:
        """Uniform numbers in [0, 1), of the shape of `like`."""
        return torch.rand(like.shape, generator=generator, device=like.device, dtype=like.dtype)


class NormalPrior(Prior):
    """Standard normal, for the embedding itself.

    Parameters
    ----------
    hidden : tuple of int, default=(1000, 200)
        Widths of the discriminator's hidden layers.
    """

    def squash(self, vectors: Tensor) -> Tensor:
        """The embedding as it is."""
        return vectors

    def sample(self, like: Tensor, generator: torch.Generator) -> Tensor:
        """Standard normal numbers of the shape of `like`."""
        return torch.randn(like.shape, generator=generator, device=like.device, dtype=like.dtype)


class AdversarialMatch(nn.Module):
    """The discriminator, and what each side maximises.

    Parameters
    ----------
    prior : Prior
        Gives the samples.
    n_components : int
        Width of the embedding.
    """

    def __init__(self, prior: Prior, n_components: int):
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

        The embeddings enter as constants.
        """
        fake = self.prior.squash(vectors.detach())
        real = self.prior.sample(fake, generator)
        logits_real, logits_fake = self.discriminator(torch.cat([real, fake])).chunk(2)
        return logsigmoid(logits_real).mean() + logsigmoid(-logits_fake).mean()


PRIORS: dict[str, type[Prior]] = {"uniform": UniformPrior, "normal": NormalPrior}

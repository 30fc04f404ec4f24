"""Matching by an adversary: a discriminator that tells embeddings from draws."""

from numbers import Integral
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import logsigmoid

from .._checks import NON_NEGATIVE
from ._base import Match, Prior
from ._distributions import find_distribution

__all__ = [
    "DISCRIMINATOR",
    "AdversarialMatch",
    "AdversarialPrior",
    "BallPrior",
    "NormalPrior",
    "SpherePrior",
    "UniformPrior",
]

DISCRIMINATOR = "discriminator"
"""Name of the term that the adversary's optimizer maximises."""


class AdversarialPrior(Prior):
    """A distribution that is matched by an adversary.

    A subclass names its `distribution`, or defines `squash` and `sample`.

    Parameters
    ----------
    hidden : tuple of int, default=(1000, 200)
        Widths of the discriminator's hidden layers.
    gradient_penalty : float, default=0.0
        Weight of the mean squared norm of the gradient of the discriminator's logit, over all
        draws and all embeddings of a batch; it keeps the discriminator smooth. 1 is that of the
        paper's code, which `sk_infomax.paper.paper` has; in short trainings the embedding then
        comes no nearer to the prior, so that it is left out by default.

    References
    ----------
    Hjelm et al., ICLR 2019, equation 7 and appendix A.2; Mescheder, Geiger and Nowozin, Which
    training methods for GANs do actually converge?, ICML 2018.

    Examples
    --------
    >>> from sk_infomax.priors import AdversarialPrior
    >>> class DirectionPrior(AdversarialPrior):
    ...     distribution = "sphere"
    """

    _parameter_constraints: dict = {"hidden": [tuple, list], "gradient_penalty": [NON_NEGATIVE]}

    distribution: ClassVar[str | None] = None
    """What is matched, a name in `DISTRIBUTIONS`."""

    def __init__(self, hidden: tuple[int, ...] = (1000, 200), gradient_penalty: float = 0.0):
        self.hidden = hidden
        self.gradient_penalty = gradient_penalty

    def build(self, n_components: int) -> "AdversarialMatch":
        """Make the adversary for embeddings of this width.

        Raises
        ------
        ValueError
            If a hidden layer has no whole width of 1 or more.
        """
        if not all(isinstance(w, Integral) and w > 0 for w in self.hidden):
            raise ValueError(
                f"{type(self).__name__}(hidden={self.hidden!r}) must hold whole numbers of 1 or "
                "more, the widths of layers, such as (64,)."
            )
        return AdversarialMatch(self, n_components)

    def squash(self, vectors: Tensor) -> Tensor:
        """Bring embeddings (n, d) to the support of the distribution."""
        if self.distribution is None:
            raise TypeError(f"{type(self).__name__} must define distribution or squash(vectors).")
        return find_distribution(self.distribution).squash(vectors)

    def sample(self, like: Tensor, generator: torch.Generator) -> Tensor:
        """Draw as many vectors of the distribution as there are rows in `like` (n, d)."""
        if self.distribution is None:
            raise TypeError(
                f"{type(self).__name__} must define distribution or sample(like, generator)."
            )
        return find_distribution(self.distribution).sample(like, generator)


class UniformPrior(AdversarialPrior):
    """Uniform on the unit cube, for the sigmoid of the embedding: the paper's choice.

    Parameters
    ----------
    hidden : tuple of int, default=(1000, 200)
        Widths of the discriminator's hidden layers.
    gradient_penalty : float, default=0.0
        Weight of the penalty on the discriminator's gradient; see `AdversarialPrior`.

    Examples
    --------
    >>> from sk_infomax import DeepInfoMaxTransformer, UniformPrior
    >>> model = DeepInfoMaxTransformer(prior=UniformPrior(hidden=(64,)), prior_weight=0.1)
    """

    distribution = "uniform"


class NormalPrior(AdversarialPrior):
    """Standard normal, for the embedding itself.

    Parameters
    ----------
    hidden : tuple of int, default=(1000, 200)
        Widths of the discriminator's hidden layers.
    gradient_penalty : float, default=0.0
        Weight of the penalty on the discriminator's gradient; see `AdversarialPrior`.

    Examples
    --------
    >>> from sk_infomax import DeepInfoMaxTransformer, NormalPrior
    >>> model = DeepInfoMaxTransformer(prior=NormalPrior(gradient_penalty=0.1))
    """

    distribution = "normal"


class SpherePrior(AdversarialPrior):
    """Uniform on the unit sphere, for the direction of the embedding.

    Parameters
    ----------
    hidden : tuple of int, default=(1000, 200)
        Widths of the discriminator's hidden layers.
    gradient_penalty : float, default=0.0
        Weight of the penalty on the discriminator's gradient; see `AdversarialPrior`.

    Examples
    --------
    >>> from sk_infomax import DeepInfoMaxTransformer
    >>> from sk_infomax.priors import SpherePrior
    >>> model = DeepInfoMaxTransformer(prior=SpherePrior())  # or prior="sphere"
    """

    distribution = "sphere"


class BallPrior(AdversarialPrior):
    """Uniform in the unit ball, for the embedding with its length squashed by tanh.

    Parameters
    ----------
    hidden : tuple of int, default=(1000, 200)
        Widths of the discriminator's hidden layers.
    gradient_penalty : float, default=0.0
        Weight of the penalty on the discriminator's gradient; see `AdversarialPrior`.

    Examples
    --------
    >>> from sk_infomax import DeepInfoMaxTransformer
    >>> from sk_infomax.priors import BallPrior
    >>> model = DeepInfoMaxTransformer(prior=BallPrior())  # or prior="ball"
    """

    distribution = "ball"


class AdversarialMatch(Match):
    """The discriminator, and what it and the encoder maximise.

    Parameters
    ----------
    prior : AdversarialPrior
        Gives the draws.
    n_components : int
        Width of the embedding.

    Examples
    --------
    >>> import torch
    >>> from sk_infomax import UniformPrior
    >>> match = UniformPrior(hidden=(16,)).build(8)
    >>> sorted(match.objectives(torch.randn(5, 8), torch.Generator()))
    ['discriminator', 'prior']
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
        """What the discriminator maximises: ``E[log D(draw)] + E[log(1 - D(embedding))]``.

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
        return value - self.prior.gradient_penalty * slopes.square().sum(1).mean()

    def objectives(self, vectors: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
        """Both terms, for the encoder's optimizer and for the adversary's."""
        return {
            "prior": self.encoder_objective(vectors),
            DISCRIMINATOR: self.discriminator_objective(vectors, generator),
        }

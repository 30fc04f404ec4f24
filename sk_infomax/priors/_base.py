"""What every prior is: settings that make a `Match`."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .._parts import Part

__all__ = ["Match", "Prior"]


class Prior(Part):
    """The settings of a way to match a distribution; `build` makes what matches it.

    Examples
    --------
    >>> from sk_infomax.priors import Match, Prior
    >>> class ShortMatch(Match):
    ...     def objectives(self, vectors, generator):
    ...         return {"prior": -vectors.square().mean()}
    >>> class ShortPrior(Prior):
    ...     def build(self, n_components):
    ...         return ShortMatch()
    """

    def build(self, n_components: int) -> Match:
        """Make the match for embeddings of this width."""
        raise TypeError(f"{type(self).__name__} must define build(n_components).")


class Match(nn.Module):
    """What a prior adds to training: terms, and what the critics see in the embedding's place.

    Examples
    --------
    >>> import torch
    >>> from sk_infomax.priors import PRIORS
    >>> match = PRIORS["mmd"]().build(3)
    >>> list(match.objectives(torch.randn(5, 3), torch.Generator())), match.adversary
    (['prior'], None)
    """

    adversary: str | None = None
    """Name of the term that its parameters maximise against the encoder; None where it has none."""

    def __init__(self) -> None:
        super().__init__()

    def carry(self, vectors: Tensor, generator: torch.Generator) -> Tensor:
        """What the critics see of embeddings (n, d)."""
        return vectors

    def objectives(self, vectors: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
        """Terms to maximise, by name, for embeddings (n, d)."""
        return {}

"""What every random change of a batch is."""

import torch
from torch import Tensor

from .._parts import Part

__all__ = ["Augmentation", "uniform"]


class Augmentation(Part):
    """The settings of a random change of a batch; a subclass defines ``__call__``.

    Examples
    --------
    >>> import torch
    >>> from sk_infomax.views import Augmentation
    >>> class Noise(Augmentation):
    ...     def __call__(self, x, generator):
    ...         return x + torch.randn(x.shape, generator=generator, device=x.device)
    """

    kind: str | None = None
    """What samples it changes: "table", "series", "image", or None for any."""

    @property
    def mirrors(self) -> bool:
        """Whether half of the views are mirrored left to right.

        `PatchEncoder` then gives an image and its mirror image the same features.
        """
        return False

    def in_units(self, mean: Tensor, scale: Tensor) -> "Augmentation":
        """The same change for samples that were standardised by these.

        Parameters
        ----------
        mean, scale : Tensor of shape (p,), (c, 1) or (c, 1, 1)
            What was subtracted, and what samples were divided by afterwards.

        Returns
        -------
        Augmentation
            This one, unless it needs the original values.
        """
        return self

    def __call__(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """Change a batch.

        Parameters
        ----------
        x : Tensor of shape (n, ...)
            Standardised samples; not changed in place.
        generator : torch.Generator
            On the device of `x`; the only source of randomness.

        Returns
        -------
        Tensor of the shape of x
        """
        raise TypeError(f"{type(self).__name__} must define __call__(x, generator).")


def uniform(x: Tensor, generator: torch.Generator, low: float, high: float, *more: int) -> Tensor:
    """Uniform numbers of shape (n, *more) on the device of x."""
    numbers = torch.rand(len(x), *more, generator=generator, device=x.device, dtype=x.dtype)
    return low + (high - low) * numbers

"""Hide a part of samples of any kind."""

from collections.abc import Sequence

import torch
from torch import Tensor

from .._checks import FRACTION, one_of
from ._base import Augmentation, uniform

__all__ = ["Occlusion"]


class Occlusion(Augmentation):
    """Hide a part of each sample: what is hidden is set to the mean.

    Parameters
    ----------
    size : float, default=0.5
        Part of each side of an image, of the length of a series, or of the columns of a table
        that is hidden.
    shape : {"block", "scattered"}, default="block"
        "block" hides a rectangle of an image, a stretch of a series (all channels), or
        neighbouring columns, at a random place. "scattered" hides single pixels, moments or
        columns at random: as many as a block has.

    References
    ----------
    Hjelm et al., ICLR 2019, section 4.3: the global vector is computed of the occluded sample,
    the local map of the whole one.

    Examples
    --------
    >>> import torch
    >>> from sk_infomax.views import Occlusion
    >>> hidden = Occlusion(0.5)(torch.ones(5, 1, 8, 8), torch.Generator().manual_seed(0)) == 0
    >>> hidden.float().mean().item()
    0.25
    """

    _parameter_constraints: dict = {
        "size": [FRACTION],
        "shape": [one_of({"block", "scattered"})],
    }

    def __init__(self, size: float = 0.5, shape: str = "block"):
        self.size = size
        self.shape = shape

    def __call__(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """Hide parts of a batch (n, ...)."""
        axes = x.shape[1:] if x.dim() == 2 else x.shape[2:]
        if self.shape == "block":
            hidden = self._block(x, axes, generator)
        else:
            hidden = uniform(x, generator, 0, 1, *axes) < self.size ** len(axes)
        return x.masked_fill(hidden if x.dim() == 2 else hidden.unsqueeze(1), 0.0)

    def _block(self, x: Tensor, axes: Sequence[int], generator: torch.Generator) -> Tensor:
        """Where a block of each sample lies: (n, *axes)."""
        hidden = torch.ones(len(x), *axes, dtype=torch.bool, device=x.device)
        for axis, length in enumerate(axes):
            width = max(1, round(self.size * length))
            start = (uniform(x, generator, 0, 1) * (length - width + 1)).floor()
            places = torch.arange(length, device=x.device)
            inside = (places >= start[:, None]) & (places < start[:, None] + width)
            view = [len(x)] + [1] * len(axes)
            view[axis + 1] = length
            hidden = hidden & inside.view(view)
        return hidden

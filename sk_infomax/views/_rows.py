"""Random views of tables and series."""

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

from .._checks import FRACTION, NON_NEGATIVE, ONE
from ._base import Augmentation, uniform

__all__ = ["SeriesViews", "TableViews"]


class TableViews(Augmentation):
    """Replace random entries by those of other rows of the batch, column by column.

    Parameters
    ----------
    rate : float, default=0.4
        Part of the entries that are replaced.

    References
    ----------
    Bahri et al., SCARF: Self-supervised contrastive learning using random feature
    corruption, ICLR 2022.

    Examples
    --------
    >>> import torch
    >>> from sk_infomax import TableViews
    >>> TableViews(rate=0.3)(torch.randn(5, 7), torch.Generator().manual_seed(0)).shape
    torch.Size([5, 7])
    """

    kind = "table"

    _parameter_constraints: dict = {"rate": [FRACTION]}

    def __init__(self, rate: float = 0.4):
        self.rate = rate

    def __call__(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """Change rows (n, p)."""
        n, p = x.shape
        numbers = torch.rand(2, n, p, generator=generator, device=x.device)
        donors = (numbers[0] * n).long().clamp(max=n - 1)
        return torch.where(numbers[1] < self.rate, x.gather(0, donors), x)


class SeriesViews(Augmentation):
    """Random window, magnitude and noise of series.

    Parameters
    ----------
    crop : float, default=0.5
        Smallest part of the series that a window keeps, in (0, 1]; it is stretched back to
        the length of the series, with linear interpolation.
    scale : float, default=0.2
        Values are multiplied by a factor in ``1 - scale .. 1 + scale``.
    noise : float, default=0.1
        Standard deviation of what is added to each value, in standard deviations.

    Examples
    --------
    >>> import torch
    >>> from sk_infomax import SeriesViews
    >>> SeriesViews(noise=0.0)(torch.randn(5, 2, 40), torch.Generator().manual_seed(0)).shape
    torch.Size([5, 2, 40])
    """

    kind = "series"

    _parameter_constraints: dict = {
        "crop": [FRACTION, ONE],
        "scale": [NON_NEGATIVE],
        "noise": [NON_NEGATIVE],
    }

    def __init__(self, crop: float = 0.5, scale: float = 0.2, noise: float = 0.1):
        self.crop = crop
        self.scale = scale
        self.noise = noise

    def __call__(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """Change series (n, c, t)."""
        if self.crop < 1:
            x = self._window(x, generator)
        if self.scale:
            x = x * uniform(x, generator, 1 - self.scale, 1 + self.scale, 1, 1)
        if self.noise:
            noise = torch.randn(x.shape, generator=generator, device=x.device, dtype=x.dtype)
            x = x + self.noise * noise
        return x

    def _window(self, x: Tensor, generator: torch.Generator) -> Tensor:
        width = uniform(x, generator, self.crop, 1.0)
        theta = x.new_zeros(len(x), 2, 3)
        theta[:, 0, 0] = width
        theta[:, 0, 2] = uniform(x, generator, -1.0, 1.0) * (1 - width)
        theta[:, 1, 1] = 1.0
        flat = x.unsqueeze(2)  # (n, c, 1, t): series as images of one row
        grid = affine_grid(theta, list(flat.shape), align_corners=False)
        return grid_sample(flat, grid, padding_mode="border", align_corners=False).squeeze(2)

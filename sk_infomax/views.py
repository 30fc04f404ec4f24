"""Views: random changes of whole batches that leave alone what a sample is.

An augmentation is called with a batch on the device and a generator of ours, and returns a new
batch of the same shape. Batches are standardised, so 0 is the mean of a channel or column.

=========  =============  ==========================================================
Name       Class          What it does
=========  =============  ==========================================================
table      `TableViews`   replaces entries by those of other rows
series     `SeriesViews`  takes a window, changes the magnitude, adds noise
image      `ImageViews`   crops, shifts, mirrors, changes contrast and brightness
occlusion  `Occlusion`    hides a part; also what the parameter `occlusion` takes
=========  =============  ==========================================================
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

from ._checks import FRACTION, NON_NEGATIVE, ONE, ZERO, one_of
from ._parts import Part

__all__ = ["VIEWS", "Augmentation", "ImageViews", "Occlusion", "SeriesViews", "TableViews"]


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


def _uniform(x: Tensor, generator: torch.Generator, low: float, high: float, *more: int) -> Tensor:
    """Uniform numbers of shape (n, *more) on the device of x."""
    numbers = torch.rand(len(x), *more, generator=generator, device=x.device, dtype=x.dtype)
    return low + (high - low) * numbers


class ImageViews(Augmentation):
    """Random crop, shift, contrast, brightness, flip and occlusion of images.

    The defaults are safe for any image: no flip, which would turn digits and letters into
    other ones.

    Parameters
    ----------
    crop : float, default=0.6
        Smallest part of the area that a crop keeps, in (0, 1]; 1.0 crops nothing. Crops are
        scaled back to the size of the image, with linear interpolation.
    aspect : float, default=0.2
        Log of the largest change of the ratio of the sides of a crop.
    shift : float, default=0.0
        How far a crop may reach beyond the image, as a part of its side; the border is
        repeated there.
    flip : bool, default=False
        Whether half of the views are mirrored left to right; see `mirrors`.
    contrast : float, default=0.4
        Values are multiplied by a factor in ``1 - contrast .. 1 + contrast``.
    brightness : float, default=0.0
        A number in ``-brightness .. brightness`` is added, in standard deviations.
    occlusion : float, default=0.0
        Part of each side of a rectangle that is set to the mean, at a random place.

    Examples
    --------
    >>> import torch
    >>> from sk_infomax import ImageViews
    >>> images = torch.randn(5, 3, 32, 32)
    >>> ImageViews(flip=True)(images, torch.Generator().manual_seed(0)).shape
    torch.Size([5, 3, 32, 32])
    """

    kind = "image"

    _parameter_constraints: dict = {
        "crop": [FRACTION, ONE],
        "aspect": [NON_NEGATIVE],
        "shift": [NON_NEGATIVE],
        "flip": ["boolean"],
        "contrast": [NON_NEGATIVE],
        "brightness": [NON_NEGATIVE],
        "occlusion": [FRACTION, ZERO],
    }

    def __init__(
        self,
        crop: float = 0.6,
        aspect: float = 0.2,
        shift: float = 0.0,
        flip: bool = False,
        contrast: float = 0.4,
        brightness: float = 0.0,
        occlusion: float = 0.0,
    ):
        self.crop = crop
        self.aspect = aspect
        self.shift = shift
        self.flip = flip
        self.contrast = contrast
        self.brightness = brightness
        self.occlusion = occlusion

    @property
    def mirrors(self) -> bool:
        """Whether half of the views are mirrored: `flip`."""
        return bool(self.flip)

    def __call__(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """Change images (n, c, h, w)."""
        if self.crop < 1 or self.shift or self.flip:
            x = self._crop(x, generator)
        if self.contrast:
            spread = self.contrast
            x = x * _uniform(x, generator, 1 - spread, 1 + spread, 1, 1, 1)
        if self.brightness:
            x = x + _uniform(x, generator, -self.brightness, self.brightness, 1, 1, 1)
        if self.occlusion:
            x = x.masked_fill(self._covered(x, generator), 0.0)
        return x

    def _crop(self, x: Tensor, generator: torch.Generator) -> Tensor:
        area = _uniform(x, generator, self.crop, 1.0)
        stretch = _uniform(x, generator, -self.aspect, self.aspect) / 2 if self.crop < 1 else 0.0
        width = (area.sqrt() * torch.exp(torch.as_tensor(stretch))).clamp(max=1.0)
        height = (area.sqrt() / torch.exp(torch.as_tensor(stretch))).clamp(max=1.0)
        place = _uniform(x, generator, -1.0, 1.0, 2)
        theta = x.new_zeros(len(x), 2, 3)
        theta[:, 0, 0] = width
        theta[:, 1, 1] = height
        theta[:, 0, 2] = place[:, 0] * (1 - width + 2 * self.shift)
        theta[:, 1, 2] = place[:, 1] * (1 - height + 2 * self.shift)
        if self.flip:  # a negative width reads the image from right to left
            theta[:, 0, 0] *= 1 - 2 * (_uniform(x, generator, 0.0, 1.0) < 0.5).to(x.dtype)
        grid = affine_grid(theta, list(x.shape), align_corners=False)
        return grid_sample(x, grid, padding_mode="border", align_corners=False)

    def _covered(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """Where the occluding rectangles lie: (n, 1, h, w)."""
        masks = []
        for axis in (2, 3):
            length = x.shape[axis]
            width = max(1, round(self.occlusion * length))
            start = _uniform(x, generator, 0.0, length - width + 1, 1).floor()
            where = torch.arange(length, device=x.device)
            masks.append((where >= start) & (where < start + width))
        return masks[0][:, None, :, None] & masks[1][:, None, None, :]


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
            x = x * _uniform(x, generator, 1 - self.scale, 1 + self.scale, 1, 1)
        if self.noise:
            noise = torch.randn(x.shape, generator=generator, device=x.device, dtype=x.dtype)
            x = x + self.noise * noise
        return x

    def _window(self, x: Tensor, generator: torch.Generator) -> Tensor:
        width = _uniform(x, generator, self.crop, 1.0)
        theta = x.new_zeros(len(x), 2, 3)
        theta[:, 0, 0] = width
        theta[:, 0, 2] = _uniform(x, generator, -1.0, 1.0) * (1 - width)
        theta[:, 1, 1] = 1.0
        flat = x.unsqueeze(2)  # (n, c, 1, t): series as images of one row
        grid = affine_grid(theta, list(flat.shape), align_corners=False)
        return grid_sample(flat, grid, padding_mode="border", align_corners=False).squeeze(2)


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
            hidden = _uniform(x, generator, 0, 1, *axes) < self.size ** len(axes)
        return x.masked_fill(hidden if x.dim() == 2 else hidden.unsqueeze(1), 0.0)

    def _block(self, x: Tensor, axes: Sequence[int], generator: torch.Generator) -> Tensor:
        """Where a block of each sample lies: (n, *axes)."""
        hidden = torch.ones(len(x), *axes, dtype=torch.bool, device=x.device)
        for axis, length in enumerate(axes):
            width = max(1, round(self.size * length))
            start = (_uniform(x, generator, 0, 1) * (length - width + 1)).floor()
            places = torch.arange(length, device=x.device)
            inside = (places >= start[:, None]) & (places < start[:, None] + width)
            view = [len(x)] + [1] * len(axes)
            view[axis + 1] = length
            hidden = hidden & inside.view(view)
        return hidden


VIEWS: dict[str, type[Augmentation]] = {
    "table": TableViews,
    "series": SeriesViews,
    "image": ImageViews,
    "occlusion": Occlusion,
}

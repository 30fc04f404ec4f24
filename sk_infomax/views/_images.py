"""Random views of images."""

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

from .._checks import FRACTION, NON_NEGATIVE, ONE, ZERO
from ._base import Augmentation, uniform
from ._colour import ColourViews

__all__ = ["ImageViews"]


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
    colour : float, ColourViews or None, default=None
        What happens to colours, after the other changes but occlusion: of a number, the jitter of
        `ColourViews` with its other defaults. SimCLR's for CIFAR-10 is 0.4, with ``contrast=0``.

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
        "colour": [NON_NEGATIVE, ColourViews, None],
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
        colour: float | ColourViews | None = None,
    ):
        self.crop = crop
        self.aspect = aspect
        self.shift = shift
        self.flip = flip
        self.contrast = contrast
        self.brightness = brightness
        self.occlusion = occlusion
        self.colour = colour

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
            x = x * uniform(x, generator, 1 - spread, 1 + spread, 1, 1, 1)
        if self.brightness:
            x = x + uniform(x, generator, -self.brightness, self.brightness, 1, 1, 1)
        if self.colour is not None:
            colour = self.colour
            colour = colour if isinstance(colour, ColourViews) else ColourViews(float(colour))
            x = colour(x, generator)
        if self.occlusion:
            x = x.masked_fill(self._covered(x, generator), 0.0)
        return x

    def _crop(self, x: Tensor, generator: torch.Generator) -> Tensor:
        area = uniform(x, generator, self.crop, 1.0)
        stretch = uniform(x, generator, -self.aspect, self.aspect) / 2 if self.crop < 1 else 0.0
        width = (area.sqrt() * torch.exp(torch.as_tensor(stretch))).clamp(max=1.0)
        height = (area.sqrt() / torch.exp(torch.as_tensor(stretch))).clamp(max=1.0)
        place = uniform(x, generator, -1.0, 1.0, 2)
        theta = x.new_zeros(len(x), 2, 3)
        theta[:, 0, 0] = width
        theta[:, 1, 1] = height
        theta[:, 0, 2] = place[:, 0] * (1 - width + 2 * self.shift)
        theta[:, 1, 2] = place[:, 1] * (1 - height + 2 * self.shift)
        if self.flip:  # a negative width reads the image from right to left
            theta[:, 0, 0] *= 1 - 2 * (uniform(x, generator, 0.0, 1.0) < 0.5).to(x.dtype)
        grid = affine_grid(theta, list(x.shape), align_corners=False)
        return grid_sample(x, grid, padding_mode="border", align_corners=False)

    def _covered(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """Where the occluding rectangles lie: (n, 1, h, w)."""
        masks = []
        for axis in (2, 3):
            length = x.shape[axis]
            width = max(1, round(self.occlusion * length))
            start = uniform(x, generator, 0.0, length - width + 1, 1).floor()
            where = torch.arange(length, device=x.device)
            masks.append((where >= start) & (where < start + width))
        return masks[0][:, None, :, None] & masks[1][:, None, None, :]

"""Random changes of the colours and the sharpness of images."""

import math
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad

from .._checks import FRACTION, NON_NEGATIVE, ONE, ZERO
from ._base import Augmentation, uniform

__all__ = ["ColourViews"]

_BLACK = -1.0  # value of black: that of images of uint8, which are brought to [-1, 1]
_HUE_OF_JITTER = 0.25  # turn of hue for a jitter of 1 (SimCLR: 0.8 s and 0.2 s)
_SIGMA = (0.1, 2.0)  # standard deviation of a blur, in pixels (SimCLR)
_BLUR_REACH = 0.05  # of the shorter side, to each side of a pixel (SimCLR: kernels of a tenth)
# From red, green and blue to luma and the two axes of colour (YIQ of the NTSC).
_YIQ = ((0.299, 0.587, 0.114), (0.5959, -0.2746, -0.3213), (0.2115, -0.5227, 0.3112))
_GREY, _COLOURED = 1, 3  # channels


class ColourViews(Augmentation):
    """Random brightness, contrast, saturation and hue, grey, blur and solarisation of images.

    Chances and strengths are those of SimCLR for CIFAR-10 unless set otherwise. Images of one
    channel have no hue and no saturation to change. Values are not clipped.

    Parameters
    ----------
    jitter : float, default=0.4
        Largest change of brightness, contrast and saturation, each a factor in
        ``1 - jitter .. 1 + jitter``. Black is taken to be -1, as it is for images of uint8;
        contrast is about the mean grey of the image.
    hue : float or None, default=None
        Largest turn of the hue, as a part of the circle of colours; None is a quarter of `jitter`.
    jittered : float, default=0.8
        Part of the images to which this happens.
    grey : float, default=0.2
        Part of the images that lose their colours.
    blur : float, default=0.0
        Part of the images that are blurred, by a Gaussian of 0.1 to 2 pixels.
    solarise : float, default=0.0
        Part of the images whose values above the middle, 0, are turned into their negatives.

    References
    ----------
    Chen et al., A simple framework for contrastive learning of visual representations (SimCLR),
    ICML 2020, appendix A; solarisation as in Grill et al., Bootstrap your own latent, NeurIPS 2020.

    Examples
    --------
    >>> from sk_infomax import DeepInfoMaxTransformer, ImageViews
    >>> from sk_infomax.views import ColourViews
    >>> views = ImageViews(crop=0.2, flip=True, contrast=0.0, colour=ColourViews(blur=0.5))
    >>> model = DeepInfoMaxTransformer(encoder="strided", augmentation=views)
    """

    kind = "image"

    _parameter_constraints: dict = {
        "jitter": [NON_NEGATIVE],
        "hue": [NON_NEGATIVE, None],
        "jittered": [ZERO, FRACTION, ONE],
        "grey": [ZERO, FRACTION, ONE],
        "blur": [ZERO, FRACTION, ONE],
        "solarise": [ZERO, FRACTION, ONE],
    }

    def __init__(
        self,
        jitter: float = 0.4,
        hue: float | None = None,
        jittered: float = 0.8,
        grey: float = 0.2,
        blur: float = 0.0,
        solarise: float = 0.0,
    ):
        self.jitter = jitter
        self.hue = hue
        self.jittered = jittered
        self.grey = grey
        self.blur = blur
        self.solarise = solarise

    def __call__(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """Change images (n, 1, h, w) or (n, 3, h, w)."""
        parts = _colour_parts(x.device, x.dtype, x.shape[1])
        if self.jittered or self.grey:
            x = self._recoloured(x, parts, generator)
        if self.blur:
            sigma = uniform(x, generator, *_SIGMA)
            x = torch.where(_chosen(x, generator, self.blur), _blurred(x, sigma), x)
        if self.solarise:
            turned = _chosen(x, generator, self.solarise) & (x > 0)
            x = torch.where(turned, -x, x)
        return x

    def _recoloured(self, x: Tensor, parts: "_Colours", generator: torch.Generator) -> Tensor:
        """All changes of colour at once, one matrix for each image."""
        hue = _HUE_OF_JITTER * self.jitter if self.hue is None else self.hue
        on = (uniform(x, generator, 0, 1) < self.jittered).to(x.dtype)
        factors = [
            1 + on * uniform(x, generator, -self.jitter, self.jitter)
            for _ in ("brightness", "contrast", "saturation")
        ]
        angle = 2 * math.pi * on * uniform(x, generator, -hue, hue)
        coloured = (uniform(x, generator, 0, 1) >= self.grey).to(x.dtype)
        bright, contrast, saturation = factors[0], factors[1], factors[2] * coloured
        chroma = _each(saturation * angle.cos()) * parts.colour
        chroma = chroma + _each(saturation * angle.sin()) * parts.turned
        matrix = _each(bright * contrast) * (parts.grey + chroma)  # (n, c, c)
        light = x.flatten(2) - _BLACK
        middle = (light.mean(2) @ parts.grey[0]) * bright * (1 - contrast)
        return (matrix @ light + _each(middle) + _BLACK).reshape(x.shape)


class _Colours(NamedTuple):
    """Matrices (c, c) on colours: to their grey, what that leaves out, and the latter turned."""

    grey: Tensor
    colour: Tensor
    turned: Tensor


@lru_cache
def _colour_parts(device: torch.device, dtype: torch.dtype, channels: int) -> _Colours:
    """The matrices, kept: a step that is being recorded can bring nothing to a card."""
    if channels == _GREY:
        one = torch.ones(1, 1, device=device, dtype=dtype)
        return _Colours(one, 0 * one, 0 * one)
    if channels != _COLOURED:
        raise ValueError(
            f"ColourViews changes images of one channel or of red, green and blue, and got "
            f"{channels} channels. Use contrast and brightness of ImageViews, or a function of "
            "your own."
        )
    yiq = torch.tensor(_YIQ, dtype=torch.float64)
    parts = torch.zeros(3, 3, 3, dtype=torch.float64)
    parts[0, 0, 0] = parts[1, 1, 1] = parts[1, 2, 2] = parts[2, 2, 1] = 1.0
    parts[2, 1, 2] = -1.0
    return _Colours(*(yiq.inverse() @ parts @ yiq).to(device, dtype))


def _chosen(x: Tensor, generator: torch.Generator, part: float) -> Tensor:
    """Which images are changed: (n, 1, 1, 1)."""
    return uniform(x, generator, 0, 1, 1, 1, 1) < part


def _blurred(x: Tensor, sigma: Tensor) -> Tensor:
    """Images (n, c, h, w), each by a Gaussian of its own sigma (n,); the border is repeated."""
    reach = max(1, round(_BLUR_REACH * min(x.shape[2:])))
    steps = torch.arange(-reach, reach + 1, device=x.device)
    weights = torch.exp(-0.5 * (steps / sigma[:, None]).square())
    weights = (weights / weights.sum(1, keepdim=True)).T[..., None, None, None]  # (taps, n, ...)
    for axis, border in ((2, (0, 0, reach, reach)), (3, (reach, reach, 0, 0))):
        wide, length = pad(x, border, mode="replicate"), x.shape[axis]
        x = sum(w * wide.narrow(axis, tap, length) for tap, w in enumerate(weights))
    return x


def _each(numbers: Tensor) -> Tensor:
    """Numbers (n,) as a factor of matrices (n, c, c)."""
    return numbers[:, None, None]

"""Structural similarity of images on several scales, as its authors define it."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, conv2d

__all__ = ["count_scales", "ms_ssim"]

# Wang, Simoncelli and Bovik 2003; Wang, Bovik, Sheikh and Simoncelli 2004.
_BETAS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # exponents, the finest scale first; sum 1
_WINDOW = 11  # pixels of the Gaussian window on an edge
_SIGMA = 1.5  # pixels; standard deviation of the window
_STEADY_MEANS = 0.01**2  # squared share of the data range, added to the squared means
_STEADY_SPREADS = 0.03**2  # the same for the variances


def count_scales(height: int, width: int) -> int:
    """How many scales fit images of this size, so that the window lies within the coarsest.

    Raises
    ------
    ValueError
        If not even one does.
    """
    edge = min(height, width)
    fitting = [s for s in range(1, 1 + len(_BETAS)) if edge >= _WINDOW * 2 ** (s - 1)]
    if not fitting:
        raise ValueError(
            f"MS-SSIM needs images of {_WINDOW} pixels a side or more; got {height} x {width}. "
            "Enlarge the images."
        )
    return fitting[-1]


def ms_ssim(made: Tensor, true: Tensor) -> Tensor:
    """Multi-scale structural similarity of images in [0, 1], one number each, at most 1.

    Windows lie within the image everywhere: no pixel is made up beyond its edges. Where fewer than
    five scales fit, the exponents of the finest are divided by their sum. A scale on which images
    are opposed counts as 0.

    Parameters
    ----------
    made, true : Tensor of shape (n, c, h, w)
        Images to compare.

    Returns
    -------
    Tensor of shape (n,)
        Similarities.
    """
    n_scales = count_scales(*true.shape[2:])
    betas = true.new_tensor(_BETAS[:n_scales])
    betas = betas / betas.sum()
    value = true.new_ones(len(true))
    for scale, beta in enumerate(betas):
        if scale:
            made, true = avg_pool2d(made, 2), avg_pool2d(true, 2)
        means, spreads = _parts(made, true)
        map_ = spreads if scale < n_scales - 1 else means * spreads
        value = value * map_.flatten(1).mean(1).clamp(min=0) ** beta
    return value


def _parts(made: Tensor, true: Tensor) -> tuple[Tensor, Tensor]:
    """How alike the means and the structures of windows are: (n, c, h - 10, w - 10) each."""
    products = torch.stack([made, true, made * made, true * true, made * true])
    a, b, aa, bb, ab = _smooth(products.flatten(0, 2)).unflatten(0, products.shape[:3])
    means = (2 * a * b + _STEADY_MEANS) / (a * a + b * b + _STEADY_MEANS)
    # Rounding can leave a variance below 0.
    variances = (aa - a * a).clamp(min=0) + (bb - b * b).clamp(min=0)
    return means, (2 * (ab - a * b) + _STEADY_SPREADS) / (variances + _STEADY_SPREADS)


def _smooth(images: Tensor) -> Tensor:
    """Gaussian means of images (n, h, w) over windows that lie within them."""
    places = torch.arange(_WINDOW, dtype=images.dtype, device=images.device) - _WINDOW // 2
    window = torch.exp(-0.5 * (places / _SIGMA) ** 2)
    window = (window / window.sum()).reshape(1, 1, -1, 1)
    return conv2d(conv2d(images[:, None], window), window.mT).squeeze(1)

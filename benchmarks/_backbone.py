"""Strong views on the device, smaller than the images, and a linear probe there.

They are what a card makes affordable: see `benchmarks.cuda`.
"""

import itertools
import math
from collections.abc import Iterator
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import affine_grid, cross_entropy, grid_sample, interpolate

from sk_infomax import DeepInfoMaxTransformer
from sk_infomax.views import Augmentation

from ._cuda_checks import resident

__all__ = ["WAYS", "StrongViews", "best_linear", "few_linear", "read_ways"]

# Views -----------------------------------------------------------------------------------------

_LOG_ASPECT = math.log(4 / 3)  # of the largest ratio of the sides of a crop (SimCLR's)
# From red, green and blue to luma and the two axes of colour (YIQ of the NTSC).
_YIQ = ((0.299, 0.587, 0.114), (0.5959, -0.2746, -0.3213), (0.2115, -0.5227, 0.3112))


@lru_cache
def _colours(device: torch.device, dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
    """Matrices (3, 3) on colours: to their grey, what that leaves out, and the latter turned.

    They are kept, as a step that is being recorded can bring nothing to the card.
    """
    yiq = torch.tensor(_YIQ, dtype=torch.float64)
    parts = torch.zeros(3, 3, 3, dtype=torch.float64)
    parts[0, 0, 0] = parts[1, 1, 1] = parts[1, 2, 2] = parts[2, 2, 1] = 1.0
    parts[2, 1, 2] = -1.0
    grey, colour, turned = (yiq.inverse() @ parts @ yiq).to(device, dtype)
    return grey, colour, turned


class StrongViews(Augmentation):
    """Crop, mirror, colour jitter and grey for whole batches of colour images in [-1, 1].

    Chances and strengths are those of SimCLR for CIFAR-10 (Chen et al., ICML 2020, appendix B.9).
    All changes of colour are one matrix for each image.

    Parameters
    ----------
    crop : float
        Smallest part of the area that a crop keeps.
    size : int
        Pixels on each side of a view. Crops make objects larger than they are in whole images;
        views of fewer pixels undo that (Touvron et al., NeurIPS 2019) and cost less.
    strength : float
        Largest change of brightness, contrast and saturation; of hue a quarter of it.
    jittered, grey : float
        Part of the views whose colours change, and of those that lose them.
    """

    def __init__(self, crop=0.2, size=32, strength=0.4, jittered=0.8, grey=0.2):
        self.crop = crop
        self.size = size
        self.strength = strength
        self.jittered = jittered
        self.grey = grey

    @property
    def mirrors(self) -> bool:
        """Half of the views are mirrored."""
        return True

    def __call__(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """Views (n, 3, size, size) of images (n, 3, h, w)."""
        return self._recolour(self._crop(x, generator), generator)

    def _crop(self, x: Tensor, generator: torch.Generator) -> Tensor:
        area, aspect, left, down, side = _draw(x, generator, 5)
        area = self.crop + (1 - self.crop) * area
        stretch = ((2 * aspect - 1) * 0.5 * _LOG_ASPECT).exp()
        width, height = (area.sqrt() * stretch).clamp(max=1), (area.sqrt() / stretch).clamp(max=1)
        theta = x.new_zeros(len(x), 2, 3)
        theta[:, 0, 0] = torch.where(side < 0.5, width, -width)
        theta[:, 1, 1] = height
        theta[:, 0, 2] = (2 * left - 1) * (1 - width)
        theta[:, 1, 2] = (2 * down - 1) * (1 - height)
        grid = affine_grid(theta, [len(x), 3, self.size, self.size], align_corners=False)
        return grid_sample(x, grid, padding_mode="border", align_corners=False)

    def _recolour(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """Brightness, hue and saturation, then contrast about the mean grey; or grey alone."""
        x = (x + 1) / 2
        jitter, without, bright, contrast, saturation, hue = _draw(x, generator, 6)
        on = (jitter < self.jittered).to(x.dtype)
        spread = on * self.strength
        bright, contrast, saturation = (
            1 + spread * (2 * number - 1) for number in (bright, contrast, saturation)
        )
        saturation = torch.where(without < self.grey, torch.zeros_like(without), saturation)
        angle = 2 * math.pi * spread / 4 * (2 * hue - 1)
        grey, colour, turned = _colours(x.device, x.dtype)
        chroma = _each(saturation * angle.cos()) * colour + _each(saturation * angle.sin()) * turned
        matrix = _each(bright * contrast) * (grey + chroma)
        offset = _each((1 - contrast) * bright * (x.mean((2, 3)) @ grey[0]))
        out = matrix @ x.flatten(2) + offset  # (n, 3, h * w)
        return (out.clamp(0, 1) * 2 - 1).reshape(x.shape)


def _draw(x: Tensor, generator: torch.Generator, count: int) -> Tensor:
    """Uniform numbers (count, n) for a batch x."""
    return torch.rand(count, len(x), generator=generator, device=x.device, dtype=x.dtype)


def _each(numbers: Tensor) -> Tensor:
    """Numbers (n,) as a factor of matrices (n, 3, 3)."""
    return numbers[:, None, None]


# Reading ----------------------------------------------------------------------------------------

_CROPPED = 26  # pixels of 32 on each side of the crops of a reading: two thirds of the area
_BLOCK = 1024  # images that are read at once
WAYS = {"": 1, ", mean with mirror image": 2, ", mean of twelve views": 12}
"""How many views a way to read an image takes: itself, its mirror image, and ten crops."""


@torch.inference_mode()
def read_ways(
    model: DeepInfoMaxTransformer, X: np.ndarray, ways: dict[str, int]
) -> dict[str, Tensor]:
    """Embedding beside the mean location, (n, d) on the device, of images (n, h, w, c)."""
    encoder, samples = model.net_.module_.encoder.eval(), resident(model, X).samples
    found: dict[str, list[Tensor]] = {way: [] for way in ways}
    for block in samples.split(_BLOCK):
        seen = itertools.islice(_seen(block), max(ways.values()))
        sides = [encoder(view).multiscale() for view in seen]
        for way, count in ways.items():
            found[way].append(torch.stack(sides[:count]).mean(0))
    return {way: torch.cat(blocks) for way, blocks in found.items()}


def _seen(x: Tensor) -> Iterator[Tensor]:
    """Images (n, c, h, w), their mirror images, and crops of both, in the middle and corners."""
    side = x.shape[2]
    size = side * _CROPPED // 32
    ends = 0, side - size
    corners = [((side - size) // 2,) * 2, *itertools.product(ends, ends)]
    whole = x, x.flip(3)
    yield from whole
    for (top, left), image in itertools.product(corners, whole):
        crop = image[:, :, top : top + size, left : left + size]
        yield interpolate(crop, (side, side), mode="bilinear", align_corners=False)


# Probes ----------------------------------------------------------------------------------------

# On half the squared weights, beside a mean loss; decades (rule of thumb).
_PENALTIES = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)
_ITERATIONS = 200  # of L-BFGS at most; it ends before where nothing is gained (rule of thumb)
_HISTORY = 20  # pairs of differences that L-BFGS keeps (rule of thumb)
_LEAST_CHANGE = 1e-6  # of the loss, in nats, or of a weight, below which L-BFGS ends
_LEAST_SPREAD = 1e-6  # least standard deviation of a feature to divide by; guards against 0
_FEW_JUDGES = 2000  # labelled samples that choose the penalty for few labels (rule of thumb)
_DRAWS = 5  # of few labels, for a mean and its spread


class LinearProbe:
    """Multinomial logistic regression on features as they are, where these lie.

    Parameters
    ----------
    Z : Tensor of shape (n, d)
        Features.
    y : Tensor of shape (n,)
        Classes 0, 1, ..., int64.
    penalty : float
        Of the weights.
    """

    def __init__(self, Z: Tensor, y: Tensor, penalty: float):
        self.weights = Z.new_zeros(Z.shape[1], int(y.max()) + 1, requires_grad=True)
        self.intercepts = Z.new_zeros(self.weights.shape[1], requires_grad=True)
        optimizer = torch.optim.LBFGS(
            [self.weights, self.intercepts],
            max_iter=_ITERATIONS,
            tolerance_change=_LEAST_CHANGE,
            history_size=_HISTORY,
            line_search_fn="strong_wolfe",
        )

        def closure() -> Tensor:
            optimizer.zero_grad()
            loss = cross_entropy(Z @ self.weights + self.intercepts, y)
            loss = loss + 0.5 * penalty * self.weights.square().sum()
            loss.backward()
            return loss

        optimizer.step(closure)

    @torch.no_grad()
    def score(self, Z: Tensor, y: Tensor) -> float:
        """Accuracy on features (n, d) with classes (n,)."""
        logits = Z @ self.weights + self.intercepts
        return (logits.argmax(1) == y).double().mean().item()


def _standardised(*sides: tuple[Tensor, Tensor]) -> list[tuple[Tensor, Tensor]]:
    """Features in standard deviations of the first ones, which need no labels; and classes."""
    Z = sides[0][0]
    mean, scale = Z.mean(0), Z.std(0).clamp(min=_LEAST_SPREAD)
    return [((features - mean) / scale, y) for features, y in sides]


def best_linear(train: tuple[Tensor, Tensor], test: tuple[Tensor, Tensor]) -> float:
    """Accuracy on the test features; a fifth of the training ones choose the penalty."""
    (Z, y), test = _standardised(train, test)
    order = torch.from_numpy(np.random.RandomState(0).permutation(len(y))).to(y.device)
    judges, rest = order[: len(y) // 5], order[len(y) // 5 :]
    penalty = max(
        _PENALTIES, key=lambda p: LinearProbe(Z[rest], y[rest], p).score(Z[judges], y[judges])
    )
    return LinearProbe(Z, y, penalty).score(*test)


def few_linear(
    train: tuple[Tensor, Tensor], test: tuple[Tensor, Tensor], each: int
) -> tuple[float, float]:
    """Mean and standard deviation over draws of `each` labels a class of the test accuracy.

    The penalty is chosen once, with the first draw, by other training samples.
    """
    (Z, y), test = _standardised(train, test)
    accuracies, penalty = [], _PENALTIES[-1]
    for seed in range(_DRAWS):
        order = torch.from_numpy(np.random.RandomState(seed).permutation(len(y))).to(y.device)
        rows = torch.cat([order[y[order] == label][:each] for label in range(int(y.max()) + 1)])
        if seed == 0:
            judges = order[~torch.isin(order, rows)][:_FEW_JUDGES]
            scores = {
                p: LinearProbe(Z[rows], y[rows], p).score(Z[judges], y[judges]) for p in _PENALTIES
            }
            penalty = max(scores, key=lambda p: scores[p])
        accuracies.append(LinearProbe(Z[rows], y[rows], penalty).score(*test))
    return float(np.mean(accuracies)), float(np.std(accuracies, ddof=1))

"""The default encoder of images: a dictionary of patches, and what is learned on top of it."""

import itertools
import math
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

import torch
from sklearn.base import clone
from torch import Tensor, nn
from torch.linalg import vector_norm
from torch.nn.functional import adaptive_avg_pool2d, avg_pool2d, unfold

from .._checks import AUTO, NON_NEGATIVE_INT, POSITIVE_INT
from .._modes import in_blocks, is_traced
from ._base import Encoder, Views
from ._closed_form import (
    SHARE_OF_STEPS,
    ClosedFormNetwork,
    Codes,
    Stem,
    carried_directions,
)
from ._dictionary import CONTRAST_FLOOR, find_filters
from ._directions import whitening

__all__ = ["PatchEncoder"]

# Pixels; of a side of twice as many each patch sees means of 2 x 2, and so on. 48 lost 4 points on
# photographs of 32 pixels that were enlarged to 64 and to 224 (1,200 of CIFAR-10, ridge).
_FINEST = 32
_PATCH = 6  # pixels of 32 on each side of a patch, as Coates, Ng and Lee (2011); 5 is no better
_LEAST_PATCH = 3  # pixels; for images too small for four patches in a row (rule of thumb)
_GRID = 8  # cells on each side of an image, of which the learned part reads (rule of thumb)
_POOLS = (1, 2, 4)  # cells on each side; without 4, up to 2.4 points are lost (docs/ablation.md)
_THRESHOLD = 0.25  # of likeness, below which a code is 0; 0 and 0.5 do as well (docs/ablation.md)
_LEAST_CODE = 1e-12  # in the place of 0 (rule of thumb)
_N_PATCHES = 40_000  # patches that k-means sees (rule of thumb; Coates, Ng and Lee take 400,000)
_PATCH_VALUES = 2**23  # values of all patches together; 32 MB in float32, for colour and large ones
_BLOCK = 256  # images whose patches or codes are held at once (rule of thumb)
_CACHED_VALUES = 2**19  # codes; 2 MB in float32, what the cache of a core holds
_FILTERS_EACH = 8  # filters for each value of a patch, at most (rule of thumb)
# Filters and channels by default. Of equal seconds more places are worth more than more filters:
# 40 filters and 36 channels at each pixel of 4,000 grey images of Fashion-MNIST gave 89.9, 79.7
# and 87.1 per cent with all, 10 and 100 labels a class; 128 and 64 at each second one 88.4, 77.6
# and 85.4 in 2.5 times the seconds. Of 4,000 colour images of CIFAR-10 64 and 48 gave 69.1, 45.3
# and 62.6, 128 and 64 at each second pixel 67.7, 44.3 and 62.0 in as many (ridge).
_FILTERS = 64
_FEW_FILTERS = 16  # and two for each three values of a patch (rule of thumb)
_FEW_CHANNELS = 16  # and one for each two filters, but no more than filters (rule of thumb)
_MOST_DIRECTIONS = 4096  # directions; as many as there are images to find them on
_ROOT_FLOOR = 1e-6  # added to codes under a root, whose slope is then 500 at most
# Windows on each side for each number of cells on each side: the whole, and halves of it.
_WINDOWS = {1: (1,), 2: (1, 2), 4: (1, 3)}
_NOISE_FLOOR = 0.3  # of the mean variance of columns, added to each one's (rule of thumb)
# Of what directions tell, against 1: with five labels a class of digits 0.9 points more (2.0: 1.8);
# of Fashion-MNIST with 10 labels a class 1 to 2 points more by ridge regression and 0.3 by logistic
# regression, with 100 labels 0.5 less by that (2.0: 1.2 less). With all labels no difference.
_POWER = 1.25
_N_SCALED = 1024  # images that channels and sizes are measured on (rule of thumb)
_PLACES_EACH = 196  # places of an image that channels are found among (rule of thumb)

Space = dict[str, Tensor]
"""Places for what each block needs anew; fresh memory takes longer than what is put there."""


class PatchEncoder(Encoder):
    """The default for images, made for CPUs: a dictionary of patches that `fit` finds in seconds.

    1. Patches at random places are normalised in contrast and whitened, and k-means finds
       `n_filters` centres [1]_. The code of a place is how much its patch is like each centre
       and how much like its negative, above a threshold. It stays as it is. Where views mirror
       images, as those of `ImageViews(flip=True)` do, half of the centres are the mirror images
       of the others, and what follows is averaged over an image and its mirror image.
    2. Pooled are the square roots of the codes' means over the whole, the quarters and the
       sixteenths of the image, and the covariances of the `n_channels` leading whitened
       channels
       of the roots of the codes, over the places of the whole image and of windows of half of it
       (signed roots). They are mapped to the `n_directions` directions that tell most about
       another look at the same image: what the mutual information of normal variables asks for,
       in closed form. `output="hidden"` is these.
    3. A convolution on a grid of 8 x 8 cells (the local map, 4 x 4 locations) and a linear layer
       learn what step 2 misses; the global vector is the leading directions and what is learned.

    `output="multiscale"`, the default of `transform`, is the embedding beside the features of
    step 2. All of its columns have about the same spread, so that a scaler behind changes nothing.

    Parameters
    ----------
    n_filters : int or "auto", default="auto"
        Size of the dictionary, but no more than eight for each value of a patch. More filters make
        better features in more time. "auto" is 16 and two for each three values of a
        patch, but no more than 64: 40 for patches of 6 x 6 grey pixels.
    n_directions : int or "auto", default="auto"
        Number of directions of step 2 that are kept. There are no more than images that `fit`
        looks at, 4,096; further columns are 0. "auto" is `n_filters` times `n_places`, but no more
        than 4,096, and than a quarter as many as there are images, or 128: the last ones
        fit the noise of few.
    width : int, default=128
        Channels of the local map.
    patch_size : int or None, default=None
        Pixels on each side of a patch, after averaging (see Notes); None is 6 for images of
        24 to 32 pixels, as large a part of larger ones, 3 for very small ones.
    n_channels : int or "auto", default="auto"
        Channels whose covariances are pooled; 0 for none. "auto" is 16 and one for each two
        filters, but no more than filters.
    n_places : int, default=28
        Patches along the shorter side of an image, about; more make better features in more time.
    overlapping : bool, default=False
        Whether covariances are pooled over nine windows that overlap, not the four quarters.
    mirrored : bool or "auto", default="auto"
        Whether an image and its mirror image get the same features; "auto" asks the views.

    Notes
    -----
    Images of 64 pixels and more are first averaged over squares of pixels, before views are made
    of them, so that 32 to 63 remain on the shorter side.

    References
    ----------
    .. [1] Coates and Ng, The importance of encoding versus training with sparse coding and vector
       quantization, ICML 2011.

    Examples
    --------
    >>> from sk_infomax import PatchEncoder
    >>> PatchEncoder().fitted_to(60_000, (3, 32, 32)).n_directions
    1792
    >>> PatchEncoder().fitted_to(1000, (3, 32, 32)).n_directions
    250
    """

    _parameter_constraints: dict = {
        "n_filters": [POSITIVE_INT, AUTO],
        "n_directions": [POSITIVE_INT, AUTO],
        "width": [POSITIVE_INT],
        "patch_size": [POSITIVE_INT, None],
        "n_channels": [NON_NEGATIVE_INT, AUTO],
        "n_places": [POSITIVE_INT],
        "overlapping": ["boolean"],
        "mirrored": ["boolean", AUTO],
    }
    kind = "image"
    output = "multiscale"
    share_of_steps = SHARE_OF_STEPS

    def __init__(
        self,
        n_filters: int | Literal["auto"] = "auto",
        n_directions: int | Literal["auto"] = "auto",
        width: int = 128,
        patch_size: int | None = None,
        n_channels: int | Literal["auto"] = "auto",
        n_places: int = 28,
        overlapping: bool = False,
        mirrored: bool | Literal["auto"] = "auto",
    ):
        self.n_filters = n_filters
        self.n_directions = n_directions
        self.width = width
        self.patch_size = patch_size
        self.n_channels = n_channels
        self.n_places = n_places
        self.overlapping = overlapping
        self.mirrored = mirrored

    def fitted_to(
        self, n_samples: int, shape: tuple[int, ...], views: Views | None = None
    ) -> "PatchEncoder":
        """The same settings with as many directions as so many images carry, mirrored as views."""
        settled: dict[str, Any] = {}
        if self.mirrored == "auto":
            settled["mirrored"] = views is not None and views.mirrors
        if self.n_directions == "auto":
            filters = clone(self).set_params(**settled)._plan(shape).n_filters
            most = min(filters * self.n_places, _MOST_DIRECTIONS)
            settled["n_directions"] = min(most, carried_directions(n_samples))
        return clone(self).set_params(**settled) if settled else self

    def coarse(self, shape: tuple[int, ...]) -> int:
        """1 up to 63 pixels on the shorter side of images (c, h, w), then a 32nd of it."""
        return max(1, min(shape[1:]) // _FINEST)

    def build(self, shape: tuple[int, ...], n_components: int) -> nn.Module:
        """Make the network for images of shape (c, h, w)."""
        plan = self._plan(shape)
        stem = PatchDictionary(
            (shape[0], *plan.sides),
            plan.n_filters,
            plan.size,
            plan.stride,
            plan.n_channels,
            self.overlapping,
            self.mirrored is True,
            plan.coarse,
        )
        most = _MOST_DIRECTIONS if self.n_directions == "auto" else int(self.n_directions)
        return ClosedFormNetwork(stem, most, self.width, shape, n_components)

    def _plan(self, shape: tuple[int, ...]) -> "_Plan":
        """Sizes of the stem for images of shape (c, h, w)."""
        if min(shape[1:]) < 2:
            raise ValueError(
                f"PatchEncoder needs images of 2x2 pixels or more and got {shape[1:]}. "
                "Treat the values as a table: encoder='table'."
            )
        coarse, mirrored = self.coarse(shape), self.mirrored is True
        sides = [side // coarse for side in shape[1:]]
        stride = max(1, round(min(sides) / self.n_places))
        size = self._patch(sides, stride, mirrored, coarse)
        filters, channels = self._sizes(shape[0] * size**2)
        return _Plan(
            coarse, sides, stride, size, filters + (filters % 2 if mirrored else 0), channels
        )

    def _sizes(self, values: int) -> tuple[int, int]:
        """Filters and channels for patches of so many values, which few filters tell apart."""
        if self.n_filters == "auto":
            wanted = filters = min(_FILTERS, _FEW_FILTERS + 2 * values // 3)
        else:
            wanted = self.n_filters
            filters = min(wanted, _FILTERS_EACH * values)
        if self.n_channels == "auto":
            return filters, min(filters, _FEW_CHANNELS + filters // 2)
        return filters, max(min(self.n_channels, 1), self.n_channels * filters // wanted)

    def _patch(self, sides: list[int], stride: int, mirrored: bool, coarse: int) -> int:
        """Pixels on each side of a patch."""
        shorter = min(sides)
        if self.patch_size is not None:
            if self.patch_size > shorter:
                raise ValueError(
                    f"patch_size={self.patch_size} does not fit images of {tuple(sides)} pixels"
                    + (f", means over {coarse} x {coarse} pixels" if coarse > 1 else "")
                    + f". Choose 1 to {shorter}."
                )
            return self.patch_size
        wanted = max(_PATCH, round(_PATCH * shorter / _FINEST))
        size = min(shorter, max(_LEAST_PATCH, min(shorter // 4, wanted)))
        # Patches and their mirror images lie at the same places only if the last one ends the row.
        return min(shorter, size + (sides[1] - size) % stride) if mirrored else size


class _Plan(NamedTuple):
    """Sizes of a stem: of squares that are averaged, of what remains, of patches and codes."""

    coarse: int
    sides: list[int]
    stride: int
    size: int
    n_filters: int
    n_channels: int


class PatchDictionary(Stem):
    """How much patches of images (n, c, h, w) are like filters or like their negatives.

    Pooled are the square roots of the codes' means over parts of the image, and the covariances
    of the leading channels of the roots of the codes over windows of it.

    Parameters
    ----------
    shape : tuple of int
        Of an image, (c, h, w).
    n_filters : int
        Number of filters, even where `mirrored`.
    size, stride : int
        Of the patches, in pixels.
    n_channels : int
        Leading channels whose covariances are pooled, at most ``2 * n_filters``; 0 for none.
    overlapping : bool
        Whether windows overlap: nine of them, not the four quarters, beside the whole image.
    mirrored : bool
        Whether an image and its mirror image are to be alike. Half of the filters are then the
        mirror images of the others, so that what is pooled of a mirror image is known without it.
    coarse : int
        Pixels on each side of the squares whose means are the pixels that patches are taken of;
        `shape` is what results.
    """

    power = _POWER
    filters: Tensor
    offset: Tensor
    floor: Tensor
    basis: Tensor
    mean: Tensor
    sizes: Tensor
    upper: Tensor
    sign: Tensor
    even: Tensor

    def __init__(
        self,
        shape: tuple[int, ...],
        n_filters: int,
        size: int,
        stride: int,
        n_channels: int = 0,
        overlapping: bool = False,
        mirrored: bool = False,
        coarse: int = 1,
    ):
        super().__init__()
        self.size, self.stride, self.mirrored, self.coarse = size, stride, mirrored, coarse
        places = [(side - size) // stride + 1 for side in shape[1:]]
        # Windows of half of the image, on a grid of cells; an image of one place has the whole.
        self.cells = 4 if overlapping and min(places) >= 4 else 2 if min(places) >= 2 else 1
        filters = torch.randn(n_filters, shape[0], size, size)
        self.register_buffer("filters", filters - filters.mean((1, 2, 3), keepdim=True))
        self.register_buffer("offset", torch.zeros(n_filters, 1, 1))
        self.register_buffer("floor", torch.tensor(CONTRAST_FLOOR**2))
        n_channels = min(n_channels, 2 * n_filters)
        # Channels that mirroring leaves as they are come first, then those whose sign it turns.
        self.n_even = (n_channels + 1) // 2 if mirrored else n_channels
        self.register_buffer("basis", torch.eye(2 * n_filters, n_channels))
        self.register_buffer("mean", torch.zeros(2 * n_filters))
        self.register_buffer("sizes", torch.ones(2))
        self.spans = [_spans(side, self.cells) for side in places]
        self._register_windows(n_channels)

    def _register_windows(self, n_channels: int) -> None:
        """Constants of the second moments, on the device: to bring them there in a step waits."""
        lengths = [torch.tensor([end - start for start, end in span]) for span in self.spans]
        counts = torch.outer(*(length.float() for length in lengths)).flatten()
        pairs = torch.triu_indices(n_channels, n_channels)
        even = (pairs[0] < self.n_even) == (pairs[1] < self.n_even)
        upper = pairs[0] * n_channels + pairs[1]  # in a flat matrix
        constants = {"upper": upper, "sign": 2.0 * even - 1, "even": even.nonzero()[:, 0]}
        for width in _WINDOWS[self.cells]:
            inside = _inside(self.cells, width)
            constants |= {f"inside_{width}": inside, f"total_{width}": (inside @ counts)[:, None]}
        for name, value in constants.items():
            self.register_buffer(name, value, persistent=False)

    @torch.no_grad()
    def forward(self, x: Tensor) -> Codes:
        """Maps (n, 2 * n_filters, rows, columns), roots of codes; pooled (n, d)."""
        blocks = self._split(x)
        if is_traced():  # the only block is the whole batch
            return self._read(next(blocks))
        space: Space = {}
        first = self._read(next(blocks), space)
        places, start = _places_like(first, len(x)), 0  # so that no block is copied twice
        for codes in itertools.chain([first], (self._read(block, space) for block in blocks)):
            end = start + len(codes.pooled)
            places.maps[start:end], places.pooled[start:end] = codes
            start = end
        return places

    @torch.no_grad()
    def maps(self, x: Tensor) -> Tensor:
        """The maps alone."""
        return torch.cat([self._grid(self._codes(block)) for block in self._split(x)])

    def noise(self, pooled: Tensor) -> Tensor:
        """A column's own variance, and a part of the mean one, so that flat columns stay small."""
        variances = pooled.var(0, correction=0)
        return variances + _NOISE_FLOOR * variances.mean()

    def _split(self, x: Tensor) -> Iterator[Tensor]:
        """Blocks of a batch, channels last.

        Codes of a few images fit the cache of a processor, which makes this twice as fast; so do
        channels that come last, for which grey images have to be copied.
        """
        sides = [side // self.coarse for side in x.shape[2:]]
        places = math.prod((side - self.size) // self.stride + 1 for side in sides)
        few = max(1, _CACHED_VALUES // (len(self.filters) * places))
        few = few if x.device.type == "cpu" else max(few, _BLOCK)
        for block in in_blocks(x, few):
            block = avg_pool2d(block, self.coarse) if self.coarse > 1 else block
            yield block.clone(memory_format=torch.channels_last)

    def _codes(self, x: Tensor, space: Space | None = None) -> Tensor:
        """Codes (n, rows, columns, 2 * n_filters), all above 0: like first, then unlike."""
        patches = self._cut(x)
        mean = patches.mean(-1, keepdim=True)
        power = vector_norm(patches, dim=-1, keepdim=True).square() / patches.shape[-1]
        contrast = (power - mean.square()).clamp_(min=0).add_(self.floor).rsqrt_()
        # A product of patches that were cut out takes half the time of a convolution of colours,
        # and one with filters and their negatives less than to negate what results.
        filters, offset = self.filters.movedim(1, -1).flatten(1), self.offset.flatten()
        # The offsets are a row of their own: to add them would be one more pass over the codes.
        offset = torch.cat([-offset, offset]) - _THRESHOLD
        both = torch.cat([torch.cat([filters, -filters]).T, offset[None]])
        seen = patches.new_ones(*patches.shape[:3], len(both))
        torch.mul(patches, contrast, out=seen[..., :-1])
        seen = seen.flatten(0, 2)
        codes = torch.mm(seen, both, out=_space_for(space, "codes", seen, both.shape[1]))
        # The root of a 0 costs ten times that of any other number.
        return codes.clamp_(min=_LEAST_CODE).unflatten(0, patches.shape[:3])

    def _cut(self, x: Tensor) -> Tensor:
        """Patches (n, rows, columns, size * size * c) of images, channels last within each."""
        windows = x.movedim(1, -1).unfold(1, self.size, self.stride)
        windows = windows.unfold(2, self.size, self.stride)  # (n, rows, columns, c, size, size)
        return windows.movedim(3, -1).flatten(3)

    def _grid(self, codes: Tensor) -> Tensor:
        """Roots of the codes' means over the cells of a grid, (n, 2 * n_filters, rows, columns)."""
        return self._means(codes).add_(_ROOT_FLOOR).sqrt_()

    def _means(self, codes: Tensor) -> Tensor:
        grid = min(_GRID, codes.shape[1]), min(_GRID, codes.shape[2])
        means = adaptive_avg_pool2d(codes.permute(0, 3, 1, 2), grid)
        return self._turned(means).add_(means).mul_(0.5) if self.mirrored else means

    def _turned(self, maps: Tensor) -> Tensor:
        """Maps (n, 2 * n_filters, rows, columns) of the mirror images, from those of images."""
        k = len(self.filters) // 2
        return maps.unflatten(1, (2, 2, k)).flip(2, -1).flatten(1, 3)

    def _read(self, x: Tensor, space: Space | None = None) -> Codes:
        codes = self._codes(x, space)
        means = self._means(codes)
        pooled = self._first(means)
        if self.basis.shape[1]:
            second = self._second(codes, space)
            pooled = torch.cat([pooled / self.sizes[0], second.div_(self.sizes[1])], 1)
        return Codes(means.add_(_ROOT_FLOOR).sqrt_(), pooled)

    # First moments: means over parts ------------------------------------------------------

    def _first(self, means: Tensor) -> Tensor:
        """Square roots of means over coarser grids, (n, d1); once each where mirrored."""
        pools = [pool for pool in _POOLS if pool <= min(means.shape[2:])]
        return torch.cat([self._once(adaptive_avg_pool2d(means, p)) for p in pools], 1).sqrt()

    def _once(self, maps: Tensor) -> Tensor:
        """Values of maps, without those that mirroring repeats."""
        if not self.mirrored:
            return maps.flatten(1)
        columns, k = maps.shape[-1], len(self.filters) // 2
        middle = maps[..., columns // 2].unflatten(1, (2, 2, k))[:, :, 0]
        left = maps[..., : columns // 2].flatten(1)
        return torch.cat([left, middle.flatten(1)], 1) if columns % 2 else left

    # Second moments: covariances over windows ---------------------------------------------

    def _second(self, codes: Tensor, space: Space | None = None) -> Tensor:
        """Signed roots of covariances over windows of the leading channels, (n, d2)."""
        n, c = codes.shape[0], self.basis.shape[1]
        flat = codes.flatten(0, 2)
        roots = torch.sqrt(flat, out=_space_for(space, "roots", flat, flat.shape[1]))
        channels = torch.addmm(-(self.mean @ self.basis), roots, self.basis)
        sums, products = _cell_moments(channels.unflatten(0, codes.shape[:3]), self.spans)
        found = []
        for width in _WINDOWS[self.cells]:
            inside, total = self.get_buffer(f"inside_{width}"), self.get_buffer(f"total_{width}")
            weights = inside / total  # here, as float64 has more places than the buffers
            mean, product = weights @ sums, weights @ products  # windows first, then images
            means = mean.view(-1, 1, c)
            covariance = product.view(-1, c, c).baddbmm_(means.mT, means, alpha=-1)
            upper = covariance.flatten(1).index_select(1, self.upper).view(width, width, n, -1)
            found.append(self._covariances(upper.movedim(2, 0)))
        both = torch.cat(found, 1)
        roots = (both.abs() + _LEAST_CODE).sqrt_()
        if is_traced():  # ONNX can't copy signs
            return torch.where(both < 0, -roots, roots)
        return roots.copysign_(both)

    def _covariances(self, values: Tensor) -> Tensor:
        """Covariances (n, w, w, d) over windows, flattened; once each where mirrored."""
        if not self.mirrored:
            return values.flatten(1)
        width = values.shape[2]
        left, right = values[:, :, : width // 2], values.flip(2)[:, :, : width // 2]
        both = (left + self.sign * right).flatten(1) / 2
        if width % 2 == 0:
            return both
        middle = values[:, :, width // 2].index_select(2, self.even)
        return torch.cat([both, middle.flatten(1)], 1)

    # Preparation --------------------------------------------------------------------------

    @torch.no_grad()
    def prepare(self, x: Tensor, views: Views | None, generator: torch.Generator) -> None:
        """Find the filters among patches of images x (n, c, h, w), and the channels of codes."""
        patches = self._patches(avg_pool2d(x, self.coarse), generator)
        order = torch.arange(patches.shape[1], device=x.device)
        mirror = order.unflatten(0, self.filters.shape[1:]).flip(-1).flatten()
        found = find_filters(
            patches, len(self.filters), generator, mirror if self.mirrored else None
        )
        self.floor.copy_(found.floor)
        self.offset.copy_(found.offset[:, None, None])
        self.filters.copy_(found.weights.reshape(self.filters.shape))
        if self.basis.shape[1]:
            self._find_channels(x[:_N_SCALED])

    def _find_channels(self, x: Tensor) -> None:
        """Whitened leading channels of the roots of codes, and the size of both kinds of columns.

        The leading ones are as many of those that mirroring leaves as of those that it turns.
        """
        roots = torch.cat([self._sample(self._codes(block).sqrt()) for block in self._split(x)])
        n, k = self.basis.shape[1], roots.shape[1] // 4
        if self.mirrored:
            turned = roots.unflatten(1, (2, 2, k)).flip(2).flatten(1)
            self.mean.copy_((roots + turned).mean(0) / 2)
            even, odd = (roots + turned) / 2 - self.mean, (roots - turned) / 2
            parts = [_leading(even, self.n_even), _leading(odd, n - self.n_even)]
            self.basis.copy_(torch.cat(parts, 1))
        else:
            self.mean.copy_(roots.mean(0))
            self.basis.copy_(_leading(roots - self.mean, n))
        self.sizes.fill_(1)
        pooled = torch.cat([self._read(block).pooled for block in self._split(x)])
        variances = pooled.var(0, correction=0)
        first = self._first(self._means(self._codes(next(self._split(x[:1]))))).shape[1]
        sizes = torch.stack([part.sum().sqrt() for part in (variances[:first], variances[first:])])
        self.sizes.copy_(torch.where(sizes > 0, sizes, torch.ones_like(sizes)))

    def _sample(self, roots: Tensor) -> Tensor:
        """Some places of maps (n, rows, columns, k), evenly, as (m, k)."""
        flat = roots.flatten(1, 2)
        step = max(1, flat.shape[1] // _PLACES_EACH)
        return flat[:, step // 2 :: step].flatten(0, 1)

    def _patches(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """Patches (k, c * size * size) at random places of random images."""
        length = self.filters[0].numel()
        wanted = min(_N_PATCHES, _PATCH_VALUES // length)
        places = (
            ((x.shape[2] - self.size) // self.stride + 1)
            * ((x.shape[3] - self.size) // self.stride + 1)
        )  # fmt: skip
        each = max(1, min(places, -(-wanted // len(x))))
        found = []
        for block in x[: -(-wanted // each)].split(_BLOCK):
            rows = unfold(block, self.size, stride=self.stride)  # (n, length, places)
            chosen = torch.rand(len(block), places, generator=generator, device=x.device)
            chosen = chosen.argsort(1)[:, None, :each].expand(-1, length, -1)
            found.append(rows.gather(2, chosen).transpose(1, 2).flatten(0, 1))
        return torch.cat(found)


def _spans(side: int, cells: int) -> list[tuple[int, int]]:
    """First place and end of each of the cells of a side.

    A place that a cut goes through counts on both sides, so that mirror images are cut alike.
    """
    return [(i * side // cells, -(-(i + 1) * side // cells)) for i in range(cells)]


def _space_for(space: Space | None, name: str, rows: Tensor, width: int) -> Tensor | None:
    """A place for as many rows as those (m, d), (m, width), or None where there is no space."""
    if space is None:
        return None
    if name not in space or len(space[name]) < len(rows):
        space[name] = rows.new_empty(len(rows), width)
    return space[name][: len(rows)]


def _places_like(codes: Codes, n: int) -> Codes:
    """Empty places for the codes of n images, of which those are the first ones."""
    size, last = (n, *codes.maps.shape[1:]), torch.channels_last
    maps = torch.empty(size, dtype=codes.maps.dtype, device=codes.device, memory_format=last)
    return Codes(maps, codes.pooled.new_empty(n, codes.pooled.shape[1]))


def _cell_moments(channels: Tensor, spans: list[list[tuple[int, int]]]) -> tuple[Tensor, Tensor]:
    """Sums (s * s, n * c) and sums of products (s * s, n * c * c) in s x s cells, row by row."""
    n, c, cells = channels.shape[0], channels.shape[-1], len(spans[0]) ** 2
    sums, products = channels.new_empty(cells, n, c), channels.new_empty(cells, n, c, c)
    for cell, ((top, bottom), (left, right)) in enumerate(itertools.product(*spans)):
        part = channels[:, top:bottom, left:right].reshape(n, -1, c)
        torch.sum(part, 1, out=sums[cell])
        torch.bmm(part.mT, part, out=products[cell])
    return sums.flatten(1), products.flatten(1)


def _inside(cells: int, width: int) -> Tensor:
    """Which of s * s cells lie in each of w * w windows, (w * w, s * s): ones and zeros.

    One window is the whole image, more are half as long and wide each.
    """
    taken = cells if width == 1 else cells // 2
    step = 1 if width == 1 else (cells - taken) // (width - 1)
    side = torch.zeros(width, cells)
    for window in range(width):
        side[window, window * step : window * step + taken] = 1
    return torch.kron(side, side)


def _leading(centred: Tensor, n: int) -> Tensor:
    """A basis (k, n) of the leading principal components of rows (m, k), each of variance 1."""
    return whitening(centred.T @ centred / len(centred), n)

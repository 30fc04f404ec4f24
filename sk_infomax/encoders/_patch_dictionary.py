"""The frozen first layer of images: a dictionary of patches, and moments of its codes."""

import itertools
import math
from collections.abc import Iterator

import torch
from torch import Tensor
from torch.linalg import vector_norm
from torch.nn.functional import adaptive_avg_pool2d, avg_pool2d, unfold

from .._modes import in_blocks, is_traced
from ._base import Views
from ._closed_form import Codes, Stem
from ._dictionary import CONTRAST_FLOOR, find_filters
from ._directions import whitening

__all__ = ["PatchDictionary"]

_GRID = 8  # cells on each side of an image, of which the learned part reads (rule of thumb)
_POOLS = (1, 2, 4)  # cells on each side; without 4, up to 2.4 points are lost (docs/ablation.md)
_THRESHOLD = 0.25  # of likeness, below which a code is 0; 0 and 0.5 do as well (docs/ablation.md)
_LEAST_CODE = 1e-12  # in the place of 0 (rule of thumb)
_N_PATCHES = 40_000  # patches that k-means sees (rule of thumb; Coates, Ng and Lee take 400,000)
_PATCH_VALUES = 2**23  # values of all patches together; 32 MB in float32, for colour and large ones
_BLOCK = 256  # images whose patches or codes are held at once (rule of thumb)
_CACHED_VALUES = 2**19  # codes; 2 MB in float32, what the cache of a core holds
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

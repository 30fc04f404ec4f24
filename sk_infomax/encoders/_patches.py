"""The default encoder of images: a dictionary of patches, and what is learned on top of it."""

from typing import Literal

import torch
from sklearn.base import clone
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, avg_pool2d, conv2d, one_hot, unfold

from .._checks import AUTO, POSITIVE_INT
from ._base import (
    DataDriven,
    Encoder,
    Encoding,
    StagedNetwork,
    Views,
    convolution,
    flat_size,
    flatten_channels_last,
    locations,
)
from ._directions import telling_directions

__all__ = ["PatchEncoder"]

_COARSE_FROM = 28  # pixels; a side of twice as many is read at every second place, and so on
_PATCH = 6  # pixels on each side of a patch (Coates, Ng and Lee 2011)
_LEAST_PATCH = 3  # pixels; for images too small for four patches in a row (rule of thumb)
_GRID = 8  # cells on each side of an image, of which the learned part reads (rule of thumb)
_POOLS = (1, 2, 4)  # cells on each side; without 4, up to 2.4 points are lost (docs/ablation.md)
_THRESHOLD = 0.25  # of likeness, below which a code is 0; 0 and 0.5 do as well (docs/ablation.md)
_CONTRAST_FLOOR = 0.1  # of the contrast of all patches; flat ones stay small (rule of thumb)
_WHITENING_FLOOR = 0.1  # added to variances of normalised patches (Coates, Ng and Lee 2011)
_N_PATCHES = 40_000  # patches that k-means sees (rule of thumb; Coates, Ng and Lee take 400,000)
_PATCH_VALUES = 2**23  # values of all patches together; 32 MB in float32, for colour and large ones
_KMEANS_ROUNDS = 15  # rounds of Lloyd's algorithm (rule of thumb)
_BLOCK = 256  # images whose patches or codes are held at once (rule of thumb)
_CACHED_VALUES = 2**19  # codes; 2 MB in float32, what the cache of a core holds
_WITHIN_FLOOR = 0.3  # of the mean difference of views, added to each column's (rule of thumb)
_N_SCALED = 1024  # images that the size of the directions is measured on (rule of thumb)
_SPREAD = 0.2  # standard deviation of the features, in the mean (rule of thumb)
_EACH_DIRECTIONS = 32  # directions for each filter; half as many lost nothing (docs/ablation.md)
_MOST_DIRECTIONS = 4096  # directions; as many as there are images to find them on
_FEWEST_DIRECTIONS = 128  # directions, however few the images (rule of thumb)
_SAMPLES_EACH = 4  # images for each direction; with fewer, the last ones fit noise (rule of thumb)
_ROOT_FLOOR = 1e-6  # added to codes under a root, whose slope is then 500 at most
_TINY = 1e-6  # least mean square of patches, for images that are blank
_LEAST_SPREAD = 1e-12  # least difference of views, for images that are all the same


class PatchEncoder(Encoder):
    """The default for images, made for CPUs: a dictionary of patches that `fit` finds in seconds.

    1. Patches at random places are normalised in contrast and whitened, and k-means finds
       `n_filters` centres [1]_. The first layer is how much each patch of an image is like each
       centre and how much like its negative, above a threshold, averaged over a grid of 8 x 8
       cells. It stays as it is. Where views mirror images, as those of `ImageViews(flip=True)`
       do, it is averaged over an image and its mirror image too.
    2. The square roots of its means over the whole, the quarters and the sixteenths of the image
       are mapped to the `n_directions` directions that tell most about another view of the same
       image: what the mutual information of normal variables asks for, in closed form.
       `output="hidden"` is these, best first.
    3. A convolution on the grid (the local map, 4 x 4 locations) and a linear layer learn what
       step 2 misses; the global vector is the sum of both.

    `output="multiscale"`, the default of `transform`, is the embedding beside the features of
    step 2.

    Parameters
    ----------
    n_filters : int, default=64
        Size of the dictionary. More filters make better features in more time.
    n_directions : int or "auto", default="auto"
        Number of directions of step 2 that are kept, at most 42 for each filter. There are no more
        than images that `fit` looks at, 4,096; further columns are 0. "auto" is 32 for each filter,
        but no more than 4,096, and than a quarter as many as there are images, or 128: the last
        ones fit the noise of few.
    width : int, default=128
        Channels of the local map.
    patch_size : int or None, default=None
        Pixels on each side of a patch; None is 6 for images of 28 to 55 pixels, 3 for very small
        ones, and grows with larger ones.

    References
    ----------
    .. [1] Coates and Ng, The importance of encoding versus training with sparse coding and vector
       quantization, ICML 2011.

    Examples
    --------
    >>> from sk_infomax import PatchEncoder
    >>> PatchEncoder().fitted_to(60_000).n_directions
    2048
    >>> PatchEncoder().fitted_to(1000).n_directions
    250
    """

    _parameter_constraints: dict = {
        "n_filters": [POSITIVE_INT],
        "n_directions": [POSITIVE_INT, AUTO],
        "width": [POSITIVE_INT],
        "patch_size": [POSITIVE_INT, None],
    }
    kind = "image"
    output = "multiscale"

    def __init__(
        self,
        n_filters: int = 64,
        n_directions: int | Literal["auto"] = "auto",
        width: int = 128,
        patch_size: int | None = None,
    ):
        self.n_filters = n_filters
        self.n_directions = n_directions
        self.width = width
        self.patch_size = patch_size

    def fitted_to(self, n_samples: int) -> "PatchEncoder":
        """The same settings with a number of directions that so many images can carry."""
        if self.n_directions != "auto":
            return self
        carried = max(_FEWEST_DIRECTIONS, n_samples // _SAMPLES_EACH)
        return clone(self).set_params(n_directions=min(self._most_directions(), carried))

    def _most_directions(self) -> int:
        """How many directions are kept, whatever the number of images."""
        if self.n_directions != "auto":
            return int(self.n_directions)
        return min(_EACH_DIRECTIONS * self.n_filters, _MOST_DIRECTIONS)

    def build(self, shape: tuple[int, ...], n_components: int) -> nn.Module:
        """Make the network for images of shape (c, h, w)."""
        shorter = min(shape[1:])
        if shorter < 2:
            raise ValueError(
                f"PatchEncoder needs images of 2x2 pixels or more and got {shape[1:]}. "
                "Treat the values as a table: encoder='table'."
            )
        stride = max(1, shorter // _COARSE_FROM)
        usual = min(shorter, max(_LEAST_PATCH, min(shorter // 4, _PATCH))) * stride
        size = self.patch_size or usual
        if size > shorter:
            raise ValueError(
                f"patch_size={size} does not fit images of {shape[1:]} pixels. "
                f"Choose 1 to {shorter}."
            )
        stem = PatchDictionary(shape[0], self.n_filters, size, stride)
        return PatchNetwork(stem, self._most_directions(), self.width, shape, n_components)


class PatchDictionary(DataDriven):
    """How much patches of images (n, c, h, w) are like filters or like their negatives.

    After `prepare` with views that mirror images, images and their mirror images are alike.

    Parameters
    ----------
    channels : int
        Of the images.
    n_filters : int
        Number of filters.
    size, stride : int
        Of the patches, in pixels.
    """

    filters: Tensor
    offset: Tensor
    floor: Tensor
    mirrored: Tensor

    def __init__(self, channels: int, n_filters: int, size: int, stride: int):
        super().__init__()
        self.size = size
        self.stride = stride
        filters = torch.randn(n_filters, channels, size, size)
        self.register_buffer("filters", filters - filters.mean((1, 2, 3), keepdim=True))
        self.register_buffer("offset", torch.zeros(n_filters, 1, 1))
        self.register_buffer("floor", torch.tensor(_CONTRAST_FLOOR**2))
        self.register_buffer("mirrored", torch.tensor(False))
        self.mirrors = False
        self.register_load_state_dict_post_hook(_read_mirrored)

    @torch.no_grad()
    def forward(self, x: Tensor) -> Tensor:
        """Codes (n, 2 * n_filters, rows, columns), means over the cells of a grid, none below 0."""
        if self.mirrors:  # to ask the buffer would be to wait for the device in each step
            return (self._blocks(x) + self._blocks(x.flip(-1))) / 2
        return self._blocks(x)

    def _blocks(self, x: Tensor) -> Tensor:
        if x.device.type != "cpu":
            return self._codes(x)
        # Codes of a few images fit the cache of a processor, which makes this twice as fast; so
        # do channels that come last, for which grey images have to be copied.
        places = [(side - self.size) // self.stride + 1 for side in x.shape[2:]]
        few = max(1, _CACHED_VALUES // (len(self.filters) * places[0] * places[1]))
        blocks = (block.clone(memory_format=torch.channels_last) for block in x.split(few))
        return torch.cat([self._codes(block) for block in blocks])

    def _codes(self, x: Tensor) -> Tensor:
        window = self.size, self.stride
        mean = avg_pool2d(x.mean(1, keepdim=True), *window)
        power = avg_pool2d(x.square().mean(1, keepdim=True), *window)
        contrast = (power - mean.square()).clamp_(min=0).add_(self.floor).rsqrt_()
        likeness = conv2d(x, self.filters, stride=self.stride).mul_(contrast).sub_(self.offset)
        grid = min(_GRID, likeness.shape[2]), min(_GRID, likeness.shape[3])
        below = (-_THRESHOLD - likeness).relu_()
        above = likeness.sub_(_THRESHOLD).relu_()
        return torch.cat([adaptive_avg_pool2d(codes, grid) for codes in (above, below)], 1)

    @torch.no_grad()
    def prepare(self, x: Tensor, views: Views | None, generator: torch.Generator) -> None:
        """Find the filters among patches of images x (n, c, h, w)."""
        self.mirrors = views is not None and views.mirrors
        self.mirrored.fill_(self.mirrors)
        patches = self._patches(x, generator)
        patches -= patches.mean(1, keepdim=True)
        self.floor.copy_(_CONTRAST_FLOOR**2 * patches.square().mean().clamp(min=_TINY))
        patches *= (patches.square().mean(1, keepdim=True) + self.floor).rsqrt()
        mean = patches.mean(0)
        centred = patches - mean
        values, vectors = torch.linalg.eigh(centred.T @ centred / len(centred))
        whiten = vectors * (values.clamp(min=0) + _WHITENING_FLOOR).rsqrt() @ vectors.T
        centres = _kmeans(centred @ whiten, len(self.filters), generator)
        # The whitening goes into the filters, so that patches need not be whitened one by one.
        filters = centres @ whiten
        self.offset.copy_((filters @ mean)[:, None, None])
        filters -= filters.mean(1, keepdim=True)  # takes the mean off each patch
        self.filters.copy_(filters.reshape(self.filters.shape))

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


def _read_mirrored(dictionary: PatchDictionary, _) -> None:
    """Take over from the buffer, once it is loaded, whether images are mirrored."""
    dictionary.mirrors = bool(dictionary.mirrored)


def _kmeans(points: Tensor, k: int, generator: torch.Generator) -> Tensor:
    """Centres (k, d) of points (n, d) after some rounds of Lloyd's algorithm."""

    def draw(count: int) -> Tensor:
        rows = torch.randint(len(points), (count,), generator=generator, device=points.device)
        return points[rows]

    order = torch.randperm(len(points), generator=generator, device=points.device)[:k]
    centres = torch.cat([points[order], draw(k - len(order))])
    for _ in range(_KMEANS_ROUNDS):
        nearest = (points @ centres.T - 0.5 * centres.square().sum(1)).argmax(1)
        counts = torch.bincount(nearest, minlength=k)[:, None]
        sums = _sums_by_centre(points, nearest, k)
        # A centre that has lost all its points starts anew from one of them.
        centres = torch.where(counts > 0, sums / counts.clamp(min=1), draw(k))
    return centres


def _sums_by_centre(points: Tensor, nearest: Tensor, k: int) -> Tensor:
    """Sums (k, d) of the points (n, d) that are nearest to each centre."""
    if points.device.type == "cpu":
        return points.new_zeros(k, points.shape[1]).index_add_(0, nearest, points)
    # On CUDA index_add_ adds in another order each time; a product should not.
    return one_hot(nearest, k).to(points).T @ points


class PatchNetwork(StagedNetwork, DataDriven):
    """A dictionary of patches, what follows from it in closed form, and what is learned.

    Parameters
    ----------
    stem : PatchDictionary
        Gives codes (n, k, rows, columns).
    n_directions : int
        How many of the directions are kept, at most.
    width : int
        Channels of the local map.
    shape : tuple of int
        Of an image, (c, h, w).
    n_components : int
        Width of the global vector.
    """

    local_stage: nn.Sequential
    centre: Tensor
    directions: Tensor
    scale: Tensor

    def __init__(
        self,
        stem: PatchDictionary,
        n_directions: int,
        width: int,
        shape: tuple[int, ...],
        n_components: int,
    ):
        with torch.no_grad():
            codes = stem(torch.zeros(1, *shape))
        channels, grid = codes.shape[1], codes.shape[2:]
        # Kernel, stride, padding: 4 x 4 locations where the grid allows, never less than one.
        window = (3, 2, 1) if min(grid) > 6 else (3, 1, 0) if min(grid) >= 3 else (1, 1, 0)
        learned = nn.Sequential(
            _Root(), nn.BatchNorm2d(channels), convolution(2, channels, width, *window)
        )
        local_stage = nn.Sequential(stem, learned)
        super().__init__(
            local_stage,
            nn.Identity(),
            nn.Linear(flat_size(local_stage, shape), n_components, bias=False),
            nn.BatchNorm1d(n_components),
        )
        d = _scales(codes).shape[1]
        kept = min(d, n_directions)
        self.n_direct = min(kept, n_components)
        self.register_buffer("centre", torch.zeros(d))
        self.register_buffer("directions", torch.eye(d, kept))
        self.register_buffer("scale", torch.ones(self.n_direct))

    def forward(self, x: Tensor) -> Encoding:
        """Encoding of images (n, c, h, w)."""
        codes = self.local_stage[0](x)
        local = self.local_stage[1](codes)
        flat = flatten_channels_last(local)
        n = self.n_direct
        # Training reads the first directions alone, so the others are not computed in its steps.
        kept = self.directions[:, :n] if self.training else self.directions
        direct = (_scales(codes) - self.centre) @ kept
        learned = self.hidden_stage(flat)
        both = learned[:, :n] + direct[:, :n] * self.scale
        vector = self.output_stage(torch.cat([both, learned[:, n:]], 1))
        wide = None if self.training else torch.cat([_SPREAD * vector, direct], 1)
        return Encoding(locations(local), vector, direct, flat, wide, tuple(local.shape[2:]))

    @torch.no_grad()
    def prepare(self, x: Tensor, views: Views | None, generator: torch.Generator) -> None:
        """Find the directions in which images differ most, for what views of an image differ by.

        Under a normal distribution of features and differences these are the ones that tell
        most about another view. Without views it is the spread alone that counts.
        """
        if views is None:
            first = self._pooled(x)
            mean, within = first, first[:0]
        else:
            first, second = (self._pooled(x, views, generator) for _ in range(2))
            mean, within = (first + second) / 2, (first - second) * 0.5**0.5
        centre = mean.mean(0)
        between = mean - centre
        noise = between.square().mean(0) if views is None else torch.zeros_like(centre)
        spread = noise.mean() + within.square().sum(0).mean() / len(x)
        noise += _WITHIN_FLOOR * spread.clamp(min=_LEAST_SPREAD)
        found = telling_directions(between, within, noise, self.directions.shape[1])
        self._keep(centre, found, ((first[:_N_SCALED] - centre) @ found).var(0, correction=0))

    def _keep(self, centre: Tensor, found: Tensor, variance: Tensor) -> None:
        """Take over directions (d, kept) at one size, and how the first ones become the vector."""
        size = _SPREAD / variance[variance > 0].mean().sqrt() if variance.any() else 1.0
        self.centre.copy_(centre)
        self.directions.copy_(found * size)
        scale = 1 / (size * variance[: self.n_direct].sqrt())
        self.scale.copy_(scale.nan_to_num(posinf=0.0))

    def _pooled(
        self, x: Tensor, views: Views | None = None, generator: torch.Generator | None = None
    ) -> Tensor:
        """Pooled codes (n, d) of images, or of a view of each."""
        found = []
        for block in x.split(_BLOCK):
            seen = block if views is None or generator is None else views(block, generator)
            found.append(_scales(self.local_stage[0](seen)))
        return torch.cat(found)


class _Root(nn.Module):
    """Square roots, with a slope that is finite at 0."""

    def forward(self, codes: Tensor) -> Tensor:
        return (codes + _ROOT_FLOOR).sqrt()


def _scales(codes: Tensor) -> Tensor:
    """Square roots of the means of codes (n, k, rows, columns) over coarser grids, (n, d)."""
    pools = [pool for pool in _POOLS if pool <= min(codes.shape[2:])]
    return torch.cat([adaptive_avg_pool2d(codes, pool).flatten(1) for pool in pools], 1).sqrt()

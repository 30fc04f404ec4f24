"""Features of image patches without a network: a dictionary, a soft code, and pooling."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import conv2d

from sk_infomax._random import new_generator
from sk_infomax._scaling import Scaling

from ._fitting import DoesNotFit, Stopwatch, layout_of, seconds_of

COUNTS = (32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048)
STRIDES = (1, 2, 4)
MOST_FEATURES = 9216  # more would take longer to judge than to make
N_PATCHES, N_ROUNDS, N_MOMENTS, N_TIMED = 40_000, 20, 2_000, 256
CONTRAST, WHITENING, KEPT = 0.003, 0.1, 0.995
_ROWS = 2048
_CACHE_VALUES = 2**19  # codes computed at once, so that they stay in the processor's cache


@dataclass(frozen=True)
class Whitening:
    """From patches to whitened ones, without copying patches out of the image.

    Each patch loses its mean, is divided by its own standard deviation, and is projected on the
    principal axes, each divided by its standard deviation. Distances between such patches are
    those of ZCA whitening, which only turns them; axes that whitening damps to nothing are left
    out.

    Attributes
    ----------
    filters : Tensor of shape (k, c, s, s)
        The axes, without the mean of a patch.
    offset : Tensor of shape (k,)
        Whitened mean patch.
    """

    filters: Tensor
    offset: Tensor

    @classmethod
    def fit(cls, patches: Tensor) -> "Whitening":
        """Find the axes of patches (n, c, s, s)."""
        flat = patches.flatten(1)
        flat = flat - flat.mean(1, keepdim=True)
        flat = flat / (flat.square().mean(1, keepdim=True) + CONTRAST).sqrt()
        mean = flat.mean(0)
        values, axes = torch.linalg.eigh((flat - mean).T @ (flat - mean) / len(flat))
        values, axes = values.flip(0).clamp(min=0), axes.flip(1)
        share = (values / (values + WHITENING)).cumsum(0)
        kept = min(len(values), int((share < KEPT * share[-1]).sum()) + 1)
        axes = (axes / (values + WHITENING).sqrt())[:, :kept]
        filters = (axes - axes.mean(0)).T.reshape(kept, *patches.shape[1:])
        return cls(filters.contiguous(memory_format=torch.channels_last), mean @ axes)

    def apply(self, images: Tensor, stride: int) -> Tensor:
        """Whitened patches (n * positions, k) of images (n, c, h, w)."""
        side, (height, width) = self.filters.shape[-1], images.shape[2:]
        rows, columns = (_windows(length, side, stride) for length in (height, width))
        mean = rows @ images.mean(1) @ columns.T
        square = rows @ images.square().mean(1) @ columns.T
        inverse = ((square - mean * mean).clamp_(min=0) + CONTRAST).rsqrt_()
        projected = conv2d(images, self.filters, stride=stride).permute(0, 2, 3, 1)
        whitened = projected.reshape(-1, len(self.filters)) * inverse.reshape(-1, 1)
        return whitened.sub_(self.offset)


class PatchDictionary:
    """K-means centres of whitened patches, the triangle code at every position, mean pooling.

    The code of a patch for a centre is how much nearer than its mean distance to all centres it
    is, 0 if it is farther. Codes are averaged over the cells of a grid and standardised. As many
    centres are used as fit and transform of `n_samples` samples have time for.

    Parameters
    ----------
    budget : float
        Seconds for `fit` and for `transform` of `n_samples` samples, together.
    seed : int
        Of patches and centres.
    n_samples : int
        How many samples `transform` will be asked for.
    count : int or None, default=None
        Number of centres; None takes the largest of `COUNTS` that there is time for.
    mirrored : bool, default=False
        Whether codes are averaged over an image and its mirror image.

    References
    ----------
    Coates, Lee and Ng, An analysis of single-layer networks in unsupervised feature learning,
    AISTATS 2011.
    """

    n_steps_ = 0

    def __init__(
        self,
        budget: float,
        seed: int,
        n_samples: int,
        count: int | None = None,
        mirrored: bool = False,
    ):
        self.mirrored = mirrored
        self.budget = budget
        self.seed = seed
        self.n_samples = n_samples
        self.count = count

    def fit(self, X: np.ndarray, y: np.ndarray) -> "PatchDictionary":
        """Choose the size, find the centres, and the scale of each feature."""
        watch, layout = Stopwatch(self.budget), layout_of(X)
        if layout.kind != "image":
            raise DoesNotFit(f"Patches are cut out of images; these samples are {layout.kind}s.")
        self.generator = new_generator(self.seed)
        self.scaling = Scaling(layout).update(X)
        channels, *sides = layout.network_shape
        self.sides = sides
        self.side = 6 if min(sides) >= 20 else 3
        self.grid = 2 if channels > 1 else 3
        patches = self.draw_patches(X)
        self.whitening = Whitening.fit(patches)
        whitened = self.whitening.apply(patches, 1)
        sample = self.tensor(X[:N_TIMED])
        count, self.stride = self.choose(whitened, sample, watch)
        self.prepare(self.find_centres(whitened, count))
        order = torch.randperm(len(X), generator=self.generator)[:N_MOMENTS]
        features = self.encode(self.tensor(X[order.numpy()]))
        self.mean, self.scale = features.mean(0), (features.var(0) + 1e-6).sqrt()
        self.notes_ = {"centres": count, "stride": self.stride, "patch": self.side}
        return self

    def tensor(self, X: np.ndarray) -> Tensor:
        """Standardised images (n, c, h, w)."""
        return self.scaling.apply(X).contiguous(memory_format=torch.channels_last)

    def draw_patches(self, X: np.ndarray) -> Tensor:
        """Patches (N_PATCHES, c, s, s) at random places of random samples."""
        size = min(len(X), N_PATCHES // 2)
        chosen = torch.randperm(len(X), generator=self.generator)[:size]
        images, side = self.scaling.apply(X[chosen.numpy()]), torch.arange(self.side)

        def draw(end: int) -> Tensor:
            return torch.randint(end, (N_PATCHES, 1, 1), generator=self.generator)

        rows, columns = (draw(length - self.side + 1) for length in self.sides)
        cut = images[draw(size), :, rows + side[:, None], columns + side]
        return cut.permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)

    def choose(self, whitened: Tensor, sample: Tensor, watch: Stopwatch) -> tuple[int, int]:
        """Most centres, at the smallest stride, for which there is time."""
        if self.count is not None:
            return self.count, 1
        for self.stride in STRIDES:
            fitting = 0
            for count in COUNTS:  # upwards: the trial that ends the search is the only dear one
                if count * self.grid**2 > MOST_FEATURES:
                    break
                seconds = self.planned_seconds(whitened, sample, count)
                if not watch.allows(seconds):
                    break
                fitting = count
            if fitting:
                return fitting, self.stride
        raise DoesNotFit(
            f"{COUNTS[0]} centres at every {STRIDES[-1]}th position of {self.n_samples} samples "
            f"would take {seconds:.1f} s."
        )

    def planned_seconds(self, whitened: Tensor, sample: Tensor, count: int) -> float:
        """Time that learning and using so many centres would take, by a small trial."""
        self.prepare(whitened[:count])
        coding = seconds_of(lambda: self.encode(sample)) / len(sample)
        learning = seconds_of(lambda: _nearest(whitened[:4096], whitened[:count]))
        rounds = 2 * N_ROUNDS * len(whitened) / 4096  # the update takes about as long again
        return learning * rounds + coding * (self.n_samples + N_MOMENTS)

    def find_centres(self, whitened: Tensor, count: int) -> Tensor:
        """Centres (count, k) of patches (m, k) by k-means; empty clusters start anew."""
        order = torch.randperm(len(whitened), generator=self.generator)[:count]
        centres = whitened[order].clone()
        for _round in range(N_ROUNDS):
            nearest = torch.cat([_nearest(part, centres) for part in whitened.split(4096)])
            sizes = torch.bincount(nearest, minlength=count)
            centres = torch.zeros_like(centres).index_add_(0, nearest, whitened)
            centres /= sizes.clamp(min=1)[:, None]
            empty = torch.nonzero(sizes == 0).flatten()
            fresh = torch.randint(len(whitened), (len(empty),), generator=self.generator)
            centres[empty] = whitened[fresh]
        return centres

    def prepare(self, centres: Tensor) -> None:
        """Lay out centres (K, k) and the grid for `encode`."""
        squares = centres.square().sum(1)
        # With a patch's own square and a 1 behind its values, one product gives all distances.
        self.dictionary = torch.cat([-2 * centres.T, torch.ones(1, len(centres)), squares[None]])
        cells = [_cells((s - self.side) // self.stride + 1, self.grid) for s in self.sides]
        pool = torch.einsum("ih,jw->ijhw", *cells).flatten(2).flatten(0, 1)
        self.pool = pool / pool.sum(1, keepdim=True)  # (cells, positions)

    def encode(self, images: Tensor) -> Tensor:
        """Pooled codes (n, cells * K) of images (n, c, h, w)."""
        codes = self.encode_one_side(images)
        return (codes + self.encode_one_side(images.flip(-1))) / 2 if self.mirrored else codes

    def encode_one_side(self, images: Tensor) -> Tensor:
        """Pooled codes of images as they are."""
        (cells, positions), width = self.pool.shape, self.dictionary.shape[1]
        out = torch.empty(len(images), cells, width)
        step = max(1, _CACHE_VALUES // (positions * width))
        for part, target in zip(images.split(step), out.split(step)):
            patches = self.whitening.apply(part, self.stride)
            square = patches.square().sum(1, keepdim=True)
            lifted = torch.cat([patches, square, torch.ones_like(square)], dim=1)
            distances = (lifted @ self.dictionary).clamp_(min=0).sqrt_()
            mean = distances.mean(1, keepdim=True)
            codes = torch.sub(mean, distances, out=distances).clamp_(min=0)
            pool = self.pool.expand(len(part), -1, -1)
            torch.bmm(pool, codes.view(len(part), positions, width), out=target)
        return out.flatten(1)

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Standardised features (n, cells * K)."""
        out = torch.empty(len(X), len(self.mean))
        for start in range(0, len(X), _ROWS):
            codes = self.encode(self.tensor(X[start : start + _ROWS]))
            torch.div(codes.sub_(self.mean), self.scale, out=out[start : start + _ROWS])
        return out.numpy()


class RandomConvolution(PatchDictionary):
    """The same code and pooling for centres that nothing has learned.

    Centres are normal random vectors in the space of whitened patches: filters of a random
    convolution.
    """

    def find_centres(self, whitened: Tensor, count: int) -> Tensor:
        """Random centres (count, k), as spread out as the patches."""
        numbers = torch.randn(count, whitened.shape[1], generator=self.generator)
        return numbers * whitened.square().mean().sqrt()


def _nearest(patches: Tensor, centres: Tensor) -> Tensor:
    """Index of the nearest of the centres (K, k) for each patch (m, k): (m,)."""
    scores = patches @ centres.T
    return scores.sub_(centres.square().sum(1) / 2).argmax(1)


def _windows(length: int, side: int, stride: int) -> Tensor:
    """What averages each stretch of `side` places out of `length`: (positions, length)."""
    start = torch.arange(0, length - side + 1, stride)[:, None]
    place = torch.arange(length)
    return ((place >= start) & (place < start + side)).float() / side


def _cells(length: int, grid: int) -> Tensor:
    """Which of `length` places lie in each of `grid` equal stretches: (grid, length)."""
    grid = min(grid, length)
    cell = torch.arange(length) * grid // length
    return (cell == torch.arange(grid)[:, None]).float()

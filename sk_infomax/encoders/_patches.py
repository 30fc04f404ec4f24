"""The default encoder of images: a dictionary of patches, and what is learned on top of it."""

from typing import Literal, NamedTuple

from sklearn.base import clone
from torch import nn

from .._checks import AUTO, NON_NEGATIVE_INT, POSITIVE_INT
from ._base import Encoder, Views
from ._closed_form import SHARE_OF_STEPS, ClosedFormNetwork, carried_directions
from ._patch_dictionary import PatchDictionary

__all__ = ["PatchEncoder"]

# Pixels; of a side of twice as many each patch sees means of 2 x 2, and so on. 48 lost 4 points on
# photographs of 32 pixels that were enlarged to 64 and to 224 (1,200 of CIFAR-10, ridge).
_FINEST = 32
_PATCH = 6  # pixels of 32 on each side of a patch, as Coates, Ng and Lee (2011); 5 is no better
_LEAST_PATCH = 3  # pixels; for images too small for four patches in a row (rule of thumb)
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


class PatchEncoder(Encoder):
    """The default for images, made for CPUs: a dictionary of patches that `fit` finds in seconds.

    1. Patches at random places are normalised in contrast and whitened, and k-means finds
       `n_filters` centres [1]_. The code of a place is how much its patch is like each centre
       and how much like its negative, above a threshold. It stays as it is. Where views mirror
       images, as those of `ImageViews(flip=True)` do, half of the centres are the mirror images
       of the others, and what follows is averaged over an image and its mirror image.
    2. Pooled are the square roots of the codes' means over the whole, the quarters and the
       sixteenths of the image, and the covariances of the `n_channels` leading whitened channels
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
        better features in more time. "auto" is 16 and two for each three values of a patch, but no
        more than 64: 40 for patches of 6 x 6 grey pixels.
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
        if "auto" not in (self.mirrored, self.n_directions):
            return self
        found = clone(self)
        if found.mirrored == "auto":
            found.mirrored = views is not None and views.mirrors
        if found.n_directions == "auto":
            most = min(found._plan(shape).n_filters * found.n_places, _MOST_DIRECTIONS)
            found.n_directions = min(most, carried_directions(n_samples))
        return found

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

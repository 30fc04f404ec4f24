"""Filters that k-means finds among patches, whatever the patches are cut from."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from ._symmetric import eigh

__all__ = ["CONTRAST_FLOOR", "Filters", "find_filters"]

CONTRAST_FLOOR = 0.1  # of the contrast of all patches; flat ones stay small (rule of thumb)
_WHITENING_FLOOR = 0.1  # added to variances of normalised patches (Coates, Ng and Lee 2011)
_KMEANS_ROUNDS = 15  # rounds of Lloyd's algorithm (rule of thumb)
_TINY = 1e-6  # least mean square of patches, for samples that are blank


class Filters(NamedTuple):
    """What makes the likeness of a patch to each centre.

    It is the product of the weights with the patch, divided by the root of the patch's variance and
    the floor, less the offset.

    Parameters
    ----------
    weights : Tensor of shape (k, d)
        Each of mean 0, so that the mean of a patch does not count.
    offset : Tensor of shape (k,)
        What the mean of all patches gives.
    floor : Tensor of shape ()
        Added to the variance of a patch.
    """

    weights: Tensor
    offset: Tensor
    floor: Tensor


def find_filters(
    patches: Tensor, k: int, generator: torch.Generator, mirror: Tensor | None = None
) -> Filters:
    """Centres of patches (n, d) that are normalised in contrast and whitened, as filters.

    Parameters
    ----------
    patches : Tensor of shape (n, d)
        As they are cut.
    k : int
        Number of filters.
    generator : torch.Generator
        Draws where k-means starts.
    mirror : Tensor of shape (d,) or None
        An order of the values that makes mirror images of patches. The second half of the filters
        are then the mirror images of the first.
    """
    patches = patches - patches.mean(1, keepdim=True)
    floor = CONTRAST_FLOOR**2 * patches.square().mean().clamp(min=_TINY)
    patches *= (patches.square().mean(1, keepdim=True) + floor).rsqrt()
    if mirror is not None:
        patches = torch.cat([patches, patches[:, mirror]])
    mean = patches.mean(0)
    centred = patches - mean
    values, vectors = eigh(centred.T @ centred / len(centred))
    whiten = vectors * (values.clamp(min=0) + _WHITENING_FLOOR).rsqrt() @ vectors.T
    # The whitening goes into the filters, so that patches need not be whitened one by one.
    filters = _kmeans(centred @ whiten, k, generator, mirror) @ whiten
    return Filters(filters - filters.mean(1, keepdim=True), filters @ mean, floor)


def _kmeans(
    points: Tensor, k: int, generator: torch.Generator, mirror: Tensor | None = None
) -> Tensor:
    """Centres (k, d) of points (n, d) after some rounds of Lloyd's algorithm.

    With `mirror`, an order (d,) of the values that makes mirror images of points, points have
    to come with theirs, and the second half of the centres are the mirror images of the first.
    """
    if mirror is not None:
        k = k // 2

    def draw(count: int) -> Tensor:
        rows = torch.randint(len(points), (count,), generator=generator, device=points.device)
        return points[rows]

    order = torch.randperm(len(points), generator=generator, device=points.device)[:k]
    centres = torch.cat([points[order], draw(k - len(order))])
    for _ in range(_KMEANS_ROUNDS):
        both = centres if mirror is None else torch.cat([centres, centres[:, mirror]])
        nearest = (points @ both.T - 0.5 * both.square().sum(1)).argmax(1)
        counts = torch.bincount(nearest, minlength=len(both))[:k, None]
        sums = _sums_by_centre(points, nearest, len(both))[:k]
        # A centre that has lost all its points starts anew from one of them.
        centres = torch.where(counts > 0, sums / counts.clamp(min=1), draw(k))
    return centres if mirror is None else torch.cat([centres, centres[:, mirror]])


def _sums_by_centre(points: Tensor, nearest: Tensor, k: int) -> Tensor:
    """Sums (k, d) of the points (n, d) that are nearest to each centre."""
    if points.device.type == "cpu":
        return points.new_zeros(k, points.shape[1]).index_add_(0, nearest, points)
    # On CUDA index_add_ adds in another order each time; a product should not.
    return one_hot(nearest, k).to(points).T @ points

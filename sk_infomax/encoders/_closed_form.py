"""A frozen first layer, what follows from it in closed form, and what is learned on top of it.

    stem -> pooled codes -> directions that tell most about another view -> what gradients add

The stem alone knows what kind of data there is.
"""

from abc import abstractmethod
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from ._base import (
    DataDriven,
    Encoding,
    StagedNetwork,
    Views,
    convolution,
    flat_size,
    flatten_channels_last,
    locations,
)
from ._directions import equal_spread, telling_directions

__all__ = [
    "FEW_STEPS",
    "SHARE_OF_STEPS",
    "ClosedFormNetwork",
    "Codes",
    "Stem",
    "carried_directions",
    "refuse_infinite",
]

# Of a preset's steps. On what the closed form leaves of images, 100 steps gain 0.2 to 1 points and
# more gained nothing; of series and tables they gained nothing (on validation parts).
SHARE_OF_STEPS = 1 / 6  # for images
FEW_STEPS = 1 / 100  # for series and tables
_BLOCK = 256  # samples whose views are held at once (rule of thumb)
_DIRECTION_ROWS = 2048  # samples to find directions among, or as many as are kept (rule of thumb)
_N_SCALED = 1024  # samples that the spread of the directions is measured on (rule of thumb)
_SPREAD = 0.2  # standard deviation of the features, in the mean (rule of thumb)
_WITHIN_FLOOR = 0.3  # of the mean difference of views, added to each column's (rule of thumb)
_FEWEST_DIRECTIONS = 128  # directions, however few the samples (rule of thumb)
_SAMPLES_EACH = 4  # samples for each direction; with fewer, the last ones fit noise (rule of thumb)
_LEAST_SPREAD = 1e-12  # least variance of a column, for samples that are all the same
# Of a direction's variance in the embedding: 1 leaves it as found, best for few labels; 0.5 is
# best for nearest neighbours (CIFAR-10: 61 per cent, not 54; few labels 40.7, not 41.6).
_POWER = 0.75
# Power of the number of inputs that what is learned is divided by: 0.5 learns nothing of digits in
# 100 steps, 0.25 spoils the nearest neighbours of photographs (54 per cent, not 59).
_CALM = 0.375


class Codes(NamedTuple):
    """What a stem says of a batch.

    Parameters
    ----------
    maps : Tensor of shape (n, k, *places)
        Codes place by place, for a linear layer to read.
    pooled : Tensor of shape (n, d)
        Statistics of the codes over places, each group of columns at one scale.
    """

    maps: Tensor
    pooled: Tensor

    @property
    def device(self) -> torch.device:
        """Where they are."""
        return self.pooled.device


class Stem(DataDriven):
    """A frozen first layer that starts from data; `forward` gives `Codes`.

    Attributes
    ----------
    power : float
        Of what samples spread along a direction for what is noise in it: how much the directions
        that tell most stand out. 1 leaves them as they are found.
    """

    power = 1.0

    @abstractmethod
    def forward(self, x: Tensor) -> Codes:
        """Codes of a batch (n, *shape)."""

    def maps(self, x: Tensor) -> Tensor:
        """The maps alone, for what reads nothing else."""
        return self(x).maps

    def noise(self, pooled: Tensor) -> Tensor:
        """Variances (d,) that columns are taken to have of themselves, of columns (n, d).

        What is the same for all columns keeps their scales and turns them alone.
        """
        return pooled.var(0, correction=0).mean().expand(pooled.shape[1])


def carried_directions(n_samples: int) -> int:
    """How many directions so many samples carry."""
    return max(_FEWEST_DIRECTIONS, n_samples // _SAMPLES_EACH)


def refuse_infinite(values: Tensor, who: str) -> None:
    """Refuse values (n, d) that are not finite."""
    fine = values.isfinite()
    if not fine.all():
        row, column = (~fine).nonzero()[0].tolist()
        raise ValueError(
            f"{who} {values[row, column].item()} for a standardised sample, so that nothing can "
            "be found of it. Check X for very large values, and the encoder and its normalize."
        )


class _SmallLinear(nn.Module):
    """A linear layer that starts from 0 and grows slowly, so that it adds to what is there.

    Its steps are as large as those of other layers for each weight; divided by a power of the
    number of inputs, they add up to less.
    """

    def __init__(self, size_in: int, size_out: int):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(size_out, size_in))

    def forward(self, x: Tensor) -> Tensor:
        return linear(x, self.weight / self.weight.shape[1] ** _CALM)


class _Maps(nn.Module):
    """The maps of a stem, without what is pooled."""

    def __init__(self, stem: Stem):
        super().__init__()
        self.stem = stem

    def forward(self, x: Tensor) -> Tensor:
        return self.stem.maps(x)


class ClosedFormNetwork(StagedNetwork, DataDriven):
    """A stem, directions of its pooled codes in closed form, and a small network beside them.

    Parameters
    ----------
    stem : Stem
        Gives codes.
    n_directions : int
        How many of the directions are kept, at most.
    width : int
        Channels of the local map.
    shape : tuple of int
        Of a sample.
    n_components : int
        Width of the global vector.
    """

    local_stage: nn.Sequential
    centre: Tensor
    directions: Tensor
    leading: Tensor
    carried: Tensor

    def __init__(
        self, stem: Stem, n_directions: int, width: int, shape: tuple[int, ...], n_components: int
    ):
        with torch.no_grad():
            codes = stem(torch.zeros(1, *shape))
        channels, d = codes.maps.shape[1], codes.pooled.shape[1]
        local_stage = _read_maps(channels, width, tuple(codes.maps.shape[2:]))
        size = flat_size(local_stage, tuple(codes.maps.shape[1:]))
        learned = _SmallLinear(size, n_components)
        super().__init__(
            nn.Sequential(_Maps(stem), local_stage), nn.Identity(), learned, nn.Identity()
        )
        kept = min(d, n_directions)
        self.register_buffer("centre", torch.zeros(d))
        self.register_buffer("directions", torch.eye(d, kept))
        self.register_buffer("leading", torch.eye(d, n_components))
        self.register_buffer("carried", torch.ones(n_components))

    @property
    def stem(self) -> Stem:
        """The frozen first layer."""
        stem: Any = self.local_stage[0].stem
        return stem

    @property
    def frozen_layer(self) -> nn.Module:
        """The stem."""
        return self.stem

    def forward(self, x: Tensor | Codes) -> Encoding:
        """Encoding of a batch (n, *shape), or of what the stem says of it."""
        codes = x if isinstance(x, Codes) else self.stem(x)
        local = self.local_stage[1](codes.maps)
        flat = flatten_channels_last(local)
        centred = codes.pooled - self.centre
        # Of fewer samples there are fewer directions; columns of nothing but what is learned would
        # be small, and a scaler behind would make them as large as the others.
        vector = centred @ self.leading + self.hidden_stage(flat) * self.carried
        # Training reads the first directions alone, so the others are not computed in its steps.
        direct = vector if self.training else centred @ self.directions
        wide = None if self.training else torch.cat([_SPREAD * vector, direct], 1)
        return Encoding(locations(local), vector, direct, flat, wide, tuple(local.shape[2:]))

    @torch.no_grad()
    def prepare(self, x: Tensor, views: Views | None, generator: torch.Generator) -> None:
        """Find the directions in which samples differ most, for what is noise in them.

        Noise is what each column has of itself and what two views of a sample differ by. Under
        a normal distribution of both these are the directions that tell most about another view.
        """
        x = x[self._chosen(len(x), generator)]
        first = self._pooled(x)
        within, noise = first[:0], self.stem.noise(first)
        if views is not None:
            within = self._pooled(x, views, generator)
            within.sub_(self._pooled(x, views, generator)).mul_(0.5**0.5)
            noise = noise + _WITHIN_FLOOR * within.square().mean()
        centre, kept = first.mean(0), self.directions.shape[1]
        first.sub_(centre)
        found = telling_directions(first, within, noise.clamp(min=_LEAST_SPREAD), kept)
        self._keep(centre, found, (first[:_N_SCALED] @ found).var(0, correction=0))

    def _chosen(self, n: int, generator: torch.Generator) -> Tensor:
        """Which of n samples directions are found among: the time grows as their third power."""
        most = max(_DIRECTION_ROWS, self.directions.shape[1])
        return torch.randperm(n, generator=generator, device=generator.device)[:most]

    def _keep(self, centre: Tensor, found: Tensor, variance: Tensor) -> None:
        """Take over directions (d, kept), best first, at one size and turned to one spread."""
        self.centre.copy_(centre)
        self.directions.copy_(_SPREAD * _raised(found, variance, self.stem.power))
        n = min(found.shape[1], self.leading.shape[1])
        self.leading.zero_()
        self.leading[:, :n] = _raised(found[:, :n], variance[:n], _POWER)
        self.carried.copy_(self.leading.any(0))

    def _pooled(
        self, x: Tensor, views: Views | None = None, generator: torch.Generator | None = None
    ) -> Tensor:
        """Pooled codes (n, d) of samples, or of a view of each."""
        found = []
        for block in x.split(_BLOCK):
            seen = block if views is None or generator is None else views(block, generator)
            found.append(self.stem(seen).pooled)
            refuse_infinite(found[-1], f"{type(self.stem).__name__} gives")
        return torch.cat(found)


def _raised(found: Tensor, variance: Tensor, power: float) -> Tensor:
    """Directions (d, k) whose variances (k,) are raised to a power, 1 in the mean, and turned."""
    raised = variance**power * (variance > 0)
    # A mean of 0, or the 0 of a direction without variance, divides to what is no number.
    size = (raised / variance / raised[variance > 0].mean()).sqrt().nan_to_num()
    return equal_spread(found * size, raised)


def _read_maps(channels: int, width: int, places: tuple[int, ...]) -> nn.Sequential:
    """A layer that makes the local map of maps (n, channels, *places)."""
    fewest = min(places)
    # Kernel, stride, padding: half as many locations where there are enough, never less than one.
    window = (3, 2, 1) if fewest > 6 else (3, 1, 0) if fewest >= 3 else (1, 1, 0)
    norm = nn.BatchNorm1d if len(places) == 1 else nn.BatchNorm2d
    return nn.Sequential(norm(channels), convolution(len(places), channels, width, *window))

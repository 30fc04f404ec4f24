"""What every encoder is made of: the `Encoding`, the settings, stages and small blocks."""

import math
from abc import ABC, abstractmethod
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor, nn

from .._parts import Part

__all__ = [
    "DataDriven",
    "Encoder",
    "Encoding",
    "StagedNetwork",
    "Views",
    "convolution",
    "dense",
    "flat_size",
    "flatten_channels_last",
    "locations",
    "normed_output",
    "prepare",
]


class Encoding(NamedTuple):
    """What an encoder says of a batch of n samples.

    Parameters
    ----------
    local_map : Tensor of shape (n, m, c)
        One vector for each of m locations.
    global_vector : Tensor of shape (n, d) or (n, k, d)
        The embedding.
    hidden : Tensor of shape (n, h)
        What the last layer reads.
    feature_map : Tensor of shape (n, f)
        The last map before the fully connected layers, flattened.
    wide : Tensor of shape (n, w) or None
        Embedding and pooled maps side by side, where a network has pooled ones; not in training.
    map_shape : tuple of int or None
        How the m locations lie, (h, w) for images; None for one after another, (m,).
    further_maps : tuple of Tensor, each of shape (n, m_i, c_i)
        Local maps of other depths, which the global vector is set against too.

    Examples
    --------
    >>> import torch
    >>> from sk_infomax import Encoding
    >>> local, vector = torch.zeros(5, 12, 3), torch.zeros(5, 8)
    >>> Encoding(local, vector, vector, local.flatten(1), map_shape=(4, 3)).grid()
    (4, 3)
    """

    local_map: Tensor
    global_vector: Tensor
    hidden: Tensor
    feature_map: Tensor
    wide: Tensor | None = None
    map_shape: tuple[int, ...] | None = None
    further_maps: tuple[Tensor, ...] = ()

    def summary(self) -> Tensor:
        """One vector (n, d) for each sample: the mean where there are several."""
        vector = self.global_vector
        return vector if vector.dim() == 2 else vector.mean(1)

    def multiscale(self) -> Tensor:
        """Embedding and pooled maps side by side, (n, w); the mean location if there is no more."""
        if self.wide is not None:
            return self.wide
        return torch.cat([self.summary(), self.local_map.mean(1)], 1)

    def chunk(self, parts: int) -> list["Encoding"]:
        """Cut the batch into equal parts; what is no tensor is the same for all of them."""
        fields = self[:-1]
        cut = [f.chunk(parts) if torch.is_tensor(f) else [f] * parts for f in fields]
        maps = zip(*(deeper.chunk(parts) for deeper in self.further_maps))
        further = list(maps) or [()] * parts
        apart = (Encoding(*part) for part in zip(*cut))
        return [part._replace(further_maps=more) for part, more in zip(apart, further)]

    def local_maps(self) -> tuple[Tensor, ...]:
        """The local maps of all depths, `local_map` first."""
        return self.local_map, *self.further_maps

    def grid(self) -> tuple[int, ...]:
        """How the locations lie: `map_shape`, checked, or (m,)."""
        m = self.local_map.shape[1]
        shape = (m,) if self.map_shape is None else tuple(self.map_shape)
        if math.prod(shape) != m:
            raise ValueError(
                f"An Encoding with map_shape={shape} has a local map of {m} locations, not of "
                f"{math.prod(shape)}. Correct map_shape, or leave it out."
            )
        return shape


class Encoder(Part):
    """The settings of an encoder; `build` makes the network for samples of a given shape.

    Examples
    --------
    >>> from sk_infomax.encoders import ENCODERS
    >>> import torch
    >>> ENCODERS["perceptron"](hidden=32).build((7,), 5)(torch.randn(4, 7)).global_vector.shape
    torch.Size([4, 5])
    """

    kind: str | None = None
    """What samples it reads: "table", "series", "image", or None for any."""
    output: str = "embedding"
    """What `transform` reads unless the estimator's `output` says otherwise."""
    narrows_sparse: bool = False
    """Whether sparse tables of many columns are brought to few before it sees them."""
    normalize: Any = None
    """Mean and standard deviation that inputs are standardised with; None learns them."""
    share_of_steps: float = 1.0
    """How many of a preset's steps it takes; fewer where most is found before training."""
    reads_lengths: bool = False
    """Whether the network leaves out what comes after the end of series, where it gets NaN."""
    most_rows: int | None = None
    """How many samples these steps read, at random; None for as many as they take."""

    def build(self, shape: tuple[int, ...], n_components: int) -> nn.Module:
        """Make the network.

        Parameters
        ----------
        shape : tuple of int
            Of a sample: (p,) for tables, (c, t) for series, (c, h, w) for images.
        n_components : int
            Width d of the global vector.

        Returns
        -------
        torch.nn.Module
            Maps (n, ...) to an `Encoding`.
        """
        raise TypeError(f"{type(self).__name__} must define build(shape, n_components).")

    def build_upper(self, map_shape: tuple[int, ...], size_out: int) -> nn.Module:
        """Make the layers above the local map once more, for a critic of whole maps.

        Parameters
        ----------
        map_shape : tuple of int
            Of a local map: (c, h, w) for images.
        size_out : int
            Width of what comes out.

        Returns
        -------
        torch.nn.Module
            Maps (n, c, h, w) to (n, size_out), with weights of its own.

        Raises
        ------
        ValueError
            If this encoder has no such layers.
        """
        raise ValueError(
            f"{type(self).__name__} has no layers above its local map that a critic could repeat. "
            'Use DotCritic(whole="dense").'
        )

    def coarse(self, shape: tuple[int, ...]) -> int:
        """How large the squares of pixels are whose means it reads, for images of any size.

        The estimator averages a batch at a time, before views are made of it, so that the cost of
        large images is that of reading them; `build` gets the shape that results.

        Parameters
        ----------
        shape : tuple of int
            Of an image, (c, h, w).

        Returns
        -------
        int
            Pixels on each side; 1 leaves images as they are.
        """
        return 1

    def fitted_to(
        self, n_samples: int, shape: tuple[int, ...], views: "Views | None" = None
    ) -> "Encoder":
        """The same settings with all that depends on the samples settled.

        Parameters
        ----------
        n_samples : int
            How many there are to learn from.
        shape : tuple of int
            Of a sample, as `build` gets it.
        views : Augmentation or None
            What training will make views with.

        Returns
        -------
        Encoder
            This one, where nothing depends on it.
        """
        return self


class StagedNetwork(nn.Module):
    """A network in four stages, whose intermediate results make an `Encoding`.

    Parameters
    ----------
    local_stage : Module
        From (n, *shape) to the local map (n, c, ...).
    upper_stage : Module
        From there to the last feature map.
    hidden_stage : Module
        From the flattened feature map (n, f) to the hidden layer (n, h).
    output_stage : Module
        From there to the global vector (n, d).
    """

    def __init__(
        self,
        local_stage: nn.Module,
        upper_stage: nn.Module,
        hidden_stage: nn.Module,
        output_stage: nn.Module,
    ):
        super().__init__()
        self.local_stage = local_stage
        self.upper_stage = upper_stage
        self.hidden_stage = hidden_stage
        self.output_stage = output_stage

    def forward(self, x: Tensor) -> Encoding:
        """Encoding of a batch (n, *shape)."""
        local = self.local_stage(x)
        feature_map = flatten_channels_last(self.upper_stage(local))
        hidden = self.hidden_stage(feature_map)
        vector, shape = self.output_stage(hidden), tuple(local.shape[2:])
        return Encoding(locations(local), vector, hidden, feature_map, map_shape=shape)


class Views(Protocol):
    """What an encoder may ask of the changes that views differ by; see `Augmentation`."""

    @property
    def mirrors(self) -> bool:
        """Whether half of the views are mirror images."""

    def __call__(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """Change a batch (n, *shape)."""


class DataDriven(nn.Module, ABC):
    """A part of a network that starts from data: it sees samples once, before training.

    Modules of other classes are left alone, whatever their methods are called.

    Examples
    --------
    >>> from sk_infomax.encoders import DataDriven
    >>> class Centred(DataDriven):
    ...     def prepare(self, x, views, generator):
    ...         self.centre = x.mean(0)
    """

    def __init__(self) -> None:
        super().__init__()

    @property
    def frozen_layer(self) -> nn.Module | None:
        """A first layer that no step changes, if the module takes its output in place of samples.

        Training then reads that output, which is made once; a named tuple of tensors.
        """
        return None

    @abstractmethod
    def prepare(self, x: Tensor, views: Views | None, generator: torch.Generator) -> None:
        """Find what the data says.

        Parameters
        ----------
        x : Tensor of shape (n, ...)
            Standardised samples, 4,096 at most, as the whole network gets them.
        views : Augmentation or None
            What training will make views with.
        generator : torch.Generator
            On the device of x; the only source of randomness.
        """


def prepare(network: nn.Module, x: Tensor, views: Views | None, generator: torch.Generator) -> None:
    """Let the parts of a network that are `DataDriven` see samples (n, *shape), inner ones first.

    An outer part may so use what the inner ones have found.
    """
    for part in reversed(list(network.modules())):
        if isinstance(part, DataDriven):
            part.prepare(x, views, generator)


def locations(maps: Tensor) -> Tensor:
    """Maps (n, c, ...) as locations (n, m, c)."""
    return maps.flatten(2).transpose(1, 2)


def flatten_channels_last(maps: Tensor) -> Tensor:
    """Maps (n, c, ...) as rows (n, m * c), which is no copy for channels-last memory."""
    return maps.movedim(1, -1).flatten(1)


def flat_size(stage: nn.Module, shape: tuple[int, ...]) -> int:
    """Number of values that come out of a stage for one sample."""
    stage.eval()
    with torch.no_grad():
        size = stage(torch.zeros(1, *shape)).numel()
    stage.train()
    return size


def convolution(
    dim: int, c_in: int, c_out: int, kernel: int, stride: int, pad: int
) -> nn.Sequential:
    """Convolution without bias, batch normalisation, ReLU."""
    conv, norm = ((nn.Conv1d, nn.BatchNorm1d), (nn.Conv2d, nn.BatchNorm2d))[dim - 1]
    return nn.Sequential(
        conv(c_in, c_out, kernel, stride, pad, bias=False), norm(c_out), nn.ReLU(inplace=True)
    )


def dense(size_in: int, size_out: int) -> nn.Sequential:
    """Linear layer without bias, batch normalisation, ReLU."""
    return nn.Sequential(
        nn.Linear(size_in, size_out, bias=False), nn.BatchNorm1d(size_out), nn.ReLU(inplace=True)
    )


def normed_output(size_in: int, n_components: int) -> nn.Sequential:
    """Linear layer and batch normalisation with no ReLU after it."""
    return nn.Sequential(nn.Linear(size_in, n_components, bias=False), nn.BatchNorm1d(n_components))

"""What every encoder is made of: the `Encoding`, the settings, stages and small blocks."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from .._parts import Part

__all__ = [
    "Encoder",
    "Encoding",
    "StagedNetwork",
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
        Embedding and pooled maps side by side, where a network has its own; not in training.
    """

    local_map: Tensor
    global_vector: Tensor
    hidden: Tensor
    feature_map: Tensor
    wide: Tensor | None = None

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
        """Cut the batch into equal parts."""
        fields = [[None] * parts if field is None else field.chunk(parts) for field in self]
        return [Encoding(*part) for part in zip(*fields)]


class Encoder(Part):
    """The settings of an encoder; `build` makes the network for samples of a given shape."""

    kind: str | None = None
    """What samples it reads: "table", "series", "image", or None for any."""
    output: str = "embedding"
    """What `transform` reads unless the estimator's `output` says otherwise."""

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
            Maps (n, *shape) to an `Encoding`.
        """
        raise TypeError(f"{type(self).__name__} must define build(shape, n_components).")

    def fitted_to(self, n_samples: int) -> "Encoder":
        """The same settings with all that depends on the number of samples settled."""
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

    Attributes
    ----------
    map_shape : tuple of int
        Shape of the local map of the last batch, without its channels.
    """

    map_shape: tuple[int, ...]

    def __init__(self, local_stage, upper_stage, hidden_stage, output_stage):
        super().__init__()
        self.local_stage = local_stage
        self.upper_stage = upper_stage
        self.hidden_stage = hidden_stage
        self.output_stage = output_stage

    def forward(self, x: Tensor) -> Encoding:
        local = self.local_stage(x)
        self.map_shape = tuple(local.shape[2:])
        feature_map = flatten_channels_last(self.upper_stage(local))
        hidden = self.hidden_stage(feature_map)
        return Encoding(locations(local), self.output_stage(hidden), hidden, feature_map)


def prepare(network: nn.Module, x: Tensor, views, generator: torch.Generator) -> None:
    """Let the parts of a network that start from data see samples, the innermost first.

    Parameters
    ----------
    network : Module
        Parts with a method ``prepare(x, views, generator)`` are asked.
    x : Tensor of shape (n, *shape)
        Standardised samples.
    views : Augmentation or None
        What training will make views with.
    generator : torch.Generator
        On the device of x.
    """
    for part in reversed(list(network.modules())):
        see = getattr(part, "prepare", None)
        if callable(see):
            see(x, views, generator)


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

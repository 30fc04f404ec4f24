"""Contexts: several global vectors for each sample, made of its local map.

A context takes the place of the encoder's own summary. Its `build` gives a module that turns a
local map (n, c, ...) into vectors (n, k, d), and says by `pairs` which of them is set against
which location; the mean of the vectors is what `transform` gives.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from ._checks import POSITIVE_INT, one_of
from ._parts import Part
from .encoders import Encoding
from .encoders._base import StagedNetwork, locations

__all__ = [
    "CONTEXTS",
    "AutoregressiveContext",
    "BlockContext",
    "Context",
    "ContextEncoder",
    "with_context",
]


class Context(Part):
    """The settings of a context; `build` makes the module."""

    def build(self, channels: int, map_shape: tuple[int, ...], n_components: int) -> nn.Module:
        """Make the module.

        Parameters
        ----------
        channels : int
            Width c of a location.
        map_shape : tuple of int
            Of the local map: (m,) or (h, w).
        n_components : int
            Width d of a vector.

        Returns
        -------
        torch.nn.Module
            Maps (n, c, *map_shape) to (n, k, d). Its `pairs` is None, which sets all vectors
            against all locations, or two tensors of indices: vectors, and their locations.
        """
        raise TypeError(f"{type(self).__name__} must define build(channels, map_shape, ...).")


class BlockContext(Context):
    """A global vector for each block of the local map, each set against all locations.

    Blocks of 3 x 3 in a map of 7 x 7 give 5 x 5 global vectors, as in the paper's comparison with
    CPC. On maps of one axis blocks are stretches.

    Parameters
    ----------
    size : int, default=3
        Locations on each side of a block; at most those of the map.

    References
    ----------
    Hjelm et al., ICLR 2019, section 4.3.
    """

    _parameter_constraints: dict = {"size": [POSITIVE_INT]}

    def __init__(self, size=3):
        self.size = size

    def build(self, channels: int, map_shape: tuple[int, ...], n_components: int) -> nn.Module:
        """Make the module for a local map of this shape."""
        return _Blocks(self.size, channels, map_shape, n_components)


class AutoregressiveContext(Context):
    """Contrastive predictive coding: summaries of what came before predict what comes next.

    The order is that of the rows of an image, top to bottom, or of the moments of a series. The
    summary at a location reads its own row and those before; for each number of steps ahead a
    linear map of it is set against the location so many rows below in the same column.

    Parameters
    ----------
    kind : {"gru", "conv"}, default="gru"
        "gru" runs down each column and reads three neighbours in each row; "conv" stacks two
        convolutions that see three columns, their own row and the two before.
    n_steps : int, default=3
        How many steps ahead to predict, at most those that the map has.

    References
    ----------
    Van den Oord, Li and Vinyals, Representation learning with contrastive predictive coding, 2018.
    """

    _parameter_constraints: dict = {"kind": [one_of({"gru", "conv"})], "n_steps": [POSITIVE_INT]}

    def __init__(self, kind="gru", n_steps=3):
        self.kind = kind
        self.n_steps = n_steps

    def build(self, channels: int, map_shape: tuple[int, ...], n_components: int) -> nn.Module:
        """Make the module for a local map of this shape."""
        if map_shape[0] < 2:
            raise ValueError(
                f"AutoregressiveContext needs a local map of two rows or more and got {map_shape}, "
                "which is what a table of n_features = 1 gives. Use larger samples or an encoder "
                "with smaller strides."
            )
        steps = min(self.n_steps, map_shape[0] - 1)
        return _Predictions(self.kind, steps, channels, map_shape, n_components)


class _Blocks(nn.Module):
    pairs = None

    def __init__(self, size: int, channels: int, map_shape: tuple[int, ...], n_components: int):
        super().__init__()
        kernel = tuple(min(size, side) for side in map_shape)
        layer = (nn.Conv1d, nn.Conv2d)[len(map_shape) - 1]
        self.layer = layer(channels, n_components, kernel, bias=False)  # type: ignore[arg-type]
        self.norm = nn.BatchNorm1d(n_components)

    def forward(self, maps: Tensor) -> Tensor:
        blocks = locations(self.layer(maps))
        return self.norm(blocks.flatten(0, 1)).reshape(blocks.shape)


class _Predictions(nn.Module):
    """Summaries of rows and those before, and linear predictions from them."""

    def __init__(self, kind: str, n_steps: int, channels: int, map_shape, n_components: int):
        super().__init__()
        rows, columns = (*map_shape, 1)[:2]
        self.n_steps = n_steps
        self.spread = nn.Conv1d(channels, n_components, 3, padding=1)
        self.recurrent = kind == "gru"
        if self.recurrent:
            self.summary: nn.Module = nn.GRU(n_components, n_components, batch_first=True)
        else:
            self.summary = nn.Sequential(
                _CausalConvolution(n_components), nn.ReLU(), _CausalConvolution(n_components)
            )
        self.heads = nn.Linear(n_components, n_steps * n_components, bias=False)
        self.norm = nn.BatchNorm1d(n_components)
        place = torch.arange(rows * columns).reshape(rows, columns)
        vectors, targets = [], []
        for step in range(1, n_steps + 1):
            vectors.append((place[:-step] * n_steps + step - 1).flatten())
            targets.append(place[step:].flatten())
        self.register_buffer("vectors", torch.cat(vectors), persistent=False)
        self.register_buffer("targets", torch.cat(targets), persistent=False)

    @property
    def pairs(self) -> tuple[Tensor, Tensor]:
        """Which prediction is of which location."""
        return self.get_buffer("vectors"), self.get_buffer("targets")

    def forward(self, maps: Tensor) -> Tensor:
        maps = maps.unsqueeze(-1) if maps.dim() == 3 else maps
        n, _, rows, columns = maps.shape
        wide = self.spread(maps.transpose(1, 2).flatten(0, 1))  # (n * rows, d, columns)
        wide = wide.reshape(n, rows, -1, columns).relu()
        if self.recurrent:
            lines = wide.permute(0, 3, 1, 2).flatten(0, 1)  # (n * columns, rows, d)
            summaries = self.summary(lines)[0].reshape(n, columns, rows, -1).transpose(1, 2)
        else:
            summaries = self.summary(wide.transpose(1, 2)).permute(0, 2, 3, 1)
        flat = self.norm(summaries.flatten(0, 2))
        return self.heads(flat).reshape(n, rows * columns * self.n_steps, -1)


class _CausalConvolution(nn.Module):
    """3 x 3 convolution that sees its own row and the two above."""

    def __init__(self, size: int):
        super().__init__()
        self.layer = nn.Conv2d(size, size, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(pad(x, (1, 1, 2, 0)))


class ContextEncoder(nn.Module):
    """An encoder whose global vectors are those of a context.

    The hidden layer is that of all vectors, and the feature map is the local map.

    Parameters
    ----------
    encoder : Module
        Of a staged network, the stage that gives maps (n, c, ...), all that is needed; any other
        gives an `Encoding`.
    context : Module
        From the local map to vectors (n, k, d).
    map_shape : tuple of int
        Of the local map.
    """

    def __init__(self, encoder: nn.Module, context: nn.Module, map_shape: tuple[int, ...]):
        super().__init__()
        self.encoder = encoder
        self.context = context
        self.map_shape = map_shape

    def forward(self, x: Tensor) -> Encoding:
        """Local map and vectors of a batch (n, ...)."""
        given = self.encoder(x)
        if isinstance(given, Encoding):
            given = given.local_map.transpose(1, 2).reshape(len(x), -1, *self.map_shape)
        local, vectors = locations(given), self.context(given)
        return Encoding(local, vectors, vectors.flatten(1), local.flatten(1))


def with_context(
    encoder: nn.Module, context: Context, example: Encoding, n_components: int
) -> ContextEncoder:
    """The encoder with a context in place of its own summary."""
    m, channels = example.local_map.shape[1:]
    shape = getattr(encoder, "map_shape", (m,))
    if math.prod(shape) != m or len(shape) > 2:
        shape = (m,)
    stage = encoder.local_stage if isinstance(encoder, StagedNetwork) else encoder
    return ContextEncoder(stage, context.build(channels, shape, n_components), shape)


CONTEXTS: dict[str, type[Context]] = {"blocks": BlockContext, "cpc": AutoregressiveContext}

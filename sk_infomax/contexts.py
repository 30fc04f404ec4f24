"""Contexts: several global vectors for each sample, made of its local map.

A context takes the place of the encoder's one summary. Its `build` gives a `ContextNetwork` that
turns a local map (n, c, ...) into vectors (n, k, d), and says by `pairs` which of them is set
against which location; the mean of the vectors is what `transform` gives.

======  =======================  ==============================================================
Name    Class                    What it is
======  =======================  ==============================================================
blocks  `BlockContext`           a vector for each block of the map
cpc     `AutoregressiveContext`  contrastive predictive coding: what comes next, row by row
======  =======================  ==============================================================
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from ._checks import POSITIVE_INT, one_of
from ._parts import Part
from .encoders import Encoding
from .encoders._base import StagedNetwork, dense, locations

__all__ = [
    "CONTEXTS",
    "AutoregressiveContext",
    "BlockContext",
    "Context",
    "ContextEncoder",
    "ContextNetwork",
    "with_context",
]

_MOST_AXES = 2  # of a map that a context sees as it lies; others are read location by location


class ContextNetwork(nn.Module):
    """Maps a local map (n, c, ...) to vectors (n, k, d); a subclass defines `forward`.

    Examples
    --------
    >>> import torch
    >>> from sk_infomax.contexts import BlockContext
    >>> network = BlockContext(3).build(channels=16, map_shape=(7, 7), n_components=8)
    >>> network(torch.randn(5, 16, 7, 7)).shape, network.pairs
    (torch.Size([5, 25, 8]), None)
    """

    def __init__(self) -> None:
        super().__init__()

    @property
    def pairs(self) -> tuple[Tensor, Tensor] | None:
        """Indices of vectors, and of the location that each is set against; None for all."""
        return None


class Context(Part):
    """The settings of a context; `build` makes the network.

    Examples
    --------
    >>> from torch import nn
    >>> from sk_infomax.contexts import Context, ContextNetwork
    >>> class Mean(ContextNetwork):
    ...     def forward(self, maps):
    ...         return maps.flatten(2).mean(2)[:, None]
    >>> class MeanContext(Context):
    ...     def build(self, channels, map_shape, n_components):
    ...         return Mean()
    """

    def build(self, channels: int, map_shape: tuple[int, ...], n_components: int) -> ContextNetwork:
        """Make the network.

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
        ContextNetwork
            Maps (n, c, ...) to (n, k, d).
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
    hidden : int or None, default=None
        Width of a layer with batch normalisation and ReLU between a block and its vector, which
        then has both too: the paper's code, with 192 there and for `n_components`. None makes a
        vector of a block by one layer with batch normalisation.

    References
    ----------
    Hjelm et al., ICLR 2019, section 4.3.

    Examples
    --------
    >>> from sk_infomax import DeepInfoMaxTransformer
    >>> from sk_infomax.contexts import BlockContext
    >>> model = DeepInfoMaxTransformer(64, encoder="strided", context=BlockContext(2))
    """

    _parameter_constraints: dict = {"size": [POSITIVE_INT], "hidden": [POSITIVE_INT, None]}

    def __init__(self, size: int = 3, hidden: int | None = None):
        self.size = size
        self.hidden = hidden

    def build(self, channels: int, map_shape: tuple[int, ...], n_components: int) -> ContextNetwork:
        """Make the network for a local map of this shape."""
        if self.hidden is None:
            return _Blocks(self.size, channels, map_shape, n_components)
        first = _Blocks(self.size, channels, map_shape, self.hidden)
        return _DeepBlocks(first, self.hidden, n_components)


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

    Examples
    --------
    >>> from sk_infomax import DeepInfoMaxTransformer
    >>> from sk_infomax.contexts import AutoregressiveContext
    >>> model = DeepInfoMaxTransformer(encoder="series", context=AutoregressiveContext(n_steps=1))
    """

    _parameter_constraints: dict = {"kind": [one_of({"gru", "conv"})], "n_steps": [POSITIVE_INT]}

    def __init__(self, kind: str = "gru", n_steps: int = 3):
        self.kind = kind
        self.n_steps = n_steps

    def build(self, channels: int, map_shape: tuple[int, ...], n_components: int) -> ContextNetwork:
        """Make the network for a local map of this shape."""
        if map_shape[0] < 2:
            raise ValueError(
                f"AutoregressiveContext needs a local map of two rows or more and got {map_shape}, "
                "which is what a table of n_features = 1 gives. Use larger samples or an encoder "
                "with smaller strides."
            )
        steps = min(self.n_steps, map_shape[0] - 1)
        return _Predictions(self.kind, steps, channels, map_shape, n_components)


class _Blocks(ContextNetwork):
    """A convolution without padding, whose outputs are the vectors of the blocks."""

    def __init__(self, size: int, channels: int, map_shape: tuple[int, ...], n_components: int):
        super().__init__()
        kernel = tuple(min(size, length) for length in map_shape)
        layer = (nn.Conv1d, nn.Conv2d)[len(map_shape) - 1]
        self.layer = layer(channels, n_components, kernel, bias=False)  # type: ignore[arg-type]
        self.norm = nn.BatchNorm1d(n_components)

    def forward(self, maps: Tensor) -> Tensor:
        blocks = locations(self.layer(maps))
        return self.norm(blocks.flatten(0, 1)).reshape(blocks.shape)


class _DeepBlocks(ContextNetwork):
    """Vectors of blocks, ReLU, and one more layer with batch normalisation and ReLU."""

    def __init__(self, first: _Blocks, hidden: int, n_components: int):
        super().__init__()
        self.first = first
        self.second = dense(hidden, n_components)

    def forward(self, maps: Tensor) -> Tensor:
        blocks = self.first(maps).relu()
        return self.second(blocks.flatten(0, 1)).reshape(*blocks.shape[:2], -1)


class _Predictions(ContextNetwork):
    """Summaries of rows and those before, and linear predictions from them."""

    def __init__(
        self,
        kind: str,
        n_steps: int,
        channels: int,
        map_shape: tuple[int, ...],
        n_components: int,
    ):
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
        vectors, targets = _steps_down(rows, columns, n_steps)
        self.register_buffer("vectors", vectors, persistent=False)
        self.register_buffer("targets", targets, persistent=False)

    @property
    def pairs(self) -> tuple[Tensor, Tensor]:
        """Which prediction is of which location."""
        return self.get_buffer("vectors"), self.get_buffer("targets")

    def forward(self, maps: Tensor) -> Tensor:
        """Predictions (n, rows * columns * n_steps, d) of maps (n, c, rows) or of (n, c, h, w)."""
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


def _steps_down(rows: int, columns: int, n_steps: int) -> tuple[Tensor, Tensor]:
    """Which prediction, of `n_steps` for each location, is of which location below it."""
    place = torch.arange(rows * columns).reshape(rows, columns)
    steps = range(1, n_steps + 1)
    vectors = [(place[:-step] * n_steps + step - 1).flatten() for step in steps]
    return torch.cat(vectors), torch.cat([place[step:].flatten() for step in steps])


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
    context : ContextNetwork
        From the local map to vectors (n, k, d).
    map_shape : tuple of int
        Of the local map as the context reads it.

    Examples
    --------
    >>> import torch
    >>> from sk_infomax.contexts import BlockContext, ContextEncoder
    >>> layer, context = torch.nn.Conv2d(1, 16, 4, 4), BlockContext(3).build(16, (7, 7), 8)
    >>> ContextEncoder(layer, context, (7, 7))(torch.randn(5, 1, 28, 28)).global_vector.shape
    torch.Size([5, 25, 8])
    """

    def __init__(self, encoder: nn.Module, context: ContextNetwork, map_shape: tuple[int, ...]):
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
        hidden, shape = vectors.flatten(1), self.map_shape
        return Encoding(local, vectors, hidden, local.flatten(1), map_shape=shape)


def with_context(
    encoder: nn.Module, context: Context, example: Encoding, n_components: int
) -> ContextEncoder:
    """The encoder with a context in place of its summary.

    Parameters
    ----------
    encoder : Module
        Maps a batch to an `Encoding`.
    context : Context
        Makes the vectors.
    example : Encoding
        One that the encoder gave, which shows the widths and how the locations lie.
    n_components : int
        Width of the vectors.

    Returns
    -------
    ContextEncoder
        With fresh weights of the context.

    Raises
    ------
    TypeError
        If the context builds something else than a `ContextNetwork`.

    Examples
    --------
    >>> import torch
    >>> from sk_infomax import Encoding
    >>> from sk_infomax.contexts import BlockContext, with_context
    >>> local, vector = torch.zeros(3, 8, 5), torch.zeros(3, 4)
    >>> example = Encoding(local, vector, vector, local.flatten(1))
    >>> with_context(torch.nn.Identity(), BlockContext(2), example, 4).map_shape
    (8,)
    """
    m, channels = example.local_map.shape[1:]
    shape = example.grid()
    shape = shape if len(shape) <= _MOST_AXES else (m,)
    network = context.build(channels, shape, n_components)
    if not isinstance(network, ContextNetwork):
        raise TypeError(
            f"{type(context).__name__}.build gave a {type(network).__name__}. Derive it from "
            "sk_infomax.contexts.ContextNetwork, which says what is set against what."
        )
    # Of a network in stages the upper ones would be computed for nothing.
    stage = encoder.local_stage if isinstance(encoder, StagedNetwork) else encoder
    return ContextEncoder(stage, network, shape)


CONTEXTS: dict[str, type[Context]] = {"blocks": BlockContext, "cpc": AutoregressiveContext}

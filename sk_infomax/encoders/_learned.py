"""Encoders of tables, series and images that learn every layer."""

import math

import torch
from torch import Tensor, nn

from .._checks import POSITIVE_INT
from ._base import Encoder, StagedNetwork, convolution, dense, flat_size, normed_output

__all__ = ["SeriesEncoder", "StridedEncoder", "TableEncoder"]

_MOMENTS = 64  # moments; longer series get strides that leave about as many (rule of thumb)
_MAP_ROWS = 7  # rows of the largest local map of images, as in the paper's network for 28x28
_PATCH_OF_4 = 24  # pixels; from here on patches are 4x4, which leaves six rows (rule of thumb)
_PATCH_OF_2 = 12  # pixels; from here on patches are 2x2, which leaves six rows (rule of thumb)


class TableEncoder(Encoder):
    """Columns in groups, then a multilayer perceptron.

    Each group of neighbouring columns is a location with a small layer of its own; the
    perceptron reads all locations.

    Parameters
    ----------
    n_groups : int, default=8
        Number of groups, at most the number of columns.
    local_size : int, default=64
        Width c of a location.
    hidden : int, default=256
        Width of the hidden layer.

    Examples
    --------
    >>> import torch
    >>> from sk_infomax import TableEncoder
    >>> TableEncoder(n_groups=4).build((10,), 3)(torch.randn(5, 10)).local_map.shape
    torch.Size([5, 4, 64])
    """

    _parameter_constraints: dict = {
        "n_groups": [POSITIVE_INT],
        "local_size": [POSITIVE_INT],
        "hidden": [POSITIVE_INT],
    }
    kind = "table"
    narrows_sparse = True

    def __init__(self, n_groups: int = 8, local_size: int = 64, hidden: int = 256):
        self.n_groups = n_groups
        self.local_size = local_size
        self.hidden = hidden

    def build(self, shape: tuple[int, ...], n_components: int) -> nn.Module:
        """Make the network for rows of shape (p,)."""
        groups = min(self.n_groups, shape[0])
        return StagedNetwork(
            _GroupedColumns(shape[0], groups, self.local_size),
            nn.Identity(),
            dense(groups * self.local_size, self.hidden),
            normed_output(self.hidden, n_components),
        )


class _GroupedColumns(nn.Module):
    """A layer for each group of columns: (n, p) to (n, c, groups)."""

    def __init__(self, n_columns: int, n_groups: int, size_out: int):
        super().__init__()
        width = math.ceil(n_columns / n_groups)
        # Groups are of one width, so where p is no multiple of it neighbours overlap.
        starts = torch.linspace(0, n_columns - width, n_groups).round().long()
        columns = starts[:, None] + torch.arange(width)  # (groups, width)
        self.register_buffer("columns", columns, persistent=False)
        self.weight = nn.Parameter(torch.empty(n_groups, width, size_out))
        nn.init.uniform_(self.weight, -(width**-0.5), width**-0.5)
        self.norm = nn.BatchNorm1d(size_out * n_groups)

    def forward(self, x: Tensor) -> Tensor:
        columns = self.get_buffer("columns")
        out = torch.einsum("ngw,gwc->ngc", x[:, columns], self.weight)
        return self.norm(out.flatten(1)).relu().reshape(out.shape).transpose(1, 2)


class SeriesEncoder(Encoder):
    """Three 1-D convolutions; the first one's stride grows with the length of the series.

    Parameters
    ----------
    width : int, default=32
        Channels of the first layer; the next ones have two and four times as many, the
        local map four times.
    hidden : int, default=256
        Width of the hidden layer.

    Examples
    --------
    >>> import torch
    >>> from sk_infomax import SeriesEncoder
    >>> SeriesEncoder().build((2, 100), 3)(torch.randn(5, 2, 100)).local_map.shape
    torch.Size([5, 25, 128])
    """

    _parameter_constraints: dict = {"width": [POSITIVE_INT], "hidden": [POSITIVE_INT]}
    kind = "series"

    def __init__(self, width: int = 32, hidden: int = 256):
        self.width = width
        self.hidden = hidden

    def build(self, shape: tuple[int, ...], n_components: int) -> nn.Module:
        """Make the network for series of shape (c, t)."""
        channels, length = shape
        stride = max(1, length // _MOMENTS)
        # A short series has too few moments left to halve again.
        first, second, third = self.width, 2 * self.width, 4 * self.width
        local_stage = nn.Sequential(
            convolution(1, channels, first, 2 * stride + 5, stride, stride + 2),
            convolution(1, first, second, 5, 2 if length >= 4 else 1, 2),
            convolution(1, second, third, 3, 2 if length >= 8 else 1, 1),
        )
        return StagedNetwork(
            local_stage,
            nn.Identity(),
            dense(flat_size(local_stage, shape), self.hidden),
            normed_output(self.hidden, n_components),
        )


class StridedEncoder(Encoder):
    """Images by a stem of strided patches, then few, wide layers.

    On 28x28 and 32x32 images: non-overlapping 4x4 patches, a 1x1 convolution, one 3x3
    convolution of stride 2 (the local map, 4x4 locations). Images under 24 pixels get smaller
    patches, larger ones more layers of stride 2, until the map has at most seven rows.

    Parameters
    ----------
    width : int, default=32
        Channels of the stem; the next layers have two and four times as many, further ones
        eight times at most.
    hidden : int or None, default=None
        Width of the hidden layer; None lets the last layer read the local map itself.

    Examples
    --------
    >>> import torch
    >>> from sk_infomax import StridedEncoder
    >>> StridedEncoder().build((1, 28, 28), 8)(torch.randn(5, 1, 28, 28)).map_shape
    (4, 4)
    """

    _parameter_constraints: dict = {"width": [POSITIVE_INT], "hidden": [POSITIVE_INT, None]}
    kind = "image"

    def __init__(self, width: int = 32, hidden: int | None = None):
        self.width = width
        self.hidden = hidden

    def build(self, shape: tuple[int, ...], n_components: int) -> nn.Module:
        """Make the network for images of shape (c, h, w)."""
        channels, shorter = shape[0], min(shape[1:])
        if shorter < 2:
            raise ValueError(
                f"StridedEncoder needs images of 2x2 pixels or more and got {shape[1:]}. "
                "Treat the values as a table: encoder='table'."
            )
        patch = 4 if shorter >= _PATCH_OF_4 else 2 if shorter >= _PATCH_OF_2 else 1
        stem = (4, 4, 0) if patch == 4 else (2, 2, 0) if patch == 2 else (3, 1, 1)
        layers = [
            convolution(2, channels, self.width, *stem),
            convolution(2, self.width, 2 * self.width, 1, 1, 0),
            convolution(2, 2 * self.width, 4 * self.width, 3, 2, 1),
        ]
        rows, wide = math.ceil(shorter // patch / 2), 4 * self.width
        while rows > _MAP_ROWS:
            wider = min(2 * wide, 8 * self.width)
            layers.append(convolution(2, wide, wider, 3, 2, 1))
            rows, wide = math.ceil(rows / 2), wider
        local_stage = nn.Sequential(*layers)
        size = flat_size(local_stage, shape)
        hidden_stage: nn.Module = nn.Identity()
        if self.hidden is not None:
            hidden_stage, size = dense(size, self.hidden), self.hidden
        return StagedNetwork(
            local_stage, nn.Identity(), hidden_stage, normed_output(size, n_components)
        )

"""Encoders: arrays in, local map and global vector out.

The settings of an encoder (`Encoder`) make a torch module for samples of a given shape. The
module maps a batch to an `Encoding`. With ``encoder="auto"`` the shape of ``X`` chooses:
tables get `TableEncoder`, series `SeriesEncoder` and images `ImageEncoder`.

The networks of the Deep InfoMax paper go by the names that its authors gave them:
``basic28x28``, ``basic32x32``, ``basic64x64`` and ``alex64x64``.
"""

import copy
import math
from typing import Any, ClassVar, NamedTuple

import torch
from sklearn.base import BaseEstimator
from torch import Tensor, nn

from ._checks import POSITIVE_INT, one_of

__all__ = [
    "ENCODERS",
    "Alex64x64",
    "Basic28x28",
    "Basic32x32",
    "Basic64x64",
    "Encoder",
    "Encoding",
    "ImageEncoder",
    "SeriesEncoder",
    "TableEncoder",
    "TorchEncoder",
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
    """

    local_map: Tensor
    global_vector: Tensor
    hidden: Tensor
    feature_map: Tensor

    def chunk(self, parts: int) -> list["Encoding"]:
        """Cut the batch into equal parts."""
        return [Encoding(*fields) for fields in zip(*(field.chunk(parts) for field in self))]


class Encoder(BaseEstimator):
    """The settings of an encoder; `build` makes the network for samples of a given shape."""

    _parameter_constraints: dict = {}

    kind: str | None = None
    """What samples it reads: "table", "series", "image", or None for any."""

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

    def __init__(self, local_stage, upper_stage, hidden_stage, output_stage):
        super().__init__()
        self.local_stage = local_stage
        self.upper_stage = upper_stage
        self.hidden_stage = hidden_stage
        self.output_stage = output_stage

    def forward(self, x: Tensor) -> Encoding:
        local = self.local_stage(x)
        feature_map = _flatten_channels_last(self.upper_stage(local))
        hidden = self.hidden_stage(feature_map)
        return Encoding(_locations(local), self.output_stage(hidden), hidden, feature_map)


def _locations(maps: Tensor) -> Tensor:
    """Maps (n, c, ...) as locations (n, m, c)."""
    return maps.flatten(2).transpose(1, 2)


def _flatten_channels_last(maps: Tensor) -> Tensor:
    """Maps (n, c, ...) as rows (n, m * c), which is no copy for channels-last memory."""
    return maps.movedim(1, -1).flatten(1)


def _flat_size(stage: nn.Module, shape: tuple[int, ...]) -> int:
    """Number of values that come out of a stage for one sample."""
    stage.eval()
    with torch.no_grad():
        size = stage(torch.zeros(1, *shape)).numel()
    stage.train()
    return size


def _conv(dim: int, c_in: int, c_out: int, kernel: int, stride: int, pad: int) -> nn.Sequential:
    """Convolution without bias, batch normalisation, ReLU."""
    conv, norm = ((nn.Conv1d, nn.BatchNorm1d), (nn.Conv2d, nn.BatchNorm2d))[dim - 1]
    return nn.Sequential(
        conv(c_in, c_out, kernel, stride, pad, bias=False), norm(c_out), nn.ReLU(inplace=True)
    )


def _dense(size_in: int, size_out: int) -> nn.Sequential:
    """Linear layer without bias, batch normalisation, ReLU."""
    return nn.Sequential(
        nn.Linear(size_in, size_out, bias=False), nn.BatchNorm1d(size_out), nn.ReLU(inplace=True)
    )


def _normed_output(size_in: int, n_components: int) -> nn.Sequential:
    """Linear layer and batch normalisation with no ReLU after it."""
    return nn.Sequential(nn.Linear(size_in, n_components, bias=False), nn.BatchNorm1d(n_components))


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
    """

    _parameter_constraints: dict = {
        "n_groups": [POSITIVE_INT],
        "local_size": [POSITIVE_INT],
        "hidden": [POSITIVE_INT],
    }
    kind = "table"

    def __init__(self, n_groups=8, local_size=64, hidden=256):
        self.n_groups = n_groups
        self.local_size = local_size
        self.hidden = hidden

    def build(self, shape: tuple[int, ...], n_components: int) -> nn.Module:
        """Make the network for rows of shape (p,)."""
        groups = min(self.n_groups, shape[0])
        return StagedNetwork(
            _GroupedColumns(shape[0], groups, self.local_size),
            nn.Identity(),
            _dense(groups * self.local_size, self.hidden),
            _normed_output(self.hidden, n_components),
        )


class _GroupedColumns(nn.Module):
    """A layer for each group of columns: (n, p) to (n, c, groups)."""

    def __init__(self, n_columns: int, n_groups: int, size_out: int):
        super().__init__()
        width = math.ceil(n_columns / n_groups)
        # Group g covers `width` columns; where p is no multiple, neighbours overlap.
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
    """

    _parameter_constraints: dict = {"width": [POSITIVE_INT], "hidden": [POSITIVE_INT]}
    kind = "series"

    def __init__(self, width=32, hidden=256):
        self.width = width
        self.hidden = hidden

    def build(self, shape: tuple[int, ...], n_components: int) -> nn.Module:
        """Make the network for series of shape (c, t)."""
        channels, length = shape
        stride = max(1, length // 64)
        first, second, third = self.width, 2 * self.width, 4 * self.width
        local_stage = nn.Sequential(
            _conv(1, channels, first, 2 * stride + 5, stride, stride + 2),
            _conv(1, first, second, 5, 2 if length >= 4 else 1, 2),
            _conv(1, second, third, 3, 2 if length >= 8 else 1, 1),
        )
        return StagedNetwork(
            local_stage,
            nn.Identity(),
            _dense(_flat_size(local_stage, shape), self.hidden),
            _normed_output(self.hidden, n_components),
        )


class ImageEncoder(Encoder):
    """The default for images, made for CPUs: a strided patch stem, then few, wide layers.

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
    """

    _parameter_constraints: dict = {"width": [POSITIVE_INT], "hidden": [POSITIVE_INT, None]}
    kind = "image"

    def __init__(self, width=32, hidden=None):
        self.width = width
        self.hidden = hidden

    def build(self, shape: tuple[int, ...], n_components: int) -> nn.Module:
        """Make the network for images of shape (c, h, w)."""
        channels, side = shape[0], min(shape[1:])
        if side < 2:
            raise ValueError(
                f"ImageEncoder needs images of 2x2 pixels or more and got {shape[1:]}. "
                "Treat the values as a table: encoder='table'."
            )
        patch = 4 if side >= 24 else 2 if side >= 12 else 1
        stem = (4, 4, 0) if patch == 4 else (2, 2, 0) if patch == 2 else (3, 1, 1)
        layers = [
            _conv(2, channels, self.width, *stem),
            _conv(2, self.width, 2 * self.width, 1, 1, 0),
            _conv(2, 2 * self.width, 4 * self.width, 3, 2, 1),
        ]
        side, wide = math.ceil(side // patch / 2), 4 * self.width
        while side > 7:
            wider = min(2 * wide, 8 * self.width)
            layers.append(_conv(2, wide, wider, 3, 2, 1))
            side, wide = math.ceil(side / 2), wider
        local_stage = nn.Sequential(*layers)
        size = _flat_size(local_stage, shape)
        hidden_stage: nn.Module = nn.Identity()
        if self.hidden is not None:
            hidden_stage, size = _dense(size, self.hidden), self.hidden
        return StagedNetwork(
            local_stage, nn.Identity(), hidden_stage, _normed_output(size, n_components)
        )


class _PaperEncoder(Encoder):
    """A network of the paper: convolutions, fully connected layers, a linear output."""

    kind = "image"
    convolutions: ClassVar[list[tuple[int, int, int, int, bool]]]
    """Channels, kernel, stride, padding, and whether 3x3 pooling of stride 2 follows."""
    n_local: ClassVar[int]
    """How many of them make the local map."""
    dense: ClassVar[list[int]]
    """Widths of the fully connected layers."""
    minimum: ClassVar[int]
    """Pixels on the shorter side that the strides need."""

    def build(self, shape: tuple[int, ...], n_components: int) -> nn.Module:
        """Make the network for images of shape (c, h, w)."""
        if min(shape[1:]) < self.minimum:
            raise ValueError(
                f"{type(self).__name__} needs images of {self.minimum}x{self.minimum} pixels or "
                f"more and got {shape[1:]}. Enlarge the images or use encoder='image'."
            )
        stages: list[nn.Module] = []
        size = shape[0]
        for channels, kernel, stride, pad, pooled in self.convolutions:
            block = _conv(2, size, channels, kernel, stride, pad)
            stages.append(block.append(nn.MaxPool2d(3, 2)) if pooled else block)
            size = channels
        local_stage = nn.Sequential(*stages[: self.n_local])
        upper_stage = nn.Sequential(*stages[self.n_local :])
        size = _flat_size(nn.Sequential(local_stage, upper_stage), shape)
        dense: list[nn.Module] = []
        for width in self.dense:
            dense.append(_dense(size, width))
            size = width
        output = nn.Linear(size, n_components)
        return StagedNetwork(local_stage, upper_stage, nn.Sequential(*dense), output)


class Basic28x28(_PaperEncoder):
    """The paper's network for 28x28 images: two 5x5 convolutions of stride 2, one layer of 1024.

    The local map is 128 x 7 x 7.
    """

    convolutions = [(64, 5, 2, 2, False), (128, 5, 2, 2, False)]
    n_local = 2
    dense = [1024]
    minimum = 4


class Basic32x32(_PaperEncoder):
    """The paper's network for 32x32 images: three 4x4 convolutions of stride 2, one layer of 1024.

    The local map is 128 x 8 x 8, the feature map 256 x 4 x 4.

    References
    ----------
    Hjelm et al., ICLR 2019, appendix A.2.
    """

    convolutions = [(64, 4, 2, 1, False), (128, 4, 2, 1, False), (256, 4, 2, 1, False)]
    n_local = 2
    dense = [1024]
    minimum = 8


class Basic64x64(_PaperEncoder):
    """The paper's DCGAN-like network for 64x64 images: four convolutions, one layer of 1024.

    The local map is 256 x 8 x 8, the feature map 512 x 4 x 4.
    """

    convolutions = [*Basic32x32.convolutions, (512, 4, 2, 1, False)]
    n_local = 3
    dense = [1024]
    minimum = 16


class Alex64x64(_PaperEncoder):
    """The paper's AlexNet-like network for 64x64 images, with two layers of 4096.

    The local map is 384 x 15 x 15, the feature map 192 x 7 x 7.
    """

    convolutions = [
        (96, 3, 1, 1, True),
        (192, 3, 1, 1, True),
        (384, 3, 1, 1, False),
        (384, 3, 1, 1, False),
        (192, 3, 1, 1, True),
    ]
    n_local = 3
    dense = [4096, 4096]
    minimum = 15


class TorchEncoder(Encoder):
    """Any torch module as an encoder: an inner layer is the local map, the output the vector.

    Parameters
    ----------
    module : torch.nn.Module, class or function
        An instance is copied, never trained in place, and keeps its weights as a start. A class
        or function that makes one is called with `module_params`.
    local_layer : str or None, default=None
        Dotted name of the inner layer whose output, (n, c, ...) or (n, m, c), is the local
        map, as in ``module.named_modules()``. None for a module that returns the pair
        ``(local_map, vector)`` itself.
    module_params : dict or None, default=None
        What a class is called with.
    kind : {"table", "series", "image"} or None, default=None
        What the module reads: (n, p), (n, c, t) or (n, c, h, w). None leaves it to the shape
        of ``X``.
    tokens : bool, default=False
        Whether a three-dimensional local map is (n, m, c), as transformers give it, and not
        (n, c, m), as 1-D convolutions do.

    Notes
    -----
    Where the width of the module's vector is not `n_components`, a linear layer with batch
    normalisation follows it; the module's own vector is then ``output="hidden"``.
    """

    _parameter_constraints: dict = {
        "module": [nn.Module, callable],
        "local_layer": [str, None],
        "module_params": [dict, None],
        "kind": [one_of({"table", "series", "image"}), None],
        "tokens": ["boolean"],
    }

    def __init__(self, module, local_layer=None, module_params=None, kind=None, tokens=False):
        self.module = module
        self.local_layer = local_layer
        self.module_params = module_params
        self.kind = kind
        self.tokens = tokens

    def build(self, shape: tuple[int, ...], n_components: int) -> nn.Module:
        """Make the network around the module, after a trial run on two blank samples."""
        if isinstance(self.module, nn.Module):
            module = copy.deepcopy(self.module)
        else:
            module = self.module(**(self.module_params or {}))
        if not isinstance(module, nn.Module):
            raise TypeError(
                f"TorchEncoder(module={self.module!r}) gave a {type(module).__name__}, which is "
                "no torch.nn.Module."
            )
        names = dict(module.named_modules())
        if self.local_layer is not None and self.local_layer not in names:
            listing = ", ".join(name for name in names if name and "." not in name)
            raise ValueError(
                f"local_layer={self.local_layer!r} is no layer of {type(module).__name__}. Its "
                f"outer layers are: {listing}."
            )
        adapter = _Adapter(module, self.local_layer, self.tokens)
        size = _trial_run(adapter, shape)
        if size != n_components:
            adapter.head = _normed_output(size, n_components)
        return adapter


class _Adapter(nn.Module):
    """Runs the user's module and catches what its inner layer gives."""

    def __init__(self, module: nn.Module, local_layer: str | None, tokens: bool):
        super().__init__()
        self.module = module
        self.head: nn.Module = nn.Identity()
        self.local_layer = local_layer
        self.tokens = tokens

    def forward(self, x: Tensor) -> Encoding:
        local, vector = self.run(x)
        if local.dim() == 2:
            local = local.unsqueeze(1)
        elif local.dim() > 3 or not self.tokens:
            local = _locations(local)
        return Encoding(local, self.head(vector), vector, local.flatten(1))

    def run(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Local map and vector as the user's module gives them."""
        if self.local_layer is None:
            return self.module(x)
        caught: list[Tensor] = []
        layer = self.module.get_submodule(self.local_layer)
        hook = layer.register_forward_hook(lambda _module, _inputs, out: caught.append(out))
        try:
            vector = self.module(x)
        finally:
            hook.remove()
        return caught[-1], vector


def _trial_run(adapter: _Adapter, shape: tuple[int, ...]) -> int:
    """Width of the module's vector; refuse a module that gives anything but the two tensors."""
    name = type(adapter.module).__name__
    adapter.eval()
    try:
        with torch.no_grad():
            result: Any = adapter.run(torch.zeros(2, *shape))
    except Exception as error:
        raise ValueError(
            f"{name} cannot read a batch of shape {(2, *shape)}: {error} "
            "Give images as the module expects them, or set TorchEncoder's kind."
        ) from error
    adapter.train()
    if not (isinstance(result, tuple) and len(result) == 2 and torch.is_tensor(result[0])):
        raise ValueError(
            f"{name} must return the pair (local_map, vector), or name its inner layer with "
            f"local_layer; it returned {type(result).__name__}."
        )
    local, vector = result
    fits = torch.is_tensor(vector) and vector.dim() == 2 and len(vector) == 2
    if not fits or local.dim() < 2 or len(local) != 2:
        shapes = [tuple(t.shape) if torch.is_tensor(t) else type(t).__name__ for t in result]
        raise ValueError(
            f"{name} must give a local map (n, c, ...) and a vector (n, d). For two samples of "
            f"shape {shape} it gave {shapes[0]} and {shapes[1]}."
        )
    return vector.shape[1]


ENCODERS: dict[str, type[Encoder]] = {
    "table": TableEncoder,
    "series": SeriesEncoder,
    "image": ImageEncoder,
    "basic28x28": Basic28x28,
    "basic32x32": Basic32x32,
    "basic64x64": Basic64x64,
    "alex64x64": Alex64x64,
}

"""Critics: encodings in, scores of all pairs out.

A critic's `build` gives a torch module with the signature::

    module(global_vector (n, d) or (n, k, d), local_map (n, m, c)) -> scores (n, n, m * k)

where ``scores[i, j, l * k + g]`` is global vector g of sample i against location l of
sample j.

========  ================  ====================================================
Name      Class             How a pair is scored
========  ================  ====================================================
dot       `DotCritic`       inner product of two residual embeddings
bilinear  `BilinearCritic`  bilinear form, as in contrastive predictive coding
concat    `ConcatCritic`    perceptron on the concatenated pair
gated     `GatedCritic`     gated network on each side, perceptron on their sums
========  ================  ====================================================
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Literal, Protocol

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.functional import linear, normalize, silu

from ._checks import POSITIVE_INT, TEMPERATURE, one_of
from ._modes import is_traced
from ._parts import Part

__all__ = [
    "CRITICS",
    "BilinearCritic",
    "ConcatCritic",
    "Critic",
    "DotCritic",
    "GatedCritic",
    "PairNetwork",
]


_COPY_NOISE = 0.01  # largest weight beside the copy in a shortcut (the paper's code)
_MOST_SCALE = (
    100.0  # that scores are multiplied by where it is learned (Radford et al., CLIP, 2021)
)
_MOST_HELD = 2**25  # values of a layer that are held for gradients: 128 MB (rule of thumb)
_BLOCK_VALUES = 2**19  # of a layer at once where that is not enough: 2 MB (rule of thumb)


class UpperLayers(Protocol):
    """What a critic of whole maps asks of an encoder; see `Encoder.build_upper`."""

    def build_upper(self, map_shape: tuple[int, ...], size_out: int) -> nn.Module:
        """Make the layers above the local map (n, c, ...) once more: (n, size_out)."""


class Critic(Part):
    """The settings of a critic; `build` makes the network for given widths.

    Examples
    --------
    >>> import torch
    >>> from sk_infomax.critics import CRITICS
    >>> critic = CRITICS["gated"](hidden=16).build(global_size=8, local_size=5)
    >>> critic(torch.randn(4, 8), torch.randn(4, 3, 5)).shape
    torch.Size([4, 4, 3])
    """

    def build(self, global_size: int, local_size: int) -> PairNetwork:
        """Make the network.

        Parameters
        ----------
        global_size : int
            Width d of a global vector.
        local_size : int
            Width c of a location.

        Returns
        -------
        PairNetwork
            Maps ``(n, d)`` or ``(n, k, d)`` and ``(n, m, c)`` to ``(n, n, m * k)``.
        """
        raise TypeError(f"{type(self).__name__} must define build(global_size, local_size).")

    def build_whole(
        self, global_size: int, map_shape: tuple[int, ...], encoder: UpperLayers
    ) -> PairNetwork:
        """Make the network that sets global vectors against whole maps.

        Parameters
        ----------
        global_size : int
            Width d of a global vector.
        map_shape : tuple of int
            Of a local map: (c, h, w) for images.
        encoder : Encoder
            What made the map.

        Returns
        -------
        PairNetwork
            Maps ``(n, d)`` and maps as one location each, (n, 1, m * c) location by location, to
            ``(n, n, 1)``. Where a subclass does not say otherwise, that of `build`.
        """
        return self.build(global_size, math.prod(map_shape))


class DotCritic(Critic):
    """Inner product of two residual embeddings, the paper's encode-and-dot-product.

    Each side is embedded without the other by a residual network (at each location: a
    1x1 convolution), so n * n * m scores cost one matrix product.

    Parameters
    ----------
    units : int, default=64
        Width of the embeddings. The paper's is 2048.
    hidden : int or None, default=None
        Width of the hidden layer; None means ``2 * units``. The paper's is `units`.
    normalize : bool or "layer", default=True
        True scales the embeddings to unit length, so that the scores are cosines over the
        temperature. False divides the products by ``sqrt(units)`` instead. "layer" is the
        paper's: layer normalisation of the embeddings, whose products are not divided.
    temperature : float, default=0.1
        What the scores are divided by. Use 1.0 unless ``normalize=True``.
    learn_temperature : bool, default=False
        Whether the temperature is only where training starts. It stays above 0.01.
    shortcut : {"linear", "copy"} or None, default="linear"
        How the linear map beside the hidden layer starts: "linear" as torch's layers do, "copy" as
        the paper's, a copy of the side with noise of at most 0.01, where `units` is not less than
        its width. None leaves it out, as in the projection heads of SimCLR.
    whole : {"dense", "encoder"}, default="dense"
        How the whole local map is embedded for `global_weight` with one view: "dense" by the same
        residual network on the flattened map; "encoder" as in the paper's code, by the layers of
        the encoder from its local map on, once more and with weights of their own, where a linear
        layer embeds the global vector. There "layer" normalises nothing.

    References
    ----------
    Hjelm et al., ICLR 2019, figure 6 and appendix A.2.

    Examples
    --------
    >>> import torch
    >>> from sk_infomax import DotCritic
    >>> critic = DotCritic(temperature=0.2).build(global_size=8, local_size=5)
    >>> bool(critic(torch.randn(4, 8), torch.randn(4, 3, 5)).abs().max() <= 1 / 0.2)
    True
    """

    _parameter_constraints: dict = {
        "units": [POSITIVE_INT],
        "hidden": [POSITIVE_INT, None],
        "normalize": ["boolean", one_of({"layer"})],
        "temperature": [TEMPERATURE],
        "learn_temperature": ["boolean"],
        "shortcut": [one_of({"linear", "copy"}), None],
        "whole": [one_of({"dense", "encoder"})],
    }

    def __init__(
        self,
        units: int = 64,
        hidden: int | None = None,
        normalize: bool | Literal["layer"] = True,
        temperature: float = 0.1,
        learn_temperature: bool = False,
        shortcut: Literal["linear", "copy"] | None = "linear",
        whole: Literal["dense", "encoder"] = "dense",
    ):
        self.units = units
        self.hidden = hidden
        self.normalize = normalize
        self.temperature = temperature
        self.learn_temperature = learn_temperature
        self.shortcut = shortcut
        self.whole = whole

    def build(self, global_size: int, local_size: int) -> PairNetwork:
        """Make the network for global vectors (n, d) and local maps (n, m, c)."""
        return _Dot(self._embedding(global_size), self._embedding(local_size), *self._products())

    def build_whole(
        self, global_size: int, map_shape: tuple[int, ...], encoder: UpperLayers
    ) -> PairNetwork:
        """Make the network for global vectors (n, d) and whole maps (n, 1, m * c)."""
        if self.whole == "dense":
            return super().build_whole(global_size, map_shape, encoder)
        upper = _OnWholeMaps(encoder.build_upper(map_shape, self.units), map_shape)
        return _Dot(nn.Linear(global_size, self.units), upper, *self._products())

    def _embedding(self, size: int) -> nn.Module:
        """The residual network of a side."""
        hidden = 2 * self.units if self.hidden is None else self.hidden
        network = ResidualEmbedding(size, hidden, self.units, self.shortcut)
        if self.normalize == "layer":
            return nn.Sequential(network, nn.LayerNorm(self.units))
        return network

    def _products(self) -> tuple[bool, float, bool]:
        """Whether embeddings have unit length, the scale of products, whether it is learned."""
        scale = 1 / self.temperature
        if not self.normalize:
            scale /= self.units**0.5
        return bool(self.normalize) and self.normalize != "layer", scale, self.learn_temperature


class BilinearCritic(Critic):
    """Bilinear form ``g' W l``, as in CPC, divided by the root of the width.

    Parameters
    ----------
    temperature : float, default=1.0
        What the scores are divided by.

    Examples
    --------
    >>> from sk_infomax import BilinearCritic
    >>> BilinearCritic().build(global_size=8, local_size=5).form
    Linear(in_features=5, out_features=8, bias=False)
    """

    _parameter_constraints: dict = {"temperature": [TEMPERATURE]}

    def __init__(self, temperature: float = 1.0):
        self.temperature = temperature

    def build(self, global_size: int, local_size: int) -> PairNetwork:
        """Make the network for global vectors (n, d) and local maps (n, m, c)."""
        return _Bilinear(global_size, local_size, 1 / self.temperature / global_size**0.5)


class ConcatCritic(Critic):
    """Multilayer perceptron on each pair, the paper's concatenate-and-convolve.

    The most expressive critic and the dearest: n * n * m * hidden values are held.

    Parameters
    ----------
    hidden : int, default=64
        Width of the hidden layers. The paper's is 512.
    depth : int, default=1
        Number of hidden layers.

    References
    ----------
    Hjelm et al., ICLR 2019, figure 5 and appendix A.2.

    Examples
    --------
    >>> import torch
    >>> from sk_infomax import ConcatCritic
    >>> critic = ConcatCritic(hidden=32, depth=2).build(global_size=8, local_size=5)
    >>> critic(torch.randn(4, 8), torch.randn(4, 3, 5)).shape
    torch.Size([4, 4, 3])
    """

    _parameter_constraints: dict = {"hidden": [POSITIVE_INT], "depth": [POSITIVE_INT]}

    def __init__(self, hidden: int = 64, depth: int = 1):
        self.hidden = hidden
        self.depth = depth

    def build(self, global_size: int, local_size: int) -> PairNetwork:
        """Make the network for global vectors (n, d) and local maps (n, m, c)."""
        sides = nn.Linear(global_size, self.hidden), nn.Linear(local_size, self.hidden, bias=False)
        return _OnSums(*sides, self.hidden, self.depth)


class GatedCritic(Critic):
    """Gated residual network on each side, then a perceptron on the sum of the two.

    The networks of the sides multiply two linear maps of their input, so they can turn and
    rescale one coordinate as another says; they cost n samples, not n * n pairs.

    Parameters
    ----------
    hidden : int, default=64
        Width of all layers.
    depth : int, default=2
        Number of hidden layers on pairs, the sum of the sides counted as one.

    References
    ----------
    Gates as in Shazeer, GLU variants improve transformer, 2020.

    Examples
    --------
    >>> from sk_infomax import GatedCritic, MutualInfoEstimator
    >>> estimator = MutualInfoEstimator(critic=GatedCritic(hidden=32))
    """

    _parameter_constraints: dict = {"hidden": [POSITIVE_INT], "depth": [POSITIVE_INT]}

    def __init__(self, hidden: int = 64, depth: int = 2):
        self.hidden = hidden
        self.depth = depth

    def build(self, global_size: int, local_size: int) -> PairNetwork:
        """Make the network for global vectors (n, d) and local maps (n, m, c)."""
        sides = _GatedSide(global_size, self.hidden), _GatedSide(local_size, self.hidden)
        return _OnSums(*sides, self.hidden, self.depth)


class ResidualEmbedding(nn.Module):
    """One hidden layer beside a linear shortcut, at each location: (n, m, a) -> (n, m, b)."""

    def __init__(self, in_size: int, hidden: int, out_size: int, shortcut: str | None = "linear"):
        super().__init__()
        self.inner = nn.Linear(in_size, hidden, bias=False)
        self.norm = nn.BatchNorm1d(hidden)
        self.outer = nn.Linear(hidden, out_size)
        self.shortcut = None if shortcut is None else nn.Linear(in_size, out_size, bias=False)
        if self.shortcut is not None and shortcut == "copy":
            _start_as_copy(self.shortcut)

    def forward(self, x: Tensor) -> Tensor:
        n, m, _ = x.shape
        rows = x.reshape(n * m, -1)
        return self._from_hidden(self.norm(self.inner(rows)), rows).reshape(n, m, -1)

    def _from_hidden(self, hidden: Tensor, rows: Tensor) -> Tensor:
        """What becomes of the normalised hidden layer (..., h) of rows (..., a): (..., b)."""
        out = self.outer(hidden.relu())
        return out if self.shortcut is None else out + self.shortcut(rows)

    @property
    def width(self) -> int:
        """Values of the widest layer."""
        return max(self.inner.out_features, self.outer.out_features)

    def normalised(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Weight (h, a) and offset (h,) of the hidden layer, normalised as all of x (n, m, a) says.

        Mean and variance of that layer follow from those of x, as it is linear.
        """
        scale, offset = self._statistics(x.reshape(-1, x.shape[-1]))
        return self.inner.weight * scale[:, None], offset

    def embedded(self, part: Tensor, weight: Tensor, offset: Tensor) -> Tensor:
        """Some of the samples (k, m, a) by what `normalised` gives of all: (k, m, b)."""
        return self._from_hidden(linear(part, weight, offset), part)

    def _statistics(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Factor and offset (h,) of the batch normalisation of rows (n, a), which takes them in."""
        norm, weight = self.norm, self.inner.weight
        assert norm.running_mean is not None
        assert norm.running_var is not None
        mean, variance = norm.running_mean, norm.running_var
        if norm.training:
            centre = rows.mean(0)
            centred = rows - centre
            mean = weight @ centre
            variance = (weight @ (centred.T @ centred / len(rows)) * weight).sum(1)
            with torch.no_grad():
                share = norm.momentum or 0.0
                norm.running_mean.lerp_(mean, share)
                norm.running_var.lerp_(variance * (len(rows) / (len(rows) - 1)), share)
                if norm.num_batches_tracked is not None:
                    norm.num_batches_tracked += 1
        scale = norm.weight * (variance + norm.eps).rsqrt()
        return scale, norm.bias - mean * scale


def _several(global_vector: Tensor) -> Tensor:
    """Global vectors as (n, k, d), k = 1 where there is one for each sample."""
    return global_vector.unsqueeze(1) if global_vector.dim() == 2 else global_vector


class PairNetwork(nn.Module):
    """A critic in two steps: each side without the other, then pairs of them.

    `forward` scores all pairs of a batch; `sides` and `combine`, which a subclass defines, score
    any pairs that a caller lines up, such as each sample with a few others.

    Examples
    --------
    >>> from sk_infomax.critics import PairNetwork
    >>> class Distance(PairNetwork):
    ...     def sides(self, global_vector, local_map):
    ...         return global_vector, local_map
    ...     def combine(self, left, right):
    ...         return -(left - right).square().sum(-1)
    """

    def __init__(self) -> None:
        super().__init__()

    def sides(self, global_vector: Tensor, local_map: Tensor) -> tuple[Tensor, Tensor]:
        """What is computed of each side alone: (n, k, d) to (n, k, u), (n, m, c) to (n, m, u)."""
        raise TypeError(f"{type(self).__name__} must define sides(global_vector, local_map).")

    def combine(self, left: Tensor, right: Tensor) -> Tensor:
        """Scores of sides (..., u) that are lined up: (...)."""
        raise TypeError(f"{type(self).__name__} must define combine(left, right).")

    def forward(self, global_vector: Tensor, local_map: Tensor) -> Tensor:
        """Scores of all pairs: (n, d) or (n, k, d) and (n, m, c) to (n, n, m * k)."""
        left, right = self.sides(_several(global_vector), local_map)
        return self.combine(left[:, None, None], right[None, :, :, None]).flatten(2)

    def chosen(
        self, global_vector: Tensor, local_map: Tensor, pairs: tuple[Tensor, Tensor]
    ) -> Tensor:
        """Scores (n, n, p) of p pairs: indices (p,) of global vectors and of their locations."""
        left, right = self.sides(_several(global_vector), local_map)
        return self.across(left[:, pairs[0]], right[:, pairs[1]])

    def across(self, left: Tensor, right: Tensor) -> Tensor:
        """Scores of sides (n, p, u) of all samples with those of all: (n, n, p)."""
        return self.combine(left[:, None], right[None])


class _Product(PairNetwork):
    """A critic whose scores are inner products of its sides."""

    def combine(self, left: Tensor, right: Tensor) -> Tensor:
        return (left * right).sum(-1)

    def across(self, left: Tensor, right: Tensor) -> Tensor:
        # One matrix product for each of the p lined-up pairs.
        return (left.transpose(0, 1) @ right.permute(1, 2, 0)).permute(1, 2, 0)

    def forward(self, global_vector: Tensor, local_map: Tensor) -> Tensor:
        """Scores of all pairs by one matrix product."""
        return self.products(*self.sides(_several(global_vector), local_map))

    @staticmethod
    def products(left: Tensor, right: Tensor) -> Tensor:
        """Inner products of sides (a, k, u) and (b, m, u): (a, b, m * k)."""
        (a, k, u), (b, m, _) = left.shape, right.shape
        found = left.reshape(a * k, u) @ right.reshape(b * m, u).T
        return found.reshape(a, k, b, m).permute(0, 2, 3, 1).reshape(a, b, m * k)


class _Dot(_Product):
    """Inner products of embeddings, at unit length or as they are."""

    def __init__(
        self,
        global_net: nn.Module,
        local_net: nn.Module,
        unit_length: bool,
        scale: float,
        learned: bool,
    ):
        super().__init__()
        self.global_net = global_net
        self.local_net = local_net
        self.unit_length = unit_length
        self.scale = scale
        self.log_scale = nn.Parameter(torch.tensor(math.log(scale))) if learned else None

    def sides(self, global_vector: Tensor, local_map: Tensor) -> tuple[Tensor, Tensor]:
        return self._left(global_vector), self._right(self.local_net(local_map))

    def _left(self, global_vector: Tensor) -> Tensor:
        """Embeddings (n, k, u) of global vectors, scaled."""
        left = self.global_net(global_vector)
        if self.unit_length:
            left = normalize(left, dim=-1)
        if self.log_scale is None:
            return left * self.scale
        return left * self.log_scale.exp().clamp(max=_MOST_SCALE)

    def _right(self, embedded: Tensor) -> Tensor:
        """Embeddings (n, m, u) of locations, at unit length if they are to be."""
        return normalize(embedded, dim=-1) if self.unit_length else embedded

    def forward(self, global_vector: Tensor, local_map: Tensor) -> Tensor:
        """Scores of all pairs; where embeddings are large, block by block and computed twice."""
        net = self.local_net
        layers = [*net] if isinstance(net, nn.Sequential) else [net]
        first, m = layers[0], local_map.shape[1]
        on_cpu = local_map.device.type == "cpu"
        if not isinstance(first, ResidualEmbedding) or not on_cpu or is_traced():
            return super().forward(global_vector, local_map)
        if local_map.shape[:2].numel() * first.width <= _MOST_HELD:
            return super().forward(global_vector, local_map)
        weight, offset = first.normalised(local_map)
        left = self._left(_several(global_vector))

        def scored(part: Tensor, left: Tensor, weight: Tensor, offset: Tensor) -> Tensor:
            found = first.embedded(part, weight, offset)
            for layer in layers[1:]:
                found = layer(found)
            return self.products(left, self._right(found)).transpose(0, 1)

        size = max(1, _BLOCK_VALUES // (m * first.width))
        learned = [*net.parameters()]
        given = left, weight, offset, *learned
        return _Twice.apply(scored, size, learned, local_map, *given).transpose(0, 1)


class _Twice(torch.autograd.Function):
    """A function of samples that is computed block by block, and again for its gradients.

    Nothing of the size of all its layers is held, and blocks of the result lie in one array.
    """

    @staticmethod
    def forward(
        ctx: Any,
        function: Callable[..., Tensor],
        size: int,
        parameters: Sequence[Tensor],
        x: Tensor,
        *others: Tensor,
    ) -> Tensor:
        """From samples (n, ...) and what does not depend on them to (n, ...)."""
        ctx.function, ctx.size, ctx.parameters = function, size, parameters
        ctx.save_for_backward(x, *others)
        given = others[: len(others) - len(parameters)]
        out = None
        for start in range(0, len(x), size):
            block = function(x[start : start + size], *given)
            if out is None:
                out = block.new_empty(len(x), *block.shape[1:])
            out[start : start + size] = block
        assert out is not None
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients for the samples, and sums over the blocks for all others."""
        x, *others = ctx.saved_tensors
        given = others[: len(others) - len(ctx.parameters)]
        inputs = [tensor.detach().requires_grad_() for tensor in given] + list(ctx.parameters)
        of_x, sums = torch.empty_like(x), [torch.zeros_like(tensor) for tensor in inputs]
        for start in range(0, len(x), ctx.size):
            here = slice(start, start + ctx.size)
            part = x[here].detach().requires_grad_()
            with torch.enable_grad():
                block = ctx.function(part, *inputs[: len(given)])
            found = torch.autograd.grad(block, [part, *inputs], gradient[here], allow_unused=True)
            of_x[here] = found[0]
            for total, one in zip(sums, found[1:]):
                if one is not None:
                    total += one
        return None, None, None, of_x, *sums


class _OnWholeMaps(nn.Module):
    """A network of maps (n, c, ...) on rows of locations: (n, 1, m * c) to (n, 1, u)."""

    def __init__(self, network: nn.Module, map_shape: tuple[int, ...]):
        super().__init__()
        self.network = network
        self.map_shape = map_shape

    def forward(self, rows: Tensor) -> Tensor:
        channels, *axes = self.map_shape
        maps = rows.reshape(len(rows), *axes, channels).movedim(-1, 1)
        return self.network(maps).unsqueeze(1)


def _start_as_copy(layer: nn.Linear) -> None:
    """Let a linear map start as a copy with noise, if that many values fit."""
    size_out, size_in = layer.weight.shape
    if size_out < size_in:
        return
    with torch.no_grad():
        layer.weight.uniform_(-_COPY_NOISE, _COPY_NOISE)
        layer.weight[:size_in].fill_diagonal_(1.0)


class _Bilinear(_Product):
    """The form as a linear map of the local side, then inner products."""

    def __init__(self, global_size: int, local_size: int, scale: float):
        super().__init__()
        self.form = nn.Linear(local_size, global_size, bias=False)
        self.scale = scale

    def sides(self, global_vector: Tensor, local_map: Tensor) -> tuple[Tensor, Tensor]:
        return global_vector * self.scale, self.form(local_map)


class _OnSums(PairNetwork):
    """A critic whose scores are a perceptron's on the sums of its sides.

    A first layer on the concatenation of a pair is a sum of one layer on each side, so the
    concatenated pairs themselves are never held.
    """

    def __init__(self, global_side: nn.Module, local_side: nn.Module, hidden: int, depth: int):
        super().__init__()
        self.global_side = global_side
        self.local_side = local_side
        layers: list[nn.Module] = [nn.ReLU()]
        for _ in range(depth - 1):
            layers += [nn.Linear(hidden, hidden), nn.ReLU()]
        self.head = nn.Sequential(*layers, nn.Linear(hidden, 1))

    def sides(self, global_vector: Tensor, local_map: Tensor) -> tuple[Tensor, Tensor]:
        return self.global_side(global_vector), self.local_side(local_map)

    def combine(self, left: Tensor, right: Tensor) -> Tensor:
        return self.head(left + right).squeeze(-1)


class _GatedSide(nn.Module):
    """Two linear maps, one the gate of the other, beside a shortcut; then a residual block."""

    def __init__(self, in_size: int, hidden: int):
        super().__init__()
        self.inner = nn.Linear(in_size, 3 * hidden)
        self.outer = nn.Linear(hidden, hidden)
        self.block = nn.Sequential(nn.Linear(hidden, hidden), nn.SiLU(), nn.Linear(hidden, hidden))

    def forward(self, x: Tensor) -> Tensor:
        value, gate, shortcut = self.inner(x).chunk(3, dim=-1)
        out = self.outer(value * silu(gate)) + shortcut
        return out + self.block(out)


CRITICS: dict[str, type[Critic]] = {
    "dot": DotCritic,
    "bilinear": BilinearCritic,
    "concat": ConcatCritic,
    "gated": GatedCritic,
}

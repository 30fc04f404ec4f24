"""A torch module that stays as it is, as the stem of what is found in closed form and learned."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal

import torch
from sklearn.base import clone
from torch import Tensor, nn

from .._checks import AUTO, NON_NEGATIVE_INT, POSITIVE_INT
from .._modes import in_blocks
from ._base import Encoder, Views
from ._closed_form import (
    SHARE_OF_STEPS,
    ClosedFormNetwork,
    Codes,
    Stem,
    carried_directions,
    refuse_infinite,
)
from ._directions import whitening
from ._time import averages
from ._torch import (
    KINDS,
    catch_layers,
    check_layers,
    contiguous_copy,
    in_own_order,
    make_module,
)

__all__ = ["BackboneStem", "FrozenEncoder"]

_MOST_DIRECTIONS = 2048  # directions; as many as samples they are found among (rule of thumb)
_MEAN_PARTS = (1, 2, 4)  # parts of each axis of places over which means are taken; `PatchEncoder`'s
_MOMENT_PARTS = (1, 2)  # the same of covariances
_GRID = {1: 16, 2: 8}  # cells on each axis of a map that the learned part reads; `PatchEncoder`'s
_N_SCALED = 1024  # samples that channels and sizes are measured on (rule of thumb)
_BLOCK_VALUES = 2**22  # input values that the module reads at once: 28 photographs of 224 pixels
_TINY = 1e-12  # in the place of 0 under a root and in a division


class FrozenEncoder(Encoder):
    """A torch module that stays as it is, pretrained or not, as the first layer of an encoder.

    1. The module is run in evaluation mode and without gradients: its weights and statistics
       don't change, dropout is off. What it gives, or what some inner layers of it give, are
       vectors (n, d) or maps (n, c, places ...).
    2. Of a map are pooled the means over the whole and over halves and quarters of each axis, and
       the covariances of the `n_channels` leading whitened channels over the whole and halves
       (signed roots of both). Pooled columns and vectors are mapped to the directions that tell
       most about another view of the sample, in closed form: `output="hidden"`.
    3. A convolution on the first map (the local map; the first vector is one location, where there
       is no map) and a linear layer learn what step 2 misses; the global vector is the leading
       directions and what is learned.

    `output="multiscale"`, the default of `transform`, is the embedding beside step 2.

    Parameters
    ----------
    module : torch.nn.Module, class or function
        An instance is copied, never changed. A class or function that makes one is called with
        `module_params`.
    layers : str, sequence of str or None, default=None
        Dotted names of inner layers whose outputs are read, as in ``module.named_modules()``. None
        reads what the module gives: a tensor, or a tuple, list or dict of them.
    module_params : dict or None, default=None
        What a class is called with.
    kind : {"table", "series", "image"} or None, default=None
        What the module reads: (n, p), (n, c, t) or (n, c, h, w). None leaves it to the shape
        of ``X``.
    tokens : bool, default=False
        Whether three-dimensional outputs are (n, m, c), as transformers give them, and not
        (n, c, m), as 1-D convolutions do.
    normalize : tuple of two or None, default=None
        Mean and standard deviation that the module's inputs were standardised with when it was
        trained, each a number or one for each channel or column. Of images of uint8 they are those
        of values from 0 to 1, as torchvision says them: for its weights from ImageNet,
        ``((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))``. ``(0, 1)`` hands values over as they
        are, bytes as 0 to 1. None standardises by the data: images of uint8 to [-1, 1], all else to
        mean 0 and deviation 1 for each channel or column.
    n_channels : int, default=32
        Channels of a map whose covariances are pooled, at most; 0 for none.
    n_directions : int or "auto", default="auto"
        Number of directions of step 2 that are kept, at most as many as pooled columns. "auto" is
        2,048, but no more than a quarter as many as there are samples, or 128.
    width : int, default=128
        Channels of the local map.

    See Also
    --------
    TorchEncoder : Trains all of a module.

    Notes
    -----
    The module keeps its own precision, at least float32, whatever that of the samples. A file that
    `DeepInfoMaxTransformer.save` writes holds its weights, not its class: pass that to `load`.

    Examples
    --------
    >>> import numpy as np
    >>> from torch import nn
    >>> from sk_infomax import DeepInfoMaxTransformer, FrozenEncoder
    >>> backbone = nn.Sequential(nn.Conv2d(1, 12, 3), nn.ReLU(), nn.Conv2d(12, 24, 3), nn.ReLU())
    >>> images = np.random.RandomState(0).rand(40, 8, 8)
    >>> encoder = FrozenEncoder(backbone, layers=["1", "3"])
    >>> model = DeepInfoMaxTransformer(16, encoder=encoder, max_epochs=1, random_state=0)
    >>> model.fit_transform(images).shape
    (40, 144)
    """

    _parameter_constraints: dict = {
        "module": [nn.Module, callable],
        "layers": [str, tuple, list, None],
        "module_params": [dict, None],
        "kind": [KINDS, None],
        "tokens": ["boolean"],
        "normalize": [tuple, list, None],
        "n_channels": [NON_NEGATIVE_INT],
        "n_directions": [POSITIVE_INT, AUTO],
        "width": [POSITIVE_INT],
    }
    output = "multiscale"
    share_of_steps = SHARE_OF_STEPS
    draws_from_torch = True  # whatever a module brings

    def __init__(
        self,
        module: nn.Module | Callable[..., nn.Module],
        layers: str | Sequence[str] | None = None,
        module_params: dict[str, Any] | None = None,
        kind: str | None = None,
        tokens: bool = False,
        normalize: Sequence[Any] | None = None,
        n_channels: int = 32,
        n_directions: int | Literal["auto"] = "auto",
        width: int = 128,
    ):
        self.module = module
        self.layers = layers
        self.module_params = module_params
        self.kind = kind
        self.tokens = tokens
        self.normalize = normalize
        self.n_channels = n_channels
        self.n_directions = n_directions
        self.width = width

    def fitted_to(
        self, n_samples: int, shape: tuple[int, ...], views: Views | None = None
    ) -> FrozenEncoder:
        """The same settings with as many directions as so many samples carry."""
        if self.n_directions != "auto":
            return self
        return clone(self).set_params(
            n_directions=min(_MOST_DIRECTIONS, carried_directions(n_samples))
        )

    def build(self, shape: tuple[int, ...], n_components: int) -> nn.Module:
        """Make the network around the module, after a trial run on two blank samples."""
        module = make_module(self)
        layers = [self.layers] if isinstance(self.layers, str) else self.layers
        if layers is not None:
            if not layers:
                raise ValueError("layers is empty: name inner layers of the module, or give None.")
            check_layers(module, layers, "layers")
        stem = BackboneStem(module, layers, self.tokens, shape, self.n_channels)
        most = _MOST_DIRECTIONS if self.n_directions == "auto" else int(self.n_directions)
        return ClosedFormNetwork(stem, most, self.width, shape, n_components)


class BackboneStem(Stem):
    """What a frozen module gives, pooled.

    Parameters
    ----------
    module : Module
        Nobody else's.
    layers : sequence of str or None
        Inner layers that are read; None reads the output.
    tokens : bool
        Whether three-dimensional outputs have their channels last.
    shape : tuple of int
        Of a sample.
    n_channels : int
        Leading channels of a map whose covariances are pooled, at most.
    """

    sizes: Tensor
    poolings: Any

    def __init__(
        self,
        module: nn.Module,
        layers: Sequence[str] | None,
        tokens: bool,
        shape: tuple[int, ...],
        n_channels: int,
    ):
        super().__init__()
        in_double = any(p.dtype == torch.float64 for p in module.parameters())
        self.dtype = torch.float64 if in_double else torch.float32
        self.module = module.to(self.dtype).eval()
        in_own_order(self.module)
        self.layers, self.tokens = layers, tokens
        outputs = self._trial_run(shape)
        self.module.requires_grad_(False)
        self.poolings = nn.ModuleList(
            _Pooling(out.shape[1], tuple(out.shape[2:]), n_channels) for out in outputs
        )
        self.first = next((i for i, out in enumerate(outputs) if math.prod(out.shape[2:]) > 1), 0)
        n_groups = sum(1 + bool(pooling.basis.shape[1]) for pooling in self.poolings)
        self.register_buffer("sizes", torch.ones(n_groups))

    def train(self, mode: bool = True) -> BackboneStem:
        """Never anything but evaluation for the module itself."""
        super().train(mode)
        self.module.eval()
        return self

    def _apply(self, *args: Any, **kwargs: Any) -> BackboneStem:
        super()._apply(*args, **kwargs)
        for tensor in itertools.chain(self.module.parameters(), self.module.buffers()):
            if tensor.is_floating_point():
                tensor.data = tensor.data.to(self.dtype)
        in_own_order(self.module)
        return self

    @torch.no_grad()
    def forward(self, x: Tensor) -> Codes:
        """Maps (n, c, *cells) of the first output that is a map; pooled (n, d) of all."""
        blocks = [(self._cells(out), self._scaled(out)) for out in self._blocks(x)]
        return Codes(*(torch.cat(parts) for parts in zip(*blocks)))

    @torch.no_grad()
    def maps(self, x: Tensor) -> Tensor:
        """The maps alone."""
        return torch.cat([self._cells(out) for out in self._blocks(x)])

    def _blocks(self, x: Tensor) -> Iterator[list[Tensor]]:
        """Outputs of blocks of a batch."""
        for block in in_blocks(x, max(1, _BLOCK_VALUES // x[0].numel())):
            yield [out.to(x.dtype) for out in self._outputs(block)]

    def _outputs(self, x: Tensor) -> list[Tensor]:
        """What the module gives for a batch: each (n, c, *places), a vector without places."""
        # A copy, as a module may work in the place of what it is given.
        own = contiguous_copy(x.to(self.dtype))
        if self.layers is None:
            given = self.module(own)
        else:
            given, _ = catch_layers(self.module, self.layers, own)
        return [self._arranged(out) for out in _tensors(given)]

    def _arranged(self, out: Tensor) -> Tensor:
        if out.dim() == 1:
            return out[:, None]
        return out.transpose(1, 2) if self.tokens and out.dim() == 3 else out

    def _cells(self, outputs: list[Tensor]) -> Tensor:
        """The map that the learned part reads, brought to a grid of few cells."""
        maps = outputs[self.first]
        maps = maps[..., None] if maps.dim() == 2 else maps
        maps = maps.flatten(2) if maps.dim() > 4 else maps
        grid = [min(_GRID[maps.dim() - 2], side) for side in maps.shape[2:]]
        pool: Any = nn.functional.adaptive_avg_pool1d
        if maps.dim() == 4:
            pool = nn.functional.adaptive_avg_pool2d
        return pool(maps, grid)

    def _pool(self, outputs: list[Tensor]) -> list[Tensor]:
        """Groups of columns (n, d), each of one kind."""
        pairs = zip(self.poolings, outputs)
        return [group for pooling, out in pairs for group in pooling(out)]

    def _scaled(self, outputs: list[Tensor]) -> Tensor:
        groups = self._pool(outputs)
        return torch.cat([group / size for group, size in zip(groups, self.sizes)], 1)

    @torch.no_grad()
    def prepare(self, x: Tensor, views: Views | None, generator: torch.Generator) -> None:
        """Find the leading channels of maps, and the size of each group, among samples (n, ...)."""
        some = x[torch.randperm(len(x), generator=generator, device=x.device)[:_N_SCALED]]
        known = {
            pooling: _Moments(len(pooling.mean), x.device)
            for pooling in self.poolings
            if pooling.basis.shape[1]
        }
        for outputs in self._blocks(some):
            for pooling, out in zip(self.poolings, outputs):
                refuse_infinite(out.flatten(1), f"{type(self.module).__name__} gives")
                if pooling in known:
                    known[pooling].add(out)
        for pooling, moments in known.items():
            pooling.find_channels(moments)
        blocks = zip(*(self._pool(outputs) for outputs in self._blocks(some)))
        variances = [torch.cat(group).double().var(0, correction=0).sum() for group in blocks]
        sizes = torch.stack(variances).sqrt().to(self.sizes)
        self.sizes.copy_(torch.where(sizes > 0, sizes, torch.ones_like(sizes)))

    def _trial_run(self, shape: tuple[int, ...]) -> list[Tensor]:
        """Outputs of two blank samples, each checked."""
        name = type(self.module).__name__
        try:
            with torch.no_grad():
                outputs = self._outputs(torch.zeros(2, *shape))
        except Exception as error:
            raise ValueError(
                f"{name} cannot read a batch of shape {(2, *shape)} of {self.dtype}: {error} "
                "Give samples as the module expects them, or set FrozenEncoder's kind or layers."
            ) from error
        for out in outputs:
            if not out.is_floating_point() or out.dim() < 2 or len(out) != 2 or not out.numel():
                raise ValueError(
                    f"{name} must give vectors (n, d) or maps (n, c, ...) of floating-point "
                    f"numbers. For two samples of shape {shape} it gave one of shape "
                    f"{tuple(out.shape)} and {out.dtype}. Name inner layers with layers."
                )
        return outputs


class _Pooling(nn.Module):
    """Columns of one output: a vector as it is; means and covariances of a map over parts of it.

    Parameters
    ----------
    channels : int
        Of the output.
    places : tuple of int
        Of a map; empty for a vector.
    n_channels : int
        Leading channels whose covariances are taken, at most.
    """

    mean_parts: Tensor
    moment_parts: Tensor
    basis: Tensor
    mean: Tensor

    def __init__(self, channels: int, places: tuple[int, ...], n_channels: int):
        super().__init__()
        kept = min(n_channels, channels) if math.prod(places) > 1 else 0
        for name, parts in (("mean_parts", _MEAN_PARTS), ("moment_parts", _MOMENT_PARTS)):
            self.register_buffer(name, _averages(places, parts), persistent=False)
        self.register_buffer("basis", torch.eye(channels, kept))
        self.register_buffer("mean", torch.zeros(channels))

    def forward(self, out: Tensor) -> list[Tensor]:
        """Means (n, d1) and, of a map, covariances (n, d2)."""
        maps = out.flatten(2) if out.dim() > 2 else out[..., None]  # (n, c, m)
        means = (maps @ self.mean_parts).flatten(1)
        if maps.shape[2] > 1:
            means = _root(means)
        return [means, self._covariances(maps)] if self.basis.shape[1] else [means]

    def _covariances(self, maps: Tensor) -> Tensor:
        """Signed roots of the covariances of whitened channels over parts of maps (n, c, m)."""
        channels = (maps.transpose(1, 2) - self.mean) @ self.basis  # (n, m, r)
        rows, columns = torch.triu_indices(*[self.basis.shape[1]] * 2, device=maps.device)
        found = []
        for weight in self.moment_parts.T:
            mean = weight @ channels
            product = channels.transpose(1, 2) @ (weight[:, None] * channels)
            found.append((product - mean[:, :, None] * mean[:, None])[:, rows, columns])
        return _root(torch.cat(found, 1))

    def find_channels(self, moments: _Moments) -> None:
        """Take over the leading channels, each of variance 1."""
        self.mean.copy_(moments.mean())
        self.basis.copy_(whitening(moments.covariance(), self.basis.shape[1]))


class _Moments:
    """Mean and covariance of rows that are seen block by block, in float64."""

    def __init__(self, size: int, device: torch.device):
        self.n = 0
        self.sums = torch.zeros(size, dtype=torch.float64, device=device)
        self.products = torch.zeros(size, size, dtype=torch.float64, device=device)

    def add(self, maps: Tensor) -> None:
        """All places of maps (n, c, *places)."""
        rows = maps.flatten(2).transpose(1, 2).flatten(0, 1).double()
        self.n += len(rows)
        self.sums += rows.sum(0)
        self.products += rows.T @ rows

    def mean(self) -> Tensor:
        return self.sums / self.n

    def covariance(self) -> Tensor:
        return self.products / self.n - torch.outer(self.mean(), self.mean())


def _averages(places: tuple[int, ...], parts: tuple[int, ...]) -> Tensor:
    """Weights (m, cells) of means over m places, each axis cut into 1 part, 2 parts and so on.

    No axis is cut into more parts than it has places.
    """
    found = []
    for part in parts:
        if part == 1 or part <= min(places, default=1):
            weights = torch.ones(1, 1)
            for side in places:
                weights = torch.kron(weights, averages(side, part))
            found.append(weights)
    return torch.cat(found, 1)


def _root(values: Tensor) -> Tensor:
    """Roots with the sign of what is under them, of a finite slope at 0."""
    return values.sign() * (values.abs() + _TINY).sqrt()


def _tensors(given: Any) -> list[Tensor]:
    """All tensors in what a module gives, in their order; what is None is nothing."""
    if torch.is_tensor(given):
        return [given]
    if isinstance(given, Mapping):
        given = list(given.values())
    if isinstance(given, tuple | list):
        found = [tensor for part in given for tensor in _tensors(part)]
        if found:
            return found
        raise TypeError("it gives no tensor.")
    if given is None:
        return []
    raise TypeError(f"it gives a {type(given).__name__}, which is no tensor.")

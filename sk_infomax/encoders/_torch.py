"""Any torch module as an encoder, all of which is trained."""

import copy
import itertools
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from .._checks import one_of
from ._base import Encoder, Encoding, locations, normed_output

__all__ = [
    "KINDS",
    "TorchEncoder",
    "catch_layers",
    "check_layers",
    "contiguous_copy",
    "in_own_order",
    "make_module",
]

KINDS = one_of({"table", "series", "image"})


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
    normalize : tuple of two or None, default=None
        Mean and standard deviation that a pretrained module's inputs are standardised with, each
        a number or one for each channel or column; see `FrozenEncoder`. None standardises by
        the data.

    See Also
    --------
    FrozenEncoder : Leaves the module as it is, and trains a small network on top.

    Notes
    -----
    Where the width of the module's vector is not `n_components`, a linear layer with batch
    normalisation follows it; the vector of the module is then ``output="hidden"``.

    Examples
    --------
    >>> from torch import nn
    >>> from sk_infomax import TorchEncoder
    >>> backbone = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 5))
    >>> encoder = TorchEncoder(backbone, local_layer="1")
    """

    _parameter_constraints: dict = {
        "module": [nn.Module, callable],
        "local_layer": [str, None],
        "module_params": [dict, None],
        "kind": [KINDS, None],
        "tokens": ["boolean"],
        "normalize": [tuple, list, None],
    }
    draws_from_torch = True  # dropout and whatever else a module brings

    def __init__(
        self,
        module: nn.Module | Callable[..., nn.Module],
        local_layer: str | None = None,
        module_params: dict[str, Any] | None = None,
        kind: str | None = None,
        tokens: bool = False,
        normalize: Sequence[Any] | None = None,
    ):
        self.module = module
        self.local_layer = local_layer
        self.module_params = module_params
        self.kind = kind
        self.tokens = tokens
        self.normalize = normalize

    def build(self, shape: tuple[int, ...], n_components: int) -> nn.Module:
        """Make the network around the module, after a trial run on two blank samples."""
        module = make_module(self)
        if self.local_layer is not None:
            check_layers(module, [self.local_layer], "local_layer")
        adapter = _Adapter(module, self.local_layer, self.tokens)
        size = _trial_run(adapter, shape)
        if size != n_components:
            adapter.head = normed_output(size, n_components)
        return adapter


def make_module(encoder: Any) -> nn.Module:
    """The module of an encoder's parameters `module` and `module_params`, nobody else's."""
    if isinstance(encoder.module, nn.Module):
        module = copy.deepcopy(encoder.module)
    else:
        module = encoder.module(**(encoder.module_params or {}))
    if not isinstance(module, nn.Module):
        raise TypeError(
            f"{type(encoder).__name__}(module={encoder.module!r}) gave a "
            f"{type(module).__name__}, which is no torch.nn.Module."
        )
    return module


def check_layers(module: nn.Module, layers: Sequence[str], parameter: str) -> None:
    """Refuse names that no inner layer has."""
    names = dict(module.named_modules())
    for layer in layers:
        if layer not in names:
            listing = ", ".join(name for name in names if name and "." not in name)
            raise ValueError(
                f"{parameter}={layer!r} is no layer of {type(module).__name__}. Its outer layers "
                f"are: {listing}."
            )


def catch_layers(module: nn.Module, layers: Sequence[str], x: Tensor) -> tuple[list[Any], Any]:
    """What inner layers give for a batch, the last time that each is run, and what the whole does.

    Tensors are copied, as the next layer may work in their place.
    """
    caught: dict[str, Any] = {}

    def keep(name: str) -> Callable:
        def hook(_module: nn.Module, _inputs: Any, out: Any) -> None:
            caught[name] = out.clone() if torch.is_tensor(out) else out

        return hook

    hooks = [module.get_submodule(name).register_forward_hook(keep(name)) for name in layers]
    try:
        whole = module(x)
    finally:
        for hook in hooks:
            hook.remove()
    for name in layers:
        if name not in caught:
            raise ValueError(f"Its layer {name!r} is not run.")
    return [caught[name] for name in layers], whole


def in_own_order(module: nn.Module) -> None:
    """Weights as their author knows them: a module may count on contiguous memory (``view``)."""
    for tensor in itertools.chain(module.parameters(), module.buffers()):
        tensor.data = contiguous_copy(tensor.data)


def contiguous_copy(x: Tensor) -> Tensor:
    """A copy in contiguous memory, with the strides of it too.

    With one channel, memory whose channels come last passes for contiguous, and layers pass it on.
    """
    return x.clone(memory_format=torch.contiguous_format)


class _Adapter(nn.Module):
    """Runs the user's module and catches what its inner layer gives."""

    def __init__(self, module: nn.Module, local_layer: str | None, tokens: bool):
        super().__init__()
        self.module = module
        self.head: nn.Module = nn.Identity()
        self.local_layer = local_layer
        self.tokens = tokens

    def forward(self, x: Tensor) -> Encoding:
        """Encoding of a batch (n, *shape)."""
        local, vector = self.run(x)
        shape = None
        if local.dim() == 2:
            local = local.unsqueeze(1)
        elif local.dim() > 3 or not self.tokens:
            local, shape = locations(local), tuple(local.shape[2:])
        return Encoding(local, self.head(vector), vector, local.flatten(1), map_shape=shape)

    def run(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Local map and vector as the user's module gives them."""
        if self.local_layer is None:
            return self.module(contiguous_copy(x))
        (local,), vector = catch_layers(self.module, [self.local_layer], contiguous_copy(x))
        return local, vector

    def _apply(self, *args: Any, **kwargs: Any) -> "_Adapter":
        super()._apply(*args, **kwargs)
        in_own_order(self.module)
        return self


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
            f"local_layer; it returned {type(result).__name__}. FrozenEncoder takes a module that "
            "gives one tensor, and leaves it as it is."
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

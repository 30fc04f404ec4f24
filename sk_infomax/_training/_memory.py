"""Where a training stands, as tensors and plain values: what takes it up goes on bit for bit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from .._state import fact, require

if TYPE_CHECKING:
    from ._net import InfoMaxNet

__all__ = ["Standing", "remember", "restore", "tensors_under"]

_PLAIN = (bool, int, float, str, type(None))


class Standing(NamedTuple):
    """Where something stands.

    Parameters
    ----------
    tensors : dict of str to Tensor
        By name.
    facts : dict of str to object
        Plain values.
    """

    tensors: dict[str, Tensor]
    facts: dict[str, Any]


def tensors_under(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Those whose names start with a prefix, by what follows it."""
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def remember(net: InfoMaxNet) -> Standing:
    """Optimizers, generators, and what objectives keep of batches; not weights or history."""
    tensors = {f"generator.{name}": g.get_state() for name, g in net.generators.items()}
    tensors |= {f"objective.{name}": t for name, t in net.module_.memory().items()}
    facts: dict[str, Any] = {}
    for name in net._optimizers:
        found = _of_optimizer(getattr(net, f"{name}_"))
        tensors |= {f"{name}.{key}": tensor for key, tensor in found.tensors.items()}
        facts[name] = found.facts
    return Standing(tensors, facts)


def restore(net: InfoMaxNet, standing: Standing) -> None:
    """Let a net that was made anew stand where another stood.

    Of an optimizer of another class nothing is taken: the parameters now ask for another.

    Raises
    ------
    ValueError
        If what is remembered does not fit the net.
    """
    tensors, facts = standing
    for name, generator in net.generators.items():
        state = tensors.get(f"generator.{name}")
        # Of another device, such as after a fit on CUDA, the states differ in length.
        if state is not None and state.shape == generator.get_state().shape:
            require(state.dtype == torch.uint8, f"the state of its generator {name} is none")
            _set_state(generator, state)
    net.module_.take_memory(tensors_under(tensors, "objective."))
    for name in net._optimizers:
        optimizer = getattr(net, f"{name}_")
        known = fact(facts, name, dict)
        if fact(known, "class", str) == type(optimizer).__name__:
            _take_optimizer(optimizer, Standing(tensors_under(tensors, f"{name}."), known))


def _set_state(generator: torch.Generator, state: Tensor) -> None:
    try:
        generator.set_state(state.contiguous())
    except RuntimeError as error:
        raise ValueError("The file is damaged: the state of a generator is none.") from error


def _of_optimizer(optimizer: torch.optim.Optimizer) -> Standing:
    tensors, values = {}, {}
    for index, state in optimizer.state_dict()["state"].items():
        for key, value in state.items():
            if torch.is_tensor(value):
                tensors[f"{index}.{key}"] = value
            elif isinstance(value, _PLAIN):
                values[f"{index}.{key}"] = value
    changed = [
        {k: v for k, v in group.items() if k not in optimizer.defaults and isinstance(v, _PLAIN)}
        for group in optimizer.param_groups
    ]
    return Standing(
        tensors, {"class": type(optimizer).__name__, "values": values, "groups": changed}
    )


def _take_optimizer(optimizer: torch.optim.Optimizer, standing: Standing) -> None:
    """Take over the state of each parameter; what it is set to stays."""
    params = [p for group in optimizer.param_groups for p in group["params"]]
    state: dict[int, dict[str, Any]] = {}
    for name, value in [*standing.tensors.items(), *fact(standing.facts, "values", dict).items()]:
        index, _, key = name.partition(".")
        require(index.isdecimal() and int(index) < len(params), "its optimizer has other weights")
        if torch.is_tensor(value):
            value = _like(params[int(index)], value)
        state.setdefault(int(index), {})[key] = value
    groups = optimizer.state_dict()["param_groups"]
    more = fact(standing.facts, "groups", list)
    require(len(more) == len(groups), "its optimizer has other groups")
    for group, values in zip(groups, more):
        require(type(values) is dict and "params" not in values, "a group of its optimizer is odd")
        group.update(values)
    optimizer.load_state_dict({"state": state, "param_groups": groups})


def _like(parameter: Tensor, value: Tensor) -> Tensor:
    """A tensor of the parameter's in the order of memory that steps expect; or a number."""
    require(value.shape in (parameter.shape, ()), "its optimizer has weights of another shape")
    if value.shape != parameter.shape or value.dtype != parameter.dtype:
        return value.clone()
    return torch.empty_like(parameter).copy_(value).detach()

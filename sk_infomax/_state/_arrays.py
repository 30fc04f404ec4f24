"""Weights and buffers as arrays of our own, and back after checks."""

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

__all__ = [
    "Indexing",
    "arrays_of",
    "arrays_under",
    "digest",
    "finite",
    "history_rows",
    "load_arrays",
    "tensors_of",
    "torch_arrays",
]


class Indexing(nn.Module):
    """A module with whole numbers that say where something stands.

    Attributes
    ----------
    bounds : dict of str to int
        For each of these buffers, the number that they stay below; they are 0 or more.
    """

    bounds: Mapping[str, int] = {}


def torch_arrays(tensors: Mapping[str, Tensor], prefix: str = "") -> dict[str, np.ndarray]:
    """Tensors as arrays of our own, by their names with something in front."""
    return {prefix + name: t.detach().cpu().numpy().copy() for name, t in tensors.items()}


def tensors_of(arrays: Mapping[str, np.ndarray], prefix: str) -> dict[str, Tensor]:
    """Arrays whose names start with a prefix as tensors of our own, by what follows it."""
    return {k: torch.from_numpy(v.copy()) for k, v in arrays_under(arrays, prefix).items()}


def arrays_of(module: nn.Module) -> dict[str, np.ndarray]:
    """Weights and buffers of a module as arrays of our own."""
    return torch_arrays(module.state_dict())


def arrays_under(arrays: Mapping[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    """Those whose names start with a prefix, by what follows it."""
    return {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}


def load_arrays(module: nn.Module, arrays: Mapping[str, np.ndarray]) -> None:
    """Put arrays into a module after checking names, shapes, dtypes and values.

    Raises
    ------
    ValueError
        If the arrays are not exactly what the module holds, or not finite where it is.
    """
    present = module.state_dict()
    odd = sorted(present.keys() ^ arrays.keys())
    if odd:
        raise ValueError(
            f"The saved weights do not belong to this network: {', '.join(odd[:3])} "
            f"{'is' if len(odd) == 1 else 'are'} on one side only."
        )
    for name, tensor in present.items():
        array = arrays[name]
        expected = tensor.detach().cpu().numpy()
        if array.shape != expected.shape or array.dtype != expected.dtype:
            raise ValueError(
                f"Saved weight {name} has shape {array.shape} and type {array.dtype}; the "
                f"network needs {expected.shape} and {expected.dtype}."
            )
        if not finite(array) and finite(expected):
            raise ValueError(f"The file is damaged: saved weight {name} is not finite throughout.")
    _check_places(module, arrays)
    module.load_state_dict({name: torch.from_numpy(a.copy()) for name, a in arrays.items()})


def _check_places(module: nn.Module, arrays: Mapping[str, np.ndarray]) -> None:
    """Refuse places outside of what they point into."""
    for path, part in module.named_modules():
        for name, most in part.bounds.items() if isinstance(part, Indexing) else ():
            where = f"{path}.{name}" if path else name
            places = arrays[where]
            if places.size and not (places.min() >= 0 and places.max() < most):
                raise ValueError(
                    f"The file is damaged: saved {where} has values outside of 0 to {most - 1}."
                )


def finite(array: np.ndarray) -> bool:
    """Whether all values are finite; what are no floats always are."""
    return array.dtype.kind != "f" or bool(np.isfinite(array).all())


def digest(array: np.ndarray) -> str:
    """Checksum of type, shape and values."""
    found = hashlib.sha256(f"{array.dtype.str}{array.shape}".encode())
    found.update(np.ascontiguousarray(array).view(np.uint8).data if array.size else b"")
    return found.hexdigest()


def history_rows(history: Any) -> list[dict[str, Any]]:
    """A skorch history as plain dictionaries."""
    return [{key: value for key, value in row.items() if key != "batches"} for row in history]

"""Parameters and plain facts as JSON, and back; members of registries by their names."""

from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any

import numpy as np
import torch

from .._bases import BaseEstimator

__all__ = ["Unsaved", "from_json", "to_json"]

_SHOWN = 80  # characters of a damaged value that an error shows
_DEEPEST = 32  # values inside of values; ours go to about ten

Registries = Mapping[str, Mapping[str, type]]


class Unsaved:
    """Stands for a setting that a file cannot hold, such as a user's own class."""

    def __init__(self, name: str):
        self.name = name


def to_json(value: Any, registries: Registries) -> Any:
    """A parameter as JSON; members of the registries by name, anything unknown as unsaved."""
    plain = _plain(value)
    if plain is None or isinstance(plain, bool | int | float | str):
        return plain
    if isinstance(plain, dict) and all(isinstance(key, str) for key in plain):
        return {"dict": {k: to_json(v, registries) for k, v in plain.items()}}
    if isinstance(plain, list | tuple):
        items = [to_json(item, registries) for item in plain]
        lost = [item for item in items if _is_lost(item)]
        return lost[0] if lost else {"tuple" if isinstance(plain, tuple) else "list": items}
    return _named(value, registries)


def _is_lost(node: Any) -> bool:
    return isinstance(node, dict) and "unsaved" in node


def _plain(value: Any) -> Any:
    """Numbers of any make, arrays of them and devices as Python's own values."""
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        return float(value)
    if isinstance(value, np.ndarray) and not value.dtype.hasobject:
        return value.tolist()
    return str(value) if isinstance(value, str | torch.device) else value


def _named(value: Any, registries: Registries) -> dict[str, Any]:
    for family, registry in registries.items():
        for name, member in registry.items():
            if value is member:
                return {"class": [family, name]}
            if isinstance(value, BaseEstimator) and type(value) is member:
                settings = to_json(value.get_params(deep=False), registries)["dict"]
                lost = [node for node in settings.values() if _is_lost(node)]
                return lost[0] if lost else {"part": [family, name], "settings": settings}
    return {"unsaved": type(value).__name__}


def from_json(node: Any, registries: Registries, depth: int = 0) -> Any:
    """A parameter from JSON; `Unsaved` for what the file does not hold.

    Raises
    ------
    ValueError
        If the node is of no known form, names what no registry has, or lies too deep.
    """
    if depth > _DEEPEST:
        raise ValueError(f"The file is damaged: values inside of values {_DEEPEST} times and more.")
    if isinstance(node, list):
        raise ValueError("The file is damaged: a bare list among its parameters.")
    if not isinstance(node, dict):
        return node

    def inner(value: Any) -> Any:
        return from_json(value, registries, depth + 1)

    match node:
        case {"dict": dict(items)}:
            return {k: inner(v) for k, v in items.items()}
        case {"list": list(items)}:
            return [inner(item) for item in items]
        case {"tuple": list(items)}:
            return tuple(inner(item) for item in items)
        case {"class": [str(family), str(name)]} if name in registries.get(family, {}):
            return registries[family][name]
        case {"part": [str(family), str(name)], "settings": dict(settings)} if name in (
            registries.get(family, {})
        ):
            return registries[family][name](**{k: inner(v) for k, v in settings.items()})
        case {"unsaved": str(name)}:
            return Unsaved(name)
    raise ValueError(f"The file is damaged or of a newer version: {str(node)[:_SHOWN]}.")

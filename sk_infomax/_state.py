"""A fitted estimator as plain arrays and JSON values, and back: pickled, saved, loaded.

No net and no module is ever pickled or saved: their weights are kept as arrays, and the
modules are made anew from the parameters. So a pickle holds nothing of torch, a fit on CUDA
loads on a CPU, and reading a saved file runs no code of the file's.

A saved file is one safetensors file. Its metadata is JSON: format, version, class, parameters.
Settings objects are named through the registries; what no registry knows is left open, and
`load` asks for it.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from numbers import Integral, Real
from os import PathLike
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file
from sklearn.utils.validation import check_is_fitted
from torch import nn

from ._bases import BaseEstimator

__all__ = [
    "Fitted",
    "Memory",
    "Saved",
    "Unsaved",
    "arrays_of",
    "arrays_under",
    "from_json",
    "history_rows",
    "load_arrays",
    "read",
    "to_json",
    "write",
]

FORMAT = "sk_infomax"
VERSION = 1  # of the file; raised when what it holds changes its meaning
_SHOWN = 80  # characters of a damaged value that an error shows


class Unsaved:
    """Stands for a setting that a file cannot hold, such as a user's own class."""

    def __init__(self, name: str):
        self.name = name


def arrays_of(module: nn.Module) -> dict[str, np.ndarray]:
    """Weights and buffers of a module as arrays of our own."""
    return {name: t.detach().cpu().numpy().copy() for name, t in module.state_dict().items()}


def arrays_under(arrays: Mapping[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    """Those whose names start with a prefix, by what follows it."""
    return {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}


def load_arrays(module: nn.Module, arrays: Mapping[str, np.ndarray]) -> None:
    """Put arrays into a module after checking names, shapes and dtypes.

    Raises
    ------
    ValueError
        If the arrays are not exactly what the module holds.
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
    module.load_state_dict({name: torch.from_numpy(a.copy()) for name, a in arrays.items()})


def history_rows(history) -> list[dict[str, Any]]:
    """A skorch history as plain dictionaries."""
    return [{key: value for key, value in row.items() if key != "batches"} for row in history]


def to_json(value: Any, registries: Mapping[str, Mapping[str, type]]) -> Any:
    """A parameter as JSON; members of the registries by name, anything unknown as unsaved."""
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, np.bool_ | Integral | Real):
        return value.item() if isinstance(value, np.generic) else value
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {"dict": {k: to_json(v, registries) for k, v in value.items()}}
    if isinstance(value, list | tuple):
        items = [to_json(item, registries) for item in value]
        lost = [item for item in items if isinstance(item, dict) and "unsaved" in item]
        return lost[0] if lost else {type(value).__name__: items}
    for family, registry in registries.items():
        for name, member in registry.items():
            if value is member:
                return {"class": [family, name]}
            if isinstance(value, BaseEstimator) and type(value) is member:
                settings = value.get_params(deep=False).items()
                return {
                    "part": [family, name],
                    "settings": {k: to_json(v, registries) for k, v in settings},
                }
    return {"unsaved": type(value).__name__}


def from_json(node: Any, registries: Mapping[str, Mapping[str, type]]) -> Any:
    """A parameter from JSON; `Unsaved` for what the file does not hold.

    Raises
    ------
    ValueError
        If the node is of no known form or names what no registry has.
    """
    if not isinstance(node, dict):
        if isinstance(node, list):
            raise ValueError("The file is damaged: a bare list among its parameters.")
        return node
    match node:
        case {"dict": dict(items)}:
            return {k: from_json(v, registries) for k, v in items.items()}
        case {"list": list(items)}:
            return [from_json(item, registries) for item in items]
        case {"tuple": list(items)}:
            return tuple(from_json(item, registries) for item in items)
        case {"class": [str(family), str(name)]} if name in registries.get(family, {}):
            return registries[family][name]
        case {"part": [str(family), str(name)], "settings": dict(settings)} if name in (
            registries.get(family, {})
        ):
            values = {k: from_json(v, registries) for k, v in settings.items()}
            return registries[family][name](**values)
        case {"unsaved": str(name)}:
            return Unsaved(name)
    raise ValueError(f"The file is damaged or of a newer version: {str(node)[:_SHOWN]}.")


def write(path: str | Path, arrays: Mapping[str, np.ndarray], meta: Mapping[str, Any]) -> None:
    """Write arrays and JSON metadata as one safetensors file."""
    header = {"format": FORMAT, "version": VERSION} | dict(meta)
    contiguous = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    save_file(contiguous, str(path), metadata={FORMAT: json.dumps(header)})


def read(path: str | Path, class_name: str) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Read what `write` wrote for a class.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is not one of ours, of another class, or of a newer version.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"There is no file {str(path)!r} to load from.")
    try:
        with safe_open(str(path), framework="numpy") as file:
            header = json.loads((file.metadata() or {})[FORMAT])
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, KeyError, json.JSONDecodeError) as error:
        raise ValueError(f"{str(path)!r} is no file that sk_infomax saved.") from error
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise ValueError(f"{str(path)!r} is no file that sk_infomax saved.")
    if header.get("version") != VERSION:
        raise ValueError(
            f"{str(path)!r} has format version {header.get('version')!r}; this release reads "
            f"version {VERSION}. Upgrade sk_infomax."
        )
    if header.get("class") != class_name:
        raise ValueError(
            f"{str(path)!r} holds a {header.get('class')}; load it with that class, not with "
            f"{class_name}."
        )
    return arrays, header


class Memory(NamedTuple):
    """What there is to remember of something fitted.

    Parameters
    ----------
    arrays : dict of str to ndarray
        Weights and whatever else was learned.
    facts : dict of str to object
        Plain values, and settings objects under "parts".
    """

    arrays: dict[str, np.ndarray]
    facts: dict[str, Any]


class Fitted(ABC):
    """What a fit gives, apart from the estimator whose parameters asked for it."""

    @abstractmethod
    def remember(self) -> Memory:
        """All that `recall` needs."""

    @classmethod
    @abstractmethod
    def recall(cls, memory: Memory, estimator: Any) -> Self:
        """The same again.

        Parameters
        ----------
        memory : Memory
            What `remember` gave. `Unsaved` stands for a part of a user's own class, which is then
            that of the estimator.
        estimator : object
            Has the parameters.
        """


class Saved(BaseEstimator):
    """Gives an estimator that keeps a `Fitted` in ``_fitted`` pickles of plain arrays and files."""

    _fitted_as: ClassVar[type[Fitted]]
    """What ``_fitted`` is."""
    _registries: ClassVar[Mapping[str, Mapping[str, type]]]
    """Settings objects that a file may name."""
    _not_saved: ClassVar[tuple[str, ...]] = ("callbacks", "random_state")
    """Parameters that a file leaves out where it can't hold them."""

    _fitted: Fitted
    n_features_in_: int
    feature_names_in_: np.ndarray

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "_fitted")

    @property
    def _found(self) -> Any:
        """What was fitted; there are no fitted attributes without it."""
        if "_fitted" not in vars(self):
            raise AttributeError(f"This {type(self).__name__} is not fitted yet. Call fit first.")
        return self._fitted

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())
        if "_fitted" in state:
            state["_fitted"] = tuple(state["_fitted"].remember())
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = dict(state)
        memory = state.pop("_fitted", None)
        super().__setstate__(state)
        if memory is not None:
            self._fitted = self._fitted_as.recall(Memory(*memory), self)

    def save(self, path: str | PathLike[str]) -> None:
        """Write the fitted estimator to one safetensors file, which holds no code.

        Parameters
        ----------
        path : str or path-like
            Where to; conventionally ``NAME.safetensors``.

        Notes
        -----
        The state of the optimizer and the callbacks are not saved. A network or class of your
        own is not saved either, only its weights: pass it to `load`.
        """
        check_is_fitted(self)
        arrays, facts = self._fitted.remember()
        names = getattr(self, "feature_names_in_", None)
        meta = {
            "class": type(self).__name__,
            "parameters": self._to_json(self.get_params(deep=False)),
            "fitted": self._to_json(facts),
            "n_features": int(self.n_features_in_),
            "feature_names": None if names is None else list(names),
        }
        write(Path(path), arrays, meta)

    @classmethod
    def load(cls, path: str | PathLike[str], **own: Any) -> Self:
        """Read an estimator that `save` wrote.

        Parameters
        ----------
        path : str or path-like
            The file.
        **own : object
            Parameters that the file cannot hold, such as ``encoder=TorchEncoder(MyNetwork)``,
            and any that shall differ, such as ``device="cpu"``.

        Returns
        -------
        self : object
            Fitted; gives bit for bit what the saved one gave.

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        ValueError
            If the file is not one of ours, is damaged, or needs a class that was not given.
        """
        arrays, meta = read(Path(path), cls.__name__)
        settings, facts = cls._from_json(meta["parameters"]), cls._from_json(meta["fitted"])
        for name in cls._not_saved:
            if isinstance(settings.get(name), Unsaved):
                settings[name] = None
        for name, value in _unsaved(settings | own, facts):
            if name not in own:
                raise ValueError(
                    f"{str(path)!r} was fitted with {name} of the class {value.name}, which the "
                    f"file does not hold. Pass it: {cls.__name__}.load(path, {name}=...)."
                )
        estimator = cls(**(settings | own))
        estimator.n_features_in_ = int(meta["n_features"])
        if meta["feature_names"] is not None:
            estimator.feature_names_in_ = np.array(meta["feature_names"], dtype=object)
        estimator._fitted = cls._fitted_as.recall(Memory(arrays, facts), estimator)
        return estimator

    @classmethod
    def _to_json(cls, values: dict[str, Any]) -> dict[str, Any]:
        return {name: to_json(value, cls._registries) for name, value in values.items()}

    @classmethod
    def _from_json(cls, nodes: dict[str, Any]) -> dict[str, Any]:
        return {name: from_json(node, cls._registries) for name, node in nodes.items()}


def _unsaved(settings: dict[str, Any], facts: dict[str, Any]) -> Iterator[tuple[str, Unsaved]]:
    """Parameters and fitted parts that a file does not hold, by name."""
    for values in (settings, facts.get("parts", {})):
        yield from ((k, v) for k, v in values.items() if isinstance(v, Unsaved))

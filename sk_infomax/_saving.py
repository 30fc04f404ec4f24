"""How a fitted estimator is pickled, saved and loaded."""

from collections.abc import Callable
from dataclasses import fields
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted
from skorch.history import History

from . import _state
from ._checks import resolve_device
from ._layout import Layout
from ._objectives import Parts
from ._scaling import Scaling
from ._settings import REGISTRIES, settle_encoder
from ._training._net import InfoMaxNet

__all__ = ["SavingMixin"]


class SavingMixin(BaseEstimator):
    """Gives an estimator with a ``net_`` a state of plain arrays, `save` and `load`.

    The estimator holds ``_parts``, ``layout_``, ``_scaling`` and ``_seed``, and ``_build`` makes
    its net from them.
    """

    net_: InfoMaxNet
    device: Any
    layout_: Layout
    _parts: Parts
    _seed: int
    _scaling: Scaling
    _build: Callable[[torch.device], None]

    def __getstate__(self):
        state = dict(super().__getstate__())
        net = state.pop("net_", None)
        if net is not None:
            state["_weights_of_net"] = _state.arrays_of(net.module_)
            state["_history_of_net"] = _state.history_rows(net.history)
        return state

    def __setstate__(self, state):
        state = dict(state)
        weights = state.pop("_weights_of_net", None)
        history = state.pop("_history_of_net", [])
        super().__setstate__(state)
        if weights is not None:
            self._restore(weights, history)

    def _restore(self, weights: dict[str, np.ndarray], history: list[dict]) -> None:
        """Make the net again from the settled parts and put the weights in."""
        self._build(resolve_device(self.device, or_cpu=True))
        _state.load_arrays(self.net_.module_, weights)
        self.net_.module_.eval()
        self.net_.history = History(history)

    def save(self, path):
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
        check_is_fitted(self, "net_")
        names = getattr(self, "feature_names_in_", None)
        parts = {field.name: getattr(self._parts, field.name) for field in fields(Parts)}
        meta = {
            "class": type(self).__name__,
            "parameters": _all_to_json(self.get_params(deep=False)),
            "parts": _all_to_json(parts),
            "layout": [self.layout_.kind, self.layout_.shape, self.layout_.channel_axis],
            "feature_names": None if names is None else list(names),
            "history": _state.history_rows(self.net_.history),
            "seed": self._seed,
            "count": self._scaling.count,
        }
        arrays = {f"net.{k}": v for k, v in _state.arrays_of(self.net_.module_).items()}
        for name in Scaling.ARRAYS:
            arrays[f"scaling.{name}"] = getattr(self._scaling, name)
        _state.write(path, arrays, meta)

    @classmethod
    def load(cls, path, **own):
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
        DeepInfoMaxTransformer
            Fitted; transforms bit for bit as the saved one did.

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        ValueError
            If the file is not one of ours, is damaged, or needs a class that was not given.
        """
        arrays, meta = _state.read(path, cls.__name__)
        settings = _all_from_json(meta["parameters"])
        for name in ("callbacks", "random_state"):
            if isinstance(settings.get(name), _state.Unsaved):
                settings[name] = None
        parts = _all_from_json(meta["parts"])
        for name, value in (settings | own | parts).items():
            if isinstance(value, _state.Unsaved) and name not in own:
                raise ValueError(
                    f"{str(path)!r} was fitted with {name} of the class {value.name}, which the "
                    f"file does not hold. Pass it: {cls.__name__}.load(path, {name}=...)."
                )
        return cls(**(settings | own))._revive(parts, arrays, meta)

    def _revive(self, parts: dict[str, Any], arrays: dict[str, np.ndarray], meta: dict):
        """Set the fitted state from what a file holds; own parts come from the parameters."""
        kind, shape, axis = meta["layout"]
        self.layout_ = Layout(kind, tuple(shape), axis)
        self.n_features_in_ = self.layout_.n_features
        if meta["feature_names"] is not None:
            self.feature_names_in_ = np.array(meta["feature_names"], dtype=object)
        for name, value in parts.items():
            if isinstance(value, _state.Unsaved):
                own = getattr(self, name)
                parts[name] = settle_encoder(own) if name == "encoder" else own
        self._parts, self._seed = Parts(**parts), int(meta["seed"])
        self._scaling = Scaling(self.layout_)
        self._scaling.count = int(meta["count"])
        for name in Scaling.ARRAYS:
            self._scaling.set(name, arrays.pop(f"scaling.{name}", None))
        weights = {name.removeprefix("net."): array for name, array in arrays.items()}
        self._restore(weights, meta["history"])
        return self


def _all_to_json(values: dict[str, Any]) -> dict[str, Any]:
    return {name: _state.to_json(value, REGISTRIES) for name, value in values.items()}


def _all_from_json(nodes: dict[str, Any]) -> dict[str, Any]:
    return {name: _state.from_json(node, REGISTRIES) for name, node in nodes.items()}

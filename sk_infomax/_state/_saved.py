"""Estimators that keep what was fitted as one object, copied, pickled and saved as plain values."""

import inspect
import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Set
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted

from .._bases import BaseEstimator
from .._checks import closest_name, resolve_device, validate_params
from .._modes import in_own_modes, own_modes
from ._allowance import building
from ._facts import require
from ._files import read, write
from ._values import Unsaved, from_json, to_json

__all__ = ["Fitted", "Memory", "Saved"]


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
            What `remember` gave, or a file says. `Unsaved` stands for a part of a user's own
            class, which is then that of the estimator.
        estimator : object
            Has the parameters.

        Raises
        ------
        ValueError
            If that does not fit together.
        """


class Saved(BaseEstimator):
    """Gives an estimator that keeps a `Fitted` in ``_fitted`` pickles of plain arrays and files."""

    _fitted_as: ClassVar[type[Fitted]]
    """What ``_fitted`` is."""
    _registries: ClassVar[Mapping[str, Mapping[str, type]]]
    """Settings objects that a file may name."""
    _not_saved: ClassVar[tuple[str, ...]] = ("callbacks", "checkpoint", "random_state")
    """Parameters that a file leaves out where it can't hold them."""
    _made_by_fit: ClassVar[frozenset[str]]
    """Parameters that what is fitted was made by, so that others would be wrong about it."""

    _fitted: Fitted
    device: Any
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

    @in_own_modes
    def __setstate__(self, state: dict[str, Any]) -> None:
        state = dict(state)
        memory = state.pop("_fitted", None)
        super().__setstate__(state)
        if memory is not None:
            self._fitted = self._fitted_as.recall(Memory(*memory), self)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the fitted estimator to one safetensors file, which holds no code.

        Parameters
        ----------
        path : str or path-like
            Where to; conventionally ``NAME.safetensors``. The file is written beside it and then
            takes its name, so that there is always the old one or the new one, whole.

        Raises
        ------
        OSError
            Python's own, for a missing folder, a full disk and the like.

        Notes
        -----
        Callbacks are not saved. A network or class of your own is not saved either, only its
        weights: pass it to `load`.
        """
        check_is_fitted(self)
        self._write(path, self._fitted.remember())

    def _write(self, path: str | os.PathLike[str], memory: Memory, **more: Any) -> None:
        """Write parameters, what was fitted, and more facts."""
        names = getattr(self, "feature_names_in_", None)
        meta = {
            "class": type(self).__name__,
            "parameters": self._to_json(self.get_params(deep=False)),
            "fitted": self._to_json(memory.facts),
            "n_features": int(self.n_features_in_),
            "feature_names": None if names is None else [str(name) for name in names],
        }
        write(path, memory.arrays, meta | self._to_json(more))

    @classmethod
    def load(cls, path: str | os.PathLike[str], **own: Any) -> Self:
        """Read an estimator that `save` wrote.

        Parameters
        ----------
        path : str or path-like
            The file.
        **own : object
            Parameters that the file cannot hold, such as ``encoder=TorchEncoder(MyNetwork)``,
            and any that shall differ and still can, such as ``device="cpu"``.

        Returns
        -------
        self : object
            Fitted; gives bit for bit what the saved one gave.

        Raises
        ------
        OSError
            Python's own, for a missing file, a folder, or one that may not be read.
        ValueError
            If the file is not one of ours, is damaged, asks for much more memory than it has
            arrays, or needs a class that was not given; for a parameter that can't differ, since
            what was fitted was made by it.
        TypeError
            For what is no parameter.
        """
        cls._check_own(own)
        return cls._restore(path, *read(path, cls.__name__), own)

    @classmethod
    def _check_own(cls, own: Mapping[str, Any]) -> None:
        known = list(inspect.signature(cls).parameters)
        for name in own:
            if name not in known:
                raise TypeError(
                    f"{cls.__name__} has no parameter {name!r}: {closest_name(name, known)}"
                )
        validate_params(cls(**own))

    @classmethod
    def _restore(cls, path: Any, arrays: Any, meta: dict[str, Any], own: dict[str, Any]) -> Self:
        """What a file holds, with parameters that were given for it."""
        with own_modes(), building(sum(array.nbytes for array in arrays.values())):
            estimator, facts = cls._begun(path, meta, own)
            estimator._fitted = cls._fitted_as.recall(Memory(arrays, facts), estimator)
        return estimator

    @classmethod
    def _begun(
        cls, path: Any, meta: dict[str, Any], own: dict[str, Any]
    ) -> tuple[Self, dict[str, Any]]:
        """An estimator by the parameters of a file, not fitted, and the facts of its fit."""
        settings = cls._from_json(meta["parameters"])
        facts = cls._from_json(meta["fitted"])
        for name in cls._not_saved:
            if isinstance(settings.get(name), Unsaved):
                settings[name] = None
        needed = dict(_unsaved(settings, facts))
        cls._refuse_without_effect(own, settings, needed)
        for name, value in needed.items():
            if name not in own:
                raise ValueError(
                    f"{os.fspath(path)!r} was fitted with {name} of the class {value.name}, "
                    f"which the file does not hold. Pass it: {cls.__name__}.load(path, "
                    f"{name}=...)."
                )
        estimator = cls(**(settings | own))
        validate_params(estimator)
        resolve_device(estimator.device, or_cpu=True)
        estimator.n_features_in_ = meta["n_features"]
        if meta["feature_names"] is not None:
            estimator.feature_names_in_ = np.array(meta["feature_names"], dtype=object)
        return estimator, facts

    @staticmethod
    def _left_open(meta: Any) -> set[str]:
        """Parameters and parts of a sound file that it does not hold."""
        nodes = [*meta["parameters"].items(), *meta["fitted"]["parts"]["dict"].items()]
        return {name for name, node in nodes if isinstance(node, dict) and "unsaved" in node}

    @classmethod
    def _check_goes_on(
        cls, path: Any, meta: Any, own: dict[str, Any], begun: bool, may_differ: Set[str]
    ) -> None:
        """Refuse a file of a fit that has ended, and parameters that can't change on the way."""
        if not begun:
            raise ValueError(
                f"{os.fspath(path)!r} is no checkpoint: it holds a fit that has ended. Use "
                f"{cls.__name__}.load(path)."
            )
        changed = own.keys() - may_differ - cls._left_open(meta)
        if changed:
            raise ValueError(
                f"{', '.join(sorted(changed))} can't change on the way: the fit goes on as it was "
                "begun. Leave it out."
            )

    @classmethod
    def _refuse_without_effect(cls, own: dict, settings: dict, needed: Mapping[str, Any]) -> None:
        """Refuse parameters that would only pretend to be those of what was fitted."""
        for name in sorted(cls._made_by_fit & own.keys() - needed.keys()):
            kept = settings.get(name)
            if cls._to_json({name: own[name]}) != cls._to_json({name: kept}):
                raise ValueError(
                    f"{name}={own[name]!r} can have no effect on what was fitted with "
                    f"{name}={kept!r}. Leave it out; for another fit, use "
                    f"{cls.__name__}.load(path).set_params({name}=...).fit(...)."
                )

    @classmethod
    def _to_json(cls, values: dict[str, Any]) -> dict[str, Any]:
        return {name: to_json(value, cls._registries) for name, value in values.items()}

    @classmethod
    def _from_json(cls, nodes: dict[str, Any]) -> dict[str, Any]:
        return {name: from_json(node, cls._registries) for name, node in nodes.items()}


def _unsaved(settings: dict[str, Any], facts: dict[str, Any]) -> Iterator[tuple[str, Unsaved]]:
    """Parameters and fitted parts that a file does not hold, by name."""
    for values in (settings, facts.get("parts", {})):
        require(isinstance(values, dict), "its parts have no names")
        yield from ((k, v) for k, v in values.items() if isinstance(v, Unsaved))

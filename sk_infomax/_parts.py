"""Parts of the method as settings objects, given by name, by class or as they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from numbers import Integral
from typing import Any, ClassVar, NamedTuple, Self

from sklearn.base import clone

from ._bases import BaseEstimator
from ._checks import closest_name, validate_params
from ._state import Unsaved, memory_of_machine, require, within

__all__ = [
    "Auto",
    "Family",
    "NamedParts",
    "Part",
    "checked_part",
    "no_larger_than_memory",
    "resolve_part",
]

_LARGE = 2**16  # a setting from which the size of a network is looked at before (a rule)


class Part(BaseEstimator):
    """The settings of a part of the method; a subclass says what is made of them.

    A subclass that is entered in the registry of its family is known by its name everywhere:
    where parameters are checked, fitted, saved and loaded, and in the documents.
    """

    _parameter_constraints: dict = {}

    draws_from_torch: ClassVar[bool] = True
    """Whether what it makes may draw from the global generators, as dropout does. Members of this
    package draw from the generator they are handed; of others it is not known."""

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        if "draws_from_torch" not in vars(cls):
            cls.draws_from_torch = cls.__module__.partition(".")[0] != __package__


class Family(NamedTuple):
    """A kind of parts: the members that have names, and what all of them are.

    Parameters
    ----------
    registry : mapping of str to type
        Members by name.
    base : type
        The class that members inherit from.
    """

    registry: Mapping[str, type]
    base: type


def no_larger_than_memory(settings: Mapping[str, Any]) -> AbstractContextManager[None]:
    """Refuse, inside, a network that this machine can't hold.

    Looked at where a setting, or one of a part among the settings, is so large that it may be.
    """
    name, largest = max(_sizes_of(settings), key=lambda pair: pair[1], default=("", 0))
    if largest <= _LARGE:
        return nullcontext()
    memory = memory_of_machine()
    return within(
        memory,
        f"{name}={largest} asks for a network of more than the {memory / 2**30:.0f} GiB of "
        f"memory of this machine, or of more layers than can be built. Lower {name}.",
    )


def _sizes_of(settings: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    """Whole numbers among settings, and in lists of them, by name."""
    for name, value in settings.items():
        if isinstance(value, Part):
            yield from _sizes_of(value.get_params())
        for size in value if isinstance(value, list | tuple) else (value,):
            if isinstance(size, Integral) and not isinstance(size, bool):
                yield name, int(size)


def resolve_part(value: Any, registry: Mapping[str, type], family: type, parameter: str) -> Any:
    """Turn a registry name, a class or an instance into a checked instance of our own.

    Raises
    ------
    ValueError
        For an unknown name (with the nearest one) and for settings out of range.
    TypeError
        For anything that is no member of the family.
    """
    if isinstance(value, str):
        if value not in registry:
            raise ValueError(f"{parameter}={value!r} is unknown: {closest_name(value, registry)}")
        value = registry[value]
    part = value() if isinstance(value, type) and issubclass(value, family) else value
    if not isinstance(part, family):
        raise TypeError(
            f"{parameter}={value!r} must be one of {', '.join(map(repr, registry))} or an "
            f"instance of a {family.__name__}."
        )
    part = clone(part)
    validate_params(part)
    return part


def checked_part(name: str, part: Any, estimator: NamedParts) -> Any:
    """A part that a file holds, checked; one that it does not hold is the estimator's.

    Raises
    ------
    ValueError
        For what is no member of the family of that name, and for settings out of range.
    """
    require(name in estimator._families, f"it has a part {name!r}")
    if isinstance(part, Unsaved):
        return estimator._part(name)
    require(isinstance(part, estimator._families[name].base), f"its {name} is {part!r}")
    validate_params(part)
    return part


class Auto(BaseEstimator):
    """Stands for "auto" with settings of what it will be, once the data is known.

    Parameters
    ----------
    **settings : object
        Parameters of the part that "auto" will choose.
    """

    def __init__(self, **settings):
        self.settings = settings

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The settings.

        Parameters
        ----------
        deep : bool, default=True
            Without effect.

        Returns
        -------
        dict of str to object
            By name.
        """
        return dict(self.settings)

    def set_params(self, **params) -> Auto:
        """Set or replace some of the settings.

        Parameters
        ----------
        **params : object
            Settings by name; they are checked when the part is chosen.

        Returns
        -------
        self : Auto
            With the settings.
        """
        self.settings = self.settings | params
        return self


class NamedParts(BaseEstimator):
    """An estimator whose parts may be given by name and be reached by nested parameters."""

    _families: ClassVar[dict[str, Family]]
    """For each parameter that is a part, its family."""

    def set_params(self, **params: Any) -> Self:
        """Set parameters, those of parts with the part's name and two underscores in front.

        A part that was given by its name becomes its settings object where one of its settings
        is set, so that ``critic__units=8`` needs nothing else.

        Parameters
        ----------
        **params : object
            Parameters by name.

        Returns
        -------
        self : object
            With the parameters.

        Raises
        ------
        ValueError
            For a name that is no parameter, or a setting of a part that is None.
        """
        nested = {name: value for name, value in params.items() if "__" in name}
        super().set_params(**{k: v for k, v in params.items() if k not in nested})
        for part in {name.partition("__")[0] for name in nested} & self._families.keys():
            setattr(self, part, self._with_settings(part))
        return super().set_params(**nested)

    def _part(self, parameter: str) -> Any:
        """The part that a parameter names, as a checked instance of our own; None stays None."""
        value = getattr(self, parameter)
        return None if value is None else resolve_part(value, *self._families[parameter], parameter)

    def _with_settings(self, parameter: str) -> Any:
        """What has settings to set in the place of a name, a class or a module."""
        value = getattr(self, parameter)
        if isinstance(value, str) and value == "auto":
            return Auto()
        if value is None:
            raise ValueError(
                f"{parameter} is None and has no settings. Choose one too, for example "
                f"{parameter}={next(iter(self._families[parameter].registry))!r}."
            )
        return value if isinstance(value, Part | Auto) else self._part(parameter)

"""Estimators made of options, and read from files."""

from __future__ import annotations

import ast
import inspect
from typing import Any

import click
import numpy as np

from ._samples import Samples
from ._voice import Failed

__all__ = ["KINDS", "estimator_of", "for_kind", "load_model"]

KINDS = {"images": "image", "series": "series", "table": "table"}  # of --kind, as encoders say it
_WORDS = {"true": True, "false": False, "none": None, "null": None}  # besides Python's own literals
_NOT_HERE = ("callbacks", "verbose", "warm_start")  # parameters without meaning for one command


def estimator_of(options: dict[str, Any], settings: tuple[str, ...], verbose: int) -> Any:
    """A `DeepInfoMaxTransformer` with what options, and ``--set name=value``, say.

    Raises
    ------
    click.UsageError
        For parameters that are unknown, set twice or out of range.
    """
    from .._checks import validate_params
    from .._settings import settle_part, settle_setup
    from ..deep_infomax import DeepInfoMaxTransformer

    given = {name: value for name, value in options.items() if value is not None}
    for setting in settings:
        name, value = _parsed(setting)
        if name in given:
            raise click.UsageError(f"--set {setting}: {name} is set already.")
        given[name] = value
    try:
        estimator = DeepInfoMaxTransformer(verbose=verbose).set_params(**given)
        validate_params(estimator)
        settle_setup(estimator)
        for part in ("critic", "bound", "prior", "context", "occlusion"):
            settle_part(estimator, part)
        for part in ("encoder", "augmentation"):
            if isinstance(getattr(estimator, part), str) and getattr(estimator, part) != "auto":
                settle_part(estimator, part)
    except (ValueError, TypeError) as error:
        raise click.UsageError(" ".join(str(error).split())) from error
    return estimator


def _parsed(setting: str) -> tuple[str, Any]:
    """Name and value of ``name=value``: numbers, tuples and words as Python and JSON write them."""
    from .._checks import closest_name
    from ..deep_infomax import DeepInfoMaxTransformer

    name, sign, text = setting.partition("=")
    if not sign or not name:
        raise click.UsageError(f"--set {setting}: give name=value, for example bound=dv.")
    parameters = set(inspect.signature(DeepInfoMaxTransformer).parameters) - {*_NOT_HERE}
    first = name.partition("__")[0]
    if first in _NOT_HERE:
        raise click.UsageError(f"--set {setting}: {first} has no meaning on a command line.")
    if first not in parameters:
        hint = closest_name(first, sorted(parameters))
        raise click.UsageError(f"--set {setting}: there is no parameter {first!r}: {hint}")
    return name, _value(text)


def _value(text: str) -> Any:
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def for_kind(estimator: Any, samples: Samples, kind: str | None) -> None:
    """Tell an estimator what samples are, where the file or the user says so and it can't see it.

    Raises
    ------
    click.UsageError
        If what was said does not fit the file, or the encoder that was chosen.
    """
    from .._parts import Auto
    from .._settings import PRESETS, kind_said

    said = None if kind is None else KINDS[kind]
    if said is not None and samples.kind not in (None, said):
        raise click.UsageError(f"--kind {kind}: {samples.source} holds {samples.kind} data.")
    said = said or samples.kind
    reads = kind_said(estimator)
    if said is None or said == reads:
        return
    if reads is not None:
        raise click.UsageError(
            f"encoder {estimator.encoder!r} reads {reads} data, and {samples.source} holds {said}."
        )
    if samples.kind == "series" and estimator.channels == "auto":
        estimator.set_params(channels="first")
    encoder = estimator.encoder
    is_open = isinstance(encoder, Auto) or (isinstance(encoder, str) and encoder == "auto")
    if is_open and _seen(estimator, samples) != said:
        own = encoder.get_params() if isinstance(encoder, Auto) else {}
        asked = PRESETS[estimator.preset].encoder.get(said, {}) | own
        estimator.set_params(encoder=said, **{f"encoder__{k}": v for k, v in asked.items()})


def _seen(estimator: Any, samples: Samples) -> str | None:
    """What an estimator takes an array for by its shape; None if it can't tell."""
    from .._layout import find_layout

    if not isinstance(samples.X, np.ndarray):
        return None
    try:
        shape = tuple(estimator.sample_shape or samples.X.shape[1:])
        return find_layout(shape, None, estimator.channels).kind
    except ValueError:
        return None


def load_model(path: str, device: str | None = None, layer: str | None = None) -> Any:
    """A fitted `DeepInfoMaxTransformer` of a file.

    Raises
    ------
    click.UsageError
        For a device or a layer that is not there.
    Failed
        If the file is missing, is none of ours or is damaged.
    """
    from .._checks import check_choice, resolve_device
    from .._fitted import OUTPUTS
    from ..deep_infomax import DeepInfoMaxTransformer

    try:
        resolve_device(device or "auto")
        check_choice("layer", layer or "auto", ("auto", *OUTPUTS))
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    own = {"device": device, "output": layer}
    try:
        given = {name: value for name, value in own.items() if value is not None}
        return DeepInfoMaxTransformer.load(path, **given)
    except FileNotFoundError as error:
        raise Failed(
            f"{path}: there is no such file. Fit a model first, or give its path."
        ) from error

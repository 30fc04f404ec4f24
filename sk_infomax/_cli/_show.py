"""``sk-infomax show``: what is in a model's file, without making anything of it."""

from __future__ import annotations

import inspect
import os
from typing import Any

import click

from ._voice import Failed, Voice, speaking

__all__ = ["show"]

_MEGA = 1e6  # bytes in a megabyte
_SHOWN = 12  # names of columns in a text (rule of thumb)


@click.command()
@click.argument("model")
@speaking
def show(model: str, voice: Voice) -> None:
    """What is in a MODEL: the kind of data, columns, parameters, epochs.

    The file is checked and read; no network is made of it, and nothing runs.
    """
    from .._state import contents

    try:
        arrays, header = contents(model)
    except FileNotFoundError as error:
        raise Failed(f"{model}: there is no such file.") from error
    parameters = {name: _value(node) for name, node in header["parameters"].items()}
    facts = {
        "model": model,
        "class": header["class"],
        "format": header["version"],
        "bytes": os.path.getsize(model),
        "n_values": sum(array.size for array in arrays.values()),
        "n_features": header["n_features"],
        "columns": header["feature_names"],
        "parameters": parameters,
    } | _of_fit(_value({"dict": header["fitted"]}))
    voice.result(facts, _text(facts))


def _value(node: Any) -> Any:
    """A node of the file as plain values: parts as a name with settings."""
    match node:
        case {"dict": dict(items)}:
            return {name: _value(one) for name, one in items.items()}
        case {"list": list(items)} | {"tuple": list(items)}:
            return [_value(one) for one in items]
        case {"class": [_, name]}:
            return name
        case {"part": [_, name], "settings": dict(settings)}:
            return {"name": name} | {key: _value(one) for key, one in settings.items()}
        case {"unsaved": name}:
            return f"{name} (not in the file)"
    return node


def _of_fit(fitted: dict[str, Any]) -> dict[str, Any]:
    """What can be told of a fit: kind and shape of samples, epochs, nats; an interval."""
    found: dict[str, Any] = {}
    layout, history = fitted.get("layout"), fitted.get("history")
    if isinstance(layout, list) and len(layout) > 1:
        found |= {"kind": layout[0], "sample_shape": layout[1]}
    if isinstance(history, list):
        found["epochs"] = len(history)
        last = history[-1] if history and isinstance(history[-1], dict) else {}
        found["nats"] = last.get("train_local_nats", last.get("train_local"))
    learned = fitted.get("learned")
    estimate = learned.get("estimate") if isinstance(learned, dict) else None
    if isinstance(estimate, list) and all(isinstance(one, float) for one in estimate[:3]):
        found |= dict(zip(("nats", "low", "high"), estimate))
    return found


def _text(facts: dict[str, Any]) -> str:
    """For people: facts, and the parameters that are not the defaults."""
    columns = facts["columns"]
    shown = "" if not columns else ", ".join(columns[:_SHOWN])
    more = "" if not columns or len(columns) <= _SHOWN else ", …"
    rows = [
        ("class", facts["class"]),
        ("file", f"format {facts['format']}, {facts['bytes'] / _MEGA:.1f} MB"),
    ]
    if "kind" in facts:
        rows.append(("samples", f"{facts['kind']}, {_tuple(facts['sample_shape'])}"))
    rows.append(("columns", f"{facts['n_features']} {shown and f'({shown}{more})'}".strip()))
    if "epochs" in facts:
        nats = facts["nats"]
        said = "" if nats is None else f", {nats:.3f} nats at the end"
        rows.append(("training", f"{facts['epochs']} epochs{said}"))
    if "low" in facts:
        ends = f"{facts['low']:.3f} to {facts['high']:.3f}"
        rows.append(("information", f"{facts['nats']:.3f} nats, interval {ends}"))
    changed = _changed(facts["class"], facts["parameters"])
    rows.append(("parameters", ", ".join(changed) or "all are the defaults"))
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name.ljust(width)}  {said}" for name, said in rows)


def _tuple(shape: Any) -> str:
    return "x".join(map(str, shape)) if isinstance(shape, list) else str(shape)


def _changed(name: str, parameters: dict[str, Any]) -> list[str]:
    """Parameters that are not the defaults, as text; of parts, their settings that are not."""
    import sk_infomax

    known = getattr(sk_infomax, name, None)
    registries = getattr(known, "_registries", {})
    found = []
    for key, value in _unlike(known, parameters).items():
        if isinstance(value, dict) and isinstance(value.get("name"), str):
            settings = {one: said for one, said in value.items() if one != "name"}
            part = registries.get(key, {}).get(value["name"])
            inside = ", ".join(f"{k}={v!r}" for k, v in _unlike(part, settings).items())
            found.append(f"{key}={value['name']}({inside})")
        else:
            found.append(f"{key}={value!r}")
    return found


def _unlike(made: Any, given: dict[str, Any]) -> dict[str, Any]:
    """What is given that a class has not by default."""
    defaults = inspect.signature(made).parameters if inspect.isclass(made) else {}
    return {k: v for k, v in given.items() if k not in defaults or defaults[k].default != v}

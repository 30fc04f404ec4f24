"""Tables of all registries, written from the registries when the documents are built."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import sk_infomax
from sk_infomax._settings import FAMILIES, OPTIMIZERS, PRESETS
from sk_infomax.datasets import TASKS
from sk_infomax.evaluation import MEASURES, PROBES

FOLDER = Path(__file__).parent / "_generated" / "registries"
MODULES = {
    "bound": "bounds",
    "critic": "critics",
    "encoder": "encoders",
    "prior": "priors",
    "context": "contexts",
    "augmentation": "views",
}
"""The public module of each parameter that is a part."""


def tables() -> dict[str, str]:
    """A table in Markdown for each registry, by the name of its file."""
    parts = {module: parts_table(FAMILIES[name].registry) for name, module in MODULES.items()}
    return parts | {
        "optimizers": table(["name", "class"], OPTIMIZERS, lambda cls: [f"`{_path(cls)}`"]),
        "presets": table(["name", "steps", "passes at most", "encoder"], PRESETS, _preset),
        "probes": table(["name", "what a validation set chooses from"], PROBES, _probe),
        "measures": table(["name", "what it is"], {name: name for name in MEASURES}, _measure),
        "tasks": table(["name", "nats"], TASKS, lambda task: [f"{task.mutual_information:.3f}"]),
    }


def parts_table(registry: Mapping[str, type]) -> str:
    """Name, class, summary, and parameters with defaults of each member."""
    return table(["name", "class", "what it is", "settings"], registry, _part)


def table(head: list[str], registry: Mapping[str, Any], row: Callable[[Any], list[str]]) -> str:
    """A table with a row for each member: its name in quotes, and what `row` says of it."""
    lines = [head, ["---"] * len(head)]
    lines += [[f'`"{name}"`', *row(member)] for name, member in registry.items()]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def write(*_: Any) -> None:
    """Write all tables, each to its file; a file that is up to date stays as it is."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in tables().items():
        path = FOLDER / f"{name}.md"
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def public_modules() -> Iterator[str]:
    """Names of the public modules of the package, without that of the package in front."""
    for path in sorted(Path(sk_infomax.__file__).parent.iterdir()):
        if not path.name.startswith("_") and (
            path.suffix == ".py" or (path / "__init__.py").exists()
        ):
            yield path.stem


def _part(cls: type) -> list[str]:
    parameters = inspect.signature(cls).parameters.values()
    settings = ", ".join(f"`{p.name}={p.default!r}`" for p in parameters)
    return [_link(cls), _summary(cls), settings]


def _preset(preset: Any) -> list[str]:
    settings = [
        f"`{name}={value}` for {kind}s"
        for kind, parameters in preset.encoder.items()
        for name, value in parameters.items()
    ]
    return [f"{preset.steps:,}", str(preset.max_epochs), ", ".join(settings) or "its defaults"]


def _probe(probe: Any) -> list[str]:
    _, settings = probe
    return [", ".join(f"{value:g}" for value in settings)]


def _measure(name: str) -> list[str]:
    """The summary of the function of that name; a measure that is part of another has none."""
    function = getattr(importlib.import_module("sk_infomax.evaluation"), name, None)
    return [_summary(function) if function else "MS-SSIM of what `reconstruction` decodes"]


def _path(cls: type) -> str:
    """Where a class of torch is imported from."""
    return f"torch.optim.{cls.__name__}"


def _link(cls: type) -> str:
    """A link to the page of a class: under the package if it is exported there."""
    name = cls.__name__
    module = "sk_infomax" if name in sk_infomax.__all__ else ".".join(cls.__module__.split(".")[:2])
    return f"{{py:obj}}`{name} <{module}.{name}>`"


def _summary(member: Any) -> str:
    return inspect.getdoc(member).splitlines()[0].rstrip(".").replace("|", "\\|")

"""Versions of what is installed, for reports of faults."""

from __future__ import annotations

import platform
import sys
from importlib.metadata import PackageNotFoundError, version

import torch

__all__ = ["show_versions"]

_PACKAGES = (
    "sk_infomax",
    "scikit-learn",
    "torch",
    "skorch",
    "numpy",
    "scipy",
    "narwhals",
    "safetensors",
    "tqdm",
    "pandas",
    "polars",
    "pyarrow",
    "matplotlib",
    "pillow",
    "onnx",
    "onnxscript",
    "onnxruntime",
)


def show_versions() -> None:
    """Print versions of Python, of packages and of what torch computes with, for a report.

    See Also
    --------
    sklearn.show_versions : The same of scikit-learn, with the libraries of its threads.

    Examples
    --------
    >>> from sk_infomax import show_versions
    >>> show_versions()  # doctest: +ELLIPSIS
    <BLANKLINE>
    System:
    ...
    """
    for title, facts in (("System", _system()), ("Packages", _packages()), ("torch", _devices())):
        print(f"\n{title}:")
        width = max(map(len, facts))
        for name, value in facts.items():
            print(f"{name:>{width}}: {value}")


def _system() -> dict[str, str]:
    return {
        "python": sys.version.replace("\n", " "),
        "executable": sys.executable,
        "machine": platform.platform(),
    }


def _packages() -> dict[str, str | None]:
    """Version of each package from its metadata, which imports none; None of what is missing."""
    found: dict[str, str | None] = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return found


def _devices() -> dict[str, str]:
    """What torch computes with."""
    cards = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return {
        "threads": str(torch.get_num_threads()),
        "CUDA": str(torch.version.cuda),
        "devices": ", ".join(["cpu", *cards]),
    }

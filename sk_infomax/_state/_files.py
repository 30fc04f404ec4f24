"""The format: one safetensors file, whose metadata is JSON, with a checksum of everything.

Version 1 had no checksums. Version 2 has that of the JSON beside it, and those of the arrays in
it; later readers read both.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from ._arrays import digest, finite
from ._facts import fact, require
from ._replacing import replacing

__all__ = ["FORMAT", "VERSION", "contents", "read", "seal", "write"]

FORMAT = "sk_infomax"
VERSION = 2  # of the file; raised when what it holds changes its meaning
_CHECKSUM = "sha256"
_UNREADABLE = (
    SafetensorError,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    OverflowError,
    RecursionError,
)
_TYPES: dict[str, tuple[type, ...]] = {
    "class": (str,),
    "parameters": (dict,),
    "fitted": (dict,),
    "n_features": (int,),
    "feature_names": (list, type(None)),
}


def write(
    path: str | os.PathLike[str], arrays: Mapping[str, np.ndarray], meta: Mapping[str, Any]
) -> None:
    """Write arrays and JSON metadata as one safetensors file, as a whole or not at all."""
    ordered = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    header = {"format": FORMAT, "version": VERSION} | dict(meta)
    replacing(path, save(ordered, metadata=seal(ordered, header)))


def seal(arrays: Mapping[str, np.ndarray], header: Mapping[str, Any]) -> dict[str, str]:
    """What stands beside arrays in a file: the header with their checksums, and its own.

    Arrays that are not finite on purpose, as masks of a user's network, are named.
    """
    sums = {name: digest(array) for name, array in arrays.items()}
    infinite = [name for name, array in arrays.items() if not finite(array)]
    text = json.dumps(dict(header) | {"arrays": sums, "infinite": infinite})
    return {FORMAT: text, _CHECKSUM: _of_text(text)}


def read(
    path: str | os.PathLike[str], class_name: str
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Read what `write` wrote for a class.

    Raises
    ------
    OSError
        Python's own, for a missing file, a folder, or one that may not be read.
    ValueError
        If the file is not one of ours, is damaged, of another class, or of a newer version.
    """
    arrays, header = contents(path)
    if header["class"] != class_name:
        raise ValueError(
            f"{os.fspath(path)!r} holds a {header['class'][:80]}; load it with that class, not "
            f"with {class_name}."
        )
    return arrays, header


def contents(path: str | os.PathLike[str]) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Arrays and JSON of a file of whatever class; nothing is made of them.

    Raises
    ------
    OSError
        Python's own, for a missing file, a folder, or one that may not be read.
    ValueError
        If the file is not one of ours, is damaged, or of a newer version.
    """
    with open(path, "rb"):
        pass
    try:
        with safe_open(str(Path(path)), framework="numpy") as file:
            sealed = dict(file.metadata() or {})
            header = json.loads(sealed[FORMAT])
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except _UNREADABLE as error:
        raise ValueError(f"{os.fspath(path)!r} is no file that sk_infomax saved.") from error
    _check_version(path, header)
    intact = header["version"] == 1 or _of_text(sealed[FORMAT]) == sealed.get(_CHECKSUM)
    require(intact, "the checksum of its metadata differs")
    _check(header, arrays)
    return arrays, header


def _check_version(path: Any, header: Any) -> None:
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise ValueError(f"{os.fspath(path)!r} is no file that sk_infomax saved.")
    version = header.get("version")
    if type(version) is not int or not 1 <= version <= VERSION:
        raise ValueError(
            f"{os.fspath(path)!r} has format version {str(version)[:80]}; this release reads "
            f"versions 1 to {VERSION}. Upgrade sk_infomax."
        )


def _check(header: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
    """Types of what every file says, checksums of arrays, and that they are finite."""
    for name, types in _TYPES.items():
        fact(header, name, *types)
    names, n = header["feature_names"], header["n_features"]
    require(n > 0, f"it says that there are {n} features")
    if names is not None:
        require(all(type(one) is str for one in names), "its feature_names are no text")
        require(len(names) == n, f"it has {len(names)} feature_names for {n} features")
    infinite = []
    if header["version"] > 1:
        sums, infinite = fact(header, "arrays", dict), fact(header, "infinite", list)
        require(sums.keys() == arrays.keys(), "arrays are missing or new")
        for name, array in arrays.items():
            require(digest(array) == sums[name], f"the checksum of its array {name} differs")
    for name, array in arrays.items():
        require(name in infinite or finite(array), f"its array {name} is not finite throughout")


def _of_text(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()

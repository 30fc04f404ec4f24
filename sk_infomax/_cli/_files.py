"""Files that commands write: checked before any work, whole or not there, never over others."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

import click
import numpy as np

from ._samples import Samples, import_pandas
from ._voice import Failed

__all__ = ["FEATURES", "FIGURES", "MODEL", "TABLES", "check_output", "output", "write_features"]

MODEL = (".safetensors",)
FEATURES = (".npy", ".npz", ".csv", ".parquet")
TABLES = (".csv", ".parquet")
FIGURES = (".png", ".svg", ".pdf")


def output(endings: Sequence[str], what: str, required: bool = True) -> Any:
    """The options ``-o`` and ``--force`` of a command that writes a file."""

    def decorate(function: Any) -> Any:
        force = click.option("--force", is_flag=True, help="Write over a file that is there.")
        where = click.option(
            *("-o", "--output", "path"),
            metavar="FILE",
            required=required,
            help=f"{what}: {', '.join(endings)}.",
        )
        return where(force(function))

    return decorate


def check_output(
    path: str, endings: Sequence[str], force: bool, *inputs: str, option: str = "-o"
) -> None:
    """Refuse, before any work, a file that could not or should not be written.

    Raises
    ------
    click.UsageError
        For an ending that is none of these.
    Failed
        For a file that is there, a folder that is missing or may not be written, or an input.
    """
    target = Path(path)
    if target.suffix.lower() not in endings:
        raise click.UsageError(f"{option} {path!r} must end in {' or '.join(endings)}.")
    if any(target.exists() and Path(i).exists() and target.samefile(i) for i in inputs):
        raise Failed(f"{path}: it is read by this command. Give another file to write.")
    if target.is_dir():
        raise Failed(f"{path}: it is a folder. Give a file.")
    if target.exists() and not force:
        raise Failed(f"{path}: it is there already. Say --force to write over it.")
    folder = target.parent
    if not folder.is_dir():
        raise Failed(f"{path}: there is no folder {str(folder)!r}. Make it, or give another.")
    if not os.access(folder, os.W_OK):
        raise Failed(f"{path}: the folder {str(folder)!r} may not be written. Give another.")


def write_features(path: str, features: np.ndarray, names: Sequence[str], samples: Samples) -> None:
    """Write features (n, d) beside the names and labels of samples, where the format has them."""
    from .._state import replacing

    ending = Path(path).suffix.lower()
    beside = {samples.id_name: samples.ids, samples.label_name: samples.labels}
    beside = {name: values for name, values in beside.items() if values is not None}
    taken = [name for name in beside if name in ("features", *names)]
    if taken:
        raise Failed(f"{samples.source}: {taken[0]!r} is the name of features too. Rename it.")

    def write(file: BinaryIO) -> None:
        if ending == ".npy":
            np.save(file, features, allow_pickle=False)
        elif ending == ".npz":
            plain = {name: _without_objects(values) for name, values in beside.items()}
            _write_npz(file, {"features": features} | plain)
        else:
            write_table(file, ending, beside | dict(zip(names, features.T)))

    replacing(path, write)


def write_table(file: BinaryIO, ending: str, columns: dict[str, Any]) -> None:
    """Write columns as ``.csv`` or ``.parquet``."""
    frame = import_pandas().DataFrame(columns)
    if ending == ".csv":
        frame.to_csv(file, index=False)
        return
    try:
        frame.to_parquet(file, index=False)
    except ImportError as error:
        raise Failed('.parquet needs pyarrow: pip install "sk_infomax[cli]"') from error


def _write_npz(file: BinaryIO, arrays: dict[str, np.ndarray]) -> None:
    """Write arrays of any names, such as "file", which `numpy.savez` takes for its own."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as inside:
                np.lib.format.write_array(inside, np.asanyarray(array), allow_pickle=False)


def _without_objects(values: np.ndarray) -> np.ndarray:
    """Values that a ``.npz`` holds without a pickle: objects as text."""
    return values.astype(str) if values.dtype == object else values

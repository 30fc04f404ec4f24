"""Data of any kind that is known by its name: folders of pictures, arrays, tables, series."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import numpy as np

from ._arrays import read_npy, read_npz
from ._asked import Asked
from ._samples import Samples, as_frame, column_names
from ._series import read_ts
from ._tables import read_parquet_table, read_text_table
from ._voice import Failed, Voice, about

__all__ = ["READERS", "read_data", "read_for"]

READERS: dict[str, Callable[[Path, Asked], Samples]] = {
    ".npy": read_npy,
    ".npz": read_npz,
    ".csv": read_text_table,
    ".tsv": read_text_table,
    ".parquet": read_parquet_table,
    ".ts": read_ts,
}
SIZE = 64  # pixels of a side, as in Tiny ImageNet (rule of thumb)
_OPTIONS_OF = {"with broken='skip'": "with --skip-broken"}
_OPTIONS_OF |= {", or read all without labels with classes=False": ""}
_FOLDER = "a folder of pictures, whose files name samples and whose folders are labels"
_SHOWN = 12  # names that an error lists (rule of thumb)


def read_data(data: str, asked: Asked, classes: bool = False, model: Any = None) -> Samples:
    """Samples of a file or folder.

    Parameters
    ----------
    data : str
        Path.
    asked : Asked
        How to read it.
    classes : bool, default=False
        Whether folders of pictures are their labels.
    model : DeepInfoMaxTransformer or None, default=None
        Fitted; says how large pictures are, and whether grey.

    Raises
    ------
    Failed
        If it is missing, of an unknown kind, empty or damaged.
    """
    path = Path(data)
    if not path.exists():
        raise Failed(f"{data}: there is no such file or folder.")
    with about(data):
        if path.is_dir():
            return _read_folder(path, asked, classes, model)
        reader = READERS.get(path.suffix.lower())
        if reader is None:
            raise Failed(
                f"{data}: files that end in {path.suffix or 'nothing'!r} are not read. Give a "
                f"folder of pictures, or one of {', '.join(READERS)}."
            )
        return reader(path, asked)


def _read_folder(path: Path, asked: Asked, classes: bool, model: Any) -> Samples:
    from .._checks import say
    from ..datasets import load_image_folder
    from ..exceptions import DataWarning

    asked.only(_FOLDER, "size", "grey", "skip_broken", "jobs")
    size, mode = (asked.size or SIZE, "L" if asked.grey else "RGB")
    if model is not None:
        size, mode = _of_model(path, asked, model)
    broken = "skip" if asked.skip_broken else "raise"
    try:
        found = load_image_folder(
            path, size, mode=mode, classes=classes, n_jobs=asked.jobs, broken=broken
        )
    except ValueError as error:
        raise Failed(_in_options(str(error))) from error
    if found.broken:
        say([f"Left out, as they cannot be read: {', '.join(found.broken)}."], DataWarning)
    names = np.array(found.target_names)
    labels = names[found.target] if len(names) else None
    return Samples(str(path), found.images, "image", found.filenames, labels, "file", "class")


def _in_options(text: str) -> str:
    """What the reader of folders says, with options in the place of its arguments."""
    for argument, option in _OPTIONS_OF.items():
        text = text.replace(argument, option)
    return text


def _of_model(path: Path, asked: Asked, model: Any) -> tuple[int, str]:
    """Size and mode of the pictures that a model has seen."""
    shape = model.layout_.shape
    mode = {(): "L", (3,): "RGB"}.get(shape[2:])
    if model.layout_.kind != "image" or mode is None or shape[0] != shape[1]:
        raise Failed(
            f"{path}: it is a folder of pictures, but the model was fitted to "
            f"{model.layout_.kind} data of the shape {shape}."
        )
    if asked.size not in (None, shape[0]):
        raise click.UsageError(
            f"--size {asked.size} is not the size of the model's pictures, {shape[0]}."
        )
    if asked.grey and mode != "L":
        raise click.UsageError(
            "--grey: the model was fitted to pictures with colours. Leave it out."
        )
    return shape[0], mode


def read_for(model: Any, data: str, asked: Asked, voice: Voice, classes: bool = False) -> Samples:
    """Samples for a fitted model: of a table, the columns that the model knows.

    Raises
    ------
    Failed
        If columns are missing, beside what `read_data` refuses.
    """
    samples = read_data(data, asked, classes, model)
    known = getattr(model, "feature_names_in_", None)
    if known is None:
        return samples
    samples = as_frame(samples)
    names = column_names(samples.X)
    missing = [name for name in known if name not in names]
    if missing:
        raise Failed(
            f"{samples.source}: the model was fitted with {len(missing)} column(s) that it lacks: "
            f"{', '.join(missing[:_SHOWN])}. It has {', '.join(names[:_SHOWN])}."
        )
    others = [name for name in names if name not in known]
    if others:
        voice.note(f"Left out, as the model does not know them: {', '.join(others)}.")
    return replace(samples, X=samples.X[list(known)])

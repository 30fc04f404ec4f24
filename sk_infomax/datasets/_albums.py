"""Many pictures as one array: read by several processes, kept in a file if asked.

The file is a plain ``.npy`` that is mapped, not read. A ``.json`` beside it says what it was made
of; where that is no longer so, both are made anew.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from joblib import Parallel, delayed, effective_n_jobs

from ._pictures import CHANNELS_OF, import_pillow, read_picture

__all__ = ["Album", "Broken"]

_GO = 64  # pictures a process reads in one go: some tenths of a second of work (rule of thumb)
_START = 10.0  # seconds until processes have imported what they need (measured, two busy cores)
_GOES = 16  # goes of each process before their rows are stored (rule of thumb)
_SHOWN = 10  # broken files that an error names
_FORMAT = 2  # of what is kept; a new number makes old files out of date

Broken = dict[str, str]  # names of files, and why they cannot be read


@dataclass(frozen=True)
class Album:
    """Pictures that become one array.

    Parameters
    ----------
    folder : Path
        Where the files lie.
    names : sequence of str
        Their paths in the folder.
    size : int
        Side of the images, in pixels.
    mode : {"RGB", "L"}
        Red, green and blue, or grey levels.
    remedy : str
        What to do about broken files.
    skip : bool, default=False
        Leave broken files out instead of raising.
    n_jobs : int or None, default=None
        Processes, as joblib counts them; they start where one would take longer than they to start.
    resize : str, default="crop"
        One of `RESIZES`.
    """

    folder: Path
    names: Sequence[str]
    size: int
    mode: str
    remedy: str
    skip: bool = False
    n_jobs: int | None = None
    resize: str = "crop"

    def read(self, cache: str | PathLike[str] | None = None) -> tuple[np.ndarray, Broken]:
        """Images, and why those that are left out could not be read.

        Parameters
        ----------
        cache : str, path-like or None, default=None
            A file ``.npy`` to keep the images in, and to take them from.

        Returns
        -------
        images : ndarray of shape (n, size, size, 3) or (n, size, size)
            uint8; a read-only map of the file with a cache.
        broken : dict of str to str
            Names and reasons.

        Raises
        ------
        ValueError
            If files are broken and not skipped, or the cache is a file of something else.
        ImportError
            If Pillow is not installed.
        """
        if cache is None:
            return self._fill(np.empty(self._shape, np.uint8))
        kept = Path(cache)
        if kept.suffix != ".npy":
            raise ValueError(f"cache={str(cache)!r}: its name must end in .npy.")
        note, made_of = kept.with_name(f"{kept.name}.json"), self._made_of()
        broken = _still_true(kept, note, made_of)
        if broken is None:
            broken = self._keep(kept, note, made_of)
        self._check(broken)
        return np.load(kept, mmap_mode="r"), broken

    @property
    def _shape(self) -> tuple[int, ...]:
        return (len(self.names), self.size, self.size, *CHANNELS_OF[self.mode])

    def _fill(self, images: np.ndarray) -> tuple[np.ndarray, Broken]:
        """Write the pictures into rows from the first on; give those written."""
        n_read, broken = 0, {}
        for rows, reasons in self._in_rounds():
            images[n_read : n_read + len(rows)] = rows
            n_read += len(rows)
            broken.update(reasons)
        self._check(broken)
        return images[:n_read], broken

    def _in_rounds(self) -> Iterator[tuple[np.ndarray, Broken]]:
        """What is read, in the order of the names; few goes are held at a time.

        The first go is read alone and timed: processes start only if the others take longer.
        """
        import_pillow(self.names[0])
        recipe, start = (self.folder, self.size, self.mode, self.resize), time.perf_counter()
        first = _read_some(self.names[:_GO], *recipe)
        goes = [self.names[place : place + _GO] for place in range(_GO, len(self.names), _GO)]
        ahead = len(goes) * (time.perf_counter() - start)
        yield first
        n_jobs = self.n_jobs if ahead > _START else 1
        at_once = _GOES * effective_n_jobs(n_jobs)
        with Parallel(n_jobs=n_jobs) as pool:
            for place in range(0, len(goes), at_once):
                part = goes[place : place + at_once]
                yield from pool(delayed(_read_some)(go, *recipe) for go in part)

    def _check(self, broken: Broken) -> None:
        """Name the broken files, unless they are to be skipped and others are left."""
        if not broken or (self.skip and len(broken) < len(self.names)):
            return
        lines = [f"  {name} ({reason})" for name, reason in list(broken.items())[:_SHOWN]]
        if len(broken) > _SHOWN:
            lines.append(f"  and {len(broken) - _SHOWN} more")
        listing = "\n".join(lines)
        raise ValueError(
            f"{len(broken)} of {len(self.names)} pictures in {str(self.folder)!r} cannot be read:\n"
            f"{listing}\n{self.remedy}"
        )

    def _made_of(self) -> dict[str, Any]:
        """What kept images depend on: how and from which files, with sizes and times."""
        digest = hashlib.sha256()
        for name in self.names:
            state = (self.folder / name).stat()
            digest.update(f"{name}\0{state.st_size}\0{state.st_mtime_ns}\n".encode())
        files = {"n_files": len(self.names), "sha256": digest.hexdigest()}
        return {
            "format": _FORMAT,
            "size": self.size,
            "mode": self.mode,
            "resize": self.resize,
            **files,
        }

    def _keep(self, kept: Path, note: Path, made_of: dict[str, Any]) -> Broken:
        """Make both files; a run that is cut off leaves no half of them under their names."""
        kept.parent.mkdir(parents=True, exist_ok=True)
        draft, shorter = (kept.with_name(f"{kept.name}.{os.getpid()}-{n}") for n in (1, 2))
        try:
            images, broken = self._fill(_new_map(draft, self._shape))
            if broken:  # the rows that were meant for them are cut off
                _new_map(shorter, images.shape)[:] = images
                shorter.replace(draft)
            del images
            note.unlink(missing_ok=True)
            draft.replace(kept)
            content = {"made_of": made_of, "broken": broken}
            note.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        finally:
            draft.unlink(missing_ok=True)
            shorter.unlink(missing_ok=True)
        return broken


def _new_map(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    """A new file ``.npy`` of uint8, mapped."""
    return np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape)


def _read_some(
    names: Sequence[str], folder: Path, size: int, mode: str, resize: str
) -> tuple[np.ndarray, Broken]:
    """Images (n, size, size, ...) of the files that can be read, and why the others cannot."""
    images, broken = [], {}
    for name in names:
        try:
            images.append(read_picture(folder / name, size, mode, resize))
        except MemoryError:
            raise
        except Exception as error:  # damaged bytes make a decoder fail in any way
            broken[name] = f"{type(error).__name__}: {error}".replace(f"{folder}/", "")
    return np.array(images, np.uint8).reshape(-1, size, size, *CHANNELS_OF[mode]), broken


def _still_true(kept: Path, note: Path, made_of: dict[str, Any]) -> Broken | None:
    """Files that the kept images leave out; None if the images are to be made anew."""
    if not kept.is_file():
        return None
    try:
        content = json.loads(note.read_text(encoding="utf-8"))
        found, broken = content["made_of"], content["broken"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{str(kept)!r} is there already, and no {note.name} beside it says that it holds "
            "pictures read before: it is not overwritten. Delete it, or give another cache."
        ) from error
    return (
        broken if found == made_of and _n_images(kept) == made_of["n_files"] - len(broken) else None
    )


def _n_images(kept: Path) -> int:
    """How many images a kept file holds; -1 if it is damaged."""
    try:
        return len(np.load(kept, mmap_mode="r"))
    except (OSError, ValueError, EOFError):
        return -1

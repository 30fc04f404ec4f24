"""Any folder of pictures, with a sub-folder for each class or none."""

from __future__ import annotations

import os
from collections.abc import Iterator
from os import PathLike
from pathlib import Path

import numpy as np

from ._albums import Album
from ._files import UNLABELLED, Loaded, as_loaded
from ._pictures import CHANNELS_OF, RESIZES

__all__ = ["load_image_folder"]

_ENDINGS = frozenset(
    [".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"]
)  # formats that every build of Pillow decodes
_REMEDY = "Copy or download them again, or leave them out with broken='skip'."


def load_image_folder(
    folder: str | PathLike[str],
    size: int,
    *,
    mode: str = "RGB",
    resize: str = "crop",
    classes: bool = True,
    n_jobs: int | None = None,
    cache: str | PathLike[str] | None = None,
    broken: str = "raise",
    return_X_y: bool = False,
) -> Loaded:
    """Load a folder of pictures of any sizes and modes as one array.

    Pictures are turned upright as their EXIF data say and brought to a square. Of several frames
    the first is taken. What is transparent is white.

    Parameters
    ----------
    folder : str or path-like
        Folder with a sub-folder of pictures for each class, however deep they lie in it, or with
        pictures alone. Names that begin with a dot are passed over.
    size : int
        Side of the images, in pixels.
    mode : {"RGB", "L"}, default="RGB"
        Red, green and blue, or grey levels.
    resize : {"crop", "pad", "stretch"}, default="crop"
        "crop" brings the shorter side to `size` and cuts out the middle, "pad" brings the longer
        side to it and lets the pixels at the edges go on, "stretch" brings both sides to it.
    classes : bool, default=True
        Whether sub-folders are classes. Otherwise all pictures are read without labels.
    n_jobs : int or None, default=None
        Processes that read, as joblib counts them: -1 takes all processors. Few pictures are read
        by one, as the others take seconds to start.
    cache : str, path-like or None, default=None
        A file ``NAME.npy`` in which the images are kept and from which they are mapped into memory
        the next time, however many they are. ``NAME.npy.json`` beside it says what they were made
        of: if pictures were added, removed or changed, or another size, mode or `resize` is asked
        for, both are made anew.
    broken : {"raise", "skip"}, default="raise"
        Whether pictures that cannot be read are an error, which names them, or left out.
    return_X_y : bool, default=False
        Give ``(images, target)`` instead of a Bunch.

    Returns
    -------
    bunch : `~sklearn.utils.Bunch`
        ``images`` of shape (n, size, size, 3), or (n, size, size) for grey levels, uint8, also as
        ``data``; ``target`` of shape (n,), int64: numbers of the classes in alphabetical order, -1
        without classes; ``target_names``; ``filenames`` in the folder; ``broken``, a dict of the
        files that were left out and why; ``DESCR``.

    Raises
    ------
    FileNotFoundError
        If the folder is missing or holds no picture.
    ValueError
        If a picture is broken, pictures lie beside folders of classes, the cache is a file of
        something else, or an argument is wrong.
    ImportError
        If Pillow is not installed.

    Examples
    --------
    >>> from sk_infomax.datasets import load_image_folder
    >>> bunch = load_image_folder("flowers", 64, n_jobs=-1, cache="flowers.npy")  # doctest: +SKIP
    >>> bunch.images.shape, bunch.target_names  # doctest: +SKIP
    ((3670, 64, 64, 3), ['daisy', 'dandelion', 'roses', 'sunflowers', 'tulips'])
    """
    _check_arguments(size, mode, resize, broken)
    folder = Path(folder)
    names = _find_pictures(folder)
    labels = _classes_of(folder, names) if classes else []
    album = Album(folder, names, int(size), mode, _REMEDY, broken == "skip", n_jobs, resize)
    images, left_out = album.read(cache)
    rows = [row for row, name in enumerate(names) if name not in left_out]
    target_names, target = np.unique(labels, return_inverse=True)
    return as_loaded(
        images,
        target[rows].astype(np.int64) if labels else np.full(len(rows), UNLABELLED, np.int64),
        [str(name) for name in target_names],
        f"{len(rows)} pictures of the folder {folder.name!r}, {size}x{size}, {mode}.",
        return_X_y,
        filenames=np.array([names[row] for row in rows]),
        broken=left_out,
    )


def _check_arguments(size: int, mode: str, resize: str, broken: str) -> None:
    if isinstance(size, bool) or not isinstance(size, int | np.integer) or size < 1:
        raise ValueError(f"size={size!r}. It must be a whole number of pixels, 1 or more.")
    if mode not in CHANNELS_OF:
        raise ValueError(f"mode={mode!r}. It must be one of {', '.join(CHANNELS_OF)}.")
    if resize not in RESIZES:
        raise ValueError(f"resize={resize!r}. It must be one of {', '.join(RESIZES)}.")
    if broken not in ("raise", "skip"):
        raise ValueError(f"broken={broken!r}. It must be 'raise' or 'skip'.")


def _find_pictures(folder: Path) -> list[str]:
    """Paths in the folder, in alphabetical order."""
    if not folder.is_dir():
        raise FileNotFoundError(
            f"There is no folder {str(folder)!r}. Give one that holds pictures."
        )
    names = sorted(
        (Path(place) / file).relative_to(folder).as_posix()
        for place, files in _walk(folder)
        for file in files
        if Path(file).suffix.lower() in _ENDINGS and not file.startswith(".")
    )
    if not names:
        raise FileNotFoundError(
            f"{str(folder)!r} holds no pictures: no file in it or its sub-folders ends in "
            f"{', '.join(sorted(_ENDINGS))}."
        )
    return names


def _walk(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """Folders and their files; links to folders are followed, each folder once."""
    seen: set[str] = set()
    for place, inside, files in os.walk(folder, followlinks=True):
        inside[:] = [name for name in inside if not name.startswith(".")]
        real = os.path.realpath(place)
        if real in seen:
            inside.clear()
            continue
        seen.add(real)
        yield place, files


def _classes_of(folder: Path, names: list[str]) -> list[str]:
    """The class of each picture: the first folder on its path; nothing if none is in a folder."""
    loose = [name for name in names if "/" not in name]
    if loose and len(loose) < len(names):
        raise ValueError(
            f"{str(folder)!r} holds {len(loose)} pictures ({loose[0]}, ...) beside folders with "
            f"{len(names) - len(loose)}. Move them to the folder of their class, or read all "
            "without labels with classes=False."
        )
    return [] if loose else [name.partition("/")[0] for name in names]

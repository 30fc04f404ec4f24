"""One picture of any size and mode as an array of given size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["CHANNELS_OF", "RESIZES", "import_pillow", "read_picture"]

CHANNELS_OF: dict[str, tuple[int, ...]] = {"RGB": (3,), "L": ()}  # an image's shape past its sides
RESIZES = ("crop", "pad", "stretch")  # how a picture becomes a square
_LEVELS = 256  # of 8 bits
_LEVELS_16 = 65_536  # of 16 bits
_SPARE = 2  # a JPEG is decoded at this many times the size or more, then resized (rule of thumb)


def import_pillow(name: str, otherwise: str = "") -> Any:
    """Pillow, which is asked for only where there are pictures.

    Raises
    ------
    ImportError
        If it is not installed.
    """
    try:
        import PIL
        from PIL import Image, ImageOps  # noqa: F401  (attributes of PIL from now on)
    except ImportError as error:
        raise ImportError(
            f"Reading {name} needs Pillow: pip install pillow. {otherwise}".strip()
        ) from error
    return PIL


def read_picture(path: Path, size: int, mode: str, resize: str = "crop") -> np.ndarray:
    """One picture, upright, brought to a square.

    Parameters
    ----------
    path : Path
        A file.
    size : int
        Side of the square, in pixels.
    mode : {"RGB", "L"}
        Red, green and blue, or grey levels.
    resize : {"crop", "pad", "stretch"}, default="crop"
        The shorter side is brought to the size and the middle cut out; the longer one is, and
        the edges go on; or both are.

    Returns
    -------
    image : ndarray of shape (size, size, 3) or (size, size)
        uint8.
    """
    pillow = import_pillow(path.name)
    with pillow.Image.open(path) as picture:
        picture.draft(mode, (_SPARE * size, _SPARE * size))  # other formats pass over it
        whole = _in_mode(pillow.ImageOps.exif_transpose(picture), mode)
    square = (size, size), pillow.Image.Resampling.BICUBIC
    if resize == "crop":
        return np.asarray(pillow.ImageOps.fit(whole, *square))
    if resize == "stretch":
        return np.asarray(whole.resize(*square))
    inside = np.asarray(pillow.ImageOps.contain(whole, *square))
    missing = [size - side for side in inside.shape[:2]]
    around = [(total // 2, total - total // 2) for total in missing]
    return np.pad(inside, [*around, *[(0, 0)] * (inside.ndim - 2)], mode="edge")


def _in_mode(picture: Any, mode: str) -> Any:
    """A picture of 8 bits a channel; what is transparent is white."""
    pillow = import_pillow("a picture")
    if picture.mode.startswith(("I", "F")):
        picture = pillow.Image.fromarray(_eight_bits(np.asarray(picture)))
    if picture.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in picture.info:
        layer = picture.convert("RGBA")
        picture = pillow.Image.new("RGBA", picture.size, "white")
        picture.alpha_composite(layer)
    return picture.convert(mode)


def _eight_bits(values: np.ndarray) -> np.ndarray:
    """Grey levels of 16 bits or more as 8 bits, where Pillow would clip them.

    What says no range of its own, floats and more than 16 bits, is stretched over all levels.
    """
    low, high = values.min(), values.max()
    if values.dtype.kind == "f" or high >= _LEVELS_16 or low < 0:
        values = (values - float(low)) / (float(high) - float(low) or 1.0) * (_LEVELS - 1)
    elif values.dtype.itemsize == 2 or high >= _LEVELS:
        values = values // _LEVELS
    return values.astype(np.uint8)

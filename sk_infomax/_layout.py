"""What a sample is: a row of a table, a series or an image, and where its channels are."""

import math
from dataclasses import dataclass
from typing import Any

__all__ = ["OF_PICTURES", "Layout", "find_layout"]

OF_PICTURES = (
    " Pictures have to be of one size: sk_infomax.datasets.load_image_folder(folder, size=64) "
    "brings those of a folder to it."
)

_COLOURS = range(1, 5)  # channels that pictures have: grey, with transparency, RGB, both
_AXES = {  # where channels can be, by kind and number of axes of a sample
    ("series", 1): (None,),
    ("series", 2): (0, 1),
    ("image", 2): (None,),
    ("image", 3): (0, 2),
}
_SHOWN = 60  # characters of a damaged layout that an error shows


@dataclass(frozen=True)
class Layout:
    """What one sample is, and how an array of samples becomes the network's input.

    Attributes
    ----------
    kind : {"table", "series", "image"}
        What the sample is.
    shape : tuple of int
        Shape of a sample as the user gives it.
    channel_axis : int or None
        Position of the channels within `shape`; None where there is no such axis.
    coarse : int
        Pixels on each side of the squares whose means the network sees of an image; see
        `Encoder.coarse`.
    """

    kind: str
    shape: tuple[int, ...]
    channel_axis: int | None
    coarse: int = 1

    @classmethod
    def from_plain(cls, plain: Any) -> "Layout":
        """From kind, shape and channel axis, as a file has them.

        Raises
        ------
        ValueError
            If that is no layout.
        """
        match plain:
            case (str(kind), (int(), *_) as shape, axis) if (
                all(type(side) is int and side > 0 for side in shape)
                and type(axis) in (int, type(None))
                and axis in (_AXES.get((kind, len(shape)), ()) if kind != "table" else (None,))
            ):
                return cls(kind, tuple(shape), axis)
        raise ValueError(f"The file is damaged: {str(plain)[:_SHOWN]} is no layout of a sample.")

    @property
    def n_features(self) -> int:
        """Number of values in a sample."""
        return math.prod(self.shape)

    @property
    def said(self) -> str:
        """What a sample is, in words: "image of 28 x 28 values in 1 channel"."""
        channels, *sides = self.arranged_shape
        if self.kind == "table":
            return f"table of {channels:,} numbers in a row"
        places = " x ".join(map(str, sides))
        return f"{self.kind} of {places} values in {channels} channel{'s' * (channels != 1)}"

    @property
    def network_shape(self) -> tuple[int, ...]:
        """Shape of a sample as the network sees it: (p,), (c, t) or (c, h, w)."""
        if self.kind == "table":
            return (self.n_features,)
        channels, *sides = self.arranged_shape
        return (channels, *(side // self.coarse for side in sides))

    @property
    def arranged_shape(self) -> tuple[int, ...]:
        """Shape of a sample as `arrange` gives it, before squares are averaged."""
        if self.kind == "table":
            return (self.n_features,)
        if self.channel_axis is None:
            return (1, *self.shape)
        sides = [s for axis, s in enumerate(self.shape) if axis != self.channel_axis]
        return (self.shape[self.channel_axis], *sides)

    def arrange(self, rows: Any) -> Any:
        """Samples (n, ...) in the user's shape or flattened, as (n, *arranged_shape).

        Of arrays and of tensors, whose number of samples may be open.
        """
        n = rows.shape[0]
        samples = rows.reshape(n, *self.shape)
        if self.channel_axis is not None and self.kind != "table":
            for axis in range(1 + self.channel_axis, 1, -1):  # the others keep their order
                samples = samples.swapaxes(axis, axis - 1)
        return samples.reshape(n, *self.arranged_shape)


def find_layout(shape: tuple[int, ...], kind: str | None, channels: str) -> Layout:
    """Tell what samples of this shape are; `kind` is None where the encoder leaves it open."""
    if kind == "table" or (len(shape) == 1 and kind is None):
        return Layout("table", shape, None)
    if len(shape) == 1:
        if kind == "image":
            raise ValueError(
                f"An image encoder got rows of {shape[0]} values. Say what they are: use "
                "sample_shape, for example sample_shape=(28, 28)."
            )
        return Layout("series", shape, None)
    if len(shape) == 2:
        is_image = kind == "image" or (kind is None and shape[0] == shape[1])
        if is_image:
            return Layout("image", shape, None)
        return Layout("series", shape, 1 if channels == "last" else 0)
    if len(shape) == 3 and kind in (None, "image"):
        return Layout("image", shape, _channel_axis(shape, channels))
    raise ValueError(
        f"Samples of shape {shape} do not fit {kind or 'any'} encoder. Give (n, features), "
        "(n, channels, time), (n, time, channels) with channels='last', (n, height, width), "
        "(n, height, width, channels) or (n, channels, height, width)."
    )


def _channel_axis(shape: tuple[int, ...], channels: str) -> int:
    """Position of the channels of an image; the last where both ends could be."""
    if channels != "auto":
        return 0 if channels == "first" else 2
    first, last = shape[0] in _COLOURS, shape[2] in _COLOURS
    if first == last:
        first, last = shape[1] == shape[2], shape[0] == shape[1]
    if first == last and shape[2] not in _COLOURS:
        raise ValueError(
            f"Cannot tell which axis of images of shape {shape} holds the channels. "
            'Say channels="first" or channels="last".'
        )
    return 0 if first and not last else 2

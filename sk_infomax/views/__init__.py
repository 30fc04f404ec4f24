"""Views: random changes of whole batches that leave alone what a sample is.

An augmentation is called with a batch on the device and a generator of ours, and returns a new
batch of the same shape. Batches are standardised, so 0 is the mean of a channel or column.

=========  =============  ==========================================================
Name       Class          What it does
=========  =============  ==========================================================
table      `TableViews`   replaces entries by those of other rows
series     `SeriesViews`  takes a window, changes the magnitude, adds noise
image      `ImageViews`   crops, shifts, mirrors, changes contrast, brightness, colour
colour     `ColourViews`  jitters colours, takes them away, blurs, solarises
occlusion  `Occlusion`    hides a part; also what the parameter `occlusion` takes
=========  =============  ==========================================================

`FunctionViews` makes an augmentation of any function of samples or of batches.
"""

from ._base import Augmentation
from ._colour import ColourViews
from ._function import FunctionViews
from ._images import ImageViews
from ._occlusion import Occlusion
from ._rows import SeriesViews, TableViews

__all__ = [
    "VIEWS",
    "Augmentation",
    "ColourViews",
    "FunctionViews",
    "ImageViews",
    "Occlusion",
    "SeriesViews",
    "TableViews",
]

VIEWS: dict[str, type[Augmentation]] = {
    "table": TableViews,
    "series": SeriesViews,
    "image": ImageViews,
    "colour": ColourViews,
    "occlusion": Occlusion,
}

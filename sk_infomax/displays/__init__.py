"""Pictures of what was found, in the manner of scikit-learn's displays.

Each class is made by a class method that computes what is drawn (`from_estimator`,
`from_features`, ...), draws at once, and can draw again with `plot(ax=...)`. After drawing it has
`ax_` (for several pictures `axes_`) and `figure_`. Matplotlib is imported when something is drawn.
"""

from ._embedding import EmbeddingDisplay
from ._information import InformationDisplay, InformationMatrixDisplay
from ._labels import LabelEfficiencyDisplay
from ._local import LocalInformationDisplay
from ._neighbors import NeighborsDisplay
from ._prior import PriorDisplay
from ._training import TrainingDisplay

__all__ = [
    "EmbeddingDisplay",
    "InformationDisplay",
    "InformationMatrixDisplay",
    "LabelEfficiencyDisplay",
    "LocalInformationDisplay",
    "NeighborsDisplay",
    "PriorDisplay",
    "TrainingDisplay",
]

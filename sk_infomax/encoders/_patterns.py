"""The default encoder of series: a frozen stem, directions in closed form, and what is learned."""

from __future__ import annotations

from typing import Literal

from sklearn.base import clone
from torch import nn

from .._checks import AUTO, POSITIVE_INT
from ._base import Encoder, Views
from ._closed_form import FEW_STEPS, ClosedFormNetwork
from ._series_stem import FILTERS, SeriesStem

__all__ = ["PatternEncoder"]

# Twice as many took three times as long of 4,096 series and gained 0.5 points on one of three sets.
_MOST_DIRECTIONS = 2048
_ROWS_OF_STEPS = 128  # series that steps read: one batch, again and again (rule of thumb)


class PatternEncoder(Encoder):
    """The default for series: frozen patterns and what they do together, then closed form.

    1. A dictionary of patterns that `fit` finds by k-means at dilations 1, 2, 4, ..., random
       kernels that compete, and fixed kernels with thresholds are pooled over time [1]_ [2]_ [3]_;
       averaged products of whitened mixtures tell what happens at the same time. Nothing of it is
       learned by gradients.
    2. As many directions of these columns as there are series (at most `n_directions`) keep all
       that tells the series apart, turned so that all columns spread alike: `output="hidden"`.
    3. A convolution over time (the local map) and a linear layer learn what step 2 misses; the
       global vector is the leading directions and what is learned.

    `output="multiscale"`, the default of `transform`, is the embedding beside step 2.

    Parameters
    ----------
    n_filters : int, default=16
        Patterns of each dilation, for the values and for their differences.
    n_directions : int or "auto", default="auto"
        Directions that are kept; "auto" is as many as series, 2,048 at most.
    width : int, default=64
        Channels of the local map.

    References
    ----------
    .. [1] Dempster, Schmidt and Webb, MiniRocket: a very fast (almost) deterministic transform
       for time series classification, KDD 2021.
    .. [2] Dempster, Schmidt and Webb, Hydra: competing convolutional kernels for fast and accurate
       time series classification, Data Mining and Knowledge Discovery, 2023.
    .. [3] Coates and Ng, The importance of encoding versus training with sparse coding and vector
       quantization, ICML 2011.

    Examples
    --------
    >>> from sk_infomax import PatternEncoder
    >>> PatternEncoder().fitted_to(300, (1, 100)).n_directions
    300
    """

    _parameter_constraints: dict = {
        "n_filters": [POSITIVE_INT],
        "n_directions": [POSITIVE_INT, AUTO],
        "width": [POSITIVE_INT],
    }
    kind = "series"
    output = "multiscale"
    share_of_steps = FEW_STEPS
    most_rows = _ROWS_OF_STEPS

    def __init__(
        self,
        n_filters: int = FILTERS,
        n_directions: int | Literal["auto"] = "auto",
        width: int = 64,
    ):
        self.n_filters = n_filters
        self.n_directions = n_directions
        self.width = width

    def fitted_to(
        self, n_samples: int, shape: tuple[int, ...], views: Views | None = None
    ) -> PatternEncoder:
        """The same settings with as many directions as there are series."""
        if self.n_directions != "auto":
            return self
        return clone(self).set_params(n_directions=min(n_samples, _MOST_DIRECTIONS))

    def build(self, shape: tuple[int, ...], n_components: int) -> nn.Module:
        """Make the network for series of shape (c, t)."""
        stem = SeriesStem(shape[0], shape[1], self.n_filters)
        kept = _MOST_DIRECTIONS if self.n_directions == "auto" else int(self.n_directions)
        return ClosedFormNetwork(stem, kept, self.width, shape, n_components)

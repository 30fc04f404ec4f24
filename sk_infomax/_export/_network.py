"""The network of a fit with all that stands around it, from samples to features."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

from .._fitted import FittedFeatures, read_output
from .._layout import Layout
from .._modes import is_traced

__all__ = ["FeatureNetwork", "network_of"]


class FeatureNetwork(nn.Module):
    """Features (n, d) of samples as they are given to `transform`.

    Parameters
    ----------
    encoder : Module
        From (n, *network_shape) to an `Encoding`; nobody else's.
    layout : Layout
        What a sample is.
    mean, scale : Tensor
        Of columns or channels, as `Scaling` has them.
    output : str
        The layer that is read.
    """

    mean: Tensor
    scale: Tensor

    def __init__(
        self, encoder: nn.Module, layout: Layout, mean: Tensor, scale: Tensor, output: str
    ):
        super().__init__()
        self.encoder, self.layout, self.output = encoder, layout, output
        self.register_buffer("mean", mean)
        self.register_buffer("scale", scale)

    def forward(self, x: Tensor) -> Tensor:
        """Features (n, d) of samples (n, *shape), or of flat rows (n, n_features).

        Raises
        ------
        ValueError
            For samples of another shape, and for values that are not finite. A graph that is
            written down can't refuse values.
        """
        self._refuse(x)
        samples = (self.layout.arrange(x.to(self.mean.dtype)) - self.mean) / self.scale
        if self.layout.coarse > 1:
            samples = avg_pool2d(samples, self.layout.coarse)
        return read_output(self.encoder(samples), self.output)

    def _refuse(self, x: Tensor) -> None:
        """Refuse what are no samples of the fit's shape."""
        shape = tuple(x.shape[1:])
        if shape not in (self.layout.shape, (self.layout.n_features,)):
            raise ValueError(
                f"Samples have shape {shape}, and the fit saw {self.layout.shape}. Give samples of "
                "that shape, or each as one row of its values."
            )
        if not is_traced() and not bool(x.isfinite().all()):
            raise ValueError(
                "Samples hold values that are not finite (NaN or infinite). Fill them in before; "
                "series that end before others are read by transform alone."
            )


def network_of(fitted: FittedFeatures, output: str) -> FeatureNetwork:
    """The network of a fit, in evaluation mode on the CPU; it shares nothing with the fit."""
    _refuse_columns(fitted)
    scaling = fitted.scaling
    mean, scale = (_single(array) for array in (scaling.mean, scaling.scale))
    return FeatureNetwork(fitted.encoder(), fitted.layout, mean, scale, output).eval()


def _single(array: np.ndarray) -> Tensor:
    """A copy in float32; refuse what float32 can't hold."""
    with np.errstate(over="ignore", under="ignore"):
        single = array.astype(np.float32)
    lost = ~np.isfinite(single) | ((single == 0) & (array != 0))
    if lost.any():
        raise ValueError(
            f"The fit saw columns or channels whose mean or deviation is {array[lost][0]:.3g}, "
            "which float32 can't hold. Bring X to another unit before fit."
        )
    return torch.from_numpy(single)


def _refuse_columns(fitted: FittedFeatures) -> None:
    """Refuse fits whose samples become numbers outside of the network."""
    columns: Any = fitted.columns
    if columns is not None:
        raise ValueError(
            f"The fit made {fitted.layout.n_features} numbers of the columns of each row (of text, "
            "dates, categories, missing values, or a wide sparse table), which no network does. "
            "Encode them before, with a ColumnTransformer or TruncatedSVD in a Pipeline, and fit "
            "on the numbers: then all that follows the encoding can be exported."
        )

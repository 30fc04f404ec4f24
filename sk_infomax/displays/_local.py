"""Which places of a sample its global vector knows most about."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ..deep_infomax import DeepInfoMaxTransformer
from ..evaluation import local_information
from ._axes import chosen_of, draw_sample, grid_for, samples_of

__all__ = ["LocalInformationDisplay"]

_MOST_SAMPLES = 8  # drawn, unless others are asked for (rule of thumb)
_VEIL = 0.55  # opacity of the map over an image, through which it can be seen


class LocalInformationDisplay:
    """Samples, and below each the nats that its places have in common with its global vector.

    Parameters
    ----------
    samples : ndarray of shape (n, c, h, w) or (n, c, t)
        What is drawn.
    information : ndarray of shape (n, rows, columns) or (n, places)
        Nats, as `sk_infomax.evaluation.local_information` gives them.

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes of shape (2, n)
        Samples above, maps below.
    figure_ : matplotlib Figure
        Of the last drawing.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sk_infomax import DeepInfoMaxTransformer
    >>> from sk_infomax.displays import LocalInformationDisplay
    >>> X = load_digits().images[:200]
    >>> model = DeepInfoMaxTransformer(encoder="strided", max_epochs=2, random_state=0).fit(X)
    >>> LocalInformationDisplay.from_estimator(model, X, samples=[0, 7]).information.shape
    (2, 4, 4)
    """

    def __init__(self, samples: np.ndarray, information: np.ndarray):
        self.samples = samples
        self.information = information

    @classmethod
    def from_estimator(
        cls, estimator: DeepInfoMaxTransformer, X: ArrayLike, *, samples: ArrayLike | None = None
    ) -> LocalInformationDisplay:
        """Score the places of all samples, and draw some of them.

        Parameters
        ----------
        estimator : DeepInfoMaxTransformer
            Fitted to images or series.
        X : array-like
            At least two samples: each is told from the others.
        samples : array-like of int or None, default=None
            Indices of those that are drawn; None is the first eight.

        Returns
        -------
        LocalInformationDisplay
            Drawn.

        Raises
        ------
        ValueError
            As `local_information` does, and if there is no sample of such an index.
        """
        information = local_information(estimator, X)
        n = len(information)
        chosen = chosen_of(samples, np.arange(min(n, _MOST_SAMPLES)), n, "samples")
        return cls(samples_of(estimator, X, chosen), information[chosen]).plot()

    def plot(self) -> LocalInformationDisplay:
        """Draw again, in a figure of its own.

        Returns
        -------
        LocalInformationDisplay
            Itself.
        """
        n = len(self.samples)
        self.axes_ = grid_for(2, n)
        self.figure_ = self.axes_[0, 0].figure
        limits = {"vmin": float(self.information.min()), "vmax": float(self.information.max())}
        for column, sample, found in zip(self.axes_.T, self.samples, self.information):
            draw_sample(column[0], sample)
            if sample.ndim == 3:
                draw_sample(column[1], sample)
                extent = (-0.5, sample.shape[2] - 0.5, sample.shape[1] - 0.5, -0.5)
                drawn = column[1].imshow(
                    found, extent=extent, interpolation="bilinear", alpha=_VEIL, **limits
                )
            else:
                drawn = column[1].imshow(found[None], aspect="auto", **limits)
        self.figure_.colorbar(drawn, ax=self.axes_[1], label="nats", fraction=0.05)
        return self

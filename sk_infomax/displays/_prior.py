"""How near the embedding comes to the prior that it was matched to."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from scipy.stats import ks_2samp
from sklearn.utils.validation import check_is_fitted

from .._random import new_generator
from ..deep_infomax import DeepInfoMaxTransformer
from ..evaluation._features import features_of
from ..priors import DISTRIBUTIONS
from ._axes import COLOURS, Display

__all__ = ["PriorDisplay"]

_DRAWS = 10_000  # of the prior, whose own error is then below 0.02 (rule of thumb)
_QUANTILES = 100  # points of each curve
_SIZE = (4.2, 4.2)  # inches, square as its axes are
_MOST_CURVES = 64  # columns that are drawn (rule of thumb)


class PriorDisplay(Display):
    """Quantiles of each column of an embedding against those of a prior.

    A column that has the prior's distribution lies on the diagonal.

    Parameters
    ----------
    quantiles : ndarray of shape (d, 100)
        Of each column of the embedding, brought to the prior's support.
    expected : ndarray of shape (d, 100)
        Of the prior.
    distances : ndarray of shape (d,)
        Kolmogorov-Smirnov distance of each column to draws of the prior.

    Attributes
    ----------
    ax_, figure_ : matplotlib Axes and Figure
        Of the last drawing.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_infomax.displays import PriorDisplay
    >>> embedding = np.random.RandomState(0).normal(size=(500, 3))
    >>> bool(PriorDisplay.from_embedding(embedding, "normal").distances.max() < 0.1)
    True
    """

    def __init__(self, quantiles: np.ndarray, expected: np.ndarray, distances: np.ndarray):
        self.quantiles = quantiles
        self.expected = expected
        self.distances = distances

    @classmethod
    def from_estimator(
        cls,
        estimator: DeepInfoMaxTransformer,
        X: ArrayLike,
        prior: str = "uniform",
        *,
        ax: Any = None,
    ) -> PriorDisplay:
        """Transform samples, and compare their embedding with a prior.

        Parameters
        ----------
        estimator : DeepInfoMaxTransformer
            Fitted with this prior; its `output` has to be "embedding".
        X : array-like
            Samples.
        prior : {"uniform", "normal", "sphere", "ball"}, default="uniform"
            What the embedding is compared with.
        ax : matplotlib Axes or None, default=None
            None makes a figure.

        Returns
        -------
        PriorDisplay
            Drawn.

        Raises
        ------
        ValueError
            If `transform` gives more than the embedding, or for an unknown prior.
        """
        check_is_fitted(estimator)
        features = features_of(estimator, X)
        if features.shape[1] != estimator.n_components:
            raise ValueError(
                f"transform gives {features.shape[1]} columns, of which the embedding has "
                f'{estimator.n_components}. Set output="embedding": set_params works after fit.'
            )
        return cls.from_embedding(features, prior, ax=ax)

    @classmethod
    def from_embedding(
        cls, embedding: ArrayLike, prior: str = "uniform", *, ax: Any = None
    ) -> PriorDisplay:
        """Compare an embedding (n, d) with a prior.

        Parameters
        ----------
        embedding : array-like of shape (n, d)
            As the encoder gives it; it is brought to the prior's support here.
        prior : {"uniform", "normal", "sphere", "ball"}, default="uniform"
            What it is compared with.
        ax : matplotlib Axes or None, default=None
            None makes a figure.

        Returns
        -------
        PriorDisplay
            Drawn.
        """
        if prior not in DISTRIBUTIONS:
            raise ValueError(f"prior={prior!r} is none of {sorted(DISTRIBUTIONS)}.")
        vectors = torch.from_numpy(features_of(None, embedding))
        found = DISTRIBUTIONS[prior].squash(vectors).numpy()
        like = vectors.new_zeros(_DRAWS, vectors.shape[1])
        drawn = DISTRIBUTIONS[prior].sample(like, new_generator(0)).numpy()
        shares = (np.arange(_QUANTILES) + 0.5) / _QUANTILES
        quantiles, expected = (np.quantile(v, shares, axis=0).T for v in (found, drawn))
        distances = [ks_2samp(a, b).statistic for a, b in zip(found.T, drawn.T)]
        return cls(quantiles, expected, np.array(distances)).plot(ax=ax)

    def _size(self) -> tuple[float, float]:
        return _SIZE

    def _draw(self) -> None:
        for expected, found in zip(self.expected[:_MOST_CURVES], self.quantiles):
            self.ax_.plot(expected, found, color=COLOURS[0], alpha=0.3, linewidth=1)
        ends = [self.expected.min(), self.expected.max()]
        self.ax_.plot(ends, ends, color=COLOURS[2], linewidth=1.5, label="the prior")
        mean = self.distances.mean()
        self.ax_.plot([], [], color=COLOURS[0], label=f"columns (mean KS distance {mean:.3f})")
        self.ax_.set(xlabel="quantiles of the prior", ylabel="quantiles of the embedding")
        self.ax_.legend(fontsize="small")

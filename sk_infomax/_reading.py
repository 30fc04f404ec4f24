"""What a fitted estimator of features gives: features, a score, and its history."""

import copy

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted
from skorch.history import History
from torch import Tensor

from ._checks import check_rows, validate_params
from ._objectives import Parts
from ._scaling import Scaling
from ._training._batches import Data, make_data
from ._training._net import InfoMaxNet
from .encoders import Encoding

__all__ = ["OUTPUTS", "ReadingMixin", "read_output"]

OUTPUTS = ("embedding", "multiscale", "hidden", "feature_map")

_TRANSFORM_VALUES = 2**19


def read_output(encoding: Encoding, output: str) -> Tensor:
    """What `output` names of an encoding: (n, features)."""
    if output == "embedding":
        return encoding.summary()
    return encoding.multiscale() if output == "multiscale" else getattr(encoding, output)


class ReadingMixin(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Gives an estimator with a ``net_`` and a ``_scaling`` `transform` and `score`."""

    net_: InfoMaxNet
    output: str
    num_workers: int
    n_features_in_: int
    _parts: Parts
    _scaling: Scaling
    _widths: dict[str, int]

    def _data(self, rows: np.ndarray, subset: np.ndarray | None = None) -> Data:
        """Rows, or some of them, as batches on the device."""
        return make_data(rows, self._scaling, self.net_.device, subset, self.num_workers)

    def transform(self, X):
        """Features of samples, in batches of constant memory.

        Parameters
        ----------
        X : array-like
            Samples of the shape that `fit` saw.

        Returns
        -------
        ndarray of shape (n, n_features_out)
            float64 for float64 samples, else float32; `output` says of which layer.
        """
        check_is_fitted(self, "net_")
        validate_params(self)
        rows = check_rows(self, X, reset=False)
        dtype = np.dtype(np.float64 if rows.dtype == np.float64 else np.float32)
        encoder = self.net_.module_.encoder.eval()
        if dtype == np.float64:
            encoder = copy.deepcopy(encoder).double()
        out = np.empty((len(rows), self._n_features_out), dtype)
        step = max(1, _TRANSFORM_VALUES // self.n_features_in_)
        with torch.inference_mode():
            for start in range(0, len(rows), step):
                batch = self._scaling.apply(rows[start : start + step], dtype)
                encoding = encoder(batch.to(self.net_.device))
                out[start : start + step] = read_output(encoding, self._output).cpu().numpy()
        return out

    def score(self, X, y=None):
        """Mutual information in nats between global vectors and what they are set against.

        The weighted mean of the information terms, on fixed blocks of 256 samples and fixed
        views, so that it depends neither on `batch_size` nor on chance. It says how well the
        objective is met, not how useful the features are [1]_.

        Parameters
        ----------
        X : array-like
            Held-out samples of the shape that `fit` saw, at least two.
        y : None
            Ignored.

        Returns
        -------
        float
            Nats, larger is better. InfoNCE cannot exceed the logarithm of the number of
            candidates, log 256 = 5.5 for blocks of 256.

        References
        ----------
        .. [1] Tschannen, Djolonga, Rubenstein, Gelly and Lucic, On mutual information
           maximization for representation learning, ICLR 2020.
        """
        check_is_fitted(self, "net_")
        rows = check_rows(self, X, reset=False, min_samples=2)
        nats = self.net_.nats(self._data(rows))
        weights = self._parts.weights
        return sum(weights[k] * v for k, v in nats.items()) / sum(weights[k] for k in nats)

    @property
    def history_(self) -> History:
        """Loss and terms of each epoch."""
        return self.net_.history

    @property
    def n_iter_(self) -> int:
        """Number of epochs run."""
        return len(self.net_.history)

    @property
    def _n_features_out(self) -> int:
        return self._widths[self._output]

    @property
    def _output(self) -> str:
        """The layer that `transform` reads."""
        return self._parts.encoder.output if self.output == "auto" else self.output

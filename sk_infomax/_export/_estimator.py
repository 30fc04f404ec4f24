"""What an estimator of features gains: `to_torch` and `to_onnx`."""

from __future__ import annotations

import os
from abc import abstractmethod
from typing import Any

from sklearn.utils.validation import check_is_fitted
from torch import nn

from .._checks import validate_params
from .._fitted import FittedFeatures
from .._modes import in_own_modes
from .._state import replacing
from ._network import network_of
from ._onnx import require_onnx, written_down

__all__ = ["Exported"]


class Exported:
    """Gives an estimator that keeps `FittedFeatures` its network as a module and as a file."""

    _fitted: FittedFeatures
    sample_shape: Any

    @property
    @abstractmethod
    def _layer(self) -> str:
        """The layer that is read."""

    @in_own_modes
    def to_torch(self) -> nn.Module:
        """Give all that `transform` does to an array of numbers, as one torch module.

        Returns
        -------
        torch.nn.Module
            Maps samples as `transform` takes them, or each as one row of its values, to features
            (n, n_features_out) of the layer that `output` says: arranges axes, standardises, and
            encodes. A copy in evaluation mode on the CPU; float32 in, float32 out. Other types are
            read as float32; images that `fit` saw as uint8 have values from 0 to 255.

        Raises
        ------
        ValueError
            If the fit made numbers of a frame's text, dates, categories or missing values, or
            narrowed a sparse table; or if a mean or deviation is too large or small for float32.

        See Also
        --------
        to_onnx : The same as a file for other runtimes.
        save : The estimator as a file.

        Notes
        -----
        Series must be complete and of the length of the longest one that `fit` saw. What is frozen
        in the encoder gives no gradients. ``torch.export`` takes the module for any number of
        samples.

        Examples
        --------
        >>> import numpy as np
        >>> import torch
        >>> from sk_infomax import DeepInfoMaxTransformer
        >>> X = np.random.RandomState(0).normal(size=(100, 5)).astype(np.float32)
        >>> dim = DeepInfoMaxTransformer(8, max_epochs=2, random_state=0).fit(X)
        >>> network = dim.to_torch()
        >>> with torch.inference_mode():
        ...     features = network(torch.from_numpy(X))
        >>> bool(np.allclose(features, dim.transform(X), atol=1e-5))
        True
        """
        check_is_fitted(self)
        validate_params(self)
        return network_of(self._fitted, self._layer)

    @in_own_modes
    def to_onnx(self, path: str | os.PathLike[str]) -> None:
        """Write all that `transform` does to an array of numbers to an ONNX file.

        The input ``X`` is float32 of shape (n, ...): samples as `fit` saw them, or flat rows
        where `sample_shape` is given; the output is ``features``, float32 of shape
        (n, n_features_out), for any n.

        Parameters
        ----------
        path : str or path-like
            Where to; conventionally ``NAME.onnx``. The file is there as a whole or as before.

        Raises
        ------
        ImportError
            If ``onnx`` or ``onnxscript`` is missing, or torch is older than 2.9.
        ValueError
            As `to_torch`, and for a torch module of your own that can't be written as ONNX.
        OSError
            Python's own, for a missing folder, a full disk and the like.

        See Also
        --------
        to_torch : The same as a torch module.

        Notes
        -----
        A runtime does not refuse values that are not finite: it gives features that are none.
        The whole of a batch is in memory at once, unlike in `transform`, so give it hundreds of
        samples at a time.

        Examples
        --------
        >>> import numpy as np
        >>> from sk_infomax import DeepInfoMaxTransformer
        >>> X = np.random.RandomState(0).normal(size=(100, 5)).astype(np.float32)
        >>> dim = DeepInfoMaxTransformer(8, max_epochs=2, random_state=0).fit(X)
        >>> dim.to_onnx("features.onnx")  # doctest: +SKIP
        >>> import onnxruntime  # doctest: +SKIP
        >>> session = onnxruntime.InferenceSession("features.onnx")  # doctest: +SKIP
        >>> features = session.run(None, {"X": X})[0]  # doctest: +SKIP
        """
        check_is_fitted(self)
        validate_params(self)
        network = network_of(self._fitted, self._layer)
        require_onnx()
        layout = self._fitted.layout
        shape = layout.shape if self.sample_shape is None else (layout.n_features,)
        replacing(path, written_down(network, shape))

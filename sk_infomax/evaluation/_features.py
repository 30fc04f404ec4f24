"""What every measure starts from: the features of samples."""

from __future__ import annotations

import numpy as np

__all__ = ["features_of"]


def features_of(transformer, X, dtype=float) -> np.ndarray:
    """Features (n, d) of samples, or the samples themselves, flat; None keeps their dtype."""
    Z = np.asarray(X if transformer is None else transformer.transform(X), dtype=dtype)
    return Z.reshape(len(Z), -1)

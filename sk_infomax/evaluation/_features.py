"""What every measure starts from: the features of samples."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import DTypeLike

__all__ = ["RandomState", "Remembered", "Transformer", "features_of"]

RandomState = int | np.random.RandomState | None


class Transformer(Protocol):
    """Anything fitted that gives features of samples."""

    def transform(self, X: Any, /) -> Any:
        """Features (n, ...) of samples (n, ...)."""


def features_of(
    transformer: Transformer | None, X: Any, dtype: DTypeLike | None = float
) -> np.ndarray:
    """Features (n, d) of samples, or the samples themselves, flat; None keeps their dtype."""
    Z = np.asarray(X if transformer is None else transformer.transform(X), dtype=dtype)
    return Z.reshape(len(Z), -1)


class Remembered:
    """A transformer that transforms each array once: several measures ask for the same features.

    Parameters
    ----------
    transformer : object with `transform`, or None
        Fitted; None takes the samples as features.
    """

    def __init__(self, transformer: Transformer | None):
        self.transformer = transformer
        self.known: list[tuple[Any, np.ndarray]] = []

    @property
    def layout_(self) -> Any:
        """What the transformer takes a sample for, or None if it does not say."""
        return getattr(self.transformer, "layout_", None)

    def transform(self, X: Any, /) -> np.ndarray:
        """Features (n, d) of samples, those of before for the very same array."""
        for samples, features in self.known:
            if samples is X:
                return features
        features = features_of(self.transformer, X, None)
        self.known.append((X, features))
        return features

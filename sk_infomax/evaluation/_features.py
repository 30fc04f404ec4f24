"""What every measure starts from: the features of samples."""

from __future__ import annotations

import math
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import DTypeLike
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import check_classification_targets

from .._checks import check_numbers, naming
from .._columns._reading import array_of

__all__ = ["RandomState", "Remembered", "Transformer", "features_of", "labels_of"]

_FAR = 1e150  # values whose squares float64 can't add up (1e308)

RandomState = int | np.random.RandomState | None


class Transformer(Protocol):
    """Anything fitted that gives features of samples."""

    def transform(self, X: Any, /) -> Any:
        """Features (n, ...) of samples (n, ...)."""


def features_of(
    transformer: Transformer | None,
    X: Any,
    dtype: DTypeLike | None = float,
    argument: str = "X",
) -> np.ndarray:
    """Features (n, d) of samples, or the samples themselves, flat; None keeps their dtype.

    Raises
    ------
    TypeError, ValueError
        If these are no finite numbers.
    """
    if transformer is None:
        Z = check_numbers(X, argument, dtype)
    else:
        Z = check_numbers(transformer.transform(X), "transform(X)", dtype)
    if Z.dtype.kind == "f" and Z.size and float(np.abs(Z).max()) > _FAR:
        raise ValueError(
            f"{argument} has values up to {np.abs(Z).max():.3g}, whose squares are not finite. "
            "Divide them by a constant, or clip outliers."
        )
    return Z.reshape(len(Z), -1)


def labels_of(y: Any, argument: str = "y") -> np.ndarray:
    """Labels (n,) of classes.

    Raises
    ------
    TypeError, ValueError
        For what is no vector of labels: measured numbers, complex ones, missing values.
    """
    with naming(argument):
        y = array_of(y) if isinstance(y, torch.Tensor) else y
        shape = tuple(getattr(y, "shape", ()))
        if math.prod(shape[1:]) != 1:
            raise ValueError(f"{argument} has the shape {shape}. Give one label for each sample.")
        labels = np.asarray(column_or_1d(y))
        if not len(labels):
            raise ValueError(f"{argument} holds no labels. Give one for each sample.")
        if labels.dtype.kind not in "biufUO":
            raise ValueError(
                f"{argument} holds {labels.dtype}, which names no classes. Give integers or text."
            )
        try:
            np.unique(labels)
        except TypeError as error:
            raise ValueError(
                f"{argument} holds labels of several types, which have no order. Give text "
                "throughout, or numbers."
            ) from error
        check_classification_targets(labels)
    return labels


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

"""What each place of a sample says of the whole."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted

from .._fitted import read_rows
from ..deep_infomax import DeepInfoMaxTransformer

__all__ = ["local_information"]


def local_information(transformer: DeepInfoMaxTransformer, X: ArrayLike) -> np.ndarray:
    """Nats that each place of a sample and its global vector have in common, by the critic.

    It is the logarithm of how much likelier the critic takes a location of the local map to
    belong to the sample's global vector than to those of the samples beside it, in blocks of at
    most 256: the pointwise value of InfoNCE, whatever bound was trained [1]_. Places of large
    values are those that the global vector knows most about. Values depend on what samples are
    given together, and say nothing of classes.

    Parameters
    ----------
    transformer : DeepInfoMaxTransformer
        Fitted to images or series, with a term of local information.
    X : array-like
        Samples of the shape that `fit` saw, at least two.

    Returns
    -------
    ndarray of shape (n, rows, columns) for images, (n, places) for series
        Nats, at most the logarithm of the number of samples in a block.

    Raises
    ------
    ValueError
        If samples are rows of a table, whose local maps are groups of features and no places, or
        if ``local_weight=0``.

    References
    ----------
    .. [1] Hjelm et al., Learning deep representations by mutual information estimation and
       maximization, ICLR 2019, section 3.2.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sk_infomax import DeepInfoMaxTransformer
    >>> from sk_infomax.evaluation import local_information
    >>> X = load_digits().images[:200]
    >>> model = DeepInfoMaxTransformer(encoder="strided", max_epochs=2, random_state=0).fit(X)
    >>> local_information(model, X[:100]).shape
    (100, 4, 4)
    """
    check_is_fitted(transformer)
    if transformer.layout_.kind == "table":
        raise ValueError(
            "local_information needs samples with places, images or series, and this transformer "
            "was fitted to a table. To see what columns tell about its features, use "
            "mutual_info_scores(X, features[:, 0])."
        )
    if "local" not in transformer._fitted.parts.weights:
        raise ValueError(
            "This transformer was fitted with local_weight=0 and has no critic of local maps. "
            "Fit it with local_weight=1.0."
        )
    rows = read_rows(transformer, X, transformer._fitted, min_samples=2).rows
    return transformer._fitted.local_nats(rows)

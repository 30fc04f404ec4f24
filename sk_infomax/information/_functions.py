"""Mutual information in one line: of two sides, given a third, and of every two columns."""

import math

import numpy as np
from joblib import Parallel, delayed
from scipy.stats import norm

from ._columns import Columns, as_columns
from ._estimator import MutualInfoEstimator
from ._neighbours import single_pair_information

__all__ = ["conditional_mutual_info", "mutual_info", "mutual_info_matrix", "mutual_info_scores"]


def mutual_info(X, y, **settings):
    """Mutual information of two sets of columns, with its interval.

    Parameters
    ----------
    X : array-like of shape (n, dx) or (n,)
        One side.
    y : array-like of shape (n,) or (n, dy)
        The other side.
    **settings : object
        Parameters of `MutualInfoEstimator`.

    Returns
    -------
    estimate : float
        In nats, or the `units` asked for.
    interval : tuple of float
        Lower and upper end of the confidence interval.
    """
    estimator = MutualInfoEstimator(**settings).fit(_as_matrix(X), y)
    return estimator.mutual_info_, estimator.confidence_interval_


def conditional_mutual_info(X, y, z, **settings):
    """Mutual information of X and y given z, by the chain rule, with its interval.

    ``I(X; Y | Z) = I(X; (Y, Z)) - I(X; Z)``, each estimated by `MutualInfoEstimator`.

    Parameters
    ----------
    X, y, z : array-like of shape (n, d) or (n,)
        The sides, and what is given; arrays of numbers or labels.
    **settings : object
        Parameters of `MutualInfoEstimator`.

    Returns
    -------
    estimate : float
        In nats, or the `units` asked for, at least 0.
    interval : tuple of float
        Lower and upper end. The errors of the two estimates are taken to be independent, which
        makes the interval rather wide.

    Raises
    ------
    ValueError
        If the lengths differ.
    """
    given = as_columns(z)
    both = as_columns(y) + given
    lengths = {len(column) for column in both} | {len(_as_matrix(X))}
    if len(lengths) > 1:
        raise ValueError(f"X, y and z must have as many samples each; got {sorted(lengths)}.")
    whole, part = (
        MutualInfoEstimator(**settings).fit(_as_matrix(X), _stack(columns))
        for columns in (both, given)
    )
    estimate = whole.mutual_info_ - part.mutual_info_
    error = math.hypot(whole.standard_error_, part.standard_error_)
    half = float(norm.ppf(0.5 + whole.confidence_level / 2)) * error
    return max(0.0, estimate), (max(0.0, estimate - half), max(0.0, estimate + half))


def mutual_info_scores(X, y):
    """Mutual information of each column of X with y, a score function for `SelectKBest`.

    Parameters
    ----------
    X : array-like of shape (n, d)
        Numbers, or a frame with columns of any kind.
    y : array-like of shape (n,)
        Numbers or labels.

    Returns
    -------
    ndarray of shape (d,)
        Nats, by nearest neighbours, or by counts where both columns are discrete.
    """
    target = np.asarray(y)
    of_target = Columns([target])
    return np.array(
        [
            single_pair_information(column, Columns([column]), target, of_target)
            for column in as_columns(X)
        ]
    )


def mutual_info_matrix(X, n_jobs=None):
    """Mutual information of every two columns.

    Parameters
    ----------
    X : array-like of shape (n, d)
        Numbers, or a frame with columns of any kind.
    n_jobs : int or None, default=None
        Processes, as in scikit-learn.

    Returns
    -------
    ndarray of shape (d, d)
        Nats, symmetric. A column with itself has its entropy if it is discrete and infinity if
        it is continuous.
    """
    columns = as_columns(X)
    known = [Columns([column]) for column in columns]
    size = len(columns)
    pairs = [(i, j) for i in range(size) for j in range(i + 1, size)]
    values = Parallel(n_jobs=n_jobs)(
        delayed(single_pair_information)(columns[i], known[i], columns[j], known[j])
        for i, j in pairs
    )
    matrix = np.diag([_entropy(part, column) for part, column in zip(known, columns)])
    for (i, j), value in zip(pairs, values):
        matrix[i, j] = matrix[j, i] = value
    return matrix


def _entropy(known: Columns, column: np.ndarray) -> float:
    if not known.is_discrete[0]:
        return math.inf
    shares = np.bincount(known.codes([column])[:, 0]) / len(column)
    return float(-(shares[shares > 0] * np.log(shares[shares > 0])).sum())


def _as_matrix(values):
    """A vector as one column; frames and matrices as they are."""
    return np.asarray(values)[:, None] if np.ndim(values) == 1 else values


def _stack(columns: list[np.ndarray]):
    """Columns side by side; as a frame where they are not all numbers."""
    if all(column.dtype.kind in "fiub" for column in columns):
        return np.column_stack(columns)
    try:
        import pandas as pd
    except ImportError as error:
        raise ImportError(
            "y and z of different kinds are put together in a frame: pip install pandas."
        ) from error
    return pd.DataFrame(dict(enumerate(columns)))

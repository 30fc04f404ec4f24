"""`Windows`: one long series cut into many short ones."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import torch
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_array, check_is_fitted

from .._bases import BaseEstimator, TransformerMixin
from .._checks import AT_LEAST_TWO, POSITIVE_INT, naming, validate_params
from .._columns._reading import array_of

__all__ = ["Windows"]


class Windows(TransformerMixin, BaseEstimator):
    """Cut one long series into windows, each a series of its own.

    Windows are other samples than moments of time, and more or fewer of them, so this stands before
    a Pipeline, whose steps keep the number of samples, and labels have to be those of windows.

    Parameters
    ----------
    length : int, default=128
        Moments in each window, two or more.
    step : int or None, default=None
        Moments from the start of one window to that of the next; None is `length`, windows side by
        side. Smaller steps make windows that overlap, and take `length` / `step` times the memory.

    Attributes
    ----------
    starts_ : ndarray of shape (n_windows,)
        Where each window of the series that `fit` saw starts; `starts` says it of others.
    n_times_ : int
        Moments of that series.
    n_features_in_ : int
        Its channels.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_infomax import DeepInfoMaxTransformer, Windows
    >>> series = np.sin(np.arange(1000) ** 1.5 / 50)
    >>> windows = Windows(length=50, step=25)
    >>> X = windows.fit_transform(series)
    >>> X.shape, windows.starts_[:3]
    ((39, 1, 50), array([ 0, 25, 50]))
    >>> features = DeepInfoMaxTransformer(8, output="embedding", random_state=0).fit_transform(X)
    >>> windows.spread(features).shape
    (1000, 8)
    """

    _parameter_constraints: dict = {"length": [AT_LEAST_TWO], "step": [POSITIVE_INT, None]}

    starts_: np.ndarray
    n_times_: int
    n_features_in_: int

    def __init__(self, length: int = 128, step: int | None = None):
        self.length = length
        self.step = step

    def fit(self, X: ArrayLike, y: Any = None) -> Self:
        """See how long the series is.

        Parameters
        ----------
        X : array-like of shape (t,) or (t, c)
            One series: numbers, of one channel or of several side by side. NaN stays NaN.
        y : None
            Ignored.

        Returns
        -------
        self : Windows
            Fitted.

        Raises
        ------
        ValueError
            If X is no such series, is infinite somewhere, or is shorter than a window.
        """
        validate_params(self)
        series = self._read(X)
        self.starts_ = self._starts_of(len(series))
        self.n_times_, self.n_features_in_ = series.shape
        return self

    def transform(self, X: ArrayLike) -> np.ndarray:
        """Windows of a series.

        Parameters
        ----------
        X : array-like of shape (t,) or (t, c)
            With the channels that `fit` saw; of any length from that of a window on.

        Returns
        -------
        ndarray of shape (n_windows, c, length)
            float32 for float32, else float64. What is left at the end is in none.
        """
        check_is_fitted(self)
        validate_params(self)
        series = self._read(X)
        if series.shape[1] != self.n_features_in_:
            raise ValueError(
                f"X has {series.shape[1]} channels, but Windows was fitted on "
                f"{self.n_features_in_}."
            )
        starts = self._starts_of(len(series))
        times = starts[:, None] + np.arange(self.length)
        return np.ascontiguousarray(series[times].transpose(0, 2, 1))

    def starts(self, X: ArrayLike) -> np.ndarray:
        """Where the windows of a series start.

        Parameters
        ----------
        X : array-like of shape (t,) or (t, c)
            As in `transform`.

        Returns
        -------
        ndarray of shape (n_windows,)
            Positions in X.
        """
        validate_params(self)
        return self._starts_of(len(self._read(X)))

    def spread(self, values: ArrayLike, n_times: int | None = None) -> np.ndarray:
        """Values of windows, such as features or scores, as values of moments.

        Parameters
        ----------
        values : array-like of shape (n_windows,) or (n_windows, d)
            One row for each window.
        n_times : int or None, default=None
            Moments of the series; None is those of the series that `fit` saw.

        Returns
        -------
        ndarray of shape (t,) or (t, d)
            For each moment, the mean over the windows that it is in; NaN if it is in none.
        """
        check_is_fitted(self)
        n_times = self.n_times_ if n_times is None else n_times
        starts, rows = self._starts_of(n_times), np.asarray(values, dtype=np.float64)
        if len(rows) != len(starts):
            raise ValueError(
                f"values has {len(rows)} rows, but a series of {n_times} moments has {len(starts)} "
                "windows. Give a row for each window, and n_times of another series than fit's."
            )
        sums, counts = np.zeros((n_times, *rows.shape[1:])), np.zeros(n_times)
        for place in range(self.length):  # of each window at once: no two have it at one moment
            sums[starts + place] += rows
            counts[starts + place] += 1
        counts[counts == 0] = np.nan
        return sums / counts.reshape(-1, *(1,) * (rows.ndim - 1))

    def _starts_of(self, n_times: int) -> np.ndarray:
        if n_times < self.length:
            raise ValueError(
                f"X has {n_times} moments, and a window of length={self.length} needs as many. "
                "Lower length, or give a longer series."
            )
        return np.arange(0, n_times - self.length + 1, self.step or self.length)

    def _read(self, X: ArrayLike) -> np.ndarray:
        """A series (t, c), checked."""
        X = array_of(X) if isinstance(X, torch.Tensor) else X
        with naming("X"):
            return self._check(X)

    def _check(self, X: ArrayLike) -> np.ndarray:
        dimensions = np.ndim(X)
        if dimensions not in (1, 2):
            raise ValueError(
                f"X has {dimensions} dimensions, but Windows cuts one long series, (time,) or "
                "(time, channels). Series that are short already need no windows."
            )
        found = np.asarray(X)
        if found.dtype.kind == "O":
            cells = np.array(found.tolist())
            found = cells if cells.dtype.kind == "c" else np.asarray(found, dtype=np.float64)
        column = found.reshape(-1, 1) if dimensions == 1 else found
        series: np.ndarray = check_array(
            column,
            dtype=[np.float64, np.float32],
            ensure_all_finite="allow-nan",
            input_name="X",
            estimator=self,
        )
        return series

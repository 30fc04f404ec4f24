"""`MutualInfoSelector`: the columns of a frame, of any kind, that tell most about a target."""

from __future__ import annotations

from typing import Any, Literal, Self

import narwhals.stable.v2 as nw
import numpy as np
import torch
from numpy.typing import ArrayLike
from scipy import sparse
from sklearn.feature_selection import SelectorMixin
from sklearn.utils.validation import check_is_fitted

from .._bases import BaseEstimator
from .._checks import (
    FRACTION,
    POSITIVE_INT,
    adopt_names,
    check_columns,
    draft_of,
    one_of,
    output_library,
    say,
    take_columns,
    validate_params,
)
from .._columns._kinds import Column
from .._columns._reading import MISSING, array_of, complete_rows, read_columns
from ..exceptions import SelectionWarning
from ._items import alike_items, information_of, items_of, p_value_of, say_of_items, target_of
from ._sides import refuse_vector

__all__ = ["MutualInfoSelector"]


class MutualInfoSelector(SelectorMixin, BaseEstimator):
    """Keep the columns that tell most about a target.

    Each column of X is compared with y by `mutual_info_scores`. Columns may be of any kind: text,
    categories, dates, flags and numbers, side by side in a frame. `SelectKBest` cannot take text:
    scikit-learn converts X to numbers before it asks for scores.

    Parameters
    ----------
    k : int or "all", default=10
        How many columns to keep at most.
    fdr : float, default=None
        Share of the columns kept that may be there by chance (Benjamini and Hochberg 1995): columns
        whose p-values are higher are left out, however few are then left. None asks for no
        p-values.
    missing : {"error", "drop", "level"}, default="error"
        What happens to missing values (NaN, None, NaT): they are refused with the name of the
        column; or each column is compared on the rows where it and y have a value; or they are a
        level of their own, which is for labels only.
    n_permutations : int, default=199
        For p-values; beyond the reach of so many, a normal tail is fitted to them.
    random_state : int, RandomState instance or None, default=0
        Seed of the permutations.

    Attributes
    ----------
    scores_ : ndarray of shape (n_features,)
        Information of each column and y, in nats.
    pvalues_ : ndarray of shape (n_features,) or None
        Of independence of each column and y; None without `fdr`.
    n_features_in_ : int
        Number of columns of X.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the columns, where X was a frame with string names.

    References
    ----------
    Benjamini and Hochberg, Controlling the false discovery rate, Journal of the Royal Statistical
    Society B, 1995.

    Examples
    --------
    >>> import pandas as pd
    >>> from sk_infomax import MutualInfoSelector
    >>> sold = ["no", "yes", "no", "no", "yes", "no"] * 30
    >>> frame = pd.DataFrame(
    ...     {
    ...         "day": pd.date_range("2024-01-01", periods=180),
    ...         "city": ["Oslo", "Rome", "Rome"] * 60,
    ...         "colour": ["red", "blue", "red", "red", "blue", "green"] * 30,
    ...     }
    ... )
    >>> selector = MutualInfoSelector(k=1).fit(frame, sold)
    >>> selector.transform(frame).columns.tolist()
    ['colour']
    """

    _parameter_constraints: dict = {
        "k": [one_of({"all"}), POSITIVE_INT],
        "fdr": [FRACTION, None],
        "missing": [one_of(set(MISSING))],
        "n_permutations": [POSITIVE_INT],
        "random_state": ["random_state"],
    }

    scores_: np.ndarray
    pvalues_: np.ndarray | None
    n_features_in_: int
    feature_names_in_: np.ndarray

    def __init__(
        self,
        k: int | Literal["all"] = 10,
        *,
        fdr: float | None = None,
        missing: str = "error",
        n_permutations: int = 199,
        random_state: Any = 0,
    ):
        self.k = k
        self.fdr = fdr
        self.missing = missing
        self.n_permutations = n_permutations
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Compare each column with the target.

        Parameters
        ----------
        X : array-like of shape (n, d)
            An array, a list of rows, a sparse matrix, or a frame of pandas, polars or Arrow with
            columns of any kind.
        y : array-like of shape (n,) or (n, 1)
            Numbers, dates or labels.

        Returns
        -------
        self : MutualInfoSelector
            Fitted; what it was before if the fit fails.

        Raises
        ------
        ValueError
            For parameters or data that do not fit; of data with the column and the remedy.
        """
        validate_params(self)
        refuse_vector(X)
        if y is None:
            raise ValueError(
                f"{type(self).__name__} requires y to be passed, but the target y is None. Give "
                "the targets that columns are to tell about."
            )
        draft, columns = draft_of(self), read_columns(X, "X")
        check_columns(draft, X, len(columns), reset=True)
        scores, p_values = self._compare(columns, y)
        adopt_names(self, draft)
        self.scores_, self.pvalues_ = scores, p_values
        return self

    def _compare(self, columns: list[Column], y: Any) -> tuple[np.ndarray, np.ndarray | None]:
        """Score and, if `fdr` asks for it, p-value of each column, (d,)."""
        items, target = items_of(columns, None, self.missing), target_of(y, self.missing)
        options = {"missing": self.missing, "confidence_level": 0.95, "block_length": 1}
        options |= {"random_state": self.random_state}
        found = [information_of(item, target, options) for item in items]
        of_rows = [] if self.fdr is None else alike_items(items, target)
        say_of_items([items, [target]], of_rows, zip([item.where for item in items], found))
        scores = np.array([one.estimate.value for one in found])
        if self.fdr is None:
            return scores, None
        options["n_permutations"] = self.n_permutations
        return scores, np.array([p_value_of(item, target, options) for item in items])

    def transform(self, X: ArrayLike) -> Any:
        """Take the columns that were selected.

        Parameters
        ----------
        X : array-like of shape (n, d)
            The columns of the fit.

        Returns
        -------
        frame, sparse matrix or ndarray of shape (n, n_selected)
            A frame where X is one, under its names; under those of `get_feature_names_out` where
            the fit was given no names.

        Raises
        ------
        ValueError
            For columns that are not those of the fit, and for values that `fit` would refuse.
        """
        check_is_fitted(self)
        refuse_vector(X)
        columns = read_columns(X, "X")
        check_columns(self, X, len(columns), reset=False)
        if self.missing == "error":
            complete_rows({"X": columns}, "error")
        mask = self._get_support_mask()
        if not mask.any():
            say(
                [
                    "No column was selected: none tells about y as far as so many rows show. Give "
                    "more rows, or raise fdr."
                ],
                SelectionWarning,
            )
        only_numbers = all(column.kind == "number" for column in columns)
        chosen = take_columns(_as_container(X, only_numbers, self), mask)
        return self._renamed(chosen)

    def _renamed(self, chosen: Any) -> Any:
        """A frame under the names of `get_feature_names_out`, where the fit saw no names."""
        if hasattr(self, "feature_names_in_") or not nw.dependencies.is_into_dataframe(chosen):
            return chosen
        names = self.get_feature_names_out().tolist()
        if nw.dependencies.is_pandas_like_dataframe(chosen):
            as_text = all(isinstance(name, str) for name in chosen.columns)
            return chosen.set_axis(names, axis=1) if as_text else chosen
        frame = nw.from_native(chosen, eager_only=True)
        return frame.rename(dict(zip(frame.columns, names))).to_native()

    def _get_support_mask(self) -> np.ndarray:
        """Whether each column is selected (d,); of equal scores the first."""
        check_is_fitted(self)
        passed = np.ones(len(self.scores_), dtype=bool)
        if self.pvalues_ is not None and self.fdr is not None:
            passed = _discoveries(self.pvalues_, self.fdr)
        count = len(passed) if self.k == "all" else self.k
        ranked = np.argsort(np.where(passed, -self.scores_, np.inf), kind="stable")
        mask = np.zeros(len(passed), dtype=bool)
        mask[ranked[:count]] = True
        return mask & passed

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.input_tags.string = True
        tags.input_tags.categorical = True
        tags.input_tags.sparse = True
        tags.input_tags.allow_nan = self.missing != "error"
        return tags


def _discoveries(p_values: np.ndarray, rate: float) -> np.ndarray:
    """Which tests (d,) to believe so that this share of them at most is by chance."""
    ranked = np.sort(p_values)
    below = ranked <= rate * np.arange(1, len(ranked) + 1) / len(ranked)
    return p_values <= (ranked[below].max() if below.any() else -1.0)


def _as_container(X: Any, only_numbers: bool, selector: MutualInfoSelector) -> Any:
    """X as something whose columns can be taken: a frame, a sparse matrix or an array (n, d)."""
    if nw.dependencies.is_into_dataframe(X):
        library = output_library(selector)
        if library == "default" or nw.dependencies.is_pandas_like_dataframe(X):
            return X
        frame = nw.from_native(X, eager_only=True)
        return frame.to_pandas() if library == "pandas" else frame.to_polars()
    if sparse.issparse(X):
        return X.tocsc()
    X = array_of(X) if isinstance(X, torch.Tensor) else X
    array = np.asarray(X) if only_numbers else np.asarray(X, dtype=object)
    return array.reshape(len(array), -1)

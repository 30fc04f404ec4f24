"""How each package is asked what a column, or a frame, tells about a target.

Peers get labels as whole numbers and dates as days, and are told which columns are levels; ours
gets the columns as they are and is told nothing. What peers report below 0 counts as 0.
"""

import logging
import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn.feature_selection import mutual_info_classif, mutual_info_regression

from sk_infomax import MutualInfoEstimator, mutual_info_scores

__all__ = ["FRAMES", "INSTALL", "OPTIONAL", "SCORES", "Answer", "codes_of"]

DAY = pd.Timedelta(1, "D")
OPTIONAL = ("ennemi", "infomeasure")  # packages that methods of this name import
INSTALL = "pip install ennemi infomeasure"


class Answer(NamedTuple):
    """Nats, and the interval where there is one."""

    value: float
    low: float | None = None
    high: float | None = None


def codes_of(column: pd.Series) -> np.ndarray:
    """A column as peers take it: labels by number, dates in days, numbers as they are."""
    if pd.api.types.is_numeric_dtype(column):
        return column.to_numpy(float)
    if pd.api.types.is_datetime64_any_dtype(column):
        return ((column - column.min()) / DAY).to_numpy(float)
    return np.unique(column, return_inverse=True)[1].astype(float)


def _codes(column: pd.Series, discrete: bool) -> np.ndarray:
    """The same, whole numbers where they are levels."""
    codes = codes_of(column)
    return codes.astype(int) if discrete else codes


# One column against one ----------------------------------------------------------------------


def ours(x: pd.Series, y: pd.Series, discrete_x: bool, discrete_y: bool) -> Answer:
    """`mutual_info_scores` with its interval."""
    value, ends = mutual_info_scores(x.to_frame("x"), y, return_interval=True)
    return Answer(float(value.iloc[0]), *map(float, ends.iloc[0]))


def scikit_learn(x: pd.Series, y: pd.Series, discrete_x: bool, discrete_y: bool) -> Answer:
    """`mutual_info_classif` or `mutual_info_regression` with their defaults."""
    score = mutual_info_classif if discrete_y else mutual_info_regression
    X = _codes(x, discrete_x)[:, None]
    found = score(X, _codes(y, discrete_y), discrete_features=[discrete_x], random_state=0)
    return Answer(float(found[0]))


def ennemi(x: pd.Series, y: pd.Series, discrete_x: bool, discrete_y: bool) -> Answer:
    """`estimate_mi` with its defaults."""
    from ennemi import estimate_mi

    flags = {"discrete_x": discrete_x, "discrete_y": discrete_y}
    found = estimate_mi(_codes(y, discrete_y), _codes(x, discrete_x), max_threads=1, **flags)
    return Answer(max(0.0, float(np.asarray(found).item())))


def infomeasure(x: pd.Series, y: pd.Series, discrete_x: bool, discrete_y: bool) -> Answer:
    """`mutual_information`: Chao and Shen's for two columns of levels, else nearest neighbours."""
    from infomeasure import mutual_information

    logging.getLogger("infomeasure").setLevel(logging.ERROR)
    if discrete_x and discrete_y:
        found = mutual_information(_codes(x, True), _codes(y, True), approach="chao_shen")
    else:
        found = mutual_information(_standardised(x), _standardised(y), approach="ksg")
    return Answer(max(0.0, float(found)))


def _standardised(column: pd.Series) -> np.ndarray:
    codes = codes_of(column)
    return (codes - codes.mean()) / (codes.std() or 1.0)


SCORES: dict[str, Callable] = {
    "ours": ours,
    "scikit-learn": scikit_learn,
    "ennemi": ennemi,
    "infomeasure": infomeasure,
}


# Many columns against one --------------------------------------------------------------------


def our_frame(X: pd.DataFrame, y: pd.Series, discrete: list[bool], discrete_y: bool) -> Answer:
    """`MutualInfoEstimator` with its defaults."""
    estimator = MutualInfoEstimator(random_state=0, device="cpu").fit(X, y)
    return Answer(estimator.mutual_info_, *estimator.confidence_interval_)


def ennemi_frame(X: pd.DataFrame, y: pd.Series, discrete: list[bool], discrete_y: bool) -> Answer:
    """The chain rule: column by column, given those before, all of them as numbers."""
    from ennemi import estimate_mi

    columns = np.column_stack([_standardised(X[name]) for name in X])
    target, total = _codes(y, discrete_y), 0.0
    for i in range(columns.shape[1]):
        given = columns[:, :i] if i else None
        found = estimate_mi(target, columns[:, i], cond=given, discrete_y=discrete_y, max_threads=1)
        total += float(np.asarray(found).item())
    return Answer(max(0.0, total))


def infomeasure_frame(
    X: pd.DataFrame, y: pd.Series, discrete: list[bool], discrete_y: bool
) -> Answer:
    """Nearest neighbours in all columns together, labels by number."""
    from infomeasure import mutual_information

    logging.getLogger("infomeasure").setLevel(logging.ERROR)
    columns = np.column_stack([_standardised(X[name]) for name in X])
    found = mutual_information(columns, _standardised(y)[:, None], approach="ksg")
    return Answer(max(0.0, float(found)) if math.isfinite(found) else 0.0)


FRAMES: dict[str, Callable] = {
    "ours": our_frame,
    "ennemi": ennemi_frame,
    "infomeasure": infomeasure_frame,
}

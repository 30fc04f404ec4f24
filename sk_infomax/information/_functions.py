"""Mutual information in one line: of two sides, given a third, and of every two columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import ArrayLike

from .._checks import AUTO, CONFIDENCE, NEGATIVE_INT, POSITIVE_INT, check_arguments, one_of, say
from .._columns._kinds import Column
from .._columns._reading import MISSING, complete_rows, read_columns, take_rows
from .._shown import followed
from ..exceptions import EstimateWarning
from ._columns import Columns
from ._conditional import conditional_estimate, conditional_p_value
from ._estimator import UNITS, MutualInfoEstimator
from ._frames import is_frame, like_column, like_columns, like_table
from ._items import (
    alike_items,
    information_of,
    items_of,
    merged,
    own_entropy,
    p_value_of,
    say_of_items,
    target_of,
)
from ._rows import Rows
from ._sides import Sides, alike

__all__ = [
    "conditional_mutual_info",
    "lagged_mutual_info",
    "mutual_info",
    "mutual_info_matrix",
    "mutual_info_scores",
]


_CONSTRAINTS: dict[str, list[Any]] = {
    "missing": [one_of(set(MISSING))],
    "confidence_level": [CONFIDENCE],
    "block_length": [POSITIVE_INT],
    "n_permutations": [POSITIVE_INT],
    "n_jobs": [POSITIVE_INT, NEGATIVE_INT, None],
    "return_p_value": ["boolean"],
    "return_interval": ["boolean"],
    "return_p_values": ["boolean"],
    "random_state": ["random_state"],
    "verbose": ["verbose"],
}

_OF_LAGS: dict[str, list[Any]] = {"block_length": [POSITIVE_INT, AUTO]}


def mutual_info(
    X: ArrayLike, y: ArrayLike, *, groups: ArrayLike | None = None, **settings: Any
) -> tuple[float, tuple[float, float]]:
    """Mutual information of two sets of columns, with its interval.

    Parameters
    ----------
    X : array-like of shape (n, dx) or (n,)
        One side; see `MutualInfoEstimator.fit`.
    y : array-like of shape (n,) or (n, dy)
        The other side.
    groups : array-like of shape (n,), default=None
        Which rows belong together.
    **settings : object
        Parameters of `MutualInfoEstimator`.

    Returns
    -------
    estimate : float
        In nats, or the `units` asked for.
    interval : tuple of float
        Lower and upper end of the confidence interval.

    Examples
    --------
    >>> from sk_infomax import mutual_info
    >>> value, (low, high) = mutual_info(["a", "b"] * 50, [0, 1] * 50)
    >>> round(value, 2)
    0.69
    """
    estimator = MutualInfoEstimator(**settings)._validated()
    estimate = estimator._read_estimate(X, y, groups)
    unit = UNITS[estimator.units]
    return estimate.value * unit, (estimate.low * unit, estimate.high * unit)


def conditional_mutual_info(
    X: ArrayLike,
    y: ArrayLike,
    z: ArrayLike,
    *,
    return_p_value: bool = False,
    n_permutations: int = 199,
    **settings: Any,
) -> tuple[float, tuple[float, float]] | tuple[float, tuple[float, float], float]:
    """Mutual information of X and y given z, with its interval.

    By the chain rule, ``I(X; Y | Z) = I(X; (Y, Z)) - I(X; Z)``: both are read by critics of the
    same folds on the same pairs, so that what they have in common cancels. Where all columns are
    discrete, the strata of z are counted.

    Parameters
    ----------
    X, y, z : array-like of shape (n, d) or (n,)
        The sides, and what is given; columns of any kind.
    return_p_value : bool, default=False
        Whether to test independence given z too: y is permuted among the nearest neighbours in z
        (Runge 2018), within its levels where z is discrete.
    n_permutations : int, default=199
        Of the test.
    **settings : object
        Parameters of `MutualInfoEstimator`.

    Returns
    -------
    estimate : float
        In nats, or the `units` asked for, at least 0.
    interval : tuple of float
        Lower and upper end.
    p_value : float
        Where `return_p_value` asks for it.

    Raises
    ------
    ValueError
        If the lengths differ, or columns do not fit.

    References
    ----------
    Runge, Conditional independence testing based on a nearest-neighbor estimator of conditional
    mutual information, AISTATS 2018.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_infomax import conditional_mutual_info
    >>> z = np.arange(400) % 4
    >>> value, (low, high) = conditional_mutual_info(z % 2, z // 2, z)
    >>> round(value, 2)
    0.0
    """
    checked = {"return_p_value": return_p_value, "n_permutations": n_permutations}
    check_arguments("conditional_mutual_info", _CONSTRAINTS, **checked)
    estimator = MutualInfoEstimator(**settings)._validated()
    sides = {name: read_columns(side, name) for name, side in (("X", X), ("y", y), ("z", z))}
    kept = complete_rows(sides, estimator.missing)
    given = {name: take_rows(columns, kept) for name, columns in sides.items()}
    estimate, findings = conditional_estimate(estimator, given)
    _say_of_sides(given, estimator.block_length, findings)
    unit = UNITS[estimator.units]
    found = estimate.value * unit, (estimate.low * unit, estimate.high * unit)
    if not return_p_value:
        return found
    return *found, conditional_p_value(estimator, given, n_permutations)


def mutual_info_scores(
    X: ArrayLike,
    y: ArrayLike,
    *,
    column_groups: Mapping[Any, Sequence[Any]] | None = None,
    return_interval: bool = False,
    return_p_values: bool = False,
    missing: str = "error",
    confidence_level: float = 0.95,
    block_length: int = 1,
    n_permutations: int = 199,
    random_state: Any = 0,
    verbose: int = 0,
) -> Any:
    """Mutual information of each column of X with y.

    A score function for `SelectKBest` where X is numbers; for frames with columns of any kind
    take `MutualInfoSelector`.

    Parameters
    ----------
    X : array-like of shape (n, d)
        Columns of any kind.
    y : array-like of shape (n,) or (n, 1)
        Numbers, dates or labels.
    column_groups : dict of str to list, default=None
        Columns of X, by name or position, that count as one under a name; columns that no group
        has stand for themselves.
    return_interval : bool, default=False
        Whether to give the ends of the interval too.
    return_p_values : bool, default=False
        Whether to give p-values of independence too, from permutations of y, as `SelectFdr` and
        its kind take them.
    missing : {"error", "drop", "level"}, default="error"
        As in `MutualInfoEstimator`; "drop" leaves out, for each column, the rows where it or y
        misses a value.
    confidence_level : float, default=0.95
        Of the interval.
    block_length : int, default=1
        As in `MutualInfoEstimator`.
    n_permutations : int, default=199
        For the p-values; beyond the reach of so many, a normal tail is fitted to them.
    random_state : int, RandomState instance or None, default=0
        Seed of the permutations.
    verbose : int, default=0
        1 shows a bar in terminals and notebooks, and a line every few seconds where the output is
        piped.

    Returns
    -------
    scores : ndarray of shape (d,), or series or frame
        With the names of the columns where X has some: a series of pandas, or a frame of polars
        or Arrow with the columns "column" and "mutual_info". Nats: by nearest neighbours and a
        model of shifts, each weighted by its variance; by counts where both columns are read by
        their levels; by `MutualInfoEstimator` for groups of columns.
    interval : ndarray of shape (d, 2), or frame with "low" and "high"
        Lower and upper ends, if asked for.
    p_values : ndarray of shape (d,), or series or frame
        If asked for; as the scores, under "p_value".

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sk_infomax import mutual_info_scores
    >>> X, y = load_iris(return_X_y=True, as_frame=True)
    >>> mutual_info_scores(X, y).idxmax()
    'petal length (cm)'
    """
    check_arguments(
        "mutual_info_scores",
        _CONSTRAINTS,
        return_interval=return_interval,
        return_p_values=return_p_values,
        missing=missing,
        confidence_level=confidence_level,
        block_length=block_length,
        n_permutations=n_permutations,
        random_state=random_state,
        verbose=verbose,
    )
    items, target = items_of(read_columns(X, "X"), column_groups, missing), target_of(y, missing)
    options = {"missing": missing, "confidence_level": confidence_level}
    options |= {"block_length": block_length, "random_state": random_state}
    columns = followed(items, len(items), "column", verbose)
    found = [information_of(item, target, options) for item in columns]
    rows_count = block_length == 1 and (return_interval or return_p_values)
    of_rows = alike_items(items, target) if rows_count else []
    say_of_items([items, [target]], of_rows, zip([item.where for item in items], found))
    names, estimates = [item.name for item in items], [one.estimate for one in found]
    result = [like_column([one.value for one in estimates], names, "mutual_info", X)]
    if return_interval:
        ends = np.array([[one.low, one.high] for one in estimates])
        result.append(like_table(ends, names, ["low", "high"], X))
    if return_p_values:
        options["n_permutations"] = n_permutations
        tests = followed(items, len(items), "test", verbose)
        p_values = [p_value_of(item, target, options) for item in tests]
        result.append(like_column(p_values, names, "p_value", X))
    return result[0] if len(result) == 1 else tuple(result)


def mutual_info_matrix(
    X: ArrayLike,
    n_jobs: int | None = None,
    *,
    column_groups: Mapping[Any, Sequence[Any]] | None = None,
    return_interval: bool = False,
    missing: str = "error",
    confidence_level: float = 0.95,
    block_length: int = 1,
    verbose: int = 0,
) -> Any:
    """Mutual information of every two columns.

    Parameters
    ----------
    X : array-like of shape (n, d)
        Columns of any kind.
    n_jobs : int or None, default=None
        Processes, as in scikit-learn.
    column_groups : dict of str to list, default=None
        As in `mutual_info_scores`.
    return_interval : bool, default=False
        Whether to give the ends of the intervals too.
    missing : {"error", "drop", "level"}, default="error"
        As in `mutual_info_scores`.
    confidence_level : float, default=0.95
        Of the intervals.
    block_length : int, default=1
        As in `MutualInfoEstimator`.
    verbose : int, default=0
        1 shows a bar in terminals and notebooks, and a line every few seconds where the output is
        piped.

    Returns
    -------
    matrix : ndarray of shape (d, d), or a frame with the names where X is one
        Nats, symmetric. A column with itself has its entropy if it is read by its levels, and
        infinity if it has an order.
    low, high : the same
        Ends of the intervals, if asked for.

    Examples
    --------
    >>> from sk_infomax import mutual_info_matrix
    >>> mutual_info_matrix([["a", "x"], ["b", "y"]] * 20).round(2).tolist()
    [[0.69, 0.69], [0.69, 0.69]]
    """
    check_arguments(
        "mutual_info_matrix",
        _CONSTRAINTS,
        n_jobs=n_jobs,
        return_interval=return_interval,
        missing=missing,
        confidence_level=confidence_level,
        block_length=block_length,
        verbose=verbose,
    )
    items = items_of(read_columns(X, "X"), column_groups, missing)
    size, options = len(items), {"missing": missing, "confidence_level": confidence_level}
    options |= {"block_length": block_length, "random_state": 0}
    pairs = [(i, j) for i in range(size) for j in range(i + 1, size)]
    found = Parallel(n_jobs=n_jobs)(
        delayed(information_of)(items[i], items[j], options)
        for i, j in followed(pairs, len(pairs), "pair", verbose)
    )
    of_rows = alike_items(items) if return_interval and block_length == 1 else []
    places = [f"{items[i].where} and {items[j].where}" for i, j in pairs]
    say_of_items([items], of_rows, zip(places, found))
    own = np.diag([own_entropy(item) for item in items])
    names, tables = [item.name for item in items], []
    for field in ("value", "low", "high") if return_interval else ("value",):
        table = own.copy()
        for (i, j), one in zip(pairs, found):
            table[i, j] = table[j, i] = getattr(one.estimate, field)
        tables.append(like_columns(table, names, X, names))
    return tuple(tables) if return_interval else tables[0]


def lagged_mutual_info(
    x: ArrayLike,
    y: ArrayLike,
    lags: Iterable[int],
    given: ArrayLike | None = None,
    *,
    block_length: int | str = "auto",
    **settings: Any,
) -> Any:
    """Mutual information of a series with what another one was some moments before.

    Parameters
    ----------
    x, y : array-like of shape (n,) or (n, d)
        Two series, row by row the same moments.
    lags : iterable of int
        How many moments x is ahead: ``y[t]`` is set against ``x[t - lag]``; negative lags set it
        against the future of x.
    given : array-like of shape (n,) or (n, d), default=None
        What is known at the moment of y, such as its own past; the information is then that
        given it.
    block_length : int or "auto", default="auto"
        Rows that remember each other; see `MutualInfoEstimator`. "auto" is the cube root of n, or
        as many rows as the slower of the two series takes to forget itself.
    **settings : object
        Parameters of `MutualInfoEstimator`.

    Returns
    -------
    ndarray of shape (n_lags, 4), or a frame where x or y is a series or frame
        Lag, estimate in nats or the `units` asked for, lower and upper end.

    Raises
    ------
    ValueError
        For lags that leave fewer than 20 pairs, and for series of unequal length.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_infomax import lagged_mutual_info
    >>> x = np.random.RandomState(0).randint(0, 2, 600)
    >>> table = lagged_mutual_info(x, np.roll(x, 2), [0, 2], block_length=1)
    >>> table[:, 1].round(1).tolist()
    [0.0, 0.7]
    """
    lags = _lags_of(lags)
    check_arguments("lagged_mutual_info", _OF_LAGS, block_length=block_length)
    sides = {name: read_columns(side, name) for name, side in (("x", x), ("y", y))}
    if given is not None:
        sides["given"] = read_columns(given, "given")
    MutualInfoEstimator(**settings)._validated()
    complete_rows(sides, settings.get("missing", "error"))
    n, rows, found = len(sides["x"][0]), [], list[tuple[str, str]]()
    length = _memory(sides, n) if isinstance(block_length, str) else block_length
    estimator = MutualInfoEstimator(block_length=length, **settings)._validated()
    for lag in lags:
        if n - abs(lag) < _FEWEST_PAIRS:
            raise ValueError(
                f"lag {lag} leaves {n - abs(lag)} of {n} pairs; {_FEWEST_PAIRS} are needed. Ask "
                "for shorter lags."
            )
        now = np.arange(max(0, lag), n + min(0, lag))
        moved = {name: take_rows(columns, now) for name, columns in sides.items()}
        moved["x"] = take_rows(sides["x"], now - lag)
        ends, findings = _of_moments(estimator, moved)
        rows.append([lag, *ends])
        found += [(f"lag {lag}", finding) for finding in findings]
    _say_of_sides(sides, estimator.block_length, merged(found))
    names = ["lag", "mutual_info", "low", "high"]
    return like_columns(np.array(rows, dtype=float), names, x if is_frame(x) else y)


def _lags_of(lags: Any) -> list[int]:
    """Lags as whole numbers, checked."""
    if isinstance(lags, str | bytes) or not isinstance(lags, Iterable):
        raise TypeError(f"lags={lags!r} must be a list of whole numbers, for example range(5).")
    try:
        found = list(lags)
    except TypeError as error:  # an array of no dimensions
        raise TypeError(f"lags={lags!r} must be a list of whole numbers.") from error
    for lag in found:
        if isinstance(lag, bool) or not isinstance(lag, Integral):
            raise ValueError(f"lags has {lag!r}: give whole numbers of moments.")
    if not found:
        raise ValueError("lags is empty: give at least one, for example [0].")
    return [int(lag) for lag in found]


_FEWEST_PAIRS = 20  # under which no fold can be read
_FORGOTTEN = 0.2  # correlation with oneself from which a series counts as having forgotten; a rule


def _of_moments(
    estimator: MutualInfoEstimator, moved: dict[str, list[Column]]
) -> tuple[tuple[float, float, float], list[str]]:
    """Estimate and ends of moments that are lined up, and what should be said of them."""
    if "given" in moved:
        given = {"X": moved["x"], "y": moved["y"], "z": moved["given"]}
        estimate, findings = conditional_estimate(estimator, given)
    else:
        learned = estimator._learn(Sides(moved["x"], moved["y"]), for_reading=False)[1]
        estimate, findings = learned.estimate, learned.findings
    unit = UNITS[estimator.units]
    return (estimate.value * unit, estimate.low * unit, estimate.high * unit), findings


def _say_of_sides(sides: dict[str, list[Column]], block_length: int, found: list[str]) -> None:
    """Say what there is of columns, of the rows of the first two sides, and what was found."""
    x, y, *given = (Columns(columns, argument=name) for name, columns in sides.items())
    of_columns = [finding for known in (x, y, *given) for finding in known.findings]
    of_x, of_y, *_ = sides.values()
    say(
        [*of_columns, *alike((x, y), Sides(of_x, of_y), Rows(block_length)), *found],
        EstimateWarning,
    )


def _memory(sides: dict[str, list[Column]], n: int) -> int:
    """Rows after which the correlation of a series with itself has fallen off."""
    longest = round(n ** (1 / 3))
    for columns in sides.values():
        for column in columns:
            numbers = Columns([column]).apply([column])
            if not numbers.shape[1]:
                continue
            values = numbers[:, 0] - numbers[:, 0].mean()
            spread = float(values @ values) or 1.0
            for lag in range(1, n // 8):
                if abs(float(values[lag:] @ values[:-lag])) < _FORGOTTEN * spread:
                    break
            longest = max(longest, lag)
    return int(longest)

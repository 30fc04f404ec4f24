"""Information of discrete pairs, from counts that may be thin.

The side of more entropy gives the rows, the other the outcomes; `_mixture` says what rows can be.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from scipy.special import digamma, xlogy
from scipy.stats import norm

from ._mixture import CONCENTRATIONS, Mixture, Parts, Table, dirichlet, null, one_outcome

__all__ = [
    "CountRatio",
    "Estimate",
    "codes_of_rows",
    "conditional_information",
    "corrected_entropy",
    "entropy_ceiling",
    "permutation_p_value",
    "plug_in_of_orders",
]

_MISFIT = 0.35  # cost of a wrong mixture, in shares of what it corrects (640 drawn tables)
_MISFIT_IN_STRATA = 0.7  # the same where margins nearly fix a stratum's rows (240 drawn tables)
_THIN = 0.1  # share of pairs in levels seen once from which a finding names the coverage; a rule
_WIDE = 0.2  # width of the interval, in shares of the ceiling, from which it does; a rule
_PROFILES = 20  # most frequent rows of y that rows of x are described by: as many as indicators
_TABLE_SIZE = 16  # cells for each pair up to which a table is smaller than sorting them; a rule


@dataclass(frozen=True)
class Estimate:
    """Information in nats with its interval.

    Attributes
    ----------
    value : float
        The estimate, at least 0.
    low, high : float
        Ends of the confidence interval, within 0 and what the entropies allow.
    standard_error : float
        Half the width of the interval over the normal quantile.
    finding : str or None
        Where coverage makes the interval wide: what was seen how often, and the remedy.
    """

    value: float
    low: float
    high: float
    standard_error: float
    finding: str | None = None


def codes_of_rows(columns: np.ndarray) -> np.ndarray:
    """One whole number (n,), from 0 on, for each different row of columns (n,) or (n, d)."""
    columns = np.asarray(columns)
    codes = np.zeros(len(columns), dtype=np.int64)
    for column in columns.reshape(len(columns), -1).T:
        _, level = np.unique(column, return_inverse=True)
        # Renumbered at each column, so that no number of columns overflows.
        _, codes = np.unique(codes * (level.max() + 1) + level, return_inverse=True)
    return codes


# Entropies ---------------------------------------------------------------------------------


def plug_in_entropy(counts: np.ndarray) -> float:
    """Entropy in nats of the shares of counts (k,)."""
    # Sorted, so that new names for the levels cannot change the last digit, and with it which
    # side gives the rows.
    shares = np.sort(counts) / counts.sum()
    return float(-xlogy(shares, shares).sum())


def corrected_entropy(counts: np.ndarray) -> float:
    """Entropy in nats, what levels not seen may add included (Chao, Wang and Jost 2013).

    At most the log of how many levels there may be.
    """
    n = int(counts.sum())
    seen = float((counts / n * (digamma(n) - digamma(counts))).sum())
    once, twice = int((counts == 1).sum()), int((counts == 2).sum())
    if once == 0 or n < 3:
        return min(seen, _log_of_levels(counts))
    # Mean share of a level seen once, from those seen twice (Good and Turing).
    doubles = 2 * twice if twice else 2 / max(once, 1)
    share = doubles / ((n - 1) * once + doubles)
    powers = np.arange(1, n)
    series = (np.exp(powers * math.log1p(-share)) / powers).sum()
    unseen = once / n * math.exp((1 - n) * math.log1p(-share)) * (-math.log(share) - series)
    return min(seen + max(0.0, float(unseen)), _log_of_levels(counts))


def _log_of_levels(counts: np.ndarray) -> float:
    """Log of how many levels there may be.

    That is the number seen where none was seen once (all are known) or none twice (nothing says
    how many more there are), and else Chao's estimate.
    """
    once, twice = int((counts == 1).sum()), int((counts == 2).sum())
    # Chao 1984, the form that corrects its bias.
    unseen = once * (once - 1) / (2 * (twice + 1)) if twice else 0.0
    return math.log(len(counts) + unseen)


def _entropy_ceiling(counts: np.ndarray, quantile: float) -> float:
    """Upper confidence end of an entropy; at most the log of how many levels there may be."""
    n, shares = counts.sum(), counts / counts.sum()
    spread = float((shares * np.log(shares) ** 2).sum()) - plug_in_entropy(counts) ** 2
    error = math.sqrt((max(spread, 0.0) + (len(counts) - 1) / (2 * n)) / n)
    return min(corrected_entropy(counts) + quantile * error, _log_of_levels(counts))


def entropy_ceiling(codes: np.ndarray, level: float) -> float:
    """Upper confidence end in nats of the entropy of rows of codes (n,) or (n, d)."""
    counts = np.bincount(codes_of_rows(codes))
    return _entropy_ceiling(counts, float(norm.ppf(0.5 + level / 2)))


# Estimates ---------------------------------------------------------------------------------


def _interval(
    mixture: Mixture, scale: float, misfit: float, ceiling: float, level: float
) -> tuple[float, float, float]:
    """Estimate and ends in nats; `scale` is for outcomes that were not seen."""
    plug_in = mixture.table.plug_in()
    quantile, middle = float(norm.ppf(0.5 + level / 2)), mixture.mean(mixture.posterior)
    ends = [mixture.end(sign, quantile**2 / 2) for sign in (-1, 1)]
    error = math.hypot(math.sqrt(mixture.variance()) * scale, middle * (scale - 1) / 2)
    wrong = [misfit * _left(plug_in, nats * scale) for nats in (middle, ends[1])]
    below, above = (
        math.hypot((end - middle) * scale, quantile * error, quantile * one)
        for end, one in zip(ends, wrong)
    )
    value = min(mixture.certainty * middle * scale, ceiling)
    low, high = middle * scale - below, min(middle * scale + above, ceiling)
    # An e-value: independence would give evidence of 1 / a at most once in 1 / a (Markov).
    if mixture.gain < -math.log(1 - level):
        low = 0.0
    return value, max(0.0, min(low, value)), max(high, value)


def _left(plug_in: float, nats: float) -> float:
    """What a wrong mixture that says `nats` may be wrong about, in nats.

    Most where the mixture decides; nothing where the table or independence does.
    """
    return abs(plug_in - nats) * nats / max(plug_in, nats, 1e-300)


def _finding(
    table: Table, low: float, high: float, ceiling: float, rows_of_unit: float
) -> str | None:
    """What to say of an interval that coverage makes wide."""
    n = table.size @ table.times
    once = float(table.times @ (table.size * (table.size <= 1)) / n)
    if once < _THIN or high - low < _WIDE * ceiling:
        return None
    cells = table.times[table.row] @ (table.count * (table.count <= 1)) / n
    return (
        f"{once:.0%} of the {n * rows_of_unit:.0f} rows hold a level, or a combination of levels, "
        f"that was seen once (Good-Turing coverage {1 - once:.0%}; of pairs {1 - cells:.0%}), and "
        f"tell nothing of the dependence: the information may lie anywhere in {low:.3g} to "
        f"{high:.3g} nats. Merge rare levels, give fewer columns or more rows."
    )


class CountRatio:
    """Information of two discrete sides and its log density ratio, from counts.

    Parameters
    ----------
    x, y : ndarray of int of shape (n, dx) and (n, dy), or (n,)
        Codes of the values of each column. Several columns of a side are read as joint rows.
    rows_of_unit : float, default=1.0
        Rows that may be one observation, as in groups or blocks: n pairs then are counted as
        n / rows_of_unit of them, so that what chance adds is taken off for as many.
    times : ndarray of int of shape (n,) or None, default=None
        How often each pair was seen; None says once.
    """

    def __init__(
        self,
        x: np.ndarray,
        y: np.ndarray,
        rows_of_unit: float = 1.0,
        times: np.ndarray | None = None,
    ):
        self.rows_of_unit = rows_of_unit
        self.rows_x, of_x = _distinct(x)
        self.rows_y, of_y = _distinct(y)
        if times is None:
            pairs = np.column_stack([of_x, of_y])
            self._pairs, self._times = np.unique(pairs, axis=0, return_counts=True)
        else:
            order = np.lexsort([of_y, of_x])
            self._pairs, self._times = np.column_stack([of_x, of_y])[order], times[order]
        of_x, of_y = self._pairs.T
        self.counts_x, self.counts_y = (_summed(of, self._times) for of in (of_x, of_y))
        # Outcomes are the side that is known better; a tie goes to y.
        self.turned = plug_in_entropy(self.counts_x) < plug_in_entropy(self.counts_y)
        rows, outcomes = (of_y, of_x) if self.turned else (of_x, of_y)
        table = Table.count_pairs(rows, outcomes, np.zeros_like(rows), self._times)
        self.table = table.of_units(rows_of_unit)
        without = null(self.table)
        self._near_margin = dirichlet(self.table, without)
        self._all = Parts.joined(self._near_margin, one_outcome(self.table, without))

    def joint_counts(self) -> dict[str, np.ndarray]:
        """Each kind of pair once, x (k, dx) and y (k, dy), and how often (k,) it was seen."""
        at_x, at_y = self._pairs.T
        return {"x": self.rows_x[at_x], "y": self.rows_y[at_y], "times": self._times}

    @classmethod
    def of_joint_counts(cls, arrays: dict[str, np.ndarray], rows_of_unit: float) -> CountRatio:
        """The same as of the pairs that were counted."""
        return cls(arrays["x"], arrays["y"], rows_of_unit, arrays["times"])

    @property
    def n_profiles(self) -> int:
        """How many of the most frequent rows of y `profiles` knows."""
        return min(_PROFILES, len(self.counts_y))

    def profiles(self, x: np.ndarray) -> np.ndarray:
        """Log ratio (n, k) of rows x (n, dx) with each of the most frequent rows of y."""
        frequent = self.counts_y.argsort(kind="stable")[::-1][: self.n_profiles]
        ratios = [self.log_ratio(x, np.repeat(self.rows_y[[y]], len(x), 0)) for y in frequent]
        return np.column_stack(ratios)

    def entropies(self) -> tuple[float, float]:
        """Entropies of x and y in nats, levels not seen included."""
        return corrected_entropy(self.counts_x), corrected_entropy(self.counts_y)

    def estimate(self, level: float = 0.95) -> Estimate:
        """Information in nats with its interval of confidence `level`."""
        if min(len(self.counts_x), len(self.counts_y)) < 2:
            return Estimate(0.0, 0.0, 0.0, 0.0)
        quantile = float(norm.ppf(0.5 + level / 2))
        wide = quantile * math.sqrt(self.rows_of_unit)
        ceiling = min(_entropy_ceiling(c, wide) for c in (self.counts_x, self.counts_y))
        outcomes = self.counts_x if self.turned else self.counts_y
        scale = max(1.0, corrected_entropy(outcomes) / plug_in_entropy(outcomes))
        mixture = Mixture.fit(self.table, self._all)
        value, low, high = _interval(mixture, scale, _MISFIT, ceiling, level)
        finding = _finding(self.table, low, high, ceiling, self.rows_of_unit)
        return Estimate(value, low, high, (high - low) / (2 * quantile), finding)

    def log_ratio(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Pointwise information (n,) in nats, shrunk by what the rows' mixture knows.

        A row that was seen once, or a pair never seen, is drawn to 0 by the evidence of all
        other rows; a level that was never seen tells nothing: 0.
        """
        at_x, at_y = _find(self.rows_x, x), _find(self.rows_y, y)
        row, outcome = (at_y, at_x) if self.turned else (at_x, at_y)
        known = (row >= 0) & (outcome >= 0)
        ratio = self._ratio(self.table.kept[row[known]], outcome[known])
        values = np.zeros(len(known))
        values[known] = np.log(ratio)
        return values

    def _ratio(self, row: np.ndarray, outcome: np.ndarray) -> np.ndarray:
        """Posterior mean (n,) of the density ratio in kept rows and outcomes (n,)."""
        table, mixture = self.table, Mixture.fit(self.table, Parts.joined(self._near_margin))
        own = mixture.posterior[:, 1:] / (table.size[:, None] + CONCENTRATIONS)
        base = mixture.posterior[:, 0] + own @ CONCENTRATIONS
        key = table.row * len(table.share) + table.margin
        wanted = row * len(table.share) + outcome
        place = np.searchsorted(key, wanted).clip(max=len(key) - 1)
        count = np.where(key[place] == wanted, table.count[place], 0.0)
        ratio = base[row] + count * own.sum(1)[row] / table.share[outcome]
        return 1 - mixture.certainty + mixture.certainty * ratio


def conditional_information(
    x: np.ndarray, y: np.ndarray, z: np.ndarray, level: float = 0.95, rows_of_unit: float = 1.0
) -> Estimate:
    """Information of x and y given z, all discrete, with its interval.

    Within each stratum of z, rows are compared with the stratum's own margin, which is drawn to
    that of all pairs as far as z tells nothing. Both terms of the chain rule thus share their
    counts, and strata of few pairs say little.

    Parameters
    ----------
    x, y, z : ndarray of int of shape (n,) or (n, d)
        Codes of the values.
    level : float, default=0.95
        Of the interval.
    rows_of_unit : float, default=1.0
        As in `CountRatio`.

    Returns
    -------
    Estimate
        In nats.
    """
    x, y, z = (codes_of_rows(side) for side in (x, y, z))
    counts_x, counts_y = np.bincount(x), np.bincount(y)
    if min(len(counts_x), len(counts_y)) < 2:
        return Estimate(0.0, 0.0, 0.0, 0.0)
    if plug_in_entropy(counts_x) < plug_in_entropy(counts_y):
        x, y, counts_y = y, x, counts_x
    quantile = float(norm.ppf(0.5 + level / 2))
    wide = quantile * math.sqrt(rows_of_unit)
    ceiling = min(_entropy_ceiling(np.bincount(side), wide) for side in (x, y))
    rows = codes_of_rows(np.column_stack([z, x]))
    table = Table.count_pairs(rows, y, z).of_units(rows_of_unit)
    of_margin = np.unique(z * len(counts_y) + y) % len(counts_y)
    table = table.with_margins_near(_told_by(z, y, rows_of_unit), (counts_y / len(y))[of_margin])
    mixture = Mixture.fit(table, Parts.joined(dirichlet(table, null(table))))
    value, low, high = _interval(mixture, 1.0, _MISFIT_IN_STRATA, ceiling, level)
    finding = _finding(table, low, high, ceiling, rows_of_unit)
    return Estimate(value, low, high, (high - low) / (2 * quantile), finding)


def _told_by(z: np.ndarray, y: np.ndarray, rows_of_unit: float) -> np.ndarray:
    """How far (s,) the distribution of y in each stratum is its own, 0 to 1."""
    table = Table.count_pairs(z, y, np.zeros_like(z)).of_units(rows_of_unit)
    mixture = Mixture.fit(table, Parts.joined(dirichlet(table, null(table))))
    own = table.size[:, None] / (table.size[:, None] + CONCENTRATIONS)
    return mixture.certainty * (mixture.posterior[:, 1:] * own).sum(1)[table.kept]


def permutation_p_value(
    x: np.ndarray,
    y: np.ndarray,
    z: np.ndarray | None = None,
    n_permutations: int = 999,
    random_state: int | np.random.RandomState = 0,
    orders: Iterator[np.ndarray] | None = None,
) -> float:
    """Exact test of independence of x and y, within the levels of z if it is given.

    Parameters
    ----------
    x, y, z : ndarray of int of shape (n,) or (n, d)
        Codes of the values.
    n_permutations : int, default=999
        How many permutations to compare with.
    random_state : int or RandomState, default=0
        Of the permutations.
    orders : iterator of ndarray of shape (n,), optional
        The pairs' own order and then other ones, in place of random permutations.

    Returns
    -------
    float
        Share of permutations, the pairs themselves among them, of as large a plug-in.
    """
    rng = np.random.RandomState(random_state) if isinstance(random_state, int) else random_state
    x, y = codes_of_rows(x), codes_of_rows(y)
    if orders is not None:
        return _share_as_large(
            [_joint_sum(x * (y.max() + 1) + y[o], _terms(len(x))) for o in orders]
        )
    z = np.zeros_like(x) if z is None else codes_of_rows(z)
    order = np.argsort(z, kind="stable")
    x, y, z = codes_of_rows(np.column_stack([z, x]))[order], y[order], z[order]
    # Only the joint counts change, and only through the sum of count log count.
    terms = _terms(len(x))
    rows = x * (y.max() + 1)
    draws = np.array([_joint_sum(rows + y, terms)] * (1 + n_permutations))
    for number in range(1, 1 + n_permutations):
        mixed = y[np.argsort(z + rng.random_sample(len(z)))] if z[-1] else rng.permutation(y)
        draws[number] = _joint_sum(rows + mixed, terms)
    return _share_as_large(draws)


def plug_in_of_orders(x: np.ndarray, y: np.ndarray) -> Callable[[np.ndarray], float]:
    """Plug-in information in nats of codes x (n,) and of y (n,) in an order that is given later."""
    x, y = codes_of_rows(x), codes_of_rows(y)
    terms, rows, n = _terms(len(x)), x * (y.max() + 1), len(x)
    # What the margins say is the same in every order.
    apart = math.log(n) - sum(terms[np.bincount(side)].sum() for side in (x, y)) / n
    return lambda order: max(0.0, apart + _joint_sum(rows + y[order], terms) / n)


def _terms(n: int) -> np.ndarray:
    """Count times its logarithm (n + 1,), for counts from 0 on."""
    return xlogy(np.arange(n + 1), np.arange(n + 1))


def _share_as_large(draws: np.ndarray | list[float]) -> float:
    """Share of draws that reach the first, ties by rounding included."""
    values = np.asarray(draws)
    return float(np.mean(values >= values[0] - 1e-9 * np.abs(values[0])))


def _joint_sum(cells: np.ndarray, terms: np.ndarray) -> float:
    """Sum of `terms` at the counts of cells (n,), by a table only where that is small."""
    if cells.max() < _TABLE_SIZE * len(cells):
        return float(terms[np.bincount(cells)].sum())
    ordered = np.sort(cells)
    ends = np.flatnonzero(np.concatenate([ordered[1:] != ordered[:-1], [True]]))
    return float(terms[np.diff(ends, prepend=-1)].sum())


def _summed(places: np.ndarray, times: np.ndarray) -> np.ndarray:
    """How often each place (k,) was seen, of places (n,) that were seen several times."""
    return np.bincount(places, times).astype(np.int64)


def _distinct(side: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Different rows of a side (n,) or (n, d), and the number of each pair's."""
    side = np.asarray(side).reshape(len(side), -1)
    codes = codes_of_rows(side)
    _, first = np.unique(codes, return_index=True)
    return side[first], codes


def _find(known: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Position of each row among known ones, -1 for others."""
    place = {tuple(row): number for number, row in enumerate(known.tolist())}
    rows = np.asarray(rows).reshape(len(rows), -1)
    return np.array([place.get(tuple(row), -1) for row in rows.tolist()])

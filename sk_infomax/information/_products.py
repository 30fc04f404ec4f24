"""A column that a product of several columns tells: parities, and what acts together.

Any function of X tells no more of y than X does, so that one column that is made of several, set
against y, is a bound from below of which neighbours see nearly all. Here it is the product of some
normal scores, whose sign is the parity of theirs: no curve of a single column and no sum of such
shows anything of it. Which columns act together is told by tables of ranks.
"""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
from scipy.stats import chi2

from .._columns._kinds import Column, read_values
from ._columns import LearnedColumn
from ._neighbours import single_pair_information
from ._shifts import NOTHING, Shifted

__all__ = ["told_of_products"]

_MOST_FACTORS = 4  # columns that act together; of five and more, no few thousand rows tell; a rule
_MOST_PRODUCTS = 2000  # that are looked at, in half a second; a rule
_MOST_ROWS = 20_000  # by which they are told; as many as neighbours need
_FEWEST_ROWS = 200  # under which tables are chance; a rule
_CELLS = 12  # along a product, and along y where it has an order; a rule
_MOST_LEVELS = 20  # of y, the most that are indicators
_FALSE = 1e-3  # chance that of all products of independent columns any is taken for one that tells
_CENTRES = 25  # values that are tried as the middle of each factor; a rule
_FARTHEST = 4.0  # of these from 0, over the root of n: three standard errors of a median
_ROUNDS = 2  # in which the middles are sought one after the other; a rule
_BLUR = 0.25  # nats times the root of n that each middle costs (three drawn parities)
_SCORES_AWAY = 1e-9  # under which a product counts as 0, whose sign means nothing


def told_of_products(scores: np.ndarray, y: Column, known: LearnedColumn) -> Shifted:
    """What the product that tells most says of a column.

    Parameters
    ----------
    scores : ndarray of shape (n, d)
        Normal scores of columns.
    y : Column
        The other side.
    known : LearnedColumn
        What is known of it.
    """
    n = len(scores)
    codes = _codes(y, known)
    if n < _FEWEST_ROWS or codes is None:
        return NOTHING
    rows = np.random.RandomState(0).permutation(n)[:_MOST_ROWS]
    sets, codes = _sets(scores.shape[1]), codes[rows]
    told = [_told(_product(scores[rows], one), codes, len(sets)) for one in sets]
    best = int(np.argmax(told))
    if told[best] == 0 or len(sets[best]) == 1:
        return NOTHING
    factors = _centred(scores[rows][:, list(sets[best])], codes)
    made = read_values(_product(factors, tuple(range(len(sets[best])))), "product")
    one = single_pair_information(made, LearnedColumn.learn(made, False), y.take(rows), known)
    error = math.hypot(one.standard_error, _BLUR * len(sets[best]) / math.sqrt(n))
    return Shifted(one.value, error, (one.value / error) ** 2 / 2)


def _sets(d: int) -> list[tuple[int, ...]]:
    """Columns by themselves and up to four together, as long as they are not too many."""
    found: list[tuple[int, ...]] = []
    for size in range(1, min(d, _MOST_FACTORS) + 1):
        if len(found) + math.comb(d, size) > _MOST_PRODUCTS:
            break
        found += combinations(range(d), size)
    return found


def _product(scores: np.ndarray, columns: tuple[int, ...]) -> np.ndarray:
    """Product (n,) of columns."""
    found = scores[:, list(columns)].prod(1)
    return np.where(np.abs(found) < _SCORES_AWAY, 0.0, found)


def _centred(factors: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Factors (n, k) about the values where the sign of their product tells most of y.

    The middle of a sample is not that of the distribution, and each row between the two has the
    wrong sign.
    """
    factors = factors.copy()
    steps = np.linspace(-1, 1, _CENTRES) * _FARTHEST / math.sqrt(len(factors))
    for column in list(range(factors.shape[1])) * _ROUNDS:
        rest = np.delete(factors, column, axis=1).prod(1)
        own = factors[:, column]
        told = [_deviance(((own - step) * rest > 0).astype(np.int64), codes) for step in steps]
        factors[:, column] -= steps[int(np.argmax(told))]
    return factors


def _codes(y: Column, known: LearnedColumn) -> np.ndarray | None:
    """Cell (n,) of each row of y: its level, or a stretch of ranks; None for many levels."""
    if known.order is None:
        codes = known.levels.codes(y)
        return codes if len(known.levels) <= _MOST_LEVELS else None
    return _cells(known.order.scores(y))


def _cells(values: np.ndarray) -> np.ndarray:
    """Stretch of ranks (n,) that values lie in."""
    ranks = np.empty(len(values), dtype=np.int64)
    ranks[np.argsort(values, kind="stable")] = np.arange(len(values))
    return ranks * _CELLS // len(values)


def _told(product: np.ndarray, codes: np.ndarray, count: int) -> float:
    """Nats that the table of a product and y shows; 0 where that may be chance."""
    cells = _cells(product)
    freedom = (_CELLS - 1) * int(codes.max())
    deviance = _deviance(cells, codes)
    if freedom == 0 or deviance < chi2.isf(_FALSE / count, freedom):
        return 0.0
    return (deviance - freedom) / (2 * len(codes))


def _deviance(cells: np.ndarray, codes: np.ndarray) -> float:
    """Twice the evidence in nats that cells and codes (n,) go together, chance included."""
    n, size = len(codes), int(codes.max()) + 1
    table = np.bincount(cells * size + codes, minlength=(int(cells.max()) + 1) * size)
    table = table.reshape(-1, size)
    expected = table.sum(1, keepdims=True) * table.sum(0) / n
    seen = table > 0
    return 2 * float((table[seen] * np.log(table[seen] / expected[seen])).sum())

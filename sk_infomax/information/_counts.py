"""Information of discrete pairs, from the table of their counts."""

from __future__ import annotations

import math

import numpy as np

__all__ = ["CountRatio"]


class CountRatio:
    """Log density ratio of discrete pairs, from counts.

    Parameters
    ----------
    x, y : ndarray of int of shape (n, dx) and (n, dy)
        Codes of the values of each column.
    """

    def __init__(self, x: np.ndarray, y: np.ndarray):
        self.rows_x, of_x = np.unique(x, axis=0, return_inverse=True)
        self.rows_y, of_y = np.unique(y, axis=0, return_inverse=True)
        self.counts = np.zeros((len(self.rows_x), len(self.rows_y)))
        np.add.at(self.counts, (of_x.ravel(), of_y.ravel()), 1.0)

    def bias(self) -> float:
        """What the mean log ratio of the sample exceeds the information by (Miller 1955)."""
        filled = [(self.counts.sum(axis) > 0).sum() for axis in (1, 0)]
        return float(((self.counts > 0).sum() + 1 - sum(filled)) / (2 * self.counts.sum()))

    def error(self, ratio: np.ndarray) -> float:
        """Standard error of the mean log ratio (n,) of the sample, less its bias.

        Of first order from the spread over pairs, of second from the chi-squared distribution
        that independent sides would give.
        """
        n = len(ratio)
        freedom = (len(self.rows_x) - 1) * (len(self.rows_y) - 1)
        return math.sqrt(ratio.var() / n + freedom / (2 * n**2))

    def log_ratio(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Pointwise information (n,) in nats; a pair never seen counts as half a pair.

        A value that was never seen alone tells nothing: 0.
        """
        at_x, at_y = _find(self.rows_x, x), _find(self.rows_y, y)
        known = (at_x >= 0) & (at_y >= 0)
        joint = np.maximum(self.counts[at_x, at_y], 0.5)
        product = self.counts.sum(1)[at_x] * self.counts.sum(0)[at_y] / self.counts.sum()
        return np.where(known, np.log(joint / product), 0.0)


def _find(known: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Position of each row among known ones, -1 for others."""
    place = {tuple(row): number for number, row in enumerate(known.tolist())}
    return np.array([place.get(tuple(row), -1) for row in rows.tolist()])

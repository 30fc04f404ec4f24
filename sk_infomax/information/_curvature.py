"""How curved the sides of pairs are in themselves, beyond what any linear map or scale explains.

Columns of one side that depend on each other in curves, as after an invertible network, hide what
they share with the other side from critics that see it straight. How much there is comes in closed
form from the third and fourth cumulants (the leading terms of Edgeworth's series of the
negentropy; Jones and Sibson 1987). Before that, rows are whitened and their lengths brought to
those of normal ones (radial Gaussianization; Lyu and Simoncelli 2009), since a scale that all
columns share, as in Student distributions, hides nothing.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.stats import chi

from ._gaussian import whitening

__all__ = ["curvature"]

_MOST_ROWS = 4000  # rows that are looked at, for a fifth of a second with 25 columns; a rule
_MOST_COLUMNS = 32  # of a side, since cumulants are its fourth power; what critics read as it is
_SURE = 3.0  # standard errors above 0 from which there is any; a rule


def curvature(side: np.ndarray) -> float:
    """Nats of dependence among columns that is neither linear nor a common scale; at least 0.

    Parameters
    ----------
    side : ndarray of shape (n, d)
        Normal scores. One column, or more than 32, have none.
    """
    n, d = min(len(side), _MOST_ROWS), side.shape[1]
    if not 2 <= d <= _MOST_COLUMNS or n <= d * d:
        return 0.0
    z = _of_normal_length(_white(side[:n]))
    third, fourth = _squared_cumulants(_white(z))
    # Standard deviations for normal rows: sums of squares over the cumulants that are different.
    error = math.hypot(math.sqrt(12 * d**3) / n / 12, math.sqrt(48 * d**4) / n / 48)
    found = third / 12 + fourth / 48
    return found if found > _SURE * error else 0.0


def _white(z: np.ndarray) -> np.ndarray:
    """Rows (n, d) of mean 0 and unit covariance."""
    z = z - z.mean(0)
    return z @ whitening(z.T @ z / len(z))


def _of_normal_length(z: np.ndarray) -> np.ndarray:
    """White rows (n, d) whose lengths are, by rank, those of normal ones."""
    n, d = z.shape
    length = np.linalg.norm(z, axis=1)
    rank = np.argsort(np.argsort(length, kind="stable"))
    return z * (chi(d).ppf((rank + 0.5) / n) / length.clip(min=1e-12))[:, None]


def _squared_cumulants(z: np.ndarray) -> tuple[float, float]:
    """Sums of squares of all third and fourth cumulants of white rows (n, d), less chance."""
    n, d = z.shape
    products = (z[:, :, None] * z[:, None, :]).reshape(n, -1)
    one = np.eye(d)
    normal = np.einsum("ij,kl->ijkl", one, one)
    normal = normal + normal.transpose(0, 2, 1, 3) + normal.transpose(0, 3, 2, 1)
    third = float(((products.T @ z / n) ** 2).sum())
    fourth = float(((products.T @ products / n - normal.reshape(d * d, -1)) ** 2).sum())
    by_chance = d * (d + 1) * (d + 2) / n
    return third - by_chance, fourth - by_chance * (d + 3)

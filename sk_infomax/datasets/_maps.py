"""Maps of one of a pair of arrays that can be inverted, so that the information stays."""

from __future__ import annotations

import numpy as np

__all__ = ["bimodal", "half_cube", "spiral", "swiss_roll", "wiggly"]

_SCALE = 21  # that the roll is divided by, as in the benchmark of Czyż et al. (NeurIPS 2023)


def half_cube(x: np.ndarray) -> np.ndarray:
    """Longer tails: ``sign(x) |x|**1.5``."""
    return np.sign(x) * np.abs(x) ** 1.5


def wiggly(x: np.ndarray) -> np.ndarray:
    """A line with waves on it, still increasing."""
    return x + 0.4 * np.sin(x) + 0.2 * np.sin(1.7 * x + 1) + 0.03 * np.sin(3.3 * x - 2.5)


def bimodal(x: np.ndarray) -> np.ndarray:
    """Two clusters: a steep step at 0 that pushes values apart."""
    return x + 4 * np.tanh(8 * x)


def spiral(x: np.ndarray, first: int = 0, speed: float | None = None) -> np.ndarray:
    """Turn two coordinates, `first` and the next, by an angle that grows with the length of x.

    The angle is `speed` times the squared length; the speed is 1 / d if it is None.
    """
    angle = (x**2).sum(axis=1) * (1 / x.shape[1] if speed is None else speed)
    cosine, sine = np.cos(angle), np.sin(angle)
    out = x.copy()
    out[:, first] = cosine * x[:, first] - sine * x[:, first + 1]
    out[:, first + 1] = sine * x[:, first] + cosine * x[:, first + 1]
    return out


def swiss_roll(x: np.ndarray) -> np.ndarray:
    """Roll a number in 0 .. 1 up in the plane: (n, 1) to (n, 2)."""
    angle = 1.5 * np.pi * (1 + 2 * x[:, 0])
    return np.stack([angle * np.cos(angle), angle * np.sin(angle)], axis=1) / _SCALE

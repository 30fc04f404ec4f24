"""Nearest neighbours where numbers are rounded, whole, or have points that many rows hold."""

import math

import numpy as np
import pytest

from sk_infomax import mutual_info_scores

N = 800
LOG_2 = math.log(2)


def _rounded(rng, step):
    """Normal pairs of correlation 0.8 on a lattice."""
    x = rng.normal(size=N)
    y = 0.8 * x + 0.6 * rng.normal(size=N)
    return np.round(x / step), np.round(y / step)


def _with_points(rng):
    """Normal pairs of correlation 0.9 in half of the rows, two signs by chance in the others."""
    x, noise = rng.normal(size=(2, N))
    points, apart = rng.choice([-1.0, 1.0], (2, N)), rng.uniform(size=N) < 0.5
    y = 0.9 * x + math.sqrt(1 - 0.81) * noise
    return np.where(apart, points[0], x), np.where(apart, points[1], y)


def _upper_half(rng):
    x = rng.randint(100, size=N)
    return x, (x >= 50).astype(int)


def _zero_inflated(rng):
    none = rng.uniform(size=N) < 0.4
    return [np.where(none, 0.0, 1 + rng.uniform(size=N)) for _ in "xy"]


OF_ZEROS = -0.4 * math.log(0.4) - 0.6 * math.log(0.6)
CASES = {
    "25 values and a class": (lambda r: (r.randint(25, size=N), r.randint(2, size=N)), 0.0),
    "200 values and a class": (lambda r: (r.randint(200, size=N), r.randint(2, size=N)), 0.0),
    "ages and normal": (lambda r: (r.randint(18, 90, size=N), r.normal(size=N)), 0.0),
    "ages and counts": (lambda r: (r.randint(18, 90, size=N), r.geometric(0.05, size=N)), 0.0),
    "waiting times": (lambda r: (r.geometric(0.1, size=N), r.geometric(0.1, size=N)), 0.0),
    "upper half": (_upper_half, LOG_2),
    "rounded to a tenth": (lambda r: _rounded(r, 0.1), -math.log(0.6)),
    "points among numbers": (_with_points, LOG_2 - 0.25 * math.log(1 - 0.81)),
    "zero inflated": (_zero_inflated, OF_ZEROS),
}


@pytest.mark.parametrize("name", CASES)
def test_ties_are_no_information_and_hide_none(name):
    make, truth = CASES[name]
    values, held = [], 0
    for seed in range(6):
        x, y = make(np.random.RandomState(seed))
        score, ends = mutual_info_scores(x, y, return_interval=True)
        values.append(score[0])
        held += ends[0, 0] <= truth <= ends[0, 1]
    assert np.mean(values) == pytest.approx(truth, abs=0.035)
    assert held >= 5


def test_breaking_ties_changes_nothing_in_another_unit():
    x, y = _rounded(np.random.RandomState(0), 0.1)
    assert mutual_info_scores(x, y) == mutual_info_scores(1e9 + 1e-3 * x, np.exp(y / 10))


def test_an_id_and_a_number():
    rng = np.random.RandomState(0)
    score, ends = mutual_info_scores(
        [f"id {i}" for i in range(N)], rng.normal(size=N), return_interval=True
    )
    assert score[0] == ends[0, 0] == 0
    assert ends[0, 1] == math.log(N)

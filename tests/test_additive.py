"""Sums of curves and levels: what several columns tell about one."""

import math

import numpy as np
import pandas as pd
import pytest

from sk_infomax import MutualInfoEstimator
from sk_infomax.information._additive import (
    Terms,
    _foretell,
    _most_levels,
    told_of_classes,
    told_of_number,
)
from sk_infomax.information._neighbours import without_ties

N = 1000
TRUTH = 0.5 * math.log(1 + 4)  # of a normal sum of spread 2 with noise 1, about


def _columns(seed, n=N, n_noise=4):
    """Terms of a season, a label of 20 levels and a line, and of noise; and their sum."""
    rng = np.random.RandomState(seed)
    day, level, x = rng.uniform(size=n), rng.randint(20, size=n), rng.normal(size=n)
    means = np.linspace(-1.6, 1.6, 20)[rng.permutation(20)]
    score = math.sqrt(2) * np.sin(6 * np.pi * day) + means[level] + x
    orders = [without_ties(v, 0) for v in (day, x, *rng.normal(size=(n_noise, n)))]
    terms = Terms.of(orders, [level, rng.randint(50, size=n)])
    return terms, score * 2 / score.std(), rng


def test_a_number_that_is_a_sum():
    values = []
    for seed in range(4):
        terms, score, rng = _columns(seed)
        told = told_of_number(terms, without_ties(score + rng.normal(size=N), 1))
        values.append(told.value)
    assert np.mean(values) == pytest.approx(TRUTH, abs=0.06)


def test_a_class_that_a_sum_decides():
    values = []
    for seed in range(3):
        terms, score, rng = _columns(seed)
        share = 1 / (1 + np.exp(-score))
        entropy = -(share * np.log(share) + (1 - share) * np.log(1 - share)).mean()
        told = told_of_classes(terms, (rng.uniform(size=N) < share).astype(int))
        values.append(told.value - (math.log(2) - entropy))
    assert np.mean(values) == pytest.approx(0, abs=0.03)


def test_a_class_that_only_one_part_of_the_rows_has():
    """The parts left over are of one class, and tell nothing of the other."""
    terms, _, _ = _columns(0, n=33)
    for place in (0, 5, 12, 20, 32):
        told = told_of_classes(terms, (np.arange(33) == place).astype(int))
        assert math.isfinite(told.value)
        assert told.value < 0.1


def test_columns_that_tell_nothing():
    for seed in range(4):
        terms, _, rng = _columns(seed)
        number, classes = rng.normal(size=N), rng.randint(3, size=N)
        assert told_of_number(terms, without_ties(number, 1)).value < 0.02
        assert told_of_classes(terms, classes).value < 0.02


def test_each_row_is_foretold_without_itself():
    terms, score, _ = _columns(0, n=120, n_noise=0)
    target = score - score.mean()
    found = _foretell(terms, target)
    penalty = np.diag(np.minimum(found.precision, 1e12)[terms.group])
    for row in (0, 7, 50):
        rest = np.arange(120) != row
        x, y = terms.features[rest], target[rest]
        weights = np.linalg.solve(x.T @ x + penalty, x.T @ y)
        assert found.outside[row] == pytest.approx(terms.features[row] @ weights, abs=0.02)


def test_levels_share_the_room():
    assert _most_levels([5, 50, 300], 1000) == 300
    assert _most_levels([5, 50, 300], 155) == 100
    assert _most_levels([], 10) == 0


@pytest.mark.nightly
def test_a_frame_of_many_kinds_is_told_whole():
    rng = np.random.RandomState(0)
    n = 500
    day, level = rng.uniform(size=n), rng.randint(50, size=n)
    X = pd.DataFrame(
        {
            "day": pd.Timestamp("2021-01-01") + pd.to_timedelta(1000 * day, "D"),
            "level": [f"level {v}" for v in level],
            **{f"noise {i}": rng.normal(size=n) for i in range(2)},
        }
    )
    score = (
        math.sqrt(2) * np.sin(6 * np.pi * day) + rng.permutation(np.linspace(-1.7, 1.7, 50))[level]
    )
    y = score * 2 / score.std() + rng.normal(size=n)
    estimator = MutualInfoEstimator(cv=2, max_steps=0, random_state=0).fit(X, y)
    low, high = estimator.confidence_interval_
    assert estimator.mutual_info_ == pytest.approx(TRUTH, abs=0.12)
    assert low < TRUTH < high
    assert estimator.bounds_["additive"] == pytest.approx(estimator.mutual_info_, abs=0.05)

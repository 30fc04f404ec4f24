"""Numbers that levels or a curve shift, and columns that may be amounts or names of classes."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy.special import ndtri

from sk_infomax import mutual_info_scores
from sk_infomax.information._neighbours import _to_neighbours, without_ties
from sk_infomax.information._shifts import (
    _curve,
    foretold_errors,
    shifted_by_curve,
    shifted_by_levels,
)

SEEDS = range(5)


def _of_levels(seed, n, k, spread):
    """Levels in no order whose means have a spread, and a number with noise 1 around them."""
    rng = np.random.RandomState(seed)
    levels = rng.randint(k, size=n)
    means = ndtri((rng.permutation(k) + 0.5) / k)
    return levels, spread * means[levels] + rng.normal(size=n)


@pytest.mark.parametrize(("n", "k", "most"), [(200, 100, 0.13), (2000, 1000, 0.04)])
def test_levels_of_two_rows_tell(n, k, most):
    errors = []
    for seed in SEEDS:
        levels, y = _of_levels(seed, n, k, 3.0)
        told = shifted_by_levels(without_ties(y, 0), levels)
        errors.append(told.value - 0.5 * math.log(10))
        assert abs(errors[-1]) < 4 * told.error
        assert told.gain > 10
    assert abs(np.mean(errors)) < most


def test_levels_that_tell_nothing():
    for seed in SEEDS:
        levels, y = _of_levels(seed, 400, 100, 0.0)
        told = shifted_by_levels(without_ties(y, 0), levels)
        assert abs(told.value) < 4 * told.error
        assert told.gain < 8


def test_levels_that_are_all_different_or_one_say_so():
    scores = without_ties(np.random.RandomState(0).normal(size=50), 0)
    for levels in (np.arange(50), np.zeros(50, dtype=int)):
        assert math.isinf(shifted_by_levels(scores, levels).error)


def test_seasons_of_few_rows():
    values = []
    for seed in SEEDS:
        rng = np.random.RandomState(seed)
        x = rng.uniform(size=200)
        y = 3 * math.sqrt(2) * np.sin(6 * np.pi * x) + rng.normal(size=200)
        values.append(shifted_by_curve(without_ties(x, 0), without_ties(y, 1)).value)
    assert np.mean(values) == pytest.approx(1.03, abs=0.15)  # by quadrature


@pytest.mark.parametrize("window", [3, 8, 34])
def test_a_curve_is_the_line_through_the_other_neighbours(window):
    z, row = np.random.RandomState(0).normal(size=40), np.arange(40)
    found = _curve(z, window)[0]
    for i in range(40):
        near = (abs(row - i) <= window) & (row != i)
        assert found[i] == pytest.approx(np.polyval(np.polyfit(row[near], z[near], 1), i))


def test_neighbours_in_levels_are_those_of_a_loop():
    rng = np.random.RandomState(0)
    levels = np.repeat(np.arange(6), [2, 3, 4, 8, 9, 14])
    x = rng.normal(size=40).round(1)
    near = np.minimum(5, np.bincount(levels) - 1)[levels]
    radius, alike = _to_neighbours(x, levels, near)
    for i in range(40):
        apart = np.sort(abs(x - x[i])[levels == levels[i]])
        assert radius[i] == apart[near[i]]
        assert alike[i] == (apart == 0).sum()


def test_names_are_foretold_by_level_and_amounts_by_order():
    rng = np.random.RandomState(0)
    amounts = rng.randint(200, size=1000)
    by_level, by_order = rng.normal(size=200)[amounts], amounts / 60
    for effect, levels_win in ((by_level, True), (by_order, False)):
        z = (effect + rng.normal(size=1000))[:, None]
        better = foretold_errors(z - z.mean(), without_ties(amounts, 0), amounts)
        assert (better.mean() > 0) == levels_win


@pytest.mark.parametrize("n", [200, 2000])
def test_whole_numbers_that_name_classes(n):
    errors = []
    for seed in SEEDS:
        levels, y = _of_levels(seed, n, 200, 3.0)
        codes = np.random.RandomState(seed).choice(90_000, 200, replace=False)[levels]
        score, ends = mutual_info_scores(codes, y, return_interval=True)
        errors.append(abs(score[0] - 0.5 * math.log(10)))
        assert ends[0, 0] - 0.03 < 0.5 * math.log(10) < ends[0, 1]
    assert np.mean(errors) < (0.25 if n == 200 else 0.06)


def test_whole_numbers_that_name_classes_and_a_class():
    rng = np.random.RandomState(0)
    levels, of_class = rng.randint(100, size=2000), rng.randint(3, size=100)
    codes = rng.choice(90_000, 100, replace=False)
    score = mutual_info_scores(codes[levels], of_class[levels].astype(str))[0]
    assert score == pytest.approx(mutual_info_scores(levels.astype(str), of_class[levels])[0])


def test_an_increasing_map_of_the_number_changes_nothing():
    levels, y = _of_levels(0, 300, 50, 2.0)
    text = levels.astype(str)
    plain, mapped = (mutual_info_scores(text, v, return_interval=True) for v in (y, np.exp(y)))
    assert plain[0] == mapped[0]
    assert (plain[1] == mapped[1]).all()


def test_other_shapes_are_seen_by_neighbours():
    rng = np.random.RandomState(0)
    levels = rng.randint(10, size=2000)
    spread = np.exp(np.linspace(-1.5, 1.5, 10))
    x = spread[levels] * rng.normal(size=2000)
    grid = np.linspace(-40, 40, 8001)
    density = np.exp(-((grid / spread[:, None]) ** 2) / 2) / spread[:, None] / math.sqrt(2 * np.pi)
    mixed = density.mean(0)
    entropy = -(mixed * np.log(mixed.clip(1e-300))).sum() * 0.01
    truth = entropy - np.log(spread).mean() - 0.5 * math.log(2 * np.pi * math.e)
    score, ends = mutual_info_scores(levels.astype(str), x, return_interval=True)
    assert score[0] == pytest.approx(truth, abs=0.05)
    assert ends[0, 0] < truth < ends[0, 1]


def test_p_values_see_what_neighbours_miss_and_no_more():
    rng = np.random.RandomState(0)
    frame = pd.DataFrame(rng.normal(size=(150, 12)), columns=[f"{i}" for i in range(12)])
    frame["ages"], frame["flag"] = rng.randint(18, 90, 150), rng.uniform(size=150) < 0.3
    y = frame["0"] + np.sin(3 * frame["1"]) + 0.8 * frame["flag"] + rng.normal(size=150)
    _, p = mutual_info_scores(frame, y, return_p_values=True, n_permutations=39)
    assert p[["0", "flag"]].max() < 0.01
    others = p.drop(["0", "1", "flag"])
    assert (others < 0.05).sum() <= 2
    assert others.min() > 1e-3


def test_scores_without_ties_are_those_of_ranks():
    assert without_ties(np.array([3.0, 1.0, 2.0]), 0) == pytest.approx(ndtri([5 / 6, 1 / 6, 3 / 6]))
    tied = without_ties(np.array([1, 1, 1, 2]), 0)
    assert len(np.unique(tied)) == 4
    assert tied.argmax() == 3

"""Many, collinear or more columns than rows: nothing is reported that held-out pairs don't show."""

import math

import numpy as np
import pytest

from sk_infomax import MutualInfoEstimator
from sk_infomax.information._columns import normal_scores
from sk_infomax.information._encoding import are_wide
from sk_infomax.information._following import share_a_line
from sk_infomax.information._gaussian import SharedDirections, gaussian_information, overclaims


def pairs(n, d, k, rho, seed=0):
    """Normal sides (n, d) of which the first k columns are correlated, both rotated."""
    rng = np.random.RandomState(seed)
    x, y = rng.normal(size=(2, n, d))
    y[:, :k] = rho * x[:, :k] + math.sqrt(1 - rho**2) * y[:, :k]
    turn_x, turn_y = (np.linalg.qr(rng.normal(size=(d, d)))[0] for _ in range(2))
    return x @ turn_x, y @ turn_y, -0.5 * k * math.log(1 - rho**2)


def learned(x, y):
    folds = np.array_split(np.random.RandomState(0).permutation(len(x)), 5)
    return SharedDirections.learn(x - x.mean(0), y - y.mean(0), folds)


def nats(shared):
    return -0.5 * np.log1p(-(shared.correlations**2)).sum()


@pytest.mark.parametrize(("n", "d"), [(200, 30), (1000, 100), (60, 80)])
def test_independent_sides_share_next_to_nothing(n, d):
    """No more than two variates whose correlation is just above the edge of 2.5 errors."""
    found = np.mean([nats(learned(*pairs(n, d, 0, 0.0, seed)[:2])) for seed in range(5)])
    assert found < 2 * 2.5**2 / (2 * n)


def test_directions_are_found_and_read_on_other_pairs():
    x, y, truth = pairs(3000, 60, 4, 0.8)
    shared = learned(x, y)
    assert shared.whole
    assert 0.8 * truth < nats(shared) < 1.05 * truth
    np.testing.assert_allclose(shared.own_x.std(0), 1, atol=0.05)


def test_more_columns_than_rows_stay_finite_and_below_the_truth():
    x, y, truth = pairs(80, 120, 120, 0.9)
    assert 0 <= nats(learned(x, y)) < truth


def test_columns_that_repeat_others_add_nothing():
    x, y, _ = pairs(1000, 3, 3, 0.7)
    doubled = np.hstack([x, x, x + 1e-9 * np.random.RandomState(1).normal(size=x.shape)])
    assert are_wide(doubled, y)
    assert abs(nats(learned(doubled, y)) - nats(learned(x, y))) < 0.02


def test_curves_in_many_columns_are_not_taken_for_normal():
    """Harmonics of one angle: uncorrelated, but each tells the others."""
    rng = np.random.RandomState(0)
    angle = rng.uniform(0, 2 * np.pi, 2000)
    sides = [angle + 0.1 * rng.normal(size=2000) for _ in range(2)]
    waves = [(wave, k) for k in range(1, 9) for wave in (np.cos, np.sin)]
    x, y = (np.column_stack([wave(k * side) for wave, k in waves]) for side in sides)
    shared = learned(x, y)
    assert not shared.whole
    assert nats(shared) < 0.5 * gaussian_information(x, y)


def test_few_columns_with_enough_rows_are_not_wide():
    for n, dx, dy in [(10_000, 25, 25), (500, 25, 25), (100, 3, 2), (30, 1, 1)]:
        x, y = np.random.RandomState(0).normal(size=(2, n, 25))
        assert not are_wide(x[:, :dx], y[:, :dy])
    assert are_wide(*np.random.RandomState(0).normal(size=(2, 200, 30)))


@pytest.mark.filterwarnings("ignore")
def test_more_columns_than_rows_have_no_upper_end():
    x, y, truth = pairs(60, 40, 40, 0.99)
    low, high = MutualInfoEstimator(max_steps=0, random_state=0).fit(x, y).confidence_interval_
    assert low <= truth
    assert high == math.inf


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "of_x",
    [
        lambda x: x**2,
        lambda x: x.sum(1, keepdims=True),
        lambda x: np.column_stack([x[:, 0] - 1e-3 * x[:, 1], x[::-1, 0]]),
        lambda x: np.exp(x @ [[1.0], [2.0]]),  # sums of logarithms, where x is above 0
    ],
)
def test_a_function_without_noise_has_no_upper_end(of_x):
    x = np.random.RandomState(0).normal(size=(1000, 2))
    y = of_x(x)
    x = np.exp(x) if (y > 0).all() and y.shape[1] == 1 else x
    with pytest.warns(UserWarning, match="may be infinite"):
        fitted = MutualInfoEstimator(max_steps=0, random_state=0).fit(x, y)
    assert fitted.confidence_interval_[1] == math.inf


@pytest.mark.parametrize(
    ("rho", "n"), [(0.99, 500), (0.999, 1500), pytest.param(0.999, 500, marks=pytest.mark.nightly)]
)
def test_strong_correlation_is_no_function_and_its_interval_holds_it(rho, n):
    """Ranks of so few rows hide what is finer than the step between two of them."""
    truth, held = -1.5 * math.log(1 - rho**2), 0
    for seed in range(4):
        rng = np.random.RandomState(seed)
        x = rng.normal(size=(n, 3))
        y = rho * x + math.sqrt(1 - rho**2) * rng.normal(size=x.shape)
        low, high = MutualInfoEstimator(max_steps=0, random_state=0).fit(x, y).confidence_interval_
        assert high < 1.2 * truth
        held += low <= truth <= high
    assert held >= 3


# Lines in several columns ---------------------------------------------------------------


def start_and_length(rng, n):
    """Dates over three years in nanoseconds, and minutes to some hours after each."""
    start = 1.6e18 + (1e17 * rng.uniform(size=n)).round()
    return start, (6e11 * rng.exponential(size=n)).round()


LINES = {
    "a sum": lambda r, x: (x, x.sum(1)),
    "weights of any size": lambda r, x: (x, x @ np.geomspace(1e-3, 1e3, x.shape[1])),
    "a sum beside noise": lambda r, x: (x, np.column_stack([r.normal(size=len(x)), x.sum(1)])),
    "a sum in single precision": lambda r, x: (x, x.astype(np.float32).sum(1)),
    "a line of both sides": lambda r, x: (x, np.column_stack([x[:, 0] + x[::-1, 1], x[::-1, 1]])),
    "collinear columns": lambda r, x: (np.hstack([x, x[:, :2] * 2]), x.sum(1)),
}
NO_LINES = {
    "little noise": lambda r, x: (x, x.sum(1) + 1e-4 * r.normal(size=len(x))),
    "independent": lambda r, x: (x, r.standard_cauchy(size=x.shape)),
    "collinear on one side": lambda r, x: (np.hstack([x, x[:, :2] * 2]), r.normal(size=len(x))),
    "noise under a tail": lambda r, x: (
        np.exp(8 * x),
        np.exp(8 * x).sum(1) + r.normal(size=len(x)),
    ),
    "sums of ages": lambda r, x: ((10 * x).round(), (10 * x).round().sum(1)),
}


@pytest.mark.parametrize(("cases", "found"), [(LINES, True), (NO_LINES, False)])
@pytest.mark.parametrize("turned", [False, True])
def test_lines_are_seen_and_nothing_else(cases, found, turned):
    for seed in range(6):
        rng = np.random.RandomState(seed)
        for name, make in cases.items():
            tails = rng.standard_cauchy if seed % 2 else rng.normal
            x = tails(size=([60, 1000][seed % 2], 3))
            x = x.clip(-50, 50) if "tail" in name or "ages" in name else x
            x, y = make(rng, x)
            x, y = np.asarray(x, float), np.asarray(y, float).reshape(len(y), -1)
            assert share_a_line(*((y, x) if turned else (x, y))) == found, (name, seed)


def test_a_duration_between_two_dates_is_seen():
    start, length = start_and_length(np.random.RandomState(0), 300)
    both = np.column_stack([start, start + length])
    assert share_a_line(both, length[:, None])
    assert share_a_line(length[:, None], both)
    assert not share_a_line(both, np.roll(length, 1)[:, None])


# Curves in few columns ------------------------------------------------------------------


def of_angle(angle, n_harmonics):
    """Harmonics (n, 2 n_harmonics) of an angle."""
    orders = range(1, n_harmonics + 1)
    return np.column_stack([wave(k * angle) for k in orders for wave in (np.cos, np.sin)])


def of_place(place, size):
    """Images (n, size * size) of a blob."""
    axis = np.linspace(-3, 3, size)
    blobs = np.exp(-((place[:, :, None] - axis) ** 2) / 2)
    return (blobs[:, 0, :, None] * blobs[:, 1, None, :]).reshape(len(place), -1)


def angles(n, spread, seed=0):
    """Two angles, and their information."""
    rng = np.random.RandomState(seed)
    angle = rng.uniform(0, 2 * math.pi, n)
    truth = math.log(2 * math.pi) - 0.5 * math.log(2 * math.pi * math.e * spread**2)
    return angle, angle + spread * rng.normal(size=n), truth


def places(n, seed=0):
    """Two places in a plane that have 4 nats in common."""
    rng, rho = np.random.RandomState(seed), math.sqrt(-math.expm1(-4))
    place = rng.normal(size=(n, 2))
    return place, rho * place + math.sqrt(1 - rho**2) * rng.normal(size=(n, 2)), 4.0


CURVES = {
    "harmonics": (lambda n: angles(n, 0.1), lambda side: of_angle(side, 4)),
    "a circle": (lambda n: angles(n, 0.05), lambda side: of_angle(side, 1)),
    "images of 2 x 2": (places, lambda side: of_place(side, 2)),
    "images of 4 x 4": (places, lambda side: of_place(side, 4)),
}


@pytest.mark.parametrize("name", CURVES)
@pytest.mark.parametrize("n", [300, 3000])
def test_curves_overclaim(name, n):
    draw, columns = CURVES[name]
    *sides, _ = draw(n)
    assert overclaims(*(normal_scores(columns(side)) for side in sides))


@pytest.mark.parametrize("df", [1, 2, 100])
def test_lines_do_not_overclaim_however_heavy_their_tails(df):
    for seed in range(8):
        rng = np.random.RandomState(seed)
        x = rng.standard_t(df, size=(500, 1 + seed % 4))
        y = x @ rng.normal(size=2 * x.shape[1:]) + 0.05 * rng.standard_t(df, size=x.shape)
        x, y = normal_scores(x), normal_scores(y)
        assert not overclaims(x, y)


def test_images_of_few_pixels_say_no_more_than_the_place():
    """Their 16 canonical correlations, all near 1, would make it 18 nats."""
    *sides, truth = places(2000)
    estimator = MutualInfoEstimator(max_steps=0, random_state=0)
    fitted = estimator.fit(*(of_place(side, 4) for side in sides))
    low, high = fitted.confidence_interval_
    assert low <= truth <= high
    assert fitted.mutual_info_ == pytest.approx(truth, abs=0.2)
    assert fitted.transform(of_place(sides[0][:9], 4)).shape[0] == 9

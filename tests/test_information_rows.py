"""Columns as people have them, whose information is known: each was far off once."""

import math
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from scipy.signal import lfilter
from sklearn.feature_selection import SelectKBest

from sk_infomax import (
    MutualInfoEstimator,
    MutualInfoSelector,
    conditional_mutual_info,
    mutual_info,
    mutual_info_matrix,
    mutual_info_scores,
)

N = 1000
FAST = {"cv": 2, "max_steps": 30, "random_state": 0}
LOG_2 = math.log(2)

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


def rng_of(seed=0):
    return np.random.RandomState(seed)


def _codes(n_levels):
    rng = rng_of()
    return [f"zip {v}" for v in rng.randint(n_levels, size=N)], rng.randint(20, size=N)


def _days(beside=False):
    rng = rng_of()
    day = np.datetime64("2020-01-01") + rng.randint(800, size=800)
    frame = pd.DataFrame({"day": day} | ({"number": rng.normal(size=800)} if beside else {}))
    return frame, rng.randint(2, size=800)


def _flags(n, n_columns, n_values=2, n_classes=2):
    rng = rng_of()
    return rng.randint(n_values, size=(n, n_columns)), rng.randint(n_classes, size=n)


INDEPENDENT = {
    "1000 codes": lambda: _codes(1000),
    "100 codes": lambda: _codes(100),
    "30 codes": lambda: _codes(30),
    "an id": lambda: ([f"id {i}" for i in range(N)], rng_of().randint(2, size=N)),
    "14 flags": lambda: _flags(N, 14),
    "30 bits": lambda: _flags(5000, 30),
    "10 columns of 5": lambda: _flags(2000, 10, 5, 3),
    "days": _days,
    "days beside a number": lambda: _days(beside=True),
}


@pytest.mark.parametrize("name", INDEPENDENT)
def test_what_cannot_tell_tells_nothing(name):
    x, y = INDEPENDENT[name]()
    value, (low, high) = mutual_info(x, y, **FAST)
    assert value <= 0.03
    assert low == 0
    assert high <= math.log(len(np.unique(y))) + 1e-9


def test_an_id_never_ranks_above_what_tells():
    rng = rng_of()
    y = rng.randint(2, size=N)
    telling = np.where(rng.uniform(size=N) < 0.25, 1 - y, y)
    frame = pd.DataFrame({"id": [f"id {i}" for i in range(N)], "telling": telling})
    scores, p = mutual_info_scores(frame, y, return_p_values=True)
    assert scores["id"] == 0 < 0.1 < scores["telling"]
    assert p["telling"] < 0.01 < p["id"]
    chosen = MutualInfoSelector(1).fit(frame, y).transform(frame)
    assert list(chosen.columns) == ["telling"]


@pytest.mark.parametrize("given", ["8 flags", "1000 levels"])
def test_given_thin_strata(given):
    rng, n = rng_of(), 3000
    z = rng.randint(2, size=(n, 8))
    if given == "1000 levels":
        z = [f"level {v}" for v in rng.randint(1000, size=n)]
    x, y = rng.randint(2, size=(2, n))
    value, (low, high), p = conditional_mutual_info(x, y, z, return_p_value=True, **FAST)
    assert value < 0.01
    assert low == 0
    assert high < 0.05
    assert p > 0.05


def test_days_are_whole_numbers():
    frame, y = _days()
    whole = (frame["day"] - frame["day"].min()).dt.days
    assert mutual_info(whole, y, **FAST) == mutual_info(frame, y, **FAST)


def test_numbers_among_objects():
    rng = rng_of()
    y = rng.randint(3, size=N)
    x = rng.normal(size=N) + y
    frame = pd.DataFrame(
        {"number": x, "object": x.astype(object), "text": np.array(list("abc"))[y]}
    )
    scores = mutual_info_scores(frame, y)
    assert scores["object"] == scores["number"]
    assert scores["number"] == pytest.approx(0.27, abs=0.08)
    assert scores["text"] == pytest.approx(math.log(3), abs=0.02)


def test_large_ids_that_fix_a_class():
    rng = rng_of()
    number = np.arange(N) % 100
    y = rng.randint(2, size=100)[number]
    frame = pd.DataFrame({"id": 2**60 + number, "class": y})
    assert mutual_info_matrix(frame).loc["id", "class"] == pytest.approx(LOG_2, abs=0.02)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*one value only.*")
        value, (_, high) = mutual_info(frame["id"], y, **FAST)
    assert value == pytest.approx(LOG_2, abs=0.03)
    assert high <= LOG_2 + 1e-9


def test_classes_as_whole_numbers_in_no_order():
    rng, n = rng_of(), 2000
    place = rng.randint(200, size=n)
    x = place + 2.43 * rng.normal(size=n)
    names = rng.permutation(200)[place]
    # Evenly spread but for the edges: log of 200 less the entropy of the noise.
    truth = math.log(200) - 0.5 * math.log(2 * math.pi * math.e * 2.43**2)
    assert mutual_info_scores(x, names)[0] == pytest.approx(truth, abs=0.12)
    value, (low, high) = mutual_info(x, names, cv=2, max_steps=100, random_state=0)
    assert value == pytest.approx(truth, abs=0.15)
    assert low - 0.05 <= truth <= high + 0.05


BAD = {"missing": (np.nan, "has 1 missing"), "infinite": (np.inf, "holds inf")}


@pytest.mark.parametrize("name", BAD)
def test_bad_values_are_named(name):
    bad, message = BAD[name]
    rng = rng_of()
    frame = pd.DataFrame(rng.normal(size=(100, 2)), columns=["a", "b"])
    y = rng.randint(2, size=100)
    broken = frame.copy()
    broken.iloc[3, 1] = bad
    fitted = MutualInfoEstimator(**FAST | {"max_steps": 2}).fit(frame, y)
    calls = [
        lambda: mutual_info(broken, y, **FAST),
        lambda: mutual_info(frame, broken, **FAST),
        lambda: mutual_info_scores(broken, y),
        lambda: mutual_info_matrix(broken),
        lambda: conditional_mutual_info(frame, y, broken, **FAST),
        lambda: MutualInfoEstimator(**FAST).permutation_test(broken, y),
        lambda: fitted.pointwise(broken, y),
        lambda: fitted.transform(broken),
        lambda: MutualInfoSelector().fit(broken, y),
    ]
    for call in calls:
        with pytest.raises(ValueError, match=rf"column 'b' \(position 1\) {message}"):
            call()


@pytest.mark.parametrize("dtype", ["str", "object", "category", "string"])
def test_text_as_x(dtype):
    rng = rng_of()
    y = rng.randint(2, size=N)
    text = pd.Series(np.where(y, "up", "down"), dtype=dtype, name="text")
    arrays = [text, text.to_frame(), text.to_numpy(), text.to_numpy().astype(str)]
    for x in arrays:
        assert mutual_info(x, y, **FAST)[0] == pytest.approx(LOG_2, abs=0.01)
        assert mutual_info_scores(x, y)[0:1].tolist() == pytest.approx([LOG_2], abs=0.01)


def test_text_in_a_selection():
    rng = rng_of()
    y = rng.randint(2, size=N)
    frame = pd.DataFrame({"noise": rng.normal(size=N), "text": np.where(y, "up", "down")})
    assert MutualInfoSelector(1).fit(frame, y).get_support().tolist() == [False, True]
    numbers = frame.assign(text=y)
    assert SelectKBest(mutual_info_scores, k=1).fit(numbers, y).get_support()[1]


def test_sparse_input_columns_and_names_that_repeat():
    rng = rng_of()
    X, y = rng.randint(3, size=(300, 2)), rng.randint(2, size=300)
    X[:, 0] *= y
    expected = mutual_info_scores(X, y)
    same = [sparse.csr_matrix(X), sparse.csc_array(X), pd.DataFrame(X, columns=["a", "a"])]
    for x in same:
        np.testing.assert_array_equal(mutual_info_scores(x, y), expected)
        np.testing.assert_array_equal(mutual_info_matrix(x), mutual_info_matrix(X))
        assert mutual_info(x, y, **FAST) == mutual_info(X, y, **FAST)
    np.testing.assert_array_equal(mutual_info_scores(X, y[:, None]), expected)
    given = [conditional_mutual_info(X[:, 0], y, z, **FAST) for z in (X[:, 1], X[:, [1]])]
    assert given[0] == given[1]


def test_a_function_without_noise_has_no_upper_end():
    x = rng_of().normal(size=N)
    with pytest.warns(UserWarning, match="infinite"):
        value, (_, high) = mutual_info(x, x**2, **FAST | {"max_steps": 100})
    assert value > 2
    assert math.isinf(high)


def _images(n, size):
    """Two images of a blob whose places have 4 nats in common."""
    rng = rng_of()
    place = rng.normal(size=(n, 2))
    rho = math.sqrt(-math.expm1(-4))
    other = rho * place + math.sqrt(1 - rho**2) * rng.normal(size=(n, 2))
    axis = np.linspace(-3, 3, size)
    blobs = [np.exp(-((side[:, :, None] - axis) ** 2) / 2) for side in (place, other)]
    return [(b[:, 0, :, None] * b[:, 1, None, :]).reshape(n, -1) for b in blobs]


def _embedded(n, width):
    """Three pairs of normal latents, 2.49 nats, in so many columns on each side."""
    rng = rng_of()
    rho = math.sqrt(-math.expm1(-1.66))
    x = rng.normal(size=(n, 3))
    y = rho * x + math.sqrt(1 - rho**2) * rng.normal(size=(n, 3))
    return [side @ rng.normal(size=(3, width)) for side in (x, y)]


@pytest.mark.parametrize(
    ("make", "sizes", "truth"),
    [
        (_images, (1000, 8), 4.0),
        pytest.param(_images, (5000, 16), 4.0, marks=pytest.mark.nightly),
        (_embedded, (1000, 60), 2.49),
        pytest.param(_embedded, (4000, 500), 2.49, marks=pytest.mark.nightly),
    ],
)
def test_collinear_columns(make, sizes, truth):
    value, (low, high) = mutual_info(*make(*sizes), **FAST)
    assert low <= truth
    assert value <= truth + max(0.1, high - low)


def test_fewer_rows_than_columns():
    rng = rng_of()
    x = rng.normal(size=(150, 100))
    noisy = x + 0.1 * rng.normal(size=(150, 100))
    for y in (noisy, rng.normal(size=(150, 100))):
        truth = 231 if y is noisy else 0
        _, (low, high) = mutual_info(x, y, **FAST)
        assert low <= truth
        assert math.isinf(high)


def _series(rho, n, rng):
    return lfilter([1], [1, -rho], rng.normal(size=n + 500))[500:]


def test_series_are_said_to_be_alike_and_blocks_hold_zero():
    rng = rng_of()
    x, y = (_series(0.99, N, rng) for _ in "xy")
    with pytest.warns(UserWarning, match="Neighbouring rows are alike on both sides"):
        mutual_info(x, y, **FAST)
    _, (low, _) = mutual_info(x, y, block_length=100, **FAST)
    assert low == 0
    estimator = MutualInfoEstimator(block_length=100, **FAST)
    assert estimator.permutation_test(x, y, 99) > 0.05


@pytest.mark.nightly
@pytest.mark.parametrize(("rho", "block_length"), [(0.95, 50), (0.99, 100)])
def test_series_that_do_not_know_each_other(rho, block_length):
    held = 0
    for seed in range(20):
        rng = rng_of(seed)
        x, y = (_series(rho, N, rng) for _ in "xy")
        _, (low, _) = mutual_info(x, y, block_length=block_length, **FAST)
        held += low == 0
    assert held >= 18

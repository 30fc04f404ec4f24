"""Information of counts, on drawn pairs whose information is known."""

import math
import warnings

import numpy as np
import pytest
from scipy.special import xlogy

from sk_infomax.information._counts import (
    CountRatio,
    codes_of_rows,
    conditional_information,
    corrected_entropy,
    permutation_p_value,
    plug_in_entropy,
)
from sk_infomax.information._mixture import Table

N = 1000
LOG_2 = math.log(2)


def _levels(rng, most):
    return int(np.exp(rng.uniform(math.log(2), math.log(most))))


def _shares(rng, n_levels):
    """Uniform, Zipf or Dirichlet shares (n_levels,)."""
    kinds = [
        np.ones(n_levels),
        1 / np.arange(1, n_levels + 1) ** rng.uniform(0.5, 1.2),
        rng.gamma(1.0, size=n_levels) + 1e-9,
    ]
    shares = kinds[rng.randint(3)]
    return shares / shares.sum()


def _independent(rng, most=1000):
    """Two sides that have nothing to do with each other, of n pairs."""
    n = int(np.exp(rng.uniform(math.log(200), math.log(5000))))
    return [rng.choice(len(p), n, p=p) for p in (_shares(rng, _levels(rng, most)) for _ in "xy")]


def _dependent(rng):
    """Codes x and y (n,), and their information."""
    kx, ky = _levels(rng, 200), _levels(rng, 200)
    n = int(np.exp(rng.uniform(math.log(200), math.log(10000))))
    margin, function = _shares(rng, ky), np.eye(ky)[rng.randint(ky, size=kx)]
    strength, noise = np.exp(rng.uniform(-2, 5)), rng.rand()
    rows = [
        rng.gamma(np.tile(strength * margin, (kx, 1))) + 1e-300,
        (1 - noise) * function + noise * margin,
        function,
    ][rng.randint(3)]
    joint = _shares(rng, kx)[:, None] * rows / rows.sum(1, keepdims=True)
    pairs = rng.choice(joint.size, n, p=joint.ravel() / joint.sum())
    truth = xlogy(joint, joint).sum() - sum(xlogy(joint.sum(a), joint.sum(a)).sum() for a in (0, 1))
    x, y = pairs // ky, pairs % ky
    return (x, y, truth) if rng.rand() < 0.5 else (y, x, truth)


INDEPENDENT = {
    "1000 zip codes": lambda rng: (rng.randint(1000, size=N), rng.randint(20, size=N)),
    "100 zip codes": lambda rng: (rng.randint(100, size=N), rng.randint(20, size=N)),
    "30 zip codes": lambda rng: (rng.randint(30, size=N), rng.randint(20, size=N)),
    "unique id": lambda rng: (np.arange(N), rng.randint(2, size=N)),
    "two unique ids": lambda rng: (np.arange(N), rng.permutation(N)),
    "14 flags": lambda rng: (rng.randint(2, size=(N, 14)), rng.randint(2, size=N)),
    "30 bits": lambda rng: (rng.randint(2, size=(5000, 30)), rng.randint(2, size=5000)),
    "10 columns": lambda rng: (rng.randint(5, size=(2000, 10)), rng.randint(3, size=2000)),
}


@pytest.mark.parametrize("name", INDEPENDENT)
def test_independent_sides_by_name(name):
    for seed in range(2):
        estimate = CountRatio(*INDEPENDENT[name](np.random.RandomState(seed))).estimate()
        assert estimate.low == 0
        assert estimate.value < 0.02


def test_independent_sides_drawn():
    missed, values = 0, []
    for seed in range(20):
        estimate = CountRatio(*_independent(np.random.RandomState(seed))).estimate()
        missed += estimate.low > 0
        values.append(estimate.value)
    assert missed <= 1
    assert np.mean(values) < 0.005


def test_interval_holds_the_truth_and_estimate_beats_the_plug_in():
    held, errors = [], []
    for seed in range(40):
        x, y, truth = _dependent(np.random.RandomState(seed))
        ratio = CountRatio(x, y)
        estimate = ratio.estimate()
        held.append(estimate.low - 1e-9 <= truth <= estimate.high + 1e-9)
        errors.append([abs(estimate.value - truth), abs(ratio.table.plug_in() - truth)])
    assert np.mean(held) >= 0.9
    ours, plug_in = np.mean(errors, axis=0)
    assert ours < plug_in / 4


def test_nothing_exceeds_what_the_entropies_allow():
    for seed in range(16):
        rng = np.random.RandomState(seed)
        x, y = _dependent(rng)[:2] if seed % 2 else _independent(rng)
        estimate = CountRatio(x, y).estimate()
        assert 0 <= estimate.low <= estimate.value <= estimate.high
        for side in (x, y):
            counts = np.unique(side, return_counts=True)[1]
            if not (counts == 1).any():
                assert estimate.high <= math.log(len(counts)) + 1e-12
            # Three standard errors of an entropy of at most 1,000 levels, and what is unseen.
            slack = 3 * math.log(len(counts)) / math.sqrt(len(side))
            assert estimate.high <= corrected_entropy(counts) + slack


@pytest.mark.parametrize("seen", [2, 3, 5, 10])
def test_ids_that_fix_a_class(seen):
    rng = np.random.RandomState(0)
    x = np.repeat(np.arange(N // seen), seen)
    estimate = CountRatio(x, rng.randint(2, size=N)[x]).estimate()
    assert estimate.value == pytest.approx(LOG_2, abs=0.02)
    assert estimate.low > 0.6


def test_unique_id_spans_everything_and_says_so():
    y = np.arange(N) % 2
    estimate = CountRatio(np.arange(N), y).estimate()
    assert estimate.value == estimate.low == 0
    assert estimate.high == pytest.approx(LOG_2, abs=0.01)
    assert "100% of the 1000 rows" in estimate.finding
    assert CountRatio(y, y[::-1]).estimate().finding is None


def test_a_column_that_cannot_tell_never_ranks_above_one_that_does():
    for seed in range(4):
        rng = np.random.RandomState(seed)
        y = rng.randint(2, size=N)
        telling = np.where(rng.rand(N) < 0.25, 1 - y, y)
        good = CountRatio(telling, y).estimate().value
        for levels in (30, 300, 1000, 20000, 10**6):
            assert CountRatio(rng.randint(levels, size=N), y).estimate().value < good


def test_a_rare_level_does_not_widen():
    rng = np.random.RandomState(0)
    x = rng.randint(4, size=N)
    y = np.where(rng.rand(N) < 0.3, rng.randint(4, size=N), x)
    plain = CountRatio(x, y).estimate()
    x[0], y[1] = 99, 98
    rare = CountRatio(x, y).estimate()
    assert rare.high - rare.low < 1.1 * (plain.high - plain.low)


def test_thick_tables_agree_with_miller_and_madow():
    for seed in range(10):
        rng = np.random.RandomState(seed)
        joint = rng.dirichlet(np.ones(30))
        pairs = rng.choice(30, 5000, p=joint)
        ratio = CountRatio(pairs // 6, pairs % 6)
        corrected = ratio.table.plug_in() - 4 * 5 / 1e4
        estimate = ratio.estimate()
        assert estimate.value == pytest.approx(corrected, abs=0.004)
        assert estimate.high - estimate.low < 0.07


def test_names_and_order_of_levels_do_not_matter():
    rng = np.random.RandomState(0)
    x, y, _ = _dependent(rng)
    want = CountRatio(x, y).estimate()
    order = rng.permutation(len(x))
    got = CountRatio(rng.permutation(x.max() + 1)[x][order], 2**60 - y[order]).estimate()
    for name in ("value", "low", "high"):
        assert getattr(got, name) == pytest.approx(getattr(want, name), abs=1e-4)


def test_log_ratio_on_pairs_not_seen_stays_below_the_truth():
    gaps = []
    for seed in range(20):
        x, y, truth = _dependent(np.random.RandomState(seed))
        half = len(x) // 2
        values = CountRatio(x[:half], y[:half]).log_ratio(x[half:], y[half:])
        assert np.isfinite(values).all()
        gaps.append((values.mean() - truth) / (values.std() / math.sqrt(half) + 0.02))
    assert max(gaps) < 3


def test_log_ratio_of_what_cannot_be_known_is_zero():
    rng = np.random.RandomState(0)
    y = rng.randint(2, size=N)
    ratio = CountRatio(np.arange(N), y)
    assert np.abs(ratio.log_ratio(np.arange(N), y)).max() == 0
    assert ratio.log_ratio(np.array([-5]), np.array([1]))[0] == 0
    assert np.abs(CountRatio(np.zeros(N), y).log_ratio(np.zeros(N), y)).max() < 1e-9


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_few_pairs_and_constants(n):
    x = np.arange(n)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for pair in ((x, x), (x, np.zeros(n, int)), (x % 2, x % 2)):
            estimate = CountRatio(*pair).estimate()
            assert 0 <= estimate.low <= estimate.value <= estimate.high < 10


def test_entropies():
    rng = np.random.RandomState(0)
    counts = np.bincount(rng.randint(500, size=1000))
    counts = counts[counts > 0]
    assert abs(corrected_entropy(counts) - math.log(500)) < 0.05
    assert plug_in_entropy(counts) < math.log(500) - 0.15
    assert corrected_entropy(np.array([20, 20])) == pytest.approx(LOG_2)


def test_codes_of_rows_never_overflow():
    bits = np.random.RandomState(0).randint(2, size=(50, 200))
    rows = np.vstack([bits, bits])
    codes = codes_of_rows(rows)
    assert len(np.unique(codes)) == 50
    assert (codes[:50] == codes[50:]).all()


@pytest.mark.parametrize("given", ["8 flags", "1000 levels", "unique id"])
def test_conditional_information_of_independent_flags(given):
    for seed in range(2):
        rng = np.random.RandomState(seed)
        n = 3000
        z = {
            "8 flags": rng.randint(2, size=(n, 8)),
            "1000 levels": rng.randint(1000, size=n),
            "unique id": np.arange(n),
        }[given]
        estimate = conditional_information(rng.randint(2, size=(n, 2)), rng.randint(2, size=n), z)
        assert estimate.low == 0
        assert estimate.value < 0.01


def test_conditional_information_known():
    rng = np.random.RandomState(0)
    x, z = rng.randint(2, size=3000), rng.randint(100, size=3000)
    of_z = rng.randint(2, size=100)[z]
    for y, truth in ((x, LOG_2), (of_z, 0.0), (x ^ of_z, LOG_2)):
        estimate = conditional_information(x, y, z)
        assert estimate.low - 1e-9 <= truth <= estimate.high + 1e-9
        assert estimate.value == pytest.approx(truth, abs=0.02)


def test_permutation_p_value():
    rng = np.random.RandomState(0)
    x, z = rng.randint(5, size=300), rng.randint(10, size=300)
    y = (x + z) % 5
    assert permutation_p_value(x, y, z, 99) == 0.01
    both = [z + rng.randint(2, size=300) for _ in "xy"]
    assert permutation_p_value(*both, None, 99) == 0.01
    assert permutation_p_value(*both, z, 99) > 0.05
    assert permutation_p_value(np.arange(300), y, None, 99) == 1
    values = [permutation_p_value(x, rng.randint(40, size=300), None, 49) for _ in range(40)]
    assert np.mean(np.array(values) <= 0.1) < 0.25


def test_within_strata_a_loop_says_the_same():
    rng = np.random.RandomState(0)
    x, y, z = (rng.randint(k, size=400) for k in (3, 4, 5))
    plain = sum(
        (z == k).mean() * CountRatio(x[z == k], y[z == k]).table.plug_in() for k in range(5)
    )
    table = Table.count_pairs(codes_of_rows(np.column_stack([z, x])), y, z)
    assert table.plug_in() == pytest.approx(plain)

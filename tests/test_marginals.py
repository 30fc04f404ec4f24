"""What a log ratio is worth against pairs put together at random, where few of these are likely."""

import math

import numpy as np
import pytest

from sk_infomax import mutual_info
from sk_infomax.datasets import correlated_normal
from sk_infomax.information._findings import about_reference
from sk_infomax.information._marginals import Marginal, against_others, middle_of
from sk_infomax.information._reading import Reading


def normal_pairs(nats, d, n, seed=0):
    """Pairs (n, d) of each side whose columns are correlated one with one, and the correlations."""
    x, y = correlated_normal(d, nats).sample(n, random_state=seed)
    return x, y, np.full(d, math.sqrt(-math.expm1(-2 * nats / d)))


def exact_ratio(x, y, rho):
    """The log density ratio of rows of x and rows of y."""

    def scores(rows, others):
        a, b = x[rows], y[others]
        terms = (a * b - rho * (a**2 + b**2) / 2) * rho / (1 - rho**2)
        return (terms - 0.5 * np.log1p(-(rho**2))).sum(1)

    return scores


DISTORTED = {
    "as it is": lambda told, x, y: told,
    "five nats more": lambda told, x, y: told + 5,
    "too sure": lambda told, x, y: 1.3 * told,
    "unsure": lambda told, x, y: 0.6 * told,
    "something of y": lambda told, x, y: told + y[:, 0] ** 2,
    "something of x": lambda told, x, y: told + np.abs(x[:, 0]),
    "waves": lambda told, x, y: told + np.sin(5 * x[:, 0] + 3 * y[:, 0]),
}


@pytest.mark.parametrize("nats", [2.0, 5.0, 8.0])
@pytest.mark.parametrize("name", DISTORTED)
def test_no_ratio_is_worth_more_than_there_is(name, nats):
    """Whatever is added to the true log ratio; and without it, all is found."""
    x, y, rho = normal_pairs(nats, 2, 600)
    true = exact_ratio(x, y, rho)

    def scores(rows, others):
        return DISTORTED[name](true(rows, others), x[rows], y[others])

    found = against_others(x, y, rho, scores, np.random.RandomState(0))
    chance = math.hypot(found.error, true(np.arange(600), np.arange(600)).std() / math.sqrt(600))
    assert found.value < nats + 3 * chance
    if name in ("as it is", "five nats more"):
        assert found.value == pytest.approx(nats, abs=3 * chance)
        assert chance < 0.25


def test_what_a_network_says_of_pairs_that_it_was_never_shown_decides_nothing():
    """A thousand nats for others that are far off, where no pair is."""
    x, y, rho = normal_pairs(5.0, 2, 600)
    true = exact_ratio(x, y, rho)

    def wild(rows, others):
        far = np.abs(rho * x[rows] - y[others]).max(1) > 3
        return np.where(far, 1000.0, true(rows, others))

    wild_one, tame = (
        against_others(x, y, rho, scores, np.random.RandomState(0)) for scores in (wild, true)
    )
    assert wild_one.value == pytest.approx(tame.value, abs=0.1)


def test_a_ratio_that_is_worth_nothing_leaves_the_gaussian_one():
    x, y, rho = normal_pairs(5.0, 2, 600)
    noise = np.random.RandomState(1).normal(0, 5, size=(600, 600))
    found = against_others(x, y, rho, lambda i, j: noise[i, j], np.random.RandomState(0))
    assert found.value == pytest.approx(5.0, abs=0.5)


def test_a_reference_that_knows_nothing_costs_certainty_alone():
    x, y, rho = normal_pairs(3.0, 2, 600)
    known, blind = (
        against_others(x, y, share * rho, exact_ratio(x, y, rho), np.random.RandomState(0))
        for share in (1.0, 0.0)
    )
    assert known.error < blind.error
    assert blind.value == pytest.approx(known.value, abs=4 * blind.error)
    assert known.value == pytest.approx(3.0, abs=0.3)


def test_no_more_is_shown_than_there_are_pairs():
    x, y, rho = normal_pairs(29.0, 2, 50)
    found = against_others(x, y, rho, exact_ratio(x, y, rho), np.random.RandomState(0))
    assert found.value <= found.most_shown == math.log(50 * 49)


def test_folds_are_different_pairs():
    assert middle_of([]) is None
    mean = middle_of([Marginal(4.0, 0.3, 9.0), Marginal(5.0, 0.4, 9.0)])
    assert mean == pytest.approx((4.5, 0.25, 9.0))
    one_is_wild = [Marginal(8.0, 0.3, 9.0), Marginal(-20.0, 0.3, 9.0), Marginal(8.2, 0.3, 9.0)]
    assert middle_of(one_is_wild).value == 8.0


def reading(own, marginal):
    folds = {"own": np.full(3, own), "base": np.full(3, own)}
    folds |= {"jsd": folds["own"], "plug-in": folds["own"]}
    return Reading(np.full(10**6, own), folds, 17, None, (1, 1), marginal=marginal)


def test_what_does_not_hold_against_the_pairs_is_not_reported():
    value, error, missed = reading(18.0, Marginal(12.5, 0.2, 15.0)).settled()
    assert value == pytest.approx(12.5, abs=0.05)
    assert error == pytest.approx(0.2, abs=0.02)
    few = reading(18.0, Marginal(12.5, 1.5, 15.0)).settled()
    assert 12.5 < few[0] < 14
    assert few[1] > 1
    assert missed == pytest.approx(5.5, abs=0.05)
    (said,) = about_reference(reading(18.0, Marginal(12.5, 0.2, 15.0)), value, missed)
    assert "18.00" in said
    assert "12.50" in said


def test_what_agrees_stays():
    one = reading(8.0, Marginal(8.1, 0.2, 15.0))
    value, _, missed = one.settled()
    assert value == pytest.approx(8.0)
    assert missed == 0
    assert not about_reference(one, value, missed)
    assert reading(8.0, Marginal(9.9, 0.2, 15.0)).settled()[::2] == (8.0, 0.0)  # none may be there
    assert reading(8.0, None).settled() == (8.0, reading(8.0, None).error(), 0.0)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("d", "share"),
    [
        pytest.param(2, 0.02, marks=pytest.mark.nightly),
        pytest.param(3, 0.05, marks=pytest.mark.nightly),
        pytest.param(4, 0.05, marks=pytest.mark.nightly),
    ],
)
def test_noise_on_a_torus_is_not_overestimated(d, share):
    """Columns lie on circles, of which a normal reference knows nothing."""
    rng = np.random.RandomState(0)
    angle = 2 * math.pi * rng.uniform(size=(1200, d))
    other = angle + 2 * math.pi * share * rng.uniform(-1, 1, angle.shape)
    x, y = (np.hstack([np.cos(one), np.sin(one)]) for one in (angle, other))
    truth = -d * math.log(2 * share)
    value, (low, high) = mutual_info(x, y, max_steps=60, cv=2, random_state=0)
    assert low <= truth <= high
    assert value < 1.1 * truth

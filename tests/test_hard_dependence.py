"""Dependence that critics miss: what the interval says of it, and what more effort means."""

import math

import numpy as np
import pytest

from sk_infomax import GatedCritic, MutualInfoEstimator, mutual_info
from sk_infomax.bounds import InfoNCE
from sk_infomax.information._curvature import curvature
from sk_infomax.information._effort import EFFORTS
from sk_infomax.information._findings import about_missed
from sk_infomax.information._reading import Reading
from sk_infomax.information._rows import INDEPENDENT


def coupled(z, seed, layers=3):
    """Columns (n, d) after invertible layers: half of them moved by sines of the other half."""
    rng, half = np.random.RandomState(seed), z.shape[1] // 2
    for _ in range(layers):
        still, moved = z[:, :half], z[:, half:]
        turn = rng.normal(size=(half, z.shape[1] - half)) / math.sqrt(half)
        z = np.hstack([moved + np.sin(still @ turn), still])
    return z


def clusters(rng, n, d):
    """A mixture of three normal clusters."""
    return 2 * rng.normal(size=(3, d))[rng.randint(3, size=n)] + rng.normal(size=(n, d))


def scaled(rng, n, d):
    """Columns that share a heavy-tailed scale."""
    return rng.normal(size=(n, d)) / np.sqrt(rng.chisquare(4, (n, 1)))


STRAIGHT = {
    "normal": lambda rng, n, d: rng.normal(size=(n, d)),
    "turned": lambda rng, n, d: rng.normal(size=(n, d)) @ rng.normal(size=(d, d)),
    "scaled": scaled,
}
CURVED = {
    "coupled": lambda rng, n, d: coupled(rng.normal(size=(n, d)), rng.randint(99)),
    "clusters": clusters,
    "bowl": lambda rng, n, d: np.hstack([(z := rng.normal(size=(n, d - 1))), z[:, :1] ** 2]),
}


@pytest.mark.parametrize("d", [2, 5, 12])
@pytest.mark.parametrize("kind", STRAIGHT)
def test_lines_and_scales_are_not_curved(kind, d):
    found = [curvature(STRAIGHT[kind](np.random.RandomState(s), 1500, d)) for s in range(6)]
    assert max(found) < (0.2 if kind == "scaled" else 0.01)
    assert kind == "scaled" or np.median(found) == 0


@pytest.mark.parametrize("d", [2, 6])
@pytest.mark.parametrize("kind", CURVED)
def test_curves_and_clusters_are_seen_from_any_direction(kind, d):
    for seed in range(4):
        rng = np.random.RandomState(seed)
        z = CURVED[kind](rng, 2000, d)
        found = curvature(z)
        assert found > 0.02
        turned = 3 + z @ rng.normal(size=(d, d))
        assert curvature(turned) == pytest.approx(found, rel=1e-6)


def test_too_few_rows_and_one_column_are_not_judged():
    rng = np.random.RandomState(0)
    assert curvature(clusters(rng, 20, 5)) == 0
    assert curvature(clusters(rng, 500, 1)) == 0
    assert curvature(clusters(rng, 2000, 40)) == 0


def reading(own=1.0, base=0.2, learned=None, curved=(0.0, 0.0)):
    values = {"own": own, "jsd": own, "plug-in": own, "base": base}
    folds = {name: np.full(3, value) for name, value in values.items()}
    facts = {"learned": learned, "curvature": curved}
    return Reading(np.full(10**6, own), folds, 65, None, (2, 2), INDEPENDENT, **facts)


def test_what_is_known_by_heart_raises_the_upper_end_alone():
    whole = reading(learned=0.8)  # as much as of other pairs
    assert whole.settled()[2] == pytest.approx(0)
    some, more = reading(learned=0.9).settled(), reading(learned=1.3).settled()
    assert 0.1 < some[2] < more[2]
    assert some[:2] == more[:2] == whole.settled()[:2]
    assert reading(learned=0.5).settled()[2] == 0


def test_curves_raise_the_upper_end_where_they_are_not_used():
    assert reading(curved=(0.7, 0.8)).settled()[2] == pytest.approx(0)  # critics found 0.8
    within, between = (reading(curved=c).settled()[2] for c in ((1.8, 0.0), (0.0, 1.8)))
    assert within == between > 0.8
    assert reading(own=0.0, base=0.0, curved=(2.0, 0.0)).settled()[2] == 0  # nothing in common


def test_what_may_be_missed_is_said_with_the_remedy():
    for one, why in ((reading(learned=2.0), "trained on"), (reading(curved=(3.0, 0.0)), "curves")):
        (said,) = about_missed(one, 1.0, one.settled()[2], 4)
        assert why in said
        assert "effort='high'" in said
    assert not about_missed(reading(learned=0.82), 1.0, reading(learned=0.82).settled()[2], 4)
    assert not about_missed(reading(learned=2.0), 1.0, 3.6, 2)  # neighbours tell of two columns


@pytest.mark.slow
@pytest.mark.parametrize("d", [4, 8])
def test_couplings_are_held_by_the_interval_and_said(d):
    rng, rho = np.random.RandomState(0), 0.7
    x, y = rng.normal(size=(2, 1500, d))
    y = rho * x + math.sqrt(1 - rho**2) * y
    truth = -0.5 * d * math.log(1 - rho**2)
    with pytest.warns(UserWarning, match="may find more"):
        value, (low, high) = mutual_info(
            coupled(x, 1), coupled(y, 2), max_steps=60, cv=2, random_state=0
        )
    assert value < 0.8 * truth
    assert low <= truth <= high


@pytest.mark.parametrize("kind", CURVED)
def test_independent_curved_sides_stay_sure(kind):
    """What a side has in itself is no dependence."""
    x, y = (CURVED[kind](np.random.RandomState(seed), 1000, 4) for seed in (0, 1))
    value, (low, high) = mutual_info(x, y, max_steps=30, cv=2, random_state=0)
    assert low == 0
    assert value < 0.02
    assert high < 0.3


# Effort -----------------------------------------------------------------------------------------


def settings(**parameters):
    return MutualInfoEstimator(random_state=0, **parameters)._settings(100, INDEPENDENT)


def test_effort_is_what_auto_stands_for():
    assert settings().max_steps == settings(effort="balanced").max_steps
    for name, effort in EFFORTS.items():
        found = settings(effort=name)
        assert (found.cv, found.max_steps) == (effort.cv, effort.max_steps)
    work = [settings(effort=name) for name in ("fast", "balanced", "high")]
    assert [w.cv * w.max_steps for w in work] == sorted({w.cv * w.max_steps for w in work})
    assert work[2].n_shifts > work[1].n_shifts
    assert work[2].critic.hidden > work[1].critic.hidden
    many = [settings(effort=e, bound="infonce").n_shifts for e in ("balanced", "high")]
    assert many == [InfoNCE.n_negatives, 4 * InfoNCE.n_negatives]


def test_what_is_asked_for_is_not_overruled():
    asked = {"cv": 4, "max_steps": 7, "n_negatives": 3, "critic": GatedCritic(16)}
    found = settings(effort="high", **asked)
    assert (found.cv, found.max_steps, found.n_shifts) == (4, 7, 3)
    assert found.critic.hidden == 16
    assert type(settings(effort="high", critic="dot").critic).__name__ == "DotCritic"


def test_effort_by_its_names_alone():
    with pytest.raises(ValueError, match="effort"):
        mutual_info([[0.1], [0.2], [0.4]] * 5, [1.0, 2.0, 3.5] * 5, effort="huge")


def test_a_larger_critic_is_saved_and_loaded(tmp_path):
    x = np.random.RandomState(0).normal(size=(60, 2))
    fitted = MutualInfoEstimator(effort="high", max_steps=2, random_state=0).fit(x, x + x[::-1])
    fitted.save(tmp_path / "one.safetensors")
    again = MutualInfoEstimator.load(tmp_path / "one.safetensors")
    np.testing.assert_allclose(again.pointwise(x, x), fitted.pointwise(x, x), rtol=1e-5)
    assert again.effort == "high"

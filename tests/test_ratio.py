"""Models of the log ratio: the Gaussian part, the reference, cross-fitting."""

import math

import numpy as np
import pytest
import torch

from sk_infomax.bounds import BOUNDS, JensenShannon
from sk_infomax.critics import GatedCritic
from sk_infomax.datasets import additive_uniform, correlated_normal, independent
from sk_infomax.information._cross_fitting import RatioTrainer
from sk_infomax.information._gaussian import (
    GaussianRatio,
    calibrated_correlations,
    canonical_directions,
    gaussian_information,
)
from sk_infomax.information._models import RatioModel, even_shifts, nats_of
from sk_infomax.information._reading import Reading, read
from sk_infomax.information._reference import ColumnwiseCorrection, ReferredModel


def centred(task, n, seed=0):
    return tuple(side - side.mean(0) for side in task.sample(n, random_state=seed))


def trainer(**settings):
    plain = {
        "critic": GatedCritic(8),
        "bound": JensenShannon(),
        "base": True,
        "size_x": 3,
        "size_y": 3,
        "n_shifts": 2,
        "max_steps": 20,
        "batch_size": 64,
        "device": "cpu",
        "seed": 0,
    }
    return RatioTrainer(**(plain | settings))


# The Gaussian part ------------------------------------------------------------------------------


def test_canonical_variates_have_unit_covariance_and_pair_up():
    x, y = centred(correlated_normal(3, 1.0), 2000)
    to_x, to_y, correlations = canonical_directions(x, y)
    a, b = x @ to_x, y @ to_y
    np.testing.assert_allclose(a.T @ a / len(a), np.eye(3), atol=1e-9)
    np.testing.assert_allclose(np.diag(a.T @ b / len(a)), correlations, atol=1e-9)


def test_correlations_of_independent_sides_count_as_none():
    for seed in range(5):
        assert not canonical_directions(*centred(independent(4, 6), 500, seed))[2].any()


def test_calibrated_correlations_are_those_of_new_pairs():
    """With 20 + 20 columns and 400 pairs the sample's own are far too large."""
    task = correlated_normal(20, 2.0)
    x, y = centred(task, 400)
    to_x, to_y, found = canonical_directions(x, y)
    u, v = task.sample(20000, random_state=1)
    a, b = u @ to_x, v @ to_y
    new = [np.corrcoef(a[:, i], b[:, i])[0, 1] for i in range(20)]
    kept = calibrated_correlations(x, y, found)
    shown = found > 0
    assert np.abs(kept - new)[shown].mean() < 0.1 < np.abs(found - new)[shown].mean()


def test_a_column_that_hardly_varies_leaves_correlations_finite():
    rng = np.random.RandomState(0)
    for _ in range(20):
        x = rng.normal(size=(40, 3)) * [1, 1e-9, 1e-160]
        y = x @ rng.normal(size=(3, 2)) + 1e-12 * rng.normal(size=(40, 2))
        x, y = (v - v.mean(0) for v in (x, y))
        with np.errstate(all="raise", under="ignore"):
            kept = calibrated_correlations(x, y, np.array([0.9, 0.5]))
        assert ((kept >= 0) & (kept < 1)).all()


@pytest.mark.parametrize("n", [60, 400])
def test_gaussian_information_has_no_bias(n):
    task = correlated_normal(5, 1.5)
    values = [gaussian_information(*task.sample(n, random_state=seed)) for seed in range(300)]
    spread = np.std(values) / math.sqrt(300)
    assert np.mean(values) == pytest.approx(1.5, abs=3.5 * spread)
    assert spread < 0.02


def test_gaussian_information_needs_samples():
    assert math.isnan(gaussian_information(*independent(5, 5).sample(12, random_state=0)))


def test_mean_of_the_gaussian_ratio_is_its_information_whatever_the_distribution():
    x, y = centred(additive_uniform(2, 0.3), 4000)
    to_x, to_y, correlations = canonical_directions(x, y)
    ratio = GaussianRatio(2)
    ratio.get_buffer("correlations").copy_(torch.from_numpy(correlations))
    mean = ratio(torch.from_numpy(x @ to_x), torch.from_numpy(y @ to_y)).mean().item()
    assert mean == pytest.approx(-0.5 * np.log1p(-(correlations**2)).sum(), abs=1e-9)


# Models -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [RatioModel, ReferredModel])
def test_untrained_models_are_the_gaussian_ratio(kind):
    pairs = np.hstack(centred(correlated_normal(3, 4.0), 500))
    model = kind(GatedCritic(8), JensenShannon(), 3, 3, True, 2).eval()
    model.learn_coordinates(pairs)
    np.testing.assert_allclose(model.log_ratio(pairs), model.base_ratio(pairs), atol=1e-4)
    assert nats_of(JensenShannon(), model.read(pairs)) == pytest.approx(4.0, abs=0.5)


def test_tables_line_up():
    pairs = np.hstack(centred(correlated_normal(3, 1.0), 50))
    model = RatioModel(GatedCritic(8), JensenShannon(), 3, 3, True, 2).eval()
    model.learn_coordinates(pairs)
    model.gate.data.fill_(1.0)
    with torch.inference_mode():
        joint, marginal = model.tables(model.inputs(pairs), [1, 7])
    swapped = np.hstack([pairs[:, :3], np.roll(pairs[:, 3:], -7, 0)])
    np.testing.assert_allclose(joint[:, 0], model.log_ratio(pairs), atol=1e-5)
    np.testing.assert_allclose(marginal[:, 1, 0], model.log_ratio(swapped), atol=1e-5)


def test_reference_draws_from_the_conditional():
    """Drawn y have with x the canonical correlations that the pairs have."""
    pairs = np.hstack(centred(correlated_normal(3, 4.0), 4000))
    model = ReferredModel(GatedCritic(8), JensenShannon(), 3, 3, True, 2).eval()
    correlations = model.learn_coordinates(pairs)
    left, _ = model.sides(model.inputs(pairs))
    drawn = model._draw(left.variates, torch.Generator().manual_seed(0))
    for i in range(3):
        seen = np.corrcoef(left.variates[:, i].detach(), drawn[:, i])[0, 1]
        assert seen == pytest.approx(correlations[i], abs=0.02)


def test_residuals_of_the_reference_are_white():
    pairs = np.hstack(centred(correlated_normal(3, 4.0), 4000))
    model = ReferredModel(GatedCritic(8), JensenShannon(), 3, 3, True, 2).eval()
    model.learn_coordinates(pairs)
    left, right = model.sides(model.inputs(pairs))
    residuals = (right.whitened - left.mean).detach().numpy()
    np.testing.assert_allclose(np.cov(residuals.T), np.eye(3), atol=0.1)


def test_columnwise_correction_is_a_sum_over_columns():
    torch.manual_seed(0)
    correction = ColumnwiseCorrection(3)
    torch.nn.init.normal_(correction.outer.weight)
    mean, y, radial = torch.randn(5, 3), torch.randn(5, 3), torch.randn(5, 4)
    swap = [2, 0, 1]
    whole = correction(mean, y, radial)
    torch.testing.assert_close(correction(mean[:, swap], y[:, swap], radial), whole)
    assert whole.shape == (5,)


def test_even_shifts():
    assert even_shifts(5, 10) == [1, 2, 3, 4]
    assert len(set(even_shifts(1000, 64))) == 64
    assert 0 not in even_shifts(1000, 64)


# Cross-fitting ----------------------------------------------------------------------------------


def test_each_pair_is_read_by_a_model_that_has_not_seen_it():
    pairs = np.hstack(correlated_normal(3, 1.0).sample(90, random_state=0))
    seen = [set(map(tuple, pairs[fold])) for fold, _ in trainer(max_steps=0).held_out(pairs, cv=3)]
    assert sum(map(len, seen)) == 90
    assert len(set.union(*seen)) == 90


def test_reference_is_for_high_gaussian_information():
    low, high = (
        np.hstack(correlated_normal(3, nats).sample(500, random_state=0)) for nats in (1.0, 5.0)
    )
    assert not trainer().fitted_to(low).referred
    assert trainer().fitted_to(high).referred
    assert not trainer(base=False).fitted_to(high).referred
    assert isinstance(trainer().fitted_to(high).build(0), ReferredModel)


def test_training_never_ends_worse_than_the_gaussian_it_started_from():
    """Twenty columns and 60 pairs: all that a network can do is to learn them by heart."""
    pairs = np.hstack(independent(10, 10).sample(60, random_state=0))
    model = trainer(size_x=10, size_y=10, max_steps=60).train(pairs, 0)
    new = np.hstack(independent(10, 10).sample(2000, random_state=1))
    assert abs(model.log_ratio(new).mean()) < 0.1


def test_reading_exchanges_the_gaussian_part():
    task = correlated_normal(20, 4.0)
    pairs = np.hstack(task.sample(600, random_state=0))
    reading = read(trainer(size_x=20, size_y=20), pairs, 2)
    assert reading.mean("own") < 3.5
    assert reading.estimate() == pytest.approx(4.0, abs=0.4)
    assert abs(reading.estimate() - 4.0) < 2 * reading.error()


def test_parts_of_the_error():
    rng = np.random.RandomState(0)
    folds = dict.fromkeys((*BOUNDS, "own", "plug-in", "base"), np.full(3, 1.0))
    folds["base"] = np.zeros(3)
    quiet = Reading(np.full(10**6, 1.0), folds, 65, None, (1, 1))
    assert quiet.error() == pytest.approx(0.05, abs=1e-4)
    assert quiet.estimate() == pytest.approx(1.0)
    assert Reading(np.full(10**6, 1.0), folds, 65, 0.4, (1, 1)).estimate() == pytest.approx(1.4)
    loud = Reading(1 + rng.normal(size=100), folds, 65, None, (1, 1))
    assert loud.error() > 0.1
    folds = folds | {"own": np.array([0.8, 1.0, 1.2])}
    assert Reading(np.full(10**6, 1.0), folds, 65, None, (1, 1)).error() > 0.1


def test_neighbours_are_joined_by_their_variance():
    folds = dict.fromkeys((*BOUNDS, "own", "plug-in"), np.full(3, 1.0)) | {"base": np.zeros(3)}
    reading = Reading(np.full(4900, 1.0), folds, 65, None, (1, 1))  # noise 0.01, model error 0.05
    estimate, error = reading.joined_with(1.02)
    assert estimate == pytest.approx(1 + 0.02 * 25 / 26)
    assert error < reading.error()
    sure = Reading(np.full(4900, 1.0), folds | {"base": np.ones(3)}, 65, None, (1, 1))
    assert sure.joined_with(1.008)[0] == pytest.approx(1.0)
    assert sure.joined_with(1.2)[0] == pytest.approx(1.2, abs=0.01)  # too far off for chance

"""Many pairs: read some at a time, trained no longer than asked, permuted without training."""

import copy
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from sk_infomax import MutualInfoEstimator, mutual_info
from sk_infomax._training._net import InfoMaxNet
from sk_infomax.bounds import BOUNDS, InfoNCE, JensenShannon
from sk_infomax.critics import GatedCritic
from sk_infomax.information import _models
from sk_infomax.information._cross_fitting import RatioTrainer
from sk_infomax.information._effort import EFFORTS
from sk_infomax.information._gaussian import covariance_of, gaussian_information
from sk_infomax.information._models import RatioModel, even_shifts
from sk_infomax.information._reference import ReferredModel


def pairs_of(n, d=2, seed=0):
    rng = np.random.RandomState(seed)
    x = rng.normal(size=(n, d))
    return x, 0.8 * x + 0.6 * rng.normal(size=(n, d))


def model_of(kind, pairs, bound=JensenShannon):
    torch.manual_seed(0)
    model = kind(GatedCritic(8), bound(), 2, 2, True, 2)
    with torch.no_grad():
        model.gate.fill_(0.5)
    model.learn_coordinates(pairs)
    return model.eval()


def test_pairs_are_read_some_at_a_time_as_all_at_once(monkeypatch):
    pairs = np.hstack(pairs_of(500))
    model = model_of(RatioModel, pairs)
    with torch.inference_mode():
        whole = model.tables(model.inputs(pairs), even_shifts(500, 64))
    monkeypatch.setattr(_models, "ROWS_AT_ONCE", 7)
    monkeypatch.setattr(_models, "_ROWS_OF_SUMS", 11)
    for mine, other in zip(model.read(pairs).added, whole):
        torch.testing.assert_close(mine, other, rtol=1e-4, atol=1e-5)
    orders = [np.arange(500), np.arange(500)[::-1].copy()]
    sums = model.permuted_sums(pairs, orders)
    assert sums[0] == pytest.approx(model.log_ratio(pairs).sum(), rel=1e-5)
    turned = np.hstack([pairs[:, :2], pairs[::-1, 2:]])
    assert sums[1] == pytest.approx(model.log_ratio(turned).sum(), rel=1e-5)


@pytest.mark.parametrize("kind", [RatioModel, ReferredModel])
def test_others_are_sought_among_some_where_pairs_are_many(kind, monkeypatch):
    pairs = np.hstack(pairs_of(1000))
    model = model_of(kind, pairs)
    whole = {name: _models.nats_of(bound(), model.read(pairs)) for name, bound in BOUNDS.items()}
    monkeypatch.setattr(_models, "_ROWS_OF_OTHERS", 300)
    monkeypatch.setattr(_models, "_SCORES_OF_READING", 20_000)
    read = model.read(pairs)
    assert len(read.added[0]) == 1000
    for name, bound in BOUNDS.items():
        assert name == "infonce" or _models.nats_of(bound(), read) == pytest.approx(
            whole[name], abs=0.1
        )
    if kind is RatioModel:
        own = torch.from_numpy(model.log_ratio(pairs)).float()
        torch.testing.assert_close(read.added[0][:, 0], own, rtol=1e-4, atol=1e-5)
        assert read.added[1].shape == (1000, 20, 1)
        capped = model_of(kind, pairs, InfoNCE)
        assert capped.read(pairs).added[1].shape == (1000, 64, 1)


@pytest.mark.parametrize(("n", "batch_size"), [(400, 64), (5000, 64)])
def test_steps_are_never_more_than_asked(n, batch_size, monkeypatch):
    taken, step = [], InfoMaxNet.train_step
    monkeypatch.setattr(
        InfoMaxNet, "train_step", lambda *args, **kw: (taken.append(1), step(*args, **kw))[1]
    )
    mutual_info(*pairs_of(n), cv=2, max_steps=9, batch_size=batch_size, random_state=0)
    assert 0 < len(taken) <= 2 * 9


def test_many_pairs_get_as_many_steps_as_a_pass_takes():
    one = EFFORTS["balanced"]
    assert one.n_steps(10_000, 256) == one.max_steps == 600
    assert one.n_steps(400_000, 256) == 400_000 // 256
    assert one.n_steps(10**9, 256) == 4 * one.max_steps


def test_covariances_are_summed_without_copies(monkeypatch):
    x, y = pairs_of(40_000, 3)
    np.testing.assert_allclose(covariance_of(x + 5, y), np.cov(np.hstack([x, y]).T), atol=1e-10)
    assert gaussian_information(x, y) == pytest.approx(-1.5 * math.log(0.36), abs=0.03)


@pytest.mark.parametrize("strength", [0.8, 0.02])
def test_permutations_take_the_critics_of_fit(strength, monkeypatch):
    X, Y = pairs_of(300)
    Y = strength * X + (Y - 0.8 * X)
    settings = {"effort": "fast", "max_steps": 4, "random_state": 0}
    fitted = MutualInfoEstimator(**settings).fit(X, Y)
    unfitted = MutualInfoEstimator(**settings).permutation_test(X, Y, 49)
    copied = copy.deepcopy(fitted).permutation_test(X, Y, 49)
    drawn = MutualInfoEstimator(**settings | {"random_state": None}).fit(X, Y)

    def train(*_):
        raise AssertionError("trained again")

    monkeypatch.setattr(RatioTrainer, "train", train)
    assert fitted.permutation_test(X, Y, 49) == unfitted == copied
    drawn.permutation_test(X, Y, 49)
    fitted.set_params(max_steps=5)
    for other in (lambda: fitted.permutation_test(X, Y, 9), lambda: drawn.permutation_test(Y, X)):
        with pytest.raises(AssertionError, match="trained again"):
            other()


@pytest.mark.parametrize("steps", [0, 1])
def test_fits_without_training_are_permuted_too(steps):
    X, Y = pairs_of(10)  # too few for some to be held out
    estimator = MutualInfoEstimator(cv=2, max_steps=steps, random_state=0).fit(X, Y)
    assert 0 < estimator.permutation_test(X, Y, 9) <= 1


@pytest.mark.nightly
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="no peak of memory")
def test_a_pair_costs_a_few_hundred_bytes():
    def peak_of(n):
        X, Y = pairs_of(n, 5)
        Path("/proc/self/clear_refs").write_text("5")
        before = _status("VmRSS")
        mutual_info(X, Y, cv=2, max_steps=2, random_state=0)
        return _status("VmHWM") - before

    peak_of(50_000)
    assert peak_of(100_000) / 100_000 < 1000  # bytes; at least half of them are the allocator's


def _status(field):
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line for line in lines if line.startswith(field)).split()[1])

"""Training goes on after copies, files and kills as if nothing had been."""

import copy
import pickle
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from sklearn import config_context
from torch import nn

from benchmarks import kills
from sk_infomax import (
    Checkpoint,
    DeepInfoMaxTransformer,
    DotCritic,
    MutualInfoEstimator,
    TorchEncoder,
    mutual_info,
)
from sk_infomax._training import _resuming
from sk_infomax.encoders import ENCODERS
from sk_infomax.information import _trail


class Dropout(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Linear(6, 16), nn.Dropout(0.5), nn.Linear(16, 8))


OWN = TorchEncoder(Dropout, "1")
SMALL = {
    "n_components": 4,
    "max_epochs": 3,
    "batch_size": 32,
    "random_state": 0,
    "critic": DotCritic(units=4),
    "encoder": ENCODERS["perceptron"](hidden=8),
}
SETTINGS = [
    {},
    {"bound": "dv", "prior": "uniform", "global_weight": 1.0},
    {"optimizer": torch.optim.NAdam, "lr_schedule": "constant"},
    {"optimizer": "rmsprop", "early_stopping": True, "views": 2, "augmentation": "table"},
    {"encoder": OWN},
]


def table(n=130):
    return np.random.RandomState(0).normal(size=(n, 6)).astype(np.float32)


def own_of(settings):
    return {"encoder": OWN} if settings.get("encoder") is OWN else {}


def rows_of(model):
    times = ("dur", "batches")
    return [{k: v for k, v in row.items() if k not in times} for row in model.history_]


def same(model, other):
    np.testing.assert_array_equal(model.transform(table()), other.transform(table()))
    assert rows_of(model) == rows_of(other)


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_partial_fit_goes_on_after_copies_and_files(settings, tmp_path):
    model = DeepInfoMaxTransformer(**(SMALL | settings)).fit(table())
    model.save(tmp_path / "model", training_state=True)
    others = [
        copy.deepcopy(model),
        pickle.loads(pickle.dumps(model)),
        DeepInfoMaxTransformer.load(tmp_path / "model", **own_of(settings)),
    ]
    for one in (model, *others):
        one.partial_fit(table()).partial_fit(table(50))
    for other in others:
        same(model, other)


def test_a_file_has_the_training_state_where_it_is_asked_for(tmp_path):
    model = DeepInfoMaxTransformer(**SMALL).fit(table())
    model.save(tmp_path / "with", training_state=True)
    model.save(tmp_path / "without")
    assert (tmp_path / "with").stat().st_size > 1.5 * (tmp_path / "without").stat().st_size
    bare = DeepInfoMaxTransformer.load(tmp_path / "without").partial_fit(table())
    assert not np.array_equal(
        bare.transform(table()), model.partial_fit(table()).transform(table())
    )


def test_partial_fit_trains_at_the_rate_that_is_set():
    model = DeepInfoMaxTransformer(**SMALL).fit(table())
    assert model.net_.optimizer_.param_groups[0]["lr"] < 0.1 * model.lr
    before = model.transform(table())
    model.partial_fit(table())
    assert model.net_.optimizer_.param_groups[0]["lr"] == model.lr
    moved = np.abs(model.transform(table()) - before).max()
    still = copy.deepcopy(model).set_params(lr=1e-9).partial_fit(table())
    assert np.abs(still.transform(table()) - model.transform(table())).max() < 0.5 * moved


def test_an_optimizer_may_be_changed_on_the_way():
    model = DeepInfoMaxTransformer(**SMALL).fit(table()).set_params(optimizer="sgd")
    other = pickle.loads(pickle.dumps(model))
    same(model.partial_fit(table()), other.partial_fit(table()))
    assert isinstance(model.net_.optimizer_, torch.optim.SGD)


def test_settings_that_are_wrong_do_not_spoil_the_pickle():
    model = DeepInfoMaxTransformer(**SMALL).fit(table())
    wrong = {"optimizer": "oops", "device": "abacus", "callbacks": [3], "bound": "oops", "lr": -1}
    other = pickle.loads(pickle.dumps(model.set_params(**wrong)))
    other.set_params(output="embedding")
    for name in wrong:
        setattr(other, name, SMALL.get(name, DeepInfoMaxTransformer().get_params()[name]))
        setattr(model, name, getattr(other, name))
    same(model, other)


class KilledError(Exception):
    pass


@contextmanager
def killed_at(monkeypatch, owner, name, count):
    """What runs inside ends after so many calls of a method, as if it had been killed there."""
    method, taken = getattr(owner, name), []

    def look(*args):
        method(*args)
        taken.append(1)
        if len(taken) == count:
            raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(owner, name, look)
        with pytest.raises(KilledError):
            yield


def killed_after(monkeypatch, steps, path, X, **settings):
    """A fit that ends after so many steps, as if it had been killed there."""
    with killed_at(monkeypatch, _resuming._Keeper, "__call__", steps):
        DeepInfoMaxTransformer(callbacks=[Checkpoint(path, 0)], **settings).fit(X)


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@pytest.mark.parametrize("steps", [1, pytest.param(4, marks=pytest.mark.nightly), 7])
def test_a_fit_goes_on_from_any_step(settings, steps, tmp_path, monkeypatch):
    settings, path = SMALL | settings, tmp_path / "checkpoint"
    whole = DeepInfoMaxTransformer(**settings).fit(table())
    killed_after(monkeypatch, steps, path, table(), **settings)
    resumed = DeepInfoMaxTransformer.resume(path, table(), **own_of(settings))
    same(whole, resumed)
    assert resumed.callbacks[0].path == str(path)
    same(whole, DeepInfoMaxTransformer.resume(path, table(), **own_of(settings)))


def test_streamed_samples_and_passes_go_on_too(tmp_path, monkeypatch):
    path = tmp_path / "checkpoint"
    whole = DeepInfoMaxTransformer(**SMALL).fit(table())
    with config_context(working_memory=0):
        killed_after(monkeypatch, 6, path, table(), **SMALL)
        same(whole, DeepInfoMaxTransformer.resume(path, table()))
    # What is kept of a pass is taken up as a pass.
    model = DeepInfoMaxTransformer(callbacks=[Checkpoint(path, 0)], **SMALL).partial_fit(table())
    model.partial_fit(table())
    same(model, DeepInfoMaxTransformer.resume(path, table()))


def test_a_checkpoint_is_a_model_too(tmp_path, monkeypatch):
    path = tmp_path / "checkpoint"
    killed_after(monkeypatch, 5, path, table(), **SMALL)
    model = DeepInfoMaxTransformer.load(path)
    assert model.n_iter_ == 1
    assert np.isfinite(model.transform(table())).all()


def test_what_can_not_be_resumed_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "checkpoint"
    killed_after(monkeypatch, 5, path, table(), **SMALL)
    with pytest.raises(ValueError, match="X is not what"):
        DeepInfoMaxTransformer.resume(path, table()[::-1])
    with pytest.raises(ValueError, match="lr can't change on the way"):
        DeepInfoMaxTransformer.resume(path, table(), lr=0.1)
    DeepInfoMaxTransformer(**SMALL).fit(table()).save(tmp_path / "ended", training_state=True)
    with pytest.raises(ValueError, match="is no checkpoint"):
        DeepInfoMaxTransformer.resume(tmp_path / "ended", table())
    with pytest.raises(FileNotFoundError):
        DeepInfoMaxTransformer.resume(tmp_path / "none", table())
    for every, kind in ((-1, ValueError), ("often", TypeError), (float("nan"), ValueError)):
        model = DeepInfoMaxTransformer(callbacks=[Checkpoint(path, every)], **SMALL)
        with pytest.raises(kind, match="every="):
            model.fit(table())


def test_a_full_disk_ends_a_fit_with_its_error_and_keeps_the_file(tmp_path, monkeypatch):
    path = tmp_path / "checkpoint"
    killed_after(monkeypatch, 5, path, table(), **SMALL)
    before = path.read_bytes()

    def full(handle):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        with pytest.raises(OSError, match="No space left"):
            DeepInfoMaxTransformer.resume(path, table(), callbacks=[Checkpoint(path, 0)])
    assert path.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == ["checkpoint"]
    same(DeepInfoMaxTransformer(**SMALL).fit(table()), DeepInfoMaxTransformer.resume(path, table()))


@pytest.mark.slow
def test_fits_that_are_killed_go_on():
    found = kills.run(3, seed=1)
    assert found["kills"] == 3
    assert found["equal"] == found["resumed"] > 0
    assert found["left over"] == 0


class OwnCritic(DotCritic):
    """A critic of a user's own, which draws from torch's global generator."""

    def build(self, global_dim, local_dim):
        built = super().build(global_dim, local_dim)
        built.register_forward_pre_hook(lambda *_: torch.rand(3) and None)
        return built


def pairs(kind):
    rng = np.random.RandomState(0)
    y = rng.normal(size=160)
    if kind == "levels":
        return rng.randint(20, size=(160, 1)).astype(str), y
    return np.column_stack([y + rng.normal(size=160), *rng.normal(size=(kind - 1, 160))]), y


def estimator(**settings):
    return MutualInfoEstimator(**({"max_steps": 4, "cv": 2, "random_state": 0} | settings))


def estimate_killed_after(monkeypatch, n_critics, path, X, y, **settings):
    with killed_at(monkeypatch, _trail.Trail, "_write", n_critics):
        estimator(checkpoint=Checkpoint(path, 0), **settings).fit(X, y)


@pytest.mark.parametrize("kind", [2, pytest.param(24, marks=pytest.mark.nightly), "levels"])
def test_an_estimate_goes_on_from_any_critic(kind, tmp_path, monkeypatch):
    (X, y), path = pairs(kind), tmp_path / "checkpoint"
    whole = estimator(bound="dv").fit(X, y)
    for n_critics in (1, 3):
        estimate_killed_after(monkeypatch, n_critics, path, X, y, bound="dv")
        resumed = MutualInfoEstimator.resume(path, X, y)
        assert resumed.mutual_info_ == whole.mutual_info_
        assert resumed.confidence_interval_ == whole.confidence_interval_
        np.testing.assert_array_equal(resumed.pointwise(X, y), whole.pointwise(X, y))
        assert resumed.checkpoint.path == str(path)
    assert [one.name for one in tmp_path.iterdir()] == ["checkpoint"]


def test_an_estimate_without_a_seed_goes_on_too(tmp_path, monkeypatch):
    (X, y), path = pairs(2), tmp_path / "checkpoint"
    estimate_killed_after(monkeypatch, 1, path, X, y, random_state=None)
    first, second = (MutualInfoEstimator.resume(path, X, y) for _ in range(2))
    np.testing.assert_array_equal(first.pointwise(X, y), second.pointwise(X, y))


def test_what_can_not_go_on_of_an_estimate_is_refused(tmp_path, monkeypatch):
    (X, y), path = pairs(2), tmp_path / "checkpoint"
    estimate_killed_after(monkeypatch, 2, path, X, y)
    with pytest.raises(ValueError, match="not those of the fit that was killed"):
        MutualInfoEstimator.resume(path, X[::-1], y)
    with pytest.raises(ValueError, match="not those of the fit that was killed"):
        MutualInfoEstimator.resume(path, X, y, groups=np.arange(160) // 2)
    with pytest.raises(ValueError, match="no effect on what was fitted with max_steps"):
        MutualInfoEstimator.resume(path, X, y, max_steps=9)
    with pytest.raises(ValueError, match="missing can't change on the way"):
        MutualInfoEstimator.resume(path, X, y, missing="drop")
    with pytest.raises(ValueError, match="is a checkpoint of a fit that has not ended"):
        MutualInfoEstimator.load(path)
    estimator().fit(X, y).save(tmp_path / "ended")
    with pytest.raises(ValueError, match="is no checkpoint"):
        MutualInfoEstimator.resume(tmp_path / "ended", X, y)
    with pytest.raises(FileNotFoundError, match="No such folder"):
        estimator(checkpoint=Checkpoint(tmp_path / "none" / "file")).fit(X, y)
    with pytest.raises(ValueError, match="checkpoint is for fit"):
        mutual_info(X, y, checkpoint=Checkpoint(path))


def test_a_critic_of_ones_own_draws_apart_and_is_given_again(tmp_path, monkeypatch):
    (X, y), path = pairs(2), tmp_path / "checkpoint"
    state = torch.get_rng_state()
    whole = estimator(critic=OwnCritic(units=4)).fit(X, y)
    assert torch.equal(state, torch.get_rng_state())
    estimate_killed_after(monkeypatch, 1, path, X, y, critic=OwnCritic(units=4))
    with pytest.raises(ValueError, match="critic of the class OwnCritic"):
        MutualInfoEstimator.resume(path, X, y)
    resumed = MutualInfoEstimator.resume(path, X, y, critic=OwnCritic(units=4))
    np.testing.assert_array_equal(resumed.pointwise(X, y), whole.pointwise(X, y))

"""The net: optimizers apart, the schedule, ends of training, what the history holds."""

import io
import itertools
import math
import re
import sys
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest
import torch
from sklearn.exceptions import NotFittedError
from skorch.callbacks import Callback

from sk_infomax import DeepInfoMaxTransformer
from sk_infomax._settings import rows_apart
from sk_infomax._shown import _progress
from sk_infomax._training import _schedule
from sk_infomax._training._callbacks import ProgressBar
from sk_infomax._training._net import WeightedSum
from sk_infomax._training._schedule import MovingAverage
from sk_infomax.bounds import BOUNDS, JensenShannon


def table(n=64):
    return np.random.RandomState(0).normal(size=(n, 6)).astype(np.float32)


def fast(**settings):
    defaults = {"n_components": 8, "max_epochs": 2, "batch_size": 16, "random_state": 0}
    return DeepInfoMaxTransformer(**(defaults | settings))


def strided(**settings):
    """`fast` with the small network for images."""
    return fast(**({"encoder": "strided"} | settings))


class Recorder(Callback):
    def __init__(self):
        self.calls, self.rates = [], []

    def on_grad_computed(self, net, named_parameters, **kwargs):
        self.calls.append("grad")
        assert any(p.grad is not None for _, p in named_parameters)

    def on_batch_end(self, net, training=False, **kwargs):
        if training:
            self.rates.append(net.optimizer_.param_groups[0]["lr"])

    def on_epoch_end(self, net, **kwargs):
        self.calls.append("epoch")


class Stop(Callback):
    """Stops the way skorch's callbacks do."""

    def on_epoch_end(self, net, **kwargs):
        raise KeyboardInterrupt


class Interrupted(JensenShannon):
    """During its first step the user presses Ctrl-C."""

    def _objective(self, joint, marginal):
        raise KeyboardInterrupt


class Untold(JensenShannon):
    """Trains well and reports nothing."""

    def _nats(self, joint, marginal):
        return joint.mean() * math.nan


class Poisoned(JensenShannon):
    """Comes to a value that is not finite after some steps."""

    calls: ClassVar[list[int]] = []

    def __init__(self, after, value):
        self.after = after
        self.value = value

    def _objective(self, joint, marginal):
        self.calls.append(1)
        objective = super()._objective(joint, marginal)
        return objective * self.value if len(self.calls) > self.after else objective


@pytest.fixture
def poisoned():
    Poisoned.calls.clear()
    return Poisoned


def test_loss_is_minus_the_weighted_sum():
    terms = {"local": torch.tensor(2.0), "prior": torch.tensor(3.0), "other": torch.tensor(9.0)}
    assert WeightedSum({"local": 0.5, "prior": 2.0})(terms).item() == pytest.approx(-7.0)
    assert WeightedSum({"local": 0.5})(terms).item() == pytest.approx(-1.0)


def test_history_holds_every_term():
    model = fast(prior="uniform", global_weight=1.0, prior_weight=0.3, early_stopping=True)
    model.fit(table())
    for row in model.history_:
        for prefix in ("train", "valid"):
            total = row[f"{prefix}_local"] + row[f"{prefix}_global"] + 0.3 * row[f"{prefix}_prior"]
            assert row[f"{prefix}_loss"] == pytest.approx(-total, abs=1e-5)
            assert math.isfinite(row[f"{prefix}_discriminator"])
        assert row["dur"] > 0


@pytest.mark.parametrize("bound", BOUNDS)
def test_history_holds_the_information_in_nats(bound):
    model = fast(bound=bound, global_weight=1.0, early_stopping=True, critic="bilinear")
    row = model.fit(table()).history_[-1]
    for name in ("train_local", "train_global", "valid_local", "valid_global"):
        reported = row[f"{name}_nats"]
        assert math.isfinite(reported)
        if bound in ("dv", "nwj"):  # they report what they maximise
            assert reported == pytest.approx(row[name], abs=1e-6)
        if bound == "infonce":  # candidates: 57 rows in three batches, 7 held out
            count = 7 if name.startswith("valid") else 19
            assert reported == pytest.approx(row[name] + math.log(count), abs=1e-5)


@pytest.mark.parametrize("bound", BOUNDS)
def test_nats_of_validation_are_those_of_score(bound):
    """On one block, without views: the same scores, the same number."""
    model = fast(bound=bound, early_stopping=True, tol=0.0, n_iter_no_change=99).fit(table(80))
    fitted = model._fitted
    held_out = table(80)[rows_apart(model, fitted.parts, 80, fitted.seed)[1]]
    best = min(model.history_, key=lambda row: row["valid_loss"])
    assert best["valid_local_nats"] == pytest.approx(model.score(held_out), abs=2e-3)


def test_nats_that_are_not_finite_do_not_stop_training():
    model = fast(bound=Untold(), max_epochs=1).fit(table())
    assert math.isnan(model.history_[-1]["train_local_nats"])
    assert math.isfinite(model.history_[-1]["train_loss"])


def test_training_lowers_the_loss():
    losses = fast(max_epochs=15).fit(table(200)).history_[:, "train_loss"]
    assert losses[-1] < losses[0] - 0.1


def test_adversary_has_its_own_optimizer():
    net = fast(prior="normal").fit(table()).net_
    own = {id(p) for group in net.optimizer_adversary_.param_groups for p in group["params"]}
    rest = {id(p) for group in net.optimizer_.param_groups for p in group["params"]}
    assert own == {id(p) for p in net.module_.prior.parameters()}
    assert own | rest == {id(p) for p in net.module_.parameters()}
    assert not own & rest


def test_without_prior_there_is_one_optimizer():
    assert not hasattr(fast().fit(table()).net_, "optimizer_adversary_")


def test_cosine_schedule_rises_then_falls():
    recorder = Recorder()
    fast(max_epochs=25, callbacks=[recorder], lr=0.01).fit(table())
    rates = recorder.rates
    peak = int(np.argmax(rates))
    assert len(rates) == 100
    assert 1 <= peak <= 8
    assert max(rates) == pytest.approx(0.01, rel=0.01)
    assert (np.diff(rates[peak:]) < 0).all()
    assert rates[-1] < 1e-4


def test_constant_schedule():
    recorder = Recorder()
    fast(callbacks=[recorder], lr=0.01, lr_schedule="constant").fit(table())
    assert set(recorder.rates) == {0.01}


def test_callbacks_are_called_and_may_stop_training():
    recorder = Recorder()
    model = fast(max_epochs=9, callbacks=[recorder, ("stop", Stop())]).fit(table())
    assert model.n_iter_ == 1
    assert recorder.calls == ["grad"] * 4 + ["epoch"]


def test_ctrl_c_is_not_swallowed():
    with pytest.raises(KeyboardInterrupt):
        fast(bound=Interrupted()).fit(table())


def test_time_ends_training_and_the_schedule(monkeypatch):
    """With a clock that moves by 10 ms at each look, one second is some fifty steps."""
    ticks = itertools.count()
    clock = SimpleNamespace(perf_counter=lambda: 0.01 * next(ticks))
    monkeypatch.setattr(_schedule, "time", clock)
    recorder = Recorder()
    model = fast(max_epochs=10**6, max_time=1.0, callbacks=[recorder]).fit(table())
    assert 30 < len(recorder.rates) < 60
    assert model.n_iter_ == math.ceil(len(recorder.rates) / 4)
    assert recorder.rates[-1] < 0.05 * max(recorder.rates)


def test_early_stopping_goes_back_to_the_best_epoch():
    model = fast(max_epochs=60, early_stopping=True, n_iter_no_change=3, lr=0.05, tol=0.0)
    model.fit(table(40))
    losses = model.history_[:, "valid_loss"]
    assert model.n_iter_ < 60
    assert int(np.argmin(losses)) == model.n_iter_ - 4


@pytest.mark.parametrize("epoch", [1, 3])
def test_nan_stops_training_and_keeps_the_last_sound_weights(epoch, poisoned):
    settings = {"lr_schedule": "constant", "bound": "jsd"}
    sound = fast(max_epochs=epoch - 1 or 1, **settings).fit(table())
    settings["bound"] = poisoned(4 * (epoch - 1), math.nan)
    model = fast(max_epochs=5, **settings)
    with pytest.raises(FloatingPointError, match=f"local term became nan in epoch {epoch}.*Lower"):
        model.fit(table())
    if epoch > 1:
        np.testing.assert_array_equal(model.transform(table()), sound.transform(table()))
    else:
        with pytest.raises(NotFittedError):
            model.transform(table())


def test_nan_is_noticed_within_a_long_epoch(poisoned):
    """After 128 steps, not after the 200 of the epoch."""
    with pytest.raises(FloatingPointError):
        fast(batch_size=8, bound=poisoned(0, math.inf)).fit(table(1600))
    assert len(poisoned.calls) == 128


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Notebook:
    """What IPython answers in a notebook."""

    get_ipython = staticmethod(lambda: SimpleNamespace(kernel=None))


@pytest.mark.parametrize("watched", ["terminal", "notebook", "nowhere"])
def test_a_bar_shows_terms_where_somebody_looks(monkeypatch, watched):
    sink = Terminal() if watched == "terminal" else io.StringIO()
    monkeypatch.setattr("sys.stderr", sink)
    monkeypatch.setattr(_progress, "_EVERY", math.inf)
    monkeypatch.setitem(sys.modules, "IPython", Notebook if watched == "notebook" else None)
    fast(verbose=1, early_stopping=True).fit(table())
    shown = sink.getvalue()
    if watched == "nowhere":
        assert shown == ""
    else:
        assert "train_local" in shown
        assert "_best" not in shown
        assert "100%" in shown
        assert shown.count("\n") <= 1


def test_lines_now_and_then_where_nobody_looks(monkeypatch, capsys):
    """With a clock that moves by two seconds at each look, every third step has a line."""
    ticks = itertools.count(step=2)
    monkeypatch.setattr(_progress, "time", SimpleNamespace(monotonic=lambda: next(ticks)))
    fast(verbose=1, max_epochs=3).fit(table())
    said = capsys.readouterr().err.splitlines()
    assert 3 <= len(said) <= 6
    assert re.fullmatch(r"\d+ of 12 steps \(\d+%\) in \d+ s, about \d+ s more", said[0])
    assert "train_local_nats" in said[-1]


@pytest.mark.parametrize("stream", [Terminal, io.StringIO])
def test_a_line_an_epoch(monkeypatch, stream):
    sink = stream()
    monkeypatch.setattr("sys.stderr", sink)
    model = fast(verbose=2, max_epochs=3).fit(table())
    said = sink.getvalue().splitlines()
    assert [line.partition(":")[0] for line in said] == ["epoch 1", "epoch 2", "epoch 3"]
    assert f"train_loss {model.history_[-1]['train_loss']:.3f}" in said[-1]


def test_lines_go_to_logging_where_it_is_set_up(caplog, capsys):
    with caplog.at_level("INFO", logger="sk_infomax"):
        fast(verbose=2, max_epochs=1).fit(table())
    assert caplog.messages[0].startswith("epoch 1: ")
    assert capsys.readouterr() == ("", "")


def test_progress_bar_is_absent_by_default():
    model = fast().fit(table())
    assert not any(isinstance(callback, ProgressBar) for _, callback in model.net_.callbacks_)


def test_moving_average_of_weights():
    module = torch.nn.Linear(2, 1, bias=False)
    average = MovingAverage(module, 0.9)
    expected = module.weight.detach().clone()
    for count in range(1, 6):
        module.weight.data += 1.0
        average.update()
        decay = min(0.9, count / (count + 10))
        expected = decay * expected + (1 - decay) * module.weight.detach()
    live = module.weight.detach().clone()
    average.show(True)
    torch.testing.assert_close(module.weight.detach(), expected)
    average.show(True)
    average.show(False)
    torch.testing.assert_close(module.weight.detach(), live)


def test_validation_may_follow_some_epochs_only():
    from sk_infomax.critics import GatedCritic
    from sk_infomax.information._cross_fitting import RatioTrainer

    pairs = np.random.RandomState(0).normal(size=(60, 4))
    seen = []

    class Counting(JensenShannon):
        def _objective(self, joint, marginal):
            seen.append(torch.is_grad_enabled())
            return super()._objective(joint, marginal)

    RatioTrainer(
        GatedCritic(4), Counting(), True, 2, 2, 1, max_steps=60, batch_size=64, device="cpu", seed=0
    ).train(pairs, 0)
    assert seen.count(True) == 60
    assert seen.count(False) == 1 + 3  # the start, and each twentieth step

"""What scikit-learn and skorch offer works with a fit of features, or says why it can't."""

import json

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_digits
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import make_scorer, r2_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.semi_supervised import SelfTrainingClassifier
from skorch import NeuralNet
from skorch import callbacks as skorch_callbacks
from skorch.callbacks import Callback, EpochScoring, LRScheduler
from torch.optim.lr_scheduler import StepLR

from sk_infomax import Checkpoint, DeepInfoMaxTransformer

SMALL = {"n_components": 4, "encoder": "perceptron", "batch_size": 16, "random_state": 0}
HELD_OUT = {"early_stopping": True, "validation_fraction": 0.25}
pytestmark = pytest.mark.filterwarnings("ignore::sk_infomax.exceptions.TrainingWarning")

ELSEWHERE = {  # need a service or a package of their own, or have no meaning for a fit of features
    "InputShapeSetter",
    "MlflowLogger",
    "NeptuneLogger",
    "SacredLogger",
    "TensorBoard",
    "WandbLogger",
}


def table(n=64):
    return np.random.RandomState(0).normal(size=(n, 6)).astype(np.float32)


def fitted(*callbacks, **settings):
    settings = SMALL | {"max_epochs": 3, "lr_schedule": "constant"} | settings
    return DeepInfoMaxTransformer(callbacks=list(callbacks), **settings).fit(table())


def loss(net, X=None, y=None):
    return net.history[-1, "train_loss"]


def held_out(net, X, y=None):
    return net.held_out_loss(X)


def size(net, X, y=None):
    return len(X)


# skorch ---------------------------------------------------------------------------------------


def of_skorch(folder):
    """Each of skorch's callbacks as its documentation makes it."""
    kept = skorch_callbacks.Checkpoint(dirname=str(folder), load_best=True)
    every = {"monitor": None, "dirname": str(folder / "each"), "f_params": "{last_epoch[epoch]}.pt"}
    return [
        skorch_callbacks.LoadInitState(kept),
        skorch_callbacks.TrainEndCheckpoint(dirname=str(folder)),
        EpochScoring(loss, name="loss", on_train=True),
        EpochScoring(held_out, name="again", use_caching=False),
        skorch_callbacks.BatchScoring(size, name="size", on_train=True),
        skorch_callbacks.PassthroughScoring("valid_loss"),
        skorch_callbacks.EarlyStopping(patience=9, sink=lambda text: None),
        LRScheduler(policy=StepLR, step_size=1, gamma=0.5),
        skorch_callbacks.GradientNormClipping(1.0),
        skorch_callbacks.ParamMapper("nothing*"),
        skorch_callbacks.Freezer("nothing*"),
        skorch_callbacks.Unfreezer("nothing*"),
        skorch_callbacks.Initializer("nothing*", fn=lambda weights: None),
        skorch_callbacks.EpochTimer(),
        skorch_callbacks.PrintLog(),
        skorch_callbacks.ProgressBar(),
        skorch_callbacks.Checkpoint(**every, event_name="each"),
        kept,  # last, so that its file has what the others write to the history
    ]


def test_every_callback_of_skorch_works_as_documented_there(tmp_path):
    given = of_skorch(tmp_path)
    offered = (getattr(skorch_callbacks, name) for name in skorch_callbacks.__all__)
    known = {one.__name__ for one in offered if issubclass(one, Callback) and one is not Callback}
    assert known <= {type(one).__name__ for one in given} | ELSEWHERE
    model = fitted(*given, **HELD_OUT)
    history = model.history_
    assert history[:, "loss"] == history[:, "train_loss"]
    np.testing.assert_allclose(history[:, "again"], history[:, "valid_loss"], rtol=1e-5)
    assert history[:, "size"] == [16.0] * len(history)
    assert history[:, "train_batch_count"] == [3] * len(history)
    np.testing.assert_allclose(history[:, "event_lr"], 3e-3 * 0.5 ** np.arange(len(history)))
    losses = history[:, "valid_loss"]
    best = [value < min(losses[:i], default=np.inf) for i, value in enumerate(losses)]
    assert history[:, "valid_loss_best"] == best == history[:, "event_cp"]
    assert {"params.pt", "optimizer.pt", "history.json"} <= {p.name for p in tmp_path.iterdir()}
    assert sorted(p.name for p in (tmp_path / "each").glob("?.pt")) == ["1.pt", "2.pt", "3.pt"]
    said = json.loads((tmp_path / "train_end_history.json").read_text())
    assert [row["epoch"] for row in said] == [1, 2, 3]
    further = fitted(*given, **HELD_OUT)  # from the best weights of before, as LoadInitState says
    assert len(further.history_) > len(history)


class Pruned(Exception):  # noqa: N818
    """What a search over settings raises in a callback, as Optuna does."""


class Prune(Callback):
    def on_epoch_end(self, net, **kwargs):
        if net.history[-1, "epoch"] == 2:
            raise Pruned(net.history[-1, "valid_local_nats"])


class Clumsy(Callback):
    """Fails at the end of what has failed already."""

    def on_train_end(self, net, **kwargs):
        raise OSError


def test_what_a_callback_raises_comes_out_and_leaves_the_old_model():
    model = fitted(**HELD_OUT)
    before = model.transform(table())
    model.set_params(callbacks=[Prune(), Clumsy()], lr=0.1)
    with pytest.raises(Pruned, match=r"\d"):
        model.fit(table())
    np.testing.assert_array_equal(model.transform(table()), before)


@pytest.mark.parametrize("callback", ["EarlyStopping", "Checkpoint"])
def test_a_callback_that_watches_what_is_not_held_out_says_so(callback, tmp_path):
    own = {"dirname": str(tmp_path)} if callback == "Checkpoint" else {}
    with pytest.raises(ValueError, match=r"valid_loss.*early_stopping=True"):
        fitted(getattr(skorch_callbacks, callback)(**own))


@pytest.mark.parametrize("scoring", [None, "r2", r2_score, make_scorer(r2_score)])
def test_scores_of_predictions_are_refused_before_training(scoring):
    with pytest.raises(ValueError, match=r"EpochScoring.*targets.*net\.history"):
        fitted(("score", EpochScoring(scoring)), max_epochs=10**9)


@pytest.mark.parametrize("schedule", [LRScheduler(), ("lr", LRScheduler()), LRScheduler])
def test_two_schedules_are_refused_before_training(schedule):
    with pytest.raises(ValueError, match="lr_schedule='constant'"):
        fitted(schedule, lr_schedule="cosine", max_epochs=10**9)


def test_a_schedule_goes_on_where_fits_do():
    half = LRScheduler(policy=StepLR, step_size=1, gamma=0.5)
    model = fitted(half, max_epochs=1, warm_start=True)
    assert model.net_.optimizer_.param_groups[0]["lr"] == pytest.approx(3e-3 / 2)
    assert model.fit(table()).net_.optimizer_.param_groups[0]["lr"] == pytest.approx(3e-3 / 4)
    model.set_params(warm_start=False).fit(table()).partial_fit(table())
    assert model.net_.optimizer_.param_groups[0]["lr"] == pytest.approx(3e-3 / 4)


def test_a_checkpoint_may_have_a_name(tmp_path):
    path = tmp_path / "fit.safetensors"
    model = fitted(("keep", Checkpoint(path, every=0)), max_epochs=1)
    resumed = DeepInfoMaxTransformer.resume(path, table())
    np.testing.assert_array_equal(resumed.transform(table()), model.transform(table()))


class Listener(Callback):
    """Notes what it is told of each event."""

    def __init__(self, seen):
        self.seen = seen


def listen(event):
    def hear(self, net, *args, **given):
        self.seen.setdefault(event, set()).update(given)

    return hear


for event in [name for name in vars(Callback) if name.startswith("on_")]:
    setattr(Listener, event, listen(event))


def test_callbacks_are_told_what_a_net_of_skorch_tells_them():
    ours, stock = {}, {}
    fitted(Listener(ours), max_epochs=1)
    module, target = torch.nn.Linear(6, 1), table()[:, :1]
    NeuralNet(module, torch.nn.MSELoss, max_epochs=1, callbacks=[Listener(stock)], verbose=0).fit(
        table(), target
    )
    assert ours.keys() == stock.keys()
    for event, names in stock.items():
        assert names <= ours[event], event


# scikit-learn ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def digits():
    """Small images as rows, and two classes of them."""
    X, y = load_digits(return_X_y=True)
    return X[:96].astype(np.float32), y[:96] % 2


def images(**settings):
    settings = SMALL | {"max_epochs": 1, "encoder": "strided", "sample_shape": (8, 8)} | settings
    return DeepInfoMaxTransformer(**settings)


def test_a_pipeline_with_memory_fits_once(digits, tmp_path, monkeypatch):
    X, y = digits
    steps = [("features", images()), ("classes", LogisticRegression())]
    first = Pipeline(steps, memory=str(tmp_path)).fit(X, y)
    monkeypatch.setattr(DeepInfoMaxTransformer, "fit", None)
    again = Pipeline([(name, clone(step)) for name, step in steps], memory=str(tmp_path)).fit(X, y)
    np.testing.assert_array_equal(again.predict_proba(X), first.predict_proba(X))


def test_semi_supervised_and_calibrated_classifiers(digits):
    X, y = digits
    few = np.where(np.arange(len(y)) < 30, y, -1)
    pipeline = make_pipeline(images(), LogisticRegression())
    assert set(SelfTrainingClassifier(pipeline, max_iter=1).fit(X, few).predict(X)) <= {0, 1}
    chances = CalibratedClassifierCV(pipeline, cv=2).fit(X, y).predict_proba(X)
    np.testing.assert_allclose(chances.sum(axis=1), 1, rtol=1e-6)


def test_permutation_importance_of_pixels(digits):
    X, y = digits
    model = make_pipeline(images(), LogisticRegression()).fit(X, y)
    found = permutation_importance(model, X, y, n_repeats=1, random_state=0).importances_mean
    assert found.shape == (64,)
    assert found[X.std(axis=0) == 0].max() == 0 < found.max()

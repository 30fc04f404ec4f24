"""What may be wrong around a fit: torch's modes, other threads, extreme values, failing steps."""

import contextlib
import pickle
import threading

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback
from torch import nn

from sk_infomax import (
    Checkpoint,
    DeepInfoMaxTransformer,
    DotCritic,
    MutualInfoEstimator,
    TorchEncoder,
    _modes,
    mutual_info,
)
from sk_infomax._modes import own_modes
from sk_infomax._training._net import InfoMaxNet
from sk_infomax.encoders import ENCODERS

SMALL = {
    "n_components": 4,
    "max_epochs": 2,
    "batch_size": 32,
    "random_state": 0,
    "critic": DotCritic(units=4),
    "encoder": ENCODERS["perceptron"](hidden=8),
}


def table(n=60):
    return np.random.RandomState(0).normal(size=(n, 6)).astype(np.float32)


def target():
    return table()[:, 0] + np.random.RandomState(1).normal(size=60)


def features(**settings):
    return DeepInfoMaxTransformer(**(SMALL | settings))


def estimator(**settings):
    few = {"cv": 2, "max_steps": 3, "random_state": 0, "critic": DotCritic(units=4)}
    return MutualInfoEstimator(**(few | settings))


# Threads of torch ---------------------------------------------------------------------------


class Threads(Callback):
    """Notes how many threads of torch there are in each step."""

    def __init__(self, seen):
        self.seen = seen

    def on_batch_end(self, net, **kwargs):
        self.seen.append(torch.get_num_threads())


@pytest.fixture
def two_threads():
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(1)


def test_small_fits_run_on_one_thread(two_threads, monkeypatch):
    for limit, expected in ((None, {1}), (0, {2})):
        if limit is not None:
            monkeypatch.setattr(_modes, "_SMALL", limit)
            monkeypatch.setattr(_modes, "_SMALL_IN_ALL", limit)
        seen = []
        model = features(callbacks=[Threads(seen)]).fit(table())
        assert set(seen) == expected
        assert torch.get_num_threads() == 2
        model.transform(table())
        model.score(table())
        assert torch.get_num_threads() == 2
        within = []
        train = InfoMaxNet.train

        def look(net, *args, within=within, train=train, **kwargs):
            within.append(torch.get_num_threads())
            return train(net, *args, **kwargs)

        with monkeypatch.context() as patch:
            patch.setattr(InfoMaxNet, "train", look)
            estimator().fit(table()[:, :2], target())
        assert set(within) == expected
        assert torch.get_num_threads() == 2


def test_the_threads_come_back_after_a_fit_that_fails(two_threads, monkeypatch):
    with pytest.raises(FloatingPointError):
        features(lr=1e38, optimizer="sgd").fit(table())
    assert torch.get_num_threads() == 2


# Torch's modes ------------------------------------------------------------------------------


@contextlib.contextmanager
def default_type():
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


@contextlib.contextmanager
def default_device():
    torch.set_default_device("meta")
    try:
        yield
    finally:
        torch.set_default_device(None)


MODES = {
    "no_grad": torch.no_grad,
    "inference": torch.inference_mode,
    "float64": default_type,
    "device": default_device,
    "autocast": lambda: torch.autocast("cpu", dtype=torch.bfloat16),
}


@pytest.mark.parametrize("mode", MODES.values(), ids=MODES)
def test_features_do_not_depend_on_torchs_modes(mode, tmp_path):
    def whole():
        model = features().fit(table()).partial_fit(table())
        model.save(tmp_path / "model")
        model = pickle.loads(pickle.dumps(DeepInfoMaxTransformer.load(tmp_path / "model")))
        return model.transform(table()), model.score(table())

    expected = whole()
    with mode():
        before = torch.is_grad_enabled(), torch.get_default_dtype(), torch.get_default_device()
        found = whole()
        after = torch.is_grad_enabled(), torch.get_default_dtype(), torch.get_default_device()
    np.testing.assert_array_equal(found[0], expected[0])
    assert found[1] == expected[1]
    assert after == before


@pytest.mark.parametrize("mode", MODES.values(), ids=MODES)
def test_information_does_not_depend_on_torchs_modes(mode):
    def whole():
        model = estimator().fit(table()[:, :2], target())
        return [model.mutual_info_, *model.pointwise(table()[:, :2], target())]

    expected = whole()
    with mode():
        assert whole() == expected


def test_the_default_type_is_given_back_by_the_last_who_leaves():
    with default_type():
        first, second = own_modes(), own_modes()
        first.__enter__()
        second.__enter__()
        first.__exit__(None, None, None)
        assert torch.get_default_dtype() == torch.float32
        second.__exit__(None, None, None)
        assert torch.get_default_dtype() == torch.float64


# Threads ------------------------------------------------------------------------------------


def test_readers_do_not_disturb_a_pass_and_see_one_model():
    alone = features().fit(table())
    before = alone.transform(table())
    states = [before] + [alone.partial_fit(table()).transform(table()) for _ in range(6)]
    model = features().fit(table())
    seen, ended = [], threading.Event()

    def read():
        while not ended.is_set():
            seen.append(model.transform(table()))

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(6):
        model.partial_fit(table())
    ended.set()
    reader.join()
    np.testing.assert_array_equal(model.transform(table()), states[-1])
    assert seen
    assert all(any(np.array_equal(one, state) for state in states) for one in seen)


class Dropout(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Linear(6, 16), nn.Dropout(0.5), nn.Linear(16, 8))


def test_fits_in_threads_are_those_of_one_after_another():
    own = {"encoder": TorchEncoder(Dropout, "1")}
    settings = [{}, own, {"prior": "uniform"}, own]
    expected = [features(**one).fit(table()).transform(table()) for one in settings]
    found = [None] * len(settings)

    def fit(place):
        found[place] = features(**settings[place]).fit(table()).transform(table())

    threads = [threading.Thread(target=fit, args=(place,)) for place in range(len(settings))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for one, other in zip(found, expected):
        np.testing.assert_array_equal(one, other)


# Failing steps ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("optimizer", "lr"),
    [("adamw", 1e10), ("adamw", 1e38), ("adamw", 1e300), ("sgd", 1e30), ("sgd", 1e300)],
)
def test_a_last_step_that_ruins_the_network_is_no_fit(lr, optimizer):
    model = features().fit(table())
    before, rows = model.transform(table()), model.n_iter_
    wrong = {"lr": lr, "optimizer": optimizer}
    for start in (True, False):
        model.set_params(**wrong, max_epochs=1, warm_start=start)
        with pytest.raises(FloatingPointError, match=r"no longer finite|became"):
            model.fit(table())
        np.testing.assert_array_equal(model.transform(table()), before)
        assert model.n_iter_ == rows
    with pytest.raises(FloatingPointError):
        model.partial_fit(table())
    np.testing.assert_array_equal(model.transform(table()), before)
    fresh = features(**wrong)
    with pytest.raises(FloatingPointError):
        fresh.fit(table())
    assert not hasattr(fresh, "history_")


def test_ctrl_c_keeps_the_weights_of_the_last_whole_epoch(monkeypatch):
    whole = features(max_epochs=4, lr_schedule="constant", max_time=None)
    expected = features(max_epochs=2, lr_schedule="constant").fit(table()).transform(table())
    real, taken = InfoMaxNet.train_step, []

    def interrupt(self, batch):
        taken.append(1)
        result = real(self, batch)
        if len(taken) == 3:
            raise KeyboardInterrupt
        return result

    monkeypatch.setattr(InfoMaxNet, "train_step", interrupt)
    with pytest.raises(KeyboardInterrupt):
        whole.fit(table())
    assert whole.n_iter_ == 2
    np.testing.assert_array_equal(whole.transform(table()), expected)


FAILURES = [
    {"bound": "oops"},
    {"critic": 3},
    {"cv": 1},
    {"cv": 1000},
    {"device": "cuda:99"},
    {"device": "meta"},
    {"batch_size": 1},
    {"discrete_x": [True, False]},
    {"units": "hartleys"},
    {"block_length": 0},
]


@pytest.mark.parametrize("settings", FAILURES, ids=str)
def test_an_estimate_that_fails_leaves_the_old_one(settings):
    X = table()
    model = estimator().fit(X[:, :2], target())
    before, params = model.pointwise(X[:, :2], target()), model.get_params(deep=False)
    with pytest.raises((ValueError, TypeError)):
        model.set_params(**settings).fit(X[:, :3], target())
    other = pickle.loads(pickle.dumps(model))
    for same in (model, other):
        same.set_params(**params)
        assert same.n_features_in_ == 2
        np.testing.assert_array_equal(same.pointwise(X[:, :2], target()), before)


def test_an_estimate_that_is_interrupted_leaves_the_old_one(monkeypatch):
    X = table()
    model = estimator().fit(X[:, :2], target())
    before = model.mutual_info_

    def interrupt(self, batch, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("sk_infomax._training._net.InfoMaxNet.train_step", interrupt)
    for one in (model, estimator()):
        with pytest.raises(KeyboardInterrupt):
            one.fit(X[:, :3], target())
    assert model.mutual_info_ == before
    assert model.n_features_in_ == 2
    assert not hasattr(one, "mutual_info_")


# Values -------------------------------------------------------------------------------------


def test_columns_of_any_scale_are_read_or_refused():
    X = table().astype(float)
    expected = features().fit(X).transform(X)
    for scale in (2.0**100, 2.0**-100):
        np.testing.assert_allclose(features().fit(X * scale).transform(X * scale), expected)
    for scale in (1e160, 1e-170, 1e300):
        with pytest.raises(ValueError, match="Column 0 of X"):
            features().fit(X * scale)
    model = features().fit(X)
    with pytest.raises(ValueError, match="Column 0 of X"):
        model.partial_fit(X * 1e160)
    np.testing.assert_array_equal(model.transform(X), expected)


# Kinds of errors ----------------------------------------------------------------------------


def test_masked_arrays_are_not_read_as_if_nothing_were_hidden():
    X = np.ma.masked_array(table(), mask=table() > 1)
    first = int(np.argwhere(X.mask)[0, 0])
    with pytest.raises(ValueError, match=f"hides {X.mask.sum()} values, the first in row {first}"):
        features().fit(X)
    images = np.ma.masked_array(np.zeros((5, 8, 8)), mask=np.eye(8, dtype=bool)[None].repeat(5, 0))
    with pytest.raises(ValueError, match="hides 40 values"):
        features(encoder="strided").fit(images)
    whole = np.ma.masked_array(table())
    expected = features().fit(table()).transform(table())
    np.testing.assert_array_equal(features().fit(whole).transform(whole), expected)


def test_frames_and_tensors_of_every_kind():
    pd = pytest.importorskip("pandas")
    expected = features().fit(table()).transform(table())
    twice = pd.DataFrame(table(), columns=list("aabcde"))
    asking = torch.tensor(table(), requires_grad=True)
    for X in (twice, asking):
        np.testing.assert_array_equal(features().fit(X).transform(X), expected)
    with pytest.raises(ValueError, match="frame without columns"):
        features().fit(pd.DataFrame(index=range(5)))
    with pytest.raises(ValueError, match="holds a ndarray in row 0"):
        features().fit(np.array([[np.zeros(3), 1.0]] * 5, dtype=object))


@pytest.mark.parametrize("augmentation", ["image", "series"])
def test_views_of_another_kind_of_data_are_refused(augmentation):
    with pytest.raises(ValueError, match=f"changes {augmentation} data, and X holds table data"):
        features(augmentation=augmentation, views=2).fit(table())


@pytest.mark.parametrize(
    ("settings", "name"),
    [({"n_components": 10**9}, "n_components"), ({"critic": DotCritic(units=10**9)}, "units")],
)
def test_a_network_larger_than_the_machine_is_refused(settings, name):
    with pytest.raises(ValueError, match=f"{name}=1000000000 asks for a network of more than"):
        features(**settings).fit(table())
    assert features(n_components=70_000, max_epochs=1).fit(table()).transform(table()).shape[1]


@pytest.mark.parametrize(
    ("n", "dx", "dy"), [(150, 100, 100), (40, 60, 3), (30, 2, 50), (12, 20, 1)]
)
@pytest.mark.parametrize("shared", [True, False])
def test_more_columns_than_rows_leave_the_upper_end_open(n, dx, dy, shared):
    rng = np.random.RandomState(n)
    X, y = rng.normal(size=(n, dx)), rng.normal(size=(n, dy))
    if shared:
        k = min(dx, dy)
        y[:, :k] = X[:, :k] + 0.1 * y[:, :k]
    value, (low, high) = mutual_info(X, y, max_steps=0, cv=2, random_state=0)
    assert np.isinf(high)
    assert 0 <= low <= value < np.inf


def test_callbacks_that_are_none_and_folders_that_are_not_there(tmp_path):
    with pytest.raises(TypeError, match="callbacks has 'a', which is no callback"):
        features(callbacks=["a"]).fit(table())
    with pytest.raises(FileNotFoundError, match="No such folder for checkpoints"):
        features(callbacks=[Checkpoint(tmp_path / "none" / "file")]).fit(table())


@pytest.mark.parametrize("far", [1e12, 2e104, -3e140])
@pytest.mark.parametrize("shape", [(40, 3), (20, 2, 16), (12, 8, 8)])
def test_constant_samples_far_out_are_constant(far, shape):
    with np.errstate(all="raise"):
        X = np.full(shape, far)
        model = features(encoder="auto", critic="dot", max_epochs=1).fit(X)
        found = model.transform(X)
    assert np.isfinite(found).all()
    assert not np.ptp(found, axis=0).any()


def test_a_score_that_is_not_finite_is_refused():
    model = features().fit(table())
    with pytest.raises(ValueError, match="Bring X to the scale of fit's"):
        model.score(table().astype(float) * 1e80)


@pytest.mark.parametrize("constant", ["X", "y", "both"])
def test_sides_that_are_constant_tell_nothing(constant):
    X, y = table()[:, :2], target()
    X = np.zeros_like(X) if constant != "y" else X
    y = np.ones_like(y) if constant != "X" else y
    model = estimator().fit(X, y)
    assert model.mutual_info_ == 0
    assert np.isfinite([model.standard_error_, *model.bounds_.values()]).all()
    assert np.isfinite(model.pointwise(X, y)).all()

"""Parts by name: nested settings, classes for `load`, and refits that fail."""

import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from torch import nn

from sk_infomax import DeepInfoMaxTransformer, DotCritic, ImageViews, MutualInfoEstimator
from sk_infomax.encoders import Encoder, Encoding
from sk_infomax.priors import AdversarialPrior
from sk_infomax.views import Augmentation

FAST = {"n_components": 8, "max_epochs": 1, "random_state": 0}


def table(columns=6, n=40):
    return np.random.RandomState(0).normal(size=(n, columns)).astype(np.float32)


class OwnPrior(AdversarialPrior):
    def squash(self, vectors):
        return vectors

    def sample(self, like, generator):
        return torch.randn(like.shape, generator=generator)


class OwnEncoder(Encoder):
    """An encoder with dropout, whose draws come from torch's global generator."""

    def build(self, shape, n_components):
        return OwnNetwork(shape[0], n_components)


class OwnNetwork(nn.Module):
    def __init__(self, size, n_components):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(size, 16), nn.Dropout(0.5))
        self.head = nn.Linear(16, n_components)

    def forward(self, x):
        hidden = self.layers(x)
        return Encoding(hidden[:, None], self.head(hidden), hidden, hidden)


class OwnNoise(Augmentation):
    """Noise from both global generators."""

    def __call__(self, x, generator):
        return x + 0.1 * torch.randn(x.shape) + 0.1 * float(np.random.rand())


@pytest.mark.parametrize(
    ("before", "nested"),
    [
        ({}, {"critic__units": 8}),
        ({"critic": "concat"}, {"critic__hidden": 8}),
        ({"critic": DotCritic}, {"critic__units": 8}),
        ({"critic": DotCritic(units=3)}, {"critic__units": 8}),
        ({}, {"critic": "concat", "critic__hidden": 8}),
        ({"bound": "dv"}, {"bound__decay": None}),
        ({"prior": "uniform"}, {"prior__hidden": (5,)}),
        ({"prior": "mmd"}, {"prior__distribution": "sphere"}),
        ({"context": "blocks"}, {"context__size": 2}),
        ({"encoder": "table"}, {"encoder__width": 16}),
        ({}, {"encoder__width": 16}),
        ({"encoder": nn.Linear(6, 8)}, {"encoder__kind": "table"}),
        ({"occlusion": 0.3}, {"occlusion__shape": "scattered"}),
        ({"views": 2}, {"augmentation__rate": 0.2}),
        ({}, {"augmentation__rate": 0.2}),
        ({"augmentation": "table"}, {"augmentation__rate": 0.2}),
    ],
    ids=str,
)
def test_a_name_is_enough_to_set_what_is_inside(before, nested):
    model = DeepInfoMaxTransformer(**before).set_params(**nested)
    nested = {name: value for name, value in nested.items() if "__" in name}
    assert all(model.get_params()[name] == value for name, value in nested.items())
    again = clone(model)
    assert again.get_params().keys() == model.get_params().keys()
    assert all(again.get_params()[name] == value for name, value in nested.items())


def test_settings_of_auto_arrive_in_the_fit(digits):
    model = DeepInfoMaxTransformer(**FAST).set_params(
        encoder__n_filters=4, augmentation__crop=0.9, critic__units=5
    )
    parts = model.fit(digits[0][:60])._fitted.parts
    assert (parts.encoder.n_filters, parts.augmentation.crop, parts.critic.units) == (4, 0.9, 5)
    with pytest.raises(ValueError, match="Invalid parameter 'rate'"):
        clone(model).set_params(augmentation__rate=0.2).fit(digits[0][:60])
    with pytest.raises(ValueError, match="crop"):
        clone(model).set_params(augmentation__crop=7.0).fit(digits[0][:60])


def test_settings_of_auto_are_saved(digits, tmp_path):
    model = DeepInfoMaxTransformer(**FAST).set_params(encoder__n_filters=4)
    model.fit(digits[0][:60]).save(tmp_path / "model")
    loaded = DeepInfoMaxTransformer.load(tmp_path / "model")
    assert loaded.get_params()["encoder__n_filters"] == 4
    np.testing.assert_array_equal(loaded.transform(digits[0]), model.transform(digits[0]))


def test_nested_settings_of_nothing_say_what_to_choose():
    with pytest.raises(ValueError, match=r"prior is None.*prior='uniform'"):
        DeepInfoMaxTransformer().set_params(prior__hidden=(5,))
    with pytest.raises(ValueError, match="Invalid parameter 'unit'"):
        DeepInfoMaxTransformer().set_params(critic__unit=8)
    with pytest.raises(ValueError, match="Invalid parameter 'critics'"):
        DeepInfoMaxTransformer().set_params(critics__units=8)


def test_grid_search_reaches_into_names():
    search = GridSearchCV(
        DeepInfoMaxTransformer(**FAST), {"critic__units": [4, 8]}, cv=2, error_score="raise"
    ).fit(table())
    assert search.best_params_["critic__units"] in (4, 8)


def test_nested_settings_of_the_other_estimator():
    model = MutualInfoEstimator().set_params(critic__hidden=8, bound="smile", bound__clip=2.0)
    assert (model.critic.hidden, model.bound.clip) == (8, 2.0)


@pytest.mark.parametrize("own", [OwnPrior, OwnPrior(hidden=(4,))], ids=["class", "object"])
def test_what_fit_takes_load_takes(own, tmp_path):
    model = DeepInfoMaxTransformer(prior=own, **FAST).fit(table())
    model.save(tmp_path / "model")
    loaded = DeepInfoMaxTransformer.load(tmp_path / "model", prior=own)
    np.testing.assert_array_equal(loaded.transform(table()), model.transform(table()))


@pytest.mark.parametrize(
    "settings",
    [
        {"encoder": OwnEncoder()},
        {"encoder": OwnEncoder},
        {"augmentation": OwnNoise()},
        {"prior": OwnPrior},
    ],
    ids=str,
)
def test_own_parts_leave_the_global_generators_alone(settings):
    model = DeepInfoMaxTransformer(**FAST, **settings)
    states = np.random.get_state()[1].copy(), torch.get_rng_state()
    first = clone(model).fit(table()).transform(table())
    np.testing.assert_array_equal(states[0], np.random.get_state()[1])
    assert torch.equal(states[1], torch.get_rng_state())
    torch.rand(3)
    np.random.rand(3)
    np.testing.assert_array_equal(clone(model).fit(table()).transform(table()), first)


FAILURES = [
    {"bound": "oops"},
    {"critic": 3},
    {"prior": "uniforn"},
    {"context": "block"},
    {"encoder": "tabular"},
    {"encoder": nn.Linear(3, 2)},
    {"encoder": "basic28x28"},
    {"n_components": 0},
    {"lr": -1.0},
    {"optimizer": "adamm"},
    {"optimizer": int},
    {"device": "cuda:99"},
    {"device": "abacus"},
    {"callbacks": [3]},
    {"views": 2, "augmentation": None},
    {"local_weight": 0.0},
    {"early_stopping": True, "validation_fraction": 0.999},
    {"sample_shape": (4, 4)},
]
FAILURES_OF_TRAINING = [
    {"lr": -1.0},
    {"optimizer": "adamm"},
    {"device": "cuda:99"},
    {"callbacks": [3]},
    {"early_stopping": True, "validation_fraction": 0.999},
]


@pytest.mark.parametrize(
    ("settings", "warm_start"),
    [(settings, False) for settings in FAILURES]
    + [(settings, True) for settings in FAILURES_OF_TRAINING],
    ids=str,
)
def test_a_refit_that_fails_leaves_the_old_model(settings, warm_start):
    model = DeepInfoMaxTransformer(**FAST).fit(table(5))
    before, params = model.transform(table(5)), model.get_params(deep=False)
    model.set_params(**settings, warm_start=warm_start)
    with pytest.raises((ValueError, TypeError, AttributeError)):
        model.fit(table(5 if warm_start else 7))
    model.set_params(**params)
    assert model.n_features_in_ == 5
    for same in (model, pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(same.transform(table(5)), before)


def test_ctrl_c_in_the_first_epoch_leaves_no_untrained_model(monkeypatch):
    model = DeepInfoMaxTransformer(**FAST)

    def interrupt(self, batch, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("sk_infomax._training._net.InfoMaxNet.train_step", interrupt)
    with pytest.raises(KeyboardInterrupt):
        model.fit(table())
    assert not hasattr(model, "n_features_in_")
    assert not hasattr(model, "history_")


def test_mirroring_is_a_property_of_views():
    assert ImageViews(flip=True).mirrors
    assert not ImageViews().mirrors
    assert not OwnNoise().mirrors

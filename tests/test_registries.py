"""Registries: documents name every member, and a new one is a class and a line."""

import importlib
import inspect
import pickle
import re

import numpy as np
import pytest
import torch
from sklearn.base import clone
from torch import nn

from sk_infomax import DeepInfoMaxTransformer, MutualInfoEstimator, _objectives
from sk_infomax._checks import POSITIVE_INT
from sk_infomax._settings import FAMILIES
from sk_infomax.bounds import BOUNDS, Bound
from sk_infomax.contexts import CONTEXTS, Context, ContextNetwork
from sk_infomax.critics import CRITICS, Critic, PairNetwork
from sk_infomax.encoders import ENCODERS, Encoder, Encoding
from sk_infomax.priors import DISTRIBUTIONS, PRIORS, Match, Prior
from sk_infomax.views import VIEWS, Augmentation

REGISTRIES = {
    "bounds": BOUNDS,
    "contexts": CONTEXTS,
    "critics": CRITICS,
    "encoders": ENCODERS,
    "priors": PRIORS,
    "views": VIEWS,
}


def module_of(room):
    return importlib.import_module(f"sk_infomax.{room}")


def rows_of_table(module):
    """First and second column of the table in a module's docstring."""
    return dict(re.findall(r"^(\w+) +`(\w+)`  ", module.__doc__, flags=re.MULTILINE))


# Documents ------------------------------------------------------------------------------------


@pytest.mark.parametrize("room", REGISTRIES)
def test_the_modules_table_is_the_registry(room):
    expected = {name: member.__name__ for name, member in REGISTRIES[room].items()}
    assert rows_of_table(module_of(room)) == expected
    assert list(rows_of_table(module_of(room))) == list(expected)


@pytest.mark.parametrize("room", REGISTRIES)
def test_every_member_is_public_and_of_its_family(room):
    names = module_of(room).__all__
    for member in REGISTRIES[room].values():
        assert member.__name__ in names
    families = (family for name, family in FAMILIES.items() if name != "occlusion")
    (base,) = (family.base for family in families if family.registry is REGISTRIES[room])
    assert all(issubclass(member, base) for member in REGISTRIES[room].values())


@pytest.mark.parametrize("room", REGISTRIES)
def test_every_public_class_shows_its_use(room):
    public = (getattr(module_of(room), name) for name in module_of(room).__all__)
    bare = [c.__name__ for c in public if inspect.isclass(c) and ">>> " not in inspect.getdoc(c)]
    assert not bare


def test_documents_name_every_distribution():
    for text in (module_of("priors").__doc__, PRIORS["mmd"].__doc__, PRIORS["noise"].__doc__):
        assert all(f'"{name}"' in text for name in DISTRIBUTIONS)


def test_objectives_name_every_term(digits):
    model = DeepInfoMaxTransformer(
        4,
        encoder=ENCODERS["resnet"](width=2),
        global_weight=1.0,
        locations_weight=1.0,
        prior="uniform",
        coordinates="both",
        max_epochs=1,
        random_state=0,
    ).fit(digits[0][:20])
    terms = {name.removeprefix("train_") for name in model.history_[0] if name[:6] == "train_"}
    table = re.findall(r"^(\w+)  ", _objectives.__doc__, flags=re.MULTILINE)
    assert set(table) - {"Term"} == terms - {"loss", "loss_best", "batch_count"}


# A new member: a class here, entered in its registry --------------------------------------------


class OwnBound(Bound):
    """Squared scores, in one parameter."""

    _parameter_constraints = {"size": [POSITIVE_INT]}

    def __init__(self, size=2):
        self.size = size

    def _objective(self, joint, marginal):
        return (2 * joint.mean() - marginal.square().mean()) / self.size


class OwnCritic(Critic):
    _parameter_constraints = {"size": [POSITIVE_INT]}

    def __init__(self, size=2):
        self.size = size

    def build(self, global_size, local_size):
        return Distance(global_size, local_size, self.size)


class Distance(PairNetwork):
    def __init__(self, global_size, local_size, size):
        super().__init__()
        self.left, self.right = nn.Linear(global_size, size), nn.Linear(local_size, size)

    def sides(self, global_vector, local_map):
        return self.left(global_vector), self.right(local_map)

    def combine(self, left, right):
        return -(left - right).square().sum(-1)


class OwnEncoder(Encoder):
    _parameter_constraints = {"size": [POSITIVE_INT]}
    kind = "table"

    def __init__(self, size=2):
        self.size = size

    def build(self, shape, n_components):
        return Halves(shape[0], self.size, n_components)


class Halves(nn.Module):
    """Two locations, and dropout, which draws from torch's generator."""

    def __init__(self, n_columns, size, n_components):
        super().__init__()
        self.local = nn.Sequential(nn.Linear(n_columns, 2 * size), nn.Dropout(0.5))
        self.top = nn.Linear(2 * size, n_components)

    def forward(self, x):
        flat = self.local(x)
        return Encoding(flat.reshape(len(x), 2, -1), self.top(flat), flat, flat)


class OwnPrior(Prior):
    _parameter_constraints = {"size": [POSITIVE_INT]}

    def __init__(self, size=2):
        self.size = size

    def build(self, n_components):
        return Short(self.size)


class Short(Match):
    def __init__(self, size):
        super().__init__()
        self.size = size

    def objectives(self, vectors, generator):
        return {"prior": -(vectors.norm(dim=1) - self.size).square().mean()}


class OwnViews(Augmentation):
    _parameter_constraints = {"size": [POSITIVE_INT]}

    def __init__(self, size=2):
        self.size = size

    def __call__(self, x, generator):
        return x + torch.randn(x.shape, generator=generator, device=x.device) / self.size


class OwnContext(Context):
    _parameter_constraints = {"size": [POSITIVE_INT]}

    def __init__(self, size=2):
        self.size = size

    def build(self, channels, map_shape, n_components):
        return Means(channels, n_components, self.size)


class Means(ContextNetwork):
    def __init__(self, channels, n_components, size):
        super().__init__()
        self.layer, self.size = nn.Linear(channels, size * n_components), size

    def forward(self, maps):
        return self.layer(maps.flatten(2).mean(2)).reshape(len(maps), self.size, -1)


NEW = {
    "bound": OwnBound,
    "critic": OwnCritic,
    "encoder": OwnEncoder,
    "prior": OwnPrior,
    "augmentation": OwnViews,
    "context": OwnContext,
}


@pytest.fixture(params=NEW)
def parameter(request, monkeypatch):
    """A parameter of whose registry a new member is "newcomer"."""
    monkeypatch.setitem(FAMILIES[request.param].registry, "newcomer", NEW[request.param])
    return request.param


def table():
    return np.random.RandomState(0).normal(size=(24, 6)).astype(np.float32)


def made(parameter, **settings):
    settings = {"max_epochs": 2, "random_state": 0, parameter: "newcomer"} | settings
    return DeepInfoMaxTransformer(4, **settings)


def test_a_new_member_is_fitted_by_its_name(parameter):
    state, random_numbers = np.random.get_state()[1].copy(), torch.get_rng_state()
    model = made(parameter).fit(table())
    features = model.transform(table())
    assert np.isfinite(features).all()
    assert np.isfinite(model.score(table()))
    np.testing.assert_array_equal(clone(model).fit_transform(table()), features)
    np.testing.assert_array_equal(made(parameter).fit_transform(table()), features)
    given = made(parameter, **{parameter: NEW[parameter]()})
    np.testing.assert_array_equal(given.fit_transform(table()), features)
    assert torch.equal(random_numbers, torch.get_rng_state())
    assert (state == np.random.get_state()[1]).all()


def test_a_new_member_is_checked_and_set_by_its_name(parameter):
    with pytest.raises(ValueError, match="did you mean 'newcomer'"):
        made(parameter, **{parameter: "newcomers"}).fit(table())
    with pytest.raises(ValueError, match=f"'size' parameter of {NEW[parameter].__name__}"):
        made(parameter).set_params(**{f"{parameter}__size": -1}).fit(table())
    model = made(parameter).set_params(**{f"{parameter}__size": 3}).fit(table())
    assert getattr(model, parameter).size == 3


@pytest.mark.parametrize("given", ["by name", "as settings"])
def test_a_new_member_is_saved_and_loaded(parameter, given, tmp_path):
    value = "newcomer" if given == "by name" else NEW[parameter](size=3)
    model = made(parameter, **{parameter: value}).fit(table())
    model.save(tmp_path / "model.safetensors")
    loaded = DeepInfoMaxTransformer.load(tmp_path / "model.safetensors")
    for other in (loaded, pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(other.transform(table()), model.transform(table()))
        assert other.score(table()) == model.score(table())


@pytest.mark.parametrize("parameter", ["bound", "critic"], indirect=True)
def test_a_new_member_measures_information(parameter):
    X = table()
    estimator = MutualInfoEstimator(max_steps=3, random_state=0, **{parameter: "newcomer"})
    assert np.isfinite(estimator.fit(X, X[:, :2] + table()[::-1, :2]).mutual_info_)


def test_a_new_distribution_is_matched_in_every_way(monkeypatch):
    class Copy(type(DISTRIBUTIONS["normal"])):
        pass

    monkeypatch.setitem(DISTRIBUTIONS, "newcomer", Copy())
    for way in ("mmd", "noise"):
        prior = PRIORS[way](distribution="newcomer")
        model = made("prior", prior=prior).fit(table())
        expected = made("prior", prior=PRIORS[way]("normal")).fit(table())
        np.testing.assert_array_equal(model.transform(table()), expected.transform(table()))

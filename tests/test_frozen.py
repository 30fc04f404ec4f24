"""A torch module that stays as it is, as the stem of an encoder."""

import copy
import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from torch import nn

from sk_infomax import DeepInfoMaxTransformer, FrozenEncoder, TorchEncoder
from sk_infomax._random import new_generator
from sk_infomax.encoders._base import prepare
from sk_infomax.encoders._frozen import BackboneStem

RNG = np.random.RandomState(0)
IMAGES = RNG.rand(40, 3, 12, 12).astype(np.float32)
SERIES = RNG.normal(size=(40, 2, 30)).astype(np.float32)
TABLE = RNG.normal(size=(40, 7)).astype(np.float32)
KINDS = {"image": IMAGES, "series": SERIES, "table": TABLE}


class Backbone(nn.Module):
    """Statistics, dropout, an activation in place, and a view that asks for contiguous memory."""

    def __init__(self, width=9, channels=3):
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(channels, 6, 3, 2, 1), nn.BatchNorm2d(6))
        self.act = nn.ReLU(inplace=True)
        self.second = nn.Conv2d(6, 8, 3, 2, 1)
        self.drop = nn.Dropout(0.5)
        self.head = nn.Linear(8 * 9, width)

    def forward(self, x):
        x = x.mul_(0.5)  # in the place of what it is given
        maps = self.drop(self.second(self.act(self.first(x))))
        return self.head(maps.view(len(maps), -1))


class Anything(nn.Module):
    """Gives whatever a function makes of a batch."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


def convolutions():
    return nn.Sequential(nn.Conv1d(2, 6, 5), nn.BatchNorm1d(6), nn.ReLU(), nn.Conv1d(6, 5, 3))


def perceptron():
    return nn.Sequential(nn.Linear(7, 12), nn.BatchNorm1d(12), nn.Tanh(), nn.Linear(12, 5))


MODULES = {"image": Backbone, "series": convolutions, "table": perceptron}


def made(encoder, **settings):
    settings = {"max_epochs": 1, "random_state": 0} | settings
    return DeepInfoMaxTransformer(8, encoder=encoder, **settings)


def frozen_of(model):
    (stem,) = (m for m in model.net_.module_.modules() if isinstance(m, BackboneStem))
    return stem.module


@pytest.mark.parametrize("kind", KINDS)
def test_the_module_stays_as_it_is(kind):
    module, X = MODULES[kind](), KINDS[kind]
    module.train()
    before = copy.deepcopy(module.state_dict())
    model = made(FrozenEncoder(module)).fit(X).partial_fit(X)
    features = model.transform(X)
    assert np.isfinite(features).all()
    assert model.layout_.kind == kind
    for own in (module, frozen_of(model)):
        for name, weight in own.state_dict().items():
            assert torch.equal(weight, before[name]), name
    assert all(m.training for m in module.modules())
    assert all(p.requires_grad and p.grad is None for p in module.parameters())
    assert not any(m.training for m in frozen_of(model).modules())
    assert not any(m._forward_hooks for m in frozen_of(model).modules())


@pytest.mark.parametrize("kind", KINDS)
def test_its_weights_are_no_ones_to_train(kind):
    model = made(FrozenEncoder(MODULES[kind]())).fit(KINDS[kind])
    frozen = {id(p) for p in frozen_of(model).parameters()}
    trained = [p for group in model.net_.optimizer_.param_groups for p in group["params"]]
    assert frozen
    assert trained
    assert not frozen & {id(p) for p in trained}
    assert all(p.grad is None and not p.requires_grad for p in frozen_of(model).parameters())
    first = FrozenEncoder(MODULES[kind]()).build(KINDS[kind].shape[1:], 8)
    first.train()
    first(torch.tensor(KINDS[kind])).global_vector.sum().backward()
    assert all(p.grad is not None for p in first.parameters() if p.requires_grad)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("given", ["instance", "class"])
def test_fits_are_bitwise_equal_and_remembered(kind, given, tmp_path):
    module = MODULES[kind]() if given == "instance" else MODULES[kind]
    X, encoder = KINDS[kind], FrozenEncoder(module)
    state, numbers = np.random.get_state()[1].copy(), torch.get_rng_state()
    model = made(encoder).fit(X)
    features = model.transform(X)
    assert (state == np.random.get_state()[1]).all()
    assert torch.equal(numbers, torch.get_rng_state())
    np.testing.assert_array_equal(clone(model).fit_transform(X), features)
    model.save(tmp_path / "model.safetensors")
    with pytest.raises(ValueError, match="encoder of the class FrozenEncoder"):
        DeepInfoMaxTransformer.load(tmp_path / "model.safetensors")
    own = FrozenEncoder(MODULES[kind])  # other weights: those of the file are taken
    loaded = DeepInfoMaxTransformer.load(tmp_path / "model.safetensors", encoder=own)
    known = pickle.loads(pickle.dumps(model)) if given == "instance" or kind == "image" else model
    for other in (loaded, known, copy.deepcopy(model)):
        np.testing.assert_array_equal(other.transform(X), features)
        assert other.score(X) == model.score(X)


def test_many_samples_keep_as_many_directions_after_loading(tmp_path):
    X = np.tile(TABLE, (20, 1)) + RNG.normal(size=(800, 7)).astype(np.float32)
    encoder = FrozenEncoder(nn.Linear(7, 300))
    model = made(encoder).fit(X)
    assert model.transform(X[:2]).shape[1] == 8 + 200
    model.save(tmp_path / "model.safetensors")
    loaded = DeepInfoMaxTransformer.load(tmp_path / "model.safetensors", encoder=encoder)
    np.testing.assert_array_equal(loaded.transform(X[:9]), model.transform(X[:9]))


def test_a_search_reaches_its_settings():
    y = np.arange(40) % 2
    search = GridSearchCV(
        make_pipeline(made(FrozenEncoder(Backbone())), LogisticRegression()),
        {"deepinfomaxtransformer__encoder__layers": ["second", ("first", "head")]},
        cv=2,
    )
    assert 0 <= search.fit(IMAGES, y).best_score_ <= 1


# What a module may give -----------------------------------------------------------------------

GIVEN = {
    "vector": (lambda x: x.flatten(1), 1, 432),
    "number": (lambda x: x.mean((1, 2, 3)), 1, 1),
    "map": (lambda x: x, 16, 3 * 21 + 5 * 6),
    "tokens": (lambda x: x.flatten(2), 8, 3 * 7 + 3 * 6),
    "volume": (lambda x: x[:, :, None].repeat(1, 1, 2, 1, 1), 8, 3 * 9 + 9 * 6),
    "one place": (lambda x: x[:, :, :1, :1], 1, 3),
    "pair": (lambda x: (x.flatten(1), x), 16, 432 + 63 + 30),
    "dict": (lambda x: {"map": x, "none": None, "more": [x.mean((2, 3))]}, 16, 63 + 30 + 3),
}


@pytest.mark.parametrize("name", GIVEN)
def test_outputs_are_pooled_by_their_shape(name):
    function, n_locations, n_columns = GIVEN[name]
    network = FrozenEncoder(Anything(function), n_directions=9999).build((3, 12, 12), 5)
    x = torch.from_numpy(IMAGES)
    prepare(network, x, None, new_generator(0))
    network.eval()
    encoding, pooled = network(x), network.stem(x).pooled
    assert pooled.shape == (40, n_columns)
    assert encoding.hidden.shape == (40, n_columns)
    assert encoding.local_map.shape[:2] == (40, n_locations)
    # Each group of columns has a variance of 1.
    assert pooled.var(0, correction=0).sum().item() == pytest.approx(len(network.stem.sizes))


def test_pooled_means_and_covariances_are_what_loops_say():
    network = FrozenEncoder(Anything(lambda x: x)).build((3, 12, 12), 5)
    x = torch.from_numpy(IMAGES)
    prepare(network, x, None, new_generator(0))
    (pooling,) = network.stem.poolings
    means, covariances = pooling(x)

    def root(value):
        return torch.sign(value) * value.abs().sqrt()

    whole, quarter = x.mean((2, 3)), x[:, :, 3:6, 6:9].mean((2, 3))
    places = means.unflatten(1, (3, 21))
    torch.testing.assert_close(places[..., 0], root(whole))
    torch.testing.assert_close(places[..., 5 + 1 * 4 + 2], root(quarter))
    corner = x[0, :, :6, 6:].flatten(1).T - pooling.mean
    mixed = corner @ pooling.basis
    expected = torch.cov(mixed.T, correction=0)
    rows, columns = torch.triu_indices(3, 3)
    torch.testing.assert_close(
        covariances[0].unflatten(0, (5, 6))[2], root(expected[rows, columns]), atol=1e-4, rtol=1e-4
    )
    everywhere = (x.movedim(1, -1).flatten(0, 2) - pooling.mean) @ pooling.basis
    torch.testing.assert_close(torch.cov(everywhere.T, correction=0), torch.eye(3))


def test_layers_are_read_before_what_follows_works_in_their_place():
    network = FrozenEncoder(Backbone(), ["first", "second", "head"]).build((3, 12, 12), 5)
    first, second, head = network.stem._outputs(torch.from_numpy(IMAGES))
    assert first.min() < 0
    assert first.shape[1:] == (6, 6, 6)
    assert second.shape[1:] == (8, 3, 3)
    assert head.shape[1:] == (9,)


def test_samples_do_not_see_each_other():
    network = FrozenEncoder(Backbone()).build((3, 12, 12), 5).eval()
    x = torch.from_numpy(IMAGES[:3])
    together = network(x)
    torch.testing.assert_close(network(x[1:2]).hidden, together.hidden[1:2])


def test_tokens_have_their_channels_last():
    module = Anything(lambda x: x.flatten(2).transpose(1, 2))  # (n, 144, 3)
    network = FrozenEncoder(module, tokens=True).build((3, 12, 12), 5)
    plain = FrozenEncoder(Anything(lambda x: x.flatten(2))).build((3, 12, 12), 5)
    x = torch.from_numpy(IMAGES)
    torch.testing.assert_close(network.stem(x).pooled, plain.stem(x).pooled)


# Precision ------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_the_module_keeps_its_precision(dtype):
    module = nn.Linear(7, 5).to(dtype)
    seen = []
    module.register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[0].dtype))
    encoder = FrozenEncoder(module)
    for X in (TABLE, TABLE.astype(np.float64)):
        model = made(encoder).fit(X)
        assert model.transform(X).dtype == X.dtype
        own = {p.dtype for p in frozen_of(model).parameters()}
        assert own == {torch.float64 if dtype == torch.float64 else torch.float32}
    assert module.weight.dtype == dtype


def test_a_module_of_fixed_precision_reads_float64():
    module = Anything(lambda x: x @ torch.ones(7, 3))  # a constant in float32
    X = TABLE.astype(np.float64)
    assert made(FrozenEncoder(module)).fit_transform(X).dtype == np.float64


# What a module reads --------------------------------------------------------------------------


class Watching(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("seen", torch.zeros(2))

    def forward(self, x):
        if x.any():  # not the blank samples of the trial
            self.low, self.high = x.amin((0, 2, 3)), x.amax((0, 2, 3))
        return x.mean((2, 3))


@pytest.mark.parametrize("encoder", [FrozenEncoder, TorchEncoder])
@pytest.mark.parametrize("unit", ["bytes", "parts"])
def test_normalize_says_what_the_module_sees(encoder, unit):
    mean, std = np.array([0.4, 0.5, 0.6]), np.array([0.2, 0.25, 0.5])
    images = (IMAGES * 255).astype(np.uint8)
    X = images if unit == "bytes" else images / np.float32(255)
    module = Watching()
    if encoder is TorchEncoder:
        module = nn.Sequential(nn.Conv2d(3, 4, 3), module)
        with pytest.raises(ValueError, match="must hold finite numbers"):
            made(TorchEncoder(module, "0", normalize=([0.4, 0.5], 1.0))).fit(X)
        model = made(TorchEncoder(module, "0", normalize=(mean, std)), views=1).fit(X)
    else:
        model = made(FrozenEncoder(module, normalize=(mean, std)), views=1).fit(X)
        model.transform(X)
        watching = frozen_of(model)
        parts = images.astype(np.float64) / 255
        for found, extreme in ((watching.low, parts.min), (watching.high, parts.max)):
            np.testing.assert_allclose(found, (extreme((0, 2, 3)) - mean) / std, rtol=1e-5)
    np.testing.assert_allclose(
        model._fitted.scaling.mean[:, 0, 0], mean * (255 if unit == "bytes" else 1)
    )
    before = model._fitted.scaling.arrays()
    model.partial_fit(X)
    for name, array in model._fitted.scaling.arrays().items():
        np.testing.assert_array_equal(array, before[name])
    loaded = pickle.loads(pickle.dumps(model)).partial_fit(X)
    np.testing.assert_array_equal(loaded._fitted.scaling.mean, before["mean"])


@pytest.mark.parametrize(
    ("normalize", "message"),
    [
        ((0.5,), "must be a pair"),
        ((0.5, 0.0), "not above 0"),
        ((0.5, [1.0, 1.0]), "one for each of 3"),
        ((float("nan"), 1.0), "finite numbers"),
        (("a", 1.0), "must hold numbers"),
    ],
)
def test_a_normalize_that_does_not_fit(normalize, message):
    with pytest.raises(ValueError, match=message):
        made(FrozenEncoder(Backbone(), normalize=normalize)).fit(IMAGES)


@pytest.mark.parametrize(
    ("encoder", "message"),
    [
        (FrozenEncoder(Backbone(), "sekond"), "outer layers are: first, act, second, drop, head"),
        (FrozenEncoder(Backbone(), ()), "layers is empty"),
        (FrozenEncoder(Backbone(channels=1)), r"cannot read a batch of shape \(2, 3, 12, 12\)"),
        (FrozenEncoder(Anything(lambda x: "text")), "gives a str, which is no tensor"),
        (FrozenEncoder(Anything(lambda x: ())), "gives no tensor"),
        (FrozenEncoder(Anything(lambda x: x.sum())), r"one of shape \(\)"),
        (FrozenEncoder(Anything(lambda x: x[:1])), r"one of shape \(1, 3, 12, 12\)"),
        (FrozenEncoder(Anything(lambda x: x.flatten(1).argmax(1))), "torch.int64"),
        (FrozenEncoder(Anything(lambda x: x.flatten(1).log())), "gives nan"),
        (FrozenEncoder(Anything(lambda x: x.flatten(1) / 0)), "gives -?inf"),
    ],
)
def test_what_does_not_fit_is_refused_before_training(encoder, message):
    model = made(encoder)
    with pytest.raises(ValueError, match=message):
        model.fit(IMAGES)
    assert not hasattr(model, "_fitted")


def test_features_that_are_not_finite_are_refused_with_their_sample():
    model = made(FrozenEncoder(Anything(lambda x: 1 / (3e4 - x)), kind="table", normalize=(0, 1)))
    X = TABLE.copy()
    model.fit(X)
    X[11, 3] = 3e4
    with pytest.raises(ValueError, match="Row 11 of X"):
        model.transform(X)


def test_a_function_that_makes_no_module_is_refused():
    with pytest.raises(TypeError, match=r"FrozenEncoder.* no torch\.nn\.Module"):
        made(FrozenEncoder(dict)).fit(TABLE)


def test_an_adapter_that_is_trained_takes_modules_with_views(digits):
    class Flat(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.head = nn.Conv2d(1, 6, 3), nn.Linear(6 * 36, 8)

        def forward(self, x):
            return self.head(self.conv(x).view(len(x), -1))

    model = made(TorchEncoder(Flat(), "conv")).fit(digits[0][:40])
    assert np.isfinite(model.transform(digits[0][:40])).all()

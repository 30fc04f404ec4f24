"""State: plain arrays only, files without code, and exact return."""

import json
import pickle
import pickletools

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.numpy import save_file
from torch import nn

from sk_infomax import (
    ConcatCritic,
    DeepInfoMaxTransformer,
    ImageViews,
    InfoNCE,
    TorchEncoder,
    _state,
)
from sk_infomax._state._files import seal
from sk_infomax.contexts import AutoregressiveContext
from sk_infomax.encoders import ENCODERS, StridedEncoder
from sk_infomax.priors import PRIORS, AdversarialPrior, NoisePrior
from sk_infomax.views import Occlusion


class Backbone(nn.Sequential):
    def __init__(self, width=10):
        super().__init__(nn.Linear(6, width), nn.ReLU(), nn.Linear(width, 8))


class OwnPrior(AdversarialPrior):
    def squash(self, vectors):
        return vectors

    def sample(self, like, generator):
        return torch.randn(like.shape, generator=generator)


def table(n=40):
    return np.random.RandomState(0).normal(size=(n, 6)).astype(np.float32)


def fitted(X=None, **settings):
    defaults = {"n_components": 8, "max_epochs": 2, "random_state": 0}
    return DeepInfoMaxTransformer(**(defaults | settings)).fit(table() if X is None else X)


def same(model, other, X):
    np.testing.assert_array_equal(model.transform(X), other.transform(X))
    assert model.score(X) == other.score(X)
    assert _state.history_rows(model.history_) == _state.history_rows(other.history_)
    assert model.n_iter_ == other.n_iter_
    assert model.layout_ == other.layout_


SETTINGS = [
    {},
    {"prior": "uniform", "global_weight": 1.0, "critic": ConcatCritic(hidden=5)},
    {"bound": InfoNCE(anchor="global"), "early_stopping": True, "optimizer": torch.optim.Adam},
    {"views": 2, "augmentation": "table", "max_time": 5.0},
    {"prior": NoisePrior("sphere"), "occlusion": Occlusion(0.3, "scattered")},
    {"context": AutoregressiveContext("conv", 2), "prior": "noise"},
    {"prior": "ball", "coordinates": "both", "occlusion": 0.4},
]


@pytest.mark.parametrize("settings", SETTINGS)
def test_saved_and_pickled_estimators_come_back_exactly(settings, tmp_path):
    model = fitted(**settings)
    model.save(tmp_path / "model.safetensors")
    loaded = DeepInfoMaxTransformer.load(tmp_path / "model.safetensors")
    same(model, loaded, table())
    same(model, pickle.loads(pickle.dumps(model)), table())
    same(model, pickle.loads(pickle.dumps(loaded)), table())
    for name, value in model.get_params(deep=False).items():
        assert str(loaded.get_params(deep=False)[name]) == str(value)


def test_images_come_back_exactly(digits, tmp_path):
    images = np.repeat(digits[0][:50, :, :, None], 3, axis=3)
    settings = {"augmentation": ImageViews(flip=True, crop=0.5), "encoder": StridedEncoder(width=8)}
    model = fitted(images, **settings, channels="last")
    model.save(tmp_path / "model")
    loaded = DeepInfoMaxTransformer.load(tmp_path / "model")
    same(model, loaded, images)
    assert loaded.augmentation.flip is True


def test_frames_keep_their_names(tmp_path):
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(table(), columns=list("abcdef"))
    model = fitted(frame)
    model.save(tmp_path / "model")
    loaded = DeepInfoMaxTransformer.load(tmp_path / "model")
    assert list(loaded.feature_names_in_) == list("abcdef")
    with pytest.raises(ValueError, match="feature names"):
        loaded.transform(frame[list("fedcba")])


def test_state_holds_no_net_and_no_module():
    state = fitted(prior="normal", early_stopping=True).__getstate__()
    assert "net_" not in state
    names = set()
    for opcode, argument, _ in pickletools.genops(pickle.dumps(state)):
        if opcode.name in ("GLOBAL", "STACK_GLOBAL", "SHORT_BINUNICODE", "BINUNICODE"):
            names.add(str(argument))
    assert not any(name.startswith(("torch", "skorch")) for name in names)


def test_state_is_a_copy():
    model = fitted()
    state = model.__getstate__()
    before = model.transform(table())
    for array in state["_fitted"][0].values():
        array[...] = 0
    np.testing.assert_array_equal(model.transform(table()), before)


def test_training_goes_on_after_loading(tmp_path):
    model = fitted()
    model.save(tmp_path / "model")
    loaded = DeepInfoMaxTransformer.load(tmp_path / "model")
    before = loaded.transform(table())
    loaded.partial_fit(table())
    assert loaded.n_iter_ == 3
    assert not np.array_equal(loaded.transform(table()), before)


def test_changes_after_the_fit_do_not_spoil_the_pickle():
    model = fitted()
    before = model.transform(table())
    model.set_params(encoder="series", n_components=3, critic="concat", views=2)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).transform(table()), before)


def test_own_networks_are_passed_to_load(tmp_path):
    torch.manual_seed(0)
    model = fitted(encoder=TorchEncoder(Backbone, "1", {"width": 12}))
    model.save(tmp_path / "model")
    with pytest.raises(ValueError, match=r"encoder of the class TorchEncoder.*encoder=\.\.\."):
        DeepInfoMaxTransformer.load(tmp_path / "model")
    own = TorchEncoder(Backbone, "1", {"width": 12})
    same(model, DeepInfoMaxTransformer.load(tmp_path / "model", encoder=own), table())
    wrong = TorchEncoder(Backbone, "1", {"width": 13})
    with pytest.raises(ValueError, match=r"has shape \(12, 6\).*needs \(13, 6\)"):
        DeepInfoMaxTransformer.load(tmp_path / "model", encoder=wrong)


def test_own_parts_are_passed_to_load(tmp_path):
    model = fitted(prior=OwnPrior())
    model.save(tmp_path / "model")
    with pytest.raises(ValueError, match="prior of the class OwnPrior"):
        DeepInfoMaxTransformer.load(tmp_path / "model")
    same(model, DeepInfoMaxTransformer.load(tmp_path / "model", prior=OwnPrior()), table())


def test_callbacks_and_generators_are_left_behind(tmp_path):
    from skorch.callbacks import Callback

    model = fitted(callbacks=[Callback()], random_state=np.random.RandomState(0))
    model.save(tmp_path / "model")
    loaded = DeepInfoMaxTransformer.load(tmp_path / "model")
    assert loaded.callbacks is None
    assert loaded.random_state is None
    np.testing.assert_array_equal(loaded.transform(table()), model.transform(table()))


def test_parameters_may_be_given_anew(tmp_path):
    fitted().save(tmp_path / "model")
    loaded = DeepInfoMaxTransformer.load(tmp_path / "model", output="hidden", verbose=2)
    assert loaded.verbose == 2
    assert loaded.transform(table()).shape == (40, 40)


def edited(path, change):
    """Rewrite a saved file after changing its arrays and metadata."""
    with safe_open(str(path), framework="numpy") as file:
        meta = json.loads(file.metadata()["sk_infomax"])
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    change(arrays, meta)
    save_file(arrays, str(path), metadata=seal(arrays, meta))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a, m: a.pop("net.encoder.leading"), "do not belong to this network"),
        (lambda a, m: a.update({"net.more": np.zeros(1)}), "do not belong to this network"),
        (lambda a, m: a.update({"scaling.mean": np.zeros(9)}), "scaling.mean does not fit"),
        (lambda a, m: a.pop("scaling.scale"), "scaling.scale does not fit"),
        (lambda a, m: m.update(version=99), "format version 99.*Upgrade"),
        (lambda a, m: m.update({"class": "Other"}), "holds a Other"),
        (lambda a, m: m.update(format="x"), "no file that sk_infomax saved"),
        (lambda a, m: m["parameters"].update(lr={"part": ["critic", "os"]}), "damaged"),
        (lambda a, m: m["parameters"].update(lr=[1]), "bare list"),
    ],
)
def test_damaged_files_are_refused(change, message, tmp_path):
    fitted().save(tmp_path / "model")
    edited(tmp_path / "model", change)
    with pytest.raises(ValueError, match=message):
        DeepInfoMaxTransformer.load(tmp_path / "model")


def test_what_is_no_file_of_ours(tmp_path):
    with pytest.raises(FileNotFoundError, match="No such file"):
        DeepInfoMaxTransformer.load(tmp_path / "absent")
    (tmp_path / "junk").write_bytes(b"junk that is no safetensors file")
    with pytest.raises(ValueError, match="no file that sk_infomax saved"):
        DeepInfoMaxTransformer.load(tmp_path / "junk")
    save_file({"a": np.zeros(2)}, str(tmp_path / "other"))
    with pytest.raises(ValueError, match="no file that sk_infomax saved"):
        DeepInfoMaxTransformer.load(tmp_path / "other")


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        3,
        2.5,
        "a",
        (1, 2),
        [1, "b", None],
        {"k": (1,)},
        torch.optim.Adam,
        UniformPrior := PRIORS["uniform"](hidden=(3,)),
        ENCODERS["perceptron"](n_groups=2),
    ],
    ids=repr,
)
def test_json_round_trip(value):
    registries = {"prior": PRIORS, "encoder": ENCODERS, "optimizer": {"adam": torch.optim.Adam}}
    node = json.loads(json.dumps(_state.to_json(value, registries)))
    back = _state.from_json(node, registries)
    assert type(back) is type(value)
    assert str(back) == str(value)


def test_numpy_numbers_become_plain():
    assert _state.to_json(np.float32(0.5), {}) == 0.5
    assert _state.to_json(np.bool_(True), {}) is True


def test_not_fitted_cannot_be_saved(tmp_path):
    from sklearn.exceptions import NotFittedError

    with pytest.raises(NotFittedError):
        DeepInfoMaxTransformer().save(tmp_path / "model")

"""Any function as the augmentation of an estimator: what it sees, its randomness, its errors."""

import pickle
import random

import numpy as np
import pytest
import torch
from sklearn.base import clone

from sk_infomax import DeepInfoMaxTransformer
from sk_infomax.views import FunctionViews

QUICK = {"encoder": "strided", "max_epochs": 1, "batch_size": 8, "random_state": 0}


def images(n=16, dtype=np.uint8):
    return np.random.RandomState(0).randint(0, 256, (n, 8, 8, 3)).astype(dtype)


def noisy(x):
    """Draws from every global generator there is."""
    return x + 0.1 * torch.randn_like(x) + 0.1 * np.random.rand() + 0.1 * random.random()


class Jitter(torch.nn.Module):
    """A module that is called as a function, as torchvision's transforms are."""

    def forward(self, x):
        return (x * (0.5 + torch.rand(()))).clamp(0, 1)


def fitted(augmentation, X=None, **changes):
    model = DeepInfoMaxTransformer(4, augmentation=augmentation, **QUICK | changes)
    return model.fit(images() if X is None else X)


def states():
    return np.random.get_state()[1].tolist(), torch.get_rng_state().tolist(), random.getstate()


KINDS = {
    "images of uint8": (images(), {"encoder": "strided"}, 0, 1, (3, 8, 8)),
    "images of float32": (images(dtype=np.float32) / 7, {"encoder": "strided"}, 0, 37, (3, 8, 8)),
    "series": (np.linspace(3, 9, 320).reshape(16, 2, 10), {"encoder": "series"}, 3, 9, (2, 10)),
    "rows": (np.linspace(50, 60, 96).reshape(16, 6), {"encoder": "perceptron"}, 50, 60, (6,)),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_function_sees_the_values_of_x(kind):
    X, settings, low, high, shape = KINDS[kind]
    seen = []
    fitted(lambda x: seen.append(x.clone()) or x, X, views=2, **settings)
    values = torch.stack(seen)
    assert values.shape[1:] == shape
    assert values.dtype == torch.float32
    assert values.min().item() == pytest.approx(low, abs=0.05)
    assert values.max().item() == pytest.approx(high, abs=0.05 * high)
    rows = X.transpose(0, 3, 1, 2) if X.ndim == 4 else X
    rows = (rows / 255 if X.dtype == np.uint8 else rows).astype(np.float32)
    distance = (values[:, None] - torch.from_numpy(rows)).abs().flatten(2).amax(2).amin(1)
    assert distance.max() < 1e-4  # each is one of the samples


def test_partial_fit_shows_the_values_of_its_own_samples():
    seen, model = [], DeepInfoMaxTransformer(4, views=2, **QUICK | {"encoder": "perceptron"})
    model.set_params(augmentation=lambda x: seen.append(x.clone()) or x)
    for centre in (0.0, 100.0):
        seen.clear()
        model.partial_fit(centre + np.random.RandomState(0).rand(16, 5))
        assert (torch.stack(seen) - centre - 0.5).abs().max() <= 0.5 + 1e-3


@pytest.mark.parametrize("augmentation", [noisy, Jitter()], ids=["function", "module"])
def test_fits_and_scores_are_repeated_by_the_seed(augmentation):
    before = states()
    model, again = fitted(augmentation), fitted(augmentation)
    np.testing.assert_array_equal(model.transform(images()), again.transform(images()))
    assert model.score(images()) == model.score(images()) == again.score(images())
    assert states() == before
    other = fitted(augmentation, random_state=1)
    assert np.abs(other.transform(images()) - model.transform(images())).max() > 1e-3


@pytest.mark.parametrize(
    "augmentation", [noisy, FunctionViews(noisy), Jitter()], ids=["function", "settings", "class"]
)
def test_models_are_copied_pickled_saved_and_handed_the_function_again(augmentation, tmp_path):
    model = fitted(augmentation)
    features, nats = model.transform(images()), model.score(images())
    np.testing.assert_array_equal(clone(model).fit(images()).transform(images()), features)
    model.save(tmp_path / "model.safetensors")
    with pytest.raises(ValueError, match=r"load\(path, augmentation=\.\.\.\)"):
        DeepInfoMaxTransformer.load(tmp_path / "model.safetensors")
    loaded = DeepInfoMaxTransformer.load(tmp_path / "model.safetensors", augmentation=augmentation)
    for other in (loaded, pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(other.transform(images()), features)
        assert other.score(images()) == nats


def test_a_function_of_batches_is_as_good_as_one_of_samples():
    alone = fitted(FunctionViews(lambda x: 1 - x))
    together = fitted(FunctionViews(lambda x: 1 - x, batched=True))
    np.testing.assert_array_equal(alone.transform(images()), together.transform(images()))


def test_the_default_encoder_averages_over_mirror_images_where_it_is_told_to():
    X = images(40)
    views = FunctionViews(lambda x: x.flip(-1), batched=True, mirrored=True)
    model = fitted(views, X, encoder="image")
    np.testing.assert_allclose(
        model.transform(X), model.transform(X[:, :, ::-1]), atol=1e-3, rtol=1e-3
    )


def test_what_does_not_fit_ends_the_fit_before_the_first_step():
    model = DeepInfoMaxTransformer(4, augmentation=lambda x: x[None], **QUICK)
    with pytest.raises(ValueError, match="batched=True"):
        model.fit(images())
    assert not hasattr(model, "history_")
    with pytest.raises(TypeError, match="or an instance of a Augmentation"):
        DeepInfoMaxTransformer(augmentation=Jitter).fit(images())


def test_transforms_of_torchvision_are_functions():
    transforms = pytest.importorskip("torchvision.transforms.v2", reason="torchvision is missing")
    chain = transforms.Compose(
        [
            transforms.RandomResizedCrop(8, scale=(0.5, 1.0), antialias=True),
            transforms.RandomHorizontalFlip(),
            transforms.ColorJitter(0.4, 0.4, 0.4, 0.1),
        ]
    )
    model, again = fitted(chain), fitted(chain)
    np.testing.assert_array_equal(model.transform(images()), again.transform(images()))

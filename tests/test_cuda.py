"""What can only be seen on a CUDA device: skipped, with the reason, where there is none."""

import numpy as np
import pytest
import torch

from benchmarks._cuda_checks import resident
from sk_infomax import (
    ColourViews,
    DeepInfoMaxTransformer,
    DotCritic,
    FunctionViews,
    ImageViews,
    MutualInfoEstimator,
    ResNetEncoder,
)
from sk_infomax._training._batches import coded
from sk_infomax.datasets import multinormal_sparse
from sk_infomax.evaluation import PerceptronClassifier

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")


@pytest.fixture
def samples(digits, series):
    """Samples of each kind."""
    images = digits[0][:120]
    return {"image": images, "table": images.reshape(120, -1), "series": series[0]}


def fitted(X, **settings):
    return DeepInfoMaxTransformer(max_epochs=1, random_state=0, device="cuda", **settings).fit(X)


@pytest.mark.parametrize("kind", ["image", "series", "table"])
def test_the_same_features_on_both_devices(kind, samples, tmp_path):
    X = samples[kind]
    model = fitted(X)
    assert next(model.net_.module_.parameters()).is_cuda
    model.save(tmp_path / "model")
    loaded = DeepInfoMaxTransformer.load(tmp_path / "model", device="cpu")
    assert not next(loaded.net_.module_.parameters()).is_cuda
    expected = loaded.transform(X)
    found = model.transform(X)
    # Where a pattern wins or a threshold is passed by a hair, another rounding counts a place more.
    atol = {"series": 0.1}.get(kind, 1e-2) * expected.std()
    np.testing.assert_allclose(found, expected, atol=atol)
    assert np.corrcoef(found.ravel(), expected.ravel())[0, 1] > 0.9999


@pytest.mark.parametrize("kind", ["image", "series", "table"])
def test_no_step_waits_for_the_device(kind, samples):
    model = fitted(samples[kind])
    net = model.net_
    net.module_.train()
    data, frozen = resident(model, samples[kind]), net.module_.frozen_layer
    if frozen is not None:  # what a fit sees only once
        data = coded(data, frozen)
    batch = next(iter(data.batches(32)))
    net.train_step(batch)
    torch.cuda.set_sync_debug_mode("error")
    try:
        net.train_step(batch)
    finally:
        torch.cuda.set_sync_debug_mode("default")


COLOURS = ImageViews(crop=0.3, flip=True, colour=ColourViews(blur=0.5, solarise=0.2))


def deep(X, augmentation=COLOURS):
    """A residual network with maps of two depths, locations against locations, and a follower."""
    critic = DotCritic(8, learn_temperature=True)
    weights = {"locations_weight": 1.0, "global_weight": 1.0, "target_momentum": 0.9}
    encoder = ResNetEncoder(width=4)
    return fitted(X, encoder=encoder, critic=critic, augmentation=augmentation, **weights)


def coloured(samples):
    return np.repeat(samples["image"][..., None], 3, axis=3)


def test_no_step_of_a_residual_network_waits_for_the_device(samples):
    X = coloured(samples)
    model = deep(X)
    net = model.net_
    net.module_.train()
    batch = next(iter(resident(model, X).batches(32)))
    net.train_step(batch)
    torch.cuda.set_sync_debug_mode("error")
    try:
        net.train_step(batch)
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_a_residual_network_is_read_on_both_devices(samples, tmp_path):
    X = coloured(samples)
    model = deep(X)
    model.save(tmp_path / "model")
    expected = DeepInfoMaxTransformer.load(tmp_path / "model", device="cpu").transform(X)
    found = model.transform(X)  # in bfloat16, of 8 bits
    assert np.corrcoef(found.ravel(), expected.ravel())[0, 1] > 0.99
    assert found.dtype == expected.dtype


@pytest.mark.parametrize("views", [COLOURS, ColourViews(jittered=1.0, hue=0.5)], ids=str)
def test_colours_follow_the_generator_of_the_device(views):
    x = torch.randn(20, 3, 12, 10, device="cuda")
    found = [views(x, torch.Generator("cuda").manual_seed(seed)) for seed in (0, 0, 1)]
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])


def test_functions_of_batches_are_called_on_the_device(samples):
    seen = []
    views = FunctionViews(lambda x: seen.append(x.device.type) or x.flip(-1), batched=True)
    fitted(samples["image"], augmentation=views)
    assert set(seen) == {"cuda"}


def test_what_images_start_from_is_the_same_for_one_seed(samples):
    stems = [fitted(samples["image"]).net_.module_.encoder.stem for _ in range(2)]
    assert torch.equal(stems[0].filters, stems[1].filters)


def test_mutual_information():
    task = multinormal_sparse(2, 2)
    X, Y = task.sample(1000, random_state=0)
    estimator = MutualInfoEstimator(cv=2, max_steps=100, device="cuda", random_state=0).fit(X, Y)
    assert estimator.mutual_info_ == pytest.approx(task.mutual_information, abs=0.15)


def test_perceptron(digits):
    X, y = digits[0].reshape(300, -1) / 16, digits[1]
    probe = PerceptronClassifier(max_steps=200, device="cuda", random_state=0).fit(X, y)
    assert probe.score(X, y) > 0.8

"""The decoder's MS-SSIM: sizes, layouts, ranges, and what it says of good and bad features."""

import sys

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sk_infomax import DeepInfoMaxTransformer
from sk_infomax.evaluation import MEASURES, evaluate_representation, reconstruction
from sk_infomax.evaluation._reconstruction import Decoder, _count_scales

pytest.importorskip("torchmetrics")

FAST = {"max_steps": 12, "width": 8}


@pytest.fixture(scope="module")
def blobs():
    """Grey images (n, 24, 24) in uint8 of one bright spot, and where it lies (n, 2)."""
    rng = np.random.RandomState(0)
    centres = rng.uniform(6, 18, size=(220, 2))
    grid = np.arange(24)
    rows, columns = (np.exp(-((grid - c[:, None]) ** 2) / 18) for c in centres.T)
    return (255 * rows[:, :, None] * columns[:, None, :]).astype(np.uint8), centres


def flat(X):
    return X.reshape(len(X), -1)


def halves(X):
    return X[:160], X[160:]


def mean_places(X):
    """Where the light of images (n, 24, 24) lies: (n, 2)."""
    weights = X / X.sum((1, 2), keepdims=True)
    return np.stack([weights.sum(2) @ np.arange(24), weights.sum(1) @ np.arange(24)], 1)


def test_features_that_tell_are_told_from_those_that_do_not(blobs):
    images = halves(blobs[0])
    places = FunctionTransformer(mean_places)
    told = reconstruction(places, *images, max_steps=200, width=8, batch_size=48)
    blind = reconstruction(FunctionTransformer(lambda X: flat(X)[:, :1] * 0), *images, **FAST)
    assert told.n_scales == blind.n_scales == 2
    assert 1 >= told.ms_ssim > 0.75 > 0.6 > blind.ms_ssim
    assert told.mse < 0.2 * blind.mse


def test_features_that_tell_nothing_give_the_mean_image(blobs):
    train, test = halves(blobs[0] / 255.0)
    blind = FunctionTransformer(lambda X: np.zeros((len(X), 3)))
    result = reconstruction(blind, train, test, data_range=(0, 1), max_steps=100, width=8)
    assert result.mse == pytest.approx(((test - train.mean(0)) ** 2).mean(), rel=0.03)


def test_layouts_and_ranges_say_the_same(blobs):
    """Grey or with an axis of channels, flat, bytes or floats of any range: the same images."""
    images = blobs[0]
    colours = np.stack([images] * 3, -1)
    places = [FunctionTransformer(lambda X: blobs[1][: len(X)])] * 4
    plain = reconstruction(places[0], *halves(images), **FAST)
    floats = images / 255.0 * 2 - 1
    same = [
        reconstruction(places[0], *halves(images[..., None]), **FAST),
        reconstruction(places[0], *halves(images[:, None]), **FAST),
        reconstruction(places[0], *halves(flat(images)), sample_shape=(24, 24), **FAST),
        reconstruction(places[0], *halves(floats), data_range=(-1, 1), **FAST),
    ]
    for other in same:
        assert other.ms_ssim == pytest.approx(plain.ms_ssim, abs=1e-3)
        assert other.mse == pytest.approx(plain.mse, rel=1e-2)
    last, first = colours, np.moveaxis(colours, -1, 1)
    results = [reconstruction(places[0], *halves(X), **FAST) for X in (last, first)]
    assert results[0] == results[1]


def test_range_of_floats_is_what_training_images_hold(blobs):
    train, test = halves(blobs[0] * 3.0 - 40)
    places = FunctionTransformer(mean_places_of_any)
    ends = float(train.min()), float(train.max())
    free = reconstruction(places, train, test, **FAST)
    assert free == reconstruction(places, train, test, data_range=ends, **FAST)
    wider = reconstruction(places, train, test, data_range=(ends[0], 2 * ends[1]), **FAST)
    assert wider.mse < 0.5 * free.mse


def mean_places_of_any(X):
    return mean_places(X - X.min() + 1)


def test_scales_are_as_many_as_fit():
    sides = {11: 1, 21: 1, 22: 2, 28: 2, 32: 2, 43: 2, 44: 3, 64: 3, 98: 3, 99: 4, 176: 5, 500: 5}
    assert {side: _count_scales(side, 999) for side in sides} == sides
    assert _count_scales(64, 32) == 2


@pytest.mark.parametrize("side", [22, 44, 99, 176])
def test_torchmetrics_takes_as_many_scales_as_we_count(side):
    from torchmetrics.functional.image import multiscale_structural_similarity_index_measure

    images = torch.rand(1, 1, side, side, generator=torch.Generator().manual_seed(0))
    betas = (1 / _count_scales(side, side),) * _count_scales(side, side)
    value = multiscale_structural_similarity_index_measure(
        images, images, data_range=1.0, betas=betas
    )
    assert value == pytest.approx(1.0)


@pytest.mark.parametrize("shape", [(1, 11, 17), (3, 28, 28), (3, 32, 32), (2, 45, 64)])
def test_decoders_make_images_of_the_size_asked_for(shape):
    decoder = Decoder(5, torch.rand(4, *shape), 8)
    assert decoder(torch.rand(3, 5)).shape == (3, *shape)


def test_random_state_is_all_that_chance_depends_on(blobs):
    images = halves(blobs[0])
    places = FunctionTransformer(mean_places)
    state = torch.get_rng_state(), np.random.get_state()[1].copy()
    once = reconstruction(places, *images, random_state=1, **FAST)
    assert torch.equal(state[0], torch.get_rng_state())
    assert (state[1] == np.random.get_state()[1]).all()
    torch.manual_seed(5)
    assert reconstruction(places, *images, random_state=1, **FAST) == once
    assert reconstruction(places, *images, random_state=2, **FAST) != once


def test_flat_rows_take_the_shape_of_the_transformer(blobs):
    train, test = halves(flat(blobs[0]))
    dim = DeepInfoMaxTransformer(4, sample_shape=(24, 24), max_epochs=1, random_state=0).fit(train)
    known = reconstruction(dim, train, test, **FAST)
    assert known == reconstruction(dim, train, test, sample_shape=(24, 24), **FAST)
    line = make_pipeline(PCA(2, random_state=0)).fit(train)
    with pytest.raises(
        ValueError, match=r"rows of 576 values\. Say what they are with sample_shape"
    ):
        reconstruction(line, train, test, **FAST)


def test_row_of_images(blobs, monkeypatch):
    """The row's transformer remembers features, and still says what a flat row is."""
    monkeypatch.setitem(
        MEASURES, "fast", lambda t, *parts, **_: reconstruction(t, *parts[:2], **FAST).ms_ssim
    )
    train, test = halves(flat(blobs[0]))
    corner = (blobs[1] > 12).sum(1)
    dim = DeepInfoMaxTransformer(4, sample_shape=(24, 24), max_epochs=1, random_state=0).fit(train)
    row = evaluate_representation(
        dim, train, corner[:160], test, corner[160:], probes=(), measures=("fast",)
    )
    assert row == {"fast": reconstruction(dim, train, test, **FAST).ms_ssim}


@pytest.mark.slow
def test_ms_ssim_of_a_row_is_that_of_the_function(blobs):
    images = halves(blobs[0][:, ::2, ::2])
    train, test = images[0][:32], images[1][:8]
    corner = (blobs[1] > 12).sum(1)
    places = FunctionTransformer(lambda X: flat(X)[:, :40])
    row = evaluate_representation(
        places, train, corner[:32], test, corner[:8], probes=(), measures=("ms_ssim",)
    )
    assert row == {"ms_ssim": reconstruction(places, train, test).ms_ssim}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"width": 0}, "width=0 must be 1 or more"),
        ({"max_steps": 0}, "max_steps=0 must be 1 or more"),
        ({"channels": "middle"}, "channels='middle' is unknown"),
        ({"data_range": (1, 1)}, r"data_range=\(1.0, 1.0\) is empty"),
        ({"sample_shape": (20, 20)}, r"asks for 400 values, but samples have shape \(24, 24\)"),
        ({"sample_shape": "24"}, "must be a tuple of one to three positive integers"),
    ],
)
def test_bad_settings(change, message, blobs):
    with pytest.raises(ValueError, match=message):
        reconstruction(FunctionTransformer(mean_places), *halves(blobs[0]), **change)


def test_bad_images(blobs):
    train, test = halves(blobs[0])
    with pytest.raises(ValueError, match="11 pixels a side or more; got 8 x 24"):
        reconstruction(FunctionTransformer(flat), train[:, :8], test[:, :8], channels="auto")
    with pytest.raises(ValueError, match=r"shape \(24, 24\) and X_test of shape \(24, 20\)"):
        reconstruction(FunctionTransformer(lambda X: flat(X)[:, :9]), train, test[:, :, :20])
    with pytest.raises(ValueError, match="is empty"):
        reconstruction(FunctionTransformer(flat), train * 0.0, test * 0.0)


def test_without_torchmetrics_the_remedy_is_named(blobs, monkeypatch):
    monkeypatch.setitem(sys.modules, "torchmetrics.functional.image", None)
    with pytest.raises(ImportError, match=r'pip install "sk_infomax\[reconstruction\]"'):
        reconstruction(FunctionTransformer(mean_places), *halves(blobs[0]))

"""The decoder's MS-SSIM: sizes, layouts, ranges, and what it says of good and bad features."""

import math

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sk_infomax import DeepInfoMaxTransformer
from sk_infomax.evaluation import MEASURES, evaluate_representation, reconstruction
from sk_infomax.evaluation._reconstruction import Decoder
from sk_infomax.evaluation._similarity import count_scales, ms_ssim

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


# MS-SSIM ----------------------------------------------------------------------------------------

BETAS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)


def test_scales_are_as_many_as_fit():
    sides = {11: 1, 21: 1, 22: 2, 28: 2, 32: 2, 43: 2, 44: 3, 64: 3, 87: 3, 88: 4, 176: 5, 500: 5}
    assert {side: count_scales(side, 999) for side in sides} == sides
    assert count_scales(64, 32) == 2


def pictures(height, width, seed, n=3):
    """Smooth images (n, 2, height, width) in [0, 1], and the same with noise."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(n, 2, height // 4 + 1, width // 4 + 1, generator=generator).double()
    true = torch.nn.functional.interpolate(coarse, (height, width), mode="bilinear")
    noise = torch.randn(true.shape, generator=generator).double()
    return (true + 0.15 * noise).clamp(0, 1), true


def loop_ssim(a, b):
    """Mean contrast and mean similarity of two images (h, w), one window after another."""
    line = np.exp(-0.5 * (np.arange(-5, 6) / 1.5) ** 2)
    window = np.outer(line, line) / line.sum() ** 2
    contrasts, values = [], []
    for i in range(a.shape[0] - 10):
        for j in range(a.shape[1] - 10):
            x, y = a[i : i + 11, j : j + 11], b[i : i + 11, j : j + 11]
            mx, my = (window * x).sum(), (window * y).sum()
            vx, vy = (window * (x - mx) ** 2).sum(), (window * (y - my) ** 2).sum()
            cov = (window * (x - mx) * (y - my)).sum()
            contrasts.append((2 * cov + 0.03**2) / (vx + vy + 0.03**2))
            values.append(contrasts[-1] * (2 * mx * my + 0.01**2) / (mx**2 + my**2 + 0.01**2))
    return np.mean(contrasts), np.mean(values)


@pytest.mark.parametrize(("height", "width"), [(11, 14), (28, 28), (32, 27), (45, 44)])
def test_ms_ssim_is_the_definition(height, width):
    """By loops over windows that lie within the images, for each channel and scale."""
    made, true = pictures(height, width, seed=0, n=1)
    n_scales, value = count_scales(height, width), 1.0
    a, b = made[0].numpy(), true[0].numpy()
    for scale in range(n_scales):
        means = np.mean([loop_ssim(x, y) for x, y in zip(a, b)], axis=0)
        value *= means[int(scale == n_scales - 1)] ** (BETAS[scale] / sum(BETAS[:n_scales]))
        a, b = (halved(part) for part in (a, b))
    assert ms_ssim(made, true).item() == pytest.approx(value, abs=1e-9)


def halved(images):
    """Means of 2 x 2 pixels; an odd last row or column is dropped."""
    c, h, w = images.shape[0], images.shape[1] // 2, images.shape[2] // 2
    return images[:, : 2 * h, : 2 * w].reshape(c, h, 2, w, 2).mean((2, 4))


@pytest.mark.parametrize("side", [28, 32, 64, 96, 180])
def test_ms_ssim_is_torchmetrics_within_the_image(side):
    """Its coarsest scale reads windows over a reflected edge, which are cut off here."""
    metrics = pytest.importorskip("torchmetrics.functional.image")
    made, true = pictures(side, side, seed=1)
    a, b, n_scales = made, true, count_scales(side, side)
    value = torch.ones(len(true), dtype=torch.float64)
    for scale in range(n_scales):
        kind = "return_contrast_sensitivity" if scale < n_scales - 1 else "return_full_image"
        _, map_ = metrics.structural_similarity_index_measure(a, b, data_range=1.0, **{kind: True})
        inside = map_[..., 5:-5, 5:-5] if scale == n_scales - 1 else map_.reshape(len(true), -1)
        value = value * inside.flatten(1).mean(1) ** (BETAS[scale] / sum(BETAS[:n_scales]))
        a, b = (torch.nn.functional.avg_pool2d(part, 2) for part in (a, b))
    torch.testing.assert_close(ms_ssim(made, true), value)


def test_ms_ssim_of_equal_and_of_opposed_images():
    made, true = pictures(44, 44, seed=2)
    torch.testing.assert_close(ms_ssim(true, true), torch.ones(3, dtype=torch.float64))
    assert (ms_ssim(1 - true, true) == 0).all()
    assert math.isfinite(ms_ssim(torch.zeros_like(made), true).sum().item())


# ----------------------------------------------------------------------------------------------


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
    with pytest.raises(ValueError, match=r"rows of 576 values\. Say what they are: use sample_sh"):
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


@pytest.mark.nightly
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
        ({"width": 0}, "'width' parameter of reconstruction .* Got 0"),
        ({"max_steps": 0}, "'max_steps' parameter of reconstruction .* Got 0"),
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

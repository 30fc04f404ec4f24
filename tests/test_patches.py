"""The default encoder of images: its dictionary and its directions against plain references."""

import math
from itertools import chain, product

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch.nn.functional import adaptive_avg_pool2d

from sk_infomax import DeepInfoMaxTransformer, ImageViews, PatchEncoder
from sk_infomax._random import new_generator
from sk_infomax._settings import plan_of_fit, settle
from sk_infomax.encoders._base import prepare
from sk_infomax.encoders._dictionary import _kmeans
from sk_infomax.encoders._directions import equal_spread, telling_directions
from sk_infomax.encoders._patch_dictionary import PatchDictionary
from sk_infomax.views import Augmentation


def prepared(images, views=None, n_filters=7, seed=0, **settings):
    torch.manual_seed(seed)
    settings = {"n_directions": 10**4, "width": 8, "n_channels": 5} | settings
    encoder = PatchEncoder(n_filters, **settings).fitted_to(
        len(images), tuple(images.shape[1:]), views
    )
    network = encoder.build(tuple(images.shape[1:]), 6)
    prepare(network, images, views, new_generator(seed))
    return network.eval()


@pytest.fixture
def images():
    torch.manual_seed(3)
    smooth = torch.randn(60, 2, 5, 5)
    return torch.nn.functional.interpolate(smooth, size=(11, 12), mode="bilinear")


def test_codes_against_one_patch_after_another(images):
    stem = prepared(images).stem
    x = images[:2]
    expected = torch.zeros(2, 14, 11 - stem.size + 1, 12 - stem.size + 1)
    for n, row, column in np.ndindex(2, *expected.shape[2:]):
        patch = x[n, :, row : row + stem.size, column : column + stem.size]
        contrast = (patch.var(unbiased=False) + stem.floor).sqrt()
        for k in range(7):
            likeness = (stem.filters[k] * (patch - patch.mean())).sum() / contrast
            # the variance over all channels together
            likeness -= stem.offset[k, 0, 0]
            expected[n, k, row, column] = (likeness - 0.25).clamp(min=0)
            expected[n, 7 + k, row, column] = (-likeness - 0.25).clamp(min=0)
    means = adaptive_avg_pool2d(expected, 8)
    torch.testing.assert_close(stem(x).maps, (means + 1e-6).sqrt(), atol=1e-4, rtol=1e-3)
    pooled = torch.cat([adaptive_avg_pool2d(means, p).flatten(1) for p in (1, 2, 4)], 1).sqrt()
    first = stem(x).pooled[:, : pooled.shape[1]] * stem.sizes[0]
    torch.testing.assert_close(first, pooled, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("overlapping", [False, True])
def test_second_moments_against_one_window_after_another(images, overlapping):
    stem = prepared(images, overlapping=overlapping).stem
    codes = stem._codes(images[:2]).double()
    channels = (codes.sqrt() - stem.mean) @ stem.basis.double()
    cells = 4 if overlapping else 2
    # A place that the edge of a cell cuts counts in both cells.
    cut = [
        [list(range(i * side // cells, math.ceil((i + 1) * side / cells))) for i in range(cells)]
        for side in codes.shape[1:3]
    ]
    joined = lambda spans: list(chain.from_iterable(spans))  # noqa: E731
    halves = [[joined(c[i : i + cells // 2]) for i in range(cells // 2 + 1)] for c in cut]
    windows = [tuple(map(joined, cut)), *product(*halves)]
    expected = []
    for rows, columns in windows:
        for image in channels:
            covariance = torch.cov(image[rows][:, columns].flatten(0, 1).T, correction=0)
            expected.append([covariance[i, j] for i in range(5) for j in range(i, 5)])
    expected = torch.tensor(expected).reshape(len(windows), 2, -1).transpose(0, 1).flatten(1)
    found = stem(images[:2]).pooled[:, -expected.shape[1] :] * stem.sizes[1]
    signed = expected.sign() * expected.abs().sqrt()
    torch.testing.assert_close(found, signed.float(), atol=2e-3, rtol=2e-2)


def test_channels_are_white(images):
    stem = prepared(images).stem
    channels = (stem._codes(images).sqrt() - stem.mean) @ stem.basis
    covariance = torch.cov(channels.flatten(0, 2).T, correction=0)
    torch.testing.assert_close(covariance, torch.eye(5), atol=1e-2, rtol=0)


def test_codes_do_not_depend_on_the_size_of_blocks(images, monkeypatch):
    stem = prepared(images).stem
    whole = stem(images).pooled
    monkeypatch.setattr("sk_infomax.encoders._patch_dictionary._CACHED_VALUES", 1)
    torch.testing.assert_close(stem(images).pooled, whole, atol=1e-5, rtol=1e-4)


def test_codes_do_not_change_with_contrast_and_brightness(images):
    stem = prepared(images).stem
    stem.floor.zero_()
    torch.testing.assert_close(stem.maps(3 * images - 1), stem.maps(images), atol=2e-3, rtol=1e-3)


def test_mirror_images_are_alike_where_views_mirror(images):
    mirrored = images.flip(-1)
    alike, apart = (prepared(images, ImageViews(flip=flip)) for flip in (True, False))
    for name in ("hidden", "global_vector"):
        first, second = (getattr(alike(x), name) for x in (images, mirrored))
        torch.testing.assert_close(first, second, atol=1e-4, rtol=1e-4)
    assert not torch.allclose(apart(images).hidden, apart(mirrored).hidden, atol=1e-2)
    stem = alike.stem
    assert len(stem.filters) == 8  # one more than asked for, so that each has its mirror image
    torch.testing.assert_close(stem.filters[4:], stem.filters[:4].flip(-1))


@pytest.mark.parametrize("shape", [(2, 3, 3), (1, 9, 8), (3, 20, 13), (1, 64, 70)])
@pytest.mark.parametrize("overlapping", [False, True])
def test_mirrored_columns_are_half_as_many_and_alike(shape, overlapping):
    images = torch.randn(30, *shape, generator=new_generator(0))
    settings = {"n_filters": 6, "overlapping": overlapping}
    stem = prepared(images, ImageViews(flip=True), **settings).stem
    x = images[:, :, :, : shape[2] // stem.coarse * stem.coarse]
    torch.testing.assert_close(stem(x.flip(-1)).pooled, stem(x).pooled, atol=1e-3, rtol=1e-3)
    both = prepared(images, **settings).stem
    assert stem(x).pooled.shape[1] < 0.75 * both(x).pooled.shape[1]


class Mirrors(Augmentation):
    """A user's augmentation, which has no attribute called flip."""

    @property
    def mirrors(self):
        return True

    def __call__(self, x, generator):
        turned = torch.rand(len(x), 1, 1, 1, generator=generator, device=x.device) < 0.5
        return torch.where(turned, x.flip(-1), x)


class Flips(Augmentation):
    """One whose attribute of that name means something else."""

    flip = "flop"

    def __call__(self, x, generator):
        return x + 0.1 * torch.randn(x.shape, generator=generator)


def test_own_views_say_whether_they_mirror(images):
    mirrored = images.flip(-1)
    alike, apart = prepared(images, Mirrors()), prepared(images, Flips())
    torch.testing.assert_close(alike(images).hidden, alike(mirrored).hidden, atol=1e-4, rtol=1e-4)
    assert not torch.allclose(apart(images).hidden, apart(mirrored).hidden, atol=1e-2)


def test_directions_follow_filters_and_samples():
    shape = (3, 32, 32)
    for n_filters, n_places, expected in ((32, 14, 448), (128, 14, 1792), (384, 28, 4096)):
        encoder = PatchEncoder(n_filters, n_places=n_places)
        assert encoder.fitted_to(60_000, shape).n_directions == expected
        assert encoder.fitted_to(1200, shape).n_directions == 300
        assert encoder.fitted_to(40, shape).n_directions == 128
        assert encoder.n_directions == "auto"
    assert PatchEncoder().fitted_to(60_000, shape).n_directions == 1792
    assert PatchEncoder().fitted_to(60_000, (1, 28, 28)).n_directions == 1120
    given = PatchEncoder(128, 2500, mirrored=False)
    assert given.fitted_to(40, shape) is given
    assert PatchEncoder().fitted_to(40, shape, ImageViews(flip=True)).mirrored


def test_kmeans_finds_clusters():
    generator = new_generator(0)
    centres = torch.tensor([[0.0, 10.0], [10.0, 0.0], [-10.0, -10.0]])
    points = centres.repeat(50, 1) + 0.1 * torch.randn(150, 2, generator=generator)
    found = min(
        (_kmeans(points, 3, new_generator(seed)) for seed in range(5)),
        key=lambda c: torch.cdist(points, c).min(1).values.sum(),
    )
    assert torch.cdist(centres, found).min(1).values.max() < 0.1


def test_filters_are_more_useful_than_random_ones(digits):
    images = torch.from_numpy(digits[0][:, None]) / 16
    labels = digits[1]
    scores = []
    for ready in (False, True):
        torch.manual_seed(0)
        stem = PatchDictionary((1, 8, 8), 16, 3, 1)
        if ready:
            stem.prepare(images, None, new_generator(0))
        Z = stem(images).pooled.numpy()
        Z /= Z.std()
        probe = LogisticRegression(C=0.1, max_iter=500).fit(Z[:60], labels[:60])
        scores.append(probe.score(Z[60:], labels[60:]))
    assert scores[1] > scores[0]


def test_directions_are_those_of_the_generalised_eigenproblem(images):
    from scipy.linalg import eigh

    network = prepared(images)
    pooled = network.stem(images).pooled.double()
    total = torch.cov(pooled.T, correction=0).numpy()
    within = np.diag(np.diag(total)) + 0.3 * np.diag(total).mean() * np.eye(len(total))
    values = eigh(total, within, eigvals_only=True)[::-1].clip(0) ** network.stem.power
    # What is kept is turned so that samples spread alike; their covariance has the same values.
    hidden = network(images).hidden.double()
    spread = torch.linalg.eigvalsh(torch.cov(hidden.T, correction=0)).flip(0).numpy()
    n = min(len(values), len(spread))
    np.testing.assert_allclose(spread[:n] / spread.sum(), values[:n] / values.sum(), atol=1e-4)


def test_views_make_small_what_they_change(images):
    many = images.repeat(20, 1, 1, 1)
    views, generator = ImageViews(), new_generator(9)
    shares = []
    for network in (prepared(many, views), prepared(many)):
        sides = [network(views(many, generator)).hidden for _ in range(2)]
        shares.append(((sides[0] - sides[1]).var(0).sum() / torch.cat(sides).var(0).sum()).item())
    assert shares[0] < 0.9 * shares[1]


@pytest.mark.parametrize("n_samples", [60, 20])
def test_all_columns_spread_alike_so_that_a_scaler_changes_nothing(images, n_samples):
    network = prepared(images[:n_samples])
    found = network(images[:n_samples])
    for columns, size in ((found.hidden, 0.2), (found.global_vector, 1.0), (found.wide, 0.2)):
        spread = columns.std(0, correction=0)
        spread = spread[spread > 0]
        torch.testing.assert_close(spread, torch.full_like(spread, size), atol=0, rtol=0.02)


def test_few_samples_have_no_columns_of_what_is_learned_alone(digits):
    images = digits[0][:20]
    model = DeepInfoMaxTransformer(64, max_epochs=3, batch_size=10, random_state=0).fit(images)
    spread = model.set_params(output="embedding").transform(images).std(0)
    assert (spread > 0).sum() <= 20
    assert spread[spread > 0].min() > 0.3 * spread.max()


def test_turning_to_equal_spread_keeps_distances():
    generator = new_generator(0)
    x = torch.randn(50, 8, generator=generator) * torch.logspace(0, -2, 8)
    x -= x.mean(0)
    _, sizes, axes = torch.linalg.svd(x, full_matrices=False)
    turned = equal_spread(
        torch.cat([axes.T, torch.zeros(8, 2)], 1), torch.cat([sizes**2, torch.zeros(2)])
    )
    torch.testing.assert_close(
        torch.cdist(x @ turned, x @ turned), torch.cdist(x, x), atol=1e-3, rtol=1e-3
    )
    spread = (x @ turned).square().sum(0)
    torch.testing.assert_close(spread[:8], spread[:8].mean().expand(8), atol=0, rtol=1e-3)
    assert not spread[8:].any()


def test_before_training_the_embedding_is_the_leading_directions(images):
    network = prepared(images)
    kept, vector = (network(images)[i].double() for i in (2, 1))
    covariance = torch.cov(vector.T, correction=0)
    _, _, axes = torch.linalg.svd(kept - kept.mean(0), full_matrices=False)
    best = (kept - kept.mean(0)) @ axes[:6].T  # the leading principal components
    fit = torch.linalg.lstsq(best, vector - vector.mean(0)).solution
    torch.testing.assert_close(best @ fit, vector - vector.mean(0), atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(covariance.diagonal(), torch.ones(6).double(), atol=2e-2, rtol=0)


@pytest.mark.parametrize("shape", [(2, 3), (4, 4), (70, 64)])
def test_sizes_of_images(shape):
    images = np.random.RandomState(0).rand(12, *shape, 3).astype(np.float32)
    model = DeepInfoMaxTransformer(
        5, encoder=PatchEncoder(6, width=4), max_epochs=1, batch_size=6, random_state=0
    ).fit(images)
    assert np.isfinite(model.transform(images)).all()


def test_blank_images_do_no_harm():
    images = np.zeros((10, 8, 8), np.float32)
    model = DeepInfoMaxTransformer(4, max_epochs=1, batch_size=5, random_state=0).fit(images)
    assert np.isfinite(model.transform(images)).all()


def test_outputs_of_the_default(digits):
    images = digits[0][:60]
    model = DeepInfoMaxTransformer(5, max_epochs=1, batch_size=30, random_state=0).fit(images)
    wide = model.transform(images)
    parts = {}
    for output in ("multiscale", "embedding", "hidden"):
        parts[output] = model.set_params(output=output).transform(images)
        assert parts[output].shape[1] == len(model.get_feature_names_out())
    np.testing.assert_array_equal(wide, parts["multiscale"])
    assert parts["hidden"].shape == (60, 128)
    np.testing.assert_allclose(wide[:, :5], 0.2 * parts["embedding"], rtol=1e-5)
    np.testing.assert_array_equal(wide[:, 5:], parts["hidden"])


def test_other_encoders_set_the_mean_location_beside_the_embedding(digits):
    images = digits[0][:40]
    model = DeepInfoMaxTransformer(
        5, encoder="strided", output="multiscale", max_epochs=1, random_state=0
    ).fit(images)
    assert model.transform(images).shape == (40, 5 + 128)
    assert model.set_params(output="auto").transform(images).shape == (40, 5)


def test_patches_larger_than_the_image_are_refused():
    model = DeepInfoMaxTransformer(encoder=PatchEncoder(patch_size=9))
    with pytest.raises(ValueError, match=r"patch_size=9 does not fit .* Choose 1 to 8"):
        model.fit(np.zeros((10, 8, 8), np.float32))


def test_presets_change_what_is_left_to_them(digits):
    images, models = digits[0][:40], {}
    large = np.zeros((4 * 3000, 1, 8, 8), np.float32)
    for preset in ("fast", "balanced", "accurate"):
        models[preset] = DeepInfoMaxTransformer(
            5, preset=preset, max_epochs=1, batch_size=20, random_state=0
        ).fit(images)
    directions = {
        n: [settle(model, large[:n])[0].encoder.n_directions for model in models.values()]
        for n in (40, 1200, len(large))
    }
    assert directions == {40: [128] * 3, 1200: [300] * 3, 12_000: [616, 2016, 2016]}
    assert [model.transform(images).shape[1] for model in models.values()] == [5 + 128] * 3
    epochs = {
        preset: plan_of_fit(
            model.set_params(max_epochs="auto"), settle(model, large[:2000])[0], 2000
        ).epochs
        for preset, model in models.items()
    }
    assert epochs == {"fast": 1, "balanced": 2, "accurate": 3}
    chosen = DeepInfoMaxTransformer(
        5, preset="accurate", encoder="strided", max_epochs=1, random_state=0
    ).fit(images)
    assert chosen.transform(images).shape[1] == 5


def test_fewer_directions_are_the_best_ones(images):
    every, few = prepared(images), prepared(images, n_directions=9)
    kept, all_of_them = (network(images).hidden.double() for network in (few, every))
    assert kept.shape[1] == 9
    values = [
        torch.linalg.eigvalsh(torch.cov(z.T, correction=0)).flip(0)[:9] for z in (kept, all_of_them)
    ]
    torch.testing.assert_close(*(v / v.sum() for v in values), atol=1e-3, rtol=1e-2)


@pytest.mark.parametrize("n_views", [1, 2])
@pytest.mark.parametrize("n", [30, 12])
def test_directions_with_more_and_fewer_samples_than_columns(n, n_views):
    from scipy.linalg import eigh

    generator = new_generator(0)
    between, within = torch.randn(2, n, 20, generator=generator) * torch.linspace(1, 3, 20)
    between -= between.mean(0)
    within = within if n_views == 2 else within[:0]
    noise = torch.rand(20, generator=generator) + 0.5
    found = telling_directions(between, within, noise, 15).double().numpy()
    B, W = (z.T.double().numpy() @ z.double().numpy() / n for z in (between, within))
    W += np.diag(noise.double().numpy())
    values = eigh(B, W, eigvals_only=True)[::-1][:15]
    rank = min(15, n - 1)
    np.testing.assert_allclose(np.diag(found.T @ B @ found), values, atol=1e-4 * values[0])
    expected = np.eye(15) * (np.arange(15) < rank)
    np.testing.assert_allclose(found.T @ W @ found, expected, atol=1e-3)

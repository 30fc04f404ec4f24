"""The default encoder of images: its dictionary and its directions against plain references."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch.nn.functional import adaptive_avg_pool2d

from sk_infomax import DeepInfoMaxTransformer, ImageViews, PatchEncoder
from sk_infomax._random import new_generator
from sk_infomax._settings import plan_of_fit, settle
from sk_infomax.encoders._base import prepare
from sk_infomax.encoders._directions import telling_directions
from sk_infomax.encoders._patches import PatchDictionary, _kmeans, _scales
from sk_infomax.views import Augmentation


def prepared(images, views=None, n_filters=7, seed=0):
    torch.manual_seed(seed)
    encoder = PatchEncoder(n_filters, n_directions=42 * n_filters, width=8)
    network = encoder.build(tuple(images.shape[1:]), 6)
    prepare(network, images, views, new_generator(seed))
    return network.eval()


@pytest.fixture
def images():
    torch.manual_seed(3)
    smooth = torch.randn(60, 2, 5, 5)
    return torch.nn.functional.interpolate(smooth, size=(11, 12), mode="bilinear")


def test_codes_against_one_patch_after_another(images):
    stem = prepared(images).local_stage[0]
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
    torch.testing.assert_close(stem(x), adaptive_avg_pool2d(expected, 8), atol=1e-4, rtol=1e-3)


def test_codes_do_not_depend_on_the_size_of_blocks(images, monkeypatch):
    stem = prepared(images).local_stage[0]
    whole = stem(images)
    monkeypatch.setattr("sk_infomax.encoders._patches._CACHED_VALUES", 1)
    torch.testing.assert_close(stem(images), whole, atol=1e-6, rtol=1e-4)


def test_codes_do_not_change_with_contrast_and_brightness(images):
    stem = prepared(images).local_stage[0]
    stem.floor.zero_()
    torch.testing.assert_close(stem(3 * images - 1), stem(images), atol=1e-3, rtol=1e-3)


def test_mirror_images_are_alike_where_views_mirror(images):
    mirrored = images.flip(-1)
    alike, apart = (prepared(images, ImageViews(flip=flip)) for flip in (True, False))
    for name in ("hidden", "global_vector"):
        first, second = (getattr(alike(x), name) for x in (images, mirrored))
        torch.testing.assert_close(first, second, atol=1e-4, rtol=1e-4)
    assert not torch.allclose(apart(images).hidden, apart(mirrored).hidden, atol=1e-2)
    stem = alike.local_stage[0]
    restored = PatchDictionary(2, 7, stem.size, stem.stride)
    restored.load_state_dict(stem.state_dict())
    torch.testing.assert_close(restored(images), stem(images))


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
    for n_filters, expected in ((32, 1024), (64, 2048), (128, 4096), (384, 4096)):
        encoder = PatchEncoder(n_filters)
        assert encoder.fitted_to(60_000).n_directions == expected
        assert encoder.fitted_to(1200).n_directions == 300
        assert encoder.fitted_to(40).n_directions == 128
        assert encoder.n_directions == "auto"
    given = PatchEncoder(128, 2500)
    assert given.fitted_to(40) is given


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
        stem = PatchDictionary(1, 16, 3, 1)
        if ready:
            stem.prepare(images, None, new_generator(0))
        Z = _scales(stem(images)).numpy()
        Z /= Z.std()
        probe = LogisticRegression(C=0.1, max_iter=500).fit(Z[:60], labels[:60])
        scores.append(probe.score(Z[60:], labels[60:]))
    assert scores[1] > scores[0]


def test_differences_of_views_have_one_size_in_every_direction(images):
    """The directions whiten what two views of a sample differ by, but for the floor."""
    views = ImageViews()
    network = prepared(images.repeat(20, 1, 1, 1), views)
    generator = new_generator(9)
    sides = [network(views(images.repeat(9, 1, 1, 1), generator)).hidden for _ in range(2)]
    within = (sides[0] - sides[1]).var(0)
    total = torch.cat(sides).var(0)
    assert within[:20].max() / within[:20].min() < 1.7  # the floor makes the last ones smaller
    assert within.max() < 1.5 * within[:20].mean()
    assert (total[:5] / within[:5]).min() > (total[-5:] / within[-5:]).max()


def test_directions_are_those_of_the_generalised_eigenproblem(images):
    from scipy.linalg import eigh

    network = prepared(images)
    codes = _scales(network.local_stage[0](images)).double()
    total = torch.cov(codes.T, correction=0).numpy()
    within = np.diag(np.diag(total)) + 0.3 * np.diag(total).mean() * np.eye(len(total))
    values = eigh(total, within, eigvals_only=True)[::-1]
    spread = network(images).hidden.double().var(0, correction=0).numpy()
    np.testing.assert_allclose(spread / spread.sum(), values / values.sum(), atol=1e-4)


def test_before_training_the_embedding_starts_from_the_best_directions(images):
    network = prepared(images)
    torch.nn.init.zeros_(network.hidden_stage.weight)
    encoding = network(images)
    direct = encoding.hidden[:, :6]
    expected = direct / direct.std(0, correction=0)
    torch.testing.assert_close(encoding.global_vector, expected, atol=1e-2, rtol=1e-2)


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
    assert directions == {40: [128] * 3, 1200: [300] * 3, 12_000: [2048, 3000, 3000]}
    assert [model.transform(images).shape[1] for model in models.values()] == [5 + 128] * 3
    epochs = {
        preset: plan_of_fit(model.set_params(max_epochs="auto"), None, 2000).epochs
        for preset, model in models.items()
    }
    assert epochs == {"fast": 6, "balanced": 12, "accurate": 18}
    chosen = DeepInfoMaxTransformer(
        5, preset="accurate", encoder="strided", max_epochs=1, random_state=0
    ).fit(images)
    assert chosen.transform(images).shape[1] == 5


def test_fewer_directions_are_the_first_ones(images):
    torch.manual_seed(0)
    every = prepared(images)
    few = PatchEncoder(7, n_directions=9, width=8).build(tuple(images.shape[1:]), 6).eval()
    prepare(few, images, None, new_generator(0))
    kept, first = few(images).hidden, every(images).hidden[:, :9]
    assert kept.shape[1] == 9
    kept, first = kept.abs() / kept.std(), first.abs() / first.std()
    torch.testing.assert_close(kept, first, atol=1e-3, rtol=1e-2)


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

"""The estimator: every kind of input, outputs, scores, going on, and bad input."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.special import expit
from sklearn import config_context
from sklearn.svm import LinearSVC
from skorch.callbacks import Callback
from torch import nn

from sk_infomax import DeepInfoMaxTransformer, ImageViews, InfoNCE, TorchEncoder
from sk_infomax._settings import plan_of_fit, rows_apart
from sk_infomax.encoders import ENCODERS
from sk_infomax.priors import NoisePrior


def fast(**settings):
    defaults = {"n_components": 8, "max_epochs": 2, "batch_size": 16, "random_state": 0}
    return DeepInfoMaxTransformer(**(defaults | settings))


def strided(**settings):
    """`fast` with the small network for images."""
    return fast(**({"encoder": "strided"} | settings))


def parts(encoder=ENCODERS["strided"], n_views=2):
    """As much of the parts as a plan asks for."""
    return SimpleNamespace(n_views=n_views, encoder=encoder())


def table(n=48, p=6):
    return np.random.RandomState(0).normal(size=(n, p)).astype(np.float32)


def standardised(images):
    """Grey images (n, 8, 8) as the encoder sees them: (n, 1, 8, 8)."""
    values = images.astype(np.float64)
    return torch.from_numpy((values - values.mean()) / values.std())[:, None].float()


def colour(digits, n=48):
    """Images (n, 8, 8, 3) of bytes."""
    grey = (digits[0][:n] * 15.9).astype(np.uint8)
    return np.stack([grey, grey // 2, 255 - grey], axis=-1)


# Inputs -------------------------------------------------------------------------------------


def test_rows_with_sample_shape_are_images(digits):
    images = digits[0][:60]
    one = strided().fit(images)
    rows = strided(sample_shape=(8, 8)).fit(images.reshape(60, -1))
    assert one.layout_.kind == rows.layout_.kind == "image"
    np.testing.assert_array_equal(one.transform(images), rows.transform(images.reshape(60, -1)))
    np.testing.assert_array_equal(one.transform(images), rows.transform(images))
    assert one.n_features_in_ == rows.n_features_in_ == 64


def test_both_orders_of_channels_are_one(digits):
    last = colour(digits)
    first = np.moveaxis(last, -1, 1)
    models = [strided().fit(last), strided().fit(first), strided(channels="first").fit(first)]
    features = [m.transform(x) for m, x in zip(models, (last, first, first))]
    np.testing.assert_array_equal(features[0], features[1])
    np.testing.assert_array_equal(features[0], features[2])


def test_bytes_and_floats_of_the_same_images_transform_alike(digits):
    images = colour(digits)
    model = strided().fit(images)
    assert model.transform(images).dtype == np.float32
    np.testing.assert_allclose(
        model.transform(images), model.transform(images.astype(np.float64)), atol=1e-5
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint8, np.int32, bool])
def test_types_of_tables(dtype):
    X = (10 * table() + 50).astype(dtype)
    out = fast().fit(X).transform(X)
    assert out.dtype == (np.float32 if np.can_cast(dtype, np.float32) else np.float64)
    assert np.isfinite(out).all()


def test_float32_and_float64_give_the_same_features():
    model = fast().fit(table())
    np.testing.assert_allclose(
        model.transform(table()), model.transform(table().astype(np.float64)), atol=1e-5
    )


def test_no_scaler_is_needed():
    shifted = table() * np.array([1e-3, 1, 1e3, 1e6, 1, 1]) + np.array([0, 5, -1e4, 0, 1e6, 0])
    plain, moved = fast().fit(table().astype(np.float64)), fast().fit(shifted)
    np.testing.assert_allclose(
        plain.transform(table().astype(np.float64)), moved.transform(shifted), atol=1e-2
    )


def test_series_with_channels(series):
    X, y = series
    model = fast(n_components=16, max_epochs=8).fit(X)
    assert model.layout_.kind == "series"
    features = model.transform(X)
    assert LinearSVC(C=0.1).fit(features[:80], y[:80]).score(features[80:], y[80:]) > 0.9


def test_rows_as_series_of_one_channel(series):
    rows = series[0][:, 0]
    model = fast(encoder="series").fit(rows)
    assert model.layout_.network_shape == (1, 40)
    assert model.transform(rows).shape == (120, 8 + 120)


def test_square_series_can_be_said_outright(digits):
    model = strided(encoder="series", channels="first").fit(digits[0][:40])
    assert model.layout_.network_shape == (8, 8)


def test_images_as_a_table(digits):
    assert strided(encoder="table").fit(digits[0][:40]).layout_.network_shape == (64,)


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_frames_of_numbers(library):
    module = pytest.importorskip(library)
    X = table().astype(np.float64)
    frame = module.DataFrame({f"c{i}": X[:, i] for i in range(6)})
    model = fast().fit(frame)
    if library == "pandas":  # scikit-learn reads the names of polars frames in some releases only
        assert list(model.feature_names_in_) == [f"c{i}" for i in range(6)]
    np.testing.assert_allclose(model.transform(frame), fast().fit(X).transform(X), atol=1e-6)


def test_memory_mapped_images_stream_to_the_same_features(digits, tmp_path):
    np.save(tmp_path / "x.npy", colour(digits))
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    resident = strided().fit(mapped)
    with config_context(working_memory=0):
        streamed = strided(num_workers=1).fit(mapped)
        score = streamed.score(mapped)
    np.testing.assert_array_equal(resident.transform(mapped), streamed.transform(mapped))
    assert score == resident.score(mapped)


def test_lists_of_numbers():
    assert fast().fit(table().tolist()).transform(table().tolist()).shape == (48, 8 + 48)


def test_users_array_is_left_alone(digits):
    images = digits[0][:40].copy()
    model = strided().fit(images)
    model.transform(images)
    np.testing.assert_array_equal(images, digits[0][:40])


# What it learns and gives -------------------------------------------------------------------


@pytest.mark.slow
def test_features_beat_raw_pixels_with_few_labels(digits):
    images, labels = digits
    model = strided(n_components=64, max_epochs=25, batch_size=64).fit(images)
    train, test = slice(0, 60), slice(60, None)

    def accuracy(features, C):
        probe = LinearSVC(C=C).fit(features[train], labels[train])
        return probe.score(features[test], labels[test])

    raw = images.reshape(len(images), -1) / 16
    assert accuracy(model.transform(images), 0.01) > max(accuracy(raw, C) for C in (0.01, 0.1, 1))


def test_depths_of_the_paper(digits):
    images = digits[0][:40]
    model = strided(encoder="basic28x28").fit(images)
    widths = {}
    for output in ("embedding", "hidden", "feature_map"):
        features = model.set_params(output=output).transform(images)
        assert len(model.get_feature_names_out()) == features.shape[1]
        widths[output] = features.shape[1]
    assert widths == {"embedding": 8, "hidden": 1024, "feature_map": 2 * 2 * 128}


def test_transform_depends_on_no_other_row_and_no_batch(digits):
    images = digits[0][:50].astype(np.float64)
    model = strided().fit(images)
    whole = model.transform(images)
    many = model.transform(np.tile(images, (170, 1, 1)))  # more than a batch holds
    np.testing.assert_allclose(many, np.tile(whole, (170, 1)), atol=1e-9)
    np.testing.assert_allclose(model.transform(images[7:8]), whole[7:8], atol=1e-9)


def test_score_is_held_out_nats_and_ignores_batch_size():
    rng = np.random.RandomState(0)
    signal = rng.normal(size=(600, 2))
    X = np.hstack([signal + 0.1 * rng.normal(size=(600, 2)) for _ in range(4)])
    model = fast(max_epochs=8).fit(X[:300])
    score = model.score(X[300:])
    assert 1.0 < score < InfoNCE().ceiling(300)
    assert model.set_params(batch_size=99).score(X[300:]) == score
    noise = fast(max_epochs=1, lr=1e-9).fit(X[:300])
    assert noise.score(X[300:]) < score


def test_score_is_the_weighted_mean_of_the_terms(digits):
    images = digits[0][:100]
    model = strided(local_weight=1.0, global_weight=3.0).fit(images)
    with torch.no_grad():
        nats = {k: v.item() for k, v in model.net_.module_.nats(standardised(images)).items()}
    expected = (nats["local"] + 3 * nats["global"]) / 4
    assert model.score(images) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(
    ("prior", "settings"),
    [
        pytest.param("uniform", {"encoder": "perceptron"}, marks=pytest.mark.nightly),
        pytest.param("uniform", {}, marks=pytest.mark.nightly),
        pytest.param("normal", {}, marks=pytest.mark.nightly),
    ],
)
def test_prior_brings_the_embedding_closer(prior, settings, digits):
    """Mean and spread of the (squashed) embedding move to those of the prior."""
    settings = {"encoder": "basic28x28", "max_epochs": 25} | settings
    settings |= {"n_components": 4, "views": 1}
    target = (0.5, 12**-0.5) if prior == "uniform" else (0.0, 1.0)
    images = digits[0][:150]

    def distance(weight):
        model = strided(**settings, output="embedding", prior=prior, prior_weight=weight).fit(
            images
        )
        features = model.transform(images)
        if prior == "uniform":
            features = expit(features)
        return (
            np.abs(features.mean(0) - target[0]).sum() + np.abs(features.std(0) - target[1]).sum()
        )

    assert distance(1.0) < distance(0.0)


def test_the_papers_settings_are_one_line(digits):
    for weights in ({"global_weight": 1.0, "local_weight": 0.0}, {"local_weight": 1.0}):
        model = strided(views=1, encoder="basic28x28", bound="jsd", prior="uniform", **weights).fit(
            digits[0][:60]
        )
        kind = "global" if "global_weight" in weights else "local"
        assert set(model.net_.weights) == {"prior", kind}


def test_epochs_follow_the_number_of_samples():
    def auto(n, name="strided"):
        model = DeepInfoMaxTransformer(batch_size=128)
        return plan_of_fit(model, parts(encoder=ENCODERS[name]), n).epochs

    assert auto(20) == 100
    assert 30 < auto(1500) < 100
    assert auto(60_000) == 2
    assert auto(10**6) == 2
    assert [auto(n, "image") for n in (20, 1500, 60_000, 10**6)] == [100, 10, 1, 1]
    assert [auto(n, "series") for n in (20, 1500, 60_000)] == [6, 6, 6]


def test_rows_of_large_data_are_met_in_part_where_most_is_found_before_training():
    def met(n, name, **settings):
        model = DeepInfoMaxTransformer(batch_size=128, **settings)
        rows = rows_apart(model, parts(encoder=ENCODERS[name]), n, 0)
        return [None if r is None else len(r) for r in rows]

    assert met(60_000, "strided") == [None, None]
    assert met(60_000, "image") == [100 * 128, None]
    assert met(60_000, "image", preset="balanced") == [200 * 128, None]
    assert met(60_000, "image", max_epochs=1) == [None, None]
    assert met(60_000, "image", early_stopping=True) == [100 * 128, 6000]
    assert met(500, "image") == [None, None]


def test_batches_follow_the_number_of_samples_and_views():
    def size(n, views=2, batch_size="auto"):
        model = DeepInfoMaxTransformer(batch_size=batch_size)
        return plan_of_fit(model, parts(n_views=views), n).batch_size

    assert size(4095) == 64
    assert size(4096) == 128
    assert size(4095, views=1) == 128
    assert size(4095, batch_size=50) == 50


def test_fits_and_passes_take_the_batches_of_the_plan():
    model = fast(views=2, batch_size="auto", max_epochs=1)
    assert len(model.fit(table(200)).history_[-1, "batches"]) == 200 // 64
    assert len(model.partial_fit(table(200)).history_[-1, "batches"]) == 200 // 64
    model.set_params(batch_size=50).partial_fit(table(200))
    assert len(model.history_[-1, "batches"]) == 4


def test_auto_epochs_make_the_steps_of_the_preset():
    """600 steps of 64 samples: 1,500 // 64 = 23 in an epoch, 27 epochs."""
    assert plan_of_fit(DeepInfoMaxTransformer(), parts(), 1500).epochs == 27
    auto = {"max_epochs": "auto", "batch_size": "auto"}
    assert fast(encoder="perceptron", **auto).fit(table(8)).n_iter_ == 100
    assert fast(**auto).fit(table(8)).n_iter_ == 6


# Going on -----------------------------------------------------------------------------------


def test_partial_fit_goes_on_and_learns_the_scale():
    pieces = np.array_split(table(90) * 3 + 2, 3)
    model = fast(encoder="perceptron")
    for number, piece in enumerate(pieces, start=1):
        assert model.partial_fit(piece) is model
        assert model.n_iter_ == number
    whole = np.concatenate(pieces).astype(np.float64)
    seen = torch.from_numpy((whole - whole.mean(0)) / whole.std(0)).float()
    with torch.no_grad():
        expected = model.net_.module_.encoder.eval()(seen).global_vector
    np.testing.assert_allclose(model.transform(whole), expected, atol=1e-4)


def test_fit_starts_anew_and_warm_start_goes_on():
    model = fast().fit(table())
    first = model.transform(table())
    np.testing.assert_array_equal(model.fit(table()).transform(table()), first)
    assert model.n_iter_ == 2
    model.set_params(warm_start=True, max_epochs=3, lr=1e-4).fit(table())
    assert model.n_iter_ == 5
    assert model.net_.lr == 1e-4
    assert model.history_[-1]["train_loss"] < model.history_[0]["train_loss"]


def test_warm_start_refuses_samples_of_another_shape():
    model = fast(warm_start=True).fit(table())
    with pytest.raises(ValueError, match="features"):
        model.fit(table(p=7))


def test_a_fit_replaces_all_that_was_learned(digits):
    model = fast(output="embedding").fit(table()).fit(digits[0][:40])
    assert model.layout_.kind == "image"
    assert model.transform(digits[0][:3]).shape == (3, 8)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
def test_cuda_fits_and_loads_on_the_cpu(digits, tmp_path):
    images = digits[0][:60]
    model = strided(device="cuda").fit(images)
    assert next(model.net_.module_.parameters()).is_cuda
    model.save(tmp_path / "model")
    loaded = DeepInfoMaxTransformer.load(tmp_path / "model", device="cpu")
    np.testing.assert_allclose(loaded.transform(images), model.transform(images), atol=1e-3)


# Bad input ----------------------------------------------------------------------------------


class NoStep(Callback):
    """Fails at the first step."""

    def on_grad_computed(self, net, **kwargs):
        raise AssertionError("there was a step")


class Flat(nn.Module):
    def forward(self, x):
        return x.flatten()


def with_value(value):
    X = table().astype(np.float64)
    X[3, 2] = value
    return X


@pytest.mark.parametrize(
    ("settings", "X", "message"),
    [
        ({}, with_value(np.nan), "NaN"),
        ({}, with_value(np.inf), "infinity"),
        ({}, np.full((10, 8, 8), np.nan), "NaN"),
        ({}, np.empty((0, 4)), "0 sample"),
        ({}, np.empty((5, 0)), "0 feature"),
        ({}, np.empty((5, 0, 4)), "nothing in them"),
        ({}, table(1), "minimum of 2"),
        ({}, np.zeros((1, 8, 8)), "minimum of 2"),
        ({}, np.zeros(9), "1D array"),
        ({}, np.array([["a", "b"], ["c", "d"]]), "could not convert string"),
        ({}, np.zeros((4, 2, 2, 2, 2)), "do not fit any encoder"),
        ({"sample_shape": (7, 9)}, np.zeros((5, 64)), r"63 values.*64 features"),
        ({"sample_shape": (4, 4)}, np.zeros((5, 8, 8)), "contradicts X"),
        ({"sample_shape": (8.5, 8)}, np.zeros((5, 64)), "positive integers"),
        ({"encoder": "image"}, np.zeros((5, 64)), r"sample_shape=\(28, 28\)"),
        ({"encoder": "basic64x64"}, np.zeros((5, 8, 8)), "16x16 pixels or more and got"),
        ({"encoder": "imagee"}, table(), "did you mean 'image'"),
        ({"bound": "infoNCE"}, table(), "did you mean 'infonce'"),
        ({"critic": "dots"}, table(), "did you mean 'dot'"),
        ({"prior": "gaussian"}, table(), "use one of 'uniform', 'normal'|did you mean"),
        ({"augmentation": "images"}, table(), "did you mean 'image'"),
        ({"optimizer": "adamm"}, table(), "did you mean 'adam"),
        ({"batch_size": 1}, table(), r"'batch_size' parameter .*\[2, inf\).*Got 1"),
        ({"n_components": 0}, table(), "'n_components' parameter"),
        ({"lr": -1.0}, table(), "'lr' parameter"),
        ({"local_weight": 0.0}, table(), "nothing to maximise"),
        ({"views": 2, "augmentation": None}, table(), "two equal views"),
        ({"augmentation": ImageViews(crop=1.5)}, table(), "'crop' parameter of ImageViews"),
        ({"encoder": TorchEncoder(Flat())}, table(), "must return the pair"),
        ({"device": "gpu"}, table(), "device='gpu'"),
        ({"early_stopping": True, "validation_fraction": 0.9}, table(5), "too few to train"),
    ],
)
def test_one_clear_error_before_training(settings, X, message):
    with pytest.raises(ValueError, match=message):
        fast(**settings, callbacks=[NoStep()]).fit(X)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"encoder": dict}, "instance of a Encoder"),
        ({"optimizer": dict}, r"no torch\.optim\.Optimizer"),
        ({"critic": nn.ReLU}, "instance of a Critic"),
    ],
)
def test_parts_of_the_wrong_family(settings, message):
    with pytest.raises(TypeError, match=message):
        fast(**settings).fit(table())


def test_objects_that_are_no_numbers():
    X = np.array([[1.0, {"a": 1}], [2.0, 3.0]], dtype=object)
    with pytest.raises(TypeError, match="number"):
        fast().fit(X)


def test_other_samples_at_transform(digits):
    model = strided().fit(digits[0][:40])
    with pytest.raises(ValueError, match=r"shape \(7, 8\).*fitted on samples of shape \(8, 8\)"):
        model.transform(np.zeros((3, 7, 8)))
    with pytest.raises(ValueError, match="63 features"):
        model.transform(np.zeros((3, 63)))
    with pytest.raises(ValueError, match="minimum of 2"):
        model.score(digits[0][:1])


@pytest.mark.parametrize("method", ["transform", "score", "get_feature_names_out"])
def test_before_the_fit(method):
    from sklearn.exceptions import NotFittedError

    arguments = () if method == "get_feature_names_out" else (table(),)
    with pytest.raises(NotFittedError):
        getattr(fast(), method)(*arguments)


# Coordinates and occlusion ---------------------------------------------------------------------


def kinds_and_data():
    """Each kind of coordinates, and data of each kind, once; other pairs are for nights."""
    for i, kind in enumerate(["absolute", "relative", "both"]):
        for j, data in enumerate(["table", "series", "images"]):
            yield pytest.param(kind, data, marks=() if i == j else pytest.mark.nightly)


@pytest.mark.parametrize(("kind", "data"), list(kinds_and_data()))
def test_coordinates_are_learned_and_in_the_history(kind, data, digits):
    images = digits[0][:160]
    X = {"images": images, "table": images.reshape(-1, 64), "series": images}[data]
    encoder = {"images": "strided", "table": "perceptron", "series": "convolutions"}[data]
    model = strided(encoder=encoder, coordinates=kind, max_epochs=4, channels="first").fit(X)
    values = [row["train_coordinates"] for row in model.history_]
    assert values[0] < values[-1] < 0
    assert model.net_.weights["coordinates"] == 1.0
    assert model.transform(X).shape == (len(X), model.n_components)


def test_occlusion_is_for_the_global_vector_alone(digits):
    """Where the locals are seen whole and the global is not, the local map is not touched."""
    model = strided(occlusion=0.9, max_epochs=1).fit(digits[0])
    module = model.net_.module_.eval()
    batch = standardised(digits[0])[:32]
    whole, apart = module._encode(batch, torch.Generator().manual_seed(0))
    module.occlusion = None
    plain, plain_apart = module._encode(batch, torch.Generator().manual_seed(0))
    torch.testing.assert_close(whole.local_map, plain.local_map)
    torch.testing.assert_close(whole.global_vector, plain.global_vector)
    given, plainly_given = apart.given[0], plain_apart.given[0]
    torch.testing.assert_close(given.local_map, plainly_given.local_map)
    assert not torch.allclose(given.global_vector, plainly_given.global_vector)


def test_occlusion_hides_nothing_from_transform(digits):
    model = strided(occlusion=0.5, max_epochs=1).fit(digits[0])
    encoder = model.net_.module_.encoder.eval()
    with torch.no_grad():
        vectors = encoder(standardised(digits[0])[:9]).global_vector
    np.testing.assert_allclose(
        model.transform(digits[0][:9].astype(np.float32)), vectors, atol=1e-5
    )


@pytest.mark.nightly
def test_noise_limits_the_information(digits):
    """Through a noisy channel the score cannot be above its capacity."""
    images, prior = digits[0][:150], NoisePrior(noise=2.0)
    clear = strided(n_components=2, max_epochs=12).fit(images)
    noisy = strided(n_components=2, max_epochs=12, prior=prior).fit(images)
    assert noisy.score(images) < prior.capacity(2) + 0.1 < clear.score(images)

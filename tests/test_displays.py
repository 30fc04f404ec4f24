"""Displays draw what they say, from data of every kind, and refuse what they can't draw."""

import importlib
import subprocess
import sys

import numpy as np
import pytest
from sklearn.datasets import load_digits, load_iris
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError

from sk_infomax import DeepInfoMaxTransformer, MutualInfoEstimator, mutual_info_scores
from sk_infomax.displays import (
    EmbeddingDisplay,
    InformationDisplay,
    InformationMatrixDisplay,
    LabelEfficiencyDisplay,
    LocalInformationDisplay,
    NeighborsDisplay,
    PriorDisplay,
    TrainingDisplay,
)
from sk_infomax.evaluation import Comparison, label_efficiency, local_information

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
plt = importlib.import_module("matplotlib.pyplot")

IMAGES, DIGITS = load_digits(return_X_y=True)
IMAGES, DIGITS = IMAGES[:200].reshape(-1, 8, 8), DIGITS[:200]
SERIES = np.cumsum(np.random.RandomState(0).normal(size=(40, 2, 60)), 2)
FEW = {"n_components": 16, "max_epochs": 2, "random_state": 0}


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def of_images():
    model = DeepInfoMaxTransformer(encoder="strided", prior="normal", early_stopping=True, **FEW)
    return model.fit(IMAGES)


@pytest.fixture(scope="module")
def of_series():
    return DeepInfoMaxTransformer(encoder="convolutions", **FEW).fit(SERIES)


@pytest.fixture(scope="module")
def of_table():
    return DeepInfoMaxTransformer(encoder="perceptron", **FEW).fit(load_iris().data)


def drawn(display):
    """The picture as pixels, after everything was laid out."""
    figure = display.figure_
    figure.canvas.draw()
    return np.asarray(figure.canvas.buffer_rgba())


@pytest.mark.nightly
def test_importing_displays_does_not_import_matplotlib():
    code = "import sys, sk_infomax.displays; assert 'matplotlib' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_without_matplotlib_the_error_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r"sk_infomax\[plot\]"):
        EmbeddingDisplay.from_features(np.eye(4))


# Training ---------------------------------------------------------------------------------------


def test_curves_are_those_of_the_history_in_nats(of_images):
    display = TrainingDisplay.from_estimator(of_images)
    assert set(display.curves) == {"train local", "valid local"}
    found = [row["train_local_nats"] for row in of_images.history_]
    np.testing.assert_array_equal(display.curves["train local"], found)
    losses = [row["valid_loss"] for row in of_images.history_]
    assert display.best_epoch == np.argmin(losses) + 1
    assert len(display.ax_.lines) == 3
    drawn(display)


def test_axes_may_be_given(of_series):
    ax = plt.figure().subplots()
    display = TrainingDisplay.from_estimator(of_series, ax=ax)
    assert display.ax_ is ax
    assert display.best_epoch is None
    assert display.plot().ax_ is not ax


def test_what_is_not_fitted_has_no_history():
    with pytest.raises(NotFittedError):
        TrainingDisplay.from_estimator(DeepInfoMaxTransformer())


# Maps -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "target", [None, DIGITS, DIGITS.astype(str), IMAGES.mean((1, 2)), DIGITS % 2 == 0]
)
def test_maps_take_labels_numbers_and_neither(of_images, target):
    display = EmbeddingDisplay.from_estimator(of_images, IMAGES, target)
    assert display.points.shape == (200, 2)
    groups = 1 if target is None or target.dtype.kind == "f" else len(np.unique(target))
    assert len(display.ax_.collections) == groups
    drawn(display)


def test_maps_are_principal_components():
    features = np.random.RandomState(0).normal(size=(30, 4)) * [9, 3, 1, 1]
    points = EmbeddingDisplay.from_features(features).points
    np.testing.assert_allclose(np.abs(points), np.abs(PCA(2).fit_transform(features)))


def test_a_single_column_can_be_drawn():
    drawn(EmbeddingDisplay.from_features(np.arange(5.0)[:, None]))


@pytest.mark.parametrize(
    ("features", "y", "how", "match"),
    [
        (np.eye(2), None, {}, "3 samples"),
        (np.eye(4), [1, 2], {}, "y has 2 values for 4"),
        (np.eye(4), None, {"method": "tsne"}, "method='tsne'"),
    ],
)
def test_maps_refuse_what_they_cannot_draw(features, y, how, match):
    with pytest.raises(ValueError, match=match):
        EmbeddingDisplay.from_features(features, y, **how)


def test_a_package_that_is_not_there_is_named(monkeypatch):
    monkeypatch.setattr("sk_infomax.displays._embedding.find_spec", lambda name: None)
    with pytest.raises(ImportError, match="pip install openTSNE"):
        EmbeddingDisplay.from_features(np.eye(4), method="opentsne")


# Places -----------------------------------------------------------------------------------------


def test_local_information_against_loops(of_images):
    import torch

    found = local_information(of_images, IMAGES[:5])
    net, layout = of_images.net_.module_.eval(), of_images.layout_
    batch = of_images._fitted.scaling.apply(IMAGES[:5])
    with torch.no_grad():
        encoding = net.encoder(batch)
        scores = net.terms["local"].critic(encoding.global_vector, encoding.local_map).numpy()
    assert layout.kind == "image"
    for sample in range(5):
        for place in range(scores.shape[2]):
            column = scores[sample, :, place]
            expected = column[sample] - np.log(np.mean(np.exp(column)))
            assert found[sample].ravel()[place] == pytest.approx(expected, abs=1e-5)


def test_local_information_is_capped_and_means_what_the_score_means(of_images):
    found = local_information(of_images, IMAGES)
    assert found.max() <= np.log(200)
    assert found.mean() > 0
    shuffled = np.random.RandomState(0).permutation(200)
    again = local_information(of_images, IMAGES[shuffled])
    np.testing.assert_allclose(again, found[shuffled], atol=1e-4)


@pytest.mark.parametrize("context", ["blocks", "cpc"])
def test_local_information_of_several_vectors(context):
    model = DeepInfoMaxTransformer(encoder="strided", context=context, views=1, **FEW)
    found = local_information(model.fit(IMAGES[:50]), IMAGES[:20])
    assert found.ndim == 3
    assert np.isfinite(found).all()


def test_places_of_images_and_series_are_drawn(of_images, of_series):
    display = LocalInformationDisplay.from_estimator(of_images, IMAGES, samples=[3, -1])
    assert display.axes_.shape == (2, 2)
    np.testing.assert_array_equal(display.samples[:, 0], IMAGES[[3, -1]])
    drawn(display)
    display = LocalInformationDisplay.from_estimator(of_series, SERIES)
    assert display.samples.shape == (8, 2, 60)
    drawn(display)


def test_tables_have_no_places(of_table):
    with pytest.raises(ValueError, match="images or series"):
        LocalInformationDisplay.from_estimator(of_table, load_iris().data)


def test_places_need_a_critic_of_local_maps():
    model = DeepInfoMaxTransformer(encoder="strided", local_weight=0, global_weight=1, **FEW)
    with pytest.raises(ValueError, match="local_weight=0"):
        local_information(model.fit(IMAGES[:50]), IMAGES[:20])


@pytest.mark.parametrize("samples", [[200], [], [0.5]])
def test_samples_have_to_be_there(of_images, samples):
    with pytest.raises(ValueError, match="samples="):
        LocalInformationDisplay.from_estimator(of_images, IMAGES, samples=samples)


# Neighbours -------------------------------------------------------------------------------------


def test_neighbours_are_the_nearest_others(of_images):
    display = NeighborsDisplay.from_estimator(of_images, IMAGES, queries=[0, 5], n_neighbors=3)
    features = of_images.transform(IMAGES)
    for query, near in zip((0, 5), display.neighbors):
        distances = np.linalg.norm(features - features[query], axis=1)
        distances[query] = np.inf
        np.testing.assert_allclose(distances[near], np.sort(distances)[:3], rtol=1e-4)
    np.testing.assert_array_equal(display.samples[1, 0, 0], IMAGES[5])
    assert display.axes_.shape == (2, 4)
    drawn(display)


def test_equal_samples_are_neighbours_of_each_other(of_images):
    display = NeighborsDisplay.from_estimator(
        of_images, np.repeat(IMAGES[:4], 3, 0), queries=[1], n_neighbors=2
    )
    assert set(display.neighbors[0]) == {0, 2}


def test_neighbours_of_series(of_series):
    drawn(NeighborsDisplay.from_estimator(of_series, SERIES, n_neighbors=2))


def test_neighbours_refuse_tables_and_too_few(of_images, of_table):
    with pytest.raises(ValueError, match="images and series"):
        NeighborsDisplay.from_estimator(of_table, load_iris().data)
    with pytest.raises(ValueError, match="1 to 4 for 5"):
        NeighborsDisplay.from_estimator(of_images, IMAGES[:5])


# Labels, columns, priors ------------------------------------------------------------------------


def test_curves_of_labels():
    X, y = IMAGES.reshape(200, -1), DIGITS
    parts = X[:150], y[:150], X[150:], y[150:]
    methods = {"raw": None, "PCA": PCA(10).fit(X[:150])}
    display = LabelEfficiencyDisplay.from_estimators(methods, *parts, n_labels=(1, 5), n_draws=2)
    expected = label_efficiency(methods["PCA"], *parts, (1, 5), n_draws=2)
    assert display.curves["PCA"] == expected
    assert [line.get_label() for line in display.ax_.lines] == ["raw", "PCA"]
    drawn(display)
    with pytest.raises(ValueError, match="estimators is empty"):
        LabelEfficiencyDisplay.from_estimators({}, *parts)


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_curves_of_a_comparison_are_its_scores_with_few_labels(task):
    rng = np.random.RandomState(0)
    scores, n_labels = rng.rand(2, 3, 4), (20, None, 5)
    scoring = "accuracy" if task == "classification" else "r2"
    found = Comparison(
        ("raw", "ours"), n_labels, scores, np.ones((2, 4)), np.ones(2, int), 0.3, scoring, task
    )
    display = LabelEfficiencyDisplay.from_comparison(found)
    factor = 100 if task == "classification" else 1
    for line, own in zip(display.ax_.lines, scores):
        np.testing.assert_array_equal(line.get_xdata(), [5, 20])
        np.testing.assert_allclose(line.get_ydata(), factor * own[[2, 0]].mean(1))
    assert ("%" in display.ax_.get_ylabel()) == (task == "classification")
    assert ("class" in display.ax_.get_xlabel()) == (task == "classification")
    drawn(display)


def test_a_comparison_with_all_labels_alone_makes_no_curve():
    scores = np.full((1, 1, 3), 0.5)
    found = Comparison(
        ("raw",),
        (None,),
        scores,
        np.ones((1, 3)),
        np.ones(1, int),
        0.5,
        "accuracy",
        "classification",
    )
    with pytest.raises(ValueError, match=r"n_labels=\(None,\) of the comparison"):
        LabelEfficiencyDisplay.from_comparison(found)


def test_bars_are_scores_with_their_intervals():
    X, y = load_iris(return_X_y=True, as_frame=True)
    order = np.random.RandomState(0).permutation(150)
    X, y = X.iloc[order], y.iloc[order]
    display = InformationDisplay.from_columns(X, y)
    scores, ends = mutual_info_scores(X, y, return_interval=True)
    np.testing.assert_array_equal(display.scores, np.asarray(scores).ravel())
    np.testing.assert_array_equal(display.intervals, np.asarray(ends))
    lengths = [bar.get_width() for bar in display.ax_.patches]
    np.testing.assert_allclose(lengths, np.sort(display.scores))
    said = [label.get_text() for label in display.ax_.get_yticklabels()]
    assert said[-1] == X.columns[display.scores.argmax()]
    drawn(display)


def test_bars_of_an_infinite_end():
    drawn(InformationDisplay(np.array([0.5, 1.0]), np.array([[0.2, 0.7], [0.4, np.inf]])).plot())


def test_matrices_hide_what_columns_tell_of_themselves():
    X, _ = load_iris(return_X_y=True, as_frame=True)
    order = np.random.RandomState(0).permutation(150)
    display = InformationMatrixDisplay.from_columns(X.iloc[order])
    shown = display.ax_.images[0].get_array()
    assert np.isnan(np.ma.filled(shown, np.nan).diagonal()).all()
    assert len(display.ax_.texts) == 12
    drawn(display)
    assert len(InformationMatrixDisplay(np.ones((3, 3))).plot().ax_.texts) == 6


def test_priors(of_images):
    model = DeepInfoMaxTransformer(encoder="strided", output="multiscale", **FEW)
    model.fit(IMAGES[:50])
    with pytest.raises(ValueError, match='output="embedding"'):
        PriorDisplay.from_estimator(model, IMAGES[:50])
    display = PriorDisplay.from_estimator(of_images, IMAGES, "normal")
    assert display.quantiles.shape == display.expected.shape == (16, 100)
    drawn(display)
    rng = np.random.RandomState(0)
    near = PriorDisplay.from_embedding(rng.normal(size=(2000, 3)), "normal").distances
    far = PriorDisplay.from_embedding(rng.normal(size=(2000, 3)) + 1, "normal").distances
    assert near.max() < 0.05
    assert far.min() > 0.2
    with pytest.raises(ValueError, match="prior='gamma'"):
        PriorDisplay.from_embedding(np.eye(3), "gamma")


def test_what_has_no_history_is_refused_by_name():
    estimator = MutualInfoEstimator(max_steps=1, cv=2).fit(
        np.arange(9)[:, None] % 4.5, np.arange(9)
    )
    with pytest.raises(TypeError, match="got a MutualInfoEstimator, which keeps none"):
        TrainingDisplay.from_estimator(estimator)

"""Probes and criteria: closed forms, and use with any transformer."""

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal, norm
from sklearn.base import BaseEstimator
from sklearn.cluster import FeatureAgglomeration
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from sk_infomax import DeepInfoMaxTransformer
from sk_infomax.bounds import JensenShannon
from sk_infomax.critics import GatedCritic
from sk_infomax.evaluation import (
    MEASURES,
    PROBES,
    PerceptronClassifier,
    alignment,
    evaluate_representation,
    label_efficiency,
    mine,
    neural_dependency,
    probe,
    probe_layers,
    probe_score,
    rank_me,
    uniformity,
)
from sk_infomax.information._total_correlation import DependenceModel, gaussian_total_correlation


@pytest.fixture(scope="module")
def parts():
    X, y = load_digits(return_X_y=True)
    return X[:400], y[:400], X[600:900], y[600:900]


@pytest.mark.parametrize("kind", PROBES)
def test_probes_of_any_transformer(kind, parts):
    transformer = PCA(20, random_state=0).fit(parts[0])
    rows, floor = (99, 0.5) if kind == "mlp" else (400, 0.8)
    parts = [part[:rows] for part in parts]
    result = probe(transformer, *parts, kind)
    assert floor < result.accuracy <= 1
    assert result.settings[0] in PROBES[kind][1]
    features = transformer.transform(parts[0]), transformer.transform(parts[2])
    again = probe(None, features[0], parts[1], features[1], parts[3], kind)
    assert again == result


def test_seeds_give_a_spread(parts):
    X, y, X_test, y_test = parts
    result = probe(None, X[:99], y[:99], X_test, y_test, "mlp", n_seeds=2)
    assert result.std > 0
    assert len(result.settings) == 2


def test_test_samples_choose_nothing(parts):
    """The setting depends on the training samples alone."""
    X, y, X_test, y_test = parts
    plain = probe(None, *parts, "svm")
    other = probe(None, X, y, X_test[::-1], (y_test + 1) % 10, "svm")
    assert plain.settings == other.settings
    assert other.accuracy < 0.3


def test_few_labels_of_the_perceptron(parts):
    """Whose setting is a weight decay, which 1.0 would be far too much of."""
    curve = label_efficiency(None, *parts, n_labels=(5,), kind="mlp", n_draws=1)
    assert curve[5].settings == (0.0,)
    assert curve[5].accuracy > 0.7


# The perceptron ---------------------------------------------------------------------------------


@parametrize_with_checks([PerceptronClassifier(max_steps=40, random_state=0)])
def test_perceptron_is_a_classifier(estimator, check):
    check(estimator)


def test_perceptron_is_the_papers():
    """One hidden layer of rectified units: along a line, a unit bends the log odds once."""
    settings = PerceptronClassifier().get_params()
    assert (settings["hidden"], settings["dropout"]) == (200, 0.1)
    X = np.random.RandomState(0).normal(size=(300, 1))
    model = PerceptronClassifier(2, max_steps=300, random_state=0).fit(X, abs(X[:, 0]) > 0.5)
    odds = model.predict_proba(np.linspace(-3, 3, 601)[:, None])
    bends = abs(np.diff(np.log(odds[:, 0] / odds[:, 1]), 2)) > 1e-4
    # A bend between two points of the grid shows in both differences that see it.
    assert 1 <= bends.sum() <= 2 * 2


def test_perceptron_learns_what_no_line_parts():
    rng = np.random.RandomState(0)
    X = rng.normal(size=(800, 2)) + 100
    y = np.where(((X - 100) ** 2).sum(1) > 1.4, "out", "in")
    model = PerceptronClassifier(random_state=0).fit(X[:600], y[:600])
    assert model.score(X[600:], y[600:]) > 0.95
    assert model.n_steps_ < model.max_steps
    probabilities = model.predict_proba(X[600:])
    np.testing.assert_allclose(probabilities.sum(1), 1)
    assert (model.classes_[probabilities.argmax(1)] == model.predict(X[600:])).all()


def test_perceptron_keeps_the_weights_that_did_best():
    """Labels that nothing tells: whatever it learns by heart, it must not keep."""
    rng = np.random.RandomState(0)
    X, y = rng.normal(size=(400, 50)), rng.randint(2, size=400)
    doubt = PerceptronClassifier(random_state=0).fit(X, y)
    assert doubt.n_steps_ < 400
    assert log_loss(y, doubt.predict_proba(X)) > 0.45
    few = PerceptronClassifier(random_state=0, lr=0.01).fit(X[:99], y[:99])
    assert few.n_steps_ == 400
    assert log_loss(y[:99], few.predict_proba(X[:99])) < 0.01


def test_perceptron_does_not_polish_what_is_certain():
    """Two far clouds: the cross-entropy goes on falling for ever, by less and less."""
    rng = np.random.RandomState(0)
    y = rng.randint(2, size=300)
    X = rng.normal(size=(300, 2)) + 20 * y[:, None]
    settings = {"max_steps": 600, "random_state": 0}
    assert PerceptronClassifier(**settings).fit(X, y).n_steps_ < 400
    assert PerceptronClassifier(tol=0.0, **settings).fit(X, y).n_steps_ == 600


def test_perceptron_leaves_global_generators_alone(parts):
    X, y = parts[0][:100], parts[1][:100]
    state = torch.get_rng_state(), np.random.get_state()[1].copy()
    first = PerceptronClassifier(random_state=1, max_steps=20).fit(X, y).predict_proba(X)
    assert torch.equal(state[0], torch.get_rng_state())
    assert (state[1] == np.random.get_state()[1]).all()
    torch.manual_seed(9)
    again = PerceptronClassifier(random_state=1, max_steps=20).fit(X, y).predict_proba(X)
    assert (first == again).all()
    other = PerceptronClassifier(random_state=2, max_steps=20).fit(X, y).predict_proba(X)
    assert (first != other).any()


def test_perceptron_of_one_class():
    with pytest.raises(ValueError, match="y has one class only, 3"):
        PerceptronClassifier().fit(np.eye(3), [3, 3, 3])


# Layers -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def small(parts):
    dim = DeepInfoMaxTransformer(
        8, encoder="strided", output="embedding", sample_shape=(8, 8), max_epochs=1, random_state=0
    )
    return dim.fit(parts[0].astype(np.float32))


def test_layers_are_probed_as_if_one_by_one(small, parts):
    results = probe_layers(small, *parts, "knn", outputs=("hidden", "embedding"))
    assert small.output == "embedding"
    assert results["embedding"] == probe(small, *parts, "knn")
    hidden = small.set_params(output="hidden").transform(parts[0]), small.transform(parts[2])
    small.set_params(output="embedding")
    assert results["hidden"] == probe(None, hidden[0], parts[1], hidden[1], parts[3], "knn")
    assert results["hidden"] != results["embedding"]


def test_layers_in_a_pipeline(parts):
    parts = [part[:100] for part in parts]
    line = make_pipeline(
        StandardScaler(),
        DeepInfoMaxTransformer(4, encoder="strided", sample_shape=(8, 8), max_epochs=1),
    ).fit(parts[0])
    line[-1].output = "hidden"
    results = probe_layers(line, *parts, "knn")
    assert list(results) == ["feature_map", "hidden", "embedding"]
    assert line[-1].output == "hidden"


def test_estimator_is_as_it_was_after_an_error(small, parts):
    with pytest.raises(ValueError, match="X has 9 features"):
        probe_layers(small, parts[0][:, :9], parts[1], parts[2], parts[3], "knn")
    assert small.output == "embedding"
    with pytest.raises(ValueError, match="outputs has 'hid', no layer: did you mean 'hidden'"):
        probe_layers(small, *parts, "knn", outputs=("hid",))
    with pytest.raises(TypeError, match="PCA has no parameter output"):
        probe_layers(PCA(2), *parts, "knn")


# Curves of labels -------------------------------------------------------------------------------


def test_few_labels(parts):
    curve = label_efficiency(None, *parts, n_labels=(1, 5, 20))
    accuracies = [curve[n].accuracy for n in (1, 5, 20)]
    assert accuracies == sorted(accuracies)
    assert accuracies[0] < 0.7 < accuracies[2]
    with pytest.raises(ValueError, match="n_labels=1000 is more than"):
        label_efficiency(None, *parts, n_labels=(1000,))


def test_unknown_probe_and_lengths(parts):
    with pytest.raises(ValueError, match=r"kind='tree' is unknown: .*'svm'"):
        probe(None, *parts, "tree")
    with pytest.raises(ValueError, match=r"X_train has 1?\d+ samples and y_train \d+ labels"):
        probe(None, parts[0], parts[1][:-1], parts[2], parts[3])


def test_rank_of_known_features():
    rng = np.random.RandomState(0)
    basis = np.linalg.qr(rng.normal(size=(200, 8)))[0]
    assert rank_me(None, basis) == pytest.approx(8)
    assert rank_me(None, np.outer(rng.normal(size=200), np.ones(8))) == pytest.approx(1, abs=1e-6)
    assert rank_me(None, basis * [1, 1, 1, 1, 0, 0, 0, 0]) == pytest.approx(4, abs=1e-6)


def test_uniformity_and_alignment_are_the_loops():
    rng = np.random.RandomState(0)
    Z, W = rng.normal(size=(20, 3)), rng.normal(size=(20, 3))
    unit, other = (A / np.linalg.norm(A, axis=1, keepdims=True) for A in (Z, W))
    total = [
        np.exp(-2 * ((unit[i] - unit[j]) ** 2).sum()) for i in range(20) for j in range(i + 1, 20)
    ]
    assert uniformity(None, Z) == pytest.approx(-np.log(np.mean(total)))
    assert uniformity(None, np.ones((9, 3))) == pytest.approx(0.0)
    distances = [((unit[i] - other[i]) ** 2).sum() for i in range(20)]
    assert alignment(None, Z, W) == pytest.approx(-np.mean(distances))
    assert alignment(None, Z, 5 * Z) == pytest.approx(0.0)


@pytest.mark.parametrize("criterion", [rank_me, uniformity, probe_score])
def test_criteria_choose_in_a_grid_search(criterion, parts):
    search = GridSearchCV(PCA(random_state=0), {"n_components": [2, 16]}, scoring=criterion, cv=2)
    assert search.fit(parts[0], parts[1]).best_params_ == {"n_components": 16}


def test_criteria_of_our_transformer_in_a_pipeline(parts):
    line = make_pipeline(
        StandardScaler(),
        DeepInfoMaxTransformer(8, encoder="strided", sample_shape=(8, 8), max_epochs=2),
    )
    scores = cross_val_score(line, parts[0][:200], parts[1][:200], scoring=probe_score, cv=2)
    assert (scores > 0.3).all()
    assert 1 <= rank_me(line.fit(parts[0][:200]), parts[2]) <= 8


class Counted(PCA):
    """Counts how often it transforms."""

    calls = 0

    def transform(self, X):
        self.calls += 1
        return super().transform(X)


def test_one_call_gives_the_row_of_the_functions(parts):
    parts = *parts[:2], parts[2][:40], parts[3][:40]
    transformer = Counted(2, random_state=0).fit(parts[0])
    case = {"probes": ("knn",), "measures": ("rank_me", "uniformity"), "n_seeds": 2}
    row = evaluate_representation(transformer, *parts, **case)
    assert transformer.calls == 2, "each array is transformed once"
    assert row["knn"] == probe(transformer, *parts, "knn", n_seeds=2).accuracy
    assert row["rank_me"] == rank_me(transformer, parts[2])
    assert row["uniformity"] == uniformity(transformer, parts[2])
    assert set(row) == {"knn", "knn_std", "rank_me", "uniformity"}


class Turned(BaseEstimator):
    """Two random directions, of which only the seed tells."""

    def __init__(self, random_state=None):
        self.random_state = random_state

    def fit(self, X, y=None):
        assert y is None
        self.n_seen_ = len(X)
        self.directions_ = np.random.RandomState(self.random_state).normal(size=(X.shape[1], 2))
        return self

    def transform(self, X):
        return X @ self.directions_


def test_a_row_may_repeat_the_training(parts):
    given = make_pipeline(Turned(random_state=7))
    case = {"probes": ("knn",), "measures": ("rank_me",)}
    row = evaluate_representation(given, *parts, **case, n_seeds=3, refit=True, random_state=5)
    again = evaluate_representation(given, *parts, **case, n_seeds=3, refit=True, random_state=5)
    assert row == again
    assert not hasattr(given[0], "directions_")
    assert given[0].random_state == 7
    singles = []
    for seed in np.random.RandomState(5).randint(2**31 - 1, size=3).tolist():
        model = Turned(seed).fit(parts[0])
        singles.append(evaluate_representation(model, *parts, **case, random_state=seed))
    for name in ("knn", "rank_me"):
        found = [single[name] for single in singles]
        assert len(set(found)) > 1
        assert row[name] == pytest.approx(np.mean(found))
        assert row[f"{name}_std"] == pytest.approx(np.std(found))
    assert list(row) == ["knn", "knn_std", "rank_me", "rank_me_std"]


def test_trainings_may_see_samples_without_labels(parts, monkeypatch):
    seen = []
    monkeypatch.setitem(MEASURES, "seen", lambda t, *rest: seen.append(t.transformer.n_seen_) or 0)
    case = {"probes": (), "measures": ("seen",), "refit": True}
    evaluate_representation(Turned(), *parts, **case)
    evaluate_representation(Turned(), *parts, **case, X_unlabelled=np.concatenate([parts[0]] * 2))
    assert seen == [len(parts[0]), 2 * len(parts[0])]


@pytest.mark.parametrize(
    ("transformer", "options", "message"),
    [
        (None, {"refit": True}, "None has no fit"),
        (StandardScaler(), {"refit": True}, "StandardScaler has no random_state"),
        (None, {"X_unlabelled": np.zeros((4, 64))}, "with refit=False nothing is fitted"),
    ],
)
def test_trainings_that_cannot_be_repeated(transformer, options, message, parts):
    with pytest.raises(ValueError, match=message):
        evaluate_representation(transformer, *parts, probes=(), measures=(), **options)


@pytest.mark.nightly
@pytest.mark.parametrize("measure", [mine, neural_dependency])
def test_measures_of_a_row_are_those_of_the_functions(measure, parts):
    parts = *parts[:2], parts[2][:40], parts[3][:40]
    transformer = PCA(2, random_state=0).fit(parts[0])
    name = measure.__name__
    row = evaluate_representation(transformer, *parts, probes=(), measures=(name,), random_state=1)
    assert row == {name: measure(transformer, parts[2], random_state=1)}


def test_a_measure_of_ones_own_is_one_entry(parts, monkeypatch):
    monkeypatch.setitem(
        MEASURES, "width", lambda t, X_train, X_test, seed: t.transform(X_test).std()
    )
    row = evaluate_representation(None, *parts, probes=(), measures=("width",))
    assert row == {"width": parts[2].std()}


def test_measures_are_those_asked_for(parts):
    row = evaluate_representation(None, *parts, probes=(), measures=("uniformity", "rank_me"))
    assert list(row) == ["uniformity", "rank_me"]
    assert set(MEASURES) >= {"ms_ssim", "mine", "neural_dependency"}
    with pytest.raises(ValueError, match="measures has 'rankme', which is unknown: did you mean"):
        evaluate_representation(None, *parts, measures=("rankme",))


# Dependence among features ----------------------------------------------------------------------


def test_dependence_of_normal_features_is_known():
    rng = np.random.RandomState(0)
    correlations = np.full((5, 5), 0.4) + 0.6 * np.eye(5)
    Z = rng.multivariate_normal(np.zeros(5), correlations, 2000)
    truth = -0.5 * np.linalg.slogdet(correlations)[1]
    assert neural_dependency(None, Z, max_steps=20) == pytest.approx(truth, abs=0.05)
    stretched = np.column_stack([np.exp(Z), np.ones(2000)])
    assert neural_dependency(None, stretched, max_steps=20) == pytest.approx(truth, abs=0.05)


@pytest.mark.slow
def test_dependence_that_correlations_do_not_show():
    """A ring: no correlation, but each column says how large the other is."""
    rng = np.random.RandomState(0)
    angle = rng.uniform(0, 2 * np.pi, 800)
    ring = np.stack([np.cos(angle), np.sin(angle)], 1) + 0.2 * rng.normal(size=(800, 2))
    shuffled = np.stack([ring[:, 0], rng.permutation(ring[:, 1])], 1)
    assert neural_dependency(None, ring, max_steps=60) == pytest.approx(0.28, abs=0.1)
    assert neural_dependency(None, shuffled, max_steps=20) < 0.04


def test_dependence_of_features_that_do_not_vary():
    with pytest.raises(ValueError, match="None of the 3 features varies over the 9 samples"):
        neural_dependency(None, np.ones((9, 3)))
    assert neural_dependency(None, np.column_stack([np.arange(9.0), np.ones(9)])) == 0.0


def test_less_dependence_is_chosen_with_the_sign_turned(parts):
    search = GridSearchCV(
        FeatureAgglomeration(),
        {"n_clusters": [2, 16]},
        scoring=lambda *case: -neural_dependency(*case, max_steps=10),
        cv=2,
        error_score="raise",
    )
    assert search.fit(parts[0][:200]).best_params_ == {"n_clusters": 2}


def test_untrained_dependence_is_the_gaussian_formula():
    rng = np.random.RandomState(0)
    rows = rng.multivariate_normal([0, 0], [[1, 0.6], [0.6, 1]], 500)
    model = DependenceModel(GatedCritic(4), JensenShannon(), 2, 2).eval()
    model.learn_coordinates(rows)
    mean, covariance = rows.mean(0), np.cov(rows.T)
    joint = multivariate_normal(mean, covariance).logpdf(rows)
    alone = sum(norm(mean[i], covariance[i, i] ** 0.5).logpdf(rows[:, i]) for i in (0, 1))
    np.testing.assert_allclose(model.log_ratio(rows), joint - alone, atol=1e-4)


def test_gaussian_total_correlation_has_no_bias():
    correlations = np.full((6, 6), 0.3) + 0.7 * np.eye(6)
    truth = -0.5 * np.linalg.slogdet(correlations)[1]
    rng = np.random.RandomState(0)
    draws = [
        gaussian_total_correlation(rng.multivariate_normal(np.zeros(6), correlations, 40))
        for _ in range(400)
    ]
    assert np.mean(draws) == pytest.approx(truth, abs=3.5 * np.std(draws) / 20)
    assert np.isnan(gaussian_total_correlation(np.zeros((5, 6))))

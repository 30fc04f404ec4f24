"""Probes and criteria: closed forms, and use with any transformer."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sk_infomax import DeepInfoMaxTransformer
from sk_infomax._total_correlation import DependenceModel, gaussian_total_correlation
from sk_infomax.bounds import JensenShannon
from sk_infomax.critics import GatedCritic
from sk_infomax.evaluation import (
    PROBES,
    alignment,
    evaluate_representation,
    label_efficiency,
    neural_dependency,
    probe,
    probe_score,
    rank_me,
    uniformity,
)


@pytest.fixture(scope="module")
def parts():
    X, y = load_digits(return_X_y=True)
    return X[:600], y[:600], X[600:1000], y[600:1000]


@pytest.mark.parametrize("kind", PROBES)
def test_probes_of_any_transformer(kind, parts):
    transformer = PCA(20, random_state=0).fit(parts[0])
    result = probe(transformer, *parts, kind)
    assert 0.85 < result.accuracy <= 1
    assert result.settings[0] in PROBES[kind][1]
    features = transformer.transform(parts[0]), transformer.transform(parts[2])
    again = probe(None, features[0], parts[1], features[1], parts[3], kind)
    assert again == result


def test_seeds_give_a_spread(parts):
    result = probe(None, *parts, "mlp", settings=[1e-4], n_seeds=3)
    assert result.std > 0
    assert len(result.settings) == 3


def test_test_samples_choose_nothing(parts):
    """The setting depends on the training samples alone."""
    X, y, X_test, y_test = parts
    plain = probe(None, *parts, "svm")
    other = probe(None, X, y, X_test[::-1], (y_test + 1) % 10, "svm")
    assert plain.settings == other.settings
    assert other.accuracy < 0.3


def test_few_labels(parts):
    curve = label_efficiency(None, *parts, n_labels=(1, 5, 20))
    accuracies = [curve[n].accuracy for n in (1, 5, 20)]
    assert accuracies == sorted(accuracies)
    assert accuracies[0] < 0.7 < accuracies[2]
    with pytest.raises(ValueError, match="n_labels=1000 is more than"):
        label_efficiency(None, *parts, n_labels=(1000,))


def test_unknown_probe_and_lengths(parts):
    with pytest.raises(ValueError, match="kind='tree' is unknown: use one of 'svm'"):
        probe(None, *parts, "tree")
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
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
        StandardScaler(), DeepInfoMaxTransformer(8, sample_shape=(8, 8), max_epochs=2)
    )
    scores = cross_val_score(line, parts[0], parts[1], scoring=probe_score, cv=2)
    assert (scores > 0.3).all()
    assert 1 <= rank_me(line.fit(parts[0]), parts[2]) <= 8


def test_one_call_gives_the_row(parts):
    transformer = PCA(4, random_state=0).fit(parts[0])
    row = evaluate_representation(transformer, *parts, probes=("knn",), n_seeds=2)
    assert row["knn"] == probe(transformer, *parts, "knn", n_seeds=2).accuracy
    assert row["rank_me"] == rank_me(transformer, parts[2])
    assert set(row) == {"knn", "knn_std", "rank_me", "uniformity", "neural_dependency"}
    assert 0 <= row["neural_dependency"] < 2


# Dependence among features ----------------------------------------------------------------------


def test_dependence_of_normal_features_is_known():
    rng = np.random.RandomState(0)
    correlations = np.full((5, 5), 0.4) + 0.6 * np.eye(5)
    Z = rng.multivariate_normal(np.zeros(5), correlations, 2000)
    truth = -0.5 * np.linalg.slogdet(correlations)[1]
    assert neural_dependency(None, Z, max_steps=60) == pytest.approx(truth, abs=0.05)
    stretched = np.column_stack([np.exp(Z), np.ones(2000)])
    assert neural_dependency(None, stretched, max_steps=60) == pytest.approx(truth, abs=0.05)


def test_dependence_that_correlations_do_not_show():
    """A ring: no correlation, but each column says how large the other is."""
    rng = np.random.RandomState(0)
    angle = rng.uniform(0, 2 * np.pi, 1000)
    ring = np.stack([np.cos(angle), np.sin(angle)], 1) + 0.2 * rng.normal(size=(1000, 2))
    shuffled = np.stack([ring[:, 0], rng.permutation(ring[:, 1])], 1)
    assert neural_dependency(None, ring, max_steps=100) == pytest.approx(0.28, abs=0.1)
    assert neural_dependency(None, shuffled, max_steps=100) < 0.04


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

"""Probes and criteria: closed forms, and use with any transformer."""

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sk_infomax import DeepInfoMaxTransformer
from sk_infomax.evaluation import (
    PROBES,
    alignment,
    label_efficiency,
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

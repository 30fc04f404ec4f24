"""Pair tasks: the stated information against densities, other estimators and counts."""

import math

import numpy as np
import pytest
from scipy.stats import multivariate_t, t
from sklearn.feature_selection import mutual_info_classif, mutual_info_regression

from sk_infomax.datasets import (
    TASKS,
    additive_uniform,
    class_means,
    contingency,
    correlated_normal,
    independent,
    multinormal_dense,
    multinormal_sparse,
    student,
    uniform_mixture,
    xor,
)
from sk_infomax.datasets._maps import bimodal, half_cube, spiral, swiss_roll, wiggly


@pytest.mark.parametrize("name", TASKS)
def test_samples_are_pairs_repeatable_and_finite(name):
    task = TASKS[name]
    X, Y = task.sample(50, random_state=0)
    again = task.sample(50, random_state=0)
    other = task.sample(50, random_state=1)
    assert len(X) == len(Y) == 50
    assert X.ndim == 2
    assert np.isfinite(X).all()
    assert np.isfinite(Y).all()
    np.testing.assert_array_equal(X, again[0])
    np.testing.assert_array_equal(Y, again[1])
    assert not np.array_equal(X, other[0])
    assert task.mutual_information >= 0


@pytest.mark.parametrize(
    "name", [name for name in TASKS if name.startswith("1v1") or "-1v1-" in name]
)
def test_one_dimensional_tasks_agree_with_nearest_neighbours(name):
    X, Y = TASKS[name].sample(3000, random_state=0)
    if X.shape[1] > 1:
        pytest.skip("scikit-learn takes one column at a time")
    estimate = mutual_info_regression(X, Y[:, 0], random_state=0)[0]
    assert estimate == pytest.approx(TASKS[name].mutual_information, abs=0.06)


@pytest.mark.parametrize(("dim_x", "dim_y", "df"), [(1, 1, 1), (2, 3, 2), (3, 3, 5)])
def test_student_agrees_with_the_mean_of_its_log_ratio(dim_x, dim_y, df):
    task = student(dim_x, dim_y, df)
    X, Y = task.sample(40_000, random_state=0)

    def log_density(values):
        if values.shape[1] == 1:
            return t(df).logpdf(values[:, 0])
        return multivariate_t(shape=np.eye(values.shape[1]), df=df).logpdf(values)

    ratio = log_density(np.hstack([X, Y])) - log_density(X) - log_density(Y)
    assert ratio.mean() == pytest.approx(task.mutual_information, abs=4 * ratio.std() / 200)


@pytest.mark.parametrize(
    "task", [multinormal_dense(2, 3, 0.5), multinormal_sparse(3, 4), correlated_normal(4, 2.0)]
)
def test_normal_tasks_agree_with_the_covariance_of_a_sample(task):
    X, Y = task.sample(60_000, random_state=0)
    both = np.cov(np.hstack([X, Y]).T)
    a, b = both[: X.shape[1], : X.shape[1]], both[X.shape[1] :, X.shape[1] :]
    estimate = 0.5 * math.log(np.linalg.det(a) * np.linalg.det(b) / np.linalg.det(both))
    assert estimate == pytest.approx(task.mutual_information, abs=0.02)


@pytest.mark.parametrize("epsilon", [0.1, 0.5, 0.75])
def test_additive_noise_agrees_with_the_entropies(epsilon):
    """I = h(Y) - h(noise), with the trapezoid density of Y integrated on a grid."""
    y = np.linspace(-epsilon, 1 + epsilon, 200_001)
    density = (np.clip(y + epsilon, 0, 1) - np.clip(y - epsilon, 0, 1)) / (2 * epsilon)
    entropy = -np.sum(np.where(density > 0, density * np.log(density + 1e-300), 0)) * (y[1] - y[0])
    expected = entropy - math.log(2 * epsilon)
    assert additive_uniform(1, epsilon).mutual_information == pytest.approx(expected, abs=1e-3)
    assert additive_uniform(3, epsilon).mutual_information == pytest.approx(3 * expected, abs=3e-3)


def plug_in(x, y):
    """Information of two arrays of whole numbers, from counts."""
    table = np.zeros((x.max() + 1, y.max() + 1))
    np.add.at(table, (x, y), 1 / len(x))
    product = table.sum(1, keepdims=True) * table.sum(0, keepdims=True)
    return float((table[table > 0] * np.log(table[table > 0] / product[table > 0])).sum())


def test_discrete_tasks_agree_with_counts():
    X, y = contingency().sample(50_000, random_state=0)
    assert plug_in(X[:, 0].astype(int), y) == pytest.approx(
        contingency().mutual_information, abs=0.01
    )
    X, y = xor(4).sample(20_000, random_state=0)
    code = (X @ [1, 2, 4, 8]).astype(int)
    assert plug_in(code, y) == pytest.approx(xor().mutual_information, abs=1e-3)
    assert max(plug_in(X[:, i].astype(int), y) for i in range(4)) < 1e-3


def test_mixed_tasks_agree_with_nearest_neighbours():
    X, y = class_means().sample(4000, random_state=0)
    estimate = mutual_info_classif(X, y, random_state=0)[0]
    assert estimate == pytest.approx(class_means().mutual_information, abs=0.04)
    X, Y = uniform_mixture().sample(4000, random_state=0)
    estimate = mutual_info_classif(Y, X[:, 0].astype(int), random_state=0)[0]
    assert estimate == pytest.approx(uniform_mixture().mutual_information, abs=0.04)


def test_independent_sides():
    for df in (None, 1):
        X, Y = independent(1, 1, df).sample(3000, random_state=0)
        assert mutual_info_regression(X, Y[:, 0], random_state=0)[0] < 0.03


@pytest.mark.parametrize("transform", [half_cube, wiggly, bimodal])
def test_maps_of_single_values_are_increasing(transform):
    grid = np.linspace(-6, 6, 100_001)
    assert (np.diff(transform(grid)) > 0).all()


def test_spiral_can_be_turned_back():
    x = np.random.RandomState(0).normal(size=(100, 4))
    turned = spiral(x)
    np.testing.assert_allclose((turned**2).sum(1), (x**2).sum(1))
    np.testing.assert_allclose(spiral(turned, speed=-1 / x.shape[1]), x, atol=1e-12)


def test_swiss_roll_never_meets_itself():
    x = np.linspace(0, 1, 500)[:, None]
    radius = np.linalg.norm(swiss_roll(x), axis=1)
    assert (np.diff(radius) > 0).all()


def test_what_cannot_be_drawn():
    with pytest.raises(ValueError, match="n_samples=0"):
        xor().sample(0)
    with pytest.raises(ValueError, match="n_interacting=4"):
        multinormal_sparse(3, 5, 4)

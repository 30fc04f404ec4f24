"""What the benchmarks judge by."""

import numpy as np
import pytest
from sklearn.svm import LinearSVC

from benchmarks._svm import LinearSVM


@pytest.mark.parametrize("C", [0.001, 0.1])
def test_linear_svm_is_the_one_of_scikit_learn(C):
    rng = np.random.RandomState(0)
    y = rng.randint(3, size=600)
    mixing = rng.randn(40, 40) * np.geomspace(1, 0.01, 40)  # correlated features
    X = ((rng.randn(600, 40) + 0.3 * rng.randn(3, 40)[y]) @ mixing).astype(np.float32)
    X -= X.mean(0)
    X /= X.std()
    expected = LinearSVC(C=C, dual=False, tol=1e-8, max_iter=10_000).fit(X, y)
    machine = LinearSVM(X, y).fit(C)
    np.testing.assert_allclose(machine.weights.T, expected.coef_, atol=0.02)
    assert machine.score(X, y) == pytest.approx(expected.score(X, y), abs=0.005)


def test_linear_svm_goes_on_from_another_solution():
    rng = np.random.RandomState(0)
    y = rng.randint(3, size=300)
    X = (rng.randn(300, 20) + 0.5 * rng.randn(3, 20)[y]).astype(np.float32)
    machine = LinearSVM(X, y)
    fresh = LinearSVM(X, y).fit(0.01)
    np.testing.assert_allclose(machine.fit(1.0).fit(0.01).weights, fresh.weights, atol=5e-3)

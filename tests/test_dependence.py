"""Information in one line: intervals, the chain rule, columns of frames, feature selection."""

import math

import numpy as np
import pytest
from sklearn.feature_selection import SelectKBest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline

from sk_infomax import (
    MutualInfoEstimator,
    conditional_mutual_info,
    mutual_info,
    mutual_info_matrix,
    mutual_info_scores,
)
from sk_infomax.datasets import TASKS

FAST = {"cv": 2, "max_steps": 40, "random_state": 0}


def test_one_line():
    X, Y = TASKS["1v1-normal-0.75"].sample(500, random_state=0)
    value, (low, high) = mutual_info(X[:, 0], Y[:, 0], **FAST)
    assert low < value < high
    assert value == MutualInfoEstimator(**FAST).fit(X, Y).mutual_info_


def chain(n=3000, seed=0):
    """Normal numbers x -> z -> y: x tells about y only through z."""
    rng = np.random.RandomState(seed)
    x = rng.normal(size=n)
    z = x + rng.normal(size=n)
    return x, z + rng.normal(size=n), z


def test_what_is_given_can_explain_everything_away():
    x, y, z = chain()
    value, (low, _) = conditional_mutual_info(x, y, z, **FAST)
    assert value == pytest.approx(0.0, abs=0.03)
    assert low == 0.0


def test_what_is_given_can_leave_something():
    """I(z; y | x) of the chain, from the variances."""
    x, y, z = chain()
    truth = 0.5 * math.log(2.0)
    value, (low, high) = conditional_mutual_info(z, y, x, **FAST)
    assert value == pytest.approx(truth, abs=0.05)
    assert low < truth < high


@pytest.mark.nightly
def test_labels_may_be_given():
    pytest.importorskip("pandas")
    rng = np.random.RandomState(0)
    group = rng.choice(["a", "b"], 800)
    shift = np.where(group == "a", 0.0, 4.0)
    x, y = shift + rng.normal(size=800), shift + rng.normal(size=800)
    value, _ = conditional_mutual_info(x, y, group, cv=2, max_steps=100, random_state=0)
    assert value < 0.1 < 0.4 < mutual_info(x, y, **FAST)[0]


def test_lengths_must_agree():
    with pytest.raises(ValueError, match=r"X has 5, y has 5, z has 4"):
        conditional_mutual_info(np.zeros(5), np.zeros(5), np.zeros(4))


@pytest.mark.parametrize("n_jobs", [None, pytest.param(2, marks=pytest.mark.nightly)])
def test_matrix_of_a_frame(n_jobs):
    pd = pytest.importorskip("pandas")
    rng = np.random.RandomState(0)
    x = rng.normal(size=1500)
    kind = np.where(x > 0, "up", "down")
    frame = pd.DataFrame({"x": x, "near": x + rng.normal(size=1500), "kind": kind})
    frame["noise"] = rng.normal(size=1500)
    named = mutual_info_matrix(frame, n_jobs=n_jobs)
    assert list(named.columns) == list(named.index) == list(frame.columns)
    matrix = named.to_numpy()
    np.testing.assert_array_equal(matrix, matrix.T)
    assert matrix[0, 1] == pytest.approx(0.5 * math.log(2), abs=0.06)
    assert matrix[0, 2] == pytest.approx(math.log(2), abs=0.05)
    assert matrix[2, 2] == pytest.approx(math.log(2), abs=0.01)
    assert matrix[:3, 3].max() < 0.05
    assert np.isinf(matrix[[0, 1, 3], [0, 1, 3]]).all()


def test_matrix_of_counts():
    rng = np.random.RandomState(0)
    bits = rng.randint(0, 2, (2000, 2))
    matrix = mutual_info_matrix(
        np.column_stack([bits, bits[:, 0] ^ (rng.uniform(size=2000) < 0.1)])
    )
    truth = math.log(2) + 0.9 * math.log(0.9) + 0.1 * math.log(0.1)
    assert matrix[0, 2] == pytest.approx(truth, abs=0.03)
    assert matrix[0, 1] < 0.005


def test_select_k_best_in_a_grid_search():
    rng = np.random.RandomState(0)
    y = rng.randint(0, 3, 300)
    X = rng.normal(size=(300, 6))
    X[:, 2] += 2 * y
    X[:, 4] += (y == 1) * 3
    scores = mutual_info_scores(X, y)
    assert set(np.argsort(scores)[-2:]) == {2, 4}
    line = Pipeline([("best", SelectKBest(mutual_info_scores)), ("model", LogisticRegression())])
    search = GridSearchCV(line, {"best__k": [1, 2]}, cv=3).fit(X, y)
    assert search.best_params_ == {"best__k": 2}


@pytest.mark.nightly
def test_estimator_in_a_grid_search():
    X, Y = TASKS["student-identity-2-2-1"].sample(400, random_state=0)
    search = GridSearchCV(MutualInfoEstimator(**FAST), {"base": ["gaussian", None]}, cv=2)
    assert np.isfinite(search.fit(X, Y).best_score_)

"""`compare`: the protocol, the errors of differences, all kinds of data, and what is refused."""

import builtins
import sys

import numpy as np
import pytest
from joblib import parallel_config
from scipy import sparse, stats
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression, RidgeClassifierCV
from sklearn.model_selection import GroupKFold, StratifiedKFold

from sk_infomax import DeepInfoMaxTransformer
from sk_infomax.evaluation import Comparison, compare

QUICK = {"cv": 2, "n_draws": 2, "n_labels": (5, None)}


def quick_ours(encoder="perceptron", **settings):
    return DeepInfoMaxTransformer(8, encoder=encoder, **{"max_epochs": 1} | settings)


class Spy(TransformerMixin, BaseEstimator):
    """Remembers what it was fitted with, in a list that all copies share."""

    seen: list = []

    def fit(self, X, y="none given"):
        Spy.seen.append((X, y))
        return self

    def transform(self, X):
        return np.asarray(X)[:, :2]


@pytest.fixture(scope="module")
def iris():
    return load_iris(return_X_y=True)


@pytest.fixture(scope="module")
def found(iris):
    return compare(*iris, transformer=quick_ours(), methods={"two": PCA(2)}, cv=3, n_draws=2)


def test_the_table_has_all_methods_and_folds(found):
    assert found.methods == (
        "raw",
        "PCA",
        "Nystroem",
        "DeepInfoMax",
        "two",
        "raw + DeepInfoMax",
    )
    assert found.n_labels == (5, 10, None)
    assert found.scores.shape == (6, 3, 3)
    assert (found.seconds >= 0).all()
    assert found.n_features[0] == 4
    assert found.n_features[4] == 2
    assert found.n_features[5] == found.n_features[0] + found.n_features[3]
    assert found.test_share == pytest.approx(0.5)
    assert (found.scores > 0.5).all()


def test_the_same_seed_gives_the_same_scores(iris):
    first, second = (compare(*iris, transformer=quick_ours(), **QUICK) for _ in range(2))
    np.testing.assert_array_equal(first.scores, second.scores)
    other = compare(*iris, transformer=quick_ours(), **QUICK, random_state=1)
    assert (first.scores != other.scores).any()


def test_folds_at_once_change_nothing(iris):
    settings = {"methods": {"two": PCA(2)}, "rivals": False, "transformer": quick_ours(), **QUICK}
    alone = compare(*iris, **settings)
    with parallel_config(backend="threading"):
        two = compare(*iris, **settings, n_jobs=2)
    np.testing.assert_array_equal(alone.scores, two.scores)
    assert alone.methods == ("raw", "DeepInfoMax", "two", "raw + DeepInfoMax")


def test_methods_see_training_samples_without_labels(iris):
    X, y = iris
    Spy.seen = []
    folds = list(StratifiedKFold(2).split(X, y))
    compare(X, y, methods={"spy": Spy()}, rivals=False, transformer=quick_ours(), cv=folds)
    assert len(Spy.seen) == 2
    for (rows, labels), (train, _) in zip(Spy.seen, folds):
        np.testing.assert_array_equal(rows, X[train])
        assert isinstance(labels, str)


def test_scores_are_those_of_a_loop(iris):
    X, y = iris
    folds = list(StratifiedKFold(3).split(X, y))
    found = compare(
        X,
        y,
        methods={"two": PCA(2)},
        rivals=False,
        transformer=quick_ours(),
        cv=folds,
        n_labels=[None],
    )
    for i, (train, test) in enumerate(folds):
        pca = PCA(2).fit(X[train])
        Z, T = pca.transform(X[train]), pca.transform(X[test])
        size = np.sqrt(Z.var(0).sum())
        probe = RidgeClassifierCV(alphas=len(Z) * np.logspace(-6, 1, 15)).fit(Z / size, y[train])
        assert found.scores[2, 0, i] == pytest.approx(probe.score(T / size, y[test]))


def test_differences_have_the_corrected_error():
    rng = np.random.RandomState(0)
    scores = rng.rand(3, 1, 5)
    found = made(scores, share=0.25)
    rows = found.rows()
    best = scores.mean(2).argmax()
    for i, row in enumerate(rows):
        paired = scores[i, 0] - scores[best, 0]
        error = np.sqrt(paired.var(ddof=1) * (1 / 5 + 0.25))
        assert row["error"] == pytest.approx(error)
        assert row["difference"] == pytest.approx(paired.mean())
        if i == best:
            assert row["beyond_margin"] is None
        else:
            p_value = 2 * stats.t.sf(abs(paired.mean() / error), 4)
            assert row["beyond_margin"] == (p_value < 0.05)
        assert row["margin"] == pytest.approx(error * stats.t.ppf(0.975, 4))


def made(scores, share=0.25, n_labels=(None,), task="classification"):
    n = len(scores)
    names = tuple("abcdef"[:n])
    seconds, columns = np.ones((n, scores.shape[2])), np.arange(n) + 1
    return Comparison(names, n_labels, scores, seconds, columns, share, "accuracy", task)


def test_the_verdict_says_whether_a_lead_is_one():
    clear = made(np.array([[[0.5, 0.52, 0.51]], [[0.9, 0.92, 0.92]]]))
    assert clear.best() == "b"
    assert "b leads (0.913). Next is a, 0.403 ± " in clear.verdict
    assert ": a clear lead." in clear.verdict
    close = made(np.array([[[0.5, 0.7, 0.6]], [[0.6, 0.6, 0.65]], [[0.61, 0.6, 0.6]]]))
    assert ": no clear lead." in close.verdict
    assert "Not clearly behind: " in close.verdict
    equal = made(np.full((2, 1, 3), 0.5))
    assert "0.000 ± 0.000 (95 %) behind: no clear lead" in equal.verdict
    alone = made(np.full((1, 1, 3), 0.5), n_labels=(5,), task="regression")
    assert alone.verdict == "With 5 labels a leads (0.500)."
    with pytest.raises(ValueError, match="was not compared"):
        alone.best()


def test_it_prints_and_makes_a_frame(found):
    text = str(found)
    for name in (*found.methods, "5 a class", "all labels", found.verdict):
        assert name in text
    lines = text.splitlines()[1:8]
    assert len({len(line) for line in lines}) == 1
    assert repr(found) == text
    page = made(np.random.RandomState(0).rand(2, 1, 3))._repr_html_()
    assert page.count("<tr>") == 3
    pytest.importorskip("pandas")
    frame = found.as_frame()
    assert len(frame) == 18
    assert set(frame.columns) >= {"method", "n_labels", "mean", "std", "difference", "seconds"}


def test_a_frame_without_pandas(found, monkeypatch):
    real = builtins.__import__

    def refuse(name, *args, **kwargs):
        if name == "pandas":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(ImportError, match="pip install pandas"):
        found.as_frame()


# Kinds of data ----------------------------------------------------------------------------------


def test_series(series, monkeypatch):
    monkeypatch.setitem(sys.modules, "aeon", None)
    found = compare(*series, transformer=quick_ours("convolutions"), **QUICK)
    assert found.methods[1:3] == ("PCA", "thresholds")
    assert (found.scores[2, 1] > 0.8).all()


def test_series_by_aeon(series):
    pytest.importorskip("aeon")
    assert (
        compare(*series, transformer=quick_ours("convolutions"), **QUICK).methods[2] == "MiniRocket"
    )


def test_images_and_rows_that_are_images(digits):
    images, labels = digits
    found = compare(images, labels, transformer=quick_ours("strided"), **QUICK)
    assert found.methods[1:3] == ("PCA", "patch dictionary")
    assert found.scores[2, 1].mean() > found.scores[0, 1].mean()
    flat = compare(
        images.reshape(len(images), -1),
        labels,
        transformer=quick_ours("strided", sample_shape=(8, 8)),
        **QUICK,
    )
    np.testing.assert_allclose(flat.scores, found.scores)


def test_mixed_frames():
    pd = pytest.importorskip("pandas")
    rng = np.random.RandomState(0)
    y = np.where(rng.rand(120) < 0.5, "yes", "no")
    frame = pd.DataFrame(
        {
            "size": np.where(rng.rand(120) < 0.1, np.nan, rng.normal(size=120) + (y == "yes")),
            "colour": np.where(rng.rand(120) < 0.7, y, "red"),
            "when": pd.date_range("2020-01-01", periods=120, freq="D"),
        }
    )
    found = compare(frame, pd.Series(y), transformer=quick_ours(), **QUICK)
    assert (found.scores[:, 1] > 0.6).all()


@pytest.mark.parametrize("p", [40, 700])
def test_sparse_tables(p):
    rng = np.random.RandomState(0)
    y = rng.randint(2, size=80)
    dense = rng.poisson(0.2 + 0.8 * (np.arange(p) % 2 == y[:, None]), size=(80, p)).astype(float)
    for make in (sparse.csr_array, sparse.csc_matrix):
        found = compare(make(dense), y, transformer=quick_ours(), **QUICK)
        assert (found.scores[:, 1] > 0.7).all()
        assert found.n_features[0] == p


def test_regression_and_what_a_target_is_taken_for():
    rng = np.random.RandomState(0)
    X = rng.normal(size=(120, 4))
    y = np.round(100 * X[:, 0])  # whole numbers, hardly any of them twice
    found = compare(X, y, transformer=quick_ours(), cv=2, n_draws=2)
    assert found.task == "regression"
    assert found.scoring == "R2"
    assert found.n_labels == (50, None)
    assert found.best() in ("raw", "PCA", "raw + DeepInfoMax")
    assert "50 labels" in str(found)
    few = compare(X, np.arange(120) % 3, transformer=quick_ours(), rivals=False, **QUICK)
    assert few.task == "classification"
    ranks = compare(
        X, np.arange(120) % 3, task="regression", transformer=quick_ours(), cv=2, n_labels=[None]
    )
    assert ranks.task == "regression"


def test_probe_scoring_and_groups(iris):
    X, y = iris
    asked = []

    def scorer(probe, Z, truth):
        asked.append(type(probe))
        return probe.score(Z, truth)

    found = compare(
        X,
        y,
        transformer=quick_ours(),
        rivals=False,
        probe=LogisticRegression(),
        scoring=scorer,
        cv=GroupKFold(2),
        groups=np.arange(150) // 10 % 4,
        n_labels=[None],
    )
    assert set(asked) == {LogisticRegression}
    assert found.scoring == "scorer"
    assert compare(
        X, y, scoring="f1_macro", rivals=False, transformer=quick_ours(), **QUICK
    ).scoring


def test_verbose_tells_of_folds(iris, capsys):
    compare(*iris, transformer=quick_ours(), rivals=False, verbose=1, **QUICK)
    assert capsys.readouterr().err.count("fold of 75 test samples: raw 0.") == 2


class Failing(Spy):
    def fit(self, X, y=None):
        raise ValueError("no good")


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"n_labels": (60,)}, ValueError, "from 1 to 25, the samples of the smallest class"),
        ({"n_labels": (0,)}, ValueError, "from 1 to 25"),
        ({"n_labels": ()}, ValueError, "n_labels is empty"),
        ({"n_labels": "some"}, ValueError, "n_labels='some' is unknown"),
        ({"task": "ranking"}, ValueError, "task='ranking' is unknown"),
        ({"cv": [(np.arange(100), np.arange(100, 150))]}, ValueError, "gives 1 fold"),
        ({"methods": {"odd": 3}}, TypeError, r"methods\['odd'\] is a int"),
        ({"methods": {"bad": Failing()}}, ValueError, "no good"),
        ({"scoring": "acuracy"}, ValueError, "acuracy"),
    ],
)
def test_what_does_not_fit_is_refused(iris, settings, error, message):
    settings = {"rivals": False, "transformer": quick_ours(), "cv": 2} | settings
    with pytest.raises(error, match=message):
        compare(*iris, **settings)


def test_targets_and_samples_that_do_not_fit(iris):
    X, y = iris
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        compare(X, y[:-1])
    with pytest.raises(ValueError, match="multilabel-indicator target"):
        compare(X, np.eye(3)[y])
    with pytest.raises(ValueError, match="task='regression' takes them"):
        compare(X, X[:, 0] + 0.123, task="classification")
    with pytest.raises(ValueError, match="task='classification' takes labels"):
        compare(X, np.array(list("abc"))[y], task="regression")
    with pytest.raises(ValueError, match="NaN"):
        compare(np.where(X > 7, np.nan, X), y)


def test_a_failing_method_is_named(iris):
    with pytest.raises(ValueError, match="no good") as caught:
        compare(*iris, methods={"bad": Failing()}, transformer=quick_ours(), rivals=False, **QUICK)
    assert "method 'bad'" in "".join(caught.value.__notes__)

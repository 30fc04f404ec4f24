"""Sparse tables: never dense as a whole, and the same features as the same numbers dense."""

import pickle
import tracemalloc
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from sklearn.base import clone
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.linear_model import RidgeClassifierCV
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from torch import nn

from sk_infomax import DeepInfoMaxTransformer, TorchEncoder
from sk_infomax._columns._sparse import MOST_COLUMNS, Narrowing, SparseRows
from sk_infomax._fitted import read_rows

FORMATS = [
    sparse.csr_matrix,
    sparse.csr_array,
    sparse.csc_matrix,
    sparse.csc_array,
    sparse.coo_array,
    sparse.lil_matrix,
]
WIDE = MOST_COLUMNS + 88


def fast(**settings):
    return DeepInfoMaxTransformer(8, **{"max_epochs": 1, "random_state": 0} | settings)


def counts(n=60, p=12, density=0.2, seed=0, dtype=np.float64):
    """Counts (n, p), among them an empty row and an empty column."""
    rng = np.random.RandomState(seed)
    dense = (rng.poisson(2.0, (n, p)) * (rng.rand(n, p) < density)).astype(dtype)
    dense[3], dense[:, 5] = 0, 0
    return dense


def topics(n=700, p=1500, n_classes=5, seed=0):
    """Counts of words by topics, many words of which are rare, and which class a text is of."""
    rng = np.random.RandomState(seed)
    common = 1 / np.arange(1, p + 1)
    common /= common.sum()
    words = np.array([rng.dirichlet(common * p * 0.02 + 1e-4) for _ in range(3 * n_classes)])
    liked = rng.dirichlet(np.full(len(words), 0.15), n_classes)
    labels = rng.randint(n_classes, size=n)
    length = rng.lognormal(4.0, 0.6, n).astype(int) + 5
    mixture = [rng.dirichlet(4 * liked[label] + 0.02) @ words for label in labels]
    texts = [rng.multinomial(k, (common + m) / 2) for k, m in zip(length, mixture)]
    return sparse.csr_array(np.array(texts, dtype=np.float64)), labels


# Narrow tables: bitwise what the dense ones give -------------------------------------------------


@pytest.mark.parametrize("make", FORMATS, ids=lambda make: make.__name__)
def test_few_columns_are_bitwise_those_of_a_dense_table(make):
    dense = counts()
    model, known = fast().fit(make(dense)), fast().fit(dense)
    features = known.transform(dense)
    for fitted in (model, known):
        for X in (make(dense), dense):
            np.testing.assert_array_equal(fitted.transform(X), features)
            assert fitted.score(X) == known.score(dense)
    more = counts(seed=1)
    model.partial_fit(make(more))
    known.partial_fit(more)
    np.testing.assert_array_equal(model.transform(more), known.transform(more))
    assert model.n_features_in_ == 12


@given(
    n=st.integers(2, 30),
    p=st.integers(6, 40),
    density=st.floats(0, 1),
    dtype=st.sampled_from([np.float64, np.float32, np.int64, np.int8, np.uint8, bool]),
    seed=st.integers(0, 99),
)
def test_the_law_holds_for_any_table(n, p, density, dtype, seed):
    dense = counts(max(n, 4), p, density, seed, dtype)
    model = fast().fit(sparse.csr_array(dense))
    features = model.transform(sparse.csc_matrix(dense))
    expected = fast().fit(dense).transform(dense)
    assert features.dtype == expected.dtype
    np.testing.assert_array_equal(features, expected)


@pytest.mark.parametrize("encoder", ["perceptron", "series", TorchEncoder(nn.Linear(12, 8), "")])
def test_every_encoder_reads_them(encoder):
    dense = counts()
    model = fast(encoder=encoder).fit(sparse.csr_array(dense))
    expected = fast(encoder=encoder).fit(dense)
    np.testing.assert_array_equal(model.transform(dense), expected.transform(dense))


def test_rows_may_be_images():
    dense = counts(p=64)
    model = fast(sample_shape=(8, 8)).fit(sparse.csr_array(dense))
    expected = fast(sample_shape=(8, 8)).fit(dense)
    np.testing.assert_array_equal(model.transform(dense), expected.transform(dense))


# How the same numbers may be held ----------------------------------------------------------------


def held_otherwise(dense):
    """The same numbers with duplicates, explicit zeros, unsorted columns, 64-bit indices."""
    csr = sparse.csr_array(dense)
    doubled = sparse.coo_array(csr)
    half = (np.r_[doubled.data / 2, doubled.data / 2], np.tile(doubled.coords, 2))
    yield "duplicates", _rows_with_duplicates(*half, dense.shape)
    zeros = sparse.csr_array(dense + 1.0)
    zeros.data -= 1.0
    yield "explicit zeros", zeros
    unsorted = csr.copy()
    for start, end in pairwise(unsorted.indptr):
        for part in (unsorted.indices, unsorted.data):
            part[start:end] = part[start:end][::-1].copy()
    unsorted.has_sorted_indices = False
    yield "unsorted", unsorted
    long = csr.copy()
    long.indices, long.indptr = long.indices.astype(np.int64), long.indptr.astype(np.int64)
    yield "int64", long


def _rows_with_duplicates(data, coords, shape):
    order = np.argsort(coords[0], kind="stable")
    ends = np.searchsorted(coords[0][order], np.arange(shape[0] + 1))
    return sparse.csr_array((data[order], coords[1][order], ends), shape=shape)


@pytest.mark.parametrize("p", [12, WIDE])
def test_how_numbers_are_held_makes_no_difference(p):
    dense = counts(p=p)
    expected = fast().fit_transform(sparse.csr_array(dense))
    for name, X in held_otherwise(dense):
        before = [part.copy() for part in (X.data, X.indices, X.indptr)]
        np.testing.assert_allclose(fast().fit_transform(X), expected, rtol=1e-9, err_msg=name)
        for part, old in zip((X.data, X.indices, X.indptr), before):
            np.testing.assert_array_equal(part, old)


@pytest.mark.parametrize(("value", "word"), [(np.nan, "NaN"), (np.inf, "infinity")])
@pytest.mark.parametrize("p", [12, WIDE])
def test_what_is_not_finite_is_refused_with_its_place(value, word, p):
    dense = counts(p=p)
    model = fast().fit(sparse.csr_array(dense))
    dense[7, 9] = value
    for do in (fast().fit, fast().partial_fit, model.transform, model.score):
        for make in (sparse.csr_array, sparse.csc_matrix):
            with pytest.raises(ValueError, match=f"{word} in row 7, column 9"):
                do(make(dense))


def test_other_columns_are_refused():
    model = fast().fit(sparse.csr_array(counts()))
    with pytest.raises(ValueError, match="13 features"):
        model.transform(sparse.csr_array(counts(p=13)))
    with pytest.raises(ValueError, match="minimum of 2"):
        fast().fit(sparse.csr_array(counts()[:1]))


def test_a_fit_on_a_frame_takes_no_sparse_matrix():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"a": ["x", "y", None] * 8, "b": np.arange(24) / 7})
    with pytest.raises(TypeError, match="sparse matrix, but the fit saw a frame"):
        fast().fit(frame).transform(sparse.csr_array(np.ones((2, 2))))


# Wide tables --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def texts():
    X, labels = topics()
    return X, labels, fast(max_epochs="auto").fit(X[:400])


def test_wide_tables_become_few_columns(texts):
    X, _, model = texts
    assert model.n_features_in_ == X.shape[1]
    assert model.layout_.shape == (256,)
    features = model.transform(X[400:])
    assert np.isfinite(features).all()
    # The same rows are the same, dense or sparse, alone or together.
    np.testing.assert_array_equal(model.transform(X[400:].toarray()), features)
    np.testing.assert_array_equal(model.transform(X[400:].tocsc()), features)
    np.testing.assert_allclose(model.transform(X[[555]])[0], features[155], rtol=1e-9, atol=1e-12)


def test_columns_of_wide_tables_have_one_spread(texts):
    X, _, model = texts
    narrow = model._fitted.columns.apply(SparseRows(X[:400]))
    np.testing.assert_allclose(narrow.mean(0), 0, atol=1e-9)
    deviation = narrow.std(0)
    np.testing.assert_allclose(deviation, deviation[0], rtol=1e-4)


def test_wide_features_beat_a_truncated_svd(texts):
    X, labels, model = texts
    train, test = slice(400), slice(400, None)
    svd = make_pipeline(TfidfTransformer(sublinear_tf=True), TruncatedSVD(100, random_state=0))
    found = {}
    for name, fitted in (("svd", svd.fit(X[train])), ("ours", model)):
        parts = [fitted.transform(X[rows]) for rows in (train, test)]
        scale, accuracy = parts[0].std(), []
        for seed in range(10):
            rng = np.random.RandomState(seed)
            draws = (rng.choice(np.flatnonzero(labels[train] == c), 5, False) for c in range(5))
            rows = np.concatenate(list(draws))
            probe = RidgeClassifierCV(np.logspace(-3, 3, 7)).fit(
                parts[0][rows] / scale, labels[train][rows]
            )
            accuracy.append(probe.score(parts[1] / scale, labels[test]))
        found[name] = np.mean(accuracy)
    assert found["ours"] > found["svd"] + 0.02


def test_wide_fits_are_remembered(texts, tmp_path):
    X, _, model = texts
    features = model.transform(X[:50])
    assert np.array_equal(clone(model).fit(X[:400]).transform(X[:50]), features)
    model.save(tmp_path / "model.safetensors")
    loaded = DeepInfoMaxTransformer.load(tmp_path / "model.safetensors")
    for other in (loaded, pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(other.transform(X[:50]), features)
        assert other.score(X[:50]) == model.score(X[:50])
        other.partial_fit(X[400:])  # by the columns that the first fit found
        assert np.isfinite(other.transform(X[:50])).all()


def test_a_damaged_file_is_refused(texts):
    columns = texts[2]._fitted.columns
    arrays = columns.arrays()
    np.testing.assert_array_equal(
        Narrowing.from_plain(columns.plain(), arrays).matrix, columns.matrix
    )
    for plain, odd in (
        ({}, arrays),
        ({"unit": float("nan")}, arrays),
        (columns.plain(), arrays | {"weights": arrays["weights"][:-1]}),
        (columns.plain(), {"matrix": arrays["matrix"]}),
    ):
        with pytest.raises(ValueError, match="sparse columns does not fit"):
            Narrowing.from_plain(plain, odd)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64, np.uint8, bool])
def test_wide_features_keep_the_precision(dtype):
    X = sparse.csr_array(counts(p=WIDE, dtype=dtype))
    assert fast().fit_transform(X).dtype == fast().fit_transform(counts(dtype=dtype)).dtype


@pytest.mark.parametrize("n", [2, 3, 40])
def test_tables_of_nothing_and_of_few_rows(n):
    for X in (sparse.csr_array((n, WIDE)), sparse.csr_array(counts(max(n, 6), WIDE)[:n])):
        assert np.isfinite(fast().fit_transform(X)).all()


def test_words_that_fit_did_not_see_change_nothing_but_the_norm():
    dense = counts(p=WIDE)
    model = fast().fit(sparse.csr_array(dense))
    more = dense.copy()
    more[:, 5] = 100.0  # a column that was empty
    np.testing.assert_array_equal(model.transform(more), model.transform(dense))


def test_a_torch_module_reads_all_columns():
    encoder = TorchEncoder(nn.Sequential(nn.Linear(WIDE, 9)), "0")
    model = fast(encoder=encoder).fit(sparse.csr_array(counts(p=WIDE)))
    assert model.layout_.shape == (WIDE,)


def test_a_search_slices_them(texts):
    X, labels, _ = texts
    search = GridSearchCV(
        make_pipeline(fast(), RidgeClassifierCV()),
        {"deepinfomaxtransformer__n_components": [4, 8]},
        cv=2,
    )
    for matrix in (X[:80], sparse.csc_matrix(X[:80])):
        assert search.fit(matrix, labels[:80]).best_score_ > 0


# Memory -------------------------------------------------------------------------------------------


def test_a_wide_table_is_never_dense_as_a_whole(monkeypatch):
    monkeypatch.setattr("sk_infomax._columns._sparse._KEPT", 16)
    n, p = 2_000, 4_000
    X = sparse.random_array((n, p), density=2e-3, format="csr", random_state=0)
    tracemalloc.start()
    try:
        columns = read_rows(fast(), X, None).columns
        columns.apply(SparseRows(X))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < n * p * 8 / 4


def test_looks_at_dense_rows_are_small(monkeypatch):
    """What is torch's, tracemalloc does not see: so count the rows that are made dense."""
    X, looks, real = sparse.csr_array(counts(5000, 30)), [], SparseRows.__getitem__

    def spied(self, rows):
        found = real(self, rows)
        looks.append(len(found))
        return found

    monkeypatch.setattr(SparseRows, "__getitem__", spied)
    monkeypatch.setattr("sk_infomax._fitted._TRANSFORM_VALUES", 30 * 500)
    monkeypatch.setattr("sk_infomax._scaling._CHUNK_VALUES", 30 * 500)
    model = fast(encoder="perceptron").fit(X)
    model.transform(X)
    model.score(X)
    assert sum(looks) > 2 * 5000
    assert max(looks) <= 4096

"""`DeepInfoMaxTransformer` on frames of numbers, flags, levels, dates and missing values."""

import pickle
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder, StandardScaler
from sklearn.utils.estimator_checks import check_dataframe_column_names_consistency

from sk_infomax import DeepInfoMaxTransformer
from sk_infomax._columns._reading import is_mixed

N = 240
LEVELS = np.array(["ash", "beech", "cedar", "elm", "fir", "oak"])


def make_frame(n=N, seed=0):
    """A frame of each kind of column, and classes that levels out of order tell."""
    rng = np.random.RandomState(seed)
    trees, flags = rng.choice(LEVELS, n), rng.rand(n) < 0.4
    target = np.isin(trees, ["ash", "cedar", "fir"]).astype(int)
    numbers = rng.normal(size=(n, 2))
    frame = pd.DataFrame(
        {
            "height": np.where(rng.rand(n) < 0.1, np.nan, numbers[:, 0]),
            "age": rng.randint(1, 90, n),
            "tree": trees,
            "flag": flags,
            "day": pd.Timestamp("2021-01-01") + pd.to_timedelta(rng.randint(0, 500, n), "D"),
            "state": pd.Categorical(np.where(rng.rand(n) < 0.2, None, trees[::-1])),
        }
    )
    return frame, target


FRAME, TARGET = make_frame()


def make_model(**settings):
    fast = {"n_components": 8, "max_epochs": 1, "output": "embedding", "random_state": 0}
    return DeepInfoMaxTransformer(**({"device": "cpu"} | fast | settings))


@pytest.fixture(scope="module")
def fitted():
    return make_model().fit(FRAME)


def test_number_and_names_of_features_are_those_of_the_frame(fitted):
    assert fitted.n_features_in_ == 6
    assert list(fitted.feature_names_in_) == list(FRAME.columns)
    assert fitted.layout_.kind == "table"
    assert fitted.layout_.shape[0] > 6
    features = fitted.transform(FRAME)
    assert features.shape == (N, 8)
    assert np.isfinite(features).all()
    assert np.isfinite(fitted.score(FRAME))


@pytest.mark.parametrize("as_library", [pl.from_pandas, pa.Table.from_pandas])
def test_libraries_give_the_same_features(fitted, as_library):
    other = as_library(FRAME)
    again = make_model().fit(other)
    assert list(again.feature_names_in_) == list(FRAME.columns)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(again.transform(other), fitted.transform(FRAME))
        np.testing.assert_array_equal(fitted.transform(other), fitted.transform(FRAME))


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_frames_of_complete_numbers_and_flags_are_read_as_before(library):
    numbers = FRAME[["age", "flag"]].assign(x=np.arange(N) / 7)
    frame = numbers if library == "pandas" else pl.from_pandas(numbers)
    model, plain = make_model().fit(frame), make_model().fit(numbers.to_numpy(dtype=float))
    assert model._fitted.columns is None
    assert model.layout_.shape == (3,)
    np.testing.assert_array_equal(
        model.transform(frame), plain.transform(numbers.to_numpy(dtype=float))
    )


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_missing_numbers_alone_make_a_frame_mixed(frame):
    values = frame({"a": np.arange(40.0), "b": [np.nan, *np.arange(39.0)]})
    model = make_model().fit(values)
    assert model.layout_.shape == (3,)
    nullable = pd.DataFrame({"a": np.arange(40.0), "b": [None, *range(39)]}).astype("Int64")
    np.testing.assert_allclose(model.transform(values), model.transform(nullable))


@pytest.mark.parametrize(
    ("frame", "mixed"),
    [
        (pd.DataFrame({"a": [1, 2.5], "b": [True, False]}, dtype=object), False),
        (pd.DataFrame({"a": [1, None]}, dtype=object), True),
        (pd.DataFrame({"a": [True, None]}), True),
        (pd.DataFrame({"a": [1, 2]}, dtype="Int64"), False),
        (pd.DataFrame({"a": [1, 2]}, dtype="category"), True),
        (pd.DataFrame({"a": pd.arrays.SparseArray([0.0, 1.0])}), False),
        (pd.DataFrame([[1.0, 2.0]], columns=["a", "a"]), False),
        (pd.DataFrame([[1.0, "x"]], columns=["a", "a"]), True),
        (pd.DataFrame(), False),
        (pl.DataFrame({"a": [1.0, float("nan")]}), True),
        (pl.DataFrame({"a": [1, None]}), True),
        (pl.DataFrame({"a": [1, 2]}, schema={"a": pl.Decimal}), False),
        (pa.table({"a": [1, 2]}), False),
        (pa.RecordBatch.from_pydict({"a": ["x", "y"]}), True),
        (pd.Series(["x"]), False),
        ([["x"]], False),
        (sparse.csr_matrix([[1.0]]), False),
    ],
)
def test_which_frames_are_mixed(frame, mixed):
    assert is_mixed(frame) == mixed


def test_arrays_are_read_as_before():
    with pytest.raises(ValueError, match="contains NaN"):
        make_model().fit(np.array([[1.0, np.nan], [2.0, 3.0]]))
    with pytest.raises(ValueError, match="could not convert string to float"):
        make_model().fit(np.array([[1.0, "a"], [2.0, "b"]], dtype=object))
    plain = make_model().fit(FRAME[["age"]].assign(x=1.0 * np.arange(N)))
    with pytest.raises(ValueError, match="contains NaN"):
        plain.transform(FRAME[["age"]].assign(x=np.nan))


def test_an_array_of_objects_is_read_as_the_frame_was(fitted):
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        features = fitted.transform(FRAME.to_numpy(dtype=object))
    np.testing.assert_array_equal(features, fitted.transform(FRAME))


# What is new at reading -----------------------------------------------------------------------


def test_new_levels_are_none_of_the_levels(fitted):
    first, second = FRAME.assign(tree="yew"), FRAME.assign(tree="larch")
    np.testing.assert_array_equal(fitted.transform(first), fitted.transform(second))
    assert not np.array_equal(fitted.transform(first), fitted.transform(FRAME))


def test_what_is_missing_first_at_reading_is_the_mean(fitted):
    gone = fitted.transform(FRAME.assign(age=np.nan))
    np.testing.assert_allclose(gone, fitted.transform(FRAME.assign(age=FRAME["age"].mean())))
    np.testing.assert_array_equal(
        fitted.transform(FRAME.assign(tree=None)), fitted.transform(FRAME.assign(tree="yew"))
    )


def test_a_few_rows_without_what_fit_saw(fitted):
    part = FRAME[FRAME["height"].notna()].head(3)
    np.testing.assert_allclose(
        fitted.transform(part), fitted.transform(FRAME)[part.index], rtol=1e-9, atol=1e-12
    )


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (FRAME.assign(tree=FRAME["age"]), "'tree'.* holds a number, but 'tree' held a label"),
        (FRAME.assign(age=FRAME["tree"]), "'age'.* holds a label, but 'age' held a number"),
        (FRAME.assign(day=FRAME["age"]), "'day'.* holds a number, but 'day' held a date"),
        (FRAME.assign(age=np.inf), "'age'.* holds inf.* in row 0"),
        (FRAME[FRAME.columns[::-1]], "must be in the same order"),
        (FRAME.rename(columns={"age": "years"}), "unseen at fit time:\n- years"),
        (FRAME.drop(columns="age"), "yet now missing:\n- age"),
        (FRAME.head(0), r"0 sample\(s\)"),
    ],
)
def test_columns_that_do_not_fit_are_refused_by_name(fitted, frame, said):
    with pytest.raises(ValueError, match=said):
        fitted.transform(frame)


def test_columns_without_names_are_counted():
    frame = FRAME.set_axis(range(6), axis=1)
    model = make_model().fit(frame)
    assert not hasattr(model, "feature_names_in_")
    with pytest.raises(ValueError, match="X has 5 features, but DeepInfoMaxTransformer is exp"):
        model.transform(frame.drop(columns=0))


# What is refused at fit -----------------------------------------------------------------------


def test_free_text_and_identifiers_are_refused_in_one_error():
    notes = [f"the tree number {k} stands by the river" for k in range(N)]
    frame = FRAME.assign(note=notes, key=[f"T-{k}" for k in range(N)])
    model = make_model()
    with pytest.raises(ValueError, match=r"Leave 'note', 'key' out.*TfidfVectorizer") as caught:
        model.fit(frame)
    said = str(caught.value)
    assert "X column 'note' (position 6) holds free text: 240 different values" in said
    assert "such as 'the tree number 0" in said
    assert "X column 'key' (position 7) holds identifiers" in said
    assert not hasattr(model, "n_features_in_")


def test_other_layouts_and_single_rows_are_refused():
    with pytest.raises(ValueError, match=r"sample_shape=\(2, 3\).*is a table"):
        make_model(sample_shape=(2, 3)).fit(FRAME)
    with pytest.raises(ValueError, match=r"encoder='series' reads series.*is a table"):
        make_model(encoder="series").fit(FRAME)
    with pytest.raises(ValueError, match="minimum of 2 is required"):
        make_model().fit(FRAME.head(1))


# Going on, and keeping ------------------------------------------------------------------------


def test_partial_fit_goes_on_with_the_levels_of_the_first_call():
    model = make_model().partial_fit(FRAME.head(120))
    shape = model.layout_.shape
    model.partial_fit(FRAME.tail(120).assign(tree="yew"))
    assert model.layout_.shape == shape
    assert model.n_iter_ == 2
    with pytest.raises(ValueError, match=r"'tree'.* holds a number"):
        model.partial_fit(FRAME.assign(tree=1))


def test_warm_start_keeps_the_levels_and_a_new_fit_learns_them():
    model = make_model(warm_start=True).fit(FRAME)
    shape = model.layout_.shape
    part = FRAME[FRAME["tree"] != "oak"]
    assert model.fit(part).layout_.shape == shape
    assert model.set_params(warm_start=False).fit(part).layout_.shape[0] < shape[0]
    assert model.fit(FRAME[["age"]].assign(x=1.0 * np.arange(N))).n_features_in_ == 2


def test_pickles_and_files_give_the_same(fitted, tmp_path):
    fitted.save(tmp_path / "model.safetensors")
    loaded = DeepInfoMaxTransformer.load(tmp_path / "model.safetensors")
    new = FRAME.assign(tree="yew", age=np.nan).head(20)
    for again in (loaded, pickle.loads(pickle.dumps(fitted))):
        assert list(again.feature_names_in_) == list(FRAME.columns)
        for frame in (FRAME, new, pl.from_pandas(new)):
            np.testing.assert_array_equal(again.transform(frame), fitted.transform(frame))
    loaded.partial_fit(FRAME)
    assert not hasattr(clone(fitted), "_fitted")


def test_a_file_whose_columns_do_not_fit_its_network_is_refused(fitted):
    arrays, facts = fitted._fitted.remember()
    short = facts | {"columns": facts["columns"][1:]}
    with pytest.raises(ValueError, match="damaged"):
        type(fitted._fitted).recall(type(fitted._fitted.remember())(arrays, short), fitted)


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_frames_come_out_where_they_are_asked_for(library):
    frame = FRAME if library == "pandas" else pl.from_pandas(FRAME)
    found = make_model().set_output(transform=library).fit_transform(frame)
    assert type(found) is type(frame)
    assert list(found.columns) == [f"deepinfomaxtransformer{k}" for k in range(8)]


# In a pipeline --------------------------------------------------------------------------------


def test_a_pipeline_beats_ordinal_codes():
    codes = FRAME.assign(
        tree=OrdinalEncoder().fit_transform(FRAME[["tree"]])[:, 0],
        state=FRAME["state"].cat.codes,
        day=FRAME["day"].astype("int64"),
    ).fillna(0.0)
    linear = make_pipeline(StandardScaler(), LogisticRegression())
    raw = cross_val_score(linear, codes, TARGET, cv=3).mean()
    model = make_pipeline(
        make_model(max_epochs=20, output="auto"), StandardScaler(), LogisticRegression()
    )
    assert cross_val_score(model, FRAME, TARGET, cv=3).mean() > raw + 0.1


def test_a_grid_search_reads_frames():
    model = make_pipeline(make_model(), LogisticRegression())
    grid = {"deepinfomaxtransformer__n_components": [4, 8]}
    for frame in (FRAME, pl.from_pandas(FRAME)):
        search = GridSearchCV(model, grid, cv=2, error_score="raise").fit(frame, TARGET)
        assert search.predict(frame).shape == (N,)


def test_the_check_of_names_by_scikit_learn():
    check_dataframe_column_names_consistency("DeepInfoMaxTransformer", make_model())

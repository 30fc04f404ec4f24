"""Series of any length, in any container: one law for them, and one error for what is none."""

import pickle
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.linear_model import RidgeClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from sk_infomax import DeepInfoMaxTransformer, PatternEncoder
from sk_infomax._layout import Layout
from sk_infomax.series._rows import doubts

LENGTHS = [12, 40, 25, 31, 12, 18, 40, 22, 37, 15, 28, 33]
SMALL = PatternEncoder(n_filters=2, width=8)


def model(**settings):
    settings = {"encoder": SMALL, "max_epochs": 2, "random_state": 0, "device": "cpu"} | settings
    return DeepInfoMaxTransformer(4, **settings)


def walks(lengths=LENGTHS, channels=1, seed=0):
    """Series (c, t) of several lengths."""
    rng = np.random.RandomState(seed)
    return [rng.normal(size=(channels, length)).cumsum(1) for length in lengths]


def padded(series, length=None):
    """As one array (n, c, t), NaN after the end of each."""
    length = length or max(one.shape[1] for one in series)
    out = np.full((len(series), len(series[0]), length), np.nan)
    for row, one in zip(out, series):
        row[:, : one.shape[1]] = one
    return out


def objects(items):
    out = np.empty(len(items), dtype=object)
    out[:] = items
    return out


def nested(series, cell=pd.Series):
    """A frame whose cells are series, a column for each channel."""
    channels = range(len(series[0]))
    return pd.DataFrame({f"c{c}": [cell(one[c]) for one in series] for c in channels})


def of_polars(series):
    return pl.DataFrame({f"c{c}": [o[c].tolist() for o in series] for c in range(len(series[0]))})


def stacked_frames(series):
    """Rows (series, time), columns channels: sktime's pd-multiindex."""
    return pd.concat([pd.DataFrame(one.T) for one in series], keys=range(len(series)))


CONTAINERS = {
    "list": list,
    "tuple": tuple,
    "object array": objects,
    "NaN-padded": padded,
    "NaN-padded further": lambda series: padded(series, 50),
    "masked": lambda series: np.ma.masked_invalid(padded(series)),
    "torch": lambda series: torch.from_numpy(padded(series)),
    "list of tensors": lambda series: [torch.from_numpy(one) for one in series],
    "list of lists": lambda series: [one.tolist() for one in series],
    "nested frame": nested,
    "nested frame of arrays": lambda series: nested(series, np.array),
    "nested frame of lists": lambda series: nested(series, list),
    "polars": of_polars,
    "arrow": lambda series: of_polars(series).to_arrow(),
    "multi-index": stacked_frames,
    "list of frames": lambda series: [pd.DataFrame(one.T) for one in series],
}
OF_ONE_CHANNEL = {
    "vectors": lambda series: [one[0] for one in series],
    "pandas series": lambda series: [pd.Series(one[0]) for one in series],
    "object array of vectors": lambda series: objects([one[0] for one in series]),
    "NaN-padded rows": lambda series: padded(series)[:, 0],
    "frame of numbers": lambda series: pd.DataFrame(padded(series)[:, 0]),
    "column of arrays": lambda series: nested(series, np.array)["c0"],
    "column of lists": lambda series: nested(series, list)["c0"],
    "polars column": lambda series: of_polars(series)["c0"],
    "Arrow column": lambda series: of_polars(series).to_arrow()["c0"],
    "Arrow array": lambda series: of_polars(series)["c0"].to_arrow(),
}


@pytest.fixture(scope="module", params=[1, pytest.param(3, marks=pytest.mark.slow)])
def known(request):
    """Series of one and of three channels, what was fitted on them, and their features."""
    series = walks(channels=request.param)
    fitted = model().fit(series)
    return series, fitted, fitted.transform(series)


@pytest.mark.parametrize("name", [*CONTAINERS, *OF_ONE_CHANNEL])
def test_containers_of_the_same_series_give_the_same_features(known, name):
    series, fitted, expected = known
    if name in OF_ONE_CHANNEL and len(series[0]) > 1:
        X = CONTAINERS["list"](series)
    else:
        X = (CONTAINERS | OF_ONE_CHANNEL)[name](series)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again = model().fit(X)
    assert again.layout_ == fitted.layout_
    assert again.layout_.shape == (len(series[0]), 40)
    assert again.n_features_in_ == 40 * len(series[0])
    np.testing.assert_array_equal(again.transform(X), expected)
    np.testing.assert_array_equal(fitted.transform(X), expected)
    assert np.isfinite(expected).all()


MADE = {"list": list, "polars array": pl.Series, "polars lists": lambda X: pl.Series(X.tolist())}


@pytest.mark.parametrize("make", MADE.values(), ids=MADE)
def test_a_column_of_arrays_of_several_channels(make):
    X = np.stack(walks([20] * 6, channels=2))
    fitted = model().fit(X)
    again = model().fit(make(X))
    assert again.layout_ == fitted.layout_
    np.testing.assert_array_equal(again.transform(make(X)), fitted.transform(X))
    for wrong in (X[:, 0], make(X[:, 0, :3]), X[:, :1]):
        with pytest.raises(ValueError, match=r"channels|features|samples of shape"):
            again.transform(wrong)


@pytest.mark.parametrize("kind", ["table", "image"])
@pytest.mark.parametrize("make", [nested, of_polars, lambda X: of_polars(X)["c0"]], ids="abc")
def test_cells_of_series_are_for_encoders_of_series(kind, make):
    with pytest.raises(ValueError, match=f"reads {kind} data. Use encoder='series'"):
        model(encoder=kind).fit(make(walks([20] * 6)))


def test_what_was_fitted_is_remembered_as_it_was(known, tmp_path):
    series, fitted, expected = known
    fitted.save(tmp_path / "series")
    loaded = DeepInfoMaxTransformer.load(tmp_path / "series")
    for other in (loaded, pickle.loads(pickle.dumps(fitted))):
        np.testing.assert_array_equal(other.transform(series), expected)
    assert loaded.score(series) == fitted.score(series)
    assert np.isfinite(fitted.score(series))


@given(seed=st.integers(0, 10**6))
def test_features_of_a_series_depend_on_no_other(known, seed):
    series, fitted, expected = known
    rng = np.random.RandomState(seed)
    some = rng.permutation(len(series))[: rng.randint(1, len(series) + 1)]
    found = fitted.transform([series[i] for i in some])
    np.testing.assert_allclose(found, expected[some], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_series_of_one_length_are_the_array_of_them(channels, dtype):
    X = np.stack(walks([30] * 12, channels)).astype(dtype)
    expected = model().fit(X).transform(X)
    assert expected.dtype == dtype
    frames = nested(list(X), np.array)
    for same in (list(X), objects(list(X)), frames, stacked_frames(list(X))):
        np.testing.assert_array_equal(model().fit(same).transform(same), expected)


@pytest.mark.parametrize("X", [np.stack(walks([30] * 12, 2)), walks([30, 20] * 6, 2)])
def test_other_lengths_than_fit_saw_are_read(X):
    fitted = model().fit(X)
    whole = walks([30, 24, 8], 2, seed=1)
    found = fitted.transform(whole)
    for one, expected in zip(whole, found):
        alone = fitted.transform(one[None])
        np.testing.assert_allclose(alone[0], expected, rtol=1e-9, atol=1e-9)
    slow = np.repeat(whole[0], 3, axis=1)
    with pytest.warns(UserWarning, match="1 of 1 series in X are much longer than the 30") as said:
        np.testing.assert_allclose(fitted.transform([slow])[0], found[0], atol=1e-6)
    assert said[0].filename == __file__


def test_padding_is_no_part_of_a_series():
    series = walks()
    fitted, cut = model().fit(series), [one[:, :12] for one in series]
    np.testing.assert_allclose(
        fitted.transform(padded(cut, 40)), fitted.transform(np.stack(cut)), rtol=1e-9, atol=1e-9
    )
    assert not np.allclose(fitted.transform(cut), fitted.transform(series), atol=1e-2)


def test_what_is_missing_inside_is_on_a_straight_line():
    complete = [one.copy() for one in walks(channels=2)]
    gaps = [one.copy() for one in complete]
    for one, holed in zip(complete, gaps):
        one[0, 3:6] = np.linspace(one[0, 2], one[0, 6], 5)[1:4]
        one[1, :2] = one[1, 2]
        one[1, -1] = one[1, -2]
        holed[0, 3:6], holed[1, :2], holed[1, -1] = np.nan, np.nan, np.nan
    fitted = model().fit(complete)
    np.testing.assert_allclose(fitted.transform(gaps), fitted.transform(complete), atol=1e-9)
    again = model().fit(gaps)
    np.testing.assert_allclose(again.transform(gaps), fitted.transform(complete), atol=1e-2)
    rows = np.stack([one[0, :12] for one in complete])
    holed = rows.copy()
    holed[:, 3:6] = np.nan
    flat = model().fit(rows)
    np.testing.assert_allclose(flat.transform(holed), flat.transform(rows), atol=1e-9)


@pytest.mark.parametrize(
    "settings",
    [
        {"encoder": "convolutions"},
        {"views": 2, "encoder": SMALL},
        {"occlusion": 0.5, "encoder": "convolutions"},
        {"context": "cpc", "encoder": SMALL},
        {"prior": "uniform", "coordinates": "absolute", "early_stopping": True},
    ],
    ids=str,
)
def test_other_parts_read_them_too(settings):
    series = walks(channels=2)
    fitted = model(max_epochs=2, **settings).fit(series)
    found = fitted.transform(series)
    assert np.isfinite(found).all()
    np.testing.assert_allclose(fitted.transform(series[3:5]), found[3:5], rtol=1e-6, atol=1e-6)
    np.testing.assert_array_equal(clone(fitted).fit(padded(series)).transform(series), found)
    assert np.isfinite(fitted.score(series))


def test_further_passes_and_the_shape_said():
    series = walks(channels=2)
    fitted = model().partial_fit(series).partial_fit(walks([20, 40, 30], 2, seed=1))
    assert np.isfinite(fitted.transform(series)).all()
    rows = padded(series).reshape(12, -1)
    shaped = model(sample_shape=(2, 40)).fit(rows)
    np.testing.assert_array_equal(shaped.transform(rows), shaped.transform(series))


def test_pipelines_and_searches_index_them():
    y = np.arange(12) // 2 % 2
    series = walks()
    for one, label in zip(series, y):
        one += 3 * label * np.sin(np.arange(one.shape[1]))
    line = make_pipeline(model(max_epochs=1), RidgeClassifier())
    for X in (series, nested(series)):
        search = GridSearchCV(line, {"ridgeclassifier__alpha": [1.0]}, cv=2)
        assert search.fit(X, y).best_score_ > 0.7


def test_a_list_of_arrays_is_taken_for_series_by_itself():
    for series in (walks(), [one[0] for one in walks()], padded(walks(channels=2))):
        layout = DeepInfoMaxTransformer(4, max_epochs=1).fit(series).layout_
        assert layout.kind == "series"
        assert layout.shape[1] == 40


# Which axis is time ----------------------------------------------------------------------------


def test_channels_last():
    series = walks(channels=3)
    expected = model().fit(series).transform(series)
    last = [one.T for one in series]
    found = model(channels="last").fit(last)
    np.testing.assert_array_equal(found.transform(last), expected)
    np.testing.assert_array_equal(found.transform(np.swapaxes(padded(series), 1, 2)), expected)
    X = np.stack(walks([30] * 12, 3))
    expected = model().fit(X).transform(X)
    turned = model(channels="last").fit(X.swapaxes(1, 2))
    assert turned.layout_.shape == (30, 3)
    assert turned.layout_.network_shape == (3, 30)
    np.testing.assert_array_equal(turned.transform(X.swapaxes(1, 2)), expected)
    short = X[:, :, :20].swapaxes(1, 2)
    np.testing.assert_allclose(
        turned.transform(short), model().fit(X).transform(X[:, :, :20]), rtol=1e-9, atol=1e-9
    )


@pytest.mark.parametrize(
    ("shape", "settings"),
    [
        ((20, 3), {}),
        ((20, 3), {"encoder": "auto"}),
        ((8, 8), {}),
    ],
)
def test_a_shape_that_may_mislead_is_warned_of_until_it_is_said(shape, settings):
    X = np.random.RandomState(0).normal(size=(12, *shape)).astype(np.float32)
    with pytest.warns(UserWarning, match='Say channels="last"') as said:
        model(max_epochs=1, **settings).fit(X)
    assert len(said) == 1
    assert said[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for channels in ("first", "last"):
            found = model(max_epochs=1, channels=channels, **settings).fit(X).layout_
            assert found.network_shape == (shape if channels == "first" else shape[::-1])


def test_squares_that_look_like_series_are_warned_of(digits):
    moves = np.random.RandomState(0).normal(size=(60, 12, 12)).cumsum(2).astype(np.float32)
    plain = {"max_epochs": 1, "n_components": 4}
    with pytest.warns(UserWarning, match='taken for images.*Say encoder="series"') as said:
        DeepInfoMaxTransformer(**plain).fit(moves.swapaxes(1, 2))
    assert len(said) == 1
    noise = np.random.RandomState(0).normal(size=(60, 12, 12))
    layout = Layout("image", (12, 12), None)
    assert doubts(layout, None, "auto", moves)
    assert not doubts(layout, "image", "auto", moves)
    assert not doubts(layout, None, "auto", noise)
    assert not doubts(Layout("image", (8, 8), None), None, "auto", digits[0])
    assert not doubts(Layout("series", (12, 12), 0), "series", "first", moves)


# What is no series -----------------------------------------------------------------------------


def with_one(bad, at=2, channels=1):
    series = walks(channels=channels)
    return [*series[:at], bad, *series[at + 1 :]]


WRONG = {
    "channels": (with_one(np.zeros((2, 20))), r"Sample 2 .* has 2 channels, and sample 0 has 1"),
    "empty": (with_one(np.zeros((1, 0))), r"Sample 2 .* is empty.*Leave it out"),
    "short": (with_one(np.array([[7.0]])), r"Sample 2 .* has 1 value \(7.0\).*2 or more"),
    "short but for NaN": (with_one(np.array([[7.0, np.nan]])), r"Sample 2 .* has 1 value"),
    "text": (with_one(np.array(["up", "down"])), r"Sample 2 .* holds text, such as 'up'"),
    "objects": (
        with_one(np.array([1.0, "up", 2.0], dtype=object)),
        r"Sample 2 .* holds text, such as 'up'",
    ),
    "complex": (with_one(np.array([1j, 2, 3])), r"Sample 2 .* holds complex numbers"),
    "dates": (with_one(np.array(["2020-01-01"] * 9, "M8[D]")), r"Sample 2 .* holds dates"),
    "only NaN": (with_one(np.full((1, 9), np.nan)), r"Sample 2 .* nothing but missing"),
    "a channel of NaN": (
        with_one(np.stack([np.zeros(9), np.full(9, np.nan)]), channels=2),
        r"Sample 2 .* nothing but missing values \(NaN\) in channel 1.*Fill that channel",
    ),
    "infinite": (
        with_one(np.array([1.0, 2.0, -np.inf, 3.0])),
        r"Sample 2 .* infinite \(-inf\) in channel 0 at time 2.*Replace it",
    ),
    "infinite in an array": (
        np.where(np.arange(40) == 7, np.inf, padded(walks())),
        r"Sample 0 .* infinite \(inf\) in channel 0 at time 7",
    ),
    "cubes": (with_one(np.zeros((2, 2, 9))), r"Sample 2 .* has shape \(2, 2, 9\)"),
    "ragged channels": (
        with_one([[1.0, 2.0, 3.0], [4.0, 5.0]], channels=2),
        r"Sample 2 .* channels of several lengths",
    ),
    "time first": (
        [one.T for one in walks(channels=3)],
        r'Sample 1 .* has 40 channels, and sample 0 has 12.*say channels="last"',
    ),
    "ragged cells": (
        pd.DataFrame({"a": [np.zeros(5), np.zeros(6)], "b": [np.zeros(5), np.zeros(7)]}),
        r"Sample 1 .* channels of 6 and 7 values",
    ),
    "one sample": (walks([20]), r"1 sample\(s\).* while a minimum of 2 is required"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_no_series_is_refused_by_number_before_training(name):
    X, message = WRONG[name]
    fresh = model()
    with pytest.raises(ValueError, match=message):
        fresh.fit(X)
    assert not hasattr(fresh, "_fitted")
    if name not in {"one sample", "time first", "ragged cells", "channels"}:
        channels = 2 if name in {"a channel of NaN", "ragged channels"} else 1
        with pytest.raises(ValueError, match=message):
            model(max_epochs=1).fit(walks(channels=channels)).transform(X)


def test_other_channels_than_fit_saw():
    fitted = model(max_epochs=1).fit(walks(channels=2))
    with pytest.raises(ValueError, match=r"Sample 0 .* has 3 channels, and fit has seen 2"):
        fitted.transform(walks(channels=3))
    with pytest.raises(ValueError, match=r"Sample 0 .* has 40 channels.*say channels|fit has seen"):
        fitted.transform([one.T for one in walks(channels=2)])


def test_rows_of_a_list_that_differ_are_no_series_unless_that_is_said():
    rows = [[1.0, 2.0, 3.0], [4.0, 5.0], [6.0, 7.0, 8.0]]
    with pytest.raises(ValueError, match=r'Row 1 .*shape \(2,\).*say encoder="series"'):
        DeepInfoMaxTransformer().fit(rows)
    assert model(max_epochs=1).fit(rows).layout_.shape == (1, 3)


@pytest.mark.parametrize("kind", ["table", "image"])
def test_series_where_fit_saw_something_else(kind, digits):
    X = digits[0][:40] if kind == "image" else digits[0][:40].reshape(40, -1)
    fitted = DeepInfoMaxTransformer(4, max_epochs=1).fit(X)
    with pytest.raises(ValueError, match=r"Sample 1 .* has shape \(1, 40\).*fit has seen"):
        fitted.transform(walks())


def test_missing_values_of_tables_and_images_stay_refused(digits):
    images = digits[0][:20].copy()
    images[4, 2, 2] = np.nan
    with pytest.raises(ValueError, match=r'Sample 4 .* taken for images.*encoder="series"'):
        DeepInfoMaxTransformer().fit(images)
    for X in (images.reshape(20, -1), images[:, None]):
        with pytest.raises(ValueError, match="contains NaN"):
            DeepInfoMaxTransformer().fit(X)


def test_a_shape_for_all_contradicts_series_of_several():
    with pytest.raises(ValueError, match=r"sample_shape=\(1, 40\).*several. Leave"):
        model(sample_shape=(1, 40)).fit(walks())


@pytest.mark.parametrize(("shortest", "length"), [(2, 8), (8, 5000)])
def test_lengths_at_the_extremes(shortest, length):
    series = walks([shortest, length, length // 2, shortest + 1], 1)
    found = model(max_epochs=1).fit(series).transform(series)
    assert np.isfinite(found).all()

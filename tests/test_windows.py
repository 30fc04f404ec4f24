"""One long series as windows, and what is known of windows as values of moments."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone

from sk_infomax import DeepInfoMaxTransformer, Windows


@given(
    n_times=st.integers(2, 60),
    length=st.integers(2, 20),
    step=st.integers(1, 25) | st.none(),
    channels=st.integers(1, 3),
    seed=st.integers(0, 1000),
)
def test_windows_against_a_loop(n_times, length, step, channels, seed):
    series = np.random.RandomState(seed).normal(size=(n_times, channels))
    windows = Windows(length, step)
    if n_times < length:
        with pytest.raises(ValueError, match=f"X has {n_times} moments, .*length={length}"):
            windows.fit(series)
        return
    found = windows.fit_transform(series)
    starts = list(range(0, n_times - length + 1, step or length))
    assert windows.starts_.tolist() == starts == windows.starts(series).tolist()
    assert found.shape == (len(starts), channels, length)
    for start, window in zip(starts, found):
        np.testing.assert_array_equal(window, series[start : start + length].T)
    spread = windows.spread(found[:, :, 0])
    for time in range(n_times):
        seen = [row[:, 0] for start, row in zip(starts, found) if start <= time < start + length]
        expected = np.mean(seen, axis=0) if seen else np.full(channels, np.nan)
        np.testing.assert_allclose(spread[time], expected, atol=1e-12)


def test_containers_dtypes_and_copies():
    series = np.arange(12, dtype=np.float32)
    windows = Windows(4, 2).fit(series)
    found = windows.transform(series)
    assert found.dtype == np.float32
    for same in (series[:, None], series.tolist(), pd.Series(series), pd.DataFrame({"a": series})):
        np.testing.assert_array_equal(windows.transform(same), found)
    found[:] = 0
    assert series[3] == 3
    assert np.isnan(windows.transform(np.where(series == 5, np.nan, series))).sum() == 2
    assert clone(windows).get_params() == {"length": 4, "step": 2}


def test_other_series_than_fit_saw():
    windows = Windows(4).fit(np.zeros(20))
    assert windows.transform(np.zeros(9)).shape == (2, 1, 4)
    assert windows.spread([1.0, 2.0], n_times=9).tolist()[:8] == [1.0] * 4 + [2.0] * 4
    with pytest.raises(ValueError, match=r"values has 2 rows, .* 20 moments has 5 windows"):
        windows.spread([1.0, 2.0])
    with pytest.raises(ValueError, match=r"X has 2 channels, .* fitted on 1"):
        windows.transform(np.zeros((20, 2)))


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.zeros((3, 2, 20)), "X has 3 dimensions, but Windows cuts one long series"),
        (np.float64(3), "X has 0 dimensions"),
        (np.zeros(3), "X has 3 moments, .*length=4.*Lower length"),
        (np.array([0, 1, np.inf, 2, 3]), "infinity"),
        (["a"] * 9, "could not convert|dtype|string"),
        (np.zeros(9, complex), "[Cc]omplex"),
        (np.zeros(9, complex).astype(object), "[Cc]omplex"),
    ],
)
def test_what_is_no_long_series(X, message):
    with pytest.raises(ValueError, match=message):
        Windows(4).fit(X)


@pytest.mark.parametrize("settings", [{"length": 1}, {"length": 4.5}, {"step": 0}])
def test_settings_that_make_no_windows(settings):
    with pytest.raises(ValueError, match=f"'{next(iter(settings))}' parameter of Windows must be"):
        Windows(**settings).fit(np.zeros(200))


def test_features_of_moments():
    times = np.arange(600)
    series = np.where(times < 300, np.sin(times / 2), np.sin(times / 5))
    windows = Windows(30, 10)
    model = DeepInfoMaxTransformer(4, output="embedding", max_epochs=1, random_state=0)
    moments = windows.spread(model.fit_transform(windows.fit_transform(series)))
    assert moments.shape == (600, 4)
    first, second = moments[:270], moments[330:]
    assert np.abs(first.mean(0) - second.mean(0)).max() > 3 * moments[:270].std(0).max()

"""Frames in, frames out: what the functions give for each library, and names that repeat."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from sk_infomax import (
    MutualInfoEstimator,
    lagged_mutual_info,
    mutual_info_matrix,
    mutual_info_scores,
)

RNG = np.random.RandomState(0)
Y = RNG.randint(0, 2, 120)
FRAME = pd.DataFrame({"number": RNG.normal(size=120) + Y, "text": np.where(Y, "up", "down")})
SCORES = mutual_info_scores(FRAME.to_numpy(), Y)
FAST = {"cv": 2, "max_steps": 5, "random_state": 0}


def test_pandas_has_the_names_in_its_index():
    scores, ends, p = mutual_info_scores(FRAME, Y, return_interval=True, return_p_values=True)
    assert (scores.name, p.name, list(ends.columns)) == ("mutual_info", "p_value", ["low", "high"])
    for result in (scores, ends, p):
        assert list(result.index) == ["number", "text"]
    np.testing.assert_array_equal(scores, SCORES)


@pytest.mark.parametrize("frame", [pl.from_pandas(FRAME), pa.Table.from_pandas(FRAME)])
def test_other_libraries_have_the_names_in_a_column(frame):
    results = mutual_info_scores(frame, Y, return_interval=True, return_p_values=True)
    for result, columns in zip(results, (["mutual_info"], ["low", "high"], ["p_value"])):
        assert type(result) is type(frame)
        table = pa.table(result) if isinstance(frame, pa.Table) else result.to_arrow()
        assert table.column_names == ["column", *columns]
        assert table["column"].to_pylist() == ["number", "text"]
    assert np.asarray(results[0]["mutual_info"]).tolist() == SCORES.tolist()
    matrix = mutual_info_matrix(frame)
    assert type(matrix) is type(frame)
    names = matrix.column_names if isinstance(frame, pa.Table) else matrix.columns
    assert names == ["number", "text"]
    assert np.isinf(np.asarray(matrix["number"])[0])


def test_series_give_frames_of_lags():
    x = RNG.randint(0, 2, 200)
    plain = lagged_mutual_info(x, x, [0, 1], block_length=1)
    for series in (pd.Series(x), pl.Series(x)):
        for sides in ((series, x), (x, series)):
            table = lagged_mutual_info(*sides, [0, 1], block_length=1)
            assert list(table.columns) == ["lag", "mutual_info", "low", "high"]
            np.testing.assert_array_equal(table.to_numpy(), plain)


def test_names_may_repeat():
    frame = FRAME.set_axis(["same", "same"], axis=1)
    table = pa.table([pa.array(FRAME[name]) for name in FRAME], names=["same", "same"])
    np.testing.assert_array_equal(mutual_info_scores(frame, Y), SCORES)
    assert list(mutual_info_matrix(frame).columns) == ["same", "same"]
    assert mutual_info_matrix(table).shape == (2, 2)
    estimator = MutualInfoEstimator(**FAST).fit(frame, Y)
    assert not hasattr(estimator, "feature_names_in_")
    for same in (frame, table):
        values = estimator.pointwise(same, Y)
        np.testing.assert_array_equal(values, estimator.pointwise(FRAME.to_numpy(), Y))

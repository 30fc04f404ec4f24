"""Mixed columns as a matrix of numbers."""

import json

import numpy as np
import pandas as pd
import polars as pl
import pytest

from sk_infomax._columns._numbers import MatrixOfColumns
from sk_infomax._columns._reading import read_columns


def matrix(frame, new=None):
    """Learn from a frame, and apply to another or to the same, as a dict of columns."""
    known = MatrixOfColumns.learn(read_columns(frame))
    values = known.apply(read_columns(frame if new is None else new))
    assert values.shape[1] == len(known.names)
    assert np.isfinite(values).all()
    return dict(zip(known.names, values.T.tolist()))


def test_numbers_stay_and_what_is_missing_is_the_mean():
    found = matrix(pd.DataFrame({"a": [1.0, 2.0, np.nan, 6.0], "b": [1, 2, 3, 4]}))
    assert found["a"] == [1, 2, 3, 6]
    assert found["a is missing"] == [0, 0, 1, 0]
    assert found["b"] == [1, 2, 3, 4]


def test_levels_are_indicators_and_flags_a_single_one():
    frame = pd.DataFrame({"c": list("xyzx") * 5, "flag": [True, False] * 10})
    found = matrix(frame, pd.DataFrame({"c": ["x", "new", None], "flag": [False, True, True]}))
    assert set(found) == {"c = x", "c = y", "c = z", "flag = False"}
    assert found["c = x"] == [1, 0, 0]
    assert found["c = y"] == [0, 0, 0]
    assert found["flag = False"] == [1, 0, 0]


def test_missing_levels_have_an_indicator():
    found = matrix(pd.DataFrame({"c": ["x", None, "y", "x"] * 5}))
    assert found["c is missing"] == [0, 1, 0, 0] * 5
    assert found["c = x"] == [1, 0, 0, 1] * 5


def test_many_levels_are_also_told_by_how_frequent_they_are():
    levels = [f"level {k}" for k in range(30) for _ in range(5 + k)]
    found = matrix(pd.DataFrame({"c": levels}), pd.DataFrame({"c": ["level 0", "level 29", "?"]}))
    assert len(found) == 21
    shares = found["c, log of its share"]
    assert shares[0] == pytest.approx(np.log(5 / len(levels)))
    assert shares[2] == shares[0] < shares[1]


def test_text_that_does_not_repeat_is_refused_by_name():
    notes = [f"text {k} says a lot of things" for k in range(40)]
    frame = pd.DataFrame({"a": range(40), "note": notes, "key": [f"K{k}" for k in range(40)]})
    said = r"'note' .*free text: 40 different values in 40 rows, such as 'text 0.*TfidfVectorizer"
    with pytest.raises(ValueError, match=said):
        matrix(frame)
    with pytest.raises(ValueError, match=r"'key' .*identifiers.*such as 'K0'.*Leave 'key' out"):
        matrix(frame.drop(columns="note"))


def test_numbers_too_large_to_be_amounts_are_identifiers():
    with pytest.raises(ValueError, match=r"'key' .*identifiers.*such as 9007199254740993"):
        matrix(pd.DataFrame({"key": [2**53 + 1 + 2 * k for k in range(30)]}))


def test_numbers_as_text_are_to_be_converted():
    frame = pd.DataFrame({"price": [f"{k / 7:.3f}" for k in range(40)]})
    with pytest.raises(ValueError, match=r"'price' .*numbers as text.*convert"):
        matrix(frame)


def test_rare_levels_that_repeat_are_told_by_their_share():
    found = matrix(pd.DataFrame({"c": [f"level {k}" for k in range(60)] * 2}))
    assert "c, log of its share" in found


def test_plain_values_give_the_same_again():
    frame = pd.DataFrame(
        {
            "a": [1.5, None] * 100,
            "c": [f"level {k % 40}" for k in range(200)],
            "d": pd.date_range("2021", periods=200),
            "flag": [True, False] * 100,
            "gone": [None] * 200,
        }
    )
    known = MatrixOfColumns.learn(read_columns(frame))
    plain = json.loads(json.dumps(known.plain()))
    assert MatrixOfColumns.from_plain(plain) == known


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "other"},
        {"mean": "1"},
        {"mean": float("nan")},
        {"may_miss": 1},
        {"name": None},
    ],
)
def test_damaged_plain_values_are_refused(change):
    known = MatrixOfColumns.learn(read_columns(pd.DataFrame({"a": [1.0, 2.0]})))
    with pytest.raises(ValueError, match="damaged"):
        MatrixOfColumns.from_plain([known.plain()[0] | change])
    with pytest.raises(ValueError, match="damaged"):
        MatrixOfColumns.from_plain(3)


def test_flags_as_numbers_and_kinds_of_a_column_that_was_empty():
    flags = pd.DataFrame({"flag": [True, False, False]})
    assert matrix(flags, pd.DataFrame({"flag": [1, 0]})) == {"flag = True": [1, 0]}
    empty = pd.DataFrame({"a": [None, None]})
    assert matrix(empty, pd.DataFrame({"a": [1.0, np.nan]})) == {"a is missing": [0, 1]}


def test_dates_have_cycles_that_they_span():
    days = pd.date_range("2021-01-04", periods=400)
    found = matrix(pd.DataFrame({"d": days}))
    assert "d, sine of day" not in found  # all at midnight
    assert found["d"][1] - found["d"][0] == pytest.approx(1)
    np.testing.assert_allclose(found["d, sine of week"][:7], found["d, sine of week"][7:14])
    assert np.ptp(found["d, cosine of year"]) > 1.9
    few = matrix(pd.DataFrame({"d": days[:3]}))
    assert set(few) == {"d"}


def test_durations_are_seconds():
    found = matrix(pd.DataFrame({"t": pd.to_timedelta([1, 90], "min")}))
    assert found["t"] == pytest.approx([60, 5400])


def test_libraries_agree():
    data = {"a": [1.5, None, 2.5, 3.5] * 5, "c": ["x", "y", None, "x"] * 5, "k": [1, 2, 3, 4] * 5}
    first, second = matrix(pd.DataFrame(data)), matrix(pl.DataFrame(data))
    assert first == second


def test_other_kinds_are_refused_and_empty_columns_are_not():
    numbers, texts = pd.DataFrame({"a": [1.0, 2.0]}), pd.DataFrame({"a": ["x", "y"]})
    with pytest.raises(ValueError, match="holds a label, but 'a' held a number"):
        matrix(numbers, texts)
    assert matrix(numbers, pd.DataFrame({"a": [None, None]})) == {"a": [1.5, 1.5]}


def test_other_numbers_of_columns_are_refused():
    with pytest.raises(ValueError, match="2 columns, but 1"):
        matrix(pd.DataFrame({"a": [1.0, 2.0]}), pd.DataFrame({"a": [1.0], "b": [1.0]}))

import pickle
from datetime import date, timedelta

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ndtri

from sk_infomax._columns._reading import read_columns
from sk_infomax.information._columns import Columns, discrete_flags


def learn(values, discrete="auto", argument="X"):
    """What is known of values, and the typed columns."""
    columns = read_columns(values, argument)
    return Columns(columns, discrete, argument), columns


def all_readings(values, discrete="auto"):
    known, columns = learn(values, discrete)
    return known.is_discrete, known.apply(columns).tolist(), known.codes(columns).tolist()


# The law: the same values, the same readings ------------------------------------------------


@given(st.lists(st.integers(0, 40), min_size=1, max_size=60), st.booleans())
def test_labels_by_any_name_read_alike(codes, mapped):
    """As whole numbers, text, categories, flags or dates, sorted or not."""
    names = [f"{(17 * code) % 41}" if mapped else f"level {code}" for code in codes]
    days = [date(2020, 1, 1) + timedelta(days=code) for code in codes]
    expected = all_readings(codes, True)
    for values in (
        [float(code) for code in codes],
        [2**60 + code for code in codes],
        names,
        [code % 41 * -3 for code in codes],
        pd.Series(codes).astype("category"),
        pd.Series(names, dtype="category"),
        pl.Series(names, dtype=pl.Categorical),
        days,
    ):
        assert all_readings(values, True) == expected


@given(st.lists(st.integers(0, 400), min_size=1, max_size=60), st.integers(0, 60))
def test_dates_read_as_whole_numbers_do(days, n_repeats):
    days = days + days[:1] * n_repeats
    expected = all_readings(days)
    epoch = np.datetime64("2020-01-01")
    for values in (
        epoch + np.array(days),
        pd.Series(epoch + np.array(days)).astype("datetime64[ns]"),
        np.array(days, dtype="m8[s]"),
        np.array(days) + 2**60,
        np.array(days) - 0.5,
    ):
        assert all_readings(values) == expected


@given(
    st.lists(st.integers(-(2**20), 2**20), min_size=1, max_size=40),
    st.sampled_from([1e-300, 3.7e-17, 1.0, 1e300]),
    st.sampled_from([0, 1000]),
)
def test_scale_and_offset_change_nothing(numbers, scale, offset):
    values, new = np.array(numbers), np.arange(-3, 3) * 10**5
    known, columns = learn(values)
    other, moved = learn((values + offset) * scale)
    assert np.array_equal(known.apply(columns), other.apply(moved))
    assert np.array_equal(known.codes(columns), other.codes(moved))
    read = known.apply(read_columns(new)), other.apply(read_columns((new + offset) * scale))
    assert np.array_equal(*read)


@given(
    st.lists(st.integers(-9, 9), min_size=1, max_size=30),
    st.lists(st.integers(-12, 12), min_size=1),
)
def test_scores_are_those_of_a_loop(seen, new):
    known, _ = learn(seen, False)
    ranks = [(sum(v < x for v in seen) + sum(v <= x for v in seen)) / 2 for x in new]
    ends = sum(v == min(seen) for v in seen) / 2, len(seen) - sum(v == max(seen) for v in seen) / 2
    expected = [ndtri(np.clip(rank, *ends) / len(seen)) for rank in ranks]
    assert np.allclose(known.apply(read_columns(new))[:, 0], expected)


# The readings -----------------------------------------------------------------------------


def test_few_levels_are_indicators_of_mean_0_and_spread_1():
    known, columns = learn(["a", "b", "a", "c"] * 3)
    numbers = known.apply(columns)
    assert (known.width, known.embedded, known.with_levels) == (3, [], [0])
    assert np.allclose(numbers.mean(0), 0)
    assert np.allclose(numbers.std(0), 1)
    assert known.codes(columns)[:4, 0].tolist() == [0, 1, 0, 2]
    assert known.counts(0).tolist() == [6, 3, 3]


def test_many_levels_are_embedded():
    known, columns = learn([f"zip {i % 30}" for i in range(300)])
    assert (known.width, known.embedded, known.is_discrete) == (0, [0], [True])
    assert known.apply(columns).shape == (300, 0)
    assert known.codes(columns)[:, 0].tolist() == [i % 30 for i in range(300)]


def test_whole_numbers_of_many_values_have_both_readings():
    classes = np.random.RandomState(0).permutation(np.arange(2000) % 200)
    known, columns = learn(classes)
    assert (known.is_discrete, known.width, known.embedded) == ([False], 1, [0])
    assert len(np.unique(known.codes(columns))) == len(np.unique(known.apply(columns))) == 200
    assert learn(classes, True)[0].width == 0
    assert learn(classes, False)[0].embedded == []


def test_floats_have_no_levels():
    known, columns = learn(np.random.RandomState(0).randn(100, 2))
    assert (known.with_levels, known.width) == ([], 2)
    assert known.codes(columns).shape == (100, 0)


def test_ids_beyond_float64_stay_apart():
    ids = 2**60 + np.arange(100)
    known, columns = learn(ids)
    assert known.varied == [*range(len(known.parts))]
    assert len(np.unique(known.apply(columns))) == 100
    floats = read_columns([float(2**60), 2.0**61])  # another store of the same numbers
    assert known.apply(floats)[:, 0].tolist() == known.apply(columns)[[0, 99], 0].tolist()
    by_level, columns = learn(ids, True)
    assert by_level.codes(read_columns(pd.Series(ids + 1)))[-2:, 0].tolist() == [99, 100]


def test_chosen_codes():
    known, columns = learn([[1, "a"], [2, "b"], [1, "c"]] * 10)
    assert known.codes(columns, [1])[:3].tolist() == [[0], [1], [2]]


def test_pickles_as_plain_arrays_and_small():
    known, columns = learn(pd.DataFrame({"f": np.arange(1000) / 7, "t": ["a", "b"] * 500}))
    text = pickle.dumps(known)
    assert len(text) < 2 * 8 * 1000 + 2000
    assert b"pandas" not in text
    assert np.array_equal(pickle.loads(text).apply(columns), known.apply(columns))


# Missing levels and new ones --------------------------------------------------------------


@pytest.mark.parametrize("values", [["a", None, "b", "a"] * 5, [1, None, 2, 1] * 5])
def test_what_is_missing_is_a_level(values):
    known, columns = learn(values)
    assert known.codes(columns)[:4, 0].tolist() == [0, 1, 2, 0]
    assert known.width == 3


def test_missing_numbers_have_no_level():
    message = (
        r"X column 'age' \(position 0\) holds numbers, and 1 are missing .* in row 2: "
        "missing='level' is for labels"
    )
    frame = pd.DataFrame({"age": [0.1, 0.2, None, 0.4]})
    with pytest.raises(ValueError, match=message):
        learn(frame)
    known, _ = learn(frame.fillna(0.3))
    with pytest.raises(ValueError, match=message):
        known.check(read_columns(frame))
    assert learn(frame, True)[0].width == 4


def test_new_levels_tell_nothing_and_are_said():
    known, columns = learn(pd.DataFrame({"city": ["Oslo", "Bergen"] * 5}))
    assert known.unseen(columns) == []
    new = read_columns(pd.DataFrame({"city": ["Oslo", "Rome", None]}))
    known.check(new)
    assert known.apply(new)[1:].tolist() == [[0, 0], [0, 0]]
    assert known.codes(new)[:, 0].tolist() == [0, 2, 2]
    (finding,) = known.unseen(new)
    assert finding == (
        "X column 'city' (position 0) holds 2 values that were not seen at fit, the first 'Rome' "
        "in row 1. They are taken to tell nothing."
    )


def test_new_numbers_are_no_finding():
    known, _ = learn(np.arange(2000) % 200)
    assert known.unseen(read_columns([1000])) == []


# Checks at reading ------------------------------------------------------------------------

FRAME = pd.DataFrame({"n": [0.5, 1.5], "t": ["a", "b"], "d": np.array([1, 2], dtype="M8[D]")})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f[["n", "t"]], "X has 2 features, but 3 were expected"),
        (lambda f: f[["t", "n", "d"]], r"the same order as at fit, \['n', 't', 'd'\]; got \['t'"),
        (lambda f: f.rename(columns={"t": "u"}), r"Unseen at fit: \['u'\]; now missing: \['t'\]"),
        (
            lambda f: f.assign(n=["a", "b"]),
            r"column 'n' .* holds labels, but held numbers at fit",
        ),
        (lambda f: f.assign(t=[1, 2]), r"X column 't' .* holds numbers, but held labels at fit"),
        (lambda f: f.assign(d=[1, 2]), r"X column 'd' .* holds numbers, but held dates at fit"),
        (lambda f: f.assign(n=[None, 1.0]), r"X column 'n' .* 1 are missing .* in row 0"),
    ],
)
def test_other_columns_are_refused_at_reading(change, message):
    known, _ = learn(FRAME)
    with pytest.raises(ValueError, match=message):
        known.check(read_columns(change(FRAME)))


def test_same_columns_in_other_containers_pass():
    known, columns = learn(FRAME)
    for values in (FRAME, pl.from_pandas(FRAME), FRAME.astype(object).to_numpy()):
        known.check(read_columns(values))
        assert np.array_equal(known.apply(read_columns(values)), known.apply(columns))


def test_numeric_categories_may_be_read_as_numbers():
    known, _ = learn(pd.Series([1, 2, 1]).astype("category"))
    known.check(read_columns([2, 3]))
    with pytest.raises(ValueError, match="holds numbers, but held labels"):
        known.check(read_columns([3]))
    known.check(read_columns([None]))


# Which columns are discrete ---------------------------------------------------------------

MIXED = pd.DataFrame({"n": [1.0, 2], "m": [3.0, 4], "t": ["a", "b"]})


@pytest.mark.parametrize(
    ("discrete", "expected"),
    [
        ("auto", [None, None, None]),
        (True, [True, True, True]),
        (np.True_, [True, True, True]),
        ([True, False, True], [True, False, True]),
        (np.array([False, True, True]), [False, True, True]),
        (["m"], [False, True, True]),
        ([0], [True, False, True]),
        (np.array([1]), [False, True, True]),
        (pd.Series(["n", "t"]), [True, False, True]),
        (["n", 1], [True, True, True]),
    ],
)
def test_flags(discrete, expected):
    assert discrete_flags(read_columns(MIXED), discrete, "discrete_x") == expected


@pytest.mark.parametrize(
    ("discrete", "message"),
    [
        ("n", r'discrete_x=\'n\' must be "auto", True, False or a list, for example \[\'n\'\]'),
        ([True], "discrete_x has 1 flags for 3 columns"),
        ([], "discrete_x has 0 flags for 3 columns"),
        ([3], "discrete_x: there is no column 3. Choose from"),
        ([-1], "discrete_x: there is no column -1"),
        (["nn"], "there is no column 'nn'. Did you mean 'n'"),
        (False, r"says that X column 't' \(position 2\) is not discrete, .*labels such as 'a'"),
        ([True, True, False], "discrete_x says that X column 't'"),
    ],
)
def test_wrong_flags_are_refused(discrete, message):
    with pytest.raises(ValueError, match=message):
        learn(MIXED, discrete)


def test_names_that_repeat_need_positions():
    columns = read_columns(pd.DataFrame([[1, 2]], columns=["a", "a"]), "y")
    with pytest.raises(ValueError, match=r"discrete_y: 2 columns are named 'a'. Give positions"):
        discrete_flags(columns, ["a"], "discrete_y")
    with pytest.raises(ValueError, match=r"no column 2. Give positions, from 0 to 1"):
        discrete_flags(read_columns([[1, 2]]), [2], "discrete_x")


# Findings ---------------------------------------------------------------------------------


def test_constant_columns_are_found_once():
    known, columns = learn(pd.DataFrame({"c": 3.0, "k": ["a"] * 9, "v": range(9)}))
    assert known.varied == [2]
    assert known.findings == [
        "X column 'c' (position 0), X column 'k' (position 1): one value only, which tells "
        "nothing. Leave out what is constant."
    ]
    assert not known.apply(columns)[:, :2].any()


def test_many_names_are_cut_short():
    assert "X column 4 and 3 more: one value only" in learn(np.ones((9, 8)))[0].findings[0]


def test_thin_labels_are_found():
    (finding,) = learn([f"id {i}" for i in range(50)])[0].findings
    assert finding.startswith("X (coverage 0.00): most rows hold a label that is seen fewer than")


def test_numbers_as_text_are_found():
    finding = learn([str(i / 7) for i in range(50)])[0].findings[-1]
    assert finding.startswith("X: numbers as text are read as labels")
    assert learn([str(i % 3) for i in range(50)])[0].findings == []
    assert len(learn([i if i else "a" for i in range(50)])[0].findings) == 1

from datetime import date, datetime, time
from enum import Enum, IntEnum

import containers
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from sk_infomax._columns import _reading
from sk_infomax._columns._reading import complete_rows, read_columns, take_rows


def facts(column):
    return column.kind, column.values.dtype, column.values.tolist(), column.missing.tolist()


def assert_one_column(cases):
    read = {name: read_columns(values) for name, values in cases}
    expected = facts(read["list"][0])
    for name, columns in read.items():
        assert len(columns) == 1, name
        assert facts(columns[0]) == expected, name
    return read["list"][0]


def lists_of(values, missing=True):
    """At least one value, and a missing one in half of the cases."""
    both = st.one_of(st.none(), values) if missing else values
    lists = st.lists(both, min_size=1, max_size=8)
    return lists.filter(lambda drawn: any(v is not None for v in drawn))


# The law: the same values, the same column -------------------------------------------------


@given(lists_of(st.integers(-(2**31), 2**31 - 1)) | lists_of(st.integers(-9, 9), missing=False))
def test_integers_are_the_same_numbers_everywhere(values):
    column = assert_one_column(containers.of_integers(values))
    assert (column.kind, column.values.dtype) == ("number", np.float64)
    assert column.scalars() == values


@given(lists_of(st.integers(-(2**80), 2**80) | st.integers(2**53, 2**64 - 1)))
def test_large_integers_keep_their_identity(values):
    column = assert_one_column(containers.of_large_integers(values))
    assert column.kind == "number"
    assert column.scalars() == values


@given(lists_of(st.floats(allow_nan=False, allow_infinity=False)))
def test_floats_are_the_same_numbers_everywhere(values):
    column = assert_one_column(containers.of_floats(values))
    assert (column.kind, column.values.dtype) == ("number", np.float64)
    assert column.scalars() == values


@given(lists_of(st.dates(date(1700, 1, 1), date(2250, 1, 1))))
def test_dates_are_the_same_everywhere(values):
    column = assert_one_column(containers.of_dates(values))
    assert column.kind == "date"
    days = [None if v is None else (v - date(1970, 1, 1)).days * 86_400 * 10**9 for v in values]
    assert column.scalars() == days


@given(lists_of(st.integers(-(10**9), 10**9)))
def test_durations_are_the_same_everywhere(values):
    column = assert_one_column(containers.of_durations(values))
    assert column.kind == "duration"
    assert column.scalars() == [None if v is None else v * 10**9 for v in values]


@given(lists_of(st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=4)))
def test_text_is_the_same_everywhere(values):
    column = assert_one_column(containers.of_text(values))
    assert column.kind == "label"
    assert column.scalars() == values


@given(lists_of(st.booleans()))
def test_flags_are_the_same_everywhere(values):
    column = assert_one_column(containers.of_flags(values))
    assert column.kind == "label"
    assert column.scalars() == values


@given(
    st.lists(
        st.tuples(st.integers(-9, 9), st.text("abc", max_size=2), st.floats(-1, 1)),
        min_size=1,
        max_size=5,
    )
)
def test_mixed_tables_are_the_same_everywhere(rows):
    frame = pd.DataFrame(rows, columns=["i", "t", "f"])
    tables = [
        rows,
        [list(row) for row in rows],
        frame,
        frame.astype(object),
        frame.astype(object).to_numpy(),
        pl.DataFrame(rows, schema=["i", "t", "f"], orient="row"),
        pa.Table.from_pandas(frame),
    ]
    read = [list(map(facts, read_columns(table))) for table in tables]
    assert all(table == read[0] for table in read)
    assert [kind for kind, *_ in read[0]] == ["number", "label", "number"]


# Shapes and containers --------------------------------------------------------------------


def test_matrix_is_read_by_columns_and_not_aliased():
    matrix = np.arange(6.0).reshape(3, 2)
    columns = read_columns(matrix)
    matrix[:] = 0
    assert [c.values.tolist() for c in columns] == [[0, 2, 4], [1, 3, 5]]
    assert [c.where for c in columns] == ["X column 0", "X column 1"]


@pytest.mark.parametrize("dtype", ["f2", "f4", "i1", "u1", "i2", "u2", "u4", "u8"])
def test_narrow_dtypes_are_numbers(dtype):
    (column,) = read_columns(np.array([1, 2, 3], dtype=dtype))
    assert facts(column) == ("number", np.float64, [1, 2, 3], [False] * 3)


def test_bfloat16_with_gradient():
    (column,) = read_columns(torch.tensor([1.5, 2], dtype=torch.bfloat16, requires_grad=True))
    assert column.scalars() == [1.5, 2]


def test_names_may_repeat():
    frame = pd.DataFrame([[1, "a"], [2, "b"]], columns=["same", "same"])
    table = pa.table([pa.array([1, 2]), pa.array(["a", "b"])], names=["same", "same"])
    for values in (frame, table):
        columns = read_columns(values, "y")
        assert [c.kind for c in columns] == ["number", "label"]
        assert columns[1].where == "y column 'same' (position 1)"


def test_series_keeps_its_name():
    (column,) = read_columns(pd.Series([1.0], name="age"), "y")
    assert (column.name, column.where) == ("age", "y column 'age'")
    assert read_columns([1.0], "y")[0].where == "y"


def test_categories_are_labels_whatever_they_are():
    numbers = pd.Series([30, 4, 30]).astype("category")
    assert facts(read_columns(numbers)[0])[::2] == ("label", [30, 4, 30])
    bins = pd.cut(pd.Series([1, 2, 3]), [0, 1, 5])
    assert read_columns(bins)[0].scalars() == ["(0, 1]", "(1, 5]", "(1, 5]"]
    assert facts(read_columns(bins)[0]) == facts(read_columns(bins.astype(str))[0])


def test_digits_as_text_are_labels():
    assert read_columns(["1", "2"])[0].kind == "label"


def test_enumerations_are_their_values():
    class Colour(str, Enum):  # noqa: UP042 (StrEnum already prints its value)
        RED = "red"

    assert read_columns([Colour.RED, "red"])[0].scalars() == ["red", "red"]
    assert read_columns([IntEnum("Size", "S M").M])[0].scalars() == [2]


def test_text_of_any_length():
    values = np.array(["a", np.nan], dtype=np.dtypes.StringDType(na_object=np.nan))
    assert read_columns(values)[0].scalars() == ["a", None]


def test_numbers_beside_flags_are_numbers_and_beside_text_labels():
    assert facts(read_columns([True, 2.5])[0])[::2] == ("number", [1, 2.5])
    assert facts(read_columns([1, "a", True, None])[0])[::2] == ("label", [1, "a", True, 0])


def test_times_of_day_are_durations():
    for values in ([time(1, 2)], pl.Series([time(1, 2)]), pa.array([time(1, 2)])):
        (column,) = read_columns(values)
        assert (column.kind, column.scalars()) == ("duration", [3_720 * 10**9])


def test_dates_beyond_nanoseconds_in_int64():
    for values in (
        [date(1, 1, 1)],
        np.array(["0001-01-01"], dtype="M8[D]"),
        pl.Series([date(1, 1, 1)]),
    ):
        assert read_columns(values)[0].scalars() == [-719_162 * 86_400 * 10**9]
    years = read_columns(np.array(["1971", "2020"], dtype="M8[Y]"))[0]
    assert years.scalars() == read_columns([date(1971, 1, 1), date(2020, 1, 1)])[0].scalars()
    assert read_columns(np.array([1500], dtype="m8[ps]"))[0].scalars() == [1.5]


def test_nanoseconds_are_kept():
    stamps = pd.Series(pd.to_datetime([10**18 + 1, 10**18 + 2]))
    for values in (stamps, stamps.astype(object), stamps.dt.tz_localize("UTC"), pl.Series(stamps)):
        assert read_columns(values)[0].scalars() == [10**18 + 1, 10**18 + 2]


def test_all_missing_has_one_kind():
    cases = {
        "list": [None, None],
        "nan": np.full(2, np.nan),
        "nat": np.full(2, "NaT", dtype="M8[s]"),
        "pandas": pd.Series([pd.NA, pd.NaT], dtype=object),
        "polars": pl.Series([None, None]),
        "arrow": pa.nulls(2),
        "masked": np.ma.masked_all(2),
    }
    column = assert_one_column(cases.items())
    assert column.missing.all()


def test_every_sign_of_a_missing_object():
    signs = [None, np.nan, float("nan"), np.float32("nan"), pd.NA, pd.NaT, np.datetime64("NaT")]
    (column,) = read_columns([*signs, "a"])
    assert column.missing.tolist() == [True] * len(signs) + [False]


# Refusals ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (None, "X is a NoneType, which has no columns"),
        ("text", "X is a str, which has no columns"),
        ({"a": [1]}, r"a dict as pandas.DataFrame\(...\)"),
        (pl.LazyFrame({"a": [1]}), r"a lazy frame as .collect\(\)"),
        ((v for v in "ab"), "X is a generator"),
    ],
)
def test_no_table(values, message):
    with pytest.raises(TypeError, match=message):
        read_columns(values)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.float64(3), r"X has shape \(\): give a vector"),
        (np.zeros((2, 2, 2)), r"X has shape \(2, 2, 2\): .*reshape"),
        (np.zeros(2, dtype=[("a", float), ("b", int)]), r"fields a, b. .*pandas.DataFrame"),
        (np.zeros((3, 0)), r"0 feature\(s\) \(shape=\(3, 0\)\) while a minimum of 1"),
        (pd.DataFrame(index=range(3)), r"0 feature\(s\) \(shape=\(3, 0\)\)"),
        (pl.DataFrame(), r"0 feature\(s\)"),
        ([], r"0 sample\(s\) \(shape=\(0, 1\)\) while a minimum of 1"),
        (pd.DataFrame({"a": [], "b": []}), r"0 sample\(s\) \(shape=\(0, 2\)\)"),
    ],
)
def test_shapes_that_are_refused(values, message):
    with pytest.raises(ValueError, match=message):
        read_columns(values)


@pytest.mark.parametrize(
    "values",
    [
        pd.DataFrame({"a": [1, 2], "tags": [[1], [2]]}),
        pl.DataFrame({"a": [1, 2], "tags": [[1], [2]]}),
        pa.table({"a": [1, 2], "tags": [[1], [2]]}),
    ],
)
def test_lists_in_cells_are_refused_with_the_column(values):
    with pytest.raises(
        ValueError, match=r"X column 'tags' \(position 1\) holds a list, \[1\], in row 0"
    ):
        read_columns(values)


@pytest.mark.parametrize(
    ("cell", "called"),
    [
        ({"k": 1}, "a dict"),
        ((1, 2), "a tuple"),
        (np.arange(3), "a ndarray"),
        ({1}, "a set"),
        (torch.zeros(2), "a Tensor"),
        (list(range(100)), "a list"),
    ],
)
def test_cells_of_many_values_are_refused(cell, called):
    values = np.array([None, "a", None], dtype=object)
    values[2] = cell
    with pytest.raises(ValueError, match=f"X holds {called}, .* in row 2. A cell must be one"):
        read_columns(values)


def test_ragged_rows_are_refused():
    with pytest.raises(ValueError, match="X holds a list"):
        read_columns([[1, 2], [3]])


@pytest.mark.parametrize(
    "values", [np.array([1j, 2]), [None, 1j], pl.Series([1j], dtype=pl.Object)]
)
def test_complex_is_refused(values):
    with pytest.raises(ValueError, match=r"Complex data not supported: X holds 1j in row \d"):
        read_columns(values)


def test_objects_without_text_are_refused():
    with pytest.raises(ValueError, match="which has no text of its own, in row 1"):
        read_columns(["a", object()])


@pytest.mark.parametrize("value", [np.inf, -np.inf])
def test_infinite_is_refused_everywhere(value):
    floats = [1.5, None, value]
    arrays = [
        [[0, 1.5], [0, None], [0, value]],
        np.array([[0, 1.5], [0, np.nan], [0, value]]),
        np.array([[0, 1.5], [0, np.nan], [0, value]], dtype=np.float32),
        np.array([[0, 1.5], [0, np.nan], [0, value]], dtype=np.longdouble),
    ]
    frames = [
        pd.DataFrame({"a": 0, "b": pd.Series(floats, dtype=d)})
        for d in ("float64", "Float64", "object", "category", "double[pyarrow]")
    ]
    frames += [pl.DataFrame({"a": [0, 0, 0], "b": floats}), pa.table({"a": [0, 0, 0], "b": floats})]
    for values in arrays:
        with pytest.raises(ValueError, match=f"X column 1 holds {value}, .* in row 2"):
            read_columns(values)
    for values in frames:
        with pytest.raises(
            ValueError, match=rf"X column 'b' \(position 1\) holds {value}, .*row 2"
        ):
            read_columns(values)


def test_too_large_fraction_is_refused():
    from decimal import Decimal

    with pytest.raises(ValueError, match="holds inf, infinite or too large for float64, in row 0"):
        read_columns([Decimal("Infinity")])
    assert read_columns([Decimal("1e400")])[0].scalars() == [10**400]


def test_sparse_matrices_are_spread_or_refused(monkeypatch):
    matrix = sparse.csr_matrix(np.array([[0, 1.5], [2, 0]]))
    assert [c.scalars() for c in read_columns(matrix)] == [[0, 2], [1.5, 0]]
    monkeypatch.setattr(_reading, "_MOST_VALUES", 3)
    with pytest.raises(ValueError, match=r"sparse matrix of shape \(2, 2\).*TruncatedSVD"):
        read_columns(matrix)
    with pytest.raises(ValueError, match="sparse"):
        read_columns(sparse.csr_matrix((10**6, 10**6)))


# What is missing --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make",
    [
        lambda v: pd.DataFrame({"id": 1, "age": v}),
        lambda v: pd.DataFrame({"id": 1, "age": pd.Series(v, dtype="Int64")}),
        lambda v: pl.DataFrame({"id": [1] * 4, "age": v}),
        lambda v: pa.table({"id": [1] * 4, "age": v}),
    ],
)
def test_missing_is_refused_with_the_column(make):
    columns = read_columns(make([1, None, None, 4]))
    with pytest.raises(
        ValueError,
        match=r"X column 'age' \(position 1\) has 2 missing values \(NaN, None or NaT\), the first "
        r"in row 1. Fill them in, or set missing='drop' to use complete pairs only\.",
    ):
        complete_rows({"X": columns})


def test_missing_label_may_be_a_level():
    with pytest.raises(ValueError, match=r"y has 1 missing .*or missing='level' to make a level"):
        complete_rows({"y": read_columns(["a", None], "y")})
    assert complete_rows({"y": read_columns(["a", None], "y")}, "level").all()


@given(lists_of(st.integers(0, 3)), st.data())
def test_complete_pairs(values, data):
    other = data.draw(
        st.lists(st.none() | st.just("a"), min_size=len(values), max_size=len(values))
    )
    sides = {"X": read_columns(values), "y": read_columns(other, "y")}
    expected = [a is not None and b is not None for a, b in zip(values, other)]
    if not any(expected):
        with pytest.raises(ValueError, match="missing='drop' leaves none of"):
            complete_rows(sides, "drop")
        return
    rows = complete_rows(sides, "drop")
    assert rows.tolist() == expected
    (kept,) = take_rows(sides["X"], rows)
    assert kept.scalars() == [a for a, keep in zip(values, expected) if keep]


def test_lengths_must_agree():
    sides = {"X": read_columns([1, 2]), "y": read_columns([1], "y")}
    with pytest.raises(ValueError, match="inconsistent numbers of samples: X has 2, y has 1"):
        complete_rows(sides)


# What a column knows of itself ------------------------------------------------------------


def test_levels_order_and_coverage():
    (ids,) = read_columns([f"id {i}" for i in range(100)])
    assert (ids.has_order, ids.has_levels, ids.n_levels, ids.coverage) == (False, False, 100, 0)
    (classes,) = read_columns(np.arange(1000) % 100)
    assert (classes.has_order, classes.has_levels, classes.is_few) == (True, True, False)
    assert (classes.n_levels, classes.coverage) == (100, 1)
    (few,) = read_columns(np.arange(100) % 20)
    assert few.is_few
    assert not read_columns(np.arange(99) % 20)[0].is_few
    (floats,) = read_columns(np.random.RandomState(0).randn(100))
    assert (floats.has_order, floats.has_levels) == (True, False)


def test_half_missing_counts_only_what_is_there():
    (column,) = read_columns([1] * 5 + [None] * 5)
    assert (column.n_levels, column.has_levels, column.is_few) == (1, True, True)


def test_naive_dates_are_utc():
    aware = pd.Timestamp("2020-01-01", tz="UTC")
    assert len(set(read_columns([datetime(2020, 1, 1), aware])[0].scalars())) == 1

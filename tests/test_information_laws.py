"""Laws that hold whatever the columns are, over drawn cases, every function and every container.

The default run draws few cases. The long run is one command::

    SK_INFOMAX_CASES=2000 pytest -n auto tests/test_information_laws.py
"""

import math
import pickle
import warnings
from datetime import date, timedelta

import containers
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone

from sk_infomax import (
    MutualInfoEstimator,
    conditional_mutual_info,
    lagged_mutual_info,
    mutual_info,
    mutual_info_matrix,
    mutual_info_scores,
)
from sk_infomax.information._rows import Rows

FAST = {"cv": 2, "max_steps": 0, "random_state": 0}
FEW = settings(max_examples=max(3, settings.default.max_examples // 4))
SEEDS = st.integers(0, 2**31 - 1)
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


# What columns can be --------------------------------------------------------------------

FAMILIES = {
    "normal": lambda r, n: r.normal(size=n),
    "heavy": lambda r, n: r.standard_cauchy(size=n),
    "ages": lambda r, n: r.randint(18, 90, size=n),
    "counts": lambda r, n: r.geometric(0.1, size=n) * (r.uniform(size=n) < 0.6),
    "rounded": lambda r, n: r.normal(size=n).round(1),
    "large": lambda r, n: 2**60 + r.randint(0, 300, size=n),
    "days": lambda r, n: np.datetime64("2020-01-01") + r.randint(0, 400, size=n),
    "flag": lambda r, n: r.uniform(size=n) < 0.3,
    "class": lambda r, n: r.randint(0, 5, size=n),
    "codes": lambda r, n: [f"code {v}" for v in r.randint(r.choice([30, 300, 3000]), size=n)],
    "id": lambda r, n: [f"id {v}" for v in r.permutation(n)],
    "category": lambda r, n: pd.Categorical(r.choice(list("abc"), n)),
}
LABELS = ("flag", "class", "codes", "category")
KINDS, DISCRETE = st.sampled_from(sorted(FAMILIES)), st.sampled_from(LABELS)


def draw(kind, seed, n):
    return FAMILIES[kind](np.random.RandomState(seed), n)


def levels_of(values):
    return pd.Series(list(values)).value_counts()


# 1. What cannot tell --------------------------------------------------------------------


@given(KINDS, KINDS, SEEDS, st.sampled_from([200, 500, 1000]))
def test_1_independent_columns_have_nothing_in_common(kind_x, kind_y, seed, n):
    x, y = draw(kind_x, seed, n), draw(kind_y, seed + 1, n)
    score, ends = mutual_info_scores(x, y, return_interval=True, confidence_level=0.9999)
    assert ends[0, 0] == 0
    assert score[0] < 4 / math.sqrt(n)
    if "id" not in (kind_x, kind_y):
        assert mutual_info_scores(np.arange(n).astype(str), y)[0] <= score[0] + 1e-12


@pytest.mark.slow
@FEW
@given(st.lists(KINDS, min_size=2, max_size=4), KINDS, SEEDS)
def test_1_independent_sides_of_several_columns(kinds, kind_y, seed):
    n = 300
    x = pd.DataFrame({f"{i}": draw(kind, seed + i, n) for i, kind in enumerate(kinds)})
    strict = FAST | {"confidence_level": 0.9999, "max_steps": 20}
    _, (low, _) = mutual_info(x, draw(kind_y, seed + 9, n), **strict)
    assert low == 0


@pytest.mark.nightly
def test_1_intervals_are_as_good_as_they_say():
    kinds = sorted(FAMILIES)
    pairs = [(a, b) for a in kinds for b in kinds]
    missed = 0
    for seed, (a, b) in enumerate(pairs):
        ends = mutual_info_scores(
            draw(a, seed, 300), draw(b, seed + 500, 300), return_interval=True
        )
        missed += ends[1][0, 0] > 0
    assert missed <= 0.08 * len(pairs)


# 2. The same values, the same answer ----------------------------------------------------

N_SAME = 40
DRAWN = {
    "integers": (st.integers(-9, 9), containers.of_integers),
    "large integers": (st.integers(2**60, 2**60 + 12), containers.of_large_integers),
    "floats": (st.floats(-1e6, 1e6), containers.of_floats),
    "dates": (st.dates(date(1900, 1, 1), date(2200, 1, 1)), containers.of_dates),
    "text": (st.sampled_from(["a", "b", "cc", "d "]), containers.of_text),
    "flags": (st.booleans(), containers.of_flags),
}


def flat(*results):
    """Everything that was found, as one list of numbers."""
    found = []
    for result in results:
        array = np.asarray(result, dtype=float) if not isinstance(result, tuple) else None
        found += flat(*result) if array is None else array.ravel().tolist()
    return found


def fitted(x, y):
    """What an estimator says of columns."""
    x = x[:, None] if isinstance(x, np.ndarray) and x.ndim == 1 else x
    estimator = MutualInfoEstimator(**FAST).fit(x, y)
    return flat(
        estimator.mutual_info_,
        estimator.confidence_interval_,
        list(estimator.bounds_.values()),
        estimator.pointwise(x, y),
        estimator.score(x, y),
        estimator.transform(x),
    )


CALLS = {
    "mutual_info": lambda x, y: flat(mutual_info(x, y, **FAST)),
    "fit": fitted,
    "permutation_test": lambda x, y: [MutualInfoEstimator(**FAST).permutation_test(x, y, 9)],
    "mutual_info_scores": lambda x, y: flat(
        *(
            np.asarray(a) if isinstance(a, np.ndarray) else numbers_of(a)
            for a in mutual_info_scores(
                x, y, return_interval=True, return_p_values=True, n_permutations=9
            )
        )
    ),
    "mutual_info_matrix": lambda x, y: flat(numbers_of(mutual_info_matrix(x))),
    "conditional_mutual_info": lambda x, y: flat(conditional_mutual_info(x, y, y, **FAST)),
    "lagged_mutual_info": lambda x, y: flat(
        numbers_of(lagged_mutual_info(x, y, [0, 1], block_length=2, **FAST))
    ),
}


def numbers_of(table):
    """The numbers of an array, a series or a frame of any library."""
    if isinstance(table, pa.Table | pl.DataFrame):
        table = table.to_pandas()
    if isinstance(table, pd.DataFrame):
        table = table.drop(columns="column", errors="ignore")
    return np.asarray(table, dtype=float)


@pytest.mark.parametrize("family", DRAWN)
@given(st.sampled_from(sorted(CALLS)), st.data())
def test_2_the_same_values_in_any_container(family, name, data):
    values, forms = DRAWN[family]
    drawn = data.draw(st.lists(values, min_size=N_SAME, max_size=N_SAME))
    other = draw("class", 0, N_SAME)
    cases = dict(forms(drawn))
    form = data.draw(st.sampled_from(sorted(cases)))
    call = CALLS[name]
    assert call(cases[form], other) == call(drawn, other)
    if name in ("mutual_info", "mutual_info_scores"):
        assert call(other.tolist(), cases[form]) == call(other.tolist(), drawn)


@pytest.mark.parametrize("name", CALLS)
@FEW
@given(SEEDS, st.integers(0, 5))
def test_2_mixed_tables_in_any_container(name, seed, form):
    rng = np.random.RandomState(seed)
    frame = pd.DataFrame(
        {
            "number": rng.normal(size=N_SAME),
            "text": rng.choice(["a", "b"], N_SAME),
            "day": [date(2020, 1, 1) + timedelta(days=int(v)) for v in rng.randint(9, size=N_SAME)],
        }
    )
    y = rng.randint(0, 2, N_SAME)
    same = [
        frame.to_numpy(),
        frame.to_numpy().tolist(),
        frame.astype({"text": "category", "day": "datetime64[ns]"}),
        frame.astype(object),
        pl.from_pandas(frame),
        pa.Table.from_pandas(frame),
    ][form]
    assert CALLS[name](same, pd.Series(y).astype(str)) == CALLS[name](frame, y)


# 3. Nothing above what an entropy allows ------------------------------------------------


def depends(kind, seed, n):
    """A column, and a class that it tells of."""
    rng, x = np.random.RandomState(seed), draw(kind, seed, n)
    codes = pd.factorize(pd.Series(list(x)), sort=True)[0]
    return x, (codes * rng.randint(2, 5)) // max(1, codes.max() + 1)


@given(KINDS, SEEDS, st.sampled_from([60, 200, 600]))
def test_3_no_end_above_the_entropy(kind, seed, n):
    x, y = depends(kind, seed, n)
    counts = levels_of(y)
    most = math.inf if (counts == 1).any() else math.log(len(counts)) + 1e-9
    score, ends = mutual_info_scores(x, y, return_interval=True)
    assert 0 <= ends[0, 0] <= score[0] <= ends[0, 1] <= most
    assert np.diag(mutual_info_matrix(pd.DataFrame({"y": y})))[0] <= most
    value, (low, high) = mutual_info(x, y, **FAST)
    assert 0 <= low <= value <= high <= most
    value, (low, high) = conditional_mutual_info(x, y, draw("flag", seed, n), **FAST)
    assert 0 <= low <= value <= high


@given(SEEDS, st.sampled_from([("normal", 1), ("ages", 20), ("class", 1)]))
def test_3_a_rare_level_does_not_widen(seed, kind_and_step):
    kind, step = kind_and_step
    y = draw("class", seed + 1, 500)
    x = draw(kind, seed, 500) + step * y
    plain = mutual_info_scores(x, y, return_interval=True)[1]
    y[0] = 99
    rare = mutual_info_scores(x, y, return_interval=True)[1]
    assert np.diff(rare)[0, 0] < 1.3 * np.diff(plain)[0, 0] + 0.01


# 4. Missing and infinite values ---------------------------------------------------------


@pytest.mark.parametrize("name", [c for c in CALLS if c != "fit"])
@FEW
@given(KINDS, SEEDS, st.sampled_from(["x", "y"]))
def test_4_missing_values_are_refused_by_name(name, kind, seed, side):
    x = pd.Series(list(draw(kind, seed, 60)), name="age").astype(object)
    y = pd.Series(list(draw("class", seed, 60)), name="age").astype(object)
    (x if side == "x" or name == "mutual_info_matrix" else y).iloc[5] = None
    with pytest.raises(ValueError, match=r"column 'age'.* has 1 missing values .*in row 5"):
        CALLS[name](x.to_frame() if side == "x" else x, y)


@FEW
@given(KINDS, DISCRETE, SEEDS)
def test_4_drop_takes_complete_pairs_and_says_where(kind_x, kind_y, seed):
    rng, n = np.random.RandomState(seed), 80
    x, y = (pd.Series(list(draw(k, seed, n)), dtype=object) for k in (kind_x, kind_y))
    gone_x, gone_y = rng.uniform(size=(2, n)) < 0.1
    holes_x, holes_y = x.mask(gone_x, None).to_frame("x"), y.mask(gone_y, None)
    kept = ~(gone_x | gone_y)
    whole = x[kept].to_frame("x"), y[kept]
    drop = {"missing": "drop"}
    assert mutual_info(holes_x, holes_y, **FAST, **drop) == mutual_info(*whole, **FAST)
    found = mutual_info_scores(holes_x, holes_y, **drop)
    np.testing.assert_array_equal(found, mutual_info_scores(*whole))
    estimator = MutualInfoEstimator(**FAST, **drop).fit(holes_x, holes_y)
    pointwise = estimator.pointwise(holes_x, holes_y)
    np.testing.assert_array_equal(np.isnan(pointwise), ~kept)
    np.testing.assert_array_equal(pointwise[kept], estimator.pointwise(*whole))
    features = estimator.transform(holes_x)
    np.testing.assert_array_equal(np.isnan(features).any(1), gone_x)
    assert math.isfinite(estimator.score(holes_x, holes_y))


@given(st.sampled_from(["flag", "codes", "category"]), SEEDS)
def test_4_missing_may_be_a_level(kind, seed):
    n = 200
    x = pd.Series(list(draw(kind, seed, n)), dtype=object).astype(str)
    gone = np.random.RandomState(seed).uniform(size=n) < 0.2
    y = gone | (draw("flag", seed + 1, n))
    level, named = {"missing": "level"}, x.mask(gone, "none")
    for call in (mutual_info_scores, lambda *a, **k: mutual_info(*a, **FAST, **k)):
        found = flat(call(x.mask(gone, None), y, **level))
        assert found == flat(call(named, y))


# 5. Both sides are checked at reading ---------------------------------------------------


@FEW
@given(SEEDS)
def test_5_reading_checks_what_fit_did(seed):
    x = pd.DataFrame({k: draw(k, seed, 60) for k in ("normal", "flag")})
    y = pd.DataFrame({k: draw(k, seed + 1, 60) for k in ("ages", "category")})
    estimator = MutualInfoEstimator(**FAST).fit(x, y)
    turned = "feature names|same order"
    for bad, message in (
        ((x[["flag", "normal"]], y), turned),
        ((x, y[["category", "ages"]]), turned),
        ((x[["flag"]], y), "feature names|features"),
        ((x, y[["ages"]]), "features"),
        ((x, y.rename(columns={"ages": "years"})), "years"),
        ((x.assign(normal=x["flag"].astype(str)), y), "labels, but held numbers"),
        ((x, y.assign(ages=np.inf)), "column 'ages' .* holds inf"),
    ):
        for call in (estimator.pointwise, estimator.score):
            with pytest.raises(ValueError, match=message):
                call(*bad)
    with pytest.warns(UserWarning, match="not seen at fit, the first 'new' in row 0"):
        estimator.pointwise(x, y.assign(category="new"))


# 6. The same shapes everywhere ----------------------------------------------------------


@pytest.mark.parametrize("name", [c for c in CALLS if c != "fit"])
@FEW
@given(st.sampled_from(["normal", "ages", "flag", "codes"]), SEEDS, st.integers(0, 4))
def test_6_a_vector_is_one_column(name, kind, seed, form):
    x, y = np.asarray(draw(kind, seed, 60)), draw("class", seed, 60)
    same = [
        (x[:, None], y[:, None]),
        (x.tolist(), y.tolist()),
        ([[v] for v in x.tolist()], pd.Series(y)),
        (pd.Series(x), pl.Series(y)),
        (pl.DataFrame({"x": x}), pd.DataFrame({"y": y})),
    ][form]
    assert CALLS[name](*same) == CALLS[name](x, y)


@pytest.mark.parametrize("name", [c for c in CALLS if c != "mutual_info_matrix"])
def test_6_lengths_must_agree(name):
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        CALLS[name](np.zeros((50, 1)), np.zeros(40))


# 7. Findings once, at the user's line ---------------------------------------------------


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.filterwarnings("always::UserWarning")
def test_7_each_finding_once_at_the_line_that_called(name):
    x = pd.DataFrame({"id": [f"id {i}" for i in range(60)], "same": 1.0})
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        CALLS[name](x, draw("class", 0, 60))
    messages = [str(w.message) for w in caught]
    assert len(set(messages)) == len(messages)
    assert {w.filename for w in caught} <= {__file__}


@FEW
@given(KINDS, SEEDS)
def test_7_leaving_out_what_is_constant_changes_nothing(kind, seed):
    x = pd.DataFrame({"x": draw(kind, seed, 200), "same": "a"})
    y = draw("class", seed + 1, 200)
    found = mutual_info(x, y, **FAST)
    assert mutual_info(x[["x"]], y, **FAST) == found
    assert found[1][0] == 0 <= found[1][1]


ENDS = {"return_interval": True}


@pytest.mark.parametrize("kind", ["constant", "thin", "text", "follows", "alike"])
@pytest.mark.parametrize("name", [c for c in CALLS if c not in ("fit", "permutation_test")])
@pytest.mark.filterwarnings("always::UserWarning")
def test_7_every_function_says_what_the_estimator_says(kind, name):
    n = 300
    rng = np.random.RandomState(0)
    number, walk = rng.normal(size=n), rng.normal(size=n).cumsum()
    said, x, y = {
        "constant": ("one value only", ["a"] * n, number),
        "thin": ("seen fewer than five times", [f"id {i}" for i in range(n)], number),
        "text": ("numbers as text", [str(i % 40) for i in range(n)], number),
        "follows": ("infinite", number, number**3),
        "alike": ("Neighbouring rows are alike", walk, walk + rng.normal(size=n)),
    }[kind]
    x, y = pd.Series(x, name="x"), pd.Series(y, name="y")
    calls = {
        "conditional_mutual_info": lambda: conditional_mutual_info(x, y, walk[::-1], **FAST),
        "mutual_info_matrix": lambda: mutual_info_matrix(pd.concat([x, y], axis=1), **ENDS),
        "lagged_mutual_info": lambda: lagged_mutual_info(x, y, [0, 1], block_length=1, **FAST),
    }
    with pytest.warns(UserWarning, match=said) as caught:
        calls.get(name, lambda: CALLS[name](x, y))()
    assert sum(said in str(w.message) for w in caught) == 1


def test_7_what_is_alike_is_said_once_for_all_columns():
    rng = np.random.RandomState(0)
    frame = pd.DataFrame({f"id {j}": [f"{j} {i}" for i in range(100)] for j in range(7)})
    frame["same"], frame["too"] = 1.0, "b"
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        mutual_info_scores(frame, rng.randint(2, size=100))
    constant, thin, coverage = (str(w.message) for w in caught)
    assert "'same'" in constant
    assert "'too'" in constant
    assert "and 2 more: most rows hold a label" in thin
    assert "100% of the 100 rows" in coverage
    assert "The same holds for X column 'id 1'" in coverage


# 8. Dependent rows ----------------------------------------------------------------------


@given(st.integers(60, 300), st.integers(1, 9), st.integers(2, 4), SEEDS)
def test_8_folds_keep_blocks_and_groups_whole(n, block_length, cv, seed):
    groups = np.unique(np.random.RandomState(seed).randint(0, 20, n), return_inverse=True)[1]
    for rows in (Rows(block_length), Rows(1, groups)):
        folds, units = rows.folds(n, cv, seed), rows.units(n)
        assert sorted(np.concatenate(folds)) == list(range(n))
        if not rows.independent:
            sets = [set(units[fold]) for fold in folds]
            assert sum(map(len, sets)) == len(set(units))
        first, *others = rows.orders(n, 3, np.random.RandomState(seed))
        assert first.tolist() == list(range(n))
        for order in others:
            assert sorted(order) == list(range(n))
            assert rows.independent or len(set((order - first) % n)) == 1


@pytest.mark.parametrize("kind", ["normal", "class"])
@FEW
@given(SEEDS)
def test_8_repeated_rows_say_no_more_as_groups(kind, seed):
    x, y = draw(kind, seed, 60), draw("class", seed + 1, 60)
    number = np.repeat(np.arange(60), 5)
    strict = FAST | {"max_steps": 20, "confidence_level": 0.9999}
    _, (low, _) = mutual_info(x[number], y[number], groups=number, **strict)
    assert low == 0


@FEW
@given(DISCRETE, SEEDS, st.integers(2, 6), st.booleans())
def test_8_levels_that_are_repeated_say_what_they_said_once(kind, seed, times, depends):
    """As groups and as blocks, by the estimator, by scores and given a third column."""
    x = pd.Series(list(draw(kind, seed, 60))).astype(str)
    y = pd.Series(pd.factorize(x)[0] % 3 if depends else draw("class", seed + 1, 60))
    z = pd.Series(draw("flag", seed + 2, 60))
    number = np.repeat(np.arange(60), times)
    again = [side.iloc[number].reset_index(drop=True) for side in (x, y, z)]
    blocks = {"block_length": times}
    for once, repeated in (
        (mutual_info(x, y, **FAST), mutual_info(*again[:2], groups=number, **FAST)),
        (mutual_info(x, y, **FAST), mutual_info(*again[:2], **blocks, **FAST)),
        (mutual_info_scores(x, y), mutual_info_scores(*again[:2], **blocks)),
        (
            conditional_mutual_info(x, y, z, **FAST),
            conditional_mutual_info(*again, **blocks, **FAST),
        ),
    ):
        # Entropies of levels not seen are those of rows, which repeat; all else is the same.
        np.testing.assert_allclose(flat(*repeated)[:2], flat(*once)[:2], atol=0.03)


# 9. Many columns ------------------------------------------------------------------------


@FEW
@given(st.integers(30, 90), st.integers(1, 40), st.sampled_from([60, 150]), SEEDS)
def test_9_many_columns_never_say_more_than_there_is(d, rank, n, seed):
    rng = np.random.RandomState(seed)
    x, y = (rng.normal(size=(n, rank)) @ rng.normal(size=(rank, d)) for _ in "xy")
    _, (low, high) = mutual_info(x, y, **FAST | {"confidence_level": 0.9999})
    assert low == 0
    # Columns that are all multiples of one are one column, of which rows are enough to know.
    if n < 2 * d:
        assert math.isinf(high) == (rank > 1)


# What was fitted stays what it was ------------------------------------------------------

FITTED = {
    "counts": lambda s: (draw("codes", s, 80), draw("category", s, 80)),
    "critics": lambda s: (draw("normal", s, 80), draw("days", s, 80)),
    "levels": lambda s: (draw("codes", s, 80), draw("normal", s, 80)),
    "large": lambda s: (2**80 + draw("ages", s, 80).astype(object), draw("large", s, 80)),
    "wide": lambda s: (np.random.RandomState(s).normal(size=(80, 40)), draw("flag", s, 80)),
    "thin": lambda s: (np.random.RandomState(s).randint(0, 3, (80, 6)), draw("flag", s, 80)),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("saved")


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.nightly if name == "wide" else []) for name in FITTED],
)
@FEW
@given(SEEDS)
def test_saved_pickled_and_cloned_estimators_are_the_same(name, folder, seed):
    x, y = FITTED[name](seed)
    x = pd.DataFrame(x)
    estimator = MutualInfoEstimator(**FAST | {"max_steps": 3}).fit(x, y)
    estimator.save(folder / name)
    copies = [MutualInfoEstimator.load(folder / name), pickle.loads(pickle.dumps(estimator))]
    for copy in (*copies, clone(estimator).fit(x, y)):
        np.testing.assert_array_equal(copy.pointwise(x, y), estimator.pointwise(x, y))
        np.testing.assert_array_equal(copy.transform(x), estimator.transform(x))
        for attribute in ("mutual_info_", "standard_error_", "confidence_interval_", "bounds_"):
            assert getattr(copy, attribute) == getattr(estimator, attribute)
    nats = estimator.pointwise(x, y)
    estimator.set_params(units="bits")
    np.testing.assert_allclose(estimator.pointwise(x, y), nats / math.log(2))
    assert estimator.mutual_info_ == pytest.approx(copies[0].mutual_info_ / math.log(2))

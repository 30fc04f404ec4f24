"""The estimator of information: known truths, kinds of columns, reading, bad input."""

import io
import math
import pickle
import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from sk_infomax import MutualInfoEstimator, mutual_info, mutual_info_scores
from sk_infomax._shown import _progress
from sk_infomax.bounds import BOUNDS, InfoNCE, JensenShannon
from sk_infomax.critics import CRITICS
from sk_infomax.datasets import (
    TASKS,
    class_means,
    contingency,
    correlated_normal,
    independent,
    multinormal_sparse,
    student,
    xor,
)
from sk_infomax.information import _learned
from sk_infomax.information._cross_fitting import RatioTrainer
from sk_infomax.information._effort import _PAIR_STEPS
from sk_infomax.information._findings import about_read_outs


def fast(**settings):
    return MutualInfoEstimator(**({"cv": 2, "max_steps": 150, "random_state": 0} | settings))


def by_counts(estimator):
    """Whether all columns were taken for discrete: then there is nothing but exact counts."""
    return set(estimator.bounds_) == {"plug-in"}


@parametrize_with_checks([fast(max_steps=3)])
def test_scikit_learn_check(estimator, check):
    check(estimator)


@pytest.mark.nightly
@parametrize_with_checks(
    [
        fast(max_steps=3, critic="dot", bound="infonce"),
        fast(max_steps=3, critic="bilinear", base=None, bound="dv"),
        fast(max_steps=3, critic="concat", n_negatives=1),
    ]
)
def test_scikit_learn_check_of_other_critics(estimator, check):
    check(estimator)


# Known truths -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("task", "tolerance"),
    [
        (multinormal_sparse(3, 3), 0.04),
        pytest.param(correlated_normal(5, 4.0), 0.15, marks=pytest.mark.nightly),
        pytest.param(correlated_normal(20, 4.0), 0.15, marks=pytest.mark.nightly),
        pytest.param(correlated_normal(20, 4.0, cubic=True), 0.15, marks=pytest.mark.nightly),
        (student(3, 3, 2), 0.08),
        (TASKS["1v1-additive-0.75"], 0.05),
        pytest.param(TASKS["asinh-student-identity-1-1-1"], 0.05, marks=pytest.mark.nightly),
        (class_means(), 0.05),
        (xor(10), 0.06),
        (independent(5, 5), 0.02),
        pytest.param(independent(5, 5, df=1), 0.02, marks=pytest.mark.nightly),
    ],
    ids=lambda value: f"{getattr(value, 'mutual_information', value):.2f}",
)
def test_truth_is_met(task, tolerance):
    X, Y = task.sample(2500, random_state=0)
    estimator = fast(max_steps=50).fit(X, Y)
    assert estimator.mutual_info_ == pytest.approx(task.mutual_information, abs=tolerance)
    low, high = estimator.confidence_interval_
    assert 0 <= low <= estimator.mutual_info_ <= high


def bounds_and_critics():
    """Each bound with each critic; pairs that show no new bound or critic are for nights."""
    critics = list(CRITICS)
    for i, bound in enumerate(BOUNDS):
        for j, critic in enumerate(critics):
            first = i % len(critics) == j or j % len(BOUNDS) == i
            yield pytest.param(bound, critic, marks=() if first else pytest.mark.nightly)


@pytest.mark.parametrize(("bound", "critic"), list(bounds_and_critics()))
def test_every_bound_and_critic_trains(bound, critic):
    task = multinormal_sparse(2, 2)
    X, Y = task.sample(1000, random_state=0)
    estimator = fast(bound=bound, critic=critic, max_steps=30).fit(X, Y)
    assert set(estimator.bounds_) - {"matched columns"} == {"plug-in", *BOUNDS}
    assert estimator.mutual_info_ == pytest.approx(task.mutual_information, abs=0.15)


@pytest.mark.nightly
@pytest.mark.parametrize("bound", BOUNDS)
def test_every_bound_trains_from_nothing(bound):
    task = multinormal_sparse(2, 2)
    X, Y = task.sample(1200, random_state=0)
    estimator = fast(bound=bound, base=None, max_steps=150).fit(X, Y)
    assert estimator.mutual_info_ == pytest.approx(task.mutual_information, abs=0.2)


def test_counts_are_exact():
    X, y = contingency().sample(3000, random_state=0)
    joint = np.zeros((3, 3))
    np.add.at(joint, (X[:, 0].astype(int), y), 1 / 3000)
    product = joint.sum(1, keepdims=True) * joint.sum(0, keepdims=True)
    plug_in = (joint * np.log(joint / product)).sum()
    estimator = fast().fit(X, y)
    assert estimator.bounds_["plug-in"] == pytest.approx(plug_in)
    assert estimator.mutual_info_ == pytest.approx(plug_in - 4 / (2 * 3000), abs=0.002)


def test_maps_of_columns_change_nothing():
    X, Y = multinormal_sparse(2, 2).sample(600, random_state=0)
    plain, mapped = (fast(max_steps=20).fit(*sides) for sides in ((X, Y), (np.exp(3 * X), -(Y**3))))
    assert mapped.mutual_info_ == pytest.approx(plain.mutual_info_, abs=0.02)


@pytest.mark.nightly
def test_processing_one_side_adds_nothing():
    """I(X; f(Y)) <= I(X; Y), which neural estimators are known to break (Song and Ermon 2020)."""
    X, Y = multinormal_sparse(2, 2).sample(1000, random_state=0)
    whole = fast(max_steps=60).fit(X, Y)
    less = fast(max_steps=60).fit(X, np.round(Y[:, :1]))
    assert less.mutual_info_ <= whole.mutual_info_


@pytest.mark.nightly
def test_independent_pairs_add_up():
    task = multinormal_sparse(2, 2, 1)
    (X, Y), (U, V) = task.sample(2000, random_state=0), task.sample(2000, random_state=1)
    pairs = [(np.hstack([X, U**3]), np.hstack([Y, -V])), (X, Y), (U**3, -V)]
    together, *apart = (fast(max_steps=50).fit(*sides).mutual_info_ for sides in pairs)
    assert together == pytest.approx(sum(apart), abs=0.06)


def test_bits_are_nats_over_log_two():
    X, Y = multinormal_sparse(2, 2).sample(400, random_state=0)
    nats, bits = fast(max_steps=5).fit(X, Y), fast(max_steps=5, units="bits").fit(X, Y)
    for name in ("mutual_info_", "standard_error_"):
        assert getattr(bits, name) == pytest.approx(getattr(nats, name) / math.log(2))
    np.testing.assert_allclose(
        bits.confidence_interval_, np.array(nats.confidence_interval_) / math.log(2)
    )
    np.testing.assert_allclose(bits.pointwise(X, Y), nats.pointwise(X, Y) / math.log(2))
    assert bits.bounds_["jsd"] == pytest.approx(nats.bounds_["jsd"] / math.log(2))


def test_few_samples_give_wide_intervals():
    task = multinormal_sparse(2, 2)
    few, many = task.sample(100, random_state=0), task.sample(2000, random_state=0)
    narrow = fast(max_steps=20, confidence_level=0.5)
    widths = [
        np.diff(estimator.fit(*pairs).confidence_interval_)
        for estimator, pairs in (
            (fast(max_steps=20), few),
            (fast(max_steps=20), many),
            (narrow, many),
        )
    ]
    assert widths[0] > 3 * widths[1]
    assert widths[2] < widths[1]


# Kinds of columns ---------------------------------------------------------------------------


def test_labels_of_any_kind():
    X, y = class_means().sample(600, random_state=0)
    names = np.array(["a", "b", "c"])[y]
    kinds = (y, names, names.astype(object))
    values = [fast(max_steps=5).fit(X, labels).mutual_info_ for labels in kinds]
    assert values[0] == pytest.approx(values[1], abs=1e-9)
    assert values[0] == pytest.approx(values[2], abs=1e-9)


def test_frames_with_mixed_columns():
    pd = pytest.importorskip("pandas")
    rng = np.random.RandomState(0)
    y = rng.randint(0, 2, 800)
    frame = pd.DataFrame(
        {
            "number": y + rng.normal(size=800),
            "category": pd.Categorical(np.where(rng.uniform(size=800) < 0.9, y, 1 - y)),
            "text": rng.choice(["u", "v"], 800),
            "flag": rng.uniform(size=800) < 0.5,
        }
    )
    estimator = fast(max_steps=40).fit(frame, pd.Series(y))
    assert not by_counts(estimator)
    assert by_counts(fast().fit(frame[["category", "text", "flag"]], pd.Series(y)))
    assert list(estimator.feature_names_in_) == list(frame.columns)
    alone = fast(max_steps=20).fit(frame[["text", "flag"]], pd.Series(y))
    assert alone.mutual_info_ < 0.01 < 0.3 < estimator.mutual_info_ < math.log(2)
    with pytest.raises(ValueError, match="feature names"):
        estimator.transform(frame[frame.columns[::-1]])


def test_discreteness_can_be_said():
    X, y = class_means().sample(400, random_state=0)
    tenths = X.round(1)  # too many values to be taken for discrete
    assert not by_counts(fast(max_steps=5).fit(tenths, y))
    assert by_counts(fast(max_steps=5, discrete_x=[True]).fit(tenths, y))
    assert not by_counts(fast(max_steps=5, discrete_x=[True], discrete_y=False).fit(tenths, y))
    with pytest.raises(ValueError, match="2 flags for 1 columns"):
        fast(discrete_x=[True, False]).fit(X, y)


def steps_asked_for(monkeypatch):
    """A list that takes the steps of each critic; it trains one."""
    asked, train = [], RatioTrainer.train

    def one_step(trainer, pairs, number):
        asked.append(trainer.max_steps)
        return train(replace(trainer, max_steps=1), pairs, number)

    monkeypatch.setattr(RatioTrainer, "train", one_step)
    return asked


@pytest.mark.parametrize(
    ("settings", "steps"),
    [
        ({}, [_PAIR_STEPS] * 3 + [600]),
        ({"effort": "fast"}, [_PAIR_STEPS] * 2 + [200]),
        ({"effort": "high"}, [2000] * 4),
        ({"max_steps": 5}, [5] * 4),
        ({"block_length": 2}, [600] * 4),
    ],
    ids=str,
)
def test_pairs_that_neighbours_answer_take_few_steps(settings, steps, monkeypatch):
    """Not where more is asked for, nor for the critic that reads other pairs."""
    asked = steps_asked_for(monkeypatch)
    x, y = TASKS["1v1-normal-0.75"].sample(120, random_state=0)
    MutualInfoEstimator(random_state=0, **settings).fit(x, y)
    assert asked == steps
    asked.clear()
    mutual_info(np.column_stack([x, np.ones(120)]), y, random_state=0, **settings)
    assert asked == steps[:-1]
    asked.clear()
    mutual_info(np.column_stack([x, x + y]), y, random_state=0, **settings)
    assert set(asked) == {steps[-1]}


def test_the_test_of_many_pairs_has_critics_of_all_steps(monkeypatch):
    asked = steps_asked_for(monkeypatch)
    x, y = TASKS["1v1-normal-0.75"].sample(120, random_state=0)
    estimator = MutualInfoEstimator(random_state=0).fit(x, y)
    asked.clear()
    estimator.permutation_test(x, y, 9)
    assert not asked
    monkeypatch.setattr(_learned, "_MOST_OF_PAIR_TEST", 100)
    estimator.permutation_test(x, y, 9)
    assert asked == [600] * 3


def test_what_is_constant_is_as_if_left_out(tmp_path):
    X, y = class_means().sample(200, random_state=0)
    wide = np.column_stack([np.ones(200), X, np.full(200, 3.0)])
    plain, padded = (fast(max_steps=2).fit(one, y) for one in (X, wide))
    assert padded.mutual_info_ == plain.mutual_info_
    assert padded.confidence_interval_ == plain.confidence_interval_
    padded.save(tmp_path / "model")
    for one in (padded, MutualInfoEstimator.load(tmp_path / "model")):
        np.testing.assert_array_equal(one.pointwise(wide, y), plain.pointwise(X, y))
        np.testing.assert_array_equal(one.transform(wide), plain.transform(X))
        assert one.get_feature_names_out().shape == plain.get_feature_names_out().shape
    p_values = (
        one.permutation_test(*data, 9) for one, data in ((plain, (X, y)), (padded, (wide, y)))
    )
    assert next(p_values) == next(p_values)


# Reading ------------------------------------------------------------------------------------


def test_pointwise_is_the_log_ratio():
    X, Y = TASKS["1v1-normal-0.75"].sample(3000, random_state=0)
    new = TASKS["1v1-normal-0.75"].sample(500, random_state=1)
    estimator = fast(max_steps=40).fit(X, Y)
    x, y, r = new[0][:, 0], new[1][:, 0], 0.75
    true = -0.5 * math.log(1 - r**2) - (r**2 * (x**2 + y**2) - 2 * r * x * y) / (2 * (1 - r**2))
    values = estimator.pointwise(*new)
    assert np.corrcoef(values, true)[0, 1] > 0.98
    assert estimator.score(*new) == pytest.approx(values.mean())
    assert estimator.score(*new) == pytest.approx(true.mean(), abs=0.05)


def test_pointwise_of_counts():
    X, y = contingency().sample(2000, random_state=0)
    estimator = fast().fit(X, y)
    assert estimator.score(X, y) == pytest.approx(estimator.bounds_["plug-in"], abs=0.001)
    assert estimator.pointwise([[7.0]], [0])[0] == 0.0


def test_transform_carries_what_tells_about_y():
    """Two bits whose difference is the class: no linear model sees it in X itself."""
    X, y = xor(2).sample(1500, random_state=0)
    X = X + 0.2 * np.random.RandomState(0).normal(size=X.shape)
    probe = LogisticRegression(max_iter=1000)
    line = make_pipeline(fast(critic="dot", max_steps=100), probe)
    assert line.fit(X[:1000], y[:1000]).score(X[1000:], y[1000:]) > 0.9
    assert clone(probe).fit(X[:1000], y[:1000]).score(X[1000:], y[1000:]) < 0.6
    features = line[0].transform(X[:5])
    assert len(line[0].get_feature_names_out()) == features.shape[1]


def test_permutation_test_keeps_its_level_and_sees_dependence():
    values = [
        fast(max_steps=2).permutation_test(
            *independent(2, 2).sample(120, random_state=seed), n_permutations=49
        )
        for seed in range(20)
    ]
    assert np.mean(values) == pytest.approx(0.5, abs=0.2)
    assert np.mean(np.array(values) <= 0.05) <= 0.2
    dependent = student(2, 2, 1).sample(800, random_state=0)
    assert fast(max_steps=40).permutation_test(*dependent, n_permutations=49) == pytest.approx(
        1 / 50
    )
    counts = contingency().sample(200, random_state=0)
    assert fast().permutation_test(*counts, n_permutations=49) == pytest.approx(1 / 50)


def test_permutation_test_of_one_column_and_another_is_exact():
    values = [
        fast().permutation_test(*independent(1, 1).sample(60, random_state=seed), n_permutations=19)
        for seed in range(60)
    ]
    assert set(np.round(20 * np.array(values), 9)) <= set(range(1, 21))
    assert np.mean(values) == pytest.approx(0.525, abs=0.1)
    assert np.mean(np.array(values) <= 0.1) <= 0.2
    x = np.random.RandomState(0).normal(size=60)
    assert fast().permutation_test(x[:, None], x**2, n_permutations=19) == 1 / 20


def test_repeatable_and_picklable_without_modules():
    X, Y = student(2, 2, 1).sample(300, random_state=0)
    state = torch.get_rng_state()
    first, again = fast(max_steps=5).fit(X, Y), fast(max_steps=5).fit(X, Y)
    assert torch.equal(state, torch.get_rng_state())
    assert first.mutual_info_ == again.mutual_info_
    assert b"torch" not in pickle.dumps(first)
    loaded = pickle.loads(pickle.dumps(first))
    np.testing.assert_array_equal(loaded.pointwise(X, Y), first.pointwise(X, Y))
    np.testing.assert_array_equal(loaded.transform(X), first.transform(X))


def test_a_bar_over_the_folds_in_a_terminal_only(monkeypatch, capsys):
    monkeypatch.setattr(_progress, "_EVERY", math.inf)
    fast(max_steps=5, verbose=1).fit(*multinormal_sparse(2, 2).sample(100, random_state=0))
    assert capsys.readouterr() == ("", "")
    terminal = io.StringIO()
    terminal.isatty = lambda: True
    monkeypatch.setattr("sys.stderr", terminal)
    fast(max_steps=5, verbose=1).fit(*multinormal_sparse(2, 2).sample(100, random_state=0))
    assert "2/2" in terminal.getvalue()
    assert "nats" in terminal.getvalue()


# Bad input ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "X", "y", "message"),
    [
        ({}, np.zeros((5, 2)), np.zeros(4), "inconsistent numbers of samples"),
        ({}, np.full((9, 2), np.nan), np.zeros(9), "NaN"),
        ({}, np.zeros((1, 2)), np.zeros(1), "cv=2 folds need 4 samples"),
        ({}, np.zeros((9, 2)), None, "requires y"),
        ({"cv": 6}, np.random.rand(9, 2), np.random.rand(9), "cv=6 folds need 12 samples"),
        ({"cv": 1}, np.zeros((9, 2)), np.zeros(9), "'cv' parameter"),
        ({"bound": "dvv"}, np.random.rand(9, 2), np.random.rand(9), "did you mean 'dv'"),
        ({"units": "hartleys"}, np.zeros((9, 2)), np.zeros(9), "'units' parameter"),
    ],
)
def test_one_clear_error(settings, X, y, message):
    with pytest.raises(ValueError, match=message):
        fast(**settings).fit(X, y)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda x, y: (np.column_stack([x, np.ones(len(x))]), y),
            "one value only, which tells nothing",
        ),
        (lambda x, y: (x, x[:, :1] ** 3), "information is infinite"),
        (lambda x, y: (np.tile(x, (2, 1)), np.tile(y, (2, 1))), "120 of 240 pairs are different"),
        (lambda x, y: (np.hstack([x[:12]] * 3 + [y[:12]] * 4), y[:12]), "columns and 12 samples"),
    ],
)
def test_what_spoils_an_estimate_is_said(make, message):
    X, Y = multinormal_sparse(2, 2).sample(120, random_state=0)
    with pytest.warns(UserWarning, match=message):
        fast(max_steps=2).fit(*make(X, Y))


def test_disagreement_is_said():
    means = {"jsd": 0.88, "smile": 0.5}
    (said,) = about_read_outs(means, 0.88, JensenShannon(), 65)
    assert "disagree: jsd 0.88 and smile 0.50 nats" in said
    assert not about_read_outs({"jsd": 0.88, "smile": 0.8}, 0.88, JensenShannon(), 65)
    assert not about_read_outs(means, 0.88, InfoNCE(), 65)


@pytest.mark.parametrize("level", [1e-300, 0.0, 1.0])
def test_levels_of_confidence_that_make_no_interval(level):
    x = np.arange(40) % 2
    for call in (mutual_info, mutual_info_scores):
        with pytest.raises(ValueError, match="confidence_level"):
            call(x, x, confidence_level=level)


def test_a_fold_whose_rows_are_of_one_value_tells_nothing():
    X = np.array([[0, 0, 0], [0, 0, 0], [0, 255, 1], [0, 0, 0], [0, 0, 0], [255, 1, 0]])
    for seed in range(8):
        estimator = fast(max_steps=0, cv=2, random_state=seed).fit(X, [2, 2, 1, 1, 2, 2])
        assert math.isfinite(estimator.mutual_info_)
        assert math.isfinite(estimator.standard_error_)
        assert np.isfinite(list(estimator.bounds_.values())).all()


def test_a_value_beyond_all_others_leaves_lines_to_be_found():
    rng = np.random.RandomState(0)
    x, y = rng.normal(size=(30, 2)), 1e-300 * rng.normal(size=(30, 1))
    y[3] = -1e160
    assert fast(max_steps=0, cv=2).fit(x, y).mutual_info_ < 0.1


def test_size_is_judged_by_what_is_reported():
    """What critics of a step make of a level of one row is cut to what the levels can tell."""
    y = (np.arange(33) == 12).astype(int)
    for seed in range(10):
        X = 1e126 * np.random.RandomState(seed).normal(size=(33, 3))
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            assert mutual_info(X, y, max_steps=1, random_state=seed)[0] < 0.15
        assert not [one for one in caught if "So many pairs" in str(one.message)]


def test_ceiling_is_named():
    X, Y = correlated_normal(2, 4.5).sample(400, random_state=0)
    (said,) = about_read_outs({"jsd": 3.5, "smile": 3.5}, 3.5, InfoNCE(), 65)
    assert "InfoNCE cannot report more than" in said
    assert "log 65 = 4.17" in said
    assert fast(bound="infonce", base=None, max_steps=5).fit(X, Y).mutual_info_ < math.log(65)

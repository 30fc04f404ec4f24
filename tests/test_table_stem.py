"""Frozen features of tables: kernels on landmarks and trees against plain references."""

import copy

import numpy as np
import pytest
import torch
from scipy.linalg import eigh
from scipy.spatial.distance import cdist
from scipy.stats import norm, rankdata
from sklearn.linear_model import RidgeClassifier

from sk_infomax._random import new_generator
from sk_infomax.encoders._forest import fall, grow_forest
from sk_infomax.encoders._table_stem import TableStem


def rows_of(n, p, seed=0):
    return torch.randn(n, p, generator=new_generator(seed))


def prepared(x, n_landmarks=64, seed=0):
    stem = TableStem(x.shape[1], n_landmarks).to(x.dtype)
    stem.prepare(x, None, new_generator(seed))
    return stem


def blobs(n, seed=0):
    """Rows around the corners of a square, and labels that no line divides."""
    rng = np.random.RandomState(seed)
    corner = rng.randint(2, size=(n, 2))
    values = np.hstack([2 * corner - 1 + 0.4 * rng.randn(n, 2), rng.randn(n, 3)])
    return torch.from_numpy(values).float(), corner.sum(1) % 2


# Trees ------------------------------------------------------------------------------------------


def test_rows_fall_as_a_loop_says():
    x = rows_of(50, 4)
    features, thresholds = grow_forest(x, 3, 4, new_generator(1))
    for row, tree in np.ndindex(50, 3):
        node = 0
        while node < 15:
            right = x[row, features[tree, node]] > thresholds[tree, node]
            node = 2 * node + 1 + int(right)
        assert fall(x[row : row + 1], features, thresholds)[0, tree] == node - 15


def test_splits_tell_about_other_columns():
    torch.manual_seed(0)
    shared = torch.randn(400, 1)
    x = torch.cat([shared + 0.1 * torch.randn(400, 4), torch.randn(400, 4)], 1)
    features, _ = grow_forest(x, 40, 1, new_generator(0))
    assert (features < 4).float().mean() > 0.8


def test_nodes_that_cannot_be_split_send_all_left():
    x = torch.ones(20, 3)
    features, thresholds = grow_forest(x, 2, 3, new_generator(0))
    assert torch.isinf(thresholds).all()
    assert (fall(x, features, thresholds) == 0).all()


# Values -----------------------------------------------------------------------------------------


def test_scores_are_those_of_ranks():
    x = rows_of(101, 2)
    x[:40, 1] = 0.0
    scores = prepared(x).values(x)[:, 2:].numpy()
    expected = norm.ppf((rankdata(x.numpy(), axis=0) - 0.5) / 101)
    np.testing.assert_allclose(scores, expected, atol=1e-4)


def test_scores_follow_monotone_maps():
    x = rows_of(150, 3)
    bent = x.exp() ** 2
    both = [prepared(values).values(values)[:, 3:] for values in (x, bent)]
    torch.testing.assert_close(*both, atol=1e-4, rtol=1e-4)


def test_new_values_lie_between_their_neighbours_and_never_beyond_the_ends():
    x = torch.linspace(-1, 1, 51)[:, None]
    stem = prepared(x)
    scores = stem.values(torch.tensor([[-9.0], [-1.0], [0.02], [1.0], [9.0]]))[:, 1]
    low, high = stem.values(torch.tensor([[0.0], [0.04]]))[:, 1]
    assert low < scores[2] < high
    assert scores[0] == scores[1]
    assert scores[3] == scores[4]


# Columns ----------------------------------------------------------------------------------------


def test_kernel_against_numpy():
    x = rows_of(40, 3)
    stem = prepared(x)
    values = stem.values(x).double().numpy()
    white = (values - values.mean(0)) @ stem.whitening.double().numpy()
    leaves = fall(stem.values(x)[:, 3:], stem.features, stem.thresholds).numpy()
    ways = [
        np.exp(-stem.rates[0].item() * cdist(values, values, "sqeuclidean")),
        np.exp(-stem.rates[1].item() * cdist(white, white, "sqeuclidean")),
        (values - values.mean(0)) @ (values - values.mean(0)).T,
        (leaves[:, None] == leaves[None]).mean(2),
    ]
    variances = [way.diagonal().mean() - way.mean() for way in ways]
    expected = sum(
        share * way / variance for share, way, variance in zip((1, 0.5, 0.4, 0.35), ways, variances)
    )
    # Landmarks are the rows in another order, padded by rows that no column reads.
    found = stem.compare(x)[:, :40].double().numpy()
    np.testing.assert_allclose(np.sort(found, 1), np.sort(expected, 1), atol=1e-4)


def test_columns_have_the_distances_of_the_shaped_kernel():
    """With as many landmarks as rows nothing is approximate."""
    x = rows_of(60, 4)
    stem = prepared(x.double(), 64)
    pooled = stem(x.double())[1].numpy()
    order = torch.randperm(60, generator=new_generator(0))
    kernel = stem.compare(x.double()[order])[:, :60].numpy()
    centred = kernel - kernel.mean(0) - kernel.mean(1)[:, None] + kernel.mean()
    values, vectors = eigh(centred)
    shaped = vectors * values.clip(0) ** 0.65
    expected = shaped @ shaped.T
    found = pooled[order.numpy()] @ pooled[order.numpy()].T
    np.testing.assert_allclose(found / np.trace(found), expected / np.trace(expected), atol=2e-4)


def test_columns_are_principal_directions_of_variance_1_in_the_mean():
    x, _ = blobs(300)
    pooled = prepared(x)(x)[1].double().numpy()
    np.testing.assert_allclose(pooled.mean(0), 0, atol=1e-3)
    covariance = np.cov(pooled.T, bias=True)
    np.testing.assert_allclose(covariance, np.diag(covariance.diagonal()), atol=1e-2)
    assert (np.diff(covariance.diagonal()) <= 1e-3).all()
    assert covariance.trace() == pytest.approx(pooled.shape[1], rel=1e-3)


def test_columns_tell_what_no_linear_model_reads_from_values():
    x, y = blobs(400)
    pooled = prepared(x)(x)[1].numpy()
    scores = [RidgeClassifier().fit(Z[:200], y[:200]).score(Z[200:], y[200:]) for Z in (x, pooled)]
    assert scores[0] < 0.7
    assert scores[1] > 0.85


def test_maps_are_the_leading_directions():
    x = rows_of(300, 5)
    maps, pooled = prepared(x, 128)(x)
    assert maps.shape == (300, 8, 8)
    maps = maps.flatten(1)
    covariance = torch.cov(maps.T, correction=0)
    torch.testing.assert_close(covariance, torch.eye(64), atol=1e-2, rtol=0)
    largest = torch.linalg.eigvalsh(torch.cov(pooled.T, correction=0))[-1]
    first = torch.linalg.lstsq(maps[:, :1], pooled).solution
    torch.testing.assert_close(first.square().sum(), largest, rtol=1e-2, atol=0)


@pytest.mark.parametrize(("n", "p"), [(2, 3), (3, 2), (30, 700), (200, 2), (70, 130)])
def test_sizes(n, p):
    x = rows_of(n, p)
    stem = prepared(x)
    maps, pooled = stem(rows_of(9, p, seed=1))
    assert maps.shape == (9, stem.n_maps, stem.n_places)
    assert pooled.shape == (9, stem.n_pooled)
    assert sum(stem.groups) == stem.n_pooled
    assert torch.isfinite(maps).all()
    assert torch.isfinite(pooled).all()


def test_a_single_sample_and_constant_tables_give_zeros():
    for x in (torch.zeros(1, 3), torch.zeros(40, 3), torch.ones(5, 2)):
        pooled = prepared(x)(x)[1]
        torch.testing.assert_close(pooled, torch.zeros_like(pooled), atol=1e-2, rtol=0)


def test_constant_columns_and_far_outliers_do_no_harm():
    x = rows_of(100, 4)
    x[:, 1] = 0
    x[:, 2] = (4 * x[:, 2]).exp()
    x[0, 3] = 1e30
    pooled = prepared(x)(x)[1]
    assert torch.isfinite(pooled).all()
    assert pooled.abs().max() < 100


def test_landmarks_that_are_all_but_equal():
    x = 0.01 * rows_of(500, 2) + torch.arange(500)[:, None] % 2
    pooled = prepared(x, 512)(x)[1]
    assert torch.isfinite(pooled).all()
    assert pooled.numpy().var(0).mean() == pytest.approx(1, abs=1e-2)


def test_flags_alone():
    x = (rows_of(300, 6) > 0).float()
    pooled = prepared(x, 128)(x)[1]
    assert pooled.numpy().var(0).mean() == pytest.approx(1, abs=1e-2)


# State ------------------------------------------------------------------------------------------


def test_the_generator_decides():
    x = rows_of(120, 5)
    first, second, other = (prepared(x, seed=seed)(x)[1] for seed in (0, 0, 1))
    torch.testing.assert_close(first, second, atol=0, rtol=0)
    assert not torch.allclose(first, other, atol=1e-2)


def test_state_goes_into_a_fresh_stem_and_back():
    x = rows_of(120, 5)
    stem, fresh = prepared(x), TableStem(5, 64)
    fresh.load_state_dict(stem.state_dict())
    for expected, found in zip(stem(x), fresh(x)):
        torch.testing.assert_close(found, expected, atol=0, rtol=0)


def test_double_precision_agrees():
    x = rows_of(100, 4)
    single, double = prepared(x), TableStem(4, 64).double()
    double.load_state_dict(single.state_dict())
    found = double(x.double())[1]
    assert found.dtype == torch.float64
    torch.testing.assert_close(single(x)[1].double(), found, atol=2e-3, rtol=2e-3)
    assert prepared(x.double())(x.double())[1].dtype == torch.float64


def test_blocks_do_not_matter(monkeypatch):
    x = rows_of(100, 4)
    stem = prepared(x)
    whole = stem(x)[1]
    monkeypatch.setattr("sk_infomax.encoders._table_stem._BLOCK", 7)
    torch.testing.assert_close(stem(x)[1], whole, atol=1e-3, rtol=1e-3)


def test_columns_keep_their_digits_in_float32():
    """They are small differences of many comparisons, of which all rows share most."""
    x = rows_of(600, 8)
    stem = prepared(x, 512)
    again = TableStem(8, 512)
    again.load_state_dict(stem.state_dict())
    assert torch.equal(again(x[:99]).pooled, stem(x[:99]).pooled)
    error = rounding(stem, x[:99])
    stem.shift.copy_(stem.offset)
    stem.level.zero_()
    assert error < 0.6 * rounding(stem, x[:99])  # 1.2e-5 and 3.6e-5


def rounding(stem, x):
    """The largest difference of columns in float32 and float64, of the largest value of each."""
    exact = copy.deepcopy(stem).double()(x.double()).pooled
    largest = exact.abs().amax(0)
    return ((stem(x).pooled - exact).abs() / torch.maximum(largest, largest.mean())).max()

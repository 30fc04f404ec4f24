"""Models that are asked beside critics: matched columns, products of columns, clusters."""

import math
from functools import lru_cache

import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import multivariate_normal, norm

from sk_infomax import mutual_info
from sk_infomax._columns._reading import read_columns
from sk_infomax.datasets import additive_uniform, multinormal_sparse
from sk_infomax.information._clusters import told_of_clusters
from sk_infomax.information._columns import Columns, normal_scores
from sk_infomax.information._matched import told_of_matched
from sk_infomax.information._products import told_of_products


def side(values):
    """Columns after what is known of them."""
    columns = read_columns(values)
    return list(zip(Columns(columns).parts, columns))


def wave(rng, n, speed, noise, d):
    """One column is a wave of one of d, beside columns of noise; and its information."""
    X = rng.normal(size=(n, d))
    y = np.sin(speed * X[:, rng.randint(d)]) + noise * rng.normal(size=n)
    grid, phases = np.linspace(-3, 3, 3001), np.linspace(0, 2 * np.pi, 400)
    density = norm.pdf(grid[:, None], np.sin(phases), noise).mean(1)
    entropy = -np.trapezoid(density * np.log(density.clip(1e-300)), grid)
    truth = entropy - 0.5 * math.log(2 * math.pi * math.e * noise**2)
    return X, np.column_stack([rng.normal(size=(n, 2)), y]), truth


def sampled(task, rng, n):
    X, Y = task.sample(n, random_state=rng)
    return X, Y[:, rng.permutation(Y.shape[1])], task.mutual_information


MATCHED = {
    "wave": lambda rng: wave(rng, 2500, 5, 0.2, 3),
    "slow wave": lambda rng: wave(rng, 1500, 2.5, 0.5, 5),
    "edges": lambda rng: sampled(additive_uniform(4, 0.5), rng, 2000),
    "normal": lambda rng: sampled(multinormal_sparse(3, 4), rng, 2000),
}


@pytest.mark.parametrize("kind", MATCHED)
def test_columns_that_go_together_add_up_and_claim_no_more(kind):
    for seed in range(2):
        X, Y, truth = MATCHED[kind](np.random.RandomState(seed))
        told, missed = told_of_matched(side(np.exp(X)), side(Y), 0.0)
        assert truth - 3 * told.error - missed < told.value < truth + 3 * told.error
        assert told.value > 0.8 * truth
        back, _ = told_of_matched(side(Y), side(X**3), 0.0)
        assert back.value == pytest.approx(told.value, abs=0.05)


def test_columns_that_tell_nothing_or_repeat_each_other_are_no_matches():
    rng = np.random.RandomState(0)
    X, shared = rng.normal(size=(800, 4)), rng.normal(size=(800, 1))
    assert math.isinf(told_of_matched(side(X), side(rng.normal(size=(800, 3))), 0.0).told.error)
    copies = [shared + 0.3 * rng.normal(size=(800, 3)) for _ in "xy"]
    assert math.isinf(told_of_matched(*map(side, copies), 0.0).told.error)
    clear = X + 0.1 * rng.normal(size=X.shape)
    assert math.isfinite(told_of_matched(side(X), side(clear), 0.0).told.error)
    assert math.isinf(told_of_matched(side(X), side(clear), 1e3).told.error)


@pytest.mark.parametrize(("size", "d", "flipped"), [(2, 3, 0.2), (3, 6, 0.0), (4, 5, 0.1)])
def test_parities_of_several_columns(size, d, flipped):
    rng = np.random.RandomState(size)
    X = rng.normal(size=(2000, d))
    parity = (X[:, :size].prod(1) > 0) ^ (rng.uniform(size=2000) < flipped)
    entropy = -sum(p * math.log(p) for p in (flipped, 1 - flipped) if p)
    truth = math.log(2) - entropy
    known, column = side(np.where(parity, "odd", "even"))[0]
    told = told_of_products(normal_scores(X), column, known)
    assert abs(told.value - truth) < 3 * told.error
    nothing = told_of_products(rng.normal(size=X.shape), column, known)
    one = told_of_products(np.column_stack([parity + 0.1 * X[:, 0], X[:, 1]]), column, known)
    assert math.isinf(nothing.error)
    assert math.isinf(one.error)


def test_products_that_move_a_number():
    rng = np.random.RandomState(0)
    X = rng.normal(size=(2000, 4))
    known, column = side(np.sign(X[:, 1] * X[:, 3]) + rng.normal(size=2000))[0]
    told = told_of_products(normal_scores(X), column, known)
    assert told.value == pytest.approx(0.337, abs=3 * told.error)  # of two signs, by quadrature


@lru_cache
def clusters(k, d, n, seed):
    """Pairs (n, 2 d) in k normal clusters, and their information by 20,000 others."""
    rng, columns = np.random.RandomState(seed), np.arange(2 * d)
    means, roots = 1.5 * rng.normal(size=(k, 2 * d)), rng.normal(size=(k, 2 * d, 2 * d))
    spreads = roots @ roots.transpose(0, 2, 1) / (2 * d) + 0.1 * np.eye(2 * d)

    def draw(count):
        return np.vstack(
            [rng.multivariate_normal(m, s, count // k) for m, s in zip(means, spreads)]
        )

    def log_density(rows, own):
        parts = [
            multivariate_normal.logpdf(rows[:, own], m[own], s[np.ix_(own, own)])
            for m, s in zip(means, spreads)
        ]
        return logsumexp(parts, axis=0) - math.log(k)

    many = draw(20_000)
    both, x, y = (log_density(many, own) for own in (columns, columns[:d], columns[d:]))
    return rng.permutation(draw(n)), float((both - x - y).mean())


def test_clusters_are_told_and_not_overclaimed():
    k, d = 4, 3
    pairs, truth = clusters(k, d, 2400, k)
    folds = np.array_split(np.arange(len(pairs)), 2)
    told = told_of_clusters(normal_scores(pairs), d, folds, 0)
    assert truth - 3 * told.error < told.value < truth + 2 * told.error
    assert told.value > 0.75 * truth


def test_one_cluster_is_left_to_the_gaussian():
    rng = np.random.RandomState(0)
    pairs = rng.normal(size=(1000, 6)) @ rng.normal(size=(6, 6))
    folds = np.array_split(np.arange(1000), 2)
    assert math.isinf(told_of_clusters(normal_scores(pairs), 3, folds, 0).error)


@pytest.mark.slow
def test_waves_among_columns_of_noise_are_found():
    X, Y, truth = wave(np.random.RandomState(1), 1500, 4, 0.3, 3)
    value, (low, high) = mutual_info(X, Y, effort="fast", max_steps=5, random_state=0)
    assert value == pytest.approx(truth, abs=0.12)
    assert low < truth < high
    mapped, _ = mutual_info(np.exp(X), Y**3, effort="fast", max_steps=5, random_state=0)
    assert mapped == value

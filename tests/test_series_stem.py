"""The frozen stem of series against plain references, and at its extremes."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import RidgeClassifier
from torch.nn.functional import adaptive_avg_pool1d

from sk_infomax._random import new_generator
from sk_infomax.encoders import _series_stem
from sk_infomax.encoders._series_stem import SeriesStem
from sk_infomax.encoders._time import averages, by_length, levels_of


def waves(n, channels, length, seed=0, dtype=torch.float32):
    """Smooth random series (n, c, t), about standardised."""
    generator = new_generator(seed)
    x = torch.randn(n, channels, length, generator=generator, dtype=dtype).cumsum(2)
    return (x - x.mean()) / x.std()


def prepared(x, **options):
    stem = SeriesStem(*x.shape[1:], **options).to(x.dtype)
    stem.prepare(x, None, new_generator(1))
    return stem


@pytest.fixture(scope="module")
def series():
    return waves(30, 2, 45)


@pytest.fixture(scope="module")
def stem(series):
    return prepared(series, n_filters=3)


def test_levels_fit_the_series():
    for length in (8, 45, 300, 100_000):
        for level in levels_of(length, min(9, length - 1)):
            last = (level.places - 1) * level.stride + (min(9, length - 1) - 1) * level.dilation
            assert 0 <= last < length - level.order
            assert level.places <= 2048


def test_shapes(series, stem):
    maps, pooled = stem(series)
    assert maps.shape == (30, stem.n_maps, stem.n_places)
    assert pooled.shape == (30, stem.n_pooled)
    assert sum(stem.groups.values()) == stem.n_pooled
    assert stem.n_places <= 16
    assert not pooled.requires_grad


def stretch_of(stem, x, index, place):
    """What a level sees of a series (c, t) at one place, (c, taps)."""
    level = stem.levels[index]
    signal = x.diff(dim=1) if level.order else x
    first = place * level.stride
    return signal[:, first : first + (stem.taps - 1) * level.dilation + 1 : level.dilation]


def reference_likeness(stem, x, index, places=None):
    """One stretch of a series (c, t) after another, (k, places)."""
    columns = []
    for place in range(places or stem.levels[index].places):
        patch = stretch_of(stem, x, index, place)
        contrast = (patch.var(unbiased=False) + stem.floor[index]).sqrt()
        products = [(pattern * (patch - patch.mean())).sum() for pattern in stem.filters[index]]
        columns.append(torch.stack(products) / contrast - stem.offset[index, :, 0])
    return torch.stack(columns, 1)


@pytest.mark.parametrize("index", [1, -1])
def test_codes_against_one_stretch_after_another(series, stem, index):
    index %= len(stem.levels)
    codes, wins, *_ = stem._cells(series[:1])
    per_level = 2 * stem.filters.shape[1]
    likeness = reference_likeness(stem, series[0], index)
    signed = torch.cat([likeness, -likeness])
    own = slice(index * per_level, (index + 1) * per_level)
    expected = adaptive_avg_pool1d((signed - 0.25).clamp(min=0), stem.n_cells)
    torch.testing.assert_close(codes[0, own], expected, atol=1e-4, rtol=1e-3)
    won = torch.nn.functional.one_hot(signed.argmax(0), per_level).T.float()
    expected = adaptive_avg_pool1d(won, stem.n_win_cells)
    torch.testing.assert_close(wins[0, own], expected, atol=1e-4, rtol=1e-3)


def test_contests_against_one_stretch_after_another(series, stem):
    largest, least = torch.zeros(2, 8, 8)
    places = stem.levels[1].places
    for place in range(places):
        answers = (stem.kernels[1] * stretch_of(stem, series[0], 1, place)).sum((1, 2)).view(8, 8)
        for contest, answer in enumerate(answers):
            largest[contest, answer.argmax()] += answer.max() / places
            least[contest, answer.argmin()] += 1 / places
    found = stem._cells(series[:1])[2].view(stem.n_contested, 2, 8, 8)[1]
    torch.testing.assert_close(found, torch.stack([largest, least]), atol=1e-5, rtol=1e-4)


def test_thresholds_against_one_stretch_after_another(series, stem):
    places = stem.levels[0].places
    expected = torch.zeros(84, 4)
    for place in range(places):
        answers = (stem.fixed[0] * stretch_of(stem, series[0], 0, place)).sum((1, 2))
        expected += (answers[:, None] > stem.thresholds[0]).float() / places
    found = stem._cells(series[:1])[3].view(stem.n_contested, 4, 84)[0].T
    torch.testing.assert_close(found, expected, atol=1.5 / places, rtol=0)
    assert (stem.fixed[0].flatten(1).sum(1).abs() < 1e-4).all()


def test_one_winner_at_each_place(series, stem):
    wins = stem._cells(series)[1].unflatten(1, (len(stem.levels), -1)).sum(2)
    torch.testing.assert_close(wins, torch.ones_like(wins))


def test_moments_against_sums(series, stem):
    codes = stem._cells(series[:2])[0]
    mixed = (stem._on_time(codes, 45) - stem.code_mean[:, None]).transpose(1, 2) @ stem.mixtures
    half = mixed.shape[1] // 2
    columns = stem._moments(stem._on_time(codes, 45))
    first, second = np.triu_indices(mixed.shape[2])
    for place, part in enumerate((mixed[:, :half], mixed[:, half:], mixed)):
        for column, (a, b) in list(enumerate(zip(first, second)))[::17]:
            product = (part[:, :, a] * part[:, :, b]).mean(1)
            found = columns[:, place * len(first) + column]
            torch.testing.assert_close(found.abs().square() * found.sign(), product)


def test_each_group_has_its_share_of_the_variance(series):
    stem = prepared(series, n_filters=3)
    pooled = stem(series)[1]
    torch.testing.assert_close(pooled.mean(0), torch.zeros(stem.n_pooled), atol=1e-4, rtol=0)
    variances = [
        part.var(0, correction=0).sum() for part in pooled.split([*stem.groups.values()], 1)
    ]
    shares = torch.tensor([*_series_stem._SHARES.values()])
    found = torch.stack(variances) / sum(variances)
    torch.testing.assert_close(found, shares / shares.sum(), atol=1e-3, rtol=0)
    assert pooled.var(0, correction=0).mean().sqrt() == pytest.approx(0.2, rel=1e-2)


def bumps(n=60, length=50, seed=0):
    """A wide or a narrow bump anywhere, series (n, 1, t) and labels (n,)."""
    rng = np.random.RandomState(seed)
    y = np.arange(n) % 2
    place = rng.uniform(12, length - 12, size=(n, 1))
    x = np.exp(-(((np.arange(length) - place) / (2 + 3 * y[:, None])) ** 2))
    x = torch.from_numpy(x + 0.05 * rng.normal(size=x.shape)).float()[:, None]
    return (x - x.mean()) / x.std(), y


def test_whitened_values_have_one_spread_in_all_directions(series):
    stem = prepared(series, n_filters=3)
    whitened = stem._cells(series)[-1] @ stem.whitening
    spread = np.linalg.eigvalsh(np.cov(whitened.T.numpy(), bias=True))
    rank = min(len(series) - 1, whitened.shape[1])
    assert spread[-rank:].min() > 0.3
    assert spread.max() < 1.001
    np.testing.assert_allclose(spread[:-rank], 0, atol=1e-3)


def test_what_is_small_in_the_values_can_be_read_with_the_penalty_of_the_large():
    rng = np.random.RandomState(0)
    n, time = 120, np.linspace(-1, 1, 60)
    y = np.arange(n) % 2
    slow = rng.normal(size=(n, 4)) @ [time**power for power in range(4)]
    x = slow + 0.03 * np.outer(2 * y - 1, np.sin(9 * time)) + 0.02 * rng.normal(size=(n, 60))
    x = torch.from_numpy((x - x.mean()) / x.std()).float()[:, None]
    stem = prepared(x[:60])
    columns = dict(zip(stem.groups, stem(x)[1].split([*stem.groups.values()], 1)))
    scores = []
    for name in ("values", "whitened"):
        part = columns[name] / columns[name].std()
        scores.append(RidgeClassifier(1000).fit(part[:60], y[:60]).score(part[60:], y[60:]))
    assert scores[1] > 0.9 > scores[0]


def test_level_and_contrast_are_seen_by_values_and_rivals_alone(series):
    stem = prepared(series, n_filters=3)
    stem.floor.zero_()
    widths = [*stem.groups.values()]
    first, second = (stem._columns(x)[1].split(widths, 1) for x in (series, 3 * series - 1))
    for name, one, other in zip(stem.groups, first, second):
        alike = torch.allclose(one, other, atol=2e-2, rtol=1e-2)
        assert alike == (name in {"patterns", "wins", "moments"}), name


def test_same_generator_same_columns(series, stem):
    torch.testing.assert_close(prepared(series, n_filters=3)(series)[1], stem(series)[1])


def test_columns_do_not_depend_on_the_size_of_blocks(series, stem, monkeypatch):
    whole = stem(series)
    monkeypatch.setattr(_series_stem, "_CACHED_VALUES", 1)
    monkeypatch.setattr(_series_stem, "_BLOCK", 7)
    for first, second in zip(stem(series), whole):
        torch.testing.assert_close(first, second, atol=1e-4, rtol=1e-3)


def test_global_randomness_is_left_alone(series):
    torch.manual_seed(0)
    before = torch.get_rng_state()
    prepared(series, n_filters=3)
    assert torch.equal(before, torch.get_rng_state())


def test_state_dict_round_trip(series, stem):
    restored = SeriesStem(2, 45, n_filters=3)
    restored.load_state_dict(stem.state_dict())
    assert torch.equal(restored(series)[1], stem(series)[1])


def test_float64():
    x = waves(20, 1, 30, dtype=torch.float64)
    maps, pooled = prepared(x, n_filters=3)(x)
    assert maps.dtype == pooled.dtype == torch.float64


@pytest.mark.parametrize(
    ("n", "channels", "length"), [(12, 1, 8), (5, 1, 2), (12, 10, 40), (1, 1, 60), (2, 1, 5000)]
)
def test_extremes_give_finite_columns(n, channels, length):
    x = waves(n, channels, length)
    stem = SeriesStem(channels, length, n_filters=4)
    assert stem(x)[1].isfinite().all()
    stem.prepare(x, None, new_generator(0))
    for part in stem(waves(2, channels, length, seed=1)):
        assert part.isfinite().all()


def test_constant_series_give_finite_columns():
    x = torch.zeros(10, 1, 50)
    stem = prepared(x, n_filters=4)
    assert stem(x)[1].abs().max() == 0
    assert stem(waves(3, 1, 50))[1].isfinite().all()


@pytest.mark.parametrize(("places", "cells"), [(9, 4), (64, 8), (3, 8), (1, 1)])
def test_weights_of_means(places, cells):
    x = torch.randn(2, 3, places)
    found = x @ averages(places, cells)
    torch.testing.assert_close(found, adaptive_avg_pool1d(x, cells))


def test_a_series_of_one_value_is_refused():
    with pytest.raises(ValueError, match=r"Series of 1 value .* give 2 values or more"):
        SeriesStem(1, 1)


def test_columns_tell_shapes_apart_that_lie_anywhere():
    x, y = bumps()
    columns = prepared(x)(x)[1]
    distances = torch.cdist(columns, columns).fill_diagonal_(torch.inf)
    assert np.mean(y[distances.argmin(1).numpy()] == y) > 0.9


def cut(x, lengths):
    """Series (n, c, t) with NaN from these lengths on."""
    x = x.clone()
    for row, length in zip(x, lengths):
        row[:, length:] = torch.nan
    return x


def test_shorter_series_are_read_alone(series, stem):
    lengths = [45, 20, 45, 9, 2, 20, 33]
    together = stem(cut(series[:7], lengths))
    for row, length in enumerate(lengths):
        alone = stem(series[row : row + 1, :, :length])
        for part, own in zip(together, alone):
            torch.testing.assert_close(part[row : row + 1], own, atol=1e-4, rtol=1e-3)
            assert own.isfinite().all()


@pytest.mark.parametrize("index", [0, -1])
def test_parts_are_those_of_the_series_own_time(series, stem, index):
    index %= len(stem.levels)
    level, short = stem.levels[index], series[0, :, :44]
    places = (44 - level.order - 8 * level.dilation - 1) // level.stride + 1
    likeness = reference_likeness(stem, short, index, places)
    per_level = 2 * stem.filters.shape[1]
    found = stem._cells(short[None])[0][0, index * per_level : (index + 1) * per_level]
    signed = torch.cat([likeness, -likeness])
    expected = adaptive_avg_pool1d((signed - 0.25).clamp(min=0), stem.n_cells)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-3)


def test_what_series_of_several_lengths_are_prepared_on(series):
    x = cut(series, [45, 30, 12] * 10)
    stem = prepared(x, n_filters=3)
    assert all(buffer.isfinite().all() for buffer in stem.buffers())
    torch.testing.assert_close(stem(x)[1].mean(0), torch.zeros(stem.n_pooled), atol=1e-4, rtol=0)
    assert prepared(cut(series, [20] * 30), n_filters=3)(x)[1].isfinite().all()


def test_groups_of_one_length_come_back_in_order():
    x, seen = cut(torch.arange(24.0).view(6, 1, 4), [2, 4, 3, 2, 4, 4]), []
    sums = by_length(lambda part: seen.append(len(part)) or (part.sum((1, 2)),), x)[0]
    assert torch.equal(sums, x.nan_to_num(0).sum((1, 2)))
    assert seen == [2, 1, 3]

"""The frozen stem of series against plain references, and at its extremes."""

import numpy as np
import pytest
import torch
from torch.nn.functional import adaptive_avg_pool1d

from sk_infomax._random import new_generator
from sk_infomax.encoders import _series_stem
from sk_infomax.encoders._series_stem import SeriesStem, levels_of, warped


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


def reference_likeness(stem, x, index):
    """One stretch of one series (c, t) after another, (k, places)."""
    level = stem.levels[index]
    signal = x.diff(dim=1) if level.order else x
    found = torch.zeros(stem.filters.shape[1], level.places, dtype=x.dtype)
    for place in range(level.places):
        first = place * level.stride
        patch = signal[:, first : first + (stem.taps - 1) * level.dilation + 1 : level.dilation]
        contrast = (patch.var(unbiased=False) + stem.floor[index]).sqrt()
        for k, pattern in enumerate(stem.filters[index]):
            likeness = (pattern * (patch - patch.mean())).sum() / contrast
            found[k, place] = likeness - stem.offset[index, k, 0]
    return found


def test_codes_against_one_stretch_after_another(series, stem):
    x = series[:1]
    codes, wins = stem._cells(x)
    per_level = 2 * stem.filters.shape[1]
    for index in range(len(stem.levels)):
        likeness = reference_likeness(stem, x[0], index)
        signed = torch.cat([likeness, -likeness])
        own = slice(index * per_level, (index + 1) * per_level)
        expected = adaptive_avg_pool1d((signed - 0.25).clamp(min=0), stem.n_cells)
        torch.testing.assert_close(codes[0, own], expected, atol=1e-4, rtol=1e-3)
        won = torch.nn.functional.one_hot(signed.argmax(0), per_level).T.float()
        expected = adaptive_avg_pool1d(won, stem.n_win_cells)
        torch.testing.assert_close(wins[0, own], expected, atol=1e-4, rtol=1e-3)


def test_one_winner_at_each_place(series, stem):
    wins = stem._cells(series)[1].unflatten(1, (len(stem.levels), -1)).sum(2)
    torch.testing.assert_close(wins, torch.ones_like(wins))


def test_moments_against_sums(series, stem):
    codes = stem._cells(series[:2])[0]
    mixed = (stem._on_time(codes) - stem.code_mean[:, None]).transpose(1, 2) @ stem.mixtures
    half = mixed.shape[1] // 2
    columns = stem._moments(codes)
    first, second = np.triu_indices(mixed.shape[2])
    for place, part in enumerate((mixed[:, :half], mixed[:, half:], mixed)):
        for column, (a, b) in list(enumerate(zip(first, second)))[::17]:
            product = (part[:, :, a] * part[:, :, b]).mean(1)
            found = columns[:, place * len(first) + column]
            torch.testing.assert_close(found.abs().square() * found.sign(), product)


def test_each_group_has_its_share_of_the_variance(series):
    stem = prepared(series, n_filters=3, n_directions=0)
    pooled = stem(series)[1]
    torch.testing.assert_close(pooled.mean(0), torch.zeros(stem.n_pooled), atol=1e-4, rtol=0)
    variances = [
        part.var(0, correction=0).sum() for part in pooled.split([*stem.groups.values()], 1)
    ]
    shares = torch.tensor([*_series_stem._SHARES.values()])
    found = torch.stack(variances) / sum(variances)
    torch.testing.assert_close(found, shares / shares.sum(), atol=1e-3, rtol=0)
    assert pooled.var(0, correction=0).mean().sqrt() == pytest.approx(0.2, rel=1e-2)


def test_warps_change_less_than_without_directions(series):
    plain, shrunk = (prepared(series, n_filters=3, n_directions=k) for k in (0, 64))
    ratios = []
    for stem in (plain, shrunk):
        first, second = (stem(warped(series, new_generator(seed)))[1] for seed in (5, 6))
        ratios.append((first - second).square().sum() / stem(series)[1].square().sum())
    assert ratios[1] < 0.8 * ratios[0]


def test_level_and_contrast_are_seen_by_values_alone(series, stem):
    stem = prepared(series, n_filters=3, n_directions=0)
    stem.floor.zero_()
    first, second = (stem._columns(x)[1] for x in (series, 3 * series - 1))
    width = stem.n_pooled - stem.groups["values"]
    torch.testing.assert_close(first[:, :width], second[:, :width], atol=2e-2, rtol=1e-2)
    assert not torch.allclose(first[:, width:], second[:, width:], atol=0.1)


def test_warps_keep_shape_and_range(series):
    moved = warped(series, new_generator(0))
    assert moved.shape == series.shape
    assert moved.abs().max() < 2 * series.abs().max()


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
    ("n", "channels", "length"), [(12, 1, 8), (5, 1, 2), (12, 10, 40), (1, 1, 60), (3, 1, 20_000)]
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


def test_a_series_of_one_value_is_refused():
    with pytest.raises(ValueError, match="2 values or more and got 1"):
        SeriesStem(1, 1)


def test_columns_tell_shapes_apart_that_lie_anywhere():
    generator = np.random.RandomState(0)
    y = np.arange(60) % 2
    place = generator.uniform(12, 38, size=(60, 1))
    bumps = np.exp(-(((np.arange(50) - place) / (2 + 3 * y[:, None])) ** 2))
    x = torch.from_numpy(bumps + 0.05 * generator.normal(size=bumps.shape)).float()[:, None]
    columns = prepared((x - x.mean()) / x.std())(x)[1]
    distances = torch.cdist(columns, columns).fill_diagonal_(torch.inf)
    assert np.mean(y[distances.argmin(1).numpy()] == y) > 0.9

"""Batches: sizes, order, scaling, and that streaming gives what residence gives."""

from typing import NamedTuple

import numpy as np
import pytest
import torch
from sklearn import config_context

from sk_infomax._layout import Layout
from sk_infomax._scaling import Scaling
from sk_infomax._training import _batches
from sk_infomax._training._batches import (
    CodedData,
    Data,
    ResidentData,
    StreamedData,
    batch_sizes,
    coded,
    make_data,
)

CPU = torch.device("cpu")
TABLE = Layout("table", (3,), None)
IMAGE_LAST = Layout("image", (4, 5, 3), 2)
SERIES = Layout("series", (2, 6), 0)


def rows(layout, n=40, dtype=np.float32):
    return np.random.RandomState(0).normal(3, 2, (n, *layout.shape)).astype(dtype)


@pytest.mark.parametrize("batch_size", [2, 3, 7, 128])
@pytest.mark.parametrize("n", [2, 3, 5, 127, 128, 129, 255, 256, 1000])
def test_no_batch_is_small(n, batch_size):
    sizes = batch_sizes(n, batch_size)
    assert sum(sizes) == n
    assert min(sizes) >= min(n, batch_size)
    assert max(sizes) - min(sizes) <= 1
    assert max(sizes) < 2 * batch_size


@pytest.mark.parametrize("layout", [TABLE, IMAGE_LAST, SERIES])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_scaling_standardises_columns_or_channels(layout, dtype):
    scaling = Scaling(layout).update(rows(layout, dtype=dtype))
    out = scaling.apply(rows(layout, dtype=dtype), dtype)
    assert out.shape == (40, *layout.network_shape)
    assert out.numpy().dtype == dtype
    axes = (0, *range(2, out.dim()))
    np.testing.assert_allclose(out.numpy().mean(axes), 0, atol=1e-6)
    np.testing.assert_allclose(out.numpy().std(axes), 1, atol=1e-5)


def test_scaling_in_pieces_equals_scaling_at_once():
    x = rows(TABLE, 300, np.float64)
    once, pieces = Scaling(TABLE).update(x), Scaling(TABLE)
    for piece in np.array_split(x, 7):
        pieces.update(piece)
    np.testing.assert_allclose(pieces.mean, once.mean)
    np.testing.assert_allclose(pieces.scale, once.scale)
    np.testing.assert_allclose(once.scale, x.std(0))


def test_scaling_keeps_digits_of_large_offsets():
    x = 1e9 + rows(TABLE, dtype=np.float64)
    out = Scaling(TABLE).update(x).apply(x)
    np.testing.assert_allclose(out.std(0, correction=0), 1, atol=1e-4)


def test_constant_columns_become_zero():
    x = rows(TABLE)
    x[:, 1] = 0.1
    assert (Scaling(TABLE).update(x).apply(x)[:, 1].abs() < 1e-6).all()


def test_bytes_of_images_go_to_minus_one_and_one():
    x = np.array([0, 255] * 30, dtype=np.uint8).reshape(1, 4, 5, 3)
    out = Scaling(IMAGE_LAST).update(x).apply(x)
    assert set(out.unique().tolist()) == {-1.0, 1.0}


def test_bytes_of_tables_are_standardised():
    x = np.arange(60, dtype=np.uint8).reshape(20, 3)
    out = Scaling(TABLE).update(x).apply(x)
    np.testing.assert_allclose(out.std(0, correction=0), 1, atol=1e-5)


def test_nothing_of_the_users_is_aliased():
    x = rows(TABLE)
    data = make_data(x, Scaling(TABLE), CPU)
    before = data.samples.clone()
    x[:] = 0
    assert torch.equal(data.samples, before)


@pytest.mark.parametrize("layout", [TABLE, IMAGE_LAST, SERIES])
@pytest.mark.parametrize("workers", [0, 1])
def test_streamed_batches_equal_resident_ones(layout, workers, tmp_path):
    np.save(tmp_path / "x.npy", rows(layout))
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    scaling, subset = Scaling(layout).update(mapped), np.arange(3, 37)
    resident = make_data(mapped, scaling, CPU, subset)
    with config_context(working_memory=0):
        streamed = make_data(mapped, scaling, CPU, subset, workers)
    assert isinstance(resident, ResidentData)
    assert isinstance(streamed, StreamedData)
    assert len(resident) == len(streamed) == 34
    passes = [data.batches(8, torch.Generator().manual_seed(3)) for data in (resident, streamed)]
    assert len(passes[0]) == 4
    for _ in range(2):
        for one, other in zip(*passes, strict=True):
            assert torch.equal(one, other)


def test_shuffled_passes_hold_every_row_once():
    data = ResidentData(torch.arange(50.0)[:, None])
    batches = data.batches(8, torch.Generator().manual_seed(0))
    first, second = (torch.cat(list(batches))[:, 0] for _ in range(2))
    assert torch.equal(first.sort().values, torch.arange(50.0))
    assert not torch.equal(first, second)
    assert torch.equal(torch.cat(list(data.batches(8)))[:, 0], torch.arange(50.0))


def test_saved_arrays_are_checked():
    scaling = Scaling(TABLE)
    with pytest.raises(ValueError, match=r"scaling\.mean does not fit"):
        scaling.set("mean", np.zeros(5))
    with pytest.raises(ValueError, match=r"scaling\.mean does not fit"):
        scaling.set("mean", None)


def test_data_without_batches_says_so():
    with pytest.raises(TypeError, match="must define take"):
        Data().take([])


class TwoParts(NamedTuple):
    sums: torch.Tensor
    doubled: torch.Tensor


def two_parts(x):
    return TwoParts(x.flatten(1).sum(1, keepdim=True), 2 * x)


@pytest.mark.parametrize("layout", [TABLE, IMAGE_LAST, SERIES])
@pytest.mark.parametrize("working_memory", [1e-4, 100])
def test_coded_data_gives_the_codes_of_the_same_batches(layout, working_memory):
    source = rows(layout, n=300)
    with config_context(working_memory=working_memory):
        data = make_data(source, Scaling(layout).update(source), CPU)
    found = coded(data, two_parts)
    assert isinstance(found, CodedData)
    assert len(found) == 300
    orders = [torch.Generator().manual_seed(0) for _ in range(2)]
    pairs = zip(data.batches(64, orders[0]), found.batches(64, orders[1]), strict=True)
    for batch, codes in pairs:
        assert type(codes) is TwoParts
        assert all(torch.equal(*both) for both in zip(codes, two_parts(batch), strict=True))


def test_codes_that_take_too_much_memory_are_not_held(monkeypatch):
    data, asked = ResidentData(torch.zeros(600, 3)), []
    monkeypatch.setattr(_batches, "_MOST_CODED", 600 * 4 - 1)
    assert coded(data, lambda x: asked.append(len(x)) or two_parts(x)) is data
    assert asked == [300]
    monkeypatch.setattr(_batches, "_MOST_CODED", 600 * 4)
    assert len(coded(data, two_parts)) == 600

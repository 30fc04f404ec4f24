"""Anything that slices, torch's datasets and streams: the features of an array, piece by piece."""

import pickle
import time
import tracemalloc
import uuid

import numpy as np
import pytest
import torch
from sklearn import config_context
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset

from sk_infomax import DeepInfoMaxTransformer
from sk_infomax._columns._datasets import DatasetSource, Stream, opened
from sk_infomax._columns._sources import ArraySource, source_of, type_inside
from sk_infomax.exceptions import DataWarning

SHAPES = {
    "perceptron": (5,),
    "series": (2, 12),
    "strided": (8, 8, 3),
}
TYPES = [
    np.int16,
    np.uint8,
    np.float64,
    np.float32,
    np.int64,
    np.dtype(">f4"),
    np.float16,
    np.bool_,
]


def samples(shape, dtype, n=37):
    """Whole numbers that all types but flags hold."""
    X = np.random.RandomState(0).randint(0, 100, (n, *shape))
    return (X > 50 if dtype == np.bool_ else X).astype(dtype)


class Sliced:
    """What h5py and zarr are like: slices, and no lists of positions."""

    def __init__(self, values, chunks=None):
        self.values, self.chunks, self.reads = values, chunks, []
        self.shape, self.dtype = values.shape, values.dtype

    def __len__(self):
        return len(self.values)

    def __getitem__(self, rows):
        assert isinstance(rows, slice), "it slices, and no more"
        found = self.values[rows]
        self.reads.append(len(found))
        return found


class Labelled(Dataset):
    """Samples with labels beside them, in one of the usual ways."""

    def __init__(self, values, item=lambda sample, label: (torch.from_numpy(sample), label)):
        self.values, self.item = values, item

    def __len__(self):
        return len(self.values)

    def __getitem__(self, place):
        return self.item(self.values[place], place % 3)


class Endless(IterableDataset):
    """Samples of an array one after another."""

    def __init__(self, values):
        self.values = values

    def __iter__(self):
        return iter(self.values)


def on_disk(X, folder):
    np.save(folder / "X.npy", X)
    return np.load(folder / "X.npy", mmap_mode="r")


def in_h5py(X, folder):
    h5py = pytest.importorskip("h5py")
    file = h5py.File(folder / f"{uuid.uuid4()}.h5", "w")
    return file.create_dataset("X", data=X, chunks=(9, *X.shape[1:]))


def in_zarr(X, folder):
    zarr = pytest.importorskip("zarr")
    return zarr.array(X, chunks=(9, *X.shape[1:]))


def in_dask(X, folder):
    return pytest.importorskip("dask.array").from_array(X, chunks=(9, *X.shape[1:]))


def in_xarray(X, folder):
    xarray = pytest.importorskip("xarray")
    return xarray.DataArray(X, dims=[f"axis {i}" for i in range(X.ndim)])


SLICED = {
    "memmap": on_disk,
    "contiguous": lambda X, folder: Sliced(X),
    "chunked": lambda X, folder: Sliced(X, (7, *X.shape[1:])),
    "chunks of several sizes": lambda X, folder: Sliced(X, ((5, len(X) - 5), X.shape[1:])),
    "h5py": in_h5py,
    "zarr": in_zarr,
    "dask": in_dask,
    "xarray": in_xarray,
}
DATASETS = {
    "tensor and label": lambda X: Labelled(X),
    "array and label": lambda X: Labelled(X, lambda sample, label: (sample, label)),
    "array alone": lambda X: Labelled(X, lambda sample, label: sample),
    "dict": lambda X: Labelled(X, lambda sample, label: {"label": label, "image": sample}),
    "tensors": lambda X: TensorDataset(torch.from_numpy(X), torch.arange(len(X))),
    "loader": lambda X: DataLoader(Labelled(X), batch_size=5, shuffle=True, drop_last=True),
}
STREAMS = {
    "samples": Endless,
    "loader of samples": lambda X: DataLoader(Endless(X), batch_size=5),
    "generator": lambda X: (X[i : i + 6] for i in range(0, len(X), 6)),
    "generator of pairs": lambda X: ((X[i : i + 6], np.zeros(6)) for i in range(0, len(X), 6)),
    "loader with a collate_fn": lambda X: DataLoader(
        Labelled(X), batch_size=5, collate_fn=lambda items: torch.stack([s for s, _ in items])
    ),
}


@pytest.fixture
def small_blocks(monkeypatch):
    """Blocks of few values, so that small arrays have many."""
    monkeypatch.setattr("sk_infomax._scaling._CHUNK_VALUES", 2**14)
    monkeypatch.setattr("sk_infomax._fitted._TRANSFORM_ROWS", 100)


def new(encoder, **settings):
    return DeepInfoMaxTransformer(6, encoder=encoder, max_epochs=1, random_state=0, **settings)


# The law -------------------------------------------------------------------------------------


@pytest.mark.parametrize("container", SLICED)
def test_what_slices_is_read_as_its_array(container, tmp_path):
    """Any places in any order, of all shapes and types."""
    rng = np.random.RandomState(1)
    for shape in SHAPES.values():
        for dtype in TYPES:
            if container == "zarr" and np.dtype(dtype).byteorder == ">":
                continue
            X = samples(shape, dtype)
            made = SLICED[container](X, tmp_path)
            rows = source_of(made) if container == "memmap" else opened(made)
            expected = X.astype(type_inside(dtype))
            assert isinstance(rows, ArraySource)
            assert (rows.shape, rows.dtype) == (expected.shape, expected.dtype)
            for places in (slice(None), slice(3, 20), slice(None, None, 4), slice(5, 5), [7, 7, 0]):
                np.testing.assert_array_equal(rows[places], expected[places])
            places = rng.permutation(len(X))[:20]
            np.testing.assert_array_equal(rows[places], expected[places])
            assert rows[places].dtype == expected.dtype


@pytest.mark.parametrize("dtype", [np.int16, np.uint8, np.float64], ids=str)
@pytest.mark.parametrize("encoder", SHAPES)
def test_features_are_those_of_the_array(encoder, dtype, tmp_path):
    """Bit for bit, whether they fit into memory or are streamed."""
    X = samples(SHAPES[encoder], dtype)
    expected = new(encoder).fit(X)
    features = expected.transform(X)
    made = {name: SLICED[name](X, tmp_path) for name in ("memmap", "chunked")}
    made["dataset"] = Labelled(X)
    for name, container in made.items():
        with config_context(working_memory=0 if name == "memmap" else 100):
            model = new(encoder).fit(container)
        found = model.transform(container)
        assert found.dtype == features.dtype
        np.testing.assert_array_equal(found, features, err_msg=name)
        assert model.n_features_in_ == expected.n_features_in_
    assert model.score(container) == expected.score(X)


@pytest.mark.parametrize("container", ["h5py", "zarr", "dask", "xarray"])
def test_containers_of_other_packages(container, tmp_path):
    X = samples((8, 8, 3), np.uint8)
    expected = new("strided").fit(X).transform(X)
    made = SLICED[container](X, tmp_path)
    np.testing.assert_array_equal(new("strided").fit(made).transform(made), expected)


@pytest.mark.parametrize("dataset", DATASETS)
def test_datasets_are_read_by_number(dataset):
    X = samples((2, 12), np.int16)
    rows = opened(DATASETS[dataset](X))
    assert isinstance(rows, DatasetSource)
    np.testing.assert_array_equal(rows[[4, 0, 4]], X[[4, 0, 4]].astype(np.float32))
    np.testing.assert_array_equal(rows[30:], X[30:])


def test_rows_of_plain_numbers_are_samples():
    rows = opened(Labelled(samples((3,), np.float64), lambda sample, label: tuple(sample)))
    np.testing.assert_array_equal(rows[:], samples((3,), np.float64))


@pytest.mark.parametrize("stream", STREAMS)
def test_streams_are_those_of_the_array(stream):
    X = samples((5,), np.float32)
    make = STREAMS[stream]
    model = new("perceptron").fit(X)
    expected = model.transform(X)
    np.testing.assert_allclose(model.transform(make(X)), expected, rtol=1e-5)
    batches = list(model.transform_batches(make(X)))
    np.testing.assert_array_equal(np.concatenate(batches), expected)
    np.testing.assert_array_equal(new("perceptron").fit(make(X)).transform(X), expected)
    ours, other = new("perceptron").partial_fit(make(X)), new("perceptron").partial_fit(X)
    np.testing.assert_array_equal(ours.transform(X), other.transform(X))


def test_pieces_of_a_stream_are_all_of_it(monkeypatch):
    monkeypatch.setattr("sk_infomax._columns._datasets._PIECE_ROWS", 8)
    for n in (1, 7, 8, 15, 16, 17, 40):
        X = samples((3,), np.float32, n)
        for size in (1, 5, 30):
            pieces = list(Stream((X[i : i + size] for i in range(0, n, size)), True).pieces())
            np.testing.assert_array_equal(np.concatenate(pieces), X)
            assert all(len(piece) == 8 for piece in pieces[:-1])
            assert len(pieces[-1]) >= min(n, 8)


def test_fit_takes_the_first_samples_of_a_long_stream_and_says_so():
    X = samples((5,), np.float32, 4000)
    most = 0.01  # MiB: 524 samples of 20 bytes
    with config_context(working_memory=most), pytest.warns(DataWarning, match="first 524 samples"):
        model = new("perceptron").fit(Endless(X))
    np.testing.assert_array_equal(
        model.transform(X[:9]), new("perceptron").fit(X[:524]).transform(X[:9])
    )


# Memory --------------------------------------------------------------------------------------


def test_memory_does_not_grow_with_the_file(small_blocks, tmp_path):
    """4 MB of int16, a quarter of the same in float64, in much smaller blocks."""
    stored = on_disk(samples((500,), np.int16, 4000), tmp_path)
    model = new("perceptron", batch_size=200)
    tracemalloc.start()
    with config_context(working_memory=1):
        model.fit(stored)
    for _ in model.transform_batches(stored):
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < stored.nbytes / 2


def test_no_more_than_blocks_are_read(small_blocks):
    X = Sliced(samples((40,), np.int16, 1500))
    model = new("perceptron")
    with config_context(working_memory=0):
        model.fit(X)
    assert max(X.reads) == 2**14 // 40
    X.reads.clear()
    for _ in model.transform_batches(X):
        pass
    assert max(X.reads) == 100


def test_chunks_are_read_once_by_a_pass_in_order():
    X = Sliced(samples((3,), np.int16, 100), (30, 3))
    rows = opened(X)
    for start in range(0, 100, 7):
        rows[start : start + 7]
    assert X.reads == [30, 30, 30, 10]
    assert len(pickle.loads(pickle.dumps(rows))) == 100


# Where features go ---------------------------------------------------------------------------


@pytest.mark.parametrize("container", ["array", "memmap", "h5py", "zarr"])
def test_features_are_written_where_they_are_asked_for(container, tmp_path):
    X = samples((5,), np.float32)
    model = new("perceptron").fit(X)
    expected = model.transform(X)
    if container == "memmap":
        out = np.lib.format.open_memmap(tmp_path / "out.npy", "w+", np.float32, expected.shape)
    else:
        empty = np.zeros_like(expected)
        out = empty if container == "array" else SLICED[container](empty, tmp_path)
    assert model.transform(X, out=out) is out
    np.testing.assert_array_equal(np.asarray(out[:]), expected)
    out[:] = 0
    assert model.transform((X[i : i + 6] for i in range(0, len(X), 6)), out=out) is out
    np.testing.assert_allclose(np.asarray(out[:]), expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("out", "error", "said"),
    [
        ([], TypeError, "out is a list"),
        (np.zeros((37, 5)), ValueError, r"out has shape \(37, 5\), and the features have \(37, "),
        (np.zeros((36, 6)), ValueError, r"shape \(36, 6\)"),
        (np.zeros((37, 6), np.int64), ValueError, "out holds int64, and the features are float32"),
        (np.broadcast_to(np.float32(0), (37, 6)), ValueError, "can't be written to"),
    ],
)
def test_what_can_not_hold_the_features_is_refused(out, error, said):
    X = samples((5,), np.float32)
    model = new("perceptron", output="embedding").fit(X)
    with pytest.raises(error, match=said):
        model.transform(X, out=out)


@pytest.mark.parametrize("n", [36, 38])
def test_streams_of_another_length_than_out_are_refused(n):
    X = samples((5,), np.float32)
    model = new("perceptron", output="embedding").fit(X)
    with pytest.raises(ValueError, match=f"out has {n} rows, and X has"):
        model.transform(Endless(X), out=np.zeros((n, 6), np.float32))


def test_out_is_no_metadata():
    model = new("perceptron")
    assert not hasattr(model, "set_transform_request")
    X = samples((5,), np.float32)
    assert make_pipeline(StandardScaler(), model).fit(X).transform(X).shape[0] == len(X)


# What is refused -----------------------------------------------------------------------------


def spoilt(value, place=23):
    X = samples((5,), np.float32)
    X[place, 2] = value
    return X


@pytest.mark.parametrize(("value", "said"), [(np.nan, "NaN"), (np.inf, "infinity")])
@pytest.mark.parametrize("container", ["memmap", "chunked", "dataset", "stream"])
def test_values_that_are_not_finite_are_refused_with_the_sample(container, value, said, tmp_path):
    X = spoilt(value)
    kinds = {"dataset": Labelled, "stream": Endless}
    make = kinds.get(container) or (lambda X: SLICED[container](X, tmp_path))
    where = "" if container == "stream" else " in sample 23"
    with pytest.raises(ValueError, match=f"contains {said}{where}"):
        new("perceptron").fit(make(X))
    model = new("perceptron", warm_start=True).fit(samples((5,), np.float32))
    for method in (model.fit, model.transform, model.partial_fit, model.score):
        with pytest.raises(ValueError, match=f"contains {said}{where}"):
            method(make(X))


def test_given_scales_do_not_hide_values_that_are_not_finite():
    from sk_infomax import TorchEncoder

    network = torch.nn.Linear(5, 4)
    encoder = TorchEncoder(network, normalize=(0.0, 1.0))
    with pytest.raises(ValueError, match="contains NaN in sample 23"):
        new(encoder).fit(Sliced(spoilt(np.nan)))


def test_masked_values_are_refused():
    X = np.ma.masked_array(samples((5,), np.float32))
    X[11, 0] = np.ma.masked
    with pytest.raises(ValueError, match="contains a masked value in sample 11"):
        new("perceptron").fit(Sliced(X))
    whole = np.ma.masked_array(samples((5,), np.float32))
    new("perceptron").fit(Sliced(whole, (7, 5)))


class Unknown(Sliced):
    """A dask array whose chunks are not known."""

    def __init__(self, values):
        super().__init__(values)
        self.shape = (float("nan"), *values.shape[1:])


X = samples((5,), np.float32)
REFUSED = {
    "another shape": (
        Labelled(X, lambda sample, label: sample[: 5 - label]),
        "Sample 1 .* has shape .4,., and sample 0 has .5,.",
    ),
    "another type": (
        Labelled(X, lambda sample, label: sample.astype(float) if label else sample),
        "Sample 1 .* holds float64, and sample 0 holds float32",
    ),
    "no array": (Labelled(X, lambda sample, label: label), r"shape \(\)"),
    "labels first": (Labelled(X, lambda sample, label: (label, sample)), r"shape \(\)"),
    "two arrays": (
        Labelled(X, lambda sample, label: {"left": sample, "right": sample}),
        "'left', 'right', of which 2 may be the sample",
    ),
    "text": (Labelled(X, lambda sample, label: "text"), "is a str, which holds no numbers"),
    "nothing": (Labelled(X[:0]), "of 0 samples"),
    "an empty stream": (iter([]), "gave no samples"),
    "a stream of vectors": (iter([X[0], X[1]]), "Give batches"),
    "a loader without batches": (DataLoader(Endless(X), batch_size=None), "batch_size=None"),
    "arrays by name": ({"left": X, "right": X}, "holds arrays by name .'left', 'right'."),
    "one sample": (Sliced(X[:1]), "1 sample"),
    "an unknown length": (Unknown(X), "compute_chunk_sizes"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(name):
    container, said = REFUSED[name]
    with pytest.raises((ValueError, TypeError), match=said):
        new("perceptron").fit(container)


def test_shapes_of_sources_are_compared_with_those_of_fit():
    model = new("strided").fit(samples((8, 8, 3), np.uint8))
    with pytest.raises(ValueError, match=r"samples of shape \(8, 6, 3\)"):
        model.transform(Sliced(samples((8, 6, 3), np.uint8)))
    table = new("perceptron").fit(Sliced(samples((5,), np.float32)))
    with pytest.raises(ValueError, match="X has 4 features"):
        table.transform(Sliced(samples((4,), np.float32)))
    flat = new("strided", sample_shape=(8, 8)).fit(Sliced(samples((64,), np.uint8)))
    assert flat.layout_.kind == "image"


def test_series_in_files_that_end_before_their_array_are_as_in_memory(tmp_path):
    X = samples((2, 12), np.float32)
    X[3, :, 9:] = np.nan
    expected = new("series").fit(X).transform(X)
    stored = on_disk(X, tmp_path)
    np.testing.assert_array_equal(new("series").fit(stored).transform(stored), expected)


def test_a_loader_that_draws_as_it_likes_is_a_stream():
    weighted = torch.utils.data.WeightedRandomSampler(torch.ones(37), 20)
    assert isinstance(opened(DataLoader(Labelled(X), sampler=weighted, batch_size=4)), Stream)
    assert isinstance(opened(DataLoader(Labelled(X), batch_size=4)), DatasetSource)


def test_time_before_training_counts():
    """Where reading takes longer than there is, one step is made."""

    class Slow(Sliced):
        def __getitem__(self, rows):
            time.sleep(0.02)
            return super().__getitem__(rows)

    values = samples((5,), np.float32, 600)
    model = DeepInfoMaxTransformer(
        6, encoder="perceptron", max_epochs=5, max_time=0.01, batch_size=20, random_state=0
    )
    assert model.fit(Slow(values)).net_.clock_.steps == 1


def test_the_encoder_in_float64_is_made_once_and_follows_the_weights():
    X = samples((5,), np.float64)
    model = new("perceptron").fit(X)
    first = model.transform(X)
    copy = model._fitted._encoder_in(X.dtype)
    assert model._fitted._encoder_in(X.dtype) is copy
    with torch.no_grad():
        next(model.net_.module_.encoder.parameters()).mul_(2)
    assert not np.allclose(model.transform(X), first)
    np.testing.assert_allclose(model.transform(X), model.transform(X.astype("f")), atol=1e-3)
    before = model.transform(X)
    model.partial_fit(X)
    assert not np.allclose(model.transform(X), before)
    np.testing.assert_allclose(model.transform(X), model.transform(X.astype("f")), atol=1e-3)


@pytest.mark.parametrize("X", [np.arange(6.0).reshape(3, 2), iter([np.ones((2, 3))])])
def test_what_is_opened_stays_as_it_is(X):
    source = opened(X) if not isinstance(X, np.ndarray) else ArraySource(X)
    assert opened(source) is source

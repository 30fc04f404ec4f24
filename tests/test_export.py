"""Export: the module and the file give what `transform` gives, over encoders, outputs, layouts."""

import builtins
import copy
import importlib
import os

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from sklearn.exceptions import NotFittedError
from test_encoders import NARROW, Backbone, Pair

from sk_infomax import (
    DeepInfoMaxTransformer,
    FrozenEncoder,
    ImageViews,
    PatchEncoder,
    TorchEncoder,
    _modes,
)
from sk_infomax._export import _estimator, _onnx
from sk_infomax._fitted import OUTPUTS
from sk_infomax.encoders import ENCODERS, _patch_dictionary, _table_stem, _time

RTOL = 1e-5  # of the largest value of a column, or of columns in the mean where that is more
NARROWER = NARROW | {
    "foldalex64x64": {"width": 4, "hidden": 32, "crop": 15},
    "crops": {"width": 4, "hidden": 32},
    "image": {"n_filters": 16},
}
SHAPES = {  # of the smallest samples that show what an encoder does
    "table": (5,),
    "series": (2, 12),
    "image": (3, 10, 10),
    "perceptron": (7,),
    "convolutions": (2, 24),
    "basic64x64": (1, 16, 16),
    "alex64x64": (1, 15, 15),
    "foldalex64x64": (1, 22, 22),
}


def samples(shape, n=24, seed=0):
    return np.random.RandomState(seed).normal(size=(n, *shape)).astype(np.float32)


def fitted(X, **parameters):
    settings = {"n_components": 6, "max_epochs": 1, "batch_size": 8, "random_state": 0}
    return DeepInfoMaxTransformer(**(settings | parameters)).fit(X)


def of_encoder(name):
    shape = SHAPES.get(name, (2, 12, 12))
    X = samples(shape)
    settings = ENCODERS[name](**NARROWER.get(name, {}))
    return fitted(X, encoder=settings, channels="first" if len(shape) > 1 else "auto"), X


def read(network, X):
    with torch.inference_mode():
        return network(torch.from_numpy(X)).numpy()


def assert_same(found, all_expected, n=None):
    expected = all_expected[:n]
    largest = np.abs(all_expected).max(0)
    scale = np.maximum(largest, largest.mean())
    assert found.dtype == np.float32
    assert found.shape == expected.shape
    assert (np.abs(found - expected) / scale).max() < RTOL


# torch -----------------------------------------------------------------------------------------


LARGE = {"alex64x64", "basic64x64"}  # whose width is fixed


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.slow if name in LARGE else ()) for name in ENCODERS],
)
def test_the_module_gives_every_output_of_every_encoder(name):
    dim, X = of_encoder(name)
    for output in ("auto", *OUTPUTS):
        dim.set_params(output=output)
        network = dim.to_torch()
        assert not network.training
        assert_same(read(network, X), dim.transform(X))


IMAGES = samples((6, 8, 3), 30)
WAYS = {
    "last channels": (IMAGES, {"channels": "last"}),
    "grey": (IMAGES[..., 0], {"encoder": "image"}),
    "bytes": ((40 * IMAGES + 128).clip(0, 255).astype(np.uint8), {"channels": "last"}),
    "flat rows": (IMAGES.reshape(30, -1), {"sample_shape": (6, 8, 3), "channels": "last"}),
    "coarse": (samples((1, 70, 66), 12), {"encoder": PatchEncoder(16, n_channels=4)}),
    "mirrored": (samples((9, 9), 20), {"augmentation": ImageViews(flip=True)}),
    "overlapping": (samples((16, 16), 20), {"encoder": PatchEncoder(8, overlapping=True)}),
    "time first": (samples((20, 2), 30), {"encoder": "series", "channels": "last"}),
    "rows as series": (samples((20,), 30), {"encoder": "series"}),
    "wide series": (samples((9, 20), 30), {"encoder": "series"}),
    "table of squares": (samples((4, 5), 30), {"encoder": "table"}),
    "sparse": (sparse.csr_array(samples((6,), 30) * (samples((6,), 30, 1) > 0)), {}),
    "constant column": (samples((4,), 30) * [1, 0, 1e4, 1e-4], {}),
    "blocks": (samples((12, 12), 20), {"encoder": "strided", "context": "blocks"}),
    "adapter": (samples((6,), 30), {"encoder": TorchEncoder(Pair), "n_components": 5}),
    "inner layer": (
        samples((3, 16, 16), 20),
        {"encoder": TorchEncoder(Backbone, "body", kind="image")},
    ),
    "frozen": (
        samples((3, 16, 16), 20),
        {"encoder": FrozenEncoder(Backbone, ["stem", "body"], kind="image")},
    ),
    "own normalisation": (
        (40 * samples((16, 16, 3), 20) + 128).clip(0, 255).astype(np.uint8),
        {"encoder": FrozenEncoder(Backbone, normalize=((0.5, 0.4, 0.3), 0.2))},
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_the_module_reads_samples_as_transform_does(way):
    X, parameters = WAYS[way]
    dim = fitted(X, **parameters)
    dense = np.asarray(X.toarray() if sparse.issparse(X) else X)
    plain = dense if dense.dtype == np.uint8 else dense.astype(np.float32)
    expected = dim.transform(plain)
    assert_same(read(dim.to_torch(), plain), expected)
    rows = plain.astype(np.float32).reshape(len(plain), -1)
    assert_same(read(dim.to_torch(), rows), expected)


def test_other_numbers_are_read_as_float32():
    X = samples((5,), 40).round(1)
    dim = fitted(X)
    expected = dim.transform(X)
    assert_same(read(dim.to_torch(), X.astype(np.float64)), expected)
    assert_same(read(dim.to_torch().double(), X.astype(np.float64)).astype(np.float32), expected)


def test_the_module_shares_nothing_with_the_estimator():
    dim, X = of_encoder("strided")
    before, network = dim.transform(X), dim.to_torch()
    kept = copy.deepcopy(network)
    own = {t.data_ptr() for t in dim.net_.module_.state_dict().values()}
    assert own.isdisjoint(t.data_ptr() for t in network.state_dict().values())
    with torch.no_grad():
        for tensor in network.state_dict().values():
            tensor.zero_()
    np.testing.assert_array_equal(dim.transform(X), before)
    dim.partial_fit(X + 1)
    assert_same(read(kept, X), before)


def test_the_module_is_the_same_in_any_mode_of_torch():
    dim, X = of_encoder("perceptron")
    with torch.inference_mode():
        network = dim.to_torch()
    network(torch.from_numpy(X)).sum().backward()
    assert all(p.grad is not None for p in network.encoder.output_stage.parameters())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda X: X[:, :4], r"shape \(4,\), and the fit saw \(5,\)"),
        (lambda X: X[None], "and the fit saw"),
        (lambda X: np.where(X[3, 2] == X, np.nan, X), "not finite"),
        (lambda X: np.where(X[3, 2] == X, np.inf, X), "not finite"),
    ],
)
def test_the_module_refuses_what_transform_refuses(change, said):
    X = samples((5,))
    with pytest.raises(ValueError, match=said):
        read(fitted(X).to_torch(), change(X).astype(np.float32))


def test_what_becomes_numbers_outside_is_refused_with_the_remedy(tmp_path):
    frame = pd.DataFrame({"a": np.arange(40.0), "b": ["x", "y"] * 20})
    words = sparse.random_array((60, 600), density=0.05, rng=0, format="csr")
    for X in (frame, words):
        dim = fitted(X)
        with pytest.raises(ValueError, match="Encode them before, with a ColumnTransformer"):
            dim.to_torch()
        with pytest.raises(ValueError, match="Encode them before"):
            dim.to_onnx(tmp_path / "x.onnx")


def test_what_float32_cannot_hold_is_refused():
    X = samples((3,), 40).astype(np.float64) * [1, 1e60, 1]
    with pytest.raises(ValueError, match="which float32 can't hold"):
        fitted(X).to_torch()


def test_there_is_nothing_to_export_before_fit(tmp_path):
    with pytest.raises(NotFittedError):
        DeepInfoMaxTransformer().to_torch()
    with pytest.raises(NotFittedError):
        DeepInfoMaxTransformer().to_onnx(tmp_path / "x.onnx")


# Graphs that are written down ------------------------------------------------------------------


@pytest.mark.parametrize("name", ["table", "series", "image"])
def test_what_a_graph_computes_is_what_the_network_does(name, monkeypatch):
    dim, X = of_encoder(name)
    expected = read(dim.to_torch(), X)
    for module in (_modes, _time, _table_stem, _patch_dictionary):
        monkeypatch.setattr(module, "is_traced", lambda: True)
    np.testing.assert_allclose(read(dim.to_torch(), X), expected, rtol=1e-5, atol=1e-6)


@given(st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_a_place_among_knots_is_the_same_in_a_graph(n_knots, seed):
    rng = np.random.RandomState(seed)
    knots = torch.from_numpy(rng.randint(0, 9, (3, n_knots))).float().sort(1).values
    values = torch.from_numpy(rng.randint(-1, 10, (3, 20)) / 1.0).float()
    expected = torch.searchsorted(knots, values)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_table_stem, "is_traced", lambda: True)
        assert torch.equal(_table_stem._first_place(knots, values), expected)


@given(st.integers(1, 70), st.integers(0, 2**32 - 1))
def test_means_of_rows_are_bitwise_the_same_in_a_graph(trees, seed):
    rng = np.random.RandomState(seed)
    table = torch.from_numpy(rng.randint(0, 2, (50, 9))).float()
    rows = torch.from_numpy(rng.randint(0, 50, (4, trees)))
    expected = _table_stem._mean_rows(table, rows)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_table_stem, "is_traced", lambda: True)
        assert torch.equal(_table_stem._mean_rows(table, rows), expected)


@pytest.mark.slow
def test_torch_export_takes_any_number_of_samples():
    dim, X = of_encoder("strided")
    dims = ({0: torch.export.Dim("n_samples")},)
    with torch.no_grad():
        program = torch.export.export(
            dim.to_torch(), (torch.zeros(2, *X.shape[1:]),), dynamic_shapes=dims
        )
        for n in (1, 3, len(X)):
            assert_same(program.module()(torch.from_numpy(X[:n])).numpy(), dim.transform(X), n)


# ONNX --------------------------------------------------------------------------------------------


def session_of(path):
    runtime = pytest.importorskip("onnxruntime", reason="onnxruntime reads what is written")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = 1
    return runtime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def written(dim, path):
    if torch.__version__ < _onnx._OLDEST:
        pytest.skip(f"to_onnx needs torch {_onnx._OLDEST}")
    pytest.importorskip("onnxscript", reason="torch writes ONNX with onnxscript")
    pytest.importorskip("onnxruntime", reason="onnxruntime reads what is written")
    dim.to_onnx(path)
    return session_of(path)


def check_file(dim, X, path):
    session = written(dim, path)
    (given,), (gives,) = session.get_inputs(), session.get_outputs()
    assert (given.name, given.shape[1:]) == ("X", list(X.shape[1:]))
    assert (gives.name, gives.shape[1]) == ("features", dim.transform(X[:1]).shape[1])
    expected = dim.transform(X)
    for n in (1, 5, len(X)):
        assert_same(session.run(None, {"X": X[:n]})[0], expected, n)


def test_the_file_gives_what_transform_gives(tmp_path):
    check_file(*of_encoder("perceptron"), tmp_path / "x.onnx")
    assert os.listdir(tmp_path) == ["x.onnx"]


@pytest.mark.nightly  # a fragment of the documents writes one
@pytest.mark.parametrize("name", ["table", "series", "image"])
def test_files_of_the_defaults_give_what_transform_gives(name, tmp_path):
    check_file(*of_encoder(name), tmp_path / "x.onnx")


@pytest.mark.nightly
@pytest.mark.parametrize("name", [name for name in ENCODERS if name not in SHAPES])
def test_files_of_other_encoders_give_what_transform_gives(name, tmp_path):
    check_file(*of_encoder(name), tmp_path / "x.onnx")


@pytest.mark.nightly
@pytest.mark.parametrize("way", ["flat rows", "coarse", "time first", "blocks", "frozen"])
def test_files_read_samples_as_transform_does(way, tmp_path):
    X, parameters = WAYS[way]
    check_file(fitted(X, **parameters), X, tmp_path / "x.onnx")


@pytest.mark.nightly
@pytest.mark.parametrize("output", OUTPUTS)
def test_files_have_every_output(output, tmp_path):
    dim, X = of_encoder("strided")
    check_file(dim.set_params(output=output), X, tmp_path / "x.onnx")


def test_a_file_that_cannot_be_written_leaves_the_old_one(tmp_path, monkeypatch):
    pytest.importorskip("onnxscript", reason="torch writes ONNX with onnxscript")
    dim, _ = of_encoder("perceptron")
    path = tmp_path / "x.onnx"
    path.write_bytes(b"old")

    def fail(*_):
        raise OSError("No space left on device")

    monkeypatch.setattr(_estimator, "written_down", lambda *_: b"new")
    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="No space left"):
        dim.to_onnx(path)
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [("x.onnx", b"old")]


class Branching(torch.nn.Module):
    """A network whose steps depend on values, which no graph can hold."""

    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(6, 5)

    def forward(self, x):
        out = self.layer(x) if float(x.detach().sum()) < 1e9 else self.layer(-x)
        return out[:, None, :].repeat(1, 3, 1), out


class Counting(Branching):
    """A network that takes the number of samples of the first batch for that of all."""

    def forward(self, x):
        out = self.layer(x.reshape(len(x), 6))
        return out[:, None, :].repeat(1, 3, 1), out


@pytest.mark.slow
def test_a_module_for_one_number_of_samples_is_refused(tmp_path):
    pytest.importorskip("onnxscript", reason="torch writes ONNX with onnxscript")
    dim = fitted(samples((6,)), encoder=TorchEncoder(Counting), n_components=5)
    with pytest.raises(ValueError, match=r"for one number of samples only.*x\.shape\[0\]"):
        dim.to_onnx(tmp_path / "x.onnx")
    assert not os.listdir(tmp_path)


@pytest.mark.slow
def test_a_module_that_no_graph_can_hold_is_refused(tmp_path):
    pytest.importorskip("onnxscript", reason="torch writes ONNX with onnxscript")
    dim = fitted(samples((6,)), encoder=TorchEncoder(Branching), n_components=5)
    with pytest.raises(ValueError, match=r"can't write this encoder down as ONNX.*to_torch"):
        dim.to_onnx(tmp_path / "x.onnx")
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize("missing", ["onnx", "onnxscript"])
def test_a_missing_package_is_named_with_the_command(missing, tmp_path, monkeypatch):
    real = importlib.import_module

    def refuse(name, *args):
        if name == missing:
            raise ImportError(name)
        return builtins.__import__(name) if name == "onnx" else real(name, *args)

    monkeypatch.setattr(importlib, "import_module", refuse)
    if missing == "onnxscript":
        pytest.importorskip("onnx", reason="the first of the two that are looked for")
    dim, _ = of_encoder("perceptron")
    with pytest.raises(ImportError, match=rf'needs {missing}: pip install "sk_infomax\[onnx\]"'):
        dim.to_onnx(tmp_path / "x.onnx")

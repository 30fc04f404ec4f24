"""Files: whole or as before, noticed when damaged, refused before anything large is made."""

import json
import os
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.numpy import save_file

from benchmarks import fuzz_files
from sk_infomax import DeepInfoMaxTransformer, DotCritic, MutualInfoEstimator
from sk_infomax._state import VERSION, Indexing, _replacing, arrays_of, load_arrays, replacing
from sk_infomax._state._files import FORMAT, seal
from sk_infomax.encoders import ENCODERS

OLD = Path(__file__).parent / "data" / "format_1"
NOW = OLD.parent / "format_2"
CASES = int(os.environ.get("SK_INFOMAX_FILES", 60))


def table(n=40):
    return np.random.RandomState(0).normal(size=(n, 6)).astype(np.float32)


def fitted(**settings):
    defaults = {"n_components": 4, "max_epochs": 1, "random_state": 0}
    defaults |= {"encoder": ENCODERS["perceptron"](hidden=8), "critic": DotCritic(units=4)}
    return DeepInfoMaxTransformer(**(defaults | settings)).fit(table())


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp("saved") / "model"
    fitted().save(path)
    return path


def edited(source, path, change):
    """A file with sound checksums after a change of its arrays and metadata."""
    with safe_open(str(source), framework="numpy") as file:
        meta = json.loads(file.metadata()[FORMAT])
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    change(arrays, meta)
    save_file(arrays, str(path), metadata=seal(arrays, meta))
    return path


# Versions -----------------------------------------------------------------------------------


def test_files_of_version_1_are_read_for_good():
    expected = np.load(OLD / "expected.npz")
    pd = pytest.importorskip("pandas")
    X = expected["X"]
    frame = pd.DataFrame({"a": X[:, 0].astype(float), "b": ["u", "v"] * 20})
    for name, samples in (("table", X), ("images", expected["I"]), ("frame", frame)):
        model = DeepInfoMaxTransformer.load(OLD / f"{name}.safetensors")
        np.testing.assert_allclose(model.transform(samples), expected[name], rtol=1e-4, atol=1e-5)
    sides = {"critic": (X[:, :2], "y"), "counts": (expected["a"][:, None], "b")}
    for name, (x, y) in sides.items():
        model = MutualInfoEstimator.load(OLD / f"{name}.safetensors")
        read = model.pointwise(x, expected[y])
        np.testing.assert_allclose(read, expected[name], rtol=1e-4, atol=1e-5)


def test_files_of_version_2_are_read_for_good(tmp_path):
    expected = np.load(NOW / "expected.npz")
    pd = pytest.importorskip("pandas")
    X = expected["X"]
    frame = pd.DataFrame({"a": X[:, 0].astype(float), "b": ["u", "v"] * 20})
    samples = {"table": X, "images": expected["I"], "kernels": X, "patterns": expected["S"]}
    for name, rows in (samples | {"frame": frame}).items():
        model = DeepInfoMaxTransformer.load(NOW / f"{name}.safetensors")
        np.testing.assert_allclose(model.transform(rows), expected[name], rtol=1e-4, atol=1e-5)
    sides = {
        "critic": (X[:, :2], expected["y"]),
        "levels": (expected["levels_x"].astype(str), expected["y"]),
        "counts": (expected["a"][:, None], expected["b"]),
    }
    for name, (x, y) in sides.items():
        model = MutualInfoEstimator.load(NOW / f"{name}.safetensors")
        np.testing.assert_allclose(model.pointwise(x, y), expected[name], rtol=1e-4, atol=1e-5)
        assert model.mutual_info_ == pytest.approx(float(expected[f"{name}_estimate"]))
    DeepInfoMaxTransformer.load(NOW / "table.safetensors").partial_fit(X)  # has its training


def test_there_are_files_of_every_version():
    folders = {one.name for one in OLD.parent.iterdir()}
    assert folders == {f"format_{version}" for version in range(1, VERSION + 1)}


def test_a_file_of_version_1_is_saved_anew_as_it_was(tmp_path):
    model = DeepInfoMaxTransformer.load(OLD / "table.safetensors")
    model.save(tmp_path / "new")
    X = np.load(OLD / "expected.npz")["X"]
    again = DeepInfoMaxTransformer.load(tmp_path / "new")
    np.testing.assert_array_equal(again.transform(X), model.transform(X))


# Damage -------------------------------------------------------------------------------------


def test_every_flipped_bit_is_noticed(saved, tmp_path):
    content = saved.read_bytes()
    rng = np.random.RandomState(0)
    for place in rng.randint(len(content), size=100):
        changed = bytearray(content)
        changed[place] ^= 1 << rng.randint(8)
        (tmp_path / "changed").write_bytes(changed)
        with pytest.raises(ValueError, match=r"damaged|no file that sk_infomax|version|holds a"):
            DeepInfoMaxTransformer.load(tmp_path / "changed")


def test_damage_by_chance_and_on_purpose():
    found = fuzz_files.run(CASES, seed=1)
    assert not found["faults"]
    kinds = found["counts"]
    assert kinds["bytes refused"] > CASES // 4
    assert kinds["meaning refused"] > CASES // 8
    assert kinds["meaning loaded"] > 0


def test_the_judge_of_damage_sees_faults(saved):
    class Careless:
        @staticmethod
        def load(path):
            raise KeyError("n")

    sound = fuzz_files.Sound(b"", Careless, len, 1)
    assert fuzz_files.outcome_of(saved, sound).kind == "KeyError"
    late = fuzz_files.Sound(b"", DeepInfoMaxTransformer, lambda model: [][0], 1)
    assert fuzz_files.outcome_of(saved, late).kind == "late IndexError"


@pytest.mark.parametrize(
    ("name", "shape"),
    [("table", (5,)), ("series", (2, 20)), ("image", (1, 12, 12)), ("perceptron", (9,))],
)
def test_whole_numbers_of_networks_point_into_what_there_is(name, shape):
    network = ENCODERS[name]().fitted_to(50, shape).build(shape, 3)
    arrays, counters = arrays_of(network), ("num_batches_tracked",)
    owners = {
        f"{path}.{one}".removeprefix("."): part.bounds[one]
        for path, part in network.named_modules()
        if isinstance(part, Indexing)
        for one in part.bounds
    }
    whole = [k for k, v in arrays.items() if v.dtype.kind in "iu" and not k.endswith(counters)]
    assert sorted(whole) == sorted(owners)
    for where in whole:
        for place in (-1, owners[where], 2**62):
            damaged = arrays[where].copy()
            damaged.flat[-1] = place
            with pytest.raises(ValueError, match="has values outside of 0 to"):
                load_arrays(network, arrays | {where: damaged})


def first_weight(arrays):
    return next(name for name in sorted(arrays) if name.startswith("net.encoder.local_stage"))


def nested(depth):
    node = 1
    for _ in range(depth):
        node = {"list": [node]}
    return node


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a, m: m["fitted"].pop("layout"), "layout"),
        (lambda a, m: m["fitted"]["parts"]["dict"].update(n_views=2_000_000), "n_views"),
        (lambda a, m: m["fitted"]["parts"]["dict"].update(n_components=10**9), "much larger"),
        (lambda a, m: m["parameters"].update(views=2_000_000), "views"),
        (lambda a, m: m["parameters"].update(lr=nested(100)), "inside of values"),
        (lambda a, m: m["parameters"].update(lr=float("nan")), "lr"),
        (lambda a, m: m["parameters"].update(new=1), "makes no fitted estimator"),
        (lambda a, m: m.update(n_features=7), "features"),
        (lambda a, m: m.update(feature_names=["a"]), "feature_names"),
        (lambda a, m: m.pop("parameters"), "parameters"),
        (lambda a, m: a["scaling.scale"].fill(0), "scaling.scale is no scale"),
        (lambda a, m: a[first_weight(a)].fill(np.nan), "local_stage.* is not finite"),
    ],
)
def test_what_a_file_says_is_checked_first(change, message, saved, tmp_path):
    with pytest.raises(ValueError, match=message):
        DeepInfoMaxTransformer.load(edited(saved, tmp_path / "changed", change))


def test_lists_inside_of_lists_are_no_recursion(saved, tmp_path):
    with safe_open(str(saved), framework="numpy") as file:
        text = file.metadata()[FORMAT]
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    deep = text.replace('"lr": ', '"lr": ' + "[" * 100_000 + "]" * 100_000 + ', "x": ', 1)
    save_file(arrays, str(tmp_path / "deep"), metadata={FORMAT: deep})
    with pytest.raises(ValueError, match="no file that sk_infomax saved"):
        DeepInfoMaxTransformer.load(tmp_path / "deep")


def test_a_mask_that_is_infinite_on_purpose_comes_back(tmp_path):
    model = DeepInfoMaxTransformer(encoder=Masked(), max_epochs=1, random_state=0).fit(table())
    model.save(tmp_path / "model")
    loaded = DeepInfoMaxTransformer.load(tmp_path / "model", encoder=Masked())
    np.testing.assert_array_equal(loaded.transform(table()), model.transform(table()))


class Masked(torch.nn.Module):
    """A network with a mask that is not finite."""

    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(6, 4)
        self.register_buffer("mask", torch.tensor([0.0, 0.0, 0.0, -float("inf")]))

    def forward(self, x):
        weights = (self.linear(x) + self.mask).softmax(1)
        return weights[:, None], weights


def test_pythons_own_errors_of_files(saved, tmp_path):
    with pytest.raises(FileNotFoundError):
        DeepInfoMaxTransformer.load(tmp_path / "none" / "model")
    with pytest.raises(IsADirectoryError):
        DeepInfoMaxTransformer.load(tmp_path)
    with pytest.raises(FileNotFoundError):
        fitted().save(tmp_path / "none" / "model")
    with pytest.raises(IsADirectoryError):
        fitted().save(tmp_path)


# Parameters ---------------------------------------------------------------------------------


def test_parameters_that_could_have_no_effect_are_refused(saved, tmp_path):
    for name, value in {"n_components": 7, "encoder": "table", "prior": "uniform"}.items():
        with pytest.raises(ValueError, match=f"{name}=.* can have no effect"):
            DeepInfoMaxTransformer.load(saved, **{name: value})
    with pytest.raises(TypeError, match="did you mean 'n_components'"):
        DeepInfoMaxTransformer.load(saved, n_component=4)
    with pytest.raises(ValueError, match="not a device"):
        DeepInfoMaxTransformer.load(saved, device="abacus")
    same = DeepInfoMaxTransformer.load(saved, n_components=4, lr=0.5, device="cpu")
    assert same.lr == 0.5
    estimator = MutualInfoEstimator.load(OLD / "counts.safetensors", units="bits")
    assert estimator.units == "bits"
    with pytest.raises(ValueError, match="cv=5 can have no effect"):
        MutualInfoEstimator.load(OLD / "counts.safetensors", cv=5)


def test_values_of_any_make_are_kept_as_plain_ones(tmp_path):
    model = fitted(
        sample_shape=tuple(np.array([6])),
        n_components=np.int64(4),
        device=torch.device("cpu"),
        optimizer=torch.optim.NAdam,
        lr=np.float64(0.01),
        tol=np.float32(0.5),
        warm_start=np.bool_(False),
    )
    model.save(tmp_path / "model")
    loaded = DeepInfoMaxTransformer.load(tmp_path / "model")
    kinds = {"sample_shape": tuple, "n_components": int, "device": str, "lr": float}
    assert {name: type(getattr(loaded, name)) for name in kinds} == kinds
    assert loaded.optimizer is torch.optim.NAdam
    assert loaded.sample_shape == (6,)
    np.testing.assert_array_equal(loaded.transform(table()), model.transform(table()))


# Writing ------------------------------------------------------------------------------------


def test_a_new_file_has_the_mode_of_the_umask_and_an_old_one_keeps_its_own(tmp_path):
    path = tmp_path / "file"
    before = os.umask(0o027)
    try:
        replacing(path, b"a")
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    path.chmod(0o600)
    replacing(path, b"b")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_bytes() == b"b"


def test_a_symbolic_link_is_followed(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "file")
    replacing(tmp_path / "link", b"a")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_bytes() == b"a"


def test_what_is_no_regular_file_is_not_replaced():
    replacing("/dev/null", b"a")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


def test_leftovers_of_dead_writers_go_and_those_of_living_ones_stay(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    start = f".file.{_replacing.platform.node()}"
    (tmp_path / f"{start}.{process.pid}.00.part").write_bytes(b"left")
    (tmp_path / f"{start}.{os.getppid()}.00.part").write_bytes(b"alive")
    (tmp_path / f".other.{start}.part").write_bytes(b"another's")
    replacing(tmp_path / "file", b"a")
    kept = {"file", f"{start}.{os.getppid()}.00.part", f".other.{start}.part"}
    assert {one.name for one in tmp_path.iterdir()} == kept


FULL = """
    import resource, runpy, signal, sys
    replacing = runpy.run_path(sys.argv[2])["replacing"]
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
    try:
        replacing(sys.argv[1], b"new" * 1000)
    except OSError as error:
        print(error.errno)
"""


def test_a_full_disk_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    child = [sys.executable, "-c", textwrap.dedent(FULL), str(path), _replacing.__file__]
    said = subprocess.run(child, capture_output=True, text=True, check=True).stdout
    assert int(said) > 0
    assert [one.name for one in tmp_path.iterdir()] == ["file"]
    assert path.read_bytes() == b"old"

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        fitted().save(path)
    assert [one.name for one in tmp_path.iterdir()] == ["file"]
    assert path.read_bytes() == b"old"

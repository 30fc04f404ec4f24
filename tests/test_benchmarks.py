"""Every benchmark runs, at a tiny size; and what they judge by is right."""

import importlib
import json
import pkgutil
import shlex
from functools import partial
from unittest import mock

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.svm import LinearSVC

import benchmarks
from benchmarks import ablation, paper
from benchmarks._methods import METHODS
from benchmarks._svm import LinearSVM
from sk_infomax import DeepInfoMaxTransformer, PatchEncoder
from sk_infomax.encoders import _patch_dictionary
from sk_infomax.evaluation import MEASURES, mine, neural_dependency, reconstruction

COMMANDS = {
    "ablation": "--data fashion-mnist --folder {images} --seeds 0 --epochs 1 --train-rows 150 "
    "--held-out-rows 60 --out {out} --changes default --flip",
    "columns": "--parts pairs --kinds 'label x number' --n-samples 60 --seeds 0 "
    "--methods ours scikit-learn --out {out}/columns.json",
    "consistency": "--part consistency --seeds 0 --n-samples 60 --methods cca --out {out}",
    "criteria": "--data digits --settings 6 --train-rows 100 --test-rows 40 "
    "--dependence-steps 1 --mine-steps 1 --draws 20 --out {out}",
    "cuda": "--tiny --device cpu --parts check --jobs table --out {out}/cuda.json",
    "curves": "--data fashion-mnist --out {out}",
    "busy": "--rounds 1 --out {out}/busy.json",
    "fuzz_files": "--count 4 --out {out}/fuzz.json",
    "fuzz_inputs": "--count 4 --out {out}/inputs.json",
    "growth": "--axes rows --sizes 30 60 --here --out {out}/growth.json --picture {out}/growth.png",
    "growth_information": "--n-samples 60 --seeds 1 --max-steps 2 --out {out}/growth.json "
    "--picture {out}/growth.png",
    "kills": "--count 1 --out {out}/kills.json",
    "matching": "--seeds 0 --distributions normal --components 2 --epochs 1 "
    "--out {out}/matching.json",
    "mutual_information": "--tasks contingency-3x3 --n-samples 60 --seeds 0 "
    "--methods ours ksg cca --out {out}/mi.json --picture {out}/mi.png",
    "open_tasks": "--drawn tried --tasks additive-1-0.38 --n-samples 60 --effort fast "
    "--out {out}/open.json",
    "paper": "structure --rows both --data fashion-mnist --folder {images} --epochs 1 "
    "--seeds 0 --units 8 --probe-rows 60 --probe-steps 2 --models {out}/models --out {out}",
    "representation": "--data {table} --budgets 2 --seeds 0 --methods raw two-view "
    "rbf-svm --out {out}",
    "single_pairs": "--tasks bowl --n-samples 60 --seeds 1 --steps 0 --out {out}/pairs.json",
    "sizes": "--cases 3x70x64x3 --max-epochs 1 --here --out {out}/sizes.json",
    "tables": "--tiny --out {out}/tables.json",
    "series": "--tiny --methods raw pca ours --out {out}/series.json --picture {out}/series.png",
    "threads": "--threads 2 --fits 1 --out {out}/threads.json",
    "speed": "--rounds 1 --table-rows 300 --images 130 --out {out}/speed.json",
}
MARKS = {False: pytest.mark.slow, True: pytest.mark.nightly}
LONG_TABLES = {"classification", "cpc", "extended", "negatives", "prior"}
LONG_METHODS = {
    "supervised",
    "supervised-few",
    "dim-l-jsd",
    "dim-l-infonce",
    "dim-l-dv",
    "dim-l-nwj",
    "dim-l-smile",
    "dim-g",
    "autoencoder",
    "autoencoder-64",
    "pca-64",
    "two-view-accurate",
    "two-view-64",
    "two-view-embedding-64",
    "two-view-balanced",
    "barlow-twins",
    "vicreg",
    "untrained",
}
SLOW_BENCHMARKS = {
    "columns",
    "growth",
    "representation",
    "series",
    "speed",
    "tables",
}
NIGHTLY_BENCHMARKS = {
    "ablation",
    "busy",
    "criteria",
    "fuzz_files",
    "fuzz_inputs",
    "kills",
    "matching",
    "threads",
}
WHEN = {
    **dict.fromkeys(SLOW_BENCHMARKS, pytest.mark.slow),
    # Some start processes of their own; other tests do the same in smaller.
    **dict.fromkeys(NIGHTLY_BENCHMARKS, pytest.mark.nightly),
}
OTHER_COMMANDS = {
    "columns": "--n-samples 60 --seeds 0 --frame-samples 60 --frame-columns 1 "
    "--selection-samples 60 --n-permutations 3 --methods ours scikit-learn "
    "--out {out}/columns.json --picture {out}/columns.png",
    "consistency": "--part permutation --n-test 40 --repeats 2 --power-repeats 1 "
    "--permutations 2 --out {out}",
    "paper": "{table} --data fashion-mnist --folder {images} --epochs 1 --seeds 0 --units 8 "
    "--probe-rows 60 --probe-steps 2 --models {out}/models --out {out}",
}


def idx(array):
    """An array of bytes as the content of an idx file."""
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes()


def write_images(folder, n_train, n_test):
    """Digits at 28x28 in the files of Fashion-MNIST."""
    digits = load_digits()
    images = np.kron(digits.images.astype(np.uint8) * 15, np.ones((3, 3), np.uint8))
    images = np.pad(images, ((0, 0), (2, 2), (2, 2)))
    for part, rows in (("train", slice(n_train)), ("t10k", slice(-n_test, None))):
        (folder / f"{part}-images-idx3-ubyte").write_bytes(idx(images[rows]))
        labels = digits.target[rows].astype(np.uint8)
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(idx(labels))


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    """A folder of images, and the file of a table."""
    folder = tmp_path_factory.mktemp("data")
    write_images(folder, 220, 40)
    rng = np.random.RandomState(0)
    y = np.arange(120) % 3
    np.savez(folder / "table.npz", X=rng.normal(size=(120, 6)) + y[:, None], y=y)
    return {"images": folder, "table": folder / "table.npz"}


def run(name, command, places, out, monkeypatch, **words):
    """Run a benchmark as from the command line; give the names of what it wrote."""
    argv = [word.format(**places | {"out": out} | words) for word in shlex.split(command)]
    monkeypatch.setattr("sys.argv", [name, *argv])
    importlib.import_module(f"benchmarks.{name}").main()
    for path in out.glob("*.json"):
        json.loads(path.read_text())
    return {path.name for path in out.iterdir()}


def test_every_benchmark_has_a_command():
    names = {info.name for info in pkgutil.iter_modules(benchmarks.__path__)}
    assert {name for name in names if not name.startswith("_")} == set(COMMANDS)


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=WHEN.get(name, [])) for name in COMMANDS],
)
def test_benchmark_runs(name, places, tmp_path, monkeypatch):
    assert run(name, COMMANDS[name], places, tmp_path, monkeypatch)


@pytest.mark.nightly
def test_all_parts_of_columns_run(places, tmp_path, monkeypatch):
    written = run("columns", OTHER_COMMANDS["columns"], places, tmp_path, monkeypatch)
    assert written == {"columns.json", "columns.png"}


@pytest.mark.nightly
def test_permutation_tests_run(places, tmp_path, monkeypatch):
    name = "consistency"
    written = run(name, OTHER_COMMANDS[name], places, tmp_path, monkeypatch)
    assert written == {"information-permutation.json"}


@pytest.mark.parametrize(
    "table",
    [
        pytest.param(table, marks=MARKS[table in LONG_TABLES])
        for table in paper.TABLES
        if table != "structure"
    ],
)
def test_tables_of_the_paper_run(table, places, tmp_path, monkeypatch):
    monkeypatch.setitem(MEASURES, "mine", few_steps(mine))
    monkeypatch.setitem(MEASURES, "neural_dependency", few_steps(neural_dependency))
    fast = partial(reconstruction, max_steps=1, width=1)
    monkeypatch.setitem(MEASURES, "ms_ssim", lambda t, *parts: fast(t, *parts[:2]).ms_ssim)
    written = run("paper", OTHER_COMMANDS["paper"], places, tmp_path, monkeypatch, table=table)
    assert written >= {"paper-fashion-mnist.json", f"paper-fashion-mnist-{table}.png"}


def few_steps(measure):
    """A measure of a row that trains for one step."""
    return lambda t, X_train, X_test, seed: measure(t, X_test, max_steps=1, random_state=seed)


OPTIONAL = {"simclr-pml": "pytorch_metric_learning", "umap": "umap"}
FOR_IMAGES = {"two-view-768-filters"}


@pytest.mark.parametrize(
    "method",
    [
        pytest.param(
            method, marks=pytest.mark.nightly if method in LONG_METHODS else pytest.mark.slow
        )
        for method in METHODS
        if method not in FOR_IMAGES
    ],
)
def test_methods_run(method, places, tmp_path, monkeypatch):
    if method in OPTIONAL:
        pytest.importorskip(OPTIONAL[method], reason="of the extra bench")
    command = f"--data {{table}} --budgets 2 --seeds 0 --methods {method} --out {{out}}"
    assert run("representation", command, places, tmp_path, monkeypatch)


@pytest.mark.parametrize("name", ["random filters", "codes of one polarity"])
@pytest.mark.parametrize("flip", [False, True])
def test_changes_of_the_dictionary_change_what_they_say(name, flip, digits, monkeypatch):
    for constant, value in ablation.CHANGES[name].constants.items():
        monkeypatch.setattr(f"{_patch_dictionary.__name__}.{constant}", value)
    encoder = PatchEncoder(6, width=4, mirrored=flip)
    model = DeepInfoMaxTransformer(4, encoder=encoder, max_epochs=1, random_state=0)
    images = digits[0][:30]
    model.fit(images)
    stem = model.net_.module_.encoder.stem
    below = stem._codes(torch.from_numpy(images[:, None]))[..., len(stem.filters) :]
    assert (below.max() < 1e-6) == (name == "codes of one polarity")
    if flip:
        torch.testing.assert_close(stem.filters[3:], stem.filters[:3].flip(-1))


def test_constants_that_the_ablation_changes_are_there():
    for change in ablation.CHANGES.values():
        for constant, value in change.constants.items():
            with mock.patch(f"{_patch_dictionary.__name__}.{constant}", value):
                pass


# What is judged by ------------------------------------------------------------------------------


@pytest.mark.parametrize("C", [0.001, 0.1])
def test_linear_svm_is_the_one_of_scikit_learn(C):
    rng = np.random.RandomState(0)
    y = rng.randint(3, size=600)
    mixing = rng.randn(40, 40) * np.geomspace(1, 0.01, 40)  # correlated features
    X = ((rng.randn(600, 40) + 0.3 * rng.randn(3, 40)[y]) @ mixing).astype(np.float32)
    X -= X.mean(0)
    X /= X.std()
    expected = LinearSVC(C=C, dual=False, tol=1e-8, max_iter=10_000).fit(X, y)
    machine = LinearSVM(X, y).fit(C)
    np.testing.assert_allclose(machine.weights.T, expected.coef_, atol=0.02)
    assert machine.score(X, y) == pytest.approx(expected.score(X, y), abs=0.005)


def test_linear_svm_goes_on_from_another_solution():
    rng = np.random.RandomState(0)
    y = rng.randint(3, size=300)
    X = (rng.randn(300, 20) + 0.5 * rng.randn(3, 20)[y]).astype(np.float32)
    machine = LinearSVM(X, y)
    fresh = LinearSVM(X, y).fit(0.01)
    np.testing.assert_allclose(machine.fit(1.0).fit(0.01).weights, fresh.weights, atol=5e-3)

"""The command line: each command on each input, bad input included."""

import contextlib
import csv
import importlib
import json
import os
import re
import shlex
import subprocess
import sys
import textwrap
import tomllib
from pathlib import Path

import numpy as np
import pytest

import sk_infomax
from sk_infomax import DeepInfoMaxTransformer

pytest.importorskip("click", reason='click is not installed: pip install "sk_infomax[cli]"')
pd = pytest.importorskip("pandas")
pytest.importorskip("pyarrow")
Image = pytest.importorskip("PIL.Image")

import hypothesis  # noqa: E402
from click.testing import CliRunner  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from sk_infomax._cli import _asked, _files, _reading, _voice  # noqa: E402
from sk_infomax._cli._estimator import _parsed  # noqa: E402
from sk_infomax._cli._group import sk_infomax as group  # noqa: E402

N = 48  # samples of each kind
SMALL = (
    "--max-epochs",
    "1",
    "--n-components",
    "4",
    "--random-state",
    "0",
    "--set",
    "batch_size=16",
)
ENCODERS = {"table": "perceptron", "series": "convolutions", "image": "strided"}
KINDS = {"pictures": "image", "images.npy": "image", "images.npz": "image", "waves.ts": "series"}
KINDS |= {f"rows.{ending}": "table" for ending in ("npy", "csv", "tsv", "parquet")}
APART = {  # what is no sample
    "rows.csv": ("--label", "group", "--id", "name"),
    "rows.tsv": ("--label", "group", "--id", "name"),
    "rows.parquet": ("--label", "group", "--id", "name"),
    "rows.npy": ("--label", "labels.npy"),
    "images.npy": ("--label", "labels.csv"),
    "images.npz": ("--label", "y", "--id", "name"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The same samples as files of each format."""
    folder, rng = tmp_path_factory.mktemp("data"), np.random.RandomState(0)
    y = np.arange(N) % 2
    images = np.clip(rng.normal(90 + 80 * y[:, None, None], 20, (N, 8, 8)), 0, 255).astype(np.uint8)
    np.save(folder / "images.npy", images)
    names = np.array([f"{i:03}" for i in range(N)])
    np.savez(folder / "images.npz", X=images, y=y, name=names)
    for name, image, label in zip(names, images, y):
        place = folder / "pictures" / "ab"[label]
        place.mkdir(parents=True, exist_ok=True)
        wide = np.pad(image, ((0, int(name) % 3), (0, 0)), mode="edge")
        Image.fromarray(wide).save(place / f"{name}.png")
    frame = pd.DataFrame(rng.normal(size=(N, 3)) + y[:, None], columns=["a", "b", "c, d"])
    np.save(folder / "rows.npy", frame.to_numpy())
    frame.insert(0, "name", names)
    frame["group"] = np.array(["no", "yes"])[y]
    frame.to_csv(folder / "rows.csv", index=False)
    frame.to_csv(folder / "rows.tsv", index=False, sep="\t")
    frame.to_parquet(folder / "rows.parquet")
    np.save(folder / "labels.npy", y)
    frame[["group"]].to_csv(folder / "labels.csv", index=False)
    series = [np.sin(np.arange(20 + i % 5) * (1 + y[i]) / 2 + rng.rand()) for i in range(N)]
    (folder / "waves.ts").write_text(ts_of(series, np.array(["slow", "fast"])[y]))
    return folder


def ts_of(series, labels):
    """Series of one channel as a .ts."""
    head = "# a comment\n@problemName waves\n@timeStamps false\n@univariate true\n"
    head += f"@equalLength false\n@classLabel true {' '.join(sorted(set(labels)))}\n@data\n"
    lines = (",".join(map(repr, map(float, s))) + f":{y}" for s, y in zip(series, labels))
    return head + "\n".join(lines) + "\n"


@pytest.fixture
def run(folder, monkeypatch):
    """Run a command in the folder; give what it returned."""
    monkeypatch.chdir(folder)

    def run(*args, code=0):
        result = CliRunner().invoke(group, [str(arg) for arg in args])
        assert result.exit_code == code, result.output
        if code:
            assert result.stderr.startswith("Error: ") or "\nError: " in result.stderr
            assert "Traceback" not in result.output
            assert result.stdout == ""
        return result

    return run


class Models(dict):
    """A model of each input, fitted by the command line when it is first asked for."""

    def __init__(self, folder):
        self.folder = folder

    def __missing__(self, data):
        kind, path = KINDS[data], f"{data.replace('.', '-')}.safetensors"
        args = ["fit", data, "-o", path, *SMALL, "--encoder", ENCODERS[kind], *APART.get(data, ())]
        args += ["--size", "8", "--grey"] if data == "pictures" else []
        with contextlib.chdir(self.folder):
            result = CliRunner().invoke(group, args)
        assert result.exit_code == 0, result.output
        self[data] = path
        return path


@pytest.fixture(scope="module")
def models(folder):
    """A model of each input."""
    return Models(folder)


def error_of(result):
    """The one line of an error."""
    lines = [line for line in result.stderr.splitlines() if line]
    assert lines[-1].startswith("Error: ")
    assert all(line.startswith(("Warning: ", "Left out")) for line in lines[:-1])
    return lines[-1]


# Help and versions ----------------------------------------------------------------------------


def test_help_is_there_at_once():
    code = "import sys; from sk_infomax._cli import main; sys.argv = ['sk-infomax', '--help']\n"
    code += "try: main()\nfinally: print({'torch', 'numpy', 'pandas', 'sklearn'} & {*sys.modules})"
    code = code.replace("'numpy', ", "")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "sk-infomax fit" in done.stdout
    assert done.stdout.endswith("set()\n")


def test_version(run):
    assert run("--version").stdout == f"sk-infomax, version {sk_infomax.__version__}\n"


def test_the_console_script_is_this_one():
    written = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text())
    module, _, name = written["project"]["scripts"]["sk-infomax"].partition(":")
    assert getattr(importlib.import_module(module), name) is sk_infomax._cli.main


def test_without_a_command_there_is_help(run):
    assert run().stdout == run("--help").stdout


@pytest.mark.parametrize("name", [*group.commands, *group.commands["plot"].commands])
def test_every_command_has_help(run, name):
    path = [name] if name in group.commands else ["plot", name]
    assert "Usage: " in run(*path, "--help").stdout


def test_without_click_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "click", None)
    with pytest.raises(SystemExit, match=r"pip install \"sk_infomax\[cli\]\""):
        sk_infomax._cli.main()


# The page of the docs --------------------------------------------------------------------------

PAGE = (Path(__file__).parent.parent / "docs" / "command_line.md").read_text(encoding="utf-8")


def examples():
    """Commands of the page, and what it shows of their output."""
    for block in re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL):
        for part in textwrap.dedent(block.replace("\n   ", "\n")).split("$ sk-infomax ")[1:]:
            command, _, output = part.partition("\n")
            yield command, output.rstrip()


def shape_of(text):
    """Text without its numbers and the width of its columns."""
    return re.sub(r"\d+(\.\d+)?(e-\d+)?", "#", " ".join(text.split()))


@pytest.mark.nightly
def test_the_page_shows_what_commands_do(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    [code] = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    exec(compile(code, "command_line.md", "exec"), {})
    for command, output in examples():
        result = CliRunner().invoke(group, shlex.split(command))
        assert (result.exit_code != 0) == ("Error: " in output), result.output
        if " --raw" in command:  # which method leads, and by what, is a matter of the machine
            output, said = (text.partition("\nWith ")[0] for text in (output, result.output))
            assert shape_of(said.replace("*", "")) == shape_of(output.replace("*", ""))
        else:
            assert shape_of(result.output) == shape_of(output)


# Each command on each input -------------------------------------------------------------------


@pytest.mark.parametrize("data", KINDS)
def test_fit_and_transform(run, models, tmp_path, data):
    out = tmp_path / "features.npz"
    said = json.loads(
        run("transform", models[data], data, "-o", out, "--json", *APART.get(data, ())).stdout
    )
    model = DeepInfoMaxTransformer.load(models[data])
    assert model.layout_.kind == KINDS[data]
    with np.load(out, allow_pickle=False) as file:
        found = dict(file)
    X = _reading.read_data(data, _asked.Asked(**asked_of(data)), model=model).X
    np.testing.assert_array_equal(found["features"], model.transform(X))
    assert said["n_samples"] == N == len(found["features"])
    assert said["n_features"] == found["features"].shape[1]
    if data.startswith("rows.") and data != "rows.npy":
        assert list(model.feature_names_in_) == ["a", "b", "c, d"]
        assert found["name"][:2].tolist() == ["000", "001"]
        assert found["group"][:2].tolist() == ["no", "yes"]
    if data == "pictures":
        assert model.layout_.shape == (8, 8)
        assert found["file"][0] == "a/000.png"


def asked_of(data):
    words = APART.get(data, ())
    return {words[i].removeprefix("--"): words[i + 1] for i in range(0, len(words), 2)}


@pytest.mark.parametrize("ending", _files.FEATURES)
def test_transform_writes_each_format(run, models, tmp_path, ending):
    out = tmp_path / f"features{ending}"
    run(
        "transform",
        models["rows.csv"],
        "rows.csv",
        "-o",
        out,
        "--layer",
        "embedding",
        *APART["rows.csv"],
    )
    model = DeepInfoMaxTransformer.load(models["rows.csv"], output="embedding")
    expected = model.transform(pd.read_csv("rows.csv")[["a", "b", "c, d"]])
    names = ["name", "group", *model.get_feature_names_out()]
    if ending == ".npy":
        found = np.load(out, allow_pickle=False)
    elif ending == ".npz":
        found = np.load(out, allow_pickle=False)["features"]
    else:
        text = {"dtype": {"name": str}} if ending == ".csv" else {}
        frame = getattr(pd, f"read_{ending[1:]}")(out, **text)
        assert list(frame.columns) == names
        assert frame["name"].tolist() == [f"{i:03}" for i in range(N)]
        found = frame[names[2:]].to_numpy()
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("data", KINDS)
def test_evaluate(run, models, data):
    args = ["evaluate", models[data], data, "--splits", 2, "--json", *APART.get(data, ())]
    found = json.loads(run(*args).stdout)
    assert len(found["accuracies"]) == 2
    assert found["accuracy"] == pytest.approx(np.mean(found["accuracies"]))
    assert found["std"] == pytest.approx(np.std(found["accuracies"], ddof=1))
    assert 0.5 <= found["accuracy"] <= 1
    assert (found["n_samples"], found["n_classes"], found["largest_class"]) == (N, 2, 0.5)


def test_evaluate_on_samples_apart(run, models):
    args = ["evaluate", models["rows.csv"], "rows.csv", "--test", "rows.tsv", "--probe", "knn"]
    text = run(*args, "--label", "group").stdout
    assert "tested on rows.tsv" in text
    assert "largest class" in text


def test_evaluate_beside_raw_values(run, models):
    args = ["evaluate", models["rows.csv"], "rows.csv", "--label", "group", "--splits", 2, "--raw"]
    found = json.loads(run(*args, "--json").stdout)
    assert {row["method"] for row in found["rows"]} == {"raw", "DeepInfoMax", "raw + DeepInfoMax"}
    assert "leads" in found["verdict"]


@pytest.mark.parametrize("data", ["rows.csv", "rows.tsv", "rows.parquet", "rows.npy"])
def test_info_of_a_target(run, data):
    target, drop = ("labels.npy", ()) if data == "rows.npy" else ("group", ("--drop", "name"))
    args = ["info", data, "--target", target, *drop, "--permutations", 19]
    found = json.loads(run(*args, "--json").stdout)
    nats = [row["nats"] for row in found["rows"]]
    assert nats == sorted(nats, reverse=True)
    assert len(nats) == 3
    assert all(row["low"] <= row["nats"] <= (row["high"] or np.inf) for row in found["rows"])
    assert all(row["p"] <= row["p_corrected"] <= 1 for row in found["rows"])
    lines = run(*args).stdout.splitlines()
    assert lines[0].split() == ["column", "nats", "low", "high", "p", "p", "corrected"]
    assert lines[1].startswith(found["rows"][0]["column"])


def test_info_is_what_the_function_says(run, tmp_path):
    args = ["info", "rows.csv", "--target", "group", "--drop", "name", "--permutations", 0]
    found = run(*args, "--json", "-o", tmp_path / "table.csv")
    frame = pd.read_csv("rows.csv")
    expected = sk_infomax.mutual_info_scores(frame[["a", "b", "c, d"]], frame["group"])
    rows = json.loads(found.stdout)["rows"]
    assert {row["column"]: row["nats"] for row in rows} == pytest.approx(expected.to_dict())
    assert pd.read_csv(tmp_path / "table.csv")["nats"].tolist() == [row["nats"] for row in rows]
    bits = json.loads(run(*args, "--json", "--bits").stdout)["rows"]
    assert [row["bits"] for row in bits] == pytest.approx([row["nats"] / np.log(2) for row in rows])


def test_info_of_an_array_beside_another(run, tmp_path):
    rows = np.load("rows.npy")
    np.savez(tmp_path / "both.npz", X=rows, y=np.load("labels.npy"))
    found = run("info", tmp_path / "both.npz", "--target", "y", "--permutations", 0, "--json")
    assert {row["column"] for row in json.loads(found.stdout)["rows"]} == {"x0", "x1", "x2"}
    found = run("info", "rows.npy", "--target", "x0", "--permutations", 0, "--json")
    assert {row["column"] for row in json.loads(found.stdout)["rows"]} == {"x1", "x2"}


def test_info_of_two_groups(run, tmp_path):
    levels = pd.DataFrame(np.random.RandomState(0).randint(0, 2, (400, 3)), columns=["a", "b", "z"])
    levels = levels.assign(y=levels["a"] ^ levels["b"]).map("ab".__getitem__)
    levels.to_csv(tmp_path / "levels.csv", index=False)
    args = ["info", tmp_path / "levels.csv", "--x", "a", "--x", "b", "--y", "y", "--json"]
    [row] = json.loads(run(*args, "--permutations", 19).stdout)["rows"]
    assert (row["x"], row["y"]) == ("a, b", "y")
    assert row["nats"] == pytest.approx(np.log(2), abs=0.01)
    assert row["low"] <= row["nats"]
    assert row["p"] == 1 / 20
    args = ["info", tmp_path / "levels.csv", "--x", "a", "--y", "y", "--given", "b", "--json"]
    [given] = json.loads(run(*args, "--permutations", 19, "--effort", "fast").stdout)["rows"]
    assert given["given"] == "b"
    assert given["nats"] == pytest.approx(np.log(2), abs=0.01)
    assert given["p"] == 1 / 20


@pytest.mark.slow
def test_info_of_two_groups_of_numbers(run):
    args = ["info", "rows.csv", "--x", "a", "--x", "b", "--y", "group", "--effort", "fast"]
    assert run(*args, "--permutations", 9).stdout.splitlines()[1].startswith("a, b  group")


def test_info_of_every_two_columns(run):
    found = json.loads(run("info", "rows.csv", "--drop", "name", "--matrix", "--json").stdout)
    assert len(found["rows"]) == 6
    assert {"column", "other", "nats", "low", "high"} == set(found["rows"][0])


@pytest.mark.parametrize("data", KINDS)
def test_show(run, models, data):
    model = DeepInfoMaxTransformer.load(models[data])
    found = json.loads(run("show", models[data], "--json").stdout)
    assert found["kind"] == KINDS[data]
    assert tuple(found["sample_shape"]) == model.layout_.shape
    assert found["n_features"] == model.n_features_in_
    assert found["epochs"] == 1
    assert found["parameters"]["n_components"] == 4
    text = run("show", models[data]).stdout
    assert "n_components=4" in text
    assert "critic" not in text
    if data == "rows.csv":
        assert found["columns"] == ["a", "b", "c, d"]
        assert "(a, b, c, d)" in text


def test_show_of_an_estimator_of_information(run, tmp_path):
    path = tmp_path / "information.safetensors"
    estimator = sk_infomax.MutualInfoEstimator(critic=sk_infomax.DotCritic(units=3))
    estimator.fit(["a", "b"] * 50, [0, 1] * 50).save(path)
    found = json.loads(run("show", path, "--json").stdout)
    assert found["class"] == "MutualInfoEstimator"
    assert found["parameters"]["critic"]["units"] == 3
    assert "MutualInfoEstimator" in run("show", path).stdout


FIGURES = {
    "training": ("{model}",),
    "embedding": ("{model}", "pictures"),
    "neighbors": ("{model}", "pictures", "--sample", "3", "--neighbors", "2"),
    "places": ("{model}", "pictures", "--sample", "3"),
    "information": ("rows.csv", "--target", "group", "--drop", "name"),
    "matrix": ("rows.csv", "--column", "a", "--column", "group"),
}


@pytest.mark.parametrize("name", group.commands["plot"].commands)
def test_plot(run, models, tmp_path, name):
    pytest.importorskip("matplotlib")
    args = [arg.format(model=models["pictures"]) for arg in FIGURES[name]]
    said = json.loads(run("plot", name, *args, "-o", tmp_path / "figure.png", "--json").stdout)
    assert Image.open(said["figure"]).size[0] > 100


@pytest.mark.parametrize("ending", _files.FIGURES[1:])
def test_figures_of_each_format(run, models, tmp_path, ending):
    out = tmp_path / f"figure{ending}"
    run("plot", "training", models["pictures"], "-o", out)
    assert out.read_bytes()[:5] in (b"<?xml", b"%PDF-")


# What can be set ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("bound=dv", "dv"),
        ("lr=0.01", 0.01),
        ("views=1", 1),
        ("sample_shape=28,28", (28, 28)),
        ("early_stopping=true", True),
        ("prior=None", None),
        ("augmentation__crop=0.5", 0.5),
        ("critic__units=8", 8),
        ('channels="last"', "last"),
    ],
)
def test_values_of_settings(text, value):
    assert _parsed(text) == (text.partition("=")[0], value)


def test_settings_reach_parts(run, tmp_path):
    path = tmp_path / "model.safetensors"
    args = ["fit", "images.npy", "-o", path, *SMALL, "--encoder", "strided", "--bound", "jsd"]
    args += ["--set", "augmentation__crop=0.5", "--set", "critic__units=8", "--set", "prior=normal"]
    run(*args)
    model = DeepInfoMaxTransformer.load(path)
    assert (model.bound, model.critic.units, model.prior) == ("jsd", 8, "normal")
    assert model.augmentation.get_params()["crop"] == 0.5


def test_kind_of_an_array(run, tmp_path):
    def kind(*args):
        path = tmp_path / "model.safetensors"
        run("fit", *args, "-o", path, *SMALL, "--force")
        return DeepInfoMaxTransformer.load(path).layout_

    assert kind("images.npy", "--kind", "series").kind == "series"
    assert kind("images.npy", "--kind", "images", "--preset", "balanced").kind == "image"
    layout = kind("rows.csv", "--column", "a", "--column", "b", "--kind", "series")
    assert (layout.kind, layout.shape) == ("series", (2,))


def test_fits_with_one_seed_are_equal(run, models, tmp_path):
    args = ["fit", "rows.csv", *SMALL, "--encoder", "perceptron", *APART["rows.csv"]]
    paths = [models["rows.csv"], tmp_path / "again.safetensors"]
    run(*args, "-o", paths[1])
    X = pd.read_csv("rows.csv")[["a", "b", "c, d"]]
    first, again = (DeepInfoMaxTransformer.load(path).transform(X) for path in paths)
    np.testing.assert_array_equal(first, again)


def test_dates_levels_and_missing_values_of_a_text(run, tmp_path):
    text = "day,level,number\n" + "".join(
        f"2024-01-{1 + i % 28:02},{'None' if i % 3 else 'some'},{'NA' if i == 4 else i}\n"
        for i in range(40)
    )
    (tmp_path / "mixed.csv").write_text(text)
    frame = _reading.read_data(str(tmp_path / "mixed.csv"), _asked.Asked()).X
    assert frame["day"].dtype.kind == "M"
    assert set(frame["level"]) == {"None", "some"}
    assert frame["number"].isna().sum() == 1
    out = tmp_path / "model.safetensors"
    run("fit", tmp_path / "mixed.csv", "-o", out, *SMALL, "--encoder", "perceptron")
    run("transform", out, tmp_path / "mixed.csv", "-o", tmp_path / "features.npy")


# What is said ---------------------------------------------------------------------------------


def test_quiet_says_nothing(run, models, tmp_path):
    args = ["transform", models["pictures"], "pictures", "-o", tmp_path / "features.npy"]
    loud, quiet = run(*args), run(*args, "--force", "--quiet")
    assert "16" not in quiet.output
    assert quiet.output == ""
    assert f"{N} samples" in loud.stdout
    assert "keep file" in loud.stderr


def test_json_has_the_warnings_and_no_numbers_that_are_none(run, tmp_path):
    frame = pd.DataFrame({"x": np.arange(40) % 4, "y": np.arange(40) % 4})
    frame.to_csv(tmp_path / "same.csv", index=False)
    args = ["info", tmp_path / "same.csv", "--target", "y", "--permutations", 0]
    result = run(*args, "--json")

    def refuse(name):
        raise AssertionError(name)

    found = json.loads(result.stdout, parse_constant=refuse)
    assert [f"Warning: {said}" for said in found["warnings"]] == result.stderr.splitlines()
    assert run(*args, "--json", "--quiet").stderr == ""


def test_progress_is_for_terminals_alone(monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    assert _voice.Voice(False, False).verbose == 1
    assert _voice.Voice(True, False).verbose == _voice.Voice(False, True).verbose == 0
    monkeypatch.setattr(sys.stderr, "isatty", lambda: False, raising=False)
    assert _voice.Voice(False, False).verbose == 0


def test_columns_that_a_model_does_not_know_are_named(run, models, tmp_path):
    result = run("transform", models["rows.csv"], "rows.csv", "-o", tmp_path / "f.npy")
    assert "Left out, as the model does not know them: name, group." in result.stderr


# Bad input ------------------------------------------------------------------------------------


def bad(name, content):
    path = Path(name)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return name


@pytest.fixture
def files(folder, tmp_path, models):
    """Files that are wrong in a way each."""
    bad(tmp_path / "empty.csv", "")
    bad(tmp_path / "head.csv", "a,b\n")
    bad(tmp_path / "ragged.csv", "a,b\n1,2\n3\n")
    bad(tmp_path / "long.csv", "a,b\n1,2\n3,4,5\n")
    bad(tmp_path / "twice.csv", "a,a\n1,2\n")
    bad(tmp_path / "numbers.csv", "1,2\n3,4\n")
    bad(tmp_path / "german.csv", "a;b\n1;2\n")
    bad(tmp_path / "latin.csv", "a,b\nü,2\n".encode("latin-1"))
    bad(tmp_path / "text.csv", "a,b\n" + "".join(f"{i},a b c {i}\n" for i in range(99)))
    bad(tmp_path / "other.csv", "a,b\n1,2\n3,4\n")
    bad(tmp_path / "rare.csv", "a,b,c d,group\n1,2,3,x\n1,2,3,x\n1,2,3,y\n")
    bad(tmp_path / "empty.npy", b"")
    bad(tmp_path / "empty.npz", b"")
    bad(tmp_path / "empty.parquet", b"")
    bad(tmp_path / "empty.ts", b"")
    bad(tmp_path / "word.ts", "@classLabel false\n@data\n1,2,3\n1,two,3\n")
    bad(tmp_path / "class.ts", "@classLabel true a b\n@data\n1,2,3:a\n1,2,3:c\n")
    bad(tmp_path / "channels.ts", "@dimensions 2\n@data\n1,2:3,4\n1,2\n")
    bad(tmp_path / "stamps.ts", "@timeStamps true\n@data\n(0,1)\n")
    bad(tmp_path / "bad.safetensors", b"no model")
    bad(tmp_path / "data.xyz", b"?")
    np.save(tmp_path / "objects.npy", np.array([[1, "a"], [2, None]], object), allow_pickle=True)
    np.save(tmp_path / "words.npy", np.array([["a", "b"]]))
    np.save(tmp_path / "flat.npy", np.arange(5.0))
    np.save(tmp_path / "short.npy", np.arange(5))
    rows = np.load(folder / "rows.npy")
    np.savez(tmp_path / "two.npz", first=rows, second=rows)
    rows[3, 1] = np.nan
    np.save(tmp_path / "nan.npy", rows)
    (tmp_path / "none").mkdir()
    (tmp_path / "broken").mkdir()
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / "broken" / "good.png")
    bad(tmp_path / "broken" / "bad.png", b"no picture")
    return tmp_path


FAILING = {  # data of fit, and what the error says
    "nothing.csv": ["nothing.csv", "no such file"],
    "empty.csv": ["empty.csv", "empty"],
    "head.csv": ["head.csv", "no rows"],
    "ragged.csv": ["line 3 has 1 cells", "the first line has 2"],
    "long.csv": ["line 3 has 3 cells"],
    "twice.csv": ["two columns are called 'a'"],
    "numbers.csv": ["--no-header"],
    "german.csv": ["--separator ';'"],
    "latin.csv": ["latin.csv", "UTF-8"],
    "text.csv": ["text.csv", "'b'"],
    "empty.npy": ["empty.npy", "empty or damaged"],
    "empty.npz": ["empty.npz", "empty or damaged"],
    "empty.parquet": ["empty.parquet", "no .parquet"],
    "empty.ts": ["empty.ts", "@data"],
    "word.ts": ["line 4", "'two'"],
    "class.ts": ["line 4", "'c'", "a, b"],
    "channels.ts": ["line 4", "1 channels instead of 2"],
    "stamps.ts": ["line 2", "time stamps"],
    "data.xyz": [".xyz", ".parquet"],
    "objects.npy": ["objects.npy", "pickle"],
    "words.npy": ["words.npy", ".csv"],
    "flat.npy": ["(5,)"],
    "two.npz": ["first, second", "--array"],
    "nan.npy": ["nan.npy", "NaN"],
    "none": ["none", "no pictures"],
    "broken": ["1 of 2 pictures", "bad.png", "--skip-broken"],
}


@pytest.mark.parametrize("data", FAILING)
def test_bad_data(run, files, data):
    out = files / "model.safetensors"
    error = error_of(run("fit", files / data, "-o", out, *SMALL, code=1))
    assert [said for said in FAILING[data] if said not in error] == []
    assert not out.exists()


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("fit", "rows.csv", "--label", "grp"), ["rows.csv", "'grp'", "did you mean 'group'"]),
        (("fit", "rows.csv", "--column", "z"), ["no column 'z'", "name, a, b"]),
        (("fit", "rows.csv", "--column", "a", "--drop", "a"), ["no column is left"]),
        (("fit", "images.npz", "--array", "Z"), ["no array 'Z'", "X, y, name"]),
        (("fit", "images.npy", "--column", "x0"), ["images.npy", "(48, 8, 8)"]),
        (("fit", "rows.npy", "--label", "{files}/short.npy"), ["short.npy", "(5,)", "48 samples"]),
        (
            ("fit", "rows.csv", "--column", "group", "--column", "a", "--kind", "series"),
            ["rows.csv"],
        ),
    ],
)
def test_bad_columns(run, files, args, said):
    args = [arg.format(files=files) for arg in args]
    error = error_of(run(*args, "-o", files / "model.safetensors", *SMALL, code=1))
    assert [one for one in said if one not in error] == []


@pytest.mark.parametrize(
    ("model", "data", "said"),
    [
        ("rows.csv", "{files}/other.csv", ["other.csv", "lacks: c, d", "It has a, b"]),
        ("rows.csv", "rows.npy", ["lacks: a, b, c, d", "x0, x1, x2"]),
        ("rows.csv", "waves.ts", ["waves.ts", "series"]),
        ("rows.csv", "pictures", ["pictures", "table"]),
        ("images.npy", "rows.npy", ["rows.npy"]),
        ("images.npy", "waves.ts", ["waves.ts", "images"]),
        ("waves.ts", "images.npy", ["images.npy"]),
    ],
)
def test_models_of_other_data(run, files, models, model, data, said):
    data = data.format(files=files)
    error = error_of(run("transform", models[model], data, "-o", files / "f.npy", code=1))
    assert [one for one in said if one not in error] == []


@pytest.mark.parametrize("command", ["transform", "evaluate", "show", "training"])
@pytest.mark.parametrize("model", ["bad.safetensors", "nothing.safetensors", "none", "other.csv"])
def test_models_that_cannot_be_read(run, files, command, model):
    args = {
        "transform": ("transform", files / model, "rows.csv", "-o", files / "f.npy"),
        "evaluate": ("evaluate", files / model, "rows.csv", "--label", "group"),
        "show": ("show", files / model),
        "training": ("plot", "training", files / model, "-o", files / "f.png"),
    }
    assert model in error_of(run(*args[command], code=1))


def test_labels_that_cannot_be_evaluated(run, files, models):
    model = models["rows.csv"]
    frame = pd.read_csv("rows.csv").assign(amount=np.linspace(0, 1, N), same=1, rare=0)
    frame.loc[3, "group"], frame.loc[5, "rare"] = None, 1
    frame.to_csv(files / "labels.csv", index=False)

    def error(*args):
        return error_of(run("evaluate", model, files / "labels.csv", *args, code=1))

    assert "--label" in error()
    assert "1 of the labels 'group' are missing, the first of sample 3" in error("--label", "group")
    assert "--raw" in error("--label", "amount")
    assert "two classes" in error("--label", "same")
    assert "1 of 2 classes have one sample (1)" in error("--label", "rare")


def test_broken_pictures_can_be_left_out(run, files):
    for i in range(20):
        pixels = np.full((8, 8), 9 * i, np.uint8)
        Image.fromarray(pixels).save(files / "broken" / f"{i}.png")
    args = ["fit", files / "broken", "-o", files / "m.safetensors", *SMALL, "--encoder", "strided"]
    result = run(*args, "--size", 8, "--skip-broken")
    assert "bad.png" in result.stderr
    assert "21 samples" in result.stdout


# Files that are written -----------------------------------------------------------------------


@pytest.mark.parametrize("command", ["fit", "transform", "info", "plot"])
def test_outputs_are_checked_before_any_work(run, models, tmp_path, command, monkeypatch):
    model, ending = models["rows.csv"], {"fit": "safetensors", "plot": "png"}.get(command, "csv")
    args = {
        "fit": ("fit", "rows.csv"),
        "transform": ("transform", model, "rows.csv"),
        "info": ("info", "rows.csv", "--target", "group"),
        "plot": ("plot", "training", model),
    }[command]
    there = tmp_path / f"there.{ending}"
    there.write_bytes(b"mine")
    assert "--force" in error_of(run(*args, "-o", there, code=1))
    assert there.read_bytes() == b"mine"
    assert "no folder" in error_of(run(*args, "-o", tmp_path / "no" / f"f.{ending}", code=1))
    assert "must end in" in error_of(run(*args, "-o", tmp_path / "f.xyz", code=2))
    (tmp_path / f"folder.{ending}").mkdir()
    assert "is a folder" in error_of(run(*args, "-o", tmp_path / f"folder.{ending}", code=1))
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert "may not be written" in error_of(run(*args, "-o", tmp_path / f"f.{ending}", code=1))


def test_what_is_read_is_not_written_over(run, models):
    args = ["transform", models["rows.csv"], "rows.csv", "-o", "rows.csv", "--force"]
    assert "is read by this command" in error_of(run(*args, code=1))


@pytest.mark.skipif(getattr(os, "geteuid", lambda: 0)() == 0, reason="root may write everywhere")
def test_folders_without_permission(run, models, tmp_path):
    tmp_path.chmod(0o500)
    args = ["transform", models["rows.csv"], "rows.csv", "-o", tmp_path / "f.npy"]
    assert "may not be written" in error_of(run(*args, code=1))
    tmp_path.chmod(0o700)


def test_a_failed_write_leaves_what_there_was(run, models, tmp_path, monkeypatch):
    out = tmp_path / "f.npy"
    out.write_bytes(b"before")

    def fail(file, *args, **more):
        file.write(b"half")
        raise OSError(28, "No space left on device", str(out))

    monkeypatch.setattr(np, "save", fail)
    args = ["transform", models["rows.csv"], "rows.csv", "-o", out, "--force"]
    assert "No space left" in error_of(run(*args, code=1))
    assert out.read_bytes() == b"before"
    assert [path.name for path in tmp_path.iterdir()] == ["f.npy"]


# Wrong usage ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("fti",), "fit"),
        (("fit",), "DATA"),
        (("fit", "rows.csv"), "-o"),
        (("fit", "rows.csv", "-o", "m.safetensors", "--set", "foo=3"), "'foo'"),
        (("fit", "rows.csv", "-o", "m.safetensors", "--set", "lr"), "name=value"),
        (("fit", "rows.csv", "-o", "m.safetensors", "--set", "lr=-1"), "lr"),
        (("fit", "rows.csv", "-o", "m.safetensors", "--set", "verbose=1"), "verbose"),
        (("fit", "rows.csv", "-o", "m.safetensors", "--set", "critic__size=1"), "size"),
        (("fit", "rows.csv", "-o", "m.safetensors", "--bound", "dvv"), "did you mean 'dv'"),
        (
            ("fit", "rows.csv", "-o", "m.safetensors", "--bound", "dv", "--set", "bound=jsd"),
            "already",
        ),
        (("fit", "rows.csv", "-o", "m.safetensors", "--preset", "quick"), "preset"),
        (("fit", "rows.csv", "-o", "m.safetensors", "--device", "tpu"), "tpu"),
        (("fit", "rows.csv", "-o", "m.safetensors", "--size", "8"), "--size has no meaning"),
        (("fit", "rows.csv", "-o", "m.safetensors", "--separator", ";;"), "one character"),
        (("fit", "pictures", "-o", "m.safetensors", "--label", "y"), "--label has no meaning"),
        (("fit", "waves.ts", "-o", "m.safetensors", "--kind", "table"), "series"),
        (("fit", "waves.ts", "-o", "m.safetensors", "--encoder", "image"), "series"),
        (("transform", "{model}", "rows.csv", "-o", "f.npy", "--layer", "first"), "embedding"),
        (("transform", "{model}", "rows.csv", "-o", "f.npy", "--device", "tpu"), "tpu"),
        (("evaluate", "{model}", "rows.csv", "--probe", "smv"), "did you mean 'svm'"),
        (("evaluate", "{model}", "rows.csv", "--test", "x", "--test-size", "0.5"), "--test-size"),
        (("evaluate", "{model}", "rows.csv", "--raw", "--probe", "knn"), "--probe"),
        (("info", "rows.csv"), "--target"),
        (("info", "rows.csv", "--x", "a"), "--y"),
        (("info", "rows.csv", "--x", "a", "--y", "a"), "two sides"),
        (("info", "rows.csv", "--target", "a", "--matrix"), "one of"),
        (("plot", "shape", "{model}"), "shape"),
    ],
)
def test_wrong_usage(run, models, args, said):
    args = [arg.format(model=models["rows.csv"]) for arg in args]
    assert said in error_of(run(*args, code=2))


def test_pictures_have_the_size_of_the_model(run, models, tmp_path):
    args = ["transform", models["pictures"], "pictures", "-o", tmp_path / "f.npy"]
    assert "--size 9" in error_of(run(*args, "--size", 9, code=2))
    run(*args, "--size", 8, "--grey")


# Errors ---------------------------------------------------------------------------------------


def test_debug_shows_where_an_error_came_from(folder, monkeypatch):
    monkeypatch.chdir(folder)
    args = ["info", "rows.csv", "--target", "nothing", "--debug"]
    result = CliRunner().invoke(group, args)
    assert result.exit_code == 1
    assert "Traceback" in result.stderr
    assert result.stderr.splitlines()[-1].startswith("Error: rows.csv")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (KeyboardInterrupt(), "interrupted"),
        (MemoryError(), "memory"),
        (RuntimeError("of\nmany\nlines"), "RuntimeError: of many lines"),
        (FloatingPointError("not finite"), "not finite"),
        (KeyError("x"), "KeyError: x"),
    ],
)
def test_any_error_is_one_line(run, models, tmp_path, monkeypatch, error, said):
    def fail(*args, **more):
        raise error

    monkeypatch.setattr(DeepInfoMaxTransformer, "transform", fail)
    args = ["transform", models["rows.csv"], "rows.csv", "-o", tmp_path / "f.npy"]
    assert said in error_of(run(*args, code=1))


@pytest.mark.parametrize("ending", _reading.READERS)
@hypothesis.given(data=st.data())
def test_damaged_files_are_refused_or_read(folder, tmp_path_factory, ending, data):
    """Whatever bytes a file has, there is a refusal of one line or there are samples."""
    good = {".npz": "images.npz", ".ts": "waves.ts"}.get(ending, f"rows{ending}")
    content = bytearray((folder / good).read_bytes())
    if data.draw(st.booleans()):
        content = bytearray(data.draw(st.binary(max_size=60)))
    else:
        place = data.draw(st.integers(0, len(content) - 1))
        content[place:] = data.draw(st.binary(max_size=8)) + (
            content[place + 8 :] if data.draw(st.booleans()) else b""
        )
    path = tmp_path_factory.mktemp("damaged") / f"data{ending}"
    path.write_bytes(content)
    with contextlib.suppress(_voice.Failed), naming(path):
        assert len(_reading.read_data(str(path), _asked.Asked())) > 0


@contextlib.contextmanager
def naming(path):
    """What is refused names the file, in one line."""
    try:
        yield
    except _voice.Failed as error:
        said = error.message
        assert (str(path) in said, "\n" in said) == (True, False), said
        raise


values = st.floats(-1e6, 1e6, allow_nan=False)


@hypothesis.given(
    series=st.lists(st.lists(values, min_size=1, max_size=6), min_size=1, max_size=5),
    gap=st.booleans(),
)
def test_series_are_read_as_they_were_written(tmp_path_factory, series, gap):
    path = tmp_path_factory.mktemp("series") / "s.ts"
    text = ts_of(series, ["a"] * len(series))
    path.write_text(text.replace("@data\n", "@data\n?,1.0:a\n") if gap else text)
    found = _reading.read_data(str(path), _asked.Asked())
    rows = list(found.X)[1:] if gap else list(found.X)
    assert [row[0].tolist() for row in rows] == series
    assert not gap or np.isnan(found.X[0][0, 0])
    assert found.labels.tolist() == ["a"] * (len(series) + gap)


cells = st.text("ab,\"'\n é;", max_size=4).map("t{}".format)


@hypothesis.given(
    rows=st.lists(st.tuples(cells, cells), min_size=1, max_size=5),
    names=st.tuples(cells, cells).filter(lambda both: both[0] != both[1]),
    before=st.sampled_from(["", "\n", "\n\n"]),
    separator=st.sampled_from([",", "|"]),
)
def test_texts_are_read_as_they_were_written(tmp_path_factory, rows, names, before, separator):
    path = tmp_path_factory.mktemp("tables") / "t.csv"
    with open(path, "w", newline="", encoding="utf-8") as file:
        file.write(before)
        csv.writer(file, delimiter=separator).writerows([names, *rows])
    given = None if separator == "," else separator
    frame = _reading.read_data(str(path), _asked.Asked(separator=given)).X
    assert list(frame.columns) == list(names)
    assert [tuple(row) for row in frame.to_numpy().tolist()] == rows


def test_empty_lines_of_one_column_are_no_rows_that_vanish(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a\n1\n\n2\n")
    with pytest.raises(_voice.Failed, match="line 3 is empty"):
        _reading.read_data(str(path), _asked.Asked())
    path.write_text('a\n1\n""\n"2\n3"\n\n')
    assert len(_reading.read_data(str(path), _asked.Asked())) == 3


def test_series_of_several_channels_and_numbers_for_labels(tmp_path):
    path = tmp_path / "s.ts"
    path.write_text(
        "@Dimensions 2\n@targetLabel true\n@missing true\n@data\n1,2:3,?:0.5\n4:6,7:-1\n"
    )
    found = _reading.read_data(str(path), _asked.Asked())
    np.testing.assert_array_equal(found.X, [[[1, 2], [3, np.nan]], [[4, np.nan], [6, 7]]])
    assert found.labels.tolist() == [0.5, -1]

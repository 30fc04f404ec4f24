"""The command line: each command on each input, what can be set, and what is said."""

import importlib
import json
import math
import re
import shlex
import subprocess
import sys
import textwrap
import tomllib
from pathlib import Path

import numpy as np
import pytest
from command_line import (
    APART,
    KINDS,
    SMALL,
    CliRunner,
    Image,
    N,
    group,
    pd,
)

import sk_infomax
from sk_infomax import Checkpoint, DeepInfoMaxTransformer, displays
from sk_infomax._cli import _asked, _files, _reading
from sk_infomax._cli._estimator import _parsed
from sk_infomax._shown import _progress
from sk_infomax._training import _callbacks
from sk_infomax.information import _effort

pytest_plugins = ["command_line"]  # its fixtures
OLD = sorted((Path(__file__).parent / "data" / "format_1").glob("*.safetensors"))


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
    monkeypatch.setattr(_progress, "_EVERY", math.inf)
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
    assert (found["low"], found["high"]) == pytest.approx(estimator.confidence_interval_)
    text = run("show", path).stdout
    assert f"information  {estimator.mutual_info_:.3f} nats" in text
    assert "critic=dot(units=3)" in text


@pytest.mark.parametrize("path", OLD, ids=lambda path: path.stem)
def test_show_of_files_of_earlier_releases(run, path):
    assert json.loads(run("show", path, "--json").stdout)["format"] == 1
    assert "format 1" in run("show", path).stdout


FIGURES = {
    "training": ("{model}",),
    "embedding": ("{model}", "pictures"),
    "neighbors": ("{model}", "pictures", "--sample", "3", "--neighbors", "2"),
    "places": ("{model}", "pictures", "--sample", "3"),
    "prior": ("{model}", "pictures", "--prior", "normal"),
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


def test_the_prior_is_the_model_s_unless_it_is_said(run, models, tmp_path, monkeypatch):
    pytest.importorskip("matplotlib")
    seen = []

    class Drawn(displays.PriorDisplay):
        @classmethod
        def from_estimator(cls, estimator, X, prior):
            seen.append((estimator.output, prior))
            return super().from_estimator(estimator, X, prior)

    monkeypatch.setattr(displays, "PriorDisplay", Drawn)
    path = tmp_path / "m.safetensors"
    run("fit", "rows.npy", "-o", path, *SMALL, "--encoder", "perceptron", "--set", "prior=mmd")
    for said in ((), ("--prior", "ball")):
        run("plot", "prior", path, "rows.npy", *said, "-o", tmp_path / f"{len(said)}.png")
    assert seen == [("embedding", "normal"), ("embedding", "ball")]


# Fits that go on ------------------------------------------------------------------------------


class EachStep(Checkpoint):
    """A checkpoint that does not wait for a minute."""

    def __init__(self, path):
        super().__init__(path, every=0)


def test_a_fit_that_was_killed_goes_on(run, tmp_path, monkeypatch):
    data = ("rows.csv", "--label", "group", "--id", "name")
    settings = (*SMALL, "--encoder", "perceptron", "--set", "max_epochs=3")[2:]
    whole, other, kept = (tmp_path / f"{name}.safetensors" for name in ("whole", "other", "kept"))
    run("fit", *data, "-o", whole, *settings)
    begin = ("fit", *data, "-o", other, "--checkpoint", kept)
    write, written = DeepInfoMaxTransformer._write, []

    def write_some(self, path, memory):
        write(self, path, memory)
        written.append(path)
        if len(written) == 4:  # of nine steps
            raise KeyboardInterrupt

    with monkeypatch.context() as killed:
        killed.setattr(_callbacks, "Checkpoint", EachStep)
        killed.setattr(DeepInfoMaxTransformer, "_write", write_some)
        assert "interrupted" in run(*begin, *settings, code=1).stderr
    assert "--resume" in run(*begin, *settings, code=1).stderr
    assert "--max-time: with --resume" in run(*begin, "--resume", "--max-time", 9, code=2).stderr
    run(*begin, "--resume")
    first, second = (DeepInfoMaxTransformer.load(path) for path in (whole, other))
    assert second.n_iter_ == 3
    X = pd.read_csv("rows.csv")[["a", "b", "c, d"]]
    np.testing.assert_array_equal(first.transform(X), second.transform(X))


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


@pytest.mark.parametrize(
    ("asked", "unit"),
    [
        (("--target", "group"), "column"),
        (("--matrix",), "pair"),
        (("--x", "a", "--y", "b", "--effort", "fast"), "fold"),
    ],
)
def test_progress_goes_to_stderr_unless_a_machine_reads(run, monkeypatch, asked, unit):
    monkeypatch.setattr(_progress, "_EVERY", 0)
    short = _effort.EFFORTS["fast"]._replace(cv=2, max_steps=20)
    monkeypatch.setitem(_effort.EFFORTS, "fast", short)
    args = ("info", "rows.csv", *asked, "--drop", "name", "--permutations", 0)
    said = run(*args)
    line = rf"^1 of \d+ {unit}s \(\d+%\) in \d+ s, about \d+ s more"
    assert re.search(line, said.stderr, re.MULTILINE)
    assert f" {unit}s (" not in said.stdout
    for silent in ("--json", "--quiet"):
        assert f" {unit}s (" not in run(*args, silent).stderr


def test_columns_that_a_model_does_not_know_are_named(run, models, tmp_path):
    result = run("transform", models["rows.csv"], "rows.csv", "-o", tmp_path / "f.npy")
    assert "Left out, as the model does not know them: name, group." in result.stderr

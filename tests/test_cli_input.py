"""The command line: bad data, wrong usage, files that are written, and laws of reading."""

import contextlib
import csv
import os
from pathlib import Path

import hypothesis
import numpy as np
import pytest
from command_line import (
    SMALL,
    CliRunner,
    Image,
    N,
    error_of,
    group,
    pd,
    ts_of,
)
from hypothesis import strategies as st

from sk_infomax import DeepInfoMaxTransformer
from sk_infomax._cli import _asked, _reading, _voice

pytest_plugins = ["command_line"]  # its fixtures


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
        *(
            (
                ("fit", "pictures", "-o", "m.safetensors", f"--{one}", "y"),
                "whose folders are labels",
            )
            for one in ("id", "column", "drop")
        ),
        (("fit", "rows.csv", "-o", "m.safetensors", "--resume"), "--checkpoint"),
        (("fit", "rows.csv", "-o", "m.safetensors", "--checkpoint", "m.safetensors"), "two"),
        (("fit", "rows.csv", "-o", "m.safetensors", "--checkpoint", "c.pt"), "--checkpoint 'c.pt'"),
        (("plot", "prior", "{model}", "rows.csv", "-o", "f.png"), "none of these. Say one of"),
        (("plot", "prior", "{model}", "rows.csv", "-o", "f.png", "--prior", "x"), "'x' is unknown"),
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


def test_remedies_are_options(run, tmp_path):
    (tmp_path / "gaps.csv").write_text("a,b\n1,2\n,1\n3,5\n" + "4,1\n5,2\n" * 20)
    said = error_of(run("info", tmp_path / "gaps.csv", "--target", "b", code=1))
    assert "set --missing drop" in said
    assert "missing=" not in said
    run("info", tmp_path / "gaps.csv", "--target", "b", "--missing", "drop", "--permutations", 0)

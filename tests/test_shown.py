"""What a notebook shows of an estimator, the versions of what is installed, and no prints."""

import ast
import logging

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.pipeline import make_pipeline
from sklearn.utils import estimator_html_repr
from test_layers import FILES, FOLDER

import sk_infomax
from sk_infomax import DeepInfoMaxTransformer, MutualInfoEstimator, show_versions
from sk_infomax._layout import Layout
from sk_infomax._shown import counted, tell

CLASS = "sk-infomax-summary"
SPOKEN = {"_shown/_versions.py"}  # whose task is to print


def samples(shape, n=30):
    return np.random.RandomState(0).normal(size=(n, *shape))


def fitted(X, **parameters):
    settings = {"n_components": 4, "max_epochs": 2, "random_state": 0}
    return DeepInfoMaxTransformer(**(settings | parameters)).fit(X)


def cells_of(shown):
    """Text of the cells of the table under the diagram, in their order."""
    table = shown.rpartition(f'<table class="{CLASS}">')[2]
    parts = table.replace("</th>", "\n").replace("</td>", "\n")
    text = "".join(piece.partition(">")[2] for piece in parts.split("<"))
    return dict(zip(*[iter(text.strip().split("\n"))] * 2))


@pytest.mark.parametrize(
    ("shape", "settings", "said"),
    [
        ((5,), {}, "table of 5 numbers in a row"),
        ((1, 20), {}, "series of 20 values in 1 channel"),
        ((8, 8, 3), {"encoder": "strided"}, "image of 8 x 8 values in 3 channels"),
    ],
)
def test_a_fitted_transformer_is_summed_up_under_its_diagram(shape, settings, said):
    dim = fitted(samples(shape), **settings)
    shown = dim._repr_html_()
    assert shown.count("DeepInfoMaxTransformer") > 1
    cells = cells_of(shown)
    assert cells["data"] == said
    width = dim.transform(samples(shape)).shape[1]
    assert cells["features"].startswith(f"{width:,} (")
    assert cells["epochs"].startswith("2 in ")
    last = dim.history_[-1]["train_local_nats"]
    assert cells["nats in training"] == f"local {last:.2f}"
    assert dim._repr_mimebundle_()["text/html"].endswith(shown.rpartition("<style>")[2])


def test_a_mixed_frame_is_summed_up_by_its_columns():
    frame = pd.DataFrame({"a": np.arange(40.0), "b": ["<b>", "y"] * 20})
    assert cells_of(fitted(frame)._repr_html_())["data"].endswith("of 2 columns")


def test_a_fitted_estimate_is_summed_up():
    x = np.random.RandomState(0).choice(["a", "b<i>"], (100, 2))
    found = MutualInfoEstimator(random_state=0, units="bits").fit(x, x[:, 0] == "a")
    cells = cells_of(found._repr_html_())
    low, high = found.confidence_interval_
    assert cells == {
        "X": "columns of 2 labels",
        "y": "columns of 1 label",
        "mutual information": f"{found.mutual_info_:.3f} bits",
        "95% interval": f"{low:.3f} to {high:.3f} bits",
    }


@pytest.mark.parametrize("cls", [DeepInfoMaxTransformer, MutualInfoEstimator])
def test_what_is_not_fitted_is_shown_as_scikit_learn_does(cls):
    assert CLASS not in cls()._repr_html_()
    assert CLASS not in cls()._repr_mimebundle_()["text/html"]
    assert cls.__name__ in cls()._repr_html_()


def test_text_is_shown_where_it_is_asked_for():
    dim = fitted(samples((5,)))
    with sklearn.config_context(display="text"):
        assert "text/html" not in dim._repr_mimebundle_()
        assert not hasattr(dim, "_repr_html_")


def test_diagrams_of_pipelines_are_untouched():
    pipeline = make_pipeline(DeepInfoMaxTransformer(4, max_epochs=1, random_state=0))
    assert CLASS not in estimator_html_repr(pipeline.fit(samples((5,))))


def test_layouts_are_said():
    assert Layout("image", (9, 7, 1), 2).said == "image of 9 x 7 values in 1 channel"
    assert Layout("series", (2, 50), 0).said == "series of 50 values in 2 channels"
    assert (counted(1, "column"), counted(1234, "column")) == ("1 column", "1,234 columns")


def test_versions_are_those_of_what_is_installed(capsys):
    assert show_versions() is None
    said = capsys.readouterr().out
    for name, version in [("scikit-learn", sklearn.__version__), ("numpy", np.__version__)]:
        assert f"{name}: {version}" in said
    assert "devices: cpu" in said
    names = [line.partition(":")[0].strip() for line in said.splitlines()]
    assert {"python", "executable", "machine", "sk_infomax", "torch", "skorch"} <= set(names)


def test_a_package_that_is_missing_is_none(capsys, monkeypatch):
    monkeypatch.setattr(sk_infomax._shown._versions, "_PACKAGES", ("numpy", "no-such-package"))
    show_versions()
    assert "no-such-package: None" in capsys.readouterr().out


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(FOLDER)))
def test_nothing_prints(path):
    if str(path.relative_to(FOLDER)) in SPOKEN:
        return
    calls = [n for n in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(n, ast.Call)]
    assert [n.lineno for n in calls if getattr(n.func, "id", "") == "print"] == []


def test_progress_goes_to_the_log_that_was_set_up(caplog, capsys):
    with caplog.at_level(logging.INFO, logger="sk_infomax"):
        tell("half done")
    assert [record.message for record in caplog.records] == ["half done"]
    assert capsys.readouterr().err == ""


def test_progress_goes_to_stderr_where_no_log_was_set_up(caplog, capsys):
    tell("half done")
    assert not caplog.records
    assert capsys.readouterr() == ("", "half done\n")

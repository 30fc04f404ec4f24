"""The examples run from beginning to end, and draw what the gallery shows."""

import re
import warnings
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).parent.parent / "examples").glob("plot_*.py"))
IN_CI = {
    "plot_04_series",
    "plot_05_mixed_frame",
}
"""Kinds of data that need a word. The others run in a nightly run."""


def marked(path):
    """An example as a case of a test, with the mark of its time."""
    mark = pytest.mark.slow if path.stem in IN_CI else pytest.mark.nightly
    return pytest.param(path, marks=mark, id=path.stem)


@pytest.mark.parametrize("path", [marked(path) for path in EXAMPLES])
def test_example_runs(path, tmp_path, monkeypatch, capsys):
    plt = pytest.importorskip("matplotlib.pyplot")
    for package in re.findall(r"^import (optuna)", path.read_text(encoding="utf-8"), re.MULTILINE):
        pytest.importorskip(package)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "Agg")
    monkeypatch.setattr(plt, "show", lambda: None)
    plt.close("all")
    namespace, n_figures = {"__name__": "__main__"}, 0
    with warnings.catch_warnings():
        warnings.simplefilter("default", FutureWarning)  # of packages that the example imports
        for cell in path.read_text(encoding="utf-8").split("\n# %%\n"):
            exec(compile(cell, path.name, "exec"), namespace)
            # The gallery shows and closes figures after each cell: none may wait for the next.
            figures = [plt.figure(number) for number in plt.get_fignums()]
            assert all(ax.has_data() for figure in figures for ax in figure.axes)
            n_figures += len(figures)
            plt.close("all")
    assert n_figures
    assert capsys.readouterr().out


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_is_a_page(path):
    """What the gallery needs: a title, an introduction, cells, and a figure that is shown."""
    text = path.read_text(encoding="utf-8")
    title, rule, blank, first = text.split("\n")[1:5]
    assert rule == "=" * len(title)
    assert not blank
    assert first
    assert "\n# %%\n" in text
    assert "plt.show()" in text
    heads = re.findall(r"^# (.+)\n# (-{3,})$", text, re.MULTILINE)
    assert heads
    assert [head for head, line in heads if len(head) != len(line)] == []


def test_names_of_examples_in_ci_are_those_of_files():
    assert {path.stem for path in EXAMPLES} >= IN_CI

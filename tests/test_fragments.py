"""Fragments of code in README and the pages run as they stand, page by page, in order."""

import doctest
import re
import warnings
from pathlib import Path

import numpy as np
import pytest
from torch.utils.data import Dataset

from sk_infomax import DeepInfoMaxTransformer, _settings
from sk_infomax.bounds import BOUNDS
from sk_infomax.information import _effort

ROOT = Path(__file__).parent.parent
NOT_RUN = r"<!-- not run: [^>]+ -->\n+"
FENCE = re.compile(rf"({NOT_RUN})?^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)

# Pages of which every fragment runs; each has what it needs, and begins with its imports.
PAGES = [
    "index",
    "start",
    "command_line",
    "how_to_pictures",
    "how_to_mixed_frame",
    "how_to_series",
    "how_to_information",
    "migration",
    "mutual_information",
    "user_guide",
    "learning",
    "judging",
    "information_bottleneck",
    "paper",
    "parts",
    "export",
    "reliability",
    "works_with",
]
SHORT = {
    "command_line",
    "how_to_pictures",
    "how_to_mixed_frame",
    "how_to_series",
    "learning",
    "paper",
    "parts",
    "reliability",
    "works_with",
}
LONG = {"how_to_information", "judging", "migration"}
FEW = 96  # samples that a fit sees of those that a page hands over
PRESETS = dict(_settings.PRESETS)


def fragments(page):
    """Each fragment of a page, with the line where it starts; not those that say why not."""
    text = (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8")
    for found in FENCE.finditer(text):
        if found[1] is None:
            yield text[: found.start(2)].count("\n") + 1, found[2]


def marked(page):
    """A page as a case, slow unless its fragments are short."""
    marks = [] if page in SHORT else [pytest.mark.slow]
    return pytest.param(page, marks=[pytest.mark.nightly] if page in LONG else marks, id=page)


@pytest.fixture
def small(monkeypatch, tmp_path):
    """Fits of few samples and steps, and files that pages read, in the working folder."""
    pytest.importorskip("matplotlib").use("Agg")
    image = pytest.importorskip("PIL.Image")
    pandas = pytest.importorskip("pandas")
    short = {name: _settings.Preset(2, 2, preset.encoder) for name, preset in PRESETS.items()}
    monkeypatch.setattr(_settings, "PRESETS", short)
    monkeypatch.setattr("sk_infomax.deep_infomax.PRESETS", short)
    for name, effort in _effort.EFFORTS.items():
        monkeypatch.setitem(_effort.EFFORTS, name, effort._replace(cv=2, max_steps=20))
    fit = DeepInfoMaxTransformer.fit
    monkeypatch.setattr(DeepInfoMaxTransformer, "fit", lambda self, X, y=None: fit(self, few(X)))
    monkeypatch.setitem(BOUNDS, "squared", None)  # what a page adds goes with the test
    del BOUNDS["squared"]
    monkeypatch.chdir(tmp_path)
    rng = np.random.RandomState(0)
    for i in range(12):
        folder = tmp_path / "photos" / ("cats" if i % 4 < 2 else "dogs")
        folder.mkdir(parents=True, exist_ok=True)
        pixels = rng.randint(0, 255, (70 + i, 90, 3)).astype(np.uint8)
        image.fromarray(pixels).save(folder / f"{i}.png")
    flats(pandas, rng).to_csv("flats.csv", index=False)


def few(X):
    """The first samples; a dataset, which has no slices, is small where it is written down."""
    return X if isinstance(X, Dataset) else X[:FEW]


def flats(pandas, rng, n=60):
    """Rented flats with a district, a date and something missing, and whether they are dear."""
    area = rng.gamma(6, 12, n)
    frame = pandas.DataFrame(
        {
            "area": np.where(rng.rand(n) < 0.1, np.nan, area),
            "district": rng.choice(["harbour", "west", "woods"], n),
            "let on": pandas.Timestamp("2024-01-01")
            + pandas.to_timedelta(rng.randint(0, 700, n), unit="D"),
            "dear": np.where(area > np.median(area), "yes", "no"),
        }
    )
    return frame


def run(code, namespace, page, line):
    """Run a fragment, whose line in the page a traceback names; of a session, the answers too."""
    if code.startswith(">>>"):
        test = doctest.DocTestParser().get_doctest(code, namespace, page, f"{page}.md", line)
        doctest.DebugRunner().run(test)
    else:
        exec(compile("\n" * line + code, f"{page}.md", "exec"), namespace)


@pytest.mark.parametrize("page", [marked(page) for page in PAGES])
@pytest.mark.usefixtures("small")
def test_fragments_of_a_page_run(page):
    namespace = {}
    ran = 0
    for line, code in fragments(page):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            run(code, namespace, page, line)
        ran += 1
    assert ran


def test_fragments_that_do_not_run_say_why():
    pages = {path.stem: path.read_text(encoding="utf-8") for path in (ROOT / "docs").glob("*.md")}
    silent = [name for name, text in pages.items() if "```python" in text and name not in PAGES]
    for name in silent:
        reasons = [found[1] for found in FENCE.finditer(pages[name])]
        assert None not in reasons, f"{name}.md has fragments that no test runs"

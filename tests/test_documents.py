"""Documents that enumerate: each is generated from what it enumerates, or held to it here."""

import importlib
import inspect
import re
import sys
from pathlib import Path

import pytest
from test_layers import FILES, FOLDER, LAYERS, room_of

import sk_infomax
from sk_infomax import DeepInfoMaxTransformer, MutualInfoEstimator, evaluation
from sk_infomax._coordinates import COORDINATES
from sk_infomax._fitted import OUTPUTS
from sk_infomax._settings import FAMILIES, OPTIMIZERS, PRESETS
from sk_infomax.bounds import BOUNDS, Bound
from sk_infomax.datasets import TASKS

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
sys.path.insert(0, str(DOCS))

import _registries  # noqa: E402

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "benchmarks" / "README.md"]
PAGES += sorted(DOCS.glob("*.md"))
PARTS = {name: FAMILIES[name].registry for name in _registries.MODULES}


def text_of(path):
    return path.read_text(encoding="utf-8")


def parameter_of(cls, name):
    """What the docstring of a class says of a parameter, in one line."""
    section = re.search(
        rf"^{name} : .*?(?=^\w+ : |^Attributes$|\Z)", inspect.getdoc(cls), re.DOTALL | re.MULTILINE
    )
    assert section, f"{cls.__name__} does not explain {name}"
    return " ".join(section[0].split())


def missing(names, text, quote='"'):
    """Names that do not stand in a text, in quotes."""
    return [name for name in names if f"{quote}{name}{quote}" not in text]


# Docstrings -----------------------------------------------------------------------------------

ENUMERATIONS = {
    **{(DeepInfoMaxTransformer, name): registry for name, registry in PARTS.items()},
    (DeepInfoMaxTransformer, "optimizer"): OPTIMIZERS,
    (DeepInfoMaxTransformer, "preset"): PRESETS,
    (DeepInfoMaxTransformer, "output"): OUTPUTS,
    (DeepInfoMaxTransformer, "coordinates"): COORDINATES,
    (MutualInfoEstimator, "critic"): PARTS["critic"],
    (MutualInfoEstimator, "bound"): BOUNDS,
    (evaluation.probe, "kind"): evaluation.PROBES,
    (evaluation.evaluate_representation, "probes"): evaluation.PROBES,
    (evaluation.evaluate_representation, "measures"): evaluation.MEASURES,
}
# Long registries may be pointed at instead of spelled out.
BY_NAME_OF_THE_REGISTRY = {"encoder": "ENCODERS"}


@pytest.mark.parametrize(
    ("owner", "parameter"), ENUMERATIONS, ids=lambda value: getattr(value, "__name__", value)
)
def test_docstrings_name_every_choice(owner, parameter):
    said = parameter_of(owner, parameter)
    if BY_NAME_OF_THE_REGISTRY.get(parameter, '""') in said:
        return
    assert missing(ENUMERATIONS[owner, parameter], said) == []


@pytest.mark.parametrize("cls", [DeepInfoMaxTransformer, MutualInfoEstimator])
def test_docstrings_say_the_defaults_of_the_signature(cls):
    for name, parameter in inspect.signature(cls).parameters.items():
        line = rf"^(?:\w+, )*{name}(?:, \w+)* : .*default=(.*)$"
        said = re.search(line, inspect.getdoc(cls), re.MULTILINE)
        assert said, name
        value = said[1].strip('"')
        if isinstance(parameter.default, float):
            assert float(value) == parameter.default, name
        else:
            assert value == str(parameter.default), name


# README and pages -----------------------------------------------------------------------------


@pytest.mark.parametrize("parameter", PARTS)
def test_readme_names_every_part(parameter):
    assert missing(PARTS[parameter], text_of(ROOT / "README.md")) == []


def test_readme_names_every_preset():
    assert missing(set(PRESETS) - {"fast"}, text_of(ROOT / "README.md")) == []


@pytest.mark.parametrize("name", _registries.tables())
def test_each_table_of_a_registry_is_on_the_page_of_parts(name):
    assert f"_generated/registries/{name}.md" in text_of(DOCS / "parts.md")


def test_tables_have_a_row_for_each_member():
    tables = _registries.tables()
    for parameter, module in _registries.MODULES.items():
        assert missing(PARTS[parameter], tables[module]) == []
    for name, registry in {"tasks": TASKS, "presets": PRESETS, "optimizers": OPTIMIZERS}.items():
        assert tables[name].count("\n") == len(registry) + 2


class OwnBound(Bound):
    """A bound of this test."""

    def __init__(self, size=3):
        self.size = size


def test_a_new_member_is_in_the_table(monkeypatch):
    monkeypatch.setitem(BOUNDS, "own", OwnBound)
    row = _registries.tables()["bounds"].splitlines()[-1]
    assert row.startswith('| `"own"` |')
    assert row.endswith("| A bound of this test | `size=3` |")


def test_the_page_of_bounds_has_each():
    assert missing(BOUNDS, text_of(DOCS / "bounds.md"), "`") == []


@pytest.mark.parametrize("module", list(_registries.public_modules()))
def test_every_public_name_is_on_the_page_of_the_api(module):
    listed = set(re.findall(r"^   ([\w.]+)$", text_of(DOCS / "api.rst"), re.MULTILINE))
    names = importlib.import_module(f"sk_infomax.{module}").__all__
    absent = [n for n in names if n not in listed and f"{module}.{n}" not in listed]
    # Registries have their tables on the page of parts.
    assert [name for name in absent if not name.isupper()] == []
    for name in absent:
        assert f"`{module}.{name}`" in text_of(DOCS / "api.rst")


def test_the_page_of_the_api_names_nothing_else():
    listed = re.findall(r"^   ([\w.]+)$", text_of(DOCS / "api.rst"), re.MULTILINE)
    for name in listed:
        module, _, last = f"sk_infomax.{name}".rpartition(".")
        assert last in importlib.import_module(module).__all__, name
    assert len(set(listed)) == len(listed)
    assert set(sk_infomax.__all__) <= set(listed)


# Links ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_relative_links_lead_somewhere(page):
    links = re.findall(r"\]\(([^)\s]+)\)", text_of(page))
    files = [link.partition("#")[0] for link in links if not re.match(r"\w+:|#", link)]
    # The gallery's pages are made of the examples when the documents are built.
    made = {f"gallery/{path.stem}.rst" for path in (ROOT / "examples").glob("*.py")}
    made.add("gallery/index.rst")
    assert [name for name in files if not (page.parent / name).exists() and name not in made] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_to_headings_find_them(page):
    for name, anchor in re.findall(r"\]\(([\w./-]*)#([\w-]+)\)", text_of(page)):
        target = text_of(page.parent / name if name else page)
        headings = re.findall(r"^#+ (.*)$", target, re.MULTILINE)
        slugs = {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}
        assert anchor in slugs


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_that_are_named_are_there(page):
    """Of paths in backquotes: benchmarks/speed.py, tests/test_layers.py, .ci/run."""
    named = re.findall(
        r"`((?:benchmarks|tests|docs|examples|sk_infomax|\.ci)/[\w./-]+)`", text_of(page)
    )
    made = text_of(ROOT / ".gitignore").splitlines()
    assert [name for name in named if name not in made and not (ROOT / name).exists()] == []


# The design -----------------------------------------------------------------------------------


def law():
    """The import law as the text that the page of the design shows."""
    layers = [", ".join(sorted(layer)) for layer in LAYERS]
    return "\n".join(layers[:1] + [f"  <- {layer}" for layer in layers[1:]])


def test_the_law_of_the_design_is_the_one_that_is_tested():
    assert f"```text\n{law()}\n```" in text_of(DOCS / "design.md"), law()


def test_the_table_of_files_is_the_tree():
    rows = re.findall(r"^\| `([\w/.]+)` \|", text_of(DOCS / "design.md"), re.MULTILINE)
    shown = {
        name.strip("/").removesuffix(".py")
        for name in rows
        if name.count("/") <= name.endswith("/")
    }
    assert shown == {room_of(path) for path in FILES} - {"__init__"}
    inside = {name for name in rows if "/" in name.strip("/")}
    assert [name for name in inside if not (FOLDER / name).exists()] == []
    rooms = {Path(name).parts[0] for name in inside}
    for room in rooms:  # of a room that is shown from inside, everything is
        files = {str(path.relative_to(FOLDER)) for path in (FOLDER / room).glob("*.py")}
        assert {name for name in inside if name.startswith(f"{room}/")} == files - {
            f"{room}/__init__.py"
        }

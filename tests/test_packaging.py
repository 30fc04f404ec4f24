"""What the package says of itself to installers: extras, the page on an index, citation."""

import ast
import re
import tomllib
from pathlib import Path

import pytest

import sk_infomax

ROOT = Path(__file__).parent.parent
FILES = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
EXTRAS = FILES["project"]["optional-dependencies"]
FOR_USERS = ("cli", "plot", "images", "onnx")
MODULES = {
    "pillow": "PIL",
    "pytorch-metric-learning": "pytorch_metric_learning",
    "umap-learn": "umap",
}
"""Names of modules that are not those of their packages."""


def name_of(requirement):
    return re.match(r"[\w.-]+", requirement)[0]


def imported(folder):
    """Modules that files of a folder import or name, as strings."""
    found = set()
    for path in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                found.add((node.module or "").partition(".")[0])
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value)
    return found


@pytest.mark.parametrize("extra", FOR_USERS)
def test_what_an_extra_installs_is_imported(extra):
    used = imported("sk_infomax")
    for name in map(name_of, EXTRAS[extra]):
        assert MODULES.get(name, name) in used


def test_what_benchmarks_install_is_imported():
    used = imported("benchmarks")
    assert [n for n in map(name_of, EXTRAS["bench"]) if MODULES.get(n, n) not in used] == []


def test_all_is_what_users_can_use_and_no_tool():
    (whole,) = EXTRAS["all"]
    assert set(re.search(r"\[(.*)\]", whole)[1].split(",")) == set(FOR_USERS)
    known = {*FOR_USERS, "all", "test", "docs", "bench"}
    assert set(EXTRAS) == known


def test_tests_can_see_what_every_extra_brings():
    for_tests = {name_of(requirement) for requirement in EXTRAS["test"]}
    for extra in FOR_USERS:
        assert {name_of(r) for r in EXTRAS[extra]} - {"torch"} <= for_tests


def test_the_page_on_an_index_has_no_picture_or_link_that_leads_nowhere():
    hook = FILES["tool"]["hatch"]["metadata"]["hooks"]["fancy-pypi-readme"]
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "](docs/" in text
    for rule in hook["substitutions"]:
        text = re.sub(rule["pattern"], rule["replacement"], text)
    assert not re.search(r"\]\((?!https?:|#)", text)
    assert "The user guide says how to choose settings" in text


def test_the_citation_is_of_this_version():
    text = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert re.search(r"^version: (.*)$", text, re.MULTILINE)[1] == sk_infomax.__version__


def test_archives_leave_out_results():
    archive = FILES["tool"]["hatch"]["build"]["targets"]["sdist"]
    assert "/benchmarks/results" in archive["exclude"]
    assert "/README.md" in archive["include"]  # which the page on an index is made of

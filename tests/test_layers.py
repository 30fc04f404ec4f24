"""The import law: arrows point one way only."""

import ast
from pathlib import Path

import pytest

import sk_infomax

FOLDER = Path(sk_infomax.__file__).parent
LAYERS = [
    {"_checks", "_random", "_state"},
    {"bounds", "views", "_batches"},
    {"critics", "encoders", "priors"},
    {"objectives"},
    {"_net"},
    {"deep_infomax"},
    {"displays"},
    {"__init__"},
]
ALONE = {"datasets"}
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names}


def imports_of(path):
    """Names of the package's own modules that a file imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level == 1:
            names = [node.module] if node.module else [alias.name for alias in node.names]
            found.update(name.split(".")[0] for name in names)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("sk_infomax"):
            found.add(node.module.partition(".")[2] or "__init__")
        elif isinstance(node, ast.Import):
            ours = [alias.name for alias in node.names if alias.name.startswith("sk_infomax")]
            found.update(name.partition(".")[2] or "__init__" for name in ours)
    return found


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.py")), ids=lambda path: path.stem)
def test_imports_point_down(path):
    if path.stem in ALONE:
        assert not imports_of(path)
        return
    assert path.stem in RANK, f"{path.name} has no layer: give it one here."
    for name in imports_of(path) - ALONE:
        assert RANK[name] < RANK[path.stem], f"{path.stem} must not import {name}"


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.py")), ids=lambda path: path.stem)
def test_private_scikit_learn_is_touched_in_one_place(path):
    if path.stem == "_checks":
        return
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("sklearn"):
            assert "._" not in node.module
            assert not any(alias.name.startswith("_") for alias in node.names)

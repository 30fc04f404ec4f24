"""The import law: arrows point one way only."""

import ast
from pathlib import Path

import pytest

import sk_infomax

FOLDER = Path(sk_infomax.__file__).parent
LAYERS = [
    {"_checks", "_columns", "_counts", "_random", "_state"},
    {"bounds", "views", "_batches"},
    {"critics", "encoders", "priors"},
    {"_ratio", "contexts", "coordinates"},
    {"objectives"},
    {"_neighbours", "_net", "_reference", "_settings"},
    {"_cross_fitting", "_reading", "_saving"},
    {"_total_correlation", "deep_infomax", "mutual_info"},
    {"dependence"},
    {"evaluation"},
    {"displays"},
    {"__init__"},
]
ALONE = {"datasets"}
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names}


FILES = sorted(FOLDER.rglob("*.py"))


def room_of(path):
    """The room that a file belongs to: its own name, or that of its package."""
    parts = path.relative_to(FOLDER).with_suffix("").parts
    return parts[0]


def imports_of(path):
    """Rooms of the package that a file imports, its own left out."""
    depth = len(path.relative_to(FOLDER).parts)
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level == depth:
            names = [node.module] if node.module else [alias.name for alias in node.names]
            found.update(name.split(".")[0] for name in names)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("sk_infomax"):
            found.add(node.module.partition(".")[2].partition(".")[0] or "__init__")
        elif isinstance(node, ast.Import):
            ours = [alias.name for alias in node.names if alias.name.startswith("sk_infomax")]
            found.update(name.partition(".")[2].partition(".")[0] or "__init__" for name in ours)
    return found - {room_of(path)}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(FOLDER)))
def test_imports_point_down(path):
    room = room_of(path)
    if room in ALONE:
        assert not imports_of(path)
        return
    assert room in RANK, f"{path.name} has no layer: give it one here."
    for name in imports_of(path) - ALONE:
        assert RANK[name] < RANK[room], f"{room} must not import {name}"


def test_the_law_sees_the_imports():
    assert imports_of(FOLDER / "objectives.py") >= {"bounds", "critics", "encoders"}
    assert imports_of(FOLDER / "encoders" / "_torch.py") == {"_checks"}
    rooms = imports_of(FOLDER / "evaluation" / "_information.py")
    assert rooms >= {"mutual_info", "priors", "_cross_fitting"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(FOLDER)))
def test_private_scikit_learn_is_touched_in_one_place(path):
    if path.stem == "_checks":
        return
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("sklearn"):
            assert "._" not in node.module
            assert not any(alias.name.startswith("_") for alias in node.names)

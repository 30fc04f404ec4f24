"""The import law: arrows point one way only, and the two wings never meet."""

import ast
from pathlib import Path

import pytest

import sk_infomax

FOLDER = Path(sk_infomax.__file__).parent
LAYERS = [
    {"_bases", "_columns", "_layout", "_modes", "_random", "exceptions"},
    {"_checks", "_scaling", "_shown"},
    {"_state"},
    {"_parts"},
    {"bounds", "critics", "encoders", "priors", "series", "views", "_training"},
    {"contexts", "_coordinates", "information"},
    {"_objectives"},
    {"_settings"},
    {"_fitted"},
    {"_export"},
    {"deep_infomax"},
    {"evaluation", "paper"},
    {"displays"},
    {"__init__"},
    {"_cli"},
]
ALONE = {"datasets"}
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names}
FEATURES = {"views", "contexts", "_coordinates", "_objectives"}
FILES = sorted(FOLDER.rglob("*.py"))
MOST_ROOMS = 14  # outside its own wing, warnings and what notebooks show among them


def room_of(path):
    """The room that a file belongs to: its own name, or that of its package."""
    return path.relative_to(FOLDER).with_suffix("").parts[0]


def modules_of(path):
    """Modules of the package that a file imports, as dotted names under the package."""
    here = path.relative_to(FOLDER).with_suffix("").parts
    known = {module_name(file) for file in FILES}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            base = start_of(node, here)
            if base is not None:
                inner = [".".join((*base, alias.name)) for alias in node.names]
                modules = {name for name in inner if name in known}
                yield from modules or {".".join(base) or "__init__"}
        elif isinstance(node, ast.Import):
            ours = (alias.name for alias in node.names if alias.name.startswith("sk_infomax"))
            yield from (name.partition(".")[2] or "__init__" for name in ours)


def start_of(node, here):
    """Where ``from ... import`` of a file at `here` starts under the package; None for others."""
    named = tuple((node.module or "").split(".")) if node.module else ()
    if node.level:
        return here[: len(here) - node.level] + named
    return named[1:] if named[:1] == ("sk_infomax",) else None


def module_name(path):
    """Dotted name of a file under the package; a folder's is that of the folder."""
    parts = path.relative_to(FOLDER).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


def rooms_of(path):
    """Rooms that a file imports, its own left out."""
    return {name.split(".")[0] for name in modules_of(path)} - {room_of(path)}


def reached_by(module):
    """Modules that importing this one brings in, the package's own `__init__` left out."""
    of_name = {module_name(path): path for path in FILES}
    found, ahead = set(), [module]
    while ahead:
        name = ahead.pop()
        if name not in found:
            found.add(name)
            ahead += modules_of(of_name[name])
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(FOLDER)))
def test_imports_point_down(path):
    room = room_of(path)
    if room in ALONE:
        assert not rooms_of(path)
        return
    assert room in RANK, f"{path.name} has no layer: give it one here."
    for name in rooms_of(path) - ALONE:
        assert RANK[name] < RANK[room], f"{room} must not import {name}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(FOLDER)))
def test_information_and_features_never_import_each_other(path):
    if room_of(path) == "information":
        assert not rooms_of(path) & FEATURES
        inside = {name for name in modules_of(path) if name.startswith("encoders.")}
        assert not inside, "information knows encoders by their public registry alone"
    if room_of(path) in FEATURES:
        assert "information" not in rooms_of(path)


def test_every_room_of_the_law_is_there():
    assert set(RANK) | ALONE == {room_of(path) for path in FILES}


def test_the_top_level_is_small():
    assert len(list(FOLDER.glob("*.py"))) <= 18


def test_information_reaches_few_rooms():
    rooms = {name.split(".")[0] for name in reached_by("information._estimator")}
    assert len(rooms - {"information"}) <= MOST_ROOMS, sorted(rooms)


def test_the_law_sees_the_imports():
    assert rooms_of(FOLDER / "_objectives.py") >= {"bounds", "critics", "encoders"}
    assert rooms_of(FOLDER / "encoders" / "_torch.py") >= {"_checks"}
    rooms = rooms_of(FOLDER / "evaluation" / "_information.py")
    assert rooms >= {"information", "priors"}
    assert "_training._net" in reached_by("information._estimator")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(FOLDER)))
def test_private_scikit_learn_is_touched_in_one_place(path):
    if path.stem == "_checks":
        return
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("sklearn"):
            assert "._" not in node.module
            assert not any(alias.name.startswith("_") for alias in node.names)

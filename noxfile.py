"""Sessions that no single environment covers: the oldest and the newest dependencies.

    nox -s oldest newest

CI runs the tests with what pip chooses. `oldest` takes the versions that `pyproject.toml` declares
as the least, on the oldest Python; what fails there raises them.
"""

import re
import tomllib
from pathlib import Path

import nox

OLDEST, NEWEST = "3.11", "3.13"
# The one that pip chooses: old ones have not been tried.
LEFT_AS_THEY_ARE = {"torch"}
# What is read and made of every kind of data; the others test parts alone.
CORE = [
    "tests/test_deep_infomax.py", "tests/test_sklearn_contract.py", "tests/test_mutual_info.py",
    "tests/test_checks.py", "tests/test_files.py", "tests/test_state.py", "tests/test_frames.py",
    "tests/test_mixed_frames.py", "tests/test_columns.py", "tests/test_selector.py",
    "tests/test_net.py", "tests/test_tables.py", "tests/test_registries.py",
    "tests/test_any_series.py",
]  # fmt: skip


def least_versions() -> list[str]:
    """Each dependency, and each of the tests, at the least version that is declared."""
    project = tomllib.loads(Path("pyproject.toml").read_text())["project"]
    found = {}
    for line in (*project["optional-dependencies"]["test"], *project["dependencies"]):
        name, version = re.fullmatch(r"([\w.-]+)>=([\w.]+)", line).groups()
        if name not in LEFT_AS_THEY_ARE and not name.startswith("onnx"):
            found[name] = f"{name}=={version}"
    return sorted(found.values())


@nox.session(python=OLDEST)
def oldest(session: nox.Session) -> None:
    """The core of the tests with the oldest dependencies; arguments take the place of the core."""
    session.install("torch")
    session.install(*least_versions())
    session.install("--no-deps", "-e", ".")
    session.run("python", "-m", "pytest", "-q", *(session.posargs or CORE))


@nox.session(python=NEWEST)
def newest(session: nox.Session) -> None:
    """The tests with the newest dependencies, on the newest Python."""
    session.install("--upgrade", "-e", ".[all,test]")
    session.run("python", "-m", "pytest", "-q", *session.posargs)

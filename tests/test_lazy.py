"""The package is imported in a moment: what it is made of, at the first use of a name."""

import subprocess
import sys
from importlib import import_module
from pkgutil import iter_modules

import pytest

import sk_infomax

MODULES = [info.name for info in iter_modules(sk_infomax.__path__) if info.name[0] != "_"]


def test_importing_imports_nothing_heavy():
    code = "import sys, sk_infomax; print({'torch', 'sklearn', 'numpy'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize("name", MODULES)
def test_public_modules_are_attributes(name, monkeypatch):
    monkeypatch.delattr(sk_infomax, name, raising=False)
    assert getattr(sk_infomax, name) is import_module(f"sk_infomax.{name}")
    assert name in dir(sk_infomax)


@pytest.mark.parametrize("name", sk_infomax.__all__)
def test_public_names_are_found_each_time(name, monkeypatch):
    first = getattr(sk_infomax, name)
    monkeypatch.delattr(sk_infomax, name)
    assert getattr(sk_infomax, name) is first
    assert name in dir(sk_infomax)


def test_other_names_are_refused():
    with pytest.raises(AttributeError, match="has no attribute 'DeepInfomax'"):
        _ = sk_infomax.DeepInfomax
    with pytest.raises(ImportError, match="DeepInfomax"):
        from sk_infomax import DeepInfomax  # noqa: F401

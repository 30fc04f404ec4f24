"""Docstrings of the public names, by numpydoc's own rules."""

import importlib
import inspect
import pkgutil

import pytest

import sk_infomax

validate = pytest.importorskip("numpydoc.validate").validate

# What is asked of every public name: a summary, all parameters by their names, sections in
# order. Methods need no section for parameters that the base class explains.
RULES = {"GL05", "GL06", "GL07", "GL08", "SS01", "SS02", "SS04", "PR02", "PR03", "PR04", "PR10"}


def member_of(name):
    """The object of a dotted name: a module, or something in one."""
    parts, found = name.split("."), sk_infomax
    for part in parts[1:]:
        found = getattr(found, part)
    return found


def public_names():
    """Each public class, function and method, as a dotted name."""
    for info in pkgutil.iter_modules(sk_infomax.__path__):
        if info.name.startswith("_"):
            continue
        module = importlib.import_module(f"sk_infomax.{info.name}")
        for name in module.__all__:
            member = getattr(module, name)
            if not (inspect.isclass(member) or inspect.isfunction(member)):
                continue
            yield f"{module.__name__}.{name}", inspect.isclass(member)
            for method, value in vars(member).items() if inspect.isclass(member) else ():
                if inspect.isfunction(value) and not method.startswith("_"):
                    yield f"{module.__name__}.{name}.{method}", False


@pytest.mark.parametrize(("name", "is_class"), list(public_names()))
def test_docstring(name, is_class):
    rules = RULES | ({"PR01"} if is_class else set())
    if inspect.isclass(member_of(name)) or not inspect.isclass(member_of(name.rpartition(".")[0])):
        rules = rules | {"EX01"}  # an example of each class and function
    errors = [f"{code}: {text}" for code, text in validate(name)["errors"] if code in rules]
    assert not errors


@pytest.mark.parametrize("name", sk_infomax.__all__)
def test_public_names_are_there(name):
    assert inspect.getdoc(getattr(sk_infomax, name))

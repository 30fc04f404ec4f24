"""Sphinx configuration: ``sphinx-build -W docs docs/_build``."""

import sys
from pathlib import Path

import sk_infomax

sys.path.insert(0, str(Path(__file__).parent))

import _registries

project = "sk_infomax"
author = "the sk_infomax developers"
version = release = sk_infomax.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
]
autosummary_generate = True
autodoc_typehints = "none"
numpydoc_show_class_members = False
myst_enable_extensions = ["dollarmath", "amsmath"]
myst_heading_anchors = 3
exclude_patterns = ["_build", "_generated/registries"]
templates_path = ["_templates"]
html_title = "sk_infomax"
default_role = "code"
html_theme = "pydata_sphinx_theme"
html_theme_options = {"show_prev_next": False}
html_sidebars = {"**": []}


def setup(app):
    """Write the tables of the registries before pages that include them are read."""
    app.connect("builder-inited", _registries.write)


suppress_warnings = [
    "ref.term",
    "ref.ref",
]  # labels of pages of scikit-learn, in methods that it makes

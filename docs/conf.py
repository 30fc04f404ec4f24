"""Sphinx configuration: ``sphinx-build -W docs docs/_build``.

The gallery is shown without being run; ``-D plot_gallery=1`` runs it, which takes minutes.
"""

import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

import sk_infomax

sys.path.insert(0, str(Path(__file__).parent))

import _registries

HERE = Path(__file__).parent
project = "sk_infomax"
author = "the sk_infomax developers"
version = release = sk_infomax.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx_gallery.gen_gallery",
]
autosummary_generate = True
autodoc_typehints = "none"
numpydoc_show_class_members = False
toc_object_entries_show_parents = "hide"
myst_enable_extensions = ["dollarmath", "amsmath"]
myst_heading_anchors = 3
exclude_patterns = ["_build", "_generated/registries", "_generated/mathjax", "gallery/*.ipynb"]
templates_path = ["_templates"]
default_role = "code"

html_title = "sk_infomax"
html_theme = "pydata_sphinx_theme"
html_static_path = ["_static", "_generated/mathjax"]
html_css_files = ["pages.css"]
html_js_files = ["tables.js"]
html_theme_options = {
    "show_prev_next": False,
    "header_links_before_dropdown": 6,
    "navigation_with_keys": False,
    "secondary_sidebar_items": {"**": ["page-toc"], "index": [], "alternatives": []},
}
WIDE = ["index", "start", "when_to_use", "alternatives", "gallery/index", "changelog"]
WIDE += ["command_line", "export"]
html_sidebars = {page: [] for page in WIDE}

# MathJax is one file in the build, of a package that ships it, so that formulas need no network.
mathjax_path = "tex-svg-full.js"

plot_gallery = "False"
sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "gallery",
    "doc_module": ("sk_infomax",),
    "reference_url": {"sk_infomax": None},
    "backreferences_dir": "_generated/backreferences",
    "within_subsection_order": "FileNameSortKey",
    "download_all_examples": False,
    "show_signature": False,
    "capture_repr": ("_repr_html_",),
    "show_memory": False,
    "write_computation_times": False,
    "remove_config_comments": True,
}

suppress_warnings = [
    "config.cache",  # the gallery's configuration is a dictionary that cannot be pickled
    "ref.term",  # labels of pages of scikit-learn, in methods that it makes
    "ref.ref",
]


def _copy_mathjax() -> None:
    """Put MathJax where Sphinx looks for static files."""
    package = find_spec("sphinx-mathjax-offline")
    if package is None:
        raise ImportError("Formulas need MathJax: pip install sphinx-mathjax-offline.")
    source = Path(package.origin).parent / "static" / "mathjax" / mathjax_path
    target = HERE / "_generated" / "mathjax"
    target.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target / mathjax_path)


_copy_mathjax()


def setup(app):
    """Write the tables of the registries before pages that include them are read."""
    app.connect("builder-inited", _registries.write)

"""The command line ``sk-infomax``: estimators, measures and displays on files.

``_group`` holds the commands, each in a file of its own; ``_asked`` to ``_series`` read data,
``_files`` writes it, ``_voice`` speaks. Nothing here computes, and nothing heavy is imported before
a command runs, so that help comes at once.
"""

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command that the arguments name; ends the process with an exit code."""
    try:
        import click  # noqa: F401
    except ImportError:
        sys.exit(
            'Error: sk-infomax needs click and pandas: pip install "sk_infomax[cli]", or in '
            'a clone pip install ".[cli]"'
        )
    from ._group import sk_infomax

    sk_infomax(prog_name="sk-infomax")

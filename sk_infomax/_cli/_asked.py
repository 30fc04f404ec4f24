"""What is asked of data: options that all commands which read data share."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import click

__all__ = ["MISSING_VALUES", "Asked", "asking"]


@dataclass(frozen=True)
class Asked:
    """How data is to be read; None is for what nobody said.

    Parameters
    ----------
    array : str or None
        Array of an ``.npz``.
    label, id : str or None
        Columns, arrays or files that are no samples.
    column, drop : tuple of str
        Columns to take, or to leave out.
    separator : str or None
        Between the columns of a text.
    no_header : bool
        Whether the first line of a text is a row.
    size : int or None
        Side of pictures, in pixels.
    grey : bool
        Whether pictures are read as grey levels.
    skip_broken : bool
        Whether pictures that can't be read are left out.
    jobs : int or None
        Processes that read pictures.
    """

    array: str | None = None
    label: str | None = None
    id: str | None = None
    column: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    separator: str | None = None
    no_header: bool = False
    size: int | None = None
    grey: bool = False
    skip_broken: bool = False
    jobs: int | None = None

    def only(self, what: str, *allowed: str) -> None:
        """Refuse options that have no meaning for this kind of file."""
        for field in fields(self):
            if field.name not in allowed and getattr(self, field.name) != field.default:
                option = f"--{field.name.replace('_', '-')}"
                raise click.UsageError(f"{option} has no meaning for {what}. Leave it out.")


_LABEL = (
    "Labels: a column of a table, an array of an .npz, or a file (.npy, or .csv of one column) "
    "with one for each sample. Folders of pictures and .ts have labels of their own."
)
_OPTIONS = {
    "array": click.option("--array", metavar="NAME", help="Array of an .npz that holds several."),
    "label": click.option("--label", metavar="NAME", help=_LABEL),
    "id": click.option(
        "--id", metavar="NAME", help="A column, or array, that names the samples and says no more."
    ),
    "column": click.option(
        "--column", metavar="NAME", multiple=True, help="A column to take; may be repeated."
    ),
    "drop": click.option(
        "--drop", metavar="NAME", multiple=True, help="A column to leave out; may be repeated."
    ),
    "separator": click.option(
        "--separator", metavar="TEXT", help="Between columns of a .csv; a comma unless given."
    ),
    "no_header": click.option(
        "--no-header", is_flag=True, help="The first line of a .csv is a row; columns are x0, x1, …"
    ),
    "size": click.option(
        "--size", type=click.IntRange(1), help="Side of pictures in pixels [64; or the model's]."
    ),
    "grey": click.option("--grey", is_flag=True, help="Read pictures as grey levels."),
    "skip_broken": click.option(
        "--skip-broken", is_flag=True, help="Leave out pictures that cannot be read."
    ),
    "jobs": click.option(
        "--jobs", type=int, help="Processes that read a folder of pictures; -1 is all processors."
    ),
}


def asking(*without: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the options of reading, but for some, as one argument `asked`."""
    names = [name for name in _OPTIONS if name not in without]

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(function)
        def run(*args: Any, **options: Any) -> None:
            asked = Asked(**{name: options.pop(name) for name in names})
            function(*args, asked=asked, **options)

        for name in reversed(names):
            run = _OPTIONS[name](run)
        return run

    return decorate


MISSING_VALUES = click.option(
    "--missing",
    type=click.Choice(["error", "drop", "level"]),
    default="error",
    show_default=True,
    help="Missing values: refuse them, leave their rows out, or make them a level.",
)

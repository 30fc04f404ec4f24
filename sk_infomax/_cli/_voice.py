"""How commands speak: results to stdout, notes and warnings to stderr, errors as one line."""

from __future__ import annotations

import functools
import json
import math
import re
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import click

__all__ = ["Failed", "Group", "Voice", "about", "one_line", "speaking", "table"]

FAILED = 1  # exit code of bad data and whatever else went wrong
WRONG_USAGE = 2  # exit code of a command that could not be meant, as in click and most tools


_PARAMETER = re.compile(
    r"\b(missing|encoder|preset|prior|bound|device|effort|max_epochs|max_time|n_components"
    r"|block_length|random_state)=(['\"]?)([\w.-]*\w)\2"
)  # parameters that options spell alike, with a value


class Failed(click.ClickException):
    """What went wrong with data or files, in one line."""

    exit_code = FAILED

    def __init__(self, message: str):
        super().__init__(_joined(message))


class Group(click.Group):
    """Commands whose errors are one line on stderr, whatever they are."""

    def main(self, *args: Any, **extra: Any) -> Any:
        """Run, and end the process with 0, 1 for what failed, or 2 for wrong usage."""
        try:
            code = super().main(*args, **(extra | {"standalone_mode": False}))
        except click.UsageError as error:
            where = "" if error.ctx is None else f" See '{error.ctx.command_path} --help'."
            code = _tell(error.format_message() + where, WRONG_USAGE)
        except click.ClickException as error:
            code = _tell(error.format_message(), error.exit_code)
        except click.Abort:
            code = _tell("interrupted.", FAILED)
        sys.exit(code if isinstance(code, int) else 0)


def _tell(message: str, code: int) -> int:
    click.echo(f"Error: {_as_options(_joined(message))}", err=True)
    return code


def _as_options(text: str) -> str:
    """Remedies in the words of Python, such as ``missing='drop'``, as options."""
    return _PARAMETER.sub(lambda found: f"--{found[1].replace('_', '-')} {found[3]}", text)


def _joined(text: str) -> str:
    """Text in one line."""
    return " ".join(text.split())


def one_line(error: BaseException) -> str:
    """What an exception says, in one line; what Python says of files without its number."""
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}."
    if isinstance(error, MemoryError):
        return f"there is not enough memory. {_joined(str(error))}".strip()
    said = error.args[0] if isinstance(error, KeyError) and error.args else error
    expected = isinstance(error, ValueError | TypeError | ArithmeticError | ImportError | OSError)
    unexpected = "" if expected else f"{type(error).__name__}: "
    return unexpected + (_joined(str(said)) or type(error).__name__)


@contextmanager
def about(source: str) -> Iterator[None]:
    """Name the file in what goes wrong with its content."""
    try:
        yield
    except click.ClickException:
        raise
    except Exception as error:
        said = one_line(error)
        raise Failed(said if source in said else f"{source}: {said}") from error


class Voice:
    """What a command says, and to whom.

    Parameters
    ----------
    as_json : bool
        One JSON object on stdout, for machines.
    quiet : bool
        No progress, notes and warnings.
    """

    def __init__(self, as_json: bool, quiet: bool):
        self.as_json = as_json
        self.quiet = quiet
        self.warned: list[str] = []

    @property
    def verbose(self) -> int:
        """1 where progress is to be seen: a bar on terminals, elsewhere a line now and then."""
        return int(not self.quiet and not self.as_json)

    def note(self, text: str) -> None:
        """Say something beside the results."""
        if not self.quiet:
            click.echo(_joined(text), err=True)

    def done(self, facts: Mapping[str, Any], text: str) -> None:
        """Say that a file was written, and what is in it."""
        if self.as_json or not self.quiet:
            self.result(facts, text)

    def result(self, facts: Mapping[str, Any], text: str) -> None:
        """Give what was found: facts to machines, text to people."""
        if self.as_json:
            said = _plain({**facts, "warnings": self.warned})
            text = json.dumps(said, indent=2, ensure_ascii=False, allow_nan=False)
        click.echo(text)

    @contextmanager
    def listening(self, everything: bool) -> Iterator[None]:
        """Pass on warnings as notes, each once; of libraries' own only what concerns users."""

        def hear(message: Any, category: type[Warning], *rest: Any, **more: Any) -> None:
            said = _joined(str(message))
            if (everything or issubclass(category, UserWarning)) and said not in self.warned:
                self.warned.append(said)
                self.note(f"Warning: {said}")

        with warnings.catch_warnings():
            warnings.showwarning = hear
            yield


def _plain(value: Any) -> Any:
    """Values that JSON has: numbers that are none, or infinite, become null."""
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(one) for one in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, bool | int | str) else str(value)


def speaking(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command a voice, the options of it, and errors of one line."""

    @click.option("--json", "as_json", is_flag=True, help="Print one JSON object, for machines.")
    @click.option("--quiet", "-q", is_flag=True, help="No progress, notes and warnings.")
    @click.option("--debug", is_flag=True, help="Show where an error came from, and all warnings.")
    @functools.wraps(function)
    def run(*args: Any, as_json: bool, quiet: bool, debug: bool, **options: Any) -> None:
        voice = Voice(as_json, quiet)
        try:
            with voice.listening(debug):
                function(*args, voice=voice, **options)
        except Exception as error:
            if debug:
                traceback.print_exc()
            if isinstance(error, click.ClickException | click.Abort | click.exceptions.Exit):
                raise
            raise Failed(one_line(error)) from error

    return run


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lines of aligned columns: the first to the left, the others to the right."""
    lines = [list(head), *map(list, rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    aligned = [[line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])] for line in lines]
    return "\n".join("  ".join(cells).rstrip() for cells in aligned)

"""How far work has come: a bar where somebody looks, a line now and then where output is piped."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Self, TypeVar

from ._log import tell

__all__ = ["Progress", "followed"]

_EVERY = 5.0  # seconds between two lines (rule of thumb)
_BAR = 1  # the `verbose` that asks for a bar, or for lines in its place; more is a line a stage

T = TypeVar("T")


class Progress:
    """What `verbose` asks for of work of so many equal pieces.

    Parameters
    ----------
    total : int
        Pieces, such as steps.
    unit : str
        What a piece is called.
    verbose : int
        0 shows nothing; 1 a bar in terminals and notebooks, and elsewhere a line every few
        seconds; 2 a line whenever a stage ends.
    """

    def __init__(self, total: int, unit: str, verbose: int):
        self.total, self.unit, self.verbose = total, unit, int(verbose)
        self.done, self.facts = 0, ""
        self.began = self.told = time.monotonic()
        shown = self.verbose == _BAR and _is_watched()
        self.bar = _bar(total, unit) if shown else None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def update(self) -> None:
        """One piece is done."""
        self.done += 1
        if self.bar is not None:
            self.bar.update()
        elif self.verbose == _BAR and time.monotonic() - self.told >= _EVERY:
            self.told = time.monotonic()
            tell(self._line())

    def end_stage(self, stage: str, facts: Mapping[str, float]) -> None:
        """A stage, such as an epoch, has ended with these facts."""
        self.facts = ", ".join(f"{name} {value:.3f}" for name, value in facts.items())
        if self.bar is not None:
            self.bar.set_postfix_str(self.facts)
        elif self.verbose > _BAR:
            tell(f"{stage}: {self.facts}, {time.monotonic() - self.began:.1f} s")

    def close(self) -> None:
        """The work has ended, whatever ended it."""
        if self.bar is not None:
            self.bar.close()

    def _line(self) -> str:
        seconds = time.monotonic() - self.began
        rest = seconds * (self.total - self.done) / self.done
        how_far = f"{self.done:,} of {self.total:,} {self.unit}s ({self.done / self.total:.0%})"
        facts = f"; {self.facts}" if self.facts else ""
        return f"{how_far} in {seconds:.0f} s, about {max(0, rest):.0f} s more{facts}"


def followed(pieces: Iterable[T], total: int, unit: str, verbose: int) -> Iterator[T]:
    """The same pieces; what is done with each is a piece of work that progress is shown of."""
    with Progress(total, unit, min(int(verbose), _BAR)) as progress:
        for piece in pieces:
            yield piece
            progress.update()


def _is_watched() -> bool:
    """Whether bars are seen as such: in a terminal, or in a notebook."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return sys.stderr.isatty() or hasattr(shell, "kernel")


def _bar(total: int, unit: str) -> Any:
    from tqdm.auto import tqdm

    return tqdm(total=total, unit=unit, leave=True, disable=False)

"""Fits that go on: from a file kept while they ran, and with what training keeps beside weights."""

import os
import time
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import asdict, fields
from typing import Any, NamedTuple, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted

from .._checks import adopt_names
from .._columns._sparse import Rows
from .._modes import in_own_modes
from .._state import Memory, Saved, digest, fact, read, require
from ._callbacks import Checkpoint, kept_files
from ._schedule import Plan

__all__ = ["Resumable", "Work"]

_LOOKED_AT = 1024  # rows by which data is known again (rule of thumb)
_MAY_DIFFER = {"callbacks", "device", "num_workers", "output", "verbose"}


class Work(NamedTuple):
    """What one training does.

    Parameters
    ----------
    rows : ndarray of shape (n, ...)
        Checked samples.
    plan : Plan
        How it goes.
    apart : bool
        Whether some rows may be left out or held out, as in `fit`; a pass takes all.
    """

    rows: Rows
    plan: Plan
    apart: bool


class Resumable(Saved):
    """Gives an estimator fits that can be killed and go on."""

    callbacks: Any

    @abstractmethod
    def _read_again(self, X: Any) -> Rows:
        """Samples (n, ...) as the fit has checked them."""

    @abstractmethod
    def _taken_up(self) -> Any:
        """What is fitted, to train on by the parameters as they are."""

    @abstractmethod
    def _run(self, fitted: Any, work: Work, start: Any, keep: Callable | None) -> None:
        """Train."""

    @abstractmethod
    def _tell(self, fitted: Any, work: Work) -> None:
        """Warn of what a training has come to, once it is kept."""

    def save(self, path: str | os.PathLike[str], training_state: bool = False) -> None:
        """Write the fitted estimator to one safetensors file, which holds no code.

        Parameters
        ----------
        path : str or path-like
            Where to; conventionally ``NAME.safetensors``. The file is written beside it and then
            takes its name, so that there is always the old one or the new one, whole.
        training_state : bool, default=False
            Whether optimizer and generators are saved too: then `partial_fit` goes on after
            `load` as it would have, at about three times the size. Copies and pickles have them
            always.

        Raises
        ------
        OSError
            Python's own, for a missing folder, a full disk and the like.

        Notes
        -----
        Callbacks are not saved. A network or class of your own is not saved either, only its
        weights: pass it to `load`.
        """
        check_is_fitted(self)
        self._write(path, self._found.remember(training_state))

    @classmethod
    def resume(cls, path: str | os.PathLike[str], X: Any, **own: Any) -> Self:
        """Go on with a fit that was killed, from the file that a `Checkpoint` kept.

        Parameters
        ----------
        path : str or path-like
            The file.
        X : array-like
            The samples of that fit.
        **own : object
            Parameters that the file cannot hold, such as ``encoder=TorchEncoder(MyNetwork)``, and
            `callbacks`, `device`, `num_workers`, `output` and `verbose`, which may differ. Without
            `callbacks` the file is kept as before.

        Returns
        -------
        self : object
            Fitted; on one CPU bit for bit as the fit would have been that was killed. Where it had
            callbacks of a user's own, these begin anew.

        Raises
        ------
        OSError
            Python's own, for a missing file, a folder, or one that may not be read.
        ValueError
            If the file is damaged or no checkpoint, if X is not what was fitted, or for a
            parameter that the fit was begun with and that can't change on the way.
        FloatingPointError
            As of `fit`.
        """
        cls._check_own(own)
        arrays, meta = read(path, cls.__name__)
        estimator = cls._restore(path, arrays, meta, own)
        fitted, kept = estimator._found, estimator._found.kept
        cls._check_goes_on(path, meta, own, kept is not None, _MAY_DIFFER)
        work = Work(estimator._read_again(X), _plan_of(kept["plan"]), fact(kept, "apart", bool))
        if _known_by(work.rows) != kept["rows"]:
            raise ValueError(
                f"X is not what {os.fspath(path)!r} was kept of. Give the samples of that fit, in "
                "their order."
            )
        if "callbacks" not in own:
            estimator.callbacks = [Checkpoint(os.fspath(path), float(kept["every"]))]
        return estimator._train(estimator, estimator._taken_up(), work, fitted.start)

    @in_own_modes
    def _train(self, draft: Any, fitted: Any, work: Work, start: Any = None) -> Self:
        """Train, and only then take over what was found."""
        keepers = kept_files(self.callbacks)
        for one in keepers:
            one.check()
        keep = _Keeper(draft, fitted, work, keepers) if keepers else None
        try:
            self._run(fitted, work, start, keep)
        except (FloatingPointError, KeyboardInterrupt):
            if fitted.trained(work.rows):
                self._adopt(draft, fitted)
            raise
        self._adopt(draft, fitted)
        self._tell(fitted, work)
        return self

    def _adopt(self, draft: Any, fitted: Any) -> None:
        adopt_names(self, draft)
        self._fitted = fitted


class _Keeper:
    """Writes checkpoints when they are due."""

    def __init__(self, draft: Any, fitted: Any, work: Work, keepers: list[Checkpoint]):
        self.draft, self.fitted, self.keepers = draft, fitted, keepers
        self.facts = {
            "plan": asdict(work.plan),
            "apart": work.apart,
            "rows": _known_by(work.rows),
        }
        self.last = [time.monotonic()] * len(keepers)

    def __call__(self, progress: Callable[[], Any]) -> None:
        for number, one in enumerate(self.keepers):
            if time.monotonic() - self.last[number] >= one.every:
                facts = self.facts | {"every": float(one.every)}
                memory: Memory = self.fitted.remember(True, progress(), facts)
                self.draft._write(one.path, memory)
                self.last[number] = time.monotonic()


def _known_by(rows: Rows) -> str:
    """What rows (n, ...) are known again by: how many there are, and some of them."""
    step = max(1, len(rows) // _LOOKED_AT)
    return f"{len(rows)} {digest(np.ascontiguousarray(rows[::step]))}"


def _plan_of(facts: Any) -> Plan:
    """A plan from plain values, checked."""
    names = [one.name for one in fields(Plan)]
    require(type(facts) is dict and facts.keys() == set(names), "its plan of training is odd")
    for name in ("epochs", "batch_size", "valid_every"):
        require(fact(facts, name, int) > 0, f"its plan has {name} below 1")
    known = fact(facts, "lr_schedule", str) in ("constant", "cosine")
    require(known and facts["average"] is None, "its plan of training is odd")
    require(fact(facts, "max_time", float, int, type(None)) != 0, "its plan takes no time")
    return Plan(**facts)

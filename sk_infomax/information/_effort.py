"""How much computing an estimate may take: what "auto" stands for."""

from __future__ import annotations

from typing import NamedTuple

from ..bounds import Bound
from ..critics import Critic, GatedCritic

__all__ = ["EFFORTS", "Effort"]

_FAST_FOLDS = 2  # the fewest there can be
_FAST_STEPS = 200  # of training in each fold, a third of the default's
_FOLDS = 3  # with two the error grew by two thirds, with five it did not shrink (15 tasks)
_STEPS = 600  # of training in each fold (the 33 tasks of the literature)
_MOST_TIMES = 4  # as many steps at most, where one pass over the pairs takes more; a rule
_LONG_STEPS = 2000  # found twice as much of fast waves as 600 (sine of 5 x, one run)
_MORE_NEGATIVES = 4  # times as many others, without which long training learns by heart (same run)
_PAIR_STEPS = 40  # where neighbours answer: with 600 the error was the same (16 kinds of pairs)
_WIDE = 128  # units of the layers of the critic, twice the default (same run)
_DEEP = 3  # hidden layers on pairs, one more than the default (same run)


class Effort(NamedTuple):
    """What is taken where nothing else is asked for.

    Attributes
    ----------
    cv, max_steps : int
        Folds, and steps of training in each where pairs are not many.
    pair_steps : int or None
        Steps where one column faces one and nearest neighbours answer; None as elsewhere.
    negatives : int
        Times as many others for each x as the bound has by itself.
    critics : dict of str to Critic
        Larger ones in the place of those that are given by name.
    """

    cv: int
    max_steps: int
    pair_steps: int | None
    negatives: int
    critics: dict[str, Critic]

    def n_negatives(self, bound: Bound) -> int:
        """Others for each x in a step."""
        return self.negatives * bound.n_negatives

    def n_steps(self, n: int, batch_size: int) -> int:
        """Steps for n pairs: as many as a pass over them takes, within limits."""
        return max(self.max_steps, min(n // batch_size, _MOST_TIMES * self.max_steps))


EFFORTS: dict[str, Effort] = {
    "fast": Effort(_FAST_FOLDS, _FAST_STEPS, _PAIR_STEPS, 1, {}),
    "balanced": Effort(_FOLDS, _STEPS, _PAIR_STEPS, 1, {}),
    "high": Effort(
        _FOLDS, _LONG_STEPS, None, _MORE_NEGATIVES, {"gated": GatedCritic(_WIDE, _DEEP)}
    ),
}

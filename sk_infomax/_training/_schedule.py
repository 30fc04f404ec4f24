"""How a training goes: its plan, its clock, the learning rate, and the average of the weights."""

import math
import time
from dataclasses import dataclass

import torch

__all__ = ["Clock", "MovingAverage", "Plan", "cosine_factor"]

_WARM_UP = 0.05  # part of the training; rule of thumb of the contrastive literature
_YOUNG = 10  # updates in which an average still forgets its start; rule of thumb


@dataclass(frozen=True)
class Plan:
    """What one training does with a net.

    Parameters
    ----------
    epochs : int
        Passes over the data.
    batch_size : int
        Samples in a batch, at least.
    lr_schedule : {"cosine", "constant"}
        Cosine has a warm-up of 5 %.
    max_time : float or None
        Seconds after which training ends; the schedule ends with it.
    average : float or None
        Decay of the moving average of weights that validation sees and that is kept at the
        end; None for the weights themselves.
    valid_every : int
        Validation follows each so many epochs.
    """

    epochs: int
    batch_size: int
    lr_schedule: str = "constant"
    max_time: float | None = None
    average: float | None = None
    valid_every: int = 1


class MovingAverage:
    """Moving average of the weights and buffers of a module (Polyak and Juditsky 1992).

    Parameters
    ----------
    module : torch.nn.Module
        Whose weights change.
    decay : float
        Weight of the past in each update; smaller in the first updates.
    """

    def __init__(self, module: torch.nn.Module, decay: float):
        state = [t for t in module.state_dict().values() if t.is_floating_point()]
        self.live, self.mean = state, [t.clone() for t in state]
        self.decay = decay
        self.count = 0
        self.shown = False

    def update(self) -> None:
        """Take in the weights as they are now."""
        self.count += 1
        decay = min(self.decay, self.count / (self.count + _YOUNG))
        torch._foreach_lerp_(self.mean, self.live, 1 - decay)

    def show(self, on: bool) -> None:
        """Put the average in the module in place of its weights, or take it out again."""
        if on != self.shown:
            for weight, mean in zip(self.live, self.mean):
                kept = weight.clone()
                weight.copy_(mean)
                mean.copy_(kept)
            self.shown = on


class Clock:
    """How far training has come, by steps or by time.

    Parameters
    ----------
    total : int
        Steps that are planned.
    max_time : float or None
        Seconds that there are.

    Attributes
    ----------
    steps : int
        Steps taken.
    """

    def __init__(self, total: int, max_time: float | None):
        self.total = total
        self.max_time = max_time
        self.start = time.perf_counter()
        self.steps = 0

    def elapsed(self) -> float:
        """Seconds since the training began."""
        return time.perf_counter() - self.start

    def set_back(self, steps: int, elapsed: float) -> None:
        """Go on from where another clock stood."""
        self.steps, self.start = steps, time.perf_counter() - elapsed

    def is_up(self) -> bool:
        """Whether the time has run out."""
        return self.max_time is not None and self.elapsed() > self.max_time

    def progress(self) -> float:
        """Part of the training that lies behind us, 0 to 1."""
        done = self.steps / self.total
        if self.max_time is not None:
            done = max(done, self.elapsed() / self.max_time)
        return min(done, 1.0)


def cosine_factor(progress: float, step: float = 0.0) -> float:
    """Factor of the learning rate: up for 5 % of the training, then down to 0 by a cosine.

    `step` is the part of the training that one step makes up, so that the first is not lost.
    """
    if progress < _WARM_UP:
        return (progress + step) / (_WARM_UP + step)
    return 0.5 * (1 + math.cos(math.pi * (progress - _WARM_UP) / (1 - _WARM_UP)))

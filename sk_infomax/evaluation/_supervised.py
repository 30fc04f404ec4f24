"""Training a network on pairs of inputs and targets, with the package's own net.

What is counted are steps, not passes: a step of a small set is too short for a look at held-out
pairs after each pass. So an epoch of the net is a stretch of steps, over pass after pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain, islice, repeat
from typing import Any, NamedTuple

import torch
from skorch.callbacks import Callback, EarlyStopping
from torch import Tensor, nn

from .._random import new_generator
from .._training._batches import Batches, Data
from .._training._callbacks import HeldOutStopping
from .._training._net import InfoMaxNet
from .._training._schedule import Plan

__all__ = ["Examples", "stop_at_best", "train"]

_TERM = "fit"  # name of the one term in the history of the net


class Batch(NamedTuple):
    """Inputs (b, ...) and their targets (b, ...)."""

    inputs: Tensor
    targets: Tensor


class Examples(Data):
    """Pairs of inputs and targets, held on the device.

    Parameters
    ----------
    inputs, targets : Tensor of shape (n, ...)
        What the network sees, and what it is to make of it.
    """

    def __init__(self, inputs: Tensor, targets: Tensor):
        self.inputs, self.targets, self.n = inputs, targets, len(inputs)

    def take(self, order: list[Tensor]) -> Iterator[Batch]:  # type: ignore[override]
        """Yield whole batches, gathered on the device."""
        for rows in order:
            rows = rows.to(self.inputs.device)
            yield Batch(self.inputs[rows], self.targets[rows])


class Stretches:
    """Batches of pass after pass: so many for each iteration, and `max_steps` in all.

    Parameters
    ----------
    batches : Batches
        One pass for each iteration.
    stretch, max_steps : int
        Batches in an iteration, and over all iterations.
    """

    def __init__(self, batches: Batches, stretch: int, max_steps: int):
        self.stretch = stretch
        self.ahead = islice(chain.from_iterable(repeat(batches)), max_steps)

    def __len__(self) -> int:
        return self.stretch

    def __iter__(self) -> Iterator[Batch]:
        return islice(self.ahead, self.stretch)  # type: ignore[arg-type]


class StretchedNet(InfoMaxNet):
    """A net whose epochs are stretches of steps.

    Parameters
    ----------
    stretch, max_steps : int
        Steps in an epoch, and in all.
    **kwargs
        Of `InfoMaxNet`.
    """

    def __init__(self, module, *, stretch: int, max_steps: int, **kwargs: Any):
        self.stretch = stretch
        self.max_steps = max_steps
        super().__init__(module, **kwargs)

    def get_iterator(self, dataset: Data, training: bool = False):
        """The next batches to train on; fixed blocks to validate on."""
        batches = super().get_iterator(dataset, training)
        return Stretches(batches, self.stretch, self.max_steps) if training else batches


class Objective(nn.Module):
    """The term that the net maximises: minus the loss of a network on a batch.

    Parameters
    ----------
    network : torch.nn.Module
        From inputs to what is compared with the targets.
    loss : callable
        Of what the network makes and the targets, a scalar.
    """

    def __init__(self, network: nn.Module, loss: Callable[[Tensor, Tensor], Tensor]):
        super().__init__()
        self.network = network
        self.loss = loss

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """The term of a batch by its name."""
        return {_TERM: -self.loss(self.network(batch.inputs), batch.targets)}


def stop_at_best(patience: int, tol: float) -> list[Callback]:
    """Stop after so many stretches that do not improve by `tol`, and go back to the best weights.

    The best weights are kept however little better they are, which asks for a callback of its
    own: one that never stops.
    """
    keep = HeldOutStopping(torch.iinfo(torch.int64).max, 0.0)
    stop = EarlyStopping(patience=patience, threshold=tol, threshold_mode="abs", load_best=False)
    return [keep, stop]


def train(
    network: nn.Module,
    loss: Callable[[Tensor, Tensor], Tensor],
    data: Examples,
    *,
    lr: float,
    batch_size: int,
    max_steps: int,
    seed: int,
    valid: Examples | None = None,
    stretch: int | None = None,
    weight_decay: float = 0.0,
    callbacks: Sequence[Callback] = (),
) -> int:
    """Minimise the loss by Adam; the network ends in evaluation mode.

    Parameters
    ----------
    network : torch.nn.Module
        Built, on the device of the data.
    loss : callable
        Of what the network makes of inputs and the targets, a mean over the batch.
    data : Examples
        To learn from.
    lr, weight_decay : float
        Of Adam.
    batch_size : int
        Smallest number of pairs in a batch.
    max_steps : int
        Steps at most.
    seed : int
        Of the order of batches.
    valid : Examples or None, default=None
        Held-out pairs that the network is judged on after each stretch.
    stretch : int or None, default=None
        Steps between two looks; None takes all steps in one.
    callbacks : sequence of skorch.callbacks.Callback, default=()
        What the net calls.

    Returns
    -------
    int
        Steps that were made.
    """
    stretch = max_steps if stretch is None else min(stretch, max_steps)
    net = StretchedNet(
        Objective(network, loss),
        stretch=stretch,
        max_steps=max_steps,
        weights={_TERM: 1.0},
        shuffler=new_generator(seed),
        optimizer=torch.optim.Adam,
        optimizer__weight_decay=weight_decay,
        optimizer__fused=True,
        lr=lr,
        device=data.inputs.device,
        callbacks=list(callbacks),
        verbose=0,
        train_split=None,
    ).initialize()
    net.train(data, valid, Plan(-(-max_steps // stretch), batch_size))
    network.eval()
    return net.clock_.steps

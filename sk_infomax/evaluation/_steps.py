"""Small training loops over a resident tensor: which rows each step takes, and for how long."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor, nn

from .._random import new_generator
from .._training._batches import batch_sizes

__all__ = ["BestWeights", "hold_out", "shuffled_batches"]


def shuffled_batches(
    rows: Tensor, batch_size: int, max_steps: int, seed: int
) -> Iterator[tuple[int, Tensor]]:
    """Yield (step, some of the index tensor `rows`), pass after pass, each in a new order."""
    generator, step = new_generator(seed), 0
    sizes = batch_sizes(len(rows), batch_size)
    while step < max_steps:
        order = torch.randperm(len(rows), generator=generator)
        for places in order.split(sizes)[: max_steps - step]:
            step += 1
            yield step, rows[places.to(rows.device)]


def hold_out(n: int, fraction: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows to train on and rows to stop by, none of the latter where there are under 100."""
    order = np.random.RandomState(seed).permutation(n)
    n_valid = int(fraction * n) if n >= 100 else 0
    return order[n_valid:], order[:n_valid]


class BestWeights:
    """Keeps the weights that did best on held-out samples, and says when to stop.

    Parameters
    ----------
    network : Module
        What is trained.
    loss : callable
        Gives the held-out loss of the network, a float.
    patience : int
        How many looks without an improvement end the training.
    tol : float
        By how much the loss has to fall to count as an improvement.
    """

    def __init__(self, network: nn.Module, loss: Callable[[], float], patience: int, tol: float):
        self.network = network
        self.loss = loss
        self.patience = patience
        self.tol = tol
        self.lowest = self.to_beat = float("inf")
        self.weights = copy.deepcopy(network.state_dict())
        self.in_vain = 0

    def enough(self) -> bool:
        """Look at the held-out loss; whether it has not fallen for long."""
        loss = self.loss()
        if loss < self.lowest:
            self.lowest = loss
            self.weights = copy.deepcopy(self.network.state_dict())
        if loss < self.to_beat - self.tol:
            self.to_beat, self.in_vain = loss, 0
        else:
            self.in_vain += 1
        return self.in_vain >= self.patience

    def restore(self) -> None:
        """Go back to the best weights."""
        self.network.load_state_dict(self.weights)

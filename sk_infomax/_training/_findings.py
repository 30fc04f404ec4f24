"""What whoever asked for features should be told of the training, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from .._shown import counted
from ..exceptions import (
    CollapsedEmbeddingWarning,
    EarlyStoppingWarning,
    FlatLossWarning,
    InfomaxWarning,
    ShortTrainingWarning,
    TooManyComponentsWarning,
)
from ._net import InfoMaxNet

__all__ = ["Asked", "Finding", "largest_share", "of_training"]

_FEWEST_STEPS = 50  # of a network that learns every layer (rule of thumb)
_FLAT_STEPS = 100  # steps after which critics know something, if they ever do (rule of thumb)
_FLAT = 0.02  # nats; a constant critic has 0, and noise reaches about this (rule of thumb)
_COLLAPSED = 0.99  # share of the variance in one direction (rule of thumb)
_FEW_COMPONENTS = 4  # components under which one direction may well be most of them (a rule)
_FEW_ROWS = 16  # samples under which nothing can be said of directions (a rule)
_NO_SPREAD = 1e-6  # of the embedding's mean square; a smaller variance is rounding in float32

Finding = tuple[type[InfomaxWarning], str]
"""A class of warnings, and what one says."""


class Asked(NamedTuple):
    """What a fit was asked for.

    Parameters
    ----------
    n_samples : int
        That training meets.
    n_components : int
        Width of the embedding.
    chosen : bool
        Whether that width is the user's choice.
    learns_all : bool
        Whether the network learns all of its layers.
    patience : int or None
        Epochs without improvement before early stopping; None where it was not asked for.
    max_time : float or None
        Seconds that the whole fit may take.
    """

    n_samples: int
    n_components: int
    chosen: bool
    learns_all: bool
    patience: int | None
    max_time: float | None


def of_training(net: InfoMaxNet, asked: Asked, share: float | None) -> Iterator[Finding]:
    """Findings on a training that has just ended; `share` is what `largest_share` gives."""
    yield from _on_components(asked)
    yield from _on_length(net, asked)
    yield from _on_loss(net)
    yield from _on_embedding(asked, share)
    if asked.patience is not None:
        yield from _on_stopping(net, asked.patience)


def largest_share(vectors: Tensor) -> float | None:
    """Share of the variance of embeddings (n, d) in one direction; 1 where nothing varies.

    None where there are too few samples or columns to tell.
    """
    if len(vectors) < _FEW_ROWS or vectors.shape[1] < _FEW_COMPONENTS:
        return None
    centred = vectors - vectors.mean(0)
    variance = float(centred.square().sum())
    if variance <= _NO_SPREAD * float(vectors.square().sum()):
        return 1.0
    return float(torch.linalg.matrix_norm(centred, 2)) ** 2 / variance


def _on_components(asked: Asked) -> Iterator[Finding]:
    if asked.chosen and asked.n_components > asked.n_samples:
        yield (
            TooManyComponentsWarning,
            f"n_components={asked.n_components}, and {asked.n_samples} samples have no more than "
            f"{asked.n_samples - 1} directions: the others are empty or noise. Set n_components to "
            f"{asked.n_samples - 1} or fewer, or give more samples.",
        )


def _on_length(net: InfoMaxNet, asked: Asked) -> Iterator[Finding]:
    steps, clock = net.clock_.steps, net.clock_
    if net.n_rows_before_ or not asked.learns_all or steps >= _FEWEST_STEPS:
        return
    remedy = "Raise max_epochs, or lower batch_size"
    if clock.is_up() and steps < clock.total:
        remedy = f"Raise max_time (now {asked.max_time})"
    yield (
        ShortTrainingWarning,
        f"Training made {counted(steps, 'step')}, and this encoder learns all of its "
        f"layers: the features are nearly those of random weights. {remedy}, or leave the encoder "
        'at "auto", which finds most before training.',
    )


def _on_loss(net: InfoMaxNet) -> Iterator[Finding]:
    nats = list(net.reported().values())
    if net.clock_.steps >= _FLAT_STEPS and nats and max(nats) < _FLAT:
        yield (
            FlatLossWarning,
            f"The loss is flat: after {net.clock_.steps} steps the critics know {max(nats):.3f} "
            "nats of what belongs together, and the embedding says nothing about its sample. Check "
            "that the parts of a sample depend on each other, lower lr "
            f"(now {net.lr}), or change critic or bound.",
        )


def _on_embedding(asked: Asked, share: float | None) -> Iterator[Finding]:
    if share is not None and share >= _COLLAPSED:
        yield (
            CollapsedEmbeddingWarning,
            f"The embedding has collapsed: {100 * share:.1f} % of the variance of its "
            f"{asked.n_components} components lies in one direction. Check whether samples are "
            "nearly alike or one column or channel is far larger than the others; else lower lr, "
            'or match the embedding to a prior, such as prior="uniform".',
        )


def _on_stopping(net: InfoMaxNet, patience: int) -> Iterator[Finding]:
    epochs, planned = len(net.history) - net.n_rows_before_, net.plan_.epochs
    if epochs < planned or net.clock_.is_up():
        return
    if planned <= patience:
        remedy = f"It can't in {planned} epochs: lower n_iter_no_change, or raise max_epochs"
    else:
        remedy = "The held-out loss may still be falling: raise max_epochs"
    yield (
        EarlyStoppingWarning,
        f"Early stopping never fired: no {patience} epochs in a row (n_iter_no_change) were "
        f"without an improvement of tol among the {planned} of this fit. {remedy}.",
    )

"""Networks on `StridedEncoder`, or for tables and series the default encoder.

All share the encoder, the scaling, one training loop, its optimizer and its schedule. A subclass
of `Peer` says what a batch costs; nothing else differs.
"""

import math
import time
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, mse_loss

from sk_infomax._random import new_generator, private_rng
from sk_infomax._scaling import Scaling
from sk_infomax._training._batches import batch_sizes, make_data
from sk_infomax._training._schedule import cosine_factor

from ._fitting import layout_of, trained_encoder

CPU = torch.device("cpu")
BATCH_SIZE, RATE, WEIGHT_DECAY = 128, 3e-3, 1e-4
_TRANSFORM_ROWS = 512
_STATISTICS_PASSES = 60


def make_optimizer(module: nn.Module) -> torch.optim.Optimizer:
    """The optimizer that `DeepInfoMaxTransformer` has by default."""
    return torch.optim.AdamW(module.parameters(), lr=RATE, weight_decay=WEIGHT_DECAY, fused=True)


class Peer(nn.Module):
    """An encoder with a loss; its features are the global vector.

    Parameters
    ----------
    budget : float
        Seconds of training.
    seed : int
        Of weights, batches and views.
    views : Augmentation
        What makes a random view of a batch.
    n_components : int, default=256
        Width of the features.

    Attributes
    ----------
    max_steps : float
        Number of steps after which training ends, if its time is not up before.
    """

    max_steps = math.inf

    def __init__(self, budget: float, seed: int, views, n_components: int = 256):
        super().__init__()
        self.budget = budget
        self.seed = seed
        self.views = views
        self.n_components = n_components

    def build(self, shape: tuple[int, ...], y: np.ndarray) -> None:
        """Make what the loss needs beside the encoder, for samples of this shape."""

    def loss(self, x: Tensor, y: Tensor, generator: torch.Generator) -> Tensor:
        """What a batch (n, *shape) with labels (n,) costs."""
        raise TypeError(f"{type(self).__name__} must define loss(x, y, generator).")

    def fit(self, X: np.ndarray, y: np.ndarray) -> "Peer":
        """Build and train; only a loss that asks for the labels sees them."""
        layout = layout_of(X)
        self.scaling = Scaling(layout).update(X)
        with private_rng(self.seed, CPU):
            encoder = trained_encoder(layout.kind)
            self.encoder = encoder.build(layout.network_shape, self.n_components)
            self.build(layout.network_shape, y)
        if layout.kind == "image":
            self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.learn(make_data(X, self.scaling, CPU), torch.from_numpy(y))
        self.eval()
        return self

    def learn(self, data, y: Tensor) -> None:
        """Take steps until the time is up."""
        optimizer, generator = make_optimizer(self), new_generator(self.seed + 1)
        start, self.n_steps_ = time.perf_counter(), 0
        self.train()
        for x, labels in self.batches(data, y):
            progress = (time.perf_counter() - start) / self.budget
            progress = max(progress, self.n_steps_ / self.max_steps)
            if progress >= 1:
                return
            optimizer.param_groups[0]["lr"] = RATE * cosine_factor(progress, step=1e-3)
            optimizer.zero_grad(set_to_none=True)
            self.loss(x, labels, generator).backward()
            optimizer.step()
            self.n_steps_ += 1

    def batches(self, data, y: Tensor):
        """Shuffled batches without end, each with its labels."""
        shuffler = new_generator(self.seed + 2)
        while True:
            order = torch.randperm(len(data), generator=shuffler)
            indices = list(order.split(batch_sizes(len(data), BATCH_SIZE)))
            for index, x in zip(indices, data.take(indices)):
                yield x, y[index]

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Features (n, n_components)."""
        steps = range(0, len(X), _TRANSFORM_ROWS)
        with torch.inference_mode():
            parts = [
                self.encoder(self.scaling.apply(X[start : start + _TRANSFORM_ROWS])).global_vector
                for start in steps
            ]
        return torch.cat(parts).numpy()


class Untrained(Peer):
    """Random weights; batch normalisation has seen some batches."""

    def learn(self, data, y: Tensor) -> None:
        """Run batches through the encoder, which gathers their means and variances."""
        self.n_steps_ = 0
        self.train()
        with torch.no_grad():
            for (x, _), _number in zip(self.batches(data, y), range(_STATISTICS_PASSES)):
                self.encoder(x)


class Autoencoder(Peer):
    """Mean squared error of a reconstruction by the encoder's mirror image."""

    def build(self, shape: tuple[int, ...], y: np.ndarray) -> None:
        """Make the decoder."""
        self.decoder = _Decoder(self.encoder, shape, self.n_components)

    def loss(self, x: Tensor, y: Tensor, generator: torch.Generator) -> Tensor:
        """Error per value."""
        return mse_loss(self.decoder(self.encoder(x).global_vector), x)


class Supervised(Peer):
    """Cross entropy of a linear layer on the features, with all labels: the ceiling."""

    def build(self, shape: tuple[int, ...], y: np.ndarray) -> None:
        """Make the linear layer."""
        self.head = nn.Linear(self.n_components, int(y.max()) + 1)

    def loss(self, x: Tensor, y: Tensor, generator: torch.Generator) -> Tensor:
        """Cross entropy of a view."""
        return cross_entropy(self.head(self.encoder(self.views(x, generator)).global_vector), y)


class _Decoder(nn.Module):
    """From a vector back to a sample: a dense layer, then the encoder's convolutions reversed."""

    def __init__(self, encoder: nn.Module, shape: tuple[int, ...], size_in: int):
        super().__init__()
        passed = _trace_convolutions(encoder, shape)
        self.start = passed[-1][2] if passed else shape
        self.sides = [size_in[1:] for _, size_in, _ in reversed(passed)]
        self.dense = nn.Sequential(
            nn.Linear(size_in, 256, bias=False),
            nn.BatchNorm1d(256),
            nn.ReLU(),
            nn.Linear(256, math.prod(self.start)),
        )
        self.layers = nn.ModuleList([_mirror(conv) for conv, _, _ in reversed(passed)])
        self.norms = nn.ModuleList(
            [_norm(conv)(conv.in_channels) for conv, _, _ in reversed(passed[1:])]
        )

    def forward(self, vectors: Tensor) -> Tensor:
        """Samples (n, *shape) for vectors (n, d)."""
        out = self.dense(vectors).reshape(-1, *self.start)
        for number, (layer, sides) in enumerate(zip(self.layers, self.sides)):
            out = layer(out.relu(), output_size=list(sides))
            if number < len(self.norms):
                out = self.norms[number](out)
        return out


def _trace_convolutions(encoder: nn.Module, shape: tuple[int, ...]) -> list[tuple]:
    """Each convolution of an encoder with the shapes of what goes in and what comes out."""
    passed: list[tuple] = []

    def record(conv, inputs, output):
        passed.append((conv, tuple(inputs[0].shape[1:]), tuple(output.shape[1:])))

    convolutions = [m for m in encoder.modules() if isinstance(m, nn.Conv1d | nn.Conv2d)]
    hooks = [conv.register_forward_hook(record) for conv in convolutions]
    encoder.eval()
    with torch.no_grad():
        encoder(torch.zeros(1, *shape))
    encoder.train()
    for hook in hooks:
        hook.remove()
    return passed


def _mirror(conv: nn.Conv1d | nn.Conv2d) -> nn.Module:
    """The transposed convolution that undoes the shape of this one."""
    kind: Any = nn.ConvTranspose2d if isinstance(conv, nn.Conv2d) else nn.ConvTranspose1d
    return kind(conv.out_channels, conv.in_channels, conv.kernel_size, conv.stride, conv.padding)


def _norm(conv: nn.Module) -> type[nn.Module]:
    return nn.BatchNorm2d if isinstance(conv, nn.Conv2d) else nn.BatchNorm1d

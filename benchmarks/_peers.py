"""What `DeepInfoMaxTransformer` is compared with: networks on the same encoder, and PCA.

All networks share the encoder, the scaling, one training loop, its optimizer and its schedule.
A subclass of `Peer` says what a batch costs; nothing else differs. Everything here has
``fit(X, y)`` and ``transform(X)``.
"""

import math
import time

import numpy as np
import torch
from sklearn.decomposition import PCA
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, mse_loss, normalize

from sk_infomax._batches import Scaling, batch_sizes, make_data
from sk_infomax._checks import Layout, find_layout
from sk_infomax._net import cosine_factor
from sk_infomax._random import new_generator, private_rng
from sk_infomax.encoders import ENCODERS

CPU = torch.device("cpu")
BATCH_SIZE, RATE, WEIGHT_DECAY = 128, 3e-3, 1e-4
TEMPERATURE = 0.2
_TRANSFORM_ROWS = 512
_STATISTICS_PASSES = 60


def layout_of(X: np.ndarray) -> Layout:
    """What samples (n, ...) are: tables, series or images."""
    return find_layout(tuple(X.shape[1:]), None, "auto")


def make_optimizer(module: nn.Module) -> torch.optim.Optimizer:
    """The optimizer that `DeepInfoMaxTransformer` has by default."""
    return torch.optim.AdamW(module.parameters(), lr=RATE, weight_decay=WEIGHT_DECAY, fused=True)


# Without training ----------------------------------------------------------------------------


class Raw:
    """The standardised values themselves, flattened."""

    n_steps_ = 0

    def fit(self, X: np.ndarray, y: np.ndarray) -> "Raw":
        """Take the scaling from the samples."""
        self.scaling = Scaling(layout_of(X)).update(X)
        return self

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Values (n, p) in float32."""
        return self.scaling.apply(X).flatten(1).numpy()


class Whitened(Raw):
    """Whitened principal components of the values.

    Parameters
    ----------
    n_components : int
        How many, at most half as many as there are values: whitened, the last ones are noise.
    seed : int
        Of the solver.
    """

    def __init__(self, n_components: int, seed: int):
        self.n_components = n_components
        self.seed = seed

    def fit(self, X: np.ndarray, y: np.ndarray) -> "Whitened":
        """Find the components."""
        values = super().fit(X, y).scaling.apply(X).flatten(1).numpy()
        size = min(self.n_components, len(values), max(1, values.shape[1] // 2))
        self.pca = PCA(size, whiten=True, random_state=self.seed).fit(values)
        return self

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Components (n, n_components)."""
        return self.pca.transform(super().transform(X))


# Networks ------------------------------------------------------------------------------------


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
    """

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
            encoder = ENCODERS[layout.kind]()
            self.encoder = encoder.build(layout.network_shape, self.n_components)
            self.build(layout.network_shape, y)
        if layout.kind == "image":
            self.to(memory_format=torch.channels_last)
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
            if progress > 1:
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


class SimCLR(Peer):
    """Two views of a sample find each other among those of the batch.

    References
    ----------
    Chen, Kornblith, Norouzi and Hinton, A simple framework for contrastive learning of visual
    representations, ICML 2020.
    """

    def build(self, shape: tuple[int, ...], y: np.ndarray) -> None:
        """Make the projection head and the loss."""
        self.head = nn.Sequential(
            nn.Linear(self.n_components, 128), nn.BatchNorm1d(128), nn.ReLU(), nn.Linear(128, 64)
        )
        self.contrast = self.make_contrast()

    def make_contrast(self):
        """A function of two views (n, d), each."""
        return nt_xent

    def loss(self, x: Tensor, y: Tensor, generator: torch.Generator) -> Tensor:
        """NT-Xent of two views."""
        together = torch.cat([self.views(x, generator), self.views(x, generator)])
        first, second = self.head(self.encoder(together).global_vector).chunk(2)
        return self.contrast(first, second)


class LibrarySimCLR(SimCLR):
    """The same with the loss of pytorch-metric-learning, whose value is equal.

    It compares each of the 2n positive pairs with all 2n (2n - 2) negative ones, so a step
    takes many times as long and there are fewer of them in the same time.
    """

    def make_contrast(self):
        """The library's loss."""
        try:
            from pytorch_metric_learning.losses import NTXentLoss, SelfSupervisedLoss
        except ImportError as error:
            raise ImportError(
                "The method simclr-pml needs pytorch-metric-learning: "
                'pip install "sk_infomax[bench]". Or leave it out of --methods.'
            ) from error
        return SelfSupervisedLoss(NTXentLoss(temperature=TEMPERATURE))


def nt_xent(first: Tensor, second: Tensor) -> Tensor:
    """Cross entropy of finding a sample's other view among all 2n - 1 views, a scalar."""
    views = normalize(torch.cat([first, second]))  # (2n, d)
    scores = (views @ views.T / TEMPERATURE).fill_diagonal_(-math.inf)
    partner = torch.arange(len(views), device=views.device).roll(len(first))
    return cross_entropy(scores, partner)


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


def _mirror(conv: nn.Module) -> nn.Module:
    """The transposed convolution that undoes the shape of this one."""
    kind = nn.ConvTranspose2d if isinstance(conv, nn.Conv2d) else nn.ConvTranspose1d
    return kind(conv.out_channels, conv.in_channels, conv.kernel_size, conv.stride, conv.padding)


def _norm(conv: nn.Module) -> type[nn.Module]:
    return nn.BatchNorm2d if isinstance(conv, nn.Conv2d) else nn.BatchNorm1d

"""The models that the paper compares with, on the paper's encoder: they are not in the package.

A `Model` trains an encoder with a loss of its own until the time is up, with the same optimizer,
rate, batch size and schedule as the Deep InfoMax rows of `benchmarks.paper`. Samples are images
in [-1, 1], (n, c, h, w).
"""

import math
import time
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor, nn
from torch.nn.functional import logsigmoid, mse_loss, normalize

from sk_infomax._layout import find_layout
from sk_infomax._random import new_generator, private_rng
from sk_infomax._scaling import Scaling
from sk_infomax._training._batches import batch_sizes, make_data
from sk_infomax._training._schedule import cosine_factor
from sk_infomax.encoders import ENCODERS
from sk_infomax.priors import DISCRIMINATOR, UniformPrior

__all__ = ["BiGAN", "Model", "NoiseAsTargets", "Recipe", "Reconstruction", "Variational"]

_READ_ROWS = 500  # images in a batch of reading


@dataclass(frozen=True)
class Recipe:
    """What all rows of a table share.

    Parameters
    ----------
    encoder : str
        Name in `ENCODERS`.
    n_components : int
        Width of the embedding Y.
    budget : float or None
        Seconds of training; None for as many epochs as `epochs` says.
    epochs : int or None
        Passes over the data.
    lr : float
        Largest learning rate of Adam; it follows a cosine.
    batch_size : int
        Samples in a batch.
    units : int or None
        Width of the critics, 2048 in the paper; None leaves it to the paper.
    device : str
        "cpu" or "cuda".
    exact : bool
        Whether Deep InfoMax is trained by the paper's recipe instead.
    """

    encoder: str
    n_components: int
    budget: float | None
    epochs: int | None
    lr: float
    batch_size: int
    units: int | None
    device: str
    exact: bool = False


class Model(nn.Module):
    """An encoder with a loss of its own.

    Parameters
    ----------
    recipe : Recipe
        Encoder, budget and optimizer.
    seed : int
        Of weights, batches and noise.
    """

    adversary: tuple[str, ...] = ()
    """Names of the parts that a second optimizer trains."""

    def __init__(self, recipe: Recipe, seed: int):
        super().__init__()
        self.recipe = recipe
        self.seed = seed

    def build(self, shape: tuple[int, ...], n_samples: int) -> None:
        """Make what the loss needs beside the encoder."""
        raise TypeError(f"{type(self).__name__} must define build(shape, n_samples).")

    def losses(self, x: Tensor, rows: Tensor, generator: torch.Generator) -> list[Tensor]:
        """What a batch costs, and after it what it costs the adversary, if there is one."""
        raise TypeError(f"{type(self).__name__} must define losses(x, rows, generator).")

    def fit(self, X: np.ndarray) -> "Model":
        """Build and train."""
        layout = find_layout(tuple(X.shape[1:]), None, "auto")
        device = torch.device(self.recipe.device)
        self.scaling = Scaling(layout).update(X)
        with private_rng(self.seed, device):
            encoder = ENCODERS[self.recipe.encoder]()
            self.encoder = encoder.build(layout.network_shape, self.recipe.n_components)
            self.build(layout.network_shape, len(X))
        self.to(device=device, memory_format=torch.channels_last)
        self._learn(make_data(X, self.scaling, device), device)
        return self.eval()

    def read_layers(self, X: np.ndarray) -> dict[str, np.ndarray]:
        """Features of images at the layers conv, fc and Y, in one pass."""
        parts: dict[str, list[np.ndarray]] = {"conv": [], "fc": [], "Y": []}
        self.encoder.eval()
        with torch.inference_mode():
            for start in range(0, len(X), _READ_ROWS):
                batch = self.scaling.apply(X[start : start + _READ_ROWS]).to(self.recipe.device)
                encoding = self.encoder(batch)
                values = (encoding.feature_map, encoding.hidden, encoding.summary())
                for layer, value in zip(parts, values):
                    parts[layer].append(value.cpu().numpy())
        return {layer: np.concatenate(rows) for layer, rows in parts.items()}

    def _learn(self, data, device: torch.device) -> None:
        """Take steps until the time is up or the epochs are run."""
        recipe, generator = self.recipe, new_generator(self.seed + 1, device)
        optimizers = self._optimizers()
        sizes = batch_sizes(len(data), recipe.batch_size)
        shuffler, epoch, self.n_steps_ = new_generator(self.seed + 2), 0, 0
        start = time.perf_counter()
        self.train()
        while True:
            indices = list(torch.randperm(len(data), generator=shuffler).split(sizes))
            for rows, x in zip(indices, data.take(indices)):
                progress = (
                    (time.perf_counter() - start) / recipe.budget
                    if recipe.budget
                    else self.n_steps_ / (recipe.epochs * len(indices))
                )
                if progress > 1:
                    return
                self._step(optimizers, self.losses(x, rows, generator), progress)
            epoch += 1
            if not recipe.budget and epoch >= recipe.epochs:
                return

    def _optimizers(self) -> list[torch.optim.Optimizer]:
        """One for the encoder's side, and one for the adversary's."""
        against = [p for name in self.adversary for p in self.get_submodule(name).parameters()]
        known = {id(p) for p in against}
        ours = [p for p in self.parameters() if id(p) not in known]
        groups = [ours, against] if against else [ours]
        return [torch.optim.Adam(group, lr=self.recipe.lr, fused=True) for group in groups]

    def _step(self, optimizers, losses: list[Tensor], progress: float) -> None:
        rate = self.recipe.lr * cosine_factor(progress, step=1e-3)
        gradients = []
        for optimizer, loss in zip(optimizers, losses):
            parameters = optimizer.param_groups[0]["params"]
            gradients.append(torch.autograd.grad(loss, parameters, retain_graph=True))
        for optimizer, parts in zip(optimizers, gradients):
            optimizer.param_groups[0]["lr"] = rate
            for parameter, gradient in zip(optimizer.param_groups[0]["params"], parts):
                parameter.grad = gradient
            optimizer.step()
        self.n_steps_ += 1


class Generator(nn.Module):
    """The mirror image of the paper's encoder: vectors (n, d) to images (n, c, h, w).

    Parameters
    ----------
    n_components : int
        Width d.
    shape : tuple of int
        Of an image; its sides are multiples of 4, those of 8 take one layer more.
    """

    def __init__(self, n_components: int, shape: tuple[int, ...]):
        super().__init__()
        channels, height, width = shape
        widths = [256, 128, 64] if height % 8 == 0 and width % 8 == 0 else [128, 64]
        scale = 2 ** len(widths)
        self.start = (widths[0], height // scale, width // scale)
        self.dense = nn.Sequential(
            *_dense(n_components, 1024), *_dense(1024, math.prod(self.start))
        )
        layers: list[nn.Module] = []
        for wide, narrow in pairwise(widths):
            layers += [nn.ConvTranspose2d(wide, narrow, 4, 2, 1, bias=False)]
            layers += [nn.BatchNorm2d(narrow), nn.ReLU()]
        self.layers = nn.Sequential(*layers, nn.ConvTranspose2d(widths[-1], channels, 4, 2, 1))

    def forward(self, vectors: Tensor) -> Tensor:
        """Images, not limited to any range."""
        return self.layers(self.dense(vectors).reshape(-1, *self.start))


def _dense(size_in: int, size_out: int) -> list[nn.Module]:
    return [nn.Linear(size_in, size_out, bias=False), nn.BatchNorm1d(size_out), nn.ReLU()]


class Reconstruction(Model):
    """An autoencoder; with a weight for the prior, an adversarial one.

    Parameters
    ----------
    recipe, seed
        See `Model`.
    prior_weight : float, default=0.0
        Weight of the uniform prior, which an adversary matches to the sigmoid of Y.

    References
    ----------
    Makhzani et al., Adversarial autoencoders, 2015.
    """

    def __init__(self, recipe: Recipe, seed: int, prior_weight: float = 0.0):
        super().__init__(recipe, seed)
        self.prior_weight = prior_weight
        self.adversary = ("match",) if prior_weight else ()

    def build(self, shape: tuple[int, ...], n_samples: int) -> None:
        """Make the decoder, and the adversary."""
        self.generator = Generator(self.recipe.n_components, shape)
        if self.prior_weight:
            self.match = UniformPrior().build(self.recipe.n_components)

    def losses(self, x: Tensor, rows: Tensor, generator: torch.Generator) -> list[Tensor]:
        """Squared error, and how well the prior is missed."""
        y = self.encoder(x).global_vector
        loss = mse_loss(self.generator(y), x)
        if not self.prior_weight:
            return [loss]
        terms = self.match.objectives(y, generator)
        return [loss - self.prior_weight * terms["prior"], -terms[DISCRIMINATOR]]


class Variational(Model):
    """A variational autoencoder: Y is the mean of the code.

    Parameters
    ----------
    recipe, seed
        See `Model`.
    beta : float, default=1.0
        Weight of the divergence from the standard normal distribution.

    References
    ----------
    Kingma and Welling, Auto-encoding variational Bayes, 2014; Higgins et al., beta-VAE, 2017.
    """

    def __init__(self, recipe: Recipe, seed: int, beta: float = 1.0):
        super().__init__(recipe, seed)
        self.beta = beta

    def build(self, shape: tuple[int, ...], n_samples: int) -> None:
        """Make the layer of log variances and the decoder."""
        self.log_variance = nn.LazyLinear(self.recipe.n_components)
        self.encoder.eval()
        with torch.no_grad():
            self.log_variance(self.encoder(torch.zeros(1, *shape)).hidden)
        self.encoder.train()
        self.generator = Generator(self.recipe.n_components, shape)

    def losses(self, x: Tensor, rows: Tensor, generator: torch.Generator) -> list[Tensor]:
        """Squared error over a sample (a normal likelihood of variance 1/2) and divergence."""
        encoding = self.encoder(x)
        mean, log_variance = encoding.global_vector, self.log_variance(encoding.hidden)
        noise = torch.randn(mean.shape, generator=generator, device=mean.device)
        code = mean + noise * (0.5 * log_variance).exp()
        error = (self.generator(code) - x).square().flatten(1).sum(1)
        divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(1)
        return [(error + self.beta * divergence).mean() / x[0].numel()]


class BiGAN(Model):
    """Pairs of image and code: those of the encoder against those of a generator.

    The discriminator reads the image by the encoder's own convolutions, without the last two
    layers, and the code beside them.

    References
    ----------
    Donahue, Krähenbühl and Darrell, Adversarial feature learning, ICLR 2017.
    """

    adversary = ("eye", "judge")

    def build(self, shape: tuple[int, ...], n_samples: int) -> None:
        """Make generator and discriminator."""
        d = self.recipe.n_components
        self.generator = Generator(d, shape)
        self.eye = ENCODERS[self.recipe.encoder]().build(shape, 256)
        self.judge = nn.Sequential(nn.Linear(256 + d, 512), nn.LeakyReLU(0.2), nn.Linear(512, 1))

    def losses(self, x: Tensor, rows: Tensor, generator: torch.Generator) -> list[Tensor]:
        """Each side's logistic loss on both kinds of pairs; the encoder's is non-saturating."""
        y = self.encoder(x).global_vector
        z = torch.randn(y.shape, generator=generator, device=y.device)
        made = self.generator(z).tanh()
        real, fake = self._judge(x, y), self._judge(made, z)
        loss = -(logsigmoid(-real) + logsigmoid(fake)).mean()
        real, fake = self._judge(x, y.detach()), self._judge(made.detach(), z)
        return [loss, -(logsigmoid(real) + logsigmoid(-fake)).mean()]

    def _judge(self, x: Tensor, y: Tensor) -> Tensor:
        return self.judge(torch.cat([self.eye(x).global_vector, y], 1))


class NoiseAsTargets(Model):
    """Each sample is drawn to a point of the sphere of its own; batches swap points for near ones.

    References
    ----------
    Bojanowski and Joulin, Unsupervised learning by predicting noise, ICML 2017.
    """

    def build(self, shape: tuple[int, ...], n_samples: int) -> None:
        """Draw the points."""
        points = normalize(torch.randn(n_samples, self.recipe.n_components))
        self.register_buffer("points", points, persistent=False)

    def losses(self, x: Tensor, rows: Tensor, generator: torch.Generator) -> list[Tensor]:
        """Squared distance to the points after the best exchange within the batch."""
        points, y = self.get_buffer("points"), normalize(self.encoder(x).global_vector)
        own = points[rows.to(points.device)]
        _, chosen = linear_sum_assignment(-(y.detach() @ own.T).cpu().numpy())
        matched = own[torch.from_numpy(chosen).to(own.device)]
        points[rows.to(points.device)] = matched
        return [(y - matched).square().sum(1).mean()]

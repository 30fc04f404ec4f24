"""How much of an image its features hold: MS-SSIM of what a decoder makes of them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike
from skorch.callbacks import LRScheduler
from torch import Tensor, nn
from torch.nn.functional import mse_loss
from torch.optim.lr_scheduler import CosineAnnealingLR

from .._checks import (
    POSITIVE,
    POSITIVE_INT,
    check_arguments,
    check_numbers,
    check_shape,
    resolve_device,
)
from .._layout import find_layout
from .._random import draw_seed, private_rng, stream
from ._features import RandomState, Transformer, features_of
from ._similarity import count_scales, ms_ssim
from ._supervised import Examples, train

__all__ = ["Reconstruction", "reconstruction"]

_CONSTRAINTS: dict[str, list[Any]] = {
    "data_range": ["array-like", None],
    "width": [POSITIVE_INT],
    "max_steps": [POSITIVE_INT],
    "batch_size": [POSITIVE_INT],
    "lr": [POSITIVE],
    "device": [str, torch.device],
    "random_state": ["random_state"],
}
_ROWS_AT_ONCE = 512  # images that are compared at once; 6 MB of 3 x 32 x 32 (rule of thumb)
_START = 4  # pixels on the shorter edge of the decoder's first map, up to 7 (DCGAN, 2016)
_MOST_CHANNELS = 256  # of a layer of the decoder, as in the paper's encoder


class Reconstruction(NamedTuple):
    """How near decoded images come to the true ones.

    Parameters
    ----------
    ms_ssim : float
        Mean multi-scale structural similarity of the test images, at most 1; larger is nearer.
    n_scales : int
        Number of scales that it has, from 1 to 5.
    mse : float
        Mean squared error for each value, where the data range is 1.

    Examples
    --------
    >>> from sk_infomax.evaluation import Reconstruction
    >>> Reconstruction(ms_ssim=0.8, n_scales=2, mse=0.01).n_scales
    2
    """

    ms_ssim: float
    n_scales: int
    mse: float


def reconstruction(
    transformer: Transformer | None,
    X_train: ArrayLike,
    X_test: ArrayLike,
    *,
    sample_shape: Sequence[int] | None = None,
    channels: str = "auto",
    data_range: tuple[float, float] | None = None,
    width: int = 32,
    max_steps: int = 1000,
    batch_size: int = 64,
    lr: float = 2e-3,
    device: str | torch.device = "auto",
    random_state: RandomState = 0,
) -> Reconstruction:
    """MS-SSIM of a decoder that is trained on frozen features, as the paper measures it.

    A deconvolutional network learns to make images of features, with the squared error. Test
    images are compared with what it makes of theirs by MS-SSIM, whose window of 11 pixels lies
    within the image on every scale: 1 scale from 11 pixels a side, 2 from 22 (so for 28 and 32), 3
    from 44 (for 64), 4 from 88 and 5 from 176. Where there are fewer than 5, the exponents of the
    finest scales are divided by their sum, so numbers compare only at one `n_scales`.

    Parameters
    ----------
    transformer : object with `transform`, or None
        Fitted; None takes the samples as features.
    X_train, X_test : array-like
        Images (n, h, w), (n, h, w, channels) or (n, channels, h, w), uint8 or float, to train the
        decoder on and to compare; or flat rows, with `sample_shape`.
    sample_shape : tuple of int or None, default=None
        Shape of an image where samples are flat rows. None takes that of the transformer, if it
        has one.
    channels : {"auto", "first", "last"}, default="auto"
        Where the channels are; "auto" takes the axis of at most four.
    data_range : tuple of float or None, default=None
        Lowest and highest value that images can have. None is (0, 255) for uint8, and for floats
        what the training images hold. Images are brought to [0, 1] by it and cut off there.
    width : int, default=32
        Channels before the last layer of the decoder; each layer before has twice as many, 256 at
        most.
    max_steps : int, default=1000
        Steps of training.
    batch_size : int, default=64
        Smallest number of samples in a batch.
    lr : float, default=0.002
        Highest learning rate of Adam; it falls to 0 along a cosine.
    device : str, default="auto"
        "cpu", "cuda", or "auto" for CUDA where there is one.
    random_state : int, RandomState instance or None, default=0
        Seed of weights and batches.

    Returns
    -------
    Reconstruction
        ``ms_ssim``, ``n_scales`` and ``mse``.

    Raises
    ------
    ValueError
        If samples are no images of 11 pixels a side or more, training and test images differ in
        shape, a setting is out of range, or the images do not vary.

    References
    ----------
    Hjelm et al., ICLR 2019, section 4.1; Wang, Simoncelli and Bovik, Multiscale structural
    similarity for image quality assessment, 2003.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.preprocessing import FunctionTransformer
    >>> from sk_infomax.evaluation import reconstruction
    >>> X = np.random.RandomState(0).rand(40, 12, 12)
    >>> corner = FunctionTransformer(lambda X: X[:, 0, :3])
    >>> reconstruction(corner, X[:30], X[30:], max_steps=2, width=2).n_scales
    1
    """
    check_arguments(
        "reconstruction",
        _CONSTRAINTS,
        data_range=data_range,
        width=width,
        max_steps=max_steps,
        batch_size=batch_size,
        lr=lr,
        device=device,
        random_state=random_state,
    )
    train_images, test_images = _as_images(transformer, (X_train, X_test), sample_shape, channels)
    count_scales(*train_images.shape[2:])  # refuses images that are too small
    low, high = _range_of(train_images, data_range)
    targets, truth = (
        torch.from_numpy(_to_unit(part, low, high)) for part in (train_images, test_images)
    )
    features = (
        features_of(transformer, X, np.float32, name)
        for name, X in (("X_train", X_train), ("X_test", X_test))
    )
    inputs, shown = _standardised(*features)
    where, seed = resolve_device(device), draw_seed(random_state)
    with private_rng(stream(seed, "weights"), where):
        decoder = Decoder(inputs.shape[1], targets, width).to(where)
    data = Examples(inputs.to(where), targets.to(where))
    # The plan's own cosine has a warm-up, with which committed figures would not come again.
    cosine = LRScheduler(CosineAnnealingLR, step_every="batch", event_name=None, T_max=max_steps)
    train(
        decoder,
        mse_loss,
        data,
        lr=lr,
        batch_size=batch_size,
        max_steps=max_steps,
        seed=seed,
        callbacks=[cosine],
    )
    return _compare(decoder, shown.to(where), truth)


def _compare(decoder: Decoder, features: Tensor, truth: Tensor) -> Reconstruction:
    """How near what is made of features (n, d) comes to images (n, c, h, w) in [0, 1]."""
    values, errors = [], []
    with torch.inference_mode():
        for some, true in zip(features.split(_ROWS_AT_ONCE), truth.split(_ROWS_AT_ONCE)):
            made = decoder(some).clamp(0, 1).cpu()
            values.append(ms_ssim(made, true))
            errors.append((made - true).square().flatten(1).mean(1))
    similarity, error = (float(torch.cat(parts).mean()) for parts in (values, errors))
    return Reconstruction(similarity, count_scales(*truth.shape[2:]), error)


def _as_images(transformer, images, sample_shape, channels) -> list[np.ndarray]:
    """Training and test images as (n, c, h, w)."""
    check_shape(sample_shape)
    if channels not in ("auto", "first", "last"):
        raise ValueError(f'channels={channels!r} is unknown: use "auto", "first" or "last".')
    rows = [
        check_numbers(part, name, [np.float32, np.float64, np.uint8])
        for part, name in zip(images, ("X_train", "X_test"))
    ]
    shape, other = rows[0].shape[1:], rows[1].shape[1:]
    if shape != other:
        raise ValueError(
            f"X_train has samples of shape {shape} and X_test of shape {other}: give images of one "
            "shape."
        )
    layout: Any = getattr(transformer, "layout_", None)
    if sample_shape is not None or len(shape) > 1 or getattr(layout, "kind", "") != "image":
        layout = find_layout(tuple(sample_shape or shape), "image", channels)
    if layout.n_features != math.prod(shape):
        raise ValueError(
            f"sample_shape={tuple(layout.shape)} asks for {layout.n_features} values, but samples "
            f"have shape {shape}. Change sample_shape or X."
        )
    return [layout.arrange(part) for part in rows]


def _range_of(train: np.ndarray, data_range) -> tuple[float, float]:
    """Lowest and highest value that images can have."""
    if data_range is None:
        data_range = (0, 255) if train.dtype == np.uint8 else (train.min(), train.max())
    low, high = (float(end) for end in data_range)
    if not low < high:
        raise ValueError(
            f"data_range={(low, high)} is empty: give the lowest and the highest value that images "
            "can have, or images that vary."
        )
    return low, high


def _to_unit(images: np.ndarray, low: float, high: float) -> np.ndarray:
    """Images with [low, high] brought to [0, 1], in float32."""
    unit = (images.astype(np.float32) - np.float32(low)) / np.float32(high - low)
    return np.ascontiguousarray(unit.clip(0, 1))


def _standardised(train: np.ndarray, test: np.ndarray) -> tuple[Tensor, Tensor]:
    """Features of both parts with the means and spreads of the first, each column by its own."""
    mean, spread = train.mean(0), train.std(0)
    spread = np.where(spread > 1e-6 * np.abs(mean), spread, 1.0).astype(np.float32)
    return torch.from_numpy((train - mean) / spread), torch.from_numpy((test - mean) / spread)


class Decoder(nn.Module):
    """Deconvolutional network from features (n, d) to images (n, c, h, w).

    A linear layer makes a map of 4 to 7 pixels a side, which layers of 4 x 4 kernels and stride 2
    double until the size of the images is reached; what is beyond it is cut off. What comes out is
    added to the mean image.

    Parameters
    ----------
    n_features : int
        Width d.
    images : Tensor of shape (n, c, h, w)
        Tells the size, the mean image and the spread around it.
    width : int
        Channels before the last layer.
    """

    def __init__(self, n_features: int, images: Tensor, width: int):
        super().__init__()
        channels, height, breadth = images.shape[1:]
        doublings = max(1, int(math.log2(min(height, breadth) / _START)))
        sizes = [min(_MOST_CHANNELS, width * 2**i) for i in reversed(range(doublings))]
        self.start = sizes[0], *(math.ceil(edge / 2**doublings) for edge in (height, breadth))
        self.linear = nn.Linear(n_features, math.prod(self.start))
        layers: list[nn.Module] = [nn.BatchNorm2d(sizes[0]), nn.ReLU()]
        for before, after in itertools.pairwise(sizes):
            layers += [nn.ConvTranspose2d(before, after, 4, 2, 1), nn.BatchNorm2d(after), nn.ReLU()]
        self.layers = nn.Sequential(*layers, nn.ConvTranspose2d(sizes[-1], channels, 4, 2, 1))
        self.register_buffer("mean", images.mean(0))
        self.register_buffer("spread", (images - images.mean(0)).std().clamp(min=1e-6))

    def forward(self, features: Tensor) -> Tensor:
        """Images (n, c, h, w) of features (n, d)."""
        maps = self.layers(self.linear(features).reshape(len(features), *self.start))
        mean = self.get_buffer("mean")
        return mean + self.get_buffer("spread") * maps[..., : mean.shape[1], : mean.shape[2]]

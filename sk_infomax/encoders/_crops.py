"""Encoders that fold crops: each crop is encoded alone, and the map has a location for each."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from numbers import Integral

from torch import Tensor, nn

from .._checks import POSITIVE, POSITIVE_INT
from ._base import Encoder, StagedNetwork, convolution, dense, flat_size

__all__ = ["FoldAlex64x64", "FoldResNet32x32", "StridedCrops"]

_PARTS = 4  # crops, side by side, that an image is as wide as: 16 of 64 pixels, 8 of 32
_SMALLEST = 2  # pixels of a crop, which can then overlap by half
_ALEX_SMALLEST = 15  # pixels that three poolings of 3x3, stride 2, need
_ALEX_DROPOUT = 0.1  # of channels, in the two layers above the map
_EXPANSION = 4  # output channels of a residual block, in those of its 3x3 convolution


class _CropEncoder(Encoder, ABC):
    """A network on crops that overlap by half; a subclass says which one."""

    kind = "image"
    smallest: int = _SMALLEST
    """Pixels of a crop that the network needs."""
    crop: int | None
    """Pixels on each side of a crop, or None for a quarter of the shorter side of the image."""

    def build(self, shape: tuple[int, ...], n_components: int) -> nn.Module:
        """Make the network for images of shape (c, h, w)."""
        local_stage = CropByCrop(self._on_crops(shape[0]), self._settled_crop(shape[1:]))
        size = flat_size(local_stage, shape)
        upper, hidden, size = self._above(local_stage, shape, size)
        return StagedNetwork(local_stage, upper, hidden, nn.Linear(size, n_components))

    def _settled_crop(self, sides: tuple[int, ...]) -> int:
        shorter = min(sides)
        crop = max(_SMALLEST, shorter // _PARTS) if self.crop is None else self.crop
        if not self.smallest <= crop <= shorter:
            raise ValueError(
                f"crop={self.crop} gives {type(self).__name__} crops of {crop} pixels of images "
                f"of {sides}: crops that fit have {self.smallest} to {shorter}. Choose one, "
                "or enlarge the images."
            )
        return crop

    @abstractmethod
    def _on_crops(self, channels: int) -> nn.Sequential:
        """Layers that make maps of crops (n, c, s, s)."""

    @abstractmethod
    def _above(
        self, local_stage: "CropByCrop", shape: tuple[int, ...], size: int
    ) -> tuple[nn.Module, nn.Module, int]:
        """Upper stage, hidden stage, and the width that comes out."""


class StridedCrops(_CropEncoder):
    """Crops that overlap by half, each encoded by two convolutions; a location for each crop.

    No location sees beyond its crop, as in contrastive predictive coding: crops of 16 pixels of
    64x64 images and of 8 pixels of 32x32 images fold back to a map of 7x7. It costs a small part
    of the paper's networks on crops, `FoldAlex64x64` and `FoldResNet32x32`.

    Parameters
    ----------
    width : int, default=64
        Channels of the first layer; a location has twice as many.
    crop : int or None, default=None
        Pixels on each side of a crop; None is a quarter of the shorter side of the image.
    hidden : int, default=1024
        Width of the fully connected layer.

    References
    ----------
    Hjelm et al., ICLR 2019, section 4.3.

    Examples
    --------
    >>> import torch
    >>> from sk_infomax.encoders import StridedCrops
    >>> StridedCrops(width=4).build((1, 64, 64), 8)(torch.randn(2, 1, 64, 64)).map_shape
    (7, 7)
    """

    _parameter_constraints: dict = {
        "width": [POSITIVE_INT],
        "crop": [POSITIVE_INT, None],
        "hidden": [POSITIVE_INT],
    }

    def __init__(self, width: int = 64, crop: int | None = None, hidden: int = 1024):
        self.width = width
        self.crop = crop
        self.hidden = hidden

    def _on_crops(self, channels: int) -> nn.Sequential:
        return nn.Sequential(
            convolution(2, channels, self.width, 3, 1, 1),
            convolution(2, self.width, 2 * self.width, 3, 2, 1),
        )

    def _above(
        self, local_stage: "CropByCrop", shape: tuple[int, ...], size: int
    ) -> tuple[nn.Module, nn.Module, int]:
        return nn.Identity(), dense(size, self.hidden), self.hidden


class FoldAlex64x64(_CropEncoder):
    """The paper's AlexNet-like network on crops of 16 pixels of 64x64 images.

    The five convolutions of `Alex64x64` turn each crop into one location of 192 channels; the map
    is 7 x 7. Above it lie a 3x3 convolution of stride 2 with 384 channels, the feature map, and
    a layer of 4096, both with dropout.

    Parameters
    ----------
    width : int, default=96
        Channels of the first convolution; the next ones have 2, 4, 4 and 2 times as many, and the
        one above the map 4 times.
    crop : int or None, default=None
        Pixels on each side of a crop, 15 at least; None is a quarter of the shorter side of the
        image. Of crops of more than 30 pixels a location is the mean of what is left.
    hidden : int, default=4096
        Width of the fully connected layer.
    init_std : float or None, default=0.02
        Standard deviation of the first weights of the convolutions on crops and of the fully
        connected layer; None leaves torch's, as the original does for several global vectors.

    References
    ----------
    Hjelm et al., ICLR 2019, section 4.3, and its code: STL-10 beside CPC.

    Examples
    --------
    >>> import torch
    >>> from sk_infomax.encoders import FoldAlex64x64
    >>> FoldAlex64x64(width=4).build((3, 64, 64), 8)(torch.randn(2, 3, 64, 64)).map_shape
    (7, 7)
    """

    _parameter_constraints: dict = {
        "width": [POSITIVE_INT],
        "crop": [POSITIVE_INT, None],
        "hidden": [POSITIVE_INT],
        "init_std": [POSITIVE, None],
    }
    smallest = _ALEX_SMALLEST
    draws_from_torch = True  # dropout

    def __init__(
        self,
        width: int = 96,
        crop: int | None = None,
        hidden: int = 4096,
        init_std: float | None = 0.02,
    ):
        self.width = width
        self.crop = crop
        self.hidden = hidden
        self.init_std = init_std

    def _on_crops(self, channels: int) -> nn.Sequential:
        layers, size = nn.Sequential(), channels
        for times, pooled in ((1, True), (2, True), (4, False), (4, False), (2, True)):
            block = convolution(2, size, times * self.width, 3, 1, 1)
            layers.append(block.append(nn.MaxPool2d(3, 2)) if pooled else block)
            size = times * self.width
        self._start(layers)
        return layers

    def _above(
        self, local_stage: "CropByCrop", shape: tuple[int, ...], size: int
    ) -> tuple[nn.Module, nn.Module, int]:
        channels = 2 * self.width
        upper = convolution(2, channels, 2 * channels, 3, 2, _padding(local_stage, shape))
        upper.insert(1, nn.Dropout2d(_ALEX_DROPOUT))
        hidden = dense(flat_size(nn.Sequential(local_stage, upper), shape), self.hidden)
        self._start(hidden)
        hidden.insert(1, nn.Dropout(_ALEX_DROPOUT))
        return upper, hidden, self.hidden

    def _start(self, layers: nn.Module) -> None:
        """First weights of the convolutions and linear layers among these."""
        for layer in layers.modules():
            if self.init_std is not None and isinstance(layer, nn.Conv2d | nn.Linear):
                nn.init.normal_(layer.weight, std=self.init_std)


def _padding(local_stage: "CropByCrop", shape: tuple[int, ...]) -> int:
    """None, as in the original, but 1 where a map is too small for a kernel of 3."""
    rows, columns = local_stage.grid(shape)
    return 0 if min(rows, columns) >= 3 else 1


class FoldResNet32x32(_CropEncoder):
    """The paper's residual network on crops of 8 pixels of 32x32 images.

    A 3x3 convolution of stride 2 and three stages of bottleneck blocks turn each crop into one
    location of 1024 channels; the map is 7 x 7, and a layer of 1024 reads it.

    Parameters
    ----------
    width : int, default=64
        Channels of the first convolution and of the 3x3 convolutions of the first stage; the next
        stages have twice and four times as many, and what a block gives four times as many again.
    n_blocks : tuple of int, default=(2, 2, 2)
        Blocks of each stage. The default is the original's network of 19 convolutions, with which
        its instructions compare with CPC; (3, 6, 3) is that of 37.
    crop : int or None, default=None
        Pixels on each side of a crop; None is a quarter of the shorter side of the image. Of crops
        of more than 8 pixels a location is the mean of what is left.
    hidden : int, default=1024
        Width of the fully connected layer.

    References
    ----------
    Hjelm et al., ICLR 2019, section 4.3, and its code: CIFAR-10 beside CPC. Blocks as in He et
    al., Deep residual learning for image recognition, CVPR 2016.

    Examples
    --------
    >>> import torch
    >>> from sk_infomax.encoders import FoldResNet32x32
    >>> FoldResNet32x32(width=4).build((3, 32, 32), 8)(torch.randn(2, 3, 32, 32)).map_shape
    (7, 7)
    """

    _parameter_constraints: dict = {
        "width": [POSITIVE_INT],
        "n_blocks": [tuple, list],
        "crop": [POSITIVE_INT, None],
        "hidden": [POSITIVE_INT],
    }

    def __init__(
        self,
        width: int = 64,
        n_blocks: Sequence[int] = (2, 2, 2),
        crop: int | None = None,
        hidden: int = 1024,
    ):
        self.width = width
        self.n_blocks = n_blocks
        self.crop = crop
        self.hidden = hidden

    def _on_crops(self, channels: int) -> nn.Sequential:
        check_n_blocks(self, 3)
        layers = nn.Sequential(convolution(2, channels, self.width, 3, 2, 1))
        size = self.width
        for stage, number in enumerate(self.n_blocks):
            inner = self.width * 2**stage
            for block in range(number):
                layers.append(Bottleneck(size, inner, 2 if stage > 0 and block == 0 else 1))
                size = _EXPANSION * inner
        return layers

    def _above(
        self, local_stage: "CropByCrop", shape: tuple[int, ...], size: int
    ) -> tuple[nn.Module, nn.Module, int]:
        return nn.Identity(), dense(size, self.hidden), self.hidden


def check_n_blocks(encoder, stages: int) -> None:
    """Refuse anything but one positive whole number for each stage."""
    given = encoder.n_blocks
    if len(given) != stages or not all(isinstance(n, Integral) and int(n) > 0 for n in given):
        raise ValueError(
            f"{type(encoder).__name__}(n_blocks={given!r}) must have {stages} whole numbers "
            f"above 0, the blocks of each stage, such as {(2,) * stages}."
        )


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolutions beside a shortcut: (n, a, h, w) to (n, 4 inner, ...)."""

    def __init__(self, size_in: int, inner: int, stride: int):
        super().__init__()
        size_out = _EXPANSION * inner
        self.layers = nn.Sequential(
            convolution(2, size_in, inner, 1, 1, 0),
            convolution(2, inner, inner, 3, stride, 1),
            nn.Conv2d(inner, size_out, 1, bias=False),
            nn.BatchNorm2d(size_out),
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1 or size_in != size_out:
            self.shortcut = nn.Sequential(
                nn.Conv2d(size_in, size_out, 1, stride, bias=False), nn.BatchNorm2d(size_out)
            )

    def forward(self, x: Tensor) -> Tensor:
        return (self.layers(x) + self.shortcut(x)).relu()


class CropByCrop(nn.Module):
    """Layers on each crop of images (n, c, h, w): (n, channels, rows, columns) of crops."""

    def __init__(self, layers: nn.Module, crop: int):
        super().__init__()
        self.crop, self.stride = crop, max(1, crop // 2)
        self.layers = layers

    def grid(self, shape: tuple[int, ...]) -> tuple[int, int]:
        """Rows and columns of crops of images of shape (c, h, w)."""
        rows, columns = ((side - self.crop) // self.stride + 1 for side in shape[1:])
        return rows, columns

    def forward(self, x: Tensor) -> Tensor:
        crops = x.unfold(2, self.crop, self.stride).unfold(3, self.crop, self.stride)
        n, _, rows, columns = crops.shape[:4]
        each = crops.permute(0, 2, 3, 1, 4, 5).flatten(0, 2)  # (n * rows * columns, c, s, s)
        vectors = self.layers(each).mean((2, 3))
        return vectors.reshape(n, rows, columns, -1).permute(0, 3, 1, 2)

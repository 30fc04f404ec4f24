"""The networks of the Deep InfoMax paper, by the names that its authors gave them."""

from typing import ClassVar

from torch import Tensor, nn

from .._checks import POSITIVE_INT
from ._base import Encoder, StagedNetwork, convolution, dense, flat_size

__all__ = ["Alex64x64", "Basic28x28", "Basic32x32", "Basic64x64", "StridedCrops"]


class _PaperEncoder(Encoder):
    """A network of the paper: convolutions, fully connected layers, a linear output."""

    kind = "image"
    convolutions: ClassVar[list[tuple[int, int, int, int, bool]]]
    """Channels, kernel, stride, padding, and whether 3x3 pooling of stride 2 follows."""
    n_local: ClassVar[int]
    """How many of them make the local map."""
    dense: ClassVar[list[int]]
    """Widths of the fully connected layers."""
    minimum: ClassVar[int]
    """Pixels on the shorter side that the strides need."""

    def build(self, shape: tuple[int, ...], n_components: int) -> nn.Module:
        """Make the network for images of shape (c, h, w)."""
        if min(shape[1:]) < self.minimum:
            raise ValueError(
                f"{type(self).__name__} needs images of {self.minimum}x{self.minimum} pixels or "
                f"more and got {shape[1:]}. Enlarge the images or use encoder='image'."
            )
        stages: list[nn.Module] = []
        size = shape[0]
        for channels, kernel, stride, pad, pooled in self.convolutions:
            block = convolution(2, size, channels, kernel, stride, pad)
            stages.append(block.append(nn.MaxPool2d(3, 2)) if pooled else block)
            size = channels
        local_stage = nn.Sequential(*stages[: self.n_local])
        upper_stage = nn.Sequential(*stages[self.n_local :])
        size = flat_size(nn.Sequential(local_stage, upper_stage), shape)
        hidden_stage = nn.Sequential()
        for width in self.dense:
            hidden_stage.append(dense(size, width))
            size = width
        output = nn.Linear(size, n_components)
        return StagedNetwork(local_stage, upper_stage, hidden_stage, output)


class Basic28x28(_PaperEncoder):
    """The paper's network for 28x28 images: two 5x5 convolutions of stride 2, one layer of 1024.

    The local map is 128 x 7 x 7.

    Examples
    --------
    >>> import torch
    >>> from sk_infomax.encoders import Basic28x28
    >>> Basic28x28().build((1, 28, 28), 64)(torch.randn(2, 1, 28, 28)).map_shape
    (7, 7)
    """

    convolutions = [(64, 5, 2, 2, False), (128, 5, 2, 2, False)]
    n_local = 2
    dense = [1024]
    minimum = 4


class Basic32x32(_PaperEncoder):
    """The paper's network for 32x32 images: three 4x4 convolutions of stride 2, one layer of 1024.

    The local map is 128 x 8 x 8, the feature map 256 x 4 x 4.

    References
    ----------
    Hjelm et al., ICLR 2019, appendix A.2.

    Examples
    --------
    >>> import torch
    >>> from sk_infomax.encoders import Basic32x32
    >>> Basic32x32().build((3, 32, 32), 64)(torch.randn(2, 3, 32, 32)).map_shape
    (8, 8)
    """

    convolutions = [(64, 4, 2, 1, False), (128, 4, 2, 1, False), (256, 4, 2, 1, False)]
    n_local = 2
    dense = [1024]
    minimum = 8


class Basic64x64(_PaperEncoder):
    """The paper's DCGAN-like network for 64x64 images: four convolutions, one layer of 1024.

    The local map is 256 x 8 x 8, the feature map 512 x 4 x 4.

    Examples
    --------
    >>> import torch
    >>> from sk_infomax.encoders import Basic64x64
    >>> Basic64x64().build((3, 64, 64), 64)(torch.randn(2, 3, 64, 64)).map_shape
    (8, 8)
    """

    convolutions = [*Basic32x32.convolutions, (512, 4, 2, 1, False)]
    n_local = 3
    dense = [1024]
    minimum = 16


class Alex64x64(_PaperEncoder):
    """The paper's AlexNet-like network for 64x64 images, with two layers of 4096.

    The local map is 384 x 15 x 15, the feature map 192 x 7 x 7.

    Examples
    --------
    >>> from sk_infomax import DeepInfoMaxTransformer
    >>> from sk_infomax.encoders import Alex64x64
    >>> model = DeepInfoMaxTransformer(64, encoder=Alex64x64())  # or encoder="alex64x64"
    """

    convolutions = [
        (96, 3, 1, 1, True),
        (192, 3, 1, 1, True),
        (384, 3, 1, 1, False),
        (384, 3, 1, 1, False),
        (192, 3, 1, 1, True),
    ]
    n_local = 3
    dense = [4096, 4096]
    minimum = 15


class StridedCrops(Encoder):
    """Crops that overlap by half, each encoded on its own; the map has a location for each.

    No location sees beyond its crop, as in contrastive predictive coding: crops of 16 pixels of
    64x64 images and of 8 pixels of 32x32 images fold back to a map of 7x7.

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
    kind = "image"

    def __init__(self, width: int = 64, crop: int | None = None, hidden: int = 1024):
        self.width = width
        self.crop = crop
        self.hidden = hidden

    def build(self, shape: tuple[int, ...], n_components: int) -> nn.Module:
        """Make the network for images of shape (c, h, w)."""
        shorter = min(shape[1:])
        crop = max(2, shorter // 4) if self.crop is None else self.crop
        if not 2 <= crop <= shorter:
            raise ValueError(
                f"crop={self.crop} does not fit images of {shape[1:]} pixels. "
                f"Choose 2 to {shorter}."
            )
        local_stage = _CropByCrop(shape[0], self.width, crop)
        size = flat_size(local_stage, shape)
        return StagedNetwork(
            local_stage,
            nn.Identity(),
            dense(size, self.hidden),
            nn.Linear(self.hidden, n_components),
        )


class _CropByCrop(nn.Module):
    """Encode each crop of images (n, c, h, w): (n, 2 width, rows, columns)."""

    def __init__(self, channels: int, width: int, crop: int):
        super().__init__()
        self.crop, self.stride = crop, max(1, crop // 2)
        self.layers = nn.Sequential(
            convolution(2, channels, width, 3, 1, 1), convolution(2, width, 2 * width, 3, 2, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        crops = x.unfold(2, self.crop, self.stride).unfold(3, self.crop, self.stride)
        n, _, rows, columns = crops.shape[:4]
        each = crops.permute(0, 2, 3, 1, 4, 5).flatten(0, 2)  # (n * rows * columns, c, s, s)
        vectors = self.layers(each).mean((2, 3))
        return vectors.reshape(n, rows, columns, -1).permute(0, 3, 1, 2)

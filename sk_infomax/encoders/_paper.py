"""The networks of the Deep InfoMax paper, by the names that its authors gave them."""

from typing import ClassVar

from torch import nn

from ._base import Encoder, StagedNetwork, convolution, dense, flat_size

__all__ = ["Alex64x64", "Basic28x28", "Basic32x32", "Basic64x64"]


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
        layers = self._convolutions(shape[0])
        local_stage = nn.Sequential(*layers[: self.n_local])
        upper_stage = nn.Sequential(*layers[self.n_local :])
        size = flat_size(nn.Sequential(local_stage, upper_stage), shape)
        hidden_stage, size = self._dense(size)
        output = nn.Linear(size, n_components)
        return StagedNetwork(local_stage, upper_stage, hidden_stage, output)

    def build_upper(self, map_shape: tuple[int, ...], size_out: int) -> nn.Module:
        """The layers from that of the local map on, once more, on the map (c, h, w) itself."""
        first = self.n_local - 1
        maps = nn.Sequential(*self._convolutions(map_shape[0], first), nn.Flatten())
        hidden, size = self._dense(flat_size(maps, map_shape))
        return nn.Sequential(maps, hidden, nn.Linear(size, size_out))

    def _convolutions(self, size: int, first: int = 0) -> list[nn.Module]:
        """Those from the one of a number on, for maps of so many channels."""
        layers: list[nn.Module] = []
        for channels, kernel, stride, pad, pooled in self.convolutions[first:]:
            block = convolution(2, size, channels, kernel, stride, pad)
            layers.append(block.append(nn.MaxPool2d(3, 2)) if pooled else block)
            size = channels
        return layers

    def _dense(self, size: int) -> tuple[nn.Sequential, int]:
        """The fully connected layers, and the width of the last."""
        layers = nn.Sequential()
        for width in self.dense:
            layers.append(dense(size, width))
            size = width
        return layers, size


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

"""Encoders: arrays in, local map and global vector out.

The settings of an encoder (`Encoder`) make a torch module for samples of a given shape. The
module maps a batch to an `Encoding`. With ``encoder="auto"`` the shape of ``X`` chooses one of
the first three.

===============  =================  ==========================================================
Name             Class              What it is
===============  =================  ==========================================================
table            `KernelEncoder`    rows against landmarks by kernels and trees, and directions
series           `PatternEncoder`   patterns found before training, and directions
image            `PatchEncoder`     a dictionary of patches found before training
perceptron       `TableEncoder`     groups of columns, then a perceptron, all learned
convolutions     `SeriesEncoder`    three 1-D convolutions, all learned
strided          `StridedEncoder`   a small network for images, all learned
resnet           `ResNetEncoder`    a residual network for small images, all learned
basic28x28       `Basic28x28`       the paper's network for images of 28x28
basic32x32       `Basic32x32`       the paper's for 32x32
basic64x64       `Basic64x64`       the paper's for 64x64
alex64x64        `Alex64x64`        the paper's for 64x64, like AlexNet
foldalex64x64    `FoldAlex64x64`    the same network on overlapping crops
foldresnet32x32  `FoldResNet32x32`  the paper's residual network, on overlapping crops
crops            `StridedCrops`     overlapping crops by two convolutions: the paper's, cheaply
===============  =================  ==========================================================

`TorchEncoder` makes an encoder of any torch module, and `FrozenEncoder` one that leaves the module
as it is. A module of an own encoder that starts from data is a `DataDriven` one.
"""

from ._base import DataDriven, Encoder, Encoding
from ._crops import FoldAlex64x64, FoldResNet32x32, StridedCrops
from ._frozen import FrozenEncoder
from ._learned import SeriesEncoder, StridedEncoder, TableEncoder
from ._paper import Alex64x64, Basic28x28, Basic32x32, Basic64x64
from ._patches import PatchEncoder
from ._patterns import PatternEncoder
from ._resnet import ResNetEncoder
from ._table_stem import KernelEncoder
from ._torch import TorchEncoder

__all__ = [
    "ENCODERS",
    "Alex64x64",
    "Basic28x28",
    "Basic32x32",
    "Basic64x64",
    "DataDriven",
    "Encoder",
    "Encoding",
    "FoldAlex64x64",
    "FoldResNet32x32",
    "FrozenEncoder",
    "KernelEncoder",
    "PatchEncoder",
    "PatternEncoder",
    "ResNetEncoder",
    "SeriesEncoder",
    "StridedCrops",
    "StridedEncoder",
    "TableEncoder",
    "TorchEncoder",
]

ENCODERS: dict[str, type[Encoder]] = {
    "table": KernelEncoder,
    "series": PatternEncoder,
    "image": PatchEncoder,
    "perceptron": TableEncoder,
    "convolutions": SeriesEncoder,
    "strided": StridedEncoder,
    "resnet": ResNetEncoder,
    "basic28x28": Basic28x28,
    "basic32x32": Basic32x32,
    "basic64x64": Basic64x64,
    "alex64x64": Alex64x64,
    "foldalex64x64": FoldAlex64x64,
    "foldresnet32x32": FoldResNet32x32,
    "crops": StridedCrops,
}

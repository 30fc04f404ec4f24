"""Encoders: arrays in, local map and global vector out.

The settings of an encoder (`Encoder`) make a torch module for samples of a given shape. The
module maps a batch to an `Encoding`. With ``encoder="auto"`` the shape of ``X`` chooses:
tables get `TableEncoder`, series `SeriesEncoder` and images `PatchEncoder`. ``strided`` learns
every layer of an image network.

The networks of the Deep InfoMax paper go by the names that its authors gave them:
``basic28x28``, ``basic32x32``, ``basic64x64`` and ``alex64x64``; ``crops`` encodes overlapping
crops on their own.
"""

from ._base import Encoder, Encoding
from ._default import SeriesEncoder, StridedEncoder, TableEncoder
from ._paper import Alex64x64, Basic28x28, Basic32x32, Basic64x64, StridedCrops
from ._patches import PatchEncoder
from ._torch import TorchEncoder

__all__ = [
    "ENCODERS",
    "Alex64x64",
    "Basic28x28",
    "Basic32x32",
    "Basic64x64",
    "Encoder",
    "Encoding",
    "PatchEncoder",
    "SeriesEncoder",
    "StridedCrops",
    "StridedEncoder",
    "TableEncoder",
    "TorchEncoder",
]

ENCODERS: dict[str, type[Encoder]] = {
    "table": TableEncoder,
    "series": SeriesEncoder,
    "image": PatchEncoder,
    "strided": StridedEncoder,
    "basic28x28": Basic28x28,
    "basic32x32": Basic32x32,
    "basic64x64": Basic64x64,
    "alex64x64": Alex64x64,
    "crops": StridedCrops,
}

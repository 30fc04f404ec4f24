"""What `transform` does to numbers, as one torch module and as an ONNX file."""

from ._estimator import Exported

__all__ = ["Exported"]

"""A network as the bytes of an ONNX file."""

from __future__ import annotations

import importlib
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

__all__ = ["FEATURES", "SAMPLES", "require_onnx", "written_down"]

SAMPLES = "X"
"""The name of the input of an ONNX file."""
FEATURES = "features"
"""The name of its output."""
_NEEDED = ("onnx", "onnxscript")
_OLDEST = "2.9"  # torch; the first whose exporter of this form is its default
_TALKERS = ("torch.onnx", "onnxscript", "onnx_ir")  # that tell of their own steps
_EXAMPLE = 2  # samples that the graph is written down with; of one torch takes n for fixed
_MOST_BYTES = 2**31  # bytes that one ONNX file holds (protobuf)
_SHOWN = 200  # characters of another's error that ours shows


def require_onnx() -> None:
    """Refuse to go on where a package is missing, or too old.

    Raises
    ------
    ImportError
        With the command that installs it.
    """
    for name in _NEEDED:
        try:
            importlib.import_module(name)
        except ImportError as error:
            raise ImportError(
                f'to_onnx needs {name}: pip install "sk_infomax[onnx]". to_torch works without.'
            ) from error
    if torch.__version__ < _OLDEST:
        raise ImportError(
            f"to_onnx needs torch {_OLDEST} or newer, and this is {torch.__version__}: "
            "pip install -U torch. to_torch works with any."
        )


def written_down(network: nn.Module, shape: tuple[int, ...]) -> bytes:
    """An ONNX model of a network that reads any number of samples of a shape.

    Raises
    ------
    ValueError
        For a network that has what ONNX does not, or more weights than one file holds.
    """
    size = sum(t.nbytes for t in (*network.parameters(), *network.buffers()))
    if size >= _MOST_BYTES:
        raise ValueError(
            f"The network has {size / 2**30:.1f} GiB of weights, and an ONNX file holds 2. Lower "
            "n_components or the settings of the encoder, or keep to_torch() by torch.export.save."
        )
    try:
        with torch.no_grad(), _quiet():
            program = torch.onnx.export(
                network,
                (torch.zeros(_EXAMPLE, *shape),),
                dynamo=True,
                verbose=False,
                input_names=[SAMPLES],
                output_names=[FEATURES],
                dynamic_shapes=({0: torch.export.Dim("n_samples")},),
            )
    except torch.onnx.errors.OnnxExporterError as error:
        cause = str(error.__cause__ or error).strip().partition("\n")[0][:_SHOWN]
        raise ValueError(
            f"torch can't write this encoder down as ONNX: {cause} Use to_torch(), or an "
            "encoder whose steps are the same for all values and numbers of samples."
        ) from error
    model = None if program is None else program.model_proto
    # Where it can't keep the number of samples open torch tries again with that of the example.
    if model is None or not model.graph.input[0].type.tensor_type.shape.dim[0].dim_param:
        raise ValueError(
            "torch can write this encoder down as ONNX for one number of samples only. Use "
            "to_torch(), or an encoder whose steps are the same for all numbers of samples: "
            "x.shape[0] in place of len(x)."
        )
    return model.SerializeToString()


@contextmanager
def _quiet() -> Iterator[None]:
    """What others tell of their own steps and of their own code is not shown; errors are."""
    loggers = [logging.getLogger(name) for name in _TALKERS]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        with warnings.catch_warnings():
            for category in (FutureWarning, DeprecationWarning):
                warnings.simplefilter("ignore", category)
            yield
    finally:
        for logger, level in zip(loggers, levels):
            logger.setLevel(level)

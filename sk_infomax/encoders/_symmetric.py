"""Eigenvalues of symmetric matrices that may be of very low rank."""

import torch
from torch import Tensor

__all__ = ["eigh"]


def eigh(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """Eigenvalues (d,), rising, and vectors (d, d) of a symmetric matrix.

    In float64 where float32 does not converge, as of covariances of samples that are nearly all
    the same.
    """
    try:
        values, vectors = torch.linalg.eigh(matrix)
    except torch.linalg.LinAlgError:
        values, vectors = torch.linalg.eigh(matrix.double())
    return values.to(matrix.dtype), vectors.to(matrix.dtype)

"""Sparse tables: rows that are dense for as long as they are looked at, and wide ones narrowed.

Counts of words have tens of thousands of columns, nearly all of them 0 in a row. `Narrowing` makes
a few hundred dense ones of them, in closed form and without a dense copy of the table.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse
from scipy.linalg import hadamard
from sklearn.utils.extmath import randomized_svd

from ._sources import Source

__all__ = ["MOST_COLUMNS", "Narrowing", "Rows", "SparseRows", "refuse_infinite_values"]

MOST_COLUMNS = 512
"""Columns of a sparse table up to which its rows are read as those of a dense one; a rule."""

_KEPT = 256  # columns that wide tables become, a power of 2; 512 gained nothing with few labels
_FITTED_ROWS = 2**15  # rows that directions are found among (rule of thumb)
_ROUNDS = 5  # power iterations of the randomised decomposition, as in `TruncatedSVD`
_SEED = 0  # of the randomised decomposition; the directions hardly depend on it
_BLOCK_VALUES = 2**24  # dense values that are looked at together; 128 MB
# Deviations of directions are raised to this power beyond their own, so that what many rows share
# counts more: 1 gains 2 to 9 points with 5 labels a class and loses at most 0.4 with all, on
# descriptions of functions by package and on drawn topics.
_TRUST = 1.0
_RANK_FLOOR = 1e-12  # of the largest variance; directions below are rounding


class SparseRows(Source):
    """A sparse matrix that gives dense rows, as an array does: by slices and by positions.

    Examples
    --------
    >>> from scipy import sparse
    >>> from sk_infomax._columns._sparse import SparseRows
    >>> rows = SparseRows(sparse.csr_array([[0, 2.0], [1.0, 0], [0, 0]]))
    >>> rows[[2, 0]]
    array([[0., 0.],
           [0., 2.]])

    Parameters
    ----------
    matrix : sparse matrix or array of shape (n, p)
        In CSR format.
    """

    held = False  # dense they may be larger by orders

    def __init__(self, matrix: Any):
        if not matrix.has_canonical_format:
            matrix = matrix.copy()
            matrix.sum_duplicates()
        super().__init__(matrix.shape, matrix.dtype)
        self.matrix = matrix

    def __getitem__(self, rows: slice | Sequence[int] | np.ndarray) -> np.ndarray:
        return self.matrix[rows].toarray()

    def read(self, places: range | np.ndarray) -> np.ndarray:
        """Dense rows (k, p)."""
        return self[np.asarray(places)]

    def read_through(self) -> None:
        """Nothing: values that are there have been checked."""


Rows = np.ndarray | Source
"""Samples (n, ...) that are numbers; slices and arrays of positions give dense ones."""


def refuse_infinite_values(matrix: Any, argument: str = "X") -> None:
    """Refuse a sparse matrix (n, p) that holds NaN or infinity, and name the first place.

    Raises
    ------
    ValueError
        With row, column and value.
    """
    held = matrix.tocoo()
    if not np.issubdtype(held.dtype, np.floating):
        return
    bad = np.flatnonzero(~np.isfinite(held.data))
    if len(bad):
        row, column = int(held.row[bad[0]]), int(held.col[bad[0]])
        value = "NaN" if np.isnan(held.data[bad[0]]) else "infinity"
        raise ValueError(
            f"Input {argument} contains {value} in row {row}, column {column} ({len(bad)} such "
            "values in all). Fill in what is missing, for example with 0, which a sparse matrix "
            "need not hold."
        )


@dataclass(frozen=True)
class Narrowing:
    """How rows of many sparse columns become few dense ones, learned from some rows.

    Values are weighed as in latent semantic analysis: the logarithm of 1 plus their size (in units
    of the median one, so that counts stay counts), times the inverse document frequency, each row
    divided by its norm. Their principal directions are shaped so that what many rows share counts
    more, and turned so that all columns have one variance: what standardises columns behind it
    changes nothing.

    Parameters
    ----------
    unit : float
        What values are measured in.
    weights : ndarray of shape (p,)
        Of columns; 0 for those that held nothing.
    matrix : ndarray of shape (p, k)
        From weighed rows to columns.
    offset : ndarray of shape (k,)
        What is subtracted from these.

    References
    ----------
    Deerwester, Dumais, Furnas, Landauer and Harshman, Indexing by latent semantic analysis,
    JASIS 41, 1990. Halko, Martinsson and Tropp, Finding structure with randomness, SIAM Review 53,
    2011.
    """

    unit: float
    weights: np.ndarray
    matrix: np.ndarray
    offset: np.ndarray

    @classmethod
    def learn(cls, rows: SparseRows) -> Narrowing:
        """From sparse rows (n, p)."""
        matrix = rows.matrix
        if len(rows) > _FITTED_ROWS:
            drawn = np.random.RandomState(_SEED).permutation(len(rows))[:_FITTED_ROWS]
            matrix = matrix[np.sort(drawn)]
        held = matrix.copy()
        held.eliminate_zeros()
        unit = float(np.median(np.abs(held.data))) if held.nnz else 1.0
        found = np.bincount(held.indices, minlength=held.shape[1])
        weights = np.where(found > 0, np.log((1 + held.shape[0]) / (1 + found)) + 1, 0.0)
        return cls(unit, weights, *_directions(_weighed(held, unit, weights)))

    @property
    def names(self) -> list[str]:
        """Of each column that comes out."""
        return [f"direction {i}" for i in range(self.matrix.shape[1])]

    def apply(self, rows: Rows) -> np.ndarray:
        """Columns (n, k) of rows (n, p), sparse or dense, of the precision of the rows."""
        dtype = np.float64 if rows.dtype == np.float64 else np.float32
        out = np.empty((len(rows), self.matrix.shape[1]), dtype)
        turn, step = self.matrix.astype(np.float64), max(1, _BLOCK_VALUES // rows.shape[1])
        for start in range(0, len(rows), step):
            here = slice(start, start + step)
            block = rows.matrix[here] if isinstance(rows, SparseRows) else rows[here]
            weighed = _weighed(sparse.csr_matrix(block), self.unit, self.weights)
            out[here] = weighed @ turn - self.offset
        return out

    def plain(self) -> dict[str, Any]:
        """What there is to know beside `arrays`, as values of JSON."""
        return {"unit": self.unit}

    def arrays(self) -> dict[str, np.ndarray]:
        """All arrays, by name."""
        return {"weights": self.weights, "matrix": self.matrix, "offset": self.offset}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Narrowing:
        """The same again from what `plain` and `arrays` gave.

        Raises
        ------
        ValueError
            If that is not what they give.
        """
        try:
            unit, shape = float(plain["unit"]), arrays["matrix"].shape
            wanted = {"weights": shape[:1], "matrix": shape, "offset": shape[1:]}
            fits = arrays.keys() == wanted.keys() and len(shape) == 2 and 0 < unit < math.inf
            fits = fits and all(arrays[name].shape == size for name, size in wanted.items())
        except (KeyError, TypeError, ValueError, AttributeError):
            fits = False
        if not fits:
            raise ValueError("The file is damaged: what it says of sparse columns does not fit.")
        return cls(unit, **{name: arrays[name].copy() for name in wanted})


def _weighed(matrix: Any, unit: float, weights: np.ndarray) -> sparse.csr_matrix:
    """Logarithms of the values of a CSR matrix (n, p), weighed, in rows of norm 1 or 0."""
    sizes = np.abs(matrix.data.astype(np.float64))
    values = np.sign(matrix.data) * np.log1p(sizes / unit) * weights[matrix.indices]
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    norms = np.sqrt(np.bincount(rows, values**2, minlength=matrix.shape[0]))
    norms[norms == 0] = 1.0
    parts = values / norms[rows], matrix.indices, matrix.indptr
    return sparse.csr_matrix(parts, shape=matrix.shape)


def _directions(weighed: sparse.csr_matrix) -> tuple[np.ndarray, np.ndarray]:
    """Matrix (p, k) and offset (k,) that make columns of equal variance of weighed rows (n, p)."""
    n, p = weighed.shape
    kept = 2 ** int(math.log2(max(1, min(_KEPT, n - 1, p))))
    _, _, right = randomized_svd(weighed, kept, n_iter=_ROUNDS, random_state=_SEED)
    scores = weighed @ right.T
    mean = scores.mean(0)
    values, vectors = np.linalg.eigh((scores - mean).T @ (scores - mean) / n)
    largest = values[-1]
    known = values > _RANK_FLOOR * max(largest, np.finfo(float).tiny)
    shape = np.where(known, (np.maximum(values, 0) / (largest or 1.0)) ** (_TRUST / 2), 0.0)
    turn = (vectors * shape) @ (hadamard(kept) / math.sqrt(kept))
    return (right.T @ turn).astype(np.float32), mean @ turn

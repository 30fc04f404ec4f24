"""Checks of arrays and parameters: bad input ends here, with the value and the remedy.

The one place that touches what scikit-learn does not declare public: parameter intervals,
`_validate_params`, and what `set_output` was told.
"""

import difflib
import inspect
import math
import os
import re
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from numbers import Integral, Real
from pathlib import Path
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
import sklearn
import torch
from scipy import sparse
from sklearn.utils import _safe_indexing
from sklearn.utils._param_validation import (
    Interval,
    Options,
    StrOptions,
    validate_parameter_constraints,
)
from sklearn.utils._set_output import _get_output_config
from sklearn.utils.validation import (
    _check_feature_names,
    check_array,
    validate_data,
)

from ._columns._sources import Source, array_of, source_of, type_inside
from ._columns._sparse import Rows, SparseRows, refuse_infinite_values
from .exceptions import InfomaxWarning

__all__ = [
    "AT_LEAST_TWO",
    "AUTO",
    "CONFIDENCE",
    "FRACTION",
    "NEGATIVE_INT",
    "NON_NEGATIVE",
    "NON_NEGATIVE_INT",
    "ONE",
    "ONE_OR_TWO",
    "POSITIVE",
    "POSITIVE_INT",
    "TEMPERATURE",
    "ZERO",
    "adopt_names",
    "check_arguments",
    "check_choice",
    "check_columns",
    "check_matrix",
    "check_numbers",
    "check_rows",
    "check_shape",
    "closest_name",
    "draft_of",
    "forget_names",
    "naming",
    "one_of",
    "output_library",
    "resolve_device",
    "say",
    "take_columns",
    "take_samples",
    "validate_params",
]


class _Whole(Interval):
    """Whole numbers between two ends; True and False are none."""

    def is_satisfied_by(self, val: Any) -> bool:
        return not isinstance(val, bool) and super().is_satisfied_by(val)


POSITIVE = Interval(Real, 0, None, closed="neither")
NON_NEGATIVE = Interval(Real, 0, None, closed="left")
FRACTION = Interval(Real, 0, 1, closed="neither")
CONFIDENCE = Interval(Real, 0.01, 1, closed="left")  # below, an interval is a point
TEMPERATURE = Interval(Real, 1e-6, None, closed="left")  # below, scores overflow in float32
POSITIVE_INT = _Whole(Integral, 1, None, closed="left")
NEGATIVE_INT = _Whole(Integral, None, -1, closed="right")
NON_NEGATIVE_INT = _Whole(Integral, 0, None, closed="left")
AT_LEAST_TWO = _Whole(Integral, 2, None, closed="left")
ZERO = Options(Real, {0})
ONE = Options(Real, {1})
ONE_OR_TWO = Options(Integral, {1, 2})
AUTO = StrOptions({"auto"})
one_of = StrOptions

_NOT_THE_USER = str(Path(__file__).parent), str(Path(sklearn.__file__).parent)
_DTYPES = [np.float64, np.float32, np.uint8]
_FILE = re.compile(r"\.(png|jpe?g|gif|bmp|tiff?|webp|npy|npz|csv|parquet)$", re.IGNORECASE)
_MOST_SAID = 300  # characters of another library's error that ours repeats: arrays may be in it


def check_shape(sample_shape: Any) -> None:
    """Refuse a `sample_shape` that is not one to three positive integers."""
    if sample_shape is None:
        return
    fits = isinstance(sample_shape, tuple | list) and 1 <= len(sample_shape) <= 3
    if not fits or not all(isinstance(s, int | np.integer) and s > 0 for s in sample_shape):
        raise ValueError(
            f"sample_shape={sample_shape!r} must be a tuple of one to three positive integers, "
            "for example (28, 28), or None."
        )


@contextmanager
def naming(argument: str) -> Iterator[None]:
    """Let errors of numpy's and scikit-learn's checks name the argument that they are of.

    Values that overflow while they are checked are refused by the checks, not by warnings.
    """
    try:
        with np.errstate(over="ignore", invalid="ignore"):
            yield
    except (TypeError, ValueError) as error:
        said = " ".join(str(error).split())
        if re.search(rf"\b{re.escape(argument)}\b|[Ff]eature names", said):
            raise
        kind = TypeError if isinstance(error, TypeError) else ValueError
        said = said if len(said) <= _MOST_SAID else f"{said[:_MOST_SAID]} ..."
        remedy = "Give an array, a list or a frame of real numbers, one row for each sample."
        raise kind(f"{argument} does not fit: {said.rstrip('.')}. {remedy}") from error


def check_numbers(
    X: Any, argument: str = "X", dtype: Any = "numeric", min_samples: int = 1
) -> np.ndarray:
    """Samples (n, ...) as finite numbers, whatever container they come in.

    Raises
    ------
    TypeError
        For what is no array of numbers.
    ValueError
        For values that are not finite, hidden ones, and too few samples.
    """
    with naming(argument):
        X = _as_array(X.toarray() if sparse.issparse(X) else X, argument)
        found: np.ndarray = check_array(
            X,
            dtype=dtype,
            allow_nd=True,
            ensure_2d=False,
            ensure_min_samples=min_samples,
            input_name=argument,
        )
        if not found.ndim:
            raise TypeError(f"{argument} is a {type(X).__name__}, which holds no samples.")
    return found


def check_arguments(caller: str, constraints: Mapping[str, list[Any]], **values: Any) -> None:
    """Check arguments of a function by the constraints that have their names."""
    chosen = {name: constraints[name] for name in values}
    validate_parameter_constraints(chosen, values, caller_name=caller)


def check_rows(estimator, X, *, reset: bool, min_samples: int = 1) -> Rows:
    """Check an array of samples and leave it in the user's shape, never copied needlessly.

    Sets (``reset=True``) or compares ``n_features_in_``, ``feature_names_in_`` and, on
    comparison, the sample shape ``estimator.layout_``.

    Returns
    -------
    ndarray or Source of shape (n, ...)
        float64, float32 or uint8. A source checks values when they are read.
    """
    if reset:
        check_shape(estimator.sample_shape)
    if sparse.issparse(X):
        refuse_infinite_values(X)
    with naming("X"):
        X = X if isinstance(X, Source) else _as_array(X)
        source = X if isinstance(X, Source) else source_of(X) if isinstance(X, np.ndarray) else None
        if source is None:
            return _checked(estimator, X, reset, min_samples)
        _checked(estimator, source.outline(), reset, min_samples, ensure_all_finite=False)
    return source


def _checked(estimator, X, reset: bool, min_samples: int, **options: Any) -> Rows:
    """Rows (n, ...) of an array, a frame or a sparse matrix, as `check_rows` gives them."""
    dtypes = np.float32 if _is_single(X) else _DTYPES
    options |= {"dtype": dtypes, "ensure_min_samples": min_samples}
    if getattr(X, "ndim", 2) <= 2:
        rows = validate_data(estimator, X, reset=reset, accept_sparse="csr", **options)
        shape = estimator.sample_shape
        if reset and shape is not None and math.prod(shape) != rows.shape[1]:
            raise ValueError(
                f"sample_shape={tuple(shape)} asks for {math.prod(shape)} values in each row, "
                f"but X has {rows.shape[1]} features. Change sample_shape or X."
            )
        return SparseRows(rows) if sparse.issparse(rows) else rows
    rows = check_array(X, allow_nd=True, estimator=estimator, input_name="X", **options)
    shape = tuple(rows.shape[1:])
    if 0 in shape:
        raise ValueError(f"X has samples of shape {shape}: there is nothing in them. Give values.")
    if not reset and shape != estimator.layout_.shape:
        raise ValueError(
            f"X has samples of shape {shape}, but {type(estimator).__name__} was fitted on "
            f"samples of shape {estimator.layout_.shape}. Give samples of that shape."
        )
    if reset:
        if estimator.sample_shape is not None and tuple(estimator.sample_shape) != shape:
            raise ValueError(
                f"sample_shape={tuple(estimator.sample_shape)} contradicts X, whose samples "
                f"have shape {shape}. Leave sample_shape out for arrays that have their shape."
            )
        forget_names(estimator, math.prod(shape))
    return rows


def _as_array(X: Any, argument: str = "X") -> Any:
    """Lists, tensors and frames whose names say nothing as arrays; what hides values is refused."""
    _refuse_paths(X, argument)
    if isinstance(X, torch.Tensor):
        return array_of(X)
    # As cells, or as lists in cells; polars ends the process where these are looked at.
    if nw.dependencies.is_polars_series(X) and "Object" in str(X.dtype):
        raise TypeError(f"{argument} holds objects of Python. Give numbers.")
    if isinstance(X, np.ma.MaskedArray):
        if np.ma.is_masked(X):
            raise ValueError(
                f"{argument} is a masked array that hides {int(np.ma.getmaskarray(X).sum())} "
                f"values, the first in row {int(np.argwhere(np.ma.getmaskarray(X))[0, 0])}. Fill "
                f"them in, for example {argument}.filled(0), or leave such rows out."
            )
        return X.data
    names = _names_of(X)
    if names is not None:
        if not names:
            raise ValueError(f"{argument} is a frame without columns. Give at least one column.")
        _refuse_complex(X, names, argument)
        return X if len(set(names)) == len(names) else np.asarray(X)
    X = np.asarray(X) if isinstance(X, list | tuple) else X
    if isinstance(X, np.ndarray) and X.dtype == object:
        if X.ndim == 1 and len(X) and np.ndim(X[0]):
            return np.asarray(X.tolist())  # samples of one shape as objects
        for place, cell in np.ndenumerate(X):
            if isinstance(cell, np.ndarray | list | tuple):
                raise ValueError(
                    f"{argument} holds a {type(cell).__name__} in row {place[0]}. A cell must be "
                    "one number: spread it over several columns."
                )
    return X


def _refuse_paths(X: Any, argument: str) -> None:
    """Refuse the name of a file or folder in the place of what is in it."""
    is_array = isinstance(X, np.ndarray) and X.ndim == 1 and X.dtype.kind in "OU"
    first = X[0] if (is_array or isinstance(X, list | tuple)) and len(X) else X
    is_path = isinstance(first, os.PathLike) or isinstance(X, str)
    if is_path or (isinstance(first, str) and _FILE.search(first)):
        raise TypeError(
            f"{argument} holds the path {str(first)!r}, not samples. Read what is there: "
            "sk_infomax.datasets.load_image_folder(folder, size=64) for pictures, numpy.load or "
            "pandas.read_csv for arrays and tables."
        )


def _refuse_complex(X: Any, names: list[Any], argument: str) -> None:
    """Refuse a frame with complex columns, of which scikit-learn would keep the real parts."""
    for name, dtype in zip(names, getattr(X, "dtypes", [])):
        if getattr(dtype, "kind", "") == "c":
            raise ValueError(
                f"Complex data not supported: {argument} column {name!r}. Give the real and the "
                "imaginary part as two columns."
            )


def _is_single(X: Any) -> bool:
    """Whether all numbers are of types that are read as float32, such as float16 and int16."""
    types = [X.dtype] if hasattr(X, "dtype") else list(getattr(X, "dtypes", []))
    try:
        return type_inside(np.result_type(*types)) == np.float32
    except (TypeError, ValueError):  # nothing, or types that numpy does not know
        return False


def _names_of(X: Any) -> list[Any] | None:
    """Names of the columns of a frame; None of what is none."""
    arrow = nw.dependencies.get_pyarrow()
    if arrow is not None and isinstance(X, arrow.Table | arrow.RecordBatch):
        return list(X.column_names)
    columns = getattr(X, "columns", None)
    return None if columns is None else list(columns)


def forget_names(estimator, n_features: int) -> None:
    """Set the number of values of a sample that has no named columns."""
    estimator.n_features_in_ = n_features
    if hasattr(estimator, "feature_names_in_"):
        del estimator.feature_names_in_


def check_columns(estimator, X, n_columns: int, *, reset: bool) -> None:
    """Compare, or set, the number of columns that were read from X and the names of a frame.

    Sets (``reset=True``) or compares ``n_features_in_`` and ``feature_names_in_``; names that
    repeat tell nothing apart and are as none.
    """
    names = _names_of(X) or []
    _check_feature_names(estimator, X if len(set(names)) == len(names) else None, reset=reset)
    if reset:
        estimator.n_features_in_ = n_columns
    elif n_columns != estimator.n_features_in_:
        raise ValueError(
            f"X has {n_columns} features, but {type(estimator).__name__} is expecting "
            f"{estimator.n_features_in_} features as input."
        )


def check_matrix(estimator, matrix: np.ndarray, min_samples: int) -> np.ndarray:
    """Check what was made of a mixed frame: enough rows, finite, and a table by the parameters."""
    if estimator.sample_shape is not None:
        raise ValueError(
            f"sample_shape={tuple(estimator.sample_shape)} says that rows are series or images, "
            "but X is a frame with text, dates, categories or missing values, which is a table. "
            "Leave sample_shape out, or give complete numbers."
        )
    return check_array(matrix, estimator=estimator, input_name="X", ensure_min_samples=min_samples)


def output_library(estimator: Any) -> str:
    """What `set_output` asked `transform` for: "default", "pandas" or "polars"."""
    return _get_output_config("transform", estimator=estimator)["dense"]


def say(findings: Iterable[str], category: type[InfomaxWarning]) -> None:
    """Warn of each finding once, at the line of whoever called the package or a Pipeline."""
    level, frame = 1, inspect.currentframe()
    while frame is not None and frame.f_code.co_filename.startswith(_NOT_THE_USER):
        level, frame = level + 1, frame.f_back
    for finding in dict.fromkeys(findings):
        warnings.warn(finding, category, stacklevel=level)


def take_samples(X: Any, rows: np.ndarray) -> Any:
    """Some of the samples of an array of any dimension, a frame or a sparse matrix, as such."""
    return _safe_indexing(X, rows, axis=0)


def take_columns(X: Any, mask: np.ndarray) -> Any:
    """The columns (d,) of a frame, an array or a sparse matrix, as one of these."""
    if nw.dependencies.is_into_dataframe(X) and not nw.dependencies.is_pandas_dataframe(X):
        chosen = np.flatnonzero(mask).tolist()
        return nw.from_native(X, eager_only=True)[:, chosen].to_native()
    return _safe_indexing(X, mask, axis=1)


def draft_of(estimator: Any) -> Any:
    """One with the same parameters and state, on which a check may set what it finds."""
    draft = object.__new__(type(estimator))
    vars(draft).update(vars(estimator))
    return draft


def adopt_names(estimator: Any, draft: Any) -> None:
    """Take over what a check has set on a draft: the number of features, and their names."""
    for name in ("n_features_in_", "feature_names_in_"):
        if hasattr(draft, name):
            setattr(estimator, name, getattr(draft, name))
        elif hasattr(estimator, name):
            delattr(estimator, name)


def closest_name(value: str, names) -> str:
    """A hint such as ``did you mean 'dot'?``, or the list of what there is."""
    names = list(names)
    close = difflib.get_close_matches(value, names, n=1, cutoff=0.4)
    listing = ", ".join(repr(name) for name in names)
    if close:
        return f"did you mean {close[0]!r}? Available: {listing}."
    return f"use one of {listing}."


def check_choice(parameter: str, value: Any, names: Iterable[str]) -> None:
    """Refuse a value of a function's parameter that is none of its names."""
    names = list(names)
    if not isinstance(value, str) or value not in names:
        raise ValueError(f"{parameter}={value!r} is unknown: {closest_name(str(value), names)}")


def resolve_device(device: str | torch.device, or_cpu: bool = False) -> torch.device:
    """Turn ``device`` into a torch device; "auto" is CUDA where there is one.

    `or_cpu` takes the CPU where a CUDA device is named and there is none.

    Raises
    ------
    ValueError
        If the device is unknown, or CUDA is asked for where there is none.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        resolved = torch.device(device)
    except (RuntimeError, TypeError, ValueError) as error:
        raise ValueError(
            f'device={device!r} is not a device. Use "auto", "cpu", "cuda" or "cuda:0".'
        ) from error
    if resolved.type == "meta":
        raise ValueError(f'device={device!r} holds no values. Use "auto", "cpu" or "cuda".')
    if resolved.type == "cuda" and not torch.cuda.is_available():
        if or_cpu:
            return torch.device("cpu")
        raise ValueError(
            f'device={device!r}, but torch sees no CUDA device here. Use device="auto".'
        )
    return resolved


def validate_params(estimator) -> None:
    """Check every parameter of an estimator against its constraints."""
    estimator._validate_params()

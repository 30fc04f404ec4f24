"""The same values in every container that can hold them: what the law is tested over."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import torch
from scipy import sparse


def objects(values):
    return np.fromiter(values, dtype=object, count=len(values))


def _any(values):
    """Containers that take Python values as they are, None for missing."""
    arrow = pa.array(values)
    yield "list", values
    yield "tuple", tuple(values)
    yield "rows", [[value] for value in values]
    yield "object array", objects(values)
    yield "object matrix", objects(values)[:, None]
    yield "masked objects", np.ma.array(objects(values), mask=[v is None for v in values])
    yield "object series", pd.Series(values, dtype=object)
    yield "object frame", pd.DataFrame({"a": pd.Series(values, dtype=object)})
    yield "arrow-backed series", pd.Series(values, dtype=pd.ArrowDtype(arrow.type))
    yield "polars series", pl.Series(values, strict=False)
    yield "polars frame", pl.DataFrame({"a": pl.Series(values, strict=False)})
    yield "arrow array", arrow
    yield "arrow chunks", pa.chunked_array([arrow[:1], arrow[1:]])
    yield "arrow table", pa.table({"a": arrow})
    yield "arrow batch", pa.record_batch({"a": arrow})


def of_integers(values):
    """Integers that are exact in float64 and fit int32, None for missing."""
    yield from _any(values)
    there = [v for v in values if v is not None]
    floats = np.array([np.nan if v is None else v for v in values])
    yield "float64", floats
    yield "float64 matrix", floats[:, None]
    yield "longdouble", floats.astype(np.longdouble)
    yield "float series", pd.Series(floats)
    yield "Int64", pd.Series(values, dtype="Int64")
    yield "Int64 array", pd.array(values, dtype="Int64")
    yield "Float64", pd.Series(floats, dtype="Float64")
    yield "sparse series", pd.Series(pd.arrays.SparseArray(floats))
    yield "decimals", [None if v is None else Decimal(v) for v in values]
    yield "fractions", [None if v is None else Fraction(v) for v in values]
    yield "numpy scalars", [None if v is None else np.int32(v) for v in values]
    yield "arrow decimal", pa.array(values, type=pa.decimal128(38, 0))
    yield "polars Int128", pl.Series(values, dtype=pl.Int128)
    yield "torch", torch.from_numpy(floats)
    hidden = np.array([7 if v is None else v for v in values])
    yield "masked", np.ma.array(hidden, mask=[v is None for v in values])
    if len(there) == len(values):
        for dtype in (np.int64, np.int32, "int32"):
            yield f"{dtype}", np.array(values, dtype=dtype)
        yield "int series", pd.Series(values)
        yield "index", pd.Index(values)
        yield "sparse matrix", sparse.csr_matrix(floats[:, None])
        yield "sparse array", sparse.csc_array(floats[:, None])
        yield "torch integers", torch.tensor(values)


def of_large_integers(values):
    """Integers beyond 2**53 of any size, None for missing."""
    yield "list", values
    yield "object array", objects(values)
    yield "object series", pd.Series(values, dtype=object)
    yield "decimals", [None if v is None else Decimal(v) for v in values]
    yield "fractions", [None if v is None else Fraction(v) for v in values]
    there = [v for v in values if v is not None]
    for bits in ("int64", "uint64"):
        if all(np.iinfo(bits).min <= v <= np.iinfo(bits).max for v in there):
            kind = bits.replace("u", "U").replace("int", "Int").replace("UI", "UI")
            yield f"pandas {bits}", pd.Series(values, dtype=kind)
            yield f"arrow {bits}", pa.array(values, type=pa.type_for_alias(bits))
            yield (
                f"polars {bits}",
                pl.Series(values, dtype=pl.Int64 if bits[0] == "i" else pl.UInt64),
            )
            if len(there) == len(values):
                yield bits, np.array(values, dtype=bits)
    if all(abs(v) < 2**64 for v in there) and np.finfo(np.longdouble).nmant >= 63:
        yield "longdouble", np.array([np.nan if v is None else np.longdouble(v) for v in values])


def of_floats(values):
    yield from _any(values)
    yield "float64", np.array(values, dtype=float)
    yield "fortran", np.asfortranarray(np.array([values, values], dtype=float).T)[:, 1]
    yield "torch", torch.from_numpy(np.array(values, dtype=float))
    yield "numpy scalars", [None if v is None else np.float64(v) for v in values]
    yield "decimals", [None if v is None else Decimal(v) for v in values]
    yield "Float64", pd.Series(values, dtype="Float64")


def of_dates(values):
    """Dates, None for missing."""
    yield from _any(values)
    for unit in ("D", "h", "s", "ms", "us", "ns"):
        days = np.array(values, dtype="datetime64[D]")
        yield f"datetime64[{unit}]", days.astype(f"datetime64[{unit}]")
    days = days.astype("datetime64[ns]")
    for unit in ("s", "us", "ns"):
        yield f"series {unit}", pd.Series(days).astype(f"datetime64[{unit}]")
    yield "with time zone", pd.Series(days).dt.tz_localize("UTC").dt.tz_convert("Asia/Tokyo")
    yield "timestamps", pd.Series(days).astype(object)
    yield "periods", pd.Series(pd.PeriodIndex(days, freq="D"))
    moments = [None if v is None else datetime(v.year, v.month, v.day) for v in values]
    yield "datetimes", moments
    yield "aware", [None if v is None else v.replace(tzinfo=UTC) for v in moments]
    yield "polars Datetime", pl.Series(moments, dtype=pl.Datetime("ns"))
    yield "arrow date64", pa.array(values, type=pa.date64())
    yield "arrow timestamp", pa.array(moments, type=pa.timestamp("ms"))


def of_durations(values):
    """Whole seconds, None for missing."""
    spans = [None if v is None else timedelta(seconds=v) for v in values]
    yield from _any(spans)
    seconds = np.array(["NaT" if v is None else v for v in values], dtype="timedelta64[s]")
    for unit in ("s", "ms", "us", "ns"):
        yield f"timedelta64[{unit}]", seconds.astype(f"timedelta64[{unit}]")
    yield "series", pd.Series(seconds)
    yield "timedeltas", pd.Series(seconds.astype("timedelta64[ns]")).astype(object)


def of_text(values):
    yield from _any(values)
    for dtype in ("str", "string", "category", "string[pyarrow]"):
        yield dtype, pd.Series(values, dtype=dtype)
    levels = sorted({v for v in values if v is not None})
    yield "ordered", pd.Series(pd.Categorical(values, [*levels, "no row has this"], ordered=True))
    yield "categorical", pd.Categorical(values)
    yield "polars Categorical", pl.Series(values, dtype=pl.Categorical)
    yield "polars Enum", pl.Series(values, dtype=pl.Enum(levels))
    yield "dictionary", pa.array(values).dictionary_encode()
    yield "large string", pa.array(values, type=pa.large_string())
    yield "bytes", [None if v is None else v.encode() for v in values]
    yield "binary", pa.array([None if v is None else v.encode() for v in values])
    if None not in values:
        yield "str array", np.array(values)
        yield "str matrix", np.array(values)[:, None]
        yield "bytes array", np.array([v.encode() for v in values])


def of_flags(values):
    yield from _any(values)
    yield "boolean", pd.Series(values, dtype="boolean")
    yield "category", pd.Series(values, dtype="category")
    if None not in values:
        yield "bool", np.array(values)
        yield "bool series", pd.Series(values)
        yield "torch", torch.tensor(values)
        yield "sparse matrix", sparse.csr_matrix(np.array(values)[:, None])

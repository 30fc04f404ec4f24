"""Samples, targets and parameters drawn at random, of every kind that someone may give."""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import torch
from scipy import sparse

from sk_infomax._settings import REGISTRIES

__all__ = ["Drawn", "Samples", "draw_choice", "draw_parameters", "draw_samples", "draw_side"]

Random = np.random.RandomState

ODD = 0.12  # share of samples with something odd in their values
CONTAINED = 0.3  # share of samples that are no plain array
SETTINGS = 3  # parameters at most that a case changes
HUGE = 2**40  # a width that no machine has memory for


class Drawn(NamedTuple):
    """Something drawn, and what it is in a few words.

    Parameters
    ----------
    value : object
        To be handed over.
    said : str
        What it is.
    """

    value: Any
    said: str


class Samples(NamedTuple):
    """Samples drawn, and how many there are.

    Parameters
    ----------
    value : object
        To be handed over.
    said : str
        What they are.
    n : int or None
        Rows; None where that can't be said.
    """

    value: Any
    said: str
    n: int | None


# Values -------------------------------------------------------------------------------------


def _numbers(rng: Random, shape: tuple[int, ...]) -> tuple[np.ndarray, str]:
    """An array of numbers of some distribution, with something odd in it now and then."""
    kinds: dict[str, Callable[[], np.ndarray]] = {
        "normal": lambda: rng.normal(size=shape),
        "levels": lambda: rng.randint(3, size=shape).astype(float),
        "constant": lambda: np.full(shape, rng.choice([0.0, 1.0, -3.5, 1e12])),
        "scaled": lambda: rng.normal(size=shape) * 10.0 ** rng.uniform(-320, 307),
        "far": lambda: rng.normal(size=shape) + 10.0 ** rng.uniform(0, 300),
        "heavy": lambda: rng.standard_cauchy(size=shape),
        "ids": lambda: 2.0**60 + np.arange(math.prod(shape), dtype=float).reshape(shape),
        "signed zeros": lambda: np.where(rng.rand(*shape) < 0.5, -0.0, 0.0),
    }
    names = list(kinds)
    weights = np.array([9, 3, 1, 1, 1, 1, 0.5, 0.3])
    name = names[rng.choice(len(names), p=weights / weights.sum())]
    values = kinds[name]()
    if values.size and rng.rand() < ODD:
        odd = rng.choice([np.nan, np.inf, -np.inf, 1e300, -1e160, 5e-324, 3.5e38])
        flat = values.reshape(-1)
        flat[rng.randint(flat.size, size=max(1, int(rng.geometric(0.5))))] = odd
        name += f" with {odd}"
    return values, name


DTYPES: Sequence[Any] = (
    *(np.float64,) * 30, *(np.float32,) * 4, np.float16, np.longdouble, np.int64, np.int8,
    np.uint8, np.uint64, bool, complex, object, str, "datetime64[s]", "timedelta64[h]", ">f8",
    "S3",
)  # fmt: skip


def _typed(rng: Random, values: np.ndarray) -> tuple[np.ndarray, str]:
    """The array in another type; what does not fit wraps round, as numpy has it."""
    dtype = DTYPES[rng.randint(len(DTYPES))]
    with np.errstate(all="ignore"):
        if isinstance(dtype, str) and dtype[0] in "dt":
            whole = np.nan_to_num(values, posinf=0, neginf=0).clip(-1e9, 1e9).astype(np.int64)
            return whole.astype(dtype), dtype
        return values.astype(dtype), np.dtype(dtype).str


def _strided(rng: Random, array: np.ndarray) -> tuple[np.ndarray, str]:
    """The same values, lying otherwise in memory."""
    ways: dict[str, Callable[[], np.ndarray]] = {
        "C": lambda: array,
        "Fortran": lambda: np.asfortranarray(array),
        "reversed": lambda: array[::-1],
        "every second": lambda: np.repeat(array, 2, axis=0)[::2],
        "broadcast": lambda: np.broadcast_to(array[:1], array.shape),
        "read-only": lambda: _read_only(array),
        "subclass": lambda: array.view(_Own),
    }
    name = rng.choice(list(ways), p=[0.6, 0.1, 0.1, 0.1, 0.02, 0.05, 0.03])
    return ways[name](), name


class _Own(np.ndarray):
    """A class of a user's own."""


def _read_only(array: np.ndarray) -> np.ndarray:
    array = array.copy()
    array.setflags(write=False)
    return array


# Containers ---------------------------------------------------------------------------------


def _cells(rng: Random, n: int) -> Any:
    """One column of a frame."""
    ways: list[Callable[[], Any]] = [
        lambda: rng.normal(size=n),
        lambda: rng.randint(4, size=n),
        lambda: rng.choice(["a", "b", "c"], size=n),
        lambda: rng.rand(n) < 0.5,
        lambda: pd.date_range("2020-01-01", periods=n, freq="37h"),
        lambda: pd.to_timedelta(rng.randint(1000, size=n), unit="min"),
        lambda: pd.Categorical(rng.choice(["u", "v"], size=n), categories=["u", "v", "w"]),
        lambda: np.where(rng.rand(n) < 0.3, np.nan, rng.normal(size=n)),
        lambda: [None if one < 0.3 else f"k{one:.0f}" for one in rng.rand(n) * 3],
        lambda: pd.array([None if one < 0.2 else 1 for one in rng.rand(n)], dtype="Int64"),
        lambda: np.arange(n),
        lambda: np.zeros(n),
        lambda: [f"row {i}" for i in range(n)],
        lambda: [[1, 2]] * n,
        lambda: [b"x"] * n,
        lambda: [1 if one < 0.5 else "one" for one in rng.rand(n)],
        lambda: rng.normal(size=n) * 10.0 ** rng.uniform(-320, 307),
        lambda: [np.inf] * n,
        lambda: [None] * n,
        lambda: pd.period_range("2020-01", periods=n, freq="M"),
        lambda: [1j] * n,
    ]
    return ways[min(rng.geometric(0.12) - 1, len(ways) - 1)]()


def _frame(rng: Random, n: int) -> pd.DataFrame:
    names: list[Any] = [f"c{i}" for i in range(rng.randint(1, 5))]
    frame = pd.DataFrame({name: _cells(rng, n) for name in names})
    odd = rng.rand()
    if odd < 0.05:
        frame.columns = ["same"] * len(names)
    elif odd < 0.1:
        frame.columns = list(range(len(names)))
    elif odd < 0.15:
        frame.index = rng.permutation(n)
    elif odd < 0.18:
        frame.columns = pd.MultiIndex.from_tuples([("a", i) for i in range(len(names))])
    elif odd < 0.2:
        frame = frame[[]]
    return frame


def _framed(rng: Random, n: int) -> tuple[Any, str]:
    """A frame of pandas, polars or Arrow with columns of any kind."""
    frame, way = _frame(rng, n), rng.rand()
    said = f"frame of {[str(one) for one in frame.dtypes]}"
    try:
        if way < 0.2:
            return pl.from_pandas(frame), f"polars {said}"
        if way < 0.4:
            return pa.Table.from_pandas(frame), f"Arrow {said}"
    except (TypeError, ValueError, ImportError, pa.ArrowException, pl.exceptions.PolarsError):
        pass  # what these can't hold stays with pandas
    return frame, f"pandas {said}"


def _contained(rng: Random, array: np.ndarray) -> tuple[Any, str]:
    """An array in another container."""
    ways: dict[str, Callable[[], Any]] = {
        "list": array.tolist,
        "tuple": lambda: tuple(array.tolist()),
        "tensor": lambda: torch.tensor(array),
        "tensor with gradients": lambda: torch.tensor(array, requires_grad=True),
        "bfloat16": lambda: torch.tensor(array).bfloat16(),
        "masked": lambda: np.ma.masked_array(array, mask=rng.rand(*array.shape) < 0.2),
        "masked, nothing hidden": lambda: np.ma.masked_array(array),
        "frame": lambda: pd.DataFrame(array, columns=[f"x{i}" for i in range(array.shape[1])]),
        "series": lambda: pd.Series(array[:, 0]),
        "polars": lambda: pl.DataFrame(array),
        "polars series": lambda: pl.Series(array[:, 0]),
        "csr": lambda: sparse.csr_matrix(array),
        "csc array": lambda: sparse.csc_array(array),
        "coordinates": lambda: sparse.coo_matrix(array),
        "dok": lambda: sparse.dok_matrix(array),
        "matrix": lambda: np.matrix(array),
        "list of arrays": lambda: list(array),
        "ragged list": lambda: [row[: 1 + i % len(row)] for i, row in enumerate(array)],
        "objects of arrays": lambda: _objects(list(array)),
        "generator": lambda: (row for row in array),
        "structured": lambda: np.array([tuple(row) for row in array], dtype="f8,f8"),
        "dict": lambda: {"x": array[:, 0]},
    }
    for name in rng.permutation(list(ways)):
        try:
            return ways[name](), name
        except Exception:  # this container can't hold this array
            continue
    return array, "array"


def _objects(items: list[Any]) -> np.ndarray:
    found = np.empty(len(items), dtype=object)
    found[:] = items
    return found


NOTHING: Sequence[Any] = (
    None, 3, "X", b"X", [], [[]], {}, set(), np.array(5.0), np.zeros((0, 3)), np.zeros((3, 0)),
    np.array([]), object, float("nan"), [None, None], [["a"], ["b"]], range(5), lambda: 0,
)  # fmt: skip


def draw_samples(rng: Random, kinds: Sequence[str] = ("table", "series", "image")) -> Samples:
    """Samples of one of some kinds of data, or what is none."""
    if rng.rand() < 0.03:
        one = NOTHING[rng.randint(len(NOTHING))]
        return Samples(one, f"{one!r}"[:40], None)
    n = int(rng.choice([1, 2, 3, 6, 12, 12, 20, 20, 33, 33]))
    kind = kinds[rng.randint(len(kinds))]
    if kind == "table" and rng.rand() < 0.3:
        value, said = _framed(rng, n)
        return Samples(value, f"{n} rows, {said}", n)
    side = int(rng.randint(4, 10))
    shapes = {
        "table": [(n, int(rng.randint(1, 6)))],
        "series": [(n, int(rng.randint(1, 4)), int(rng.choice([1, 2, 7, 16, 30])))],
        "image": [(n, side, side), (n, side, side + 3, 3), (n, 3, side, side), (n, 1, 1)],
    }[kind]
    shape = shapes[rng.randint(len(shapes))]
    if rng.rand() < 0.02:
        shape = (*shape, 2, 2)
    values, said = _numbers(rng, shape)
    array, dtype = _typed(rng, values)
    array, lying = _strided(rng, array)
    value, container = array, "array"
    if rng.rand() < CONTAINED:
        value, container = _contained(rng, array)
    # What a generator gives are batches: an item may be several of the samples that a fit has seen.
    known = None if container == "generator" else n
    return Samples(value, f"{shape} {said}, {dtype}, {lying}, {container}", known)


def draw_side(rng: Random, n: int | None, one: bool = False) -> Samples:
    """A side of so many pairs: a vector of any kind, or a table; now and then of another length.

    `one` asks for one column: several are read by critics, at their full number of steps.
    """
    n = 8 if n is None else n
    if rng.rand() < 0.03:
        n += int(rng.choice([-1, 1]))
    if rng.rand() < 0.03:
        nothing = NOTHING[rng.randint(len(NOTHING))]
        return Samples(nothing, f"{nothing!r}"[:40], None)
    n = max(n, 0)
    if one or rng.rand() < 0.5:
        try:
            cells = _cells(rng, n)
            if one and isinstance(cells, list) and cells and isinstance(cells[0], list):
                cells = list(range(n))
        except ValueError:
            cells = list(range(n))
        return Samples(cells, f"{n} cells {np.asarray(cells[:2]).tolist()}"[:80], n)
    if rng.rand() < 0.2:
        value, said = _framed(rng, n)
        return Samples(value, f"{n} rows, {said}", n)
    values, said = _numbers(rng, (n, int(rng.randint(1, 4))) if rng.rand() < 0.5 else (n,))
    array, dtype = _typed(rng, values)
    array, lying = _strided(rng, array)
    value, container = array, "array"
    if rng.rand() < CONTAINED and array.ndim == 2:
        value, container = _contained(rng, array)
    return Samples(value, f"{array.shape} {said}, {dtype}, {lying}, {container}", n)


# Parameters ---------------------------------------------------------------------------------

WRONG: Sequence[Any] = (
    None, True, False, -1, 0, 1, 2, 3, 0.5, -0.5, 1.0, 1e-300, 1e300, float("nan"), float("inf"),
    "", "a", "auto", "dot ", b"dot", [], (), {}, [1], (2, 2), [0.5, "a"], {"a": 1}, object(), int,
    np.float32(0.5), np.int64(2), np.array([1, 2]), np.array(3), lambda x: x, 1j, "cpu", -(2**70),
    np.bool_(True), "0", slice(None),
)  # fmt: skip


def draw_choice(rng: Random, right: Sequence[Any], wrong: float = 0.2) -> Any:
    """One of the right values, or any other."""
    pool = WRONG if rng.rand() < wrong else right
    return pool[rng.randint(len(pool))]


def draw_parameters(
    rng: Random, right: dict[str, Callable[[Random], Any]], most: int = SETTINGS
) -> dict[str, Any]:
    """Some of the parameters, mostly with values that are right."""
    names = rng.permutation(sorted(right))[: rng.randint(most + 1)]
    return {
        str(name): WRONG[rng.randint(len(WRONG))] if rng.rand() < 0.08 else right[name](rng)
        for name in names
    }


def of(*values: Any) -> Callable[[Random], Any]:
    """One of some values."""
    return lambda rng: values[rng.randint(len(values))]


def part(family: str, small: dict[str, dict[str, Any]] | None = None) -> Callable[[Random], Any]:
    """A name of a registry, a class of it, or settings with a change or two."""
    members = REGISTRIES[family]

    def draw(rng: Random) -> Any:
        name = sorted(members)[rng.randint(len(members))]
        way, known = rng.rand(), (small or {}).get(name)
        if way < 0.4 and known is None:
            return name
        if way < 0.5 and known is None:
            return members[name]
        settings = dict(known or {})
        defaults = members[name]().get_params(deep=False)
        for key in rng.permutation(sorted(defaults))[: rng.randint(3)]:
            settings[str(key)] = _near(rng, settings.get(key, defaults[key]))
        return members[name](**settings)

    return draw


def _near(rng: Random, value: Any) -> Any:
    """A value of the same type, mostly small, or any other."""
    if rng.rand() < 0.25:
        return WRONG[rng.randint(len(WRONG))]
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return [1, 2, 3, 4, 7, 0, -1, HUGE][rng.randint(8)]
    if isinstance(value, float):
        return [0.0, 0.1, 0.5, 1.0, 2.0, 1e-12, 1e12, -1.0][rng.randint(8)]
    if isinstance(value, tuple):
        return tuple(int(one) for one in rng.randint(0, 4, size=rng.randint(4)))
    return value

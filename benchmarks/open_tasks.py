"""Tasks unlike those that the estimator was built with: what it reports, and whether it says so.

    python -m benchmarks.open_tasks --folder DIR --n-samples 4000
    python -m benchmarks.open_tasks --drawn tried aside --n-samples 4000

A folder holds files ``NAME.npz``, each with X and Y, and their truths in nats in ``truth.json``.
The drawn tasks are families of the literature in dimensions and parameters that it does not have;
half of them are set aside, to be looked at once. ``README.md`` beside this file says more.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from statistics import mean, median

import numpy as np
import torch
from scipy.special import ndtr

from sk_infomax import mutual_info
from sk_infomax.datasets import (
    PairTask,
    additive_uniform,
    correlated_normal,
    multinormal_dense,
    multinormal_sparse,
    student,
    transformed,
)
from sk_infomax.datasets._maps import half_cube, spiral, swiss_roll

from . import describe_run, load_average, write_json

_DRAW = 2023  # seed of the drawn tasks, the year of the benchmark that their families come from


def drawn_tasks() -> dict[str, dict[str, PairTask]]:
    """Twenty tasks by name, half of them to be tried and half set aside."""
    rng, found = np.random.RandomState(_DRAW), {"tried": {}, "aside": {}}
    for number in range(2):
        for part in found.values():
            part |= dict(_one_of_each(rng, number))
    return found


def _one_of_each(rng: np.random.RandomState, number: int) -> Iterator[tuple[str, PairTask]]:
    """Five tasks, one of each kind."""
    second = partial(spiral, first=1)
    d, strength = rng.randint(3, 13), round(rng.uniform(1, 3), 1)
    sparse = multinormal_sparse(d, d, rng.randint(1, 4), strength)
    yield f"spiral-{d}-{strength}", transformed(sparse, spiral, second)
    d, df = rng.randint(2, 9), rng.randint(1, 6)
    maps = (np.arcsinh, np.arcsinh) if number else (None, None)
    yield f"student-{d}-{df}", transformed(student(d, d, df), *maps)
    d, epsilon = rng.randint(1, 5), round(rng.uniform(0.2, 1.5), 2)
    yield f"additive-{d}-{epsilon}", additive_uniform(d, epsilon)
    d, rho = rng.randint(4, 21), round(rng.uniform(0.2, 0.8), 2)
    dense = multinormal_dense(d, d, rho)
    yield f"half_cube-dense-{d}-{rho}", transformed(dense, half_cube, half_cube)
    if number:
        nats = round(rng.uniform(0.5, 2), 1)
        pair = transformed(correlated_normal(1, nats), ndtr, ndtr)
        yield f"swissroll-{nats}", transformed(pair, swiss_roll)
    else:
        d, speed = rng.randint(3, 7), round(rng.uniform(0.1, 0.6), 2)
        cdf = transformed(multinormal_sparse(d, d), ndtr, ndtr)
        yield f"spiral-cdf-{d}-{speed}", transformed(cdf, partial(spiral, speed=speed))


def tasks_of(args: argparse.Namespace) -> Iterator[tuple[str, np.ndarray, np.ndarray, float]]:
    """Name, pairs and truth of each task that was asked for."""
    truths = json.loads((args.folder / "truth.json").read_text()) if args.folder else {}
    for name, truth in truths.items():
        if args.tasks is None or name in args.tasks:
            arrays = np.load(args.folder / f"{name}.npz")
            truth = truth["mutual_information"] if isinstance(truth, dict) else truth
            X, Y = (_plain(arrays[side])[: args.n_samples] for side in ("X", "Y"))
            yield name, X, Y, truth
    for part in args.drawn:
        for name, task in drawn_tasks()[part].items():
            if args.tasks is None or name in args.tasks:
                X, Y = task.sample(args.n_samples or 10_000, random_state=1000 + args.seed)
                yield name, X, Y, task.mutual_information


def _plain(side: np.ndarray) -> np.ndarray:
    """Numbers in double precision; labels as they are."""
    return side.astype(float) if side.dtype.kind == "f" else side


def run_one(name: str, X, Y, truth: float, args: argparse.Namespace) -> dict:
    """One estimate, what it cost, and what was said of it."""
    settings = {"effort": args.effort}
    start = time.process_time()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        value, (low, high) = mutual_info(X, Y, random_state=args.seed, device="cpu", **settings)
    return {
        "task": name,
        "n": len(X),
        "truth": float(truth),
        "estimate": float(value),
        "low": float(low),
        "high": float(high),
        "cpu_seconds": round(time.process_time() - start, 2),
        "said": [str(one.message) for one in said],
    }


def summarise(rows: list[dict]) -> dict[str, float]:
    """Errors, and where the truth lies to the interval."""
    errors = [abs(row["estimate"] - row["truth"]) for row in rows]
    return {
        "tasks": len(rows),
        "mean_error": mean(errors),
        "median_error": median(errors),
        "worst_error": max(errors),
        "mean_overshoot": mean(max(0.0, row["estimate"] - row["truth"]) for row in rows),
        "interval_holds": mean(row["low"] <= row["truth"] <= row["high"] for row in rows),
        "interval_too_high": sum(row["low"] > row["truth"] for row in rows),
        "interval_too_low": sum(row["high"] < row["truth"] for row in rows),
        "cpu_seconds": sum(row["cpu_seconds"] for row in rows),
    }


def print_row(row: dict) -> None:
    """One line of the table."""
    place = "high!" if row["low"] > row["truth"] else "low!" if row["high"] < row["truth"] else ""
    print(
        f"{row['task']:42s} {row['n']:6d} {row['truth']:7.3f} {row['estimate']:8.3f} "
        f"({row['low']:7.3f}, {row['high']:7.3f}) {place:5s} {row['cpu_seconds']:7.2f} s "
        f"{len(row['said'])} said",
        flush=True,
    )


def parse_arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """Arguments of the command line, checked."""
    parser = argparse.ArgumentParser(
        "python -m benchmarks.open_tasks", description=__doc__.partition("\n")[0]
    )
    add = parser.add_argument
    add("--folder", type=Path, help="NAME.npz and truth.json")
    add("--drawn", nargs="*", default=[], choices=["tried", "aside"], help="drawn tasks")
    add("--tasks", nargs="+", help="names; by default all")
    add("--n-samples", type=int, help="pairs at most; by default all, and 10,000 of drawn tasks")
    add("--seed", type=int, default=0)
    efforts = ["fast", "balanced", "high"]
    add("--effort", default="balanced", choices=efforts, help="of the estimator")
    add("--out", type=Path, default=Path("benchmarks/results/open-tasks.json"))
    args = parser.parse_args(argv)
    if not (args.folder or args.drawn):
        parser.error("give --folder or --drawn")
    return args


def main() -> None:
    """Run, print, write after each run."""
    args = parse_arguments()
    torch.set_num_threads(1)
    content, rows = describe_run("benchmarks.open_tasks") | {"load_start": load_average()}, []
    for task in tasks_of(args):
        rows.append(run_one(*task, args))
        print_row(rows[-1])
        state = {"load_end": load_average(), "summary": summarise(rows), "results": rows}
        write_json(args.out, content | state)
    for name, value in summarise(rows).items():
        print(f"{name:20s} {value:.3f}")


if __name__ == "__main__":
    main()

"""How `mutual_info` grows with the number of pairs: error, coverage, seconds and memory.

    python -m benchmarks.growth_information
    python -m benchmarks.growth_information --n-samples 100 1000 --seeds 3 --picture growth.png

Two tasks with known truths: normal pairs, whose information the closed form has, and spirals, which
critics have to learn. The peak of memory is that of the process beyond what there was with the data
(on Linux; elsewhere none is given). ``README.md`` beside this file says more.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import time
import warnings
from functools import partial
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import torch

from sk_infomax import mutual_info
from sk_infomax.datasets import PairTask, multinormal_sparse, transformed
from sk_infomax.datasets._maps import spiral

from . import describe_run, load_average, write_json

_SIZES = (100, 300, 1000, 3000, 10_000, 30_000, 100_000, 300_000, 1_000_000)  # pairs
_PAIRS_OF_A_TASK = 20_000  # of all seeds of one size, by which the seeds of few pairs are more
_FROM = 10_000  # pairs from which the slope of time is taken
_WARM = 300  # pairs of a fit that is not measured
_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
_RESET_PEAK = "5"  # what Linux takes as: forget the peak of memory


def tasks() -> dict[str, PairTask]:
    """Tasks by what the picture calls them."""
    second = partial(spiral, first=1)
    return {
        "normal, 5 + 5 columns": multinormal_sparse(5, 5),
        "spiral, 3 + 3 columns": transformed(multinormal_sparse(3, 3, 2, 1.5), spiral, second),
    }


def n_seeds(n: int, most: int) -> int:
    """How many draws of n pairs are made."""
    return max(1, min(most, _PAIRS_OF_A_TASK // n))


def run_one(name: str, task: PairTask, n: int, seed: int, **settings: Any) -> dict:
    """One estimate, with what it cost."""
    X, Y = task.sample(n, random_state=seed)
    before, start = _begin_memory(), time.process_time()
    value, (low, high) = _quietly(X, Y, random_state=seed, **settings)
    seconds, peak = time.process_time() - start, _peak()
    truth = float(task.mutual_information)
    return {
        "task": name,
        "n": n,
        "seed": seed,
        "truth": truth,
        "estimate": float(value),
        "low": float(low),
        "high": float(high),
        "cpu_seconds": round(seconds, 2),
        "bytes": None if before is None or peak is None else max(0, peak - before),
    }


def _quietly(X: np.ndarray, Y: np.ndarray, **settings) -> tuple[float, tuple[float, float]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return mutual_info(X, Y, device="cpu", **settings)


def _begin_memory() -> int | None:
    """Bytes held now, from which on the peak counts; None where the system does not tell.

    What earlier estimates have given back is given back to the system first.
    """
    gc.collect()
    try:
        ctypes.CDLL(None).malloc_trim(0)
        _CLEAR.write_text(_RESET_PEAK)
    except (OSError, AttributeError):
        return None
    return _status("VmRSS")


def _peak() -> int | None:
    return _status("VmHWM")


def _status(field: str) -> int | None:
    """A number of bytes that Linux knows of this process."""
    if not _STATUS.exists():
        return None
    lines = (line for line in _STATUS.read_text().splitlines() if line.startswith(field + ":"))
    return 1024 * int(next(lines).split()[1])


def summarise(rows: list[dict]) -> list[dict]:
    """Of each task and size: mean error, coverage, seconds, bytes a pair."""
    found = []
    for task, n in dict.fromkeys((row["task"], row["n"]) for row in rows):
        own = [row for row in rows if (row["task"], row["n"]) == (task, n)]
        peaks = [row["bytes"] for row in own if row["bytes"] is not None]
        found.append(
            {
                "task": task,
                "n": n,
                "draws": len(own),
                "mean_error": mean(abs(row["estimate"] - row["truth"]) for row in own),
                "mean_width": mean(row["high"] - row["low"] for row in own),
                "interval_holds": mean(row["low"] <= row["truth"] <= row["high"] for row in own),
                "cpu_seconds": mean(row["cpu_seconds"] for row in own),
                "bytes": max(peaks) if peaks else None,
            }
        )
    return found


def slopes(summary: list[dict]) -> dict[str, float]:
    """Of each task, that of log seconds against log pairs from 10,000 on."""
    found = {}
    for task in dict.fromkeys(row["task"] for row in summary):
        large = [row for row in summary if row["task"] == task and row["n"] >= _FROM]
        if len(large) > 1:
            logs = np.log([[row["n"], row["cpu_seconds"]] for row in large])
            found[task] = float(np.polyfit(*logs.T, 1)[0])
    return found


def draw(summary: list[dict], path: Path) -> None:
    """Error with the half width of the interval, seconds, and memory, against pairs."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 3.4), layout="constrained")
    error, seconds, memory = figure.subplots(1, 3)
    for number, task in enumerate(dict.fromkeys(row["task"] for row in summary)):
        own, color = [row for row in summary if row["task"] == task], f"C{number}"
        n = [row["n"] for row in own]
        error.loglog(n, [row["mean_error"] for row in own], "o-", color=color, label=task)
        error.loglog(n, [row["mean_width"] / 2 for row in own], ":", color=color)
        seconds.loglog(n, [row["cpu_seconds"] for row in own], "o-", color=color)
        known = [row for row in own if row["bytes"]]
        memory.loglog(
            [row["n"] for row in known], [row["bytes"] / 1e6 for row in known], "o-", color=color
        )
    error.plot([], [], ":", color="grey", label="half of the 95 % interval")
    for axes, title, unit in (
        (error, "mean error", "nats"),
        (seconds, "time", "CPU seconds"),
        (memory, "memory beside the data", "MB"),
    ):
        axes.set(title=title, xlabel="pairs", ylabel=unit)
        axes.grid(alpha=0.3)
    error.legend(fontsize="small", frameon=False)
    figure.savefig(path, dpi=120)


def parse_arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """Arguments of the command line."""
    parser = argparse.ArgumentParser(
        "python -m benchmarks.growth_information", description=__doc__.partition("\n")[0]
    )
    add = parser.add_argument
    add("--n-samples", type=int, nargs="+", default=list(_SIZES), help="numbers of pairs")
    add("--seeds", type=int, default=20, help="draws of each task at most")
    add("--effort", default="balanced", choices=["fast", "balanced", "high"])
    add("--max-steps", type=int, help="of training in each fold; by effort where left out")
    add("--out", type=Path, default=Path("benchmarks/results/growth-information.json"))
    add("--picture", type=Path, help="a PNG to draw")
    return parser.parse_args(argv)


def main() -> None:
    """Run, print, write after each size, draw."""
    args = parse_arguments()
    torch.set_num_threads(1)
    content = describe_run("benchmarks.growth_information") | {"load_start": load_average()}
    rows: list[dict] = []
    settings = {"effort": args.effort}
    if args.max_steps is not None:
        settings["max_steps"] = args.max_steps
    for name, task in tasks().items():
        _quietly(*task.sample(_WARM, random_state=0), random_state=0, max_steps=2)
        for n in args.n_samples:
            for seed in range(n_seeds(n, args.seeds)):
                rows.append(run_one(name, task, n, seed, **settings))
            summary = summarise(rows)
            print(summary[-1], flush=True)
            state = {"summary": summary, "slopes": slopes(summary), "results": rows}
            write_json(args.out, content | state | {"load_end": load_average()})
    print(slopes(summary))
    if args.picture:
        draw(summary, args.picture)


if __name__ == "__main__":
    main()

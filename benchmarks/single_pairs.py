"""One column against one: what critics add to nearest neighbours, by their steps.

    python -m benchmarks.single_pairs

Pairs of the literature and curves with noise, whose information is known in closed form or from an
integral. ``README.md`` beside this file says more.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from statistics import mean

import numpy as np
import torch
from scipy.stats import norm

from sk_infomax import MutualInfoEstimator
from sk_infomax.datasets import TASKS, PairTask

from . import describe_run, load_average, write_json

_PAIRS_OF_A_TASK = 4000  # of all seeds of one size, at least one seed
_POINTS = 4000  # places of x and pairs that the integral of a curve is taken over
_LITERATURE = (
    "1v1-normal-0.75",
    "1v1-additive-0.75",
    "swissroll_x-normal_cdf-1v1-normal-0.75",
    "class-means-3",
    "independent-1-1",
    "independent-student-1-1-1",
    "student-identity-1-1-1",
)
Curve = Callable[[np.ndarray], np.ndarray]
CURVES: dict[str, tuple[Curve, Curve]] = {  # mean of y at x, and its spread
    "bowl": (np.square, lambda x: 0 * x + 0.5),
    "sine of 3 x": (lambda x: np.sin(3 * x), lambda x: 0 * x + 0.3),
    "sine of 8 x": (lambda x: np.sin(8 * x), lambda x: 0 * x + 0.3),
    "spread": (lambda x: 0 * x, lambda x: 0.1 + abs(x)),
    "steps": (lambda x: np.floor(2 * x) % 2, lambda x: 0 * x + 0.2),
    "wedge": (abs, lambda x: 0 * x + 0.3),
    "weak line": (lambda x: 0.2 * x, lambda x: 0 * x + 1),
    "weak bowl": (lambda x: 0.15 * x**2, lambda x: 0 * x + 1),
    "cubic": (lambda x: x**3 - 3 * x, lambda x: 0 * x + 1),
}


def curve_task(middle: Curve, spread: Curve) -> PairTask:
    """Normal x, and y normal around a curve; the information by an integral over x."""

    def draw(n: int, rng: np.random.RandomState) -> tuple[np.ndarray, np.ndarray]:
        x = rng.normal(size=n)
        return x[:, None], (middle(x) + spread(x) * rng.normal(size=n))[:, None]

    places = norm.ppf((np.arange(_POINTS) + 0.5) / _POINTS)
    x, y = (side[:, 0] for side in draw(_POINTS, np.random.RandomState(9)))
    given = norm.logpdf(y, middle(x), spread(x))
    alone = np.log([norm.pdf(value, middle(places), spread(places)).mean() for value in y])
    return PairTask(float((given - alone).mean()), draw)


def task_of(name: str) -> PairTask:
    """A task by its name."""
    return curve_task(*CURVES[name]) if name in CURVES else TASKS[name]


def run_one(name: str, task: PairTask, n: int, seed: int, steps: int | str) -> dict:
    """One estimate, with its interval and CPU seconds, the critic for other pairs among them."""
    X, y = task.sample(n, random_state=seed)
    estimator, start = MutualInfoEstimator(max_steps=steps, random_state=0), time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        estimator.fit(X, y)
    low, high = estimator.confidence_interval_
    truth = float(task.mutual_information)
    return {
        "task": name,
        "n": n,
        "seed": seed,
        "steps": steps,
        "truth": truth,
        "error": float(estimator.mutual_info_) - truth,
        "bounds": {name: float(value) - truth for name, value in estimator.bounds_.items()},
        "holds": bool(low <= truth <= high),
        "width": float(high - low),
        "cpu_seconds": round(time.process_time() - start, 3),
    }


def summarise(rows: list[dict]) -> list[dict]:
    """For each size and number of steps, over all tasks and seeds."""
    found = []
    for n, steps in dict.fromkeys((row["n"], row["steps"]) for row in rows):
        own = [row for row in rows if (row["n"], row["steps"]) == (n, steps)]
        found.append(
            {
                "n": n,
                "steps": steps,
                "mean_error": mean(abs(row["error"]) for row in own),
                "worst_error": max(abs(row["error"]) for row in own),
                "mean_error_of_jsd": mean(abs(row["bounds"]["jsd"]) for row in own),
                "interval_holds": mean(row["holds"] for row in own),
                "mean_width": mean(row["width"] for row in own),
                "cpu_seconds": mean(row["cpu_seconds"] for row in own),
            }
        )
    return found


def parse_arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """Arguments of the command line."""
    parser = argparse.ArgumentParser(
        "python -m benchmarks.single_pairs", description=__doc__.partition("\n")[0]
    )
    add = parser.add_argument
    add("--n-samples", type=int, nargs="+", default=[300, 1000, 5000], help="numbers of pairs")
    add("--steps", type=int, nargs="+", default=[0, 600], help="beside those of the default")
    add("--seeds", type=int, default=4, help="draws of each task at most")
    add("--tasks", nargs="+", default=[*_LITERATURE, *CURVES], help="names; all by default")
    add("--out", type=Path, default=Path("benchmarks/results/single-pairs.json"))
    return parser.parse_args(argv)


def main() -> None:
    """Run, print, write after each size."""
    args = parse_arguments()
    torch.set_num_threads(1)
    content = describe_run("benchmarks.single_pairs") | {"load_start": load_average()}
    chosen = {name: task_of(name) for name in args.tasks}
    rows: list[dict] = []
    for n in args.n_samples:
        for seed in range(max(1, min(args.seeds, _PAIRS_OF_A_TASK // n))):
            for name, task in chosen.items():
                rows += [run_one(name, task, n, seed, s) for s in ("auto", *args.steps)]
        state = {"summary": summarise(rows), "results": rows, "load_end": load_average()}
        write_json(args.out, content | state)
        for row in state["summary"]:
            if row["n"] == n:
                print(row, flush=True)


if __name__ == "__main__":
    main()

"""How near the truth estimates of mutual information come, on tasks whose truth is known.

    python -m benchmarks.mutual_information --tasks literature --seeds 0 1 2
    python -m benchmarks.mutual_information --folder DIR --seeds 0

Tasks are those of `sk_infomax.datasets.TASKS`, or the files ``NAME.npz`` of a folder with arrays X
and Y, and their truths in ``truth.json``. ``README.md`` beside this file says more.
"""

import argparse
import json
import math
import resource
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from statistics import mean, median

import numpy as np
import torch
from joblib import Parallel, delayed
from scipy.special import digamma
from sklearn.cross_decomposition import CCA
from sklearn.neighbors import KDTree, NearestNeighbors

from sk_infomax import MutualInfoEstimator
from sk_infomax.datasets import TASKS

from . import command_line, describe_machine, load_average, write_json

LITERATURE = (
    [name for name in TASKS if "1v1" in name]
    + [
        f"student-identity-{d}-{d}-{df}"
        for d, df in ((1, 1), (2, 2), (3, 2), (3, 3), (5, 2), (5, 3))
    ]
    + [f"asinh-student-identity-{d}-{d}-{df}" for d, df in ((1, 1), (2, 1), (3, 2))]
    + [f"multinormal-dense-{d}-{d}-0.5" for d in (2, 3, 5, 25)]
    + [f"multinormal-sparse-{d}-{d}-2-2.0" for d in (2, 3, 5, 25)]
    + [f"normal_cdf-multinormal-sparse-{d}-{d}-2-2.0" for d in (3, 5)]
    + [f"half_cube-multinormal-sparse-{d}-{d}-2-2.0" for d in (3, 5, 25)]
    + [f"spiral-multinormal-sparse-{d}-{d}-2-2.0" for d in (3, 5)]
    + [f"spiral-normal_cdf-multinormal-sparse-{d}-{d}-2-2.0" for d in (3, 25)]
)
Estimate = tuple[float, float | None, float | None]


def ours(X, Y, seed: int, **settings) -> Estimate:
    """`MutualInfoEstimator`, with its interval."""
    estimator = MutualInfoEstimator(random_state=seed, device="cpu", **settings).fit(X, Y)
    return estimator.mutual_info_, *estimator.confidence_interval_


def nearest_neighbours(X, Y, seed: int, k: int = 10) -> Estimate:
    """Kraskov, Stögbauer and Grassberger (2004), first estimator, standardised columns.

    Distances are maxima over the two sides of Euclidean ones, as in the benchmark of Czyż et al.
    """
    x, y = ((side - side.mean(0)) / side.std(0) for side in (X, Y))
    n, counts = len(x), 0.0
    trees = KDTree(x), KDTree(y)
    reach = _distances_to_kth(x, y, k)
    for tree, side in zip(trees, (x, y)):
        within = tree.query_radius(side, np.nextafter(reach, 0), count_only=True)
        counts += digamma(within).mean()
    return max(0.0, digamma(k) + digamma(n) - counts), None, None


def _distances_to_kth(x, y, k: int) -> np.ndarray:
    """Distance of each pair to its k-th neighbour, by candidates near on the joint space."""
    joint = np.hstack([x, y])
    candidates = NearestNeighbors(n_neighbors=min(len(x), 40 * k)).fit(joint)
    near = candidates.kneighbors(joint, return_distance=False)[:, 1:]
    far = np.maximum(
        np.linalg.norm(x[near] - x[:, None], axis=2), np.linalg.norm(y[near] - y[:, None], axis=2)
    )
    return np.partition(far, k - 1, axis=1)[:, k - 1]


def canonical(X, Y, seed: int) -> Estimate:
    """Gaussian formula of the canonical correlations of the sample."""
    size = min(X.shape[1], Y.shape[1])
    x, y = CCA(size, max_iter=2000).fit_transform(X, Y)
    rho = [np.corrcoef(x[:, i], y[:, i])[0, 1] for i in range(size)]
    return -0.5 * sum(math.log1p(-min(r * r, 1 - 1e-12)) for r in rho), None, None


METHODS: dict[str, Callable] = {
    "ours": ours,
    "ours-cv2": lambda X, Y, seed: ours(X, Y, seed, cv=2),
    "ours-no-base": lambda X, Y, seed: ours(X, Y, seed, base=None),
    "mine": lambda X, Y, seed: ours(X, Y, seed, bound="dv", base=None),
    "infonce": lambda X, Y, seed: ours(X, Y, seed, bound="infonce", base=None, n_negatives=64),
    "ksg": nearest_neighbours,
    "cca": canonical,
}


def draw_pairs(name: str, args, seed: int):
    """Pairs of a task and their information."""
    if args.folder is None:
        task = TASKS[name]
        X, Y = task.sample(args.n_samples, random_state=1000 + seed)
        return X, Y, task.mutual_information
    truth = json.loads((args.folder / "truth.json").read_text())[name]
    arrays = np.load(args.folder / f"{name}.npz")
    return arrays["X"].astype(float), arrays["Y"].astype(float), truth


def run_one(name: str, seed: int, method: str, args) -> dict:
    """One estimate, with what it cost."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    X, Y, truth = draw_pairs(name, args, seed)
    if Y.ndim == 1 and method in ("ksg", "cca"):
        Y = Y[:, None].astype(float)
    start = time.process_time()
    value, low, high = METHODS[method](X, Y, seed)
    return {
        "task": name,
        "seed": seed,
        "method": method,
        "truth": truth,
        "estimate": value,
        "low": low,
        "high": high,
        "cpu_seconds": round(time.process_time() - start, 2),
        "peak_megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def is_gaussian(name: str) -> bool:
    """Whether a Gaussian copula describes the task."""
    return not any(word in name for word in ("student", "spiral", "additive", "swissroll", "xor"))


def summarise(results: list[dict]) -> dict[str, dict]:
    """Errors, coverage and cost of each method."""
    summary = {}
    for method in METHODS:
        rows = [row for row in results if row["method"] == method]
        if not rows:
            continue
        errors = [abs(row["estimate"] - row["truth"]) for row in rows]
        hard = [e for e, row in zip(errors, rows) if not is_gaussian(row["task"])]
        inside = [r["low"] <= r["truth"] <= r["high"] for r in rows if r["low"] is not None]
        summary[method] = {
            "runs": len(rows),
            "mean_error": mean(errors),
            "median_error": median(errors),
            "worst_error": max(errors),
            "mean_error_non_gaussian": mean(hard) if hard else None,
            "coverage": mean(inside) if inside else None,
            "median_cpu_seconds": median(row["cpu_seconds"] for row in rows),
        }
    return summary


def print_table(summary: dict) -> None:
    """Methods by columns, errors in nats."""
    heads = ["runs", "mean", "median", "worst", "non-Gaussian", "coverage", "CPU s"]
    print(f"{'method':14s}" + "".join(f"{head:>14s}" for head in heads))
    for method, row in summary.items():
        cells = [
            "" if v is None else f"{v:.3f}" if isinstance(v, float) else str(v)
            for v in (
                row["runs"],
                row["mean_error"],
                row["median_error"],
                row["worst_error"],
                row["mean_error_non_gaussian"],
                row["coverage"],
                float(row["median_cpu_seconds"]),
            )
        ]
        print(f"{method:14s}" + "".join(f"{cell:>14s}" for cell in cells))


def parse_arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """Arguments of the command line, checked."""
    parser = argparse.ArgumentParser(
        "python -m benchmarks.mutual_information", description=__doc__.partition("\n")[0]
    )
    add = parser.add_argument
    add("--tasks", nargs="+", default=["literature"], help="literature, or names of TASKS")
    add("--folder", type=Path, help="folder of NAME.npz and truth.json instead of our samplers")
    add("--n-samples", type=int, default=10_000)
    add("--seeds", type=int, nargs="+", default=[0, 1, 2])
    add("--methods", nargs="+", default=["ours", "ksg", "cca"], choices=list(METHODS))
    add("--jobs", type=int, default=1)
    add("--out", type=Path, default=Path("benchmarks/results/mutual-information.json"))
    args = parser.parse_args(argv)
    if args.folder is not None:
        args.tasks = sorted(path.stem for path in args.folder.glob("*.npz"))
    elif args.tasks == ["literature"]:
        args.tasks = LITERATURE
    unknown = [name for name in args.tasks if args.folder is None and name not in TASKS]
    if unknown:
        parser.error(f"unknown tasks: {', '.join(unknown)}")
    return args


def main() -> None:
    """Run, print, write."""
    args = parse_arguments()
    load = load_average()
    todo = [(t, s, m) for s in args.seeds for t in args.tasks for m in args.methods]
    results = Parallel(args.jobs, verbose=1)(delayed(run_one)(t, s, m, args) for t, s, m in todo)
    summary = summarise(results)
    print_table(summary)
    content = {
        "command": command_line("benchmarks.mutual_information"),
        "date": time.strftime("%Y-%m-%d %H:%M"),
        "machine": describe_machine(),
        "load_start": load,
        "load_end": load_average(),
        "n_samples": args.n_samples,
        "summary": summary,
        "results": results,
    }
    write_json(args.out, content)


if __name__ == "__main__":
    main()

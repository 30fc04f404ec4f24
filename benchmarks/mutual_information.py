"""How near the truth estimates of mutual information come, on tasks whose truth is known.

    python -m benchmarks.mutual_information --tasks literature --seeds 0 1 2
    python -m benchmarks.mutual_information --folder DIR --seeds 0

Tasks are those of `sk_infomax.datasets.TASKS`. With a folder of files ``NAME.npz``, each with X and
Y, and their truths in ``truth.json``, seed 0 of a task is its file. ``README.md`` beside this file
says more.
"""

import argparse
import json
import math
import resource
import subprocess
import tempfile
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


def is_gaussian(name: str) -> bool:
    """Whether a Gaussian copula describes the task."""
    return not any(word in name for word in ("student", "spiral", "additive", "swissroll", "xor"))


GROUPS = {
    "literature": LITERATURE,
    "non-gaussian": [name for name in LITERATURE if not is_gaussian(name)],
    "high": [n for n in TASKS if n.startswith(("normal-20", "cubic-20"))] + ["additive-5-5-0.1"],
    "independent": [name for name in TASKS if name.startswith("independent")],
    "discrete": ["class-means-3", "uniform-mixture-5", "xor-10", "contingency-3x3"],
}
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
    "ours-cv5": lambda X, Y, seed: ours(X, Y, seed, cv=5),
    "ours-no-base": lambda X, Y, seed: ours(X, Y, seed, base=None),
    "ours-dv": lambda X, Y, seed: ours(X, Y, seed, bound="dv", base=None),
    "ours-infonce": lambda X, Y, seed: ours(X, Y, seed, bound="infonce", base=None),
    "ours-nwj": lambda X, Y, seed: ours(X, Y, seed, bound="nwj", base=None),
    "ours-smile": lambda X, Y, seed: ours(X, Y, seed, bound="smile", base=None),
    "ksg": nearest_neighbours,
    "cca": canonical,
}
PEERS = ["bmi-mine", "bmi-infonce", "bmi-nwj", "bmi-dv"]


def draw_pairs(name: str, args, n: int, seed: int):
    """Pairs of a task and their information."""
    if args.folder is not None and seed == 0:
        truth = json.loads((args.folder / "truth.json").read_text())[name]
        arrays = np.load(args.folder / f"{name}.npz")
        return arrays["X"][:n].astype(float), arrays["Y"][:n].astype(float), truth
    task = TASKS[name]
    X, Y = task.sample(n, random_state=1000 + seed)
    return X, Y, task.mutual_information


def run_one(name: str, n: int, seed: int, method: str, args) -> dict:
    """One estimate, with what it cost."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    X, Y, truth = draw_pairs(name, args, n, seed)
    row = {"task": name, "n": n, "seed": seed, "method": method, "truth": truth}
    if method in PEERS:
        return row | {"low": None, "high": None} | ask_peer(X, Y, seed, method, args.peer_python)
    if Y.ndim == 1 and method in ("ksg", "cca"):
        Y = Y[:, None].astype(float)
    start = time.process_time()
    value, low, high = METHODS[method](X, Y, seed)
    return row | {
        "estimate": value,
        "low": low,
        "high": high,
        "cpu_seconds": round(time.process_time() - start, 2),
        "peak_megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def ask_peer(X, Y, seed: int, method: str, python: str) -> dict:
    """An estimate of `benchmark-mi`, by another interpreter."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pairs.npz"
        np.savez(path, X=X, Y=Y.reshape(len(Y), -1).astype(float))
        script = Path(__file__).with_name("_bmi.py")
        command = [python, script, method.removeprefix("bmi-"), path, str(seed)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def summarise(results: list[dict]) -> dict[str, dict]:
    """Errors, coverage and cost of each method, for each number of pairs."""
    summary = {}
    for method, n in sorted({(row["method"], row["n"]) for row in results}):
        rows = [row for row in results if row["method"] == method and row["n"] == n]
        errors = [abs(row["estimate"] - row["truth"]) for row in rows]
        hard = [e for e, row in zip(errors, rows) if not is_gaussian(row["task"])]
        inside = [r["low"] <= r["truth"] <= r["high"] for r in rows if r["low"] is not None]
        summary[f"{method}, n={n}"] = {
            "runs": len(rows),
            "mean_error": mean(errors),
            "median_error": median(errors),
            "worst_error": max(errors),
            "mean_error_non_gaussian": mean(hard) if hard else None,
            "coverage": mean(inside) if inside else None,
            "median_cpu_seconds": median(row["cpu_seconds"] for row in rows),
            "peak_megabytes": max(row["peak_megabytes"] or 0 for row in rows) or None,
        }
    return summary


def print_table(summary: dict) -> None:
    """Methods by columns, errors in nats."""
    heads = ["runs", "mean", "median", "worst", "non-Gaussian", "coverage", "CPU s"]
    print(f"{'method':24s}" + "".join(f"{head:>14s}" for head in heads))
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
        print(f"{method:24s}" + "".join(f"{cell:>14s}" for cell in cells))


def parse_arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """Arguments of the command line, checked."""
    parser = argparse.ArgumentParser(
        "python -m benchmarks.mutual_information", description=__doc__.partition("\n")[0]
    )
    add = parser.add_argument
    add("--tasks", nargs="+", default=["literature"], help=f"{', '.join(GROUPS)}, or names")
    add("--folder", type=Path, help="NAME.npz and truth.json: seed 0 of these tasks")
    add("--n-samples", type=int, nargs="+", default=[10_000])
    add("--seeds", type=int, nargs="+", default=[0, 1, 2])
    methods = [*METHODS, *PEERS]
    add("--methods", nargs="+", default=["ours", "ksg", "cca"], choices=methods)
    add("--peer-python", help="an interpreter that has benchmark-mi, for the methods bmi-...")
    add("--jobs", type=int, default=1)
    add("--resume", action="store_true", help="keep what the file of results holds")
    add("--picture", type=Path, help="draw the errors of all methods")
    add("--out", type=Path, default=Path("benchmarks/results/mutual-information.json"))
    args = parser.parse_args(argv)
    args.tasks = [name for word in args.tasks for name in GROUPS.get(word, [word])]
    unknown = [name for name in args.tasks if name not in TASKS]
    if unknown:
        parser.error(f"unknown tasks: {', '.join(unknown)}")
    if args.peer_python is None and set(args.methods) & set(PEERS):
        parser.error("methods bmi-... need --peer-python")
    return args


def draw(results: list[dict], path: Path) -> None:
    """Errors of each method on all tasks, one dot a run, on a logarithmic axis."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    means = {}
    for row in results:
        means.setdefault(row["method"], []).append(abs(row["estimate"] - row["truth"]))
    order = sorted(means, key=lambda method: -mean(means[method]))
    figure, axes = pyplot.subplots(figsize=(7.5, 0.5 * len(order) + 1.4), layout="constrained")
    rng = np.random.RandomState(0)
    for place, method in enumerate(order):
        rows = [row for row in results if row["method"] == method]
        errors = np.maximum([abs(row["estimate"] - row["truth"]) for row in rows], 1e-3)
        colours = ["#0072b2" if is_gaussian(row["task"]) else "#d55e00" for row in rows]
        heights = place + rng.uniform(-0.22, 0.22, len(rows))
        axes.scatter(errors, heights, s=14, c=colours, alpha=0.55, linewidths=0)
        axes.plot([np.mean(errors)] * 2, [place - 0.32, place + 0.32], color="black", lw=2)
    for colour, label in (("#0072b2", "Gaussian copula"), ("#d55e00", "other dependence")):
        axes.scatter([], [], s=20, c=colour, label=label)
    axes.plot([], [], color="black", lw=2, label="mean")
    axes.set_yticks(range(len(order)), order)
    axes.set_xscale("log")
    axes.set_xlabel("absolute error in nats (0.001 stands for less)")
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
    figure.savefig(path, dpi=150)


def main() -> None:
    """Run, print, write after each run."""
    args = parse_arguments()
    results, commands = [], []
    if args.resume and args.out.is_file():
        before = json.loads(args.out.read_text())
        results, commands = before["results"], before["commands"]
    done = {(row["task"], row["n"], row["seed"], row["method"]) for row in results}
    todo = [
        (task, n, seed, method)
        for n in args.n_samples
        for seed in args.seeds
        for task in args.tasks
        for method in args.methods
        if (task, n, seed, method) not in done
    ]
    content = {
        "commands": [*commands, command_line("benchmarks.mutual_information")],
        "date": time.strftime("%Y-%m-%d %H:%M"),
        "machine": describe_machine(),
        "load_start": load_average(),
    }
    work = Parallel(args.jobs, return_as="generator_unordered")(
        delayed(run_one)(*what, args) for what in todo
    )
    for row in work:
        results.append(row)
        state = {"load_end": load_average(), "summary": summarise(results), "results": results}
        write_json(args.out, content | state)
    print_table(summarise(results))
    if args.picture is not None:
        draw(results, args.picture)


if __name__ == "__main__":
    main()

"""Whether estimates of information agree with themselves, and the test of independence holds.

    python -m benchmarks.consistency --part consistency --seeds 0 1 2
    python -m benchmarks.consistency --part permutation

``README.md`` beside this file says what is compared.
"""

import argparse
import time
import warnings
from pathlib import Path
from statistics import mean, stdev

import numpy as np
import torch
from joblib import Parallel, delayed
from scipy.stats import binomtest, ortho_group

from sk_infomax import MutualInfoEstimator
from sk_infomax.datasets import TASKS, independent, multinormal_sparse, student

from . import command_line, describe_machine, load_average, write_json
from .mutual_information import METHODS, nearest_neighbours

# Self-consistency ------------------------------------------------------------------------------


def processing(name: str, n: int, seed: int):
    """Y and its first column alone: the second cannot tell more about X."""
    X, Y = TASKS[name].sample(n, seed)
    return [(X, Y)], [(X, Y[:, :1])]


def additivity(names: list[str], n: int, seed: int):
    """Two independent pairs side by side, and each alone."""
    pairs = [TASKS[name].sample(n, 10 * seed + i) for i, name in enumerate(names)]
    together = tuple(np.hstack([pair[side] for pair in pairs]) for side in (0, 1))
    return pairs, [together]


def rotation(name: str, n: int, seed: int):
    """Each side turned at random."""
    X, Y = TASKS[name].sample(n, seed)
    turns = [ortho_group.rvs(side.shape[1], random_state=seed) for side in (X, Y)]
    return [(X, Y)], [(X @ turns[0], Y @ turns[1])]


def stretching(name: str, n: int, seed: int):
    """Each column through an increasing map."""
    X, Y = TASKS[name].sample(n, seed)
    return [(X, Y)], [(np.exp(X), Y**3 + Y)]


GAUSSIAN, SPIRAL = "multinormal-sparse-5-5-2-2.0", "spiral-multinormal-sparse-3-3-2-2.0"
STUDENT = "student-identity-3-3-2"
CHECKS = {
    "I(X; first of Y) / I(X; Y), Gaussian": (processing, GAUSSIAN),
    "I(X; first of Y) / I(X; Y), spiral": (processing, SPIRAL),
    "I(X; first of Y) / I(X; Y), Student": (processing, STUDENT),
    "both / sum, Gaussian and Gaussian": (additivity, [GAUSSIAN, "multinormal-dense-5-5-0.5"]),
    "both / sum, Gaussian and Student": (additivity, ["multinormal-dense-3-3-0.5", STUDENT]),
    "both / sum, Gaussian and spiral": (additivity, ["multinormal-dense-3-3-0.5", SPIRAL]),
    "turned / plain, Gaussian": (rotation, GAUSSIAN),
    "turned / plain, Student": (rotation, STUDENT),
    "turned / plain, uniform": (rotation, "normal_cdf-multinormal-sparse-3-3-2-2.0"),
    "stretched / plain, Gaussian": (stretching, GAUSSIAN),
    "stretched / plain, spiral": (stretching, SPIRAL),
}


def check(name: str, method: str, n: int, seed: int) -> dict:
    """Information before and after."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    make, what = CHECKS[name]
    before, after = (
        sum(METHODS[method](X, Y, seed)[0] for X, Y in pairs) for pairs in make(what, n, seed)
    )
    return {"check": name, "method": method, "seed": seed, "before": before, "after": after}


def consistency(args) -> dict:
    """Ratios of all checks."""
    todo = [(c, m, args.n_samples, s) for s in args.seeds for c in CHECKS for m in args.methods]
    rows = Parallel(args.jobs)(delayed(check)(*what) for what in todo)
    summary = {}
    for name in CHECKS:
        for method in args.methods:
            ratios = [
                row["after"] / max(row["before"], 1e-9)
                for row in rows
                if (row["check"], row["method"]) == (name, method)
            ]
            spread = stdev(ratios) if len(ratios) > 1 else 0.0
            summary.setdefault(name, {})[method] = [mean(ratios), spread]
        cells = "".join(f"{m:>8s} {r:.3f} +- {s:.3f}" for m, (r, s) in summary[name].items())
        print(f"{name:40s}{cells}")
    return {"summary": summary, "results": rows}


# Independence ----------------------------------------------------------------------------------


def _ring(n, rng):
    angle = rng.uniform(0, 2 * np.pi, n)
    both = np.stack([np.cos(angle), np.sin(angle)], 1) + 0.7 * rng.standard_normal((n, 2))
    return both[:, :1], both[:, 1:]


def _scale(n, rng):
    X = rng.standard_normal((n, 3))
    spread = np.exp(0.35 * (X**2).mean(1, keepdims=True))
    return X, spread * rng.standard_normal((n, 3))


def _one_of_many(n, rng):
    X, Y = rng.standard_normal((n, 10)), rng.standard_normal((n, 10))
    Y[:, 0] = 0.3 * X[:, 0] + np.sqrt(1 - 0.09) * Y[:, 0]
    return X, Y


DEPENDENCES = {
    "correlation 0.2, 1 + 1": lambda n, rng: multinormal_sparse(1, 1, 1, 0.5).draw(n, rng),
    "ring with noise, 1 + 1": _ring,
    "Student, 3 + 3, df 4": lambda n, rng: student(3, 3, 4).draw(n, rng),
    "spread of Y by length of X, 3 + 3": _scale,
    "correlation 0.3 of one column, 10 + 10": _one_of_many,
}
NULLS = {
    "normal, 1 + 1": independent(1, 1),
    "normal, 2 + 2": independent(2, 2),
    "heavy tails, 2 + 2": independent(2, 2, df=1),
}


def neighbours_test(X, Y, rng, count: int) -> float:
    """Permutation test with the estimate of nearest neighbours."""
    values = [
        nearest_neighbours(X, Y[rng.permutation(len(Y))] if number else Y, 0, k=5)[0]
        for number in range(1 + count)
    ]
    return float(np.mean(np.array(values) >= values[0]))


def one_test(draw, n: int, seed: int, count: int, peer: bool) -> dict:
    """p-values on one data set."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    X, Y = draw(n, np.random.RandomState(seed))
    ours = MutualInfoEstimator(random_state=seed, device="cpu").permutation_test(X, Y, count)
    rng = np.random.RandomState(seed)
    return {"ours": ours} | ({"ksg": neighbours_test(X, Y, rng, count)} if peer else {})


def _chosen(pairs: dict, names: list[str]) -> dict:
    return {name: one for name, one in pairs.items() if name in names}


def permutation(args) -> dict:
    """False alarms on independent data; power on weak dependences."""
    run, count = Parallel(args.jobs), args.permutations
    content: dict = {"false alarms at 5 %": {}, "power at 5 %": {}}
    nulls = _chosen(NULLS, args.names)
    each = args.repeats // max(1, len(nulls))
    for name, task in nulls.items():
        rows = run(delayed(one_test)(task.draw, args.n_test, s, count, False) for s in range(each))
        alarms = sum(row["ours"] <= 0.05 for row in rows)
        content["false alarms at 5 %"][name] = {
            "alarms": alarms,
            "of": each,
            "p_binomial": binomtest(alarms, each, 0.05).pvalue,
        }
        print(name, content["false alarms at 5 %"][name])
    for name, draw in _chosen(DEPENDENCES, args.names).items():
        seeds = range(1000, 1000 + args.power_repeats)
        rows = run(delayed(one_test)(draw, args.n_test, s, count, True) for s in seeds)
        content["power at 5 %"][name] = {
            test: mean(row[test] <= 0.05 for row in rows) for test in ("ours", "ksg")
        }
        print(name, content["power at 5 %"][name])
    return content


def main() -> None:
    """Run a part, print and write it."""
    parser = argparse.ArgumentParser("python -m benchmarks.consistency")
    add = parser.add_argument
    add("--part", choices=["consistency", "permutation"], required=True)
    add("--seeds", type=int, nargs="+", default=[0, 1, 2])
    add("--n-samples", type=int, default=10_000, help="pairs in a check of consistency")
    add("--methods", nargs="+", default=["ours", "ksg"], choices=list(METHODS))
    add("--n-test", type=int, default=300, help="pairs in a test of independence")
    add("--repeats", type=int, default=200, help="independent data sets")
    add("--power-repeats", type=int, default=40, help="data sets of each dependence")
    add("--permutations", type=int, default=99)
    add("--names", nargs="+", default=[*NULLS, *DEPENDENCES], help="pairs that are tested")
    add("--jobs", type=int, default=1)
    add("--out", type=Path, default=Path("benchmarks/results"), help="folder of the results")
    args = parser.parse_args()
    start = {"command": command_line("benchmarks.consistency"), "date": time.strftime("%Y-%m-%d")}
    content = start | {"machine": describe_machine(), "load_start": load_average()}
    content |= consistency(args) if args.part == "consistency" else permutation(args)
    out = args.out / f"information-{args.part}.json"
    write_json(out, content | {"load_end": load_average()})


if __name__ == "__main__":
    main()

"""Features of series beside those of other packages, on sets of the UCR archive.

    python -m benchmarks.series --folder data/ucr --picture docs/images/series.png

Each method is fitted on the training series without labels, and its frozen columns are judged by
`RidgeClassifierCV`: with all labels, and with five of each class. ``README.md`` beside this file
says more. Sets are those of `--folder`, a file ``ucr_subset.npz`` with the arrays
``NAME_x_train``, ``NAME_y_train``, ``NAME_x_test`` and ``NAME_y_test`` of each.
"""

import argparse
import importlib.metadata
import importlib.util
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from scipy.stats import rankdata, studentized_range
from sklearn.decomposition import PCA
from sklearn.linear_model import RidgeClassifierCV
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from threadpoolctl import threadpool_limits

from sk_infomax import DeepInfoMaxTransformer

from . import describe_run, load_average, open_record, write_json

FILE = "ucr_subset.npz"
ALPHAS = np.logspace(-4, 4, 17)  # of the ridge, chosen by leaving one out
FEW, DRAWS = 5, 10  # labels of a class, and how many times they are drawn
PCA_COLUMNS = 256
WINDOW = 0.1  # of the length; how far dynamic time warping may bend
MOST_WARPED = 2e10  # cells of all tables of dynamic time warping; a set with more is left out
INSTALL = "pip install aeon"
PROTOCOL = {"alphas": [float(alpha) for alpha in ALPHAS], "few": FEW, "draws": DRAWS}

# Methods -------------------------------------------------------------------------------------


class Method(NamedTuple):
    """How the columns of a method are made and judged.

    Parameters
    ----------
    make : callable
        Gives an object with `fit` and `transform`, from series (n, t) to columns (n, d).
    package : str or None
        What has to be installed.
    plain : bool
        Whether the columns are judged as they come too.
    """

    make: Callable[[], Any]
    package: str | None = None
    plain: bool = False


class Ours:
    """`DeepInfoMaxTransformer` by its defaults on series (n, t), or one of its outputs."""

    def __init__(self, output: str = "auto"):
        self.model = DeepInfoMaxTransformer(
            encoder="series", output=output, device="cpu", random_state=0
        )

    def fit(self, X: np.ndarray) -> "Ours":
        """Learn without labels."""
        self.model.fit(X.astype(np.float32))
        return self

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Columns (n, d)."""
        return self.model.transform(X.astype(np.float32))


class Aeon:
    """A transformer of aeon, for series (n, t)."""

    def __init__(self, place: str, name: str, **options: Any):
        self.place, self.name, self.options = place, name, options

    def fit(self, X: np.ndarray) -> "Aeon":
        """Fit it."""
        module = importlib.import_module(f"aeon.transformations.collection.{self.place}")
        self.model = getattr(module, self.name)(**self.options)
        self.model.fit(X[:, None])
        return self

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Columns (n, d), none of which is infinite or missing."""
        return np.nan_to_num(np.asarray(self.model.transform(X[:, None]), np.float32))


class Reduced:
    """As many principal components as there are samples and values for, at most 256."""

    def fit(self, X: np.ndarray) -> "Reduced":
        """Fit them."""
        self.model = PCA(min(PCA_COLUMNS, *X.shape), random_state=0).fit(X)
        return self

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Components (n, d)."""
        return self.model.transform(X)


def of_aeon(place: str, name: str, **options: Any) -> Method:
    """A method of aeon, on one core."""
    return Method(lambda: Aeon(place, name, n_jobs=1, **options), "aeon")


OURS = "ours"
METHODS: dict[str, Method] = {
    "raw": Method(FunctionTransformer),
    "pca": Method(Reduced),
    "catch22": of_aeon("feature_based", "Catch22"),
    "minirocket": of_aeon("convolution_based", "MiniRocket", random_state=0),
    "multirocket": of_aeon("convolution_based", "MultiRocket", random_state=0),
    "hydra": of_aeon("convolution_based", "HydraTransformer", random_state=0, output_type="numpy"),
    OURS: Method(Ours, plain=True),
    f"{OURS}-closed-form": Method(lambda: Ours("hidden"), plain=True),
    f"{OURS}-embedding": Method(lambda: Ours("embedding"), plain=True),
}
DTW = "1-nn-dtw"
NAMES = [*METHODS, DTW]

# Data ----------------------------------------------------------------------------------------


class Split(NamedTuple):
    """Series (n, t) and labels (n,) of a set, as the archive splits them."""

    X_train: np.ndarray
    y_train: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray


def names_of(folder: Path) -> list[str]:
    """Names of the sets in a folder."""
    with np.load(folder / FILE) as arrays:
        return sorted(name.removesuffix("_x_train") for name in arrays if name.endswith("_x_train"))


def load(folder: Path, name: str, most: int | None = None) -> Split:
    """One set, or of each part as many series as are wanted at most, drawn at random."""
    with np.load(folder / FILE) as arrays:
        parts = [arrays[f"{name}_{part}"] for part in ("x_train", "y_train", "x_test", "y_test")]
    kept = [np.random.RandomState(0).permutation(len(parts[at]))[:most] for at in (0, 2)]
    X_train, y_train, X_test, y_test = (parts[at][kept[at // 2]] for at in range(4))
    return Split(X_train.astype(np.float32), y_train, X_test.astype(np.float32), y_test)


def made_up(seed: int) -> Split:
    """A bump at a random place, wide or narrow: 24 series of 40 values to learn from, 20 others."""
    rng = np.random.RandomState(seed)
    y = np.arange(44) % 2
    place = rng.uniform(10, 30, size=(44, 1))
    bumps = np.exp(-(((np.arange(40) - place) / (2 + 3 * y[:, None])) ** 2))
    X = (bumps + 0.1 * rng.normal(size=bumps.shape)).astype(np.float32)
    return Split(X[:24], y[:24], X[24:], y[24:])


def draw_labels(y: np.ndarray, seed: int) -> np.ndarray:
    """Places of five samples of each class, or all of a class that has fewer."""
    rng = np.random.RandomState(seed)
    places = [rng.permutation(np.flatnonzero(y == label))[:FEW] for label in np.unique(y)]
    return np.concatenate(places)


# Runs ----------------------------------------------------------------------------------------


def judge(train: np.ndarray, test: np.ndarray, split: Split) -> dict[str, float]:
    """Accuracy of a ridge with all labels, and the mean over draws of few."""

    def accuracy(rows: Any) -> float:
        probe = RidgeClassifierCV(ALPHAS).fit(train[rows], split.y_train[rows])
        return float(np.mean(probe.predict(test) == split.y_test))

    few = [accuracy(draw_labels(split.y_train, seed)) for seed in range(DRAWS)]
    return {"all": round(accuracy(slice(None)), 4), "few": round(float(np.mean(few)), 4)}


def run_features(name: str, split: Split) -> Iterator[dict]:
    """Rows of a method: its columns standardised, and as they come where that is asked for."""
    start = time.process_time()
    model = METHODS[name].make().fit(split.X_train)
    train, test = (np.asarray(model.transform(X)) for X in (split.X_train, split.X_test))
    seconds = round(time.process_time() - start, 3)
    cost = {"cpu_seconds": seconds, "n_features": train.shape[1]}
    if METHODS[name].plain:
        yield {"method": name} | judge(train, test, split) | cost
        name = f"{name}, standardised"
    scaler = StandardScaler().fit(train)
    yield {"method": name} | judge(scaler.transform(train), scaler.transform(test), split) | cost


def run_warping(split: Split) -> Iterator[dict]:
    """The row of the nearest neighbour by dynamic time warping, of sets that are small enough."""
    length = split.X_train.shape[1]
    if len(split.X_train) * len(split.X_test) * length**2 * 2 * WINDOW > MOST_WARPED:
        return
    from aeon.distances import dtw_pairwise_distance

    start = time.process_time()
    wide = (part[:, None].astype(float) for part in (split.X_test, split.X_train))
    distances = dtw_pairwise_distance(*wide, window=WINDOW)
    seconds = round(time.process_time() - start, 3)

    def accuracy(rows: np.ndarray) -> float:
        nearest = split.y_train[rows][distances[:, rows].argmin(1)]
        return float(np.mean(nearest == split.y_test))

    few = [accuracy(draw_labels(split.y_train, seed)) for seed in range(DRAWS)]
    found = {"all": accuracy(np.arange(len(split.y_train))), "few": float(np.mean(few))}
    yield {"method": DTW} | {k: round(v, 4) for k, v in found.items()} | {"cpu_seconds": seconds}


def run_set(name: str, split: Split, args, record: dict) -> None:
    """All methods on one set, written after each."""
    done = {row["method"] for row in record["results"] if row["set"] == name}
    for method in [method for method in args.methods if method not in done]:
        rows = run_warping(split) if method == DTW else run_features(method, split)
        for row in rows:
            record["results"].append({"set": name} | row)
            print(f"{name:24s} {row['method']:20s} {row['all']:.3f} {row['few']:.3f}", flush=True)
        record["summary"] = summarise(record["results"])
        write_json(args.out, record)


# Summary -------------------------------------------------------------------------------------


def summarise(results: list[dict]) -> dict[str, dict[str, float]]:
    """Means over the sets, and mean ranks among the methods that have run on all sets."""
    sets = {row["set"] for row in results}
    methods = list(dict.fromkeys(row["method"] for row in results))
    complete = [m for m in methods if sum(row["method"] == m for row in results) == len(sets)]
    summary: dict[str, dict[str, float]] = {}
    for method in methods:
        rows = [row for row in results if row["method"] == method]
        columns = ("all", "few", "cpu_seconds")
        means = {name: float(np.mean([row[name] for row in rows])) for name in columns}
        summary[method] = {"sets": len(rows)} | {k: round(v, 4) for k, v in means.items()}
    for column in ("all", "few"):
        ranks = ranks_of(results, complete, column).mean(0)
        for method, rank in zip(complete, ranks):
            summary[method][f"rank_{column}"] = round(float(rank), 2)
    return summary


def ranks_of(results: list[dict], methods: list[str], column: str) -> np.ndarray:
    """Ranks (sets, methods) by accuracy, the best 1."""
    sets = list(dict.fromkeys(row["set"] for row in results))
    found = {(row["set"], row["method"]): row[column] for row in results}
    table = np.array([[found[name, method] for method in methods] for name in sets])
    return rankdata(-table, axis=1)


def critical_difference(n_methods: int, n_sets: int, level: float = 0.05) -> float:
    """Least difference of mean ranks that Nemenyi's test calls one (Demsar 2006)."""
    quantile = studentized_range.ppf(1 - level, n_methods, np.inf) / 2**0.5
    return float(quantile * (n_methods * (n_methods + 1) / (6 * n_sets)) ** 0.5)


def format_table(summary: dict) -> str:
    """Methods by columns."""
    head = f"{'method':22s}{'sets':>5s}{'all':>8s}{'few':>8s}{'rank':>7s}{'few':>7s}{'CPU s':>9s}"
    lines = [head]
    for method, row in summary.items():
        ranks = "".join(f"{row.get(f'rank_{c}', float('nan')):7.2f}" for c in ("all", "few"))
        accuracies = f"{100 * row['all']:8.2f}{100 * row['few']:8.2f}"
        lines.append(f"{method:22s}{row['sets']:5d}{accuracies}{ranks}{row['cpu_seconds']:9.2f}")
    return "\n".join(lines)


def draw(summary: dict, path: Path) -> None:
    """Mean ranks on a line, with the difference that would be beyond chance."""
    try:
        from matplotlib import pyplot
    except ImportError as error:
        raise ImportError(
            'The figure needs matplotlib: pip install "sk_infomax[bench]". The JSON file is '
            "complete without it."
        ) from error
    n_sets = max(row["sets"] for row in summary.values())
    ranked = {name: row for name, row in summary.items() if "rank_all" in row}
    gap = critical_difference(len(ranked), n_sets)
    figure, panels = pyplot.subplots(1, 2, figsize=(11, 0.45 * len(ranked) + 1.6), sharey=True)
    for axes, column, title in zip(panels, ("all", "few"), ("All labels", "Five of each class")):
        names = sorted(ranked, key=lambda name: -ranked[name][f"rank_{column}"])
        best = ranked[names[-1]][f"rank_{column}"]
        axes.axvspan(best, best + gap, color="#dddddd", label=f"critical difference {gap:.2f}")
        for place, name in enumerate(names):
            colour = "#c1121f" if name.startswith(OURS) else "#1d3f66"
            rank = ranked[name][f"rank_{column}"]
            axes.plot(rank, place, "o", color=colour)
            text = f"{name} ({100 * ranked[name][column]:.1f} %)"
            axes.annotate(text, (rank, place), (6, 0), textcoords="offset points", va="center")
        axes.set(title=title, xlabel="mean rank", yticks=[], xlim=(1, len(ranked) + 2))
        axes.legend(loc="lower left", frameon=False)
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


# Command line --------------------------------------------------------------------------------


def parse_arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """Arguments of the command line, checked."""
    parser = argparse.ArgumentParser(
        "python -m benchmarks.series", description=__doc__.partition("\n")[0]
    )
    add = parser.add_argument
    add("--folder", type=Path, help=f"folder with {FILE}")
    add("--tiny", action="store_true", help="two made-up sets in place of the archive's")
    add("--sets", nargs="+", metavar="NAME", help="all of the folder unless given")
    add("--most", type=int, help="series of each part of a set, at most; all unless given")
    add("--methods", nargs="+", default=NAMES, choices=NAMES, metavar="NAME")
    add("--resume", action="store_true", help="skip what the JSON file of --out already holds")
    add("--picture", type=Path, help="draw the mean ranks")
    add("--out", type=Path, default=Path("benchmarks/results/series.json"))
    args = parser.parse_args(argv)
    if not args.tiny and not (args.folder and (args.folder / FILE).is_file()):
        parser.error(f"--folder {args.folder}: holds no {FILE}; --tiny runs without.")
    needed = {"aeon" if m == DTW else METHODS[m].package for m in args.methods} - {None}
    args.packages = sorted(package for package in needed if package)
    if any(importlib.util.find_spec(package) is None for package in args.packages):
        parser.error(f"{', '.join(args.packages)} have to be there: `{INSTALL}`")
    return args


def warm_up(args) -> None:
    """Libraries load and compile parts of themselves before anything is timed."""
    for method in args.methods:
        for _ in run_warping(made_up(0)) if method == DTW else run_features(method, made_up(0)):
            pass


def main() -> None:
    """Run, write after each method, print, draw."""
    args = parse_arguments()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    empty = {"protocol": PROTOCOL | {"most": args.most}, "runs": [], "results": []}
    record = open_record(args.out, empty, args.resume, ("protocol",))
    about = describe_run("benchmarks.series") | {"load_start": load_average()}
    about["machine"] |= {name: importlib.metadata.version(name) for name in args.packages}
    record["runs"].append(about)
    with threadpool_limits(1):
        warm_up(args)
        for number, name in enumerate(args.sets or sets_of(args)):
            split = made_up(number) if args.tiny else load(args.folder, name, args.most)
            run_set(name, split, args, record)
    about["load_end"] = load_average()
    write_json(args.out, record)
    print(format_table(record["summary"]))
    if args.picture is not None:
        draw(record["summary"], args.picture)


def sets_of(args) -> list[str]:
    """Names of all sets."""
    return ["bumps", "more bumps"] if args.tiny else names_of(args.folder)


if __name__ == "__main__":
    main()

"""How useful features of tables are: frozen, found without labels, judged by one linear model.

    python -m benchmarks.tables --seeds 0 1 2

``README.md`` beside this file says what is measured.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import torch
from sklearn.decomposition import PCA
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import QuantileTransformer, StandardScaler
from sklearn.svm import SVC
from threadpoolctl import threadpool_limits

from sk_infomax import DeepInfoMaxTransformer, KernelEncoder
from sk_infomax.views import TableViews

from . import describe_run, load_average, open_record, write_json
from ._peers import Nystroem, Raw, Scarf, Vime
from ._ridge import Ridge
from ._table_sets import TABLES, Table, load_table

WIDE, EMBEDDING = 1024, 256  # columns of kernels and of ours; of embeddings and networks
PREPARED = 4096  # rows that ours learns from, as in `DeepInfoMaxTransformer`
DRAWS = 10  # of few labels
FEW, SHARE, FEWEST = 10, 0.01, 2  # labels a class; share of labels, and how many at least a class
NEIGHBOURS = 5
AMPLE = 1e6  # seconds, for what sizes itself by a budget
PROTOCOL = {
    "all": "RidgeClassifierCV's problem on standardised columns, its penalty by leaving one out",
    "ten": f"the same with {FEW} labels a class, mean of {DRAWS} draws",
    "percent": f"the same with {SHARE:.0%} of the labels, {FEWEST} a class at least",
    "neighbours": f"{NEIGHBOURS} nearest neighbours on the columns as they are, all labels",
    "cpu": "processor seconds of fit and of transform of all rows",
}
KEYS = ("all", "ten", "percent", "neighbours")

# Methods -------------------------------------------------------------------------------------


class Ours(Raw):
    """`DeepInfoMaxTransformer` by its defaults, or one of its outputs."""

    def __init__(self, seed: int, output: str = "auto", **settings):
        self.model = DeepInfoMaxTransformer(
            output=output, device="cpu", random_state=seed, **settings
        )

    def fit(self, X: np.ndarray, y: np.ndarray) -> "Ours":
        """Learn without labels."""
        self.model.fit(X)
        return self

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Columns (n, d)."""
        return self.model.transform(X)


class Stepwise(Raw):
    """A transformer of scikit-learn on the standardised values, or on those of a method."""

    def __init__(self, step, before=None):
        self.step = step
        self.before = before or Raw()

    def fit(self, X: np.ndarray, y: np.ndarray) -> "Stepwise":
        """Fit one after the other."""
        values = self.before.fit(X, y).transform(X)
        self.step = self.step(values)
        self.step.fit(values)
        return self

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Columns (n, d)."""
        return self.step.transform(self.before.transform(X))


def pca(values: np.ndarray) -> PCA:
    """Principal components, 256 at most."""
    return PCA(min(EMBEDDING, *values.shape), random_state=0)


def ranks(values: np.ndarray) -> QuantileTransformer:
    """Normal scores."""
    return QuantileTransformer(n_quantiles=min(1000, len(values)), output_distribution="normal")


def nystroem(seed: int, size: int) -> Nystroem:
    """So many columns, or as many as there are rows."""
    return Nystroem(AMPLE, seed, 0, sizes=(size,))


FEATURES: dict[str, Callable] = {
    "raw": lambda seed, args: Raw(),
    "quantile": lambda seed, args: Stepwise(ranks),
    "pca": lambda seed, args: Stepwise(pca),
    "nystroem": lambda seed, args: nystroem(seed, WIDE),
    "nystroem-2048": lambda seed, args: nystroem(seed, 2 * WIDE),
    "scarf": lambda seed, args: Scarf(args.budget, seed, TableViews(0.6)),
    "vime": lambda seed, args: Vime(args.budget, seed, TableViews(0.3)),
    "ours": lambda seed, args: Ours(seed),
    "ours-2048": lambda seed, args: Ours(seed, encoder=KernelEncoder(2 * WIDE)),
    "ours-closed-form": lambda seed, args: Ours(seed, "hidden"),
    "ours-embedding": lambda seed, args: Ours(seed, "embedding"),
    "ours-pca": lambda seed, args: Stepwise(pca, Ours(seed)),
}
CLASSIFIERS: dict[str, Callable] = {
    "rbf-svm": lambda seed: SVC(C=10.0),
    "boosting": lambda seed: HistGradientBoostingClassifier(max_iter=50, random_state=seed),
}

# Judging -------------------------------------------------------------------------------------


def measure(name: str, table: Table, seed: int, args) -> dict:
    """Accuracies of a method on a table, and what it costs."""
    with threadpool_limits(1):
        if name in CLASSIFIERS:
            return judge_classifier(name, table, seed)
        start = time.process_time()
        model = FEATURES[name](seed, args).fit(table.X_train, table.y_train)
        train, test = (np.asarray(model.transform(X)) for X in (table.X_train, table.X_test))
        cost = time.process_time() - start
        neighbours = KNeighborsClassifier(NEIGHBOURS, algorithm="brute").fit(train, table.y_train)
        found = {"neighbours": float(neighbours.score(test, table.y_test))}
        scaler = StandardScaler().fit(train)
        train, test = scaler.transform(train), scaler.transform(test)
    with threadpool_limits(1):
        found |= judge(lambda: Ridge(), train, test, table, seed)
    return found | {"columns": train.shape[1], "cpu": round(cost, 3)}


def judge_classifier(name: str, table: Table, seed: int) -> dict:
    """A classifier on standardised values; boosting with few labels is no fair peer."""
    raw = Raw().fit(table.X_train, table.y_train)
    train, test = raw.transform(table.X_train), raw.transform(table.X_test)
    start = time.process_time()
    if name == "boosting":
        model = CLASSIFIERS[name](seed).fit(train, table.y_train)
        found = {"all": float(model.score(test, table.y_test))}
    else:
        found = judge(lambda: CLASSIFIERS[name](seed), train, test, table, seed)
    return found | {"columns": train.shape[1], "cpu": round(time.process_time() - start, 3)}


def judge(make: Callable, train: np.ndarray, test: np.ndarray, table: Table, seed: int) -> dict:
    """Accuracies of fresh models with all labels and with few."""
    y, found = table.y_train, {}
    found["all"] = float(make().fit(train, y).score(test, table.y_test))
    counts = np.bincount(y)
    percent = np.maximum(FEWEST, np.round(SHARE * counts)).astype(int)
    for key, wanted in (("ten", np.full(len(counts), FEW)), ("percent", percent)):
        draws = [draw_labels(y, wanted, seed, number) for number in range(DRAWS)]
        found[key] = mean(
            float(make().fit(train[d], y[d]).score(test, table.y_test)) for d in draws
        )
    return found


def draw_labels(y: np.ndarray, wanted: np.ndarray, seed: int, number: int) -> np.ndarray:
    """Indices of so many samples of each class, or of all that it has: for all methods the same."""
    rng = np.random.RandomState([seed, int(wanted.sum()), number])
    drawn = []
    for label, count in enumerate(wanted):
        rows = np.flatnonzero(y == label)
        drawn.append(rng.choice(rows, min(count, len(rows)), replace=False))
    return np.concatenate(drawn)


# Command -------------------------------------------------------------------------------------


def run(args) -> dict:
    """Measure what is not there yet; the file is written after each table."""
    settings = {name: getattr(args, name) for name in ("rows", "budget")}
    empty = {"settings": settings, "protocol": PROTOCOL, "runs": [], "results": []}
    content = open_record(args.out, empty, args.resume, ("settings", "protocol"))
    content["runs"].append(describe_run("benchmarks.tables") | {"load_start": load_average()})
    done = {(row["table"], row["seed"], row["method"]) for row in content["results"]}
    for seed in args.seeds:
        for name in args.tables:
            wanted = [m for m in args.methods if (name, seed, m) not in done]
            table = load_table(name, args.rows, seed) if wanted else None
            for method in wanted:
                row = measure(method, table, seed, args)
                content["results"].append({"table": name, "seed": seed, "method": method, **row})
            write_json(args.out, content)
            print(f"{name:16s} " + "  ".join(_cells(content, name, args.methods)), flush=True)
    return content


def _cells(content: dict, table: str, methods: list[str]) -> list[str]:
    rows = {row["method"]: row for row in content["results"] if row["table"] == table}
    return [f"{m} {100 * rows[m]['all']:.1f}" for m in methods if m in rows]


def summarise(results: list[dict]) -> dict[str, dict[str, Any]]:
    """For each method the means over tables and seeds, and how far it is under raw at worst."""
    found: dict[str, dict[str, Any]] = {}
    for method in dict.fromkeys(row["method"] for row in results):
        rows = [row for row in results if row["method"] == method]
        cells = {key: mean(r[key] for r in rows) for key in (*KEYS, "cpu") if key in rows[0]}
        tables = len({row["table"] for row in rows})  # means of fewer are not those of all
        found[method] = cells | {"worst": worst_loss(results, method), "tables": tables}
    return found


def worst_loss(results: list[dict], method: str) -> float:
    """The least difference from raw of any table, with all labels, means over seeds."""
    tables = dict.fromkeys(row["table"] for row in results)
    losses = []
    for table in tables:
        both = [
            [r["all"] for r in results if r["table"] == table and r["method"] == name]
            for name in (method, "raw")
        ]
        if all(both):
            losses.append(mean(both[0]) - mean(both[1]))
    return min(losses, default=0.0)


def format_table(summary: dict) -> str:
    """The summary as lines of text."""
    lines = [f"{'':16s}" + "".join(f"{key:>12s}" for key in (*KEYS, "worst", "cpu", "tables"))]
    for method, cells in summary.items():
        shown = [f"{100 * cells[k]:12.2f}" if k in cells else " " * 12 for k in (*KEYS, "worst")]
        lines.append(
            f"{method:16s}" + "".join(shown) + f"{cells['cpu']:12.2f}{cells['tables']:12d}"
        )
    return "\n".join(lines)


def parse_arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """Arguments of the command line."""
    parser = argparse.ArgumentParser(
        "python -m benchmarks.tables", description=__doc__.partition("\n")[0]
    )
    methods = [*FEATURES, *CLASSIFIERS]
    add = parser.add_argument
    add("--tables", nargs="+", default=list(TABLES), metavar="NAME")
    add("--methods", nargs="+", default=methods, choices=methods, metavar="NAME")
    add("--seeds", type=int, nargs="+", default=[0, 1, 2])
    add("--rows", type=int, default=4000, help="to learn from, and to test on, at most")
    add("--budget", type=float, default=10.0, help="seconds of training of networks")
    add("--tiny", action="store_true", help="one small table, few rows: whether all of it runs")
    add("--out", type=Path, default=Path("benchmarks/results/tables.json"))
    add("--resume", action="store_true", help="skip what the JSON file of --out already holds")
    args = parser.parse_args(argv)
    if args.tiny:
        args.tables, args.seeds, args.rows, args.budget = ["wine"], [0], 60, 0.05
    return args


def main() -> None:
    """Run, print the table."""
    args = parse_arguments()
    torch.set_num_threads(1)
    content = run(args)
    content["summary"] = summarise(content["results"])
    write_json(args.out, content)
    print(format_table(content["summary"]))


if __name__ == "__main__":
    main()

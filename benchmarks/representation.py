"""How useful the features are: many methods, one encoder, the same training time.

    python -m benchmarks.representation --data digits --budget 10 --seeds 0 1 2

Every method is fitted on the whole training set, without labels except for ``supervised``. The
features are then frozen and judged by linear models: with all labels, and with few of each
class. ``README.md`` beside this file says how.
"""

import argparse
import json
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev

import numpy as np
import torch
from joblib import Parallel, delayed
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.svm import LinearSVC
from threadpoolctl import threadpool_limits

from sk_infomax import DeepInfoMaxTransformer
from sk_infomax.bounds import BOUNDS
from sk_infomax.datasets import load_cifar10, load_fashion_mnist
from sk_infomax.encoders import ENCODERS
from sk_infomax.views import VIEWS, ImageViews

from . import command_line, describe_machine, load_average, write_json
from ._peers import (
    Autoencoder,
    LibrarySimCLR,
    Raw,
    SimCLR,
    Supervised,
    Untrained,
    Whitened,
    layout_of,
)

SVM_C = (0.001, 0.01, 0.1, 1.0)
LOGISTIC_C = (0.01, 0.1, 1.0, 10.0)
LABEL_COUNTS = (5, 10, 50, 100)
DRAWS = 5
Figures = tuple[float, float | None]  # mean and standard deviation over the seeds
N_COMPONENTS, N_PRINCIPAL = 256, 64
OURS = "two-view"
PROTOCOL = {
    "encoder": "ENCODERS[kind]() with n_components=256, the same for every network",
    "all labels": "LinearSVC; C of SVM_C chosen on 20 % of at most tune_rows training samples, "
    "then refitted on at most svm_rows of them",
    "few labels": f"logistic regression, mean of {DRAWS} draws of labels; C of LOGISTIC_C chosen "
    "once, on up to 2000 other training samples, with the draw of 10 a class",
    "svm_5": "LinearSVC(C=1) on the same draws of 5 labels a class",
    "scale": "features are divided by their standard deviation over all training values",
}

# Data ----------------------------------------------------------------------------------------


@dataclass
class Split:
    """Samples and labels to train on and to test on."""

    X_train: np.ndarray
    y_train: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray

    def __post_init__(self):
        classes, self.y_train = np.unique(self.y_train, return_inverse=True)
        self.y_test = np.searchsorted(classes, self.y_test)


def load_split(data: str, folder: str | None, seed: int) -> Split:
    """The set of this name, or of a file; sets without a test part are split by the seed."""
    if data == "digits":
        digits = load_digits()
        return _stratified(digits.images.astype(np.float32), digits.target, seed)
    if data == "fashion-mnist":
        return Split(*load_fashion_mnist(folder))
    if data == "cifar10":
        return Split(*load_cifar10(folder))
    with np.load(data) as file:
        if {"X_train", "y_train", "X_test", "y_test"} <= set(file.files):
            return Split(file["X_train"], file["y_train"], file["X_test"], file["y_test"])
        if {"X", "y"} <= set(file.files):
            return _stratified(file["X"], file["y"], seed)
        raise ValueError(
            f"{data} holds the arrays {file.files}. It must hold X_train, y_train, X_test and "
            "y_test, or X and y."
        )


def _stratified(X: np.ndarray, y: np.ndarray, seed: int) -> Split:
    X_train, X_test, y_train, y_test = train_test_split(
        X, y, test_size=0.3, stratify=y, random_state=seed
    )
    return Split(X_train, y_train, X_test, y_test)


# Methods -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Setting:
    """What a method is made from: seconds of training, seed, kind of samples, mirror images."""

    budget: float
    seed: int
    kind: str
    flip: bool

    @property
    def views(self):
        """The augmentation, one for all methods."""
        return ImageViews(flip=self.flip) if self.kind == "image" else VIEWS[self.kind]()


def dim(setting: Setting, **parameters) -> DeepInfoMaxTransformer:
    """`DeepInfoMaxTransformer` with the time of the setting for its end."""
    return DeepInfoMaxTransformer(
        N_COMPONENTS,
        encoder=ENCODERS[setting.kind](),
        max_epochs=10**6,
        max_time=setting.budget,
        device="cpu",
        random_state=setting.seed,
        **parameters,
    )


def _local(bound: str) -> Callable:
    return lambda s: dim(s, views=1, bound=bound, global_weight=0.0)


def _peer(cls: type) -> Callable:
    return lambda s: cls(s.budget, s.seed, s.views, N_COMPONENTS)


METHODS: dict[str, Callable] = {
    "raw": lambda s: Raw(),
    "pca": lambda s: Whitened(N_PRINCIPAL, s.seed),
    "untrained": _peer(Untrained),
    "autoencoder": _peer(Autoencoder),
    "dim-g": lambda s: dim(s, views=1, global_weight=1.0, local_weight=0.0),
    **{f"dim-l-{bound}": _local(bound) for bound in BOUNDS},
    OURS: lambda s: dim(s, views=2, augmentation=s.views),
    "simclr": _peer(SimCLR),
    "simclr-pml": _peer(LibrarySimCLR),
    "supervised": _peer(Supervised),
}

# Evaluation ----------------------------------------------------------------------------------


def evaluate(train: np.ndarray, test: np.ndarray, split: Split, seed: int, args) -> dict:
    """Accuracies of linear models on frozen features (n, d)."""
    scale = float(train.std()) or 1.0
    train, test = train / scale, test / scale
    pairs = (train, split.y_train, test, split.y_test)
    # BLAS threads that wait for each other made these small problems many times slower.
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return all_labels(*pairs, seed, args) | few_labels(*pairs, seed)


def all_labels(train, y_train, test, y_test, seed: int, args) -> dict:
    """Test accuracy of a LinearSVC, its C chosen on training samples."""
    order = np.random.RandomState(seed).permutation(len(train))
    tuned, rows = order[: args.tune_rows], order[: args.svm_rows]
    fit, held = train_test_split(tuned, test_size=0.2, stratify=y_train[tuned], random_state=seed)

    def validate(C: float) -> float:
        model = _svm(C, train.shape[1], len(fit)).fit(train[fit], y_train[fit])
        return model.score(train[held], y_train[held])

    scores = Parallel(args.threads, prefer="threads")(delayed(validate)(C) for C in SVM_C)
    C = SVM_C[int(np.argmax(scores))]
    model = _svm(C, train.shape[1], len(rows)).fit(train[rows], y_train[rows])
    return {"svm_all": model.score(test, y_test), "svm_C": C, "svm_rows": len(rows)}


def _svm(C: float, n_features: int, n_samples: int) -> LinearSVC:
    """Exact for small data, the primal with a loose tolerance for large."""
    if n_samples <= 5000:
        return LinearSVC(C=C, dual="auto", max_iter=5000, random_state=0)
    return LinearSVC(C=C, dual=n_features > n_samples, tol=1e-2, random_state=0)


def few_labels(train, y_train, test, y_test, seed: int) -> dict:
    """Test accuracies with few labels of each class, means over draws."""
    smallest = int(np.bincount(y_train).min())
    counts = [count for count in LABEL_COUNTS if count <= smallest]
    if not counts:
        return {"logistic": {}, "logistic_C": None, "svm_5": None}
    C = _choose_logistic(train, y_train, 10 if 10 in counts else counts[0], seed)
    logistic: dict[str, float] = {}
    for count in counts:
        draws = [draw_labels(y_train, count, seed, number) for number in range(DRAWS)]
        scores = [_logistic(C, train[d], y_train[d]).score(test, y_test) for d in draws]
        logistic[str(count)] = mean(scores)
    draws = [draw_labels(y_train, counts[0], seed, number) for number in range(DRAWS)]
    svms = [_svm(1.0, train.shape[1], len(d)).fit(train[d], y_train[d]) for d in draws]
    svm_5 = mean(svm.score(test, y_test) for svm in svms)
    return {"logistic": logistic, "logistic_C": C, "svm_5": svm_5}


def draw_labels(y: np.ndarray, count: int, seed: int, number: int) -> np.ndarray:
    """Indices of `count` samples of each class, the same for every method."""
    rng = np.random.RandomState([seed, count, number])
    chosen = [rng.choice(np.flatnonzero(y == c), count, replace=False) for c in np.unique(y)]
    return np.concatenate(chosen)


def _choose_logistic(train, y, count: int, seed: int) -> float:
    drawn = draw_labels(y, count, seed, DRAWS)
    others = np.setdiff1d(np.arange(len(y)), drawn)
    held = np.random.RandomState(seed).permutation(others)[:2000]
    scores = [_logistic(C, train[drawn], y[drawn]).score(train[held], y[held]) for C in LOGISTIC_C]
    return LOGISTIC_C[int(np.argmax(scores))]


def _logistic(C: float, X: np.ndarray, y: np.ndarray) -> LogisticRegression:
    return LogisticRegression(C=C, max_iter=300).fit(X, y)


# Running -------------------------------------------------------------------------------------


def run_method(method: str, seed: int, split: Split, args) -> dict:
    """Fit one method with one seed, and judge its features."""
    kind = layout_of(split.X_train).kind
    model = METHODS[method](Setting(args.budget, seed, kind, args.flip))
    load, wall, cpu = load_average(), time.perf_counter(), time.process_time()
    model.fit(split.X_train, split.y_train)
    fitted, cpu = time.perf_counter(), time.process_time() - cpu
    train, test = model.transform(split.X_train), model.transform(split.X_test)
    ended = time.perf_counter()
    judged = evaluate(train, test, split, seed, args)
    return {
        "method": method,
        "seed": seed,
        **judged,
        "n_features": train.shape[1],
        "steps": model.n_steps_ if hasattr(model, "n_steps_") else model.net_.clock_.steps,
        "fit_seconds": round(fitted - wall, 3),
        "fit_cpu_seconds": round(cpu, 3),
        "transform_seconds": round(ended - fitted, 3),
        "evaluation_seconds": round(time.perf_counter() - ended, 3),
        "load": load,
    }


def warm_up(methods: list[str], split: Split) -> None:
    """Train each method for a moment: torch loads parts of itself at the first step."""
    kind = layout_of(split.X_train).kind
    for method in methods:
        model = METHODS[method](Setting(0.01, 0, kind, flip=False))
        model.fit(split.X_train[:64], split.y_train[:64])


def run_all(args, path: Path) -> dict:
    """Run what is not done yet; the file is written after each method."""
    content = start_content(args, path)
    done = {(row["seed"], row["method"]) for row in content["results"]}
    run = {"command": command_line("benchmarks.representation"), "machine": describe_machine()}
    run |= {"started": time.strftime("%Y-%m-%d %H:%M"), "load_start": load_average()}
    content["runs"].append(run)
    warm_up(args.methods, load_split(args.data, args.folder, args.seeds[0]))
    for seed in args.seeds:
        split = load_split(args.data, args.folder, seed)
        content["shapes"] = {"train": split.X_train.shape, "test": split.X_test.shape}
        for method in args.methods:
            if (seed, method) in done:
                continue
            row = run_method(method, seed, split, args)
            content["results"].append(row)
            run["load_end"] = load_average()
            write_json(path, content)
            print(
                f"seed {seed}  {method:14s} {row['svm_all']:.4f}  {row['fit_seconds']:.1f} s",
                flush=True,
            )
    return content


def start_content(args, path: Path) -> dict:
    """An empty record, or with ``--resume`` the one in the file if its settings are ours."""
    settings = {name: getattr(args, name) for name in ("budget", "threads", "flip")}
    settings |= {name: getattr(args, name) for name in ("svm_rows", "tune_rows")}
    settings["data"] = Path(args.data).name
    if args.resume and path.is_file():
        content = json.loads(path.read_text())
        if content["settings"] != settings:
            raise SystemExit(
                f"{path.name} was made with {content['settings']}, not {settings}. Leave "
                "--resume out to start anew, or give another --out."
            )
        return content
    return {"settings": settings, "protocol": PROTOCOL, "shapes": {}, "runs": [], "results": []}


# Output --------------------------------------------------------------------------------------


def summarise(results: list[dict]) -> dict[str, dict[str, Figures]]:
    """For each method and column, mean and standard deviation over the seeds."""
    summary: dict[str, dict[str, Figures]] = {}
    for method in [name for name in METHODS if any(r["method"] == name for r in results)]:
        columns: dict[str, list[float]] = {}
        for row in (r for r in results if r["method"] == method):
            named = {"all": row["svm_all"], "svm 5": row["svm_5"]} | row["logistic"]
            named |= {"fit s": row["fit_seconds"], "steps": row["steps"]}
            for name, value in named.items():
                if value is not None:
                    columns.setdefault(name, []).append(value)
        summary[method] = {k: (mean(v), _spread(v)) for k, v in columns.items()}
    return summary


def _spread(values: list[float]) -> float | None:
    return stdev(values) if len(values) > 1 else None


def format_table(summary: dict) -> str:
    """Methods by columns; accuracies in per cent, with their standard deviation."""
    counts = [str(c) for c in LABEL_COUNTS if any(str(c) in row for row in summary.values())]
    names = ["all", "svm 5", *counts]
    head = "".join(f"{n if n in ('all', 'svm 5') else n + ' labels':>14s}" for n in names)
    lines = [f"{'method':14s}{head}{'fit s':>9s}{'steps':>8s}"]
    for method, row in summary.items():
        cells = [_per_cent(*row[name]) if name in row else "" for name in names]
        cost = f"{row['fit s'][0]:9.1f}{row['steps'][0]:8.0f}"
        lines.append(f"{method:14s}" + "".join(f"{cell:>14s}" for cell in cells) + cost)
    return "\n".join(lines)


def _per_cent(value: float, spread: float | None) -> str:
    return f"{100 * value:.2f}" + ("" if spread is None else f" ± {100 * spread:.2f}")


def draw(summary: dict, title: str, path: Path) -> None:
    """Accuracy with all labels, and against labels a class; the legend is the left axis."""
    try:
        import matplotlib
    except ImportError as error:
        raise ImportError(
            'The figure needs matplotlib: pip install "sk_infomax[bench]". The JSON file is '
            "complete without it."
        ) from error
    matplotlib.use("Agg")
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 1.6 + 0.3 * len(summary)), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=[1, 1.1])
    order = sorted(summary, key=lambda method: summary[method]["all"][0])
    for place, method in enumerate(order):
        draw_method(left, right, place, method, summary[method])
    left.set_yticks(range(len(order)), order)
    left.get_yticklabels()[order.index(OURS)].set_weight("bold") if OURS in order else None
    left.set(xlabel="accuracy (%)", title="All labels, LinearSVC")
    left.margins(x=0.12)
    right.set(
        xlabel="labels a class", ylabel="accuracy (%)", title="Few labels, logistic regression"
    )
    right.set_xscale("log")
    right.set_xticks(LABEL_COUNTS, [str(count) for count in LABEL_COUNTS])
    right.minorticks_off()
    handles, labels = right.get_legend_handles_labels()
    right.legend(handles[::-1], labels[::-1], loc="center left", bbox_to_anchor=(1, 0.5))
    for axes in (left, right):
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    figure.suptitle(title)
    figure.savefig(path, dpi=130)


def draw_method(left, right, place: int, method: str, row: dict) -> None:
    """One method in both panels, in the same style."""
    style = method_style(method)
    accuracy, spread = (100 * (value or 0.0) for value in row["all"])
    left.errorbar(accuracy, place, xerr=spread, capsize=3, **style)
    left.annotate(
        f"{accuracy:.1f}",
        (accuracy, place),
        (0, 6),
        textcoords="offset points",
        ha="center",
        fontsize=7,
        color=style["color"],
    )
    counts = [count for count in LABEL_COUNTS if str(count) in row]
    values = [100 * row[str(count)][0] for count in counts]
    right.plot(counts, values, label=method, **style)


def method_style(method: str) -> dict:
    """Ours thick and red, other Deep InfoMax blue, the others' own colours and dashes."""
    names = list(METHODS)
    marker = "osD^v<>PXph*d8"[names.index(method) % 14]
    if method == OURS:
        return {"color": "#c1121f", "marker": "o", "linewidth": 3, "markersize": 8, "zorder": 5}
    if method.startswith("dim-"):
        shades = ["#7fb3d8", "#1d3f66", "#2f6ea5", "#0096c7", "#5a7fbf", "#48a9a6"]
        rank = [name for name in names if name.startswith("dim-")].index(method)
        return {"color": shades[rank % 6], "marker": marker, "linewidth": 1.3, "markersize": 5}
    rest = [name for name in names if not name.startswith("dim-") and name != OURS]
    tones = ["#999999", "#5f5f5f", "#c9a227", "#2a9d4b", "#8338ec", "#c77dff", "#000000"]
    colour = tones[rest.index(method) % 7]
    return {"color": colour, "marker": marker, "linewidth": 1.3, "markersize": 5, "ls": "--"}


def parse_arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """Arguments of the command line, checked."""
    parser = argparse.ArgumentParser(
        "python -m benchmarks.representation", description=__doc__.partition("\n")[0]
    )
    add = parser.add_argument
    add("--data", default="digits", help="digits, fashion-mnist, cifar10 or FILE.npz")
    add("--folder", help="folder with the files of fashion-mnist or cifar10; else OpenML")
    add("--budget", type=float, default=60.0, help="seconds of training for each method")
    add("--seeds", type=int, nargs="+", default=[0, 1, 2])
    add("--methods", nargs="+", default=list(METHODS), choices=list(METHODS), metavar="NAME")
    add("--flip", action="store_true", help="let the views mirror images left to right")
    add("--threads", type=int, default=2)
    add("--svm-rows", type=int, default=30_000, help="training samples for the LinearSVC")
    add("--tune-rows", type=int, default=10_000, help="training samples for choosing its C")
    add("--out", type=Path, default=Path("benchmarks/results"))
    add("--resume", action="store_true", help="skip what the JSON file of --out already holds")
    args = parser.parse_args(argv)
    if args.data not in ("digits", "fashion-mnist", "cifar10") and not Path(args.data).is_file():
        parser.error(f"--data {args.data}: neither digits, fashion-mnist, cifar10 nor a file.")
    if args.budget <= 0:
        parser.error(f"--budget {args.budget}: must be above 0 seconds.")
    return args


def main() -> None:
    """Run, print the table, draw the figure."""
    args = parse_arguments()
    torch.set_num_threads(args.threads)
    name = f"representation-{Path(args.data).stem}-{args.budget:g}s{'-flip' * args.flip}"
    path = args.out / f"{name}.json"
    content = run_all(args, path)
    summary = content["summary"] = summarise(content["results"])
    write_json(path, content)
    print(format_table(summary))
    n_labels = max(row["svm_rows"] for row in content["results"])
    title = f"{Path(args.data).stem}: {args.budget:g} s of training; LinearSVC on {n_labels} labels"
    draw(summary, title, path.with_suffix(".png"))


if __name__ == "__main__":
    main()

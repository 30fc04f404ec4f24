"""The tables of the Deep InfoMax paper, made anew under a budget that is the same for all rows.

    python -m benchmarks.paper classification --data cifar10 --folder DIR --budget 90

Each row is trained without labels, kept in ``--models``, and measured; a run that was cut off goes
on with ``--resume``. ``README.md`` beside this file says how.
"""

import argparse
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import joblib
import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.svm import LinearSVC
from threadpoolctl import threadpool_limits

from sk_infomax import DeepInfoMaxTransformer
from sk_infomax.bounds import BOUNDS, Bound, InfoNCE
from sk_infomax.contexts import AutoregressiveContext, BlockContext
from sk_infomax.critics import DotCritic
from sk_infomax.datasets import READERS
from sk_infomax.evaluation import PerceptronClassifier, evaluate_representation
from sk_infomax.views import ImageViews

from . import describe_run, load_average, open_record, write_json
from ._exact import EXACT, EXACT_ENCODERS, exact_model
from ._models import BiGAN, Model, NoiseAsTargets, Recipe, Reconstruction, Variational
from ._split import Split, load_paper_split

LAYERS = {"conv": "feature_map", "fc": "hidden", "Y": "embedding"}
ENCODER_OF = {28: "basic28x28", 32: "basic32x32", 64: "basic64x64"}  # by the side, in pixels
_UNITS = 256  # of the critics: the paper's 2,048 take most of a small budget
_SECONDS = 90.0  # of training for each row, unless asked for otherwise
_RUNS = 5  # trainings of each row, as in the talk
_SVM_C = {"fc": 0.001, "Y": 0.1}  # the same for every row

# Rows ----------------------------------------------------------------------------------------


class FewerNegatives(Bound):
    """A bound that sees only some of the other samples of a batch.

    Parameters
    ----------
    bound : Bound
        What is maximised.
    count : int
        How many other samples each one is set against.
    """

    def __init__(self, bound: Bound, count: int):
        self.bound = bound
        self.count = count

    def start(self):
        """The bound's own running objective, on fewer scores."""
        objective = self.bound.start()
        return lambda joint, marginal: objective(joint, self._fewer(marginal))

    def _objective(self, joint, marginal):
        return self.bound.objective(joint, self._fewer(marginal))

    def _fewer(self, marginal):
        """Of scores (n, n - 1, m), those of the samples that follow each one in the batch."""
        n = len(marginal)
        own = torch.arange(n, device=marginal.device)[:, None]
        others = (own + torch.arange(1, self.count + 1, device=marginal.device)) % n
        return marginal[own, others - (others > own).long()]


def dim(recipe: Recipe, seed: int, **parameters) -> DeepInfoMaxTransformer:
    """Deep InfoMax as in the paper, but for what the recipe says; local with JSD by default."""
    common = {
        "encoder": recipe.encoder,
        "critic": DotCritic(recipe.units, recipe.units, normalize=False, temperature=1.0),
        "bound": "jsd",
        "views": 1,
        "prior": "uniform",
        "max_epochs": recipe.epochs or 10**6,
        "max_time": recipe.budget,
        "batch_size": recipe.batch_size,
        "optimizer": "adam",
        "lr": recipe.lr,
        "weight_decay": 0.0,
        "device": recipe.device,
        "random_state": seed,
    }
    return DeepInfoMaxTransformer(recipe.n_components, **common | parameters)


def _dim(**parameters) -> Callable:
    return lambda recipe, seed: dim(recipe, seed, **parameters)


def _model(cls: type[Model], **parameters) -> Callable:
    return lambda recipe, seed: cls(recipe, seed, **parameters)


def _bound(name: str) -> Bound:
    return InfoNCE(anchor="global") if name == "infonce" else BOUNDS[name]()


INFONCE = InfoNCE(anchor="global")
CROPS: dict[str, Any] = {"encoder": "crops", "bound": INFONCE, "prior": None}
COUNTS = (1, 4, 16, 63)
ROWS: dict[str, Callable] = {
    "VAE": _model(Variational),
    "AE": _model(Reconstruction),
    "beta-VAE": _model(Variational, beta=0.5),
    "AAE": _model(Reconstruction, prior_weight=0.1),
    "BiGAN": _model(BiGAN),
    "NAT": _model(NoiseAsTargets),
    "DIM(G)": _dim(global_weight=1.0, local_weight=0.0, prior_weight=1.0),
    "DIM(L) DV": _dim(bound="dv"),
    "DIM(L) JSD": _dim(),
    "DIM(L) InfoNCE": _dim(bound=INFONCE),
    "DIM(L+G)": _dim(global_weight=0.5),
    "two-view": _dim(
        views=2, augmentation=ImageViews(crop=0.4), bound="infonce", critic="dot", prior=None
    ),
    "DIM": _dim(**CROPS),
    "DIM 5x5 globals": _dim(**CROPS, context=BlockContext(3)),
    "CPC (GRU)": _dim(**CROPS, context=AutoregressiveContext("gru")),
    "CPC (masked convolution)": _dim(**CROPS, context=AutoregressiveContext("conv")),
    "occlusion": _dim(bound=INFONCE, occlusion=0.5),
    "coordinates": _dim(bound=INFONCE, coordinates="both"),
    "both": _dim(bound=INFONCE, occlusion=0.5, coordinates="both"),
    "DIM(L) JSD, no prior": _dim(prior=None),
    "DIM(L) JSD, MMD": _dim(prior="mmd"),
    **{
        f"{name} {count} negatives": _dim(bound=FewerNegatives(_bound(name), count))
        for name in ("dv", "jsd", "infonce")
        for count in COUNTS
    },
}

# What the paper reports for CIFAR-10 (Hjelm et al., ICLR 2019): accuracies in per cent.
PUBLISHED: dict[str, dict[str, float]] = {
    row: dict(zip(("mlp conv", "mlp fc", "mlp Y"), figures))
    for row, figures in {
        "VAE": (60.71, 60.54, 54.61),
        "AE": (62.19, 55.78, 54.47),
        "beta-VAE": (62.4, 57.89, 55.43),
        "AAE": (59.44, 57.19, 52.81),
        "BiGAN": (62.57, 62.74, 52.54),
        "NAT": (56.19, 51.29, 31.16),
        "DIM(G)": (52.2, 52.84, 43.17),
        "DIM(L) DV": (72.66, 70.60, 64.71),
        "DIM(L) JSD": (73.25, 73.62, 66.96),
        "DIM(L) InfoNCE": (75.21, 75.57, 69.13),
        "coordinates": (77.28, 73.89, 71.56),
        "occlusion": (76.77, 74.45, 72.87),
        "both": (77.27, 75.15, 73.99),
    }.items()
}
STRUCTURE_REFERENCE = {"mlp conv": 77.46, "mlp fc": 73.33, "mlp Y": 70.65}
"""DIM(L) InfoNCE in the paper's table of coordinates and occlusion."""


@dataclass(frozen=True)
class Table:
    """Rows that are set side by side, and what is measured of them."""

    rows: tuple[str, ...]
    measures: tuple[str, ...]
    columns: tuple[str, ...]
    published: dict[str, dict[str, float]] = field(default_factory=dict)


CLASSIFICATION = tuple(ROWS)[:10]
CPC = ("DIM", "DIM 5x5 globals", "CPC (GRU)", "CPC (masked convolution)")
MLP = tuple(f"mlp {layer}" for layer in LAYERS)
SVM = ("svm fc", "svm Y")
EXTENDED = ("svm Y", "mlp Y", "knn Y", "ms_ssim", "mine", "neural_dependency", "rank_me")
TABLES: dict[str, Table] = {
    "classification": Table(CLASSIFICATION, ("probes",), MLP + SVM, PUBLISHED),
    "cpc": Table(CPC, ("probes",), ("mlp conv", "mlp Y", "svm Y")),
    "structure": Table(
        ("DIM(L) InfoNCE", "coordinates", "occlusion", "both"),
        ("probes",),
        MLP + SVM,
        PUBLISHED | {"DIM(L) InfoNCE": STRUCTURE_REFERENCE},
    ),
    "extended": Table(
        ("AE", "VAE", "DIM(G)", "DIM(L) JSD", "DIM(L+G)", "two-view"),
        ("probes", "extended"),
        EXTENDED,
    ),
    "prior": Table(
        ("DIM(L) JSD", "DIM(L) JSD, no prior", "DIM(L) JSD, MMD"), ("probes",), MLP + SVM
    ),
    "negatives": Table(
        tuple(row for row in ROWS if row.endswith("negatives")),
        ("probes",),
        ("mlp Y", "svm fc", "svm Y"),
    ),
}

# Running -------------------------------------------------------------------------------------


def read_layers(model, X: np.ndarray) -> dict[str, np.ndarray]:
    """Features of images at each layer."""
    if not isinstance(model, DeepInfoMaxTransformer):
        return model.read_layers(X)
    output = model.output
    try:
        return {layer: model.set_params(output=name).transform(X) for layer, name in LAYERS.items()}
    finally:
        model.set_params(output=output)


def probed(split: Split, args) -> np.ndarray:
    """Rows of the training images that the probes learn from, the same for every row."""
    return np.random.RandomState(0).permutation(len(split.X_train))[: args.probe_rows]


def measure_probes(model, split: Split, seed: int, args) -> dict[str, float]:
    """Accuracies in per cent on the test images, of a perceptron and of a linear SVM.

    Features are divided by their standard deviation. The SVM of the widest layer would take as
    long as the training: it is left out.
    """
    rows = probed(split, args)
    train, test = (read_layers(model, X) for X in (split.X_train[rows], split.X_test))
    labels, found = (split.y_train[rows], split.y_test), {}
    for layer in LAYERS:
        if layer == "fc" and getattr(model, "context", None) is not None:
            continue  # several globals have no layer between
        scale = train[layer].std() or 1.0
        pair = train[layer] / scale, test[layer] / scale
        perceptron = PerceptronClassifier(max_steps=args.probe_steps, random_state=seed)
        perceptron.fit(pair[0], labels[0])
        found[f"mlp {layer}"] = 100 * perceptron.score(pair[1], labels[1])
        if layer != "conv":
            machine = LinearSVC(C=_SVM_C[layer], dual=False, tol=1e-2, random_state=seed)
            machine.fit(pair[0], labels[0])
            found[f"svm {layer}"] = 100 * machine.score(pair[1], labels[1])
    return found


def measure_extended(model, split: Split, seed: int, args) -> dict[str, float]:
    """What the extended table holds beside accuracies, of the embedding."""
    rows = probed(split, args)
    row = evaluate_representation(
        _Embedding(model),
        split.X_train[rows],
        split.y_train[rows],
        split.X_test,
        split.y_test,
        probes=("knn",),
        measures=("ms_ssim", "mine", "neural_dependency", "rank_me", "uniformity"),
        random_state=seed,
    )
    row["knn Y"] = 100 * row.pop("knn")
    return {name: float(value) for name, value in row.items() if not name.endswith("_std")}


class _Embedding:
    """A trained row as a transformer that gives the embedding."""

    def __init__(self, model):
        self.model = model

    def transform(self, X: np.ndarray) -> np.ndarray:
        return read_layers(self.model, X)["Y"]


MEASURES: dict[str, Callable] = {"probes": measure_probes, "extended": measure_extended}


def trained(row: str, seed: int, split: Split, args) -> tuple[Any, dict]:
    """The model of a row, from the folder of models or trained now, with what it cost."""
    recipe = Recipe(**recipe_of(args))
    words = "".join(c if c.isalnum() else "-" for c in row)
    limit = f"{args.budget or args.epochs or 0:g}"
    path = args.models / f"{args.name}-{limit}-{words}-{seed}.joblib"
    if path.is_file():
        kept_recipe, model, cost = joblib.load(path)
        if kept_recipe == recipe:
            return model, cost
    model = exact_model(row, recipe, seed) if recipe.exact else ROWS[row](recipe, seed)
    wall, cpu = time.perf_counter(), time.process_time()
    model.fit(split.X_train if split.X_unlabelled is None else split.X_unlabelled)
    cost = {
        "fit_seconds": round(time.perf_counter() - wall, 2),
        "fit_cpu_seconds": round(time.process_time() - cpu, 2),
        "steps": model.n_steps_ if isinstance(model, Model) else model.net_.clock_.steps,
        "load": load_average(),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    joblib.dump((recipe, model, cost), path)
    return model, cost


def recipe_of(args) -> dict:
    """Fields of the recipe, from the arguments."""
    names = ("encoder", "budget", "epochs", "lr", "batch_size", "units", "device")
    exact = {"exact": True} if args.exact else {}  # older records do not say that they are not
    return {"n_components": 64} | {name: getattr(args, name) for name in names} | exact


def encoder_for(X: np.ndarray, encoders: dict[int, str] = ENCODER_OF) -> str:
    """The paper's encoder for images (n, h, w) or (n, h, w, 3)."""
    encoder = encoders.get(X.shape[1]) if X.ndim > 2 and X.shape[1] == X.shape[2] else None
    if encoder is None:
        sides = ", ".join(f"{side}x{side}" for side in encoders)
        raise SystemExit(
            f"--data holds samples of shape {X.shape[1:]}, and the paper's encoders are for images "
            f"of {sides} pixels: give a folder of pictures, which are brought to 64x64."
        )
    return encoder


def run_table(name: str, content: dict, split: Split, args, path: Path) -> None:
    """Train and measure what the record lacks; it is written after each."""
    results = content["results"]
    for seed in args.seeds:
        for row in TABLES[name].rows:
            entry = results.setdefault(row, {}).setdefault(str(seed), {})
            missing = [m for m in TABLES[name].measures if m not in entry]
            if not missing or (args.rows and row not in args.rows):
                continue
            model, cost = trained(row, seed, split, args)
            entry["cost"] = cost
            for measure in [] if args.fit_only else missing:
                start = time.perf_counter()
                with threadpool_limits(args.threads), warnings.catch_warnings():
                    warnings.simplefilter("ignore", ConvergenceWarning)
                    entry[measure] = MEASURES[measure](model, split, seed, args)
                entry[measure]["seconds"] = round(time.perf_counter() - start, 1)
            write_json(path, content)
            print(f"{row:26s} seed {seed}  {_brief(entry)}", flush=True)


def _brief(entry: dict) -> str:
    found = entry.get("probes", {}) | entry.get("extended", {})
    words = [f"{key} {value:.2f}" for key, value in found.items() if key != "seconds"]
    return f"{entry['cost']['steps']} steps  " + "  ".join(words)


# Output --------------------------------------------------------------------------------------


def summarise(name: str, results: dict) -> dict[str, dict[str, tuple[float, float | None, int]]]:
    """Mean, standard deviation and number of seeds, for each row and column of a table."""
    summary: dict[str, dict[str, tuple[float, float | None, int]]] = {}
    for row in TABLES[name].rows:
        entries = results.get(row, {}).values()
        cells = {}
        for column in TABLES[name].columns:
            found = [
                entry[measure][column]
                for entry in entries
                for measure in MEASURES
                if column in entry.get(measure, {})
            ]
            if found:
                spread = stdev(found) if len(found) > 1 else None
                cells[column] = (mean(found), spread, len(found))
        if cells:
            summary[row] = cells
    return summary


def format_table(name: str, summary: dict) -> str:
    """Rows by columns; the paper's figure stands in brackets."""
    columns = [c for c in TABLES[name].columns if any(c in cells for cells in summary.values())]
    lines = [f"{name:26s}" + "".join(f"{column:>24s}" for column in columns)]
    for row, cells in summary.items():
        words = []
        for column in columns:
            value, spread, _ = cells.get(column, (None, None, 0))
            paper = TABLES[name].published.get(row, {}).get(column)
            text = "" if value is None else f"{value:.2f}"
            text += "" if spread is None else f" ± {spread:.2f}"
            words.append(text + ("" if paper is None else f" [{paper:.2f}]"))
        lines.append(f"{row:26s}" + "".join(f"{word:>24s}" for word in words))
    return "\n".join(lines)


def draw(name: str, summary: dict, title: str, path: Path) -> None:
    """One panel for each column, one bar for each row."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib.figure import Figure

    columns = [c for c in TABLES[name].columns if any(c in cells for cells in summary.values())]
    figure = Figure(figsize=(2.2 * len(columns) + 2.0, 1.3 + 0.32 * len(summary)))
    figure.set_layout_engine("constrained")
    panels = np.atleast_1d(figure.subplots(1, len(columns), sharey=True))
    rows = list(summary)[::-1]
    for axes, column in zip(panels, columns):
        cells = [summary[row].get(column, (np.nan, None, 0)) for row in rows]
        values, spreads = [cell[0] for cell in cells], [cell[1] or 0.0 for cell in cells]
        tones = ["#c1121f" if r.startswith(("two", "DIM")) else "#8a8a8a" for r in rows]
        axes.barh(rows, values, xerr=spreads, color=tones, height=0.7)
        low, high = np.nanmin(np.subtract(values, spreads)), np.nanmax(np.add(values, spreads))
        room = 0.25 * (high - low) or 1.0
        axes.set_xlim(max(0.0, low - 2 * room), high + 2 * room)
        for place, cell in enumerate(cells):
            if np.isfinite(cell[0]):
                axes.text(
                    cell[0] + spreads[place], place, f" {cell[0]:.3g}", va="center", fontsize=7
                )
        axes.set_title(column, fontsize=9)
        axes.tick_params(labelsize=8)
        axes.spines[["top", "right"]].set_visible(False)
    figure.suptitle(title, fontsize=10)
    figure.savefig(path, dpi=130)


def parse_arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """Arguments of the command line, checked."""
    parser = argparse.ArgumentParser(
        "python -m benchmarks.paper", description=__doc__.partition("\n")[0]
    )
    add = parser.add_argument
    add("tables", nargs="+", choices=list(TABLES), help="which tables to make")
    add(
        "--data",
        default="cifar10",
        help=f"{', '.join(READERS)}, a file FILE.npz, or a folder with one of pictures a class",
    )
    add("--folder", help="folder with the files of a set that has a name; else OpenML")
    add("--budget", type=float, help="seconds of training for each row; 90 if not --epochs")
    add("--epochs", type=int, help="passes over the data, in place of --budget")
    add("--seeds", type=int, nargs="+", default=list(range(_RUNS)), help="a training each")
    add("--rows", nargs="+", choices=list(ROWS), metavar="ROW", help="only these rows")
    add("--lr", type=float, default=1e-3, help="largest learning rate (the paper: 1e-4, constant)")
    add("--batch-size", type=int, default=64)
    add("--units", type=int, help=f"width of the critics; {_UNITS}, or the paper's if --exact")
    add(
        "--exact",
        action="store_true",
        help="the paper's recipe and, unless --budget or --epochs, its passes (sk_infomax.paper)",
    )
    add("--probe-rows", type=int, default=10_000, help="labelled images for the probes")
    add("--probe-steps", type=int, default=1000, help="most steps of the perceptron")
    add("--device", default="cpu", choices=["cpu", "cuda"])
    add("--threads", type=int, default=1)
    add("--models", type=Path, default=Path("benchmarks/models"), help="where models are kept")
    add("--fit-only", action="store_true", help="train and keep the models, measure nothing")
    add("--out", type=Path, default=Path("benchmarks/results"))
    add("--resume", action="store_true", help="go on from the JSON file of --out")
    args = parser.parse_args(argv)
    if args.data not in READERS and not Path(args.data).exists():
        parser.error(f"--data {args.data}: neither {', '.join(READERS)}, a file nor a folder.")
    args.name = args.data if args.data in READERS else Path(args.data).resolve().stem
    if args.budget is not None and args.epochs is not None:
        parser.error("--budget and --epochs exclude each other: give one.")
    if args.exact:
        args.name += "-exact"
        others = sorted(set(args.rows or ()) - EXACT.keys())
        if others:
            parser.error(f"--exact has no recipe for --rows {others[0]!r}: {', '.join(EXACT)}.")
        args.rows = args.rows or list(EXACT)
    else:
        args.units = args.units or _UNITS
        if args.budget is None and args.epochs is None:
            args.budget = _SECONDS
    if any(limit is not None and limit <= 0 for limit in (args.budget, args.epochs)):
        parser.error(f"--budget {args.budget}, --epochs {args.epochs}: must be above 0.")
    return args


def main() -> None:
    """Run, print the tables, draw them."""
    args = parse_arguments()
    torch.set_num_threads(args.threads)
    split = load_paper_split(args.data, args.folder, 0)
    args.encoder = encoder_for(split.X_train, EXACT_ENCODERS if args.exact else ENCODER_OF)
    path = args.out / f"paper-{args.name}.json"
    names = ("probe_rows", "probe_steps", "threads")
    settings = recipe_of(args) | {name: getattr(args, name) for name in names}
    empty: dict = {"settings": settings, "runs": [], "results": {}, "tables": {}}
    content = open_record(path, empty, args.resume, ("settings",))
    content["runs"].append(describe_run("benchmarks.paper"))
    limit = f"{args.budget:g} s" if args.budget else f"{args.epochs or 'all'} epochs"
    for name in args.tables:
        run_table(name, content, split, args, path)
        summary = content["tables"][name] = summarise(name, content["results"])
        write_json(path, content)
        if summary:
            print(format_table(name, summary))
            title = f"{args.name}: {limit} of training on {args.threads} thread(s) of {args.device}"
            draw(name, summary, title, args.out / f"paper-{args.name}-{name}.png")


if __name__ == "__main__":
    main()

"""How useful the features are: many methods, the same seconds of fit and transform.

    python -m benchmarks.representation --data digits --budgets 5 20 --seeds 0 1 2

Every method is fitted on the whole training set, without labels except for those called
supervised, and transforms it and the test set. The features are then frozen and judged by linear
models: with all labels, and with few of each class. ``README.md`` beside this file says how.
"""

import argparse
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from sk_infomax.datasets import READERS

from . import describe_run, load_average, open_record, write_json
from ._figures import draw, format_table, summarise
from ._judge import PROTOCOL, draw_labels, judge_draws, judge_features, label_counts
from ._methods import METHODS, Setting
from ._peers import DoesNotFit, layout_of
from ._split import Split, load_split

NAMES = ("digits", *READERS)
N_REHEARSED, MOMENT = 2048, 0.01

# One method ----------------------------------------------------------------------------------


def run_method(name: str, setting: Setting, split: Split, args) -> dict:
    """Fit one method with one seed, and judge it; or say why there is no place for it."""
    load = load_average()
    work = {"probe": run_features, "classifier": run_classifier, "few": run_draws}
    try:
        row = work[METHODS[name].judged](name, setting, split, args)
    except DoesNotFit as reason:
        row = {"skipped": str(reason)}
    return {"method": name, "seed": setting.seed, **row, "load": load}


def run_features(name: str, setting: Setting, split: Split, args) -> dict:
    """A method whose features are judged by linear models."""
    setting, rehearsed = plan(name, setting, split.X_train, split.y_train, split.X_test)
    model, watch = METHODS[name].make(setting), Laps()
    with threadpool_limits(args.threads):
        model.fit(split.X_train, split.y_train)
        watch.lap("fit")
        train, test = model.transform(split.X_train), model.transform(split.X_test)
        watch.lap("transform")
    row = describe(model) | {"n_features": train.shape[1]}
    judged = judge_features(train, test, split, setting.seed)
    watch.lap("evaluation")
    return judged | row | rehearsed | watch.row()


def run_classifier(name: str, setting: Setting, split: Split, args) -> dict:
    """A classifier: its predictions with all labels, and those with few of fresh ones."""
    setting = replace(setting, n_samples=len(split.X_test))
    model, watch = METHODS[name].make(setting), Laps()
    with threadpool_limits(args.threads):
        model.fit(split.X_train, split.y_train)
        watch.lap("fit")
        accuracy = float(np.mean(model.predict(split.X_test) == split.y_test))
        watch.lap("transform")
        judged = judge_draws(lambda: METHODS[name].make(setting), split, setting.seed)
    watch.lap("evaluation")
    return {"all": accuracy, "rows": model.n_rows_} | judged | describe(model) | watch.row()


def run_draws(name: str, setting: Setting, split: Split, args) -> dict:
    """A classifier for few labels only: each draw of labels trains one within the budget."""
    counts = label_counts(split.y_train)
    if not counts:
        raise DoesNotFit("A class has fewer than 5 samples.")
    setting = replace(setting, n_samples=len(split.X_test))
    drawn = draw_labels(split.y_train, counts[-1], setting.seed, 0)
    largest = split.X_train[drawn], split.y_train[drawn]
    setting, rehearsed = plan(name, setting, *largest, split.X_test)
    model, watch = METHODS[name].make(setting), Laps()
    model.fit(*largest)
    watch.lap("fit")
    model.predict(split.X_test)
    watch.lap("transform")
    judged = judge_draws(lambda: METHODS[name].make(setting), split, setting.seed)
    watch.lap("evaluation")
    return {"all": None} | judged | describe(model) | rehearsed | watch.row()


class Laps:
    """Wall-clock and processor seconds of named stretches of work."""

    def __init__(self):
        self.wall: dict[str, float] = {}
        self.cpu: dict[str, float] = {}
        self.start = time.perf_counter(), time.process_time()

    def lap(self, name: str) -> None:
        """End a stretch."""
        now = time.perf_counter(), time.process_time()
        self.wall[name], self.cpu[name] = (b - a for a, b in zip(self.start, now))
        self.start = now

    def row(self) -> dict[str, float]:
        """Figures for a result."""
        wall = {f"{name}_seconds": value for name, value in self.wall.items()}
        cpu = {f"{name}_cpu_seconds": value for name, value in self.cpu.items()}
        wall["seconds"] = self.wall["fit"] + self.wall["transform"]
        cpu["cpu_seconds"] = self.cpu["fit"] + self.cpu["transform"]
        return {name: round(value, 3) for name, value in (wall | cpu).items()}


def plan(name: str, setting: Setting, X, y, probe) -> tuple[Setting, dict]:
    """For what trains until its time is up: the seconds that all else leaves to training.

    A fit of a moment on the same samples shows what a fit costs beside training; some samples
    of `probe`, transformed once the network is warm, show what `transform` will cost.
    """
    if METHODS[name].pace != "clock":
        return setting, {}
    model, start = METHODS[name].make(replace(setting, budget=MOMENT)), time.perf_counter()
    model.fit(X, y)
    beside = max(0.0, time.perf_counter() - start - MOMENT)
    probe = probe[:N_REHEARSED]
    model.transform(probe)
    start = time.perf_counter()
    model.transform(probe)
    transform = (time.perf_counter() - start) / len(probe) * setting.n_samples
    left = setting.budget - beside - transform
    if left < 0.05 * setting.budget:
        raise DoesNotFit(
            f"Transforming {setting.n_samples} samples takes {transform:.1f} s and a fit without "
            f"training {beside:.1f} s of {setting.budget:g} s."
        )
    planned = {"planned_training": left, "planned_transform": transform}
    return replace(setting, budget=left), {k: round(v, 3) for k, v in planned.items()}


def describe(model: Any) -> dict:
    """Steps that a fitted model took, and what it says of its size."""
    steps = model.n_steps_ if hasattr(model, "n_steps_") else model.net_.clock_.steps
    return {"steps": steps, "notes": getattr(model, "notes_", {})}


# All methods ---------------------------------------------------------------------------------


def warm_up(methods: list[str], split: Split) -> None:
    """Run each method on little: libraries load and compile parts of themselves at first use."""
    X, y = split.X_train[:256], split.y_train[:256]
    kind = layout_of(X).kind
    for name in methods:
        seconds = MOMENT if METHODS[name].pace == "clock" else 60.0
        with suppress(DoesNotFit):
            model = METHODS[name].make(Setting(seconds, 0, kind, False, len(X)))
            model.fit(X, y)
            model.transform(X)


def run_budget(args, budget: float, path: Path, known: dict[tuple, dict]) -> dict:
    """Run what is not done yet; the file is written after each method.

    `known` holds the results that hold for any budget.
    """
    content = start_content(args, budget, path)
    done = {(row["seed"], row["method"]) for row in content["results"]}
    run = describe_run("benchmarks.representation") | {"load_start": load_average()}
    content["runs"].append(run)
    for seed in args.seeds:
        split = load_split(args.data, args.folder, seed)
        content["shapes"] = {"train": split.X_train.shape, "test": split.X_test.shape}
        n_samples = len(split.X_train) + len(split.X_test)
        setting = Setting(budget, seed, layout_of(split.X_train).kind, args.flip, n_samples)
        for name in args.methods:
            if (seed, name) not in done:
                row = known.get((seed, name)) or run_method(name, setting, split, args)
                content["results"].append(row)
                run["load_end"] = load_average()
                write_json(path, content)
                print(progress_line(budget, row), flush=True)
    free = [row for row in content["results"] if METHODS[row["method"]].pace == "free"]
    known.update({(row["seed"], row["method"]): row for row in free})
    return content


def progress_line(budget: float, row: dict) -> str:
    """What happened to one method."""
    head = f"{budget:g} s  seed {row['seed']}  {row['method']:18s}"
    if "skipped" in row:
        return f"{head} skipped: {row['skipped']}"
    accuracies = [row["all"], *row["few"].values()]
    shown = " ".join("     -" if value is None else f"{value:.4f}" for value in accuracies)
    return f"{head} {shown}  {row['seconds']:.1f} s"


def start_content(args, budget: float, path: Path) -> dict:
    """An empty record, or with ``--resume`` the one in the file if its settings are ours."""
    settings = {name: getattr(args, name) for name in ("threads", "flip")}
    settings |= {"budget": budget, "data": Path(args.data).stem}
    empty = {"settings": settings, "protocol": PROTOCOL, "runs": [], "results": []}
    content = open_record(path, empty, args.resume, ("settings", "protocol"))
    content["results"] = [row for row in content["results"] if "skipped" not in row]
    return content


# Command -------------------------------------------------------------------------------------


def parse_arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """Arguments of the command line, checked."""
    parser = argparse.ArgumentParser(
        "python -m benchmarks.representation", description=__doc__.partition("\n")[0]
    )
    add = parser.add_argument
    add("--data", default="digits", help=f"{', '.join(NAMES)} or FILE.npz")
    add("--folder", help="folder with the files of the data; else OpenML")
    add("--budgets", type=float, nargs="+", default=[60.0], help="seconds of fit and transform")
    add("--seeds", type=int, nargs="+", default=[0, 1, 2])
    add("--methods", nargs="+", default=list(METHODS), choices=list(METHODS), metavar="NAME")
    add("--flip", action="store_true", help="let the views mirror images left to right")
    add("--threads", type=int, default=1)
    add("--out", type=Path, default=Path("benchmarks/results"))
    add("--resume", action="store_true", help="skip what the JSON file of --out already holds")
    args = parser.parse_args(argv)
    if args.data not in NAMES and not Path(args.data).is_file():
        parser.error(f"--data {args.data}: neither {', '.join(NAMES)} nor a file.")
    if min(args.budgets) <= 0:
        parser.error(f"--budgets {min(args.budgets)}: must be above 0 seconds.")
    return args


def main() -> None:
    """For each budget run, print the table, draw the figure."""
    args = parse_arguments()
    torch.set_num_threads(args.threads)
    warm_up(args.methods, load_split(args.data, args.folder, args.seeds[0]))
    known: dict[tuple, dict] = {}
    stem, suffix, where = Path(args.data).stem, "-flip" * args.flip, ""
    if args.threads > 1:
        suffix += f"-{args.threads}-threads"
        where = f" on {args.threads} threads"
    for budget in args.budgets:
        path = args.out / f"representation-{stem}-{budget:g}s{suffix}.json"
        content = run_budget(args, budget, path, known)
        summary = content["summary"] = summarise(content["results"])
        write_json(path, content)
        print(format_table(summary))
        if summary:
            title = f"{stem}: {budget:g} s of fit and transform{where}"
            draw(summary, title, path.with_suffix(".png"))


if __name__ == "__main__":
    main()

"""What each part of the default for images is worth: one change at a time.

    python -m benchmarks.ablation --data fashion-mnist --folder DIR --seeds 0 1 2

Fitted on training images and judged on other training images; the test set is not touched.
"""

import argparse
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean, stdev
from typing import Any
from unittest import mock

import numpy as np
import torch
from sklearn.model_selection import train_test_split
from threadpoolctl import threadpool_limits

from sk_infomax import DeepInfoMaxTransformer, PatchEncoder
from sk_infomax.critics import BilinearCritic, DotCritic
from sk_infomax.datasets import READERS
from sk_infomax.encoders import _patch_dictionary
from sk_infomax.views import ImageViews

from . import describe_run, load_average, open_record, write_json
from ._judge import PROTOCOL, judge_features
from ._split import Split, load_split


@dataclass(frozen=True)
class Change:
    """How a row differs from the default.

    Attributes
    ----------
    parameters : dict
        Of `DeepInfoMaxTransformer`.
    views : dict
        Parameters of `ImageViews`.
    constants : dict
        Names in the module of the patch encoder that no parameter reaches.
    flip : bool
        Whether it is a change only where views mirror images.
    """

    parameters: dict[str, Any] = field(default_factory=dict)
    views: dict[str, Any] = field(default_factory=dict)
    constants: dict[str, Any] = field(default_factory=dict)
    flip: bool = False


def _one_polarity(stem, *args):
    codes = _BOTH(stem, *args)
    codes[..., len(stem.filters) :] = _patch_dictionary._LEAST_CODE
    return codes


def _random_filters(self, x, views, generator):
    """Random filters of the norms of the centres, in place of them."""
    _PREPARE(self, x, views, generator)
    drawn = torch.randn(self.filters.shape, generator=generator)
    drawn -= drawn.mean((1, 2, 3), keepdim=True)
    if self.mirrored:
        half = len(drawn) // 2
        drawn[half:] = drawn[:half].flip(-1)
    norms = self.filters.flatten(1).norm(dim=1).mean() / drawn.flatten(1).norm(dim=1)
    self.filters.copy_(drawn * norms[:, None, None, None])
    self.offset.zero_()
    self._find_channels(x[: _patch_dictionary._N_SCALED])


_BOTH, _PREPARE = (
    _patch_dictionary.PatchDictionary._codes,
    _patch_dictionary.PatchDictionary.prepare,
)

CHANGES: dict[str, Change] = {
    "default": Change(),
    # What transform gives
    "embedding alone": Change({"output": "embedding"}),
    "directions alone (nothing learned by steps)": Change({"output": "hidden"}),
    "64 components": Change({"n_components": 64}),
    "64 components, embedding alone": Change({"n_components": 64, "output": "embedding"}),
    # The dictionary and what follows in closed form
    "no dictionary: every layer learned": Change({"encoder": "strided"}),
    "random filters": Change(constants={"PatchDictionary.prepare": _random_filters}),
    "codes of one side of an image": Change({"encoder": PatchEncoder(mirrored=False)}, flip=True),
    "twice the filters, codes of one side": Change(
        {"encoder": PatchEncoder(256, mirrored=False)}, flip=True
    ),
    "32 filters": Change({"encoder": PatchEncoder(32)}),
    "256 filters": Change({"encoder": PatchEncoder(256)}),
    "codes of one polarity": Change(constants={"PatchDictionary._codes": _one_polarity}),
    "pools 1 and 2": Change(constants={"_POOLS": (1, 2)}),
    "pool 4 alone": Change(constants={"_POOLS": (4,)}),
    "threshold 0": Change(constants={"_THRESHOLD": 0.0}),
    "threshold 0.5": Change(constants={"_THRESHOLD": 0.5}),
    "directions by spread alone (one view)": Change({"views": 1}),
    "1,024 directions": Change({"encoder": PatchEncoder(n_directions=1024)}),
    # Objective
    "global term too": Change({"global_weight": 0.5}),
    "global term alone": Change({"global_weight": 1.0, "local_weight": 0.0}),
    "JSD": Change({"bound": "jsd"}),
    "DV": Change({"bound": "dv"}),
    "bilinear critic": Change({"critic": BilinearCritic()}),
    "temperature 0.05": Change({"critic": DotCritic(temperature=0.05)}),
    "temperature 0.3": Change({"critic": DotCritic(temperature=0.3)}),
    "occlusion of the global view": Change({"occlusion": 0.3}),
    # Views
    "crops from 0.4": Change(views={"crop": 0.4}),
    "crops from 0.8": Change(views={"crop": 0.8}),
    "no change of contrast": Change(views={"contrast": 0.0}),
    # Optimisation
    "rate 0.001": Change({"lr": 1e-3}),
    "rate 0.01": Change({"lr": 1e-2}),
    "batches of 256": Change({"batch_size": 256}),
    "constant rate": Change({"lr_schedule": "constant"}),
}
COUNTS = ("10", "100")  # labels a class


def load_validation(args, seed: int) -> Split:
    """Training images to learn from and others to judge on, without the test set."""
    whole = load_split(args.data, args.folder, 0)
    rows = args.train_rows, args.held_out_rows
    train, held_out = train_test_split(
        np.arange(len(whole.X_train)),
        train_size=rows[0], test_size=rows[1], stratify=whole.y_train, random_state=seed,
    )  # fmt: skip
    X, y = whole.X_train, whole.y_train
    return Split(X[train], y[train], X[held_out], y[held_out])


def run_change(name: str, split: Split, seed: int, args) -> dict:
    """Fit the default with one change, and judge its features."""
    change, load = CHANGES[name], load_average()
    views = ImageViews(**({"flip": args.flip} | change.views))
    parameters = {"max_epochs": args.epochs, "augmentation": views} | change.parameters
    start = time.process_time()
    with ExitStack() as changed:
        changed.enter_context(threadpool_limits(args.threads))
        for constant, value in change.constants.items():
            changed.enter_context(mock.patch(f"{_patch_dictionary.__name__}.{constant}", value))
        dim = DeepInfoMaxTransformer(device="cpu", random_state=seed, **parameters)
        train, test = dim.fit_transform(split.X_train), dim.transform(split.X_test)
    seconds = time.process_time() - start
    judged = judge_features(train, test, split, seed)
    row = {"n_features": train.shape[1], "cpu_seconds": round(seconds, 1), "load": load}
    return {"change": name, "seed": seed} | judged | row


def summarise(results: list[dict]) -> dict[str, dict]:
    """For each change: means; differences to the default of the same seed and their spread."""
    base = {row["seed"]: row for row in results if row["change"] == "default"}
    summary: dict[str, dict] = {}
    for name in dict.fromkeys(row["change"] for row in results):
        rows = [row for row in results if row["change"] == name]
        cells = summary[name] = {"seeds": len(rows), "features": rows[0]["n_features"]}
        cells["cpu_seconds"] = mean(row["cpu_seconds"] for row in rows)
        for key in columns_of(results):
            values = [(row["seed"], _accuracy(row, key)) for row in rows]
            gains = [v - _accuracy(base[seed], key) for seed, v in values if seed in base]
            spread = stdev(gains) if len(gains) > 1 else None
            cells[key] = [mean(v for _, v in values), mean(gains) if gains else None, spread]
    return summary


def columns_of(results: list[dict]) -> list[str]:
    """All labels, and of 10 and 100 a class what every result has."""
    counts = [key for key in COUNTS if all(key in row["few"] for row in results)]
    return ["all", *counts]


def _accuracy(row: dict, key: str) -> float:
    return 100 * (row["all"] if key == "all" else row["few"][key])


def format_table(summary: dict[str, dict]) -> str:
    """A table in Markdown; accuracy in per cent, the difference to the default in points."""
    keys = [key for key in ("all", *COUNTS) if key in next(iter(summary.values()))]
    titles = ["all labels" if key == "all" else f"{key} a class" for key in keys]
    head = f"| change | columns | {' | '.join(titles)} | CPU seconds |"
    lines = [head, "|---" * (3 + len(keys)) + "|"]
    for name, cells in summary.items():
        shown = []
        for key in keys:
            value, gain, spread = cells[key]
            if name == "default" or gain is None:
                shown.append(f"{value:.1f}")
            else:
                shown.append(f"{gain:+.1f}" + ("" if spread is None else f" ± {spread:.1f}"))
        figures = " | ".join(shown)
        lines.append(f"| {name} | {cells['features']:,} | {figures} | {cells['cpu_seconds']:.0f} |")
    return "\n".join(lines)


def parse_arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """Arguments of the command line, checked."""
    parser = argparse.ArgumentParser(
        "python -m benchmarks.ablation", description=__doc__.partition("\n")[0]
    )
    add = parser.add_argument
    add("--data", default="fashion-mnist", choices=list(READERS))
    add("--folder", help="folder with the files of the data; else OpenML")
    add("--changes", nargs="+", choices=list(CHANGES), default=list(CHANGES), metavar="CHANGE")
    add("--seeds", type=int, nargs="+", default=[0, 1, 2])
    add("--epochs", type=int, default=2)
    add("--train-rows", type=int, default=20_000)
    add("--held-out-rows", type=int, default=10_000)
    add("--flip", action="store_true", help="let the views mirror images left to right")
    add("--threads", type=int, default=1)
    add("--out", type=Path, default=Path("benchmarks/results"))
    add("--resume", action="store_true", help="skip what the JSON file of --out already holds")
    args = parser.parse_args(argv)
    if args.train_rows < 50:
        parser.error(f"--train-rows {args.train_rows}: give 50 or more, 5 of each class.")
    return args


def main() -> None:
    """Run each change with each seed, print the table, write the JSON."""
    args = parse_arguments()
    torch.set_num_threads(args.threads)
    path = args.out / f"ablation-{args.data}{'-flip' * args.flip}.json"
    names = ("data", "epochs", "train_rows", "held_out_rows", "flip", "threads")
    settings = {name: getattr(args, name) for name in names}
    empty = {"settings": settings, "protocol": PROTOCOL, "runs": [], "results": [], "summary": {}}
    content = open_record(path, empty, args.resume, ("settings", "protocol"))
    content["runs"].append(describe_run("benchmarks.ablation"))
    done = {(row["seed"], row["change"]) for row in content["results"]}
    for seed in args.seeds:
        split = load_validation(args, seed)
        for name in args.changes:
            if (seed, name) not in done and args.flip >= CHANGES[name].flip:
                row = run_change(name, split, seed, args)
                content["results"].append(row)
                content["summary"] = summarise(content["results"])
                write_json(path, content)
                few = " ".join(f"{value:.4f}" for value in row["few"].values())
                print(f"seed {seed}  {name:45s} {row['all']:.4f} {few}", flush=True)
    print(format_table(content["summary"]))


if __name__ == "__main__":
    main()

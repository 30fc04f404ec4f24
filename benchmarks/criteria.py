"""Which criteria without labels rank fitted models as a linear probe does.

    python -m benchmarks.criteria --data fashion-mnist --folder DIR

Settings are drawn at random, fitted, and judged on images that no fit saw. ``README.md`` beside
this file says what is compared.
"""

import argparse
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from scipy.stats import spearmanr
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning

from sk_infomax import DeepInfoMaxTransformer
from sk_infomax.critics import BilinearCritic, Critic, DotCritic
from sk_infomax.datasets import load_fashion_mnist
from sk_infomax.evaluation import alignment, mine, neural_dependency, probe, rank_me, uniformity
from sk_infomax.views import ImageViews

from . import describe_run, load_average, open_record, write_json

# Settings ------------------------------------------------------------------------------------

CRITICS: dict[str, Critic] = {
    "dot, temperature 0.05": DotCritic(temperature=0.05),
    "dot, temperature 0.1": DotCritic(),
    "dot, temperature 0.3": DotCritic(temperature=0.3),
    "dot, not normalised": DotCritic(normalize=False, temperature=1.0),
    "bilinear": BilinearCritic(),
}
USUAL_VIEWS = ImageViews(crop=0.4)
AUGMENTATIONS: dict[str, ImageViews | None] = {
    "none": None,
    "weak": ImageViews(crop=0.8, contrast=0.1),
    "default": USUAL_VIEWS,
    "strong": ImageViews(crop=0.15, contrast=0.8, occlusion=0.3),
}
PRIORS: dict[str, dict] = {
    "none": {},
    "uniform, weight 0.1": {"prior": "uniform", "prior_weight": 0.1},
    "uniform, weight 1": {"prior": "uniform", "prior_weight": 1.0},
    "normal, weight 0.1": {"prior": "normal", "prior_weight": 0.1},
}
OTHER_BOUNDS = ("dv", "jsd", "nwj")
CHOICES: dict[str, list] = {
    "views": [1, 2],
    "critic": list(CRITICS),
    "weights": [[0.0, 1.0], [0.5, 1.0], [1.0, 0.0]],
    "prior": ["none", "none", "none", *list(PRIORS)[1:]],
    "lr": [3e-4, 1e-3, 3e-3, 1e-2],
    "epochs": [1, 2, 3],
    "augmentation": ["weak", "default", "strong"],
}


def draw_settings(count: int, seed: int) -> list[dict]:
    """Settings at random, every other one with InfoNCE; one view is changed weakly or not."""
    rng = np.random.RandomState(seed)
    drawn = []
    for number in range(count):
        setting = {name: known[rng.randint(len(known))] for name, known in CHOICES.items()}
        other = OTHER_BOUNDS[number // 2 % len(OTHER_BOUNDS)]
        setting["bound"] = other if number % 2 else "infonce"
        if setting["views"] == 1:
            setting["augmentation"] = "none" if rng.rand() < 0.5 else "weak"
        drawn.append(setting)
    return drawn


def build(setting: dict, args) -> DeepInfoMaxTransformer:
    """The transformer of a setting."""
    return DeepInfoMaxTransformer(
        64,
        encoder="strided",
        output="embedding",
        bound=setting["bound"],
        critic=CRITICS[setting["critic"]],
        views=setting["views"],
        augmentation=AUGMENTATIONS[setting["augmentation"]],
        global_weight=setting["weights"][0],
        local_weight=setting["weights"][1],
        lr=setting["lr"],
        max_epochs=setting["epochs"] * args.epochs_factor,
        device="cpu",
        random_state=args.seed,
        **PRIORS[setting["prior"]],
    )


# Images --------------------------------------------------------------------------------------


class Split:
    """Images to train on and held-out ones with labels, and two views of the latter."""

    def __init__(self, args):
        if args.data == "digits":
            images, labels = load_digits(return_X_y=True)
            images = np.round(images.reshape(-1, 8, 8) * (255 / 16)).astype(np.uint8)
            order = np.random.RandomState(0).permutation(len(images))
            half = len(order) // 2
            train, test = order[:half][: args.train_rows], order[half:][: args.test_rows]
            self.X, self.y, self.X_test, self.y_test = (
                images[train], labels[train], images[test], labels[test],
            )  # fmt: skip
        else:
            X, y, X_test, y_test = load_fashion_mnist(args.folder)
            rows = np.random.RandomState(0).permutation(len(X))[: args.train_rows]
            held_out = np.random.RandomState(0).permutation(len(X_test))[: args.test_rows]
            self.X, self.y = X[rows], y[rows]
            self.X_test, self.y_test = X_test[held_out], y_test[held_out]
        self.views = tuple(make_view(self.X_test, seed) for seed in (1, 2))


def make_view(images: np.ndarray, seed: int) -> np.ndarray:
    """The usual random change of bytes (n, h, w), in bytes."""
    values = torch.from_numpy(images[:, None].astype(np.float32) / 127.5 - 1)
    changed = USUAL_VIEWS(values, torch.Generator().manual_seed(seed))
    return ((changed[:, 0].clamp(-1, 1) + 1) * 127.5).round().byte().numpy()


# Criteria ------------------------------------------------------------------------------------

CRITERIA: dict[str, tuple[str, Callable]] = {
    "bound": ("bound (nats)", lambda dim, split, args: dim.score(split.X_test)),
    "train_loss": ("minus training loss", lambda dim, *_: -dim.history_[-1]["train_loss"]),
    "rank_me": ("RankMe", lambda dim, split, args: rank_me(dim, split.X_test)),
    "uniformity": ("uniformity", lambda dim, split, args: uniformity(dim, split.X_test)),
    "alignment": ("alignment of two views", lambda dim, split, args: alignment(dim, *split.views)),
    "neural_dependency": (
        "minus dependence (nats)",
        lambda dim, split, args: (
            -neural_dependency(dim, split.X_test, max_steps=args.dependence_steps)
        ),
    ),
    "mine": (
        "MINE (nats)",
        lambda dim, split, args: mine(dim, split.X_test, max_steps=args.mine_steps, device="cpu"),
    ),
}
"""What is set against the probe, with its label; of each, the larger value is the better one."""


GROUPS: list[tuple[str, Callable]] = [
    ("all", lambda setting: True),
    ("infonce", lambda setting: setting["bound"] == "infonce"),
    ("lr >= 0.001", lambda setting: setting["lr"] >= 1e-3),
]


def judge(setting: dict, split: Split, args) -> dict:
    """Fit a setting, probe it, and take the criteria; a fit that fails says why."""
    start = time.process_time()
    row: dict = {"setting": setting}
    try:
        dim = build(setting, args).fit(split.X)
    except FloatingPointError as error:
        return row | {"failed": str(error)}
    row["fit_cpu_seconds"] = round(time.process_time() - start, 2)
    row["probe"] = probe(
        None, dim.transform(split.X), split.y, dim.transform(split.X_test), split.y_test, "svm",
        random_state=args.seed,
    ).accuracy  # fmt: skip
    row["criteria"], row["criteria_cpu_seconds"] = {}, {}
    for name, (_, measure) in CRITERIA.items():
        start = time.process_time()
        row["criteria"][name] = float(measure(dim, split, args))
        row["criteria_cpu_seconds"][name] = round(time.process_time() - start, 2)
    return row


def summarise(rows: list[dict], repeats: int) -> dict:
    """Rank correlation of each criterion with the probe, and what the criterion would choose."""
    groups = {name: [row for row in rows if within(row["setting"])] for name, within in GROUPS}
    summary: dict = {}
    for group, members in groups.items():
        if len(members) < 3:
            continue
        accuracy = np.array([row["probe"] for row in members])
        summary[group] = {
            "settings": len(members),
            "best": float(accuracy.max()),
            "median": float(np.median(accuracy)),
            "criteria": {},
        }
        for name in CRITERIA:
            values = np.array([row["criteria"][name] for row in members])
            low, high = bootstrap(values, accuracy, repeats)
            summary[group]["criteria"][name] = {
                "spearman": float(spearmanr(values, accuracy).statistic),
                "interval": [low, high],
                "probe_of_chosen": float(accuracy[values.argmax()]),
            }
    return summary


def bootstrap(values: np.ndarray, accuracy: np.ndarray, repeats: int) -> tuple[float, float]:
    """Percentile interval of 95 % of the rank correlation, over draws of the settings."""
    rng, found = np.random.RandomState(0), []
    for _ in range(repeats):
        rows = rng.randint(len(values), size=len(values))
        if np.ptp(values[rows]) > 0 and np.ptp(accuracy[rows]) > 0:
            found.append(spearmanr(values[rows], accuracy[rows]).statistic)
    low, high = np.percentile(found, [2.5, 97.5]) if found else (np.nan, np.nan)
    return float(low), float(high)


# Output --------------------------------------------------------------------------------------


def format_table(summary: dict) -> str:
    """Criteria by groups of settings."""
    lines = []
    for group, content in summary.items():
        best, median = (100 * content[name] for name in ("best", "median"))
        lines.append(
            f"{group}: {content['settings']} settings, probe {median:.1f} % in the median and "
            f"{best:.1f} % at best"
        )
        for name, cell in content["criteria"].items():
            low, high = cell["interval"]
            lines.append(
                f"  {name:20s}{cell['spearman']:+.2f} [{low:+.2f}, {high:+.2f}]"
                f"   chosen {100 * cell['probe_of_chosen']:.1f} %"
            )
    return "\n".join(lines)


def draw(rows: list[dict], summary: dict, title: str, path: Path) -> None:
    """One scatter for each criterion."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 6.4), layout="constrained")
    panels = figure.subplots(2, 4, sharey=True).ravel()
    tones = {"infonce": "#c1121f", "dv": "#1d3f66", "jsd": "#0096c7", "nwj": "#d98200"}
    for axes, (name, (label, _)) in zip(panels, CRITERIA.items()):
        for bound, tone in tones.items():
            for views, marker in ((1, "s"), (2, "o")):
                points = [
                    (row["criteria"][name], 100 * row["probe"])
                    for row in rows
                    if (row["setting"]["bound"], row["setting"]["views"]) == (bound, views)
                ]
                style = {"color": tone, "marker": marker, "alpha": 0.8, "s": 24, "linewidths": 0}
                axes.scatter(*np.reshape(points, (-1, 2)).T, label=f"{bound}, {views}", **style)
        cells = [summary[group]["criteria"][name]["spearman"] for group in ("all", "infonce")]
        axes.set_title(f"all {cells[0]:+.2f}, InfoNCE {cells[1]:+.2f}", fontsize=9)
        axes.set_xlabel(label)
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    for axes in panels[::4]:
        axes.set_ylabel("linear probe (%)")
    panels[-1].axis("off")
    handles, labels = panels[0].get_legend_handles_labels()
    panels[-1].legend(handles, labels, title="bound, views", loc="center", frameon=False)
    figure.suptitle(title, fontsize=11)
    figure.savefig(path, dpi=120)


def parse_arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """Arguments of the command line."""
    parser = argparse.ArgumentParser(
        "python -m benchmarks.criteria", description=__doc__.partition("\n")[0]
    )
    add = parser.add_argument
    add("--data", default="fashion-mnist", choices=["fashion-mnist", "digits"])
    add("--folder", help="folder with the files of Fashion-MNIST; else OpenML")
    add("--settings", type=int, default=44, help="how many settings to draw")
    add("--seed", type=int, default=0, help="of the settings, the fits and the probe")
    add("--train-rows", type=int, default=6000)
    add("--test-rows", type=int, default=3000)
    add("--epochs-factor", type=int, default=1, help="multiplies the epochs of all settings")
    add("--dependence-steps", type=int, default=50)
    add("--mine-steps", type=int, default=200)
    add("--draws", type=int, default=2000, help="draws of settings behind each interval")
    add("--threads", type=int, default=1)
    add("--out", type=Path, default=Path("benchmarks/results"))
    add("--resume", action="store_true", help="go on from the JSON file of --out")
    args = parser.parse_args(argv)
    if args.settings < 6:
        parser.error(f"--settings {args.settings}: give 6 or more, to rank three with InfoNCE.")
    return args


def start(path: Path, args) -> dict:
    """The record to go on from, or a new one."""
    names = ("data", "seed", "train_rows", "test_rows", "epochs_factor")
    names += ("dependence_steps", "mine_steps", "threads")
    arguments = {name: getattr(args, name) for name in names}
    empty: dict = {"arguments": arguments, "runs": [], "summary": {}, "results": {}}
    content = open_record(path, empty, args.resume, ("arguments",))
    content["runs"].append(describe_run("benchmarks.criteria") | {"load": load_average()})
    return content


def main() -> None:
    """Run, print the table, draw it."""
    args = parse_arguments()
    torch.set_num_threads(args.threads)
    warnings.simplefilter("ignore", ConvergenceWarning)
    path = args.out / f"criteria-{args.data}.json"
    content, split = start(path, args), Split(args)
    for number, setting in enumerate(draw_settings(args.settings, args.seed)):
        if str(number) not in content["results"]:
            row = content["results"][str(number)] = judge(setting, split, args)
            write_json(path, content)
            accuracy = f"{100 * row['probe']:.1f} %" if "probe" in row else "failed"
            print(f"{number:3d} {accuracy}  {row.get('criteria')}", flush=True)
    rows = [row for row in content["results"].values() if "probe" in row]
    content["summary"] = summarise(rows, args.draws)
    write_json(path, content)
    print(format_table(content["summary"]))
    title = f"{args.data}: rank correlation with a linear probe over {len(rows)} fitted settings"
    draw(rows, content["summary"], title, path.with_suffix(".png"))


if __name__ == "__main__":
    main()

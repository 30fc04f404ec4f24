"""Accuracy against seconds and against labels, from the results of several budgets.

    python -m benchmarks.curves --data fashion-mnist --budget 60

Reads ``representation-DATA-*s.json`` of ``benchmarks.representation`` and draws one picture for
each data set: left, accuracy with all labels against the seconds that fit and transform took;
right, accuracy against labels a class at one budget. Ours is at each budget the preset with the
largest dictionary that fits.
"""

import argparse
import json
import re
from pathlib import Path

from ._figures import draw_few, label_ends, method_style, new_figure, summarise
from ._methods import METHODS, OURS

LARGER = (f"{OURS}-768-filters", f"{OURS}-accurate", f"{OURS}-balanced")
SHOWN = (
    "raw",
    "pca",
    "nystroem",
    "patch-dictionary",
    "patch-dictionary-mirrored",
    "random-convolution",
    "umap",
    "rbf-svm",
    "untrained",
    "autoencoder",
    "two-view",
    "simclr",
    "vicreg",
    "barlow-twins",
    "supervised",
    "supervised-few",
)


def read_budgets(folder: Path, data: str, methods: list[str]) -> dict[float, dict]:
    """For each budget with a file of this data set (``-flip`` included in its name): a summary."""
    name, flip = data.removesuffix("-flip"), "-flip" if data.endswith("-flip") else ""
    pattern = re.compile(rf"representation-{re.escape(name)}-([\d.e+-]+)s{flip}\.json")
    found: dict[float, dict] = {}
    for path in sorted(folder.glob("representation-*.json")):
        match = pattern.fullmatch(path.name)
        if match:
            results = json.loads(path.read_text())["results"]
            if any("few" not in row and "skipped" not in row for row in results):
                print(f"{path.name} is of an older format and is left out.")
                continue
            summary = summarise(results)
            largest = next((preset for preset in LARGER if preset in summary), OURS)
            if largest in summary:
                summary[OURS] = summary[largest]
            found[float(match[1])] = {name: summary[name] for name in methods if name in summary}
    if not found:
        raise SystemExit(
            f"{folder.name} holds no results of {data}: run python -m benchmarks.representation "
            f"--data {name} --budgets 15 60 300 first."
        )
    return dict(sorted(found.items()))


def draw_seconds(axes, summaries: dict[float, dict]) -> None:
    """Accuracy with all labels against seconds; a method that no budget changes is a point."""
    lines: dict[str, tuple[list[float], list[float]]] = {}
    for summary in summaries.values():
        for method, row in summary.items():
            if "all" in row:
                seconds, accuracies = lines.setdefault(method, ([], []))
                if METHODS[method].pace == "free" and seconds:
                    continue
                seconds.append(row["seconds"][0])
                accuracies.append(100 * row["all"][0])
    for method, line in lines.items():
        axes.plot(*line, **method_style(method))
    for budget in summaries:
        axes.axvline(budget, color="#000000", alpha=0.12, linewidth=1, zorder=0)
    axes.set_xscale("log")
    axes.set_xticks([1, *summaries], ["1", *(f"{budget:g}" for budget in summaries)])
    axes.minorticks_off()
    axes.set(xlabel="seconds of fit and transform", ylabel="accuracy (%)", title="All labels")
    label_ends(axes, lines)


def draw(summaries: dict[float, dict], budget: float, title: str, path: Path) -> None:
    """Both panels of one data set."""
    names = {method for summary in summaries.values() for method in summary}
    figure, (left, right) = new_figure((13.5, max(5.0, 1.5 + 0.3 * len(names))), [1, 1])
    draw_seconds(left, summaries)
    draw_few(right, summaries[budget])
    right.set_title(f"Few labels, {budget:g} s")
    figure.suptitle(f"{title} (two-view: ours, the largest preset that fits the budget)")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130)
    print(f"{path.name}: budgets {', '.join(f'{b:g}' for b in summaries)} s")


def parse_arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """Arguments of the command line."""
    parser = argparse.ArgumentParser(
        "python -m benchmarks.curves", description=__doc__.partition("\n")[0]
    )
    add = parser.add_argument
    add("--data", nargs="+", default=["fashion-mnist"], help="DATA or DATA-flip, as in the files")
    add("--results", type=Path, default=Path("benchmarks/results"), help="folder of the files")
    add("--budget", type=float, help="budget of the right panel; by default the largest")
    add("--methods", nargs="+", default=list(SHOWN), choices=list(METHODS), metavar="NAME")
    add("--out", type=Path, default=Path("benchmarks/results"), help="folder of the pictures")
    return parser.parse_args(argv)


def main() -> None:
    """One picture for each data set."""
    args = parse_arguments()
    for data in args.data:
        summaries = read_budgets(args.results, data, args.methods)
        budget = max(summaries) if args.budget is None else args.budget
        if budget not in summaries:
            known = ", ".join(f"{b:g}" for b in summaries)
            raise SystemExit(f"--budget {budget:g}: {data} has results for {known} s.")
        draw(summaries, budget, data, args.out / f"curves-{data}.png")


if __name__ == "__main__":
    main()

"""Table and figure of one run of `representation.py`, and the looks of the methods."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean, stdev

from ._judge import LABEL_COUNTS
from ._methods import METHODS, OURS

Figures = tuple[float, float | None]  # mean and standard deviation over the seeds
Line = tuple[Sequence[float], Sequence[float]]
CLASSICAL = {
    "raw": "#9a9a9a",
    "pca": "#6f6f6f",
    "pca-64": "#b08968",
    "nystroem": "#8a6d1b",
    "patch-dictionary": "#d98200",
    "patch-dictionary-mirrored": "#a65e00",
    "random-convolution": "#e0b04c",
    "umap": "#7a5c48",
    "rbf-svm": "#4f5d2f",
}
NETWORKS = {
    "untrained": "#aab7b8",
    "autoencoder": "#2a9d4b",
    "autoencoder-64": "#86c99a",
    "simclr": "#6a2fc2",
    "simclr-pml": "#b388eb",
    "vicreg": "#d05ce3",
    "barlow-twins": "#0b8f8f",
    "supervised": "#000000",
    "supervised-few": "#444444",
}
SHADES = ["#7fb3d8", "#1d3f66", "#2f6ea5", "#0096c7", "#5a7fbf", "#48a9a6"]
MARKERS = "osD^v<>PXph*d8"

# Table ---------------------------------------------------------------------------------------


def summarise(results: list[dict]) -> dict[str, dict[str, Figures]]:
    """For each method and column, mean and standard deviation over the seeds."""
    results = [row for row in results if "skipped" not in row]
    summary: dict[str, dict[str, Figures]] = {}
    for method in [name for name in METHODS if any(r["method"] == name for r in results)]:
        columns: dict[str, list[float]] = {}
        for row in (r for r in results if r["method"] == method):
            named = {"all": row["all"], "svm 5": row["svm_5"]} | row["few"]
            named |= {name: row[name] for name in ("seconds", "cpu_seconds", "steps")}
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
    lines = [f"{'method':18s}{head}{'seconds':>9s}{'steps':>8s}"]
    for method, row in summary.items():
        cells = [_per_cent(*row[name]) if name in row else "" for name in names]
        cost = f"{row['seconds'][0]:9.1f}{row['steps'][0]:8.0f}"
        lines.append(f"{method:18s}" + "".join(f"{cell:>14s}" for cell in cells) + cost)
    return "\n".join(lines)


def _per_cent(value: float, spread: float | None) -> str:
    return f"{100 * value:.2f}" + ("" if spread is None else f" ± {100 * spread:.2f}")


# Figure --------------------------------------------------------------------------------------


def new_figure(size: tuple[float, float], ratios: list[float]):
    """A figure with two panels side by side, and the panels."""
    try:
        import matplotlib
    except ImportError as error:
        raise ImportError(
            'The figure needs matplotlib: pip install "sk_infomax[bench]". The JSON files are '
            "complete without it."
        ) from error
    matplotlib.use("Agg")
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(1, 2, width_ratios=ratios)
    for axes in panels:
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    return figure, panels


def draw(summary: dict, title: str, path: Path) -> None:
    """Accuracy with all labels, and against labels a class."""
    figure, (left, right) = new_figure((12, 2.2 + 0.27 * len(summary)), [1, 1.2])
    ranked = [method for method in summary if "all" in summary[method]]
    ranked.sort(key=lambda method: summary[method]["all"][0])
    for place, method in enumerate(ranked):
        accuracy, spread = (100 * (value or 0.0) for value in summary[method]["all"])
        style = method_style(method)
        left.errorbar(accuracy, place, xerr=spread, capsize=3, **style)
        text = {"textcoords": "offset points", "fontsize": 7, "color": style["color"]}
        left.annotate(f"{accuracy:.1f}", (accuracy, place), (0, 6), ha="center", **text)
    left.set_yticks(range(len(ranked)), ranked)
    left.get_yticklabels()[ranked.index(OURS)].set_weight("bold") if OURS in ranked else None
    left.set(xlabel="accuracy (%)", title="All labels")
    left.margins(x=0.12)
    draw_few(right, summary)
    figure.suptitle(title)
    figure.savefig(path, dpi=130)


def draw_few(axes, summary: dict) -> None:
    """Accuracy against labels a class."""
    lines: dict[str, Line] = {}
    for method, row in summary.items():
        counts = [count for count in LABEL_COUNTS if str(count) in row]
        if counts:
            lines[method] = counts, [100 * row[str(count)][0] for count in counts]
            axes.plot(*lines[method], **method_style(method))
    axes.set_xscale("log")
    axes.set_xticks(LABEL_COUNTS, [str(count) for count in LABEL_COUNTS])
    axes.minorticks_off()
    axes.set(xlabel="labels a class", ylabel="accuracy (%)", title="Few labels")
    label_ends(axes, lines)


def label_ends(axes, lines: Mapping[str, Line]) -> None:
    """The name of each line right of the panel, at the height of its end or as near as fits."""
    if not lines:
        return
    low, high = axes.get_ylim()
    gap = (high - low) * max(0.036, 0.17 / axes.figure.get_figheight())
    order = sorted(lines, key=lambda name: lines[name][1][-1])
    ends = [lines[name][1][-1] for name in order]
    for name, height in zip(order, _spread_out(ends, gap, high)):
        x, y, style = lines[name][0][-1], lines[name][1][-1], method_style(name)
        ours = name.startswith(OURS)
        right = axes.get_yaxis_transform()
        axes.annotate(
            name,
            (x, y),
            (1.03, height),
            textcoords=right,
            color=style["color"],
            weight="bold" if ours else "normal",
            fontsize=9.5 if ours else 8.5,
            va="center",
            arrowprops={
                "arrowstyle": "-",
                "color": style["color"],
                "linewidth": 0.5,
                "alpha": 0.6,
                "relpos": (0, 0.5),
                "shrinkA": 1,
                "shrinkB": 3,
            },
            annotation_clip=False,
        )
    axes.set_ylim(low, high)


def _spread_out(heights: list[float], gap: float, ceiling: float) -> list[float]:
    """Rising heights at least `gap` apart, near the given ones and not above `ceiling`.

    Those that would touch form a group, which is centred on the mean of what it holds.
    """

    def bottom(group: list[float]) -> float:
        extent = gap * (len(group) - 1)
        return min(mean(group) - extent / 2, ceiling - extent)

    groups: list[list[float]] = []
    for height in heights:
        groups.append([height])
        while len(groups) > 1 and bottom(groups[-1]) - bottom(groups[-2]) < gap * len(groups[-2]):
            groups[-2:] = [groups[-2] + groups[-1]]
    return [bottom(group) + gap * place for group in groups for place in range(len(group))]


def method_style(method: str) -> dict:
    """Ours thick and red, other Deep InfoMax blue, the others' own colours and dashes."""
    if method == OURS:
        return {"color": "#c1121f", "marker": "o", "linewidth": 3, "markersize": 8, "zorder": 5}
    groups = (CLASSICAL, NETWORKS, [m for m in METHODS if m not in {**CLASSICAL, **NETWORKS}])
    rank = next(list(group).index(method) for group in groups if method in group)
    thin = {"marker": MARKERS[rank % len(MARKERS)], "linewidth": 1.3, "markersize": 5}
    if method in CLASSICAL:
        return {"color": CLASSICAL[method], **thin, "ls": ":"}
    if method in NETWORKS:
        return {"color": NETWORKS[method], **thin, "ls": "--"}
    if method.startswith(OURS):
        return {"color": "#e4606a", **thin, "linewidth": 2, "zorder": 4}
    return {"color": SHADES[rank % len(SHADES)], **thin}

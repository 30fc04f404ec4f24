"""What columns of any kind tell about a target: errors, intervals and selections beside peers.

    python -m benchmarks.columns --seeds 0 1 --picture docs/images/columns.png

One column against one, frames of many columns against one, and the columns that `SelectKBest` and
`SelectFdr` keep. Truths are those of the samplers in ``_frames.py``; how each package is asked
is in ``_estimators.py``. ``README.md`` beside this file says more.
"""

import argparse
import importlib.metadata
import importlib.util
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import mean, median

import numpy as np
import torch
from sklearn.feature_selection import SelectFdr, SelectKBest

from sk_infomax import mutual_info_scores

from . import describe_run, load_average, open_record, write_json
from ._estimators import FRAMES, INSTALL, OPTIONAL, SCORES, codes_of
from ._frames import PAIRS, STRENGTHS, Wide, draw_pair, draw_wide, id_columns

PARTS = ["pairs", "frames", "selection"]
TARGETS = ["label", "number"]
TELLING, NOISE, IDS = 8, 16, 8  # columns of a frame to select from
SELECTION_STRENGTH = "strong"  # of the eight columns together
DISCOVERY_RATE = 0.05  # share that `SelectFdr` is asked for
LARGE = 10_000  # pairs from which one seed is enough
FRAME_STRENGTHS = ("none", "strong")
MOST_COLUMNS = {"ennemi": 10}  # the chain rule takes a minute for thirty
NAMES = {"pairs": SCORES, "frames": FRAMES, "selection": SCORES}

# Runs ----------------------------------------------------------------------------------------


def ask(method: Callable, *given) -> tuple[dict, float]:
    """What a method answers, and its CPU seconds."""
    start = time.process_time()
    answer = method(*given)
    return answer._asdict(), round(time.process_time() - start, 3)


def ask_each(methods: dict[str, Callable], truth: float, *given) -> dict:
    """Truth, answers and seconds of all methods; the interval is ours."""
    asked = {name: ask(method, *given) for name, method in methods.items()}
    ours = asked.get("ours", ({"low": None, "high": None},))[0]
    return {
        "truth": round(truth, 5),
        "low": ours["low"],
        "high": ours["high"],
        "estimates": {name: round(answer["value"], 5) for name, (answer, _) in asked.items()},
        "cpu_seconds": {name: seconds for name, (_, seconds) in asked.items()},
    }


def chosen(args, part: str) -> dict[str, Callable]:
    """The methods of a part that were asked for."""
    return {name: method for name, method in NAMES[part].items() if name in args.methods}


def run_pairs(args) -> Iterator[dict]:
    """One column against one."""
    for kind in args.kinds:
        for levels in PAIRS[kind][1]:
            for n in args.n_samples:
                for strength in STRENGTHS:
                    for seed in args.seeds[: 1 if n >= LARGE else None]:
                        pair = draw_pair(kind, levels, strength, n, seed)
                        given = pair.x, pair.y, pair.discrete_x, pair.discrete_y
                        what = {"kind": kind, "levels": levels, "n": n, "strength": strength}
                        found = ask_each(chosen(args, "pairs"), pair.truth, *given)
                        yield {"part": "pairs", **what, "seed": seed} | found


def run_frames(args) -> Iterator[dict]:
    """Many columns against one, the first half of which tell."""
    for n in args.frame_samples:
        for size in args.frame_columns:
            for target in TARGETS:
                for strength in FRAME_STRENGTHS:
                    frame = draw_wide(n, size, -(-size // 2), target, strength, args.seeds[0])
                    given = frame.X, frame.y, frame.discrete, frame.discrete_y
                    what = {"target": target, "columns": size, "n": n, "strength": strength}
                    methods = {
                        name: method
                        for name, method in chosen(args, "frames").items()
                        if size <= MOST_COLUMNS.get(name, size)
                    }
                    found = ask_each(methods, frame.truth, *given)
                    yield {"part": "frames", **what, "seed": args.seeds[0]} | found


def run_selection(args) -> Iterator[dict]:
    """What is selected of columns that tell, that do not, and of ids."""
    for n in args.selection_samples:
        for target in TARGETS:
            for seed in args.seeds:
                frame = with_ids(
                    draw_wide(n, TELLING + NOISE, TELLING, target, SELECTION_STRENGTH, seed), seed
                )
                found = {name: keep_best(m, frame) for name, m in chosen(args, "selection").items()}
                row = {"part": "selection", "target": target, "n": n, "seed": seed}
                for field in ("false_share", "refused", "cpu_seconds"):
                    row[field] = {name: one[field] for name, one in found.items()}
                yield row | (discoveries(frame, args) if "ours" in args.methods else {})


def with_ids(frame: Wide, seed: int) -> Wide:
    """The frame with columns of ids behind it."""
    X = frame.X.join(id_columns(len(frame.X), IDS, seed))
    discrete, tells = frame.discrete + [True] * IDS, frame.tells + [False] * IDS
    return frame.__class__(X, frame.y, frame.truth, discrete, frame.discrete_y, tells)


def keep_best(method: Callable, frame: Wide) -> dict:
    """Share of the columns that `SelectKBest` keeps which tell nothing.

    A column that a method refuses has a score of 0, and is counted.
    """
    start = time.process_time()
    scores = np.array(
        [
            answer_or_nan(method, frame.X[name], frame.y, flag, frame.discrete_y)
            for name, flag in zip(frame.X, frame.discrete)
        ]
    )
    seconds = round(time.process_time() - start, 2)
    kept = select(SelectKBest(lambda X, y: np.nan_to_num(scores), k=TELLING), frame)
    share = float(1 - np.array(frame.tells)[kept].mean())
    return {
        "false_share": share,
        "refused": int(np.isnan(scores).sum()),
        "cpu_seconds": seconds,
    }


def answer_or_nan(method: Callable, *given) -> float:
    """Nats, or nan where a method raises an error."""
    try:
        return method(*given).value
    except ValueError:
        return float("nan")


def discoveries(frame: Wide, args) -> dict:
    """What `SelectFdr` keeps by our p-values: share that is false, and share of the true found."""
    start = time.process_time()
    p_values = [p_value_or_one(frame.X[[name]], frame.y, args) for name in frame.X]
    seconds = round(time.process_time() - start, 2)
    by_p = SelectFdr(lambda X, y: (np.zeros(X.shape[1]), np.array(p_values)), alpha=DISCOVERY_RATE)
    kept, tells = select(by_p, frame), np.array(frame.tells)
    return {
        "discoveries": int(kept.sum()),
        "false_discoveries": float((kept & ~tells).sum() / max(1, kept.sum())),
        "found": float((kept & tells).sum() / tells.sum()),
        "seconds_of_p_values": seconds,
    }


def p_value_or_one(column, y, args) -> float:
    """P-value of one column, 1 where it is refused."""
    options = {"return_p_values": True, "n_permutations": args.n_permutations}
    try:
        return float(mutual_info_scores(column, y, **options)[1].iloc[0])
    except ValueError:
        return 1.0


def select(selector, frame: Wide) -> np.ndarray:
    """Which columns (d,) a selector of scikit-learn keeps."""
    codes = np.column_stack([codes_of(frame.X[name]) for name in frame.X])
    return selector.fit(codes, codes_of(frame.y)).get_support()


# Summary -------------------------------------------------------------------------------------


def errors_of(rows: list[dict]) -> dict[str, float]:
    """Mean absolute error of each method that ran on all of the rows, in nats."""
    names = set.intersection(*(set(row["estimates"]) for row in rows))
    return {
        name: mean(abs(row["estimates"][name] - row["truth"]) for row in rows)
        for name in rows[0]["estimates"]
        if name in names
    }


def covered(row: dict) -> bool:
    """Whether our interval holds the truth, to the digits that are written."""
    return bool(row["low"] - 1e-5 <= row["truth"] <= row["high"] + 1e-5)


def describe(rows: list[dict]) -> dict:
    """Errors, and of ours the coverage and width of the interval, with the seconds of all."""
    inside = [row for row in rows if row["low"] is not None]
    seconds = [row["cpu_seconds"] for row in rows]
    names = [name for name in seconds[0] if all(name in one for one in seconds)]
    return {
        "runs": len(rows),
        "mean_error": errors_of(rows),
        "coverage": mean(covered(row) for row in inside) if inside else None,
        "median_width": median(row["high"] - row["low"] for row in inside) if inside else None,
        "median_cpu_seconds": {name: median(one[name] for one in seconds) for name in names},
    }


def grouped(rows: list[dict], *keys: str) -> dict[str, dict]:
    """`describe` of the rows that have the same values under keys."""
    groups: dict[str, list[dict]] = {}
    for row in rows:
        groups.setdefault(", ".join(f"{row[key]}" for key in keys), []).append(row)
    return {name: describe(group) for name, group in groups.items()}


def summarise(results: list[dict]) -> dict:
    """Tables of each part that was run."""
    rows = {part: [row for row in results if row["part"] == part] for part in PARTS}
    summary = {}
    for part, kinds in (("pairs", ("kind", "levels")), ("frames", ("columns", "target"))):
        if rows[part]:
            summary[part] = {"all": describe(rows[part])} | {
                f"by {' and '.join(keys)}": grouped(rows[part], *keys)
                for keys in ((kinds[0],), kinds, ("n",), ("strength",))
            }
    if rows["selection"]:
        summary["selection"] = {"all": describe_selection(rows["selection"])}
        for n in sorted({row["n"] for row in rows["selection"]}):
            same = [row for row in rows["selection"] if row["n"] == n]
            summary["selection"][f"n={n}"] = describe_selection(same)
    return summary


def describe_selection(rows: list[dict]) -> dict:
    """Means over frames to select from."""
    of_methods = {
        field: {name: mean(row[field][name] for row in rows) for name in rows[0][field]}
        for field in ("false_share", "refused", "cpu_seconds")
    }
    fields = ("false_discoveries", "found", "seconds_of_p_values")
    by_p = {name: mean(row[name] for row in rows) for name in fields if name in rows[0]}
    return {"frames": len(rows)} | of_methods | by_p


def print_tables(summary: dict) -> None:
    """Errors of all methods in nats for each group, and the interval of ours."""
    for part in ("pairs", "frames"):
        for title, groups in summary.get(part, {}).items():
            groups = {"all": groups} if title == "all" else groups
            names = list(
                dict.fromkeys(name for row in groups.values() for name in row["mean_error"])
            )
            heads = "".join(f"{name:>14s}" for name in names)
            print(f"\n{f'{part} {title}':32s}{heads}{'coverage':>14s}{'width':>8s}{'runs':>6s}")
            for group, row in groups.items():
                cells = [row["mean_error"].get(name) for name in names] + [row["coverage"]]
                print(f"{group:32s}" + "".join(_cell(value) for value in cells), end="")
                print(f"{row['median_width'] or 0:8.3f}{row['runs']:6d}")
    for group, row in summary.get("selection", {}).items():
        print(f"\nselection, {group}: {row}")


def _cell(value: float | None) -> str:
    return " " * 14 if value is None else f"{value:14.4f}"


# Picture -------------------------------------------------------------------------------------

LOOKS = {  # Okabe and Ito's colours, and marks that differ without them
    "ours": ("#d55e00", "o"),
    "scikit-learn": ("#0072b2", "s"),
    "ennemi": ("#009e73", "^"),
    "infomeasure": ("#000000", "D"),
}


def draw(summary: dict, path: Path) -> None:
    """Mean errors by kind of columns, and false selections."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    pyplot.rcParams["font.size"] = 15
    figure, (left, right) = pyplot.subplots(
        1, 2, figsize=(10, 7.5), width_ratios=[1.6, 1], layout="constrained"
    )
    groups = {**summary["pairs"]["by kind"]}
    groups |= {f"{d} columns": row for d, row in summary["frames"]["by columns"].items()}
    for place, row in enumerate(groups.values()):
        for name, error in row["mean_error"].items():
            colour, mark = LOOKS[name]
            shift = 0.15 * (list(LOOKS).index(name) - 1.5)  # marks that coincide stay apart
            left.plot(error, -place - shift, mark, color=colour, markersize=9)
    for name, (colour, mark) in LOOKS.items():
        left.plot([], [], mark, color=colour, markersize=11, label=name)
    left.set_yticks(-np.arange(len(groups)), groups)
    left.set(xscale="log", xlabel="mean absolute error, nats")
    left.grid(axis="x", alpha=0.3)
    for place in range(1, len(groups)):
        left.axhline(0.5 - place, color="#cccccc", lw=0.8)
    shares = summary["selection"]["all"]["false_share"]
    names = [name for name in LOOKS if name in shares][::-1]
    bars = right.barh(
        names, [100 * shares[name] for name in names], color=[LOOKS[name][0] for name in names]
    )
    right.bar_label(bars, fmt="%.0f %%", padding=4)
    right.set(xlabel="noise and ids\nselected, %", xlim=(0, 120), xticks=(0, 50, 100))
    figure.legend(loc="outside upper center", ncols=len(LOOKS), frameon=False)
    figure.savefig(path, dpi=100)
    pyplot.close(figure)


# Command line --------------------------------------------------------------------------------


def parse_arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """Arguments of the command line, checked."""
    parser = argparse.ArgumentParser(
        "python -m benchmarks.columns", description=__doc__.partition("\n")[0]
    )
    add = parser.add_argument
    add("--parts", nargs="+", default=PARTS, choices=PARTS)
    add("--methods", nargs="+", default=list(SCORES), choices=list(SCORES))
    add("--kinds", nargs="+", default=list(PAIRS), choices=list(PAIRS), help="of pairs")
    add("--n-samples", type=int, nargs="+", default=[200, 2000, 20_000], help="of pairs")
    add("--frame-samples", type=int, nargs="+", default=[2000])
    add("--frame-columns", type=int, nargs="+", default=[2, 10, 30])
    add("--selection-samples", type=int, nargs="+", default=[300])
    add("--n-permutations", type=int, default=99, help="of the p-values")
    add(
        "--seeds",
        type=int,
        nargs="+",
        default=[0, 1],
        help="frames and large samples take the first alone",
    )
    add("--resume", action="store_true", help="keep the parts that the file of results holds")
    add("--picture", type=Path, help="draw errors and selections")
    add("--out", type=Path, default=Path("benchmarks/results/columns.json"))
    args = parser.parse_args(argv)
    args.packages = [name for name in args.methods if name in OPTIONAL]
    if any(importlib.util.find_spec(package) is None for package in args.packages):
        parser.error(f"{', '.join(args.packages)} have to be there: `{INSTALL}`")
    if args.picture is not None and set(args.parts) != set(PARTS):
        parser.error("--picture shows all parts; with --resume they are not run again")
    return args


def warm_up(args) -> None:
    """Libraries load and compile parts of themselves before anything is timed."""
    pairs = (draw_pair(kind, 2, "medium", 100, 0) for kind in ("label x number", "date x number"))
    for pair in pairs:
        for method in chosen(args, "pairs").values():
            method(pair.x, pair.y, pair.discrete_x, pair.discrete_y)


def main() -> None:
    """Run, write after each part, print."""
    args = parse_arguments()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    warm_up(args)
    record = open_record(args.out, {"runs": [], "results": []}, args.resume, ())
    runs = {"pairs": run_pairs, "frames": run_frames, "selection": run_selection}
    results = record["results"]
    for part in [part for part in args.parts if part not in {row["part"] for row in results}]:
        about = describe_run("benchmarks.columns") | {"part": part, "load_start": load_average()}
        about["machine"] |= {name: importlib.metadata.version(name) for name in args.packages}
        start = time.process_time()
        results += runs[part](args)
        about["cpu_seconds"] = round(time.process_time() - start)
        about["load_end"] = load_average()
        record["runs"].append(about)
        write_json(
            args.out, {"runs": record["runs"], "summary": summarise(results), "results": results}
        )
    print_tables(summarise(results))
    if args.picture is not None:
        draw(summarise(results), args.picture)


if __name__ == "__main__":
    main()

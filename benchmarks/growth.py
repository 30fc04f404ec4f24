"""What grows how: seconds of the processor and memory of `fit` and `transform`, against the data.

    python -m benchmarks.growth

Each axis makes one thing larger and leaves the rest: rows and columns of a table, length of series,
side of images, and their number. The data lies in a memory-mapped file (int16, images uint8), and
features are given a batch at a time and dropped, so that what a process holds is the package's own.
Each case is a process of its own on one thread. Memory is by how much that of the process grows
beyond the libraries and a first small fit, pages of the file left out (Linux). The slope is that of
the logarithm of seconds against that of the size, over the larger half of the sizes.
"""

import argparse
import json
import math
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sk_infomax import DeepInfoMaxTransformer

from . import describe_run, load_average, write_json

# For each axis the shape of all samples of a given size, settings, and sizes.
AXES: dict[str, tuple[Callable[[int], tuple[int, ...]], dict[str, Any], list[int]]] = {
    "rows": (lambda n: (n, 10), {}, [1_000, 4_000, 16_000, 64_000]),
    "columns": (lambda p: (1_000, p), {}, [10, 100, 1_000, 10_000]),
    "length": (lambda t: (64, 1, t), {}, [100, 1_000, 10_000]),
    # One pass, since the 100 steps of the default are the same for all of them.
    "side": (lambda s: (64, s, s, 3), {"max_epochs": 1}, [8, 32, 128, 512]),
    "images": (lambda n: (n, 28, 28), {"max_epochs": 1}, [128, 512, 2_048]),
}
PIECE = 2**22  # values that are drawn at once
EVERY = 0.002  # seconds between two looks at memory
SAMPLES_OF_WARM_UP = 64
STATUS = Path("/proc/self/status")  # where Linux tells a process of its memory


def write_file(axis: str, size: int, path: Path, seed: int) -> None:
    """Numbers without any structure, as a file of numpy's."""
    shape = AXES[axis][0](size)
    dtype = np.uint8 if len(shape) > 3 or axis == "images" else np.int16
    random = np.random.default_rng(seed)
    data = np.lib.format.open_memmap(path, "w+", dtype, shape)
    step = max(1, PIECE // math.prod(shape[1:]))
    for start in range(0, len(data), step):
        piece = data[start : start + step]
        piece[...] = random.integers(0, 256, piece.shape)
    data.flush()


class Memory:
    """Most memory of this process, without pages of files, while it is looked at; in megabytes."""

    def __enter__(self) -> "Memory":
        self.before = self.most = self._now()
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._look, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self.ended.set()
        self.thread.join()

    @property
    def grown(self) -> float | None:
        """Megabytes beyond what there were at the start; None where the system does not tell."""
        return None if math.isnan(self.before) else round(self.most - self.before, 1)

    def _look(self) -> None:
        while not self.ended.wait(EVERY):
            self.most = max(self.most, self._now())

    def _now(self) -> float:
        if not STATUS.exists():
            return math.nan
        line = next(line for line in STATUS.read_text().splitlines() if line.startswith("RssAnon"))
        return int(line.split()[1]) / 1024


def measure(axis: str, size: int, path: Path, seed: int) -> dict:
    """Seconds of the processor and megabytes for one case, in this process."""
    torch.set_num_threads(1)
    X, settings = np.load(path, mmap_mode="r"), AXES[axis][1]
    new = DeepInfoMaxTransformer(random_state=seed, **settings)
    shape = (SAMPLES_OF_WARM_UP, *AXES[axis][0](AXES[axis][2][0])[1:])
    few = np.random.default_rng(seed).integers(0, 256, shape).astype(X.dtype)
    DeepInfoMaxTransformer(max_epochs=1, random_state=seed).fit(few)
    start = time.process_time()
    with Memory() as fitting:
        new.fit(X)
    fitted = time.process_time()
    with Memory() as reading:
        count = sum(len(batch) for batch in new.transform_batches(X))
    assert count == len(X)
    return {
        "axis": axis,
        "size": size,
        "shape": list(X.shape),
        "file_megabytes": round(X.nbytes / 2**20, 1),
        "fit_seconds": round(fitted - start, 2),
        "transform_seconds": round(time.process_time() - fitted, 2),
        "fit_megabytes": fitting.grown,
        "transform_megabytes": reading.grown,
    }


def measure_apart(axis: str, size: int, seed: int) -> dict:
    """The same in a fresh process, with a file that is gone afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "X.npy"
        write_file(axis, size, path, seed)
        command = [sys.executable, "-m", "benchmarks.growth", "--one", str(path)]
        command += ["--axes", axis, "--sizes", str(size), "--seed", str(seed)]
        root = Path(__file__).parents[1]
        found = subprocess.run(command, capture_output=True, text=True, check=False, cwd=root)
    if found.returncode:
        raise SystemExit(f"{axis} {size} failed:\n{found.stderr}")
    return json.loads(found.stdout.splitlines()[-1])


def slopes(results: list[dict]) -> dict[str, dict[str, float]]:
    """By axis, by how much the logarithm of seconds grows with that of the size."""
    found: dict[str, dict[str, float]] = {}
    for axis in dict.fromkeys(row["axis"] for row in results):
        rows = [row for row in results if row["axis"] == axis]
        rows = rows[len(rows) // 2 :] if len(rows) > 2 else rows
        for what in ("fit_seconds", "transform_seconds"):
            if len(rows) > 1 and all(row[what] > 0 for row in rows):
                logs = np.log([[row["size"], row[what]] for row in rows])
                slope = np.polyfit(logs[:, 0], logs[:, 1], 1)[0]
                found.setdefault(axis, {})[what] = round(float(slope), 2)
    return found


def draw(results: list[dict], path: Path) -> None:
    """Seconds above, megabytes below, a column for each axis."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import NullFormatter

    axes_there = list(dict.fromkeys(row["axis"] for row in results))
    figure = Figure((2.6 * len(axes_there), 5), layout="constrained")
    for column, axis in enumerate(axes_there):
        rows = [row for row in results if row["axis"] == axis]
        for line, unit in enumerate(("seconds", "megabytes")):
            ax = figure.add_subplot(2, len(axes_there), 1 + column + line * len(axes_there))
            for what, colour in (("fit", "#1d3f66"), ("transform", "#d98200")):
                values = [row[f"{what}_{unit}"] or 0 for row in rows]
                ax.plot([row["size"] for row in rows], values, "o-", color=colour, label=what)
            ax.set(xscale="log", yscale="log" if line == 0 else "linear")
            ax.set(xlabel=axis, ylabel=f"CPU {unit}" if line == 0 else unit)
            ax.xaxis.set_minor_formatter(NullFormatter())
            ax.legend(frameon=False, fontsize="small")
    figure.savefig(path, dpi=110)


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--axes", nargs="+", default=list(AXES), choices=AXES)
    parser.add_argument("--sizes", nargs="+", type=int, help="for each of the axes")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--here", action="store_true", help="no processes of their own")
    parser.add_argument("--one", type=Path, help="measure this file here and print it")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/growth.json"))
    parser.add_argument("--picture", type=Path)
    return parser.parse_args()


def measure_here(axis: str, size: int, seed: int) -> dict:
    """One case in this process."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "X.npy"
        write_file(axis, size, path, seed)
        return measure(axis, size, path, seed)


def main() -> None:
    """Measure the cases one after another."""
    args = parse()
    if args.one:
        print(json.dumps(measure(args.axes[0], args.sizes[0], args.one, args.seed)))
        return
    record = describe_run("benchmarks.growth") | {"seed": args.seed, "results": []}
    record["machine"]["threads"] = 1
    for axis in args.axes:
        for size in args.sizes or AXES[axis][2]:
            found = (measure_here if args.here else measure_apart)(axis, size, args.seed)
            record["results"].append(found | {"load": load_average()})
            record["slopes"] = slopes(record["results"])
            print(record["results"][-1], flush=True)
            write_json(args.out, record)
    if args.picture:
        draw(record["results"], args.picture)


if __name__ == "__main__":
    main()

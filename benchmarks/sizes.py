"""What images of any size cost: seconds of the processor and memory, against side and channels.

    python -m benchmarks.sizes

Each case, "images x height x width x channels", is the default `DeepInfoMaxTransformer` on uint8
images in a process of its own, on one thread. Seconds are those of the processor, so that other
work on the machine counts little. Memory is by how much the peak of the process grows beyond the
libraries, the images themselves and a first small fit.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import torch

from sk_infomax import DeepInfoMaxTransformer

from . import describe_run, load_average, write_json

CASES = [
    "256x32x32x3",
    "2000x224x224x3",
    "256x512x512x3",
    "256x224x224x3",
    "256x224x224x12",
    "256x128x128x3",
    "256x8x8x3",
    "256x16x512x3",
]
CELLS = 8  # squares of one colour on each side of an image, at most
NOISE = 20  # largest change of a value from that colour
_KILOBYTES = 1024 if sys.platform != "darwin" else 1024**2  # units of ru_maxrss in a megabyte


def shape_of(case: str) -> tuple[int, int, int, int]:
    """Numbers of images, rows, columns and channels."""
    try:
        n, height, width, channels = (int(word) for word in case.split("x"))
    except ValueError:
        raise SystemExit(f"{case!r} is no case. Give one such as 256x224x224x3.") from None
    return n, height, width, channels


def draw_images(case: str, seed: int) -> np.ndarray:
    """Squares of random colours with noise on them, uint8; one image at a time."""
    n, height, width, channels = shape_of(case)
    random = np.random.default_rng(seed)
    rows, columns = (np.arange(side) * min(CELLS, side) // side for side in (height, width))
    images = np.empty((n, height, width, channels), np.uint8)
    for image in images:
        colours = random.integers(NOISE, 256 - NOISE, (CELLS, CELLS, channels))
        noise = random.integers(-NOISE, NOISE, (height, width, channels))
        image[...] = colours[rows][:, columns] + noise
    return images


def peak() -> float:
    """Largest memory that this process has held, in megabytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _KILOBYTES


def measure(case: str, args: argparse.Namespace) -> dict:
    """Seconds of the processor and megabytes for one case, in this process."""
    torch.set_num_threads(1)
    settings = {"preset": args.preset, "random_state": args.seed, "channels": "last"}
    images = draw_images(case, args.seed)
    DeepInfoMaxTransformer(max_epochs=1, **settings).fit(draw_images("4x8x8x1", args.seed))
    before, start = peak(), time.process_time()
    model = DeepInfoMaxTransformer(max_epochs=args.max_epochs, **settings).fit(images)
    fitted = time.process_time()
    features = model.transform(images)
    return {
        "case": case,
        "fit_seconds": round(fitted - start, 2),
        "transform_seconds": round(time.process_time() - fitted, 2),
        "data_megabytes": round(images.nbytes / 2**20, 1),
        "further_megabytes": round(peak() - before, 1),
        "features": features.shape[1],
        "finite": bool(np.isfinite(features).all()),
    }


def measure_apart(case: str, args: argparse.Namespace) -> dict:
    """The same in a fresh process, whose peak is that of this case alone."""
    command = [sys.executable, "-m", "benchmarks.sizes", "--one", case, "--preset", args.preset]
    command += ["--seed", str(args.seed), "--max-epochs", str(args.max_epochs)]
    root = Path(__file__).parents[1]
    found = subprocess.run(command, capture_output=True, text=True, check=False, cwd=root)
    if found.returncode:
        raise SystemExit(f"{case} failed:\n{found.stderr}")
    return json.loads(found.stdout.splitlines()[-1])


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", nargs="+", default=CASES, help="such as 256x224x224x3")
    parser.add_argument("--preset", default="fast")
    parser.add_argument("--max-epochs", default="auto")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--here", action="store_true", help="no processes of their own")
    parser.add_argument("--one", help="measure this case here and print it")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/image-sizes.json"))
    args = parser.parse_args()
    if args.max_epochs != "auto":
        args.max_epochs = int(args.max_epochs)
    return args


def main() -> None:
    """Measure the cases one after another."""
    args = parse()
    if args.one:
        print(json.dumps(measure(args.one, args)))
        return
    record = describe_run("benchmarks.sizes") | {"seed": args.seed, "results": []}
    record["machine"]["threads"] = 1
    for case in args.cases:
        shape_of(case)
    for case in args.cases:
        found = measure(case, args) if args.here else measure_apart(case, args)
        record["results"].append(found | {"load": load_average()})
        print(record["results"][-1], flush=True)
        write_json(args.out, record)


if __name__ == "__main__":
    main()

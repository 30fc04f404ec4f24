"""Estimators of `benchmark-mi`, run by an interpreter that has that package.

    PYTHON benchmarks/_bmi.py METHOD FILE.npz SEED

prints one line of JSON. This file imports nothing of ours, whose packages need not be there.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np


def main() -> None:
    """Estimate with the package's own defaults; time starts after its import."""
    from bmi import estimators

    method, path, seed = sys.argv[1:]
    name = {"mine": "MINE", "infonce": "InfoNCE", "nwj": "NWJ", "dv": "DonskerVaradhan"}[method]
    arrays = np.load(path)
    start = time.process_time()
    estimator = getattr(estimators, f"{name}Estimator")(verbose=False, seed=int(seed))
    value = float(estimator.estimate(arrays["X"], arrays["Y"]))
    seconds = round(time.process_time() - start, 2)
    row = {"estimate": value, "cpu_seconds": seconds, "peak_megabytes": peak_megabytes()}
    print(json.dumps(row))


def peak_megabytes() -> int | None:
    """Peak memory of this program alone: getrusage would count the one that started it."""
    status = Path("/proc/self/status")
    if not status.is_file():
        return None
    lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
    return int(lines["VmHWM"].split()[0]) // 1024


if __name__ == "__main__":
    main()

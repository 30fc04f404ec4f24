"""Estimators of `benchmark-mi`, run by an interpreter that has that package.

    PYTHON benchmarks/_bmi.py METHOD FILE.npz SEED

prints one line of JSON. This file imports nothing of ours, whose packages need not be there.
"""

import json
import resource
import sys
import time

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
    cost = {
        "cpu_seconds": round(time.process_time() - start, 2),
        "peak_megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }
    print(json.dumps({"estimate": value} | cost))


if __name__ == "__main__":
    main()

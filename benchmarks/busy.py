"""What a busy core beside a small fit costs.

    python -m benchmarks.busy

Small fits run in a process with two threads of torch: alone, then while another process keeps a
core busy, in turn. Seconds are those of the processor and those that passed; on a machine that is
busy anyway only the first tell something.
"""

import argparse
import json
import multiprocessing
import os
import statistics
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sk_infomax import DeepInfoMaxTransformer, MutualInfoEstimator

from . import write_json

RESULT = Path(__file__).parent / "results" / "busy.json"
THREADS = 2


def fits() -> dict[str, Callable[[], Any]]:
    """Small fits, by name."""
    rng = np.random.RandomState(0)
    table = rng.normal(size=(300, 10)).astype(np.float32)
    series = rng.normal(size=(60, 1, 50)).astype(np.float32)
    noisy = table[:, 0] + rng.normal(size=300)

    def features(X: np.ndarray, **settings: Any) -> Callable[[], Any]:
        return lambda: DeepInfoMaxTransformer(8, random_state=0, **settings).fit_transform(X)

    return {
        "table": features(table, max_epochs=4),
        "table, perceptron": features(table, encoder="perceptron", max_epochs=10),
        "series": features(series, max_epochs=4),
        "information": lambda: MutualInfoEstimator(max_steps=50, random_state=0).fit(
            table[:, :3], noisy
        ),
    }


def _spin() -> None:
    while True:
        pass


def seconds_of(fit: Callable[[], Any]) -> tuple[float, float]:
    """Seconds of the processor, and seconds that passed."""
    start = time.process_time(), time.monotonic()
    fit()
    return time.process_time() - start[0], time.monotonic() - start[1]


def run(rounds: int) -> dict[str, Any]:
    """Medians over so many rounds, alone and beside a busy core, in turn."""
    torch.set_num_threads(THREADS)
    warnings.simplefilter("ignore")
    found: dict[str, Any] = {}
    for name, fit in fits().items():
        fit()
        taken: dict[str, list[tuple[float, float]]] = {"alone": [], "beside": []}
        for _ in range(rounds):
            taken["alone"].append(seconds_of(fit))
            busy = multiprocessing.get_context("fork").Process(target=_spin, daemon=True)
            busy.start()
            try:
                taken["beside"].append(seconds_of(fit))
            finally:
                busy.kill()
                busy.join()
        middle = {
            where: [statistics.median(column) for column in zip(*rows)]
            for where, rows in taken.items()
        }
        found[name] = {
            "cpu_seconds_alone": round(middle["alone"][0], 3),
            "cpu_seconds_beside": round(middle["beside"][0], 3),
            "cpu_factor": round(middle["beside"][0] / middle["alone"][0], 2),
            "seconds_factor": round(middle["beside"][1] / middle["alone"][1], 2),
        }
    return found


def main() -> None:
    """Measure, and write what was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=RESULT)
    arguments = parser.parse_args()
    result = {
        "command": f"python -m benchmarks.busy --rounds {arguments.rounds}",
        "threads": THREADS,
        "cores": os.cpu_count(),
        "load_before": round(os.getloadavg()[0], 1),
        "fits": run(arguments.rounds),
    }
    write_json(arguments.out, result)
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()

"""Fits of both estimators that are killed at random moments, and go on from their checkpoints.

    python -m benchmarks.kills --count 200

Each fit runs in a process of its own, which is killed by SIGKILL; `resume` then goes on, and may be
killed again. What comes out is compared bit for bit with the fit that nobody killed.
"""

import argparse
import json
import multiprocessing
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from sk_infomax import (
    Checkpoint,
    DeepInfoMaxTransformer,
    DotCritic,
    MutualInfoEstimator,
    TorchEncoder,
)
from sk_infomax.encoders import ENCODERS

from . import write_json

RESULT = Path(__file__).parent / "results" / "kills.json"
EVERY = 0.05  # seconds between two checkpoints, of fits of about half a second
LONGER = 1.2  # how much later than a whole fit takes the latest kill may come


class Dropout(nn.Sequential):
    """A network that draws from torch's global generator."""

    def __init__(self) -> None:
        super().__init__(nn.Linear(6, 16), nn.Dropout(0.5), nn.Linear(16, 8))


class Fit(NamedTuple):
    """A fit to kill.

    Parameters
    ----------
    kind : type
        The estimator.
    keeps : callable
        Parameter that a checkpoint is handed over by, from the checkpoint.
    parameters : dict
        All others.
    samples : tuple of ndarray
        What `fit` and `resume` are given.
    given : dict
        What `resume` has to be given besides.
    read : str
        Method that reads what was fitted.
    """

    kind: type
    keeps: Callable[[Checkpoint], dict[str, Any]]
    parameters: dict[str, Any]
    samples: tuple[np.ndarray, ...]
    given: dict[str, Any]
    read: str

    def begin(self, *keepers: Checkpoint) -> Any:
        """The fit from its start, with a checkpoint or without."""
        kept = self.keeps(*keepers) if keepers else {}
        return self.kind(**self.parameters, **kept).fit(*self.samples)

    def go_on(self, path: Path) -> Any:
        """The fit from where a file stands."""
        return self.kind.resume(path, *self.samples, **self.given)

    def found(self, model: Any) -> np.ndarray:
        """What a fitted model says of the samples."""
        return getattr(model, self.read)(*self.samples)


def fits() -> dict[str, Fit]:
    """Fits of both estimators, by name."""
    rng = np.random.RandomState(0)
    table = rng.normal(size=(256, 6)).astype(np.float32)
    images = rng.normal(size=(64, 8, 8)).astype(np.float32)
    noisy = table[:, :2].sum(1) + rng.normal(size=256)
    levels = rng.randint(40, size=(256, 1)).astype(str)
    small: dict[str, Any] = {"n_components": 4, "critic": DotCritic(units=4), "random_state": 0}
    perceptron, strided = ENCODERS["perceptron"](hidden=8), ENCODERS["strided"](width=4)
    own = TorchEncoder(Dropout, "1")
    stopped = {"early_stopping": True, "max_epochs": 12, "batch_size": 32, "prior": "uniform"}

    def features(parameters: dict, X: np.ndarray, given: dict) -> Fit:
        def keeps(one: Checkpoint) -> dict:
            return {"callbacks": [one]}

        return Fit(DeepInfoMaxTransformer, keeps, small | parameters, (X,), given, "transform")

    def information(X: np.ndarray, y: np.ndarray) -> Fit:
        def keeps(one: Checkpoint) -> dict:
            return {"checkpoint": one}

        few = {"max_steps": 40, "cv": 4, "random_state": 0}
        return Fit(MutualInfoEstimator, keeps, few, (X, y), {}, "pointwise")

    return {
        "table": features(stopped | {"encoder": perceptron}, table, {}),
        "images": features({"encoder": strided, "max_epochs": 8, "batch_size": 16}, images, {}),
        "own network": features(
            {"encoder": own, "bound": "dv", "max_epochs": 12, "batch_size": 32},
            table,
            {"encoder": own},
        ),
        "information of numbers": information(table, noisy),
        "information of levels": information(levels, noisy),
    }


def _fit(path: Path, name: str) -> None:
    """Fit from the start, or go on from where the file stands."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    one = fits()[name]
    if path.exists():
        one.go_on(path)
    else:
        one.begin(Checkpoint(path, EVERY))


def run(count: int, seed: int = 0) -> dict[str, Any]:
    """Kill so many fits, and compare what they end with.

    Parameters
    ----------
    count : int
        How many kills.
    seed : int
        Of their moments.

    Returns
    -------
    dict of str to object
        Kills, how many came before the first checkpoint, how many fits went on, and how many of
        these were equal to the fit that nobody killed.
    """
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    rng, context = np.random.RandomState(seed), multiprocessing.get_context("fork")
    found = {"kills": 0, "before a checkpoint": 0, "resumed": 0, "equal": 0, "left over": 0}
    whole = {}
    for name, one in fits().items():
        start = time.monotonic()
        whole[name] = one.found(one.begin()), time.monotonic() - start
    names = sorted(whole)
    with tempfile.TemporaryDirectory() as folder:
        while found["kills"] < count:
            turn = found["resumed"] + found["before a checkpoint"]
            name = names[turn % len(names)]
            expected, seconds = whole[name]
            path = Path(folder) / "checkpoint"
            path.unlink(missing_ok=True)
            for _ in range(min(1 + rng.geometric(0.5), count - found["kills"])):
                process = context.Process(target=_fit, args=(path, name))
                process.start()
                process.join(rng.uniform(0, LONGER * seconds))
                process.kill()
                process.join()
                found["kills"] += 1
            if not path.exists():
                found["before a checkpoint"] += 1
                continue
            one = fits()[name]
            found["resumed"] += 1
            found["equal"] += bool(np.array_equal(one.found(one.go_on(path)), expected))
            found["left over"] += len(list(Path(folder).iterdir())) - 1
    return found


def main() -> None:
    """Kill as many fits as the command line says, and write what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=RESULT)
    arguments = parser.parse_args()
    command = f"python -m benchmarks.kills --count {arguments.count} --seed {arguments.seed}"
    result = {"command": command, **run(arguments.count, arguments.seed)}
    write_json(arguments.out, result)
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()

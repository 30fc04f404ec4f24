"""Fits in many threads and processes, readers beside a writer, and what else draws at random.

    python -m benchmarks.threads --threads 32 --fits 50

What comes out of each fit is compared bit for bit with the same fit alone. Meanwhile a witness
draws from the global generators of torch, numpy and Python, seeded: its numbers have to be those
that it draws alone. Networks with dropout draw from torch's global generator themselves, so they
are fitted apart, without a witness; at their end the generators have to stand where they stood.
"""

import argparse
import json
import random
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from joblib import Parallel, delayed
from torch import nn

from sk_infomax import DeepInfoMaxTransformer, DotCritic, MutualInfoEstimator, TorchEncoder
from sk_infomax.encoders import ENCODERS

from . import write_json

RESULT = Path(__file__).parent / "results" / "threads.json"
SEEDS = 4  # of each kind of fit
READERS = 8  # threads that read what another one fits
WITNESSED = 20_000  # draws of the witness at most


class Dropout(nn.Sequential):
    """A network that draws from torch's global generator."""

    def __init__(self) -> None:
        super().__init__(nn.Linear(6, 16), nn.Dropout(0.5), nn.Linear(16, 8))


def _samples() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.RandomState(0)
    table, images = rng.normal(size=(64, 6)).astype(np.float32), rng.normal(size=(24, 8, 8))
    noisy = table[:, 0] + rng.normal(size=64)
    return table, images, noisy, rng.randint(12, size=(64, 1)).astype(str)


def _features(X: np.ndarray, **settings: Any) -> Callable[[int], np.ndarray]:
    small: dict[str, Any] = {"n_components": 4, "critic": DotCritic(units=4), "max_epochs": 2}

    def fit(seed: int) -> np.ndarray:
        model = DeepInfoMaxTransformer(**(small | settings), random_state=seed)
        return model.fit(X).transform(X)

    return fit


def _information(X: np.ndarray, y: np.ndarray) -> Callable[[int], np.ndarray]:
    def fit(seed: int) -> np.ndarray:
        model = MutualInfoEstimator(max_steps=3, cv=2, random_state=seed).fit(X, y)
        return model.pointwise(X, y)

    return fit


def fits() -> dict[str, Callable[[int], np.ndarray]]:
    """Kinds of fits by name: from a seed to what the fitted model says."""
    table, images, noisy, levels = _samples()
    return {
        "perceptron": _features(
            table, encoder=ENCODERS["perceptron"](hidden=8), prior="uniform", batch_size=16
        ),
        "strided": _features(images, encoder=ENCODERS["strided"](width=4), batch_size=8),
        "numbers": _information(table, noisy),
        "levels": _information(levels, noisy),
    }


def with_dropout() -> dict[str, Callable[[int], np.ndarray]]:
    """A fit that draws from torch's global generator."""
    return {"dropout": _features(_samples()[0], encoder=TorchEncoder(Dropout, "1"))}


Key = tuple[str, int]


def expected_of(kinds: dict[str, Callable[[int], np.ndarray]]) -> dict[Key, np.ndarray]:
    """What each fit gives alone, by its kind and seed."""
    return {(name, seed): fit(seed) for name, fit in kinds.items() for seed in range(SEEDS)}


def _quiet() -> None:
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")


# Threads ------------------------------------------------------------------------------------


def in_threads(
    kinds: dict[str, Callable[[int], np.ndarray]],
    expected: dict[Key, np.ndarray],
    n_threads: int,
    n_fits: int,
    seed: int = 0,
) -> dict[str, int]:
    """Fit in so many threads, each so many times; how many fits there were, and how many equal."""
    keys, found = sorted(expected), [0] * n_threads

    def work(number: int) -> None:
        rng = np.random.RandomState([seed, number])
        for _ in range(n_fits):
            name, of_seed = keys[rng.randint(len(keys))]
            found[number] += np.array_equal(kinds[name](of_seed), expected[name, of_seed])

    threads = [threading.Thread(target=work, args=(number,)) for number in range(n_threads)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {"fits": n_threads * n_fits, "equal": sum(found)}


class Witness:
    """Draws from the global generators, in a thread of its own, until it is told to end."""

    def __init__(self) -> None:
        self.ended, self.seen = threading.Event(), list[tuple[float, float, float]]()
        self.thread = threading.Thread(target=self._draw)

    def _draw(self) -> None:
        torch.manual_seed(1)
        np.random.seed(1)
        random.seed(1)
        while not self.ended.is_set() and len(self.seen) < WITNESSED:
            self.seen.append(_drawn())
            time.sleep(0)

    def __enter__(self) -> "Witness":
        self.thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self.ended.set()
        self.thread.join()

    def disturbed(self) -> int:
        """How many of its draws are not those that it draws alone."""
        torch.manual_seed(1)
        np.random.seed(1)
        random.seed(1)
        return sum(one != _drawn() for one in self.seen)


def _drawn() -> tuple[float, float, float]:
    return float(torch.rand(())), float(np.random.rand()), random.random()


def _states() -> tuple[Any, ...]:
    words = np.random.get_state()[1].tobytes()
    return torch.get_rng_state().numpy().tobytes(), words, random.getstate()


# Processes, readers -------------------------------------------------------------------------


def _in_process(name: str, seed: int) -> np.ndarray:
    _quiet()
    return (fits() | with_dropout())[name](seed)


def in_processes(expected: dict[Key, np.ndarray], n_fits: int) -> dict[str, int]:
    """Fit in processes of loky; how many fits there were, and how many equal."""
    keys = sorted(expected)
    chosen = [keys[number % len(keys)] for number in range(n_fits)]
    found = Parallel(n_jobs=2, backend="loky")(delayed(_in_process)(*key) for key in chosen)
    return {
        "fits": n_fits,
        "equal": sum(np.array_equal(one, expected[key]) for one, key in zip(found, chosen)),
    }


def beside_a_writer(n_passes: int) -> dict[str, int]:
    """Read in threads while another trains on; how many reads there were, and how many sound."""
    table = _samples()[0]
    settings: dict[str, Any] = {"n_components": 4, "random_state": 0, "max_epochs": 1}

    def start() -> DeepInfoMaxTransformer:
        return DeepInfoMaxTransformer(encoder="perceptron", **settings).fit(table)

    alone = start()
    states = [alone.transform(table)]
    for _ in range(n_passes):
        states.append(alone.partial_fit(table).transform(table))
    model, ended = start(), threading.Event()
    seen: list[list[np.ndarray]] = [[] for _ in range(READERS)]

    def read(number: int) -> None:
        while not ended.is_set():
            seen[number].append(model.transform(table))

    readers = [threading.Thread(target=read, args=(number,)) for number in range(READERS)]
    for thread in readers:
        thread.start()
    for _ in range(n_passes):
        model.partial_fit(table)
    ended.set()
    for thread in readers:
        thread.join()
    reads = [one for of_thread in seen for one in of_thread]
    known = {state.tobytes() for state in states}
    return {
        "passes": n_passes,
        "reads": len(reads),
        "of a state that was": sum(one.tobytes() in known for one in reads),
        "writer equal": int(np.array_equal(model.transform(table), states[-1])),
    }


def run(n_threads: int, n_fits: int) -> dict[str, Any]:
    """All of it; see the module.

    Parameters
    ----------
    n_threads : int
        Threads that fit at once.
    n_fits : int
        Fits of each of them, fits in processes, and passes of the writer.
    """
    _quiet()
    kinds = fits()
    expected, before = expected_of(kinds), _states()
    alone = {"states of global generators kept": int(before == _states())}
    with Witness() as witness:
        threads = in_threads(kinds, expected, n_threads, n_fits)
    threads |= {"draws of a witness": len(witness.seen), "disturbed": witness.disturbed()}
    own = with_dropout()
    expected_own, before = expected_of(own), _states()
    dropout = in_threads(own, expected_own, n_threads, max(1, n_fits // 10))
    dropout["states of global generators kept"] = int(before == _states())
    return {
        "alone": alone,
        "threads": threads,
        "threads, networks with dropout": dropout,
        "processes of loky": in_processes(expected | expected_own, n_fits),
        "readers beside a writer": beside_a_writer(n_fits),
    }


def main() -> None:
    """Fit as often as the command line says, and write what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=32)
    parser.add_argument("--fits", type=int, default=50)
    parser.add_argument("--out", type=Path, default=RESULT)
    arguments = parser.parse_args()
    command = f"python -m benchmarks.threads --threads {arguments.threads} --fits {arguments.fits}"
    result = {"command": command, **run(arguments.threads, arguments.fits)}
    write_json(arguments.out, result)
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()

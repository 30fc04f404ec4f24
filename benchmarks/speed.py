"""What training costs: our net, a hand-written loop, and stock skorch.

    python -m benchmarks.speed --rounds 5

All three train the same `InfoMax` module with the same optimizer and batch size for one epoch.
The runs take turns, so that a change in the load of the machine meets all of them; medians are
reported. Building networks and data is not counted.
"""

import argparse
import copy
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import torch
from skorch import NeuralNet
from torch import nn

from sk_infomax import DeepInfoMaxTransformer, DotCritic, TableEncoder
from sk_infomax._random import new_generator
from sk_infomax._scaling import Scaling
from sk_infomax._training._batches import ResidentData, batch_sizes
from sk_infomax._training._schedule import Plan, cosine_factor

from . import command_line, describe_machine, load_average, write_json
from ._peers import make_optimizer
from ._peers._networks import BATCH_SIZE, RATE, WEIGHT_DECAY

SEED = 0
FIRST = 8192  # samples of the fit that builds the networks; all images, whose number sets widths
# One group of columns, so that the encoder is 64-64-64-32 and the critic 32 wide: a network
# for which the costs of the loop itself show.
SMALL = {
    "n_components": 32,
    "encoder": TableEncoder(n_groups=1, local_size=64, hidden=64),
    "critic": DotCritic(units=32, hidden=32),
}


class Problem:
    """Samples, and a net and modules for them that all start from the same weights.

    Parameters
    ----------
    X : ndarray of shape (n, ...)
        Samples.
    **settings : object
        Parameters of `DeepInfoMaxTransformer`, which takes its defaults for the rest.
    """

    def __init__(self, X: np.ndarray, **settings):
        dim = DeepInfoMaxTransformer(
            max_epochs=1, batch_size=BATCH_SIZE, device="cpu", random_state=SEED, **settings
        ).fit(X[:FIRST])
        self.net = dim.net_
        self.weights = copy.deepcopy(self.net.module_.state_dict())
        self.samples = Scaling(dim.layout_).update(X).apply(X)
        self.data = ResidentData(self.samples)

    def module(self) -> nn.Module:
        """The module outside of any net, as at the start; only one is used at a time."""
        module = self.net.module_
        module.load_state_dict(self.weights)
        module.generator = new_generator(SEED + 1)
        return module

    def loss(self, terms: dict, target=None) -> torch.Tensor:
        """The net's own loss, with the target that stock skorch hands over."""
        return self.net.criterion_(terms)


def train_ours(problem: Problem) -> float:
    """Seconds that our net takes for an epoch."""
    problem.module()
    net = problem.net.initialize_optimizer()
    start = time.perf_counter()
    net.train(problem.data, None, Plan(1, BATCH_SIZE, "cosine"))
    return time.perf_counter() - start


def train_by_hand(problem: Problem) -> float:
    """Seconds that a plain loop over slices of a tensor takes for an epoch."""
    module, samples = problem.module(), problem.data.samples
    optimizer, shuffler = make_optimizer(module), new_generator(SEED + 2)
    start = time.perf_counter()
    module.train()
    order = torch.randperm(len(samples), generator=shuffler)
    batches = order.split(batch_sizes(len(samples), BATCH_SIZE))
    total = torch.zeros(())
    for number, index in enumerate(batches):
        factor = cosine_factor(number / len(batches), step=1 / len(batches))
        optimizer.param_groups[0]["lr"] = RATE * factor
        optimizer.zero_grad(set_to_none=True)
        loss = problem.loss(module(samples[index]))
        loss.backward()
        optimizer.step()
        total += loss.detach()
    total.item()
    return time.perf_counter() - start


def train_stock(problem: Problem) -> float:
    """Seconds that skorch takes for an epoch with its own data loader and callbacks."""
    net = NeuralNet(
        problem.module(),
        criterion=lambda: problem.loss,
        optimizer=torch.optim.AdamW,
        optimizer__weight_decay=WEIGHT_DECAY,
        optimizer__fused=True,
        lr=RATE,
        batch_size=BATCH_SIZE,
        max_epochs=1,
        iterator_train__shuffle=True,
        train_split=None,
        verbose=0,
    ).initialize()
    samples = problem.samples.numpy()
    start = time.perf_counter()
    net.partial_fit(samples)
    return time.perf_counter() - start


TRAINERS: dict[str, Callable[[Problem], float]] = {
    "ours": train_ours,
    "by hand": train_by_hand,
    "stock skorch": train_stock,
}


def take_turns(problem: Problem, names: list[str], rounds: int) -> dict[str, list[float]]:
    """Seconds of each trainer in each round, after one round that does not count."""
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for number in range(rounds + 1):
        # Each round starts with another trainer, so that none always follows the same one.
        shift = number % len(names)
        for name in names[shift:] + names[:shift]:
            taken = TRAINERS[name](problem)
            if number:
                seconds[name].append(taken)
    return seconds


def measure(title: str, X: np.ndarray, names: list[str], rounds: int, **settings) -> dict:
    """Medians of seconds, and their ratios to the hand-written loop."""
    seconds = take_turns(Problem(X, **settings), names, rounds)
    medians = {name: median(values) for name, values in seconds.items()}
    base = medians["by hand"]
    print(f"\n{title}, {X.shape}", flush=True)
    for name, value in medians.items():
        rate = len(X) / value
        print(f"  {name:14s}{value:9.3f} s{value / base:8.2f} x by hand{rate:10.0f} samples/s")
    return {
        "problem": title,
        "shape": X.shape,
        "seconds": {k: [round(s, 4) for s in v] for k, v in seconds.items()},
        "median_seconds": {name: round(value, 4) for name, value in medians.items()},
        "ratio_to_by_hand": {name: round(value / base, 3) for name, value in medians.items()},
    }


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(
        "python -m benchmarks.speed", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--table-rows", type=int, default=50_000)
    parser.add_argument("--images", type=int, default=6_000)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/speed.json"))
    args = parser.parse_args()
    if min(args.rounds, args.table_rows, args.images, args.threads) < 1:
        parser.error("--rounds, --table-rows, --images and --threads must be at least 1.")
    torch.set_num_threads(args.threads)
    rng = np.random.RandomState(SEED)
    table = rng.normal(size=(args.table_rows, 64)).astype(np.float32)
    images = rng.randint(0, 256, (args.images, 28, 28)).astype(np.uint8)
    load = load_average()
    problems = [
        measure("small MLP", table, list(TRAINERS), args.rounds, **SMALL),
        measure("default table encoder", table, list(TRAINERS), args.rounds),
        measure("images, default encoder", images, ["ours", "by hand"], args.rounds),
    ]
    content = {
        "command": command_line("benchmarks.speed"),
        "date": time.strftime("%Y-%m-%d %H:%M"),
        "machine": describe_machine(),
        "load_start": load,
        "load_end": load_average(),
        "problems": problems,
    }
    write_json(args.out, content)


if __name__ == "__main__":
    main()

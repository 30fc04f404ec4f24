"""How near embeddings come to their prior: the adversary, and the discrepancy without one.

    python -m benchmarks.matching --seeds 0 1

``README.md`` beside this file says what is measured.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from statistics import mean, stdev

import numpy as np
import torch
from scipy.spatial.distance import cdist
from sklearn.datasets import load_digits

from sk_infomax import DeepInfoMaxTransformer
from sk_infomax.evaluation import probe
from sk_infomax.information._total_correlation import gaussian_total_correlation
from sk_infomax.priors import DISTRIBUTIONS, PRIORS, MMDPrior, Prior

from . import command_line, describe_machine, load_average, write_json

N_TRAIN = 900
MATCHED = ("uniform", "normal")
WEIGHTS = (0.1, 1.0)


def cases(distributions: Sequence[str]) -> dict[str, tuple[str, Prior | None, float]]:
    """Distribution to measure against, prior and weight, by name."""
    found: dict[str, tuple[str, Prior | None, float]] = {}
    for name in distributions:
        found[f"{name}, none"] = name, None, 0.0
        for weight in WEIGHTS:
            found[f"{name}, adversary, {weight:g}"] = name, PRIORS[name](), weight
        for weight in WEIGHTS:
            found[f"{name}, mmd, {weight:g}"] = name, MMDPrior(name), weight
    return found


def energy_distance(first: np.ndarray, second: np.ndarray) -> float:
    """Energy distance of samples (n, d) and (m, d)."""
    within = cdist(first, first).mean() + cdist(second, second).mean()
    return float(2 * cdist(first, second).mean() - within)


def measure(distribution: str, prior: Prior | None, weight: float, seed: int, args) -> dict:
    """Fit on digits without labels, and measure the embedding of held-out ones."""
    images, labels = load_digits(return_X_y=True)
    images = images.reshape(-1, 8, 8).astype(np.float32)
    dim = DeepInfoMaxTransformer(
        args.components,
        encoder="strided",
        output="embedding",
        views=1,
        prior=prior,
        prior_weight=weight,
        max_epochs=args.epochs,
        device="cpu",
        random_state=seed,
    ).fit(images[:N_TRAIN])
    train, test = (dim.transform(part).astype(float) for part in np.split(images, [N_TRAIN]))
    target, embedded = DISTRIBUTIONS[distribution], torch.from_numpy(test)
    draws = target.sample(embedded, torch.Generator().manual_seed(9)).numpy()
    squashed = target.squash(embedded).numpy()
    return {
        "energy_distance": energy_distance(squashed, draws),
        "dependence": gaussian_total_correlation(test),
        "bound": dim.score(images[N_TRAIN:]),
        "probe": probe(None, train, labels[:N_TRAIN], test, labels[N_TRAIN:], "svm").accuracy,
    }


def main() -> None:
    """Run and print the table."""
    parser = argparse.ArgumentParser(
        "python -m benchmarks.matching", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--distributions", nargs="+", default=MATCHED, choices=MATCHED)
    parser.add_argument("--components", type=int, default=32)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/matching.json"))
    args = parser.parse_args()
    torch.set_num_threads(1)
    content: dict = {"command": command_line("benchmarks.matching"), "seeds": args.seeds}
    content |= {"machine": describe_machine(), "load": load_average(), "results": {}}
    for name, (distribution, prior, weight) in cases(args.distributions).items():
        rows = [measure(distribution, prior, weight, seed, args) for seed in args.seeds]
        content["results"][name] = rows
        write_json(args.out, content)
        columns = {key: [row[key] for row in rows] for key in rows[0]}
        cells = (
            f"{key} {mean(values):.3f}" + (f" ± {stdev(values):.3f}" if len(values) > 1 else "")
            for key, values in columns.items()
        )
        print(f"{name:24s}" + "  ".join(cells), flush=True)


if __name__ == "__main__":
    main()

"""A frozen torch backbone as the stem: trained on some classes, used on others.

Run with ``python examples/plot_07_backbone.py``. A small network learns to tell the digits 0 to 4
with labels. Its convolutions then stay as they are, and features of the digits 5 to 9 stand on
them, learned without labels; any network from elsewhere would go the same way. What the network
says itself, raw pixels and features that start from nothing are set beside them. The table goes to
the terminal, the figure to ``backbone.png``.
"""

from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn

from sk_infomax import DeepInfoMaxTransformer, FrozenEncoder
from sk_infomax.evaluation import Comparison, compare

SEED = 0
EPOCHS, BATCH = 5, 64  # of the supervised training
N_IMAGES = 500  # of the digits 5 to 9
MEAN, STD = 4.9, 6.0  # of all pixels, which are 0 to 16
N_LABELS = (3, 5, 10, None)


def make_network() -> nn.Sequential:
    """Two convolutions and a linear layer on top."""
    return nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.Conv2d(32, 64, 3, stride=2, padding=1),
        nn.BatchNorm2d(64),
        nn.ReLU(),
        nn.Dropout(0.2),
        nn.Flatten(),
        nn.Linear(64 * 16, 5),
    )


def train_network(images: np.ndarray, labels: np.ndarray) -> nn.Sequential:
    """The network after some passes over images with labels."""
    torch.manual_seed(SEED)
    network = make_network()
    x, y = torch.from_numpy((images - MEAN) / STD)[:, None], torch.from_numpy(labels)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(x)).split(BATCH):
            optimizer.zero_grad()
            nn.functional.cross_entropy(network(x[rows]), y[rows]).backward()
            optimizer.step()
    return network


def draw_figure(found: Comparison, path: Path) -> None:
    """Accuracy against labels for each method."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(6.4, 4), layout="constrained")
    few = [n for n in found.n_labels if n is not None]
    for i, method in enumerate(found.methods):
        axes.plot(few, 100 * found.scores[i, : len(few)].mean(1), "o-", label=method)
    axes.set(
        xlabel="labels for each digit",
        ylabel="accuracy (%)",
        title="Digits 5 to 9 on a network that knows 0 to 4",
    )
    axes.set_xticks(few, [str(n) for n in few])
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=110)
    plt.close(figure)


def main() -> None:
    """Train the network, freeze it, compare, print, draw."""
    digits = load_digits()
    images, known = digits.images.astype(np.float32), digits.target < 5
    network = train_network(images[known], digits.target[known])
    settings = {"normalize": (MEAN, STD), "layers": ["2", "5"]}
    frozen = DeepInfoMaxTransformer(
        encoder=FrozenEncoder(network, **settings), max_epochs=1, random_state=SEED
    )
    logits = DeepInfoMaxTransformer(
        5,
        encoder=FrozenEncoder(network, normalize=(MEAN, STD)),
        output="hidden",
        max_epochs=1,
        random_state=SEED,
    )
    found = compare(
        images[~known][:N_IMAGES],
        digits.target[~known][:N_IMAGES],
        transformer=DeepInfoMaxTransformer(max_epochs=1, random_state=SEED),
        methods={"frozen backbone": frozen, "its five outputs": logits},
        rivals=False,
        cv=2,
        n_labels=N_LABELS,
        random_state=SEED,
    )
    print(found)
    path = Path("backbone.png")
    draw_figure(found, path)
    print(f"\nThe figure is in {path}.")


if __name__ == "__main__":
    main()

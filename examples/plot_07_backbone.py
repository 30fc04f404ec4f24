"""
A torch backbone of your own, frozen
====================================

A small network learns to tell the digits 0 to 4 with labels. Its convolutions then stay as they
are, and features of the digits 5 to 9 stand on them, learned without labels; any network from
elsewhere would go the same way. What the network says itself, raw pixels and features that start
from nothing are set beside them.
"""

import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn

from sk_infomax import DeepInfoMaxTransformer, FrozenEncoder
from sk_infomax.displays import LabelEfficiencyDisplay
from sk_infomax.evaluation import compare

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


# %%
# A network that knows the digits 0 to 4
# --------------------------------------

digits = load_digits()
images, known = digits.images.astype(np.float32), digits.target < 5
network = train_network(images[known], digits.target[known])

# %%
# Frozen, with features of 5 to 9 on top
# --------------------------------------
# ``layers`` are names of ``network.named_modules()``.

frozen = DeepInfoMaxTransformer(
    encoder=FrozenEncoder(network, normalize=(MEAN, STD), layers=["2", "5"]),
    max_epochs=1,
    random_state=SEED,
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

# %%
# Accuracy against labels
# -----------------------

LabelEfficiencyDisplay.from_comparison(found)
plt.show()

"""
The information plane
=====================

How much do features tell about their samples, and how much of that about the labels? Each
representation is a point. Noise is added to the features, without which the first number would be
infinite (see :doc:`/information_bottleneck`).
"""

import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split

from sk_infomax import DeepInfoMaxTransformer
from sk_infomax.evaluation import information_plane

SEED = 0
NOISE = 0.5  # standard deviation, where that of each feature is 1

digits = load_digits()
train, test, _, y_test = train_test_split(
    digits.images.astype(np.float32), digits.target, test_size=0.6, random_state=SEED
)

# %%
# Eight columns each
# ------------------
# Principal components, a network with random weights, and Deep InfoMax after two trainings.


def learned(epochs: int) -> np.ndarray:
    """Features (n, 8) of the test images after so many epochs."""
    dim = DeepInfoMaxTransformer(8, encoder="strided", max_epochs=epochs, random_state=SEED)
    return dim.fit(train).transform(test)


flat = [part.reshape(len(part), -1) for part in (train, test)]
features = {
    "PCA": PCA(8, whiten=True, random_state=SEED).fit(flat[0]).transform(flat[1]),
    "random directions": flat[1] @ np.random.RandomState(SEED).randn(64, 8),
    "Deep InfoMax, 1 epoch": learned(1),
    "Deep InfoMax, 12 epochs": learned(12),
}

# %%
# The plane
# ---------
# Bars are bounds and intervals. No features tell more about the labels than these hold, log 10.
# Warnings say of each that more samples would find more; the upper ends of the bars say it too.

warnings.filterwarnings("ignore", message="Two read-outs|The critics know")
figure, axes = plt.subplots(figsize=(8, 4.2), layout="constrained")
for (name, columns), marker in zip(features.items(), "sD^o"):
    plane = information_plane(
        None, columns, y_test, NOISE, discrete_y=True, max_steps=200, random_state=SEED
    )
    print(f"{name:<24} I(X; Z) {plane.x:5.2f} nats, I(Z; Y) {plane.y:4.2f} nats")
    reach = [[plane.x - plane.x_bounds[0]], [plane.x_bounds[1] - plane.x]]
    spread = [[plane.y - plane.y_interval[0]], [plane.y_interval[1] - plane.y]]
    axes.errorbar(plane.x, plane.y, np.abs(spread), np.abs(reach), fmt=marker, label=name)
axes.axhline(np.log(10), color="#717581", ls="--", lw=1, label="entropy of the labels")
axes.set(xlabel="about the samples: I(X; Z) in nats", ylabel="about the labels: I(Z; Y) in nats")
axes.legend(loc="upper left", bbox_to_anchor=(1, 1), fontsize="small")
plt.show()

"""
Digits: features learned without labels
=======================================

Deep InfoMax sees the training images only, and no label. A linear SVM then gets the features and
all labels of the training images, or a few of each digit; raw pixels and principal components get
the same.
"""

# %%
# Learn features
# --------------
# Of 1,257 images, as they are: no scaler, no labels.

import time

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.svm import LinearSVC

from sk_infomax import DeepInfoMaxTransformer

SEED = 0
N_DRAWS = 5
COUNTS = [2, 5, 10, 20, 50]

digits = load_digits()
train, test, y_train, y_test = train_test_split(
    digits.images.astype(np.float32),
    digits.target,
    test_size=0.3,
    stratify=digits.target,
    random_state=SEED,
)
start = time.perf_counter()
dim = DeepInfoMaxTransformer(max_epochs=15, random_state=SEED).fit(train)
seconds = time.perf_counter() - start
print(f"Deep InfoMax learned from {len(train)} images without labels in {seconds:.0f} s.")

# %%
# Judge them
# ----------
# The SVM's C is chosen by cross-validation on the labels that it has.


def make_probe() -> GridSearchCV:
    """A linear SVM that chooses its C on the labels it is given."""
    svm = LinearSVC(dual=True, max_iter=5000, tol=1e-3, random_state=SEED)
    return GridSearchCV(svm, {"C": [0.001, 0.01, 0.1, 1.0]}, cv=2)


def draw_labels(labels: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Indices of `count` samples of each digit."""
    rng = np.random.RandomState(seed)
    return np.concatenate(
        [rng.choice(np.flatnonzero(labels == digit), count, replace=False) for digit in range(10)]
    )


def few_labels(train: np.ndarray, test: np.ndarray, count: int) -> float:
    """Test accuracy with so many labels of each digit, the mean of five draws."""
    draws = [draw_labels(y_train, count, seed) for seed in range(N_DRAWS)]
    probes = [make_probe().fit(train[draw], y_train[draw]) for draw in draws]
    return float(np.mean([probe.score(test, y_test) for probe in probes]))


flat = train.reshape(len(train), -1), test.reshape(len(test), -1)
pca = PCA(30, random_state=SEED).fit(flat[0])
features = {
    "raw pixels": flat,
    "PCA (30)": (pca.transform(flat[0]), pca.transform(flat[1])),
    "Deep InfoMax": (dim.transform(train), dim.transform(test)),
}
curves = {}
print(f"\n{'LinearSVC on':<22}{'all labels':>12}{'5 a digit':>12}")
for name, (known, unseen) in features.items():
    known, unseen = known / known.std(), unseen / known.std()
    curves[name] = [few_labels(known, unseen, count) for count in COUNTS]
    everything = make_probe().fit(known, y_train).score(unseen, y_test)
    print(f"{name:<22}{everything:>12.3f}{curves[name][1]:>12.3f}")

# %%
# Look at them
# ------------
# The map is t-SNE's, of the features of the test images.

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.2), layout="constrained")
for (name, curve), colour in zip(curves.items(), ["#717581", "#3f90da", "#bd1f01"]):
    left.plot(COUNTS, 100 * np.array(curve), "o-", label=name, color=colour)
left.set(
    xscale="log",
    xlabel="labels for each digit",
    ylabel="test accuracy (%)",
    title="Linear SVM with few labels",
)
left.set_xticks(COUNTS, [str(count) for count in COUNTS])
left.minorticks_off()
left.grid(alpha=0.3)
left.legend(loc="lower right")
plane = TSNE(random_state=SEED).fit_transform(features["Deep InfoMax"][1])
right.scatter(*plane.T, c=y_test, cmap="tab10", s=8, alpha=0.6)
for digit in range(10):
    centre = np.median(plane[y_test == digit], axis=0)
    box = {"boxstyle": "circle,pad=0.15", "fc": "white", "alpha": 0.8, "lw": 0.5}
    right.text(*centre, str(digit), ha="center", va="center", weight="bold", bbox=box)
right.set(title="t-SNE of features learned without labels", xticks=[], yticks=[])
figure.savefig("digits.png", dpi=110)
plt.show()
print("The figure is in digits.png too.")

"""Digits: features learned without labels, then a linear SVM.

Run with ``python examples/plot_01_digits.py``. Deep InfoMax sees the training images only, and
no label. A linear SVM then gets the features and all labels of the training images, or five of
each digit; raw pixels and principal components get the same. The SVM's C is chosen by
cross-validation on the labels that it has. The table goes to the terminal, the figure to
``digits.png``.
"""

import time
from pathlib import Path

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


def make_probe() -> GridSearchCV:
    """A linear SVM that chooses its C on the labels it is given."""
    grid = {"C": [0.001, 0.01, 0.1, 1.0]}
    return GridSearchCV(
        LinearSVC(dual=True, max_iter=5000, tol=1e-3, random_state=SEED), grid, cv=2
    )


def draw_labels(labels, count: int, seed: int):
    """Indices of `count` samples of each digit."""
    rng = np.random.RandomState(seed)
    return np.concatenate(
        [rng.choice(np.flatnonzero(labels == digit), count, replace=False) for digit in range(10)]
    )


def accuracy_curve(train, test, y_train, y_test) -> dict:
    """Test accuracy for each number of labels a digit (mean of draws), and for all labels."""
    scale = train.std()
    train, test = train / scale, test / scale
    curve = {}
    for count in COUNTS:
        draws = [draw_labels(y_train, count, seed) for seed in range(N_DRAWS)]
        probes = [make_probe().fit(train[draw], y_train[draw]) for draw in draws]
        curve[count] = np.mean([probe.score(test, y_test) for probe in probes])
    curve["all"] = make_probe().fit(train, y_train).score(test, y_test)
    return curve


def print_table(curves: dict) -> None:
    """The table of the terminal."""
    print(f"\n{'LinearSVC on':<22}{'all labels':>12}{'5 a digit':>12}")
    for name, curve in curves.items():
        print(f"{name:<22}{curve['all']:>12.3f}{curve[5]:>12.3f}")


def draw_figure(curves: dict, features, labels, path: Path) -> None:
    """Accuracy against labels, and a map of the features by t-SNE."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.2), layout="constrained")
    for (name, curve), colour in zip(curves.items(), ["#9aa0a6", "#3b7dd8", "#c8102e"]):
        left.plot(COUNTS, [100 * curve[count] for count in COUNTS], "o-", label=name, color=colour)
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
    plane = TSNE(random_state=SEED).fit_transform(features)
    right.scatter(*plane.T, c=labels, cmap="tab10", s=8, alpha=0.6)
    for digit in range(10):
        centre = np.median(plane[labels == digit], axis=0)
        box = {"boxstyle": "circle,pad=0.15", "fc": "white", "alpha": 0.8, "lw": 0.5}
        right.text(*centre, str(digit), ha="center", va="center", weight="bold", bbox=box)
    right.set(title="Test images: t-SNE of features learned without labels", xticks=[], yticks=[])
    figure.savefig(path, dpi=110)
    plt.close(figure)


def main() -> None:
    """Learn, compare, print, draw."""
    digits = load_digits()
    images = digits.images.astype(np.float32)
    train, test, y_train, y_test = train_test_split(
        images, digits.target, test_size=0.3, stratify=digits.target, random_state=SEED
    )
    start = time.perf_counter()
    dim = DeepInfoMaxTransformer(max_epochs=15, random_state=SEED, verbose=1).fit(train)
    seconds = time.perf_counter() - start
    print(f"Deep InfoMax learned from {len(train)} images without labels in {seconds:.0f} s.")

    flat = train.reshape(len(train), -1), test.reshape(len(test), -1)
    pca = PCA(30, random_state=SEED).fit(flat[0])
    features = {
        "raw pixels": flat,
        "PCA (30)": tuple(pca.transform(part) for part in flat),
        "Deep InfoMax": (dim.transform(train), dim.transform(test)),
    }
    curves = {name: accuracy_curve(*pair, y_train, y_test) for name, pair in features.items()}
    print_table(curves)
    path = Path("digits.png")
    draw_figure(curves, features["Deep InfoMax"][1], y_test, path)
    print(f"\nThe figure is in {path}.")


if __name__ == "__main__":
    main()

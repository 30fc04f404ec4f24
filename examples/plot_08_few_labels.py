"""
Few labels: clothes of Fashion-MNIST
====================================

Two thousand pictures of clothes and few labels. The pictures are read from the files of the
Debian package ``dataset-fashion-mnist`` or from a folder of yours; where there are none, the
digits of scikit-learn take their place.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split

from sk_infomax import DeepInfoMaxTransformer
from sk_infomax.datasets import load_fashion_mnist
from sk_infomax.displays import LabelEfficiencyDisplay, NeighborsDisplay

SEED = 0
FOLDER = Path("/usr/share/datasets/fashion-mnist")
N_TRAIN, N_TEST = 1000, 800

if FOLDER.exists():
    X_train, y_train, X_test, y_test = load_fashion_mnist(FOLDER)
    X_train, y_train = X_train[:N_TRAIN], y_train[:N_TRAIN]
    X_test, y_test = X_test[:N_TEST], y_test[:N_TEST]
else:
    digits = load_digits()
    X_train, X_test, y_train, y_test = train_test_split(
        digits.images, digits.target, train_size=N_TRAIN, test_size=700, random_state=SEED
    )

# %%
# Learn, without labels
# ---------------------

dim = DeepInfoMaxTransformer(max_epochs=3, random_state=SEED).fit(X_train)


class Flat:
    """Principal components of images as rows, or the rows themselves."""

    def __init__(self, pca: PCA | None = None) -> None:
        self.pca = pca

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Images (n, h, w) as rows."""
        rows = X.reshape(len(X), -1) / X_train.max()
        return np.asarray(rows if self.pca is None else self.pca.transform(rows))


pca = PCA(64, random_state=SEED).fit(Flat().transform(X_train))

# %%
# Accuracy against labels
# -----------------------
# Logistic regression with so many labels of each class; the band is one deviation over the draws.

methods = {"raw pixels": Flat(), "PCA (64)": Flat(pca), "Deep InfoMax": dim}
parts = X_train, y_train, X_test, y_test
display = LabelEfficiencyDisplay.from_estimators(methods, *parts, n_labels=(3, 10, 30), n_draws=3)
for name, curve in display.curves.items():
    print(f"{name:<14}" + "  ".join(f"{n:>3}: {found.accuracy:.3f}" for n, found in curve.items()))

# %%
# What is near what
# -----------------
# Test pictures beside those whose features are most like theirs.

NeighborsDisplay.from_estimator(dim, X_test, n_neighbors=6)
plt.show()

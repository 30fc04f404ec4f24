"""
Few labels, many samples: stacking and spreading
================================================

Features are learned from all samples, labelled or not. Behind them stand scikit-learn's own means
for few labels: a stack of classifiers, and labels that spread to the neighbours of a sample.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.ensemble import StackingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import FunctionTransformer
from sklearn.semi_supervised import LabelSpreading
from sklearn.svm import SVC

from sk_infomax import DeepInfoMaxTransformer

SEED = 0
N_LABELS = 50
UNKNOWN = -1  # how scikit-learn writes that a sample has no label

digits = load_digits()
train, test, y_train, y_test = train_test_split(
    digits.images.astype(np.float32), digits.target, test_size=0.5, random_state=SEED
)
rng = np.random.RandomState(SEED)
known = rng.permutation(len(train))[:N_LABELS]

# %%
# One fit on all samples
# ----------------------

dim = DeepInfoMaxTransformer(max_epochs=3, random_state=SEED).fit(train)
spaces = {
    "raw pixels": FunctionTransformer(lambda X: X.reshape(len(X), -1) / 16).fit(train),
    "Deep InfoMax": dim,
}

# %%
# Three classifiers on each
# -------------------------
# A linear model and a stack gain from the features. Labels that spread do best of all, and better
# on raw pixels: of pictures as small and as centred as these, neighbours are right by themselves.


def make_stack() -> StackingClassifier:
    """Neighbours and a kernel machine, whose answers a linear model weighs."""
    members = [("near", KNeighborsClassifier(3)), ("kernel", SVC(C=10))]
    return StackingClassifier(members, LogisticRegression(max_iter=1000), cv=2, passthrough=True)


def accuracies(features: np.ndarray, unseen: np.ndarray) -> list[float]:
    """Of a linear model, of the stack, and of labels that spread over samples without one."""
    linear = LogisticRegression(max_iter=1000).fit(features[known], y_train[known])
    stack = make_stack().fit(features[known], y_train[known])
    some = np.full(len(features), UNKNOWN)
    some[known] = y_train[known]
    spread = LabelSpreading(kernel="knn", n_neighbors=7).fit(features, some)
    return [float(model.score(unseen, y_test)) for model in (linear, stack, spread)]


names = ["linear", "stack", "spreading"]
figure, axes = plt.subplots(figsize=(6, 3.8), layout="constrained")
for place, (name, space) in enumerate(spaces.items()):
    scores = accuracies(space.transform(train), space.transform(test))
    print(f"{name:<14}" + "  ".join(f"{n} {score:.3f}" for n, score in zip(names, scores)))
    bars = axes.bar(np.arange(3) + 0.4 * place, np.multiply(scores, 100), 0.38, label=name)
    axes.bar_label(bars, fmt="%.1f")
axes.set_xticks(np.arange(3) + 0.2, names)
axes.set(
    ylabel="test accuracy (%)",
    title=f"{N_LABELS} labels in all",
    ylim=(60, 112),
    yticks=range(60, 101, 10),
)
axes.legend(loc="upper left", ncols=2)
plt.show()

"""Accuracy of frozen features under linear models, and of classifiers that need no features."""

from collections.abc import Callable
from statistics import mean

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedShuffleSplit
from sklearn.svm import LinearSVC
from threadpoolctl import threadpool_limits

from ._split import Split
from ._svm import LinearSVM

SVM_C = (0.00001, 0.0001, 0.001, 0.01, 0.1, 1.0)
LOGISTIC_C = (0.001, 0.01, 0.1, 1.0, 10.0)
LABEL_COUNTS = (5, 10, 50, 100)
DRAWS, DROP = 5, 0.01
LARGE = 5000  # training samples of which one held-out fifth is enough
PROTOCOL = {
    "budget": "seconds on the wall clock of fit, of transform of all training samples and of "
    "transform of all test samples, together; networks train for what the other parts leave, "
    "which a rehearsal has measured before and which is not counted",
    "network": "StridedEncoder for images, n_components=256 (or 64): every network but ours",
    "all": "linear SVM, the problem of LinearSVC solved to its optimum; C of SVM_C, upwards until "
    "accuracy is a point below the best, chosen on 20 % of the training samples (the mean of five "
    "such draws if there are fewer than 5,000), then fitted on all of them; judged by itself, "
    "rbf-svm has C=10, gamma='scale' and at most 10,000 of them",
    "few": f"logistic regression, mean of {DRAWS} draws of labels; C of LOGISTIC_C chosen once, "
    "on up to 2000 other training samples, with the draw of 10 a class; rbf-svm and "
    "supervised-few are fitted on the same draws themselves",
    "svm_5": "LinearSVC(C=1) on the same draws of 5 labels a class",
    "scale": "features lose their means and are divided by one number, their standard deviation "
    "over all training values",
}

# Features ------------------------------------------------------------------------------------


def judge_features(train: np.ndarray, test: np.ndarray, split: Split, seed: int) -> dict:
    """Accuracies of linear models on features (n, d), which are scaled in place."""
    center, scale = train.mean(0), train.dtype.type(train.std() or 1.0)
    for X in (train, test):
        X -= center
        X /= scale
    pairs = (train, split.y_train, test, split.y_test)
    # BLAS threads that wait for each other made these small problems many times slower.
    with threadpool_limits(1):
        return all_labels(*pairs, seed) | few_labels(*pairs, seed)


def all_labels(train, y_train, test, y_test, seed: int) -> dict:
    """Test accuracy of a linear SVM, its C chosen on a fifth of the training samples."""
    count = 1 if len(train) >= LARGE else 5
    splits = StratifiedShuffleSplit(count, test_size=0.2, random_state=seed).split(train, y_train)
    trials = [
        (LinearSVM(train[fit], y_train[fit]), train[held], y_train[held]) for fit, held in splits
    ]
    scores: dict[float, float] = {}
    for C in SVM_C:
        scores[C] = mean(machine.fit(C).score(X, y) for machine, X, y in trials)
        if scores[C] < max(scores.values()) - DROP:
            break
    C = max(scores, key=scores.__getitem__)
    machine = LinearSVM(train, y_train).fit(C)
    return {"all": machine.score(test, y_test), "all_C": C}


def few_labels(train, y_train, test, y_test, seed: int) -> dict:
    """Test accuracies with few labels of each class, means over draws."""
    counts = label_counts(y_train)
    if not counts:
        return {"few": {}, "few_C": None, "svm_5": None}
    C = _choose_logistic(train, y_train, 10 if 10 in counts else counts[0], seed)
    few: dict[str, float] = {}
    for count in counts:
        draws = [draw_labels(y_train, count, seed, number) for number in range(DRAWS)]
        scores = [_logistic(C, train[d], y_train[d]).score(test, y_test) for d in draws]
        few[str(count)] = mean(scores)
    draws = [draw_labels(y_train, counts[0], seed, number) for number in range(DRAWS)]
    svms = [LinearSVC(max_iter=5000, random_state=0).fit(train[d], y_train[d]) for d in draws]
    return {"few": few, "few_C": C, "svm_5": mean(svm.score(test, y_test) for svm in svms)}


def label_counts(y: np.ndarray) -> list[int]:
    """The numbers of labels a class that every class has."""
    return [count for count in LABEL_COUNTS if count <= int(np.bincount(y).min())]


def draw_labels(y: np.ndarray, count: int, seed: int, number: int) -> np.ndarray:
    """Indices of `count` samples of each class, the same for every method."""
    rng = np.random.RandomState([seed, count, number])
    chosen = [rng.choice(np.flatnonzero(y == c), count, replace=False) for c in np.unique(y)]
    return np.concatenate(chosen)


def _choose_logistic(train, y, count: int, seed: int) -> float:
    drawn = draw_labels(y, count, seed, DRAWS)
    others = np.setdiff1d(np.arange(len(y)), drawn)
    held = np.random.RandomState(seed).permutation(others)[:2000]
    scores = [_logistic(C, train[drawn], y[drawn]).score(train[held], y[held]) for C in LOGISTIC_C]
    return LOGISTIC_C[int(np.argmax(scores))]


def _logistic(C: float, X: np.ndarray, y: np.ndarray) -> LogisticRegression:
    return LogisticRegression(C=C, max_iter=1000).fit(X, y)


# Classifiers ---------------------------------------------------------------------------------


def judge_draws(make: Callable, split: Split, seed: int) -> dict:
    """Test accuracies of fresh classifiers fitted on few labels, means over the same draws."""
    few: dict[str, float] = {}
    for count in label_counts(split.y_train):
        scores = []
        for number in range(DRAWS):
            drawn = draw_labels(split.y_train, count, seed, number)
            model = make().fit(split.X_train[drawn], split.y_train[drawn])
            scores.append(float(np.mean(model.predict(split.X_test) == split.y_test)))
        few[str(count)] = mean(scores)
    return {"few": few, "few_C": None, "svm_5": None}

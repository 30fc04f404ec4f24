"""Ridge regression on labels, its penalty chosen by leaving one out: the probe of tables.

What `RidgeClassifierCV` finds, by one decomposition of the smaller product in place of a singular
value decomposition, which for 1,024 columns takes a tenth of the time.
"""

import numpy as np
from scipy.linalg import eigh

PENALTIES = np.logspace(-6, 2, 17)  # of the variance of all columns together
_RANK_FLOOR = 1e-10  # of the largest eigenvalue; what is below is rounding


class Ridge:
    """Ridge regression on +1 and -1 for each class, its penalty by squared error left out.

    Attributes
    ----------
    penalty : float
        The one that was chosen, as a part of the total variance.
    """

    def fit(self, X: np.ndarray, y: np.ndarray) -> "Ridge":
        """Fit columns (n, d) and labels (n,)."""
        self.classes, codes = np.unique(y, return_inverse=True)
        targets = np.where(codes[:, None] == np.arange(len(self.classes)), 1.0, -1.0)
        self.level, self.centre = targets.mean(0), X.mean(0, dtype=np.float64)
        X, targets = X - self.centre, targets - self.level
        values, left = _left_vectors(X)
        turned, total = left.T @ targets, max(np.square(X).sum(), 1e-12)
        best = np.inf
        for penalty in PENALTIES:
            shrunk = values / (values + penalty * total)
            fitted = left @ (shrunk[:, None] * turned)
            leverage = 1 / len(X) + np.square(left) @ shrunk
            error = np.square((targets - fitted) / np.maximum(1 - leverage, 1e-9)[:, None]).mean()
            if error < best:
                best, self.penalty = error, penalty
        weights = left @ (turned / (values + self.penalty * total)[:, None])
        self.weights = X.T @ weights
        return self

    def score(self, X: np.ndarray, y: np.ndarray) -> float:
        """Accuracy on columns (n, d) with labels (n,)."""
        scores = (X - self.centre) @ self.weights + self.level
        return float(np.mean(self.classes[scores.argmax(1)] == y))


def _left_vectors(X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Squared singular values (k,) of X (n, d) and its left singular vectors (n, k)."""
    n, d = X.shape
    values, vectors = eigh(X @ X.T if n <= d else X.T @ X)
    kept = values > _RANK_FLOOR * max(values[-1], 1e-300)
    values, vectors = values[kept], vectors[:, kept]
    return values, vectors if n <= d else X @ vectors / np.sqrt(values)

"""The linear SVM of scikit-learn, solved to its optimum on wide features of many samples."""

import numpy as np
import torch
from torch import Tensor

ACTIVE, OVERSAMPLED, ROUNDING = 0.3, 1.5, 1e-7
ROUNDS, STEPS, GAIN = 20, 10, 1e-3  # rounds of steps, until one lowers the loss by a smaller part
_ROWS = 4096  # in any case for the moments


class LinearSVM:
    """`LinearSVC()`, one class against the rest, for several C on the same samples.

    The primal problem, squared hinge loss and a penalised intercept, is solved for all classes at
    once by L-BFGS, in coordinates in which the Hessian is near the identity: those of the second
    moments of some samples, as if `ACTIVE` of them were inside the margin. Where features are wide
    and correlated, liblinear's coordinate descent is far from the optimum after minutes, the more
    so for large C, and would favour features that are not correlated.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        Centred features of about unit variance, float32.
    y : ndarray of shape (n,)
        Classes 0, 1, ...
    """

    def __init__(self, X: np.ndarray, y: np.ndarray):
        self.X = torch.from_numpy(np.ascontiguousarray(X, dtype=np.float32))
        labels = torch.from_numpy(np.asarray(y, dtype=np.int64))
        self.signs = 2 * torch.nn.functional.one_hot(labels).float() - 1
        some = self.X[: max(_ROWS, int(OVERSAMPLED * X.shape[1]))]
        self.moments = some.T @ some
        self.moments *= len(self.X) / len(some)
        self.weights = torch.zeros(X.shape[1], self.signs.shape[1])
        self.intercepts = torch.zeros(self.signs.shape[1])

    def fit(self, C: float) -> "LinearSVM":
        """Solve for one C, from the last solution on."""
        root = self._root(2 * C * ACTIVE)
        scale = (1 + 2 * C * ACTIVE * len(self.X)) ** 0.5
        turned = (root.T @ self.weights).contiguous().requires_grad_()
        moved = (scale * self.intercepts).requires_grad_()

        def untangle() -> tuple[Tensor, Tensor]:
            with torch.no_grad():
                weights = torch.linalg.solve_triangular(root.T, turned, upper=True)
                return weights, moved / scale

        def closure() -> Tensor:
            weights, intercepts = untangle()
            slack = (1 - self.signs * self._scores(self.X, weights, intercepts)).clamp_(min=0)
            loss = 0.5 * (weights.square().sum() + intercepts.square().sum())
            loss = loss + C * slack.square().sum(dtype=torch.float64)
            pull = slack.mul_(self.signs).mul_(-2 * C)
            gradient = weights + (pull.T @ self.X).T  # X.T @ pull is many times slower
            gradient = torch.linalg.solve_triangular(root, gradient, upper=False)
            turned.grad = gradient.contiguous()
            moved.grad = (intercepts + pull.sum(0)) / scale
            return loss

        optimizer = torch.optim.LBFGS(
            [turned, moved],
            max_iter=STEPS,
            tolerance_grad=0,
            tolerance_change=0,
            history_size=20,
            line_search_fn="strong_wolfe",
        )
        loss = float("inf")
        for _round in range(ROUNDS):
            last, loss = loss, float(optimizer.step(closure))  # the loss before these steps
            if loss > (1 - GAIN) * last:
                break
        self.weights, self.intercepts = untangle()
        return self

    def score(self, X: np.ndarray, y: np.ndarray) -> float:
        """Accuracy on samples (n, d) with classes (n,)."""
        scores = self._scores(
            torch.from_numpy(np.asarray(X, np.float32)), self.weights, self.intercepts
        )
        return float(np.mean(scores.argmax(1).numpy() == y))

    @staticmethod
    def _scores(X: Tensor, weights: Tensor, intercepts: Tensor) -> Tensor:
        return (weights.T.contiguous() @ X.T).T + intercepts

    def _root(self, strength: float) -> Tensor:
        """Lower triangular root of the identity plus `strength` times the moments."""
        trace = float(self.moments.diagonal().sum())
        rounding = ROUNDING
        while True:
            matrix = strength * self.moments
            matrix.diagonal().add_(1 + strength * rounding * trace)
            root, failed = torch.linalg.cholesky_ex(matrix)
            if not failed:
                return root
            rounding *= 10

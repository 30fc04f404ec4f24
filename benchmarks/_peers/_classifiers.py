"""Peers that classify on their own: their accuracy stands beside that of features and a probe."""

import numpy as np
import torch
from sklearn.svm import SVC
from torch import Tensor

from ._classical import Raw
from ._fitting import DoesNotFit, Stopwatch, seconds_of
from ._networks import Supervised

ROWS = (10_000, 7_000, 5_000, 3_000, 2_000, 1_000)
N_TRIAL = 500


class KernelMachine(Raw):
    """A support vector machine with a radial kernel on the standardised values.

    Parameters
    ----------
    budget : float
        Seconds for `fit` and for `predict` of `n_samples` samples, together.
    seed : int
        Of the samples that are used where there is no time for all.
    n_samples : int
        How many samples `predict` will be asked for.
    C : float, default=10.0
        Of the machine; its kernel has ``gamma="scale"``.
    """

    def __init__(self, budget: float, seed: int, n_samples: int, C: float = 10.0):
        self.budget = budget
        self.seed = seed
        self.n_samples = n_samples
        self.C = C

    def fit(self, X: np.ndarray, y: np.ndarray) -> "KernelMachine":
        """Fit on as many samples, at most 10,000, as there is time for."""
        watch = Stopwatch(self.budget)
        values = super().fit(X, y).scaling.apply(X).flatten(1).numpy()
        order = np.random.RandomState(self.seed).permutation(len(values))
        self.n_rows_ = min(len(values), ROWS[0])
        if self.n_rows_ > 2 * N_TRIAL:
            self.n_rows_ = self.choose(values[order], y[order], watch)
        rows = order[: self.n_rows_]
        self.machine = SVC(C=self.C, cache_size=1000).fit(values[rows], y[rows])
        return self

    def choose(self, values: np.ndarray, y: np.ndarray, watch: Stopwatch) -> int:
        """Number of samples (n, p) to fit on: fitting grows with its square."""
        small, trial = values[:N_TRIAL], SVC(C=self.C)
        fitting = seconds_of(lambda: trial.fit(small, y[:N_TRIAL])) / N_TRIAL**2
        predicting = seconds_of(lambda: trial.predict(small[:200])) / 200 / len(trial.support_)
        share = len(trial.support_) / N_TRIAL
        for rows in ROWS:
            seconds = fitting * rows**2 + predicting * share * rows * self.n_samples
            if rows <= len(values) and watch.allows(seconds):
                return rows
        raise DoesNotFit(f"{ROWS[-1]} labels would take {seconds:.1f} s of {self.budget:g} s.")

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Labels (n,)."""
        return self.machine.predict(super().transform(X))


class SupervisedFew(Supervised):
    """`Supervised`, trained on few samples until its loss has long converged."""

    max_steps = 300

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Labels (n,)."""
        with torch.inference_mode():
            scores: Tensor = self.head(torch.from_numpy(self.transform(X)))
        return scores.argmax(1).numpy()

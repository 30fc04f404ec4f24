"""UMAP, from its own library."""

import time
import warnings

import numpy as np

from ._classical import Raw
from ._fitting import DoesNotFit, Stopwatch

N_TRIAL = 1000
SMALLEST = 1000


class Umap(Raw):
    """UMAP with many components, learned on as many samples as there is time for.

    Parameters
    ----------
    n_components : int
        Width of the features.
    budget : float
        Seconds for `fit` and for `transform` of `n_samples` samples, together.
    seed : int
        Of the layout and of the samples that are used.
    n_samples : int
        How many samples `transform` will be asked for.
    """

    def __init__(self, n_components: int, budget: float, seed: int, n_samples: int):
        self.n_components = n_components
        self.budget = budget
        self.seed = seed
        self.n_samples = n_samples

    def fit(self, X: np.ndarray, y: np.ndarray) -> "Umap":
        """Time a small layout, then make the largest that leaves time to place all samples."""
        watch = Stopwatch(self.budget)
        values = super().fit(X, y).scaling.apply(X).flatten(1).numpy()
        order = np.random.RandomState(self.seed).permutation(len(values))
        start = time.perf_counter()
        trial = self.lay_out(values[order[:N_TRIAL]])
        fitting = (time.perf_counter() - start) / min(N_TRIAL, len(values))
        start = time.perf_counter()
        trial.transform(values[order[-N_TRIAL:]])
        placing = (time.perf_counter() - start) / min(N_TRIAL, len(values))
        affordable = (0.8 * watch.left() - placing * self.n_samples) / fitting
        size = min(len(values), int(affordable))
        if size < min(SMALLEST, len(values)):
            raise DoesNotFit(
                f"UMAP places a sample in {1000 * placing:.2f} ms: {self.n_samples} samples take "
                f"{placing * self.n_samples:.0f} s of {self.budget:g} s."
            )
        self.umap = self.lay_out(values[order[:size]])
        self.notes_ = {"fitted_on": size}
        return self

    def lay_out(self, values: np.ndarray):
        """A layout of samples (n, p)."""
        try:
            from umap import UMAP
        except ImportError as error:
            raise DoesNotFit(
                'umap-learn is not installed: pip install "sk_infomax[bench]".'
            ) from error
        size = min(self.n_components, len(values) - 2)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            model = UMAP(
                n_components=size,
                init="random",
                force_approximation_algorithm=True,  # one algorithm, so that trials foretell
                random_state=self.seed,
                n_jobs=1,
            )
            return model.fit(values)

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Places (n, n_components)."""
        return self.umap.transform(super().transform(X))

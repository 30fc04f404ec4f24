"""UMAP, from its own library."""

import time
import warnings

import numpy as np

from ._classical import Raw
from ._fitting import MARGIN, DoesNotFit, Stopwatch

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
        n, size = len(values), min(N_TRIAL, len(values) // 2)
        start = time.perf_counter()
        trial = self.lay_out(values[order[:size]])
        fitting = (time.perf_counter() - start) / size
        start = time.perf_counter()
        trial.transform(values[order[-size:]])
        placing = (time.perf_counter() - start) / size
        # The library gives back the places of the whole training set if it was fitted on that.
        if fitting * n + placing * (self.n_samples - n) < MARGIN * watch.left():
            chosen: slice | np.ndarray = slice(None)
        else:
            affordable = (MARGIN * watch.left() - placing * self.n_samples) / fitting
            if affordable < SMALLEST:
                raise DoesNotFit(
                    f"UMAP learns a sample in {1000 * fitting:.1f} ms and places one in "
                    f"{1000 * placing:.1f} ms: too slow for {n} and {self.n_samples} samples in "
                    f"{self.budget:g} s."
                )
            chosen = order[: min(n, int(affordable))]
        self.umap = self.lay_out(values[chosen])
        self.notes_ = {"fitted_on": len(values[chosen])}
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

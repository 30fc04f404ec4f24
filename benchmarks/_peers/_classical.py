"""Features by linear algebra: the values themselves, principal components, a kernel."""

import time

import numpy as np
from scipy.spatial.distance import pdist
from sklearn.decomposition import PCA
from sklearn.kernel_approximation import Nystroem as KernelMap

from sk_infomax._scaling import Scaling

from ._fitting import DoesNotFit, Stopwatch, layout_of, seconds_of

COMPONENTS = (2048, 1024, 512, 256, 128, 64)
N_TIMED = 512


class Raw:
    """The standardised values themselves, flattened."""

    n_steps_ = 0

    def fit(self, X: np.ndarray, y: np.ndarray) -> "Raw":
        """Take the scaling from the samples."""
        self.scaling = Scaling(layout_of(X)).update(X)
        return self

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Values (n, p) in float32."""
        return self.scaling.apply(X).flatten(1).numpy()


class Whitened(Raw):
    """Whitened principal components of the values.

    Parameters
    ----------
    n_components : int
        How many, at most half as many as there are values: whitened, the last ones are noise.
    seed : int
        Of the solver.
    """

    def __init__(self, n_components: int, seed: int):
        self.n_components = n_components
        self.seed = seed

    def fit(self, X: np.ndarray, y: np.ndarray) -> "Whitened":
        """Find the components."""
        values = super().fit(X, y).scaling.apply(X).flatten(1).numpy()
        size = min(self.n_components, len(values), max(1, values.shape[1] // 2))
        self.pca = PCA(size, whiten=True, random_state=self.seed).fit(values)
        return self

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Components (n, n_components)."""
        return self.pca.transform(super().transform(X))


class Nystroem(Raw):
    """Features of the radial kernel, on as many samples as there is time for.

    The width of the kernel is the median distance between samples.

    Parameters
    ----------
    budget : float
        Seconds for `fit` and for `transform` of `n_samples` samples, together.
    seed : int
        Of the samples that are used.
    n_samples : int
        How many samples `transform` will be asked for.
    sizes : tuple of int, default=COMPONENTS
        Numbers of samples to choose from.
    """

    def __init__(
        self, budget: float, seed: int, n_samples: int, sizes: tuple[int, ...] = COMPONENTS
    ):
        self.budget = budget
        self.seed = seed
        self.n_samples = n_samples
        self.sizes = sizes

    def fit(self, X: np.ndarray, y: np.ndarray) -> "Nystroem":
        """Choose width and number of samples, and find the map."""
        watch = Stopwatch(self.budget)
        values = super().fit(X, y).scaling.apply(X).flatten(1).numpy()
        order = np.random.RandomState(self.seed).permutation(len(values))
        gamma = 1 / max(np.median(pdist(values[order[:1000]], "sqeuclidean")), 1e-12)
        sizes = [size for size in self.sizes if size <= len(values)] or [len(values)]
        for size in sizes:
            # The map's cost is cubic in its size, and a trial of a large one is dear itself.
            if not watch.allows(3e-9 * size**3):
                continue
            start = time.perf_counter()
            self.map = KernelMap(gamma=gamma, n_components=size, random_state=self.seed)
            self.map.fit(values[order])
            if watch.allows(self.transform_seconds(values[order[:N_TIMED]])):
                self.notes_ = {"components": size, "map_seconds": time.perf_counter() - start}
                return self
        raise DoesNotFit(f"The kernel with {sizes[-1]} samples takes more than {self.budget} s.")

    def transform_seconds(self, trial: np.ndarray) -> float:
        """Time of all samples, by that of a few (n, p)."""
        return seconds_of(lambda: self.map.transform(trial)) / len(trial) * self.n_samples

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Features (n, n_components)."""
        return self.map.transform(super().transform(X))

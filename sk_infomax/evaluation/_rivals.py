"""What a comparison sets beside a `DeepInfoMaxTransformer`: raw values and cheap features.

All of them read samples as the estimator does: what a sample is, mixed frames as numbers,
standardised.
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import torch
from scipy import sparse
from sklearn.base import clone
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.kernel_approximation import Nystroem
from sklearn.metrics.pairwise import euclidean_distances
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer

from .._bases import BaseEstimator, TransformerMixin
from .._checks import draft_of
from .._fitted import read_rows
from .._layout import Layout
from .._random import new_generator, own_draws
from .._scaling import Scaling
from .._settings import settle
from ..encoders import Encoder, PatchEncoder, PatternEncoder
from ..encoders._base import prepare
from ..series._equal import filled

__all__ = ["cheap_rivals", "layout_of"]

_LEADING = 100  # principal components at most; the usual size of latent semantic analysis
_LANDMARKS = 512  # rows that Nystroem's kernel features are made of, at most (rule of thumb)
_MEDIAN_ROWS = 500  # rows whose distances the width of the kernel is the median of
_PREPARE_ROWS = 4096  # samples that a stem is found on, as in `DeepInfoMaxTransformer`
_BLOCK = 256  # samples whose columns are made at once
_RIVAL_FILTERS = 128  # of a dictionary of patches; Coates, Ng and Lee (2011) begin with 100
_SHORTEST = 9  # values of a series, under which MiniRocket has no kernels
_TINY = 1e-12  # least median to divide by, for rows that are all the same


class Reading:
    """How samples are read, learned from some of them; no network is made.

    Parameters
    ----------
    reader : DeepInfoMaxTransformer
        Has the parameters; it is left alone.
    X : array-like
        Samples.
    """

    def __init__(self, reader: Any, X: Any):
        self.draft = draft_of(reader)
        vars(self.draft).pop("_fitted", None)
        read = read_rows(self.draft, X, None, min_samples=2)
        self.columns = read.columns
        self.parts, self.layout = settle(self.draft, read.rows, read.layout, read.said)
        self.scaling = Scaling(self.layout, self.parts.encoder.normalize)
        self.scaling.update(filled(read.rows, self.layout))
        # What a later reading is compared with: the layout and the columns.
        self.draft._fitted = self

    def apply(self, X: Any) -> torch.Tensor:
        """Standardised samples (n, *network_shape) in float32."""
        read = read_rows(self.draft, X, self)  # type: ignore[arg-type]
        return self.scaling.apply(read.rows)


def layout_of(reader: Any, X: Any) -> Layout:
    """What samples are, after they are checked as `fit` checks them."""
    return Reading(reader, X).layout


class Values(TransformerMixin, BaseEstimator):
    """The values themselves, flat: standardised as encoders see them; sparse ones stay sparse."""

    def __init__(self, reader: Any):
        self.reader = reader

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn how to read samples."""
        if not sparse.issparse(X):
            self.reading_ = Reading(self.reader, X)
        return self

    def transform(self, X: Any) -> Any:
        """Values (n, d)."""
        if sparse.issparse(X):
            return sparse.csr_matrix(X, dtype=np.float64)
        return self.reading_.apply(X).flatten(1).nan_to_num(0.0).numpy()


class Leading(TransformerMixin, BaseEstimator):
    """The leading principal components, of sparse values without a mean; as many as there are."""

    def __init__(self, random_state: int):
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> Self:
        """Find them."""
        if sparse.issparse(X):
            kept = min(_LEADING, X.shape[1])
            self.found_ = TruncatedSVD(kept, random_state=self.random_state).fit(X)
        else:
            kept = min(_LEADING, *X.shape)
            self.found_ = PCA(kept, random_state=self.random_state).fit(X)
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Components (n, k)."""
        return self.found_.transform(X)


class KernelColumns(TransformerMixin, BaseEstimator):
    """Nystroem's features of a radial kernel as wide as the median distance."""

    def __init__(self, random_state: int):
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> Self:
        """Find width and landmarks; sparse rows are brought to one norm first."""
        few = X[np.random.RandomState(self.random_state).permutation(X.shape[0])[:_MEDIAN_ROWS]]
        norm = Normalizer() if sparse.issparse(X) else None
        few = few if norm is None else norm.fit_transform(few)
        median = float(np.median(euclidean_distances(few, squared=True)))
        kernel = Nystroem(
            gamma=1 / max(median, _TINY),
            n_components=min(_LANDMARKS, X.shape[0]),
            random_state=self.random_state,
        )
        self.found_ = (kernel if norm is None else make_pipeline(norm, kernel)).fit(X)
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Features (n, k)."""
        return self.found_.transform(X)


class StemColumns(TransformerMixin, BaseEstimator):
    """What a stem pools, or a group of it, without directions and without training."""

    def __init__(self, reader: Any, encoder: Encoder, group: str | None, random_state: int):
        self.reader = reader
        self.encoder = encoder
        self.group = group
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> Self:
        """Find the stem."""
        self.reading_ = Reading(self.reader, X)
        samples = self.reading_.apply(X)
        shape = self.reading_.layout.network_shape
        settled = clone(self.encoder).fitted_to(len(samples), shape)
        with own_draws(self.random_state):
            network: Any = settled.build(shape, 1)
        generator = new_generator(self.random_state)
        chosen = torch.randperm(len(samples), generator=generator)[:_PREPARE_ROWS]
        self.stem_ = network.stem
        prepare(self.stem_, samples[chosen], None, generator)
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Pooled columns (n, d)."""
        with torch.inference_mode():
            blocks = [self.stem_(b).pooled for b in self.reading_.apply(X).split(_BLOCK)]
        return torch.cat(blocks)[:, self._columns()].numpy()

    def _columns(self) -> slice:
        """Those of the group."""
        if self.group is None:
            return slice(None)
        names, widths = list(self.stem_.groups), list(self.stem_.groups.values())
        start = sum(widths[: names.index(self.group)])
        return slice(start, start + self.stem_.groups[self.group])


class RocketColumns(TransformerMixin, BaseEstimator):
    """MiniRocket's proportions of positive values, by `aeon`."""

    def __init__(self, reader: Any, random_state: int):
        self.reader = reader
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> Self:
        """Find thresholds."""
        from aeon.transformations.collection.convolution_based import MiniRocket

        self.reading_ = Reading(self.reader, X)
        self.found_ = MiniRocket(random_state=self.random_state)
        self.found_.fit(self.reading_.apply(X).numpy())
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Proportions (n, 9,996)."""
        return np.asarray(self.found_.transform(self.reading_.apply(X).numpy()))


def cheap_rivals(reader: Any, layout: Layout, seed: int) -> dict[str, Any]:
    """Transformers by name: the usual cheap features of a kind of data."""
    values = Values(reader)
    found: dict[str, Any] = {"PCA": make_pipeline(values, Leading(seed))}
    if layout.kind == "table":
        found["Nystroem"] = make_pipeline(values, KernelColumns(seed))
    elif layout.kind == "image":
        if min(layout.network_shape[1:]) > 1:
            encoder = PatchEncoder(_RIVAL_FILTERS, n_channels=0)
            found["patch dictionary"] = StemColumns(reader, encoder, None, seed)
    elif _has_aeon() and layout.network_shape[-1] >= _SHORTEST:
        found["MiniRocket"] = RocketColumns(reader, seed)
    elif layout.network_shape[-1] >= _SHORTEST:
        found["thresholds"] = StemColumns(reader, PatternEncoder(), "thresholds", seed)
    return found


def _has_aeon() -> bool:
    try:
        import aeon  # noqa: F401
    except ImportError:
        return False
    return True

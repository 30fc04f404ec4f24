"""Frozen features of tables that are found before training: kernels on landmarks, and trees.

A row is compared with some rows of the data, the landmarks, in four ways: by a radial kernel of
its values beside their normal scores, by the same kernel after half of a whitening, by their
inner product, and by the leaves that it shares with them in a forest whose splits tell about
other columns. The four are added up and turned into columns by Nystroem's method.
"""

from __future__ import annotations

import math

import torch
from sklearn.base import clone
from torch import Tensor, nn

from .._checks import POSITIVE_INT
from .._modes import in_blocks, is_traced
from .._state import Indexing
from ._base import Encoder, Views
from ._closed_form import FEW_STEPS, ClosedFormNetwork, Codes, Stem
from ._forest import fall, grow_forest
from ._symmetric import eigh

__all__ = ["KernelEncoder", "TableStem"]

_LANDMARKS = 1024  # rows that others are compared with; as many columns come out (rule of thumb)
_KNOTS = 257  # quantiles of a column that its normal scores are read from (rule of thumb)
_CLIP = 5.0  # standard deviations; standardised values beyond are cut off (rule of thumb)
_WHITE = 256  # leading directions that are whitened; all of tables of up to 128 columns
_WHITENING = 0.25  # power of variances divided by: half of a whitening
_WHITENING_FLOOR = 0.1  # of the mean variance, added to each before that
_GRAM = 1024  # rows that directions are found on where values are more than rows
_TREES = 64  # (rule of thumb)
_DEPTH = 7  # levels of a tree; 128 leaves at most
# What each way of comparing adds to the variance: radial kernel, whitened, inner product, leaves.
# On the 14 tables that constants were chosen on, half or twice of one changed means of accuracies
# by 0.4 points at most (`benchmarks/_table_sets.py`).
_WEIGHTS = (1.0, 0.5, 0.4, 0.35)
# Power of the variances of principal directions, of which 0.5 is the kernel itself. More of it
# trusts what many rows share: 0.4 points more with 10 labels a class, 0.1 fewer with all.
_SHAPE = 0.65
_MEDIAN_ROWS = 512  # rows whose distances the widths of kernels are the median of
_JITTER = 1e-6  # of the mean of the kernel's diagonal, added to it: landmarks may be equal
_RANK_FLOOR = 1e-9  # of the largest variance; directions below are rounding
_MAPS = 64  # leading directions that a small network reads (rule of thumb)
_PLACES = 8  # places of its map, each with the same number of them (rule of thumb)
_BLOCK = 1024  # rows that are compared with all landmarks at once
_TRACED_TREES = 8  # trees whose landmarks a traced graph gathers at once (rule of thumb)
_TINY = 1e-12  # least number to divide by; only guards against a division by 0


class KernelEncoder(Encoder):
    """The default for tables: rows compared with landmarks by kernels and trees, in closed form.

    1. A row is compared with some rows of the data by a radial kernel of its values beside their
       normal scores, by the same after half of a whitening, by their inner product, and by the
       leaves that they share in a forest whose splits tell about other columns. Nystroem's method
       makes columns of it [1]_, of which those that many rows share count more.
    2. These are turned so that all of them spread alike: `output="hidden"`.
    3. A layer on the leading directions in groups (the local map) and a linear layer learn
       what step 2 misses; the global vector is the leading directions and what is learned.

    `output="multiscale"`, the default of `transform`, is the embedding beside step 2.

    Parameters
    ----------
    n_landmarks : int, default=1024
        Rows that others are compared with, at most all; as many columns come out.
    width : int, default=64
        Channels of the local map.

    References
    ----------
    .. [1] Williams and Seeger, Using the Nystroem method to speed up kernel machines, NIPS 2000.

    Examples
    --------
    >>> from sk_infomax import KernelEncoder
    >>> KernelEncoder().fitted_to(300, (8,)).n_landmarks
    300
    """

    _parameter_constraints: dict = {"n_landmarks": [POSITIVE_INT], "width": [POSITIVE_INT]}
    kind = "table"
    narrows_sparse = True
    output = "multiscale"
    share_of_steps = FEW_STEPS

    def __init__(self, n_landmarks: int = _LANDMARKS, width: int = 64):
        self.n_landmarks = n_landmarks
        self.width = width

    def fitted_to(
        self, n_samples: int, shape: tuple[int, ...], views: Views | None = None
    ) -> KernelEncoder:
        """The same settings with no more landmarks than there are rows."""
        return clone(self).set_params(n_landmarks=min(n_samples, self.n_landmarks))

    def build(self, shape: tuple[int, ...], n_components: int) -> nn.Module:
        """Make the network for rows of shape (p,)."""
        stem = TableStem(shape[0], self.n_landmarks)
        return ClosedFormNetwork(stem, stem.n_pooled, self.width, shape, n_components)


class TableStem(Stem, Indexing):
    """Columns of a table (n, p) of standardised values, found in closed form and frozen.

    Columns of `pooled` are principal directions of kernel features [1]_, the ones with most
    variance first; it is 1 in the mean on the samples of `prepare`. Values at ranks count beside
    the values themselves, so that a column may be skew or have far outliers.

    Parameters
    ----------
    n_columns : int
        Columns p of the table.
    n_landmarks : int, default=1024
        Rows that others are compared with, and the number of columns of `pooled`. There are no
        more directions than samples; columns past them are 0.

    Attributes
    ----------
    n_maps, n_places, n_pooled : int
        Sizes of what `forward` gives.
    groups : tuple of int
        Widths of the groups of columns of `pooled`: a single one.

    References
    ----------
    .. [1] Williams and Seeger, Using the Nystroem method to speed up kernel machines, NIPS 2000.

    Examples
    --------
    >>> import torch
    >>> from sk_infomax.encoders._table_stem import TableStem
    >>> stem, x = TableStem(5, n_landmarks=64), torch.randn(200, 5)
    >>> stem.prepare(x, None, torch.Generator().manual_seed(0))
    >>> maps, pooled = stem(x)
    >>> maps.shape, pooled.shape
    (torch.Size([200, 8, 8]), torch.Size([200, 64]))
    """

    knots: Tensor
    scores: Tensor
    whitening: Tensor
    landmarks: Tensor
    landmark_leaves: Tensor
    features: Tensor
    thresholds: Tensor
    rates: Tensor
    weights: Tensor
    centre: Tensor
    matrix: Tensor
    offset: Tensor
    leading: Tensor
    leaf_table: Tensor
    level: Tensor
    shift: Tensor

    def __init__(self, n_columns: int, n_landmarks: int = _LANDMARKS):
        super().__init__()
        m, width, nodes = n_landmarks, 2 * n_columns, 2**_DEPTH - 1
        self.n_places = max(1, min(_PLACES, m // 2))
        self.n_pooled, self.n_maps = m, min(_MAPS, m) // self.n_places
        self.groups = (m,)
        self.bounds = {"landmark_leaves": 2**_DEPTH, "features": n_columns}
        add = self.register_buffer
        add("knots", torch.linspace(-2, 2, _KNOTS).repeat(n_columns, 1))
        add("scores", torch.linspace(-2, 2, _KNOTS).repeat(n_columns, 1))
        add("centre", torch.zeros(width))
        add("whitening", torch.zeros(width, min(width, _WHITE)))
        add("landmarks", torch.zeros(m, width))
        add("landmark_leaves", torch.zeros(m, _TREES, dtype=torch.long))
        add("features", torch.zeros(_TREES, nodes, dtype=torch.long))
        add("thresholds", torch.full((_TREES, nodes), math.inf))
        add("rates", torch.ones(2))
        add("weights", torch.tensor(_WEIGHTS))
        add("matrix", torch.eye(m))
        add("offset", torch.zeros(m))
        add("leading", torch.eye(m, self.n_maps * self.n_places))
        add("leaf_table", torch.zeros(_TREES * 2**_DEPTH, m), persistent=False)
        add("level", torch.zeros(m), persistent=False)
        add("shift", torch.zeros(m), persistent=False)
        self.register_load_state_dict_post_hook(_read_leaves)
        self.register_load_state_dict_post_hook(_read_level)

    @torch.no_grad()
    def forward(self, x: Tensor) -> Codes:
        """Maps (n, n_maps, n_places) and all columns (n, n_pooled) of rows (n, p)."""
        kernels = (self.compare(block) for block in in_blocks(x, _BLOCK))
        pooled = torch.cat([(kernel - self.level) @ self.matrix for kernel in kernels]) - self.shift
        return Codes((pooled @ self.leading).unflatten(1, (self.n_maps, -1)), pooled)

    def compare(self, x: Tensor) -> Tensor:
        """How alike rows (n, p) and all landmarks are, (n, m)."""
        values = self.values(x)
        leaves = fall(values[:, x.shape[1] :], self.features, self.thresholds)
        return self._compare(values, leaves) @ self.weights

    def _compare(self, values: Tensor, leaves: Tensor) -> Tensor:
        """The four ways of comparing values (n, 2 p) and leaves (n, trees), (n, m, 4)."""
        white, marks = values - self.centre, self.landmarks - self.centre
        rows = leaves + 2**_DEPTH * torch.arange(_TREES, device=leaves.device)
        ways = [
            _radial(values, self.landmarks, self.rates[0]),
            _radial(white @ self.whitening, marks @ self.whitening, self.rates[1]),
            white @ marks.T,
            _mean_rows(self.leaf_table, rows),
        ]
        return torch.stack(ways, 2)

    def values(self, x: Tensor) -> Tensor:
        """Values, cut off, and their normal scores, (n, 2 p), of rows (n, p)."""
        columns = x.T.contiguous()
        place = _first_place(self.knots, columns).clamp(1, _KNOTS - 1)
        low, high = self.knots.gather(1, place - 1), self.knots.gather(1, place)
        share = ((columns - low) / (high - low).clamp(min=_TINY)).clamp(0, 1)
        below, above = self.scores.gather(1, place - 1), self.scores.gather(1, place)
        return torch.cat([x.clamp(-_CLIP, _CLIP), (below + share * (above - below)).T], 1)

    @torch.no_grad()
    def prepare(self, x: Tensor, views: Views | None, generator: torch.Generator) -> None:
        """Find knots, widths, landmarks and trees among rows x (n, p)."""
        order = torch.randperm(len(x), generator=generator, device=x.device)
        x = x[order]
        self._find_scores(x)
        values = self.values(x)
        self.centre.copy_(values.mean(0))
        self.whitening.copy_(_half_whitening(values - self.centre, self.whitening.shape[1]))
        self._plant(values, generator)
        used = min(len(x), self.n_pooled)
        few = values[: min(used, _MEDIAN_ROWS)]
        self.rates[0] = _rate(few)
        self.rates[1] = _rate((few - self.centre) @ self.whitening)
        self._weigh(values[:used], used)
        kernel = torch.cat([self.compare(block)[:, :used] for block in x.split(_BLOCK)])
        self._find_columns(kernel.double())
        _read_level(self, None)

    def _find_scores(self, x: Tensor) -> None:
        """Quantiles of columns and the normal scores of their ranks, the middle one of ties."""
        n = len(x)
        ordered = x.T.contiguous().sort(1).values
        chosen = torch.linspace(0, n - 1, _KNOTS, dtype=torch.float64).round().long()
        knots = ordered[:, chosen.to(x.device)].contiguous()
        ends = [torch.searchsorted(ordered, knots, right=right) for right in (False, True)]
        shares = (ends[0] + ends[1]).to(x.dtype) / (2 * n)
        self.knots.copy_(knots)
        self.scores.copy_(torch.special.ndtri(shares.clamp(0.5 / n, 1 - 0.5 / n)))

    def _plant(self, values: Tensor, generator: torch.Generator) -> None:
        """Take over landmarks, the first rows of values (n, 2 p), and a forest of all of them."""
        ranks = values[:, values.shape[1] // 2 :]
        features, thresholds = grow_forest(ranks, _TREES, _DEPTH, generator)
        self.features.copy_(features)
        self.thresholds.copy_(thresholds)
        used = min(len(values), self.n_pooled)
        self.landmarks.zero_()[:used] = values[:used]
        self.landmark_leaves.zero_()
        self.landmark_leaves[:used] = fall(ranks[:used], self.features, self.thresholds)
        _read_leaves(self, None)

    def _weigh(self, values: Tensor, used: int) -> None:
        """Weigh the ways of comparing so that each has its share of the variance."""
        ways = self._compare(values, self.landmark_leaves[:used])[:, :used]
        variance = ways.diagonal(dim1=0, dim2=1).mean(1) - ways.mean((0, 1))
        wanted = torch.tensor(_WEIGHTS).to(variance)
        # A way in which all rows are the same has nothing to add.
        known = variance > _JITTER
        self.weights.copy_(torch.where(known, wanted / variance.clamp(min=_JITTER), 0.0))

    def _find_columns(self, kernel: Tensor) -> None:
        """Matrix and offset that turn the kernel (n, used) with the landmarks into columns.

        The first rows of the kernel are the landmarks themselves.
        """
        used = kernel.shape[1]
        root = _inverse_root(kernel[:used])
        found = kernel @ root
        mean = found.mean(0)
        scale, directions = _shaped(found - mean, self.n_pooled, _SHAPE)
        kept, turned = len(scale), directions * scale
        self.matrix.zero_()[:used, :kept] = (root @ turned).to(self.matrix.dtype)
        self.offset.zero_()[:kept] = (mean @ turned).to(self.offset.dtype)
        spread = ((found - mean) @ turned).std(0, correction=0)[: self.leading.shape[1]]
        size = torch.where(spread > 0, 1 / spread.clamp(min=_TINY), 0.0)
        self.leading.zero_()[: len(size), : len(size)] = size.diag().to(self.leading.dtype)


def _first_place(knots: Tensor, values: Tensor) -> Tensor:
    """How many of ordered knots (p, k) lie below values (p, n), as `torch.searchsorted` says.

    A graph that is written down halves the knots step by step: ONNX knows no other way.
    """
    if not is_traced():
        return torch.searchsorted(knots, values)
    most = knots.shape[1]
    place = torch.zeros_like(values, dtype=torch.long)
    for power in reversed(range(most.bit_length())):
        ahead = place + 2**power
        below = knots.gather(1, (ahead - 1).clamp(max=most - 1)) < values
        place = torch.where(below & (ahead <= most), ahead, place)
    return place


def _mean_rows(table: Tensor, rows: Tensor) -> Tensor:
    """Mean (n, m) of the rows (n, trees) of a table (k, m) of ones and zeros, whose sums are exact.

    A graph that is written down gathers them, as ONNX has no other way that is fast.
    """
    if not is_traced():
        return torch.nn.functional.embedding_bag(rows, table, mode="mean")
    parts = [table[some].sum(1) for some in rows.split(_TRACED_TREES, 1)]
    return torch.stack(parts).sum(0) / rows.shape[1]


def _shaped(centred: Tensor, kept: int, power: float) -> tuple[Tensor, Tensor]:
    """Factors (k,) and principal directions (d, k) of centred rows (n, d), k at most `kept`.

    Times the factors, directions have as variances the powers ``2 * power`` of their own, which
    add up to `kept`.
    """
    values, vectors = eigh(centred.T @ centred / len(centred))
    values, vectors = values.flip(0)[:kept], vectors.flip(1)[:, :kept]
    known = values > _RANK_FLOOR * values[0].clamp(min=_TINY)
    shaped = torch.where(known, values.clamp(min=_TINY) / values[0].clamp(min=_TINY), 0.0)
    shaped = torch.where(known, shaped ** (2 * power), 0.0)
    size = kept / shaped.sum().clamp(min=_TINY)
    factors = torch.where(known, (size * shaped / values.clamp(min=_TINY)).sqrt(), 0.0)
    return factors, vectors


def _inverse_root(kernel: Tensor) -> Tensor:
    """A square root R (m, m) of the inverse R R' of a kernel of landmarks."""
    kernel = (kernel + kernel.T) / 2
    size = kernel.diagonal().mean().clamp(min=_JITTER)
    one = torch.eye(len(kernel)).to(kernel)
    jitter = _JITTER
    # In float32 a kernel has rounding errors that may leave it with eigenvalues below 0.
    while True:
        lower, failed = torch.linalg.cholesky_ex(kernel + jitter * size * one)
        if not failed:
            return torch.linalg.solve_triangular(lower, one, upper=False).T
        jitter *= 10


def _radial(rows: Tensor, marks: Tensor, rate: Tensor) -> Tensor:
    """exp(-rate * squared distance), (n, m), of rows (n, d) and marks (m, d)."""
    squares = rows.square().sum(1)[:, None] + marks.square().sum(1)
    return torch.addmm(squares, rows, marks.T, alpha=-2).clamp_(min=0).mul_(-rate).exp_()


def _rate(rows: Tensor) -> Tensor:
    """One over the median squared distance between rows (n, d)."""
    distances = torch.pdist(rows).square()
    distances = distances[distances > _TINY]
    return 1 / distances.median() if len(distances) else rows.new_tensor(1.0)


def _half_whitening(centred: Tensor, kept: int) -> Tensor:
    """Matrix (d, kept) that makes the variances of centred rows (n, d) more alike."""
    n, d = centred.shape
    if d <= _GRAM:
        values, vectors = eigh(centred.T @ centred / n)
    else:  # the same directions, from inner products of rows
        rows = centred[:_GRAM]
        values, weights = eigh(rows @ rows.T / len(rows))
        norms = (values.clamp(min=0) * len(rows)).sqrt()
        vectors = rows.T @ (weights / norms.clamp(min=_TINY)) * (norms > 1e-4 * norms[-1])
    values, vectors = values.flip(0)[:kept].clamp(min=0), vectors.flip(1)[:, :kept]
    floor = (_WHITENING_FLOOR * values.mean()).clamp(min=_TINY)
    found = centred.new_zeros(d, kept)
    found[:, : len(values)] = vectors * (values + floor) ** -_WHITENING
    return found


def _read_leaves(stem: TableStem, _) -> None:
    """Make the table of landmarks in each leaf, (trees * leaves, m), from their leaves."""
    leaves = (
        stem.landmark_leaves.T
        + 2**_DEPTH * torch.arange(_TREES, device=stem.landmark_leaves.device)[:, None]
    )  # (trees, m)
    stem.leaf_table.zero_()[leaves, torch.arange(stem.n_pooled, device=leaves.device)] = 1.0


def _read_level(stem: TableStem, _) -> None:
    """What the kernel is in the mean over landmarks, (m,), and the offset of what is left.

    Columns are small differences of many large numbers: less of a level that all rows share, three
    times as many digits are sound in float32.
    """
    with torch.no_grad():
        blocks = stem.landmarks.split(_BLOCK), stem.landmark_leaves.split(_BLOCK)
        sums = [(stem._compare(*block) @ stem.weights).sum(0) for block in zip(*blocks)]
        stem.level.copy_(torch.stack(sums).sum(0) / stem.n_pooled)
        shared = stem.level.double() @ stem.matrix.double()
        stem.shift.copy_(stem.offset.double() - shared)

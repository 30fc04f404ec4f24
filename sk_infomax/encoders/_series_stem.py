"""Frozen features of series in closed form: a dictionary of patterns and what they do together."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool1d

from .._modes import in_blocks
from ._base import Views
from ._closed_form import Codes, Stem
from ._dictionary import CONTRAST_FLOOR, find_filters
from ._symmetric import eigh
from ._time import Level, averages, by_length, lengths_of, levels_of, long_enough, pyramid, total

__all__ = ["FILTERS", "SeriesStem"]

_TAPS = 9  # values that a pattern reads (Dempster, Schmidt and Webb 2021)
FILTERS = 16  # patterns of each level; 32 gained nothing (rule of thumb)
_MOST_CHANNELS = 8  # channels that patterns see; more are mixed to so many (rule of thumb)
_CELLS = 64  # cells of time, of which moments are taken; a power of two (rule of thumb)
_PLACES = 16  # cells of time that a learned network reads (rule of thumb)
_PARTS = (1, 2, 4, 8)  # parts of time over which codes are averaged
_WIN_PARTS = (1, 2, 4)  # parts of time over which the most alike patterns are counted
_QUANTILES = 4  # thresholds of each fixed kernel (rule of thumb)
_CONTESTS = 8  # contests among random kernels, of each dilation (rule of thumb)
_RIVALS = 8  # random kernels in each contest (Dempster, Schmidt and Webb 2023)
_RIVAL_CHANNELS = 3  # channels that a random kernel reads at most (rule of thumb)
_MOMENT_CHANNELS = 48  # whitened mixtures of codes whose products are averaged (rule of thumb)
_VALUES = 128  # cells of time at which the series itself is a column (rule of thumb)
_MOST_VALUES = 1024  # columns of the series itself, all channels together (rule of thumb)
_THRESHOLD = 0.25  # of likeness, below which a code is 0; that of `PatchEncoder`
_N_PATCHES = 4096  # patches that k-means sees at each level; twice as many gained nothing
_N_ANSWERS = 1024  # patches that thresholds are quantiles of (rule of thumb)
_N_SCALED = 256  # series on which mixtures and scales are found; twice as many gained nothing
_N_MIXED = 256  # series whose codes mixtures are found among (rule of thumb)
_WHITENING_FLOOR = 0.01  # of the mean variance of directions of the values, added to each
_RANK_FLOOR = 1e-6  # of the largest variance of a direction; smaller ones are rounding
_SPREAD = 0.2  # standard deviation of the columns, in the mean; that of `PatchEncoder`
# Of the variance of all columns. The values themselves decide little, and harm where shapes do;
# whitened, they show what is small in them, where that decides (spectra): of 33 sets none is then
# more than 2 points with all labels, 3 with few, below the values alone (3 and 5 without).
_SHARES = {
    "patterns": 1.0,
    "wins": 1.0,
    "rivals": 1.0,
    "thresholds": 1.0,
    "moments": 1.0,
    "values": 0.1,
    "whitened": 0.1,
}
_FLAT = 1e-4  # of the largest deviation of a group, under which a column counts as constant
_CACHED_VALUES = 2**17  # likenesses; half a MB in float32, what the cache of a core holds
_BLOCK = 64  # series whose codes are held at once (rule of thumb)
_TINY = 1e-6  # least norm of a kernel, and variance of mixtures, to divide by


class SeriesStem(Stem):
    """How much stretches of series (n, c, t) are like patterns, pooled over time in six ways.

    `prepare` finds everything in closed form, or by k-means, and nothing is learned afterwards.

    1. Patches of nine values at dilations 1, 2, 4, ... [1]_ of the series and of its differences
       are normalised in contrast and whitened, and k-means finds `n_filters` centres of each
       level [2]_. Codes are how much each stretch is like a centre and how much like its
       negative, above a threshold.
    2. The pooled columns are, in groups: "patterns", roots of the codes' means over the whole,
       halves, quarters and eighths of time; "wins", roots of how often each pattern is the most
       like of its level; "rivals", the same of random kernels in contests of eight, by their
       largest value and by how often they are the least [3]_; "thresholds", how often fixed
       kernels are above quantiles of their answers [1]_; "moments", signed roots of products of
       whitened mixtures of all codes, averaged over the whole and the halves, which tell what
       happens at the same time; "values", the series itself, averaged over cells, and "whitened",
       the same with all of its directions at about one spread.
    3. Each column is standardised and each group has its share of the variance.

    Parameters
    ----------
    channels, length : int
        Of the series, c and t; t must be 2 or more.
    n_filters : int, default=16
        Patterns of each level.

    Attributes
    ----------
    n_maps, n_places : int
        Shape of the maps of a series.
    n_pooled : int
        Number of pooled columns.
    groups : dict of str to int
        How many of the columns, in their order, each group has.

    References
    ----------
    .. [1] Dempster, Schmidt and Webb, MiniRocket: a very fast (almost) deterministic transform
       for time series classification, KDD 2021.
    .. [2] Coates and Ng, The importance of encoding versus training with sparse coding and vector
       quantization, ICML 2011.
    .. [3] Dempster, Schmidt and Webb, Hydra: competing convolutional kernels for fast and accurate
       time series classification, Data Mining and Knowledge Discovery, 2023.

    Examples
    --------
    >>> import torch
    >>> from sk_infomax.encoders._series_stem import SeriesStem
    >>> stem, series = SeriesStem(2, 40), torch.randn(6, 2, 40)
    >>> stem.prepare(series, None, torch.Generator().manual_seed(0))
    >>> maps, pooled = stem(series)
    >>> maps.shape == (6, stem.n_maps, stem.n_places), pooled.shape == (6, stem.n_pooled)
    (True, True)
    """

    mix: Tensor
    filters: Tensor
    kernels: Tensor
    fixed: Tensor
    thresholds: Tensor
    code_parts: Tensor
    win_parts: Tensor
    offset: Tensor
    floor: Tensor
    aligned: Tensor
    code_mean: Tensor
    mixtures: Tensor
    whitening: Tensor
    centre: Tensor
    scale: Tensor

    def __init__(self, channels: int, length: int, n_filters: int = FILTERS):
        super().__init__()
        if length < 2:
            raise ValueError(
                f"Series of {length} value (n_features = {length} in rows of one channel) hold no "
                "pattern: give 2 values or more, or treat them as a table, encoder='table'."
            )
        self.length = length
        self.taps = min(_TAPS, length - 1)
        self.levels = levels_of(length, self.taps)
        self.n_contested = sum(level.order == 0 for level in self.levels)
        self.n_cells = 2 ** int(math.log2(min(_CELLS, self.levels[0].places)))
        self.n_win_cells = min(max(_WIN_PARTS), self.n_cells)
        self.n_maps = 2 * n_filters * len(self.levels)
        self.n_places = min(_PLACES, self.n_cells)
        self.n_values = min(length, _VALUES, max(1, _MOST_VALUES // channels))
        mixed = min(_MOMENT_CHANNELS, self.n_maps)
        self.groups = {
            "patterns": self.n_maps * total(_PARTS, self.n_cells),
            "wins": self.n_maps * total(_WIN_PARTS, self.n_cells),
            "rivals": 2 * _CONTESTS * _RIVALS * self.n_contested,
            "thresholds": math.comb(self.taps, self._picks()) * _QUANTILES * self.n_contested,
            "moments": (3 if self.n_cells > 1 else 1) * mixed * (mixed + 1) // 2,
            "values": channels * self.n_values,
            "whitened": channels * self.n_values,
        }
        self.n_pooled = sum(self.groups.values())
        self._register(channels, n_filters, mixed)

    def _register(self, channels: int, n_filters: int, mixed: int) -> None:
        """Buffers, at values that give finite columns before `prepare`."""
        seen, n_levels = min(channels, _MOST_CHANNELS), len(self.levels)
        own = torch.Generator().manual_seed(0)
        filters = torch.randn(n_levels, n_filters, seen, self.taps, generator=own)
        self.register_buffer("mix", torch.eye(seen, channels))
        self.register_buffer("filters", filters - filters.mean((2, 3), keepdim=True))
        self.register_buffer("offset", torch.zeros(n_levels, n_filters, 1))
        self.register_buffer("floor", torch.full((n_levels,), CONTRAST_FLOOR**2))
        self.register_buffer("kernels", self._random_kernels(seen, own))
        fixed = self._fixed_kernels(seen, own)
        self.register_buffer("fixed", fixed)
        self.register_buffer("thresholds", torch.zeros(*fixed.shape[:2], _QUANTILES))
        self.register_buffer("code_parts", pyramid(_PARTS, self.n_cells), persistent=False)
        self.register_buffer("win_parts", pyramid(_WIN_PARTS, self.n_win_cells), persistent=False)
        self.register_buffer("aligned", self._alignment(self.length), persistent=False)
        for index, level in enumerate(self.levels):
            for name, cells in (("code", self.n_cells), ("win", self.n_win_cells)):
                pool = averages(level.places, cells)
                self.register_buffer(f"{name}_pool_{index}", pool, persistent=False)
        self.register_buffer("code_mean", torch.zeros(self.n_maps))
        self.register_buffer("mixtures", torch.eye(self.n_maps, mixed))
        self.register_buffer("whitening", torch.eye(channels * self.n_values))
        self.register_buffer("centre", torch.zeros(self.n_pooled))
        self.register_buffer("scale", torch.ones(self.n_pooled))

    def _picks(self) -> int:
        """How many of the taps of a fixed kernel have the large weight; 3 of 9."""
        return max(1, self.taps // 3)

    def _fixed_kernels(self, channels: int, generator: torch.Generator) -> Tensor:
        """All kernels of two weights and a mean of 0, (dilations, m, s, taps)."""
        picks = self._picks()
        chosen = torch.combinations(torch.arange(self.taps), picks)
        weights = torch.full((len(chosen), self.taps), -1.0)
        weights = weights.scatter_add(1, chosen, torch.full(chosen.shape, self.taps / picks))
        kernels = weights[:, None].repeat(self.n_contested, 1, channels, 1)
        return kernels * self._few_channels(kernels, generator)

    def _few_channels(self, kernels: Tensor, generator: torch.Generator) -> Tensor:
        """1 for the few channels, at random, that each of kernels (dilations, m, s, taps) reads."""
        rank = torch.rand(kernels.shape[:3], generator=generator).argsort(2).argsort(2)
        return (rank < _RIVAL_CHANNELS)[..., None].to(kernels)

    def _random_kernels(self, channels: int, generator: torch.Generator) -> Tensor:
        """Kernels (dilations, contests * rivals, s, taps), each of a few channels."""
        shape = self.n_contested, _CONTESTS * _RIVALS, channels, self.taps
        kernels = torch.randn(shape, generator=generator)
        kernels -= kernels.mean(3, keepdim=True)
        kernels *= self._few_channels(kernels, generator)
        return kernels / kernels.abs().sum((2, 3), keepdim=True).clamp(min=_TINY)

    def _alignment(self, length: int) -> Tensor:
        """Weights (levels, cells, cells) of a level's cells in cells of the whole time.

        A level has no places at the ends of a series, the fewer the wider its patterns are.
        """
        edges, starts, ends = torch.arange(self.n_cells + 1) / self.n_cells, [], []
        for level in self.levels:
            reach = (self.taps - 1) * level.dilation
            places = (max(1, length - level.order - reach) - 1) // level.stride + 1
            # What is shorter than a pattern is padded to its length.
            whole = max(length, reach + 1 + level.order)
            starts.append(reach / 2 / whole)
            ends.append((reach / 2 + places * level.stride) / whole)
        first, last = torch.tensor(starts)[:, None], torch.tensor(ends)[:, None]
        own = first + edges * (last - first)
        overlap = torch.minimum(own[:, 1:, None], edges[1:])
        overlap = (overlap - torch.maximum(own[:, :-1, None], edges[:-1])).clamp(min=0)
        return overlap * self.n_cells

    @torch.no_grad()
    def forward(self, x: Tensor) -> Codes:
        """Maps (n, n_maps, n_places) and pooled columns (n, n_pooled) of series (n, c, t).

        Series that are shorter than others have NaN after their end.
        """
        return Codes(*by_length(self._of_one_length, x))

    def _of_one_length(self, x: Tensor) -> tuple[Tensor, ...]:
        blocks = [self._block(block) for block in in_blocks(x, _BLOCK)]
        return tuple(torch.cat(part) for part in zip(*blocks))

    def _block(self, x: Tensor) -> tuple[Tensor, Tensor]:
        codes, columns = self._columns(x)
        pooled = (columns - self.centre) * self.scale
        return codes.unflatten(2, (self.n_places, -1)).mean(3), pooled

    def _columns(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Codes (n, n_maps, cells), and all columns (n, n_pooled) before they are scaled."""
        codes, *found = self._cells(x)
        return codes, self._pooled(codes, *found)

    def _pooled(
        self,
        codes: Tensor,
        wins: Tensor,
        rivals: Tensor,
        above: Tensor,
        timed: Tensor,
        values: Tensor,
    ) -> Tensor:
        """All columns (n, n_pooled) of what `_cells` gives."""
        columns = [
            (codes @ self.code_parts).sqrt_().flatten(1),
            (wins @ self.win_parts).sqrt_().flatten(1),
            rivals.clamp(min=0).sqrt_(),
            above,
            self._moments(timed),
            values,
            values @ self.whitening,
        ]
        return torch.cat(columns, 1)

    def _cells(self, x: Tensor) -> tuple[Tensor, ...]:
        """What the levels say of series (n, c, t) of one length, which need not be the stem's.

        Codes (n, n_maps, cells), shares of wins (n, n_maps, fewer cells), largest values and
        shares of losses of random kernels, and shares of time in which fixed ones are above
        thresholds, (n, width of the group); the codes on cells of the same time, and values.
        """
        seen = torch.einsum("sc,nct->nst", self.mix, x)
        signals = seen, seen.diff(dim=2)
        found = [self._of_level(signals[lv.order], i) for i, lv in enumerate(self.levels)]
        codes, *rest = (torch.cat(part, 1) for part in zip(*found))
        values = adaptive_avg_pool1d(x, self.n_values).flatten(1)
        return codes, *rest, self._on_time(codes, x.shape[2]), values

    def _of_level(self, signal: Tensor, index: int) -> tuple[Tensor, ...]:
        """The same of one level, of a signal (n, s, t)."""
        level, few, found = self.levels[index], signal.shape[0], []
        signal = long_enough(signal, (self.taps - 1) * level.dilation + 1)
        if signal.device.type == "cpu":  # what fits its cache is done twice as fast
            few = max(1, _CACHED_VALUES // (_CONTESTS * _RIVALS * level.places))
        for block in in_blocks(signal, few):
            stretches = self._stretches(block, level)
            if index < self.n_contested:  # those of differences told no more
                rest = self._contests(stretches, index), self._above(stretches, index)
            else:
                rest = (stretches.new_zeros(block.shape[0], 0),) * 2
            found.append((*self._alike(stretches, index), *rest))
        return tuple(torch.cat(part) for part in zip(*found))

    def _stretches(self, signal: Tensor, level: Level) -> Tensor:
        """What patterns of a level see of a signal (n, s, t), (s * taps, n, places).

        A product of these with all patterns takes half the time of a convolution.
        """
        reach = (self.taps - 1) * level.dilation
        seen = signal.unfold(2, reach + 1, level.stride)[..., :: level.dilation]
        return seen.permute(1, 3, 0, 2).flatten(0, 1).contiguous()

    def _alike(self, stretches: Tensor, index: int) -> tuple[Tensor, Tensor]:
        """Codes (n, 2 * n_filters, cells) and wins (n, 2 * n_filters, fewer cells) of a level."""
        likeness = self._likeness(stretches, index)
        best = likeness.abs().amax(0)
        signed = torch.cat([likeness, -likeness])
        won = torch.ge(signed, best, out=torch.empty_like(signed))  # in one pass, as numbers
        codes = self._means("code", index, signed.sub_(_THRESHOLD).relu_())
        return codes.transpose(0, 1), self._means("win", index, won).transpose(0, 1)

    def _means(self, name: str, index: int, values: Tensor) -> Tensor:
        """Means (k, n, cells) of values (k, n, places) over parts of the series' own length."""
        if values.shape[2] == self.levels[index].places:
            # A product with a small matrix takes a third of the time of a pooling layer.
            return values @ getattr(self, f"{name}_pool_{index}")
        return adaptive_avg_pool1d(values, self.n_cells if name == "code" else self.n_win_cells)

    def _likeness(self, stretches: Tensor, index: int) -> Tensor:
        """How much stretches (s * taps, n, places) are like the patterns, (k, n, places)."""
        spread = stretches.square().mean(0) - stretches.mean(0).square()
        contrast = spread.clamp_(min=0).add_(self.floor[index]).rsqrt_()
        likeness = torch.tensordot(self.filters[index].flatten(1), stretches, 1)
        return likeness.mul_(contrast).sub_(self.offset[index, :, :, None])

    def _contests(self, stretches: Tensor, index: int) -> Tensor:
        """Mean largest value and share of losses of each random kernel, side by side, (n, ...)."""
        answers = torch.tensordot(self.kernels[index].flatten(1), stretches, 1)
        answers = answers.unflatten(0, (_CONTESTS, _RIVALS))
        chosen = torch.empty_like(answers)
        least = torch.le(answers, answers.amin(1, keepdim=True), out=chosen).mean(3).flatten(0, 1)
        torch.ge(answers, answers.amax(1, keepdim=True), out=chosen)
        largest = answers.mul_(chosen).mean(3).flatten(0, 1)
        return torch.cat([largest, least]).T

    def _above(self, stretches: Tensor, index: int) -> Tensor:
        """Shares of the places at which fixed kernels are above their thresholds, (n, ...)."""
        answers = torch.tensordot(self.fixed[index].flatten(1), stretches, 1)
        limits, chosen = self.thresholds[index, :, :, None, None], torch.empty_like(answers)
        shares = [torch.gt(answers, limits[:, q], out=chosen).mean(2) for q in range(_QUANTILES)]
        return torch.cat(shares).T

    def _on_time(self, codes: Tensor, length: int) -> Tensor:
        """Codes (n, n_maps, cells) on cells that are the same times at all levels."""
        aligned = self.aligned if length == self.length else self._alignment(length).to(codes)
        by_level = codes.unflatten(1, (len(self.levels), -1))
        return torch.einsum("nlkg,lgh->nlkh", by_level, aligned).flatten(1, 2)

    def _moments(self, timed: Tensor) -> Tensor:
        """Signed roots of products of mixtures of codes (n, n_maps, cells) of the same times."""
        centred = timed - self.code_mean[:, None]
        mixed = torch.einsum("nkg,kr->nrg", centred, self.mixtures)
        halves = mixed.chunk(2, 2) if self.n_cells > 1 else (mixed,)
        products = [half @ half.transpose(1, 2) / half.shape[2] for half in halves]
        if len(products) > 1:
            products.append((products[0] + products[1]) / 2)
        first, second = torch.triu_indices(mixed.shape[1], mixed.shape[1], device=timed.device)
        columns = torch.cat([product[:, first, second] for product in products], 1)
        return columns.sign() * columns.abs().sqrt()

    @torch.no_grad()
    def prepare(self, x: Tensor, views: Views | None, generator: torch.Generator) -> None:
        """Find patterns, mixtures and scales among series x (n, c, t)."""
        rows, lengths = x.transpose(1, 2).flatten(0, 1), lengths_of(x)
        self.mix.copy_(_leading(rows[~rows[:, 0].isnan()], len(self.mix)))
        signal = torch.einsum("sc,nct->nst", self.mix, x)
        for index, level in enumerate(self.levels):
            moves = signal.diff(dim=2) if level.order else signal
            self._find_patterns(moves, lengths - level.order, index, generator)
        some = x[torch.randperm(len(x), generator=generator, device=x.device)[:_N_SCALED]]
        found = (by_length(self._cells, block) for block in some.split(_BLOCK))
        codes, wins, rivals, above, timed, values = (torch.cat(part) for part in zip(*found))
        self._find_mixtures(timed)
        self.whitening.copy_(_whitening(values))
        self._find_scales(self._pooled(codes, wins, rivals, above, timed, values))

    def _find_patterns(
        self, signal: Tensor, lengths: Tensor, index: int, generator: torch.Generator
    ) -> None:
        """The patterns of one level among patches of a signal (n, s, t) of lengths (n,)."""
        patches = self._patches(signal, lengths, self.levels[index], generator)
        if index < self.n_contested:
            answers = self.fixed[index].flatten(1) @ patches[:_N_ANSWERS].T
            shares = (torch.arange(_QUANTILES).to(answers) + 0.5) / _QUANTILES
            self.thresholds[index] = answers.quantile(shares, 1).T
        found = find_filters(patches, self.filters.shape[1], generator)
        self.floor[index] = found.floor
        self.offset[index] = found.offset[:, None]
        self.filters[index] = found.weights.view_as(self.filters[index])

    def _patches(
        self, signal: Tensor, lengths: Tensor, level: Level, generator: torch.Generator
    ) -> Tensor:
        """Patches (m, s * taps) at random places of random series that are long enough."""
        shape, device = (_N_PATCHES,), signal.device
        reach = (self.taps - 1) * level.dilation
        least = min(reach + 1, int(lengths.max()))
        enough = (lengths >= least).nonzero().flatten()
        rows = enough[torch.randint(len(enough), shape, generator=generator, device=device)]
        places = torch.randint(level.places, shape, generator=generator, device=device)
        places = places % ((lengths[rows] - least) // level.stride + 1)
        steps = torch.arange(self.taps, device=device) * level.dilation
        times = places[:, None] * level.stride + steps
        return signal[rows[:, None], :, times].transpose(1, 2).flatten(1).nan_to_num_(0.0)

    def _find_mixtures(self, timed: Tensor) -> None:
        """Whitened mixtures of codes (n, n_maps, cells) at one time."""
        rows = timed[:_N_MIXED].transpose(1, 2).flatten(0, 1)
        self.code_mean.copy_(rows.mean(0))
        centred = rows - self.code_mean
        values, vectors = eigh(centred.T @ centred / len(rows))
        kept = self.mixtures.shape[1]
        values, vectors = values.flip(0)[:kept], vectors.flip(1)[:, :kept]
        floor = _TINY + 1e-3 * values[0].clamp(min=0)
        self.mixtures.copy_(vectors * (values.clamp(min=0) + floor).rsqrt())

    def _find_scales(self, columns: Tensor) -> None:
        """Standardise columns (n, n_pooled), and give each group its share of the variance."""
        self.centre.copy_(columns.mean(0))
        deviation, scales = columns.std(0, correction=0), []
        size = _SPREAD * (self.n_pooled / sum(_SHARES.values())) ** 0.5
        widths = list(self.groups.values())
        for part, share in zip(deviation.split(widths), _SHARES.values()):
            telling = part > _FLAT * part.max()
            factor = size * (share / telling.sum().clamp(min=1)) ** 0.5
            scales.append(torch.where(telling, factor / part, 0.0))
        self.scale.copy_(torch.cat(scales).nan_to_num(0.0, 0.0, 0.0))


def _whitening(rows: Tensor) -> Tensor:
    """A symmetric matrix (d, d) that brings the directions of rows (n, d) to about one spread.

    Directions that rows do not have are left out.
    """
    centred = rows - rows.mean(0)
    values, vectors = eigh(centred.T @ centred / len(rows))
    values = values.clamp(min=0)
    size = (values + (_WHITENING_FLOOR * values.mean()).clamp(min=_TINY)).rsqrt()
    return vectors * (size * (values > _RANK_FLOOR * values.max())) @ vectors.T


def _leading(rows: Tensor, kept: int) -> Tensor:
    """Directions (kept, c) in which rows (n, c) spread most; the identity if that is all."""
    if rows.shape[1] <= kept:
        return torch.eye(kept).to(rows)
    centred = rows - rows.mean(0)
    return eigh(centred.T @ centred)[1].flip(1)[:, :kept].T

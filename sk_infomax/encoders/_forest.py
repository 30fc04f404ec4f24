"""Trees whose splits tell about other columns, grown level by level and held as arrays."""

import math
from typing import Any

import torch
from torch import Tensor

__all__ = ["fall", "grow_forest"]

_CANDIDATES = 5  # splits that a node chooses from; 1 makes random trees, 3 and 10 did as well
_ROWS = 512  # rows that a tree sees (rule of thumb)
_TARGETS = 16  # columns that the splits of a tree are to tell about (rule of thumb)


def fall(x: Tensor, features: Tensor, thresholds: Tensor) -> Tensor:
    """The leaf (n, trees) that rows (n, p) fall into in each tree.

    Parameters
    ----------
    x : Tensor of shape (n, p)
        Rows.
    features, thresholds : Tensor of shape (trees, nodes)
        The column and the value above which a row goes right, for each of 2**depth - 1 nodes,
        level by level.
    """
    trees, nodes = features.shape
    node = torch.zeros(x.shape[0], trees, dtype=torch.long, device=x.device)
    tree = torch.arange(trees, device=x.device)
    for _ in range((nodes + 1).bit_length() - 1):
        right = x.gather(1, features[tree, node]) > thresholds[tree, node]
        node = 2 * node + 1 + right.long()
    return node - nodes


def grow_forest(
    x: Tensor, n_trees: int, depth: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Columns and thresholds (trees, 2**depth - 1) of a forest on rows (n, p).

    A node draws a few columns and thresholds between the least and the largest value that it
    holds, as extremely randomised trees do [1]_, and keeps the split that explains most of the
    variance of some columns of the table. That is what a side tells about these under a normal
    distribution of one variance. Where nothing can be split all rows go left.

    References
    ----------
    .. [1] Geurts, Ernst and Wehenkel, Extremely randomized trees, Machine Learning 63, 2006.
    """
    draw: dict[str, Any] = {"generator": generator, "device": x.device}
    n, p = x.shape
    rows = torch.rand(n_trees, n, **draw).argsort(1)[:, :_ROWS]
    columns = torch.rand(n_trees, p, **draw).argsort(1)[:, :_TARGETS]
    targets = x[rows[:, :, None], columns[:, None, :]]  # (trees, rows, targets)
    targets = torch.cat([targets, torch.ones_like(targets[:, :, :1])], 2)  # the last one counts
    features = torch.zeros(n_trees, 2**depth - 1, dtype=torch.long, device=x.device)
    thresholds = x.new_full((n_trees, 2**depth - 1), math.inf)
    node = torch.zeros_like(rows)
    for level in range(depth):
        feature, threshold = _best_splits(x, rows, node, targets, 2**level, generator)
        here = slice(2**level - 1, 2 ** (level + 1) - 1)
        features[:, here], thresholds[:, here] = feature, threshold
        node = 2 * node + _right(x, rows, node, feature, threshold).long()
    return features, thresholds


def _best_splits(
    x: Tensor, rows: Tensor, node: Tensor, targets: Tensor, width: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Column and threshold (trees, width) of the nodes of a level."""
    trees = len(rows)
    draw: dict[str, Any] = {"generator": generator, "device": x.device}
    # Sums as products with indicators: index_add_ has no fixed order on CUDA.
    inside = torch.nn.functional.one_hot(node, width).to(x.dtype).transpose(1, 2)
    total = inside @ targets  # (trees, width, targets + 1)
    best = x.new_zeros(trees, width)
    feature = torch.zeros(trees, width, dtype=torch.long, device=x.device)
    threshold = x.new_full((trees, width), math.inf)
    for _ in range(_CANDIDATES):
        drawn = torch.randint(x.shape[1], (trees, width), **draw)
        values = x[rows, drawn.gather(1, node)]
        low = x.new_full((trees, width), math.inf).scatter_reduce_(1, node, values, "amin")
        high = x.new_full((trees, width), -math.inf).scatter_reduce_(1, node, values, "amax")
        share = torch.rand(trees, width, dtype=x.dtype, **draw)
        between = torch.where(high > low, low + share * (high - low), math.inf)
        right = inside @ (targets * _right(x, rows, node, drawn, between)[:, :, None])
        gain = _explained(right) + _explained(total - right) - _explained(total)
        better = (gain > best) & (between < math.inf)
        best = torch.where(better, gain, best)
        feature = torch.where(better, drawn, feature)
        threshold = torch.where(better, between, threshold)
    return feature, threshold


def _right(x: Tensor, rows: Tensor, node: Tensor, feature: Tensor, threshold: Tensor) -> Tensor:
    """Whether rows (trees, rows) of x go right at their nodes."""
    return x[rows, feature.gather(1, node)] > threshold.gather(1, node)


def _explained(sums: Tensor) -> Tensor:
    """Count times squared mean, over all targets, of sums (..., targets + 1), the last a count."""
    return sums[..., :-1].square().sum(-1) / sums[..., -1].clamp(min=1)

"""The directions that tell most about another view, in closed form."""

import torch
from torch import Tensor

__all__ = ["steady_components", "telling_directions"]

_RANK_FLOOR = 1e-5  # of the largest eigenvalue; what is smaller is rounding of float32
_MOST_COUNTED = 256  # directions that the mean variance is of, at most (rule of thumb)
_TINY = 1e-12  # least eigenvalue to divide by; only guards against a division by 0


def telling_directions(between: Tensor, within: Tensor, noise: Tensor, kept: int) -> Tensor:
    """Directions (d, kept) in which `between` spreads most for the spread of `within`, best first.

    They are the leading generalised eigenvectors v of B = between' between / n and W = within'
    within / n + diag(noise), with v' W v = 1, found among columns or, where these are more than
    samples, among samples (Woodbury's identity). Past the rank of B they are 0.

    Parameters
    ----------
    between : Tensor of shape (n, d)
        Centred samples.
    within : Tensor of shape (n or 0, d)
        What views of the samples differ by.
    noise : Tensor of shape (d,)
        Variances above 0.
    kept : int
        Number of directions, at most d.
    """
    n, d = between.shape
    solve = torch.linalg.solve_triangular
    root = (n * noise).sqrt()
    between, within = between / root, within / root  # W is now 1 + within' within
    if d <= n:
        lower = torch.linalg.cholesky(within.T @ within + torch.eye(d).to(within))
        turned = solve(lower, between.T, upper=False)
        values, vectors = torch.linalg.eigh(turned @ turned.T)
        vectors = solve(lower.T, vectors, upper=True)
    else:
        lower = torch.linalg.cholesky(within @ within.T + torch.eye(len(within)).to(within))
        turned = solve(lower, within @ between.T, upper=False)
        values, weights = torch.linalg.eigh(between @ between.T - turned.T @ turned)
        weights = weights / values.clamp(min=_TINY).sqrt()
        vectors = between.T @ weights - within.T @ solve(lower.T, turned @ weights, upper=True)
    # Past the rank there is no more to tell, and what eigh gives there is rounding.
    best = values.argsort(descending=True)[:kept]
    known = values[best] > _RANK_FLOOR * values.max()
    found = torch.zeros(d, kept).to(between)
    found[:, : len(best)] = vectors[:, best] * known / noise.sqrt()[:, None]
    return found


def steady_components(columns: Tensor, changes: Tensor, kept: int) -> Tensor:
    """Directions (d, kept) of principal components once what views change is made small.

    With C = changes' changes / m, in units of the mean variance of a direction, they are those
    of the columns times (1 + C)^(-1/2). Distances in so few columns are those in all of them, but
    for what differs between views. Past the rank they are 0.

    Parameters
    ----------
    columns : Tensor of shape (n, d)
        Centred samples.
    changes : Tensor of shape (m, d)
        What views of the samples differ by.
    kept : int
        Number of directions, at most d.
    """
    n, d = columns.shape
    mean = columns.square().sum() / n / min(n, _MOST_COUNTED)
    scaled = changes / (len(changes) * mean.clamp(min=_TINY)).sqrt()
    values, vectors = torch.linalg.eigh(scaled @ scaled.T)
    values = values.clamp(min=_TINY)
    axes = scaled.T @ (vectors / values.sqrt())
    lost = (1 - (1 + values).rsqrt()) * (values > _RANK_FLOOR * values.max())

    def steady(rows: Tensor) -> Tensor:
        return rows - (rows @ axes) * lost @ axes.T

    rows = steady(columns)
    values, vectors = torch.linalg.eigh(rows @ rows.T)
    best = values.argsort(descending=True)[: min(kept, d)]
    known = values[best] > _RANK_FLOOR * values.max()
    loadings = rows.T @ (vectors[:, best] * known / values[best].clamp(min=_TINY).sqrt())
    found = torch.zeros(d, kept).to(columns)
    found[:, : len(best)] = steady(loadings.T).T
    return found

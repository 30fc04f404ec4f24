"""The directions that tell most about another view, in closed form."""

import torch
from torch import Tensor

__all__ = ["telling_directions"]

_RANK_FLOOR = 1e-5  # of the largest eigenvalue; what is smaller is rounding of float32
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

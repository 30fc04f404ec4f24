"""The directions that tell most about another view, in closed form."""

import torch
from torch import Tensor

from ._symmetric import eigh

__all__ = ["equal_spread", "telling_directions", "whitening"]

_RANK_FLOOR = 1e-5  # of the largest eigenvalue; what is smaller is rounding of float32
_CHANNEL_FLOOR = 1e-4  # of the largest variance of a channel; smaller ones are not blown up
_LEAST_VARIANCE = 1e-6  # of the channels, for samples that are blank
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
        values, vectors = _leading(turned @ turned.T, kept)
        vectors = solve(lower.T, vectors, upper=True)
    else:
        lower = torch.linalg.cholesky(within @ within.T + torch.eye(len(within)).to(within))
        turned = solve(lower, within @ between.T, upper=False)
        values, weights = _leading(between @ between.T - turned.T @ turned, kept)
        weights = weights / values.clamp(min=_TINY).sqrt()
        vectors = between.T @ weights - within.T @ solve(lower.T, turned @ weights, upper=True)
    # Past the rank there is no more to tell, and what eigh gives there is rounding.
    known = values > _RANK_FLOOR * values[0]
    found = torch.zeros(d, kept).to(between)
    found[:, : len(values)] = vectors * known / noise.sqrt()[:, None]
    return found


def _leading(symmetric: Tensor, kept: int) -> tuple[Tensor, Tensor]:
    """The largest eigenvalues (k,) of a matrix (n, n), `kept` at most, and their vectors (n, k)."""
    values, vectors = eigh(symmetric)
    best = values.argsort(descending=True)[:kept]
    return values[best], vectors[:, best]


def equal_spread(directions: Tensor, variances: Tensor) -> Tensor:
    """The same directions (d, k), turned so that samples spread as much along each of them.

    Distances, and with them ridge regression, support vector machines, logistic regression and
    nearest neighbours, see no difference, and a scaler behind finds nothing to undo. Each step
    turns a direction of more than the mean variance with one of less, which have no covariance,
    until one of the two has the mean (the constructive proof of the theorem of Schur and Horn).
    Directions without variance stay 0.

    Parameters
    ----------
    directions : Tensor of shape (d, k)
        Columns along which samples have no covariance.
    variances : Tensor of shape (k,)
        Of the samples along each of them.
    """
    known = (variances > 0).nonzero().flatten()
    order = known[variances[known].argsort(descending=True)]
    rows = directions.T.contiguous()[order]
    values = variances[order].tolist()
    mean, low, high = sum(values) / max(1, len(values)), 0, len(values) - 1
    while low < high:
        above, below = values[low], values[high]
        share = min(1.0, max(0.0, (above - mean) / max(above - below, _TINY)))
        sine, cosine = share**0.5, (1 - share) ** 0.5
        done = cosine * rows[low] + sine * rows[high]
        rest = cosine * rows[high] - sine * rows[low]
        remains = above + below - mean
        # The row that is done leaves the range; what remains takes the other's part in it.
        if remains >= mean:
            rows[high], rows[low], values[low], high = done, rest, remains, high - 1
        else:
            rows[low], rows[high], values[high], low = done, rest, remains, low + 1
    turned = torch.zeros_like(directions.T)
    turned[known] = rows
    return turned.T.contiguous()


def whitening(covariance: Tensor, kept: int) -> Tensor:
    """A basis (k, kept) of the leading principal components of a covariance, each of variance 1."""
    values, vectors = eigh(covariance)
    leading = values.argsort(descending=True)[:kept]
    floor = _CHANNEL_FLOOR * values.max().clamp(min=_LEAST_VARIANCE)
    return vectors[:, leading] * values[leading].clamp(min=floor).rsqrt()

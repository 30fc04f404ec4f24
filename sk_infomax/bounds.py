"""Bounds on mutual information: scores in, nats out.

A bound sees what a critic said of pairs: `joint`, the scores of the pairs that belong
together, and `marginal`, the scores of pairs that were put together at random.

========  =====================  ==========================================================
Name      Class                  Source
========  =====================  ==========================================================
dv        `DonskerVaradhan`      Belghazi et al. 2018 (MINE), equation 8
jsd       `JensenShannon`        Hjelm et al. 2019 (Deep InfoMax), equation 4
infonce   `InfoNCE`              van den Oord et al. 2018 (CPC), equation 4
nwj       `NWJ`                  Nguyen, Wainwright and Jordan 2010; Poole et al. 2019, (6)
smile     `SMILE`                Song and Ermon 2020, equation 14
========  =====================  ==========================================================

`objective` is what training maximises and `nats` what is reported. The critic that is best
for every bound is the log density ratio ``log p(x, y) / p(x) p(y)`` (up to a constant for
`dv`, up to a constant for each anchor for `infonce`), so one critic serves all of them.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import softplus

from ._checks import FRACTION, POSITIVE, one_of
from ._parts import Part

__all__ = [
    "BOUNDS",
    "NWJ",
    "SMILE",
    "Bound",
    "DonskerVaradhan",
    "InfoNCE",
    "JensenShannon",
    "balancing_constant",
    "split",
]

_NEWTON_STEPS = 30  # at most; it mostly settles long before (rule of thumb)
_FEW_STEPS = 5  # while a net trains, whose constant is near 0 (rule of thumb)
_NEARLY_SETTLED = 1e-2  # nats, in training: the error after a step is about its square
_LONGEST_STEP = 2.0  # nats; a longer one overshoots where the sigmoids are flat (rule of thumb)
_SETTLED = 1e-6  # nats; a shorter step is below what float32 tells of scores
_FLAT = 1e-12  # least slope to divide by; only guards against a division by 0
_TRUST = 0.1**2  # square nats; variance of the constant that training leaves (rule of thumb)
_WARM_UP = 10  # batches; the moving average begins as a mean of the batches met (rule of thumb)
_TANGENT_FROM = 50.0  # nats; e^50 leaves room for sums and scores in the thousands within float32
_FEW_NEGATIVES = 2  # others for each anchor (rule of thumb)
_MANY_NEGATIVES = 16  # others for each anchor; InfoNCE then reports up to log 17 = 2.8 nats


def split(scores: Tensor, n_vectors: int = 1) -> tuple[Tensor, Tensor]:
    """Split the scores of all pairs of a batch into joint and marginal ones.

    Parameters
    ----------
    scores : Tensor of shape (n, n, m * k)
        ``scores[i, j, l * k + g]`` is the score of global vector g of sample i against location l
        of sample j (with local anchors: of j against i).
    n_vectors : int, default=1
        Number k of global vectors of a sample, each of which has its own pairs.

    Returns
    -------
    joint : Tensor of shape (n, m), or (n, m, k) where there are several vectors
        The pairs of one sample, ``scores[i, i]``.
    marginal : Tensor of shape (n, n - 1, m), or (n, n - 1, m, k)
        For each anchor, its pairs with every other sample.

    Examples
    --------
    >>> import torch
    >>> from sk_infomax.bounds import split
    >>> joint, marginal = split(torch.zeros(5, 5, 4 * 3), n_vectors=3)
    >>> joint.shape, marginal.shape
    (torch.Size([5, 4, 3]), torch.Size([5, 4, 4, 3]))
    """
    n, _, m = scores.shape
    joint = scores.diagonal().T.clone()  # a view would hold all scores
    # Dropping the first entry of the flattened (n, n) table leaves n - 1 runs of n + 1
    # entries, each ending on the diagonal.
    runs = scores.reshape(n * n, m)[1:].reshape(n - 1, n + 1, m)
    marginal = runs[:, :-1].reshape(n, n - 1, m)
    if n_vectors == 1:
        return joint, marginal
    return joint.unflatten(-1, (-1, n_vectors)), marginal.unflatten(-1, (-1, n_vectors))


def log_mean_exp(scores: Tensor) -> Tensor:
    """Logarithm of the mean of the exponentials over all entries, a scalar."""
    return torch.logsumexp(scores.flatten(), 0) - math.log(scores.numel())


def balancing_constant(
    joint: Tensor,
    marginal: Tensor,
    max_steps: int = _NEWTON_STEPS,
    settled: float = _SETTLED,
) -> Tensor:
    """Constant that, added to all scores, maximises the Jensen-Shannon objective.

    It is shrunk towards 0, the constant that training left, by its own sampling error. On a
    graphics card nothing waits for it: all steps are made there.

    Parameters
    ----------
    joint : Tensor of shape (n, m) or (n, m, k)
        Scores of pairs that belong together.
    marginal : Tensor of shape (n, s, m) or (n, s, m, k)
        Scores of pairs that do not.
    max_steps : int, default=30
        Most steps of Newton's method.
    settled : float, default=1e-6
        Length in nats of a step after which, on a CPU, there is no other.

    Returns
    -------
    Tensor
        A scalar in nats, without gradient.

    Examples
    --------
    >>> import torch
    >>> from sk_infomax.bounds import balancing_constant, split
    >>> round(balancing_constant(*split(torch.full((50, 50, 1), 3.0))).item(), 3)
    -3.0
    """
    with torch.no_grad():
        constant = joint.new_zeros(())
        for _ in range(max_steps):
            missed, false = (-joint - constant).sigmoid(), (marginal + constant).sigmoid()
            slope = (missed * (1 - missed)).mean() + (false * (1 - false)).mean()
            step = (missed.mean() - false.mean()) / slope.clamp(min=_FLAT)
            constant = constant + step.clamp(-_LONGEST_STEP, _LONGEST_STEP)
            if step.device.type == "cpu" and step.abs() < settled:
                break
        # Pairs of one anchor are not independent, so anchors are what is counted.
        anchors = missed.flatten(1).mean(1).var(correction=0)
        anchors = anchors + 2 * false.flatten(1).mean(1).var(correction=0)
        variance = anchors / len(joint) / slope.clamp(min=_FLAT) ** 2
        shrunk = constant * _TRUST / (_TRUST + variance)
        in_doubt = slope * len(joint) >= 1  # at least one pair
        return torch.where(in_doubt, shrunk, torch.zeros_like(constant))


def _exp_with_tangent(x: Tensor) -> Tensor:
    """Exponential that goes on along its tangent where float32 would overflow."""
    below = x.clamp(max=_TANGENT_FROM).exp()
    return below + math.exp(_TANGENT_FROM) * (x - _TANGENT_FROM).clamp(min=0.0)


def _widen(joint: Tensor, marginal: Tensor) -> tuple[Tensor, Tensor]:
    """Half-precision scores as float32: sums of exponentials need the range."""
    if joint.dtype in (torch.float16, torch.bfloat16):
        return joint.float(), marginal.float()
    return joint, marginal


class Bound(Part):
    """A bound on mutual information, evaluated on scores.

    A subclass gives `_objective` and, where what is reported differs from what is trained,
    `_nats`; both take float32 or float64 scores of shapes (n, m) and (n, s, m), or, where a sample
    has k global vectors, (n, m, k) and (n, s, m, k).

    Examples
    --------
    >>> from sk_infomax.bounds import BOUNDS
    >>> [name for name, bound in BOUNDS.items() if bound().capped]
    ['infonce']
    """

    anchor: str = "global"
    """Whose rows the scores have: those of the "global" vectors or of the "local" ones."""

    n_negatives: ClassVar[int] = _FEW_NEGATIVES
    """How many others each anchor wants in a step of pairs that a caller lines up.

    Where the value is a mean over all pairs, each anchor needs only a few of its own, as the
    batch has many anchors. A bound that picks the partner among the candidates of one anchor
    learns from their number, and reports no more than its logarithm.
    """

    def objective(self, joint: Tensor, marginal: Tensor) -> Tensor:
        """Value to maximise.

        Parameters
        ----------
        joint : Tensor of shape (n, m) or (n, m, k)
            Scores of pairs that belong together, of k global vectors where there are several.
        marginal : Tensor of shape (n, s, m) or (n, s, m, k)
            Scores of pairs that do not: each anchor with s others, all n - 1 of a batch or
            fewer.

        Returns
        -------
        Tensor
            A scalar.
        """
        return self._objective(*_widen(joint, marginal))

    def nats(self, joint: Tensor, marginal: Tensor) -> Tensor:
        """Estimate of the mutual information in nats.

        Parameters
        ----------
        joint : Tensor of shape (n, m) or (n, m, k)
            Scores of pairs that belong together, of k global vectors where there are several.
        marginal : Tensor of shape (n, s, m) or (n, s, m, k)
            Scores of pairs that do not: each anchor with s others, all n - 1 of a batch or
            fewer.

        Returns
        -------
        Tensor
            A scalar.
        """
        return self._nats(*_widen(joint, marginal))

    def nats_in_training(self, objective: Tensor, joint: Tensor, marginal: Tensor) -> Tensor:
        """What `nats` reports, made of what a step of training knows anyway.

        Nothing waits for the device. A bound that reports what it maximises adds nothing to a
        step, and a subclass may spare more than this does.

        Parameters
        ----------
        objective : Tensor
            The value of `objective` on these scores.
        joint : Tensor of shape (n, m) or (n, m, k)
            Scores of pairs that belong together.
        marginal : Tensor of shape (n, s, m) or (n, s, m, k)
            Scores of pairs that do not.

        Returns
        -------
        Tensor
            A scalar in nats, without gradient.
        """
        if type(self)._nats is Bound._nats:
            return objective.detach()
        with torch.no_grad():
            return self.nats(joint, marginal)

    def ceiling(self, n: int, m: int = 1) -> float:
        """Largest value in nats that `nats` can report for n candidates of m locations."""
        return math.inf

    @property
    def capped(self) -> bool:
        """Whether the number of candidates limits what is reported.

        Whoever reads such a bound near its `ceiling` has to say that the truth may be larger, and
        can't take its scores for log ratios where a sample has more to tell than the ceiling.
        """
        return math.isfinite(self.ceiling(2))

    def start(self) -> Callable[[Tensor, Tensor], Tensor]:
        """What one training maximises: `objective`, unless the bound keeps a memory of batches."""
        return self.objective

    def _objective(self, joint: Tensor, marginal: Tensor) -> Tensor:
        raise TypeError(f"{type(self).__name__} must define _objective(joint, marginal).")

    def _nats(self, joint: Tensor, marginal: Tensor) -> Tensor:
        return self._objective(joint, marginal)


class DonskerVaradhan(Bound):
    """Donsker-Varadhan bound, as in MINE: ``E[T] - log E[exp T]``.

    Parameters
    ----------
    decay : float or None, default=0.99
        Weight of the past in the moving average of ``E[exp T]`` that MINE divides the gradient
        of the second term by; smaller in the first steps. None divides by the mean of the batch,
        whose gradient is biased where batches are small.

    References
    ----------
    Belghazi et al., Mutual Information Neural Estimation, ICML 2018, equations 8 and 12.

    Examples
    --------
    >>> import torch
    >>> from sk_infomax.bounds import DonskerVaradhan, split
    >>> joint, marginal = split(2 * torch.eye(50).unsqueeze(-1))
    >>> round(DonskerVaradhan().nats(joint, marginal).item(), 3)
    2.0
    """

    _parameter_constraints: dict = {"decay": [FRACTION, None]}

    def __init__(self, decay: float | None = 0.99):
        self.decay = decay

    def start(self) -> Callable[[Tensor, Tensor], Tensor]:
        """What one training maximises, with a moving average that begins with it."""
        return self.objective if self.decay is None else _AveragedDonskerVaradhan(self.decay)

    def _objective(self, joint: Tensor, marginal: Tensor) -> Tensor:
        return joint.mean() - log_mean_exp(marginal)


class RunningObjective(ABC):
    """An objective that keeps something of the batches it has seen."""

    @property
    @abstractmethod
    def memory(self) -> Tensor | None:
        """What it keeps; None before the first batch."""

    @memory.setter
    @abstractmethod
    def memory(self, kept: Tensor) -> None: ...

    @abstractmethod
    def __call__(self, joint: Tensor, marginal: Tensor) -> Tensor:
        """Value to maximise of scores, a scalar."""


class _AveragedDonskerVaradhan(RunningObjective):
    """Donsker-Varadhan value whose gradient divides by a moving average over the batches."""

    def __init__(self, decay: float):
        self.decay = decay
        self.count = 0
        self.log_average: Tensor | None = None

    @property
    def memory(self) -> Tensor | None:
        """Logarithm of the average, and how many batches are in it: (2,)."""
        if self.log_average is None:
            return None
        return torch.stack([self.log_average, torch.full_like(self.log_average, self.count)])

    @memory.setter
    def memory(self, kept: Tensor) -> None:
        self.log_average, self.count = kept[0].clone(), int(kept[1])

    def __call__(self, joint: Tensor, marginal: Tensor) -> Tensor:
        joint, marginal = _widen(joint, marginal)
        log_batch = log_mean_exp(marginal)
        if not torch.is_grad_enabled():  # validation leaves no trace in the average
            return joint.mean() - log_batch
        now = log_batch.detach()
        past = now if self.log_average is None else self.log_average
        self.count += 1
        decay = min(self.decay, self.count / (self.count + _WARM_UP))
        self.log_average = torch.logaddexp(past + math.log(decay), now + math.log1p(-decay))
        weighted = (log_batch - self.log_average).exp()
        return joint.mean() - now - (weighted - weighted.detach())


class JensenShannon(Bound):
    """Jensen-Shannon objective: ``-E[softplus(-T)] - E[softplus(T)]``.

    Its best critic is the log density ratio, so a trained critic is read out as the mean score
    of the joint pairs, after the constant that maximises the objective on the pairs at hand is
    added to all scores. That constant is Bennett's acceptance ratio: unlike the logarithm of a
    mean of exponentials, no single outlier can move it far. Where too few marginal pairs score
    like joint ones to tell it, the critic's is kept. A constant critic is worth 0.

    References
    ----------
    Hjelm et al., Learning deep representations by mutual information estimation and
    maximization, ICLR 2019, equation 4; Bennett, Efficient estimation of free energy
    differences from Monte Carlo data, Journal of Computational Physics 1976.

    Examples
    --------
    >>> import torch
    >>> from sk_infomax.bounds import JensenShannon, split
    >>> joint, marginal = split(torch.zeros(50, 50, 1))
    >>> JensenShannon().nats(joint, marginal).item()
    0.0
    """

    def divergence(self, joint: Tensor, marginal: Tensor) -> Tensor:
        """Jensen-Shannon divergence between pairs that belong together and pairs that do not.

        ``(objective + log 4) / 2``: exact for the log density ratio, less for any other critic. It
        grows with the mutual information where there is little, and cannot exceed log 2.

        Parameters
        ----------
        joint : Tensor of shape (n, m) or (n, m, k)
            Scores of pairs that belong together.
        marginal : Tensor of shape (n, s, m) or (n, s, m, k)
            Scores of pairs that do not.

        Returns
        -------
        Tensor
            A scalar in nats; 0 for a critic that is 0 everywhere, at most log 2.

        Examples
        --------
        >>> import torch
        >>> from sk_infomax.bounds import JensenShannon
        >>> log_ratios = torch.full((10, 1), 50.0), torch.full((10, 9, 1), -50.0)
        >>> round(JensenShannon().divergence(*log_ratios).item(), 3)
        0.693
        """
        return 0.5 * (self.objective(joint, marginal) + math.log(4))

    def _objective(self, joint: Tensor, marginal: Tensor) -> Tensor:
        return -softplus(-joint).mean() - softplus(marginal).mean()

    def _nats(self, joint: Tensor, marginal: Tensor) -> Tensor:
        return joint.mean() + balancing_constant(joint, marginal)

    def nats_in_training(self, objective: Tensor, joint: Tensor, marginal: Tensor) -> Tensor:
        """What `nats` reports, its constant by a few steps."""
        if type(self)._nats is not JensenShannon._nats:
            return super().nats_in_training(objective, joint, marginal)
        joint, marginal = _widen(joint.detach(), marginal.detach())
        return joint.mean() + balancing_constant(joint, marginal, _FEW_STEPS, _NEARLY_SETTLED)


class InfoNCE(Bound):
    """InfoNCE: tell the true partner among the candidates of the batch.

    Parameters
    ----------
    anchor : {"local", "global"}, default="local"
        "local" asks of each location which global vector of the batch is of the same sample:
        one softmax over n candidates. "global" asks of each global vector which locations are
        of the same sample, against every location of every other sample, as the Deep InfoMax
        paper does: ``1 + (n - 1) * m`` candidates. Each of several global vectors of a sample is
        asked for itself.

    Notes
    -----
    The value never exceeds the logarithm of the number of candidates (see `ceiling`).

    References
    ----------
    van den Oord, Li and Vinyals, Representation learning with contrastive predictive
    coding, 2018, equation 4; Hjelm et al., ICLR 2019, equation 5.

    Examples
    --------
    >>> from sk_infomax.bounds import InfoNCE
    >>> round(InfoNCE().ceiling(128), 2)
    4.85
    """

    _parameter_constraints: dict = {"anchor": [one_of({"local", "global"})]}
    n_negatives = _MANY_NEGATIVES

    def __init__(self, anchor: str = "local"):
        self.anchor = anchor

    def ceiling(self, n: int, m: int = 1) -> float:
        """Logarithm of the number of candidates for n samples of m locations."""
        return math.log(1 + (n - 1) * (m if self.anchor == "global" else 1))

    def _objective(self, joint: Tensor, marginal: Tensor) -> Tensor:
        others = torch.logsumexp(marginal, 1)  # (n, m) or (n, m, k)
        if self.anchor == "global":
            others = torch.logsumexp(others, 1, keepdim=True)  # (n, 1) or (n, 1, k)
        return (joint - torch.logaddexp(joint, others)).mean()

    def _nats(self, joint: Tensor, marginal: Tensor) -> Tensor:
        return self._objective(joint, marginal) + self._most(joint, marginal)

    def nats_in_training(self, objective: Tensor, joint: Tensor, marginal: Tensor) -> Tensor:
        """What `nats` reports: the objective and the logarithm of the number of candidates."""
        if type(self)._nats is not InfoNCE._nats:
            return super().nats_in_training(objective, joint, marginal)
        return objective.detach() + self._most(joint, marginal)

    def _most(self, joint: Tensor, marginal: Tensor) -> float:
        return self.ceiling(1 + marginal.shape[1], joint.shape[1])


class NWJ(Bound):
    """Nguyen-Wainwright-Jordan bound (f-GAN's KL): ``E[T] + 1 - E[exp T]``.

    Written so that its best critic is the log density ratio itself; the usual
    ``E[T'] - E[exp(T' - 1)]`` is the same with ``T' = T + 1``. A constant critic c is worth
    ``c + 1 - exp(c)`` nats, 0 at most.

    References
    ----------
    Nguyen, Wainwright and Jordan 2010; Poole et al., On variational bounds of mutual
    information, ICML 2019, equation 6.

    Examples
    --------
    >>> import torch
    >>> from sk_infomax.bounds import NWJ, split
    >>> joint, marginal = split(torch.ones(50, 50, 1))
    >>> round(NWJ().nats(joint, marginal).item(), 3)
    -0.718
    """

    def _objective(self, joint: Tensor, marginal: Tensor) -> Tensor:
        return joint.mean() + 1.0 - _exp_with_tangent(marginal).mean()


class SMILE(JensenShannon):
    """Smoothed mutual information lower-bound estimator.

    Trained with the Jensen-Shannon objective; read out with the Donsker-Varadhan formula
    whose marginal scores are clipped to ``[-clip, clip]``, which trades variance for bias.

    Parameters
    ----------
    clip : float, default=5.0
        Where the marginal scores are clipped, in nats. A constant critic is worth 0 nats as
        long as it lies within.

    References
    ----------
    Song and Ermon, Understanding the limitations of variational mutual information
    estimators, ICLR 2020, equation 14.

    Examples
    --------
    >>> import torch
    >>> from sk_infomax.bounds import SMILE, split
    >>> joint, marginal = split(torch.full((50, 50, 1), 9.0))
    >>> SMILE(clip=5.0).nats(joint, marginal).item()
    4.0
    """

    _parameter_constraints: dict = {"clip": [POSITIVE]}

    def __init__(self, clip: float = 5.0):
        self.clip = clip

    def _nats(self, joint: Tensor, marginal: Tensor) -> Tensor:
        clip = min(self.clip, torch.finfo(marginal.dtype).max)
        return joint.mean() - log_mean_exp(marginal.clamp(-clip, clip))


BOUNDS: dict[str, type[Bound]] = {
    "dv": DonskerVaradhan,
    "jsd": JensenShannon,
    "infonce": InfoNCE,
    "nwj": NWJ,
    "smile": SMILE,
}

"""Peers that learn from two random views of a sample, as `DeepInfoMaxTransformer` does."""

import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, mse_loss, normalize, relu

from ._networks import Peer

TEMPERATURE = 0.2


class TwoViews(Peer):
    """A loss of two views of a batch, behind a projection head.

    Attributes
    ----------
    hidden, out : int
        Widths of the head.
    """

    hidden, out = 128, 64

    def build(self, shape: tuple[int, ...], y: np.ndarray) -> None:
        """Make the projection head and the loss."""
        self.head = nn.Sequential(
            nn.Linear(self.n_components, self.hidden),
            nn.BatchNorm1d(self.hidden),
            nn.ReLU(),
            nn.Linear(self.hidden, self.out),
        )
        self.contrast = self.make_contrast()

    def make_contrast(self):
        """A function of two views (n, out), each."""
        raise TypeError(f"{type(self).__name__} must define make_contrast().")

    def loss(self, x: Tensor, y: Tensor, generator: torch.Generator) -> Tensor:
        """What two views cost."""
        together = torch.cat([self.views(x, generator), self.views(x, generator)])
        first, second = self.head(self.encoder(together).global_vector).chunk(2)
        return self.contrast(first, second)


class SimCLR(TwoViews):
    """Two views of a sample find each other among those of the batch.

    References
    ----------
    Chen, Kornblith, Norouzi and Hinton, A simple framework for contrastive learning of visual
    representations, ICML 2020.
    """

    def make_contrast(self):
        """NT-Xent."""
        return nt_xent


class LibrarySimCLR(SimCLR):
    """The same with the loss of pytorch-metric-learning, whose value is equal.

    It compares each of the 2n positive pairs with all 2n (2n - 2) negative ones, so a step
    takes many times as long and there are fewer of them in the same time.
    """

    def make_contrast(self):
        """The library's loss."""
        try:
            from pytorch_metric_learning.losses import NTXentLoss, SelfSupervisedLoss
        except ImportError as error:
            raise ImportError(
                "The method simclr-pml needs pytorch-metric-learning: "
                'pip install "sk_infomax[bench]". Or leave it out of --methods.'
            ) from error
        return SelfSupervisedLoss(NTXentLoss(temperature=TEMPERATURE))


def nt_xent(first: Tensor, second: Tensor) -> Tensor:
    """Cross entropy of finding a sample's other view among all 2n - 1 views, a scalar."""
    views = normalize(torch.cat([first, second]))  # (2n, d)
    scores = (views @ views.T / TEMPERATURE).fill_diagonal_(-math.inf)
    partner = torch.arange(len(views), device=views.device).roll(len(first))
    return cross_entropy(scores, partner)


class VICReg(TwoViews):
    """Views agree, each feature varies, and no two features say the same.

    References
    ----------
    Bardes, Ponce and LeCun, VICReg: Variance-invariance-covariance regularization for
    self-supervised learning, ICLR 2022.
    """

    hidden, out = 512, 512

    def make_contrast(self):
        """The published loss with its weights."""
        return vicreg


def vicreg(first: Tensor, second: Tensor) -> Tensor:
    """25 times the distance, 25 times the lack of variance, and the covariance: a scalar."""
    spread, shared = first.new_zeros(()), first.new_zeros(())
    for views in (first, second):
        spread = spread + relu(1 - (views.var(0) + 1e-4).sqrt()).mean() / 2
        covariance = torch.cov(views.T)  # (d, d)
        shared = shared + (covariance - covariance.diag().diag()).square().sum() / len(covariance)
    return 25 * mse_loss(first, second) + 25 * spread + shared


class BarlowTwins(TwoViews):
    """The correlation of the views' features comes near the identity.

    References
    ----------
    Zbontar, Jing, Misra, LeCun and Deny, Barlow Twins: Self-supervised learning via redundancy
    reduction, ICML 2021.
    """

    hidden, out = 512, 512

    def make_contrast(self):
        """The published loss with its weight."""
        return barlow_twins


def barlow_twins(first: Tensor, second: Tensor) -> Tensor:
    """Squared distance of the correlation (d, d) from the identity, 0.0051 off the diagonal."""
    first, second = ((v - v.mean(0)) / (v.std(0, correction=0) + 1e-5) for v in (first, second))
    correlation = first.T @ second / len(first)
    same = (correlation.diag() - 1).square().sum()
    return same + 0.0051 * (correlation.square().sum() - correlation.diag().square().sum())

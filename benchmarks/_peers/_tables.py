"""Peers made for tables: they corrupt cells, and learn to see through it."""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, mse_loss

from ._networks import Peer
from ._two_views import TwoViews, nt_xent

_MASK_WEIGHT = 0.5  # of the mask beside the values; the paper's weight of values is 2


class Scarf(TwoViews):
    """A row finds its corrupted copy, in which cells are those of other rows.

    References
    ----------
    Bahri et al., SCARF: Self-supervised contrastive learning using random feature corruption,
    ICLR 2022. The encoder is the one of all peers; theirs has four layers of 256.
    """

    hidden, out = 256, 256

    def make_contrast(self):
        """NT-Xent."""
        return nt_xent

    def loss(self, x: Tensor, y: Tensor, generator: torch.Generator) -> Tensor:
        """What rows and their corrupted copies cost."""
        together = torch.cat([x, self.views(x, generator)])
        first, second = self.head(self.encoder(together).global_vector).chunk(2)
        return self.contrast(first, second)


class Vime(Peer):
    """Find which cells of a corrupted row are those of other rows, and what they were.

    References
    ----------
    Yoon, Zhang, Jordon and van der Schaar, VIME: Extending the success of self- and
    semi-supervised learning to tabular domain, NeurIPS 2020.
    """

    def build(self, shape: tuple[int, ...], y: np.ndarray) -> None:
        """Make the two linear estimators."""
        self.mask, self.values = (nn.Linear(self.n_components, shape[0]) for _ in range(2))

    def loss(self, x: Tensor, y: Tensor, generator: torch.Generator) -> Tensor:
        """Cross entropy of the mask and squared error of the values."""
        corrupted = self.views(x, generator)
        vector = self.encoder(corrupted).global_vector.relu()
        changed = (corrupted != x).to(x.dtype)
        asked = binary_cross_entropy_with_logits(self.mask(vector), changed)
        return mse_loss(self.values(vector), x) + _MASK_WEIGHT * asked

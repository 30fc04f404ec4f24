"""What `DeepInfoMaxTransformer` is compared with.

Everything here has ``fit(X, y)`` and ``transform(X)``, or ``predict(X)`` if it is a classifier
rather than features. Networks train until their time is up; what is not trained by steps sizes
itself so that `fit` and `transform` keep within the seconds it is given, or raises `DoesNotFit`.
"""

from ._classical import Nystroem, Raw, Whitened
from ._classifiers import KernelMachine, SupervisedFew
from ._fitting import DoesNotFit, layout_of, trained_encoder
from ._neighbours import Umap
from ._networks import Autoencoder, Peer, Supervised, Untrained, make_optimizer
from ._patches import PatchDictionary, RandomConvolution
from ._tables import Scarf, Vime
from ._two_views import BarlowTwins, LibrarySimCLR, SimCLR, VICReg, nt_xent

__all__ = [
    "Autoencoder",
    "BarlowTwins",
    "DoesNotFit",
    "KernelMachine",
    "LibrarySimCLR",
    "Nystroem",
    "PatchDictionary",
    "Peer",
    "RandomConvolution",
    "Raw",
    "Scarf",
    "SimCLR",
    "Supervised",
    "SupervisedFew",
    "Umap",
    "Untrained",
    "VICReg",
    "Vime",
    "Whitened",
    "layout_of",
    "make_optimizer",
    "nt_xent",
    "trained_encoder",
]

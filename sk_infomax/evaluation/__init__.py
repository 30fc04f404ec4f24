"""How good features are: probes with labels, and criteria without.

Every function takes a fitted transformer and samples; None in place of the transformer takes the
samples themselves as features. Those with the signature ``(transformer, X, y)`` can be handed to
`GridSearchCV` as ``scoring``; of `neural_dependency` smaller is better, so hand over its negative.
"""

from ._compare import Comparison, compare
from ._criteria import alignment, neural_dependency, rank_me, uniformity
from ._information import InformationPlane, information_plane, mine
from ._local import local_information
from ._perceptron import PerceptronClassifier
from ._probes import PROBES, ProbeResult, label_efficiency, probe, probe_layers, probe_score
from ._reconstruction import Reconstruction, reconstruction
from ._row import MEASURES, evaluate_representation

__all__ = [
    "MEASURES",
    "PROBES",
    "Comparison",
    "InformationPlane",
    "PerceptronClassifier",
    "ProbeResult",
    "Reconstruction",
    "alignment",
    "compare",
    "evaluate_representation",
    "information_plane",
    "label_efficiency",
    "local_information",
    "mine",
    "neural_dependency",
    "probe",
    "probe_layers",
    "probe_score",
    "rank_me",
    "reconstruction",
    "uniformity",
]

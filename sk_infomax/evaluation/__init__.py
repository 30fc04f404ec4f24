"""How good features are: probes with labels, and criteria without.

Every function takes a fitted transformer and samples; None in place of the transformer takes the
samples themselves as features. Those with the signature ``(transformer, X, y)`` can be handed to
`GridSearchCV` as ``scoring``.
"""

from ._criteria import alignment, neural_dependency, rank_me, uniformity
from ._probes import PROBES, ProbeResult, label_efficiency, probe, probe_score
from ._row import evaluate_representation

__all__ = [
    "PROBES",
    "ProbeResult",
    "alignment",
    "evaluate_representation",
    "label_efficiency",
    "neural_dependency",
    "probe",
    "probe_score",
    "rank_me",
    "uniformity",
]

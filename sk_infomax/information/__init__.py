"""How much one set of columns tells about another, in nats.

`MutualInfoEstimator` estimates the information of pairs with an interval; the functions answer in
one line, and `MutualInfoSelector` keeps the columns that tell most. Nothing here knows an encoder
of the features wing.
"""

from ._estimator import MutualInfoEstimator
from ._functions import (
    conditional_mutual_info,
    lagged_mutual_info,
    mutual_info,
    mutual_info_matrix,
    mutual_info_scores,
)
from ._selector import MutualInfoSelector

__all__ = [
    "MutualInfoEstimator",
    "MutualInfoSelector",
    "conditional_mutual_info",
    "lagged_mutual_info",
    "mutual_info",
    "mutual_info_matrix",
    "mutual_info_scores",
]

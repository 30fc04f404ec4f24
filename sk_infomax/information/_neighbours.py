"""Information of one column and another, where few samples suffice: neighbours and counts."""

import numpy as np
from sklearn.feature_selection import mutual_info_classif, mutual_info_regression

from ._columns import Columns
from ._counts import CountRatio

__all__ = ["single_pair_information"]

_NEIGHBOURS = 5


def single_pair_information(x: np.ndarray, of_x: Columns, y: np.ndarray, of_y: Columns) -> float:
    """Information of two columns (n,) in nats, at least 0.

    By nearest neighbours on normal scores (Kraskov, Stögbauer and Grassberger 2004; Ross 2014
    where one column is discrete), by counts where both are.

    Parameters
    ----------
    x, y : ndarray of shape (n,)
        The columns.
    of_x, of_y : Columns
        What is known of each.
    """
    discrete_x, discrete_y = of_x.is_discrete[0], of_y.is_discrete[0]
    if discrete_x and discrete_y:
        codes = of_x.codes([x]), of_y.codes([y])
        ratio = CountRatio(*codes)
        return max(0.0, float(ratio.log_ratio(*codes).mean()) - ratio.bias())
    a = of_x.codes([x])[:, 0] if discrete_x else of_x.apply([x])[:, 0]
    b = of_y.codes([y])[:, 0] if discrete_y else of_y.apply([y])[:, 0]
    k = min(_NEIGHBOURS, len(y) - 1)
    if discrete_y:
        return float(mutual_info_classif(a[:, None], b, n_neighbors=k, random_state=0)[0])
    settings = {"discrete_features": discrete_x, "n_neighbors": k, "random_state": 0}
    return float(mutual_info_regression(a[:, None], b, **settings)[0])

"""All measures of a representation in one call."""

from __future__ import annotations

from ._criteria import neural_dependency, rank_me, uniformity
from ._features import features_of
from ._probes import probe

__all__ = ["evaluate_representation"]


def evaluate_representation(
    transformer,
    X_train,
    y_train,
    X_test,
    y_test,
    *,
    probes=("svm", "logistic", "knn", "mlp"),
    n_seeds=1,
    random_state=0,
):
    """All measures of a representation in one call, a row of a table.

    Parameters
    ----------
    transformer : object with `transform`, or None
        Fitted; None takes the samples as features.
    X_train, y_train, X_test, y_test : array-like
        Samples (n, ...) with labels (n,), and those to test on.
    probes : sequence of str, default=("svm", "logistic", "knn", "mlp")
        Which classifiers to try; see `PROBES`.
    n_seeds : int, default=1
        How many times to repeat each.
    random_state : int, RandomState instance or None, default=0
        Seed.

    Returns
    -------
    dict of str to float
        Test accuracy for each probe (and its standard deviation as ``NAME_std``); and of the test
        samples "rank_me", "uniformity" and "neural_dependency".
    """
    train, test = features_of(transformer, X_train), features_of(transformer, X_test)
    row: dict[str, float] = {}
    for kind in probes:
        result = probe(
            None, train, y_train, test, y_test, kind, n_seeds=n_seeds, random_state=random_state
        )
        row |= {kind: result.accuracy, f"{kind}_std": result.std}
    criteria = {"rank_me": rank_me, "uniformity": uniformity}
    row |= {name: criterion(None, test) for name, criterion in criteria.items()}
    return row | {"neural_dependency": neural_dependency(None, test, random_state=random_state)}

"""`MutualInfoEstimator`: how much X tells about Y, in nats, with an interval."""

import math
import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from scipy.stats import norm
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin, clone
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from .. import _state
from .._checks import (
    AT_LEAST_TWO,
    AUTO,
    FRACTION,
    NON_NEGATIVE_INT,
    POSITIVE_INT,
    check_pairs,
    check_side,
    one_of,
    resolve_device,
    validate_params,
)
from .._parts import Family, NamedParts
from ..bounds import BOUNDS, SMILE, Bound
from ..critics import CRITICS, Critic
from ._columns import Columns, as_columns
from ._counts import CountRatio
from ._cross_fitting import RatioTrainer
from ._models import RatioModel, permuted_sums
from ._neighbours import single_pair_information
from ._reading import read

__all__ = ["MutualInfoEstimator"]

_UNITS = {"nats": 1.0, "bits": 1 / math.log(2)}
_CLIP = SMILE().clip


class MutualInfoEstimator(ClassNamePrefixFeaturesOutMixin, TransformerMixin, NamedParts):
    """Estimate the mutual information of two sets of columns, with an interval.

    Continuous columns go to normal scores. A critic, which starts from the Gaussian log density
    ratio of the canonical correlations, learns the log density ratio of pairs on all folds but
    one and is read on the pairs of that one, in turn. What it finds beyond the Gaussian ratio is
    added to the Gaussian information of all pairs, which has no bias. Where that is above three
    nats, the critic tells pairs from those of the Gaussian, not from pairs put together at
    random. Where both sides are discrete, counts are used instead. For one column against one, the
    estimate of nearest neighbours is weighted in by its variance.

    Parameters
    ----------
    bound : str or Bound, default="jsd"
        What training maximises: "dv" (as in MINE), "jsd", "infonce" (as in CPC), "nwj" or
        "smile".
    critic : str or Critic, default="gated"
        What scores pairs: "dot", "bilinear", "concat" or "gated".
    base : {"gaussian"} or None, default="gaussian"
        Whether the critic starts from the Gaussian ratio. Without effect where a side has
        discrete columns, whose critic starts from nothing.
    cv : int, default=3
        Number of folds.
    units : {"nats", "bits"}, default="nats"
        Unit of `mutual_info_`, its interval, `score` and `pointwise`.
    discrete_x, discrete_y : "auto", bool or list of bool, default="auto"
        Which columns are discrete. "auto" takes those that are no numbers, and numbers of at
        most 20 values that are each seen five times on average.
    confidence_level : float, default=0.95
        Of `confidence_interval_`.
    max_steps : int, default=600
        Steps of training in each fold.
    batch_size : int, default=256
        Smallest number of pairs in a step.
    n_negatives : int or "auto", default="auto"
        How many other samples each x is paired with in a step. "auto" is 16 for InfoNCE, whose
        gradient needs candidates to choose from, and 2 for the other bounds.
    device : str, default="auto"
        "cpu", "cuda", or "auto" for CUDA where there is one.
    random_state : int, RandomState instance or None, default=None
        Seed of folds, weights and batches.
    verbose : int, default=0
        1 prints a line for each fold.

    Attributes
    ----------
    mutual_info_ : float
        The estimate, at least 0.
    standard_error_ : float
        Of the estimate: chance in pairs and in training, what the read-outs differ by, a
        twentieth of what the critic found beyond the Gaussian ratio, and what so few samples for
        each column can hide. The last two are rules that held on dependences that are known.
    confidence_interval_ : tuple of float
        Lower and upper end, at least 0.
    bounds_ : dict of str to float
        What each bound reports for the same critics on the same held-out pairs; "plug-in", the
        mean of the log density ratio as it was trained; and "neighbours" for one column against
        one. The estimate is that of `bound`, its Gaussian part exchanged for the one without
        bias, and joined with "neighbours".
    n_features_in_ : int
        Number of columns of X.

    References
    ----------
    Belghazi et al., ICML 2018 (MINE); Poole et al., ICML 2019; Song and Ermon, ICLR 2020; Czyż
    et al., NeurIPS 2023.

    Examples
    --------
    >>> from sk_infomax import MutualInfoEstimator
    >>> from sk_infomax.datasets import multinormal_sparse
    >>> task = multinormal_sparse(3, 3)
    >>> X, Y = task.sample(2000, random_state=0)
    >>> estimator = MutualInfoEstimator(cv=2, max_steps=200, random_state=0).fit(X, Y)
    >>> bool(abs(estimator.mutual_info_ - task.mutual_information) < 0.1)
    True
    """

    _parameter_constraints: dict = {
        "bound": [str, Bound, type],
        "critic": [str, Critic, type],
        "base": [one_of({"gaussian"}), None],
        "cv": [AT_LEAST_TWO],
        "units": [one_of(set(_UNITS))],
        "discrete_x": [one_of({"auto"}), "boolean", "array-like"],
        "discrete_y": [one_of({"auto"}), "boolean", "array-like"],
        "confidence_level": [FRACTION],
        "max_steps": [NON_NEGATIVE_INT],
        "batch_size": [AT_LEAST_TWO],
        "n_negatives": [POSITIVE_INT, AUTO],
        "device": [str, torch.device],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    _families = {"bound": Family(BOUNDS, Bound), "critic": Family(CRITICS, Critic)}

    def __init__(
        self,
        bound="jsd",
        *,
        critic="gated",
        base="gaussian",
        cv=3,
        units="nats",
        discrete_x="auto",
        discrete_y="auto",
        confidence_level=0.95,
        max_steps=600,
        batch_size=256,
        n_negatives="auto",
        device="auto",
        random_state=None,
        verbose=0,
    ):
        self.bound = bound
        self.critic = critic
        self.base = base
        self.cv = cv
        self.units = units
        self.discrete_x = discrete_x
        self.discrete_y = discrete_y
        self.confidence_level = confidence_level
        self.max_steps = max_steps
        self.batch_size = batch_size
        self.n_negatives = n_negatives
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    # Fitting -------------------------------------------------------------------------------

    def fit(self, X, y):
        """Estimate the information of pairs.

        Parameters
        ----------
        X : array-like of shape (n, dx)
            One side: numbers, or a frame with columns of any kind.
        y : array-like of shape (n,) or (n, dy)
            The other side: numbers, labels, or a frame.

        Returns
        -------
        self : MutualInfoEstimator
            Fitted.

        Raises
        ------
        ValueError
            For parameters or data that do not fit, before training starts.
        """
        validate_params(self)
        X, y = check_pairs(self, X, y, reset=True)
        self._learn_columns(X, y)
        if self._by_counts():
            self._count(self._codes(X, y))
        else:
            self._cross_fit(self._numbers(X, y), self._nearest_neighbours(X, y))
        return self

    def _learn_columns(self, X, y) -> None:
        """Draw the seed, and learn what kind of columns there are."""
        n = len(y)
        if n < 2 * self.cv:
            raise ValueError(
                f"cv={self.cv} folds need {2 * self.cv} samples or more; got n_samples = {n}. "
                "Lower cv or give more samples."
            )
        self._columns_x = Columns(as_columns(X), self.discrete_x)
        self._columns_y = Columns(as_columns(y), self.discrete_y)
        for name, side in (("X", self._columns_x), ("y", self._columns_y)):
            if side.constant:
                warnings.warn(
                    f"Columns {side.constant} of {name} are constant and tell nothing. Leave "
                    "them out.",
                    stacklevel=3,
                )
        discrete = self._columns_x.is_discrete + self._columns_y.is_discrete
        bound = self._part("bound")
        self._trainer = RatioTrainer(
            self._part("critic"),
            bound,
            base=self.base == "gaussian" and not any(discrete),
            size_x=self._columns_x.width,
            size_y=self._columns_y.width,
            n_shifts=bound.n_negatives if self.n_negatives == "auto" else self.n_negatives,
            max_steps=self.max_steps,
            batch_size=self.batch_size,
            device=str(resolve_device(self.device)),
            seed=int(check_random_state(self.random_state).randint(2**31 - 1000)),
        )

    def _by_counts(self) -> bool:
        """Whether all columns are discrete."""
        return all(self._columns_x.is_discrete + self._columns_y.is_discrete)

    def _codes(self, X, y) -> tuple[np.ndarray, np.ndarray]:
        """Both discrete sides as codes (n, dx) and (n, dy)."""
        return self._columns_x.codes(as_columns(X)), self._columns_y.codes(as_columns(y))

    def _numbers(self, X, y) -> np.ndarray:
        """Both sides as one array of numbers (n, dx + dy)."""
        sides = self._columns_x.apply(as_columns(X)), self._columns_y.apply(as_columns(y))
        return np.hstack(sides)

    def _nearest_neighbours(self, X, y) -> float | None:
        """The estimate of nearest neighbours in nats, for one column on each side."""
        columns_x, columns_y = as_columns(X), as_columns(y)
        if len(columns_x) > 1 or len(columns_y) > 1:
            return None
        return single_pair_information(columns_x[0], self._columns_x, columns_y[0], self._columns_y)

    def _count(self, codes: tuple[np.ndarray, np.ndarray]) -> None:
        """Exact information of the table of counts, less its bias."""
        self._ratio: Any = CountRatio(*codes)
        ratio, bias = self._ratio.log_ratio(*codes), self._ratio.bias()
        self.bounds_ = {"plug-in": float(ratio.mean()) * _UNITS[self.units]}
        self._report(ratio.mean() - bias, self._ratio.error(ratio))

    def _cross_fit(self, pairs: np.ndarray, neighbours: float | None) -> None:
        """Read each fold with the model of the others; then train on all."""
        _warn_of_pairs(pairs)
        self._trainer = self._trainer.fitted_to(pairs)
        reading = read(self._trainer, pairs, self.cv, self.verbose)
        self._ratio = self._trainer.train(pairs, self.cv)
        means = {name: reading.mean(name) for name in ("plug-in", *BOUNDS)}
        self.bounds_ = {name: value * _UNITS[self.units] for name, value in means.items()}
        estimate, error = reading.estimate(), reading.error()
        _warn_of_read_outs(means, estimate, self._trainer.bound, reading.n_candidates)
        if neighbours is not None:
            self.bounds_["neighbours"] = neighbours * _UNITS[self.units]
            estimate, error = reading.joined_with(neighbours)
        self._report(estimate, error)

    def _report(self, nats: float, error: float) -> None:
        """Set the estimate and its interval, in the unit asked for."""
        unit = _UNITS[self.units]
        half = norm.ppf(0.5 + self.confidence_level / 2) * error
        self.mutual_info_ = max(0.0, float(nats)) * unit
        self.standard_error_ = float(error) * unit
        self.confidence_interval_ = (
            max(0.0, float(nats - half)) * unit,
            max(0.0, float(nats + half)) * unit,
        )

    def __getstate__(self):
        state = dict(super().__getstate__())
        if isinstance(state.get("_ratio"), RatioModel):
            state["_ratio"] = _state.arrays_of(state["_ratio"])
        return state

    def __setstate__(self, state):
        super().__setstate__(state)
        if isinstance(getattr(self, "_ratio", None), dict):
            model = self._trainer.build(0)
            _state.load_arrays(model, self._ratio)
            self._ratio = model.eval()

    # Reading -------------------------------------------------------------------------------

    def pointwise(self, X, y):
        """Pointwise mutual information of pairs: the log density ratio.

        Parameters
        ----------
        X : array-like of shape (n, dx)
            One side.
        y : array-like of shape (n,) or (n, dy)
            The other side.

        Returns
        -------
        ndarray of shape (n,)
            ``log p(x, y) / (p(x) p(y))`` in `units`, as the model trained on all pairs has it.
        """
        check_is_fitted(self, "mutual_info_")
        X, y = check_pairs(self, X, y, reset=False)
        if self._by_counts():
            return self._ratio.log_ratio(*self._codes(X, y)) * _UNITS[self.units]
        return self._ratio.log_ratio(self._numbers(X, y)) * _UNITS[self.units]

    def score(self, X, y):
        """Mean pointwise information of new pairs, an estimate of the information.

        Parameters
        ----------
        X : array-like of shape (n, dx)
            One side.
        y : array-like of shape (n,) or (n, dy)
            The other side.

        Returns
        -------
        float
            In `units`.
        """
        return float(self.pointwise(X, y).mean())

    def transform(self, X):
        """What the critic computes of X alone: features that tell about y.

        Parameters
        ----------
        X : array-like of shape (n, dx)
            Samples.

        Returns
        -------
        ndarray of shape (n, n_features_out)
            Canonical variates of X with y, then the critic's side of X; for discrete columns
            on both sides, the indicators of the values of X.
        """
        check_is_fitted(self, "mutual_info_")
        X = check_side(self, X)
        numbers = self._columns_x.apply(as_columns(X))
        if self._by_counts():
            return numbers
        with torch.inference_mode():
            sides = self._ratio.side_of_x(numbers)
            return torch.cat(sides, 1).numpy()

    @property
    def _n_features_out(self) -> int:
        if self._by_counts():
            return self._columns_x.width
        sides = self._ratio.side_of_x(np.zeros((2, self._columns_x.width)))
        return sum(side.shape[1] for side in sides)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.transformer_tags.preserves_dtype = []
        return tags

    def permutation_test(self, X, y, n_permutations=999):
        """Test whether X and y are independent.

        The critics of the folds are trained once. On each fold, which its critic has not seen,
        the mean log ratio of the pairs is compared with that of permuted pairs, so the test is
        exact whatever the critics are worth.

        Parameters
        ----------
        X : array-like of shape (n, dx)
            One side.
        y : array-like of shape (n,) or (n, dy)
            The other side.
        n_permutations : int, default=999
            How many permutations to compare with.

        Returns
        -------
        float
            The p-value: the share of permutations, the pairs themselves among them, whose mean
            is as large.
        """
        own = clone(self)
        X, y = check_pairs(own, X, y, reset=True)
        own._learn_columns(X, y)
        rng = np.random.RandomState(own._trainer.seed)
        draws: np.ndarray = np.zeros(1 + n_permutations)
        if own._by_counts():
            codes_x, codes_y = own._codes(X, y)
            for number in range(1 + n_permutations):
                order = rng.permutation(len(codes_y)) if number else slice(None)
                ratio = CountRatio(codes_x, codes_y[order])
                draws[number] = ratio.log_ratio(codes_x, codes_y[order]).mean()
        else:
            pairs = own._numbers(X, y)
            # A critic that is rejected ties with all permutations: weak signs are better here.
            trainer = replace(own._trainer.fitted_to(pairs), may_reject=False)
            for fold, model in trainer.held_out(pairs, own.cv):
                draws += permuted_sums(model, pairs[fold], n_permutations, rng)
        return float(np.mean(draws >= draws[0]))


def _warn_of_pairs(pairs: np.ndarray) -> None:
    """Say where the estimate cannot be trusted whatever the critic learns."""
    n, width = pairs.shape
    if width > n:
        warnings.warn(
            f"There are {width} columns and {n} samples: the critic can learn little. Give more "
            "samples or fewer columns.",
            stacklevel=4,
        )
    n_different = len(np.unique(pairs, axis=0))
    if n_different < 0.99 * n:
        warnings.warn(
            f"Only {n_different} of {n} pairs are different. A pair that is trained on and read "
            "again raises the estimate: drop duplicated rows.",
            stacklevel=4,
        )


def _warn_of_read_outs(means: dict[str, float], estimate: float, bound: Bound, n: int) -> None:
    """Say where the estimate is near a ceiling, or another read-out of the critics differs."""
    ceiling = bound.ceiling(n)
    if estimate > ceiling - 1:
        warnings.warn(
            f"{type(bound).__name__} cannot report more than the logarithm of the number of "
            f"candidates, log {n} = {ceiling:.2f} nats, and reports {estimate:.2f}: the truth may "
            "be any larger. Use bound='jsd'.",
            stacklevel=5,
        )
    gap = abs(means["jsd"] - means["smile"])
    # InfoNCE leaves a constant free for each x, so that no other read-out fits its critics.
    if gap > 0.1 + 0.1 * abs(means["jsd"]) and means["jsd"] < _CLIP and math.isinf(ceiling):
        warnings.warn(
            f"Two read-outs of the critics disagree: jsd {means['jsd']:.2f} and smile "
            f"{means['smile']:.2f} nats. The dependence is not learned well; give more samples "
            "or more max_steps.",
            stacklevel=5,
        )

"""`MutualInfoEstimator`: how much X tells about Y, in nats, with an interval."""

from __future__ import annotations

import math
import numbers
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar, Literal, Self

import numpy as np
import torch
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted

from .._bases import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from .._checks import (
    AT_LEAST_TWO,
    AUTO,
    CONFIDENCE,
    NON_NEGATIVE_INT,
    POSITIVE_INT,
    adopt_names,
    check_arguments,
    check_columns,
    draft_of,
    one_of,
    resolve_device,
    say,
    validate_params,
)
from .._columns._reading import MISSING, complete_rows, read_columns, take_rows
from .._modes import in_own_modes, own_modes
from .._parts import Family, NamedParts
from .._random import draw_seed
from .._shown import Summarised, counted
from .._state import Memory, Saved, building, read
from .._training._callbacks import Checkpoint
from ..bounds import BOUNDS, Bound
from ..critics import CRITICS, Critic
from ..exceptions import DataWarning, EstimateWarning
from ._columns import Columns
from ._counts import Estimate, corrected_entropy
from ._effort import EFFORTS
from ._fitted import FittedInformation
from ._learned import ByCritics, Learned, OwnFolds, Settings, learn, p_value
from ._rows import Rows
from ._sides import (
    Sides,
    alike,
    read_sides,
    refuse_vector,
    varied_columns,
    varied_sides,
)
from ._trail import Trail, is_trail

__all__ = ["UNITS", "MutualInfoEstimator"]

_MAY_DIFFER = {"checkpoint", "device", "units", "verbose"}  # where a fit goes on

UNITS = {"nats": 1.0, "bits": 1 / math.log(2)}


class MutualInfoEstimator(
    ClassNamePrefixFeaturesOutMixin, TransformerMixin, Summarised, Saved, NamedParts
):
    """Estimate the mutual information of two sets of columns, with an interval.

    Columns may be of any kind: numbers, dates and durations go to normal scores by their rank,
    labels of few levels to indicators, and labels of many levels, and numbers whose values repeat,
    are told by what the other side was like where a level was seen. A critic, which starts from
    the Gaussian log density ratio of the canonical correlations, learns the log density ratio of
    pairs on all folds but one and is read on the pairs of that one, in turn. What it finds beyond
    the Gaussian ratio is added to the Gaussian information of all pairs, which has no bias. Where
    that is above three nats, the critic tells pairs from those of the Gaussian, not from pairs put
    together at random. Where both sides are discrete, counts are used, in a mixture that knows how
    little thin tables say. For one column against one, the estimate of nearest neighbours and of
    a shift by a curve or by levels is weighted in by its variance; for several against one, that
    of a sum of curves and levels and of products; for several against several, that of columns
    that go together and of clusters.

    Parameters
    ----------
    bound : str or Bound, default="jsd"
        What training maximises: "dv" (as in MINE), "jsd", "infonce" (as in CPC), "nwj" or
        "smile".
    critic : str or Critic, default="gated"
        What scores pairs: "dot", "bilinear", "concat" or "gated", which is larger with
        ``effort="high"``.
    effort : {"fast", "balanced", "high"}, default="balanced"
        How much computing an estimate may take: what "auto" stands for below. "high" takes three
        to seven times as long and sees fast waves and other dependence that small critics miss.
    base : {"gaussian"} or None, default="gaussian"
        Whether the critic starts from the Gaussian ratio. Without effect where a side has
        discrete columns, whose critic starts from nothing.
    cv : int or "auto", default="auto"
        Number of folds. "auto" is 3, or 2 with ``effort="fast"``.
    units : {"nats", "bits"}, default="nats"
        Unit of `mutual_info_`, its interval, `score` and `pointwise`.
    missing : {"error", "drop", "level"}, default="error"
        What happens to missing values (NaN, None, NaT): they are refused with the name of the
        column; or the complete pairs are taken; or they are a level of their own, which is for
        labels only. Infinite values are always refused.
    block_length : int, default=1
        How many neighbouring rows depend on each other, where rows are moments of a series: folds
        are then stretches of rows, the interval is that of blocks, and permutations are shifts.
        Pairs are taken to be independent of each other where it is 1.
    discrete_x, discrete_y : "auto", bool, or list, default="auto"
        Which columns are discrete: a flag for each, or names and positions. "auto" takes labels
        (text, flags, categories), and numbers of at most 20 values that are each seen five times
        on average.
    confidence_level : float, default=0.95
        Of `confidence_interval_`.
    max_steps : int or "auto", default="auto"
        Steps of training in each fold at most. "auto" is 200, 600 or 2000 by `effort`, and as many
        as one pass over the pairs takes where these are more, up to four times that. Where one
        column faces one and nearest neighbours answer, which more training does not improve on,
        it is 40 unless ``effort="high"``; the critic that reads other pairs has all steps.
    batch_size : int, default=256
        Smallest number of pairs in a step.
    n_negatives : int or "auto", default="auto"
        How many other samples each x is paired with in a step. "auto" is 16 for InfoNCE, whose
        gradient needs candidates to choose from, and 2 for the other bounds; four times as many
        with ``effort="high"``.
    device : str, default="auto"
        "cpu", "cuda", or "auto" for CUDA where there is one.
    random_state : int, RandomState instance or None, default=None
        Seed of folds, weights and batches.
    checkpoint : Checkpoint or None, default=None
        Keeps a file during `fit`, after each critic that was trained, from which `resume` goes on
        with a fit that was killed.
    verbose : int, default=0
        1 shows a bar over the folds in terminals and notebooks, and a line every few seconds where
        the output is piped; 2 a line a fold.

    Attributes
    ----------
    mutual_info_ : float
        The estimate, at least 0.
    standard_error_ : float
        Of the estimate: chance in pairs and in training, what the read-outs differ by, a
        twentieth of what the critic found beyond the Gaussian ratio, and what so few samples for
        each column can hide. The last two are rules that held on dependences that are known. Where
        counts are used, half the width of the interval over the normal quantile.
    confidence_interval_ : tuple of float
        Lower and upper end, at least 0, and at most what the entropy of a discrete side allows.
        Where nothing can be known, it says so: up to that entropy, or to infinity. The upper one
        is further off where there are signs that critics miss something.
    correlation_ : float
        Correlation that a pair of normal columns with this information would have, 0 to 1.
    normalized_mutual_info_ : float
        Share of the entropy of y that X tells, 0 to 1, where y is discrete (Theil's uncertainty
        coefficient); nan elsewhere.
    bounds_ : dict of str to float
        What each bound reports for the same critics on the same held-out pairs; "plug-in", the
        mean of the log density ratio as it was trained, or that of the counts; "neighbours" for
        one column against one; "additive" and "products" for several against one; and "matched
        columns" and "clusters" for several against several, where these models say anything. The
        estimate is that of `bound`, its Gaussian part exchanged for the one without bias, and
        joined with what the models say.
    n_features_in_ : int
        Number of columns of X.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the columns, where X was a frame with string names.

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
        "effort": [one_of(set(EFFORTS))],
        "base": [one_of({"gaussian"}), None],
        "cv": [AT_LEAST_TWO, AUTO],
        "units": [one_of(set(UNITS))],
        "missing": [one_of(set(MISSING))],
        "block_length": [POSITIVE_INT],
        "discrete_x": [one_of({"auto"}), "boolean", "array-like"],
        "discrete_y": [one_of({"auto"}), "boolean", "array-like"],
        "confidence_level": [CONFIDENCE],
        "max_steps": [NON_NEGATIVE_INT, AUTO],
        "batch_size": [AT_LEAST_TWO],
        "n_negatives": [POSITIVE_INT, AUTO],
        "device": [str, torch.device],
        "random_state": ["random_state"],
        "checkpoint": [Checkpoint, None],
        "verbose": ["verbose"],
    }

    _registries: ClassVar = {"bound": BOUNDS, "critic": CRITICS}
    _fitted_as = FittedInformation
    _made_by_fit = frozenset(
        {"bound", "critic", "base", "cv", "block_length", "discrete_x", "discrete_y"}
        | {"confidence_level", "max_steps", "batch_size", "n_negatives"}
    )
    _fitted: FittedInformation
    _families = {"bound": Family(BOUNDS, Bound), "critic": Family(CRITICS, Critic)}

    def __init__(
        self,
        bound: str | Bound | type[Bound] = "jsd",
        *,
        critic: str | Critic | type[Critic] = "gated",
        effort: Literal["fast", "balanced", "high"] = "balanced",
        base: Literal["gaussian"] | None = "gaussian",
        cv: int | Literal["auto"] = "auto",
        units: Literal["nats", "bits"] = "nats",
        missing: Literal["error", "drop", "level"] = "error",
        block_length: int = 1,
        discrete_x: Literal["auto"] | bool | Sequence[Any] = "auto",
        discrete_y: Literal["auto"] | bool | Sequence[Any] = "auto",
        confidence_level: float = 0.95,
        max_steps: int | Literal["auto"] = "auto",
        batch_size: int = 256,
        n_negatives: int | Literal["auto"] = "auto",
        device: str | torch.device = "auto",
        random_state: int | np.random.RandomState | None = None,
        checkpoint: Checkpoint | None = None,
        verbose: int = 0,
    ) -> None:
        self.bound = bound
        self.critic = critic
        self.effort = effort
        self.base = base
        self.cv = cv
        self.units = units
        self.missing = missing
        self.block_length = block_length
        self.discrete_x = discrete_x
        self.discrete_y = discrete_y
        self.confidence_level = confidence_level
        self.max_steps = max_steps
        self.batch_size = batch_size
        self.n_negatives = n_negatives
        self.device = device
        self.random_state = random_state
        self.checkpoint = checkpoint
        self.verbose = verbose

    # Fitting -------------------------------------------------------------------------------

    @in_own_modes
    def fit(self, X: ArrayLike, y: ArrayLike, groups: ArrayLike | None = None) -> Self:
        """Estimate the information of pairs.

        Parameters
        ----------
        X : array-like of shape (n, dx)
            One side: an array, a list of rows, a sparse matrix, or a frame of pandas, polars or
            Arrow with columns of any kind.
        y : array-like of shape (n,) or (n, dy)
            The other side: numbers, dates, labels, or a frame.
        groups : array-like of shape (n,), default=None
            Which rows belong together, such as those of one patient: they stay in one fold, and
            the interval is that of groups.

        Returns
        -------
        self : MutualInfoEstimator
            Fitted; what it was before if the fit fails.

        Raises
        ------
        ValueError
            For parameters or data that do not fit, before training starts. Of data the message
            names the column, the value and the remedy.

        Warns
        -----
        UserWarning
            Once for each finding, such as constant columns, thin levels, pairs that repeat or
            neighbouring rows that are alike.
        """
        validate_params(self)
        return self._fit(X, y, groups, Trail(self.random_state, self.checkpoint))

    def _fit(self, X: Any, y: Any, groups: Any, trail: Trail) -> Self:
        """Fit, or go on with a fit from where its trail ends."""
        refuse_vector(X)
        draft = draft_of(self)
        sides, rows, _ = read_sides(self, X, y, groups)
        check_columns(draft, X, len(sides.x), reset=True)
        if self.checkpoint is not None:
            trail.write = partial(draft._keep, self.checkpoint.path)
        columns, learned = self._learn(sides, rows, trail=trail)
        adopt_names(self, draft)
        self._fitted = FittedInformation(columns, learned)
        self._say_of(columns, sides, rows, learned)
        return self

    def _keep(self, path: Any, memory: Memory) -> None:
        """Write where a fit stands; a critic or bound of a user's own has to be given again."""
        parts = {name: self._part(name) for name in ("critic", "bound")}
        self._write(path, Memory(memory.arrays, memory.facts | {"parts": parts}))

    @classmethod
    def resume(
        cls,
        path: str | os.PathLike[str],
        X: ArrayLike,
        y: ArrayLike,
        groups: ArrayLike | None = None,
        **own: Any,
    ) -> Self:
        """Go on with a fit that was killed, from the file that its `checkpoint` kept.

        Parameters
        ----------
        path : str or path-like
            The file.
        X, y : array-like
            The pairs of that fit.
        groups : array-like of shape (n,), default=None
            Which rows belong together, as in that fit.
        **own : object
            Parameters that the file cannot hold, such as a critic of a class of your own, and
            `checkpoint`, `device`, `units` and `verbose`, which may differ. Without `checkpoint`
            the file is kept as before.

        Returns
        -------
        self : MutualInfoEstimator
            Fitted; on one CPU bit for bit as the fit would have been that was killed.

        Raises
        ------
        OSError
            Python's own, for a missing file, a folder, or one that may not be read.
        ValueError
            If the file is damaged or no checkpoint, if the pairs are not those that were fitted,
            or for a parameter that the fit was begun with and that can't change on the way.
        """
        cls._check_own(own)
        arrays, meta = read(path, cls.__name__)
        with own_modes(), building(sum(array.nbytes for array in arrays.values())):
            estimator, facts = cls._begun(path, meta, own)
            cls._check_goes_on(path, meta, own, is_trail(facts), _MAY_DIFFER)
            if "checkpoint" not in own:
                estimator.checkpoint = Checkpoint(os.fspath(path), Trail.every_of(facts))
            trail = Trail.recall(Memory(arrays, facts), estimator.checkpoint)
        return estimator._resumed(X, y, groups, trail)

    @in_own_modes
    def _resumed(self, X: Any, y: Any, groups: Any, trail: Trail) -> Self:
        return self._fit(X, y, groups, trail)

    def _read_estimate(self, X: Any, y: Any, groups: Any) -> Estimate:
        """The estimate in nats, without a model that could read other pairs."""
        sides, rows, _ = read_sides(self, X, y, groups)
        columns, learned = self._learn(sides, rows, for_reading=False)
        self._say_of(columns, sides, rows, learned)
        return learned.estimate

    @staticmethod
    def _say_of(
        columns: tuple[Columns, Columns], sides: Sides, rows: Rows, learned: Learned
    ) -> None:
        of_columns = [finding for known in columns for finding in known.findings]
        say([*of_columns, *alike(columns, sides, rows), *learned.findings], EstimateWarning)

    @in_own_modes
    def _learn(
        self,
        sides: Sides,
        rows: Rows | None = None,
        for_reading: bool = True,
        trail: Trail | None = None,
    ) -> tuple[tuple[Columns, Columns], Learned]:
        """What is known of columns that were read, and of their dependence."""
        rows = Rows(self.block_length) if rows is None else rows
        columns = Columns(sides.x, self.discrete_x, "X"), Columns(sides.y, self.discrete_y, "y")
        settings = self._settings(len(sides.x[0]), rows, trail)
        settings = replace(settings, for_reading=for_reading)
        return columns, learn(varied_columns(columns), varied_sides(columns, sides), settings)

    @in_own_modes
    def _test(self, sides: Sides, n_permutations: int, rows: Rows | None = None) -> float:
        """P-value of the independence of columns that were read."""
        rows = Rows(self.block_length) if rows is None else rows
        columns = Columns(sides.x, self.discrete_x, "X"), Columns(sides.y, self.discrete_y, "y")
        settings, known = self._known_folds(self._settings(len(sides.x[0]), rows))
        varied = varied_columns(columns), varied_sides(columns, sides)
        return p_value(*varied, settings, n_permutations, known)

    def _validated(self) -> Self:
        """Checked, for functions, which keep no checkpoints."""
        validate_params(self)
        if self.checkpoint is not None:
            raise ValueError(
                "checkpoint is for fit of MutualInfoEstimator, which can be resumed. Leave it out."
            )
        return self

    def _settings(self, n: int, rows: Rows, trail: Trail | None = None) -> Settings:
        """The parameters, settled for n pairs."""
        effort, bound = EFFORTS[self.effort], self._part("bound")
        cv = effort.cv if self.cv == "auto" else self.cv
        if n < 2 * cv:
            raise ValueError(
                f"cv={cv} folds need {2 * cv} samples or more; got n_samples = {n}. "
                "Lower cv or give more samples."
            )
        rows.at_most(n, cv)
        others = effort.n_negatives(bound) if self.n_negatives == "auto" else self.n_negatives
        steps = effort.n_steps(n, self.batch_size) if self.max_steps == "auto" else self.max_steps
        named = self.critic if isinstance(self.critic, str) else ""
        return Settings(
            effort.critics[named] if named in effort.critics else self._part("critic"),
            bound,
            base=self.base == "gaussian",
            cv=cv,
            n_shifts=others,
            max_steps=steps,
            pair_steps=effort.pair_steps if self.max_steps == "auto" else None,
            batch_size=self.batch_size,
            device=str(resolve_device(self.device)),
            seed=draw_seed(self.random_state) if trail is None else trail.seed,
            level=self.confidence_level,
            rows=rows,
            verbose=self.verbose,
            trail=trail,
        )

    # What was found ------------------------------------------------------------------------

    def _summary(self) -> dict[str, str]:
        low, high = self.confidence_interval_
        return {
            **{side: _said(known) for side, known in zip("Xy", self._fitted.columns)},
            "mutual information": f"{self.mutual_info_:.3f} {self.units}",
            f"{self.confidence_level:.0%} interval": f"{low:.3f} to {high:.3f} {self.units}",
        }

    @property
    def mutual_info_(self) -> float:
        """The estimate, in `units`."""
        return self._estimate.value * UNITS[self.units]

    @property
    def standard_error_(self) -> float:
        """Of the estimate, in `units`."""
        return self._estimate.standard_error * UNITS[self.units]

    @property
    def confidence_interval_(self) -> tuple[float, float]:
        """Lower and upper end, in `units`."""
        return (
            self._estimate.low * UNITS[self.units],
            self._estimate.high * UNITS[self.units],
        )

    @property
    def bounds_(self) -> dict[str, float]:
        """What other read-outs report, in `units`."""
        found = self._found.learned.bounds
        return {name: value * UNITS[self.units] for name, value in found.items()}

    @property
    def correlation_(self) -> float:
        """Correlation of normal columns with this information (Linfoot 1957)."""
        return math.sqrt(-math.expm1(-2 * self._estimate.value))

    @property
    def normalized_mutual_info_(self) -> float:
        """Share of the entropy of y that X tells; nan where y is not one discrete column."""
        known = self._found.columns[1]
        if len(known.parts) > 1 or not known.is_discrete[0]:
            return math.nan
        entropy = corrected_entropy(known.counts(0))
        return min(1.0, self._estimate.value / entropy) if entropy > 0 else 0.0

    @property
    def _estimate(self) -> Estimate:
        return self._found.learned.estimate

    # Reading -------------------------------------------------------------------------------

    @in_own_modes
    def pointwise(self, X: ArrayLike, y: ArrayLike) -> np.ndarray:
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
            ``log p(x, y) / (p(x) p(y))`` in `units`, as the model trained on all pairs has it; nan
            for pairs that ``missing="drop"`` leaves out.

        Raises
        ------
        ValueError
            For columns that are not those of the fit.
        """
        check_is_fitted(self)
        refuse_vector(X)
        sides, _, kept = read_sides(self, X, y)
        check_columns(self, X, len(sides.x), reset=False)
        self._check_known(sides)
        values = np.full(len(kept), np.nan)
        values[kept] = self._fitted.log_ratio(sides) * UNITS[self.units]
        return values

    def _check_known(self, sides: Sides) -> None:
        """Refuse columns that are not those of the fit; say which levels are new."""
        for known, side in zip(self._fitted.columns, sides):
            known.check(side)
            say(known.unseen(side), DataWarning)

    def score(self, X: ArrayLike, y: ArrayLike) -> float:
        """Mean pointwise information of new pairs, an estimate of the information.

        Parameters
        ----------
        X, y : array-like
            New pairs, as `pointwise` takes them.

        Returns
        -------
        float
            In `units`.
        """
        return float(np.nanmean(self.pointwise(X, y)))

    @in_own_modes
    def transform(self, X: ArrayLike) -> np.ndarray:
        """What is computed of X alone: features that tell about y.

        Parameters
        ----------
        X : array-like of shape (n, dx)
            Samples.

        Returns
        -------
        ndarray of shape (n, n_features_out)
            Canonical variates of X with y, then the critic's side of X; for discrete columns
            on both sides, the log ratio of each row with the most frequent rows of y. Rows that
            ``missing="drop"`` leaves out are nan.
        """
        check_is_fitted(self)
        refuse_vector(X)
        columns = read_columns(X, "X")
        check_columns(self, X, len(columns), reset=False)
        kept = complete_rows({"X": columns}, self.missing)
        columns = take_rows(columns, kept)
        self._fitted.columns[0].check(columns)
        features = self._fitted.features_of_x(columns)
        out = np.full((len(kept), features.shape[1]), np.nan, features.dtype)
        out[kept] = features
        return out

    @property
    def _n_features_out(self) -> int:
        return self._found.learned.n_features_of_x

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.transformer_tags.preserves_dtype = []
        tags.input_tags.string = True
        tags.input_tags.categorical = True
        tags.input_tags.sparse = True
        tags.input_tags.allow_nan = self.missing != "error"
        return tags

    def permutation_test(
        self, X: ArrayLike, y: ArrayLike, n_permutations: int = 999, groups: ArrayLike | None = None
    ) -> float:
        """Test whether X and y are independent.

        The critics of the folds are trained once; those of `fit` are taken where it has seen the
        same pairs with the same settings. On each fold, which its critic has not seen,
        the mean log ratio of the pairs is compared with that of permuted pairs, so the test is
        exact whatever the critics are worth. One column and another whose rows are independent
        need no critics up to 3,000 pairs: what nearest neighbours, curves and levels say of them
        is compared, in units of its spread, and the largest counts. Where rows depend on each other
        (`block_length`, `groups`), y is shifted against X in place of being permuted.

        Parameters
        ----------
        X : array-like of shape (n, dx)
            One side.
        y : array-like of shape (n,) or (n, dy)
            The other side.
        n_permutations : int, default=999
            How many permutations to compare with.
        groups : array-like of shape (n,), default=None
            Which rows belong together.

        Returns
        -------
        float
            The p-value: the share of permutations, the pairs themselves among them, whose
            statistic is as large.
        """
        validate_params(self)
        checked = {"n_permutations": [POSITIVE_INT]}
        check_arguments("permutation_test", checked, n_permutations=n_permutations)
        sides, rows, _ = read_sides(self, X, y, groups)
        return self._test(sides, n_permutations, rows)

    def _known_folds(self, settings: Settings) -> tuple[Settings, OwnFolds | None]:
        """What `fit` has trained, and settings with its seed where none is asked for."""
        learned = self._fitted.learned if hasattr(self, "_fitted") else None
        folds = learned.folds if isinstance(learned, ByCritics) else None
        if folds is None or isinstance(self.random_state, numbers.Integral):
            return settings, folds
        return replace(settings, seed=folds.seed), folds


def _said(known: Columns) -> str:
    """How many columns of which kind a side has."""
    kinds = Counter(part.kind for part in known.parts)
    return "columns of " + ", ".join(counted(n, kind) for kind, n in kinds.items())

"""Information of one column and many that add up, each by a curve or by levels.

Critics that start from nothing need many rows for each column. Here the columns are taken to add
up to what foretells the one column, in a linear model of smooth curves and levels in which every
curve and every set of levels has a variance of its own, learned from all rows (MacKay's evidence):
a column that tells nothing costs nothing. Each row is foretold without itself, in closed form.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_solve, cholesky
from scipy.special import logsumexp
from sklearn.linear_model import LogisticRegression

from ._shifts import NOTHING, Shifted, shifted_by_parts

__all__ = ["Terms", "told_of_classes", "told_of_number"]

_BANDS = ((1, 3), (4, 12), (13, 24))  # frequencies of curves, each with its variance: half waves
_ROWS_FOR_WAVE = 10  # rows for each half wave at least, as many as a level of chi-square tables
_MOST_FEATURES = 600  # of all columns, which takes a second for 2,000 rows; a rule
_ROUNDS = 30  # of learning variances; by then those of columns that tell change by 1 %
_NONE = 1e6  # precision from which a set of features is left out: its share of variance is nothing
_SETTLED = 1e-3  # change of the noise that ends learning, as a share of it
_CLASSES = 20  # most frequent classes that are foretold apart: as many as indicators
_FOLDS = 5  # of rows; more cost more and told no more (rule of thumb)
_CALM = 1.0  # inverse of the penalty of the scores' own logistic regression: scikit-learn's
_CHANCE = 2.0  # nats of evidence under which nothing is told, as for counts
_CHANCE_OF_EACH = 0.6  # nats of it that the variance of each set gains by chance (8 drawn frames)
_MOST_SCORE = 4.0  # standard deviations that a score is taken for at most, as squares run away


@dataclass(frozen=True)
class Terms:
    """Features (n, p) of the columns of a side, and to which set (p,) each belongs."""

    features: np.ndarray
    group: np.ndarray

    @property
    def n_sets(self) -> int:
        """How many sets of features there are."""
        return int(self.group.max(initial=-1)) + 1

    @classmethod
    def of(cls, orders: Sequence[np.ndarray], levels: Sequence[np.ndarray]) -> Terms:
        """From normal scores (n,) of columns with an order, and codes (n,) of those with levels."""
        parts: list[np.ndarray] = []
        for scores in orders:
            parts += _waves(scores)
        room = _MOST_FEATURES - sum(part.shape[1] for part in parts)
        most = _most_levels([len(np.unique(codes)) for codes in levels], room)
        parts += [_indicators(codes, most) for codes in levels]
        group = np.repeat(np.arange(len(parts)), [part.shape[1] for part in parts])
        return cls(np.hstack(parts), group)


def _most_levels(sizes: list[int], room: int) -> int:
    """Levels of a column that are told apart at most, where columns of such sizes share a room."""
    most = max(sizes, default=0)
    while most > 1 and sum(min(size, most) for size in sizes) > room:
        most -= 1
    return most


def _waves(scores: np.ndarray) -> list[np.ndarray]:
    """The scores (n, 1), and cosines (n, k) along the ranks, slow ones and fast ones apart."""
    n = len(scores)
    place = (np.argsort(np.argsort(scores, kind="stable")) + 0.5) / n
    found = [scores[:, None] - scores.mean()]
    for low, high in _BANDS:
        high = min(high, n // _ROWS_FOR_WAVE)
        if low <= high:
            found.append(np.cos(math.pi * place[:, None] * np.arange(low, high + 1)))
    return found


def _indicators(codes: np.ndarray, most: int) -> np.ndarray:
    """Of the most frequent levels (n, k) that are seen twice, of mean 0."""
    counts = np.bincount(codes)
    kept = counts.argsort(kind="stable")[::-1][:most]
    hits = (codes[:, None] == kept[counts[kept] > 1]).astype(float)
    return hits - hits.mean(0)


@dataclass(frozen=True)
class _Foretold:
    """What a linear model says of a target (n,) of mean 0.

    Attributes
    ----------
    outside, inside : ndarray of shape (n,)
        What each row is foretold from the others, and from all rows.
    chance : ndarray of shape (n,)
        Variance of `inside`, in units of that of the noise.
    noise : float
        Its variance.
    cost : float
        How many numbers were learned, in effect.
    gain : float
        Log likelihood in nats of what was foretold from other rows, over that of the mean alone.
    precision : ndarray of shape (sets,)
        Of each set of features, in units of that of the noise.
    """

    outside: np.ndarray
    inside: np.ndarray
    chance: np.ndarray
    noise: float
    cost: float
    gain: float
    precision: np.ndarray


def _foretell(terms: Terms, target: np.ndarray, precision: np.ndarray | None = None) -> _Foretold:
    """Learn the variance of each set of features and of the noise, then foretell each row.

    From `precision` (sets,), where something is known of it, or from equal shares of all sets.
    """
    x, group, n = terms.features, terms.group, len(target)
    gram, cross = x.T @ x, x.T @ target
    power, sizes = float(target @ target), np.bincount(group)
    if precision is None:
        precision = len(sizes) * np.bincount(group, gram.diagonal()) / n
    noise, kept = power / n, np.ones(len(group), dtype=bool)
    for _ in range(_ROUNDS):
        kept = precision[group] < _NONE
        inverse = _inverse(gram, precision[group], kept)
        weights = np.zeros(len(group))
        weights[kept] = inverse @ cross[kept]
        spread = np.zeros(len(group))
        spread[kept] = inverse.diagonal()
        known = (sizes - precision * np.bincount(group, spread)).clip(min=1e-9)
        left, before = power - 2 * weights @ cross + weights @ gram @ weights, noise
        used = float(known[precision < _NONE].sum())
        noise = max(left, 1e-9 * power) / max(n - used, 1.0)
        squares = np.bincount(group, weights**2).clip(min=1e-300)
        precision = np.where(precision < _NONE, known * noise / squares, _NONE)
        if abs(noise - before) < _SETTLED * noise:
            break
    inverse = _inverse(gram, precision[group], kept)
    own = x[:, kept]
    hat = np.einsum("ij,jk,ik->i", own, inverse, own, optimize=True).clip(max=1 - 1e-6)
    inside = own @ (inverse @ cross[kept])
    outside = (inside - hat * target) / (1 - hat)
    gain = 0.5 * n * math.log(power / max(float(((target - outside) ** 2).sum()), 1e-9 * power))
    return _Foretold(outside, inside, hat, noise, min(float(hat.sum()), n - 1.0), gain, precision)


def _inverse(gram: np.ndarray, precision: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Inverse (k, k) of the penalised products of the features that are kept."""
    own = gram[np.ix_(kept, kept)] + np.diag(precision[kept])
    if not len(own):
        return own
    return cho_solve((cholesky(own), False), np.eye(len(own)))


def told_of_number(terms: Terms, scores: np.ndarray) -> Shifted:
    """Of a number by its normal scores (n,) without ties.

    The number is the sum of all terms with normal noise, on the scale where that fits best.
    """
    if len(scores) < 2 * _ROWS_FOR_WAVE:
        return NOTHING

    first = _foretell(terms, scores - scores.mean())
    found = [first]

    def parts(z: np.ndarray) -> tuple[np.ndarray, np.ndarray, float, float]:
        found.append(_foretell(terms, z, found[-1].precision))
        return found[-1].inside, found[-1].chance, found[-1].noise, len(z) - found[-1].cost

    return _sure(shifted_by_parts(scores, parts), first.gain, terms.n_sets)


def told_of_classes(terms: Terms, codes: np.ndarray) -> Shifted:
    """Of classes by their codes (n,), the rarest of which count as one.

    Indicators of the classes are foretold, those of each fold from the others, and a logistic
    regression of the classes on what was foretold, fitted to the others too, makes probabilities
    of it. To leave out each row alone would not do: what is foretold of it is then shifted against
    its own class, by little, but by the same in all rows, which a regression sees.
    """
    counts = np.bincount(codes)
    kept = counts.argsort(kind="stable")[::-1][:_CLASSES]
    place = np.full(len(counts), len(kept))
    place[kept] = np.arange(len(kept))
    classes, n = np.unique(place[codes], return_inverse=True)[1], len(codes)
    shares = np.bincount(classes) / n
    if len(shares) < 2 or n < 2 * _ROWS_FOR_WAVE:
        return NOTHING
    targets = [(classes == k) - share for k, share in enumerate(shares)]
    found = [_foretell(terms, target) for target in targets]
    fold = _folds(classes)
    foretold = np.column_stack(
        [_from_other_folds(terms, t, one.precision, fold) for t, one in zip(targets, found)]
    )
    ratio = _log_probabilities(foretold, classes, fold) - np.log(shares)[classes]
    # The logarithm of a probability falls short by half of each number that was learned, less
    # where there is less noise; one of the classes is free.
    free = sum(one.cost * one.noise / (s * (1 - s)) for one, s in zip(found, shares))
    cost = (1 - 1 / len(shares)) * free / (2 * n)
    error = math.hypot(float(ratio.std()) / math.sqrt(n), cost / 2)
    told = Shifted(float(ratio.mean()) + cost, error, 0.0)
    return _sure(told, n * float(ratio.mean()), (len(shares) - 1) * terms.n_sets)


def _sure(told: Shifted, gain: float, n_learned: int) -> Shifted:
    """The same, as far as its evidence (nats) is more than so many variances gain by chance."""
    chance = _CHANCE + _CHANCE_OF_EACH * n_learned
    certainty = 1 - (chance / gain) ** 2 if gain > chance else 0.0
    left = (1 - certainty) * told.value
    return Shifted(certainty * told.value, math.hypot(told.error, left), max(gain, 0.0))


def _folds(classes: np.ndarray) -> np.ndarray:
    """A fold for each row (n,), with each class in all of them as evenly as may be."""
    fold = np.empty(len(classes), dtype=np.int64)
    order = np.random.RandomState(0).permutation(len(classes))
    order = order[np.argsort(classes[order], kind="stable")]
    fold[order] = np.arange(len(classes)) % _FOLDS
    return fold


def _from_other_folds(
    terms: Terms, target: np.ndarray, precision: np.ndarray, fold: np.ndarray
) -> np.ndarray:
    """What the other folds foretell of a target (n,) of mean 0, at known precisions (sets,)."""
    kept = precision[terms.group] < _NONE
    x, foretold = terms.features[:, kept], np.zeros(len(target))
    gram, cross = x.T @ x, x.T @ target
    every = np.ones(x.shape[1], dtype=bool)
    for number in range(_FOLDS if x.shape[1] else 0):
        own = fold == number
        left = gram - x[own].T @ x[own]
        inverse = _inverse(left, precision[terms.group][kept], every)
        foretold[own] = x[own] @ (inverse @ (cross - x[own].T @ target[own]))
    return foretold


def _log_probabilities(foretold: np.ndarray, classes: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """Of the class of each row (n,), from foretold indicators (n, k) and their squares."""
    scale = foretold.std(0)
    z = ((foretold - foretold.mean(0)) / np.where(scale > 0, scale, 1.0)).clip(
        -_MOST_SCORE, _MOST_SCORE
    )
    z, told = np.hstack([z, z**2]), np.empty(len(classes))
    for number in range(_FOLDS):
        own = fold == number
        score = _scores(z[~own], classes[~own], z[own], int(classes.max()) + 1)
        told[own] = (score - logsumexp(score, axis=1, keepdims=True))[
            np.arange(own.sum()), classes[own]
        ]
    return told


def _scores(z: np.ndarray, classes: np.ndarray, unseen: np.ndarray, n_classes: int) -> np.ndarray:
    """Logarithms of odds (m, n_classes) of rows `unseen`, by regression on others.

    Others of one class tell nothing of the odds.
    """
    if len(np.unique(classes)) == 1:
        return np.zeros((len(unseen), n_classes))
    known = LogisticRegression(C=_CALM, max_iter=300).fit(z, classes)
    score = known.decision_function(unseen)
    if score.ndim == 1:
        score = np.column_stack([np.zeros(len(score)), score])
    found = np.full((len(unseen), n_classes), score.min(1, keepdims=True))
    found[:, known.classes_] = score
    return found

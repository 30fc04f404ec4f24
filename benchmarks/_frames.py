"""Columns of every kind whose information about a target is known, for `columns.py`.

A pair has one column against one; a wide frame has many columns that together tell about a target,
each with its share. Truths are sums over tables, or quadrature over the sampler's own densities.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import entr, ndtri, softmax
from scipy.stats import norm, poisson

__all__ = ["PAIRS", "STRENGTHS", "Pair", "Wide", "draw_pair", "draw_wide", "id_columns"]

# Standard deviation of what a column adds to a target of noise 1; as nats of a normal pair
# 0, 0.03, 0.35 and 1.15.
STRENGTHS = {"none": 0.0, "weak": 0.25, "medium": 1.0, "strong": 3.0}
CLASSES = 3  # of targets that are labels
MANY_CLASSES = 30  # of those of "label x label of 30"
DAYS = 3 * 365  # that dates span
SEASON = 2 * np.pi / 365.25  # of a day
FEWEST_SHARE = 10  # the most frequent level is about as many times as frequent as the rarest
PEAKEDNESS = 0.3  # concentration of the shares of classes in a level: most have one or two
NODES = 2000  # quantiles that an average over a column of numbers is taken of
REACH, STEP = 8.0, 0.02  # of the grid that densities are summed over, in units of the noise
DRAWS = 200_000  # of the sum of many columns, from which the truth of a wide frame is computed
NUMBERS_OF_IDS = 90_000  # from which whole numbers without order are drawn


@dataclass(frozen=True)
class Pair:
    """One column, a target, their information in nats, and which are read by levels."""

    x: pd.Series
    y: pd.Series
    truth: float
    discrete_x: bool
    discrete_y: bool


@dataclass(frozen=True)
class Wide:
    """Many columns, a target, their information in nats, and which columns tell."""

    X: pd.DataFrame
    y: pd.Series
    truth: float
    discrete: list[bool]
    discrete_y: bool
    tells: list[bool]


# Truths --------------------------------------------------------------------------------------


def information_of_table(table: np.ndarray) -> float:
    """Of a table of shares (k, m)."""
    return float(entr(table.sum(0)).sum() + entr(table.sum(1)).sum() - entr(table).sum())


def information_of_means(means: np.ndarray, shares: np.ndarray | None = None) -> float:
    """Of y, normal of variance 1 around one of means (k,), and which one it is around."""
    if np.ptp(means) == 0:
        return 0.0
    grid = np.arange(means.min() - REACH, means.max() + REACH, STEP)
    shares = np.full(len(means), 1 / len(means)) if shares is None else shares
    density = np.zeros_like(grid)
    for part in np.array_split(np.arange(len(means)), 1 + len(means) // 500):  # small in memory
        density += shares[part] @ norm.pdf(grid, means[part][:, None])
    return float(entr(density).sum() * STEP - norm.entropy())


def information_of_rates(log_rates: np.ndarray) -> float:
    """Of a count, Poisson around one of exp(log_rates) (k,), and which one."""
    counts = np.arange(int(2 * np.exp(log_rates.max())) + 50)
    table = poisson.pmf(counts, np.exp(log_rates)[:, None]) / len(log_rates)
    return information_of_table(table)


# Pairs ---------------------------------------------------------------------------------------


def level_shares(levels: int) -> np.ndarray:
    """Shares (levels,) that fall with the rank of a level."""
    shares = 1 / (np.arange(levels) + levels / FEWEST_SHARE)
    return shares / shares.sum()


def text(codes: np.ndarray, word: str) -> pd.Series:
    """Levels as text."""
    return pd.Series([f"{word} {code}" for code in codes], dtype=object)


def label_label(rng, n, levels, strength, classes=CLASSES) -> Pair:
    """Each level has its own shares of classes, more so the stronger the dependence."""
    shares, weight = level_shares(levels), -np.expm1(-strength)
    of_class = weight * rng.dirichlet(np.full(classes, PEAKEDNESS), levels)
    of_class += (1 - weight) / classes
    x = rng.choice(levels, n, p=shares)
    y = (rng.rand(n)[:, None] > of_class.cumsum(1)[x][:, :-1]).sum(1)
    truth = information_of_table(shares[:, None] * of_class)
    return Pair(text(x, "level"), text(y, "class"), truth, True, True)


def label_number(rng, n, levels, strength) -> Pair:
    """A number that is normal around the mean of a level."""
    shares, means = level_shares(levels), strength * rng.randn(levels)
    x = rng.choice(levels, n, p=shares)
    y = pd.Series(means[x] + rng.randn(n))
    return Pair(text(x, "level"), y, information_of_means(means, shares), True, False)


def codes_number(rng, n, levels, strength) -> Pair:
    """The same with whole numbers in no order in place of text."""
    pair = label_number(rng, n, levels, strength)
    codes = rng.choice(NUMBERS_OF_IDS, levels, replace=False)
    x = pd.Series(codes[pair.x.str.removeprefix("level ").astype(int)])
    return Pair(x, pair.y, pair.truth, True, False)


def line(rng, n, _, strength) -> Pair:
    """Normal numbers, one side cubed and the other exponentiated."""
    x = rng.randn(n)
    y = strength * x + rng.randn(n)
    truth = 0.5 * np.log1p(strength**2)
    return Pair(pd.Series(x**3), pd.Series(np.exp(y)), float(truth), False, False)


def curve(shape: Callable, rng, n, strength) -> Pair:
    """A number that follows a curve of spread 1 over a normal column."""
    x, nodes = rng.randn(n), ndtri((np.arange(NODES) + 0.5) / NODES)
    scale = strength / shape(nodes).std()
    truth = information_of_means(scale * shape(nodes))
    return Pair(pd.Series(x), pd.Series(scale * shape(x) + rng.randn(n)), truth, False, False)


def wave(rng, n, _, strength) -> Pair:
    """Up and down several times."""
    return curve(lambda x: np.sin(3 * x), rng, n, strength)


def bowl(rng, n, _, strength) -> Pair:
    """Down and up again."""
    return curve(np.square, rng, n, strength)


def number_count(rng, n, _, strength) -> Pair:
    """Counts whose rate grows with a number."""
    nodes = ndtri((np.arange(NODES) + 0.5) / NODES)
    x, slope = rng.randn(n), strength / 3
    y = pd.Series(rng.poisson(np.exp(1 + slope * x)))
    return Pair(pd.Series(x), y, information_of_rates(1 + slope * nodes), False, False)


def dates(days: np.ndarray) -> pd.Series:
    """Moments so many days after the first of 2021."""
    return pd.Series(pd.Timestamp("2021-01-01") + pd.to_timedelta(days, "D").round("s"))


def date_number(rng, n, _, strength) -> Pair:
    """A number that follows the seasons."""
    days, nodes = DAYS * rng.rand(n), DAYS * (np.arange(NODES) + 0.5) / NODES
    y = strength * np.sqrt(2) * np.sin(SEASON * days) + rng.randn(n)
    truth = information_of_means(strength * np.sqrt(2) * np.sin(SEASON * nodes))
    return Pair(dates(days), pd.Series(y), truth, False, False)


def date_label(rng, n, _, strength) -> Pair:
    """A class that follows the seasons."""
    days, nodes = DAYS * rng.rand(n), DAYS * (np.arange(NODES) + 0.5) / NODES
    y = draw_classes(rng, strength * np.sqrt(2) * np.sin(SEASON * days))
    truth = information_of_scores(strength * np.sqrt(2) * np.sin(SEASON * nodes))
    return Pair(dates(days), text(y, "class"), truth, False, True)


def class_shares(scores: np.ndarray) -> np.ndarray:
    """Shares (n, 3) of three classes, of which the outer ones are what scores (n,) favour."""
    return softmax(scores[:, None] * np.linspace(-1, 1, CLASSES), axis=1)


def draw_classes(rng, scores: np.ndarray) -> np.ndarray:
    """A class (n,) for each score."""
    return (rng.rand(len(scores))[:, None] > class_shares(scores).cumsum(1)[:, :-1]).sum(1)


def information_of_scores(scores: np.ndarray) -> float:
    """Of classes and the scores (k,), equally likely, that they are drawn by."""
    table = class_shares(scores)
    return float(entr(table.mean(0)).sum() - entr(table).sum(1).mean())


def many_classes(rng, n, levels, strength) -> Pair:
    """As `label_label`, against thirty classes."""
    return label_label(rng, n, levels, strength, MANY_CLASSES)


PAIRS: dict[str, tuple[Callable, tuple[int | None, ...]]] = {
    "label x label of 3": (label_label, (2, 10, 100, 1000)),
    "label x label of 30": (many_classes, (2, 10, 100, 1000)),
    "label x number": (label_number, (2, 10, 100, 1000)),
    "codes x number": (codes_number, (30, 200, 1000)),
    "number x number, line": (line, (None,)),
    "number x number, bowl": (bowl, (None,)),
    "number x number, wave": (wave, (None,)),
    "number x count": (number_count, (None,)),
    "date x number": (date_number, (None,)),
    "date x label of 3": (date_label, (None,)),
}


def draw_pair(kind: str, levels: int | None, strength: str, n: int, seed: int) -> Pair:
    """A sample of n pairs of one kind."""
    sampler, _ = PAIRS[kind]
    rng = np.random.RandomState([seed, n, levels or 0, list(PAIRS).index(kind)])
    return sampler(rng, n, levels, STRENGTHS[strength])


# Wide frames ---------------------------------------------------------------------------------


def effect_number(rng, n) -> tuple[pd.Series, np.ndarray]:
    """A number of heavy tails, and what it adds."""
    x = rng.randn(n)
    return pd.Series(np.sinh(x)), x


def effect_date(rng, n) -> tuple[pd.Series, np.ndarray]:
    """A date, and its season."""
    days = DAYS * rng.rand(n)
    return dates(days), np.sqrt(2) * np.sin(SEASON * days)


def effect_label(levels: int) -> Callable:
    """A label of so many levels, equally frequent and in no order, and what it adds."""

    def draw(rng, n) -> tuple[pd.Series, np.ndarray]:
        x = rng.randint(levels, size=n)
        means = ndtri((rng.permutation(levels) + 0.5) / levels)
        return text(x, "level"), (means / means.std())[x]

    return draw


def effect_count(rng, n) -> tuple[pd.Series, np.ndarray]:
    """A count of mean 4, and what it adds."""
    x = rng.poisson(4, n)
    return pd.Series(x), (x - 4) / 2


# Kinds in turn: sampler, and whether the column is read by its levels.
KINDS = (
    (effect_number, False),
    (effect_label(5), True),
    (effect_label(2), True),
    (effect_date, False),
    (effect_label(50), True),
    (effect_count, False),
)


def draw_wide(
    n: int, n_columns: int, n_telling: int, target: str, strength: str, seed: int
) -> Wide:
    """A frame whose first columns tell about a target, "number" or "label", in equal shares."""
    rng = np.random.RandomState([seed, n, n_columns, n_telling])
    kinds = [KINDS[i % len(KINDS)] for i in range(n_columns)]
    scale = STRENGTHS[strength] / np.sqrt(n_telling)
    drawn = [sampler(rng, n) for sampler, _ in kinds]
    scores = scale * np.sum([effect for _, effect in drawn[:n_telling]], axis=0)
    others = scale * np.sum([s(rng, DRAWS)[1] for s, _ in kinds[:n_telling]], axis=0)
    if target == "label":
        y, truth = text(draw_classes(rng, scores), "class"), information_of_scores(others)
    else:
        y, truth = pd.Series(scores + rng.randn(n)), information_of_means(*histogram(others))
    X = pd.DataFrame({f"column {i}": column for i, (column, _) in enumerate(drawn)})
    tells = [i < n_telling for i in range(n_columns)]
    return Wide(X, y, truth, [flag for _, flag in kinds], target == "label", tells)


def histogram(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Middles (k,) of narrow bins, and the share of values in each."""
    counts, edges = np.histogram(values, np.arange(values.min(), values.max() + 2 * STEP, STEP))
    return (edges[1:] + edges[:-1]) / 2, counts / len(values)


def id_columns(n: int, number: int, seed: int) -> pd.DataFrame:
    """Text that tells rows apart and nothing else: each value once, twice or five times."""
    rng = np.random.RandomState([seed, n, number])
    repeats = [(1, 2, 5)[i % 3] for i in range(number)]
    return pd.DataFrame(
        {
            f"id {i}": text(rng.permutation(n) // times, "key").to_numpy()
            for i, times in enumerate(repeats)
        }
    )

"""
Columns of any kind: what they tell, and which to keep
======================================================

The first frame is the wines that scikit-learn ships. The second one is made here, so that the
truth is known: visits to a shop with a date, text, a number that is missing now and then, and the
id of the customer. What columns tell about a target and about each other stands beside the truth.
"""

import warnings
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from scipy.special import entr
from scipy.stats import norm
from sklearn.datasets import load_wine

from sk_infomax import (
    MutualInfoEstimator,
    MutualInfoSelector,
    conditional_mutual_info,
    lagged_mutual_info,
    mutual_info,
    mutual_info_matrix,
    mutual_info_scores,
)

SEED = 0
# Fewer steps and folds than the defaults have, which 600 rows need less of: seconds for a fit.
SHORT: dict[str, Any] = {"cv": 2, "max_steps": 80, "random_state": SEED}
WINE_STEPS = 200  # a third of the default; 178 rows are learned in so many
N_VISITS = 600
N_CUSTOMERS = 300
SHOWN = 8  # measurements of wines in the figure
TOWNS = ["Aachen", "Bonn", "Cologne", "Dessau", "Essen"]
MISSING = 0.1  # share of the ages that are missing
CORRELATION = 0.6  # of age and log income
NOISE = 0.5  # of the log of what is spent
LAG = 2  # days after which sales follow the weather
LAGS = [0, 2, 4]


def make_visits(rng: np.random.RandomState) -> pd.DataFrame:
    """A frame whose columns tell what `truths` says about `spent`."""
    town = rng.randint(len(TOWNS), size=N_VISITS)
    day = 3 * 365 * rng.rand(N_VISITS)
    age = rng.randn(N_VISITS)
    income = CORRELATION * age + np.sqrt(1 - CORRELATION**2) * rng.randn(N_VISITS)
    spent = town_means()[town] + income + NOISE * rng.randn(N_VISITS)
    frame = pd.DataFrame(
        {
            "town": np.array(TOWNS)[town],
            "date": pd.Timestamp("2021-01-01") + pd.to_timedelta(day.round(), "D"),
            "age": 45 + 12 * age,
            "income": 30_000 * np.exp(0.5 * income),
            "customer": [f"C-{number:04d}" for number in rng.randint(N_CUSTOMERS, size=N_VISITS)],
            "spent": np.exp(spent),
        }
    )
    frame.loc[rng.rand(N_VISITS) < MISSING, "age"] = np.nan
    return frame


def town_means() -> np.ndarray:
    """What a town adds to the log of what is spent."""
    return np.linspace(-2, 2, len(TOWNS))[[2, 0, 4, 1, 3]]


def truths() -> dict[str, float]:
    """Nats that each column tells about `spent`, from how it is made."""
    grid = np.linspace(-10, 10, 4001)
    step = grid[1] - grid[0]

    def entropy_around_towns(variance: float) -> float:
        """Entropy of a normal number around the mean of a town."""
        density = norm.pdf(grid, town_means()[:, None], np.sqrt(variance)).mean(0)
        return float(entr(density).sum() * step)

    noise = NOISE**2
    whole = entropy_around_towns(1 + noise)
    return {
        "town": whole - float(norm.entropy(scale=np.sqrt(1 + noise))),
        "date": 0.0,
        "age": whole - entropy_around_towns(1 - CORRELATION**2 + noise),
        "income": whole - entropy_around_towns(noise),
        "customer": 0.0,
    }


def ask_wines() -> pd.DataFrame:
    """Which measurements tell the cultivar; the matrix of all for the figure."""
    wines = load_wine(as_frame=True).frame.sample(frac=1, random_state=SEED)  # they are sorted
    cultivar = wines.pop("target")
    scores, ends = mutual_info_scores(wines, cultivar, return_interval=True)
    table = pd.concat([scores, ends], axis=1).sort_values("mutual_info", ascending=False)
    print("Wines: what each measurement tells about the cultivar, of 1.09 nats")
    print(table.round(2).head(5).to_string())

    best = list(table.index[:3])
    estimator = MutualInfoEstimator(max_steps=WINE_STEPS, random_state=SEED)
    estimator.fit(wines[best], cultivar)
    found = say(estimator.mutual_info_, estimator.confidence_interval_)
    print(f"The first three together: {found}, {estimator.normalized_mutual_info_:.0%} of it all")
    return mutual_info_matrix(wines[list(table.index[:SHOWN])])


def ask_visits(visits: pd.DataFrame) -> pd.DataFrame:
    """What each column tells about what is spent, beside the truth."""
    X, y = visits.drop(columns="spent"), visits["spent"]
    scores, ends = mutual_info_scores(X, y, missing="drop", return_interval=True)
    table = pd.concat([scores, ends], axis=1)
    table.insert(0, "truth", pd.Series(truths()))
    print("\nVisits: what each column tells about `spent`, in nats")
    print(table.round(3).to_string())
    return table


def select(visits: pd.DataFrame) -> None:
    """Keep the best two columns, and those that tell anything at all."""
    X, y = visits.drop(columns="spent"), visits["spent"]
    best = MutualInfoSelector(k=2, missing="drop").fit(X, y)
    print(f"\nThe best two: {', '.join(best.get_feature_names_out())}")
    telling = MutualInfoSelector("all", fdr=0.05, missing="drop", n_permutations=99).fit(X, y)
    print(f"A false discovery rate of 5 % keeps: {', '.join(telling.get_feature_names_out())}")
    assert telling.pvalues_ is not None  # as there is none without `fdr`
    for name, p_value in zip(X, telling.pvalues_):
        print(f"  {name:10s} p = {p_value:.2g}")


def ask_more(visits: pd.DataFrame) -> None:
    """What two columns tell together, and what one tells beyond another."""
    both, spent = visits[["town", "income"]], visits["spent"]
    truth = truths()["town"] + 0.5 * np.log1p(1 / NOISE**2)
    value, ends = mutual_info(both, spent, **SHORT)
    print(f"\nTown and income together: {say(value, ends)}, truth {truth:.2f}")
    value, ends = conditional_mutual_info(
        visits["age"], spent, visits["income"], missing="drop", **SHORT
    )[:2]
    print(f"Age beyond income: {say(value, ends)}, truth 0")


def say(value: float, ends: tuple[float, float]) -> str:
    """An estimate with its interval."""
    return f"{value:.2f} ({ends[0]:.2f} to {ends[1]:.2f})"


def ask_lags(rng: np.random.RandomState) -> pd.DataFrame:
    """After how many days sales follow the weather."""
    weather = rng.randn(N_VISITS)
    sales = np.roll(weather, LAG) + rng.randn(N_VISITS)
    days = pd.date_range("2021-01-01", periods=N_VISITS)
    series = pd.DataFrame({"weather": weather, "sales": sales}, index=days)
    table = lagged_mutual_info(series["weather"], series["sales"], LAGS, **SHORT)
    table.index = table.pop("lag").astype(int)
    table.insert(0, "truth", np.where(table.index == LAG, 0.5 * np.log(2), 0.0))
    print("\nWhat the weather tells about sales so many days later, in nats")
    print(table.round(3).to_string())
    return table


def draw_figure(matrix: pd.DataFrame, visits: pd.DataFrame, lags: pd.DataFrame) -> None:
    """What wines' columns share, and estimates with their intervals beside the truth."""
    figure, axes = plt.subplots(1, 3, figsize=(15, 5), layout="constrained")
    shown = np.where(np.isfinite(matrix), matrix, np.nan)  # of a number with itself: infinite
    image = axes[0].imshow(shown, cmap="viridis")
    places = range(len(matrix))
    names = [name.replace("_", " ").split("/")[0] for name in matrix]
    axes[0].set_xticks(places, names, rotation=90)
    axes[0].set_yticks(places, names)
    axes[0].set_title("Wines: what columns share, nats")
    figure.colorbar(image, ax=axes[0], shrink=0.8)
    draw_intervals(axes[1], visits, "Visits: what columns tell\nabout what is spent, nats")
    draw_intervals(axes[2], lags, "What the weather tells about\nsales so many days later, nats")
    axes[2].legend(frameon=False)
    plt.show()


def draw_intervals(axes: Axes, table: pd.DataFrame, title: str) -> None:
    """Estimates, intervals and truths, a row of the table each."""
    places, value = np.arange(len(table)), table["mutual_info"]
    reach = np.abs(table[["low", "high"]].to_numpy().T - value.to_numpy())
    axes.errorbar(places, value, reach, fmt="o", color="#0072b2", capsize=5, label="estimate")
    axes.plot(places, table["truth"], "_", color="#d55e00", ms=26, mew=3, label="truth")
    axes.set_xticks(places, [str(name) for name in table.index])
    axes.set_title(title)
    axes.margins(x=0.15)
    axes.grid(axis="y", alpha=0.3)


# %%
# What single columns tell
# ------------------------
# The customers are nearly an id, of which a warning comes: once is enough.

rng = np.random.RandomState(SEED)
visits = make_visits(rng)
matrix = ask_wines()
scores = ask_visits(visits)
warnings.filterwarnings("ignore", message=".*seen fewer than five times")

# %%
# Which to keep, and what columns tell together
# ---------------------------------------------

select(visits)
ask_more(visits)
lags = ask_lags(rng)

# %%
# All of it in a picture
# ----------------------

draw_figure(matrix, scores, lags)

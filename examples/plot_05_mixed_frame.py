"""
A mixed frame: dates, text and missing values
=============================================

Flats with an area, rooms, a district, a year, a flag and a date, some of it missing, go into a
Pipeline as they are. ``compare`` then says whether the features are worth it on these flats,
beside raw values and cheap features.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline

from sk_infomax import DeepInfoMaxTransformer
from sk_infomax.evaluation import compare

SEED = 0
N_FLATS = 360
N_LABELS = (5, 10, None)
DISTRICTS = ["harbour", "old town", "university", "west", "woods"]


def make_flats(n: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Flats and whether they are let for more than the median."""
    rng = np.random.RandomState(SEED)
    area = rng.gamma(6, 12, n)
    district, built = rng.randint(len(DISTRICTS), size=n), rng.randint(1890, 2024, n)
    day = rng.randint(0, 3 * 365, n)
    price = (
        np.log(area)
        + 0.3 * np.array([0.9, 1.5, 0.5, 0.0, -0.8])[district]
        + 0.25 * np.cos(2 * np.pi * day / 365.25)  # dearer in winter
        + 0.3 * ((built - 1960) / 40) ** 2  # the old and the new are dear
        + 0.15 * rng.normal(size=n)
    )
    flats = pd.DataFrame(
        {
            "area": area,
            "rooms": np.clip(np.round(area / 24 + 0.5 * rng.normal(size=n)), 1, 8),
            "district": pd.Categorical(np.array(DISTRICTS)[district]),
            "built": built.astype(float),
            "furnished": rng.rand(n) < 0.3,
            "let on": pd.Timestamp("2021-01-01") + pd.to_timedelta(day, unit="D"),
        }
    )
    for column in ("area", "district", "built", "let on"):
        flats.loc[rng.rand(n) < 0.1, column] = None
    return flats, np.where(price > np.median(price), "dear", "cheap")


# %%
# Straight into a Pipeline
# ------------------------

flats, prices = make_flats(N_FLATS)
print(flats.head(4).to_string())
train, test, y_train, y_test = train_test_split(
    flats, prices, test_size=0.3, stratify=prices, random_state=SEED
)
model = make_pipeline(
    DeepInfoMaxTransformer(random_state=SEED), LogisticRegression(C=0.1, max_iter=500)
)
model.fit(train, y_train)
n_numbers = model[0].layout_.n_features
print(f"\n{train.shape[1]} columns became {n_numbers} numbers of each flat.")
print(f"A Pipeline on them: accuracy {model.score(test, y_test):.3f}.")

# %%
# Are the features worth it?
# --------------------------
# ``compare`` sets them beside raw values and cheap features, with the error of the difference.

found = compare(flats, prices, cv=3, n_labels=N_LABELS, random_state=SEED)
print(found)

# %%
# With few labels and with all
# ----------------------------

figure, axes = plt.subplots(figsize=(8, 3.6), layout="constrained")
width = 0.8 / len(found.methods)
for i, method in enumerate(found.methods):
    scores = 100 * found.scores[i]
    places = np.arange(len(found.n_labels)) + (i - (len(found.methods) - 1) / 2) * width
    axes.bar(places, scores.mean(1), width, yerr=scores.std(1, ddof=1), label=method)
labels = ["all labels" if n is None else f"{n} a class" for n in found.n_labels]
axes.set_xticks(range(len(labels)), labels)
axes.set(ylabel="accuracy (%)", ylim=(50, 95), title="Which features win on these flats")
axes.legend(ncols=3, fontsize="small")
plt.show()

"""
Series of unequal length
========================

Each series is the vibration of a machine, sound or with a worn bearing, for 60 to 240 moments; a
worn one knocks now and then. Most runs have no label. Deep InfoMax learns features of all of
them, as a list of arrays; a ridge classifier gets a few labels. Beside it stand the same series
padded with zeros, and summaries of each. A long record is then cut into windows, to see when a
bearing begins to knock.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import RidgeClassifierCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from sk_infomax import DeepInfoMaxTransformer, Windows

SEED = 0
N_RUNS, N_TEST = 100, 100
COUNTS = [3, 5, 10, 20]
N_DRAWS = 5
SHORTEST, LONGEST = 60, 240


def vibrate(n_times: int, worn: bool | np.ndarray, rng: np.random.RandomState) -> np.ndarray:
    """Vibration (n_times,) of a machine; where `worn`, it knocks about every 25 moments."""
    phase = rng.uniform(0, 2 * np.pi) + np.cumsum(rng.normal(0.6, 0.1, n_times))
    series = np.sin(phase) + 0.5 * rng.normal(size=n_times)
    for start in map(int, np.flatnonzero((rng.uniform(size=n_times) < 1 / 25) & worn)):
        knock = 1.6 * np.exp(-np.arange(12) / 4) * np.cos(np.arange(12) * 2)
        end = min(n_times, start + 12)
        series[start:end] += knock[: end - start]
    return rng.lognormal(0, 0.4) * series  # each sensor has a gain of its own


def make_runs(count: int, rng: np.random.RandomState) -> tuple[list[np.ndarray], np.ndarray]:
    """Series of several lengths, and whether each machine is worn."""
    worn = rng.randint(0, 2, count)
    lengths = rng.randint(SHORTEST, LONGEST + 1, count)
    return [vibrate(length, bool(w), rng) for length, w in zip(lengths, worn)], worn


def padded(runs: list[np.ndarray]) -> np.ndarray:
    """With zeros after the end of each."""
    return np.stack([np.r_[run, np.zeros(LONGEST - len(run))] for run in runs])


def summaries(runs: list[np.ndarray]) -> np.ndarray:
    """Mean, spread, extremes and length of each."""
    return np.array([[r.mean(), r.std(), r.min(), r.max(), len(r)] for r in runs])


def few_labels(train: np.ndarray, test: np.ndarray, count: int) -> float:
    """Mean accuracy with so many labels of each class."""
    rng, scores = np.random.RandomState(SEED), []
    for _ in range(N_DRAWS):
        rows = np.concatenate(
            [rng.choice(np.flatnonzero(y_train == c), count, replace=False) for c in (0, 1)]
        )
        scores.append(make_probe().fit(train[rows], y_train[rows]).score(test, y_test))
    return float(np.mean(scores))


def make_probe() -> Pipeline:
    """Ridge on standardised columns."""
    return make_pipeline(StandardScaler(), RidgeClassifierCV(np.logspace(-3, 5, 9)))


# %%
# Learn from a list of arrays
# ---------------------------
# Nothing is padded or stretched.

rng = np.random.RandomState(SEED)
(train, y_train), (test, y_test) = make_runs(N_RUNS, rng), make_runs(N_TEST, rng)
model = DeepInfoMaxTransformer(random_state=SEED).fit(train)

# %%
# Judge with few labels
# ---------------------

columns = {
    "Deep InfoMax": (model.transform(train), model.transform(test)),
    "padded with zeros": (padded(train), padded(test)),
    "summaries": (summaries(train), summaries(test)),
}
curves = {name: [few_labels(*pair, count) for count in COUNTS] for name, pair in columns.items()}
print(f"{'labels of each class':<22}" + "".join(f"{count:>8}" for count in COUNTS))
for name, curve in curves.items():
    print(f"{name:<22}" + "".join(f"{value:>8.3f}" for value in curve))

# %%
# A long record, cut into windows
# -------------------------------
# ``spread`` brings what is said of windows back to the moments that they see.

record = vibrate(2400, np.arange(2400) >= 1300, rng)
windows = Windows(length=120, step=40)
probe = make_probe().fit(columns["Deep InfoMax"][0], y_train)
score = probe.decision_function(model.transform(windows.fit_transform(record)))
moments = windows.spread(score)
before, after = np.nanmean(moments[:1200]), np.nanmean(moments[1400:])
print(f"wear of the long record: {before:.2f} before moment 1,300, {after:.2f} after it")

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.5), layout="constrained")
for (name, curve), style in zip(curves.items(), ["o-", "s--", "D-."]):
    left.plot(COUNTS, curve, style, label=name)
left.set(xlabel="labels of each class", ylabel="accuracy", xscale="log", ylim=(0.45, 1.02))
left.set_xticks(COUNTS, [str(count) for count in COUNTS])
left.minorticks_off()
left.legend(frameon=False)
right.plot(record, color="#b0b4b8", lw=0.5)
right.plot(moments, color="#bd1f01", label="wear, by windows")
right.axvline(1300, color="black", ls=":", label="begins to knock")
right.set(xlabel="moment")
right.legend(frameon=False, loc="upper left")
plt.show()

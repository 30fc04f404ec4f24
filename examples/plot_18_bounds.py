"""
Bounds and their curves
=======================

All bounds are read from the same pairs in nats, so that they can be set side by side: against a
known truth, and epoch by epoch while a network learns.
"""

import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

from sk_infomax import DeepInfoMaxTransformer, MutualInfoEstimator
from sk_infomax.datasets import correlated_normal
from sk_infomax.displays import TrainingDisplay

SEED = 0
N_PAIRS = 2000
TRUTHS = [0.5, 1.5, 3.0, 5.0]
BOUNDS = ["dv", "nwj", "jsd", "infonce", "smile"]

# %%
# Against the truth
# -----------------
# Normal variables in 5 + 5 dimensions, whose information is known. ``base=None`` leaves nothing
# but a critic and its bound. One critic is trained for each truth, with the Jensen-Shannon
# objective; ``bounds_`` has what each bound says of its scores.

warnings.filterwarnings("ignore", message="Two read-outs|The critics know")  # as is to be seen
figure, axes = plt.subplots(figsize=(5.6, 4), layout="constrained")
found = []
for truth in TRUTHS:
    X, Y = correlated_normal(5, truth).sample(N_PAIRS, SEED)
    estimator = MutualInfoEstimator(base=None, cv=2, max_steps=200, random_state=SEED)
    found.append(estimator.fit(X, Y).bounds_)
print("truth    " + "  ".join(f"{name:>8}" for name in BOUNDS))
for truth, bounds in zip(TRUTHS, found):
    print(f"{truth:<9}" + "  ".join(f"{bounds[name]:>8.2f}" for name in BOUNDS))
for name, marker in zip(BOUNDS, "osD^v"):
    axes.plot(TRUTHS, [bounds[name] for bounds in found], f"{marker}-", label=name)
axes.plot(TRUTHS, TRUTHS, "--", color="#717581", label="truth")
axes.set(xlabel="truth (nats)", ylabel="read by the bound (nats)", ylim=(0, 6))
axes.legend()

# %%
# While a network learns
# ----------------------
# The history has the information in nats of each epoch whatever the bound is that is maximised.

images = load_digits().images[:500].astype(np.float32)
figure, places = plt.subplots(1, 3, figsize=(10, 3.2), layout="constrained", sharey=True)
for ax, bound in zip(places, ["infonce", "jsd", "dv"]):
    dim = DeepInfoMaxTransformer(
        16, encoder="strided", bound=bound, views=1, max_epochs=10, random_state=SEED
    )
    TrainingDisplay.from_estimator(dim.fit(images), ax=ax)
    ax.set(title=bound)
    ax.label_outer()
plt.show()

"""
Are they independent?
=====================

A permutation test with a critic sees dependence that no correlation does, and its p-value is
exact whatever the critic is worth: the critic has not seen the pairs it is asked about.
"""

import matplotlib.pyplot as plt
import numpy as np
from scipy.stats import pearsonr

from sk_infomax import MutualInfoEstimator

SEED = 0
N = 500

rng = np.random.RandomState(SEED)
angle, x = rng.uniform(0, 2 * np.pi, N), rng.randn(N)
pairs = {
    "independent": (x, rng.randn(N)),
    "a line": (x, 0.3 * x + rng.randn(N)),
    "a ring": (np.cos(angle) + 0.2 * rng.randn(N), np.sin(angle) + 0.2 * rng.randn(N)),
    "a spread": (x, np.exp(0.7 * x) * rng.randn(N)),
}

# %%
# A test of each
# --------------
# The information in nats with its interval, the p-value, and that of the correlation.

figure, axes = plt.subplots(1, 4, figsize=(10, 2.8), layout="constrained")
for ax, (name, (first, second)) in zip(axes, pairs.items()):
    estimator = MutualInfoEstimator(cv=2, max_steps=150, random_state=SEED).fit(
        first[:, None], second
    )
    low, high = estimator.confidence_interval_
    p_value = estimator.permutation_test(first[:, None], second, n_permutations=199)
    print(
        f"{name:<12} {estimator.mutual_info_:.3f} nats ({low:.3f} to {high:.3f}), p = {p_value:.3f}"
    )
    print(f"{'':<12} p of the correlation: {pearsonr(first, second).pvalue:.3f}")
    ax.scatter(first, second, s=5, color="#3f90da", alpha=0.6)
    ax.set(title=f"{name}\n{estimator.mutual_info_:.2f} nats, p = {p_value:.3f}")
    ax.set(xticks=[], yticks=[])
plt.show()

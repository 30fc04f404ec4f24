"""
Which columns tell: selection and false discoveries
===================================================

Of 24 columns four tell about a class, each in a way of its own; the others are noise, and one is
an id. Asked for eight columns, every selector fills up with noise. Asked for a false discovery
rate, it keeps those that tell.
"""

import warnings

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.feature_selection import SelectKBest, mutual_info_classif

from sk_infomax import MutualInfoSelector
from sk_infomax.displays import InformationDisplay

SEED = 0
N = 400

rng = np.random.RandomState(SEED)
y = np.where(rng.rand(N) < 0.5, "ill", "well")
ill = y == "ill"
frame = pd.DataFrame({f"noise {i}": rng.randn(N) for i in range(19)})
frame["mean"] = rng.randn(N) + 0.9 * ill
frame["spread"] = rng.randn(N) * np.where(ill, 2.0, 1.0)  # no difference of means sees it
frame["ward"] = np.where(rng.rand(N) < 0.4, np.where(ill, "A", "B"), rng.choice(list("CDE"), N))
frame["two modes"] = np.where(ill, np.sign(rng.randn(N)) * 1.5, 0) + rng.randn(N)
frame["patient"] = [f"P-{number:03d}" for number in rng.permutation(N) // 2]

# %%
# A false discovery rate
# ----------------------
# Of what is kept, about one in twenty is there by chance. P-values come from permutations. The id
# is kept out, with a warning that names it; once is enough.

selector = MutualInfoSelector("all", fdr=0.05, random_state=SEED).fit(frame, y)
warnings.filterwarnings("ignore", message=".*seen fewer than five times")
print("kept:", ", ".join(selector.get_feature_names_out()))

# %%
# The eight best by scikit-learn
# ------------------------------
# It takes numbers, so text becomes codes first; half of the eight are noise.

codes = frame.apply(lambda column: pd.factorize(column)[0] if column.dtype != float else column)
best = SelectKBest(lambda X, y: mutual_info_classif(X, y, random_state=SEED), k=8).fit(codes, y)
print("scikit-learn's eight:", ", ".join(frame.columns[best.get_support()]))

# %%
# All columns with their intervals
# --------------------------------

InformationDisplay.from_columns(frame, y)
plt.show()

"""
After how long? Lags between series
===================================

Sales follow the weather after three days, and both remember their past. Information at each lag
says when; what the past of sales says already is taken away by ``given`` (transfer entropy).
Intervals are those of blocks, since days that follow each other are no independent pairs.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from scipy.signal import lfilter

from sk_infomax import lagged_mutual_info

SEED = 0
N_DAYS, LAG = 800, 3
LAGS = range(7)

rng = np.random.RandomState(SEED)
weather = lfilter([1], [1, -0.5], rng.randn(N_DAYS))
# Sales rise on days of any extreme weather, hot or cold: no correlation sees it.
shock = np.abs(np.roll(weather, LAG)) + 0.4 * rng.randn(N_DAYS)
sales = lfilter([1], [1, -0.5], shock - shock.mean())
days = pd.date_range("2024-01-01", periods=N_DAYS)
series = pd.DataFrame({"weather": weather, "sales": sales}, index=days)

# %%
# Each lag by itself, and beyond yesterday's sales
# ------------------------------------------------

short = {"cv": 2, "max_steps": 60, "random_state": SEED}
plain = lagged_mutual_info(series["weather"], series["sales"], LAGS, **short)
yesterday = series["sales"].shift(1).bfill()
beyond = lagged_mutual_info(series["weather"], series["sales"], LAGS, yesterday, **short)
print(plain.round(3).to_string(index=False))

# %%
# The lag stands out
# ------------------

figure, axes = plt.subplots(figsize=(6, 3.8), layout="constrained")
for table, name, colour, step in [
    (plain, "weather and sales", "#3f90da", -0.08),
    (beyond, "beyond yesterday's sales", "#bd1f01", 0.08),
]:
    value = table["mutual_info"]
    reach = np.abs(table[["low", "high"]].to_numpy().T - value.to_numpy())
    axes.errorbar(table["lag"] + step, value, reach, fmt="o", color=colour, capsize=4, label=name)
correlations = [np.corrcoef(weather[: N_DAYS - lag], sales[lag:])[0, 1] for lag in LAGS]
axes.plot(LAGS, np.abs(correlations), "--", color="#717581", label="correlation, its size")
axes.set(xlabel="days later", ylabel="nats")
axes.legend()
plt.show()

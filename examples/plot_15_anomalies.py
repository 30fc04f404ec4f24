"""
Anomalies: what does not belong
===============================

A detector is fitted on features of sound series, heartbeats say, and judged on others, of which
some skip a beat. Raw values, in which a beat may lie anywhere, tell such a detector little.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.decomposition import PCA
from sklearn.metrics import RocCurveDisplay, roc_auc_score
from sklearn.neighbors import LocalOutlierFactor
from sklearn.pipeline import make_pipeline

from sk_infomax import DeepInfoMaxTransformer

SEED = 0
N_TIMES, PERIOD = 120, 20
rng = np.random.RandomState(SEED)


def heart(skips: bool) -> np.ndarray:
    """A series (120,) of beats from any phase on, one of which may be missing."""
    series, start = 0.25 * rng.randn(N_TIMES), rng.randint(PERIOD)
    beats = np.arange(start, N_TIMES, PERIOD) + rng.randint(-1, 2)
    if skips:
        beats = np.delete(beats, rng.randint(1, len(beats) - 1))
    for beat in beats:
        series += np.exp(-0.5 * ((np.arange(N_TIMES) - beat) / 1.5) ** 2)
    return series.astype(np.float32)


sound = np.stack([heart(False) for _ in range(300)])
odd = rng.rand(300) < 0.15
unseen = np.stack([heart(skips) for skips in odd])

# %%
# One detector on two kinds of features
# -------------------------------------

detectors = {
    "raw values": make_pipeline(PCA(16), LocalOutlierFactor(novelty=True)),
    "Deep InfoMax": make_pipeline(
        DeepInfoMaxTransformer(encoder="series", output="hidden", random_state=SEED),
        PCA(16),
        LocalOutlierFactor(novelty=True),
    ),
}
oddness = {}
for name, detector in detectors.items():
    oddness[name] = -detector.fit(sound).score_samples(unseen)
    print(f"{name:<14} area under the curve {roc_auc_score(odd, oddness[name]):.3f}")

# %%
# How well they tell, and the three that belong least
# ---------------------------------------------------

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
for name, scores in oddness.items():
    RocCurveDisplay.from_predictions(odd, scores, name=name, ax=left)
for row, i in enumerate(np.argsort(-oddness["Deep InfoMax"])[:3]):
    right.plot(unseen[i] + 2.5 * row, color="#bd1f01" if odd[i] else "#717581")
    right.text(0, 2.5 * row + 1.3, "skips a beat" if odd[i] else "sound")
right.set(yticks=[], xlabel="moment", title="Least like the others")
plt.show()

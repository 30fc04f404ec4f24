"""
Clusters that no label has named
================================

The embedding alone, 256 columns or fewer, is made for distances: k-means finds the digits in it,
better than in raw pixels.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

from sk_infomax import DeepInfoMaxTransformer
from sk_infomax.displays import EmbeddingDisplay

SEED = 0

digits = load_digits()
images, labels = digits.images[:1000].astype(np.float32), digits.target[:1000]
dim = DeepInfoMaxTransformer(output="embedding", max_epochs=3, random_state=SEED)
spaces = {"raw pixels": images.reshape(len(images), -1), "Deep InfoMax": dim.fit_transform(images)}

# %%
# K-means in both
# ---------------

clusters = {}
for name, features in spaces.items():
    clusters[name] = KMeans(10, n_init=5, random_state=SEED).fit_predict(features)
    shared = normalized_mutual_info_score(labels, clusters[name])
    rand = adjusted_rand_score(labels, clusters[name])
    print(f"{name:<14} normalised mutual information {shared:.3f}, adjusted Rand index {rand:.3f}")

# %%
# The clusters on a map
# ---------------------
# Two principal components of the embedding, coloured by cluster and by digit.

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.4), layout="constrained")
EmbeddingDisplay.from_features(
    spaces["Deep InfoMax"], clusters["Deep InfoMax"].astype(str), ax=left
)
EmbeddingDisplay.from_features(spaces["Deep InfoMax"], labels.astype(str), ax=right)
left.set(title="clusters")
right.set(title="digits")
plt.show()

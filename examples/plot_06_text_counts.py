"""
Sparse counts of words, and few labels
======================================

Texts are drawn from a topic model: each of six subjects likes some of 24 topics, a topic some of
2,500 words, and half of the words of a text are anyone's. The counts stay sparse all the way.
Latent semantic analysis (TF-IDF and a truncated singular value decomposition) is what one would
take otherwise.
"""

import matplotlib.pyplot as plt
import numpy as np
from scipy import sparse
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.pipeline import make_pipeline

from sk_infomax import DeepInfoMaxTransformer
from sk_infomax.displays import LabelEfficiencyDisplay
from sk_infomax.evaluation import compare

SEED = 0
N_TEXTS, N_WORDS, N_TOPICS, N_SUBJECTS = 800, 2500, 24, 6
N_LABELS = (3, 5, 10, None)


def make_texts() -> tuple[sparse.csr_array, np.ndarray]:
    """Counts (n, words) and the subject of each text."""
    rng = np.random.RandomState(SEED)
    common = 1 / np.arange(1, N_WORDS + 1)  # Zipf's law
    common /= common.sum()
    topics = rng.dirichlet(common * N_WORDS * 0.02 + 1e-4, N_TOPICS)
    liked = rng.dirichlet(np.full(N_TOPICS, 0.15), N_SUBJECTS)
    subjects = rng.randint(N_SUBJECTS, size=N_TEXTS)
    lengths = rng.lognormal(4.0, 0.6, N_TEXTS).astype(int) + 5
    rows = []
    for subject, length in zip(subjects, lengths):
        words = rng.dirichlet(4 * liked[subject] + 0.02) @ topics
        rows.append(sparse.csr_array(rng.multinomial(length, (common + words) / 2)[None]))
    return sparse.vstack(rows, format="csr"), subjects


# %%
# Counts stay sparse
# ------------------

counts, subjects = make_texts()
share = counts.nnz / np.prod(counts.shape)
print(f"{counts.shape[0]} texts, {counts.shape[1]} words, {share:.1%} of the counts above 0.")

# %%
# Beside latent semantic analysis
# -------------------------------

analysis = make_pipeline(TfidfTransformer(sublinear_tf=True), TruncatedSVD(100, random_state=SEED))
found = compare(
    counts,
    subjects,
    transformer=DeepInfoMaxTransformer(random_state=SEED),
    methods={"TF-IDF": TfidfTransformer(sublinear_tf=True), "TF-IDF + SVD": analysis},
    rivals=False,
    cv=2,
    n_labels=N_LABELS,
    random_state=SEED,
)
print(found)

# %%
# Accuracy against labels
# -----------------------

LabelEfficiencyDisplay.from_comparison(found)
plt.show()

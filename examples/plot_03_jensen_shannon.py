"""
Jensen-Shannon divergence and mutual information
================================================

Deep InfoMax with ``bound="jsd"`` maximises the Jensen-Shannon divergence between pairs that
belong together and pairs that do not, in the place of the mutual information, which is the
Kullback-Leibler divergence between the two. Over random joint distributions of two variables of
eight values both are known exactly, and one rises with the other. A critic that is trained on
drawn pairs reads either: the divergence is ``JensenShannon().divergence``, the information
``JensenShannon().nats``.
"""

import math

import matplotlib.pyplot as plt
import numpy as np
import torch
from scipy.stats import spearmanr

from sk_infomax.bounds import JensenShannon

SEED = 0
SIZE = 8  # values of each variable
N_TABLES = 2000  # whose divergences are known exactly
N_TRAINED = 20  # of which a critic is trained
N_PAIRS = 4000  # that are drawn of a table, half to train on and half to read
N_OTHERS = 8  # partners at random of each pair
STEPS, RATE = 120, 0.1  # of Adam for a critic; scores of several nats are reached


def random_table(rng: np.random.RandomState) -> np.ndarray:
    """A joint distribution (8, 8): from nearly independent to nearly one value for each."""
    sharpness = np.exp(rng.uniform(math.log(0.1), math.log(20.0)))
    logits = sharpness * rng.normal(size=(SIZE, SIZE))
    table = np.exp(logits - logits.max(1, keepdims=True))
    table *= rng.dirichlet(np.full(SIZE, 5.0))[:, None] / table.sum(1, keepdims=True)
    return np.asarray(table)


def divergences(table: np.ndarray) -> tuple[float, float]:
    """Mutual information and Jensen-Shannon divergence in nats, by their definitions."""
    product = table.sum(1, keepdims=True) * table.sum(0, keepdims=True)
    middle = (table + product) / 2

    def kl(p: np.ndarray, q: np.ndarray) -> float:
        there = p > 0
        return float((p[there] * np.log(p[there] / q[there])).sum())

    return kl(table, product), (kl(table, middle) + kl(product, middle)) / 2


def draw(table: np.ndarray, rng: np.random.RandomState) -> tuple[torch.Tensor, torch.Tensor]:
    """Cells of drawn pairs (n, 1), and of each first value with others at random (n, 8, 1)."""
    x, y = np.divmod(rng.choice(table.size, N_PAIRS // 2, p=table.ravel()), SIZE)
    others = y[rng.randint(len(y), size=(len(y), N_OTHERS))]
    cells = (x * SIZE + y)[:, None], (x[:, None] * SIZE + others)[..., None]
    return torch.from_numpy(cells[0]), torch.from_numpy(cells[1])


def read(table: np.ndarray, rng: np.random.RandomState) -> tuple[float, float]:
    """Information and divergence in nats, read from pairs by a critic trained on other pairs."""
    bound = JensenShannon()
    critic = torch.zeros(SIZE * SIZE, requires_grad=True)  # a score for each cell
    optimizer = torch.optim.Adam([critic], lr=RATE)
    joint, marginal = draw(table, rng)
    for _ in range(STEPS):
        optimizer.zero_grad()
        (-bound.objective(critic[joint], critic[marginal])).backward()
        optimizer.step()
    scores = [critic.detach()[cells] for cells in draw(table, rng)]
    return bound.nats(*scores).item(), bound.divergence(*scores).item()


def draw_figure(exact: np.ndarray, known: np.ndarray, found: np.ndarray) -> None:
    """The two against each other, exactly and as they are read."""
    _, (left, right) = plt.subplots(1, 2, figsize=(10, 4.2), layout="constrained")
    left.scatter(*exact.T, s=4, alpha=0.35, color="#3b7dd8", lw=0, label="random tables, exactly")
    left.scatter(*found.T, s=26, color="#c8102e", label="read from pairs by a critic")
    left.axhline(math.log(2), color="#9aa0a6", ls="--", lw=1)
    left.text(0.05, math.log(2) + 0.012, "log 2", color="#5f6368")
    left.set(
        xlabel="mutual information (nats)",
        ylabel="Jensen-Shannon divergence (nats)",
        title="Random joint distributions of 8 x 8 values",
        ylim=(-0.02, 0.75),
    )
    left.legend(loc="lower right", markerscale=2)
    for column, (name, colour) in enumerate({"information": "#e8a200", "JSD": "#c8102e"}.items()):
        right.scatter(known[:, column], found[:, column], s=26, color=colour, label=name)
    limits = [-0.05, 1.05 * known.max()]
    right.plot(limits, limits, color="#9aa0a6", lw=1, zorder=0)
    right.set(xlabel="exact (nats)", ylabel="read from pairs (nats)", title="What a critic reads")
    right.legend(loc="upper left")
    for axes in (left, right):
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    plt.show()


# %%
# Exactly, and as a critic reads it
# ---------------------------------

rng = np.random.RandomState(SEED)
tables = [random_table(rng) for _ in range(N_TABLES)]
exact = np.array([divergences(table) for table in tables])
order = np.argsort(exact[:, 0])[np.linspace(0, N_TABLES - 1, N_TRAINED).astype(int)]
known, found = exact[order], np.array([read(tables[index], rng) for index in order])
rank = spearmanr(*exact.T).statistic
errors = np.abs(found - known).mean(0)
print(f"Rank correlation of divergence and information over {N_TABLES} tables: {rank:.3f}")
print(f"Mean error of a critic: information {errors[0]:.3f}, divergence {errors[1]:.3f} nats")
draw_figure(exact, known, found)

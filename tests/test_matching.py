"""Whether embeddings come to follow the prior, measured on samples that training did not see."""

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist

from sk_infomax import DeepInfoMaxTransformer, TableEncoder
from sk_infomax.information._total_correlation import gaussian_total_correlation
from sk_infomax.priors import PRIORS, MMDPrior, NormalPrior, UniformPrior

DISTRIBUTIONS = ["uniform", "normal", "sphere", "ball"]


def table(n, seed):
    """Ten saturated mixtures (n, 10) of three skewed sources, with noise."""
    rng = np.random.RandomState(seed)
    mixing = np.random.RandomState(0).normal(size=(3, 10))
    values = np.tanh(rng.exponential(size=(n, 3)) @ mixing) + 0.1 * rng.normal(size=(n, 10))
    return values.astype(np.float32)


TRAIN, HELD_OUT = table(256, 1), table(1000, 2)


def energy_distance(first, second):
    within = cdist(first, first).mean() + cdist(second, second).mean()
    return 2 * cdist(first, second).mean() - within


def embed(prior, weight, epochs, seed=0):
    """Embedding (n, 4) of the held-out table by a small network."""
    return (
        DeepInfoMaxTransformer(
            4,
            encoder=TableEncoder(4, 16, 32),
            prior=prior if weight else None,
            prior_weight=weight,
            batch_size=64,
            max_epochs=epochs,
            device="cpu",
            random_state=seed,
        )
        .fit(TRAIN)
        .transform(HELD_OUT)
        .astype(float)
    )


def misfits(prior, weights, epochs, seed=0):
    """Energy distance to the prior, and dependence among the components, at each weight."""
    rng, distances, dependences = np.random.RandomState(9), [], []
    for weight in weights:
        Z = embed(prior, weight, epochs, seed)
        if isinstance(prior, UniformPrior) or getattr(prior, "distribution", "") == "uniform":
            distances.append(energy_distance(1 / (1 + np.exp(-Z)), rng.uniform(size=Z.shape)))
        else:
            distances.append(energy_distance(Z, rng.normal(size=Z.shape)))
        dependences.append(gaussian_total_correlation(Z))
    return distances, dependences


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("prior", "last"),
    [(UniformPrior(hidden=(256, 64)), 0.5), (NormalPrior(hidden=(256, 64)), 0.75)],
)
def test_adversary_brings_the_embedding_to_the_prior(prior, last):
    """Batch normalisation has met the normal one's mean and spread without it: less is left."""
    distance, dependence = misfits(prior, (0, 0.1, 0.3), epochs=75)
    assert distance[1] < 0.8 * distance[0]
    assert distance[2] < last * distance[0]
    assert dependence[1] < 0.7 * dependence[0]
    assert dependence[2] < 0.6 * dependence[0]


@pytest.mark.parametrize(
    "distribution", [pytest.param("uniform", marks=pytest.mark.nightly), "normal"]
)
def test_discrepancy_brings_the_embedding_to_the_prior(distribution):
    distance, dependence = misfits(MMDPrior(distribution), (0, 0.02, 1), epochs=30)
    assert distance[1] < 0.95 * distance[0]
    assert distance[2] < 0.85 * distance[1]
    assert dependence[1] < dependence[0]
    assert dependence[2] < 0.4 * dependence[0]


# The discrepancy itself -----------------------------------------------------------------------


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
def test_discrepancy_is_the_loops(distribution):
    vectors = torch.randn(12, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    prior = PRIORS[distribution]()
    ours = prior.squash(vectors)
    drawn = prior.sample(ours, torch.Generator().manual_seed(5))

    def mean_distance(first, second):
        return np.mean([(a - b).square().sum().sqrt().item() for a in first for b in second])

    among = mean_distance(drawn, drawn)
    energy = 2 * mean_distance(ours, drawn) - mean_distance(ours, ours) - among
    match = MMDPrior(distribution).build(3)
    value = match.objectives(vectors, torch.Generator().manual_seed(5))["prior"]
    assert value.item() == pytest.approx(-energy / (among * 12 / 11) * 6)
    assert not list(match.parameters())


@pytest.mark.parametrize("n", [16, 128])
def test_discrepancy_of_draws_is_one_whatever_their_number(n):
    match, generator = MMDPrior("normal").build(8), torch.Generator().manual_seed(0)
    draws = (torch.randn(n, 8, generator=generator) for _ in range(100))
    values = [match.statistic(drawn, generator).item() for drawn in draws]
    assert np.mean(values) == pytest.approx(1.0, abs=0.05)
    far = 3 + torch.randn(n, 8, generator=generator)
    assert match.statistic(far, generator) > 2 + 0.1 * n


def test_equal_embeddings_get_finite_gradients():
    vectors = torch.zeros(6, 4, requires_grad=True)
    MMDPrior("uniform").build(4).statistic(vectors, torch.Generator().manual_seed(0)).backward()
    assert torch.isfinite(vectors.grad).all()
    assert vectors.grad.abs().sum() > 0

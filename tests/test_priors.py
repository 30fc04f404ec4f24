"""Priors over the registry: the two sides of the adversary and whom their gradients reach."""

import numpy as np
import pytest
import torch
from scipy.stats import kstest

from sk_infomax.priors import PRIORS, NormalPrior, Prior, UniformPrior

MEMBERS = [pytest.param(cls(hidden=(16, 8)), id=name) for name, cls in PRIORS.items()]


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def log_sigmoid(logits):
    return -np.log1p(np.exp(-logits))


@pytest.mark.parametrize("prior", MEMBERS)
def test_samples_follow_the_distribution(prior):
    drawn = prior.sample(torch.zeros(4000, 2), generator()).numpy().ravel()
    assert kstest(drawn, "uniform" if isinstance(prior, UniformPrior) else "norm").pvalue > 0.01


@pytest.mark.parametrize("prior", MEMBERS)
def test_values_equal_the_formulas(prior):
    match = prior.build(3).double()
    vectors = torch.randn(10, 3, dtype=torch.float64, generator=generator(1))
    fake = prior.squash(vectors)
    real = prior.sample(fake, generator(5))
    logits = [match.discriminator(part).detach().numpy() for part in (real, fake)]
    expected = log_sigmoid(logits[0]).mean() + log_sigmoid(-logits[1]).mean()
    assert match.discriminator_objective(vectors, generator(5)).item() == pytest.approx(expected)
    assert match.encoder_objective(vectors).item() == pytest.approx(log_sigmoid(logits[1]).mean())


@pytest.mark.parametrize("prior", MEMBERS)
def test_each_side_has_its_own_gradient(prior):
    match = prior.build(3)
    vectors = torch.randn(10, 3, generator=generator(1), requires_grad=True)
    match.encoder_objective(vectors).backward()
    assert vectors.grad.abs().sum() > 0
    assert all(p.grad is None for p in match.discriminator.parameters())
    vectors.grad = None
    match.discriminator_objective(vectors, generator()).backward()
    assert vectors.grad is None
    assert all(p.grad is not None for p in match.discriminator.parameters())


def test_widths_of_the_paper():
    layers = [m for m in UniformPrior().build(64).discriminator if isinstance(m, torch.nn.Linear)]
    assert [m.in_features for m in layers] == [64, 1000, 200]
    assert layers[-1].out_features == 1


@pytest.mark.parametrize("method", ["squash", "sample"])
def test_a_prior_without_a_distribution_says_so(method):
    with pytest.raises(TypeError, match=f"must define {method}"):
        getattr(Prior(), method)(*(torch.zeros(2, 2), generator())[: 1 + (method == "sample")])


def test_normal_prior_takes_the_embedding_as_it_is():
    vectors = torch.randn(4, 2, generator=generator())
    assert torch.equal(NormalPrior().squash(vectors), vectors)
    assert torch.equal(UniformPrior().squash(vectors), vectors.sigmoid())

"""Priors over the registry: the two sides of the adversary and whom their gradients reach."""

import numpy as np
import pytest
import torch
from scipy.stats import kstest

from sk_infomax import MutualInfoEstimator
from sk_infomax.priors import (
    DISTRIBUTIONS,
    PRIORS,
    AdversarialPrior,
    Distribution,
    MMDPrior,
    NoisePrior,
    NormalPrior,
    Prior,
    SpherePrior,
    UniformPrior,
)

MEMBERS = [
    pytest.param(cls(hidden=(16, 8)), id=name)
    for name, cls in PRIORS.items()
    if issubclass(cls, AdversarialPrior)
]


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def log_sigmoid(logits):
    return -np.log1p(np.exp(-logits))


@pytest.mark.parametrize("name", ["uniform", "normal", "sphere", "ball"])
def test_samples_follow_the_distribution(name):
    drawn = DISTRIBUTIONS[name].sample(torch.zeros(4000, 2), generator()).numpy()
    adversarial = PRIORS[name]().sample(torch.zeros(4000, 2), generator()).numpy()
    np.testing.assert_array_equal(drawn, adversarial)
    radius, angle = np.linalg.norm(drawn, axis=1), np.arctan2(drawn[:, 1], drawn[:, 0])
    if name in ("uniform", "normal"):
        values, law = drawn.ravel(), "uniform" if name == "uniform" else "norm"
        assert kstest(values, law).pvalue > 0.01
    else:
        assert kstest(angle / (2 * np.pi) + 0.5, "uniform").pvalue > 0.01
    if name == "ball":
        assert kstest(radius**2, "uniform").pvalue > 0.01
    if name == "sphere":
        np.testing.assert_allclose(radius, 1.0, rtol=1e-6)


@pytest.mark.parametrize("prior", MEMBERS)
def test_squashed_embeddings_lie_where_the_prior_does(prior):
    vectors = 30 * torch.randn(200, 3, generator=generator(1))
    squashed = prior.squash(vectors)
    length = squashed.norm(dim=1)
    if isinstance(prior, UniformPrior):
        assert (squashed >= 0).all()
        assert (squashed <= 1).all()
    elif isinstance(prior, SpherePrior):
        torch.testing.assert_close(length, torch.ones(200))
    elif not isinstance(prior, NormalPrior):
        assert (length <= 1 + 1e-6).all()
        assert torch.isfinite(prior.squash(torch.zeros(2, 3))).all()


@pytest.mark.parametrize("prior", MEMBERS)
def test_values_equal_the_formulas(prior):
    match = prior.build(3).double()
    vectors = torch.randn(10, 3, dtype=torch.float64, generator=generator(1))
    fake = prior.squash(vectors)
    real = prior.sample(fake, generator(5))
    logits = [match.discriminator(part).detach().numpy() for part in (real, fake)]
    expected = log_sigmoid(logits[0]).mean() + log_sigmoid(-logits[1]).mean()
    with torch.no_grad():  # where nothing is learned, nothing is penalised
        value = match.discriminator_objective(vectors, generator(5)).item()
    assert value == pytest.approx(expected)
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
    with pytest.raises(TypeError, match=rf"must define distribution or {method}\("):
        getattr(AdversarialPrior(), method)(
            *(torch.zeros(2, 2), generator())[: 1 + (method == "sample")]
        )


def test_normal_prior_takes_the_embedding_as_it_is():
    vectors = torch.randn(4, 2, generator=generator())
    assert torch.equal(NormalPrior().squash(vectors), vectors)
    assert torch.equal(UniformPrior().squash(vectors), vectors.sigmoid())


def test_a_prior_that_builds_nothing_says_so():
    with pytest.raises(TypeError, match="must define build"):
        Prior().build(3)


@pytest.mark.parametrize("prior", MEMBERS)
def test_gradient_penalty_reads_the_whole_batch(prior):
    """The mean squared norm of the gradient, by a loop over all draws and embeddings."""
    prior = type(prior)(hidden=(8,), gradient_penalty=3.0)
    match = prior.build(3).double()
    vectors = torch.randn(6, 3, dtype=torch.float64, generator=generator(1))
    fake = prior.squash(vectors)
    real = prior.sample(fake, generator(5))
    norms = []
    for row in torch.cat([real, fake]):
        row = row.clone().requires_grad_()
        (slope,) = torch.autograd.grad(match.discriminator(row[None]).sum(), row)
        norms.append(slope.square().sum().item())
    with torch.no_grad():
        plain = match.discriminator_objective(vectors, generator(5)).item()
    value = match.discriminator_objective(vectors, generator(5))
    assert value.item() == pytest.approx(plain - 3.0 * np.mean(norms))
    value.backward()
    assert all(p.grad is not None for p in match.discriminator.parameters() if p.dim() == 2)


def test_gradient_penalty_is_that_of_the_papers_code():
    """Its number, and its arithmetic: half the sum of a penalty on draws and one on embeddings."""
    prior = UniformPrior(hidden=(8,), gradient_penalty=1.0)
    match = prior.build(3).double()
    vectors = torch.randn(6, 3, dtype=torch.float64, generator=generator(1))
    fake = prior.squash(vectors)
    halves = []
    for part in (prior.sample(fake, generator(5)), fake):
        part = part.clone().requires_grad_()
        (slopes,) = torch.autograd.grad(match.discriminator(part).sum(), part)
        halves.append((slopes**2).sum(1).mean().item())
    with torch.no_grad():
        plain = match.discriminator_objective(vectors, generator(5)).item()
    value = match.discriminator_objective(vectors, generator(5)).item()
    assert value == pytest.approx(plain - 0.5 * sum(halves))


# Without an adversary -------------------------------------------------------------------------


@pytest.mark.parametrize("distribution", ["normal", "uniform", "sphere"])
def test_channel_limits_and_adds_noise(distribution):
    channel = NoisePrior(distribution, noise=0.05).build(4)
    vectors = 3 + 10 * torch.randn(500, 4, generator=generator(1))
    carried, again = (channel.carry(vectors, generator(seed)) for seed in (0, 1))
    noise = (carried - again) / 2**0.5
    expected = 0.05 * (3**-0.5 if distribution == "uniform" else 1.0)
    assert noise.std().item() == pytest.approx(expected, rel=0.1)
    if distribution == "uniform":
        assert carried.min() >= -0.05
        assert carried.max() <= 1.05
    else:
        assert carried.square().sum(1).mean().item() == pytest.approx(4.0, rel=0.05)
    assert channel.objectives(vectors, generator()) == {}


def test_capacity_is_reached_by_the_distribution_that_is_matched():
    """Standard normal numbers through the channel carry just its capacity."""
    prior = NoisePrior("normal", noise=0.5)
    vectors = torch.randn(3000, 2, generator=generator(1))
    carried = prior.build(2).carry(vectors, generator())
    estimate = MutualInfoEstimator(cv=2, max_steps=50, random_state=0)
    nats = estimate.fit(vectors.numpy(), carried.numpy()).mutual_info_
    assert nats == pytest.approx(prior.capacity(2), rel=0.05)
    assert NoisePrior("uniform", noise=0.5).capacity(3) == pytest.approx(3 * np.log(2))


# Distributions times ways of matching ---------------------------------------------------------


class Exponential(Distribution):
    """A distribution of a user's, which noise can't match."""

    def squash(self, vectors):
        return vectors.exp()

    def sample(self, like, generator):
        return torch.empty_like(like).exponential_(generator=generator)


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_every_distribution_has_an_adversary_of_its_name(name):
    assert PRIORS[name].distribution == name


@pytest.mark.parametrize("name", [*DISTRIBUTIONS, "exponential"])
def test_every_way_takes_every_distribution_that_it_can(name, monkeypatch):
    monkeypatch.setitem(DISTRIBUTIONS, "exponential", Exponential())

    class OwnPrior(AdversarialPrior):
        distribution = name

    vectors = torch.randn(6, 3, generator=generator(1), requires_grad=True)
    for prior in (OwnPrior(hidden=(4,)), MMDPrior(name)):
        (value,) = (
            v for k, v in prior.build(3).objectives(vectors, generator()).items() if k == "prior"
        )
        (slope,) = torch.autograd.grad(value, vectors)
        assert torch.isfinite(slope).all()
    if DISTRIBUTIONS[name].limit(3) is None:
        for use in (NoisePrior(name).build, NoisePrior(name).capacity):
            with pytest.raises(
                ValueError, match=r"Use one of 'uniform', 'normal', 'sphere', or MMD"
            ):
                use(3)
    else:
        assert NoisePrior(name).build(3).carry(vectors, generator()).shape == (6, 3)


def test_ball_is_what_noise_cannot_match():
    assert [name for name, d in DISTRIBUTIONS.items() if d.limit(2) is None] == ["ball"]


@pytest.mark.parametrize("prior", [MMDPrior("bal"), NoisePrior("bal")])
def test_unknown_distributions_are_refused(prior):
    with pytest.raises(ValueError, match="distribution='bal' is unknown: did you mean 'ball'"):
        prior.build(3)


@pytest.mark.parametrize("name", PRIORS)
def test_an_adversary_is_named_where_there_is_one(name):
    match = PRIORS[name]().build(3)
    values = match.objectives(torch.randn(6, 3, generator=generator(1)), generator())
    assert (match.adversary in values) == (match.adversary is not None)
    assert (match.adversary is not None) == bool(list(match.parameters()))

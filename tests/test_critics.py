"""Critics over the registry: shapes, the order of pairs, loop-written references."""

import numpy as np
import pytest
import torch

from sk_infomax.critics import CRITICS, BilinearCritic, ConcatCritic, Critic, DotCritic, PairNetwork

MEMBERS = [pytest.param(cls(), id=name) for name, cls in CRITICS.items()]


def made(critic, d=6, c=5):
    torch.manual_seed(0)
    return critic.build(d, c).double().eval()


def arrays(n, k, m, d=6, c=5):
    rng = np.random.RandomState(0)
    return tuple(torch.from_numpy(rng.normal(size=size)) for size in ((n, k, d), (n, m, c)))


@pytest.mark.parametrize("critic", MEMBERS)
@pytest.mark.parametrize(("n", "k", "m"), [(4, 1, 1), (3, 1, 5), (4, 2, 3)])
def test_scores_are_those_of_each_pair_alone(critic, n, k, m):
    module = made(critic)
    global_vector, local_map = arrays(n, k, m)
    scores = module(global_vector, local_map)
    assert scores.shape == (n, n, m * k)
    for i in range(n):
        for j in range(n):
            for loc in range(m):
                for g in range(k):
                    alone = module(global_vector[i : i + 1, g], local_map[j : j + 1, loc : loc + 1])
                    assert scores[i, j, loc * k + g].item() == pytest.approx(alone.item(), abs=1e-9)


@pytest.mark.parametrize("critic", MEMBERS)
def test_both_sides_learn(critic):
    module = made(critic).train()
    global_vector, local_map = arrays(4, 1, 3)
    global_vector.requires_grad_()
    local_map.requires_grad_()
    module(global_vector, local_map).pow(2).sum().backward()
    assert global_vector.grad.abs().sum() > 0
    assert local_map.grad.abs().sum() > 0
    assert all(p.grad is not None for p in module.parameters())


@pytest.mark.parametrize("critic", MEMBERS)
def test_lined_up_pairs_score_as_in_the_table(critic):
    module = made(critic)
    global_vector, local_map = arrays(6, 1, 1)
    scores = module(global_vector[:, 0], local_map)[..., 0]
    left, right = module.sides(global_vector, local_map)
    for shift in range(6):
        lined_up = module.combine(left[:, 0], right[:, 0].roll(-shift, 0))
        expected = [scores[i, (i + shift) % 6].item() for i in range(6)]
        np.testing.assert_allclose(lined_up.tolist(), expected, atol=1e-9)


@pytest.mark.parametrize("method", ["sides", "combine"])
def test_a_network_without_its_steps_says_so(method):
    with pytest.raises(TypeError, match=f"must define {method}"):
        getattr(PairNetwork(), method)(torch.zeros(2, 1, 1), torch.zeros(2, 1, 1))


def test_dot_is_the_cosine_over_the_temperature():
    module = made(DotCritic(units=8, temperature=0.5))
    global_vector, local_map = arrays(3, 1, 2)
    left, right = module.global_net(global_vector), module.local_net(local_map)
    scores = module(global_vector, local_map)
    for i in range(3):
        for j in range(3):
            for loc in range(2):
                a, b = left[i, 0], right[j, loc]
                cosine = (a @ b) / (a.norm() * b.norm())
                assert scores[i, j, loc].item() == pytest.approx(cosine.item() / 0.5, abs=1e-9)
    assert scores.abs().max() <= 1 / 0.5


def test_dot_without_normalisation_is_the_scaled_product():
    module = made(DotCritic(units=8, normalize=False, temperature=1.0))
    global_vector, local_map = arrays(2, 1, 1)
    left, right = module.global_net(global_vector), module.local_net(local_map)
    expected = (left[0, 0] @ right[1, 0]).item() / 8**0.5
    assert module(global_vector, local_map)[0, 1, 0].item() == pytest.approx(expected, abs=1e-9)


def test_bilinear_is_the_form():
    module = made(BilinearCritic(temperature=2.0))
    global_vector, local_map = arrays(3, 1, 2)
    form = module.form.weight
    expected = (global_vector[1, 0] @ form @ local_map[2, 1]).item() / 2.0 / 6**0.5
    assert module(global_vector, local_map)[1, 2, 1].item() == pytest.approx(expected, abs=1e-9)


def test_concat_is_a_perceptron_on_the_concatenated_pair():
    module = made(ConcatCritic(hidden=7, depth=2))
    global_vector, local_map = arrays(3, 1, 2)
    weight = torch.cat([module.global_side.weight, module.local_side.weight], dim=1)
    pair = torch.cat([global_vector[2, 0], local_map[0, 1]])
    first = weight @ pair + module.global_side.bias
    expected = module.head(first).item()
    assert module(global_vector, local_map)[2, 0, 1].item() == pytest.approx(expected, abs=1e-9)


def test_width_and_depth_are_parameters():
    narrow, wide = made(DotCritic(units=4)), made(DotCritic(units=4, hidden=50))
    assert narrow.global_net.inner.out_features == 8
    assert wide.global_net.inner.out_features == 50
    assert len(made(ConcatCritic(depth=3)).head) == 6


def test_a_critic_without_a_network_says_so():
    with pytest.raises(TypeError, match="must define build"):
        Critic().build(2, 2)

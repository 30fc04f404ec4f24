"""Critics over the registry: shapes, the order of pairs, loop-written references."""

import copy

import numpy as np
import pytest
import torch

from sk_infomax import DeepInfoMaxTransformer, critics
from sk_infomax.critics import CRITICS, BilinearCritic, ConcatCritic, Critic, DotCritic, PairNetwork

MEMBERS = [pytest.param(cls(), id=name) for name, cls in CRITICS.items()]
# The paper's embedding, and a temperature that is learned.
MEMBERS += [
    pytest.param(DotCritic(8, 8, normalize="layer", shortcut="copy"), id="dot of the paper"),
    pytest.param(DotCritic(8, 8, shortcut=None), id="dot without a shortcut"),
    pytest.param(DotCritic(learn_temperature=True), id="dot with a learned temperature"),
]


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


def test_dot_with_layer_normalisation_is_the_bare_product():
    module = made(DotCritic(units=8, normalize="layer", temperature=1.0))
    global_vector, local_map = arrays(2, 1, 1)
    left, right = module.global_net[0](global_vector)[0, 0], module.local_net[0](local_map)[1, 0]
    left, right = ((v - v.mean()) / (v.var(correction=0) + 1e-5).sqrt() for v in (left, right))
    expected = (left @ right).item()
    assert module(global_vector, local_map)[0, 1, 0].item() == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("size", [3, 8])
def test_a_shortcut_may_start_as_a_noisy_copy(size):
    critic = DotCritic(units=8, normalize=False, shortcut="copy").build(size, size)
    for side in (critic.global_net, critic.local_net):
        weight = side.shortcut.weight
        noise = weight - torch.eye(8, size)
        assert torch.equal(weight[:size].diagonal(), torch.ones(size))
        assert 0 < noise.abs().max() <= 0.01
        assert noise.std().item() == pytest.approx(0.01 / 3**0.5, rel=0.4)


def test_a_shortcut_that_has_no_room_for_a_copy_starts_as_usual():
    torch.manual_seed(0)
    usual = DotCritic(units=4).build(9, 5).global_net.shortcut.weight
    torch.manual_seed(0)
    asked = DotCritic(units=4, shortcut="copy").build(9, 5).global_net.shortcut.weight
    assert torch.equal(usual, asked)


@pytest.mark.parametrize("critic", [DotCritic, BilinearCritic])
@pytest.mark.parametrize("temperature", [1e-300, 0.0, -1.0])
def test_a_temperature_that_makes_scores_infinite_is_refused(critic, temperature):
    with pytest.raises(ValueError, match="temperature"):
        DeepInfoMaxTransformer(critic=critic(temperature=temperature)).fit(np.zeros((4, 3)))


def test_a_head_may_have_no_shortcut():
    torch.manual_seed(0)
    critic = DotCritic(units=4, hidden=7, shortcut=None).build(9, 5)
    assert critic.global_net.shortcut is None
    x = torch.randn(6, 1, 9)
    hidden = critic.global_net.norm(critic.global_net.inner(x[:, 0])).relu()
    torch.testing.assert_close(critic.global_net(x)[:, 0], critic.global_net.outer(hidden))


def test_a_learned_temperature_starts_where_it_is_set_and_stays_in_bounds():
    torch.manual_seed(0)
    fixed = DotCritic(temperature=0.2).build(6, 5)
    torch.manual_seed(0)
    learned = DotCritic(temperature=0.2, learn_temperature=True).build(6, 5)
    given = [t.float() for t in arrays(4, 1, 2)]
    torch.testing.assert_close(fixed.eval()(*given), learned.eval()(*given))
    assert learned.log_scale.exp().item() == pytest.approx(5.0)
    learned.log_scale.data.fill_(50.0)
    assert learned(*given).abs().max() <= 100.0 * (1 + 1e-6)
    learned.log_scale.data.fill_(1.0)
    learned(*given).square().sum().backward()
    assert learned.log_scale.grad != 0


class Upper:
    """Asked for the layers above a map, gives a convolution of the whole map."""

    def build_upper(self, map_shape, size_out):
        channels, *kernel = map_shape
        return torch.nn.Sequential(torch.nn.Conv2d(channels, size_out, kernel), torch.nn.Flatten())


@pytest.mark.parametrize("normalize", [True, False, "layer"])
def test_whole_maps_may_be_read_by_the_encoders_layers(normalize):
    critic = DotCritic(units=7, normalize=normalize, temperature=1.0, whole="encoder")
    module = critic.build_whole(6, (5, 2, 3), Upper()).double()
    global_vector, maps = arrays(4, 1, 1)[0], torch.randn(4, 5, 2, 3).double()
    rows = maps.flatten(2).transpose(1, 2).flatten(1)[:, None]  # as an Encoding lists locations
    left = module.global_net(global_vector[:, 0])
    right = module.local_net.network(maps)
    assert isinstance(module.global_net, torch.nn.Linear)
    expected = left @ right.T
    if normalize is True:
        expected = expected / left.norm(dim=1)[:, None] / right.norm(dim=1)
    elif not normalize:
        expected = expected / 7**0.5
    torch.testing.assert_close(module(global_vector[:, 0], rows)[..., 0], expected)


@pytest.mark.parametrize("critic", MEMBERS)
def test_whole_maps_are_one_location_otherwise(critic):
    torch.manual_seed(0)
    whole = critic.build_whole(6, (5, 2, 3), Upper())
    torch.manual_seed(0)
    plain = critic.build(6, 30)
    pairs = zip(whole.state_dict().items(), plain.state_dict().items(), strict=True)
    assert all(a == b and torch.equal(x, y) for (a, x), (b, y) in pairs)


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


@pytest.mark.parametrize("normalize", [True, False, "layer"])
@pytest.mark.parametrize("several", [False, True])
def test_large_embeddings_are_scored_block_by_block_as_small_ones(normalize, several, monkeypatch):
    """The same scores, gradients and statistics, in training and in evaluation."""
    torch.manual_seed(0)
    critic = DotCritic(units=6, normalize=normalize, learn_temperature=True).build(5, 4)
    other = copy.deepcopy(critic)
    vectors = torch.randn(9, 3, 5) if several else torch.randn(9, 5)
    local = 3 + 2 * torch.randn(9, 7, 4)
    sides = [side.clone().requires_grad_() for side in (vectors, local)]
    critic(*sides).square().sum().backward()
    monkeypatch.setattr(critics, "_MOST_HELD", 0)
    monkeypatch.setattr(critics, "_BLOCK_VALUES", 170)  # two samples of 7 places x 12 units
    blocked = [side.clone().requires_grad_() for side in (vectors, local)]
    scores = other(*blocked)
    scores.square().sum().backward()
    for mine, theirs in zip(sides, blocked):
        torch.testing.assert_close(theirs.grad, mine.grad, rtol=1e-3, atol=1e-2)
    for (name, mine), theirs in zip(critic.named_parameters(), other.parameters()):
        largest = float(mine.grad.abs().max())
        torch.testing.assert_close(theirs.grad, mine.grad, rtol=1e-3, atol=1e-4 * largest, msg=name)
    for mine, theirs in zip(critic.buffers(), other.buffers()):
        torch.testing.assert_close(theirs, mine)
    critic.eval(), other.eval()
    found = other(vectors, local)
    monkeypatch.setattr(critics, "_MOST_HELD", 2**25)
    torch.testing.assert_close(found, critic(vectors, local), rtol=1e-4, atol=1e-4)

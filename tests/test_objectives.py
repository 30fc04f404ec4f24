"""Objectives: what is set against what, with one view and with two, and the sum of terms."""

import itertools

import pytest
import torch

from sk_infomax import DeepInfoMaxTransformer
from sk_infomax._objectives import (
    DISCRIMINATOR,
    InformationTerm,
    LocationTerm,
    Parts,
    Views,
    assemble,
    term_weights,
)
from sk_infomax.bounds import BOUNDS, InfoNCE, split
from sk_infomax.contexts import AutoregressiveContext, BlockContext
from sk_infomax.critics import BilinearCritic, DotCritic
from sk_infomax.encoders import Encoding, ResNetEncoder, StridedEncoder
from sk_infomax.priors import UniformPrior
from sk_infomax.views import ImageViews, Occlusion


def encoding(seed, n=5, m=4, c=3, d=6):
    g = torch.Generator().manual_seed(seed)
    local, vector = torch.randn(n, m, c, generator=g), torch.randn(n, d, generator=g)
    return Encoding(local, vector, vector, local.flatten(1))


def alone(encodings):
    """Views whose two sides one encoder has encoded."""
    return Views(encodings, encodings)


def parts(**changes):
    settings = {
        "encoder": StridedEncoder(width=4),
        "critic": DotCritic(units=8),
        "bound": InfoNCE(),
        "prior": None,
        "augmentation": ImageViews(),
        "n_views": 2,
        "n_components": 6,
        "weights": {"local": 1.0, "global": 1.0},
    }
    return Parts(**(settings | changes))


@pytest.mark.parametrize("bound", [*(cls() for cls in BOUNDS.values()), InfoNCE(anchor="global")])
@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("paired", [False, True])
def test_term_is_the_bound_on_the_scores_both_ways(bound, whole, paired):
    first, last = encoding(0), encoding(1)
    term = InformationTerm(BilinearCritic(), bound, first, whole, paired)
    pairs = [(first, last), (last, first)] if paired else [(first, first)]
    expected = []
    for mine, other in pairs:
        partner = other.local_map
        if whole:
            partner = other.global_vector if paired else other.local_map.flatten(1)
            partner = partner[:, None]
        scores = term.critic(mine.global_vector, partner)
        if bound.anchor == "local":
            scores = scores.transpose(0, 1)
        expected.append((bound.objective(*split(scores)), bound.nats(*split(scores))))
    given = [first, last] if paired else [first]
    objective, nats = (sum(column) / len(pairs) for column in zip(*expected))
    value, reported = term(alone(given))
    torch.testing.assert_close(value, objective)
    torch.testing.assert_close(term.nats(alone(given)), nats)
    torch.testing.assert_close(reported, nats, atol=1e-3, rtol=0)
    assert value.requires_grad
    assert not reported.requires_grad


def test_local_anchor_asks_each_location_for_its_global_vector():
    enc = encoding(0, n=4, m=2)
    term = InformationTerm(BilinearCritic(), InfoNCE(anchor="local"), enc, False, False)
    scores = term.critic(enc.global_vector, enc.local_map)
    expected = sum(
        scores[j, j, loc] - torch.logsumexp(scores[:, j, loc], 0)
        for j in range(4)
        for loc in range(2)
    )
    torch.testing.assert_close(term(alone([enc]))[0], expected / 8)


def loop_infonce(table, chosen, context, anchor):
    """InfoNCE of chosen vectors and places from table[i, j, place, vector], pair by pair."""
    n, m, values = len(table), table.shape[2], []
    if anchor == "local":
        table = table.transpose(0, 1)
    for (g, place), i in itertools.product(chosen, range(n)):
        alone = anchor == "local" or isinstance(context, AutoregressiveContext)
        places = [place] if alone else range(m)
        others = [table[i, j, p, g] for j in range(n) if j != i for p in places]
        own = table[i, i, place, g]
        values.append(own - torch.logsumexp(torch.stack([own, *others]), 0))
    return torch.stack(values).mean()


@pytest.mark.parametrize("context", [None, BlockContext(2), AutoregressiveContext(n_steps=2)])
@pytest.mark.parametrize("anchor", ["local", "global"])
@pytest.mark.parametrize("n_views", [1, 2])
def test_each_vector_of_a_context_has_its_own_softmax(context, anchor, n_views):
    torch.manual_seed(0)
    changes = {"context": context, "bound": InfoNCE(anchor), "n_views": n_views}
    changes |= {"encoder": StridedEncoder(width=2), "weights": {"local": 1.0}}
    module = assemble(parts(**changes), (1, 12, 12))[0].double().eval()
    encodings = list(module.encoder(torch.randn(8, 1, 12, 12).double()).chunk(n_views))
    term, values = module.terms["local"], []
    for first, last in [(0, -1), (-1, 0)][:n_views]:
        vectors, maps = encodings[first].global_vector, encodings[last].local_map
        vectors = vectors if vectors.dim() == 3 else vectors[:, None]
        (n, k), m = vectors.shape[:2], maps.shape[1]
        table = term.critic(vectors, maps).reshape(n, n, m, k)
        chosen = list(itertools.product(range(k), range(m)))
        if isinstance(context, AutoregressiveContext):
            chosen = list(zip(term.vectors.tolist(), term.places.tolist()))
        values.append(loop_infonce(table, chosen, context, anchor))
    torch.testing.assert_close(term(alone(encodings))[0], torch.stack(values).mean())


def test_forward_names_every_term():
    torch.manual_seed(0)
    module, example = assemble(parts(prior=UniformPrior()), (1, 8, 8))
    values = module(torch.randn(6, 1, 8, 8))
    reported = ["local_nats", "global_nats"]
    assert set(values) == {"local", "global", "prior", DISCRIMINATOR, *reported}
    assert all(value.dim() == 0 for value in values.values())
    assert example.global_vector.shape == (1, 6)
    assert list(module.nats(torch.randn(6, 1, 8, 8))) == ["local", "global"]


def test_terms_without_weight_are_left_out():
    module, _ = assemble(parts(weights={"local": 1.0}), (1, 8, 8))
    assert list(module.terms) == ["local"]


def test_training_draws_new_views_and_evaluation_does_not():
    torch.manual_seed(0)
    module, _ = assemble(parts(), (1, 8, 8))
    module.generator = torch.Generator().manual_seed(0)
    x = torch.randn(6, 1, 8, 8)
    first, again = module(x)["local"].item(), module(x)["local"].item()
    assert first != again
    module.eval()
    assert module(x)["local"].item() == module(x)["local"].item()


def test_one_view_without_augmentation_encodes_the_batch_itself():
    torch.manual_seed(0)
    module, _ = assemble(parts(n_views=1, augmentation=None), (1, 8, 8))
    module.eval()
    x = torch.randn(6, 1, 8, 8)
    enc = module.encoder(x)
    torch.testing.assert_close(module(x)["local"], module.terms["local"](alone([enc]))[0])
    assert module.terms["global"].partner(enc).shape == (6, 1, enc.local_map.flatten(1).shape[1])


# A second encoder that follows the first -----------------------------------------------------


def following(momentum=0.75, **changes):
    torch.manual_seed(0)
    return assemble(parts(target_momentum=momentum, **changes), (1, 12, 12))[0]


def moved(module):
    """The module with other weights of the encoder, and the weights that its follower has."""
    before = [p.clone() for p in module.follower.parameters()]
    with torch.no_grad():
        for p in module.encoder.parameters():
            p.add_(torch.randn_like(p))
    return before


def test_the_follower_starts_as_the_encoder_and_is_not_trained():
    module = following()
    state = module.encoder.state_dict()
    assert all(torch.equal(v, state[k]) for k, v in module.follower.encoder.state_dict().items())
    values = module(torch.randn(6, 1, 12, 12))
    sum(values[name] for name in module.terms).backward()
    assert all(p.grad is None for p in module.follower.parameters())
    assert all(p.grad is not None for p in module.encoder.parameters())


def test_the_follower_is_the_moving_average_of_the_weights_in_training_alone():
    module = following(momentum=0.75)
    before, x = moved(module), torch.randn(6, 1, 12, 12)
    module.eval()(x)
    assert all(torch.equal(a, b) for a, b in zip(before, module.follower.parameters()))
    module.train()(x)
    live = module.encoder.parameters()
    for old, new, mine in zip(before, live, module.follower.parameters()):
        torch.testing.assert_close(mine, 0.75 * old + 0.25 * new)


@pytest.mark.parametrize("context", [None, BlockContext()], ids=str)
@pytest.mark.parametrize("n_views", [1, 2])
def test_partners_are_encoded_by_the_follower(context, n_views):
    module = following(n_views=n_views, augmentation=None, context=context)
    moved(module)
    module.eval()
    x = torch.randn(6, 1, 12, 12)
    mine, theirs = module.encoder(x), module.follower(x)
    for name, term in module.terms.items():
        expected = term(Views([mine] * n_views, [theirs] * n_views))[0]
        torch.testing.assert_close(module(x)[name], expected)
        assert not torch.allclose(expected, term(alone([mine] * n_views))[0])


def test_a_part_is_hidden_from_the_follower_as_it_is_from_the_encoder():
    module = following(momentum=0.0, occlusion=Occlusion(0.5), n_views=1).eval()
    _, views = module._encode(torch.randn(6, 1, 12, 12), torch.Generator().manual_seed(0))
    (given,), (partner,) = views
    torch.testing.assert_close(given.local_map, partner.local_map)
    torch.testing.assert_close(given.global_vector, partner.global_vector)


def test_a_follower_is_saved_and_loaded_and_goes_on(digits, tmp_path):
    X = digits[0][:60]
    settings = {"encoder": "strided", "critic": DotCritic(8), "random_state": 0}
    model = DeepInfoMaxTransformer(6, target_momentum=0.9, max_epochs=2, **settings).fit(X)
    plain = DeepInfoMaxTransformer(6, max_epochs=2, **settings).fit(X)
    assert not (model.transform(X) == plain.transform(X)).all()
    model.save(tmp_path / "model", training_state=True)
    again = DeepInfoMaxTransformer.load(tmp_path / "model")
    assert again.score(X) == model.score(X)
    on = [one.partial_fit(X).transform(X) for one in (model, again)]
    assert (on[0] == on[1]).all()


def test_what_a_fit_finds_before_training_is_the_followers_too(digits):
    X = digits[0][:60]
    model = DeepInfoMaxTransformer(6, target_momentum=0.0, max_epochs=1, random_state=0).fit(X)
    module = model.net_.module_
    assert torch.equal(module.follower.encoder.stem.filters, module.encoder.stem.filters)


@pytest.mark.parametrize("momentum", [1.0, -0.1, "half"])
def test_a_momentum_out_of_range_is_refused(momentum, digits):
    with pytest.raises(ValueError, match="target_momentum"):
        DeepInfoMaxTransformer(target_momentum=momentum).fit(digits[0][:60])


# Several depths, and locations against locations ------------------------------------------------


def deep_encoding(seed, n=4):
    g = torch.Generator().manual_seed(seed)
    maps = [torch.randn(n, m, c, generator=g) for m, c in ((4, 3), (2, 5))]
    vector = torch.randn(n, 6, generator=g)
    return Encoding(maps[0], vector, vector, maps[0].flatten(1), further_maps=(maps[1],))


def loop_of_locations(scores):
    """InfoNCE of each location for what it is set against, pair by pair: scores[i, j, place]."""
    n, _, m = scores.shape
    values = [
        scores[j, j, place]
        - torch.logsumexp(torch.stack([scores[i, j, place] for i in range(n)]), 0)
        for j in range(n)
        for place in range(m)
    ]
    return torch.stack(values).mean()


@pytest.mark.parametrize("paired", [False, True])
def test_each_depth_has_a_term_of_its_own(paired):
    first, last = deep_encoding(0), deep_encoding(1)
    ways = [(first, last), (last, first)] if paired else [(first, first)]
    for depth in (0, 1):
        term = InformationTerm(BilinearCritic(), InfoNCE(), first, False, paired, depth=depth)
        expected = [
            loop_of_locations(term.critic(mine.global_vector, other.local_maps()[depth]))
            for mine, other in ways
        ]
        value, _ = term(alone([first, last] if paired else [first]))
        torch.testing.assert_close(value, torch.stack(expected).mean())


def test_locations_are_set_against_those_of_the_other_view():
    first, last = deep_encoding(0), deep_encoding(1)
    term = LocationTerm(BilinearCritic(), InfoNCE(), first, False, True)
    draws, expected = torch.Generator().manual_seed(3), []
    for mine, other in ((first, last), (last, first)):
        places = torch.randint(4, (4,), generator=draws)
        drawn = torch.stack([mine.local_map[i, place] for i, place in enumerate(places)])
        expected.append(loop_of_locations(term.critic(drawn, other.local_map)))
    value, _ = term(alone([first, last]), torch.Generator().manual_seed(3))
    torch.testing.assert_close(value, torch.stack(expected).mean())
    torch.testing.assert_close(
        term.nats(alone([first, last]), torch.Generator().manual_seed(3)),
        term.nats(alone([first, last]), torch.Generator().manual_seed(3)),
    )
    middle = term.given(first)
    assert torch.equal(middle, first.local_map[:, 2])


def test_every_location_is_drawn():
    places = torch.arange(6.0).expand(500, 6)[..., None]
    encoding = Encoding(places, places[:, 0], places[:, 0], places[..., 0])
    term = LocationTerm(BilinearCritic(), InfoNCE(), encoding, False, True)
    drawn = term.given(encoding, torch.Generator().manual_seed(0))
    assert drawn.long().flatten().bincount(minlength=6).min() > 50


def test_terms_of_all_depths_have_the_weight_of_locations():
    weights = {"local": 2.0, "locations": 0.5, "global": 1.0}
    settings = {"encoder": ResNetEncoder(width=2, local_stages=(3, 4, 2)), "weights": weights}
    module, _ = assemble(parts(**settings), (1, 16, 16))
    names = ["local", "local_2", "local_3", "locations", "global"]
    assert list(module.terms) == names
    found = term_weights(weights, module.terms)
    assert found == weights | {"local_2": 2.0, "local_3": 2.0}
    assert set(module(torch.randn(6, 1, 16, 16))) == {*names, *(f"{n}_nats" for n in names)}


@pytest.fixture(scope="module")
def deep(digits):
    settings = {"local_weight": 2.0, "locations_weight": 0.5, "global_weight": 1.0}
    encoder = ResNetEncoder(width=2)
    model = DeepInfoMaxTransformer(6, encoder=encoder, max_epochs=2, random_state=0, **settings)
    return model.fit(digits[0][:60])


def test_the_loss_is_the_sum_over_depths(deep):
    row = deep.history_[-1]
    sides = (2.0, "local"), (2.0, "local_2"), (0.5, "locations"), (1.0, "global")
    expected = -sum(weight * row[f"train_{name}"] for weight, name in sides)
    assert row["train_loss"] == pytest.approx(expected, rel=1e-4)


def test_the_score_is_the_mean_of_all_depths(deep, digits):
    X = digits[0][60:120]
    nats = deep.net_.nats(deep._fitted._data(X, None, 0))
    weights = {"local": 2.0, "local_2": 2.0, "locations": 0.5, "global": 1.0}
    expected = sum(weights[k] * v for k, v in nats.items()) / sum(weights.values())
    assert deep.score(X) == pytest.approx(expected)
    assert deep.score(X) == deep.score(X)


def test_several_depths_are_saved_and_loaded(deep, digits, tmp_path):
    deep.save(tmp_path / "deep.safetensors")
    again = DeepInfoMaxTransformer.load(tmp_path / "deep.safetensors")
    X = digits[0][60:120]
    assert again.score(X) == deep.score(X)
    assert (again.transform(X) == deep.transform(X)).all()


def test_a_context_sees_the_first_map_alone():
    settings = {"encoder": ResNetEncoder(width=2), "weights": {"local": 1.0}}
    module, example = assemble(parts(**settings, context=BlockContext(2)), (1, 16, 16))
    assert list(module.terms) == ["local"]
    assert example.local_map.shape == (1, 16, 8)


def test_locations_need_two_views(digits):
    model = DeepInfoMaxTransformer(4, encoder="strided", views=1, locations_weight=0.5)
    with pytest.raises(ValueError, match=r"locations_weight=0\.5 .*there is one view"):
        model.fit(digits[0][:20])

"""Objectives: what is set against what, with one view and with two, and the sum of terms."""

import itertools

import pytest
import torch

from sk_infomax._objectives import DISCRIMINATOR, InformationTerm, Parts, assemble
from sk_infomax.bounds import BOUNDS, InfoNCE, split
from sk_infomax.contexts import AutoregressiveContext, BlockContext
from sk_infomax.critics import BilinearCritic, DotCritic
from sk_infomax.encoders import Encoding, StridedEncoder
from sk_infomax.priors import UniformPrior
from sk_infomax.views import ImageViews


def encoding(seed, n=5, m=4, c=3, d=6):
    g = torch.Generator().manual_seed(seed)
    local, vector = torch.randn(n, m, c, generator=g), torch.randn(n, d, generator=g)
    return Encoding(local, vector, vector, local.flatten(1))


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
    value, reported = term(given)
    torch.testing.assert_close(value, objective)
    torch.testing.assert_close(term.nats(given), nats)
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
    torch.testing.assert_close(term([enc])[0], expected / 8)


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
    torch.testing.assert_close(term(encodings)[0], torch.stack(values).mean())


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
    torch.testing.assert_close(module(x)["local"], module.terms["local"]([enc])[0])
    assert module.terms["global"].partner(enc).shape == (6, 1, enc.local_map.flatten(1).shape[1])

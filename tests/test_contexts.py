"""Contexts: which vector sees what, which is set against which location, and the loss in loops."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from sk_infomax import DeepInfoMaxTransformer
from sk_infomax._objectives import InformationTerm, Views
from sk_infomax.bounds import InfoNCE, split
from sk_infomax.contexts import (
    CONTEXTS,
    AutoregressiveContext,
    BlockContext,
    Context,
    with_context,
)
from sk_infomax.critics import CRITICS, BilinearCritic
from sk_infomax.encoders import Encoding

SHAPES = [(5, 4), (7,)]


def maps(shape, n=3, c=2, seed=0):
    return torch.randn(n, c, *shape, generator=torch.Generator().manual_seed(seed))


def built(context, shape, d=6):
    torch.manual_seed(0)
    return context.build(2, shape, d).eval()


def test_blocks_are_those_of_the_paper():
    module = built(BlockContext(3), (7, 7))
    assert module(maps((7, 7))).shape == (3, 25, 6)
    assert module.pairs is None


@pytest.mark.parametrize("hidden", [None, 40])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_block_sees_its_locations_alone(shape, hidden):
    module, x = built(BlockContext(2, hidden), shape, 40), maps(shape)
    before = module(x)
    x[(slice(None), slice(None), *(0,) * len(shape))] += 1.0
    changed = (module(x) - before).abs().sum((0, 2)) > 1e-6
    assert changed.tolist() == [True] + [False] * (len(changed) - 1)


@pytest.mark.parametrize("kind", ["gru", "conv"])
@pytest.mark.parametrize("shape", SHAPES)
def test_predictions_do_not_see_what_they_predict(kind, shape):
    """A prediction depends on no location in the row of its target or below."""
    module, x = built(AutoregressiveContext(kind, 2), shape), maps(shape)
    columns = math.prod(shape[1:])
    x.requires_grad_()
    predictions = module(x)
    vectors, targets = module.pairs
    for vector, target in zip(vectors.tolist(), targets.tolist()):
        (gradient,) = torch.autograd.grad(predictions[:, vector].sum(), x, retain_graph=True)
        seen = gradient.abs().sum((0, 1)).reshape(shape[0], columns).sum(1) > 0
        assert not seen[target // columns :].any()
        assert seen[(vector // 2) // columns]


def test_each_location_below_the_first_row_is_predicted():
    module = built(AutoregressiveContext(n_steps=3), (5, 4))
    vectors, targets = module.pairs
    assert len(targets) == 4 * (4 + 3 + 2)
    assert set(targets.tolist()) == set(range(4, 20))
    rows = targets // 4 - vectors // 3 // 4
    assert torch.equal(rows, vectors % 3 + 1)
    assert torch.equal(targets % 4, vectors // 3 % 4)


@pytest.mark.parametrize("name", CRITICS)
def test_chosen_pairs_score_as_in_the_whole_table(name):
    torch.manual_seed(0)
    critic = CRITICS[name]().build(6, 5).double().eval()
    g = torch.Generator().manual_seed(0)
    vectors = torch.randn(4, 3, 6, generator=g, dtype=torch.float64)
    local = torch.randn(4, 7, 5, generator=g, dtype=torch.float64)
    pairs = torch.tensor([0, 2, 1]), torch.tensor([6, 0, 3])
    whole = critic(vectors, local).reshape(4, 4, 7, 3)
    expected = torch.stack([whole[:, :, location, v] for v, location in zip(*pairs)], 2)
    torch.testing.assert_close(critic.chosen(vectors, local, pairs), expected)


def test_predictive_coding_is_the_loop():
    """InfoNCE of each prediction: its own sample's location among those of the batch."""
    module, x = built(AutoregressiveContext(n_steps=2), (3, 2)), maps((3, 2), n=4)
    local = x.flatten(2).transpose(1, 2)
    vectors = module(x)
    encoding = Encoding(local, vectors, vectors.flatten(1), local.flatten(1))
    term = InformationTerm(BilinearCritic(), InfoNCE(), encoding, False, False, module.pairs)
    values = []
    for v, location in zip(*(index.tolist() for index in module.pairs)):
        for j in range(4):
            scores = [
                term.critic(vectors[i : i + 1, v], local[j : j + 1, location : location + 1]).item()
                for i in range(4)
            ]
            values.append(scores[j] - np.log(np.exp(scores).sum()))
    assert term(Views([encoding], [encoding]))[0].item() == pytest.approx(np.mean(values), abs=1e-5)


def test_blocks_score_all_pairs():
    module, x = built(BlockContext(2), (3, 3)), maps((3, 3), n=4)
    local, vectors = x.flatten(2).transpose(1, 2), module(x)
    encoding = Encoding(local, vectors, vectors.flatten(1), local.flatten(1))
    term = InformationTerm(
        BilinearCritic(), InfoNCE("global"), encoding, False, False, module.pairs
    )
    table = term.critic(vectors, local)
    assert table.shape == (4, 4, 9 * 4)
    assert term(Views([encoding], [encoding]))[0].item() == pytest.approx(
        InfoNCE("global").objective(*split(table, n_vectors=4)).item()
    )


@pytest.mark.parametrize("context", CONTEXTS)
def test_transform_is_the_mean_of_the_vectors(context, digits):
    model = DeepInfoMaxTransformer(
        5, encoder="strided", context=context, max_epochs=1, random_state=0
    ).fit(digits[0])
    model.set_params(output="hidden")
    hidden = model.transform(digits[0][:7]).reshape(7, -1, 5)
    model.set_params(output="embedding")
    np.testing.assert_allclose(model.transform(digits[0][:7]), hidden.mean(1), atol=1e-5)


def test_contexts_of_networks_of_ones_own(digits):
    class Backbone(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Conv2d(1, 4, 2, 2)

        def forward(self, x):
            local = self.layer(x)
            return local, local.mean((2, 3))

    model = DeepInfoMaxTransformer(4, encoder=Backbone, context="cpc", max_epochs=1)
    assert model.fit(digits[0]).transform(digits[0][:3]).shape == (3, 4)
    assert model.net_.module_.encoder.map_shape == (4, 4)


class Mean(nn.Module):
    def forward(self, maps):
        return maps.flatten(2).mean(2)[:, None]


class OwnContext(Context):
    def build(self, channels, map_shape, n_components):
        return Mean()


def test_a_network_that_does_not_say_its_pairs_is_refused(digits):
    model = DeepInfoMaxTransformer(4, encoder="strided", context=OwnContext(), max_epochs=1)
    with pytest.raises(TypeError, match=r"Derive it from sk_infomax\.contexts\.ContextNetwork"):
        model.fit(digits[0])


def test_pairs_move_with_the_term_and_are_not_saved():
    module, x = built(AutoregressiveContext(n_steps=2), (3, 2)), maps((3, 2), n=4)
    local, vectors = x.flatten(2).transpose(1, 2), module(x)
    encoding = Encoding(local, vectors, vectors.flatten(1), local.flatten(1))
    term = InformationTerm(BilinearCritic(), InfoNCE(), encoding, False, False, module.pairs)
    assert {"vectors", "places"} <= dict(term.named_buffers()).keys()
    assert list(term.state_dict()) == ["critic.form.weight"]
    assert term.to("meta").vectors.device.type == "meta"


def test_maps_of_three_axes_are_read_location_by_location():
    local = torch.randn(2, 8, 3)
    example = Encoding(local, local[:, 0], local[:, 0], local.flatten(1), map_shape=(2, 2, 2))
    assert with_context(nn.Identity(), BlockContext(2), example, 4).map_shape == (8,)


def test_what_a_context_cannot_read():
    with pytest.raises(ValueError, match="two rows or more and got"):
        AutoregressiveContext().build(2, (1, 5), 4)
    with pytest.raises(TypeError, match="must define build"):
        Context().build(2, (3,), 4)

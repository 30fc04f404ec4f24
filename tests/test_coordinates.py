"""Telling where a location lies: against loops, on maps that say it and on maps that do not."""

import math

import numpy as np
import pytest
import torch

from sk_infomax import DeepInfoMaxTransformer
from sk_infomax._coordinates import CoordinateTerm
from sk_infomax.encoders import Encoding


def encoding(n=5, m=6, c=3, d=4, seed=0, map_shape=None):
    g = torch.Generator().manual_seed(seed)
    local, vector = torch.randn(n, m, c, generator=g), torch.randn(n, d, generator=g)
    return Encoding(local, vector, vector, local.flatten(1), map_shape=map_shape)


def term(kind, map_shape=(2, 3), **sizes):
    torch.manual_seed(0)
    example = encoding(m=math.prod(map_shape), map_shape=map_shape, **sizes)
    return CoordinateTerm(example, kind).eval()


@pytest.mark.parametrize("map_shape", [(2, 3), (6,), (1, 6)])
def test_absolute_is_the_loop(map_shape):
    module, enc = term("absolute", map_shape), encoding()
    total = 0.0
    for i in range(5):
        for place in range(6):
            seen = torch.cat([enc.global_vector[i], enc.local_map[i, place]])
            logits = module.networks["absolute"](seen)
            left = place
            for axis, part in reversed(list(enumerate(logits.split(list(map_shape))))):
                total += part.log_softmax(0)[left % map_shape[axis]].item()
                left //= map_shape[axis]
    value = module([enc], torch.Generator())
    assert value.item() == pytest.approx(total / 30, rel=1e-5)


def test_relative_is_the_loop():
    module, enc = term("relative"), encoding()
    total = 0.0
    for i in range(5):
        for place in range(6):
            other = (place + 2) % 6
            seen = [enc.global_vector[i], enc.local_map[i, place], enc.local_map[i, other]]
            rows, columns = module.networks["relative"](torch.cat(seen)).split([3, 5])
            down, right = place // 3 - other // 3, place % 3 - other % 3
            total += rows.log_softmax(0)[down + 1].item()
            total += columns.log_softmax(0)[right + 2].item()
    value = module([enc], torch.Generator())
    assert value.item() == pytest.approx(total / 30, rel=1e-5)


@pytest.mark.parametrize("kind", ["absolute", "relative", "both"])
def test_learned_where_the_map_says_it(kind):
    """A map whose locations hold their own coordinates, and one that holds nothing."""
    places = torch.stack(torch.meshgrid(torch.arange(3), torch.arange(3), indexing="ij"), -1)
    local = places.reshape(1, 9, 2).float().expand(20, 9, 2)
    vector = torch.zeros(20, 4)
    values = []
    for maps in (local, torch.zeros_like(local)):
        enc = Encoding(maps, vector, vector, maps.flatten(1), map_shape=(3, 3))
        torch.manual_seed(0)
        module = CoordinateTerm(enc, kind)
        optimizer = torch.optim.Adam(module.parameters(), 1e-2)
        generator = torch.Generator().manual_seed(0)
        for _ in range(150):
            optimizer.zero_grad()
            loss = -module([enc], generator)
            loss.backward()
            optimizer.step()
        values.append(-loss.item())
    assert values[0] > -0.2
    assert values[1] < -1.0
    if kind == "absolute":
        assert values[1] == pytest.approx(module.chance(), abs=0.05)


def test_views_count_alike():
    module = term("both")
    first, last = encoding(seed=1), encoding(seed=2)
    apart = [module([enc], torch.Generator()).item() for enc in (first, last)]
    together = module([first, last], torch.Generator()).item()
    assert together == pytest.approx(sum(apart) / 2)


def test_one_location_has_no_place_to_tell():
    model = DeepInfoMaxTransformer(4, encoder="perceptron", coordinates="absolute", max_epochs=1)
    with pytest.raises(ValueError, match=r"coordinates='absolute' needs a local map of two"):
        model.fit(np.random.RandomState(0).normal(size=(20, 1)))

"""Checks: what a sample is taken for, and one clear error for what does not fit."""

import numpy as np
import pytest
import torch

from sk_infomax._checks import (
    check_shape,
    closest_name,
    resolve_device,
)
from sk_infomax._layout import Layout, find_layout
from sk_infomax._parts import resolve_part
from sk_infomax.critics import CRITICS, Critic, DotCritic


@pytest.mark.parametrize(
    ("shape", "kind", "expected", "network"),
    [
        ((7,), None, "table", (7,)),
        ((7,), "series", "series", (1, 7)),
        ((28, 28), None, "image", (1, 28, 28)),
        ((20, 28), "image", "image", (1, 20, 28)),
        ((9, 128), None, "series", (9, 128)),
        ((128, 9), None, "series", (128, 9)),
        ((8, 8), "series", "series", (8, 8)),
        ((28, 28), "table", "table", (784,)),
        ((3, 4, 5), "table", "table", (60,)),
        ((32, 30, 3), None, "image", (3, 32, 30)),
        ((3, 32, 30), None, "image", (3, 32, 30)),
        ((1, 8, 8), None, "image", (1, 8, 8)),
        ((8, 8, 1), None, "image", (1, 8, 8)),
        ((16, 16, 64), None, "image", (64, 16, 16)),
        ((64, 16, 16), None, "image", (64, 16, 16)),
        ((3, 3, 3), None, "image", (3, 3, 3)),
    ],
)
def test_what_a_sample_is(shape, kind, expected, network):
    layout = find_layout(shape, kind, "auto")
    assert layout.kind == expected
    assert layout.network_shape == network
    assert layout.n_features == np.prod(shape)


def test_channels_can_be_said_outright():
    assert find_layout((128, 9), None, "last").network_shape == (9, 128)
    assert find_layout((8, 8), "series", "last").channel_axis == 1
    assert find_layout((4, 9, 4), None, "first").network_shape == (4, 9, 4)
    assert find_layout((5, 6, 7), None, "last").network_shape == (7, 5, 6)
    assert find_layout((5, 6, 7), None, "first").network_shape == (5, 6, 7)


@pytest.mark.parametrize("axis", [0, 2])
def test_both_orders_of_channels_become_the_same_input(axis):
    first = np.random.RandomState(0).rand(2, 3, 6, 5)
    given = first if axis == 0 else np.moveaxis(first, 1, -1)
    layout = find_layout(given.shape[1:], None, "auto")
    assert layout.channel_axis == axis
    np.testing.assert_array_equal(layout.arrange(given), first)
    np.testing.assert_array_equal(layout.arrange(given.reshape(2, -1)), first)


@pytest.mark.parametrize(
    ("shape", "kind", "message"),
    [
        ((784,), "image", r"rows of 784 values.*sample_shape=\(28, 28\)"),
        ((16, 32, 64), None, 'channels="first" or channels="last"'),
        ((3, 8, 8), "series", "do not fit series encoder"),
        ((2, 3, 8, 8), None, "do not fit any encoder"),
    ],
)
def test_layouts_that_cannot_be_told(shape, kind, message):
    with pytest.raises(ValueError, match=message):
        find_layout(shape, kind, "auto")


@pytest.mark.parametrize("bad", [(), (0, 3), (2, 2, 2, 2), (2.5, 3), [-1]])
def test_shapes_that_are_none(bad):
    with pytest.raises(ValueError, match="one to three positive integers"):
        check_shape(bad)


def test_parts_by_name_class_and_instance():
    assert isinstance(resolve_part("dot", CRITICS, Critic, "critic"), DotCritic)
    assert isinstance(resolve_part(DotCritic, CRITICS, Critic, "critic"), DotCritic)
    given = DotCritic(units=5)
    made = resolve_part(given, CRITICS, Critic, "critic")
    assert made is not given
    assert made.units == 5


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        ("dott", ValueError, "critic='dott' is unknown: did you mean 'dot'"),
        ("zzz", ValueError, "use one of 'dot', 'bilinear', 'concat'"),
        (3, TypeError, "instance of a Critic"),
        (dict, TypeError, "instance of a Critic"),
        (DotCritic(units=0), ValueError, "'units' parameter of DotCritic must be"),
        (DotCritic(temperature=-1.0), ValueError, "'temperature' parameter of DotCritic"),
    ],
)
def test_parts_that_are_none(value, error, message):
    with pytest.raises(error, match=message):
        resolve_part(value, CRITICS, Critic, "critic")


def test_closest_name_lists_what_there_is():
    assert closest_name("infoncee", ["infonce", "dv"]) == (
        "did you mean 'infonce'? Available: 'infonce', 'dv'."
    )


def test_devices():
    assert resolve_device("cpu") == torch.device("cpu")
    expected = "cuda" if torch.cuda.is_available() else "cpu"
    assert resolve_device("auto").type == expected
    with pytest.raises(ValueError, match="device='gpu' is not a device"):
        resolve_device("gpu")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device here")
def test_cuda_where_there_is_none():
    with pytest.raises(ValueError, match=r'no CUDA device here\. Use device="auto"'):
        resolve_device("cuda")
    assert resolve_device("cuda", or_cpu=True).type == "cpu"


def test_layout_is_plain_and_frozen():
    layout = Layout("table", (3,), None)
    with pytest.raises(AttributeError):
        layout.kind = "image"

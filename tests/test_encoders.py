"""Encoders: the contract of `Encoding` over the registry, the paper's shapes, the adapter."""

import copy
import itertools
import math

import numpy as np
import pytest
import torch
from torch import nn

from sk_infomax import DeepInfoMaxTransformer
from sk_infomax._random import new_generator
from sk_infomax.encoders import (
    ENCODERS,
    DataDriven,
    Encoder,
    Encoding,
    SeriesEncoder,
    StridedEncoder,
    TorchEncoder,
)
from sk_infomax.encoders._base import prepare

SHAPES = {
    "table": [(1,), (7,), (64,), (100,)],
    "series": [(1, 2), (3, 7), (1, 24), (2, 500)],
    "perceptron": [(1,), (7,), (64,), (100,)],
    "convolutions": [(1, 2), (3, 7), (1, 24), (2, 500)],
    "image": [(1, 2, 2), (1, 8, 8), (3, 14, 10), (1, 28, 28), (3, 32, 32), (4, 96, 70)],
    "strided": [(1, 2, 2), (1, 8, 8), (3, 14, 10), (1, 28, 28), (3, 32, 32), (4, 96, 70)],
    "resnet": [(1, 8, 8), (2, 5, 7)],
    "basic28x28": [(1, 28, 28), (3, 10, 10)],
    "basic32x32": [(3, 32, 32), (1, 8, 8)],
    "basic64x64": [(3, 64, 64)],
    "alex64x64": [(3, 64, 64), (1, 15, 15)],
    "foldalex64x64": [(3, 64, 64)],
    "foldresnet32x32": [(3, 32, 32), (1, 9, 12)],
    "crops": [(3, 64, 64), (1, 28, 28), (2, 9, 12)],
}
# Large networks whose width is a setting; their own sizes have tests of their own below.
NARROW = {
    "resnet": {"width": 4},
    "foldalex64x64": {"width": 4, "hidden": 32},
    "foldresnet32x32": {"width": 4, "hidden": 32},
}
CASES = [
    pytest.param(name, shape, id=f"{name}-{'x'.join(map(str, shape))}")
    for name, shapes in SHAPES.items()
    for shape in shapes
]


class Backbone(nn.Module):
    """A small network of the kind that users bring."""

    def __init__(self, width=12, channels=3):
        super().__init__()
        self.stem = nn.Conv2d(channels, 8, 3, 2, 1)
        self.body = nn.Sequential(nn.ReLU(), nn.Conv2d(8, 10, 3, 2, 1), nn.ReLU())
        self.head = nn.Linear(10, width)

    def forward(self, x):
        return self.head(self.body(self.stem(x)).mean((2, 3)))


class Pair(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(6, 5)

    def forward(self, x):
        out = self.layer(x)
        return out[:, None, :].repeat(1, 3, 1), out


def test_every_member_is_tested():
    assert SHAPES.keys() == ENCODERS.keys()


@pytest.mark.parametrize(("name", "shape"), CASES)
def test_encoding_keeps_the_contract(name, shape):
    module = ENCODERS[name](**NARROW.get(name, {})).build(shape, 11)
    assert module.training
    encoding = module(torch.randn(4, *shape))
    n, m, c = encoding.local_map.shape
    assert n == 4
    assert m * c > 0
    assert math.prod(encoding.grid()) == m
    assert encoding.global_vector.shape == (4, 11)
    assert encoding.hidden.dim() == encoding.feature_map.dim() == 2
    encoding.global_vector.pow(2).sum().backward()
    assert all(p.grad is not None for p in module.parameters())


@pytest.mark.parametrize(("name", "shape"), CASES)
def test_samples_do_not_see_each_other_in_evaluation(name, shape):
    module = ENCODERS[name](**NARROW.get(name, {})).build(shape, 5).double().eval()
    x = torch.randn(3, *shape, dtype=torch.float64)
    together = module(x)
    for i in range(3):
        for whole, alone in zip(together, module(x[i : i + 1])):
            if torch.is_tensor(whole):
                torch.testing.assert_close(whole[i : i + 1], alone)
            elif whole is not together.further_maps:
                assert whole == alone
            else:
                for deeper, single in zip(whole, alone, strict=True):
                    torch.testing.assert_close(deeper[i : i + 1], single)


@pytest.mark.parametrize(
    ("name", "shape", "local", "feature_map", "hidden"),
    [
        ("basic28x28", (1, 28, 28), (49, 128), 49 * 128, 1024),
        ("basic32x32", (3, 32, 32), (64, 128), 16 * 256, 1024),
        ("basic64x64", (3, 64, 64), (64, 256), 16 * 512, 1024),
        ("alex64x64", (3, 64, 64), (225, 384), 49 * 192, 4096),
        ("strided", (1, 28, 28), (16, 128), 16 * 128, 16 * 128),
        ("strided", (3, 32, 32), (16, 128), 16 * 128, 16 * 128),
        ("strided", (1, 8, 8), (16, 128), 16 * 128, 16 * 128),
        ("strided", (3, 64, 64), (16, 256), 16 * 256, 16 * 256),
        ("strided", (3, 224, 224), (49, 256), 49 * 256, 49 * 256),
    ],
)
def test_sizes_of_the_layers(name, shape, local, feature_map, hidden):
    encoding = ENCODERS[name]().build(shape, 64).eval()(torch.zeros(1, *shape))
    assert encoding.local_map.shape[1:] == local
    assert encoding.feature_map.shape[1] == feature_map
    assert encoding.hidden.shape[1] == hidden


def test_local_map_is_in_reading_order():
    module = StridedEncoder(width=4).build((1, 8, 8), 3).eval()
    x = torch.zeros(1, 1, 8, 8)
    x[..., 7, 7] = 5.0
    change = (module(x).local_map - module(torch.zeros_like(x)).local_map).abs().sum(-1)[0]
    assert change[-1] > 0
    assert change[0] == 0


def test_strided_encoder_may_have_a_hidden_layer():
    x = torch.zeros(1, 1, 28, 28)
    plain = StridedEncoder().build((1, 28, 28), 8).eval()(x)
    assert torch.equal(plain.hidden, plain.feature_map)
    assert StridedEncoder(hidden=30).build((1, 28, 28), 8).eval()(x).hidden.shape == (1, 30)


def test_long_series_get_longer_strides():
    short, long = (
        SeriesEncoder().build((1, t), 4).eval()(torch.zeros(1, 1, t)) for t in (64, 1000)
    )
    assert short.local_map.shape[1] == 16
    assert long.local_map.shape[1] < 20


def test_chunk_cuts_views_apart():
    module = StridedEncoder().build((1, 8, 8), 5).eval()
    x = torch.randn(6, 1, 8, 8)
    first, last = module(x).chunk(2)
    assert first.further_maps == ()
    torch.testing.assert_close(first.local_map, module(x[:3]).local_map)
    torch.testing.assert_close(last.global_vector, module(x[3:]).global_vector)
    assert first.map_shape == last.map_shape == (4, 4)
    assert first.wide is None


@pytest.mark.parametrize("given", ["instance", "class"])
def test_adapter_takes_an_inner_layer_and_the_output(given):
    if given == "class":
        encoder = TorchEncoder(Backbone, "body", module_params={"width": 9})
    else:
        encoder = TorchEncoder(Backbone(width=9), "body")
    adapter = encoder.build((3, 16, 16), 9).eval()
    x = torch.randn(2, 3, 16, 16)
    encoding = adapter(x)
    expected = adapter.module.body(adapter.module.stem(x)).flatten(2).transpose(1, 2)
    torch.testing.assert_close(encoding.local_map, expected)
    torch.testing.assert_close(encoding.global_vector, adapter.module(x))
    assert not adapter.module.body._forward_hooks


def test_adapter_copies_the_instance_and_keeps_its_weights():
    backbone = Backbone()
    before = copy.deepcopy(backbone.state_dict())
    adapter = TorchEncoder(backbone, "body").build((3, 16, 16), 12)
    assert adapter.module is not backbone
    for name, weight in adapter.module.state_dict().items():
        assert torch.equal(weight, before[name])


def test_adapter_adds_a_head_where_widths_differ():
    adapter = TorchEncoder(Backbone(width=30), "body").build((3, 16, 16), 7).eval()
    encoding = adapter(torch.randn(2, 3, 16, 16))
    assert encoding.global_vector.shape == (2, 7)
    assert encoding.hidden.shape == (2, 30)


def test_adapter_takes_a_pair_from_the_module():
    encoding = TorchEncoder(Pair()).build((6,), 5)(torch.randn(4, 6))
    assert encoding.local_map.shape == (4, 5, 3)
    tokens = TorchEncoder(Pair(), tokens=True).build((6,), 5)(torch.randn(4, 6))
    assert tokens.local_map.shape == (4, 3, 5)


def test_adapter_takes_a_flat_inner_layer_as_one_location():
    net = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 5))
    encoding = TorchEncoder(net, "1").build((6,), 5)(torch.randn(4, 6))
    assert encoding.local_map.shape == (4, 1, 8)


@pytest.mark.parametrize(
    ("encoder", "shape", "message"),
    [
        (TorchEncoder(Backbone(), "boddy"), (3, 16, 16), "outer layers are: stem, body, head"),
        (TorchEncoder(Backbone(), "body"), (1, 16, 16), r"cannot read a batch of shape \(2, 1, 16"),
        (TorchEncoder(Backbone()), (3, 16, 16), "return the pair"),
        (TorchEncoder(nn.Sequential(nn.Conv2d(1, 2, 3)), "0"), (1, 8, 8), r"a vector \(n, d\)"),
        (ENCODERS["image"](), (1, 1, 9), "2x2 pixels"),
        (ENCODERS["alex64x64"](), (3, 8, 8), "15x15 pixels or more and got"),
    ],
)
def test_what_does_not_fit_is_refused(encoder, shape, message):
    with pytest.raises(ValueError, match=message):
        encoder.build(shape, 4)


def test_a_class_that_makes_no_module_is_refused():
    with pytest.raises(TypeError, match=r"no torch\.nn\.Module"):
        TorchEncoder(dict).build((3,), 4)


def test_an_encoder_without_a_network_says_so():
    with pytest.raises(TypeError, match="must define build"):
        Encoder().build((2,), 2)


@pytest.mark.parametrize(
    ("name", "side"),
    [("crops", 32), ("crops", 64), ("foldalex64x64", 64), ("foldresnet32x32", 32)],
)
def test_crops_fold_to_seven_by_seven_and_see_themselves_alone(name, side):
    module = ENCODERS[name](width=4).build((1, side, side), 5).eval()
    x = torch.randn(2, 1, side, side, generator=torch.Generator().manual_seed(0))
    before = module(x).local_map
    assert module(x).map_shape == (7, 7)
    x[:, :, 1, 1] += 10.0
    changed = (module(x).local_map - before).abs().sum((0, 2)) > 0
    assert changed.tolist() == [True] + [False] * 48


@pytest.mark.parametrize(
    ("name", "crop", "side", "fits"),
    [
        ("crops", 30, 28, "2 to 28"),
        ("foldalex64x64", 14, 64, "15 to 64"),
        ("foldalex64x64", None, 32, "15 to 32"),
        ("foldresnet32x32", 1, 32, "2 to 32"),
    ],
)
def test_crops_that_do_not_fit(name, crop, side, fits):
    with pytest.raises(ValueError, match=f"crop={crop} gives .* crops that fit have {fits}"):
        ENCODERS[name](crop=crop).build((1, side, side), 5)


def convolutions_of(module):
    """Channels in and out, kernel and stride of each convolution that is on no shortcut."""
    layers = ((n, m) for n, m in module.named_modules() if isinstance(m, nn.Conv2d))
    return [
        (m.in_channels, m.out_channels, m.kernel_size[0], m.stride[0])
        for name, m in layers
        if "shortcut" not in name
    ]


def test_the_papers_network_like_alexnet_on_crops():
    torch.manual_seed(0)
    module = ENCODERS["foldalex64x64"]().build((3, 64, 64), 64)
    sizes = [3, 96, 192, 384, 384, 192]
    on_crops = [(a, b, 3, 1) for a, b in itertools.pairwise(sizes)]
    assert convolutions_of(module) == [*on_crops, (192, 384, 3, 2)]
    linear = [m for m in module.modules() if isinstance(m, nn.Linear)]
    assert [m.weight.shape for m in linear] == [(4096, 384 * 9), (64, 4096)]
    drops = [m.p for m in module.modules() if isinstance(m, nn.Dropout | nn.Dropout2d)]
    assert drops == [0.1, 0.1]
    spreads = [m.weight.std().item() for m in (module.local_stage.layers[0][0], linear[0])]
    assert spreads == pytest.approx([0.02, 0.02], rel=0.05)


def test_the_papers_residual_network_on_crops():
    module = ENCODERS["foldresnet32x32"]().build((3, 32, 32), 64)
    found = convolutions_of(module)
    assert len(found) == 19
    assert found[0] == (3, 64, 3, 2)
    assert found[1:4] == [(64, 64, 1, 1), (64, 64, 3, 1), (64, 256, 1, 1)]
    assert [f for f in found[4:] if f[3] == 2] == [(128, 128, 3, 2), (256, 256, 3, 2)]
    assert found[-1] == (256, 1024, 1, 1)
    deep = ENCODERS["foldresnet32x32"](n_blocks=(3, 6, 3), width=2).build((3, 32, 32), 64)
    assert len(convolutions_of(deep)) == 37
    with torch.no_grad():
        encoding = module.eval()(torch.zeros(1, 3, 32, 32))
    assert (encoding.local_map.shape[1:], encoding.hidden.shape[1]) == ((49, 1024), 1024)


@pytest.mark.parametrize("n_blocks", [(2, 2), (2, 0, 2), (2, 2.5, 2)])
def test_blocks_of_stages_are_checked(n_blocks):
    with pytest.raises(ValueError, match="must have 3 whole numbers above 0"):
        ENCODERS["foldresnet32x32"](n_blocks=n_blocks).build((3, 32, 32), 4)


# A residual network, and maps of several depths -------------------------------------------------


def test_the_residual_network_is_resnet18_for_small_images():
    module = ENCODERS["resnet"]().build((3, 32, 32), 512)
    found = convolutions_of(module)
    assert len(found) == 17  # and the linear layer that others have at its end
    assert found[0] == (3, 64, 3, 1)
    assert [f for f in found if f[3] == 2] == [(64, 128, 3, 2), (128, 256, 3, 2), (256, 512, 3, 2)]
    assert sum(p.numel() for p in module.parameters()) == 11_168_832
    with torch.no_grad():
        encoding = module.eval()(torch.randn(2, 3, 32, 32))
    assert [m.shape[1:] for m in encoding.local_maps()] == [(64, 256), (16, 512)]
    torch.testing.assert_close(encoding.global_vector, encoding.further_maps[0].mean(1))
    assert torch.equal(encoding.global_vector, encoding.hidden)


@pytest.mark.parametrize("stages", [(3,), (4, 2), [1, 2, 3, 4]])
def test_local_maps_are_those_of_the_stages_asked_for(stages):
    module = ENCODERS["resnet"](width=2, local_stages=stages).build((3, 16, 16), 6)
    encoding = module(torch.randn(4, 3, 16, 16))
    shapes = {1: (256, 2), 2: (64, 4), 3: (16, 8), 4: (4, 16)}
    assert [m.shape[1:] for m in encoding.local_maps()] == [shapes[s] for s in stages]
    assert encoding.local_map is encoding.local_maps()[0]
    assert math.prod(encoding.map_shape) == shapes[stages[0]][0]
    halves = encoding.chunk(2)
    for half, rows in zip(halves, (slice(2), slice(2, 4)), strict=True):
        for part, whole in zip(half.local_maps(), encoding.local_maps(), strict=True):
            assert torch.equal(part, whole[rows])


@pytest.mark.parametrize("stages", [(), (3, 3), (0, 3), (5,), ("3",), ([3],)])
def test_stages_are_checked(stages):
    with pytest.raises(ValueError, match=r"must name some of the stages.*such as \(3, 4\)"):
        ENCODERS["resnet"](width=2, local_stages=stages).build((3, 16, 16), 6)


# The layers above the local map, once more ------------------------------------------------------

REPEATED = {
    "basic28x28": ((128, 7, 7), [(128, 128, 5, 2)], [128 * 16, 1024]),
    "basic32x32": ((128, 8, 8), [(128, 128, 4, 2), (128, 256, 4, 2)], [256 * 4, 1024]),
    "basic64x64": ((256, 8, 8), [(256, 256, 4, 2), (256, 512, 4, 2)], [512 * 4, 1024]),
    "alex64x64": (
        (384, 15, 15),
        [(384, 384, 3, 1), (384, 384, 3, 1), (384, 192, 3, 1)],
        [192 * 49, 4096, 4096],
    ),
}


@pytest.mark.parametrize("name", REPEATED)
def test_upper_layers_start_with_the_one_that_makes_the_map(name):
    shape, convolutions, inputs = REPEATED[name]
    upper = ENCODERS[name]().build_upper(shape, 10)
    assert convolutions_of(upper) == convolutions
    assert [m.in_features for m in upper.modules() if isinstance(m, nn.Linear)] == inputs
    with torch.no_grad():
        assert upper.eval()(torch.zeros(2, *shape)).shape == (2, 10)


@pytest.mark.parametrize("name", ENCODERS.keys() - REPEATED.keys())
def test_encoders_without_upper_layers_say_so(name):
    with pytest.raises(ValueError, match=r'no layers above.*DotCritic\(whole="dense"\)'):
        ENCODERS[name]().build_upper((4, 7, 7), 10)


# How locations lie, and what starts from data: protocols, not names -----------------------------


def test_an_encoding_says_how_its_locations_lie():
    local, vector = torch.zeros(2, 6, 3), torch.zeros(2, 4)
    fields = local, vector, vector, local.flatten(1)
    assert Encoding(*fields).grid() == (6,)
    assert Encoding(*fields, map_shape=(2, 3)).grid() == (2, 3)
    with pytest.raises(
        ValueError, match=r"map_shape=\(2, 2\) has a local map of 6 locations, not of 4"
    ):
        Encoding(*fields, map_shape=(2, 2)).grid()


def test_the_adapter_says_how_locations_lie():
    image, rows = torch.randn(2, 3, 16, 16), torch.randn(4, 6)
    assert TorchEncoder(Backbone(), "body").build((3, 16, 16), 12)(image).grid() == (4, 4)
    assert TorchEncoder(Pair(), tokens=True).build((6,), 5)(rows).grid() == (3,)
    net = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 5))
    assert TorchEncoder(net, "1").build((6,), 5)(rows).grid() == (1,)


class Namesake(nn.Module):
    """A user's network with everything that code might look for by its name."""

    pairs = "who is set against whom"
    map_shape = "wide"
    context = "in a sentence"
    flip = True

    def __init__(self):
        super().__init__()
        self.layer = nn.Conv2d(1, 4, 2, 2)
        self.prepared = 0

    def prepare(self):
        self.prepared += 1

    def forward(self, x):
        local = self.layer(x)
        return local, local.mean((2, 3))


class NamesakeEncoder(Encoder):
    kind = "image"

    def build(self, shape, n_components):
        class Network(Namesake):
            def forward(self, x):
                local, vector = super().forward(x)
                flat = local.flatten(2).transpose(1, 2)
                return Encoding(flat, vector, vector, flat.flatten(1), map_shape=local.shape[2:])

        return Network()


@pytest.mark.parametrize("encoder", [Namesake, TorchEncoder(Namesake), NamesakeEncoder()])
@pytest.mark.parametrize("context", [None, "blocks", "cpc"])
def test_names_in_a_network_of_ones_own_mean_nothing(encoder, context, digits):
    model = DeepInfoMaxTransformer(
        4, encoder=encoder, context=context, coordinates="both", max_epochs=1, random_state=0
    ).fit(digits[0][:40])
    assert np.isfinite(model.transform(digits[0][:40])).all()
    found = [m for m in model.net_.module_.modules() if isinstance(m, Namesake)]
    assert [m.prepared for m in found] == [0]
    assert model.net_.module_.coordinates.map_shape == (4, 4)


class Centred(DataDriven):
    def __init__(self, inner):
        super().__init__()
        self.inner = inner
        self.seen = []

    def prepare(self, x, views, generator):
        inner = isinstance(self.inner, Centred)
        assert not inner or self.inner.seen  # inner parts were asked first
        self.seen.append(tuple(x.shape))


def test_what_starts_from_data_is_asked_from_the_inside_out():
    network = Centred(nn.Sequential(Namesake(), inner := Centred(nn.Identity())))
    network.inner[0].inner = inner
    prepare(network, torch.zeros(5, 2), None, new_generator(0))
    assert network.seen == inner.seen == [(5, 2)]
    with pytest.raises(TypeError, match="prepare"):
        DataDriven()

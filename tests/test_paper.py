"""The paper's settings: networks, weights, adversary, optimizer, compared with its figures."""

import numpy as np
import pytest
import torch
from torch import nn

from sk_infomax import DeepInfoMaxTransformer
from sk_infomax._objectives import assemble
from sk_infomax._settings import settle
from sk_infomax.bounds import BOUNDS, InfoNCE
from sk_infomax.paper import ROWS, paper

WEIGHTS = {"DIM(L)": (0, 1, 0.1), "DIM(G)": (1, 0, 1), "DIM(L+G)": (0.5, 1, 0.1)}
QUICK = {"max_epochs": 1, "batch_size": 8, "random_state": 0, "device": "cpu"}


def images(n=16, side=32):
    return np.random.RandomState(0).randint(0, 256, (n, side, side, 3)).astype(np.uint8)


def widths(module):
    """Inputs and outputs of the layers of a network, in order."""
    layers = [m for m in module.modules() if isinstance(m, nn.Linear | nn.Conv2d)]
    return [tuple(layer.weight.shape[1::-1]) for layer in layers]


@pytest.fixture(scope="module")
def local():
    """DIM(L) after two steps."""
    return paper("DIM(L)", **QUICK).fit(images())


@pytest.mark.parametrize("row", WEIGHTS)
def test_weights(row):
    model = paper(row)
    assert (model.global_weight, model.local_weight, model.prior_weight) == WEIGHTS[row]


def test_encoder(local):
    encoder = local.net_.module_.encoder
    assert widths(encoder) == [(3, 64), (64, 128), (128, 256), (256 * 4 * 4, 1024), (1024, 64)]
    convolutions = [layer for layer in encoder.modules() if isinstance(layer, nn.Conv2d)]
    shapes = {(c.kernel_size, c.stride, c.padding) for c in convolutions}
    assert shapes == {((4, 4), (2, 2), (1, 1))}
    assert local.layout_.shape == (32, 32, 3)
    encoding = encoder(torch.zeros(2, 3, 32, 32))
    assert encoding.local_map.shape == (2, 8 * 8, 128)
    assert encoding.global_vector.shape == (2, 64)
    # Batch normalisation and ReLU after every layer but the last.
    norms = [
        m.num_features for m in encoder.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)
    ]
    assert norms == [64, 128, 256, 1024]
    assert sum(isinstance(m, nn.ReLU) for m in encoder.modules()) == 4


def test_critic(local):
    critic = local.net_.module_.terms["local"].critic
    for side, size in ((critic.global_net, 64), (critic.local_net, 128)):
        assert widths(side) == [(size, 2048), (2048, 2048), (size, 2048)]
        assert isinstance(side[-1], nn.LayerNorm)
    assert (critic.unit_length, critic.scale) == (False, 1.0)
    start = paper().critic.build(64, 128).local_net[0].shortcut.weight
    assert torch.equal(start[:128].diagonal(), torch.ones(128))
    assert (start - torch.eye(2048, 128)).abs().max() <= 0.01
    pairs = paper(critic="concat").critic
    assert (pairs.hidden, pairs.depth) == (512, 2)


@pytest.mark.parametrize(
    ("side", "expected"),
    [
        (28, [(128, 128), (128 * 16, 1024), (1024, 2048)]),
        (32, [(128, 128), (128, 256), (256 * 4, 1024), (1024, 2048)]),
    ],
)
def test_critic_of_the_whole_map(side, expected):
    model = paper("DIM(G)", image_size=side)
    parts, layout = settle(model, images(4, side))
    critic = assemble(parts, layout.network_shape)[0].terms["global"].critic
    assert widths(critic.local_net) == expected
    assert widths(critic.global_net) == [(64, 2048)]
    assert (critic.unit_length, critic.scale) == (False, 1.0)


def test_adversary(local):
    match = local.net_.module_.prior
    assert widths(match.discriminator) == [(64, 1000), (1000, 200), (200, 1)]
    assert match.prior.gradient_penalty == 1.0
    vectors = torch.randn(1000, 64)
    draws = match.prior.sample(vectors, torch.Generator().manual_seed(0))
    assert torch.equal(match.prior.squash(vectors), vectors.sigmoid())
    assert 0 <= draws.min() < 0.001 < 0.999 < draws.max() <= 1


def test_optimizer(local):
    for name in ("optimizer_", "optimizer_adversary_"):
        optimizer = getattr(local.net_, name)
        (group,) = optimizer.param_groups
        assert isinstance(optimizer, torch.optim.Adam)
        assert (group["lr"], group["betas"], group["weight_decay"]) == (1e-4, (0.5, 0.999), 0)
    model = paper()
    assert (model.batch_size, model.lr_schedule, model.max_epochs) == (64, "constant", 1000)
    assert paper(image_size=64).max_epochs == 200


def test_images_are_brought_to_the_papers_range(local):
    scaled = local._fitted.scaling.apply(np.array([0, 255] * 1536, np.uint8).reshape(1, 32, 32, 3))
    assert (scaled.min().item(), scaled.max().item()) == (-1.0, 1.0)


@pytest.mark.parametrize("bound", ["dv", "jsd", "infonce"])
def test_bounds(bound):
    given = paper(bound=bound).bound
    assert given == bound if bound != "infonce" else isinstance(given, InfoNCE)
    if bound == "infonce":
        assert given.anchor == "global"
    assert bound in BOUNDS


@pytest.mark.parametrize("side", [28, 32, 64])
def test_encoders_for_sizes(side):
    names = {28: "basic28x28", 32: "basic32x32", 64: "alex64x64"}
    assert paper(image_size=side).encoder == names[side]


OPTIONS = [
    ("DIM(L)", {"bound": "infonce", "coordinates": "both", "occlusion": 0.5}),
    ("DIM(L)", {"bound": "infonce", "crops": True}),
    ("DIM(L)", {"bound": "infonce", "several": True}),
    ("DIM(L)", {"bound": "dv", "critic": "concat"}),
    ("DIM(L+G)", {}),
    ("DIM(G)", {"bound": "jsd"}),
    ("CPC", {}),
]


@pytest.mark.parametrize(("row", "options"), OPTIONS)
def test_rows_and_options_are_trained(row, options):
    model = paper(row, **options, **QUICK)
    if "critic" not in options:
        model.set_params(critic__units=16, critic__hidden=16)
    if model.encoder == "foldresnet32x32":
        model.set_params(encoder__width=4)
    features = model.fit(images(8)).transform(images(3))
    assert features.shape == (3, 192 if options.get("several") else 64)
    assert np.isfinite(features).all()
    assert isinstance(model, DeepInfoMaxTransformer)
    terms = {name for name in model.history_[0] if name.startswith("train_")}
    assert ("train_global" in terms) == (model.global_weight > 0)
    assert ("train_coordinates" in terms) == (options.get("coordinates") is not None)
    assert ("train_prior" in terms) == (row != "CPC" and not {"several", "crops"} & options.keys())


def test_comparison_with_cpc():
    for row, options in (("CPC", {}), ("DIM(L)", {"crops": True}), ("DIM(L)", {"several": True})):
        model = paper(row, "infonce", **options)
        assert model.encoder == "foldresnet32x32"
        assert model.prior is None
        assert isinstance(model.bound, InfoNCE)
        assert (model.critic.units, model.critic.whole) == (1024, "dense")
    assert paper("DIM(L)", crops=True, image_size=64).encoder == "foldalex64x64"
    assert paper("CPC").context.kind == "gru"


def test_several_global_vectors():
    model = paper("DIM(L)", "infonce", several=True, image_size=64)
    parts, layout = settle(model, images(2, 64))
    module, example = assemble(parts, layout.network_shape)
    assert example.global_vector.shape == (1, 25, 192)
    context = module.encoder.context
    assert widths(context) == [(192, 192), (192, 192)]
    blocks = context(torch.randn(4, 192, 7, 7))
    assert blocks.shape == (4, 25, 192)
    assert blocks.min() == 0  # a ReLU is last
    first = module.encoder.encoder.layers[0][0].weight  # torch's first weights, not of 0.02
    assert first.std().item() == pytest.approx((3 * 3 * 3) ** -0.5 / 3**0.5, rel=0.1)


def test_other_parameters_take_the_place_of_the_papers():
    model = paper("DIM(L)", max_epochs=3, prior=None, n_components=7)
    assert (model.max_epochs, model.prior, model.n_components) == (3, None, 7)


def test_a_fit_is_saved_and_loaded(local, tmp_path):
    local.save(tmp_path / "dim.safetensors")
    again = DeepInfoMaxTransformer.load(tmp_path / "dim.safetensors")
    np.testing.assert_array_equal(again.transform(images(3)), local.transform(images(3)))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"row": "DIM"}, r"row='DIM' is not in the paper: use one of \['DIM\(L\)'"),
        ({"critic": "gated"}, "critic='gated' is not in the paper"),
        ({"image_size": 96}, "image_size=96 is not in the paper"),
        ({"row": "CPC", "several": True}, "CPC has contexts of its own"),
        ({"image_size": 28, "crops": True}, r"no network on crops for image_size=28.*\[32, 64\]"),
        ({"row": "DIM(G)", "several": True}, r"no critic of the whole map for DIM\(G\)"),
    ],
)
def test_what_the_paper_does_not_have_is_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        paper(**wrong)


def test_rows_are_documented():
    for row in ROWS:
        assert f'"{row}"' in paper.__doc__

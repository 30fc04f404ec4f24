"""Views: shapes, own randomness, and what each change does and leaves alone."""

import pytest
import torch

from sk_infomax.views import VIEWS, Augmentation, ImageViews, Occlusion, SeriesViews, TableViews

STILL = {"crop": 1.0, "contrast": 0.0}
BATCHES = {
    "table": (20, 6),
    "series": (20, 2, 30),
    "image": (20, 3, 12, 10),
    "occlusion": (20, 3, 12, 10),
}


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def batch(shape):
    return torch.randn(shape, generator=generator(9))


@pytest.mark.parametrize("kind", VIEWS)
def test_views_are_new_random_and_repeatable(kind):
    views, x = VIEWS[kind](), batch(BATCHES[kind])
    before = x.clone()
    state = torch.get_rng_state()
    first, again, other = views(x, generator(0)), views(x, generator(0)), views(x, generator(1))
    assert first.shape == x.shape
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(x, before)
    assert torch.equal(state, torch.get_rng_state())


@pytest.mark.parametrize("kind", VIEWS)
def test_samples_of_a_batch_change_differently(kind):
    x = batch(BATCHES[kind])[:1].expand(BATCHES[kind])
    changed = VIEWS[kind](0.5)(x if kind != "table" else batch(BATCHES[kind]), generator())
    assert len(torch.unique(changed.flatten(1), dim=0)) > 10


def test_nothing_asked_nothing_changed():
    x = batch((4, 1, 8, 8))
    assert torch.equal(ImageViews(**STILL)(x, generator()), x)
    s = batch((4, 1, 8))
    assert torch.equal(SeriesViews(crop=1.0, scale=0.0, noise=0.0)(s, generator()), s)


def test_crop_stays_within_the_image():
    ramp = torch.linspace(-1, 1, 16).expand(50, 1, 16, 16)
    out = ImageViews(crop=0.3, aspect=0.5, contrast=0.0)(ramp, generator())
    assert out.min() >= -1
    assert out.max() <= 1
    steps = out[:, 0, 8, 1:] - out[:, 0, 8, :-1]
    assert (steps >= -1e-6).all()  # never mirrored
    spans = out[:, 0, 8, -1] - out[:, 0, 8, 0]
    assert spans.min() < 1.5
    assert spans.max() <= 2.0


def test_crop_keeps_the_area_it_promises():
    ramp = torch.linspace(-1, 1, 64).expand(400, 1, 64, 64)
    out = ImageViews(crop=0.4, aspect=0.0, contrast=0.0)(ramp, generator())
    widths = (out[:, 0, 32, -1] - out[:, 0, 32, 0]) / (ramp[0, 0, 0, -1] - ramp[0, 0, 0, 0])
    assert widths.min() >= 0.4**0.5 - 0.03
    assert widths.max() > 0.95


def test_shift_moves_beyond_the_border():
    image = torch.zeros(60, 1, 9, 9)
    image[:, :, 4, 4] = 1.0
    out = ImageViews(crop=1.0, shift=0.4, contrast=0.0)(image, generator())
    rows = out.amax(3)[:, 0].argmax(1)
    assert rows.min() < 3
    assert rows.max() > 5


def test_flip_mirrors_half_of_the_images_left_to_right():
    image = batch((1, 1, 6, 6)).expand(200, 1, 6, 6)
    out = ImageViews(crop=1.0, flip=True, contrast=0.0)(image, generator())
    same = torch.isclose(out, image, atol=1e-5).flatten(1).all(1)
    mirrored = torch.isclose(out, image.flip(3), atol=1e-5).flatten(1).all(1)
    assert (same | mirrored).all()
    assert 60 < mirrored.sum() < 140


def test_contrast_and_brightness_are_one_number_for_each_image():
    x = batch((30, 2, 5, 5))
    ratio = ImageViews(crop=1.0, contrast=0.3)(x, generator()) / x
    assert torch.allclose(ratio, ratio[:, :1, :1, :1].expand_as(ratio), atol=1e-4)
    assert 0.69 < ratio.min() < 0.85 < 1.15 < ratio.max() < 1.31
    added = ImageViews(**STILL, brightness=0.5)(x, generator()) - x
    assert torch.allclose(added, added[:, :1, :1, :1].expand_as(added), atol=1e-5)
    assert -0.51 < added.min() < -0.3 < 0.3 < added.max() < 0.51


def test_occlusion_covers_one_rectangle():
    x = torch.ones(400, 2, 10, 8)
    out = ImageViews(**STILL, occlusion=0.5)(x, generator())
    covered = out == 0
    assert (covered.flatten(1).sum(1) == 2 * 5 * 4).all()
    assert torch.equal(covered[:, 0], covered[:, 1])
    assert covered[:, 0].flatten(1).any(0).all()


def test_table_views_replace_entries_from_the_same_column():
    x = torch.arange(1000.0)[:, None] + torch.tensor([0.0, 1e4, 2e4])
    out = TableViews(rate=0.3)(x, generator())
    assert torch.equal((out / 1e4).floor(), torch.tensor([0.0, 1.0, 2.0]).expand_as(out))
    assert (out != x).float().mean().item() == pytest.approx(0.3, abs=0.05)


def test_series_windows_stay_within_the_series():
    ramp = torch.linspace(-1, 1, 50).expand(60, 1, 50)
    out = SeriesViews(crop=0.3, scale=0.0, noise=0.0)(ramp, generator())
    assert out.abs().max() <= 1
    assert (out[:, 0, 1:] - out[:, 0, :-1] >= -1e-6).all()
    assert (out[:, 0, -1] - out[:, 0, 0]).min() < 1.0


def test_an_augmentation_without_a_rule_says_so():
    with pytest.raises(TypeError, match="must define __call__"):
        Augmentation()(torch.zeros(2, 2), generator())


@pytest.mark.parametrize("kind", ["table", "series", "image"])
@pytest.mark.parametrize("shape", ["block", "scattered"])
def test_occlusion_hides_its_part_in_all_channels(kind, shape):
    x = batch((2000, *BATCHES[kind][1:])) + 10
    hidden = Occlusion(0.5, shape)(x, generator()) == 0
    axes = x.dim() - (1 if kind == "table" else 2)
    assert hidden.float().mean().item() == pytest.approx(0.5**axes, abs=0.02)
    if kind != "table":
        assert (hidden.all(1) == hidden.any(1)).all()
    if shape == "block":
        lines = {"table": hidden, "series": hidden[:, 0], "image": hidden[:, 0].any(-1)}[kind]
        edges = (lines[:, 1:] != lines[:, :-1]).sum(1)
        assert edges.max() <= 2


def test_every_place_is_hidden_by_some_block():
    hidden = Occlusion(0.3)(torch.ones(500, 1, 9, 9), generator()) == 0
    assert hidden.any(0).all()


def test_views_say_whether_they_mirror():
    assert ImageViews(flip=True).mirrors
    assert not any(views().mirrors for views in VIEWS.values())

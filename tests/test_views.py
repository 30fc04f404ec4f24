"""Views: shapes, own randomness, and what each change does and leaves alone."""

import pytest
import torch

from sk_infomax.views import (
    VIEWS,
    Augmentation,
    ColourViews,
    FunctionViews,
    ImageViews,
    Occlusion,
    SeriesViews,
    TableViews,
)

STILL = {"crop": 1.0, "contrast": 0.0}
BATCHES = {
    "table": (20, 6),
    "series": (20, 2, 30),
    "image": (20, 3, 12, 10),
    "colour": (20, 3, 12, 10),
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


# Colours ----------------------------------------------------------------------------------------

LUMA = torch.tensor([0.299, 0.587, 0.114])
PLAIN = {"jittered": 0.0, "grey": 0.0}
LAWS = [
    ColourViews(),
    ColourViews(jitter=0.8, hue=0.5, jittered=1.0),
    ColourViews(**PLAIN, blur=0.5),
    ColourViews(**PLAIN, solarise=0.5),
    ColourViews(blur=0.3, solarise=0.3),
    ImageViews(colour=0.4),
    ImageViews(colour=ColourViews(blur=1.0), occlusion=0.3),
]


def grey_of(x):
    return torch.einsum("c,nchw->nhw", LUMA, x)


@pytest.mark.parametrize("views", LAWS, ids=str)
@pytest.mark.parametrize("channels", [1, 3])
def test_colours_change_by_our_generator_alone(views, channels):
    x, state = batch((12, channels, 9, 7)), torch.get_rng_state()
    before = x.clone()
    first, again, other = (views(x, generator(seed)) for seed in (0, 0, 1))
    assert first.shape == x.shape
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(x, before)
    assert torch.equal(state, torch.get_rng_state())


def test_an_image_is_changed_whatever_its_neighbours_are():
    x = batch((12, 3, 9, 7))
    views = ColourViews(jittered=1.0, blur=0.5, solarise=0.5)
    changed = views(x, generator())
    others = torch.cat([x[:6], batch((6, 3, 9, 7)) * 3])
    torch.testing.assert_close(views(others, generator())[:6], changed[:6])


def test_jitter_is_what_its_definition_says_pixel_by_pixel():
    """Brightness, hue and saturation, then contrast about the mean grey, in [0, 1]."""
    x = batch((40, 3, 5, 4)).clamp(-1, 1)
    views = ColourViews(jitter=0.5, hue=0.0, jittered=1.0, grey=0.0)
    changed = (views(x, generator()) + 1) / 2
    draws = generator()
    numbers = [torch.rand(40, generator=draws) for _ in range(4)]
    light = (x + 1) / 2
    for image in range(40):
        bright, contrast, saturation = (0.5 + number[image] for number in numbers[1:])
        grey = (LUMA[:, None, None] * light[image]).sum(0)
        coloured = bright * (grey + saturation * (light[image] - grey))
        expected = contrast * coloured + (1 - contrast) * bright * grey.mean()
        torch.testing.assert_close(changed[image], expected, atol=1e-4, rtol=0)


def test_hue_keeps_grey_and_the_strength_of_colours():
    x = batch((30, 3, 6, 6))
    turned = ColourViews(jitter=0.0, hue=0.5, jittered=1.0, grey=0.0)(x, generator())
    torch.testing.assert_close(grey_of(turned), grey_of(x), atol=1e-4, rtol=0)
    plain = torch.randn(4, 1, 6, 6).expand(4, 3, 6, 6)  # without a colour there is none to turn
    still = ColourViews(jitter=0.0, hue=0.5, jittered=1.0)(plain, generator())
    torch.testing.assert_close(still, plain, atol=1e-3, rtol=0)
    assert not torch.allclose(turned, x, atol=0.1)


def test_part_of_the_images_is_jittered_grey_blurred_solarised():
    x = batch((600, 3, 8, 8))
    grey = ColourViews(jittered=0.0, grey=0.3)(x, generator())
    without = (grey - grey[:, :1]).abs().flatten(1).amax(1) < 1e-5
    assert without.float().mean().item() == pytest.approx(0.3, abs=0.06)
    torch.testing.assert_close(grey[~without], x[~without], atol=1e-4, rtol=0)
    torch.testing.assert_close(grey[without][:, 0], grey_of(x)[without], atol=1e-4, rtol=0)
    for setting in ("blur", "solarise", "jittered"):
        changed = ColourViews(**PLAIN | {setting: 0.3})(x, generator())
        moved = (changed - x).abs().flatten(1).amax(1) > 1e-3
        assert moved.float().mean().item() == pytest.approx(0.3, abs=0.06)
    folded = ColourViews(**PLAIN, solarise=1.0)(x, generator())
    assert torch.equal(folded, -x.abs())


def test_blur_is_a_gaussian_of_each_image():
    x = torch.zeros(50, 2 + 1, 64, 64)
    x[:, :, 32, 32] = 1.0
    blurred = ColourViews(**PLAIN, blur=1.0)(x, generator())
    total = blurred.sum((2, 3))
    torch.testing.assert_close(total, torch.ones_like(total))
    torch.testing.assert_close(blurred, blurred.transpose(2, 3))
    rows = blurred[:, 0].sum(2)[:, 29:36]  # the taps of 5 % of the side
    sigma = 1 / (2 * (rows[:, 3] / rows[:, 4]).log()).sqrt()
    kernel = torch.exp(-0.5 * (torch.arange(-3, 4) / sigma[:, None]).square())
    torch.testing.assert_close(rows, kernel / kernel.sum(1, keepdim=True), atol=1e-5, rtol=0)
    assert 0.1 < sigma.min() < 0.4 < 1.6 < sigma.max() < 2.0
    flat = torch.full((5, 1, 9, 9), 0.7)
    torch.testing.assert_close(ColourViews(**PLAIN, blur=1.0)(flat, generator()), flat)


def test_nothing_asked_of_colours_nothing_changed():
    x = batch((6, 3, 8, 8))
    assert torch.equal(ColourViews(**PLAIN)(x, generator()), x)
    assert torch.equal(ImageViews(**STILL, colour=None)(x, generator()), x)
    still = ColourViews(jitter=0.0, grey=0.0)(x, generator())
    torch.testing.assert_close(still, x, atol=1e-4, rtol=0)


def test_a_number_is_the_jitter():
    x = batch((6, 3, 8, 8))
    by_number = ImageViews(**STILL, colour=0.3)(x, generator())
    assert torch.equal(by_number, ColourViews(0.3)(x, generator()))


@pytest.mark.parametrize("channels", [2, 4])
def test_images_without_colours_are_refused(channels):
    with pytest.raises(ValueError, match=f"red, green and blue, and got {channels} channels"):
        ColourViews()(batch((3, channels, 8, 8)), generator())


# Functions --------------------------------------------------------------------------------------


def test_functions_see_samples_or_batches():
    x, seen = batch((5, 2, 4, 3)), []
    for batched, shapes in ((False, [(2, 4, 3)] * 5), (True, [(5, 2, 4, 3)])):
        seen.clear()
        views = FunctionViews(lambda given: seen.append(tuple(given.shape)) or 2 * given, batched)
        assert torch.equal(views(x, generator()), 2 * x)
        assert seen == shapes


@pytest.mark.parametrize("batched", [False, True])
def test_functions_may_write_into_what_they_get(batched):
    x = batch((5, 2, 4, 3))
    before = x.clone()
    views = FunctionViews(lambda given: given.add_(1.0), batched)
    torch.testing.assert_close(views(x, generator()), before + 1)
    assert torch.equal(x, before)


def test_functions_are_handed_the_generator_if_they_ask():
    def noisy(x, *, generator):
        return x + torch.rand(x.shape, generator=generator)

    x, state = batch((5, 3)), torch.get_rng_state()
    views = FunctionViews(noisy)
    assert torch.equal(views(x, generator(3)), views(x, generator(3)))
    assert not torch.equal(views(x, generator(3)), views(x, generator(4)))
    assert torch.equal(state, torch.get_rng_state())


class Noisy(torch.nn.Module):
    def forward(self, x, generator=None):
        return x + torch.rand(x.shape, generator=generator)


def test_modules_are_handed_the_generator_if_their_forward_asks():
    x, state = batch((5, 3)), torch.get_rng_state()
    views = FunctionViews(Noisy())
    assert torch.equal(views(x, generator(3)), views(x, generator(3)))
    assert torch.equal(state, torch.get_rng_state())


def test_a_large_mean_takes_nothing_from_what_is_not_changed():
    x = batch((6, 4))
    in_units = FunctionViews(torch.clone).in_units(torch.tensor(1e9), torch.tensor(1e-3))
    assert torch.equal(in_units(x, generator()), x)


def test_functions_in_units_see_the_values_of_x():
    x, seen = batch((4, 2, 3, 3)), []
    mean, scale = torch.tensor([1.0, 2.0])[:, None, None], torch.tensor([3.0, 0.5])[:, None, None]
    views = FunctionViews(lambda given: seen.append(given) or given + 1.0, True, mirrored=True)
    in_units = views.in_units(mean, scale)
    torch.testing.assert_close(in_units(x, generator()), x + 1 / scale)
    torch.testing.assert_close(seen[0], x * scale + mean)
    assert in_units.mirrors
    plain = ImageViews()
    assert plain.in_units(mean, scale) is plain


def test_functions_build_no_graph():
    layer = torch.nn.Conv2d(3, 3, 1)
    assert not FunctionViews(layer, batched=True)(batch((4, 3, 5, 5)), generator()).requires_grad


WRONG = {
    "returned a ndarray for a sample of shape": lambda x: x.numpy(),
    "returned a NoneType for a sample": lambda x: None,
    r"shape \(1, 2, 4, 3\) for a sample of shape \(2, 4, 3\).*batched=True": lambda x: x[None],
    r"shape \(2, 2, 3\) for a sample of shape \(2, 4, 3\)": lambda x: x[:, ::2],
    r"returned torch.float64 on cpu.*view\.to\(x\)": lambda x: x.double(),
    r"returned torch.uint8 on cpu": lambda x: x.to(torch.uint8),
}


@pytest.mark.parametrize("message", WRONG)
def test_what_a_function_may_not_return(message):
    with pytest.raises((TypeError, ValueError), match=f"The augmentation <lambda> .*{message}"):
        FunctionViews(WRONG[message])(batch((5, 2, 4, 3)), generator())

"""Folders of pictures: any sizes and modes, classes or none, what is kept, and what is broken."""

import json
import os
from pathlib import Path

import joblib
import numpy as np
import pytest

from sk_infomax.datasets import load_image_folder

Image = pytest.importorskip("PIL.Image")


def draw(height, width, *channels, seed=0):
    shape = (height, width, *channels)
    return np.random.RandomState(seed).randint(0, 256, shape).astype(np.uint8)


def save(path, array, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path, **options)


@pytest.fixture
def classes(tmp_path):
    """Two classes of three pictures, one of them deeper, of several formats, and other files."""
    folder = tmp_path / "pictures"
    for number, name in enumerate(
        ["cat/a.png", "cat/b.JPG", "cat/deep/c.webp", "dog/a.bmp", "dog/b.tiff", "dog/c.gif"]
    ):
        save(folder / name, np.full((20 + number, 30, 3), 40 * number, np.uint8))
    (folder / "cat" / "notes.txt").write_text("no picture")
    (folder / "cat" / "._a.png").write_text("no picture either")
    (folder / ".hidden").mkdir()
    (folder / ".hidden" / "a.png").write_text("nor this")
    (folder / "empty").mkdir()
    return folder


def levels(images):
    return images.reshape(len(images), -1).mean(axis=1).round().astype(int).tolist()


def test_sub_folders_are_classes(classes):
    bunch = load_image_folder(classes, 8)
    assert bunch.images.shape == (6, 8, 8, 3)
    assert bunch.images.dtype == np.uint8
    assert levels(bunch.images) == [0, 40, 80, 120, 160, 200]
    assert bunch.target.tolist() == [0, 0, 0, 1, 1, 1]
    assert bunch.target.dtype == np.int64
    assert bunch.target_names == ["cat", "dog"]
    assert bunch.filenames.tolist()[:3] == ["cat/a.png", "cat/b.JPG", "cat/deep/c.webp"]
    assert bunch.broken == {}
    X, y = load_image_folder(str(classes), np.int64(8), return_X_y=True)
    np.testing.assert_array_equal(X, bunch.images)
    np.testing.assert_array_equal(y, bunch.target)


def test_a_folder_of_pictures_alone_has_no_classes(classes):
    for bunch in (
        load_image_folder(classes / "dog", 8),
        load_image_folder(classes, 8, classes=False),
    ):
        assert set(bunch.target) == {-1}
        assert bunch.target_names == []
    assert len(bunch.images) == 6


def test_links_are_followed_once(classes, tmp_path):
    (tmp_path / "subset").mkdir()
    (tmp_path / "subset" / "dog").symlink_to(classes / "dog")
    (classes / "dog" / "round").symlink_to(tmp_path / "subset")
    bunch = load_image_folder(tmp_path / "subset", 8)
    assert levels(bunch.images) == [120, 160, 200]
    assert bunch.target_names == ["dog"]


def test_pictures_beside_classes_are_an_error(classes):
    save(classes / "loose.png", draw(9, 9, 3))
    with pytest.raises(ValueError, match=r"1 pictures \(loose.png, ...\) beside .* classes=False"):
        load_image_folder(classes, 8)
    assert len(load_image_folder(classes, 8, classes=False).images) == 7


def test_pictures_of_the_size_stay_as_they_are(tmp_path):
    array = draw(16, 16, 3)
    save(tmp_path / "a.png", array)
    np.testing.assert_array_equal(load_image_folder(tmp_path, 16).images[0], array)


@pytest.mark.parametrize("wide", [True, False])
def test_the_middle_is_cut_out(tmp_path, wide):
    array = np.zeros((16, 48, 3), np.uint8)
    array[:, 16:32] = draw(16, 16, 3)
    save(tmp_path / "a.png", array if wide else array.transpose(1, 0, 2))
    image = load_image_folder(tmp_path, 16).images[0]
    expected = array[:, 16:32] if wide else array[:, 16:32].transpose(1, 0, 2)
    np.testing.assert_array_equal(image, expected)


@pytest.mark.parametrize("wide", [True, False])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_all_of_a_picture_can_be_kept(tmp_path, wide, mode):
    array = draw(8, 16, 3) if mode == "RGB" else draw(8, 16, 3)[..., 0]
    save(tmp_path / "a.png", array if wide else np.swapaxes(array, 0, 1))

    def read(resize):
        image = load_image_folder(tmp_path, 16, mode=mode, resize=resize).images[0]
        return image if wide else np.swapaxes(image, 0, 1)

    whole, stretched = read("pad"), read("stretch")
    np.testing.assert_array_equal(whole[4:12], array)
    assert (whole[:4] == array[:1]).all()
    assert (whole[12:] == array[-1:]).all()
    halves = stretched.reshape(8, 2, *array.shape[1:]).mean(1)
    assert np.abs(halves - array).mean() < 0.15 * array.std()


def test_pictures_are_resized_without_aliasing(tmp_path):
    stripes = np.tile(np.array([0, 255], np.uint8), (64, 32))
    save(tmp_path / "a.png", stripes)
    image = load_image_folder(tmp_path, 8, mode="L").images[0]
    assert np.abs(image.astype(int) - 128).max() < 16


def test_large_jpegs_are_read_alike(tmp_path):
    ramp = np.linspace(0, 255, 1024).astype(np.uint8)
    array = np.dstack(
        [
            np.tile(ramp, (512, 1)),
            np.tile(ramp[::2, None], (1, 1024)),
            np.full((512, 1024), 9, np.uint8),
        ]
    )
    for ending in (".png", ".jpg"):
        save(tmp_path / ending[1:] / f"a{ending}", array)
    one, other = load_image_folder(tmp_path, 32).images.astype(int)
    assert np.abs(one - other).max() <= 6


def test_pictures_are_turned_upright(tmp_path):
    array = np.zeros((16, 16, 3), np.uint8)
    array[:8] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera lay on its side
    save(tmp_path / "a.png", array, exif=exif)
    image = load_image_folder(tmp_path, 16).images[0]
    np.testing.assert_array_equal(image, np.rot90(array, -1))


MODES = {
    "1": (np.array([[True, False]]), [255, 0]),
    "L": (np.array([[9, 200]], np.uint8), [9, 200]),
    "LA": (np.array([[[9, 255], [9, 0]]], np.uint8), [9, 255]),
    "RGBA": (np.array([[[9, 9, 9, 255], [9, 9, 9, 0]]], np.uint8), [9, 255]),
    "I;16": (np.array([[256 * 9, 256 * 200 + 255]], np.uint16), [9, 200]),
    "I": (np.array([[-5, 5]], np.int32), [0, 255]),
    "F": (np.array([[0.25, 0.75]], np.float32), [0, 255]),
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("into", ["RGB", "L"])
def test_every_mode_is_read(tmp_path, mode, into):
    values, expected = MODES[mode]
    save(tmp_path / "a.tiff", values.repeat(8, axis=0).repeat(4, axis=1))
    image = load_image_folder(tmp_path, 8, mode=into).images[0]
    assert image.shape == {"RGB": (8, 8, 3), "L": (8, 8)}[into]
    ends = image.reshape(8, 8, -1)[:, [0, -1]]
    np.testing.assert_allclose(
        ends, np.broadcast_to(np.array(expected)[:, None], ends.shape), atol=16
    )


@pytest.mark.parametrize("mode", ["CMYK", "YCbCr", "P"])
def test_colours_are_read_from_other_modes(tmp_path, mode):
    red = Image.new("RGB", (8, 8), (200, 30, 30)).convert(mode)
    red.save(tmp_path / "a.tiff")
    colour = load_image_folder(tmp_path, 8).images[0].mean(axis=(0, 1))
    np.testing.assert_allclose(colour, [200, 30, 30], atol=12)


def test_palettes_may_be_transparent(tmp_path):
    picture = Image.new("P", (8, 8), 0)
    picture.putpalette([255, 0, 0, 0, 255, 0])
    picture.save(tmp_path / "a.png", transparency=0)
    assert load_image_folder(tmp_path, 8).images.min() == 255


# Broken files ------------------------------------------------------------------------------------


@pytest.fixture
def damaged(classes):
    """The folder with an empty file, text and half a picture among six that are whole."""
    (classes / "cat" / "empty.png").touch()
    (classes / "dog" / "text.jpg").write_text("<html>404</html>")
    save(classes / "dog" / "half.png", draw(64, 64, 3))
    whole = (classes / "dog" / "half.png").read_bytes()
    (classes / "dog" / "half.png").write_bytes(whole[: len(whole) // 2])
    return classes


BROKEN = {"cat/empty.png", "dog/half.png", "dog/text.jpg"}


def test_broken_files_are_named_in_one_error(damaged):
    with pytest.raises(ValueError, match="3 of 9 pictures") as caught:
        load_image_folder(damaged, 8)
    assert [name for name in BROKEN if name not in str(caught.value)] == []
    assert "broken='skip'" in str(caught.value)
    assert str(caught.value).count(str(damaged)) == 1


def test_broken_files_are_skipped_on_request(damaged):
    bunch = load_image_folder(damaged, 8, broken="skip")
    assert set(bunch.broken) == BROKEN
    assert levels(bunch.images) == [0, 40, 80, 120, 160, 200]
    assert bunch.target.tolist() == [0, 0, 0, 1, 1, 1]
    assert not BROKEN & set(bunch.filenames)


def test_of_many_broken_files_some_are_named(tmp_path):
    for number in range(30):
        (tmp_path / f"{number}.png").touch()
    for broken in ("raise", "skip"):
        with pytest.raises(ValueError, match="30 of 30 pictures") as caught:
            load_image_folder(tmp_path, 8, broken=broken)
        assert "and 20 more" in str(caught.value)


# Processes and what is kept ----------------------------------------------------------------------


def test_several_processes_read_the_same(damaged, monkeypatch):
    monkeypatch.setattr("sk_infomax.datasets._albums._GO", 2)
    monkeypatch.setattr("sk_infomax.datasets._albums._GOES", 1)
    monkeypatch.setattr("sk_infomax.datasets._albums._START", 0.0)
    asked = []
    real = joblib.Parallel
    counting = lambda n_jobs: asked.append(n_jobs) or real(n_jobs=n_jobs)  # noqa: E731
    monkeypatch.setattr("sk_infomax.datasets._albums.Parallel", counting)
    alone, together = (
        load_image_folder(damaged, 8, n_jobs=n_jobs, broken="skip") for n_jobs in (None, 2)
    )
    np.testing.assert_array_equal(alone.images, together.images)
    assert alone.broken == together.broken
    assert alone.filenames.tolist() == together.filenames.tolist()
    monkeypatch.setattr("sk_infomax.datasets._albums._START", 60.0)
    load_image_folder(damaged, 8, n_jobs=2, broken="skip")
    assert asked == [None, 2, 1]


def count_reading(monkeypatch):
    calls = []
    from sk_infomax.datasets import _albums

    real = _albums.read_picture
    monkeypatch.setattr(_albums, "read_picture", lambda *args: calls.append(1) or real(*args))
    return calls


@pytest.mark.parametrize("broken", ["raise", "skip"])
def test_images_are_kept_in_a_file(request, monkeypatch, tmp_path, broken):
    folder = request.getfixturevalue("classes" if broken == "raise" else "damaged")
    calls = count_reading(monkeypatch)
    cache, plain = tmp_path / "deep" / "kept.npy", load_image_folder(folder, 8, broken=broken)
    del calls[:]
    first = load_image_folder(folder, 8, broken=broken, cache=cache)
    assert len(calls) == len(plain.images) + len(plain.broken)
    again = load_image_folder(folder, 8, broken=broken, cache=str(cache))
    assert len(calls) == len(plain.images) + len(plain.broken)
    for bunch in (first, again):
        assert isinstance(bunch.images, np.memmap)
        assert not bunch.images.flags.writeable
        np.testing.assert_array_equal(bunch.images, plain.images)
        np.testing.assert_array_equal(bunch.target, plain.target)
        assert bunch.broken == plain.broken
    assert sorted(path.name for path in cache.parent.iterdir()) == ["kept.npy", "kept.npy.json"]
    np.testing.assert_array_equal(np.load(cache), plain.images)


def change_a_picture(folder):
    save(folder / "cat" / "a.png", np.full((20, 30, 3), 250, np.uint8))
    later = (folder / "cat" / "a.png").stat().st_mtime + 5
    os.utime(folder / "cat" / "a.png", (later, later))


CHANGES = {
    "changed": (change_a_picture, {}),
    "added": (lambda folder: save(folder / "dog" / "z.png", draw(9, 9, 3)), {}),
    "removed": (lambda folder: (folder / "cat" / "a.png").unlink(), {}),
    "another size": (lambda folder: None, {"size": 9}),
    "another mode": (lambda folder: None, {"mode": "L"}),
    "another way": (lambda folder: None, {"resize": "pad"}),
    "cut short": (lambda folder: (folder.parent / "kept.npy").write_bytes(b"\x93NUMPY"), {}),
}


@pytest.mark.parametrize("name", CHANGES)
def test_kept_images_are_made_anew_when_out_of_date(classes, name):
    change, options = CHANGES[name]
    cache = classes.parent / "kept.npy"
    load_image_folder(classes, 8, cache=cache)
    change(classes)
    options = {"size": 8} | options
    expected = load_image_folder(classes, **options).images
    np.testing.assert_array_equal(
        load_image_folder(classes, cache=cache, **options).images, expected
    )


def test_kept_images_say_what_they_leave_out(damaged, tmp_path):
    cache = tmp_path / "kept.npy"
    load_image_folder(damaged, 8, broken="skip", cache=cache)
    with pytest.raises(ValueError, match="3 of 9 pictures"):
        load_image_folder(damaged, 8, cache=cache)
    assert set(json.loads(Path(f"{cache}.json").read_text())["broken"]) == BROKEN


def test_nothing_is_kept_of_a_failure(damaged, tmp_path):
    with pytest.raises(ValueError, match="3 of 9 pictures"):
        load_image_folder(damaged, 8, cache=tmp_path / "new" / "kept.npy")
    assert list((tmp_path / "new").iterdir()) == []


def test_files_of_others_are_not_overwritten(classes, tmp_path):
    np.save(tmp_path / "precious.npy", np.arange(3))
    with pytest.raises(ValueError, match=r"precious.npy' is there already.*not overwritten"):
        load_image_folder(classes, 8, cache=tmp_path / "precious.npy")
    assert np.load(tmp_path / "precious.npy").tolist() == [0, 1, 2]
    with pytest.raises(ValueError, match=r"must end in .npy"):
        load_image_folder(classes, 8, cache=tmp_path / "kept")


# Arguments ---------------------------------------------------------------------------------------


def test_folders_without_pictures_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no folder '.*nowhere'"):
        load_image_folder(tmp_path / "nowhere", 8)
    (tmp_path / "a.txt").touch()
    with pytest.raises(FileNotFoundError, match=r"holds no pictures: .*\.jpeg, \.jpg"):
        load_image_folder(tmp_path, 8)


@pytest.mark.parametrize(
    "options",
    [
        {"size": 0},
        {"size": 8.5},
        {"size": True},
        {"mode": "rgb"},
        {"broken": "warn"},
        {"resize": "fit"},
    ],
)
def test_arguments_are_checked(classes, options):
    name, value = next(iter(options.items()))
    with pytest.raises(ValueError, match=f"{name}={value!r}. It must be"):
        load_image_folder(classes, **{"size": 8} | options)


def test_pillow_is_asked_for_by_name(classes, without_pillow):
    with pytest.raises(ImportError, match="pip install pillow"):
        load_image_folder(classes, 8)

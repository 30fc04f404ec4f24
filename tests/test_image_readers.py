"""Image sets in the formats they are published in: small files of our own, and their damage."""

import codecs
import os
import pickle
import struct

import numpy as np
import pytest

from sk_infomax.datasets import (
    READERS,
    load_cifar10,
    load_cifar100,
    load_stl10,
    load_tiny_imagenet,
)
from sk_infomax.datasets._pickles import read_pickle

BATCHES = [f"data_batch_{number}" for number in range(1, 6)] + ["test_batch"]
SIZES = {"train": 6, "test": 4}


def planes(images):
    """Images (n, 32, 32, 3) as rows (n, 3072) of three planes."""
    return np.ascontiguousarray(images.transpose(0, 3, 1, 2)).reshape(len(images), -1)


def draw(n, edge, seed=0):
    return np.random.RandomState(seed).randint(0, 256, (n, edge, edge, 3)).astype(np.uint8)


# Pickles -----------------------------------------------------------------------------------------


def written_by_python_2(value):
    """Opcodes of protocol 2 as Python 2 writes them: text and bytes alike as str."""
    if isinstance(value, str):
        return b"T" + struct.pack("<i", len(value)) + value.encode()
    if isinstance(value, int):
        return b"J" + struct.pack("<i", value)
    if isinstance(value, list):
        return b"](" + b"".join(map(written_by_python_2, value)) + b"e"
    if isinstance(value, dict):
        items = b"".join(written_by_python_2(x) for item in value.items() for x in item)
        return b"}(" + items + b"u"
    content = b"T" + struct.pack("<i", value.nbytes) + value.tobytes()
    none = b"J\xff\xff\xff\xff"
    kind = b"cnumpy\ndtype\n(U\x02u1K\x00K\x01tR(K\x03U\x01|NNN" + none + none + b"K\x00tb"
    shape = b"(" + b"".join(map(written_by_python_2, value.shape)) + b"t"
    made = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tU\x01btR"
    return made + b"(K\x01" + shape + kind + b"\x89" + content + b"tb"


def python_2(content):
    return b"\x80\x02" + written_by_python_2(content) + b"."


WRITERS = {
    "python 2": python_2,
    **{
        f"protocol {protocol}": lambda content, protocol=protocol: pickle.dumps(content, protocol)
        for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1)
    },
}


@pytest.fixture(params=WRITERS)
def write(request):
    """Ways to write a pickle that the readers meet."""
    return WRITERS[request.param]


def write_cifar10(folder, write, n=2):
    images, labels = draw(6 * n, 32), np.arange(6 * n) % 10
    for number, name in enumerate(BATCHES):
        rows = slice(number * n, (number + 1) * n)
        content = {
            "batch_label": name,
            "labels": labels[rows].tolist(),
            "data": planes(images[rows]),
            "filenames": ["a.png"] * n,
        }
        (folder / name).write_bytes(write(content))
    return images, labels


def test_cifar10_reads_the_python_version(tmp_path, write):
    images, labels = write_cifar10(tmp_path, write)
    X_train, y_train, X_test, y_test = load_cifar10(tmp_path)
    np.testing.assert_array_equal(np.concatenate([X_train, X_test]), images)
    np.testing.assert_array_equal(np.concatenate([y_train, y_test]), labels)
    assert (X_train.dtype, y_train.dtype) == (np.uint8, np.int64)


def test_cifar10_is_found_in_the_folder_of_its_archive(tmp_path):
    (tmp_path / "cifar-10-batches-py").mkdir()
    images, _ = write_cifar10(tmp_path / "cifar-10-batches-py", python_2)
    np.testing.assert_array_equal(load_cifar10(tmp_path).X_test, images[-2:])


def test_archives_that_are_still_packed_are_named(tmp_path):
    (tmp_path / "cifar-10-python.tar.gz").touch()
    with pytest.raises(FileNotFoundError, match=r"holds cifar-10-python.tar.gz: unpack that"):
        load_cifar10(tmp_path)


class Malice:
    """What would make a folder if it were run."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickles_run_no_code(tmp_path, protocol):
    write_cifar10(tmp_path, python_2)
    made = tmp_path / "made"
    content = {"data": Malice(made), "labels": []}
    (tmp_path / "data_batch_3").write_bytes(pickle.dumps(content, protocol))
    with pytest.raises(ValueError, match=r"data_batch_3 asks for posix.mkdir.*Download it again"):
        load_cifar10(tmp_path)
    assert not made.exists()


@pytest.mark.parametrize(
    "harm",
    [eval, getattr, codecs.decode, np.load, np.frombuffer, pickle.loads, type, np.void, map],
    ids=lambda harm: harm.__name__,
)
def test_pickles_find_nothing_but_arrays(tmp_path, harm):
    path = tmp_path / "batch"
    path.write_bytes(pickle.dumps({"data": harm}))
    with pytest.raises(ValueError, match=r"batch asks for .*could run code"):
        read_pickle(path)


@pytest.mark.parametrize("array", [np.array([{}, 1], dtype=object), np.zeros(2, "i4,f8")])
def test_pickles_hold_arrays_of_numbers_alone(tmp_path, array):
    path = tmp_path / "batch"
    path.write_bytes(pickle.dumps({"data": array}, 2))
    with pytest.raises(ValueError, match="batch cannot be read as a pickle of arrays"):
        read_pickle(path)


def test_a_pickle_cannot_change_what_the_next_one_finds(tmp_path):
    path = tmp_path / "batch"
    attack = b"\x80\x02cnumpy\nndarray\n(N}X\x08\x00\x00\x00__code__Nstb."
    path.write_bytes(attack)
    with pytest.raises(ValueError, match="cannot be read"):
        read_pickle(path)
    path.write_bytes(python_2({"data": draw(1, 2)}))
    np.testing.assert_array_equal(read_pickle(path)["data"], draw(1, 2))


@pytest.mark.parametrize("dtype", ["?", "u1", "<i2", ">i4", "<f8", ">f4"])
def test_pickles_keep_arrays_as_they_are(tmp_path, dtype, write):
    array = np.arange(12).reshape(3, 4).astype(dtype)
    path = tmp_path / "batch"
    if write is python_2:
        array = array.astype("u1")
    for value in (array, np.asfortranarray(array)) if write is not python_2 else (array,):
        path.write_bytes(write({"data": value, "names": ["a", "b"]}))
        content = read_pickle(path)
        np.testing.assert_array_equal(content["data"], value)
        assert content["data"].dtype == value.dtype
    assert list(content) == ["data", "names"]


@pytest.mark.parametrize("keep", [0, 1, 20, 300, 5000])
def test_truncated_pickles_are_refused(tmp_path, keep, write):
    write_cifar10(tmp_path, write)
    path = tmp_path / "data_batch_2"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ValueError, match=r"data_batch_2 cannot be read.*Download it again"):
        load_cifar10(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([1, 2], "a list and no dictionary"),
        ({"labels": [1]}, r"lacks \['data'\]"),
        ({"data": draw(1, 8), "labels": [1]}, r"uint8 of shape \(1, 8, 8, 3\) as data"),
        ({"data": planes(draw(2, 32)), "labels": [1]}, "2 images and 1 labels"),
        ({"data": planes(draw(2, 32)), "labels": [1, 10]}, "label 10, but CIFAR-10"),
        ({"data": planes(draw(2, 32)), "labels": [1, -1]}, "label -1"),
        ({"data": planes(draw(2, 32)), "labels": [1, "cat"]}, "not a list of whole numbers"),
        ({"data": planes(draw(2, 32)), "labels": [1, [2]]}, "not a list of whole numbers"),
    ],
)
def test_pickles_of_something_else_are_refused(tmp_path, content, message):
    write_cifar10(tmp_path, python_2)
    (tmp_path / "test_batch").write_bytes(pickle.dumps(content))
    with pytest.raises(ValueError, match=rf"test_batch.*{message}"):
        load_cifar10(tmp_path)


# CIFAR-100 ---------------------------------------------------------------------------------------

FINE = [f"fine_{number}" for number in range(100)]
COARSE = [f"coarse_{number}" for number in range(20)]


@pytest.fixture
def small_cifar100(monkeypatch):
    monkeypatch.setattr("sk_infomax.datasets._cifar100._COUNTS", SIZES)


def write_cifar100(folder, write, sizes):
    """Files of the binary version if there is no way to write pickles; give what they hold."""
    parts = {}
    for seed, (part, n) in enumerate(sizes.items()):
        fine = np.arange(n) * 16 % 100
        parts[part] = images, fine, coarse = draw(n, 32, seed), fine, fine // 5
        if write is None:
            records = np.column_stack([coarse, fine, planes(images)]).astype(np.uint8)
            (folder / f"{part}.bin").write_bytes(records.tobytes())
        else:
            labels = {"fine_labels": fine.tolist(), "coarse_labels": coarse.tolist()}
            (folder / part).write_bytes(write({"data": planes(images), **labels}))
    if write is None:
        (folder / "fine_label_names.txt").write_text("\n".join(FINE) + "\n\n")
        (folder / "coarse_label_names.txt").write_text("\n".join(COARSE) + "\n")
    else:
        names = {"fine_label_names": FINE, "coarse_label_names": COARSE}
        (folder / "meta").write_bytes(write(names))
    return parts


@pytest.fixture(params=["binary", *WRITERS])
def cifar100(request, tmp_path, small_cifar100):
    """A folder in one of the formats, and images, fine and coarse labels of each part."""
    return tmp_path, write_cifar100(tmp_path, WRITERS.get(request.param), SIZES)


def test_cifar100_reads_both_versions(cifar100):
    folder, parts = cifar100
    for part, (images, fine, coarse) in parts.items():
        bunch = load_cifar100(folder, subset=part)
        np.testing.assert_array_equal(bunch.images, images)
        np.testing.assert_array_equal(bunch.target, fine)
        np.testing.assert_array_equal(bunch.coarse_target, coarse)
        assert bunch.target_names == FINE
        twenty = load_cifar100(folder, subset=part, labels="coarse")
        np.testing.assert_array_equal(twenty.target, coarse)
        assert twenty.target_names == COARSE
    X, y = load_cifar100(folder, subset="all", return_X_y=True)
    assert (X.shape, y.dtype) == ((10, 32, 32, 3), np.int64)
    X_train, y_train, X_test, y_test = READERS["cifar100"](folder)
    np.testing.assert_array_equal(X_train, parts["train"][0])
    np.testing.assert_array_equal(y_test, parts["test"][1])
    assert (len(y_train), len(X_test)) == (6, 4)


def test_cifar100_refuses_what_is_damaged(cifar100):
    folder, _ = cifar100
    path = next(path for path in (folder / "train.bin", folder / "train") if path.is_file())
    whole = path.read_bytes()
    path.write_bytes(whole[:-5])
    with pytest.raises(ValueError, match=r"train.* truncated"):
        load_cifar100(folder)
    path.unlink()
    with pytest.raises(FileNotFoundError, match=r"no file 'train'.*cifar-100-python.tar.gz"):
        load_cifar100(folder)
    assert len(load_cifar100(folder, subset="test").images) == 4
    with pytest.raises(ValueError, match="labels='middle'"):
        load_cifar100(folder, labels="middle")


def test_cifar100_refuses_half_a_part(tmp_path, small_cifar100):
    (tmp_path / "train.bin").write_bytes(bytes(3 * 3074))
    with pytest.raises(ValueError, match=r"train.bin holds 3 images of 6: it is truncated"):
        load_cifar100(tmp_path)
    (tmp_path / "train.bin").write_bytes(bytes([30, 1]) * 6 * 1537)
    with pytest.raises(ValueError, match="label 30, but CIFAR-100 has the classes 0 to 19"):
        load_cifar100(tmp_path)


def test_cifar100_without_names_has_numbers(tmp_path, small_cifar100):
    (tmp_path / "train.bin").write_bytes(bytes(6 * 3074))
    assert load_cifar100(tmp_path).target_names[98:] == ["98", "99"]
    (tmp_path / "fine_label_names.txt").write_text("apple\n")
    with pytest.raises(ValueError, match=r"fine_label_names.txt names 1 classes of 100"):
        load_cifar100(tmp_path)


# STL-10 ------------------------------------------------------------------------------------------

STL_SIZES = {"train": 6, "test": 4, "unlabeled": 5}
ANIMALS = ["airplane", "bird", "car", "cat", "deer", "dog", "horse", "monkey", "ship", "truck"]


def write_stl10(folder, sizes, n_classes=10):
    """The binary files; give the images and labels of each part."""
    parts = {}
    for seed, (part, n) in enumerate(sizes.items()):
        parts[part] = images, labels = draw(n, 96, seed), np.arange(n) % n_classes
        by_column = images.transpose(0, 3, 2, 1)
        (folder / f"{part}_X.bin").write_bytes(np.ascontiguousarray(by_column).tobytes())
        if part != "unlabeled":
            (folder / f"{part}_y.bin").write_bytes((labels + 1).astype(np.uint8).tobytes())
    (folder / "fold_indices.txt").write_text("0 2 5 \n" * 10)
    (folder / "class_names.txt").write_text("\n".join(ANIMALS) + "\n")
    return parts


@pytest.fixture
def stl10(tmp_path, monkeypatch):
    """A folder with the binary files, and the images and labels of each part."""
    monkeypatch.setattr("sk_infomax.datasets._stl10._COUNTS", STL_SIZES)
    monkeypatch.setattr("sk_infomax.datasets._stl10._FOLD_SIZE", 3)
    return tmp_path, write_stl10(tmp_path, STL_SIZES)


def test_stl10_reads_columns_as_rows(stl10):
    folder, parts = stl10
    for part in ("train", "test"):
        bunch = load_stl10(folder, subset=part)
        np.testing.assert_array_equal(bunch.images, parts[part][0])
        np.testing.assert_array_equal(bunch.target, parts[part][1])
        assert bunch.target_names == ANIMALS
    X, y = load_stl10(folder, subset="all", return_X_y=True)
    assert (X.shape, y.tolist()) == ((10, 96, 96, 3), [0, 1, 2, 3, 4, 5, 0, 1, 2, 3])
    X_train, _, X_test, y_test = READERS["stl10"](folder)
    assert (X_train.shape, X_test.shape, len(y_test)) == ((6, 96, 96, 3), (4, 96, 96, 3), 4)


def test_stl10_maps_what_has_no_labels(stl10):
    folder, parts = stl10
    bunch = load_stl10(folder, subset="unlabeled")
    assert isinstance(bunch.images, np.memmap)
    assert not bunch.images.flags.writeable
    np.testing.assert_array_equal(bunch.images, parts["unlabeled"][0])
    assert bunch.target.tolist() == [-1] * 5


def test_stl10_gives_its_folds(stl10):
    folder, _ = stl10
    folds = load_stl10(folder).folds
    assert [fold.tolist() for fold in folds] == [[0, 2, 5]] * 10
    for text in ("0 2 5\n" * 9, "0 2\n" * 10, "0 2 6\n" * 10, "0 a 5\n" * 10, ""):
        (folder / "fold_indices.txt").write_text(text)
        with pytest.raises(ValueError, match=r"fold_indices.txt holds .*stl10_binary.tar.gz"):
            load_stl10(folder)
    (folder / "fold_indices.txt").unlink()
    assert load_stl10(folder).folds is None


def test_stl10_refuses_what_is_damaged(stl10):
    folder, _ = stl10
    path = folder / "unlabeled_X.bin"
    path.write_bytes(path.read_bytes()[:-13824])
    with pytest.raises(ValueError, match=r"unlabeled_X.bin has 124416 bytes.* 4.5 images.*not 5"):
        load_stl10(folder, subset="unlabeled")
    (folder / "train_y.bin").write_bytes(bytes([1, 2, 3, 4, 5]))
    with pytest.raises(ValueError, match="6 images and 5 labels in its train part"):
        load_stl10(folder)
    (folder / "train_y.bin").write_bytes(bytes([1, 2, 3, 4, 5, 0]))
    with pytest.raises(ValueError, match=r"train_y.bin holds the label 0"):
        load_stl10(folder)
    (folder / "class_names.txt").write_text("cat\n")
    with pytest.raises(ValueError, match="names 1 classes of 10"):
        load_stl10(folder, subset="test")
    (folder / "class_names.txt").unlink()
    assert load_stl10(folder, subset="test").target_names[0] == "0"
    (folder / "test_y.bin").unlink()
    with pytest.raises(FileNotFoundError, match=r"no file 'test_y.bin'"):
        load_stl10(folder, subset="test")


# Tiny ImageNet -----------------------------------------------------------------------------------

WNIDS = ["n02124075", "n04067472"]


def write_tiny_imagenet(folder, n_train=2, n_test=3):
    """The tree with two classes, every other picture of them grey."""
    image_module = pytest.importorskip("PIL.Image")

    def save(name, level, mode="RGB"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        picture = image_module.new("L", (64, 64), level).convert(mode)
        picture.save(folder / name, format="JPEG")

    for label, wnid in enumerate(WNIDS):
        for number in range(n_train):
            name = f"train/{wnid}/images/{wnid}_{number}.JPEG"
            save(name, 100 * label + 10 * number, ("RGB", "L")[number % 2])
        (folder / "train" / wnid / f"{wnid}_boxes.txt").write_text("a.JPEG\t0\t0\t1\t1\n")
    for number in range(n_test):
        save(f"val/images/val_{number}.JPEG", 200 + number)
    order = np.roll(np.arange(n_test), 1)
    lines = [f"val_{number}.JPEG\t{WNIDS[number % 2]}\t0\t32\t44\t62\n" for number in order]
    (folder / "val" / "val_annotations.txt").write_text("".join(lines))
    for number in range(2):
        save(f"test/images/test_{number}.JPEG", 50)
    (folder / "wnids.txt").write_text("\n".join(WNIDS))
    words = f"{WNIDS[0]}\tEgyptian cat\n{WNIDS[1]}\treel\nn00000001\tother\n"
    (folder / "words.txt").write_text(words)


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """The folder in which the archive was unpacked."""
    counts = {"train": 4, "test": 3, "unlabeled": 2}
    monkeypatch.setattr("sk_infomax.datasets._tiny_imagenet._COUNTS", counts)
    monkeypatch.setattr("sk_infomax.datasets._tiny_imagenet._N_CLASSES", 2)
    write_tiny_imagenet(tmp_path / "tiny-imagenet-200")
    return tmp_path


def brightness(images):
    return images.mean(axis=(1, 2, 3)).round().astype(int).tolist()


def test_tiny_imagenet_reads_its_tree(tiny):
    train = load_tiny_imagenet(tiny)
    assert train.images.shape == (4, 64, 64, 3)
    assert brightness(train.images) == [0, 10, 100, 110]
    assert train.target.tolist() == [0, 0, 1, 1]
    assert (train.target_names, train.wnids) == (["Egyptian cat", "reel"], WNIDS)
    test = load_tiny_imagenet(tiny / "tiny-imagenet-200", subset="test")
    assert brightness(test.images) == [202, 200, 201]
    assert test.target.tolist() == [0, 0, 1]
    hidden = load_tiny_imagenet(tiny, subset="unlabeled")
    assert hidden.target.tolist() == [-1, -1]
    X, y = load_tiny_imagenet(tiny, subset="all", return_X_y=True)
    assert (len(X), y.dtype) == (7, np.int64)
    X_train, _, X_test, _ = READERS["tiny-imagenet"](tiny)
    assert (len(X_train), len(X_test)) == (4, 3)


def test_tiny_imagenet_keeps_images(tiny):
    cache = tiny / "kept" / "train.npy"
    first = load_tiny_imagenet(tiny, cache=cache).images
    assert isinstance(first, np.memmap)
    np.testing.assert_array_equal(load_tiny_imagenet(tiny, cache=cache).images, first)


def test_tiny_imagenet_refuses_a_tree_that_is_not_whole(tiny):
    folder = tiny / "tiny-imagenet-200"
    (folder / "words.txt").unlink()
    assert load_tiny_imagenet(tiny, subset="test").target_names == WNIDS
    path = folder / "train" / WNIDS[1] / "images" / f"{WNIDS[1]}_1.JPEG"
    whole = path.read_bytes()
    path.write_bytes(whole[:300])
    with pytest.raises(ValueError, match=rf"1 of 4 pictures(.|\n)*{path.name}(.|\n)*Download"):
        load_tiny_imagenet(tiny)
    path.unlink()
    with pytest.raises(ValueError, match="has 3 pictures of 4: it was not unpacked as a whole"):
        load_tiny_imagenet(tiny)
    path.parent.rename(path.parent.with_name("other"))
    with pytest.raises(FileNotFoundError, match=f"no folder 'train/{WNIDS[1]}/images'"):
        load_tiny_imagenet(tiny)


def test_tiny_imagenet_refuses_damaged_lists(tiny):
    folder = tiny / "tiny-imagenet-200"
    annotations = folder / "val" / "val_annotations.txt"
    lines = annotations.read_text().splitlines(keepends=True)
    annotations.write_text("".join(lines[:2]) + "val_1.JPEG\tn0406")
    with pytest.raises(ValueError, match=r"Line 3 of val_annotations.txt is 'val_1.JPEG\\tn0406'"):
        load_tiny_imagenet(tiny, subset="test")
    annotations.write_text("".join(lines))
    (folder / "val" / "images" / "val_2.JPEG").unlink()
    with pytest.raises(FileNotFoundError, match=r"no file 'val/images/val_2.JPEG' .* 0 more"):
        load_tiny_imagenet(tiny, subset="test")
    (folder / "wnids.txt").write_text(WNIDS[0])
    with pytest.raises(ValueError, match=r"wnids.txt names 1 classes of 2"):
        load_tiny_imagenet(tiny)

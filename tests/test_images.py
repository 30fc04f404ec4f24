"""Image sets: both formats of each, tiny files of our own, and every kind of damage."""

import gzip
from types import SimpleNamespace

import numpy as np
import pytest

from sk_infomax.datasets import READERS, load_cifar10, load_fashion_mnist

PARTS = {"train": 7, "t10k": 3}
ON_OPENML = {"cifar10", "fashion-mnist"}
BATCHES = [f"data_batch_{number}" for number in range(1, 6)] + ["test_batch"]


def idx_bytes(array):
    header = bytes([0, 0, 8, array.ndim])
    sides = b"".join(side.to_bytes(4, "big") for side in array.shape)
    return header + sides + array.tobytes()


@pytest.fixture
def fashion(tmp_path):
    """A folder with 7 and 3 images of 28x28, the training part packed, and its arrays."""
    rng = np.random.RandomState(0)
    arrays = []
    for part, n in PARTS.items():
        images = rng.randint(0, 256, (n, 28, 28)).astype(np.uint8)
        labels = rng.randint(0, 10, n).astype(np.uint8)
        for kind, array in (("images-idx3", images), ("labels-idx1", labels)):
            content, name = idx_bytes(array), f"{part}-{kind}-ubyte"
            if part == "train":
                content, name = gzip.compress(content), name + ".gz"
            (tmp_path / name).write_bytes(content)
        arrays += [images, labels]
    return tmp_path, arrays


@pytest.fixture
def cifar():
    """Images (n, 32, 32, 3) and labels of six batches of four."""
    rng = np.random.RandomState(1)
    images = rng.randint(0, 256, (6, 4, 32, 32, 3)).astype(np.uint8)
    return images, rng.randint(0, 10, (6, 4)).astype(np.uint8)


def write_binary(folder, images, labels):
    for name, batch, classes in zip(BATCHES, images, labels):
        records = [
            bytes([label]) + image.transpose(2, 0, 1).tobytes()
            for image, label in zip(batch, classes)
        ]
        (folder / f"{name}.bin").write_bytes(b"".join(records))


def write_pictures(folder, images, labels, ending):
    """Each batch as two rows of two tiles."""
    image_module = pytest.importorskip("PIL.Image")
    for name, batch in zip(BATCHES, images):
        rows = [np.concatenate(batch[start : start + 2], axis=1) for start in (0, 2)]
        picture = image_module.fromarray(np.concatenate(rows))
        options = {"lossless": True} if ending == ".webp" else {}
        picture.save(folder / (name + ending), **options)
    np.savez(folder / "labels.npz", train=labels[:5].ravel(), test=labels[5])


def check_cifar(loaded, images, labels):
    X_train, y_train, X_test, y_test = loaded
    np.testing.assert_array_equal(X_train, images[:5].reshape(-1, 32, 32, 3))
    np.testing.assert_array_equal(y_train, labels[:5].ravel())
    np.testing.assert_array_equal(X_test, images[5])
    np.testing.assert_array_equal(y_test, labels[5])
    assert X_train.dtype == X_test.dtype == np.uint8
    assert y_train.dtype == y_test.dtype == np.int64


def fake_openml(monkeypatch, n_features):
    """Replace the download by five rows of floats with labels as text; give the rows."""
    rows = np.random.RandomState(2).randint(0, 256, (5, n_features)).astype(np.float64)
    calls = []

    def fetch(name, **options):
        calls.append((name, options))
        return SimpleNamespace(data=rows, target=np.array(list("31415")))

    monkeypatch.setattr("sk_infomax.datasets._files.fetch_openml", fetch)
    return rows, calls


def test_fashion_mnist_reads_packed_and_plain_files(fashion):
    folder, arrays = fashion
    loaded = load_fashion_mnist(folder)
    for got, expected in zip(loaded, arrays):
        np.testing.assert_array_equal(got, expected)
    assert [array.dtype.name for array in loaded] == ["uint8", "int64"] * 2
    assert all(array.flags.writeable for array in loaded)


def test_fashion_mnist_names_the_files_it_misses(fashion):
    folder, _ = fashion
    (folder / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(FileNotFoundError, match=r"no file 't10k-labels.*train-images-idx3-ubyte"):
        load_fashion_mnist(folder)
    with pytest.raises(FileNotFoundError, match="nowhere"):
        load_fashion_mnist(folder / "nowhere")


def test_fashion_mnist_refuses_another_magic_number(fashion):
    folder, arrays = fashion
    (folder / "t10k-images-idx3-ubyte").write_bytes(idx_bytes(arrays[3]))
    with pytest.raises(ValueError, match="magic number 2049, not 2051"):
        load_fashion_mnist(folder)


@pytest.mark.parametrize("keep", [2, 10, 500])
def test_fashion_mnist_refuses_a_truncated_file(fashion, keep):
    folder, _ = fashion
    path = folder / "t10k-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ValueError, match=r"t10k-images-idx3-ubyte .*Download it again"):
        load_fashion_mnist(folder)


@pytest.mark.parametrize("damage", [lambda b: b[: len(b) // 2], lambda b: b"no gzip" + b])
def test_fashion_mnist_refuses_a_damaged_gzip_file(fashion, damage):
    folder, _ = fashion
    path = folder / "train-images-idx3-ubyte.gz"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ValueError, match="cannot be unpacked"):
        load_fashion_mnist(folder)


def test_fashion_mnist_refuses_labels_of_other_images(fashion):
    folder, arrays = fashion
    (folder / "t10k-labels-idx1-ubyte").write_bytes(idx_bytes(arrays[3][:2]))
    with pytest.raises(ValueError, match="3 images and 2 labels"):
        load_fashion_mnist(folder)


def test_fashion_mnist_from_openml(monkeypatch):
    rows, calls = fake_openml(monkeypatch, 784)
    monkeypatch.setattr("sk_infomax.datasets._fashion_mnist._N_TRAIN", 3)
    X_train, y_train, X_test, y_test = load_fashion_mnist()
    assert calls == [("Fashion-MNIST", {"version": 1, "as_frame": False})]
    np.testing.assert_array_equal(X_train, rows[:3].reshape(3, 28, 28))
    assert (X_train.dtype, X_test.shape) == (np.uint8, (2, 28, 28))
    assert (y_train.tolist(), y_test.tolist()) == ([3, 1, 4], [1, 5])


def test_cifar10_reads_the_binary_version(tmp_path, cifar):
    write_binary(tmp_path, *cifar)
    check_cifar(load_cifar10(tmp_path), *cifar)


@pytest.mark.parametrize("ending", [".png", ".webp"])
def test_cifar10_reads_pictures(tmp_path, cifar, ending):
    write_pictures(tmp_path, *cifar, ending)
    check_cifar(load_cifar10(str(tmp_path)), *cifar)


def test_cifar10_names_the_files_it_misses(tmp_path, cifar):
    write_binary(tmp_path, *cifar)
    (tmp_path / "data_batch_4.bin").unlink()
    with pytest.raises(FileNotFoundError, match=r"'data_batch_4'.*data_batch_1, .*test_batch"):
        load_cifar10(tmp_path)


def test_cifar10_refuses_truncated_records(tmp_path, cifar):
    write_binary(tmp_path, *cifar)
    path = tmp_path / "data_batch_2.bin"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ValueError, match=r"data_batch_2.bin has 12291 bytes.*3073"):
        load_cifar10(tmp_path)
    path.write_bytes(b"")
    with pytest.raises(ValueError, match="has 0 bytes"):
        load_cifar10(tmp_path)


def test_cifar10_refuses_labels_above_nine(tmp_path, cifar):
    images, labels = cifar
    labels[5, 0] = 77
    write_binary(tmp_path, images, labels)
    with pytest.raises(ValueError, match="label 77"):
        load_cifar10(tmp_path)


def test_cifar10_pictures_need_their_labels(tmp_path, cifar):
    write_pictures(tmp_path, *cifar, ".png")
    np.savez(tmp_path / "labels.npz", train=cifar[1][:5].ravel())
    with pytest.raises(ValueError, match=r"\['test'\] must be there"):
        load_cifar10(tmp_path)
    np.savez(tmp_path / "labels.npz", train=np.zeros(19), test=np.zeros(4))
    with pytest.raises(ValueError, match="20 images and 19 labels"):
        load_cifar10(tmp_path)
    (tmp_path / "labels.npz").unlink()
    with pytest.raises(FileNotFoundError, match=r"labels\.npz"):
        load_cifar10(tmp_path)


def test_cifar10_refuses_pictures_that_are_damaged_or_of_another_size(tmp_path, cifar):
    write_pictures(tmp_path, *cifar, ".png")
    path = tmp_path / "data_batch_1.png"
    whole = path.read_bytes()
    for content in (b"nothing", whole[: len(whole) // 2]):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"data_batch_1\.png cannot be read"):
            load_cifar10(tmp_path)
    image_module = pytest.importorskip("PIL.Image")
    image_module.fromarray(np.zeros((64, 70, 3), np.uint8)).save(path)
    with pytest.raises(ValueError, match="70x64 pixels"):
        load_cifar10(tmp_path)


def test_cifar10_pictures_say_how_to_install_pillow(tmp_path, cifar, request):
    write_pictures(tmp_path, *cifar, ".png")
    request.getfixturevalue("without_pillow")
    with pytest.raises(ImportError, match="pip install pillow"):
        load_cifar10(tmp_path)


def test_cifar10_from_openml(monkeypatch):
    rows, calls = fake_openml(monkeypatch, 3072)
    monkeypatch.setattr("sk_infomax.datasets._cifar10._N_TRAIN", 4)
    X_train, y_train, X_test, y_test = load_cifar10()
    assert calls == [("CIFAR_10", {"version": 1, "as_frame": False})]
    planes = rows[:4].reshape(4, 3, 32, 32)
    np.testing.assert_array_equal(X_train, planes.transpose(0, 2, 3, 1))
    assert (X_train.dtype, X_test.shape) == (np.uint8, (1, 32, 32, 3))
    assert (y_train.tolist(), y_test.tolist()) == ([3, 1, 4, 1], [5])


# All readers ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", READERS)
def test_readers_name_the_folder_that_lacks_their_files(name, tmp_path):
    remedy = "Leave folder out" if name in ON_OPENML else "Download .*https?://"
    with pytest.raises(FileNotFoundError, match=rf"nowhere.* holds no file .* {remedy}"):
        READERS[name](tmp_path / "nowhere")


@pytest.mark.parametrize("name", sorted(set(READERS) - ON_OPENML))
def test_readers_that_need_files_say_where_to_get_them(name):
    with pytest.raises(ValueError, match=r"folder=None.*Download .*https?://"):
        READERS[name](None)


@pytest.mark.parametrize("load", [load_fashion_mnist, load_cifar10])
def test_readers_give_what_loaders_of_scikit_learn_give(load, fashion, cifar):
    folder, _ = fashion
    write_binary(folder, *cifar)
    X_train, y_train, X_test, y_test = load(folder)
    train, test = (load(folder, subset=name) for name in ("train", "test"))
    np.testing.assert_array_equal(train.images, X_train)
    np.testing.assert_array_equal(test.target, y_test)
    assert train.data is train.images
    assert (len(train.target_names), type(train.DESCR)) == (10, str)
    X, y = load(folder, return_X_y=True)
    np.testing.assert_array_equal(X, np.concatenate([X_train, X_test]))
    np.testing.assert_array_equal(y, np.concatenate([y_train, y_test]))
    with pytest.raises(ValueError, match=r"subset='tset'. It must be one of train, test, all"):
        load(folder, subset="tset")


def test_readers_give_the_parts_by_name(fashion):
    loaded = READERS["fashion-mnist"](fashion[0])
    assert [
        part is loaded[place]
        for place, part in enumerate((loaded.X_train, loaded.y_train, loaded.X_test, loaded.y_test))
    ] == [True] * 4

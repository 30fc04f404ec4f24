"""The tables of the paper on every kind of data: sets by name, files, and folders of pictures."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from test_image_readers import (
    WRITERS,
    draw,
    write_cifar10,
    write_cifar100,
    write_stl10,
    write_tiny_imagenet,
)

from benchmarks import paper
from benchmarks._split import Split, load_paper_split, load_split

COMMAND = (
    "paper structure --rows both --epochs 1 --seeds 0 --units 8 --batch-size 32 --probe-rows 60 "
    "--probe-steps 2"
)
SIZES = {"train": 40, "test": 8, "unlabeled": 24}


def write_pictures(folder, n=20):
    """Two classes of pictures of 70x80 pixels."""
    image_module = pytest.importorskip("PIL.Image")
    for label in ("cat", "dog"):
        (folder / label).mkdir(parents=True)
        for number, image in enumerate(draw(n, 80, len(label))):
            image_module.fromarray(image[:70]).save(folder / label / f"{number}.png")


def write_table(folder, edge):
    np.savez(folder / "own.npz", X=draw(60, edge), y=np.arange(60) % 2)


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Sets of few images and of few classes."""
    for name in ("cifar100", "stl10", "tiny_imagenet"):
        monkeypatch.setattr(f"sk_infomax.datasets._{name}._COUNTS", SIZES)
    monkeypatch.setattr("sk_infomax.datasets._tiny_imagenet._COUNTS", SIZES | {"unlabeled": 2})
    monkeypatch.setattr("sk_infomax.datasets._tiny_imagenet._N_CLASSES", 2)
    monkeypatch.setattr("sk_infomax.datasets._stl10._FOLD_SIZE", 3)


WRITE = {
    "cifar10": lambda folder: write_cifar10(folder, WRITERS["python 2"], 10),
    "cifar100": lambda folder: write_cifar100(folder, None, {"train": 40, "test": 8}),
    "stl10": lambda folder: write_stl10(folder, SIZES, 2),
    "tiny-imagenet": lambda folder: write_tiny_imagenet(folder, 20, 8),
    "FOLDER": lambda folder: write_pictures(folder / "pictures"),
    "FILE.npz": lambda folder: write_table(folder, 32),
}
PLACES = {"FOLDER": "pictures", "FILE.npz": "own.npz"}
ENCODERS = {"cifar10": 32, "cifar100": 32, "FILE.npz": 32}


LARGE = ("stl10", "tiny-imagenet")  # pictures of 64 pixels and more


@pytest.mark.filterwarnings("ignore:The number of unique classes")  # 40 images, 25 classes
@pytest.mark.parametrize(
    "data",
    [pytest.param(name, marks=pytest.mark.slow if name in LARGE else []) for name in WRITE],
)
def test_paper_runs_on(data, tmp_path, monkeypatch):
    WRITE[data](tmp_path)
    where = str(tmp_path / PLACES[data]) if data in PLACES else data
    out = tmp_path / "out"
    argv = [*COMMAND.split(), "--data", where, "--folder", str(tmp_path)]
    monkeypatch.setattr("sys.argv", [*argv, "--models", str(out), "--out", str(out)])
    paper.main()
    name = where.rpartition("/")[2].removesuffix(".npz")
    content = json.loads((out / f"paper-{name}.json").read_text())
    edge = ENCODERS.get(data, 64)
    assert content["settings"]["encoder"] == f"basic{edge}x{edge}"
    assert set(content["results"]["both"]["0"]["probes"]) >= {"mlp conv", "mlp Y", "svm fc"}


def exact(*argv):
    args = paper.parse_arguments(["structure", "--exact", *argv])
    args.encoder = "basic32x32"
    return paper.Recipe(**paper.recipe_of(args))


@pytest.mark.parametrize("row", paper.EXACT)
def test_exact_rows_are_those_of_the_papers_recipe(row):
    """All but the row's own options is what `paper` sets."""
    model = paper.exact_model(row, exact(), 3)
    assert row in paper.ROWS
    assert (model.lr, model.optimizer, model.lr_schedule) == (1e-4, "adam_gan", "constant")
    assert (model.max_epochs, model.max_time, model.random_state) == (1000, None, 3)
    on_crops = row.startswith(("CPC", "DIM 5x5")) or row == "DIM"
    assert model.critic.units == (1024 if on_crops else 2048)
    assert model.encoder == ("foldresnet32x32" if on_crops else "basic32x32")
    assert (model.prior is None) == on_crops
    weight = 1.0 if row == "DIM(G)" else 0.5 if row == "DIM(L+G)" else 0.0
    assert model.global_weight == weight


def test_exact_rows_may_be_shorter_and_narrower():
    model = paper.exact_model("both", exact("--epochs", "2", "--units", "8"), 0)
    assert (model.max_epochs, model.critic.units, model.critic.hidden) == (2, 8, 8)
    model = paper.exact_model("both", exact("--budget", "5"), 0)
    assert (model.max_epochs, model.max_time) == (10**6, 5.0)
    assert model.coordinates == "both"


@pytest.mark.filterwarnings("ignore:The number of unique classes")  # 40 images, 25 classes
def test_the_exact_recipe_runs(tmp_path, monkeypatch):
    write_table(tmp_path, 32)
    where, out = str(tmp_path / "own.npz"), str(tmp_path / "out")
    argv = [*COMMAND.split(), "--exact", "--data", where, "--models", out, "--out", out]
    monkeypatch.setattr("sys.argv", argv)
    paper.main()
    content = json.loads((tmp_path / "out" / "paper-own-exact.json").read_text())
    assert content["settings"]["exact"]
    assert "mlp conv" in content["results"]["both"]["0"]["probes"]


def test_rows_without_a_recipe_are_refused(capsys):
    with pytest.raises(SystemExit):
        exact("--rows", "two-view")
    assert "--exact has no recipe for --rows 'two-view'" in capsys.readouterr().err


def test_stl10_is_cropped(tmp_path):
    parts = write_stl10(tmp_path, SIZES, 2)
    split = load_paper_split("stl10", str(tmp_path), 0)
    np.testing.assert_array_equal(split.X_train, parts["train"][0][:, 16:80, 16:80])
    np.testing.assert_array_equal(split.X_test, parts["test"][0][:, 16:80, 16:80])
    assert split.X_unlabelled.shape == (64, 64, 64, 3)
    wholes = np.concatenate([parts["train"][0], parts["unlabeled"][0]])
    for crop, whole in zip(split.X_unlabelled, wholes):
        mirrors = (crop, crop[:, ::-1])
        places = np.ndindex(33, 33)
        assert any(
            np.array_equal(m[0, :3], whole[top, left : left + 3])
            and np.array_equal(m, whole[top : top + 64, left : left + 64])
            for top, left in places
            for m in mirrors
        )
    again = load_paper_split("stl10", str(tmp_path), 0)
    np.testing.assert_array_equal(again.X_unlabelled, split.X_unlabelled)


def test_rows_train_on_what_has_no_labels(monkeypatch, tmp_path):
    seen = []
    model = SimpleNamespace(fit=seen.append, net_=SimpleNamespace(clock_=SimpleNamespace(steps=1)))
    monkeypatch.setitem(paper.ROWS, "both", lambda recipe, seed: model)
    monkeypatch.setattr(paper.joblib, "dump", lambda *args: None)
    monkeypatch.chdir(tmp_path)
    args = paper.parse_arguments(["structure", "--epochs", "1"])
    args.encoder = "basic64x64"
    X, y = draw(2, 64), np.arange(2)
    for unlabelled in (None, draw(3, 64)):
        paper.trained("both", 0, Split(X, y, X, y, unlabelled), args)
    assert [len(images) for images in seen] == [2, 3]


def test_folders_may_have_a_test_part(tmp_path):
    for part in ("train", "val"):
        write_pictures(tmp_path / part, 3)
    split = load_split(str(tmp_path), None, 0)
    assert (len(split.X_train), len(split.X_test)) == (6, 6)
    assert split.y_train.tolist() == split.y_test.tolist() == [0, 0, 0, 1, 1, 1]
    (tmp_path / "val" / "dog").rename(tmp_path / "val" / "wolf")
    with pytest.raises(ValueError, match=r"test part has the class .*wolf"):
        load_split(str(tmp_path), None, 0)
    with pytest.raises(ValueError, match="has no folders of classes"):
        load_split(str(tmp_path / "train" / "cat"), None, 0)


def test_paper_refuses_other_data(tmp_path, capsys):
    with pytest.raises(SystemExit):
        paper.parse_arguments(["structure", "--data", "nowhere"])
    assert "--data nowhere: neither cifar10, " in capsys.readouterr().err
    assert paper.encoder_for(np.zeros((2, 28, 28))) == "basic28x28"
    for shape in ((2, 40, 40, 3), (2, 64), (2, 64, 32)):
        with pytest.raises(SystemExit, match="encoders are for images of 28x28, 32x32, 64x64"):
            paper.encoder_for(np.zeros(shape))

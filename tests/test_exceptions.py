"""Warnings: one base, the class for each case, its next step, and silence where all is well."""

import inspect
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from test_layers import FILES, FOLDER

from sk_infomax import (
    DeepInfoMaxTransformer,
    MutualInfoEstimator,
    MutualInfoSelector,
    TorchEncoder,
    exceptions,
)
from sk_infomax._training import _findings
from sk_infomax.exceptions import (
    CollapsedEmbeddingWarning,
    DataWarning,
    EarlyStoppingWarning,
    EstimateWarning,
    FlatLossWarning,
    InfomaxWarning,
    SelectionWarning,
    ShortTrainingWarning,
    TooManyComponentsWarning,
    TrainingWarning,
)


def samples(n=80, p=6, seed=0):
    """Columns that depend on each other."""
    rng = np.random.RandomState(seed)
    return rng.normal(size=(n, 2)) @ rng.normal(size=(2, p)) + 0.3 * rng.normal(size=(n, p))


def said_by(X, **parameters):
    """Warnings of a fit, by class."""
    settings = {"n_components": 4, "max_epochs": 1, "batch_size": 8, "random_state": 0}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        DeepInfoMaxTransformer(**(settings | parameters)).fit(X)
    return {one.category: one for one in caught if issubclass(one.category, InfomaxWarning)}


def test_every_class_is_a_warning_of_one_base():
    classes = [getattr(exceptions, name) for name in exceptions.__all__]
    assert all(issubclass(cls, InfomaxWarning) for cls in classes)
    assert issubclass(InfomaxWarning, UserWarning)
    assert {cls.__name__ for cls in classes} == set(exceptions.__all__)
    assert [c.__name__ for c in classes if f"`{c.__name__}`" not in exceptions.__doc__] == []


def test_every_leaf_is_raised_somewhere():
    text = "".join(path.read_text(encoding="utf-8") for path in FILES if path.stem != "exceptions")
    bases = {InfomaxWarning, TrainingWarning}
    leaves = {cls for _, cls in inspect.getmembers(exceptions, inspect.isclass)} - bases
    assert [cls.__name__ for cls in leaves if cls.__name__ not in text] == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(FOLDER)))
def test_nothing_warns_without_a_class(path):
    if path.name == "_checks.py":
        return
    assert "warnings.warn(" not in path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "shape", [(60, 5), (60, 1, 20), pytest.param((40, 8, 8), marks=pytest.mark.slow)]
)
def test_a_fit_with_the_defaults_is_silent(shape):
    X = samples(shape[0], int(np.prod(shape[1:]))).reshape(shape)
    said = said_by(X, n_components=256, max_epochs="auto", batch_size="auto", channels="first")
    assert said == {}


def test_a_training_that_is_too_short():
    said = said_by(samples(), encoder="perceptron")
    assert set(said) == {ShortTrainingWarning}
    assert "made 10 steps" in str(said[ShortTrainingWarning].message)
    assert "Raise max_epochs" in str(said[ShortTrainingWarning].message)
    assert said[ShortTrainingWarning].filename == __file__
    assert said_by(samples(), encoder="perceptron", max_epochs=5) == {}


def test_a_training_whose_time_is_too_short():
    said = said_by(samples(), encoder="perceptron", max_time=1e-9, max_epochs=50)
    assert "Raise max_time (now 1e-09)" in str(said[ShortTrainingWarning].message)


def test_training_that_goes_on_is_not_short():
    X = samples()
    dim = DeepInfoMaxTransformer(
        4, encoder="perceptron", max_epochs=6, batch_size=8, warm_start=True, random_state=0
    ).fit(X)
    with warnings.catch_warnings():
        warnings.simplefilter("error", InfomaxWarning)
        dim.set_params(max_epochs=1).fit(X)
        dim.partial_fit(X)


def test_more_components_than_samples_can_carry():
    said = said_by(samples(20), n_components=30)
    assert "Set n_components to 19 or fewer" in str(said[TooManyComponentsWarning].message)
    assert TooManyComponentsWarning not in said_by(samples(20), n_components=20)


def test_a_loss_that_is_flat():
    independent = np.random.RandomState(0).normal(size=(64, 8))
    settings = {"encoder": "perceptron", "max_epochs": 14, "lr": 1e-12}
    said = said_by(independent, **settings)
    assert set(said) == {FlatLossWarning}
    assert "The loss is flat: after 112 steps" in str(said[FlatLossWarning].message)
    assert said_by(samples(64, 8), encoder="perceptron", max_epochs=14) == {}


class Collapsed(torch.nn.Module):
    """Gives one number many times."""

    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(6, 1)

    def forward(self, x):
        out = self.layer(x).repeat(1, 4)
        return out[:, None, :].repeat(1, 3, 1), out


def test_an_embedding_that_has_collapsed():
    said = said_by(samples(), encoder=TorchEncoder(Collapsed), max_epochs=6)
    assert set(said) == {CollapsedEmbeddingWarning}
    message = str(said[CollapsedEmbeddingWarning].message)
    assert "100.0 % of the variance of its 4 components" in message
    assert 'prior="uniform"' in message


@pytest.mark.parametrize("n_directions", [1, 2, 5])
def test_the_share_of_one_direction(n_directions):
    rng = np.random.RandomState(0)
    turned = np.linalg.qr(rng.normal(size=(9, 9)))[0][:n_directions]
    rows = np.linalg.qr(rng.normal(size=(50, n_directions)))[0]
    rows = np.linalg.qr(rows - rows.mean(0))[0]
    found = _findings.largest_share(torch.from_numpy(3 + rows @ turned))
    assert found == pytest.approx(1 / n_directions, rel=1e-6)


def test_the_share_of_what_does_not_vary_or_is_too_little_to_tell():
    assert _findings.largest_share(torch.ones(50, 9)) == 1.0
    assert _findings.largest_share(torch.zeros(50, 9)) == 1.0
    assert _findings.largest_share(torch.randn(50, 3)) is None
    assert _findings.largest_share(torch.randn(9, 9)) is None


def test_early_stopping_that_never_fires():
    settings = {"encoder": "perceptron", "early_stopping": True, "max_epochs": 7}
    said = said_by(samples(), **settings)
    assert set(said) == {EarlyStoppingWarning}
    message = str(said[EarlyStoppingWarning].message)
    assert "It can't in 7 epochs: lower n_iter_no_change" in message
    said = said_by(samples(), **settings, n_iter_no_change=6, tol=0.0)
    assert "raise max_epochs" in str(said[EarlyStoppingWarning].message)
    said = said_by(samples(), **settings, n_iter_no_change=2, tol=1e9)
    assert EarlyStoppingWarning not in said


def test_a_warning_made_an_error_leaves_the_fit():
    dim = DeepInfoMaxTransformer(4, encoder="perceptron", max_epochs=1, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error", TrainingWarning)
        with pytest.raises(ShortTrainingWarning):
            dim.fit(samples())
    assert dim.transform(samples()).shape == (80, 4)


def test_warnings_of_data_estimates_and_selections():
    wide = np.random.RandomState(0).normal(size=(12, 20, 3))
    with pytest.warns(DataWarning, match='Say channels="last"'):
        DeepInfoMaxTransformer(4, max_epochs=1, random_state=0).fit(wide)
    x = samples(60, 2)
    with pytest.warns(EstimateWarning):
        MutualInfoEstimator(max_steps=5, random_state=0).fit(np.c_[x, np.ones(60)], x[:, 0])
    rng = np.random.RandomState(1)
    selector = MutualInfoSelector(fdr=1e-6, n_permutations=19).fit(
        rng.normal(size=(60, 2)), rng.normal(size=60)
    )
    with pytest.warns(SelectionWarning, match="Give more rows, or raise fdr"):
        selector.transform(rng.normal(size=(60, 2)))


# What is taken for something else ----------------------------------------------------------------


def pictures(*sizes):
    rng = np.random.RandomState(0)
    return [rng.randint(0, 255, size=size).astype(np.uint8) for size in sizes]


def as_objects(items):
    found = np.empty(len(items), dtype=object)
    found[:] = items
    return found


@pytest.mark.parametrize("of_pillow", [False, True])
@pytest.mark.parametrize(
    "sizes", [[(9, 8, 3), (8, 8, 3)], [(9, 8), (8, 9)]], ids=["colour", "grey"]
)
@pytest.mark.parametrize("container", [list, tuple, as_objects])
def test_pictures_of_several_sizes_are_sent_to_the_reader_of_folders(container, sizes, of_pillow):
    items = pictures(*sizes)
    if of_pillow:
        pil = pytest.importorskip("PIL.Image")
        items = [pil.fromarray(one) for one in items]
    with pytest.raises(ValueError, match=r"load_image_folder\(folder, size=64\)"):
        DeepInfoMaxTransformer().fit(container(items))


@pytest.mark.parametrize(
    "X",
    ["photos", Path("photos"), ["a.png", "b.JPG"], [Path("a"), Path("b")], np.array(["x.npy"] * 3)],
    ids=str,
)
def test_paths_are_sent_to_what_reads_them(X):
    with pytest.raises(TypeError, match=r"X holds the path .*load_image_folder"):
        DeepInfoMaxTransformer().fit(X)


def test_bytes_that_are_no_squares_may_be_grey_pictures():
    (grey,) = pictures((40, 8, 12))
    with pytest.warns(DataWarning, match='If they are grey pictures, say encoder="image"'):
        DeepInfoMaxTransformer(4, max_epochs=1, random_state=0).fit(grey)
    with warnings.catch_warnings():
        warnings.simplefilter("error", DataWarning)
        DeepInfoMaxTransformer(4, encoder="image", max_epochs=1, random_state=0).fit(grey)
        DeepInfoMaxTransformer(4, channels="first", max_epochs=1, random_state=0).fit(grey)


@pytest.mark.parametrize(
    "text",
    ["2026-11-{:02d}", "{:d}.11.2026", "11/{:02d}/2026", "2026-11-{:02d} 08:30", "{:d}-{:d}-2026"],
)
def test_dates_as_text_are_said(text):
    pd = pytest.importorskip("pandas")
    days = [text.format(1 + i % 9, 10 + i % 9) for i in range(60)]
    frame = pd.DataFrame({"day": days, "x": samples(60, 1)[:, 0]})
    said = r"'day' .*: dates as text are read as labels, without order.*pandas.to_datetime"
    with pytest.warns(DataWarning, match=said):
        DeepInfoMaxTransformer(4, max_epochs=1, random_state=0).fit(frame)
    with pytest.warns(EstimateWarning, match=said):
        MutualInfoEstimator(max_steps=1, cv=2, random_state=0).fit(frame, frame["x"])
    with warnings.catch_warnings():
        warnings.simplefilter("error", DataWarning)
        other = frame.assign(day=[f"version 1.2.{i % 9}" for i in range(60)])
        DeepInfoMaxTransformer(4, max_epochs=1, random_state=0).fit(other)

"""``sk-infomax plot``: the package's displays, as files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from ._asked import MISSING_VALUES, Asked, asking
from ._estimator import load_model
from ._files import FIGURES, check_output, output
from ._reading import read_data, read_for
from ._samples import table_of
from ._voice import Failed, Voice, about, speaking

__all__ = ["plot"]

_DPI = 150  # dots an inch of a PNG: 750 pixels of width (rule of thumb)
_DEVICE = click.option("--device", help="auto, cpu or cuda [the model's].")


@click.group()
def plot() -> None:
    """Draw what was learned or found, as .png, .svg or .pdf."""


def _drawn(path: str, force: bool, voice: Voice, draw: Callable[[], Any], *inputs: str) -> None:
    """Check where to, draw, and write the figure."""
    check_output(path, FIGURES, force, *inputs)
    try:
        import matplotlib
    except ImportError as error:
        raise Failed('Figures need matplotlib: pip install "sk_infomax[cli]"') from error
    matplotlib.use("Agg")  # no window, whatever there is
    from .._state import replacing

    with about(inputs[-1]):
        figure = draw().figure_
    ending = Path(path).suffix.lower().removeprefix(".")
    replacing(path, lambda file: figure.savefig(file, format=ending, dpi=_DPI))
    matplotlib.pyplot.close(figure)
    voice.done({"figure": path}, path)


@plot.command()
@click.argument("model")
@output(FIGURES, "The figure")
@speaking
def training(model: str, path: str, force: bool, voice: Voice) -> None:
    """The history of a MODEL's training, in nats."""

    def draw() -> Any:
        from ..displays import TrainingDisplay

        return TrainingDisplay.from_estimator(load_model(model))

    _drawn(path, force, voice, draw, model)


@plot.command()
@click.argument("model")
@click.argument("data")
@output(FIGURES, "The figure")
@click.option("--method", default="pca", show_default=True, help="pca, umap or opentsne.")
@click.option("--random-state", type=int, default=0, show_default=True, help="Seed of the map.")
@_DEVICE
@asking()
@speaking
def embedding(
    model: str,
    data: str,
    path: str,
    force: bool,
    method: str,
    random_state: int,
    device: str | None,
    asked: Asked,
    voice: Voice,
) -> None:
    """A map of the features of DATA, coloured by label."""

    def draw() -> Any:
        from ..displays import EmbeddingDisplay

        estimator = load_model(model, device)
        samples = read_for(estimator, data, asked, voice, classes=True)
        return EmbeddingDisplay.from_estimator(
            estimator, samples.X, samples.labels, method=method, random_state=random_state
        )

    _drawn(path, force, voice, draw, model, data)


@plot.command()
@click.argument("model")
@click.argument("data")
@output(FIGURES, "The figure")
@click.option(
    "--sample", "queries", type=int, multiple=True, help="Which samples, from 0; may be repeated."
)
@click.option("--neighbors", type=click.IntRange(1), default=8, show_default=True, help="Of each.")
@_DEVICE
@asking()
@speaking
def neighbors(
    model: str,
    data: str,
    path: str,
    force: bool,
    queries: tuple[int, ...],
    neighbors: int,
    device: str | None,
    asked: Asked,
    voice: Voice,
) -> None:
    """Samples of DATA beside those whose features are most like theirs."""

    def draw() -> Any:
        from ..displays import NeighborsDisplay

        estimator = load_model(model, device)
        X = read_for(estimator, data, asked, voice).X
        chosen = list(queries) or None
        return NeighborsDisplay.from_estimator(estimator, X, queries=chosen, n_neighbors=neighbors)

    _drawn(path, force, voice, draw, model, data)


@plot.command()
@click.argument("model")
@click.argument("data")
@output(FIGURES, "The figure")
@click.option(
    "--sample", "chosen", type=int, multiple=True, help="Which samples, from 0; may be repeated."
)
@_DEVICE
@asking()
@speaking
def places(
    model: str,
    data: str,
    path: str,
    force: bool,
    chosen: tuple[int, ...],
    device: str | None,
    asked: Asked,
    voice: Voice,
) -> None:
    """Which places of samples of DATA say most of the whole."""

    def draw() -> Any:
        from ..displays import LocalInformationDisplay

        estimator = load_model(model, device)
        X = read_for(estimator, data, asked, voice).X
        return LocalInformationDisplay.from_estimator(estimator, X, samples=list(chosen) or None)

    _drawn(path, force, voice, draw, model, data)


@plot.command()
@click.argument("data")
@output(FIGURES, "The figure")
@click.option("--target", metavar="COLUMN", required=True, help="A column, array or file.")
@MISSING_VALUES
@asking("label")
@speaking
def information(
    data: str, path: str, force: bool, target: str, missing: str, asked: Asked, voice: Voice
) -> None:
    """What each column of DATA tells about a target, with intervals."""

    def draw() -> Any:
        from ..displays import InformationDisplay

        samples = table_of(read_data(data, replace(asked, label=target)))
        return InformationDisplay.from_columns(samples.X, samples.labels, missing=missing)

    _drawn(path, force, voice, draw, data)


@plot.command()
@click.argument("data")
@output(FIGURES, "The figure")
@MISSING_VALUES
@asking("label")
@speaking
def matrix(data: str, path: str, force: bool, missing: str, asked: Asked, voice: Voice) -> None:
    """What every two columns of DATA tell about each other."""

    def draw() -> Any:
        from ..displays import InformationMatrixDisplay

        samples = table_of(read_data(data, asked))
        return InformationMatrixDisplay.from_columns(samples.X, missing=missing)

    _drawn(path, force, voice, draw, data)

"""``sk-infomax plot``: the package's displays, as files."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from ._asked import MISSING_VALUES, Asked, asking
from ._estimator import load_model
from ._files import FIGURES, check_output, output
from ._reading import read_data, read_for
from ._samples import Samples, table_of
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


Draw = Callable[..., Any]


def _of_model(
    *options: Callable[..., Any], classes: bool = False, layer: str | None = None
) -> Callable[[Draw], click.Command]:
    """A command that draws what a MODEL makes of DATA.

    Parameters
    ----------
    *options : decorators
        Of the command alone.
    classes : bool
        Whether names of folders are labels.
    layer : str or None
        What the display reads, if not what the model was fitted with.
    """

    def decorate(display: Draw) -> click.Command:
        @functools.wraps(display)
        def command(
            model: str,
            data: str,
            path: str,
            force: bool,
            device: str | None,
            asked: Asked,
            voice: Voice,
            **own: Any,
        ) -> None:
            def draw() -> Any:
                estimator = load_model(model, device, layer)
                return display(estimator, read_for(estimator, data, asked, voice, classes), **own)

            _drawn(path, force, voice, draw, model, data)

        return _command(command, click.argument("model"), click.argument("data"), *options, _DEVICE)

    return decorate


def _of_table(*options: Callable[..., Any]) -> Callable[[Draw], click.Command]:
    """A command that draws what the columns of DATA tell."""

    def decorate(display: Draw) -> click.Command:
        @functools.wraps(display)
        def command(
            data: str,
            path: str,
            force: bool,
            asked: Asked,
            voice: Voice,
            target: str | None = None,
            **own: Any,
        ) -> None:
            def draw() -> Any:
                return display(table_of(read_data(data, replace(asked, label=target))), **own)

            _drawn(path, force, voice, draw, data)

        return _command(
            command, click.argument("data"), *options, MISSING_VALUES, without=("label",)
        )

    return decorate


def _command(
    function: Callable[..., None], *options: Callable[..., Any], without: tuple[str, ...] = ()
) -> click.Command:
    """A command of `plot` with these options, those of reading, and a voice."""
    function = asking(*without)(speaking(function))
    for option in (output(FIGURES, "The figure"), *reversed(options)):
        function = option(function)
    return plot.command()(function)


_SAMPLES = click.option(
    "--sample", "samples", type=int, multiple=True, help="Which samples, from 0; may be repeated."
)


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


@_of_model(
    click.option("--method", default="pca", show_default=True, help="pca, umap or opentsne."),
    click.option("--random-state", type=int, default=0, show_default=True, help="Seed of the map."),
    classes=True,
)
def embedding(estimator: Any, read: Samples, method: str, random_state: int) -> Any:
    """A map of the features of DATA, coloured by label."""
    from ..displays import EmbeddingDisplay

    return EmbeddingDisplay.from_estimator(
        estimator, read.X, read.labels, method=method, random_state=random_state
    )


@_of_model(
    _SAMPLES,
    click.option(
        "--neighbors", type=click.IntRange(1), default=8, show_default=True, help="Of each."
    ),
)
def neighbors(estimator: Any, read: Samples, samples: tuple[int, ...], neighbors: int) -> Any:
    """Samples of DATA beside those whose features are most like theirs."""
    from ..displays import NeighborsDisplay

    return NeighborsDisplay.from_estimator(
        estimator, read.X, queries=list(samples) or None, n_neighbors=neighbors
    )


@_of_model(_SAMPLES)
def places(estimator: Any, read: Samples, samples: tuple[int, ...]) -> Any:
    """Which places of samples of DATA say most of the whole."""
    from ..displays import LocalInformationDisplay

    return LocalInformationDisplay.from_estimator(estimator, read.X, samples=list(samples) or None)


@_of_model(
    click.option("--prior", help="uniform, normal, sphere or ball [the model's]."),
    layer="embedding",
)
def prior(estimator: Any, read: Samples, prior: str | None) -> Any:
    """How near the embedding of DATA comes to a prior."""
    from ..displays import PriorDisplay
    from ..priors import DISTRIBUTIONS

    name = prior or getattr(estimator._fitted.parts.prior, "distribution", None)
    if name not in DISTRIBUTIONS:
        said = "the model has none of these" if prior is None else f"{prior!r} is unknown"
        raise click.UsageError(f"--prior: {said}. Say one of {', '.join(DISTRIBUTIONS)}.")
    return PriorDisplay.from_estimator(estimator, read.X, name)


@_of_table(
    click.option("--target", metavar="COLUMN", required=True, help="A column, array or file.")
)
def information(read: Samples, missing: str) -> Any:
    """What each column of DATA tells about a target, with intervals."""
    from ..displays import InformationDisplay

    return InformationDisplay.from_columns(read.X, read.labels, missing=missing)


@_of_table()
def matrix(read: Samples, missing: str) -> Any:
    """What every two columns of DATA tell about each other."""
    from ..displays import InformationMatrixDisplay

    return InformationMatrixDisplay.from_columns(read.X, missing=missing)

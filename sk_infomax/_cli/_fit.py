"""``sk-infomax fit``: features learned from a file or folder, and saved."""

from __future__ import annotations

import time
from typing import Any

import click

from ._asked import Asked, asking
from ._estimator import KINDS, estimator_of, for_kind
from ._files import MODEL, check_output, output
from ._reading import read_data
from ._voice import Voice, about, speaking

__all__ = ["fit"]


@click.command()
@click.argument("data")
@output(MODEL, "The model")
@click.option("--kind", type=click.Choice(list(KINDS)), help="What the samples of an array are.")
@click.option("--preset", help="How much to compute: fast, balanced or accurate [fast].")
@click.option("--max-time", type=float, metavar="SECONDS", help="Training ends after so long.")
@click.option("--max-epochs", type=int, help="Passes over the data.")
@click.option("--encoder", help="By name, as in the docs: image, series, table, resnet, …")
@click.option("--bound", help="By name: infonce, jsd, dv, nwj or smile [infonce].")
@click.option("--n-components", type=int, help="Width of the embedding [256].")
@click.option("--random-state", type=int, help="A seed makes two fits on one CPU equal.")
@click.option("--device", help="auto, cpu or cuda [auto].")
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="NAME=VALUE",
    help="Any other parameter of DeepInfoMaxTransformer, such as augmentation__crop=0.5 or "
    "sample_shape=28,28; may be repeated.",
)
@asking()
@speaking
def fit(
    data: str,
    path: str,
    force: bool,
    kind: str | None,
    settings: tuple[str, ...],
    asked: Asked,
    voice: Voice,
    **options: Any,
) -> None:
    """Learn features of DATA without labels, and save them as a MODEL.

    Labels and names of samples (--label, --id) are not learned from. The model keeps the names of
    columns, by which it finds them again.
    """
    check_output(path, MODEL, force, data)
    estimator = estimator_of(options, settings, voice.verbose)
    samples = read_data(data, asked)
    for_kind(estimator, samples, kind)
    start = time.perf_counter()
    with about(data):
        estimator.fit(samples.X)
    seconds = time.perf_counter() - start
    estimator.save(path)
    _report(estimator, path, len(samples), seconds, voice)


def _report(estimator: Any, path: str, n: int, seconds: float, voice: Voice) -> None:
    facts = {
        "model": path,
        "kind": estimator.layout_.kind,
        "n_samples": n,
        "sample_shape": estimator.layout_.shape,
        "n_features_out": len(estimator.get_feature_names_out()),
        "epochs": estimator.n_iter_,
        "seconds": round(seconds, 3),
        "nats": estimator.net_.reported().get("local"),
    }
    text = (
        f"{path}: {n} samples of {facts['kind']} data {facts['sample_shape']}, "
        f"{facts['n_features_out']} features, {facts['epochs']} epochs, {seconds:.1f} s"
    )
    voice.done(facts, text)

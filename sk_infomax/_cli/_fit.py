"""``sk-infomax fit``: features learned from a file or folder, and saved."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import Any

import click

from ._asked import Asked, asking
from ._estimator import KINDS, estimator_of, for_kind
from ._files import MODEL, check_output, output
from ._reading import read_data
from ._samples import Samples
from ._voice import Failed, Voice, about, speaking

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
@click.option(
    "--checkpoint",
    metavar="FILE",
    help="Keep a .safetensors file every minute, from which a fit that was killed goes on.",
)
@click.option(
    "--resume",
    is_flag=True,
    help="Go on from --checkpoint, on the same DATA, with the settings that it was begun with.",
)
@asking()
@speaking
def fit(
    data: str,
    path: str,
    force: bool,
    kind: str | None,
    settings: tuple[str, ...],
    checkpoint: str | None,
    resume: bool,
    asked: Asked,
    voice: Voice,
    **options: Any,
) -> None:
    """Learn features of DATA without labels, and save them as a MODEL.

    Labels and names of samples (--label, --id) are not learned from. The model keeps the names of
    columns, by which it finds them again.
    """
    check_output(path, MODEL, force, data)
    if resume:
        kept = _kept(checkpoint, kind, settings, options)
        begin = partial(_resumed, kept, options["device"], voice)
    else:
        estimator = estimator_of(options, settings, voice.verbose)
        begin = partial(_begun, estimator, kind, _checkpoints(checkpoint, path, force, data))
    samples = read_data(data, asked)
    start = time.perf_counter()
    estimator = begin(samples)
    seconds = time.perf_counter() - start
    estimator.save(path)
    _report(estimator, path, len(samples), seconds, voice)


def _begun(estimator: Any, kind: str | None, callbacks: list[Any], samples: Samples) -> Any:
    """An estimator fitted from the start."""
    for_kind(estimator, samples, kind)
    with about(samples.source):
        return estimator.set_params(callbacks=callbacks or None).fit(samples.X)


def _checkpoints(checkpoint: str | None, path: str, force: bool, data: str) -> list[Any]:
    """What keeps the file of a fit, if one is asked for."""
    if checkpoint is None:
        return []
    if Path(checkpoint).absolute() == Path(path).absolute():
        raise click.UsageError("--checkpoint and -o are one file. Give two.")
    if Path(checkpoint).is_file() and not force:
        raise Failed(
            f"{checkpoint}: it is there already. Say --resume to go on from it, or --force to "
            "begin anew."
        )
    check_output(checkpoint, MODEL, force, data, option="--checkpoint")
    from .._training._callbacks import Checkpoint

    return [Checkpoint(checkpoint)]


def _kept(
    checkpoint: str | None, kind: str | None, settings: tuple[str, ...], options: dict[str, Any]
) -> str:
    """The file to go on from; none, and other settings, are refused."""
    if checkpoint is None:
        raise click.UsageError("--resume goes on from a file. Say --checkpoint FILE too.")
    asked = {"kind": kind, "set": settings or None} | options
    changed = [name for name, value in asked.items() if value is not None and name != "device"]
    if changed:
        names = ", ".join(f"--{name.replace('_', '-')}" for name in changed)
        raise click.UsageError(
            f"{names}: with --resume a fit goes on with the settings that it was begun with. Leave "
            "out what is no matter of DATA, but --device."
        )
    if not Path(checkpoint).is_file():
        raise Failed(f"{checkpoint}: there is no such file. Begin without --resume.")
    return checkpoint


def _resumed(checkpoint: str, device: str | None, voice: Voice, samples: Samples) -> Any:
    """The estimator of a fit that was killed, which has gone on to its end."""
    from ..deep_infomax import DeepInfoMaxTransformer

    own = {} if device is None else {"device": device}
    with about(checkpoint):
        return DeepInfoMaxTransformer.resume(checkpoint, samples.X, verbose=voice.verbose, **own)


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

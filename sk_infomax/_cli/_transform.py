"""``sk-infomax transform``: features of a file or folder by a model."""

from __future__ import annotations

import click

from ._asked import Asked, asking
from ._estimator import load_model
from ._files import FEATURES, check_output, output, write_features
from ._reading import read_for
from ._voice import Voice, about, speaking

__all__ = ["transform"]


@click.command()
@click.argument("model")
@click.argument("data")
@output(FEATURES, "The features; .npz, .csv and .parquet keep names and labels of samples")
@click.option(
    "--layer", help="embedding, multiscale, hidden or feature_map [what the model was fitted with]."
)
@click.option("--device", help="auto, cpu or cuda [the model's].")
@asking()
@speaking
def transform(
    model: str,
    data: str,
    path: str,
    force: bool,
    layer: str | None,
    device: str | None,
    asked: Asked,
    voice: Voice,
) -> None:
    """Write the features that a MODEL gives of DATA."""
    check_output(path, FEATURES, force, data, model)
    estimator = load_model(model, device, layer)
    samples = read_for(estimator, data, asked, voice, classes=False)
    with about(data):
        features = estimator.transform(samples.X)
    names = [str(name) for name in estimator.get_feature_names_out()]
    if path.lower().endswith(".npy") and samples.ids is not None:
        voice.note(f"{path} holds features alone; .npz, .csv and .parquet keep {samples.id_name}.")
    write_features(path, features, names, samples)
    n, width = features.shape
    voice.done(
        {"features": path, "n_samples": n, "n_features": width, "dtype": str(features.dtype)},
        f"{path}: {n} samples, {width} features",
    )

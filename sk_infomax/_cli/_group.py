"""The group of commands; each is imported with this, and what it needs when it runs."""

from __future__ import annotations

import click

from .. import __version__
from ._evaluate import evaluate
from ._fit import fit
from ._info import info
from ._plot import plot
from ._show import show
from ._transform import transform
from ._voice import Group

__all__ = ["sk_infomax"]


@click.group(cls=Group, invoke_without_command=True, context_settings={"max_content_width": 100})
@click.version_option(__version__, prog_name="sk-infomax")
@click.pass_context
def sk_infomax(context: click.Context) -> None:
    """Features of unlabelled data by Deep InfoMax, and mutual information in nats.

    DATA is a folder of pictures, an array (.npy, .npz), a table (.csv, .tsv, .parquet) or series
    (.ts of the UCR archive). MODEL is a .safetensors file that `fit` writes.

    \b
      sk-infomax fit photos/ -o photos.safetensors --max-time 60
      sk-infomax transform photos.safetensors photos/ -o features.parquet
      sk-infomax evaluate photos.safetensors photos/
      sk-infomax info patients.csv --target outcome
      sk-infomax plot neighbors photos.safetensors photos/ -o neighbors.png
      sk-infomax show photos.safetensors

    Exit codes: 0, 1 for data that is bad and what else failed, 2 for wrong usage.
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


for command in (fit, transform, evaluate, info, show, plot):
    sk_infomax.add_command(command)

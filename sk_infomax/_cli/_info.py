"""``sk-infomax info``: what columns tell, in nats, with intervals and p-values."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import click
import numpy as np

from ._asked import MISSING_VALUES, Asked, asking
from ._files import TABLES, check_output, output, write_table
from ._reading import read_data
from ._samples import Samples, column_names, named, table_of
from ._voice import Voice, about, speaking, table

__all__ = ["info"]

_PERMUTATIONS = 199  # of the tests, as in `mutual_info_scores`
_BITS = 1 / np.log(2)  # in a nat


@click.command()
@click.argument("data")
@click.option(
    "--target",
    metavar="COLUMN",
    help="What does each column tell about it? As --label: a column, array or file.",
)
@click.option("--x", multiple=True, metavar="COLUMN", help="Of one side; may be repeated.")
@click.option("--y", multiple=True, metavar="COLUMN", help="Of the other side; may be repeated.")
@click.option(
    "--given", multiple=True, metavar="COLUMN", help="What is known already, beside --x and --y."
)
@click.option("--matrix", is_flag=True, help="What does each column tell about each other?")
@click.option(
    "--effort",
    type=click.Choice(["fast", "balanced", "high"]),
    help="How much to compute for --x and --y [balanced].",
)
@click.option("--bits", is_flag=True, help="Bits instead of nats.")
@MISSING_VALUES
@click.option(
    "--level",
    type=click.FloatRange(0, 1, True, True),
    default=0.95,
    show_default=True,
    help="Confidence of the intervals.",
)
@click.option(
    "--permutations",
    type=click.IntRange(0),
    default=_PERMUTATIONS,
    show_default=True,
    help="For p-values; 0 leaves them out.",
)
@click.option(
    "--block-length",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="How many neighbouring rows depend on each other.",
)
@click.option("--random-state", type=int, default=0, show_default=True, help="Seed.")
@output(TABLES, "The table too", required=False)
@asking("label")
@speaking
def info(
    data: str,
    target: str | None,
    x: tuple[str, ...],
    y: tuple[str, ...],
    given: tuple[str, ...],
    matrix: bool,
    bits: bool,
    path: str | None,
    force: bool,
    asked: Asked,
    voice: Voice,
    **options: Any,
) -> None:
    """What columns of DATA tell about others: mutual information with intervals and p-values.

    Say --target for each column beside one, --x and --y for two groups of columns, or --matrix for
    every two columns. Columns may be of any kind.

    P-values are those of independence. Beside them stand those corrected for how many columns were
    looked at (Benjamini and Hochberg): columns with corrected values up to 0.05 are found by chance
    in 5 % of the cases in the mean.
    """
    _check_usage(target, (x, y, given), matrix, options["effort"])
    if path is not None:
        check_output(path, TABLES, force, data)
    samples = table_of(read_data(data, replace(asked, label=target)))
    settings = options | {"verbose": voice.verbose}
    settings |= {"unit": _BITS if bits else 1.0, "units": "bits" if bits else "nats"}
    with about(data):
        if target is not None:
            head, rows, facts = _of_target(samples, target, settings)
        elif matrix:
            head, rows, facts = _of_pairs(samples, settings)
        else:
            head, rows, facts = _of_groups(samples, (x, y, given), settings)
    facts |= {"units": settings["units"], "n_samples": len(samples), "rows": _named(head, rows)}
    if path is not None:
        _write(path, head, rows)
    voice.result(facts, table(head, [[_cell(one) for one in row] for row in rows]))


def _check_usage(
    target: str | None, sides: tuple[tuple[str, ...], ...], matrix: bool, effort: str | None
) -> None:
    groups = any(sides)
    if (target is not None) + groups + matrix != 1:
        raise click.UsageError("Say one of --target, --x with --y, or --matrix.")
    if groups and not (sides[0] and sides[1]):
        raise click.UsageError("--x and --y say the two sides: give both.")
    if effort is not None and not groups:
        raise click.UsageError("--effort has no meaning without --x and --y. Leave it out.")


def _of_target(samples: Samples, target: str, settings: dict[str, Any]) -> Any:
    """Each column beside a target, the one that tells most first."""
    from scipy.stats import false_discovery_control

    from ..information import mutual_info_scores

    X, y, unit = samples.X, samples.labels, settings["unit"]
    tests = settings["permutations"] > 0
    found = mutual_info_scores(
        X,
        y,
        return_interval=True,
        return_p_values=tests,
        missing=settings["missing"],
        confidence_level=settings["level"],
        block_length=settings["block_length"],
        n_permutations=settings["permutations"] or _PERMUTATIONS,
        random_state=settings["random_state"],
        verbose=settings["verbose"],
    )
    columns = [np.asarray(found[0], float) * unit, *(np.asarray(found[1], float).T * unit)]
    head = ["column", settings["units"], "low", "high"]
    if tests:
        p_values = np.asarray(found[2], float)
        columns += [p_values, false_discovery_control(p_values)]
        head += ["p", "p corrected"]
    order = np.argsort(-columns[0], kind="stable")
    names = column_names(X)
    return head, [[names[i], *(one[i] for one in columns)] for i in order], {"target": target}


def _of_pairs(samples: Samples, settings: dict[str, Any]) -> Any:
    """Every two columns, those that tell most first."""
    from ..information import mutual_info_matrix

    found = mutual_info_matrix(
        samples.X,
        return_interval=True,
        missing=settings["missing"],
        confidence_level=settings["level"],
        block_length=settings["block_length"],
        verbose=settings["verbose"],
    )
    tables = [np.asarray(one, float) * settings["unit"] for one in found]
    names = column_names(samples.X)
    pairs = [(i, j) for i in range(len(names)) for j in range(i + 1, len(names))]
    pairs.sort(key=lambda pair: -tables[0][pair])
    rows = [[names[i], names[j], *(one[i, j] for one in tables)] for i, j in pairs]
    return ["column", "other", settings["units"], "low", "high"], rows, {}


def _of_groups(
    samples: Samples, sides: tuple[tuple[str, ...], ...], settings: dict[str, Any]
) -> Any:
    """Two groups of columns, perhaps given a third."""
    names = column_names(samples.X)
    for name in (one for side in sides for one in side):
        named(name, names, samples.source)
    x, y, z = sides
    both = sorted(({*x} & {*y}) | ({*z} & ({*x} | {*y})))
    if both:
        raise click.UsageError(f"{', '.join(both)} cannot be on two sides: it tells all of itself.")
    value, (low, high), p_value = _estimate(samples.X, sides, settings)
    row = [", ".join(x), ", ".join(y), value, low, high]
    head = ["x", "y", settings["units"], "low", "high"]
    if z:
        head.insert(2, "given")
        row.insert(2, ", ".join(z))
    if p_value is not None:
        head.append("p")
        row.append(p_value)
    return head, [row], {}


def _estimate(
    X: Any, sides: tuple[tuple[str, ...], ...], settings: dict[str, Any]
) -> tuple[float, tuple[float, float], float | None]:
    """Estimate, interval and p-value."""
    from ..information import MutualInfoEstimator, conditional_mutual_info

    x, y, z = (X[list(side)] for side in sides)
    own = {
        "missing": settings["missing"],
        "confidence_level": settings["level"],
        "block_length": settings["block_length"],
        "random_state": settings["random_state"],
        "units": settings["units"],
        "verbose": settings["verbose"],
        "effort": settings["effort"] or "balanced",
    }
    n = settings["permutations"]
    if sides[2]:
        tests = {"return_p_value": n > 0, "n_permutations": n or _PERMUTATIONS}
        value, interval, *p_value = conditional_mutual_info(x, y, z, **tests, **own)
        return value, interval, p_value[0] if p_value else None
    estimator = MutualInfoEstimator(**own).fit(x, y)
    p = estimator.permutation_test(x, y, n) if n else None
    return estimator.mutual_info_, estimator.confidence_interval_, p


def _named(head: list[str], rows: list[list[Any]]) -> list[dict[str, Any]]:
    return [dict(zip([name.replace(" ", "_") for name in head], row)) for row in rows]


def _cell(value: Any) -> str:
    if isinstance(value, str):
        return value
    return f"{value:.2g}" if 0 < abs(value) < 0.01 else f"{value:.3f}"


def _write(path: str, head: list[str], rows: list[list[Any]]) -> None:
    from .._state import replacing

    columns = {name: [row[i] for row in rows] for i, name in enumerate(head)}
    replacing(path, lambda file: write_table(file, path[path.rfind(".") :].lower(), columns))

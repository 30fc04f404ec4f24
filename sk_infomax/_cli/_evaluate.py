"""``sk-infomax evaluate``: what simple classifiers make of features."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click
import numpy as np

from ._asked import Asked, asking
from ._estimator import load_model
from ._reading import read_for
from ._samples import Samples
from ._voice import Failed, Voice, about, speaking, table

__all__ = ["evaluate"]

_TEST_SIZE = 0.25  # part of the samples to test on, as in scikit-learn
_SHOWN = 5  # labels that an error names (rule of thumb)


@click.command()
@click.argument("model")
@click.argument("data")
@click.option("--probe", "kind", default="svm", show_default=True, help="svm, logistic, knn, mlp.")
@click.option("--test", metavar="DATA", help="Labelled samples to test on, of the same form.")
@click.option(
    "--test-size", type=click.FloatRange(0, 1, True, True), help="Part to test on [0.25]."
)
@click.option(
    "--splits",
    type=click.IntRange(2),
    default=5,
    show_default=True,
    help="How many times, at random.",
)
@click.option("--random-state", type=int, default=0, show_default=True, help="Seed of the splits.")
@click.option(
    "--raw", is_flag=True, help="Compare with raw values, all fitted anew in each of the splits."
)
@click.option(
    "--rivals", is_flag=True, help="Compare with raw values and other cheap features too."
)
@click.option("--device", help="auto, cpu or cuda [the model's].")
@asking()
@speaking
def evaluate(
    model: str,
    data: str,
    kind: str,
    test: str | None,
    test_size: float | None,
    splits: int,
    random_state: int,
    raw: bool,
    rivals: bool,
    device: str | None,
    asked: Asked,
    voice: Voice,
) -> None:
    """Accuracy of a simple classifier on the features that a MODEL gives of labelled DATA.

    The mean and standard deviation over splits into samples to train the classifier on and samples
    to test. Names of folders are the labels of pictures; else say --label. With --raw or --rivals
    the model's settings are fitted anew in each split and compared under one probe; numbers as
    labels are then told by regression.
    """
    _check_usage(kind, test, test_size, raw or rivals)
    estimator = load_model(model, device)
    samples = read_for(estimator, data, asked, voice, classes=True)
    labels = _labels(samples)
    if raw or rivals:
        _compare(estimator, samples, labels, (splits, random_state, rivals), voice)
        return
    _check_classes(labels, samples.source, test is None)
    rows = [(samples, labels)]
    if test is not None:
        others = read_for(estimator, test, asked, voice, classes=True)
        rows.append((others, _labels(others)))
    features = [_transformed(estimator, one) for one, _ in rows]
    found = _accuracies(features, [y for _, y in rows], kind, splits, test_size, random_state)
    _report(found, rows[-1][1], _facts(kind, splits, test, test_size, labels), voice)


def _check_usage(kind: str, test: str | None, test_size: float | None, comparing: bool) -> None:
    from .._checks import closest_name
    from ..evaluation import PROBES

    if kind not in PROBES:
        raise click.UsageError(f"--probe {kind!r} is unknown: {closest_name(kind, PROBES)}")
    if test is not None and test_size is not None:
        raise click.UsageError("--test says what to test on, so --test-size has no meaning.")
    if comparing and (test is not None or test_size is not None or kind != "svm"):
        raise click.UsageError(
            "--raw and --rivals cross-validate ridge regression: --probe, --test and --test-size "
            "have no meaning beside them."
        )


def _labels(samples: Samples) -> np.ndarray:
    """Labels, all of which are there."""
    labels = samples.labels
    if labels is None:
        how = (
            "Put its pictures into a folder for each class."
            if samples.kind == "image"
            else "Say --label, a column, an array, or a file with one for each sample."
        )
        raise Failed(f"{samples.source}: there are no labels to evaluate with. {how}")
    labels = np.asarray(labels)
    missing = np.array([one is None or one != one for one in labels.tolist()])
    if missing.any():
        raise Failed(
            f"{samples.source}: {missing.sum()} of the labels {samples.label_name!r} are missing, "
            f"the first of sample {missing.argmax()} (counted from 0). Leave these samples out."
        )
    return labels.astype(str) if labels.dtype == object else labels


def _check_classes(labels: np.ndarray, source: str, splitting: bool) -> None:
    """Refuse labels that are no classes, or classes of which no split has some on both sides."""
    from sklearn.utils.multiclass import type_of_target

    if type_of_target(labels) == "continuous":
        raise Failed(
            f"{source}: its labels are numbers with decimals, not classes. Say --raw or --rivals, "
            "which tell them by regression."
        )
    classes, counts = np.unique(labels, return_counts=True)
    rare = classes[counts < 2]
    if len(classes) < 2:
        raise Failed(f"{source}: all labels are {classes[0]}. Give two classes or more.")
    if splitting and len(rare):
        shown = ", ".join(map(str, rare[:_SHOWN]))
        raise Failed(
            f"{source}: {len(rare)} of {len(classes)} classes have one sample ({shown}), so no "
            "split has them on both sides. Give more, leave them out, or say --test. If they are "
            "amounts, --raw tells them by regression."
        )


def _transformed(estimator: Any, samples: Samples) -> np.ndarray:
    with about(samples.source):
        return estimator.transform(samples.X)


def _accuracies(
    features: Sequence[np.ndarray],
    labels: Sequence[np.ndarray],
    kind: str,
    splits: int,
    test_size: float | None,
    random_state: int,
) -> np.ndarray:
    """Accuracy of each split, or of each seed where there are samples to test on."""
    from sklearn.model_selection import StratifiedShuffleSplit

    from ..evaluation import probe

    Z, y = features[0], labels[0]
    if len(features) > 1:
        parts = (Z, y, features[1], labels[1])
        seeds = range(random_state, random_state + splits)
        return np.array([probe(None, *parts, kind, random_state=s).accuracy for s in seeds])
    splitter = StratifiedShuffleSplit(
        splits, test_size=test_size or _TEST_SIZE, random_state=random_state
    )
    return np.array(
        [
            probe(
                None, Z[train], y[train], Z[test], y[test], kind, random_state=random_state
            ).accuracy
            for train, test in splitter.split(Z, y)
        ]
    )


def _facts(
    kind: str, splits: int, test: str | None, test_size: float | None, labels: np.ndarray
) -> dict[str, Any]:
    return {
        "probe": kind,
        "splits": splits,
        "test": test,
        "test_size": None if test else test_size or _TEST_SIZE,
        "n_samples": len(labels),
        "n_classes": len(np.unique(labels)),
    }


def _report(found: np.ndarray, truth: np.ndarray, facts: dict[str, Any], voice: Voice) -> None:
    share = float(np.unique(truth, return_counts=True)[1].max() / len(truth))
    facts |= {"accuracy": float(found.mean()), "std": float(found.std(ddof=1))}
    facts |= {"accuracies": found.tolist(), "largest_class": share}
    tested = (
        f"tested on {facts['test']}" if facts["test"] else f"{facts['test_size']:.0%} to test on"
    )
    rows = [
        ("accuracy", f"{facts['accuracy']:.3f} ± {facts['std']:.3f}"),
        ("largest class", f"{share:.3f}"),
    ]
    head = (
        f"{facts['probe']}, {facts['splits']} times, {tested}: {facts['n_samples']} samples of "
        f"{facts['n_classes']} classes"
    )
    voice.result(facts, f"{head}\n{table(rows[0], rows[1:])}")


def _compare(
    estimator: Any, samples: Samples, labels: np.ndarray, how: tuple[int, int, bool], voice: Voice
) -> None:
    """Beside raw values, and cheap features if asked for, in cross-validation."""
    from sklearn.base import clone

    from ..evaluation import compare

    splits, random_state, rivals = how
    with about(samples.source):
        found = compare(
            samples.X,
            labels,
            transformer=clone(estimator).set_params(verbose=0, random_state=random_state),
            rivals=rivals,
            cv=splits,
            random_state=random_state,
        )
    facts = {"scoring": found.scoring, "splits": splits, "rows": found.rows()}
    voice.result(facts | {"verdict": found.verdict}, str(found))

"""What `fuzz_inputs` calls: both estimators and all functions, with what `_drawing` draws."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import torch

from sk_infomax import (
    Checkpoint,
    DeepInfoMaxTransformer,
    MutualInfoEstimator,
    MutualInfoSelector,
    Windows,
    conditional_mutual_info,
    datasets,
    evaluation,
    lagged_mutual_info,
    mutual_info,
    mutual_info_matrix,
    mutual_info_scores,
)
from sk_infomax.paper import paper

from ._drawing import (
    Random,
    Samples,
    draw_choice,
    draw_parameters,
    draw_samples,
    draw_side,
    of,
    part,
)

__all__ = ["FEATURES", "INFORMATION", "OF_COLUMNS", "TARGETS", "Case", "Wrong"]


class Wrong(Exception):  # noqa: N818
    """What came back is not what was promised."""


# What is called -----------------------------------------------------------------------------

_SMALL_PARTS = {
    "encoder": {
        "table": {"n_landmarks": 8, "width": 4},
        "series": {"n_filters": 4, "width": 4},
        "image": {"n_filters": 8, "width": 4, "n_channels": 4},
        "perceptron": {"n_groups": 2, "local_size": 4, "hidden": 4},
        "convolutions": {"width": 4, "hidden": 4},
        "strided": {"width": 4},
        "resnet": {"width": 4, "n_blocks": (1, 1, 1, 1)},
        "basic28x28": {},
        "foldalex64x64": {"width": 4, "hidden": 4},
        "foldresnet32x32": {"width": 4, "hidden": 4},
        "crops": {"width": 4, "hidden": 4},
    },
    "critic": {
        "dot": {"units": 4}, "bilinear": {}, "concat": {"hidden": 4}, "gated": {"hidden": 4}
    },
    "prior": {
        name: {"hidden": (4,)} for name in ("uniform", "normal", "sphere", "ball")
    },
}  # fmt: skip

FEATURES: dict[str, Callable[[Random], Any]] = {
    "n_components": of(1, 2, 3, 8, np.int64(4)),
    "preset": of("fast", "balanced", "accurate"),
    "encoder": part("encoder", _SMALL_PARTS["encoder"]),
    "critic": part("critic", _SMALL_PARTS["critic"]),
    "bound": part("bound"),
    "global_weight": of(0, 0.5, 1.0, 1e6),
    "local_weight": of(0, 0.5, 1.0),
    "locations_weight": of(0, 0.5),
    "prior": part("prior", _SMALL_PARTS["prior"]),
    "prior_weight": of(0, 0.1, 10.0),
    "context": part("context"),
    "coordinates": of("absolute", "relative", "both", None),
    "coordinates_weight": of(0, 1.0),
    "occlusion": of(0.3, 0.9, None),
    "target_momentum": of(None, 0.9, 0, 1.0),
    "views": of("auto", 1, 2),
    "augmentation": part("augmentation"),
    "output": of("auto", "embedding", "multiscale", "hidden", "feature_map"),
    "sample_shape": of(None, (2, 2), (4,), (1, 4), (2, 2, 1), [4]),
    "channels": of("auto", "first", "last"),
    "max_time": of(0.01, None),
    "batch_size": of(2, 3, 128, "auto", 10**9),
    "optimizer": of(
        "adamw",
        "adam",
        "sgd",
        "rmsprop",
        "adam_gan",
        torch.optim.NAdam,
        torch.optim.LBFGS,
        torch.optim.SparseAdam,
    ),
    "lr": of(1e-3, 1.0, 1e-30, 1e30),
    "lr_schedule": of("cosine", "constant"),
    "weight_decay": of(0.0, 1e-4, 1e4),
    "early_stopping": of(True, False),
    "validation_fraction": of(0.1, 0.5, 0.99),
    "n_iter_no_change": of(1, 3),
    "tol": of(0.0, 1.0),
    "warm_start": of(True, False),
    "callbacks": of(None, [], [Checkpoint("/nowhere/at/all", every=0)], ["a"]),
    "device": of("auto", "cpu", torch.device("cpu"), "cuda", "abacus", "meta"),
    "random_state": of(0, None, np.random.RandomState(0), np.int64(3)),
    "verbose": of(0, 1, True),
}

INFORMATION: dict[str, Callable[[Random], Any]] = {
    "bound": part("bound"),
    "critic": part("critic", _SMALL_PARTS["critic"]),
    "effort": of("fast", "balanced", "high"),
    "base": of("gaussian", None),
    "cv": of(2, 3, 5, "auto", 10**9),
    "units": of("nats", "bits"),
    "missing": of("error", "drop", "level"),
    "block_length": of(1, 2, 3, 10**9),
    "discrete_x": of("auto", True, False, [True], [0], ["c0"], [False, True]),
    "discrete_y": of("auto", True, False, [True], [0], ["c0"]),
    "confidence_level": of(0.5, 0.95, 0.999999),
    "batch_size": of(2, 5, 256, 10**9),
    "n_negatives": of(1, 2, 100, "auto"),
    "device": of("auto", "cpu", torch.device("cpu"), "cuda", "abacus", "meta"),
    "random_state": of(0, None, np.random.RandomState(0)),
    "verbose": of(0, 1),
}


class Case(NamedTuple):
    """One call, not yet made.

    Parameters
    ----------
    said : str
        Arguments.
    call : callable
        Makes it, and raises `Wrong` where what comes back is not what was promised.
    """

    said: str
    call: Callable[[], None]


def _transformer(rng: Random) -> Case:
    X, parameters = draw_samples(rng), draw_parameters(rng, FEATURES)
    parameters = {"max_epochs": 1, "n_components": 3} | parameters
    again = draw_samples(rng) if rng.rand() < 0.3 else X
    verb = ["fit_transform", "score", "partial_fit", "pandas", "refit"][rng.randint(5)]

    def call() -> None:
        model = DeepInfoMaxTransformer(**parameters)
        if verb == "partial_fit":
            model.partial_fit(X.value)
            model.partial_fit(again.value)
        elif verb == "refit":
            model.fit(X.value).fit(again.value)
        else:
            model.fit(X.value)
        if verb == "pandas":
            model.set_output(transform="pandas")
        found = model.transform(again.value)
        _rows(found, again.n, len(model.get_feature_names_out()))
        if verb == "score":
            _number(model.score(again.value))

    return Case(f"{verb} {_said(parameters)} on {X.said}, then {again.said}", call)


def _estimator(rng: Random) -> Case:
    X = draw_samples(rng, ["table"])
    y, parameters = draw_side(rng, X.n), _steps(rng) | draw_parameters(rng, INFORMATION)
    groups = draw_side(rng, X.n) if rng.rand() < 0.15 else Samples(None, "none", None)
    verb = ["pointwise", "transform", "score", "permutation_test"][rng.randint(4)]

    def call() -> None:
        model = MutualInfoEstimator(**parameters)
        if verb == "permutation_test":
            found = model.permutation_test(X.value, y.value, 3, groups=groups.value)
            _between(found, 0, 1)
            return
        model.fit(X.value, y.value, groups=groups.value)
        _interval(model.mutual_info_, model.confidence_interval_)
        _number(model.standard_error_)
        _between(model.correlation_, 0, 1)
        dropped = parameters.get("missing") == "drop"
        if verb == "pointwise":
            _rows(model.pointwise(X.value, y.value)[:, None], X.n, 1, dropped)
        elif verb == "transform":
            names = model.get_feature_names_out()
            _rows(model.transform(X.value), X.n, len(names), dropped)
        else:
            _number(model.score(X.value, y.value))

    return Case(f"{verb} {_said(parameters)} on {X.said} and {y.said}, {groups.said}", call)


def _steps(rng: Random) -> dict[str, Any]:
    return {"max_steps": int(rng.randint(2)), "cv": 2}


def _mutual_info(rng: Random) -> Case:
    X = draw_samples(rng, ["table"])
    y, parameters = draw_side(rng, X.n), _steps(rng) | draw_parameters(rng, INFORMATION)

    def call() -> None:
        _interval(*mutual_info(X.value, y.value, **parameters))

    return Case(f"{_said(parameters)} on {X.said} and {y.said}", call)


def _conditional(rng: Random) -> Case:
    X = draw_samples(rng, ["table"])
    y, z = draw_side(rng, X.n), draw_side(rng, X.n)
    parameters = _steps(rng) | draw_parameters(rng, INFORMATION)
    test = draw_choice(rng, [False, True], 0.05)

    def call() -> None:
        found = conditional_mutual_info(
            X.value, y.value, z.value, return_p_value=test, n_permutations=3, **parameters
        )
        _interval(found[0], found[1])
        if len(found) > 2:
            _between(found[2], 0, 1)

    return Case(f"{_said(parameters)} on {X.said}, {y.said} given {z.said}", call)


def _lagged(rng: Random) -> Case:
    x = draw_side(rng, 20)
    y, given = draw_side(rng, x.n), draw_side(rng, x.n)
    lags = draw_choice(rng, [[0], [0, 1], range(3), [-1, 1], np.array([0, 2]), [1.0], [25]])
    has = rng.rand() < 0.2
    parameters = _steps(rng) | draw_parameters(rng, {k: INFORMATION[k] for k in _ROWS})

    def call() -> None:
        found = lagged_mutual_info(
            x.value, y.value, lags, given=given.value if has else None, **parameters
        )
        if not len(found):
            raise Wrong("nothing came back")

    return Case(f"{_said(parameters)}, {lags!r} on {x.said} and {y.said}, {has} {given.said}", call)


_ROWS = ("units", "missing", "confidence_level", "random_state", "block_length")
OF_COLUMNS: dict[str, Callable[[Random], Any]] = {
    "column_groups": of(None, {"a": [0]}, {"a": ["c0"]}, {"a": []}, {"a": [9]}, ["a"]),
    "return_interval": of(True, False),
    "missing": of("error", "drop", "level"),
    "confidence_level": of(0.5, 0.95),
    "block_length": of(1, 2),
}


def _matrix(rng: Random) -> Case:
    X, parameters = draw_samples(rng, ["table"]), draw_parameters(rng, OF_COLUMNS)
    parameters["n_jobs"] = draw_choice(rng, [None, 1], 0.05)

    def call() -> None:
        found = mutual_info_matrix(X.value, **parameters)
        for one in found if isinstance(found, tuple) else (found,):
            one = np.asarray(one, dtype=float)
            if one.shape[0] != one.shape[1] or np.isnan(one).any():
                raise Wrong(f"a matrix of shape {one.shape} with {np.isnan(one).sum()} nan")

    return Case(f"{_said(parameters)} on {X.said}", call)


def _scores(rng: Random) -> Case:
    X = draw_samples(rng, ["table"])
    y = draw_side(rng, X.n, one=True)
    parameters = draw_parameters(rng, OF_COLUMNS | {"return_p_values": of(True, False)})
    parameters["n_permutations"] = draw_choice(rng, [3], 0.05)

    def call() -> None:
        found = mutual_info_scores(X.value, y.value, **parameters)
        for one in found if isinstance(found, tuple) else (found,):
            if isinstance(one, pa.Table):
                one = one.to_pandas()
            numbers = one.select_dtypes("number") if isinstance(one, pd.DataFrame) else one
            if isinstance(one, pl.DataFrame):
                numbers = one.select(pl.selectors.numeric())
            if np.isnan(np.asarray(numbers, dtype=float)).any():
                raise Wrong("a score is nan")

    return Case(f"{_said(parameters)} on {X.said} and {y.said}", call)


def _selector(rng: Random) -> Case:
    X = draw_samples(rng, ["table"])
    y = draw_side(rng, X.n, one=True)
    right = {
        "k": of(1, 2, "all", 10),
        "fdr": of(None, 0.1, 0.9),
        "missing": of("error", "drop", "level"),
    }
    parameters = draw_parameters(rng, right) | {"n_permutations": draw_choice(rng, [3], 0.05)}

    def call() -> None:
        model = MutualInfoSelector(**parameters).fit(X.value, y.value)
        found = model.transform(X.value)
        # A frame without columns has no rows in polars.
        if X.n is not None and found.shape[1] and found.shape[0] != X.n:
            raise Wrong(f"{found.shape[0]} rows of {X.n}")

    return Case(f"{_said(parameters)} on {X.said} and {y.said}", call)


def _windows(rng: Random) -> Case:
    X = draw_samples(rng, ["series", "table"])
    parameters = draw_parameters(rng, {"length": of(1, 2, 5, 100), "step": of(None, 1, 3)})

    def call() -> None:
        found = Windows(**parameters).fit_transform(X.value)
        if not len(found):
            raise Wrong("no windows")

    return Case(f"{_said(parameters)} on {X.said}", call)


_MEASURES = ("rank_me", "uniformity", "neural_dependency", "mine")
_PROBES = ("svm", "logistic", "knn", "ridge")


def _measure(rng: Random) -> Case:
    X, name = draw_samples(rng, ["table", "image"]), _MEASURES[rng.randint(len(_MEASURES))]
    right: dict[str, Callable[[Random], Any]] = {"random_state": of(0, None)}
    if name == "uniformity":
        right = {"t": of(0.1, 2.0)}
    if name == "mine":
        right |= {
            "critic": INFORMATION["critic"],
            "n_components": of(None, 2),
            "batch_size": of(4),
        }
    parameters = {} if name == "rank_me" else draw_parameters(rng, right)
    if name in ("mine", "neural_dependency"):
        parameters["max_steps"] = draw_choice(rng, [1], 0.05)

    def call() -> None:
        _number(getattr(evaluation, name)(None, X.value, **parameters))

    return Case(f"{name} {_said(parameters)} of {X.said}", call)


def _probe(rng: Random) -> Case:
    X, rest = draw_samples(rng, ["table"]), draw_samples(rng, ["table"])
    rest = rest if rng.rand() < 0.3 else X
    y, other = draw_side(rng, X.n), draw_side(rng, rest.n)
    other = other if rng.rand() < 0.3 else y
    kind = draw_choice(rng, sorted(_PROBES), 0.1)
    name = ("probe", "probe_score", "label_efficiency", "evaluate_representation")[rng.randint(4)]
    fast = {"n_draws": 1} if name == "label_efficiency" else {}
    more = draw_parameters(rng, {"random_state": of(0)}) if name != "probe_score" else {}
    labels = draw_choice(rng, [(1,), (2, 5), [3]], 0.1)

    def call() -> None:
        if name == "probe_score":
            _number(evaluation.probe_score(None, X.value, y.value, kind, cv=2))
        elif name == "probe":
            found = evaluation.probe(None, X.value, y.value, rest.value, other.value, kind, **more)
            _number(found.accuracy)
        elif name == "label_efficiency":
            found = evaluation.label_efficiency(
                None, X.value, y.value, rest.value, other.value, labels, kind=kind, **fast, **more
            )
            for one in found.values():
                _number(one.accuracy)
        else:
            found = evaluation.evaluate_representation(
                None, X.value, y.value, rest.value, other.value,
                probes=[kind], measures=["rank_me"], **more
            )  # fmt: skip
            for one in found.values():
                _number(one)

    return Case(
        f"{name} {kind!r} {labels!r} {_said(more)} of {X.said}, {y.said}, {rest.said}", call
    )


def _other_measures(rng: Random) -> Case:
    X = draw_samples(rng, ["table", "image"])
    rest = draw_samples(rng, ["table", "image"]) if rng.rand() < 0.4 else X
    y, name = draw_side(rng, X.n), ("alignment", "reconstruction", "information_plane")
    which = name[rng.randint(3)]
    steps = draw_choice(rng, [1], 0.1)
    model = DeepInfoMaxTransformer(2, encoder="perceptron", max_epochs=1, random_state=0)

    def call() -> None:
        if which == "alignment":
            _number(evaluation.alignment(None, X.value, rest.value))
        elif which == "reconstruction":
            found = evaluation.reconstruction(None, X.value, rest.value, max_steps=steps)
            _number(float(np.mean(found.images)))
        else:
            model.fit(X.value)
            evaluation.information_plane(model, X.value, y.value, max_steps=steps)

    return Case(f"{which} {steps!r} of {X.said}, {rest.said}, {y.said}", call)


def _tasks(rng: Random) -> Case:
    makers = [
        n for n in datasets.__all__
        if n[0].islower() and not n.startswith("load") and n != "transformed"
    ]  # fmt: skip
    name = makers[rng.randint(len(makers))]
    maker = getattr(datasets, name)
    right: dict[str, Callable[[Random], Any]] = {}
    defaults = maker.__defaults__ or ()
    names = maker.__code__.co_varnames[: maker.__code__.co_argcount]
    for argument, default in zip(names[len(names) - len(defaults) :], defaults):
        right[argument] = of(default, 1, 2, 3, 0.5, 0.9)
    parameters, n = draw_parameters(rng, right), draw_choice(rng, [1, 2, 10], 0.1)
    seed = draw_choice(rng, [0, None], 0.1)

    def call() -> None:
        task = maker(**parameters)
        x, y = task.sample(n, random_state=seed)
        _number(task.mutual_information)
        if len(x) != n or len(y) != n:
            raise Wrong(f"{len(x)} and {len(y)} rows of {n}")

    return Case(f"{name} {_said(parameters)} {n!r} {seed!r}", call)


def _paper(rng: Random) -> Case:
    right = {
        "row": of("DIM(L)", "DIM(G)", "DIM(L+G)", "CPC"),
        "bound": of("dv", "jsd", "infonce", None),
        "coordinates": of("absolute", "relative", "both", None),
        "occlusion": of(0.3, None),
        "crops": of(True, False),
        "several": of(True, False),
        "critic": of("dot", "concat"),
        "image_size": of(28, 32, 64),
        "max_epochs": of(1, 2),
        "oops": of(1),
    }
    parameters = draw_parameters(rng, right)

    def call() -> None:
        model = paper(**parameters)
        if not isinstance(model, DeepInfoMaxTransformer):
            raise Wrong(f"a {type(model).__name__}")

    return Case(_said(parameters), call)


TARGETS: dict[str, tuple[float, Callable[[Random], Case]]] = {
    "DeepInfoMaxTransformer": (6, _transformer),
    "MutualInfoEstimator": (5, _estimator),
    "mutual_info": (2, _mutual_info),
    "conditional_mutual_info": (1.5, _conditional),
    "lagged_mutual_info": (1, _lagged),
    "mutual_info_matrix": (1, _matrix),
    "mutual_info_scores": (1, _scores),
    "MutualInfoSelector": (1, _selector),
    "Windows": (0.7, _windows),
    "measures": (0.7, _measure),
    "probes": (1, _probe),
    "alignment, reconstruction, information_plane": (0.7, _other_measures),
    "datasets": (0.5, _tasks),
    "paper": (0.4, _paper),
}


# What comes back ----------------------------------------------------------------------------


def _rows(found: Any, n: int | None, width: int, dropped: bool = False) -> None:
    values = np.asarray(found, dtype=float)
    if values.ndim != 2 or values.shape[1] != width or (n is not None and len(values) != n):
        raise Wrong(f"shape {values.shape} for {n} rows of {width} columns")
    if not np.isfinite(values).all() and not (dropped and not np.isinf(values).any()):
        raise Wrong(f"{(~np.isfinite(values)).sum()} values that are not finite")


def _number(found: Any) -> None:
    if not math.isfinite(found):
        raise Wrong(f"{found} came back")


def _between(found: Any, low: float, high: float) -> None:
    if not low <= found <= high:
        raise Wrong(f"{found} is not between {low} and {high}")


def _interval(value: Any, interval: Any) -> None:
    _number(value)
    low, high = interval
    if not 0 <= low <= value <= high:
        raise Wrong(f"{value} with an interval from {low} to {high}")


def _said(parameters: dict[str, Any]) -> str:
    return ", ".join(
        f"{name}={' '.join(repr(value).split())[:120]}" for name, value in parameters.items()
    )

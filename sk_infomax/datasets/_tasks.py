"""The tasks of the literature by name: map of X, distribution, dimensions, parameters."""

from __future__ import annotations

from functools import partial

import numpy as np
from scipy.special import ndtr

from ._discrete import class_means, contingency, uniform_mixture, xor
from ._maps import bimodal, half_cube, spiral, swiss_roll, wiggly
from ._pairs import (
    PairTask,
    additive_uniform,
    correlated_normal,
    independent,
    multinormal_dense,
    multinormal_sparse,
    student,
    transformed,
)

__all__ = ["TASKS"]


def _pair() -> PairTask:
    return multinormal_dense(1, 1, 0.75)


def _tasks() -> dict[str, PairTask]:
    """Tasks of the literature under its names: map of X, distribution, dims, parameters."""
    both = {"map_x": ndtr, "map_y": ndtr}
    tasks = {
        "1v1-normal-0.75": _pair(),
        "normal_cdf-1v1-normal-0.75": transformed(_pair(), **both),
        "1v1-additive-0.75": additive_uniform(),
        "1v1-bimodal-0.75": transformed(_pair(), bimodal, bimodal),
        "wiggly-1v1-normal-0.75": transformed(_pair(), wiggly, wiggly),
        "half_cube-1v1-normal-0.75": transformed(_pair(), half_cube, half_cube),
        "swissroll_x-normal_cdf-1v1-normal-0.75": transformed(
            transformed(_pair(), **both), swiss_roll
        ),
        "xor-10": xor(),
        "uniform-mixture-5": uniform_mixture(),
        "class-means-3": class_means(),
        "contingency-3x3": contingency(),
        "additive-5-5-0.1": additive_uniform(5, 0.1),
    }
    for dim in (1, 5, 20):
        tasks[f"independent-{dim}-{dim}"] = independent(dim, dim)
        tasks[f"independent-student-{dim}-{dim}-1"] = independent(dim, dim, df=1)
    for dim in (2, 3, 5, 25):
        sparse = multinormal_sparse(dim, dim)
        cdf, name = transformed(sparse, **both), f"multinormal-sparse-{dim}-{dim}-2-2.0"
        tasks[f"multinormal-dense-{dim}-{dim}-0.5"] = multinormal_dense(dim, dim)
        tasks[name] = sparse
        tasks[f"normal_cdf-{name}"] = cdf
        tasks[f"half_cube-{name}"] = transformed(sparse, half_cube, half_cube)
        if dim > 2:
            second = partial(spiral, first=1)
            tasks[f"spiral-{name}"] = transformed(sparse, spiral, second)
            tasks[f"spiral-normal_cdf-{name}"] = transformed(cdf, spiral, second)
    for dim, df in ((1, 1), (2, 1), (2, 2), (3, 2), (3, 3), (5, 2), (5, 3)):
        task, name = student(dim, dim, df), f"student-identity-{dim}-{dim}-{df}"
        tasks[name] = task
        tasks[f"asinh-{name}"] = transformed(task, np.arcsinh, np.arcsinh)
    for nats in (2, 4, 6, 8, 10):
        tasks[f"normal-20-20-{nats}"] = correlated_normal(20, float(nats))
        tasks[f"cubic-20-20-{nats}"] = correlated_normal(20, float(nats), cubic=True)
    return tasks


TASKS: dict[str, PairTask] = _tasks()
"""Pair tasks by the names that the literature has for them."""

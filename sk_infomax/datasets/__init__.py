"""Data for examples, tests and benchmarks; imports nothing of the rest of the package.

Image sets are read from files or fetched from OpenML (`load_fashion_mnist`, `load_cifar10`).
Pairs of arrays whose mutual information is known exactly are drawn from a `PairTask`; `TASKS`
names those of the literature.
"""

from ._images import load_cifar10, load_fashion_mnist
from ._pairs import (
    TASKS,
    PairTask,
    additive_uniform,
    class_means,
    contingency,
    correlated_normal,
    independent,
    multinormal_dense,
    multinormal_sparse,
    student,
    transformed,
    uniform_mixture,
    xor,
)

__all__ = [
    "TASKS",
    "PairTask",
    "additive_uniform",
    "class_means",
    "contingency",
    "correlated_normal",
    "independent",
    "load_cifar10",
    "load_fashion_mnist",
    "multinormal_dense",
    "multinormal_sparse",
    "student",
    "transformed",
    "uniform_mixture",
    "xor",
]

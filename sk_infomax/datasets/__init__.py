"""Data for examples, tests and benchmarks; imports nothing of the rest of the package.

Image sets are read from files or fetched from OpenML; `READERS` names those that are known, and
`load_image_folder` reads any folder of pictures.
Pairs of arrays whose mutual information is known exactly are drawn from a `PairTask`; `TASKS`
names those of the literature.
"""

from ._cifar10 import load_cifar10
from ._cifar100 import load_cifar100
from ._discrete import class_means, contingency, uniform_mixture, xor
from ._fashion_mnist import load_fashion_mnist
from ._image_folder import load_image_folder
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
from ._readers import READERS
from ._stl10 import load_stl10
from ._tasks import TASKS
from ._tiny_imagenet import load_tiny_imagenet

__all__ = [
    "READERS",
    "TASKS",
    "PairTask",
    "additive_uniform",
    "class_means",
    "contingency",
    "correlated_normal",
    "independent",
    "load_cifar10",
    "load_cifar100",
    "load_fashion_mnist",
    "load_image_folder",
    "load_stl10",
    "load_tiny_imagenet",
    "multinormal_dense",
    "multinormal_sparse",
    "student",
    "transformed",
    "uniform_mixture",
    "xor",
]

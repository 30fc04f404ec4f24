"""The readers of image sets by name."""

from __future__ import annotations

from collections.abc import Callable

from ._cifar10 import load_cifar10
from ._cifar100 import load_cifar100
from ._fashion_mnist import load_fashion_mnist
from ._files import Folder, ImageSet, four_arrays
from ._stl10 import load_stl10
from ._tiny_imagenet import load_tiny_imagenet

__all__ = ["READERS"]

READERS: dict[str, Callable[[Folder], ImageSet]] = {
    "cifar10": load_cifar10,
    "cifar100": four_arrays(load_cifar100),
    "fashion-mnist": load_fashion_mnist,
    "stl10": four_arrays(load_stl10),
    "tiny-imagenet": four_arrays(load_tiny_imagenet, n_jobs=-1),
}
"""Functions that read the parts of an image set to train and to test on, as four arrays.

They take a folder; for None, CIFAR-10 and Fashion-MNIST are fetched from OpenML.
"""

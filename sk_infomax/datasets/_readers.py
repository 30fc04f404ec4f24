"""The readers of image sets by name."""

from __future__ import annotations

from collections.abc import Callable

from ._cifar10 import load_cifar10
from ._fashion_mnist import load_fashion_mnist
from ._files import Folder, ImageSet

__all__ = ["READERS"]

READERS: dict[str, Callable[[Folder], ImageSet]] = {
    "cifar10": load_cifar10,
    "fashion-mnist": load_fashion_mnist,
}
"""Functions that read an image set from a folder, or fetch it from OpenML for None."""

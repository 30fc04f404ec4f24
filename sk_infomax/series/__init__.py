"""Series of any length: many of them in any container, or a long one cut into windows."""

from ._windows import Windows

__all__ = ["Windows"]

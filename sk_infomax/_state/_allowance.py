"""How much memory and work the making of a network may take that a file asks for.

What a file says is little, and what it asks for may be huge. Each operation of torch is looked at
on the meta device, which allocates nothing, before it is done.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

__all__ = ["building"]

_TIMES = 10  # what is made may be so many times as large as the arrays of the file
_BESIDES = 2**29  # bytes beyond that, in all: what one sample of a large image takes
_MOST_STEPS = 2**15  # operations; networks of this package take 3,000 at most


@contextmanager
def building(n_bytes: int) -> Iterator[None]:
    """Limit what is done inside to what arrays of `n_bytes` can need; any failure is an error.

    Raises
    ------
    ValueError
        If more is asked for, or if what a file says makes no network.
    """
    try:
        with _Allowance(_TIMES * n_bytes + _BESIDES):
            yield
    except ValueError:
        raise
    except Exception as error:
        raise ValueError(
            "The file is damaged, or what was given for it does not fit: what it says makes no "
            f"fitted estimator ({type(error).__name__}: {error})."
        ) from error


class _Allowance(TorchDispatchMode):
    """Refuses operations once results have taken more bytes, or more steps, than allowed."""

    def __init__(self, n_bytes: int):
        super().__init__()
        self.left = n_bytes
        self.steps = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        self.steps += 1
        if not any(one.alias_info for one in func._schema.returns):
            self.left -= _bytes_of_result(func, args, kwargs)
        if self.left < 0 or self.steps > _MOST_STEPS:
            raise ValueError(
                "The file is damaged: it asks for a network that is much larger than its arrays."
            )
        return func(*args, **kwargs)


def _bytes_of_result(func: Any, args: Any, kwargs: Any) -> int:
    """What an operation will allocate; 0 where only its values say so, which no file sets."""
    kwargs = dict(kwargs)
    if "device" in kwargs:
        kwargs["device"] = torch.device("meta")
    try:
        found = func(*tree_map(_on_meta, args), **tree_map(_on_meta, kwargs))
    except Exception:  # whatever is wrong shows when it is done
        return 0
    return sum(t.numel() * t.element_size() for t in tree_leaves(found) if torch.is_tensor(t))


def _on_meta(value: Any) -> Any:
    if not torch.is_tensor(value):
        return value
    return torch.empty_strided(value.shape, value.stride(), dtype=value.dtype, device="meta")

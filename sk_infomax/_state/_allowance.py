"""How much memory and work the making of a network may take that a file asks for.

What a file says is little, and what it asks for may be huge. Each operation of torch is looked at
on the meta device, which allocates nothing, before it is done.
"""

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

__all__ = ["building", "memory_of_machine", "within"]

_TIMES = 10  # what is made may be so many times as large as the arrays of the file
_BESIDES = 2**29  # bytes beyond that, in all: what one sample of a large image takes
_UNKNOWN = 2**50  # bytes that no machine has
_SMALL = 2**11  # numbers, and a length, of which no operation makes more than 2**25 bytes
# Operations whose results are no larger than what they are given, and which torch can't look at on
# the meta device, or only after it has imported much.
_NO_LARGER = {torch.ops.aten.searchsorted, torch.ops.aten.bucketize, torch.ops.aten.nonzero}
_BLANK = 2**27  # bytes beyond that of what is made of nothing: blank samples of large images
_MOST_STEPS = 2**15  # operations; networks of this package take 3,000 at most


@contextmanager
def building(n_bytes: int) -> Iterator[None]:
    """Limit what is done inside to what arrays of `n_bytes` can need; any failure is an error.

    Raises
    ------
    ValueError
        If more is asked for, or if what a file says makes no network.
    """
    said = "The file is damaged: it asks for a network that is much larger than its arrays."
    try:
        with _Allowance(_TIMES * n_bytes + _BESIDES, said, _TIMES * n_bytes + _BLANK):
            yield
    except ValueError:
        raise
    except Exception as error:
        raise ValueError(
            "The file is damaged, or what was given for it does not fit: what it says makes no "
            f"fitted estimator ({type(error).__name__}: {error})."
        ) from error


@contextmanager
def within(n_bytes: int, said: str) -> Iterator[None]:
    """Refuse to make, inside, more than so many bytes in all.

    Raises
    ------
    ValueError
        With what is to be said, before more is made.
    """
    with _Allowance(n_bytes, said, n_bytes):
        yield


def memory_of_machine() -> int:
    """Bytes that this machine has; so many that nothing is refused where it does not say."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return _UNKNOWN


class _Allowance(TorchDispatchMode):
    """Refuses operations once results have taken more bytes, or more steps, than allowed.

    What is made of nothing, such as first weights and a blank sample, is counted besides.
    """

    def __init__(self, n_bytes: int, said: str, n_fresh: int):
        super().__init__()
        self.left, self.left_fresh, self.said = n_bytes, n_fresh, said
        self.steps = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        self.steps += 1
        makes = not any(one.alias_info for one in func._schema.returns)
        small = makes and (
            func.overloadpacket in _NO_LARGER
            or (_is_small(args) and _is_small(tuple(kwargs.values())))
        )
        fresh = not any(map(torch.is_tensor, args))
        if makes and not small:
            self._spend(_bytes_of_result(func, args, kwargs), fresh)
        result = func(*args, **kwargs)
        if small:
            self._spend(_bytes(result), fresh)
        return result

    def _spend(self, n_bytes: int, fresh: bool) -> None:
        self.left -= n_bytes
        self.left_fresh -= n_bytes if fresh else 0
        if self.left < 0 or self.left_fresh < 0 or self.steps > _MOST_STEPS:
            raise ValueError(self.said)


def _is_small(values: Any) -> bool:
    """Whether nothing large can come of these: of few numbers and short lengths."""
    for value in values:
        if isinstance(value, int):
            large = abs(value) > _SMALL
        elif torch.is_tensor(value):
            large = value.numel() > _SMALL
        else:
            large = isinstance(value, list | tuple) and not _is_small(value)
        if large:
            return False
    return math.prod(v for v in values if type(v) is int and v > 0) <= _SMALL**2


def _bytes_of_result(func: Any, args: Any, kwargs: Any) -> int:
    """What an operation will allocate; 0 where only its values say so, which no file sets."""
    on_meta = {name: _on_meta(value) for name, value in kwargs.items()}
    try:
        found = func(*map(_on_meta, args), **on_meta)
    except Exception:  # whatever is wrong shows when it is done
        return 0
    return _bytes(found)


def _bytes(result: Any) -> int:
    """Of the tensors of a result; 0 for what is none."""
    if torch.is_tensor(result):
        return result.numel() * result.element_size()
    return sum(map(_bytes, result)) if isinstance(result, list | tuple) else 0


def _on_meta(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return type(value)(map(_on_meta, value)) if type(value) in (list, tuple) else value
    if isinstance(value, torch.device):
        return torch.device("meta")
    if not torch.is_tensor(value):
        return value
    return torch.empty_strided(value.shape, value.stride(), dtype=value.dtype, device="meta")

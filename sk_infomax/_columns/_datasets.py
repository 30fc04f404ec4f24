"""Samples of torch's datasets and data loaders, and of streams whose end nobody knows."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from scipy import sparse
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    Dataset,
    IterableDataset,
    RandomSampler,
    SequentialSampler,
    default_collate,
)

from ._sources import ArraySource, Source, array_of, is_sliceable, type_inside

__all__ = ["DatasetSource", "Samples", "Stream", "opened", "pieces_of"]

Samples = ArrayLike | Dataset[Any] | Iterable[Any]
"""What estimators are given, for checkers of types: arrays and frames, datasets, streams."""

_PIECE_VALUES = 2**22  # values of samples that are gathered before they are read: 16 MB in float32
_PIECE_ROWS = 4096  # samples of them at most
_SHOWN = 8  # names in an error


class DatasetSource(Source):
    """Samples of a map-style dataset, drawn by number.

    Parameters
    ----------
    dataset : torch.utils.data.Dataset or the like
        Has a length; its items are samples, tuples that begin with the sample, or dicts in which
        one entry alone is an array.
    """

    def __init__(self, dataset: Any):
        self.dataset = dataset
        if not hasattr(dataset, "__len__"):
            raise TypeError(
                f"X is a {type(dataset).__name__} without a length. Give a Dataset with __len__, "
                "or an IterableDataset."
            )
        n = len(dataset)
        if n == 0:
            raise ValueError(
                f"X is a {type(dataset).__name__} of 0 samples: there is none to read."
            )
        first = _sample_of(dataset[0], 0)
        super().__init__((n, *first.shape), first.dtype)

    def read(self, places: range | np.ndarray) -> np.ndarray:
        """Samples (k, ...) as they are stored."""
        wanted = [int(place) for place in places]
        if hasattr(self.dataset, "__getitems__"):
            items = self.dataset.__getitems__(wanted)
        else:
            items = [self.dataset[place] for place in wanted]
        out = np.empty((len(wanted), *self.shape[1:]), self.stored)
        for row, (place, item) in enumerate(zip(wanted, items)):
            sample = _sample_of(item, place)
            _refuse_other(sample.shape, sample.dtype, place, self.shape[1:], self.stored)
            out[row] = sample
        return out


class Stream:
    """Samples that come one after another, or in batches, and are read once.

    Parameters
    ----------
    items : iterable
        Of samples or batches, each alone, as the first of a tuple, or as the only array of a dict.
    batched : bool
        Whether an item is a batch (k, ...).
    """

    def __init__(self, items: Iterable[Any], batched: bool):
        self.items = items
        self.batched = batched

    def batches(self) -> Iterator[np.ndarray]:
        """Samples (k, ...) as they come, of one shape and type, k from 1 on."""
        count, first = 0, None
        for item in self.items:
            samples = _batch_of(item, count) if self.batched else _sample_of(item, count)[None]
            first = samples[:1] if first is None else first
            _refuse_other(samples.shape[1:], samples.dtype, count, first.shape[1:], first.dtype)
            yield samples
            count += len(samples)
        if not count:
            raise ValueError(
                "X is a stream that gave no samples. One that was read before is at its end, as a "
                "generator is after fit: give it anew, or a Dataset."
            )

    def pieces(self) -> Iterator[np.ndarray]:
        """The same in arrays of up to 8,192 samples, the last of as many as the others or more."""
        gathered: list[np.ndarray] = []
        held = 0
        for batch in self.batches():
            gathered.append(batch)
            held += len(batch)
            wanted = min(_PIECE_ROWS, max(1, _PIECE_VALUES // math.prod(batch.shape[1:])))
            while held >= 2 * wanted:
                whole = np.concatenate(gathered)
                yield whole[:wanted]
                gathered, held = [whole[wanted:]], held - wanted
        yield np.concatenate(gathered)

    def first(self, most_bytes: float) -> tuple[np.ndarray, bool]:
        """As many samples (k, ...) as take so many bytes in float32, and whether there are more."""
        gathered: list[np.ndarray] = []
        held = 0
        for batch in self.batches():
            most = max(2, int(most_bytes / (4 * math.prod(batch.shape[1:]))))
            gathered.append(batch[: most - held])
            if held + len(batch) > most:
                return np.concatenate(gathered), True
            held += len(batch)
        return np.concatenate(gathered), False


def opened(X: Any) -> Any:
    """A `Source` or a `Stream` of what is read piece by piece; anything else as it is."""
    if isinstance(X, Source | Stream):
        return X
    _refuse_several(X)
    if isinstance(X, DataLoader):
        return _of_loader(X)
    if isinstance(X, IterableDataset):
        return Stream(X, batched=False)
    if isinstance(X, Dataset) or hasattr(X, "__getitems__"):
        return DatasetSource(X)
    if is_sliceable(X):
        return ArraySource(X)
    if _is_stream(X):
        return Stream(X, batched=True)
    return X


def pieces_of(X: Any) -> Iterator[Any]:
    """What there is of something `opened`, in pieces where it is a stream."""
    if isinstance(X, Stream):
        yield from X.pieces()
    else:
        yield X


def _refuse_several(X: Any) -> None:
    """Refuse a file or a group that holds arrays by name."""
    if sparse.issparse(X):
        return  # some kinds are dictionaries of their cells
    if isinstance(X, Mapping) or hasattr(X, "data_vars"):
        names = ", ".join(repr(name) for name in list(X)[:_SHOWN])
        raise TypeError(
            f"X is a {type(X).__name__}, which holds arrays by name ({names}). Give one of them, "
            "such as X[name]; columns of a table as pandas.DataFrame(X)."
        )


def _is_stream(X: Any) -> bool:
    """Whether this can be gone through, and neither has a length nor is an array."""
    return hasattr(X, "__iter__") and not (hasattr(X, "__len__") or hasattr(X, "__array__"))


def _of_loader(loader: DataLoader) -> Source | Stream:
    """The dataset of a loader that draws each sample once; what another loader gives, as it comes.

    Which samples stand together in a batch is the estimator's to say.
    """
    dataset, sampler = loader.dataset, loader.sampler
    if loader.batch_size is None and loader.batch_sampler is None:
        raise ValueError(
            "X is a DataLoader with batch_size=None, whose items may be samples or batches. Give "
            "its dataset if they are samples, or (batch for batch in loader) if they are batches."
        )
    if isinstance(dataset, IterableDataset):
        usual = loader.collate_fn is default_collate
        return Stream(dataset, batched=False) if usual else Stream(loader, batched=True)
    once = type(sampler) is SequentialSampler or (
        type(sampler) is RandomSampler and not sampler.replacement and len(sampler) == len(dataset)  # type: ignore[arg-type]
    )
    usual = type(loader.batch_sampler) is BatchSampler and loader.collate_fn is default_collate
    return DatasetSource(dataset) if once and usual else Stream(loader, batched=True)


# Items ----------------------------------------------------------------------------------------


def _sample_of(item: Any, place: int) -> np.ndarray:
    """The sample of an item (...), which may have a label beside it."""
    found = _numbers(_chosen(item, 1, place), place)
    if found.ndim == 0 and isinstance(item, tuple) and not any(map(np.ndim, item)):
        found = _numbers(item, place)  # a row of numbers, not a sample and its label
    if found.ndim == 0 or 0 in found.shape:
        raise ValueError(
            f"Sample {place} of X (counted from 0) has shape {found.shape}: it is no array of "
            "numbers. Give samples of one axis or more, before labels where there are any."
        )
    return found


def _batch_of(item: Any, place: int) -> np.ndarray:
    """The samples of a batch (k, ...), which may have labels beside them."""
    found = _numbers(_chosen(item, 2, place), place)
    if found.ndim < 2 or 0 in found.shape:
        raise ValueError(
            f"The batch from sample {place} of X (counted from 0) on has shape {found.shape}. Give "
            "batches (k, ...) of samples of one axis or more."
        )
    return found


def _chosen(item: Any, axes: int, place: int) -> Any:
    """The array of an item that is a tuple or a dict."""
    if isinstance(item, Mapping):
        arrays = [name for name, entry in item.items() if np.ndim(entry) >= axes]
        if len(arrays) != 1:
            raise ValueError(
                f"The item of sample {place} of X (counted from 0) is a dict with the entries "
                f"{', '.join(map(repr, item))}, of which {len(arrays)} may be the sample. Give "
                "items with one array, for example X.select_columns('image') of a dataset of "
                "Hugging Face, with X.with_format('numpy')."
            )
        return item[arrays[0]]
    return item[0] if _is_pair(item) else item


def _is_pair(item: Any) -> bool:
    """Whether an item begins with the sample: a tuple, or a list of arrays."""
    if not isinstance(item, tuple | list) or not item:
        return False
    return isinstance(item, tuple) or (hasattr(item[0], "shape") and np.ndim(item[0]) > 0)


def _numbers(value: Any, place: int) -> np.ndarray:
    """An array of numbers from a tensor, an array, a picture or a list."""
    if isinstance(value, torch.Tensor):
        return array_of(value)
    found = np.asarray(value)
    if type_inside(found.dtype) is None:
        raise TypeError(
            f"Sample {place} of X (counted from 0) is a {type(value).__name__}, which holds no "
            "numbers. Give tensors, arrays or pictures, for example by the dataset's transform."
        )
    return found


def _refuse_other(
    shape: tuple[int, ...], dtype: np.dtype, place: int, first: tuple[int, ...], stored: np.dtype
) -> None:
    """Refuse a sample of another shape or type than the first one."""
    if shape != first:
        raise ValueError(
            f"Sample {place} of X (counted from 0) has shape {shape}, and sample 0 has {first}. "
            "Bring all to one shape, for example by the dataset's transform; series of several "
            "lengths are read from a list."
        )
    if dtype != stored:
        raise ValueError(
            f"Sample {place} of X (counted from 0) holds {dtype}, and sample 0 holds {stored}. "
            "Give all samples in one type."
        )

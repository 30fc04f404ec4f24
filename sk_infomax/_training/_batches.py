"""Batches: from checked arrays to tensors on the device, a whole batch at a time.

`ResidentData` holds everything as one tensor on the device and cuts batches out of it.
`StreamedData` reads, arranges and standardises each batch when it is needed, for arrays that
are larger than scikit-learn's ``working_memory`` and sparse ones.
Both give the same batches for the same seed. `CodedData` holds what a frozen layer says of
either.
"""

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from sklearn import get_config
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from .._columns._sources import Source
from .._columns._sparse import Rows
from .._scaling import Scaling

__all__ = [
    "CodedData",
    "Data",
    "ResidentData",
    "StreamedData",
    "batch_sizes",
    "coded",
    "make_data",
    "n_samples",
]

_CODED_BLOCK = 256  # samples that are coded at once (rule of thumb)
_MOST_CODED = 2**27  # values of all codes: 512 MB in float32, what a laptop has to spare


def batch_sizes(n: int, batch_size: int) -> list[int]:
    """Cut n rows into batches of at least `batch_size`, equal up to one.

    There is never a small last batch, which would spoil batch normalisation and leave its
    samples with few others to be told from; with fewer rows than `batch_size`, one batch.
    """
    count = max(1, n // batch_size)
    return [n // count + (i < n % count) for i in range(count)]


class Data(Dataset):
    """Samples that give themselves out in batches."""

    n: int

    def __len__(self) -> int:
        return self.n

    def batches(self, batch_size: int, generator: torch.Generator | None = None) -> "Batches":
        """An iterable of tensors (b, *network_shape), shuffled where a generator is given."""
        return Batches(self, batch_size, generator)

    def take(self, order: list[Tensor]) -> Iterator[Tensor]:
        """Yield the batches that these index tensors name."""
        raise TypeError(f"{type(self).__name__} must define take(order).")


class Batches:
    """One pass over the data for each iteration.

    Attributes
    ----------
    skip : int
        Batches that a pass leaves out at its start, since they were taken before.
    """

    skip = 0

    def __init__(self, data: Data, batch_size: int, generator: torch.Generator | None):
        self.data = data
        self.generator = generator
        self.sizes = batch_sizes(len(data), batch_size)

    def __len__(self) -> int:
        return len(self.sizes)

    def __iter__(self) -> Iterator[Tensor]:
        if self.generator is None:
            order = torch.arange(len(self.data))
        else:
            order = torch.randperm(len(self.data), generator=self.generator)
        yield from self.data.take(list(order.split(self.sizes))[self.skip :])


class ResidentData(Data):
    """All samples as one tensor on the device.

    Parameters
    ----------
    samples : Tensor of shape (n, ...)
        Standardised, on the device, and nobody else's.
    """

    def __init__(self, samples: Tensor):
        self.n = len(samples)
        self.samples = samples
        if samples.dim() == 4:
            self.samples = samples.contiguous(memory_format=torch.channels_last)

    def take(self, order: list[Tensor]) -> Iterator[Tensor]:
        """Yield whole batches, gathered on the device."""
        for indices in order:
            yield self.samples[indices.to(self.samples.device, non_blocking=True)]


class StreamedData(Data):
    """Samples that stay where they are until their batch is due.

    Parameters
    ----------
    rows : ndarray or Source of shape (n, ...)
        For example a memory-mapped array.
    scaling : Scaling
        Arranges and standardises.
    device : torch.device
        Where batches go.
    subset : ndarray of shape (n_subset,)
        Which rows to use.
    num_workers : int
        Processes that read ahead; 0 reads in this one.
    """

    def __init__(
        self,
        rows: Rows,
        scaling: Scaling,
        device: torch.device,
        subset: np.ndarray,
        num_workers: int,
    ):
        self.n = len(subset)
        self.rows = rows
        self.subset = subset
        self.scaling = scaling
        self.device = device
        self.num_workers = num_workers

    def __getitems__(self, indices: Tensor) -> Tensor:
        # Files are read in their own order; the batch then gets back the order asked for.
        wanted = self.subset[indices.numpy()]
        place = np.argsort(wanted)
        samples = self.scaling.apply(self.rows, chosen=wanted[place])
        out = torch.empty_like(samples)
        out[torch.from_numpy(place)] = samples
        return out

    def take(self, order: list[Tensor]) -> Iterator[Tensor]:
        """Yield whole batches, read by workers where there are any."""
        pinned = self.device.type == "cuda"
        loader = DataLoader(
            self,
            batch_sampler=order,  # type: ignore[arg-type]
            collate_fn=_as_it_is,  # type: ignore[arg-type]
            num_workers=self.num_workers,
            pin_memory=pinned,
            generator=torch.Generator().manual_seed(0),
        )
        for batch in loader:
            batch = batch.to(self.device, non_blocking=pinned)
            if batch.dim() == 4:
                batch = batch.contiguous(memory_format=torch.channels_last)
            yield batch


class CodedData(Data):
    """All that a frozen layer says of samples, so that steps need not ask it again.

    Parameters
    ----------
    codes : named tuple of Tensor of shape (n, ...)
        Its parts, on the device.
    """

    def __init__(self, codes: Any):
        self.n = n_samples(codes)
        self.codes = codes

    def take(self, order: list[Tensor]) -> Iterator[Any]:
        """Yield batches as named tuples of the same kind."""
        for indices in order:
            there = indices.to(self.codes[0].device, non_blocking=True)
            yield type(self.codes)(*(part[there] for part in self.codes))


def n_samples(batch: Any) -> int:
    """Samples of a batch, a tensor or a named tuple of tensors."""
    return len(batch) if torch.is_tensor(batch) else len(batch[0])


def coded(data: Data, layer: Callable[[Tensor], Any]) -> Data:
    """What a frozen layer says of the data, or the data itself where that takes too much memory.

    Parameters
    ----------
    data : Data
        n samples.
    layer : callable
        From a batch to a named tuple of tensors, the first axis of which are its samples.
    """
    all_codes: Any = None
    start = 0
    with torch.no_grad():
        for batch in data.batches(_CODED_BLOCK):
            codes = layer(batch)
            if all_codes is None:
                if sum(part[0].numel() for part in codes) * len(data) > _MOST_CODED:
                    return data
                all_codes = [part.new_empty(len(data), *part.shape[1:]) for part in codes]
            for whole, part in zip(all_codes, codes):
                whole[start : start + len(part)] = part
            start += len(batch)
    return CodedData(type(codes)(*all_codes))


def _as_it_is(batch: Tensor) -> Tensor:
    return batch


def make_data(
    rows: Rows,
    scaling: Scaling,
    device: torch.device,
    subset: np.ndarray | None = None,
    num_workers: int = 0,
) -> Data:
    """Hold the rows on the device if they fit scikit-learn's ``working_memory``, else stream.

    Sources that say so are always streamed, as sparse rows do, of which a batch alone is dense.
    """
    n = len(rows) if subset is None else len(subset)
    shape = scaling.layout.network_shape
    fits = n * math.prod(shape) * 4 <= get_config()["working_memory"] * 2**20
    if fits and (not isinstance(rows, Source) or rows.held):
        return ResidentData(scaling.apply(rows, chosen=subset).to(device))
    subset = np.arange(n) if subset is None else subset
    return StreamedData(rows, scaling, device, subset, num_workers)

"""A fitted estimator as plain arrays and JSON values, and back: pickled, saved, loaded.

No net and no module is ever pickled or saved: their weights are kept as arrays, and the
modules are made anew from the parameters. So a pickle holds nothing of torch, a fit on CUDA
loads on a CPU, and reading a saved file runs no code of the file's.
"""

from ._allowance import building, memory_of_machine, within
from ._arrays import (
    Indexing,
    arrays_of,
    arrays_under,
    digest,
    finite,
    history_rows,
    load_arrays,
    tensors_of,
    torch_arrays,
)
from ._facts import fact, fitting_array, require
from ._files import VERSION, contents, read, write
from ._replacing import replacing
from ._saved import Fitted, Memory, Saved
from ._values import Unsaved, from_json, to_json

__all__ = [
    "VERSION",
    "Fitted",
    "Indexing",
    "Memory",
    "Saved",
    "Unsaved",
    "arrays_of",
    "arrays_under",
    "building",
    "contents",
    "digest",
    "fact",
    "finite",
    "fitting_array",
    "from_json",
    "history_rows",
    "load_arrays",
    "memory_of_machine",
    "read",
    "replacing",
    "require",
    "tensors_of",
    "to_json",
    "torch_arrays",
    "within",
    "write",
]

"""Deep InfoMax behind the scikit-learn interface.

What happens to an array::

    X -> checks -> batches -> views -> encoder -> Encoding -> critic -> scores -> bound -> nats
                                                     |                                     |
                                                     +--> prior ------> objective (named terms)
                                                                                           |
                                             estimator.fit / transform / score <--- skorch net

`DeepInfoMaxTransformer` learns features of unlabelled tables, series and images, and
`MutualInfoEstimator` says how much one set of columns tells about another. Its parts are
in modules of their own, each with a registry: `bounds`, `critics`, `encoders`, `priors`,
`views`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._shown import show_versions
    from ._training._callbacks import Checkpoint
    from .bounds import NWJ, SMILE, DonskerVaradhan, InfoNCE, JensenShannon
    from .critics import BilinearCritic, ConcatCritic, DotCritic, GatedCritic
    from .deep_infomax import DeepInfoMaxTransformer
    from .encoders import (
        Encoding,
        FrozenEncoder,
        KernelEncoder,
        PatchEncoder,
        PatternEncoder,
        ResNetEncoder,
        SeriesEncoder,
        StridedEncoder,
        TableEncoder,
        TorchEncoder,
    )
    from .information import (
        MutualInfoEstimator,
        MutualInfoSelector,
        conditional_mutual_info,
        lagged_mutual_info,
        mutual_info,
        mutual_info_matrix,
        mutual_info_scores,
    )
    from .priors import NormalPrior, UniformPrior
    from .series import Windows
    from .views import ColourViews, FunctionViews, ImageViews, SeriesViews, TableViews

__version__ = "0.1.0"

__all__ = [
    "NWJ",
    "SMILE",
    "BilinearCritic",
    "Checkpoint",
    "ColourViews",
    "ConcatCritic",
    "DeepInfoMaxTransformer",
    "DonskerVaradhan",
    "DotCritic",
    "Encoding",
    "FrozenEncoder",
    "FunctionViews",
    "GatedCritic",
    "ImageViews",
    "InfoNCE",
    "JensenShannon",
    "KernelEncoder",
    "MutualInfoEstimator",
    "MutualInfoSelector",
    "NormalPrior",
    "PatchEncoder",
    "PatternEncoder",
    "ResNetEncoder",
    "SeriesEncoder",
    "SeriesViews",
    "StridedEncoder",
    "TableEncoder",
    "TableViews",
    "TorchEncoder",
    "UniformPrior",
    "Windows",
    "conditional_mutual_info",
    "lagged_mutual_info",
    "mutual_info",
    "mutual_info_matrix",
    "mutual_info_scores",
    "show_versions",
]

_MODULES = (
    *("bounds", "contexts", "critics", "datasets", "deep_infomax", "displays", "encoders"),
    *("evaluation", "exceptions", "information", "paper", "priors", "series", "views"),
)
# Those whose names the package has too, each after those that it imports itself.
_HOMES = (
    *("bounds", "critics", "information", "views", "series", "priors", "encoders"),
    "deep_infomax",
)
# Names of modules that are not public.
_ELSEWHERE = {"Checkpoint": "_training._callbacks", "show_versions": "_shown"}


# What type checkers shall not see, as any misspelt name would then pass.
if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        """A public name or module at its first use, so that importing the package is quick."""
        if name in _MODULES:
            return import_module(f".{name}", __name__)
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        homes = [_ELSEWHERE[name]] if name in _ELSEWHERE else _HOMES
        modules = (import_module(f".{home}", __name__) for home in homes)
        globals()[name] = found = next(vars(m)[name] for m in modules if name in m.__all__)
        return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_MODULES})

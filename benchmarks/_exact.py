"""Rows of the paper's tables by its own recipe, that of `sk_infomax.paper`."""

from typing import Any

from sk_infomax import DeepInfoMaxTransformer
from sk_infomax.contexts import AutoregressiveContext
from sk_infomax.paper import paper

from ._models import Recipe

__all__ = ["EXACT", "EXACT_ENCODERS", "exact_model"]

_ENDLESS = 10**6  # passes, where seconds end the training
EXACT_ENCODERS = {28: "basic28x28", 32: "basic32x32", 64: "alex64x64"}
"""The paper's encoders by the side of images, in pixels."""

EXACT: dict[str, tuple[Any, dict[str, Any]]] = {
    "DIM(G)": ("DIM(G)", {}),
    "DIM(L) DV": ("DIM(L)", {"bound": "dv"}),
    "DIM(L) JSD": ("DIM(L)", {"bound": "jsd"}),
    "DIM(L) InfoNCE": ("DIM(L)", {"bound": "infonce"}),
    "DIM(L+G)": ("DIM(L+G)", {}),
    "DIM": ("DIM(L)", {"bound": "infonce", "crops": True}),
    "DIM 5x5 globals": ("DIM(L)", {"bound": "infonce", "several": True}),
    "CPC (GRU)": ("CPC", {}),
    "CPC (masked convolution)": ("CPC", {"context": AutoregressiveContext("conv")}),
    "occlusion": ("DIM(L)", {"bound": "infonce", "occlusion": 0.5}),
    "coordinates": ("DIM(L)", {"bound": "infonce", "coordinates": "both"}),
    "both": ("DIM(L)", {"bound": "infonce", "occlusion": 0.5, "coordinates": "both"}),
}
"""Row and options of `paper` for each row of the tables that is Deep InfoMax or CPC."""


def exact_model(row: str, recipe: Recipe, seed: int) -> DeepInfoMaxTransformer:
    """The paper's model; of the recipe only seconds, passes, units and device count, if given."""
    name, options = EXACT[row]
    (side,) = (side for side, encoder in EXACT_ENCODERS.items() if encoder == recipe.encoder)
    limits: dict[str, Any] = {}
    if recipe.budget is not None:
        limits = {"max_epochs": _ENDLESS, "max_time": recipe.budget}
    elif recipe.epochs is not None:
        limits = {"max_epochs": recipe.epochs}
    common = {"device": recipe.device, "random_state": seed}
    model = paper(name, image_size=side, **options | limits | common)
    if recipe.units is not None:
        model.set_params(critic__units=recipe.units, critic__hidden=recipe.units)
    return model

"""The settings of the Deep InfoMax paper, row by row of its tables.

`paper` gives a `DeepInfoMaxTransformer` with the networks, weights, prior and optimizer of the
original. ``docs/paper.md`` sets each of its lines beside the package's.

========  ==================================================================
Row       What it maximises
========  ==================================================================
DIM(L)    information between the global vector and each location
DIM(G)    information between the global vector and the whole local map
DIM(L+G)  both
CPC       information between predictions of what comes next and what comes
========  ==================================================================
"""

from __future__ import annotations

from typing import Any, Literal

from .bounds import InfoNCE
from .contexts import AutoregressiveContext, BlockContext
from .critics import ConcatCritic, Critic, DotCritic
from .deep_infomax import DeepInfoMaxTransformer
from .encoders import FoldAlex64x64
from .priors import UniformPrior

__all__ = ["ROWS", "paper"]

# All figures: Hjelm et al., ICLR 2019, section 4 and appendix A.2, and its code (cortex_DIM).
_COMPONENTS = 64  # features of the global vector
_UNITS = 2048  # features that each side of a pair is embedded in, and of the layer before
_CROP_UNITS = 1024  # the same in the comparison with CPC, over crops
_PAIR_UNITS, _PAIR_LAYERS = 512, 2  # of the perceptron on concatenated pairs
_ADVERSARY = (1000, 200)  # units of the discriminator's hidden layers
_PENALTY = 1.0  # weight of the discriminator's mean squared slope
_RATE = 1e-4  # learning rate of Adam, constant
_BATCH = 64  # images
_EPOCHS = {32: 1000}  # passes over CIFAR-10 and CIFAR-100
_OTHER_EPOCHS = 200  # passes over the other sets
_ENCODERS = {28: "basic28x28", 32: "basic32x32", 64: "alex64x64"}  # by pixels a side
_ON_CROPS = {32: "foldresnet32x32", 64: "foldalex64x64"}  # by pixels a side
_BLOCK = 3  # locations a side of the block that one of several global vectors sees
_BLOCK_UNITS = 192  # features of each of several global vectors, and of the layer before
_STEPS_AHEAD = 3  # rows that CPC predicts

ROWS: dict[str, dict[str, Any]] = {
    "DIM(L)": {"global_weight": 0.0, "local_weight": 1.0, "prior_weight": 0.1},
    "DIM(G)": {"global_weight": 1.0, "local_weight": 0.0, "prior_weight": 1.0},
    "DIM(L+G)": {"global_weight": 0.5, "local_weight": 1.0, "prior_weight": 0.1},
    "CPC": {"global_weight": 0.0, "local_weight": 1.0, "prior": None},
}
"""The weights (alpha, beta, gamma) of each row, and what else only that row has.

Those of DIM(L+G) are the ones that `benchmarks.paper` has always used; the original's code leaves
them to the command line.
"""


def paper(
    row: Literal["DIM(L)", "DIM(G)", "DIM(L+G)", "CPC"] = "DIM(L)",
    bound: Literal["dv", "jsd", "infonce"] | None = None,
    *,
    coordinates: Literal["absolute", "relative", "both"] | None = None,
    occlusion: float | None = None,
    crops: bool = False,
    several: bool = False,
    critic: Literal["dot", "concat"] = "dot",
    image_size: Literal[28, 32, 64] = 32,
    **changes: Any,
) -> DeepInfoMaxTransformer:
    """Deep InfoMax with the original's settings.

    Parameters
    ----------
    row : {"DIM(L)", "DIM(G)", "DIM(L+G)", "CPC"}, default="DIM(L)"
        Which row of the tables.
    bound : {"dv", "jsd", "infonce"} or None, default=None
        The bound on mutual information; "infonce" is the paper's, with a softmax for each global
        vector over all locations. None is "infonce" for CPC, else "jsd".
    coordinates : {"absolute", "relative", "both"} or None, default=None
        Which places of locations are predicted beside.
    occlusion : float or None, default=None
        Part of each side of a block of the image that is hidden from the global vector.
    crops : bool, default=False
        Whether the encoder sees overlapping crops, each on its own, as in the comparison with CPC:
        a residual network for 32 pixels, one like AlexNet for 64. CPC has crops in any case. The
        prior is then left out.
    several : bool, default=False
        Whether there are several global vectors, of blocks of 3 x 3 locations over crops, with 192
        features each.
    critic : {"dot", "concat"}, default="dot"
        "dot" embeds both sides in 2,048 features (1,024 over crops), each location by a residual
        network and the whole map by the layers of the encoder once more; "concat" is a perceptron
        of two layers of 512 on concatenated pairs.
    image_size : {28, 32, 64}, default=32
        Pixels a side, which choose the encoder and the passes: 1,000 for 32 pixels, else 200.
    **changes
        Other parameters of `DeepInfoMaxTransformer`, which take the place of the paper's, such as
        ``max_epochs``, ``device`` and ``random_state``.

    Returns
    -------
    DeepInfoMaxTransformer
        Not fitted. Give it images of uint8, which are brought to [-1, 1] as in the paper.

    Raises
    ------
    ValueError
        If the row, the critic or the size of images is none of these, if `several` is asked of
        CPC, which has its own contexts, or crops of what the original has no such network for:
        images of 28 pixels, and the whole map of DIM(G) and DIM(L+G).

    References
    ----------
    Hjelm et al., Learning deep representations by mutual information estimation and
    maximization, ICLR 2019.

    Examples
    --------
    >>> from sk_infomax.paper import paper
    >>> model = paper("DIM(G)", bound="jsd", max_epochs=1)
    >>> model.global_weight, model.local_weight, model.prior_weight
    (1.0, 0.0, 1.0)
    """
    for name, flag in {"crops": crops, "several": several}.items():
        if not isinstance(flag, bool):
            raise TypeError(f"{name}={flag!r} must be True or False.")
    crops = crops or several or row == "CPC"
    _check(row, crops, several, critic, image_size)
    settings: dict[str, Any] = {
        "n_components": _BLOCK_UNITS if several else _COMPONENTS,
        "encoder": _encoder(image_size, crops, several),
        "critic": _critic(critic, crops),
        "bound": _bound(("infonce" if row == "CPC" else "jsd") if bound is None else bound),
        "prior": None if crops else UniformPrior(_ADVERSARY, _PENALTY),
        "coordinates": coordinates,
        "occlusion": occlusion,
        "context": _context(row, several),
        "views": 1,
        "max_epochs": _EPOCHS.get(image_size, _OTHER_EPOCHS),
        "batch_size": _BATCH,
        "optimizer": "adam_gan",
        "lr": _RATE,
        "lr_schedule": "constant",
        "weight_decay": 0.0,
    }
    return DeepInfoMaxTransformer(**settings | ROWS[row] | changes)


def _check(row: str, crops: bool, several: bool, critic: str, image_size: int) -> None:
    """Refuse what the paper does not have."""
    choices = {"row": (row, ROWS), "critic": (critic, ("dot", "concat"))}
    for name, (value, known) in (choices | {"image_size": (image_size, _ENCODERS)}).items():
        if not any(value is one or (type(value) is type(one) and value == one) for one in known):
            raise ValueError(f"{name}={value!r} is not in the paper: use one of {list(known)}.")
    if several and row == "CPC":
        raise ValueError("CPC has contexts of its own: leave several=False.")
    if crops and image_size not in _ON_CROPS:
        raise ValueError(
            f"The paper has no network on crops for image_size={image_size}: use one of "
            f"{list(_ON_CROPS)}, or encoder='crops'."
        )
    if crops and ROWS[row]["global_weight"] > 0:
        raise ValueError(
            f"The paper has no critic of the whole map for {row} over crops: use 'DIM(L)', or "
            "leave crops=False and several=False."
        )


def _encoder(image_size: int, crops: bool, several: bool) -> str | FoldAlex64x64:
    if not crops:
        return _ENCODERS[image_size]
    if several and _ON_CROPS[image_size] == "foldalex64x64":
        return FoldAlex64x64(init_std=None)
    return _ON_CROPS[image_size]


def _critic(name: str, crops: bool) -> Critic:
    if name == "concat":
        return ConcatCritic(hidden=_PAIR_UNITS, depth=_PAIR_LAYERS)
    units = _CROP_UNITS if crops else _UNITS
    whole: Literal["dense", "encoder"] = "dense" if crops else "encoder"
    return DotCritic(units, units, normalize="layer", temperature=1.0, shortcut="copy", whole=whole)


def _bound(value: Any) -> Any:
    """InfoNCE as the paper has it; any other bound as it is, for `fit` to check."""
    is_name = isinstance(value, str) and value == "infonce"
    return InfoNCE(anchor="global") if is_name else value


def _context(row: str, several: bool) -> BlockContext | AutoregressiveContext | None:
    if row == "CPC":
        return AutoregressiveContext("gru", _STEPS_AHEAD)
    return BlockContext(_BLOCK, _BLOCK_UNITS) if several else None

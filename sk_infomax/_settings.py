"""From an estimator's parameters to the parts of its network, each checked."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import nn

from ._checks import closest_name
from ._layout import Layout, find_layout
from ._objectives import Parts
from ._parts import resolve_part
from .bounds import BOUNDS, Bound
from .contexts import CONTEXTS, Context
from .critics import CRITICS, Critic
from .encoders import ENCODERS, Encoder, PatchEncoder, TorchEncoder
from .priors import PRIORS, Prior
from .views import VIEWS, Augmentation, Occlusion

__all__ = ["OPTIMIZERS", "PRESETS", "REGISTRIES", "settle", "settle_encoder", "settle_optimizer"]

OPTIMIZERS: dict[str, type[torch.optim.Optimizer]] = {
    "adamw": torch.optim.AdamW,
    "adam": torch.optim.Adam,
    "sgd": torch.optim.SGD,
    "rmsprop": torch.optim.RMSprop,
}
REGISTRIES: dict[str, dict[str, type]] = {
    "encoder": ENCODERS,
    "critic": CRITICS,
    "bound": BOUNDS,
    "prior": PRIORS,
    "augmentation": VIEWS,
    "context": CONTEXTS,
    "optimizer": OPTIMIZERS,
}


@dataclass(frozen=True)
class Preset:
    """What "auto" stands for.

    Parameters
    ----------
    steps : int
        About how many steps training makes.
    max_epochs : int
        But not more passes over the data than this.
    encoder : dict of str to dict
        Parameters of the default encoder for each kind of data, where they are not its defaults.
    """

    steps: int
    max_epochs: int
    encoder: dict[str, dict[str, Any]] = field(default_factory=dict)


PRESETS: dict[str, Preset] = {
    "fast": Preset(600, 100),
    "balanced": Preset(1200, 200, {"image": {"n_filters": 128, "n_directions": 4096}}),
    "accurate": Preset(1800, 300, {"image": {"n_filters": 384, "n_directions": 4096}}),
}
_FEW_DIRECTIONS = 128
_FUSED = (torch.optim.AdamW, torch.optim.Adam, torch.optim.SGD)


def settle(estimator, rows: np.ndarray) -> tuple[Parts, Layout]:
    """Turn names into parts, and tell what a sample of rows (n, ...) is."""
    encoder = settle_encoder(estimator.encoder)
    shape = tuple(estimator.sample_shape or rows.shape[1:])
    layout = find_layout(shape, None if encoder is None else encoder.kind, estimator.channels)
    n_views = estimator.views
    if n_views == "auto":
        n_views = 2 if layout.kind == "image" else 1
    if encoder is None:
        encoder = _default_encoder(layout.kind, estimator.preset, len(rows))
    prior, context = estimator.prior, estimator.context
    return Parts(
        encoder=encoder,
        critic=resolve_part(estimator.critic, CRITICS, Critic, "critic"),
        bound=resolve_part(estimator.bound, BOUNDS, Bound, "bound"),
        prior=None if prior is None else resolve_part(prior, PRIORS, Prior, "prior"),
        augmentation=_settle_augmentation(estimator.augmentation, layout.kind, n_views),
        n_views=n_views,
        n_components=int(estimator.n_components),
        weights=_settle_weights(estimator),
        occlusion=_settle_occlusion(estimator.occlusion),
        coordinates=estimator.coordinates,
        context=None if context is None else resolve_part(context, CONTEXTS, Context, "context"),
    ), layout


def _default_encoder(kind: str, preset: str, n_samples: int) -> Encoder:
    """That of the preset, with fewer directions for few samples, whose noise the last ones fit."""
    encoder = ENCODERS[kind](**PRESETS[preset].encoder.get(kind, {}))
    if isinstance(encoder, PatchEncoder):
        most = max(_FEW_DIRECTIONS, n_samples // 4)
        encoder.set_params(n_directions=min(encoder.n_directions, most))
    return encoder


def settle_encoder(encoder) -> Encoder | None:
    """The encoder, or None where the shape of the data is to choose."""
    if isinstance(encoder, str) and encoder == "auto":
        return None
    is_class = isinstance(encoder, type) and issubclass(encoder, nn.Module)
    if is_class or isinstance(encoder, nn.Module):
        encoder = TorchEncoder(encoder)
    return resolve_part(encoder, ENCODERS, Encoder, "encoder")


def _settle_augmentation(augmentation, kind: str, n_views: int) -> Augmentation | None:
    if isinstance(augmentation, str) and augmentation == "auto":
        augmentation = kind if n_views == 2 else None
    if augmentation is not None:
        return resolve_part(augmentation, VIEWS, Augmentation, "augmentation")
    if n_views == 2:
        raise ValueError(
            "views=2 with augmentation=None makes two equal views. Choose an augmentation, or "
            "views=1."
        )
    return None


def _settle_occlusion(occlusion) -> Occlusion | None:
    if occlusion is None:
        return None
    part = occlusion if isinstance(occlusion, Occlusion) else Occlusion(float(occlusion))
    return resolve_part(part, VIEWS, Occlusion, "occlusion")


def _settle_weights(estimator) -> dict[str, float]:
    """Weights of the terms that are not left out."""
    weights = {
        name: float(getattr(estimator, f"{name}_weight"))
        for name in ("local", "global")
        if getattr(estimator, f"{name}_weight") > 0
    }
    if not weights:
        raise ValueError(
            "local_weight=0 and global_weight=0 leave nothing to maximise. Set one of them above 0."
        )
    if estimator.prior is not None:
        weights["prior"] = float(estimator.prior_weight)
    if estimator.coordinates is not None:
        weights["coordinates"] = float(estimator.coordinates_weight)
    return weights


def settle_optimizer(estimator) -> tuple[type[torch.optim.Optimizer], dict[str, Any]]:
    """Class and settings of the optimizer."""
    optimizer = estimator.optimizer
    if isinstance(optimizer, str):
        if optimizer not in OPTIMIZERS:
            hint = closest_name(optimizer, OPTIMIZERS)
            raise ValueError(f"optimizer={optimizer!r} is unknown: {hint}")
        optimizer = OPTIMIZERS[optimizer]
    if not issubclass(optimizer, torch.optim.Optimizer):
        raise TypeError(f"optimizer={optimizer!r} is no torch.optim.Optimizer.")
    settings: dict[str, Any] = {"weight_decay": estimator.weight_decay}
    if optimizer in _FUSED:
        settings["fused"] = True
    return optimizer, settings

"""From an estimator's parameters to the parts of its network, each checked."""

import inspect
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
import torch
from torch import nn

from ._checks import closest_name, resolve_device, say
from ._columns._sparse import Rows
from ._coordinates import COORDINATES
from ._layout import Layout, find_layout
from ._objectives import Parts
from ._parts import Auto, Family, checked_part, resolve_part
from ._state import Unsaved, fact, require
from ._training._callbacks import HeldOutStopping, ProgressBar, called, sets_rate
from ._training._findings import Asked
from ._training._schedule import Plan
from .bounds import BOUNDS, Bound
from .contexts import CONTEXTS, Context
from .critics import CRITICS, Critic
from .encoders import ENCODERS, Encoder, TorchEncoder
from .exceptions import DataWarning
from .priors import PRIORS, Prior
from .series._rows import doubts
from .views import VIEWS, Augmentation, FunctionViews, Occlusion

__all__ = [
    "FAMILIES",
    "MADE_BY_FIT",
    "OPTIMIZERS",
    "PRESETS",
    "REGISTRIES",
    "Setup",
    "kind_said",
    "narrows_sparse",
    "plan_of_fit",
    "plan_of_pass",
    "recall_parts",
    "recall_setup",
    "refuse_two_schedules",
    "rows_apart",
    "seen_by",
    "settle",
    "settle_part",
    "settle_setup",
    "setup_of",
]

_GAN_BETAS = (0.5, 0.999)  # of Adam's moments, where networks play against each other (DCGAN, 2016)


class GANAdam(torch.optim.Adam):
    """Adam as for adversarial networks: its mean gradient forgets faster."""

    def __init__(self, params: Any, lr: float, **settings: Any):
        super().__init__(params, lr=lr, betas=_GAN_BETAS, **settings)


OPTIMIZERS: dict[str, type[torch.optim.Optimizer]] = {
    "adamw": torch.optim.AdamW,
    "adam": torch.optim.Adam,
    "adam_gan": GANAdam,
    "sgd": torch.optim.SGD,
    "rmsprop": torch.optim.RMSprop,
}
FAMILIES: dict[str, Family] = {
    "encoder": Family(ENCODERS, Encoder),
    "critic": Family(CRITICS, Critic),
    "bound": Family(BOUNDS, Bound),
    "prior": Family(PRIORS, Prior),
    "augmentation": Family(VIEWS, Augmentation),
    "context": Family(CONTEXTS, Context),
    "occlusion": Family(VIEWS, Occlusion),
}
_OTHER_OPTIMIZERS = {  # what a file may name besides, by the class
    name: one
    for name, one in vars(torch.optim).items()
    if isinstance(one, type) and issubclass(one, torch.optim.Optimizer)
}
_INFORMATION = ("local", "locations", "global")  # terms of which one at least has a weight
_TERMS = (*_INFORMATION, "prior", "coordinates")  # that have weights
REGISTRIES: dict[str, Any] = {
    **{name: family.registry for name, family in FAMILIES.items() if name != "occlusion"},
    "optimizer": OPTIMIZERS,
    "torch.optim": _OTHER_OPTIMIZERS,
    "auto": {"auto": Auto},
}
MADE_BY_FIT = frozenset(FAMILIES) | {
    "n_components",
    "preset",
    "global_weight",
    "local_weight",
    "locations_weight",
    "prior_weight",
    "coordinates",
    "target_momentum",
    "coordinates_weight",
    "views",
    "sample_shape",
    "channels",
}
"""Parameters that settle what is fitted; the others say how it goes on training, and is read."""


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


# Steps and filters: chosen on a validation part of Fashion-MNIST and CIFAR-10, for about one,
# three and ten minutes of one core (benchmarks/README.md, representation.py).
PRESETS: dict[str, Preset] = {
    "fast": Preset(600, 100),
    "balanced": Preset(1200, 200, {"image": {"n_filters": 128, "n_channels": 96, "n_places": 28}}),
    "accurate": Preset(
        1800,
        300,
        {"image": {"n_filters": 256, "n_channels": 128, "n_places": 28, "overlapping": True}},
    ),
}
_FEWEST_EPOCHS = 2  # passes over large data, so that each sample is met with two pairs of views
_BATCH = 128  # samples; fewer lost from fewer negatives where there is one view (UCR series)
_SMALL_BATCH = 64  # samples; digits in half the time with the same features (benchmarks/README.md)
_FEWEST_ROWS = 4096  # rows that training meets where there are more (rule of thumb)
_FEW_SAMPLES = 4096  # samples under which two views gain from twice the steps
_SHORTEST = 1e-6  # seconds of a training for which nothing is left: one step
_FUSED = (torch.optim.AdamW, torch.optim.Adam, GANAdam, torch.optim.SGD)


@dataclass(frozen=True)
class Setup:
    """How a net trains whatever it is given: device, optimizer, callbacks.

    Parameters
    ----------
    device : torch.device
        Where the net lives.
    optimizer : type
        Class of the optimizer.
    settings : dict of str to object
        What it is made with.
    lr : float
        Learning rate.
    callbacks : list
        skorch's.
    asked : dict of str to object
        Optimizer, learning rate and weight decay as an estimator has them; see `setup_of`.
    verbose : int
        Whether callbacks of skorch's print what they do.
    """

    device: torch.device
    optimizer: type[torch.optim.Optimizer]
    settings: dict[str, Any]
    lr: float
    callbacks: list[Any]
    asked: dict[str, Any]
    verbose: int = 0


def kind_said(estimator) -> str | None:
    """What kind of samples the encoder reads; None where any, or where nobody said."""
    encoder = estimator.encoder
    if isinstance(encoder, str):
        encoder = ENCODERS.get(encoder)
    is_class = isinstance(encoder, type) and issubclass(encoder, Encoder)
    return encoder.kind if is_class or isinstance(encoder, Encoder) else None


def settle(
    estimator, rows: Rows, layout: Layout | None = None, said: bool = False
) -> tuple[Parts, Layout]:
    """Turn names into parts, and tell what a sample of rows (n, ...) is.

    `layout` is given where the container told; `said` is whether which axis is time was said too.
    """
    encoder = None if _is_open(estimator.encoder) else settle_part(estimator, "encoder")
    kind = None if encoder is None else encoder.kind
    if layout is None:
        shape = tuple(estimator.sample_shape or rows.shape[1:])
        layout = find_layout(shape, kind, estimator.channels)
    if not said:
        say(doubts(layout, kind, estimator.channels, rows), DataWarning)
    n_views = estimator.views
    if n_views == "auto":
        n_views = 2 if layout.kind == "image" else 1
    if encoder is None:
        encoder = _default_encoder(layout.kind, estimator)
    if n_views == 1 and estimator.locations_weight > 0:
        raise ValueError(
            f"locations_weight={estimator.locations_weight} sets locations of one view against "
            "those of another, and there is one view. Set views=2, or locations_weight=0."
        )
    layout = seen_by(encoder, layout)
    augmentation = _settle_augmentation(estimator, layout.kind, n_views)
    momentum = estimator.target_momentum
    return Parts(
        encoder=encoder.fitted_to(len(rows), layout.network_shape, augmentation),
        critic=settle_part(estimator, "critic"),
        bound=settle_part(estimator, "bound"),
        prior=settle_part(estimator, "prior"),
        augmentation=augmentation,
        n_views=n_views,
        n_components=int(estimator.n_components),
        weights=_settle_weights(estimator),
        occlusion=settle_part(estimator, "occlusion"),
        coordinates=estimator.coordinates,
        context=settle_part(estimator, "context"),
        target_momentum=None if momentum is None else float(momentum),
    ), layout


def seen_by(encoder: Encoder, layout: Layout) -> Layout:
    """What a sample is, with the means over squares of pixels that the encoder asks for."""
    if layout.kind != "image":
        return layout
    return replace(layout, coarse=encoder.coarse(layout.arranged_shape))


def settle_part(estimator, parameter: str) -> Any:
    """The part that a parameter names, as a checked instance of our own; None stays None."""
    value = getattr(estimator, parameter)
    if value is None:
        return None
    if parameter == "encoder":
        value = _as_encoder(value)
    if parameter == "augmentation":
        value = _as_augmentation(value)
    if parameter == "occlusion" and not isinstance(value, str | Occlusion):
        value = Occlusion(float(value))
    return resolve_part(value, *FAMILIES[parameter], parameter)


def narrows_sparse(estimator) -> bool:
    """Whether sparse tables of many columns are narrowed before the encoder sees them."""
    encoder = estimator.encoder
    return bool(_is_open(encoder) or settle_part(estimator, "encoder").narrows_sparse)


def settle_setup(estimator) -> Setup:
    """What the parameters say of the training of a net, checked."""
    callbacks = called(estimator.callbacks)
    if estimator.early_stopping:
        callbacks.append(HeldOutStopping(estimator.n_iter_no_change, estimator.tol))
    if estimator.verbose:
        callbacks.append(ProgressBar(estimator.verbose))
    setup = setup_of(_optimizer_of(estimator), resolve_device(estimator.device), callbacks)
    return replace(setup, verbose=int(estimator.verbose))


def refuse_two_schedules(estimator) -> None:
    """Refuse a callback that sets the learning rate where `fit` sets it at every step."""
    if estimator.lr_schedule != "constant" and any(map(sets_rate, estimator.callbacks or ())):
        raise ValueError(
            f"callbacks has a schedule of the learning rate, and lr_schedule="
            f"{estimator.lr_schedule!r} is another. Set lr_schedule='constant'."
        )


def _optimizer_of(estimator) -> dict[str, Any]:
    """Optimizer, learning rate and weight decay as an estimator has them."""
    return {name: getattr(estimator, name) for name in ("optimizer", "lr", "weight_decay")}


def setup_of(
    asked: Mapping[str, Any], device: torch.device, callbacks: Sequence[Any] = ()
) -> Setup:
    """How a net trains by the optimizer, learning rate and weight decay that are asked for."""
    optimizer = _settle_optimizer(asked["optimizer"])
    settings: dict[str, Any] = {"weight_decay": float(asked["weight_decay"])}
    if optimizer in _FUSED:
        settings["fused"] = True
    return Setup(device, optimizer, settings, float(asked["lr"]), list(callbacks), dict(asked))


def recall_setup(asked: Any, estimator: Any) -> Setup:
    """That of a fit, on the estimator's device if it is here and on the CPU elsewhere.

    An optimizer that no file holds is the estimator's; so is all that files do not say which were
    written before they did.
    """
    of_estimator = _optimizer_of(estimator)
    if asked is None:
        asked = of_estimator
    elif isinstance(asked.get("optimizer"), Unsaved):
        asked = asked | {"optimizer": of_estimator["optimizer"]}
    require(asked.keys() == of_estimator.keys(), f"its setup says {', '.join(map(str, asked))}")
    require(fact(asked, "lr", float, int) > 0, "its lr is not above 0")
    require(fact(asked, "weight_decay", float, int) >= 0, "its weight_decay is below 0")
    try:
        device = resolve_device(estimator.device, or_cpu=True)
    except ValueError:  # set after the fit, which does not make it unreadable
        device = torch.device("cpu")
    return setup_of(asked, device)


def recall_parts(
    facts: Mapping[str, Any], estimator: Any, layout: Layout, n_samples: int | None
) -> Parts:
    """The parts of a fit; those of a user's own class are the estimator's, settled.

    Raises
    ------
    ValueError
        If they are none.
    """
    found = {
        name: checked_part(name, part, estimator) if name in FAMILIES and part is not None else part
        for name, part in facts.items()
    }
    known = {one.name for one in fields(Parts)}
    require(not found.keys() - known, f"its parts have the names {sorted(found)}")
    for name in ("encoder", "critic", "bound"):
        require(found.get(name) is not None, f"it has no {name}")
    if isinstance(facts["encoder"], Unsaved) and n_samples is not None:
        shape = seen_by(found["encoder"], layout).network_shape
        found["encoder"] = found["encoder"].fitted_to(n_samples, shape, found.get("augmentation"))
    require(fact(found, "n_components", int) > 0, "its n_components is below 1")
    require(fact(found, "n_views", int) in (1, 2), "its n_views is neither 1 nor 2")
    require(found.get("coordinates") in (None, *COORDINATES), "its coordinates are unknown")
    momentum = found.get("target_momentum")
    follows = momentum is None or (type(momentum) in (int, float) and 0 <= momentum < 1)
    require(follows, f"its target_momentum is {momentum!r}")
    weights = fact(found, "weights", dict)
    sound = all(type(v) in (int, float) and 0 <= v < math.inf for v in weights.values())
    named = weights.keys() <= set(_TERMS) and weights.keys() & set(_INFORMATION)
    require(sound and named, f"its weights are {str(weights)[:80]}")
    return Parts(**found)


def plan_of_fit(estimator, parts: Parts, n: int, spent: float = 0.0) -> Plan:
    """A whole training on n samples: as many passes as asked for, a schedule, an end in time.

    `spent` are seconds of `max_time` that went by before.
    """
    epochs, size = estimator.max_epochs, _batch_size(estimator, parts, n)
    if epochs == "auto":
        n = min(n, parts.encoder.most_rows or n)
        preset = PRESETS[estimator.preset]
        wanted = preset.steps * parts.encoder.share_of_steps
        epochs = min(preset.max_epochs, math.ceil(wanted / max(1, n // size)))
        if parts.encoder.share_of_steps == 1:
            epochs = max(_FEWEST_EPOCHS, epochs)
    left = estimator.max_time
    if left is not None:
        left = max(left - spent, _SHORTEST)
    return Plan(int(epochs), size, estimator.lr_schedule, left)


def _batch_size(estimator, parts: Parts, n: int) -> int:
    """Samples in a batch, as asked for or by the number of samples and views."""
    if estimator.batch_size != "auto":
        return int(estimator.batch_size)
    return _SMALL_BATCH if n < _FEW_SAMPLES and parts.n_views == 2 else _BATCH


def plan_of_pass(estimator, parts: Parts, n: int) -> Plan:
    """One pass over n samples at a constant rate."""
    return Plan(1, plan_of_fit(estimator, parts, n).batch_size)


def asked_of(estimator, parts: Parts, n: int) -> Asked:
    """What a fit of n samples was asked for, as far as warnings depend on it."""
    usual = inspect.signature(type(estimator)).parameters["n_components"].default
    return Asked(
        n_samples=n,
        n_components=parts.n_components,
        chosen=parts.n_components != usual,
        learns_all=parts.encoder.share_of_steps == 1,
        patience=int(estimator.n_iter_no_change) if estimator.early_stopping else None,
        max_time=estimator.max_time,
    )


def rows_apart(
    estimator, parts: Parts, n: int, seed: int
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Rows to train on (None for all) and rows to validate on (None for none), of n."""
    n_valid = 0
    if estimator.early_stopping:
        n_valid = max(2, math.ceil(estimator.validation_fraction * n))
    if n - n_valid < 2:
        raise ValueError(
            f"early_stopping holds out {n_valid} of {n} samples and leaves too few to train "
            "on. Lower validation_fraction or set early_stopping=False."
        )
    n_train = min(n - n_valid, _most_rows(estimator, parts, n))
    if n_train == n:
        return None, None
    order = np.random.RandomState(seed).permutation(n)
    train, valid = order[n_valid:][:n_train], order[:n_valid]
    return np.sort(train), np.sort(valid) if n_valid else None


def _most_rows(estimator, parts: Parts, n: int) -> int:
    """How many rows training meets, where one pass over all is more than the steps it takes."""
    share = parts.encoder.share_of_steps
    if share == 1 or estimator.max_epochs != "auto":
        return n
    if parts.encoder.most_rows is not None:
        return parts.encoder.most_rows
    steps = math.ceil(PRESETS[estimator.preset].steps * share)
    return max(_FEWEST_ROWS, steps * _batch_size(estimator, parts, n))


def _is_open(value: Any) -> bool:
    """Whether the data is to choose a part."""
    return isinstance(value, Auto) or (isinstance(value, str) and value == "auto")


def _settings_of(value: Any) -> dict[str, Any]:
    """Settings that were asked for of a part that the data chooses."""
    return value.get_params() if isinstance(value, Auto) else {}


def _default_encoder(kind: str, estimator) -> Encoder:
    """That of the preset, with the settings that were asked for."""
    encoder = ENCODERS[kind](**PRESETS[estimator.preset].encoder.get(kind, {}))
    encoder.set_params(**_settings_of(estimator.encoder))
    return resolve_part(encoder, *FAMILIES["encoder"], "encoder")


def _as_encoder(value: Any) -> Any:
    """A torch module or a class of one as an encoder; anything else as it is."""
    is_class = isinstance(value, type) and issubclass(value, nn.Module)
    return TorchEncoder(value) if is_class or isinstance(value, nn.Module) else value


def _as_augmentation(value: Any) -> Any:
    """A function, or a module that is called as one, as views; anything else as it is."""
    known = isinstance(value, str | type | Augmentation)
    return FunctionViews(value) if callable(value) and not known else value


def _settle_augmentation(estimator, kind: str, n_views: int) -> Augmentation | None:
    value = estimator.augmentation
    if _is_open(value):
        settings = _settings_of(value)
        if n_views == 1 and not settings:
            return None
        part = VIEWS[kind]().set_params(**settings)
        return resolve_part(part, *FAMILIES["augmentation"], "augmentation")
    if value is None and n_views == 2:
        raise ValueError(
            "views=2 with augmentation=None makes two equal views. Choose an augmentation, or "
            "views=1."
        )
    part = settle_part(estimator, "augmentation")
    if part is not None and part.kind not in (None, kind):
        raise ValueError(
            f"augmentation={value!r} changes {part.kind} data, and X holds {kind} data. Choose "
            f"augmentation={kind!r}, or say what X holds by encoder or sample_shape."
        )
    return part


def _settle_weights(estimator) -> dict[str, float]:
    """Weights of the terms that are not left out."""
    weights = {
        name: float(getattr(estimator, f"{name}_weight"))
        for name in _INFORMATION
        if getattr(estimator, f"{name}_weight") > 0
    }
    if not weights:
        raise ValueError(
            "local_weight=0, locations_weight=0 and global_weight=0 leave nothing to maximise. "
            "Set one of them above 0."
        )
    if estimator.prior is not None:
        weights["prior"] = float(estimator.prior_weight)
    if estimator.coordinates is not None:
        weights["coordinates"] = float(estimator.coordinates_weight)
    return weights


def _settle_optimizer(optimizer: Any) -> type[torch.optim.Optimizer]:
    if isinstance(optimizer, str):
        if optimizer not in OPTIMIZERS:
            hint = closest_name(optimizer, OPTIMIZERS)
            raise ValueError(f"optimizer={optimizer!r} is unknown: {hint}")
        return OPTIMIZERS[optimizer]
    if not (isinstance(optimizer, type) and issubclass(optimizer, torch.optim.Optimizer)):
        raise TypeError(
            f"optimizer={optimizer!r} is no torch.optim.Optimizer. Give such a class, or "
            f"a name: {', '.join(map(repr, OPTIMIZERS))}."
        )
    return optimizer

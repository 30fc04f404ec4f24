"""The methods that are compared, by name."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sk_infomax import DeepInfoMaxTransformer, PatchEncoder
from sk_infomax.bounds import BOUNDS
from sk_infomax.views import VIEWS, ImageViews

from ._peers import (
    Autoencoder,
    BarlowTwins,
    DoesNotFit,
    KernelMachine,
    LibrarySimCLR,
    Nystroem,
    PatchDictionary,
    RandomConvolution,
    Raw,
    SimCLR,
    Supervised,
    SupervisedFew,
    Umap,
    Untrained,
    VICReg,
    Whitened,
    trained_encoder,
)

N_COMPONENTS, N_SMALL = 256, 64
OURS = "two-view"


@dataclass(frozen=True)
class Setting:
    """What a method is made from.

    Attributes
    ----------
    budget : float
        Seconds: of training for what trains until its time is up; else of `fit` and `transform`.
    seed : int
        Of all that is random.
    kind : {"table", "series", "image"}
        What the samples are.
    flip : bool
        Whether views may be mirror images.
    n_samples : int
        How many samples `transform` or `predict` will be asked for.
    """

    budget: float
    seed: int
    kind: str
    flip: bool
    n_samples: int

    @property
    def views(self):
        """The augmentation of the peers; smaller crops suit networks that learn every layer."""
        return ImageViews(crop=0.4, flip=self.flip) if self.kind == "image" else VIEWS[self.kind]()


@dataclass(frozen=True)
class Method:
    """How a method is made, timed and judged.

    Attributes
    ----------
    make : callable
        From a `Setting` to something with `fit` and `transform` (or `predict`).
    pace : {"clock", "sized", "free"}
        "clock" trains until its time is up, "sized" chooses its size by the budget, "free" takes
        the time it takes, whatever the budget.
    judged : {"probe", "classifier", "few"}
        By linear models on its features; by its own predictions; by these with few labels only.
    """

    make: Callable[[Setting], Any]
    pace: str
    judged: str = "probe"


def dim(setting: Setting, n_components: int = N_COMPONENTS, **parameters):
    """`DeepInfoMaxTransformer` that ends with the time of the setting."""
    return DeepInfoMaxTransformer(
        n_components,
        max_epochs=10**6,
        max_time=setting.budget,
        device="cpu",
        random_state=setting.seed,
        **parameters,
    )


def _default(setting: Setting, **parameters):
    """`dim` with the package's defaults; only mirror images have to be asked for."""
    augmentation = ImageViews(flip=True) if setting.flip else "auto"
    return dim(setting, augmentation=augmentation, **parameters)


def _one_view(**parameters) -> Method:
    return Method(lambda s: dim(s, encoder=trained_encoder(s.kind), views=1, **parameters), "clock")


def _network(cls: type, n_components: int = N_COMPONENTS, **how) -> Method:
    pace = {"pace": "clock"} | how
    return Method(lambda s: cls(s.budget, s.seed, s.views, n_components), **pace)


def _sized(cls: type, **how) -> Method:
    return Method(lambda s: cls(s.budget, s.seed, s.n_samples), "sized", **how)


def _mirrored_dictionary(setting: Setting) -> PatchDictionary:
    if not setting.flip:
        raise DoesNotFit("Mirror images are for --flip.")
    return PatchDictionary(setting.budget, setting.seed, setting.n_samples, mirrored=True)


METHODS: dict[str, Method] = {
    "raw": Method(lambda s: Raw(), "free"),
    "pca": Method(lambda s: Whitened(N_COMPONENTS, s.seed), "free"),
    "pca-64": Method(lambda s: Whitened(N_SMALL, s.seed), "free"),
    "nystroem": _sized(Nystroem),
    "patch-dictionary": _sized(PatchDictionary),
    "patch-dictionary-mirrored": Method(_mirrored_dictionary, "sized"),
    "random-convolution": _sized(RandomConvolution),
    "umap": Method(lambda s: Umap(N_SMALL, s.budget, s.seed, s.n_samples), "sized"),
    "rbf-svm": _sized(KernelMachine, judged="classifier"),
    "untrained": _network(Untrained, pace="free"),
    "autoencoder": _network(Autoencoder),
    "autoencoder-64": _network(Autoencoder, N_SMALL),
    "dim-g": _one_view(global_weight=1.0, local_weight=0.0),
    **{f"dim-l-{bound}": _one_view(bound=bound, global_weight=0.0) for bound in BOUNDS},
    OURS: Method(_default, "clock"),
    f"{OURS}-balanced": Method(lambda s: _default(s, preset="balanced"), "clock"),
    f"{OURS}-accurate": Method(lambda s: _default(s, preset="accurate"), "clock"),
    f"{OURS}-768-filters": Method(
        lambda s: _default(s, preset="accurate", encoder=PatchEncoder(768, 4096)), "clock"
    ),
    f"{OURS}-64": Method(lambda s: _default(s, n_components=N_SMALL), "clock"),
    f"{OURS}-embedding-64": Method(
        lambda s: _default(s, n_components=N_SMALL, output="embedding"), "clock"
    ),
    "simclr": _network(SimCLR),
    "simclr-pml": _network(LibrarySimCLR),
    "vicreg": _network(VICReg),
    "barlow-twins": _network(BarlowTwins),
    "supervised": _network(Supervised),
    "supervised-few": _network(SupervisedFew, judged="few"),
}

"""`DeepInfoMaxTransformer`: features of unlabelled arrays, behind the scikit-learn interface."""

import math
from contextlib import nullcontext

import numpy as np
import torch
from sklearn.utils import check_random_state
from torch import nn

from ._checks import (
    AT_LEAST_TWO,
    AUTO,
    FRACTION,
    NON_NEGATIVE,
    NON_NEGATIVE_INT,
    ONE_OR_TWO,
    POSITIVE,
    POSITIVE_INT,
    check_rows,
    one_of,
    resolve_device,
    validate_params,
)
from ._coordinates import COORDINATES
from ._objectives import InfoMax, assemble
from ._random import new_generator, private_rng
from ._reading import OUTPUTS, ReadingMixin, read_output
from ._saving import SavingMixin
from ._scaling import Scaling
from ._settings import PRESETS, settle, settle_optimizer
from ._training._callbacks import HeldOutStopping, ProgressBar
from ._training._net import Adversary, InfoMaxNet
from ._training._schedule import Plan
from .bounds import Bound
from .contexts import Context
from .critics import Critic
from .encoders import Encoder, TorchEncoder
from .encoders._base import prepare
from .priors import DISCRIMINATOR, AdversarialMatch, Prior
from .views import Augmentation, Occlusion

__all__ = ["DeepInfoMaxTransformer"]

_PREPARE_ROWS = 4096
_BATCH, _SMALL_BATCH, _FEW_SAMPLES = 128, 64, 4096


class DeepInfoMaxTransformer(SavingMixin, ReadingMixin):
    """Learn features of unlabelled data by maximising mutual information.

    An encoder turns each sample into a local map (one vector for each location) and a global
    vector. Training maximises a bound on the mutual information between the two; for images,
    between the global vector of one random view of the sample and the local map of another.
    `transform` gives the global vector.

    Parameters
    ----------
    n_components : int, default=256
        Width of the embedding, the global vector; see `output` for what `transform` gives.
    preset : {"fast", "balanced", "accurate"}, default="fast"
        What "auto" stands for in `encoder` and `max_epochs`: "fast" is for about a minute,
        "balanced" for three, "accurate" for ten. The others take two and three times as many
        steps, and for images two and six times the dictionary and the output of twice the width,
        which is at most a quarter as many directions as there are samples, or 128.
    encoder : str, Encoder or torch.nn.Module, default="auto"
        "auto" chooses "table", "series" or "image" from the shape of ``X``; other names are
        in `sk_infomax.encoders.ENCODERS`. A torch module or class that returns a local map
        and a vector is taken as it is; see `TorchEncoder` for any other backbone.
    critic : str or Critic, default="dot"
        What scores pairs: "dot", "bilinear" or "concat".
    bound : str or Bound, default="infonce"
        The bound on mutual information: "dv", "jsd", "infonce", "nwj" or "smile".
    global_weight : float, default=0.0
        Weight of the information between the global vector and the whole sample (with two
        views: the other view's global vector; with one: the whole local map).
    local_weight : float, default=1.0
        Weight of the information between the global vector and each location.
    prior : str, Prior or None, default=None
        Distribution that an adversary pushes the embedding to: "uniform" (for the sigmoid of
        the embedding) or "normal".
    prior_weight : float, default=0.1
        Weight of being taken for the prior; without effect if `prior` is None.
    context : str, Context or None, default=None
        None sets the encoder's one global vector against the locations. "blocks" makes a global
        vector of each block of the local map; "cpc" makes summaries that predict what comes
        next, row by row or moment by moment (contrastive predictive coding). `transform` then
        gives the mean of the vectors.
    coordinates : {"absolute", "relative", "both"} or None, default=None
        Whether the global vector also has to help tell where a location lies: its place in the
        map, how far it lies from another location of the sample, or both.
    coordinates_weight : float, default=1.0
        Weight of the log probability of the places; without effect if `coordinates` is None.
    occlusion : float, Occlusion or None, default=None
        Part of each side of a block that is hidden from the global vector in training, while
        the local map sees the whole sample. `transform` hides nothing.
    views : {"auto", 1, 2}, default="auto"
        Number of random views of a batch. "auto" is 2 for images, 1 for tables and series.
    augmentation : str, Augmentation or None, default="auto"
        What makes the views: "auto" takes the one for the kind of data if there are two
        views, and none if there is one. `ImageViews(flip=True)` adds mirror images.
    output : {"auto", "embedding", "multiscale", "hidden", "feature_map"}, default="auto"
        The layer that `transform` reads: the global vector, the same beside pooled maps, the last
        hidden layer, or the last feature map, flattened. "auto" is "multiscale" for images with
        the default encoder, else "embedding". It may be changed after `fit`.
    sample_shape : tuple of int or None, default=None
        Shape of a sample where ``X`` has flat rows: ``(28, 28)`` makes a row of 784 values an
        image.
    channels : {"auto", "first", "last"}, default="auto"
        Where the channels of four-dimensional ``X`` are. "auto" takes the axis of at most four.
    max_epochs : int or "auto", default="auto"
        Passes over the data. "auto" is as many as make about 600 steps, from 2 to 100; twice
        as many with ``preset="balanced"``, three times with "accurate".
    max_time : float or None, default=None
        Seconds after which training ends, if `max_epochs` is not reached before; the learning
        rate is scheduled to fit. The result then depends on the speed of the machine.
    batch_size : int or "auto", default="auto"
        Smallest number of samples in a batch; batches are equal up to one. "auto" is 128, but 64
        for fewer than 4,096 samples with two views of each.
    optimizer : {"adamw", "adam", "sgd", "rmsprop"} or class, default="adamw"
        What makes the steps.
    lr : float, default=0.003
        Learning rate.
    lr_schedule : {"cosine", "constant"}, default="cosine"
        "cosine" rises for 5 % of the training and then falls to 0.
    weight_decay : float, default=1e-4
        Weight decay of the optimizer.
    early_stopping : bool, default=False
        Whether to hold out samples, to stop when their loss no longer falls, and to go back
        to the best weights.
    validation_fraction : float, default=0.1
        Part of the samples held out for early stopping.
    n_iter_no_change : int, default=10
        Epochs without improvement before early stopping.
    tol : float, default=1e-4
        What counts as an improvement of the loss.
    warm_start : bool, default=False
        Whether `fit` goes on from the last solution.
    num_workers : int, default=0
        Processes that read batches ahead where the data is larger than scikit-learn's
        ``working_memory`` and therefore streamed.
    callbacks : list of skorch callbacks or None, default=None
        Called during training, as in skorch.
    device : str, default="auto"
        "cpu", "cuda", or "auto" for CUDA where there is one.
    random_state : int, RandomState instance or None, default=None
        Seed of weights, batches and views. An int makes fits on one CPU bitwise equal.
    verbose : int, default=0
        1 shows a progress bar in a terminal.

    Attributes
    ----------
    net_ : skorch.NeuralNet
        The trained net; its ``module_`` holds encoder and critics.
    history_ : skorch.history.History
        For each epoch, the loss and each term: ``train_loss``, ``train_local``,
        ``train_global``, ``train_prior``, and the same as ``valid_...``.
    layout_ : Layout
        What a sample was taken for: ``layout_.kind``, ``layout_.shape``.
    n_iter_ : int
        Number of epochs run.
    n_features_in_ : int
        Number of values in a sample.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the columns, where ``X`` was a frame with string names.

    Notes
    -----
    Columns (tables) and channels (series, images) are standardised inside; images of uint8 are
    mapped to [-1, 1]. Samples that are float64 are transformed in float64, others in float32,
    which is faster.

    References
    ----------
    Hjelm, Fedorov, Lavoie-Marchildon, Grewal, Bachman, Trischler and Bengio, Learning deep
    representations by mutual information estimation and maximization, ICLR 2019. Two views:
    Bachman, Hjelm and Buchwalter, Learning representations by maximizing mutual information
    across views, NeurIPS 2019.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.svm import LinearSVC
    >>> from sk_infomax import DeepInfoMaxTransformer
    >>> images, labels = load_digits().images, load_digits().target
    >>> model = make_pipeline(DeepInfoMaxTransformer(max_epochs=5, random_state=0), LinearSVC())
    >>> bool(model.fit(images[:1000], labels[:1000]).score(images[1000:], labels[1000:]) > 0.9)
    True
    """

    _parameter_constraints: dict = {
        "n_components": [POSITIVE_INT],
        "preset": [one_of(set(PRESETS))],
        "encoder": [str, Encoder, nn.Module, type],
        "critic": [str, Critic, type],
        "bound": [str, Bound, type],
        "global_weight": [NON_NEGATIVE],
        "local_weight": [NON_NEGATIVE],
        "prior": [str, Prior, type, None],
        "prior_weight": [NON_NEGATIVE],
        "context": [str, Context, type, None],
        "coordinates": [one_of(set(COORDINATES)), None],
        "coordinates_weight": [NON_NEGATIVE],
        "occlusion": [FRACTION, Occlusion, None],
        "views": [AUTO, ONE_OR_TWO],
        "augmentation": [str, Augmentation, type, None],
        "output": [one_of({"auto", *OUTPUTS})],
        "sample_shape": [tuple, list, None],
        "channels": [one_of({"auto", "first", "last"})],
        "max_epochs": [POSITIVE_INT, AUTO],
        "max_time": [POSITIVE, None],
        "batch_size": [AT_LEAST_TWO, AUTO],
        "optimizer": [str, type],
        "lr": [POSITIVE],
        "lr_schedule": [one_of({"cosine", "constant"})],
        "weight_decay": [NON_NEGATIVE],
        "early_stopping": ["boolean"],
        "validation_fraction": [FRACTION],
        "n_iter_no_change": [POSITIVE_INT],
        "tol": [NON_NEGATIVE],
        "warm_start": ["boolean"],
        "num_workers": [NON_NEGATIVE_INT],
        "callbacks": [list, tuple, None],
        "device": [str, torch.device],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        n_components=256,
        *,
        preset="fast",
        encoder="auto",
        critic="dot",
        bound="infonce",
        global_weight=0.0,
        local_weight=1.0,
        prior=None,
        prior_weight=0.1,
        context=None,
        coordinates=None,
        coordinates_weight=1.0,
        occlusion=None,
        views="auto",
        augmentation="auto",
        output="auto",
        sample_shape=None,
        channels="auto",
        max_epochs="auto",
        max_time=None,
        batch_size="auto",
        optimizer="adamw",
        lr=3e-3,
        lr_schedule="cosine",
        weight_decay=1e-4,
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=10,
        tol=1e-4,
        warm_start=False,
        num_workers=0,
        callbacks=None,
        device="auto",
        random_state=None,
        verbose=0,
    ):
        self.n_components = n_components
        self.preset = preset
        self.encoder = encoder
        self.critic = critic
        self.bound = bound
        self.global_weight = global_weight
        self.local_weight = local_weight
        self.prior = prior
        self.prior_weight = prior_weight
        self.context = context
        self.coordinates = coordinates
        self.coordinates_weight = coordinates_weight
        self.occlusion = occlusion
        self.views = views
        self.augmentation = augmentation
        self.output = output
        self.sample_shape = sample_shape
        self.channels = channels
        self.max_epochs = max_epochs
        self.max_time = max_time
        self.batch_size = batch_size
        self.optimizer = optimizer
        self.lr = lr
        self.lr_schedule = lr_schedule
        self.weight_decay = weight_decay
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.warm_start = warm_start
        self.num_workers = num_workers
        self.callbacks = callbacks
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    # Fitting -------------------------------------------------------------------------------

    def fit(self, X, y=None):
        """Learn features from samples without labels.

        Parameters
        ----------
        X : array-like
            A table (n, features), series (n, channels, time), or images (n, h, w),
            (n, h, w, channels) or (n, channels, h, w). A three-dimensional array holds images
            if they are square and series otherwise; ``encoder="image"`` or
            ``encoder="series"`` says so outright. Numbers, at least two samples.
        y : None
            Ignored.

        Returns
        -------
        self : DeepInfoMaxTransformer
            Fitted.

        Raises
        ------
        ValueError
            For parameters or data that do not fit, before training starts.
        FloatingPointError
            If a term becomes infinite or NaN; the estimator keeps the last sound weights.
        """
        validate_params(self)
        resume = self.warm_start and hasattr(self, "net_")
        rows = check_rows(self, X, reset=not resume, min_samples=2)
        if not resume:
            self._start(rows)
        self._train(rows, epochs=self._epochs(len(rows)), whole_fit=True)
        return self

    def partial_fit(self, X, y=None):
        """Go through samples once, at a constant learning rate, from where training stands.

        Parameters
        ----------
        X : array-like
            As in `fit`; all calls see samples of one shape.
        y : None
            Ignored.

        Returns
        -------
        self : DeepInfoMaxTransformer
            Fitted.
        """
        validate_params(self)
        first = not hasattr(self, "net_")
        rows = check_rows(self, X, reset=first, min_samples=2)
        if first:
            self._start(rows)
        else:
            self._scaling.update(rows)
        self._train(rows, epochs=1, whole_fit=False)
        return self

    def _start(self, rows: np.ndarray) -> None:
        """Settle parts, layout and scaling, and build a fresh net."""
        settle_optimizer(self)
        self._parts, layout = settle(self, rows)
        seed = int(check_random_state(self.random_state).randint(2**31 - 4))
        self.layout_, self._seed = layout, seed
        self._scaling = Scaling(layout).update(rows)
        device = resolve_device(self.device)
        self._build(device)
        chosen = np.random.RandomState(seed).permutation(len(rows))[:_PREPARE_ROWS]
        samples = self._scaling.apply(rows[np.sort(chosen)]).to(device)
        views = self._parts.augmentation
        prepare(self.net_.module_.encoder, samples, views, new_generator(seed + 4, device))

    def _build(self, device: torch.device) -> None:
        """Make the net for the settled parts; its weights are first ones."""
        with private_rng(self._seed, device):
            module, example = assemble(self._parts, self.layout_.network_shape)
        self._widths = {output: read_output(example, output).shape[1] for output in OUTPUTS}
        self.net_ = self._make_net(module, device)

    def _make_net(self, module: InfoMax, device: torch.device) -> InfoMaxNet:
        """A net with fresh optimizers and history around a module."""
        if len(self.layout_.network_shape) == 3:
            module = module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        optimizer, settings = settle_optimizer(self)
        net = InfoMaxNet(
            module,
            weights=self._parts.weights,
            adversary=_adversary_of(module.prior),
            optimizer=optimizer,
            **{f"optimizer__{name}": value for name, value in settings.items()},
            lr=self.lr,
            device=device,
            callbacks=self._callbacks(),
            verbose=0,
            train_split=None,
        ).initialize()
        net.module_.generator = new_generator(self._seed + 1, device)
        net.shuffler = new_generator(self._seed + 2)
        return net

    def _train(self, rows: np.ndarray, epochs: int, whole_fit: bool) -> None:
        """Train the net; a whole fit has a schedule, an end in time and a validation set."""
        device, history = self.net_.device, self.net_.history
        if whole_fit and len(history):  # a warm start may have new settings
            self.net_ = self._make_net(self.net_.module_, device)
            self.net_.history = history
        plan = Plan(
            epochs,
            self._batch_size(len(rows)),
            self.lr_schedule if whole_fit else "constant",
            self.max_time if whole_fit else None,
        )
        train, valid = self._subsets(len(rows), whole_fit and self.early_stopping)
        data = self._data(rows, train)
        held_out = None if valid is None else self._data(rows, valid)
        own_rng = isinstance(self._parts.encoder, TorchEncoder)
        with private_rng(self._seed + 3, device) if own_rng else nullcontext():
            self.net_.train(data, held_out, plan)

    def _subsets(self, n: int, hold_out: bool) -> tuple[np.ndarray | None, np.ndarray | None]:
        """Rows to train on (None for all) and rows to validate on."""
        if not hold_out:
            return None, None
        n_valid = max(2, math.ceil(self.validation_fraction * n))
        if n - n_valid < 2:
            raise ValueError(
                f"early_stopping holds out {n_valid} of {n} samples and leaves too few to train "
                "on. Lower validation_fraction or set early_stopping=False."
            )
        order = np.random.RandomState(self._seed).permutation(n)
        return np.sort(order[n_valid:]), np.sort(order[:n_valid])

    def _epochs(self, n: int) -> int:
        """Number of passes for n samples."""
        if self.max_epochs != "auto":
            return int(self.max_epochs)
        preset, steps = PRESETS[self.preset], max(1, n // self._batch_size(n))
        return min(preset.max_epochs, max(2, math.ceil(preset.steps / steps)))

    def _batch_size(self, n: int) -> int:
        """Smallest number of samples in a batch, for n samples and the settled views.

        Two views of few images gain from more steps; one view lost from fewer negatives.
        """
        if self.batch_size != "auto":
            return int(self.batch_size)
        return _SMALL_BATCH if n < _FEW_SAMPLES and self._parts.n_views == 2 else _BATCH

    def _callbacks(self) -> list:
        """The user's callbacks and those that the parameters ask for."""
        callbacks = list(self.callbacks or [])
        if self.early_stopping:
            callbacks.append(HeldOutStopping(self.n_iter_no_change, self.tol))
        if self.verbose:
            callbacks.append(ProgressBar())
        return callbacks

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "net_")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        tags.input_tags.three_d_array = True
        tags.non_deterministic = False
        return tags


def _adversary_of(match) -> Adversary | None:
    return Adversary(DISCRIMINATOR, match) if isinstance(match, AdversarialMatch) else None

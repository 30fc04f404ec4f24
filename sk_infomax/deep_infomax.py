"""`DeepInfoMaxTransformer`: features of unlabelled arrays, behind the scikit-learn interface."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import Any, Literal, Self

import numpy as np
import torch
from sklearn.utils.metadata_routing import UNUSED
from sklearn.utils.validation import check_is_fitted
from skorch.history import History
from torch import nn

from ._bases import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from ._checks import (
    AT_LEAST_TWO,
    AUTO,
    FRACTION,
    NON_NEGATIVE,
    NON_NEGATIVE_INT,
    ONE_OR_TWO,
    POSITIVE,
    POSITIVE_INT,
    ZERO,
    draft_of,
    one_of,
    say,
    validate_params,
)
from ._columns._datasets import Samples, Stream, opened, pieces_of
from ._columns._sinks import check_sink, filled_with
from ._columns._sources import Source
from ._columns._sparse import Rows
from ._coordinates import COORDINATES
from ._export import Exported
from ._fitted import OUTPUTS, FittedFeatures, Read, read_rows
from ._layout import Layout
from ._modes import in_own_modes, own_modes
from ._parts import Auto, NamedParts
from ._random import draw_seed
from ._scaling import Scaling
from ._settings import (
    FAMILIES,
    MADE_BY_FIT,
    PRESETS,
    REGISTRIES,
    asked_of,
    kind_said,
    plan_of_fit,
    plan_of_pass,
    refuse_two_schedules,
    rows_apart,
    settle,
    settle_part,
    settle_setup,
)
from ._shown import Summarised
from ._training._net import InfoMaxNet
from ._training._resuming import Resumable, Work
from .bounds import Bound
from .contexts import Context
from .critics import Critic
from .encoders import Encoder
from .priors import Prior
from .series._equal import filled
from .views import Augmentation, Occlusion

__all__ = ["DeepInfoMaxTransformer"]


class DeepInfoMaxTransformer(
    ClassNamePrefixFeaturesOutMixin, TransformerMixin, Summarised, Exported, Resumable, NamedParts
):
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
        What "auto" stands for in `encoder` and `max_epochs`. The others take two and three times
        as many steps, and for images patches at twice as many places on each side, more of their
        second moments, twice as many directions at most, and "accurate" twice the dictionary.
    encoder : str, Encoder or torch.nn.Module, default="auto"
        "auto" chooses "table", "series" or "image" from the shape of ``X``; other names are
        in `sk_infomax.encoders.ENCODERS`. A torch module or class that returns a local map
        and a vector is taken as it is; see `TorchEncoder` for any other backbone, and
        `FrozenEncoder` for one that is to stay as it is.
    critic : str or Critic, default="dot"
        What scores pairs: "dot", "bilinear", "concat" or "gated".
    bound : str or Bound, default="infonce"
        The bound on mutual information: "dv", "jsd", "infonce", "nwj" or "smile".
    global_weight : float, default=0.0
        Weight of the information between the global vector and the whole sample (with two
        views: the other view's global vector; with one: the whole local map).
    local_weight : float, default=1.0
        Weight of the information between the global vector and each location; of an encoder with
        local maps of several depths, such as "resnet", each map is a term with this weight.
    locations_weight : float, default=0.0
        Weight of the information between a location of one view, drawn at random, and each
        location of the other, which needs two views.
    prior : str, Prior or None, default=None
        What the distribution of the embedding is matched to: by an adversary to "uniform" (for
        the sigmoid of the embedding), "normal", "sphere" or "ball"; without one by "mmd", its
        distance to draws, or "noise", a noisy channel.
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
    augmentation : str, Augmentation, callable or None, default="auto"
        What makes the views: "table", "series", "image", "colour" or "occlusion". "auto" takes the
        one for the kind of data if there are two views, and none if there is one.
        `ImageViews(flip=True)` adds mirror images. Any function of a sample, such as
        torchvision's transforms, is taken as `FunctionViews` says.
    target_momentum : float or None, default=None
        None has one encoder encode both sides of a pair. A number below 1, such as 0.99, has what a
        global vector is set against encoded by a second one, whose weights are the moving average
        of the first one's with this weight of the past (a momentum encoder); a step costs a third
        more. It is meant for encoders that learn every layer, in long trainings.
    output : {"auto", "embedding", "multiscale", "hidden", "feature_map"}, default="auto"
        The layer that `transform` reads: the global vector, the same beside pooled maps, the last
        hidden layer, or the last feature map, flattened. "auto" is "multiscale" with the default
        encoders, else "embedding". It may be changed after `fit`.
    sample_shape : tuple of int or None, default=None
        Shape of a sample where ``X`` has flat rows: ``(28, 28)`` makes a row of 784 values an
        image.
    channels : {"auto", "first", "last"}, default="auto"
        Where the channels of images and series are. "auto" takes the axis of at most four of
        four-dimensional ``X``, and the first of series, (channels, time); "last" is (time,
        channels).
    max_epochs : int or "auto", default="auto"
        Passes over the data. "auto" is as many as make about 600 steps, from 2 to 100; with the
        default encoders, which find most before training, 100 steps for images and six for series
        and tables, and of large data as many samples, at random, as that takes. Twice as many with
        ``preset="balanced"``, three times with "accurate".
    max_time : float or None, default=None
        Seconds after which `fit` ends training, if `max_epochs` is not reached before; the learning
        rate is scheduled to fit. Reading X and what precedes training count, but are not cut short.
        The result then depends on the speed of the machine.
    batch_size : int or "auto", default="auto"
        Smallest number of samples in a batch; batches are equal up to one. "auto" is 128, but 64
        for fewer than 4,096 samples with two views of each.
    optimizer : {"adamw", "adam", "adam_gan", "sgd", "rmsprop"} or class, default="adamw"
        What makes the steps; "adam_gan" is Adam with betas (0.5, 0.999).
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
        Processes that read batches ahead in training where the data is larger than scikit-learn's
        ``working_memory`` and therefore streamed.
    callbacks : list of skorch callbacks or None, default=None
        Called during training, as in skorch: scores are of terms, since there are no targets; a
        schedule of the learning rate needs ``lr_schedule="constant"``. A `Checkpoint` keeps a file
        from which `resume` goes on with a fit that was killed.
    device : str, default="auto"
        "cpu", "cuda", or "auto" for CUDA where there is one.
    random_state : int, RandomState instance or None, default=None
        Seed of weights, batches and views. An int makes fits on one CPU bitwise equal.
    verbose : int, default=0
        1 shows a progress bar in terminals and notebooks, and a line every few seconds where the
        output is piped; 2 a line an epoch. Lines go to the logger "sk_infomax" where logging is
        set up for them, else to stderr.

    Attributes
    ----------
    net_ : skorch.NeuralNet
        The trained net; its ``module_`` holds encoder and critics.
    history_ : skorch.history.History
        For each epoch, the loss and each term: ``train_loss``, ``train_local``,
        ``train_local_2`` (a second local map), ``train_locations``, ``train_global``,
        ``train_prior``, and the same as ``valid_...``. Information terms are
        there in nats too, as the bound reports them of the same batches: ``train_local_nats``,
        ``train_global_nats``. These compare between bounds; the terms themselves do not.
    layout_ : Layout
        What a sample was taken for: ``layout_.kind``, ``layout_.shape``; of a mixed frame, the
        shape after its columns have become numbers.
    n_iter_ : int
        Number of epochs run.
    n_features_in_ : int
        Number of values in a sample; of a frame, of its columns.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the columns, where ``X`` was a frame with string names.

    Notes
    -----
    Columns (tables) and channels (series, images) are standardised inside; images of uint8 are
    mapped to [-1, 1]. Samples of a type that float32 does not hold, such as float64 and int64, are
    transformed in float64; others, such as int16 and uint8, in float32, which is faster.

    A frame of pandas, polars or Arrow with more than complete numbers and flags becomes a float64
    matrix by what `fit` saw: numbers and durations stay, dates are days beside the time of day,
    week and year, and levels are indicators of the 20 most frequent beside how frequent a level
    is. What is missing is the mean, or no level, and has an indicator if `fit` saw something
    missing in that column. Levels that `fit` did not see are none of the levels. Free text and
    identifiers are refused by name. An array is taken as numbers without missing values, as is
    what follows a frame of complete numbers.

    Sparse matrices and arrays of SciPy are tables, which are never dense as a whole. Up to 512
    columns their rows are read in batches, as those of a dense table. Wider ones, such as counts of
    words, first become 256 dense columns: values are weighed as TF-IDF does, and their principal
    directions are shaped so that what many rows share counts more (`layout_` then says 256). Word
    counts need no TF-IDF before, and may have one. Encoders that are torch modules, or read series
    or images, get all columns.

    Series may differ in length and miss values: as a list or object array of arrays, as a frame
    whose cells are series, as an array with NaN after the end of the shorter ones, and in the
    containers of aeon and sktime (frames indexed by series and time with ``encoder="series"``). NaN
    after the last value of all channels ends a series; other NaN are interpolated on a straight
    line, and the features do not tell that they were. Nothing is stretched: the default encoder
    pools patterns of one pace over parts of the series' own time, so features of the same series
    are the same whatever it stands beside; the others see a series' mean after its end. After a fit
    series of any length are read; those that are longer than the longest of `fit` are averaged down
    to its length, with a warning from 1.5 times that on. A length is no feature.

    What is too large for memory is read when it is due, and never as a whole. Arrays that slice
    along their first axis: `numpy.memmap`, datasets of h5py, arrays of zarr, dask and xarray; those
    in chunks are read chunk by chunk. A `torch.utils.data.Dataset` with a length, or one of Hugging
    Face: its items are samples, tuples that begin with the sample, or dicts with one array (of
    integers that are not to become int64, by ``with_format("numpy", dtype=np.uint8)``).
    Of a `DataLoader` the dataset is read in its own order; one with a sampler or a `collate_fn` of
    its own is a stream of its batches. Streams, whose end nobody knows, are an `IterableDataset`,
    of samples, and other iterables without a length, of batches: `fit` and `score` take their first
    samples, up to scikit-learn's ``working_memory`` (1 GiB) in float32, and say so if there are
    more; `partial_fit` and `transform` go through all. Features are those of an array of the same
    values and type. Missing and infinite values are refused when they are read.

    References
    ----------
    Hjelm, Fedorov, Lavoie-Marchildon, Grewal, Bachman, Trischler and Bengio, Learning deep
    representations by mutual information estimation and maximization, ICLR 2019. Two views:
    Bachman, Hjelm and Buchwalter, Learning representations by maximizing mutual information
    across views, NeurIPS 2019. Momentum encoder: He, Fan, Wu, Xie and Girshick, Momentum contrast
    for unsupervised visual representation learning, CVPR 2020.

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
        "encoder": [str, Encoder, Auto, nn.Module, type],
        "critic": [str, Critic, type],
        "bound": [str, Bound, type],
        "global_weight": [NON_NEGATIVE],
        "local_weight": [NON_NEGATIVE],
        "locations_weight": [NON_NEGATIVE],
        "prior": [str, Prior, type, None],
        "prior_weight": [NON_NEGATIVE],
        "context": [str, Context, type, None],
        "coordinates": [one_of(set(COORDINATES)), None],
        "coordinates_weight": [NON_NEGATIVE],
        "occlusion": [FRACTION, Occlusion, None],
        "views": [AUTO, ONE_OR_TWO],
        "augmentation": [str, Augmentation, Auto, type, callable, None],
        "target_momentum": [FRACTION, ZERO, None],
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

    _families = FAMILIES
    _registries = REGISTRIES
    _made_by_fit = MADE_BY_FIT
    _fitted_as = FittedFeatures
    _fitted: FittedFeatures

    def __init__(
        self,
        n_components: int = 256,
        *,
        preset: Literal["fast", "balanced", "accurate"] = "fast",
        encoder: str | Encoder | Auto | nn.Module | type = "auto",
        critic: str | Critic | type[Critic] = "dot",
        bound: str | Bound | type[Bound] = "infonce",
        global_weight: float = 0.0,
        local_weight: float = 1.0,
        locations_weight: float = 0.0,
        prior: str | Prior | type[Prior] | None = None,
        prior_weight: float = 0.1,
        context: str | Context | type[Context] | None = None,
        coordinates: Literal["absolute", "relative", "both"] | None = None,
        coordinates_weight: float = 1.0,
        occlusion: float | Occlusion | None = None,
        views: Literal["auto", 1, 2] = "auto",
        augmentation: str | Augmentation | Auto | Callable[..., Any] | None = "auto",
        target_momentum: float | None = None,
        output: Literal["auto", "embedding", "multiscale", "hidden", "feature_map"] = "auto",
        sample_shape: Sequence[int] | None = None,
        channels: Literal["auto", "first", "last"] = "auto",
        max_epochs: int | Literal["auto"] = "auto",
        max_time: float | None = None,
        batch_size: int | Literal["auto"] = "auto",
        optimizer: str | type[torch.optim.Optimizer] = "adamw",
        lr: float = 3e-3,
        lr_schedule: Literal["cosine", "constant"] = "cosine",
        weight_decay: float = 1e-4,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        tol: float = 1e-4,
        warm_start: bool = False,
        num_workers: int = 0,
        callbacks: Sequence[Any] | None = None,
        device: str | torch.device = "auto",
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
    ) -> None:
        self.n_components = n_components
        self.preset = preset
        self.encoder = encoder
        self.critic = critic
        self.bound = bound
        self.global_weight = global_weight
        self.local_weight = local_weight
        self.locations_weight = locations_weight
        self.prior = prior
        self.prior_weight = prior_weight
        self.context = context
        self.coordinates = coordinates
        self.coordinates_weight = coordinates_weight
        self.occlusion = occlusion
        self.views = views
        self.augmentation = augmentation
        self.target_momentum = target_momentum
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

    @in_own_modes
    def fit(self, X: Samples, y: Any = None) -> Self:
        """Learn features from samples without labels.

        Parameters
        ----------
        X : array-like
            A table (n, features), series (n, channels, time), or images (n, h, w),
            (n, h, w, channels) or (n, channels, h, w). A three-dimensional array holds images
            if they are square and series otherwise; ``encoder="image"`` or
            ``encoder="series"`` says so outright. Numbers, at least two samples. A frame may
            hold numbers, flags, categories or text levels, dates, durations and missing values.
            A table may be sparse.
            Series of several lengths: a list of arrays (time,) or (channels, time), and what else
            the notes name. Arrays that slice, datasets of torch and streams: see the notes.
        y : None
            Ignored.

        Returns
        -------
        self : DeepInfoMaxTransformer
            Fitted. A fit that fails leaves what there was before, but where it was trained for an
            epoch or more when a term ceased to be finite or Ctrl-C was pressed: then the last
            sound weights of the new fit are kept.

        Raises
        ------
        ValueError
            For parameters or data that do not fit, before training starts.
        FloatingPointError
            If a term becomes infinite or NaN.
        """
        began = time.perf_counter()
        validate_params(self)
        refuse_two_schedules(self)
        resume = self.warm_start and hasattr(self, "_fitted")
        draft = draft_of(self)
        read = read_rows(draft, X, self._fitted if resume else None, min_samples=2)
        rows, setup = read.rows, settle_setup(self)
        if resume and isinstance(rows, Source):
            rows.read_through()
        fitted = self._fitted.renewed(setup) if resume else self._start(read, setup)
        plan = plan_of_fit(self, fitted.parts, len(rows), time.perf_counter() - began)
        return self._train(draft, fitted, Work(rows, plan, apart=True))

    @in_own_modes
    def partial_fit(self, X: Samples, y: Any = None) -> Self:
        """Go through samples once, at a constant learning rate, from where training stands.

        Parameters
        ----------
        X : array-like
            As in `fit`; all calls see samples of one shape. The first call learns the levels of
            a frame's columns, so its rows should have what later ones have. A stream is gone
            through to its end, in pieces of up to 8,192 samples, each of which is a call.
        y : None
            Ignored.

        Returns
        -------
        self : DeepInfoMaxTransformer
            Fitted.
        """
        validate_params(self)
        for piece in pieces_of(opened(X)):
            self._pass(piece)
        return self

    def _pass(self, X: Any) -> None:
        """Go through samples that are at hand once."""
        first = not hasattr(self, "_fitted")
        draft = draft_of(self)
        read = read_rows(draft, X, None if first else self._fitted, min_samples=2)
        rows = read.rows
        if first:
            fitted = self._start(read, settle_setup(self))
        else:
            fitted = self._taken_up().having_seen(rows)
        plan = plan_of_pass(self, fitted.parts, len(rows))
        self._train(draft, fitted, Work(rows, plan, apart=False))

    def _start(self, read: Read, setup) -> FittedFeatures:
        """Parts, layout and scaling settled, and a fresh net that has not been trained."""
        rows, columns = read.rows, read.columns
        parts, layout = settle(self, rows, read.layout, read.said)
        if columns is not None and layout.kind != "table":
            raise ValueError(
                f"encoder={self.encoder!r} reads {layout.kind} data, but X is a frame with text, "
                "dates, categories or missing values, which is a table. Leave the encoder at "
                '"auto", or give complete numbers.'
            )
        seed = draw_seed(self.random_state)
        scaling = Scaling(layout, parts.encoder.normalize).update(filled(rows, layout))
        fitted = FittedFeatures(parts, layout, scaling, seed, setup, columns, len(rows))
        return fitted.prepare(rows)

    def _taken_up(self) -> FittedFeatures:
        return self._fitted.continued(settle_setup(self))

    def _read_again(self, X: Any) -> Rows:
        return read_rows(self, X, self._fitted, min_samples=2).rows

    def _run(self, fitted: FittedFeatures, work: Work, start: Any, keep: Any) -> None:
        n, parts = len(work.rows), fitted.parts
        subsets = rows_apart(self, parts, n, fitted.seed) if work.apart else (None, None)
        fitted.train(work.rows, work.plan, subsets, self.num_workers, start, keep)

    def _tell(self, fitted: FittedFeatures, work: Work) -> None:
        if work.apart:
            for category, finding in fitted.findings(asked_of(self, fitted.parts, len(work.rows))):
                say([finding], category)

    def _part(self, parameter: str) -> Any:
        return settle_part(self, parameter)

    # Reading -------------------------------------------------------------------------------

    # `out` says where to write, and is nothing that comes with the data.
    __metadata_request__transform = {"out": UNUSED}

    @in_own_modes
    def transform(self, X: Samples, out: Any = None) -> np.ndarray:
        """Features of samples, in batches of constant memory.

        Parameters
        ----------
        X : array-like
            Samples of the shape that `fit` saw; of a frame, the same columns; of series, the same
            channels and any length. A stream is read to its end.
        out : array of shape (n, n_features_out) or None, default=None
            Where the features are written, by slices: an array, a `numpy.memmap`, or a dataset of
            h5py or zarr. It is returned.

        Returns
        -------
        ndarray of shape (n, n_features_out)
            float64 for samples that float32 does not hold, else float32; `output` says of which
            layer.

        Raises
        ------
        TypeError
            If `out` is no array.
        ValueError
            For samples that `fit` has seen no such of, and if `out` does not fit. What sources and
            streams hold is checked when it is read: features of samples before are then in `out`.
        """
        check_is_fitted(self)
        validate_params(self)
        found = opened(X)
        if isinstance(found, Stream):
            return self._from_stream(found, out)
        return self._fitted.features(read_rows(self, found, self._fitted).rows, self._layer, out)

    def transform_batches(self, X: Samples) -> Iterator[np.ndarray]:
        """Features of samples, given a batch at a time; all of them need never be in memory.

        Parameters
        ----------
        X : array-like
            As in `transform`.

        Returns
        -------
        iterator of ndarray of shape (k, n_features_out)
            In the order of the samples; k is the method's to choose, at most 4,096.

        Examples
        --------
        >>> import numpy as np
        >>> from sk_infomax import DeepInfoMaxTransformer
        >>> X = np.random.RandomState(0).normal(size=(5000, 4)).astype(np.float32)
        >>> model = DeepInfoMaxTransformer(8, max_epochs=1, random_state=0).fit(X[:200])
        >>> sum(len(batch) for batch in model.transform_batches(X))
        5000
        """
        check_is_fitted(self)
        validate_params(self)
        with own_modes():
            rows = self._in_pieces(opened(X))
        return _stepwise(self._blocks(rows))

    def _blocks(self, rows: Iterator[Rows]) -> Iterator[np.ndarray]:
        """Features (k, d) of rows (n, ...) that come in pieces."""
        for piece in rows:
            yield from self._fitted.blocks(piece, self._layer)

    def _in_pieces(self, X: Any) -> Iterator[Rows]:
        """Checked samples (n, ...), those of a stream piece by piece, the first of them at once."""
        pieces = (read_rows(self, piece, self._fitted).rows for piece in pieces_of(X))
        return chain([next(pieces)], pieces)

    def _from_stream(self, stream: Stream, out: Any) -> Any:
        """Features (n, d) of all samples of a stream."""
        if out is not None:
            check_sink(out, self._n_features_out)
        blocks = self._blocks(self._in_pieces(stream))
        return np.concatenate(list(blocks)) if out is None else filled_with(blocks, out)

    @in_own_modes
    def score(self, X: Samples, y: Any = None) -> float:
        """Mutual information in nats between global vectors and what they are set against.

        The weighted mean of the information terms, on fixed blocks of 256 samples and fixed
        views, so that it depends neither on `batch_size` nor on chance. It says how well the
        objective is met, not how useful the features are [1]_.

        Parameters
        ----------
        X : array-like
            Held-out samples of the shape that `fit` saw, at least two.
        y : None
            Ignored.

        Returns
        -------
        float
            Nats, larger is better. InfoNCE cannot exceed the logarithm of the number of
            candidates, log 256 = 5.5 for blocks of 256.

        References
        ----------
        .. [1] Tschannen, Djolonga, Rubenstein, Gelly and Lucic, On mutual information
           maximization for representation learning, ICLR 2020.
        """
        check_is_fitted(self)
        rows = read_rows(self, X, self._fitted, min_samples=2).rows
        return self._fitted.nats(rows, self.num_workers)

    @property
    def net_(self) -> InfoMaxNet:
        """The trained skorch net."""
        return self._found.net

    @property
    def history_(self) -> History:
        """Loss and terms of each epoch."""
        return self._found.net.history

    @property
    def layout_(self) -> Layout:
        """What a sample was taken for."""
        return self._found.layout

    @property
    def n_iter_(self) -> int:
        """Number of epochs run."""
        return len(self.history_)

    def _summary(self) -> dict[str, str]:
        return self._fitted.summary(self.n_features_in_, self._layer)

    @property
    def _n_features_out(self) -> int:
        return self._found.widths[self._layer]

    @property
    def _layer(self) -> str:
        """The layer that `transform` reads."""
        return self._found.parts.encoder.output if self.output == "auto" else self.output

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        tags.input_tags.three_d_array = True
        tags.input_tags.sparse = True
        tags.input_tags.allow_nan = kind_said(self) == "series"
        tags.non_deterministic = False
        return tags


def _stepwise(blocks: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    """The same, each made in the package's own modes, which no longer hold when it is given."""
    while True:
        with own_modes():
            block = next(blocks, None)
        if block is None:
            return
        yield block

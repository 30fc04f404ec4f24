"""What a fit of features gives, as one object: it trains, transforms, scores and is remembered."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import fields
from functools import partial
from typing import Any, NamedTuple, Self

import numpy as np
import torch
from scipy import sparse
from sklearn import get_config
from skorch.history import History
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from ._checks import check_columns, check_matrix, check_rows, forget_names, say
from ._columns._datasets import Stream, opened
from ._columns._kinds import about_dates_as_text
from ._columns._numbers import MatrixOfColumns
from ._columns._reading import is_mixed, read_columns
from ._columns._sinks import check_sink, filled_with
from ._columns._sources import Source
from ._columns._sparse import MOST_COLUMNS, Narrowing, Rows, SparseRows
from ._layout import Layout
from ._modes import few_threads
from ._objectives import InfoMax, Parts, assemble, term_weights
from ._parts import Part, no_larger_than_memory
from ._random import new_generator, own_draws, private_rng, randomness, stream
from ._scaling import Scaling
from ._settings import Setup, kind_said, narrows_sparse, recall_parts, recall_setup, seen_by
from ._shown import counted
from ._state import (
    Fitted,
    Memory,
    arrays_of,
    arrays_under,
    fact,
    history_rows,
    load_arrays,
    require,
    tensors_of,
    torch_arrays,
)
from ._training import _memory
from ._training._batches import Data, coded, make_data
from ._training._findings import Asked, Finding, largest_share, of_training
from ._training._memory import Standing
from ._training._net import BLOCK, Adversary, InfoMaxNet
from ._training._schedule import Plan
from .encoders import Encoding
from .encoders._base import prepare
from .exceptions import DataWarning
from .series._containers import unpacked
from .series._equal import filled
from .series._rows import read_series
from .views import Augmentation

Columns = MatrixOfColumns | Narrowing
"""How samples as they are given become a matrix of numbers."""

__all__ = [
    "OUTPUTS",
    "Columns",
    "FittedFeatures",
    "Read",
    "read_output",
    "read_rows",
]

OUTPUTS = ("embedding", "multiscale", "hidden", "feature_map")
# Values in, or out, of a batch of transform: 2 MB, what a core's cache holds.
_TRANSFORM_VALUES = 2**19
_OPERATIONS = 6  # floating-point ones for a weight and a row: two forward, four back
_STEP_ROWS = 128  # samples of a step by which its work is known: batch_size="auto" at most
_TRANSFORM_ROWS = 4096  # samples of it at most: networks are wider than narrow tables
_MOST_KEPT = 2**24  # weights of an encoder whose float64 copy is kept: 128 MB (rule of thumb)
_PREPARE_ROWS = 4096  # samples that a dictionary sees; twice as many gave no better one (rule)
_PREPARE_VALUES = 2**27  # input values of them at most: 512 MB in float32 (rule of thumb)
_OF_TRAINING = ("training", "progress", "random")  # first parts of names of arrays
_ENDED = "dur"  # what the row of an epoch has in the history once it has ended
_FEWEST_ROWS = 256  # samples that it sees however large they are (rule of thumb)


def read_output(encoding: Encoding, output: str) -> Tensor:
    """What `output` names of an encoding: (n, features)."""
    layers = {
        "embedding": encoding.summary,
        "multiscale": encoding.multiscale,
        "hidden": lambda: encoding.hidden,
        "feature_map": lambda: encoding.feature_map,
    }
    return layers[output]()


def type_of_features(rows: Rows) -> np.dtype:
    """The type of features of rows (n, ...)."""
    return np.dtype(np.float64 if rows.dtype == np.float64 else np.float32)


class Read(NamedTuple):
    """Checked samples, and what reading them has told.

    Parameters
    ----------
    rows : ndarray or Source of shape (n, ...)
        float64, float32 or uint8; NaN after the end of series that are shorter than others.
    columns : MatrixOfColumns, Narrowing or None
        None where X is read as it is: arrays, frames of complete numbers and flags, and sparse
        tables of few columns.
    layout : Layout or None
        What a sample is, where the container told: of series of several lengths.
    said : bool
        Whether it was said which axis of series is time.
    """

    rows: Rows
    columns: Columns | None = None
    layout: Layout | None = None
    said: bool = False


def read_rows(estimator: Any, X: Any, known: FittedFeatures | None, min_samples: int = 1) -> Read:
    """Checked samples, a mixed frame or series of several lengths as an array.

    Sets ``n_features_in_`` and ``feature_names_in_``, or compares them where a fit is known.

    Parameters
    ----------
    estimator : DeepInfoMaxTransformer
        Has the parameters; at a fit, a draft.
    X : array-like
        Samples.
    known : FittedFeatures or None
        The fit whose reading of columns is taken; None learns it.
    min_samples : int, default=1
        Fewest rows.

    Returns
    -------
    Read
        The rows, and how they were made.
    """
    X = _at_hand(X)
    reset, columns = known is None, known.columns if known else None
    kind, layout = (kind_said(estimator), None) if known is None else (None, known.layout)
    if columns is None and not sparse.issparse(X) and not isinstance(X, Source):
        kind = kind if layout is None else layout.kind
        series = read_series(estimator, X, kind, layout, min_samples)
        if series is not None:
            if reset:
                forget_names(estimator, series.layout.n_features)
            return Read(series.rows, None, series.layout, series.said)
    mixed = columns if isinstance(columns, MatrixOfColumns) else None
    if mixed is not None or (reset and not isinstance(X, Source) and is_mixed(X)):
        return _read_mixed(estimator, X, mixed, reset, min_samples)
    rows = check_rows(estimator, X, reset=reset, min_samples=min_samples)
    narrowing = columns if isinstance(columns, Narrowing) else None
    if reset and isinstance(rows, SparseRows) and _is_wide(estimator, rows):
        narrowing = Narrowing.learn(rows)
    return Read(rows if narrowing is None else narrowing.apply(rows), narrowing)


def _at_hand(X: Any) -> Any:
    """What slices as a source, the first samples of a stream; anything else as it is."""
    X = opened(unpacked(X))
    if not isinstance(X, Stream):
        return X
    megabytes = get_config()["working_memory"]
    samples, is_cut = X.first(megabytes * 2**20)
    if is_cut:
        said = (
            f"X is a stream, of which the first {len(samples):,} samples are taken: what "
            f"scikit-learn's working_memory of {megabytes} MiB holds. Shuffle it before, raise "
            "sklearn.set_config(working_memory=...), go through all of it with partial_fit, or "
            "give a Dataset with a length, whose samples are drawn by number."
        )
        say([said], DataWarning)
    return samples


def _read_mixed(
    estimator: Any, X: Any, columns: MatrixOfColumns | None, reset: bool, min_samples: int
) -> Read:
    """A frame of any columns as a matrix, by what is known of them or is learned here."""
    if sparse.issparse(X):
        raise TypeError(
            "X is a sparse matrix, but the fit saw a frame with text, dates, categories or missing "
            "values. Give a frame of the same columns."
        )
    found = read_columns(X)
    check_columns(estimator, X, len(found), reset=reset)
    if columns is None:
        columns = MatrixOfColumns.learn(found)
        say(about_dates_as_text(found), DataWarning)
    return Read(check_matrix(estimator, columns.apply(found), min_samples), columns)


def _is_wide(estimator: Any, rows: SparseRows) -> bool:
    """Whether a sparse table is narrowed first: it has many columns, and no one asks for them."""
    is_table = estimator.sample_shape is None and narrows_sparse(estimator)
    return is_table and rows.shape[1] > MOST_COLUMNS


class Progress(NamedTuple):
    """Where a training stands that is not at its end.

    Parameters
    ----------
    standing : Standing
        Of the net.
    randomness : dict of str to Tensor or None
        States of the global generators, where a part draws from them.
    """

    standing: Standing
    randomness: dict[str, Tensor] | None


class FittedFeatures(Fitted):
    """The parts that an estimator's parameters asked for, and the net that was trained of them.

    Parameters
    ----------
    parts : Parts
        Settled.
    layout : Layout
        What a sample is.
    scaling : Scaling
        Learned.
    seed : int
        Of first weights and of all that training draws.
    setup : Setup
        How the net trains.
    columns : MatrixOfColumns, Narrowing or None, default=None
        How a mixed frame or a wide sparse table becomes a matrix; None where samples are read as
        they are.
    n_samples : int or None, default=None
        How many samples the settings of the encoder were settled by.

    Attributes
    ----------
    work : float
        Floating-point operations of a step, about.
    start : Progress or None
        Where training stands, of a file that was kept on the way.
    share : float or None
        Part of the variance of the embedding in one direction, after a training.
    kept : dict or None
        What else such a file says.
    """

    start: Progress | None = None
    share: float | None = None
    kept: dict[str, Any] | None = None
    _in_double: tuple[Any, nn.Module] | None = None

    def __init__(
        self,
        parts: Parts,
        layout: Layout,
        scaling: Scaling,
        seed: int,
        setup: Setup,
        columns: Columns | None = None,
        n_samples: int | None = None,
    ):
        self.columns, self.n_samples, self.setup = columns, n_samples, setup
        self.parts, self.layout, self.scaling, self.seed = parts, layout, scaling, seed
        held, self.work = no_larger_than_memory(vars(parts)), math.inf
        with self._first_weights(setup.device), held, self._count_work():
            module, example = assemble(parts, layout.network_shape)
        self.widths = {output: read_output(example, output).shape[1] for output in OUTPUTS}
        self.net = self._make_net(module, setup)

    @contextmanager
    def _count_work(self) -> Iterator[None]:
        """Count the operations of a step by those of a sample, where threads can be chosen."""
        if torch.get_num_threads() == 1:
            yield
            return
        with FlopCounterMode(display=False) as counted:
            yield
        self.work = float(counted.get_total_flops()) * self.parts.n_views * _STEP_ROWS

    def _first_weights(self, device: torch.device) -> AbstractContextManager[None]:
        """Where first weights are drawn from; a network of a user's own may draw from anywhere."""
        seed = stream(self.seed, "weights")
        return private_rng(seed, device) if self._draws_from_torch else own_draws(seed)

    def _make_net(self, module: InfoMax, setup: Setup) -> InfoMaxNet:
        """A net with fresh optimizers and history around a module."""
        if len(self.layout.network_shape) == 3:
            module = module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        match = module.prior
        against = None
        if match is not None and match.adversary is not None:
            against = Adversary(match.adversary, match)
        net = InfoMaxNet(
            module,
            weights=term_weights(self.parts.weights, module.terms),
            adversary=against,
            shuffler=new_generator(stream(self.seed, "batches")),
            optimizer=setup.optimizer,
            **{f"optimizer__{name}": value for name, value in setup.settings.items()},
            lr=setup.lr,
            device=setup.device,
            callbacks=setup.callbacks,
            verbose=setup.verbose,
            train_split=None,
        ).initialize()
        net.module_.generator = new_generator(stream(self.seed, "views"), setup.device)
        return net

    def complete(self, rows: Rows) -> Rows:
        """Rows (n, ...) as the network reads them: filled after the end of series if it must be."""
        parts = self.parts
        unchanged = parts.augmentation is None and parts.occlusion is None
        if parts.encoder.reads_lengths and unchanged:
            return rows
        return filled(rows, self.layout)

    # Training ------------------------------------------------------------------------------

    def prepare(self, rows: Rows) -> Self:
        """Let the parts of the encoder that start from data see some of the rows (n, ...)."""
        rows = self.complete(rows)
        device, seed = self.net.device, self.seed
        fitting = _PREPARE_VALUES // math.prod(self.layout.network_shape)
        most = max(_FEWEST_ROWS, min(_PREPARE_ROWS, fitting))
        chosen = np.random.RandomState(stream(seed, "rows")).permutation(len(rows))[:most]
        # Read in the order of a file, seen in a random one: the first samples stand for all.
        samples = self.scaling.apply(rows, chosen=np.sort(chosen))
        samples = samples[chosen.argsort().argsort()].to(device)
        generator = new_generator(stream(seed, "preparation"), device)
        with self._own_randomness(), self._few_threads(len(samples)):
            prepare(self.net.module_.encoder, samples, self._views(), generator)
            self.net.module_.catch_up()
        return self

    def _views(self) -> Augmentation | None:
        """The augmentation for samples as they are scaled now; the module gets it too."""
        views = self.parts.augmentation
        if views is not None:
            arrays = (torch.from_numpy(array).float() for array in self.scaling.units())
            mean, scale = (array.to(self.net.device) for array in arrays)
            views = self.net.module_.augmentation = views.in_units(mean, scale)
        return views

    def renewed(self, setup: Setup) -> Self:
        """A copy with the same weights and history, and with fresh optimizers and generators.

        What reads this one while the copy trains is not disturbed, and a training that fails
        leaves this one as it was.
        """
        other = copy.copy(self)
        other.setup, other._in_double = setup, None
        other.net = self._make_net(self._copied(self.net.module_), setup)
        other.net.history = History(history_rows(self.net.history))
        return other

    def continued(self, setup: Setup) -> Self:
        """A copy that goes on training as this one would."""
        other = self.renewed(setup)
        _memory.restore(other.net, _memory.remember(self.net))
        return other

    def _copied(self, module: InfoMax) -> InfoMax:
        """A module of its own with the same weights; the generator is left out."""
        try:
            return copy.deepcopy(module, {id(module.generator): None})
        except RuntimeError:  # torch copies no tensors that are results, as some networks keep
            with self._first_weights(self.net.device):
                other, _ = assemble(self.parts, self.layout.network_shape)
            other.load_state_dict(module.state_dict())
            return other

    def having_seen(self, rows: Rows) -> Self:
        """The same net with a scaling that takes account of further rows (n, ...)."""
        other = copy.copy(self)
        other.scaling = copy.deepcopy(self.scaling).update(filled(rows, self.layout))
        return other

    def train(
        self,
        rows: Rows,
        plan: Plan,
        subsets: tuple[np.ndarray | None, np.ndarray | None] = (None, None),
        num_workers: int = 0,
        start: Progress | None = None,
        keep: Callable[[Callable[[], Progress]], None] | None = None,
    ) -> None:
        """Train on some rows (n, ...) and validate on others, as `rows_apart` gives them.

        Parameters
        ----------
        rows : ndarray of shape (n, ...)
            Checked samples.
        plan : Plan
            What to do.
        subsets : tuple of ndarray or None
            Rows to train on (None for all), and to validate on (None for none).
        num_workers : int
            Processes that read ahead.
        start : Progress or None
            Where another training stood that this one takes up.
        keep : callable or None
            Called after each step with what finds out where training stands.

        Raises
        ------
        FloatingPointError
            If terms, weights or features cease to be finite; the last sound weights are kept.
        """
        (train, valid), rows = subsets, self.complete(rows)
        data = self._data(rows, train, num_workers)
        held_out = None if valid is None else self._data(rows, valid, num_workers)
        frozen = self.net.module_.frozen_layer
        self._views()
        after_step = None if keep is None else partial(keep, self.progress)
        try:
            with self._own_randomness(None if start is None else start.randomness):
                work = self.work
                # What is coded beforehand would take from a training's seconds more than steps give
                # back.
                if frozen is not None and plan.max_time is None:
                    with self._few_threads(len(rows)):
                        data = coded(data, frozen)
                        held_out = None if held_out is None else coded(held_out, frozen)
                    work = self._work_on_codes()
                standing = None if start is None else start.standing
                with few_threads(work):
                    self.net.train(data, held_out, plan, standing, after_step)
            self._refuse_ruin(rows)
        finally:
            while self.net.history and _ENDED not in self.net.history[-1]:
                self.net.history.pop()  # an epoch that did not end, whose weights are not kept
            self.net.good_weights_ = {}

    def _few_threads(self, n: int) -> AbstractContextManager[None]:
        """One thread of torch where the network has little to do for n samples."""
        return few_threads(self.work, self.work / _STEP_ROWS * n)

    def _work_on_codes(self) -> float:
        """Floating-point operations of a step of what is learned of codes, about."""
        learned = [p.numel() for p in self.net.module_.parameters() if p.requires_grad]
        return _OPERATIONS * _STEP_ROWS * sum(learned)

    def progress(self) -> Progress:
        """Where training stands after a step."""
        device = self.net.device
        return Progress(self.net.standing(), randomness(device) if self._draws_from_torch else None)

    def _refuse_ruin(self, rows: Rows) -> None:
        """Look at what the last step has made of the network; go back where it is ruined."""
        vectors = self._vectors(rows)
        if bool(vectors.isfinite().all()):
            self.share = largest_share(vectors)
        else:
            self.net.go_back()
            said = self.net.ruin("what the network makes of samples is no longer finite")
            self.net.history.pop()
            raise FloatingPointError(said)

    def findings(self, asked: Asked) -> Iterator[Finding]:
        """What should be said of the training that has just ended."""
        return of_training(self.net, asked, self.share)

    def summary(self, n_features: int, output: str) -> dict[str, str]:
        """What was fitted, in a few words for each."""
        seconds = sum(row.get(_ENDED, 0.0) for row in self.net.history)
        nats = [f"{name} {value:.2f}" for name, value in self.net.reported().items()]
        numbers = "" if self.columns is None else f" of {counted(n_features, 'column')}"
        return {
            "data": f"{self.layout.said}{numbers}",
            "features": f"{self.widths[output]:,} ({output})",
            "epochs": f"{len(self.net.history):,} in {seconds:.3g} seconds",
            "nats in training": ", ".join(nats) or "none yet",
        }

    def _vectors(self, rows: Rows) -> Tensor:
        """What the network makes of some of the rows, (k, d)."""
        block = self.scaling.apply(self.complete(rows[:BLOCK])).to(self.net.device)
        self.net.module_.eval()
        with torch.no_grad():
            return self.net.module_.encoder(block).summary()

    def trained(self, rows: Rows) -> bool:
        """Whether an epoch of this training ended well, and the network is sound after it."""
        return len(self.net.history) > self.net.n_rows_before_ and bool(
            self._vectors(rows).isfinite().all()
        )

    @property
    def _draws_from_torch(self) -> bool:
        """Whether a part may draw from the global generators."""
        parts = (part for part in vars(self.parts).values() if isinstance(part, Part))
        return any(part.draws_from_torch for part in parts)

    def _own_randomness(self, state: Mapping[str, Tensor] | None = None):
        """Global generators of our own, where a part may draw from them."""
        if self._draws_from_torch:
            return private_rng(stream(self.seed, "modules"), self.net.device, state)
        return nullcontext()

    def _data(self, rows: Rows, subset: np.ndarray | None, num_workers: int) -> Data:
        """Rows, or some of them, as batches on the device."""
        return make_data(rows, self.scaling, self.net.device, subset, num_workers)

    # Reading -------------------------------------------------------------------------------

    def features(self, rows: Rows, output: str, out: Any = None) -> Any:
        """Features (n, d) of rows (n, ...), float64 for float64, in `out` if it is given."""
        shape, dtype = (len(rows), self.widths[output]), type_of_features(rows)
        if out is None:
            out = np.empty(shape, dtype)
        else:
            check_sink(out, shape[1], dtype, len(rows))
        return filled_with(self.blocks(rows, output), out)

    def blocks(self, rows: Rows, output: str) -> Iterator[np.ndarray]:
        """Features (k, d) of rows (n, ...), in batches of constant memory."""
        rows = self.complete(rows)
        dtype = type_of_features(rows)
        encoder = self._encoder_in(dtype)
        values = max(math.prod(self.layout.network_shape), self.widths[output])
        step = min(_TRANSFORM_ROWS, max(1, _TRANSFORM_VALUES // values))
        for start in range(0, len(rows), step):
            batch = self.scaling.apply(rows[start : start + step], dtype)
            with torch.inference_mode(), self._few_threads(min(step, len(rows))):
                found = read_output(encoder(batch.to(self.net.device)), output).cpu()
            self.scaling.refuse_result(rows, start, found)
            yield found.numpy()

    def _encoder_in(self, dtype: np.dtype) -> nn.Module:
        """The encoder for samples of a type; the one in float64 is made once and kept."""
        encoder = self.net.module_.encoder.eval()
        if dtype != np.float64:
            return encoder
        state = [*encoder.parameters(), *encoder.buffers()]
        weights = tuple((t.data_ptr(), 0 if t.is_inference() else t._version) for t in state)
        if self._in_double is None or self._in_double[0] != weights:
            self._in_double = weights, copy.deepcopy(encoder).double()
        double = self._in_double[1]
        if sum(t.numel() for t in state) > _MOST_KEPT:
            self._in_double = None
        return double

    def encoder(self) -> nn.Module:
        """A copy of the trained encoder, in evaluation mode on the CPU."""
        return self._copied(self.net.module_).encoder.cpu().eval()

    def nats(self, rows: Rows, num_workers: int = 0) -> float:
        """Weighted mean of the information terms in nats, on fixed blocks and fixed views."""
        self._views()
        with self._own_randomness(), self._few_threads(len(rows)):
            nats = self.net.nats(self._data(self.complete(rows), None, num_workers))
        weights = self.net.weights
        found = sum(weights[k] * v for k, v in nats.items()) / sum(weights[k] for k in nats)
        if not math.isfinite(found):
            self.features(rows, "embedding")  # refuses rows that are too far from those of the fit
            raise ValueError(
                f"The information of X is {found}: its rows lie so far from those of fit that the "
                "critic's scores are not finite. Bring X to the scale of fit's."
            )
        return found

    def local_nats(self, rows: Rows) -> np.ndarray:
        """What each location says of its sample, (n, *places) in nats, among blocks of samples."""
        rows, module, found = self.complete(rows), self.net.module_.eval(), []
        with torch.inference_mode():
            for block in np.array_split(np.arange(len(rows)), -(-len(rows) // BLOCK)):
                batch = self.scaling.apply(rows[block]).to(self.net.device)
                found.append(module.local_nats(batch).cpu().numpy())
        return np.concatenate(found)

    # Memory --------------------------------------------------------------------------------

    def remember(
        self,
        training: bool = True,
        progress: Progress | None = None,
        kept: Mapping[str, Any] | None = None,
    ) -> Memory:
        """Weights and scaling as arrays; parts, layout, history and seed as plain values.

        Parameters
        ----------
        training : bool
            Whether to remember what training goes on from.
        progress : Progress or None
            Where a training stands that is not at its end.
        kept : dict or None
            What else is to be known of such a training.
        """
        arrays = {f"net.{name}": array for name, array in arrays_of(self.net.module_).items()}
        arrays |= {f"scaling.{name}": array for name, array in self.scaling.arrays().items()}
        if self.columns is not None:
            arrays |= {f"columns.{name}": a for name, a in self.columns.arrays().items()}
        facts = {
            "parts": {field.name: getattr(self.parts, field.name) for field in fields(Parts)},
            "layout": (self.layout.kind, self.layout.shape, self.layout.channel_axis),
            "history": [row for row in history_rows(self.net.history) if _ENDED in row],
            "seed": self.seed,
            "setup": self.setup.asked,
            "count": self.scaling.count,
            "n_samples": self.n_samples,
            "columns": None if self.columns is None else self.columns.plain(),
        }
        if training:
            standing = _memory.remember(self.net)
            facts["training"] = standing.facts
            arrays |= torch_arrays(standing.tensors, "training.")
        if progress is not None:
            facts["progress"] = progress.standing.facts
            facts["kept"] = dict(kept or {})
            arrays |= torch_arrays(progress.standing.tensors, "progress.")
            arrays |= torch_arrays(progress.randomness or {}, "random.")
        return Memory(arrays, facts)

    @classmethod
    def recall(cls, memory: Memory, estimator: Any) -> Self:
        """The same again, on the estimator's device or, where there is none, on the CPU."""
        arrays, facts = dict(memory.arrays), memory.facts
        known = fact(facts, "parts", dict)
        n_samples = fact({"n_samples": None} | dict(facts), "n_samples", int, type(None))
        layout, seed = Layout.from_plain(facts.get("layout")), fact(facts, "seed", int)
        parts = recall_parts(known, estimator, layout, n_samples)
        layout = seen_by(parts.encoder, layout)
        columns = _columns_of(facts, layout, arrays_under(arrays, "columns."))
        if not isinstance(columns, Narrowing):
            n_features = layout.n_features if columns is None else len(columns.parts)
            require(n_features == estimator.n_features_in_, "its layout has other features")
        scaling = Scaling(layout, parts.encoder.normalize)
        scaling.count = fact(facts, "count", int)
        for name in Scaling.ARRAYS:
            scaling.set(name, arrays.pop(f"scaling.{name}", None))
        setup = recall_setup(facts.get("setup"), estimator)
        fitted = cls(parts, layout, scaling, seed, setup, columns, n_samples)
        standing = {name: tensors_of(arrays, f"{name}.") for name in _OF_TRAINING}
        weights = {
            name.removeprefix("net."): array
            for name, array in arrays.items()
            if name.partition(".")[0] not in (*_OF_TRAINING, "columns")
        }
        load_arrays(fitted.net.module_, weights)
        fitted.net.module_.eval()
        fitted.net.history = History(_checked_history(facts))
        if facts.get("training") is not None:
            known = fact(facts, "training", dict)
            _memory.restore(fitted.net, Standing(standing["training"], known))
        if facts.get("progress") is not None:
            progress = Standing(standing["progress"], fact(facts, "progress", dict))
            fitted.start = Progress(progress, standing["random"] or None)
            fitted.kept = fact(facts, "kept", dict)
        return fitted


def _checked_history(facts: Mapping[str, Any]) -> list[dict[str, Any]]:
    rows = fact(facts, "history", list)
    require(all(type(row) is dict for row in rows), "its history is no list of epochs")
    return rows


def _columns_of(
    facts: Mapping[str, Any], layout: Layout, arrays: Mapping[str, np.ndarray]
) -> Columns | None:
    """How samples become a matrix, from plain values; files from before frames say nothing."""
    plain = facts.get("columns")
    if plain is None:
        return None
    columns: Columns
    if isinstance(plain, Mapping):
        columns = Narrowing.from_plain(plain, arrays)
    else:
        columns = MatrixOfColumns.from_plain(plain)
    if len(columns.names) != layout.n_features:
        raise ValueError(
            f"The file is damaged: its columns make {len(columns.names)} values of a sample, and "
            f"its layout has {layout.n_features}."
        )
    return columns

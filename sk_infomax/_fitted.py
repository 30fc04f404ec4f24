"""What a fit of features gives, as one object: it trains, transforms, scores and is remembered."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import fields
from typing import Any, Self

import numpy as np
import torch
from skorch.history import History
from torch import Tensor

from ._checks import check_columns, check_matrix, check_rows
from ._columns._numbers import MatrixOfColumns
from ._columns._reading import is_mixed, read_columns
from ._layout import Layout
from ._objectives import InfoMax, Parts, assemble
from ._parts import Part
from ._random import new_generator, private_rng, stream
from ._scaling import Scaling
from ._settings import Setup, recall_parts, recall_setup
from ._state import Fitted, Memory, arrays_of, fact, history_rows, load_arrays, require
from ._training._batches import Data, coded, make_data
from ._training._net import BLOCK, Adversary, InfoMaxNet
from ._training._schedule import Plan
from .encoders import Encoding
from .encoders._base import prepare

__all__ = ["OUTPUTS", "FittedFeatures", "read_output", "read_rows"]

OUTPUTS = ("embedding", "multiscale", "hidden", "feature_map")
_TRANSFORM_VALUES = 2**19  # input values in a batch of transform: 2 MB, what a core's cache holds
_PREPARE_ROWS = 4096  # samples that a dictionary sees; twice as many gave no better one (rule)
_PREPARE_VALUES = 2**27  # input values of them at most: 512 MB in float32 (rule of thumb)
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


def read_rows(
    estimator: Any, X: Any, known: FittedFeatures | None, min_samples: int = 1
) -> tuple[np.ndarray, MatrixOfColumns | None]:
    """Checked samples, a mixed frame as a matrix, and how its columns became one.

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
    rows : ndarray of shape (n, ...)
        float64, float32 or uint8.
    columns : MatrixOfColumns or None
        None where X is read as it is: arrays, and frames of complete numbers and flags.
    """
    reset, columns = known is None, known.columns if known else None
    if columns is None and not (reset and is_mixed(X)):
        return check_rows(estimator, X, reset=reset, min_samples=min_samples), None
    found = read_columns(X)
    check_columns(estimator, X, len(found), reset=reset)
    if columns is None:
        columns = MatrixOfColumns.learn(found)
    return check_matrix(estimator, columns.apply(found), min_samples), columns


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
    columns : MatrixOfColumns or None, default=None
        How the columns of a mixed frame become numbers; None where samples are numbers.
    """

    def __init__(
        self,
        parts: Parts,
        layout: Layout,
        scaling: Scaling,
        seed: int,
        setup: Setup,
        columns: MatrixOfColumns | None = None,
    ):
        self.columns, self.setup = columns, setup
        self.parts, self.layout, self.scaling, self.seed = parts, layout, scaling, seed
        with private_rng(stream(seed, "weights"), setup.device):
            module, example = assemble(parts, layout.network_shape)
        self.widths = {output: read_output(example, output).shape[1] for output in OUTPUTS}
        self.net = self._make_net(module, setup)

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
            weights=self.parts.weights,
            adversary=against,
            shuffler=new_generator(stream(self.seed, "batches")),
            optimizer=setup.optimizer,
            **{f"optimizer__{name}": value for name, value in setup.settings.items()},
            lr=setup.lr,
            device=setup.device,
            callbacks=setup.callbacks,
            verbose=0,
            train_split=None,
        ).initialize()
        net.module_.generator = new_generator(stream(self.seed, "views"), setup.device)
        return net

    # Training ------------------------------------------------------------------------------

    def prepare(self, rows: np.ndarray) -> Self:
        """Let the parts of the encoder that start from data see some of the rows (n, ...)."""
        device, seed = self.net.device, self.seed
        most = max(_FEWEST_ROWS, min(_PREPARE_ROWS, _PREPARE_VALUES // self.layout.n_features))
        chosen = np.random.RandomState(stream(seed, "rows")).permutation(len(rows))[:most]
        # Read in the order of a file, seen in a random one: the first samples stand for all.
        samples = self.scaling.apply(rows[np.sort(chosen)])[chosen.argsort().argsort()].to(device)
        generator = new_generator(stream(seed, "preparation"), device)
        with self._own_randomness():
            prepare(self.net.module_.encoder, samples, self.parts.augmentation, generator)
        return self

    def renewed(self, setup: Setup) -> Self:
        """The same module and history in a net with fresh optimizers."""
        other = copy.copy(self)
        other.setup = setup
        other.net = self._make_net(self.net.module_, setup)
        other.net.history = self.net.history
        return other

    def having_seen(self, rows: np.ndarray) -> Self:
        """The same net with a scaling that takes account of further rows (n, ...)."""
        other = copy.copy(self)
        other.scaling = copy.deepcopy(self.scaling).update(rows)
        return other

    def train(self, rows: np.ndarray, plan: Plan, subsets=(None, None), num_workers: int = 0):
        """Train on some rows (n, ...) and validate on others, as `rows_apart` gives them."""
        train, valid = subsets
        data = self._data(rows, train, num_workers)
        held_out = None if valid is None else self._data(rows, valid, num_workers)
        frozen = self.net.module_.frozen_layer
        # What is coded beforehand would take from a training's seconds more than steps give back.
        if frozen is not None and plan.max_time is None:
            data = coded(data, frozen)
            held_out = None if held_out is None else coded(held_out, frozen)
        with self._own_randomness():
            self.net.train(data, held_out, plan)

    def trained(self) -> bool:
        """Whether there was an epoch that ended well."""
        return any("train_loss" in row for row in self.net.history)

    def _own_randomness(self):
        """Global generators of our own, where a part may draw from them."""
        parts = (part for part in vars(self.parts).values() if isinstance(part, Part))
        if any(part.draws_from_torch for part in parts):
            return private_rng(stream(self.seed, "modules"), self.net.device)
        return nullcontext()

    def _data(self, rows: np.ndarray, subset: np.ndarray | None, num_workers: int) -> Data:
        """Rows, or some of them, as batches on the device."""
        return make_data(rows, self.scaling, self.net.device, subset, num_workers)

    # Reading -------------------------------------------------------------------------------

    def features(self, rows: np.ndarray, output: str) -> np.ndarray:
        """Features (n, d) of rows (n, ...), float64 for float64, in batches of constant memory."""
        dtype = np.dtype(np.float64 if rows.dtype == np.float64 else np.float32)
        encoder = self.net.module_.encoder.eval()
        if dtype == np.float64:
            encoder = copy.deepcopy(encoder).double()
        out = np.empty((len(rows), self.widths[output]), dtype)
        step = max(1, _TRANSFORM_VALUES // self.layout.n_features)
        with torch.inference_mode():
            for start in range(0, len(rows), step):
                batch = self.scaling.apply(rows[start : start + step], dtype)
                encoding = encoder(batch.to(self.net.device))
                out[start : start + step] = read_output(encoding, output).cpu().numpy()
        return out

    def nats(self, rows: np.ndarray, num_workers: int = 0) -> float:
        """Weighted mean of the information terms in nats, on fixed blocks and fixed views."""
        nats = self.net.nats(self._data(rows, None, num_workers))
        weights = self.parts.weights
        return sum(weights[k] * v for k, v in nats.items()) / sum(weights[k] for k in nats)

    def local_nats(self, rows: np.ndarray) -> np.ndarray:
        """What each location says of its sample, (n, *places) in nats, among blocks of samples."""
        module, found = self.net.module_.eval(), []
        with torch.inference_mode():
            for block in np.array_split(rows, -(-len(rows) // BLOCK)):
                batch = self.scaling.apply(block).to(self.net.device)
                found.append(module.local_nats(batch).cpu().numpy())
        return np.concatenate(found)

    # Memory --------------------------------------------------------------------------------

    def remember(self) -> Memory:
        """Weights and scaling as arrays; parts, layout, history and seed as plain values."""
        arrays = {f"net.{name}": array for name, array in arrays_of(self.net.module_).items()}
        arrays |= {f"scaling.{name}": array for name, array in self.scaling.arrays().items()}
        facts = {
            "parts": {field.name: getattr(self.parts, field.name) for field in fields(Parts)},
            "layout": (self.layout.kind, self.layout.shape, self.layout.channel_axis),
            "history": history_rows(self.net.history),
            "seed": self.seed,
            "setup": self.setup.asked,
            "count": self.scaling.count,
            "columns": None if self.columns is None else self.columns.plain(),
        }
        return Memory(arrays, facts)

    @classmethod
    def recall(cls, memory: Memory, estimator: Any) -> Self:
        """The same again, on the estimator's device or, where there is none, on the CPU."""
        arrays, facts = dict(memory.arrays), memory.facts
        layout = Layout.from_plain(facts.get("layout"))
        columns = _columns_of(facts, layout)
        n_features = layout.n_features if columns is None else len(columns.parts)
        require(n_features == estimator.n_features_in_, "its layout has other features")
        scaling = Scaling(layout)
        scaling.count = fact(facts, "count", int)
        for name in Scaling.ARRAYS:
            scaling.set(name, arrays.pop(f"scaling.{name}", None))
        parts, seed = recall_parts(fact(facts, "parts", dict), estimator), fact(facts, "seed", int)
        setup = recall_setup(facts.get("setup"), estimator)
        fitted = cls(parts, layout, scaling, seed, setup, columns)
        weights = {name.removeprefix("net."): array for name, array in arrays.items()}
        load_arrays(fitted.net.module_, weights)
        fitted.net.module_.eval()
        fitted.net.history = History(_checked_history(facts))
        return fitted


def _checked_history(facts: Mapping[str, Any]) -> list[dict[str, Any]]:
    rows = fact(facts, "history", list)
    require(all(type(row) is dict for row in rows), "its history is no list of epochs")
    return rows


def _columns_of(facts: Mapping[str, Any], layout: Layout) -> MatrixOfColumns | None:
    """How columns become numbers, from plain values; files from before frames say nothing."""
    plain = facts.get("columns")
    if plain is None:
        return None
    columns = MatrixOfColumns.from_plain(plain)
    if len(columns.names) != layout.n_features:
        raise ValueError(
            f"The file is damaged: its columns make {len(columns.names)} values of a sample, and "
            f"its layout has {layout.n_features}."
        )
    return columns

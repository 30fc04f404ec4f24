"""The skorch net that trains a module of named terms.

The module's `forward` gives the terms of a batch by name, each a scalar to maximise, and under
names that end in `REPORTED` what is only reported; its `nats` what is reported of held-out data.
Here the objective is negated, once. The net leaves out what stock skorch does for each batch
(collation of single samples, a synchronisation of the device, records in the history): sums of the
terms stay on the device and are read once an epoch.
"""

import math
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple

import torch
from skorch import NeuralNet
from skorch.callbacks import EpochTimer
from skorch.exceptions import SkorchException
from skorch.history import History
from skorch.utils import TeeGenerator
from torch import Tensor, nn

from .._state import fact, require
from ._batches import Data, n_samples
from ._callbacks import HeldOutStopping, sets_rate
from ._memory import Standing, tensors_under
from ._schedule import Clock, MovingAverage, Plan, cosine_factor

__all__ = ["BLOCK", "REPORTED", "Adversary", "InfoMaxNet", "WeightedSum"]

BLOCK = 256  # rows; log 256 = 5.5 nats is the most that InfoNCE reports of them
"""Rows in a block on which bounds are read out, whatever the size of batches is."""

REPORTED = "_nats"
"""What the name of a value ends in that goes to the history and is not trained."""

_NOT_WEIGHTS = ("f_criterion", "f_pickle")  # files of skorch's that a net takes nothing from

_CHECK_EVERY = 128  # steps between two looks at whether terms are finite: each waits for the device


class Adversary(NamedTuple):
    """A part of the module that has an optimizer and a term of its own.

    Parameters
    ----------
    term : str
        Name of the term that its parameters maximise, whatever the others do.
    module : torch.nn.Module
        Holds these parameters.
    """

    term: str
    module: nn.Module


class WeightedSum:
    """The loss: minus the weighted sum of the terms, less the adversary's own.

    Parameters
    ----------
    weights : dict of str to float
        Weight of each term.
    """

    def __init__(self, weights: dict[str, float]):
        self.weights = weights

    def __call__(self, terms: dict[str, Tensor]) -> Tensor:
        """Loss to minimise, a scalar."""
        weighted = [self.weights[name] * terms[name] for name in self.weights if name in terms]
        return -torch.stack(weighted).sum() if len(weighted) > 1 else -weighted[0]


class _StopTraining(Exception):  # noqa: N818
    """A callback has asked for the end of training; not the user's own Ctrl-C."""


class InfoMaxNet(NeuralNet):
    """Trains a module of named terms on `Data`.

    Parameters
    ----------
    module : torch.nn.Module
        Built and with a generator.
    weights : dict of str to float
        Weight of each term.
    adversary : Adversary or None
        The part of the module that works against the rest.
    shuffler : torch.Generator
        Orders the batches.
    **kwargs
        Of `skorch.NeuralNet`.

    Attributes
    ----------
    plan_ : Plan
        Of the last training.
    """

    def __init__(self, module, *, weights, adversary=None, shuffler=None, **kwargs):
        self.weights = weights
        self.adversary = adversary
        self.shuffler = shuffler
        super().__init__(module, criterion=WeightedSum, **kwargs)

    # What skorch asks for ------------------------------------------------------------------

    @property
    def _default_callbacks(self):
        return [("epoch_timer", EpochTimer())]

    def initialize_criterion(self):
        """The loss, a plain callable."""
        self.criterion_ = WeightedSum(self.weights)
        return self

    def initialize_optimizer(self, *args, **kwargs):
        """One optimizer for encoder and critics, one for the adversary if there is any."""
        against = [] if self.adversary is None else list(self.adversary.module.parameters())
        apart = {id(parameter) for parameter in against}
        rest = [p for p in self.module_.parameters() if id(p) not in apart and p.requires_grad]
        settings = self.get_params_for("optimizer")
        self.optimizer_ = self.optimizer(rest, lr=self.lr, **settings)
        if against:
            self.optimizer_adversary_ = self.optimizer(against, lr=self.lr, **settings)
        return self

    def save_params(self, *args, f_criterion=None, **kwargs):
        """Write weights, optimizers or history; the loss has none, so its file is left out."""
        super().save_params(*args, **kwargs)

    def load_params(self, *args, f_criterion=None, checkpoint=None, **kwargs):
        """Read what a checkpoint, or `save_params`, has written; the loss has none."""
        files: dict[str, Any] = {}
        if checkpoint is not None:
            if checkpoint.f_history is not None:  # the names of the others may depend on it
                self.history = History.from_file(checkpoint.f_history_)
            found = checkpoint.get_formatted_files(self).items()
            files = {name: file for name, file in found if file and name not in _NOT_WEIGHTS}
        super().load_params(*args, **(files | kwargs))

    def get_split_datasets(self, X, y=None, **fit_params):
        """The pair (training data, validation data or None) as it was handed over."""
        return X

    def get_iterator(self, dataset: Data, training: bool = False):
        """Shuffled batches to train on, fixed blocks to validate on."""
        if training:
            return dataset.batches(self.plan_.batch_size, self.shuffler)
        return dataset.batches(BLOCK)

    def infer(self, x, **fit_params):
        """Terms of a batch."""
        return self.module_(x)

    def get_loss(self, y_pred, y_true, X=None, training=False):
        """Minus the weighted sum of the terms."""
        return self.criterion_(y_pred)

    def validation_step(self, batch, **fit_params):
        """Terms and loss of a block, without gradients."""
        with torch.no_grad():
            terms = self.infer(batch)
            return {"loss": self.get_loss(terms, None), "y_pred": terms}

    def train_step(self, batch, **fit_params):
        """One step of every optimizer on one batch."""
        if self.plan_.lr_schedule == "cosine":
            self._set_rate(cosine_factor(self.clock_.progress(), 1 / self.clock_.total))
        for name in self._optimizers:
            getattr(self, name + "_").zero_grad(set_to_none=True)
        terms = self.infer(batch)
        loss = self.get_loss(terms, None, X=batch, training=True)
        # The adversary's term shares no gradient with the others: one pass serves both.
        (loss if self.adversary is None else loss - terms[self.adversary.term]).backward()
        self.notify(
            "on_grad_computed",
            named_parameters=TeeGenerator(self.get_all_learnable_params()),
            batch=(batch, None),
            training=True,
        )
        for name in self._optimizers:
            getattr(self, name + "_").step()
        if self.average_ is not None:
            self.average_.update()
        return {"loss": loss, "y_pred": terms}

    def run_single_epoch(self, iterator, training, prefix, step_fn, **fit_params):
        """One pass; the means of loss and terms go to the history at its end."""
        if iterator is None or (not training and len(self.history) % self.plan_.valid_every):
            return
        self._set_training(training)
        if self.average_ is not None:
            self.average_.show(not training)
        means = self._begin_pass(iterator) if training else _RunningMeans()
        for batch in iterator:
            pair = batch, None  # callbacks expect samples and targets
            self.notify("on_batch_begin", batch=pair, training=training)
            step, size = step_fn(batch), n_samples(batch)
            means.add({"loss": step["loss"]} | step["y_pred"], size)
            self.history.record_batch(f"{prefix}_batch_size", size)
            self.notify("on_batch_end", batch=pair, training=training, **step)
            if training and self._tick(means):
                break
        self._refuse_nan(means)
        if training:
            self._refuse_ruin()
        self._record(prefix, means.read(), self.n_batches_ if training else len(iterator))

    def _record(self, prefix: str, values: dict[str, float], n_batches: int) -> None:
        """Write the means of a pass to the history, by the names that skorch's callbacks know."""
        for name, value in values.items():
            self.history.record(f"{prefix}_{name}", value)
        before = (row[f"{prefix}_loss"] for row in self.history[:-1] if f"{prefix}_loss" in row)
        self.history.record(f"{prefix}_loss_best", values["loss"] < min(before, default=math.inf))
        self.history.record(f"{prefix}_batch_count", n_batches)

    def notify(self, method_name, **cb_kwargs):
        """Call the callbacks; training ends if one raises KeyboardInterrupt or time is up."""
        try:
            super().notify(method_name, **cb_kwargs)
        except KeyboardInterrupt as interrupt:
            raise _StopTraining from interrupt
        except (KeyError, ValueError, SkorchException) as error:
            if self.held_out_ or "valid_" not in str(error):
                raise
            raise ValueError(
                f"A callback failed, as nothing is held out: {error} Set early_stopping=True, "
                "which holds out validation_fraction of the samples, or let it watch train_loss."
            ) from error
        if method_name == "on_epoch_begin":
            self._keep_weights()
        if method_name == "on_epoch_end" and self.clock_.is_up():
            raise _StopTraining

    # Training ------------------------------------------------------------------------------

    def train(
        self,
        data: Data,
        valid: Data | None,
        plan: Plan,
        start: Standing | None = None,
        after_step: Callable[[], None] | None = None,
    ) -> "InfoMaxNet":
        """Train as planned, or until a callback or the time ends it.

        Parameters
        ----------
        data, valid : Data
            To train on, and to validate on or None.
        plan : Plan
            What to do.
        start : Standing or None
            What `standing` gave in the midst of another training by the same plan, which this one
            takes up; None begins.
        after_step : callable or None
            Called after each step.

        Raises
        ------
        FloatingPointError
            If a term or a weight is no longer finite; the module is left as it was after the last
            epoch that was sound, and so it is by Ctrl-C.
        """
        self.plan_, self.after_step_ = plan, after_step
        self.taken_up_: tuple[Tensor | None, int, _RunningMeans] | None = None
        self.n_rows_before_, self.held_out_ = len(self.history), valid is not None
        steps = plan.epochs * len(self.get_iterator(data, training=True))
        self.clock_ = Clock(steps, plan.max_time)
        self.average_ = None if plan.average is None else MovingAverage(self.module_, plan.average)
        self._set_rate(1.0)
        if any(sets_rate(one) for _, one in self.callbacks_):
            for group in self.optimizer_.param_groups:
                group.setdefault("initial_lr", self.lr)  # of which a schedule takes a share
        self._keep_weights()
        self.notify("on_train_begin", X=data, y=None)
        self.n_rows_before_ = len(self.history)  # a callback may have loaded some
        if start is not None:
            self._take_up(start)
        try:
            done = len(self.history) - self.n_rows_before_
            self.fit_loop((data, valid), epochs=plan.epochs - done)
        except _StopTraining:
            pass
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                self.go_back()
            with suppress(Exception):  # what went wrong first is what is told
                self._end(data)
            raise
        self._end(data)
        return self

    def _end(self, data: Data) -> None:
        """Tell callbacks that training is over; show the weights to read with."""
        try:
            if self.average_ is not None:
                self.average_.show(True)
            self.notify("on_train_end", X=data, y=None)
        finally:
            self.module_.eval()

    @property
    def generators(self) -> dict[str, torch.Generator]:
        """Where training draws from, by name."""
        found = {"batches": self.shuffler, "views": self.module_.generator}
        return {name: one for name, one in found.items() if one is not None}

    def standing(self) -> Standing:
        """Where a training stands after a step, beside weights and what `_memory` remembers."""
        tensors = {f"good.{name}": tensor for name, tensor in self.good_weights_.items()}
        tensors |= {f"sum.{name}": tensor for name, tensor in self.means_.sums.items()}
        if self.order_ is not None:
            tensors["order"] = self.order_
        facts: dict[str, Any] = {
            "epochs": len(self.history) - 1 - self.n_rows_before_,
            "batches": self.n_batches_,
            "samples": self.means_.count,
            "sums": list(self.means_.sums),
            "steps": self.clock_.steps,
            "seconds": self.clock_.elapsed(),
            "stopping": None,
        }
        for one in self._stopping():
            found = one.standing()
            tensors |= {f"stopping.{name}": tensor for name, tensor in found.tensors.items()}
            facts["stopping"] = found.facts
        return Standing(tensors, facts)

    def _take_up(self, start: Standing) -> None:
        """Stand where another training stood; its next step is the next here."""
        tensors, facts = start
        names = ("epochs", "batches", "samples", "steps")
        epochs, batches, samples, steps = (fact(facts, name, int) for name in names)
        at_work = 0 <= epochs < self.plan_.epochs and epochs <= len(self.history) and batches >= 0
        require(at_work, "it stands outside of its training")
        self.n_rows_before_ = len(self.history) - epochs
        self.clock_.set_back(steps, fact(facts, "seconds", float))
        self.good_weights_ = tensors_under(tensors, "good.")
        means = _RunningMeans()
        means.count = samples
        sums = tensors_under(tensors, "sum.")
        means.sums = {n: sums[n].to(self.device) for n in fact(facts, "sums", list) if n in sums}
        self.taken_up_ = tensors.get("order"), batches, means
        for one in self._stopping():
            best = tensors_under(tensors, "stopping.")
            one.stand(Standing(best, fact(facts, "stopping", dict)))

    def _stopping(self) -> list[HeldOutStopping]:
        return [one for _, one in self.callbacks_ if isinstance(one, HeldOutStopping)]

    def _begin_pass(self, batches: Any) -> "_RunningMeans":
        """Where a pass of training begins: at its start, or where another one stood."""
        if self.taken_up_ is None:
            batches.skip, self.n_batches_, self.means_ = 0, 0, _RunningMeans()
            self.order_ = None if self.shuffler is None else self.shuffler.get_state()
        else:
            self.order_, self.n_batches_, self.means_ = self.taken_up_
            batches.skip, self.taken_up_ = self.n_batches_, None
            if self.shuffler is not None and self.order_ is not None:
                self.shuffler.set_state(self.order_)
        return self.means_

    def reported(self) -> dict[str, float]:
        """What the last epoch has reported of training, by the name of the term."""
        row = self.history[-1] if self.history else {}
        start, end = len("train_"), -len(REPORTED)
        names = [k for k in row if k.startswith("train_") and k.endswith(REPORTED)]
        return {name[start:end]: row[name] for name in names}

    def held_out_loss(self, data: Data) -> float:
        """Mean loss over fixed blocks of the data, the module in evaluation mode."""
        means = _RunningMeans()
        self.module_.eval()
        for block in self.get_iterator(data):
            means.add({"loss": self.validation_step(block)["loss"]}, n_samples(block))
        return means.read()["loss"]

    def nats(self, data: Data) -> dict[str, float]:
        """Mean of each information term in nats over fixed blocks of the data."""
        means = _RunningMeans()
        self.module_.eval()
        with torch.no_grad():
            for block in self.get_iterator(data):
                means.add(self.module_.nats(block), len(block))
        return means.read()

    def _set_rate(self, factor: float) -> None:
        for name in self._optimizers:
            for group in getattr(self, name + "_").param_groups:
                if torch.is_tensor(group["lr"]):  # recorded steps read it where it is
                    group["lr"].fill_(self.lr * factor)
                else:
                    group["lr"] = self.lr * factor

    def _tick(self, means: "_RunningMeans") -> bool:
        """Count a step of training, look at the terms now and then; whether the time is up."""
        self.clock_.steps += 1
        self.n_batches_ += 1
        if self.n_batches_ % _CHECK_EVERY == 0:
            self._refuse_nan(means)
        if self.after_step_ is not None:
            self.after_step_()
        return self.clock_.is_up()

    def _keep_weights(self) -> None:
        if self.taken_up_ is None:
            self.good_weights_ = {k: v.clone() for k, v in self.module_.state_dict().items()}

    def go_back(self) -> None:
        """To the weights from before the epoch that training is in, or was in last."""
        self.module_.load_state_dict(self.good_weights_)
        self.average_ = None

    def _refuse_ruin(self) -> None:
        """Stop at weights that a step has made infinite, and go back."""
        trained = [p.detach() for p in self.module_.parameters() if p.requires_grad]
        largest = torch.stack(torch._foreach_norm(trained, math.inf))
        if not largest.isfinite().all():
            self.go_back()
            raise FloatingPointError(self.ruin("weights are no longer finite"))

    def ruin(self, what: str) -> str:
        """What an error says when a training went wrong."""
        return (
            f"In epoch {len(self.history)}, {what}; those of the epoch before it are kept. Lower "
            f"lr (now {self.lr}), or choose a bounded critic such as critic='dot'."
        )

    def _refuse_nan(self, means: "_RunningMeans") -> None:
        """Stop at a term that is not finite, and go back to the weights kept."""
        values = means.read().items()
        bad = [k for k, v in values if not (math.isfinite(v) or k.endswith(REPORTED))]
        if not bad:
            return
        terms = [name for name in bad if name != "loss"] or bad
        self.go_back()
        raise FloatingPointError(
            f"The {' and '.join(terms)} term became {means.read()[terms[0]]} in epoch "
            f"{len(self.history)}; the weights of the epoch before it are kept. Lower lr "
            f"(now {self.lr}), or choose a bounded critic such as critic='dot'."
        )


class _RunningMeans:
    """Means over an epoch that stay on the device until they are read."""

    def __init__(self):
        self.sums: dict[str, Tensor] = {}
        self.count = 0

    def add(self, values: dict[str, Tensor], weight: int) -> None:
        self.count += weight
        for name, value in values.items():
            if name in self.sums:
                self.sums[name].add_(value.detach(), alpha=weight)
            else:
                self.sums[name] = weight * value.detach()

    def read(self) -> dict[str, float]:
        """All means, in one transfer."""
        values = torch.stack(list(self.sums.values())) / self.count
        return dict(zip(self.sums, values.tolist()))

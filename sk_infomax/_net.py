"""The skorch net that trains an `InfoMax` module, and its progress bar.

Here the objective is negated, once. The net leaves out what stock skorch does for each batch
(collation of single samples, a synchronisation of the device, records in the history): sums of
the terms stay on the device and are read once an epoch.
"""

import copy
import math
import time

import torch
from skorch import NeuralNet
from skorch.callbacks import Callback, EarlyStopping, EpochTimer
from skorch.utils import TeeGenerator
from torch import Tensor

from ._batches import Data
from .objectives import DISCRIMINATOR

__all__ = [
    "BLOCK",
    "HeldOutStopping",
    "InfoMaxNet",
    "MovingAverage",
    "ProgressBar",
    "WeightedSum",
    "mean_over_blocks",
]

BLOCK = 256
"""Rows in a block on which bounds are read out, whatever `batch_size` is."""

_CHECK_EVERY = 128
_WARM_UP = 0.05


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
    """Trains an `InfoMax` module on `Data`.

    Parameters
    ----------
    module : InfoMax
        Built and with a generator.
    weights : dict of str to float
        Weight of each term.
    shuffler : torch.Generator
        Orders the batches.
    lr_schedule : {"cosine", "constant"}
        Cosine has a warm-up of 5 %.
    max_time : float or None
        Seconds after which training ends; the schedule ends with it.
    average : float or None
        Decay of the moving average of weights that validation sees and that is kept at the
        end; None for the weights themselves.
    valid_every : int
        Validation follows each so many epochs.
    **kwargs
        Of `skorch.NeuralNet`.
    """

    def __init__(
        self,
        module,
        *,
        weights,
        shuffler=None,
        lr_schedule="constant",
        max_time=None,
        average=None,
        valid_every=1,
        **kwargs,
    ):
        self.weights = weights
        self.shuffler = shuffler
        self.lr_schedule = lr_schedule
        self.max_time = max_time
        self.average = average
        self.valid_every = valid_every
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
        adversary = [] if self.module_.prior is None else list(self.module_.prior.parameters())
        apart = {id(parameter) for parameter in adversary}
        rest = [p for p in self.module_.parameters() if id(p) not in apart and p.requires_grad]
        settings = self.get_params_for("optimizer")
        self.optimizer_ = self.optimizer(rest, lr=self.lr, **settings)
        if adversary:
            self.optimizer_prior_ = self.optimizer(adversary, lr=self.lr, **settings)
        return self

    def get_split_datasets(self, X, y=None, **fit_params):
        """The pair (training data, validation data or None) as it was handed over."""
        return X

    def get_iterator(self, dataset: Data, training: bool = False):
        """Shuffled batches to train on, fixed blocks to validate on."""
        if training:
            return dataset.batches(self.batch_size, self.shuffler)
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
        self._set_rate()
        for name in self._optimizers:
            getattr(self, name + "_").zero_grad(set_to_none=True)
        terms = self.infer(batch)
        loss = self.get_loss(terms, None, X=batch, training=True)
        # The adversary's term shares no gradient with the others: one pass serves both.
        (loss - terms[DISCRIMINATOR] if DISCRIMINATOR in terms else loss).backward()
        self.notify(
            "on_grad_computed",
            named_parameters=TeeGenerator(self.get_all_learnable_params()),
            batch=batch,
            training=True,
        )
        for name in self._optimizers:
            getattr(self, name + "_").step()
        if self.average_ is not None:
            self.average_.update()
        return {"loss": loss, "y_pred": terms}

    def run_single_epoch(self, iterator, training, prefix, step_fn, **fit_params):
        """One pass; the means of loss and terms go to the history at its end."""
        if iterator is None or (not training and len(self.history) % self.valid_every):
            return
        self._set_training(training)
        if self.average_ is not None:
            self.average_.show(not training)
        means, clock = _RunningMeans(), self.clock_
        for number, batch in enumerate(iterator):
            self.notify("on_batch_begin", batch=batch, training=training)
            step = step_fn(batch)
            means.add({"loss": step["loss"]} | step["y_pred"], len(batch))
            self.notify("on_batch_end", batch=batch, training=training, **step)
            if training:
                clock.steps += 1
                if number % _CHECK_EVERY == _CHECK_EVERY - 1:
                    self._refuse_nan(means)
                if clock.is_up():
                    break
        self._refuse_nan(means)
        for name, value in means.read().items():
            self.history.record(f"{prefix}_{name}", value)

    def notify(self, method_name, **cb_kwargs):
        """Call the callbacks; training ends if one raises KeyboardInterrupt or time is up."""
        try:
            super().notify(method_name, **cb_kwargs)
        except KeyboardInterrupt as interrupt:
            raise _StopTraining from interrupt
        if method_name == "on_epoch_end":
            self._keep_weights()
            if self.clock_.is_up():
                raise _StopTraining

    # Training ------------------------------------------------------------------------------

    def train(self, data: Data, valid: Data | None, epochs: int) -> "InfoMaxNet":
        """Train for some epochs, or until a callback or the time ends it.

        Raises
        ------
        FloatingPointError
            If a term is no longer finite; the module is left as it was after the last epoch
            that was sound.
        """
        steps = epochs * len(self.get_iterator(data, training=True))
        self.clock_ = Clock(steps, self.max_time)
        self.average_ = None if self.average is None else MovingAverage(self.module_, self.average)
        self._keep_weights()
        self.notify("on_train_begin", X=data, y=None)
        try:
            self.fit_loop((data, valid), epochs=epochs)
        except _StopTraining:
            pass
        finally:
            if self.average_ is not None:
                self.average_.show(True)
            self.good_weights_.clear()
            self.notify("on_train_end", X=data, y=None)
            self.module_.eval()
        return self

    def _set_rate(self) -> None:
        if self.lr_schedule == "constant":
            return
        factor = cosine_factor(self.clock_.progress(), 1 / self.clock_.total)
        for name in self._optimizers:
            for group in getattr(self, name + "_").param_groups:
                group["lr"] = self.lr * factor

    def _keep_weights(self) -> None:
        self.good_weights_ = {k: v.clone() for k, v in self.module_.state_dict().items()}

    def _refuse_nan(self, means: "_RunningMeans") -> None:
        """Stop at a term that is not finite, and go back to the weights kept."""
        bad = [name for name, value in means.read().items() if not math.isfinite(value)]
        if not bad:
            return
        terms = [name for name in bad if name != "loss"] or bad
        self.module_.load_state_dict(self.good_weights_)
        self.average_ = None
        raise FloatingPointError(
            f"The {' and '.join(terms)} term became {means.read()[terms[0]]} in epoch "
            f"{len(self.history)}; the weights of the epoch before it are kept. Lower lr "
            f"(now {self.lr}), or choose a bounded critic such as critic='dot'."
        )


class MovingAverage:
    """Moving average of the weights and buffers of a module (Polyak and Juditsky 1992).

    Parameters
    ----------
    module : torch.nn.Module
        Whose weights change.
    decay : float
        Weight of the past in each update; smaller in the first updates.
    """

    def __init__(self, module: torch.nn.Module, decay: float):
        state = [t for t in module.state_dict().values() if t.is_floating_point()]
        self.live, self.mean = state, [t.clone() for t in state]
        self.decay = decay
        self.count = 0
        self.shown = False

    def update(self) -> None:
        """Take in the weights as they are now."""
        self.count += 1
        decay = min(self.decay, self.count / (self.count + 10))
        torch._foreach_lerp_(self.mean, self.live, 1 - decay)

    def show(self, on: bool) -> None:
        """Put the average in the module in place of its weights, or take it out again."""
        if on != self.shown:
            for weight, mean in zip(self.live, self.mean):
                kept = weight.clone()
                weight.copy_(mean)
                mean.copy_(kept)
            self.shown = on


class Clock:
    """How far training has come, by steps or by time.

    Parameters
    ----------
    total : int
        Steps that are planned.
    max_time : float or None
        Seconds that there are.

    Attributes
    ----------
    steps : int
        Steps taken.
    """

    def __init__(self, total: int, max_time: float | None):
        self.total = total
        self.max_time = max_time
        self.start = time.perf_counter()
        self.steps = 0

    def is_up(self) -> bool:
        """Whether the time has run out."""
        return self.max_time is not None and time.perf_counter() - self.start > self.max_time

    def progress(self) -> float:
        """Part of the training that lies behind us, 0 to 1."""
        done = self.steps / self.total
        if self.max_time is not None:
            done = max(done, (time.perf_counter() - self.start) / self.max_time)
        return min(done, 1.0)


def cosine_factor(progress: float, step: float = 0.0) -> float:
    """Factor of the learning rate: up for 5 % of the training, then down to 0 by a cosine.

    `step` is the part of the training that one step makes up, so that the first is not lost.
    """
    if progress < _WARM_UP:
        return (progress + step) / (_WARM_UP + step)
    return 0.5 * (1 + math.cos(math.pi * (progress - _WARM_UP) / (1 - _WARM_UP)))


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


def mean_over_blocks(net: InfoMaxNet, data: Data) -> dict[str, float]:
    """Mean of each information term in nats over fixed blocks of the data."""
    means = _RunningMeans()
    net.module_.eval()
    with torch.no_grad():
        for block in data.batches(BLOCK):
            means.add(net.module_.nats(block), len(block))
    return means.read()


class HeldOutStopping(EarlyStopping):
    """Early stopping on the held-out loss; idle where nothing is held out.

    Parameters
    ----------
    patience : int
        Epochs without improvement.
    threshold : float
        What counts as one, in units of the loss.
    start : Data or None
        Held-out data; the weights before training, judged on it, are then the first that an
        epoch has to improve on.
    """

    def __init__(self, patience: int, threshold: float, start: Data | None = None):
        super().__init__(
            patience=patience, threshold=threshold, threshold_mode="abs", load_best=True
        )
        self.start = start

    def on_train_begin(self, net, **kwargs):
        """Forget what was; judge the weights that training starts from."""
        super().on_train_begin(net, **kwargs)
        if self.start is not None:
            means = _RunningMeans()
            net.module_.eval()
            for block in net.get_iterator(self.start):
                means.add({"loss": net.validation_step(block)["loss"]}, len(block))
            self.dynamic_threshold_ = means.read()["loss"] - self.threshold
            self.best_model_weights_ = copy.deepcopy(net.module_.state_dict())

    def on_epoch_end(self, net, **kwargs):
        """Compare the loss with the best so far."""
        if "valid_loss" in net.history[-1]:
            super().on_epoch_end(net, **kwargs)


class ProgressBar(Callback):
    """One bar over all steps of a fit with the terms beside it; none without a terminal."""

    def on_train_begin(self, net, X=None, y=None, **kwargs):
        """Open the bar."""
        from tqdm.auto import tqdm

        self.bar_ = tqdm(total=net.clock_.total, disable=None, unit="step", leave=True)

    def on_batch_end(self, net, batch=None, training=False, **kwargs):
        """Move by one step."""
        if training:
            self.bar_.update()

    def on_epoch_end(self, net, **kwargs):
        """Show the terms of the epoch."""
        if self.bar_.disable:
            return
        row = net.history[-1]
        names = [key for key in row if key.startswith(("train_", "valid_"))]
        self.bar_.set_postfix({name: f"{row[name]:.3f}" for name in names})

    def on_train_end(self, net, X=None, y=None, **kwargs):
        """Close the bar."""
        self.bar_.close()

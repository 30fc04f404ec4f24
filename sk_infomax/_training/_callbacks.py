"""What a fit calls while it trains: early stopping, checkpoints, and progress."""

import copy
import math
import os
from collections.abc import Iterable
from errno import ENOENT
from numbers import Real
from typing import Any

import numpy as np
from skorch.callbacks import BatchScoring, Callback, EarlyStopping, EpochScoring, LRScheduler
from skorch.utils import noop
from torch import Tensor

from .._shown import Progress
from ._batches import Data
from ._memory import Standing

__all__ = ["Checkpoint", "HeldOutStopping", "ProgressBar", "called", "kept_files", "sets_rate"]

_COUNTS = ("_best", "_batch_count")  # what names in the history end in that are no terms


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

    Attributes
    ----------
    tried : dict of str to Tensor, or None
        The best weights of any epoch, where none of them was better than `start`.
    """

    def __init__(self, patience: int, threshold: float, start: Data | None = None):
        super().__init__(
            patience=patience,
            threshold=threshold,
            threshold_mode="abs",
            sink=noop,
            load_best=True,
        )
        self.start = start
        self.tried: dict[str, Tensor] | None = None

    def on_train_begin(self, net, **kwargs):
        """Forget what was; judge the weights that training starts from."""
        super().on_train_begin(net, **kwargs)
        self.tried, self._tried_loss = None, math.inf
        self._better = self.start is None
        if self.start is not None:
            self.dynamic_threshold_ = net.held_out_loss(self.start) - self.threshold
            self.best_model_weights_ = copy.deepcopy(net.module_.state_dict())

    def on_epoch_end(self, net, **kwargs):
        """Compare the loss with the best so far."""
        loss = net.history[-1].get("valid_loss")
        if loss is None:
            return
        if not self._better:
            self._try(net, loss)
        super().on_epoch_end(net, **kwargs)

    def on_train_end(self, net, **kwargs):
        """Go back to the best weights; those of the end are remembered if no epoch was judged."""
        if not self._better and self.tried is None:
            self.tried = copy.deepcopy(net.module_.state_dict())
        super().on_train_end(net, **kwargs)

    def _try(self, net, loss: float) -> None:
        """Remember weights that are better than those of other epochs, but not than the start."""
        if loss < self.dynamic_threshold_:
            self._better, self.tried = True, None
        elif loss < self._tried_loss:
            self.tried, self._tried_loss = copy.deepcopy(net.module_.state_dict()), loss

    def standing(self) -> Standing:
        """What it has seen so far: the best loss, how long ago, and the weights of then."""
        best = self.best_model_weights_ or {}
        names = ("misses_", "best_epoch_", "dynamic_threshold_")
        facts = {name: getattr(self, name) for name in names if hasattr(self, name)}
        return Standing(best, {name: _plain(value) for name, value in facts.items()})

    def stand(self, standing: Standing) -> None:
        """Go on from where another stood."""
        for name, value in standing.facts.items():
            setattr(self, name, value)
        self.best_model_weights_ = dict(standing.tensors) or None


def _plain(value: Any) -> Any:
    """A number of numpy as Python's."""
    return value.item() if isinstance(value, np.generic) else value


class Checkpoint(Callback):
    """Keeps a file during a fit, from which a fit that was killed goes on.

    Parameters
    ----------
    path : str or path-like
        The file. It is always whole: the old one or the new one.
    every : float, default=60.0
        Seconds between two looks, at least; 0 writes after each step.

    See Also
    --------
    sk_infomax.DeepInfoMaxTransformer.resume : Goes on from the file.

    Examples
    --------
    >>> import numpy as np, os, tempfile
    >>> from sk_infomax import Checkpoint, DeepInfoMaxTransformer
    >>> path = os.path.join(tempfile.mkdtemp(), "fit.safetensors")
    >>> X = np.random.RandomState(0).normal(size=(100, 5))
    >>> model = DeepInfoMaxTransformer(callbacks=[Checkpoint(path, every=0)], random_state=0)
    >>> whole = model.fit(X).transform(X)  # were it killed, the next line would give the same
    >>> bool((DeepInfoMaxTransformer.resume(path, X).transform(X) == whole).all())
    True
    """

    def __init__(self, path: str | os.PathLike[str], every: float = 60.0):
        self.path = path
        self.every = every

    def check(self) -> None:
        """Refuse a number of seconds that is none, and a folder that is not there.

        Raises
        ------
        FileNotFoundError
            If there is no such folder.
        ValueError
            If `every` is below 0.
        TypeError
            If it is no number.
        """
        if isinstance(self.every, bool) or not isinstance(self.every, Real):
            raise TypeError(f"every={self.every!r} must be a number of seconds, for example 60.")
        if not self.every >= 0:
            raise ValueError(f"every={self.every!r} must be at least 0 seconds.")
        folder = os.path.dirname(os.path.realpath(self.path))
        if not os.path.isdir(folder):
            raise FileNotFoundError(ENOENT, "No such folder for checkpoints", folder)


class ProgressBar(Callback):
    """What `verbose` shows of a fit: a bar over all steps, lines in its place, or a line an epoch.

    Parameters
    ----------
    verbose : int
        As in `Progress`.
    """

    def __init__(self, verbose: int = 1):
        self.verbose = verbose

    def on_train_begin(self, net, X=None, y=None, **kwargs):
        """Begin to count steps."""
        self.progress_ = Progress(net.clock_.total, "step", self.verbose)

    def on_batch_end(self, net, batch=None, training=False, **kwargs):
        """Move by one step."""
        if training:
            self.progress_.update()

    def on_epoch_end(self, net, **kwargs):
        """Show the terms of the epoch."""
        row = net.history[-1]
        names = [n for n in row if n.startswith(("train_", "valid_")) and not n.endswith(_COUNTS)]
        self.progress_.end_stage(f"epoch {row['epoch']}", {name: row[name] for name in names})

    def on_train_end(self, net, X=None, y=None, **kwargs):
        """Stop counting."""
        self.progress_.close()


def kept_files(callbacks: Iterable[Any] | None) -> list[Checkpoint]:
    """The checkpoints among callbacks, which may be pairs of a name and a callback."""
    return [one for one in map(_without_name, callbacks or ()) if isinstance(one, Checkpoint)]


def called(callbacks: Iterable[Any] | None) -> list[Any]:
    """The other callbacks, which skorch calls.

    Raises
    ------
    TypeError
        For what is no callback.
    ValueError
        For a score of predictions, since there are none.
    """
    for one in callbacks or ():
        if not isinstance(_without_name(one), Callback | type):
            raise TypeError(
                f"callbacks has {one!r}, which is no callback of skorch. Give a list of "
                "skorch.callbacks.Callback objects, or of pairs of a name and one."
            )
    found = [one for one in callbacks or () if not isinstance(_without_name(one), Checkpoint)]
    for one in map(_without_name, found):
        if isinstance(one, EpochScoring | BatchScoring) and _needs_targets(one.scoring):
            raise ValueError(
                f"{type(one).__name__}(scoring={one.scoring!r}) compares predictions with targets, "
                "and a fit of features has neither. Give a function of (net, X, y), which may "
                "read net.history[-1], or take a PassthroughScoring of a name in the history."
            )
    return found


def _needs_targets(scoring: Any) -> bool:
    """Whether a score is one of scikit-learn's, by name or as such; None is that of the net."""
    own = str(getattr(scoring, "__module__", "")).startswith("sklearn.")
    return own or scoring is None or isinstance(scoring, str)


def sets_rate(callback: Any) -> bool:
    """Whether a callback is a schedule of the learning rate."""
    callback = _without_name(callback)
    kind = callback if isinstance(callback, type) else type(callback)
    return issubclass(kind, LRScheduler)


def _without_name(callback: Any) -> Any:
    match callback:
        case (str(), one):
            return one
    return callback

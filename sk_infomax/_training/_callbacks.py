"""What a fit calls while it trains: early stopping, and the progress bar."""

import copy

from skorch.callbacks import Callback, EarlyStopping

from ._batches import Data

__all__ = ["HeldOutStopping", "ProgressBar", "progress_bar"]


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
            self.dynamic_threshold_ = net.held_out_loss(self.start) - self.threshold
            self.best_model_weights_ = copy.deepcopy(net.module_.state_dict())

    def on_epoch_end(self, net, **kwargs):
        """Compare the loss with the best so far."""
        if "valid_loss" in net.history[-1]:
            super().on_epoch_end(net, **kwargs)


def progress_bar(total: int, unit: str, verbose: int = 1):
    """A bar of so many units in a terminal; silent elsewhere, or where nothing is asked for."""
    from tqdm.auto import tqdm

    return tqdm(total=total, disable=None if verbose else True, unit=unit, leave=True)


class ProgressBar(Callback):
    """One bar over all steps of a fit with the terms beside it; none without a terminal."""

    def on_train_begin(self, net, X=None, y=None, **kwargs):
        """Open the bar."""
        self.bar_ = progress_bar(net.clock_.total, "step")

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

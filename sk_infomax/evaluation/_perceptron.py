"""The paper's nonlinear probe: a perceptron of one layer with dropout."""

from __future__ import annotations

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from .._checks import (
    FRACTION,
    NON_NEGATIVE,
    POSITIVE,
    POSITIVE_INT,
    ZERO,
    resolve_device,
    validate_params,
)
from .._random import private_rng
from ._steps import BestWeights, hold_out, shuffled_batches

__all__ = ["PerceptronClassifier"]

_SHORTEST_LOOK = 20
_ROWS_AT_ONCE = 8192


class PerceptronClassifier(ClassifierMixin, BaseEstimator):
    """Perceptron of one hidden layer with dropout, the paper's nonlinear probe.

    Trained with Adam on the cross-entropy of shuffled batches. Of 100 samples or more a part is
    held out: training stops when their cross-entropy no longer falls, and goes back to the best
    weights. The data is one tensor on the device, of which whole batches are gathered.

    Parameters
    ----------
    hidden : int, default=200
        Units of the hidden layer.
    dropout : float, default=0.1
        Share of the hidden units that a training step leaves out.
    lr : float, default=0.001
        Learning rate of Adam.
    weight_decay : float, default=0.0
        Weight decay of Adam.
    batch_size : int, default=128
        Smallest number of samples in a batch.
    max_steps : int, default=10000
        Steps at most; 400 at most where nothing is held out.
    validation_fraction : float, default=0.1
        Part of the samples that is held out.
    n_iter_no_change : int, default=5
        Looks at the held-out samples without improvement that end the training; there is one
        after each pass, and after 20 steps at least.
    tol : float, default=0.001
        By how much the held-out cross-entropy, in nats, has to fall to count as an improvement.
    device : str, default="auto"
        "cpu", "cuda", or "auto" for CUDA where there is one.
    random_state : int, RandomState instance or None, default=None
        Seed of weights, batches, dropout and of what is held out.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels, sorted.
    n_features_in_ : int
        Number of features.
    n_steps_ : int
        Steps that were made.

    References
    ----------
    Hjelm et al., ICLR 2019, section 4.1.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sk_infomax.evaluation import PerceptronClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> probe = PerceptronClassifier(random_state=0).fit(X[:1000] / 16, y[:1000])
    >>> bool(probe.score(X[1000:] / 16, y[1000:]) > 0.9)
    True
    """

    _parameter_constraints: dict = {
        "hidden": [POSITIVE_INT],
        "dropout": [FRACTION, ZERO],
        "lr": [POSITIVE],
        "weight_decay": [NON_NEGATIVE],
        "batch_size": [POSITIVE_INT],
        "max_steps": [POSITIVE_INT],
        "validation_fraction": [FRACTION],
        "n_iter_no_change": [POSITIVE_INT],
        "tol": [NON_NEGATIVE],
        "device": [str, torch.device],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        hidden=200,
        *,
        dropout=0.1,
        lr=1e-3,
        weight_decay=0.0,
        batch_size=128,
        max_steps=10_000,
        validation_fraction=0.1,
        n_iter_no_change=5,
        tol=1e-3,
        device="auto",
        random_state=None,
    ):
        self.hidden = hidden
        self.dropout = dropout
        self.lr = lr
        self.weight_decay = weight_decay
        self.batch_size = batch_size
        self.max_steps = max_steps
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.device = device
        self.random_state = random_state

    def fit(self, X, y):
        """Train on features and labels.

        Parameters
        ----------
        X : array-like of shape (n, d)
            Features.
        y : array-like of shape (n,)
            Labels.

        Returns
        -------
        self : PerceptronClassifier
            Fitted.

        Raises
        ------
        ValueError
            For parameters or data that do not fit, or if there is one class only.
        """
        validate_params(self)
        X, y = validate_data(self, X, y, dtype=[np.float32, np.float64])
        check_classification_targets(y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(
                f"y has one class only, {self.classes_[0]}. Give samples of two classes or more."
            )
        device = resolve_device(self.device)
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        samples = torch.from_numpy(np.asarray(X, np.float32)).to(device)
        with private_rng(seed, device):
            self._network = _build(samples, self.hidden, self.dropout, len(self.classes_))
            self._train(samples, torch.from_numpy(codes).to(device), seed)
        self._network.eval().cpu()
        return self

    def _train(self, samples: Tensor, codes: Tensor, seed: int) -> None:
        """Make the steps on samples (n, d) with codes (n,) of their labels."""
        parts = hold_out(len(samples), self.validation_fraction, seed)
        train, valid = (torch.from_numpy(part).to(samples.device) for part in parts)
        optimizer = torch.optim.Adam(
            self._network.parameters(), lr=self.lr, weight_decay=self.weight_decay, fused=True
        )
        best = BestWeights(
            self._network,
            lambda: self._loss(samples, codes, valid),
            self.n_iter_no_change,
            self.tol,
        )
        look = max(_SHORTEST_LOOK, len(train) // self.batch_size)
        max_steps = self.max_steps if len(valid) else min(self.max_steps, 400)
        self._network.train()
        for step, rows in shuffled_batches(train, self.batch_size, max_steps, seed):
            optimizer.zero_grad()
            cross_entropy(self._network(samples[rows]), codes[rows]).backward()
            optimizer.step()
            self.n_steps_ = step
            if len(valid) and step % look == 0 and best.enough():
                break
        if len(valid):
            best.enough()
            best.restore()

    def _loss(self, samples: Tensor, codes: Tensor, rows: Tensor) -> float:
        """Mean cross-entropy of some rows, without dropout."""
        self._network.eval()
        with torch.inference_mode():
            total = sum(
                cross_entropy(self._network(samples[some]), codes[some], reduction="sum")
                for some in rows.split(_ROWS_AT_ONCE)
            )
        self._network.train()
        return float(total) / len(rows)

    def predict_proba(self, X):
        """Probabilities of the classes.

        Parameters
        ----------
        X : array-like of shape (n, d)
            Features.

        Returns
        -------
        ndarray of shape (n, n_classes)
            In the order of ``classes_``.
        """
        check_is_fitted(self, "classes_")
        X = validate_data(self, X, reset=False, dtype=[np.float32, np.float64])
        with torch.inference_mode():
            logits = [
                self._network(torch.from_numpy(np.asarray(X[i : i + _ROWS_AT_ONCE], np.float32)))
                for i in range(0, len(X), _ROWS_AT_ONCE)
            ]
        return torch.cat(logits).double().softmax(1).numpy()

    def predict(self, X):
        """Most likely classes.

        Parameters
        ----------
        X : array-like of shape (n, d)
            Features.

        Returns
        -------
        ndarray of shape (n,)
            Labels.
        """
        places = self.predict_proba(X).argmax(1)
        return self.classes_[places]


class _Centred(nn.Module):
    """Takes the mean of the training samples off."""

    def __init__(self, mean: Tensor):
        super().__init__()
        self.register_buffer("mean", mean)

    def forward(self, x: Tensor) -> Tensor:
        return x - self.get_buffer("mean")


def _build(samples: Tensor, hidden: int, dropout: float, n_classes: int) -> nn.Module:
    """The network with first weights, for samples (n, d)."""
    return nn.Sequential(
        _Centred(samples.mean(0)),
        nn.Linear(samples.shape[1], hidden),
        nn.ReLU(),
        nn.Dropout(dropout),
        nn.Linear(hidden, n_classes),
    ).to(samples.device)

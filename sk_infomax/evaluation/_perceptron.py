"""The paper's nonlinear probe: a perceptron of one layer with dropout."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import torch
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, ClassifierMixin
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
from .._random import draw_seed, private_rng, stream
from ._features import RandomState
from ._supervised import Examples, stop_at_best, train

__all__ = ["PerceptronClassifier"]

_SHORTEST_LOOK = 20  # steps between looks, so that looks cost little (rule of thumb)
_BLIND_STEPS = 400  # steps where nothing is held out: it learns 99 samples by heart (a test)
_FEWEST = 100  # samples of which some are held out: chance picks the weights below (rule of thumb)
_ROWS_AT_ONCE = 8192  # samples in a block of predictions; 6 MB of 200 hidden values each


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
    >>> probe = PerceptronClassifier(max_steps=300, random_state=0).fit(X[:1000] / 16, y[:1000])
    >>> bool(probe.score(X[1000:] / 16, y[1000:]) > 0.9)
    True
    """

    _parameter_constraints: dict[str, list[Any]] = {
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
        hidden: int = 200,
        *,
        dropout: float = 0.1,
        lr: float = 1e-3,
        weight_decay: float = 0.0,
        batch_size: int = 128,
        max_steps: int = 10_000,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 5,
        tol: float = 1e-3,
        device: str | torch.device = "auto",
        random_state: RandomState = None,
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

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
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
        seed = draw_seed(self.random_state)
        samples = torch.from_numpy(np.asarray(X, np.float32)).to(device)
        with private_rng(stream(seed, "weights"), device):  # dropout
            self._network = _build(samples, self.hidden, self.dropout, len(self.classes_))
            self.n_steps_ = self._train(samples, torch.from_numpy(codes).to(device), seed)
        self._network.cpu()
        return self

    def _train(self, samples: Tensor, codes: Tensor, seed: int) -> int:
        """Make the steps on samples (n, d) with codes (n,) of their labels, and count them."""
        parts = _hold_out(len(samples), self.validation_fraction, stream(seed, "rows"))
        rows = [torch.from_numpy(part).to(samples.device) for part in parts]
        data, valid = (Examples(samples[part], codes[part]) for part in rows)
        return train(
            self._network,
            cross_entropy,
            data,
            lr=self.lr,
            batch_size=self.batch_size,
            max_steps=self.max_steps if len(valid) else min(self.max_steps, _BLIND_STEPS),
            seed=seed,
            valid=valid if len(valid) else None,
            stretch=max(_SHORTEST_LOOK, len(data) // self.batch_size),
            weight_decay=self.weight_decay,
            callbacks=stop_at_best(self.n_iter_no_change, self.tol) if len(valid) else (),
        )

    def predict_proba(self, X: ArrayLike) -> np.ndarray:
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
        rows = validate_data(self, X, reset=False, dtype=[np.float32, np.float64])
        with torch.inference_mode():
            logits = [
                self._network(torch.from_numpy(np.asarray(rows[i : i + _ROWS_AT_ONCE], np.float32)))
                for i in range(0, len(rows), _ROWS_AT_ONCE)
            ]
        return torch.cat(logits).double().softmax(1).numpy()

    def predict(self, X: ArrayLike) -> np.ndarray:
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


def _hold_out(n: int, fraction: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows to train on and rows to stop by, none of the latter where there are few."""
    order = np.random.RandomState(seed).permutation(n)
    n_valid = int(fraction * n) if n >= _FEWEST else 0
    return order[n_valid:], order[:n_valid]


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

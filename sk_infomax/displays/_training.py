"""How training went."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ._axes import COLOURS, Display

__all__ = ["TrainingDisplay"]

_NATS = "_nats"  # what the history's names of information in nats end in
_IN_NATS = ("coordinates",)  # terms that are log probabilities, and so in nats as they are


class TrainingDisplay(Display):
    """Information in nats over the epochs, term by term, and where training stopped.

    Parameters
    ----------
    curves : dict of str to ndarray of shape (n_epochs,)
        Nats by name, such as "train local" and "valid local"; NaN where an epoch has none.
    best_epoch : int or None, default=None
        The epoch, from 1, with the lowest held-out loss; None without early stopping.

    Attributes
    ----------
    ax_, figure_ : matplotlib Axes and Figure
        Of the last drawing.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sk_infomax import DeepInfoMaxTransformer
    >>> from sk_infomax.displays import TrainingDisplay
    >>> X = load_digits().images[:200]
    >>> model = DeepInfoMaxTransformer(encoder="strided", max_epochs=3, random_state=0).fit(X)
    >>> display = TrainingDisplay.from_estimator(model)
    >>> sorted(display.curves)
    ['train local']
    """

    def __init__(self, curves: dict[str, np.ndarray], best_epoch: int | None = None):
        self.curves = curves
        self.best_epoch = best_epoch

    @classmethod
    def from_estimator(cls, estimator: Any, *, ax: Any = None) -> TrainingDisplay:
        """Draw the history of a fitted `DeepInfoMaxTransformer`.

        Parameters
        ----------
        estimator : DeepInfoMaxTransformer
            Fitted.
        ax : matplotlib Axes or None, default=None
            None makes a figure.

        Returns
        -------
        TrainingDisplay
            Drawn.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the estimator is not fitted.
        TypeError
            If it is one that keeps no history.
        """
        check_is_fitted(estimator)
        if not hasattr(estimator, "history_"):
            raise TypeError(
                f"TrainingDisplay draws the training of a DeepInfoMaxTransformer; got a "
                f"{type(estimator).__name__}, which keeps none. Its bounds_ hold what each bound "
                "says of the critics in the end."
            )
        history = list(estimator.history_)
        names = sorted({name for row in history for name in row if _is_nats(name)})
        curves = {
            _said(name): np.array([row.get(name, np.nan) for row in history], float)
            for name in names
        }
        losses = np.array([row.get("valid_loss", np.nan) for row in history], float)
        best = None if np.isnan(losses).all() else int(np.nanargmin(losses)) + 1
        return cls(curves, best).plot(ax=ax)

    def _draw(self) -> None:
        terms = sorted({name.split(" ", 1)[1] for name in self.curves})
        for name, values in self.curves.items():
            part, term = name.split(" ", 1)
            known = ~np.isnan(values)
            self.ax_.plot(
                np.flatnonzero(known) + 1,
                values[known],
                "--s" if part == "valid" else "-o",
                color=COLOURS[terms.index(term) % len(COLOURS)],
                markersize=3,
                label={"valid": "held out", "train": "training"}[part] + f", {term}",
            )
        if self.best_epoch is not None:
            self.ax_.axvline(
                self.best_epoch, color=COLOURS[2], linewidth=1, label="kept (best held-out loss)"
            )
        self.ax_.set(xlabel="epoch", ylabel="information (nats)")
        self.ax_.xaxis.get_major_locator().set_params(integer=True)
        self.ax_.legend()


def _is_nats(name: str) -> bool:
    part, _, term = name.partition("_")
    return part in ("train", "valid") and (term.endswith(_NATS) or term in _IN_NATS)


def _said(name: str) -> str:
    """A name of the history for people: "train local" for "train_local_nats"."""
    part, _, term = name.partition("_")
    return f"{part} {term.removesuffix(_NATS)}"

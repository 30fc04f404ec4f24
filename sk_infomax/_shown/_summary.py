"""An estimator in a notebook: scikit-learn's diagram, and under it what was fitted."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from html import escape
from typing import Any

from sklearn.utils import estimator_html_repr

from .._bases import BaseEstimator

__all__ = ["Summarised", "counted"]

_STYLE = (  # inherits colours, so that it is legible on dark
    ".sk-infomax-summary{border-collapse:collapse;margin:.5em 0;font-size:90%}"
    ".sk-infomax-summary th{text-align:left;font-weight:600;padding:.1em 1em .1em 0}"
    ".sk-infomax-summary td{text-align:left}"
)


class Summarised(BaseEstimator):
    """Gives an estimator that keeps ``_fitted`` a table of it under scikit-learn's diagram."""

    @abstractmethod
    def _summary(self) -> Mapping[str, str]:
        """What was fitted, by name, each in a few words."""

    def _html_repr(self) -> str:
        diagram = estimator_html_repr(self)
        return diagram + _table(self._summary()) if "_fitted" in vars(self) else diagram

    def _repr_html_inner(self) -> str:
        return self._html_repr()

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, str]:
        bundle = super()._repr_mimebundle_(**kwargs)
        if "text/html" in bundle:  # scikit-learn leaves it out where display="text" is set
            bundle["text/html"] = self._html_repr()
        return bundle


def counted(number: int, name: str) -> str:
    """A number and what it counts, as in "1 column" and "2 columns"."""
    return f"{number:,} {name}{'s' * (number != 1)}"


def _table(summary: Mapping[str, str]) -> str:
    rows = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td>{escape(value)}</td></tr>'
        for name, value in summary.items()
    )
    return f'<style>{_STYLE}</style><table class="sk-infomax-summary"><tbody>{rows}</tbody></table>'

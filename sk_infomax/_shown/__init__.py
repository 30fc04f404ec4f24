"""What a person looks at: an estimator in a notebook, lines of progress, versions."""

from ._log import tell
from ._summary import Summarised, counted
from ._versions import show_versions

__all__ = ["Summarised", "counted", "show_versions", "tell"]

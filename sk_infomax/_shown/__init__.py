"""What a person looks at: an estimator in a notebook, lines of progress, versions."""

from ._log import tell
from ._progress import Progress, followed
from ._summary import Summarised, counted
from ._versions import show_versions

__all__ = ["Progress", "Summarised", "counted", "followed", "show_versions", "tell"]

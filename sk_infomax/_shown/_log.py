"""What `verbose` asks for, by Python's logging."""

from __future__ import annotations

import logging
import sys

__all__ = ["tell"]

_LOGGER = logging.getLogger("sk_infomax")


def tell(message: str) -> None:
    """Log a line of progress; on stderr where logging was not set up to show such lines."""
    if _LOGGER.hasHandlers() and _LOGGER.isEnabledFor(logging.INFO):
        _LOGGER.info(message)
    else:
        sys.stderr.write(f"{message}\n")
        sys.stderr.flush()

"""What happens to new connections when the process has no descriptors left, or the system no memory."""

from __future__ import annotations

import logging
from errno import EMFILE, ENFILE, ENOBUFS, ENOMEM
from typing import Final

_logger = logging.getLogger("flowsock")
_SHORT: Final = (EMFILE, ENFILE, ENOBUFS, ENOMEM)

PAUSE: Final = 0.25
"""Seconds until the next attempt to take a connection."""


class Shortage:
    """Tell of a shortage once, and once that it is over.

    Law: connections that cannot be taken wait in the kernel, and are asked for again after a pause: it says all the time that
    they are there.
    """

    __slots__ = ("_lasts",)

    def __init__(self) -> None:
        self._lasts = False

    def met(self, error: OSError) -> None:
        """Learn that a connection could not be taken.

        Raises:
            OSError: for another reason than a shortage.
        """
        if error.errno not in _SHORT:
            raise error
        if not self._lasts:
            self._lasts = True
            _logger.error("no new connection can be taken until there are resources again: %s", error.strerror)

    def over(self) -> None:
        """Learn that a connection was taken."""
        if self._lasts:
            self._lasts = False
            _logger.warning("new connections are taken again")

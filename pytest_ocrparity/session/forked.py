"""Differences that assertions find in a process which the test forked.

Such a process has a copy of what listens, and all that the copy hears ends with it. One page of memory is shared.
"""

from __future__ import annotations

import mmap
import os
from typing import Final

_SIZE: Final = mmap.PAGESIZE


class Forked:
    """What assertions raised in the processes that a test forked: the last of it, and that there was any."""

    def __init__(self) -> None:
        """Share a page with every process that is forked from here on."""
        self._page = mmap.mmap(-1, _SIZE)
        self._process = os.getpid()

    def begin(self) -> None:
        """Begin a test with nothing. It runs in this process, which a plugin may have forked for it."""
        self._process = os.getpid()
        if self._page[0]:
            self._page[0] = 0

    @property
    def is_inside(self) -> bool:
        """Tell whether this process was forked by the test."""
        return os.getpid() != self._process

    def send(self, text: str) -> None:
        """Let the test's process know what is raised in this one; of several at a time, of one."""
        data = text.encode(errors="replace")[: _SIZE - 1].ljust(_SIZE - 1, b"\0")
        self._page[:] = b"\1" + data

    @property
    def texts(self) -> list[str]:
        """What was raised there, for people."""
        if not self._page[0]:
            return []
        text = self._page[1:].rstrip(b"\0").decode(errors="replace")
        return [f"in a process that it forked: {text}"]

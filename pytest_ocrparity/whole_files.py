"""Writing a file whole or not at all, and removing what killed processes left of it."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

_LEFTOVER_SECONDS = 3600  # nothing writes one file for an hour


def write_whole(path: Path, content: bytes | Iterable[bytes]) -> None:
    """Write a file in one step: whoever reads it sees the old content or the new one, whatever ends this process.

    The content, or its parts one after the other, is written to a temporary file beside the path, which then takes its
    place. A killed process leaves that file; see `remove_leftovers`.

    Raises:
        OSError: the file cannot be written. An older file is unchanged.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.parent / f".ocrparity-{secrets.token_hex(8)}.tmp"
    try:
        with temporary.open("xb") as file:
            file.writelines([content] if isinstance(content, bytes) else content)
            file.flush()
            os.fsync(file.fileno())  # else a power cut may leave an empty file under the new name
        temporary.replace(path)
    finally:
        with suppress(OSError):
            temporary.unlink()


def remove_leftovers(folder: Path) -> None:
    """Remove the temporary files that killed processes left below a folder, once they are an hour old.

    A younger one may be what another process is writing. Nothing reads them.
    """
    with suppress(OSError):  # another process may remove the same
        for leftover in list(folder.rglob(".ocrparity-*.tmp")):
            if time.time() - leftover.stat().st_mtime > _LEFTOVER_SECONDS:
                leftover.unlink(missing_ok=True)

"""Writing a file whole or not at all, a line whole behind others, and removing what killed processes left."""

from __future__ import annotations

import errno
import os
import secrets
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

_LEFTOVER_SECONDS = 3600  # nothing writes one file for an hour


def write_whole_file(path: Path, content: bytes | Iterable[bytes]) -> None:
    """Write a file in one step: whoever reads it sees the old content or the new one, whatever ends this process.

    The content, or its parts one after the other, is written to a temporary file beside the path, which then takes its
    place. A killed process leaves that file; see `remove_leftover_files`.

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


def append_whole_line(path: Path, line: bytes) -> None:
    """Write a line behind those that a file has, in one step: lines of several processes do not mix.

    A line that a killed process, or a full disk, left without its end stays a line of its own. Lines that are appended
    at the same time may have an empty one between them.

    Raises:
        OSError: the line cannot be written, or only a part of it.
    """
    assert b"\n" not in line
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab+", buffering=0) as file:
        end = file.seek(0, os.SEEK_END)
        file.seek(max(end - 1, 0))
        before = b"" if file.read(1) in (b"", b"\n") else b"\n"
        data = before + line + b"\n"
        if file.write(data) != len(data):  # one call, which a system that appends carries out as one step
            raise OSError(errno.ENOSPC, "only a part of the line could be written")
        os.fsync(file.fileno())


def remove_leftover_files(folder: Path) -> None:
    """Remove the temporary files that killed processes left below a folder, once they are an hour old.

    A younger one may be what another process is writing. Nothing reads them.
    """
    with suppress(OSError):  # another process may remove the same
        for leftover in list(folder.rglob(".ocrparity-*.tmp")):
            if time.time() - leftover.stat().st_mtime > _LEFTOVER_SECONDS:
                leftover.unlink(missing_ok=True)

"""What a killed process leaves of a file that it was writing: how it is named, and when it may go."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import time
from contextlib import suppress
from functools import cache
from pathlib import Path

__all__ = ["remove_leftovers", "temporary_beside"]

_LEFTOVER_SECONDS = 3600  # nothing writes one file for an hour
_TEMPORARY = re.compile(r"\.ocrparity-(?P<place>[0-9a-f]*)-(?P<pid>[0-9]+)-[0-9a-f]+\.tmp")
_PROC = Path("/proc")


def temporary_beside(path: Path) -> Path:
    """Return where this process writes what is moved to a path once it is whole."""
    return path.parent / f".ocrparity-{_place()}-{os.getpid()}-{secrets.token_hex(4)}.tmp"


def remove_leftovers(folder: Path) -> None:
    """Remove what killed processes were writing below a folder: at once where they are known to be dead, else later.

    A process is known to be dead where its number means the same as here: on this machine, since it was started, and
    among the same processes (containers count their own). Files of elsewhere go after an hour.
    """
    with suppress(OSError):  # another process may be as tidy
        for leftover in list(folder.rglob(".ocrparity-*.tmp")):
            if _is_of_the_dead(leftover.name) or time.time() - leftover.stat().st_mtime > _LEFTOVER_SECONDS:
                leftover.unlink(missing_ok=True)


def _is_of_the_dead(name: str) -> bool:
    found = _TEMPORARY.fullmatch(name)
    if found is None or not found["place"] or found["place"] != _place():
        return False
    try:
        os.kill(int(found["pid"]), 0)
        # A worker that was killed with its run is a zombie until process 1 looks after it; a container's may never do.
        state = _PROC.joinpath(found["pid"], "stat").read_bytes().rpartition(b")")[2].split()[0]
    except (OSError, OverflowError) as error:
        return isinstance(error, ProcessLookupError)  # others say that it is somebody else's, and so alive
    return state == b"Z"


@cache
def _place() -> str:
    """Return where numbers of processes mean what they do here, or nothing where this system does not tell."""
    try:
        processes = _PROC.joinpath("self/ns/pid").stat().st_ino
        boot = _PROC.joinpath("sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""
    return hashlib.sha256(f"{boot} {processes}".encode()).hexdigest()[:12]

"""pytest-xdist's scheduler with the tests of one image as a unit. Imported only where xdist runs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from xdist.scheduler import LoadScopeScheduling

__all__ = ["ImageScheduling"]


class ImageScheduling(LoadScopeScheduling):
    """Sends the tests of an image to one worker, and every other test by itself, as the default does."""

    def __init__(self, config: Any, log: Any, images: Iterable[str]) -> None:
        """Know the images' names, of which one may be a part of another: the longest is looked for first."""
        super().__init__(config, log)
        # pytest writes what is not ASCII as escapes into test ids.
        escaped = {name.encode("unicode_escape").decode("ascii") for name in images}
        self._images = sorted(escaped, key=len, reverse=True)

    def _split_scope(self, nodeid: str) -> str:
        parameters = nodeid.partition("[")[2]
        return next((name for name in self._images if name in parameters), nodeid)

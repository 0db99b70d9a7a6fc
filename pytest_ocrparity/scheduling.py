"""pytest-xdist's scheduler with the tests of one image as a unit. Imported only where xdist runs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from xdist.scheduler import LoadScopeScheduling

from pytest_ocrparity.outcomes import image_of

__all__ = ["ImageScheduling"]


class ImageScheduling(LoadScopeScheduling):
    """Sends the tests of an image to one worker, and every other test by itself, as the default does."""

    def __init__(self, config: Any, log: Any, images: Iterable[str]) -> None:
        """Know the images' names."""
        super().__init__(config, log)
        self._images = list(images)

    def _split_scope(self, nodeid: str) -> str:
        return image_of(nodeid, self._images) or nodeid

"""pytest-xdist's scheduler with the tests of one image as a unit. Imported only where xdist runs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from xdist.scheduler import LoadScopeScheduling

from pytest_ocrparity.session.outcomes import image_of


class ImageScheduling(LoadScopeScheduling):
    """Sends the tests of an image to one worker, and every other test by itself, as the default does."""

    def __init__(self, config: Any, log: Any, images: Iterable[str]) -> None:
        """Know the images' names."""
        super().__init__(config, log)
        self._images = list(images)

    def remove_node(self, node: Any) -> str | None:
        """Take back what a worker had not run; return the test that it died of, which is not run again.

        xdist's own gives that test to the next worker, which dies of it, and hands out images that are done; a worker
        that gets such an image has nothing to report and so never gets another: the run would hang.
        """
        work = self.assigned_work.pop(node)
        left = [test for unit in work.values() for test, is_done in unit.items() if not is_done]
        for test in left[1:]:
            self.workqueue.setdefault(self._split_scope(test), {})[test] = False
        for other in list(self.assigned_work):
            self._reschedule(other)
        return left[0] if left else None

    def _reschedule(self, node: Any) -> None:
        """Give a worker more, or tell it that there is no more: it keeps its last test until it hears either."""
        if self.collection is None or node not in self.registered_collections:
            return  # it has not collected, and gets its work once it has
        super()._reschedule(node)
        if not node.shutting_down and self._pending_of(self.assigned_work[node]) < 2:
            self._reschedule(node)

    def _split_scope(self, nodeid: str) -> str:
        return image_of(nodeid, self._images) or nodeid

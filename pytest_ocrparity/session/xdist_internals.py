"""All that this plugin takes of pytest-xdist's internals: its default scheduler, and its way from worker to controller.

Where a version of xdist has other ones, tests run as xdist alone would run them, and workers are silent. Used are:

- `LoadScheduling` of `xdist.scheduler`: its methods `add_node_collection` and `_send_tests`, which alone sends tests to
  workers; its attributes `pending`, the indices of the tests that are not sent yet, and `collection_is_completed`;
- in a worker, the registered plugin `WorkerInteractor` with its method `sendevent(name, **values)`;
- in the controller, `WorkerController`, which `pytest_configure_node` gets: its method `process_from_remote`, to which
  events come once there is a `channel`, and that is after this hook; `putevent`, the queue of the main thread; and
  `workerinput`, the only one of these that xdist documents;
- `DSession`, the plugin "dsession": its `loop_once` takes `(name, values)` from that queue and calls its attribute
  `worker_<name>` with the values.

Documented by xdist and used elsewhere: its hooks, `workerinput`, `workeroutput`, `worker_id` and `node` of reports, and
the option `dist`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final

import pytest

from pytest_ocrparity.session.image_ids import ImageIds

try:
    from xdist.scheduler import LoadScheduling
except ImportError:  # a worker on another machine runs what the controller sends it
    LoadScheduling = object

_EVENT: Final = "ocrparity_line"
_IS_HEARD: Final = "ocrparity_lines_are_heard"
"""What tells a worker that it may send lines: of an event that it does not know, a controller shuts the worker down."""


class ImageScheduling(LoadScheduling):
    """xdist's default, but that the tests of one image go to one worker.

    It becomes the default, also by its class, which xdist prints under `-v`, where no image has two tests. It does so
    too where a test is collected twice: pytest can't run one item twice in a row, which would come of sorting them.
    """

    def __init__(self, config: pytest.Config, log: Any, images: ImageIds) -> None:
        """Know the images."""
        super().__init__(config, log)
        self._images = images
        self._firsts: list[int] = []
        """Of each collected test the index of the first one of its image; of one without image its own."""

    def add_node_collection(self, node: Any, collection: Sequence[str]) -> None:
        """Take what a worker collected; with the last of them it is known which tests have an image in common."""
        super().add_node_collection(node, collection)
        if self.collection_is_completed and not self._firsts:
            first_of: dict[str, int] = {}
            for index, test in enumerate(collection):
                image = self._images.image_of(test)
                self._firsts.append(index if image is None else first_of.setdefault(image, index))
            is_any_to_move = any(index != first for index, first in enumerate(self._firsts))
            if not is_any_to_move or len(set(collection)) < len(collection):
                self.__class__ = LoadScheduling

    def _send_tests(self, node: Any, num: int) -> None:
        """Send this many tests to a worker, and what else is left of the last one's image."""
        firsts, pending = self._firsts, self.pending
        if len(pending) == len(firsts):  # nothing is sent yet
            pending.sort(key=firsts.__getitem__)
        while 0 < num < len(pending) and firsts[pending[num - 1]] == firsts[pending[num]]:
            num += 1
        super()._send_tests(node, num)


def hear_xdist_lines(config: pytest.Config, node: Any, print_line: Callable[[str], None]) -> None:
    """Let a worker that is about to start send lines, which xdist's main thread prints.

    Args:
        config: the controller's.
        node: what `pytest_configure_node` gets.
        print_line: called with each line.
    """
    session = config.pluginmanager.get_plugin("dsession")
    process, put = getattr(node, "process_from_remote", None), getattr(node, "putevent", None)
    if not (hasattr(session, "loop_once") and callable(process) and callable(put)) or hasattr(node, "channel"):
        return

    def process_or_put(event: Any) -> None:
        if isinstance(event, tuple) and event[0] == _EVENT:
            put(event)
        else:
            process(event)

    node.process_from_remote = process_or_put
    setattr(session, f"worker_{_EVENT}", lambda **values: print_line(str(values.get("text", ""))))
    node.workerinput[_IS_HEARD] = True


def send_xdist_line(config: pytest.Config, text: str) -> None:
    """Send a line from this worker to the terminal of a controller that hears it."""
    if not getattr(config, "workerinput", {}).get(_IS_HEARD):
        return
    for plugin in config.pluginmanager.get_plugins():
        if callable(getattr(type(plugin), "sendevent", None)):
            with suppress(OSError):  # the controller is gone
                plugin.sendevent(_EVENT, text=text)
            return

"""Lines about work that takes a while, in the way of pytest's own progress. A plugin object."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import pytest

from pytest_ocrparity.wording import printable


class Progress:
    """Prints lines while tests run, those of xdist's workers too; none under `-q`."""

    def __init__(self, config: pytest.Config) -> None:
        """Print on this run's terminal, or on that of its controller."""
        self._config = config

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Let a worker's lines come here."""
        from pytest_ocrparity.session.xdist_internals import hear_xdist_lines

        hear_xdist_lines(self._config, node, self._print_line)

    def say(self, text: str) -> None:
        """Print a line on the terminal, from a worker on that of its controller."""
        if self._config.get_verbosity() < 0:
            return
        line = printable(f"ocrparity: {text}")
        if hasattr(self._config, "workerinput"):
            from pytest_ocrparity.session.xdist_internals import send_xdist_line

            send_xdist_line(self._config, line)
        else:
            self._print_line(line)

    def _print_line(self, line: str) -> None:
        terminal = self._config.pluginmanager.get_plugin("terminalreporter")
        if terminal is None or self._config.get_verbosity() < 0:
            return
        capture = self._config.pluginmanager.get_plugin("capturemanager")
        with capture.global_and_fixture_disabled() if capture is not None else nullcontext():
            terminal.ensure_newline()
            if self._config.get_terminal_writer().width_of_current_line:  # pytest's dots under xdist
                terminal.write_line("")
            terminal.write_line(line, flush=True)

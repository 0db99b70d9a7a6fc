"""Faults of a run as a whole, each reported as one failed test: whatever writes reports shows it, and pytest counts it.

Reports that are sent after pytest's loop has returned do not change its exit status.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from pytest_ocrparity.compare.run_verdict import Fault

FILE: Final = "ocrparity"
"""What stands in the place of a file in the ids of these reports, as "ocrparity::compared"."""
RUN_PLUGIN: Final = "ocrparity-run"
_DEAF: Final = ("lfplugin", "stepwiseplugin", RUN_PLUGIN, "session")
"""Who does not hear of faults: what keeps the ids of failed tests for the next run, which could not select these, what
counts tests, and the session, which under -x would say that it stops at one, when nothing is left to stop."""


def report_faults(session: pytest.Session, faults: Sequence[Fault]) -> None:
    """Send setup, call and teardown of a failed test for each fault. Called before `pytest_runtestloop` returns."""
    hook, plugins = session.config.hook, session.config.pluginmanager
    deaf = [plugin for name in _DEAF if (plugin := plugins.get_plugin(name)) is not None]
    send = plugins.subset_hook_caller("pytest_runtest_logreport", deaf)
    session.testscollected += len(faults)  # else pytest's progress ends beyond 100 %
    session.testsfailed += len(faults)
    names: Counter[str] = Counter()
    # Under xdist tests end in any order. A fault of this run is to have the same id in the next one.
    for fault in sorted(faults, key=lambda each: (each.name, each.sides or (), each.text)):
        names[fault.name] += 1
        name = fault.name if names[fault.name] == 1 else f"{fault.name}[{names[fault.name]}]"
        test, location, now = f"{FILE}::{name}", (FILE, None, name), time.time()
        hook.pytest_runtest_logstart(nodeid=test, location=location)
        send(report=pytest.TestReport(test, location, {}, "passed", None, "setup", start=now, stop=now))
        send(report=pytest.TestReport(test, location, {}, "failed", fault.text, "call", start=now, stop=now))
        send(report=pytest.TestReport(test, location, {}, "passed", None, "teardown", start=now, stop=now))
        hook.pytest_runtest_logfinish(nodeid=test, location=location)

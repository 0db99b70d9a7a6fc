"""The baselines that no image and no test asks for: named and removed only by a run that shows what all tests need."""

from __future__ import annotations

import fnmatch
import os
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pytest_ocrparity.session.fixtures import BASELINES, OF_GATE
from pytest_ocrparity.session.outcomes import DID_NOT_RUN
from pytest_ocrparity.wording import listed, path_from, printable

if TYPE_CHECKING:
    from pytest_ocrparity.golden.store import GoldenStore
    from pytest_ocrparity.report.document import Record
    from pytest_ocrparity.settings import Settings


def report_unused(
    session: Any, settings: Settings, store: GoldenStore, evidence: Evidence, *, lacking: str, is_faulty: bool
) -> list[str]:
    """Return what to print about unused baselines, after removing them where the run was told to.

    Args:
        session: pytest's.
        settings: the run's.
        store: its baselines.
        evidence: what its tests did.
        lacking: an image that labels name and that is not there.
        is_faulty: whether the run as a whole has failed.

    Raises:
        GoldenError: one cannot be removed.
    """
    candidates = store.not_asked_for(settings.all_image_paths(), evidence.asked)
    ours = [path for path, recorded in candidates.items() if recorded and recorded == store.ownership.settings]
    if not candidates or not (ours or settings.golden_prune):
        return ["nothing was pruned: each baseline is of an image or a test"] if settings.golden_prune else []
    reason = _missing_evidence(session, settings, evidence, lacking, is_faulty)
    if not settings.golden_prune:
        return [] if reason else [f"unused baselines (--ocr-golden-prune removes them): {_baseline_names(store, ours)}"]
    if reason:
        return [f"nothing was pruned: {reason}; so it is not known which baselines are needed"]
    store.remove(ours)
    removed = [f"removed unused baselines: {_baseline_names(store, ours)}"] if ours else []
    return [*removed, *_kept_baselines(store, {path: name for path, name in candidates.items() if path not in ours})]


def _missing_evidence(session: Any, settings: Settings, evidence: Evidence, lacking: str, is_faulty: bool) -> str:
    """Return why this run does not show which baselines are needed, or nothing where it does."""
    if settings.file is None:
        return "no settings file says which tests and images are all"
    if not evidence.asked:
        return "no test asked ocr_golden for a baseline"
    if is_faulty:
        return "this run failed"
    for pair in (pair for part in settings.parts for pair in part.images):
        if not replace(settings, images=(pair,)).image_paths():
            return f"the setting images has {pair[1]!r}, which matches no file: its images may only be missing here"
    if lacking:
        return f"the labels name {lacking}, which is not there: it may only be missing here"
    return evidence.missing(session, settings.root)


def _kept_baselines(store: GoldenStore, others: dict[Path, str | None]) -> list[str]:
    """Say of baselines that no test asked for why they stay all the same."""
    foreign = {path: name for path, name in others.items() if name}
    lines = []
    for name in sorted(set(foreign.values())):
        names = _baseline_names(store, (path for path in foreign if foreign[path] == name))
        lines.append(f"kept, as they were recorded under {printable(name)}: {names}")
    untold = [path for path, name in others.items() if not name]
    if untold:
        names = _baseline_names(store, untold)
        lines.append(
            f"kept, as they do not say under which settings they were recorded: {names}; delete by "
            "hand what you know to be yours, or record it again"
        )
    return lines


def _baseline_names(store: GoldenStore, paths: Iterable[Path]) -> str:
    return listed([printable(path.relative_to(store.folder).as_posix()) for path in paths], 5)


SAID: Final = "ocrparity_evidence"
"""Where a worker of pytest-xdist leaves what it collected."""
LIMITING: Final = {
    "ocr_images": "--ocr-images names the images of this run",
    "lf": "--lf leaves out what passed before",
    "ocr_reached": "not_reached.txt leaves out what passed before",
    "override_ini": "-o overrides what the project says of its tests",
    "noconftest": "--noconftest leaves out what conftest.py says of the tests",
    "inifilename": "-c names another configuration than the project's",
    "confcutdir": "--confcutdir leaves out what conftest.py says of the tests",
}
"""Options after which pytest itself collects less and nobody hears of it."""

_BRING_NO_TESTS: Final = frozenset(
    (
        *("cacheprovider", "capture", "debugging", "faulthandler", "junitxml", "logging", "pastebin", "recwarn"),
        *("setuponly", "setupplan", "stepwise", "terminal", "terminalprogress", "threadexception", "tmpdir"),
        *("unraisableexception", "warnings"),
        *("xdist", "xdist.looponfail", "randomly", "random_order", "rerunfailures", "timeout", "pytest_cov", "sugar"),
        *("html", "metadata", "pytest_jsonreport", "allure_pytest", "benchmark", "hypothesispytest"),
    )
)
"""Plugins without which a run has the same tests, by the names after -p: pytest's own, then those of others."""


class Evidence:
    """The tests of a run that may use our fixtures, each with how it ended; and the baselines that any asked for."""

    def __init__(self, fixtures: Collection[str]) -> None:
        """Count the tests that use one of these fixtures."""
        self.asked: set[Path] = set()
        self._fixtures = {*fixtures, *OF_GATE}
        self._items: list[Any] = []
        self._modules: set[str] = set()
        self._left_out: dict[str, str] = {}
        self._passed: list[str] = []
        """Each attempt of a test that passed."""
        self._asking: set[str] = set()
        """The tests that asked ocr_golden for something."""
        self._why: dict[str, str] = {}
        self._workers: list[Mapping[str, Any] | None] = []

    # What is collected, in the process that collects

    def pytest_itemcollected(self, item: Any) -> None:
        """Count a test before any plugin can drop it. Its id is asked for later: plugins add to ids."""
        if self._may_use(item):
            self._items.append(item)

    def pytest_collectreport(self, report: Any) -> None:
        """Note which files were collected, and which skipped or failed as a whole."""
        if report.outcome != "passed":
            self._left_out[report.nodeid] = f"was {report.outcome} as a whole"
        elif report.nodeid.endswith(".py"):
            self._modules.add(report.nodeid)

    def pytest_sessionfinish(self, session: Any) -> None:
        """Tell the controller, where this is a worker."""
        if hasattr(session.config, "workeroutput"):
            session.config.workeroutput[SAID] = self._collected_evidence(session)

    def _may_use(self, item: Any) -> bool:
        names = getattr(item, "fixturenames", ())
        if not self._fixtures.isdisjoint(names) or hasattr(item, "dtest"):  # a doctest gets fixtures by a function
            return True
        return "request" in names and _may_ask_later(item)

    def _collected_evidence(self, session: Any) -> Mapping[str, Any]:
        """Return what this process collected, in types that travel between processes."""
        collected = Counter(item.nodeid for item in self._items)
        # Plugins also add tests, or run one twice.
        kept = Counter(item.nodeid for item in getattr(session, "items", ()) if self._may_use(item))
        gate = [item.nodeid for item in self._items if not OF_GATE.keys().isdisjoint(getattr(item, "fixturenames", ()))]
        return {
            "tests": dict(collected | kept),
            "gate": gate,
            "modules": sorted(self._modules),
            "left_out": self._left_out,
        }

    # What is reported, in the process that hears of all tests

    def hear_worker(self, node: Any) -> None:
        """Take what a worker said at its end; one that died said nothing."""
        self._workers.append(getattr(node, "workeroutput", {}).get(SAID))

    def take(self, records: Sequence[Record]) -> None:
        """Take what an attempt of a test left, be it the last or not."""
        from pytest_ocrparity.report.document import Asked

        self.asked |= {Path(record.path) for record in records if isinstance(record, Asked)}

    def hear(self, test: str, flaw: str, records: Sequence[Record]) -> None:
        """Take the end of a test: why it did not pass, and the records of its last attempt."""
        if flaw:
            self._why[test] = flaw
            return
        if records:  # this runs for every test of every suite
            from pytest_ocrparity.report.document import Asked, Used

            taken = [each.fixture for each in records if isinstance(each, Used) and each.fixture in BASELINES]
            if any(isinstance(record, Asked) for record in records):
                self._asking.add(test)
            elif taken:
                # It might, under other options, or did in a process of its own.
                self._why[test] = f"took {taken[0]} and asked it for nothing here"
                return
        self._passed.append(test)

    # What it comes to

    def missing(self, session: Any, root: Path) -> str:
        """Return why this run does not show what all tests below `root` ask for, or nothing where it does.

        Args:
            session: pytest's, of the process that hears of all tests.
            root: the folder of the settings file.
        """
        config = session.config
        option = next((text for name, text in LIMITING.items() if getattr(config.option, name, None)), "")
        option = option or _plugin_left_out(config)
        if option or not _is_whole(config, root):
            return option or f"this run is of a part of the project: run it from {root}, without naming paths"
        if session.exitstatus != 0 or session.testsfailed or session.shouldstop or session.shouldfail:
            return "this run failed or was cut short"
        has_workers = config.pluginmanager.hasplugin("dsession")
        said = self._workers if has_workers else [self._collected_evidence(session)]
        known = [each for each in said if each is not None]
        if not said or len(known) < len(said):
            return "a worker of this run did not say what it collected"
        return _file_left_out(known, config) or self._test_left_out(known, config)

    def _test_left_out(self, said: Sequence[Mapping[str, Any]], config: Any) -> str:
        expected: Counter[str] = Counter()
        for each in said:
            tests: Counter[str] = Counter(each["tests"])
            # Workers collect the same tests, and share them out; or each runs them all.
            expected = expected + tests if config.getoption("dist", "no") == "each" else expected | tests
        if not expected:
            return "no test of it was counted"
        passed = Counter(self._passed)
        unproved = [test for test, count in expected.items() if passed[test] < count]
        left = {test: self._why.get(test, DID_NOT_RUN) for test in unproved}
        gate = [test for each in said for test in each["gate"] if test not in self._asking and passed[test]]
        left |= dict.fromkeys(gate, "compared with the live model, and asks for baselines under --ocr-golden only")
        if not left:
            return ""
        test, why = next(iter(left.items()))
        return f"{test} {why}" + (f" (and {len(left) - 1} more)" if len(left) > 1 else "")


def _may_ask_later(item: Any) -> bool:
    """Tell whether a test, or a fixture of it that is not pytest's, can get any other fixture while it runs."""
    info = getattr(item, "_fixtureinfo", None)
    if info is None or "request" in info.argnames:
        return True
    definitions = (definition for found in info.name2fixturedefs.values() for definition in found)
    return any(
        "request" in definition.argnames and not str(getattr(definition.func, "__module__", "")).startswith("_pytest.")
        for definition in definitions
    )


def _plugin_left_out(config: Any) -> str:
    """Return which plugin this call left out that may bring tests; what the project's addopts leave out is no matter.

    A plugin collects files, and parametrizes tests, of which nobody hears without it.
    """
    blocked = [name for name in getattr(config.option, "plugins", None) or () if name.startswith("no:")]
    for name in blocked:
        is_the_projects = any(word.endswith(name) for word in config.getini("addopts"))
        if name.removeprefix("no:") not in _BRING_NO_TESTS and not is_the_projects:
            return f"-p {name} leaves out a plugin, which may bring tests"
    option = "--disable-plugin-autoload"
    is_typed = getattr(config.option, "disable_plugin_autoload", False) and option not in config.getini("addopts")
    if is_typed or os.environ.get("PYTEST_DISABLE_PLUGIN_AUTOLOAD"):
        return f"{option} or PYTEST_DISABLE_PLUGIN_AUTOLOAD leaves out plugins, which may bring tests"
    return ""


def _is_whole(config: Any, root: Path) -> bool:
    """Tell whether the paths of a run are all of the project: its settings' folder, or the testpaths set there."""
    root = Path(os.path.realpath(root))
    if config.args_source.name == "TESTPATHS":
        return config.inipath is not None and root.samefile(config.inipath.parent)
    return any(root.is_relative_to(os.path.realpath(path)) for path in _paths_given(config))


def _paths_given(config: Any) -> list[Path]:
    """Return the paths that a run is of as a whole, and not by single tests of them."""
    return [config.invocation_params.dir / argument for argument in config.args if "::" not in argument]


def _file_left_out(said: Sequence[Mapping[str, Any]], config: Any) -> str:
    """Name a file that was skipped, or that nothing was collected of although the project's patterns mean it."""
    for each in said:
        for name, why in each["left_out"].items():
            return f"{name} {why}"
    collected = {os.path.realpath(config.rootpath / name) for each in said for name in each["modules"]}
    for path in _test_files(config):
        if os.path.realpath(path) not in collected:
            name = path_from(config.rootpath, path)
            return f"{name} was not collected (where it is no test of this project, norecursedirs may name its folder)"
    return ""


def _test_files(config: Any) -> Iterator[Path]:
    """Find the test files below the paths of a run by the project's patterns, whatever a plugin or a conftest says."""
    patterns, passed_over = config.getini("python_files"), config.getini("norecursedirs")
    for start in _paths_given(config):
        for folder, folders, files in os.walk(start):
            here = Path(folder)
            folders[:] = [name for name in folders if not _is_passed_over(here / name, passed_over)]
            yield from (here / name for name in files if name.endswith(".py") and _is_like(here / name, patterns))


def _is_passed_over(folder: Path, patterns: Sequence[str]) -> bool:
    is_environment = (folder / "pyvenv.cfg").is_file() or (folder / "conda-meta" / "history").is_file()
    return folder.name == "__pycache__" or is_environment or _is_like(folder, patterns)


def _is_like(path: Path, patterns: Sequence[str]) -> bool:
    """Tell whether a name, or for a pattern with a folder the path, is of one of the patterns."""
    names = ((str(path), f"*/{each}") if "/" in each else (path.name, each) for each in patterns)
    return any(fnmatch.fnmatch(name, pattern) for name, pattern in names)

"""One pytest run: its settings, what its tests compared, its verdict and its table. Registered as a plugin object."""

from __future__ import annotations

import importlib.metadata
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_ocrparity import settings as settings_module
from pytest_ocrparity.errors import OcrParityError, SettingsError
from pytest_ocrparity.settings import Settings
from pytest_ocrparity.sink import diagnosis_memory, verdict_sink
from pytest_ocrparity.tolerance import Tolerance, current_tolerance

if TYPE_CHECKING:
    from pytest_ocrparity.diagnose.memory import Memory
    from pytest_ocrparity.golden import GoldenStore
    from pytest_ocrparity.tally import Record, Tally
    from pytest_ocrparity.verdict import Comparison

__all__ = ["RUN", "Run", "pass_errors_on"]

FIXTURES = ("ocr_train_model", "ocr_inference_model", "ocr_golden", "ocr_image")
PROPERTY = "ocrparity.record"
"""The name under which records travel in `report.user_properties`, each as JSON text, which JUnit XML shows whole."""

CV2 = ("opencv-python", "opencv-contrib-python", "opencv-python-headless", "opencv-contrib-python-headless")


@contextmanager
def pass_errors_on() -> Iterator[None]:
    """Turn our own errors in a fixture into pytest's, whose text stands without a traceback through our code."""
    try:
        yield
    except OcrParityError as error:
        raise pytest.fail.Exception(str(error), pytrace=False) from None


class Run:
    """What one run knows. The controller's collects the reports of every worker."""

    def __init__(self, config: pytest.Config) -> None:
        """Read the settings. Raises SettingsError where one means nothing."""
        self.config = config
        self.records: dict[str, list[Record]] = {}
        self.faults: list[str] = []
        self.notes: list[str] = []
        self._item: pytest.Item | None = None
        self.two_projects = ""
        self.settings = settings_module.load(self._file(), vars(config.option), config.invocation_params.dir)

    def _file(self) -> Path | None:
        """Return the settings file: the one that was named, else the nearest upward from what all paths share."""
        folder = self.config.invocation_params.dir
        named = self.config.getoption("ocr_config")
        if named:
            if not (folder / named).is_file():
                raise SettingsError(f"--ocr-config={named}: no such file")
            return Path(folder / named).resolve()
        paths = [Path(os.path.normpath(folder / arg.split("::")[0])) for arg in self.config.args]
        paths = [path for path in paths if path.exists()] or [folder]
        common = Path(os.path.commonpath(paths))
        found = settings_module.find_file(common if common.is_dir() else common.parent)
        if found is None and len(paths) > 1:
            files = {settings_module.find_file(path if path.is_dir() else path.parent) for path in paths}
            told = ", ".join(sorted(str(file) for file in files if file))
            several = "belong to several projects" if len(files - {None}) > 1 else "do not all belong to a project"
            self.two_projects = f"the given paths {several} ({told})" if told else ""
        return found

    def need_settings(self) -> Settings:
        """Return the settings, or raise where a fixture needs them and there are none."""
        if not self.settings.is_set:
            where = self.config.invocation_params.dir
            raise SettingsError(
                f"no ocrparity settings: {self.two_projects or f'no [tool.ocrparity] from {where} upward'}; "
                "write one with images, train and inference (README, first lines), or pass --ocr-config=FILE"
            )
        return self.settings

    def image_parameters(self) -> list[Any]:
        """Return a parameter per image, or one whose setup fails: an empty list would be a silent skip."""
        try:
            settings = self.need_settings()
        except SettingsError as error:
            return [pytest.param(error, id="no-settings")]
        paths = settings.image_paths()
        if not paths:
            return [pytest.param(SettingsError(settings.no_image()), id="no-image")]
        # The smallest first: a failure is diagnosed on the first image that shows it, and experiments cost by size.
        paths.sort(key=lambda path: path.stat().st_size if path.is_file() else 0)
        return [pytest.param(path, id=settings.image_name(path)) for path in paths]

    def tolerance_of(self, item: pytest.Item) -> Tolerance:
        """Return a test's tolerance: the run's, with its markers on top, the closest last.

        Raises:
            SettingsError: a marker has an unknown preset, stage or limit.
        """
        tolerance = self.settings.tolerance
        for marker in reversed(list(item.iter_markers("ocr_tolerance"))):
            if len(marker.args) > 1 or (marker.args and "preset" in marker.kwargs):
                raise SettingsError(f"ocr_tolerance takes one preset, not {(*marker.args, *marker.kwargs)!r}")
            if not marker.args and not marker.kwargs:
                raise SettingsError("ocr_tolerance() sets nothing: give it a preset or limits")
            preset = {"preset": marker.args[0]} if marker.args else {}
            tolerance = tolerance.override({**preset, **marker.kwargs}, "marker")
        return tolerance

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_make_scheduler(self, config: pytest.Config, log: Any) -> Any:
        """Keep the tests of an image on one worker, so that each model runs once per image.

        Only in place of xdist's default distribution: one that the user chose is kept. (Its own loadgroup needs
        workers that know of it, and those parse the typed arguments again.)
        """
        if not self.settings.is_set or config.getoption("dist") != "load":
            return None
        from pytest_ocrparity.scheduling import ImageScheduling

        names = [self.settings.image_name(path) for path in self.settings.image_paths()]
        return ImageScheduling(config, log, names)

    @contextmanager
    def listening_to(self, item: pytest.Item) -> Iterator[None]:
        """Set a test's tolerance and hear what its assertions find; restore both, as runs can nest."""
        before, self._item = self._item, item
        tolerance = current_tolerance.set(lambda: self.tolerance_of(item))
        sink = verdict_sink.set(self._hear)
        memory = diagnosis_memory.set(lambda: self.diagnoses)
        try:
            yield
        finally:
            diagnosis_memory.reset(memory)
            verdict_sink.reset(sink)
            current_tolerance.reset(tolerance)
            self._item = before

    def forget(self, item: pytest.Item) -> None:
        """Drop what an earlier attempt of this test left: reruns count once."""
        item.user_properties[:] = [found for found in item.user_properties if found[0] != PROPERTY]

    def note(self, what: str, **values: Any) -> None:
        """Leave a record in the report of the running test."""
        assert self._item is not None  # fixtures and assertions run inside a test
        self._item.user_properties.append((PROPERTY, json.dumps({"what": what, **values})))

    def _hear(self, comparison: Comparison) -> None:
        self.note("compared", **comparison.as_json())

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Collect what tests left in their reports, wherever they ran."""
        if report.when == "teardown":
            texts = [str(value) for name, value in report.user_properties if name == PROPERTY]
            self.records[report.nodeid] = [json.loads(text) for text in texts]  # a rerun's in place of its first's

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Fail a run that compared nothing, or whose boxes drifted further than a run's may."""
        option = self.config.option
        is_run = not (option.collectonly or getattr(option, "setuponly", False) or getattr(option, "setupplan", False))
        is_asked = any(self.records.values()) or self.settings.golden_mode or self.settings.golden_prune
        if hasattr(self.config, "workerinput") or not is_run or not is_asked:
            return
        self.faults = self.tally.faults(
            allow_empty=self.settings.allow_empty,
            is_recording=self.settings.golden_mode is not None,
        )
        try:
            self.notes = self._unused(session)
        except OcrParityError as error:
            self.faults.append(str(error))
        if session.testsfailed and (self.settings.train or self.settings.inference):
            from pytest_ocrparity.pipelines.statics import static_findings

            # Also where a model did not load, and so before any experiment.
            found = static_findings(self.settings.train, self.settings.inference)
            self.notes += [f"in the files: {finding}" for finding in found]
        if self.faults and session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Print the table, once, from the controller."""
        lines = self.tally.table(per_image=self.config.get_verbosity() > 0) if any(self.records.values()) else []
        lines += self.notes
        if not lines and not self.faults:
            return
        terminalreporter.section("ocrparity", sep="-")
        for line in lines:
            terminalreporter.line(line)
        for fault in self.faults:
            terminalreporter.line(f"FAILED {fault}", red=True, bold=True)

    @cached_property
    def goldens(self) -> GoldenStore:
        """The run's baselines: what one run recorded is no matter of the next, even in one process."""
        from pytest_ocrparity.models import golden_store

        return golden_store(self.need_settings())

    @cached_property
    def diagnoses(self) -> Memory:
        """What this run has diagnosed so far."""
        from pytest_ocrparity.diagnose.memory import Memory

        return Memory(self.settings.diagnosis_seconds)

    @property
    def tally(self) -> Tally:
        """What the run's tests left, ready to be added up."""
        from pytest_ocrparity.tally import Tally

        return Tally(self.records)

    def _unused(self, session: pytest.Session) -> list[str]:
        """Report the baselines that no glob matches and no test asked for, or remove them when told to.

        Raises:
            GoldenError: one cannot be removed.
        """
        settings = self.settings
        asked = [Path(record["path"]) for record in self.tally.all("golden")]
        if not asked:
            return ["nothing was pruned: no test asked ocr_golden for a baseline"] if settings.golden_prune else []
        store = self.goldens
        unused = [path.relative_to(store.folder).as_posix() for path in store.unused(settings.image_paths(), asked)]
        if not unused or (self.config.option.ocr_images and not settings.golden_prune):
            return []
        names = ", ".join(unused[:5]) + (f" and {len(unused) - 5} more" if len(unused) > 5 else "")
        if not settings.golden_prune:
            return [f"unused baselines (--ocr-golden-prune removes them): {names}"]
        if refusal := self._partial(session):
            return [f"not pruned, {refusal}: {names}"]
        store.prune(settings.image_paths(), asked)
        return [f"removed unused baselines: {names}"]

    def _partial(self, session: pytest.Session) -> str:
        """Return why this run cannot know which baselines are unused, or nothing."""
        option = self.config.option
        for name in ("keyword", "markexpr", "lf", "failedfirst", "deselect", "ignore", "ignore_glob", "ocr_images"):
            if getattr(option, name, None):
                return f"this run is limited by {name}"
        folder = self.config.invocation_params.dir
        if any(not self.settings.root.is_relative_to(path) for path in self._given(folder)):
            return "this run is limited to a part of the project"
        if session.testsfailed or self.faults:
            return "this run failed"
        reporter = self.config.pluginmanager.get_plugin("terminalreporter")
        stats = getattr(reporter, "stats", {})
        left_out = next((word for word in ("deselected", "skipped") if stats.get(word)), None)
        return f"this run has {left_out} tests" if left_out else ""

    def _given(self, folder: Path) -> list[Path]:
        """Return the paths that were typed, test ids cut off; those of `testpaths` are the whole project."""
        if self.config.args_source is not pytest.Config.ArgsSource.ARGS:
            return []
        return [Path(os.path.normpath(folder / arg.partition("::")[0])) for arg in self.config.args]

    def header(self) -> list[str]:
        """Return the versions under test from their metadata, and the settings file."""
        if not self.settings.is_set:
            return []
        frameworks = {name: _version(name) for name in ("paddlepaddle", "paddlepaddle-gpu", "paddleocr", "paddlex")}
        versions = [f"{name} {version}" for name, version in frameworks.items() if version]
        cv2 = {name: version for name in CV2 if (version := _version(name))}
        versions.append(f"cv2 {', '.join(sorted(set(cv2.values()))) or 'not installed'}")
        lines = [
            f"ocrparity: {self.settings.file or 'settings from the command line'}",
            f"ocrparity: {', '.join(versions)}",
        ]
        if len(set(cv2.values())) > 1:
            told = ", ".join(f"{name} {version}" for name, version in cv2.items())
            lines.append(
                f"ocrparity: WARNING: several cv2 versions overwrite each other ({told}); "
                f"install one version of all: pip install opencv-python-headless=={cv2.get(CV2[1]) or '...'}"
            )
        return lines


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


RUN = pytest.StashKey[Run]()

"""One pytest run: its settings, and what its tests leave. A plugin object; what becomes of it is in `ending`."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache, cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_ocrparity import settings as settings_module
from pytest_ocrparity.context import Context, context_test_id, running
from pytest_ocrparity.errors import GoldenError, OcrParityError, OptionError, ReportError, SettingsError
from pytest_ocrparity.session.caught import MARKER
from pytest_ocrparity.session.fixtures import FIXTURES, errors_as_fixture_failures, fixture_place, fixture_value
from pytest_ocrparity.session.kept_records import KeptRecords
from pytest_ocrparity.session.label_book import LabelBook
from pytest_ocrparity.session.outcomes import RED
from pytest_ocrparity.session.parametrized import empty_parametrization, is_marked, parametrized_candidate
from pytest_ocrparity.session.preflight import Preflight, needs_preflight
from pytest_ocrparity.session.progress import Progress
from pytest_ocrparity.session.pruning import Evidence
from pytest_ocrparity.session.recorder import ATTRIBUTE, Recorder, records_of_item
from pytest_ocrparity.session.tasks import task_of_files, task_of_test
from pytest_ocrparity.session.worst import OUTPUT, Worst
from pytest_ocrparity.settings import Settings
from pytest_ocrparity.settings.settings_file import Project, find_shared_settings_file
from pytest_ocrparity.stages import DETECTION, Task
from pytest_ocrparity.tolerance import Tolerance

if TYPE_CHECKING:
    from pytest_ocrparity.golden.store import GoldenStore
    from pytest_ocrparity.report.document import Record, RecordedComparison
    from pytest_ocrparity.report.table import Tally
    from pytest_ocrparity.session.publishing import Reporting
    from pytest_ocrparity.settings.candidates import Candidate


def skip_without_train(*args: object, **kwargs: object) -> None:
    """Skip a test that needs what `--ocr-no-train` does without."""
    pytest.skip("--ocr-no-train: this test needs the train model")


class Run:
    """What one run knows. The controller's collects the reports of every worker."""

    def __init__(self, config: pytest.Config) -> None:
        """Read the settings.

        Raises:
            OptionError: an option that was typed means nothing, in a call that runs tests.
        """
        self.config = config
        self.is_worker = hasattr(config, "workerinput")
        """Whether this is a process of pytest-xdist's, whose controller hears of all tests."""
        self.error: SettingsError | None = None
        """What is wrong with the settings, for tests that use us; the run goes on as if there were none."""
        self.records = KeptRecords()
        self.project = Project(None)
        self.expected = 0
        """How many tests the workers of xdist are to run."""
        self.evidence = Evidence(FIXTURES)
        folder = config.invocation_params.dir
        try:
            self.settings = settings_module.load_settings(self._settings_file(), vars(config.option), folder)
        except SettingsError as error:
            if isinstance(error, OptionError) and needs_preflight(config):
                raise
            self.error, self.settings = error, settings_module.load_settings(None, {}, folder)
        # These are called, as pytest 8.0 reads every attribute of a plugin when it is registered.
        self.known_task: Callable[[], Task | None] = cache(lambda: task_of_files(self.settings))
        """Returns the task of a project of one, as its files say it that were there when this was first called."""
        self.tally: Callable[[], Tally] = cache(self._tally)
        """Returns what the run's tests left, ready to be added up: called once they have ended."""
        self.labels = LabelBook(self.known_task)
        self.settings = self.labels.naming_images(self.settings)
        self.preflight = Preflight(self)
        self.recorder = Recorder(self.settings, self.labels)
        self._context = Context(self._limits_of_test, self.recorder, self._rerun_command)
        self.progress = Progress(config)
        self.recorder.say = self.progress.say
        self.worst: list[Worst] = []
        self.stores: dict[str, GoldenStore] = {}
        self._images: tuple[Any, dict[str, list[Any]]] | None = None
        """The module whose tests were parametrized last, and the parameters of the images that were there, by task."""

    def _settings_file(self) -> Path | None:
        """Return the settings file: the one that was named, else the nearest upward from what all paths share."""
        folder = self.config.invocation_params.dir
        named = self.config.getoption("ocr_config")
        if named:
            if not (folder / named).is_file():
                raise OptionError(f"--ocr-config={named}: no such file")
            return Path(os.path.normpath(folder / named))  # paths start at a link's own folder, as with pytest's -c
        paths = [Path(os.path.normpath(folder / arg.split("::")[0])) for arg in self.config.args]
        self.project = find_shared_settings_file(
            [path for path in paths if path.exists()] or [folder], self.config.rootpath
        )
        return self.project.file

    def need_settings(self) -> Settings:
        """Return the settings, or raise where a fixture needs them and they are wrong, or there are none."""
        if self.error is not None:
            raise self.error
        if not self.settings.is_set:
            where = self.config.invocation_params.dir
            why = self.project.why_none or f"no [tool.ocrparity] from {where} upward"
            raise SettingsError(
                f"no ocrparity settings: {'; '.join([why, *self.project.passed_over])}; "
                "`python -m pytest_ocrparity init` writes one; or pass --ocr-config=FILE"
            )
        return self.settings

    def image_parameters(self, metafunc: pytest.Metafunc) -> list[Any]:
        """Return a parameter per image, or one whose setup fails: an empty list would be a silent skip."""
        settings = self.settings_of(metafunc.definition)
        if self._images is None or self._images[0] is not metafunc.module:  # whose import may have made some
            self._images = metafunc.module, {}
        if settings.prefix not in self._images[1]:
            self._images[1][settings.prefix] = _found_images(settings)
        images = self._images[1][settings.prefix]
        refused = self.preflight.in_place_of_images(metafunc, has_images=bool(images))
        return images if refused is None else [refused]

    def settings_of(self, test: Any) -> Settings:
        """Return the settings of a test: in a project of both tasks those of its own."""
        if self.settings.recognition is None:
            return self.settings
        return self.settings.of_task(task_of_test(test).name)

    def tolerance_of(self, item: pytest.Item) -> Tolerance:
        """Return a test's tolerance: its candidate's or the run's, with its markers on top, the closest last.

        Raises:
            SettingsError: a marker has an unknown preset, stage or limit.
        """
        name, settings = parametrized_candidate(item), self.settings_of(item)
        tolerance = settings.candidates[name].tolerance if name else settings.tolerance
        for marker in reversed(list(item.iter_markers("ocr_tolerance"))):
            if len(marker.args) > 1 or (marker.args and "preset" in marker.kwargs):
                raise SettingsError(f"ocr_tolerance takes one preset, not {(*marker.args, *marker.kwargs)!r}")
            if not marker.args and not marker.kwargs:
                raise SettingsError("ocr_tolerance() sets nothing: give it a preset or limits")
            preset = {"preset": marker.args[0]} if marker.args else {}
            tolerance = tolerance.override({**preset, **marker.kwargs}, "marker")
        return tolerance

    def check_marker(self, item: pytest.Item) -> None:
        """Raise SettingsError where a test's marker has an unknown preset, stage or limit."""
        if is_marked(item, "ocr_tolerance"):
            self.tolerance_of(item)

    def _limits_of_test(self) -> Tolerance:
        """Return the limits by which a test's assertions judge. Raises SettingsError where the settings are wrong."""
        if self.error is not None:
            raise self.error
        # A marker added late, or on a unittest.TestCase, was not checked at collection.
        with errors_as_fixture_failures():
            return self.tolerance_of(self.running_item())

    @pytest.hookimpl(optionalhook=True, trylast=True)
    def pytest_xdist_make_scheduler(self, config: pytest.Config, log: Any) -> Any:
        """Keep the tests of an image on one worker, so that each model runs once per image.

        Only in place of xdist's default distribution: one that the user chose is kept. (Its own loadgroup needs
        workers that know of it, and those parse the typed arguments again.)
        """
        if not self.settings.is_set or config.getoption("dist") != "load":
            return None
        from pytest_ocrparity.session.image_ids import ImageIds
        from pytest_ocrparity.session.xdist_internals import ImageScheduling

        images = ImageIds(self.settings.image_name(path) for path in self.settings.all_image_paths())
        return ImageScheduling(config, log, images) if images else None

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: Sequence[str]) -> None:
        """Hear which tests are to run: xdist's distributions by scope run one that is collected twice once."""
        is_by_scope = self.config.getoption("dist") in ("loadscope", "loadfile", "loadgroup")
        self.expected = len(set(ids) if is_by_scope else ids)

    @contextmanager
    def without_train(self, fixturedef: Any) -> Iterator[None]:
        """Skip the test that sets up a train model, overridden or not, where `--ocr-no-train` does without.

        The fixture itself skips, as pytest keeps in mind how it ended.
        """
        if not fixturedef.argname.startswith("ocr_train_") or not self.settings.no_train:
            yield
            return
        function, fixturedef.func = fixturedef.func, skip_without_train
        try:
            yield
        finally:
            fixturedef.func = function

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, Any, Any]:
        """Let assertions know the test's tolerance, and hear what they find, from setup to teardown; runs can nest."""
        before, self.recorder.item = self.recorder.item, item
        try:
            with running(self._context):
                return (yield)
        except BaseException as error:  # Ctrl-C, or pytest.exit(): no report takes along what the test left so far
            self._keep_unreported(item, error)
            raise
        finally:
            self.recorder.item = before

    def _keep_unreported(self, item: pytest.Item, error: BaseException) -> None:
        """Keep what a test left that ends the run; a worker of xdist has no way to send it."""
        self.recorder.raised.end_without_reports(error)
        if not self.is_worker and (records := self.recorder.take(item)):
            self._begin_report()
            self.evidence.take(records)
            self.records.add(item.nodeid, records)

    def _begin_report(self) -> None:
        """Begin the report of a run that is judged, where anything is found that is for it."""
        if self.is_judged():
            with suppress(ReportError):  # the report's end says it: an error here would end pytest in the middle
                self.reporting.begin()

    def _rerun_command(self, image: str) -> str:
        from pytest_ocrparity.session.rerun import rerun_command

        test = context_test_id()
        settings = self.settings if self.recorder.item is None else self.settings_of(self.recorder.item)
        return rerun_command(self.config, settings, test, image) if test else ""

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
        """Hear what left the test, and note what it caught; show where the pictures of a failed test are."""
        report = yield
        if call.excinfo is not None:
            self._hear_error(item, call, report, call.excinfo.value)
        if call.when == "teardown" and (records := self.recorder.take(item)):
            from pytest_ocrparity.report.document import pack_document_part

            setattr(report, ATTRIBUTE, pack_document_part(records))
        if report.failed and call.when == "call" and self.settings.report_dir is not None:
            from pytest_ocrparity.report.pictures.album import album_lines
            from pytest_ocrparity.session.digest import OWN_SECTION

            compared, start = _compared_records(records_of_item(item).records), self.config.invocation_params.dir
            if lines := album_lines(compared, self.settings.report_dir, start):
                report.sections.append((OWN_SECTION, "\n".join(lines)))
        return report

    def _hear_error(
        self, item: pytest.Item, call: pytest.CallInfo[None], report: pytest.TestReport, error: BaseException
    ) -> None:
        """Take what ended a phase of a test, or a part of one.

        A test of ours that pytest skips, or calls an expected failure, because its parameter has no value is a failure:
        nothing was compared.
        """
        is_left_out = isinstance(error, (pytest.skip.Exception, pytest.xfail.Exception))
        if call.when == "setup" and is_left_out and (text := empty_parametrization(item, str(error))):
            report.outcome, report.longrepr = "failed", text
            vars(report).pop("wasxfail", None)
        # Who skips, or calls pytest.xfail(), after catching a difference has turned it into something else.
        is_a_skip = report.skipped and not hasattr(report, "wasxfail")
        if not is_a_skip and not isinstance(error, pytest.xfail.Exception):
            self.recorder.raised.leave(error)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_teardown(self, nextitem: pytest.Item | None) -> None:
        """Run in batches what was compared, after the last test of this process and before its fixtures end."""
        if nextitem is None:
            self.recorder.run_batches()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, Any, Any]:
        """Note what a test shares with others; fail one that expects a difference where nothing differed."""
        self.recorder.note_shared_fixtures(item)
        raised = self.recorder.raised
        if hasattr(item, "addExpectedFailure"):
            with raised.hearing_expected_failures(item):
                result = yield
        else:
            result = yield
        if is_marked(item, MARKER) and not raised.has_any and not raised.is_recording:
            pytest.fail(f"marked {MARKER}, and no assertion of ocrparity failed in it", pytrace=False)
        return result

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> Generator[None, Any, Any]:
        """Collect what tests left in their reports, wherever they ran; reporters see the metrics of it."""
        if self.is_worker:
            try:
                return (yield)
            finally:
                vars(report).pop(ATTRIBUTE, None)  # it was sent, and pytest keeps the reports of all tests
        found: list[Record] = []
        if data := vars(report).pop(ATTRIBUTE, None):  # before any other plugin writes the report down
            from pytest_ocrparity.report.document import unpack_document_records

            found = unpack_document_records(data)
        outcomes = self.reporting.outcomes
        flaw = outcomes.hear(report)
        if found or (outcomes.has_crashed and self.settings.is_set):
            self._begin_report()
        if found:
            self.evidence.take(found)
        if flaw is not None:
            self.evidence.hear(report.nodeid, flaw, found)
            if found:
                self.records.add(report.nodeid, found)
                if not flaw:
                    self.reporting.not_reached.leave_out(report.nodeid, found)
        if not found:
            return (yield)
        from pytest_ocrparity.session.metrics import metric_properties

        lent = metric_properties(found)
        report.user_properties += lent
        try:
            return (yield)
        finally:  # pytest keeps the reports of all tests
            lent_ids = set(map(id, lent))
            report.user_properties = [each for each in report.user_properties if id(each) not in lent_ids]

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Hear what a worker collected, and what it found on its worst images."""
        self.evidence.hear_worker(node)
        if data := getattr(node, "workeroutput", {}).get(OUTPUT):
            from pytest_ocrparity.report.document import unpack_document_part

            self.worst += unpack_document_part(data, list[Worst])

    def pytest_sessionstart(self) -> None:
        """Refuse a folder that is not the report's, before anything runs."""
        if self.settings.is_set and self.is_judged():
            try:
                self.reporting.check()
                if self.config.getoption("ocr_report"):  # of this very run, and not of each that uses our fixtures
                    self.reporting.begin()
            except OcrParityError as error:
                raise pytest.UsageError(str(error)) from error

    def is_judged(self) -> bool:
        """Tell whether tests run and this process hears of all of them."""
        is_run = needs_preflight(self.config) and not getattr(self.config.option, "setuponly", False)
        return is_run and not self.is_worker

    @property
    def goldens(self) -> GoldenStore:
        """The baselines of the running test, or of no test in particular."""
        task = DETECTION if self.recorder.item is None else task_of_test(self.recorder.item)
        return self.goldens_of(task.name)

    def goldens_of(self, task: str) -> GoldenStore:
        """Return the run's baselines of a task: what one run recorded is no matter of the next, even in one process."""
        from pytest_ocrparity.session.models import golden_store_of_models

        settings = self.need_settings().of_task(task)
        if settings.prefix not in self.stores:
            self.stores[settings.prefix] = golden_store_of_models(settings)
        return self.stores[settings.prefix]

    def reference_model(self) -> Any:
        """Return the model that baselines are recorded from, as the folder of the running test has it.

        Of several candidates the first is the reference, whichever the test runs.
        """
        if self._records_from_the_first_candidate():
            from pytest_ocrparity.session.models import inference_model

            return inference_model(self.settings_of(self.running_item()))
        return fixture_value(self.running_item(), f"ocr_{self.goldens.reference}_model")

    def reference_fixture(self) -> str:
        """Return where the fixture of that model lies, without setting it up."""
        from pytest_ocrparity.golden.ownership import OF_THE_SETTINGS

        if self._records_from_the_first_candidate():
            return OF_THE_SETTINGS
        return fixture_place(self.running_item(), f"ocr_{self.goldens.reference}_model", self.settings.root)

    def _records_from_the_first_candidate(self) -> bool:
        return self.goldens.reference == "inference" and bool(parametrized_candidate(self.running_item()))

    def running_item(self) -> pytest.Item:
        """Return the test that runs. Raises GoldenError where none does."""
        if self.recorder.item is None:
            raise GoldenError("ocr_golden.trace() was called while no test ran: call it in a test or a fixture")
        return self.recorder.item

    @cached_property
    def reporting(self) -> Reporting:
        """Where a report is made."""
        from pytest_ocrparity.session.not_reached import NotReached
        from pytest_ocrparity.session.publishing import Reporting

        typed = self.config.invocation_params
        passed = self.config.getoption("ocr_reached") or []
        runs_each = self.config.getoption("dist", "no") == "each"
        not_reached = NotReached([str(word) for word in typed.args], typed.dir, passed, runs_each=runs_each)
        return Reporting(self.settings, not_reached, typed.dir, self.config.rootpath)

    def _tally(self) -> Tally:
        from pytest_ocrparity.report.table import Tally
        from pytest_ocrparity.session.collecting import comparison_with_test

        return Tally(self.records, partial(comparison_with_test, self.reporting.outcomes))

    def note_files(self, candidate: Candidate | None, model: Any) -> None:
        """Note the inference.yml that was loaded, and of a user's function the folder: no setting names it."""
        from pytest_ocrparity.session.models import config_of_candidate

        if candidate is None:
            return
        if "factory" in candidate.values:
            self.recorder.note("loads", side=candidate.name, folder=os.path.abspath(model.model_dir))  # noqa: PTH100
        self.recorder.note_config(candidate.name, config_of_candidate(candidate.values))

    def have_all_failed(self) -> bool:
        """Tell whether every test that used something of ours has failed."""
        heard = (self.reporting.outcomes.get(test) for test in self.records)
        return bool(self.records) and all(outcome is not None and outcome.outcome in RED for outcome in heard)


def _found_images(settings: Settings) -> list[Any]:
    """Return a parameter for each image that is there, whose id is its name."""
    paths = settings.image_paths()
    # The smallest first: a failure is diagnosed on the first image that shows it, and experiments cost by size.
    paths.sort(key=lambda path: path.stat().st_size if path.is_file() else 0)
    return [pytest.param(path, id=settings.image_name(path)) for path in paths]


def _compared_records(records: Sequence[Record]) -> Iterator[RecordedComparison]:
    """Yield what the assertions of a test judged, and what a failure compared besides."""
    from pytest_ocrparity.report.document import Compared, Failed

    for record in records:
        if isinstance(record, Compared):
            yield record.comparison
        elif isinstance(record, Failed):
            yield from record.others


RUN = pytest.StashKey[Run]()

"""What stops a test of ours before a model loads: wrong settings, and what they name that is not there.

All of it is said at once, and once per process: a later test with the same faults refers to the first. Settings that
are wrong stop a run that uses us, and no other call of pytest.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

import pytest

from pytest_ocrparity.errors import OcrParityError, SettingsError
from pytest_ocrparity.session.caught import MARKER
from pytest_ocrparity.session.fixtures import (
    FIXTURES,
    OF_GATE,
    OWN_IMAGE,
    PAGES,
    fixture_of_gate,
    may_fixtures_make_files,
    reaches_our_fixture,
)
from pytest_ocrparity.session.outcomes import RED, Outcomes
from pytest_ocrparity.session.parametrized import parameters_of, parametrized_candidate
from pytest_ocrparity.session.tasks import MARKER as TASK_MARKER

if TYPE_CHECKING:
    from pytest_ocrparity.session.label_book import LabelBook
    from pytest_ocrparity.session.recorder import Recorder
    from pytest_ocrparity.settings import Settings

Found = TypeVar("Found")
SETTINGS_ERROR: Final = "ocrparity-settings-error"
"""The id of the only parameter of a test under wrong settings: of what xdist's workers collect, the controller sees ids
alone."""
_KEPT: Final = "ocrparity_kept"
"""Where a worker of pytest-xdist leaves which tests it kept of candidates that can't be loaded."""
_MARKERS: Final = (MARKER, TASK_MARKER, "ocr_tolerance")
_FIXTURES: Final = frozenset(FIXTURES)
_LOOKING: Final = (
    *("help", "version", "markers", "showfixtures", "show_fixtures_per_test"),
    *("collectonly", "setupplan", "cacheshow"),
)
"""The options with which pytest runs no test."""


def needs_preflight(config: pytest.Config) -> bool:
    """Tell whether this call of pytest runs tests, and does not only show something."""
    return not any(getattr(config.option, name, None) for name in _LOOKING)


class Run(Protocol):
    """What is asked of `session.run.Run`."""

    error: SettingsError | None
    settings: Settings
    recorder: Recorder
    labels: LabelBook

    def need_settings(self) -> Settings:
        """Return the settings, or raise SettingsError."""
        ...

    def settings_of(self, test: Any) -> Settings:
        """Return the settings of a test."""
        ...


class Preflight:
    """Looks at the settings and at the files that they name, before a test that uses them is set up."""

    def __init__(self, run: Run) -> None:
        """Begin with nothing known."""
        self._run = run
        self._found: dict[str, Any] = {}
        """What is wrong with each side."""
        self._said: dict[str, str] = {}
        """The test of which each line was said."""
        self._in_place: dict[str, None] = {}
        """What stands in the place of images, and so is said by no test that is selected by an image."""
        self._not_loaded: dict[tuple[str, str, str | None], str] = {}
        """Why a model did not load, by task, fixture and candidate."""
        self._kept: dict[str, list[pytest.Item]] = {}
        """By candidate, the tests that are to say what is wrong with it for all that were left out."""
        self._kept_in_workers: dict[str, list[str]] = {}

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Stop a run under wrong settings once it is known that one of its tests uses us."""
        config, error = session.config, self._run.error
        # In a worker of xdist's this would be an internal error: there the tests fail, or the controller stops them.
        if error is None or hasattr(config, "workerinput") or not needs_preflight(config):
            return
        if any(_uses_us(item) for item in session.items):
            self._in_place.clear()  # pytest prints it
            raise pytest.UsageError(str(error))

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: Sequence[str]) -> None:
        """Stop a run under wrong settings whose workers have collected a test of images."""
        if self._run.error is not None and any(SETTINGS_ERROR in each.partition("[")[2] for each in ids):
            raise pytest.UsageError(str(self._run.error))

    def in_place_of_images(self, metafunc: pytest.Metafunc, *, has_images: bool) -> Any:
        """Return the only parameter of a test that can't run with any image, or None where it can with some."""
        parameter = self._parameter_in_place(metafunc, has_images=has_images)
        if parameter is not None:
            self._in_place |= dict.fromkeys(str(parameter.values[0]).splitlines())
        return parameter

    def not_selected(self) -> list[str]:
        """Return what is wrong, for a run that selected no test, as by the name of an image or a test's whole id."""
        if self._said or not self._in_place:
            return []
        lead = "no test was selected, as no test has its images while this is wrong:"
        return [lead, *(f"  {line}" for line in self._in_place)]

    def _parameter_in_place(self, metafunc: pytest.Metafunc, *, has_images: bool) -> Any:
        if self._run.error is not None:
            return pytest.param(self._run.error, id=SETTINGS_ERROR)
        try:
            self._run.need_settings()
        except SettingsError as error:
            return pytest.param(error, id="no-settings")
        test = metafunc.definition
        settings = self._run.settings_of(test)
        images = [] if has_images else [settings.no_image()]
        own = () if may_fixtures_make_files(test) else self._own_fixtures(test)
        of_reference = [*self._of_reference(test, own), *self._of_pages(test, own)]
        of_candidates = [self._of_candidate(settings, own, name) for name in settings.candidates or (None,)]
        shared = self._look_once("images", self._run.settings.shared_images)
        labels = self._look_once(f"{settings.prefix}labels", lambda: self._run.labels.problems(settings))
        if not images and not of_reference and not shared and not labels and not all(of_candidates):
            return None
        images = [] if labels and not settings.images else images
        found = [*of_reference, *shared, *labels, *(line for each in of_candidates for line in each)]
        lines = dict.fromkeys([*found, *images, *settings.idle_globs()])
        return pytest.param(SettingsError("\n".join(lines)), id="settings-error" if found else "no-image")

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Keep one test of each function for a candidate that can't be loaded: that is not said per image."""
        if all(len(part.candidates) < 2 for part in self._run.settings.parts) or not needs_preflight(config):
            return
        kept: list[pytest.Item] = []
        dropped: list[pytest.Item] = []
        telling: dict[str, list[pytest.Item]] = {}
        seen: set[tuple[str, str]] = set()
        for item in items:
            name = parametrized_candidate(item)
            key = item.nodeid.partition("[")[0], str(name)
            is_faulty = name is not None and not may_fixtures_make_files(item)
            is_faulty = is_faulty and bool(
                self._of_candidate(self._run.settings_of(item), self._own_fixtures(item), name)
            )
            (dropped if is_faulty and key in seen else kept).append(item)
            if is_faulty and key not in seen:
                telling.setdefault(str(name), []).append(item)
            if not self._may_not_fail(item):
                seen.add(key)
        if dropped:
            config.hook.pytest_deselected(items=dropped)
            items[:] = kept
        self._kept = {
            name: telling.get(name, []) for name in dict.fromkeys(str(parametrized_candidate(item)) for item in dropped)
        }

    def _may_not_fail(self, item: pytest.Item) -> bool:
        """Tell whether it is known that a test may be skipped, or expected to fail."""
        is_marked = any(item.get_closest_marker(mark) for mark in ("skip", "skipif", "xfail"))
        return is_marked or (self._run.settings.no_train and "ocr_train_model" in getattr(item, "fixturenames", ()))

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Tell the controller of xdist's, where this is a worker, which tests were kept."""
        if hasattr(session.config, "workeroutput") and self._kept:
            session.config.workeroutput[_KEPT] = self._kept_tests()

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Hear which tests a worker kept: each keeps the same."""
        self._kept_in_workers.update(getattr(node, "workeroutput", {}).get(_KEPT, {}))

    def _kept_tests(self) -> dict[str, list[str]]:
        here = {name: [item.nodeid for item in items] for name, items in self._kept.items()}
        return {**here, **self._kept_in_workers}

    def unsaid(self, outcomes: Outcomes) -> Iterator[str]:
        """Yield what is wrong with candidates whose tests were left out where none that was kept has failed.

        A conftest.py may skip the one that was kept, and would not have skipped the others.
        """
        for name, tests in self._kept_tests().items():
            ended = [each.outcome for each in map(outcomes.get, tests) if each is not None]
            if not any(outcome in RED for outcome in ended):
                parts = [part for part in self._run.settings.parts if name in part.candidates]
                wrong = "; ".join(
                    text for part in parts for text in self._of_candidate(part, ("ocr_inference_model",), name)
                )
                yield (
                    f"the candidate {name} was not compared, and no test failed for it: {wrong}; of each function one "
                    f"test was kept to say so ({', '.join(tests[:3])}), and did not fail; correct the setting, or mark "
                    "what is not to run with @pytest.mark.skipif, which is known before"
                )

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Fail a test before its fixtures are set up, after pytest has skipped what is to be skipped."""
        param, own = parameters_of(item).get(OWN_IMAGE), self._own_fixtures(item)  # both for every test of a suite
        if not (own or isinstance(param, SettingsError)) or not needs_preflight(item.config):  # --setup-plan
            return
        if isinstance(param, SettingsError):
            self._fail_test_for(item, str(param).splitlines())
        if own and not may_fixtures_make_files(item):
            self._fail_test_for(item, self._problems_of_sides(item, own))
            places = [self._place_of_model(item, name) for name in FIXTURES if name in own]
            self._fail_test_for(item, [self._not_loaded[each] for each in places if each in self._not_loaded])
        elif own and self._said:  # what was to make the files has had its turn, see `refuse`
            lines = self._problems_of_sides(item, own)
            if all(line in self._said for line in lines):
                self._fail_test_for(item, lines)

    def refuse(self, item: pytest.Item, fixture: str) -> None:
        """Fail a test that asks for a fixture of ours, before that loads a model.

        The files are looked at anew: another fixture may have made them, and a test may ask for ours while it runs.
        """
        self._found.clear()
        self._fail_test_for(item, self._problems_of_sides(item, {*self._own_fixtures(item), fixture}))

    @contextmanager
    def loading(self, item: pytest.Item, fixture: str) -> Iterator[None]:
        """Fail the test whose fixture does not load its model; those that ask for it later do not load it again."""
        try:
            yield
        except OcrParityError as error:
            text = self._not_loaded[self._place_of_model(item, fixture)] = str(error)
            try:
                self._fail_test_for(item, [text])
            except pytest.fail.Exception as failure:
                raise failure from None  # pytest prints what it was raised from

    def _place_of_model(self, item: pytest.Item, fixture: str) -> tuple[str, str, str | None]:
        return self._run.settings_of(item).prefix, fixture, parametrized_candidate(item)

    def _fail_test_for(self, item: pytest.Item, lines: Sequence[str]) -> None:
        """Fail a test for these reasons, if there are any; of those that were said before, only say where."""
        if not lines:
            return
        # pytest shows no message of a failure that a test expects, which another test could refer to.
        said = self._said if item.get_closest_marker("xfail") is None else dict(self._said)
        new = [line for line in lines if said.setdefault(line, item.nodeid) == item.nodeid]
        known = [line for line in lines if line not in new]
        if known:
            lead = f"and {len(known)} more " if new else "not run, "
            new.append(f"{lead}as said for {said[known[0]]} above")
        own = self._own_fixtures(item)
        for name in FIXTURES:
            if name in getattr(item, "fixturenames", ()):
                self._run.recorder.note("used", fixture=name, is_own=name in own)
        if OWN_IMAGE in parameters_of(item):
            self._run.recorder.note("used", fixture=OWN_IMAGE, is_own=True)
        raise pytest.fail.Exception("\n".join(new), pytrace=False)

    def _problems_of_sides(self, item: Any, own: Collection[str]) -> list[str]:
        """Return what is wrong with the sides that a test uses."""
        if not self._run.settings.is_set:
            return []  # each fixture says so
        of_candidate = self._of_candidate(self._run.settings_of(item), own, parametrized_candidate(item))
        return list(dict.fromkeys([*self._of_reference(item, own), *of_candidate, *self._of_pages(item, own)]))

    def _of_candidate(self, settings: Settings, own: Collection[str], name: str | None) -> list[str]:
        """Return what is wrong with a candidate, where a test has it from our fixture."""
        from pytest_ocrparity.session.models import inference_model_problems

        if "ocr_inference_model" not in own:
            return []
        name = name or next(iter(settings.candidates), None)
        return self._look_once(f"{settings.prefix}candidate {name}", lambda: inference_model_problems(settings, name))

    def _of_reference(self, test: Any, own: Collection[str]) -> list[str]:
        """Return what is wrong with the trained model, or with that which a test records baselines from."""
        from pytest_ocrparity.session.models import train_model_problems

        settings = self._run.settings_of(test)
        model = f"ocr_{settings.golden_reference}_model"
        records = "ocr_golden" in own and self._will_record(settings, settings.golden_dir)
        is_asked = records and reaches_our_fixture(test, model)
        if is_asked and settings.golden_reference == "inference":
            return self._of_candidate(settings, ("ocr_inference_model",), None)
        if is_asked or ("ocr_train_model" in own and not settings.no_train):
            return self._look_once(f"{settings.prefix}train", lambda: train_model_problems(settings))
        return []

    def _of_pages(self, test: Any, own: Collection[str]) -> list[str]:
        """Return what is wrong with the models of the sides that read pages, as `_of_reference` does of one model."""
        if set(PAGES).isdisjoint(own):
            return []
        from pytest_ocrparity.session.models import PAGES_FOLDER
        from pytest_ocrparity.session.page_sides import page_problems

        settings = self._run.settings
        recorded = f"ocr_{settings.golden_reference}_page"
        records = "ocr_golden_page" in own and self._will_record(settings, settings.golden_dir / PAGES_FOLDER)
        asked = {recorded} if records and reaches_our_fixture(test, recorded) else set()
        asked |= {"ocr_inference_page"}.intersection(own)
        asked |= set() if settings.no_train else {"ocr_train_page"}.intersection(own)
        # The trained models first, as a detector's or a recogniser's tests say it.
        found = (self._look_once(name, partial(page_problems, settings, name)) for name in sorted(asked, reverse=True))
        return [line for lines in found for line in lines]

    def _will_record(self, settings: Settings, folder: Path) -> bool:
        return self._look_once(f"records {folder} {settings.prefix}", lambda: _will_record(settings, folder))

    def _look_once(self, what: str, look: Callable[[], Found]) -> Found:
        if what not in self._found:
            self._found[what] = look()
        found: Found = self._found[what]
        return found

    def _own_fixtures(self, test: Any) -> Collection[str]:
        """Return which fixtures a test has from us, and not from an override."""
        names = set(_FIXTURES.intersection(getattr(test, "fixturenames", ())))
        if not names:
            return names
        if gate := fixture_of_gate(test):
            settings = self._run.settings
            names.add(OF_GATE[gate][bool(settings.no_train or settings.golden_mode)])
        return {name for name in names if reaches_our_fixture(test, name)}


def _uses_us(item: Any) -> bool:
    """Tell whether a test uses a fixture or a marker of ours."""
    names = getattr(item, "fixturenames", ())
    return not _FIXTURES.isdisjoint(names) or any(item.get_closest_marker(name) for name in _MARKERS)


def _will_record(settings: Settings, folder: Path) -> bool:
    """Tell whether this run has to record a baseline of its images, as far as can be told without their reference."""
    from pytest_ocrparity.golden.store import path_in_golden_store

    if settings.golden_mode in (None, "all"):
        return settings.golden_mode is not None
    names = map(settings.image_name, settings.image_paths())
    return any(not path_in_golden_store(folder, name).exists() for name in names)

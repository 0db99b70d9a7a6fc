"""pytest's side: options, fixtures, hooks. Beside this package, it imports the standard library and pytest alone."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import pytest

from pytest_ocrparity.diagnosis import PAGE_SIDE
from pytest_ocrparity.errors import SettingsError
from pytest_ocrparity.session.caught import MARKER, wrong_caught_marker
from pytest_ocrparity.session.ending import ENDING, Ending
from pytest_ocrparity.session.fault_reports import RUN_PLUGIN
from pytest_ocrparity.session.fixtures import (
    BASELINES,
    CANDIDATE,
    FIXTURES,
    OWN_IMAGE,
    TRAINED,
    errors_as_fixture_failures,
)
from pytest_ocrparity.session.header import header_lines
from pytest_ocrparity.session.parametrized import (
    IMAGE,
    is_parametrized_by_images,
    is_parametrized_image,
    misplaced_parametrization,
    parameters_of,
    parametrized_candidate,
    wide_parametrization,
    without_a_value,
)
from pytest_ocrparity.session.run import RUN, Run, skip_without_train
from pytest_ocrparity.session.tasks import MARKER as TASK_MARKER
from pytest_ocrparity.session.tasks import OWN_TASK, tasks_of, without_a_task, without_other_tasks
from pytest_ocrparity.session.tasks import wrong_task_marker as wrong_task
from pytest_ocrparity.settings.settings_table import OPTIONS
from pytest_ocrparity.stages import DETECTION, RECOGNITION

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_ocrparity.contract import Pipeline
    from pytest_ocrparity.contract.page_readers import PageReader
    from pytest_ocrparity.golden.store import Baseline

_MAY_ASK = frozenset((*FIXTURES, "request"))
"""What a test has among its fixtures that may ask for one of ours."""
MARKERS = (
    "ocr_tolerance(preset, **limits): this test's limits, as ocr_tolerance('fp16', detections={'min_iou': 0.9})",
    f'{TASK_MARKER}("recognition"): this test gets the images and models of [tool.ocrparity.recognition]',
    f"{MARKER}: this test catches a DifferenceError on purpose; it fails where nothing differs",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options of the table of settings."""
    group = parser.getgroup("ocrparity", "OCR parity (PaddleOCR text detection and recognition)")
    for row in OPTIONS.values():
        group.addoption(row.option, **row.argument())


def pytest_configure(config: pytest.Config) -> None:
    """Read the settings, so that a wrong option stops the run before any test."""
    for marker in MARKERS:
        config.addinivalue_line("markers", marker)
    try:
        config.stash[RUN] = run = Run(config)
    except SettingsError as error:
        raise pytest.UsageError(str(error)) from error
    config.stash[ENDING] = ending = Ending(run)
    config.pluginmanager.register(run, RUN_PLUGIN)
    config.pluginmanager.register(ending, "ocrparity-ending")
    config.pluginmanager.register(run.preflight, "ocrparity-preflight")
    config.pluginmanager.register(run.progress, "ocrparity-progress")
    if run.settings.is_set:
        config.pluginmanager.register(run.evidence, "ocrparity-evidence")
    if reached := config.getoption("ocr_reached"):
        from pytest_ocrparity.session.not_reached import LeftOut, refuse_words_behind

        refuse_words_behind([str(word) for word in config.invocation_params.args], config.invocation_params.dir)
        config.pluginmanager.register(LeftOut(reached), "ocrparity-left-out")


def pytest_report_header(config: pytest.Config) -> list[str]:
    """State the settings file and the versions under test, without importing them."""
    return header_lines(config.stash[RUN].settings)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Parametrize tests that use `ocr_image` by the images of the settings, and `ocr_inference_model` by candidates."""
    run = metafunc.config.stash[RUN]
    settings = run.settings_of(metafunc.definition)
    if OWN_IMAGE in metafunc.fixturenames and not is_parametrized_by_images(metafunc):
        metafunc.parametrize(OWN_IMAGE, run.image_parameters(metafunc), indirect=True, scope="module")
    if settings.prefix and not _MAY_ASK.isdisjoint(metafunc.fixturenames):
        if OWN_TASK not in metafunc.fixturenames:  # as where the gate asks for the reference while it runs
            metafunc.fixturenames.append(OWN_TASK)
        metafunc.parametrize(OWN_TASK, [RECOGNITION.name], indirect=True, scope="session")
    if CANDIDATE in metafunc.fixturenames and len(settings.candidates) > 1:
        metafunc.parametrize(CANDIDATE, list(settings.candidates), indirect=True, scope="session")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the candidates image by image, so that the reference runs once per image, whose traces are then at hand.

    pytest has sorted them by candidate, as it does with whatever a session-scoped fixture is parametrized by; pytest
    8.0 permits no other scope for them. What else fixtures of a wide scope are parametrized by stays sorted as it is.
    """
    places = [place for place, item in enumerate(items) if parametrized_candidate(item)]
    seen: dict[Any, int] = {}

    def first(what: Any) -> int:
        return seen.setdefault(what, len(seen))

    def key(item: pytest.Item) -> tuple[int, ...]:
        params = item.callspec.params  # type: ignore[attr-defined]
        run_wide = first(wide_parametrization(item, "session", "package"))
        file_wide = first((item.path, wide_parametrization(item, "module", "class")))
        image = first((item.path, str(params.get(OWN_IMAGE, params.get(IMAGE)))))
        return run_wide, first(item.path), file_wide, image, item.callspec.indices[CANDIDATE]  # type: ignore[attr-defined]

    for place, item in zip(places, sorted((items[place] for place in places), key=key), strict=True):
        items[place] = item


@pytest.hookimpl(wrapper=True)
def pytest_pycollect_makeitem(collector: pytest.Collector, name: str) -> Generator[None, Any, Any]:
    """Check the markers and parameters of a file's tests while that file is collected."""
    run = collector.config.stash[RUN]
    try:
        made = yield
    except SettingsError as error:  # of a marker that decides what a test is parametrized by
        raise pytest.Collector.CollectError(f"{collector.nodeid}::{name}: {error}") from error
    if isinstance(made, list):
        reads_pages = run.settings.reads_pages
        made = without_other_tasks(made, lambda: tasks_of(run.settings, run.known_task), reads_pages=reads_pages)
    for item in made if isinstance(made, list) else [made]:
        if isinstance(item, pytest.Item):
            try:
                run.check_marker(item)
                wrong = wrong_caught_marker(item) or wrong_task(item, run.settings, run.known_task)
                if wrong := wrong or misplaced_parametrization(item):
                    raise SettingsError(wrong)
            except SettingsError as error:
                raise pytest.Collector.CollectError(f"{item.nodeid}: {error}") from error
    return made


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Begin a test's records anew; skip it where it needs what `--ocr-no-train` does without."""
    run = item.config.stash[RUN]
    run.recorder.reset()
    names = getattr(item, "fixturenames", ())
    if bool(run.settings_of(item).prefix) != (OWN_TASK in parameters_of(item)) and not _MAY_ASK.isdisjoint(names):
        pytest.fail(without_a_task(item), pytrace=False)
    if getattr(item, "cls", None) is not None:  # which may have been set up by another test
        for name in filter(names.__contains__, BASELINES):
            run.recorder.note("used", fixture=name)
    for name in filter(names.__contains__, TRAINED) if run.settings.no_train else ():
        run.recorder.note("used", fixture=name)
        skip_without_train()


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef: Any, request: Any) -> Generator[None, Any, Any]:
    """Note that a test really uses one of our fixtures, overridden or not, whatever way it asks for it first."""
    name = fixturedef.argname
    if name not in FIXTURES and name != OWN_IMAGE:
        return (yield)
    run = request.config.stash[RUN]
    if name != OWN_IMAGE or hasattr(request, "param"):
        run.recorder.note("used", fixture=name, is_own=fixturedef.func.__module__ == __name__)
    with run.without_train(fixturedef):
        return (yield)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> Generator[None, Any, Any]:
    """Let the failures be short, around what pytest itself prints of them."""
    with config.stash[ENDING].shortening(terminalreporter):
        return (yield)


@pytest.fixture(scope="session")
def ocr_train_model(request: pytest.FixtureRequest, _ocr_task: str) -> Pipeline:
    """The trained model: PaddleOCR's training-side operators, network and post-process.

    `.trace(image)` takes a path or an (H, W, 3) uint8 BGR array and returns a `Trace` of every stage. Set up by
    `[tool.ocrparity.train]`; override it in a conftest.py, session-scoped, to bring your own. Tests that use it are
    skipped under `--ocr-no-train`.
    """
    from pytest_ocrparity.session.models import train_model

    run = request.config.stash[RUN]
    run.recorder.note("loads", side="train")
    run.preflight.refuse(request._pyfuncitem, "ocr_train_model")
    with run.preflight.loading(request._pyfuncitem, "ocr_train_model"):
        return train_model(run.need_settings().of_task(_ocr_task))


@pytest.fixture(scope="session")
def ocr_inference_model(request: pytest.FixtureRequest, _ocr_candidate: str | None, _ocr_task: str) -> Pipeline:
    """The exported model under test: `paddleocr.TextDetection` on the export folder, of a recogniser TextRecognition.

    `.trace(image)` takes a path or an (H, W, 3) uint8 BGR array and returns a `Trace` of every stage. Set up by
    `[tool.ocrparity.inference]`; each `[tool.ocrparity.candidates.NAME]` is one more, and the test runs with all of
    them. Override it in a conftest.py, session-scoped, to test another engine.
    """
    from pytest_ocrparity.session.models import inference_model

    run = request.config.stash[RUN]
    candidates = run.settings.of_task(_ocr_task).candidates
    side = _ocr_candidate or next(iter(candidates), "inference")
    run.recorder.note("loads", side=side)
    run.preflight.refuse(request._pyfuncitem, "ocr_inference_model")
    with run.preflight.loading(request._pyfuncitem, "ocr_inference_model"):
        model = inference_model(run.need_settings().of_task(_ocr_task), _ocr_candidate)
    run.note_files(candidates.get(side), model)
    return model


@pytest.fixture(scope="session")
def _ocr_task(request: pytest.FixtureRequest) -> str:
    """Return the task of the tests that this value is for, which `pytest_generate_tests` says of marked ones."""
    return str(getattr(request, "param", DETECTION.name))


@pytest.fixture(scope="session")
def _ocr_candidate(request: pytest.FixtureRequest, _ocr_task: str) -> str | None:
    """Return the parameter of `pytest_generate_tests`, or None where there is one candidate at most."""
    if hasattr(request, "param"):
        return str(request.param)
    if len(request.config.stash[RUN].settings.of_task(_ocr_task).candidates) > 1:
        pytest.fail(without_a_value("ocr_inference_model", "candidates", request._pyfuncitem), pytrace=False)
    return None


# Not of a function's scope, which hypothesis refuses; a wider one would be taken once, and a test that then asks it for
# nothing would not be known to have taken it.
@pytest.fixture(scope="class")
def ocr_golden(request: pytest.FixtureRequest, _ocr_task: str) -> Baseline:
    """The recorded baselines: `.trace(image)` returns what `pytest --ocr-golden` recorded for an image.

    A missing baseline, one whose image changed, or one whose reference model changed is a failure that names the
    command which records it. The reference model is loaded only while recording.
    """
    from pytest_ocrparity.golden.store import Baseline

    run = request.config.stash[RUN]
    with errors_as_fixture_failures():
        store = run.goldens_of(_ocr_task)
    return Baseline(store, run.reference_model, run.recorder.note, run.reference_fixture)


@pytest.fixture(scope="session")
def ocr_train_page(request: pytest.FixtureRequest) -> PageReader:
    """The trained detector and recogniser, as one that reads pages.

    `.trace(image)` takes a page and returns a `Trace` with its boxes in reading order and its `texts`. Lines are cut
    out and set in order by paddlex's own operators, and are as wide as a deployment makes them. Set up by
    `[tool.ocrparity.train]` and `[tool.ocrparity.recognition.train]`; tests that use it are skipped under
    `--ocr-no-train`.
    """
    from pytest_ocrparity.session.page_sides import train_page

    run = request.config.stash[RUN]
    run.recorder.note("loads", side="train")
    run.preflight.refuse(request._pyfuncitem, "ocr_train_page")
    with run.preflight.loading(request._pyfuncitem, "ocr_train_page"):
        return train_page(run.need_settings())


@pytest.fixture(scope="session")
def ocr_inference_page(request: pytest.FixtureRequest) -> PageReader:
    """The deployment that reads pages: `paddleocr.PaddleOCR` with the exports of both models.

    `.trace(image)` takes a page and returns a `Trace` with its boxes in reading order and its `texts`. Set up by
    `[tool.ocrparity.page]`, and the folders of `[tool.ocrparity.inference]` and
    `[tool.ocrparity.recognition.inference]`.
    """
    from pytest_ocrparity.session.page_sides import configs_of_page, inference_page

    run = request.config.stash[RUN]
    run.recorder.note("loads", side=PAGE_SIDE)
    run.preflight.refuse(request._pyfuncitem, "ocr_inference_page")
    with run.preflight.loading(request._pyfuncitem, "ocr_inference_page"):
        page = inference_page(run.need_settings())
    for config in configs_of_page(run.settings):
        run.recorder.note_config(PAGE_SIDE, config)
    return page


@pytest.fixture(scope="class")
def ocr_golden_page(request: pytest.FixtureRequest) -> Baseline:
    """The recorded baselines of pages, as `ocr_golden` is of one model: `.trace(image)` returns what was recorded."""
    from pytest_ocrparity.session.page_baselines import golden_page

    with errors_as_fixture_failures():
        return golden_page(request.config.stash[RUN])


@pytest.fixture(scope="module")
def ocr_image(request: pytest.FixtureRequest, _ocr_image: Path | None) -> Any:
    """Each image of the settings in turn: the test that uses it runs once per image.

    Set by `images` in the settings or `--ocr-images`; override it, or parametrize it (`indirect` or not), to bring your
    own: what is given is used as it is, in the place of the settings' images.
    """
    if _ocr_image is not None:
        return _ocr_image
    if not hasattr(request, "param") or not is_parametrized_image(request):
        pytest.fail(without_a_value("ocr_image", "images", request._pyfuncitem), pytrace=False)
    return request.param


# Of the widest scope, so that a test's own parametrization may have any; that of the settings' images is the module's.
@pytest.fixture(scope="session")
def _ocr_image(request: pytest.FixtureRequest) -> Path | None:
    """Return the image of the settings that `pytest_generate_tests` chose, or say why there is none."""
    param: Path | SettingsError | None = getattr(request, "param", None)
    if isinstance(param, SettingsError):
        pytest.fail(str(param), pytrace=False)
    return param

"""The sides that read pages, loaded as the settings describe them, and the baselines of pages."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_ocrparity.diagnosis import PAGE_SIDE, in_table
from pytest_ocrparity.errors import ModelError, SettingsError
from pytest_ocrparity.session.fixtures import fixture_place, fixture_value
from pytest_ocrparity.session.models import golden_store_of_models, load_once, train_model
from pytest_ocrparity.settings.candidates import Candidate

if TYPE_CHECKING:
    from pytest_ocrparity.contract.page_readers import PageReader
    from pytest_ocrparity.golden.store import Baseline
    from pytest_ocrparity.session.run import Run
    from pytest_ocrparity.settings import Settings


def train_page(settings: Settings) -> PageReader:
    """Return the trained detector and recogniser, as one side that reads pages.

    Raises:
        SettingsError: the settings do not name both.
        ModelError: their files or their software do not load.
    """
    from pytest_ocrparity.backends.ppocr.pipeline import TrainingPipeline
    from pytest_ocrparity.backends.ppocr.trained_recogniser import TrainedRecogniser
    from pytest_ocrparity.backends.trained_page import TrainedPage

    lines = _recognition(settings)
    detector, recogniser = train_model(settings), train_model(lines)
    if not isinstance(detector, TrainingPipeline) or not isinstance(recogniser, TrainedRecogniser):
        raise ModelError(f"{settings.file}: a page is read by a detector (train) and a recogniser (recognition.train)")
    key = f"page of {id(detector)} and {id(recogniser)}"
    page: PageReader = load_once(key, (), lambda: TrainedPage(detector, recogniser))
    return page


def inference_page(settings: Settings) -> PageReader:
    """Return the deployment that reads pages.

    Raises:
        SettingsError: the settings do not name both exports.
        ModelError: their files or their software do not load.
    """
    given: dict[str, Any] = {"memory_limit": settings.memory_limit, **settings.page, "folder": settings.root}
    if "factory" not in settings.page:
        finds = _values(settings, settings.candidates.get("inference") or settings.first_candidate, "inference")
        lines = _recognition(settings)
        reads = _values(lines, lines.candidates.get("inference") or lines.first_candidate, "recognition.inference")
        given |= {"detector": Path(finds["model_dir"]), "recogniser": Path(reads["model_dir"])}
        given |= {"detector_name": finds.get("model_name"), "recogniser_name": reads.get("model_name")}
        if not settings.page and finds.get("api") == "PaddleOCR":
            given |= {key: finds[key] for key in ("options", "options_file", "predict_options") if key in finds}

    def load() -> PageReader:
        from pytest_ocrparity.backends.paddlex.deployed_page import load_page

        try:
            return load_page(**given)
        except ModelError as error:
            raise ModelError(in_table(str(error), PAGE_SIDE)) from error

    folders = [given[name] for name in ("detector", "recogniser") if name in given]
    files = [file for folder in folders for file in sorted(folder.glob("*"))]
    page: PageReader = load_once(f"page {sorted(given.items(), key=lambda pair: pair[0])!r}", files, load)
    return page


def _recognition(settings: Settings) -> Settings:
    if settings.recognition is None:
        raise SettingsError(
            f"{settings.file or 'the command line'} sets no table [tool.ocrparity.recognition]: a page is read by the "
            "detector of [tool.ocrparity] and the recogniser of that table"
        )
    return settings.recognition


def _values(settings: Settings, candidate: Candidate | None, table: str) -> Any:
    """Return the values of the deployment that holds the export folder of a model."""
    if candidate is None or "model_dir" not in candidate.values:
        raise SettingsError(
            f"{settings.file or 'the command line'} sets no {table}.model_dir: a page is read with the exports of both "
            "models; set it, or page.factory"
        )
    return candidate.values


def golden_page(run: Run) -> Baseline:
    """Return the baselines of pages of a run."""
    from pytest_ocrparity.golden.store import Baseline

    if PAGE_SIDE not in run.stores:
        run.stores[PAGE_SIDE] = golden_store_of_models(run.need_settings(), PAGE_SIDE)
    store = run.stores[PAGE_SIDE]
    name = f"ocr_{store.reference}_page"
    return Baseline(
        store,
        lambda: fixture_value(run.running_item(), name),
        run.recorder.note,
        lambda: fixture_place(run.running_item(), name, run.settings.root),
    )

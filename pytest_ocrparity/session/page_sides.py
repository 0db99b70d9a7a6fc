"""The sides that read pages, loaded as the settings describe them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_ocrparity.diagnosis import PAGE_SIDE, in_table
from pytest_ocrparity.errors import Mistakes, ModelError, SettingsError
from pytest_ocrparity.session.models import (
    config_of_candidate,
    inference_model_problems,
    load_once,
    train_model,
    train_model_problems,
)
from pytest_ocrparity.settings.candidates import Candidate
from pytest_ocrparity.settings.page_settings import page_values

if TYPE_CHECKING:
    from pytest_ocrparity.contract.page_readers import PageReader
    from pytest_ocrparity.settings import Settings


def page_problems(settings: Settings, fixture: str) -> list[str]:
    """Return what of a side that reads pages is not there or means nothing, without loading anything."""
    from pytest_ocrparity.backends.isolation import check_entry_point

    mistakes, factory = Mistakes(), settings.page.get("factory")
    with mistakes.gathering():
        if fixture == "ocr_train_page":
            for part in (settings, _recognition(settings)):
                mistakes.texts += train_model_problems(part)
        elif factory is not None:
            check_entry_point(factory, settings.root, setting="page.factory")
        else:
            for part, candidate in _candidates_of_page(settings):
                mistakes.texts += inference_model_problems(part, candidate.name)
    return mistakes.texts


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
    given: dict[str, Any] = {"memory_limit": settings.memory_limit, "folder": settings.root}
    if "factory" in settings.page:
        given |= settings.page
    else:
        finds, reads = (candidate.values for _, candidate in _candidates_of_page(settings))
        given |= page_values(settings.page, finds)
        given |= {"detector": Path(finds["model_dir"]), "recogniser": Path(reads["model_dir"])}
        given |= {"detector_name": finds.get("model_name"), "recogniser_name": reads.get("model_name")}

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


def _candidates_of_page(settings: Settings) -> list[tuple[Settings, Candidate]]:
    """Return the settings of both tasks, each with the candidate that holds the export folder of its model."""
    found = []
    for part in (settings, _recognition(settings)):
        candidate = part.first_candidate
        if candidate is None or "model_dir" not in candidate.values:
            raise SettingsError(
                f"{settings.file or 'the command line'} sets no {part.prefix}inference.model_dir: a page is read with "
                "the exports of both models; set it, or page.factory"
            )
        found.append((part, candidate))
    return found


def configs_of_page(settings: Settings) -> list[Path | None]:
    """Return the inference.yml of each export that reads pages; none of a factory's object, which no setting names."""
    if "factory" in settings.page:
        return []
    return [config_of_candidate(candidate.values) for _, candidate in _candidates_of_page(settings)]

"""The results that others write of one image: paddlex's `save_to_json`, its `/ocr` service, the C++ demo.

All of them call the boxes `dt_polys`, and what a recogniser reads in a line `rec_text`. This module knows their keys,
and nothing of files.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from pytest_ocrparity.errors import ResultError
from pytest_ocrparity.stages import DETECTIONS, RESIZE
from pytest_ocrparity.trace.recognised_text import Recognition
from pytest_ocrparity.trace.stored_fields import wrong_stored_parameters
from pytest_ocrparity.wording import number_of_boxes

SCORES: Final = ("dt_scores", "dt_score")
"""What the scores of the boxes are called: by paddlex, and by the C++ demo."""

_LIMITS: Final = ("limit_side_len", "limit_type", "max_side_limit")
_THRESHOLDS: Final = ("thresh", "box_thresh", "unclip_ratio")


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a document says of one image.

    Attributes:
        polygons, scores: the boxes, and their scores where the document has them; None of a recogniser's.
        recognition: what a recogniser reads; None of a detector's.
        parameters: by stage name, what it says that ran.
        image_sha256: digest of the image's bytes, where it says one.
        input_path: the name of the image that it was made of, where it says one.
        size: height and width of the image as the service saw it, where it says them.
    """

    polygons: tuple[npt.NDArray[np.float64], ...] | None = None
    recognition: Recognition | None = None
    scores: npt.NDArray[np.float64] | None = None
    parameters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    image_sha256: str | None = None
    input_path: str | None = None
    size: tuple[int, int] | None = None


def read_result_document(document: Mapping[str, Any], where: str, frame: str = "file") -> Result:
    """Return what a document says of its one image.

    Args:
        document: parsed JSON.
        where: how messages call it.
        frame: "image" where the boxes are in the pixels of the image whatever the document says.

    Raises:
        ResultError: it reports an error, holds neither boxes nor a text, or several images, its boxes are in other
            pixels than the image's, or a value means nothing.
    """
    answer = document.get("result")
    if document.get("errorCode"):  # of a service; 0 is success
        raise ResultError(f"{where}: the service reports an error: {document['errorCode']} {document.get('errorMsg')}")
    page = _only_page(answer, where) if isinstance(answer, Mapping) else document.get("res", document)
    if not isinstance(page, Mapping) or not page.keys() & {"dt_polys", "rec_text"}:
        keys = ", ".join(map(str, list(page)[:8])) if isinstance(page, Mapping) else repr(page)[:60]
        raise ResultError(
            f"{where}: holds no dt_polys, the boxes of a detector, and no rec_text, the text of a recogniser; it holds "
            f"{keys or 'nothing'}"
        )
    stated: dict[str, Any] = {
        "image_sha256": _result_text(page.get("image_sha256", document.get("image_sha256")), "image_sha256", where),
        "input_path": _result_text(page.get("input_path"), "input_path", where),
    }
    if "dt_polys" not in page:
        return Result(recognition=_result_recognition(page, where), **stated)
    if frame != "image" and (made := _other_picture(page)):
        raise ResultError(
            f"{where}: its boxes are in the pixels of {made}, and not in those of the image: they can't be compared. "
            "Switch the document preprocessor off (use_doc_orientation_classify=False, use_doc_unwarping=False) and "
            'write the results again; or save the pictures that it made (doc_preprocessor_res["output_img"]), give '
            'those as the images, and set frame = "image"'
        )
    scores = next((page[name] for name in SCORES if page.get(name) is not None), None)
    polygons = _result_polygons(page["dt_polys"], where)
    return Result(
        polygons=polygons,
        scores=None if scores is None else _result_scores(scores, len(polygons), where),
        parameters=_result_parameters(page.get("text_det_params"), where),
        **stated,
        size=None if not isinstance(answer, Mapping) else _result_size(answer.get("dataInfo"), where),
    )


def _only_page(answer: Mapping[str, Any], where: str) -> Any:
    """Return the results of the only image in the answer of paddlex's `/ocr` service."""
    pages = answer.get("ocrResults")
    if not isinstance(pages, list) or len(pages) != 1 or not isinstance(pages[0], Mapping):
        count = len(pages) if isinstance(pages, list) else "no list of"
        raise ResultError(f"{where}: result.ocrResults holds {count} images, not one: write one file per image")
    return pages[0].get("prunedResult")


def _other_picture(page: Mapping[str, Any]) -> str | None:
    """Return which picture the boxes are in, where it is not the image: a document preprocessor made it."""
    given, made = page.get("model_settings"), page.get("doc_preprocessor_res")
    if not isinstance(made, Mapping):
        is_on = isinstance(given, Mapping) and given.get("use_doc_preprocessor")
        return "a picture that the document preprocessor made" if is_on else None
    used, angle = made.get("model_settings"), made.get("angle")
    if isinstance(used, Mapping) and used.get("use_doc_unwarping"):
        return "a picture that the document preprocessor unwarped"
    if angle not in (None, 0, -1):  # -1 is paddlex's word for not asked
        return f"a picture that the document preprocessor turned by {angle} degrees"
    return None


def _result_recognition(page: Mapping[str, Any], where: str) -> Recognition:
    """Return the text of a line, which stands first among its words where the writer was asked for their boxes."""
    given = page["rec_text"]
    text = given[0] if isinstance(given, list) and given else given
    if not isinstance(text, str):
        raise ResultError(f"{where}: rec_text is {given!r:.60}, not a text; of a line without one it is empty")
    if "rec_score" not in page:
        return Recognition(text)
    score = page["rec_score"]
    if score is not None and not _is_number(score):
        raise ResultError(f"{where}: rec_score is {score!r:.60}, not a number")
    return Recognition(text, float("nan") if score is None else score)


def _result_polygons(value: Any, where: str) -> tuple[npt.NDArray[np.float64], ...]:
    if not isinstance(value, list):
        raise ResultError(f"{where}: dt_polys is {value!r:.60}, not a list of boxes; of an empty page it is []")
    for index, polygon in enumerate(value):
        is_right = isinstance(polygon, list) and all(
            isinstance(point, list) and len(point) == 2 and all(map(_is_number, point)) for point in polygon
        )
        if not is_right:
            raise ResultError(f"{where}: dt_polys[{index}] is {polygon!r:.60}, not a list of [x, y] in px")
    return tuple(np.array(polygon, np.float64).reshape(-1, 2) for polygon in value)


def _result_scores(value: Any, count: int, where: str) -> npt.NDArray[np.float64]:
    """Return the scores; null is what a C++ writer makes of a score that is not a number."""
    if not isinstance(value, list) or not all(each is None or _is_number(each) for each in value):
        raise ResultError(f"{where}: the scores of its boxes are {value!r:.60}, not a list of numbers")
    if len(value) != count:
        raise ResultError(f"{where}: {number_of_boxes(count)} in dt_polys but {len(value)} scores")
    return np.array([np.nan if each is None else each for each in value], np.float64)


def _is_number(value: object) -> bool:
    # Of whole numbers, those that a float holds.
    return isinstance(value, float) or (type(value) is int and abs(value) <= 10**300)


def _result_parameters(given: Any, where: str) -> dict[str, dict[str, Any]]:
    """Return paddlex's `text_det_params` by stage, as the other sides call them."""
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise ResultError(f"{where}: text_det_params is {given!r:.60}, not a table of parameters")
    limits = {name: given[name] for name in _LIMITS if name in given}
    found = {DETECTIONS: {name: given[name] for name in _THRESHOLDS if name in given}}
    found |= {RESIZE: {"rule": "limit", **limits}} if limits else {}
    if wrong := wrong_stored_parameters(found):
        raise ResultError(f"{where}: text_det_params holds {wrong[0]} = {given[wrong[0]]!r:.60}")
    return {stage: values for stage, values in found.items() if values}


def _result_size(info: Any, where: str) -> tuple[int, int] | None:
    """Return the height and width in the `dataInfo` of paddlex's service."""
    if not isinstance(info, Mapping) or "width" not in info:
        return None
    height, width = info.get("height"), info["width"]
    if type(height) is not int or type(width) is not int:
        raise ResultError(f"{where}: dataInfo says {width!r:.20} x {height!r:.20} px")
    return height, width


def _result_text(value: Any, name: str, where: str) -> str | None:
    if not isinstance(value, str | None):
        raise ResultError(f"{where}: {name} is {value!r:.60}, not a text")
    return value

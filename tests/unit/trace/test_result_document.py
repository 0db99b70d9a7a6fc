"""What other programs write of an image, key by key; tests/real lets paddlex itself write them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pytest_ocrparity import Recognition, ResultError, Trace
from pytest_ocrparity.stages import RECOGNITION
from pytest_ocrparity.trace.result_document import read_result_document

QUAD = [[1, 2], [11, 2], [11, 8], [1, 8]]
OTHER = [[20, 20], [40, 20], [40, 30], [30, 34], [20, 30]]
MODULE = {"input_path": "a.png", "page_index": None, "dt_polys": [QUAD, OTHER], "dt_scores": [0.9, 0.7]}
GENERAL = {
    "input_path": "a.png",
    "model_settings": {"use_doc_preprocessor": True, "use_textline_orientation": False},
    "doc_preprocessor_res": {
        "model_settings": {"use_doc_orientation_classify": True, "use_doc_unwarping": False},
        "angle": 0,
    },
    "dt_polys": [QUAD, OTHER],
    "text_det_params": {"limit_side_len": 64, "limit_type": "min", "thresh": 0.3, "max_side_limit": 4000},
    "rec_texts": ["x"],
    "rec_scores": [0.2],
}


def answer(*pages: Any, **others: Any) -> dict[str, Any]:
    return {"errorCode": 0, "result": {"ocrResults": [{"prunedResult": each} for each in pages], **others}}


@pytest.mark.parametrize(
    ("document", "scores"),
    [
        (MODULE, [0.9, 0.7]),
        ({"res": MODULE}, [0.9, 0.7]),
        ({"dt_polys": [QUAD, OTHER], "dt_score": [0.5, None]}, [0.5, np.nan]),
        (GENERAL, None),
        (answer(GENERAL), None),
    ],
    ids=["save_to_json", "json", "C++", "PaddleOCR", "service"],
)
def test_each_form_says_the_same_boxes(document: dict[str, Any], scores: list[float] | None) -> None:
    found = read_result_document(document, "x")
    assert [polygon.tolist() for polygon in found.polygons or ()] == [QUAD, OTHER]
    assert (found.scores is None) == (scores is None)
    if scores is not None:
        np.testing.assert_array_equal(found.scores, scores)


def test_what_ran_is_said_by_stage() -> None:
    assert read_result_document(GENERAL, "x").parameters == {
        "detections": {"thresh": 0.3},
        "resize": {"rule": "limit", "limit_side_len": 64, "limit_type": "min", "max_side_limit": 4000},
    }


def test_an_empty_result_is_a_result() -> None:
    found = read_result_document({"dt_polys": [], "dt_scores": []}, "x")
    assert found.polygons == () and found.scores is not None and len(found.scores) == 0


def test_the_size_that_a_service_saw() -> None:
    assert read_result_document(answer(GENERAL, dataInfo={"width": 40, "height": 30}), "x").size == (30, 40)


def preprocessed(angle: Any = 0, unwarps: bool = False) -> dict[str, Any]:
    return {**GENERAL, "doc_preprocessor_res": {"model_settings": {"use_doc_unwarping": unwarps}, "angle": angle}}


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (preprocessed(90), "turned by 90 degrees"),
        (preprocessed(-1, unwarps=True), "unwarped"),
        ({"dt_polys": [], "model_settings": {"use_doc_preprocessor": True}}, "that the document preprocessor made"),
        (answer(preprocessed(180)), "turned by 180 degrees"),
    ],
)
def test_boxes_of_another_picture_are_refused_unless_their_frame_is_declared(
    document: dict[str, Any], said: str
) -> None:
    with pytest.raises(
        ResultError, match=f"{said}.*, and not in those of the image.*use_doc_unwarping=False.*frame = "
    ):
        read_result_document(document, "x")
    read_result_document(document, "x", "image")


@pytest.mark.parametrize("document", [preprocessed(0), preprocessed(-1), preprocessed(None)])
def test_a_preprocessor_that_left_the_page_as_it_is_is_none(document: dict[str, Any]) -> None:
    assert len(read_result_document(document, "x").polygons or ()) == 2


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({}, "no dt_polys, the boxes of a detector, and no rec_text, the text of a recogniser; it holds nothing"),
        ({"dt_boxes": [], "a": 1}, "it holds dt_boxes, a"),
        ({"res": [1]}, "it holds "),
        ({"dt_polys": None}, "dt_polys is None, not a list of boxes; of an empty page it is \\[\\]"),
        ({"dt_polys": [[1, 2, 3, 4]]}, "dt_polys\\[0\\] is"),
        ({"dt_polys": [[[1, True]]]}, "dt_polys\\[0\\] is"),
        ({"dt_polys": [[[1, 10**400]]]}, "dt_polys\\[0\\] is"),
        ({"dt_polys": [QUAD], "dt_scores": 0.5}, "the scores of its boxes are 0.5"),
        ({"dt_polys": [QUAD], "dt_scores": []}, "1 box in dt_polys but 0 scores"),
        ({"dt_polys": [QUAD], "text_det_params": {"thresh": "x"}}, "text_det_params holds thresh = 'x'"),
        ({"dt_polys": [], "input_path": 3}, "input_path is 3, not a text"),
        ({"errorCode": 500, "errorMsg": "Internal server error"}, "reports an error: 500 Internal server error"),
        (answer(), "holds 0 images, not one"),
        ({"rec_text": 5}, "rec_text is 5, not a text; of a line without one it is empty"),
        ({"rec_text": []}, "rec_text is \\[\\], not a text"),
        ({"rec_text": "a", "rec_score": "b"}, "rec_score is 'b', not a number"),
        ({"rec_text": "a", "rec_score": True}, "rec_score is True, not a number"),
        ({"rec_texts": ["a"]}, "no rec_text, the text of a recogniser; it holds rec_texts"),
        (answer(GENERAL, GENERAL), "holds 2 images, not one"),
    ],
)
def test_what_means_nothing_is_named(document: dict[str, Any], said: str) -> None:
    with pytest.raises(ResultError, match=said):
        read_result_document(document, "x")


def test_an_answer_is_a_trace() -> None:
    trace = Trace.from_result(b'{"dt_polys": [[[0, 0], [4, 0], [4, 4]]]}', image="a.png", pipeline="service")
    assert (trace.pipeline, trace.image, trace.stages) == ("service", "a.png", ("detections",))
    with pytest.raises(ResultError, match=r"the results of service for a\.png: not JSON .*: it begins '<html>'"):
        Trace.from_result("<html>", image="a.png", pipeline="service")


@pytest.mark.parametrize(
    ("document", "found"),
    [
        ({"rec_text": "a b", "rec_score": 0.5, "input_path": "x.png"}, Recognition("a b", 0.5)),
        ({"res": {"rec_text": "", "rec_score": 0}}, Recognition("", 0.0)),
        ({"rec_text": ["a b", [["a"], ["b"]]], "rec_score": 1.0}, Recognition("a b", 1.0)),  # with return_word_box
        ({"rec_text": "a"}, Recognition("a")),
        ({"rec_text": "a", "rec_score": None}, Recognition("a", float("nan"))),
    ],
)
def test_a_recognisers_is_a_text(document: dict[str, Any], found: Recognition) -> None:
    result = read_result_document(document, "x")
    assert (result.recognition, result.polygons) == (found, None)
    trace = Trace.from_result(document, image="x.png", pipeline="service")
    assert (trace.recognition, trace.detections, trace.task) == (found, None, RECOGNITION)


def test_a_document_of_boxes_is_a_detectors_whatever_else_it_holds() -> None:
    trace = Trace.from_result({"dt_polys": [QUAD], "rec_text": "a"}, image="x.png", pipeline="service")
    assert trace.recognition is None and trace.detections is not None

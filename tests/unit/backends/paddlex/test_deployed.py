"""How each class of paddleocr calls a parameter, and how a fix is worded for it; loads no model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_ocrparity.backends.paddlex.deployed import PADDLE_OCR, TEXT_DETECTION, Deployed
from pytest_ocrparity.backends.paddlex.deployed_page import DeployedPage
from pytest_ocrparity.backends.paddlex.engines import without_onednn
from pytest_ocrparity.backends.paddlex.fixes import deployment_fix, given_options
from pytest_ocrparity.contract.page_readers import BATCH, TURN
from pytest_ocrparity.diagnosis import Change
from pytest_ocrparity.stages import DETECTIONS, RESIZE

ALONE = Deployed(config=Path("inference.yml"), written={}, options={}, predict_options={})
FULL = replace(ALONE, api=PADDLE_OCR)
LIMIT = {"rule": "limit", "limit_side_len": 736, "limit_type": "min"}


def text(deployed: Deployed, stage: str, **values: object) -> str:
    return deployment_fix(stage, values, deployed).text


def test_each_class_calls_a_parameter_its_own_way() -> None:
    assert (TEXT_DETECTION.argument("thresh"), PADDLE_OCR.argument("thresh")) == ("thresh", "text_det_thresh")
    assert PADDLE_OCR.names("thresh") == ("text_det_thresh", "det_db_thresh")
    assert TEXT_DETECTION.names("thresh") == ("thresh",)


def test_limits_are_passed_by_the_names_of_the_class() -> None:
    told = 'pass text_det_limit_side_len=736, text_det_limit_type="min" to paddleocr.PaddleOCR; for this test, add the '
    assert told + "same to inference.options (its pipeline ignores limits in inference.yml" in text(
        FULL, RESIZE, **LIMIT
    )
    alone = text(ALONE, RESIZE, **LIMIT)
    assert 'pass limit_side_len=736, limit_type="min" to paddleocr.TextDetection; for this test' in alone


def test_zero_is_passed_as_a_small_number() -> None:
    fix = deployment_fix(DETECTIONS, {"box_thresh": 0}, FULL)
    assert fix.changes == (Change("inference.options", {"text_det_box_thresh": 1e-9}),)
    assert "text_det_box_thresh = 0 means not given there" in fix.text


def test_a_former_name_gives_way_to_todays() -> None:
    """paddleocr refuses an argument that is given under both."""
    fix = deployment_fix(DETECTIONS, {"thresh": 0.3}, replace(FULL, options={"det_db_thresh": 0.5}))
    assert fix.changes == (Change("inference.options", {"text_det_thresh": 0.3, "det_db_thresh": None}),)
    assert "pass text_det_thresh=0.3 in the place of det_db_thresh to paddleocr.PaddleOCR" in fix.text
    (change,) = deployment_fix(DETECTIONS, {"thresh": 0.3}, replace(FULL, options={"text_det_thresh": 0.5})).changes
    assert change.values == {"text_det_thresh": 0.3}


@pytest.mark.parametrize(
    ("given", "where"),
    [
        ({}, "inference.yml"),
        ({"options": {"thresh": 0}}, "inference.yml"),  # paddleocr takes 0 for not given
        ({"options": {"thresh": 0.5}}, "inference.options"),
        ({"predict_options": {"thresh": 0.5}}, "inference.predict_options"),
        ({"written": {DETECTIONS: {"name": "DBPostProcess"}}}, "inference.options"),
        ({"api": PADDLE_OCR}, "inference.options"),  # whose pipeline has thresholds of its own
        ({"factory": "app.ocr:make"}, "inference.yml"),
        ({"factory": "app.ocr:make", "options": {"thresh": 0.5}}, "inference.factory"),
        ({"factory": "app.ocr:make", "has_own_predict": True}, "inference.factory"),
    ],
)
def test_a_threshold_is_put_right_where_it_comes_from(given: dict[str, Any], where: str) -> None:
    deployed = replace(ALONE, **{"written": {DETECTIONS: {"thresh": 0.5}}, **given})
    (change,) = deployment_fix(
        DETECTIONS, {"thresh": 0.3}, deployed.doing_it_itself({"thresh": 0.5}, ["thresh"])
    ).changes
    assert change.where == where
    assert (change.key == "PostProcess") == (where == "inference.yml")


def test_a_value_that_is_not_the_files_is_the_objects_own() -> None:
    made = replace(ALONE, factory="app.ocr:make", written={DETECTIONS: {"thresh": 0.5}})
    own = made.doing_it_itself({"thresh": 0.4}, ["thresh"])
    assert text(own, DETECTIONS, thresh=0.3).endswith("inference.yml has thresh 0.5, and it runs with 0.4")
    assert made.doing_it_itself({"thresh": 0.5}, ["thresh"]).own_doing == ""


def test_a_cap_is_set_where_the_class_takes_it() -> None:
    assert text(ALONE, RESIZE, max_side_limit=None).startswith(
        "in the deployment, pass max_side_limit=100000 to predict()"
    )
    own = replace(FULL, options={"paddlex_config": "ocr.yaml"})
    fix = deployment_fix(RESIZE, {"max_side_limit": 5000}, own)
    assert fix.text.endswith("in ocr.yaml, under SubModules.TextDetection, set max_side_limit: 5000")
    assert fix.changes == (Change("paddlex_config", {"max_side_limit": 5000}, "SubModules.TextDetection"),)
    assert "export_paddlex_config_to_yaml" in text(FULL, RESIZE, max_side_limit=None)


def test_a_document_preprocessor_is_switched_off_by_both_of_its_switches() -> None:
    off = {"use_doc_orientation_classify": False, "use_doc_unwarping": False}
    fix = deployment_fix(RESIZE, {"doc_preprocessor": None}, FULL)
    assert fix.changes == (Change("inference.options", off),)
    assert "pass use_doc_orientation_classify=False, use_doc_unwarping=False to paddleocr.PaddleOCR" in fix.text
    called = replace(FULL, predict_options={"use_doc_unwarping": True})
    (change,) = deployment_fix(RESIZE, {"doc_preprocessor": None}, called).changes
    assert change == Change("inference.predict_options", off)


def test_what_a_file_holds_is_put_right_in_it_unless_the_settings_have_the_last_word() -> None:
    from_file = replace(
        FULL, options_file=Path("ocr.yaml"), options={"text_det_thresh": 0.5}, from_file=frozenset({"text_det_thresh"})
    )
    fix = deployment_fix(DETECTIONS, {"thresh": 0.3}, from_file)
    assert fix.changes == (Change("inference.options_file", {"text_det_thresh": 0.3}),)
    assert "in ocr.yaml, which the deployment reads (inference.options_file), set text_det_thresh: 0.3" in fix.text
    (change,) = deployment_fix(DETECTIONS, {"thresh": 0.3}, replace(from_file, from_file=frozenset())).changes
    assert change.where == "inference.options"


@pytest.mark.parametrize("api", [TEXT_DETECTION, PADDLE_OCR])
def test_an_object_of_a_function_is_put_right_where_it_is_made(api: object) -> None:
    made = replace(FULL if api is PADDLE_OCR else ALONE, factory="app.ocr:make")
    name = made.api.argument("input_shape")
    made = replace(made, options={name: [3, 64, 64]})
    fixes = [deployment_fix(RESIZE, LIMIT, made), without_onednn(made)]
    for fix in fixes:
        assert fix.text.startswith(f"where app.ocr:make makes its {made.api.label}, ")
        assert "inference.options" not in fix.text
        assert {change.where for change in fix.changes} == {"inference.factory"}
    assert fixes[0].changes[0].values == {name: None}


def test_who_set_a_value_is_named() -> None:
    given = replace(FULL, options={"det_db_thresh": 0.5, "text_det_box_thresh": 0}, name="full")
    found = given_options(given)
    assert found[DETECTIONS] == {
        "thresh": "candidates.full.options",
        "box_thresh": "paddleocr.PaddleOCR, from its own OCR.yaml",
        "unclip_ratio": "paddleocr.PaddleOCR, from its own OCR.yaml",
    }
    own = given_options(replace(given, options={"paddlex_config": "a.yaml"}, predict_options={"text_det_thresh": 0.2}))
    assert own[RESIZE]["max_side_limit"] == "paddleocr.PaddleOCR, from SubModules.TextDetection of a.yaml"
    assert own[DETECTIONS]["thresh"] == "candidates.full.predict_options"
    assert given_options(ALONE) == {}


MADE = replace(
    ALONE, factory="app.ocr:make", options={"thresh": 0.3}, written={DETECTIONS: {"thresh": 0.2, "box_thresh": 0.6}}
)
OBJECT = "the object that app.ocr:make returns"


@pytest.mark.parametrize(
    ("running", "words"),
    [
        ({"thresh": 0.3, "box_thresh": 0.6}, {"thresh": "what app.ocr:make passes"}),
        ({"thresh": 0.5, "box_thresh": 0.6}, {"thresh": OBJECT}),
        ({"thresh": 0.3, "box_thresh": 0.7}, {"thresh": "what app.ocr:make passes", "box_thresh": OBJECT}),
    ],
    ids=["as it was made", "an argument that is overruled", "a value that no argument sets"],
)
def test_of_a_factorys_object_only_what_is_known_is_said(running: dict[str, float], words: dict[str, str]) -> None:
    assert given_options(MADE, {DETECTIONS: running}) == {DETECTIONS: words}


def test_a_value_that_predict_is_given_is_its_own() -> None:
    found = given_options(replace(MADE, predict_options={"thresh": 0.4}), {DETECTIONS: {"thresh": 0.4}})
    assert found == {DETECTIONS: {"thresh": "inference.predict_options"}}


def test_without_a_factory_other_values_that_run_change_no_words() -> None:
    given = replace(MADE, factory="")
    assert given_options(given, {DETECTIONS: {"thresh": 0.5}}) == given_options(given)


@pytest.mark.parametrize(
    ("fields", "runs", "told"),
    [
        ({}, 0.3, "where app.ocr:make makes its paddleocr.TextDetection, pass thresh=0.4"),
        ({}, 0.5, f"let {OBJECT} run with thresh=0.4: it was made with thresh 0.3, and runs with 0.5"),
        ({"has_own_predict": True}, 0.3, f"let {OBJECT} run with thresh=0.4: its predict() is its own"),
        (
            {"has_own_predict": True},
            0.5,
            f"let {OBJECT} run with thresh=0.4: its predict() is its own and it was made with thresh 0.3, and runs",
        ),
    ],
)
def test_a_fix_of_an_object_that_sets_a_value_itself_says_so(fields: dict[str, bool], runs: float, told: str) -> None:
    given = replace(MADE, **fields).doing_it_itself({"thresh": runs}, ["thresh"])  # type: ignore[arg-type]
    fix = deployment_fix(DETECTIONS, {"thresh": 0.4}, given)
    assert fix.text.startswith(told)
    assert fix.changes == (Change("inference.factory", {"thresh": 0.4}),)


@pytest.mark.parametrize(
    ("step", "options", "told", "values"),
    [
        (TURN, {"use_angle_cls": True}, "=False in the place of use_angle_cls", {"use_angle_cls": None}),
        (BATCH, {"rec_batch_num": 6}, "=1 in the place of rec_batch_num", {"rec_batch_num": None}),
        (TURN, {"use_angle_cls": None}, "=False", {}),
    ],
)
def test_a_step_of_a_page_is_changed_where_its_former_name_was_given(
    step: str, options: dict[str, Any], told: str, values: dict[str, Any]
) -> None:
    """paddleocr stops where both names are given."""
    nobody: Any = None
    page = DeployedPage(nobody, nobody, nobody, Deployed(name="page", api=PADDLE_OCR, options=options))
    fix = page.step_fix(step)
    assert f"{told} to paddleocr.PaddleOCR" in fix.text
    (change,) = fix.changes
    assert {name: value for name, value in change.values.items() if value is None} == values

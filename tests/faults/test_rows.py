"""The rows see what is wrong: a false claim, a false "ruled out", a hole in a fix, a case that passed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from toy import PAGE, Toy

from faults.near_miss import NearMiss, failure, port
from faults.rows import added_up, badly_worded, false_ruled_out, first_stage, line, row_of
from pytest_ocrparity import DifferenceError, Trace
from pytest_ocrparity.diagnosis import Diagnosis, Fix


def error(*diagnoses: Diagnosis, text: str = "it differs") -> DifferenceError:
    return DifferenceError(text, (), diagnoses)


def said(cause: str, **more: Any) -> Diagnosis:
    return Diagnosis(**{"stage": "detections", "cause": cause, "summary": "wrong", **more})


def row(raised: DifferenceError | None, *allowed: str, **more: Any) -> dict[str, Any]:
    return row_of("case", raised, ["detections"], allowed or ("unknown",), more.pop("injected", ()), **more)


def test_a_case_that_passes_is_not_caught() -> None:
    found = row(None, "rescale.offset")
    assert (found["caught"], found["stage_right"], found["cause_right"], found["unknown"]) == (
        False,
        False,
        False,
        False,
    )


@pytest.mark.parametrize(
    ("causes", "allowed", "wrong", "right", "unknown"),
    [
        (["unknown"], ["unknown"], [], True, True),
        (["rescale.offset"], ["rescale.offset"], [], True, False),
        (["unknown"], ["rescale.offset"], [], False, True),
        (["rescale.offset"], ["unknown"], ["rescale.offset"], False, False),
        (["rescale.offset"], ["unknown", "rescale.offset"], [], True, False),
        (["rescale.ratio", "unknown"], ["rescale.offset"], ["rescale.ratio"], False, False),
    ],
)
def test_a_claim_is_right_wrong_or_none(
    causes: list[str], allowed: list[str], wrong: list[str], right: bool, unknown: bool
) -> None:
    found = row(error(*map(said, causes)), *allowed)
    assert (found["wrong"], found["cause_right"], found["unknown"]) == (wrong, right, unknown)


def test_a_claim_may_have_to_say_more() -> None:
    rule = {"normalize.mean_std": "twice"}
    right = said("normalize.mean_std", fix=Fix("normalise once, and not twice"))
    assert row(error(right), "unknown", "normalize.mean_std", saying=rule)["wrong"] == []
    assert row(error(said("normalize.mean_std")), "unknown", "normalize.mean_std", saying=rule)["wrong"] == [
        "normalize.mean_std"
    ]


def test_a_false_sentence_is_a_wrong_claim() -> None:
    raised = error(said("unknown"), text="the same tensor gives another map")
    assert row(raised, never=["another map"])["wrong"] == ["another map"]
    assert row(raised, never=["another tensor"])["wrong"] == []


@pytest.mark.parametrize(
    ("text", "is_false"),
    [
        ("postprocess.unclip_ratio: no value does it", True),
        ("postprocess.thresh, postprocess.unclip_ratio: no value does it", True),
        ("postprocess: nothing", True),
        ("postprocess.thresh: no value does it", False),
        ("post: nothing", False),
        ("repeatability: the same map again, whatever postprocess.unclip_ratio is", False),
    ],
)
def test_what_is_at_fault_is_not_ruled_out(text: str, is_false: bool) -> None:
    found = [said("unknown", ruled_out=(text,))]
    assert false_ruled_out(found, ["postprocess.unclip_ratio"]) == ([text] if is_false else [])


def test_prose_rules_out_as_well() -> None:
    text = "mean, std and scale: no numbers of a normalisation turn one tensor into the other"
    assert false_ruled_out([said("unknown", ruled_out=(text,))], ["normalize.mean_std"]) == [text]


def test_a_fix_has_no_hole() -> None:
    texts = ["pass  to paddleocr", "pass unclip_ratio=1.5 to paddleocr"]
    assert badly_worded([said("unknown", fix=Fix(text)) for text in texts]) == texts[:1]


def test_the_first_stage_is_that_of_the_first_diagnosis_or_comparison() -> None:
    assert first_stage(error(said("unknown", stage="tensor"), said("unknown"))) == "tensor"
    raised = failure(Toy().trace(PAGE), Toy(name="inference", pad=20).trace(PAGE))
    assert raised is not None
    assert first_stage(DifferenceError("", raised.comparisons, ())) == "detections"


def test_rows_are_added_up() -> None:
    rows = [
        row(error(said("rescale.offset")), "rescale.offset"),
        row(error(said("rescale.offset")), "unknown"),
        row(error(said("unknown", ruled_out=("rescale: no",))), "unknown", injected=["rescale.offset"]),
        row(None),
    ]
    rows[0]["mended"], rows[1]["mended"] = True, False
    found = added_up(rows)
    assert {key: value for key, value in found.items() if key != "rows"} == {
        "cases": 4,
        "caught": 3,
        "stage_right": 3,
        "cause_right": 2,
        "unknown": 1,
        "wrong_claims": 1,
        "false_ruled_out": 1,
        "fixes": 2,
        "fixes_that_mend": 1,
    }
    assert "EXPECTED unknown" in line(rows[1]) and "NOT MENDED" in line(rows[1])
    assert "FALSE ruled out rescale: no" in line(rows[2])
    assert "not caught" in line(rows[3])


def test_who_follows_a_fix_cures_what_it_names() -> None:
    make = port({"postprocess.box_thresh": ("name",)}, name="mine", order="RGB")
    assert (make(None, ()).name, make(None, ()).order) == ("mine", "RGB")
    assert (make(None, ["postprocess.box_thresh"]).name, make(None, ["rescale.ratio"]).name) == ("port", "mine")
    assert make(None, ["postprocess.box_thresh"]).order == "RGB"
    assert port(order="RGB")(None, ["rescale.ratio"]).order == "BGR"


def test_boxes_alone_are_compared_alone() -> None:
    trace = Toy().trace(PAGE)
    assert trace.detections is not None
    assert failure(trace, [polygon.copy() for polygon in trace.detections.polygons]) is None
    assert failure(trace, [polygon + 20 for polygon in trace.detections.polygons]) is not None
    own = Toy().trace(PAGE).detections
    assert failure(trace, Trace(pipeline="mine", image="page", detections=own)) is None
    assert failure(trace, Trace(pipeline="mine", image="page", tensor=np.zeros((1, 3, 64, 96), np.float32))) is not None


def test_an_own_engine_is_known() -> None:
    values: dict[str, Any] = {"kind": "", "stage": "", "allowed": "", "images": ()}
    assert NearMiss(name="", make=port(), **values).is_own_engine
    assert NearMiss(name="", make=port(plain=True), **values).is_own_engine
    assert not NearMiss(name="", make=lambda inference, _: inference, **values).is_own_engine

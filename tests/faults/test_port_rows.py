"""The third table counts what shows, and what was said of it, by rules that can fail."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from specimens import box
from toy import PAGE, Toy

from faults import conftest
from faults.port_kinds import KINDS, NAMES, Kind
from faults.port_rows import (
    FORMS,
    added_up,
    first_shown,
    groups,
    in_form,
    in_order,
    judged,
    line,
    markdown,
    missed,
    row_of,
    told,
)
from pytest_ocrparity import Decoded, Detections, DifferenceError, Trace
from pytest_ocrparity.diagnosis import CAUSES, Diagnosis

ONE, TWO = (
    Kind(name="a", family="f", choices={}, post={}, names=names) for names in (("thresh",), ("thresh", "scale"))
)
ALSO = replace(ONE, also=("map",))
THRESH, SCALE, UNCLIP = "postprocess.thresh", "normalize.scale", "postprocess.unclip_ratio"


def right() -> Trace:
    return Toy().trace(PAGE)


def with_boxes(trace: Trace, *boxes: Any, scores: Any = None) -> Trace:
    return replace(trace, detections=Detections(tuple(boxes), scores))


@pytest.mark.parametrize(
    ("kind", "stated", "named", "half", "wrong"),
    [
        (ONE, [], False, False, []),
        (ONE, [{THRESH}], True, False, []),
        (ONE, [{UNCLIP}], False, False, [UNCLIP]),
        (ONE, [{THRESH}, {UNCLIP}], True, False, [UNCLIP]),
        (ONE, [{THRESH, "unknown"}], False, False, []),  # what has no code may be the cause as well
        (ALSO, [{THRESH, "network.own_code", "unknown"}], False, False, []),
        (ONE, [{THRESH, UNCLIP}], False, False, []),  # a group with the right one is no wrong claim, and no name
        (ALSO, [{THRESH, "network.own_code"}], True, False, []),
        (ALSO, [{"network.own_code"}], True, False, []),
        (TWO, [{THRESH}], False, True, []),
        (TWO, [{THRESH}, {SCALE}], True, False, []),
        (replace(TWO, also=("map",)), [{THRESH}, {"network.own_code"}], False, True, []),
    ],
)
def test_a_group_of_causes_names_or_is_wrong(
    kind: Kind, stated: list[set[str]], named: bool, half: bool, wrong: list[str]
) -> None:
    assert judged(kind, stated) == {"named": named, "half": half, "wrong": wrong}


@pytest.mark.parametrize(
    ("stated", "named"),
    [
        ({THRESH, UNCLIP}, True),
        ({THRESH}, True),  # what is true names it, whatever does the same
        ({UNCLIP}, False),
        ({THRESH, SCALE}, False),
        ({THRESH, UNCLIP, SCALE}, False),
        ({THRESH, UNCLIP, "unknown"}, False),
    ],
)
def test_the_exact_set_of_rivals_names_a_fault(stated: set[str], named: bool) -> None:
    assert judged(ONE, [stated], {"thresh": {THRESH, UNCLIP}})["named"] is named
    assert judged(ONE, [stated])["named"] is (stated == {THRESH})


@pytest.mark.parametrize(
    ("rivals", "group"),
    [
        ((), None),
        ((THRESH,), {THRESH, "unknown"}),
        ((THRESH, "unknown"), {THRESH, "unknown"}),
        ((THRESH, UNCLIP), {THRESH, UNCLIP}),
    ],
)
def test_what_is_unknown_and_has_one_rival_is_not_stated(rivals: tuple[str, ...], group: set[str] | None) -> None:
    unknown = Diagnosis(stage="detections", cause="unknown", summary="or else", rivals=rivals)
    assert groups(DifferenceError("it differs", (), (unknown,))) == ([] if group is None else [group])
    assert groups(DifferenceError("it differs", (), (replace(unknown, cause=UNCLIP),))) == [{UNCLIP}]


def test_another_way_to_score_is_not_another_factor_of_scores() -> None:
    kind = next(kind for kind in KINDS if kind.name == "scores x 0.7")
    assert judged(kind, [{"postprocess.scores"}])["named"]
    assert judged(kind, [{"postprocess.score_mode"}])["wrong"] == ["postprocess.score_mode"]


def test_each_form_hands_over_less() -> None:
    trace = right()
    stages = [in_form(trace, form).stages for form in FORMS]
    assert stages == [trace.stages, ("tensor", "probability_map", "detections"), ("detections",)]
    assert [in_form(trace, form).source is None for form in FORMS] == [False, True, True]
    assert [in_form(trace, form).shape is None for form in FORMS] == [False, True, True]


def test_the_same_result_does_not_show() -> None:
    assert [first_shown(in_form(right(), form), in_form(right(), form)) for form in FORMS] == [None] * 3


@pytest.mark.parametrize(
    ("stage", "amount", "is_shown"), [("tensor", 5e-5, False), ("tensor", 2e-4, True), ("probability_map", 2e-3, True)]
)
def test_an_array_shows_beyond_its_limit(stage: str, amount: float, is_shown: bool) -> None:
    trace = right()
    changes: dict[str, Any] = {stage: getattr(trace, stage) + np.float32(amount)}
    wrong = replace(trace, **changes)
    assert first_shown(trace, wrong) == (stage if is_shown else None)
    assert not first_shown(in_form(trace, "boxes only"), in_form(wrong, "boxes only"))


def test_a_pixel_shows_at_its_stage() -> None:
    trace = right()
    assert trace.decode is not None and trace.decode.pixels is not None and trace.resize is not None
    decoded = Decoded.of(trace.decode.pixels + np.uint8(1), trace.decode.channel_order)
    assert first_shown(trace, replace(trace, resize=trace.resize + np.uint8(1))) == "resize"
    assert first_shown(trace, replace(trace, resize=trace.resize + np.uint8(1), decode=decoded)) == "decode"


def test_values_that_are_no_numbers_show() -> None:
    trace = right()
    assert trace.probability_map is not None
    wrong = replace(trace, probability_map=trace.probability_map * np.float32("nan"))
    assert first_shown(trace, wrong) == "probability_map"


QUADS = box(10, 20, 100, 30), box(10, 80, 60, 20)


@pytest.mark.parametrize(
    ("boxes", "is_shown"),
    [
        (QUADS, False),
        (QUADS[::-1], False),
        ((QUADS[0] + 2, QUADS[1]), False),
        ((np.roll(QUADS[0], 1, axis=0), QUADS[1]), False),
        ((QUADS[0] + 4, QUADS[1]), True),
        (QUADS[:1], True),
        ((QUADS[0], QUADS[0]), True),
        ((QUADS[0][[0, 2, 1, 3]], QUADS[1]), True),  # the same corners in an order that crosses itself
        ((QUADS[0][[0, 2]], QUADS[1]), True),
    ],
)
def test_boxes_show_where_they_lie_elsewhere(boxes: tuple[Any, ...], is_shown: bool) -> None:
    trace = right()
    found = first_shown(with_boxes(trace, *QUADS), with_boxes(trace, *boxes))
    assert found == ("detections" if is_shown else None)


@pytest.mark.parametrize(("score", "with_map", "alone"), [(0.9, False, False), (0.85, True, False), (0.6, True, True)])
def test_scores_show_more_where_a_map_tells_them(score: float, with_map: bool, alone: bool) -> None:
    before = with_boxes(right(), *QUADS, scores=[0.9, 0.8])
    after = with_boxes(right(), *QUADS, scores=[score, 0.8])
    found = [first_shown(in_form(before, form), in_form(after, form)) is not None for form in FORMS]
    assert found == [with_map, with_map, alone]


def row(
    kind: Kind, *causes: str, form: str = "with source", shown: str | None = "detections", **more: Any
) -> dict[str, Any]:
    found = [Diagnosis(**{"stage": "detections", "cause": cause, "summary": "wrong", **more}) for cause in causes]
    error = DifferenceError("it differs\nmuch", (), tuple(found)) if found else None
    return row_of(kind, "page.png", form, (shown, "decode"), error)


def test_a_row_says_what_was_said() -> None:
    found = row(ONE, THRESH, "unknown", ruled_out=("postprocess.thresh: no",))
    assert (found["caught"], found["named"], found["unknown"]) == (True, True, False)
    assert found["said"] == [f"detections: {THRESH}", "detections: unknown"]
    assert found["false_ruled_out"] == ["postprocess.thresh: no"] * 2
    assert found["first_lines"] == ["it differs", "much"]
    nothing = row(ONE)
    assert (nothing["caught"], nothing["named"], nothing["unknown"], nothing["first_lines"]) == (
        False,
        False,
        False,
        [],
    )
    assert row(ONE, "unknown")["unknown"]


@pytest.mark.parametrize(
    ("stage", "shown", "is_right"),
    [
        ("tensor", "tensor", True),
        ("decode", "tensor", True),  # of all that it has
        ("detections", "tensor", True),  # where `thresh`, which is true, is stated
        ("probability_map", "tensor", False),
        ("probability_map", None, False),
    ],
)
def test_the_first_stage_is_where_it_shows_or_where_what_is_true_is_stated(
    stage: str, shown: str | None, is_right: bool
) -> None:
    assert row(ONE, "unknown", stage=stage, shown=shown)["stage_right"] == is_right
    assert not row(ONE, shown=shown)["stage_right"]


def test_rows_are_added_up_by_form() -> None:
    rows = [row(ONE, THRESH), row(TWO, THRESH), row(ONE, UNCLIP, shown=None), row(ONE, form="boxes only")]
    found = added_up(rows)
    assert list(found) == list(FORMS)
    figures = {"kinds": 1, "pairs": 2, "caught": 2, "stage_right": 2, "named": 1, "half": 1, "unknown": 0}
    assert found["with source"] == {**figures, "wrong_claims": 1, "false_ruled_out": 0}
    assert found["boxes only"]["pairs"] == 1 and found["boxes only"]["caught"] == 0
    assert missed(found) == [
        "with source: 1 wrong claims, none is to be",
        "with source: 1 of 2 named, 90% are to be",
        "boxes only: 0 of 1 caught, all are to be",
    ]
    assert missed(added_up([row(ONE, THRESH), row(ONE, "unknown", form="boxes only")])) == []


def test_a_run_of_all_fails_where_a_target_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    every = [(kind, page, form) for kind in KINDS for page in kind.pages for form in FORMS]
    named = [
        {**row(kind, *(NAMES[concept][0] for concept in kind.names), form=form), "page": page}
        for kind, page, form in every
    ]
    lost = {**named[0], "caught": False}
    for rows, status in ((named, 0), ([lost, *named[1:]], 1), ([lost, *named[3:-3]], 0)):
        monkeypatch.setattr(conftest, "PORTS", rows)
        session: Any = SimpleNamespace(exitstatus=0)
        conftest.pytest_sessionfinish(session)
        assert session.exitstatus == status


def test_lines_mark_what_is_wrong() -> None:
    assert line(row(ONE, THRESH)).endswith(f"detections: {THRESH}")
    assert line(row(ONE, UNCLIP)).endswith(f"not named   WRONG {UNCLIP}")
    assert line(row(ONE)).endswith("not caught   not named   NOT CAUGHT")
    assert "does not show" in line(row(ONE, shown=None))
    assert "half named" in line(row(TWO, THRESH))
    assert "STAGE not right" in line(row(ONE, "unknown", stage="resize"))


def test_the_table_is_printed_and_written_down() -> None:
    kind = KINDS[0]
    rows = in_order([row(kind, form="boxes only"), row(kind, *NAMES[kind.names[0]])])
    assert [each["form"] for each in rows] == ["with source", "boxes only"]
    found = {"forms": added_up(rows), "rows": rows}
    assert told(found)[0] == line(rows[0]) and told(found)[-1].startswith("boxes only     kinds 1   pairs 1   caught 0")
    page = markdown(found, "abc").splitlines()
    assert f"| {kind.name} | 1 of 1: detections: {NAMES[kind.names[0]][0]} | does not show | 0 of 1:  |" in page


def test_the_codes_of_today_are_those_of_the_documentation() -> None:
    """A concept that docs/reference/causes.md has a code for is called by it; other codes are what it may get."""
    known = [concept for concept, codes in NAMES.items() if {*codes} & CAUSES.keys()]
    assert len(known) >= 30
    assert {code for codes in NAMES.values() for code in codes if code.startswith("postprocess.")} >= {
        code for code in CAUSES if code.startswith("postprocess.")
    }

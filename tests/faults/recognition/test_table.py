"""The tables are sound, the short lists have every kind, and the switch is as the diagnosis."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest

from faults.recognition import hooks
from faults.recognition.case import IS_DIAGNOSED, NAMES, REFUSED, LineCase
from faults.recognition.cases import FAULTS
from faults.recognition.deployment import LINES, LineDeployment, LineTrial
from faults.recognition.judging import missed, row_of_line, row_of_refusal
from faults.recognition.near_misses import NEAR_MISSES
from faults.recognition.port import LinePort
from faults.recognition.short_list import FAST, FAST_NEAR, FAULT_NAMES
from faults.recognition.test_clean import RUN, VARIATIONS
from faults.rows import OF_RECOGNISERS, added_up, markdown
from pytest_ocrparity import DifferenceError
from pytest_ocrparity.diagnosis import CAUSES, UNKNOWN, Diagnosis
from pytest_ocrparity.errors import ModelError
from pytest_ocrparity.stages import STAGES

DIGEST = "737bf4011c3ed450"
OF_ONE_PADDLE = "E1 oneDNN of paddle 3.2"
IS_THAT_PADDLE = any(case.name == OF_ONE_PADDLE for case in FAULTS)
OWN = {"very_wide.png", "named.gif"}
"""The lines that cases write."""
PLANNED = re.compile(
    r"resize\.(width|batch_padding|height|stretch|max_width|placement)|tensor\.(padding_value|padding|placement)"
    r"|layout\.padding|text\.(dictionary|dictionary_length|blank|duplicates|direction|score)|network\.(head|softmax)"
)
"""The codes that recognition's diagnosis may bring; those that it does not bring stay unused names."""


def of(name: str, cases: list[LineCase]) -> LineCase:
    return next(case for case in cases if case.name == name)


def said(*causes: str, stage: str = "resize") -> DifferenceError:
    found = tuple(Diagnosis(stage=stage, cause=cause, summary="wrong") for cause in causes)
    return DifferenceError("it differs", (), found)


def test_the_tables_are_frozen() -> None:
    """What may change is `NAMES`, and not what is demanded: a case that is changed or dropped changes the digest."""
    cases = [
        (case.name, case.kind, case.images, case.wanted, case.may, case.refused)
        for case in [*FAULTS, *NEAR_MISSES]
        if case.name != OF_ONE_PADDLE
    ]
    assert hashlib.sha256(json.dumps(cases).encode()).hexdigest()[:16] == DIGEST


def test_the_tables_are_large_enough() -> None:
    assert len(FAULTS) >= 60
    assert len(NEAR_MISSES) >= 40
    assert len(RUN) - 1 >= 80
    assert len(VARIATIONS) * len(LINES) > 400


@pytest.mark.parametrize("cases", [FAULTS, NEAR_MISSES], ids=["faults", "near misses"])
def test_the_tables_are_sound(cases: list[LineCase]) -> None:
    names = [case.name for case in cases]
    assert len(set(names)) == len(names)
    for case in cases:
        assert {*case.images} <= {*LINES, *OWN} and case.images, case.name
        assert len(set(case.images)) == len(case.images), case.name
        assert {stage for each, _ in case.wanted for stage in each.split("/")} <= {*STAGES, REFUSED}, case.name
        assert bool(case.refused) == (case.stage == REFUSED), case.name
        assert {concept for _, concept in case.wanted} | {*case.may} <= NAMES.keys(), case.name


def test_each_code_is_one_or_will_be_one() -> None:
    for codes in NAMES.values():
        assert all(code in CAUSES or PLANNED.fullmatch(code) for code in codes), codes


def test_each_concept_is_used() -> None:
    used = {concept for case in [*FAULTS, *NEAR_MISSES] for concept in (*(each for _, each in case.wanted), *case.may)}
    assert used | {"oneDNN"} == NAMES.keys()
    assert ("oneDNN" in used) == IS_THAT_PADDLE


@pytest.mark.parametrize(("cases", "fast"), [(FAULTS, FAST), (NEAR_MISSES, FAST_NEAR)], ids=["faults", "near misses"])
def test_the_short_list_has_every_kind(cases: list[LineCase], fast: tuple[str, ...]) -> None:
    kinds = [of(name, cases).kind for name in fast if name != OF_ONE_PADDLE or IS_THAT_PADDLE]
    assert sorted(kinds) == sorted({case.kind for case in cases})


def test_the_switch_is_as_the_diagnosis(tmp_path: Path, untouched: Any) -> None:
    """Three plain faults: where the diagnosis names one of them it is merged, and the causes are to be judged."""
    cases = [of(name, FAULTS) for name in ("R1 the evaluation squeezes", "C3 sorted", "W1 nothing loaded")]
    found = (
        (case.name, LineTrial(case, case.images[0], tmp_path / str(index), untouched).failure())
        for index, case in enumerate(cases)
    )
    named = next((name for name, error in found if row_of_line(of(name, FAULTS), "", error)["cause_right"]), None)
    assert (named is not None) == IS_DIAGNOSED, f"{named} is named: set IS_DIAGNOSED in recognition/case.py"


def test_a_claim_is_right_wrong_or_none() -> None:
    case = of("R1 the evaluation squeezes", FAULTS)
    rows = [row_of_line(case, "a.png", said(cause)) for cause in ("resize.width", UNKNOWN, "text.dictionary")]
    assert [(row["cause_right"], row["wrong"]) for row in rows] == [
        (True, []),
        (False, []),
        (False, ["text.dictionary"]),
    ]
    assert row_of_line(case, "a.png", None)["caught"] is False


def test_of_two_faults_both_must_be_named() -> None:
    case = of("the evaluation squeezes, and a sorted dictionary", FAULTS)
    assert row_of_line(case, "a.png", said("resize.width"))["cause_right"] is False
    assert row_of_line(case, "a.png", said("resize.width", "text.dictionary"))["cause_right"] is True


def test_what_can_be_nothing_but_unknown_is_right_so() -> None:
    case = of("cut after 10 characters", NEAR_MISSES)
    assert row_of_line(case, "a.png", said(UNKNOWN, stage="text"))["cause_right"] is True
    assert row_of_line(case, "a.png", said("text.duplicates", stage="text"))["wrong"] == ["text.duplicates"]


def test_a_refusal_must_say_what_is_wrong() -> None:
    case = of("C8 lone CR", FAULTS)
    assert row_of_refusal(case, "a.png", ModelError("the dictionary x has 1 entry"))["wrong"] == []
    assert row_of_refusal(case, "a.png", ModelError("AssertionError"))["wrong"] == ["AssertionError"]
    width = of("R1 the evaluation squeezes", FAULTS)
    assert row_of_refusal(width, "a.png", ModelError("no such file"))["wrong"] == ["no such file"]


def test_targets_are_those_of_all_rows() -> None:
    rows = [{"name": name, "caught": True, "cause_right": True, "wrong": []} for name in FAULT_NAMES]
    assert missed(rows, FAULT_NAMES, True) == []
    unnamed = [{**row, "cause_right": False} for row in rows[: len(rows) // 10]] + rows[len(rows) // 10 :]
    assert missed(unnamed, FAULT_NAMES, False) == []
    (text,) = missed(unnamed, FAULT_NAMES, True)
    assert "95% are to be" in text
    assert len(missed([{**rows[0], "caught": False, "wrong": ["x"]}, *rows[1:]], FAULT_NAMES, False)) == 2
    assert missed(rows[1:], FAULT_NAMES, True) == []


def test_the_page_of_faults_holds_the_tables_of_recognisers() -> None:
    row = row_of_line(of("R1 the evaluation squeezes", FAULTS), "a.png", said("resize.width"))
    table = added_up([row])
    detectors = {"faults": table, "near_misses": table, "clean_runs": 3, "false_alarms": 0}
    lines = {"clean_runs_of_recognisers": 7, "false_alarms_of_recognisers": 1}
    page = markdown({**detectors, **dict.fromkeys(OF_RECOGNISERS, table), **lines}, "abc")
    assert "| faults of recognisers | 1 | 1 | 1 | 1 | 0 | 0 | 0 | 0 of 0 |" in page
    assert "| near misses of recognisers | 1 |" in page
    assert "7 of recognisers: 1 false alarms" in page
    assert "recognisers" not in markdown(detectors, "abc")


def test_a_port_reads_as_both_sides_until_it_is_told_otherwise(untouched: Any) -> None:
    deployment, (train, inference) = untouched
    image = deployment.folder / "lines" / "price.png"
    reference = train.trace(image)
    assert LineTrial.judge(reference, LinePort(engine=inference).trace(image)) is None
    for told in ({"spell": lambda text: text + "?"}, {"rate": lambda _: 0.1}, {"pad": hooks.fill(1)}):
        assert LineTrial.judge(reference, LinePort(engine=inference, **told).trace(image)) is not None


def test_who_follows_a_fix_puts_a_port_right(untouched: Any) -> None:
    """So nothing but its hooks is wrong with a port, or with a wrapper."""
    deployment, (train, inference) = untouched
    wrong = []
    for case in [*FAULTS, *NEAR_MISSES]:
        if case.inject is None:
            image = deployment.folder / "lines" / case.images[0]
            right = case.make(inference, ("a cause",)).trace(image)
            if LineTrial.judge(train.trace(image), right) is not None:
                wrong.append(case.name)
    assert wrong == []


def test_the_deployment_can_be_exported_again(tmp_path: Path) -> None:
    deployment = LineDeployment.copy(tmp_path)
    of("W1 nothing loaded", FAULTS).inject(deployment)  # type: ignore[misc]
    before = (deployment.model_dir / "inference.pdiparams").read_bytes()
    deployment.export()
    right = (deployment.model_dir / "inference.pdiparams").read_bytes()
    assert before != right
    assert right == (Path(__file__).parents[3] / "example_project/inference_rec/inference.pdiparams").read_bytes()

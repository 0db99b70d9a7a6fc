"""The comparisons of a run, made of the records of its tests when they are asked for."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from types import SimpleNamespace

from records import comparison

from pytest_ocrparity.diagnosis import Diagnosis
from pytest_ocrparity.report.document import Compared, Failed, Loads, RecordedComparison
from pytest_ocrparity.report.table import Tally
from pytest_ocrparity.session.collecting import Comparisons, comparison_with_test, loaded_files
from pytest_ocrparity.session.kept_records import KeptRecords
from pytest_ocrparity.session.outcomes import Outcomes

DIAGNOSIS = Diagnosis(stage="tensor", cause="normalize.mean", summary="another mean")
IMAGE = {"image": "a.png", "reference": "train", "candidate": "inference"}


def failed(*others: RecordedComparison, message: str = "it differs") -> Failed:
    return Failed(**IMAGE, kind="preprocessing", message=message, diagnoses=(DIAGNOSIS,), others=others)


def different(kind: str = "preprocessing") -> Compared:
    return Compared(comparison=comparison(kind, **IMAGE, status="different", stage="tensor"))


def found(**tests: list[Compared | Failed]) -> Comparisons:
    kept = KeptRecords()
    for test, left in tests.items():
        kept.add(test, left)
    outcomes = Outcomes()
    for when in ("setup", "call", "teardown"):
        ended = {"outcome": "failed", "longrepr": "why"} if when == "call" else {"outcome": "passed", "longrepr": ""}
        flags = {"failed": when == "call", "skipped": False, "nodeid": "failing", "location": ("test_it.py", 6, "")}
        outcomes.hear(SimpleNamespace(when=when, **ended, **flags))
    return Comparisons(Tally(kept, partial(comparison_with_test, outcomes)), outcomes)


def test_a_failure_brings_its_message_its_causes_and_its_place() -> None:
    (each,) = found(failing=[different(), failed()])
    assert (each.message, each.diagnoses, each.judged) == ("it differs", (DIAGNOSIS,), True)
    assert (each.test, each.file, each.line, each.outcome) == ("failing", "test_it.py", 7, "failed")


def test_one_that_matches_has_no_message_of_another() -> None:
    same = Compared(comparison=comparison("preprocessing", **IMAGE, status="same"))
    (each,) = found(failing=[same, failed()])
    assert (each.message, each.diagnoses) == ("", ())


def test_of_an_image_that_a_test_compares_twice_each_failure_has_its_own_message() -> None:
    one, other = found(failing=[different(), failed(message="one"), different(), failed(message="other")])
    assert (one.message, other.message) == ("one", "other")
    silent, told = found(failing=[different(), different(), failed()])
    assert (silent.message, told.message) == ("", "it differs")


def test_what_a_failure_compared_besides_comes_last_and_is_not_judged() -> None:
    besides = comparison("detections", **IMAGE)
    one, two = found(failing=[different(), failed(besides)])
    assert (one.kind, one.judged, two.kind, two.judged) == ("preprocessing", True, "detections", False)


def test_what_another_test_judges_is_not_there_a_second_time() -> None:
    besides = comparison("detections", **IMAGE)
    judged = Compared(comparison=besides)
    all_three = found(failing=[different(), failed(besides)], other=[judged, judged])
    assert [(each.test, each.judged) for each in all_three] == [("failing", True), ("other", True), ("other", True)]


def test_what_two_failures_compared_besides_is_there_once() -> None:
    besides = comparison("detections", **IMAGE)
    twice = found(failing=[different(), failed(besides)], other=[different(), failed(besides)])
    assert [each.judged for each in twice] == [True, False, True]


def test_each_look_gives_the_same_in_any_order() -> None:
    besides = comparison("detections", **IMAGE)
    every = found(failing=[different(), failed(besides)], other=[different("probability_maps")])
    assert len(every) == 3
    assert [every[number] for number in (2, 0, 1)] == [[*every][number] for number in (2, 0, 1)]
    assert every[1:] == [*every][1:]


def test_the_file_that_a_candidate_was_loaded_with_has_its_digest() -> None:
    config = Path("export", "inference.yml")
    first, same = (Loads(side="inference", config=str(config), digest="a") for _ in range(2))
    other = Loads(side="inference", config=str(Path("other", "inference.yml")), digest="b")
    values = {"model_dir": config.parent}
    assert loaded_files(values, [first, Loads(side="train"), same, other]) == {"inference.yml": "a"}
    assert loaded_files(values, [first, Loads(side="inference", config=str(config), digest="c")]) == {}  # it changed
    assert loaded_files(values, [Loads(side="inference")]) == {}
    assert loaded_files({"api": "results", "model_dir": config.parent}, [first]) == {}
    assert loaded_files({"model_file": config.parent / "a.onnx"}, [first]) == {"inference.yml": "a"}

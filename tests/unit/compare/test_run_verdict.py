"""Why a run as a whole fails, from the records of its tests."""

from __future__ import annotations

from records import comparison, tally

from pytest_ocrparity.compare.run_verdict import batch_faults, run_faults
from pytest_ocrparity.comparison import Measure
from pytest_ocrparity.report.document import Batched, Compared, Record, Used
from pytest_ocrparity.report.table import Tally


def test_a_run_that_used_nothing_of_ours_has_no_fault() -> None:
    assert run_faults(Tally({}), allow_empty=False, is_recording=False) == []
    assert run_faults(Tally({"a": []}), allow_empty=False, is_recording=False) == []


def test_one_that_used_a_fixture_and_compared_nothing_has() -> None:
    (fault,) = run_faults(tally(Used(fixture="ocr_image")), allow_empty=False, is_recording=False)
    assert (fault.name, fault.text.partition(":")[0]) == ("compared", "nothing was compared")


def record(candidate: str, different: int, boxes: int) -> Record:
    found = comparison(
        image=f"{candidate}.png",
        candidate=candidate,
        status="left to the run",
        counts={"different": different, "borderline": 0, "boxes": boxes, "reference": boxes},
        measures=(Measure("detections.max_unmatched", different / boxes, 0.06, "int8 preset", decides=False),),
    )
    return Compared(comparison=found)


def test_each_candidate_is_judged_over_the_run_by_itself() -> None:
    right = {f"test_{name}": [record(name, 0, 30)] for name in ("a", "c")}
    faults = run_faults(Tally({**right, "test_b": [record("b", 4, 30)]}), allow_empty=False, is_recording=False)
    (fault,) = faults
    assert fault.text.startswith("over the run 13.3% (4 of 30) of the boxes have no partner, limit 0.06 (")
    assert fault.text.endswith("; b against train, most in b.png")
    assert run_faults(Tally({**right, "test_b": [record("b", 1, 30)]}), allow_empty=False, is_recording=False) == []


def batched(image: str, size: int = 2, **more: object) -> Batched:
    return Batched(side="inference", image=image, asked=2, size=size, **more)  # type: ignore[arg-type]


class TestBatches:
    def test_images_that_are_the_same_in_a_batch_are_no_fault(self) -> None:
        assert batch_faults([]) == []
        assert batch_faults([batched("a"), batched("b"), batched("c", 1)]) == []

    def test_one_that_differs_is_named_with_its_amount_and_cause(self) -> None:
        wrong = batched("b", is_same=False, text="differs by 0.3", cause="engine.batch, it mixes images; fix: do not")
        (fault,) = batch_faults([batched("a"), wrong])
        assert fault.name == "batch"
        assert fault.text == (
            "inference in batches of 2 differs from inference alone, on 1 of 2 images: b: differs by 0.3; "
            "cause: engine.batch, it mixes images; fix: do not"
        )

    def test_those_with_a_cause_come_first_and_not_all_are_listed(self) -> None:
        wrong = [batched(f"{i}", is_same=False, text=f"differs by {i}") for i in range(4)]
        (fault,) = batch_faults([*wrong, batched("z", is_same=False, text="differs", cause="engine.batch")])
        assert "on 5 of 5 images: z: differs; cause: engine.batch; 0: differs by 0; 1: differs by 1; and 2 more" in (
            fault.text
        )

    def test_images_that_one_thing_stops_share_a_sentence(self) -> None:
        (fault,) = batch_faults([batched(name, is_same=False, text="a batch of 2 stops: no memory") for name in "ab"])
        assert fault.text.endswith("a, b: a batch of 2 stops: no memory")

    def test_a_run_in_which_none_ran_has_a_fault(self) -> None:
        (fault,) = batch_faults([batched("a", 1), batched("b", 1)])
        assert fault.text == (
            "inference was asked for batches of 2, and none ran, of 2 images: no two of them have tensors of one size; "
            "add a page of the same size, or ask for no batches"
        )
        (fault,) = batch_faults([batched("a", 0, text="it has no infer")])
        assert "none ran, of 1 image: it has no infer" in fault.text

    def test_each_side_is_judged_by_itself(self) -> None:
        other = Batched(side="onnx", image="a", asked=2, size=1)
        (fault,) = batch_faults([batched("a"), batched("b"), other])
        assert fault.text.startswith("onnx was asked for batches of 2, and none ran")

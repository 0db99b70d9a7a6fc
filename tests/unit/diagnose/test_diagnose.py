"""A whole diagnosis: what it states, what it cannot run, and what it leaves out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from diagnosing import (
    Array,
    Squares,
    Varied,
    all_judged,
    cause_of,
    digest,
    judged,
    on,
    on_spread,
    only,
    says,
    seen,
    stopped,
)
from toy import PAGE, Toy

from pytest_ocrparity import Trace
from pytest_ocrparity.compare import Comparisons
from pytest_ocrparity.diagnose import _examine_parts, _nothing_found, diagnose, examine, first_stage_to_diagnose
from pytest_ocrparity.diagnose.budget import MOST_RUNS, BudgetSpentError
from pytest_ocrparity.diagnose.cache import DiagnosisCache
from pytest_ocrparity.diagnose.laboratory import Laboratory
from pytest_ocrparity.diagnosis import AGREES, UNKNOWN, Alternative, Diagnosis
from pytest_ocrparity.errors import NotEnoughMemory, StageError
from pytest_ocrparity.stages import DETECTION, DETECTIONS, PROBABILITY_MAP, RECOGNITION, TENSOR
from pytest_ocrparity.tolerance import BUILT_IN, Tolerance
from pytest_ocrparity.trace import Detections, Image, Shape


class TestTheWhole:
    def test_sides_that_agree_have_no_cause(self) -> None:
        assert diagnose(reference=Toy().trace(PAGE), candidate=Toy(name="port").trace(PAGE)) == ()

    def test_sides_that_differ_have_the_cause_that_an_experiment_shows(self) -> None:
        diagnosis = only(seen(Toy()), seen(Varied(name="port", mean=0.4)))
        assert judged(diagnosis) == ("tensor", "normalize.mean_std")

    def test_without_time_left_the_first_stage_is_named_and_the_budget_told(self) -> None:
        (diagnosis,) = diagnose(
            reference=seen(Toy()), candidate=seen(Varied(name="port", mean=0.4)), tolerance=BUILT_IN, seconds=1e-9
        )
        assert (*judged(diagnosis), diagnosis.summary) == ("tensor", UNKNOWN, "budget spent")
        assert says(diagnosis.not_tried, "the rest: used 0 of 20 network runs and 0 of 1e-09 s of processor time")
        assert diagnosis.not_tried[0].endswith("(setting: diagnosis_seconds = 1e-09)")

    def test_no_more_networks_run_than_the_budget_has(self) -> None:
        class ManyEngines(Toy):
            def other_engines(self) -> Iterator[Alternative]:
                for index in range(99):
                    yield Alternative("engine.onednn", f"engine {index}", self.infer)

        diagnosis = only(seen(Toy()), seen(ManyEngines(name="port", gain=2.0)))
        assert (*judged(diagnosis), diagnosis.summary) == ("probability_map", UNKNOWN, "budget spent")
        assert says(diagnosis.not_tried, "the rest: used 20 of 20 network runs and ")
        assert "engine.onednn: with engine 0 the map is what it was without, bit for bit" in diagnosis.ruled_out


@pytest.mark.parametrize("refused", ["train", "inference"])
def test_no_experiment_takes_the_memory_that_a_side_was_refused(refused: str) -> None:
    """Nor does the number of such images count: each has the same message."""
    sides = {name: Toy(name=name) for name in ("train", "inference")}
    traces = {name: seen(side) for name, side in sides.items()}
    error = NotEnoughMemory("probability_map", "it would take an estimated 9.0 GB of memory")
    traces[refused] = replace(traces[refused], probability_map=None, detections=None, error=error)
    runs = sides["train"].runs, sides["inference"].runs
    reference, candidate = traces["train"], traces["inference"]
    told = f"{refused} did not run, and no experiment was made, as too little memory was left"
    assert only(reference, candidate).summary == told
    cache = DiagnosisCache(60)
    for number in range(5):
        again = replace(reference, image=f"{number}.png"), replace(candidate, image=f"{number}.png")
        (diagnosis,) = cache.diagnose(Comparisons(*again, BUILT_IN))
        assert (diagnosis.cause, diagnosis.summary) == (UNKNOWN, told)
    assert (sides["train"].runs, sides["inference"].runs) == runs
    other = replace(candidate, error=StageError("probability_map", "it broke"), probability_map=None, detections=None)
    assert cache.diagnose(Comparisons(seen(sides["train"]), other, BUILT_IN))[0].summary != told


def test_a_tensor_that_a_side_leaves_empty_ends_no_diagnosis() -> None:
    class Skips(Toy):
        def preprocess(self, image: Image) -> Trace:
            return replace(super().preprocess(image), tensor=np.zeros(0, np.float32))

        def infer(self, tensor: Array) -> Array:
            return super().infer(tensor) if tensor.size else np.zeros((1, 1, 64, 96), np.float32)

    found = diagnose(reference=seen(Toy()), candidate=seen(Skips(name="port")))
    assert all(each.cause == UNKNOWN for each in found) and found


@pytest.mark.parametrize("is_resize_recorded", [True, False])
def test_a_tensor_without_an_axis_for_the_batch_ends_no_diagnosis(is_resize_recorded: bool) -> None:
    class Single(Toy):
        def preprocess(self, image: Image) -> Trace:
            trace = super().preprocess(image)
            assert trace.tensor is not None
            return replace(trace, tensor=trace.tensor[0], resize=trace.resize if is_resize_recorded else None)

        def infer(self, tensor: Array) -> Array:
            return super().infer(tensor[None] if tensor.ndim == 3 else tensor)

    assert cause_of(seen(Toy()), seen(Single(name="port"))).cause == UNKNOWN


def test_a_box_without_points_ends_no_diagnosis() -> None:
    class Adds(Toy):
        def postprocess(self, probability_map: Array, shape: Shape) -> Detections:
            made = super().postprocess(probability_map, shape)
            assert made.scores is not None
            return Detections((*made.polygons, np.zeros((0, 2))), np.append(made.scores, 0.9))

    found = cause_of(on_spread(Toy()), on_spread(Adds(name="port")))
    assert (found.stage, found.cause) == ("detections", UNKNOWN)
    found = cause_of(on_spread(Adds()), on_spread(Toy(name="port")))
    assert (found.stage, found.cause) == ("detections", UNKNOWN)


class OnlyTraces(Toy):
    """What it made is handed over with the trace of another toy."""

    def preprocess(self, image: Image) -> Trace:
        raise NotImplementedError

    def infer(self, tensor: Array) -> Array:
        raise NotImplementedError

    def postprocess(self, probability_map: Array, shape: Shape) -> Detections:
        raise NotImplementedError


class TestWhatCannotBeRun:
    def test_a_spent_budget_is_told_with_what_was_used(self) -> None:
        found = cause_of(on(Toy()), on(Toy(name="port", gain=3.0)), seconds=0.0)
        assert (found.cause, found.summary) == ("unknown", "budget spent")
        told = "the rest: used 0 of 20 network runs and 0 of 0 s of processor time (setting: diagnosis_seconds = 0)"
        assert found.not_tried == (told,)

    def test_no_more_networks_run_than_the_budget_has(self) -> None:
        class Many(Squares):
            def other_engines(self) -> Iterator[Alternative]:
                yield from (Alternative("engine.onednn", f"engine {index}", self.infer) for index in range(30))

        found = cause_of(on(Toy()), on(Many(name="port")))
        assert (found.stage, found.summary) == (PROBABILITY_MAP, "budget spent")
        assert found.not_tried[-1].startswith("the rest: used 20 of 20 network runs")

    def test_a_preprocessing_that_only_traces_is_named(self) -> None:
        candidate = replace(on(Toy(name="port", mean=0.4)), source=OnlyTraces(name="port"))
        found, *_ = diagnose(reference=on(Toy()), candidate=candidate)
        assert (found.cause, found.stage) == ("unknown", TENSOR)
        told = "experiments that run the preprocessing of port: it can't be run again on this image"
        assert found.not_tried == (told, "port with other mean: this pipeline has no varied()")

    def test_boxes_alone_are_judged_as_they_were_recorded(self) -> None:
        made = on(Toy()).detections
        assert made is not None and made.scores is not None
        fewer = Detections(made.polygons[1:], made.scores[1:])
        candidate = Trace(pipeline="port", image="page 0", image_sha256=digest(PAGE), detections=fewer)
        found = cause_of(on(Toy()), candidate)
        assert (found.cause, found.stage) == ("unknown", DETECTIONS)
        told = "train's map through the post-process of port, which can't be run by itself"
        assert found.not_tried[0] == told

    def test_what_a_side_fails_to_offer_is_noted(self) -> None:
        class Port(Toy):
            def infer(self, tensor: Array) -> Array:
                raise RuntimeError("the engine stopped")

            def input_size(self) -> tuple[int, int]:
                raise OSError("no program")

        candidate = replace(stopped(on(Toy(name="port"))), source=Port(name="port"))
        found = cause_of(on(Toy()), candidate)
        assert (found.cause, found.stage) == ("unknown", PROBABILITY_MAP)
        assert "input_size of port: OSError: no program" in found.not_tried
        assert "weights and other networks: port returned no map to compare with" in found.not_tried

    def test_other_engines_that_raise_are_noted(self) -> None:
        class Port(Squares):
            def other_engines(self) -> Iterator[Alternative]:
                yield Alternative("engine.onednn", "oneDNN off", self.infer)
                raise OSError("no such engine")

        found = cause_of(on(Toy()), on(Port(name="port")))
        assert "engine.onednn: with oneDNN off the map is what it was without, bit for bit" in found.ruled_out
        assert "some networks: OSError: no such engine" in found.not_tried


class TestASideThatCannotBeRun:
    """A6: two tensors and the reference's network are enough for what they can show."""

    def recorded(self, side: Toy, **changes: Any) -> Trace:
        return replace(on_spread(side), source=None, parameters={}, **changes)

    def test_its_channel_order_shows_in_the_tensors(self) -> None:
        found = diagnose(
            reference=on_spread(Toy()), candidate=self.recorded(Toy(name="port", img_mode="RGB"), decode=None)
        )
        assert all_judged(found) == [("tensor", "decode.channel_order")]

    def test_its_network_is_acquitted_by_the_references_on_its_own_tensor(self) -> None:
        class Blots(Toy):
            def preprocess(self, image: Image) -> Trace:
                trace = super().preprocess(image)
                assert trace.tensor is not None
                return replace(trace, tensor=trace.tensor + (np.arange(160) % 7 == 0).astype(np.float32))

        found = diagnose(reference=on_spread(Toy()), candidate=self.recorded(Blots(name="port")))
        assert all_judged(found) == [("tensor", UNKNOWN)]
        text = " ".join(found[0].not_tried + found[0].ruled_out + (found[0].summary,))
        assert "the same tensor gives another map" not in text

    def test_another_network_is_not_acquitted(self) -> None:
        found = diagnose(reference=on_spread(Toy()), candidate=self.recorded(Toy(name="port", gain=3.0)))
        assert ("probability_map", UNKNOWN) in all_judged(found)

    def test_without_tensors_no_network_is_blamed(self) -> None:
        found = diagnose(reference=on_spread(Toy()), candidate=self.recorded(Toy(name="port", mean=0.3), tensor=None))
        told = next(each.summary for each in found if each.stage == "probability_map")
        assert told == "the maps differ, and whether their tensors do is not known"


class Damps(Toy):
    """Its engine is at fault, which takes network runs to show; so is a threshold, which takes none."""

    def infer(self, tensor: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        return np.asarray(super().infer(tensor) * 0.9, np.float32)

    def other_engines(self) -> Iterator[Alternative]:
        yield Alternative("engine.onednn", "oneDNN off", super().infer)

    def varied(self, changes: Mapping[str, Mapping[str, Any]]) -> Toy:
        return replace(self, box_thresh=changes["detections"]["box_thresh"])


def test_what_takes_no_network_comes_first() -> None:
    reference, candidate = Toy(gain=1.0).trace(PAGE), Damps(name="port", gain=1.0, box_thresh=0.74).trace(PAGE)
    lab = Laboratory(Comparisons(reference, candidate, BUILT_IN), 60)
    lab.budget.runs = MOST_RUNS - 1  # enough to see that the maps differ, for no experiment
    found = examine(lab)
    assert [each.cause for each in found] == ["unknown", "postprocess.box_thresh"]
    assert found[0].summary == "budget spent"
    assert found[0].not_tried[-1].endswith("of 60 s of processor time; the number of runs is fixed")


def test_networks_run_again_only_where_they_are_suspected() -> None:
    train, port = Toy(), Toy(name="port", pad=9)
    traces = train.trace(PAGE), port.trace(PAGE)
    before = train.runs, port.runs
    (found,) = diagnose(reference=traces[0], candidate=traces[1])
    assert (found.stage, found.cause) == ("detections", "unknown")
    assert (train.runs, port.runs) == before


class Stub:
    """A laboratory of which a test says what it knows."""

    def __init__(self, *comparisons: Any, is_of_lines: bool = False, **known: Any) -> None:
        task = RECOGNITION if is_of_lines else DETECTION
        self.comparisons = SimpleNamespace(all=lambda: comparisons, task=task)
        self.reference = SimpleNamespace(error=None)
        self.names, self.budget = SimpleNamespace(candidate="port"), SimpleNamespace(spent=lambda: "spent")
        self.can_run, self.acquitted, self.agreeing = True, "", ()
        self.not_tried: list[str] = []
        self.noticed: list[str] = []
        self.is_picture_explained = None
        for name, value in known.items():
            setattr(self, name, value)

    def unknown_cause(self, stage: str, summary: str) -> Diagnosis:
        return Diagnosis(stage=stage, cause=UNKNOWN, summary=summary)

    def compare_with_reference(self, kind: str, candidate: object, tolerance: Tolerance) -> Any:
        assert tolerance is BUILT_IN
        return SimpleNamespace(is_match=kind in self.agreeing)

    candidate = None


def comparison(stage: str | None = None, **known: Any) -> Any:
    """Return what a diagnosis asks of a comparison that fails at a stage, or matches."""
    default = {"status": "different", "is_missing": False, "compared_nothing": False, "kind": "detections"}
    return SimpleNamespace(**{**default, "stage": stage, "is_match": stage is None, **known})


@pytest.mark.parametrize(
    ("comparisons", "stage"),
    [
        ([comparison(), comparison("probability_map"), comparison("detections")], "probability_map"),
        ([comparison("tensor", is_missing=True), comparison("probability_map"), comparison()], "probability_map"),
        ([comparison("tensor", is_match=True), comparison(), comparison("detections")], "detections"),
        ([comparison("tensor", is_missing=True), comparison(), comparison(kind="text")], "text"),
        ([comparison(None, is_match=False, kind="preprocessing"), comparison(kind="text")], "text"),
    ],
)
def test_the_first_stage_is_that_of_what_fails_and_was_recorded(comparisons: Any, stage: str) -> None:
    assert first_stage_to_diagnose(tuple(comparisons)) == stage


MAP_DIFFERS = comparison("probability_map")
NO_EXPERIMENT = "no experiment was made"
STRICTER = "both sides agree within the built-in limits, and those that judged are stricter"
KINDS = tuple(DETECTION.kinds)


@pytest.mark.parametrize(
    ("lab", "told"),
    [
        (Stub(comparison(), comparison("tensor", status="not judgeable")), None),
        (Stub(comparison(), comparison("tensor", compared_nothing=True)), None),
        (Stub(comparison("tensor", compared_nothing=True), MAP_DIFFERS, can_run=False), NO_EXPERIMENT),
        (Stub(comparison("tensor", status="not judgeable"), MAP_DIFFERS, can_run=False), NO_EXPERIMENT),
        (Stub(MAP_DIFFERS, can_run=False, acquitted="it is right"), AGREES),
        (Stub(MAP_DIFFERS, can_run=False, acquitted="it is right", agreeing=KINDS), STRICTER),
        (Stub(MAP_DIFFERS, agreeing=KINDS), STRICTER),
        (Stub(MAP_DIFFERS, agreeing=KINDS[:2]), AGREES),
        (Stub(MAP_DIFFERS, acquitted="it is right"), AGREES),
        (Stub(MAP_DIFFERS), AGREES),
    ],
)
def test_what_is_said_where_no_part_is_at_fault(lab: Any, told: str | None) -> None:
    found = _nothing_found(lab, "probability_map")
    assert [(each.stage, each.cause, each.summary) for each in found] == (
        [("probability_map", UNKNOWN, told)] if told else []
    )
    assert lab.noticed == ([lab.acquitted] if told == AGREES and lab.acquitted else [])
    none_ran = ["any experiment: port gives no source, so that no part of it can be run again"]
    assert lab.not_tried == (none_ran if told == NO_EXPERIMENT else [])


@pytest.mark.parametrize("is_of_lines", [False, True])
@pytest.mark.parametrize("ended", ["tensor", "product", "probability_map", None])
@pytest.mark.parametrize("causes", [(), ("resize.size",), ("resize.size", UNKNOWN)])
def test_each_part_is_examined_and_the_one_that_ends_the_budget_is_named(
    monkeypatch: pytest.MonkeyPatch, is_of_lines: bool, ended: str | None, causes: tuple[str, ...]
) -> None:
    """Parts that were examined before keep their causes, and those after are not."""
    product = "text" if is_of_lines else "detections"
    ran: list[str] = []

    def part(stage: str, found: tuple[str, ...] = ()) -> list[Diagnosis]:
        ran.append(stage)
        if stage == ended or (ended == "product" and stage == product):
            raise BudgetSpentError
        return [Diagnosis(stage=stage, cause=cause, summary="") for cause in found]

    def other(*given: object) -> list[Diagnosis]:
        raise AssertionError("of the other task")

    names = {
        "is_preprocessing_same": lambda lab: False,
        "examine_repeatability_of_tensors": lambda lab: [],
        "examine_leaked_parameters": lambda lab, found: found,
        "examine_line_preprocessing": (lambda lab: part("tensor", causes)) if is_of_lines else other,
        "_examine_page": other if is_of_lines else (lambda lab, found: part("tensor", causes)),
        "examine_reading": (lambda lab: part("text", ("text.fault",))) if is_of_lines else other,
        "examine_postprocessing": other if is_of_lines else (lambda lab: part("detections", ("boxes.fault",))),
        "examine_network": lambda lab: part("probability_map", ("network.fault",)),
    }
    for name, made in names.items():
        monkeypatch.setattr(f"pytest_ocrparity.diagnose.{name}", made)
    lab: Any = Stub(comparison("tensor"), is_of_lines=is_of_lines)
    found = [(each.stage, each.cause) for each in _examine_parts(lab, "tensor")]
    tensors = [("tensor", cause) for cause in causes]
    faults = [("probability_map", "network.fault"), (product, "text.fault" if is_of_lines else "boxes.fault")]
    expected = {
        "tensor": [("tensor", UNKNOWN)],
        "product": [*tensors, (product, UNKNOWN)],
        "probability_map": [*tensors, ("probability_map", UNKNOWN), faults[1]],
        None: [*tensors, *faults],
    }
    assert found == expected[ended]
    assert lab.not_tried == ([] if ended is None else ["the rest: spent"])
    assert ran == ["tensor", product, "probability_map"][: {"tensor": 1, "product": 2}.get(ended or "", 3)]
    assert lab.is_picture_explained == (None if ended == "tensor" else UNKNOWN not in causes)

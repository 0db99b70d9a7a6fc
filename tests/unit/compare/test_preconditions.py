"""Nothing is compared where nothing was computed twice: arrays handed on, or one model loaded twice."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from toy import PAGE, Toy

from pytest_ocrparity import (
    Detections,
    DifferenceError,
    Recognition,
    Trace,
    assert_same_detections,
    assert_same_preprocessing,
    assert_same_probability_maps,
)
from pytest_ocrparity.compare import compare
from pytest_ocrparity.compare.preconditions import (
    have_same_files,
    missing_preconditions,
    refuse_one_side_twice,
    refuse_same_object,
)
from pytest_ocrparity.errors import StageError

ASSERTIONS: dict[str, Callable[..., Any]] = {
    "tensor": assert_same_preprocessing,
    "probability_map": assert_same_probability_maps,
    "detections": assert_same_detections,
}
TOLD = {"tensor": "tensor", "probability_map": "probability map", "detections": "boxes"}


def renamed(trace: Trace, **fields: Any) -> Trace:
    """Return what a fixture hands out that gives a trace another name."""
    return replace(trace, pipeline="inference", source=None, **fields)


@pytest.mark.parametrize("stage", ASSERTIONS)
def test_arrays_under_another_name_are_refused(stage: str) -> None:
    train = Toy().trace(PAGE)
    told = f"page.png: the {TOLD[stage]} of inference and of train are the same arrays in memory: nothing was compared"
    with pytest.raises(DifferenceError, match=told):
        ASSERTIONS[stage](train, renamed(train))


@pytest.mark.parametrize("stage", ASSERTIONS)
def test_so_are_views_of_them(stage: str) -> None:
    train = Toy().trace(PAGE)
    assert train.tensor is not None and train.probability_map is not None and train.detections is not None
    views: dict[str, Any] = {
        "tensor": train.tensor[:],
        "probability_map": train.probability_map.reshape(train.probability_map.shape),
        "detections": Detections(tuple(polygon[:] for polygon in train.detections.polygons)),
    }
    with pytest.raises(DifferenceError, match="are the same arrays in memory"):
        ASSERTIONS[stage](train, Trace(pipeline="inference", image=train.image, **{stage: views[stage]}))


def test_so_are_a_traces_own_boxes_as_plain_polygons() -> None:
    train = Toy().trace(PAGE)
    assert train.detections is not None
    with pytest.raises(DifferenceError, match="are the same arrays in memory"):
        assert_same_detections(train, list(train.detections.polygons))
    with pytest.raises(DifferenceError, match="are the same arrays in memory"):
        assert_same_detections(train.detections, train)


@pytest.mark.parametrize("stage", ASSERTIONS)
def test_copies_are_compared(stage: str) -> None:
    train = Toy().trace(PAGE)
    assert train.tensor is not None and train.probability_map is not None and train.detections is not None
    copies: dict[str, Any] = {
        "tensor": train.tensor.copy(),
        "probability_map": train.probability_map.copy(),
        "detections": Detections(tuple(polygon.copy() for polygon in train.detections.polygons)),
    }
    assert ASSERTIONS[stage](train, renamed(train, **{stage: copies[stage]})).is_match


def test_what_is_not_judged_may_be_shared() -> None:
    """As by an engine that has no preprocessing of its own, or a post-process alone."""
    train = Toy().trace(PAGE)
    assert train.tensor is not None and train.probability_map is not None and train.shape is not None
    engine = Toy(name="inference")
    theirs = engine.infer(train.tensor)
    boxes = engine.postprocess(train.probability_map, train.shape)
    assert assert_same_probability_maps(train, renamed(train, probability_map=theirs)).is_match
    assert assert_same_detections(train, renamed(train, detections=boxes)).is_match


def test_constants_of_a_test_may_stand_on_both_sides() -> None:
    box = np.array([[10.0, 10.0], [90.0, 10.0], [90.0, 30.0], [10.0, 30.0]])
    assert assert_same_detections([box], [box]).is_match
    assert assert_same_detections(Detections((box,)), Detections((box,))).is_match


def test_experiments_may_put_arrays_of_one_side_into_the_other() -> None:
    train = Toy().trace(PAGE)
    assert all(each.is_match for each in compare(reference=train, candidate=renamed(train)))


@pytest.mark.parametrize("stage", ASSERTIONS)
def test_one_pipeline_object_under_two_names_is_refused(stage: str) -> None:
    toy = Toy()
    told = f"page.png: the {TOLD[stage]} of train and of inference come from the same pipeline object: nothing was"
    with pytest.raises(DifferenceError, match=told):
        ASSERTIONS[stage](toy.trace(PAGE), replace(toy.trace(PAGE), pipeline="inference"))


def test_what_was_made_of_its_output_is_compared() -> None:
    toy = Toy()
    train, other = toy.trace(PAGE), toy.trace(PAGE)
    assert other.detections is not None
    moved = Detections(tuple(polygon + 0.5 for polygon in other.detections.polygons), other.detections.scores)
    assert assert_same_detections(train, replace(other, pipeline="inference", detections=moved)).is_match


@dataclass
class Known(Toy):
    """A toy that says what it is."""

    identity: Mapping[str, Any] | None = None


FILES = {"inference.json": "a" * 64, "inference.yml": "b" * 64}
IDENTITY = {"files": FILES, "api": "mine", "options": {"limit": (1, 2)}, "engine": "numpy"}


def sides(candidate: Any, reference: Any = IDENTITY) -> tuple[Trace, Trace]:
    return Known(identity=reference).trace(PAGE), Known(name="inference", identity=candidate).trace(PAGE)


@pytest.mark.parametrize("stage", ASSERTIONS)
def test_one_model_loaded_twice_is_refused(stage: str) -> None:
    with pytest.raises(DifferenceError) as error:
        ASSERTIONS[stage](*sides({**IDENTITY, "options": {"limit": [1, 2]}}))  # the same in JSON
    assert str(error.value) == (
        "page.png: train and inference are one model, loaded from the same files with the same options "
        "(inference.json aaaaaaaa, inference.yml bbbbbbbb): nothing was compared; compare with the trained model, a "
        "baseline, or the same files under another engine or other options"
    )


@pytest.mark.parametrize(
    "identity",
    [
        None,
        {},
        "mine",
        {**IDENTITY, "options": {}},
        {**IDENTITY, "engine": "onnxruntime"},
        {**IDENTITY, "api": "yours"},
        {**IDENTITY, "batch": 4},
        {**IDENTITY, "files": {**FILES, "inference.json": "c" * 64}},
    ],
)
def test_another_engine_option_file_or_batch_is_compared(identity: Any) -> None:
    assert assert_same_detections(*sides(identity)).is_match


def test_two_that_say_nothing_are_compared() -> None:
    assert assert_same_detections(*sides(None, None)).is_match
    assert assert_same_detections(*sides({}, {})).is_match


def test_a_recorded_side_is_compared_and_known_to_be_of_the_same_files() -> None:
    train, inference = sides(IDENTITY)
    baseline = replace(train, source=None, files=FILES)
    assert assert_same_detections(baseline, inference).is_match
    assert have_same_files(baseline, inference)
    assert have_same_files(*sides({**IDENTITY, "engine": "onnxruntime"}))
    assert not have_same_files(replace(train, source=None), inference)
    assert not have_same_files(*sides(None, None))


def test_one_text_in_memory_is_refused_and_equal_ones_are_not() -> None:
    read = Recognition("abc", 0.9)
    one, two = (Trace(pipeline=name, image="a.png", recognition=read) for name in ("train", "port"))
    with pytest.raises(DifferenceError, match="the texts of port and of train are the same object in memory"):
        refuse_one_side_twice("text", one, two)
    refuse_one_side_twice("text", one, replace(two, recognition=Recognition("abc", 0.9)))
    refuse_one_side_twice("text", replace(one, recognition=None), replace(two, recognition=None))


def test_the_texts_of_a_page_in_memory_are_refused_and_equal_ones_are_not() -> None:
    box = np.array([[10.0, 10.0], [90.0, 10.0], [90.0, 30.0], [10.0, 30.0]])
    texts = (Recognition("abc", 0.9),)
    one, two = (
        Trace(pipeline=name, image="a.png", detections=Detections((box.copy(),)), texts=texts)
        for name in ("train", "port")
    )
    with pytest.raises(DifferenceError, match="the texts of port and of train are the same arrays in memory"):
        refuse_one_side_twice("page", one, two)
    refuse_one_side_twice("detections", one, two)  # whose texts are not judged
    refuse_one_side_twice("page", one, replace(two, texts=(Recognition("abc", 0.9),)))
    with pytest.raises(DifferenceError, match="the same arrays in memory"):
        refuse_one_side_twice("page", one, replace(two, detections=one.detections, texts=(Recognition("abc", 0.9),)))


@pytest.mark.parametrize(
    ("digests", "names", "is_refused"),
    [(("1", "2"), "ab", True), (("1", "1"), "ab", False), (("1", None), "ab", False), (("1", "2"), "aa", False)],
)
def test_traces_of_two_images_are_refused(digests: tuple[str, str | None], names: str, is_refused: bool) -> None:
    """A copy of a file under another name is the same image."""
    one, two = (
        Trace(pipeline=side, image=f"{name}.png", image_sha256=digest)
        for side, name, digest in zip(("train", "port"), names, digests, strict=True)
    )
    if is_refused:
        with pytest.raises(DifferenceError, match=r"the traces are of two images, a\.png and b\.png: nothing was"):
            refuse_same_object(one, two)
    else:
        refuse_same_object(one, two)


def test_traces_of_one_pipeline_object_under_one_name_are_refused() -> None:
    toy = Toy()
    with pytest.raises(DifferenceError, match="both traces come from the same pipeline object, train"):
        refuse_same_object(toy.trace(PAGE), toy.trace(PAGE))
    refuse_same_object(toy.trace(PAGE), Toy().trace(PAGE))
    refuse_same_object(*(replace(toy.trace(PAGE), source=None) for _ in range(2)))
    with pytest.raises(DifferenceError, match="reference and candidate are the same object"):
        refuse_same_object(toy, toy)


def test_each_stage_that_a_side_lacks_is_named_and_no_other() -> None:
    whole = Toy().trace(PAGE)
    lacks_one, lacks_both = replace(whole, tensor=None), replace(whole, tensor=None, probability_map=None)
    needed = ("tensor", "probability_map", "detections")

    def missing(one: Trace, two: Trace) -> list[tuple[str, Any, Any]]:
        return [(each.stage, each.reference, each.candidate) for each in missing_preconditions(one, two, needed)]

    assert missing(whole, whole) == []
    assert missing(whole, lacks_one) == [("tensor", True, False)]
    assert missing(lacks_both, lacks_one) == [("tensor", False, False), ("probability_map", False, True)]
    stopped = replace(lacks_both, error=StageError("resize", "too small"))
    assert missing(whole, stopped) == [("resize", None, str(stopped.error))]
    assert missing(stopped, lacks_one) == [("resize", str(stopped.error), None)]
    fell_later = replace(whole, error=StageError("detections", "lost"))  # what is needed was made before
    assert missing(fell_later, lacks_one) == [("tensor", True, False)]


@pytest.mark.parametrize("kind", ["preprocessing", "probability_maps"])
def test_one_pipeline_object_is_refused_though_its_numbers_are_none(kind: str) -> None:
    toy = Toy()
    broken = np.full((1, 1, 4, 4), np.nan, np.float32)
    one, two = (
        Trace(pipeline=name, image="a.png", source=toy, tensor=broken.copy(), probability_map=broken.copy())
        for name in ("train", "port")
    )
    with pytest.raises(DifferenceError, match="come from the same pipeline object"):
        refuse_one_side_twice(kind, one, two)
    other = np.zeros_like(broken)
    refuse_one_side_twice(kind, one, replace(two, tensor=other, probability_map=other))

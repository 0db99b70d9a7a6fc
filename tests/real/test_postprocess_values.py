"""Values of the post-process that no YAML file sets do what the contract says, with PaddleOCR's own parts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from faults.deployment import EXAMPLE, Deployment

from pytest_ocrparity import Detections, FunctionPipeline, Trace
from pytest_ocrparity.backends.ppocr.pipeline import TrainingPipeline
from pytest_ocrparity.diagnose import diagnose
from real import full_port

SHAPE = (128.0, 192.0, 1.0, 1.0)
WORDS = ((10, 10, 60, 26), (80, 12, 170, 40), (20, 70, 150, 100))


NOT_GROWN = ("no unclip", "no unclip, and no check of its size after", "unclip_ratio 0")
PAGE = EXAMPLE / "images" / "receipt.png"


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return Deployment.copy(tmp_path_factory.mktemp("right")).models()


@pytest.fixture(scope="module")
def train(example: Any) -> Any:
    return example[0]


def drawn() -> npt.NDArray[np.float32]:
    values = np.zeros((1, 1, 128, 192), np.float32)
    for x0, y0, x1, y1 in WORDS:
        values[0, 0, y0:y1, x0:x1] = 0.8
    values[0, 0, 80, 30:140] = 0.95
    return values


def made(train: TrainingPipeline, values: Mapping[str, Any]) -> Detections:
    return train.postprocess_with(values)(drawn(), SHAPE)


def heights(found: Detections) -> list[float]:
    return sorted(float(np.ptp(polygon[:, 1])) for polygon in found.polygons)


def test_a_kernel_dilates_and_a_negative_one_erodes(train: TrainingPipeline) -> None:
    plain, wider, narrower = (made(train, values) for values in ({}, {"kernel": 3}, {"kernel": -3}))
    assert len(plain) == len(wider) == len(narrower) == len(WORDS)
    assert all(low < middle < high for low, middle, high in zip(*map(heights, (narrower, plain, wider)), strict=True))
    again = train.postprocess_with({"kernel": -3})
    assert again(drawn(), SHAPE) == again(drawn(), SHAPE)  # a run must not take the change away
    assert made(train, {"kernel": 2}) == made(train, {"use_dilation": True})


def test_a_distance_grows_all_boxes_alike(train: TrainingPipeline) -> None:
    grown = heights(made(train, {"unclip_distance": 6.0}))
    tight = sorted(y1 - y0 - 1 for _, y0, _, y1 in WORDS)
    assert [high - low for high, low in zip(grown, tight, strict=True)] == [12.0] * len(WORDS)


def test_boxes_that_do_not_grow_stay_rectangles_of_their_outlines(train: TrainingPipeline) -> None:
    tight = sorted(float(y1 - y0 - 1) for _, y0, _, y1 in WORDS)
    for which in NOT_GROWN:
        assert heights(made(train, {"unclip": which})) == tight
    thin = np.zeros((1, 1, 128, 192), np.float32)
    thin[0, 0, 40:45, 20:90] = 0.8  # 4 px, of which the check after growing wants 5
    least = {which: len(train.postprocess_with({"unclip": which})(thin, SHAPE)) for which in NOT_GROWN}
    assert list(least.values()) == [0, 1, 0]
    assert len(train.postprocess(thin, SHAPE)) == 1


def ungrown(shrunk: float = 0.0, *, dropped: float = 0.6) -> Any:
    """Return the post-process of a port that does not grow its boxes, or lets each shrink by px of the map."""

    def postprocess(probability_map: Any, shape: Any) -> tuple[list[Any], list[float]]:
        values, polygons, scores = probability_map[0, 0], [], []
        for outline in cv2.findContours(np.uint8(values > 0.3), cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)[0]:
            corners = cv2.boxPoints(cv2.minAreaRect(outline))
            mask = cv2.fillPoly(np.zeros(values.shape, np.uint8), [np.int32(corners)], 1)
            score = cv2.mean(values, mask)[0]
            if min(cv2.minAreaRect(outline)[1]) >= 3 and score >= dropped:
                corners = corners - np.sign(corners - corners.mean(axis=0)) * shrunk
                scale = shape[1] / values.shape[1], shape[0] / values.shape[0]
                polygons.append(np.round(corners * scale))
                scores.append(score)
        return polygons, scores

    return postprocess


@pytest.mark.parametrize(
    ("postprocess", "causes"),
    [
        (ungrown(), {"postprocess.unclip_ratio"}),
        (ungrown(dropped=0.85), {"postprocess.unclip_ratio", "postprocess.box_thresh"}),
        (ungrown(shrunk=0.8), {"unknown"}),  # as far from the reference's boxes, and not those of the outlines
    ],
    ids=["not grown", "not grown, and another box_thresh", "near miss: shrunk"],
)
def test_a_port_without_unclip_is_named(
    example: tuple[TrainingPipeline, Any], postprocess: Any, causes: set[str]
) -> None:
    train, inference = example
    port = FunctionPipeline(preprocess=full_port.preprocess, infer=inference.infer, postprocess=postprocess)
    found = diagnose(reference=train.trace(PAGE), candidate=port.trace(PAGE))
    assert {each.cause for each in found} == causes
    assert {each.stage for each in found} == {"detections"}
    if "unknown" not in causes:
        (own,) = (each for each in found if each.cause == "postprocess.unclip_ratio")
        assert "outlines that do not grow (no unclip, and no check of its size after" in own.summary
        assert own.fix is not None
        assert "train's unclip_ratio = 1.5: let each box grow by area * unclip_ratio / perimeter" in own.fix.text


def test_boxes_alone_that_do_not_grow_are_noticed(example: tuple[TrainingPipeline, Any]) -> None:
    train, inference = example
    trace = inference.trace(PAGE)
    for postprocess, is_noticed in ((ungrown(), True), (ungrown(shrunk=0.8), False)):
        boxes = postprocess(trace.probability_map, trace.shape)
        alone = Trace(pipeline="service", image=str(PAGE), detections=Detections(tuple(boxes[0]), np.asarray(boxes[1])))
        (found,) = diagnose(reference=train.trace(PAGE), candidate=alone)
        assert found.cause == "unknown"
        assert any("outlines that do not grow" in each for each in found.evidence) == is_noticed


def test_the_largest_value_is_a_score(train: TrainingPipeline) -> None:
    found = made(train, {"score": "largest"})
    assert found.scores is not None
    assert sorted(np.round(found.scores, 6).tolist()) == [0.8, 0.8, 0.95]


def test_a_map_is_scaled_to_the_page_first(train: TrainingPipeline) -> None:
    shape = (256.0, 384.0, 0.5, 0.5)
    plain = train.postprocess(drawn(), shape)
    scaled = train.postprocess_with({"map_size": "page"})(drawn(), shape)
    assert len(scaled) == len(plain) == len(WORDS)
    assert scaled != plain
    assert train.postprocess_with({"map_size": "page"})(drawn(), SHAPE) == train.postprocess(drawn(), SHAPE)


def test_the_resize_alone_is_that_of_the_whole(train: TrainingPipeline) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (90, 130, 3), np.uint8)
    whole = train.preprocess_at(pixels, (96, 160)).resize
    assert whole is not None
    assert np.array_equal(train.resized_to(pixels, (96, 160)), whole)

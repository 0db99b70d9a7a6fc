"""Values of the post-process that no YAML file sets do what the contract says, with PaddleOCR's own parts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from faults.deployment import Deployment

from pytest_ocrparity.backends.ppocr.pipeline import TrainingPipeline
from pytest_ocrparity.trace import Detections

SHAPE = (128.0, 192.0, 1.0, 1.0)
WORDS = ((10, 10, 60, 26), (80, 12, 170, 40), (20, 70, 150, 100))


@pytest.fixture(scope="module")
def train(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return Deployment.copy(tmp_path_factory.mktemp("right")).models()[0]


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

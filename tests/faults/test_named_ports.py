"""Ports as users write them, on ONNX Runtime: what they return tells what they do otherwise, and near misses do not.

Of what is named from arrays alone CI runs every third; each concept is among the ports of `port_kinds.py` as well.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest

from faults import box_hooks, page_hooks
from faults.deployment import EXAMPLE, Deployment
from faults.foreign import DB, Foreign
from faults.near_miss import failure
from faults.rows import ALL
from pytest_ocrparity import Trace
from pytest_ocrparity.diagnosis import UNKNOWN, Diagnosis
from pytest_ocrparity.golden.baseline_file import load_baseline_file

pytestmark = pytest.mark.skipif(find_spec("onnxruntime") is None, reason="foreign ports run ONNX Runtime")

SOME = slice(None, None, 1 if ALL else 3)


@pytest.fixture(scope="module")
def train(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Trace]:
    deployment = Deployment.copy(tmp_path_factory.mktemp("right"))
    side, _ = deployment.models()
    return lambda page: side.trace(deployment.folder / "images" / page)


def causes(reference: Trace, candidate: Any) -> tuple[Diagnosis, ...]:
    error = failure(reference, candidate)
    assert error is not None, "the gate passed"
    return error.diagnoses


def of(page: str, **hooks: Any) -> Trace:
    return Foreign(**hooks).trace(EXAMPLE / "images" / page)


def letterbox(value: int, at: float) -> dict[str, Any]:
    return page_hooks.Letterbox((960, 960), value, at).hooks()


DROPS_THIRDS = box_hooks.keeping(lambda i, box, score, boxes: i % 3 > 0)
POSTPROCESS = [
    ({"db": DB(thresh=0.55)}, "postprocess.thresh", "thresh 0.55"),
    ({"db": DB(box_thresh=0.7)}, "postprocess.box_thresh", "box_thresh 0.7"),
    ({"db": DB(unclip=1.9)}, "postprocess.unclip_ratio", "unclip_ratio 1.9"),
    ({"db": DB(dilated=True)}, "postprocess.use_dilation", "use_dilation True"),
    ({"db": DB(slow=True)}, "postprocess.score_mode", "score_mode slow"),
    ({"db": DB(upright=True)}, "postprocess.box_type", "parallel to the page's sides"),
    ({"db": DB(most=5)}, "postprocess.max_candidates", "max_candidates 5"),
    ({"finish": box_hooks.best(4)}, "postprocess.filter", "the 4 boxes of the highest scores"),
    ({"place": box_hooks.moved(box_hooks.grown_by(2))}, "postprocess.grown", "2"),
    ({"finish": lambda boxes, scores: (boxes, [score * 0.9 for score in scores])}, "postprocess.scores", "0.9"),
]


class TestPostprocess:
    @pytest.mark.parametrize(("hooks", "cause", "words"), POSTPROCESS)
    def test_with_its_source_it_is_named(self, train: Any, hooks: Any, cause: str, words: str) -> None:
        (found,) = causes(train("receipt.png"), of("receipt.png", **hooks))
        assert (found.stage, found.cause) == ("detections", cause)
        assert words in found.summary

    @pytest.mark.parametrize(("hooks", "cause", "_"), POSTPROCESS[SOME])
    def test_of_its_arrays_it_is_named_or_among_the_rivals(self, train: Any, hooks: Any, cause: str, _: str) -> None:
        (found,) = causes(train("receipt.png"), of("receipt.png", **hooks, has_source=False))
        assert cause == found.cause or (found.cause == UNKNOWN and cause in found.rivals)

    @pytest.mark.parametrize(("hooks", "cause", "words"), POSTPROCESS[:4])
    def test_of_its_boxes_alone_it_is_only_noticed(self, train: Any, hooks: Any, cause: str, words: str) -> None:
        found = causes(train("receipt.png"), of("receipt.png", **hooks, recorded=(), has_source=False))
        assert {each.cause for each in found} == {UNKNOWN}

    def test_a_baseline_serves_as_well(self) -> None:
        baseline = load_baseline_file(EXAMPLE / "goldens" / "images" / "receipt.png.npz").trace
        (found,) = causes(baseline, of("receipt.png", db=DB(unclip=1.9)))
        assert (found.stage, found.cause) == ("detections", "postprocess.unclip_ratio")
        assert found.evidence[0].startswith(
            "paddlex's post-process, which makes baseline (train)'s own boxes, varied to"
        )

    def test_a_baseline_that_it_does_not_make_serves_for_nothing(self) -> None:
        baseline = load_baseline_file(EXAMPLE / "goldens" / "images" / "receipt.png.npz").trace
        assert baseline.detections is not None
        values = {**baseline.parameters["detections"], "unclip_ratio": 1.7}
        other = replace(baseline, parameters={**baseline.parameters, "detections": values})
        found = causes(other, of("receipt.png", db=DB(unclip=1.9)))
        assert {each.cause for each in found} == {UNKNOWN}
        assert any("needs the train model" in text for each in found for text in each.not_tried)

    @pytest.mark.parametrize(
        "hooks",
        [
            {"finish": DROPS_THIRDS},
            {"place": box_hooks.moved(lambda box: box_hooks.grown_by(2 + np.ptp(box) % 3)(box))},
            {"db": DB(unclip=1.9, thresh=0.5), "finish": DROPS_THIRDS},
            {"finish": lambda boxes, scores: (boxes, [score**0.9 for score in scores])},
        ],
    )
    @pytest.mark.parametrize("has_source", [True, False])
    def test_near_misses_stay_unknown(self, train: Any, hooks: Any, has_source: bool) -> None:
        found = causes(train("receipt.png"), of("receipt.png", **hooks, has_source=has_source))
        assert {each.cause for each in found} == {UNKNOWN}

    @pytest.mark.parametrize("has_source", [True, False])
    def test_two_values_are_named_together(self, train: Any, has_source: bool) -> None:
        found = causes(train("receipt.png"), of("receipt.png", db=DB(unclip=1.9, thresh=0.5), has_source=has_source))
        assert {each.cause for each in found} == {"postprocess.thresh", "postprocess.unclip_ratio"}


PICTURES = [
    ("colours.png", letterbox(114, 0.5), "resize.padding"),
    ("odd_size.png", letterbox(0, 1), "resize.padding"),
    ("odd_size.png", page_hooks.PadsTo32().hooks(), "resize.padding"),
    ("odd_size.png", {"prepare": page_hooks.square(114)}, "resize.padding"),
    ("colours.png", {"resample": page_hooks.by_cv2("AREA")}, "resize.interpolation"),
    ("colours.png", {"resample": page_hooks.by_pil}, "resize.interpolation"),
    ("colours.png", {"prepare": page_hooks.cropped, "place": page_hooks.from_crop}, "decode.cropped"),
    ("colours.png", {"load": page_hooks.loading(page_hooks.scaled(0.5))}, "decode.scaled"),
    ("rotated.jpg", {"prepare": page_hooks.grey}, "resize.pixels"),
    ("rotated.jpg", {"prepare": page_hooks.as_jpeg}, "resize.pixels"),
    ("colours.png", {"size": page_hooks.rounding(lambda share: int(share) - 1)}, "resize.rounding"),
    ("colours.png", {"size": page_hooks.limits(640, "resize_long")}, "resize.limits"),
    ("colours.png", {"feed": page_hooks.as_half}, "normalize.precision"),
]


class TestPictures:
    @pytest.mark.parametrize(("page", "hooks", "cause"), PICTURES)
    def test_with_its_source_it_is_named_first(self, train: Any, page: str, hooks: Any, cause: str) -> None:
        found = causes(train(page), of(page, **hooks))
        assert found[0].cause == cause, found

    @pytest.mark.parametrize(("page", "hooks", "cause"), PICTURES[SOME])
    def test_of_its_arrays_it_is_named_or_among_the_rivals(self, train: Any, page: str, hooks: Any, cause: str) -> None:
        found = causes(train(page), of(page, **hooks, has_source=False))
        assert found[0].cause == cause or (found[0].cause == UNKNOWN and cause in found[0].rivals), found

    @pytest.mark.parametrize(
        "change", [page_hooks.more_contrast, page_hooks.gamma, page_hooks.blurred, page_hooks.sharpened]
    )
    def test_changes_that_nothing_knows_stay_unknown(self, train: Any, change: Any) -> None:
        found = causes(train("colours.png"), of("colours.png", prepare=change))
        assert {each.cause for each in found} == {UNKNOWN}

    def test_a_letterbox_whose_page_is_changed_too_is_not_called_a_border_alone(self, train: Any) -> None:
        found = causes(train("colours.png"), of("colours.png", prepare=page_hooks.gamma, **letterbox(114, 0.5)))
        assert {each.cause for each in found} == {UNKNOWN}

    def test_two_interpolations_of_one_size_are_told_apart(self, train: Any) -> None:
        found = causes(train("colours.png"), of("colours.png", resample=page_hooks.by_cv2("CUBIC")))
        assert "cv2.INTER_CUBIC" in found[0].summary


MAPS = [
    (box_hooks.logits, "before its sigmoid"),
    (box_hooks.sigmoid, "after a second sigmoid"),
    (box_hooks.affine(0.9, 0), "x 0.9"),
    (box_hooks.affine(0.5, 0.25), "x 0.5 + 0.25"),
    (box_hooks.eight_bits, "rounded to 8 bits"),
    (lambda values: np.clip(values, 0.2, 0.8), "clipped to 0.2 to 0.8"),
]


class TestMaps:
    @pytest.mark.parametrize(
        ("read", "words", "has_source"), [(*each, True) for each in MAPS] + [(*each, False) for each in MAPS[SOME]]
    )
    def test_one_function_of_the_map_is_named(self, train: Any, read: Any, words: str, has_source: bool) -> None:
        found = causes(train("colours.png"), of("colours.png", read=read, has_source=has_source))
        assert [each.cause for each in found if each.stage == "probability_map"] == ["network.pointwise"]
        assert words in next(each.summary for each in found if each.stage == "probability_map")

    @pytest.mark.parametrize("read", [box_hooks.smoothed, box_hooks.moved_by_two, box_hooks.transposed])
    def test_the_right_values_at_other_places_are_named(self, train: Any, read: Any) -> None:
        found = causes(train("receipt.png"), of("receipt.png", read=read))
        assert {each.cause for each in found} == {"layout.map"}

    @pytest.mark.parametrize("read", [box_hooks.medians, np.square])
    def test_what_is_no_function_of_the_value_stays_unknown(self, train: Any, read: Any) -> None:
        found = causes(train("receipt.png"), of("receipt.png", read=read))
        assert {each.cause for each in found} == {UNKNOWN}


class TestTheWhole:
    def test_a_second_stage_behind_right_parts_is_named(self, train: Any) -> None:
        class Forgets(Foreign):
            def trace(self, image: Any) -> Trace:
                whole = super().trace(image)
                assert whole.detections is not None
                boxes, scores = DROPS_THIRDS(list(whole.detections.polygons), list(whole.detections.scores))  # type: ignore[arg-type]
                return replace(whole, detections=type(whole.detections)(tuple(boxes), np.asarray(scores)))

        (found,) = causes(train("receipt.png"), Forgets().trace(EXAMPLE / "images" / "receipt.png"))
        assert (found.stage, found.cause) == ("detections", "pipeline.boxes")

    def test_boxes_that_a_second_run_does_not_repeat_are_not_blamed_on_a_second_stage(self, train: Any) -> None:
        whole = of("receipt.png")
        assert whole.detections is not None
        boxes, scores = DROPS_THIRDS(list(whole.detections.polygons), list(whole.detections.scores))  # type: ignore[arg-type]
        changed = replace(whole, detections=type(whole.detections)(tuple(boxes), np.asarray(scores)))
        assert {each.cause for each in causes(train("receipt.png"), changed)} == {UNKNOWN}

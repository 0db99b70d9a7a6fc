"""Detections: what is lost, found, moved or scored otherwise is named, and its twin passes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sides import QUAD, first_line, traces

from pytest_ocrparity import Detections, DifferenceError, assert_same_detections


class TestDetections:
    def test_equal_sides_pass(self) -> None:
        comparison = assert_same_detections(*traces())
        assert comparison.status == "same"
        assert comparison.counts["paired"] == 3

    def test_scores_given_to_the_wrong_boxes_fail_on_equal_maps(self) -> None:
        reference, candidate = traces()
        assert candidate.detections is not None
        swapped = replace(candidate.detections, scores=np.array([0.9, 0.8, 0.7]))
        with pytest.raises(DifferenceError, match="with another score"):
            assert_same_detections(reference, replace(candidate, detections=swapped))

    def test_a_side_without_scores_is_compared_by_its_boxes(self) -> None:
        comparison = assert_same_detections(*traces(has_scores=False))
        assert comparison.measure("detections.max_score_difference") is None

    def test_a_lost_box_is_missing(self) -> None:
        reference, candidate = traces()
        assert candidate.detections is not None
        fewer = Detections(candidate.detections.polygons[1:])
        with pytest.raises(DifferenceError) as error:
            assert_same_detections(reference, replace(candidate, detections=fewer))
        assert first_line(error) == (
            "page.png: first difference at detections: 1 missing of 3 boxes (train against inference)"
        )
        assert "missing     box 0 of train at x=24 y=14" in str(error.value)
        assert "would pass" not in str(error.value)  # a third of the boxes is no tolerance

    def test_a_found_box_is_extra(self) -> None:
        reference, candidate = traces()
        assert candidate.detections is not None
        more = Detections((*candidate.detections.polygons, QUAD + 70))
        with pytest.raises(DifferenceError, match="1 extra of 3 boxes"):
            assert_same_detections(reference, replace(candidate, detections=more))

    def test_the_message_says_which_shift_would_pass(self) -> None:
        reference, candidate = traces(pad=5)
        with pytest.raises(DifferenceError) as error:
            assert_same_detections(reference, candidate)
        line = next(line for line in str(error.value).splitlines() if "would pass" in line)
        value = float(line.rpartition("=")[2])
        assert assert_same_detections(reference, candidate, max_shift=value).is_match
        with pytest.raises(DifferenceError):
            assert_same_detections(reference, candidate, max_shift=value * 0.95)

    def test_exact_allows_no_pixel(self) -> None:
        reference, candidate = traces(pad=2)
        with pytest.raises(DifferenceError, match="3 moved"):
            assert_same_detections(reference, candidate, tolerance="exact")
        assert assert_same_detections(*traces(), tolerance="exact").is_match

    def test_split_and_merged_boxes_are_named(self) -> None:
        halves = [QUAD * np.array([0.45, 1]), QUAD * np.array([0.45, 1]) + np.array([11, 0])]
        with pytest.raises(DifferenceError, match="split"):
            assert_same_detections([QUAD], halves)
        with pytest.raises(DifferenceError, match="merged"):
            assert_same_detections(halves, [QUAD])

    def test_invalid_boxes_are_named_and_never_crash(self) -> None:
        bowtie = QUAD[[0, 2, 1, 3]]
        with pytest.raises(DifferenceError, match="self-crossing"):
            assert_same_detections([QUAD], [bowtie])
        with pytest.raises(DifferenceError, match="not finite"):
            assert_same_detections([QUAD], [QUAD * np.nan])
        assert assert_same_detections([bowtie, QUAD + 50], [bowtie.copy(), QUAD + 50]).is_match

    def test_detections_and_arrays_are_taken_as_they_are(self) -> None:
        boxes = np.stack([QUAD, QUAD + 40])
        assert assert_same_detections(boxes, [QUAD, QUAD + 40]).is_match
        one = Detections((QUAD,), np.array([0.9]))
        assert assert_same_detections(one, Detections((QUAD,), np.array([0.9]))).is_match
        with pytest.raises(DifferenceError, match="1 with another score"):
            assert_same_detections(one, Detections((QUAD,), np.array([0.1])))
        with pytest.raises(DifferenceError, match="1 missing"):
            assert_same_detections(boxes, [QUAD])

    def test_what_is_no_polygon_is_refused(self) -> None:
        with pytest.raises(ValueError, match="polygon 0 has shape"):
            assert_same_detections([[1, 2, 3]], [QUAD])
        with pytest.raises(ValueError, match="1 polygons but 2 scores"):
            Detections((QUAD,), np.array([0.1, 0.2]))

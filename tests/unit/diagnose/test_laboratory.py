"""The laboratory: which maps and boxes it takes for the same, and which image it runs."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from diagnosing import OTHER_PAGE, Squares, Varied, cause_of, digest, on
from toy import PAGE, Toy

from pytest_ocrparity.compare import Comparisons
from pytest_ocrparity.diagnose import diagnose
from pytest_ocrparity.diagnose.laboratory import Laboratory
from pytest_ocrparity.stages import TENSOR
from pytest_ocrparity.tolerance import BUILT_IN
from pytest_ocrparity.trace import Decoded, Detections


def test_the_maps_agree_where_the_candidates_own_map_is_the_references() -> None:
    reference, same, other = on(Toy()), on(Toy(name="port")), on(Squares(name="port"))
    candidates = same, other, replace(same, probability_map=None)
    labs = [Laboratory(Comparisons(reference, candidate, BUILT_IN), 60) for candidate in candidates]
    assert [lab.maps_agree for lab in labs] == [True, False, False]


def test_boxes_are_judged_by_themselves_where_the_reference_has_no_map() -> None:
    reference, candidate = (replace(on(side), probability_map=None, source=None) for side in (Toy(), Toy(name="port")))
    lab = Laboratory(Comparisons(reference, candidate, BUILT_IN), 60)
    assert candidate.detections is not None
    moved = Detections(tuple(polygon + 9 for polygon in candidate.detections.polygons), candidate.detections.scores)
    assert [lab.is_same_boxes(boxes) for boxes in (candidate.detections, moved, None)] == [True, False, False]


def test_no_comparison_of_maps_stands_for_one_under_another_limit() -> None:
    blank = np.zeros_like(PAGE)
    reference, candidate = Toy().trace(blank), Toy(name="port", offset=2e-3).trace(blank)
    lab = Laboratory(Comparisons(reference, candidate, BUILT_IN), 60)
    stored = [replace(candidate, map_error=error) for error in (0.0, 0.5)]
    assert [lab.compare_with_reference("detections", each).status for each in stored] == ["different", "empty"]


class TestTheImage:
    @pytest.mark.parametrize("order", ["BGR", "RGB"])
    def test_is_the_array_with_the_digest_of_the_traces(self, order: str) -> None:
        lab = Laboratory(Comparisons(on(Toy(img_mode=order)), on(Toy(name="port")), BUILT_IN), 60)
        assert np.array_equal(np.asarray(lab.image), PAGE)

    def test_is_looked_for_in_the_other_trace_where_one_holds_other_than_8_bits(self) -> None:
        reference = replace(on(Toy()), decode=Decoded.of(PAGE.astype(np.uint16) * 257, "BGR"))
        lab = Laboratory(Comparisons(reference, on(Toy(name="port")), BUILT_IN), 60)
        assert np.array_equal(np.asarray(lab.image), PAGE)

    @pytest.mark.parametrize("sha256", [None, digest(OTHER_PAGE)])
    def test_is_not_guessed_where_no_digest_proves_it(self, sha256: str | None) -> None:
        traces = [replace(on(side), image_sha256=sha256) for side in (Toy(), Toy(name="port", mean=0.4))]
        found, *_ = diagnose(reference=traces[0], candidate=traces[1])
        assert (found.cause, found.stage) == ("unknown", TENSOR)
        told = "page 0 is no file, or no longer the one that the traces are of"
        assert found.not_tried[0] == f"experiments that run the preprocessing of port: {told}"

    def test_is_not_a_file_that_was_written_again(self, tmp_path: Path) -> None:
        path = tmp_path / "page.npy"
        np.save(path, PAGE)
        reference, candidate = (
            replace(side.trace(str(path)), image_sha256=hashlib.sha256(path.read_bytes()).hexdigest())
            for side in (Toy(), Varied(name="port", mean=0.4))
        )
        assert cause_of(reference, candidate).cause == "normalize.mean_std"
        np.save(path, OTHER_PAGE)
        found, *_ = diagnose(reference=reference, candidate=candidate)
        assert "or no longer the one that the traces are of" in found.not_tried[0]
        assert found.cause == "unknown"

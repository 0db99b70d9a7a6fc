"""Two values of a post-process at once are found one after the other, and stated together."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from diagnosing import found_by, on
from soft import MANY, Silent, changes, port, train

from pytest_ocrparity.diagnose import diagnose
from pytest_ocrparity.diagnose.cache import DiagnosisCache
from pytest_ocrparity.diagnosis import UNKNOWN

TWO = [
    ({"thresh": 0.44}, changes(lambda box, page: box + 9), {"postprocess.thresh", "rescale.offset"}),
    ({"unclip_ratio": 2.0, "box_thresh": 0.41}, Silent, {"postprocess.unclip_ratio", "postprocess.box_thresh"}),
    ({"thresh": 0.44, "unclip_ratio": 2.0}, Silent, {"postprocess.thresh", "postprocess.unclip_ratio"}),
]


class TestTwoAtOnce:
    @pytest.mark.parametrize("has_source", [True, False])
    @pytest.mark.parametrize(("values", "kind", "causes"), TWO, ids=[" ".join(sorted(each[2])) for each in TWO])
    def test_both_are_named(self, values: Any, kind: type[Silent], causes: set[str], has_source: bool) -> None:
        if "box_thresh" in values and not has_source:
            pytest.skip("see the next test")
        candidate = on(port(kind, **values), MANY)
        found = diagnose(
            reference=on(train(), MANY), candidate=candidate if has_source else replace(candidate, source=None)
        )
        assert {each.cause for each in found} == causes
        assert all("none of them does alone" in each.evidence[0] for each in found)

    def test_a_second_change_that_no_rule_makes_leaves_both_unknown(self) -> None:
        kind = changes(lambda box, page: box + (5 if box[0, 0] < page[0] / 2 else 9))
        found = diagnose(reference=on(train(), MANY), candidate=on(port(kind, unclip_ratio=2.0), MANY))
        assert {each.cause for each in found} == {UNKNOWN}

    def test_on_arrays_alone_a_filter_may_do_the_same(self) -> None:
        """Which of the boxes are dropped, and by what, one page does not tell."""
        candidate = replace(on(port(unclip_ratio=2.0, box_thresh=0.41), MANY), source=None)
        found = diagnose(reference=on(train(), MANY), candidate=candidate)
        assert {each.cause for each in found} == {UNKNOWN}
        assert any("unclip_ratio 2" in text and "box_thresh" in text for text in found[0].tried)

    def test_both_are_proved_again_on_another_page(self) -> None:
        cache, reference, candidate = DiagnosisCache(60), train(), port(thresh=0.44, unclip_ratio=2.0)
        other = np.ascontiguousarray(MANY[:, ::-1])
        first = found_by(cache, on(reference, MANY), on(candidate, MANY))
        again = found_by(cache, on(reference, other, "page 1"), on(candidate, other, "page 1"))
        assert [each.cause for each in again] == [each.cause for each in first]

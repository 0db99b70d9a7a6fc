"""Four verdicts, and what they say."""

from __future__ import annotations

from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from labelled import image_counts

from pytest_ocrparity.evaluate.counts import Counts, ImageCounts
from pytest_ocrparity.evaluate.verdict import (
    FAILED,
    LEAST_UNITS,
    NO_LOSS_SEEN,
    PASSED,
    UNDECIDED,
    Accuracy,
    accuracy_verdict,
    units_of,
)

WHOLE, FEWER, MISSED = Counts(10, 10, 10, in_order=10), Counts(9, 10, 9, in_order=8), Counts(0, 10, 0)
RIGHT, WRONG = Counts(1, 1, 1, in_order=1, spaceless=1), Counts(0, 1, 1, distance=0.5, spaceless_distance=0.25)


def images(*sides: tuple[int, Counts, Counts], group: int = 1) -> list[ImageCounts]:
    """Return so many images with the counts of reference and candidate, in documents of so many images."""
    counts = [(one, two) for number, one, two in sides for _ in range(number)]
    return [
        ImageCounts(image=f"{index}.png", group=str(index // group), reference=one, candidate=two)
        for index, (one, two) in enumerate(counts)
    ]


def test_a_drop_that_is_shown_fails() -> None:
    found = accuracy_verdict(images((100, WHOLE, WHOLE), (50, WHOLE, FEWER)))
    assert found.verdict == FAILED and found.fails and found.more is None
    assert found.interval.high < -found.max_drop
    assert found.text.startswith("hmean 100.00 % to 98.31 % on 150 images: -1.69 points, 95 % interval -")
    assert found.text.endswith("a drop of more than 1 point is shown")


def test_a_drop_that_is_excluded_passes() -> None:
    found = accuracy_verdict(images((1000, WHOLE, WHOLE), (5, WHOLE, FEWER)), is_set=True)
    assert found.verdict == PASSED and not found.fails and found.more is None
    assert found.interval.low > -found.max_drop
    assert found.text.endswith("a drop of 1 point is excluded")


@pytest.mark.parametrize(("n", "verdict"), [(360, NO_LOSS_SEEN), (385, PASSED)])
def test_without_a_difference_one_point_takes_369_images_to_exclude(n: int, verdict: str) -> None:
    assert accuracy_verdict(images((n, RIGHT, RIGHT)), task="recognition").verdict == verdict


def test_no_difference_on_few_images_is_no_loss_seen() -> None:
    found = accuracy_verdict(images((60, WHOLE, WHOLE)), is_set=True)
    assert found.verdict == NO_LOSS_SEEN and not found.fails
    missed = "a fault that hits 4.87 % of the images is missed by one such sample in twenty"
    assert f"60 images, nothing was lost or gained: {missed}" in found.text
    assert found.more == pytest.approx(309, abs=30)
    assert f"about {found.more} more images like these would decide" in found.text


def test_a_gain_is_no_loss() -> None:
    found = accuracy_verdict(images((60, WHOLE, WHOLE), (1, FEWER, WHOLE)), is_set=True)
    assert found.verdict == NO_LOSS_SEEN and "nothing was lost: " in found.text and found.different == 1


def test_a_loss_that_chance_explains_is_undecided() -> None:
    counted = images((60, WHOLE, WHOLE), (1, WHOLE, FEWER))
    found = accuracy_verdict(counted, is_set=True)
    assert found.verdict == UNDECIDED and found.fails and not accuracy_verdict(counted).fails
    assert "neither shows nor excludes a drop of 1 point; about" in found.text
    assert found.more is not None and found.more > 200


def test_more_false_alarms_alone_are_a_loss() -> None:
    assert accuracy_verdict(images((60, WHOLE, WHOLE), (1, WHOLE, Counts(10, 10, 11)))).verdict == UNDECIDED


def test_where_the_drop_is_what_is_allowed_no_number_of_images_is_named() -> None:
    found = accuracy_verdict(images((900, RIGHT, RIGHT), (100, RIGHT, WRONG)), task="recognition", max_drop=0.1)
    assert found.verdict == UNDECIDED and found.more is None and "more images" not in found.text


def test_few_images_never_pass() -> None:
    few = accuracy_verdict(images((28, WHOLE, WHOLE), (1, WHOLE, FEWER)), max_drop=0.5)
    assert few.interval.low > -0.5 and few.verdict == UNDECIDED
    assert f"and {LEAST_UNITS} images are needed" in few.text and few.more is not None and few.more < 5
    assert accuracy_verdict(images((29, WHOLE, WHOLE), (1, WHOLE, FEWER)), max_drop=0.5).verdict == PASSED


def test_pages_of_one_document_count_as_one() -> None:
    sides = (150, WHOLE, WHOLE), (50, WHOLE, FEWER)
    alone, together = (
        accuracy_verdict(images(*sides), max_drop=0.005),
        accuracy_verdict(images(*sides, group=50), max_drop=0.005),
    )
    assert (alone.units, together.units, together.images) == (200, 4, 200)
    assert (alone.verdict, together.verdict) == (FAILED, UNDECIDED)
    assert together.interval.high > alone.interval.high and "200 images of 4 documents" in together.text
    assert units_of(images(*sides, group=100)).tolist() == [
        [1000, 1000, 1000, 1000, 1000],
        [1000, 950, 1000, 950, 1000],
    ]


def test_scores_of_boxes() -> None:
    found = accuracy_verdict(images((1, WHOLE, FEWER), (1, WHOLE, Counts(8, 10, 12))))
    assert (found.candidate.precision, found.candidate.recall) == (17 / 21, 17 / 20)
    assert found.candidate.hmean == pytest.approx(34 / 41) and found.candidate.in_order == pytest.approx(16 / 41)
    assert found.difference == pytest.approx(34 / 41 - 1)
    assert found.candidate.similarity is None and found.candidate.spaceless is None


def test_scores_of_lines() -> None:
    found = accuracy_verdict(images((3, RIGHT, RIGHT), (1, RIGHT, WRONG)), task="recognition")
    two = found.candidate
    assert two.precision == two.recall == two.hmean == two.in_order == two.spaceless == 0.75
    assert (two.similarity, two.spaceless_similarity) == (0.875, 0.9375)
    assert found.text.startswith("accuracy 100.00 % to 75.00 % on 4 lines")


def test_nothing_found_scores_zero() -> None:
    found = accuracy_verdict(images((3, Counts(0, 0, 0), Counts(0, 0, 0))))
    assert found.candidate.hmean == found.candidate.precision == found.candidate.recall == 0


@pytest.mark.parametrize(
    ("reference", "candidate"),
    [
        (Counts(0, 0, 0), Counts(0, 0, 0)),
        (MISSED, MISSED),
        (Counts(0, 10, 10), MISSED),
        (Counts(0, 0, 0), Counts(0, 0, 5)),
    ],
    ids=["only don't care", "nothing found", "labels of other images", "blank pages"],
)
def test_a_reference_that_cannot_drop_decides_nothing(reference: Counts, candidate: Counts) -> None:
    found = accuracy_verdict(images((500, reference, candidate)), is_set=True)
    assert found.verdict == UNDECIDED and found.fails and found.more is None
    hint = "such a reference cannot drop by 1 point; see that the labels are of these images"
    assert found.text.endswith(hint if reference.truth else "give images with text as well")


def test_a_reference_drops_by_what_it_has_at_most() -> None:
    sides = (960, Counts(0, 10, 10), Counts(0, 10, 10)), (40, WHOLE, WHOLE)
    assert accuracy_verdict(images(*sides), max_drop=0.05).verdict == UNDECIDED
    assert accuracy_verdict(images(*sides), max_drop=0.03).verdict == PASSED


def test_images_of_which_nothing_is_counted_are_no_images() -> None:
    nothing = Counts(0, 0, 0)
    found = accuracy_verdict(images((20, WHOLE, WHOLE), (20, nothing, nothing)), max_drop=0.5)
    assert (found.verdict, found.images, found.units) == (NO_LOSS_SEEN, 20, 20)
    assert accuracy_verdict(images((40, WHOLE, WHOLE)), max_drop=0.5).verdict == PASSED
    blank = [
        ImageCounts(image=str(n), group=f"b{n}", reference=nothing, candidate=nothing, is_blank=True) for n in range(9)
    ]
    assert accuracy_verdict([*images((31, WHOLE, WHOLE)), *blank], max_drop=0.5).images == 40


def test_false_alarms_on_blank_pages_are_counted_apart() -> None:
    blank = ImageCounts(image="b", group="b", reference=Counts(0, 0, 1), candidate=Counts(0, 0, 4), is_blank=True)
    found = accuracy_verdict([*images((5, WHOLE, Counts(10, 10, 12))), blank])
    assert found.false_alarms == (1, 4) and found.candidate.precision == 50 / 64


@pytest.mark.parametrize(("n", "share"), [(1, 95.0), (4, 52.71), (10, 25.89), (300, 0.99)])
def test_the_share_that_is_missed_by_one_sample_in_twenty_is_exact(n: int, share: float) -> None:
    found = accuracy_verdict(images((n, WHOLE, WHOLE))).text
    assert f": a fault that hits {share:.2f} % of the images is missed by one such sample in twenty" in found
    assert (1 - share / 100) ** n == pytest.approx(0.05, abs=0.001)


def test_blank_pages_alone_are_not_said_to_have_wrong_labels() -> None:
    blank = [
        ImageCounts(image=str(n), group=str(n), reference=Counts(0, 0, 0), candidate=Counts(0, 0, 2), is_blank=True)
        for n in range(40)
    ]
    found = accuracy_verdict(blank)
    assert found.verdict == UNDECIDED and found.text.endswith(
        "no label has a box that counts, so that hmean is 0; give images with text as well"
    )
    assert "give images with text" not in accuracy_verdict([*blank, *images((1, WHOLE, WHOLE))]).text


def test_one_image_can_be_judged() -> None:
    assert accuracy_verdict(images((1, WHOLE, WHOLE))).verdict == NO_LOSS_SEEN
    assert accuracy_verdict(images((1, WHOLE, MISSED))).verdict == FAILED
    undecided = accuracy_verdict(images((1, WHOLE, MISSED)), max_drop=0.03)
    assert undecided.verdict == UNDECIDED and "are needed" not in undecided.text
    assert "on 2 images of 1 document, " in accuracy_verdict(images((2, WHOLE, WHOLE), group=2)).text


@pytest.mark.parametrize("max_drop", [0, -0.1, 1, 5, float("nan"), True, "0.01", None])
def test_a_share_is_asked_for(max_drop: Any) -> None:
    with pytest.raises(ValueError, match=r"max_drop is .*: 0\.01 is one point"):
        accuracy_verdict(images((1, WHOLE, WHOLE)), max_drop=max_drop)
    assert accuracy_verdict(images((1, WHOLE, WHOLE)), max_drop=np.float32(0.01)).verdict == NO_LOSS_SEEN  # type: ignore[arg-type]


def test_nothing_is_no_evidence() -> None:
    with pytest.raises(ValueError, match="no image with a label"):
        accuracy_verdict([])


def test_it_has_no_truth_value() -> None:
    found: Accuracy = accuracy_verdict(images((40, WHOLE, WHOLE)))
    with pytest.raises(TypeError, match="no truth value"):
        bool(found)


FEW = settings(max_examples=8, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck))
"""An interval is ten thousand draws."""


@st.composite
def pages(draw: st.DrawFn) -> list[tuple[int, int, int]]:
    """Draw pages: how many boxes each has, and how many of them each side matches."""
    truths = draw(st.lists(st.integers(1, 6), min_size=1, max_size=12))
    return [(truth, draw(st.integers(0, truth)), draw(st.integers(0, truth))) for truth in truths]


def counted(drawn: list[tuple[int, int, int]], name: str = "{:02}.png") -> list[ImageCounts]:
    return [image_counts(name.format(place), *each) for place, each in enumerate(drawn)]


@FEW
@given(drawn=pages(), shuffler=st.randoms(use_true_random=False))
def test_what_changes_no_accuracy(drawn: list[tuple[int, int, int]], shuffler: Random) -> None:
    found = accuracy_verdict(counted(drawn))
    assert accuracy_verdict(counted(drawn, "of another name {}.jpg")) == found
    shuffled = drawn.copy()
    shuffler.shuffle(shuffled)
    other = accuracy_verdict(counted(shuffled))
    assert (other.reference, other.candidate, other.images) == (found.reference, found.candidate, found.images)
    assert other.interval.low == pytest.approx(found.interval.low, abs=0.05)
    assert other.interval.high == pytest.approx(found.interval.high, abs=0.05)

    swapped = accuracy_verdict(counted([(truth, two, one) for truth, one, two in drawn]))
    assert swapped.difference == pytest.approx(-found.difference)
    assert (swapped.reference, swapped.candidate) == (found.candidate, found.reference)

    more = accuracy_verdict([*counted(drawn), image_counts("more.png", 4, 4, 4)])  # a page that both sides read
    assert abs(more.difference) <= abs(found.difference) + 1e-12
    assert more.difference * found.difference >= 0
    assert more.different == found.different


@FEW
@given(pages())
def test_a_candidate_that_matches_what_the_reference_does_never_fails(drawn: list[tuple[int, int, int]]) -> None:
    same = accuracy_verdict(counted([(truth, one, one) for truth, one, _ in drawn]))
    assert same.difference == 0 and same.verdict in ("no loss seen", "undecided")
    assert same.verdict == "undecided" or any(one for _, one, _ in drawn)
    assert same.interval.low <= 0 <= same.interval.high

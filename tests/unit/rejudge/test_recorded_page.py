"""A recorded page judged again: as comparing it again would, and undecided where only the models could tell."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from records import results
from toy import PAGE
from toy_pages import ToyPages

from pytest_ocrparity import Recognition, Trace
from pytest_ocrparity.compare.whole_page import PageComparisons
from pytest_ocrparity.comparison import MATCHES, UNDECIDED, Comparison
from pytest_ocrparity.rejudge import limits_to_rejudge_by, rejudge_comparisons
from pytest_ocrparity.report.document import RecordedComparison, read_report_document
from pytest_ocrparity.report.document_text import as_text
from pytest_ocrparity.tolerance import BUILT_IN, Tolerance, parse_tolerance
from pytest_ocrparity.trace import Detections
from unit.compare.test_page_borderline import sides

WORDS = (
    *("exact", "fp32", "fp16", "int8", "text.max_changed=0.4", "text.max_cer=0.5", "text.max_borderline=0"),
    *("text.max_score_difference=0.01", "text.max_score_difference=0.5", "text.max_score_difference=off"),
    *("text.allow_empty=true", "detections.max_shift=0", "detections.max_shift=5", "detections.max_shift=off"),
    *("detections.min_iou=0.99", "detections.max_unmatched=0.5", "detections.max_borderline=0"),
    *("detections.allow_empty=true", "probability_maps.atol=0.1", "probability_maps.atol=1e-6"),
    "probability_maps.max_changed=0",
)
RECORDED = ("fp32", "int8", "detections.max_shift=off")


def with_texts(trace: Trace, *texts: Any, boxes: Detections | None = None) -> Trace:
    """Return a page that reads these, in these boxes; a text may have a score, or be None."""
    said = [each if isinstance(each, tuple) else (each, 0.9) for each in texts]
    read = tuple(None if text is None else Recognition(text, score) for text, score in said)
    return replace(trace, texts=read, detections=trace.detections if boxes is None else boxes)


def moved(trace: Trace, by: float) -> Trace:
    assert trace.detections is not None
    first, *others = trace.detections.polygons
    return replace(trace, detections=Detections((first + by, *others), trace.detections.scores))


def pages() -> Iterator[tuple[str, Trace, Trace]]:
    train, page = ToyPages().trace(PAGE), ToyPages(name="page").trace(PAGE)
    texts = [each.text for each in train.texts or () if each is not None]
    yield "same", train, page
    yield "another text", train, with_texts(page, "OTHER", *texts[1:])
    yield "a character", train, with_texts(page, f"{texts[0][:-1]}X", *texts[1:])
    yield "a score", train, with_texts(page, (texts[0], 0.6), *texts[1:])
    yield "left out", train, with_texts(page, None, *texts[1:])
    yield "no character", with_texts(train, *[""] * len(texts)), with_texts(page, *[""] * len(texts))
    yield "moved", train, moved(page, 3.0)
    yield "moved, and another text", train, with_texts(moved(page, 3.0), "OTHER", *texts[1:])
    assert page.detections is not None
    fewer = Detections(
        page.detections.polygons[1:], None if page.detections.scores is None else page.detections.scores[1:]
    )
    yield "a box less", train, with_texts(page, *texts[1:], boxes=fewer)
    none = Detections(())
    yield "nothing found", with_texts(train, boxes=none), with_texts(page, boxes=none)
    plain = [replace(with_texts(each, boxes=none), probability_map=None, source=None) for each in (train, page)]
    yield "nothing found, and no maps", plain[0], plain[1]
    turned = Detections(page.detections.polygons[::-1])
    yield "another order", train, with_texts(page, *texts[::-1], boxes=turned)
    yield "no texts", train, replace(page, texts=None)
    for name, given in {"explained": {}, "not explained": {"grey": 108, "cuts_otherwise": 4}}.items():
        reference, candidate = sides(**given)
        yield name, reference.trace(), candidate.trace()


TRACES = {name: (one, two) for name, one, two in pages()}


def recorded_again(comparison: Comparison) -> RecordedComparison:
    """Return a comparison as a document has it that was written and read."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "results.json"
        path.write_text(as_text(results([RecordedComparison.of(comparison)])))
        return read_report_document(path).comparisons[0]


def answers(name: str, recorded: str) -> Iterator[tuple[str, RecordedComparison, Tolerance]]:
    """Yield what a page recorded under one tolerance comes to under each other, with all limits that hold then."""
    limits = BUILT_IN.override(parse_tolerance(recorded), "command line")
    page = recorded_again(PageComparisons(*TRACES[name], limits, defers=True).page)
    for word in WORDS:
        (found,) = rejudge_comparisons([page], limits_to_rejudge_by([parse_tolerance(word)]))
        yield word, found, limits.override(parse_tolerance(word), "--tolerance")


@pytest.mark.parametrize("recorded", RECORDED)
@pytest.mark.parametrize("name", TRACES)
def test_it_answers_as_comparing_again_does_or_not_at_all(name: str, recorded: str) -> None:
    for word, found, limits in answers(name, recorded):
        if found.status != UNDECIDED:
            right = PageComparisons(*TRACES[name], limits, defers=True).page
            assert found.status == right.status, word
            assert found.status not in MATCHES or found.counts == right.counts, word


def test_it_answers_most() -> None:
    decided = Counter(found.status != UNDECIDED for name in TRACES for _, found, _ in answers(name, "fp32"))
    assert decided[True] > 6 * decided[False]


# What each page is judged as again under all words, by what it was recorded under: an answer that was none before, or
# none that was one, changes a number here.

ANSWERS = {
    "same": ("21 same", "20 same, 1 undecided", "18 same, 3 undecided"),
    "another text": ("14 different, 1 same, 6 undecided",) * 3,
    "a character": ("13 different, 2 same, 6 undecided",) * 3,
    "a score": ("18 different, 3 same",) * 3,
    "left out": ("20 different, 1 same",) * 3,
    "no character": ("20 different, 1 same",) * 3,
    "moved": (
        *("17 different, 4 same", "1 different, 17 same, 3 undecided"),
        "15 different, 3 same, 3 undecided",
    ),
    "moved, and another text": (
        *("18 different, 3 undecided", "13 different, 1 same, 7 undecided"),
        "16 different, 5 undecided",
    ),
    "a box less": (
        *("20 different, 1 same", "16 different, 1 same, 4 undecided"),
        "17 different, 1 same, 3 undecided",
    ),
    "nothing found": ("20 empty, 1 empty as allowed",) * 3,
    "nothing found, and no maps": ("20 different, 1 empty as allowed",) * 3,
    "another order": ("21 different",) * 3,
    "no texts": ("21 different",) * 3,
    "explained": (
        *("3 different, 13 same, 5 undecided", "1 different, 13 same, 7 undecided"),
        "2 different, 11 same, 8 undecided",
    ),
    "not explained": (
        *("15 different, 1 same, 5 undecided", "13 different, 1 same, 7 undecided"),
        "15 different, 1 same, 5 undecided",
    ),
}


@pytest.mark.parametrize("name", TRACES)
def test_how_often_it_answers_what(name: str) -> None:
    counted = (Counter(each.status.replace(",", "") for _, each, _ in answers(name, limits)) for limits in RECORDED)
    assert ANSWERS[name] == tuple(", ".join(f"{n} {status}" for status, n in sorted(each.items())) for each in counted)


def test_what_only_the_models_could_tell_is_undecided() -> None:
    statuses = {word: found.status for word, found, _ in answers("another text", "fp32")}
    assert statuses["text.max_changed=0.4"] == "same"
    assert statuses["text.max_borderline=0"] == "different"
    assert statuses["probability_maps.atol=0.1"] == UNDECIDED
    assert {word: found.status for word, found, _ in answers("same", "fp32")}["probability_maps.atol=0.1"] == "same"


def test_a_page_without_the_comparisons_of_its_detectors_is_undecided() -> None:
    page = replace(PageComparisons(*TRACES["another text"], BUILT_IN).page, of_detectors=())
    (found,) = rejudge_comparisons([recorded_again(page)], limits_to_rejudge_by([parse_tolerance("text.max_cer=1")]))
    assert found.status == UNDECIDED
    (same,) = rejudge_comparisons([recorded_again(page)], {})
    assert same.status == "different"

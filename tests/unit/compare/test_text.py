"""What two recognisers read: equal to the last character, or said otherwise; borderline by arithmetic alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from properties import quickly
from toy_reader import LINE, NOTHING, Reader, line

from pytest_ocrparity import Comparison, DifferenceError, Recognition, Trace, assert_same_text
from pytest_ocrparity.compare import Comparisons
from pytest_ocrparity.compare.text import _do_decoders_agree, _exact_score, compare_text
from pytest_ocrparity.comparison import UNPAIRED, Measure
from pytest_ocrparity.tolerance import BUILT_IN, EQUAL_MAP_SCORE, UNPAIRED_SCORE, Tolerance

MARGIN = 1e-4
"""By how much the reference prefers b to a at the only timestep that can change."""
LIMIT = 1e-4


def sides(
    moved: float = MARGIN,
    margin: float = MARGIN,
    reads: Callable[..., Recognition] | None = None,
    own: Callable[..., Recognition] | None = None,
    **candidate: Any,
) -> tuple[Trace, Trace]:
    """Return a reference that reads "bd", and a candidate whose map prefers a to b by `moved` - `margin`.

    `reads` is the candidate's decoder where it is another, and `own` the reference's.
    """
    rows = np.full((1, 3, 6), 0.02, np.float32)
    rows[0, 0, 1:3] = 0.46 - margin / 2, 0.46 + margin / 2
    rows[0, 1, 0] = rows[0, 2, 4] = 0.9
    other = rows.copy()
    other[0, 0, 1:3] += np.float32(moved / 2), np.float32(-moved / 2)
    traces = []
    for side, values, read in ((Reader(), rows, own), (Reader(name="inference", **candidate), other, reads)):
        if read is not None:
            side.read_map = read  # type: ignore[method-assign]
        found = side.read_map(values)
        traces.append(replace(side.trace(LINE), probability_map=values, recognition=found))
    return traces[0], traces[1]


def kept_otherwise(moved: float) -> tuple[Trace, Trace]:
    """Return two sides that read "b" of maps that differ by 0.02; the second timestep is by `moved` more certain of it.

    The reference keeps the second timestep, the candidate the first.
    """
    rows = np.full((1, 2, 6), 0.01, np.float32)
    rows[0, 0, [0, 2]] = 0.48, 0.46
    rows[0, 1, 2] = 0.48 + moved
    other = rows.copy()
    other[0, 0, [0, 2]] = 0.46, 0.48
    found = []
    for side, values in ((Reader(), rows), (Reader(name="inference"), other)):
        found.append(replace(side.trace(LINE), probability_map=values, recognition=side.read_map(values)))
    return found[0], found[1]


def compared(traces: tuple[Trace, Trace], tolerance: Tolerance = BUILT_IN, *, defers: bool = False) -> Comparison:
    return Comparisons(*traces, tolerance, defers=defers).of("text")


class TestTexts:
    def test_equal_ones_pass(self) -> None:
        found = assert_same_text(Reader().trace(LINE), Reader(name="inference").trace(LINE))
        assert (found.status, found.stage, found.task) == ("same", None, "recognition")
        assert found.texts is not None and found.texts.reference == found.texts.candidate == "abba cd"
        assert found.counts["lines"] == 1 and found.counts["different"] == found.counts["edits"] == 0

    def test_each_score_is_recorded_and_none_is_made_up(self) -> None:
        reference = Reader().trace(LINE)
        half = compared((reference, Reader(name="inference", scale_score=0.5).trace(LINE))).texts
        none = compared((reference, Reader(name="inference", has_score=False).trace(LINE))).texts
        assert half is not None and none is not None and half.reference_score is not None
        assert half.candidate_score == pytest.approx(half.reference_score / 2)
        assert (none.reference_score, none.candidate_score) == (half.reference_score, None)

    @pytest.mark.parametrize(
        ("broken", "reads"),
        [
            ({"letters": "bacd "}, "baab cd"),
            ({"keeps_repeats": True}, "aabbbbaa  ccdd"),
            ({"reverses": True}, "dc abba"),
            ({"squeezes": True, "base_width": 80}, None),
        ],
    )
    def test_other_decoders_and_pictures_fail(self, broken: dict[str, Any], reads: str | None) -> None:
        picture = line("abba cd", cells=2)
        reference, candidate = Reader().trace(picture), Reader(name="inference", **broken).trace(picture)
        with pytest.raises(DifferenceError, match="'abba cd' in train, ") as raised:
            assert_same_text(reference, candidate)
        found = raised.value.comparisons[-1].texts
        assert found is not None and (reads is None or found.candidate == reads)
        assert not found.is_borderline

    def test_a_space_counts(self) -> None:
        with pytest.raises(DifferenceError, match="'ab cd' in reference, 'abcd' in candidate"):
            assert_same_text("ab cd", "abcd")
        with pytest.raises(DifferenceError, match="character 3: ' '"):
            assert_same_text("ab ", "ab")
        assert assert_same_text("ab cd", "ab cd").status == "same"

    def test_a_line_may_have_a_few_edits_where_that_is_asked_for(self) -> None:
        assert assert_same_text("abcdefghij", "abcdefghix", max_cer=0.1).status == "same"
        with pytest.raises(DifferenceError, match=r"max_cer 0.2 edits per character, limit 0.1 \(keyword\)"):
            assert_same_text("abcdefghij", "abcdefghxx", max_cer=0.1)

    def test_what_is_no_text_is_refused(self) -> None:
        with pytest.raises(TypeError, match=r"candidate: give a Trace, a Recognition or a text, not \['a'\]"):
            assert_same_text("a", ["a"])  # type: ignore[arg-type]


class TestBorderline:
    """The one line whose best class a difference within the limit moves."""

    def test_the_maps_explain_a_text(self) -> None:
        found = compared(sides(moved=1.5 * MARGIN))
        assert (found.status, found.counts["borderline"], found.counts["different"]) == ("same", 1, 0)
        assert found.texts is not None and (found.texts.reference, found.texts.candidate) == ("bd", "ad")
        assert found.texts.is_borderline and found.counts["edits"] == 0

    def test_and_where_they_do_not_change_it_there_is_nothing_to_explain(self) -> None:
        found = compared(sides(moved=0.5 * MARGIN))
        assert found.status == "same" and found.counts["borderline"] == 0

    def test_beyond_the_limit_they_explain_nothing(self) -> None:
        assert compared(sides(moved=2.5 * LIMIT)).status == "different"

    def test_maps_that_no_limit_judges_explain_nothing(self) -> None:
        off = BUILT_IN.override({"probability_maps": {"atol": "off", "max_changed": 1.0}}, "file")
        assert compared(sides(moved=1.5 * MARGIN), off).status == "different"

    def test_another_dictionary_is_never_borderline(self) -> None:
        """On the very line whose maps could explain it: the decoders disagree."""
        assert compared(sides(moved=1.5 * MARGIN, letters="abdc ")).status == "different"
        assert compared(sides(moved=1.5 * MARGIN, letters="xbcd ")).status == "different"

    def test_what_is_changed_after_decoding_is_not_either(self) -> None:
        reference, candidate = sides(moved=1.5 * MARGIN)
        changed = replace(candidate, recognition=Recognition("AD", 0.7))
        assert compared((reference, changed)).status == "different"

    def test_equal_maps_explain_nothing(self) -> None:
        reference, candidate = sides(moved=0.0)
        assert compared((reference, candidate)).status == "same"
        assert compared((reference, replace(candidate, recognition=Recognition("ad", 0.7)))).status == "different"

    def test_of_a_baseline_the_candidates_decoder_suffices(self) -> None:
        reference, candidate = sides(moved=1.5 * MARGIN)
        assert compared((replace(reference, source=None), candidate)).counts["borderline"] == 1
        assert compared((reference, replace(candidate, source=None))).counts["borderline"] == 1

    def test_without_any_decoder_nothing_is(self) -> None:
        reference, candidate = sides(moved=1.5 * MARGIN)
        without = replace(reference, source=None), replace(candidate, source=None)
        assert compared(without).status == "different"

    @pytest.mark.parametrize("side", ["reads", "own"])
    def test_a_decoder_that_cannot_run_explains_nothing(self, side: str) -> None:
        calls = []

        def once(values: Any) -> Recognition:
            calls.append(values)
            if len(calls) > 2:  # tracing and `sides` take one each
                raise RuntimeError("only traces")
            return Reader().read_map(values)

        decoders: dict[str, Any] = {side: once}
        assert compared(sides(moved=1.5 * MARGIN, **decoders)).status == "different"

    def test_the_limit_of_this_very_call_is_kept(self) -> None:
        traces = sides(moved=1.5 * MARGIN)
        assert assert_same_text(*traces).counts["borderline"] == 1
        with pytest.raises(DifferenceError):
            assert_same_text(*traces, max_borderline=0)


class TestScores:
    def test_a_right_one_moves_no_further_than_the_map(self) -> None:
        found = compared((Reader().trace(LINE), Reader(name="inference", noise=4e-5).trace(LINE)))
        score = found.measure("text.max_score_difference")
        assert score is not None and score.limit is not None and 0 < score.value < score.limit < 1e-4
        assert score.origin.endswith(": as far as the maps differ")

    def test_one_that_is_computed_otherwise_fails_on_equal_maps(self) -> None:
        sides = Reader().trace(LINE), Reader(name="inference", scale_score=1 - 3e-5).trace(LINE)
        with pytest.raises(DifferenceError, match=r"scores of train and inference differ by 2\.9e-05, and"):
            assert_same_text(*sides)
        assert assert_same_text(*sides, max_score_difference=1e-4).status == "same"
        assert assert_same_text(*sides, max_score_difference="off").status == "same"

    def test_where_other_timesteps_were_kept_it_is_what_the_decoders_make_of_the_maps(self) -> None:
        reference, candidate = kept_otherwise(0.2)
        measure = compared((reference, candidate)).measure("text.max_score_difference")
        assert measure is not None and measure.limit == 1.0 and measure.value > UNPAIRED_SCORE
        assert candidate.recognition is not None
        other = replace(candidate, recognition=Recognition("b", 0.1))  # which no decoder makes of this map
        measure = compared((reference, other)).measure("text.max_score_difference")
        assert measure is not None and measure.limit == UNPAIRED_SCORE and measure.fails

    def test_without_decoders_it_is_judged_by_the_wide_limit(self) -> None:
        for moved, status in ((0.2, "different"), (0.02, "same")):
            silent = [replace(trace, source=None) for trace in kept_otherwise(moved)]
            assert compared((silent[0], silent[1])).status == status

    def test_a_missing_one_fails_only_where_it_was_asked_for_by_name(self) -> None:
        sides = Reader().trace(LINE), Reader(name="inference", has_score=False).trace(LINE)
        assert assert_same_text(*sides).status == assert_same_text(*sides, tolerance="fp16").status == "same"
        with pytest.raises(DifferenceError, match="max_score_difference can't be judged: inference has none"):
            assert_same_text(*sides, max_score_difference=0.1)

    def test_no_limit_permits_what_is_no_number(self) -> None:
        with pytest.raises(DifferenceError, match="differ by NaN"):
            assert_same_text(Recognition("a", 0.5), Recognition("a", float("nan")), max_score_difference=1)

    @pytest.mark.parametrize("score", [float("nan"), 90.0, -0.5])
    def test_without_maps_what_is_no_score_fails(self, score: float) -> None:
        assert assert_same_text(Recognition("a", 0.9), Recognition("a", 0.88)).status == "same"
        with pytest.raises(DifferenceError, match="the scores of"):
            assert_same_text(Recognition("a", 0.9), Recognition("a", score))

    def test_without_maps_a_wide_limit_judges_them(self) -> None:
        """Between scores that are none other than right ones may be, and scores of another network or formula."""
        with pytest.raises(DifferenceError, match=r"differ by 0\.8, and the texts do not, limit 0\.05"):
            assert_same_text(Recognition("a", 0.9), Recognition("a", 0.1))
        found = assert_same_text(Recognition("a", 0.9), Recognition("a", 0.1), max_score_difference="off")
        assert found.status == "same"
        measure = assert_same_text(Recognition("a", 0.9), Recognition("a", 0.88)).measure("text.max_score_difference")
        assert measure is not None and measure.origin.endswith(UNPAIRED)

    def test_of_lines_in_which_nothing_is_read_they_are_judged_too(self) -> None:
        reference, candidate = Reader().trace(NOTHING), Reader(name="inference").trace(NOTHING)
        assert assert_same_text(reference, candidate).status == "empty"
        for score in (float("nan"), 0.5):  # the mean of nothing; the mean of the blanks
            with pytest.raises(DifferenceError, match="the scores of train and inference differ by"):
                assert_same_text(reference, replace(candidate, recognition=Recognition("", score)))


class TestNothingPassesEmpty:
    def test_a_blank_line_passes_by_its_map(self) -> None:
        assert assert_same_text(Reader().trace(NOTHING), Reader(name="inference").trace(NOTHING)).status == "empty"

    def test_maps_of_which_the_run_judges_one_amount_do_not_show_that_they_agree(self) -> None:
        sides = Reader().trace(NOTHING), Reader(name="inference").trace(NOTHING)
        maps = Comparisons(*sides, BUILT_IN).of("probability_maps")
        deferred = Measure("probability_maps.mean_atol", 0.5, 0.1, decides=False)
        for measures, kinds in ((maps.measures, []), ((*maps.measures, deferred), ["empty_text"])):
            assert len(measures) > 1
            found = compare_text(*sides, BUILT_IN, replace(maps, measures=measures))
            assert [each.kind for each in found.differences] == kinds

    def test_with_other_maps_it_fails(self) -> None:
        reference, candidate = Reader().trace(NOTHING), Reader(name="inference", gain=30.0).trace(NOTHING)
        assert candidate.recognition == Recognition("", 0.0)
        with pytest.raises(DifferenceError, match="neither side reads anything, and the maps differ"):
            assert_same_text(reference, candidate)

    def test_without_maps_too_unless_that_is_allowed(self) -> None:
        with pytest.raises(DifferenceError, match="neither side reads anything, and no maps were compared"):
            assert_same_text("", "")
        assert assert_same_text("", "", allow_empty=True).status == "empty, as allowed"

    def test_one_empty_text_is_another_text(self) -> None:
        with pytest.raises(DifferenceError, match="'ab' in reference, '' in candidate"):
            assert_same_text("ab", "", allow_empty=True)
        with pytest.raises(DifferenceError, match="'' in reference, 'ab' in candidate"):
            assert_same_text("", "ab", max_cer=0.5)

    def test_a_missing_text_fails(self) -> None:
        reference, candidate = Reader().trace(LINE), Reader(name="inference").trace(LINE)
        with pytest.raises(DifferenceError, match="nothing was compared at text: inference has none"):
            assert_same_text(reference, replace(candidate, recognition=None))


class TestTheRun:
    """What a reduced preset permits only a whole run can judge."""

    def test_a_line_is_left_to_it(self) -> None:
        fp16 = Tolerance.preset("fp16", "file")
        traces = Reader().trace(LINE), Reader(name="inference", letters="bacd ").trace(LINE)
        assert compared(traces, fp16).status == "different"
        found = compared(traces, fp16, defers=True)
        assert (found.status, found.counts["different"], found.counts["edits"]) == ("left to the run", 1, 3)

    def test_under_fp32_each_line_decides(self) -> None:
        traces = Reader().trace(LINE), Reader(name="inference", letters="bacd ").trace(LINE)
        assert compared(traces, defers=True).status == "different"


# What must hold of any two texts.

any_text = st.text(alphabet="ab cé", max_size=6)


def read_as(one: str, other: str, image: str = "line.png", **limits: Any) -> Comparison:
    left, right = (
        Trace(pipeline=name, image=image, recognition=Recognition(text, 0.5), source=Reader(name=name))
        for name, text in (("train", one), ("inference", other))
    )
    return compare_text(left, right, BUILT_IN.override({"text": {"allow_empty": True, **limits}}, "marker"))


@quickly
@given(any_text, any_text)
def test_equal_texts_pass_and_no_others(one: str, other: str) -> None:
    found = read_as(one, other)
    assert found.is_match == (one == other)
    assert found.counts["different"] == (one != other)
    cer = found.measure("cer")
    assert cer is not None and cer.value == found.counts["edits"] / max(1, len(one))
    assert read_as(one, one).is_match


@quickly
@given(any_text, any_text)
def test_swapped_sides_and_another_name_change_no_verdict(one: str, other: str) -> None:
    found = read_as(one, other)
    swapped = read_as(other, one)
    assert (swapped.status, swapped.counts["edits"]) == (found.status, found.counts["edits"])
    assert replace(read_as(one, other, "z.png"), image=found.image) == found


@quickly
@given(any_text, any_text, st.sampled_from("ab"))
def test_what_both_sides_read_besides_adds_no_edit(one: str, other: str, more: str) -> None:
    assert read_as(one + more, other + more).counts["edits"] == read_as(one, other).counts["edits"]


@quickly
@given(any_text, any_text, st.floats(0, 2))
def test_a_larger_limit_fails_no_line_that_a_smaller_one_passes(one: str, other: str, limit: float) -> None:
    if read_as(one, other, max_cer=limit).is_match:
        assert read_as(one, other, max_cer=limit + 0.1).is_match
    cer = read_as(one, other).counts["edits"] / max(1, len(one))
    assert read_as(one, other, max_cer=limit).is_match == (cer <= limit)


class TestMapsThatAreNotJudgeable:
    """Texts that follow such maps are not judgeable either, and others differ."""

    def text_of(self, traces: tuple[Trace, Trace]) -> Comparison:
        made = Comparisons(*traces, BUILT_IN)
        made.know(replace(made.of("probability_maps"), status="not judgeable"))
        return made.of("text")

    def test_texts_that_both_decoders_read_in_them_follow(self) -> None:
        followed = sides(moved=0.5)
        assert self.text_of(followed).status == "not judgeable"
        assert compared(followed).status == "different"

    def test_a_decoder_that_reads_otherwise_does_not_follow(self) -> None:
        assert self.text_of(sides(moved=0.5, reads=lambda values: Recognition("x", 0.9))).status == "different"

    def test_equal_texts_stay_the_same(self) -> None:
        assert self.text_of(sides(moved=0.0)).status == "same"

    def test_what_was_not_recorded_follows_nothing(self) -> None:
        reference, candidate = sides(moved=0.5)
        assert self.text_of((reference, replace(candidate, recognition=None))).status == "different"


class TestWhatMapsExplain:
    """A text is explained by maps that differ, within a limit, by half of what the class was preferred by."""

    def is_borderline(self, traces: tuple[Trace, Trace], **changed: float | None) -> bool:
        """Return whether a text is explained by a comparison of maps of which some measures have another value."""
        made = Comparisons(*traces, BUILT_IN)
        maps = made.of("probability_maps")
        named = {each.name.rpartition(".")[2]: each for each in maps.measures}
        for name, value in changed.items():
            if value is None:
                named.pop(name)
            else:
                named[name] = replace(named[name], limit=value) if name == "atol" else replace(named[name], value=value)
        found = compare_text(*traces, BUILT_IN, replace(maps, measures=tuple(named.values()), status="same"))
        assert found.texts is not None and found.texts.edits
        return found.texts.is_borderline

    def test_a_margin_of_twice_the_limit_is_explained_and_a_larger_one_is_not(self) -> None:
        traces = sides(moved=2 * MARGIN)
        assert traces[0].probability_map is not None
        margin = float(traces[0].probability_map[0, 0, 2] - traces[0].probability_map[0, 0, 1])
        assert self.is_borderline(traces, atol=margin / 2)
        assert not self.is_borderline(traces, atol=margin / 2 * (1 - 1e-6))

    def test_maps_that_differ_by_no_more_than_storing_made_explain_nothing(self) -> None:
        traces = sides(moved=2 * MARGIN)
        assert self.is_borderline(traces, largest=2e-4, stored=1e-4)
        assert not self.is_borderline(traces, largest=1e-4, stored=1e-4)

    @pytest.mark.parametrize("lacks", ["atol", "largest", "stored"])
    def test_what_was_not_measured_explains_nothing(self, lacks: str) -> None:
        traces = sides(moved=2 * MARGIN)
        assert self.is_borderline(traces)
        assert not self.is_borderline(traces, **{lacks: None})

    def test_maps_in_which_no_best_class_changed_explain_nothing(self) -> None:
        def by_amount(values: Any) -> Recognition:
            return Recognition("ad" if values[0, 0, 1] > 0.46 else "bd", 0.9)

        traces = sides(moved=1.5e-4, margin=4e-4, reads=by_amount, own=by_amount)
        found = [each.recognition for each in traces]
        assert [each and each.text for each in found] == ["bd", "bd"]
        other = replace(traces[1], recognition=Recognition("ad", 0.9))
        always = replace(traces[1].recognition or Recognition(""), text="ad")
        assert not self.is_borderline((traces[0], replace(other, recognition=always)))


def reading(text: str, score: float | None, own: Recognition, map_: Any = None) -> Trace:
    """Return a trace of a reader that reads the same in any map."""
    side = Reader()
    side.read_map = lambda values: Recognition(text, score)  # type: ignore[method-assign,assignment]
    values = np.zeros((1, 3, 6), np.float32) if map_ is None else map_
    return replace(side.trace(LINE), recognition=own, probability_map=values)


@pytest.mark.parametrize(
    ("found", "own", "within", "agree"),
    [
        (0.0, EQUAL_MAP_SCORE, EQUAL_MAP_SCORE, True),
        (0.0, 1.1 * EQUAL_MAP_SCORE, EQUAL_MAP_SCORE, False),
        (None, 0.5, 1.0, False),
        (0.5, None, 1.0, False),
        (0.5, 0.9, None, True),
        (None, None, None, True),
    ],
)
def test_a_decoder_agrees_where_it_reads_the_text_and_its_score(
    found: float | None, own: float | None, within: float | None, agree: bool
) -> None:
    trace = reading("bd", found, Recognition("bd", own))
    assert _do_decoders_agree(trace, replace(trace, source=None), within) == agree
    assert not _do_decoders_agree(reading("bx", found, Recognition("bd", own)), trace, within)
    for less in (replace(trace, probability_map=None), replace(trace, recognition=None)):
        assert not _do_decoders_agree(trace, less, within)


class TestHowFarScoresMayDiffer:
    LARGEST, STORED = Measure("largest", 0.25), Measure("stored", 0.125)

    def exact(self, one: Trace, two: Trace, *measures: Measure) -> float | None:
        maps = Comparisons(*sides(), BUILT_IN).of("probability_maps")
        return _exact_score(one, two, replace(maps, measures=measures))

    def test_as_far_as_the_maps_and_what_storing_made(self) -> None:
        one, two = sides(moved=0.0)
        assert self.exact(one, two, self.LARGEST, self.STORED) == 0.375 + EQUAL_MAP_SCORE
        assert _exact_score(one, two, None) is None
        assert self.exact(one, two, self.LARGEST) is self.exact(one, two, self.STORED) is None
        for lacking in ((replace(one, probability_map=None), two), (one, replace(two, probability_map=None))):
            assert self.exact(*lacking, self.LARGEST, self.STORED) is None

    @pytest.mark.parametrize(("off", "exact"), [(0.12, 1.0), (0.13, None)])
    def test_by_anything_where_both_decoders_give_the_scores_of_maps_that_kept_other_timesteps(
        self, off: float, exact: float | None
    ) -> None:
        one, two = kept_otherwise(0.0)
        assert one.recognition is not None and one.recognition.score is not None
        other = replace(one, recognition=replace(one.recognition, score=one.recognition.score + off))
        assert self.exact(other, two, self.LARGEST, self.STORED) == exact


@pytest.mark.parametrize(("texts", "empty"), [(("", ""), 1), (("", "a"), 0), (("a", ""), 0), (("a", "a"), 0)])
def test_a_line_is_empty_where_neither_side_reads_anything(texts: tuple[str, str], empty: int) -> None:
    one, two = (
        replace(each, recognition=Recognition(text, 0.9), source=None)
        for each, text in zip(sides(), texts, strict=True)
    )
    assert compare_text(one, two, BUILT_IN).counts["empty"] == empty


def test_each_line_decides_unless_a_run_judges_it() -> None:
    some = BUILT_IN.override({"text": {"max_changed": 0.5}}, "test")
    one, two = (reading(text, 0.9, Recognition(text, 0.9)) for text in ("bd", "ad"))
    assert compare_text(one, two, some).status == "different"
    assert compare_text(one, two, some, defers=True).status == "left to the run"

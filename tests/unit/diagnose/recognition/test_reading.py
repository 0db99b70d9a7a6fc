"""What a decoder does otherwise is named where that, and nothing else, makes what it reads."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from recognisers import Listed, Port, causes, named, traced
from toy_reader import LINE, Reader, line

from pytest_ocrparity import Recognition
from pytest_ocrparity.diagnose import diagnose
from pytest_ocrparity.diagnosis import UNKNOWN
from pytest_ocrparity.tolerance import BUILT_IN

DOUBLED = line("abba cd", cells=2)
"""Each letter is two timesteps wide, so that repeats show."""


def only(candidate: Reader, image: Any = DOUBLED) -> Any:
    (found,) = causes(Reader(), candidate, image)
    return found


class TestWhatIsNamed:
    @pytest.mark.parametrize(
        ("wrong", "cause"),
        [
            ({"letters": "bacd "}, "text.dictionary"),
            ({"letters": "abc"}, "text.dictionary_length"),
            ({"letters": "abcd"}, "text.dictionary_length"),
            ({"letters": "abcd ", "blank": 5}, "text.blank"),
            ({"letters": ["#", *"abcd "], "blank": None}, "text.blank"),
            ({"keeps_repeats": True}, "text.duplicates"),
            ({"drops_blanks_first": True}, "text.duplicates"),
            ({"reverses": True}, "text.direction"),
            ({"score": lambda values, kept: float(values[kept].prod())}, "text.score"),
            ({"score": lambda values, kept: float(values.mean())}, "text.score"),
            ({"score": lambda values, kept: float(values[kept].min())}, "text.score"),
        ],
    )
    def test_one_thing(self, wrong: dict[str, Any], cause: str) -> None:
        found = only(Port(**wrong), line("abba cd", cells=2, shade=-18))
        assert (found.stage, found.cause) == ("text", cause), found
        assert found.fix is not None and found.evidence[0].startswith("given train's map, inference's decoder ")

    def test_the_fix_of_a_dictionary_names_its_place_where_the_side_does(self) -> None:
        class Places(Listed):
            dictionary_place = "keys = dict.txt"

        fix = "give inference the dictionary with which the network was trained, with its lines in their order"
        said = [only(kind(letters="bacd ")).fix.text for kind in (Listed, Places)]
        assert said == [fix, f"{fix}, in keys = dict.txt"]

    def test_two_things_at_once(self) -> None:
        found = causes(Reader(), Port(letters="bacd ", reverses=True), DOUBLED)
        assert named(found) == [("text", "text.direction"), ("text", "text.dictionary")]
        found = causes(Reader(), Port(letters="xacd ", keeps_repeats=True), DOUBLED)
        assert named(found) == [("text", "text.duplicates"), ("text", "text.dictionary")]
        found = causes(Reader(), Port(letters="dbca ", blank=5), DOUBLED)
        assert named(found) == [("text", "text.blank"), ("text", "text.dictionary")]

    def test_the_decoder_is_found_behind_a_network_that_differs_too(self) -> None:
        found = causes(Reader(), Port(letters="bacd ", gain=25.0), DOUBLED)
        assert named(found) == [("probability_map", UNKNOWN), ("text", "text.dictionary")]

    def test_the_substitution_is_shown(self) -> None:
        found = only(Port(letters="bacd "))
        assert "its decoder returns 'b' for 'a', 'a' for 'b'" in found.evidence[0]
        assert "reads 'baab cd', where train reads 'abba cd'" in found.evidence[0]

    def test_a_moved_blank_is_put_right(self) -> None:
        found = only(Port(blank=5))
        assert found.evidence[1] == "with class 0 of the map moved to place 5, it reads train's text"
        assert "takes class 5 of 6 for the blank" in found.summary

    def test_repeats_are_put_right(self) -> None:
        found = only(Port(keeps_repeats=True))
        assert found.evidence[1] == "with blanks in the place of repeats, it reads train's text in this map"

    def test_a_list_that_both_sides_give_is_told_by_its_lines(self) -> None:
        (found,) = causes(Listed(name="train"), Listed(letters="xabcd"), DOUBLED)
        assert found.cause == "text.dictionary"
        assert found.summary.endswith(
            "line 1, 'x', is inserted, so that from line 1 on every character is its neighbour"
        )


class TestWhatIsNot:
    """Near misses: each is wrong in the text, and no list, blank, repeat, order or formula alone makes it."""

    @pytest.mark.parametrize(
        "wrong",
        [
            {"after": str.strip},
            {"after": str.upper},
            {"after": lambda text: text.replace("bb", "b")},
            {"after": lambda text: text[:-1]},
            {"after": lambda text: text.replace(" ", "")},
        ],
    )
    def test_what_changes_a_text_by_its_context(self, wrong: dict[str, Any]) -> None:
        found = only(Port(**wrong), line("abba cd ", cells=2))
        assert (found.stage, found.cause, found.fix) == ("text", UNKNOWN, None)

    def test_a_list_of_other_characters_that_a_change_of_texts_would_make_too(self) -> None:
        found = only(Port(letters="ABCD "))
        told = "text.dictionary: its decoder returns 'A' for 'a', 'B' for 'b', 'C' for 'c', 'D' for 'd', and upper() "
        assert found.cause == UNKNOWN and found.tried == (f"{told}would do the same",)
        (found,) = causes(Listed(name="train"), Listed(letters="ABCD "), DOUBLED)
        assert found.cause == "text.dictionary"
        (found,) = causes(Listed(name="train"), Listed(after=str.upper), DOUBLED)
        assert found.cause == UNKNOWN and found.tried[0].endswith(", and both sides have the same list")

    def test_a_scaled_score(self) -> None:
        found = only(Port(scale_score=0.9))
        assert (found.stage, found.cause, found.fix) == ("text", UNKNOWN, None)
        assert found.tried == ("text.score: no single formula of the probabilities makes its scores",)
        assert found.evidence[0].startswith("given train's map, inference's decoder reads its text at 0.88")
        assert found.ruled_out == ("text.dictionary: given train's map, inference's decoder reads train's text",)

    @pytest.mark.parametrize(
        ("letters", "is_ruled_out"),
        [
            ("abcd ", True),
            ("abxd ", False),  # its list and its network are at fault, and its own map alone shows the list
        ],
    )
    def test_a_list_is_ruled_out_where_it_shows_in_neither_map(self, letters: str, is_ruled_out: bool) -> None:
        (found,) = causes(Reader(), Port(letters=letters, shift=0.9), line("abba", cells=2))
        told = "text.dictionary: given train's map, inference's decoder reads train's text"
        assert (found.stage, found.cause) == ("probability_map", UNKNOWN)
        assert (told in found.ruled_out, told in found.tried) == (is_ruled_out, not is_ruled_out)

    def test_a_decoder_that_reads_otherwise_later(self) -> None:
        class Tires(Port):
            reads = 0

            def read_map(self, probability_map: Any) -> Any:
                self.reads += 1
                found = super().read_map(probability_map)
                return replace(found, text=found.text.replace("a", "b")) if self.reads > 2 else found

        assert [each.cause for each in causes(Reader(), Tires(shift=-0.3), DOUBLED) if each.stage == "text"] == [
            UNKNOWN
        ]

    def test_what_is_changed_behind_the_decoder(self) -> None:
        found = only(Port(returned=str.upper))
        assert (found.stage, found.cause) == ("text", UNKNOWN)
        assert found.summary == "something changes what inference reads, or inference read another map"

    def test_a_decoder_that_draws(self) -> None:
        drawn = np.random.default_rng(3)
        found = only(Port(after=lambda text: "".join(drawn.permutation(list(text)))))
        assert found.cause == UNKNOWN

    def test_a_right_decoder_is_acquitted(self) -> None:
        """The network is at fault, and the text differs for that alone."""
        found = causes(Reader(), Port(shift=0.35), DOUBLED)
        assert [each.cause for each in found] == [UNKNOWN] and found[0].stage == "probability_map"

    def test_equal_decoders_have_no_cause(self) -> None:
        assert causes(Reader(), Port(), DOUBLED) == []

    def test_a_list_that_this_line_does_not_show(self) -> None:
        assert causes(Reader(), Port(letters="abdc "), line("abba", cells=2)) == []

    def test_two_orders_of_a_palindrome(self) -> None:
        assert causes(Reader(), Port(reverses=True), line("abba", cells=2)) == []
        found = causes(Reader(), Port(letters="bacd ", reverses=True), line("abba", cells=2))
        assert named(found) == [("text", "text.dictionary")]

    def test_a_decoder_that_cannot_be_run(self) -> None:
        reference = traced(Reader(), DOUBLED)
        candidate = replace(traced(Port(letters="bacd "), DOUBLED), source=None)
        (found,) = diagnose(reference=reference, candidate=candidate, tolerance=BUILT_IN)
        assert (found.stage, found.cause, found.summary) == ("text", UNKNOWN, "the maps agree, and the texts do not")
        assert found.not_tried == ("train's map through the decoder of inference, which can't be run",)

    def test_a_reference_that_cannot_be_run(self) -> None:
        reference = replace(traced(Reader(), DOUBLED), source=None, pipeline="baseline (train)")
        candidate = traced(Port(letters="bacd "), DOUBLED)
        found = diagnose(reference=reference, candidate=candidate, tolerance=BUILT_IN)
        assert [(each.stage, each.cause) for each in found] == [("text", UNKNOWN)]
        assert "text: the decoder of baseline (train), which can't be run by itself" in found[0].not_tried
        assert found[0].evidence[0].endswith("decoder is at fault: it reads 'baab cd'")

    @pytest.mark.parametrize(
        ("letters", "digests", "orders", "cause"),
        [
            ("bacd ", ("1", "2"), (None, None), "text.dictionary"),
            ("bacd ", ("1", "1"), (None, None), UNKNOWN),
            ("bacd ", (None, "2"), (None, None), UNKNOWN),
            ("bacd ", ("1", "2"), (None, "get_display"), UNKNOWN),
            (["bb", *"acd "], ("1", "2"), (None, None), "text.dictionary"),
        ],
    )
    def test_a_baseline_shows_a_list_where_both_sides_state_theirs(
        self, letters: Any, digests: tuple[Any, Any], orders: tuple[Any, Any], cause: str
    ) -> None:
        traces = traced(Reader(), DOUBLED), traced(Port(letters=letters), DOUBLED)
        one, two = (
            replace(trace, parameters={**trace.parameters, "text": {"reorders": order, "dictionary": digest}})
            if digest is not None
            else trace
            for trace, digest, order in zip(traces, digests, orders, strict=True)
        )
        reference = replace(one, source=None, pipeline="baseline (train)")
        (found,) = diagnose(reference=reference, candidate=two, tolerance=BUILT_IN)
        assert (found.stage, found.cause) == ("text", cause)

    def test_a_reference_with_a_rule_of_its_own(self) -> None:
        found = causes(
            Port(name="train", after=str.strip, letters="abcd "), Port(letters="bacd "), line(" ab", cells=2)
        )
        assert [each.cause for each in found] == [UNKNOWN]


def test_a_decoder_that_stops_names_its_error() -> None:
    class Stops(Port):
        def read_map(self, probability_map: Any) -> Recognition:
            raise RuntimeError("no decoder here")

    found = only(Stops(), LINE)
    assert (found.stage, found.cause) == ("text", UNKNOWN)
    assert any("RuntimeError: no decoder here" in text for text in (*found.evidence, found.summary)), found

"""Whether two sides state other dictionaries, which no line need show."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from toy_reader import LINE, Lister, Reader, line

from pytest_ocrparity import DifferenceError, Recognition, Trace, assert_same_text
from pytest_ocrparity.artifacts.dictionary import dictionary_digest
from pytest_ocrparity.compare import compare
from pytest_ocrparity.compare.characters import characters_of, dictionary_difference, with_dictionaries_judged

OTHER = "abxd "
SHOWS_NOTHING = line("abba d")
NO_SPACE = line("abba")


def sides(letters: str, kind: type[Reader] = Lister, image: Any = SHOWS_NOTHING, **fields: Any) -> tuple[Trace, Trace]:
    return kind(**fields).trace(image), kind(name="inference", letters=letters, **fields).trace(image)


class TestOutsideOfARun:
    def test_lists_are_compared_whatever_the_line_shows(self) -> None:
        with pytest.raises(DifferenceError) as raised:
            assert_same_text(*sides(OTHER))
        first, *rows = str(raised.value).splitlines()
        assert first == (
            "line.png: the dictionaries differ in 1 of 5 characters, first at line 3: 'c' (U+0063) in train, "
            "'x' (U+0078) in inference"
        )
        assert any("give both sides the dictionary with which the network was trained" in row for row in rows)
        assert not any("ruled out" in row or "cause" in row for row in rows)
        assert assert_same_text(*sides("abcd ")).status == "same"

    def test_of_digests_alone_it_says_so(self) -> None:
        digests = [dictionary_digest(letters) for letters in ("abcd ", OTHER)]
        with pytest.raises(DifferenceError, match="in which characters is not known: 5 characters of digest") as raised:
            assert_same_text(*sides(OTHER, Reader, states_digest=True))
        assert all(digest in str(raised.value) for digest in digests)
        assert assert_same_text(*sides("abcd ", Reader, states_digest=True)).status == "same"

    def test_a_number_alone_is_compared_too(self) -> None:
        with pytest.raises(DifferenceError, match="is not known: 5 characters in train, 4 in inference"):
            assert_same_text(*sides("abcd", Reader, NO_SPACE))

    def test_a_side_that_states_nothing_is_not_known_to_differ(self) -> None:
        reference, candidate = sides(OTHER, Reader, states_digest=True)
        silent = replace(candidate, parameters={**candidate.parameters, "text": {}}, source=None)
        assert assert_same_text(reference, silent).status == "same"
        assert assert_same_text(*sides(OTHER, Reader)).status == "same"  # as many, and no more is stated
        assert assert_same_text("ab", Recognition("ab")).status == "same"

    def test_a_line_that_shows_it_has_its_cause(self) -> None:
        with pytest.raises(DifferenceError) as raised:
            assert_same_text(*sides(OTHER, image=LINE))
        assert "cause       text.dictionary\n" in str(raised.value)
        assert "ruled out" not in str(raised.value)

    def test_beside_another_fault_nothing_is_ruled_out_that_is_so(self) -> None:
        reference = Lister().trace(SHOWS_NOTHING)
        faulty = Lister(name="inference", letters=OTHER, scale_score=0.5).trace(SHOWS_NOTHING)
        with pytest.raises(DifferenceError) as raised:
            assert_same_text(reference, faulty)
        assert "ruled out   text.dictionary" not in str(raised.value)
        assert "the dictionaries differ in 1 of 5 characters" in str(raised.value)
        right = Lister(name="inference", scale_score=0.5).trace(SHOWS_NOTHING)
        with pytest.raises(DifferenceError) as raised:
            assert_same_text(reference, right)
        assert "the dictionaries differ" not in str(raised.value)


class TestWhatIsCompared:
    def test_a_list_and_a_digest_are(self) -> None:
        listed, stated = Lister().trace(LINE), Reader(name="inference", states_digest=True).trace(LINE)
        assert dictionary_difference(listed, replace(stated, source=None)) is None
        other = Reader(name="inference", letters=OTHER, states_digest=True).trace(LINE)
        found = dictionary_difference(listed, replace(other, source=None))
        assert found is not None and found.candidate["digest"] == dictionary_digest(OTHER)

    def test_only_characters_that_have_a_class_are(self) -> None:
        """As paddlex appends a space to each dictionary, also to that of a network that has no class for it."""
        assert dictionary_difference(*sides("abcd  ")) is None
        assert dictionary_difference(*sides("abcd  ", Reader, states_digest=True)) is None
        assert dictionary_difference(*sides("abcd  ", Reader)) is None

    def test_the_classes_of_a_side_without_a_map_are_those_of_the_other(self) -> None:
        reference, candidate = sides("abcd  ")
        assert dictionary_difference(reference, replace(candidate, probability_map=None)) is None
        assert dictionary_difference(replace(reference, probability_map=None), candidate) is None
        without = [replace(each, probability_map=None) for each in (reference, candidate)]
        assert dictionary_difference(*without) is not None

    def test_two_networks_have_two_dictionaries(self) -> None:
        reference, candidate = sides(OTHER)
        assert dictionary_difference(reference, candidate) is not None
        assert candidate.probability_map is not None
        other = np.concatenate([candidate.probability_map, candidate.probability_map[..., :1] * 0], axis=-1)
        assert dictionary_difference(reference, replace(candidate, probability_map=other)) is None
        assert dictionary_difference(reference, replace(candidate, probability_map=None)) is not None
        assert dictionary_difference(replace(reference, probability_map=None), candidate) is not None

    def test_a_shorter_list_ends_too_early(self) -> None:
        found = dictionary_difference(*sides("abc", image=NO_SPACE))
        assert found is not None and not found.fails
        assert found.reference == {"characters": 5, "differing": 2, "line": 4, "character": "d"}
        assert found.candidate == {"characters": 3, "differing": 2, "line": 4, "character": None}

    @pytest.mark.parametrize("stated", [None, True, [5], {"a": 1}, float("nan"), "5"])
    def test_what_means_nothing_states_nothing(self, stated: Any) -> None:
        reference, candidate = sides(OTHER, Reader, states_digest=True)
        odd = replace(candidate, parameters={"text": {"characters": stated, "dictionary": stated or 7}})
        assert stated == "5" or dictionary_difference(reference, odd) is None

    def test_a_list_that_cannot_be_had_states_nothing(self) -> None:
        class Failing(Reader):
            @property
            def characters(self) -> str:
                raise RuntimeError("no list")

        class Numbers(Reader):
            characters = (1, 2, 3, 4, 5)

        class Mixed(Reader):
            characters = ("a", 2)

        assert characters_of(Failing().trace(LINE)) is characters_of(Numbers().trace(LINE)) is None
        assert characters_of(Mixed().trace(LINE)) is None
        assert characters_of(Lister().trace(LINE)) == tuple("abcd ")
        assert dictionary_difference(Failing().trace(LINE), Lister().trace(LINE)) is None

    def test_a_map_of_another_form_shows_no_classes(self) -> None:
        reference, candidate = sides(OTHER)
        empty = replace(candidate, probability_map=np.zeros((1, 0, 0), np.float32))
        assert dictionary_difference(reference, empty) is not None


def test_it_is_judged_by_who_has_no_run() -> None:
    (found,) = (each for each in compare(reference=sides(OTHER)[0], candidate=sides(OTHER)[1]) if each.kind == "text")
    assert (found.status, [each.fails for each in found.differences]) == ("same", [False])
    judged = with_dictionaries_judged(found)
    assert (judged.status, judged.stage, [each.fails for each in judged.differences]) == ("different", "text", [True])
    same = replace(found, differences=())
    assert with_dictionaries_judged(same) is same
    differs = with_dictionaries_judged(replace(found, status="not judgeable"))
    assert (differs.status, differs.differences[0].fails) == ("not judgeable", True)

"""How one list of characters is not another, by lines, and where no list shows to be another."""

from __future__ import annotations

from typing import Any

import pytest
from recognisers import Listed, Port, causes, lab_of
from toy_reader import Reader, line

from pytest_ocrparity.diagnose.recognition import character_lists
from pytest_ocrparity.diagnosis import UNKNOWN

WIDE = line("abba cd", cells=2)
DIGITS = tuple("0123456789")


@pytest.mark.parametrize(
    ("own", "told"),
    [
        (
            (*DIGITS[:4], *DIGITS[5:], " "),
            "line 5, '4', is missing, so that from line 5 on every character is its neig",
        ),
        (
            (*DIGITS[:4], "x", *DIGITS[4:], " "),
            "line 5, 'x', is inserted, so that from line 5 on every character is it",
        ),
        (
            (*DIGITS[:4], *DIGITS[5:], "4", " "),
            "line 5, '4', stands in line 10, so that in lines 5 to 9 every character is",
        ),
        (
            ("9", *DIGITS[:9], " "),
            "line 1, '9', is train's line 10, so that in lines 2 to 10 every character is its neighbour",
        ),
        ((*DIGITS[::-1], " "), "it is train's in reverse"),
        (("1", "0", *DIGITS[2:], " "), "it is train's in another order, from line 1 on (2 lines differ)"),
        ((*DIGITS[:7], "x", *DIGITS[8:], " "), "1 of 11 lines differ, from line 8 on"),
        ((*DIGITS, " "), None),
    ],
)
def test_how_lists_differ(own: tuple[str, ...], told: str | None) -> None:
    found = character_lists._how_lists_differ((*DIGITS, " "), own, "train")
    assert found is None if told is None else found is not None and found.startswith(told)


def test_a_character_that_stands_twice_is_found_where_it_was_moved_to() -> None:
    right, own = tuple("abcdefgchijk"), tuple("abcdefghijkc")
    assert character_lists._how_lists_differ(right, own, "train") == (
        "line 8, 'c', stands in line 12, so that in lines 8 to 11 every character is its neighbour"
    )
    assert character_lists._how_lists_differ(own, right, "train") == (
        "line 8, 'c', is train's line 12, so that in lines 9 to 12 every character is its neighbour"
    )


def test_a_sorted_list() -> None:
    found = character_lists._how_lists_differ(("b", "a", "d", "c", " "), ("a", "b", "c", "d", " "), "train")
    assert found == "it is train's, sorted"


@pytest.mark.parametrize(
    ("own", "cause"),
    [
        ({"letters": "abc"}, "text.dictionary_length"),
        ({"letters": "bacd "}, "text.dictionary"),
        ({"letters": "bacd"}, "text.dictionary"),
        ({"letters": "ABCD "}, UNKNOWN),
    ],
)
def test_a_list_that_ends_too_early_and_one_that_is_another(own: dict[str, Any], cause: str) -> None:
    found = causes(Port(name="train"), Port(**own), WIDE)
    assert [each.cause for each in found] == [cause]


@pytest.mark.parametrize(
    ("own", "cause"), [({"after": str.upper}, UNKNOWN), ({"letters": "abdc  "}, "text.dictionary")]
)
def test_a_space_that_the_network_has_no_class_for_makes_no_other_list(own: dict[str, Any], cause: str) -> None:
    """paddlex appends a space to every list; the network of these has five classes beside the blank."""
    (found,) = causes(Listed(name="train"), Listed(**{"letters": "abcd  ", **own}), WIDE)
    assert found.cause == cause
    assert (cause == UNKNOWN) == any(each.endswith("both sides have the same list") for each in found.tried)


def test_its_length_is_evidence() -> None:
    (found,) = causes(Port(name="train"), Port(letters="abcd"), WIDE)
    assert found.evidence[1] == "inference has 4 characters, and the network 6 classes with the blank"
    assert found.summary == "inference's dictionary ends before class 5, which train's has"


def test_classes_that_are_said_to_differ_are_asked_about() -> None:
    lab = lab_of(Listed(name="train"), Listed(letters="abdc "), WIDE)
    assert character_lists.differing_classes(lab) == [3, 4]
    assert character_lists.differing_classes(lab_of(Port(name="train"), Port(letters="abdc "), WIDE)) == []


def test_of_a_port_that_gives_no_list_its_text_may_be_changed_as_well() -> None:
    (found,) = causes(Reader(), Port(after=lambda text: text.replace("b", "c")), WIDE)
    assert found.summary == (
        "inference's decoder returns other characters for the same classes: by another dictionary, or by what changes "
        "its texts afterwards"
    )
    assert found.fix is not None and found.fix.text.endswith("in their order, and change no text after that")

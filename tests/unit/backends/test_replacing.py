"""Other attributes of an object for the length of a block."""

from __future__ import annotations

import pytest

from pytest_ocrparity.backends.replacing import Stopped, replaced


class Reader:
    def __init__(self) -> None:
        self.size = 3

    def read(self) -> str:
        return f"a page of {self.size}"


def test_attributes_are_other_ones_in_the_block_alone() -> None:
    reader = Reader()
    with replaced(reader, size=4, read=lambda: "nothing", more=True):
        assert (reader.size, reader.read(), vars(reader)["more"]) == (4, "nothing", True)
    assert vars(reader) == {"size": 3} and reader.read() == "a page of 3"


def test_one_within_another_gives_back_what_the_outer_one_put() -> None:
    reader = Reader()
    with replaced(reader, read=lambda: "outer"):
        with replaced(reader, read=lambda: "inner"):
            assert reader.read() == "inner"
        assert reader.read() == "outer"
    assert reader.read() == "a page of 3"


@pytest.mark.parametrize("error", [ValueError("wrong"), SystemExit(1)])
def test_an_error_passes_and_all_is_as_before(error: BaseException) -> None:
    reader = Reader()
    with pytest.raises(type(error)), replaced(reader, size=4, read=lambda: "nothing"):
        raise error
    assert vars(reader) == {"size": 3}


def test_a_run_that_was_stopped_ends_without_an_error_and_all_is_as_before() -> None:
    reader, ended = Reader(), []
    with replaced(reader, size=4):
        try:
            raise Stopped
        except Exception:  # as in a library
            ended.append("taken for a fault")
    assert not ended and vars(reader) == {"size": 3}

"""Which differences a test has found and kept to itself."""

from __future__ import annotations

from pytest_ocrparity.comparison import DifferenceError
from pytest_ocrparity.session.caught import Raised


def test_errors_of_another_test_are_not_of_this_one() -> None:
    one, other = Raised(), Raised()
    error = DifferenceError("one\nand more")
    one.hear(error)
    other.leave(error)
    assert (one.caught, other.caught) == (["one"], [])
    one.leave(ValueError("unrelated"))
    assert one.caught == ["one"]
    one.leave(error)
    assert (one.caught, one.has_any) == ([], True)


def test_no_error_is_kept_alive() -> None:
    import weakref

    raised, error = Raised(), DifferenceError("gone")
    raised.hear(error)
    gone = weakref.ref(error)
    del error
    assert gone() is None
    assert raised.caught == ["gone"]

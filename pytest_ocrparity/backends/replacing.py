"""Other attributes of an object or a module for the length of a block, and what ends a run on purpose."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class Stopped(BaseException):
    """A stand-in has ended a run on purpose; no `except Exception` of a library takes it for a fault."""


@contextmanager
def replaced(target: Any, **values: Any) -> Iterator[None]:
    """Run the block with other attributes of an object, to its end or to where a stand-in stops it.

    Whatever the block raises, those that the object itself had are back afterwards, and others, as those that stood in
    the place of a method, are gone.
    """
    before = {name: value for name, value in vars(target).items() if name in values}
    try:
        for name, value in values.items():
            setattr(target, name, value)
        yield
    except Stopped:
        pass
    finally:
        for name in values:
            if name in before:
                setattr(target, name, before[name])
            else:
                delattr(target, name)

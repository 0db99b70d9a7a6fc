"""How the document of an image is found by its path: a regular expression with one group, or a function."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeAlias

from pytest_ocrparity.wording import quoted

Grouping: TypeAlias = "str | re.Pattern[str] | Callable[[str], str]"


def group_mistake(name: str, group: Grouping) -> str:
    """Return why what a setting of this name says finds no document, as a sentence; nothing where it may find them."""
    if callable(group):
        return ""
    head = f"{name} = {quoted(group) if isinstance(group, str) else repr(group)}"
    try:
        groups = re.compile(group).groups
    except (re.error, TypeError, RecursionError, OverflowError) as error:
        return f"{head} is no regular expression: {error}"
    if groups == 1:
        return ""
    return (
        f"{head} has {groups} groups, not one: put the part of the path that names the document in parentheses, as "
        "'([^/]+)/', and write others as (?:...)"
    )

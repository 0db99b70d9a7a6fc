"""How messages write images, counts, amounts and values of parameters."""

from __future__ import annotations

import json
import math
import os
import re
import unicodedata
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")
"""A key that TOML takes without quotes."""
MOST: Final = 60
"""Characters of a text that a message shows."""
ISOLATED: Final = "\u2068{}\u2069"
"""Around a text that runs from right to left, so that it does not turn what stands beside it."""


def image_label(name: str) -> str:
    """Return the name of an image in messages, on one line: relative to the working directory if it lies below it."""
    path = Path(name)
    if path.is_absolute():
        with suppress(OSError, ValueError):  # the working directory may be gone, or elsewhere
            name = path.relative_to(Path.cwd()).as_posix()
    return printable(name)


def path_from(folder: str | os.PathLike[str], path: str | os.PathLike[str]) -> str:
    """Return a path from a folder on, with forward slashes; the whole path where none leads there."""
    try:
        return Path(os.path.relpath(path, folder)).as_posix()
    except (ValueError, FileNotFoundError):  # on another drive of Windows; or the working directory is gone
        return Path(os.path.abspath(path)).as_posix()  # noqa: PTH100 - links are not followed


def printable(name: str) -> str:
    """Return a name on one line: what does not print, and half a surrogate pair, becomes an escape."""
    if name.isprintable():
        return name
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in name)


def quoted(text: str, place: int = 0) -> str:
    """Return a text in quotation marks on one line; of a long one what stands around a place, from 0."""
    start = max(0, min(place - MOST // 3, len(text) - MOST))
    part = text[start : start + MOST]
    shown = printable(part.replace("\\", "\\\\").replace("'", "\\'"))
    shown = f"{'...' * (start > 0)}{shown}{'...' * (start + MOST < len(text))}"
    return f"'{ISOLATED.format(shown) if is_right_to_left(part) else shown}'"


def is_right_to_left(text: str) -> bool:
    """Return whether a text holds a letter of a script that runs from right to left."""
    return any(unicodedata.bidirectional(character) in ("R", "AL") for character in text)


def character_text(character: str | None) -> str:
    """Return a character with its code point, as look-alikes and spaces do not show by themselves."""
    if not character:
        return "nothing"
    return f"{quoted(character)} ({' '.join(f'U+{ord(each):04X}' for each in character[:MOST])})"


def number_of_edits(edits: int, characters: int) -> str:
    """Write how many edits a text of so many characters needs to become another."""
    return f"{counted(edits, 'edit')} in {counted(characters, 'character')}"


def number_of_boxes(count: int) -> str:
    """Write a number of boxes."""
    return f"{count} box" if count == 1 else f"{count} boxes"


def number_of_images(count: int) -> str:
    """Write a number of images."""
    return counted(count, "image")


def counted(count: int, noun: str) -> str:
    """Write how many there are of what a noun says, whose plural ends in s."""
    return f"{count} {noun}{'s' * (count != 1)}"


def listed(names: Sequence[str], most: int) -> str:
    """Write the first of some names, and how many more there are."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def percent_text(share: float) -> str:
    """Write a share in percent."""
    return f"{100 * share:.2f} %"


def points_text(share: float) -> str:
    """Write a difference of two shares in points of percent."""
    text = f"{100 * share:+.2f}"
    return text.replace("+", "").replace("-", "") if float(text) == 0 else text


def amount(value: float) -> str:
    """Write a measured number so that it reads well: 0, 12, 0.91, 3.2e-05."""
    if value != value or value in (0, math.inf):
        return "NaN" if value != value else "0" if value == 0 else "infinite"
    if float(value).is_integer() and abs(value) < 1e6:
        return str(int(value))
    return f"{value:.1e}" if abs(value) < 0.01 else f"{value:.3g}"


def value_text(value: Any) -> str:
    """Write the value of a parameter: floats with six digits, lists in brackets, None as "none"."""
    if isinstance(value, list | tuple):
        return f"[{', '.join(value_text(item) for item in value)}]"
    return "none" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)


def toml_text(value: Any) -> str:
    """Return a value as TOML has it, tables on one line."""
    if isinstance(value, Mapping):
        keys = {name: name if _BARE.fullmatch(name) else json.dumps(name) for name in value}
        pairs = ", ".join(f"{keys[name]} = {toml_text(each)}" for name, each in value.items())
        return f"{{ {pairs} }}" if pairs else "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(toml_text, value))}]"
    if isinstance(value, float):
        return repr(value)
    return json.dumps(value, ensure_ascii=False)  # TOML's texts, whole numbers and truth values are JSON's

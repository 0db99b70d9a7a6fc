"""The dictionary of a recogniser: where it is, and whether it has as many characters as the network has classes.

Class 0 of a CTC head is the blank, the characters follow in the order of the dictionary. PaddleOCR and paddlex check
none of this: a list of another length reads other characters, at the same score.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from pytest_ocrparity.errors import ModelError
from pytest_ocrparity.files import refuse_pointer_file, text_file_digest

KEY: Final = "character_dict_path"
DEFAULT: Final = "0-9 and a-z"
"""What PaddleOCR and paddlex take where no dictionary is named."""
DEFAULT_ENTRIES: Final = 36

SHOWN_DIGITS: Final = 16


def named_dictionary(config: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return the key by which a training YAML file names its dictionary and the path as it stands there, or None.

    As in PaddleOCR, `Global` has the last word over `PostProcess`.
    """
    for section in ("Global", "PostProcess"):
        given = config.get(section)
        if isinstance(given, Mapping) and KEY in given:
            return None if given[KEY] is None else (f"{section}.{KEY}", str(given[KEY]))
    return None


def find_dictionary(config: Mapping[str, Any], path: Path, paddleocr_root: Path | None) -> Path | None:
    """Return the dictionary that a training YAML file names; None where it names none.

    Args:
        config: the training YAML file, parsed.
        path: where it lies.
        paddleocr_root: training usually runs in the checkout, so a relative path starts there; next at the YAML file's
            own folder, and at those above it, as a project's tools run at its root.

    Raises:
        ModelError: it is not there, a git-lfs pointer, empty, or not UTF-8; says what was tried.
    """
    named = named_dictionary(config)
    if named is None:
        return None
    key, name = named
    folders = [folder for folder in (paddleocr_root, path.parent) if folder is not None]
    tried = list(dict.fromkeys(folder / name for folder in folders))
    above = (folder / name for folder in path.absolute().parent.parents)
    found = next((each for each in (*tried, *above) if each.is_file()), None)
    if found is None:
        places = " or ".join(map(str, tried)) + (", or below a folder above" if not Path(name).is_absolute() else "")
        raise ModelError(
            f"no dictionary at {places}, which {path} ({key}) names: put the file with which the model was trained "
            "there, or write its path"
        )
    refuse_pointer_file(found)
    try:
        found.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise ModelError(f"{found}: not UTF-8 at byte {error.start}: save this dictionary as UTF-8") from error
    return found


def dictionary_fingerprint(dictionary: Path | None) -> dict[str, str]:
    """Return the sha256 of a dictionary as a text, by "dictionary"; nothing where there is none."""
    return {} if dictionary is None else {"dictionary": text_file_digest(dictionary)}


def check_export_dictionary(post_process: Mapping[str, Any], path: Path) -> None:
    """Check the dictionary of an inference.yml, which its PostProcess holds as a list.

    Raises:
        ModelError: it is no list, or an entry is no text, such as a digit that a hand wrote without quotes.
    """
    entries = post_process.get("character_dict")
    if entries is None:
        return
    if not isinstance(entries, list):
        kind = type(entries).__name__
        raise ModelError(f"{path}: PostProcess.character_dict is a {kind}, not a list of characters: export again")
    for number, entry in enumerate(entries, 1):
        if not isinstance(entry, str):
            kind = "nothing" if entry is None else f"{entry!r}, a {type(entry).__name__}"
            raise ModelError(
                f"{path}: entry {number} of PostProcess.character_dict is {kind}, and paddlex stops where that is "
                "read: put it in quotes as the dictionary of the training has it, or export again"
            )


def dictionary_digest(characters: Sequence[str]) -> str:
    """Return the first digits of the sha256 of characters in their order, as messages show it."""
    return hashlib.sha256("\n".join(characters).encode(errors="surrogatepass")).hexdigest()[:SHOWN_DIGITS]


def dictionary_misfit(dictionary: str, entries: int, model: str, classes: int) -> str:
    """Say that a dictionary is not that of a network.

    Args:
        dictionary: what it is, with its file.
        entries: how many it has, without a space that is appended to them.
        model: what has the classes, with its file.
        classes: how many it has, the blank included.
    """
    return (
        f"{dictionary} has {entries} {'entry' if entries == 1 else 'entries'}, and {model} has {classes} classes with "
        f"the blank, for {classes - 1} entries, or {classes - 2} and the space that use_space_char appends"
    )

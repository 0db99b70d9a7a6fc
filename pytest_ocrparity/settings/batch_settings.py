"""The setting `batch`: how many images a deployment runs at once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from pytest_ocrparity.errors import OptionError, SettingsError
from pytest_ocrparity.settings.engine_settings import SCRIPTS
from pytest_ocrparity.settings.result_files import RESULTS

_NUMBER: Final = re.compile(r"[1-9][0-9]{0,5}")


def typed_batch_setting(options: Mapping[str, Any]) -> int | None:
    """Return the number of `--ocr-batch`, None where it was not typed.

    Raises:
        OptionError: it is no number of images.
    """
    given = options.get("ocr_batch")
    if given is None:
        return None
    if not _NUMBER.fullmatch(str(given)):
        raise OptionError(f"--ocr-batch={given}: it is a whole number from 1 up, of images that run at once")
    return int(given)


def check_batch_setting(where: str, table: Mapping[str, Any]) -> None:
    """Refuse a batch of no image, and one where nothing runs it.

    Raises:
        SettingsError: it is one of these.
    """
    batch = table.get("batch", 1)
    if not batch:
        raise SettingsError(f"{where}.batch is a whole number from 1 up, of images that run at once, not 0")
    if batch > 1 and table.get("api") == RESULTS:
        raise SettingsError(f'{where}.batch = {batch} does nothing where api = "results": nothing runs; remove it')
    if batch > 1 and table.get("api") in SCRIPTS:
        raise SettingsError(
            f"{where}.batch = {batch}: with api = {table['api']!r} one image runs after the other: remove it"
        )
    if batch > 1 and table.get("api") == "PaddleOCR":
        raise SettingsError(
            f"{where}.batch = {batch}: paddleocr.PaddleOCR hands its detector one image after the other; remove it, or "
            'set api = "TextDetection" if that is what production calls'
        )

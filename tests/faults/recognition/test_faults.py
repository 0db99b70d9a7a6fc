"""Every fault of a recogniser is caught, nothing false is said of it, and the share of right causes is counted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from faults.recognition.case import IS_DIAGNOSED, NAMES, LineCase
from faults.recognition.cases import FAULTS
from faults.recognition.judging import judged
from faults.recognition.near_misses import NEAR_MISSES
from faults.recognition.short_list import FAST, FAULT_RUN, NEAR_RUN
from pytest_ocrparity.diagnosis import CAUSES, UNKNOWN


@pytest.mark.filterwarnings("ignore:.* holds two programs")
@pytest.mark.parametrize(("case", "image"), FAULT_RUN, ids=lambda each: getattr(each, "name", each))
def test_a_fault_is_caught(
    case: LineCase, image: str, tmp_path: Path, untouched: Any, record_property: Callable[[str, object], None]
) -> None:
    judged(case, image, tmp_path, untouched, record_property, "faults.rec_row")


@pytest.mark.parametrize(("case", "image"), NEAR_RUN, ids=lambda each: getattr(each, "name", each))
def test_nothing_false_is_said_of_a_near_miss(
    case: LineCase, image: str, tmp_path: Path, untouched: Any, record_property: Callable[[str, object], None]
) -> None:
    judged(case, image, tmp_path, untouched, record_property, "faults.rec_near")

"""Every fault of a recogniser is caught, nothing false is said of it or of a near miss, and causes are counted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from faults.recognition.case import LineCase
from faults.recognition.judging import judged
from faults.recognition.short_list import FAULT_RUN, NEAR_RUN

Record = Callable[[str, object], None]


def ids(cases: list[tuple[LineCase, str]]) -> list[str]:
    return [f"{case.name}-{image}" for case, image in cases]


@pytest.mark.parametrize(("case", "image"), FAULT_RUN, ids=ids(FAULT_RUN))
def test_a_fault_is_caught(case: LineCase, image: str, tmp_path: Path, untouched: Any, record_property: Record) -> None:
    judged(case, image, tmp_path, untouched, record_property, "faults.line")


@pytest.mark.parametrize(("case", "image"), NEAR_RUN, ids=ids(NEAR_RUN))
def test_nothing_false_is_said_of_a_near_miss(
    case: LineCase, image: str, tmp_path: Path, untouched: Any, record_property: Record
) -> None:
    judged(case, image, tmp_path, untouched, record_property, "faults.near_line")

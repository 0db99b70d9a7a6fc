"""Two sides of the toy on one page, and what a test reads of the message."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from toy import PAGE, Toy

from pytest_ocrparity import DifferenceError, Trace

QUAD = np.array([[0.0, 0.0], [20, 0], [20, 10], [0, 10]])


def traces(**candidate: Any) -> tuple[Trace, Trace]:
    return Toy().trace(PAGE), Toy(name="inference", **candidate).trace(PAGE)


class Loaded(Toy):
    """Stands for a side that the settings' table was loaded by: paddleocr on an export."""

    table = "inference"


def first_line(error: pytest.ExceptionInfo[DifferenceError]) -> str:
    return str(error.value).splitlines()[0]

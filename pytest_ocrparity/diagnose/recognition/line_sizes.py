"""How large a side makes a line: the height, the columns that hold the picture, and those of the tensor."""

from __future__ import annotations

import numpy as np

from pytest_ocrparity.diagnose.laboratory import Laboratory
from pytest_ocrparity.diagnose.recognition.line_rules import Made, line_rule_size
from pytest_ocrparity.stages import RESIZE
from pytest_ocrparity.trace import Trace


def columns_of_picture(trace: Trace) -> int:
    """Return the columns of a tensor that hold the picture: as the side says, else up to the last that is not 0."""
    said = line_rule_size(trace.parameters.get(RESIZE, {}))
    assert trace.tensor is not None
    if said is not None:
        return said[1]
    if trace.resize is not None and trace.resize.ndim == 3:
        return int(trace.resize.shape[1])
    filled = np.flatnonzero(np.any(trace.tensor != 0, axis=(0, 1, 2)))
    return int(filled[-1]) + 1 if len(filled) else int(trace.tensor.shape[3])


def size_of_line(trace: Trace) -> Made | None:
    """Return what became of a line; None where its tensor is none of a line."""
    if trace.tensor is None or trace.tensor.ndim != 4:
        return None
    return int(trace.tensor.shape[2]), columns_of_picture(trace), int(trace.tensor.shape[3])


def line_sizes_text(lab: Laboratory, trace: Trace) -> str:
    """Return in words how large both sides make this line."""
    parts = []
    for name, each in zip(lab.names, (lab.reference, trace), strict=True):
        size = size_of_line(each)
        if size is not None:
            parts.append(f"{size[1]} of {size[2]} columns, {size[0]} px high, in {name}")
    return ", ".join(parts)

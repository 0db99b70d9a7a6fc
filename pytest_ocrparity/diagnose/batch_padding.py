"""Whether a line reads otherwise in a batch because it is filled up to the widest line there."""

from __future__ import annotations

from contextlib import suppress

import numpy as np

from pytest_ocrparity.contract import Pipeline, ReadsMaps, WordsFixes, offered
from pytest_ocrparity.diagnose.recognition.line_preprocessing import FIX_OF_BATCH
from pytest_ocrparity.diagnose.recognition.line_rules import line_rule_size
from pytest_ocrparity.diagnose.state import NEAR
from pytest_ocrparity.diagnosis import Diagnosis, Fix
from pytest_ocrparity.stages import RESIZE
from pytest_ocrparity.trace import Trace


def batch_padding_columns(side: object, alone: Trace, together: Trace) -> int:
    """Return how many columns a line's tensor has more in a batch, of one value, 0 where it differs otherwise."""
    if offered(side, ReadsMaps) is None or alone.tensor is None or together.tensor is None:
        return 0
    width, wider = alone.tensor.shape[-1], together.tensor.shape[-1]
    is_cut = _is_cut_alone(alone, together)
    added = together.tensor[..., width + is_cut :]
    is_same = is_cut or np.array_equal(together.tensor[..., :width], alone.tensor)
    return int(wider - width) if added.size > 0 and np.ptp(added) == 0 and is_same else 0


def _is_cut_alone(alone: Trace, together: Trace) -> bool:
    """Return whether a line that fills its tensor alone is a pixel wider in the batch.

    PaddleOCR's rule, and RapidOCR's, rounds a line's width up, but cuts the widest line of a batch to a whole pixel.
    """
    one, two = (line_rule_size(each.parameters.get(RESIZE, {})) for each in (alone, together))
    return one is not None and two is not None and one[1] == one[2] and two[1] == one[1] + 1


def by_batch_padding(side: Pipeline, alone: Trace, together: Trace) -> Diagnosis | None:
    """Run a line alone, filled up as in its batch; return that this is why it reads otherwise, or None."""
    added, reader, tensor = batch_padding_columns(side, alone, together), offered(side, ReadsMaps), together.tensor
    if not added or reader is None or tensor is None or alone.recognition is None or together.recognition is None:
        return None
    made, in_batch = side.infer(np.array(tensor)), together.probability_map
    if in_batch is None or made.shape != in_batch.shape or not np.allclose(made, in_batch, rtol=0, atol=NEAR):
        return None
    read, before = reader.read_map(made).text, alone.recognition.text
    if read != together.recognition.text or read == before:
        return None
    width = tensor.shape[-1]
    summary = f"{alone.label} is filled up to the widest line of its batch, from {width - added} to {width} px"
    added_or_batch = (
        "its tensor of the batch" if _is_cut_alone(alone, together) else "as many columns added to its tensor"
    )
    same = f"with {added_or_batch}, {alone.pipeline} makes the batch's map alone and reads {read!r}"
    return Diagnosis(
        stage=RESIZE,
        cause="resize.batch_padding",
        summary=f"{summary}, and reads {read!r} then",
        evidence=(f"{same}; without them {before!r}",),
        fix=_fix(side),
    )


def _fix(side: Pipeline) -> Fix:
    """Return how lines are run one by one, in the words of a side that knows them."""
    words = offered(side, WordsFixes)
    with suppress(Exception):  # it has nothing that sets this
        return FIX_OF_BATCH if words is None else words.parameter_fix(RESIZE, {"batch_size": 1})
    return FIX_OF_BATCH

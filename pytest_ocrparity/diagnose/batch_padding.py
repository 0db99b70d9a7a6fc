"""Whether a line reads otherwise in a batch because it is filled up to the widest line there."""

from __future__ import annotations

import numpy as np

from pytest_ocrparity.contract import Pipeline, ReadsMaps, offered
from pytest_ocrparity.diagnose.recognition.line_preprocessing import FIX_OF_BATCH
from pytest_ocrparity.diagnose.state import NEAR
from pytest_ocrparity.diagnosis import Diagnosis
from pytest_ocrparity.stages import RESIZE
from pytest_ocrparity.trace import Trace


def batch_padding_columns(side: object, alone: Trace, together: Trace) -> int:
    """Return how many columns of one value a line's tensor has more in a batch, 0 where it differs otherwise."""
    if offered(side, ReadsMaps) is None or alone.tensor is None or together.tensor is None:
        return 0
    width = alone.tensor.shape[-1]
    added = together.tensor[..., width:]
    is_filled = added.size > 0 and np.ptp(added) == 0 and np.array_equal(together.tensor[..., :width], alone.tensor)
    return int(added.shape[-1]) if is_filled else 0


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
    same = f"with as many columns added to its tensor, {alone.pipeline} makes the batch's map alone and reads {read!r}"
    return Diagnosis(
        stage=RESIZE,
        cause="resize.batch_padding",
        summary=f"{summary}, and reads {read!r} then",
        evidence=(f"{same}; without them {before!r}",),
        fix=FIX_OF_BATCH,
    )

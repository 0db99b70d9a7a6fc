"""`Decoder`: the part of a recogniser that makes a text of a map, run by itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from pytest_ocrparity.contract import ReadsMaps, ReordersTexts, offered
from pytest_ocrparity.diagnose.laboratory import Laboratory
from pytest_ocrparity.diagnose.recognition.ctc_rules import Map, Order
from pytest_ocrparity.trace import Recognition, Trace
from pytest_ocrparity.wording import quoted


@dataclass
class Decoder:
    """A side's decoder, run on any map.

    Attributes:
        lab: the diagnosis.
        trace: the side's trace.
        side: the side.
    """

    lab: Laboratory
    trace: Trace
    side: ReadsMaps

    def read(self, probability_map: Map) -> Recognition | None:
        """Return what it reads in a map; None where it stops. Raises BudgetSpentError."""
        self.lab.budget.check()
        found = self.lab.attempt(lambda: self.side.read_map(np.array(probability_map, np.float32)))
        return found if isinstance(found, Recognition) else None

    def text(self, probability_map: Map) -> str | None:
        """Return the text that it reads in a map; None where it stops."""
        found = self.read(probability_map)
        return None if found is None else found.text

    @cached_property
    def orders(self) -> Mapping[str, Order]:
        """The orders of its own code, by name."""
        orders = self.lab.ask(self.trace, ReordersTexts, lambda side: side.text_orders())
        return dict(orders or {})


def decoder_of(lab: Laboratory, trace: Trace) -> Decoder | None:
    """Return the decoder of a side, or None where it can't be run by itself."""
    side = offered(trace.source, ReadsMaps)
    return None if side is None else Decoder(lab, trace, side)


def decoder_difference_text(own: Decoder) -> str:
    """Return in words what the candidate's decoder reads in the reference's map."""
    lab = own.lab
    assert lab.reference.probability_map is not None and lab.reference.recognition is not None
    read = own.text(lab.reference.probability_map)
    what = f"stops ({lab.last_error})" if read is None else f"reads {quoted(read)}"
    text = f"given {lab.names.reference}'s map, {lab.names.candidate}'s decoder {what}, where {lab.names.reference} "
    return f"{text}reads {quoted(lab.reference.recognition.text)}"

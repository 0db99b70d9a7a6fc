"""A decoder that is run by itself: what it reads, where it stops, and which orders of characters its side knows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from recognisers import Port, lab_of, traced
from toy_reader import Reader

from pytest_ocrparity.diagnose.budget import BudgetSpentError
from pytest_ocrparity.diagnose.recognition.ctc_rules import ctc_map
from pytest_ocrparity.diagnose.recognition.decoder import Decoder, decoder_difference_text, decoder_of

SHORT = Port(letters="ab")


class Orders(Port):
    def text_orders(self) -> Any:
        return {"pred_reverse": lambda text: text[::-1]}


def decoder(side: Port) -> Decoder:
    lab = lab_of(Reader(), Port())
    found = decoder_of(lab, replace(lab.candidate, source=side))
    assert found is not None
    return found


def test_it_reads_any_map() -> None:
    assert decoder(SHORT).text(ctc_map([1, 0, 2, 2], 6)) == "ab"


def test_where_it_stops_it_reads_nothing_and_the_error_is_kept() -> None:
    own = decoder(SHORT)
    assert own.read(ctc_map([3], 6)) is None and own.text(ctc_map([3], 6)) is None
    assert own.lab.last_error == "IndexError: string index out of range"
    right = own.lab.reference.probability_map
    assert right is not None
    told = "given train's map, inference's decoder stops (IndexError: string index out of range), where train reads "
    assert decoder_difference_text(own) == f"{told}'abba cd'"


def test_what_it_reads_is_told_beside_what_the_reference_reads() -> None:
    told = "given train's map, inference's decoder reads 'ABBA CD', where train reads 'abba cd'"
    assert decoder_difference_text(decoder(Port(after=str.upper))) == told


def test_the_orders_that_its_code_knows() -> None:
    assert {name: order("ab") for name, order in decoder(Orders()).orders.items()} == {"pred_reverse": "ba"}
    assert decoder(Port()).orders == {}


def test_a_trace_without_its_side_has_none() -> None:
    assert decoder_of(lab_of(Reader(), Port()), replace(traced(Port()), source=None)) is None


def test_a_spent_budget_ends_it() -> None:
    own = decoder(Port())
    own.lab.budget.seconds = 0.0
    with pytest.raises(BudgetSpentError):
        own.read(ctc_map([1], 6))

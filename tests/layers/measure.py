"""Tells how many runs a search for a layer makes on a page of 960x960 px, and how far the memory grows by it.

Run as a program, with a checkout of PaddleOCR: `python -m layers.measure v5-pir-kernel`, a part of names of the list;
with `whole` behind it the whole page is searched after the part, as if the part had not shown the fault. Prints a
line of JSON per fault: MiB that the network takes by itself on the whole page, and the search.
"""

from __future__ import annotations

import json
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from real.peak import held

from layers.lists import FAULTS
from layers.networks import page
from layers.trial import subject_of
from pytest_ocrparity.compare import Comparisons
from pytest_ocrparity.diagnose import layers
from pytest_ocrparity.diagnose.laboratory import Laboratory
from pytest_ocrparity.diagnose.layers.search import NOT_SHOWN, Search, search_layers
from pytest_ocrparity.tolerance import BUILT_IN

SIDE = 960
MIB = 1 << 20


def forget_peak() -> int:
    """Forget the most that this process held, and return what it holds."""
    Path("/proc/self/clear_refs").write_text("5")
    return held("VmRSS")


def not_shown(*given: Any) -> Search:
    """Search, and leave out what is found."""
    return replace(search_layers(*given), places=(), why=NOT_SHOWN)


def main(part: str, mode: str = "") -> None:
    """Search in one export after the other, each of a page whose map is made anew."""
    if mode == "whole":
        mock.patch.object(layers, "search_layers", not_shown).start()
    folder = Path(tempfile.mkdtemp())
    whole = np.tile(page(), (4, 3, 1))[:SIDE, :SIDE]
    for number, fault in enumerate(fault for fault in FAULTS if part in fault.name):
        subject = subject_of(fault.network, folder)
        candidate = subject.export(fault, fault.form, folder / str(number))
        for side in (subject.side, candidate):
            side.trace(page())  # what is loaded at the first run is no part of either
        before = forget_peak()
        reference, traced = subject.side.trace(whole), candidate.trace(whole)
        network = held("VmHWM") - before
        lab = Laboratory(Comparisons(reference, traced, BUILT_IN), 600.0)
        before = forget_peak()
        search = layers.search_page(lab)
        told = {
            "fault": fault.name,
            "tensor": np.asarray(reference.tensor).shape,
            "network": round(network / MIB),
            "search": round((held("VmHWM") - before) / MIB),
            "kept": round((held("VmRSS") - before) / MIB),
            "runs": None if search is None else search.runs,
            "counted": lab.budget.runs,
            "is_proved": search is not None and search.is_proved,
        }
        print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])

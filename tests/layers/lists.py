"""Which faults and which right exports are run: all of them, or a fixed list of some."""

from __future__ import annotations

from typing import NamedTuple

from layers.drawing import PER_KIND, read_list
from layers.faults import Fault
from layers.forms import HAS_ONNX, NEEDS_ONNX
from layers.networks import ALL, CHECKOUT, NETWORKS


class Clean(NamedTuple):
    """A right export: of a network, in a form, on a page, with something else wrong or with nothing."""

    network: str
    form: str
    page: int = 0
    is_normalized_wrong: bool = False

    @property
    def name(self) -> str:
        """What a test is called."""
        return f"{self.network}-{self.form}-{self.page}" + ("-wrong_mean" if self.is_normalized_wrong else "")


FAULTS = read_list()
PAIRS = [(network, form) for network, forms in PER_KIND.items() for form in forms]
CLEANS = [
    *(Clean(*pair) for pair in PAIRS),
    *(Clean(*pair, is_normalized_wrong=True) for pair in PAIRS),
    *(Clean(network, "pir", page=1) for network in NETWORKS),
]
"""30 of them."""

FAST = {
    ("tiny", "pir"): ("kernel", "epsilon", "activation", "interpolation", "dilation", "stride"),
    ("tiny", "pdmodel"): ("number", "mean"),
    ("branches", "pir"): ("weight", "variance", "padding", "swapped", "pruned"),
    ("branches", "pdmodel"): ("bias",),
}
"""By network and form, the kinds of which the fixed list has the first fault of all."""


def can_run(network: str, form: str) -> bool:
    """Return whether this machine has what builds a network and writes a form."""
    return (not NETWORKS[network].needs_checkout or CHECKOUT is not None) and (HAS_ONNX or form not in NEEDS_ONNX)


def run_faults() -> list[Fault]:
    """Return the faults that are run here."""
    if ALL:
        return [fault for fault in FAULTS if can_run(fault.network, fault.form)]
    firsts: dict[tuple[str, str, str], Fault] = {}
    for fault in FAULTS:
        firsts.setdefault((fault.network, fault.form, fault.kind), fault)
    return [firsts[(*pair, kind)] for pair, kinds in FAST.items() for kind in kinds]


def run_exports() -> list[Fault]:
    """Return the faults whose exports are run against the faulty network: in CI one of each network and form."""
    faults = run_faults()
    return faults if ALL else list({(fault.network, fault.form): fault for fault in faults}.values())


def run_cleans() -> list[Clean]:
    """Return the right exports that are run here."""
    if ALL:
        return [clean for clean in CLEANS if can_run(clean.network, clean.form)]
    return [clean for clean in CLEANS if clean.network == "branches" and clean.form == "pir"]

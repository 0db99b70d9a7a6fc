"""The trained network with weights of the export, with which layers are searched where weights do not explain all."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from pytest_ocrparity.contract import TrainedNetwork
from pytest_ocrparity.diagnose.laboratory import Laboratory
from pytest_ocrparity.diagnose.network.compared_weights import cause_of_differing_weights, describe_stored_weights
from pytest_ocrparity.diagnose.network.weights import export_fix, held_by_nearest, paired_weights
from pytest_ocrparity.diagnosis import UNKNOWN, Alternative, Diagnosis
from pytest_ocrparity.stages import PROBABILITY_MAP, RECOGNITION

WEIGHTS: Final = "network.weights"


class Compared(NamedTuple):
    """The network that an export is compared with, and which weights it has, in words: none but its own if empty."""

    trained: TrainedNetwork
    weights: str = ""


def with_weights_of_export(lab: Laboratory, diagnosis: Diagnosis) -> Compared | None:
    """Return the trained network with weights of the export that explain its map in part; None where there are none.

    Of an unknown cause these are all; where some are merely rounded and others are wrong, the rounded ones.
    """
    found = paired_weights(lab)
    is_of_lines = lab.comparisons.task == RECOGNITION  # whose causes are proved again by one experiment each
    if found is None or found.pairs is None or is_of_lines or lab.candidate.error is not None:
        return None
    names: list[str] = []
    if diagnosis.cause == UNKNOWN and not diagnosis.rivals:
        names, whose = found.differing, f"{lab.names.candidate}'s weights"
    elif diagnosis.cause == WEIGHTS and (diagnosis.layer is None or not diagnosis.layer.is_proved):
        whose, rounded = "the rounded weights", found.rounded[1]
        names = rounded if len(rounded) < len(found.differing) else []
    if not names:
        return None
    arrays = {found.pairs[name]: found.exported[name] for name in names}
    network = lab.attempt(lambda: found.network.with_arrays(arrays), "layers beside the weights")
    return None if network is None else Compared(network, whose)


def cause_of_weights_in_part(lab: Laboratory, compared: Compared) -> Diagnosis | None:
    """Return the weights as a cause of a map that they make together with another one; None where they move no map.

    Raises BudgetSpentError.
    """
    found, right = paired_weights(lab), lab.reference.probability_map
    lab.budget.more += 1
    made = lab.run_network(compared.trained.run, lab.tensor)
    if found is None or right is None or made is None:
        return None
    moved = float(np.max(np.abs(made - right), initial=0.0))
    if not moved > lab.map_limit:
        return None
    cause, summary = cause_of_differing_weights(found, lab.names.candidate, lab.budget.check)
    proof = f"these weights alone move {lab.names.reference}'s map by up to {moved:.2g}, and with the other cause they "
    proof += f"make {lab.names.candidate}'s"
    evidence = [*describe_stored_weights(found), *filter(None, [held_by_nearest(lab)]), proof]
    fix = export_fix(lab, Alternative(cause, "", compared.trained.run))
    lab.adopt_patch(PROBABILITY_MAP, cause, lab.patched)
    return lab.proven_cause(PROBABILITY_MAP, cause, summary, evidence, fix)

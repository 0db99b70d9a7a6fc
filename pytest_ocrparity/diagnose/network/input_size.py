"""Experiments with the size of the input, which find graphs that were frozen at one size."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final, TypeAlias

import numpy as np

from pytest_ocrparity.contract import HasInputSize, pipeline_of
from pytest_ocrparity.diagnose.budget import BudgetSpentError
from pytest_ocrparity.diagnose.laboratory import Laboratory, are_equal_maps, returns_map
from pytest_ocrparity.diagnose.network.side_graphs import candidate_graph
from pytest_ocrparity.diagnose.network.weights import weights_export_command
from pytest_ocrparity.diagnosis import Change, Diagnosis, Fix
from pytest_ocrparity.stages import PROBABILITY_MAP, RECOGNITION
from pytest_ocrparity.trace import Array

Run: TypeAlias = Callable[[Array], Array]

SIDES: Final = (1024, 512, 256, 128, 64)
"""Sides in px of the square inputs that are tried; exports are usually traced at one of them, or smaller."""
NARROWEST: Final = 128
"""Of a line, whose timesteps are few: on none at all, paddle's recurrent layers end the process."""

TEXT: Final = 0.3
"""A part whose map spans less may be blank paper, on which even different networks agree."""


def by_graph(lab: Laboratory, candidate_map: Array | None) -> Diagnosis | None:
    """Return the exported graph as the cause where the weights are equal and the program errs without its engine too.

    Where both networks agree on a part of the tensor, but not on that part repeated to this size, the graph errs by
    size: what does that in it, a frozen branch or one that training has not, is not known.
    """
    tensor = lab.tensor
    candidate = lab.names.candidate
    here = f"{tensor.shape[2]}x{tensor.shape[3]}"
    before = len(lab.noticed)  # hints of other experiments, which prove nothing here
    run = _run_of_program(lab, candidate_map) if lab.has_equal_weights else None
    try:
        side = _agreeing_size(lab, tensor)
        is_by_size = (
            side is not None
            and _networks_agree(lab, tensor_of_size(tensor_of_size(tensor, side), tensor.shape[2:])) is False
        )
    except BudgetSpentError:  # that the graph errs is known without it
        if run is None:
            raise
        side, is_by_size = None, False
        lab.noticed.append(f"whether the maps are equal at other sizes was not seen to the end: {lab.budget.spent()}")
    if side is not None:
        at_this = "differ" if is_by_size else "are equal"
        lab.noticed.append(
            f"the maps are equal at {side[0]}x{side[1]} (height x width); that part repeated to {here}, they {at_this}"
        )
    if run is None:
        return None
    # On another image the bare program must return the candidate's map again.
    lab.patched = replace(lab.patched, explains=returns_map(run))
    known = ("network.weights", "engine")
    whole = [text.partition(": ")[2] for text in (*lab.ruled_out, *lab.tried) if text.startswith(known)]
    seen = lab.noticed[before:]
    if not is_by_size or side is None:
        summary = f"the exported graph of {candidate} computes something else with the same weights"
        return lab.proven_cause(PROBABILITY_MAP, "network.graph", summary, [*whole, *seen], graph_fix(lab))
    summary = f"{candidate} computes something else at some input sizes, "
    summary += "as where a branch or a number that depends on the size was frozen when it was traced"
    text = "look for what depends on the input's size there: a Python branch on it in the network is replaced by "
    text += "paddle.static.nn.cond, or by none, and a number by one that is taken from the tensor's shape"
    fix = Fix(f"{text}{_export_hint(lab)}", (Change("export"),))
    return lab.proven_cause(PROBABILITY_MAP, "network.traced_shape", summary, [*seen, *whole], fix)


def _run_of_program(lab: Laboratory, candidate_map: Array | None) -> Run | None:
    """Return what makes the candidate's map of its program without its engine; None where nothing does.

    Where the engine can't be run without its passes, the graph is run as it is read.
    """
    plain: Run | None = lab.memo.get("plain run")
    if plain is not None:
        return plain if lab.is_in_program else None
    if candidate_map is None or (graph := candidate_graph(lab)) is None:
        return None

    def run(tensor: Array) -> Array:
        return graph.run(tensor, [graph.output])[0]

    made = lab.run_network(run, lab.tensor)
    if made is None or not are_equal_maps(lab, made, candidate_map):
        return None
    lab.noticed.append(f"{lab.names.candidate}'s program by itself returns its map")
    return run


def by_fixed_size(lab: Laboratory, candidate_map: Array | None) -> Diagnosis | None:
    """Run a network that stopped, at the size that its program was exported for."""
    size = lab.ask(lab.candidate, HasInputSize, lambda side: side.input_size())
    tensor, reference, patched = lab.tensor, pipeline_of(lab.reference), lab.patched
    if size is not None and reference is None:
        lab.not_tried.append(f"the size {size} (height, width) that it was exported for: that needs the train model")
    here = (int(tensor.shape[2]), int(tensor.shape[3]))
    if size is None or size == here or reference is None:
        return None
    maps = _maps_of_both(lab, tensor_of_size(_from_text_on(lab, tensor, size), size))
    is_blank = maps is not None and np.ptp(maps[1]) <= TEXT
    reference_name, candidate_name = lab.names
    own = f"{size[0]}x{size[1]}"
    if maps is None or is_blank or not are_equal_maps(lab, *maps):
        differ = "a part of that size shows no text" if is_blank else "the maps differ there too"
        result = "a network stopped there too" if maps is None else differ
        lab.noticed.append(f"{candidate_name} was exported for {own} (height x width) only, and {result}")
        return None
    lab.patched = replace(patched, explains=lambda other, made: made is None and other.candidate.error is not None)
    summary = f"{candidate_name} takes inputs of {own} (height x width) only"
    proof = f"{candidate_name} was exported for {own} and there returns {reference_name}'s map; "
    proof += f"at {here[0]}x{here[1]} it stopped"
    fix = Fix(f"export with the input shape [None, 3, -1, -1]{_export_hint(lab)}", (Change("export"),))
    return lab.proven_cause(PROBABILITY_MAP, "network.fixed_shape", summary, [proof], fix)


def _from_text_on(lab: Laboratory, tensor: Array, size: tuple[int, int]) -> Array:
    """Return a page from a corner on below which a part of this size holds the most certain text; a line as it is."""
    right = lab.reference.probability_map
    if right is None or right.shape[2:] != tensor.shape[2:]:
        return tensor
    place = np.unravel_index(int(np.argmax(right[0, 0])), right.shape[2:])
    ends = [max(0, whole - side) for whole, side in zip(tensor.shape[2:], size, strict=True)]
    top, left = (min(max(0, int(at) - side // 2), end) for at, side, end in zip(place, size, ends, strict=True))
    return tensor[:, :, top:, left:]


def _agreeing_size(lab: Laboratory, tensor: Array) -> tuple[int, int] | None:
    """Return one of SIDES at which both networks return the same map of a part that has text.

    Those that are no larger than the tensor come first, the largest before the others, and then the next larger. A
    recogniser takes one height alone, so that its widths are tried.
    """
    is_of_lines = lab.comparisons.task == RECOGNITION
    longest = max(tensor.shape[2:])
    sides = [side for side in SIDES if not is_of_lines or side >= NARROWEST]
    for side in sorted(sides, key=lambda side: (side > longest, side if side > longest else -side)):
        size = (int(tensor.shape[2]) if is_of_lines else side, side)
        maps = _maps_of_both(lab, tensor_of_size(tensor, size))
        if maps is not None and np.ptp(maps[1]) > TEXT and are_equal_maps(lab, *maps):
            return size
    return None


def _networks_agree(lab: Laboratory, tensor: Array) -> bool | None:
    """Return whether both networks return the same map; None where one of them can't be run."""
    maps = _maps_of_both(lab, tensor)
    return None if maps is None else are_equal_maps(lab, *maps)


def _maps_of_both(lab: Laboratory, tensor: Array) -> tuple[Array, Array] | None:
    """Return the candidate's and the reference's map of a tensor; None where one of them can't be run.

    Of a smaller tensor than the page's, that counts the less of network runs.
    """
    reference, patched = pipeline_of(lab.reference), lab.patched
    share = min(1.0, tensor.size / lab.tensor.size)
    if reference is None:
        return None
    made = lab.run_network(lambda given: patched.pipeline.infer(given), tensor, runs=share)
    right = lab.run_network(lambda given: reference.infer(given), tensor, runs=share)
    return None if made is None or right is None else (made, right)


def graph_fix(lab: Laboratory) -> Fix:
    """Return what makes an exported graph compute what the trained network does."""
    return Fix(f"export again from the code that trained the network{_export_hint(lab)}", (Change("export"),))


def _export_hint(lab: Laboratory) -> str:
    command = weights_export_command(lab)
    return f"; {command}" if command else ""


def tensor_of_size(tensor: Array, size: tuple[int, int]) -> Array:
    """Return the upper left part of a tensor, of a given size; a smaller tensor is repeated."""
    height, width = tensor.shape[2:]
    repeated = np.tile(tensor, (1, 1, -(-size[0] // height), -(-size[1] // width)))
    return np.ascontiguousarray(repeated[:, :, : size[0], : size[1]])

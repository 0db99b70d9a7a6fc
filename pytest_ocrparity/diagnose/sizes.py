"""Experiments with the size of the input: graphs that were frozen at one size."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from pytest_ocrparity.diagnose.laboratory import Laboratory
from pytest_ocrparity.diagnose.weights import are_equal_maps
from pytest_ocrparity.diagnosis import Change, Diagnosis, Fix
from pytest_ocrparity.trace import PROBABILITY_MAP

__all__ = ["by_fixed_size", "by_size"]

Array: TypeAlias = "npt.NDArray[Any]"

SIDES = (64, 128, 256, 512, 1024)
"""Square inputs that are tried; a trace is usually made at one of them, or with small placeholders."""


TEXT = 0.3
"""A part whose map spans less may be blank paper, on which networks agree that otherwise do not."""


def by_size(lab: Laboratory, theirs: Array | None) -> Diagnosis | None:
    """Run both networks on parts of the tensor: equal at some sizes and not at this one, a size was frozen.

    Claimed only where the weights are the reference's and the bare program, without its engine, is wrong as well: then
    it is the graph, and the size is what its error depends on.
    """
    tensor = lab.reference.tensor
    assert tensor is not None
    same, other, stopped = _by_part(lab, tensor)
    one, two = lab.names
    here = f"{tensor.shape[2]}x{tensor.shape[3]}"
    if same and lab.has_equal_weights and lab.is_in_program and lab.remedy is not None:
        lab.remedy = replace(lab.remedy, explains=_shows_at(int(same[0].partition("x")[0])))
        summary = (
            f"{two} computes something else at some input sizes: a branch on the size was frozen when it was traced"
        )
        proof = (
            f"parts of the same tensor give equal maps at {', '.join(same)} (height x width), and other maps at {here}"
        )
        mend = "replace the Python branch on the input's size in the network by paddle.static.nn.cond, or by none"
        proof += f" and {', '.join(other)}" if other else ""
        fix = Fix(f"{mend}{_told(lab)}", (Change("export"),))
        return lab.claim(PROBABILITY_MAP, "network.traced_shape", summary, [proof, *_whole(lab)], fix)
    if same:
        lab.ruled_out.append(f"the whole network: at {', '.join(same)} the maps are equal, at {here} they are not")
    elif other:
        lab.ruled_out.append(f"the input's size: the maps differ at {', '.join(other)} as well")
    if stopped:
        lab.not_tried.append(f"the input sizes {', '.join(stopped)}: a network stopped there ({lab.last_error})")
    return None


def by_fixed_size(lab: Laboratory, theirs: Array | None) -> Diagnosis | None:
    """Run a network that stopped at the size that its program was exported for."""
    told = getattr(lab.candidate.source, "input_size", None)
    size = told() if told is not None else None
    tensor, reference, remedy = lab.reference.tensor, lab.reference.source, lab.remedy
    assert tensor is not None
    if size is not None and reference is None:
        lab.not_tried.append(f"the size {size} (height, width) that it was exported for: that needs the train model")
    here = (int(tensor.shape[2]), int(tensor.shape[3]))
    if size is None or size == here or reference is None or remedy is None:
        return None
    part = _part(tensor, size)
    made, right = lab.infer(lambda t: remedy.pipeline.infer(t), part), lab.infer(lambda t: reference.infer(t), part)
    one, two = lab.names
    own = f"{size[0]}x{size[1]}"
    if made is None or right is None or not are_equal_maps(lab, made, right):
        lab.ruled_out.append(f"the fixed size alone: at {own}, which {two} was exported for, the maps differ too")
        return None
    lab.remedy = replace(remedy, explains=lambda again, map_: map_ is None and again.candidate.error is not None)
    summary = f"{two} takes inputs of {own} (height x width) only"
    proof = f"{two} was exported for {own} and there returns {one}'s map; at {here[0]}x{here[1]} it stopped"
    fix = Fix(f"export with the input shape [None, 3, -1, -1]{_told(lab)}", (Change("export"),))
    return lab.claim(PROBABILITY_MAP, "network.fixed_shape", summary, [proof], fix)


def _shows_at(side: int) -> Callable[[Laboratory, Array | None], bool]:
    """Return the experiment that shows on another image that the error depends on the size."""

    def explains(lab: Laboratory, theirs: Array | None) -> bool:
        reference, remedy, tensor = lab.reference.source, lab.remedy, lab.reference.tensor
        if reference is None or remedy is None or tensor is None or theirs is None:
            return False
        part = _part(tensor, (side, side))
        made, right = lab.infer(lambda t: remedy.pipeline.infer(t), part), lab.infer(lambda t: reference.infer(t), part)
        return made is not None and right is not None and are_equal_maps(lab, made, right)

    return explains


def _by_part(lab: Laboratory, tensor: Array) -> tuple[list[str], list[str], list[str]]:
    """Return the sizes at which both networks agree, at which they do not, and at which one stopped."""
    reference, remedy = lab.reference.source, lab.remedy
    same: list[str] = []
    other: list[str] = []
    stopped: list[str] = []
    if reference is None or remedy is None:
        return same, other, stopped
    for side in SIDES:
        part = _part(tensor, (side, side))
        made, right = lab.infer(lambda t: remedy.pipeline.infer(t), part), lab.infer(lambda t: reference.infer(t), part)
        if made is None or right is None:
            stopped.append(f"{side}x{side}")
        elif not are_equal_maps(lab, made, right):
            other.append(f"{side}x{side}")
        elif np.ptp(right) > TEXT:
            same.append(f"{side}x{side}")
            break  # one size at which they agree is enough
    return same, other, stopped


def _whole(lab: Laboratory) -> list[str]:
    """Return what was found of weights and engine, which leave only the graph."""
    return [text for text in lab.ruled_out if text.startswith(("weights", "engine"))]


def _told(lab: Laboratory) -> str:
    told = getattr(lab.reference.source, "export_command", None)
    return f"; {told()}" if told is not None else ""


def _part(tensor: Array, size: tuple[int, int]) -> Array:
    """Return the upper left part of a tensor in a size, repeated where it is too small."""
    height, width = tensor.shape[2:]
    repeated = np.tile(tensor, (1, 1, -(-size[0] // height), -(-size[1] // width)))
    return np.ascontiguousarray(repeated[:, :, : size[0], : size[1]])

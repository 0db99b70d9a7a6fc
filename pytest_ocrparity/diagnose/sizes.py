"""Experiments with the size of the input: graphs that were frozen at one size."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from pytest_ocrparity.diagnose.laboratory import Laboratory
from pytest_ocrparity.diagnose.weights import are_equal_maps
from pytest_ocrparity.diagnosis import Change, Diagnosis, Fix
from pytest_ocrparity.trace import PROBABILITY_MAP

__all__ = ["by_size"]

Array: TypeAlias = "npt.NDArray[Any]"

SIDES = (64, 128, 256, 512, 1024)
"""Square inputs that are tried; a trace is usually made at one of them, or with small placeholders."""


TEXT = 0.3
"""A part whose map spans less may be blank paper, on which networks agree that otherwise do not."""


def by_size(lab: Laboratory, theirs: Array | None) -> Diagnosis | None:
    """Run both networks on parts of the tensor: equal at some sizes and not at this one, a size was frozen."""
    reference, remedy, tensor = lab.reference.source, lab.remedy, lab.reference.tensor
    if reference is None or remedy is None or tensor is None:
        return None
    same, other, stopped = [], [], []
    for part in _parts(lab, tensor):
        size = f"{part.shape[2]}x{part.shape[3]}"
        made, right = lab.infer(remedy.pipeline.infer, part), lab.infer(reference.infer, part)
        if made is None or right is None:
            stopped.append(size)
        elif not are_equal_maps(lab, made, right):
            other.append(size)
        elif np.ptp(right) > TEXT:
            same.append(size)
    one, two = lab.names
    here = f"{tensor.shape[2]}x{tensor.shape[3]}"
    told = _told(lab)
    if same and theirs is None:
        summary = f"{two} takes inputs of one size only"
        proof = f"{two} stopped at {here}{_also(stopped)}; at {', '.join(same)} (height x width) it returns {one}'s map"
        fix = f"export with the input shape [None, 3, -1, -1]{told}"
        return lab.claim(PROBABILITY_MAP, "network.fixed_shape", summary, [proof], Fix(fix, (Change("export"),)))
    if same and lab.has_equal_weights:
        summary = (
            f"{two} computes something else at some input sizes: a branch on the size was frozen when it was traced"
        )
        proof = f"parts of the same tensor give equal maps at {', '.join(same)} (height x width), and other maps at {here}{_also(other)}"
        fix = f"replace the Python branch on the input's size in the network by paddle.static.nn.cond, or by none{told}"
        return lab.claim(
            PROBABILITY_MAP, "network.traced_shape", summary, [proof, *_whole(lab)], Fix(fix, (Change("export"),))
        )
    lab.ruled_out.append(f"the input's size: the maps differ at {', '.join(other or stopped)} as well")
    return None


def _whole(lab: Laboratory) -> list[str]:
    """Return what was found of weights and engine, which leave only the graph."""
    return [text for text in lab.ruled_out if text.startswith(("weights", "engine"))]


def _told(lab: Laboratory) -> str:
    told = getattr(lab.reference.source, "export_command", None)
    return f"; {told()}" if told is not None else ""


def _also(sizes: list[str]) -> str:
    return f" and {', '.join(sizes)}" if sizes else ""


def _parts(lab: Laboratory, tensor: Array) -> Iterator[Array]:
    """Yield parts of the tensor, repeated where it is too small: the export's own size first, where it tells one."""
    told = getattr(lab.candidate.source, "input_size", None)
    own = told() if told is not None else None
    height, width = tensor.shape[2:]
    for size in dict.fromkeys([*([own] if own else []), *((side, side) for side in SIDES)]):
        if size != (height, width):
            repeated = np.tile(tensor, (1, 1, -(-size[0] // height), -(-size[1] // width)))
            yield np.ascontiguousarray(repeated[:, :, : size[0], : size[1]])

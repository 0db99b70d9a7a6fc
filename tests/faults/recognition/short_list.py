"""What CI runs: one fault and one near miss of each kind, on its first line. OCRPARITY_ALL_FAULTS=1 runs all."""

from __future__ import annotations

from faults.recognition.case import LineCase
from faults.recognition.cases import FAULTS
from faults.recognition.near_misses import NEAR_MISSES
from faults.rows import ALL

__all__ = ["FAST", "FAST_NEAR", "FAULT_NAMES", "FAULT_RUN", "NEAR_RUN"]

FAST = (
    "R1 the evaluation squeezes",
    "R2 narrower than image_shape",
    "R3 input_shape",
    "R4 in a batch with a wide line",
    "R5 ceil() for int()",
    "R6 height 48 in inference.yml",
    "R7 the training stretches",
    "R11 wider than 3200 px",
    "R11 a port's most width",
    "V4 image_shape in Global",
    "image_shape in inference.yml",
    "R12 black padding",
    "a line in the middle",
    "resized by area",
    "a line turned to grey",
    "D1 img_mode in inference.yml",
    "D4 EXIF ignored",
    "D4 alpha on white",
    "D4 16 bits kept",
    "D4 16 bits taken for 12",
    "D5 saved again as JPEG",
    "D8 a PNG named .gif",
    "halved by a client",
    "cut by a client",
    "D2 ImageNet's statistics",
    "D2 no /255",
    "normalised twice",
    "a tensor in fp16",
    "HWC for CHW",
    "D6 RecAug in Eval",
    "random preprocessing of a port",
    "W1 nothing loaded",
    "W2 another checkpoint, which lies beside",
    "W2 another checkpoint",
    "W3 the head was skipped",
    "W4 another sub-model",
    "W5 another output first",
    "W5 a head with one class more",
    "W6 training mode",
    "W7 softmax twice",
    "W7 log-softmax",
    "W7 softmax of a port",
    "W8 classes before timesteps",
    "W9 wrong fusion",
    "another graph",
    "W12 an overflowed weight",
    "a frozen branch",
    "R9 a program of 160 px",
    "a port that damps the map",
    "a network in parts",
    "E1 oneDNN of paddle 3.2",
    "E1 an optimisation of a stand-in engine",
    "an engine that is not repeatable",
    "a recurrent state that goes on",
    "E2 kernels in fp16",
    "E3 int8 per channel",
    "C3 a line inserted, the last one lost",
    "C4 a line inserted",
    "C12 the blank is last in a port",
    "P1 repeats kept",
    "P3 the product as score",
    'P6 "arabic" in the path of the dictionary',
    "C2 no character_dict",
    "the evaluation squeezes, and a sorted dictionary",
)

FAST_NEAR = (
    "filled up to a multiple of 64",
    "filled up with noise",
    "5 % wider characters",
    "4 px free above and below",
    "resized in two steps",
    "sharpened",
    "inverted before it is resized",
    "normalised by the line's own mean",
    "grey, and loaded in RGB",
    "another checkpoint in fp16",
    "fp16 that oneDNN does not mend",
    "probabilities squared",
    "a wider buffer for the network",
    "not repeatable, and another checkpoint",
    "another output first, of weights of another checkpoint",
    "letters corrected among digits",
    "cut after 10 characters",
    "a spelling list that knows no EE",
    "words in the reverse order",
    "in percent",
    "a line squeezed",
    "another dictionary, map recorded",
)


def _run(cases: list[LineCase], fast: tuple[str, ...]) -> list[tuple[LineCase, str]]:
    if ALL:
        return [(case, image) for case in cases for image in case.images]
    return [(case, case.images[0]) for case in cases if case.name in fast]


FAULT_RUN = _run(FAULTS, FAST)
NEAR_RUN = _run(NEAR_MISSES, FAST_NEAR)
FAULT_NAMES = [f"{case.name} [{image}]" for case in FAULTS for image in case.images]
"""The names of all rows of the first table."""

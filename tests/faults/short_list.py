"""What CI runs of the first table: one case of each cause, on its page. OCRPARITY_ALL_FAULTS=1 runs all."""

from __future__ import annotations

from faults.cases import FAULTS, Fault
from faults.rows import ALL

__all__ = ["FAST", "RUN"]

FAST = (
    "D2 DecodeImage missing in inference.yml",
    "D1 EXIF ignored by a port",
    "D4 alpha on white",
    "D5 16 bits kept",
    "D6 another JPEG decoder",
    "D8 PNG named .gif",
    "R1 empty DetResizeForTest",
    "R7 image_shape in inference.yml",
    "R7 input_shape argument",
    "R4 resize_long",
    "R8 max_side_limit",
    "R9 rounding down",
    "N1 mean",
    "N2 statistics reversed by a port",
    "N3 no /255 in a port",
    "N4 order chw",
    "normalised twice by a port",
    "scores of a port in another order",
    "N5 HWC for CHW",
    "one weight scaled",
    "W1 nothing loaded",
    "W2 another checkpoint",
    "W3 keys skipped",
    "W4 another sub-model",
    "W5 another output first",
    "W6 training mode",
    "W8 wrong fusion",
    "W10 stale inference.json",  # where there can be one, see HAS_STALE_PROGRAMS
    "W12 overflowed weight",
    "W14 frozen branch",
    "fixed input shape",
    "E8 another graph",
    "a port that damps the map",
    "E1 oneDNN of a stand-in engine",
    "E3 optimisation of a stand-in engine",
    "engine not repeatable",
    "E5 fp16 weights",
    "E7 int8 weights",
    "P1 thresh",
    "P1 box_thresh",
    "P1 unclip_ratio",
    "P3 use_dilation",
    "P4 score_mode",
    "P5 det_box_type is ignored",
    "P6 max_candidates",
    "P7 filter of small boxes",
    "P8 int16",
    "map pixels",
    "forgotten offset",
    "P13 ratios swapped",
    "(y, x) for (x, y)",
    "a wrong shape row",
    "a page turned by a preprocessor",
    "a box dropped by a pipeline",
    "random preprocessing of a port",
    "V1 random operator in Eval",
    "V2 a key of Global leaks",
)

RUN: list[Fault] = [case for case in FAULTS if ALL or case.name in FAST]

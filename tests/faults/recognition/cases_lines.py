"""Faults of files, sizes and values: the tensor is another one."""

from __future__ import annotations

from typing import Any

import numpy as np

from faults.deployment import EXAMPLE
from faults.near_miss import Make, wrapped
from faults.recognition import exports, hooks, wrappers
from faults.recognition.case import Inject, LineCase, both, case, port
from faults.recognition.deployment import EXPORT_YML, TRAIN_YML, LineDeployment

LINES = EXAMPLE / "lines"


def train_yml(operator: str, **values: Any) -> Inject:
    return lambda d: d.operator(TRAIN_YML, operator, **values)


def export_yml(operator: str, **values: Any) -> Inject:
    return lambda d: d.operator(EXPORT_YML, operator, **values)


def options(**values: Any) -> Inject:
    return lambda d: d.options.update(values)


def drop(file: str, operator: str) -> Inject:
    return lambda d: exports.drop_operator(d, file, operator)


def svtr(*, is_padded: bool) -> Inject:
    """Train with SVTR's resize; the export is given the operator that paddlex knows."""
    shape = {"image_shape": [3, 32, 160], "padding": is_padded}
    return lambda d: exports.replace_operator(d, TRAIN_YML, "RecResizeImg", "SVTRRecResizeImg", **shape)


def in_batch(inner: Any) -> Any:
    return wrappers.InBatch(inner, LINES)


def random_aug(d: LineDeployment) -> None:
    exports.insert_operator(d, "RecAug", {"noise_prob": 1.0, "jitter_prob": 1.0}, "RecResizeImg")


def after(kind: type[wrappers.Wrapper], line: str = "wide_receipt.png") -> Make:
    """Return a maker of an engine that has run another line before."""
    return wrapped(wrappers.used(kind, LINES / line))


NO_EVAL_MODE = train_yml("RecResizeImg", eval_mode=None)
WIDE = "wide_invoice wide_receipt wide_dark wide_stroked"

WIDTHS: list[LineCase] = [
    case("R1 the evaluation squeezes", WIDE, "resize:width", inject=NO_EVAL_MODE),
    case(
        "R1 the evaluation squeezes, and the export's yml says it too",
        "wide_receipt just_wide doubled",
        "resize:width",
        inject=both(NO_EVAL_MODE, export_yml("RecResizeImg", eval_mode=None)),
    ),
    case("R1 SVTR's resize squeezes", "wide_invoice wide_dark", "resize:width", inject=svtr(is_padded=True)),
    case(
        "R1 a port squeezes",
        "wide_receipt wide_stroked",
        "resize:width",
        may=("max width",),
        make=port(size=hooks.squeezed()),
    ),
    case(
        "R9 a program of one width",
        "wide_invoice wide_dark",
        "resize:width",
        may=("max width",),
        make=port(size=hooks.at_most(160)),
    ),
    case("R2 narrower than image_shape", "short price digit", "resize:floor", make=port(size=hooks.without_floor)),
    case("R3 input_shape", "price wide_invoice spaces", "resize:input_shape", inject=options(input_shape=[3, 32, 160])),
    case("R3 a wider input_shape", "short wide_dark", "resize:input_shape", inject=options(input_shape=[3, 32, 320])),
    case("R4 in a batch with a wide line", "price short spaces", "resize:batch padding", make=wrapped(in_batch)),
    case("R5 ceil() for int()", "wide_invoice just_wide doubled", "resize:rounding", make=port(size=hooks.rounded_up)),
    case(
        "R6 height 48 in inference.yml",
        "price wide_invoice",
        "resize:height",
        inject=export_yml("RecResizeImg", image_shape=[3, 48, 160]),
    ),
    case(
        "R6 height 24 in inference.yml",
        "price short",
        "resize:height",
        inject=export_yml("RecResizeImg", image_shape=[3, 24, 160]),
    ),
    case("R7 the training stretches", "price wide_invoice", "resize:stretch", inject=svtr(is_padded=False)),
    case("R7 a port stretches", "price short wide_dark", "resize:stretch", make=port(size=hooks.stretched)),
    case("R11 wider than 3200 px", "very_wide", "resize:max width", inject=exports.very_wide),
    case(
        "R11 a port's most width",
        "wide_receipt wide_invoice",
        "resize:most width of a port",
        make=port(size=hooks.at_most(320)),
    ),
    case(
        "V4 image_shape in Global",
        "price short",
        "resize:leak",
        may=("image_shape",),
        inject=train_yml("Global", image_shape=[3, 32, 320]),
    ),
    case(
        "R13 eval_mode in Global",
        "wide_invoice",
        "resize:leak",
        may=("width",),
        inject=train_yml("Global", eval_mode=False),
    ),
    case(
        "image_shape in inference.yml",
        "price short",
        "resize:image_shape",
        inject=export_yml("RecResizeImg", image_shape=[3, 32, 320]),
    ),
    case(
        "image_shape in the training yml",
        "price spaces",
        "resize:image_shape",
        inject=train_yml("RecResizeImg", image_shape=[3, 32, 96]),
    ),
    case("R12 black padding", "price short", "tensor:padding value", make=port(pad=hooks.fill(-1))),
    case("R12 white padding", "price date", "tensor:padding value", make=port(pad=hooks.fill(1))),
    case("R12 grey 127 before normalising", "price short", "tensor:padding value", make=port(pad=hooks.fill(-1 / 255))),
    case("R12 the edge again", "price night", "tensor:padding value", make=port(pad=hooks.repeat_edge)),
    case("a line in the middle", "price short", "tensor:placement", make=port(pad=hooks.centred)),
    case("a line on the right", "price date", "tensor:placement", make=port(pad=hooks.on_the_right)),
    case("resized by area", "price wide_invoice", "resize:interpolation", make=port(shrink=hooks.shrink_by("AREA"))),
    case("resized cubically", "price colours", "resize:interpolation", make=port(shrink=hooks.shrink_by("CUBIC"))),
    case("resized to the nearest", "price small", "resize:interpolation", make=port(shrink=hooks.shrink_by("NEAREST"))),
    case("a line turned to grey", "red_on_cyan colours", "resize:pixels", make=port(prepare=hooks.grey)),
]

FILES: list[LineCase] = [
    case(
        "D1 DecodeImage missing in inference.yml",
        "red_on_cyan colours",
        "decode:channel order",
        inject=drop(EXPORT_YML, "DecodeImage"),
    ),
    case(
        "D1 img_mode in inference.yml",
        "red_on_cyan colours",
        "decode:channel order",
        inject=export_yml("DecodeImage", img_mode="RGB"),
    ),
    case(
        "D1 img_mode in the training yml",
        "colours red_on_cyan",
        "decode:channel order",
        inject=train_yml("DecodeImage", img_mode="RGB"),
    ),
    case("D1 a port that loads RGB", "red_on_cyan colours", "decode:channel order", make=port(load=hooks.load_rgb)),
    case(
        "D1 swapped by a port",
        "colours red_on_cyan",
        "tensor:channel order",
        make=port(finish=hooks.reversed_channels),
    ),
    case(
        "D4 EXIF ignored in training",
        "exif_orientation.jpg",
        "decode:orientation",
        inject=train_yml("DecodeImage", ignore_orientation=True),
    ),
    case("D4 EXIF ignored", "exif_orientation.jpg", "decode:orientation", make=port(load=hooks.load_as_stored)),
    case("O1 turned by half a turn", "price lookalikes", "decode:orientation", make=port(load=hooks.load_turned)),
    case("D4 alpha on white", "alpha", "decode:alpha", make=port(load=hooks.load_over(255))),
    case("D4 alpha on black", "alpha", "decode:alpha", make=port(load=hooks.load_over(0))),
    case(
        "D4 16 bits taken for 12",
        "sixteen_bit",
        "decode:other bits",
        make=port(load=hooks.load_deep(lambda deep: np.minimum(deep >> 4, 255).astype(np.uint8))),
    ),
    case("D4 16 bits kept", "sixteen_bit", "decode:bit depth", make=port(load=hooks.load_deep(lambda deep: deep))),
    case("D5 saved again as JPEG", "price wide_invoice", "decode:decoder", make=port(load=hooks.load_recoded)),
    case("D6 another JPEG decoder", "exif_orientation.jpg", "decode:decoder", make=port(load=hooks.load_with_noise)),
    case("D8 a PNG named .gif", "named.gif", "decode:file type", inject=exports.wrong_suffix),
    case("halved by a client", "price wide_invoice", "decode:scaled", make=port(load=hooks.load_halved)),
    case("cut by a client", "price date", "decode:cropped", make=port(load=hooks.load_cut)),
]

VALUES: list[LineCase] = [
    case("D2 0 to 1", "price wide_invoice", "tensor:mean and std", make=port(normalise=hooks.zero_to_one)),
    case("D2 ImageNet's statistics", "price red_on_cyan", "tensor:mean and std", make=port(normalise=hooks.imagenet)),
    case("D2 no /255", "price night", "tensor:scale", make=port(normalise=hooks.undivided)),
    case("normalised twice", "price date", "tensor:twice", make=port(normalise=hooks.twice)),
    case("a tensor in fp16", "price colours", "tensor:precision", make=port(finish=hooks.in_half)),
    case("HWC for CHW", "price wide_invoice", "tensor:axes", make=port(finish=hooks.as_hwc)),
    case(
        "D6 RecAug in Eval",
        "price wide_invoice",
        "decode/resize/tensor:random reference",
        inject=random_aug,
        mend=drop(TRAIN_YML, "RecAug"),
    ),
    case(
        "random preprocessing of a port",
        "price night",
        "decode/resize/tensor:random preprocessing",
        make=wrapped(wrappers.Jitters),
    ),
]

OF_LINES: list[LineCase] = [*WIDTHS, *FILES, *VALUES]

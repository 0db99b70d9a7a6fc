"""Near misses and foreign ports of recognisers: a cause almost fits; what may be said is the true one, or unknown."""

from __future__ import annotations

from typing import Any

import numpy as np

from faults.near_miss import kept, wrapped
from faults.recognition import exports, hooks, wrappers
from faults.recognition.case import LineCase, both, case, port
from faults.recognition.cases_lines import NO_EVAL_MODE, after, options, svtr
from faults.recognition.cases_models import entries, swapped, trained_entries
from faults.recognition.exports import changed, of_network, of_state
from faults.recognition.port import CTC, LETTERS

ANY = "price wide_invoice spaces"
NARROW = "price short date"
WIDE = "wide_invoice wide_receipt wide_dark"
TEXT_ALONE: dict[str, Any] = {"recorded": (), "has_source": False}
WITH_MAP: dict[str, Any] = {"recorded": ("tensor", "probability_map"), "has_source": False}


def near(kind: str, name: str, images: str, *expected: str, **more: Any) -> LineCase:
    return case(name, images, *expected, kind=kind, **more)


WIDTHS = [
    near(
        "padding", "filled up to a multiple of 64", NARROW, "resize:more padding", make=port(size=hooks.to_multiple(64))
    ),
    near(
        "padding",
        "filled up to 540 px, the width of another line",
        NARROW,
        "resize:more padding",
        make=port(size=hooks.at_least(540)),
    ),
    near("padding", "filled up to 8 px more", NARROW, "resize:more padding", make=port(size=hooks.to_multiple(168))),
    near("padding value", "filled up with noise", NARROW, "tensor:padding value", make=port(pad=hooks.fill_with_noise)),
    near(
        "padding value", "filled up with the picture again", NARROW, "tensor:padding value", make=port(pad=hooks.mirror)
    ),
    near(
        "padding value",
        "black, and 320 px",
        NARROW,
        "resize:more padding",
        may=("padding value",),
        make=port(size=hooks.at_least(320), pad=hooks.fill(-1)),
    ),
    near("width", "5 % wider characters", WIDE, "resize:width", make=port(size=hooks.scaled(1.05))),
    near(
        "width",
        "an even number of columns",
        "wide_invoice date small",
        "resize:rounding",
        may=("width",),
        make=port(size=hooks.even),
    ),
    near(
        "width",
        "squeezed into 320 px, as a program of that width",
        WIDE,
        "resize:most width of a port",
        may=("image_shape",),
        make=port(size=hooks.squeezed(320)),
    ),
    near(
        "width",
        "the evaluation squeezes and a port too, into less",
        WIDE,
        "resize:unknown",
        may=("width", "max width"),
        inject=NO_EVAL_MODE,
        make=lambda inference, followed: port(size=hooks.at_most(128))(inference, followed),
    ),
    near(
        "width",
        "SVTR's resize pads, and input_shape stretches",
        NARROW,
        "resize:input_shape",
        may=("width", "stretch"),
        inject=both(svtr(is_padded=True), options(input_shape=[3, 32, 160])),
    ),
    near(
        "height",
        "4 px free above and below",
        ANY,
        "resize:unknown",
        may=("pixels", "placement", "height"),
        make=port(shrink=hooks.shrink_within),
    ),
    near(
        "height",
        "a border of 3 px",
        ANY,
        "resize:unknown",
        may=("width", "pixels", "placement"),
        make=port(prepare=hooks.with_border),
    ),
]

PICTURES = [
    near(
        "resized otherwise",
        "resized in two steps",
        ANY,
        "resize:pixels",
        may=("interpolation",),
        make=port(shrink=hooks.shrink_in_two),
    ),
    near("resized otherwise", "blurred before it is resized", ANY, "resize:pixels", make=port(prepare=hooks.blurred)),
    near("pixels", "sharpened", ANY, "resize:pixels", make=port(after_resize=hooks.sharpened)),
    near("pixels", "gamma", ANY, "resize:pixels", make=port(prepare=hooks.with_gamma)),
    near("pixels", "black and white", ANY, "resize:pixels", make=port(prepare=hooks.binary)),
    near("pixels", "turned by two degrees", ANY, "resize:pixels", make=port(prepare=hooks.skewed)),
    near(
        "inverted",
        "inverted before it is resized",
        "wide_dark night price",
        "resize:pixels",
        make=port(prepare=hooks.inverted),
    ),
    near(
        "inverted",
        "a negative tensor",
        ANY,
        "tensor:unknown",
        may=("mean and std", "scale"),
        make=port(normalise=hooks.negative),
    ),
    near("values", "less contrast", ANY, "resize:pixels", make=port(after_resize=hooks.with_contrast)),
    near(
        "values",
        "normalised by the line's own mean",
        ANY,
        "tensor:mean and std",
        make=port(normalise=hooks.of_this_line),
    ),
    near("values", "divided by 128", ANY, "tensor:mean and std", may=("scale",), make=port(normalise=hooks.by_128)),
    near(
        "values",
        "left and right swapped in the tensor",
        ANY,
        "tensor:unknown",
        may=("axes", "orientation", "placement"),
        make=port(finish=hooks.turned_tensor),
    ),
    near(
        "colours",
        "grey, and loaded in RGB",
        "red_on_cyan colours night",
        "decode:channel order",
        may=("pixels", "decoder"),
        make=port(load=hooks.load_rgb, prepare=hooks.grey),
    ),
    near(
        "colours",
        "loaded as grey",
        "red_on_cyan colours night",
        "decode:decoder",
        may=("pixels",),
        make=port(load=hooks.load_grey),
    ),
    near(
        "colours",
        "RGB, nothing but tensor and map recorded",
        "red_on_cyan colours",
        "tensor:channel order",
        make=port(load=hooks.load_rgb, **WITH_MAP),
    ),
]

NETWORKS = [
    near(
        "weights",
        "another checkpoint in fp16",
        ANY,
        "probability_map:weights",
        inject=of_state(lambda state: exports.half(exports.moved(state))),
    ),
    near(
        "weights",
        "another checkpoint in int8",
        ANY,
        "probability_map:weights",
        inject=of_state(lambda state: exports.eight_bits(exports.moved(state))),
    ),
    near(
        "weights",
        "another checkpoint, an older one beside",
        ANY,
        "probability_map:weights",
        inject=both(of_state(exports.moved), exports.beside(exports.not_loaded)),
    ),
    near(
        "weights",
        "the directions of the BiLSTM swapped",
        ANY,
        "probability_map:weights",
        inject=of_state(exports.directions_swapped),
    ),
    near(
        "weights",
        "one row of the head",
        "wide_invoice spaces date",
        "probability_map:weights",
        inject=of_state(changed("classify.weight", lambda value: value * (1 + 0.1 * (np.arange(42) == 9)))),
    ),
    near(
        "precision",
        "fp16 that oneDNN does not mend",
        "date wide_invoice doubled",
        "probability_map:fp16",
        inject=of_state(exports.half),
        make=kept(wrappers.Wrapper),
    ),
    near(
        "map",
        "probabilities squared",
        ANY,
        "probability_map:own code",
        may=("graph",),
        make=port(after=hooks.tempered(2.0)),
    ),
    near(
        "map",
        "flatter probabilities",
        ANY,
        "probability_map:own code",
        may=("graph",),
        make=port(after=hooks.tempered(0.5)),
    ),
    near("map", "probabilities as bytes", ANY, "probability_map:own code", make=port(after=hooks.in_bytes)),
    near("map", "a timestep later", ANY, "probability_map:map", make=port(after=hooks.a_step_later)),
    near(
        "map",
        "softmax twice, and the product as score",
        ANY,
        "probability_map:softmax of a port",
        may=("score",),
        make=port(after=hooks.softmax, decode=CTC(score="product")),
    ),
    near(
        "buffer",
        "a wider buffer for the network",
        "date spaces doubled",
        "probability_map:unknown",
        may=("tiles", "own code"),
        make=port(run=hooks.wider(320)),
    ),
    near(
        "buffer",
        "columns of a line before, of several",
        NARROW,
        "resize/tensor:state",
        make=after(wrappers.KeepsColumns, "wide_dark.png"),
    ),
    near(
        "engine",
        "not repeatable, and another checkpoint",
        ANY,
        "probability_map:not repeatable",
        may=("weights",),
        inject=of_state(exports.moved),
        make=wrapped(wrappers.Racing),
    ),
    near(
        "outputs",
        "another output first, of weights of another checkpoint",
        ANY,
        "probability_map:unknown",
        may=("outputs", "weights", "other checkpoint"),
        inject=both(
            of_network("two_outputs", train_name="two_outputs"),
            lambda d: exports.beside(exports.moved)(d),
            lambda d: d.train.update(checkpoint="checkpoints/tiny_rec_latest"),
        ),
    ),
]

TEXTS = [
    near(
        "dictionary",
        "lower case by a port",
        "wide_invoice night lookalikes",
        "text:dictionary",
        make=port(spell=str.lower),
    ),
    near(
        "dictionary",
        "letters corrected among digits",
        "lookalikes",
        "text:unknown",
        make=port(spell=hooks.letters_for_digits),
    ),
    near(
        "dictionary",
        "all spaces dropped by a port",
        "spaces wide_invoice doubled_digits",
        "text:dictionary length",
        make=port(spell=lambda text: text.replace(" ", "")),
    ),
    near(
        "dictionary",
        "the last word alone",
        "wide_invoice spaces night",
        "text:unknown",
        make=port(spell=lambda text: text.rpartition(" ")[2]),
    ),
    near(
        "dictionary",
        "two lines swapped that this line has not",
        "lookalikes",
        "text:dictionary",
        inject=both(entries(swapped("0", "O")), entries(swapped("X", "Z"))),
    ),
    near(
        "dictionary",
        "both dictionaries changed, each otherwise",
        "price date",
        "text:dictionary",
        inject=both(trained_entries(swapped("0", "1")), entries(swapped("4", "5"))),
    ),
    near(
        "length",
        "cut after 10 characters",
        "wide_invoice wide_dark wide_receipt",
        "text:unknown",
        make=port(spell=lambda text: text[:10]),
    ),
    near(
        "length",
        "characters below 0.95 dropped",
        "wide_invoice small borderline",
        "text:unknown",
        make=port(decode=CTC(least=0.95)),
    ),
    near(
        "length",
        "lines below 0.96 dropped",
        "small faint alpha",
        "text:unknown",
        make=port(decode=lambda values: dropped_below(values, 0.96)),
    ),
    near("duplicates", "a spelling list that knows no EE", "doubled", "text:unknown", make=port(spell=hooks.squashed)),
    near(
        "duplicates",
        "the last character doubled by a port's text",
        ANY,
        "text:unknown",
        may=("duplicates",),
        make=port(spell=lambda text: text + text[-1:]),
    ),
    near(
        "duplicates",
        "repeats kept, nothing but the text",
        "spaces wide_invoice doubled",
        "text:unknown",
        may=("duplicates",),
        make=port(decode=CTC(repeats="kept"), **TEXT_ALONE),
    ),
    near(
        "direction",
        "words in the reverse order",
        "wide_invoice spaces night",
        "text:unknown",
        may=("direction",),
        make=port(spell=lambda text: " ".join(text.split(" ")[::-1])),
    ),
    near(
        "direction",
        "right to left on both sides, by other rules",
        "alpha wide_dark wide_invoice",
        "text:direction",
        inject=both(exports.right_to_left(is_named="arabic_PP-OCRv5_mobile_rec", in_train=True)),
    ),
    near("score", "in percent", ANY, "text:score", make=port(rate=lambda score: 100 * score)),
    near("score", "to one digit", "price spaces date", "text:score", make=port(rate=lambda score: round(score, 1))),
    near(
        "nothing but a text",
        "another dictionary",
        "price date",
        "text:unknown",
        may=("dictionary",),
        make=port(decode=CTC(letters=[*reversed(LETTERS[:-1]), " "]), **TEXT_ALONE),
    ),
    near(
        "nothing but a text",
        "a line squeezed",
        "wide_receipt wide_dark",
        "text:unknown",
        may=("width",),
        make=port(size=hooks.squeezed(), **TEXT_ALONE),
    ),
    near(
        "nothing but a text",
        "RGB read otherwise",
        "colours",
        "text:unknown",
        may=("channel order",),
        make=port(load=hooks.load_rgb, **TEXT_ALONE),
    ),
    near(
        "map without a source",
        "another dictionary, map recorded",
        "price date",
        "text:dictionary",
        make=port(decode=CTC(letters=[*reversed(LETTERS[:-1]), " "]), **WITH_MAP),
    ),
    near(
        "map without a source",
        "repeats kept, map recorded",
        "spaces wide_invoice doubled",
        "text:duplicates",
        make=port(decode=CTC(repeats="kept"), **WITH_MAP),
    ),
]


def dropped_below(values: Any, least: float) -> tuple[str, float]:
    text, score = CTC()(values)
    return (text, score) if score >= least else ("", 0.0)


NEAR_MISSES: list[LineCase] = [*WIDTHS, *PICTURES, *NETWORKS, *TEXTS]

"""Faults of networks, engines, dictionaries and decoders: the tensor is right, and what comes of it is not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from real.features import PADDLE

from faults.near_miss import wrapped
from faults.recognition import exports, hooks, wrappers
from faults.recognition.case import Inject, LineCase, both, case, port
from faults.recognition.cases_lines import (
    NO_EVAL_MODE,
    after,
    drop,
    export_yml,
    options,
    train_yml,
)
from faults.recognition.deployment import DICTIONARY, EXPORT_YML, LineDeployment
from faults.recognition.exports import changed, of_network, of_state
from faults.recognition.port import CTC, LETTERS

ANY = "price wide_invoice"

# The export again is the right one, whatever the case says.
NETWORKS: list[LineCase] = [
    case("W1 nothing loaded", ANY, "probability_map:not loaded", inject=of_state(exports.not_loaded)),
    case(
        "W2 another checkpoint, which lies beside",
        ANY,
        "probability_map:other checkpoint",
        inject=both(of_state(exports.moved), exports.beside(exports.moved)),
    ),
    case("W2 another checkpoint", ANY, "probability_map:weights", inject=of_state(exports.moved)),
    case(
        "W3 the head was skipped",
        ANY,
        "probability_map:partly loaded",
        inject=of_state(exports.without("classify.")),
    ),
    case(
        "W3 the BiLSTM was skipped",
        ANY,
        "probability_map:partly loaded",
        inject=of_state(exports.without("context.")),
    ),
    case(
        "one weight scaled",
        ANY,
        "probability_map:weights",
        inject=of_state(changed("squeeze.0.weight", lambda value: value * 1.05)),
    ),
    case(
        "one bias of the head",
        "lookalikes wide_invoice",
        "probability_map:weights",
        inject=of_state(changed("classify.bias", lambda value: value + 0.2 * (np.arange(len(value)) == 8))),
    ),
    case("W4 another sub-model", ANY, "probability_map:sub-model", inject=exports.other_sub_model),
    case(
        "W5 another output first",
        ANY,
        "probability_map:outputs",
        inject=of_network("two_outputs", train_name="two_outputs"),
    ),
    case("W5 a head with one class more", ANY, "probability_map:head", inject=exports.other_head(43, ["+"])),
    case(
        "W5 a head with three classes more", ANY, "probability_map:head", inject=exports.other_head(45, ["+", "=", "%"])
    ),
    case("W6 training mode", ANY, "probability_map:train mode", may=("softmax",), inject=of_network("", trains=True)),
    case("W7 no softmax", ANY, "probability_map:softmax", inject=of_network("logits")),
    case("W7 softmax twice", ANY, "probability_map:softmax", inject=of_network("twice")),
    case("W7 log-softmax", ANY, "probability_map:logarithms", inject=of_network("logarithms")),
    case("W7 softmax of a port", ANY, "probability_map:softmax of a port", make=port(after=hooks.softmax)),
    case("W7 logarithms of a port", ANY, "probability_map:logarithms", make=port(after=hooks.logarithm)),
    case("W8 classes before timesteps", ANY, "probability_map:map", make=port(after=hooks.turned_map)),
    case("W9 wrong fusion", ANY, "probability_map:fusion", inject=exports.wrong_fusion()),
    case("another graph", ANY, "probability_map:graph", inject=of_network("sharper")),
    case(
        "W12 an overflowed weight",
        ANY,
        "probability_map:not finite",
        inject=of_state(changed("backbone.0.0.weight", exports.overflowed)),
    ),
    case(
        "W12 NaN in the head",
        ANY,
        "probability_map:not finite",
        inject=of_state(changed("classify.bias", exports.not_a_number)),
    ),
    case(
        "a frozen branch",
        "wide_invoice wide_receipt",
        "probability_map:traced shape",
        inject=of_network("short", train_name="branching"),
        mend=of_network("", train_name="short"),
    ),
    case(
        "R9 a program of 160 px",
        "wide_invoice wide_dark",
        "probability_map:fixed shape",
        inject=of_network("frozen", shape=(1, 3, 32, 160)),
    ),
    case("a port that damps the map", ANY, "probability_map:own code", make=wrapped(wrappers.DampsMap)),
    case("probabilities smoothed by a port", ANY, "probability_map:own code", make=wrapped(wrappers.Smooths)),
    case("a network in parts", "wide_invoice wide_receipt", "probability_map:tiles", make=port(run=hooks.in_parts)),
]

ENGINES: list[LineCase] = [
    case(
        "E1 an optimisation of a stand-in engine",
        ANY,
        "probability_map:optimisation",
        make=wrapped(wrappers.BrokenPass),
    ),
    case("an engine that is not repeatable", ANY, "probability_map:not repeatable", make=wrapped(wrappers.Racing)),
    case("a recurrent state that goes on", ANY, "probability_map:state", make=after(wrappers.KeepsState)),
    case("columns of the line before", "price short", "resize/tensor:state", make=after(wrappers.KeepsColumns)),
    case("E2 kernels in fp16", "date wide_invoice", "probability_map:fp16", inject=of_state(exports.half)),
    case("E2 all weights in fp16", ANY, "probability_map:fp16", inject=of_state(exports.all_half)),
    case("E3 int8 per channel", ANY, "probability_map:int8", inject=of_state(exports.eight_bits)),
    case("E3 int8 per tensor", ANY, "probability_map:int8", inject=of_state(exports.eight_bits_per_tensor)),
]
if PADDLE.startswith("3.2."):
    ENGINES += [
        case(
            "E1 oneDNN of paddle 3.2",
            ANY,
            "probability_map:oneDNN",
            inject=both(of_network("resizing", train_name="resizing"), options(enable_mkldnn=True)),
        )
    ]


def entries(change: Any) -> Inject:
    """Change the list in inference.yml."""
    return lambda d: exports.dictionary(d, change)


def trained_entries(change: Any, *, end: str = "\n") -> Inject:
    """Change the file of the training, and leave the list of the export."""
    return lambda d: exports.trained_dictionary(d, change, end=end)


def swapped(one: str, other: str) -> Any:
    """Return what puts two entries in each other's place."""
    places = {one: other, other: one}
    return lambda letters: [places.get(each, each) for each in letters]


def without(letter: str) -> Any:
    return lambda letters: [each for each in letters if each != letter]


def duplicated(letters: list[str]) -> list[str]:
    """A dictionary in which 0 stands as O, twice."""
    return ["O" if each == "0" else each for each in letters]


def merged(letters: list[str]) -> list[str]:
    """The same without duplicates, filled up to its length."""
    return [*dict.fromkeys(duplicated(letters)), "+"]


def with_mark(letters: list[str]) -> list[str]:
    return ["\ufeff" + letters[0], *letters[1:]]


def with_blanks(letters: list[str]) -> list[str]:
    """An entry of two characters, of which the second is a space."""
    return ["I " if each == "I" else each for each in letters]


SHORTER = [each for each in LETTERS if each != " "]

DICTIONARIES: list[LineCase] = [
    case(
        "C1 another language",
        ANY,
        "text:dictionary",
        inject=entries(lambda letters: [chr(0x0430 + index) for index in range(len(letters))]),
    ),
    case(
        "C1 lower case",
        "night wide_invoice",
        "text:dictionary",
        inject=entries(lambda letters: [each.lower() for each in letters]),
    ),
    case(
        "C1 another file in training",
        "price date",
        "text:dictionary",
        inject=trained_entries(lambda letters: letters[::-1]),
    ),
    case("C1 a port's own", ANY, "text:dictionary", make=port(decode=CTC(letters=[*reversed(SHORTER), " "]))),
    case("C3 sorted", "punctuation date", "text:dictionary", inject=entries(sorted)),
    case("C3 two lines swapped", "lookalikes price", "text:dictionary", inject=entries(swapped("0", "O"))),
    case(
        "C3 a line inserted, the last one lost",
        ANY,
        "text:dictionary",
        inject=entries(lambda letters: [*letters[:1], "+", *letters[1:-1]]),
    ),
    case(
        "C3 a line lost, one more at the end",
        "night date",
        "text:dictionary",
        inject=entries(lambda letters: [*letters[1:], "+"]),
    ),
    case(
        "C4 a line inserted",
        "night price",
        "text:dictionary length",
        inject=entries(lambda letters: [*letters[:1], "+", *letters[1:]]),
    ),
    case(
        "C4 a space as first line",
        "price spaces",
        "text:dictionary length",
        inject=entries(lambda letters: [" ", *letters]),
    ),
    case(
        "C4 no space in a port",
        "spaces wide_invoice",
        "text:dictionary length",
        make=port(decode=CTC(letters=SHORTER)),
    ),
    case(
        "C5 a space in the place of a colon",
        "punctuation wide_receipt",
        "text:dictionary",
        inject=entries(lambda letters: [" " if each == ":" else each for each in letters]),
    ),
    case(
        "C6 duplicates taken out",
        "price wide_receipt",
        "text:dictionary",
        inject=both(trained_entries(duplicated), entries(merged)),
    ),
    case(
        "C7 CRLF kept by a port",
        "price short",
        "text:dictionary",
        make=port(decode=CTC(letters=[*(f"{each}\r" for each in SHORTER), " "])),
    ),
    case("C9 a byte order mark", "price wide_receipt", "text:dictionary", inject=trained_entries(with_mark)),
    case(
        "C10 U+0085 as a space",
        "punctuation",
        "text:dictionary",
        inject=both(
            trained_entries(lambda letters: ["\x85" if each == ":" else each for each in letters]),
            entries(lambda letters: [" " if each == ":" else each for each in letters]),
        ),
    ),
    case(
        "C11 entries stripped",
        "lookalikes wide_invoice",
        "text:dictionary",
        inject=trained_entries(with_blanks),
    ),
    case("C12 the blank is last in a port", ANY, "text:blank", make=port(decode=CTC(blank=-1))),
    case("C12 no blank in a port", ANY, "text:blank", make=port(decode=CTC(letters=["_", *LETTERS], blank=None))),
]

DECODERS: list[LineCase] = [
    case("P1 repeats kept", "date wide_invoice doubled", "text:duplicates", make=port(decode=CTC(repeats="kept"))),
    case("P1 one character twice", "date wide_invoice", "text:duplicates", make=port(decode=CTC(repeats="first kept"))),
    case(
        "P1 blanks dropped before repeats",
        "doubled doubled_digits",
        "text:duplicates",
        make=port(decode=CTC(repeats="dropped late")),
    ),
    case("P3 the product as score", "price wide_invoice", "text:score", make=port(decode=CTC(score="product"))),
    case("P3 the least as score", "price lookalikes", "text:score", make=port(decode=CTC(score="least"))),
    case("P3 the best of each run as score", "date wide_dark", "text:score", make=port(decode=CTC(score="best"))),
    case("P3 the mean of all timesteps as score", ANY, "text:score", make=port(decode=CTC(score="all"))),
    case("P6 a port that reverses", "price wide_invoice", "text:direction", make=port(spell=lambda text: text[::-1])),
    case(
        'P6 "arabic" in the path of the dictionary',
        "night doubled",
        "text:direction",
        inject=exports.right_to_left(is_named="PP-OCRv5_mobile_rec", in_train=True),
    ),
    case(
        "P6 an Arabic model's name",
        "night colours",
        "text:direction",
        inject=exports.right_to_left(is_named="arabic_PP-OCRv5_mobile_rec", in_train=False),
    ),
]


def both_dictionaries(change: Any) -> Inject:
    return both(trained_entries(change), entries(change))


def refused(name: str, inject: Inject, said: str) -> LineCase:
    """Write a case that is refused before any line is run."""
    return case(name, "price", "load:unknown", inject=inject, refused=said)


def nrtr(d: LineDeployment) -> None:
    d.edit(EXPORT_YML, lambda document: document["PostProcess"].update(name="NRTRLabelDecode"))


def random_in_export(d: LineDeployment) -> None:
    d.edit(EXPORT_YML, lambda document: document["PreProcess"]["transform_ops"].insert(1, {"RecAug": None}))


def no_name(d: LineDeployment) -> None:
    d.edit(EXPORT_YML, lambda document: document["Global"].update(model_name="my_rec"))


def old_mac_ends(d: LineDeployment) -> None:
    exports.trained_dictionary(d, lambda letters: letters, end="\r")


def no_dictionary(d: LineDeployment) -> None:
    (d.folder / DICTIONARY).unlink()


REFUSALS: list[LineCase] = [
    refused("C2 no character_dict", entries(lambda letters: None), r"character_dict"),
    refused("C4 a line lost", entries(lambda letters: letters[1:]), r"character_dict .*39"),
    refused("C4 use_space_char in training", train_yml("Global", use_space_char=False), r"use_space_char: true"),
    refused("C8 lone CR", old_mac_ends, r"dictionary"),
    refused("C10 numbers without quotes", entries(lambda letters: [*range(10), *letters[10:]]), r"character_dict"),
    refused("C1 no dictionary in training", no_dictionary, r"no dictionary at"),
    refused("C13 a head of another dictionary", exports.other_head(45, []), r"character_dict .*40"),
    refused(
        "E6 CTCLabelEncode",
        lambda d: exports.replace_operator(d, EXPORT_YML, "MultiLabelEncode", "CTCLabelEncode"),
        r"CTCLabelEncode",
    ),
    refused(
        "E6 SVTRRecResizeImg",
        lambda d: exports.replace_operator(d, EXPORT_YML, "RecResizeImg", "SVTRRecResizeImg", image_shape=[3, 32, 160]),
        r"SVTRRecResizeImg",
    ),
    refused("E6 NRTRLabelDecode", nrtr, r"NRTRLabelDecode"),
    refused("E6 a name that paddlex does not know", no_name, r"my_rec"),
    refused("D3 GRAY in inference.yml", export_yml("DecodeImage", img_mode="GRAY"), r"GRAY"),
    refused("D3 one channel", export_yml("RecResizeImg", image_shape=[1, 32, 160]), r"image_shape is \[1, 32, 160\]"),
    refused("D6 RecAug in inference.yml", random_in_export, r"RecAug"),
    refused("no RecResizeImg", drop(EXPORT_YML, "RecResizeImg"), r"RecResizeImg"),
]

PAIRS: list[LineCase] = [
    case(
        "the evaluation squeezes, and a sorted dictionary",
        "wide_receipt wide_dark",
        "resize:width",
        "text:dictionary",
        inject=both(NO_EVAL_MODE, entries(sorted)),
    ),
    case(
        "RGB and input_shape",
        "red_on_cyan colours",
        "decode:channel order",
        "resize:input_shape",
        inject=both(export_yml("DecodeImage", img_mode="RGB"), options(input_shape=[3, 32, 160])),
    ),
    case(
        "another checkpoint and another dictionary",
        ANY,
        "probability_map:weights",
        "text:dictionary",
        inject=both(of_state(exports.moved), entries(lambda letters: letters[::-1])),
    ),
    case(
        "no softmax and repeats kept",
        ANY,
        "probability_map:softmax",
        "text:duplicates",
        inject=of_network("logits"),
        make=port(decode=CTC(repeats="kept")),
    ),
    case(
        "0 to 1 and reversed",
        ANY,
        "tensor:mean and std",
        "text:direction",
        make=port(normalise=hooks.zero_to_one, spell=lambda text: text[::-1]),
    ),
    case(
        "black padding and the product as score",
        "price date",
        "tensor:padding value",
        "text:score",
        make=port(pad=hooks.fill(-1), decode=replace(CTC(), score="product")),
    ),
]

OF_MODELS: list[LineCase] = [*NETWORKS, *ENGINES, *DICTIONARIES, *DECODERS, *REFUSALS, *PAIRS]

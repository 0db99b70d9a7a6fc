"""The third table: kinds of hand-written deployments, each with what may be said of it.

The list is frozen: it was written without looking at `diagnose/` and before what answers it. A kind is a server with
some choices made otherwise, in plain values; `test_the_list_is_frozen` holds its digest. What may change is `NAMES`:
a code that docs/reference/causes.md gets later for a concept is added to that concept's codes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from faults.server import Server
from faults.server_boxes import Numbers

NAMES: Mapping[str, tuple[str, ...]] = {
    # the post-process
    "thresh": ("postprocess.thresh",),
    "box_thresh": ("postprocess.box_thresh",),
    "unclip": ("postprocess.unclip_ratio",),
    "grown": ("postprocess.unclip_ratio", "postprocess.unclip", "postprocess.grown"),
    "dilation": ("postprocess.use_dilation",),
    "erosion": ("postprocess.use_dilation", "postprocess.erosion", "postprocess.morphology"),
    "score mode": ("postprocess.score_mode",),
    "box type": ("postprocess.box_type",),
    "upright": ("postprocess.box_type", "postprocess.upright", "postprocess.axis_aligned"),
    "small boxes": ("postprocess.filter",),
    "second threshold": ("postprocess.box_thresh", "postprocess.filter", "postprocess.score_filter"),
    "the best": ("postprocess.top_k", "postprocess.filter", "postprocess.score_filter"),
    "outlines": ("postprocess.max_candidates",),
    "joined": ("postprocess.merged", "postprocess.merging", "pipeline.boxes", "pipeline.own_code"),
    "map size": ("postprocess.map_size", "postprocess.resized_map", "postprocess.map_resized"),
    "score order": ("postprocess.score_order",),
    "score values": ("postprocess.scores", "postprocess.score_scale"),
    # the size
    "limits": ("resize.limits",),
    "one size": ("resize.image_shape", "resize.input_shape", "resize.fixed_size"),
    "rounding": ("resize.rounding",),
    "multiple": ("resize.rounding", "resize.multiple", "resize.stride"),
    "interpolation": ("resize.interpolation",),
    # the picture
    "padding": (
        "resize.padding",
        "resize.letterbox",
        "resize.placement",
        "tensor.padding",
        "tensor.letterbox",
        "tensor.placement",
        "layout.padding",
    ),
    "crop": ("decode.cropped", "decode.crop", "resize.crop", "resize.placement", "tensor.crop", "tensor.placement"),
    "client": ("decode.scaled", "decode.resized", "decode.client_scaling", "decode.size", "resize.client_scaling"),
    "turned": ("decode.orientation", "resize.orientation"),
    "orientation": ("decode.orientation",),
    "alpha": ("decode.alpha",),
    "jpeg": ("decode.pixels", "decode.jpeg", "resize.pixels"),
    "loaded grey": ("decode.grey", "decode.gray", "decode.pixels", "resize.pixels"),
    "fed grey": ("decode.grey", "resize.grey", "tensor.grey", "resize.gray", "tensor.gray", "resize.pixels"),
    "fed pixels": ("resize.pixels", "tensor.pixels", "preprocessing.own_code", "resize.own_code"),
    "channels": ("decode.channel_order",),
    # the tensor
    "mean and std": ("normalize.mean_std",),
    "order of mean and std": ("normalize.mean_std_order", "normalize.mean_std"),
    "scale": ("normalize.scale",),
    "twice": ("normalize.twice",),
    "not normalised": ("normalize.mean_std", "normalize.missing"),
    "numbers": (
        "normalize.precision",
        "tensor.precision",
        "tensor.fp16",
        "tensor.uint8",
        "tensor.rounded",
        "precision.tensor",
    ),
    "axes": ("layout.axes",),
    # the map
    "map": ("network.own_code", "probability_map.pointwise", "network.pointwise", "network.map_function"),
    "map moved": ("network.own_code", "probability_map.size", "network.map_size", "layout.map"),
    "tiled map": ("network.own_code", "network.tiles", "engine.tiles"),
    # the coordinates
    "frame": ("rescale.frame",),
    "ratio": ("rescale.ratio",),
    "offset": ("rescale.offset",),
    "box axes": ("rescale.axes",),
    "corners": ("rescale.corners", "rescale.points", "postprocess.corners"),
    "clipped": ("rescale.clipped", "rescale.clip", "postprocess.clip"),
    "rounded": ("rescale.rounding", "rescale.rounded"),
    "mirrored": ("rescale.axes", "rescale.mirrored", "rescale.orientation"),
    "wider": ("postprocess.grown", "rescale.grown", "postprocess.unclip"),
    # more than one page, more than one pass
    "memory": ("engine.state", "preprocessing.state", "postprocess.state", "pipeline.state"),
    "whole": ("pipeline.own_code", "pipeline.boxes", "pipeline.tiles", "pipeline.whole"),
}
"""By concept, the codes that state it: those of docs/reference/causes.md, else those that one would expect there."""

PAGES = ("curved.png", "colours.png", "receipt.png")
OBLONG = ("colours.png", "odd_size.png", "receipt.png")
COLOURED = ("rotated.jpg", "colours.png", "poster.jpg")
TILTED = ("rotated.jpg", "tiny_text.png", "dense.png")
MANY = ("curved.png", "odd_size.png", "receipt.png")


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One kind of deployment.

    Attributes:
        name: what is done.
        family: what kinds are alike.
        choices: the `Server`'s that differ.
        post: the post-process's numbers that differ.
        names: the concepts at fault, each of which must be named.
        also: concepts that may be named as well, as they are true too, or the same thing on this page.
        pages: the pages on which it shows; CI takes the first, which costs least.
        train: (limit_side_len, limit_type) of the training yml, where it is not the usual one.
        before: the pages that the server saw before.
    """

    name: str
    family: str
    choices: Mapping[str, Any]
    post: Mapping[str, Any]
    names: tuple[str, ...]
    also: tuple[str, ...] = ()
    pages: tuple[str, ...] = PAGES
    train: tuple[int, str] | None = None
    before: tuple[str, ...] = ()

    def server(self) -> Server:
        """Return this deployment, newly started."""
        return replace(self.twin(), **self.choices, post=replace(Numbers(), **self.post))

    def twin(self) -> Server:
        """Return the right one."""
        return Server() if self.train is None else Server(limit=self.train)


def kinds(family: str, *rows: tuple[str, str, Mapping[str, Any]], **common: Any) -> list[Kind]:
    """Write a family: (name, "concept, concept", choices), where choices may hold attributes of the kind as well."""
    made = []
    for name, names, choices in rows:
        choices = {**common, **choices}
        own = {key: choices.pop(key) for key in ("also", "pages", "train", "before", "post") if key in choices}
        values = {"post": {}, **own}
        made.append(Kind(name=name, family=family, choices=choices, names=tuple(names.split(", ")), **values))
    return made


POSTPROCESS = kinds(
    "post-process",
    ("thresh 0.2", "thresh", {"post": {"thresh": 0.2}}),
    ("thresh 0.45", "thresh", {"post": {"thresh": 0.45}}),
    ("box_thresh 0.7", "box_thresh", {"post": {"box_thresh": 0.7}, "pages": OBLONG}),
    ("box_thresh 0.4", "box_thresh", {"post": {"box_thresh": 0.4}, "pages": ("dense.png", "tiny_text.png")}),
    ("unclip 1.2", "unclip", {"post": {"unclip": 1.2}, "pages": OBLONG}),
    ("unclip 2.0", "unclip", {"post": {"unclip": 2.0}, "pages": OBLONG}),
    ("grown by 6 px, whatever the size", "grown", {"post": {"grow": 6}, "pages": OBLONG}),
    ("dilated by 2x2", "dilation", {"post": {"kernel": 2}}),
    ("dilated by 3x3", "dilation", {"post": {"kernel": 3}, "pages": OBLONG}),
    ("eroded by 2x2", "erosion", {"post": {"kernel": -2}}),
    ("slow scores", "score mode", {"post": {"score": "slow"}, "pages": ("curved.png", "rotated.jpg", "dense.png")}),
    ("largest value as score", "score mode", {"post": {"score": "max"}, "also": ("score values",)}),
    ("upright boxes", "upright", {"post": {"is_upright": True}, "pages": TILTED}),
    ("polygons", "box type", {"post": {"is_polygon": True}, "pages": ("curved.png", "rotated.jpg", "receipt.png")}),
    ("first 4 outlines", "outlines", {"post": {"outlines": 4}}),
)
FILTERS = kinds(
    "filter",
    (
        "boxes below 24 px of the page dropped",
        "small boxes",
        {"least_px": 24, "pages": ("odd_size.png", "receipt.png", "half_stride.png")},
    ),
    (
        "boxes below 14 px of the map dropped",
        "small boxes",
        {"post": {"least": 14}, "pages": ("curved.png", "receipt.png")},
    ),
    ("a second threshold of 0.7", "second threshold", {"least_score": 0.7, "pages": OBLONG}),
    ("the best 3", "the best", {"best": 3, "pages": MANY}),
    ("joined in rows", "joined", {"joined": 120, "pages": ("odd_size.png", "dense.png", "poster.jpg")}),
    ("scores sorted, boxes not", "score order", {"scores": "sorted", "pages": MANY}),
    ("scores one box further", "score order", {"scores": "one further"}),
    ("scores x 0.7", "score values", {"scores": "x 0.7"}),
)
SIZES = kinds(
    "size",
    ("960/max", "limits", {"limit": (960, "max"), "pages": ("curved.png", "colours.png", "poster.jpg")}),
    ("64/min", "limits", {"limit": (64, "min")}),
    ("960/min", "limits", {"limit": (960, "min")}),
    ("320/max", "limits", {"limit": (320, "max")}),
    ("736/min where train has 960/max", "limits", {"limit": (736, "min"), "train": (960, "max")}),
    (
        "64/min where train has 640/max",
        "limits",
        {"limit": (64, "min"), "train": (640, "max"), "pages": ("poster.jpg", "half_stride.png")},
    ),
    ("640x640", "one size", {"fixed": (640, 640), "pages": OBLONG}),
    ("960x960", "one size", {"fixed": (960, 960), "pages": OBLONG}),
    ("736x1280", "one size", {"fixed": (736, 1280), "pages": OBLONG}),
    ("floor", "rounding", {"rounding": "floor", "pages": ("half_stride.png", "colours.png", "receipt.png")}),
    ("ceil", "rounding", {"rounding": "ceil", "pages": ("half_stride.png", "odd_size.png", "poster.jpg")}),
    (
        "(n / 32 - 1) * 32 of the demo for phones",
        "rounding",
        {"rounding": "lite", "also": ("limits",), "pages": ("half_stride.png", "colours.png", "receipt.png")},
    ),
    ("half up, as C++ does", "rounding", {"rounding": "half up", "pages": ("half_stride.png",)}),
    ("multiples of 128", "multiple", {"multiple": 128}),
)
PADDINGS = kinds(
    "padding",
    ("padded to 32, black", "padding", {"fit": "pad", "pages": ("half_stride.png", "odd_size.png", "receipt.png")}),
    ("letterbox 960, top left, black", "padding", {"fit": "letterbox", "fixed": (960, 960)}),
    ("letterbox 960, middle, grey", "padding", {"fit": "letterbox", "fixed": (960, 960), "at": 0.5, "fill": 114}),
    ("letterbox 960, bottom right, white", "padding", {"fit": "letterbox", "fixed": (960, 960), "at": 1, "fill": 255}),
    ("letterbox 640, middle, grey", "padding", {"fit": "letterbox", "fixed": (640, 640), "at": 0.5, "fill": 114}),
    ("square of 1280, not enlarged", "padding", {"fit": "square", "fixed": (1280, 1280)}),
    (
        "letterbox 960, offset left in",
        "padding, offset",
        {"fit": "letterbox", "fixed": (960, 960), "at": 0.5, "is_undone": False},
    ),
    (
        "letterbox 960, boxes scaled by the square",
        "padding, ratio",
        {"fit": "letterbox", "fixed": (960, 960), "ratio": "of the whole"},
    ),
    ("batch padding to 1024x1312", "padding", {"fit": "batch", "fixed": (1024, 1312)}),
    ("white border of 30 px", "padding", {"border": 30}),
    ("white border of 30 px, left in", "padding, offset", {"border": 30, "is_undone": False}),
    pages=OBLONG,
)
CLIENTS = kinds(
    "client",
    ("halved by a client", "client", {"client": 0.5}),
    ("enlarged by half by a client", "client", {"client": 1.5}),
    (
        "halved by a client, boxes not scaled back",
        "client, ratio",
        {"client": 0.5, "is_undone": False, "also": ("frame",)},
    ),
    ("margins of 20 px cut", "crop", {"crop": 20}),
    ("margins of 20 px cut, origin forgotten", "crop, offset", {"crop": 20, "is_undone": False}),
    pages=MANY,
)
TURNS = kinds(
    "turn",
    ("a wide page turned left", "turned", {"turn": 1}),
    ("a wide page turned right", "turned", {"turn": 3}),
    (
        "a wide page turned, boxes not turned back",
        "turned",
        {"turn": 1, "is_undone": False, "also": ("box axes", "mirrored", "corners")},
    ),
    ("EXIF ignored", "orientation", {"exif": False, "pages": ("exif_orientation.jpg",)}),
    pages=OBLONG,
)
INTERPOLATIONS = kinds(
    "interpolation",
    *(
        (name, "interpolation", {"how": name})
        for name in ("area", "cubic", "nearest", "lanczos4", "pillow bilinear", "pillow bicubic")
    ),
)
PIXELS = kinds(
    "pixels",
    ("JPEG of quality 95 by a client", "jpeg", {"jpeg": 95}),
    ("JPEG of quality 75 by a client", "jpeg", {"jpeg": 75}),
    ("JPEG of quality 30 by a client", "jpeg", {"jpeg": 30}),
    ("grey by a client", "loaded grey", {"touch": "grey", "touch_at": "client", "pages": COLOURED}),
    ("grey in the server", "fed grey", {"touch": "grey", "pages": COLOURED}),
    ("light evened out", "fed pixels", {"touch": "equalised"}),
    ("inverted", "fed pixels", {"touch": "inverted"}),
    ("alpha on white", "alpha", {"alpha": "white", "pages": ("alpha.png",)}),
)
NUMBERS = kinds(
    "numbers",
    ("RGB fed", "channels", {"channels": "rgb", "pages": COLOURED}),
    ("RGB loaded for BGR", "channels", {"channels": "rgb as bgr", "pages": COLOURED}),
    ("mean and std of 0.5", "mean and std", {"mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)}),
    (
        "CLIP's mean and std",
        "mean and std",
        {"mean": (0.48145466, 0.4578275, 0.40821073), "std": (0.26862954, 0.26130258, 0.27577711)},
    ),
    ("std of 1", "mean and std", {"std": (1.0, 1.0, 1.0)}),
    ("statistics of RGB", "order of mean and std", {"mean": (0.406, 0.456, 0.485), "std": (0.225, 0.224, 0.229)}),
    ("0 to 1, not normalised", "not normalised", {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}),
    ("0 to 255, normalised", "scale", {"scale": 1.0}),
    ("divided by 255 twice", "scale", {"scale": 1 / 255 / 255}),
    ("normalised twice", "twice", {"rounds": 2}),
    ("tensor in float16", "numbers", {"numbers": "float16"}),
    ("tensor in bfloat16", "numbers", {"numbers": "bfloat16"}),
    ("tensor in uint8", "numbers", {"numbers": "uint8"}),
    ("HWC handed over as CHW", "axes", {"numbers": "hwc"}),
    ("rows and columns swapped", "axes", {"numbers": "chw of (w, h)", "pages": OBLONG}),
)
MAPPED = kinds(
    "map",
    *(
        (f"map {name}", "map", {"read": name})
        for name in (
            "logits",
            "sigmoid twice",
            "x 0.85",
            "x 1.2",
            "+ 0.1",
            "squared",
            "at most 0.9",
            "in 8 bits",
            "0 to 255",
            "1 - p",
            "binary",
        )
    ),
    ("map at half the size", "map moved", {"read": "half the size"}),
    ("map at twice the size", "map moved", {"read": "twice the size"}),
    ("map blurred", "map moved", {"read": "blurred"}),
    ("map moved down", "map moved", {"read": "one row down"}),
    ("map scaled to the page, then cut", "map size", {"is_sized_first": True, "pages": ("tiny_text.png", *MANY)}),
)
COORDINATES = kinds(
    "coordinates",
    ("pixels of the map", "frame", {"ratio": "none", "also": ("ratio",)}),
    (
        "ratio of the height for both",
        "ratio",
        {"ratio": "of the height", "pages": OBLONG},
    ),
    ("ratios swapped", "ratio", {"ratio": "swapped", "pages": OBLONG}),
    (
        "ratio of the size before rounding",
        "ratio",
        {"ratio": "of the limit", "pages": OBLONG},
    ),
    ("ratio to one digit", "ratio", {"ratio": "to one digit"}),
    ("ratio taken twice", "ratio", {"ratio": "twice"}),
    ("(y, x)", "box axes", {"corners": "(y, x)"}),
    ("0 to 1", "frame", {"corners": "0 to 1", "also": ("ratio",)}),
    ("0 to 1000", "frame", {"corners": "0 to 1000", "also": ("ratio",)}),
    ("5 px further", "offset", {"corners": "5 px further"}),
    ("wider by 4 px", "wider", {"corners": "wider by 4 px"}),
    ("down to multiples of 10", "rounded", {"corners": "down to 10 px"}),
    ("counted from below", "mirrored", {"corners": "from below"}),
    (
        "clipped to 640x640",
        "clipped",
        {"corners": "within 640x640", "pages": ("half_stride.png", "dense.png", "poster.jpg")},
    ),
    ("clipped to the middle of the page", "clipped", {"corners": "within a tenth", "pages": OBLONG}),
    (
        "corners of the upright box",
        "corners",
        {"corners": "corners of upright", "also": ("upright",), "pages": ("curved.png", "rotated.jpg")},
    ),
    ("two corners for four", "corners", {"corners": "two corners"}),
    ("(x, y, width, height) as two corners", "corners", {"corners": "sides for corners"}),
    ("corners sorted by x", "corners", {"corners": "sorted by x"}),
)
MEMORIES = kinds(
    "memory",
    ("a buffer that grows", "memory", {"memory": "buffer", "also": ("padding",)}),
    ("a buffer that grows and is not wiped", "memory", {"memory": "dirty", "also": ("padding",)}),
    ("the size of the first page", "memory", {"memory": "size", "also": ("one size",)}),
    ("the ratio of the first page", "memory", {"memory": "ratio", "also": ("ratio",)}),
    ("the boxes of the page before", "memory", {"memory": "boxes"}),
    before=("poster.jpg",),
)
TILES = kinds(
    "tiles",
    ("the network in tiles of 320 px", "tiled map", {"tile": 320}),
    ("pages in tiles of 256 px", "whole", {"page_tile": 256}),
    ("pages in tiles of 400 px", "whole", {"page_tile": 400, "pages": ("receipt.png", "odd_size.png", "poster.jpg")}),
)
HALF = (0.5, 0.5, 0.5)
PAIRS = kinds(
    "pair",
    (
        "RapidOCR's defaults",
        "mean and std, box_thresh, unclip, dilation",
        {"mean": HALF, "std": HALF, "post": {"box_thresh": 0.5, "unclip": 1.6, "kernel": 2}},
    ),
    (
        "slow scores and boxes below 24 px dropped",
        "score mode, small boxes",
        {"least_px": 24, "post": {"score": "slow"}, "pages": ("odd_size.png", "dense.png")},
    ),
    (
        "PaddleOCR()'s 64/min and box_thresh 0.7",
        "limits, box_thresh",
        {"limit": (64, "min"), "post": {"box_thresh": 0.7}, "pages": OBLONG},
    ),
    ("mean of 0.5 and unclip 2.0", "mean and std, unclip", {"mean": HALF, "std": HALF, "post": {"unclip": 2.0}}),
    (
        "960/max by area",
        "limits, interpolation",
        {"limit": (960, "max"), "how": "area", "pages": ("odd_size.png", "colours.png", "poster.jpg")},
    ),
    ("960/max and RGB", "limits, channels", {"limit": (960, "max"), "channels": "rgb", "pages": COLOURED}),
    (
        "letterbox 960 and mean of 0.5",
        "padding, mean and std",
        {"fit": "letterbox", "fixed": (960, 960), "mean": HALF, "std": HALF, "pages": OBLONG},
    ),
    ("thresh 0.45 and 5 px further", "thresh, offset", {"corners": "5 px further", "post": {"thresh": 0.45}}),
    ("Pillow and map x 0.85", "interpolation, map", {"how": "pillow bilinear", "read": "x 0.85"}),
    (
        "unclip 2.0 and box_thresh 0.7",
        "unclip, box_thresh",
        {"post": {"unclip": 2.0, "box_thresh": 0.7}, "pages": OBLONG},
    ),
)

KINDS: list[Kind] = [
    *POSTPROCESS,
    *FILTERS,
    *SIZES,
    *PADDINGS,
    *CLIENTS,
    *TURNS,
    *INTERPOLATIONS,
    *PIXELS,
    *NUMBERS,
    *MAPPED,
    *COORDINATES,
    *MEMORIES,
    *TILES,
    *PAIRS,
]


def digest() -> str:
    """Return a digest of the list: of what each kind does, where, and which concepts it may be called by."""
    text = json.dumps([asdict(kind) for kind in KINDS], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()

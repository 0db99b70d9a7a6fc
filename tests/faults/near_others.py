"""Near misses of two faults at once, of engines without source, and of what a port declares."""

from __future__ import annotations

from typing import Any

from faults import box_hooks, page_hooks, wrappers
from faults.cases import NO_LIMITS, both, export_yml, options
from faults.foreign import DB
from faults.near_boxes import weights
from faults.near_miss import CLOSE, NearMiss, Table, kept, port, wrapped
from faults.near_pages import PLACED, letterbox
from faults.ports import SharpensMap

IMAGES = ("curved.png", "colours.png", "receipt.png")
COLOURED = ("rotated.jpg", "colours.png", "poster.jpg")
MANY = ("curved.png", "odd_size.png", "receipt.png")


def filter_of(pixels: float) -> Any:
    return box_hooks.keeping(lambda i, box, score, boxes: box_hooks.shorter_side(box) >= pixels)


pair = Table("two faults", IMAGES)
BOTH = "both are at fault, and following the fix of one alone does not mend it"
UNCLIP, FILTER, LIMITS = "postprocess.unclip_ratio", "postprocess.filter", "resize.limits"
ORDER, MEAN_STD, OFFSET = "decode.channel_order", "normalize.mean_std", "rescale.offset"
PAIRS = [
    pair(
        "A14 unclip 2.0 and a filter of 20 px",
        port({UNCLIP: ("db",), FILTER: ("finish",)}, db=DB(unclip=2.0), finish=filter_of(20)),
        f"detections:{UNCLIP}",
        UNCLIP,
        FILTER,
        also=FILTER,
        because=BOTH,
        images=MANY,
    ),
    pair(
        "RGB and 960/max",
        port(
            {ORDER: ("normalise",), LIMITS: ("size",)},
            normalise=page_hooks.reversed_channels,
            size=page_hooks.limits(960, "max"),
        ),
        f"resize:{LIMITS}",
        LIMITS,
        ORDER,
        also=ORDER,
        because=BOTH,
        images=("colours.png", "odd_size.png", "exif_orientation.jpg"),
    ),
    pair(
        "mean of 0.5 and an offset of 4 px",
        port(
            {MEAN_STD: ("normalise",), OFFSET: ("place",)},
            normalise=page_hooks.by_statistics([0.5] * 3, [0.5] * 3),
            place=box_hooks.moved(lambda box: box + 4),
        ),
        f"tensor:{MEAN_STD}",
        MEAN_STD,
        OFFSET,
        also=OFFSET,
        because=BOTH,
    ),
    pair(
        "letterbox and mean of 0.5",
        port(
            {MEAN_STD: ("normalise",), "resize.padding": PLACED},
            **letterbox(114, 0.5),
            normalise=page_hooks.by_statistics([0.5] * 3, [0.5] * 3),
        ),
        "resize:resize.padding",
        "resize.padding",
        MEAN_STD,
        also=MEAN_STD,
        because="the mean is wrong as well as the picture",
        images=("colours.png", "odd_size.png", "receipt.png"),
    ),
    pair(
        "contrast as floats and unclip 2.0",
        port({UNCLIP: ("db",)}, normalise=page_hooks.contrast_first, db=DB(unclip=2.0)),
        "tensor:unknown",
        UNCLIP,
        also=UNCLIP,
        because="the post-process differs too, whatever the tensor",
    ),
    pair(
        "box_thresh 0.7 and every other moved by 6 px",
        port(
            {"postprocess.box_thresh": ("db",)},
            db=DB(box_thresh=0.7),
            finish=box_hooks.every_other(lambda box: box + 6),
        ),
        "detections:unknown",
        "postprocess.box_thresh",
        also="postprocess.box_thresh",
        because="the boxes that are left out are so by box_thresh; that more is wrong must show",
    ),
]

sourceless = Table("no source", IMAGES)
TENSOR_AND_MAP = ("tensor", "probability_map")
SOURCELESS = [
    sourceless(
        "A6 RGB and 960/max, tensor and map recorded",
        port(
            {ORDER: ("normalise",), LIMITS: ("size",)},
            normalise=page_hooks.reversed_channels,
            size=page_hooks.limits(960, "max"),
            recorded=TENSOR_AND_MAP,
            has_source=False,
        ),
        f"resize/tensor:{ORDER}",
        ORDER,
        LIMITS,
        also=LIMITS,
        because="the tensor's size is that of 960/max",
        images=("colours.png", "odd_size.png", "exif_orientation.jpg"),
        never=(r"the same tensor gives another map",),
    ),
    sourceless(
        "RGB fed, trace alone",
        port(normalise=page_hooks.reversed_channels, has_source=False),
        "tensor:decode.channel_order",
        images=COLOURED,
        never=(r"the same tensor gives another map",),
    ),
    sourceless(
        "mean of 0.5, trace alone",
        port(normalise=page_hooks.by_statistics([0.5] * 3, [0.5] * 3), has_source=False),
        "tensor:normalize.mean_std",
        never=(r"the same tensor gives another map",),
    ),
    sourceless(
        "letterbox, trace alone",
        port(**letterbox(114, 0.5), has_source=False),
        "resize:resize.padding",
        never=(r"the same tensor gives another map",),
        images=("colours.png", "odd_size.png", "receipt.png"),
    ),
    sourceless(
        "another checkpoint, trace alone",
        port(network=weights("early"), has_source=False),
        "probability_map:unknown",
        "network.weights.other_checkpoint",
    ),
    sourceless("unclip 2.0, trace alone", port(db=DB(unclip=2.0), has_source=False), f"detections:{UNCLIP}"),
    sourceless(
        "all moved by 2 px, trace alone",
        port(place=box_hooks.moved(lambda box: box + 2), has_source=False),
        f"detections:{OFFSET}",
        unnamed=CLOSE,
    ),
    sourceless(
        "A2 (y, x), boxes alone",
        port(place=box_hooks.moved(lambda box: box[:, ::-1]), recorded=(), has_source=False),
        "detections:rescale.axes",
    ),
    sourceless(
        "A2 all moved by 2 px, boxes alone",
        port(place=box_hooks.moved(lambda box: box + 2), recorded=(), has_source=False),
        "detections:unknown",
    ),
    sourceless(
        "A2 all moved by 12 px, boxes alone",
        port(place=box_hooks.moved(lambda box: box + 12), recorded=(), has_source=False),
        f"detections:{OFFSET}",
        unnamed=CLOSE,
    ),
    sourceless(
        "A1 plain polygons, all moved",
        port(place=box_hooks.moved(lambda box: box + 40), plain=True),
        f"detections:{OFFSET}",
        unnamed=CLOSE,
    ),
    sourceless(
        "plain polygons, every other moved",
        port(finish=box_hooks.every_other(lambda box: box + 6), plain=True),
        "detections:unknown",
    ),
    sourceless(
        "plain polygons, unclip 2.0",
        port(db=DB(unclip=2.0), plain=True),
        "detections:unknown",
        UNCLIP,
        also=UNCLIP,
        because="train's own post-process gives these boxes, of its own map, with this ratio",
    ),
    sourceless(
        "plain polygons of a letterbox",
        port(**letterbox(114, 0.5, is_taken_off=False), plain=True),
        "detections:unknown",
        OFFSET,
        also=OFFSET,
        because="the border was not taken off",
        images=("colours.png", "odd_size.png", "receipt.png"),
    ),
]

declared = Table("declared", IMAGES)
SOME = {"detections": {"thresh": 0.3, "box_thresh": 0.6}}
UNDECLARED = (r"use_dilation: \S+ in \w+, none", r"none in port")
DECLARED = [
    declared(
        "A16 960/max of a port that declares thresholds",
        port(size=page_hooks.limits(960, "max"), parameters=SOME),
        f"resize:{LIMITS}",
        never=UNDECLARED,
    ),
    declared(
        "A16 box_thresh of a port that declares thresholds",
        port(db=DB(box_thresh=0.7), parameters={"detections": {"thresh": 0.3, "box_thresh": 0.7}}),
        "detections:postprocess.box_thresh",
        never=UNDECLARED,
    ),
    declared(
        "unclip 2.0 of a port that declares thresholds",
        port(db=DB(unclip=2.0), parameters=SOME),
        f"detections:{UNCLIP}",
        never=UNDECLARED,
    ),
    declared(
        "a declared unclip_ratio that is not what ran",
        port(db=DB(unclip=2.0), parameters={"detections": {**SOME["detections"], "unclip_ratio": 1.5}}),
        f"detections:{UNCLIP}",
    ),
    declared(
        "A14 limits, and image_shape that `varied` ignores",
        kept(wrappers.KeepsImageShape),
        "resize:unknown",
        "resize.image_shape",
        LIMITS,
        also="resize.image_shape",
        because="the size that ran is that of image_shape; that the limits are wrong too shows when it is gone",
        inject=both(NO_LIMITS, export_yml("DetResizeForTest", image_shape=[640, 640])),
    ),
    declared(
        "A14 unclip_ratio that `varied` ignores",
        kept(wrappers.KeepsUnclipRatio),
        f"detections:{UNCLIP}",
        inject=options(unclip_ratio=2.0),
    ),
    declared(
        "A14 unclip_ratio, and a filter behind it",
        kept(wrappers.Filters20),
        f"detections:{UNCLIP}",
        UNCLIP,
        FILTER,
        also=FILTER,
        because=BOTH,
        images=MANY,
        inject=options(unclip_ratio=2.0),
    ),
]

exported = Table("export", IMAGES)
LAYER_BY_LAYER = (r"do not fit",)
EXPORTS = [
    exported(
        "A8 another checkpoint, with names of 2.x",
        kept(lambda inference: inference),
        "probability_map:network.weights.other_checkpoint",
        also="network.weights",
        because="other weights they are",
        inject=wrappers.renamed_early,
        never=LAYER_BY_LAYER,
    ),
    exported(
        "A8 other weights, with names of 2.x",
        kept(lambda inference: inference),
        "probability_map:unknown",
        "network.weights",
        also="network.weights",
        because="other weights they are",
        inject=wrappers.renamed_other,
        never=LAYER_BY_LAYER,
    ),
    exported(
        "A8 the right weights with names of 2.x, and a map that a wrapper squares",
        wrapped(SharpensMap),
        "probability_map:unknown",
        also="network.own_code",
        because="the wrapper's own code changes the map",
        inject=wrappers.renamed,
        never=LAYER_BY_LAYER,
    ),
    exported(
        "A7 a right export of a network that is too steep",
        kept(lambda inference: inference),
        "probability_map:unknown",
        inject=wrappers.steep,
        never=(r"export was made from this checkpoint",),
        message=r"(?i)rounding",
        images=("curved.png", "odd_size.png", "tiny_text.png"),
    ),
]

kept_state = Table("state", IMAGES)
STATES = [
    kept_state(
        "a buffer of one size, whatever ran before",
        wrapped(wrappers.FixedBuffer),
        "probability_map:unknown",
        never=(r"depends on what ran before",),
    ),
    kept_state(
        "another map each time, newly loaded or not",
        wrapped(wrappers.RacesAnew),
        "probability_map:engine.not_repeatable",
        never=(r"depends on what ran before",),
    ),
]

OTHERS: list[NearMiss] = [*PAIRS, *SOURCELESS, *DECLARED, *EXPORTS, *STATES]

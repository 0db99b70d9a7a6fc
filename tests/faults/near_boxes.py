"""Near misses from the map on: engines, networks, post-processes, scores and coordinates."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np

from faults import box_hooks
from faults.deployment import EXAMPLE, Deployment
from faults.foreign import DB, Array, with_weights
from faults.near_miss import CLOSE, NearMiss, Table, port
from pytest_ocrparity.backends.isolation import isolated

IMAGES = ("curved.png", "colours.png", "receipt.png")
MANY = ("curved.png", "odd_size.png", "receipt.png")
"""Pages with many boxes, not all of which are alike."""
SMALL = ("curved.png", "rotated.jpg", "dense.png")
"""Pages on which slow scores lose boxes; on the next, they change scores alone."""
SAME = ("colours.png", "odd_size.png", "receipt.png")

mapped = Table(
    "map",
    IMAGES,
    {"also": "network.own_code", "because": "what changes the map is the port's own code behind its engine"},
)
MAP = [
    mapped("logits for probabilities", port(read=box_hooks.logits), "probability_map:network.pointwise"),
    mapped("sigmoid twice", port(read=box_hooks.sigmoid), "probability_map:network.pointwise"),
    mapped("map x0.5 + 0.25", port(read=box_hooks.affine(0.5, 0.25)), "probability_map:network.pointwise"),
    mapped("map x0.9", port(read=box_hooks.affine(0.9, 0)), "probability_map:network.pointwise"),
    mapped("map blurred", port(read=box_hooks.smoothed), "probability_map:layout.map"),
    mapped("the median of 3x3 of the map", port(read=box_hooks.medians), "probability_map:unknown"),
    mapped("map blurred in its left half", port(read=box_hooks.half(box_hooks.smoothed)), "probability_map:unknown"),
    mapped("map in 8 bits", port(read=box_hooks.eight_bits), "probability_map:network.pointwise"),
    mapped("map moved by 2 px", port(read=box_hooks.moved_by_two), "probability_map:layout.map"),
    mapped(
        "map moved by 2 px in its left half",
        port(read=box_hooks.half(box_hooks.moved_by_two)),
        "probability_map:unknown",
    ),
    mapped("map at half the size", port(read=box_hooks.halved), "probability_map:layout.map"),
    mapped("map at half the size, squared", port(read=lambda x: box_hooks.halved(x) ** 2), "probability_map:unknown"),
    mapped(
        "map transposed",
        port(read=box_hooks.transposed),
        "probability_map:layout.map",
        also="layout.axes",
        because="the axes of the map are swapped, if the words speak of the map",
        saying="map",
        images=("curved.png", "rotated.jpg", "receipt.png"),  # of a square page, the shape is right
    ),
]


def arrays(checkpoint: str) -> dict[str, Array]:
    with isolated():
        import paddle

        state = paddle.load(str(EXAMPLE / "checkpoints" / f"{checkpoint}.pdparams"))
        return {name: np.asarray(value.numpy()) for name, value in state.items()}


@cache
def network(name: str) -> Path:
    """Write an ONNX network with other weights, once per process."""
    trained, early = arrays("tiny_db"), arrays("tiny_db_early")
    changes: dict[str, Callable[[str, Array], Any]] = {
        "early": lambda key, value: early[key],
        "half": lambda key, value: value.astype(np.float16) if value.ndim == 4 else value,
        "mixed": lambda key, value: early[key] if key.startswith("stages.2") else value,
        "scaled": lambda key, value: value * 1.05 if key == "lateral.1.weight" else value,
    }
    weights = {key: changes[name](key, value) for key, value in trained.items()}
    return with_weights(Path(mkdtemp()) / f"{name}.onnx", weights, trained)


def weights(name: str) -> Callable[[], Path]:
    """Return where that network will be: the tables are made without paddle."""
    return partial(network, name)


engine = Table("network", IMAGES)
NETWORK = [
    engine(
        "another checkpoint in ONNX",
        port(network=weights("early")),
        "probability_map:unknown",
        "network.weights.other_checkpoint",
        also="network.weights",
        because="other weights they are; an ONNX file's are not read",
    ),
    engine(
        "one stage of another checkpoint in ONNX",
        port(network=weights("mixed")),
        "probability_map:unknown",
        "network.weights",
        also="network.weights",
        because="some of the weights are not the trained ones",
    ),
    engine(
        "one weight scaled in ONNX",
        port(network=weights("scaled")),
        "probability_map:unknown",
        "network.weights",
        also="network.weights",
        because="one weight is not the trained one",
    ),
    engine(
        "convolutions in fp16 in ONNX",
        port(network=weights("half")),
        "probability_map:unknown",
        "precision.fp16",
        also="precision.fp16",
        because="the weights were rounded to fp16",
    ),
]

processed = Table("post-process", IMAGES)
POSTPROCESS = [
    processed("thresh 0.6", port(db=DB(thresh=0.6)), "detections:postprocess.thresh"),
    processed("box_thresh 0.7", port(db=DB(box_thresh=0.7)), "detections:postprocess.box_thresh"),
    processed("unclip 2.0", port(db=DB(unclip=2.0)), "detections:postprocess.unclip_ratio"),
    processed("dilated", port(db=DB(dilated=True)), "detections:postprocess.use_dilation"),
    processed("first 5 outlines", port(db=DB(most=5)), "detections:postprocess.max_candidates"),
    processed("slow scores", port(db=DB(slow=True)), "detections:postprocess.score_mode", images=SMALL),
    processed(
        "boxes parallel to the page",
        port(db=DB(upright=True)),
        "detections:postprocess.box_type",
    ),
    processed(
        "second threshold of 0.7",
        port(finish=box_hooks.keeping(lambda i, box, score, boxes: score >= 0.7)),
        "detections:postprocess.box_thresh",
        also="postprocess.filter",
        because="it is the port's own filter, of scores",
    ),
    processed(
        "the best 4",
        port(finish=box_hooks.best(4)),
        "detections:postprocess.filter",
        images=MANY,
    ),
    processed(
        "boxes below 10 px of the map dropped",
        port(db=DB(least=10)),
        "detections:unknown",
        "postprocess.filter",
        also="postprocess.filter",
        because="it is the port's own filter, of boxes on the map",
        images=("curved.png", "dense.png", "tiny_text.png"),
    ),
    processed(
        "merged in lines",
        port(finish=box_hooks.merged),
        "detections:unknown",
        also="postprocess.merged",
        because="they are merged; where all words of a line have one height, their rectangle is what is returned",
        images=("dense.png", "odd_size.png", "receipt.png"),
    ),
    processed(
        "merged in lines by their rectangles",
        port(finish=box_hooks.merged_upright()),
        "detections:postprocess.merged",
        images=("dense.png", "half_stride.png", "odd_size.png"),
    ),
    processed(
        "merged in lines, and the last one forgotten",
        port(finish=box_hooks.merged_upright(forgotten=1)),
        "detections:unknown",
        images=("dense.png", "odd_size.png", "receipt.png"),
    ),
    processed("returned twice", port(finish=box_hooks.halves), "detections:unknown"),
    processed(
        "the last box forgotten",
        port(finish=box_hooks.keeping(lambda i, box, score, boxes: i < len(boxes) - 1)),
        "detections:unknown",
        also="postprocess.max_candidates",
        because="on one page, one outline less is the same thing",
    ),
    processed(
        "the smallest box forgotten",
        port(
            finish=box_hooks.keeping(
                lambda i, box, score, boxes: i != min(range(len(boxes)), key=lambda j: box_hooks.shorter_side(boxes[j]))
            )
        ),
        "detections:unknown",
        also="postprocess.filter",
        because="on one page, a filter by size is the same thing",
    ),
    processed(
        "the right third of the page left out",
        port(finish=box_hooks.keeping(lambda i, box, score, boxes: box[:, 0].max() < 400)),
        "detections:unknown",
        images=MANY,
    ),
]


def small_pages(*pages: tuple[str, float]) -> dict[str, Any]:
    """Return images and inject of pages of the example that are drawn so much smaller."""
    names = [f"{name}_{factor:g}.png" for name, factor in pages]

    def inject(d: Deployment) -> None:
        import cv2

        for target, (name, factor) in zip(names, pages, strict=True):
            page = cv2.imread(str(EXAMPLE / "images" / f"{name}.png"))
            page = cv2.resize(page, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
            assert cv2.imwrite(str(d.folder / "images" / target), page)

    return {"images": tuple(names), "inject": inject}


filtered = Table("filter", ())
FILTER = [
    filtered(
        "boxes below 10 px of the page dropped",
        port(finish=box_hooks.keeping(lambda i, box, score, boxes: box_hooks.shorter_side(box) >= 10)),
        "detections:unknown",
        "postprocess.filter",
        also="postprocess.filter",
        because="it is the port's own filter; rounded boxes near the cut can hide it",
        **small_pages(("half_stride", 0.3), ("odd_size", 0.4), ("receipt", 0.4)),
    ),
    filtered(
        "boxes of up to 3 px dropped",
        port(finish=box_hooks.keeping(lambda i, box, score, boxes: int(box_hooks.shorter_side(box)) > 3)),
        "detections:postprocess.filter",
        **small_pages(("dense", 0.15), ("dense", 0.3), ("odd_size", 0.15)),
    ),
]

scored = Table("scores", IMAGES)
SCORES = [
    scored(
        "B1 slow scores of the same boxes", port(db=DB(slow=True)), "detections:postprocess.score_mode", images=SAME
    ),
    scored(
        "B1 scores one box further",
        port(finish=box_hooks.scores_moved_on),
        "detections:postprocess.score_order",
        message=r"(?i)scores are in another order",
    ),
    scored(
        "scores in per cent of themselves",
        port(finish=lambda boxes, scores: (boxes, [score * 0.8 for score in scores])),
        "detections:postprocess.scores",
    ),
    scored(
        "scores to the fourth power",
        port(finish=lambda boxes, scores: (boxes, [score**4 for score in scores])),
        "detections:unknown",
    ),
]

placed = Table("coordinates", IMAGES)
COORDINATES = [
    placed(
        "all moved by 2 px",
        port(place=box_hooks.moved(lambda box: box + 2)),
        "detections:rescale.offset",
        unnamed=CLOSE,
    ),
    placed(
        "x moved by 3 px",
        port(place=box_hooks.moved(lambda box: box + np.array([3, 0]))),
        "detections:rescale.offset",
        unnamed=CLOSE,
    ),
    placed("every other moved by 6 px", port(finish=box_hooks.every_other(lambda box: box + 6)), "detections:unknown"),
    placed("x1.02", port(place=box_hooks.moved(lambda box: box * 1.02)), "detections:rescale.ratio", unnamed=CLOSE),
    placed(
        "x1.02 about the middle",
        port(place=box_hooks.in_page(lambda box, page: (box - page / 2) * 1.02 + page / 2)),
        "detections:unknown",
        "rescale.ratio",
        also="rescale.ratio",
        because="a ratio it is, with an offset that goes with it",
    ),
    placed("(y, x)", port(place=box_hooks.moved(lambda box: box[:, ::-1])), "detections:rescale.axes"),
    placed(
        "multiples of 4",
        port(place=box_hooks.moved(lambda box: np.round(box / 4) * 4)),
        "detections:rescale.rounding",
    ),
    placed("multiples of 7", port(place=box_hooks.moved(lambda box: np.floor(box / 7) * 7)), "detections:unknown"),
    placed(
        "clipped to a frame of 40 px",
        port(place=box_hooks.in_page(lambda box, page: np.clip(box, 40, page - 40))),
        "detections:unknown",
        also="rescale.clipped",
        because="they are clipped; a frame of 40 px is no edge, nor a share of the page, that another page has too",
        images=SAME,
    ),
    placed(
        "clipped to 100 to 300 px",
        port(place=box_hooks.moved(lambda box: np.clip(box, 100, 300))),
        "detections:rescale.clipped",
    ),
    placed(
        "clipped to 100 to 300 px, every other box",
        port(finish=box_hooks.every_other(lambda box: np.clip(box, 100, 300))),
        "detections:unknown",
    ),
    placed(
        "mirrored",
        port(place=box_hooks.in_page(lambda box, page: np.array([page[0], 0]) + box * np.array([-1, 1]))),
        "detections:rescale.mirrored",
    ),
    placed(
        "mirrored, and one px further",
        port(place=box_hooks.in_page(lambda box, page: np.array([page[0] + 1, 0]) + box * np.array([-1, 1]))),
        "detections:unknown",
    ),
    placed("grown by 4 px", port(place=box_hooks.moved(box_hooks.grown_by(4))), "detections:postprocess.grown"),
    placed(
        "grown by 4 px, every other box",
        port(finish=box_hooks.every_other(box_hooks.grown_by(4))),
        "detections:unknown",
    ),
    placed("two corners", port(place=box_hooks.moved(lambda box: box[[0, 2]])), "detections:rescale.corners"),
    placed("the other two corners", port(place=box_hooks.moved(lambda box: box[[1, 3]])), "detections:unknown"),
    placed("pixels of the map", port(place=lambda box, shape, size: box), "detections:rescale.frame"),
    placed(
        "0 to 1",
        port(place=box_hooks.in_page(lambda box, page: box / page)),
        "detections:rescale.frame",
    ),
]

BOXES: list[NearMiss] = [*MAP, *NETWORK, *POSTPROCESS, *FILTER, *SCORES, *COORDINATES]

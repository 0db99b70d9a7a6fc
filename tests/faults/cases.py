"""The faults, by what the catalogue calls them: each spoils a right deployment in one place.

Most are what a user's project can hold: a setting, a yml, an export that was really made. What PaddleOCR's own code
cannot do wrong by settings is a port of the user's, in `ports.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from real.features import HAS_STALE_PROGRAMS, IS_PADDLEX_3_1, PADDLE

from faults import exports, later_ports, pipelines, ports
from faults.deployment import EXPORT_YML, TRAIN_YML, Deployment

Inject = Callable[[Deployment], None]


@dataclass(frozen=True)
class Fault:
    """One case.

    Attributes:
        name: the catalogue's, with what is done.
        causes: what the diagnosis must name, in order.
        stages: the stage of each.
        inject: spoils the deployment.
        mend: what puts it right where the stated fix is no change of a setting, a file or the export.
    """

    name: str
    inject: Inject
    stages: tuple[str, ...]
    causes: tuple[str, ...]
    mend: Inject | None = None


def fault(name: str, inject: Inject, *found: str, mend: Inject | None = None) -> Fault:
    """Write a case as stage:cause, ..."""
    stages, causes = zip(*(each.split(":") for each in found), strict=True)
    return Fault(name, inject, stages, causes, mend)


def options(**values: Any) -> Inject:
    """Change what is handed to TextDetection; None takes it away."""

    def inject(d: Deployment) -> None:
        for name, value in values.items():
            if value is None:
                d.options.pop(name)
            else:
                d.options[name] = value

    return inject


def train_yml(operator: str, **values: Any) -> Inject:
    return lambda d: d.operator(TRAIN_YML, operator, **values)


def export_yml(operator: str, **values: Any) -> Inject:
    return lambda d: d.operator(EXPORT_YML, operator, **values)


def image(name: str) -> Inject:
    def inject(d: Deployment) -> None:
        d.image = f"images/{name}"

    return inject


def unwrap(d: Deployment) -> None:
    d.wrap = None


def port(wrap: Any) -> Inject:
    def inject(d: Deployment) -> None:
        d.wrap = wrap

    return inject


def used(wrap: Any, page: str) -> Inject:
    """Put a port in the place of the inference side that has run another page before, which the run knows."""

    def inject(d: Deployment) -> None:
        def wrap_and_run(inner: Any) -> Any:
            made = wrap(inner)
            made.trace(d.earlier[0])
            return made

        d.earlier, d.wrap = (str(d.folder / "images" / page),), wrap_and_run

    return inject


def both(*injections: Inject) -> Inject:
    def inject(d: Deployment) -> None:
        for each in injections:
            each(d)

    return inject


def drop(name: str, operator: str) -> Inject:
    def inject(d: Deployment) -> None:
        def change(document: dict[str, Any]) -> None:
            place = document["Eval"]["dataset"] if "Eval" in document else document["PreProcess"]
            key = "transforms" if "transforms" in place else "transform_ops"
            place[key] = [entry for entry in place[key] if operator not in entry]

        d.edit(name, change)

    return inject


NO_LIMITS = options(limit_side_len=None, limit_type=None)
RGB = [0.406, 0.456, 0.485]
RGB_STD = [0.225, 0.224, 0.229]

FIRST = [
    fault("R1 empty DetResizeForTest", NO_LIMITS, "resize:resize.limits"),
    fault(
        "R2 image_shape in training only",
        train_yml("DetResizeForTest", image_shape=[736, 1280]),
        "resize:resize.image_shape",
    ),
    fault(
        "R3 limits in inference.yml are ignored",
        both(NO_LIMITS, export_yml("DetResizeForTest", limit_side_len=736, limit_type="min")),
        "resize:resize.limits",
    ),
    fault(
        "R4 resize_long",
        both(
            NO_LIMITS,
            train_yml("DetResizeForTest", resize_long=960),
            export_yml("DetResizeForTest", resize_long=960),
        ),
        "resize:resize.resize_long",
    ),
    fault("R8 max_side_limit", exports.long_page, "resize:resize.max_side_limit"),
    fault(
        "D2 DecodeImage missing in inference.yml",
        both(image("colours.png"), drop(EXPORT_YML, "DecodeImage")),
        "decode:decode.channel_order",
    ),
    fault(
        "N1 mean", export_yml("NormalizeImage", mean=[0.5, 0.5, 0.5], std=[0.5, 0.5, 0.5]), "tensor:normalize.mean_std"
    ),
    fault("W1 nothing loaded", exports.untrained, "probability_map:network.weights.not_loaded"),
    fault("W2 another checkpoint", exports.early, "probability_map:network.weights.other_checkpoint"),
    fault("W3 keys skipped", exports.partly_loaded, "probability_map:network.weights.partly_loaded"),
    fault("W14 frozen branch", exports.frozen_branch, "probability_map:network.traced_shape", mend=exports.unfrozen),
    fault("P1 thresh", options(thresh=0.6), "detections:postprocess.thresh"),
    fault("P1 box_thresh", options(box_thresh=0.9), "detections:postprocess.box_thresh"),
    fault("P1 unclip_ratio", export_yml("PostProcess", unclip_ratio=2.2), "detections:postprocess.unclip_ratio"),
    fault(
        "V1 random operator in Eval",
        exports.random_operator,
        "tensor:reference.not_repeatable",
        mend=drop(TRAIN_YML, "ColorJitter"),
    ),
]

MORE = [
    fault(
        "R7 image_shape in inference.yml",
        export_yml("DetResizeForTest", image_shape=[640, 640]),
        "resize:resize.image_shape",
    ),
    fault("R7 input_shape argument", options(input_shape=[3, 640, 640]), "resize:resize.input_shape"),
    fault(
        "R9 rounding down",
        both(image("receipt.png"), port(ports.RoundsDown)),
        "resize:resize.rounding",
        mend=unwrap,
    ),
    fault("R11 extreme aspect", both(NO_LIMITS, image("banner.png")), "resize:resize.limits"),
    fault(
        "D1 EXIF ignored in training",
        both(image("exif_orientation.jpg"), train_yml("DecodeImage", ignore_orientation=True)),
        "decode:decode.orientation",
    ),
    fault(
        "D1 EXIF ignored by a port",
        both(image("exif_orientation.jpg"), port(ports.IgnoresOrientation)),
        "decode:decode.orientation",
        mend=unwrap,
    ),
    fault("D4 alpha on white", both(image("alpha.png"), port(ports.OnWhite)), "decode:decode.alpha", mend=unwrap),
    fault(
        "D5 16 bits kept",
        both(exports.sixteen_bits, port(ports.KeepsSixteenBits)),
        "decode:decode.bit_depth",
        mend=unwrap,
    ),
    fault(
        "D6 another JPEG decoder",
        both(image("poster.jpg"), port(ports.OtherDecoder)),
        "decode:decode.pixels",
        mend=unwrap,
    ),
    fault("D8 PNG named .gif", exports.wrong_suffix, "decode:decode.file_type", mend=image("receipt.png")),
    fault(
        "N2 statistics reversed", export_yml("NormalizeImage", mean=RGB, std=RGB_STD), "tensor:normalize.mean_std_order"
    ),
    fault(
        "N2 statistics reversed by a port",
        port(ports.ReversedStatistics),
        "tensor:normalize.mean_std_order",
        mend=unwrap,
    ),
    fault("N1 mean of a port", port(ports.OtherMean), "tensor:normalize.mean_std", mend=unwrap),
    fault("N3 no /255", export_yml("NormalizeImage", scale=1.0), "tensor:normalize.scale"),
    fault("normalised twice by a port", port(ports.NormalisesTwice), "tensor:normalize.twice", mend=unwrap),
    fault(
        "scores of a port in another order",
        port(ports.PermutesScores),
        "detections:postprocess.score_order",
        mend=unwrap,
    ),
    fault("N3 no /255 in a port", port(ports.NoScale), "tensor:normalize.scale", mend=unwrap),
    fault("N4 order chw", export_yml("NormalizeImage", order="chw"), "tensor:normalize.order"),
    fault("N5 HWC for CHW", port(ports.HeightWidthChannels), "tensor:layout.axes", mend=unwrap),
    fault(
        "D2 swapped by a port",
        both(image("colours.png"), port(ports.SwapsChannels)),
        "tensor:decode.channel_order",
        mend=unwrap,
    ),
    fault("W13 another architecture", exports.other_architecture, "probability_map:network.architecture"),
    fault("W4 another sub-model", exports.other_sub_model, "probability_map:network.sub_model"),
    fault("W6 training mode", exports.train_mode, "probability_map:network.train_mode"),
    fault("W8 wrong fusion", exports.wrong_fusion, "probability_map:network.fusion"),
    fault("W12 overflowed weight", exports.overflowed, "probability_map:network.not_finite"),
    fault("fixed input shape", exports.fixed_shape, "probability_map:network.fixed_shape", mend=exports.unfrozen),
    fault(
        "E3 optimisation of a stand-in engine",
        port(ports.BrokenPass),
        "probability_map:engine.optimization",
        mend=unwrap,
    ),
    fault("engine not repeatable", port(ports.Racing), "probability_map:engine.not_repeatable", mend=unwrap),
    fault(
        "E8 a buffer that keeps the page before",
        used(ports.KeepsBuffer, "poster.jpg"),
        "probability_map:engine.state",
        mend=unwrap,
    ),
    fault("E5 fp16 weights", exports.half, "probability_map:precision.fp16"),
    fault("E5 bf16 weights", exports.bfloat16, "probability_map:precision.bf16"),
    fault("E7 int8 weights", exports.eight_bits, "probability_map:precision.int8"),
    fault("E7 int8 weights with zero points", exports.eight_bits_with_zero_points, "probability_map:precision.int8"),
    fault(
        "P2 a threshold of 0",
        both(image("curved.png"), train_yml("PostProcess", box_thresh=0), options(box_thresh=0)),
        "detections:postprocess.box_thresh",
    ),
    fault(
        "P2 no unclip_ratio in either yml",
        both(
            train_yml("PostProcess", thresh=None, box_thresh=None, unclip_ratio=None),
            export_yml("PostProcess", thresh=None, box_thresh=None, unclip_ratio=None),
        ),
        "detections:postprocess.box_thresh",
    ),
    fault("P3 use_dilation", train_yml("PostProcess", use_dilation=True), "detections:postprocess.use_dilation"),
    fault(
        "P4 score_mode",
        both(image("curved.png"), train_yml("PostProcess", score_mode="slow")),
        "detections:postprocess.score_mode",
    ),
    fault(
        "P5 det_box_type is ignored",
        both(train_yml("PostProcess", box_type="poly"), export_yml("PostProcess", det_box_type="poly")),
        "detections:postprocess.box_type",
    ),
    fault(
        "P6 max_candidates",
        both(image("dense.png"), export_yml("PostProcess", max_candidates=20)),
        "detections:postprocess.max_candidates",
    ),
    fault(
        "P7 filter of small boxes",
        both(exports.tiny_page, port(ports.FiltersSmallBoxes)),
        "detections:postprocess.filter",
        mend=unwrap,
    ),
    fault("P8 int16", exports.very_wide_page, "detections:rescale.int16", mend=exports.polygons),
    fault(
        "P13 ratios swapped",
        both(image("odd_size.png"), port(ports.SwapsRatios)),
        "detections:rescale.ratio",
        mend=unwrap,
    ),
    fault("map pixels", port(ports.MapPixels), "detections:rescale.frame", mend=unwrap),
    fault("0 to 1", port(ports.ZeroToOne), "detections:rescale.frame", mend=unwrap),
    fault("forgotten offset", port(ports.ForgottenOffset), "detections:rescale.offset", mend=unwrap),
    fault("P14 NaN map", exports.not_a_number, "probability_map:network.not_finite"),
    fault("V2 a key of Global leaks", train_yml("Global", limit_side_len=640), "resize:reference.global_leak"),
    fault(
        "V1 a random operator that needs labels",
        exports.random_crop,
        "resize:reference.not_repeatable",
        mend=drop(TRAIN_YML, "RandomScaling"),
    ),
]

OTHERS = [
    fault(
        "D2 img_mode in inference.yml",
        both(image("colours.png"), export_yml("DecodeImage", img_mode="RGB")),
        "decode:decode.channel_order",
    ),
    fault(
        "a port that loads RGB",
        both(image("colours.png"), port(ports.LoadsRgb)),
        "decode:decode.channel_order",
        mend=unwrap,
    ),
    fault("a port that turns what it loads", port(ports.LoadsTurned), "decode:decode.orientation", mend=unwrap),
    fault("a port that brightens", port(ports.Brightens), "decode:decode.pixels", mend=unwrap),
    fault(
        "a page padded to a square",
        both(image("odd_size.png"), port(ports.PadsToSquare)),
        "resize:resize.padding",
        mend=unwrap,
    ),
    fault("a page resized by area", port(ports.ResizesByArea), "resize:resize.interpolation", mend=unwrap),
    fault(
        "a page turned to grey",
        both(image("colours.png"), port(ports.FeedsGrey)),
        "resize:resize.pixels",
        mend=unwrap,
    ),
    fault(
        "a page cut by a client",
        port(ports.CutByClient),
        "decode:decode.cropped",
        "detections:rescale.offset",
        mend=unwrap,
    ),
    fault(
        "a page halved by a client",
        port(ports.HalvedByClient),
        "decode:decode.scaled",
        "detections:rescale.ratio",
        mend=unwrap,
    ),
    fault("a tensor in fp16", port(ports.HalfPrecision), "tensor:normalize.precision", mend=unwrap),
    fault("logits of a port", port(ports.ReturnsLogits), "probability_map:network.pointwise", mend=unwrap),
    fault("scores weighted by a port", port(later_ports.DampsScores), "detections:postprocess.scores", mend=unwrap),
    fault("boxes grown by a port", port(later_ports.Grown), "detections:postprocess.grown", mend=unwrap),
    fault(
        "boxes joined in rows",
        both(image("odd_size.png"), port(later_ports.JoinsRows)),
        "detections:postprocess.merged",
        mend=unwrap,
    ),
    fault(
        "a map scaled to the page first",
        both(image("tiny_text.png"), port(later_ports.ScalesMapFirst)),
        "detections:postprocess.map_size",
        mend=unwrap,
    ),
    fault("boxes counted from below", port(later_ports.Mirrored), "detections:rescale.mirrored", mend=unwrap),
    fault("two corners for four", port(later_ports.TwoCorners), "detections:rescale.corners", mend=unwrap),
    fault("boxes on a grid of 8 px", port(later_ports.OnAGrid), "detections:rescale.rounding", mend=unwrap),
    fault("boxes clipped to a part", port(later_ports.Clipped), "detections:rescale.clipped", mend=unwrap),
    fault("a map four rows too low", port(later_ports.MovesMap), "probability_map:layout.map", mend=unwrap),
    fault("a network in tiles", port(later_ports.SeesTiles), "probability_map:network.tiles", mend=unwrap),
    # Its boxes are scaled as if the map were of the page alone, which is the second thing that is wrong.
    fault(
        "a buffer that only grows",
        port(later_ports.KeepsBuffer),
        "tensor:resize.padding",
        "detections:rescale.ratio",
        mend=unwrap,
    ),
    fault("a second stage that forgets boxes", port(ports.ForgetsLater), "detections:pipeline.boxes", mend=unwrap),
    fault("a wrong shape row", port(ports.RowOfResized), "resize:rescale.shape_row", mend=unwrap),
    fault("random preprocessing of a port", port(ports.Jitters), "tensor:preprocessing.not_repeatable", mend=unwrap),
    fault("a port that damps the map", port(ports.DampsMap), "probability_map:network.own_code", mend=unwrap),
    fault("W5 another output first", exports.two_outputs, "probability_map:network.outputs"),
    fault("one weight scaled", exports.scaled_weight, "probability_map:network.weights"),
    fault("E8 another graph", exports.other_graph, "probability_map:network.graph"),
    fault("(y, x) for (x, y)", port(ports.SwapsXY), "detections:rescale.axes", mend=unwrap),
    fault(
        "a page turned by a preprocessor",
        port(pipelines.full_pipeline(pipelines.turns_pages)),
        "resize:pipeline.doc_preprocessor",
        mend=both(unwrap, options(use_doc_orientation_classify=None, use_doc_unwarping=None)),
    ),
    fault("boxes scaled by 1.02", port(ports.ScalesBoxes), "detections:rescale.ratio", mend=unwrap),
]
if HAS_STALE_PROGRAMS:
    OTHERS += [fault("W10 stale inference.json", exports.stale_program, "probability_map:network.stale_program")]
if not IS_PADDLEX_3_1:
    dropped = port(pipelines.full_pipeline(pipelines.drops_a_box))
    OTHERS += [fault("a box dropped by a pipeline", dropped, "detections:pipeline.boxes", mend=unwrap)]
HAS_WRONG_BILINEAR = PADDLE.startswith("3.2.")
if HAS_WRONG_BILINEAR:
    OTHERS += [fault("E1 oneDNN of paddle 3.2", exports.bilinear_maps, "probability_map:engine.onednn")]
if PADDLE.startswith("3.3."):
    OTHERS += [fault("E2 oneDNN of paddle 3.3", options(enable_mkldnn=True), "probability_map:engine.onednn")]

PAIRS = [
    fault("weights of 7 bits", exports.seven_bits, "probability_map:network.weights"),
    fault("noise of half a step of int8", exports.noise_of_half_a_step, "probability_map:network.weights"),
    fault("trained on in int8", exports.quantised_then_trained, "probability_map:network.weights"),
    fault(
        "another checkpoint in fp16",
        exports.early_half,
        "probability_map:network.weights",
    ),
    fault(
        "limits and channel order",
        both(image("colours.png"), NO_LIMITS, export_yml("DecodeImage", img_mode="RGB")),
        "decode:decode.channel_order",
        "resize:resize.limits",
    ),
    fault(
        "mean and unclip_ratio",
        both(export_yml("NormalizeImage", mean=[0.5, 0.5, 0.5]), options(unclip_ratio=2.2)),
        "tensor:normalize.mean_std",
        "detections:postprocess.unclip_ratio",
    ),
    fault(
        "another checkpoint and box_thresh",
        both(exports.early, options(box_thresh=0.9)),
        "probability_map:network.weights.other_checkpoint",
        "detections:postprocess.box_thresh",
    ),
    fault(
        "limits and training mode",
        both(NO_LIMITS, exports.train_mode),
        "resize:resize.limits",
        "probability_map:network.train_mode",
    ),
    fault(
        "box_thresh and box_type",
        both(options(box_thresh=0.9), export_yml("PostProcess", box_type="poly")),
        "detections:postprocess.box_thresh",
        "detections:postprocess.box_type",
    ),
    fault(
        "scale of a port and unclip_ratio",
        both(port(ports.NoScale), options(unclip_ratio=2.2)),
        "tensor:normalize.scale",
        "detections:postprocess.unclip_ratio",
        mend=both(unwrap, options(unclip_ratio=None)),
    ),
]

FAULTS = [*FIRST, *MORE, *OTHERS, *PAIRS]

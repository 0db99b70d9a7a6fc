"""Every cause that a diagnosis can name: what it means, by which experiment it is proved, how it is fixed.

`docs/causes.md` is made from this table: `python -m pytest_ocrparity.causes > docs/causes.md`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from pytest_ocrparity.diagnosis import UNKNOWN

__all__ = ["CAUSES", "Cause", "page"]


class Cause(NamedTuple):
    """`stage` is one of `trace.STAGES`; the catalogue's sources are PaddleOCR issues and the code of both sides."""

    stage: str
    meaning: str
    proof: str
    fix: str


_GIVEN = "the candidate, given the reference's value, returns the reference's "
_DEPLOY = "Pass the value to `paddleocr.TextDetection`; `inference.options` hands it over."
_YML = "Write the value into `inference.yml`, or export again from the right training yml."
_EXPORT = "Export again from the right checkpoint."

CAUSES: Final[Mapping[str, Cause]] = {
    "decode.channel_order": Cause(
        "decode",
        "One side works on RGB and the other on BGR. paddleocr 3.x reads RGB where `inference.yml` has no "
        "`DecodeImage`. Grey pages do not show it.",
        _GIVEN + "tensor; or the candidate's tensor with its channels reversed is the reference's",
        "Write the training yml's `img_mode` under `DecodeImage` in `inference.yml`.",
    ),
    "decode.orientation": Cause(
        "decode",
        "One side turns a photo as its EXIF tag says, the other does not.",
        "the file decoded the other way is what one side has, and the candidate given the reference's decoding agrees",
        "Leave `ignore_orientation` out on both sides, or decode with `cv2.IMREAD_COLOR`.",
    ),
    "decode.alpha": Cause(
        "decode",
        "One side drops the alpha channel, the other composites the image on white.",
        "as for the orientation, with the image composited on white",
        "Decode with `cv2.IMREAD_COLOR` on both sides, or flatten the images before.",
    ),
    "decode.bit_depth": Cause(
        "decode",
        "One side keeps the 16 bits of an image, which saturates its tensor.",
        "as for the orientation, with the image decoded to 8 bits",
        "Decode with `cv2.IMREAD_COLOR`, or convert to uint8 before.",
    ),
    "decode.decoder": Cause(
        "decode",
        "Two image decoders, or two versions of one, return different pixels for the same file.",
        "the candidate, given the reference's pixels, returns the reference's tensor",
        "Decode with the same library and version on both sides, or store the images without loss (PNG).",
    ),
    "decode.file_type": Cause(
        "decode",
        "paddleocr 3.x chooses its reader by the file's suffix, the training side by the content.",
        "the candidate refuses the file, and returns the reference's tensor for the same pixels",
        "Give the file the suffix of its content, or convert it to PNG.",
    ),
    "resize.limits": Cause(
        "resize",
        "The two sides limit the size differently (`limit_side_len`, `limit_type`): an empty `DetResizeForTest` is "
        "736/min in training and 960/max in paddleocr 3.x, which also ignores the limits in `inference.yml`.",
        _GIVEN + "tensor",
        _DEPLOY,
    ),
    "resize.image_shape": Cause(
        "resize",
        "One side stretches every image to a fixed `image_shape`, the other keeps its proportions. In `inference.yml` "
        "it also switches off every limit that is passed.",
        _GIVEN + "tensor",
        "Write the same `DetResizeForTest` into both ymls.",
    ),
    "resize.resize_long": Cause(
        "resize",
        "`resize_long` scales the long side to a length and rounds up to 128 in training; paddleocr 3.x takes it for "
        "an upper limit and rounds to 32.",
        _GIVEN + "tensor",
        "paddleocr 3.x has no such rule: train and evaluate with `limit_side_len` and `limit_type`, and pass them.",
    ),
    "resize.input_shape": Cause(
        "resize",
        "The argument `input_shape` of `TextDetection` fixes the size and switches off every limit.",
        _GIVEN + "tensor",
        "Take `input_shape` out of `inference.options`.",
    ),
    "resize.max_side_limit": Cause(
        "resize",
        "paddleocr 3.x caps the long side at 4000 px; the training side has no cap.",
        _GIVEN + "tensor",
        "Raise `max_side_limit` in `inference.predict_options`; only `predict()` takes it.",
    ),
    "resize.rounding": Cause(
        "resize",
        "A port rounds the resized sides to multiples of 32 in another way (floor, ceil, half up).",
        "the other rounding predicts the candidate's size for this and eight other sizes, and given pixels of the "
        "right size it returns the reference's tensor",
        "Round as PaddleOCR does: `max(int(round(int(side * ratio) / 32) * 32), 32)`.",
    ),
    "normalize.mean_std": Cause(
        "tensor",
        "`mean` or `std` of the normalisation differ.",
        _GIVEN + "tensor; or the tensors are an exact affine map of each other per channel, undone by the right values",
        _YML,
    ),
    "normalize.mean_std_order": Cause(
        "tensor",
        "`mean` and `std` are those of the reference in reverse order: RGB statistics on BGR, or the reverse.",
        "as for `normalize.mean_std`",
        _YML,
    ),
    "normalize.scale": Cause(
        "tensor",
        "The division by 255 is missing, or made twice.",
        "as for `normalize.mean_std`",
        _YML,
    ),
    "normalize.order": Cause(
        "tensor",
        "`order` of `NormalizeImage` differs: without it the training side takes chw and paddleocr 3.x hwc, and "
        "paddleocr 3.x fails on chw.",
        _GIVEN + "tensor",
        "Write `order: hwc` under `NormalizeImage` in both ymls.",
    ),
    "layout.axes": Cause(
        "tensor",
        "The tensor's axes are in another order, such as HWC in place of CHW.",
        "the candidate's tensor with its axes permuted is the reference's",
        "Transpose to (1, 3, height, width) and copy to a contiguous array before the network.",
    ),
    "network.weights": Cause(
        "probability_map",
        "The export holds other weights than the checkpoint.",
        "the trained network with the export's weights returns the export's map",
        _EXPORT,
    ),
    "network.weights.not_loaded": Cause(
        "probability_map",
        "The export was made without loading the checkpoint: its batch-norm statistics are still 0 and 1. "
        "`tools/export_model.py` says so in its log only.",
        "as for `network.weights`, and every stored mean is 0 and variance 1",
        "Check `Global.pretrained_model` (one `-o` flag only, the path without suffix) and export again.",
    ),
    "network.weights.other_checkpoint": Cause(
        "probability_map",
        "The export was made from another checkpoint. `Global.checkpoints` of the yml wins over "
        "`-o Global.pretrained_model`.",
        "the trained network with that checkpoint returns the export's map",
        "Clear `Global.checkpoints`, and export again from the right checkpoint.",
    ),
    "network.weights.partly_loaded": Cause(
        "probability_map",
        "Some parameters of the export are the checkpoint's and some are not: `load_model` skips keys that do not fit.",
        "as for `network.weights`; the message lists the parameters",
        "Export again with the yml and the PaddleOCR version that trained the checkpoint.",
    ),
    "network.sub_model": Cause(
        "probability_map",
        "The export is another network of a Distillation yml than the one under `train.sub_model`.",
        "that sub-model of the trained network returns the export's map",
        "Deploy the folder of the right sub-model, or set `train.sub_model`.",
    ),
    "network.train_mode": Cause(
        "probability_map",
        "The network was exported in training mode: batch norm uses the batch, and the head returns three maps.",
        "the trained network in training mode returns the export's map",
        "Call `eval()` before exporting, as `tools/export_model.py` does.",
    ),
    "network.outputs": Cause(
        "probability_map",
        "The export has several outputs and its first is not the probability map.",
        "another output of the export is the reference's map",
        "Export the map alone, or as the first output.",
    ),
    "network.fusion": Cause(
        "probability_map",
        "Branches that the export fuses (`rep()`) were fused wrongly.",
        "the trained network and its fused copy agree, only fused weights differ from the copy's, and the copy with "
        "the export's weights returns the export's map",
        "Export again with the PaddleOCR version that trained the network, from a checkpoint saved before fusing.",
    ),
    "network.stale_program": Cause(
        "probability_map",
        "The folder holds both program formats, and the one that paddle prefers (`inference.json`) is an older export.",
        "the other program of the folder returns the reference's map",
        "Delete the stale program.",
    ),
    "network.not_finite": Cause(
        "probability_map",
        "The map holds NaN or infinity, from which no box comes: a weight overflowed, such as in fp16.",
        "the export stores values that are not finite, and the checkpoint's in their place return the reference's map",
        "Train or export in fp32.",
    ),
    "network.traced_shape": Cause(
        "probability_map",
        "A branch on the input's size was frozen when the network was traced.",
        "the same tensor at other sizes gives equal maps, at this size it does not, and all weights are equal",
        "Write the branch with `paddle.static.nn.cond`, or without a branch, and export again.",
    ),
    "network.fixed_shape": Cause(
        "probability_map",
        "The export takes one input size only.",
        "the export stops at this image's size, runs at its own, and there returns the reference's map",
        "Export with the input shape [None, 3, -1, -1].",
    ),
    "engine.onednn": Cause(
        "probability_map",
        "A oneDNN kernel of this paddle computes something else, or crashes (3.3.0 and 3.3.1).",
        "the same export with oneDNN off returns the reference's map",
        "Set `enable_mkldnn = false` in `inference.options`, and pass it to `paddleocr.TextDetection`.",
    ),
    "engine.optimization": Cause(
        "probability_map",
        "An optimisation pass of the engine changes what the graph computes.",
        "the same program, run without the engine's passes, returns the reference's map",
        "Use another release of paddle, or delete the pass in `engine_config`.",
    ),
    "engine.not_repeatable": Cause(
        "probability_map",
        "The export returns another map each time it runs.",
        "the same tensor twice gives maps that differ beyond the limit",
        "Look for dropout or random operators in the export, and for races of the engine (`cpu_threads = 1`).",
    ),
    "precision.fp16": Cause(
        "probability_map",
        "The export's weights are the checkpoint's, rounded to half precision.",
        "as for `network.weights`, and every differing weight is the checkpoint's rounded to fp16",
        "Export in fp32; or, if fp16 is meant, compare under the preset `fp16`.",
    ),
    "precision.int8": Cause(
        "probability_map",
        "The export's weights are the checkpoint's, rounded to 8 bits.",
        "as for `network.weights`, and every differing weight is the checkpoint's rounded to 255 steps",
        "Export in fp32; or, if int8 is meant, compare under the preset `int8`.",
    ),
    "postprocess.thresh": Cause(
        "detections",
        "The threshold that makes the map binary differs.",
        _GIVEN + "boxes",
        _DEPLOY,
    ),
    "postprocess.box_thresh": Cause(
        "detections",
        "The smallest score of a box differs. paddleocr 3.x takes 0 for not given.",
        _GIVEN + "boxes",
        _DEPLOY,
    ),
    "postprocess.unclip_ratio": Cause(
        "detections",
        "Boxes are enlarged by another ratio. Without the key training takes 2.0, predict_det.py and pipelines 1.5.",
        _GIVEN + "boxes",
        _DEPLOY,
    ),
    "postprocess.max_candidates": Cause(
        "detections",
        "The number of contours looked at differs, so the boxes of dense pages end early.",
        _GIVEN + "boxes",
        _YML,
    ),
    "postprocess.use_dilation": Cause(
        "detections",
        "One side dilates the binary map.",
        _GIVEN + "boxes",
        _YML,
    ),
    "postprocess.score_mode": Cause(
        "detections",
        "Scores are the mean over the rectangle (fast) on one side, over the contour (slow) on the other.",
        _GIVEN + "boxes",
        _YML,
    ),
    "postprocess.box_type": Cause(
        "detections",
        "One side returns rectangles (quad), the other polygons (poly). The key `det_box_type` in a yml is ignored.",
        _GIVEN + "boxes",
        "Write `box_type` under `PostProcess` in `inference.yml`.",
    ),
    "postprocess.filter": Cause(
        "detections",
        "The candidate drops small boxes and clips boxes by a pixel more, as predict_det.py's `filter_tag_det_res`.",
        "the reference's boxes without sides of up to 3 px, clipped to width - 1 and height - 1, are the candidate's",
        "Take the filter out, or filter both sides.",
    ),
    "rescale.int16": Cause(
        "detections",
        "Coordinates beyond 32767 px wrapped around: paddleocr 3.x returns quads as int16.",
        "65536 added to the coordinates that wrapped returns the reference's boxes",
        "Cut pages of more than 32767 px, or use `box_type: poly`, which is not cast.",
    ),
    "rescale.frame": Cause(
        "detections",
        "Boxes were left in pixels of the map, or between 0 and 1.",
        "scaled to the image's pixels they are the reference's",
        "Multiply by the source size over the map size (or by the source size).",
    ),
    "rescale.offset": Cause(
        "detections",
        "Boxes are shifted by a constant: the offset of a pad or crop was forgotten.",
        "shifted back they are the reference's",
        "Subtract the padding, or add the origin of the crop.",
    ),
    "rescale.ratio": Cause(
        "detections",
        "Boxes were rescaled by other ratios, such as x by that of y.",
        "with the per-axis scale and offset undone that a fit finds, they are the reference's",
        "Rescale x by source width / map width and y by source height / map height.",
    ),
    "reference.not_repeatable": Cause(
        "tensor",
        "The training side gives another tensor, or map, each time, or stops: its Eval transforms hold a random operator.",
        "the same image twice gives tensors that differ; or, where it stopped, it runs and agrees without that operator",
        "Take random operators out of `Eval.dataset.transforms`.",
    ),
    "reference.global_leak": Cause(
        "resize",
        "A key of the training yml's `Global` reached an operator, as PaddleOCR merges `Global` into each of them.",
        "the training operators built without the key return the candidate's tensor",
        "Rename or remove the key under `Global`, and evaluate again.",
    ),
    UNKNOWN: Cause(
        "any",
        "No experiment removed the difference.",
        "nothing is claimed; the message lists what was ruled out and what could not be tried",
        "Start from the guilty stage and from what differs there.",
    ),
}


def page() -> str:
    """Return the page of causes, Markdown."""
    rows = [
        "# Causes",
        "",
        "What the diagnosis of a failed comparison can name. A cause is stated only when its experiment removed the",
        "difference; else the message says `unknown` and lists what was ruled out.",
        "",
        "Made by `python -m pytest_ocrparity.causes > docs/causes.md`.",
    ]
    for code, cause in CAUSES.items():
        rows += ["", f"## {code}", "", f"Stage: `{cause.stage}`. {cause.meaning}", ""]
        rows += [f"- **Proved when** {cause.proof}.", f"- **Fix.** {cause.fix}"]
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    print(page(), end="")

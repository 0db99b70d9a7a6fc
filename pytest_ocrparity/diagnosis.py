"""A diagnosis as plain values: stage at fault, cause, evidence in numbers, and the change that fixes it.

Produced by `diagnose`, formatted by `explain`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Annotated, Any, Final, NamedTuple

from pytest_ocrparity.jsonable import jsonable

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = [
    *("AGREES", "CAUSES", "UNKNOWN", "Alternative", "Change", "Diagnosis", "FeatureMap", "FeatureMaps", "Fix", "Layer"),
    *("LayerStep", "in_table"),
]

UNKNOWN = "unknown"
"""The cause of a diagnosis whose experiments removed no difference."""

_OF_INFERENCE = re.compile(
    r"\binference\.(?=((?:predict_)?options(?:_file)?|model_(?:dir|file|name)|factory|api|engine|paddleocr_root)\b)"
)

PAGE_SIDE: Final = "page"
"""The name of the deployment that reads pages, and of its settings table."""


def table_of(candidate: str) -> str:
    """Return the settings table of a candidate, such as "inference" or "candidates.onnx"."""
    return candidate if candidate in ("inference", PAGE_SIDE) else f"candidates.{candidate}"


def in_table(text: str, table: str, inherited: Collection[str] = ()) -> str:
    """Return a text that names settings of `inference`, about another candidate: with that one's table instead.

    Those that the candidate has `inherited` are corrected where they stand.
    """
    return _OF_INFERENCE.sub(lambda found: found[0] if found[1] in inherited else f"{table}.", text)


@dataclass(frozen=True, slots=True)
class Change:
    """One change of a fix, in a form that a program can apply.

    `where` is a setting ("inference.options", "train.config") or a file; `key` is the place inside of a file, such as
    "DetResizeForTest" or "PostProcess"; a value of None is to be removed.
    """

    where: str
    values: Mapping[str, Any] = field(default_factory=dict)
    key: str = ""

    def __post_init__(self) -> None:
        """Refuse a change that changes nothing (ValueError)."""
        is_whole = self.where == "export" or (self.where == "delete" and self.key)
        if not self.where or not (self.values or is_whole):
            raise ValueError(f"this change of {self.where or 'no place'} changes nothing")


@dataclass(frozen=True, slots=True)
class Fix:
    """What removes a cause: the sentence as a user would follow it, and the same as changes."""

    text: str
    changes: tuple[Change, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a fix that says nothing (ValueError)."""
        if not self.text.strip():
            raise ValueError("a fix says what to do")


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerStep:
    """How far an export's array lies from the one that an operator of the trained network makes.

    Attributes:
        layer: the dotted name of the operator's layer, empty for the network itself.
        operator: what it computes.
        status: "same", "begins to differ", "differs", or "not found": the export may hold several operators as one.
        difference: the largest difference; None where no array of the export is the operator's.
        largest: the largest value that the operator makes.
        movement: how far the array moves when the tensor is only rounded; None where that is not known.
    """

    layer: Annotated[str, "dotted name in the trained network, empty for the network itself"]
    operator: str
    status: Annotated[str, "same, begins to differ, differs, not found"]
    difference: float | None
    largest: Annotated[float, "the largest value of the trained network's array"]
    movement: Annotated[float | None, "how far that array moves when the tensor is only rounded, where that is known"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """The first layer of the trained network that an export computes otherwise.

    Attributes:
        name: its dotted name in the trained network, such as "backbone.blocks5.3.pw_conv".
        operator: what it computes, such as "conv2d"; of the graph in paddle's words.
        is_proved: whether both experiments hold: given the reference's inputs the export's operator returns another
            output than the reference's, and with the reference's output in its place the rest of the export returns the
            reference's map.
        same_as: the other layers that cannot be told apart from it in the export, such as a batch norm that was folded
            into its convolution.
        is_lacking: whether the export has no operator for it, and for those that `same_as` names.
        amounts: numbers by name: how far its output is off, of its largest value, and what of the map's difference is
            left with the reference's output in its place.
        attribute: how it differs: its attributes, where the trained network with the export's returns the export's map;
            or the operators that the export has behind it, and training has not.
        steps: the operators around it in the order of computation, on the image on which it was found.
    """

    name: str
    operator: str
    is_proved: Annotated[bool, "false: a hint, which explains nothing"]
    same_as: Annotated[tuple[str, ...], "layers that cannot be told apart from it in the export"] = ()
    is_lacking: Annotated[bool, "true: the export has no operator for it, and for those of `same_as`"] = False
    amounts: Mapping[str, float]
    attribute: Annotated[
        str, "its attributes that differ, where that is proved, or the operators behind it that training has not"
    ] = ""
    steps: Annotated[
        tuple[LayerStep, ...], "the operators around it in the order of computation, where it was found"
    ] = ()


@dataclass(frozen=True, slots=True)
class FeatureMap:
    """A part of the arrays that both sides hold in one place of their networks.

    Attributes:
        reference, candidate: (h, w) arrays.
        text: which array it is, and which part of it.
        limit: how far two that hold the same may lie apart.
    """

    reference: npt.NDArray[np.float32]
    candidate: npt.NDArray[np.float32]
    text: str
    limit: float


@dataclass(frozen=True, slots=True)
class FeatureMaps:
    """What goes into a layer and what comes out of it, where a search found that the networks begin to differ.

    Attributes:
        layer: that layer.
        image: on what it was found.
        given: what the layer is given, which both sides make alike; None where that is nothing.
        made: what both sides make of it.
    """

    layer: Layer
    image: str
    given: FeatureMap | None
    made: FeatureMap


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """One cause of a failed comparison.

    Attributes:
        stage: the stage at fault, one of `stages.STAGES`.
        cause: a code of `CAUSES`, or "unknown".
        summary: what is wrong, in one clause.
        evidence: the experiments that showed it, each with its numbers.
        noticed: hints beside them, which prove nothing.
        fix: what removes it; None where the cause is unknown.
        ruled_out: what was shown to be no cause of it, whatever else is.
        tried: what alone does not remove the difference; it may still be one of several causes.
        not_tried: what could not be tried here, each with the reason.
        rivals: where the cause is unknown, the codes of those that explain everything here equally well; among them,
            "unknown" stands for what has no code.
        layer: where in the network the difference begins, as far as that was looked for and found.
        model: of a page, whose fault it is: that of the "detection" or the "recognition" model, or of the "pipeline":
            of what stands between and around them.
    """

    stage: Annotated[str, "decode, resize, tensor, probability_map, detections, text; of a page also crop, page"]
    cause: Annotated[str, "a code of docs/reference/causes.md, or unknown"]
    summary: str
    evidence: tuple[str, ...] = ()
    fix: Fix | None = None
    ruled_out: tuple[str, ...] = ()
    not_tried: tuple[str, ...] = ()
    tried: tuple[str, ...] = ()
    rivals: tuple[str, ...] = ()
    layer: Layer | None = None
    noticed: Annotated[tuple[str, ...], "hints beside the evidence, which prove nothing"] = ()
    model: Annotated[
        str, "of a page, whose fault it is: detection, recognition, or pipeline, what runs around them; else empty"
    ] = ""

    def in_table(self, table: str) -> Diagnosis:
        """Return this diagnosis for a candidate with another settings table than `inference`."""
        if self.fix is None or table == "inference":
            return self
        changes = tuple(replace(change, where=in_table(change.where, table)) for change in self.fix.changes)
        return replace(self, fix=Fix(in_table(self.fix.text, table), changes))

    def as_json(self) -> dict[str, Any]:
        """Return this diagnosis in plain JSON types."""
        result: dict[str, Any] = jsonable(asdict(self))
        return result


CAUSES: Final[Mapping[str, str]] = {
    "decode.channel_order": "decode",
    "decode.orientation": "decode",
    "decode.alpha": "decode",
    "decode.bit_depth": "decode",
    "decode.pixels": "decode",
    "decode.file_type": "decode",
    "decode.scaled": "decode",
    "decode.cropped": "decode",
    "resize.limits": "resize",
    "resize.image_shape": "resize",
    "resize.resize_long": "resize",
    "resize.input_shape": "resize",
    "resize.max_side_limit": "resize",
    "resize.rounding": "resize",
    "resize.interpolation": "resize",
    "resize.padding": "resize",
    "resize.pixels": "resize",
    "resize.width": "resize",
    "resize.height": "resize",
    "resize.stretch": "resize",
    "resize.max_width": "resize",
    "resize.batch_padding": "resize",
    "normalize.mean_std": "tensor",
    "normalize.mean_std_order": "tensor",
    "normalize.scale": "tensor",
    "normalize.order": "tensor",
    "normalize.twice": "tensor",
    "normalize.precision": "tensor",
    "layout.axes": "tensor",
    "tensor.padding_value": "tensor",
    "network.weights": "probability_map",
    "network.weights.not_loaded": "probability_map",
    "network.weights.other_checkpoint": "probability_map",
    "network.weights.partly_loaded": "probability_map",
    "network.architecture": "probability_map",
    "network.sub_model": "probability_map",
    "network.train_mode": "probability_map",
    "network.graph": "probability_map",
    "network.outputs": "probability_map",
    "network.softmax": "probability_map",
    "network.head": "probability_map",
    "network.own_code": "probability_map",
    "network.pointwise": "probability_map",
    "network.tiles": "probability_map",
    "layout.map": "probability_map",
    "network.fusion": "probability_map",
    "network.stale_program": "probability_map",
    "network.not_finite": "probability_map",
    "network.traced_shape": "probability_map",
    "network.fixed_shape": "probability_map",
    "engine.onednn": "probability_map",
    "engine.optimization": "probability_map",
    "engine.precision": "probability_map",
    "engine.not_repeatable": "probability_map",
    "engine.state": "any",
    "engine.batch": "any",
    "precision.fp16": "probability_map",
    "precision.bf16": "probability_map",
    "precision.int8": "probability_map",
    "precision.activations": "probability_map",
    "postprocess.thresh": "detections",
    "postprocess.box_thresh": "detections",
    "postprocess.unclip_ratio": "detections",
    "postprocess.max_candidates": "detections",
    "postprocess.use_dilation": "detections",
    "postprocess.score_mode": "detections",
    "postprocess.box_type": "detections",
    "postprocess.filter": "detections",
    "postprocess.score_order": "detections",
    "postprocess.scores": "detections",
    "postprocess.grown": "detections",
    "postprocess.merged": "detections",
    "postprocess.map_size": "detections",
    "rescale.int16": "detections",
    "rescale.frame": "detections",
    "rescale.offset": "detections",
    "rescale.ratio": "detections",
    "rescale.axes": "detections",
    "rescale.mirrored": "detections",
    "rescale.corners": "detections",
    "rescale.rounding": "detections",
    "rescale.clipped": "detections",
    "rescale.shape_row": "resize",
    "text.dictionary": "text",
    "text.dictionary_length": "text",
    "text.blank": "text",
    "text.duplicates": "text",
    "text.direction": "text",
    "text.score": "text",
    "pipeline.doc_preprocessor": "resize",
    "pipeline.boxes": "detections",
    "pipeline.crop_rule": "crop",
    "pipeline.textline_orientation": "crop",
    "pipeline.order": "page",
    "pipeline.score_thresh": "page",
    "preprocessing.not_repeatable": "tensor",
    "reference.not_repeatable": "tensor",
    "reference.global_leak": "resize",
    UNKNOWN: "any",
}


class Alternative(NamedTuple):
    """Another network, or another way to run it, for an experiment.

    `cause` is the code that is proved when `run`, which takes and returns what `Pipeline.infer` does, returns the map
    that was looked for; `label` is how messages call it; `fix` says how a user runs it that way, where that is known.
    `keeps_passes` says that the engine still optimises in this way: it shows nothing of the program by itself.
    """

    cause: str
    label: str
    run: Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]]
    fix: Fix | None = None
    keeps_passes: bool = False


AGREES = "every part that could be run by itself agrees with the reference"
"""The summary where each part agrees and the whole differs."""

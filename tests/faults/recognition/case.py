"""What a case of a recogniser is, how the tables write one, and what may be said of it.

Both tables are frozen: they were written without looking at `diagnose/`, and before what answers them. What may change
is `NAMES`: a code that docs/reference/causes.md gets later for a concept is added to that concept's codes.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from faults.near_miss import Make, NearMiss
from faults.recognition.deployment import LineDeployment
from faults.recognition.port import LinePort
from pytest_ocrparity.diagnosis import UNKNOWN

IS_DIAGNOSED = True
"""Whether the causes of recognisers are diagnosed. THE SWITCH: set it to True when their diagnosis is merged.

Then a case whose causes are named must be mended by who follows the fixes, and where all cases run, 95 % of the faults
must be named. `test_the_switch_is_as_the_diagnosis` fails where it is off although causes are named, and the reverse.
"""

NAMES: Mapping[str, tuple[str, ...]] = {
    # width, height, padding
    "width": ("resize.width",),
    "floor": ("resize.width", "resize.padding"),
    "input_shape": ("resize.input_shape",),
    "batch padding": ("resize.batch_padding",),
    "rounding": ("resize.rounding",),
    "height": ("resize.height", "resize.image_shape"),
    "stretch": ("resize.stretch",),
    "max width": ("resize.max_width",),
    "most width of a port": ("resize.max_width", "resize.width"),
    "image_shape": ("resize.image_shape", "resize.width"),
    "more padding": ("resize.padding", "resize.width", "resize.image_shape"),
    "padding value": ("tensor.padding_value",),
    "placement": ("resize.padding", "resize.placement", "tensor.padding", "tensor.placement", "layout.padding"),
    "interpolation": ("resize.interpolation",),
    "pixels": ("resize.pixels", "decode.pixels"),
    # files and colours
    "channel order": ("decode.channel_order",),
    "orientation": ("decode.orientation",),
    "alpha": ("decode.alpha", "decode.pixels"),
    "bit depth": ("decode.bit_depth",),
    "other bits": ("decode.bit_depth", "decode.pixels"),
    "decoder": ("decode.pixels",),
    "file type": ("decode.file_type",),
    "scaled": ("decode.scaled", "decode.pixels"),
    "cropped": ("decode.cropped",),
    # values
    "mean and std": ("normalize.mean_std",),
    "scale": ("normalize.scale", "normalize.mean_std"),
    "twice": ("normalize.twice",),
    "precision": ("normalize.precision",),
    "axes": ("layout.axes",),
    # the dictionary and the decoder
    "dictionary": ("text.dictionary",),
    "dictionary length": ("text.dictionary_length", "text.dictionary"),
    "blank": ("text.blank",),
    "duplicates": ("text.duplicates",),
    "direction": ("text.direction",),
    "score": ("text.score",),
    # the network
    "not loaded": ("network.weights.not_loaded",),
    "other checkpoint": ("network.weights.other_checkpoint",),
    "partly loaded": ("network.weights.partly_loaded",),
    "weights": ("network.weights",),
    "sub-model": ("network.sub_model",),
    "outputs": ("network.outputs",),
    "train mode": ("network.train_mode",),
    "softmax": ("network.softmax",),
    "logarithms": ("network.softmax", "network.pointwise"),
    "softmax of a port": ("network.softmax", "network.own_code"),
    "head": ("network.head", "text.dictionary_length"),
    "fusion": ("network.fusion",),
    "graph": ("network.graph",),
    "not finite": ("network.not_finite",),
    "traced shape": ("network.traced_shape",),
    "fixed shape": ("network.fixed_shape",),
    "own code": ("network.own_code", "network.pointwise"),
    "tiles": ("network.tiles", "network.own_code"),
    "map": ("layout.map", "layout.axes"),
    # engines
    "oneDNN": ("engine.onednn",),
    "optimisation": ("engine.optimization",),
    "not repeatable": ("engine.not_repeatable",),
    "state": ("engine.state",),
    "fp16": ("precision.fp16",),
    "int8": ("precision.int8",),
    # the reference
    "random reference": ("reference.not_repeatable",),
    "random preprocessing": ("preprocessing.not_repeatable",),
    "leak": ("reference.global_leak",),
    "unknown": (UNKNOWN,),
}
"""By what is truly done, the codes that say so; the first is recognition's or the detector's own."""

REFUSED = "load"
"""The stage of a deployment that is refused before any line is run."""

Inject = Callable[[LineDeployment], None]


@dataclass(frozen=True, kw_only=True)
class LineCase(NearMiss):
    """A fault or a near miss of a recogniser.

    Attributes:
        wanted: what must be said, each stage with its concept; "a/b" where both stages are true.
        may: concepts that are true as well, and may be said.
        refused: a regular expression of what is said where the deployment is refused before any line is run.
        mend: what puts it right where the stated fix is no change of a setting, a file or the export.
    """

    wanted: tuple[tuple[str, str], ...]
    may: tuple[str, ...] = ()
    refused: str = ""
    mend: Inject | None = None

    @property
    def codes(self) -> tuple[str, ...]:
        """The codes that may be stated, those that must first."""
        return tuple(code for _, concept in self.wanted for code in NAMES[concept]) + tuple(
            code for concept in self.may for code in NAMES[concept]
        )

    def is_named(self, causes: Collection[str]) -> bool:
        """Return whether all is said that must be."""
        return all(any(code in (*causes, UNKNOWN) for code in NAMES[concept]) for _, concept in self.wanted)

    @property
    def is_own_engine(self) -> bool:
        """Whether no setting of paddleocr's can be the way out."""
        return isinstance(self.make(None, ()), LinePort)


def case(name: str, images: str, *expected: str, make: Make | None = None, **more: Any) -> LineCase:
    """Write a case whose expectations are stage:concept; `images` are the names of lines, PNG if no suffix is given."""
    wanted = tuple((stage, concept) for stage, _, concept in (each.partition(":") for each in expected))
    kind = "two faults" if wanted[1:] else "refused" if wanted[0][0] == REFUSED else wanted[0][1]
    values = {
        "kind": kind,
        "stage": wanted[0][0],
        "allowed": NAMES[wanted[0][1]][0],
        "injected": tuple(NAMES[concept][0] for _, concept in wanted if concept != UNKNOWN),
        "images": tuple(each if "." in each else f"{each}.png" for each in images.split()),
        **more,
    }
    return LineCase(name=name, make=make or (lambda inference, _: inference), wanted=wanted, **values)


def port(**hooks: Any) -> Make:
    """Return a maker of a port around the network of the right export, which who follows a fix puts right."""
    return lambda inference, followed: LinePort(
        engine=inference, **{name: value for name, value in hooks.items() if not followed or name in KEPT}
    )


KEPT = ("recorded", "has_source")
"""What no fix changes."""


def both(*injections: Inject) -> Inject:
    """Do several things."""

    def inject(d: LineDeployment) -> None:
        for each in injections:
            each(d)

    return inject

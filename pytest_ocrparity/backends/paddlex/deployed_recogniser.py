"""The deployed recogniser: `paddleocr.TextRecognition` on an export folder, one line at a time.

Nothing of the processing is done here. A line is a batch of its own: paddlex fills the lines of a batch up to the
widest, and a network reads some of them otherwise then, which is no fault of an export.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from pytest_ocrparity.artifacts.dictionary import DEFAULT, DEFAULT_ENTRIES, dictionary_misfit
from pytest_ocrparity.backends.effective_parameters import effective_text_parameters
from pytest_ocrparity.backends.isolation import isolated
from pytest_ocrparity.backends.line_probes import probed_classes, probed_line_widths, probed_width_rule
from pytest_ocrparity.backends.memory_guard import Watched
from pytest_ocrparity.backends.paddlex.deployed import Deployed
from pytest_ocrparity.backends.paddlex.deployed_side import DeployedSide
from pytest_ocrparity.backends.paddlex.predictor import (
    DECODE_TEXT,
    LINE_STEPS,
    RESIZE_LINE,
    Predictor,
)
from pytest_ocrparity.backends.paddlex.returned import returned_recognition
from pytest_ocrparity.backends.paddlex.taps import Call, predictor_runner_inputs
from pytest_ocrparity.backends.staged import StagedRecogniser
from pytest_ocrparity.errors import ModelError, StageError
from pytest_ocrparity.files import image_file_bytes, image_to_hand_on
from pytest_ocrparity.stages import DECODE, PROBABILITY_MAP, RESIZE, TEXT
from pytest_ocrparity.trace import Decoded, Image, Recognition, Trace, trace_copy

ALEPH_BET: Final = "\u05d0\u05d1"
"""Two letters that are written from the right to the left."""

VARIED: Final = {DECODE: ("img_mode",), RESIZE: ("image_shape", "input_shape")}
"""By stage, the parameters that an experiment can change."""


class DeployedRecogniser(DeployedSide, StagedRecogniser):
    """A deployed recogniser with a CTC head."""

    recorded = frozenset({DECODE, RESIZE})
    _classes: int | None = None

    def check(self) -> None:
        """Run the network on an empty line, and hold the dictionary against its classes.

        Raises:
            ModelError: the dictionary has another number of entries than the network takes.
        """
        self._classes = probed_classes(lambda: self.infer(np.zeros((1, 3, *self._base), np.float32)))
        characters = len(self._predictor.post_process.character) - 1  # a space is always appended
        if self._classes is not None and self._classes - 1 not in (characters, characters - 1):
            raise ModelError(self._misfit(self._classes))

    def _misfit(self, classes: int) -> str:
        written, config = self.written[TEXT].get("character_dict"), self._export.config
        model = str(self._program or self._export.folder)
        if written is None:
            what = (
                f"{config} holds no PostProcess.character_dict, and the dictionary that paddlex takes then, {DEFAULT},"
            )
            text = dictionary_misfit(what, DEFAULT_ENTRIES, model, classes)
        else:
            text = dictionary_misfit(f"PostProcess.character_dict in {config}", len(written), model, classes)
        return (
            f"{text}: export again with the dictionary of the training as Global.character_dict_path, or write its "
            "lines there, in their order"
        )

    @property
    def _base(self) -> tuple[int, int]:
        """The height and the base width of a line in px."""
        resize = self._predictor.steps[RESIZE_LINE]
        _, height, width = resize.rec_image_shape if resize.input_shape is None else resize.input_shape
        return int(height), int(width)

    def _height(self) -> int | None:
        return self._base[0]

    def _record_resize(
        self, trace: Trace, calls: Mapping[str, Call], watched: Watched
    ) -> tuple[Trace, dict[str, Mapping[str, Any]]]:
        if RESIZE_LINE not in calls or watched.picture is None:
            return trace, {}
        return replace(trace, resize=trace_copy(watched.picture)), {RESIZE: self._resize_parameters()}

    def _record_calls(self, trace: Trace, calls: Mapping[str, Call], watched: Watched) -> Trace:
        return self._with_widths(super()._record_calls(trace, calls, watched), watched.picture)

    def _with_widths(self, trace: Trace, picture: npt.NDArray[np.uint8] | None) -> Trace:
        """Return a trace with what became of its line, which is no parameter that holds for the next one."""
        if trace.tensor is None:
            return trace
        resize = {**trace.parameters[RESIZE], **probed_line_widths(trace.tensor, picture)}
        return replace(trace, parameters={**trace.parameters, RESIZE: resize})

    def trace_batch(self, images: Sequence[Image]) -> list[Trace]:
        """Run `TextRecognition.predict` on lines as one batch, each filled up to the widest; return a trace of each.

        They stay in the order in which they are given, as the class leaves them.

        Raises:
            StageError: the batch does not run.
        """
        given = [image_to_hand_on(image) for image in images]
        try:
            with self._memory.watching(None) as watched:
                steps = {**self._replaced, "ToBatch": self._batch_within_memory}
                results, calls = self._predictor.detect_batch(given, steps)
        except Exception as error:
            raise self.stage_error(PROBABILITY_MAP, error) from error
        (tensors,), maps = predictor_runner_inputs(calls["runner"]), np.asarray(calls["runner"].result[0])
        if not len(results) == len(maps) == len(images):
            text = f"of {len(images)} lines, {len(results)} results and {len(maps)} maps came back"
            raise StageError(PROBABILITY_MAP, f"{text} (a file of several pages is several lines)")
        pictures = watched.pictures[-len(images) :]
        parameters = self.parameters
        order = parameters[DECODE]["img_mode"]
        traces = []
        for index, image in enumerate(images):
            trace = Trace(
                pipeline=self.name,
                image=image_file_bytes(image)[0],
                decode=Decoded.of(calls["Read"].result[index], order),
                resize=trace_copy(pictures[index]),
                tensor=tensors[index : index + 1],
                probability_map=maps[index : index + 1],
                recognition=returned_recognition(results[index]["rec_text"], results[index]["rec_score"]),
                parameters=parameters,
                source=self,
            )
            traces.append(self._with_widths(trace, pictures[index]))
        return traces

    def _batch_within_memory(self, imgs: list[Any]) -> Any:
        """Make a batch of lines for which the network has memory."""
        batch = self._predictor.steps["ToBatch"](imgs=imgs)
        count, _, height, width = batch[0].shape
        self._memory.admit_tensor((height, width), PROBABILITY_MAP, count=count)
        return batch

    def _resize_parameters(self) -> Mapping[str, Any]:
        """Return what the step that resizes holds, and the rule that it follows."""
        if RESIZE in self._called:
            return self._called[RESIZE]
        resize: Any = self._replaced.get(RESIZE_LINE, self._predictor.steps[RESIZE_LINE])
        shape = resize.rec_image_shape if resize.input_shape is None else resize.input_shape
        with isolated():
            rule = probed_width_rule(lambda line: np.asarray(resize([line])[0]), *map(int, shape[1:]))
        found = {"rule": rule, "image_shape": [int(side) for side in resize.rec_image_shape]}
        if resize.input_shape is not None:
            return {**found, "input_shape": [int(side) for side in resize.input_shape]}
        return {**found, "max_width": getattr(resize, "max_imgW", None)}

    def read_map(self, probability_map: npt.NDArray[np.float32]) -> Recognition:
        """Return what `TextRecognition.predict` reads in a (1, T, C) map.

        The predictor runs on a dummy line, with this map in the place of its network's output.
        """
        return self._read({"runner": [np.array(probability_map)]})  # a post-process of the user's may work in place

    def _read(self, instead: Mapping[str, Any]) -> Recognition:
        """Run the predictor on a dummy line with results in the place of some steps."""
        dummy = np.zeros((*self._base, 3), np.uint8)
        empty = {name: [dummy] for name in LINE_STEPS} | {"runner": []}
        result, _ = self._predictor.detect(dummy, {**empty, **instead}, self._replaced)
        return returned_recognition(result["rec_text"], result["rec_score"])

    @property
    def characters(self) -> Sequence[str]:
        """The characters of the network's classes, from class 1 on; class 0 is the blank."""
        return tuple(self._predictor.post_process.character[1 : self._classes])

    def text_orders(self) -> Mapping[str, Callable[[str], str]]:
        """Return by name how paddlex can put the characters of a text into another order, whether it does so here."""
        with isolated():
            from paddlex.inference.models.text_recognition import predictor

        orders = {"pred_reverse": self._predictor.post_process.pred_reverse}
        if hasattr(predictor, "get_display"):  # paddlex 3.1 reorders nothing
            orders["get_display"] = predictor.get_display
        return orders

    def _decode_nothing(self) -> None:
        """Let the predictor put two letters into its order."""
        is_reordered = self._read({DECODE_TEXT: ([ALEPH_BET], [1.0])}).text != ALEPH_BET
        self._called[TEXT] = effective_text_parameters(self.characters, "get_display" if is_reordered else None)

    def _replacing(self, changes: Mapping[str, Mapping[str, Any]]) -> dict[str, Callable[..., Any]]:
        unknown = [
            f"{name} of {stage}" for stage, own in changes.items() for name in own if name not in VARIED.get(stage, ())
        ]
        if unknown:
            raise ValueError(f"paddlex's steps have nothing that sets {', '.join(unknown)}")
        found: dict[str, Callable[..., Any]] = {}
        steps = self._predictor.steps
        if changes.get(DECODE):
            found["Read"] = type(steps["Read"])(format=changes[DECODE]["img_mode"])
        if changes.get(RESIZE):
            wanted = {**self.parameters[RESIZE], **changes[RESIZE]}
            shapes = {"rec_image_shape": wanted["image_shape"], "input_shape": wanted.get("input_shape")}
            found[RESIZE_LINE] = type(steps[RESIZE_LINE])(**shapes)
        return found

    def _alike(self, predictor: Predictor, deployed: Deployed) -> DeployedRecogniser:
        return DeployedRecogniser(predictor, self._export, deployed, self._load)

"""The recogniser of a checkout's `tools/infer/predict_rec.py`, run one line at a time."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from pytest_ocrparity.artifacts.dictionary import dictionary_misfit
from pytest_ocrparity.backends.checkout.flags import REC_FLAG_OF
from pytest_ocrparity.backends.checkout.script import DICTIONARY, in_place_of_network
from pytest_ocrparity.backends.checkout.side import ScriptSide, Setup
from pytest_ocrparity.backends.effective_parameters import effective_text_parameters
from pytest_ocrparity.backends.isolation import isolated
from pytest_ocrparity.backends.line_probes import probed_classes, probed_line_widths, probed_width_rule
from pytest_ocrparity.backends.replacing import replaced
from pytest_ocrparity.backends.staged import StagedRecogniser
from pytest_ocrparity.errors import ModelError
from pytest_ocrparity.stages import DECODE, RESIZE
from pytest_ocrparity.trace import Image, Recognition, Trace, trace_copy

SHAPE, DECODER = "rec_image_shape", "CTCLabelDecode"
"""The flag that sets the size of a line, and the decoder that is compared."""


class ScriptRecogniser(ScriptSide, StagedRecogniser):
    """`TextRecognizer` with a CTC model; its `__call__` runs as it is."""

    flags = REC_FLAG_OF

    def __init__(self, setup: Setup) -> None:
        """Load the script's class, and hold its dictionary against the network's classes.

        Raises:
            ModelError: it does not load, or the dictionary has another number of entries than the network takes.
        """
        shape = setup.options.get(SHAPE, "3,48,320")
        if not isinstance(shape, str) or re.fullmatch(r"\s*3(\s*,\s*[1-9][0-9]*\s*){2}", shape) is None:
            raise ModelError(f'inference.options: {SHAPE} is {shape!r}, not channels, height and width as "3,48,320"')
        super().__init__(setup)
        decoder = type(self._made.postprocess_op).__name__
        if decoder != DECODER:
            raise ModelError(
                f"inference.options: rec_algorithm is {self._arguments.rec_algorithm!r}, and {setup.script.label} "
                f"decodes with {decoder} then; it is compared with {DECODER} alone, the default's"
            )
        self._rules: dict[tuple[int, ...], str | None] = {}
        line = (1, *self._made.rec_image_shape)
        classes = probed_classes(lambda: self.infer_alone(np.zeros(line, np.float32)))
        if classes not in (None, len(self._made.postprocess_op.character)):
            raise ModelError(self._misfit(classes or 0))

    def _misfit(self, classes: int) -> str:
        entries = len(self._made.postprocess_op.character) - 1 - bool(self._arguments.use_space_char)
        what = f"the dictionary of {self._setup.script.label}, {self.dictionary_place},"
        text = dictionary_misfit(what, entries, str(self._file), classes)
        return (
            f"{text}: set inference.options.{DICTIONARY} to the dictionary of the training, and use_space_char to that "
            f"of its YAML file; production passes them as --{DICTIONARY} and --use_space_char"
        )

    @property
    def dictionary_place(self) -> str:
        """What holds the characters, in the words of fixes."""
        path = self._setup.options.get(DICTIONARY, self._setup.script.default_of(DICTIONARY))
        if self._arguments.rec_char_dict_path != path:  # written by the script itself
            return f"PostProcess.character_dict in {self._setup.export.config}"
        return f"{DICTIONARY} = {path}"

    def _height(self) -> int | None:
        return int(self._made.rec_image_shape[1])

    def _run(self, image: Any) -> Any:
        return self._made([image])[0]

    def _given(self, tensor: npt.NDArray[np.float32]) -> Mapping[str, Any]:
        return {"resize_norm_img": lambda *_: tensor[0]}

    def _map_of(self, output: Any) -> npt.NDArray[np.float32]:
        return np.asarray(output)

    def preprocess(self, image: Image) -> Trace:
        """Run the script up to the tensor of a line.

        Raises:
            ImageError: the image is missing or does not decode.
        """
        trace, pixels = self._read(image)
        if pixels is None:
            return trace
        net, instead = in_place_of_network(self._made)
        try:
            with isolated(), self._memory.watching(None) as watched, replaced(self._made, **instead):
                self._run(pixels)
        except (Exception, SystemExit) as error:
            return replace(trace, error=self.stage_error(RESIZE, error))
        parameters = dict(trace.parameters)
        parameters[RESIZE] = {**parameters[RESIZE], **probed_line_widths(net.given, watched.picture)}
        resize = None if watched.picture is None else trace_copy(watched.picture)
        return replace(trace, resize=resize, tensor=net.given, parameters=parameters)

    def read_map(self, probability_map: npt.NDArray[np.float32]) -> Recognition:
        """Return what the script reads in a (1, T, C) map."""
        _, instead = in_place_of_network(self._made, np.asarray(probability_map))
        line = np.zeros((*self._made.rec_image_shape[1:], 3), np.uint8)
        with isolated(), replaced(self._made, **instead):
            read = self._run(line)[0]
        return Recognition(read[0], read[1])

    @property
    def characters(self) -> Sequence[str]:
        """The characters of the network's classes, from class 1 on; class 0 is the blank."""
        return tuple(self._made.postprocess_op.character[1:])

    def text_orders(self) -> Mapping[str, Callable[[str], str]]:
        """Return by name how the script can put the characters of a text into another order."""
        return {"pred_reverse": self._made.postprocess_op.pred_reverse}

    @property
    def _preprocessing_parameters(self) -> dict[str, Mapping[str, Any]]:
        shape = tuple(int(side) for side in self._made.rec_image_shape)
        if shape not in self._rules:
            with isolated():
                self._rules[shape] = probed_width_rule(self._tensor_of, *shape[1:])
        resize = {"rule": self._rules[shape], "image_shape": list(shape), "max_width": None}
        return {DECODE: {"img_mode": "BGR", "ignore_orientation": False}, RESIZE: resize}

    def _tensor_of(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[Any]:
        net, instead = in_place_of_network(self._made)
        with replaced(self._made, **instead):
            self._run(pixels)
        return np.asarray(net.given[0])

    @property
    def _product_parameters(self) -> Mapping[str, Any]:
        reverses = self._made.postprocess_op.reverse
        return effective_text_parameters(self.characters, "pred_reverse" if reverses else None)

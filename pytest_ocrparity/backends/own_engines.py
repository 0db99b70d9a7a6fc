"""Sides made of a user's own functions: an engine with another side's processing, or a whole port.

What a function returns is checked here, as a wrong shape would otherwise come back as a difference, or not at all.
Nothing is converted in a way that loses or guesses something.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from pytest_ocrparity.backends.staged import StagedPipeline
from pytest_ocrparity.contract import HasTrainedNetwork, Pipeline, TakesParameters, offered
from pytest_ocrparity.errors import StageError, did_you_mean
from pytest_ocrparity.files import image_file_bytes, image_to_hand_on
from pytest_ocrparity.stages import DECODE, DETECTIONS, PROBABILITY_MAP, RECOGNITION, RESIZE, TENSOR
from pytest_ocrparity.trace import Array, Decoded, Detections, Image, Shape, Trace

Run: TypeAlias = Callable[[Array], Array]

SHAPE: Final = "shape"
PARTS: Final = (DECODE, RESIZE, TENSOR, SHAPE)
"""What a preprocess may return, by name."""

HANDED_ON: Final = ("table", "written", "given", "parameter_fix", "rectified")
"""What a side says of its own processing, which holds for whoever uses it. What a pipeline does to boxes after its
post-process is not run here, so it is not handed on."""


OF_THE_REFERENCE: Final = ("train", "baseline")
"""What messages call a reference, which a `MapEngine` can't be."""


class _OwnCode(StagedPipeline):
    """A side that runs a user's functions, with their warnings and in the process as it is."""

    def surrounding(self) -> AbstractContextManager[None]:
        """Return what changes nothing."""
        return nullcontext()


class MapEngine(_OwnCode):
    """Your engine runs the network; another side's own code does all that is around it.

    For an engine that gets PaddleOCR's tensor and whose map goes through PaddleOCR's post-process, such as OpenVINO::

        @pytest.fixture(scope="session")
        def ocr_inference_model(ocr_inference_model):
            fp32 = {"INFERENCE_PRECISION_HINT": "f32"}  # else a CPU with bf16 takes that
            compiled = openvino.Core().compile_model("inference.onnx", "CPU", fp32)
            return MapEngine(lambda tensor: compiled(tensor)[0], like=ocr_inference_model, name="openvino")

    Args:
        infer: takes a (1, 3, h, w) float32 tensor and returns the probability map, (1, C, h, w), float32 or float16,
            with values from 0 to 1: the network's first output as it comes. It gets a copy that it may change.
        like: a loaded side, such as the `ocr_inference_model` of the settings: it decodes, resizes and normalises, and
            makes boxes, in pixels of the source image. Its settings are what fixes of these stages are worded for.
        name: how messages call this side; None is the name of `like`.

    Raises:
        TypeError: `infer` is no function, or `like` runs no processing, as results that were written elsewhere.
        ValueError: `like` is the trained model, whose processing would be compared with itself; `infer` is a method of
            `like`, which then is the same side; or `name` is the reference's.
        StageError: in `Trace.error`, where `infer` raises or returns something else; it names `infer` and what it
            returned.
    """

    def __init__(self, infer: Run, *, like: Pipeline, name: str | None = None) -> None:
        """Join an engine and the processing of a side."""
        if not callable(infer):
            raise TypeError(f"MapEngine: infer is {infer!r}, not a function")
        if getattr(like, "task", None) == RECOGNITION.name:
            raise TypeError(
                f"MapEngine: like is {_side_text(like)}, a recogniser, and MapEngine makes detectors: write a class "
                "whose trace(image) returns a Trace with a Recognition"
            )
        if not all(callable(getattr(like, part, None)) for part in ("preprocess", "postprocess")):
            raise TypeError(
                f"MapEngine: like is {_side_text(like)}, which runs no preprocess and postprocess: give a loaded side "
                "that does, such as ocr_inference_model"
            )
        super().__init__(like.name if name is None else name)
        if offered(like, HasTrainedNetwork) is not None:
            raise ValueError(
                f"MapEngine: like is {like.name}, the trained model, so its processing would be compared with itself: "
                "give the side that is deployed, such as ocr_inference_model"
            )
        if getattr(infer, "__self__", None) is like:
            raise ValueError(f"MapEngine: infer is {like.name}'s own, so this is {like.name} again: give your engine")
        if name in OF_THE_REFERENCE:
            raise ValueError(
                f"MapEngine: name is {name!r}, and messages call the reference so: give this side a name of its "
                'own, such as "openvino"'
            )
        self._infer, self._like = infer, like

    def __getattr__(self, name: str) -> Any:
        """Hand on what the other side says of its processing, as far as it says so; nothing of its network."""
        takes = offered(self._like, TakesParameters) if name == "varied" else None
        if takes is not None:
            return lambda changes: MapEngine(self._infer, like=takes.varied(changes), name=self.name)
        if name in HANDED_ON:
            return getattr(self._like, name)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def preprocess(self, image: Image) -> Trace:
        """Run the other side's stages up to the tensor."""
        return replace(self._like.preprocess(image), pipeline=self.name, source=self)

    def infer(self, tensor: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return your engine's (1, C, h, w) float32 map of a (1, 3, h, w) tensor.

        Raises:
            StageError: your engine raised, or returned something else.
        """
        return _map_of(self._infer, tensor)

    def postprocess(self, probability_map: npt.NDArray[np.float32], shape: Shape) -> Detections:
        """Return the boxes that the other side makes of a map, in source pixels."""
        return self._like.postprocess(probability_map, shape)

    @property
    def parameters(self) -> Mapping[str, Mapping[str, Any]]:
        """The other side's parameters, and your engine's name in the place of its engine's."""
        return {**self._like.parameters, PROBABILITY_MAP: {"engine": _function_label(self._infer)}}


class FunctionPipeline(_OwnCode):
    """A port as a side: three functions, as your deployment has them.

    Args:
        preprocess: takes the image, a path as text or an (H, W, 3) uint8 BGR array, and returns a dict with:
            "tensor", (1, 3, h, w) float32, what the network gets;
            "shape", (source height, source width, ratio_h, ratio_w), the first two in px of the source image, the
            ratios network px per source px;
            and where you have them "decode", the (H, W, 3) uint8 image in BGR order (`Decoded.of(pixels, "RGB")` for
            another), and "resize", the (h, w, 3) uint8 image: a stage that is there is compared by itself.
        infer: takes that tensor and returns the map, (1, C, h, w), float32 or float16, with values from 0 to 1.
        postprocess: takes a (1, C, h, w) float32 map and that shape, and returns (polygons, scores): polygons as
            (N, 2) arrays of x, y in px of the source image; scores from 0 to 1, one each, or None where there are none.
            A `Detections` may be returned instead.
        name: how messages call this side.
        parameters: what it runs with, by stage and by PaddleOCR's names, such as {"detections": {"thresh": 0.3}}:
            shown beside the reference's.

    Each function gets copies that it may change. Experiments run the functions by themselves: `infer` with the
    reference's tensor, `postprocess` with its map.

    Raises:
        TypeError: what is given is no function.
        StageError: in `Trace.error`, where a function raises or returns something else; it names the function and what
            it returned.
    """

    def __init__(
        self,
        *,
        preprocess: Callable[[Any], Mapping[str, Any]],
        infer: Run,
        postprocess: Callable[[Array, Shape], Any],
        name: str = "inference",
        parameters: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        """Take the functions."""
        super().__init__(name)
        for role, function in (("preprocess", preprocess), ("infer", infer), ("postprocess", postprocess)):
            if not callable(function):
                raise TypeError(f"FunctionPipeline: {role} is {function!r}, not a function")
        self._preprocess, self._infer, self._postprocess = preprocess, infer, postprocess
        self._parameters = dict(parameters or {})

    def preprocess(self, image: Image) -> Trace:
        """Run your preprocess, and record the stages that it returns.

        Raises:
            ImageError: the image is missing, or no (H, W, 3) uint8 array.
        """
        trace = Trace(pipeline=self.name, image=image_file_bytes(image)[0], source=self, parameters=self._parameters)
        given = image_to_hand_on(image)
        try:
            made = _call_user_function(DECODE, "preprocess", self._preprocess, given)
            return replace(trace, **_check_preprocess_result(_Returned("preprocess", self._preprocess), made))
        except StageError as error:
            return replace(trace, error=error)

    def infer(self, tensor: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return your (1, C, h, w) float32 map of a (1, 3, h, w) tensor.

        Raises:
            StageError: your infer raised, or returned something else.
        """
        return _map_of(self._infer, tensor)

    def postprocess(self, probability_map: npt.NDArray[np.float32], shape: Shape) -> Detections:
        """Return your boxes of a (1, C, h, w) map, in source pixels.

        Raises:
            StageError: your postprocess raised, or returned something else.
        """
        made = _call_user_function(DETECTIONS, "postprocess", self._postprocess, np.array(probability_map), shape)
        return _check_postprocess_result(_Returned("postprocess", self._postprocess), made)

    @property
    def parameters(self) -> Mapping[str, Mapping[str, Any]]:
        """What was stated of this side."""
        return self._parameters


class _Returned:
    """Words the errors about what a user's function returned."""

    def __init__(self, role: str, function: Callable[..., Any]) -> None:
        """Name the function by its role and its own name."""
        self._start = f"{role} ({_function_label(function)}) returned"

    def refused(self, stage: str, what: str, wanted: str) -> StageError:
        """Return the error: what was returned, and what is wanted."""
        return StageError(stage, f"{self._start} {what}: {wanted}")


def _call_user_function(stage: str, role: str, function: Callable[..., Any], *args: Any) -> Any:
    try:
        return function(*args)
    except Exception as error:
        said = str(error).strip() or "without a word"
        text = f"{role} ({_function_label(function)}) raised {type(error).__name__}: {said}"
        raise StageError(stage, text) from error


def _function_label(function: Callable[..., Any]) -> str:
    """Return a function's name with its module's; of another object that of its class."""
    named = function if hasattr(function, "__qualname__") else type(function)
    return f"{named.__module__}.{named.__qualname__}"


def _side_text(value: Any) -> str:
    """Return what a value is that is no side which runs."""
    name = getattr(value, "name", None)
    return f"{name}, a {type(value).__name__}" if isinstance(name, str) else repr(value)


def _returned_text(value: Any) -> str:
    """Return what a value is: the shape and dtype of an array, the length of a list, else its type."""
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape}, {value.dtype}"
    kind = type(value).__name__
    return f"a {kind} of {len(value)}" if isinstance(value, list | tuple | dict) else f"a {kind}"


def _map_of(infer: Run, tensor: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    made, returned = _call_user_function(PROBABILITY_MAP, "infer", infer, np.array(tensor)), _Returned("infer", infer)
    wanted = "a map is one array (1, C, h, w)"
    if isinstance(made, list | tuple):
        raise returned.refused(PROBABILITY_MAP, _returned_text(made), f"{wanted}; return its element that is the map")
    if not isinstance(made, np.ndarray):
        raise returned.refused(PROBABILITY_MAP, _returned_text(made), f"{wanted} of numpy")
    if made.ndim != 4 or len(made) != len(tensor) or 0 in made.shape:
        hint = "; put the lost axes back with [None, None]" if made.ndim == 2 else ""
        raise returned.refused(PROBABILITY_MAP, _returned_text(made), wanted + hint)
    if made.dtype not in (np.float32, np.float16):
        text = "a map is float32 (or float16, whose rounding the preset fp16 allows for), with values from 0 to 1"
        raise returned.refused(PROBABILITY_MAP, _returned_text(made), f"{text}; convert it there")
    return made.astype(np.float32)


_REQUIRED: Final = (
    (TENSOR, TENSOR, "it is what the network gets, an array (1, 3, h, w) of float32"),
    (SHAPE, RESIZE, "it is (source height, source width, ratio_h, ratio_w), four numbers above 0"),
)
"""The keys that a preprocess has to return, the stage that stops without each, and what it is."""


def _check_preprocess_result(returned: _Returned, made: Any) -> dict[str, Any]:
    """Return the stages of a preprocess as fields of a trace, checked. Raises StageError."""
    if not isinstance(made, Mapping):
        raise returned.refused(
            DECODE, _returned_text(made), f'a preprocess returns a dict: "{TENSOR}", "{SHAPE}", and the rest'
        )
    for name in made:
        if name not in PARTS:
            raise returned.refused(DECODE, f"the key {name!r}", did_you_mean(str(name), PARTS))
    for name, stage, what in _REQUIRED:
        if made.get(name) is None:
            has = f'None for "{name}"' if name in made else f'a dict without "{name}"'
            raise returned.refused(stage, has, what)
    found = {DECODE: _check_decoded(returned, made.get(DECODE)), SHAPE: _check_shape(returned, made[SHAPE])}
    resize, tensor = made.get(RESIZE), made[TENSOR]
    if resize is not None and not _is_picture(resize):
        text = "the resized image is (h, w, 3) uint8; leave it out where your port has none"
        raise returned.refused(RESIZE, f'"{RESIZE}", {_returned_text(resize)}', text)
    if not isinstance(tensor, np.ndarray) or tensor.ndim != 4 or tensor.shape[:2] != (1, 3):
        raise returned.refused(
            TENSOR, f'"{TENSOR}", {_returned_text(tensor)}', "the network's input is an array (1, 3, h, w)"
        )
    if tensor.dtype != np.float32:
        text = "the network's input is float32; convert it there, as your deployment must"
        raise returned.refused(TENSOR, f'"{TENSOR}", {_returned_text(tensor)}', text)
    if wrong := int(np.count_nonzero(~np.isfinite(tensor))):
        text = "the network's input is finite; a division by a std of 0, or a wrong cast, does this"
        raise returned.refused(TENSOR, f'"{TENSOR}" with NaN or infinity in {wrong} of {tensor.size} values', text)
    return {**found, RESIZE: None if resize is None else resize.copy(), TENSOR: tensor.copy()}


def _is_picture(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype == np.uint8 and value.ndim == 3 and value.shape[2] == 3


def _check_decoded(returned: _Returned, made: Any) -> Decoded | None:
    if made is None or isinstance(made, Decoded):
        return made
    if not _is_picture(made):
        text = "the decoded image is (H, W, 3) uint8 in BGR order; leave it out where your port has none"
        raise returned.refused(DECODE, f'"{DECODE}", {_returned_text(made)}', text)
    return Decoded.of(made, "BGR")


def _check_shape(returned: _Returned, made: Any) -> Shape:
    try:
        height, width, ratio_h, ratio_w = (float(value) for value in made if 0 < value < np.inf)
    except (TypeError, ValueError) as error:
        text = "it is (source height, source width, ratio_h, ratio_w), four numbers above 0"
        raise returned.refused(RESIZE, f'"{SHAPE}" = {made!r}', text) from error
    return height, width, ratio_h, ratio_w


def _check_postprocess_result(returned: _Returned, made: Any) -> Detections:
    """Return what a postprocess returned as detections. Raises StageError."""
    if isinstance(made, Detections):
        return made
    if not isinstance(made, tuple) or len(made) != 2:
        text = "it is a tuple (polygons, scores), with None for scores that you do not have"
        raise returned.refused(DETECTIONS, _returned_text(made), text)
    polygons, scores = made
    try:
        arrays = [np.asarray(polygon) for polygon in polygons]
    except (TypeError, ValueError) as error:
        raise returned.refused(
            DETECTIONS, f"for polygons {_returned_text(polygons)}", "each is an (N, 2) array"
        ) from error
    for index, array in enumerate(arrays):
        if array.ndim != 2 or array.shape[1] != 2 or len(array) < 3 or array.dtype.kind not in "iuf":
            text = "each is an (N, 2) array of x, y in px of the source image, with three points or more"
            raise returned.refused(DETECTIONS, f"for polygon {index} {_returned_text(array)}", text)
    values = None if scores is None else np.asarray(scores)
    if values is not None and (values.shape != (len(arrays),) or (len(arrays) and values.dtype.kind not in "iuf")):
        text = f"there are {len(arrays)} polygons, and each has one number from 0 to 1"
        raise returned.refused(DETECTIONS, f"for scores {_returned_text(values)}", text)
    return Detections(tuple(arrays), values)

"""Loads a class of paddleocr's on an export folder, explains why one does not load, and taps its predictor.

Knows the inside of `paddlex_predictor`; what passes through it is read by the sides.
"""

from __future__ import annotations

import copy
import gc
import inspect
import traceback
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from importlib.metadata import version
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

from pytest_ocrparity.artifacts.configs import OPERATORS
from pytest_ocrparity.artifacts.families import Family
from pytest_ocrparity.artifacts.model_files import WEIGHTS, ExportFiles
from pytest_ocrparity.artifacts.recogniser_configs import unknown_recogniser_config_operators
from pytest_ocrparity.backends.isolation import isolated
from pytest_ocrparity.backends.paddlex.deployed import Deployed
from pytest_ocrparity.backends.paddlex.taps import RUNNER, Call, Tap, Taps, decoded_as_tapped, predictor_runner_inputs
from pytest_ocrparity.errors import ModelError, did_you_mean
from pytest_ocrparity.stages import DETECTION, RECOGNITION
from pytest_ocrparity.trace import Decoded

if TYPE_CHECKING:
    from typing_extensions import Self

STEPS: Final = ("Read", "Resize", "Normalize", "ToCHW", "ToBatch")
RESIZE_LINE: Final = "ReisizeNorm"
"""How paddlex spells the step of a recogniser that resizes and normalises a line."""
LINE_STEPS: Final = ("Read", RESIZE_LINE, "ToBatch")
DECODE_TEXT: Final = "post_op"
"""The tap of a recogniser's post-process."""
RENAMED: Final = {"use_pptrt": "use_tensorrt", "pptrt_precision": "precision"}
"""What `parse_common_args` renames on its way through."""

RESERVED: Final = {name: name for name in ("model_name", "model_dir")}
"""The options that have a setting of their own, with its name."""

_ENGINE_OPTIONS: Final = ("engine", "engine_config")
"""Options of paddleocr's that came with its version 3.5."""

_NUMBERS: Final = ("limit_side_len", "max_side_limit", "thresh", "box_thresh", "unclip_ratio", "text_rec_score_thresh")
_LIMIT_TYPES: Final = ("min", "max", "resize_long")

NEWER_PROGRAM: Final = ("pd_op", "/pir/", "json.exception")
"""What the errors mention that paddle raises on a program it does not know, or on a damaged one; any of them."""

BAD_WEIGHTS: Final = ("ensor desc", "load_combine_op", "Deserialize to tensor")
"""What they mention on weights that are cut off, are another file or are more than the program's; any of them."""

ONEDNN: Final = ("ConvertPirAttribute2RuntimeAttribute", "ArrayAttribute", "DoubleAttribute")


class Predictor:
    """A tapped `TextDetection`, and the base of what taps other classes.

    Attributes:
        taps: the taps of `step_names`, "runner" and, of a detector, "process".
        steps: the real preprocessing objects, by the same names.
        runner: the real runner.
        post_process: the real post-process.
        inner: the predictor inside, from which the rest is read.
    """

    step_names: ClassVar[tuple[str, ...]] = STEPS

    def __init__(self, model: Any, predict_options: Mapping[str, Any]) -> None:
        """Tap an object of paddleocr's class in place.

        Raises:
            ModelError: its engine does not preprocess with paddlex's own steps.
        """
        self._model = model
        self._predict_options = dict(predict_options)
        self.taps = Taps()
        self.inner = model.paddlex_predictor
        steps = getattr(self.inner, "pre_tfs", None)
        where = next((name for name in ("runner", "infer") if callable(getattr(self.inner, name, None))), None)
        if steps is None or where is None or not hasattr(self.inner, "post_op"):
            raise ModelError(
                f"inference.options: the predictor of this engine, {type(self.inner).__name__}, has no steps to "
                "record; use an engine that runs an exported program, such as paddle_static or onnxruntime"
            )
        missing = [name for name in self.step_names if name not in steps]
        if missing:
            raise ModelError(
                f"paddlex built no {', '.join(missing)}: PreProcess.transform_ops in inference.yml lacks it"
            )
        self.steps = {name: steps[name] for name in self.step_names}
        self.runner: Callable[..., Any] = getattr(self.inner, where)
        self.post_process = self.inner.post_op
        steps.update({name: Tap(name, real, self.taps) for name, real in self.steps.items()})
        setattr(self.inner, where, Tap(RUNNER, self.runner, self.taps))
        self._tap_post_process()

    def _tap_post_process(self) -> None:
        self.post_process.process = Tap("process", self.post_process.process, self.taps)

    @property
    def later_steps(self) -> str:
        """What works on the model's result after it, in words; nothing where no pipeline is."""
        return ""

    def sharing_taps(self, predict_options: Mapping[str, Any]) -> Self:
        """Return the same tapped object with other options of `predict`."""
        other = copy.copy(self)
        other._predict_options = dict(predict_options)
        return other

    def predict(self, image: Any) -> list[Any]:
        """Run the real `predict` with the configured options."""
        return list(self._model.predict(image, **self._predict_options))

    def decoded(self, calls: Mapping[str, Call], order: str) -> Decoded | None:
        """Return the decoded image of a run, in the order of channels that the model reads; None where none is."""
        return decoded_as_tapped(calls["Read"], order) if "Read" in calls and calls["Read"].result else None

    def preprocessed(self, calls: Mapping[str, Call]) -> str | None:
        """Return what changed the decoded image before the model, in words; None where nothing is there to do so."""
        return None

    def rectified(self, image: Any) -> Any:
        """Return the picture that the model is given in the place of an image; None where it is given the image."""
        return None

    def detect(
        self, image: Any, instead: Mapping[str, Any], replaced: Mapping[str, Callable[..., Any]]
    ) -> tuple[Any, Mapping[str, Call]]:
        """Run the model on one image with results in the place of some steps; return its result and the calls."""
        with isolated(), self.taps.run(instead=instead, replaced=replaced) as calls:
            (result,) = self.predict(image)
        return result, calls

    def detect_batch(
        self, images: Sequence[Any], replaced: Mapping[str, Callable[..., Any]]
    ) -> tuple[list[Any], Mapping[str, Call]]:
        """Run the real `predict` on images as one batch; return their results and the calls it made."""
        with isolated(), self.taps.run(replaced=replaced) as calls:
            options = {**self._predict_options, "batch_size": len(images)}
            results = list(self._model.predict(list(images), **options))
        return results, calls

    def surroundings(self, calls: Mapping[str, Call]) -> Mapping[str, Any]:
        """Return the results of what runs before the model and around it, by tap, for `finish`."""
        return {}

    def finish(self, surroundings: Mapping[str, Any], found: Any) -> list[Any]:
        """Return the polygons that are left of the detector's result after all `later_steps`."""
        return list(found["dt_polys"])

    def preprocess(
        self, image: Any, replaced: Mapping[str, Callable[..., Any]]
    ) -> tuple[Mapping[str, Call], Exception | None]:
        """Run the real `predict` up to the runner; return the calls it made and what it raised."""
        error = None
        with isolated():
            with self.taps.run(replaced=replaced, stop_at=RUNNER) as calls:
                try:
                    self.predict(image)
                except Exception as raised:
                    error = raised
            close_pages(image)
        return calls, error


def close_pages(image: Any) -> None:
    """Close a file of pages that paddlex leaves open, of which Python would warn in any test that follows."""
    if isinstance(image, str) and image.lower().endswith((".tif", ".tiff")):
        gc.collect()


class TextPredictor(Predictor):
    """A tapped `TextRecognition`."""

    step_names = LINE_STEPS

    def _tap_post_process(self) -> None:
        self.inner.post_op = Tap(DECODE_TEXT, self.post_process, self.taps)

    def predict(self, image: Any) -> list[Any]:
        """Run the real `predict` with the configured options on one line, which is a batch of its own."""
        options = {name: value for name, value in self._predict_options.items() if name != "batch_size"}
        return list(self._model.predict(image, **options))


PREDICTORS: Final[Mapping[str, type[Predictor]]] = {DETECTION.name: Predictor, RECOGNITION.name: TextPredictor}
"""By task, what taps the class that runs one model alone."""


def import_predictor_packages() -> None:
    """Import paddleocr and the engine that it runs by default, which it imports no sooner than a model asks for it.

    Raises:
        ModelError: see `isolated`, or paddleocr is older than 3.
    """
    with isolated():
        import paddleocr

        with suppress(ModuleNotFoundError):  # another engine does without
            import paddle  # noqa: F401
    if not hasattr(paddleocr, "TextDetection"):
        raise ModelError(
            f"paddleocr {getattr(paddleocr, '__version__', '?')}, imported from {paddleocr.__file__}, has no "
            'TextDetection: pip install "paddleocr>=3" and keep folders with an older one off sys.path'
        )


def load_predictor(export: ExportFiles, deployed: Deployed) -> Predictor:
    """Load the class that runs one model alone on an export folder, with its options and those of its `predict`.

    Raises:
        ModelError: paddleocr is older than 3, an option is unknown, or the export does not load; says what to do.
    """
    import_predictor_packages()
    with isolated():
        import paddleocr

        made = getattr(paddleocr, deployed.api.name)
        check_options_of_predictor(deployed, _known_options(made), RESERVED)
        arguments = {"model_name": deployed.model_name, "model_dir": str(export.folder), **deployed.options}
        kind = PREDICTORS[deployed.api.family.task.name]
        predictor = kind(build_predictor(made, arguments, export, deployed), deployed.predict_options)
        process = inspect.signature(type(predictor.inner).process).parameters
        known = [name for name in process if name not in ("self", "batch_data")]
        check_options_of_predict(deployed, [*known, "batch_size"])
    return predictor


def build_predictor(
    made: Callable[..., Any], arguments: Mapping[str, Any], export: ExportFiles, deployed: Deployed
) -> Any:
    """Return an object of a class of paddleocr's.

    Raises:
        ModelError: the export does not load; says why, and what to do.
    """
    try:
        return made(**arguments)
    except ImportError:
        raise
    except Exception as error:
        raise ModelError(_load_error_text(error, export, deployed)) from error


def check_options_of_predictor(deployed: Deployed, known: Collection[str], reserved: Mapping[str, str]) -> None:
    """Refuse options and values that a class does not take, and options that have a setting of their own, by its name.

    Raises:
        ModelError: there is one; names it and where it stands.
    """
    for name, value in deployed.options.items():
        where = str(deployed.options_file) if name in deployed.from_file else "inference.options"
        if name in reserved:
            raise ModelError(f"{where}: {name} has a setting of its own, inference.{reserved[name]}")
        _check_known(where, name, known)
        _check_value(where, name, value)


def check_options_of_predict(deployed: Deployed, known: Collection[str]) -> None:
    """Refuse options and values that a `predict` does not take.

    Raises:
        ModelError: there is one.
    """
    for name, value in deployed.predict_options.items():
        if name in RESERVED:
            raise ModelError(f"inference.predict_options: {name} has a setting of its own, inference.{name}")
        _check_known("inference.predict_options", name, known)
        _check_value("inference.predict_options", name, value)


def _known_options(made: Any) -> list[str]:
    """Return the keyword arguments of a class, those that it hands on to its bases included."""
    own = {
        name
        for each in made.__mro__
        for name, parameter in inspect.signature(each.__init__).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY
    }
    return sorted((own | set(common_predictor_options())) - set(RESERVED))


def common_predictor_options() -> list[str]:
    """Return the options that every class of paddleocr's takes, which choose how a network runs."""
    from paddleocr._common_args import parse_common_args

    return [RENAMED.get(name, name) for name in parse_common_args({}, default_enable_hpi=False)]


def _check_known(where: str, name: str, known: Collection[str]) -> None:
    if name in known:
        return
    if name in _ENGINE_OPTIONS:
        raise ModelError(
            f"{where}: {name} is an option of paddleocr from 3.5 on, and {version('paddleocr')} is installed: install "
            "a newer one, or name an .onnx file as model_file"
        )
    near = did_you_mean(name, known)
    rest = f"{near} It knows {', '.join(sorted(known))}" if near.endswith("?") else near
    raise ModelError(f"{where}: paddleocr knows no option {name!r}; {rest}")


def _check_value(where: str, name: str, value: Any) -> None:
    """Refuse what paddlex takes without a word, and stops at in the middle of the first image."""
    if value is None:
        return
    plain = name.removeprefix("text_det_")
    if plain in _NUMBERS and (isinstance(value, bool) or not isinstance(value, Real)):
        raise ModelError(f"{where}: {name} must be a number, not {value!r}")
    if plain == "limit_type" and value not in _LIMIT_TYPES:
        raise ModelError(f"{where}: {name} must be {' or '.join(_LIMIT_TYPES)}, not {value!r}")


def _load_error_text(error: Exception, export: ExportFiles, deployed: Deployed) -> str:
    """Say why an export does not load, and what to do."""
    import paddle

    family, model_name = deployed.api.family, deployed.model_name
    cause: BaseException = error.__cause__ or error
    text = " ".join(str(cause).split()) or type(cause).__name__
    if "not registered" in text or "engine bindings" in str(error):
        return (
            f"{export.config}: paddlex knows no {family.sort.replace(' ', '-')} model {model_name!r}: use a name that "
            f"it knows, such as {family.model_name}, for Global.model_name in the training YAML file and export again"
        )
    if "name mismatch" in text:
        return f"inference.model_name is {model_name!r}, but {export.config} names another: {text}"
    if isinstance(cause, KeyError) and not OPERATORS.intersection(cause.args):
        return f"{export.config}: paddlex misses {text} in it; tools/export_model.py of PaddleOCR 3 writes that"
    if isinstance(cause, KeyError):
        return f"{export.config}: paddlex has no operator {text} for text detection: it runs fewer than PaddleOCR does"
    if isinstance(cause, AssertionError) and (known := _operators_known_to(cause)):
        return unknown_recogniser_config_operators(export.config, known)
    if isinstance(cause, TypeError | AssertionError) and _is_from_operators(cause, family):
        return f"{export.config}: paddlex does not accept the arguments of an operator: {type(cause).__name__}: {text}"
    program = export.program or export.folder
    if any(word in text for word in BAD_WEIGHTS):
        return (
            f"{export.folder / WEIGHTS}: paddle {paddle.__version__} cannot read these weights: they are cut off or "
            f"damaged, or those of another program than {program.name}. Copy or export both again. paddle says: "
            f"{text[:300]}"
        )
    if any(word in text for word in NEWER_PROGRAM):
        return (
            f"{program}: paddle {paddle.__version__} cannot read this program; a newer paddle wrote it, or it is "
            f"damaged. Re-export with the paddle that loads it. paddle says: {text[:300]}"
        )
    return f"{export.folder}: paddleocr cannot load this export: {type(cause).__name__}: {text[:500]}"


def _is_from_operators(error: BaseException, family: Family) -> bool:
    """Return whether it was raised where paddlex builds the operators of an inference.yml, and not on the way there."""
    frames = traceback.walk_tb(error.__traceback__)
    folder = family.sort.replace(" ", "_")
    return any(Path(frame.f_code.co_filename).parent.name == folder for frame, _ in frames)


def _operators_known_to(error: BaseException) -> frozenset[str]:
    """Return the operators that the recogniser knows which met another one; nothing where that is not what happened."""
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    known = getattr(frame.f_locals.get("self"), "_FUNC_MAP", {})
    return frozenset() if frame.f_locals.get("tf_key") in (None, *known) else frozenset(known)


def predictor_onednn_crash(error: BaseException) -> str | None:
    """Return what to do about the crash of paddle 3.3 with oneDNN on CPU, or None for another error."""
    if not isinstance(error, NotImplementedError) or not any(word in str(error) for word in ONEDNN):
        return None
    import paddle

    return (
        f"paddle {paddle.__version__} crashes with oneDNN, which paddleocr switches on by default on CPU. Either "
        "set inference.options = { enable_mkldnn = false }, or install paddlepaddle==3.2.2 and re-export with it "
        "(it does not load programs that 3.3 wrote)"
    )


def one_of_batch(calls: Mapping[str, Call], index: int) -> dict[str, Call]:
    """Return the calls of a run of a batch as if one image of it had run alone, as far as a trace records them."""
    found = {"Read": replace(calls["Read"], result=[calls["Read"].result[index]])}
    resized, rows = calls["Resize"].result
    found["Resize"] = replace(calls["Resize"], result=([resized[index]], [rows[index]]))
    (tensors,) = predictor_runner_inputs(calls["runner"])
    found["runner"] = Call((), {"x": [tensors[index : index + 1]]})
    return found

"""The calls under which each API of PaddleOCR does what a training YAML file evaluates, and what an API cannot do.

Words them from the files alone: no model runs, and no framework is imported. What TextDetection needs is asked of
`paddlex.fixes`, so that a fix after a failure and the call before it say the same.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import yaml

from pytest_ocrparity.artifacts.configs import MODES
from pytest_ocrparity.artifacts.evaluation import MEAN, OTHERS, STD, evaluated_normalization, other_parameters
from pytest_ocrparity.artifacts.ocr_options import ORIENTATION, THRESHOLDS, UNWARPING
from pytest_ocrparity.backends.checkout.flags import FLAG_OF
from pytest_ocrparity.backends.paddlex.deployed import ARGUMENT_OF, ARGUMENTS, PADDLE_OCR, Deployed
from pytest_ocrparity.backends.paddlex.fixes import NO_CAP, deployment_fix, fix_edit_text, fix_keyword_text
from pytest_ocrparity.diagnosis import Change
from pytest_ocrparity.stages import DECODE, DETECTIONS, RESIZE, TENSOR
from pytest_ocrparity.wording import image_label, toml_text

Values = Mapping[str, Any]

DB_PLUS_PLUS: Final = "DB++"
_MEAN_OF_DB_PLUS_PLUS: Final = (0.48109378172549, 0.45752457890196, 0.40787054090196)
"""What `predict_det.py` subtracts under `--det_algorithm=DB++`; it divides by 1 there."""
_CAP: Final = 4000
"""The longest side, in px after the resize, that paddleocr 3.x leaves as it is."""
_CAPPED: Final = (
    f"an image of more than {_CAP} px after the resize is made smaller: only TextDetection.predict() and the YAML "
    "file of the pipeline take max_side_limit"
)
_POLY: Final = "box_type: poly stops it with a ValueError as soon as two boxes have different numbers of points"


@dataclass(frozen=True, kw_only=True)
class Call:
    """How one API is called.

    Attributes:
        api: its name.
        text: the call, flags or YAML, in lines.
        first: what has to be changed in files first.
        cannot: what it cannot do as the training YAML file says, whatever it is called with.
        notes: what else to know of it.
    """

    api: str
    text: str
    first: tuple[str, ...] = ()
    cannot: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Needs:
    """What paddleocr 3.x has to be given, whichever of its APIs is called.

    Attributes:
        options: arguments of `TextDetection`.
        predict_options: arguments of its `predict`.
        edits: changes of the export's inference.yml.
        cannot: what none of its APIs does.
    """

    options: dict[str, Any] = field(default_factory=dict)
    predict_options: dict[str, Any] = field(default_factory=dict)
    edits: tuple[Change, ...] = ()
    cannot: tuple[str, ...] = ()


def needs_of(wanted: Mapping[str, Values], deployed: Deployed) -> Needs:
    """Return what paddleocr 3.x has to be given to run with other parameters.

    Args:
        wanted: by stage name, as `artifacts.evaluation` returns them.
        deployed: the export, with the user's options; those that set parameters are not looked at.
    """
    # Thresholds are passed, which has the last word, whatever inference.yml has.
    others = {name: value for name, value in deployed.written[DETECTIONS].items() if name not in THRESHOLDS}
    plain = replace(deployed, options={}, predict_options={}, written={**deployed.written, DETECTIONS: others})
    fixes = [deployment_fix(stage, values, plain) for stage, values in _arguments_that_differ(wanted, plain) if values]
    options: dict[str, Any] = {
        name: value for name, value in deployed.options.items() if name not in ARGUMENT_OF
    }  # such as device and engine
    predict_options = {name: value for name, value in deployed.predict_options.items() if name not in ARGUMENT_OF}
    edits, cannot = [], []
    for fix in fixes:
        if any(change.where in ("train.config", "export") for change in fix.changes):
            cannot.append(fix.text)
            continue
        for change in fix.changes:
            if change.where == "inference.yml":
                edits.append(change)
            else:
                (options if change.where == "inference.options" else predict_options).update(change.values)
    return Needs(options=options, predict_options=predict_options, edits=tuple(edits), cannot=tuple(cannot))


def _arguments_that_differ(wanted: Mapping[str, Values], deployed: Deployed) -> list[tuple[str, dict[str, Any]]]:
    """Return by stage the parameters to be set: every argument, and what the export's inference.yml says otherwise."""
    written, config = deployed.written, deployed.config
    mode = wanted[DECODE]["img_mode"]
    # paddlex's own defaults: RGB without a DecodeImage, BGR where it names no mode.
    has = written[DECODE].get("img_mode", "BGR") if DECODE in written else "RGB"
    decode: list[dict[str, Any]] = [{"img_mode": mode} if mode != has or mode not in MODES else {}]
    decode.append({"ignore_orientation": True} if wanted[DECODE]["ignore_orientation"] else {})
    tensor: dict[str, Any] = {}
    if TENSOR in wanted:
        runs = evaluated_normalization(written.get(TENSOR, {}), config, "hwc")
        tensor = {name: value for name, value in wanted[TENSOR].items() if runs[name] != value}
    detections, runs = wanted[DETECTIONS], other_parameters(written[DETECTIONS])
    others = {name: detections[name] for name in OTHERS if runs[name] != detections[name]}
    return [
        *((DECODE, values) for values in decode),
        (RESIZE, _resize_values(wanted[RESIZE], written.get(RESIZE, {}))),
        (TENSOR, tensor),
        (DETECTIONS, {name: detections[name] for name in THRESHOLDS}),
        (DETECTIONS, others),
    ]


def _resize_values(wanted: Values, written: Values) -> dict[str, Any]:
    if wanted["rule"] == "limit":
        return {**wanted, "max_side_limit": None}  # which the training side does not have
    if wanted["rule"] != "image_shape":
        return dict(wanted)
    runs = {"image_shape": written.get("image_shape"), "keep_ratio": written.get("keep_ratio", False)}
    return {} if all(runs[name] == wanted[name] for name in runs) else dict(wanted)


def calls_of(wanted: Mapping[str, Values], deployed: Deployed, algorithm: str, folder: str) -> list[Call]:
    """Return how each API is called; `folder` is how the calls name the export, `algorithm` the YAML file's own."""
    needs = needs_of(wanted, deployed)
    first = tuple(fix_edit_text(deployed, change) for change in needs.edits)
    made = [
        _text_detection(needs, deployed, folder),
        *_general_pipeline(needs, wanted, deployed, folder),
    ]
    made = [replace(call, first=first, cannot=needs.cannot + call.cannot) for call in made]
    return [*made, _predict_det(wanted, deployed, algorithm, folder)]


def _text_detection(needs: Needs, deployed: Deployed, folder: str) -> Call:
    named = {"model_name": deployed.model_name, "model_dir": folder}
    last = fix_keyword_text(needs.predict_options)
    lines = _python_call("detector = TextDetection", {**named, **needs.options})
    lines.append(f"results = detector.predict(image{', ' if last else ''}{last})")
    return Call(api="paddleocr.TextDetection", text="\n".join(lines))


def settings_text(needs: Needs, deployed: Deployed, folder: str, model_name: str | None) -> str:
    """Return the table of the settings under which the gate runs TextDetection as it is called here, as TOML."""
    values: dict[str, Any] = {"model_dir": folder}
    values |= {"model_name": model_name} if model_name else {}
    values |= {name: each for name in ("options", "predict_options") if (each := getattr(needs, name))}
    lines = [f"{name} = {toml_text(value)}" for name, value in values.items()]
    return "\n".join([f"[tool.ocrparity.{deployed.table}]", *lines])


def pipeline_options(needs: Needs) -> dict[str, Any]:
    """Return the arguments with which `PaddleOCR` finds what was evaluated, in the page as it is."""
    given = {PADDLE_OCR.argument(name): needs.options[name] for name in ARGUMENTS if name in needs.options}
    return {**given, ORIENTATION: False, UNWARPING: False}


def _general_pipeline(needs: Needs, wanted: Mapping[str, Values], deployed: Deployed, folder: str) -> list[Call]:
    """Return the calls of `PaddleOCR`, of its command line, and the YAML of paddlex's pipeline."""
    running = {name: value for name, value in needs.options.items() if name not in ARGUMENT_OF}
    named = {"text_detection_model_name": deployed.model_name, "text_detection_model_dir": folder}
    arguments = {**named, **pipeline_options(needs), **running}
    cannot = (_POLY,) if wanted[DETECTIONS]["box_type"] == "poly" else ()
    of_arguments = (*cannot, _CAPPED) if "max_side_limit" in needs.predict_options else cannot
    notes = (
        f"without them it runs with 64/min and 0.3/0.6/1.5: it takes neither from {image_label(str(deployed.config))}",
        "it turns and unwarps pages unless told not to, and boxes are then in the pixels of the page that it made",
        "its results hold no scores of boxes, and no box whose crop is empty",
    )
    python = Call(
        api="paddleocr.PaddleOCR",
        text="\n".join([*_python_call("ocr = PaddleOCR", arguments), "results = ocr.predict(image)"]),
        cannot=of_arguments,
        notes=notes,
    )
    line = _command_line(arguments, needs.options.get("limit_side_len"), of_arguments)
    file = _pipeline_file(needs, deployed.model_name, folder, running)
    return [python, replace(line, notes=notes), replace(file, cannot=cannot, notes=(*file.notes, *notes[2:]))]


def _command_line(arguments: Values, side: Any, cannot: tuple[str, ...]) -> Call:
    """Return the flags of `paddleocr ocr`, given its arguments and the limit among them."""
    if isinstance(side, float) and not side.is_integer():
        cannot = (*cannot, "--text_det_limit_side_len takes whole numbers only")
    if "engine_config" in arguments:
        cannot = (*cannot, "engine_config: only the other two ways take it")
    flags = ([f"--{name}", str(value)] for name, value in arguments.items() if name != "engine_config")
    text = _shell_text([["paddleocr", "ocr", "-i", "IMAGE"], *flags])
    return Call(api="paddleocr ocr (command line)", text=text, cannot=cannot)


def _pipeline_file(needs: Needs, model_name: str, folder: str, running: Values) -> Call:
    """Return the YAML of paddlex's pipeline, which has no place for `running`: what chooses how the network runs."""
    module: dict[str, Any] = {"module_name": "text_detection", "model_name": model_name, "model_dir": folder}
    module |= {name: needs.options[name] for name in ARGUMENTS if name in needs.options}
    module |= {"max_side_limit": NO_CAP} if "max_side_limit" in needs.predict_options else {}
    document = {
        "pipeline_name": "OCR",
        "text_type": "general",
        "use_doc_preprocessor": False,
        "SubModules": {"TextDetection": module},
    }
    notes = [
        "these keys replace those of paddlex's OCR.yaml, whose others stay (SubModules.TextRecognition among them)",
        "run it by `paddlex --pipeline FILE.yaml` or `PaddleOCR(paddlex_config=...)`",
    ]
    if running:
        notes.append(f"it has no place for {fix_keyword_text(running)}: pass that to PaddleOCR beside it")
    text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True).rstrip()
    return Call(api="paddlex pipeline YAML file", text=text, notes=tuple(notes))


def _predict_det(wanted: Mapping[str, Values], deployed: Deployed, algorithm: str, folder: str) -> Call:
    """Return the flags of PaddleOCR's own `tools/infer/predict_det.py`, which reads no parameter of inference.yml."""
    resize, detections = wanted[RESIZE], wanted[DETECTIONS]
    flags: dict[str, Any] = {"image_dir": "IMAGE", "det_model_dir": folder}
    engine, device = deployed.options.get("engine"), deployed.options.get("device")
    flags |= {"use_gpu": str(device).startswith("gpu")} if device else {}
    flags |= {"det_algorithm": algorithm} if algorithm == DB_PLUS_PLUS else {}
    flags |= {FLAG_OF[name]: value for name, value in {**resize, **detections}.items() if name in FLAG_OF}
    cannot = []
    if engine is not None and not str(engine).startswith("paddle"):
        cannot.append(f"engine {engine}: it runs Paddle Inference, and an .onnx file under --use_onnx=True")
    if resize["rule"] != "limit":
        value = resize[resize["rule"]]
        cannot.append(
            f"{resize['rule']}: {value}: it resizes by limits alone (its det_limit_type=resize_long rounds to 32)"
        )
    if detections["max_candidates"] != OTHERS["max_candidates"]:
        cannot.append(f"max_candidates: {detections['max_candidates']}: it always takes {OTHERS['max_candidates']}")
    if wanted[DECODE]["img_mode"] != "BGR":
        cannot.append(f"img_mode: {wanted[DECODE]['img_mode']}: it always reads BGR")
    if wanted[DECODE]["ignore_orientation"]:
        cannot.append("ignore_orientation: it always turns images as their EXIF tag says")
    mean, std = (_MEAN_OF_DB_PLUS_PLUS, (1.0,) * 3) if algorithm == DB_PLUS_PLUS else (MEAN, STD)
    runs = evaluated_normalization({"mean": mean, "std": std}, deployed.config, "hwc")
    for name, value in wanted.get(TENSOR, {}).items():
        if value != runs[name]:
            cannot.append(f"{name}: {value}: it always takes {runs[name]}")
    notes = ["it drops boxes of 3 px or less and cuts the others at the border, which the evaluation does not"]
    if (deployed.config.parent / "inference.json").is_file():
        notes.append(
            "PaddleOCR 2.10's own does not load inference.json; that of a later checkout does, of the model names "
            "PP-OCRv5_mobile_det and PP-OCRv5_server_det alone"
        )
    command = [["python", "tools/infer/predict_det.py"], *([f"--{name}={value}"] for name, value in flags.items())]
    return Call(api="tools/infer/predict_det.py", text=_shell_text(command), cannot=tuple(cannot), notes=tuple(notes))


def _python_call(start: str, arguments: Values) -> list[str]:
    return [f"{start}(", *(f"    {fix_keyword_text({name: value})}," for name, value in arguments.items()), ")"]


def _shell_text(parts: Sequence[Sequence[str]]) -> str:
    """Return a command as a shell takes it, each part on a line of its own."""
    return " \\\n    ".join(map(shlex.join, parts))

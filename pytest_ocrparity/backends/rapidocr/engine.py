"""RapidOCR's own object around a user's ONNX file: what it takes by which name, and what its run makes on the way."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

from pytest_ocrparity.backends.isolation import isolated
from pytest_ocrparity.backends.replacing import replaced
from pytest_ocrparity.errors import ModelError, did_you_mean

ENGINES: Final = ("onnxruntime", "openvino")
"""What runs an ONNX file."""
ENUMERATED: Final = {"engine_type": "EngineType", "model_type": "ModelType", "ocr_version": "OCRVersion"}
"""The params that RapidOCR takes as a member of an enumeration alone, with its name."""
PLAIN: Final = {"Global.use_preprocess_img": False}
"""What lets an image keep its size before a model sees it."""
UNPADDED: Final = {"Global.use_vertical_padding": False}


class NoDictionaryError(Exception):
    """RapidOCR has no dictionary for the file, and would take one of its own."""


class Part(NamedTuple):
    """One of RapidOCR's models, which runs alone.

    Attributes:
        section: its table in RapidOCR's YAML file.
        label: how messages call it.
        alone: the params that leave out the other models.
        module: where RapidOCR asks for its engine.
        attribute: where RapidOCR's object holds it.
        param_of: RapidOCR's name of each parameter, in its `params` and as the keys of its YAML file.
        before: what it does to an image before, by parameter, each with the params that switch it off.
    """

    section: str
    label: str
    alone: Mapping[str, bool]
    module: str
    attribute: str
    param_of: Mapping[str, str]
    before: Mapping[str, Mapping[str, bool]]


DETECTOR: Final = Part(
    "Det",
    "detector",
    {"Global.use_det": True, "Global.use_cls": False, "Global.use_rec": False},
    "rapidocr.ch_ppocr_det.main",
    "text_det",
    {
        name: f"Det.{name}"
        for name in (
            *("limit_side_len", "limit_type", "mean", "std"),
            *("thresh", "box_thresh", "unclip_ratio", "max_candidates", "use_dilation", "score_mode"),
        )
    },
    # A page below 30 px that keeps its height would be padded in the place of that.
    {"vertical_padding": UNPADDED, "page_size": PLAIN, "least_size": {**PLAIN, **UNPADDED}},
)
KEYS: Final = "Rec.rec_keys_path"
"""The param that names the dictionary."""
BATCH: Final = "Rec.rec_batch_num"
"""The param that says how many lines run at once."""

RECOGNISER: Final = Part(
    "Rec",
    "recogniser",
    {"Global.use_det": False, "Global.use_cls": False, "Global.use_rec": True},
    "rapidocr.ch_ppocr_rec.main",
    "text_rec",
    {"image_shape": "Rec.rec_img_shape", "batch_size": BATCH},
    {"page_size": PLAIN, "least_size": PLAIN},
)
SECTIONS: Final = ("Det", "Cls", "Rec")


@dataclass
class Run:
    """What a run of the engine made: decoded and resized pixels, the tensor, the model's page, and its way back."""

    decoded: Any = None
    page: Any = None
    resized: Any = None
    tensor: Any = None
    steps: Mapping[str, Any] = field(default_factory=dict)


def make_engine(part: Part, file: Path, params: Mapping[str, Any], session: Any = None) -> Any:
    """Return a `RapidOCR` with one of its models loaded.

    Args:
        part: which.
        file: the `.onnx` file.
        params: its own, by name.
        session: what runs the network, where one is there already.

    Raises:
        ModelError: rapidocr is not installed, or it refuses a param or the file, or has no dictionary for it.
    """
    with isolated():
        import rapidocr
        from rapidocr.utils import typings

        _check_params(part, params, Path(rapidocr.__file__).parent / "config.yaml")
        given = {"Global.log_level": "error", **params, **part.alone, f"{part.section}.model_path": str(file)}
        for name, value in given.items():
            if (kind := ENUMERATED.get(name.rpartition(".")[2])) is not None:
                given[name] = _member(name, value, getattr(typings, kind))
        main: Any = importlib.import_module(part.module)
        real = main.get_engine

        def engine_of(kind: Any) -> Any:
            made = real(kind)

            def load(config: Any) -> Any:
                found = made(config) if session is None else session
                # RapidOCR asks for it where neither the file nor a param gives it a dictionary, and downloads one.
                found.get_dict_key_url = _no_dictionary
                return found

            return load

        try:
            with replaced(main, get_engine=engine_of):
                engine = rapidocr.RapidOCR(params=given)
                getattr(engine, f"_load_{part.section.lower()}_model")()
        except ImportError:
            raise
        except NoDictionaryError:
            raise ModelError(_without_dictionary(file, params)) from None
        except Exception as error:
            said = " ".join(str(error).split())[-500:]
            raise ModelError(f"{file}: RapidOCR cannot load it: {type(error).__name__}: {said}") from error
    return engine


def _no_dictionary(*_: Any) -> Any:
    raise NoDictionaryError


def _without_dictionary(file: Path, params: Mapping[str, Any]) -> str:
    path = params.get(KEYS)
    what = f"inference.options: no file at {path}, which {KEYS} names" if path else f"inference.options lack {KEYS}"
    return (
        f"{what}, and {file} has no dictionary in its metadata (character): RapidOCR would download one of its own "
        f"models; set {KEYS} to the dictionary of the training"
    )


def _check_params(part: Part, params: Mapping[str, Any], defaults: Path) -> None:
    """Refuse params that RapidOCR has not: of its models it takes any name, and looks at none that it does not know.

    Raises:
        ModelError: one is unknown, of another type than its default, or set here already.
    """
    import yaml

    document = yaml.safe_load(defaults.read_text(encoding="utf-8"))
    known = dict(each for name in ("Global", part.section, "EngineConfig") for each in _values(document[name], name))
    reserved = {f"{part.section}.{name}": "model_file" for name in ("model_path", "model_dir")}
    reserved |= dict.fromkeys((*part.alone, f"{part.section}.task_type"), f"the {part.label} alone runs")
    for name, value in params.items():
        if isinstance(value, Mapping):  # as TOML reads a name with a dot and without quotes
            whole = f'"{name}.{next(iter(value), "")}"'
            raise ModelError(f"inference.options: {name} is a table: write whole names in quotes, such as {whole}")
        if name in reserved:
            raise ModelError(f"inference.options: {name} has its place in the settings: {reserved[name]}")
        if (section := name.partition(".")[0]) in SECTIONS and section != part.section:
            raise ModelError(f"inference.options: {name} does nothing, as the {part.label} alone runs: remove it")
        if name not in known:
            raise ModelError(f"inference.options: RapidOCR has no param {name}; {did_you_mean(name, known)}")
        if name == f"{part.section}.engine_type" and value not in ENGINES:
            raise ModelError(f"inference.options: {name} is {value!r}; an .onnx file runs on {' or '.join(ENGINES)}")
        if name.endswith("_path") and not isinstance(value, str):
            raise ModelError(f"inference.options: {name} is {value!r}, and not the path of a file")
        if name == BATCH and isinstance(value, int) and value < 1:
            raise ModelError(f"inference.options: {name} is {value!r}; it is a whole number from 1 up")
        if not _is_like(value, known[name]):
            raise ModelError(f"inference.options: {name} is {value!r}; RapidOCR's own value of it is {known[name]!r}")


def _values(table: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    if not isinstance(table, Mapping):
        yield prefix, table
        return
    for name, value in table.items():
        yield from _values(value, f"{prefix}.{name}")


def _is_like(value: Any, default: Any) -> bool:
    """Return whether a value is of the type of a default; of None any is."""
    if isinstance(default, list):
        return isinstance(value, list) and len(value) == len(default) and all(map(_is_like, value, default))
    if isinstance(default, int | float) and not isinstance(default, bool):
        return isinstance(value, int | float) and not isinstance(value, bool)
    return default is None or isinstance(value, type(default))


def _member(name: str, value: Any, kind: Any) -> Any:
    try:
        return kind(value)
    except ValueError:
        known = ", ".join(repr(each.value) for each in kind)
        raise ModelError(f"inference.options: {name} is {value!r}; RapidOCR knows {known}") from None

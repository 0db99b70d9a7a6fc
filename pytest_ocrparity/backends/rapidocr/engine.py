"""RapidOCR's own object around a user's ONNX file: what it takes by which name, and what its run makes on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pytest_ocrparity.backends.isolation import isolated
from pytest_ocrparity.errors import ModelError, did_you_mean

PARAM_OF: Final = {
    name: f"Det.{name}"
    for name in (
        *("limit_side_len", "limit_type", "mean", "std"),
        *("thresh", "box_thresh", "unclip_ratio", "max_candidates", "use_dilation", "score_mode"),
    )
}
"""RapidOCR's name of each parameter, in its `params` and as the keys of its YAML file."""
DETECTION_ALONE: Final = {"Global.use_det": True, "Global.use_cls": False, "Global.use_rec": False}
RESERVED: Final = {
    **{"Det.model_path": "model_file", "Det.model_dir": "model_file"},
    **dict.fromkeys(DETECTION_ALONE, "the detector alone"),
}
"""The params that are set here, with the setting that sets them."""
SECTIONS: Final = ("Global", "Det", "EngineConfig")
"""The tables of its YAML file that its detector reads."""
ENGINES: Final = ("onnxruntime", "openvino")
"""What runs an ONNX file."""
BEFORE: Final[Mapping[str, Mapping[str, Any]]] = {
    "vertical_padding": {"Global.use_vertical_padding": False},
    "page_size": {"Global.use_preprocess_img": False},
}
"""What it does to a page before its detector sees it, by parameter, each with the param that switches it off."""


class Stopped(BaseException):
    """A run is ended on purpose; no `except Exception` takes it for a fault."""


@dataclass
class Run:
    """What a run of the engine made: decoded and resized pixels, the tensor, the detector's page, and its way back."""

    decoded: Any = None
    page: Any = None
    resized: Any = None
    tensor: Any = None
    steps: Mapping[str, Any] = field(default_factory=dict)


def make_engine(file: Path, params: Mapping[str, Any], session: Any = None) -> Any:
    """Return a `RapidOCR` whose detector is loaded.

    Args:
        file: the `.onnx` file.
        params: its own, by name.
        session: what runs the network, where one is there already.

    Raises:
        ModelError: rapidocr is not installed, or it refuses a param or the file.
    """
    with isolated():
        import rapidocr
        from rapidocr.ch_ppocr_det import main
        from rapidocr.utils.typings import EngineType

        _check_params(params, Path(rapidocr.__file__).parent / "config.yaml")
        given = {"Global.log_level": "error", **params, **DETECTION_ALONE, "Det.model_path": str(file)}
        if "Det.engine_type" in given:
            given["Det.engine_type"] = EngineType(given["Det.engine_type"])
        real = main.get_engine
        if session is not None:
            main.get_engine = lambda *_: lambda *_: session
        try:
            engine = rapidocr.RapidOCR(params=given)
            engine._load_det_model()
        except ImportError:
            raise
        except Exception as error:
            said = " ".join(str(error).split())[-500:]
            raise ModelError(f"{file}: RapidOCR cannot load it: {type(error).__name__}: {said}") from error
        finally:
            main.get_engine = real
    return engine


def _check_params(params: Mapping[str, Any], defaults: Path) -> None:
    """Refuse params that RapidOCR has not: of its detector it takes any name, and looks at none that it does not know.

    Raises:
        ModelError: one is unknown, or set here already.
    """
    import yaml

    document = yaml.safe_load(defaults.read_text(encoding="utf-8"))
    known = [name for section in SECTIONS for name in _names(document[section], section)]
    for name, value in params.items():
        if name in RESERVED:
            raise ModelError(f"inference.options: {name} has its place in the settings: {RESERVED[name]}")
        if name not in known:
            raise ModelError(f"inference.options: RapidOCR has no param {name}; {did_you_mean(name, known)}")
        if name == "Det.engine_type" and value not in ENGINES:
            raise ModelError(f"inference.options: {name} is {value!r}; an .onnx file runs on {' or '.join(ENGINES)}")


def _names(table: Any, prefix: str) -> Iterator[str]:
    yield prefix
    if isinstance(table, Mapping):
        for name, value in table.items():
            yield from _names(value, f"{prefix}.{name}")


@contextmanager
def recorded(engine: Any, *, session: Callable[[Any], Any] | None = None, tensor: Any = None) -> Iterator[Run]:
    """Run the block with what records a run, which ends before the network.

    Args:
        engine: a `RapidOCR`.
        session: runs in the place of the network, to the end of the run.
        tensor: what is handed to it in the place of the preprocessed page.
    """
    run, detector = Run(), engine.text_det
    load, prepare, made = engine.load_img, engine.detect_and_crop, detector.get_preprocess

    def loading(image: Any) -> Any:
        run.decoded = load(image)
        return run.decoded

    def detecting(page: Any, steps: Any) -> Any:
        run.steps = steps  # it writes into it
        return prepare(page, steps)

    def preprocessing() -> Callable[[Any], Any]:
        operator = made()
        resize = operator.resize

        def resizing(page: Any) -> Any:
            run.page, run.resized = page, resize(page)
            return run.resized

        operator.resize = resizing
        return operator if tensor is None else lambda _: tensor

    def stopping(given: Any) -> Any:
        run.tensor = given
        raise Stopped

    real = detector.session
    engine.load_img, engine.detect_and_crop, detector.get_preprocess = loading, detecting, preprocessing
    detector.session = stopping if session is None else session
    try:
        yield run
    except Stopped:
        pass
    finally:
        engine.load_img, detector.session = load, real
        del engine.detect_and_crop, detector.get_preprocess

"""The object that production builds: a user's function returns it, and what it was made with is read off it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from pytest_ocrparity.backends.isolation import import_entry_point, importing_from, isolated
from pytest_ocrparity.backends.paddlex.deployed import APIS, Api
from pytest_ocrparity.backends.paddlex.ocr_predictor import OcrPredictor
from pytest_ocrparity.backends.paddlex.predictor import PREDICTORS, RENAMED, Predictor, import_predictor_packages
from pytest_ocrparity.errors import ModelError

P = TypeVar("P", bound=Predictor)

TAPPED: Final = "_ocrparity_predictor"
"""The attribute of an object that was tapped: a function may return one object each time it is called."""


@dataclass(frozen=True)
class Made:
    """What a user's function returned.

    Attributes:
        api: its class.
        instance: the object.
        model_dir: the folder of the model that is compared: of a pipeline, its detector.
        model_name: paddlex's name of that model.
        options: what it was made with, as far as that differs from what paddleocr takes by itself.
        has_own_predict: whether its `predict` is not paddleocr's own.
    """

    api: Api
    instance: Any
    model_dir: Path
    model_name: str
    options: Mapping[str, Any]
    has_own_predict: bool

    def predictor(self, predict_options: Mapping[str, Any]) -> Predictor:
        """Return the object tapped for the model that is compared. Raises as `tapped_by`."""
        return self.tapped_by(
            OcrPredictor if self.api.has_pipeline else PREDICTORS[self.api.family.task.name], predict_options
        )

    def tapped_by(self, kind: type[P], predict_options: Mapping[str, Any]) -> P:
        """Return the object tapped, once however often it is asked for.

        Raises:
            ModelError: its engine has no steps to record, or it was tapped before for its detector alone.
        """
        tapped = vars(self.instance).get(TAPPED)
        if tapped is None:
            with isolated():
                tapped = kind(self.instance, predict_options)
            setattr(self.instance, TAPPED, tapped)
        if not isinstance(tapped, kind):
            raise ModelError("the object was tapped for its detector: let the function make a new one at each call")
        return tapped.sharing_taps(predict_options)


def made_by_factory(factory: str, folder: Path | None) -> Made:
    """Call "module:function", with `folder` first on `sys.path` while it is imported and while it runs.

    Raises:
        ModelError: there is no such function, it raises, or it returns an object of none of the classes `APIS`.
    """
    import_predictor_packages()
    with isolated():
        import paddleocr

        made = _call_factory(factory, folder)
        # Its class may be a subclass of the user's.
        api = next((api for name, api in APIS.items() if isinstance(made, getattr(paddleocr, name, ()))), None)
        if api is None:
            classes = " or ".join(each.label for each in APIS.values())
            kind = f"the class {made.__name__}" if isinstance(made, type) else f"a {type(made).__name__}"
            raise ModelError(
                f"inference.factory = {factory!r} returned {kind}, which is no {classes}: let it return the very "
                "object that production calls (an engine of another kind: override the fixture ocr_inference_model)"
            )
        inner = _inner(made, api)
        model_dir = getattr(inner, "model_dir", None)
        if model_dir is None:
            sort = api.family.sort
            raise ModelError(f"inference.factory = {factory!r}: its {api.label} has no folder of a model for {sort}")
        name = str(getattr(inner, "model_name", ""))
        is_own = "predict" in vars(made) or type(made).predict is not getattr(paddleocr, api.name).predict
        return Made(api, made, Path(model_dir), name, _options_of(made), is_own)


def _call_factory(factory: str, folder: Path | None) -> Any:
    """Return what a user's function returns."""
    function = import_entry_point(factory, folder, setting="inference.factory")
    if not callable(function):
        raise ModelError(f"inference.factory = {factory!r} is a {type(function).__name__}, and no function to call")
    try:
        with importing_from(folder):
            return function()
    except (Exception, SystemExit) as error:  # whatever the user's function raises
        text = f"{type(error).__name__}: {error} (in the current directory, {Path.cwd()})"
        raise ModelError(f"inference.factory = {factory!r}, called without arguments, raised {text}") from error


def _inner(made: Any, api: Api) -> Any:
    """Return paddlex's predictor inside of an object: of a pipeline, that of its detector."""
    if not api.has_pipeline:
        return made.paddlex_predictor
    return getattr(getattr(made.paddlex_pipeline, "_pipeline", None), "text_det_model", None)


def _options_of(made: Any) -> dict[str, Any]:
    """Return the arguments that an object was made with, under the names that its class takes them by."""
    from paddleocr._common_args import parse_common_args

    usual = parse_common_args({}, default_enable_hpi=None)
    common = {
        RENAMED.get(name, name): value
        for name, value in dict(getattr(made, "_common_args", {})).items()
        if value != usual.get(name) and not (name == "enable_hpi" and not value)
    }
    own = {**getattr(made, "_extra_init_args", {}), **getattr(made, "_params", {})}
    config = getattr(made, "_paddlex_config", None)
    own = {name: value for name, value in own.items() if value is not None and not name.startswith("text_detection_")}
    return {**own, **common, **({} if config is None else {"paddlex_config": config})}

"""What is deployed: which class of paddleocr 3.x, how that class calls each parameter, and what a user gave it.

Whoever words a fix or reads an option asks here, so that no other module knows how the classes differ.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from pytest_ocrparity.artifacts.families import DETECTORS, RECOGNISERS, Family
from pytest_ocrparity.artifacts.ocr_options import FORMER, LIMITS, PREFIX, THRESHOLDS, all_ocr_options
from pytest_ocrparity.diagnosis import Change, Fix, table_of
from pytest_ocrparity.stages import DETECTIONS, RESIZE
from pytest_ocrparity.wording import value_text

Values = Mapping[str, Any]

ARGUMENTS: Final = (*LIMITS, *THRESHOLDS)
"""The parameters that each class and its `predict` take as arguments."""

ARGUMENT_OF: Final = {
    **dict.fromkeys((*LIMITS, "input_shape", "max_side_limit"), RESIZE),
    **dict.fromkeys(THRESHOLDS, DETECTIONS),
}
"""The stage of each parameter that an option can set."""

PREPROCESSOR: Final = "doc_preprocessor"
"""The parameter of the resize stage that says what a document preprocessor did to the image before."""

DETECTOR_BLOCK: Final = "SubModules.TextDetection"
"""Where a pipeline's YAML file has the parameters of its detector."""


@dataclass(frozen=True)
class Api:
    """A class of paddleocr, and the names of its arguments.

    Attributes:
        name: of the class.
        prefix: what its arguments put before the name of a parameter.
        caps_in_predict: whether its `predict` takes `max_side_limit`; else only a pipeline's YAML file does.
        former: the names that an argument had in paddleocr 2.x and may still be given by.
        has_pipeline: whether other models work around the detector, under a configuration of their own.
        family: the models that it runs and that are compared.
    """

    name: str
    prefix: str = ""
    caps_in_predict: bool = True
    former: Mapping[str, str] = field(default_factory=dict)
    has_pipeline: bool = False
    family: Family = DETECTORS

    @property
    def label(self) -> str:
        """The class in messages."""
        return f"paddleocr.{self.name}"

    def argument(self, parameter: str) -> str:
        """Return the argument that sets a parameter of the model that is compared."""
        return f"{self.prefix}{parameter}"

    def names(self, parameter: str) -> tuple[str, ...]:
        """Return all names of that argument, today's first."""
        name = self.argument(parameter)
        return (name, *(old for old, new in self.former.items() if new == name))


def steps_text(values: Values, sign: str, write: Callable[[Any], str] = json.dumps) -> str:
    """Return what to set, and of what is None what to leave out: "set thresh: 0.2 and leave out score_mode"."""
    wanted = ", ".join(f"{name}{sign}{write(value)}" for name, value in values.items() if value is not None)
    gone = ", ".join(name for name, value in values.items() if value is None)
    return " and ".join([f"set {wanted}"] * bool(wanted) + [f"leave out {gone}"] * bool(gone))


TEXT_DETECTION: Final = Api("TextDetection")
PADDLE_OCR: Final = Api(
    "PaddleOCR",
    prefix=PREFIX,
    caps_in_predict=False,
    former=FORMER,
    has_pipeline=True,
)
PAGE_RECOGNISER: Final = Api(
    "PaddleOCR", prefix="text_rec_", caps_in_predict=False, has_pipeline=True, family=RECOGNISERS
)
"""The recogniser inside of `PaddleOCR`."""
TEXT_RECOGNITION: Final = Api("TextRecognition", caps_in_predict=False, family=RECOGNISERS)
APIS: Final = {api.name: api for api in (TEXT_DETECTION, PADDLE_OCR, TEXT_RECOGNITION)}
API_OF: Final = {api.family.task.name: api for api in (TEXT_DETECTION, TEXT_RECOGNITION)}
"""By task, the class that runs one model alone."""


@dataclass(frozen=True, kw_only=True)
class Deployed:
    """What a user gave paddleocr.

    Attributes:
        name: how messages call the side.
        model_name: paddlex's name of the model.
        config: the export's inference.yml.
        written: by stage name, what it says.
        options, predict_options: the arguments of the class and of its `predict`. Those of an object that a factory
            made are read off it.
        memory_limit: bytes that an image may take; None means what is available.
        api: the class.
        factory: "module:function" that made the object, or nothing where options did.
        options_file: the file that production reads its options from.
        from_file: the names of the options that stand in it, and not in the settings.
        has_own_predict: whether the `predict` of a factory's object is the user's code.
        own_doing: what shows that a factory's object sets the parameters in question itself, whatever it is made with.
    """

    name: str = "inference"
    model_name: str = ""
    config: Path = field(default_factory=Path)
    written: Mapping[str, Values] = field(default_factory=dict)
    options: Values = field(default_factory=dict)
    predict_options: Values = field(default_factory=dict)
    memory_limit: int | None = None
    api: Api = TEXT_DETECTION
    factory: str = ""
    options_file: Path | None = None
    from_file: frozenset[str] = frozenset()
    has_own_predict: bool = False
    own_doing: str = ""

    def with_options(self, options: Values | None, options_file: Path | None, folder: Path | None) -> Deployed:
        """Return this with the options of a file, whose paths start at `folder`, and those of the settings on top.

        Raises:
            ModelError: the file can't be read, or holds no options.
        """
        merged = all_ocr_options(options, options_file, folder)
        from_file = frozenset(merged) - frozenset(options or {})
        return replace(self, options=merged, options_file=options_file, from_file=from_file)

    @property
    def table(self) -> str:
        """The table of the settings that is about it."""
        return table_of(self.name)

    @property
    def pipeline_config(self) -> str:
        """The YAML file that configures the pipeline, as the user wrote it; nothing where it is paddlex's own."""
        given = self.options.get("paddlex_config")
        return given if isinstance(given, str) else ""

    def given_as(self, parameter: str) -> str | None:
        """Return the option by which a parameter was given to the class, under today's name or a former one."""
        return next((name for name in self.api.names(parameter) if self.options.get(name) is not None), None)

    def given_in_predict(self, parameter: str) -> str | None:
        """Return the option by which a parameter is given to `predict`."""
        name = self.api.argument(parameter)
        return name if self.predict_options.get(name) is not None else None

    def passing(self, what: str, values: Values, why: str = "", note: str = "") -> Fix:
        """Return how these options are passed to the class.

        Args:
            what: the options, as a caller writes them.
            values: the same by name; None for one that is to go.
            why: follows what has to be passed; a sentence in parentheses.
            note: follows the end.
        """
        if self.factory:
            text = f"{self.place_of(values)}, pass {what}{why}{note}"
            if self.own_doing:
                text = f"let the object that {self.factory} returns run with {what}: {self.own_doing}{why}{note}"
            return Fix(text, (Change("inference.factory", values),))
        if self.options_file is not None and self._typed_options().isdisjoint(values):
            # What production reads from a file is put right there, for it and for this test at once.
            text = f"{self.place_of(values)}, {steps_text(values, ': ')}{why}{note}"
            return Fix(text, (Change("inference.options_file", values),))
        text = f"in the deployment, pass {what} to {self.api.label}; for this test, add the same to inference.options"
        return Fix(f"{text}{why}{note}", (Change("inference.options", values),))

    def place_of(self, options: Iterable[str]) -> str:
        """Return where the user has these options of the class, or would write them, in words."""
        if self.factory:
            return f"where {self.factory} makes its {self.api.label}"
        if self.options_file is not None and self._typed_options().isdisjoint(options):
            return f"in {self.options_file.name}, which the deployment reads (inference.options_file)"
        return "in inference.options and in the deployment"

    def taking_away(self, what: str, values: Values) -> Fix:
        """Return how options are taken out of what the class is given."""
        if self.factory:
            text = f"{self.place_of(values)}, leave out {what}"
            return Fix(text, (Change("inference.factory", values),))
        setting = "options_file" if self.from_file.issuperset(values) else "options"
        text = f"take {what} out of the arguments of {self.api.label}, and out of inference.{setting}"
        return Fix(text, (Change(f"inference.{setting}", values),))

    def _typed_options(self) -> frozenset[str]:
        """Return the names of the options that stand in the settings themselves."""
        return frozenset(self.options) - self.from_file

    def doing_it_itself(self, running: Values, parameters: Iterable[str]) -> Deployed:
        """Return this with what shows that a factory's object sets some of these parameters itself.

        Args:
            running: the parameters that take effect, by name.
            parameters: the names of those that are to have other values.
        """
        if not self.factory:
            return self
        shown = ["its predict() is its own"] if self.has_own_predict else []
        for name in parameters:
            made_with, in_file, runs = self.made_with(name), self._in_file(name), running.get(name)
            if None not in (made_with, runs) and made_with != runs:
                shown.append(f"it was made with {name} {value_text(made_with)}, and runs with {value_text(runs)}")
            elif made_with is None and None not in (in_file, runs) and in_file != runs:
                shown.append(
                    f"{self.config.name} has {name} {value_text(in_file)}, and it runs with {value_text(runs)}"
                )
        return replace(self, own_doing=" and ".join(shown))

    def made_with(self, parameter: str) -> Any:
        """Return the value that the class was given; None where it was given none, or 0, which it takes for none."""
        given = self.given_as(parameter)
        value = self.options[given] or None if given is not None else None
        return list(value) if isinstance(value, tuple) else value

    def is_from_file(self, parameter: str) -> bool:
        """Tell whether the export's inference.yml sets a threshold: it is written there, and given nowhere else."""
        is_passed = self.made_with(parameter) is not None or bool(
            self.predict_options.get(self.api.argument(parameter))
        )
        return self._in_file(parameter) is not None and not is_passed and not self.own_doing

    def _in_file(self, parameter: str) -> Any:
        """Return a threshold that inference.yml sets; None where it has none, or a pipeline does not look at it."""
        is_read = parameter in THRESHOLDS and not self.api.has_pipeline
        return (self.written.get(DETECTIONS) or {}).get(parameter) if is_read else None

    def by_default(self, parameter: str) -> str:
        """Return who sets a parameter that no option sets, in words; nothing where that needs no words."""
        if not self.api.has_pipeline:
            return ""
        place = f"SubModules.TextDetection of {self.pipeline_config}" if self.pipeline_config else "its own OCR.yaml"
        return f"{self.api.label}, from {place}"

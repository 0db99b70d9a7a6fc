"""The fixes that a run has proved, each once with the images that share it, and those that contradict each other."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pytest_ocrparity.artifacts.config_edit import POST_PROCESS, is_section
from pytest_ocrparity.artifacts.configs import config_model_name, read_config
from pytest_ocrparity.comparison import MATCHES
from pytest_ocrparity.diagnosis import CAUSES, PAGE_SIDE, UNKNOWN, Change, Diagnosis, Fix, table_of
from pytest_ocrparity.errors import ModelError, ReportError
from pytest_ocrparity.report.document import CandidateRecord, Results, SettingsRecord
from pytest_ocrparity.session.models import config_of_candidate
from pytest_ocrparity.settings import Settings
from pytest_ocrparity.settings.page_settings import page_values
from pytest_ocrparity.stages import DETECTION, RECOGNITION
from pytest_ocrparity.wording import image_label, path_from

EXPORT, CODE, TRAINING = "in the export folder", "in your deployment's code", "in the training YAML file"
GROUPS: Final = (EXPORT, CODE, TRAINING)
_IN_EXPORT: Final = ("inference.yml", "export", "delete")
_IN_TRAINING: Final = ("train.config", "train.sub_model")
_IN_CODE: Final = ("options", "predict_options", "options_file", "factory")
_NAME: Final = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_FILE: Final = re.compile(r"\w[\w.-]*", re.ASCII)
_OF_PAGE: Final = {DETECTION.name: "'s detector", RECOGNITION.name: "'s recogniser"}
_EXPECTED: Final = ("passed", "skipped")
"""How a test ends that expects a difference."""


@dataclass
class ProvedFix:
    """One fix of a candidate, with the images that it was proved on.

    Attributes:
        task, candidate: whose; of a deployment that reads pages, `task` is whose of its models, or "pipeline".
        table: the settings table of that candidate.
        diagnosis: the first that had this fix.
        images: where it was proved.
        rivals: the fixes that set something else to another value.
    """

    task: str
    candidate: str
    table: str
    diagnosis: Diagnosis
    fix: Fix
    images: list[str] = field(default_factory=list)
    rivals: list[ProvedFix] = field(default_factory=list)

    def changes(self, group: str) -> list[Change]:
        """Return its changes of a group."""
        return [change for change in self.fix.changes if group_of(change, self.table) == group]

    @property
    def groups(self) -> list[str]:
        """The groups that it has something in: one in words alone is about the deployment."""
        found = {group_of(change, self.table) for change in self.fix.changes}
        return [group for group in GROUPS if group in found] or [CODE]

    @property
    def side(self) -> str:
        """How messages call what it is about."""
        return f"{self.candidate}{_OF_PAGE.get(self.task, '') if self.candidate == PAGE_SIDE else ''}"

    @property
    def is_of_file(self) -> bool:
        """Whether it may be written into an inference.yml, which another export does not write anew."""
        others = any(change.where in ("export", "delete") for change in self.fix.changes)
        return bool(self.config_changes) and not others and TRAINING not in self.groups

    @property
    def config_changes(self) -> list[Change]:
        """Its changes of the inference.yml."""
        return [change for change in self.fix.changes if change.where == "inference.yml"]


@dataclass
class Unproved:
    """What differs without a proved fix, with its images."""

    text: str
    images: list[str] = field(default_factory=list)


@dataclass
class Plan:
    """What a run says of fixes.

    Attributes:
        fixes: the proved ones, in the order in which they were found.
        unproved: what has none.
        commands: what runs each failed test again.
    """

    fixes: list[ProvedFix]
    unproved: list[Unproved]
    commands: list[str]

    @property
    def agreed(self) -> list[ProvedFix]:
        """The fixes that no other contradicts."""
        return [each for each in self.fixes if not each.rivals]


def group_of(change: Change, table: str) -> str:
    """Return the group of a change. Raises ReportError where it names no place that a fix has."""
    prefix, _, setting = change.where.rpartition(".")
    if change.where in _IN_EXPORT:
        return EXPORT
    if change.where in _IN_TRAINING:
        return TRAINING
    if change.where == "paddlex_config" or (setting in _IN_CODE and prefix in ("inference", table)):
        return CODE
    raise ReportError(f"these results name {change.where!r}, which is no place that a fix has: nothing was changed")


def read_plan(results: Results, settings: Settings) -> Plan:
    """Return what the results of a run say of fixes.

    Args:
        results: of a version that records what a fix is checked against.
        settings: the project's, which say where its files lie.

    Raises:
        ReportError: the results are older, say something that no run writes, or are those of another project.
    """
    if results.schema_version < 2:
        raise ReportError(
            "these results have schema_version 1, which does not record the inference.yml that the run loaded: run "
            "pytest again with --ocr-report=DIR"
        )
    fixes: dict[str, ProvedFix] = {}
    unproved: dict[str, Unproved] = {}
    commands: dict[str, None] = {}
    for each in results.comparisons:
        if each.status in MATCHES or each.outcome in _EXPECTED or not each.judged:
            continue
        commands |= dict.fromkeys([each.rerun] if each.rerun else [])
        if not each.diagnoses:
            _add_once(unproved.setdefault("not diagnosed", Unproved("not diagnosed")).images, each.image)
        for diagnosis in each.diagnoses:
            if (fix := _proved_fix(diagnosis)) is not None:
                task, table = diagnosis.model or each.task, table_of(each.candidate)
                _check_fix(fix, table)
                new = ProvedFix(task, each.candidate, table, diagnosis, fix)
                _add_once(fixes.setdefault(f"{task} {each.candidate} {fix!r}", new).images, each.image)
            else:
                text = f"{diagnosis.cause} of {each.candidate}: {diagnosis.summary}"
                _add_once(unproved.setdefault(text, Unproved(text)).images, each.image)
    for missed in results.not_compared:
        if missed.outcome != "skipped":
            text = f"not compared: {missed.reason.partition(chr(10))[0] or missed.outcome}"
            _add_once(unproved.setdefault(text, Unproved(text)).images, missed.image or missed.test)
    unproved |= {text: Unproved(text) for text in results.run.faults}
    found = list(fixes.values())
    for proved in found:
        if proved.config_changes:
            _check_same_folder(proved, results.settings, settings)
    _note_rivals(found, settings)
    return Plan(found, list(unproved.values()), list(commands))


def _proved_fix(diagnosis: Diagnosis) -> Fix | None:
    """Return the fix of a cause that experiments proved and this version knows; None where there is none."""
    is_known = diagnosis.cause in CAUSES and diagnosis.cause != UNKNOWN
    return diagnosis.fix if is_known and diagnosis.evidence else None


def _add_once(images: list[str], image: str) -> None:
    if image not in images:
        images.append(image)


def _check_fix(fix: Fix, table: str) -> None:
    """Refuse what no fix of a run holds, as it would be written into files or printed to be pasted."""
    for change in fix.changes:
        group_of(change, table)  # refuses a place that no fix has
        if (
            change.where == "inference.yml"
            and (not change.key or is_section(change.key))
            and change.key != POST_PROCESS
        ):
            raise ReportError("these results name a place of inference.yml that no fix has: nothing was changed")
        pattern = _FILE if change.where == "delete" else _NAME
        is_key = not change.key or all(pattern.fullmatch(part) for part in change.key.split("."))
        if not is_key or not all(_NAME.fullmatch(name) for name in change.values):
            raise ReportError("these results hold a fix with a name that no parameter has: nothing was changed")
        if not all(_is_plain(value) for value in change.values.values()):
            raise ReportError("these results hold a fix with a value that no parameter has: nothing was changed")


def _is_plain(value: Any) -> bool:
    if isinstance(value, list):
        return len(value) <= 16 and all(_is_plain(each) and not isinstance(each, list) for each in value)
    return value is None or isinstance(value, bool | int | float) or (isinstance(value, str) and len(value) <= 1000)


def values_of(settings: Settings, task: str, candidate: str) -> Mapping[str, Any] | None:
    """Return what the project's settings say of a candidate; None where they have no such candidate.

    Of the deployment that reads pages: of the candidate whose export it reads with.
    """
    part = settings.of_task(task)
    found = part.candidates.get(candidate)
    if candidate == PAGE_SIDE and "factory" not in settings.page:
        found = part.first_candidate
    return None if found is None else found.values


def recorded_candidate(record: SettingsRecord, task: str, candidate: str) -> CandidateRecord | None:
    """Return what the settings of the run said of a candidate, as `values_of` does of the project's."""
    part = record.recognition if record.recognition is not None and task == RECOGNITION.name else record
    if candidate == PAGE_SIDE and "factory" not in record.page:
        return next(iter(part.candidates.values()), None)
    return part.candidates.get(candidate)


def recorded_values(record: SettingsRecord, task: str, candidate: str) -> Mapping[str, Any]:
    """Return the values of a recorded candidate."""
    found = recorded_candidate(record, task, candidate)
    return {} if found is None else found.values


def deployed_values(record: SettingsRecord, fix: ProvedFix) -> Mapping[str, Any]:
    """Return what the deployment of a fix was given: one that reads pages is a `PaddleOCR` around both models."""
    if fix.candidate != PAGE_SIDE:
        return recorded_values(record, fix.task, fix.candidate)
    of_page, finds = (
        {name: value for name, value in values.items() if name != "options" or isinstance(value, Mapping)}
        for values in (record.page, recorded_values(record, DETECTION.name, PAGE_SIDE))  # which may hold anything
    )
    return {"api": "PaddleOCR", **page_values(of_page, finds)}


def model_arguments(record: SettingsRecord, settings: Settings, fix: ProvedFix) -> dict[str, str]:
    """Return the arguments of paddleocr that name the models of a deployment and their folders."""
    if fix.candidate == PAGE_SIDE:
        prefixes = {"text_detection_": DETECTION.name, "text_recognition_": RECOGNITION.name}
    else:
        api = recorded_values(record, fix.task, fix.candidate).get("api")
        prefixes = {"text_detection_" if api == "PaddleOCR" else "": fix.task}
    found: dict[str, str] = {}
    for prefix, task in prefixes.items():
        values, config = recorded_values(record, task, fix.candidate), config_of(settings, task, fix.candidate)
        name, folder = values.get("model_name"), values.get("model_dir")
        if name is None and config is not None:
            with suppress(ModelError):  # the call then lacks it, as where the export's own file can't be read
                name = config_model_name(read_config(config), config, None)
        if isinstance(folder, str):
            # Without its name paddleocr takes the folder for that of its own default model, and refuses it.
            found |= {f"{prefix}model_name": name} if isinstance(name, str) else {}
            found[f"{prefix}model_dir"] = image_label(folder)
    return found


def config_of(settings: Settings, task: str, candidate: str) -> Path | None:
    """Return the inference.yml of a candidate, which the project's settings name and not the results."""
    values = values_of(settings, task, candidate)
    return None if values is None else config_of_candidate(values)


def _check_same_folder(fix: ProvedFix, record: SettingsRecord, settings: Settings) -> None:
    """Refuse results about another folder than the project's settings name: no path is taken from the results."""
    run = recorded_values(record, fix.task, fix.candidate)
    own = values_of(settings, fix.task, fix.candidate) or {}
    for key in ("model_dir", "model_file"):
        recorded = run.get(key)
        here = path_from(settings.root, own[key]) if key in own else None
        there = path_from(record.root, recorded) if isinstance(recorded, str) else recorded
        if here != there:
            raise ReportError(
                f"these results are about {key} {there!r} of {fix.candidate}, and the settings of "
                f"{settings.file or 'the command line'} name {here!r}: run this in the project of that run"
            )


def _note_rivals(fixes: Sequence[ProvedFix], settings: Settings) -> None:
    """Let each fix know those that give something another value."""
    places: dict[tuple[str, ...], dict[str, list[ProvedFix]]] = {}
    for fix in fixes:
        for place, value in _assignments(fix, settings):
            places.setdefault(place, {}).setdefault(value, []).append(fix)
    for by_value in places.values():
        for value, each in ((value, fix) for value, group in by_value.items() for fix in group):
            others = [other for wanted, group in by_value.items() if wanted != value for other in group]
            each.rivals += [other for other in others if other is not each and other not in each.rivals]


def _assignments(fix: ProvedFix, settings: Settings) -> Iterator[tuple[tuple[str, ...], str]]:
    for change in fix.fix.changes:
        # The models that read a page share its options.
        where: tuple[str, ...] = ("" if fix.candidate == PAGE_SIDE else fix.task, fix.candidate, change.where)
        if change.where == "inference.yml":
            where = (str(config_of(settings, fix.task, fix.candidate)),)
        elif change.where in _IN_TRAINING:
            where = (fix.task, change.where)
        yield from (((*where, change.key, name), repr(value)) for name, value in change.values.items())

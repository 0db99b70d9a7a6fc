"""`python -m pytest_ocrparity fix results.json`: what a run proved, as changes to apply."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from pytest_ocrparity.artifacts.config_edit import TRAINING as OPERATORS_OF_TRAINING
from pytest_ocrparity.artifacts.config_edit import edit_config
from pytest_ocrparity.artifacts.configs import read_config_text
from pytest_ocrparity.commands.config_fixes import ConfigFix, config_fixes, unified_difference, write_config_fixes
from pytest_ocrparity.commands.deployment_fixes import deployment_lines
from pytest_ocrparity.commands.proved_fixes import (
    CODE,
    EXPORT,
    GROUPS,
    TRAINING,
    Plan,
    ProvedFix,
    config_of,
    deployed_values,
    model_arguments,
    read_plan,
)
from pytest_ocrparity.commands.settings_of_project import SETTINGS_HELP, settings_of_project
from pytest_ocrparity.diagnosis import PAGE_SIDE
from pytest_ocrparity.errors import ModelError
from pytest_ocrparity.report.document import Results, read_report_document
from pytest_ocrparity.settings import Settings
from pytest_ocrparity.wording import listed, number_of_images

DESCRIPTION = """Print each fix that a run has proved as a change to apply: in the export folder, in the deployment's
code and in the training YAML file. --write applies the first group alone, to inference.yml; the old file is kept beside
results.json. Options in the settings are never written: they describe the deployment, and another description would
hide the fault. Exits 0, or 1 if something differs that has no proved fix, or 2 for a wrong command or file, or where
nothing can be written."""

_MOST_IMAGES: Final = 3
"""Names of images on a line."""
_MOST_COMMANDS: Final = 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("results", type=Path, help="the results.json of a report")
    parser.add_argument("--write", action="store_true", help="change inference.yml, as the first group says")
    parser.add_argument("--settings", type=Path, metavar="FILE", help=SETTINGS_HELP)
    parser.add_argument(
        "--inference-dir", metavar="DIR", help="the export folder, as by --ocr-inference-dir of the run"
    )


def run(given: argparse.Namespace) -> tuple[list[str], int]:
    """Write the fixes that are to be written, and return the fixes of a run and the exit status."""
    results = read_report_document(given.results)
    settings = settings_of_project(given.settings, {"ocr_inference_dir": given.inference_dir})
    plan = read_plan(results, settings)
    files = list(config_fixes(plan.agreed, settings, results.settings))
    if given.write:  # before anything is written, and where it fails nothing was printed that looks done
        for error in (each for each in files if isinstance(each, ModelError)):
            raise error
    written = [each for each in files if isinstance(each, ConfigFix)]
    lines = list(_plan_lines(plan, results, settings, files))
    lines += write_config_fixes(written, given.results.absolute().parent) if given.write else []
    lines += _last_lines(plan, is_writing=given.write, can_write=bool(written))
    return lines, 1 if plan.unproved or len(plan.agreed) < len(plan.fixes) else 0


def _plan_lines(
    plan: Plan, results: Results, settings: Settings, files: Sequence[ConfigFix | ModelError]
) -> Iterator[str]:
    """Yield the fixes by group, those that contradict each other, and what has none."""
    shown: set[int] = set()
    for group in GROUPS:
        fixes = [each for each in plan.agreed if group in each.groups]
        if not fixes:
            continue
        yield from (f"{group}:", "")
        for fix in fixes:
            yield from _lines_of_fix(fix, is_known=id(fix) in shown)
            shown.add(id(fix))
        if group == EXPORT:
            yield from _export_lines(fixes, settings, files)
        elif group == CODE:
            yield from _code_lines(fixes, results, settings)
        else:
            yield from _training_lines(fixes, settings)
        yield ""
    rivals = [each for each in plan.fixes if each.rivals]
    if rivals:
        yield from ("contradicting each other, and not written:", "")
        for fix in rivals:
            yield from _lines_of_fix(fix)
        yield ""
    if plan.unproved:
        yield from ("without a proved fix:", "")
        for each in plan.unproved:
            yield f"  {each.text}{f' ({_image_names(each.images)})' * bool(each.images)}"
        yield ""
    if not plan.fixes and not plan.unproved:
        yield "nothing of these results failed"


def _lines_of_fix(fix: ProvedFix, *, is_known: bool = False) -> Iterator[str]:
    yield f"  {fix.diagnosis.cause} of {fix.side} ({_image_names(fix.images)}): {fix.diagnosis.summary}"
    yield "    the other part of the fix above" if is_known else f"    {fix.fix.text}"


def _image_names(images: Sequence[str]) -> str:
    return f"{number_of_images(len(images))}: {listed(images, _MOST_IMAGES)}"


def _export_lines(
    fixes: Sequence[ProvedFix], settings: Settings, files: Sequence[ConfigFix | ModelError]
) -> Iterator[str]:
    for each in files:
        if isinstance(each, ConfigFix):
            yield ""
            yield from each.difference()
        else:
            yield f"    no difference can be made: {each}"
    for fix in fixes:
        if fix.config_changes and (not fix.is_of_file or config_of(settings, fix.task, fix.candidate) is None):
            why = "the next export writes that file" if not fix.is_of_file else "no setting names that folder"
            yield f"    by hand, as {why}: {fix.diagnosis.cause}"


def _code_lines(fixes: Sequence[ProvedFix], results: Results, settings: Settings) -> Iterator[str]:
    by_candidate: dict[tuple[str, str], list[ProvedFix]] = {}
    for fix in fixes:  # the models that read a page are given their options in one call
        by_candidate.setdefault(("" if fix.candidate == PAGE_SIDE else fix.task, fix.candidate), []).append(fix)
    for (_, candidate), group in by_candidate.items():
        models = model_arguments(results.settings, settings, group[0])
        lines = list(deployment_lines(group, deployed_values(results.settings, group[0]), models))
        if lines:
            yield from ("", f"  {candidate}:")
            yield from (f"    {line}" for line in lines)


def _training_lines(fixes: Sequence[ProvedFix], settings: Settings) -> Iterator[str]:
    by_task: dict[str, list[ProvedFix]] = {}
    for fix in fixes:
        by_task.setdefault(fix.task, []).append(fix)
    for task, group in by_task.items():
        path = settings.of_task(task).train.get("config")
        changes = [change for fix in group for change in fix.changes(TRAINING) if change.where == "train.config"]
        if path is None or not changes:
            continue
        try:
            before = after = read_config_text(path)
            for change in changes:
                after = edit_config(after, path, OPERATORS_OF_TRAINING, change.key, change.values)
        except ModelError as error:
            yield f"    no difference can be made: {error}"
            continue
        yield ""
        yield from unified_difference(path, before, after)


def _last_lines(plan: Plan, *, is_writing: bool, can_write: bool) -> Iterator[str]:
    """Yield what is left to do: above all, to run the tests again."""
    if can_write and not is_writing:
        yield "--write applies the change of inference.yml, and nothing else"
    if is_writing and not can_write and (plan.fixes or plan.unproved):
        yield "nothing was written: no proved fix changes an inference.yml alone"
    if any(CODE in each.groups for each in plan.agreed):
        yield (
            "options in the settings are not written: they describe the deployment, and another description would hide "
            "the fault; change the deployment, then say the same there"
        )
    commands = _commands(plan.commands)
    if commands:
        yield "then run:"
        yield from (f"  {each}" for each in commands)


def _commands(recorded: Sequence[str]) -> list[str]:
    """Return the commands that run the failed tests again: one for all tests with the same options."""
    tests: dict[tuple[str, ...], list[str]] = {}
    for each in recorded:
        try:
            program, test, *options = shlex.split(each)
        except ValueError:  # no shell's words, or fewer than two
            continue
        if program == "pytest":
            tests.setdefault(tuple(options), []).append(test)
    found = []
    for options_, names in tests.items():
        files = list(dict.fromkeys(name.partition("::")[0] for name in names))
        chosen = names if len(names) <= _MOST_COMMANDS else files
        found.append(shlex.join(["pytest", *dict.fromkeys(chosen), *options_]))
    return [*found[:_MOST_COMMANDS], *([f"and {len(found) - _MOST_COMMANDS} more"] * (len(found) > _MOST_COMMANDS))]

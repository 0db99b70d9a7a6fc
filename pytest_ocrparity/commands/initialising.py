"""`python -m pytest_ocrparity init`: from a folder to settings and tests, which the next `pytest` runs."""

from __future__ import annotations

import argparse
import difflib
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from pytest_ocrparity.commands.first_settings import Part, parts_of, settings_text, tests_of
from pytest_ocrparity.commands.survey import MOST_FILES, Survey, is_checkout, survey_folder
from pytest_ocrparity.errors import SettingsError
from pytest_ocrparity.session.models import inference_model_problems, train_model_problems
from pytest_ocrparity.session.page_sides import page_problems
from pytest_ocrparity.settings import Settings, load_settings
from pytest_ocrparity.settings.settings_file import find_settings_file, parse_toml
from pytest_ocrparity.whole_files import write_whole_file
from pytest_ocrparity.wording import path_from

DESCRIPTION = """Look at a folder, and write the settings and the tests of a gate for what is found there: training YAML
file, weights, export, images, PaddleOCR's code. Nothing is overwritten: where settings or tests are there already, the
difference is shown. Runs no model. Exits 0, or 1 if something is missing, or 2 for a wrong command or folder."""

OWN_FILE, SHARED_FILE = "ocrparity.toml", "pyproject.toml"
TABLE: Final = "tool.ocrparity"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument(
        "folder", type=Path, nargs="?", default=Path(), help="the folder to look at; default: the working directory"
    )
    parser.add_argument("--paddleocr-root", type=Path, metavar="DIR", help="PaddleOCR's code, where it is elsewhere")


def run(given: argparse.Namespace) -> tuple[list[str], int]:
    """Write settings and tests, and return what was found and the exit status."""
    folder = Path(os.path.abspath(given.folder))  # noqa: PTH100 - links are not followed
    root = None if given.paddleocr_root is None else Path(os.path.abspath(given.paddleocr_root))  # noqa: PTH100
    if not folder.is_dir():
        raise SettingsError(f"{folder}: no such folder")
    if root is not None and not is_checkout(root):
        raise SettingsError(f"{root} holds no folder ppocr: it must be a PaddleOCR checkout")
    try:
        found = survey_folder(folder, root)
        parts = parts_of(found)
        lines, file, is_as_written = _write_settings(parts, folder)
        lines += _write_tests(parts, folder)
    except OSError as error:
        raise SettingsError(f"{error.filename}: cannot be read or written: {error.strerror}") from error
    problems = first_run_problems(load_settings(file, {}, folder))
    left = "" if is_as_written else path_from(folder, file)
    shown = [*_found_lines(found, parts), "", *lines, "", *_next_lines(problems, folder, left)]
    return shown, 1 if problems else 0


def _found_lines(found: Survey, parts: Sequence[Part]) -> Iterator[str]:
    for part in parts:
        yield f"{part.task}:"
        yield from (f"  {sentence}" for sentence in part.sentences)
    if found.was_cut:
        yield f"The folder holds more than {MOST_FILES} files, and the rest was not looked at: name a smaller one."


def _next_lines(problems: Sequence[str], folder: Path, left: str) -> Iterator[str]:
    """Yield what is to be done; `left` is the name of settings that say something else than what was found."""
    if problems:
        where = f" in {left}, which was left as it is (the lines with + above are what was found)" if left else ""
        yield f"Still missing{where}, as the first run says too:"
        yield from (f"  {problem}" for problem in problems)
    else:
        where = path_from(Path.cwd(), folder)
        yield "Now run: pytest" if where == "." else f"Now run pytest in {where}"


def first_run_problems(settings: Settings) -> list[str]:
    """Return what stops the first run before a model loads, in the sentences that it says."""
    found: list[str] = []
    for part in settings.parts:
        found += train_model_problems(part)
        for name in part.candidates or (None,):
            found += inference_model_problems(part, name)
        found += [] if part.image_paths() else [part.no_image()]
        found += part.idle_globs()
    if settings.reads_pages:
        found += [text for name in ("ocr_train_page", "ocr_inference_page") for text in page_problems(settings, name)]
    return list(dict.fromkeys([*found, *settings.shared_images()]))


def _write_settings(parts: Sequence[Part], folder: Path) -> tuple[list[str], Path, bool]:
    """Write the settings where none are; return what to say of them, their file, and whether it says what was found."""
    own, shared = folder / OWN_FILE, folder / SHARED_FILE
    existing = find_settings_file(folder)
    if existing is not None and existing.parent == folder:
        is_shared = existing.name == SHARED_FILE
        text = existing.read_text(encoding="utf-8")
        before, after = own_tables(text) if is_shared else text, settings_text(parts, TABLE if is_shared else "")
        return _left_alone(existing, before, after, folder), existing, before == after
    lines = []
    if existing is not None:
        lines.append(f"{existing} has settings too; below {folder}, those written here count instead.")
    if shared.is_file():
        old = shared.read_bytes()
        new = settings_text(parts, TABLE).encode()
        new = old.rstrip() + b"\n\n" + new if old.strip() else new
        if _only_adds_table(parse_toml(old, shared), new, shared):
            write_whole_file(shared, new)
            return [*lines, f"Written into {SHARED_FILE}: the table [{TABLE}]."], shared, True
    write_whole_file(own, settings_text(parts, "").encode())
    return [*lines, f"Written: {OWN_FILE}."], own, True


def _only_adds_table(before: Mapping[str, Any], text: bytes, path: Path) -> bool:
    """Tell whether a text is a TOML file with our table behind what was there: a `tool = {}` can't be added to."""
    try:
        after = parse_toml(text, path)
    except SettingsError:
        return False
    tools = {name: value for name, value in after["tool"].items() if name != "ocrparity"}
    return {**after, "tool": tools} == {**before, "tool": before.get("tool", {})}


def own_tables(text: str) -> str:
    """Return the lines of a pyproject.toml that are our tables."""
    kept: list[str] = []
    is_ours = False
    for line in text.splitlines():
        if line.startswith("["):
            is_ours = line.lstrip("[").startswith((f"{TABLE}]", f"{TABLE}."))
        kept += [line] if is_ours else []
    return "\n".join(kept).strip("\n") + "\n"


def _left_alone(path: Path, before: str, after: str, folder: Path) -> list[str]:
    """Return what to say of a file that is there already."""
    name = path_from(folder, path)
    if before == after:
        return [f"{name} is there already, and is what would be written."]
    labels = f"{name}, left as it is", f"{name}, as it would be written"
    difference = difflib.unified_diff(before.splitlines(), after.splitlines(), *labels, lineterm="")
    return [f"{name} is there already and was left as it is. What would be written differs:", *difference]


def _write_tests(parts: Sequence[Part], folder: Path) -> list[str]:
    """Write the tests that are not there, and return what to say of them."""
    lines = []
    place = _tests_folder(folder)
    for name, text, assertion in tests_of(parts):
        path = place / name
        if path.is_file():
            lines += _left_alone(path, path.read_text(encoding="utf-8", errors="backslashreplace"), text, folder)
        elif others := _tests_with(assertion, place):
            others_text = ", ".join(path_from(folder, each) for each in others[:3])
            lines.append(f"{others_text} has {assertion} already: no test was written for it.")
        else:
            write_whole_file(path, text.encode())
            lines.append(f"Written: {path_from(folder, path)}.")
    return lines


def _tests_folder(folder: Path) -> Path:
    """Return where pytest looks for tests: the first of `testpaths` that is a folder, else `tests`."""
    shared = folder / SHARED_FILE
    content = parse_toml(shared.read_bytes(), shared) if shared.is_file() else {}
    for key in ("tool", "pytest", "ini_options", "testpaths"):
        content = content.get(key, {}) if isinstance(content, dict) else {}
    given: Any = content
    paths = given.split() if isinstance(given, str) else given if isinstance(given, list) else []
    named = (folder / path for path in paths if isinstance(path, str))
    return next((path for path in named if path.is_dir() and path.is_relative_to(folder)), folder / "tests")


def _tests_with(assertion: str, place: Path) -> list[Path]:
    """Return the test files that have an assertion already."""
    files = sorted({*place.rglob("test_*.py"), *place.rglob("*_test.py")})
    return [path for path in files if path.is_file() and assertion.encode() in path.read_bytes()]

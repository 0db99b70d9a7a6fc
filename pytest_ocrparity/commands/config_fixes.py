"""What proved fixes change in an inference.yml, and writing it: whole, checked, with the old file kept."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pytest_ocrparity.artifacts.config_edit import EXPORT, edit_config
from pytest_ocrparity.artifacts.configs import parse_config, read_config_text
from pytest_ocrparity.artifacts.families import family_of_export
from pytest_ocrparity.commands.proved_fixes import ProvedFix, config_of, recorded_candidate
from pytest_ocrparity.errors import ModelError, ReportError
from pytest_ocrparity.files import text_file_digest
from pytest_ocrparity.report.document import SettingsRecord
from pytest_ocrparity.settings import Settings
from pytest_ocrparity.whole_files import write_whole_file
from pytest_ocrparity.wording import image_label


@dataclass(frozen=True)
class ConfigFix:
    """An inference.yml, its text, and what is to become of it.

    `digest` is that of the text, as the run recorded it.
    """

    path: Path
    digest: str
    before: str
    after: str

    def difference(self) -> list[str]:
        """Return the unified difference, as `patch -p0` and `git apply -p0` take it in this folder."""
        return unified_difference(self.path, self.before, self.after)


def unified_difference(path: Path, before: str, after: str) -> list[str]:
    """Return the unified difference of two texts of a file, without line ends."""
    name = image_label(str(path))
    return list(difflib.unified_diff(before.splitlines(), after.splitlines(), name, name, lineterm=""))


def config_fixes(
    fixes: Sequence[ProvedFix], settings: Settings, record: SettingsRecord
) -> Iterator[ConfigFix | ModelError]:
    """Yield each inference.yml that fixes change, or why it cannot be changed."""
    by_file: dict[Path, list[ProvedFix]] = {}
    for fix in fixes:
        config = config_of(settings, fix.task, fix.candidate) if fix.is_of_file else None
        if config is not None:
            by_file.setdefault(config, []).append(fix)
    for path, group in by_file.items():
        try:
            yield _config_fix(path, group, record)
        except ModelError as error:
            yield error


def _config_fix(path: Path, fixes: Sequence[ProvedFix], record: SettingsRecord) -> ConfigFix:
    digests = {_recorded_digest(record, fix, path.name) for fix in fixes}
    if path.is_symlink():
        raise ModelError(f"{path} is a link: put the file itself there")
    before = after = read_config_text(path)
    digest = text_file_digest(path)
    if digests == {""}:
        raise ModelError(
            f"the run has not recorded which {path} it loaded, or that changed while it ran: run pytest again with "
            "--ocr-report=DIR"
        )
    if digests != {digest}:
        raise ModelError(f"{path} has changed since the run: run pytest again with --ocr-report=DIR")
    for change in (change for fix in fixes for change in fix.config_changes):
        after = edit_config(after, path, EXPORT, change.key, change.values)
    config = parse_config(after, path)
    family_of_export(config).check_inference(config, path)  # both libraries run parts of it as Python
    return ConfigFix(path, digest, before, after)


def _recorded_digest(record: SettingsRecord, fix: ProvedFix, name: str) -> str:
    found = recorded_candidate(record, fix.task, fix.candidate)
    return "" if found is None else found.files.get(name, "")


def write_config_fixes(fixes: Sequence[ConfigFix], kept: Path) -> Iterator[str]:
    """Write inference.yml files, and yield a sentence for each.

    Args:
        fixes: the files. All are checked before the first is written.
        kept: the folder that keeps the old ones.

    Raises:
        ReportError: the old file cannot be kept there, or the new one not be written.
    """
    places = [(fix, kept / f"{fix.path.name}.{fix.digest[:12]}.old") for fix in fixes]
    for fix, old in places:
        if kept.resolve().is_relative_to(fix.path.parent.resolve()):
            raise ReportError(f"{kept} lies in the folder that is deployed, where no old {fix.path.name} may lie")
        try:
            is_other = old.is_symlink() or (old.exists() and old.read_bytes() != fix.path.read_bytes())
        except OSError as error:
            raise ReportError(f"{error.filename}: cannot be read: {error.strerror}") from error
        if is_other:
            raise ReportError(f"{old} is there already and is another file: remove it")
    written: list[str] = []
    for fix, old in places:
        name = image_label(str(fix.path))
        try:
            data, mode = fix.path.read_bytes(), fix.path.stat().st_mode
            if data != fix.before.encode():
                raise ReportError(f"{name} has changed just now: run this again")
            write_whole_file(old, data)
            write_whole_file(fix.path, fix.after.encode())
            fix.path.chmod(mode)
        except OSError as error:
            before = f"; written before: {', '.join(written)}" if written else ""
            raise ReportError(f"{name}: cannot be written: {error.strerror or error}{before}") from error
        written.append(name)
        yield f"written: {name}; the old file is {image_label(str(old))}"

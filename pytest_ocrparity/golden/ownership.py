"""Which settings file and reference a baseline belongs to, and which other references may use it.

A file says so in its manifest; files of 0.1.0 do not, and belong to whoever asks first.
"""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pytest_ocrparity.errors import GoldenError, GoldenTaken
from pytest_ocrparity.wording import path_from, printable

OF_THE_SETTINGS: Final = "pytest_ocrparity.plugin"
"""Where the fixtures lie that load what the settings describe."""

WITH: Final = " with "
"""What stands between the place of a fixture and its parameters."""

_MOST: Final = 2**20
"""The bytes of a file that are searched for a name."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A model that baselines are recorded from.

    `fixture` is where the fixture lies that made it, from the settings' folder on, with its parameters; empty where
    nobody knows, as outside of pytest. `kind` is its class, `name` what it calls itself, and `fingerprint` its digests,
    None for a model that has none.
    """

    fixture: str = ""
    kind: str = ""
    name: str = ""
    fingerprint: Mapping[str, str] | None = None

    @classmethod
    def of(cls, model: Any, fixture: str = "") -> Reference:
        """Describe a model."""
        kind, fingerprint = type(model), getattr(model, "fingerprint", None)
        parts = {str(key): str(value) for key, value in fingerprint.items()} if isinstance(fingerprint, Mapping) else {}
        name = str(getattr(model, "name", ""))
        return cls(fixture, f"{kind.__module__}.{kind.__qualname__}", name, parts or None)

    def described(self, of_settings: Mapping[str, str]) -> dict[str, Any]:
        """Return what a manifest keeps beside the fingerprint.

        Also whether that is the model's own, and whether it is that of the files which the settings name: then these
        show when it changes.
        """
        return {
            "fixtures": [self.fixture] if self.fixture else [],
            "class": self.kind,
            "name": self.name,
            "has_fingerprint": self.fingerprint is not None,
            "is_of_settings": self.fingerprint is None or self.fingerprint == of_settings,
        }

    def is_of(self, manifest: Mapping[str, Any]) -> bool | None:
        """Return whether a baseline was recorded from this very model; None where only what it makes can show it.

        Digests show it, and so does another class or name. The same class may have been given other weights.
        """
        model, then = manifest.get("model", {}), manifest["fingerprint"]
        if model.get("has_fingerprint") and self.fingerprint and then.keys() & self.fingerprint.keys():
            return all(then.get(part, now) == now for part, now in self.fingerprint.items())
        is_alike = (model.get("class", self.kind), model.get("name", self.name)) == (self.kind, self.name)
        return None if is_alike else False


class Ownership:
    """What one run's baselines belong to.

    Attributes:
        settings: the run's settings file from the baselines' folder on, or None where it has none that can be named so.
    """

    def __init__(self, folder: Path, root: Path, settings: Path | None, fixture: str, *, is_described: bool) -> None:
        """Know a folder of baselines and its run: see `store.GoldenStore`."""
        self._folder, self._root = Path(os.path.realpath(folder)), root
        self._file, self._fixture, self._is_described = settings, fixture, is_described
        self._asked: dict[Path, set[str]] = {}
        self.settings = None if settings is None else self._from_folder(settings)

    def _from_folder(self, file: Path) -> str | None:
        """Return a file's path from the baselines' folder on; None where the two share no folder but the file system's.

        Such a path would name folders of this machine, and differ on the next.
        """
        file = Path(os.path.realpath(file.parent), file.name)  # a link to shared settings is its own project's file
        try:
            shared = os.path.commonpath([file, self._folder])
        except ValueError:  # on two drives
            return None
        return None if Path(shared) == Path(file.anchor) else path_from(self._folder, file)

    def refuse_other_project(self, image: str, manifest: Mapping[str, Any]) -> None:
        """Raise GoldenError where a baseline is another project's: settings that lie elsewhere, and are still there.

        Two settings files of one folder name its images alike, and may share baselines.
        """
        recorded = manifest.get("settings")
        if not recorded or not self.settings or posixpath.dirname(recorded) == posixpath.dirname(self.settings):
            return
        other = Path(os.path.normpath(self._folder / recorded))
        if _file_contains(other, b"ocrparity" if other.name == "pyproject.toml" else b""):
            raise GoldenError(
                f"{image}: this baseline in {self._folder} was recorded under {other}, and the settings of this run "
                f"are {self._file}: two projects share the folder. Give each its own golden.dir, then run: "
                "pytest --ocr-golden"
            )

    def refuse_other_reference(self, image: str, path: Path, manifest: Mapping[str, Any], fixture: str) -> None:
        """Raise GoldenTaken where a baseline is that of another fixture, which is still there.

        A fixture that has only moved finds its baselines again.
        """
        if not fixture:
            return
        model, asked = manifest.get("model", {}), self._asked.setdefault(path, set())
        listed = model.get("fixtures", ())
        others = [other for other in (*listed, *sorted(asked)) if other in asked or self._is_there(other, fixture)]
        if others and fixture not in listed and fixture not in asked:
            kind = f" ({printable(str(model['class']))})" if model.get("class") else ""
            shown = path_from(self._root, path)
            raise GoldenTaken(
                f"{image}: two references ask for one baseline, {printable(shown)}: it is that of "
                f"{self._fixture_name(others[0])}{kind}, and this test's is {self._fixture_name(fixture)}. Give one "
                "of them images of its own, or a golden.dir of its own (an ocrparity.toml in its folder, and runs of "
                "that folder alone); or, where it has replaced the other, delete the baseline and run: "
                "pytest --ocr-golden"
            )
        asked.add(fixture)

    def users(self, path: Path, manifest: Mapping[str, Any], fixture: str) -> list[str]:
        """Return the fixtures that use a baseline, as its manifest and this run know them, with one more."""
        self._asked.setdefault(path, set()).add(fixture)
        return sorted({*manifest.get("model", {}).get("fixtures", ()), *self._asked[path]})

    def note_recording(self, path: Path, fixture: str) -> None:
        """Note that a baseline was recorded anew by a fixture."""
        self._asked[path] = {fixture} if fixture else set()

    def _fixture_name(self, fixture: str) -> str:
        is_own = fixture == OF_THE_SETTINGS
        return f"the settings' own {self._fixture}" if is_own else f"{self._fixture} of {printable(fixture)}"

    def _is_there(self, other: str, fixture: str) -> bool:
        """Return whether the project still has a fixture of this name at a place that a manifest names."""
        if other == OF_THE_SETTINGS:
            return self._is_described
        place, has_parameters, _ = other.partition(WITH)
        if place == fixture.partition(WITH)[0]:
            return bool(has_parameters) and WITH in fixture  # two parameters of one fixture
        file, name = place.partition("::")[0], re.escape(self._fixture.encode())
        made = rb"def\s+%b\b|^\s*%b\s*=|name\s*=\s*[\"']%b[\"']|\bimport\b.*\b%b\b" % (name, name, name, name)
        return file.endswith(".py") and _file_contains(self._root / file, rb"(?m)" + made)


def _file_contains(file: Path, pattern: bytes) -> bool:
    """Return whether a file exists and contains a text."""
    try:
        if not file.is_file():  # a device would never end
            return False
        with file.open("rb") as opened:
            return re.search(pattern, opened.read(_MOST)) is not None
    except (OSError, ValueError):
        return False

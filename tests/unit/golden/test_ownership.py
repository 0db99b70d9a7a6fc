"""Whose a baseline is: what its manifest says, what is refused, and what is not."""

from __future__ import annotations

import os
from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from goldens import read_manifest, rewrite
from toy import PAGE, Toy

from pytest_ocrparity.errors import GoldenCorrupt, GoldenError, GoldenMissing, GoldenStale, GoldenTaken
from pytest_ocrparity.golden.baseline_file import load_baseline_file, relabel_baseline_file, settings_of_baseline_file
from pytest_ocrparity.golden.ownership import OF_THE_SETTINGS, Ownership, Reference
from pytest_ocrparity.golden.store import GoldenStore

FIXTURE = "import pytest\n\n@pytest.fixture\ndef ocr_train_model(): ...\n"
MINE, OTHER = "conftest.py", "a/conftest.py"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project with an image, and two files that define the reference."""
    for name, text in ((MINE, FIXTURE), (OTHER, FIXTURE), ("pyproject.toml", "[tool.ocrparity]")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    np.save(tmp_path / "page.npy", PAGE)
    return tmp_path


def store(root: Path, mode: str | None = None, **changes: Any) -> GoldenStore:
    options = {"folder": root / "goldens", "root": root, "settings": root / "pyproject.toml", "reference": "train"}
    return GoldenStore(mode=mode, **{**options, **changes})


def record(root: Path, fixture: str = OTHER, mode: str = "all", **changes: Any) -> Path:
    """Record the page's baseline from a fixture's toy, and return its file."""
    image = root / "page.npy"
    model = Reference(fixture, "toy.Toy", "train", changes.pop("digests", None))
    store(root, mode, **changes).record(image, Toy().trace(image), model)
    return store(root, **changes).path(image)


def test_what_a_manifest_says(root: Path) -> None:
    manifest = read_manifest(record(root, digests={"checkpoint": "w1"}))
    assert manifest["settings"] == "../pyproject.toml"
    assert manifest["model"] == {
        "fixtures": [OTHER],
        "class": "toy.Toy",
        "name": "train",
        "has_fingerprint": True,
        "is_of_settings": False,
    }
    assert settings_of_baseline_file(root / "goldens" / "page.npy.npz") == "../pyproject.toml"


def test_what_a_model_was_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        Reference().fixture = MINE  # type: ignore[misc]
    assert not hasattr(Reference(), "__dict__")


def test_what_a_model_is() -> None:
    class Own:
        fingerprint = "w1"  # no digests by name

    assert Reference.of(Toy(name="mine"), MINE) == Reference(MINE, "toy.Toy", "mine", None)
    found = Reference.of(Own())
    assert (found.kind, found.name, found.fingerprint) == (f"{__name__}.test_what_a_model_is.<locals>.Own", "", None)
    with_digests = Toy()
    with_digests.fingerprint = {"checkpoint": 7}  # type: ignore[attr-defined]
    assert Reference.of(with_digests).fingerprint == {"checkpoint": "7"}


# Settings


def named(folder: Path, settings: Path | None) -> str | None:
    return Ownership(folder, folder, settings, "train", is_described=False).settings


def test_settings_are_named_from_the_folder_on(tmp_path: Path) -> None:
    assert named(tmp_path / "goldens", tmp_path / "pyproject.toml") == "../pyproject.toml"
    assert named(tmp_path / "shared", tmp_path / "one" / "ocrparity.toml") == "../one/ocrparity.toml"
    assert named(tmp_path, tmp_path / "pyproject.toml") == "pyproject.toml"
    assert named(tmp_path, None) is None


def test_no_name_where_only_the_file_system_is_shared(tmp_path: Path) -> None:
    """It would be that of a folder of this machine."""
    assert named(tmp_path, Path("/somewhere/else/pyproject.toml")) is None
    assert named(Path("/baselines"), tmp_path / "pyproject.toml") is None


def test_links(tmp_path: Path) -> None:
    """A linked folder is the folder; a linked file belongs to the project where the link lies."""
    (tmp_path / "project").mkdir()
    (tmp_path / "common.toml").touch()
    (tmp_path / "link").symlink_to("project")
    (tmp_path / "project" / "ocrparity.toml").symlink_to(tmp_path / "common.toml")
    assert named(tmp_path / "link" / "goldens", tmp_path / "project" / "ocrparity.toml") == "../ocrparity.toml"
    assert named(tmp_path / "project" / "goldens", tmp_path / "link" / "ocrparity.toml") == "../ocrparity.toml"


@pytest.mark.parametrize(
    ("recorded", "text", "is_refused"),
    [
        ("../one/pyproject.toml", "[tool.ocrparity]", True),
        ("../one/ocrparity.toml", "", True),
        ("../one/pyproject.toml", "[tool.other]", False),  # its settings are elsewhere now
        ("../one/pyproject.toml", None, False),
        ("../ci.toml", "", False),  # of this project's folder
        (None, None, False),
    ],
)
def test_only_settings_that_are_there_are_another_project(
    root: Path, recorded: str | None, text: str | None, is_refused: bool
) -> None:
    path = record(root)
    relabel_baseline_file(path, settings=recorded)
    if recorded and text is not None:
        other = path.parent / recorded
        other.parent.mkdir(exist_ok=True)
        other.write_text(text)
    for mode in (None, "missing", "changed"):
        if is_refused:
            with pytest.raises(GoldenError, match=rf"recorded under {root}/one/.*, and the settings of this run are"):
                store(root, mode).load(root / "page.npy")
        else:
            store(root, mode).load(root / "page.npy")
    if is_refused:
        with pytest.raises(GoldenError, match=r"Give each its own golden\.dir"):
            record(root)
    assert settings_of_baseline_file(path) == recorded


# References


def test_another_fixture_is_refused_and_its_own_is_not(root: Path) -> None:
    record(root)
    store(root).load(root / "page.npy", OTHER)
    store(root).load(root / "page.npy")  # outside of pytest, nobody knows
    with pytest.raises(
        GoldenTaken, match=r"ocr_train_model of a/conftest.py \(toy.Toy\), and this test's is .* of con"
    ):
        store(root).load(root / "page.npy", MINE)
    with pytest.raises(GoldenTaken):
        record(root, MINE)
    assert read_manifest(root / "goldens" / "page.npy.npz")["model"]["fixtures"] == [OTHER]


@pytest.mark.parametrize(
    ("text", "is_there"),
    [
        (FIXTURE, True),
        ("ocr_train_model = make('v4')\n", True),
        ("@pytest.fixture(name='ocr_train_model')\ndef model(): ...\n", True),
        ("from models import ocr_train_model, other\n", True),
        ("class TestIt:\n    @pytest.fixture\n    async def ocr_train_model(self): ...\n", True),
        ("def test_it(ocr_train_model): ...\n", False),
        ("def ocr_train_models(): ...\n", False),
        ("# ocr_train_model was here\n", False),
        ("", False),
        (None, False),
        ("#" * (2**20 - 100) + f"\n{FIXTURE}", True),
        ("#" * 2**20 + f"\n{FIXTURE}", False),  # more than is searched
    ],
    ids=range(12),
)
def test_a_fixture_that_is_gone_has_moved(root: Path, text: str | None, is_there: bool) -> None:
    record(root)
    (root / OTHER).unlink()
    if text is not None:
        (root / OTHER).write_text(text)
    if is_there:
        with pytest.raises(GoldenTaken):
            store(root).load(root / "page.npy", MINE)
    else:
        store(root).load(root / "page.npy", MINE)


@pytest.mark.parametrize("is_described", [True, False])
def test_the_settings_own_model_is_there_where_they_describe_it(root: Path, is_described: bool) -> None:
    record(root, OF_THE_SETTINGS)
    asked = store(root, is_described=is_described)
    if is_described:
        with pytest.raises(GoldenTaken, match="it is that of the settings' own ocr_train_model"):
            asked.load(root / "page.npy", MINE)
    else:
        asked.load(root / "page.npy", MINE)
        with pytest.raises(GoldenTaken, match=r"it is that of ocr_train_model of conftest\.py"):
            asked.load(root / "page.npy", "b/conftest.py")


def test_parameters_that_went_or_came(root: Path) -> None:
    """One fixture that is parametrized on one side only has changed, and is still one."""
    record(root, f"{OTHER} with size=1")
    store(root).load(root / "page.npy", OTHER)
    with pytest.raises(GoldenTaken):
        store(root).load(root / "page.npy", f"{OTHER} with size=2")
    (root / "goldens" / "page.npy.npz").unlink()
    record(root, OTHER)
    asked = store(root)
    asked.load(root / "page.npy", f"{OTHER} with size=1")
    with pytest.raises(GoldenTaken):
        asked.load(root / "page.npy", f"{OTHER} with size=2")


def test_sharing_keeps_the_arrays(root: Path) -> None:
    path = record(root)
    before = load_baseline_file(path)
    sharing = store(root, "missing")
    sharing.share(root / "page.npy", MINE)
    after = load_baseline_file(path)
    assert after.manifest["model"]["fixtures"] == [OTHER, MINE]
    assert after.trace == before.trace
    assert after.manifest["arrays_sha256"] == before.manifest["arrays_sha256"]
    for fixture in (MINE, OTHER):
        store(root).load(root / "page.npy", fixture)


def test_what_cannot_be_relabelled(root: Path) -> None:
    path = record(root)
    with pytest.raises(GoldenMissing):
        relabel_baseline_file(root / "goldens" / "no.npz", settings=None)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(GoldenCorrupt, match="is not a whole baseline"):
        relabel_baseline_file(path, settings=None)
    assert settings_of_baseline_file(path) is None


@pytest.mark.parametrize(
    ("digests", "kind", "expected"),
    [
        ({"checkpoint": "w1"}, "any.Class", True),
        ({"checkpoint": "w2"}, "toy.Toy", False),
        ({"weights": "w1"}, "toy.Toy", None),  # of nothing that was known then
        ({"weights": "w1"}, "any.Class", False),
        (None, "toy.Toy", None),
        (None, "any.Class", False),
    ],
)
def test_what_tells_two_models_apart(
    root: Path, digests: dict[str, str] | None, kind: str, expected: bool | None
) -> None:
    manifest = read_manifest(record(root, digests={"checkpoint": "w1"}))
    assert Reference(MINE, kind, "train", digests).is_of(manifest) is expected


def test_digests_of_the_settings_files_are_held_against_their_models_only(root: Path) -> None:
    image = root / "page.npy"
    settings_files: dict[str, Any] = {"fingerprint": {"checkpoint": "w1"}}
    changed: dict[str, Any] = {"fingerprint": {"checkpoint": "w2"}}
    record(root, OTHER, digests={"checkpoint": "own"}, **settings_files)
    store(root, **settings_files).load(image, OTHER)
    store(root, **changed).load(image, OTHER)
    record(root, OTHER, digests={"checkpoint": "w1"}, **settings_files)
    for fixture in (OTHER, ""):
        store(root, **settings_files).load(image, fixture)
        with pytest.raises(GoldenStale, match="the checkpoint changed"):
            store(root, **changed).load(image, fixture)


# What a file may hold


@pytest.mark.parametrize(
    "changes",
    [
        {"settings": 7},
        {"settings": ["../pyproject.toml"]},
        {"model": None},
        {"model": []},
        {"model": {"fixtures": 7}},
        {"model": {"fixtures": [7]}},
    ],
    ids=str,
)
def test_a_manifest_of_other_types(root: Path, changes: dict[str, Any]) -> None:
    path = record(root)
    rewrite(path, **changes)
    with pytest.raises(GoldenCorrupt, match="is not a whole baseline"):
        load_baseline_file(path)
    assert settings_of_baseline_file(path) is None


@pytest.mark.parametrize(
    "name", ["/dev/zero.py", "../../../../../../dev/zero", "a\0.py", "\ud83d.py", "x" * 300, "goldens"]
)
def test_names_from_hell(root: Path, name: str) -> None:
    """Nothing is read but a file of the project's kind, and of that not much."""
    path = record(root)
    rewrite(path, settings=name, model={"fixtures": [name], "class": 7, "name": [], "has_fingerprint": "yes"})
    store(root).load(root / "page.npy", MINE)
    (root / "a.py").mkdir()
    os.mkfifo(root / "pipe.py")
    rewrite(path, settings="../pipe.py/x.toml", model={"fixtures": ["pipe.py", "a.py"]})
    store(root).load(root / "page.npy", MINE)


# What a run notes


def test_all_digests_have_to_be_those_of_the_model(root: Path) -> None:
    manifest = read_manifest(record(root, digests={"checkpoint": "w1", "config": "c1"}))
    for checkpoint in ("w1", "w2"):
        for config in ("c1", "c2"):
            model = Reference(MINE, "toy.Toy", "train", {"checkpoint": checkpoint, "config": config})
            assert model.is_of(manifest) is ((checkpoint, config) == ("w1", "c1"))


def test_settings_on_another_drive_have_no_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(paths: object) -> str:
        raise ValueError("Paths don't have the same drive")

    monkeypatch.setattr(os.path, "commonpath", refuse)
    assert named(tmp_path / "goldens", tmp_path / "pyproject.toml") is None


@pytest.mark.parametrize(("fixture", "is_taken"), [("gone.py", True), ("", False)])
def test_who_recorded_a_baseline_in_this_run_holds_it(root: Path, fixture: str, is_taken: bool) -> None:
    """Also a fixture that no file shows; outside of pytest nobody is known."""
    image, recording = root / "page.npy", store(root, "all")
    recording.record(image, Toy().trace(image), Reference(fixture, "toy.Toy", "train"))
    if is_taken:
        with pytest.raises(GoldenTaken, match=r"it is that of ocr_train_model of gone\.py"):
            recording.load(image, MINE)
        store(root).load(image, MINE)  # the next run finds no such fixture
    else:
        recording.load(image, MINE)

"""The store: where a baseline lies, and what each mode records, loads and refuses."""

from __future__ import annotations

import json
import os
import unicodedata
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path, PureWindowsPath
from typing import Any

import numpy as np
import pytest
from goldens import CORRUPT, QUAD, STEP, blurred, read_manifest, rewrite, trace_of
from toy_reader import LINE, Reader

from pytest_ocrparity.errors import GoldenCorrupt, GoldenError, GoldenMissing, GoldenStale, GoldenTaken, ImageError
from pytest_ocrparity.golden.baseline_file import load_baseline_file
from pytest_ocrparity.golden.ownership import OF_THE_SETTINGS, Reference
from pytest_ocrparity.golden.store import Baseline, GoldenStore, path_in_golden_store
from pytest_ocrparity.trace import Detections, Image, Recognition, Trace


@pytest.mark.parametrize("name", ["a.png", "images/a.png", "images/../a b.png", "..png", "ä/漢.png", "\udce9.png"])
def test_a_baseline_is_named_after_its_image(name: str) -> None:
    assert path_in_golden_store(Path("g"), name) == Path("g") / f"{os.path.normpath(name)}.npz"


@pytest.mark.parametrize("name", ["é" * 98 + ".png", "a/" + "x" * 200 + "/b.png"])
def test_a_name_may_be_as_long_as_file_systems_take_it(name: str) -> None:
    assert max(len(part.encode()) for part in name.split("/")) == 200
    assert path_in_golden_store(Path("g"), name) == Path("g") / f"{name}.npz"
    for longer in (f"x{name}" if "/" not in name else name.replace("/x", "/xx", 1), f"short/x{'x' * 200}/short"):
        assert path_in_golden_store(Path("g"), longer).parent == Path("g/outside")


def test_the_digest_of_a_name_stays_the_same() -> None:
    """Baselines that another version recorded are found again."""
    name = "ee921a2e7d2e180cdb07a75d682dd1a4.npz"
    assert path_in_golden_store(Path("g"), "../x.png") == Path("g/outside") / name


@pytest.mark.parametrize("name", ["a\0.png", "\ud83d.png"])
def test_a_name_that_no_file_can_have_becomes_a_digest(tmp_path: Path, name: str) -> None:
    path = path_in_golden_store(tmp_path, name)
    assert path.parent == tmp_path / "outside"
    assert not path.exists()  # raises for a name that no file can have


@pytest.mark.parametrize("name", ["../x.png", "../../etc/x.png", "/etc/x.png", "a/../../x.png", "..", ".", "//x"])
def test_no_name_leads_out_of_the_folder(tmp_path: Path, name: str) -> None:
    path = path_in_golden_store(tmp_path, name)
    assert path.resolve().is_relative_to(tmp_path / "outside")
    assert path == path_in_golden_store(tmp_path, name)
    assert path != path_in_golden_store(tmp_path, f"{name}x")


@pytest.mark.parametrize(("name", "place"), [("D:/x.png", "outside/"), ("d/x.png", "d/x.png.npz")])
def test_no_name_leads_to_another_drive(monkeypatch: pytest.MonkeyPatch, name: str, place: str) -> None:
    monkeypatch.setattr("pytest_ocrparity.golden.store.Path", PureWindowsPath)
    folder: Any = PureWindowsPath("C:/goldens")
    assert path_in_golden_store(folder, name).as_posix().startswith(f"C:/goldens/{place}")


Build = Callable[..., GoldenStore]


def test_a_baseline_is_recorded_and_compared(store: Build, image: Path, tmp_path: Path) -> None:
    recording = store("missing", options={"device": "cpu"})
    assert recording.needs_recording(image)
    recorded = recording.record(image, trace_of())
    assert (recorded.pipeline, recorded.recorded_from, recorded.image) == ("baseline (train)", "train", str(image))
    assert recording.load(image) == recorded
    assert not recording.needs_recording(image)
    path = tmp_path / "goldens" / "images" / "a.png.npz"
    assert load_baseline_file(path).manifest["image"] == "images/a.png"
    assert str(tmp_path).encode() not in path.read_bytes()
    assert str(tmp_path) not in json.dumps(read_manifest(path))
    compared = store().load(image)
    assert compared.recorded_from is None
    assert replace(compared, recorded_from="train") == recorded
    assert recording.drift == {}


def test_no_baseline(store: Build, image: Path) -> None:
    assert not store().needs_recording(image)
    with pytest.raises(GoldenMissing, match=r"a\.png: no baseline in goldens; record it with: pytest --ocr-golden$"):
        store().load(image)


def test_what_a_store_does_unless_it_is_told(store: Build, image: Path) -> None:
    """It keeps maps in steps, and what the settings do not describe is no reference of theirs."""
    asked = store("missing")
    asked.record(image, trace_of(), Reference(OF_THE_SETTINGS))
    assert dict(read_manifest(asked.path(image))["arrays"])["probability_map"][0] == "uint16"
    assert store().load(image, MINE).pipeline == "baseline (train)"
    with pytest.raises(GoldenTaken):
        store(is_described=True).load(image, MINE)


def test_no_image(store: Build, tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="cannot read this image"):
        store().load(tmp_path / "no.png")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"config": "c2", "checkpoint": "w1"}, "the config changed"),
        ({"config": "c1", "checkpoint": "w2"}, "the checkpoint changed"),
        ({"config": "c2", "checkpoint": "w2"}, "the config and the checkpoint changed"),
        ({"checkpoint": "w2"}, "the checkpoint changed"),
    ],
)
def test_a_changed_reference_is_named(store: Build, image: Path, changes: dict[str, str], told: str) -> None:
    store("missing").record(image, trace_of())
    with pytest.raises(GoldenStale, match=rf"a\.png: {told} since .*pytest --ocr-golden --ocr-golden-mode=changed"):
        store(fingerprint=changes).load(image)


@pytest.mark.parametrize("fingerprint", [None, {}, {"config": "c1"}, {"config": "c1", "network": "n1"}])
def test_parts_that_are_not_known_on_both_sides_change_nothing(store: Build, image: Path, fingerprint: Any) -> None:
    store("missing").record(image, trace_of())
    assert store(fingerprint=fingerprint).load(image).pipeline == "baseline (train)"


def test_an_exports_digest_is_information(store: Build, image: Path) -> None:
    store("all", reference="inference").record(image, trace_of(pipeline="inference"))
    other = store(reference="inference", fingerprint={"config": "c2"})
    assert other.load(image).pipeline == "baseline (inference)"


def test_a_changed_image_is_named(store: Build, image: Path) -> None:
    store("missing").record(image, trace_of())
    image.write_bytes(b"another image")
    with pytest.raises(GoldenStale, match="the image changed since"):
        store().load(image)
    with pytest.raises(GoldenStale, match="the image and the config changed since"):
        store(fingerprint={"config": "c2"}).load(image)


def test_what_each_mode_records(store: Build, image: Path) -> None:
    store("missing").record(image, trace_of())
    wanted = {mode: store(mode).needs_recording(image) for mode in (None, "missing", "changed", "all")}
    assert wanted == {None: False, "missing": False, "changed": False, "all": True}
    image.write_bytes(b"another image")
    wanted = {mode: store(mode).needs_recording(image) for mode in (None, "missing", "changed", "all")}
    assert wanted == {None: False, "missing": False, "changed": True, "all": True}


def test_drift_tells_what_recording_again_changed(store: Build, image: Path) -> None:
    store("missing").record(image, trace_of())
    again = store("all")
    moved = blurred(0)
    moved[0, 0, 15, 5] = 0.5
    again.record(image, trace_of(probability_map=moved, detections=Detections((QUAD,))))
    drift = again.drift[str(image)]
    assert (drift["boxes_before"], drift["boxes_after"]) == (2, 1)
    assert drift["map_difference"] == pytest.approx(abs(blurred(0)[0, 0, 15, 5] - 0.5), abs=2 * STEP)
    again.record(image, trace_of(probability_map=blurred(0, 24, 36), fused_map=None, detections=None))
    assert again.drift[str(image)] == {"boxes_before": 1, "boxes_after": 0, "map_difference": None}


def test_a_fingerprint_known_late(store: Build, image: Path) -> None:
    recording = store("all", fingerprint=None)
    recording.record(image, trace_of(), Reference(fingerprint={"config": "late"}))
    assert recording.load(image).recorded_from == "train"
    with pytest.raises(GoldenStale, match="the config changed"):
        store().load(image)


def test_a_baseline_of_the_other_model(store: Build, image: Path) -> None:
    store("missing").record(image, trace_of())
    told = r'recorded from the train model, but golden\.reference is "inference": .* delete goldens and run'
    with pytest.raises(GoldenError, match=told):
        store(reference="inference").load(image)
    for mode in ("missing", "changed", "all"):
        with pytest.raises(GoldenError, match=told):
            store(mode, reference="inference").record(image, trace_of(pipeline="inference"))


def test_only_all_overwrites_a_damaged_baseline(store: Build, image: Path, tmp_path: Path) -> None:
    path = tmp_path / "goldens" / "images" / "a.png.npz"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"damaged")
    with pytest.raises(GoldenCorrupt, match=CORRUPT):
        store("changed").needs_recording(image)
    with pytest.raises(GoldenCorrupt, match=CORRUPT):
        store("missing").record(image, trace_of())
    assert store("all").record(image, trace_of()).recorded_from == "train"


def test_an_array_is_named_after_its_content(store: Build, tmp_path: Path) -> None:
    pixels = np.zeros((4, 6, 3), np.uint8)
    recorded = store("missing").record(pixels, trace_of())
    assert recorded.image.startswith("array 4x6 ")
    (file,) = (tmp_path / "goldens").iterdir()
    assert file.name.startswith("array-")
    assert len(file.name) == len("array-.npz") + 16
    with pytest.raises(GoldenMissing, match="array 4x6"):
        store().load(pixels + 1)


def test_images_outside_the_settings_folder(store: Build, image: Path, tmp_path: Path) -> None:
    elsewhere = store("missing", root=tmp_path / "project")
    elsewhere.record(image, trace_of())
    (file,) = (tmp_path / "goldens").rglob("*.npz")
    assert file.parent == tmp_path / "goldens" / "outside"
    assert store(root=tmp_path / "project").load(image).image == str(image)


def test_a_link_to_the_settings_folder_is_followed(store: Build, image: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "images")
    store("missing", root=tmp_path / "link").record(image, trace_of())
    assert (tmp_path / "goldens" / "a.png.npz").exists()


def test_baselines_that_nothing_asks_for(store: Build, image: Path, tmp_path: Path) -> None:
    other = image.with_name("b.png")
    other.write_bytes(b"other")
    for one in (image, other):
        store("missing").record(one, trace_of())
    np.savez(tmp_path / "goldens" / "data.npz", np.zeros(3))
    (tmp_path / "goldens" / "text.npz").write_text("mine")
    first, second = (tmp_path / "goldens" / "images" / name for name in ("a.png.npz", "b.png.npz"))
    assert store().not_asked_for([]) == {first: None, second: None}
    assert store().not_asked_for([image]) == {second: None}
    assert store().not_asked_for([image], [second]) == {}
    asked = store()
    asked.load(other)
    assert asked.not_asked_for([]) == {first: None}
    asked.remove([first])
    assert not first.exists()
    assert second.exists()
    assert (tmp_path / "goldens" / "data.npz").exists()
    assert store(mode="all", root=tmp_path / "nowhere").not_asked_for([]) == {second: None}


def test_a_baseline_that_cannot_be_removed(store: Build, image: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store("missing").record(image, trace_of())

    def fail(path: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "unlink", fail)
    with pytest.raises(GoldenError, match=r"a\.png\.npz: cannot remove this baseline: Permission denied"):
        store().remove(store().not_asked_for([]))


def test_old_temporary_files_are_removed_once_by_who_may_record(
    store: Build, image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tidied: list[Path] = []
    monkeypatch.setattr("pytest_ocrparity.golden.store.remove_leftover_files", tidied.append)
    for mode, times in ((None, 0), ("missing", 1), ("changed", 1), ("all", 1)):
        asked = store(mode)
        for _ in range(2):
            asked.needs_recording(image)
        assert len(tidied) == times
        tidied.clear()


@pytest.mark.parametrize("forms", [("NFC", "NFD"), ("NFD", "NFC")])
def test_a_letter_and_its_accent_may_be_written_in_two_ways(
    store: Build, image: Path, tmp_path: Path, forms: tuple[Any, Any]
) -> None:
    one, two = (image.with_name(unicodedata.normalize(form, "é.png")) for form in forms)
    for each in (one, two):
        each.write_bytes(b"one image")
    store("missing").record(one, trace_of())
    assert store().path(two) == store().path(one)  # which is there
    asked = store("all")
    path = path_in_golden_store(tmp_path / "goldens", f"images/{two.name}")
    path.write_bytes(store().path(one).read_bytes())
    assert asked.path(two) == path != asked.path(one)  # its own, where there are both


def test_a_digest_in_an_earlier_form_is_the_same(store: Build, image: Path) -> None:
    store("missing").record(image, trace_of())
    now = {"config": "c2", "checkpoint": "w1"}
    for earlier, is_same in (({"config": ["c0", "c1"]}, True), ({"config": ["c0"]}, False), ({}, False)):
        asked = store(fingerprint=now, earlier=earlier)
        if is_same:
            assert asked.load(image).pipeline == "baseline (train)"
        else:
            with pytest.raises(GoldenStale, match="the config changed"):
                asked.load(image)
    own = store("all", fingerprint=now, earlier={"config": ["c1"]})
    own.record(image, trace_of(), Reference("conftest.py", fingerprint={"config": "c1"}))
    own._fingerprints["conftest.py"] = {"config": "c3"}  # of a model of its own, whose digests have one form
    with pytest.raises(GoldenStale, match="the config changed"):
        own.load(image, "conftest.py")


def test_a_baseline_that_does_not_say_so_is_of_the_settings_files(store: Build, image: Path) -> None:
    """As those of 0.1.0, also for a fixture of the user's."""
    recording = store("missing")
    recording.record(image, trace_of())
    rewrite(recording.path(image), model={})
    with pytest.raises(GoldenStale, match="the config changed"):
        store(fingerprint={"config": "c2"}).load(image, "conftest.py")


# What tests hold


class Model:
    """A reference of which a test says what it makes."""

    name = "train"

    def __init__(self, trace: Trace) -> None:
        self.made = trace

    def trace(self, image: Image) -> Trace:
        return self.made


class OtherModel(Model):
    pass


MINE, OTHER = "conftest.py", "other/conftest.py"


class Noted(list[tuple[str, dict[str, Any]]]):
    def note(self, kind: str, **values: Any) -> None:
        self.append((kind, values))

    @property
    def of_golden(self) -> list[tuple[bool, str]]:
        return [(values["recorded"], values["drift"]) for kind, values in self if kind == "golden"]


def held(
    store: GoldenStore, trace: Trace | None, fixture: str = MINE, kind: type[Model] = Model
) -> tuple[Baseline, Noted]:
    """Return a test's baselines, of a reference that makes a trace, or that nobody may ask for."""

    def reference() -> Model:
        assert trace is not None, "the reference model was loaded"
        return kind(trace)

    noted = Noted()
    return Baseline(store, reference, noted.note, lambda: fixture), noted


def test_a_test_records_once_and_notes_what_it_did(store: Build, image: Path, tmp_path: Path) -> None:
    recording = store("missing")
    baseline, noted = held(recording, trace_of())
    assert [baseline.trace(image).recorded_from for _ in range(2)] == ["train", "train"]
    asked = {"path": str(tmp_path / "goldens" / "images" / "a.png.npz")}
    golden = {"image": str(image), **asked, "reference": "train", "recorded": True, "drift": ""}
    assert noted == [("asked", asked), ("golden", golden)] * 2  # the second time by an attempt that is made again
    comparing, noted = held(store(), None)
    assert comparing.trace(image).recorded_from is None
    assert noted.of_golden == [(False, "")]


def test_what_a_test_asked_for_is_noted_whatever_comes_of_it(store: Build, image: Path) -> None:
    baseline, noted = held(store(), None)
    with pytest.raises(GoldenMissing, match="no baseline in goldens") as raised:
        baseline.trace(image)
    assert [kind for kind, _ in noted] == ["asked"]
    assert raised.value.__cause__ is None and raised.value.__suppress_context__
    assert [each.name for each in raised.traceback][1:] == ["trace"]


MOVED = blurred(0).copy()
MOVED[0, 0, 0, 0] = 0.5
PAGE_OF_TWO = trace_of(texts=(Recognition("one", 0.9), None))
LINE_OF_TEXT = replace(Reader().trace(LINE), source=None)


@pytest.mark.parametrize(
    ("old", "new", "drift"),
    [
        (trace_of(), trace_of(), "2 boxes before and after, map moved by up to 0"),
        (trace_of(), trace_of(probability_map=MOVED), "2 boxes before and after, map moved by up to 0.5"),
        (trace_of(), trace_of(detections=Detections((QUAD,))), "2 boxes before, 1 after, map moved by up to 0"),
        (trace_of(), trace_of(detections=None), "2 boxes before, 0 after, map moved by up to 0"),
        (
            trace_of(),
            trace_of(probability_map=blurred(0, 24, 36), fused_map=None),
            "2 boxes before and after, map of another shape",
        ),
        (trace_of(), trace_of(probability_map=None), "2 boxes before and after, map of another shape"),
        (PAGE_OF_TWO, PAGE_OF_TWO, "2 boxes before and after, map moved by up to 0"),
        (
            PAGE_OF_TWO,
            trace_of(texts=(Recognition("two", 0.9), None)),
            "2 boxes before and after, 1 texts are new, map moved by up to 0",
        ),
        (trace_of(), PAGE_OF_TWO, "a baseline of the other task, detection, before"),
        (LINE_OF_TEXT, LINE_OF_TEXT, "the same text, map moved by up to 0"),
        (
            replace(LINE_OF_TEXT, recognition=Recognition("abc", 0.9)),
            replace(LINE_OF_TEXT, recognition=Recognition("abd", 0.9)),
            "'abc' before, 'abd' after, map moved by up to 0",
        ),
        (LINE_OF_TEXT, trace_of(), "a baseline of the other task, recognition, before"),
    ],
)
def test_what_recording_again_changed_is_told(store: Build, image: Path, old: Trace, new: Trace, drift: str) -> None:
    held(store("missing"), old)[0].trace(image)
    baseline, noted = held(store("all"), new)
    baseline.trace(image)
    ((is_recorded, told),) = noted.of_golden
    assert is_recorded
    assert told == drift


class TestAnotherFixturesBaseline:
    """It may be shared where its model makes the same, which only a recording run finds out."""

    @pytest.fixture
    def taken(self, store: Build, image: Path, tmp_path: Path) -> Path:
        (tmp_path / "other").mkdir()
        (tmp_path / OTHER).write_text("def ocr_train_model(): ...\n")
        held(store("missing"), PAGE_OF_TWO, OTHER)[0].trace(image)
        return image

    def users(self, store: Build, image: Path) -> list[str]:
        found: list[str] = store().open(image).manifest["model"]["fixtures"]
        return found

    def test_who_only_compares_is_refused_without_its_model(self, store: Build, taken: Path) -> None:
        with pytest.raises(GoldenTaken):
            held(store(), None)[0].trace(taken)
        assert self.users(store, taken) == [OTHER]

    @pytest.mark.parametrize("mode", ["missing", "changed"])
    def test_a_model_that_makes_the_same_shares_it(self, store: Build, taken: Path, mode: str) -> None:
        baseline, noted = held(store(mode), replace(PAGE_OF_TWO, pipeline="mine"))
        assert baseline.trace(taken).texts == PAGE_OF_TWO.texts
        assert noted.of_golden == [(False, "")]
        assert self.users(store, taken) == [MINE, OTHER]

    @pytest.mark.parametrize(
        "changes",
        [
            {"probability_map": MOVED},
            {"detections": Detections((QUAD, QUAD + 90)), "texts": PAGE_OF_TWO.texts},
            {"texts": (Recognition("two", 0.9), None)},
            {"texts": None},
        ],
        ids=["map", "boxes", "text", "no texts"],
    )
    def test_a_model_that_makes_another_is_refused(self, store: Build, taken: Path, changes: Any) -> None:
        with pytest.raises(GoldenTaken):
            held(store("missing"), replace(PAGE_OF_TWO, pipeline="mine", **changes))[0].trace(taken)
        assert self.users(store, taken) == [OTHER]

    def test_a_model_of_another_class_is_refused_whatever_it_makes(self, store: Build, taken: Path) -> None:
        with pytest.raises(GoldenTaken):
            held(store("missing"), replace(PAGE_OF_TWO, pipeline="mine"), kind=OtherModel)[0].trace(taken)

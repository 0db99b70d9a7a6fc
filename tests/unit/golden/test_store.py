"""The store: where a baseline lies, and what each mode records, loads and refuses."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path, PureWindowsPath
from typing import Any

import numpy as np
import pytest
from goldens import CORRUPT, QUAD, STEP, blurred, read_manifest, trace_of

from pytest_ocrparity.errors import GoldenCorrupt, GoldenError, GoldenMissing, GoldenStale, ImageError
from pytest_ocrparity.golden.baseline_file import load_baseline_file
from pytest_ocrparity.golden.ownership import Reference
from pytest_ocrparity.golden.store import GoldenStore, path_in_golden_store
from pytest_ocrparity.trace import Detections


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

"""A baseline on disk: what its file holds, what is refused, and how older formats are read."""

from __future__ import annotations

import contextlib
import hashlib
import os
import zipfile
from dataclasses import FrozenInstanceError, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zstandard
from goldens import CORRUPT, STEP, content_of, npy, read_manifest, reframe, rewrite, stored, trace_of
from paths import BASELINES
from toy import PAGE, Toy

from pytest_ocrparity.compare.sensitivity import with_sensitivity
from pytest_ocrparity.errors import GoldenCorrupt, GoldenError, GoldenMissing, StageError
from pytest_ocrparity.golden import baseline_file as archive
from pytest_ocrparity.golden import encoding
from pytest_ocrparity.golden.baseline_file import Golden, load_baseline_file, save_baseline_file
from pytest_ocrparity.trace import Detections, Recognition

# What its file holds


def test_the_manifest(path: Path) -> None:
    manifest = load_baseline_file(path).manifest
    assert (manifest["format"], manifest["reference"], manifest["image"]) == (2, "train", "images/a.png")
    assert (manifest["fingerprint"], manifest["options"]) == ({"config": "c1"}, {"device": "cpu"})
    assert {"python", "numpy"} <= set(manifest["versions"])
    assert manifest["created"].endswith("+00:00")


def test_every_member_is_readable_without_pickle(path: Path) -> None:
    with np.load(path, allow_pickle=False) as members:
        assert {members[name].dtype for name in members.files} == {np.dtype(np.uint8)}


def test_a_page_takes_little_room(tmp_path: Path) -> None:
    page = np.full((736, 992, 3), 250, np.uint8)
    page[100:120, 50:400] = np.random.default_rng(0).integers(0, 99, (20, 350, 3))
    tensor = (page.astype(np.float32) / 255).transpose(2, 0, 1)[None]
    map_ = np.zeros((1, 1, 736, 992), np.float32)
    map_[..., 100:120, 50:400] = np.random.default_rng(0).uniform(0, 1, (20, 350))
    save_baseline_file(
        tmp_path / "a.npz",
        trace_of(resize=page, tensor=tensor, probability_map=map_, fused_map=map_),
        reference="train",
    )
    np.savez_compressed(tmp_path / "b.npz", page, tensor, map_, map_)
    ours, numpys = ((tmp_path / name).stat().st_size for name in ("a.npz", "b.npz"))
    assert ours < 60_000
    assert ours < numpys / 3


def test_a_stopped_trace_is_not_recorded(tmp_path: Path) -> None:
    stopped = trace_of(error=StageError("tensor", "ValueError: no mean"))
    with pytest.raises(GoldenError, match=r"images/a.png: nothing to record, train stopped: ValueError: no mean"):
        save_baseline_file(tmp_path / "a.npz", stopped, reference="train")


# What is refused


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(GoldenMissing, match=r"a\.npz: no such baseline"):
        load_baseline_file(tmp_path / "a.npz")


def test_a_folder_in_its_place(tmp_path: Path) -> None:
    with pytest.raises(GoldenError, match="cannot read this baseline: Is a directory"):
        load_baseline_file(tmp_path)


def test_a_truncated_file(path: Path) -> None:
    whole = path.read_bytes()
    for length in (0, 1, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(GoldenCorrupt, match=f"{CORRUPT}.*record it again with: pytest --ocr-golden"):
            load_baseline_file(path)


def test_a_changed_byte_anywhere(path: Path) -> None:
    whole, before = path.read_bytes(), load_baseline_file(path).trace
    for place in range(0, len(whole), 61):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
        try:
            after = load_baseline_file(path).trace
        except GoldenCorrupt:
            continue
        assert after == before  # the byte was a time stamp of the archive, or the like


def test_changed_arrays_are_noticed(path: Path) -> None:
    content = content_of(path)
    changed = content[:9] + bytes([content[9] ^ 1]) + content[10:]
    digest = read_manifest(path)["arrays_sha256"]
    reframe(path, changed, arrays_sha256=digest)
    with pytest.raises(GoldenCorrupt, match="its arrays are not what was recorded"):
        load_baseline_file(path)
    reframe(path, changed)
    assert load_baseline_file(path).trace != trace_of()


def test_a_changed_field_of_the_manifest_is_noticed(path: Path) -> None:
    whole, manifest = path.read_bytes(), read_manifest(path)
    for name in manifest.keys() - {"format", "sha256"}:
        path.write_bytes(whole)
        rewrite(path, **{name: 1.0 if name == "map_error" else ["other"], "sha256": manifest["sha256"]})
        with pytest.raises(GoldenCorrupt, match="its manifest is not what was recorded"):
            load_baseline_file(path)
    path.write_bytes(whole)
    rewrite(path, map_error=1.0)
    assert load_baseline_file(path).trace.map_error == 1.0


def test_an_lfs_pointer(path: Path) -> None:
    path.write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n")
    with pytest.raises(GoldenCorrupt, match="is a git-lfs pointer, not a baseline: run `git lfs pull`"):
        load_baseline_file(path)


def test_another_zip(path: Path) -> None:
    np.savez(path, resize=np.zeros(3))
    with pytest.raises(GoldenCorrupt, match=r"no item named 'manifest\.npy'"):
        load_baseline_file(path)


@pytest.mark.parametrize("number", [3, 7])
def test_a_newer_format(path: Path, number: int) -> None:
    rewrite(path, format=number, arrays="not of this version")
    with pytest.raises(
        GoldenCorrupt, match=rf"has format {number}, and this .* reads formats 1 and 2: update pytest-ocrparity"
    ):
        load_baseline_file(path)


@pytest.mark.parametrize("number", [0, -1, None, "1", True])
def test_no_format(path: Path, number: object) -> None:
    rewrite(path, format=number)
    with pytest.raises(GoldenCorrupt, match="its manifest has no format number"):
        load_baseline_file(path)


@pytest.mark.parametrize("text", [b"[]", b"{", b"\xff", b"[" * 100_000], ids=["list", "half", "bytes", "deep"])
def test_a_manifest_that_is_none(path: Path, text: bytes) -> None:
    rewrite(path, {"manifest.npy": npy(np.frombuffer(text, np.uint8))})
    with pytest.raises(GoldenCorrupt, match=CORRUPT):
        load_baseline_file(path)


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"arrays.npy": None}, r"no item named 'arrays\.npy'"),
        ({"arrays.npy": npy(np.zeros((1, 24, 40, 3), np.float32))}, "arrays is no array of bytes: .*'<f4'"),
        ({"arrays.npy": npy(np.zeros(3, np.uint8))}, "its arrays are not what was recorded"),
        ({"arrays.npy": npy(np.zeros((3, 4), np.uint8))}, r"no array of bytes: .*\(3, 4\)"),
        ({"arrays.npy": npy(np.array([{}], dtype=object), allow_pickle=True)}, r"no array of bytes: .*'\|O'"),
        ({"arrays.npy": npy(np.zeros(3, np.uint8)).replace(b"(3,)", b"(9,)")}, r"no array of bytes: .*\(9,\)"),
        ({"arrays.npy": npy(np.zeros(3, np.uint8)).replace(b"\x01\x00", b"\x03\x00", 1)}, "no array of bytes"),
        ({"arrays.npy": b"no array"}, "arrays is no array of bytes: b'no array'"),
    ],
)
def test_a_wrong_member(path: Path, members: dict[str, bytes | None], reason: str) -> None:
    rewrite(path, members)
    with pytest.raises(GoldenCorrupt, match=reason):
        load_baseline_file(path)


def test_of_a_wrong_member_its_first_100_bytes_are_shown(path: Path) -> None:
    rewrite(path, {"arrays.npy": b"x" * 1000})
    with pytest.raises(GoldenCorrupt, match=r"no array of bytes: b'x{100}'\)"):
        load_baseline_file(path)


@pytest.mark.parametrize(
    ("place", "value", "reason"),
    [
        (0, "object", "'object' is no kind of number"),
        (0, 8, "8 is no kind of number"),
        (0, "uint16", r"its arrays claim \d+ bytes"),
        (1, [24, 40], r"its arrays claim \d+ bytes"),
        (1, [24, 40, -3], r"its arrays claim -?\d+ bytes"),
        (1, [-24, 40, -3], CORRUPT),
        (1, "24", CORRUPT),
    ],
)
def test_a_manifest_that_lies_about_an_array(path: Path, place: int, value: object, reason: str) -> None:
    arrays = read_manifest(path)["arrays"]
    arrays["resize"][place] = value
    rewrite(path, arrays=arrays)
    with pytest.raises(GoldenCorrupt, match=reason):
        load_baseline_file(path)


@pytest.fixture(params=[archive._AT_ONCE, 0], ids=["at once", "by pieces"])
def unpacking(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "_AT_ONCE", request.param)


@pytest.mark.usefixtures("unpacking")
def test_a_whole_frame_loads(path: Path) -> None:
    back, recorded = load_baseline_file(path).trace, trace_of()
    assert back.tensor is not None and recorded.tensor is not None
    assert np.array_equal(back.tensor, recorded.tensor)
    assert back.detections == recorded.detections


@pytest.mark.usefixtures("unpacking")
@pytest.mark.parametrize("length", [-1, 3])
def test_a_frame_that_is_cut_off(path: Path, length: int) -> None:
    frame = zstandard.compress(content_of(path))[:length]
    digest = hashlib.sha256(frame).hexdigest()
    rewrite(path, {"arrays.npy": npy(np.frombuffer(frame, np.uint8))}, arrays_sha256=digest)
    with pytest.raises(GoldenCorrupt, match=CORRUPT):
        load_baseline_file(path)


@pytest.mark.usefixtures("unpacking")
def test_a_frame_that_holds_less_than_it_claims(path: Path) -> None:
    frame = bytearray(zstandard.compress(content_of(path)))
    honest = zstandard.frame_content_size(bytes(frame))
    frame[6] += 1  # the high byte of the size, after magic number and descriptor
    digest = hashlib.sha256(frame).hexdigest()
    arrays = read_manifest(path)["arrays"]
    claimed = zstandard.frame_content_size(bytes(frame)) - honest
    assert claimed == 256
    arrays["more"] = ["uint8", [claimed]]
    rewrite(path, {"arrays.npy": npy(np.frombuffer(bytes(frame), np.uint8))}, arrays=arrays, arrays_sha256=digest)
    with pytest.raises(GoldenCorrupt, match=CORRUPT):
        load_baseline_file(path)


def test_an_image_of_nothing_beside_a_table_is_refused_at_once(path: Path) -> None:
    """Its sides may be endless in a file of a thousand bytes."""
    arrays = {"resize": ["uint8", [2**59, 0, 3]], "table": ["float32", [3, 256]]}
    frame = zstandard.compress(bytes(3 * 256 * 4))
    digest = hashlib.sha256(frame).hexdigest()
    rewrite(path, {"arrays.npy": npy(np.frombuffer(frame, np.uint8))}, arrays=arrays, arrays_sha256=digest)
    with pytest.raises(GoldenCorrupt, match="for pixels of"):
        load_baseline_file(path)


def test_a_table_of_another_form(path: Path) -> None:
    arrays = read_manifest(path)["arrays"]
    arrays["table"][1] = [256, 3]
    rewrite(path, arrays=arrays)
    with pytest.raises(GoldenCorrupt, match=r"a table of \(256, 3\) float32 for pixels of \(24, 40, 3\) uint8"):
        load_baseline_file(path)


@pytest.mark.parametrize(
    "changes",
    [
        *({"shape": [1, 2]}, {"decode": [1]}, {"parameters": None, "decode": 5}, {"arrays": 3}, {"image": 7}),
        *({"reference": None}, {"fingerprint": []}, {"shape": [1, 1, 1, float("inf")]}, {"map_error": float("nan")}),
        *({"map_error": -1}, {"floor": "0"}, {"image_sha256": 0}, {"parameters": {"decode": []}}),
        *({"decode": [[1, 1, 3], "uint8", "BGR", None]}, {"parameters": {"detections": {"thresh": "0.3"}}}),
        *({"parameters": {"tensor": {"std": [1e-30]}}}, {"parameters": {"tensor": {"mean": [None]}}}),
        *({"floor": 10**400}, {"floor": -1.0}, {"parameters": {"detections": {"box_type": []}}}),
    ],
)
def test_a_manifest_of_other_types(path: Path, changes: dict[str, Any]) -> None:
    rewrite(path, **changes)
    with pytest.raises(GoldenCorrupt, match=CORRUPT):
        load_baseline_file(path)


def test_boxes_that_do_not_add_up(path: Path) -> None:
    arrays = read_manifest(path)["arrays"]
    kind, (count, two) = arrays["points"]
    arrays["points"] = [kind, [count - 1, two]]
    arrays["more"] = [kind, [1, two]]
    order = list(arrays)
    order.insert(order.index("points") + 1, order.pop())
    rewrite(path, arrays={name: arrays[name] for name in order})
    with pytest.raises(GoldenCorrupt, match="more or fewer points"):
        load_baseline_file(path)


def test_counts_of_another_type(path: Path) -> None:
    arrays = read_manifest(path)["arrays"]
    arrays["counts"][0] = "float32"
    rewrite(path, arrays=arrays)
    with pytest.raises(GoldenCorrupt, match="are no numbers of points of boxes"):
        load_baseline_file(path)


def test_counts_of_another_form(path: Path) -> None:
    arrays = read_manifest(path)["arrays"]
    arrays["counts"][1] = [*arrays["counts"][1], 1]
    rewrite(path, arrays=arrays)
    with pytest.raises(GoldenCorrupt, match="are no numbers of points of boxes"):
        load_baseline_file(path)


def test_as_many_boxes_as_a_baseline_may_have(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    detections = load_baseline_file(path).trace.detections
    assert detections is not None
    monkeypatch.setattr(encoding, "_MOST_BOXES", len(detections))
    assert load_baseline_file(path).trace.detections == detections
    monkeypatch.setattr(encoding, "_MOST_BOXES", len(detections) - 1)
    with pytest.raises(GoldenCorrupt, match="are no numbers of points of boxes"):
        load_baseline_file(path)


def test_a_manifest_of_more_than_its_room(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "_MOST_MANIFEST", 100)
    with pytest.raises(GoldenCorrupt, match="its manifest has more than 100 bytes"):
        load_baseline_file(path)


def test_a_manifest_that_fills_its_room(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with zipfile.ZipFile(path) as file:
        room = file.getinfo("manifest.npy").file_size
    monkeypatch.setattr(archive, "_MOST_MANIFEST", room)
    assert load_baseline_file(path).trace.image == "images/a.png"
    monkeypatch.setattr(archive, "_MOST_MANIFEST", room - 1)
    with pytest.raises(GoldenCorrupt, match=f"its manifest has more than {room - 1} bytes"):
        load_baseline_file(path)


def test_a_trace_that_fills_a_baseline(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    size = len(content_of(path))
    monkeypatch.setattr(archive, "_MOST_BYTES", size)
    save_baseline_file(tmp_path / "whole.npz", trace_of(), reference="train")
    monkeypatch.setattr(archive, "_MOST_BYTES", size - 1)
    with pytest.raises(GoldenError, match=f"its trace has {size} bytes, and a baseline takes {size - 1}"):
        save_baseline_file(tmp_path / "more.npz", trace_of(), reference="train")


def test_a_file_that_is_as_large_as_one_may_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    noise = np.random.default_rng(0).random((1, 1, 24, 40), np.float32)
    nothing: dict[str, Any] = {"tensor": None, "resize": None, "detections": None, "fused_map": None}
    path = tmp_path / "noise.npz"
    save_baseline_file(path, trace_of(probability_map=noise, **nothing), reference="train", lossless=True)
    size = path.stat().st_size
    assert size > len(content_of(path)), "else its arrays would meet the limit first"
    monkeypatch.setattr(archive, "_MOST_BYTES", size)
    assert load_baseline_file(path).trace.image == "images/a.png"
    monkeypatch.setattr(archive, "_MOST_BYTES", size - 1)
    with pytest.raises(GoldenCorrupt, match=CORRUPT):
        load_baseline_file(path)


@pytest.fixture
def used(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Which methods of decompressors were used."""
    used: list[str] = []
    whole = zstandard.ZstdDecompressor

    class Watched:
        def __init__(self, **options: Any) -> None:
            self.inner = whole(**options)

        def __getattr__(self, name: str) -> Any:
            used.append(name)
            return getattr(self.inner, name)

    monkeypatch.setattr(zstandard, "ZstdDecompressor", Watched)
    return used


@pytest.mark.parametrize(("more", "is_at_once"), [(0, True), (-1, False)], ids=["as large as is believed", "larger"])
def test_arrays_that_are_larger_than_is_believed_are_read_by_pieces(
    path: Path, monkeypatch: pytest.MonkeyPatch, used: list[str], more: int, is_at_once: bool
) -> None:
    monkeypatch.setattr(archive, "_AT_ONCE", len(content_of(path)) + more)
    used.clear()
    load_baseline_file(path)
    assert used == ["decompress" if is_at_once else "read_to_iter"]


def empty_frame(claimed: int) -> bytes:
    """Return a frame of nothing that claims to hold so many bytes."""
    return b"\x28\xb5\x2f\xfd" + bytes([0b1110_0000]) + claimed.to_bytes(8, "little")


@pytest.mark.parametrize(("claimed", "way"), [(2**26, "decompress"), (2**26 + 1, "read_to_iter")])
def test_64_megabytes_are_believed(used: list[str], claimed: int, way: str) -> None:
    with contextlib.suppress(zstandard.ZstdError):
        archive._decompressed_arrays(memoryview(empty_frame(claimed)), claimed)
    assert used == [way]


@pytest.mark.parametrize(("claimed", "is_refused"), [(2**29, False), (2**29 + 1, True)])
def test_arrays_of_half_a_gigabyte_are_the_most(path: Path, claimed: int, is_refused: bool) -> None:
    frame = empty_frame(claimed)
    arrays, digest = {"resize": ["uint8", [claimed]]}, hashlib.sha256(frame).hexdigest()
    rewrite(path, {"arrays.npy": npy(np.frombuffer(frame, np.uint8))}, arrays=arrays, arrays_sha256=digest)
    with pytest.raises(GoldenCorrupt) as raised:
        load_baseline_file(path)
    assert (f"its arrays claim {claimed} bytes; {2**29} at most" in str(raised.value)) == is_refused


def test_a_manifest_of_a_megabyte_is_the_most(path: Path) -> None:
    rewrite(path, settings="x" * 2**20)
    with pytest.raises(GoldenCorrupt, match=f"its manifest has more than {2**20} bytes"):
        load_baseline_file(path)
    rewrite(path, settings="x" * (2**20 - 10_000))
    assert load_baseline_file(path).manifest["settings"].startswith("xx")


@pytest.mark.parametrize(("log", "is_read"), [(21, True), (22, False)])
def test_reading_by_pieces_looks_back_on_two_megabytes_at_most(
    monkeypatch: pytest.MonkeyPatch, log: int, is_read: bool
) -> None:
    """A frame says how far it has to look back, which takes as much memory."""
    monkeypatch.setattr(archive, "_AT_ONCE", 0)
    size = 5_000_000
    parameters = zstandard.ZstdCompressionParameters.from_level(3, window_log=log)
    frame = memoryview(zstandard.ZstdCompressor(compression_params=parameters).compress(bytes(size)))
    if is_read:
        assert archive._decompressed_arrays(frame, size) == bytes(size)
    else:
        with pytest.raises(zstandard.ZstdError):
            archive._decompressed_arrays(frame, size)


def test_a_baseline_that_was_read_cannot_be_changed(path: Path) -> None:
    golden = load_baseline_file(path)
    with pytest.raises(FrozenInstanceError):
        golden.manifest = {}  # type: ignore[misc]
    assert not hasattr(golden, "__dict__")


def test_texts_come_back_with_what_was_not_read(tmp_path: Path) -> None:
    texts = (Recognition("one", 0.75), None)
    assert stored(tmp_path / "texts.npz", trace_of(texts=texts)).texts == texts


def test_a_stored_member_that_claims_more_than_it_has(path: Path) -> None:
    """Its place in the archive's table is changed, as no archive would be written."""
    whole = bytearray(path.read_bytes())
    entry = whole.index(b"PK\x01\x02")
    claimed = int.from_bytes(whole[entry + 24 : entry + 28], "little")
    whole[entry + 24 : entry + 28] = (claimed + 1).to_bytes(4, "little")
    path.write_bytes(whole)
    with pytest.raises(GoldenCorrupt, match=f"manifest claims {claimed + 1} bytes of {claimed}"):
        load_baseline_file(path)


def test_a_trace_of_more_than_a_baseline_takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "_MOST_BYTES", 100)
    with pytest.raises(GoldenError, match=r"images/a.png: its trace has \d+ bytes, and a baseline takes 100"):
        save_baseline_file(tmp_path / "a.npz", trace_of(), reference="train")
    assert not list(tmp_path.iterdir())


def test_what_would_never_end_is_not_read(tmp_path: Path) -> None:
    device, pipe = tmp_path / "device.npz", tmp_path / "pipe.npz"
    device.symlink_to("/dev/zero")
    os.mkfifo(pipe)
    for path in (device, pipe):
        with pytest.raises(GoldenCorrupt, match=CORRUPT):
            load_baseline_file(path)


def test_a_deflated_member(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    with pytest.raises(GoldenCorrupt, match=r"manifest claims \d+ bytes of \d+"):
        load_baseline_file(path)


def test_more_than_fits(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    size = len(content_of(path))
    monkeypatch.setattr(archive, "_MOST_BYTES", size)
    load_baseline_file(path)
    monkeypatch.setattr(archive, "_MOST_BYTES", size - 1)
    with pytest.raises(GoldenCorrupt, match=f"its arrays claim {size} bytes; {size - 1} at most"):
        load_baseline_file(path)
    monkeypatch.setattr(archive, "_MOST_BYTES", path.stat().st_size - 1)
    with pytest.raises(GoldenCorrupt, match=CORRUPT):
        load_baseline_file(path)


# Format 1


SLOPES = ((np.arange(64)[:, None] + np.arange(96) // 2) // 2).astype(np.uint8)[..., None]


@pytest.fixture
def of_format_1(tmp_path: Path) -> Path:
    """A baseline that the last version to write format 1 recorded of the toy on a page with slopes."""
    path = tmp_path / "of_format_1.npz"
    path.write_bytes((BASELINES / "of_format_1.npz").read_bytes())
    return path


def test_a_baseline_of_format_1_is_read(of_format_1: Path) -> None:
    back, now = load_baseline_file(of_format_1).trace, with_sensitivity(Toy().trace(PAGE - SLOPES))
    assert back.probability_map is not None and now.probability_map is not None
    assert back.detections is not None and now.detections is not None and now.detections.scores is not None
    assert len(back.detections) == 4
    np.testing.assert_allclose(back.probability_map, now.probability_map, rtol=0, atol=STEP)
    np.testing.assert_allclose(back.detections.scores, now.detections.scores, rtol=0, atol=1e-6)  # type: ignore[arg-type]
    assert back.map_sensitivity == pytest.approx(now.map_sensitivity, abs=1e-6)
    near: dict[str, Any] = {"probability_map": None, "map_error": 0.0, "map_sensitivity": None, "files": {}}
    near |= {"pipeline": "baseline (train)", "detections": Detections(now.detections.polygons, back.detections.scores)}
    assert replace(back, **near) == replace(now, **near)


def test_its_arrays_hold_differences(of_format_1: Path) -> None:
    """Else the test above would show nothing: without their axes the same bytes are another trace."""
    manifest, right = read_manifest(of_format_1), load_baseline_file(of_format_1).trace
    axes = {name: entry[2] for name, entry in manifest["arrays"].items()}
    assert manifest["format"] == 1
    assert (axes["resize"], axes["probability_map"]) == ([0], [2, 3])
    for name in ("resize", "probability_map"):
        rewrite(of_format_1, arrays={**manifest["arrays"], name: [*manifest["arrays"][name][:2], []]})
        wrong = load_baseline_file(of_format_1).trace
        assert not np.array_equal(getattr(wrong, name), getattr(right, name))


@pytest.mark.parametrize("axes", [[1], [17], [0, 0], [2, 3], [0] * 100_000, "0", {"0": 1}], ids=str)
def test_axes_that_format_1_never_had(of_format_1: Path, axes: object) -> None:
    arrays = read_manifest(of_format_1)["arrays"]
    arrays["resize"][2] = axes
    rewrite(of_format_1, arrays=arrays)
    with pytest.raises(GoldenCorrupt, match=CORRUPT):
        load_baseline_file(of_format_1)


def test_a_changed_manifest_leaves_the_format_as_it_is(of_format_1: Path) -> None:
    before = load_baseline_file(of_format_1).trace
    archive.relabel_baseline_file(of_format_1, reference="inference")
    assert read_manifest(of_format_1)["format"] == 1
    assert load_baseline_file(of_format_1).trace == replace(before, pipeline="baseline (inference)")


# Writing


def test_equal_traces_make_equal_files(path: Path) -> None:
    """Each member is stored as it is, without a clock."""
    with zipfile.ZipFile(path) as members:
        assert {(info.date_time[0], info.compress_type) for info in members.infolist()} == {(1980, zipfile.ZIP_STORED)}


def test_a_failed_move_leaves_no_temporary_file(tmp_path: Path) -> None:
    (tmp_path / "a.npz").mkdir()
    with pytest.raises(GoldenError, match=r"a\.npz: cannot write this baseline: Is a directory"):
        save_baseline_file(tmp_path / "a.npz", trace_of(), reference="train")
    assert [file.name for file in tmp_path.iterdir()] == ["a.npz"]


def test_a_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "goldens").write_text("")
    with pytest.raises(GoldenError, match="cannot write this baseline"):
        save_baseline_file(tmp_path / "goldens" / "a.npz", trace_of(), reference="train")


def test_a_golden_is_a_trace_with_its_manifest(path: Path) -> None:
    assert isinstance(load_baseline_file(path), Golden)
    assert load_baseline_file(path).trace.source is None


@pytest.mark.parametrize(
    "changes",
    [
        {"parameters": {"tensor": {"mean": "imagenet"}}},
        {"parameters": {"detections": {"thresh": [0.3]}}},
        {"probability_map": np.zeros((1, 1, 3, 4), np.int8)},
        {"probability_map": np.zeros((1, 1, 3, 4), ">f4")},
        {"image": 7},
    ],
    ids=str,
)
def test_what_could_not_be_read_back_is_not_recorded(path: Path, changes: dict[str, Any]) -> None:
    whole = path.read_bytes()
    with pytest.raises(GoldenError, match="the trace of train can be no baseline: "):
        save_baseline_file(path, trace_of(**changes), reference="train")
    assert path.read_bytes() == whole
    assert [each.name for each in path.parent.iterdir()] == [path.name]

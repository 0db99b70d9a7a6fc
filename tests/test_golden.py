"""Baselines: what comes back from disk, what is refused, and what each mode records."""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import zstandard
from toy import PAGE, Toy

from pytest_ocrparity.compare.sensitivity import with_sensitivity
from pytest_ocrparity.errors import GoldenCorrupt, GoldenError, GoldenMissing, GoldenStale, ImageError, StageError
from pytest_ocrparity.golden import baseline_file as archive
from pytest_ocrparity.golden.baseline_file import Golden, load, save
from pytest_ocrparity.golden.ownership import Reference
from pytest_ocrparity.golden.store import GoldenStore, golden_path
from pytest_ocrparity.trace import Decoded, Detections, Trace

Array = npt.NDArray[Any]
STEP = 1 / 65535
QUAD = np.array([[1.25, 2], [30, 2], [30, 12], [1, 12]])
CORRUPT = "is not a whole baseline"


def blurred(seed: int, height: int = 24, width: int = 40) -> npt.NDArray[np.float32]:
    """Return a (1, 1, h, w) map with a zero background and words around 0.3 and 0.9."""
    rng = np.random.default_rng(seed)
    values = np.zeros((1, 1, height, width), np.float32)
    values[..., 5:12, 4:30] = rng.uniform(0.29, 0.31, (7, 26))
    values[..., 14:20, 4:30] = rng.uniform(0, 1, (6, 26))
    return values


def trace_of(seed: int = 0, **changes: Any) -> Trace:
    rng = np.random.default_rng(seed)
    resize = rng.integers(0, 256, (24, 40, 3), dtype=np.uint8)
    tensor = ((resize.astype(np.float32) * np.float32(1 / 255) - np.float32(0.485)) / np.float32(0.229)).transpose(
        2, 0, 1
    )
    trace = Trace(
        pipeline="train",
        image="images/a.png",
        decode=Decoded.of(rng.integers(0, 256, (48, 80, 3), dtype=np.uint8), "BGR"),
        resize=resize,
        shape=(48.0, 80.0, 0.5, 0.1 + 0.2),
        tensor=tensor[None],
        probability_map=blurred(seed),
        detections=Detections((QUAD, np.vstack([QUAD, [[0.5, 7]]])), np.array([0.9, 0.6])),
        parameters={"detections": {"thresh": 0.3, "box_type": "quad"}, "resize": {"limits": [736, "min"]}},
        image_sha256="0" * 64,
        map_sensitivity=1.5e-5,
        fused_map=np.clip(blurred(seed) + np.float32(1e-5), 0, 1),
    )
    return replace(trace, **changes)


def stored(path: Path, trace: Trace, **options: Any) -> Trace:
    save(path, trace, reference="train", **options)
    return load(path).trace


def rewrite(path: Path, members: Mapping[str, bytes | None] | None = None, **manifest: Any) -> None:
    """Replace members of a baseline (None drops one), and keys of its manifest, whose digest is then right."""
    with zipfile.ZipFile(path) as file:
        content: dict[str, bytes | None] = {name: file.read(name) for name in file.namelist()}
    text = {**read_manifest(path), **manifest}
    text = {**text, "sha256": archive._digest(text), **manifest}
    content["manifest.npy"] = npy(np.frombuffer(json.dumps(text).encode(), np.uint8))
    with zipfile.ZipFile(path, "w") as file:
        for name, data in {**content, **(members or {})}.items():
            if data is not None:
                file.writestr(name, data)


def reframe(path: Path, content: bytes, **manifest: Any) -> None:
    """Replace the stored arrays by others, whose digest the manifest states."""
    frame = zstandard.compress(content)
    digest = hashlib.sha256(frame).hexdigest()
    rewrite(path, {"arrays.npy": npy(np.frombuffer(frame, np.uint8))}, **{"arrays_sha256": digest, **manifest})


def content_of(path: Path) -> bytes:
    with np.load(path, allow_pickle=False) as members:
        return zstandard.decompress(members["arrays"].tobytes())


def read_manifest(path: Path) -> dict[str, Any]:
    with np.load(path, allow_pickle=False) as members:
        manifest: dict[str, Any] = json.loads(members["manifest"].tobytes())
    return manifest


def npy(array: Array, **options: Any) -> bytes:
    content = io.BytesIO()
    np.save(content, array, **options)
    return content.getvalue()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "goldens" / "a.png.npz"
    save(path, trace_of(), reference="train", fingerprint={"config": "c1"}, options={"device": "cpu"})
    return path


@pytest.fixture
def image(tmp_path: Path) -> Path:
    (tmp_path / "images").mkdir()
    image = tmp_path / "images" / "a.png"
    image.write_bytes(b"one image")
    return image


@pytest.fixture
def store(tmp_path: Path) -> Callable[..., GoldenStore]:
    def build(mode: str | None = None, **changes: Any) -> GoldenStore:
        options = {"root": tmp_path, "reference": "train", "fingerprint": {"config": "c1", "checkpoint": "w1"}}
        return GoldenStore(tmp_path / "goldens", mode=mode, **{**options, **changes})

    return build


# What comes back


def test_a_trace_comes_back_within_the_stated_error(path: Path) -> None:
    trace, back = trace_of(), load(path).trace
    assert back.probability_map is not None and trace.probability_map is not None
    assert back.fused_map is not None and trace.fused_map is not None
    assert 0 < back.map_error <= STEP
    assert np.abs(back.probability_map - trace.probability_map).max() == back.map_error
    assert np.abs(back.fused_map - trace.fused_map).max() <= STEP
    exact: dict[str, Any] = {
        "probability_map": None,
        "fused_map": None,
        "map_error": 0.0,
        "pipeline": "baseline (train)",
    }
    assert replace(back, **exact) == replace(trace, **exact)
    assert back.decode is not None and back.decode.pixels is None


def test_no_pixel_changes_side_of_the_threshold(tmp_path: Path) -> None:
    near = np.linspace(0.3099, 0.3101, 960, dtype=np.float32).reshape(1, 1, 24, 40)
    told = {"detections": {"thresh": 0.31}}
    back = stored(tmp_path / "a.npz", trace_of(probability_map=near, parameters=told)).probability_map
    assert back is not None
    assert ((back > 0.31) == (near > 0.31)).all()
    untold = stored(tmp_path / "b.npz", trace_of(probability_map=near, parameters={})).probability_map
    assert untold is not None
    assert ((untold > 0.31) != (near > 0.31)).any()


@pytest.mark.parametrize("thresh", [0.0, 1.0, 19660.5 * STEP, float(np.float32(0.3))])
def test_the_threshold_may_lie_anywhere(tmp_path: Path, thresh: float) -> None:
    around = np.clip(np.float32(thresh) + np.linspace(-3e-5, 3e-5, 960), 0, 1).astype(np.float32).reshape(1, 1, 24, 40)
    parameters = {"detections": {"thresh": thresh}}
    back = stored(tmp_path / "a.npz", trace_of(probability_map=around, parameters=parameters))
    assert back.probability_map is not None
    assert ((back.probability_map > thresh) == (around > thresh)).all()
    assert back.map_error <= STEP


def test_lossless_keeps_every_bit(tmp_path: Path) -> None:
    back = stored(tmp_path / "a.npz", trace_of(), lossless=True)
    assert back == replace(trace_of(), pipeline="baseline (train)")
    assert back.map_error == 0


@pytest.mark.parametrize("value", [-0.01, 1.01, float("nan"), float("inf")])
def test_what_is_no_probability_is_kept_as_it_is(tmp_path: Path, value: float) -> None:
    odd = blurred(0)
    odd[0, 0, 3, 3] = value
    back = stored(tmp_path / "a.npz", trace_of(probability_map=odd))
    assert back.probability_map is not None
    assert back.probability_map.tobytes() == odd.tobytes()
    assert back.map_error == 0


@pytest.mark.parametrize(
    "fused", [None, blurred(1, 24, 36), blurred(1).astype(np.float64)], ids=["none", "small", "f8"]
)
def test_any_fused_map(tmp_path: Path, fused: Array | None) -> None:
    back = stored(tmp_path / "a.npz", trace_of(fused_map=fused)).fused_map
    assert (back is None) == (fused is None)
    if back is not None and fused is not None:
        np.testing.assert_allclose(back, fused, atol=STEP)


def test_a_tensor_that_a_table_makes_costs_a_table(path: Path, tmp_path: Path) -> None:
    assert sorted(read_manifest(path)["arrays"]) == [
        *("counts", "fused_map", "points", "probability_map", "resize", "scores", "table"),
    ]
    tensor = np.array(trace_of().tensor)
    tensor[0, 1, 2, 3] += np.float32(1e-6)
    back = stored(tmp_path / "b.npz", trace_of(tensor=tensor)).tensor
    assert "tensor" in read_manifest(tmp_path / "b.npz")["arrays"]
    assert back is not None
    assert back.tobytes() == tensor.tobytes()


@pytest.mark.parametrize(
    "changes",
    [
        {"tensor": np.zeros((1, 3, 32, 64), np.float32)},
        {"tensor": np.zeros((1, 3, 24, 40), np.float64)},
        {"resize": np.zeros((24, 40), np.uint8)},
        {"resize": None},
        {"tensor": None},
        {"detections": Detections(()), "decode": None, "shape": None},
        {"detections": Detections((np.zeros((0, 2)), np.full((4, 2), np.nan))), "fused_map": None},
        {"detections": None, "probability_map": None, "map_sensitivity": None, "image_sha256": None},
        {"probability_map": np.zeros((1, 1, 0, 40), np.float32)},
    ],
)
def test_traces_of_any_form(tmp_path: Path, changes: dict[str, Any]) -> None:
    trace = trace_of(**changes)
    assert stored(tmp_path / "a.npz", trace, lossless=True) == replace(trace, pipeline="baseline (train)")


def test_parameters_of_any_type(tmp_path: Path) -> None:
    parameters = {"tensor": {"mean": np.array([0.5, 0.5]), "std": np.float32(0.25), "at": Path("x"), "pair": (1, 2)}}
    back = stored(tmp_path / "a.npz", trace_of(parameters=parameters)).parameters
    assert back == {"tensor": {"mean": [0.5, 0.5], "std": 0.25, "at": "x", "pair": [1, 2]}}


def test_the_manifest(path: Path) -> None:
    manifest = load(path).manifest
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
    save(
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
        save(tmp_path / "a.npz", stopped, reference="train")


# What is refused


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(GoldenMissing, match=r"a\.npz: no such baseline"):
        load(tmp_path / "a.npz")


def test_a_folder_in_its_place(tmp_path: Path) -> None:
    with pytest.raises(GoldenError, match="cannot read this baseline: Is a directory"):
        load(tmp_path)


def test_a_truncated_file(path: Path) -> None:
    whole = path.read_bytes()
    for length in (0, 1, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(GoldenCorrupt, match=f"{CORRUPT}.*record it again with: pytest --ocr-golden"):
            load(path)


def test_a_changed_byte_anywhere(path: Path) -> None:
    whole, before = path.read_bytes(), load(path).trace
    for place in range(0, len(whole), 61):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
        try:
            after = load(path).trace
        except GoldenCorrupt:
            continue
        assert after == before  # the byte was a time stamp of the archive, or the like


def test_changed_arrays_are_noticed(path: Path) -> None:
    content = content_of(path)
    changed = content[:9] + bytes([content[9] ^ 1]) + content[10:]
    digest = read_manifest(path)["arrays_sha256"]
    reframe(path, changed, arrays_sha256=digest)
    with pytest.raises(GoldenCorrupt, match="its arrays are not what was recorded"):
        load(path)
    reframe(path, changed)
    assert load(path).trace != trace_of()


def test_a_changed_field_of_the_manifest_is_noticed(path: Path) -> None:
    whole, manifest = path.read_bytes(), read_manifest(path)
    for name in manifest.keys() - {"format", "sha256"}:
        path.write_bytes(whole)
        rewrite(path, **{name: 1.0 if name == "map_error" else ["other"], "sha256": manifest["sha256"]})
        with pytest.raises(GoldenCorrupt, match="its manifest is not what was recorded"):
            load(path)
    path.write_bytes(whole)
    rewrite(path, map_error=1.0)
    assert load(path).trace.map_error == 1.0


def test_an_lfs_pointer(path: Path) -> None:
    path.write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n")
    with pytest.raises(GoldenCorrupt, match="is a git-lfs pointer, not a baseline: run `git lfs pull`"):
        load(path)


def test_another_zip(path: Path) -> None:
    np.savez(path, resize=np.zeros(3))
    with pytest.raises(GoldenCorrupt, match=r"no item named 'manifest\.npy'"):
        load(path)


@pytest.mark.parametrize("number", [3, 7])
def test_a_newer_format(path: Path, number: int) -> None:
    rewrite(path, format=number, arrays="not of this version")
    with pytest.raises(
        GoldenCorrupt, match=rf"has format {number}, and this .* reads formats 1 and 2: update pytest-ocrparity"
    ):
        load(path)


@pytest.mark.parametrize("number", [0, -1, None, "1", True])
def test_no_format(path: Path, number: object) -> None:
    rewrite(path, format=number)
    with pytest.raises(GoldenCorrupt, match="its manifest has no format number"):
        load(path)


@pytest.mark.parametrize("text", [b"[]", b"{", b"\xff", b"[" * 100_000], ids=["list", "half", "bytes", "deep"])
def test_a_manifest_that_is_none(path: Path, text: bytes) -> None:
    rewrite(path, {"manifest.npy": npy(np.frombuffer(text, np.uint8))})
    with pytest.raises(GoldenCorrupt, match=CORRUPT):
        load(path)


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
        load(path)


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
        load(path)


@pytest.fixture(params=[archive._AT_ONCE, 0], ids=["at once", "by pieces"])
def unpacking(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "_AT_ONCE", request.param)


@pytest.mark.usefixtures("unpacking")
def test_a_whole_frame_loads(path: Path) -> None:
    back, recorded = load(path).trace, trace_of()
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
        load(path)


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
        load(path)


def test_an_image_of_nothing_beside_a_table_is_refused_at_once(path: Path) -> None:
    """Its sides may be endless in a file of a thousand bytes."""
    arrays = {"resize": ["uint8", [2**59, 0, 3]], "table": ["float32", [3, 256]]}
    frame = zstandard.compress(bytes(3 * 256 * 4))
    digest = hashlib.sha256(frame).hexdigest()
    rewrite(path, {"arrays.npy": npy(np.frombuffer(frame, np.uint8))}, arrays=arrays, arrays_sha256=digest)
    with pytest.raises(GoldenCorrupt, match="for pixels of"):
        load(path)


def test_a_table_of_another_form(path: Path) -> None:
    arrays = read_manifest(path)["arrays"]
    arrays["table"][1] = [256, 3]
    rewrite(path, arrays=arrays)
    with pytest.raises(GoldenCorrupt, match=r"a table of \(256, 3\) float32 for pixels of \(24, 40, 3\) uint8"):
        load(path)


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
        load(path)


def test_boxes_that_do_not_add_up(path: Path) -> None:
    arrays = read_manifest(path)["arrays"]
    kind, (count, two) = arrays["points"]
    arrays["points"] = [kind, [count - 1, two]]
    arrays["more"] = [kind, [1, two]]
    order = list(arrays)
    order.insert(order.index("points") + 1, order.pop())
    rewrite(path, arrays={name: arrays[name] for name in order})
    with pytest.raises(GoldenCorrupt, match="more or fewer points"):
        load(path)


def test_counts_of_another_type(path: Path) -> None:
    arrays = read_manifest(path)["arrays"]
    arrays["counts"][0] = "float32"
    rewrite(path, arrays=arrays)
    with pytest.raises(GoldenCorrupt, match="are no numbers of points of boxes"):
        load(path)


def test_a_manifest_of_more_than_its_room(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "_MOST_MANIFEST", 100)
    with pytest.raises(GoldenCorrupt, match="its manifest has more than 100 bytes"):
        load(path)


def test_a_trace_of_more_than_a_baseline_takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "_MOST_BYTES", 100)
    with pytest.raises(GoldenError, match=r"images/a.png: its trace has \d+ bytes, and a baseline takes 100"):
        save(tmp_path / "a.npz", trace_of(), reference="train")
    assert not list(tmp_path.iterdir())


def test_a_deflated_member(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    with pytest.raises(GoldenCorrupt, match=r"manifest claims \d+ bytes of \d+"):
        load(path)


def test_more_than_fits(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    size = len(content_of(path))
    monkeypatch.setattr(archive, "_MOST_BYTES", size)
    load(path)
    monkeypatch.setattr(archive, "_MOST_BYTES", size - 1)
    with pytest.raises(GoldenCorrupt, match=f"its arrays claim {size} bytes; {size - 1} at most"):
        load(path)
    monkeypatch.setattr(archive, "_MOST_BYTES", path.stat().st_size - 1)
    with pytest.raises(GoldenCorrupt, match=CORRUPT):
        load(path)


# Format 1


SLOPES = ((np.arange(64)[:, None] + np.arange(96) // 2) // 2).astype(np.uint8)[..., None]


@pytest.fixture
def of_format_1(tmp_path: Path) -> Path:
    """A baseline that the last version to write format 1 recorded of the toy on a page with slopes."""
    path = tmp_path / "of_format_1.npz"
    path.write_bytes((Path(__file__).parent / "baselines" / "of_format_1.npz").read_bytes())
    return path


def test_a_baseline_of_format_1_is_read(of_format_1: Path) -> None:
    back, now = load(of_format_1).trace, with_sensitivity(Toy().trace(PAGE - SLOPES))
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
    manifest, right = read_manifest(of_format_1), load(of_format_1).trace
    axes = {name: entry[2] for name, entry in manifest["arrays"].items()}
    assert manifest["format"] == 1
    assert (axes["resize"], axes["probability_map"]) == ([0], [2, 3])
    for name in ("resize", "probability_map"):
        rewrite(of_format_1, arrays={**manifest["arrays"], name: [*manifest["arrays"][name][:2], []]})
        wrong = load(of_format_1).trace
        assert not np.array_equal(getattr(wrong, name), getattr(right, name))


@pytest.mark.parametrize("axes", [[1], [17], [0, 0], [2, 3], [0] * 100_000, "0", {"0": 1}], ids=str)
def test_axes_that_format_1_never_had(of_format_1: Path, axes: object) -> None:
    arrays = read_manifest(of_format_1)["arrays"]
    arrays["resize"][2] = axes
    rewrite(of_format_1, arrays=arrays)
    with pytest.raises(GoldenCorrupt, match=CORRUPT):
        load(of_format_1)


def test_a_changed_manifest_leaves_the_format_as_it_is(of_format_1: Path) -> None:
    before = load(of_format_1).trace
    archive.relabel(of_format_1, reference="inference")
    assert read_manifest(of_format_1)["format"] == 1
    assert load(of_format_1).trace == replace(before, pipeline="baseline (inference)")


# Writing


def test_equal_traces_make_equal_files(path: Path) -> None:
    """Each member is stored as it is, without a clock."""
    with zipfile.ZipFile(path) as members:
        assert {(info.date_time[0], info.compress_type) for info in members.infolist()} == {(1980, zipfile.ZIP_STORED)}


def test_a_failed_move_leaves_no_temporary_file(tmp_path: Path) -> None:
    (tmp_path / "a.npz").mkdir()
    with pytest.raises(GoldenError, match=r"a\.npz: cannot write this baseline: Is a directory"):
        save(tmp_path / "a.npz", trace_of(), reference="train")
    assert [file.name for file in tmp_path.iterdir()] == ["a.npz"]


def test_a_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "goldens").write_text("")
    with pytest.raises(GoldenError, match="cannot write this baseline"):
        save(tmp_path / "goldens" / "a.npz", trace_of(), reference="train")


# Where a baseline lies


@pytest.mark.parametrize("name", ["a.png", "images/a.png", "images/../a b.png", "..png", "ä/漢.png", "\udce9.png"])
def test_a_baseline_is_named_after_its_image(name: str) -> None:
    assert golden_path(Path("g"), name) == Path("g") / f"{os.path.normpath(name)}.npz"


@pytest.mark.parametrize("name", ["a\0.png", "\ud83d.png"])
def test_a_name_that_no_file_can_have_becomes_a_digest(tmp_path: Path, name: str) -> None:
    path = golden_path(tmp_path, name)
    assert path.parent == tmp_path / "outside"
    assert not path.exists()  # raises for a name that no file can have


@pytest.mark.parametrize("name", ["../x.png", "../../etc/x.png", "/etc/x.png", "a/../../x.png", "..", ".", "//x"])
def test_no_name_leads_out_of_the_folder(tmp_path: Path, name: str) -> None:
    path = golden_path(tmp_path, name)
    assert path.resolve().is_relative_to(tmp_path / "outside")
    assert path == golden_path(tmp_path, name)
    assert path != golden_path(tmp_path, f"{name}x")


# The store


Build = Callable[..., GoldenStore]


def test_a_baseline_is_recorded_and_compared(store: Build, image: Path, tmp_path: Path) -> None:
    recording = store("missing", options={"device": "cpu"})
    assert recording.needs_recording(image)
    recorded = recording.record(image, trace_of())
    assert (recorded.pipeline, recorded.recorded_from, recorded.image) == ("baseline (train)", "train", str(image))
    assert recording.load(image) == recorded
    assert not recording.needs_recording(image)
    path = tmp_path / "goldens" / "images" / "a.png.npz"
    assert load(path).manifest["image"] == "images/a.png"
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


def test_a_golden_is_a_trace_with_its_manifest(path: Path) -> None:
    assert isinstance(load(path), Golden)
    assert load(path).trace.source is None


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
        save(path, trace_of(**changes), reference="train")
    assert path.read_bytes() == whole
    assert [each.name for each in path.parent.iterdir()] == [path.name]

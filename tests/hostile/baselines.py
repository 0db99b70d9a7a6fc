"""What the fuzz gives to the reader of baselines."""

from __future__ import annotations

import copy
import hashlib
import io
import json
import math
import struct
import tempfile
import zipfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import zstandard
from hypothesis import strategies as st
from toy import PAGE, Toy

from hostile.inputs import EVIL, edited, mangled
from pytest_ocrparity.golden.baseline_file import _manifest_digest, save_baseline_file
from pytest_ocrparity.golden.encoding import encode_array


@cache
def baseline() -> tuple[bytes, dict[str, bytes], dict[str, Any]]:
    """Return a baseline: its bytes, its members, its manifest."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "page.npz"
        save_baseline_file(path, Toy().trace(PAGE[:24, :48]), reference="train", fingerprint={"config": "c"})
        data = path.read_bytes()
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    return data, members, json.loads(members["manifest.npy"].split(b"\n", 1)[1])


def npy(
    data: bytes, header: str = "{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}", shape: Any = None
) -> bytes:
    """Return an array of bytes as numpy writes it, or nearly so."""
    text = header.format(shape=(len(data),) if shape is None else shape).encode("utf-8", "surrogatepass") + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + data


HEADERS = (
    "{{'descr': '|O', 'fortran_order': False, 'shape': {shape}, }}",
    "{{'descr': '|u1', 'fortran_order': True, 'shape': {shape}, }}",
    "{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}",
    "{{'descr': [('a', '|u1', 99999999999)], 'fortran_order': False, 'shape': {shape}, }}",
    "{{'descr': '|u1', 'fortran_order': False, 'shape': (99999999999,), }}",
    "{{'descr': '|u1', 'fortran_order': False, 'shape': (-1,), }}",
    "{{'descr': '|u1', 'fortran_order': False, 'shape': (5L,), }}",
    "{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, 'x': '''",
    "\\d" + "(" * 300,
    f"[{EVIL}]",
)


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    """Return a zip of these members."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name), data, method)
    return content.getvalue()


def lying(data: bytes, entry: int, field: int, value: int) -> bytes:
    """Return a zip whose central directory lies: `field` is the offset of 4 bytes in the entry."""
    start = -1
    for _ in range(entry + 1):
        start = data.find(b"PK\x01\x02", start + 1)
    if start < 0:
        return data
    return data[: start + field] + struct.pack("<I", value % 2**32) + data[start + field + 4 :]


def with_manifest(members: dict[str, bytes], manifest: Any) -> bytes:
    """Return a baseline of these members and this manifest, whose digest is right, if it is one."""
    if isinstance(manifest, dict) and "sha256" in manifest:
        manifest = {**manifest, "sha256": _manifest_digest(manifest)}
    return zipped({**members, "manifest.npy": npy(json.dumps(manifest).encode("utf-8", "surrogatepass"))})


@cache
def arrays() -> dict[str, bytes]:
    """Return the arrays of the baseline as they are stored, in order."""
    _, members, manifest = baseline()
    content = io.BytesIO(zstandard.decompress(members["arrays.npy"].split(b"\n", 1)[1]))
    forms = manifest["arrays"].items()
    return {name: content.read(np.dtype(kind).itemsize * math.prod(shape)) for name, (kind, shape) in forms}


def framed(frame: bytes, manifest: Any) -> bytes:
    """Return a baseline with this frame, whose digest the manifest states, if it is one."""
    if isinstance(manifest, dict):
        manifest = {**manifest, "arrays_sha256": hashlib.sha256(frame).hexdigest()}
    return with_manifest({"arrays.npy": npy(frame)}, manifest)


@st.composite
def recorded_otherwise(draw: Any) -> Any:
    """Draw a baseline whose arrays have other types and shapes than a trace's, and right digests."""
    manifest, content = copy.deepcopy(baseline()[2]), dict(arrays())
    for name in draw(
        st.lists(
            st.sampled_from(
                ("resize", "tensor", "table", "probability_map", "fused_map", "points", "counts", "scores", "more")
            ),
            min_size=1,
            max_size=3,
        )
    ):
        shape = draw(
            st.lists(st.sampled_from((0, 1, 2, 3, 24, 48)), max_size=5).filter(lambda sides: math.prod(sides) < 10**5)
        )
        array = np.full(
            shape, draw(st.sampled_from((0, 1, 200))), draw(st.sampled_from(("u1", "u2", "u4", "u8", "f2", "f4", "f8")))
        )
        if array.dtype.kind == "f" and draw(st.booleans()):
            array = array * np.nan
        content[name] = encode_array(np.ascontiguousarray(array).reshape(shape)).tobytes()
        axes_of_format_1 = draw(st.sampled_from(([], [], [[]], [[0]], [[2, 3]], [[9]], [[0], 1])))
        manifest["arrays"][name] = [str(array.dtype), list(array.shape), *axes_of_format_1]
    frame = zstandard.compress(b"".join(content.values()))
    return framed(frame, draw(edited(manifest, 1)) if draw(st.booleans()) else manifest)


@st.composite
def baselines(draw: Any) -> Any:
    """Draw what may lie where a baseline is looked for."""
    data, members, manifest = baseline()
    what = draw(st.integers(0, 9))
    if what == 0:
        return draw(st.one_of(st.binary(max_size=60), st.just(b"PK\x05\x06" + b"\0" * 18)))
    if what <= 2:
        return draw(mangled(data))
    if what <= 5:
        return with_manifest(members, draw(edited(manifest)))
    if what == 6:
        if draw(st.booleans()):
            return draw(recorded_otherwise())
        frame = draw(mangled(members["arrays.npy"].split(b"\n", 1)[1]))
        return framed(frame, draw(st.one_of(st.just(manifest), edited(manifest, 1))))
    if what == 7:
        field = draw(st.sampled_from((8, 10, 16, 20, 24, 28, 30, 38, 42)))
        value = draw(st.sampled_from((0, 1, 10, 100, 2**16, 2**29, 2**31 - 1, 2**32 - 1)))
        return lying(data, draw(st.integers(0, len(members))), field, value)
    changed = dict(members)
    name = draw(st.sampled_from(sorted(members)))
    if what == 8:
        changed[name] = npy(members[name].split(b"\n", 1)[1], draw(st.sampled_from(HEADERS)))
    else:
        moved = draw(
            st.sampled_from(
                ("../../evil.npy", "/tmp/evil.npy", "manifest", "\udc80".encode("utf-8", "replace").decode(), name)
            )
        )
        changed[moved] = draw(st.one_of(st.just(changed.pop(name)), mangled(members[name])))
    return zipped(
        changed, draw(st.sampled_from((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)))
    )


def zip_bomb(size: int, method: int) -> bytes:
    """Return a baseline whose arrays are zeros, packed by the archive."""
    _, members, _ = baseline()
    return zipped({**members, "arrays.npy": npy(b"\0" * size)}, method)


def frame_bomb(size: int, claimed: int) -> bytes:
    """Return a baseline whose frame holds `size` zeros, and whose manifest claims another number."""
    _, _, manifest = baseline()
    frame = zstandard.compress(b"\0" * size)
    return framed(frame, {**manifest, "arrays": {"resize": ["uint8", [claimed]]}})


def lying_frame(claimed: int) -> bytes:
    """Return a baseline whose frame says that it holds so many bytes, as its manifest does."""
    _, _, manifest = baseline()
    frame = b"\x28\xb5\x2f\xfd\xe0" + claimed.to_bytes(8, "little") + b"\x01\x00\x00"
    assert zstandard.frame_content_size(frame) == claimed
    return framed(frame, {**manifest, "arrays": {"resize": ["uint8", [claimed]]}})

"""Baselines for tests: recorded of a made trace, taken apart, and written again with something wrong in them."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import zstandard

from pytest_ocrparity.golden import baseline_file as archive
from pytest_ocrparity.golden.baseline_file import load_baseline_file, save_baseline_file
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
    save_baseline_file(path, trace, reference="train", **options)
    return load_baseline_file(path).trace


def rewrite(path: Path, members: Mapping[str, bytes | None] | None = None, **manifest: Any) -> None:
    """Replace members of a baseline (None drops one), and keys of its manifest, whose digest is then right."""
    with zipfile.ZipFile(path) as file:
        content: dict[str, bytes | None] = {name: file.read(name) for name in file.namelist()}
    text = {**read_manifest(path), **manifest}
    text = {**text, "sha256": archive._manifest_digest(text), **manifest}
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

"""Experiments with how the file was decoded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from pytest_ocrparity.diagnose.laboratory import Laboratory, bgr
from pytest_ocrparity.diagnose.remedy import Remedy
from pytest_ocrparity.diagnosis import Diagnosis
from pytest_ocrparity.errors import OcrParityError
from pytest_ocrparity.trace import DECODE, Decoded, Trace

__all__ = ["experiments"]

Array: TypeAlias = "npt.NDArray[Any]"
Made: TypeAlias = "tuple[Diagnosis, Remedy] | None"

STANDARD = "standard"
_DOES = {
    "decode.orientation": ("turns the image as its EXIF tag says", "ignores the EXIF orientation"),
    "decode.alpha": ("drops the alpha channel", "composites the image on white"),
    "decode.bit_depth": ("reads 8 bits", "keeps 16 bits"),
}
"""By cause, what the standard decoding does and what the other one does."""


def by_way(lab: Laboratory, base: Remedy) -> Made:
    """Find the ways in which the two sides decode this file; given the reference's, the candidate agrees."""
    ways = _ways(lab)
    trace = lab.preprocessed(base)
    if not ways or trace is None or trace.decode is None or lab.reference.decode is None:
        return None
    ours, theirs = _way_of(lab.reference.decode, ways), _way_of(trace.decode, ways)
    if ours is None or theirs is None or ours == theirs:
        return None
    pixels = ways[ours]
    if pixels.dtype != np.uint8 or (mended := _mended(lab, base, pixels)) is None:
        return None
    cause = theirs if theirs != STANDARD else ours
    does = _DOES[cause]
    one, two = lab.names
    said = f"{one} {does[ours != STANDARD]}, {two} {does[theirs != STANDARD]}"
    proof = f"decoded so, the file has exactly the pixels of each side; given {one}'s, {two} agrees at this stage"
    fix = f"decode as {one} does: {does[ours != STANDARD]}"
    if ours != STANDARD:
        fix = f"let the training side decode as {two} does ({does[0]}): edit DecodeImage in the training yml, and evaluate again"
    return lab.claim(DECODE, cause, said, [proof], fix), mended


def by_pixels(lab: Laboratory, base: Remedy) -> Made:
    """Give the candidate the pixels that the reference decoded."""
    pixels, trace = _reference_pixels(lab), lab.preprocessed(base)
    if pixels is None:
        lab.not_tried.append(f"{lab.names[0]}'s pixels given to {lab.names[1]}: a baseline keeps their digest only")
        return None
    if trace is None or (mended := _mended(lab, base, pixels)) is None:
        return None
    one, two = lab.names
    if trace.decode is None:
        summary = f"{two} does not read this file, whose suffix is {Path(lab.candidate.image).suffix or 'missing'}"
        fix = "give the file the suffix of its content, or convert it to PNG; " + _content(lab)
        proof = f"{two} stopped on the file ({trace.error}), and agrees at this stage when given the pixels that {one} decoded"
        return lab.claim(DECODE, "decode.file_type", summary, [proof], fix), mended
    theirs = bgr(trace) if trace.decode.pixels is not None else None
    if theirs is None or theirs.shape != pixels.shape or theirs.dtype != pixels.dtype:
        return None
    difference = np.abs(theirs.astype(np.int16) - pixels)
    share = float(np.mean(difference.max(axis=2) > 0))
    summary = f"the decoders return different pixels: {share:.1%} of them, by up to {difference.max()} of 255"
    proof = f"given the pixels that {one} decoded, {two} agrees at this stage"
    fix = "decode with the same library and version on both sides, or store the images without loss, as PNG"
    return lab.claim(DECODE, "decode.decoder", summary, [proof], fix), mended


experiments = (by_way, by_pixels)


def _mended(lab: Laboratory, base: Remedy, pixels: Array) -> Remedy | None:
    def given(reference: Trace, image: object) -> Array | None:
        """Return the pixels of this image; of another one, those that its reference decoded."""
        return pixels if reference.image == lab.reference.image else _pixels_of(reference)

    mended = replace(base, pixels=given)
    trace = lab.preprocessed(mended)
    is_same = trace is not None and trace.decode is not None and lab.is_same_stage(DECODE, trace)
    return mended if is_same else None


def _pixels_of(reference: Trace) -> Array | None:
    return bgr(reference) if reference.decode is not None and reference.decode.pixels is not None else None


def _reference_pixels(lab: Laboratory) -> Array | None:
    pixels = _pixels_of(lab.reference)
    if pixels is not None or lab.reference.decode is None:
        return pixels if pixels is not None and pixels.dtype == np.uint8 else None
    ways = _ways(lab)
    way = _way_of(lab.reference.decode, ways)
    return ways[way] if way is not None and ways[way].dtype == np.uint8 else None


def _ways(lab: Laboratory) -> Mapping[str, Array]:
    from pytest_ocrparity.pipelines.decoders import decoded_ways

    path = Path(lab.candidate.image)
    try:
        return decoded_ways(path) if path.is_file() else {}
    except (OcrParityError, OSError):  # no cv2 here, or the file is gone
        return {}


def _way_of(decoded: Decoded, ways: Mapping[str, Array]) -> str | None:
    """Return the way that yields exactly these pixels, in this side's channel order."""
    for name, pixels in ways.items():
        one = Decoded.of(pixels[..., ::-1] if decoded.channel_order == "RGB" else pixels, decoded.channel_order)
        if one == decoded:
            return name
    return None


def _content(lab: Laboratory) -> str:
    start = Path(lab.candidate.image).read_bytes()[:12]
    kinds = {
        b"\x89PNG": "PNG",
        b"\xff\xd8\xff": "JPEG",
        b"GIF8": "GIF",
        b"RIFF": "WebP",
        b"BM": "BMP",
        b"II*\0": "TIFF",
    }
    kind = next((kind for magic, kind in kinds.items() if start.startswith(magic)), None)
    return f"its content is {kind}" if kind else "its content is of no common kind"

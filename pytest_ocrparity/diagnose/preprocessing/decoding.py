"""Experiments with how the file was decoded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from pytest_ocrparity.backends.decoders import STANDARD, decoded_ways
from pytest_ocrparity.contract import HasSettingsTable, offered
from pytest_ocrparity.diagnose.laboratory import Laboratory, bgr
from pytest_ocrparity.diagnose.patched_candidate import Remedy
from pytest_ocrparity.diagnosis import Diagnosis
from pytest_ocrparity.errors import OcrParityError
from pytest_ocrparity.stages import DECODE
from pytest_ocrparity.trace import Decoded, Trace

Array: TypeAlias = "npt.NDArray[Any]"
Made: TypeAlias = "tuple[Diagnosis, Remedy] | None"

_DOES = {
    "decode.orientation": ("turns the image as its EXIF tag says", "ignores the EXIF orientation"),
    "decode.alpha": ("drops the alpha channel", "composites the image on white"),
    "decode.bit_depth": ("reads 8 bits", "keeps 16 bits"),
}
"""By cause, what the standard decoding does and what the other one does."""

_INSTEAD = {
    "decode.orientation": "apply the EXIF orientation: cv2.IMREAD_COLOR does; IMREAD_UNCHANGED and Pillow do not",
    "decode.alpha": "drop the alpha channel: cv2.IMREAD_COLOR does",
    "decode.bit_depth": "decode to 8 bits: cv2.IMREAD_COLOR does",
}
"""By cause, how to decode in the standard way."""


def by_way(lab: Laboratory, base: Remedy) -> Made:
    """Find the ways in which the two sides decode this file; given the reference's, the candidate agrees."""
    trace = lab.preprocessed(base)
    if trace is None:
        return None
    ours, theirs = _sides(lab.reference, trace)
    if ours is None or theirs is None or ours == theirs:
        return None

    def given(reference: Trace, image: object) -> Array | None:
        """Return the pixels of the reference's way, also of another image."""
        return _ways(reference).get(ours)

    def shows(reference: Trace, candidate: Trace) -> bool:
        return _sides(reference, candidate) == (ours, theirs)

    if (mended := _mended(lab, replace(base, pixels=given, applies=shows))) is None:
        return None
    cause = theirs if theirs != STANDARD else ours
    does = _DOES[cause]
    one, two = lab.names
    said = f"{one} {does[ours != STANDARD]}, {two} {does[theirs != STANDARD]}"
    proof = (
        f"decoded in these two ways, the file has exactly the pixels of {one} and of {two}; given {one}'s, {two} agrees"
    )
    fix = f"where {two} loads images, {_INSTEAD[cause]}"
    deployment = offered(lab.candidate.source, HasSettingsTable)
    if theirs != STANDARD and deployment is not None:  # of paddleocr's, whose reader is its own
        fix = f"convert such images before {two} reads them: {_INSTEAD[cause]}"
    if ours != STANDARD:
        fix = f"let training decode as {two} does ({does[0]}): edit DecodeImage in its yml, and evaluate again"
    return lab.claim(DECODE, cause, said, [proof], fix), mended


def by_reversal(lab: Laboratory, base: Remedy) -> Made:
    """Reverse the channels of what the candidate is given: a side that swaps red and blue then agrees."""
    if _pixels(lab.reference) is None:
        return None

    def given(reference: Trace, image: object) -> Array | None:
        pixels = _pixels(reference)
        return None if pixels is None else np.ascontiguousarray(pixels[..., ::-1])

    mended = _mended(lab, replace(base, pixels=given))
    if mended is None or _is_grey(lab.reference):
        return None
    one, two = lab.names
    proof = f"given {one}'s pixels with red and blue exchanged, {two}'s decoded image is {one}'s"
    fix = f"do not exchange red and blue where {two} loads images"
    return lab.claim(DECODE, "decode.channel_order", f"{two} exchanges red and blue", [proof], fix), mended


def by_pixels(lab: Laboratory, base: Remedy) -> Made:
    """Give the candidate the pixels that the reference decoded."""
    one, two = lab.names
    trace = lab.preprocessed(base)
    if _pixels(lab.reference) is None:
        lab.not_tried.append(f"{one}'s pixels given to {two}: they are not kept")
        return None
    if trace is None:
        return None
    given = replace(base, pixels=lambda reference, _: _pixels(reference))
    if (mended := _mended(lab, given)) is None:
        was_given = (made := lab.preprocessed(given)) is not None and made.decode is not None
        told = f"decode.pixels: given the pixels that {one} decoded, {two} still has others"
        if was_given:
            lab.tried.append(told)
        else:
            lab.not_tried.append(f"decode.pixels: {two} takes no pixels in the place of the file")
        lab.noticed.append(_told(_difference(lab.reference, trace)).removeprefix("before, "))
        return None
    if trace.decode is None:
        return _unread(lab, replace(mended, applies=lambda _, candidate: candidate.decode is None), str(trace.error))
    proof = [
        f"given the pixels that {one} decoded, {two} agrees at this stage",
        _told(_difference(lab.reference, trace)),
    ]
    cause, summary, fix = _relation(lab, trace)
    mended = replace(
        mended, applies=lambda ours, theirs: _relation_of(ours, theirs) == _relation_of(lab.reference, trace)
    )
    return lab.claim(DECODE, cause, summary, proof, fix), mended


def _relation(lab: Laboratory, trace: Trace) -> tuple[str, str, str]:
    """Return what makes the candidate's pixels of the reference's: cause, summary, fix."""
    one, two = lab.names
    relation = _relation_of(lab.reference, trace)
    if relation == "":
        fix = (
            f"load images in {two} as {one} does, cv2.imread(path, cv2.IMREAD_COLOR), with the same library and version"
        )
        return "decode.pixels", f"{two} loads other pixels than {one}", f"{fix}, and change no pixel before the resize"
    cause = "decode.channel_order" if relation == "with red and blue exchanged" else "decode.orientation"
    return cause, f"{two} loads images {relation}", f"take out what leaves images {relation} where {two} loads them"


def _relation_of(reference: Trace, candidate: Trace) -> str:
    """Return how the candidate's pixels are the reference's, exactly, or "" where they are not."""
    ours = _pixels(reference)
    theirs = bgr(candidate) if candidate.decode is not None and candidate.decode.pixels is not None else None
    if ours is None or theirs is None:
        return ""
    for words, changed in (
        ("with red and blue exchanged", ours[..., ::-1]),
        ("turned by 90 degrees", np.rot90(ours, -1)),
        ("turned by 180 degrees", np.rot90(ours, 2)),
        ("turned by 270 degrees", np.rot90(ours, 1)),
        ("mirrored left to right", ours[:, ::-1]),
        ("mirrored top to bottom", ours[::-1]),
    ):
        if np.array_equal(theirs, changed):
            return words
    return ""


def _unread(lab: Laboratory, mended: Remedy, error: str) -> Made:
    """Name the file's suffix where it is not that of its content, as paddlex goes by it; no other reason is known."""
    kind, suffix = _content(lab), Path(lab.candidate.image).suffix
    one, two = lab.names
    if kind is None or suffix.lower() in _SUFFIXES[kind]:
        lab.ruled_out.append(
            f"decode.file_type: the suffix {suffix or 'none'} is right for its content; {two} said: {error}"
        )
        return None
    proof = [
        f"{two} stopped on the file ({error}), and agrees at this stage when given the pixels that {one} decoded",
        f"its suffix is {suffix or 'missing'}, its content {kind}",
    ]
    fix = "give the file the suffix of its content, or convert it to PNG"
    summary = f"{two} does not read this file, whose suffix is not that of its content"
    return lab.claim(DECODE, "decode.file_type", summary, proof, fix), mended


experiments = (by_way, by_reversal, by_pixels)


def _mended(lab: Laboratory, mended: Remedy) -> Remedy | None:
    trace = lab.preprocessed(mended)
    is_same = trace is not None and trace.decode is not None and lab.is_same_stage(DECODE, trace)
    return mended if is_same else None


def _sides(reference: Trace, candidate: Trace) -> tuple[str | None, str | None]:
    """Return the ways in which two sides decoded a file, None where it is none of those known."""
    ways = _ways(reference)
    if reference.decode is None or candidate.decode is None:
        return None, None
    return _way_of(reference.decode, ways), _way_of(candidate.decode, ways)


def _told(difference: Array | None) -> str:
    if difference is None:
        return "before, the pixels had another shape or type"
    size = np.abs(difference).max(axis=2)
    return f"before, {float(np.mean(size > 0)):.1%} of the pixels differed, by up to {size.max()} of 255"


def _is_grey(reference: Trace) -> bool:
    """Tell whether a page has no colour, so that its channel order can't show."""
    pixels = _pixels(reference)
    return pixels is not None and bool(np.array_equal(pixels[..., 0], pixels[..., 2]))


def _difference(reference: Trace, candidate: Trace) -> Array | None:
    """Return the candidate's pixels minus the reference's, int16, or None where they have no common form."""
    ours = _pixels(reference)
    theirs = bgr(candidate) if candidate.decode is not None and candidate.decode.pixels is not None else None
    if ours is None or theirs is None or ours.shape != theirs.shape or theirs.dtype != np.uint8:
        return None
    return np.asarray(theirs.astype(np.int16) - ours)


def _pixels(reference: Trace) -> Array | None:
    """Return what the reference decoded, in BGR; of a baseline, where the file still decodes to its digest."""
    if reference.decode is None:
        return None
    if reference.decode.pixels is None:
        ways = _ways(reference)
        way = _way_of(reference.decode, ways)
        pixels = None if way is None else ways[way]
    else:
        pixels = bgr(reference)
    return pixels if pixels is not None and pixels.dtype == np.uint8 else None


def _ways(trace: Trace) -> Mapping[str, Array]:
    path = Path(trace.image)
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


def _content(lab: Laboratory) -> str | None:
    return _kind_of(Path(lab.candidate.image))


def _kind_of(path: Path) -> str | None:
    """Return what a file holds, by its first bytes."""
    start = path.read_bytes()[:4] if path.is_file() else b""
    return next((kind for magic, kind in _MAGIC.items() if start.startswith(magic)), None)


_MAGIC = {
    b"\x89PNG": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"GIF8": "GIF",
    b"RIFF": "WebP",
    b"BM": "BMP",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
}
_SUFFIXES = {
    "PNG": (".png",),
    "JPEG": (".jpg", ".jpeg"),
    "GIF": (".gif",),
    "WebP": (".webp",),
    "BMP": (".bmp",),
    "TIFF": (".tif", ".tiff"),
}

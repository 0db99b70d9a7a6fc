"""Experiments with decoding: how a side reads the image file."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from pytest_ocrparity.backends.decoders import STANDARD, pixels_by_decoder
from pytest_ocrparity.contract import HasSettingsTable, offered
from pytest_ocrparity.diagnose.laboratory import Laboratory, bgr
from pytest_ocrparity.diagnose.page_frame import TURNS
from pytest_ocrparity.diagnose.patched_candidate import PatchedCandidate, Proved
from pytest_ocrparity.errors import OcrParityError
from pytest_ocrparity.stages import DECODE
from pytest_ocrparity.trace import Array, Decoded, Image, Trace

_DOES = {
    "decode.orientation": ("turns the image as its EXIF tag says", "ignores the EXIF orientation"),
    "decode.alpha": ("drops the alpha channel", "composites the image on white"),
    "decode.bit_depth": ("reads 8 bits", "keeps 16 bits"),
}
"""By cause, what the standard decoding does, then what the other one does."""

_INSTEAD = {
    "decode.orientation": "apply the EXIF orientation: cv2.IMREAD_COLOR does; IMREAD_UNCHANGED and Pillow do not",
    "decode.alpha": "drop the alpha channel: cv2.IMREAD_COLOR does",
    "decode.bit_depth": "decode to 8 bits: cv2.IMREAD_COLOR does",
}
"""By cause, how to decode in the standard way."""

EXCHANGED: Final = "with red and blue exchanged"


def by_decoder(lab: Laboratory, base: PatchedCandidate) -> Proved:
    """Find the ways in which both sides decode this file; the candidate must agree if given the reference's pixels."""
    trace = lab.run_preprocessing(base)
    if trace is None:
        return None
    reference_way, candidate_way = _ways_of_both(lab.reference, trace)
    if reference_way is None or candidate_way is None or reference_way == candidate_way:
        return None

    def given(reference: Trace, image: object) -> Array | None:
        """Return the pixels that the reference's way yields, also of another image."""
        return ways_of_decoding(reference).get(reference_way)

    def shows(reference: Trace, candidate: Trace) -> bool:
        return _ways_of_both(reference, candidate) == (reference_way, candidate_way)

    if (patched := _if_decoded_equally(lab, replace(base, pixels=given, applies=shows))) is None:
        return None
    cause = candidate_way if candidate_way != STANDARD else reference_way
    does = _DOES[cause]
    reference_name, candidate_name = lab.names
    summary = f"{reference_name} {does[reference_way != STANDARD]}, {candidate_name} {does[candidate_way != STANDARD]}"
    proof = f"decoded in these two ways, the file has exactly the pixels of {reference_name} and of {candidate_name}; "
    proof += f"given {reference_name}'s, {candidate_name} agrees"
    fix = f"where {candidate_name} loads images, {_INSTEAD[cause]}"
    deployment = offered(lab.candidate.source, HasSettingsTable)
    if candidate_way != STANDARD and deployment is not None:  # paddleocr brings its own image reader
        fix = f"convert such images before {candidate_name} reads them: {_INSTEAD[cause]}"
    if reference_way != STANDARD:
        fix = f"let training decode as {candidate_name} does ({does[0]}): "
        fix += "edit DecodeImage in its YAML file, and evaluate again"
    return lab.proven_cause(DECODE, cause, summary, [proof], fix), patched


def by_reversed_channels(lab: Laboratory, base: PatchedCandidate) -> Proved:
    """Give the candidate the reference's pixels with reversed channels; one that swaps red and blue then agrees."""
    if _reference_pixels(lab.reference) is None:
        return None

    def given(trace: Trace, image: object) -> Array | None:
        pixels = _reference_pixels(trace)
        return None if pixels is None else np.ascontiguousarray(pixels[..., ::-1])

    patched = _if_decoded_equally(lab, replace(base, pixels=given))
    if patched is None or _is_grey(lab.reference):
        return None
    reference, candidate = lab.names
    proof = f"given {reference}'s pixels with red and blue exchanged, {candidate}'s decoded image is {reference}'s"
    fix = f"do not exchange red and blue where {candidate} loads images"
    return lab.proven_cause(
        DECODE, "decode.channel_order", f"{candidate} exchanges red and blue", [proof], fix
    ), patched


def by_reference_pixels(lab: Laboratory, base: PatchedCandidate) -> Proved:
    """Give the candidate the pixels that the reference decoded, and relate its own to them."""
    reference_name, candidate_name = lab.names
    trace = lab.run_preprocessing(base)
    if _reference_pixels(lab.reference) is None:
        lab.not_tried.append(f"{reference_name}'s pixels given to {candidate_name}: they are not kept")
        return None
    if trace is None:
        return None
    given = replace(base, pixels=lambda reference, _: _reference_pixels(reference))
    if (patched := _if_decoded_equally(lab, given)) is None:
        was_given = (made := lab.run_preprocessing(given)) is not None and made.decode is not None
        if was_given:
            text = f"decode.pixels: given the pixels that {reference_name} decoded, {candidate_name} still has others"
            lab.tried.append(text)
        else:
            lab.not_tried.append(f"decode.pixels: {candidate_name} takes no pixels in the place of the file")
        lab.noticed.append(_pixel_difference_text(lab.reference, trace))
        return None
    if trace.decode is None:
        return _by_file_suffix(lab, base, str(trace.error))
    proof = [
        f"given the pixels that {reference_name} decoded, {candidate_name} agrees at this stage",
        f"before, {_pixel_difference_text(lab.reference, trace)}",
    ]
    relation = _relation_of(lab.reference, trace)
    cause, summary, fix = _cause_of_relation(lab, relation)
    patched = replace(patched, applies=lambda *traces: _relation_of(*traces) == relation)
    return lab.proven_cause(DECODE, cause, summary, proof, fix), patched


def _cause_of_relation(lab: Laboratory, relation: str) -> tuple[str, str, str]:
    """Return the cause, the summary and the fix of pixels that are related in this way, see `_relation_of`."""
    reference, candidate = lab.names
    if relation == "":
        fix = f"load images in {candidate} as {reference} does, cv2.imread(path, cv2.IMREAD_COLOR), "
        fix += "with the same library and version, and change no pixel before the resize"
        return "decode.pixels", f"{candidate} loads other pixels than {reference}", fix
    cause = "decode.channel_order" if relation == EXCHANGED else "decode.orientation"
    fix = f"take out what leaves images {relation} where {candidate} loads them"
    return cause, f"{candidate} loads images {relation}", fix


def _relation_of(reference: Trace, candidate: Trace) -> str:
    """Return in words the change that turns the reference's pixels exactly into the candidate's, or ""."""
    right, own = _reference_pixels(reference), _recorded_pixels(candidate)
    if right is None or own is None:
        return ""
    changes = {EXCHANGED: right[..., ::-1], **{words: turn.picture(right) for words, turn in TURNS.items()}}
    return next((words for words, changed in changes.items() if np.array_equal(own, changed)), "")


def _by_file_suffix(lab: Laboratory, base: PatchedCandidate, error: str) -> Proved:
    """Give the candidate a copy of the file that has the suffix of its content, as paddlex reads files by suffix."""
    path = Path(lab.candidate.image)
    kind, suffix = _image_format(path), path.suffix or "none"
    reference, candidate = lab.names
    if kind is None:
        lab.not_tried.append(f"decode.file_type: the format of the file is not known; {candidate} said: {error}")
        return None
    right = _SUFFIXES[kind]
    if suffix == right:
        lab.ruled_out.append(
            f"decode.file_type: the suffix {suffix} is right for its content; {candidate} said: {error}"
        )
        return None
    if (patched := _if_decoded_equally(lab, replace(base, file=_under_right_suffix))) is None:
        text = f"decode.file_type: its suffix is {suffix}, its content {kind}; {candidate} does not read it as {right}"
        lab.tried.append(f"{text} either, and said: {error}")
        return None
    proof = [
        f"{candidate} stopped on the file ({error}), and decodes a copy with the suffix {right} as {reference} does",
        f"its suffix is {suffix}, its content {kind}",
    ]
    fix = f"give the file the suffix {right}, or convert it to PNG"
    summary = f"{candidate} reads files by their suffix, and this one's is not {right}, that of its content"
    return lab.proven_cause(DECODE, "decode.file_type", summary, proof, fix), patched


@contextmanager
def _under_right_suffix(image: Image) -> Iterator[Image]:
    """Yield a copy of a file that has the suffix of its content; the image itself where it has it, or is no file."""
    path = None if isinstance(image, np.ndarray) else Path(image)
    kind = None if path is None else _image_format(path)
    if path is None or kind is None or path.suffix == _SUFFIXES[kind]:
        yield image
        return
    with tempfile.TemporaryDirectory(prefix="ocrparity-") as folder:
        copy = Path(folder) / f"{path.stem}{_SUFFIXES[kind]}"
        shutil.copyfile(path, copy)
        yield str(copy)


def _if_decoded_equally(lab: Laboratory, patched: PatchedCandidate) -> PatchedCandidate | None:
    """Return a patched candidate if it decodes what the reference decodes, else None."""
    trace = lab.run_preprocessing(patched)
    is_same = trace is not None and trace.decode is not None and lab.is_same_stage(DECODE, trace)
    return patched if is_same else None


def _ways_of_both(reference: Trace, candidate: Trace) -> tuple[str | None, str | None]:
    """Return the way in which each side decoded the file; None where it is not a known one."""
    ways = ways_of_decoding(reference)
    if reference.decode is None or candidate.decode is None:
        return None, None
    return _way_of(reference.decode, ways), _way_of(candidate.decode, ways)


def _pixel_difference_text(reference: Trace, candidate: Trace) -> str:
    right, own = _reference_pixels(reference), _recorded_pixels(candidate)
    if right is None or own is None or right.shape != own.shape or own.dtype != np.uint8:
        return "the pixels had another shape or type"
    off = np.abs(own.astype(np.int16) - right).max(axis=2)
    return f"{float(np.mean(off > 0)):.1%} of the pixels differed, by up to {off.max()} of 255"


def _is_grey(reference: Trace) -> bool:
    """Return whether a page has no colour, so its channel order can't show."""
    pixels = _reference_pixels(reference)
    return pixels is not None and bool(np.array_equal(pixels[..., 0], pixels[..., 2]))


def _recorded_pixels(trace: Trace) -> Array | None:
    """Return the pixels that a trace holds, in BGR; None where it holds none."""
    return None if trace.decode is None or trace.decode.pixels is None else bgr(trace)


def _reference_pixels(reference: Trace) -> Array | None:
    """Return the reference's decoded pixels in BGR; a baseline has them where the file still decodes to its digest."""
    pixels = _recorded_pixels(reference)
    if pixels is None and reference.decode is not None:
        ways = ways_of_decoding(reference)
        way = _way_of(reference.decode, ways)
        pixels = None if way is None else ways[way]
    return pixels if pixels is not None and pixels.dtype == np.uint8 else None


def ways_of_decoding(trace: Trace) -> Mapping[str, Array]:
    """Return what a trace's file holds, by the way to decode it; nothing where it is gone, or is none."""
    path = Path(trace.image)
    try:
        return pixels_by_decoder(path) if path.is_file() else {}
    except (OcrParityError, OSError):  # no cv2 here, or the file is gone
        return {}


def _way_of(decoded: Decoded, ways: Mapping[str, Array]) -> str | None:
    """Return the way that yields exactly these pixels, in this side's channel order."""
    for name, pixels in ways.items():
        way = Decoded.of(pixels[..., ::-1] if decoded.channel_order == "RGB" else pixels, decoded.channel_order)
        if way == decoded:
            return name
    return None


def _image_format(path: Path) -> str | None:
    """Return the format of a file by its first bytes, or None."""
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
_SUFFIXES = {"PNG": ".png", "JPEG": ".jpg", "GIF": ".gif", "WebP": ".webp", "BMP": ".bmp", "TIFF": ".tif"}
"""By format, the suffix that every reader knows; others of it, such as .jfif, some do not."""

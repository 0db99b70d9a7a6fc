"""Files: image bytes, digests and git-lfs pointers."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pytest_ocrparity.errors import ImageError, ModelError
from pytest_ocrparity.trace import Image

_ORIENTATION, _ON_THEIR_SIDE = 0x0112, (5, 6, 7, 8)
"""EXIF's tag of the orientation, and its values by which height and width change places."""

LFS_POINTER = b"version https://git-lfs.github.com/spec/"
"""How a file starts that git-lfs has not fetched yet."""


def image_file_bytes(image: Image) -> tuple[str, bytes]:
    """Return how messages call an image, and the bytes that identify it.

    Raises:
        ImageError: the file is missing, empty, truncated, a PDF or a git-lfs pointer, or the array is not (H, W, 3)
            uint8.
    """
    if isinstance(image, np.ndarray):
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or image.size == 0:
            raise ImageError(
                f"an image array must be (H, W, 3) uint8 in BGR order, this one is {image.shape} {image.dtype}"
            )
        data = repr(image.shape).encode() + np.ascontiguousarray(image).tobytes()
        return f"array {image.shape[0]}x{image.shape[1]} {hashlib.sha256(data).hexdigest()[:8]}", data
    path = Path(image)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ImageError(f"{path}: cannot read this image: {error.strerror or error}") from error
    if not data:
        raise ImageError(f"{path}: this image file is empty")
    if data.startswith(LFS_POINTER):
        raise ImageError(f"{path} is a git-lfs pointer, not an image: run `git lfs pull`")
    if data.startswith(b"%PDF-"):
        raise ImageError(
            f"{path} is a PDF, and PaddleOCR's training side reads images alone: render its pages once to PNG files, "
            "with the renderer of production, at its scale (PaddleX: pypdfium2 at 2.0, 144 dpi), and list them "
            "as images, so that both sides get the same pixels. That production renders these pixels is not tested "
            "then: compare what it renders with these files"
        )
    if _is_truncated(data):
        raise ImageError(f"{path}: this image file is truncated; decoders fill the rest as they like")
    return str(image), data


def image_to_hand_on(image: Image) -> str | npt.NDArray[np.uint8]:
    """Return an image as other code is given it: a path as text, an array as a copy that it may change."""
    return image.copy() if isinstance(image, np.ndarray) else str(image)


def _is_truncated(data: bytes) -> bool:
    """Return whether a PNG lacks its end chunk, or a JPEG the end marker after its last scan."""
    if data.startswith(b"\x89PNG"):
        return b"IEND" not in data
    return data.startswith(b"\xff\xd8\xff") and data.rfind(b"\xff\xd9") < data.rfind(b"\xff\xda")


def image_file_size(data: bytes) -> tuple[int, int] | None:
    """Return the height and width that an image file states, or None where Pillow does not know it."""
    found = _image_header(data)
    return None if found is None else found[:2]


def turned_image_file_size(data: bytes) -> tuple[int, int] | None:
    """Return the height and width of an image file turned as its EXIF tag says, or None where Pillow knows none."""
    found = _image_header(data)
    if found is None:
        return None
    height, width, orientation = found
    return (width, height) if orientation in _ON_THEIR_SIDE else (height, width)


def _image_header(data: bytes) -> tuple[int, int, int] | None:
    """Return the height and width that an image file states and its EXIF orientation, 1 where it has none."""
    from PIL import Image

    before = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = None  # it would refuse by a number of pixels; here the memory decides
    try:
        with Image.open(io.BytesIO(data)) as image:
            exif = Image.Exif()
            exif.load(image.info.get("exif", b""))  # image.getexif() decodes all of a PNG
            return image.height, image.width, exif.get(_ORIENTATION, 1)
    except Exception:  # what Pillow raises of a file that it does not know: whoever decodes it will say
        return None
    finally:
        Image.MAX_IMAGE_PIXELS = before


def file_digest(path: Path) -> str:
    """Return the sha256 of a file's bytes, in hexadecimal."""
    hasher = hashlib.sha256()
    with path.open("rb") as file:
        for block in iter(lambda: file.read(2**20), b""):
            hasher.update(block)
    return hasher.hexdigest()


def text_file_digest(path: Path) -> str:
    """Return the sha256 of a text file, the same whether its lines end as on Unix or as git writes them on Windows."""
    return hashlib.sha256(path.read_bytes().replace(b"\r\n", b"\n")).hexdigest()


def earlier_file_digests(path: Path) -> frozenset[str]:
    """Return the digests that a text file had before `text_file_digest`: of its bytes, here or on Windows."""
    if not path.is_file():
        return frozenset()
    data = path.read_bytes()
    forms = data, data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    return frozenset(hashlib.sha256(each).hexdigest() for each in forms)


def refuse_pointer_file(path: Path) -> None:
    """Raise ModelError when git-lfs has not fetched this file, or when it is empty or cannot be read."""
    try:
        with path.open("rb") as file:
            start = file.read(len(LFS_POINTER))
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror or error}") from error
    if start == LFS_POINTER:
        raise ModelError(f"{path} is a git-lfs pointer, not the file itself: run `git lfs pull`")
    if not start:
        raise ModelError(f"{path} is empty: copy or export it again")

"""A deployment whose results were written elsewhere: a side that reads one file per image.

It can run nothing again, so its traces have no `source` and experiments with it are not tried.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from pytest_ocrparity.diagnosis import table_of
from pytest_ocrparity.errors import ImageError, ResultError
from pytest_ocrparity.files import image_file_bytes, turned_image_file_size
from pytest_ocrparity.settings.result_files import PLACEHOLDER
from pytest_ocrparity.stages import PROBABILITY_MAP, TENSOR
from pytest_ocrparity.trace import FORMAT, Detections, Image, Trace
from pytest_ocrparity.trace.result_document import Result, read_result_document
from pytest_ocrparity.trace.trace_file import read_trace_array, read_trace_file, read_trace_json, trace_array_path
from pytest_ocrparity.wording import image_label, path_from

_DIMENSIONS: Final = {TENSOR: (3, 4), PROBABILITY_MAP: (2, 3, 4)}
"""What may lie beside a file of results, in which forms: batch and channel of one may be left out."""
_OF_LINES: Final = {**_DIMENSIONS, PROBABILITY_MAP: (2, 3)}
"""The same of a recogniser."""


class ResultsPipeline:
    """A side made of files: `trace(image)` reads what was written for that image."""

    def __init__(
        self, template: Path, root: Path, *, name: str = "inference", frame: str = "file", prefix: str = ""
    ) -> None:
        """Take where the results lie.

        Args:
            template: the path of an image's results, with {name}, {stem} or {parent} of the image.
            root: the folder that {parent} is relative to.
            name: how messages call this side.
            frame: "image" where boxes are in the pixels of the image whatever a file says.
            prefix: the table of a project's recogniser, in which that of this side lies.
        """
        self.name, self.template, self._root, self._frame, self._prefix = name, template, root, frame, prefix

    @property
    def table(self) -> str:
        """The table of the settings that is about it."""
        return f"{self._prefix}{table_of(self.name)}"

    def path_of(self, image: Path) -> Path:
        """Return where the results of an image lie."""
        parent = path_from(self._root, image.parent)
        words = {"name": image.name, "stem": image.stem, "parent": parent}
        # Not str.format: braces in the folder's own name are no placeholders.
        filled = PLACEHOLDER.sub(lambda found: words.get(found[1], found[0]), str(self.template))
        return Path(os.path.normpath(filled))

    def trace(self, image: Image) -> Trace:
        """Return what the results of an image say.

        Raises:
            ImageError: the image is missing, or an array, which has no file of results.
            ResultError: its results are missing, damaged, older than the image, or those of another image.
        """
        __tracebackhide__ = True
        if isinstance(image, np.ndarray):
            raise ImageError(f"{self.table}.results names files by those of the images: an array has none")
        name, data = image_file_bytes(image)
        path = self.path_of(Path(image))
        where = image_label(str(path))
        if not path.is_file():
            raise ResultError(
                f"{where}: no such file: the results of {image_label(name)}, as {self.table}.results names it; let the "
                "deployment write one for each image, also for an empty page"
            )
        sha256 = hashlib.sha256(data).hexdigest()
        document = read_trace_json(read_trace_file(path, where), where)
        if document.get("format") == FORMAT:
            trace = Trace.from_document(document, path)
            self._refuse_other_image(where, path, Path(image), sha256, trace.image_sha256, trace.image)
        else:
            result = read_result_document(document, where, self._frame)
            self._refuse_other_image(where, path, Path(image), sha256, result.image_sha256, result.input_path)
            self._refuse_other_size(where, image_label(name), data, result)
            trace = self._trace_of(path, Path(image), data, result)
        return replace(trace, pipeline=self.name, image=name, image_sha256=sha256)

    def _trace_of(self, path: Path, image: Path, data: bytes, result: Result) -> Trace:
        """Return the trace of results and of the arrays beside them."""
        arrays: dict[str, Any] = {}
        is_line = result.polygons is None
        for stage, dimensions in (_OF_LINES if is_line else _DIMENSIONS).items():
            file = trace_array_path(path, stage)
            if file.is_file():
                _refuse_older(image_label(str(file)), file, image)
                arrays[stage] = _with_batch(read_trace_array(file), dimensions, file)
        size, map_, shape = turned_image_file_size(data), arrays.get(PROBABILITY_MAP), None
        if size is not None and map_ is not None and not is_line:
            height, width = map_.shape[2:]
            shape = (float(size[0]), float(size[1]), height / size[0], width / size[1])
        return Trace(
            pipeline=self.name,
            image=str(image),
            shape=shape,
            detections=None if result.polygons is None else Detections(result.polygons, result.scores),
            recognition=result.recognition,
            parameters=result.parameters,
            **arrays,
        )

    def _refuse_other_image(
        self, where: str, path: Path, image: Path, sha256: str, stated: str | None, made_of: str | None
    ) -> None:
        """Raise ResultError for results of another image, or of an earlier one. A digest decides where there is one."""
        if stated is not None:
            if stated != sha256:
                raise ResultError(
                    f"{where}: was made of another image than {image_label(str(image))}: its image_sha256 is "
                    f"{stated[:12]!r}..., and that of this image {sha256[:12]!r}...; write the results again"
                )
            return
        if made_of and re.split(r"[/\\]", made_of)[-1] != image.name:
            raise ResultError(
                f"{where}: was made of {image_label(made_of)}, and not of {image_label(str(image))}: name the file of "
                f"each image in {self.table}.results, as by {{name}}; or write the image's digest into it, as "
                "image_sha256"
            )
        _refuse_older(where, path, image)

    def _refuse_other_size(self, where: str, image: str, data: bytes, result: Result) -> None:
        """Raise ResultError where the service saw a picture of another size than the image's."""
        size = turned_image_file_size(data)
        if self._frame != "image" and None not in (size, result.size) and size != result.size:
            seen, own = (f"{each[1]}x{each[0]} px" for each in (result.size, size) if each is not None)
            raise ResultError(
                f"{where}: the service saw a picture of {seen}, and {image} has {own}: its boxes are in other pixels. "
                "Send the bytes of the image as they are; or, if its boxes are in the pixels of the image, set "
                f'{self.table}.frame = "image"'
            )


def _refuse_older(where: str, path: Path, image: Path) -> None:
    written, changed = (each.stat().st_mtime for each in (path, image))
    if written < changed:
        times = [datetime.fromtimestamp(each).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3] for each in (written, changed)]
        raise ResultError(
            f"{where}: is older than {image_label(str(image))} (written {times[0]}, the image {times[1]}), so it may "
            "be of an earlier image: write the results again; or write the image's digest into them, as image_sha256"
        )


def _with_batch(array: npt.NDArray[Any], dimensions: tuple[int, ...], file: Path) -> npt.NDArray[Any]:
    """Return an array with batch and channel in front. Raises ResultError where it has another form."""
    if array.ndim not in dimensions or array.dtype.kind != "f":
        forms: Mapping[int, str] = {2: "(h, w)", 3: "(c, h, w)", 4: "(1, c, h, w)"}
        forms = {2: "(T, C)", 3: "(1, T, C)"} if dimensions == _OF_LINES[PROBABILITY_MAP] else forms
        known = " or ".join(forms[each] for each in dimensions)
        raise ResultError(f"{file}: holds {array.dtype} of shape {array.shape}, not floats of shape {known}")
    return array.reshape((1,) * (max(dimensions) - array.ndim) + array.shape)

"""Reads PaddleOCR's label files line by line, and refuses or counts what of them cannot be used.

PaddleOCR's `SimpleDataSet` gives the image of another line in place of one that is missing, has no box or does not
parse, so that some images count twice and others not at all. Nothing is replaced here.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Annotated, Final, Literal, NamedTuple, TypeAlias

from pytest_ocrparity.errors import LabelError, did_you_mean
from pytest_ocrparity.evaluate.counts import counted_shapes
from pytest_ocrparity.evaluate.label_group import Grouping, group_mistake
from pytest_ocrparity.evaluate.label_line import Label, LineForm, can_be_path
from pytest_ocrparity.stages import DETECTION, RECOGNITION
from pytest_ocrparity.wording import printable

UNLABELLED, EMPTY = "unlabelled", "empty"
BLANKS: Final = (UNLABELLED, EMPTY)
"""What a page without boxes, or a line without text, is: nobody labelled it, or it holds no text."""
FILE_STATE: Final = "fileState.txt"
"""PPOCRLabel's list of the pages that somebody confirmed, in the folder of its label file."""

_Paths: TypeAlias = "str | PathLike[str] | Sequence[str | PathLike[str]]"

_LFS_POINTER: Final = b"version https://git-lfs"


@dataclass(frozen=True, slots=True)
class LabelCensus:
    """What label files hold: how many images and boxes are used, and how many are not, by reason."""

    images: Annotated[int, "images whose label is used"] = 0
    blank: Annotated[int, "of these, images that hold no text, as their label says"] = 0
    boxes: Annotated[int, "boxes of the images that are used"] = 0
    ignored: Annotated[int, "of these, don't care (* or ###)"] = 0
    invalid: Annotated[int, "of these, boxes that cross themselves or have no area: left out, as by PaddleOCR"] = 0
    unlabelled: Annotated[int, 'images without boxes or text that nobody labelled (blank = "unlabelled"): left out'] = 0
    unconfirmed: Annotated[int, "images that PPOCRLabel's fileState.txt does not list: left out"] = 0
    missing: Annotated[int, "labels whose image file is not there: left out"] = 0
    repeated: Annotated[int, "lines that repeat an image with the same label: used once"] = 0
    empty_lines: Annotated[int, "lines with nothing in them"] = 0
    first: Annotated[tuple[tuple[str, str], ...], "name of a count, and where the first of it stands: file:line"] = ()

    @property
    def left_out(self) -> dict[str, int]:
        """How many images are not used, by the reasons that occur."""
        names = ("unlabelled", "unconfirmed", "missing")
        return {name: count for name in names if (count := getattr(self, name))}


class _Place(NamedTuple):
    """Where the label of an image stands."""

    image: str
    group: str
    file: int
    line: int
    start: int  # of the line, in bytes
    digest: int  # of the line


class Labels:
    """The labels of many images. Memory holds where each stands in its file, and reads it from there.

    Attributes:
        task: "detection" or "recognition".
        files: the paths of the label files.
        images: the paths of the images whose label is used, in the order of their lines.
        missing: the paths of images that have a label and are not there.
        census: what the files hold.
    """

    def __init__(
        self,
        form: LineForm,
        files: tuple[str, ...],
        places: dict[str, _Place],
        left_out: Mapping[str, str],
        missing: tuple[str, ...],
        census: LabelCensus,
    ) -> None:
        """Keep what `read_labels` found; `left_out` are paths of images whose label is not used, by their identity."""
        self.task, self.files, self.missing, self.census = form.task, files, missing, census
        self._form, self._places, self._left_out = form, places, left_out
        self._folders: dict[str, str] = {}

    @property
    def images(self) -> tuple[str, ...]:
        """The paths of the images whose label is used, in the order of their lines."""
        return tuple(place.image for place in self._places.values())

    def __len__(self) -> int:
        """Return the number of images whose label is used."""
        return len(self._places)

    def __iter__(self) -> Iterator[Label]:
        """Yield the labels in the order of their lines."""
        return map(self._read, self._places.values())

    def of(self, image: str | PathLike[str]) -> Label | None:
        """Return the label of an image, however its path is written; None where it has none that is used.

        Raises:
            LabelError: the file changed since it was checked.
        """
        place = self._places.get(self._identity(image))
        return None if place is None else self._read(place)

    def left_out(self, image: str | PathLike[str]) -> str:
        """Return how a label names an image that is left out, however its path is written; else nothing."""
        return self._left_out.get(self._identity(image), "")

    def _identity(self, image: str | PathLike[str]) -> str:
        path = os.fspath(image)
        # Where a relative path leads can change during a run.
        return image_identity(path, self._folders if os.path.isabs(path) else {})  # noqa: PTH117 - for each image

    def _read(self, place: _Place) -> Label:
        path = self.files[place.file]
        where = f"{path}:{place.line}"
        try:
            with Path(path).open("rb") as file:
                file.seek(place.start)
                line = file.readline()
        except OSError as error:
            raise LabelError(f"{where}: cannot read the label of {place.image}: {error.strerror or error}") from error
        if hash(line) != place.digest:
            raise LabelError(f"{where} is another line than before: the file changed during the run")
        label = self._form.label(self._form.split(line, where)[1], where)
        return replace(label, image=place.image, group=place.group, where=where)


def image_identity(path: str, folders: dict[str, str]) -> str:
    """Return what all paths of an image share: links among the folders are followed, that of the file is not.

    `folders` remembers the folders that were asked for, which costs a system call for each part of a path.
    """
    folder, name = os.path.split(path)  # Path.resolve follows the file's own link as well
    if folder not in folders:
        try:
            folders[folder] = os.path.realpath(folder)
        except ValueError:  # no folder can have this name
            folders[folder] = folder
    return os.path.join(folders[folder], name)  # noqa: PTH118 - called for each image


class _Reader:
    """Checks lines, and counts what is in them."""

    def __init__(self, form: LineForm, blank: str | None, group: Grouping | None) -> None:
        self.form, self.blank, self.group = form, blank, group
        self.places: dict[str, _Place] = {}
        self.left_out: dict[str, str] = {}
        self.missing: list[tuple[str, str]] = []  # as the line names them, and their paths
        self._texts: dict[str, tuple[str, int]] = {}  # by image, where its label stands, and a hash of it
        self._folders: dict[str, str] = {}
        self._counts: dict[str, int] = {}
        self._first: dict[str, str] = {}

    @property
    def census(self) -> LabelCensus:
        return LabelCensus(**self._counts, first=tuple(self._first.items()))

    def add(self, name: str, where: str, count: int = 1) -> None:
        if count:
            self._counts[name] = self._counts.get(name, 0) + count
            self._first.setdefault(name, where)

    def leave_out(self, name: str, where: str, identity: str, image: str) -> None:
        self.add(name, where)
        self.left_out[identity] = image

    def read(self, index: int, path: Path, data_dir: Path) -> None:
        """Check all lines of a file. Raises LabelError."""
        # PPOCRLabel writes the lines of confirmed pages alone to rec_gt.txt, beside a list of pages.
        confirmed = _confirmed_pages(path) if self.form.task == DETECTION.name else None
        try:
            with path.open("rb") as file:
                start = 0
                for number, line in enumerate(file, 1):
                    where = f"{path}:{number}"
                    if line.startswith(_LFS_POINTER) and number == 1:
                        raise LabelError(f"{path} is a git-lfs pointer, not the file itself: run `git lfs pull`")
                    if line.strip():
                        self._read_line(line, where, confirmed, data_dir, (index, number, start, hash(line)))
                    else:
                        self.add("empty_lines", where)
                    start += len(line)
        except OSError as error:
            raise LabelError(f"{path}: cannot read this label file: {error.strerror or error}") from error

    def _read_line(
        self,
        line: bytes,
        where: str,
        confirmed: frozenset[str] | None,
        data_dir: Path,
        place: tuple[int, int, int, int],
    ) -> None:
        names, text = self.form.split(line, where)
        label = self.form.label(text, where)
        invalid = len(label.polygons) - len(counted_shapes(label.polygons)[0])
        images = [os.path.join(data_dir, name) for name in names]  # noqa: PTH118 - as PaddleOCR joins them
        for name, image in zip(names, images, strict=True):
            identity = image_identity(image, self._folders)
            if not self._is_new(identity, name, text, where):
                self.add("repeated", where)
            elif confirmed is not None and _last_parts(name) not in confirmed:
                self.leave_out("unconfirmed", where, identity, image)
            elif label.is_blank and self._is_unlabelled(name, where):
                self.leave_out("unlabelled", where, identity, image)
            elif not os.path.isfile(image):  # noqa: PTH113 - a third of the time of Path's, for each image
                self.leave_out("missing", where, identity, image)
                self.missing.append((name, image))
            else:
                self.add("images", where)
                self.add("blank", where, label.is_blank)
                self.add("boxes", where, len(label.polygons))
                self.add("ignored", where, sum(label.ignored))
                self.add("invalid", where, invalid)
                self.places[identity] = _Place(image, self._group_of(name, where) or images[0], *place)

    def _is_new(self, identity: str, name: str, text: str, where: str) -> bool:
        """Return whether no line before named this image. Raises LabelError where one said something else."""
        if identity not in self._texts:
            self._texts[identity] = where, hash(text)
            return True
        before, digest = self._texts[identity]
        if digest != hash(text):
            raise LabelError(
                f"{where}: {printable(name)} has another label than in {before}: PaddleOCR would count both; "
                "delete the wrong line"
            )
        return False

    def _is_unlabelled(self, name: str, where: str) -> bool:
        """Return whether nobody labelled an image without boxes or text. Raises LabelError where that is not known."""
        if self.blank is None:
            what = "boxes" if self.form.task == DETECTION.name else "text"
            raise LabelError(
                f"{where}: {printable(name)} has no {what}, which can mean two things: set blank = {EMPTY!r} where "
                f"such images hold no text, so that what is found on them is a false alarm, or blank = {UNLABELLED!r} "
                "where nobody labelled them, so that they are left out"
            )
        return self.blank == UNLABELLED

    def _group_of(self, name: str, where: str) -> str:
        """Return the document that an image is of, nothing where none is known. Raises LabelError."""
        if self.group is None:
            return ""
        if callable(self.group):
            document: object = self.group(name)
        else:
            found = re.search(self.group, name)
            document = None if found is None else found[1]
        if document in (None, ""):
            raise LabelError(
                f"{where}: group = {self.group!r} finds no document in {printable(name)}: it has to find one in every "
                "path"
            )
        return str(document)


def _last_parts(path: str) -> str:
    """Return the folder and name of an image, by which PPOCRLabel knows it."""
    return "/".join(path.replace("\\", "/").split("/")[-2:])


def _confirmed_pages(path: Path) -> frozenset[str] | None:
    """Return the pages that PPOCRLabel's list beside a label file says were confirmed; None without such a list."""
    state = path.parent / FILE_STATE
    try:
        lines = state.read_text("utf-8", errors="replace").splitlines()
    except OSError:
        return None
    return frozenset(_last_parts(line.rpartition("\t")[0]) for line in lines if "\t" in line)


def read_labels(
    files: _Paths,
    *,
    task: str = DETECTION.name,
    data_dir: str | PathLike[str] | None = None,
    delimiter: str = "\t",
    blank: str | None = None,
    group: Grouping | None = None,
) -> Labels:
    """Check every line of label files, and return what is in them.

    Args:
        files: one path or several.
        task: "detection" or "recognition".
        data_dir: the folder that the paths of the lines start from; else that of each label file.
        delimiter: what stands between path and label.
        blank: what a page without boxes (a line without text) is, "unlabelled" or "empty"; None refuses such a page.
        group: how the document of an image is found by its path in the label file; None where images are by
            themselves, but for those that share a line.

    Raises:
        LabelError: a file or a line cannot be used, or none is.
    """
    _check_choices(task, delimiter, blank, group)
    paths = [Path(each) for each in ([files] if isinstance(files, str | PathLike) else files or ())]
    if not paths:
        raise LabelError("no label file is named: give the path of one, such as Label.txt")
    for path in paths:
        if not can_be_path(str(path)):
            raise LabelError(f"{printable(str(path))} cannot be the path of a label file: correct it")
    reader = _Reader(LineForm(task, delimiter), blank, group)
    for index, path in enumerate(paths):
        reader.read(index, path, path.parent if data_dir is None else Path(data_dir))
    census = reader.census
    if not reader.places:
        raise LabelError(_why_none(paths, census, reader.missing))
    missing = tuple(image for _, image in reader.missing)
    return Labels(reader.form, tuple(map(str, paths)), reader.places, reader.left_out, missing, census)


def _check_choices(task: str, delimiter: str, blank: str | None, group: Grouping | None) -> None:
    """Raise LabelError for an argument that means nothing."""
    if task not in (DETECTION.name, RECOGNITION.name):
        raise LabelError(
            f"task = {task!r} means nothing: {did_you_mean(str(task), (DETECTION.name, RECOGNITION.name))}"
        )
    if blank not in (*BLANKS, None):
        raise LabelError(f"blank = {blank!r} means nothing: {did_you_mean(str(blank), BLANKS)}")
    if not isinstance(delimiter, str) or not delimiter or "\n" in delimiter or "\r" in delimiter:
        raise LabelError(
            f"delimiter = {delimiter!r} cannot stand between path and label: name what does, such as '\\t'"
        )
    if group is not None and (mistake := group_mistake("group", group)):
        raise LabelError(mistake)


def _other_spellings(path: str) -> dict[str, str]:
    """Return a path as other systems write it."""
    forms: tuple[Literal["NFC", "NFD"], ...] = ("NFC", "NFD")
    return {"with / for \\": path.replace("\\", "/")} | {
        f"in Unicode's {form}": unicodedata.normalize(form, path) for form in forms
    }


def _why_none(paths: Sequence[Path], census: LabelCensus, missing: Sequence[tuple[str, str]]) -> str:
    """Return the message where no label is used."""
    where = ", ".join(map(str, paths))
    if not census.left_out:
        return f"{where}: no line names an image: give the label file of the images"
    counts = ", ".join(f"{count} {name}" for name, count in census.left_out.items())
    text = f"{where}: no label can be used: {counts}"
    if census.missing:
        name, image = missing[0]
        found = next((each.parent.parent for each in paths if (each.parent.parent / name).is_file()), None)
        hint = "" if found is None else f"; of {found} it is there"
        for form, other in _other_spellings(image).items():
            hint = f"; {form} it is there" if os.path.isfile(other) else hint  # noqa: PTH113 - as it is written
        return f"{text}; {image} is not there: set data_dir to the folder that the paths of the lines start from{hint}"
    if census.unconfirmed:
        return f"{text}: confirm pages in PPOCRLabel, or move its {FILE_STATE} away where it does not hold any more"
    return f'{text}: label some, or set blank = "{EMPTY}" where they hold no text'

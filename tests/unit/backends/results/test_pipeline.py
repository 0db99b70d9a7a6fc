"""A side made of files: the file of an image is found, and none is taken that may be of another image."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from toy import PAGE, Toy

from pytest_ocrparity import ImageError, Recognition, ResultError
from pytest_ocrparity.backends.results.pipeline import ResultsPipeline

QUAD = [[1, 2], [11, 2], [11, 8], [1, 8]]


class Files:
    """An image of 40x30 px, and what was written of it a second later."""

    def __init__(self, folder: Path, name: str = "page.png") -> None:
        self.folder, self.image = folder, folder / "images" / name
        for each in (self.image.parent, folder / "out"):
            each.mkdir(exist_ok=True)
        Image.new("RGB", (40, 30)).save(self.image)
        os.utime(self.image, (1000, 1000))
        self.path = folder / "out" / f"{self.image.stem}.json"

    def write(self, document: Any, seconds: int = 1001) -> None:
        self.path.write_text(json.dumps(document))
        os.utime(self.path, (seconds, seconds))

    def beside(self, stage: str, array: Any, seconds: int = 1001) -> None:
        path = self.path.with_name(f"{self.path.stem}.{stage}.npy")
        np.save(path, array)
        os.utime(path, (seconds, seconds))

    def side(self, template: str = "out/{stem}.json", **values: Any) -> ResultsPipeline:
        return ResultsPipeline(self.folder / template, self.folder, **values)

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.image.read_bytes()).hexdigest()


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


BOXES = {"input_path": "/data/page.png", "dt_polys": [QUAD], "dt_scores": [0.5]}


def test_the_boxes_of_an_image(files: Files) -> None:
    files.write(BOXES)
    trace = files.side(name="server").trace(files.image)
    assert (trace.pipeline, trace.image, trace.image_sha256) == ("server", str(files.image), files.sha256)
    assert trace.stages == ("detections",)
    assert trace.source is None
    assert trace.detections is not None and trace.detections.polygons[0].tolist() == QUAD


@pytest.mark.parametrize(
    ("template", "path"),
    [
        ("out/{stem}.json", "out/page.json"),
        ("out/{name}.json", "out/page.png.json"),
        ("out/{parent}/{stem}_res.json", "out/images/page_res.json"),
        ("{parent}/{stem}.json", "images/page.json"),
    ],
)
def test_where_the_results_of_an_image_lie(files: Files, template: str, path: str) -> None:
    assert files.side(template).path_of(files.image) == files.folder / path


def test_braces_in_a_folders_name_are_no_placeholders(tmp_path: Path) -> None:
    folder = tmp_path / "a {0} {x"
    folder.mkdir()
    assert Files(folder).side().path_of(folder / "images" / "page.png") == folder / "out" / "page.json"


def test_a_missing_file_names_image_and_setting(files: Files) -> None:
    with pytest.raises(
        ResultError, match=r"out/page\.json: no such file: the results of .*page\.png, as candidates\.x"
    ):
        files.side(name="x").trace(files.image)


def test_an_array_has_no_results(files: Files) -> None:
    with pytest.raises(ImageError, match=r"inference\.results names files by those of the images: an array has none"):
        files.side().trace(PAGE)


class TestOfAnotherImage:
    def test_older_than_the_image(self, files: Files) -> None:
        files.write(BOXES, 999)
        with pytest.raises(
            ResultError, match=r"page\.json: is older than .*page\.png \(written .*, the image .*write "
        ):
            files.side().trace(files.image)
        files.write(BOXES, 1000)
        files.side().trace(files.image)

    def test_a_digest_decides_whatever_the_times(self, files: Files) -> None:
        files.write({**BOXES, "image_sha256": files.sha256, "input_path": "tmp/upload"}, 999)
        files.side().trace(files.image)
        files.write({**BOXES, "image_sha256": "0" * 64}, 1001)
        with pytest.raises(ResultError, match=r"was made of another image than .*page\.png: its image_sha256 is '0000"):
            files.side().trace(files.image)

    @pytest.mark.parametrize("path", ["/x/page.jpg", "C:\\x\\other.png"])
    def test_of_another_name(self, files: Files, path: str) -> None:
        files.write({**BOXES, "input_path": path})
        with pytest.raises(ResultError, match=r"page\.json: was made of .*, and not of .*page\.png: .*by \{name\}"):
            files.side().trace(files.image)

    @pytest.mark.parametrize("path", ["C:\\x\\page.png", "page.png", None])
    def test_of_the_same_name_elsewhere(self, files: Files, path: str | None) -> None:
        files.write({**BOXES, "input_path": path})
        files.side().trace(files.image)

    def test_of_another_size(self, files: Files) -> None:
        answer = {"ocrResults": [{"prunedResult": BOXES}], "dataInfo": {"width": 20, "height": 15, "type": "image"}}
        files.write({"errorCode": 0, "result": answer})
        with pytest.raises(ResultError, match=r"saw a picture of 20x15 px, and .*page\.png has 40x30 px"):
            files.side().trace(files.image)
        files.side(frame="image").trace(files.image)
        answer["dataInfo"] = {"width": 40, "height": 30}
        files.write({"errorCode": 0, "result": answer})
        files.side().trace(files.image)

    def test_a_turned_photograph_has_the_size_that_it_is_shown_in(self, tmp_path: Path) -> None:
        files = Files(tmp_path, "page.jpg")
        exif = Image.Exif()
        exif[0x0112] = 6
        Image.new("RGB", (40, 30)).save(files.image, exif=exif)
        os.utime(files.image, (1000, 1000))
        page = {"ocrResults": [{"prunedResult": {"dt_polys": []}}], "dataInfo": {"width": 30, "height": 40}}
        files.write({"result": page})
        assert files.side().trace(files.image).stages == ("detections",)


class TestArraysBeside:
    def test_tensor_and_map(self, files: Files) -> None:
        files.write(BOXES)
        files.beside("tensor", np.zeros((3, 32, 64), np.float32))
        files.beside("probability_map", np.ones((32, 64), np.float32))
        trace = files.side().trace(files.image)
        assert trace.stages == ("tensor", "probability_map", "detections")
        assert trace.tensor is not None and trace.tensor.shape == (1, 3, 32, 64)
        assert trace.probability_map is not None and trace.probability_map.shape == (1, 1, 32, 64)
        assert trace.shape == (30.0, 40.0, 32 / 30, 64 / 40)

    def test_an_older_one_is_refused(self, files: Files) -> None:
        files.write(BOXES)
        files.beside("tensor", np.zeros((3, 32, 64), np.float32), 999)
        with pytest.raises(ResultError, match=r"page\.tensor\.npy: is older than"):
            files.side().trace(files.image)

    @pytest.mark.parametrize(
        ("array", "said"),
        [
            (
                np.zeros((3, 2), np.float32),
                r"holds float32 of shape \(3, 2\), not floats of shape \(c, h, w\) or \(1, c",
            ),
            (np.zeros((1, 3, 2, 2), np.uint8), "holds uint8"),
            (np.array(["x"]), "holds <U1, not plain numbers"),
            (np.array([{}], object), "not a .npy file of plain numbers"),
        ],
    )
    def test_what_is_no_tensor_is_refused(self, files: Files, array: Any, said: str) -> None:
        files.write(BOXES)
        files.beside("tensor", array)
        with pytest.raises(ResultError, match=rf"page\.tensor\.npy: {said}"):
            files.side().trace(files.image)

    def test_a_file_that_claims_more_than_it_holds_is_refused(self, files: Files) -> None:
        files.write(BOXES)
        files.beside("tensor", np.zeros((3, 2, 2), np.float32))
        path = files.path.with_name("page.tensor.npy")
        path.write_bytes(path.read_bytes().replace(b"(3, 2, 2), ", b"(3, 2, 2000000000), ".ljust(11))[: 128 + 48])
        os.utime(path, (1001, 1001))
        with pytest.raises(ResultError, match=r"page\.tensor\.npy: not a \.npy file of plain numbers"):
            files.side().trace(files.image)


def test_our_own_files_are_read_whole(files: Files) -> None:
    np.save(files.folder / "page.npy", PAGE)
    image = files.folder / "page.npy"
    made = Toy().trace(str(image))
    made.to_json(files.folder / "out" / "page.json")
    os.utime(image, (1000, 1000))
    found = files.side(name="port").trace(image)
    assert found.stages == made.stages
    assert found.pipeline == "port"
    assert found.detections == made.detections


def test_our_own_file_of_another_image_is_refused(files: Files) -> None:
    np.save(files.folder / "page.npy", PAGE)
    Toy().trace(str(files.folder / "page.npy")).to_json(files.path)
    with pytest.raises(ResultError, match=r"was made of .*page\.npy, and not of .*page\.png"):
        files.side().trace(files.image)


def test_a_file_is_read_once(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a file that is replaced meanwhile, another would be compared than was looked at."""
    replace(Toy().trace(PAGE), image=str(files.image), image_sha256=files.sha256).to_json(files.path)
    read: list[Path] = []
    original = Path.read_bytes

    def counting(path: Path) -> bytes:
        read.append(path)
        return original(path)

    monkeypatch.setattr(Path, "read_bytes", counting)
    assert files.side().trace(files.image).tensor is not None
    assert read.count(files.path) == 1


LINE = {"input_path": "/data/page.png", "page_index": None, "rec_text": "a b", "rec_score": 0.5}


def test_the_text_of_a_line_and_the_map_beside_it(files: Files) -> None:
    files.write(LINE)
    trace = files.side().trace(files.image)
    assert (trace.recognition, trace.detections, trace.shape) == (Recognition("a b", 0.5), None, None)
    steps = np.full((5, 4), 0.25, np.float32)
    for array in (steps, steps[None]):  # of which a detector's would be a map of pixels
        files.beside("probability_map", array)
        found = files.side().trace(files.image).probability_map
        assert found is not None and found.shape == (1, 5, 4)
    files.beside("probability_map", steps[None, None])
    with pytest.raises(ResultError, match=r"of shape \(1, 1, 5, 4\), not floats of shape \(T, C\) or \(1, T, C\)"):
        files.side().trace(files.image)
    files.write(BOXES)
    found = files.side().trace(files.image).probability_map
    assert found is not None and found.shape == (1, 1, 5, 4)


def test_of_a_recogniser_beside_a_detector_its_own_table_is_named(files: Files) -> None:
    with pytest.raises(ResultError, match=r"as recognition\.inference\.results names it"):
        files.side(prefix="recognition.").trace(files.image)
    assert files.side(prefix="recognition.", name="app").table == "recognition.candidates.app"
    with pytest.raises(ResultError, match=r"as inference\.results names it"):
        files.side().trace(files.image)

"""Unusual images, by the real two sides of the example: compared, or refused with a reason; never past the memory."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from listening import Heard, listen
from PIL import Image
from projects import PATIENCE

from pytest_ocrparity import (
    assert_same_detections,
    assert_same_preprocessing,
    assert_same_probability_maps,
)
from pytest_ocrparity.comparison import DifferenceError
from pytest_ocrparity.diagnose.cache import DiagnosisCache
from pytest_ocrparity.errors import ImageError, NotEnoughMemory
from real.blob import operators_root
from real.features import needs_suffix
from real.peak import EXAMPLE, sides

Save = Callable[[Path], None]
ASSERTIONS = (assert_same_preprocessing, assert_same_probability_maps, assert_same_detections)
UNCAPPED = {"max_side_limit": 10**9}


@pytest.fixture(scope="module")
def both() -> list[Any]:
    """The example's train side and its export."""
    return sides(None)


@pytest.fixture(scope="module")
def uncapped() -> list[Any]:
    """The same without paddleocr's cap on the long side, which the train side does not have."""
    return sides(None, **UNCAPPED)


@pytest.fixture(autouse=True)
def quick(nobody_listens: None) -> None:
    """Make no experiments: what is seen here is what the assertions say by themselves."""
    heard = Heard()
    heard.diagnoser = DiagnosisCache(0)
    listen(heard)


def words() -> Image.Image:
    """A piece of the receipt with words on it; 160x160 px."""
    with Image.open(EXAMPLE / "images" / "receipt.png") as page:
        return page.convert("RGB").crop((100, 40, 260, 200))


def deep(mode: str) -> npt.NDArray[np.uint16]:
    """The words in 16 bits, whose low bits are not those of the high ones; (160, 160) or (160, 160, 3) BGR."""
    pixels = np.asarray(words().convert("L") if mode == "L" else words())
    return np.ascontiguousarray(pixels[..., ::-1] if mode == "RGB" else pixels).astype(np.uint16) * 256 + 99


def by_cv2(pixels: npt.NDArray[Any]) -> Save:
    def save(path: Path) -> None:
        import cv2

        assert cv2.imwrite(str(path), pixels)

    return save


def by_pillow(mode: str = "RGB", **options: Any) -> Save:
    def save(path: Path) -> None:
        image = words()
        if mode == "RGBA":
            image.putalpha(Image.linear_gradient("L").resize(image.size))
        image.convert(mode).save(path, **options)

    return save


def pages(**options: Any) -> Save:
    """Several pictures in one file, of which the first is the words, and another blank."""
    return lambda path: words().save(path, save_all=True, append_images=[Image.new("RGB", (160, 160))], **options)


def turned(tag: int) -> Save:
    exif = Image.Exif()
    exif[0x0112] = tag
    return by_pillow(exif=exif, quality=95)


def paper(width: int, height: int) -> Save:
    return lambda path: Image.new("RGB", (width, height), (250, 240, 230)).save(path)


COMPARED: dict[str, tuple[str, Save, tuple[int, int]]] = {
    "1x1": (".png", paper(1, 1), (1, 1)),
    "20x30": (".png", paper(20, 30), (30, 20)),
    "grey": (".png", by_pillow("L"), (160, 160)),
    "grey jpeg": (".jpg", by_pillow("L", quality=95), (160, 160)),
    "1 bit": (".png", by_pillow("1"), (160, 160)),
    "16 bit grey": (".png", by_cv2(deep("L")), (160, 160)),
    "16 bit colour": (".png", by_cv2(deep("RGB")), (160, 160)),
    "cmyk jpeg": (".jpg", by_pillow("CMYK", quality=95), (160, 160)),
    "cmyk tiff": (".tif", by_pillow("CMYK"), (160, 160)),
    "palette": (".png", by_pillow("P"), (160, 160)),
    "palette with transparency": (".png", by_pillow("P", transparency=0), (160, 160)),
    "grey with alpha": (".png", by_pillow("LA"), (160, 160)),
    "alpha": (".png", by_pillow("RGBA"), (160, 160)),
    "alpha webp": (".webp", by_pillow("RGBA", lossless=True), (160, 160)),
    "animated png": (".png", pages(), (160, 160)),
    "multi-page tiff": (".tif", pages(), (160, 160)),
    **{f"exif {tag}": (".jpg", turned(tag), (160, 160)) for tag in range(1, 9)},
}


@pytest.mark.parametrize("kind", COMPARED)
def test_both_sides_agree_on(both: list[Any], tmp_path: Path, kind: str) -> None:
    suffix, save, size = COMPARED[kind]
    needs_suffix(f"image{suffix}")
    save(tmp_path / f"image{suffix}")
    train, inference = (side.trace(tmp_path / f"image{suffix}") for side in both)
    assert train.decode.shape == inference.decode.shape == (*size, 3)
    statuses = [judge(train, inference).status for judge in ASSERTIONS]
    if size != (160, 160):  # blank paper
        assert statuses in (["same"] * 3, ["same", "same", "empty"])
    else:
        assert statuses == ["same"] * 3
        assert len(train.detections) > 0 < len(inference.detections)
        assert np.ptp(train.decode.pixels) > 60  # words, and not what a decoder makes of what it does not know
    other = replace(both[1].preprocess(255 - inference.decode.pixels), image=inference.image)
    with pytest.raises(DifferenceError, match=r"image\..*: first difference at decode: train and inference differ by"):
        assert_same_preprocessing(train, other)


def test_the_words_are_found_and_an_exif_tag_turns_them(both: list[Any], tmp_path: Path) -> None:
    """Each tag shows the same words in another position: equal sides alone could both ignore it."""
    decoded = {}
    for tag in (1, 3, 6):
        turned(tag)(tmp_path / f"{tag}.jpg")
        decoded[tag] = both[0].preprocess(tmp_path / f"{tag}.jpg").decode.pixels.astype(int)
    assert len(both[0].trace(tmp_path / "1.jpg").detections) > 0
    assert np.abs(np.rot90(decoded[1], 2) - decoded[3]).mean() < 2 < np.abs(decoded[1] - decoded[3]).mean()
    assert np.abs(np.rot90(decoded[1], -1) - decoded[6]).mean() < 2 < np.abs(decoded[1] - decoded[6]).mean()


def cut(save: Save, count: int) -> Save:
    def write(path: Path) -> None:
        save(path)
        path.write_bytes(path.read_bytes()[:count])

    return write


def text(path: Path) -> None:
    path.write_text("no image")


TRAIN_CANNOT = "PaddleOCR's DecodeImage cannot decode this file; is it an image"
PADDLEX_CANNOT = "paddlex cannot decode this file; is it an image"
REFUSED: dict[str, tuple[str, Save, str, str]] = {
    "zero bytes": (".png", Path.touch, "this image file is empty", ""),
    "truncated png": (".png", cut(by_pillow(), 900), "this image file is truncated", ""),
    "truncated jpeg": (".jpg", cut(by_pillow(), 900), "this image file is truncated", ""),
    "truncated webp": (".webp", cut(by_pillow(), 900), TRAIN_CANNOT, PADDLEX_CANNOT),
    "text": (".png", text, TRAIN_CANNOT, PADDLEX_CANNOT),
    "folder": (".png", Path.mkdir, "cannot read this image: Is a directory", ""),
    "animated webp": (".webp", pages(lossless=True), TRAIN_CANNOT, PADDLEX_CANNOT),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_both_sides_refuse(both: list[Any], tmp_path: Path, kind: str) -> None:
    suffix, save, train_says, inference_says = REFUSED[kind]
    needs_suffix(f"image{suffix}")
    save(tmp_path / f"image{suffix}")
    for side, reason in zip(both, (train_says, inference_says or train_says), strict=True):
        with pytest.raises(ImageError, match=rf"image\{suffix}: {reason}"):
            side.trace(tmp_path / f"image{suffix}")


def test_a_gif_is_no_image_for_opencv_and_no_suffix_for_paddlex(both: list[Any], tmp_path: Path) -> None:
    pages()(tmp_path / "image.gif")
    with pytest.raises(ImageError, match=rf"image\.gif: {TRAIN_CANNOT}"):
        both[0].trace(tmp_path / "image.gif")
    trace = both[1].trace(tmp_path / "image.gif")
    assert trace.stages == ()
    assert "it goes by the suffix and reads " in str(trace.error)


def test_a_float_tiff_is_read_by_paddlex_alone(both: list[Any], tmp_path: Path) -> None:
    """paddlex reads TIFF through Pillow, training through cv2: the test ends at the train side's refusal."""
    needs_suffix("image.tif")
    Image.fromarray(np.asarray(words().convert("L"), np.float32)).save(tmp_path / "image.tif")
    with pytest.raises(ImageError, match=rf"image\.tif: {TRAIN_CANNOT}"):
        both[0].trace(tmp_path / "image.tif")
    assert both[1].trace(tmp_path / "image.tif").error is None


def test_a_16_bit_grey_tiff_is_white_for_paddlex_and_differs(both: list[Any], tmp_path: Path) -> None:
    """Pillow cuts 16 bits off at 255, where cv2 scales them: such a scan is blank for the deployment."""
    needs_suffix("image.tif")
    by_cv2(deep("L"))(tmp_path / "image.tif")
    train, inference = (side.trace(tmp_path / "image.tif") for side in both)
    assert inference.decode.pixels.min() == 255 > train.decode.pixels.max()
    for judge in ASSERTIONS:
        with pytest.raises(DifferenceError, match=r"image\.tif: first difference at decode"):
            judge(train, inference)


def test_a_16_bit_colour_tiff_is_rounded_otherwise_and_differs(both: list[Any], tmp_path: Path) -> None:
    needs_suffix("image.tif")
    by_cv2(deep("RGB"))(tmp_path / "image.tif")
    train, inference = (side.trace(tmp_path / "image.tif") for side in both)
    assert np.abs(train.decode.pixels.astype(int) - inference.decode.pixels).max() == 1
    with pytest.raises(DifferenceError, match=r"image\.tif: first difference at decode: .* differ by 0\.0"):
        assert_same_preprocessing(train, inference)


def test_a_thin_image_is_large_and_differs_by_the_cap_alone(
    both: list[Any], uncapped: list[Any], tmp_path: Path
) -> None:
    paper(65, 11)(tmp_path / "thin.png")
    train, inference = (side.preprocess(tmp_path / "thin.png") for side in both)
    assert (train.resize.shape, inference.resize.shape) == ((736, 4352, 3), (672, 4000, 3))
    with pytest.raises(DifferenceError, match=r"resized to 4352x736 in train, 4000x672 in inference"):
        assert_same_preprocessing(train, inference)
    assert assert_same_preprocessing(train, uncapped[1].preprocess(tmp_path / "thin.png")).status == "same"


NEEDS = r"the image of {} px becomes a tensor of {} px, which would take an estimated .* GB of memory, and .* available"


@pytest.mark.parametrize("size", [(1, 4000), (4000, 1)], ids=["1x4000", "4000x1"])
def test_what_does_not_fit_is_refused_alike_on_both_sides(
    both: list[Any], uncapped: list[Any], tmp_path: Path, size: tuple[int, int]
) -> None:
    """A file of a few hundred bytes asks for 6.5 GB at its resize, and for hundreds at its network."""
    paper(*size)(tmp_path / "thin.png")
    train, capped, inference = (side.trace(tmp_path / "thin.png") for side in (*both, uncapped[1]))
    tensor = "736x2944000" if size[0] == 1 else "2944000x736"
    for trace in (train, inference):
        assert isinstance(trace.error, NotEnoughMemory)
        assert trace.stages == ("decode",)
    assert capped.error is None
    for other in (capped, inference):
        for judge in ASSERTIONS:
            told = NEEDS.format(f"{size[0]}x{size[1]}", tensor)
            with pytest.raises(DifferenceError, match=rf"thin\.png: train stopped at resize: {told}"):
                judge(train, other)
    with pytest.raises(DifferenceError, match=r"thin\.png: inference stopped at resize"):
        assert_same_probability_maps(capped, inference)


def test_a_size_that_needs_no_resize_is_refused_before_it_is_normalised(tmp_path: Path) -> None:
    paper(2048, 1024)(tmp_path / "even.png")
    for side in sides(10**9 // 2):
        trace = side.trace(tmp_path / "even.png")
        assert isinstance(trace.error, NotEnoughMemory)
        # PaddleOCR's own resize runs whatever the size, paddlex's only where it changes.
        assert trace.stages == (("decode",) if side.name == "train" else ("decode", "resize"))
        assert "a tensor of 2048x1024 px, which would take an estimated" in str(trace.error)
        assert "memory_limit is 0.5 GB" in str(trace.error)


def test_the_gate_fails_on_what_it_refuses(
    pytester: pytest.Pytester, both: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(EXAMPLE, pytester.path, dirs_exist_ok=True)
    shutil.rmtree(pytester.path / "images")
    (pytester.path / "images").mkdir()
    settings = (pytester.path / "pyproject.toml").read_text()
    settings = settings.replace("../.venv/paddleocr-2.10/paddleocr", str(operators_root()))
    (pytester.path / "pyproject.toml").write_text(settings.replace("[tool.ocrparity]", "[tool.ocrparity]\n" + LIMIT))
    paper(65, 11)(pytester.path / "images" / "thin.png")
    (pytester.path / "images" / "zero.png").touch()
    monkeypatch.setenv("COLUMNS", "500")
    result = pytester.runpytest_inprocess("-p", "no:xdist", "tests/test_export.py", "-k", "training")
    result.assert_outcomes(failed=2, deselected=2)
    told = "thin.png: train stopped at resize: the image of 65x11 px becomes a tensor of 4352x736 px, which would take"
    cause = "unknown at resize: train did not run, and no experiment was made, as too little memory was left"
    result.stdout.fnmatch_lines_random([f"*{told}*memory_limit is 0.6 GB*", f"*{cause}*", "*this image file is empty*"])


LIMIT = 'memory_limit = "600 MB"'


def test_memory_stays_within_what_was_estimated(tmp_path: Path) -> None:
    """A file of 12000x9000 px is refused by its header; what runs takes no more than was estimated for it."""
    Image.new("1", (12000, 9000)).save(tmp_path / "huge.png")
    paper(1400, 1100)(tmp_path / "large.png")
    command = [sys.executable, "-m", "real.peak", str(1200 * 10**6), "huge.png", "large.png"]
    paths = [str(tmp_path / name) if name.endswith(".png") else name for name in command]
    done = subprocess.run(paths, capture_output=True, text=True, cwd=Path(__file__).parents[1], timeout=PATIENCE)
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert len(lines) == 4, done.stderr[-3000:]
    for line in lines[:2]:
        assert line["stages"] == []
        assert "the image of 12000x9000 px would take an estimated 1.3 GB of memory" in line["error"]
        assert line["grown"] < 100 * 2**20  # decoded, it would be 324 MB
    for line in lines[2:]:
        assert line["error"] is None and line["tensor"] == [1088, 1408]
        assert 0.15 * line["estimate"] < line["grown"] < line["estimate"] < 1200 * 10**6

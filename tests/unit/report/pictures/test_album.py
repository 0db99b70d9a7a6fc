"""The pictures of a comparison show what they say."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from reports import pictures
from sides import traces
from toy import PAGE, Toy, page

from pytest_ocrparity import Detections, Trace
from pytest_ocrparity.compare import Comparisons
from pytest_ocrparity.diagnosis import FeatureMap, FeatureMaps, Layer
from pytest_ocrparity.report.document import Picture
from pytest_ocrparity.report.pictures.album import Album, _encoded_photo, slug
from pytest_ocrparity.stages import LAYER_STAGES
from pytest_ocrparity.tolerance import BUILT_IN


def opened(folder: Path, picture: Picture) -> Any:
    with Image.open(folder / picture.file) as image:
        return np.asarray(image.convert("RGB")).astype(int)


def test_the_decoded_image_and_the_tensor_look_alike(tmp_path: Path) -> None:
    numbers = {"tensor": {"mean": [0.5] * 3, "std": [0.25] * 3, "scale": 1 / 255}}
    train, inference = (replace(trace, parameters=numbers) for trace in traces())
    drawn = pictures(tmp_path, "preprocessing", (train, inference))
    for key in (("decode", "reference"), ("decode", "candidate"), ("tensor", "reference"), ("tensor", "candidate")):
        assert np.abs(opened(tmp_path, drawn[key]) - PAGE[..., ::-1]).mean() < 3  # JPEG
    assert drawn["decode", "difference"].caption == "none, every value is equal"
    assert "un-normalised with mean [0.5, 0.5, 0.5]" in drawn["tensor", "reference"].caption


def test_equal_sides_are_one_file_and_others_are_not(tmp_path: Path) -> None:
    for kind, stage in (
        ("preprocessing", "decode"),
        ("preprocessing", "tensor"),
        ("probability_maps", "probability_map"),
    ):
        equal = pictures(tmp_path, kind, traces())
        assert equal[stage, "reference"].file == equal[stage, "candidate"].file
        assert equal[stage, "difference"].bar is None
    for kind, stage in (("preprocessing", "tensor"), ("probability_maps", "probability_map")):
        other = pictures(tmp_path, kind, traces(mean=0.6))
        assert other[stage, "reference"].file != other[stage, "candidate"].file
        values = {other[stage, side].values_file for side in ("reference", "candidate", "difference")}
        assert len(values) == 3 and all((tmp_path / str(name)).is_file() for name in values)
        assert other[stage, "difference"].scale_limit is not None


@pytest.mark.parametrize("own", [0.6, "0.6", 0.3])
def test_a_map_is_said_to_be_text_above_its_own_sides_threshold(tmp_path: Path, own: object) -> None:
    train, inference = traces()
    sides = [replace(each, parameters={"detections": {"thresh": at}}) for each, at in ((train, 0.3), (inference, own))]
    drawn = pictures(tmp_path, "probability_maps", (sides[0], sides[1]))
    assert drawn["probability_map", "reference"].caption.endswith("; text where above thresh 0.3")
    said = f"; text where above thresh {own}" if isinstance(own, float) else "px"
    assert drawn["probability_map", "candidate"].caption.endswith(said)


@pytest.mark.parametrize(
    ("is_whole", "pad", "stages"), [(False, 1, []), (True, 1, ["detections"] * 2), (False, 7, ["detections"] * 2)]
)
def test_of_what_matches_a_thumbnail_is_drawn(tmp_path: Path, is_whole: bool, pad: int, stages: list[str]) -> None:
    sides = traces(pad=pad)
    comparison = Comparisons(*sides, BUILT_IN).of("detections")
    found, error = Album(tmp_path, is_selective=True).pictures_of(comparison, *sides, is_whole=is_whole)
    assert error is None
    assert [picture.stage for picture in found[:-1]] == stages
    assert (found[-1].side, found[-1].caption, found[-1].thumb) == ("thumbnail", "96x64 px", found[-1].file)
    with Image.open(tmp_path / found[-1].file) as image:
        assert image.size == (96, 64)


def test_each_image_has_its_own_thumbnail(tmp_path: Path) -> None:
    album = Album(tmp_path, is_selective=True)
    names = []
    for image in (PAGE, PAGE, page()):
        sides = Toy().trace(image), Toy(name="inference").trace(image)
        found, _ = album.pictures_of(Comparisons(*sides, BUILT_IN).of("preprocessing"), *sides)
        names += [picture.file for picture in found]
    assert names[0] == names[1] != names[2]


def test_swapped_channels_are_seen(tmp_path: Path) -> None:
    drawn = pictures(tmp_path, "preprocessing", traces(img_mode="RGB"))
    assert np.abs(opened(tmp_path, drawn["decode", "candidate"]) - PAGE).mean() < 3
    assert "decoded as RGB, drawn as BGR" in drawn["decode", "candidate"].caption
    assert drawn["decode", "difference"].bar == (0.0, 20.0)


def test_maps_of_other_shapes_have_no_difference(tmp_path: Path) -> None:
    assert set(pictures(tmp_path, "probability_maps", traces(scale=2))) == {
        ("probability_map", "reference"),
        ("probability_map", "candidate"),
    }


def test_boxes_without_any_image_are_drawn_on_nothing(tmp_path: Path) -> None:
    bare = [
        Trace(pipeline=name, image="no such file", detections=Detections((np.eye(4)[:, :2] * 40,))) for name in "ab"
    ]
    drawn = pictures(tmp_path, "detections", (bare[0], bare[1]))
    assert "no side recorded the image" in drawn["detections", "both"].caption


def test_an_engine_that_returns_boxes_alone_is_drawn_on_its_file(tmp_path: Path) -> None:
    Image.fromarray(page(boxes=((10, 10, 50, 30),))).save(tmp_path / "a.png")
    box = Detections((np.array([[10.0, 10], [50, 10], [50, 30], [10, 30]]),))
    bare = [Trace(pipeline=name, image=str(tmp_path / "a.png"), detections=box) for name in "ab"]
    drawn = pictures(tmp_path, "detections", (bare[0], bare[1]))
    assert "drawn on the file as Pillow decodes it" in drawn["detections", "both"].caption
    Image.fromarray(page(20, 9000)).save(tmp_path / "a.png")  # the picture is reduced, the coordinates are the file's
    drawn = pictures(tmp_path, "detections", (bare[0], bare[1]))
    assert 'viewBox="0 0 9000 20"' in (tmp_path / drawn["detections", "both"].file).read_text()


def test_huge_pictures_are_reduced_and_say_so(tmp_path: Path) -> None:
    wide = Toy().trace(page(20, 9000))
    drawn = pictures(tmp_path, "preprocessing", (wide, Toy(name="inference").trace(page(20, 9000))))
    assert "shown at 46% of its size" in drawn["decode", "reference"].caption
    assert opened(tmp_path, drawn["decode", "reference"]).shape[1] == 4096


@pytest.mark.parametrize("name", ["a b", "../../etc", "ü.png", "x" * 300, "<script>", "a/b", "", "."])
def test_file_names_are_safe_and_differ(name: str) -> None:
    safe = slug(name, 80)
    assert re.fullmatch(r"[A-Za-z0-9._-]{1,90}", safe)
    assert safe not in (".", "..")
    assert safe != slug(f"{name}!", 80)


def test_sides_that_decode_other_sizes_say_so(tmp_path: Path) -> None:
    train, inference = traces()
    turned = Toy(name="inference").trace(np.ascontiguousarray(PAGE.transpose(1, 0, 2)))
    drawn = pictures(tmp_path, "detections", (train, turned))
    assert "train decoded 96x64 px, inference 64x96 px" in drawn["detections", "both"].caption
    bare = replace(train, decode=train.decode.without_pixels() if train.decode else None)
    alone = replace(inference, detections=None)
    assert pictures(tmp_path, "detections", (bare, alone))["detections", "reference"].caption.endswith(
        "on the image of inference"
    )
    assert "on the image of" not in pictures(tmp_path, "detections", (train, alone))["detections", "reference"].caption
    assert ("decode", "difference") not in pictures(tmp_path, "preprocessing", (bare, inference))


def test_sides_that_lack_a_stage_are_drawn_as_far_as_they_go(tmp_path: Path) -> None:
    train, inference = traces()
    half = replace(inference, decode=None, tensor=None, probability_map=None, detections=None)
    assert set(pictures(tmp_path, "preprocessing", (train, half))) == {("decode", "reference"), ("tensor", "reference")}
    assert set(pictures(tmp_path, "probability_maps", (train, half))) == {("probability_map", "reference")}
    assert set(pictures(tmp_path, "detections", (train, half))) == {("detections", "reference")}
    assert pictures(tmp_path, "preprocessing", (half, half_of(inference))) == {}


def half_of(trace: Trace) -> Trace:
    return replace(trace, pipeline="other", decode=None, tensor=None, probability_map=None, detections=None)


def test_a_map_of_several_channels_says_which_is_drawn(tmp_path: Path) -> None:
    train, inference = traces()
    assert inference.probability_map is not None
    tripled = replace(inference, probability_map=inference.probability_map.repeat(3, axis=1), parameters={})
    drawn = pictures(tmp_path, "probability_maps", (train, tripled))
    assert drawn["probability_map", "candidate"].caption == "96x64 px, first of 3 channels"


@pytest.mark.parametrize(("grain", "quality"), [(3, 75), (16, 60), (40, 45)])
def test_the_grain_of_a_noisy_photo_takes_no_room(grain: float, quality: int) -> None:
    """A calm page keeps the quality that it had; its letters are as sharp in each."""
    random = np.random.default_rng(1)
    pixels = np.full((240, 320, 3), 90.0)
    pixels[60:64, 40:280] = 220
    image = Image.fromarray(np.clip(pixels + random.normal(0, grain, pixels.shape), 0, 255).astype(np.uint8))
    content, expected = _encoded_photo(image), io.BytesIO()
    image.save(expected, "JPEG", quality=quality, optimize=True)
    assert content == expected.getvalue()
    line = np.asarray(Image.open(io.BytesIO(content)).convert("L"), float)[61:63, 40:280].mean()
    assert abs(line - 220) < 12


def feature_maps(*, is_given: bool = True, off: float = 1.0) -> FeatureMaps:
    layer = Layer(name="neck", operator="add", is_proved=True, amounts={})
    ramp = np.arange(12, dtype=np.float32).reshape(3, 4)
    given = FeatureMap(ramp, ramp.copy(), "left (conv2d), channel 1 of 5", 1e-4)
    return FeatureMaps(layer, "page.png", given if is_given else None, FeatureMap(ramp, ramp + off, "neck (add)", 1e-4))


def test_feature_maps_are_drawn_on_one_scale(tmp_path: Path) -> None:
    found, error = Album(tmp_path).feature_maps(feature_maps(), traces())
    assert error is None
    drawn = {(picture.stage, picture.side): picture for picture in found}
    assert len(drawn) == len(found) == 6
    goes_in, comes_out = ([drawn[stage, side] for side in ("reference", "candidate")] for stage in LAYER_STAGES)
    assert goes_in[0].file == goes_in[1].file
    assert comes_out[0].file != comes_out[1].file
    assert comes_out[0].bar == comes_out[1].bar == (0.0, 12.0)
    differences = [drawn[stage, "difference"] for stage in LAYER_STAGES]
    assert [each.bar for each in differences] == [None, (0.0, 1.0)]
    assert [each.scale_limit for each in differences] == [None, 1e-4]
    for picture in found:
        assert picture.thumb == picture.file
        assert picture.values_file is not None
        assert all((tmp_path / name).stat().st_size < 5000 for name in (picture.file, picture.values_file))


def test_a_layer_that_is_given_nothing_has_what_comes_out_alone(tmp_path: Path) -> None:
    found, error = Album(tmp_path).feature_maps(feature_maps(is_given=False), traces())
    assert ({picture.stage for picture in found}, error) == ({LAYER_STAGES[1]}, None)


def test_feature_maps_that_cannot_be_drawn_are_an_error_of_the_picture(tmp_path: Path) -> None:
    (tmp_path / "pictures").write_text("a file in the way")
    found, error = Album(tmp_path).feature_maps(feature_maps(), traces())
    assert found == ()
    assert error is not None

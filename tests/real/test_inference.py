"""The inference side gives what a plain `TextDetection` gives, and records what it was really called with."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from pytest_ocrparity.backends.isolation import isolated
from pytest_ocrparity.backends.paddlex.pipeline import InferencePipeline, load_inference
from pytest_ocrparity.backends.ppocr.pipeline import TrainingPipeline
from pytest_ocrparity.errors import ImageError, StageError
from real.blob import LIMITS, YML, Model, edited, export_yml, transforms, write_yml
from real.features import needs_suffix

Page = npt.NDArray[np.uint8]
Save = Callable[..., Path]


def plain(model_dir: Path, image: Any, predict_options: dict[str, Any] | None = None, **options: Any) -> Any:
    """Return the result of paddleocr alone."""
    with isolated():
        from paddleocr import TextDetection

        detection = TextDetection(model_name="PP-OCRv4_mobile_det", model_dir=str(model_dir), **options)
        (result,) = detection.predict(image, **(predict_options or {}))
    return result


@pytest.mark.parametrize(
    ("options", "predict_options"),
    [
        (LIMITS, {}),
        ({}, {}),
        ({**LIMITS, "thresh": 0.2, "unclip_ratio": 2.0}, {"box_thresh": 0.95}),
        ({"input_shape": [3, 320, 320], "enable_mkldnn": False}, {"max_side_limit": 64}),
        ({**LIMITS, "box_thresh": 0.0}, {}),
    ],
    ids=["limits", "defaults", "thresholds", "input-shape", "zero-means-unset"],
)
def test_equals_plain_text_detection(
    model: Model, page: Page, save: Save, options: dict[str, Any], predict_options: dict[str, Any]
) -> None:
    image = save("page.png", page)
    side = load_inference(model_dir=model.export, options=options, predict_options=predict_options)
    detections = side.trace(image).detections
    expected = plain(model.export, str(image), predict_options, **options)
    assert detections is not None and detections.scores is not None
    assert len(detections) == len(expected["dt_polys"]) >= 3
    np.testing.assert_array_equal(np.array(detections.polygons), np.array(expected["dt_polys"]))
    np.testing.assert_array_equal(detections.scores, expected["dt_scores"])


def test_equals_plain_text_detection_with_polygons(model: Model, page: Page, tmp_path: Path) -> None:
    shutil.copytree(model.export, tmp_path / "poly")
    write_yml(tmp_path / "poly" / "inference.yml", edited(export_yml(YML), PostProcess__box_type="poly"))
    detections = load_inference(model_dir=tmp_path / "poly").trace(page).detections
    expected = plain(tmp_path / "poly", page)
    assert detections is not None and len(detections) == 6
    for ours, theirs in zip(detections.polygons, expected["dt_polys"], strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_agrees_with_the_train_side(train: TrainingPipeline, inference: InferencePipeline, page: Page) -> None:
    one, two = train.trace(page), inference.trace(page)
    assert one.tensor is not None and two.tensor is not None
    assert one.probability_map is not None and two.probability_map is not None
    assert one.shape == two.shape
    np.testing.assert_array_equal(one.resize, two.resize)
    assert np.abs(one.tensor - two.tensor).max() <= 2e-6
    assert np.abs(one.probability_map - two.probability_map).max() <= 1e-5
    assert one.decode == two.decode
    for stage in ("decode", "tensor", "detections"):
        assert one.parameters[stage] == two.parameters[stage]


def test_parameters_are_the_effective_ones(model: Model, page: Page) -> None:
    """The yml's null resize means 736/min in training; paddlex has its own default for this model name."""
    resize = load_inference(model_dir=model.export).trace(page).parameters["resize"]
    assert resize == {"rule": "limit", "limit_side_len": 960, "limit_type": "max", "max_side_limit": 4000}
    side = load_inference(model_dir=model.export, options=LIMITS, predict_options={"max_side_limit": 100000})
    assert side.parameters["resize"] == {"rule": "limit", **LIMITS, "max_side_limit": 100000}
    before_any_image = {key: value for key, value in side.parameters.items() if key != "probability_map"}
    assert side.trace(page).parameters.items() >= before_any_image.items()


def test_thresholds_are_those_of_the_call(model: Model, page: Page) -> None:
    side = load_inference(
        model_dir=model.export, options={"box_thresh": 0.5}, predict_options={"box_thresh": 0.8, "unclip_ratio": 0}
    )
    found = side.trace(page).parameters["detections"]
    assert (found["box_thresh"], found["unclip_ratio"], found["thresh"]) == (0.8, 1.5, 0.3)


PADDLEX_DEFAULT = {"rule": "limit", "limit_side_len": 960, "limit_type": "max", "max_side_limit": 4000}


@pytest.mark.parametrize(
    ("resize", "expected"),
    [
        ({"image_shape": [320, 480]}, {"rule": "image_shape", "image_shape": [320, 480], "keep_ratio": False}),
        ({"resize_long": 640}, {**PADDLEX_DEFAULT, "limit_side_len": 640}),
        ({"limit_side_len": 736, "limit_type": "min"}, PADDLEX_DEFAULT),
    ],
    ids=["image-shape", "resize-long-is-a-limit", "limits-of-the-yml-are-ignored"],
)
def test_what_paddlex_makes_of_a_yml_is_recorded(
    model: Model, page: Page, tmp_path: Path, resize: Any, expected: Any
) -> None:
    shutil.copytree(model.export, tmp_path / "inference")
    yml = edited(export_yml(YML), PreProcess__transform_ops=transforms(DetResizeForTest=resize))
    write_yml(tmp_path / "inference" / "inference.yml", yml)
    assert load_inference(model_dir=tmp_path / "inference").trace(page).parameters["resize"] == expected


def test_input_shape_is_recorded(model: Model, page: Page) -> None:
    trace = load_inference(model_dir=model.export, options={"input_shape": [3, 320, 320]}).trace(page)
    assert trace.parameters["resize"] == {"rule": "input_shape", "input_shape": [3, 320, 320]}
    assert trace.resize is not None and trace.resize.shape == (320, 320, 3)


def test_a_yml_without_decode_image_reads_rgb(model: Model, page: Page, tmp_path: Path) -> None:
    shutil.copytree(model.export, tmp_path / "inference")
    yml = edited(export_yml(YML), PreProcess__transform_ops=transforms()[1:])
    write_yml(tmp_path / "inference" / "inference.yml", yml)
    trace = load_inference(model_dir=tmp_path / "inference").trace(page)
    assert trace.parameters["decode"]["img_mode"] == "RGB"
    assert trace.decode is not None and trace.decode.channel_order == "RGB"
    np.testing.assert_array_equal(trace.decode.pixels, page[:, :, ::-1])


def test_an_array_gives_what_its_file_gives(inference: InferencePipeline, page: Page, save: Save) -> None:
    of_array, of_file = inference.trace(page), inference.trace(save("page.png", page))
    assert replace(of_array, image="", image_sha256=None) == replace(of_file, image="", image_sha256=None)


def test_a_users_array_may_change_afterwards(inference: InferencePipeline, page: Page) -> None:
    mine = page.copy()
    trace = inference.preprocess(mine)
    mine[:] = 0
    assert trace.decode is not None
    np.testing.assert_array_equal(trace.decode.pixels, page)


@pytest.mark.parametrize("kind", ["grey", "alpha", "exif", "sixteen-bit", "tiff"])
def test_both_sides_decode_the_same_pixels(
    train: TrainingPipeline, inference: InferencePipeline, page: Page, save: Save, tmp_path: Path, kind: str
) -> None:
    from PIL import Image

    if kind == "grey":
        path = save("grey.png", page[:, :, 0])
    elif kind == "alpha":
        path = save("alpha.png", np.dstack([page, np.tile(np.arange(420, dtype=np.uint8), (300, 1))]))
    elif kind == "sixteen-bit":
        path = save("deep.png", page.astype(np.uint16) * 257)
    else:
        path = tmp_path / ("turned.jpg" if kind == "exif" else "page.tiff")
        needs_suffix(path)
        exif = Image.Exif()
        exif[0x0112] = 6 if kind == "exif" else 1
        Image.fromarray(page[:, :, ::-1]).save(path, exif=exif)
    one, two = train.trace(path).decode, inference.trace(path).decode
    assert one is not None
    assert one == two
    assert one.shape == ((420, 300, 3) if kind == "exif" else (300, 420, 3))


def test_a_suffix_that_paddlex_does_not_read_stops_at_decode(
    inference: InferencePipeline, page: Page, save: Save
) -> None:
    png = save("page.png", page)
    trace = inference.trace(png.rename(png.with_suffix(".scan")))
    assert trace.stages == ()
    assert isinstance(trace.error, StageError)
    assert trace.error.stage == "decode"
    assert "it goes by the suffix and reads " in str(trace.error)


def test_a_wrong_but_known_suffix_decodes(inference: InferencePipeline, page: Page, save: Save) -> None:
    png = save("page.png", page)
    renamed = png.rename(png.with_suffix(".jpg"))
    np.testing.assert_array_equal(inference.trace(renamed).tensor, inference.trace(page).tensor)


def test_what_is_no_image_is_an_image_error(inference: InferencePipeline, tmp_path: Path) -> None:
    text = tmp_path / "page.png"
    text.write_text("no image")
    with pytest.raises(ImageError, match=r"page\.png: paddlex cannot decode this file"):
        inference.trace(text)


def test_postprocess_takes_any_map_and_the_calls_thresholds(model: Model) -> None:
    probability_map = np.zeros((1, 1, 64, 96), dtype=np.float32)
    probability_map[..., 20:40, 10:80] = 0.75
    shape = (128.0, 192.0, 0.5, 0.5)
    strict = load_inference(model_dir=model.export, predict_options={"box_thresh": 0.8})
    assert len(strict.postprocess(probability_map, shape)) == 0
    detections = load_inference(model_dir=model.export).postprocess(probability_map, shape)
    assert detections.scores == pytest.approx([0.75])
    assert detections.polygons[0].max() <= 192


def test_parts_equal_the_whole(inference: InferencePipeline, page: Page) -> None:
    whole = inference.trace(page)
    parts = inference.preprocess(page)
    assert parts.stages == ("decode", "resize", "tensor")
    assert parts.tensor is not None and whole.probability_map is not None and whole.shape is not None
    np.testing.assert_array_equal(parts.tensor, whole.tensor)
    np.testing.assert_array_equal(inference.infer(parts.tensor), whole.probability_map)
    assert inference.postprocess(whole.probability_map, whole.shape) == whole.detections


def test_a_page_of_several_gives_its_first(inference: InferencePipeline, page: Page, tmp_path: Path) -> None:
    from PIL import Image

    needs_suffix("two.tif")
    pages = [Image.fromarray(each[:, :, ::-1]) for each in (page, 255 - page)]
    pages[0].save(tmp_path / "two.tif", save_all=True, append_images=pages[1:])
    trace = inference.trace(tmp_path / "two.tif")
    assert trace.decode is not None
    np.testing.assert_array_equal(trace.decode.pixels, page)


def test_fingerprint_names_the_files_of_the_export(inference: InferencePipeline) -> None:
    assert set(inference.fingerprint) == {"inference.yml", "inference.json", "inference.pdiparams"}
    assert all(len(value) == 64 for value in inference.fingerprint.values())

"""The train side gives what `tools/infer_det.py` gives, and records what it really ran."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from pytest_ocrparity.artifacts.model_files import fingerprint_training_files
from pytest_ocrparity.backends.isolation import isolated_checkout
from pytest_ocrparity.backends.ppocr.pipeline import TrainingPipeline, load_training
from pytest_ocrparity.errors import ImageError, StageError
from real.blob import YML, Model, edited, operators_root, transforms, write_yml

Page = npt.NDArray[np.uint8]
Save = Callable[..., Path]


def by_hand(model: Model, image: Path, yml: dict[str, Any] = YML) -> tuple[Any, Any, Any]:
    """Drive PaddleOCR as `tools/infer_det.py` does: the tensor, the map and the points."""
    with isolated_checkout(operators_root()):
        import paddle
        from ppocr.data import create_operators, transform
        from ppocr.postprocess import build_post_process

        from real.blob_net import build

        config = copy.deepcopy(yml)
        network = build(config["Architecture"])
        network.set_state_dict(paddle.load(str(model.checkpoint)))
        network.eval()
        kept = [op for op in config["Eval"]["dataset"]["transforms"] if "Label" not in next(iter(op))]
        for op in kept:
            if "KeepKeys" in op:
                op["KeepKeys"]["keep_keys"] = ["image", "shape"]
        batch = transform({"image": image.read_bytes()}, create_operators(kept, config["Global"]))
        images, shapes = (np.expand_dims(each, axis=0) for each in batch)
        with paddle.no_grad():
            output = network(paddle.to_tensor(images))
        points = build_post_process(config["PostProcess"])(output, shapes)[0]["points"]
        return images, output["maps"].numpy(), points


def load(model: Model, folder: Path, yml: dict[str, Any], **settings: Any) -> TrainingPipeline:
    return load_training(**{**model.train, "config": write_yml(folder / "changed.yml", yml), **settings})


@pytest.mark.parametrize("box_type", ["quad", "poly"])
def test_equals_infer_det(model: Model, page: Page, save: Save, tmp_path: Path, box_type: str) -> None:
    yml, image = edited(YML, PostProcess__box_type=box_type), save("page.png", page)
    trace = load(model, tmp_path, yml).trace(image)
    tensor, probability_map, points = by_hand(model, image, yml)
    np.testing.assert_array_equal(trace.tensor, tensor)
    np.testing.assert_array_equal(trace.probability_map, probability_map)
    assert trace.detections is not None and len(trace.detections) == len(points) == 6
    for ours, theirs in zip(trace.detections.polygons, points, strict=True):
        np.testing.assert_array_equal(ours, np.array(theirs))


def test_stages_hold_what_passed_between_the_operators(train: TrainingPipeline, page: Page) -> None:
    trace = train.trace(page)
    assert trace.stages == ("decode", "resize", "tensor", "probability_map", "detections")
    assert trace.decode is not None and trace.resize is not None and trace.tensor is not None
    np.testing.assert_array_equal(trace.decode.pixels, page)
    assert trace.decode.channel_order == "BGR"
    assert trace.resize.shape == (736, 1024, 3)
    assert trace.resize.dtype == np.uint8
    assert trace.tensor.shape == (1, 3, 736, 1024)
    assert trace.shape == (300.0, 420.0, 736 / 300, 1024 / 420)
    assert trace.error is None


def test_scores_that_paddleocr_throws_away_are_kept(train: TrainingPipeline, page: Page) -> None:
    detections = train.trace(page).detections
    assert detections is not None and detections.scores is not None
    assert len(detections) == len(detections.scores) == 6
    assert ((detections.scores > 0.6) & (detections.scores < 1)).all()


def test_postprocess_runs_on_any_map_and_leaves_no_tap_behind(train: TrainingPipeline) -> None:
    probability_map = np.zeros((1, 1, 64, 96), dtype=np.float32)
    probability_map[..., 20:40, 10:80] = 0.75
    detections = train.postprocess(probability_map, (128.0, 192.0, 0.5, 0.5))
    assert len(detections) == 1
    assert detections.scores == pytest.approx([0.75])
    assert len(train.postprocess(probability_map * 0.7, (128.0, 192.0, 0.5, 0.5))) == 0
    assert "boxes_from_bitmap" not in vars(train._parts.post_process)


def test_an_array_gives_what_its_file_gives(train: TrainingPipeline, page: Page, save: Save) -> None:
    of_array, of_file = train.trace(page), train.trace(save("page.png", page))
    assert replace(of_array, image="", image_sha256=None) == replace(of_file, image="", image_sha256=None)


def test_a_wrong_suffix_still_decodes(train: TrainingPipeline, page: Page, save: Save) -> None:
    png = save("page.png", page)
    renamed = png.rename(png.with_suffix(".jpg"))
    np.testing.assert_array_equal(train.trace(renamed).tensor, train.trace(page).tensor)


def test_parameters_are_those_of_the_built_operators(train: TrainingPipeline, page: Page) -> None:
    parameters = train.trace(page).parameters
    assert parameters["decode"] == {"img_mode": "BGR", "ignore_orientation": False}
    assert parameters["resize"] == {
        "rule": "limit",
        "limit_side_len": 736,
        "limit_type": "min",
        "max_side_limit": parameters["resize"]["max_side_limit"],
    }
    assert parameters["tensor"] == {
        "scale": 0.003921569,
        "mean": [0.485, 0.456, 0.406],
        "std": [0.229, 0.224, 0.225],
        "order": "hwc",
    }
    assert parameters["probability_map"] == {"engine": "dygraph", "device": "cpu", "outputs": 1}
    assert parameters["detections"] == {
        "thresh": 0.3,
        "box_thresh": 0.6,
        "unclip_ratio": 1.5,
        "max_candidates": 1000,
        "use_dilation": False,
        "score_mode": "fast",
        "box_type": "quad",
    }


@pytest.mark.parametrize(
    ("resize", "expected", "size"),
    [
        (
            {"image_shape": [320, 480]},
            {"rule": "image_shape", "image_shape": [320, 480], "keep_ratio": False},
            (320, 480),
        ),
        ({"resize_long": 640}, {"rule": "resize_long", "resize_long": 640}, (512, 640)),
        ({"limit_side_len": 352, "limit_type": "max"}, {"rule": "limit", "limit_side_len": 352}, (256, 352)),
    ],
)
def test_each_resize_rule_is_recorded(
    model: Model, page: Page, tmp_path: Path, resize: Any, expected: Any, size: tuple[int, int]
) -> None:
    yml = edited(YML, Eval__dataset__transforms=transforms(DetResizeForTest=resize))
    trace = load(model, tmp_path, yml).trace(page)
    assert trace.parameters["resize"].items() >= expected.items()
    assert trace.resize is not None and trace.resize.shape[:2] == size


def test_global_reaches_the_operators_but_not_the_post_process(model: Model, page: Page, tmp_path: Path) -> None:
    """As in tools/infer_det.py: Global is merged into every operator, and handed to no post-process."""
    yml = edited(YML, Global__limit_side_len=320, Global__limit_type="max", Global__scale=0.01, Global__box_thresh=0.99)
    parameters = load(model, tmp_path, yml).trace(page).parameters
    assert parameters["resize"]["limit_side_len"] == 320
    assert parameters["tensor"]["scale"] == 0.01
    assert parameters["detections"]["box_thresh"] == 0.6


def test_rgb_is_recorded_and_reverses_the_channels(model: Model, page: Page, tmp_path: Path) -> None:
    decode = {"img_mode": "RGB", "channel_first": False}
    trace = load(model, tmp_path, edited(YML, Eval__dataset__transforms=transforms(DecodeImage=decode))).trace(page)
    assert trace.decode is not None and trace.decode.channel_order == "RGB"
    np.testing.assert_array_equal(trace.decode.pixels, page[:, :, ::-1])


def test_a_failed_resize_is_a_stage_error_and_no_exit(train: TrainingPipeline, monkeypatch: Any, page: Page) -> None:
    """PaddleOCR's resize prints and calls sys.exit(0)."""
    resize = dict(train._parts.operators)["DetResizeForTest"]
    monkeypatch.setattr(resize, "limit_side_len", 10**9)
    monkeypatch.setattr(train._memory, "_limit", 10**30)
    trace = train.trace(page + 1)
    assert isinstance(trace.error, StageError)
    assert trace.error.stage == "resize"
    assert str(trace.error) == "PaddleOCR printed the sizes it could not resize to and called sys.exit"
    assert trace.stages == ("decode",)


def test_what_is_no_image_is_an_image_error(train: TrainingPipeline, tmp_path: Path, page: Page, save: Save) -> None:
    text = tmp_path / "page.png"
    text.write_text("no image")
    with pytest.raises(ImageError, match=r"page\.png: PaddleOCR's DecodeImage cannot decode this file"):
        train.trace(text)
    cut = save("cut.jpg", page)
    cut.write_bytes(cut.read_bytes()[:300])
    with pytest.raises(ImageError, match=r"cut\.jpg: PaddleOCR's DecodeImage cannot decode this file"):
        train.trace(cut)


@pytest.mark.parametrize("key", ["checkpoints", "pretrained_model"])
def test_the_yml_may_name_the_checkpoint(model: Model, tmp_path: Path, key: str) -> None:
    (tmp_path / "output").mkdir()
    (tmp_path / "output" / "best.pdparams").write_bytes(model.checkpoint.read_bytes())
    yml = edited(YML, **{f"Global__{key}": "./output/best"})
    loaded = load(model, tmp_path, yml, checkpoint=None)
    assert loaded.fingerprint == fingerprint_training_files(tmp_path / "changed.yml", None)


def test_fingerprint_needs_no_model(model: Model, train: TrainingPipeline, tmp_path: Path) -> None:
    assert fingerprint_training_files(model.config, model.checkpoint) == train.fingerprint
    assert fingerprint_training_files(model.config, model.checkpoint.with_suffix("")) == train.fingerprint
    assert fingerprint_training_files(model.config, tmp_path / "gone") == {"config": train.fingerprint["config"]}
    assert fingerprint_training_files(tmp_path / "gone.yml", None) == {}


def test_a_missing_image_is_an_image_error(train: TrainingPipeline, tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"gone\.png: cannot read this image: No such file or directory"):
        train.trace(tmp_path / "gone.png")


def test_a_step_that_works_in_place_changes_no_stage_before_it(
    train: TrainingPipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = np.full((32, 32, 3), 200, np.uint8)
    expected = train.preprocess(page)

    def darken(state: dict[str, Any]) -> dict[str, Any]:
        state["image"] //= 2
        return state

    operators: list[Any] = list(train._parts.operators)
    operators.insert([name for name, _ in operators].index("NormalizeImage"), ("Darken", darken))
    monkeypatch.setattr(train, "_parts", replace(train._parts, operators=tuple(operators)))
    trace = train.preprocess(page)
    assert trace.decode == expected.decode
    assert trace.resize is not None and expected.resize is not None
    assert np.array_equal(trace.resize, expected.resize)
    assert trace.tensor is not None and expected.tensor is not None
    assert not np.array_equal(trace.tensor, expected.tensor)

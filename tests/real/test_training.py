"""The train side gives what `tools/infer_det.py` gives, and records what it really ran."""

from __future__ import annotations

import copy
import sys
import types
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from pytest_ocrparity.errors import ImageError, StageError
from pytest_ocrparity.pipelines.files import fingerprint_training
from pytest_ocrparity.pipelines.imports import checkout
from pytest_ocrparity.pipelines.training import TrainingPipeline, load_training
from real.blob import YML, Model, edited, operators_root, transforms, write_yml

Page = npt.NDArray[np.uint8]
Save = Callable[..., Path]


def by_hand(model: Model, image: Path, yml: dict[str, Any] = YML) -> tuple[Any, Any, Any]:
    """Drive PaddleOCR as `tools/infer_det.py` does: the tensor, the map and the points."""
    with checkout(operators_root()):
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


def test_a_network_with_rep_has_a_fused_map(train: TrainingPipeline, page: Page) -> None:
    trace = train.trace(page)
    fused = trace.measure_fused_map()
    assert fused is not None and trace.probability_map is not None
    assert 0 < np.abs(fused - trace.probability_map).max() < 1e-5
    np.testing.assert_array_equal(train.infer(np.asarray(trace.tensor)), trace.probability_map)  # itself not fused


def test_a_network_without_rep_has_no_fused_map(model: Model, page: Page, tmp_path: Path) -> None:
    import paddle

    from real.blob_net import BlobNet

    checkpoint = tmp_path / "plain"
    paddle.save(BlobNet(branches=False).state_dict(), f"{checkpoint}.pdparams")
    plain = load_training(**{**model.train, "network": "blob_net:build_plain", "checkpoint": checkpoint})
    assert plain.infer_fused(np.zeros((1, 3, 32, 32), dtype=np.float32)) is None


def test_a_failed_resize_is_a_stage_error_and_no_exit(train: TrainingPipeline, monkeypatch: Any, page: Page) -> None:
    """PaddleOCR's resize prints and calls sys.exit(0)."""
    resize = dict(train._parts.operators)["DetResizeForTest"]
    monkeypatch.setattr(resize, "limit_side_len", 10**9)
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


def test_distillation_runs_the_network_that_sub_model_picks(model: Model, page: Page, tmp_path: Path) -> None:
    import paddle

    from real.blob_net import Pair

    pair = Pair(["Student", "Teacher"])
    pair.Teacher.head.weight.set_value(pair.Teacher.head.weight * 0)
    paddle.save(pair.state_dict(), str(tmp_path / "pair.pdparams"))
    yml = edited(
        YML,
        Architecture={
            "algorithm": "Distillation",
            "Models": {
                "Student": {"algorithm": "DB", "pretrained": "https://example.org/x"},
                "Teacher": {"algorithm": "DB"},
            },
        },
        PostProcess={"name": "DistillationDBPostProcess", "model_name": ["Student"], "box_thresh": 0.55},
    )
    settings = {"checkpoint": tmp_path / "pair", "network": "blob_net:build_pair"}
    student = load(model, tmp_path, yml, sub_model="Student", **settings).trace(page)
    teacher = load(model, tmp_path, yml, sub_model="Teacher", **settings).trace(page)
    assert student.detections is not None and len(student.detections) == 6
    assert teacher.probability_map is not None and np.ptp(teacher.probability_map) == 0
    assert student.parameters["detections"]["box_thresh"] == 0.55


def test_fp16_weights_are_cast_as_paddleocr_casts_them(model: Model, train: TrainingPipeline, tmp_path: Path) -> None:
    import paddle

    values = {key: value.astype("float16") for key, value in paddle.load(str(model.checkpoint)).items()}
    paddle.save(values, str(tmp_path / "half.pdparams"))
    half = load_training(**{**model.train, "checkpoint": tmp_path / "half.pdparams"})
    tensor = np.linspace(-2, 2, 3 * 32 * 32, dtype=np.float32).reshape(1, 3, 32, 32)
    difference = np.abs(half.infer(tensor) - train.infer(tensor)).max()
    assert 0 < difference < 1e-3


@pytest.mark.parametrize("key", ["checkpoints", "pretrained_model"])
def test_the_yml_may_name_the_checkpoint(model: Model, tmp_path: Path, key: str) -> None:
    (tmp_path / "output").mkdir()
    (tmp_path / "output" / "best.pdparams").write_bytes(model.checkpoint.read_bytes())
    yml = edited(YML, **{f"Global__{key}": "./output/best"})
    loaded = load(model, tmp_path, yml, checkpoint=None)
    assert loaded.fingerprint == fingerprint_training(tmp_path / "changed.yml", None)


def test_fingerprint_needs_no_model(model: Model, train: TrainingPipeline, tmp_path: Path) -> None:
    assert fingerprint_training(model.config, model.checkpoint) == train.fingerprint
    assert fingerprint_training(model.config, model.checkpoint.with_suffix("")) == train.fingerprint
    assert fingerprint_training(model.config, tmp_path / "gone") == {"config": train.fingerprint["config"]}
    assert fingerprint_training(tmp_path / "gone.yml", None) == {}


def test_paddle_is_left_on_its_own_device_with_gradients(train: TrainingPipeline, page: Page) -> None:
    import paddle

    before = paddle.get_device()
    train.trace(page)
    assert paddle.get_device() == before
    assert paddle.is_grad_enabled()


def test_a_missing_image_is_an_image_error(train: TrainingPipeline, tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"gone\.png: cannot read this image: No such file or directory"):
        train.trace(tmp_path / "gone.png")


def test_outputs_without_maps_are_a_stage_error(
    train: TrainingPipeline, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train._parts.network, "_layer", lambda tensor: {"f_score": tensor, "f_geo": tensor})
    error = train.trace(page + 2).error
    assert isinstance(error, StageError)
    assert error.stage == "probability_map"
    assert str(error) == "the network returned ['f_geo', 'f_score'], without 'maps'"


@pytest.mark.parametrize(("wrap", "outputs"), [(lambda maps: maps, 1), (lambda maps: [maps, maps], 2)])
def test_outputs_without_names_are_taken_in_order(
    train: TrainingPipeline, page: Page, monkeypatch: pytest.MonkeyPatch, wrap: Any, outputs: int
) -> None:
    expected, real = train.trace(page).probability_map, train._parts.network._layer
    monkeypatch.setattr(train._parts.network, "_layer", lambda tensor: wrap(real(tensor)["maps"]))
    monkeypatch.setattr(train, "_traces", train._traces.__class__())
    trace = train.trace(page)
    np.testing.assert_array_equal(trace.probability_map, expected)
    assert trace.parameters["probability_map"]["outputs"] == outputs


def test_ppocrs_own_network_is_built_without_downloads(
    model: Model, page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every `pretrained` is dropped, at any depth: PaddleOCR would download what it names."""
    from real.blob_net import BlobNet

    seen: list[Any] = []

    def build_model(architecture: Any) -> BlobNet:
        seen.append(architecture)
        return BlobNet()

    load_training(**model.train)
    for name in ("ppocr.modeling", "ppocr.modeling.architectures"):
        module = types.ModuleType(name)
        module.__dict__["build_model"] = build_model
        monkeypatch.setitem(sys.modules, name, module)
    backbone = {"name": "PPHGNet", "pretrained": True, "stages": [{"pretrained": "https://example.org/x", "width": 3}]}
    loaded = load(model, tmp_path, edited(YML, Architecture__Backbone=backbone), network=None)
    assert seen == [{**YML["Architecture"], "Backbone": {"name": "PPHGNet", "stages": [{"width": 3}]}}]
    assert len(loaded.trace(page).detections or ()) == 6

"""The processing around a bare file comes from its inference.yml and the options, and is never guessed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from real.blob import LIMITS, YML, edited, export_yml, transforms, write_yml

from pytest_ocrparity.backends.onnx.processing import Configured, configure_processing
from pytest_ocrparity.errors import ModelError

WHOLE: dict[str, Any] = {
    **{"img_mode": "BGR", "limit_side_len": 736, "limit_type": "min"},
    **{"scale": "1./255.", "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]},
    **{"thresh": 0.3, "box_thresh": 0.6, "unclip_ratio": 1.5, "max_candidates": 1000},
    **{"use_dilation": False, "score_mode": "fast", "box_type": "quad"},
}
FILE = Path("net.onnx")


def configured(folder: Path, options: dict[str, Any], **edits: Any) -> Configured:
    return configure_processing(write_yml(folder / "inference.yml", edited(export_yml(YML), **edits)), options, FILE)


def resizing(arguments: Any) -> list[dict[str, Any]]:
    return transforms(DetResizeForTest=arguments)


def test_options_alone_say_the_same_as_a_file_with_the_limits(tmp_path: Path) -> None:
    alone, beside = configure_processing(None, WHOLE, FILE), configured(tmp_path, dict(LIMITS))
    assert alone.values == beside.values
    assert alone.values["tensor"]["scale"] == 1 / 255
    assert alone.values["resize"] == {"rule": "limit", **LIMITS, "max_side_limit": 4000}
    assert alone.written == {} and beside.written["detections"]["unclip_ratio"] == 1.5
    assert beside.given == {"resize": dict.fromkeys(LIMITS, "inference.options")}


@pytest.mark.parametrize("gone", WHOLE)
def test_each_key_is_needed_where_there_is_no_file(gone: str) -> None:
    with pytest.raises(ModelError, match=f"^inference.options lack {gone}: there is no inference.yml beside net.onnx"):
        configure_processing(None, {name: value for name, value in WHOLE.items() if name != gone}, FILE)


def test_all_missing_keys_are_named_at_once() -> None:
    with pytest.raises(ModelError) as caught:
        configure_processing(None, {"device": "cpu", "order": "hwc"}, FILE)
    assert f"lack {', '.join(WHOLE)}: " in str(caught.value)
    assert "not taken from the training YAML file" in str(caught.value)


def test_a_file_that_is_silent_on_what_its_readers_differ_in_leaves_it_to_the_options(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"lack limit_side_len, limit_type, thresh: .*inference\.yml does not say"):
        configured(tmp_path, {}, PostProcess__thresh=None)
    assert (
        configured(tmp_path, {**LIMITS, "thresh": 0.2}, PostProcess__thresh=None).values["detections"]["thresh"] == 0.2
    )


def test_the_files_limits_are_used_and_options_come_first(tmp_path: Path) -> None:
    own = {"PreProcess__transform_ops": resizing({"limit_side_len": 960, "limit_type": "max"})}
    assert configured(tmp_path, {}, **own).values["resize"]["limit_side_len"] == 960
    values = configured(tmp_path, {"limit_side_len": 64}, **own).values["resize"]
    assert (values["limit_side_len"], values["limit_type"]) == (64, "max")
    own = {"PreProcess__transform_ops": resizing({"image_shape": [640, 480]})}
    assert configured(tmp_path, {}, **own).values["resize"]["rule"] == "image_shape"
    assert configured(tmp_path, dict(LIMITS), **own).values["resize"]["rule"] == "limit"
    with pytest.raises(ModelError, match="limit_type would do nothing, as image_shape decides the size"):
        configured(tmp_path, {"limit_type": "min"}, **own)


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("img_mode", "GRAY", "img_mode is 'GRAY', not BGR or RGB"),
        ("limit_side_len", 0, "limit_side_len is 0, not a number of px"),
        ("limit_type", "longest", "limit_type is 'longest', not min or max or resize_long"),
        ("mean", [0.5, 0.5], "mean is \\[0.5, 0.5\\], not a list of three numbers"),
        ("std", [1, 0, 1], "std is .* other than 0"),
        ("scale", "__import__('os')", "scale is .*; write a number or a fraction"),
        ("thresh", "0.3", "thresh is '0.3', not a number"),
        ("use_dilation", 1, "use_dilation is 1, not true or false"),
        ("image_shape", [640, 480], "limit_side_len and image_shape are different rules"),
        ("keep_ratio", True, "keep_ratio would do nothing, as limit_side_len decides"),
        ("enable_mkldnn", True, "enable_mkldnn is no value of PaddleX's operators and no option of the engine; "),
        ("tresh", 0.3, "did you mean 'thresh'"),
    ],
)
def test_a_value_that_means_nothing_is_refused(name: str, value: Any, text: str) -> None:
    with pytest.raises(ModelError, match=f"^inference.options: .*{text}"):
        configure_processing(None, {**WHOLE, name: value}, FILE)


def test_a_wrong_value_of_the_file_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"inference\.yml: box_thresh is 'high', not a number"):
        configured(tmp_path, dict(LIMITS), PostProcess__box_thresh="high")
    with pytest.raises(ModelError, match=r"PostProcess\.name is 'EASTPostProcess'"):
        configured(tmp_path, dict(LIMITS), PostProcess__name="EASTPostProcess")

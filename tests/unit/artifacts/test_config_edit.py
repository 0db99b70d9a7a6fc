"""A change in a YAML file's text: it says what was meant, and every other line stays as it was."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from properties import quickly

from pytest_ocrparity.artifacts.config_edit import EXPORT, TRAINING, edit_config
from pytest_ocrparity.errors import ModelError

YML = """\
# exported on a Friday
Global:
  model_name: PP-OCRv5_mobile_det  # its name
PreProcess:
  transform_ops:
  - DecodeImage: {img_mode: BGR, channel_first: false}  # colours
  - DetResizeForTest:   # nothing
  - NormalizeImage:
      # of ImageNet
      mean:
      - 0.485  # red
      - 0.456
      - 0.406
      std: [0.229, 0.224, 0.225]
      scale: 1./255.
  - ToCHWImage: null
PostProcess:
  name: DBPostProcess
  thresh: 0.3  # low

  box_thresh: 0.6
Eval:
  loader:
    batch_size: 8
"""
PATH = Path("inference.yml")
UNKNOWN_KEY = "NoSuchOperator"


def changed(text: str, key: str, **values: Any) -> list[str]:
    """Return the lines that a change takes out and puts in."""
    after = edit_config(text, PATH, EXPORT, key, values)
    lines = difflib.unified_diff(text.splitlines(), after.splitlines(), n=0, lineterm="")
    return [line for line in lines if not line.startswith(("---", "+++", "@@"))]


@pytest.mark.parametrize(
    ("key", "values", "lines"),
    [
        ("PostProcess", {"thresh": 0.5}, ["-  thresh: 0.3  # low", "+  thresh: 0.5  # low"]),
        ("PostProcess", {"unclip_ratio": 1.5}, ["+  unclip_ratio: 1.5"]),
        ("PostProcess", {"box_thresh": None}, ["-  box_thresh: 0.6"]),
        ("NormalizeImage", {"mean": [0.5, 0.456, 0.406]}, ["-      - 0.485  # red", "+      - 0.5  # red"]),
        (
            "NormalizeImage",
            {"std": [1.0, 1.0, 1.0]},
            ["-      std: [0.229, 0.224, 0.225]", "+      std: [1.0, 1.0, 1.0]"],
        ),
        ("NormalizeImage", {"order": "hwc"}, ["+      order: hwc"]),
        (
            "DetResizeForTest",
            {"limit_side_len": 736, "limit_type": "min"},
            [
                "-  - DetResizeForTest:   # nothing",
                "+  - DetResizeForTest: {limit_side_len: 736, limit_type: min}   # nothing",
            ],
        ),
        (
            "DecodeImage",
            {"img_mode": None},
            [
                "-  - DecodeImage: {img_mode: BGR, channel_first: false}  # colours",
                "+  - DecodeImage: {channel_first: false}  # colours",
            ],
        ),
        ("ToCHWImage", {"axes": 3}, ["-  - ToCHWImage: null", "+  - ToCHWImage: {axes: 3}"]),
        (
            "Global",
            {"model_name": "x"},
            ["-  model_name: PP-OCRv5_mobile_det  # its name", "+  model_name: x  # its name"],
        ),
        ("Eval.loader", {"batch_size": 1}, ["-    batch_size: 8", "+    batch_size: 1"]),
    ],
    ids=str,
)
def test_only_its_lines_change(key: str, values: dict[str, Any], lines: list[str]) -> None:
    assert changed(YML, key, **values) == lines


def test_the_line_ends_of_windows_stay() -> None:
    text = YML.replace("\n", "\r\n")
    after = edit_config(text, PATH, EXPORT, "PostProcess", {"unclip_ratio": 2.0, "thresh": 0.2})
    assert after.count("\r\n") == after.count("\n") == text.count("\n") + 1


def test_a_training_file_has_its_operators_elsewhere() -> None:
    text = "Eval:\n  dataset:\n    transforms:\n      - DetResizeForTest:\n          resize_long: 960\n"
    after = edit_config(text, PATH, TRAINING, "DetResizeForTest", {"resize_long": None, "limit_side_len": 960})
    assert yaml.safe_load(after)["Eval"]["dataset"]["transforms"] == [{"DetResizeForTest": {"limit_side_len": 960}}]
    with pytest.raises(ModelError, match=r"has no list PreProcess\.transform_ops"):
        edit_config(text, PATH, EXPORT, "DetResizeForTest", {"limit_side_len": 960})


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("PostProcess:\n", "PostProcess: &p\n", ""),
        ("  box_thresh: 0.6\n", "  box_thresh: 0.6\nOther: *p\n", "edit it by hand"),
        ("  box_thresh: 0.6\n", "  box_thresh: 0.6\n  thresh: 0.4\n", "edit it by hand"),
        ("PostProcess:\n", "PostProcess: [1]\nWas:\n", "has no arguments"),
    ],
)
def test_what_repeats_elsewhere_is_refused(old: str, new: str, told: str) -> None:
    text = YML.replace("PostProcess:\n", "PostProcess: &p\n") if "*p" in new else YML
    text = text.replace(old, new)
    if not told:
        assert "thresh: 0.5" in edit_config(text, PATH, EXPORT, "PostProcess", {"thresh": 0.5})
        return
    with pytest.raises(ModelError, match=told):
        edit_config(text, PATH, EXPORT, "PostProcess", {"thresh": 0.5})


def test_comments_inside_of_a_value_are_not_lost() -> None:
    with pytest.raises(ModelError, match="edit it by hand"):
        edit_config(YML, PATH, EXPORT, "NormalizeImage", {"mean": [0.5]})
    without = YML.replace("  # red", "")
    after = edit_config(without, PATH, EXPORT, "NormalizeImage", {"mean": [0.5]})
    assert "      mean: [0.5]\n      std:" in after


def test_only_decode_image_is_put_where_it_is_not() -> None:
    text = YML.replace("  - DecodeImage: {img_mode: BGR, channel_first: false}  # colours\n", "")
    assert changed(text, "DecodeImage", img_mode="RGB") == ["+  - DecodeImage: {img_mode: RGB}"]
    flow = "PreProcess: {transform_ops: [ToCHWImage: null]}\n"
    after = yaml.safe_load(edit_config(flow, PATH, EXPORT, "DecodeImage", {"img_mode": "RGB"}))
    assert after["PreProcess"]["transform_ops"] == [{"DecodeImage": {"img_mode": "RGB"}}, {"ToCHWImage": None}]
    for key in (UNKNOWN_KEY, "Eval.dataset", "Other.place"):
        with pytest.raises(ModelError, match="edit it by hand"):
            edit_config(YML, PATH, EXPORT, key, {"a": 1})


def test_an_operator_that_stands_twice_is_refused() -> None:
    text = YML.replace("  - ToCHWImage: null\n", "  - DecodeImage: null\n")
    with pytest.raises(ModelError, match="stands 2 times"):
        edit_config(text, PATH, EXPORT, "DecodeImage", {"img_mode": "RGB"})


NAMES = st.sampled_from(["thresh", "box_thresh", "mean", "img_mode", "limit_side_len", "other"])
VALUES = st.one_of(
    st.none(),
    st.integers(-5, 5000),
    st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(),
    st.sampled_from(["min", "a: b", "# no comment", "", "yes", "'", "1./255."]),
    st.lists(st.integers(0, 9), max_size=4),
)
KEYS = ("DecodeImage", "DetResizeForTest", "NormalizeImage", "ToCHWImage", "PostProcess", UNKNOWN_KEY)


@quickly
@given(st.sampled_from(KEYS), st.dictionaries(NAMES, VALUES, min_size=1, max_size=3))
def test_it_says_what_was_meant_or_is_refused(key: str, values: dict[str, Any]) -> None:
    try:
        after = edit_config(YML, PATH, EXPORT, key, values)
    except ModelError:  # a list with comments inside
        return
    said = yaml.safe_load(after)
    operators = {name: each for entry in said["PreProcess"]["transform_ops"] for name, each in entry.items()}
    arguments = {**operators, "PostProcess": said["PostProcess"]}[key] or {}
    assert {name: arguments.get(name) for name in values} == values
    comments = [line for line in YML.splitlines() if "#" in line]
    assert after.count("#") >= len(comments) - 1

"""Flags of a script: which are taken, which are refused, and how a fix words them."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

import pytest

from pytest_ocrparity.backends.checkout.flags import (
    FLAG_OF,
    REC_FLAG_OF,
    flag_values,
    flags_fix,
    parsed_flags,
)
from pytest_ocrparity.errors import ModelError


def str2bool(text: str) -> bool:
    return text.lower() in ("true", "t", "1")


def parser() -> ArgumentParser:
    made = ArgumentParser()
    made.add_argument("--det_limit_side_len", type=float, default=960)
    made.add_argument("--e2e_limit_side_len", type=float, default=768)
    made.add_argument("--use_dilation", type=str2bool, default=False)
    made.add_argument("--onnx_providers", nargs="+", type=str, default=False)
    made.add_argument("--det_model_dir", type=str)
    return made


def test_what_is_given_goes_through_the_scripts_own_parser() -> None:
    options = {"det_limit_side_len": 736, "use_dilation": True, "onnx_providers": ["A", "B"]}
    found = parsed_flags(parser(), options, "predict_det.py")
    assert (found.det_limit_side_len, found.use_dilation, found.onnx_providers) == (736.0, True, ["A", "B"])
    assert parsed_flags(parser(), {}, "predict_det.py").det_limit_side_len == 960


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"det_limit_side_lens": 1}, "is no flag of this predict_det.py; did you mean 'det_limit_side_len'"),
        ({"limit_side_len": 1}, "is no flag of this predict_det.py; did you mean 'det_limit_side_len'"),
        ({"2e_limit_side_len": 1}, "is no flag of this predict_det.py; did you mean 'e2e_limit_side_len'"),
        ({"help": True}, "help is no flag of this predict_det.py"),
        ({"det_model_dir": "x"}, "det_model_dir has a setting of its own: set model_dir"),
        ({"det_limit_side_len": "wide"}, "invalid float value: 'wide'"),
        ({"det_limit_side_len": [1, 2]}, r"det_limit_side_len is \[1, 2\]; predict_det.py takes one value of it"),
        ({"use_dilation": "maybe"}, "use_dilation is 'maybe', not true or false"),
        ({"use_dilation": 3}, "use_dilation is 3, not true or false"),
    ],
)
def test_what_is_no_flag_or_no_value_is_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ModelError, match=said):
        parsed_flags(parser(), options, "predict_det.py")


def test_parameters_are_given_by_their_flags_where_they_change() -> None:
    current = {"rule": "limit", "limit_side_len": 960.0, "limit_type": "max", "max_side_limit": None}
    wanted = {"rule": "limit", "limit_side_len": 736, "limit_type": "min"}
    found = flag_values(FLAG_OF, current, wanted, "predict_det.py")
    assert found == {"det_limit_side_len": 736, "det_limit_type": "min"}
    assert flag_values(FLAG_OF, wanted, wanted, "predict_det.py") == {}
    shape = flag_values(REC_FLAG_OF, {"image_shape": [3, 48, 320]}, {"image_shape": [3, 32, 160]}, "predict_rec.py")
    assert shape == {"rec_image_shape": "3,32,160"}
    with pytest.raises(ValueError, match=r"predict_det.py has no flag that sets rule, image_shape"):
        flag_values(FLAG_OF, current, {"rule": "image_shape", "image_shape": [1, 2]}, "predict_det.py")


def test_a_fix_is_a_command_line_and_a_change_of_the_options() -> None:
    fix = flags_fix({"det_db_thresh": 0.3, "use_dilation": False}, "predict_det.py")
    assert fix.text == (
        "pass --det_db_thresh=0.3 --use_dilation=False to predict_det.py; for this test, add the same to "
        "inference.options"
    )
    assert fix.changes[0].values == {"det_db_thresh": 0.3, "use_dilation": False}
    with pytest.raises(ValueError, match="nothing was given"):
        flags_fix({}, "predict_det.py")

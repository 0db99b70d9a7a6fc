"""Fragments: what a link holds, in this run and the next."""

from __future__ import annotations

import re

import pytest

from pytest_ocrparity.report.permalinks import image_anchor, stage_anchor


def test_a_plain_name_is_its_own_fragment() -> None:
    assert image_anchor("images/a-1_b.png") == "images/a-1_b.png"
    assert image_anchor("图像/é.png") == "图像/é.png"
    assert stage_anchor("images/a.png", "tensor") == "images/a.png/tensor"
    assert stage_anchor("a.png", "tensor", ("train", "onnx")) == "a.png/tensor/onnx/train"


@pytest.mark.parametrize("name", ["a b.png", "", "#?%.png", "<b>.png", "a\nb", "\ud800", "a.png/tensor"])
def test_other_names_become_fragments_that_differ(name: str) -> None:
    anchor = image_anchor(name)
    assert re.fullmatch(r"[\w./-]+-[0-9a-f]{8}", f"x{anchor}")
    assert anchor != image_anchor(f"{name}!")


def test_the_image_of_a_stages_name_is_no_stage() -> None:
    assert image_anchor("a.png/tensor") != stage_anchor("a.png", "tensor")
    assert image_anchor("a.png/tensors") == "a.png/tensors"

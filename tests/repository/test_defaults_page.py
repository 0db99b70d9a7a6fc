"""Every row of docs/howto/defaults.md is a fault that a test runs with real models: named, and gone with its fix."""

from __future__ import annotations

import ast
from typing import Final

import pytest
from paths import ROOT, TESTS

Row = tuple[str, str]
REC, DET, READER, RAPID = (
    "real/test_script_recogniser.py",
    "real/test_script_detector.py",
    "engines/rapidocr_reader.py",
    "engines/rapidocr_side.py",
)
FIVE: Final = f"{RAPID}::test_its_five_defaults_are_named_in_its_own_words_and_pass_once_they_are_set"
BEFORE: Final = f"{RAPID}::test_what_it_does_to_a_page_before_is_named_and_can_be_switched_off"
SHOWN: Final = {
    (
        "TextDetection",
        "resize.limits",
    ): "real/test_example.py::test_one_change_fails_at_its_stage_and_undoing_it_passes",
    (
        "PaddleOCR",
        "resize.limits",
    ): "real/test_ocr_predictor.py::test_its_defaults_are_named_with_the_fix_in_its_own_words",
    ("TextRecognition", "resize.width"): (
        "real/test_example_lines.py::test_the_classic_failure_is_at_the_width_of_wide_lines_alone"
    ),
    ("predict_det.py", "resize.limits"): f"{DET}::test_its_defaults_are_named_with_its_flags_and_pass_with_them",
    ("predict_det.py of 2.10", "an error in its words"): f"{DET}::test_its_own_refusal_is_the_cause",
    ("predict_det.py of later checkouts", "an error in its words"): (
        "real/test_checkout.py::test_its_scripts_run_the_example_and_say_what_they_refuse"
    ),
    ("predict_rec.py", "an error with both numbers"): (
        f"{REC}::test_its_default_dictionary_is_refused_with_the_flag_that_sets_it"
    ),
    ("predict_rec.py", "resize.height"): f"{REC}::test_a_wrong_height_is_named_with_its_flag",
    ("predict_rec.py", "resize.width"): f"{REC}::test_a_wrong_width_is_named_with_its_flag",
    ("OpenVINO", "engine.precision"): (
        "engines/openvino_side.py::test_its_default_precision_is_named_and_the_fix_passes"
    ),
    ("RapidOCR's detector", "normalize.mean_std"): FIVE,
    ("RapidOCR's detector", "postprocess.box_thresh"): FIVE,
    ("RapidOCR's detector", "postprocess.unclip_ratio"): FIVE,
    ("RapidOCR's detector", "postprocess.use_dilation"): FIVE,
    ("RapidOCR's detector", "resize.max_side_limit"): BEFORE,
    ("RapidOCR's detector", "resize.padding"): BEFORE,
    ("RapidOCR's recogniser", "resize.height"): (
        f"{READER}::test_its_defaults_are_named_in_its_own_words_and_pass_once_they_are_set"
    ),
    ("RapidOCR's recogniser", "resize.width"): f"{READER}::test_its_width_alone_is_named",
    ("RapidOCR's recogniser", "resize.pixels"): f"{READER}::test_a_line_below_30_px_is_enlarged_before",
    ("RapidOCR's recogniser", "resize.batch_padding"): (
        f"{READER}::TestItsBatches::test_one_that_reads_otherwise_is_named_with_the_param"
    ),
    ("RapidOCR's recogniser", "an error that names the param"): (
        f"{READER}::TestItsDictionary::test_without_one_nothing_is_downloaded"
    ),
}
"""The test of each row, by its side and by what the gate says."""


def rows(text: str) -> list[Row]:
    """Return the rows of the page's table: the side without its link, and what the gate says."""
    cells = [line.strip("|").split(" | ") for line in text.splitlines() if line.startswith("| ")][1:]
    return [(each[0].strip().split("](")[0].strip("[").replace("`", ""), each[2].strip("` ")) for each in cells]


def test_every_row_has_its_test() -> None:
    found = rows((ROOT / "docs" / "howto" / "defaults.md").read_text(encoding="utf-8"))
    assert found == list(SHOWN)


@pytest.mark.parametrize("row", SHOWN, ids=": ".join)
def test_the_test_is_there_and_says_what_the_row_says(row: Row) -> None:
    file, *names = SHOWN[row].split("::")
    source = (TESTS / file).read_text(encoding="utf-8")
    body: list[ast.stmt] = ast.parse(source).body
    for name in names:
        (node,) = (each for each in body if isinstance(each, ast.FunctionDef | ast.ClassDef) and each.name == name)
        body = node.body
    if "." in row[1] and " " not in row[1] and file not in BY_STAGE:
        assert f'"{row[1]}' in source


BY_STAGE: Final = ("real/test_example.py", "real/test_example_lines.py")
"""They hold the stage, or the line that a terminal prints."""


def test_a_row_without_a_test_is_found() -> None:
    table = "| side | a | b | c |\n|---|---|---|---|\n| [`x`](x.md) | fault | `resize.limits` | fix |\n"
    assert rows(table) == [("x", "resize.limits")]
    assert rows(table)[0] not in SHOWN

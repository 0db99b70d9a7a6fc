"""What a run prints: versions, counts, headroom, limits, and what was never compared."""

from __future__ import annotations

import pytest
from projects import run, wrong_export


def test_boxes_that_differ_are_counted_and_no_headroom_is_claimed(project: pytest.Pytester) -> None:
    wrong_export(project, box_thresh=0.999)
    result = run(project, "-k", "training")
    result.stdout.fnmatch_lines(["  detections * 1 different, 1 same * 2 of 4 boxes differ"])


def test_verbose_adds_a_line_per_image(project: pytest.Pytester) -> None:
    run(project, "-k", "training", "-v").stdout.fnmatch_lines(["    images/one_word.npy *same*"])


def test_several_cv2_versions_are_told_with_the_fix(project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    versions = {"opencv-contrib-python": "4.10.0.84", "opencv-python-headless": "5.0.0"}
    monkeypatch.setattr("pytest_ocrparity.environment._distribution_version", versions.get)
    run(project, "-k", "training").stdout.fnmatch_lines(
        [
            "ocrparity: cv2 4.10.0.84, 5.0.0",
            "ocrparity: WARNING: several cv2 versions overwrite each other (opencv-contrib-python 4.10.0.84, *"
            "pip install opencv-python-headless==4.10.0.84",
        ]
    )


def test_limits_that_permit_more_stand_in_the_table(project: pytest.Pytester) -> None:
    path = project.path / "test_export.py"
    marker = "import pytest\n\n@pytest.mark.ocr_tolerance(probability_maps={'atol': 0.5})\ndef test_export_matches_t"
    path.write_text(path.read_text().replace("def test_export_matches_t", marker))
    result = run(project, "-k", "training")
    result.stdout.fnmatch_lines(
        ["limits that may permit more than the fp32 preset: probability_maps.atol = 0.5 (marker)"]
    )
    path.write_text(path.read_text().replace("0.5", "1e9"))
    result = run(project, "-k", "training")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*marker: probability_maps.atol is at most 1, not 1000000000.0*"])


def test_a_test_that_asserts_a_part_says_what_was_never_compared(project: pytest.Pytester) -> None:
    path = project.path / "test_export.py"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(line for line in lines if "_maps(" not in line and "_detections(train" not in line))
    result = run(project, "-k", "training")
    result.assert_outcomes(passed=2, deselected=2)
    result.stdout.fnmatch_lines(
        ["inference against train: 2 images", "  preprocessing *", "  never compared: probability maps, detections"]
    )


def test_the_headroom_of_a_map_is_told_of_the_limit_that_would_judge(project: pytest.Pytester) -> None:
    conftest = project.path / "conftest.py"
    steep = "Toy(gain=300.0, mean=0.82696"  # words lie on the sigmoid's steepest place: 4 x its sensitivity is 2.1e-04
    conftest.write_text(conftest.read_text().replace("Toy(", f"{steep}, ").replace(", )", ")"))
    wrong_export(project, offset=9e-5)
    result = run(project, "-k", "training and three", "--ocr-tolerance=detections.max_borderline=1")
    result.stdout.fnmatch_lines(
        ["  probability maps * worst map 9e-05, below 0.0001, the least that the automatic limit can be"]
    )
    result.stdout.no_fnmatch_line("*worst map*headroom*")
    # A baseline knows that limit, as its reference's sensitivity was recorded with it.
    run(project, "--ocr-golden", "-k", "baseline")
    project.makepyfile(
        test_export="""
        from pytest_ocrparity import assert_same_probability_maps

        def test_maps(ocr_golden, ocr_inference_model, ocr_image):
            assert_same_probability_maps(ocr_golden.trace(ocr_image), ocr_inference_model.trace(ocr_image))
        """
    )
    result = run(project, "-k", "three")
    result.stdout.fnmatch_lines(["  probability maps * 1 same * worst map * of 0.000*, headroom *%"])

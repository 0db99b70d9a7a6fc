"""The images of the settings: globs, names, and none."""

from __future__ import annotations

import numpy as np
import pytest
from projects import run
from toy import PAGE


def test_no_image_is_an_error_and_not_a_skip(project: pytest.Pytester) -> None:
    result = run(project, "--ocr-images", "elsewhere/*.png")
    result.assert_outcomes(errors=2)
    assert result.ret == 1
    result.stdout.fnmatch_lines(["*no images: *elsewhere/[*].png matches no file*"])


def test_no_images_setting_names_it(project: pytest.Pytester) -> None:
    project.makepyprojecttoml("[tool.ocrparity]\nallow_empty = true\n")
    run(project).stdout.fnmatch_lines(["*no images: *sets none; set `images` or pass --ocr-images=*"])


def test_names_with_the_letters_of_globs_and_other_odd_ones(project: pytest.Pytester) -> None:

    for name in (
        "a[1].npy",
        "two words (x).npy",
        "it's.npy",
        "\u0441\u0442\u0440\u0430\u043d\u0438\u0446\u0430.npy",
        "x" * 245 + ".npy",
    ):
        np.save(project.path / "images" / name, PAGE)
    run(project, "--ocr-golden").assert_outcomes(passed=14)
    result = run(project, "--ocr-images=images/a[1].npy", "-k", "training")
    result.assert_outcomes(passed=1, deselected=1)


class TestGlobs:
    TWO = '[tool.ocrparity]\nimages = ["images/*.npy", "imagse/*.npy"]\n'

    def test_one_that_matches_nothing_is_a_warning(self, project: pytest.Pytester) -> None:
        project.makepyprojecttoml(self.TWO)
        result = run(project, "-k", "training")
        assert result.ret == 0
        result.stdout.fnmatch_lines(
            ["WARNING: images: imagse/[*].npy matches no file, while others match 2: correct it or remove it"]
        )

    @pytest.mark.parametrize("option", ["--strict-config", "-ostrict_config=true", "-ostrict=true"])
    def test_it_is_an_error_under_strict_config(self, project: pytest.Pytester, option: str) -> None:
        if option != "--strict-config" and pytest.version_tuple < (9,):
            pytest.skip("these settings came with pytest 9")
        project.makepyprojecttoml(self.TWO)
        result = run(project, "-k", "training", option)
        result.assert_outcomes(passed=2, failed=1, deselected=2)
        assert result.ret == 1
        result.stdout.fnmatch_lines(["images: imagse/[*].npy matches no file, while others match 2*"])

    def test_globs_that_match_need_no_word(self, project: pytest.Pytester) -> None:
        project.makepyprojecttoml(self.TWO.replace("imagse", "images/.."))
        np.save(project.path / "more.npy", PAGE)
        result = run(project, "-k", "training", "--strict-config")
        assert result.ret == 0
        result.stdout.no_fnmatch_line("*matches no file*")

    def test_nor_do_those_that_no_test_asks_for(self, project: pytest.Pytester) -> None:
        project.makepyprojecttoml(self.TWO)
        project.makepyfile(
            test_export="""
            import pytest
            from pytest_ocrparity import assert_same_detections

            @pytest.mark.parametrize("ocr_image", ["images/one_word.npy"], indirect=True)
            def test_given(ocr_train_model, ocr_inference_model, ocr_image):
                assert_same_detections(ocr_train_model.trace(ocr_image), ocr_inference_model.trace(ocr_image))
            """
        )
        result = run(project, "--strict-config")
        assert result.ret == 0
        result.stdout.no_fnmatch_line("*matches no file*")

    def test_under_xdist(self, project: pytest.Pytester) -> None:
        project.makepyprojecttoml(self.TWO)
        result = project.runpytest_subprocess("-n", "1", "-k", "training", "--strict-config")
        result.assert_outcomes(passed=2, failed=1)
        assert result.ret == 1
        result.stdout.fnmatch_lines(["images: imagse/[*].npy matches no file*"])


@pytest.mark.parametrize("report", ["--ocr-report=report", "-v"])
def test_the_pictures_of_a_report_are_no_images(project: pytest.Pytester, report: str) -> None:
    project.makepyprojecttoml('[tool.ocrparity]\nimages = ["images/*.npy", "**/*.jpg"]\n')
    run(project, "--ocr-report=report", "-k", "training").assert_outcomes(passed=2, deselected=2)
    (drawn, _) = project.path.rglob("*.jpg")
    run(project, report, "-k", "training").assert_outcomes(passed=2, deselected=2)
    drawn.rename(project.path / drawn.name)  # who takes one for an image gets it
    listed = run(project, "--collect-only", "-q", "-k", "training").outlines
    assert f"test_export.py::test_export_matches_training[{drawn.name}]" in listed

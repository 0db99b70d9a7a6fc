"""The fixtures: what may override them, what they say where they cannot be had, and their use in threads."""

from __future__ import annotations

import pytest
from projects import run, wrong_export


def test_ocr_image_can_be_overridden_and_parametrized(project: pytest.Pytester) -> None:
    project.makepyfile(
        test_export="""
        import pytest

        @pytest.fixture
        def ocr_image():
            return "images/one_word.npy"

        def test_mine(ocr_image):
            assert ocr_image == "images/one_word.npy"

        @pytest.mark.parametrize("ocr_image", ["a", "b"])
        def test_direct(ocr_image):
            assert ocr_image in "ab"
        """
    )
    run(project).assert_outcomes(passed=3, failed=1)  # and the fault that nothing was compared


def test_ocr_image_asked_for_at_run_time_gets_a_sentence(project: pytest.Pytester) -> None:
    project.makepyfile(test_export="def test_late(request): request.getfixturevalue('ocr_image')")
    result = run(project)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*ocr_image is parametrized by images at collection: name it among the test's arg*"])


def test_without_the_models_packages_other_tests_run(project: pytest.Pytester) -> None:
    project.makeconftest("")
    project.makepyprojecttoml(
        '[tool.ocrparity]\nimages = ["images/*.npy"]\n[tool.ocrparity.train]\nconfig = "none.yml"\n'
        '[tool.ocrparity.inference]\nmodel_dir = "none"\n'
    )
    project.makepyfile(test_other="def test_other(): pass")
    result = run(project)
    result.assert_outcomes(passed=1, errors=2)  # each function once, and not per image


def test_fixtures_without_their_settings_name_them(project: pytest.Pytester) -> None:
    project.makeconftest("")
    result = run(project, "-k", "training")
    result.assert_outcomes(errors=1, deselected=1)
    result.stdout.fnmatch_lines(["*sets no train.config: set it, or pass --ocr-train-config*"])


def test_fixtures_explain_themselves(project: pytest.Pytester) -> None:
    run(project, "--fixtures").stdout.fnmatch_lines_random(["ocr_image *", "*once per image*", "ocr_golden *"])


IN_A_THREAD = """
from concurrent.futures import ThreadPoolExecutor
from pytest_ocrparity import assert_same_detections

def test_in_a_thread(ocr_train_model, ocr_inference_model, ocr_image):
    sides = ocr_train_model.trace(ocr_image), ocr_inference_model.trace(ocr_image)
    with ThreadPoolExecutor() as pool:
        pool.submit(assert_same_detections, *sides).result()
"""


def test_assertions_in_a_threads_are_judged_and_heard_as_elsewhere(project: pytest.Pytester) -> None:
    project.makepyfile(test_export=IN_A_THREAD)
    wrong_export(project, pad=2)
    result = run(project)
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["inference against train: 2 images", "  detections  *2 same *"])
    run(project, "--ocr-tolerance=exact").assert_outcomes(failed=2)

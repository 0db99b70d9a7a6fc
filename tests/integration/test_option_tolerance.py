"""`--ocr-tolerance`, the marker, the settings and the keyword: which one wins, and what a mistake says."""

from __future__ import annotations

import pytest
from projects import wrong_export


def run(project: pytest.Pytester, *args: str) -> pytest.RunResult:
    return project.runpytest("-p", "no:xdist", *args)


def moved_by_four_pixels(project: pytest.Pytester, marker: str = "", keyword: str = "", setting: str = "") -> None:
    """Write a test of boxes that need `max_shift` of 1.83, with a limit in each layer."""
    wrong_export(project, pad=3)
    project.makepyfile(
        test_export=f"""
        import pytest
        from pytest_ocrparity import assert_same_detections

        {marker}
        def test_boxes(ocr_train_model, ocr_inference_model, ocr_image):
            assert_same_detections(ocr_train_model.trace(ocr_image), ocr_inference_model.trace(ocr_image) {keyword})
        """
    )
    project.makepyprojecttoml(
        f'[tool.ocrparity]\nimages = ["images/one_word.npy"]\n[tool.ocrparity.tolerance]\n{setting}\n'
    )


LOOSE, STRICT = "{'max_shift': 2}", "{'max_shift': 1}"


@pytest.mark.parametrize(
    ("setting", "option", "marker", "keyword", "passes"),
    [
        ("", "", "", "", False),
        ("max_shift = 2", "", "", "", True),
        ("max_shift = 2", "detections.max_shift=1", "", "", False),
        ("max_shift = 1", "detections.max_shift=2", "", "", True),
        ("", "detections.max_shift=2", STRICT, "", False),
        ("", "detections.max_shift=1", LOOSE, "", True),
        ("", "", LOOSE, ", max_shift=1", False),
        ("", "", STRICT, ", max_shift=2", True),
        ("max_shift = 2", "fp32", "", "", False),  # a preset replaces what is below it
    ],
)
def test_the_stronger_layer_wins(
    project: pytest.Pytester, setting: str, option: str, marker: str, keyword: str, passes: bool
) -> None:
    moved_by_four_pixels(
        project,
        setting=f"detections = {{ {setting} }}" if setting else "",
        marker=f"@pytest.mark.ocr_tolerance(detections={marker})" if marker else "",
        keyword=keyword,
    )
    result = run(project, *([f"--ocr-tolerance={option}"] if option else []))
    result.assert_outcomes(passed=int(passes), failed=int(not passes))


def test_the_closest_marker_wins(project: pytest.Pytester) -> None:
    moved_by_four_pixels(project, marker=f"@pytest.mark.ocr_tolerance(detections={LOOSE})")
    path = project.path / "test_export.py"
    path.write_text(
        path.read_text().replace(
            "import pytest\n",
            f"import pytest\npytestmark = pytest.mark.ocr_tolerance('fp32', detections={STRICT})\n",
            1,
        )
    )
    run(project).assert_outcomes(passed=1)


def test_the_message_says_who_set_the_limit(project: pytest.Pytester) -> None:
    moved_by_four_pixels(project, marker=f"@pytest.mark.ocr_tolerance(detections={STRICT})")
    run(project).stdout.fnmatch_lines(
        ["*limit * detections.max_shift 1.83 map px after 1 px of rounding at x=45 y=30, limit 1 (marker)"]
    )


@pytest.mark.parametrize(
    ("marker", "text"),
    [
        ("'fp61'", "no tolerance preset 'fp61'; did you mean 'fp16'"),
        ("detection={}", "no tolerance stage 'detection'; did you mean 'detections'"),
        ("detections={'min_uoi': 1}", "detections has no limit 'min_uoi'; did you mean 'min_iou'"),
        ("'fp16', 'fp32'", "ocr_tolerance takes one preset, not ('fp16', 'fp32')"),
        ("'fp16', preset='int8'", "ocr_tolerance takes one preset, not ('fp16', 'preset')"),
        ("", "ocr_tolerance() sets nothing: give it a preset or limits"),
    ],
)
def test_a_wrong_marker_is_a_collection_error_of_its_file(project: pytest.Pytester, marker: str, text: str) -> None:
    moved_by_four_pixels(project, marker=f"@pytest.mark.ocr_tolerance({marker})")
    result = run(project)
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert "ERROR test_export.py" in result.stdout.str()
    assert text in result.stdout.str()


def test_under_xdist_too(project: pytest.Pytester) -> None:
    moved_by_four_pixels(project, marker="@pytest.mark.ocr_tolerance('fp61')")
    project.makepyfile(test_other="def test_other(): pass")
    result = project.runpytest_subprocess("-n", "2")
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.no_fnmatch_line("*INTERNALERROR*")
    result.stdout.fnmatch_lines(["*no tolerance preset 'fp61'*"])


def test_a_wrong_option_is_a_usage_error(project: pytest.Pytester) -> None:
    result = run(project, "--ocr-tolerance=detections.min_uoi=1")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*command line: detections has no limit 'min_uoi'; did you mean 'min_iou'*"])

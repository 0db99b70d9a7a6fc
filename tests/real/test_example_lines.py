"""The recogniser of the example, run as a newcomer does: wrong at the right stage after one change."""

from __future__ import annotations

import shutil

import pytest

from real.test_example import LINES, change, example  # noqa: F401 - a fixture

DICTIONARY = "configs/tiny_rec_dict.txt"
EXPORT = "inference_rec/inference.yml"
CLASSIC = "configs/tiny_rec.yml", "          eval_mode: true\n", ""
"""PaddleOCR's default: the evaluation squeezes a wide line into image_shape, which no deployment of 3.x does."""
SQUEEZED = ["doubled", "exif_orientation", "just_wide", "wide_dark", "wide_invoice", "wide_receipt", "wide_stroked"]
"""The lines that are wider than image_shape, 5:1."""
MISREAD = [name for name in SQUEEZED if name.startswith("wide_")]


@pytest.fixture
def project(request: pytest.FixtureRequest) -> pytest.Pytester:
    copy: pytest.Pytester = request.getfixturevalue("example")
    return copy


def run(project: pytest.Pytester, *args: str) -> pytest.RunResult:
    return project.runpytest_inprocess("-p", "no:xdist", "tests/test_recogniser.py", *args)


def failed_lines(result: pytest.RunResult) -> list[str]:
    """Return the names of the lines whose tests failed."""
    ids = [line.partition("[lines/")[2].partition(".")[0] for line in result.outlines if line.startswith("FAILED")]
    return sorted(ids)


def test_the_classic_failure_is_at_the_width_of_wide_lines_alone(project: pytest.Pytester) -> None:
    change(project, *CLASSIC)
    result = run(project, "-k", "training", "-v")
    assert failed_lines(result) == SQUEEZED
    assert result.parseoutcomes()["passed"] == len(LINES) - len(SQUEEZED)
    said = [line for line in result.outlines if line.startswith("E ") and "  seen        first difference at " in line]
    assert len(said) == len(SQUEEZED)
    assert all("at resize: 160 px of picture in a tensor of 160x32 in train, " in line for line in said)
    named = [line for line in result.outlines if line.startswith("E ") and "  cause       resize.width" in line]
    assert len(named) == len(SQUEEZED)
    misread = [line for line in result.outlines if line.startswith("E ") and "then        text: " in line]
    assert sum("text: same, both read " not in line for line in misread) == len(MISREAD)


CHANGES = {
    "colours": (EXPORT, "img_mode: BGR", "img_mode: RGB", "decode", "colours"),
    "width": ("pyproject.toml", "{ device", "{ input_shape = [3, 32, 160], device", "resize", "wide_receipt"),
    "dictionary": (EXPORT, "  - '1'\n  - '2'\n", "  - '2'\n  - '1'\n", "text", "price"),
}


@pytest.mark.parametrize("what", CHANGES)
def test_one_change_fails_at_its_stage_and_undoing_it_passes(project: pytest.Pytester, what: str) -> None:
    file, old, new, stage, line = CHANGES[what]
    only = "-k", f"training and {line}"
    shutil.move(project.path / "inference_rec", project.path / what)  # a loaded model is kept by its folder's name
    shutil.copytree(project.path / what, project.path / "inference_rec")
    change(project, "pyproject.toml", 'model_dir = "inference_rec"', f'model_dir = "{what}"')
    before = {name: (project.path / name).read_text() for name in (f"{what}/inference.yml", "pyproject.toml")}
    change(project, file.replace("inference_rec", what), old, new)
    result = run(project, *only)
    assert result.parseoutcomes()["failed"] == 1
    assert f"first difference at {stage}: " in result.stdout.str()
    (project.path / "pyproject.toml").write_text(before["pyproject.toml"].replace(f'"{what}"', '"inference_rec"'))
    result = run(project, *only)
    assert (result.parseoutcomes()["passed"], result.ret) == (1, 0)


def test_a_change_of_the_recogniser_is_none_of_the_detectors(project: pytest.Pytester) -> None:
    change(project, *CLASSIC)
    result = project.runpytest_inprocess("-p", "no:xdist", "-k", "training and receipt")
    result.assert_outcomes(passed=1, failed=1, deselected=78)
    assert "FAILED tests/test_recogniser.py" in result.stdout.str()


def test_another_dictionary_makes_the_baselines_stale(project: pytest.Pytester) -> None:
    lines = (project.path / DICTIONARY).read_text().splitlines()
    (project.path / DICTIONARY).write_text("\n".join([*lines[1:], lines[0]]) + "\n")
    result = run(project, "-k", "baseline and price")
    assert result.parseoutcomes()["failed"] == 1
    result.stdout.fnmatch_lines(["*dictionary*changed since the baseline was recorded*"])

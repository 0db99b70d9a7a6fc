"""What a person reads where many images fail for one cause: its message once, a word each, a block with the images."""

from __future__ import annotations

import numpy as np
import pytest
from projects import NO_XDIST, TELLS_WHY, wrong_export
from toy import page

IMAGES = 12
HEADLINE = "first difference at detections: 1 moved of 1 box"
CAUSES = """
import pytest

@pytest.fixture(scope="session")
def ocr_inference_model(request):
    class Port(Toy):
        def varied(self, stage, values):
            return Port(**{**vars(self), **values})
    return Toy(name="inference", box_thresh=0.999999)
"""


@pytest.fixture
def many(project: pytest.Pytester) -> pytest.Pytester:
    """A project with twelve pages, in which the export pads its boxes wrongly, which no experiment explains."""
    for old in (project.path / "images").iterdir():
        old.unlink()
    for index in range(IMAGES):
        left = 10 + 2 * index
        np.save(project.path / "images" / f"p{index:02}.npy", page(boxes=((left, 20, left + 40, 40),)))
    wrong_export(project, pad=4)
    return project


def messages(result: pytest.RunResult) -> list[str]:
    return [line for line in result.outlines if line.startswith("E ") and HEADLINE in line]


@pytest.mark.parametrize("options", [NO_XDIST, ("-n", "2")], ids=["one process", "two workers"])
def test_one_message_for_a_cause_and_a_word_for_each_image(many: pytest.Pytester, options: tuple[str, ...]) -> None:
    result = many.runpytest_subprocess(*options, "-k", "training")
    result.assert_outcomes(failed=IMAGES)
    assert len(messages(result)) == 1
    words = [line for line in result.outlines if line.startswith("FAILED test_export.py::test_export_matches_training")]
    assert len(words) == IMAGES
    result.stdout.fnmatch_lines(
        [
            f"unknown cause at detections: {IMAGES} images of inference against train",
            "  detections: the same map gives other boxes, and no experiment explained it",
            f"  images/p*.npy, images/p*.npy, images/p*.npy and {IMAGES - 3} more",
            "the message of each cause is printed once, above; -v prints that of every image",
        ]
    )
    assert len(result.outlines) < 60 + 2 * IMAGES


def test_verbose_prints_every_message(many: pytest.Pytester) -> None:
    result = many.runpytest(*NO_XDIST, "-k", "training", "-v")
    assert len(messages(result)) == IMAGES
    result.stdout.no_fnmatch_line("*is printed once*")


def test_another_failure_among_them_keeps_its_message(many: pytest.Pytester) -> None:
    with (many.path / "test_export.py").open("a") as file:
        file.write("\ndef test_training_other():\n    assert {'mine': 1} == {'mine': 2}\n")
    result = many.runpytest(*NO_XDIST, "-k", "training")
    result.assert_outcomes(failed=IMAGES + 1)
    assert len(messages(result)) == 1
    result.stdout.fnmatch_lines(["E * assert {'mine': 1} == {'mine': 2}", "FAILED *::test_training_other - *assert *"])


def test_what_a_folded_test_printed_stays(many: pytest.Pytester) -> None:
    path = many.path / "test_export.py"
    path.write_text(
        path.read_text().replace("    train, inference =", "    print('for', ocr_image.name)\n    train, inference =")
    )
    result = many.runpytest(*NO_XDIST, "-k", "training")
    assert len(messages(result)) == 1
    assert sum(line.startswith("for p") for line in result.outlines) == IMAGES
    assert sum(", as in test_export.py::" in line for line in result.outlines) == IMAGES - 1


def test_other_reporters_get_every_message(many: pytest.Pytester) -> None:
    many.runpytest(*NO_XDIST, "-k", "training", "--junitxml=junit.xml")
    assert (many.path / "junit.xml").read_text().count('message="pytest_ocrparity.DifferenceError: images/p') == IMAGES


def test_two_causes_have_a_message_each(many: pytest.Pytester) -> None:
    np.save(many.path / "images" / "two.npy", page(boxes=((10, 20, 50, 40),)))
    conftest = many.path / "conftest.py"
    odd = """

class Odd(Toy):
    def trace(self, image):
        model = Toy(name="inference", scale=2) if image.name == "two.npy" else Toy(name="inference", pad=4)
        return model.trace(image)
"""
    text = conftest.read_text().replace("return Toy(name=", "return Odd(name=")
    conftest.write_text(text.replace("from toy import Toy", "from toy import Toy" + odd, 1))
    result = many.runpytest(*NO_XDIST, "-k", "training")
    result.assert_outcomes(failed=IMAGES + 1)
    assert len(messages(result)) == 1
    assert sum("first difference at resize: resized to" in line for line in result.outlines if line[:2] == "E ") == 1
    blocks = [line for line in result.outlines if line.startswith("unknown cause at ")]
    assert len(blocks) == 2


@pytest.mark.parametrize("style", ["--tb=no", "--tb=line", "--tb=short", "--tb=native", "-rA", "--no-summary", "-q"])
def test_every_style_ends_well(many: pytest.Pytester, style: str) -> None:
    result = many.runpytest(*NO_XDIST, "-k", "training", style)
    result.assert_outcomes(failed=IMAGES)
    result.stdout.no_fnmatch_line("*INTERNALERROR*")
    # pytest 8.0 prints of a report the place alone under --tb=line.
    shown = ("--tb=short", "-rA", "-q", *(("--tb=line",) if TELLS_WHY else ()))
    assert len(messages(result)) in ((1,) if style in shown else (0, int(style == "--tb=line")))


def test_a_single_failure_has_no_block(project: pytest.Pytester) -> None:
    wrong_export(project, pad=4)
    result = project.runpytest(*NO_XDIST, "-k", "training and one_word")
    result.stdout.no_fnmatch_line("unknown cause at *")
    result.stdout.no_fnmatch_line("*is printed once*")


@pytest.mark.parametrize("options", [("--tb=line",), ("--tb=no",), ("-rA",), ("-rA", "--tb=line")], ids=str)
def test_the_lines_that_matter_are_there_in_80_columns(
    many: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    result = many.runpytest(*NO_XDIST, "-k", "training", *options)
    where = f"{many.path}/test_export.py:7: unknown cause, {HEADLINE} (train against inference)"
    assert result.outlines.count(where) == ("--tb=line" in options), "once for the cause, as pytest has it"
    result.stdout.no_fnmatch_line("*namespace(*")
    result.stdout.fnmatch_lines(
        [
            "inference against train: 12 images",
            "  detections                       12 different             12 of 12 boxes differ",
            f"unknown cause at detections: {IMAGES} images of inference against train",
            "FAILED test_export.py::test_export_matches_training[[]images/p*.npy[]] - unk*...",
            f"*= {IMAGES} failed, 12 deselected in *",
        ]
    )


def test_the_columns_of_long_names_are_one(project: pytest.Pytester) -> None:
    name = f"a_name_of_{'x' * 40}.npy"
    (project.path / "images" / "one_word.npy").rename(project.path / "images" / name)
    lines = project.runpytest(*NO_XDIST, "-k", "training", "-v").outlines
    rows = [line for line in lines if line.startswith("    images/")]
    assert len(rows) == 6
    assert len({row.index(" same ") for row in rows}) == 1

"""Plugins that run tests in a way of their own: every comparison counts, and one that differs fails the run."""

from __future__ import annotations

import importlib.metadata
import textwrap

import pytest
from projects import PATIENCE, wrong_export

TRAINING = ("-p", "no:randomly", "-k", "training")
HEAD = """
    from dataclasses import replace

    import pytest
    from pytest_ocrparity import assert_same_detections

    def compare(train, inference, image="images/one_word.npy", **wrong):
        assert_same_detections(train.trace(image), replace(inference, **wrong).trace(image))
"""


def run(project: pytest.Pytester, *args: str, code: str = "") -> pytest.RunResult:
    if code:
        project.makepyfile(test_export=textwrap.dedent(HEAD) + textwrap.dedent(code))
    return project.runpytest_subprocess("-p", "no:randomly", *args, timeout=PATIENCE)


def told(result: pytest.RunResult) -> dict[str, str]:
    """Return what the table says: of the images, and by kind how many comparisons ended how."""
    lines = [line.split("  ") for line in result.outlines]
    rows = {cells[1].strip(): next(filter(None, map(str.strip, cells[2:])), "") for cells in lines if len(cells) > 2}
    images = [line.partition(": ")[2] for line in result.outlines if line.startswith("inference against train: ")]
    return {**rows, "images": "".join(images)}


class TestRepeat:
    """pytest-repeat."""

    def test_each_repetition_counts(self, project: pytest.Pytester) -> None:
        result = run(project, *TRAINING, "--count=3")
        assert (result.ret, result.parseoutcomes()["passed"]) == (0, 6)
        assert told(result)["detections"] == "6 same"

    def test_one_that_differs_fails(self, project: pytest.Pytester) -> None:
        code = """
            def test_it(ocr_train_model, ocr_inference_model, __pytest_repeat_step_number):
                compare(ocr_train_model, ocr_inference_model, pad=6 if __pytest_repeat_step_number == 1 else 1)
            """
        result = run(project, "--count=3", code=code)
        assert (result.ret, result.parseoutcomes()) == (1, {"passed": 2, "failed": 1})
        assert told(result)["detections"] == "1 different, 2 same"


class TestSplit:
    """pytest-split: each half is a run."""

    def test_each_half_passes_and_tells_of_its_own(self, project: pytest.Pytester) -> None:
        for group in (1, 2):
            result = run(project, *TRAINING, "--splits=2", f"--group={group}")
            assert (result.ret, result.parseoutcomes()["passed"]) == (0, 1)
            assert told(result)["images"] == "1 image"

    def test_the_half_with_a_difference_fails(self, project: pytest.Pytester) -> None:
        wrong_export(project, box_thresh=0.999)  # of one image
        results = [run(project, *TRAINING, "--splits=2", f"--group={group}") for group in (1, 2)]
        assert sorted(int(result.ret) for result in results) == [0, 1]
        assert sorted(told(result)["detections"] for result in results) == ["1 different", "1 same"]


class TestRunParallel:
    """pytest-run-parallel: a test in several threads at once."""

    def test_each_thread_counts(self, project: pytest.Pytester) -> None:
        result = run(project, *TRAINING, "--parallel-threads=3")
        assert (result.ret, result.parseoutcomes()["passed"]) == (0, 2)
        assert told(result) | {"images": "2 images", "detections": "6 same"} == told(result)

    def test_a_difference_in_one_of_them_fails(self, project: pytest.Pytester) -> None:
        code = """
            def test_it(ocr_train_model, ocr_inference_model, thread_index):
                compare(ocr_train_model, ocr_inference_model, pad=6 if thread_index == 1 else 1)
            """
        result = run(project, "--parallel-threads=3", code=code)
        assert result.ret == 1
        assert told(result)["detections"] == "1 different, 2 same"
        result.stdout.fnmatch_lines(["E *DifferenceError: images/one_word.npy: *"])

    def test_one_that_is_skipped_after_it_differed_fails_the_run(self, project: pytest.Pytester) -> None:
        code = """
            def test_it(ocr_train_model, ocr_inference_model, thread_index):
                if thread_index:
                    pytest.skip("one thread is enough")
                compare(ocr_train_model, ocr_inference_model, pad={pad})
            """
        result = run(project, "--parallel-threads=2", code=code.replace("{pad}", "6"))
        assert result.ret == 1
        result.stdout.fnmatch_lines(["*::test_it caught a difference and did not fail: images/one_word.npy: *"])
        assert run(project, "--parallel-threads=2", code=code.replace("{pad}", "1")).ret == 0


ASYNC = """
    import asyncio

    @pytest.mark.asyncio
    async def test_it(ocr_train_model, ocr_inference_model, ocr_image):
        await asyncio.sleep(0)
        compare(ocr_train_model, ocr_inference_model, ocr_image, pad={pad})
    """


@pytest.mark.parametrize(("pad", "outcome", "row"), [(1, "passed", "2 same"), (6, "failed", "2 different")])
def test_asyncio(project: pytest.Pytester, pad: int, outcome: str, row: str) -> None:
    result = run(project, code=ASYNC.format(pad=pad))
    assert result.parseoutcomes() == {outcome: 2}
    assert told(result)["detections"] == row


SUBTESTS = """
    def test_it(ocr_train_model, ocr_inference_model, subtests):
        for image in ("images/one_word.npy", "images/three_words.npy"):
            with subtests.test(image):
                compare(ocr_train_model, ocr_inference_model, image, pad=6 if image == {wrong!r} else 1)
    """


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["one process", "two workers"])
def test_subtests(project: pytest.Pytester, workers: tuple[str, ...]) -> None:
    result = run(project, *workers, code=SUBTESTS.format(wrong="images/one_word.npy"))
    assert result.ret == 1
    assert told(result) | {"images": "2 images", "detections": "1 different, 1 same"} == told(result)
    result.stdout.fnmatch_lines(["SUBFAILED[[]images/one_word.npy[]] test_export.py::test_it*"])
    result.stdout.no_fnmatch_line("SUBFAILED*three_words*")
    result.stdout.no_fnmatch_line("*caught a difference*")


def test_subtests_that_are_right(project: pytest.Pytester) -> None:
    result = run(project, code=SUBTESTS.format(wrong=""))
    assert result.ret == 0
    assert told(result)["detections"] == "2 same"


HYPOTHESIS = """
    from hypothesis import given, settings, strategies
    from toy import page

    @settings(max_examples=10, database=None, derandomize=True, deadline=None)
    @given(width=strategies.integers(12, 60))
    def test_it(ocr_train_model, ocr_inference_model, width):
        compare(ocr_train_model, ocr_inference_model, page(boxes=((8, 8, 8 + width, 20),)), pad=6 if width >= 40 else 1)
    """


def test_hypothesis(project: pytest.Pytester) -> None:
    result = run(project, code=HYPOTHESIS.replace(">= 40", "> 60"))
    assert result.parseoutcomes() == {"passed": 1}
    assert told(result)["detections"] == "10 same"


def test_hypothesis_finds_a_difference(project: pytest.Pytester) -> None:
    result = run(project, code=HYPOTHESIS)
    assert result.parseoutcomes() == {"failed": 1}
    result.stdout.fnmatch_lines(["E *DifferenceError: page.png: *", "*    width=40,*"])


GIVEN = """
    @pytest.mark.parametrize("ocr_image", ["images/one_word.npy"], indirect=True)
    def test_it(ocr_train_model, ocr_inference_model, ocr_image):
        compare(ocr_train_model, ocr_inference_model, ocr_image)
    """
RUNNERS = {
    "xdist": ("-n", "2"),
    "repeat": ("--count=1",),
    "split": ("--splits=1", "--group=1"),
    "run-parallel": ("--parallel-threads=2",),
    "rerunfailures": ("--reruns=1",),
    "randomly": ("-p", "randomly"),
}


@pytest.mark.parametrize("name", RUNNERS)
def test_an_image_that_is_given_is_the_only_one(project: pytest.Pytester, name: str) -> None:
    importlib.metadata.version(f"pytest-{name}")
    result = run(project, *RUNNERS[name], code=GIVEN)
    assert (result.ret, result.parseoutcomes()) == (0, {"passed": 1})
    assert told(result)["images"] == "1 image"

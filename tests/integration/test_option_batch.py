"""`--ocr-batch=N` and the setting `batch`: each image also runs in a batch, and must come out as it does alone."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from projects import run, settings_file
from toy import PAGE, page

LEAKS = """

class Leaks(Toy):
    # the last page of a batch shows through the others
    def infer(self, tensor):
        return super().infer(tensor) * np.float32(0.75) + super().infer(tensor[-1:]) * np.float32(0.25)


import numpy as np


@pytest.fixture(scope="session")
def ocr_inference_model():
    return Leaks(name="inference")
"""
TOOK = "-k", "training"


def conftest(project: pytest.Pytester, text: str) -> None:
    path = project.path / "conftest.py"
    path.write_text(path.read_text() + text)


def lines(result: pytest.RunResult, word: str) -> list[str]:
    return [line for line in result.stdout.str().splitlines() if word in line]


@pytest.fixture
def leaking(project: pytest.Pytester) -> pytest.Pytester:
    conftest(project, LEAKS)
    return project


def test_without_it_nothing_runs_in_batches(leaking: pytest.Pytester) -> None:
    result = run(leaking, *TOOK)
    assert result.ret == 0
    assert "in batches of" not in result.stdout.str()


def test_a_right_side_passes_and_it_is_said_what_ran(project: pytest.Pytester) -> None:
    result = run(project, *TOOK, "--ocr-batch=4")
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        [
            "ocrparity: inference in batches of 4 as well as alone",
            "inference in batches of 4 against inference alone: 2 images in batches of 2",
            "  2 same, worst map 0 of 1.0e-04",
            "*WARNING: inference was asked for batches of 4, and the largest that ran had 2 images: no batch of 4 was*",
        ]
    )


def test_of_batches_as_large_as_asked_nothing_more_is_said(project: pytest.Pytester) -> None:
    result = run(project, *TOOK, "--ocr-batch=2")
    assert result.ret == 0
    assert not lines(result, "the largest that ran")


def test_a_side_that_mixes_images_fails_with_image_amount_and_cause(leaking: pytest.Pytester) -> None:
    result = run(leaking, *TOOK, "--ocr-batch=2")
    assert result.ret == 1
    result.assert_outcomes(passed=2, failed=1)
    (fault,) = lines(result, "in batches of 2 differs from inference alone")[:1]
    assert "inference in batches of 2 differs from inference alone, on 1 of 2 images: images/" in fault
    assert re.search(r"inference and inference in a batch of 2 differ by 0\.\d+ at x=\d+ y=\d+, limit 1\.0e-04", fault)
    assert "cause: engine.batch, what inference returns for an image depends on the other images of its batch" in fault
    assert "; alone and in this batch, inference returns the same again, and the two differ" in fault
    assert "; fix: keep the images of a batch apart" in fault
    assert lines(result, "1 different, 1 same, worst map 0.")


@pytest.mark.parametrize(("tolerance", "status"), [("fp32", 1), ("int8", 0)])
def test_batches_are_judged_by_the_limits_that_an_assertion_was_given(
    project: pytest.Pytester, tolerance: str, status: int
) -> None:
    conftest(project, LEAKS.replace("0.75", "0.998").replace("0.25", "0.002"))
    project.makepyfile(
        test_export=f"""
        from pytest_ocrparity import assert_same_detections

        def test_boxes(ocr_train_model, ocr_inference_model, ocr_image):
            sides = ocr_train_model.trace(ocr_image), ocr_inference_model.trace(ocr_image)
            assert_same_detections(*sides, tolerance={tolerance!r})
        """
    )
    result = run(project, "--ocr-batch=2")
    assert lines(result, "inference in batches of 2 against inference alone: 2 images in batches of 2")
    assert result.ret == status


def test_the_report_fails_too(leaking: pytest.Pytester) -> None:
    result = run(leaking, *TOOK, "--ocr-batch=2", "--ocr-report=report", "--junitxml=junit.xml")
    assert result.ret == 1
    document = json.loads((leaking.path / "report" / "results.json").read_text())
    assert document["run"]["verdict"] == "failed"
    assert any("engine.batch" in fault for fault in document["run"]["faults"])
    assert sorted((each["image"], each["size"], each["is_same"]) for each in document["batches"]) == [
        ("images/one_word.npy", 2, False),
        ("images/three_words.npy", 2, True),
    ]
    assert "engine.batch" in (leaking.path / "junit.xml").read_text()


def test_a_recorded_run_that_is_judged_again_still_fails(
    leaking: pytest.Pytester, capsys: pytest.CaptureFixture[str]
) -> None:
    from pytest_ocrparity.__main__ import main

    run(leaking, *TOOK, "--ocr-batch=2", "--ocr-report=report")
    results = leaking.path / "report" / "results.json"
    assert main(["judge", str(results)]) == 1
    assert "in batches of 2 differs from inference alone" in capsys.readouterr().out
    document = json.loads(results.read_text())
    results.write_text(json.dumps({**document, "batches": []}))
    assert main(["judge", str(results)]) == 0


@pytest.mark.parametrize("workers", ["2", "4"])
def test_workers_of_xdist_find_the_same(leaking: pytest.Pytester, workers: str) -> None:
    for index in range(4):
        np.save(leaking.path / "images" / f"page {index}.npy", page(boxes=((8, 8 + 4 * index, 60, 20 + 4 * index),)))
    alone = run(leaking, *TOOK, "--ocr-batch=3")
    result = leaking.runpytest_subprocess("-n", workers, *TOOK, "--ocr-batch=3")
    assert result.ret == alone.ret == 1
    for word in ("inference in batches of 3 against", "4 different, 2 same, worst map"):
        assert lines(result, word) == lines(alone, word) != []
    for each in (result, alone):
        assert lines(each, "in batches of 3 differs from inference alone, on 4 of 6 images: images/one_word.npy: ")


def test_one_test_alone_runs_in_the_batch_that_it_ran_in_before(leaking: pytest.Pytester) -> None:
    result = run(leaking, "-k", "training and one_word", "--ocr-batch=2")
    assert result.ret == 1
    assert lines(result, "on 1 of 1 image: images/one_word.npy: first difference at probability_map")


def test_a_run_in_which_no_two_tensors_have_one_size_fails(project: pytest.Pytester) -> None:
    np.save(project.path / "images" / "one_word.npy", PAGE[:48])
    result = run(project, *TOOK, "--ocr-batch=2")
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        [
            "*inference was asked for batches of 2, and none ran, of 2 images: no two of them have tensors of one "
            "size; add an image of the same size, or ask for no batches*"
        ]
    )
    assert lines(result, "2 images with a tensor of a size of its own")


def test_a_page_of_a_size_of_its_own_is_named_where_others_ran(project: pytest.Pytester) -> None:
    np.save(project.path / "images" / "small.npy", PAGE[:48])
    result = run(project, *TOOK, "--ocr-batch=2")
    assert result.ret == 0
    assert lines(result, "2 images in batches of 2, 1 image with a tensor of a size of its own")


def test_a_batch_of_one_asks_for_nothing(leaking: pytest.Pytester) -> None:
    result = run(leaking, *TOOK, "--ocr-batch=1")
    assert result.ret == 0
    assert "in batches of" not in result.stdout.str()


def test_the_setting_asks_as_the_option_does_which_wins(leaking: pytest.Pytester) -> None:
    settings_file(leaking.path, 'images = ["images/*.npy"]\n[inference]\nbatch = 2\n')
    (leaking.path / "pyproject.toml").unlink()
    assert run(leaking, *TOOK, "--ocr-report=report").ret == 1
    document = json.loads((leaking.path / "report" / "results.json").read_text())
    assert document["settings"]["candidates"]["inference"]["values"]["batch"] == 2
    assert run(leaking, *TOOK, "--ocr-batch=1").ret == 0


def test_a_wrong_number_stops_the_run(project: pytest.Pytester) -> None:
    result = run(project, "--ocr-batch=many")
    assert result.ret == 4
    assert "--ocr-batch=many: it is a whole number from 1 up" in result.stderr.str()


def test_fixtures_are_still_there_when_batches_run(project: pytest.Pytester) -> None:
    conftest(
        project,
        """

class Closes(Toy):
    is_open = True

    def infer(self, tensor):
        assert self.is_open, "the engine is closed"
        return super().infer(tensor)


@pytest.fixture(scope="session")
def ocr_inference_model():
    side = Closes(name="inference")
    yield side
    side.is_open = False
""",
    )
    result = run(project, *TOOK, "--ocr-batch=2")
    assert result.ret == 0
    assert lines(result, "2 images in batches of 2")


def test_what_stops_a_batch_is_said_with_its_images(project: pytest.Pytester) -> None:
    conftest(
        project,
        """

class One(Toy):
    def infer(self, tensor):
        if len(tensor) > 1:
            raise RuntimeError("this engine was built for a batch of 1")
        return super().infer(tensor)


@pytest.fixture(scope="session")
def ocr_inference_model():
    return One(name="inference")
""",
    )
    result = run(project, *TOOK, "--ocr-batch=2")
    assert result.ret == 1
    assert lines(
        result,
        "images/one_word.npy, images/three_words.npy: a batch of 2 stops: this engine was built for a batch of 1",
    )


PADS = """

class Batches(Toy):
    def trace_batch(self, images):
        {body}


@pytest.fixture(scope="session")
def ocr_inference_model():
    return Batches(name="inference")
"""


def test_what_an_api_says_of_two_sizes_is_said_once(project: pytest.Pytester) -> None:
    for name in ("small", "smaller"):
        np.save(project.path / "images" / f"{name}.npy", PAGE[:48])
    conftest(project, "\nimport numpy as np\n")
    body = "np.stack([self.preprocess(image).tensor for image in images])\n        return list(map(self.trace, images))"
    conftest(project, PADS.format(body=body))
    result = run(project, *TOOK, "--ocr-batch=4")
    assert result.ret == 0
    (line,) = lines(result, "differ in size")
    assert line == (
        "  inference: images whose tensors differ in size do not run as one batch (all input arrays must have the same "
        "shape); batch those of one size"
    )
    assert lines(result, "4 images in batches of 2")


def test_a_side_that_takes_two_sizes_is_held_to_it(project: pytest.Pytester) -> None:
    np.save(project.path / "images" / "small.npy", PAGE[:48])
    conftest(project, "\nfrom dataclasses import replace\n")
    body = (
        "traces = list(map(self.trace, images))\n"
        "        mixed = len({trace.tensor.shape for trace in traces}) > 1\n"
        "        found = [replace(t, probability_map=t.probability_map * 0.5) for t in traces]\n"
        "        return found if mixed else traces"
    )
    conftest(project, PADS.format(body=body))
    result = run(project, *TOOK, "--ocr-batch=2")
    assert result.ret == 1
    assert lines(result, "differs from inference alone, on 2 of 3 images: ")
    assert lines(result, "images/small.npy")
    conftest(project, PADS.format(body="return list(map(self.trace, images))"))
    assert run(project, *TOOK, "--ocr-batch=2").ret == 0


def test_a_run_whose_candidates_cannot_run_again_fails(project: pytest.Pytester) -> None:
    project.makepyfile(
        test_export="""
        from dataclasses import replace
        from pytest_ocrparity import assert_same_detections

        def test_training(ocr_train_model, ocr_inference_model, ocr_image):
            trace = replace(ocr_inference_model.trace(ocr_image), source=None)
            assert_same_detections(ocr_train_model.trace(ocr_image), trace)
        """
    )
    result = run(project, "--ocr-batch=2")
    assert result.ret == 1
    assert lines(result, "batches were asked for, and none ran: no candidate that tests compared can be run again")


def test_a_run_that_stops_early_says_what_became_of_them(project: pytest.Pytester) -> None:
    with (project.path / "test_export.py").open("a") as file:
        file.write("\n\ndef test_z():\n    assert False\n\n\ndef test_zz():\n    pass\n")
    result = run(project, "-x", "-k", "training or z", "--ocr-batch=2")
    result.assert_outcomes(passed=2, failed=1)
    # Older pytests do not tell a test that it is the last one.
    stopped = "batches were asked for, and none ran: the run stopped before its last test had ended"
    assert lines(result, "2 images in batches of 2") or lines(result, stopped)


def test_images_that_are_no_files_are_not_passed_over_in_silence(project: pytest.Pytester) -> None:
    project.makepyfile(
        test_export="""
        import numpy as np
        import pytest
        from pytest_ocrparity import assert_same_detections
        from toy import PAGE

        @pytest.mark.parametrize("ocr_image", [PAGE, PAGE[:, ::-1].copy()])
        def test_training(ocr_train_model, ocr_inference_model, ocr_image):
            assert_same_detections(ocr_train_model.trace(ocr_image), ocr_inference_model.trace(ocr_image))
        """
    )
    result = run(project, "--ocr-batch=2")
    assert result.ret == 1
    assert lines(result, "none ran, of 1 image: images that are no files are not kept to run again")


def test_users_filters_of_warnings_do_not_stop_it(project: pytest.Pytester) -> None:
    conftest(
        project,
        PADS.format(body="import warnings; warnings.warn('slow')\n        return list(map(self.trace, images))"),
    )
    result = run(project, *TOOK, "--ocr-batch=2", "-W", "error")
    assert result.ret == 0


def test_a_run_of_other_tests_is_left_alone(project: pytest.Pytester) -> None:
    project.makepyfile(test_export="def test_other():\n    pass\n")
    result = run(project, "--ocr-batch=2")
    assert result.ret == 0
    assert "none ran" not in result.stdout.str()

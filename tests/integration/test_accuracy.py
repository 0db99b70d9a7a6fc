"""The accuracy of a run's candidates: what is counted, once, and what it decides."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from labelled import COMPARES, FORGETS, LOOSE, add, label, lines, write_project
from projects import run, wrong_export
from reports import Page

from pytest_ocrparity.__main__ import main
from pytest_ocrparity.report import page as report_page

FAULT = "FAILED ocrparity::accuracy.max_drop"


@pytest.fixture
def forgetting(project: pytest.Pytester) -> pytest.Pytester:
    """A project of 24 pages whose candidate finds no third box, and limits under which boxes pass."""
    write_project(project, [3] * 24)
    add(project, FORGETS)
    return project


def documented(project: pytest.Pytester, *args: str) -> dict[str, Any]:
    run(project, *LOOSE, "--ocr-report=report", *args)
    found: dict[str, Any] = json.loads((project.path / "report" / "results.json").read_text())
    return found


def test_a_drop_that_is_shown_fails_by_an_entry_of_the_run(forgetting: pytest.Pytester) -> None:
    result = run(forgetting, *LOOSE)
    result.assert_outcomes(passed=24, failed=1)
    assert result.ret == 1
    (fault,) = lines(result, "accuracy of inference against train failed: ")
    assert "a drop of more than 1 point is shown, limit 0.01 (accuracy.max_drop, int8 preset, command line)" in fault
    assert fault.endswith(
        "; most lost on images/00.npy, images/01.npy, images/02.npy; the cause is not known: no experiment ran on an "
        "image that lost something"
    )
    assert lines(result, FAULT)
    assert lines(result, "  lost on images/00.npy, images/01.npy, images/02.npy and 21 more")
    named = [f"    images/0{index}.npy: lost box 2 'word' at x=34 y=44" for index in range(3)]
    assert lines(result, "lost box") == named


def test_the_same_pages_pass_where_the_candidate_finds_all(project: pytest.Pytester) -> None:
    write_project(project, [3] * 40)
    result = run(project, *LOOSE, "--ocr-tolerance=accuracy.max_drop=0.2")
    assert result.ret == 0
    assert lines(result, "  passed: hmean 100.00 % to 100.00 % on 40 images")
    assert not lines(result, "lost on")


@pytest.mark.parametrize(("max_drop", "status"), [("", 0), ("0.03", 1), ("off", 0)])
def test_what_stays_undecided_fails_only_where_a_drop_was_named(
    project: pytest.Pytester, max_drop: str, status: int
) -> None:
    write_project(project, [1] * 11 + [3])
    add(project, FORGETS)
    typed = [f"--ocr-tolerance=accuracy.max_drop={max_drop}"] if max_drop else []
    result = run(project, *LOOSE, *typed)
    assert result.ret == status
    assert bool(lines(result, FAULT)) == bool(status)
    assert lines(result, "  not judged: accuracy.max_drop is off" if max_drop == "off" else "  undecided: hmean")


def test_a_marker_sets_the_drop_of_its_tests(project: pytest.Pytester) -> None:
    marked = f"import pytest\n\npytestmark = pytest.mark.ocr_tolerance(accuracy={{'max_drop': 0.4}})\n{COMPARES}"
    write_project(project, [3] * 40, tests=marked)
    result = run(project)
    assert result.ret == 0
    assert lines(result, "a drop of 40 points is excluded (limit 0.4, accuracy.max_drop, marker)")


def test_what_no_experiment_explains_is_called_no_cause(project: pytest.Pytester) -> None:
    write_project(project, [1] * 4 + [3] * 8)
    wrong_export(project, box_thresh=0.999)
    result = run(project)
    assert result.ret == 1
    assert lines(result, FAULT)
    assert lines(result, "unknown at detections")
    assert not lines(result, "with a cause")
    assert lines(result, "  the cause is not known: experiments on images/0")


def test_each_candidate_is_judged(project: pytest.Pytester) -> None:
    settings = 'labels = "Label.txt"\n[candidates.right]\nmodel_dir = "a"\n[candidates.wrong]\nmodel_dir = "b"\n'
    write_project(project, [3] * 24, settings)
    both = FORGETS.replace("def ocr_inference_model():", "def ocr_inference_model(_ocr_candidate):").replace(
        'return Forgets(name="inference")',
        "return (Forgets if _ocr_candidate == 'wrong' else Toy)(name=_ocr_candidate)",
    )
    add(project, both)
    result = run(project, *LOOSE)
    result.assert_outcomes(passed=48, failed=1)
    assert lines(result, "accuracy of right against train: 24 images with labels")
    assert lines(result, "accuracy of wrong against train: 24 images with labels")
    assert lines(result, "accuracy of wrong against train failed: ")
    assert not lines(result, "accuracy of right against train failed: ")


BASELINES = """
from pytest_ocrparity import assert_same_detections

def test_boxes(ocr_golden, ocr_inference_model, ocr_image):
    assert_same_detections(ocr_golden.trace(ocr_image), ocr_inference_model.trace(ocr_image))
"""


def test_baselines_are_a_reference(project: pytest.Pytester) -> None:
    write_project(project, [3] * 24, tests=BASELINES)
    recorded = run(project, "--ocr-golden")
    assert recorded.ret == 0
    add(project, FORGETS)
    result = run(project, *LOOSE, "--ocr-no-train")
    result.assert_outcomes(passed=24, failed=1)
    assert lines(result, FAULT)
    assert lines(result, "accuracy of inference against ")


def test_a_side_that_is_recorded_from_itself_is_not_counted(project: pytest.Pytester) -> None:
    settings = 'labels = "Label.txt"\ngolden = { reference = "inference" }\n'
    write_project(project, [1, 2], settings, BASELINES)
    assert not lines(run(project, "--ocr-golden"), "accuracy of")
    assert lines(run(project), "accuracy of inference against ")


def test_a_difference_that_a_test_expects_counts_for_nobody(project: pytest.Pytester) -> None:
    tests = """
import pytest
from toy import Toy
from pytest_ocrparity import DifferenceError, assert_same_detections

def test_boxes(ocr_train_model, ocr_inference_model, ocr_image):
    assert_same_detections(ocr_train_model.trace(ocr_image), ocr_inference_model.trace(ocr_image))

@pytest.mark.ocr_expects_difference
def test_that_a_wrong_threshold_is_noticed(ocr_train_model, ocr_image):
    wrong = Toy(name="inference", box_thresh=0.999)
    with pytest.raises(DifferenceError):
        assert_same_detections(ocr_train_model.trace(ocr_image), wrong.trace(ocr_image))
"""
    write_project(project, [3] * 3, tests=tests)
    result = run(project)
    assert result.ret == 0
    assert lines(result, "  no loss seen: ")


def test_an_image_that_several_assertions_and_tests_compare_counts_once(project: pytest.Pytester) -> None:
    head, _, _ = COMPARES.partition("    assert_same")
    both = "    assert_same_preprocessing(*traces)\n    assert_same_detections(*traces)\n"
    first = head.replace("import ", "import assert_same_preprocessing, ")
    first += "    traces = ocr_train_model.trace(ocr_image), ocr_inference_model.trace(ocr_image)\n" + both
    write_project(project, [1, 2], tests=first + COMPARES.replace("test_boxes", "test_again"))
    result = run(project)
    result.assert_outcomes(passed=4)
    assert lines(result, "accuracy of inference against train: 2 images with labels, 3 boxes")


def test_of_reruns_the_last_counts(project: pytest.Pytester) -> None:
    flaky = """

class Flaky(Toy):
    # forgets a box until it was asked twice for an image
    def trace(self, image):
        from dataclasses import replace
        from pytest_ocrparity import Detections

        found, self.asked = super().trace(image), getattr(self, "asked", 0) + 1
        first = Detections(found.detections.polygons[:1], found.detections.scores[:1])
        return replace(found, detections=first) if self.asked == 1 else found


@pytest.fixture(scope="session")
def ocr_inference_model():
    return Flaky(name="inference")
"""
    write_project(project, [3])
    add(project, flaky)
    result = run(project, "--reruns=1")
    assert result.ret == 0
    assert lines(result, "  no loss seen: ")
    assert lines(run(project), "  lost on images/00.npy (2)")


@pytest.mark.parametrize("args", [("-n", "2"), ("--dist=each", "--tx=2*popen")])
def test_workers_of_xdist_find_the_same(forgetting: pytest.Pytester, args: tuple[str, ...]) -> None:
    alone = run(forgetting, *LOOSE)
    result = forgetting.runpytest_subprocess(*LOOSE, *args)
    assert result.ret == alone.ret == 1
    for word in ("accuracy of inference against train", "  hmean ", "  lost on "):
        assert lines(result, word) == lines(alone, word) != []


def test_results_keep_the_counts_by_which_they_are_judged_again(
    forgetting: pytest.Pytester, capsys: pytest.CaptureFixture[str]
) -> None:
    (record,) = documented(forgetting)["accuracy"]
    assert (record["reference"], record["candidate"], record["result"]["verdict"]) == ("train", "inference", "failed")
    assert len(record["counts"]) == 24
    assert record["counts"][0]["lost"] == [2]
    lost = {"kind": "lost", "index": 2, "text": "word", "at": [34.0, 44.0], "read": None}
    assert [each["changes"] for each in record["counts"]] == [[lost]] * 24
    path = str(forgetting.path / "report" / "results.json")
    assert main(["judge", path]) == 1
    said = capsys.readouterr().out
    assert "FAILED accuracy of inference against train failed: " in said
    assert "    images/02.npy: lost box 2 'word' at x=34 y=44\n" in said
    assert main(["judge", path, "--tolerance", "accuracy.max_drop=0.5"]) == 1
    assert "FAILED accuracy of inference against train undecided: " in capsys.readouterr().out
    assert main(["judge", path, "--tolerance", "accuracy.max_drop=off"]) == 0
    assert "  not judged: accuracy.max_drop is off" in capsys.readouterr().out


def test_the_report_shows_it_with_links_to_the_images(forgetting: pytest.Pytester) -> None:
    documented(forgetting)
    page = Page((forgetting.path / "report" / "index.html").read_text())
    assert "Accuracy against labels" in page.text
    assert "24 images with other counts, those that lose most first" in page.text
    assert page.text.count("lost box 2 'word' at x=34 y=44") == 24
    links = {link for link in page.links if link.startswith("#")}
    assert links and links <= {f"#{name}" for name in page.ids}
    summary = (forgetting.path / "report" / "summary.md").read_text()
    assert "### Accuracy against labels" in summary
    assert "| <code>inference</code> | <code>train</code> | hmean on 24 | 100.00 &#37; | " in summary


def test_where_nothing_is_a_fault_the_report_names_some_and_results_all(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_project(project, [3] * 40)
    add(project, FORGETS)
    monkeypatch.setattr(report_page, "MOST_CHANGED", 2)
    for limit, named in (("0.5", 2), ("0.01", 40)):
        documented(project, f"--ocr-tolerance=accuracy.max_drop={limit}")
        page = Page((project.path / "report" / "index.html").read_text())
        assert page.text.count("lost box 2 'word' at x=34 y=44") == named
        assert ("38 more images are in results.json." in page.text) == (named == 2)
    monkeypatch.setattr(report_page, "MOST_CHANGES", 3)
    document = documented(project, "--ocr-tolerance=accuracy.max_drop=0.01")
    page = Page((project.path / "report" / "index.html").read_text())
    assert page.text.count("lost box 2 'word' at x=34 y=44") == 3
    assert "37 more images are in results.json." in page.text
    assert sum(len(each["changes"]) for each in document["accuracy"][0]["counts"]) == 40


ALARMS = """

class Alarms(Toy):
    # finds one box more, where there is nothing
    def postprocess(self, probability_map, shape):
        import numpy as np
        from pytest_ocrparity import Detections

        found = super().postprocess(probability_map, shape)
        more = np.array([[64.0, 40.0], [84.0, 40.0], [84.0, 50.0], [64.0, 50.0]])
        return Detections((*found.polygons, more), None if found.scores is None else np.append(found.scores, 0.9))


@pytest.fixture(scope="session")
def ocr_inference_model():
    return Alarms(name="inference")
"""


def test_false_alarms_that_appear_and_go_are_named(project: pytest.Pytester) -> None:
    write_project(project, [1] * 24)
    add(project, ALARMS)
    assert "images/00.npy: false alarm at x=74 y=45 (box 1 of inference)" in run(project, *LOOSE).stdout.str()
    add(project, ALARMS.replace("ocr_inference_model", "ocr_train_model").replace('"inference"', '"train"'))
    assert "false alarm" not in run(project, *LOOSE).stdout.str()
    add(project, ALARMS.replace("return Alarms(", "return Toy("))
    (changed,) = [each["counts"][3] for each in documented(project)["accuracy"]]
    gone = {"kind": "false alarm gone", "index": 1, "text": "", "at": [74.0, 45.0], "read": None}
    assert changed["changes"] == [gone]


def test_without_labels_the_report_has_nothing_of_it(project: pytest.Pytester) -> None:
    assert documented(project, "-k", "training")["accuracy"] == []
    report = project.path / "report"
    for name in ("index.html", "summary.md"):
        assert "Accuracy against labels" not in (report / name).read_text()


def test_junit_has_the_counts_of_each_test_and_the_figures_of_the_run(forgetting: pytest.Pytester) -> None:
    run(forgetting, *LOOSE, "--junitxml=junit.xml")
    text = Path("junit.xml").read_text()
    assert text.count('<property name="ocr.accuracy.truth" value="3"') == 24
    assert text.count('<property name="ocr.accuracy.candidate.matched" value="2"') == 24
    assert '<property name="ocr.accuracy.inference.train.verdict" value="failed"' in text
    assert '<property name="ocr.accuracy.inference.train.hmean.reference" value="1.0"' in text
    assert '<property name="ocr.accuracy.inference.train.hmean.low" value="-0.' in text


ASSERTS = """
from pathlib import Path
from pytest_ocrparity import assert_same_accuracy

def test_accuracy(ocr_train_model, ocr_inference_model):
    images = sorted(Path("images").iterdir())
    train, inference = map(ocr_train_model.trace, images), map(ocr_inference_model.trace, images)
    assert_same_accuracy(train, inference, "Label.txt", max_drop=0.2)
"""


def test_an_accuracy_that_a_test_asserts_is_a_comparison_of_the_run(project: pytest.Pytester) -> None:
    write_project(project, [3] * 40, 'images = ["images/*.npy"]', ASSERTS)
    document = documented(project)
    assert document["run"]["verdict"] == "passed"
    (record,) = document["accuracy"]
    assert (record["candidate"], record["limit"]["value"], record["result"]["verdict"]) == ("inference", 0.2, "passed")
    add(project, FORGETS.replace("[:2]", "[:1]"))
    result = run(project)
    result.assert_outcomes(failed=1)
    assert lines(result, "accuracy of inference against train in test_export.py::test_accuracy: 40 images with labels")
    (record,) = documented(project)["accuracy"]
    assert record["test"] == "test_export.py::test_accuracy"
    assert [len(each["changes"]) for each in record["counts"]] == [2] * 40
    assert "images/00.npy: lost box 1 'word' at x=69 y=14, lost box 2 'word'" in result.stdout.str()
    assert not lines(result, FAULT)


@pytest.mark.skipif("pytest.version_tuple < (9,)", reason="subtests came with pytest 9")
@pytest.mark.parametrize(("who", "passed"), [("subtests.test()", 1), ("nullcontext()", 0)])
def test_a_subtest_that_is_skipped_leaves_its_test_what_it_asserted(
    project: pytest.Pytester, who: str, passed: int
) -> None:
    head = "import pytest\nfrom contextlib import nullcontext\n"
    skips = f"inference_model, subtests):\n    with {who}:\n        pytest.skip()\n"
    write_project(project, [3] * 40, 'images = ["images/*.npy"]', head + ASSERTS.replace("inference_model):\n", skips))
    document = documented(project)
    assert (document["run"]["tests"]["passed"], len(document["accuracy"])) == (passed, passed)


def test_what_a_run_and_a_test_judge_of_the_same_sides_have_titles_and_properties_of_their_own(
    project: pytest.Pytester,
) -> None:
    write_project(project, [3] * 40, tests=COMPARES + ASSERTS)
    document = documented(project, "--junitxml=junit.xml")
    assert [(each["test"], each["limit"]["value"]) for each in document["accuracy"]] == [
        ("", 0.01),
        ("test_export.py::test_accuracy", 0.2),
    ]
    page = Page((project.path / "report" / "index.html").read_text()).text
    names = re.findall(r'<property name="(ocr.accuracy.inference[^"]*)"', Path("junit.xml").read_text())
    assert len(names) == len(set(names))
    for words, key in (("", ""), (" in test_export.py::test_accuracy", "[test_export.py::test_accuracy]")):
        assert page.count(f"accuracy of inference against train{words}: 40 images") == 1
        assert f"ocr.accuracy.inference.train{key}.verdict" in names


def test_two_limits_of_a_run_have_titles_and_properties_of_their_own(project: pytest.Pytester) -> None:
    marked = "import pytest\n" + COMPARES
    marked += COMPARES.replace(
        "def test_boxes", "@pytest.mark.ocr_tolerance(accuracy={'max_drop': 0.4})\ndef test_again"
    )
    write_project(project, [3] * 30, tests=marked)
    add(project, FORGETS)
    result = run(project, *LOOSE, "--ocr-tolerance=accuracy.max_drop=0.01", "--junitxml=junit.xml")
    for limit in ("0.01", "0.4"):
        assert len(lines(result, f"accuracy of inference against train under max_drop {limit}: 30 images")) == 1
    names = re.findall(r'<property name="(ocr.accuracy.inference[^"]*)"', Path("junit.xml").read_text())
    assert len(names) == len(set(names)) > 0
    # One limit has the plain name.
    project.makepyfile(test_export=COMPARES)
    run(project, *LOOSE, "--junitxml=junit.xml")
    assert 'name="ocr.accuracy.inference.train.verdict"' in Path("junit.xml").read_text()


def test_a_label_in_another_frame_than_its_image_is_told(project: pytest.Pytester) -> None:
    write_project(project, [3] * 24)
    assert not lines(run(project), "outside of the image")
    text = (project.path / "Label.txt").read_text().splitlines(keepends=True)
    text[4] = label("images/04.npy", [(8, 8, 40, 20), (8, 70, 40, 90)])
    (project.path / "Label.txt").write_text("".join(text))
    result = run(project, "--ocr-report=report")
    assert result.ret == 0
    (told,) = lines(result, "outside of the image")
    assert told.startswith(
        "  WARNING: 1 box of the labels of 1 image lies outside of the image, where nothing can match: Label.txt:5: "
        "box 1 of images/04.npy, which is 96 x 64 px (none would with width and height exchanged); labels are in "
    )
    (record,) = json.loads((project.path / "report" / "results.json").read_text())["accuracy"]
    outside = [each["outside"] for each in record["counts"]]
    assert outside[4] == {"where": outside[4]["where"], "boxes": [1], "size": [96, 64], "is_turned": True}
    assert outside.count(None) == 23 and outside[4]["where"].endswith("Label.txt:5")
    strict = run(project, "--strict-config")
    assert strict.ret == 1
    assert lines(strict, "FAILED ocrparity::labels")


TWO_OF_ONE_NAME = """

@pytest.fixture(scope="session", params=PARAMS)
def ocr_inference_model(request):
    return (Forgets if request.param == "int8" else Toy)(name="inference")
"""


@pytest.mark.parametrize("params", [["int8", "fp32"], ["fp32", "int8"], ["fp32", "other"]])
def test_of_two_models_of_one_name_the_worse_counts_in_any_order(project: pytest.Pytester, params: list[str]) -> None:
    write_project(project, [3] * 24)
    add(project, FORGETS + TWO_OF_ONE_NAME.replace("PARAMS", repr(params)))
    result = run(project, *LOOSE)
    assert bool(lines(result, FAULT)) == ("int8" in params)
    assert bool(lines(result, "WARNING: tests counted 24 images differently")) == ("int8" in params)


@pytest.mark.parametrize("names", [("good", "bad"), ("bad", "good"), ("good", "good")])
def test_of_two_comparisons_in_one_test_the_worse_counts(project: pytest.Pytester, names: tuple[str, str]) -> None:
    compares = "    assert_same_detections(train.trace(ocr_image), {}.trace(ocr_image))\n"
    head = "from toy import Toy\nfrom conftest import Forgets\nfrom pytest_ocrparity import assert_same_detections\n"
    head += "def test_boxes(ocr_image):\n    train = Toy()\n"
    head += "    good, bad = Toy(name='inference'), Forgets(name='inference')\n"
    write_project(project, [3] * 24, tests=head + "".join(map(compares.format, names)))
    add(project, FORGETS)
    assert bool(lines(run(project, *LOOSE), FAULT)) == ("bad" in names)


def test_an_image_that_two_paths_lead_to_counts_once(
    project: pytest.Pytester, capsys: pytest.CaptureFixture[str]
) -> None:
    write_project(project, [3] * 4, 'images = ["images/*.npy", "again/*.npy"]\nlabels = "Label.txt"')
    (project.path / "again").symlink_to("images")
    result = run(project, "--ocr-report=report")
    assert lines(result, "accuracy of inference against train: 4 images with labels, 12 boxes")
    assert lines(result, "not counted: 4 images under a second name, counted once")
    assert main(["judge", str(project.path / "report" / "results.json")]) == 0
    assert "under a second name" in capsys.readouterr().out


def test_labels_that_change_while_workers_run_fail_the_run(project: pytest.Pytester) -> None:
    write_project(project, [1] * 4)
    assert project.runpytest_subprocess("-n", "1").ret == 0
    changes = """

def pytest_runtest_teardown(item):
    from pathlib import Path

    path = Path("Label.txt")
    if not path.read_text().startswith("\\n"):
        path.write_text("\\n" + path.read_text())
"""
    add(project, changes)
    result = project.runpytest_subprocess("-n", "1")
    assert result.ret == 1
    assert lines(result, "is another line than before: the file changed during the run")
    assert not lines(result, "accuracy of inference")


def test_boxes_without_their_traces_count_for_nothing_and_fail(
    project: pytest.Pytester, capsys: pytest.CaptureFixture[str]
) -> None:
    write_project(project, [1, 2], tests=COMPARES.replace(".trace(ocr_image)", ".trace(ocr_image).detections"))
    result = run(project, "--ocr-report=report")
    assert result.ret == 1
    assert lines(result, "labels are set, and no image was counted: tests compare boxes by themselves")
    assert main(["judge", str(project.path / "report" / "results.json")]) == 1  # no limit makes that right
    assert "FAILED labels are set, and no image was counted" in capsys.readouterr().out
    assert run(project, "-k", "00").ret == 0


def test_an_assertion_that_is_expected_to_fail_is_no_verdict_of_the_run(project: pytest.Pytester) -> None:
    marked = ASSERTS.replace("def test_accuracy", "import pytest\n@pytest.mark.xfail\ndef test_accuracy")
    write_project(project, [3] * 40, 'images = ["images/*.npy"]', marked)
    assert len(documented(project)["accuracy"]) == 1
    add(project, FORGETS.replace("[:2]", "[:1]"))
    assert documented(project)["accuracy"] == []


def test_a_baseline_that_a_run_records_from_the_candidate_shows_nothing(project: pytest.Pytester) -> None:
    settings = 'images = ["images/*.npy"]\ngolden = { reference = "inference" }'
    write_project(project, [3] * 40, settings, ASSERTS.replace("ocr_train_model", "ocr_golden"))
    assert not lines(run(project, "--ocr-golden"), "accuracy of inference")
    assert lines(run(project), "accuracy of inference against baseline (inference) in test_export.py::test_accuracy")


def test_images_and_labels_that_do_not_count_are_named(project: pytest.Pytester) -> None:
    write_project(project, [1, 2, 1], 'images = ["images/*.npy"]\nlabels = "Label.txt"')
    (project.path / "images" / "02.npy").rename(project.path / "images" / "two.npy")
    assert lines(run(project), "not counted: ") == [
        "  not counted: 1 image without a label (images/two.npy), 1 label without an image (images/02.npy)"
    ]

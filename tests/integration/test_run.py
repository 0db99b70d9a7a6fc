"""A whole pytest run: what passes, what fails, what it prints, and that nothing passes without a comparison."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import numpy as np
import pytest
from projects import NO_XDIST, run, wrong_export
from toy import PAGE, Toy

TRAINING = "test_export.py::test_export_matches_training"


def test_a_right_export_passes_and_shows_the_table(project: pytest.Pytester) -> None:
    result = run(project, "-k", "training")
    result.assert_outcomes(passed=2, deselected=2)
    result.stdout.fnmatch_lines(
        [
            "*- ocrparity -*",
            "inference against train: 2 images",
            "  preprocessing * 2 same * worst tensor 0 of 2e-06, headroom 100%",
            "  probability maps * 2 same * worst map 0, below 0.0001, the least that the automatic limit can be",
            "  detections * 2 same * (4 boxes)",
        ]
    )
    result.stdout.no_fnmatch_line("*never compared*")
    result.stdout.no_fnmatch_line("*permit more*")
    assert result.stdout.str().count("inference against train") == 1


READS_EVERYTHING = """


def pytest_sessionstart(session):
    for plugin in session.config.pluginmanager.get_plugins():
        if type(plugin).__module__.startswith("pytest_ocrparity."):
            for name in dir(plugin):
                getattr(plugin, name, None)
"""


@pytest.mark.parametrize("gain", [None, 7.0])
def test_a_pytest_that_reads_every_attribute_of_a_plugin_changes_no_verdict(
    project: pytest.Pytester, gain: float | None
) -> None:
    """pytest 8.0 does when a plugin is registered, and so found at the end what there had been at the beginning."""
    if gain is not None:
        wrong_export(project, gain=gain)
    conftest = project.path / "conftest.py"
    conftest.write_text(conftest.read_text() + READS_EVERYTHING)
    result = project.runpytest_subprocess(*NO_XDIST, "-k", "training")
    result.assert_outcomes(**{"passed" if gain is None else "failed": 2}, deselected=2)
    result.stdout.fnmatch_lines(["inference against train: 2 images"])


@pytest.mark.parametrize(
    ("fault", "stage"),
    [
        ({"scale": 2}, "resize"),
        ({"mean": 0.6}, "tensor"),
        ({"gain": 7.0}, "probability_map"),
        ({"pad": 6}, "detections"),
        ({"box_thresh": 0.99999}, "detections"),
    ],
)
def test_a_wrong_export_fails_at_its_stage(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, fault: dict[str, float], stage: str
) -> None:
    wrong_export(project, **fault)
    monkeypatch.setenv("COLUMNS", "300")
    result = run(project, "-k", "training")
    result.assert_outcomes(failed=2, deselected=2)
    result.stdout.fnmatch_lines([f"FAILED {TRAINING}* - unknown cause, first difference at {stage}: *"])


def test_a_test_that_uses_the_fixtures_and_compares_nothing_fails_the_run(project: pytest.Pytester) -> None:
    project.makepyfile(test_export="def test_nothing(ocr_inference_model, ocr_image): pass")
    result = run(project)
    result.assert_outcomes(passed=2, failed=1)
    assert result.ret == 1
    result.stdout.fnmatch_lines(["nothing was compared: *"])


def test_a_run_without_our_fixtures_is_left_alone(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_other(): pass")
    result = pytester.runpytest(*NO_XDIST)
    assert result.ret == 0
    result.stdout.no_fnmatch_line("*ocrparity:*")
    result.stdout.no_fnmatch_line("*- ocrparity -*")


def test_no_settings_say_where_they_were_looked_for(project: pytest.Pytester) -> None:
    (project.path / "pyproject.toml").unlink()
    run(project).stdout.fnmatch_lines(["*no ocrparity settings: no [[]tool.ocrparity[]] from *"])


def test_only_blank_pages_fail_the_run(project: pytest.Pytester) -> None:
    from toy import BLANK

    np.save(project.path / "images" / "one_word.npy", BLANK)
    assert run(project, "-k", "training").ret == 0
    np.save(project.path / "images" / "three_words.npy", BLANK)
    result = run(project, "-k", "training")
    result.assert_outcomes(passed=2, failed=1, deselected=2)
    assert result.ret == 1
    result.stdout.fnmatch_lines(["no image of this run has a box (2 compared)*"])
    project.makepyprojecttoml('[tool.ocrparity]\nimages = ["images/*.npy"]\nallow_empty = true\n')
    assert run(project, "-k", "training").ret == 0


def test_a_reduced_preset_judges_the_run(project: pytest.Pytester) -> None:
    wrong_export(project, thresh=0.9, box_thresh=0.999999)
    result = run(project, "-k", "training", "--ocr-tolerance=fp16")
    result.assert_outcomes(passed=2, failed=1, deselected=2)
    assert result.ret == 1
    result.stdout.fnmatch_lines(["over the run 100.0% (4 of 4) of the boxes have no partner, limit 0.02 (*"])


def test_a_mean_difference_is_judged_over_the_run(project: pytest.Pytester) -> None:
    wrong_export(project, offset=6e-4)
    assert run(project, "-k", "training", "--ocr-tolerance=int8").ret == 0
    result = run(project, "-k", "training", "--ocr-tolerance=fp16")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["over the run 6.0e-04 is the maps' mean difference, limit 0.0005 (*"])


def test_too_many_borderline_boxes_fail_the_run(project: pytest.Pytester) -> None:
    detections = Toy().trace(PAGE).detections
    assert detections is not None
    assert detections.scores is not None
    conftest = project.path / "conftest.py"
    on_edge = float(detections.scores[2]) - 1e-5
    conftest.write_text(conftest.read_text().replace("Toy(", f"Toy(box_thresh={on_edge}, "))
    wrong_export(project, offset=-5e-5)
    result = run(project, "-k", "training")
    result.assert_outcomes(passed=2, failed=1, deselected=2)
    assert result.ret == 1
    result.stdout.fnmatch_lines(["over the run * of the boxes are borderline, limit 0.02 (*"])
    assert run(project, "-k", "training", "--ocr-tolerance=detections.max_borderline=1").ret == 0


@pytest.mark.parametrize("workers", ["0", "2"])
def test_metrics_reach_junit(project: pytest.Pytester, workers: str) -> None:
    wrong_export(project, pad=4)
    project.runpytest_subprocess("-n", workers, "-k", "training", "--junitxml=junit.xml")
    cases = {
        case.attrib["name"]: {p.attrib["name"]: p.attrib["value"] for p in case.iter("property")}
        for case in ET.parse(project.path / "junit.xml").iter("testcase")
    }
    assert len(cases) == 2
    for metrics in cases.values():
        assert all(name.startswith("ocr.") for name in metrics)  # and no record of ours
        assert metrics["ocr.preprocessing.status"] == metrics["ocr.probability_maps.status"] == "same"
        assert float(metrics["ocr.preprocessing.largest"]) == 0.0
    metrics = cases["test_export_matches_training[images/three_words.npy]"]
    assert metrics["ocr.detections.status"] == "different"
    assert metrics["ocr.stage"] == "detections"
    assert int(metrics["ocr.detections.different"]) == 3
    assert metrics["ocr.cause"] == "unknown"


def test_the_users_order_of_files_is_kept(project: pytest.Pytester) -> None:
    project.makepyfile(test_a="def test_a(ocr_image): pass", test_z="def test_z(): pass")
    result = run(project, "-v", "test_a.py", "test_z.py")
    order = [line.split("::")[0] for line in result.outlines if "PASSED" in line]
    assert order == ["test_a.py", "test_a.py", "test_z.py"]


def test_collecting_only_judges_nothing(project: pytest.Pytester) -> None:
    assert run(project, "--collect-only", "-q").ret == 0


def test_a_wrong_marker_added_late_fails_its_test(project: pytest.Pytester) -> None:
    with (project.path / "conftest.py").open("a") as conftest:
        conftest.write(
            "\n\ndef pytest_collection_modifyitems(items):\n"
            "    for item in items:\n"
            "        item.add_marker(pytest.mark.ocr_tolerance('fp61'))\n"
        )
    result = run(project, "-k", "training")
    result.assert_outcomes(failed=2, deselected=2)
    result.stdout.fnmatch_lines(["*marker: no tolerance preset 'fp61'*"])


def test_a_marker_that_a_fixture_adds_counts(project: pytest.Pytester) -> None:
    wrong_export(project, offset=5e-5)
    with (project.path / "conftest.py").open("a") as conftest:
        conftest.write(
            "\n\n@pytest.fixture(autouse=True)\n"
            "def strict(request):\n"
            "    request.node.add_marker(pytest.mark.ocr_tolerance('exact'))\n"
        )
    run(project, "-k", "training").assert_outcomes(failed=2, deselected=2)


def test_a_property_of_the_user_may_have_our_name(project: pytest.Pytester) -> None:
    project.makepyfile(test_export="def test_mine(record_property): record_property('ocrparity', 'x')")
    assert run(project).ret == 0


def test_two_engines_of_one_name_are_compared_while_recording(project: pytest.Pytester) -> None:
    wrong_export(project, pad=6)
    path = project.path / "conftest.py"
    path.write_text(path.read_text().replace('name="inference"', 'name="train"'))
    run(project, "--ocr-golden", "-k", "baseline").assert_outcomes(failed=2, deselected=2)


@pytest.mark.parametrize("option", ["--ocr-images=", "--ocr-inference-dir=", "--ocr-config="])
def test_an_empty_option_is_a_usage_error(project: pytest.Pytester, option: str) -> None:
    result = run(project, option)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*{option} is empty*"])


def test_the_next_command_runs_the_failing_test(project: pytest.Pytester) -> None:
    import shlex

    wrong_export(project, pad=6)
    (project.path / "images" / "one_word.npy").rename(project.path / "images" / "it's one (word).npy")
    result = run(project, "-k", "training and word")
    line = next(line for line in result.outlines if " next " in line)
    _, test = shlex.split(line.partition("then: ")[2])
    run(project, test).assert_outcomes(failed=1)


def test_no_experiment_is_made_where_the_settings_give_it_no_time(project: pytest.Pytester) -> None:
    wrong_export(project, offset=0.01)
    args = ("-p", "no:xdist", "-k", "training and one_word")
    result = project.runpytest(*args)
    result.assert_outcomes(failed=1, deselected=3)
    result.stdout.fnmatch_lines(["*cause  *unknown at probability_map: *", "*ruled out  *"])
    path = project.path / "pyproject.toml"
    path.write_text(f"{path.read_text()}\ndiagnosis_seconds = 0\n")
    result = project.runpytest(*args)
    result.assert_outcomes(failed=1, deselected=3)
    assert "cause  " not in result.stdout.str()

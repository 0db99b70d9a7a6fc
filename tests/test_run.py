"""A whole pytest run: what passes, what fails, what it prints, and that nothing passes without a comparison."""

from __future__ import annotations

import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import wrong_export
from toy import PAGE, Toy

from pytest_ocrparity.session.run import RUN

TRAINING = "test_export.py::test_export_matches_training"
NO_XDIST = ("-p", "no:xdist")


def run(project: pytest.Pytester, *args: str) -> pytest.RunResult:
    return project.runpytest(*NO_XDIST, "-p", "no:randomly", *args)


def test_a_right_export_passes_and_shows_the_table(project: pytest.Pytester) -> None:
    result = run(project, "-k", "training")
    result.assert_outcomes(passed=2, deselected=2)
    result.stdout.fnmatch_lines(
        [
            "*- ocrparity -*",
            "inference against train: 2 images",
            "  preprocessing * 2 same * worst tensor 0 of 2e-06, headroom 100%",
            "  probability maps * 2 same * worst map 0, within the rule's least limit 0.0001",
            "  detections * 2 same * (4 boxes)",
        ]
    )
    result.stdout.no_fnmatch_line("*never compared*")
    result.stdout.no_fnmatch_line("*permit more*")
    assert result.stdout.str().count("inference against train") == 1


def test_boxes_that_differ_are_counted_and_no_headroom_is_claimed(project: pytest.Pytester) -> None:
    wrong_export(project, box_thresh=0.999)
    result = run(project, "-k", "training")
    result.stdout.fnmatch_lines(["  detections * 1 different, 1 same * 2 of 4 boxes differ"])


def test_verbose_adds_a_line_per_image(project: pytest.Pytester) -> None:
    run(project, "-k", "training", "-v").stdout.fnmatch_lines(["    images/one_word.npy *same*"])


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
    result.stdout.fnmatch_lines([f"FAILED {TRAINING}* - *DifferenceError: *first difference at {stage}: *"])


def test_a_test_that_uses_the_fixtures_and_compares_nothing_fails_the_run(project: pytest.Pytester) -> None:
    project.makepyfile(test_export="def test_nothing(ocr_inference_model, ocr_image): pass")
    result = run(project)
    result.assert_outcomes(passed=2)
    assert result.ret == 1
    result.stdout.fnmatch_lines(["FAILED nothing was compared: *"])


def test_a_run_without_our_fixtures_is_left_alone(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_other(): pass")
    result = pytester.runpytest(*NO_XDIST)
    assert result.ret == 0
    result.stdout.no_fnmatch_line("*ocrparity:*")
    result.stdout.no_fnmatch_line("*- ocrparity -*")


def test_no_image_is_an_error_and_not_a_skip(project: pytest.Pytester) -> None:
    result = run(project, "--ocr-images", "elsewhere/*.png")
    result.assert_outcomes(errors=2)
    assert result.ret == 1
    result.stdout.fnmatch_lines(["*no images: *elsewhere/[*].png matches no file*"])


def test_no_images_setting_names_it(project: pytest.Pytester) -> None:
    project.makepyprojecttoml("[tool.ocrparity]\nallow_empty = true\n")
    run(project).stdout.fnmatch_lines(["*no images: *sets none; set `images` or pass --ocr-images=*"])


def test_no_settings_say_where_they_were_looked_for(project: pytest.Pytester) -> None:
    (project.path / "pyproject.toml").unlink()
    run(project).stdout.fnmatch_lines(["*no ocrparity settings: no [[]tool.ocrparity[]] from *"])


def test_only_blank_pages_fail_the_run(project: pytest.Pytester) -> None:
    from toy import BLANK

    np.save(project.path / "images" / "one_word.npy", BLANK)
    assert run(project, "-k", "training").ret == 0
    np.save(project.path / "images" / "three_words.npy", BLANK)
    result = run(project, "-k", "training")
    result.assert_outcomes(passed=2, deselected=2)
    assert result.ret == 1
    result.stdout.fnmatch_lines(["FAILED no image of this run has a box (2 compared)*"])
    project.makepyprojecttoml('[tool.ocrparity]\nimages = ["images/*.npy"]\nallow_empty = true\n')
    assert run(project, "-k", "training").ret == 0


def test_a_reduced_preset_judges_the_run(project: pytest.Pytester) -> None:
    wrong_export(project, thresh=0.9, box_thresh=0.999999)
    result = run(project, "-k", "training", "--ocr-tolerance=fp16")
    result.assert_outcomes(passed=2, deselected=2)
    assert result.ret == 1
    result.stdout.fnmatch_lines(["FAILED over the run 100.0% (4 of 4) of the boxes have no partner, limit 0.02 (*"])


def test_a_mean_difference_is_judged_over_the_run(project: pytest.Pytester) -> None:
    wrong_export(project, offset=6e-4)
    assert run(project, "-k", "training", "--ocr-tolerance=int8").ret == 0
    result = run(project, "-k", "training", "--ocr-tolerance=fp16")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["FAILED over the run 6.0e-04 is the maps' mean difference, limit 0.0005 (*"])


def test_too_many_borderline_boxes_fail_the_run(project: pytest.Pytester) -> None:
    detections = Toy().trace(PAGE).detections
    assert detections is not None
    assert detections.scores is not None
    conftest = project.path / "conftest.py"
    on_edge = float(detections.scores[2]) - 1e-5
    conftest.write_text(conftest.read_text().replace("Toy(", f"Toy(box_thresh={on_edge}, "))
    wrong_export(project, offset=-5e-5)
    result = run(project, "-k", "training")
    result.assert_outcomes(passed=2, deselected=2)
    assert result.ret == 1
    result.stdout.fnmatch_lines(["FAILED over the run * of the boxes are borderline, limit 0.02 (*"])
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


@pytest.mark.parametrize("workers", ["0", "2"])
def test_under_xdist_one_table_and_each_image_on_one_worker(project: pytest.Pytester, workers: str) -> None:
    result = project.runpytest_subprocess("-n", workers, "-k", "training")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["inference against train: 2 images", "  detections * 2 same * (4 boxes)"])
    assert result.stdout.str().count("inference against train") == 1


def test_xdist_runs_fail_as_others_do(project: pytest.Pytester) -> None:
    project.makepyfile(test_export="def test_nothing(ocr_inference_model, ocr_image): pass")
    result = project.runpytest_subprocess("-n", "2")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["FAILED nothing was compared: *"])


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
    run(project).assert_outcomes(passed=3)


def test_ocr_image_asked_for_at_run_time_gets_a_sentence(project: pytest.Pytester) -> None:
    project.makepyfile(test_export="def test_late(request): request.getfixturevalue('ocr_image')")
    result = run(project)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*ocr_image is parametrized by images at collection: name it among the test's arg*"])


def test_the_users_order_of_files_is_kept(project: pytest.Pytester) -> None:
    project.makepyfile(test_a="def test_a(ocr_image): pass", test_z="def test_z(): pass")
    result = run(project, "-v", "test_a.py", "test_z.py")
    order = [line.split("::")[0] for line in result.outlines if "PASSED" in line]
    assert order == ["test_a.py", "test_a.py", "test_z.py"]


def test_without_the_models_packages_other_tests_run(project: pytest.Pytester) -> None:
    project.makeconftest("")
    project.makepyprojecttoml(
        '[tool.ocrparity]\nimages = ["images/*.npy"]\n[tool.ocrparity.train]\nconfig = "none.yml"\n'
        '[tool.ocrparity.inference]\nmodel_dir = "none"\n'
    )
    project.makepyfile(test_other="def test_other(): pass")
    result = run(project)
    result.assert_outcomes(passed=1, errors=4)


def test_fixtures_without_their_settings_name_them(project: pytest.Pytester) -> None:
    project.makeconftest("")
    result = run(project, "-k", "training")
    result.assert_outcomes(errors=2, deselected=2)
    result.stdout.fnmatch_lines(["*sets no train.config: set it, or pass --ocr-train-config*"])


def test_loading_the_plugin_imports_nothing_heavy() -> None:
    code = (
        "import sys, pytest_ocrparity.plugin; "
        "print({'numpy', 'shapely', 'scipy', 'cv2', 'yaml', 'paddle', 'msgspec'} & set(sys.modules))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "set()"


def test_fixtures_explain_themselves(project: pytest.Pytester) -> None:
    run(project, "--fixtures").stdout.fnmatch_lines_random(["ocr_image *", "*once per image*", "ocr_golden *"])


def test_several_cv2_versions_are_told_with_the_fix(project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    versions = {"opencv-contrib-python": "4.10.0.84", "opencv-python-headless": "5.0.0"}
    monkeypatch.setattr("pytest_ocrparity.environment._version", versions.get)
    run(project, "-k", "training").stdout.fnmatch_lines(
        [
            "ocrparity: cv2 4.10.0.84, 5.0.0",
            "ocrparity: WARNING: several cv2 versions overwrite each other (opencv-contrib-python 4.10.0.84, *"
            "pip install opencv-python-headless==4.10.0.84",
        ]
    )


def test_collecting_only_judges_nothing(project: pytest.Pytester) -> None:
    assert run(project, "--collect-only", "-q").ret == 0


@pytest.fixture
def workers(project: pytest.Pytester) -> Path:
    """Make each test of the project note its worker, and return the folder of the notes."""
    folder = project.mkdir("notes")
    with (project.path / "conftest.py").open("a") as conftest:
        conftest.write(
            "\n\n@pytest.fixture(autouse=True)\n"
            "def note(request, worker_id):\n"
            f"    with open({str(folder)!r} + '/' + request.node.name.partition('/')[2], 'a') as file:\n"
            "        file.write(worker_id + ' ')\n"
            "    import time; time.sleep(0.05)\n"
        )
    for index in range(6):
        np.save(project.path / "images" / f"page[{index}].npy", PAGE)
    return folder


def test_under_xdist_the_tests_of_an_image_stay_on_one_worker(project: pytest.Pytester, workers: Path) -> None:
    project.runpytest_subprocess("-n", "2", "--ocr-golden").assert_outcomes(passed=16)
    notes = [path.read_text().split() for path in workers.iterdir()]
    assert len(notes) == 8
    assert all(len(note) == 2 and len(set(note)) == 1 for note in notes)
    assert {note[0] for note in notes} == {"gw0", "gw1"}


def test_the_scheduler_takes_an_images_tests_as_one(project: pytest.Pytester) -> None:
    from xdist.remote import Producer

    config = project.parseconfigure("--dist=load", "--tx=2*popen")
    scheduler = config.stash[RUN].pytest_xdist_make_scheduler(config, Producer("scheduler"))
    image = scheduler._split_scope("test_export.py::test_a[images/one_word.npy]")
    assert image == scheduler._split_scope("test_export.py::test_b[fp16-images/one_word.npy]") == "images/one_word.npy"
    assert scheduler._split_scope("test_export.py::test_c[other]") == "test_export.py::test_c[other]"
    chosen = project.parseconfigure("--dist=loadfile", "--tx=2*popen")
    assert chosen.stash[RUN].pytest_xdist_make_scheduler(chosen, Producer("scheduler")) is None


class Worker:
    """What the scheduler sees of a worker; whole runs with killed ones are in test_durability.py."""

    def __init__(self, name: str) -> None:
        self.gateway = SimpleNamespace(id=name)
        self.sent: list[int] = []
        self.shutting_down = False

    def send_runtest_some(self, indices: list[int]) -> None:
        self.sent += indices

    def shutdown(self) -> None:
        self.shutting_down = True


def test_the_scheduler_goes_on_without_a_worker(project: pytest.Pytester) -> None:
    from xdist.remote import Producer

    config = project.parseconfigure("--dist=load", "--tx=2*popen")
    scheduler = config.stash[RUN].pytest_xdist_make_scheduler(config, Producer("scheduler"))
    one, two, three = map(Worker, "abc")
    tests = [f"test_a.py::test[{index}]" for index in range(9)]
    for worker in (one, two):
        scheduler.add_node(worker)
        scheduler.add_node_collection(worker, tests)
    scheduler.schedule()
    assert (one.sent, two.sent) == ([0, 2], [1, 3])
    scheduler.add_node(three)
    assert scheduler.remove_node(two) == tests[1]  # that it died of, which nobody runs again
    assert (one.sent, three.sent) == ([0, 2, 4], [])  # the third is still collecting
    scheduler.add_node_collection(three, tests)
    scheduler.schedule()
    assert len(three.sent) == 2  # one to run, and one to come after it
    assert not {1} & {*one.sent, *three.sent}
    done: list[int] = []
    while busy := [each for each in (one, three) if each.sent]:
        done.append(busy[0].sent.pop(0))
        scheduler.mark_test_complete(busy[0], done[-1])
    assert sorted(done) == [0, *range(2, 9)]  # each once
    assert one.shutting_down and three.shutting_down


def test_a_distribution_that_the_user_chose_is_kept(project: pytest.Pytester, workers: Path) -> None:
    project.runpytest_subprocess("-n", "2", "--dist", "loadfile", "-k", "training").assert_outcomes(passed=8)
    assert len({path.read_text() for path in workers.iterdir()}) == 1


def test_a_wrong_marker_added_late_fails_its_test(project: pytest.Pytester) -> None:
    with (project.path / "conftest.py").open("a") as conftest:
        conftest.write(
            "\n\ndef pytest_collection_modifyitems(items):\n"
            "    for item in items:\n"
            "        item.add_marker(pytest.mark.ocr_tolerance('fp61'))\n"
        )
    result = run(project, "-k", "training")
    result.assert_outcomes(errors=2, deselected=2)
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


def test_a_scheduler_of_the_users_is_kept(project: pytest.Pytester) -> None:
    with (project.path / "conftest.py").open("a") as conftest:
        conftest.write(
            """
from xdist.scheduler import LoadScheduling


class Own(LoadScheduling):
    def schedule(self):
        print("the user's own schedules")
        super().schedule()


def pytest_xdist_make_scheduler(config, log):
    return Own(config, log)
"""
        )
    result = project.runpytest_subprocess("-n", "2", "-k", "training", "-s")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["*the user's own schedules*"])


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
    result.stdout.fnmatch_lines(["  probability maps * worst map 9e-05, within the rule's least limit 0.0001"])
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
        result.assert_outcomes(passed=2, deselected=2)
        assert result.ret == 1
        result.stdout.fnmatch_lines(["FAILED images: imagse/[*].npy matches no file, while others match 2*"])

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
        result.assert_outcomes(passed=2)
        assert result.ret == 1
        result.stdout.fnmatch_lines(["FAILED images: imagse/[*].npy matches no file*"])

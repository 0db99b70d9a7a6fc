"""All files that the settings name are looked at before a model loads, and what is missing is said at once, once."""

from __future__ import annotations

from pathlib import Path

import pytest
from projects import failed_line

from pytest_ocrparity.backends.paddlex import pipeline

NO_XDIST = ("-p", "no:xdist")
GATE = "from pytest_ocrparity.gate import *\n"
WRONG = """
[tool.ocrparity]
images = ["images/*.npy", "pages/*.npy"]
[tool.ocrparity.train]
config = "train.yml"
checkpoint = "best"
paddleocr_root = "PaddleOCR"
network = "nets.db:build"
[tool.ocrparity.inference]
model_dir = "export"
"""
OF_TRAIN = [
    "*train.yml: no such file: train.config is the YAML file of the training*",
    "*no checkpoint at *best.pdparams or *best, which the setting train.checkpoint names*",
    "*PaddleOCR: no such folder (set in train.paddleocr_root)*",
    "*train.network = 'nets.db:build' (looked in *) first): No module named 'nets'*".replace(") first", " first"),
]
OF_EXPORT = ["*export: no such folder: inference.model_dir is the folder tools/export_model.py wrote*"]
IDLE = ["*images: pages/[*].npy matches no file, while others match 2*"]
YML = """
Global: {model_name: toy}
PreProcess: {transform_ops: [{DecodeImage: {img_mode: BGR}}, {DetResizeForTest: {}}, {NormalizeImage: {}}]}
PostProcess: {name: DBPostProcess}
"""
ALL_TOY = """
from pytest_ocrparity.backends.paddlex import pipeline

def load_paddlex_pipeline(*, name, model_dir, **rest):
    return Toy(name=name)

pipeline.load_paddlex_pipeline = load_paddlex_pipeline
"""


@pytest.fixture(autouse=True)
def what_all_toy_replaces_is_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "load_paddlex_pipeline", pipeline.load_paddlex_pipeline)


@pytest.fixture
def gate(project: pytest.Pytester) -> pytest.Pytester:
    """A project whose settings name nothing that is there but two images, and which has no tests but the gate's."""
    project.makeconftest("")
    project.makepyprojecttoml(WRONG)
    (project.path / "test_export.py").unlink()
    project.makepyfile(test_gate=GATE)
    return project


def export(folder: Path) -> None:
    """Make what looks like an export."""
    folder.mkdir()
    (folder / "inference.yml").write_text(YML)
    for name in ("inference.json", "inference.pdiparams"):
        (folder / name).write_text("{}")


def own_inference(project: pytest.Pytester, more: str = "") -> None:
    """Leave only the train model overridden, and let every export be a toy."""
    path = project.path / "conftest.py"
    path.write_text(
        path.read_text().partition('@pytest.fixture(scope="session")\ndef ocr_inference')[0] + ALL_TOY + more
    )


def test_the_gate_says_all_once(gate: pytest.Pytester) -> None:
    result = gate.runpytest(*NO_XDIST)
    result.assert_outcomes(errors=3)
    result.stdout.fnmatch_lines([*OF_TRAIN, *OF_EXPORT, *IDLE])
    text = result.stdout.str().partition("short test summary")[0]
    assert "\nnothing was compared: tests used ocrparity's fixtures, and none reached an assertion\n" in text
    for said in (
        "train.yml: no such file",
        "no checkpoint at",
        "(set in train.paddleocr_root)",
        "No module named 'nets'",
    ):
        assert text.count(said) == 1
    assert text.count("export: no such folder") == 1
    above = "not run, as said for test_gate.py::test_ocr_preprocessing[[]settings-error[]] above"
    result.stdout.fnmatch_lines([above, above])


def test_without_any_image_it_is_said_with_the_rest(gate: pytest.Pytester) -> None:
    result = gate.runpytest(*NO_XDIST, "--ocr-images=none/*.png", "-k", "detections")
    result.assert_outcomes(errors=1, deselected=2)
    result.stdout.fnmatch_lines([*OF_TRAIN, *OF_EXPORT, "no images: *none/[*].png matches no file*"])


def test_without_the_train_model_its_settings_do_not_matter(gate: pytest.Pytester) -> None:
    result = gate.runpytest(*NO_XDIST, "--ocr-no-train", "-k", "detections")
    result.assert_outcomes(errors=1, deselected=2)
    result.stdout.fnmatch_lines([*OF_EXPORT, *IDLE])
    result.stdout.no_fnmatch_line("*train.yml*")


def test_recording_needs_the_reference(gate: pytest.Pytester) -> None:
    result = gate.runpytest(*NO_XDIST, "--ocr-golden", "-k", "detections")
    result.assert_outcomes(errors=1, deselected=2)
    result.stdout.fnmatch_lines([*OF_TRAIN, *OF_EXPORT, *IDLE])


def test_an_overridden_side_is_not_looked_at(project: pytest.Pytester) -> None:
    project.makepyprojecttoml(WRONG)
    result = project.runpytest(*NO_XDIST, "-k", "training")
    result.assert_outcomes(passed=2, deselected=2)
    own_inference(project)
    result = project.runpytest(*NO_XDIST, "-k", "training")
    result.assert_outcomes(errors=1, deselected=1)
    result.stdout.fnmatch_lines([*OF_EXPORT, *IDLE])
    result.stdout.no_fnmatch_line("*train.yml*")
    export(project.path / "export")
    project.runpytest(*NO_XDIST, "-k", "training").assert_outcomes(passed=2, deselected=2)


def test_an_override_that_asks_for_ours_is_ours(project: pytest.Pytester) -> None:
    project.makepyprojecttoml(WRONG)
    wrapper = "def ocr_inference_model(ocr_inference_model):\n    return ocr_inference_model"
    own_inference(project, f'\n@pytest.fixture(scope="session")\n{wrapper}\n')
    result = project.runpytest(*NO_XDIST, "-k", "training")
    result.assert_outcomes(errors=1, deselected=1)
    result.stdout.fnmatch_lines(OF_EXPORT)


def test_of_two_functions_the_second_says_what_is_new(project: pytest.Pytester) -> None:
    project.makeconftest("")
    project.makepyprojecttoml(WRONG)
    project.makepyfile(
        test_export="def test_baseline(ocr_golden, ocr_inference_model, ocr_image): pass\n"
        "def test_training(ocr_train_model, ocr_inference_model, ocr_image): pass\n"
    )
    result = project.runpytest(*NO_XDIST)
    result.assert_outcomes(errors=2)
    result.stdout.fnmatch_lines([*OF_EXPORT, *OF_TRAIN, "and 2 more as said for *baseline[[]settings-error[]] above"])


def test_a_marked_skip_stays_one(gate: pytest.Pytester) -> None:
    gate.makepyfile(
        test_gate="import pytest\n@pytest.mark.skip\ndef test_mine(ocr_train_model, ocr_image): pass\n"
        "@pytest.mark.xfail(run=False)\ndef test_other(ocr_train_model): pass\n"
    )
    gate.runpytest(*NO_XDIST).assert_outcomes(skipped=1, xfailed=1)


def test_a_model_without_images_is_looked_at_too(gate: pytest.Pytester) -> None:
    gate.makepyfile(test_gate="def test_a(ocr_train_model): pass\ndef test_b(ocr_train_model): pass\n")
    result = gate.runpytest(*NO_XDIST)
    result.assert_outcomes(errors=2)
    result.stdout.fnmatch_lines([*OF_TRAIN, "not run, as said for test_gate.py::test_a above"])


def test_a_test_that_asks_late_is_told_the_same(gate: pytest.Pytester) -> None:
    gate.makepyfile(test_gate="def test_a(request): request.getfixturevalue('ocr_train_model')")
    result = gate.runpytest(*NO_XDIST)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(OF_TRAIN)


MAKER = """
import pathlib

@pytest.fixture(scope="session", autouse=True)
def exported():
    folder = pathlib.Path("export")
    folder.mkdir()
    for name in {names!r}:
        (folder / name).write_text({yml!r} if name.endswith("yml") else "{{}}")
"""


def test_what_a_fixture_of_the_users_makes_is_looked_at_after_it(project: pytest.Pytester) -> None:
    project.makepyprojecttoml(WRONG)
    names = ("inference.yml", "inference.json", "inference.pdiparams")
    own_inference(project, MAKER.format(names=names, yml=YML))
    project.runpytest(*NO_XDIST, "-k", "training").assert_outcomes(passed=2, deselected=2)


def test_what_it_makes_wrongly_is_said_once(project: pytest.Pytester) -> None:
    project.makepyprojecttoml(WRONG)
    own_inference(project, MAKER.format(names=("inference.json",), yml=YML))
    result = project.runpytest(*NO_XDIST, "-k", "training")
    result.assert_outcomes(errors=2, deselected=2)
    text = result.stdout.str().partition("short test summary")[0]
    assert text.count("holds no inference.yml") == 1
    result.stdout.fnmatch_lines(["not run, as said for * above"])


TWO = """
[tool.ocrparity]
images = "images/*.npy"
[tool.ocrparity.candidates.good]
model_dir = "good"
[tool.ocrparity.candidates.bad]
model_dir = "bad"
"""


def test_a_candidate_that_is_not_there_does_not_stop_the_others(project: pytest.Pytester) -> None:
    project.makepyprojecttoml(TWO)
    own_inference(project)
    export(project.path / "good")
    result = project.runpytest(*NO_XDIST, "-k", "training")
    result.assert_outcomes(passed=2, errors=1, deselected=5)
    result.stdout.fnmatch_lines(["*bad: no such folder: candidates.bad.model_dir is the folder*"])
    export(project.path / "bad")
    project.runpytest(*NO_XDIST, "-k", "training").assert_outcomes(passed=4, deselected=4)
    for name in ("good", "bad"):
        (project.path / name / "inference.yml").unlink()
    result = project.runpytest(*NO_XDIST, "-k", "training")
    result.assert_outcomes(errors=2, deselected=2)


@pytest.mark.parametrize(
    "chosen",
    [("-k", "training and one_word"), ("test_export.py::test_export_matches_training[images/one_word.npy]",)],
    ids=["-k", "id"],
)
def test_who_chooses_a_test_by_its_image_is_told_why_there_is_none(
    project: pytest.Pytester, chosen: tuple[str, ...]
) -> None:
    """As the command after `next` does, of a run in which all was right."""
    project.makepyprojecttoml(WRONG)
    own_inference(project)
    result = project.runpytest(*NO_XDIST, *chosen)
    assert result.ret in (pytest.ExitCode.NO_TESTS_COLLECTED, pytest.ExitCode.USAGE_ERROR)
    told = "no test was selected, as no test has its images while this is wrong:"
    result.stdout.fnmatch_lines([told, f"  {OF_EXPORT[0]}"])
    export(project.path / "export")
    project.runpytest(*NO_XDIST, *chosen).assert_outcomes(passed=1, deselected=3 if "-k" in chosen else 0)
    result = project.runpytest(*NO_XDIST, "-k", "nothing")
    result.stdout.no_fnmatch_line(told)


REFUSED = """
from pytest_ocrparity.backends.paddlex import pipeline
from pytest_ocrparity.errors import ModelError

def load_paddlex_pipeline(*, name, model_dir, **rest):
    with (model_dir / "loaded").open("a") as file:
        file.write("once")
    if {condition}:
        raise ModelError("inference.options: it knows no such option")
    return Toy(name=name)

pipeline.load_paddlex_pipeline = load_paddlex_pipeline
"""


@pytest.mark.parametrize("settings", [WRONG, TWO], ids=["one", "of two candidates"])
def test_what_shows_only_when_a_model_loads_is_said_once(project: pytest.Pytester, settings: str) -> None:
    project.makepyprojecttoml(settings)
    own_inference(project)
    path, names = project.path / "conftest.py", ["good", "bad"] if settings == TWO else ["export"]
    path.write_text(path.read_text().replace(ALL_TOY, REFUSED.format(condition="model_dir.name != 'good'")))
    for name in names:
        export(project.path / name)
    result = project.runpytest(*NO_XDIST, "-k", "training")
    result.assert_outcomes(errors=2, passed=2 * (settings == TWO), deselected=2 * len(names))
    text = result.stdout.str().partition("short test summary")[0]
    assert text.count("it knows no such option") == 1
    result.stdout.fnmatch_lines(["not run, as said for test_export.py::test_export_matches_training* above"])
    assert (project.path / names[-1] / "loaded").read_text() == "once"
    path.write_text(path.read_text().replace("!= 'good'", "== 'none'"))
    project.runpytest(*NO_XDIST, "-k", "training").assert_outcomes(passed=2 * len(names), deselected=2 * len(names))


SKIPPING = """

@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    if {condition}:
        pytest.skip("not on this machine")
"""
EXPECTING = """

@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    if "one_word.npy-bad" in item.nodeid:
        item.add_marker(pytest.mark.xfail)
"""
ONE_OF_TWO = "'one_word.npy-bad' in item.nodeid"


@pytest.mark.parametrize("options", [NO_XDIST, ("-n", "2")], ids=["one process", "two workers"])
@pytest.mark.parametrize("hook", [SKIPPING.format(condition=ONE_OF_TWO), EXPECTING], ids=["skip", "xfail"])
def test_a_conftest_that_skips_the_test_that_says_so_hides_nothing(
    project: pytest.Pytester, hook: str, options: tuple[str, ...]
) -> None:
    project.makepyprojecttoml(TWO)
    own_inference(project, hook)
    export(project.path / "good")
    result = project.runpytest_subprocess(*options, "-k", "training")
    assert result.parseoutcomes()["passed"] == 2 and result.parseoutcomes()["failed"] == 1
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(
        [
            "the candidate bad was not compared, and no test failed for it: *bad: no such folder: *",
            failed_line("ocrparity::candidate", "the candidate bad *"),
        ]
    )
    export(project.path / "bad")
    result = project.runpytest_subprocess(*options, "-k", "training")
    assert (result.ret, result.parseoutcomes().get("failed")) == (0, None)


def test_a_conftest_that_skips_another_test_is_no_fault(project: pytest.Pytester) -> None:
    project.makepyprojecttoml(TWO)
    own_inference(project, SKIPPING.format(condition="'-good' in item.nodeid"))
    export(project.path / "good")
    result = project.runpytest(*NO_XDIST, "-k", "training")
    result.assert_outcomes(skipped=2, errors=1, deselected=5)


@pytest.mark.parametrize("mark", ["skip", "skipif(True, reason='no')", "xfail(run=False)"])
def test_a_candidate_whose_tests_are_marked_is_no_fault(project: pytest.Pytester, mark: str) -> None:
    project.makepyprojecttoml(TWO)
    late = "items[:]"
    marking = f"""

def pytest_collection_modifyitems(items):
    for item in {late}:
        if "bad" in item.nodeid:
            item.add_marker(pytest.mark.{mark})
"""
    own_inference(project, marking)
    export(project.path / "good")
    result = project.runpytest(*NO_XDIST, "-k", "training")
    assert result.ret == 0
    assert result.parseoutcomes()["passed"] == 2


def test_a_candidate_of_tests_that_need_the_train_model_is_no_fault_without_it(project: pytest.Pytester) -> None:
    project.makepyprojecttoml(TWO)
    own_inference(project)
    export(project.path / "good")
    result = project.runpytest(*NO_XDIST, "-k", "training", "--ocr-no-train")
    assert result.parseoutcomes()["skipped"] == 4
    result.stdout.no_fnmatch_line("*ocrparity::candidate*")


def test_a_run_that_stops_at_its_first_failure_adds_none_of_it(project: pytest.Pytester) -> None:
    project.makepyprojecttoml(TWO)
    own_inference(project)
    export(project.path / "good")
    (project.path / "test_a.py").write_text("def test_training_mine(): assert 0\n")
    result = project.runpytest(*NO_XDIST, "-k", "training", "-x")
    result.assert_outcomes(failed=1, deselected=5)


@pytest.mark.parametrize(("mark", "outcome"), [("skip", "skipped"), ("xfail", "xfailed")])
def test_a_marked_test_before_others_leaves_all_to_them(gate: pytest.Pytester, mark: str, outcome: str) -> None:
    """What is wrong is said by the next test, and not taken for said by one that pytest does not count as failed."""
    gate.makepyfile(
        test_gate=f"import pytest\n@pytest.mark.{mark}\ndef test_a(ocr_train_model): pass\n"
        "def test_b(ocr_train_model): pass\n"
    )
    result = gate.runpytest(*NO_XDIST, "-rA")
    assert (result.parseoutcomes()["errors"], result.parseoutcomes()[outcome]) == (1, 1)
    result.stdout.fnmatch_lines(["*ERROR at setup of test_b*", *OF_TRAIN])


def test_without_conftests_all_is_said_as_well(gate: pytest.Pytester) -> None:
    (gate.path / "conftest.py").write_text("raise RuntimeError('read all the same')\n")
    result = gate.runpytest(*NO_XDIST, "--noconftest")
    result.assert_outcomes(errors=3)
    result.stdout.fnmatch_lines([*OF_TRAIN, *OF_EXPORT, *IDLE])


def test_without_conftests_an_override_does_not_stand_in(project: pytest.Pytester) -> None:
    project.makepyprojecttoml(WRONG)
    project.runpytest(*NO_XDIST, "-k", "training").assert_outcomes(passed=2, deselected=2)
    result = project.runpytest(*NO_XDIST, "-k", "training", "--noconftest")
    result.assert_outcomes(errors=1, deselected=1)
    result.stdout.fnmatch_lines([*OF_TRAIN, *OF_EXPORT])


def test_a_report_counts_what_could_not_be_compared(gate: pytest.Pytester) -> None:
    result = gate.runpytest(*NO_XDIST, "--ocr-report=report")
    assert result.ret == 1
    text = (gate.path / "report" / "results.json").read_text()
    assert '"verdict":"failed"' in text.replace(" ", "")
    assert "train.yml: no such file" in text

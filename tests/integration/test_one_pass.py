"""All files that the settings name are looked at before a model loads, and what is missing is said at once, once."""

from __future__ import annotations

from pathlib import Path

import pytest

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
    "*train.yml: cannot read this YAML file: No such file or directory*",
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

def load_inference(*, name, model_dir, **rest):
    return Toy(name=name)

pipeline.load_inference = load_inference
"""


@pytest.fixture(autouse=True)
def what_all_toy_replaces_is_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "load_inference", pipeline.load_inference)


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
    for said in (
        "cannot read this YAML file",
        "no checkpoint at",
        "(set in train.paddleocr_root)",
        "No module named 'nets'",
    ):
        assert text.count(said) == 1
    assert text.count("export: no such folder") == 1
    above = "the settings: as said for test_gate.py::test_ocr_preprocessing[[]settings-error[]] above"
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
    result.stdout.fnmatch_lines([*OF_TRAIN, "the settings: as said for test_gate.py::test_a above"])


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
    result.stdout.fnmatch_lines(["the settings: as said for * above"])


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


def test_a_report_counts_what_could_not_be_compared(gate: pytest.Pytester) -> None:
    result = gate.runpytest(*NO_XDIST, "--ocr-report=report")
    assert result.ret == 1
    text = (gate.path / "report" / "results.json").read_text()
    assert '"verdict":"failed"' in text.replace(" ", "")
    assert "cannot read this YAML file" in text

"""The folder that a user's function loads is in the terminal: no setting names it, and it may depend on the run's."""

from __future__ import annotations

from pathlib import Path

import pytest
from projects import NO_XDIST

from pytest_ocrparity.backends.paddlex import pipeline

FACTORY = """
from pathlib import Path
from pytest_ocrparity.backends.paddlex import pipeline

def load_paddlex_pipeline(*, name, factory=None, model_dir="export", **rest):
    side = Toy(name=name)
    side.model_dir = Path("models/det")
    return side

pipeline.load_paddlex_pipeline = load_paddlex_pipeline
"""
SETTINGS = """
[tool.ocrparity]
images = "images/*.npy"
[tool.ocrparity.inference]
"""
RUNNERS = pytest.mark.parametrize("options", [NO_XDIST, ("-n", "2")], ids=["one process", "two workers"])


@pytest.fixture
def app(project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A project whose inference side is a toy that a function makes."""
    monkeypatch.setattr(pipeline, "load_paddlex_pipeline", pipeline.load_paddlex_pipeline)
    path = project.path / "conftest.py"
    path.write_text(path.read_text().partition('@pytest.fixture(scope="session")\ndef ocr_inference')[0] + FACTORY)
    project.makepyfile(app="def make(): ...\n")
    project.makepyprojecttoml(f'{SETTINGS}factory = "app:make"\n')
    return project


@RUNNERS
def test_it_is_named(app: pytest.Pytester, options: tuple[str, ...]) -> None:
    result = app.runpytest_subprocess(*options, "-k", "training")
    assert result.parseoutcomes()["passed"] == 2
    told = f"inference: app:make loaded {Path(app.path, 'models', 'det')}"
    assert result.outlines.count(told) == 1


def test_a_folder_of_the_settings_is_not(app: pytest.Pytester) -> None:
    app.makepyprojecttoml(f'{SETTINGS}model_dir = "export"\n')
    (app.path / "export").mkdir()
    for name in ("inference.yml", "inference.json", "inference.pdiparams"):
        (app.path / "export" / name).write_text("{}")
    (app.path / "export" / "inference.yml").write_text(YML)
    result = app.runpytest(*NO_XDIST, "-k", "training")
    result.assert_outcomes(passed=2, deselected=2)
    result.stdout.no_fnmatch_line("* loaded *")


YML = """
Global: {model_name: toy}
PreProcess: {transform_ops: [{DecodeImage: {img_mode: BGR}}, {DetResizeForTest: {}}, {NormalizeImage: {}}]}
PostProcess: {name: DBPostProcess}
"""

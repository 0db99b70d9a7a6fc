"""Several candidates in one run: each is compared, by its own limits, image by image."""

from __future__ import annotations

import json

import pytest
from projects import CONFTEST

import pytest_ocrparity.session.models

NO_XDIST = ("-p", "no:xdist", "-p", "no:randomly")
TWO = """
[tool.ocrparity.inference]
model_dir = "inference"

[tool.ocrparity.candidates.onnx]
model_dir = "inference_onnx"
options = { engine = "onnxruntime" }
"""
# Loading is tried with the real models in tests/real/test_candidates.py.
LOADED = """

del ocr_inference_model
import pytest_ocrparity.session.models

SPOILED = {}
MODELS = {}

def inference_model(settings, name=None):
    name = name or settings.first_candidate.name
    return MODELS.setdefault(name, Toy(name=name, **SPOILED.get(name, {})))

pytest_ocrparity.session.models.inference_model = inference_model
pytest_ocrparity.session.models.inference_model_problems = lambda settings, name=None: []
"""


@pytest.fixture
def matrix(project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A project with two candidates."""
    for name in ("inference_model", "inference_model_problems"):
        monkeypatch.setattr(pytest_ocrparity.session.models, name, getattr(pytest_ocrparity.session.models, name))
    add(project, TWO)
    project.makeconftest(CONFTEST + LOADED)
    return project


def add(project: pytest.Pytester, settings: str) -> None:
    with (project.path / "pyproject.toml").open("a") as file:
        file.write(f"\n{settings}")


def spoil(project: pytest.Pytester, candidate: str, **fields: object) -> None:
    path = project.path / "conftest.py"
    path.write_text(path.read_text().replace("SPOILED = {}", f"SPOILED = {{{candidate!r}: {fields!r}}}"))


def test_each_is_compared_and_has_its_rows(matrix: pytest.Pytester) -> None:
    spoil(matrix, "onnx", pad=4)
    result = matrix.runpytest(*NO_XDIST, "-k", "training", "--ocr-report=report")
    result.assert_outcomes(passed=2, failed=2, deselected=4)
    result.stdout.fnmatch_lines(
        ["ocrparity: candidates: inference, onnx", "inference against train: 2 images", "onnx against train: 2 images"]
    )
    results = json.loads((matrix.path / "report" / "results.json").read_text())
    statuses = {(each["candidate"], each["status"]) for each in results["comparisons"] if each["kind"] == "detections"}
    assert statuses == {("inference", "same"), ("onnx", "different")}
    html = (matrix.path / "report" / "index.html").read_text()
    header = html[html.index('<table class="matrix">') :]
    assert header.index(">inference<br>") < header.index(">onnx<br>") < header.index("</thead>")


def test_each_image_runs_with_all_of_them_file_by_file(matrix: pytest.Pytester) -> None:
    body = "def test_it(ocr_inference_model, ocr_image): pass"
    matrix.makepyfile(test_a=body, test_b="def test_plain(): pass", test_c=body, test_export="")
    lines = matrix.runpytest(*NO_XDIST, "--collect-only", "-q").outlines
    images = ("images/one_word.npy", "images/three_words.npy")
    of_file = [f"test_it[{image}-{name}]" for image in images for name in ("inference", "onnx")]
    assert [line for line in lines if "::test_it" in line] == [
        f"{file}::{test}" for file in ("test_a.py", "test_c.py") for test in of_file
    ]


def test_under_xdist_too(matrix: pytest.Pytester) -> None:
    spoil(matrix, "onnx", pad=4)
    result = matrix.runpytest_subprocess("-n", "2", "-k", "training")
    result.assert_outcomes(passed=2, failed=2)


@pytest.mark.parametrize(
    ("settings", "args", "marker", "passes"),
    [
        ("", (), "", False),
        ("tolerance = { detections = { max_shift = 9 } }", (), "", True),
        ('tolerance = "int8"', (), "", True),  # without a limit for the shift, at an IoU of 0.5
        ("tolerance = { detections = { max_shift = 9 } }", ("--ocr-tolerance=detections.max_shift=1",), "", False),
        ("tolerance = { detections = { max_shift = 0 } }", ("--ocr-tolerance=detections.max_shift=9",), "", True),
        ("tolerance = { detections = { max_shift = 9 } }", (), "detections={'max_shift': 1}", False),
    ],
)
def test_the_strength_of_its_own_tolerance(
    matrix: pytest.Pytester, settings: str, args: tuple[str, ...], marker: str, passes: bool
) -> None:
    spoil(matrix, "onnx", pad=4)
    add(matrix, settings)
    add(matrix, "[tool.ocrparity.tolerance]\ndetections = { max_shift = 0.5 }")
    if marker:
        path = matrix.path / "test_export.py"
        path.write_text(f"import pytest\npytestmark = pytest.mark.ocr_tolerance({marker})\n" + path.read_text())
    result = matrix.runpytest(*NO_XDIST, "-k", "training", *args)
    result.assert_outcomes(passed=4 if passes else 2, failed=0 if passes else 2, deselected=4)


def test_a_folder_on_the_command_line_needs_an_only_candidate(matrix: pytest.Pytester) -> None:
    result = matrix.runpytest(*NO_XDIST, "--ocr-inference-dir=other")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --ocr-inference-dir=other: which of inference, onnx is meant? *"])


def test_asked_for_at_run_time_it_gets_a_sentence(matrix: pytest.Pytester) -> None:
    matrix.makepyfile(test_export="def test_late(request): request.getfixturevalue('ocr_inference_model')")
    result = matrix.runpytest(*NO_XDIST)
    result.stdout.fnmatch_lines(["*parametrized by candidates at collection: name it among the test's arguments"])


def test_an_overridden_fixture_runs_once(matrix: pytest.Pytester) -> None:
    matrix.makepyfile(
        test_export="""
        import pytest
        from toy import Toy

        @pytest.fixture(scope="session")
        def ocr_inference_model():
            return Toy(name="mine")

        def test_mine(ocr_inference_model, ocr_image):
            assert ocr_inference_model.name == "mine"
        """
    )
    matrix.runpytest(*NO_XDIST).assert_outcomes(passed=2, failed=1)  # and the fault that nothing was compared


def test_baselines_of_the_export_are_those_of_the_first_candidate(matrix: pytest.Pytester) -> None:
    spoil(matrix, "onnx", pad=4)
    add(matrix, '[tool.ocrparity.golden]\nreference = "inference"')
    result = matrix.runpytest(*NO_XDIST, "--ocr-golden", "-k", "baseline")
    result.assert_outcomes(passed=2, failed=2, deselected=4)
    result.stdout.fnmatch_lines(["E *1 moved of 1 box (baseline (inference) against onnx)", "2 baselines recorded *"])
    matrix.runpytest(*NO_XDIST, "-k", "baseline").assert_outcomes(passed=2, failed=2, deselected=4)


def test_a_session_fixture_of_the_users_is_set_up_as_often_as_pytest_would(matrix: pytest.Pytester) -> None:
    with (matrix.path / "conftest.py").open("a") as file:
        file.write("""

@pytest.fixture(scope="session", params=["cold", "warm"])
def machine(request):
    print("\\nset up", request.param)
    return request.param

@pytest.fixture(scope="module", params=["a", "b"])
def part(request):
    print("\\npart", request.param)
    return request.param
""")
    body = "def test_it(machine, part, ocr_inference_model, ocr_image): pass"
    matrix.makepyfile(test_a=body, test_b=body, test_export="")
    lines = matrix.runpytest(*NO_XDIST, "-s").outlines
    assert [line for line in lines if line.startswith("set up")] == ["set up cold", "set up warm"]
    assert len([line for line in lines if line.startswith("part")]) == 8
    ids = [line for line in matrix.runpytest(*NO_XDIST, "--collect-only", "-q").outlines if "one_word" in line]
    assert [["inference" in line, "onnx" in line] for line in ids] == [[True, False], [False, True]] * 8

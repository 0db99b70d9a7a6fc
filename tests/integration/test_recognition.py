"""Runs on recognisers: alone, and beside a detector in one project, where a marker says whose a test is."""

from __future__ import annotations

from typing import Any

import pytest
from projects import run
from reader_projects import GATE, THREE_LINES, write
from toy import PAGE, Toy
from toy_reader import LINE, Reader, line

import pytest_ocrparity.session.models as models

BOTH = """
import pytest
from pytest_ocrparity import assert_same_detections, assert_same_text

def test_pages(ocr_train_model, ocr_inference_model, ocr_image):
    assert ocr_image.parent.name == "images"
    assert_same_detections(ocr_train_model.trace(ocr_image), ocr_inference_model.trace(ocr_image))

@pytest.mark.ocr_task("recognition")
def test_lines(ocr_train_model, ocr_inference_model, ocr_image):
    assert ocr_image.parent.name == "lines"
    assert_same_text(ocr_train_model.trace(ocr_image), ocr_inference_model.trace(ocr_image))

def test_pages_again(ocr_train_model, ocr_inference_model, ocr_image):
    assert_same_detections(ocr_train_model.trace(ocr_image), ocr_inference_model.trace(ocr_image))
"""
TABLES = """
[tool.ocrparity]
images = ["images/*.npy"]
[tool.ocrparity.inference]
model_dir = "detector"
[tool.ocrparity.recognition]
images = ["lines/*.npy"]
[tool.ocrparity.recognition.inference]
model_dir = "recogniser"
"""


class Sides:
    """The models that the settings of a project load here; each call is noted."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.loaded: list[tuple[str, str]] = []
        self.detector: dict[str, Any] = {}
        self.recogniser: dict[str, Any] = {}
        monkeypatch.setattr(models, "train_model", self.train)
        monkeypatch.setattr(models, "inference_model", self.inference)
        for name in ("train_model_problems", "inference_model_problems"):
            monkeypatch.setattr(models, name, lambda *_: [])

    def train(self, settings: Any) -> Any:
        self.loaded.append((settings.prefix, "train"))
        return Reader() if self._reads(settings) else Toy()

    def inference(self, settings: Any, name: str | None = None) -> Any:
        name = name or "inference"
        self.loaded.append((settings.prefix, name))
        if self._reads(settings):
            return Reader(name=name, **(self.recogniser if name == "inference" else {}))
        return Toy(name=name, **self.detector)

    @staticmethod
    def _reads(settings: Any) -> bool:
        return bool(settings.prefix) or (settings.root / "rec.yml").is_file()


@pytest.fixture
def sides(monkeypatch: pytest.MonkeyPatch) -> Sides:
    return Sides(monkeypatch)


@pytest.fixture
def both(pytester: pytest.Pytester, sides: Sides) -> pytest.Pytester:
    """A project of a detector and a recogniser."""
    pytester.makefile(".toml", pyproject=TABLES)
    pytester.makepyfile(test_export=BOTH)
    write(pytester.path / "images", {"page.npy": PAGE})
    write(pytester.path / "lines", {"a.npy": LINE, "b.npy": line("dab")})
    return pytester


class TestBoth:
    def test_each_test_gets_its_own_images_and_models(self, both: pytest.Pytester, sides: Sides) -> None:
        result = run(both, "-v")
        result.assert_outcomes(passed=4)
        assert {("", "train"), ("", "inference"), ("recognition.", "train"), ("recognition.", "inference")} == set(
            sides.loaded
        )
        result.stdout.fnmatch_lines(["inference against train: 1 image", "inference against train: 2 lines"])
        result.stdout.fnmatch_lines(["*::test_pages[[]images/page.npy] PASSED*"])  # as without the other table

    def test_a_fault_of_one_is_no_fault_of_the_other(self, both: pytest.Pytester, sides: Sides) -> None:
        sides.recogniser = {"letters": "bacd "}
        run(both).assert_outcomes(passed=2, failed=2)
        sides.recogniser, sides.detector = {}, {"pad": 9}
        run(both).assert_outcomes(passed=2, failed=2)

    def test_without_the_marker_the_sentence_names_it(self, both: pytest.Pytester) -> None:
        both.makepyfile(
            test_export="""
import pytest
from pytest_ocrparity import assert_same_detections, assert_same_text

def test_unmarked(ocr_train_model, ocr_inference_model, ocr_image):
    assert_same_text(ocr_train_model.trace(ocr_image), ocr_inference_model.trace(ocr_image))

@pytest.mark.ocr_task("recognition")
def test_boxes(ocr_train_model, ocr_inference_model, ocr_image):
    assert_same_detections(ocr_train_model.trace(ocr_image), ocr_inference_model.trace(ocr_image))
"""
        )
        result = run(both)
        result.assert_outcomes(failed=3)
        result.stdout.fnmatch_lines(
            [
                '*are detectors, and assert_same_text *mark the test with @pytest.mark.ocr_task("recognition")*',
                '*are recognisers, and assert_same_detections *@pytest.mark.ocr_task("recognition") gives *',
            ]
        )

    def test_the_marker_may_stand_on_a_class_or_a_module(self, both: pytest.Pytester) -> None:
        both.makepyfile(
            test_export="""
import pytest
from pytest_ocrparity import assert_same_text

pytestmark = pytest.mark.ocr_task("recognition")

def test_module(ocr_inference_model, ocr_image):
    assert ocr_inference_model.trace(ocr_image).recognition is not None

class TestMine:
    def test_method(self, ocr_train_model, ocr_image):
        assert ocr_train_model.trace(ocr_image).recognition is not None

    @pytest.mark.ocr_task("detection")
    def test_closest(self, ocr_train_model, ocr_image):
        assert ocr_train_model.trace(ocr_image).detections is not None

def test_late(request, ocr_image):
    assert request.getfixturevalue("ocr_train_model").trace(ocr_image).recognition is not None

def test_that_takes_nothing():
    pass
"""
        )
        result = run(both, "-v")
        assert result.parseoutcomes()["passed"] == 2 + 2 + 1 + 2 + 1
        result.stdout.fnmatch_lines(["*::test_that_takes_nothing PASSED*"])

    def test_baselines_of_both(self, both: pytest.Pytester, sides: Sides) -> None:
        both.makepyfile(test_export=GATE)
        run(both, "--ocr-golden").assert_outcomes(passed=9)
        names = sorted(path.relative_to(both.path / "goldens").as_posix() for path in both.path.rglob("*.npz"))
        assert names == ["images/page.npy.npz", "lines/a.npy.npz", "lines/b.npy.npz"]
        (both.path / "goldens/lines/gone.npy.npz").write_bytes((both.path / "goldens/lines/a.npy.npz").read_bytes())
        result = run(both, "--ocr-no-train", "--ocr-golden-prune")  # whose tests ask for baselines, and of both tasks
        result.stdout.fnmatch_lines(["removed unused baselines: *gone.npy.npz*"])
        assert names == sorted(path.relative_to(both.path / "goldens").as_posix() for path in both.path.rglob("*.npz"))
        sides.loaded.clear()
        run(both, "--ocr-no-train").assert_outcomes(passed=9)
        assert all(side == "inference" for _, side in sides.loaded)
        sides.recogniser = {"letters": "bacd "}
        run(both, "--ocr-no-train").assert_outcomes(passed=7, failed=2)

    def test_candidates_of_recognisers(self, both: pytest.Pytester) -> None:
        text = f'{TABLES}\n[tool.ocrparity.recognition.candidates.fast]\nmodel_dir = "fast"\ntolerance = "int8"\n'
        both.makefile(".toml", pyproject=text)
        result = run(both, "-v")
        result.assert_outcomes(passed=1 + 2 * 2 + 1)
        result.stdout.fnmatch_lines(["fast against train: 2 lines"])
        result.stdout.no_fnmatch_line("fast against train: * image*")

    @pytest.fixture
    def in_batches(self, both: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        """Let both sorts of models run batches; return whose ran, which the test sees grow."""
        ran: list[str] = []

        def trace_batch(side: Any, images: Any) -> list[Any]:
            ran.append("recognition." if isinstance(side, Reader) else "")
            return [side.trace(image) for image in images]

        for side in (Reader, Toy):
            monkeypatch.setattr(side, "trace_batch", trace_batch, raising=False)
        write(both.path / "images", {"page 2.npy": PAGE})
        write(both.path / "lines", {"c.npy": line("dc baab")})  # as wide as a.npy
        return ran

    @pytest.mark.parametrize(("table", "other"), [("", "recognition."), ("recognition.", "")])
    def test_a_batch_is_of_the_table_that_sets_it(
        self, both: pytest.Pytester, in_batches: list[str], table: str, other: str
    ) -> None:
        where = f"[tool.ocrparity.{table}inference]"
        both.makefile(".toml", pyproject=TABLES.replace(where, f"{where}\nbatch = 2"))
        result = run(both)
        assert result.ret == 0
        assert set(in_batches) == {table}
        result.stdout.fnmatch_lines([f"ocrparity: {table}inference in batches of 2 as well as alone"])
        result.stdout.no_fnmatch_line(f"ocrparity: {other}inference in batches*")

    def test_a_typed_batch_is_of_both_and_each_is_named(
        self, both: pytest.Pytester, in_batches: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        result = run(both, "--ocr-batch=2")
        assert result.ret == 0
        assert set(in_batches) == {"", "recognition."}
        for name, count in {"inference": 2, "recognition.inference": 3}.items():  # lines of any width share a batch
            result.stdout.fnmatch_lines([f"ocrparity: {name} in batches of 2 as well as alone"])
            result.stdout.fnmatch_lines([f"{name} in batches of 2 against {name} alone: {count} images in batch*"])

        def wrong(side: Any, images: Any) -> list[Any]:
            return [side.trace(image) for image in reversed(images)]

        monkeypatch.setattr(Reader, "trace_batch", wrong, raising=False)
        result = run(both, "--ocr-batch=2")
        assert result.ret == pytest.ExitCode.TESTS_FAILED
        result.stdout.fnmatch_lines(["recognition.inference in batches of 2 differs from * 3 images: lines/a.npy*"])
        result.stdout.no_fnmatch_line("inference in batches of 2 differs *")  # the detector's is right

    def test_an_image_belongs_to_one_table(self, both: pytest.Pytester) -> None:
        both.makefile(".toml", pyproject=TABLES.replace('"lines/*.npy"', '"lines/*.npy", "images/*.npy"'))
        result = run(both)
        assert result.ret == pytest.ExitCode.TESTS_FAILED
        result.stdout.fnmatch_lines(
            ["*images and recognition.images both match images/page.npy: an image is one of a detector or*"]
        )

    def test_a_marked_testcase_is_told_that_it_gets_no_recogniser(self, both: pytest.Pytester) -> None:
        both.makepyfile(
            test_export="""
import unittest
import pytest

@pytest.mark.ocr_task("recognition")
class TestMine(unittest.TestCase):
    @pytest.fixture(autouse=True)
    def model(self, ocr_train_model):
        self.train = ocr_train_model

    def test_it(self):
        pass
"""
        )
        result = run(both)
        result.stdout.fnmatch_lines(["*ocr_task has no effect on a unittest.TestCase*write a test function*"])
        assert result.ret == pytest.ExitCode.TESTS_FAILED

    def test_a_marker_on_a_parameter_is_told_that_it_comes_too_late(self, both: pytest.Pytester) -> None:
        text = """
import pytest

@pytest.mark.parametrize("what", [1, pytest.param(2, marks=pytest.mark.ocr_task("recognition"))])
def test_it(ocr_train_model, what):
    pass
"""
        both.makepyfile(test_export=text)
        result = run(both)
        assert result.parseoutcomes()["passed"] == 1
        result.stdout.fnmatch_lines(["*ocr_task on a parameter, or added after collection, comes too late*"])
        result.stdout.no_fnmatch_line("*TestCase*")
        both.makepyfile(test_export=text.replace("recognition", "detection"))
        assert run(both).parseoutcomes()["passed"] == 2

    @pytest.mark.parametrize(
        ("task", "said"), [("recognition", "*comes too late*"), ("recogniton", "*ocr_task: no task 'recogniton'*")]
    )
    def test_a_marker_that_a_hook_adds_comes_too_late_too(self, both: pytest.Pytester, task: str, said: str) -> None:
        both.makepyfile(test_export="def test_it(ocr_train_model):\n    pass\n")
        assert run(both).parseoutcomes()["passed"] == 1
        marker = f"pytest.mark.ocr_task({task!r})"
        both.makeconftest(
            "import pytest\n"
            f"def pytest_collection_modifyitems(items):\n    for each in items:\n        each.add_marker({marker})\n"
        )
        result = run(both)
        result.stdout.fnmatch_lines([said])
        assert result.ret == pytest.ExitCode.TESTS_FAILED
        result.stdout.no_fnmatch_line("*INTERNALERROR*")


class TestTheGate:
    def test_of_both_tasks(self, both: pytest.Pytester) -> None:
        both.makepyfile(test_export=GATE)
        result = run(both, "-v")
        result.assert_outcomes(passed=3 + 3 * 2)
        result.stdout.fnmatch_lines(["*::test_ocr_detections[[]images/page.npy] PASSED*"])

    def test_of_a_detector_it_is_what_it_was(self, project: pytest.Pytester) -> None:
        project.makepyfile(test_export=GATE)
        result = run(project, "-v")
        result.assert_outcomes(passed=6)
        result.stdout.no_fnmatch_line("*test_ocr_text*")

    def test_of_a_recogniser_alone_its_yml_says_so(self, both: pytest.Pytester) -> None:
        text = '[tool.ocrparity]\nimages = ["lines/*.npy"]\n[tool.ocrparity.train]\nconfig = "rec.yml"\n'
        both.makefile(".toml", pyproject=text)
        (both.path / "rec.yml").write_text("Architecture:\n  model_type: rec\n  algorithm: SVTR_LCNet\n")
        both.makepyfile(test_export=GATE)
        result = run(both, "-v")
        result.assert_outcomes(passed=6)
        result.stdout.fnmatch_lines(["*::test_ocr_text[[]lines/a.npy] PASSED*"])
        result.stdout.no_fnmatch_line("*test_ocr_detections*")


class TestWrongMarkers:
    @pytest.mark.parametrize(
        ("marker", "message"),
        [
            ('ocr_task("recogniton")', "*ocr_task: no task 'recogniton'; did you mean 'recognition'?*"),
            ("ocr_task()", '*ocr_task takes the name of a task, as ocr_task("recognition")*'),
            ('ocr_task(name="recognition")', '*ocr_task takes the name of a task, as ocr_task("recognition")*'),
        ],
    )
    @pytest.mark.parametrize("fixture", ["both", "alone"])
    def test_they_stop_the_collection_of_their_file(
        self, request: pytest.FixtureRequest, fixture: str, marker: str, message: str
    ) -> None:
        project: pytest.Pytester = request.getfixturevalue(fixture)
        project.makepyfile(test_export=f"import pytest\n@pytest.mark.{marker}\ndef test_mine(ocr_image): pass\n")
        result = run(project)
        assert result.ret == pytest.ExitCode.INTERRUPTED
        result.stdout.fnmatch_lines([message])

    def test_a_table_that_is_missing_is_named(self, alone: pytest.Pytester) -> None:
        text = '[tool.ocrparity]\nimages = ["lines/*.npy"]\n[tool.ocrparity.train]\nconfig = "det.yml"\n'
        alone.makefile(".toml", pyproject=text)
        marked = THREE_LINES.replace("\ndef test", '\nimport pytest\n@pytest.mark.ocr_task("recognition")\ndef test')
        alone.makepyfile(test_export=marked)
        (alone.path / "det.yml").write_text("Architecture:\n  model_type: det\n  algorithm: DB\n")
        result = run(alone)
        assert result.ret == pytest.ExitCode.INTERRUPTED
        result.stdout.fnmatch_lines(["*has no table [[]tool.ocrparity.recognition[]], and its YAML files are of a*"])
        (alone.path / "det.yml").write_text("Architecture:\n  model_type: rec\n  algorithm: SVTR\n")
        run(alone).assert_outcomes(passed=2)  # of a recogniser alone the marker says what its files say

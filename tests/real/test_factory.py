"""The object that production builds: a function of the user's returns it, and it is tapped as it is."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pytest_ocrparity.artifacts.ocr_options import MERGES_SWITCHES
from pytest_ocrparity.backends.isolation import isolated
from pytest_ocrparity.backends.paddlex.pipeline import InferencePipeline, load_inference
from pytest_ocrparity.backends.paddlex.stand_in import write_stand_in
from pytest_ocrparity.backends.ppocr.pipeline import TrainingPipeline
from pytest_ocrparity.compare import Comparisons
from pytest_ocrparity.diagnose.cache import DiagnosisCache
from pytest_ocrparity.diagnosis import Change
from pytest_ocrparity.errors import ModelError
from pytest_ocrparity.tolerance import BUILT_IN
from real.deployments import EXPORT, PLAIN, RECEIPT, RIGHT, TINY, causes, example_train, named
from real.features import IS_PADDLEX_3_1

ALONE = f'TextDetection(model_name="PP-OCRv5_mobile_det", model_dir={str(EXPORT)!r}, device="cpu", enable_mkldnn=False'
Make = Callable[..., InferencePipeline]


@pytest.fixture(scope="module")
def trained() -> TrainingPipeline:
    return example_train()


@pytest.fixture(scope="module")
def recogniser(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recogniser")
    with isolated():
        write_stand_in(folder)
    return folder


@pytest.fixture
def factory(tmp_path: Path) -> Make:
    """Write a module app.ocr whose make() has this body, and load what it returns."""

    def make(body: str, name: str = "app.ocr:make", **settings: Any) -> InferencePipeline:
        folder = Path(tempfile.mkdtemp(dir=tmp_path))  # its own, as a module of one folder is imported once
        (folder / "app").mkdir()
        (folder / "app" / "__init__.py").write_text("")
        (folder / "app" / "limits.py").write_text("SHORT = 736\n")
        (folder / "app" / "ocr.py").write_text(f"def make():\n    {body}\n")
        return load_inference(factory=name, folder=folder, **settings)

    return make


@pytest.fixture
def ocr(factory: Make, recogniser: Path) -> Make:
    """Load a `PaddleOCR` of the user's, whose pipeline `p` is changed by a body."""

    def make(change: str = "", **options: Any) -> InferencePipeline:
        given = {**PLAIN, **options, "text_detection_model_name": "PP-OCRv5_mobile_det"}
        given |= {"text_recognition_model_name": "PP-OCRv5_mobile_rec", "text_recognition_model_dir": str(recogniser)}
        lines = [
            *(
                "from paddleocr import PaddleOCR",
                f"made = PaddleOCR(text_detection_model_dir={str(EXPORT)!r}, **{given!r})",
            ),
            *("p = made.paddlex_pipeline._pipeline", *change.splitlines(), "return made"),
        ]
        return factory("\n    ".join(lines))

    return make


def test_wrong_limits_of_an_object_are_named_where_it_is_made(factory: Make, trained: TrainingPipeline) -> None:
    side = factory(f"from paddleocr import TextDetection\n    return {ALONE})")
    (found,) = causes(trained, side)
    assert found.cause == "resize.limits"
    assert found.fix is not None
    told = (
        'where app.ocr:make makes its paddleocr.TextDetection, pass limit_side_len=736, limit_type="min" (paddleocr 3.x'
    )
    assert found.fix.text.startswith(told)
    assert "inference.options" not in found.fix.text
    assert found.fix.changes == (Change("inference.factory", {"limit_side_len": 736, "limit_type": "min"}),)


def test_a_right_object_passes_and_its_own_modules_are_found(factory: Make, trained: TrainingPipeline) -> None:
    side = factory(
        "from app.limits import SHORT\n    from paddleocr import TextDetection\n"
        f'    return {ALONE}, limit_side_len=SHORT, limit_type="min")'
    )
    assert causes(trained, side) == ()
    assert side.given["resize"] == {
        "limit_side_len": "what app.ocr:make passes",
        "limit_type": "what app.ocr:make passes",
    }
    assert side.identity["factory"] == "app.ocr:make"
    assert side.identity["options"]["enable_mkldnn"] is False
    assert side.parameters["probability_map"]["engine"] == "paddle"


OWN_PREDICT = """class Mine(TextDetection):
        def predict(self, image, **given):
            return super().predict(image, **{"box_thresh": 0.9, **given})
"""


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (f"{OWN_PREDICT}    return {ALONE.replace('TextDetection', 'Mine')}, **LIMITS)", "its predict() is its own"),
        (
            f"made = {ALONE}, box_thresh=0.6, **LIMITS)\n    made.paddlex_predictor.box_thresh = 0.9\n    return made",
            "it was made with box_thresh 0.6, and runs with 0.9",
        ),
    ],
    ids=["its own predict", "a later change"],
)
def test_a_value_that_the_object_sets_itself_is_no_argument(
    factory: Make, trained: TrainingPipeline, body: str, why: str
) -> None:
    limits = 'from paddleocr import TextDetection\n    LIMITS = {"limit_side_len": 736, "limit_type": "min"}\n    '
    (found,) = causes(trained, factory(limits + body))
    assert found.cause == "postprocess.box_thresh"
    assert found.fix is not None
    assert found.fix.text.startswith(f"let the object that app.ocr:make returns run with box_thresh=0.6: {why}")
    assert not any("paddleocr's default" in row for row in found.evidence)
    assert any("0.9 was used, by the object that app.ocr:make returns" in row for row in found.evidence)


IN_PLACE = """inner = made.paddlex_predictor
    class Resize(type(inner.pre_tfs["Resize"])):
        def __call__(self, imgs, **given):
            for img in imgs:
                img[:] = 255 - img
            return super().__call__(imgs, **given)
    class Boxes(type(inner.post_op)):
        def process(self, pred, *rest):
            pred[pred < 0.1] = 0.9
            return super().process(pred, *rest)
    inner.pre_tfs["Resize"].__class__, inner.post_op.__class__ = Resize, Boxes
"""


def test_steps_that_work_in_place_change_nothing_that_was_recorded_before_them(factory: Make) -> None:
    side = factory(f"from paddleocr import TextDetection\n    made = {ALONE})\n    {IN_PLACE}    return made")
    plain = load_inference(model_dir=EXPORT, options={"device": "cpu", "enable_mkldnn": False})
    right, trace = plain.trace(RECEIPT), side.trace(RECEIPT)
    (batch,) = side.trace_batch([RECEIPT])
    for each in (trace, batch):
        assert each.error is None and each.decode == right.decode
        assert each.resize is not None and right.resize is not None and not np.array_equal(each.resize, right.resize)
        assert each.tensor is not None and trace.tensor is not None and np.array_equal(each.tensor, trace.tensor)
        assert each.probability_map is not None and np.array_equal(each.probability_map, side.infer(each.tensor))
        assert each.detections is not None and each.detections == trace.detections


def test_an_object_of_a_folder_that_is_no_export_names_it(
    factory: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    lines = [
        *("import pathlib, shutil", "from paddleocr import TextDetection"),
        *(f'shutil.copytree({str(EXPORT)!r}, "copy")', f"made = {ALONE.replace(repr(str(EXPORT)), repr('copy'))})"),
        *('pathlib.Path("copy", "inference.yml").unlink()', "return made"),
    ]
    with pytest.raises(ModelError) as refused:
        factory("\n    ".join(lines))
    told = "inference.factory = 'app.ocr:make' returned an object of the folder copy"
    assert str(refused.value).endswith(f"{told} (in the current directory, {tmp_path})")


def test_an_object_of_a_relative_folder_is_examined_in_another_directory(
    factory: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    shutil.copytree(EXPORT, tmp_path / "copy")
    monkeypatch.chdir(tmp_path)
    side = factory(f"from paddleocr import TextDetection\n    return {ALONE.replace(repr(str(EXPORT)), repr('copy'))})")
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert [other.cause for other in side.other_engines()] == ["network.own_code", "engine.optimization"]
    assert len(side.stored_weights()) > 40


def test_an_object_may_be_returned_twice(factory: Make, trained: TrainingPipeline) -> None:
    body = "import functools\n    from paddleocr import TextDetection\n    global kept\n"
    body += f'    kept = globals().get("kept") or {ALONE}, limit_side_len=736, limit_type="min")\n    return kept'
    first, second = factory(body), factory(body, predict_options={"box_thresh": 0.9})
    assert causes(trained, first) == ()
    assert named(causes(trained, second)) == ["postprocess.box_thresh"]
    assert causes(trained, first) == ()


def test_an_object_that_is_called_by_its_owner_holds_nothing(factory: Make) -> None:
    side = factory(f"from paddleocr import TextDetection\n    return {ALONE})")
    predictor = side._predictor
    with isolated():
        (found,) = predictor._model.predict(str(TINY))
    assert len(found["dt_polys"]) > 0
    assert predictor.taps.calls == {}


def test_a_full_pipeline_is_tapped(ocr: Make, trained: TrainingPipeline) -> None:
    assert causes(trained, ocr(**RIGHT)) == ()
    (found,) = causes(trained, ocr())
    assert found.cause == "resize.limits"
    assert found.fix is not None
    assert found.fix.text.startswith(
        "where app.ocr:make makes its paddleocr.PaddleOCR, pass text_det_limit_side_len=736"
    )


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (
            'return "PP-OCRv5"',
            "'app.ocr:make' returned a str, which is no paddleocr.TextDetection or paddleocr.PaddleOCR",
        ),
        ("from paddleocr import PaddleOCR\n    return PaddleOCR", "returned the class PaddleOCR, which is no"),
        ("return None", "returned a NoneType"),
        (
            'raise OSError("no licence")',
            "'app.ocr:make', called without arguments, raised OSError: no licence (in the current directory, ",
        ),
    ],
)
def test_anything_else_is_one_clear_error(factory: Make, body: str, told: str) -> None:
    with pytest.raises(ModelError) as refused:
        factory(body)
    assert told in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("app.nowhere:make", "inference.factory = 'app.nowhere:make' (looked in "),
        ("app.ocr:maker", "has no attribute 'maker'"),
        ("app.limits:SHORT", "is a int, and no function to call"),
        ("app.ocr", "inference.factory is 'app.ocr', not \"package.module:function\""),
    ],
)
def test_a_function_that_is_not_there_is_named(factory: Make, name: str, told: str) -> None:
    with pytest.raises(ModelError) as refused:
        factory("return None", name)
    assert told in str(refused.value)


DROPPING = """
crop = p._crop_by_polys
p._crop_by_polys = lambda image, polys: [c if i else c[:0] for i, c in enumerate(crop(image, polys))]
"""
TURNED_AROUND = """
sort = p._sort_boxes
p._sort_boxes = lambda polys: list(sort(polys))[::-1]
"""


@pytest.mark.skipif(IS_PADDLEX_3_1, reason="it divides by the height of an empty crop")
def test_a_box_that_the_pipeline_drops_is_a_cause_of_its_own(ocr: Make, trained: TrainingPipeline) -> None:
    """paddlex drops boxes whose crop is empty: here one is made so."""
    (found,) = causes(trained, ocr(DROPPING, **RIGHT))
    assert (found.cause, found.stage) == ("pipeline.boxes", "detections")
    assert found.summary == "inference's detector finds 13 boxes, and what follows it returns 12"
    assert found.evidence[0] == "with the 13 boxes of its detector in their place, all are within the limits"


@pytest.mark.skipif(IS_PADDLEX_3_1, reason="it divides by the height of an empty crop")
def test_dropped_boxes_are_proved_again_on_a_further_image(ocr: Make, trained: TrainingPipeline) -> None:
    side, cache = ocr(DROPPING, **RIGHT), DiagnosisCache(60)
    for image in (TINY, RECEIPT):
        (found,) = cache.diagnose(Comparisons(trained.trace(image), side.trace(image), BUILT_IN))
        assert found.cause == "pipeline.boxes"
    assert found.evidence[0].startswith("found on ")
    assert found.summary.startswith("as on ")  # the numbers are of the other image
    assert found.summary.endswith(", where inference's detector finds 13 boxes, and what follows it returns 12")


def test_another_order_of_the_pipeline_is_no_difference(ocr: Make, trained: TrainingPipeline) -> None:
    assert causes(trained, ocr(TURNED_AROUND, **RIGHT)) == ()


STUB = """
import numpy
def stub(images, **_):  # a stub in the place of the models of orientation and unwarping
    for image in images:
        picture = CHANGE
        settings = {"use_doc_unwarping": False}
        yield {"angle": ANGLE, "output_img": numpy.ascontiguousarray(picture), "model_settings": settings}
p.use_doc_preprocessor, p.doc_preprocessor_pipeline = True, stub
"""
TURNING = STUB.replace("CHANGE", "numpy.rot90(image, 1)").replace("ANGLE", "90")
HALF = STUB.replace("CHANGE", "numpy.rot90(image, 2)").replace("ANGLE", "180")
MOVING = STUB.replace("CHANGE", "numpy.roll(image, 9, axis=1)").replace("ANGLE", "0")
IDLE = STUB.replace("CHANGE", "image").replace("ANGLE", "0")


@pytest.mark.parametrize(
    ("stub", "did", "finds"),
    [
        (TURNING, "turned by 90 degrees", "no box either"),
        (HALF, "turned by 180 degrees", "the same [0-9]+ boxes"),
        (MOVING, "changed", "the same [0-9]+ boxes"),
    ],
)
def test_a_document_preprocessor_is_named_and_detection_judged_in_its_frame(
    ocr: Make, trained: TrainingPipeline, stub: str, did: str, finds: str
) -> None:
    """With stubs in the place of the models, which are not here."""
    (found,) = causes(trained, ocr(stub, **RIGHT))
    assert (found.cause, found.stage) == ("pipeline.doc_preprocessor", "resize")
    assert found.summary == f"doc_preprocessor {did} in inference only"
    assert found.fix is not None
    assert "pass use_doc_orientation_classify=False, use_doc_unwarping=False" in found.fix.text
    assert not any("YAML file" in row for row in found.evidence)
    assert re.search(f"train finds {finds}: in that frame nothing differs$", found.evidence[-1])


def test_another_fault_beside_it_is_found_too(ocr: Make, trained: TrainingPipeline) -> None:
    found = causes(trained, ocr(MOVING, **RIGHT, text_det_box_thresh=0.9))
    assert named(found) == ["pipeline.doc_preprocessor", "postprocess.box_thresh"]
    assert "differ still" in found[0].evidence[-1]


def test_a_preprocessor_that_changes_nothing_is_no_cause(ocr: Make, trained: TrainingPipeline) -> None:
    side = ocr(IDLE, **RIGHT)
    assert causes(trained, side) == ()
    assert side.trace(TINY).parameters["resize"]["doc_preprocessor"] == "unchanged"
    assert named(causes(trained, ocr(IDLE))) == ["resize.limits"]


def test_the_frame_of_boxes_is_the_preprocessors_picture(ocr: Make) -> None:
    side = ocr(TURNING, **RIGHT)
    trace = side.trace(TINY)
    picture = side.rectified(TINY)
    assert (
        picture is not None and trace.decode is not None and trace.decode.pixels is not None and trace.shape is not None
    )
    assert np.array_equal(picture, np.rot90(trace.decode.pixels, 1))
    assert trace.shape[:2] == picture.shape[:2]
    assert side.varied({"resize": {"doc_preprocessor": None}}).rectified(TINY) is None
    idle = ocr(**RIGHT).rectified(TINY)
    assert (idle is None) == MERGES_SWITCHES
    assert idle is None or np.array_equal(idle, trace.decode.pixels)

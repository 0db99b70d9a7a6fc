"""What `deploy` prints is true: PaddleOCR builds what it says, takes the arguments, and the gate passes with them."""

from __future__ import annotations

import inspect
import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from pytest_ocrparity.__main__ import main
from pytest_ocrparity.artifacts.evaluation import evaluated_parameters
from pytest_ocrparity.backends.calls import Call, calls_of
from pytest_ocrparity.backends.isolation import isolated, isolated_checkout
from pytest_ocrparity.backends.paddlex.deployed import Deployed
from pytest_ocrparity.backends.ppocr.pipeline import TrainingPipeline, load_training
from pytest_ocrparity.stages import DECODE, DETECTIONS, RESIZE, TENSOR
from real.blob import NORMALIZE, YML, Model, edited, operators_root, transforms, write_yml
from real.test_example import change, example, run  # noqa: F401

OPERATORS: list[dict[str, Any]] = [
    {},
    {"DetResizeForTest": {"limit_side_len": 960}},
    {"DetResizeForTest": {"limit_type": "max"}},
    {"DetResizeForTest": {"limit_side_len": 640, "limit_type": "max"}},
    {"DetResizeForTest": {"resize_long": 640}},
    {"DetResizeForTest": {"image_shape": [320, 480]}},
    {"DetResizeForTest": {"image_shape": [320, 480], "keep_ratio": True, "limit_side_len": 64}},
    {"DecodeImage": {"channel_first": False}},
    {"DecodeImage": {"img_mode": "RGB", "ignore_orientation": True}},
    {"NormalizeImage": {**NORMALIZE, "mean": [0.5, 0.5, 0.5], "scale": 0.00392156862745098}},
    {"NormalizeImage": {"order": "hwc"}},
]
POST_PROCESSES: list[dict[str, Any]] = [
    {"name": "DBPostProcess"},
    {"name": "DBPostProcess", "thresh": 0, "box_thresh": 0.4, "use_dilation": True, "score_mode": "slow"},
    {"name": "DBPostProcess", "box_type": "poly", "max_candidates": 7, "det_box_type": "quad"},
    {"name": "DistillationDBPostProcess", "model_name": ["Student"]},
]
GLOBALS: list[dict[str, Any]] = [{"limit_side_len": 64}, {"limit_type": "max"}, {"img_mode": "RGB"}, {"thresh": 0.9}]
FILES = [edited(YML, Eval__dataset__transforms=transforms(**each)) for each in OPERATORS]
FILES += [edited(YML, PostProcess=each) for each in POST_PROCESSES]
FILES += [edited(YML, Global={**YML["Global"], **each}) for each in GLOBALS]


@pytest.mark.parametrize("index", range(len(FILES)))
def test_what_a_file_evaluates_is_what_paddleocr_builds(model: Model, tmp_path: Path, index: int) -> None:
    path = write_yml(tmp_path / "train.yml", FILES[index])
    built = load_training(**{**model.train, "config": path}).parameters
    said = evaluated_parameters(FILES[index], path)
    assert said.keys() == {DECODE, RESIZE, TENSOR, DETECTIONS}
    for stage, values in said.items():
        assert {name: built[stage][name] for name in values} == values


def calls() -> Mapping[str, Call]:
    written = {DECODE: {"img_mode": "BGR"}, TENSOR: NORMALIZE, DETECTIONS: YML["PostProcess"]}
    deployed = Deployed(
        model_name="PP-OCRv4_mobile_det", config=Path("inference.yml"), written=written, options={}, predict_options={}
    )
    made = calls_of(evaluated_parameters(YML, Path("a.yml")), deployed, "DB", "export")
    return {call.api: call for call in made}


def words_of(call: Call) -> list[str]:
    return shlex.split(call.text.replace("\\\n", " "))


class TestIsTaken:
    """Each API knows the arguments and flags by these names."""

    def test_by_the_classes(self, train: TrainingPipeline) -> None:
        with isolated():
            import paddleocr
        for name in ("TextDetection", "PaddleOCR"):
            text = calls()[f"paddleocr.{name}"].text.partition(")")[0]
            given = re.findall(r"^    (\w+)=", text, re.MULTILINE)
            known: set[str] = set()
            for each in getattr(paddleocr, name).__mro__:
                known |= set(inspect.signature(each.__init__).parameters)
            assert given and set(given) <= known

    def test_by_the_command_line(self, train: TrainingPipeline) -> None:
        with isolated():
            from paddleocr._cli import _get_parser  # type: ignore[import-untyped, unused-ignore]
        given = vars(_get_parser().parse_args(words_of(calls()["paddleocr ocr (command line)"])[1:]))
        assert given["text_det_limit_side_len"] == 736
        assert given["text_det_unclip_ratio"] == 1.5
        assert given["use_doc_unwarping"] is False

    def test_by_predict_det(self, train: TrainingPipeline) -> None:
        with isolated_checkout(operators_root()):
            from tools.infer.utility import init_args  # type: ignore[import-not-found, unused-ignore]
        given = vars(init_args().parse_args(words_of(calls()["tools/infer/predict_det.py"])[2:]))
        assert (given["det_limit_side_len"], given["det_limit_type"], given["det_db_box_thresh"]) == (736, "min", 0.6)
        assert given["use_dilation"] is False

    def test_by_the_pipeline(self, train: TrainingPipeline) -> None:
        import yaml

        with isolated():
            from paddlex.inference import load_pipeline_config
        own, said = load_pipeline_config("OCR"), yaml.safe_load(calls()["paddlex pipeline YAML file"].text)
        assert said.keys() <= own.keys()
        assert said["SubModules"]["TextDetection"].keys() <= own["SubModules"]["TextDetection"].keys()


LIMITS_OF_EXAMPLE = 'limit_side_len = 736, limit_type = "min", '
ONE_PAGE = ("-k", "training and curved")


@pytest.mark.parametrize(
    "edits",
    [
        {},
        {"thresh: 0.3": "thresh: 0.25", "box_thresh: 0.6": "box_thresh: 0", "unclip_ratio: 1.5": "unclip_ratio: 2.2"},
        {"DetResizeForTest: null": "DetResizeForTest: {limit_side_len: 960, limit_type: min}"},
    ],
    ids=["as it is", "thresholds", "limits"],
)
@pytest.mark.usefixtures("train", "inference")
def test_the_gate_passes_with_the_settings_that_it_prints_and_fails_without(
    request: pytest.FixtureRequest, edits: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    project: pytest.Pytester = request.getfixturevalue("example")
    change(project, "pyproject.toml", LIMITS_OF_EXAMPLE, "")
    for old, new in edits.items():
        change(project, "configs/tiny_db.yml", f" {old}", f" {new}")
    result = run(project, *ONE_PAGE)
    assert result.parseoutcomes().get("failed") == 1
    capsys.readouterr()
    assert main(["deploy"]) == 0
    printed = capsys.readouterr().out.partition("settings of the gate:\n")[2].partition("\n\n")[0]
    path = project.path / "pyproject.toml"
    path.write_text(path.read_text().partition("[tool.ocrparity.inference]")[0] + inspect.cleandoc(printed))
    result = run(project, *ONE_PAGE)
    assert (result.parseoutcomes().get("passed"), result.ret) == (1, 0)
